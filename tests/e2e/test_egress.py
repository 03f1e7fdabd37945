"""Egress (NAT-8, ADDR-11): whatever leaves carries the project's address, and nothing leaves by
another way.

One running project for the whole file; tests that break something mend it and wait for it.
"""

import json
import time

import pytest

from direct import ANCHOR, FAMILIES, mail_services
from lab import topology
from lab.instance import OUTSIDE_PORT
from lab.machine import HERE, wait_until

LAN_PORT = 7  # of an echo server on lanhost2
TABLE = 24942
pytestmark = pytest.mark.every_engine


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


@pytest.fixture(scope="module")
def lan_server(lab):
    """An echo server on a host of the LAN."""
    log = lab.state / "lan-server.log"
    log.unlink(missing_ok=True)  # a kept lab has it from the last run
    command = ["/usr/bin/python3", HERE / "services.py", "--name", "lan"]
    server = lab.spawn("lanhost2", [*command, "--tcp", str(LAN_PORT), "--udp", str(LAN_PORT)], log)
    wait_until(lambda: "lan ready" in log.read_text(), 10, f"server on lanhost2, {log}")
    yield lab.lanhost2
    server.terminate()
    server.wait(timeout=10)


def seen_source(answer):
    """The source address in an echo service's answer."""
    words = answer.split()
    assert len(words) == 3, answer
    return words[1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", ("tcp", "udp"))
@pytest.mark.parametrize("origin", ("smtp", "web", "dns", ANCHOR))
def test_every_container_leaves_with_the_projects_address(lab, mail, lan_server, each_bridge_filter,
                                                          family, proto, origin):
    """NAT-8: towards the LAN and through the router; the anchor's own packets, too (ADDR-11)."""
    index = FAMILIES.index(family)
    for address, port in ((lan_server.addresses[index], LAN_PORT),
                          (lab.outside.addresses[index], OUTSIDE_PORT)):
        assert seen_source(mail.probe(origin, proto, address, port)) == mail.at(family)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_container_itself_can_do_so(lab, mail, family):
    """NAT-8: with the image's own programs, user and capabilities."""
    outside = lab.outside.addresses[FAMILIES.index(family)]
    answer = mail.exec("smtp", "probe", "tcp", outside, str(OUTSIDE_PORT)).stdout
    assert seen_source(answer) == mail.at(family)
    assert mail.namespace("smtp").ping(outside) == outside


@pytest.mark.parametrize("family", FAMILIES)
def test_what_leaves_looks_like_one_machines_own(mail, lan_server, family):
    """SPEC 0, NAT-16: no hop more to be seen in what a container sends than in what the anchor sends."""
    index = FAMILIES.index(family)
    with lan_server.capture() as seen:
        for origin in ("smtp", ANCHOR):
            for proto in ("tcp", "udp"):
                assert mail.probe(origin, proto, lan_server.addresses[index], LAN_PORT).startswith("lan ")
    packets = [packet for packet in seen.received(source=mail.at(family)) if packet.destination_port == LAN_PORT]
    assert {packet.proto for packet in packets} == {"tcp", "udp"}
    assert {packet.ttl for packet in packets} == {64}


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_find_their_way_back_to_the_container(lab, mail, family):
    """NAT-11: a closed port and an unreachable host, on the LAN and behind the router."""
    index = FAMILIES.index(family)
    source = mail.namespace("smtp")
    for host in (lab.lanhost1, lab.outside):
        assert source.probe("tcp", host.addresses[index], 9) == "refused"
        assert source.probe("udp", host.addresses[index], 9) == "refused"
    nowhere = ("198.51.100.1", "2001:db8:ffff::1")[index]  # the router has no route there
    assert source.probe("tcp", nowhere, 9) == "unreachable"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_container_without_transit_has_no_way_out(lab, mail, family):
    """The database never sees the LAN."""
    for address in (lab.outside.addresses[FAMILIES.index(family)], lab.lanhost1.addresses[FAMILIES.index(family)]):
        answer = mail.probe("database", "tcp", address, OUTSIDE_PORT, timeout=0.5)
        assert answer in ("unreachable", "timeout")


def policy_routes(mail, family):
    """Routes of our own table: [(destination, gateway or type)]."""
    listing = mail.anchor.run(["ip", "-j", f"-{family}", "route", "show", "table", str(TABLE)], check=False).stdout
    return [(route["dst"], route.get("gateway", route.get("type"))) for route in json.loads(listing or "[]")]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_table_of_our_own_leads_to_the_lans_gateway(mail, family):
    """ADDR-11: rules before main, the gateway of the network's IPAM, unreachable at the end."""
    rules = mail.anchor.run(["ip", f"-{family}", "rule"]).stdout
    assert any(line.startswith("32764:") and "lookup main suppress_prefixlength 0" in line
               for line in rules.splitlines())
    assert any(line.startswith("32765:") and f"lookup {TABLE}" in line for line in rules.splitlines())
    assert policy_routes(mail, family) == [("default", topology.ROUTER[FAMILIES.index(family)]),
                                           ("default", "unreachable")]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("damage", ("route del default table {table}", "route flush table {table}",
                                    "rule del priority 32764", "rule del priority 32765"))
def test_routes_and_rules_that_somebody_removes_come_back(lab, mail, family, damage, figure):
    """ADDR-11: within 1 s, by the kernel's notification."""
    rules = mail.anchor.run(["ip", f"-{family}", "rule"]).stdout
    routes = policy_routes(mail, family)
    mail.anchor.run(["ip", f"-{family}", *damage.format(table=TABLE).split()])
    start = time.monotonic()
    wait_until(lambda: mail.anchor.run(["ip", f"-{family}", "rule"]).stdout == rules
               and policy_routes(mail, family) == routes, 1, f"repair of: {damage}")
    figure(f"repaired after {(time.monotonic() - start) * 1000:.0f} ms")
    outside = lab.outside.addresses[FAMILIES.index(family)]
    assert seen_source(mail.probe("smtp", "tcp", outside, OUTSIDE_PORT)) == mail.at(family)


def test_without_the_anchor_nothing_leaves(lab, mail):
    """SPEC 1, Direct: fail closed; and with it back, everything leaves as before."""
    mail.compose("stop", "--timeout", "5", ANCHOR)
    for family in FAMILIES:
        outside = lab.outside.addresses[FAMILIES.index(family)]
        for proto in ("tcp", "udp"):
            answer = mail.probe("smtp", proto, outside, OUTSIDE_PORT, timeout=1)
            assert answer in ("unreachable", "timeout")
    mail.compose("start", ANCHOR)
    for family in FAMILIES:
        # The anchor's new MAC: announcing it is ADDR-12.
        mail.namespace("smtp").run(["ip", f"-{family}", "neigh", "flush", "dev", "eth0"])
        outside = lab.outside.addresses[FAMILIES.index(family)]
        wait_until(lambda outside=outside: mail.probe("smtp", "tcp", outside, OUTSIDE_PORT, timeout=0.5)
                   .startswith("outside "), 10, "egress after the anchor's return")
