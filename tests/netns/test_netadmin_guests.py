"""GUEST-1 and GUEST-3 at the kernel: who is on a port's list comes in and nobody else, and nobody more often than said.

The client has addresses on the list and beside it; `one` is a container behind the port.
"""

import errno
import ipaddress
import re
import socket
import struct
import threading

import pytest

import messages
from netadmin_lab import (CLIENT4, CLIENT6, LAN4, LAN6, ONE4, ONE6, TWO4, TWO6, ask_again, family_of, flow_to, outcome,
                          wait_logged, wait_until)
from table_layout import EVAL, LIMIT_TYPE, TIMEOUT, leave_set

FAMILIES = [pytest.param(LAN4, ONE4, CLIENT4, "10.99.0.77", id="v4"),
            pytest.param(LAN6, ONE6, CLIENT6, "2001:db8:99::77", id="v6")]
EVERYBODY = "10.99.0.0/24", "2001:db8:99::/64"
LISTED = """	set listed {
		type inet_proto . inet_service
		flags interval
		elements = { tcp . 80-81,
			     udp . 80 }
	}
"""
ALLOWED = """	set allowed {
		type inet_proto . inet_service . ipv4_addr
		flags interval
		elements = { tcp . 80-81 . 10.0.0.0/8,
			     udp . 80 . 10.99.0.9 }
	}
"""
LIMIT = """	set limit_tcp_22_10_minute_5 {
		type ipv4_addr
		size 65536
		flags dynamic,timeout
		timeout 31s
	}
"""
RULES = [
    'iifname != "shared0" ip daddr @external meta l4proto . th dport @listed meta l4proto . th dport . ip saddr != @allowed '
    'counter name "refused_list" ct mark set ct mark | 0x00400000 accept comment "not on the port\'s list"',
    'iifname != "shared0" ip daddr @external tcp dport 22 update @limit_tcp_22_10_minute_5 { ip saddr limit rate 10/minute } '
    'dnat ip to tcp dport map @dnat_tcp comment "within the port\'s limit"',
    'iifname != "shared0" ip daddr @external tcp dport 22 counter name "refused_limit" ct mark set ct mark | 0x00400000 accept '
    'comment "above the port\'s limit"',
    'ip daddr @external dnat ip to tcp dport map @dnat_tcp comment "exposed tcp ports"',
]
RULE6 = ('iifname != "shared0" ip6 daddr @external tcp dport 22 update @limit_tcp_22_10_minute_5 '
         '{ ip6 saddr & ffff:ffff:ffff:ffff:: limit rate 10/minute } dnat ip6 to tcp dport map @dnat_tcp')
ENDED = ('ct mark & 0x00400000 != 0x00000000 reject with tcp reset comment "connections that a list ended"',
         'ct mark & 0x00400000 != 0x00000000 drop comment "flows that a list ended"',
         'iifname "shared0" oifname != "shared0" ct state new tcp flags ack reject with tcp reset '
         'comment "no connection begins in its middle"')


def exposed(protocol="tcp", port=80):
    return [messages.exposure(protocol, port, backend, 8080) for backend in (ONE4, ONE6)]


def serve(lab, *protocols):
    for protocol in protocols:
        for namespace, name, address in ((lab.one, "one", ONE4), (lab.one, "one", ONE6)):
            lab.serve(namespace, name, protocol, 8080, address)


def addresses(lab, *texts):
    for text in texts:
        lab.client.run("ip", "address", "add", f"{text}/{64 if ':' in text else 24}", "dev", "eth0",
                       *(["nodad"] if ":" in text else []))


