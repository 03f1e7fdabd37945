"""The role wrap-rebinder as a whole: supervisor, keeper, control and exporter (SPEC 1, 8)."""

import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import fake_engine
from keeper_lab import NAME, TARGET, is_in
from supervision import CAP_NET_ADMIN, Supervision, status_of, wait_until

KEEPER_USER = 24943


@pytest.fixture
def supervision(build):
    """In a directory that the keeper's user can reach."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="anchord-rebinder-"))
    directory.chmod(0o755)
    made = Supervision(build, directory)
    yield made
    made.close()
    shutil.rmtree(directory)


@pytest.fixture
def engine(supervision):
    with contextlib.closing(fake_engine.FakeEngine.on_unix_socket(supervision.docker_socket)) as made:
        target = made.add(TARGET, project="mailcow")
        made.add(NAME, joined=target, labels={"anchord.target": TARGET})
        yield made


def start(supervision, role="wrap-rebinder", **options):
    supervision.install_real_workers()
    return supervision.start(arguments=[role], ANCHORD_PROJECT=None, COMPOSE_PROJECT_NAME="mail", **options)


def shown_status(supervision):
    return subprocess.run([supervision.build / "daemon" / "anchord", "status", "--json"], capture_output=True, text=True,
                          check=True, env={"RUNTIME_DIRECTORY": str(supervision.runtime)}).stdout


def test_a_rebinder_is_ready_when_docker_is_there(supervision, engine):
    """SPEC 8: docker_connected; and its status names the role and its workers."""
    process = start(supervision)
    process.wait_for(msg="anchord ready")
    shown = shown_status(supervision)
    assert '"wrap-rebinder"' in shown and '"keeper"' in shown
    lines = subprocess.run([supervision.build / "daemon" / "anchord", "status"], capture_output=True, text=True, check=True,
                           env={"RUNTIME_DIRECTORY": str(supervision.runtime)}).stdout.splitlines()
    assert lines[0].endswith("wrap-rebinder  mail  ready") and lines[1] == "Workers", "nothing of networks"
    engine.recreate(TARGET)
    process.wait_for(msg="container recreated")
    assert is_in(engine, NAME, TARGET)
    assert process.stop()[0] == 0


def problems(supervision):
    shown = subprocess.run([supervision.build / "daemon" / "anchord", "status", "--json"], capture_output=True, text=True,
                           check=True, env={"RUNTIME_DIRECTORY": str(supervision.runtime)}).stdout
    return {problem["container"]: problem["reason"] for problem in json.loads(shown)["problems"]}


def test_status_shows_what_is_not_repaired(supervision, engine):
    """LIFE-4: with the command that repairs it; gone when it is well."""
    lost = engine.add("lost", joined="9" * 64)
    process = start(supervision)
    process.wait_for(msg="anchord ready")
    wanted = "dependent in dead netns: docker compose -p mail up -d --no-deps --force-recreate lost"
    wait_until(lambda: problems(supervision) == {"lost": wanted})
    engine.remove(TARGET)
    wait_until(lambda: problems(supervision).get(NAME) == f"dependent in dead netns: waits for {TARGET} to run")
    engine.add(TARGET, project="mailcow")
    wait_until(lambda: problems(supervision) == {"lost": wanted})
    engine.remove("lost")
    wait_until(lambda: problems(supervision) == {})
    assert lost not in engine.records


def test_the_external_rebinder_as_a_whole(supervision):
    """LIFE-5, SPEC 1, 8: its variables reach the keeper; status shows why the follower is not where it belongs."""
    with contextlib.closing(fake_engine.FakeEngine.on_unix_socket(supervision.docker_socket)) as engine:
        engine.make_network("bus")
        engine.add("guest", project="peer", networks={"bus": {}})
        engine.add("monitor")
        engine.denied = ("POST",)
        process = start(supervision, role="external-rebinder", ANCHORD_FOLLOW_NETWORK="bus", ANCHORD_FOLLOW_TARGET="monitor",
                        ANCHORD_FOLLOW_EVENT_BACKOFF="100ms")
        process.wait_for(msg="anchord ready")
        process.wait_for(msg="the network cannot be joined")
        wait_until(lambda: "allow NETWORKS=1 and POST=1" in shown_status(supervision))
        engine.denied = ()
        process.wait_for(msg="network rejoined")
        assert engine.is_on("monitor", "bus")
        wait_until(lambda: "allow NETWORKS=1" not in shown_status(supervision))
        assert not process.find(msg="channel to a peer cannot be made")
        assert process.stop()[0] == 0


def test_a_killed_keeper_is_replaced_and_goes_on(supervision, engine):
    """LIFE-7: the successor knows that it is one, and does not wait."""
    process = start(supervision)
    process.wait_for(msg="anchord ready")
    keeper = process.wait_for(msg="worker started", name="keeper")["pid"]

    def kill(moment, _method, resource):
        if moment == "after" and resource.endswith("/stop"):
            engine.barrier = None
            subprocess.run(["kill", "-KILL", str(keeper)], check=True)

    engine.barrier = kill
    engine.recreate(TARGET)
    process.wait_for(msg="going on with a recreation that was left half-done")
    wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME])


def test_it_needs_no_network_capability(supervision, engine):
    """DESIGN 1: the keeper's user, no capability; a rebinder starts without NET_ADMIN and holds none."""
    process = start(supervision, wrap=("unshare", "--net", "setpriv", "--bounding-set=-net_admin",
                                       "--inh-caps=-net_admin"))
    process.wait_for(msg="anchord ready")
    keeper = status_of(process.wait_for(msg="worker started", name="keeper")["pid"])
    assert set(keeper["Uid"].split()) == {str(KEEPER_USER)} and int(keeper["CapPrm"], 16) == 0
    supervisor = status_of(int(keeper["PPid"]))
    assert not int(supervisor["CapPrm"], 16) & CAP_NET_ADMIN
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_without_a_project_it_refuses(supervision):
    """LIFE-6: COMPOSE_PROJECT_NAME is required."""
    process = supervision.start(arguments=["wrap-rebinder"], ANCHORD_PROJECT=None)
    assert process.wait() == 1
    assert process.find(variable="COMPOSE_PROJECT_NAME")


