"""The role external-rebinder (LIFE-5) with real engines and the real Compose: the incident behind it, replayed whole.

A peer stack is taken down and brought up again while a follower of another project hangs on its network. First what
happens without us, then with compose/example-external-rebinder.yaml as shipped.
"""

import time
import types

import pytest

from direct import IMAGE
from lab import compose, images
from lab.machine import CHECKOUT, wait_until

pytestmark = pytest.mark.not_on("podman", "what Podman tells of other projects' endpoints has not been measured")

BUS, FOLLOWER, REBINDER = "peer-bus", "monitor", "external-rebinder"
# The lowest ones: Docker gives them to whoever comes first and has none of his own.
PEERS = {"db": "172.29.7.2", "app": "172.29.7.3"}
PEER = {
    "services": {
        name: compose.echo_service(name, "--tcp", "80", networks={"bus": {"ipv4_address": address}},
                                   depends_on=["db"] if name == "app" else [])
        for name, address in PEERS.items()},
    "networks": {"bus": {"name": BUS, "ipam": {"config": [{"subnet": "172.29.7.0/24"}]}}},
}


@pytest.fixture(scope="module")
def stacks(request, lab, anchord_image):
    """The peer, and the example; both up."""
    peer = compose.Project(lab, PEER, name="peer")
    own = compose.Project(lab, CHECKOUT / "compose" / "example-external-rebinder.yaml", name="following")
    with compose.discarded_afterwards(request, peer, own):
        peer.up()
        own.up()
        yield types.SimpleNamespace(lab=lab, peer=peer, own=own)


def network_id(stacks):
    """None: there is no such network."""
    return next((network["Id"] for network in stacks.lab.engine.api("GET", "/networks") if network["Name"] == BUS), None)


def endpoint(project, service):
    return project.inspect(service)["NetworkSettings"]["Networks"].get(BUS) or {}


def talks(stacks):
    """The follower reaches each peer at its fixed address, and a peer reaches the follower."""
    if stacks.own.state(FOLLOWER) != "running" or not endpoint(stacks.own, FOLLOWER).get("IPAddress"):
        return False
    answers = [stacks.own.probe(FOLLOWER, "tcp", address, 80, timeout=1) for address in PEERS.values()]
    back = stacks.peer.probe("app", "tcp", endpoint(stacks.own, FOLLOWER)["IPAddress"], 80, timeout=1)
    return all(answer.startswith(f"{name} ") for name, answer in zip(PEERS, answers, strict=True)) \
        and back not in ("refused", "unreachable")


def wait_back(stacks):
    wait_until(lambda: talks(stacks), 90, "follower and peer to reach each other")
    found = endpoint(stacks.own, FOLLOWER)
    assert found["NetworkID"] == network_id(stacks)
    assert {FOLLOWER, "collector"} <= set(found["Aliases"])
    assert {name: endpoint(stacks.peer, name)["IPAddress"] for name in PEERS} == PEERS


def is_removed(stacks):
    """By a `down`; Compose asks once, and may be faster than the follower: then the next one finds nobody in the way."""
    stacks.peer.down(check=False)
    return network_id(stacks) is None


def wait_ready(stacks):
    wait_until(lambda: any(record["msg"] == "anchord ready" for record in stacks.own.json_logs(REBINDER)), 60,
               "the rebinder to be ready")


@pytest.mark.every_engine
def test_without_a_rebinder_the_follower_is_in_the_way_and_then_left_behind(stacks):
    """LIFE-5: what happens without us, and that a rebinder that comes later mends it."""
    wait_back(stacks)
    stacks.own.compose("stop", REBINDER)
    before = network_id(stacks)
    said = stacks.peer.down(check=False)
    assert network_id(stacks) == before and "in use" in said.stderr.lower() or "active endpoints" in said.stderr, said
    stacks.own.compose("stop", "--timeout", "0", FOLLOWER)  # now nobody is in the way
    stacks.peer.down()
    stacks.peer.up()
    assert network_id(stacks) not in (None, before)
    failed = stacks.lab.docker("start", stacks.own.container(FOLLOWER), check=False)
    assert failed.returncode and f"network {before} not found" in failed.stderr, failed
    stacks.own.compose("start", REBINDER)
    wait_back(stacks)


