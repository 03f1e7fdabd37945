"""anchord-keeper as a wrap-rebinder against an engine that refuses what real ones refuse (LIFE-6, LIFE-7, LIFE-4)."""

import pytest

from keeper_lab import NAME, TARGET, check_whole, is_in
from supervision import wait_until


@pytest.fixture
def pinned(keeper_lab):
    """A sibling in the namespace of another project's container."""
    target = keeper_lab.engine.add(TARGET, project="mailcow")
    keeper_lab.engine.add(NAME, joined=target, labels={"anchord.target": TARGET})
    return keeper_lab


def test_a_sibling_whose_target_was_restarted_is_restarted(pinned):
    """LIFE-6: the same ID, and another namespace."""
    keeper = pinned.start()
    keeper.log("connected to Docker")
    before = pinned.engine.named(NAME)["State"]["StartedAt"]
    pinned.engine.restart(TARGET)
    keeper.log("container repaired")
    assert pinned.engine.named(NAME)["State"]["StartedAt"] > before
    assert pinned.engine.writes == [("POST", f"/containers/{pinned.engine.named(NAME)['Id']}/restart")]


def test_a_sibling_whose_target_was_recreated_is_recreated(pinned):
    """LIFE-6, LIFE-7: a restart is not enough, Docker stores the ID."""
    old = pinned.engine.named(NAME)["Id"]
    keeper = pinned.start()
    keeper.log("connected to Docker")
    pinned.engine.recreate(TARGET)
    keeper.log("container recreated")
    assert is_in(pinned.engine, NAME, TARGET)
    check_whole(pinned.engine)
    assert pinned.engine.named(NAME)["Config"]["Labels"]["anchord.replaces"] == old
    assert [method for method, _ in pinned.engine.writes] == ["POST"] * 5 + ["DELETE"]


def test_what_happened_while_nobody_looked_is_found_at_the_start(pinned):
    """LIFE-6: at the start everything is compared, without an event."""
    pinned.engine.recreate(TARGET)
    pinned.start().log("container recreated")
    assert is_in(pinned.engine, NAME, TARGET)


def test_a_target_that_is_away_is_waited_for(pinned):
    """LIFE-6: target absent: wait."""
    keeper = pinned.start()
    keeper.log("connected to Docker")
    pinned.engine.remove(TARGET)
    keeper.log("waiting for the target to run")
    assert not pinned.engine.writes
    pinned.engine.add(TARGET, project="mailcow")
    keeper.log("container recreated")
    assert is_in(pinned.engine, NAME, TARGET)


def test_the_name_of_a_target_is_remembered_while_it_was_seen(keeper_lab):
    """LIFE-6: no label; the name was seen. One that was never seen is reported, with the command."""
    target = keeper_lab.engine.add(TARGET, project="mailcow")
    keeper_lab.engine.add(NAME, joined=target)
    keeper = keeper_lab.start()
    keeper.log("connected to Docker")
    wait_until(lambda: any(f"/containers/{target}/json" in path for path in keeper_lab.engine.asked), 10)
    keeper_lab.engine.recreate(TARGET)
    keeper.log("container recreated")
    keeper.kill()
    keeper_lab.engine.recreate(TARGET)
    later = keeper_lab.start()
    line = later.log("dependent in dead netns")
    assert line["command"] == f"docker compose -p mail up -d --no-deps --force-recreate {NAME}"
    assert line["container"] == NAME


