"""A real DHCP server whose pool lies inside a Docker network of the anchor (WALL-2): refused by name, nothing else changes, and
an honest pool is taken when there is one.
"""

import ipaddress

import pytest

from direct import ANCHOR, FAMILIES
from lab.dhcp import Radvd
from lab.kea import Kea4, Kea6

pytestmark = pytest.mark.every_engine


class Inner4(Kea4):
    """Its subnet is none of the LAN's: Kea serves what it is told, on the interface that it is told."""

    def __init__(self, segment, network):
        self.inner = ipaddress.ip_network(network)
        super().__init__(segment, (str(self.inner[70]), str(self.inner[79])))

    @property
    def subnet(self):
        return str(self.inner)

    def _subnet_options(self):
        return {"interface": self.segment.server.interface}


class Inner6(Kea6):
    def __init__(self, segment, network):
        self.inner = ipaddress.ip_network(network)
        super().__init__(segment, (str(self.inner[0x70]), str(self.inner[0x79])))

    @property
    def subnet(self):
        return str(self.inner)


@pytest.fixture(scope="module")
def project(segments, leased):
    """Its network `control` is one that only the kernel tells netadmin of; `transit` is the shared one."""
    segment = segments()
    made = leased(segment=segment, environment={"ANCHORD_DHCP_BACKOFF_MAX": "1s"})
    Radvd(segment, managed=True).start()
    made.inner_servers = [Inner4(segment, made.control).start(), Inner6(segment, made.transit[1]).start()]
    return made.up()


def way_to(project, address):
    """The interface that the anchor's kernel chooses."""
    words = project.anchor.run(["ip", "route", "get", address]).stdout.split()
    return words[words.index("dev") + 1]


def interface_of(project, address):
    lines = project.anchor.run(["ip", "-oneline", "address"]).stdout.splitlines()
    return next(line.split()[1] for line in lines if f" {address}/" in line)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_leased_address_inside_another_network_is_refused_by_name(project, family):
    refused = project.wait_lease_record("lease refused", family, deadline=30)
    network = project.inner_servers[FAMILIES.index(family)].inner
    assert ipaddress.ip_address(refused["what"]) in network
    assert str(network) in refused["why"] or refused["why"] == "in a subnet of transit"
    if family == 4:
        project.assert_serves(project.bootstrap[0])
    else:  # what serves is Docker's, the way out is by the router's prefix
        project.wait_answer("tcp", 25, "smtp", family=6)
        project.wait_egress(project.wait_slaac())


def test_the_way_to_the_other_network_stays(project):
    own = project.address(ANCHOR, "control")
    assert way_to(project, project.inner_servers[0].pool[0]) == interface_of(project, own)
    assert list(project.held(4)) == [project.bootstrap[0]]


def test_an_honest_pool_is_taken_then(project):
    for server in project.inner_servers:
        server.stop()
    segment = project.segment
    honest = Kea4(segment, (segment.v4(150), segment.v4(199))).start()
    address = project.wait_leased(honest, deadline=30)
    project.wait_only(address)
    project.assert_serves(address)
