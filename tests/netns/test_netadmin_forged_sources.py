"""WALL-1: no source that is inside comes from outside. The client, on the LAN, sends what no honest host would."""

import contextlib
import json

import pytest

import messages
from lab import capture, forge
from netadmin_lab import (ANCHOR4, ANCHOR6, CLIENT4, CLIENT6, EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6,
                          LAN_UNIQUE_LOCAL, ONE4, ONE6, OTHER4, OTHER_ANCHOR4, TWO4, TWO6, outcome, pings, wait_until)

OTHER6, OTHER_ANCHOR6 = "fd31::5", "fd31::3"
FORGED = {4: (ONE4, TWO4, "172.30.0.1", GATEWAY4, ANCHOR4, OTHER4, OTHER_ANCHOR4, LAN4),
          6: (ONE6, TWO6, "fd30::1", GATEWAY6, ANCHOR6, OTHER6, OTHER_ANCHOR6, LAN6, LAN_UNIQUE_LOCAL,
              f"::ffff:{TWO4}", "::ffff:127.0.0.1")}  # as a socket for both families shows IPv4 peers
OWN, HONEST, SERVER = {4: LAN4, 6: LAN6}, {4: CLIENT4, 6: CLIENT6}, {4: ONE4, 6: ONE6}
SOURCE_PORT, CONTROL_PORT = 5000, 5001
BODY = b"forged" * 8
INSIDE = ("one", "two", "other")


def datagram(source, own):
    return [forge.udp(source, SOURCE_PORT, own, 80, BODY)]


def first_segment(source, own):
    return [forge.tcp(source, SOURCE_PORT, own, 80, forge.SYN, 1)]


def last_segment(source, own):
    return [forge.tcp(source, SOURCE_PORT, own, 80, forge.RST | forge.ACK, 1, 1)]


def echo_request(source, own):
    return [forge.echo(source, own)]


def pieces(source, own):
    return forge.fragments(forge.udp(source, SOURCE_PORT, own, 80, BODY), 16)


def closed_port(source, own):
    """What is refused: the refusal would go to the real owner."""
    return [forge.udp(source, SOURCE_PORT, own, 81, BODY), forge.tcp(source, SOURCE_PORT, own, 81, forge.SYN, 1)]


KINDS = (datagram, first_segment, last_segment, echo_request, pieces, closed_port)


@pytest.fixture
def exposed(lab):
    """Port 80 of the project is port 8080 of `one`; the third network has IPv6, too."""
    lab.anchor.run("ip", "address", "add", f"{OTHER_ANCHOR6}/64", "dev", "other0", "nodad")
    lab.other.run("ip", "address", "add", f"{OTHER6}/64", "dev", "eth0", "nodad")
    lab.other.run("ip", "-6", "route", "add", "default", "via", OTHER_ANCHOR6)
    netadmin = lab.start()
    for address in SERVER.values():
        for protocol in ("tcp", "udp"):
            lab.serve(lab.one, "one", protocol, 8080, address)
    netadmin.expose(*(messages.exposure(protocol, 80, address, 8080)
                      for protocol in ("tcp", "udp") for address in SERVER.values()))
    return lab


@contextlib.contextmanager
def listening(lab):
    """Everything that arrives on the inner networks, by container."""
    with contextlib.ExitStack() as stack:
        captures = {}
        for name in INSIDE:
            with lab.namespaces[name].entered():
                captures[name] = stack.enter_context(capture.Capture(contextlib.nullcontext(), "eth0"))
        yield captures


def send(lab, *packets):
    with lab.client.entered():
        forge.send("eth0", EXTERNAL_MAC, *packets)


def from_outside(captures, family):
    """What came in through the anchor because of the client: neither neighbours' talk nor services' answers."""
    wanted = {*FORGED[family]} - {OWN[family]}
    return [(name, packet) for name, found in captures.items() for packet in found.received()
            if (packet.source in FORGED[family] and packet.source_port == SOURCE_PORT)
            or (packet.source in (OWN[family], LAN_UNIQUE_LOCAL) and packet.destination in wanted)
            or (packet.proto == "icmp" and packet.source in FORGED[family] and b"forged" in packet.payload)
            or (packet.proto not in ("icmp", "tcp", "udp") and packet.source in FORGED[family] and b"forged" in packet.payload)]


