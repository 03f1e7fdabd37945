"""What ends and comes back keeps its address (ADDR-5, ADDR-8): clients, workers, supervisor, container, another MAC; two
projects on one LAN; and who tells the server that he goes.
"""

import os
import pathlib
import signal

import pytest

from direct import ANCHOR, FAMILIES
from lab import dhcp_messages as dhcp
from lab.dhcp import Dnsmasq, Radvd
from lab.machine import wait_until
from leases import up_together

CLIENT = "dhcpcd"
VICTIMS = (CLIENT, "anchord-netadmin", "anchord-watcher", "anchord")


@pytest.fixture(scope="module")
def setting(segments, leased):
    """A server and two projects on one LAN, both with leases of both protocols; an address is reserved for the first."""
    segment = segments()
    made = [leased(segment=segment), leased(segment=segment)]
    Radvd(segment, managed=True).start()
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(199)), (segment.v6("100"), segment.v6("1ff")),
                     hosts=[f"id:{made[0].name},{segment.v4(200)}"]).start()
    up_together(made)
    for project in made:
        for family in FAMILIES:
            project.wait_leased(server, family, deadline=15)
            project.wait_answer("tcp", 25, "smtp", family=family)
    return made, server


@pytest.fixture
def projects(setting):
    return setting[0]


@pytest.fixture
def server(setting):
    return setting[1]


@pytest.fixture
def project(projects):
    return projects[0]


def test_two_projects_on_one_lan_have_two_leases(projects):
    """ADDR-5: neither gets, answers at or leaves by the other's."""
    first, second = projects
    assert not set(first.addresses) & set(second.addresses)
    for project in projects:
        for address in project.addresses:
            project.assert_serves(address)
        assert list(project.held(4)) == [project.at(4)]


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_comes_back_to_the_same_address(project, server, victim):
    """ADDR-5, NAT-14: kill -9; connections live on, nothing is released."""
    addresses = project.addresses
    before, clients = project.wait_processes(), project.wait_clients()
    killed, acknowledged = clients if victim == CLIENT else {before[victim]}, server.acknowledged(addresses[0])
    with project.client.connect(addresses[0], 25) as connection, project.segment.server.capture() as capture:
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: project.processes().get(victim) not in (None, *killed), 20, f"another {victim}")
        project.wait_clients(others=killed if victim == CLIENT else ())
        if victim in (CLIENT, "anchord"):
            wait_until(lambda: server.acknowledged(addresses[0]) > acknowledged, 10, "a lease of the new client")
        for family in FAMILIES:
            project.wait_leased(server, family)
        assert connection.alive()
    assert project.addresses == addresses
    assert not dhcp.releases4(capture.packets) and not dhcp.releases6(capture.packets)
    for address in addresses:
        project.assert_serves(address)


def test_a_killed_container_gets_the_same_address_again_and_releases_nothing(project, server):
    """ADDR-5, ADDR-8: PID 1 dies, Docker starts it again."""
    addresses = project.addresses
    with project.segment.server.capture() as capture:
        os.kill(project.inspect(ANCHOR)["State"]["Pid"], signal.SIGKILL)
        wait_until(lambda: project.inspect(ANCHOR)["RestartCount"] and project.state(ANCHOR) == "running", 20, "restart")
        for family in FAMILIES:
            project.wait_leased(server, family, deadline=15)
    assert project.addresses == addresses
    assert not dhcp.releases4(capture.packets) and not dhcp.releases6(capture.packets)
    for address in addresses:
        project.assert_serves(address)


def test_a_new_container_with_another_mac_gets_the_same_addresses(project, server, figure):
    """ADDR-5: identifier, DUID and IAID come from the name alone, so that the reservation holds."""
    assert project.at(4) == project.segment.v4(200)
    addresses, mac = project.addresses, project.segment.client.neighbour(project.at(4))
    with project.edited() as definition:  # Engine 20.10 makes the MAC address from Docker's own one, later engines by chance
        definition["services"][ANCHOR]["networks"]["lan"]["ipv4_address"] = project.segment.v4(77)
    project.recreate(ANCHOR)
    for family in FAMILIES:
        project.wait_leased(server, family, deadline=15)
    assert project.addresses == addresses
    for address in addresses:
        project.assert_serves(address)
    assert project.segment.client.neighbour(addresses[0]) != mac
    elapsed = project.seconds_to(project.wait_added(addresses[0]))
    figure(f"container's start → leased address without ARP probe {elapsed:.2f} s")
    assert elapsed < 2  # 0.2 on a quiet machine


@pytest.mark.parametrize("days", (-400, 400))
def test_a_jump_of_the_clock_costs_nothing(project, server, days):
    """ADDR-6: all timers run on clocks that do not jump. What reads the wall clock is a DHCP client that starts and takes
    a lease's age from its file's time (that clock cannot be set for one namespace: time_namespaces(7))."""
    addresses, clients = project.addresses, project.wait_clients()
    directory = pathlib.Path(f"/proc/{project.inspect(ANCHOR)['State']['Pid']}/root/run/anchord/dhcpcd")
    acknowledged = server.acknowledged(addresses[0])
    files = [path for path in directory.iterdir() if ".lease" in path.name]
    assert len(files) == len(FAMILIES)
    for path in files:
        moment = path.stat().st_mtime - days * 86400
        os.utime(path, (moment, moment))
    with project.client.connect(addresses[0], 25) as connection:
        for pid in clients:
            os.kill(pid, signal.SIGKILL)
        project.wait_clients(others=clients)
        wait_until(lambda: server.acknowledged(addresses[0]) > acknowledged, 10, "a lease of the new client")
        for family in FAMILIES:
            project.wait_leased(server, family)
        assert connection.alive()
    assert project.addresses == addresses
    for address in addresses:
        project.assert_serves(address)


def test_an_ordered_stop_releases_both_leases_before_the_addresses_go(projects, server):
    """ADDR-8: seen on the wire, from an address that still is the project's; the other project keeps its own."""
    project, other = projects
    addresses, mac = project.addresses, project.segment.client.neighbour(project.at(4))
    with project.segment.server.capture() as capture:
        project.compose("stop", ANCHOR)
        wait_until(lambda: not project.lease(server, 4) and not project.lease(server, 6), 5, "the leases' end")
    assert project.inspect(ANCHOR)["State"]["ExitCode"] == 0
    (packet, released), = dhcp.releases4(capture.packets)
    assert (packet.mac, packet.source, released) == (mac, addresses[0], addresses[0])
    assert [packet.mac for packet in dhcp.releases6(capture.packets)] == [mac]
    for family in FAMILIES:
        assert project.wait_lease_record("lease released", family)["address"] == addresses[family == 6]
        assert other.lease(server, family)
    for address in other.addresses:
        other.assert_serves(address)
