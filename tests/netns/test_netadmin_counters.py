"""SEE-4 at the kernel: what is counted, by real packets, and that no counter ever goes back."""

import json

import pytest

import messages
from ban_lab import BansPeer, item
from lab import forge
from netadmin_lab import (CLIENT4, CLIENT6, EXTERNAL_MAC, LAN4, LAN6, LAN_UNIQUE_LOCAL, ONE4, ONE6, OTHER4, outcome,
                          wait_until)

TABLES = {4: ("ip", "anchord_v4"), 6: ("ip6", "anchord_v6")}
OWN, CLIENT, BACKEND = {4: LAN4, 6: LAN6}, {4: CLIENT4, 6: CLIENT6}, {4: ONE4, 6: ONE6}
FAMILIES = pytest.mark.parametrize("family", TABLES, ids=("v4", "v6"))
REASONS = ("closed", "list", "limit", "ban", "forged", "stray", "isolation", "egress")


def refused(lab, family):
    """Packets by reason, without what is zero."""
    listed = json.loads(lab.anchor.run("nft", "-j", "list", "counters", "table", *TABLES[family]))["nftables"]
    counted = {entry["counter"]["name"].removeprefix("refused_"): entry["counter"]["packets"]
               for entry in listed if "counter" in entry}
    assert tuple(counted) == REASONS
    return {reason: packets for reason, packets in counted.items() if packets}


def exposures(protocol="tcp", port=80):
    return [messages.exposure(protocol, port, backend, 8080) for backend in (ONE4, ONE6)]


def send(lab, *packets):
    with lab.client.entered():
        forge.send("eth0", EXTERNAL_MAC, *packets)


@pytest.fixture
def served(lab):
    for protocol in ("tcp", "udp"):
        for backend in (ONE4, ONE6):
            lab.serve(lab.one, "one", protocol, 8080, backend)
    lab.start()
    return lab


@FAMILIES
def test_see4_each_refusal_is_counted_once_by_its_reason(served, family):
    """By the wall that refuses, and what comes in nowhere."""
    client, own, netadmin = served.client, OWN[family], served.netadmin
    netadmin.expose(*exposures(), *exposures("udp"), *exposures(port=22), *exposures(port=81),
                    guests=[*messages.allow("tcp", 81, "192.0.2.0/24"), *messages.limit("tcp", 22, 1, per_minute=True, burst=1)])
    want = {}

    def refuses(reason, *answers, packets=1):
        want[reason] = want.get(reason, 0) + packets
        wait_until(lambda: refused(served, family) == want, f"{want}, not {refused(served, family)}")
        assert all(answer == "refused" for answer in answers), answers

    assert [outcome(client, protocol, own, 80) for protocol in ("tcp", "udp")] == ["one", "one"]
    assert outcome(client, "tcp", own, 22) == "one"
    assert refused(served, family) == {}
    refuses("closed", outcome(client, "tcp", own, 82), outcome(client, "udp", own, 82), packets=2)
    refuses("closed", outcome(served.two, "tcp", own, 82))  # a container is refused as well
    refuses("list", outcome(client, "tcp", own, 81))
    refuses("limit", outcome(client, "tcp", own, 22))
    send(served, forge.udp(BACKEND[family], 5000, own, 80))
    refuses("forged")
    send(served, forge.tcp(CLIENT[family], 5000, own, 80, forge.SYN | forge.ACK, 1, 1))
    refuses("stray")
    send(served, forge.udp(CLIENT[family], 5000, BACKEND[family], 8080))
    refuses("isolation")


@FAMILIES
def test_see4_what_was_not_for_the_project_is_not_counted(served, family):
    """Who is banned, and the rest of the LAN, talk to each other and to everybody."""
    bans = BansPeer(served.netadmin)
    served.closing.callback(bans.close)
    served.netadmin.expose(*exposures("udp"))
    everybody = {4: "10.99.0.255", 6: "ff02::1"}[family]
    send(served, forge.udp(CLIENT[family], 5000, everybody, 80))
    assert bans.ban([item(f"{CLIENT4}/32"), item("2001:db8:99::/64")]) == (0, "")
    send(served, forge.udp(CLIENT[family], 5000, everybody, 80), forge.udp(BACKEND[family], 5000, everybody, 80),
         forge.udp(CLIENT[family], 5000, OWN[family], 80), forge.udp(CLIENT[family], 5000, OWN[family], 82))
    wait_until(lambda: refused(served, family) == {"ban": 2}, "two packets of who is banned")


def test_see4_a_container_that_has_no_way_out_is_counted(served):
    """IPv6 without an address to leave with; and a way between networks that is none of ours."""
    for address in (LAN6, LAN_UNIQUE_LOCAL):
        served.anchor.run("ip", "address", "delete", f"{address}/64", "dev", "ext0")
    served.anchor.run("ip", "-6", "route", "add", CLIENT6, "dev", "ext0")
    wait_until(lambda: "no address to leave with" in served.ruleset(), "tables without egress")
    outcome(served.one, "udp", CLIENT6, 4000, patience=0.1)
    wait_until(lambda: refused(served, 6) == {"egress": 1}, "the refused datagram")
    outcome(served.one, "udp", OTHER4, 4000, patience=0.1)
    wait_until(lambda: refused(served, 4) == {"isolation": 1}, "the refused datagram")


@FAMILIES
def test_see4_refusals_stay_counted(served, family):
    """Over states, repairs of rules, new rules and a successor."""
    for _ in range(3):
        assert outcome(served.client, "tcp", OWN[family], 82) == "refused"
    served.netadmin.expose(*exposures())
    served.nft(f"flush chain {' '.join(TABLES[family])} input\n")
    wait_until(lambda: served.netadmin.logged("ruleset repaired"), "the repair")
    served.netadmin.kill()
    served.nft(f"flush table {' '.join(TABLES[family])}\n")
    served.start().expose(*exposures("udp"))
    assert refused(served, family) == {"closed": 3}
    assert outcome(served.client, "tcp", OWN[family], 80) == "refused"
    assert refused(served, family) == {"closed": 4}
