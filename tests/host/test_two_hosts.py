"""Two hosts with one project each and one address on the LAN, between which keepalived chooses (HOST-9, ADDR-13): the files and
commands of docs/two-hosts.md as they stand there, but for names and addresses.
"""

import json
import re
import time

import pytest

from lab import beside, pages, probe, topology
from lab.machine import CHECKOUT, wait_until
from lab.outage import watching
from shop import PORT, Shop

pytestmark = pytest.mark.nightly
WOULD_MOVE = 4  # seconds in which keepalived takes over when it hears nobody
RETRANSMITS = 60  # seconds in which a client sends again on a connection that is open, at most
ASKS_AGAIN = 120  # seconds in which anchord asks who else has its address, at most
UNHEARD = "add table inet unheard; delete table inet unheard;"
UNHEARD_TABLE = "table inet unheard { chain input { type filter hook input priority filter; ip protocol 112 drop; }; }"  # VRRP


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

    def has_addresses(self):
        """Both, asked for on the LAN and taken; its unit is ready before that."""
        said = self.run("ip", "-n", f"anchord-{self.shop.name}", "-j", "address", "show", "ancext", check=False)
        links = json.loads(said.stdout) if said.returncode == 0 else []
        return {each["local"] for link in links for each in link["addr_info"] if not each.get("tentative")} >= set(self.shop.addresses)

    def state(self):
        """keepalived's, since its start."""
        said = self.log("keepalived", "--boot")
        return (["none"] + re.findall(r"Entering (\w+) STATE", said.rpartition("Starting Keepalived")[2]))[-1]

    def log(self, unit, *options):
        return self.run("journalctl", "--no-pager", "--quiet", "--output", "cat", "--unit", unit, *options).stdout

    def names(self, other):
        """Its status says that the address is a duplicate, and whose."""
        said = self.run("anchord", "--project", self.shop.name, "status", check=False).stdout
        return "ANC0201" in said and other.mac() in said

    def now(self):
        return f"@{self.run('date', '+%s.%N').stdout.strip()}"

    def conflicts(self, since):
        return [line for line in self.log(self.shop.unit, "--since", since).splitlines() if "ANC0201" in line]

    def cable(self, plugged):
        self.lab.topology.ip("switch", f"link set {self.port} {'up' if plugged else 'down'}")

    def lose_power(self):
        """Without its cable, since its kernel lives on here and would end its connections towards the LAN."""
        self.cable(False)
        self.lab.power_off()

    def get_power(self):
        self.cable(True)
        self.lab.power_on()

    def isolate(self, alone):
        """From the other host alone: the switch passes nothing between two such ports."""
        self.lab.host("switch").run(["bridge", "link", "set", "dev", self.port, "isolated", "on" if alone else "off"])

    def deafen(self, deaf):
        """Its elector alone."""
        self.lab.host("engine").run(["nft", UNHEARD + (UNHEARD_TABLE if deaf else "")])


class Pair:
    def __init__(self, one, two):
        self.nodes = (one, two)
        self.client = one.lab.lanhost1
        self.asker = one.lab.lanhost2  # another, since who asks learns the answer, too
        self.addresses = one.shop.addresses

    def other(self, node):
        return self.nodes[self.nodes[0] is node]

    def holder(self):
        """Who the LAN says has both addresses, or None."""
        macs = {self.asker.neighbour(address) for address in self.addresses}
        return next((node for node in self.nodes if None not in macs and node.lab.is_up() and {node.mac()} == macs), None)

    def settled(self):
        """One is active and the other ready to be."""
        active = wait_until(self.holder, 60, "a host that has the address")
        wait_until(lambda: active.state() == "MASTER" and self.other(active).state() == "BACKUP", 60, "two electors that agree")
        return active

    def make_active(self, number):
        active = self.settled()
        if active.number != number:
            active.run("systemctl", "stop", "keepalived")
            wait_until(lambda: self.holder() is self.other(active), 60, "the other host with the address")
            active.run("systemctl", "start", "keepalived")
            active = self.settled()
        assert active.number == number
        return active

    def each(self, act, value):
        for node in self.nodes:
            act(node, value)

    def wait_answered(self):
        for family in (4, 6):
            wait_until(lambda: self.nodes[0].shop.answers(family, self.client), 150, f"an answer by IPv{family}")

    def heals(self, act):
        """What a client sees when the electors hear each other again: the one with the higher priority stays."""
        with self.watching() as seen:
            self.each(act, False)
            wait_until(lambda: not self.nodes[1].shop.is_active(), 30, "one that gives the address up")
            assert self.settled() is self.nodes[0]
            self.wait_answered()
        return seen

    def watching(self, ending=0):
        return watching(self.client, [(address, PORT) for address in self.addresses], ending)

    def moves(self, cause):
        """What a client sees while the address goes to the other host."""
        active = self.settled()
        with self.watching(RETRANSMITS) as seen:
            cause(active)
            wait_until(lambda: self.holder() is self.other(active), 60, "the other host with the address")
            self.wait_answered()
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


def test_host9_the_active_host_loses_its_power(pair, figure):
    """HOST-9: and what comes back leaves the address where it is."""
    seen = pair.moves(Node.lose_power)
    back, = (node for node in pair.nodes if not node.lab.is_up())
    assert_stayed(pair.stays(back.get_power), figure)
    assert_moved(seen, 15, figure)


