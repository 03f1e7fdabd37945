"""Two hosts with one project each and one address on the LAN, between which keepalived chooses (HOST-9): the files and
commands of docs/two-hosts.md as they stand there, but for names and addresses.
"""

import json
import re
import time

import pytest

from lab import beside, pages, topology
from lab.machine import CHECKOUT, wait_until
from lab.outage import watching
from shop import PORT, Shop

pytestmark = pytest.mark.nightly
WOULD_MOVE = 4  # seconds in which keepalived takes over when it hears nobody


def files():
    """Path -> content: each that begins a paragraph with a block behind it."""
    text = (CHECKOUT / "docs/two-hosts.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^`(/etc/[^`]+)`[^\n]*\n\n```\w+\n(.*?)^```", text, re.M | re.S))
    assert len(found) == 4, found.keys()
    return found


class Node:
    """One of the two: its project, and what the page lets it have."""

    def __init__(self, shop, port, number):
        self.shop, self.port, self.number = shop, port, number
        self.run, self.lab = shop.run, shop.lab

    def own(self, text):
        """The page's, with this lab's names and addresses; the page's are the first host's."""
        ours, others = ("10.99.0.2", beside.ADDRESSES[0]) if self.number == 1 else (beside.ADDRESSES[0], "10.99.0.2")
        for page, lab in (("192.0.2.5", self.shop.addresses[0]), ("2001:db8::5", self.shop.addresses[1]),
                          ("192.0.2.1", topology.ROUTER[0]), ("2001:db8::1", topology.ROUTER[1]), ("192.0.2.2", ours),
                          ("192.0.2.3", others), ("eth0", topology.UPLINK)):
            text = re.sub(rf"(?<![\w.:]){re.escape(page)}(?![\w.:])", lab, text)
        return text if self.number == 1 else text.replace("priority 100", "priority 90")

    def set_up(self):
        for path, content in files().items():
            self.run("install", "-D", f"--mode={'755' if content.startswith('#!') else '644'}", "/dev/stdin", path,
                     input_text=self.own(content))
        self.run("bash", "-euxc", self.own(pages.block("docs/two-hosts.md", "apt-get install").text), timeout=300)

    def tear_down(self):
        self.run("systemctl", "stop", "keepalived", check=False)
        self.shop.detach(check=False)
        self.run("rm", "--force", *files())
        self.run("systemctl", "daemon-reload")

    def mac(self):
        """Of the address, None as long as there is no link for it."""
        said = self.run("ip", "-n", f"anchord-{self.shop.name}", "-j", "link", "show", "ancext", check=False)
        return json.loads(said.stdout)[0]["address"] if said.returncode == 0 else None

    def state(self):
        """keepalived's, since its start."""
        said = self.log("keepalived", "--boot")
        return (["none"] + re.findall(r"Entering (\w+) STATE", said.rpartition("Starting Keepalived")[2]))[-1]

    def log(self, unit, *options):
        return self.run("journalctl", "--no-pager", "--quiet", "--output", "cat", "--unit", unit, *options).stdout


class Pair:
    def __init__(self, one, two):
        self.nodes = (one, two)
        self.client = one.lab.lanhost1
        self.addresses = one.shop.addresses

    def other(self, node):
        return self.nodes[self.nodes[0] is node]

    def holder(self):
        """Who the LAN says has both addresses, or None."""
        macs = {self.client.neighbour(address) for address in self.addresses}
        return next((node for node in self.nodes if node.lab.is_up() and {node.mac()} == macs), None)

    def settled(self):
        """One is active and the other ready to be."""
        active = wait_until(self.holder, 60, "a host that has the address")
        wait_until(lambda: active.state() == "MASTER" and self.other(active).state() == "BACKUP", 60, "two electors that agree")
        return active

    def watching(self):
        return watching(self.client, [(address, PORT) for address in self.addresses])

    def moves(self, cause):
        """What a client sees while the address goes to the other host."""
        active = self.settled()
        with self.watching() as seen:
            cause(active)
            wait_until(lambda: self.holder() is self.other(active), 60, "the other host with the address")
            for family in (4, 6):
                wait_until(lambda family=family: active.shop.answers(family, self.client), 30, "an answer")
        return seen

    def stays(self, cause):
        """What it sees while nothing goes anywhere."""
        active = wait_until(self.holder, 60, "a host that has the address")
        with self.watching() as seen:
            cause()
            assert self.settled() is active
            until = time.monotonic() + WOULD_MOVE
            wait_until(lambda: time.monotonic() > until, WOULD_MOVE + 1, "time that passes")
            assert self.settled() is active
        return seen


def told(seen):
    return "; ".join(f"IPv{6 if ':' in address else 4}: {entry['gap']:.2f} s without an answer, {entry['lost']} of {entry['begun']} "
                     "connections lost, the open one " + (f"ended by {entry['open'][0]} after {entry['open'][1]} s" if entry["open"] else "went on")
                     for address, entry in seen.items())


@pytest.fixture(scope="module")
def pair(shop, beside_it):
    """Both set up as the page says; the first has the address."""
    second = Shop(beside_it)
    second.project.up()
    second.detach()  # a kept lab's
    made = Pair(Node(shop, "engine", 1), Node(second, beside.PORT, 2))
    shop.detach()
    try:
        for node in made.nodes:
            node.set_up()
        yield made
    finally:
        for node in made.nodes:
            node.tear_down()
        second.discard()


def assert_nothing_lost(seen):
    assert len(seen) == 2 and all(entry["lost"] == 0 and not entry["open"] for entry in seen.values()), seen


def assert_moved(seen, most, figure):
    figure(told(seen))
    assert len(seen) == 2
    for entry in seen.values():
        assert entry["lost"] and entry["gap"] < most and entry["open"], seen


def assert_stayed(seen, figure):
    figure(f"back: {told(seen)}")
    assert_nothing_lost(seen)


def test_host9_the_address_is_moved_by_hand(pair, figure):
    """HOST-9: a planned change, and nothing moves when the other is back."""
    assert_moved(pair.moves(lambda active: active.run("systemctl", "stop", "keepalived")), 5, figure)
    back = pair.other(pair.holder())
    assert_stayed(pair.stays(lambda: back.run("systemctl", "start", "keepalived")), figure)
