"""anchord-announcer on the wire: announcements, defence, questions (ADDR-12, ADDR-13, GW-1), and what it may not do."""

import os
import random
import re
import signal
import time

import pytest

import messages
from announcer_lab import (FREE4, FREE6, NOBODY, OTHER_MAC, OUR_MAC, OURS4, OURS6, PEER4, PEER6, PEER_MAC,
                           AnnouncerLab, advertisement, arp, mtu_option, neighbour, prefix_option, route_option,
                           router_advertisement, solicitation_of_detection)
from netadmin_lab import wait_until

STRANGER, SECOND_STRANGER = "02:00:00:00:00:66", "02:00:00:00:00:67"
AT_ONCE = 0.5
ANNOUNCEMENTS = {OURS4: arp(OUR_MAC, OURS4, OURS4), OURS6: advertisement(OUR_MAC, OURS6)}


@pytest.fixture
def lab(build):
    made = AnnouncerLab(build / "workers" / "announcer" / "anchord-announcer")
    yield made
    made.close()


@pytest.fixture
def announcer(lab):
    return lab.start()


def hold_and_wait(lab, announcer):
    """Both addresses held and announced for the first time."""
    announcer.hold(lab.held(OURS4), lab.held(OURS6))
    for frame in ANNOUNCEMENTS.values():
        lab.wire.wait(frame)


def claim_by(mac):
    """What somebody sends who thinks that our addresses are his."""
    return {OURS4: arp(mac, OURS4, OURS4), OURS6: advertisement(mac, OURS6)}


