"""The keeper of a network-anchor: when the supervisor starts it, and that nothing else depends on it (SPEC 6)."""

import os
import signal
import struct

from supervision import NO_CAPABILITY, got, started, status_of

KEEPER_USER = 24943
CONFIGURE = struct.Struct("=256s256s128s1024s8I280x")
MANAGED = struct.Struct("=128s128s256s")


def configuration(process, count=1):
    return CONFIGURE.unpack(bytes.fromhex(got(process, "keeper", "CONFIGURE_KEEPER", count)["body"]))


def start(supervision, keeper=None, **options):
    supervision.install_stand_ins(watcher={"wants_keeper": True})
    supervision.install_stand_in("keeper", **(keeper or {}))
    return supervision.start_ready(**options)


def test_without_need_there_is_no_keeper(supervision):
    supervision.install_stand_ins()
    supervision.install_stand_in("keeper")
    process = supervision.start_ready()
    got(process, "control", "SUPERVISION")
    assert not process.find(stand_in="keeper")


def test_it_runs_once_without_a_capability_and_knows_its_job(supervision):
    process = start(supervision, ANCHORD_LABEL_SELECTOR="identity=mail", ANCHORD_AUTOSTART_SIBLINGS="false")
    host, asked_at, project, selector, role, poll, timeout, successor, _, starts, _, _ = configuration(process)
    assert host.rstrip(b"\0").startswith(b"unix:///") and asked_at.rstrip(b"\0").startswith(b"unix:///")
    assert (project.rstrip(b"\0"), selector.rstrip(b"\0")) == (b"project", b"identity=mail")
    assert (role, poll, timeout, successor, starts) == (1, 30000, 10000, 0, 0)
    got(process, "keeper", "LINK", descriptors=1)
    status = status_of(started(process, "keeper"))
    assert set(status["Uid"].split()) == {str(KEEPER_USER)} and status["CapPrm"] == NO_CAPABILITY
    assert len(process.find(stand_in="keeper", event="started")) == 1


def test_life2_a_managed_target_is_reason_enough(supervision):
    """LIFE-2: no container in scope is in another's namespace; the keeper gets the targets in order, and the topology."""
    supervision.install_stand_ins(watcher={"topology": (1, 2)})
    supervision.install_stand_in("keeper")
    process = supervision.start_ready(
        ANCHORD_MANAGED_SA_TARGET_2="two", ANCHORD_MANAGED_SA_TARGET="one", ANCHORD_MANAGED_SA_IMAGE_2="mine:7",
        ANCHORD_MANAGED_SA_EXTRA_ENV_2='{"A": "b"}', ANCHORD_AUTOFIX_DEAD_NETNS="false")
    assert configuration(process)[-2:] == (0, 2)
    got(process, "keeper", "TOPOLOGY")
    received = [bytes.fromhex(got(process, "keeper", "MANAGED_TARGET", count)["body"]) for count in (1, 2)]
    named = [tuple(part.rstrip(b"\0").decode() for part in MANAGED.unpack_from(body, 8)) for body in received]
    assert named == [("one", "one-service-anchor", ""), ("two", "two-service-anchor", "mine:7")]
    assert b"A=b\0" in received[1]


def test_one_that_died_has_a_successor_that_knows(supervision):
    process = start(supervision)
    assert configuration(process)[7] == 0
    os.kill(started(process, "keeper"), signal.SIGKILL)
    assert configuration(process, 2)[7] == 1
    assert len(process.find(stand_in="netadmin", event="started")) == 1


def test_one_that_cannot_work_does_not_end_the_rest(supervision):
    """LIFE-4: repairs are lost, addresses are not."""
    process = start(supervision, keeper={"exit": 1})
    process.wait_for(msg="starting a worker again", name="keeper")
    assert process.process.poll() is None
    assert process.stop()[0] == 0


def test_it_stops_before_netadmin(supervision):
    process = start(supervision)
    got(process, "keeper", "LINK")
    assert process.stop()[0] == 0
    order = [record["stand_in"] for record in process.find(event="stopping") if record["stand_in"] != "gate"]
    assert order[-1] == "netadmin"
    assert set(order[:-1]) == {"watcher", "keeper", "announcer"}