def test_life5_an_external_rebinder_needs_no_project(supervision):
    """Its target is a container's name then; white space around a value does not count, and no backoff is one."""
    with contextlib.closing(fake_engine.FakeEngine.on_unix_socket(supervision.docker_socket)) as engine:
        engine.make_network("bus")
        engine.add("guest", project="peer", networks={"bus": {}})
        engine.add("monitor", project="other")
        supervision.install_real_workers()
        process = supervision.start(arguments=["external-rebinder"], ANCHORD_PROJECT=None, COMPOSE_PROJECT_NAME=None,
                                    ANCHORD_FOLLOW_NETWORK=" bus\t", ANCHORD_FOLLOW_TARGET=" monitor ",
                                    ANCHORD_FOLLOW_EVENT_BACKOFF="0")
        process.wait_for(msg="network rejoined")
        assert engine.is_on("monitor", "bus")
        assert process.stop()[0] == 0


@pytest.mark.parametrize("missing", ["ANCHORD_FOLLOW_NETWORK", "ANCHORD_FOLLOW_TARGET"])
def test_without_knowing_whom_to_follow_it_refuses(supervision, missing):
    """LIFE-5: both are required."""
    given = {"ANCHORD_FOLLOW_NETWORK": "bus", "ANCHORD_FOLLOW_TARGET": "monitor", missing: None}
    process = supervision.start(arguments=["external-rebinder"], ANCHORD_PROJECT=None, COMPOSE_PROJECT_NAME="mail", **given)
    assert process.wait() == 1
    assert process.find(variable=missing)
