"""What a hostile host on the LAN sends to the project's address by hand: sources that are inside (WALL-1), and segments
that belong to no connection (WALL-4). One running project for the whole file; what a test adds it removes.
"""

import contextlib
import socket

import pytest

from direct import ANCHOR, FAMILIES, PROXY, mail_services
from lab import forge
from lab.machine import wait_until

pytestmark = pytest.mark.every_engine
SOURCE_PORT, CONTROL_PORT, EXPOSED, CLOSED = 5000, 5001, 53, 9999
BODY = b"forged" * 8
FAR_AHEAD = 1 << 24
KINDS = {
    "datagram": lambda source, own: [forge.udp(source, SOURCE_PORT, own, EXPOSED, BODY)],
    "SYN": lambda source, own: [forge.tcp(source, SOURCE_PORT, own, EXPOSED, forge.SYN, 1)],
    "ping": lambda source, own: [forge.echo(source, own)],
    "fragments": lambda source, own: forge.fragments(forge.udp(source, SOURCE_PORT, own, EXPOSED, BODY), 16),
    "closed ports": lambda source, own: [forge.udp(source, SOURCE_PORT, own, CLOSED, BODY),
                                         forge.tcp(source, SOURCE_PORT, own, CLOSED, forge.SYN, 1)],
}
LISTENERS = ("dns", "smtp", PROXY)


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services(), proxy=True).ready()


def networks(mail, service):
    return mail.inspect(service)["NetworkSettings"]["Networks"].items()


def inner_sources(mail):
    """{family: addresses} on the anchor's networks, the bridges and the claimed gateways included; and the project's own."""
    found = {4: {mail.at(4)}, 6: {mail.at(6)}}
    connected = {name for name, _ in networks(mail, ANCHOR)} - {mail.lan}
    for service in ("smtp", "dns", PROXY, ANCHOR):
        for name, details in networks(mail, service):
            if name in connected:
                for family, keys in ((4, ("IPAddress", "Gateway")), (6, ("GlobalIPv6Address", "IPv6Gateway"))):
                    found[family] |= {details[key] for key in keys if details[key]}
    for family, gateway in zip(FAMILIES, mail.gateways):
        found[family].add(gateway)
    return found


def send(host, mail, *packets):
    mac = host.neighbour(mail.at(4))
    assert mac, "the project's MAC"
    with host:
        forge.send(host.interface, mac, *packets)


@contextlib.contextmanager
def inside(mail):
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(mail.namespace(name).capture(interface="eth0")) for name in LISTENERS}


def because_of(captures, forged, own):
    """What the forged packets brought about inside: themselves, or answers to those whose addresses they bore."""
    return [(name, packet) for name, capture in captures.items() for packet in capture.received()
            if packet.source in forged and (packet.source_port == SOURCE_PORT or b"forged" in packet.payload)
            or packet.source == own and (packet.destination_port == SOURCE_PORT or b"forged" in packet.payload)]


def control(host, mail, captures, family):
    """An honest datagram arrives, so everything before it would have."""
    honest = host.addresses[FAMILIES.index(family)]
    send(host, mail, forge.udp(honest, CONTROL_PORT, mail.at(family), EXPOSED))
    wait_until(lambda: captures["dns"].received(source=honest, proto="udp"), 5, "the honest datagram at the service")


@pytest.mark.parametrize("rp_filter", (0, 2))
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_wall1_no_inner_source_comes_from_the_lan(lab, mail, kind, family, rp_filter):
    sources = inner_sources(mail)[family]
    assert {mail.at(family), mail.inner("smtp", family), mail.gateways[FAMILIES.index(family)]} <= sources and len(sources) >= 5, sources
    for name in mail.anchor.run(["ls", "/proc/sys/net/ipv4/conf"]).stdout.split():
        mail.anchor.set_sysctl(f"net.ipv4.conf.{name}.rp_filter", rp_filter)
    with inside(mail) as captures:
        for source in sorted(sources):
            send(lab.lanhost2, mail, *KINDS[kind](source, mail.at(family)))
        control(lab.lanhost2, mail, captures, family)
    assert because_of(captures, sources, mail.at(family)) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_wall1_a_network_that_is_connected_after_the_start_counts(lab, mail, family):
    """Docker connects it to the running anchor: from then on its addresses are inside."""
    subnet, forged = {4: ("10.28.77.0/24", "10.28.77.9"), 6: ("fd28:77::/64", "fd28:77::9")}[family]
    name = f"{mail.name}_late{family}"

    def arrives():
        with inside(mail) as captures:
            send(lab.lanhost2, mail, *KINDS["datagram"](forged, mail.at(family)))
            control(lab.lanhost2, mail, captures, family)
        return bool(captures["dns"].received(source=forged))

    v6 = ["--ipv6", "--subnet", "10.28.78.0/24"] if family == 6 else []
    mail.lab.docker("network", "create", "--internal", *v6, "--subnet", subnet, name)
    try:
        assert arrives(), "the control: an address that is nobody's"
        mail.lab.docker("network", "connect", name, mail.inspect(ANCHOR)["Id"])
        wait_until(lambda: not arrives(), 5, "the new network's addresses to be inside")
    finally:
        mail.lab.docker("network", "disconnect", "--force", name, mail.inspect(ANCHOR)["Id"], check=False)
        mail.lab.docker("network", "rm", name)


def exchange(connection, text):
    connection.sendall(text + b"\n")
    assert connection.recv(100)


@pytest.mark.parametrize("family", FAMILIES)
def test_wall4_a_segment_outside_the_window_ends_no_connection(lab, mail, family):
    own, host = mail.at(family), lab.lanhost1
    with host.capture() as capture, host, \
            socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect((own, 25))
        exchange(connection, b"one")
        exchange(connection, b"two")
        port = connection.getsockname()[1]
        sent = wait_until(lambda: [packet for packet in capture.matching(outgoing=True, destination=own, proto="tcp")
                                   if packet.payload.endswith(b"two\n")], 5, "the segment in the capture")[-1]
        sequence, acknowledged = (int.from_bytes(sent.payload[at:at + 4]) for at in (4, 8))
        send(host, mail, forge.tcp(sent.source, port, own, 25, forge.ACK | forge.PSH, sequence + FAR_AHEAD, acknowledged,
                                   b"stray"))
        exchange(connection, b"three")
    assert not capture.received(source=own, is_reset=True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("flags", (forge.FIN, 0, forge.FIN | forge.PSH | forge.URG), ids=("FIN", "NULL", "Xmas"))
def test_wall4_nat11_odd_probes_of_a_closed_port_are_reset(lab, mail, family, flags):
    host = lab.lanhost1
    with host.capture() as capture:
        send(host, mail, forge.tcp(host.addresses[FAMILIES.index(family)], 4321, mail.at(family), CLOSED, flags, 1))
        wait_until(lambda: capture.received(source=mail.at(family), is_reset=True), 2, "the reset")
