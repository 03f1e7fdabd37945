"""WALL-3: the namespace is closed before Docker has answered, and while the anchor stops."""

import contextlib
import pathlib
import re
import socket
import subprocess
import threading
import time

import pytest

import messages
from netadmin_lab import (ANCHOR4, ANCHOR6, CLIENT4, CLIENT6, DEADLINE, GATEWAY4, LAN4, LAN6, ONE4, ONE6, OTHER4,
                          outcome, pings, wait_logged, wait_until)

GOLDEN = pathlib.Path(__file__).with_name("netadmin_skeleton.nft")
PATIENCE = 0.3
PASSAGES = 21  # a datagram to an inner address from outside is answered from another one
SKELETON = "anchord_skeleton"
EXPOSED = (messages.exposure("tcp", 80, ONE4, 8080), messages.exposure("tcp", 80, ONE6, 8080))


@pytest.fixture
def forwarding(lab):
    """As Docker makes a namespace whose Compose file says so; the containers' way out leads through it."""
    for name in ("ext0", "shared0", "other0"):
        lab.anchor.sysctl(f"ipv4/conf/{name}/forwarding", 1)
    for container in (lab.one, lab.two):
        for family, gateway in (("-4", ANCHOR4), ("-6", ANCHOR6)):
            container.run("ip", family, "route", "replace", "default", "via", gateway)
    for protocol in ("tcp", "udp"):
        for address in (ONE4, ONE6):
            lab.serve(lab.one, "one", protocol, 8080, address)
        for address in (CLIENT4, CLIENT6):
            lab.serve(lab.client, "outside", protocol, 7000, address)
        lab.serve(lab.other, "other", protocol, 2375, OTHER4)
    # The control of everything below; at first link-local addresses are tentative, and nobody finds his neighbour.
    wait_until(lambda: len(passages(lab)) == PASSAGES, "every passage to be open without us")
    return lab


def tables(lab):
    return sorted(re.findall(r"^table (ip6? anchord\w+) ", lab.ruleset(), re.MULTILINE))


BOTH = [f"ip {SKELETON}", f"ip6 {SKELETON}"]
OURS = ["ip anchord_v4", "ip6 anchord_v6"]


def wait_closed(lab):
    wait_until(lambda: tables(lab) == BOTH, "the skeleton of both families")


def passages(lab, patience=PATIENCE):
    """What crosses the anchor's namespace, or reaches what listens in it, from the LAN and from the containers."""
    found = []
    with contextlib.ExitStack() as stack:
        for protocol in ("tcp", "udp"):
            for address in ("0.0.0.0", "::"):
                stack.callback(lab.serve(lab.anchor, "anchor", protocol, 9090, address).close)
        for protocol in ("tcp", "udp"):
            for who, address, port in ((lab.client, ONE4, 8080), (lab.client, ONE6, 8080), (lab.client, LAN4, 9090),
                                       (lab.client, LAN6, 9090), (lab.client, ANCHOR4, 9090), (lab.one, ANCHOR4, 9090),
                                       (lab.one, CLIENT4, 7000), (lab.one, CLIENT6, 7000), (lab.one, OTHER4, 2375)):
                if outcome(who, protocol, address, port, patience) != "silence":
                    found.append((protocol, address, port))
    found += [("icmp", address) for address in (ONE4, ONE6, LAN4, LAN6) if pings(lab.client, address)]
    return found


def test_wall3_nothing_passes_before_docker_has_answered(forwarding):
    forwarding.start(ready=False)
    wait_closed(forwarding)
    assert passages(forwarding) == []


def test_wall3_skeleton_reads_as_it_is_documented(lab, build):
    lab.start(ready=False)
    wait_closed(lab)
    assert lab.ruleset() == GOLDEN.read_text(encoding="utf-8")
    assert lab.anchor.run(build / "workers" / "commands" / "ruleset" / "anchord-ruleset") == GOLDEN.read_text(encoding="utf-8")


