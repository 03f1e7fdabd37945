"""What netadmin makes of bans (GUEST-2): flows that end, flows that stay, who may ban, and what a hostile bans worker can
do."""

import contextlib
import errno
import ipaddress
import re
import socket
import threading

import pytest

import messages
from ban_lab import ALL, NEW_ONLY, BansPeer, conversation, item
from netadmin_lab import (CLIENT4, CLIENT6, LAN4, LAN6, ONE4, ONE6, ask_again, flow_to, outcome, wait_logged, wait_until)

SILENCE = 0.3
ADDRESSES = {"v4": (LAN4, CLIENT4, f"{CLIENT4}/32"), "v6": (LAN6, CLIENT6, "2001:db8:99::/64")}


@pytest.fixture
def served(lab):
    netadmin = lab.start()
    lab.bans = BansPeer(netadmin)
    lab.closing.callback(lambda: lab.bans.close())
    for protocol in ("tcp", "udp"):
        for address in (ONE4, ONE6):
            lab.serve(lab.one, "one", protocol, 8080, address)
    netadmin.expose(*(messages.exposure(protocol, 80, address, 8080) for protocol in ("tcp", "udp")
                      for address in (ONE4, ONE6)))
    assert lab.bans.ban([]) == (0, "")
    return lab


def hears(flow, patience=SILENCE):
    flow.settimeout(patience)
    try:
        return flow.recv(100)
    except TimeoutError:
        return None


