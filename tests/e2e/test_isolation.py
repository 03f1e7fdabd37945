"""Isolation and the look of one machine (NAT-10, NAT-11, NAT-16, SPEC 0): a scan from a LAN host that
routes every inner subnet to the project finds exactly what is exposed.

One running project for the whole file; nothing here changes it.
"""

import concurrent.futures
import contextlib
import socket

import pytest

from direct import ANCHOR, FAMILIES, PROXY, mail_services, service
from lab import topology
from lab.machine import wait_until

pytestmark = pytest.mark.every_engine
EXPOSED_TCP, EXPOSED_UDP = {25, 80, 53}, {443, 53}
# Everything that listens anywhere in the project, and what else a scanner would try.
INNER_PORTS = (22, 25, 53, 80, 111, 443, 2375, 2376, 5432, 8080, 8443, 9090)
UNREACHABLE = {4: b"\x03\x03", 6: b"\x01\x04"}  # ICMP port unreachable: RFC 792, RFC 4443
NEIGHBOUR_DISCOVERY = range(133, 138)  # ICMPv6 types, RFC 4861; as ICMP types they do not exist
ALL_MLD_ROUTERS = "ff02::16"  # RFC 3810, 5.2.14: every host reports its multicast groups when a link comes up
HIDDEN_SERVICES = ("smtp", "web", "dns", "database", PROXY)


@pytest.fixture(scope="module")
def mail(shared_direct):
    # Exposed, but nobody listens there: what the container's own kernel answers.
    deaf = service("deaf", expose="tcp/7700,udp/7700")
    return shared_direct(mail_services() | {"deaf": deaf}, proxy=True).ready()


class Findings:
    """What a host finds out about an address: TCP, UDP, ping, and by asking on the LAN's link."""

    def __init__(self, scanner, address):
        self.tcp = scanner.scan_tcp(address, INNER_PORTS, timeout=0.3)
        self.udp = scanner.scan_udp(address, INNER_PORTS, timeout=0.3)
        self.ping = scanner.ping(address, timeout=0.3)
        self.mac = scanner.neighbour(address, timeout=0.3) if scanner.interface else None

    def nothing(self):
        return self.tcp.silent == self.udp.silent == set(INNER_PORTS) and self.ping is self.mac is None

    def __repr__(self):
        return f"TCP {self.tcp}, UDP {self.udp}, ping {self.ping}, MAC {self.mac}"


def inner_addresses(mail):
    """(owner, network, family, address) of every address inside, the anchor's own included."""
    found = []
    for owner in (*HIDDEN_SERVICES, ANCHOR):
        for network, details in mail.inspect(owner)["NetworkSettings"]["Networks"].items():
            if network != "lan":
                found += [(owner, network, family, address) for family, address in
                          ((4, details["IPAddress"]), (6, details["GlobalIPv6Address"])) if address]
    for family, gateway in zip(FAMILIES, mail.gateways):
        found.append((ANCHOR, f"{mail.name}_transit", family, gateway))
    return found


@pytest.fixture(scope="module")
def scanner(lab, mail):
    """lanhost2 with a route to each inner subnet by the project's address."""
    networks = [mail.lab.engine.api("GET", f"/networks/{mail.name}_{name}") for name in
                ("transit", "control", "database")]
    subnets = [config["Subnet"] for network in networks for config in network["IPAM"]["Config"]]
    for subnet in subnets:
        lab.lanhost2.add_route(subnet, mail.at(6 if ":" in subnet else 4))
    assert len(subnets) == 4
    yield lab.lanhost2
    for subnet in subnets:
        lab.lanhost2.delete_route(subnet)


