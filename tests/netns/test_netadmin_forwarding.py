"""What an outsider and a container see of anchord-netadmin's ruleset: real packets through real namespaces."""

import ipaddress
import json
import socket
import struct
import time

import pytest

import messages
import netadmin_lab as lab_module
from netadmin_lab import (ANCHOR4, ANCHOR6, ASK, CLIENT4, CLIENT6, CLIENT_UNIQUE_LOCAL, GATEWAY4, GATEWAY6, LAN4, LAN6,
                          LAN_UNIQUE_LOCAL, ONE4, ONE6, OTHER4, OTHER_ANCHOR4, TWO4, TWO6, outcome, pings)

PROTOCOLS = ("tcp", "udp")
# Silence can only be shown by waiting for it; every such test also shows that the same question is answered elsewhere.
PATIENCE = 0.4


def expose_both_families(netadmin, *entries):
    """entries: (protocol, port, v4 backend, v6 backend, backend port)."""
    items = []
    for protocol, port, backend4, backend6, backend_port in entries:
        items.append(messages.exposure(protocol, port, backend4, backend_port))
        items.append(messages.exposure(protocol, port, backend6, backend_port))
    return netadmin.expose(*items)


@pytest.fixture
def exposed(lab):
    """tcp/80 and udp/80 go to port 8080 of `one`, both families."""
    netadmin = lab.start()
    for address in (ONE4, ONE6):
        for protocol in PROTOCOLS:
            lab.serve(lab.one, "one", protocol, 8080, address)
    expose_both_families(netadmin, *((protocol, 80, ONE4, ONE6, 8080) for protocol in PROTOCOLS))
    return lab


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("address", (LAN4, LAN6, LAN_UNIQUE_LOCAL))
def test_nat1_nat2_client_reaches_the_service_with_its_own_source(exposed, protocol, address):
    name, seen, own = ASK[protocol](exposed.client, address, 80)
    assert name == "one"
    assert seen == own


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("address, source", ((CLIENT4, LAN4), (CLIENT6, LAN6), (CLIENT_UNIQUE_LOCAL, LAN_UNIQUE_LOCAL)))
def test_nat8_egress_carries_the_one_address_of_its_scope(exposed, protocol, address, source):
    exposed.serve(exposed.client, "outside", protocol, 7000, address)
    for container in (exposed.one, exposed.two):
        name, seen, _ = ASK[protocol](container, address, 7000)
        assert (name, seen[0]) == ("outside", source)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("address", (LAN4, LAN6))
@pytest.mark.parametrize("who", ("one", "two", "anchor"))
def test_nat9_hairpin_reaches_the_projects_own_address(exposed, protocol, address, who):
    assert ASK[protocol](getattr(exposed, who), address, 80)[0] == "one"


REDIRECT = {4: 5, 6: 137}  # RFC 792; RFC 4861 §4.5
ECHO_REPLY = {4: 0, 6: 129}  # RFC 792; RFC 4443 §4.2


@pytest.mark.parametrize("own", (LAN4, LAN6))
def test_nat9_nobody_is_redirected_around_the_anchor(exposed, own):
    """A question that leaves where it came in makes a router tell of the shorter way (RFC 1812 §5.2.7.2): with it the
    container would go around the NAT, and the backend's answer too."""
    version = 6 if ":" in own else 4
    protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
    heard = []
    with exposed.two.socket(lab_module.family_of(own), socket.SOCK_RAW, protocol) as asker, \
            exposed.one.socket(lab_module.family_of(own), socket.SOCK_RAW, protocol) as backend:
        for _ in range(3):
            for transport in PROTOCOLS:
                assert ASK[transport](exposed.two, own, 80)[0] == "one"
        for namespace, errors in ((exposed.two, asker), (exposed.one, backend)):
            assert pings(namespace, own)  # what was sent before this answer has come before it
            kind = None
            while kind != ECHO_REPLY[version]:
                packet = errors.recv(2000)
                kind = packet[0] if version == 6 else packet[20]
                heard.append(kind)
    assert REDIRECT[version] not in heard


def test_nat9_only_external_addresses_are_translated(exposed):
    exposed.serve(exposed.anchor, "anchor", "tcp", 80, "0.0.0.0")
    exposed.serve(exposed.anchor, "anchor", "tcp", 80, "::")
    assert outcome(exposed.anchor, "tcp", "127.0.0.1", 80) == "anchor"
    assert outcome(exposed.anchor, "tcp", "::1", 80) == "anchor"
    for inner in (ANCHOR4, ANCHOR6, GATEWAY4, GATEWAY6):
        assert outcome(exposed.two, "tcp", inner, 80) == "anchor"
    for own in (LAN4, LAN6):
        assert outcome(exposed.client, "tcp", own, 80) == "one"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nat10_lan_host_with_routes_reaches_no_inner_address(exposed, protocol):
    for address in (ONE4, ONE6):
        assert outcome(exposed.two, protocol, address, 8080) == "one"
        assert outcome(exposed.client, protocol, address, 8080, PATIENCE) == "silence"
    for address in (ANCHOR4, ANCHOR6, GATEWAY4, GATEWAY6, OTHER_ANCHOR4):
        family = "::" if ":" in address else "0.0.0.0"
        service = exposed.serve(exposed.anchor, "anchor", protocol, 9000, family)
        assert outcome(exposed.client, protocol, address, 9000, PATIENCE) == "silence"
        service.close()


