"""Addresses that are not there to be had (ADDR-6, ADDR-13): held by another host, or none left in the pool; and what another
host may do to one that is had."""

import socket
import struct

import pytest

from direct import ANCHOR
from lab import dhcp_messages as dhcp
from lab.dhcp import Dnsmasq
from lab.machine import wait_until
from leases import up_together

BACKOFF_MAX = 3  # seconds
STRANGER = bytes.fromhex("020000000066")
TWIN = "another dhcp client has our identifier: two projects need two names"


def arp_request(sender, target):
    """Broadcast by STRANGER (RFC 826)."""
    return (b"\xff" * 6 + STRANGER + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + STRANGER + socket.inet_aton(sender) +
            bytes(6) + socket.inet_aton(target))


@pytest.fixture(scope="module")
def contested(segments, leased):
    """A LAN whose client1 holds two addresses that the server has reserved for two projects: one probes, one trusts."""
    segment = segments()
    projects = {probes: leased(segment=segment, arp_probe=probes) for probes in (True, False)}
    taken = {True: segment.v4(140), False: segment.v4(141)}
    for address in taken.values():
        segment.client.run(["ip", "address", "add", f"{address}/24", "dev", segment.client.interface])
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(199)),
                     hosts=[f"id:{project.name},{taken[probes]}" for probes, project in projects.items()]).start()
    return projects, taken, server


@pytest.fixture(scope="module")
def exhausted(segments, leased):
    """A LAN with one address for two projects, one of which has it."""
    segment = segments()
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(150))).start()
    first, second = (leased(segment=segment, environment={"ANCHORD_DHCP_BACKOFF_MAX": f"{BACKOFF_MAX}s"})
                     for _ in range(2))
    first.up()
    first.wait_leased(server, deadline=15)
    return first, second, server


@pytest.fixture(scope="module", autouse=True)
def all_up(contested, exhausted):
    """Side by side, while the first test waits for probes."""
    up_together([*contested[0].values(), exhausted[1]])


def test_an_address_that_another_host_uses_is_declined(contested, figure):
    """ADDR-13, RFC 5227 2.1: the probe finds him, the server hears of it and offers another; meanwhile Docker's serves."""
    projects, taken, server = contested
    project = projects[True]
    project.wait_answer("tcp", 25, "smtp", deadline=5)
    assert list(project.held(4)) == [project.bootstrap[0]]
    server.wait_logged(rf"DHCPDECLINE\(\S+\) {taken[True]} ", deadline=15)
    project.assert_serves(project.bootstrap[0])
    refused = project.wait_lease_record("lease refused")
    assert (refused["what"], refused["why"], refused["retry_in"]) == (
        taken[True], f"held by MAC {project.segment.client.link_address()}", 10)
    address = wait_until(lambda: next((address for address in project.held(4) if address != project.bootstrap[0]), None), 30,
                         "another address")
    assert address not in taken.values() and address == project.wait_leased(server)
    project.assert_serves(address)
    figure(f"another address {project.seconds_to(project.wait_added(address)):.1f} s after the start")


def test_a_lease_in_use_stays_whoever_asks_for_it_or_claims_it(contested):
    """ADDR-13, RFC 5227 2.4 c: said and defended, and a connection lives on."""
    projects, _, server = contested
    project = projects[True]
    address = project.wait_leased(server, deadline=40)
    project.wait_answer("tcp", 25, "smtp", deadline=5)
    with project.segment.client:
        stranger = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with stranger, project.client.connect(address, 25) as connection:
        stranger.bind((project.segment.client.interface, 0))
        for sender in ["0.0.0.0"] * 8 + [address] * 8:
            stranger.send(arp_request(sender, address))
        said = wait_until(lambda: [record for record in project.records("address conflict")
                                   if record["address"] == address and record["level"] == "ERROR"], 15, "the claim in the log")
        assert said[-1]["err"] == f"held by MAC {STRANGER.hex(':')}"
        wait_until(connection.alive, 15, "the connection after the claims")
    assert list(project.held(4)) == [address] and not project.lease_records("lease lost")
    assert server.count(r"DHCPDECLINE") == 1  # at the start


def test_without_the_probe_the_other_host_is_found_too_late(contested):
    """ADDR-13: what ANCHORD_DHCP_ARP_PROBE=false trades away. Once he says that he is there, the log names him."""
    projects, taken, server = contested
    project = projects[False]
    assert project.wait_leased(server) == taken[False]
    assert not server.count(rf"DHCPDECLINE\(\S+\) {taken[False]} ")
    segment = project.segment
    segment.client.run(["arping", "-q", "-U", "-c", "1", "-I", segment.client.interface, taken[False]])
    conflict = wait_until(lambda: [record for record in project.records("address conflict")
                                   if record["address"] == taken[False]], 15, "the conflict in the log")[-1]
    assert conflict["err"] == f"held by MAC {segment.client.link_address()}"


def test_an_exhausted_pool_leaves_the_bootstrap_address_and_is_asked_again(exhausted, figure):
    """ADDR-6: no silence longer than ANCHORD_DHCP_BACKOFF_MAX; the address is had soon after the other project's release."""
    first, second, server = exhausted
    second.assert_serves(second.bootstrap[0])
    assert second.exec(ANCHOR, "/usr/bin/anchord", "healthcheck").returncode == 0
    assert second.segment.client.probe("tcp", first.at(4), 25).startswith("smtp ")
    asked = []
    with second.segment.server.capture() as capture:
        def enough():
            asked[:] = [packet.when for packet, message in dhcp.messages4(capture.packets) if message.kind == dhcp.DISCOVER]
            return len(asked) >= 5
        wait_until(enough, 8 * BACKOFF_MAX, "five solicitations")
    gaps = [later - earlier for earlier, later in zip(asked, asked[1:])]
    figure(f"silence between solicitations at most {max(gaps):.1f} s")
    assert max(gaps) < BACKOFF_MAX + 2
    address = first.at(4)
    first.compose("stop", ANCHOR)
    assert second.wait_leased(server, deadline=BACKOFF_MAX + 5) == address
    second.assert_serves(address)


def test_two_projects_with_one_name_are_told_so_and_take_turns_slowly(segments, leased, figure):
    """ADDR-5, ADDR-6: a server takes both for one client and each one's address away from it; none of them asks at once."""
    segment = segments()
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(199))).start()
    first, second = (leased(segment=segment, arp_probe=True, environment={"ANCHORD_DHCP_HOSTNAME": "twin"}) for _ in range(2))
    first.up()
    address = first.wait_lease_record("lease acquired", deadline=20)["address"]
    second.up()
    assert second.wait_lease_record("lease refused", deadline=20)["what"] == address
    assert wait_until(lambda: first.records(TWIN), 5, "the other one in the log")[0]["client_id"] == "twin"
    told = wait_until(lambda: [record for project in (first, second) for record in project.lease_records("lease refused")
                               if record["why"].endswith("has our client identifier")], 120, "somebody who waits for the other")
    assert told[0]["retry_in"] >= 10
    figure(f"{server.count('DHCPDECLINE')} times declined in {first.seconds_to(told[0]):.0f} s")
    assert server.count("DHCPDECLINE") <= 6
    assert len(first.records(TWIN)) == 1
