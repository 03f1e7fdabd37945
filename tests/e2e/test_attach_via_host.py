"""What only the host can route, for an attached project (SPEC 13): Docker's own firewall, and the lines that attach ends with."""

import pytest

from attached import CommandAttachment, WhoIsIt, ordinary
from direct import FAMILIES
from lab import compose

pytestmark = pytest.mark.not_on("podman", "attach is for Docker's engine; its cgroups and networks are others")
ADDRESSES = ("10.99.0.81", "fd99::81")


def test_host7_another_vlan_is_reached_by_the_host(request, lab, anchord_image, segments):
    """HOST-7, WALL-9: Docker drops it until the lines of `anchord attach` were pasted; then it is reached, with the project's address."""
    del anchord_image
    vlan, engine = segments(), lab.host("engine")
    ours = (vlan.v4(2), vlan.v6(2))
    lab.topology.ip("engine", f"address add {ours[0]}/24 dev {vlan.parent}", f"address add {ours[1]}/64 dev {vlan.parent} nodad",
                    f"address add fe80::2/64 dev {vlan.parent} nodad")
    lab.topology.ip(f"client{vlan.number}", *(f"route add {address} via {gateway}" for address, gateway in zip(ADDRESSES, ours)))
    definition, _ = ordinary(lab)
    project = compose.Project(lab, definition, name=compose.unique_name("vlan"))
    attachment = CommandAttachment(lab, project, f"{ADDRESSES[0]}/24,{ADDRESSES[1]}/64")
    attachment.options += ["--via-host", f"{vlan.v4_subnet},{vlan.prefix()}/64"]

    def answers():
        return [project.probe("web", "tcp", address, server.port, timeout=1) for address, server in zip(vlan.client.addresses, servers)]

    with compose.discarded_afterwards(request, project, attachment):
        project.up()
        said = attachment.attach()
        lines = [line.split() for line in said.splitlines() if line.startswith(("  iptables -I DOCKER-USER", "  ip6tables -I DOCKER-USER"))]
        assert len(lines) == 4, said
        with vlan.client:
            servers = [WhoIsIt(family) for family in FAMILIES]
        try:
            assert answers() == ["timeout", "timeout"]
            for line in lines:
                engine.run(line)
            assert answers() == list(ADDRESSES)
        finally:
            for line in lines:
                engine.run([word.replace("-I", "-D") for word in line], check=False)
            for server in servers:
                server.close()