def test_nat10_lan_host_pings_the_projects_address_alone(exposed):
    for address in (LAN4, LAN6, LAN_UNIQUE_LOCAL):
        assert pings(exposed.client, address)
    for address in (ONE4, ONE6, ANCHOR4, ANCHOR6, GATEWAY4, OTHER_ANCHOR4):
        assert not pings(exposed.client, address)
    assert pings(exposed.one, ANCHOR4) and pings(exposed.one, GATEWAY6)


def test_nat10_container_reaches_none_of_the_anchors_other_networks(exposed):
    exposed.serve(exposed.other, "other", "tcp", 8080, OTHER4)
    assert outcome(exposed.anchor, "tcp", OTHER4, 8080) == "other"
    assert outcome(exposed.one, "tcp", OTHER4, 8080, PATIENCE) == "silence"
    assert outcome(exposed.other, "tcp", ONE4, 8080, PATIENCE) == "silence"
    assert not pings(exposed.one, OTHER_ANCHOR4)
    assert not pings(exposed.other, ANCHOR4)
    assert pings(exposed.other, OTHER_ANCHOR4)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("address", (LAN4, LAN6))
def test_nat11_closed_port_answers_like_a_servers(exposed, protocol, address):
    for who in (exposed.client, exposed.two):
        times = []
        for _ in range(2):  # a first packet may be lost to neighbour discovery, and TCP repeats it after a second
            start = time.monotonic()
            assert outcome(who, protocol, address, 81) == "refused"
            times.append(time.monotonic() - start)
        assert min(times) < 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nat11_nothing_that_the_anchor_listens_on_is_reachable_from_outside(exposed, protocol):
    exposed.serve(exposed.anchor, "anchor", protocol, 9090, "0.0.0.0")
    exposed.serve(exposed.anchor, "anchor", protocol, 9090, "::")
    for address in (LAN4, LAN6):
        assert outcome(exposed.client, protocol, address, 9090) == "refused"
    assert outcome(exposed.one, protocol, ANCHOR4, 9090) == "anchor"


@pytest.mark.parametrize("address, backend", ((LAN4, ONE4), (LAN6, ONE6)))
def test_nat11_udp_flow_that_began_before_its_service_works_at_once(exposed, address, backend):
    exposed.serve(exposed.one, "late", "udp", 9999, backend)
    with exposed.client.socket(lab_module.family_of(address), socket.SOCK_DGRAM) as flow:
        flow.connect((address, 99))
        flow.send(b"?")
        with pytest.raises(ConnectionRefusedError):
            flow.recv(100)
        exposed.netadmin.expose(messages.exposure("udp", 99, backend, 9999))
        flow.send(b"?")
        assert flow.recv(100).startswith(b"late")


def test_nat11_icmp_error_of_a_service_comes_from_the_projects_address(exposed):
    exposed.netadmin.expose(messages.exposure("udp", 53, ONE4, 5353))
    with exposed.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.connect((LAN4, 53))
        flow.send(b"?")
        with pytest.raises(ConnectionRefusedError):  # only an error whose quoted addresses fit gets to the socket
            flow.recv(100)


def test_nat5_shifted_range_is_exact_port_by_port(lab):
    netadmin = lab.start()
    first, last, shift = 10000, 19999, 10000
    start = time.monotonic()
    applied = netadmin.expose(messages.exposure("udp", (first, last), ONE4, first + shift))
    elapsed = time.monotonic() - start
    print(f"NAT-5: {last - first + 1} ports in {elapsed * 1000:.0f} ms")
    assert applied.entries["v4"]["udp"] == 10000
    assert elapsed < 0.5
    listed = json.loads(lab.anchor.run("nft", "-j", "list", "map", "ip", "anchord_v4", "dnat_udp"))
    elements = next(entry["map"]["elem"] for entry in listed["nftables"] if "map" in entry)
    assert {key["elem"]["val"]: value["concat"] for key, value in elements} == {
        port: [ONE4, port + shift] for port in range(first, last + 1)}
    for port in (first, first + 1, 12345, last):
        lab.serve(lab.one, f"port{port + shift}", "udp", port + shift, ONE4)
        assert outcome(lab.client, "udp", LAN4, port) == f"port{port + shift}"
    for port in (first - 1, last + 1):
        assert outcome(lab.client, "udp", LAN4, port) == "refused"


