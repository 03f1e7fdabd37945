"""Two routers on one LAN, and one of them dies without a word (ADDR-11, RFC 4861 §7.3.3): the anchor does as the plain
host on the same wire. Both are machines of their own with radvd; the kernel's neighbour detection is the real one."""

import contextlib
import json
import re
import socket

import pytest

import messages
from advertisements_lab import Machine, Router, accept_advertisements, gateways, wait_for_gateways
from control_peer import ControlPeer
from netadmin_lab import outcome, wait_until
from network_lab import AnnouncerPeer, NetworkLab, wait_logged

OUTSIDE = "2001:db8:ffff::9"
FIRST, SECOND = "fe80::a1", "fe80::a2"
PORT = 7777
# RFC 4861 §10: reachable for 45 s at most, 5 s of delay, three questions a second apart; and what a plain host needs.
FAILURE_SECONDS = 60
# RFC 4191 §3.5 and the kernel's router_probe_interval: a router that is held for dead is asked once a minute.
PROBE_SECONDS = 75


class LanRouter:
    """A router with a MAC of its own, behind which the outside answers with the router's name."""

    def __init__(self, lab, scratch, address, name, number, **advertised):
        self.machine = Machine(lab, f"2001:db8:99::{number}/64")
        self.machine.namespace.sysctl("ipv6/conf/all/forwarding", 1)
        self.machine.namespace.run("ip", "address", "add", f"{OUTSIDE}/128", "dev", "lo", "nodad")
        lab.serve(self.machine.namespace, name, "udp", PORT, OUTSIDE)
        self.radvd = Router(lab, scratch, address, lifetime=1800, namespace=self.machine.namespace, **advertised)

    def die(self):
        """Loses its power: no last advertisement."""
        self.radvd.kill()
        self.machine.power("down")


@pytest.fixture
def lab(build):
    made = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    accept_advertisements(made)
    yield made
    made.close()


@pytest.fixture
def plain_host(lab):
    """A machine with the kernel's defaults on the same wire."""
    return Machine(lab, "2001:db8:99::77/64").namespace


def answered_by(namespace):
    """Through which router a datagram to the outside and its answer went, or what became of it."""
    with contextlib.suppress(OSError):
        return outcome(namespace, "udp", OUTSIDE, PORT, 0.3)
    return "unreachable"


def wait_for_answers(namespace, name, deadline):
    wait_until(lambda: answered_by(namespace) == name, f"{name} to answer", deadline)


def test_egress_leaves_a_router_that_died_as_a_plain_host_does(lab, plain_host, tmp_path):
    """ADDR-11: and comes back when it answers again, without an advertisement."""
    first = LanRouter(lab, tmp_path, FIRST, "first", 201)
    netadmin = lab.start()
    control = ControlPeer(netadmin)
    wait_for_gateways(lab, FIRST)
    wait_for_answers(plain_host, "first", 10)
    LanRouter(lab, tmp_path, SECOND, "second", 202)
    wait_for_gateways(lab, FIRST, SECOND)
    wait_for_answers(lab.one, "first", 5)
    wait_for_answers(plain_host, "first", 5)
    first.die()

    def moved():
        return answered_by(plain_host) == "second", answered_by(lab.one) == "second"

    wait_until(lambda: any(moved()), "either of the two to move", FAILURE_SECONDS)
    wait_until(lambda: all(moved()), "both to move", FAILURE_SECONDS)
    assert gateways(lab) == [SECOND, FIRST]
    wait_logged(netadmin, "a router does not answer any more", gateway=FIRST)
    wait_logged(control, "external gateway chosen", gateway=SECOND)
    first.machine.power("up")
    first.machine.namespace.run("ip", "address", "add", f"{FIRST}/64", "dev", "eth0", "nodad")
    first.machine.namespace.run("ip", "address", "replace", "2001:db8:99::201/64", "dev", "eth0", "nodad")
    wait_for_answers(lab.one, "first", PROBE_SECONDS)
    assert gateways(lab) == [FIRST, SECOND]
    wait_logged(netadmin, "the router answers again", gateway=FIRST)