def from_source(lab, source, protocol, address, port):
    """As outcome(), from one of the client's addresses."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with lab.client.socket(family_of(address), kind) as connection:
        connection.bind((source, 0))
        try:
            connection.connect((address, port))
            connection.send(b"?")
            return connection.recv(100).decode().split()[0]
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "silence"


def test_guest1_what_a_person_reads_of_lists_and_limits(lab):
    netadmin = lab.start()
    without = lab.ruleset()
    netadmin.expose(*exposed(), *exposed(port=22), guests=[
        *messages.allow("tcp", (80, 81), "10.0.0.0/8", "2001:db8::/32"), *messages.allow("udp", 80, f"{CLIENT4}/32"),
        *messages.limit("tcp", 22, 10, per_minute=True)])
    text = lab.anchor.run("nft", "-s", "list", "table", "ip", "anchord_v4")
    for part in (LISTED, ALLOWED, LIMIT):
        assert part in text, text
    nat = [line.strip() for line in text.split("chain prerouting_nat")[1].split("}\n\n")[0].splitlines()][2:]
    assert [line for line in nat if "banned" not in line][:4] == RULES, "\n".join(nat)
    assert all(rule in text for rule in ENDED), text
    assert RULE6 in lab.anchor.run("nft", "list", "table", "ip6", "anchord_v6")
    # Who has no list has nothing of all that.
    netadmin.expose()
    assert lab.ruleset() == without


@pytest.mark.parametrize("address, one, client, stranger", FAMILIES)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_guest1_only_who_is_on_the_list(lab, protocol, address, one, client, stranger):
    """A refused client has exactly the closed port's answer; other ports, containers and the anchor itself are exempt."""
    addresses(lab, "10.99.0.77", "2001:db8:99::77")
    serve(lab, protocol)
    netadmin = lab.start()
    netadmin.expose(*exposed(protocol), *exposed(protocol, 81), *exposed(protocol, 8005),
                    guests=[*messages.allow(protocol, 80, f"{CLIENT4}/32", f"{CLIENT6}/128"),
                            *messages.allow(protocol, (8000, 8010), "10.99.0.64/26", "2001:db8:99::40/122")])
    assert from_source(lab, client, protocol, address, 80) == "one"
    assert from_source(lab, stranger, protocol, address, 80) == "refused"
    assert from_source(lab, client, protocol, address, 8005) == "refused"
    assert from_source(lab, stranger, protocol, address, 8005) == "one"
    assert from_source(lab, stranger, protocol, address, 81) == "one"
    assert outcome(lab.two, protocol, address, 80) == "one"
    assert outcome(lab.anchor, protocol, address, 80) == "one"
    # A list without a source of a family lets nobody of it in; a list that goes lets in everybody.
    netadmin.expose(*exposed(protocol), guests=messages.allow(protocol, 80, "192.0.2.0/24"))
    assert from_source(lab, client, protocol, address, 80) == "refused"
    netadmin.expose(*exposed(protocol))
    assert from_source(lab, stranger, protocol, address, 80) == "one"


def test_guest1_everybody_of_one_family(lab):
    serve(lab, "tcp")
    netadmin = lab.start()
    netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, "0.0.0.0/0"))
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    assert outcome(lab.client, "tcp", LAN6, 80) == "refused"


class Chatterbox:
    """A backend that goes on sending whatever it was told, to whom it heard of."""

    def __init__(self, lab, protocol, address):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        self.socket = lab.one.socket(family_of(address), kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 8080))
        self.ended = threading.Event()
        self.failed = threading.Event()
        self.may_end = threading.Event()
        lab.closing.callback(self.may_end.set)
        if protocol == "tcp":
            self.socket.listen()
        threading.Thread(target=self.serve, args=(protocol,), daemon=True).start()

    def serve(self, protocol):
        try:
            if protocol == "tcp":
                connection, _ = self.socket.accept()
                send = connection.send
            else:
                _, peer = self.socket.recvfrom(100)
                send = lambda data: self.socket.sendto(data, peer)
            while not self.may_end.wait(0.02):
                send(b"and more")
        except OSError:
            self.failed.set()