def test_what_it_must_not_touch_stays(keeper_lab):
    """LIFE-6, LIFE-7: itself, another project's, one that was stopped, a paused one, one with --rm."""
    engine = keeper_lab.engine
    gone = "9" * 64
    labels = {"anchord.target": TARGET}
    engine.add(TARGET, project="mailcow")
    engine.add("rebinder", joined=gone, labels=labels, command=["wrap-rebinder"])
    engine.add("other", joined=gone, labels=labels, project="other")
    engine.halt(engine.records[engine.add("stopped", joined=gone, labels=labels)])
    engine.records[engine.add("paused", joined=gone, labels=labels)]["State"]["Paused"] = True
    engine.add("temporary", joined=gone, labels=labels, AutoRemove=True)
    engine.add("wanted", joined=gone, labels=labels)
    keeper = keeper_lab.start()
    keeper.log("container recreated")
    assert keeper.log("container cannot be recreated")["container"] == "temporary"
    assert len(keeper.logged("recreating container")) == 2
    assert {record["HostConfig"]["NetworkMode"] for record in engine.records.values()
            if record["Name"] not in ("/wanted", f"/{TARGET}")} == {f"container:{gone}"}
    assert len(engine.records) == 7


def test_a_proxy_that_allows_no_writing_is_named(pinned):
    """SPEC 11: POST=0. Nothing is changed; when it is allowed the repair goes on."""
    pinned.engine.denied = ("POST", "DELETE")
    keeper = pinned.start()
    keeper.log("connected to Docker")
    pinned.engine.recreate(TARGET)
    line = keeper.log("container cannot be recreated")
    assert "denied by the socket proxy (403): allow CONTAINERS=1 and POST=1" in line["err"] and line["code"] == "ANC0402"
    assert list(pinned.engine.of_project()) == [NAME]
    pinned.engine.denied = ()
    keeper.log("container recreated")


def test_a_proxy_that_allows_no_writing_stops_no_report(pinned):
    """LIFE-4, SPEC 11: what needs no permission goes on beside it."""
    pinned.engine.denied = ("POST", "DELETE")
    pinned.engine.recreate(TARGET)
    keeper = pinned.start()
    keeper.log("container cannot be recreated")
    pinned.engine.tell("start", pinned.engine.records[pinned.engine.add("lost", joined="9" * 64)])
    assert keeper.log("dependent in dead netns")["container"] == "lost"


def test_a_proxy_that_allows_no_removal_is_named(pinned):
    """LIFE-7: DELETE alone is denied. The new one runs, the old one waits; others are served; later it is removed."""
    engine = pinned.engine
    engine.denied = ("DELETE",)
    restarted = engine.add("nginx", project="mailcow")
    engine.add("nginx-anchor", joined=restarted)
    keeper = pinned.start()
    keeper.log("connected to Docker")
    engine.recreate(TARGET)
    line = keeper.log("a recreation could neither be finished nor taken back")
    assert line["container"] == NAME and "removing the old one: DELETE " in line["err"] \
        and "denied by the socket proxy (403)" in line["err"]
    assert is_in(engine, NAME, TARGET)
    engine.restart("nginx")
    assert keeper.log("container repaired")["container"] == "nginx-anchor"
    assert [name for name, record in engine.of_project().items() if not record["State"]["Running"]] \
        == [f"{NAME}.anchord-old-unless-stopped-running"]
    engine.denied = ()
    wait_until(lambda: set(engine.of_project()) == {NAME, "nginx-anchor"}, 20)
    engine.remove("nginx-anchor")
    check_whole(engine)


@pytest.mark.parametrize("broken", [NAME, TARGET])
def test_a_container_that_cannot_be_looked_at_stops_no_other(pinned, broken):
    """LIFE-6: said once; what was remembered of it is still known when it can be looked at again."""
    engine = pinned.engine
    other = engine.add("nginx", project="mailcow")
    engine.add("nginx-anchor", joined=other)
    del engine.named(NAME)["Config"]["Labels"]["anchord.target"]
    keeper = pinned.start()
    keeper.log("connected to Docker")
    wait_until(lambda: {f"/containers/{other}/json", f"/containers/{engine.named(TARGET)['Id']}/json"} <= set(engine.asked), 10)
    engine.broken = (broken,)
    engine.recreate(TARGET)
    for _ in range(2):
        done = len(keeper.logged("container recreated"))
        engine.recreate("nginx")
        assert keeper.log("container recreated", done + 1)["container"] == "nginx-anchor"
    said = [line for line in keeper.lines if line.get("err", "").endswith("layer does not exist") and line["level"] == "ERROR"]
    assert [line["container"] for line in said] == [NAME]
    done = len(keeper.logged("container recreated"))
    engine.broken = ()
    engine.tell("start", engine.named(TARGET))
    assert keeper.log("container recreated", done + 1)["container"] == NAME
    assert is_in(engine, NAME, TARGET)


