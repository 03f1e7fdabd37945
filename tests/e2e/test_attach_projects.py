"""Projects of other people, and odd ones, on the LAN by compose/attach.yaml (SPEC 13), nothing of them changed: by a lease."""

import contextlib

import pytest

from attached import Attachment, differences, settled_snapshot
from lab import compose
from lab.dhcp import Dnsmasq
from lab.machine import wait_until
from lab.segment import OUTSIDE_PORT
from leases import OUTSIDE
from shipped import THIRD_PARTY, ThirdParty, with_lab_images

pytestmark = pytest.mark.not_on("podman", "attach is for Docker's engine; its cgroups and networks are others")

# And the bridges that have a name of their own.
PROJECTS = {"mailcow": "br-mailcow", "nextcloud-aio": "docker0", "immich": None}


@pytest.fixture(scope="module")
def segment(engine_lab, segments):
    """A LAN of its own, on which the host has addresses, too."""
    made = segments()
    engine_lab.topology.ip("engine", f"address add {made.v4(2)}/24 dev {made.parent}",
                           f"address add {made.v6(2)}/64 dev {made.parent} nodad")
    with Dnsmasq(made, (made.v4(100), made.v4(150))):
        yield made


def leased_address(attachment):
    return wait_until(lambda: [found for found in attachment.addresses() if "." in found], 20, "a lease")[0]


def published(project):
    """(service, protocol, port) of what everybody may reach, and the ports of the rest."""
    bindings = {(container["Labels"]["com.docker.compose.service"], port["Type"], port["PublicPort"], port["IP"])
                for container in project.containers() for port in container["Ports"] if "PublicPort" in port}
    return ({binding[:3] for binding in bindings if binding[3] in ("0.0.0.0", "::")},
            {binding[2] for binding in bindings if binding[3] not in ("0.0.0.0", "::")})


def leaving(project):
    return sorted(container["Labels"]["com.docker.compose.service"] for container in project.containers()
                  if container["HostConfig"]["NetworkMode"] != "host")


def problems(attachment):
    return [f"{problem['container']}: {problem['reason']}" for problem in attachment.status()["problems"]]


def check(project, segment, address):
    """HOST-3, 4, 5: ports at the project's address and at the host's, and whom the way out shows."""
    client = segment.client
    exposed, others = published(project)
    assert exposed
    for service, proto, port in exposed:
        for place in (address, segment.v4(2)):
            wait_until(lambda p=proto, n=port, a=place, s=service:
                       client.probe(p, a, n, timeout=0.5).startswith(f"{s} {client.ipv4} "), 10, f"{service} at {place}")
    for port in others:
        for place in (address, segment.v4(2)):
            assert client.probe("tcp", place, port, timeout=0.5) == "refused"
    for service in leaving(project):
        assert project.probe(service, "tcp", OUTSIDE[4][0], OUTSIDE_PORT).split()[1] == address, service


@pytest.fixture
def shipped(request, lab, anchord_image, segment):
    """A factory: (a project of third_party in the lab's images, up; its attachment, not yet made; the host before)."""
    del anchord_image
    with contextlib.ExitStack() as stack:
        def factory(name):
            project = ThirdParty(lab, f"attach-{name}", THIRD_PARTY / f"{name}.yaml")
            project.add_file("lab.yaml", with_lab_images(project))
            bridges = {"ANCHORD_BRIDGES": PROJECTS[name]} if PROJECTS[name] else {}
            attachment = Attachment(lab, project, "dhcp", gateways=None, parent=segment.parent, **bridges)
            stack.enter_context(compose.discarded_afterwards(request, project, attachment))
            project.up()
            return project, attachment, settled_snapshot(lab, project)
        yield factory


@pytest.mark.parametrize("name", ("nextcloud-aio", "immich"))
def test_a_project_as_shipped_is_one_server(lab, shipped, segment, name):
    """HOST-2 to HOST-5, HOST-12: nothing of it is changed; and HOST-8, no trace is left."""
    project, attachment, before = shipped(name)
    attachment.attach()
    check(project, segment, leased_address(attachment))
    wait_until(lambda: attachment.status()["exposures"], 10, "what is exposed")
    assert problems(attachment) == []
    attachment.down()
    assert differences(before, settled_snapshot(lab, project)) == {}


@pytest.mark.every_engine
def test_mailcow_and_both_halves_killed(lab, shipped, segment):
    """The same, of one that filters in the host's network and has ports for the host alone; HOST-8: also after the end of
    everything by SIGKILL, up and down again."""
    project, attachment, before = shipped("mailcow")
    attachment.attach()
    address = leased_address(attachment)
    check(project, segment, address)
    found = wait_until(lambda: len(told := problems(attachment)) == 3 and sorted(told), 10, "what is told of")
    for line, words in zip(found, ("dovecot-mailcow-1: tcp/19991 on 127.0.0.1 is not exposed",
                                   "mysql-mailcow-1: tcp/13306 on 127.0.0.1 is not exposed",
                                   "netfilter-mailcow-1: is in the host's network")):
        assert words in line
    for half in ("host", "identity"):
        attachment.signal(half, "SIGKILL")
    wait_until(lambda: all(attachment.state(half) == "exited" for half in ("host", "identity")), 10, "both are dead")
    attachment.attach()
    check(project, segment, address)
    attachment.down()
    assert differences(before, settled_snapshot(lab, project)) == {}