def status_of(announcer):
    with open(f"/proc/{announcer.pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines)


def wait_sealed(announcer):
    wait_until(lambda: status_of(announcer)["Seccomp"] == "2", "the sandbox")


def processor_seconds(announcer):
    with open(f"/proc/{announcer.pid}/stat", encoding="ascii") as line:
        fields = line.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- what it may do (DESIGN §1) ---

def test_has_no_capability_and_still_announces(lab, announcer):
    hold_and_wait(lab, announcer)
    status = status_of(announcer)
    assert {status[key] for key in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["Uid"].split() == ["24945"] * 4
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_holds_nothing_but_its_sockets(lab, announcer):
    hold_and_wait(lab, announcer)
    targets = [os.readlink(f"/proc/{announcer.pid}/fd/{number}") for number in os.listdir(f"/proc/{announcer.pid}/fd")]
    kinds = sorted(re.sub(r":\[?\d*\]?$", "", target) for target in targets)
    statistics = f"/proc/{announcer.pid}/statm"  # its own, opened before the sandbox, for process_* (SPEC 7)
    assert kinds == ["/dev/null", statistics, "anon_inode:[eventpoll]", "anon_inode:[timerfd]", "pipe", "pipe"] + \
        ["socket"] * 4


# --- announcements (ADDR-12) ---

def test_announced_at_once_and_once_more(lab, announcer):
    """Request with sender and target ours (RFC 5227 §2.3); advertisement with override to all nodes (RFC 4861 §7.2.6)."""
    before = time.monotonic()
    announcer.hold(lab.held(OURS4), lab.held(OURS6))
    for frame in ANNOUNCEMENTS.values():
        first = lab.wire.wait(frame)
        assert first - before < AT_ONCE
        assert 1.9 < lab.wire.wait(frame, count=2) - first < 2.5
    lab.wire.never(ANNOUNCEMENTS[OURS4], 1, count=2)


def test_neighbour_learns_a_new_mac_at_once(lab, announcer):
    """The reason for all this: without it the neighbour sends to the old MAC until its entry expires (51.5 s)."""
    for address in (OURS4, OURS6):
        lab.neighbour.run("ip", "neighbour", "add", address, "lladdr", STRANGER, "dev", "eth0", "nud", "reachable")
    hold_and_wait(lab, announcer)
    for address in (OURS4, OURS6):
        wait_until(lambda: OUR_MAC in lab.neighbour.run("ip", "neighbour", "show", address), "the new MAC", 1)


def test_another_mac_is_announced_at_once_and_an_unchanged_state_is_not(lab, announcer):
    hold_and_wait(lab, announcer)
    lab.wire.wait(ANNOUNCEMENTS[OURS4], count=2)
    announcer.hold(lab.held(OURS4), lab.held(OURS6))
    announcer.hold(lab.held(OURS4, OTHER_MAC), lab.held(OURS6))
    before = time.monotonic()
    assert lab.wire.wait(arp(OTHER_MAC, OURS4, OURS4)) - before < AT_ONCE
    lab.wire.never(ANNOUNCEMENTS[OURS4], 0.3, count=2)


def test_never_announced_after_it_is_gone(lab, announcer):
    """The second announcement was due 2 s after the first."""
    hold_and_wait(lab, announcer)
    announcer.hold(lab.held(OURS6))
    lab.wire.wait(ANNOUNCEMENTS[OURS6], count=2)
    lab.wire.never(ANNOUNCEMENTS[OURS4], 0.5, count=1)


def test_half_state_does_nothing(lab, announcer):
    announcer.netadmin.send(messages.message(messages.HELD_BEGIN, generation=1))
    announcer.netadmin.send(messages.held_state([lab.held(OURS4)], 1)[1])
    lab.wire.never(ANNOUNCEMENTS[OURS4], 0.3)


@pytest.mark.parametrize("datagrams", [
    pytest.param(lambda lab: [messages.held_state([lab.held(OURS4)], 1)[1]], id="items without begin"),
    pytest.param(lambda lab: [messages.commit(messages.HELD_COMMIT, 0, 1)], id="commit without begin"),
    pytest.param(lambda lab: messages.held_state([lab.held(OURS4)], 1)[:2] + [
        messages.commit(messages.HELD_COMMIT, 2, 1)], id="another number"),
    pytest.param(lambda lab: messages.held_state([lab.held(OURS4)], 1)[:2] + [
        messages.commit(messages.HELD_COMMIT, 1, 2)], id="another generation"),
])
def test_broken_state_ends_netadmins_connection(lab, announcer, datagrams):
    for datagram in datagrams(lab):
        announcer.netadmin.send(datagram)
    assert announcer.netadmin.recv(100) == b""
    announcer.wait_log("netadmin broke the protocol")
    announcer.link()
    hold_and_wait(lab, announcer)


def test_what_is_held_stays_announced_without_netadmin(lab, announcer):
    """NAT-14: netadmin's death changes nothing in the kernel."""
    hold_and_wait(lab, announcer)
    announcer.netadmin.close()
    lab.wire.wait(ANNOUNCEMENTS[OURS4], count=2)


def test_successor_announces_anew_with_the_same_sockets(lab):
    first = lab.start()
    hold_and_wait(lab, first)
    first.process.send_signal(signal.SIGKILL)
    first.wait()
    second = lab.start()
    second.hold(lab.held(OURS4), lab.held(OURS6))
    for frame in ANNOUNCEMENTS.values():
        lab.wire.wait(frame, count=2, deadline=1)
    lab.wire.send(claim_by(STRANGER)[OURS4], claim_by(STRANGER)[OURS6])
    wait_until(lambda: len(second.logged("address conflict")) == 2, "both conflicts")


# --- defence (ADDR-13, RFC 5227 §2.4) ---

@pytest.mark.parametrize("address", [OURS4, OURS6])
def test_other_holder_is_named_once_and_answered_once(lab, announcer, address):
    hold_and_wait(lab, announcer)
    lab.wire.wait(ANNOUNCEMENTS[address], count=2)
    before = time.monotonic()
    lab.wire.send(*[claim_by(STRANGER)[address]] * 3)
    assert lab.wire.wait(ANNOUNCEMENTS[address], count=3) - before < AT_ONCE
    record = announcer.wait_log("address conflict")
    assert (record["level"], record["address"], record["interface"]) == ("ERROR", address, "eth0")
    assert (record["err"], record["code"]) == (f"held by MAC {STRANGER}", "ANC0201")
    lab.wire.send(claim_by(SECOND_STRANGER)[address])
    lab.wire.never(ANNOUNCEMENTS[address], 0.5, count=3)
    assert len(announcer.logged("address conflict")) == 1


def contested(lab, address, holder=None):
    """CONTESTED about an address that is held."""
    return messages.message(messages.CONTESTED, messages.probed(lab.held(address), holder)[messages.HEADER.size:])


@pytest.mark.parametrize("address", [OURS4, OURS6])
def test_adr13_who_claims_an_address_is_told_once_and_to_a_successor(lab, announcer, address):
    """ADDR-13: a second stranger is named when the first is silent, so that a flood costs netadmin nothing."""
    hold_and_wait(lab, announcer)
    lab.wire.send(claim_by(STRANGER)[address], claim_by(SECOND_STRANGER)[address], claim_by(STRANGER)[address])
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == contested(lab, address, STRANGER)
    announcer.link()
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == contested(lab, address, STRANGER)


def test_adr13_who_never_says_that_he_has_the_address_is_found(lab, announcer):
    """ADDR-13: a kernel that has the address keeps silent; it is asked with each announcement. Its end: test_problems.py."""
    lab.neighbour.run("ip", "address", "add", f"{OURS4}/32", "dev", "eth0")
    hold_and_wait(lab, announcer)
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == contested(lab, OURS4, PEER_MAC)
    lab.wire.wait(ANNOUNCEMENTS[OURS4], count=2)
    lab.wire.wait(arp(OUR_MAC, "0.0.0.0", OURS4), count=3)  # with both announcements, and once to follow it
    lab.wire.never(ANNOUNCEMENTS[OURS4], 0.1, count=2)  # what he says to us alone misleads nobody
    assert not announcer.logged("address conflict")


def test_reply_to_somebody_else_is_a_conflict_too(lab, announcer):
    hold_and_wait(lab, announcer)
    lab.wire.send(arp(STRANGER, OURS4, PEER4, operation=2, target_mac=PEER_MAC))
    announcer.wait_log("address conflict", err=f"held by MAC {STRANGER}")


def test_somebody_who_wants_our_address_is_reported(lab, announcer):
    """The kernel answers both; a host that detects the duplicate stays silent ever after."""
    hold_and_wait(lab, announcer)
    lab.wire.send(arp(STRANGER, "0.0.0.0", OURS4), solicitation_of_detection(STRANGER, OURS6))
    record = announcer.wait_log("address conflict", address=OURS4)
    assert (record["level"], record["err"]) == ("WARN", f"wanted by MAC {STRANGER}")
    assert announcer.wait_log("address conflict", address=OURS6)["err"] == "another host wants to take it"


@pytest.mark.parametrize("address,wish", [(OURS4, arp(STRANGER, "0.0.0.0", OURS4)),
                                          (OURS6, solicitation_of_detection(STRANGER, OURS6))], ids=["v4", "v6"])
def test_a_probe_leaves_the_defence_to_a_claim(lab, announcer, address, wish):
    """ADDR-13, RFC 5227 §2.4: the kernel answers the probe; the host that takes the address all the same is answered too."""
    hold_and_wait(lab, announcer)
    lab.wire.wait(ANNOUNCEMENTS[address], count=2)
    lab.wire.send(*[wish] * 3)
    announcer.wait_log("address conflict", level="WARN", address=address)
    lab.wire.never(ANNOUNCEMENTS[address], 0.3, count=2)
    lab.wire.send(claim_by(STRANGER)[address])
    lab.wire.wait(ANNOUNCEMENTS[address], count=3, deadline=1)
    announcer.wait_log("address conflict", level="ERROR", err=f"held by MAC {STRANGER}")


@pytest.mark.parametrize("frame", [
    pytest.param(arp(STRANGER, "0.0.0.0", OURS4, target_mac=OUR_MAC, destination=OUR_MAC), id="unicast probe"),
    pytest.param(arp(OUR_MAC, OURS4, OURS4), id="our own"),
    pytest.param(arp(STRANGER, PEER4, OURS4), id="question for us"),
    pytest.param(arp(STRANGER, FREE4, FREE4), id="another address"),
    pytest.param(arp(NOBODY, OURS4, OURS4), id="MAC zero"),
    pytest.param(arp("03:00:00:00:00:66", OURS4, OURS4), id="group MAC"),
    pytest.param(arp(STRANGER, OURS4, OURS4, operation=3), id="reverse ARP"),
    pytest.param(arp(STRANGER, OURS4, OURS4)[:41], id="cut short"),
    pytest.param(arp(STRANGER, OURS4, OURS4)[:14] + b"\0\6" + arp(STRANGER, OURS4, OURS4)[16:], id="other hardware"),
    pytest.param(arp(STRANGER, OURS4, OURS4)[:19] + b"\6" + arp(STRANGER, OURS4, OURS4)[20:], id="other length"),
    pytest.param(advertisement(STRANGER, OURS6, hop_limit=254), id="through a router"),
    pytest.param(advertisement(STRANGER, FREE6), id="another IPv6 address"),
    pytest.param(neighbour(136, STRANGER, OURS6, "ff02::1", OURS6, option=b"\2\0" + bytes(6)), id="option of length 0"),
    pytest.param(neighbour(136, STRANGER, OURS6, "ff02::1", OURS6, option=b"\2\2" + bytes(6)), id="option too long"),
    pytest.param(neighbour(136, STRANGER, OURS6, "ff02::1", OURS6), id="without a MAC"),
    pytest.param(advertisement(STRANGER, OURS6)[:-9], id="advertisement cut short"),
])
def test_frames_that_are_no_conflict_change_nothing(lab, announcer, frame):
    """The one after it is a conflict and shows that all was read."""
    hold_and_wait(lab, announcer)
    lab.wire.send(frame, claim_by(SECOND_STRANGER)[OURS4], claim_by(SECOND_STRANGER)[OURS6])
    wait_until(lambda: len(announcer.logged("address conflict")) >= 2, "the conflicts that are some")
    assert {record["err"] for record in announcer.logged("")} == {f"held by MAC {SECOND_STRANGER}"}


def test_foreign_arp_does_not_even_wake_it(lab, announcer):
    """The kernel's filter knows our addresses."""
    hold_and_wait(lab, announcer)
    lab.wire.wait(ANNOUNCEMENTS[OURS6], count=2)
    announcer.ping()
    wait_until(lambda: status_of(announcer)["State"].startswith("S"), "it to sleep")
    switches = status_of(announcer)["voluntary_ctxt_switches"]
    lab.wire.send(*[arp(STRANGER, FREE4, PEER4), advertisement(STRANGER, FREE6)] * 500)
    lab.neighbour.run("ping", "-c1", "-W2", OURS4)  # everything before it has arrived
    assert status_of(announcer)["voluntary_ctxt_switches"] == switches


def test_flood_of_forged_frames_is_neither_loud_nor_busy(lab, announcer):
    hold_and_wait(lab, announcer)
    lab.wire.wait(ANNOUNCEMENTS[OURS4], count=2)
    numbers = random.Random(1)
    busy = processor_seconds(announcer)
    end = time.monotonic() + 2
    sent = 0
    while time.monotonic() < end:
        mac = "02:" + numbers.randbytes(5).hex(":")
        lab.wire.send(claim_by(mac)[OURS4], claim_by(mac)[OURS6])
        sent += 2
    lab.wire.drain(0.1)
    assert sent > 5000
    assert len(announcer.logged("address conflict")) == 2
    assert len(lab.wire.times(ANNOUNCEMENTS[OURS4])) == 3
    assert processor_seconds(announcer) - busy < 0.4
    announcer.ping()


# --- questions (GW-1) ---

@pytest.mark.parametrize("address, question", [(FREE4, arp(OUR_MAC, "0.0.0.0", FREE4)),
                                               (FREE6, solicitation_of_detection(OUR_MAC, FREE6))])
def test_free_address_is_asked_for_three_times(lab, announcer, address, question):
    holder, seconds = announcer.probe(lab.held(address))
    assert holder is None
    assert 0.19 < seconds < 0.35
    lab.wire.wait(question, count=3)
    lab.wire.never(question, 0.2, count=3)


@pytest.mark.parametrize("address", [PEER4, PEER6])
def test_held_address_is_reported_with_its_holder(lab, announcer, address):
    holder, seconds = announcer.probe(lab.held(address))
    assert holder == PEER_MAC
    assert seconds < 0.15


def test_two_who_ask_at_once_both_hear_of_the_other(lab, announcer):
    """RFC 5227 §2.1.1: another host's probe for the same address counts as a conflict."""
    announcer.netadmin.send(messages.message(messages.PROBE, lab.held(FREE4)))
    lab.wire.wait(arp(OUR_MAC, "0.0.0.0", FREE4))
    lab.wire.send(arp(STRANGER, "0.0.0.0", FREE4))
    kind, _, body = messages.split(announcer.netadmin.recv(messages.LENGTH_MAX))
    assert (kind, body[messages.HELD_SIZE:]) == (messages.PROBED, messages.probed(b"", STRANGER)[messages.HEADER.size:])


def test_question_leaves_no_trace_at_the_neighbours(lab, announcer):
    """From 0.0.0.0 and ::, so that nobody's cache learns our MAC for an address that is not ours."""
    announcer.probe(lab.held(FREE4))
    announcer.probe(lab.held(FREE6))
    assert OUR_MAC not in lab.neighbour.run("ip", "neighbour", "show")


# --- ending ---

def test_stop_ends_it(announcer):
    wait_sealed(announcer)
    announcer.process.send_signal(signal.SIGTERM)
    announcer.ping()
    announcer.supervisor.send(messages.stop(messages.STOP_TEAR_DOWN))
    assert announcer.wait() == 0


def test_supervisors_death_ends_it(announcer):
    announcer.ping()
    announcer.supervisor.close()
    assert announcer.wait() == 0


# --- routers ---


def test_a_host_does_not_say_that_it_is_a_router(lab, announcer):
    """ADDR-12: the R flag is the link's, as in the kernel's own advertisements."""
    announcer.hold(messages.held(lab.index, OUR_MAC, OURS6, is_router=False))
    lab.wire.wait(advertisement(OUR_MAC, OURS6, flags=0x20))
    announcer.hold(lab.held(OURS6))
    lab.wire.wait(advertisement(OUR_MAC, OURS6, flags=0xa0))


def test_what_a_router_says_is_told_once_and_again_to_a_successor(lab, announcer):
    """NAT-8: prefixes, MTU and routes of each router; what it repeats, and what RFC 4861 ignores, is not told."""
    router = "fe80::a1"
    parts = (mtu_option(1400), prefix_option("2001:db8:1::/64"), prefix_option("2001:db8:2::/64", preferred=0),
             route_option("fd00:7::/48"))
    expected = messages.advertised(lab.index, router, "2001:db8:1::/64", mtu=1400, longest_route=48)
    announcer.ping()
    lab.wire.send(router_advertisement(PEER_MAC, router, prefix_option("2001:db8:9::/64"), hop_limit=254),
                  router_advertisement(PEER_MAC, "2001:db8::1", prefix_option("2001:db8:9::/64")),
                  router_advertisement(PEER_MAC, router, *parts), router_advertisement(PEER_MAC, router, *parts))
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == expected
    lab.wire.send(router_advertisement(PEER_MAC, router, prefix_option("2001:db8:2::/64")))
    changed = messages.advertised(lab.index, router, "2001:db8:2::/64")
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == changed
    announcer.link()
    assert announcer.netadmin.recv(messages.LENGTH_MAX) == changed