def test_what_a_newer_engine_says_of_a_container_is_kept(pinned):
    """LIFE-7: fields that nobody knows yet, at every depth, byte by byte."""
    engine = pinned.engine
    new = {"Text": "ü \\u0000 \"", "Deep": [{"List": [1, 2.5e300, None, True, {}]}], "Big": 12345678901234567890}
    record = engine.named(NAME)
    record["Config"] |= {"NewInConfig": new}
    record["HostConfig"] |= {"NewInHostConfig": new}
    keeper = pinned.start()
    keeper.log("connected to Docker")
    engine.recreate(TARGET)
    keeper.log("container recreated")
    assert is_in(engine, NAME, TARGET)
    assert engine.named(NAME)["Config"]["NewInConfig"] == new and engine.named(NAME)["HostConfig"]["NewInHostConfig"] == new


def test_a_recreation_that_fails_is_taken_back(pinned):
    """LIFE-7: the new one cannot be created; the old one is as it was."""
    before = pinned.engine.named(NAME)
    keeper = pinned.start()
    keeper.log("connected to Docker")
    pinned.engine.images.clear()
    pinned.engine.images["other:1"] = "sha256:" + "2" * 64
    replaced = pinned.engine.named(TARGET)
    with pinned.engine.lock:
        replaced["Id"] = "e" * 64
        pinned.engine.records["e" * 64] = pinned.engine.records.pop(
            next(key for key, value in pinned.engine.records.items() if value is replaced))
        pinned.engine.tell("start", replaced)
    assert "No such image" in keeper.log("container cannot be recreated, the old one is as it was")["err"]
    assert pinned.engine.named(NAME) == before
    check_whole(pinned.engine)


def is_restarting(record):
    record["State"]["Restarting"] = True


def is_between_restarts(record):
    record["RestartCount"] += 1


def has_started_again(engine):
    """What resets Docker's count, a `docker restart` by somebody who wants to help."""
    def started_again(record):
        record["State"]["StartedAt"] = engine.now()
    return started_again


@pytest.mark.parametrize("way", ["restarting", "between", "again"])
def test_life7_one_that_ends_again_and_again_costs_nothing(pinned, way):
    """Docker calls it running all the time. The old one, with what it has written, comes back, and is not removed."""
    engine = pinned.engine
    before = engine.named(NAME)
    keeper = pinned.start()
    keeper.log("connected to Docker")
    engine.loops_new = {"restarting": is_restarting, "between": is_between_restarts, "again": has_started_again(engine)}[way]
    engine.recreate(TARGET)
    line = keeper.log("container cannot be recreated, the old one is as it was")
    assert line["err"].startswith("verifying the new one: it does not stay up")
    wait_until(lambda: engine.named(NAME) is before, 20)
    engine.loops_new = None
    keeper.log("container recreated")
    check_whole(engine)


