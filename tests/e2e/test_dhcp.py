"""Where the external address comes from (ADDR-2 to ADDR-5): DHCPv4, SLAAC, both, none, stateful DHCPv6, with dnsmasq and
with Kea.

All scenarios run side by side, each a project on a LAN of its own; each test looks at one.
"""

import dataclasses

import pytest

from direct import ANCHOR
from lab.dhcp import Dnsmasq, Radvd, client_identifier
from lab.kea import Kea4, Kea6
from lab.machine import wait_until
from leases import OUTSIDE, up_together

pytestmark = pytest.mark.every_engine
PROBE_SECONDS = 8.0  # from the container's start to the leased address, with RFC 5227's probe; 5.7 on a quiet machine
QUICK_SECONDS = 2.0  # without it; 0.2 to 0.4 on a quiet machine


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What is on the LAN, and what is asked for."""
    dhcp4: type = None
    dhcp6: type = None
    advertises: bool = False
    mode: str = "dhcp-refresh"
    arp_probe: bool = False
    options: tuple = ()  # of dnsmasq, as --dhcp-option takes them


SCENARIOS = {
    "ipv4-only": Scenario(dhcp4=Dnsmasq, options=("26,1400",)),
    "ipv4-only-kea-with-arp-probe": Scenario(dhcp4=Kea4, arp_probe=True),
    "ipv6-only-slaac": Scenario(advertises=True),
    "both": Scenario(dhcp4=Dnsmasq, advertises=True),
    "none": Scenario(),
    "stateful-dhcpv6": Scenario(dhcp4=Dnsmasq, dhcp6=Dnsmasq, advertises=True),
    "stateful-dhcpv6-kea": Scenario(dhcp4=Kea4, dhcp6=Kea6, advertises=True),
    "slaac-ra-only": Scenario(dhcp4=Dnsmasq, dhcp6=Dnsmasq, advertises=True, mode="slaac-ra-only"),
}


@dataclasses.dataclass
class Running:
    scenario: Scenario
    project: object
    server4: object = None
    server6: object = None


def start_servers(scenario, segment):
    """The DHCPv4 and the DHCPv6 server, or None; dnsmasq is both."""
    pool4, pool6 = (segment.v4(150), segment.v4(199)), (segment.v6("100"), segment.v6("1ff"))
    if scenario.advertises:
        Radvd(segment, managed=scenario.dhcp6 is not None).start()
    if scenario.dhcp4 is Dnsmasq:
        server = Dnsmasq(segment, pool4, pool6 if scenario.dhcp6 else None, options=scenario.options).start()
        return server, server if scenario.dhcp6 else None
    return (scenario.dhcp4 and scenario.dhcp4(segment, pool4).start(),
            scenario.dhcp6 and scenario.dhcp6(segment, pool6).start())


@pytest.fixture(scope="module")
def running(segments, leased):
    """Name -> scenario with its servers and its project, all up."""
    found = {}
    for name, scenario in SCENARIOS.items():
        segment = segments()
        servers = start_servers(scenario, segment)
        found[name] = Running(scenario, leased(segment=segment, mode=scenario.mode, arp_probe=scenario.arp_probe), *servers)
    up_together([each.project for each in found.values()])
    return found


def is_ready(project):
    return project.exec(ANCHOR, "/usr/bin/anchord", "healthcheck", check=False).returncode == 0


def leased_default(project):
    """The default route of the lease, of our table; empty without one."""
    lines = project.anchor.run(["ip", "-4", "route", "show", "table", "24942"]).stdout.splitlines()
    return next((line.strip() for line in lines if line.startswith(f"default via {project.segment.v4(1)} ")), "")


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items()
                                  if scenario.dhcp4 and scenario.mode == "dhcp-refresh"])
def test_dhcpv4_leases_the_projects_address(running, name):
    """ADDR-2, ADDR-5: on the interface, in the server's table with host name and client identifier, and in use."""
    project, server = running[name].project, running[name].server4
    address = project.wait_leased(server, 4, deadline=20)
    lease = project.lease(server, 4)
    assert (lease.hostname, lease.client) == (project.name, client_identifier(project.name))
    project.assert_serves(address)
    project.wait_only(address)
    details = project.held(4)[address]
    # The kernel lets the lease end by itself, whatever became of our processes.
    assert details["dynamic"] and 0 < details["valid_life_time"] <= 120
    acquired = project.wait_lease_record("lease acquired")
    assert (acquired["address"], acquired["prefix_length"], acquired["server"]) == (address, 24, project.segment.server.ipv4)


