"""Managed service-anchors with real engines (LIFE-2, LIFE-3): compose/example-nextcloud-aio.yaml as shipped, around containers
that no Compose made.

A container that Compose does not know leaves past the network-anchor without a service-anchor, and with the project's
address with one; and so do those that are in the service-anchor's namespace. One running project for all tests; each
leaves it as it found it.
"""

import pytest

from direct import ANCHOR, FAMILIES
from lab import compose, images, pages
from lab.instance import OUTSIDE_PORT
from lab.machine import LabError, run, wait_until
from service_anchors import CAPABILITIES

pytestmark = pytest.mark.not_on("podman", "it removes no container before those that live in its namespace")

NETWORK = "nextcloud-aio"
SUBNETS = ("172.29.9.0/24", "fd29:9::/64")
# The defaults that the file's comment names.
ADDRESSES = ("10.99.0.50", "fd99::50")
APACHE, TALK = "nextcloud-aio-apache", "nextcloud-aio-talk"
BESIDE = "beside"  # in the namespace of APACHE's service-anchor


def anchor_of(name):
    return f"{name}-service-anchor"


class Cloud(compose.Project):
    """The example, and what is spawned beside it."""

    def __init__(self, lab):
        (file,), _ = pages.compose_files(pages.command("compose/example-nextcloud-aio.yaml", "docker compose -f example-nextcloud-aio.yaml up"))
        super().__init__(lab, file, name="cloud-anchor")
        lab.docker("network", "create", "--ipv6", *(word for subnet in SUBNETS for word in ("--subnet", subnet)), NETWORK)

    def run(self, name, network, *arguments, options=()):
        """As a program that is no Compose would."""
        self.lab.docker("run", "--detach", "--name", name, "--network", network, *options, images.SERVICES, "services",
                        "--name", name, *arguments)

    def spawn(self, name, *arguments):
        self.run(name, NETWORK, *arguments)

    def remove(self, *names):
        for name in names:
            self.lab.docker("rm", "--force", name, check=False)  # there may be none

    def identity(self, name):
        """Its ID; empty: there is no such container."""
        return self.lab.docker("inspect", "--format", "{{.Id}}", name, check=False).stdout.strip()

    def source(self, name, family):
        """As whom a host outside sees the container; None when it reaches none."""
        outside = self.lab.outside.addresses[FAMILIES.index(family)]
        try:
            namespace = self.lab.container_namespace(name)
            answer = namespace.probe("tcp", outside, OUTSIDE_PORT, timeout=0.5).split()
        except LabError:
            return None  # it is not there, or does not run, at this moment
        return answer[1] if len(answer) == 3 else None

    def wait_leaves(self, name):
        """With the project's addresses."""
        for family, address in zip(FAMILIES, ADDRESSES, strict=True):
            wait_until(lambda f=family, a=address: self.source(name, f) == a, 60,
                       f"{name} leaves as the project, IPv{family}")

    def wait_served(self, name, proto, port):
        """A client on the LAN is answered, and seen with its own addresses."""
        client = self.lab.lanhost1
        for seen, address in zip(client.addresses, ADDRESSES, strict=True):
            wait_until(lambda s=seen, a=address: client.probe(proto, a, port, timeout=0.3).startswith(f"{name} {s} "), 60,
                       f"{name} answers on {proto}/{port} of {address}")

    def clear(self):
        """Everything that was spawned or made, also the halves of a recreation; first nobody makes more of it."""
        self.compose("stop", ANCHOR)
        line = pages.command("compose/example-nextcloud-aio.yaml", "docker rm")
        run(["bash", "-c", line], environment=self.lab.engine.environment(), check=False)  # there may be none
        left = self.lab.engine.api("GET", "/containers/json?all=true")
        assert "anchord.managed-by" not in str(left), "the example's line leaves service-anchors"
        self.remove(*(container["Id"] for container in left if any(name in str(container["Names"]) for name in (APACHE, TALK, BESIDE))))

    def discard(self):
        self.clear()
        _, words = pages.compose_files(pages.command("compose/example-nextcloud-aio.yaml", "docker compose -f example-nextcloud-aio.yaml down"))
        self.compose(*words)
        super().discard()
        self.lab.docker("network", "rm", NETWORK)


@pytest.fixture(scope="module")
def project(request, lab, anchord_image):
    made = Cloud(lab)
    with compose.discarded_afterwards(request, made):
        made.up()
        yield made


@pytest.fixture
def cloud(project):
    """The network-anchor runs, and nothing is spawned yet."""
    project.compose("start", ANCHOR)
    yield project
    project.clear()


