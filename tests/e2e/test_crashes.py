"""Crashes and foreign hands (NAT-14, NAT-15): any process but PID 1 may die at any moment, anybody may
edit the tables; traffic that was there goes on and what is broken comes back by itself.

One running project. A client opens connections all the time while a process is killed.
"""

import contextlib
import os
import signal
import threading
import time

import pytest

from direct import ANCHOR, FAMILIES, GATE, NFT_FAMILY, NO_GATE, mail_services
from lab.machine import wait_until

REPAIR_SECONDS = 1  # NAT-15


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


class Opener:
    """Opens a connection to web after the other, in both families, and notes each that fails."""

    def __init__(self, mail):
        self._mail = mail
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.opened = 0
        self.failures = []

    def _run(self):
        client = self._mail.lab.lanhost1
        while not self._stop.wait(0.005):
            address = self._mail.addresses[self.opened % 2]
            answer = client.probe("tcp", address, 80, timeout=2)
            self.opened += 1
            if not answer.startswith("web "):
                self.failures.append((self.opened, address, answer))

    def more(self, count):
        """Wait until so many more were tried."""
        target = self.opened + count
        wait_until(lambda: self.opened >= target, 20, f"{count} more connections")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


@pytest.fixture
def traffic(mail):
    """Connections and flows that are open, in both families, and one that keeps opening new ones. At the
    end not one was lost."""
    client = mail.lab.lanhost1
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(client.connect(mail.at(family), 25)) for family in FAMILIES]
        pingers = [stack.enter_context(client.udp_pinger(mail.at(family), 53, rate=100)) for family in FAMILIES]
        outward = stack.enter_context(mail.namespace("smtp").connect(mail.lab.outside.ipv4, 80))
        opener = stack.enter_context(Opener(mail))
        opener.more(10)
        yield opener
        opener.more(10)
        assert opener.failures == []
        assert all(connection.alive() for connection in (*connections, outward))
        for pinger in pingers:
            sent = pinger.sent
            wait_until(lambda p=pinger, s=sent: p.replies[-1][0] >= s, 5, "answer to the latest datagram")
            assert {sequence for sequence, _, _ in list(pinger.replies)} >= set(range(sent))
            assert pinger.errors == []


def comes_back(mail, name, before):
    wait_until(lambda: mail.processes().get(name) not in (None, before), 15, f"a new {name}")


def extra_service(mail, name, port):
    """A further container, whose answer shows that discovery and application work."""
    return mail.extra_container(name, tcp=str(port), expose=f"tcp/{port}")


@pytest.mark.every_engine
@pytest.mark.parametrize("name", ("anchord-watcher", "anchord-netadmin", "anchord-announcer", "anchord-exporter",
                                  "anchord-control", "anchord", pytest.param(GATE, marks=NO_GATE)))
def test_a_killed_process_costs_no_connection_and_comes_back(mail, traffic, name, figure):
    """NAT-14: kill -9; the successor adopts what is there; then changes are followed as before."""
    before = mail.wait_processes()
    ids = mail.flows("-p", "tcp", "--orig-port-dst", 25)
    start = time.monotonic()
    os.kill(before[name], signal.SIGKILL)
    comes_back(mail, name, before[name])
    figure(f"new process after {(time.monotonic() - start) * 1000:.0f} ms")
    mail.wait_processes()
    traffic.more(50)
    with extra_service(mail, "extra", 7800):
        for family in FAMILIES:
            mail.wait_answer("tcp", 7800, "extra", family=family)
    mail.wait_refused("tcp", 7800)
    assert [line.split("id=")[1] for line in mail.flows("-p", "tcp", "--orig-port-dst", 25)] \
        == [line.split("id=")[1] for line in ids]
    assert mail.processes()["anchord-init"] == before["anchord-init"]


def test_both_workers_killed_at_once(mail, traffic):
    """NAT-14."""
    before = mail.wait_processes()
    for name in ("anchord-netadmin", "anchord-watcher"):
        os.kill(before[name], signal.SIGKILL)
    for name in ("anchord-netadmin", "anchord-watcher"):
        comes_back(mail, name, before[name])
    with extra_service(mail, "extra", 7801):
        mail.wait_answer("tcp", 7801, "extra")


