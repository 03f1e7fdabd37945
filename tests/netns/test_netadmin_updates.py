"""Ten thousand updates of other entries, and crashes in the middle of them (NAT-3, NAT-14)."""

import select
import time

import pytest

import messages
from netadmin_lab import LAN4, LAN6, ONE4, ONE6, TWO4, TWO6, flow_to
from newcomers import arriving, served_by_a_process

UPDATES = 10_000
KILLS = 20
TABLES = (("ip", "anchord_v4"), ("ip6", "anchord_v6"))
STEADY = [messages.exposure(protocol, 80, backend, 8080) for protocol in ("tcp", "udp") for backend in (ONE4, ONE6)]
# The entries that change with every update: another backend each time, in all four maps.
OTHERS = [[messages.exposure(protocol, (7000, 7003), backend) for protocol in ("tcp", "udp") for backend in pair]
          for pair in ((ONE4, ONE6), (TWO4, TWO6))]


def handles(lab):
    """Both tables as nft lists them with every object's handle: what is replaced gets another."""
    return [lab.anchor.run("nft", "-sa", "list", "table", *table) for table in TABLES]


@pytest.fixture
def served(lab):
    """The lab, with services that the steady entries lead to."""
    with served_by_a_process(lab.one, "one", 8080):
        yield lab


def talks(lab):
    """Open TCP connections and UDP flows of both families, each with its service's name."""
    return [flow_to(lab, protocol, address, 80)[0] for protocol in ("tcp", "udp") for address in (LAN4, LAN6)]


def still_talk(flows):
    for flow in flows:
        flow.send(b"still here")
        assert flow.recv(100).split()[0] in (b"still", b"one")  # TCP echoes, UDP says who it is


def figures(counts):
    return ", ".join(f"{count} {protocol} to {address}" for (protocol, address), count in counts.items())


def test_nat3_ten_thousand_updates_of_other_entries_disturb_no_connection(served):
    lab = served
    netadmin = lab.start()
    netadmin.expose(*STEADY)
    before = handles(lab)
    flows = talks(lab)
    start = time.monotonic()
    with arriving(lab, 80, 0.0005) as counts:
        for number in range(UPDATES):
            netadmin.expose(*STEADY, *OTHERS[number % 2])
        elapsed = time.monotonic() - start
    print(f"NAT-3: {UPDATES} updates in {elapsed:.1f} s; served meanwhile: {figures(counts)}")
    assert min(counts.values()) > 100
    still_talk(flows)
    # Nothing but elements was touched: not even a rule has another handle.
    netadmin.expose(*STEADY)
    assert handles(lab) == before


def test_nat3_nat14_updates_go_on_through_crashes_and_disturb_no_connection(served):
    """Killed at any moment of an update; the successor adopts what it finds and goes on with the next."""
    lab = served
    netadmin = lab.start()
    netadmin.expose(*STEADY)
    before = lab.ruleset()
    flows = talks(lab)
    recoveries = []
    with arriving(lab, 80, 0.005) as counts:
        for number in range(UPDATES):
            if number % (UPDATES // KILLS):
                netadmin.expose(*STEADY, *OTHERS[number % 2])
                continue
            for datagram in messages.state([*STEADY, *OTHERS[number % 2]], netadmin.generation + 1):
                netadmin.watcher.send(datagram)
            # From before it reads the first message until after the answer: a transaction takes some 100 us.
            select.select([], [], [], number / UPDATES * 0.001)
            start = time.monotonic()
            netadmin.kill()
            netadmin = lab.start()
            netadmin.expose(*STEADY, *OTHERS[number % 2])
            recoveries.append((time.monotonic() - start) * 1000)
    recoveries.sort()
    print(f"NAT-3, NAT-14: {UPDATES} updates and {KILLS} kills; served meanwhile: {figures(counts)}; "
          f"kill to applied again {recoveries[KILLS // 2]:.0f} ms (median), {recoveries[-1]:.0f} ms (most)")
    assert min(counts.values()) > 100
    still_talk(flows)
    netadmin.expose(*STEADY)
    assert lab.ruleset() == before