def test_the_preferred_one_of_those_that_answer_is_used(lab, tmp_path):
    """ADDR-11: a router of low preference is used while the better one is dead, and a successor of netadmin knows."""
    for name, value in (("base_reachable_time_ms", 2000), ("delay_first_probe_time", 1)):
        lab.anchor.sysctl(f"ipv6/neigh/ext0/{name}", value)
    better = LanRouter(lab, tmp_path, SECOND, "better", 202, preference="high")
    LanRouter(lab, tmp_path, FIRST, "other", 201, preference="low")
    netadmin = lab.start()
    wait_for_gateways(lab, SECOND, FIRST)
    wait_for_answers(lab.one, "better", 5)
    better.die()
    wait_for_answers(lab.one, "other", 30)
    netadmin.kill()
    lab.start()
    wait_for_gateways(lab, FIRST, SECOND)
    better.machine.power("up")
    better.radvd = Router(lab, tmp_path, SECOND, lifetime=1800, preference="high", namespace=better.machine.namespace)
    wait_for_gateways(lab, SECOND, FIRST, deadline=30)
    better.machine.namespace.run("ip", "address", "replace", "2001:db8:99::202/64", "dev", "eth0", "nodad")
    wait_for_answers(lab.one, "better", 10)


# --- the egress address (NAT-8) ---

OLD, NEW = "2001:db8:1::/64", "2001:db8:2::/64"


def egress(lab):
    """The prefix of what leaves to the internet, or None."""
    found = re.search(r"snat to (2001:db8:\d+):", lab.ruleset())
    return found and f"{found[1]}::/64"


def wait_egress(lab, prefix, deadline=30):
    """An advertisement comes every 3 or 4 s and the detection of duplicates takes one: on a busy machine more than one
    advertisement may pass before the address is there."""
    wait_until(lambda: egress(lab) == prefix, f"egress from {prefix}", deadline)


def external_index(lab):
    with lab.anchor.entered():
        return socket.if_nametoindex("ext0")


@pytest.mark.parametrize("before, after", [(OLD, NEW), (NEW, OLD)])
def test_egress_is_of_the_prefix_that_is_advertised_now(lab, tmp_path, before, after):
    """NAT-8: the router is restarted with another prefix, which is the higher or the lower number, and never mentions the
    first one again. Nobody has read its advertisements: it is the address that the kernel itself prefers."""
    lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    router = Router(lab, tmp_path, FIRST, lifetime=1800, prefix=before)
    wait_egress(lab, before)
    router.kill()
    Router(lab, tmp_path, FIRST, lifetime=1800, prefix=after)
    wait_egress(lab, after)


def test_egress_is_of_the_prefix_that_the_router_in_use_advertised_last(lab, tmp_path):
    """NAT-8: two routers with a prefix each. What the other one repeats changes nothing; the other one's prefix comes with
    the other router; a prefix that comes back counts although the kernel's address of it is the older one."""
    netadmin = lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    peer = AnnouncerPeer(netadmin)
    first = Router(lab, tmp_path, FIRST, lifetime=1800, prefix=OLD)
    wait_egress(lab, OLD)
    second = Router(lab, tmp_path, SECOND, lifetime=1800, prefix=NEW)
    wait_for_gateways(lab, FIRST, SECOND)
    wait_egress(lab, NEW)  # the youngest, as long as nobody has told
    index = external_index(lab)
    peer.channel.send(messages.advertised(index, SECOND, NEW))
    peer.channel.send(messages.advertised(index, FIRST, OLD))
    wait_egress(lab, OLD)
    peer.channel.send(messages.advertised(index + 1, FIRST, NEW))  # on another link
    peer.channel.send(messages.advertised(index, SECOND, NEW, mtu=1400))
    netadmin.ping(7)
    assert egress(lab) == OLD
    peer.channel.send(messages.advertised(index, FIRST, NEW))
    wait_egress(lab, NEW)
    peer.channel.send(messages.advertised(index, FIRST, OLD))
    wait_egress(lab, OLD)
    first.retire()
    wait_for_gateways(lab, SECOND)
    wait_egress(lab, NEW)
    second.kill()