@pytest.mark.parametrize("name", ("anchord-watcher", "anchord-netadmin"))
def test_a_change_while_a_worker_is_dead_is_not_missed(mail, traffic, name):
    """NAT-14, DISC-1: what happened meanwhile is found by reading the list, not by the event."""
    before = mail.wait_processes()
    os.kill(before["anchord"], signal.SIGSTOP)  # nobody restarts the worker yet
    try:
        os.kill(before[name], signal.SIGKILL)
        with extra_service(mail, "meanwhile", 7802):
            os.kill(before["anchord"], signal.SIGCONT)
            mail.wait_answer("tcp", 7802, "meanwhile")
    finally:
        os.kill(before["anchord"], signal.SIGCONT)
    mail.wait_refused("tcp", 7802)
    mail.wait_processes()


def docker_dns_rules(mail):
    """The rules of Docker's DNS in the anchor's namespace, which are not ours."""
    listing = mail.anchor.run(["nft", "--stateless", "list", "ruleset"]).stdout
    return [line.strip() for line in listing.splitlines() if "127.0.0.11" in line]


@pytest.fixture
def foreign_rules(mail):
    """foreign_rules(): rules in the anchor's namespace that are somebody else's: Docker's DNS. Podman answers DNS on
    the host and has none there, so that a table stands in for them."""
    if mail.lab.engine.suite != "podman":
        yield lambda: docker_dns_rules(mail)
        return
    table = ("table", "ip", "somebody_else")
    mail.anchor.run(["nft", "add table ip somebody_else { chain output { type nat hook output priority -100; "
                            "ip daddr 127.0.0.11 accept; }; }"])
    try:
        yield lambda: mail.anchor.run(["nft", "--stateless", "list", *table], check=False).stdout.splitlines()
    finally:
        mail.anchor.run(["nft", "delete", *table])


FOREIGN_EDITS = (
    "delete table ip anchord_v4",
    "delete table ip6 anchord_v6",
    "flush table ip anchord_v4",
    "flush map ip anchord_v4 dnat_tcp",
    "delete element ip anchord_v4 dnat_tcp {{ 80 }}",
    "flush chain ip anchord_v4 forward",
    "flush set ip6 anchord_v6 external",
    "add element ip anchord_v4 dnat_tcp {{ 7999 : {smtp} . 25 }}",
)


@pytest.mark.every_engine
@pytest.mark.parametrize("edit", FOREIGN_EDITS)
def test_foreign_edits_are_undone_within_a_second(mail, foreign_rules, edit, figure):
    """NAT-15: repaired and logged; other people's rules in the namespace are not touched."""
    anchor = mail.anchor
    rulesets = {family: anchor.run(["nft", "--stateless", "list", "table", *NFT_FAMILY[family]]).stdout
                for family in FAMILIES}
    foreign, logged = foreign_rules(), len(mail.json_logs(ANCHOR))
    assert foreign

    def repaired():
        return all(anchor.run(["nft", "--stateless", "list", "table", *NFT_FAMILY[family]], check=False).stdout
                   == rulesets[family] for family in FAMILIES)

    anchor.run(["nft", edit.format(smtp=mail.inner("smtp"))])
    start = time.monotonic()
    wait_until(repaired, REPAIR_SECONDS, f"repair of: {edit}")
    figure(f"repaired after {(time.monotonic() - start) * 1000:.0f} ms, as nft shows it")
    for family in FAMILIES:
        mail.wait_answer("tcp", 80, "web", family=family, deadline=1)
    assert foreign_rules() == foreign
    wait_until(lambda: any(record["level"] == "WARN" for record in mail.json_logs(ANCHOR)[logged:]), 5, "a warning")


def test_a_flushed_ruleset_is_repaired_within_a_second(mail, figure):
    """NAT-15: ours is back at once, Docker's DNS rules are somebody else's: said, not restored. Last in
    this file, because the anchor has no DNS afterwards."""
    anchor = mail.anchor
    tables = {family: anchor.run(["nft", "--stateless", "list", "table", *NFT_FAMILY[family]]).stdout
              for family in FAMILIES}
    with mail.lab.lanhost1.connect(mail.at(4), 25) as connection:
        anchor.run(["nft", "flush", "ruleset"])
        start = time.monotonic()
        wait_until(lambda: all(anchor.run(["nft", "--stateless", "list", "table", *NFT_FAMILY[family]],
                                          check=False).stdout == tables[family] for family in FAMILIES),
                   REPAIR_SECONDS, "our tables")
        figure(f"repaired after {(time.monotonic() - start) * 1000:.0f} ms, as nft shows it")
        assert connection.alive()
    assert docker_dns_rules(mail) == []
    for family in FAMILIES:
        mail.wait_answer("tcp", 80, "web", family=family, deadline=1)