def test_the_scan_would_find_what_listens(mail):
    """The control of the tests below: from inside, each of the hidden ports is open."""
    for name, port in (("smtp", 25), ("web", 8080), ("dns", 53)):
        for family in FAMILIES:
            assert mail.namespace("dns").scan_tcp(mail.inner(name, family), INNER_PORTS).open == {port}
    assert mail.anchor.scan_tcp(mail.address(PROXY, "control"), INNER_PORTS).open == {2375}
    # Not exposed, so ready() has not waited for it.
    wait_until(lambda: mail.namespace("database").scan_tcp(mail.address("database", "database"), INNER_PORTS).open
               == {5432}, 10, "the database listens")
    assert mail.namespace("smtp").scan_udp(mail.inner("web"), INNER_PORTS).open == {8443}


def test_no_inner_address_answers_the_lan(lab, mail, scanner, each_bridge_filter):
    """NAT-10: TCP, UDP, ping, ARP and neighbour solicitation, over every address inside."""
    addresses = inner_addresses(mail)
    assert {owner for owner, *_ in addresses} == {*HIDDEN_SERVICES, ANCHOR}
    with scanner.capture() as capture, concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda entry: Findings(scanner, entry[-1]), addresses))
    for (owner, network, _, address), found in zip(addresses, results):
        # Not even a refusal: nothing says that there is anything.
        assert found.nothing(), (owner, network, address, found)
    assert not [packet for packet in capture.received()
                if packet.source not in (scanner.ipv4, scanner.ipv6, *lab.lanhost1.addresses)
                and packet.destination != ALL_MLD_ROUTERS
                and (packet.proto != "icmp" or packet.payload[0] not in NEIGHBOUR_DISCOVERY)]


def test_only_the_project_answers_to_its_address_on_the_link(lab, mail):
    """NAT-10: the other hand of the scan above: ARP and NS for the project's address, by its MAC."""
    anchor = mail.anchor
    links = [anchor.link_address(name) for name in
             (line.split()[0].split("@")[0] for line in anchor.run(["ip", "-br", "link"]).stdout.splitlines())]
    answers = {lab.lanhost2.neighbour(address) for address in mail.addresses}
    assert len(answers) == 1 and answers <= set(links)


def assert_exactly_the_exposed(client, address, ports):
    tcp = client.scan_tcp(address, ports)
    assert tcp.open == EXPOSED_TCP
    assert len(tcp.refused) == len(ports) - len(EXPOSED_TCP)