def test_wall3_what_the_start_needs_works_under_the_skeleton(forwarding):
    """A Docker API behind TCP, Docker's resolver on loopback, neighbours, and duplicate address detection."""
    lab = forwarding
    lab.start(ready=False)
    wait_closed(lab)
    lab.serve(lab.anchor, "resolver", "udp", 5353, "127.0.0.11")
    lab.nft("table ip docker_dns { chain output { type nat hook output priority -100;"
            " ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:5353; }; }")
    assert outcome(lab.anchor, "udp", "127.0.0.11", 53) == "resolver"
    for protocol in ("tcp", "udp"):
        assert outcome(lab.anchor, protocol, OTHER4, 2375) == "other"
        assert outcome(lab.anchor, protocol, ONE6, 8080) == "one"
    lab.client.run("ip", "neighbour", "flush", "dev", "eth0")
    lab.client.run("ip", "address", "add", f"{LAN6}/64", "dev", "eth0")
    wait_until(lambda: "dadfailed" in lab.client.run("ip", "-6", "address", "show", "dev", "eth0"),
               "the client to learn that its address is taken")


@contextlib.contextmanager
def monitored(lab):
    """The transactions of nftables meanwhile, complete at the end: lists of `nft monitor`'s lines."""
    lines, transactions = [], []
    with lab.anchor.entered():
        process = subprocess.Popen(["stdbuf", "--output=L", "nft", "monitor"], stdout=subprocess.PIPE, text=True)
    reader = threading.Thread(target=lambda: [lines.append(line) for line in process.stdout], daemon=True)
    reader.start()

    def marked(name):
        lab.nft(f"add table ip {name}\ndelete table ip {name}\n")
        return any(name in line for line in lines)

    try:
        wait_until(lambda: marked("monitor_begin"), "nft monitor to listen")
        lines.clear()
        yield transactions
        wait_until(lambda: marked("monitor_end"), "the end of what nft monitor says")
        transactions.append([])
        for line in lines:
            if line.startswith("# new generation"):
                transactions.append([])
            else:
                transactions[-1].append(line.strip())
    finally:
        process.terminate()
        process.wait(DEADLINE)
        reader.join(DEADLINE)
        process.stdout.close()


def test_wall3_one_transaction_replaces_the_skeleton(forwarding):
    netadmin = forwarding.start(ready=False)
    wait_closed(forwarding)
    with monitored(forwarding) as transactions:
        netadmin.send(forwarding.topology())
        netadmin.wait_ready(messages.TABLES_INSTALLED)
    [replacing] = [lines for lines in transactions if any(SKELETON in line for line in lines)]
    for family, skeleton in zip(OURS, BOTH):
        assert f"add table {family}" in replacing and f"delete table {skeleton}" in replacing
    netadmin.expose(*EXPOSED)
    assert tables(forwarding) == OURS
    assert outcome(forwarding.client, "tcp", LAN4, 80) == outcome(forwarding.client, "tcp", LAN6, 80) == "one"
    assert outcome(forwarding.two, "tcp", CLIENT4, 7000) == "outside"


def test_wall3_adopted_tables_are_not_touched_by_it(forwarding):
    netadmin = forwarding.start()
    netadmin.expose(*EXPOSED)
    netadmin.kill()
    with monitored(forwarding) as transactions:
        successor = forwarding.start(ready=False)
        successor.ping(1)
    assert not any(SKELETON in line for lines in transactions for line in lines)
    assert outcome(forwarding.client, "tcp", LAN4, 80) == "one"


def test_wall3_one_familys_tables_are_adopted_and_the_other_is_closed(forwarding):
    forwarding.start().expose(*EXPOSED)
    forwarding.netadmin.kill()
    forwarding.nft("delete table ip6 anchord_v6\n")
    forwarding.start(ready=False)
    wait_until(lambda: tables(forwarding) == ["ip anchord_v4", f"ip6 {SKELETON}"], "the skeleton of the other family")
    assert outcome(forwarding.client, "tcp", LAN4, 80) == "one"
    assert outcome(forwarding.client, "tcp", ONE6, 8080, PATIENCE) == "silence"