@pytest.mark.parametrize("address, one, client, stranger", FAMILIES)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_guest1_a_tightened_list_ends_what_is_open(lab, protocol, address, one, client, stranger):
    """In both directions, although the backend goes on sending; and what the list still allows goes on."""
    addresses(lab, "10.99.0.77", "2001:db8:99::77")
    backend = Chatterbox(lab, protocol, one)
    other = lab.serve(lab.two, "two", protocol, 8080, TWO6 if ":" in one else TWO4)
    assert other
    netadmin = lab.start()
    ports = [*exposed(protocol), messages.exposure(protocol, 81, TWO6 if ":" in one else TWO4, 8080)]
    netadmin.expose(*ports, guests=messages.allow(protocol, (80, 81), *EVERYBODY))
    flow = lab.client.socket(family_of(address), socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    lab.closing.callback(flow.close)
    flow.bind((client, 0))
    flow.connect((address, 80))
    if protocol == "udp":
        flow.send(b"?")
    assert flow.recv(100)
    kept, name = flow_to(lab, protocol, address, 81)
    assert name == "two"
    applied = netadmin.expose(*ports, guests=[*messages.allow(protocol, 80, f"{stranger}/{128 if ':' in one else 32}"),
                                              *messages.allow(protocol, 81, *EVERYBODY)])
    assert sum(applied.flushed.values()) == 1
    if protocol == "tcp":
        assert backend.failed.wait(5), "the backend's connection is still open"
        with pytest.raises(ConnectionResetError):
            while True:
                flow.send(b"?")
                flow.recv(100)
    else:
        flow.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            while True:
                flow.send(b"?")
                for _ in range(20):
                    flow.recv(100)
    kept.send(b"?")
    assert kept.recv(100)
    # Allowed again: the same flow, which a UDP client cannot begin anew, is let through.
    netadmin.expose(*ports, guests=messages.allow(protocol, (80, 81), *EVERYBODY))
    if protocol == "udp":
        def talks():
            flow.send(b"?")
            try:
                return flow.recv(100)
            except (TimeoutError, ConnectionRefusedError):
                return None
        assert wait_until(talks, "an answer")


@pytest.mark.parametrize("address, one, client, stranger", FAMILIES)
def test_guest1_nobody_makes_an_ended_connection_an_egress_one(lab, address, one, client, stranger):
    """With the client's reset and a SYN conntrack forgets that a list ended the flow; the backend, which heard of neither, is
    heard by nobody, and is reset. What really begins inside goes out."""
    def from_one_port():
        flow = lab.client.socket(family_of(address), socket.SOCK_STREAM)
        lab.closing.callback(flow.close)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        flow.bind((client, 4000))
        flow.connect((address, 80))
        return flow

    listener = lab.one.socket(family_of(address), socket.SOCK_STREAM)
    lab.closing.callback(listener.close)
    listener.bind((one, 8080))
    listener.listen()
    netadmin = lab.start()
    netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, *EVERYBODY))
    flow = from_one_port()
    backend, _ = listener.accept()
    lab.closing.callback(backend.close)
    backend.settimeout(5)
    applied = netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, f"{stranger}/{128 if ':' in one else 32}"))
    assert sum(applied.flushed.values()) == 1
    flow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    flow.close()
    with pytest.raises(ConnectionRefusedError):
        from_one_port()
    with lab.client.socket(family_of(address), socket.SOCK_RAW, socket.IPPROTO_TCP) as everything:
        backend.send(b"for the listed alone")
        with pytest.raises(ConnectionResetError):
            backend.recv(1)
        everything.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while b"for the listed alone" not in (packet := everything.recv(2000)):
                pass
            pytest.fail(f"the client heard {packet}")
    lab.serve(lab.client, "outside", "tcp", 9000, client)
    assert outcome(lab.two, "tcp", client, 9000) == "outside"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address, one, client, stranger", FAMILIES)
