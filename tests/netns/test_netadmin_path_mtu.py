"""What fits the path and what is said about what does not: segment sizes (NAT-12), ICMP errors both ways (NAT-11)."""

import errno
import ipaddress
import re
import socket
import struct

import pytest

import messages
from advertisements_lab import Router, accept_advertisements
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, ONE4, ONE6, ask_tcp, family_of, wait_until
from segment_sizes import SegmentSizes

SMALL_MTU = 1400
BEYOND = {4: "192.0.2.9", 6: "2001:db8:77::9"}
HEADERS = {4: 40, 6: 60}  # of IP and TCP without options
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR = 10, 2, 11  # linux/in.h, linux/in6.h
IPV6_MTU_DISCOVER, IPV6_RECVERR = 23, 25
CLAMP = "tcp flags syn / syn,rst tcp option maxseg size set rt mtu"

both_families = pytest.mark.parametrize("family", [4, 6])
OUTSIDE = {4: CLIENT4, 6: CLIENT6}
OWN = {4: LAN4, 6: LAN6}
INSIDE = {4: ONE4, 6: ONE6}


@pytest.fixture
def narrow_inside(lab):
    """The shared network's MTU is the smaller one, for the anchor alone: its containers know nothing of it."""
    lab.anchor.run("ip", "link", "set", "shared0", "mtu", str(SMALL_MTU))
    return started(lab)


@pytest.fixture
def narrow_outside(lab):
    lab.anchor.run("ip", "link", "set", "ext0", "mtu", str(SMALL_MTU))
    return started(lab)


def started(lab):
    netadmin = lab.start()
    for address in (ONE4, ONE6):
        for protocol in ("tcp", "udp"):
            lab.serve(lab.one, "one", protocol, 8080, address)
    netadmin.expose(*(messages.exposure(protocol, 80, address, 8080) for protocol in ("tcp", "udp")
                      for address in (ONE4, ONE6)))
    return lab


@both_families
def test_nat12_segments_fit_a_narrow_shared_network(narrow_inside, family):
    """Both ends hear of it: the container by the client's SYN, the client by the answer."""
    lab = narrow_inside
    inside, outside = SegmentSizes(lab.one), SegmentSizes(lab.client)
    assert ask_tcp(lab.client, OWN[family], 80)[0] == "one"
    assert inside.next() == outside.next() == SMALL_MTU - HEADERS[family]


@both_families
def test_nat12_segments_fit_a_narrow_lan(narrow_outside, family):
    lab = narrow_outside
    lab.serve(lab.client, "outside", "tcp", 7000, OUTSIDE[family])
    inside, outside = SegmentSizes(lab.one), SegmentSizes(lab.client)
    assert ask_tcp(lab.one, OUTSIDE[family], 7000)[0] == "outside"
    assert inside.next() == outside.next() == SMALL_MTU - HEADERS[family]


def sizes(lab, family):
    """What the container hears of the client's segments, and the client of the container's, by a new connection."""
    inside, outside = SegmentSizes(lab.one), SegmentSizes(lab.client)
    assert ask_tcp(lab.client, OWN[family], 80)[0] == "one"
    return inside.next(), outside.next()


@both_families
def test_nat12_nothing_is_clamped_between_equal_networks(lab, family):
    """And the MTUs are followed."""
    started(lab)
    assert sizes(lab, family) == (1500 - HEADERS[family],) * 2
    lab.anchor.run("ip", "link", "set", "shared0", "mtu", str(SMALL_MTU))
    assert sizes(lab, family) == (SMALL_MTU - HEADERS[family],) * 2
    lab.anchor.run("ip", "link", "set", "shared0", "mtu", "1500")
    assert sizes(lab, family) == (1500 - HEADERS[family],) * 2


@both_families
def test_nat12_a_route_has_an_mtu_of_its_own(lab, family):
    """The one to the client, in the main table."""
    started(lab)
    lab.anchor.run("ip", f"-{family}", "route", "add", f"{OUTSIDE[family]}/{32 if family == 4 else 128}", "dev", "ext0",
                   "mtu", str(SMALL_MTU))
    assert sizes(lab, family) == (SMALL_MTU - HEADERS[family],) * 2


def test_nat12_the_mtu_of_a_router_advertisement_counts_and_is_followed(lab, tmp_path):
    """As a plain host: the kernel keeps it for the link, and forgets it no more (RFC 4861 §6.3.4); IPv4 does not change."""
    accept_advertisements(lab)
    started(lab)
    for mtu in (SMALL_MTU, 1300, 1500):
        router = Router(lab, tmp_path, "fe80::a1", lifetime=1800, mtu=mtu)
        wait_until(lambda: sizes(lab, 6) == (mtu - HEADERS[6],) * 2, f"segments that fit {mtu}", 10)
        assert sizes(lab, 4) == (1500 - HEADERS[4],) * 2
        router.kill()