@pytest.mark.parametrize("family", ADDRESSES)
@pytest.mark.parametrize("protocol", ("tcp", "udp"))
def test_guest2_banned_client_and_its_open_flow_end_in_both_directions(served, family, protocol):
    """The backend goes on sending, and neither its data nor the flow, opened again as egress, reaches the client."""
    address, client, network = ADDRESSES[family]
    listener = served.one.socket(socket.AF_INET6 if family == "v6" else socket.AF_INET,
                                 socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    listener.bind(((ONE6 if family == "v6" else ONE4), 9090))
    served.netadmin.expose(messages.exposure(protocol, 90, ONE6 if family == "v6" else ONE4, 9090))
    if protocol == "tcp":
        listener.listen()
    flow = served.client.socket(listener.family, listener.type)
    flow.connect((address, 90))
    flow.send(b"here")
    if protocol == "tcp":
        backend, _ = listener.accept()
        say = lambda: backend.send(b"still here")
    else:
        _, peer = listener.recvfrom(100)
        say = lambda: listener.sendto(b"still here", peer)
    say()
    assert hears(flow) == b"still here"
    assert served.bans.ban([item(network)]) == (0, "")
    for _ in range(3):
        say()
    assert hears(flow) is None
    assert outcome(served.client, protocol, address, 80, SILENCE) == "silence"
    assert served.bans.ban([item(network, removed=True)], whole=False) == (0, "")
    say()
    assert hears(flow, 5).startswith(b"still here")  # of TCP what was sent again meanwhile, too
    for opened in (flow, listener):
        opened.close()


@pytest.mark.parametrize("network", ("10.99.0.0/24", "10.99.0.8/31", "10.0.0.0/8"))
def test_guest2_prefix_ends_flows_as_well(served, network):
    flow, _ = flow_to(served, "udp", LAN4, 80)
    assert served.bans.ban([item(network), item("192.0.2.0/25"), item("192.0.2.128/25")]) == (0, "")
    flow.send(b"?")
    assert hears(flow) is None
    assert outcome(served.client, "tcp", LAN4, 80, SILENCE) == "silence"
    assert outcome(served.client, "tcp", LAN6, 80) == "one"
    assert served.bans.ban([item("192.0.2.0/25")]) == (0, "")
    assert outcome(served.client, "tcp", LAN4, 80) == "one"


@pytest.mark.parametrize("kind", (ALL, NEW_ONLY))
@pytest.mark.parametrize("network", (f"{CLIENT6}/128", "2001:db8:99::/64", "2001:db8::/32"))
def test_guest2_one_ipv6_address_its_network_and_a_prefix(served, kind, network):
    assert served.bans.ban([item(network, kind)]) == (0, "")
    assert outcome(served.client, "tcp", LAN6, 80, SILENCE) == "silence"
    assert outcome(served.client, "tcp", LAN4, 80) == "one"
    assert served.bans.ban([item("2001:db8:99::/128", kind)]) == (0, "")  # a single address that looks like its /64
    assert outcome(served.client, "tcp", LAN6, 80) == "one"


@pytest.mark.parametrize("protocol", ("tcp", "udp"))
@pytest.mark.parametrize("family", ADDRESSES)
def test_guest2_new_only_leaves_what_is_open(served, family, protocol):
    address, _, network = ADDRESSES[family]
    flow, _ = flow_to(served, protocol, address, 80)
    assert served.bans.ban([item(network, NEW_ONLY)]) == (0, "")
    flow.settimeout(5)
    assert ask_again(flow) == ("?" if protocol == "tcp" else "one")
    assert outcome(served.client, protocol, address, 80, SILENCE) == "silence"
    assert served.bans.ban([]) == (0, "")
    assert outcome(served.client, protocol, address, 80) == "one"


def test_guest2_bans_touch_nobody_inside(served):
    """A container whose own network somebody banned, by accident: it leaves, and reaches the project's address."""
    assert served.bans.ban([item("172.16.0.0/12")]) == (0, "")
    assert outcome(served.two, "tcp", LAN4, 80) == "one"
    assert outcome(served.client, "tcp", LAN4, 80) == "one"


def test_guest2_nat14_nat15_bans_survive_netadmin_and_repair(served):
    """The sets stay when netadmin is killed, its successor leaves them be until it hears the list, and a foreign change is
    put right within a second."""
    assert served.bans.ban([item(f"{CLIENT4}/32"), item("192.0.2.0/24")]) == (0, "")
    for text in ("flush set ip anchord_v4 banned", "delete table ip anchord_v4",
                 "add element ip anchord_v4 banned_prefixes { 198.51.100.0/24 }"):
        served.nft(text)
        wait_until(lambda: CLIENT4 in served.ruleset() and "192.0.2.0/24" in served.ruleset() and
                   "198.51.100.0/24" not in served.ruleset(), f"repair of: {text}", deadline=1)
    served.netadmin.kill()
    assert outcome(served.client, "tcp", LAN4, 80, SILENCE) == "silence"
    netadmin = served.start()
    assert outcome(served.client, "tcp", LAN4, 80, SILENCE) == "silence"
    served.bans.close()
    served.bans = BansPeer(netadmin)
    assert served.bans.ban([item("192.0.2.0/24")]) == (0, "")
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert outcome(served.client, "tcp", LAN4, 80) == "one"


def test_guest2_list_that_came_before_the_tables_is_in_them_from_their_first_moment(lab):
    netadmin = lab.start(ready=False)
    peer = BansPeer(netadmin)
    peer.send([item(f"{CLIENT4}/32")])
    netadmin.ping(1)
    netadmin.send(lab.topology())
    netadmin.wait_ready(messages.TABLES_INSTALLED)
    assert peer.answer() == (0, "")
    assert CLIENT4 in lab.ruleset()
    peer.close()


def test_guest2_a_worker_hears_what_is_held_and_whom_nobody_should_ban(served):
    """At LINK, whoever put it there: of both kinds, keys and prefixes; what is no ban of ours is left out."""
    items = sorted([item(f"{CLIENT4}/32"), item("10.128.0.0/9"), item("10.0.0.0/9"), item("255.0.0.0/8"), item("2001:db8:7::/64"),
                    item("2001:db8:7::/128"), item("2001:db8:99::9/128"), item("2001:db8:8000::/33"), item("fe00::/16"),
                    item("192.0.2.1/32", NEW_ONLY), item("192.0.2.0/25", NEW_ONLY), item("2001:db8:9::/64", NEW_ONLY)])
    assert served.bans.ban(items) == (0, "")
    assert set(served.bans.protected) >= {LAN4, LAN6}
    served.netadmin.kill()
    netadmin = served.start()
    served.nft("add element ip anchord_v4 banned_prefixes { 198.51.100.7-198.51.100.9 }")
    served.bans.close()
    served.bans = BansPeer(netadmin)
    assert served.bans.ban(items) == (0, "")
    assert sorted(served.bans.kept) == items


def test_guest2_a_ban_that_the_kernel_could_not_take_is_said_and_made_good(lab, build):
    """What is exposed stays so; the ban holds as soon as the kernel can."""
    lab.environment = {"REFUSE_NETLINK": "banned ENOMEM 1 9", "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    netadmin = lab.start()
    peer = BansPeer(netadmin)
    lab.closing.callback(peer.close)
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    said = [peer.ban([item(f"192.0.2.{number}/32")], whole=number == 1) for number in range(1, 9)]
    refused = [answer for answer in said if answer != (0, "")]
    assert refused == [(-errno.ENOMEM, "begin nftables transaction: Cannot allocate memory")]
    wait_logged(netadmin, "bans not applied")
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    wait_until(lambda: len(held(lab)) == len(said), "what was refused")


WRONG = {
    "overlap": ([item("10.0.0.0/9"), item("10.0.0.0/10")], True),
    "twice": ([item("192.0.2.1/32"), item("192.0.2.1/32")], True),
    "removed from a whole list": ([item("192.0.2.1/32", removed=True)], True),
    "removed and never banned": ([item("192.0.2.1/32", removed=True)], False),
    "banned already": ([item("192.0.2.7/32")], False),
    "too many prefixes": ([item(f"10.{n // 256}.{n % 256}.0/24") for n in range(1025)], True),
}


@pytest.mark.parametrize("case", WRONG)
def test_guest2_hostile_bans_worker_is_refused_and_what_held_holds(served, case):
    assert served.bans.ban([item("192.0.2.7/32")]) == (0, "")
    before = served.ruleset()
    error, reason = served.bans.ban(*WRONG[case])
    assert error == -errno.EBADMSG and reason, reason
    assert served.ruleset() == before
    wait_logged(served.netadmin, "bans not applied")


@pytest.mark.parametrize("network", ("0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/15", "127.0.0.0/8", "::1/128", "224.0.0.0/8"))
def test_guest2_bans_that_mean_no_guest_end_the_connection(served, network):
    with pytest.raises((ConnectionError, EOFError)):
        served.bans.send([item(network)])
        served.bans.ban([])
    assert outcome(served.client, "tcp", LAN4, 80) == "one"


def test_guest2_bans_worker_cannot_expose(served):
    served.bans.channel.send(messages.message(messages.EXPOSURES_BEGIN, generation=1))
    with pytest.raises((ConnectionError, EOFError)):
        served.bans.ban([])
    wait_logged(served.netadmin, "connection to bans ended", reason="type not allowed in this direction")


def test_guest2_hostile_watcher_cannot_ban(served):
    for datagram in conversation([item(f"{CLIENT4}/32")], 1):
        try:
            served.netadmin.watcher.send(datagram)
        except OSError:
            break
    wait_logged(served.netadmin, "connection to the watcher ended", reason="type not allowed in this direction")
    assert outcome(served.client, "tcp", LAN4, 80) == "one"


def many(first, kind=ALL):
    """More than are part of one transaction (nft_bans.c), of both families, beside a prefix and the client."""
    first4, first6 = int(ipaddress.ip_address("198.18.0.0")) + first, int(ipaddress.ip_address("2001:db8:1::")) + (first << 64)
    return ([item(f"{ipaddress.ip_address(first4 + n)}/32", kind) for n in range(1500)] +
            [item(f"{ipaddress.ip_address(first6 + (n << 64))}/64", kind) for n in range(1500)] +
            [item("10.100.0.0/16", kind), item(f"{CLIENT4}/32"), item("2001:db8:99::/64")])


def held(lab):
    """All that the sets of bans hold, as text without its order."""
    text = "".join(lab.anchor.run("nft", "list", "set", *table.split(), name) for table in ("ip anchord_v4", "ip6 anchord_v6")
                   for name in ("banned", "banned_prefixes", "banned_new", "banned_new_prefixes"))
    return sorted(element.strip() for elements in re.findall(r"elements = {([^}]*)}", text) for element in elements.split(","))


@contextlib.contextmanager
def nobody_let_in(lab):
    """Sends without a pause from the banned client, whom nothing answers."""
    flow = lab.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flow.connect((LAN4, 80))
    done = threading.Event()

    def send():
        while not done.is_set():
            flow.send(b"?")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()
    assert hears(flow) is None
    flow.close()


def test_guest2_a_long_list_in_pieces_lets_nobody_in_who_stays_banned(served):
    """Whoever's list the sets hold: another one of ours, or a predecessor's with what somebody put there."""
    assert served.bans.ban([item(f"{CLIENT4}/32")]) == (0, "")
    with nobody_let_in(served):
        assert served.bans.ban(many(0)) == (0, "")
        first = held(served)
        assert len(first) == 3003
        assert served.bans.ban(many(1000)) == (0, "")
        second = held(served)
        assert len(second) == 3003 and second != first
        for first_number in (0, 3000, 6000):  # of the client now its network is banned, now itself
            assert served.bans.ban(many(first_number, NEW_ONLY)[:-2] + [item("10.99.0.8/29")]) == (0, "")
            assert served.bans.ban(many(first_number + 1500)) == (0, "")
        served.netadmin.kill()
        netadmin = served.start()
        served.nft("add element ip anchord_v4 banned { 203.0.113.7 }\nadd element ip anchord_v4 banned_prefixes { 203.0.113.8/29 }")
        served.bans.close()
        served.bans = BansPeer(netadmin)
        assert served.bans.ban(many(0)) == (0, "")
        assert held(served) == first
        assert served.bans.ban(many(0, NEW_ONLY)) == (0, "")
        assert len(held(served)) == 3003
    assert served.bans.ban([]) == (0, "")
    assert outcome(served.client, "tcp", LAN4, 80) == "one"
    assert held(served) == []


@pytest.mark.parametrize("edit", ("flush set ip anchord_v4 banned", "add element ip anchord_v4 banned { * }",
                                  "add element ip6 anchord_v6 banned_new { 2001:db8::7 }", "delete table ip anchord_v4",
                                  "flush table ip anchord_v4\ndelete set ip anchord_v4 banned\n"
                                  "add set ip anchord_v4 banned { type ipv4_addr; flags interval; }"))
def test_guest2_nat15_a_long_list_is_repaired(served, edit):
    assert served.bans.ban(many(0)) == (0, "")
    before = held(served)
    served.nft(edit)
    wait_until(lambda: "ruleset repaired" in str(served.netadmin.log) and held(served) == before, "repair")
    assert outcome(served.client, "tcp", LAN4, 80, SILENCE) == "silence"


def test_guest2_100000_bans_one_more_and_one_less(served):
    """At LINK; how long that takes tests/bench/run guests says."""
    first4, first6 = int(ipaddress.ip_address("198.18.0.0")), int(ipaddress.ip_address("2001:db8:1::"))
    items = ([item(f"{ipaddress.ip_address(first4 + n)}/32") for n in range(50000)] +
             [item(f"{ipaddress.ip_address(first6 + (n << 64))}/64") for n in range(48976)] +
             [item(f"10.{100 + n // 256}.{n % 256}.0/24") for n in range(1024)])
    assert served.bans.ban(items) == (0, "")
    assert served.bans.ban([item(f"{CLIENT4}/32")], whole=False) == (0, "")
    assert outcome(served.client, "tcp", LAN4, 80, SILENCE) == "silence"
    assert served.bans.ban([item(f"{CLIENT4}/32", removed=True)], whole=False) == (0, "")
    assert outcome(served.client, "tcp", LAN4, 80) == "one"
    # Flushed, with others banned in the same moment: more changes than there may be bans (131,072).
    changes = [entry[:-1] + b"\1" for entry in items]
    changes += [item(f"{ipaddress.ip_address(first4 + (1 << 16) + n)}/32") for n in range(131073 - len(items))]
    assert served.bans.ban(changes, whole=False) == (0, "")
    assert outcome(served.client, "tcp", LAN4, 80) == "one"
