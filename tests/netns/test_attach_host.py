"""The host half of attach as a whole (HOST-6, HOST-8, HOST-11): its supervisor with its real workers, and an identity half that
this test plays."""

import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest

import messages
import watcher_attached_lab
from attach_host_lab import LINKS, NAMESPACES, HostHalf, Identity
from attach_lab import ControlGroups, bridge_of, bridges_message, differences, new_id, run_container, settled
from fake_docker import FakeDocker, endpoint, network
from netadmin_lab import Namespace, wait_until
from supervision import is_gone

DETACHED_BY_STOP = {"ANCHORD_ON_STOP": "remove"}


@pytest.fixture
def host():
    made = Namespace()
    made.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan0")
    for name in ("lo", "eth0", "lan0"):
        made.run("ip", "link", "set", name, "up")
    made.run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
    yield made
    made.close()


@pytest.fixture
def inside():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def half(supervision, host):
    made = HostHalf(supervision, host)
    yield made
    made.close()


@pytest.fixture
def meet(inside):
    """Meets the host half, as often as it is called."""
    made = []

    def meet_again(namespace=inside, project="project"):
        made.append(Identity(namespace, project))
        return made[-1]

    yield meet_again
    for identity in made:
        identity.close()


def add_bridge(host):
    network_id = new_id()
    host.run("ip", "link", "add", bridge_of(network_id), "type", "bridge")
    host.run("ip", "link", "set", bridge_of(network_id), "up")
    return network_id, "default", bridge_of(network_id)


def links_of(namespace):
    return {line.split(":")[1].strip().split("@")[0] for line in namespace.run("ip", "-o", "link").splitlines()}


def test_host11_the_halves_meet_and_each_ones_workers_reach_the_others(half, host, inside, meet):
    """Links are made in the namespace that came, a container's sockets reach way, and links says what it has seen."""
    groups, container = ControlGroups(), Namespace()
    try:
        half.start_ready()
        identity = meet()
        identity.receive_until(lambda: set(identity.started) == {LINKS, NAMESPACES})
        network = add_bridge(host)
        host.run("ip", "address", "add", "172.30.0.1/16", "dev", network[2])
        identity.offer(network)
        wait_until(lambda: {"ancext", "ancin0"} <= links_of(inside), "the links in the identity")
        name = new_id()
        groups.start(f"docker/{name}", container)
        number, inode, kinds = identity.ask_namespace(name)
        assert (number, inode, kinds) == (0, os.fstat(container.descriptor).st_ino, [1, 3, 2])
    finally:
        groups.close()
        container.close()


def test_host11_a_newer_identity_takes_the_older_ones_place(half, host, inside, meet):
    half.start_ready()
    older = meet()
    older.receive_until(lambda: len(older.started) == 2)
    network = add_bridge(host)
    older.offer(network)
    wait_until(lambda: "ancin0" in links_of(inside), "the links in the older one")
    successor = Namespace()
    newer = meet(successor)
    newer.receive_until(lambda: len(newer.started) == 2)
    older.receive_until(lambda: older.meeting.recv(messages.LENGTH_MAX, socket.MSG_PEEK) == b"")
    newer.offer(network)
    wait_until(lambda: {"ancext", "ancin0"} <= links_of(successor), "the links in the newer one")
    assert "ancin0" not in links_of(inside)
    successor.close()


@pytest.mark.parametrize("name, number", [("links", LINKS), ("namespaces", NAMESPACES)])
def test_host11_a_worker_that_is_killed_is_started_and_joined_anew(half, host, inside, meet, name, number):
    process = half.start_ready()
    identity = meet()
    identity.receive_until(lambda: len(identity.started) == 2)
    network = add_bridge(host)
    identity.offer(network)
    wait_until(lambda: "ancin0" in links_of(inside), "the links in the identity")
    before = inside.run("ip", "-o", "link")
    os.kill(half.pid_of(process, name), signal.SIGKILL)
    identity.receive_until(lambda: identity.started.count(number) == 2)
    identity.offer(network)
    second = add_bridge(host)
    if number == LINKS:
        identity.offer(network, second)
        wait_until(lambda: "ancin1" in links_of(inside), "a further link")
    assert set(before.splitlines()) <= set(inside.run("ip", "-o", "link").splitlines())


def guard_of(identity):
    return f"anchord_host_{identity.tag:08x}"


def attached(half, host, inside, meet, **environment):
    """A project with a link, the guard and a route to its address; (process, identity, network, the host before)."""
    network = add_bridge(host)
    run_container(host, network[2])
    before = settled(host)
    process = half.start_ready(**environment)
    identity = meet()
    identity.receive_until(lambda: len(identity.started) == 2)
    identity.tell_addresses("192.0.2.5")
    identity.offer(network)
    wait_until(lambda: {"ancext", "ancin0", "anchost"} <= links_of(inside), "the links in the identity")
    wait_until(lambda: guard_of(identity) in host.run("nft", "list", "ruleset"), "the guard")
    wait_until(lambda: "192.0.2.5 via" in host.run("ip", "route"), "the route")
    return process, identity, network, before