def test_nat12_the_rule_is_what_nft_would_load(narrow_inside):
    """What our words encode is byte for byte what nft makes of its own listing."""
    lab = narrow_inside
    lab.nft(f"table ip copy {{ chain forward {{ {CLAMP}; }}; }}")

    def encoded(table):
        """The chain's rules, each a list of its statements."""
        text = lab.anchor.run("nft", "--debug=netlink", "list", "chain", "ip", table, "forward")
        return [[line.strip() for line in rule.splitlines() if line.startswith("  [")]
                for rule in re.split(f"^ip {table} forward.*$", text, flags=re.MULTILINE)[1:]]

    (rule,) = encoded("copy")
    assert len(rule) == 8
    assert rule in encoded("anchord_v4")


def test_nat12_anchord_ruleset_prints_it_as_nft_does(narrow_inside, build):
    ours = narrow_inside.anchor.run(build / "workers" / "commands" / "ruleset" / "anchord-ruleset")
    assert ours.count(f"{CLAMP} comment \"segments fit the path\"") == narrow_inside.ruleset().count(CLAMP) == 2


class Errors:
    """A UDP socket that may not fragment, and the ICMP errors that come for what it sent."""

    def __init__(self, namespace, address, port):
        self.is_v6 = ":" in address
        self.socket = namespace.socket(family_of(address), socket.SOCK_DGRAM)
        self.level = socket.IPPROTO_IPV6 if self.is_v6 else socket.IPPROTO_IP
        self.socket.setsockopt(self.level, IPV6_MTU_DISCOVER if self.is_v6 else IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        self.socket.setsockopt(self.level, IPV6_RECVERR if self.is_v6 else IP_RECVERR, 1)
        self.socket.connect((address, port))

    def receive(self):
        """(errno, path MTU or 0, who said it); only errors whose quoted packet fits this socket get here."""
        def read():
            try:
                return self.socket.recvmsg(2048, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None

        _, ancillary, _, _ = wait_until(read, "an ICMP error")
        data = next(data for level, _, data in ancillary if level == self.level)
        number, _, _, _, _, information, _ = struct.unpack_from("=IBBBBII", data)
        offset, length = (16 + 8, 16) if self.is_v6 else (16 + 4, 4)
        return number, information, str(ipaddress.ip_address(data[offset:offset + length]))


@both_families
def test_nat11_too_big_inbound_is_said_by_the_project(narrow_inside, family):
    """What does not fit the shared network: the client hears of the path's MTU, from the address that it knows."""
    sender = Errors(narrow_inside.client, OWN[family], 80)
    sender.socket.send(bytes(SMALL_MTU))
    assert sender.receive() == (errno.EMSGSIZE, SMALL_MTU, OWN[family])


@both_families
def test_nat11_too_big_from_beyond_reaches_the_container(lab, family):
    """A router on the LAN says so about a translated packet: the container hears it about its own."""
    started(lab)
    lab.client.sysctl("ipv4/ip_forward", 1)
    lab.client.sysctl("ipv6/conf/all/forwarding", 1)
    lab.cable(lab.client, "narrow", lab.other, "narrow")
    lab.client.run("ip", "link", "set", "narrow", "mtu", str(SMALL_MTU))
    lab.client.run("ip", f"-{family}", "route", "add", BEYOND[family], "dev", "narrow")
    lab.anchor.run("ip", f"-{family}", "route", "add", BEYOND[family], "via", OUTSIDE[family])
    sender = Errors(lab.one, BEYOND[family], 7000)
    sender.socket.send(bytes(SMALL_MTU))
    assert sender.receive() == (errno.EMSGSIZE, SMALL_MTU, OUTSIDE[family])


@both_families
def test_nat11_a_closed_port_inside_is_the_projects(lab, family):
    started(lab).netadmin.expose(messages.exposure("udp", 53, INSIDE[family], 5353))
    sender = Errors(lab.client, OWN[family], 53)
    sender.socket.send(b"?")
    assert sender.receive() == (errno.ECONNREFUSED, 0, OWN[family])


@both_families
def test_nat11_a_closed_port_outside_reaches_the_container(lab, family):
    started(lab)
    sender = Errors(lab.one, OUTSIDE[family], 7777)
    sender.socket.send(b"?")
    assert sender.receive() == (errno.ECONNREFUSED, 0, OUTSIDE[family])
