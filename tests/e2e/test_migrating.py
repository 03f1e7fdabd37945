"""docs/migrating.md: a Compose file of the shape that the original anchord's public documentation shows, with this image in it and
nothing else changed: one capability, Docker's others as they come, both networks internal, the socket behind a proxy, the
service-anchor's role by variable, the network-anchor found by the name `anchord`.
"""

import json

import pytest

from direct import IMAGE
from lab import compose, images
from lab.instance import OUTSIDE_PORT
from lab.machine import wait_until

ADDRESS = "10.99.0.67"
SERVICES = {"smtp": ("25", "465", "587"), "imap": ("143", "993")}


def service_anchor(ports):
    return {"image": IMAGE, "cap_add": ["NET_ADMIN"], "environment": {"ANCHORD_MODE": "service-anchor"},
            "networks": ["transit", "backend"], "labels": {"anchord.expose": ",".join(f"tcp/{port}" for port in ports)},
            "restart": "unless-stopped"}


def application(name, ports):
    arguments = ["--tcp", ",".join(ports)]
    return compose.echo_service(name, *arguments, network_mode=f"service:{name}-anchor", depends_on=[f"{name}-anchor"])


def definition():
    inside = {"driver": "bridge", "internal": True}
    services = {
        "anchord": {
            "image": IMAGE, "cap_add": ["NET_ADMIN"], "mac_address": "02:4c:4b:50:0a:01",
            "sysctls": {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.all.accept_ra": "2"},
            "environment": {"ANCHORD_PROJECT": "${COMPOSE_PROJECT_NAME}", "ANCHORD_EXT_NETWORK": compose.LAN_NETWORK,
                            "ANCHORD_DHCP_HOSTNAME": "mail", "ANCHORD_LOG_LEVEL": "info",
                            "DOCKER_HOST": "tcp://docker-proxy:2375"},
            "networks": {"dmz": {"ipv4_address": ADDRESS}, "transit": {}}, "depends_on": ["docker-proxy"],
            "restart": "unless-stopped"},
        "docker-proxy": {
            "image": images.SOCKET_PROXY, "environment": {"CONTAINERS": 1, "EVENTS": 1, "INFO": 1, "NETWORKS": 1},
            "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"], "networks": ["transit"], "restart": "unless-stopped"},
        "database": compose.echo_service("database", "--tcp", "3306", networks=["backend"])}
    for name, ports in SERVICES.items():
        services |= {f"{name}-anchor": service_anchor(ports), name: application(name, ports)}
    return {"networks": {"transit": inside, "backend": inside,
                         "dmz": {"external": True, "name": compose.LAN_NETWORK}}, "services": services}


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "the original ran on Docker alone")
def test_an_originals_file_works_with_this_image_as_it_is(lab, project, anchord_image):
    """SPEC 5, NAT-1, NAT-2, NAT-8, NAT-10: each port answers and sees the client, what leaves has the project's address, the
    database is nobody's on the LAN; and nothing of what is configured is an error."""
    made = project(definition())
    client = lab.lanhost1
    for name, ports in SERVICES.items():
        for port in map(int, ports):
            answer = wait_until(lambda n=name, p=port: (said := client.probe("tcp", ADDRESS, p, timeout=0.3)).startswith(f"{n} ")
                                and said, 30, f"{name} on tcp/{port}")
            assert answer.split()[1] == client.addresses[0]
        wait_until(lambda n=name: made.probe(n, "tcp", lab.outside.addresses[0], OUTSIDE_PORT, timeout=1).split()[1:2] == [ADDRESS],
                   20, f"{name} leaves with the project's address")
    assert client.probe("tcp", ADDRESS, 3306) == "refused"
    configured = json.loads(made.exec("anchord", "anchord", "config", "--json").stdout)
    assert (configured["errors"], configured["warnings"]) == ([], [])