@pytest.mark.parametrize("killed", ["links", "namespaces", "supervisor", "everything"])
def test_host8_a_detach_after_a_kill_leaves_the_host_as_it_was(half, host, inside, meet, killed):
    """Also where nobody is left to undo it: the half is started once more for it. Until then the guard stands."""
    process, identity, network, before = attached(half, host, inside, meet, **DETACHED_BY_STOP)
    pids = {name: half.pid_of(process, name) for name in ("links", "namespaces")}
    for name in pids if killed == "everything" else [killed] if killed in pids else []:
        os.kill(pids[name], signal.SIGKILL)
    if killed in pids:
        identity.receive_until(lambda: len(identity.started) == 3)
    else:
        process.process.kill()
        process.wait()
        for pid in pids.values():  # they follow their supervisor
            wait_until(lambda: is_gone(pid), "the worker to end")
        assert guard_of(identity) in host.run("nft", "list", "ruleset")
        process = half.start_ready(**DETACHED_BY_STOP)
        successor = meet()
        successor.receive_until(lambda: len(successor.started) == 2)
        assert guard_of(successor) == guard_of(identity)
        identity = successor
    identity.offer(network)
    identity.receive_answer(network)
    assert process.stop()[0] == 0
    assert {"ancext", "ancin0", "anchost"} & links_of(inside) == set()
    assert not differences(before, settled(host))


@pytest.mark.parametrize("environment, stays", [({"ANCHORD_ON_STOP": "keep"}, True), ({}, True), (DETACHED_BY_STOP, False)],
                         ids=("keep", "unset", "remove"))
def test_host4_host8_what_a_stop_leaves(half, host, inside, meet, environment, stays):
    process, identity, _, before = attached(half, host, inside, meet, **environment)
    status, seconds = process.stop()
    assert status == 0 and seconds < 5
    assert (guard_of(identity) in host.run("nft", "list", "ruleset"), "ancin0" in links_of(inside)) == (stays, stays)
    assert stays or not differences(before, settled(host))


def test_host8_a_dismissal_takes_everything_away(half, host, inside, meet):
    """HOST-8: SIGUSR1, by which detach ends a unit that would leave everything."""
    process, _, _, before = attached(half, host, inside, meet, ANCHORD_ON_STOP="keep")
    process.process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0
    assert {"ancext", "ancin0", "anchost"} & links_of(inside) == set()
    assert not differences(before, settled(host))


def test_host8_a_dismissal_takes_everything_away_while_links_is_between_two_starts(half, host, inside, meet):
    """HOST-8: nobody else could. The macvlan goes with the identity's namespace, which the new one does not know."""
    process, identity, _, before = attached(half, host, inside, meet, ANCHORD_ON_STOP="keep")
    os.kill(half.pid_of(process, "links"), signal.SIGKILL)  # of the first one the successor is there at once
    identity.receive_until(lambda: identity.started.count(LINKS) == 2)
    os.kill(half.pid_of(process, "links"), signal.SIGKILL)
    process.wait_for(msg="starting a worker again", name="links", delay_seconds=1)
    process.process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0
    assert {"ancin0", "anchost"} & links_of(inside) == set()
    assert not differences(before, settled(host))


def test_host8_a_links_that_is_killed_while_it_undoes_things_is_started_once_more(half, host, inside, meet):
    """HOST-8: here by its supervisor, after a second without an end."""
    process, _, _, before = attached(half, host, inside, meet, ANCHORD_ON_STOP="keep")
    os.kill(half.pid_of(process, "links"), signal.SIGSTOP)
    process.process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0
    assert {"ancin0", "anchost"} & links_of(inside) == set()
    assert not differences(before, settled(host))


def test_keep1_each_identity_half_finds_the_host_half_at_work(half, host, inside, meet):
    """KEEP-1: however often it is started anew; that is no crash of links, which would have to wait longer each time."""
    process, identity, network, _ = attached(half, host, inside, meet)
    for number in range(4):
        identity.close()
        wait_until(lambda number=number: len(process.find(msg="worker started", name="links")) == number + 2, "another links")
        identity = meet()
        identity.receive_until(lambda identity=identity: len(identity.started) == 2)
        identity.offer(network)
        identity.receive_answer(network)
    assert not process.find(msg="starting a worker again", name="links")


def test_host6_off_closes_nobody_in(half, host, inside, meet):
    process = half.start_ready(ANCHORD_GUARD="off")
    identity = meet()
    identity.receive_until(lambda: len(identity.started) == 2)
    identity.offer(add_bridge(host))
    wait_until(lambda: "ancin0" in links_of(inside), "the link in the identity")
    assert "table inet anchord_host" not in host.run("nft", "list", "tables")  # that of HOST-2 is another one
    assert process.stop()[0] == 0


