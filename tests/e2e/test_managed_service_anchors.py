"""Managed service-anchors with real engines (LIFE-2, LIFE-3): a container that Compose does not know leaves past the anchor
without one, and with the project's address with one; and so do those that are in the service-anchor's namespace.
"""

import pytest

from direct import ANCHOR, FAMILIES, mail_services
from lab import compose, images
from lab.instance import OUTSIDE_PORT
from lab.machine import LabError, wait_until
from service_anchors import ServiceAnchors

CAPABILITIES = {"NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"}

pytestmark = pytest.mark.not_on("podman", "it removes no container before those that live in its namespace")


class Managed(ServiceAnchors):
    """A project whose network-anchor has one managed service-anchor, for a container that the tests spawn."""

    def __init__(self, lab, name):
        self.target, self.anchor_name, self.beside = f"{name}-spawned", f"{name}-own", f"{name}-beside"
        super().__init__(lab, mail_services(), name=name, proxy=False, environment={
            "ANCHORD_MANAGED_SA_TARGET": self.target, "ANCHORD_MANAGED_SA_NAME": self.anchor_name,
            "ANCHORD_MANAGED_SA_LABELS": '{"tests": "yes"}',
            "ANCHORD_MANAGED_SA_EXTRA_ENV": '{"ANCHORD_METRICS_ADDR": "", "GREETING": "\\u00e9 $$ \\""}'})

    def spawn(self):
        """As a program that is no Compose would."""
        self.lab.docker("run", "--detach", "--name", self.target, "--network", f"{self.name}_transit", images.SERVICES,
                        "services", "--name", "spawned")

    def pin(self):
        """A container in the service-anchor's namespace, which Docker stores by its ID."""
        self.lab.docker("run", "--detach", "--name", self.beside, "--network", f"container:{self.anchor_name}",
                        images.SERVICES, "services", "--name", "beside")

    def remove(self, *names):
        for name in names:
            self.lab.docker("rm", "--force", name, check=False)  # there may be none

    def identity(self, name):
        """Its ID; empty: there is no such container."""
        return self.lab.docker("inspect", "--format", "{{.Id}}", name, check=False).stdout.strip()

    def leaves_as_project(self, name, family):
        """What a host outside sees as the source of the container's connection is the project's address."""
        outside = self.lab.outside.addresses[FAMILIES.index(family)]
        try:
            namespace = self.lab.container_namespace(self.identity(name))
            answer = namespace.probe("tcp", outside, OUTSIDE_PORT, timeout=0.5).split()
        except LabError:
            return False  # it does not run at this moment
        return len(answer) == 3 and answer[1] == self.at(family)

    def wait_leaves(self, name):
        for family in FAMILIES:
            wait_until(lambda f=family: self.identity(name) and self.leaves_as_project(name, f), 60,
                       f"{name} leaves as the project, IPv{family}")

    def discard(self):
        self.remove(self.beside, self.anchor_name, self.target)
        super().discard()


@pytest.fixture
def managed(request, lab, anchord_image):
    made = Managed(lab, compose.unique_name("managed"))
    with compose.discarded_afterwards(request, made):
        yield made.ready()


@pytest.mark.every_engine
def test_life2_a_spawned_container_leaves_as_the_project(managed):
    """From its birth on; before and without that it does not. Then its target is made anew, and it itself destroyed."""
    managed.compose("stop", ANCHOR)
    managed.spawn()
    assert not managed.identity(managed.anchor_name)
    assert not any(managed.leaves_as_project(managed.target, family) for family in FAMILIES), "the breakage"
    managed.compose("start", ANCHOR)
    managed.wait_leaves(managed.target)
    made = managed.lab.engine.inspect(managed.anchor_name)
    assert made["HostConfig"]["NetworkMode"] == f"container:{managed.identity(managed.target)}"
    assert made["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert {name.removeprefix("CAP_") for name in made["HostConfig"]["CapAdd"]} == CAPABILITIES
    assert made["HostConfig"]["CapDrop"] == ["ALL"] and made["HostConfig"]["ReadonlyRootfs"]
    assert made["Config"]["Labels"].items() >= {"anchord.managed-by": "f45", "tests": "yes"}.items()
    assert made["Image"] == managed.inspect(ANCHOR)["Image"]
    gateways = ",".join(managed.address(ANCHOR, "transit", family) for family in FAMILIES)
    assert {"ANCHORD_MODE=service-anchor", f"ANCHORD_GATEWAY_IP={gateways}", "ANCHORD_LOG_LEVEL=INFO",
            'GREETING=é $ "'} <= set(made["Config"]["Env"])

    managed.remove(managed.target)
    managed.spawn()
    managed.wait_leaves(managed.target)
    second = managed.identity(managed.anchor_name)
    assert second != made["Id"], "Docker had stored the ID of the first target"

    managed.remove(managed.anchor_name)
    wait_until(lambda: managed.identity(managed.anchor_name) not in ("", second), 60, "another service-anchor")
    managed.wait_leaves(managed.target)


@pytest.mark.every_engine
def test_life3_what_is_pinned_follows(managed):
    """Docker shows it as running although it has no network any more; then it is in the new namespace."""
    managed.spawn()
    managed.wait_leaves(managed.target)
    managed.pin()
    managed.wait_leaves(managed.beside)
    old, pinned = managed.identity(managed.anchor_name), managed.identity(managed.beside)
    managed.compose("stop", ANCHOR)
    managed.remove(managed.target)
    managed.spawn()
    assert managed.identity(managed.beside) == pinned
    assert not managed.leaves_as_project(managed.beside, 4), "the breakage"
    managed.compose("start", ANCHOR)
    managed.wait_leaves(managed.target)
    managed.wait_leaves(managed.beside)
    assert managed.identity(managed.anchor_name) != old and managed.identity(managed.beside) != pinned


def test_life2_an_older_image_is_replaced_once_at_our_start(managed):
    """The same programs under another ID: `docker commit` of what was made."""
    managed.spawn()
    managed.wait_leaves(managed.target)
    older = f"{managed.name}:older"
    managed.lab.docker("commit", managed.anchor_name, older)
    managed.compose("stop", ANCHOR)
    managed.remove(managed.anchor_name)
    managed.lab.docker("run", "--detach", "--name", managed.anchor_name, "--network", f"container:{managed.target}",
                       "--cap-add", "NET_ADMIN", "--restart", "unless-stopped", "--label", "anchord.managed-by=f45", older)
    first = managed.identity(managed.anchor_name)
    managed.compose("start", ANCHOR)
    wait_until(lambda: managed.identity(managed.anchor_name) not in ("", first), 60, "another service-anchor")
    managed.wait_leaves(managed.target)
    assert managed.lab.engine.inspect(managed.anchor_name)["Image"] == managed.inspect(ANCHOR)["Image"]
    wait_until(lambda: not managed.identity(first), 60, "the old one is removed")
    managed.lab.docker("rmi", older)