# --- an address that somebody else has (ADDR-13) ---

ON_THE_LAN = "another host on the LAN has this address already"


def test_a_duplicate_of_an_autoconfigured_address_is_named(lab, tmp_path):
    """ADDR-13: once, however often the router repeats itself; with the MAC that the announcer finds; and again when it was
    free in between. In status as long as it holds."""
    mine = "2001:db8:1::ff:fe00:9950"  # of EXTERNAL_MAC
    other = Machine(lab, f"{mine}/64")
    netadmin = lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    mac = json.loads(other.namespace.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
    peer = AnnouncerPeer(netadmin, holders={mine: mac}, link="ext0")
    control = ControlPeer(netadmin)
    router = Router(lab, tmp_path, FIRST, lifetime=1800, prefix=OLD)
    line, = wait_logged(control, ON_THE_LAN)
    assert (line["level"], line["address"], line["interface"]) == ("ERROR", mine, "ext0")
    wait_logged(control, "the host that has this address", mac=mac)
    wait_until(lambda: control.problems() == [f"another host on the LAN has {mine} already (MAC: {mac}): it is not used here"],
               "the problem in status")
    wait_until(lambda: f"via {FIRST}" in lab.route_to("-6", OUTSIDE), "the router", 10)
    with lab.monitored("address") as changes:
        wait_until(lambda: sum("Deleted" in line and mine in line for line in changes) >= 2, "two more detections", 30)
    assert len(control.logged(ON_THE_LAN)) == 1 and len(peer.asked(mine)) == 1
    other.namespace.run("ip", "address", "delete", f"{mine}/64", "dev", "eth0")
    wait_egress(lab, OLD)
    wait_logged(control, "an address that another host had can be used now")
    wait_until(lambda: control.problems() == [], "no problem any more")
    router.kill()


# --- route information (ADDR-11, RFC 4191) ---

NOT_TAKEN = "a router advertises routes that are not taken"
THREAD = "fd00:7::/48"


@pytest.mark.parametrize("longest, is_taken", [(0, False), (48, True)])
def test_routes_of_a_router_are_used_or_missed_loudly(lab, tmp_path, longest, is_taken):
    """ADDR-11: a border router's way to its network, which the kernel takes only up to a prefix length of 0 by itself."""
    lab.anchor.sysctl("ipv6/conf/ext0/accept_ra_rt_info_max_plen", longest)
    netadmin = lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    peer, control = AnnouncerPeer(netadmin), ControlPeer(netadmin)
    Router(lab, tmp_path, FIRST, lifetime=1800)
    Router(lab, tmp_path, SECOND, lifetime=0, route=THREAD)
    wait_for_gateways(lab, FIRST)
    for _ in range(2):
        peer.channel.send(messages.advertised(external_index(lab), SECOND, longest_route=48))
    taken = f"via {SECOND}" if is_taken else f"via {FIRST}"
    wait_until(lambda: taken in lab.route_to("-6", "fd00:7::1"), f"the way {taken}", 10)
    if is_taken:
        netadmin.ping(7)
        assert control.problems() == []
        control.settle()
        control.kill()  # the log is complete
        assert control.logged(NOT_TAKEN) == []
    else:
        line, = wait_logged(control, NOT_TAKEN)
        assert (line["level"], line["gateway"], line["prefix_length"]) == ("WARN", SECOND, 48)
        assert "accept_ra_rt_info_max_plen" in line["compose"]
        wait_until(lambda: control.problems() == [f"router {SECOND} advertises routes that are not taken"],
                   "the problem in status")
        lab.anchor.sysctl("ipv6/conf/ext0/accept_ra_rt_info_max_plen", 48)
        lab.anchor.run("ip", "link", "set", "ext0", "mtu", "1400")  # no notification tells of that setting
        wait_until(lambda: control.problems() == [], "no problem any more")
