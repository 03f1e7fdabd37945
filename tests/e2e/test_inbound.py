"""Inbound (NAT-1, NAT-2, NAT-5, NAT-9): one address, the port decides which container answers, and
that container sees who really asks.

One running project for the whole file, on hosts with and without filtered bridges.
"""

import itertools

import pytest

from direct import FAMILIES, mail_services, service

pytestmark = pytest.mark.every_engine
_source_ports = itertools.count(21000)  # below the ephemeral ones, which may be taken
# (proto, port of the project's address, service, port in the container)
EXPOSED = (("tcp", 25, "smtp", 25), ("tcp", 80, "web", 8080), ("udp", 443, "web", 8443),
           ("tcp", 53, "dns", 53), ("udp", 53, "dns", 53))


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services() | {
        "ftp": service("ftp", tcp="9000-9010", expose="tcp/8000-8010:9000-9010")}).ready()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto,port,name,inner_port", EXPOSED)
def test_service_sees_the_clients_real_address_and_port(lab, mail, each_bridge_filter, family, proto,
                                                        port, name, inner_port):
    """NAT-1, NAT-2: the right container, no masquerade on the way in."""
    for client in (lab.lanhost1, lab.lanhost2, lab.outside):
        client_address, source_port = client.addresses[FAMILIES.index(family)], next(_source_ports)
        answer = client.probe(proto, mail.at(family), port, source_port=source_port)
        assert answer == f"{name} {client_address} {source_port}"
        mail.wait_logged(name, f"{name} {proto}/{inner_port} "
                               f"{'connect' if proto == 'tcp' else 'datagram'} {client_address} {source_port}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_connection_carries_data_both_ways(lab, mail, each_bridge_filter, family):
    """NAT-1: more than one segment, also with filtered bridges."""
    with lab.lanhost1.connect(mail.at(family), 80) as connection:
        for line in ("EHLO client", "x" * 60000, "QUIT"):
            assert connection.exchange(line) == line


@pytest.mark.parametrize("family", FAMILIES)
def test_a_range_of_ports_is_shifted_port_by_port(lab, mail, family):
    """NAT-5: tcp/8000-8010:9000-9010, each port to its own partner."""
    client_address = lab.lanhost1.addresses[FAMILIES.index(family)]
    backend = mail.inner("ftp", family)
    elements = mail.elements(family, "tcp")
    for port in range(8000, 8011):
        assert elements[port] == f"{backend} {port + 1000}"
        source_port = next(_source_ports)
        lab.lanhost1.probe("tcp", mail.at(family), port, source_port=source_port)
        mail.wait_logged("ftp", f"ftp tcp/{port + 1000} connect {client_address} {source_port}")
    assert lab.lanhost1.probe("tcp", mail.at(family), 7999) == "refused"
    assert lab.lanhost1.probe("tcp", mail.at(family), 8011) == "refused"


def test_inner_addresses_are_not_translated(mail):
    """NAT-9: ports of the map mean the external address only, neither loopback nor transit."""
    anchor = mail.anchor
    for address in ("127.0.0.1", "::1", *mail.gateways):
        assert anchor.probe("tcp", address, 25) == "refused"
    for gateway in mail.gateways:
        answer = mail.namespace("smtp").probe("tcp", gateway, 53, timeout=0.5)
        assert answer in ("refused", "timeout", "unreachable")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ruleset_shows_a_person_what_is_going_on(mail, family):
    """SPEC 3: maps dnat_tcp and dnat_udp from port to address and port, in two tables of ours."""
    assert mail.elements(family, "tcp") == {
        25: f"{mail.inner('smtp', family)} 25", 80: f"{mail.inner('web', family)} 8080",
        53: f"{mail.inner('dns', family)} 53",
        **{port: f"{mail.inner('ftp', family)} {port + 1000}" for port in range(8000, 8011)}}
    assert mail.elements(family, "udp") == {
        443: f"{mail.inner('web', family)} 8443", 53: f"{mail.inner('dns', family)} 53"}
    tables = mail.anchor.run(["nft", "list", "tables"]).stdout
    assert "table ip anchord_v4\n" in tables and "table ip6 anchord_v6\n" in tables
