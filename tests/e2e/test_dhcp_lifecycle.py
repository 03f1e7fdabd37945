"""The life of a lease (ADDR-6, ADDR-7): renewed, refused, changed, out of reach, run out; and what its user notices.

T1 and the lease times are as short as the servers allow.
"""

import time

import pytest

from direct import ANCHOR
from lab.dhcp import Dnsmasq
from lab.kea import Kea4
from lab.machine import wait_until
from leases import time_of, up_together

RENEW_SECONDS = 3
BRIEF_SECONDS = 20  # what dhcpcd takes at least
ONE_RENEWAL = 30  # seconds: T1, what the supervisor waits for an answer to the renewal, and room


def pool(segment, first, last):
    return segment.v4(first), segment.v4(last)


@pytest.fixture(scope="module")
def servers(segments):
    """Three LANs: one to renew on, one whose server changes its pool, one with brief leases."""
    renewing, rotating, brief = segments(), segments(), segments()
    return {"renewing": Dnsmasq(renewing, pool(renewing, 150, 159), renew=RENEW_SECONDS).start(),
            "rotating": Dnsmasq(rotating, pool(rotating, 150, 159), renew=RENEW_SECONDS).start(),
            "brief": Kea4(brief, pool(brief, 150, 159), lifetime=BRIEF_SECONDS).start()}


@pytest.fixture(scope="module")
def projects(servers, leased):
    """A project on each LAN, with its lease."""
    made = {name: leased(segment=server.segment) for name, server in servers.items()}
    up_together(made.values())
    for name, project in made.items():
        project.wait_leased(servers[name], deadline=15)
        project.wait_answer("tcp", 25, "smtp")
    return made


def process_identities(project):
    """PIDs of everything but the DHCP client and of the service: what did not start again."""
    found = project.processes()
    return {name: pid for name, pid in found.items() if name != "dhcpcd"}, project.inspect("smtp")["State"]["Pid"]


def test_silence_until_expiry_brings_the_bootstrap_address_back(projects, servers):
    """ADDR-6: the lease is removed when it runs out; the project is reached at Docker's address, and leased again."""
    project, server = projects["brief"], servers["brief"]
    address = project.at(4)
    project.wait_only(address)
    server.kill()
    project.move(project.bootstrap[0])
    project.wait_answer("tcp", 25, "smtp", deadline=BRIEF_SECONDS + 8)
    project.assert_serves(project.bootstrap[0])
    assert list(project.held(4)) == [project.bootstrap[0]]
    lost = project.wait_lease_record("lease lost")
    assert (lost["level"], lost["address"]) == ("WARN", address)
    server.start()
    assert project.wait_leased(server, deadline=40) == address  # the client asks again after at most 16 s by now
    project.assert_serves(address)


def test_a_renewal_loses_nothing(projects, servers):
    """ADDR-6: a TCP connection and a stream of datagrams over three renewals, inbound and outbound."""
    project, server = projects["renewing"], servers["renewing"]
    client, address = project.client, project.at(4)
    before = server.acknowledged(address)
    with client.connect(address, 25) as connection, client.udp_pinger(address, 25, rate=100) as pinger:
        wait_until(lambda: server.acknowledged(address) >= before + 3, 8 * RENEW_SECONDS, "three renewals")
        assert connection.alive()
        assert connection.identity[1] == client.ipv4
        sent = pinger.sent
        wait_until(lambda: len(pinger.replies) >= sent, 3, "answers to all datagrams")
        assert not pinger.errors
        assert {reply[2] for reply in pinger.replies} == {f"smtp {client.ipv4} {pinger.source_port}"}
    assert project.egress_source() == address
    assert list(project.held(4)) == [address]
    assert len(project.lease_records("lease acquired")) == 1


def test_a_server_that_is_away_for_a_while_changes_nothing(projects, servers):
    """ADDR-6: renewals go unanswered, the address stays, and the next one after its return is answered."""
    project, server = projects["renewing"], servers["renewing"]
    address = project.at(4)
    with project.client.connect(address, 25) as connection:
        server.kill()
        with project.segment.client.capture() as capture:
            wait_until(lambda: [packet for packet in capture.packets if packet.source_port == 68], 20,
                       "a renewal by broadcast that nobody answers")
        server.start()
        before = server.acknowledged(address)
        wait_until(lambda: server.acknowledged(address) > before, ONE_RENEWAL, "a renewal after its return")
        assert connection.alive()
    assert list(project.held(4)) == [address]
    assert not project.lease_records("lease lost")


def test_a_rotated_lease_is_followed_within_a_renewal(projects, servers, figure):
    """ADDR-7: the server's pool is another one, it answers NAK; new connections go to and come from the new address, the
    flow of UDP moves, nothing is restarted."""
    project, server = projects["rotating"], servers["rotating"]
    old, identities = project.at(4), process_identities(project)
    server.stop()
    server.pool4 = pool(project.segment, 180, 189)
    server.forget_leases()
    server.start()
    changed = time.time()
    new = project.wait_leased(server, deadline=ONE_RENEWAL)
    assert new != old and new.startswith(project.segment.v4("18"))
    assert server.count("DHCPNAK") >= 1
    project.assert_serves(new)
    project.wait_only(new)
    assert project.client.probe("tcp", old, 25, timeout=0.5) in ("timeout", "unreachable")
    assert process_identities(project) == identities
    assert project.inspect(ANCHOR)["RestartCount"] == 0
    acquired = project.wait_lease_record("lease acquired", count=2)
    assert (acquired["address"], acquired["level"]) == (new, "INFO")
    figure(f"rotation followed {time_of(acquired['time']) - changed:.1f} s after the server's, T1 {RENEW_SECONDS} s")