def test_host6_what_was_closed_is_closed_again_after_a_boot(half, host, inside, meet, tmp_path):
    """HOST-6: before anybody has told what is on which network, where the host half has a state directory, as its unit does."""
    process, identity, network, _ = attached(half, host, inside, meet, STATE_DIRECTORY=str(tmp_path))
    wait_until(lambda: (tmp_path / "closed-networks").exists(), "the file of what is closed")
    wait_until(lambda: network[2] in host.run("nft", "list", "set", "inet", guard_of(identity), "owned"), "a guard that names it")
    process.process.kill()
    process.wait()
    host.run("nft", "flush", "ruleset")
    half.start_ready(STATE_DIRECTORY=str(tmp_path))
    wait_until(lambda: network[2] in host.run("nft", "list", "set", "inet", guard_of(identity), "owned", check=False), "the guard again")


def test_host6_links_hears_of_what_was_closed_before_it_may_speak(half, supervision, tmp_path):
    """HOST-6: it speaks once it is configured, and by its first word the unit has started."""
    (tmp_path / "closed-networks").write_bytes(bridges_message([(new_id(), "default", "br-1")]))
    supervision.install_stand_in("links", host_address="192.0.2.1")
    process = half.start_ready(STATE_DIRECTORY=str(tmp_path))
    assert [line["type"] for line in process.find(stand_in="links", event="message")] == ["BRIDGES", "CONFIGURE_LINKS"]


def test_host6_a_file_of_what_was_closed_that_is_none_closes_nothing(half, host, tmp_path):
    """HOST-6: it is said, and the host half works."""
    (tmp_path / "closed-networks").write_bytes(b"closed" * 5000)
    process = half.start_ready(STATE_DIRECTORY=str(tmp_path))
    assert process.find(msg="what the guard closes after a boot is not kept: it closes when Docker has told")
    assert "anchord_host_" not in host.run("nft", "list", "tables")


@pytest.fixture
def served(host):
    """A container on a network of the project, as namespaces and Docker know it; (network's ID, what Docker tells of both)."""
    network_id, _, bridge = add_bridge(host)
    name = new_id()
    with contextlib.closing(ControlGroups()) as groups, contextlib.closing(Namespace()) as container:
        host.run("ip", "address", "add", "172.30.0.1/16", "dev", bridge)
        host.run("ip", "link", "add", "port", "type", "veth", "peer", "name", "eth0", "netns", f"/proc/{os.getpid()}/fd/{container.descriptor}")
        host.run("ip", "link", "set", "port", "master", bridge, "up")
        for words in (("link", "set", "lo", "up"), ("link", "set", "eth0", "up"), ("address", "add", "172.30.0.5/16", "dev", "eth0"),
                      ("route", "add", "default", "via", "172.30.0.1")):
            container.run("ip", *words)
        groups.start(f"docker/{name}", container)
        yield (network(network_id, "project_default", "bridge", {"Subnet": "172.30.0.0/16", "Gateway": "172.30.0.1"}) |
               {"Labels": {"com.docker.compose.project": "project"}},
               watcher_attached_lab.member(1, networks={"project_default": endpoint(network_id, "172.30.0.5")}, mode="project_default",
                                           project="project") | {"Id": name})


def test_see1_docker_that_cannot_be_read_from_the_start(half, supervision, inside, served):
    """SEE-1: ANC0329 and ANC0330, with both halves' real workers: nobody knows which links and ways there are to be. Docker
    answers, and they are there."""
    runtime = str(supervision.scratch / "run-identity")

    def problems():
        done = subprocess.run([supervision.build / "daemon" / "anchord", "status", "--json"], capture_output=True, text=True, check=False,
                              env={"RUNTIME_DIRECTORY": runtime})
        return {row["code"] for row in json.loads(done.stdout)["problems"]} if done.returncode == 0 else set()

    half.start_ready()
    supervision.install_real_workers()
    identity = supervision.start(wrap=("nsenter", f"--net=/proc/{os.getpid()}/fd/{inside.descriptor}"), RUNTIME_DIRECTORY=runtime,
                                 ANCHORD_MODE="attach", ANCHORD_ADDRESS="192.0.2.5/24", ANCHORD_EXT_GATEWAY_IP="192.0.2.9",
                                 ANCHORD_METRICS_ADDR=None)
    wait_until(lambda: {"ANC0329", "ANC0330"} <= problems(), "both", 20)
    with contextlib.closing(FakeDocker.on_unix_socket(supervision.docker_socket)) as docker:
        docker.containers.clear()
        docker.networks = {served[0]["Id"]: served[0]}
        docker.put(served[1])
        identity.wait_for(msg="anchord ready", timeout=20)
        wait_until(lambda: not {"ANC0329", "ANC0330"} & problems(), "neither")
        assert {"ancext", "ancin0"} <= links_of(inside)