def test_guest1_a_tightened_list_ends_what_came_through_two_ports(lab, protocol, address, one, client, stranger):
    """From one port of the client's to one backend, so that the kernel changes the second flow's source port. A container's
    own way to the same port goes on."""
    serve(lab, protocol)
    netadmin = lab.start()
    ports = [*exposed(protocol), *exposed(protocol, 81)]
    netadmin.expose(*ports, guests=messages.allow(protocol, (80, 81), *EVERYBODY))
    inside, _ = flow_to(lab, protocol, address, 80, lab.two)
    for port in (80, 81):
        flow = lab.client.socket(family_of(address), socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        lab.closing.callback(flow.close)
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        flow.bind((client, 4000))
        flow.connect((address, port))
        flow.send(b"?")
        assert flow.recv(100)
    applied = netadmin.expose(*ports, guests=messages.allow(protocol, (80, 81), f"{stranger}/{128 if ':' in one else 32}"))
    assert sum(applied.flushed.values()) == 2
    assert ask_again(inside) == ("?" if protocol == "tcp" else "one")


def refusing(lab, build, what):
    lab.environment = {"REFUSE_NETLINK": what, "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    return lab.start()


def test_guest1_a_kernel_without_lists_exposes_no_port_that_has_one(lab, build):
    """Below Linux 5.6 it refuses such sets. The ports without a list answer, and it is said."""
    netadmin = refusing(lab, build, "allowed EINVAL 100000")
    serve(lab, "tcp")
    netadmin.expose(*exposed(), *exposed(port=81), guests=messages.allow("tcp", 80, *EVERYBODY))
    wait_logged(netadmin, "the kernel has no lists of sources (Linux 5.6 has): a port with a list is not exposed")
    for address in (LAN4, LAN6):
        assert outcome(lab.client, "tcp", address, 80) == "refused"
        assert outcome(lab.client, "tcp", address, 81) == "one"


def test_guest1_a_list_that_the_kernel_could_not_take_leaves_all_as_it_was(lab, build):
    """The state is refused whole and said, what was exposed stays so, and the state is there as soon as the kernel can."""
    netadmin = refusing(lab, build, "allowed ENOMEM 1 2")  # two are the trials at the start
    serve(lab, "tcp")
    netadmin.expose(*exposed(port=81))
    before = lab.ruleset()
    applied = netadmin.apply(*exposed(port=82), *exposed(), guests=messages.allow("tcp", 80, "10.99.0.77/32"))
    assert applied.error == -errno.ENOMEM and lab.ruleset() == before
    wait_logged(netadmin, "cannot apply the ruleset, retrying", err="Cannot allocate memory")
    assert outcome(lab.client, "tcp", LAN4, 81) == "one"
    wait_until(lambda: outcome(lab.client, "tcp", LAN4, 82) == "one", "the state after all")
    assert outcome(lab.client, "tcp", LAN4, 80) == "refused"
    wait_logged(netadmin, "ruleset applied again")


def contents(lab):
    """The ruleset without what passes by itself; a set that is made anew stands last."""
    return sorted(re.sub(r" expires \w+", "", lab.ruleset()).splitlines())


def elements(lab, name, table=("ip", "anchord_v4")):
    return lab.anchor.run("nft", "list", "set", *table, name)


STATE = [*messages.allow("tcp", 80, f"{CLIENT4}/32", f"{CLIENT6}/128"), *messages.limit("tcp", 22, 1, per_minute=True, burst=1)]
EDITS = ["add element ip anchord_v4 allowed { tcp . 80 . 10.99.0.77 }",
         "delete element ip anchord_v4 allowed { tcp . 80 . 10.99.0.9 }",
         "flush set ip6 anchord_v6 listed",
         "flush chain ip anchord_v4 prerouting_nat",
         "flush chain ip anchord_v4 prerouting_nat\ndelete set ip anchord_v4 allowed",
         "flush chain ip anchord_v4 prerouting_nat\ndelete set ip anchord_v4 allowed\n"
         "add set ip anchord_v4 allowed { type ipv4_addr; }",
         "flush chain ip6 anchord_v6 prerouting_nat\ndelete set ip6 anchord_v6 limit_tcp_22_1_minute_1",
         "add element ip anchord_v4 allowed { tcp . 80 . 10.99.0.10-10.99.0.17 }",
         # Elements of another kind than ours, that speak for every key or have no end.
         "add element ip anchord_v4 allowed { * }", "add element ip anchord_v4 listed { * }",
         "add element ip anchord_v4 external { * }", f"add element ip anchord_v4 dnat_tcp {{ * : {ONE4} . 8080 }}",
         "delete table ip anchord_v4\ndelete table ip6 anchord_v6"]


@pytest.mark.parametrize("edit", EDITS)
def test_nat15_lists_and_limits_are_repaired(lab, edit):
    netadmin = lab.start()
    netadmin.expose(*exposed(), *exposed(port=22), guests=STATE)
    before = contents(lab)
    lab.nft(edit)
    wait_until(lambda: contents(lab) == before, "repair")
    wait_logged(netadmin, "ruleset repaired")


def test_nat15_a_limit_that_allows_nothing_is_nobodys(lab):
    """It is not adopted: a successor would divide by it."""
    name = "limit_tcp_22_0_minute_5"
    limit, = messages.limit("tcp", 22, 0, per_minute=True)
    leave_set(lab, "ip", struct.pack("=BB", LIMIT_TYPE, len(limit)) + limit, name, TIMEOUT | EVAL)
    lab.start().expose(*exposed(), guests=STATE)
    assert name not in lab.ruleset()


def test_keep1_a_successor_adopts_lists_and_limits(lab):
    """As after a crash, before any watcher has said a word; then the same state changes nothing, another one does."""
    addresses(lab, "10.99.0.77")
    serve(lab, "tcp")
    lab.start().expose(*exposed(), *exposed(port=22), guests=STATE)
    assert from_source(lab, CLIENT4, "tcp", LAN4, 22) == "one"
    before = contents(lab)
    lab.netadmin.kill()
    successor = lab.start()
    assert contents(lab) == before
    assert from_source(lab, "10.99.0.77", "tcp", LAN4, 80) == "refused"
    assert from_source(lab, CLIENT4, "tcp", LAN4, 80) == "one"
    assert from_source(lab, CLIENT4, "tcp", LAN4, 22) == "refused"  # counted before
    successor.expose(*exposed(), *exposed(port=22), guests=STATE)
    assert contents(lab) == before
    successor.expose(*exposed(), guests=messages.allow("tcp", 80, "10.99.0.77/32"))
    assert from_source(lab, CLIENT4, "tcp", LAN4, 80) == "refused"
    assert from_source(lab, "10.99.0.77", "tcp", LAN4, 80) == "one"
    assert "limit_tcp" not in lab.ruleset()


@pytest.mark.parametrize("address, one, client, stranger", FAMILIES)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_guest3_a_source_comes_no_more_often(lab, protocol, address, one, client, stranger):
    """Another source has a count of its own, a v6 one with its /64; the project's containers are exempt."""
    addresses(lab, "10.99.0.77", "2001:db8:99::77")
    lab.client.run("ip", "address", "add", "2001:db8:98::9/64", "dev", "eth0", "nodad")
    lab.anchor.run("ip", "-6", "route", "add", "2001:db8:98::/64", "dev", "ext0")
    serve(lab, protocol)
    netadmin = lab.start()
    netadmin.expose(*exposed(protocol), guests=messages.limit(protocol, 80, 1, per_minute=True, burst=3))
    answers = [from_source(lab, client, protocol, address, 80) for _ in range(6)]
    assert answers == ["one"] * 3 + ["refused"] * 3
    if ":" in one:
        assert from_source(lab, stranger, protocol, address, 80) == "refused"
        stranger = "2001:db8:98::9"
    assert from_source(lab, stranger, protocol, address, 80) == "one"
    assert outcome(lab.two, protocol, address, 80) == "one"
    for _ in range(5):
        assert outcome(lab.two, protocol, address, 80) == "one"


def test_guest3_a_thousand_sources_have_a_count_each(lab):
    sources = [str(ipaddress.ip_address("10.98.0.0") + number) for number in range(1, 1001)]
    lab.client.run("ip", "-batch", "-", input="".join(f"address add {source}/32 dev eth0\n" for source in sources))
    lab.anchor.run("ip", "route", "add", "10.98.0.0/22", "dev", "ext0")
    backend = lab.one.socket(socket.AF_INET, socket.SOCK_DGRAM)
    backend.bind((ONE4, 8080))
    backend.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    netadmin = lab.start()
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080), guests=messages.limit("udp", 80, 1, per_minute=True, burst=1))

    def arrived(port):
        """Of one datagram from each source; the last comes from a container, which no limit counts."""
        for source in sources:
            with lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
                flow.bind((source, port))
                flow.sendto(b"?", (LAN4, 80))
        with lab.two.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"the last", (LAN4, 80))
        seen = set()
        while (heard := backend.recvfrom(100))[0] != b"the last":
            seen.add(heard[1][0])
        return len(seen)

    assert arrived(4001) == 1000
    assert arrived(4002) == 0
    assert len(re.findall(r"10\.98\.", elements(lab, "limit_udp_80_1_minute_1"))) == 1000


