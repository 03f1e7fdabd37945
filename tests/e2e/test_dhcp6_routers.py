"""What routers on real LANs do, replayed (ADDR-11, NAT-8, NAT-12): docs/dhcp.md has the table."""

import pytest

from lab.dhcp import Radvd


@pytest.fixture(scope="module")
def radvd(segments):
    return Radvd(segments()).start()


@pytest.fixture(scope="module", autouse=True)
def project(radvd, leased):
    return leased(segment=radvd.segment, mode="slaac-ra-only").up()


def restart(radvd, *indexes):
    """The router is restarted with other prefixes and does not mention the ones before."""
    radvd.stop()
    radvd.prefixes = {radvd.segment.prefix(index): (1800, 3600) for index in indexes}
    for index in indexes:
        radvd.segment.router.run(["ip", "address", "replace", f"{radvd.segment.prefix(index)}1/64", "dev",
                                  radvd.segment.router.interface, "nodad"])
    radvd.start()


def test_egress_follows_the_prefix_that_the_router_advertises_now(project, radvd):
    """NAT-8: up to another one, and back to the first, of which the kernel still has the older address."""
    first = project.wait_slaac(0)
    project.wait_egress(first)
    restart(radvd, 1)
    second = project.wait_slaac(1)
    project.wait_egress(second, deadline=10)
    restart(radvd, 0)
    project.wait_egress(first, deadline=10)
    assert {first, second} <= set(project.held(6))
