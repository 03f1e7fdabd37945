"""IPv6 addresses that come and go (ADDR-2 to ADDR-4, ADDR-7, ADDR-14, NAT-8): SLAAC, DHCPv6, another prefix.

Whatever there is, egress comes from one address per scope, whatever the destination.
"""

import pytest

from direct import ANCHOR
from lab.dhcp import Dnsmasq, Radvd
from lab.kea import Kea6
from lab.machine import wait_until
from leases import OUTSIDE, up_together

LIFETIME = 15  # of a DHCPv6 lease, in seconds


@pytest.fixture(scope="module")
def networks(segments):
    """Two LANs with SLAAC, one of them with stateful DHCPv6."""
    stateful, plain = segments(), segments()
    return {"stateful": (Radvd(stateful, managed=True).start(),
                         Kea6(stateful, (stateful.v6("100"), stateful.v6("1ff")), lifetime=LIFETIME).start()),
            "plain": (Radvd(plain).start(), None)}


@pytest.fixture(scope="module", autouse=True)
def projects(networks, leased):
    made = {"stateful": leased(segment=networks["stateful"][0].segment),
            "plain": leased(segment=networks["plain"][0].segment, mode="slaac-ra-only")}
    up_together(made.values())
    return made


def egress_sources(project):
    return {project.egress_source(6, number) for number in range(len(OUTSIDE[6]))}


def advertise_another(radvd):
    """The second prefix in the place of the first, which ends in 2 s (RFC 4862, 5.5.3: 2 h at least, so it stays valid, but
    deprecated)."""
    radvd.stop()
    radvd.prefixes = {radvd.segment.prefix(1): (1800, 3600), radvd.segment.prefix(): (0, 2)}
    # The router answers in the new prefix, too.
    radvd.segment.router.run(["ip", "address", "add", f"{radvd.segment.prefix(1)}1/64", "dev",
                              radvd.segment.router.interface, "nodad"])
    radvd.start()


def test_egress_has_one_source_with_slaac_dhcpv6_and_another_prefix(projects, networks):
    """NAT-8: five destinations, one source, at every moment of the change."""
    project, (radvd, server) = projects["stateful"], networks["stateful"]
    leased = project.wait_leased(server, 6, deadline=15)
    slaac = project.wait_slaac(0)
    project.wait_egress(leased)
    assert slaac != leased and egress_sources(project) == {leased}
    advertise_another(radvd)
    new = project.wait_slaac(1)
    wait_until(lambda: project.held(6)[slaac].get("deprecated"), 8, "deprecation of the first prefix")
    assert new in project.held(6) and egress_sources(project) == {leased}
    project.assert_serves(leased)


def test_another_prefix_is_followed_without_dhcp(projects, networks):
    """ADDR-3, NAT-8: SLAAC's address of the prefix that is preferred now; the old one still answers."""
    project, (radvd, _) = projects["plain"], networks["plain"]
    old = project.wait_slaac(0)
    project.assert_serves(old)
    advertise_another(radvd)
    new = project.wait_slaac(1)
    project.wait_egress(new, deadline=8)
    assert egress_sources(project) == {new}
    project.segment.client.run(["ip", "address", "add", f"{project.segment.prefix(1)}11/64", "dev",
                                project.segment.client.interface, "nodad"])
    for address in (new, old):
        project.move(address)
        project.wait_answer("tcp", 25, "smtp", family=6)


def test_a_rotated_dhcpv6_lease_is_followed(projects, networks):
    """ADDR-7: the server's pool is another one."""
    project, (_, server) = projects["stateful"], networks["stateful"]
    old = project.wait_leased(server, 6)
    server.stop()
    server.pool = (project.segment.v6("200"), project.segment.v6("2ff"))
    server.leases_path.unlink()
    server.start()
    wait_until(lambda: (lease := project.lease(server, 6)) and lease.address != old, LIFETIME, "another lease")
    new = project.wait_leased(server, 6)
    project.assert_serves(new)
    wait_until(lambda: old not in project.held(6), LIFETIME + 2, f"removal of {old}")
    assert egress_sources(project) == {new}


def test_a_dhcpv6_lease_that_runs_out_leaves_slaac(projects, networks):
    """ADDR-6, NAT-8: its address goes, egress comes from SLAAC's."""
    project, (_, server) = projects["stateful"], networks["stateful"]
    leased = project.wait_leased(server, 6)
    server.kill()
    wait_until(lambda: leased not in project.held(6), LIFETIME + 5, f"removal of {leased}")
    slaac = project.wait_slaac(1)
    project.wait_egress(slaac)
    assert egress_sources(project) == {slaac}
    assert project.wait_lease_record("lease lost", 6)["address"] == leased


# --- a unique local and a global address in one answer ---


@pytest.fixture
def both_scopes(segments, leased):
    """A project whose server gives an address of Docker's unique local prefix, and one of the advertised prefix."""
    segment = segments()
    segment.server.run(["ip", "address", "replace", f"{segment.docker_v6(3)}/64", "dev", segment.server.interface, "nodad"])
    server = Dnsmasq(segment, pool6=(segment.docker_v6("1:100"), segment.docker_v6("1:1ff")),
                     further6=[(segment.v6("100"), segment.v6("1ff"))]).start()
    Radvd(segment, managed=True).start()
    project = leased(segment=segment)
    project.up()
    return project, server


def test_a_unique_local_and_a_global_address_of_one_identity_both_serve(both_scopes):
    """ADDR-2, ADDR-8, NAT-8: inbound to both, egress to the internet from the global one; status and the log show both, and
    both are given back."""
    project, server = both_scopes
    unique_local, slaac = project.segment.docker_v6("1:1"), project.wait_slaac(0)

    def both():
        found = [lease.address for lease in server.leases() if lease.hostname == project.name and ":" in lease.address]
        return found if len(found) == 2 and set(found) <= set(project.held(6)) else None

    local, leased = sorted(wait_until(both, 15, "both on the anchor's interface"),
                           key=lambda address: not address.startswith(unique_local[:-1]))
    assert local.startswith("fd98:") and leased.startswith(project.segment.prefix()) and leased != slaac
    project.wait_egress(leased)
    assert egress_sources(project) == {leased}
    for address in (local, leased):
        project.move(address)
        for proto in ("tcp", "udp"):
            project.wait_answer(proto, 25, "smtp", family=6, deadline=10)
    assert project.wait_lease_record("lease acquired", 6)["address"] == leased
    assert project.wait_lease_record("further address leased", 6)["address"] == local
    status = project.exec(ANCHOR, "anchord", "status").stdout
    assert f"{local}/128" in status and f"{leased}/128" in status
    project.compose("stop", ANCHOR)
    wait_until(lambda: not [lease for lease in server.leases() if ":" in lease.address], 5, "both to be given back")