def control(lab, captures, family):
    """An honest datagram of the client arrives: so did everything before it that would."""
    send(lab, forge.udp(HONEST[family], CONTROL_PORT, OWN[family], 80))
    wait_until(lambda: captures["one"].received(source=HONEST[family], proto="udp"), "the honest datagram at the service")


@pytest.mark.parametrize("rp_filter", (0, 2))
@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_wall1_no_forged_source_arrives_inside(exposed, kind, family, rp_filter):
    if family == 4:
        for name in ("all", "default", "ext0", "shared0"):
            exposed.anchor.sysctl(f"ipv4/conf/{name}/rp_filter", rp_filter)
    with listening(exposed) as captures:
        for source in FORGED[family]:
            send(exposed, *kind(source, OWN[family]))
        control(exposed, captures, family)
    assert from_outside(captures, family) == []


@pytest.mark.parametrize("family", (4, 6))
def test_wall1_a_forged_source_leaves_no_flow_behind(exposed, family):
    """One would pin the real owner's flow to a backend."""
    with listening(exposed) as captures:
        for source in FORGED[family]:
            send(exposed, *datagram(source, OWN[family]))
        control(exposed, captures, family)
    flows = exposed.anchor.run("conntrack", "-L", "-f", f"ipv{family}", "-p", "udp", "--sport", str(SOURCE_PORT))
    assert flows == ""


@pytest.mark.parametrize("family, forged, mine, subnet", (
    (4, "172.29.7.5", "172.29.7.1/24", "172.29.7.0/24"), (6, "fd29:7::5", "fd29:7::1/64", "fd29:7::/64")))
def test_wall1_a_network_that_is_connected_later_counts_from_then_on(exposed, family, forged, mine, subnet):
    def listed():
        return f"saddr {subnet} goto refuse_forged" in exposed.ruleset()

    with listening(exposed) as captures:
        send(exposed, *datagram(forged, OWN[family]))
        wait_until(lambda: captures["one"].received(source=forged), "what is nobody's source yet")
    exposed.cable(exposed.anchor, "late0", exposed.other, "late0")
    exposed.anchor.run("ip", "address", "add", mine, "dev", "late0", *(["nodad"] if family == 6 else []))
    wait_until(listed, "the rule for the new network", deadline=1)
    with listening(exposed) as captures:
        send(exposed, *datagram(forged, OWN[family]))
        control(exposed, captures, family)
    assert not captures["one"].received(source=forged)
    exposed.anchor.run("ip", "link", "delete", "late0")
    wait_until(lambda: not listed(), "the rule to go with the network", deadline=1)


def address_flags(namespace, interface, address):
    listed = json.loads(namespace.run("ip", "-j", "-6", "address", "show", "dev", interface))
    return [entry for link in listed for entry in link.get("addr_info", []) if entry.get("local") == address]


def test_wall1_duplicate_addresses_are_still_noticed_on_both_sides(exposed):
    """RFC 4862: whoever asks with :: is answered, and the answer with our own address as its source is heard."""
    exposed.anchor.run("ip", "address", "add", f"{CLIENT6}/64", "dev", "ext0")
    exposed.client.run("ip", "address", "add", f"{LAN6}/64", "dev", "eth0")
    for namespace, interface, address in ((exposed.anchor, "ext0", CLIENT6), (exposed.client, "eth0", LAN6)):
        wait_until(lambda namespace=namespace, interface=interface, address=address: any(
            entry.get("dadfailed") for entry in address_flags(namespace, interface, address)), f"{address} to be refused")


def test_wall1_nothing_else_is_lost(exposed):
    """Inner hosts, hairpin and the LAN reach what they reached."""
    for family, own in OWN.items():
        for who in (exposed.client, exposed.two, exposed.one):
            for protocol in ("tcp", "udp"):
                assert outcome(who, protocol, own, 80) == "one"
        assert pings(exposed.client, own) and pings(exposed.two, {4: ANCHOR4, 6: ANCHOR6}[family])
    exposed.client.run("ip", "neighbour", "flush", "dev", "eth0")
    assert outcome(exposed.client, "tcp", LAN6, 80) == "one"