@pytest.mark.every_engine
def test_life2_a_spawned_container_is_the_projects(cloud):
    """From its birth on; before and without that it is not. Then it is made anew, and its service-anchor destroyed."""
    cloud.compose("stop", ANCHOR)
    cloud.spawn(APACHE, "--tcp", "443", "--udp", "443")
    assert not cloud.identity(anchor_of(APACHE))
    assert cloud.source(APACHE, 4) not in (None, ADDRESSES[0]), "the breakage"
    assert cloud.source(APACHE, 6) != ADDRESSES[1], "the breakage"
    cloud.compose("start", ANCHOR)
    cloud.wait_leaves(APACHE)
    for proto in ("tcp", "udp"):
        cloud.wait_served(APACHE, proto, 443)
    made = cloud.lab.engine.inspect(anchor_of(APACHE))
    assert made["HostConfig"]["NetworkMode"] == f"container:{cloud.identity(APACHE)}"
    assert made["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert {name.removeprefix("CAP_") for name in made["HostConfig"]["CapAdd"]} == set(CAPABILITIES)
    assert made["HostConfig"]["CapDrop"] == ["ALL"] and made["HostConfig"]["ReadonlyRootfs"]
    assert made["Config"]["Labels"].items() >= {"anchord.managed-by": "f45", "identity": "cloud"}.items()
    assert made["Image"] == cloud.inspect(ANCHOR)["Image"]
    gateways = ",".join(cloud.address(ANCHOR, NETWORK, family) for family in FAMILIES)
    assert {"ANCHORD_MODE=service-anchor", f"ANCHORD_GATEWAY_IP={gateways}", "ANCHORD_LOG_LEVEL=INFO"} \
        <= set(made["Config"]["Env"])

    cloud.remove(APACHE)
    cloud.spawn(APACHE, "--tcp", "443")
    cloud.wait_leaves(APACHE)
    second = cloud.identity(anchor_of(APACHE))
    assert second != made["Id"], "Docker had stored the ID of the first target"
    wait_until(lambda: not cloud.identity(made["Id"]), 60, "the recreation to be over")

    cloud.remove(anchor_of(APACHE))
    wait_until(lambda: cloud.identity(anchor_of(APACHE)) not in ("", second), 60, "another service-anchor")
    cloud.wait_leaves(APACHE)
    cloud.wait_served(APACHE, "tcp", 443)
    wait_until(lambda: cloud.metric(ANCHOR, 'anchord_rebinds_total{result="ok"}') >= 3, 60, "three repairs to be counted")


def test_life2_a_second_target_and_a_network_anchor_with_another_address(cloud):
    """SA-5: the other container takes the address that the network-anchor had."""
    cloud.spawn(TALK, "--tcp", "3478", "--udp", "3478")
    cloud.wait_served(TALK, "tcp", 3478)
    first = cloud.identity(anchor_of(TALK))
    was = cloud.address(ANCHOR, NETWORK)
    cloud.compose("stop", ANCHOR)
    cloud.run(APACHE, NETWORK, options=("--ip", was))
    assert cloud.source(TALK, 4) != ADDRESSES[0], "the breakage"
    cloud.compose("start", ANCHOR)
    assert cloud.address(ANCHOR, NETWORK) != was
    cloud.wait_leaves(TALK)
    cloud.wait_served(TALK, "udp", 3478)
    assert cloud.identity(anchor_of(TALK)) != first


@pytest.mark.every_engine
def test_life3_what_is_pinned_follows(cloud):
    """Docker shows it as running although it has no network any more; then it is in the new namespace."""
    cloud.spawn(APACHE)
    cloud.wait_leaves(APACHE)
    cloud.run(BESIDE, f"container:{anchor_of(APACHE)}")
    cloud.wait_leaves(BESIDE)
    old, pinned = cloud.identity(anchor_of(APACHE)), cloud.identity(BESIDE)
    cloud.compose("stop", ANCHOR)
    cloud.remove(APACHE)
    cloud.spawn(APACHE)
    assert cloud.identity(BESIDE) == pinned
    assert not cloud.source(BESIDE, 4), "the breakage"
    cloud.compose("start", ANCHOR)
    cloud.wait_leaves(APACHE)
    cloud.wait_leaves(BESIDE)
    assert cloud.identity(anchor_of(APACHE)) != old and cloud.identity(BESIDE) != pinned


def test_life2_an_older_image_is_replaced_once_at_our_start(cloud):
    """The same programs under another ID: `docker commit` of what was made."""
    older = "anchord-managed:older"
    cloud.spawn(APACHE)
    cloud.wait_leaves(APACHE)
    cloud.lab.docker("commit", anchor_of(APACHE), older)
    cloud.compose("stop", ANCHOR)
    cloud.remove(anchor_of(APACHE))
    cloud.lab.docker("run", "--detach", "--name", anchor_of(APACHE), "--network", f"container:{APACHE}", "--cap-add",
                     "NET_ADMIN", "--restart", "unless-stopped", "--label", "anchord.managed-by=f45", older)
    first = cloud.identity(anchor_of(APACHE))
    cloud.compose("start", ANCHOR)
    wait_until(lambda: cloud.identity(anchor_of(APACHE)) not in ("", first), 60, "another service-anchor")
    cloud.wait_leaves(APACHE)
    assert cloud.lab.engine.inspect(anchor_of(APACHE))["Image"] == cloud.inspect(ANCHOR)["Image"]
    wait_until(lambda: not cloud.identity(first), 60, "the old one is removed")
    cloud.lab.docker("rmi", older)