@pytest.mark.parametrize("name,seconds", (("ipv4-only", QUICK_SECONDS), ("ipv4-only-kea-with-arp-probe", PROBE_SECONDS)))
def test_the_leased_address_is_there_soon_after_the_start(running, name, seconds, figure):
    """ADDR-2: one new container alone, without and with the ARP probe."""
    project, server = running[name].project, running[name].server4
    project.recreate(ANCHOR)
    address = project.wait_leased(server, 4, deadline=15)
    elapsed = project.seconds_to(project.wait_added(address))
    client = project.seconds_to(project.wait_lease_record("dhcp client started"))
    figure(f"leased address {elapsed:.2f} s after the container's start, {elapsed - client:.2f} s after the client's")
    assert elapsed < seconds


def test_nat12_the_mtu_that_a_server_gives_counts_behind_routers(running):
    """Option 26, asked for and followed; a server without it changes nothing."""
    for name, suffix in (("ipv4-only", " mtu 1400"), ("both", "")):
        project = running[name].project
        project.wait_leased(running[name].server4, 4, deadline=20)
        wait_until(lambda: leased_default(project).endswith(f"metric 90{suffix}"), 5, f"{name}: default route with {suffix!r}")


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if not scenario.dhcp4
                                  or scenario.mode != "dhcp-refresh"])
def test_without_dhcpv4_the_bootstrap_address_stays(running, name):
    """ADDR-2, ADDR-3: reachable and ready on it; the mode slaac-ra-only asks no DHCP server."""
    project = running[name].project
    wait_until(lambda: is_ready(project), 20, "ready")
    project.assert_serves(project.bootstrap[0])
    assert list(project.held(4)) == [project.bootstrap[0]]
    if running[name].scenario.mode == "slaac-ra-only":
        assert not project.records("dhcp client started")
        assert not running[name].server4.count(r"DHCP(DISCOVER|SOLICIT)")


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.advertises])
def test_slaac_gives_an_address(running, name):
    """ADDR-2, ADDR-3, ADDR-14: the kernel's, with forwarding on; reached there, and at Docker's too."""
    project = running[name].project
    address = project.wait_slaac()
    project.move(address)
    project.wait_answer("tcp", 25, "smtp", family=6)
    assert project.inbound_source(6) == project.client.ipv6
    if not running[name].server6 or running[name].scenario.mode == "slaac-ra-only":
        project.assert_serves(address)
    project.move(project.bootstrap[1])
    project.wait_answer("tcp", 25, "smtp", family=6)


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items()
                                  if scenario.dhcp6 and scenario.mode == "dhcp-refresh"])
def test_dhcpv6_leases_the_projects_address(running, name):
    """ADDR-2, ADDR-5, NAT-8: a /128 beside SLAAC's, by a DUID of type UUID; egress comes from it, to wherever."""
    project, server = running[name].project, running[name].server6
    address = project.wait_leased(server, 6)
    lease = project.lease(server, 6)
    assert (lease.hostname, lease.client[:4], len(lease.client)) == (project.name, "0004", 36)
    details = project.held(6)[address]
    assert details["prefixlen"] == 128 and 0 < details["valid_life_time"] <= 120
    project.assert_serves(address)
    assert project.wait_lease_record("lease acquired", 6)["address"] == address
    assert {project.egress_source(6, number) for number in range(len(OUTSIDE[6]))} == {address}


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if not scenario.advertises])
def test_without_advertisements_ipv6_is_dockers(running, name):
    """ADDR-4: its absence holds IPv4 up in no way, and Docker's address serves."""
    project = running[name].project
    project.assert_serves(project.bootstrap[1])
    assert list(project.held(6)) == [project.bootstrap[1]]


@pytest.mark.parametrize("environment", [
    {"ANCHORD_DHCP_HOSTNAME": "my_proj"},
    {"ANCHORD_LABEL_SELECTOR": "tier=front,identity=my_proj", "ANCHORD_PROJECT": "", "COMPOSE_PROJECT_NAME": ""},
], ids=("name", "selector"))
def test_addr5_an_identifier_carries_the_name_letter_for_letter(segments, leased, environment):
    """A reservation for it goes on; the host name says what a host name may. A selector alone names by its first label."""
    segment = segments()
    server = Dnsmasq(segment, (segment.v4(150), segment.v4(199))).start()
    leased(segment=segment, environment=environment).up()
    wait_until(lambda: [(lease.hostname, lease.client) for lease in server.leases()] == [
        ("my-proj", client_identifier("my_proj"))], 20, "the lease in the server's table")
