"""The lab's DHCP servers, without anchord: what the tests of leases take for granted."""

import signal

import pytest

from lab import dhcp_messages as dhcp
from lab.dhcp import Dnsmasq, Lease, Radvd, client_identifier
from lab.host_dhcpcd import HostDhcpcd
from lab.hostile_dhcp import HostileServer
from lab.kea import Kea4, Kea6
from lab.machine import wait_until

DUID = "0004" + 16 * "5a"
COLON_DUID = bytes.fromhex(DUID).hex(":")
CLIENT = ("noipv4ll", "noipv6rs", "noarp", "nodelay", "clientid mail", "hostname mail",
          f"duid {COLON_DUID}",
          "option subnet_mask, routers", "interface lan0", "iaid 1", "ia_na 1")


@pytest.fixture(scope="module")
def segment(segments):
    return segments()


@pytest.fixture
def pools(segment):
    return (segment.v4(150), segment.v4(159)), (segment.v6("a0"), segment.v6("af"))


def lease_and_release(segment, servers):
    """A client gets both addresses, which are returned; the tables show it, its releases empty them and are seen."""
    with HostDhcpcd(segment, "client", CLIENT) as client, segment.server.capture() as capture:
        wait_until(lambda: {lease.client for server in servers for lease in server.leases()}
                   == {client_identifier("mail"), DUID}, 10, "two leases")
        leases = {lease.client: lease for server in servers for lease in server.leases()}
        assert {lease.hostname for lease in leases.values()} == {"mail"}
        client.wait_logged("BOUND6")
        wait_until(lambda: all(f" {lease.address}/" in segment.client.run(["ip", "address", "show", "lan0"]).stdout
                               for lease in leases.values()), 10, "both addresses at the client")
        client.end(signal.SIGALRM)
        given_up = [lease.address for lease in (leases[client_identifier("mail")], leases[DUID])]
        wait_until(lambda: not [lease for server in servers for lease in server.leases()], 5, "empty lease tables")
    assert [address for _, address in dhcp.releases4(capture.packets)] == given_up[:1]
    assert len(dhcp.releases6(capture.packets)) == 1
    return given_up


def test_dnsmasq_leases_both_protocols_and_knows_a_reservation(segment, pools):
    hosts = (f"id:mail,{segment.v4(200)}", f"id:{COLON_DUID},[{segment.v6('b0')}]")
    with Dnsmasq(segment, *pools, hosts=hosts) as server:
        assert lease_and_release(segment, [server]) == [segment.v4(200), segment.v6("b0")]
        assert server.acknowledged(segment.v4(200)) == 1
        assert sorted(server.releases()) == sorted([segment.v4(200), DUID])


def test_kea_leases_both_protocols_and_knows_a_reservation(segment, pools):
    address4, address6 = segment.v4(200), segment.v6("b0")
    with Kea4(segment, pools[0], lifetime=9,
              reservations=[{"client-id": client_identifier("mail"), "ip-address": address4}]) as kea4, \
            Kea6(segment, pools[1], lifetime=9, reservations=[{"duid": DUID, "ip-addresses": [address6]}]) as kea6:
        lease_and_release(segment, [kea4, kea6])
        assert (kea4.releases(), kea6.releases()) == ([address4], [address6])


def test_a_segment_has_its_own_advertisements(segment, lab):
    """Its hosts keep their addresses, and the LAN of the other tests hears nothing."""
    before = segment.client.run(["ip", "-6", "address"]).stdout
    with Radvd(segment), segment.server.capture() as here, lab.lanhost1.capture() as elsewhere:
        wait_until(lambda: [packet for packet in here.received(proto="icmp") if packet.icmp_type == b"\x86\0"], 6,
                   "a router advertisement")
    assert not [packet for packet in elsewhere.received(proto="icmp") if packet.icmp_type == b"\x86\0"]
    assert segment.client.run(["ip", "-6", "address"]).stdout == before


def test_the_hostile_server_says_what_it_is_told(segment):
    options = [(dhcp.SERVER, dhcp.addresses(segment.server.ipv4)), (dhcp.LEASE_TIME, dhcp.seconds(600)),
               (dhcp.MASK, dhcp.addresses("255.255.255.0"))]
    with HostileServer(segment, lambda request, kind: (segment.v4(166), options)) as server, \
            HostDhcpcd(segment, "client", CLIENT) as client:
        client.wait_logged(f"leased {segment.v4(166)} for 600 seconds")
        assert server.requests[0].options[dhcp.CLIENT].hex() == client_identifier("mail")
        assert server.requests[0].options[dhcp.HOSTNAME] == b"mail"


def test_lease_tables_are_read_as_they_are_written(segment):
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(159)))
    server.leases_path.write_text("1 02:00:00:00:00:01 10.98.1.7 mail 00:6d:61:69:6c\n"
                                  "duid 00:01:00:01\n2 7 2001:db8::1 * 00:04:5a\n")
    assert server.leases() == [Lease("10.98.1.7", "mail", "006d61696c"), Lease("2001:db8::1", "*", "00045a", "7")]
