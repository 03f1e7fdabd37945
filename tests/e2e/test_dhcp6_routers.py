"""What routers on real LANs do, replayed (ADDR-11, NAT-8, NAT-12): docs/dhcp.md has the table."""

import json

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


@pytest.mark.not_on("bookworm", "engines before 27 have no place for the setting")
def test_on_the_lan_the_project_is_no_router(project):
    """ADDR-14, SPEC 0: no R flag, no address of the subnet's router, no member of ff02::2; an egress and an inbound that
    work, and a plain host's flags."""
    client, address = project.segment.client, project.slaac_address(0) or project.slaac_address(1)
    project.move(address)
    project.assert_serves(address)
    client.run(["ping", "-c1", "-W2", address])
    seen = client.run(["ip", "-6", "neighbour", "show", address]).stdout
    assert "lladdr" in seen and " router" not in seen
    lan = next(link["ifname"] for link in json.loads(project.anchor.run(["ip", "-j", "address"]).stdout)
               if any(item["local"] == address for item in link["addr_info"]))
    groups = project.anchor.run(["ip", "maddress", "show", "dev", lan]).stdout.split()
    assert "ff02::1" in groups and "ff02::2" not in groups
    assert lan not in project.anchor.run(["cat", "/proc/net/anycast6"]).stdout.split()