@pytest.mark.every_engine
def test_the_peer_goes_down_and_comes_up_as_if_nobody_followed(stacks, figure):
    """LIFE-5, the incident: `down` removes the network, `up` makes another, and the follower is on it without a hand."""
    wait_ready(stacks)
    wait_back(stacks)
    for _ in range(2):
        before = network_id(stacks)
        wait_until(lambda: is_removed(stacks), 30, "the peer's network to be removed")
        assert stacks.own.state(FOLLOWER) == "running"
        stacks.peer.up()
        started = time.monotonic()
        wait_back(stacks)
        assert network_id(stacks) != before
        figure(f"follower and peer reach each other {time.monotonic() - started:.1f} s after `compose up` of the peer returned")
    assert stacks.own.metric(REBINDER, 'anchord_rebinds_total{result="ok"}') >= 2
    assert stacks.own.http(REBINDER, "/readyz") == "ready\n"
    stacks.own.exec(REBINDER, "anchord", "healthcheck")
    said = stacks.own.compose("up", "--detach", "--pull", "never").stderr
    assert "Recreate" not in said, said


# --- a follower that Compose has not made --------------------------------------------------------------------------------

LONE, LONE_REBINDER = "lone-monitor", "lone-rebinder"
LABELS = {"com.docker.compose.project": "lone", "com.docker.compose.service": "monitor"}
BY_SERVICE = {"COMPOSE_PROJECT_NAME": "lone", "ANCHORD_FOLLOW_NETWORK": BUS, "ANCHORD_FOLLOW_TARGET": "monitor"}
WAYS = {  # the follower's labels, the rebinder's environment
    "by name, no project": ({}, {"ANCHORD_FOLLOW_NETWORK": BUS, "ANCHORD_FOLLOW_TARGET": LONE}),
    "by project and service": (LABELS, BY_SERVICE),
    "white space": (LABELS | {"com.docker.compose.oneoff": "False"}, BY_SERVICE | {
        "ANCHORD_FOLLOW_NETWORK": f" {BUS}\t", "ANCHORD_FOLLOW_TARGET": "\tmonitor ", "ANCHORD_LOG_LEVEL": "  ",
        "DOCKER_HOST": " ", "ANCHORD_FOLLOW_RESTART": " "}),
    "no backoff": (LABELS | {"com.docker.compose.oneoff": "False"}, BY_SERVICE | {"ANCHORD_FOLLOW_EVENT_BACKOFF": "0"}),
    "part of a second": (LABELS | {"com.docker.compose.oneoff": "False"},
                         BY_SERVICE | {"ANCHORD_FOLLOW_EVENT_BACKOFF": "1.5s"}),
}


@pytest.fixture
def lone(request, stacks):
    """A follower and its rebinder, started by `docker run`. Those of the example are away meanwhile: of two followers
    neither leaves the network to its owner."""
    labels, environment = WAYS[request.param]
    docker = stacks.lab.docker
    stacks.own.compose("stop", "--timeout", "1")
    try:
        docker("run", "--detach", "--name", LONE, "--network", BUS, *words("--label", labels), images.SERVICES,
               "services", "--name", LONE)
        docker("run", "--detach", "--name", LONE_REBINDER, "--network", "none", "--read-only", "--tmpfs", "/run",
               "--cap-drop", "ALL", *(word for name in ("SETUID", "SETGID", "SETPCAP", "KILL") for word in ("--cap-add", name)),
               "--volume", "/var/run/docker.sock:/var/run/docker.sock", *words("--env", environment), IMAGE, REBINDER)
        wait_until(lambda: '"anchord ready"' in docker("logs", LONE_REBINDER).stdout, 20, "the rebinder to be ready")
        yield LONE
    finally:
        print(docker("logs", LONE_REBINDER, check=False).stdout)
        for name in (LONE, LONE_REBINDER):
            docker("rm", "--force", name, check=False)
        stacks.own.compose("start", check=False)  # the follower's network is another one now: the rebinder starts it
        wait_back(stacks)


def words(option, values):
    return [word for key, value in values.items() for word in (option, f"{key}={value}")]


def is_among_its_peers(stacks, name):
    found = stacks.lab.engine.inspect(name)["NetworkSettings"]["Networks"].get(BUS) or {}
    if not found.get("IPAddress") or found["NetworkID"] != network_id(stacks):
        return False
    namespace = stacks.lab.container_namespace(name)
    return all(namespace.probe("tcp", address, 80, timeout=1).startswith(f"{peer} ") for peer, address in PEERS.items())


@pytest.mark.every_engine
@pytest.mark.parametrize("lone", WAYS, indirect=True)
def test_life5_a_follower_is_found_however_it_is_named(stacks, lone):
    """By a container's name without any project; by project and service, without what else Compose writes; and what people
    write around the values, which the project before us took: white space, no backoff, a part of a second."""
    before = network_id(stacks)
    wait_until(lambda: is_removed(stacks), 30, "the peer's network to be removed")
    stacks.peer.up()
    wait_until(lambda: is_among_its_peers(stacks, lone), 60, "the follower to reach its peers")
    assert network_id(stacks) != before