def test_wall3_a_predecessors_skeleton_stays_closed_and_is_replaced(forwarding):
    forwarding.start(ready=False)
    wait_closed(forwarding)
    forwarding.netadmin.kill()
    assert passages(forwarding) == []
    forwarding.nft(f"insert rule ip {SKELETON} input accept\n")
    netadmin = forwarding.start(ready=False)
    wait_until(lambda: forwarding.ruleset() == GOLDEN.read_text(encoding="utf-8"), "the skeleton anew")
    netadmin.send(forwarding.topology())
    netadmin.wait_ready(messages.TABLES_INSTALLED)
    assert tables(forwarding) == OURS


@pytest.mark.parametrize("edit", (f"delete table ip {SKELETON}", f"flush chain ip6 {SKELETON} input", "flush ruleset",
                                  f"chain ip {SKELETON} forward {{ policy accept; }}"))
def test_wall3_nat15_somebody_who_opens_it_is_undone_within_a_second(lab, edit):
    lab.start(ready=False)
    wait_closed(lab)
    lab.nft(edit + "\n")
    wait_until(lambda: lab.ruleset() == GOLDEN.read_text(encoding="utf-8"), "the skeleton again", deadline=1)
    assert len(wait_logged(lab.netadmin, "ruleset repaired")) == 1


def test_wall3_nat15_a_skeleton_beside_the_tables_goes(forwarding):
    forwarding.start().expose(*EXPOSED)
    forwarding.nft(GOLDEN.read_text(encoding="utf-8"))
    wait_until(lambda: tables(forwarding) == OURS, "the skeleton to go", deadline=1)
    wait_logged(forwarding.netadmin, "ruleset repaired")


def traces(lab):
    """What of ours is left besides nftables."""
    return (lab.anchor.run("ip", "rule") + lab.anchor.run("ip", "-6", "rule")).count("24942") + \
        lab.anchor.run("ip", "address").count(f"{GATEWAY4}/")


@pytest.mark.parametrize("mode, left", ((messages.STOP_TEAR_DOWN, []), (messages.STOP_LEAVE_CLOSED, BOTH)))
def test_wall3_the_skeleton_goes_last_or_stays(forwarding, mode, left):
    """What has ended is checked against the order of the transactions: tables out and skeleton in is one."""
    forwarding.start().expose(*EXPOSED)
    assert traces(forwarding) == 3
    with monitored(forwarding) as transactions:
        assert forwarding.netadmin.stop(mode) == 0
    assert traces(forwarding) == 0
    assert tables(forwarding) == left
    ours = [lines for lines in transactions if any("anchord" in line for line in lines)]
    assert len(ours) == (1 if left else 2)
    for family, skeleton in zip(OURS, BOTH):
        assert f"add table {skeleton}" in ours[0] and f"delete table {family}" in ours[0]
    if left:
        assert passages(forwarding) == []


def test_wall3_nothing_passes_while_it_stops(forwarding):
    """A container that never stops sending, and a LAN host that never stops asking, until the namespace is left."""
    forwarding.start().expose(*EXPOSED)
    with forwarding.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((ONE4, 8080))
        asking.setblocking(False)
        forwarding.netadmin.send(messages.stop(messages.STOP_LEAVE_CLOSED))
        end = time.monotonic() + DEADLINE
        while tables(forwarding) != BOTH or traces(forwarding):
            asking.send(b"?")
            assert time.monotonic() < end
        assert forwarding.netadmin.wait() == 0
        asking.send(b"?")
        assert passages(forwarding) == []
        with pytest.raises(BlockingIOError):
            asking.recv(100)