def test_nat5_most_elements_that_are_allowed(lab):
    netadmin = lab.start()
    full = [messages.exposure(protocol, (1, 32768), backend) for protocol, backend in (("tcp", ONE4), ("udp", ONE6))]
    assert sum(sum(family.values()) for family in netadmin.expose(*full).entries.values()) == messages.MAP_ELEMENTS_MAX
    refused = netadmin.apply(*full, messages.exposure("tcp", 40000, ONE6))
    assert refused.error < 0 and "more map elements" in refused.reason
    moved = [messages.exposure(protocol, (1, 32768), backend) for protocol, backend in (("tcp", TWO4), ("udp", TWO6))]
    assert netadmin.expose(*moved).entries["v4"]["tcp"] == 32768
    assert netadmin.expose().entries["v4"]["tcp"] == 0


class Sniffer:
    """Reads TTL or hop limit of what arrives at the client from the anchor's external interface."""

    def __init__(self, lab):
        self.socket = lab.client.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        self.socket.bind(("eth0", 3))

    def values(self, address, count):
        """TTLs of the next `count` packets from `address`, neighbour discovery left out."""
        found = []
        while len(found) < count:
            packet, origin = self.socket.recvfrom(2048)
            if origin[2] == socket.PACKET_OUTGOING:
                continue
            if packet[0] >> 4 == 4 and ipaddress.ip_address(packet[12:16]) == ipaddress.ip_address(address):
                found.append(packet[8])
                assert sum_of_words(packet[:20]) == 0xFFFF, "IPv4 header checksum"
            elif (packet[0] >> 4 == 6 and ipaddress.ip_address(packet[8:24]) == ipaddress.ip_address(address) and
                  not (packet[6] == socket.IPPROTO_ICMPV6 and 133 <= packet[40] <= 137)):
                found.append(packet[7])
        return found


def sum_of_words(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    return (total & 0xFFFF) + (total >> 16)


@pytest.mark.parametrize("address", (LAN4, LAN6))
def test_nat16_answers_leave_with_time_to_live_64(exposed, address):
    sniffer = Sniffer(exposed)
    assert outcome(exposed.client, "tcp", address, 80) == "one"
    assert set(sniffer.values(address, 2)) == {64}
    sniffer = Sniffer(exposed)
    assert outcome(exposed.client, "udp", address, 80) == "one"
    assert sniffer.values(address, 1) == [64]
    for protocol in PROTOCOLS:
        sniffer = Sniffer(exposed)
        assert outcome(exposed.client, protocol, address, 81) == "refused"
        assert sniffer.values(address, 1) == [64]


@pytest.mark.parametrize("address", (CLIENT4, CLIENT6))
def test_nat16_egress_leaves_like_the_machines_own(exposed, address):
    exposed.serve(exposed.client, "outside", "udp", 7000, address)
    sniffer = Sniffer(exposed)
    assert ASK["udp"](exposed.one, address, 7000)[0] == "outside"
    assert sniffer.values(LAN6 if ":" in address else LAN4, 1) == [64]


@pytest.mark.parametrize("address", (LAN4, LAN6))
def test_nat16_a_probe_with_its_last_hop_is_answered_like_by_one_machine(exposed, address):
    with exposed.client.socket(lab_module.family_of(address), socket.SOCK_STREAM) as probe:
        if ":" in address:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
        else:
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        probe.connect((address, 80))
        assert probe.recv(100).startswith(b"one")


ICMP_ERRORS = {4: (3, 5, 11), 6: (1, 3, 137)}  # unreachable, time exceeded, redirect: RFC 792; RFC 4443, RFC 4861


@pytest.mark.parametrize("own, inner, neighbour", ((LAN4, ONE4, "10.99.0.77"), (LAN6, ONE6, "2001:db8:99::77")))
def test_nat16_one_machine_is_no_router(exposed, own, inner, neighbour):
    """Who sends us what is not ours learns nothing: neither that a hop was counted, nor of a better way, nor of networks."""
    version = 6 if ":" in own else 4
    family = lab_module.family_of(own)
    level, option = ((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if version == 6 else (socket.IPPROTO_IP, socket.IP_TTL))
    protocol = socket.IPPROTO_ICMPV6 if version == 6 else socket.IPPROTO_ICMP
    exposed.client.run("ip", f"-{version}", "route", "replace", neighbour, "via", own)
    with exposed.client.socket(family, socket.SOCK_RAW, protocol) as errors, \
            exposed.client.socket(family, socket.SOCK_DGRAM) as sender:
        errors.settimeout(PATIENCE)

        def error_types():
            found = []
            try:
                while True:
                    packet = errors.recv(2000)
                    kind = packet[0] if version == 6 else packet[20]
                    if kind in ICMP_ERRORS[version]:
                        found.append(kind)
            except TimeoutError:
                return found

        for hops in (1, 2, 64):
            sender.setsockopt(level, option, hops)
            sender.sendto(b"?", (inner, 9))
            sender.sendto(b"?", (neighbour, 9))
        assert error_types() == []
        sender.sendto(b"?", (own, 9))  # the same socket hears of a closed port of ours
        assert error_types() == [ICMP_ERRORS[version][0]]