def test_guest3_a_full_set_refuses_whoever_is_new(lab):
    """The set is filled by hand: 65,536 sources that have come."""
    serve(lab, "tcp")
    netadmin = lab.start()
    netadmin.expose(*exposed(), guests=messages.limit("tcp", 80, 1, per_minute=True, burst=65535))
    name = "limit_tcp_80_1_minute_65535"
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    first = int(ipaddress.ip_address("198.18.0.0"))
    for part in range(0, 65535, 8191):
        texts = ",".join(f"{ipaddress.ip_address(first + number)} limit rate 1/minute burst 65535 packets"
                         for number in range(part, min(part + 8191, 65535)))
        lab.nft(f"add element ip anchord_v4 {name} {{ {texts} }}")
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    addresses(lab, "10.99.0.77")
    assert from_source(lab, "10.99.0.77", "tcp", LAN4, 80) == "refused"


BROKEN = {
    "lists out of order": lambda: list(reversed(messages.allow("tcp", 80, "10.0.0.0/8"))),
    "a source without its ports": lambda: messages.allow("tcp", 80, "10.0.0.0/8")[1:],
    "lists that overlap": lambda: messages.allow("tcp", 80, "10.0.0.0/8", "10.1.0.0/16"),
    "more sources than": lambda: [guest for number in range(5) for guest in messages.allow(
        "tcp", 80 + number, *(f"10.{high}.{low}.0/24" for high in range(4) for low in range(205)))],
    "more limits than": lambda: [limit for port in range(33) for limit in messages.limit("tcp", 1 + port, 1)],
}


@pytest.mark.parametrize("reason", BROKEN)
def test_guest1_a_hostile_watcher_is_refused_whole(lab, reason):
    netadmin = lab.start()
    netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, "10.0.0.0/8"))
    before = contents(lab)
    guests = BROKEN[reason]()
    netadmin.generation += 1
    datagrams = messages.state((), netadmin.generation, guests)
    if reason == "lists out of order":
        datagrams[1] = messages.message(messages.EXPOSURES_GUESTS, struct.pack("=2I", len(guests), 0) + b"".join(guests),
                                        netadmin.generation)
    for datagram in datagrams:
        netadmin.watcher.send(datagram)
    applied = netadmin.receive_applied()
    assert applied.error < 0 and applied.reason.startswith(reason), applied
    assert contents(lab) == before


def test_guest1_the_largest_lists(lab):
    """WALL-6: 4,096 sources, in one transaction, within a second; then the ruleset with them in a repair."""
    netadmin = lab.start()
    sources = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(4096)]
    netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, *sources))
    assert elements(lab, "allowed").count("tcp . 80") == 4096
    netadmin.expose(*exposed(), guests=messages.allow("tcp", 80, *sources[1:]))
    assert elements(lab, "allowed").count("tcp . 80") == 4095