def test_life7_references_to_the_old_target_follow_it(keeper_lab):
    """Compose writes the target's ID for `pid: service:`, `ipc: service:` and `volumes_from:`, too."""
    engine = keeper_lab.engine
    target = engine.add(TARGET, project="mailcow")
    engine.add(NAME, joined=target, labels={"anchord.target": TARGET}, PidMode=f"container:{target}",
               IpcMode=f"container:{target[:12]}", VolumesFrom=[f"{target}:ro", "store"])
    engine.add("store", project="other", running=False)
    keeper = keeper_lab.start()
    keeper.log("connected to Docker")
    engine.recreate(TARGET)
    keeper.log("container recreated")
    host = engine.named(NAME)["HostConfig"]
    assert is_in(engine, NAME, TARGET) and (host["PidMode"], host["IpcMode"]) == (f"container:{TARGET}",) * 2
    assert host["VolumesFrom"] == [f"{TARGET}:ro", "store"]
    check_whole(engine)


@pytest.mark.parametrize("part", ["PidMode", "IpcMode", "VolumesFrom", "stopped"])
def test_life7_one_that_refers_to_a_lost_container_is_left_as_it_is(keeper_lab, part):
    """Reported with what repairs it, before anything is renamed or stopped; and repaired when it can be."""
    engine = keeper_lab.engine
    target, other = engine.add(TARGET, project="mailcow"), engine.add("other", project="else")
    reference = [f"{other}:rw"] if part == "VolumesFrom" else f"container:{other}"
    engine.add(NAME, joined=target, labels={"anchord.target": TARGET}, **{"PidMode" if part == "stopped" else part: reference})
    before = engine.named(NAME)
    keeper = keeper_lab.start()
    keeper.log("connected to Docker")
    if part == "stopped":
        engine.halt(engine.named("other"))
    else:
        engine.remove("other")
    engine.recreate(TARGET)
    line = keeper.log("container cannot be recreated as it is")
    wanted = f"its {'PidMode' if part == 'stopped' else part} names the container {other}, which "
    assert wanted + ("does not run" if part == "stopped" else "is no more") in line["err"]
    assert line["err"].endswith(f": docker compose -p mail up -d --no-deps --force-recreate {NAME}")
    asked = engine.asked.count(f"/containers/{other}/json")
    wait_until(lambda: engine.asked.count(f"/containers/{other}/json") > asked, 20)
    assert not engine.writes and engine.named(NAME) is before and before["State"]["Running"]
    assert [line["level"] for line in keeper.logged("container cannot be recreated as it is")].count("ERROR") == 1
    if part == "stopped":
        engine.run(engine.named("other"))
        keeper.log("container recreated")
        check_whole(engine)


FUTURE = 2_000_000_000


def restarts(engine):
    return [path for _, path in engine.writes if path.endswith("/restart")]


def looks(engine):
    return engine.asked.count(f"/containers/{engine.named(NAME)['Id']}/json")


def wait_looks(engine, count=8):
    before = looks(engine)
    wait_until(lambda: looks(engine) > before + count, 20)


def test_life6_a_clock_that_was_set_back_has_nobody_restarted(pinned):
    """The target was started before the step, so in the future; its dependent is well. That is said, once."""
    engine = pinned.engine
    engine.epoch = FUTURE
    engine.restart(TARGET)
    engine.epoch = 1_760_000_000
    engine.restart(NAME)
    keeper = pinned.start(poll=0.2)
    assert keeper.log("start times in the future prove nothing")["container"] == NAME
    wait_looks(engine)
    assert not engine.writes and len(keeper.logged("start times in the future prove nothing")) == 1


def test_life6_one_that_we_have_restarted_is_well_whatever_the_times_say(pinned):
    """The step comes between the target's start and our restart; a later start of the target counts again."""
    engine = pinned.engine
    keeper = pinned.start(poll=0.2)
    keeper.log("connected to Docker")
    wait_looks(engine, 1)
    for count in (1, 2):
        with engine.lock:
            engine.restart(TARGET)
            engine.epoch -= 1000
        keeper.log("container repaired", count)
        wait_looks(engine)
        assert len(restarts(engine)) == count
    engine.epoch = FUTURE
    engine.restart(TARGET)  # seen: no time is needed to know
    keeper.log("container repaired", 3)
    wait_looks(engine)
    assert len(restarts(engine)) == 3