def test_host9_the_active_host_loses_its_link(pair, figure):
    """HOST-9: it gives the address up by itself, and has none to quarrel about when the cable is back."""
    active = pair.settled()
    try:
        seen = pair.moves(lambda active: active.cable(False))
        wait_until(lambda: active.state() == "FAULT" and not active.shop.is_active(), 30, "a host that has given up")
    finally:
        stayed = pair.stays(lambda: active.cable(True))
    assert_moved(seen, 15, figure)
    assert_stayed(stayed, figure)


@pytest.mark.parametrize("fault, remedy", [("stop docker.service docker.socket", "start docker.service docker.socket"),
                                           ("kill --signal=STOP docker.service", "kill --signal=CONT docker.service")],
                         ids=("stopped", "hangs"))
def test_host9_the_active_host_loses_its_docker(pair, fault, remedy, figure):
    """HOST-9: also a Docker that only does not answer, whose containers go on."""
    active = pair.settled()
    try:
        seen = pair.moves(lambda active: active.run("systemctl", *fault.split()))
        assert not active.shop.is_active()
    finally:
        stayed = pair.stays(lambda: active.run("systemctl", *remedy.split()))
    assert_moved(seen, 20, figure)
    assert_stayed(stayed, figure)


def test_host9_the_elector_is_killed(pair, figure):
    """HOST-9: an address has no owner without an elector, so this host gives it up, and the other takes it."""
    seen = pair.moves(lambda active: active.run("systemctl", "kill", "--signal=KILL", "keepalived"))
    pair.settled()  # systemd has started it again
    assert_moved(seen, 15, figure)


@pytest.mark.parametrize("number", (1, 2), ids=("preferred", "other"))
def test_addr13_the_electors_do_not_hear_each_other(pair, number, figure):
    """ADDR-13: both are told to be active; who asks the LAN first takes no address that the other has, and names its MAC."""
    active = pair.make_active(number)
    other, since = pair.other(active), active.now()
    try:
        with pair.watching() as seen:
            pair.each(Node.deafen, True)
            wait_until(lambda: other.state() == "MASTER" and other.names(active), 60, "another one that names who has the address")
            assert pair.holder() is active
        healed = pair.heals(Node.deafen)
    finally:
        pair.each(Node.deafen, False)
    figure(f"unheard: {told(seen)}; it logs {other.conflicts(since)}, who has it {active.conflicts(since)}; heard again: {told(healed)}")
    assert_nothing_lost(seen)
    if number == 1:
        assert_nothing_lost(healed)
    assert all(entry["gap"] < 15 for entry in healed.values()), healed


@pytest.mark.parametrize("number", (1, 2), ids=("preferred", "other"))
def test_addr13_the_hosts_do_not_see_each_other(pair, number, figure):
    """ADDR-13: both have the address, and clients are with who announced it last; when the hosts see each other again one gives
    it up, and clients find the other."""
    other = pair.other(pair.make_active(number))
    try:
        with pair.watching() as seen:
            pair.each(Node.isolate, True)
            wait_until(lambda: other.state() == "MASTER" and other.has_addresses(), 60, "another one that has the address")
            assert all(node.has_addresses() for node in pair.nodes)
            pair.wait_answered()
        healed = pair.heals(Node.isolate)
    finally:
        pair.each(Node.isolate, False)
    figure(f"apart: {told(seen)}; together: {told(healed)}")
    assert all(entry["gap"] < 15 for entry in (*seen.values(), *healed.values())), (seen, healed)


def test_addr13_two_that_have_the_address_name_each_other(pair, figure):
    """ADDR-13: when the hosts see each other again, but their electors do not."""
    other, since = pair.other(pair.make_active(1)), pair.nodes[0].now()
    try:
        pair.each(Node.deafen, True)
        pair.each(Node.isolate, True)
        wait_until(lambda: other.state() == "MASTER" and other.has_addresses(), 60, "another one that has the address")
        with pair.watching() as seen:
            pair.each(Node.isolate, False)
            for node in pair.nodes:
                wait_until(lambda node=node: node.names(pair.other(node)), ASKS_AGAIN + 10, "one that names the other")
        healed = pair.heals(Node.deafen)
    finally:
        pair.each(Node.isolate, False)
        pair.each(Node.deafen, False)
    figure(f"both: {told(seen)}; logs {[node.conflicts(since) for node in pair.nodes]}; heard again: {told(healed)}")
    assert all(entry["gap"] < 15 for entry in healed.values()), healed


def test_addr13_two_links_of_one_mac_are_deaf_to_each_other(lab):
    """ADDR-13: why the page gives each host a MAC of its own. Kept quiet: the machines' other addresses, which would answer."""
    one, two = lab.lanhost1, lab.lanhost2
    heard = []
    two.set_sysctl("net.ipv4.conf.all.arp_ignore", 1)
    try:
        for macs in (("02:00:00:00:00:91", "02:00:00:00:00:92"), ("02:00:00:00:00:91",) * 2):
            for host, mac, number in ((one, macs[0], 91), (two, macs[1], 92)):
                host.run(["ip", "-batch", "-"], input_text=f"link add link {host.interface} name own address {mac} type macvlan mode bridge\n"
                         f"address add 10.99.0.{number}/24 dev own\nlink set own up\n")
            with one:
                heard.append(probe.neighbour("own", "10.99.0.92"))
            for host in (one, two):
                host.run(["ip", "link", "delete", "own"])
    finally:
        two.set_sysctl("net.ipv4.conf.all.arp_ignore", 0)
    assert heard == ["02:00:00:00:00:92", None]
