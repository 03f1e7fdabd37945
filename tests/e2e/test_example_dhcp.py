"""compose/example-dhcp.yaml on top of example.yaml, both as shipped, on a LAN with DHCP servers and a router."""

import pytest

from direct import ANCHOR, FAMILIES
from lab import pages
from lab.dhcp import Dnsmasq, Radvd, client_identifier
from lab.machine import wait_until
from lab.segment import OUTSIDE_PORT, OUTSIDE_V4, OUTSIDE_V6

NAME = "mail"  # the default that the file's comment names


@pytest.fixture(scope="module")
def server(segments):
    segment = segments()
    Radvd(segment, managed=True).start()
    return Dnsmasq(segment, (segment.v4(150), segment.v4(199)), (segment.v6("100"), segment.v6("1ff")),
                   hosts=[f"id:{NAME},{segment.v4(200)}"]).start()


def test_the_dhcp_example_has_the_reserved_address(server, project, anchord_image):
    """ADDR-2, ADDR-5, as a stranger gets it: with the ARP probe, and the address that docs/dhcp.md shows how to reserve."""
    segment = server.segment
    (file, *overrides), _ = pages.compose_files(pages.command("compose/example-dhcp.yaml", "docker compose"))
    example = project(file, name="mail-dhcp", overrides=overrides,
                      environment={"LAN_NETWORK": segment.network, "PROJECT_IPV4": segment.v4(40),
                                   "PROJECT_IPV6": segment.docker_v6(40)})
    def answers(address):
        return lambda: segment.client.probe("tcp", address, 25, timeout=0.3).startswith("smtp ")
    wait_until(answers(segment.v4(40)), 10, "smtp at the bootstrap address")
    leases = wait_until(lambda: (found := {4 + 2 * (":" in lease.address): lease for lease in server.leases()})
                        if len(server.leases()) == 2 else None, 10, "both leases")
    assert (leases[4].address, leases[4].hostname, leases[4].client) == (segment.v4(200), NAME, client_identifier(NAME))
    for family, outside in zip(FAMILIES, (OUTSIDE_V4, OUTSIDE_V6)):
        address = leases[family].address
        wait_until(answers(address), 10, f"smtp at {address}")
        seen = segment.client.probe("tcp", address, 25).split()[1]
        assert seen == segment.client.addresses[FAMILIES.index(family)]
        wait_until(lambda f=family, a=address, o=outside: example.probe("imap", "tcp", o[0], OUTSIDE_PORT).split()[1:2] == [a], 5,
                   f"egress from {address}")
    anchor = example.inspect(ANCHOR)["HostConfig"]
    assert "NET_BIND_SERVICE" in {name.removeprefix("CAP_") for name in anchor["CapAdd"]} and anchor["ReadonlyRootfs"]
