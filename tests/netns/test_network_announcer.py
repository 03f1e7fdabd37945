"""What anchord-netadmin tells the announcer and asks it (ADDR-12, GW-1); the announcer is the test."""

import socket

import pytest

import messages
from netadmin_lab import (ANCHOR4, ANCHOR6, EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6, LAN_UNIQUE_LOCAL,
                          SHARED_MAC, wait_until)
from network_lab import AnnouncerPeer, NetworkLab

STRANGER = "02:00:00:00:00:66"
EXTERNAL = {("ext0", EXTERNAL_MAC, text) for text in (LAN4, LAN6, LAN_UNIQUE_LOCAL)}
SHARED = {("shared0", SHARED_MAC, text) for text in (ANCHOR4, ANCHOR6)}
CLAIMED = {("shared0", SHARED_MAC, text) for text in (GATEWAY4, GATEWAY6)}
ANSWER_SECONDS = 0.4  # GATEWAY_ANSWER_MILLISECONDS


@pytest.fixture
def lab(build):
    made = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


def claimed(lab, address=None):
    return all(lab.has_address("shared0", text) for text in (f"{GATEWAY4}/24", f"{GATEWAY6}/64")
               if address is None or text.startswith(f"{address}/"))


def start(lab, topology=True, **options):
    """netadmin with an announcer before it gets its topology, as the supervisor does it."""
    netadmin = lab.start(ready=False)
    peer = AnnouncerPeer(netadmin, **options)
    lab.closing.callback(peer.close)
    if topology:
        netadmin.send(lab.topology())
    return netadmin, peer


def test_held_addresses_of_both_interfaces_and_nothing_else(lab):
    """No link-local address, none of the anchor's other networks; nothing before the topology names the interfaces."""
    netadmin, peer = start(lab, topology=False)
    peer.wait_held(set())
    netadmin.send(lab.topology())
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)


def test_held_follows_every_change(lab):
    _, peer = start(lab)
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)
    new = {("ext0", EXTERNAL_MAC, "10.99.0.51")}
    lab.anchor.run("ip", "address", "add", "10.99.0.51/24", "dev", "ext0")
    peer.wait_held(EXTERNAL | SHARED | CLAIMED | new)
    lab.anchor.run("ip", "address", "delete", "10.99.0.51/24", "dev", "ext0")
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)


def test_link_that_is_down_holds_nothing(lab):
    """When it is up again all of it is new, so it is announced at once."""
    _, peer = start(lab)
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    peer.wait_held(SHARED | CLAIMED)
    lab.anchor.run("ip", "link", "set", "ext0", "up")
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)


def test_new_announcer_gets_the_whole_state(lab):
    netadmin, first = start(lab)
    first.wait_held(EXTERNAL | SHARED | CLAIMED)
    second = AnnouncerPeer(netadmin)
    lab.closing.callback(second.close)
    second.wait_held(EXTERNAL | SHARED | CLAIMED)
    assert second.questions == []


def test_free_gateways_are_claimed_after_the_answer(lab):
    _, peer = start(lab)
    wait_until(lambda: claimed(lab), "the claim", ANSWER_SECONDS)
    assert sorted(address for _, address in peer.questions) == [GATEWAY4, GATEWAY6]


@pytest.mark.parametrize("address, other", [(GATEWAY4, GATEWAY6), (GATEWAY6, GATEWAY4)])
def test_gateway_of_somebody_else_is_not_claimed_until_it_is_free(lab, address, other):
    netadmin, peer = start(lab, holders={address: STRANGER})
    wait_until(lambda: claimed(lab, other), "the other family's gateway")
    record, = wait_until(lambda: netadmin.logged("gateway address not claimed"), "the error")
    assert (record["level"], record["address"], record["network"]) == ("ERROR", address, "transit")
    assert record["err"] == f"held by MAC {STRANGER}" and record["mac"] == STRANGER
    wait_until(lambda: len(peer.asked(address)) == 2, "the second question", 6)
    assert 2.9 < peer.asked(address)[1] - peer.asked(address)[0] < 5.5
    assert not claimed(lab, address)
    peer.holders.clear()
    wait_until(lambda: claimed(lab, address), "the claim", 6)
    assert len(netadmin.logged("gateway address not claimed")) == 1
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)


def test_silent_announcer_does_not_hold_up_the_claim(lab):
    _, peer = start(lab, silent=True)
    wait_until(lambda: len(peer.questions) == 2, "both questions")
    assert not claimed(lab)
    wait_until(lambda: claimed(lab), "the claim", ANSWER_SECONDS + 0.3)


def test_announcer_that_dies_while_it_is_asked_does_not_either(lab):
    _, peer = start(lab, silent=True)
    wait_until(lambda: len(peer.questions) == 2, "both questions")
    peer.channel.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: claimed(lab), "the claim", ANSWER_SECONDS)


def test_adopted_gateways_are_not_asked_for(lab):
    """NAT-14: they are ours since before the crash."""
    netadmin, peer = start(lab)
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)
    netadmin.kill()
    _, successor = start(lab)
    successor.wait_held(EXTERNAL | SHARED | CLAIMED)
    assert successor.questions == []


@pytest.mark.parametrize("address", [f"{GATEWAY4}/24", f"{GATEWAY6}/64"])
def test_gateway_that_somebody_removed_is_back_at_once(lab, address):
    """It was ours: no second question."""
    _, peer = start(lab)
    peer.wait_held(EXTERNAL | SHARED | CLAIMED)
    lab.anchor.run("ip", "address", "delete", address, "dev", "shared0")
    lab.back_within_a_second(lambda: claimed(lab), address)
    assert len(peer.questions) == 2


def test_answer_that_nobody_asked_for_is_ignored(lab):
    netadmin, peer = start(lab, silent=True, topology=False)
    peer.wait_held(set())
    peer.channel.send(messages.probed(messages.held(1, SHARED_MAC, GATEWAY4), STRANGER))
    netadmin.send(lab.topology())
    wait_until(lambda: claimed(lab), "the claim", ANSWER_SECONDS + 0.3)
    assert netadmin.logged("gateway address not claimed") == []