@pytest.mark.not_on("bookworm", "no closed port gets as far as to what is the engine's: the test below has them")
@pytest.mark.parametrize("family", FAMILIES)
def test_of_all_65535_tcp_ports_exactly_the_exposed_ones_are_open(lab, mail, family):
    """NAT-11: refused elsewhere, none silent."""
    assert_exactly_the_exposed(lab.lanhost1, mail.at(family), range(1, 65536))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_projects_address_shows_exactly_the_exposed_ports(lab, mail, each_bridge_filter, family):
    """NAT-11: open where exposed, refused elsewhere, none silent."""
    assert_exactly_the_exposed(lab.lanhost1, mail.at(family), sorted({*range(1, 1024), *INNER_PORTS, 7700, *range(32768, 33000)}))
    udp = lab.lanhost1.scan_udp(mail.at(family), (*range(1, 200), 443, 8443, 9090), timeout=0.5)
    assert udp.open == EXPOSED_UDP
    assert not udp.unreachable


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", (9999, 7700), ids=("not-exposed", "nobody-listens"))
def test_closed_ports_answer_like_a_servers(lab, mail, each_bridge_filter, family, port):
    """NAT-11, NAT-16: RST and ICMP port unreachable, at once, from the project's address, whether the
    port is not exposed or its service does not listen."""
    with lab.lanhost1.capture() as capture:
        assert lab.lanhost1.probe("tcp", mail.at(family), port, timeout=0.3) == "refused"
        wait_until(lambda: lab.lanhost1.probe("udp", mail.at(family), port, timeout=0.3) == "refused", 5,
                   "ICMP, of which a kernel sends only so many a second")
        wait_until(lambda: capture.received(icmp_type=UNREACHABLE[family]), 2, "ICMP in the capture")
    for answer in (*capture.received(is_reset=True), *capture.received(icmp_type=UNREACHABLE[family])):
        assert (answer.source, answer.ttl) == (mail.at(family), 64)
    assert capture.received(is_reset=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_ping_works_and_says_one_machine(lab, mail, each_bridge_filter, family):
    """NAT-11: from the LAN and through the router."""
    for client in (lab.lanhost1, lab.outside):
        with client.capture() as capture:
            assert client.ping(mail.at(family)) == mail.at(family)
            wait_until(lambda capture=capture: capture.received(source=mail.at(family), proto="icmp"), 2, "the reply")
        hops = 0 if client.interface == lab.lanhost1.interface else 1
        assert {packet.ttl for packet in capture.received(source=mail.at(family))} == {64 - hops}


@contextlib.contextmanager
def hop_limit(host, family, proto, limit):
    """A client's socket on a host whose packets live for so many hops."""
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with host, socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind) as client:
        if family == 4:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, limit)
        else:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, limit)
        client.settimeout(2)
        yield client


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto,port", (("tcp", 25), ("udp", 53)))
@pytest.mark.parametrize("limit", (1, 64))
def test_services_answer_as_if_they_were_on_the_link(lab, mail, family, proto, port, limit):
    """NAT-16, SPEC 0: replies leave with TTL 64, and a packet that may travel one hop arrives, as at a
    server: no hop more is to be seen."""
    with lab.lanhost1.capture() as capture, hop_limit(lab.lanhost1, family, proto, limit) as client:
        client.connect((mail.at(family), port))
        client.sendall(b"\n")
        assert client.recv(100).split()[0] in (b"smtp", b"dns")
        wait_until(lambda: capture.received(source=mail.at(family), proto=proto), 2, "the reply in the capture")
    assert {packet.ttl for packet in capture.received(source=mail.at(family), proto=proto)} == {64}
    assert not capture.received(proto="icmp", source=mail.at(family))


@pytest.mark.parametrize("origin", ("smtp", "database"))
def test_a_container_reaches_none_of_the_anchors_other_networks(mail, each_bridge_filter, origin):
    """NAT-10: the control network with the Docker API is not there for the services."""
    joined = f"{mail.name}_{'database' if origin == 'database' else 'transit'}"
    others = [entry for entry in inner_addresses(mail) if entry[1] != joined]
    source = topology.Host(mail.namespace(origin).path, interface=None)
    own = {entry[-1] for entry in inner_addresses(mail) if entry[0] == origin}
    # An internal network knows no way back: what matters is that nothing arrives there.
    with mail.namespace(PROXY).capture(interface="eth0") as at_proxy, \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda entry: Findings(source, entry[-1]), others))
    for (owner, network, _, address), found in zip(others, results):
        assert not found.tcp.open | found.tcp.refused, (owner, network, address, found)
        assert not found.udp.open | found.udp.refused, (owner, network, address, found)
        assert found.ping is None, (owner, network, address, found)
    assert not [packet for packet in at_proxy.received() if packet.source in own]


def test_the_lan_cannot_forge_an_inner_source(mail, scanner):
    """NAT-10: what claims to come from transit, but comes from the LAN, does not arrive inside."""
    forged = mail.inner("smtp")
    scanner.run(["ip", "address", "add", f"{forged}/32", "dev", scanner.interface])
    try:
        with mail.namespace("web").capture(interface="eth0") as inside, scanner.capture() as sent, scanner, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((forged, 0))
            client.settimeout(0.5)
            client.connect((mail.inner("web"), 8443))
            client.send(b"\n")
            with pytest.raises(TimeoutError):
                client.recv(100)
        assert sent.matching(outgoing=True, source=forged, proto="udp")
        assert not inside.received(source=forged)
    finally:
        scanner.run(["ip", "address", "del", f"{forged}/32", "dev", scanner.interface])
