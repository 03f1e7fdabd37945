"""The keeper killed before and after every call of a recreation, then restarted (LIFE-7).

Whatever the moment: there is the old container or the new one, whole; never do both run; never is there none; and the
successor brings it to its end.
"""

import concurrent.futures
import contextlib
import itertools
import math
import threading
import time

import pytest

from keeper_lab import NAME, TARGET, KeeperLab, check_whole, is_in
from supervision import wait_until

# Every call of a recreation, as the method and the end of the path.
FORWARDS = ("POST rename", "POST update", "POST create", "GET json", "POST stop", "POST start", "GET json",
            "GET json", "DELETE")
# Of one whose new container cannot be started.
BACK = (*FORWARDS[:6], "DELETE", "POST update", "POST start", "POST rename")


class Killer:
    """Kills the keeper before or after its `number`-th call since a look has begun to repair, which is `call`."""

    def __init__(self, number, call, moment):
        self.number, self.call, self.moment = number, call, moment
        self.seen = 0
        self.keeper = None
        self.wrong = None
        self.killed = threading.Event()

    def __call__(self, moment, method, resource):
        if self.killed.is_set() or not self.keeper:
            return
        if moment == "before":
            if self.seen or method != "GET":
                self.seen += 1
        if self.seen == self.number and moment == self.moment:
            if not (method == self.call if method == "DELETE" else f"{method} {resource.split('/')[-1]}" == self.call):
                self.wrong = f"{method} {resource} instead of {self.call}"
            self.keeper.process.kill()
            self.killed.set()
            raise ConnectionAbortedError(f"{self.moment} {method} {resource}")


def check_never_none(engine):
    """The old one or the new one, with all that belongs to it, under a name that tells where it comes from."""
    found = [record for name, record in engine.of_project().items() if name.startswith(NAME)]
    assert 1 <= len(found) <= 2, found
    for record in found:
        assert record["Config"]["Labels"]["com.docker.compose.config-hash"] == "5eed"
    assert sum(record["State"]["Running"] for record in found) <= 1 and not engine.both_ran


def pinned(lab):
    """A sibling in the namespace of another project's container."""
    lab.engine.add(NAME, joined=lab.engine.add(TARGET, project="mailcow"), labels={"anchord.target": TARGET})
    return lab.engine


def wait_recreated(engine):
    wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME], 20)
    check_whole(engine)


def crash_once(lab, calls, number, moment):
    engine = pinned(lab)
    engine.refuses_new = calls is BACK
    engine.recreate(TARGET)
    killer = engine.barrier = Killer(number + 1, calls[number], moment)
    killer.keeper = lab.start()
    assert killer.killed.wait(20), f"no call {number}"
    assert not killer.wrong, killer.wrong
    killer.keeper.process.wait()
    check_never_none(engine)
    engine.refuses_new = False
    lab.start(successor=True)
    wait_recreated(engine)


def lose_docker_once(lab, calls, number, moment):
    """The keeper lives, and the connection breaks."""
    engine = pinned(lab)
    keeper = lab.start()
    keeper.log("connected to Docker")

    def restart(now, _method, resource):
        if now == moment and resource.endswith(calls[number].split()[1]):
            engine.barrier = None
            engine.drop_connections()
            raise ConnectionAbortedError(resource)

    engine.barrier = restart
    engine.recreate(TARGET)
    keeper.log("connected to Docker", 2)
    wait_recreated(engine)
    assert keeper.process.poll() is None


def at_every_call(attempt, build, calls):
    """Runs it for each call, before Docker heard it and after Docker did it; each in a lab of its own."""
    def run(number, moment):
        with contextlib.closing(KeeperLab(build)) as lab:
            attempt(lab, calls, number, moment)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = {f"{moment} {number}. {calls[number - 1]}": pool.submit(run, number - 1, moment)
                    for number, moment in itertools.product(range(1, len(calls) + 1), ("before", "after"))}
    failures = {name: repr(outcome.exception()) for name, outcome in outcomes.items() if outcome.exception()}
    assert not failures


@pytest.mark.parametrize("calls", [FORWARDS, BACK], ids=("forwards", "back"))
def test_a_killed_keeper_leaves_one_container(build, calls):
    """LIFE-7: and its successor finishes or takes back."""
    at_every_call(crash_once, build, calls)


def test_docker_that_goes_away_in_the_middle_is_waited_for(build):
    """LIFE-7: the keeper itself goes on afterwards."""
    at_every_call(lose_docker_once, build, [call for call in FORWARDS if call.startswith("POST")])


def test_two_keepers_do_not_fight(keeper_lab):
    """LIFE-7: both see the same, one of them does it, once."""
    engine = pinned(keeper_lab)
    keepers = [keeper_lab.start(poll=0.5), keeper_lab.start(poll=0.5)]
    for keeper in keepers:
        keeper.log("connected to Docker")
    for count in range(1, 4):
        engine.recreate(TARGET)
        wait_recreated(engine)
        made, looks = engine.named(NAME)["Id"], engine.asked.count("/containers/json")
        wait_until(lambda seen=looks: engine.asked.count("/containers/json") >= seen + 6, 20)
        assert engine.named(NAME)["Id"] == made, "and nobody does it again"
        assert sum(len(keeper.logged("container recreated")) for keeper in keepers) == count
        assert len([path for method, path in engine.writes if path == "/containers/create"]) == count
        assert len([path for method, path in engine.writes if method == "DELETE"]) == count


def test_a_container_that_is_renamed_while_it_is_looked_at_is_left_alone(keeper_lab):
    """LIFE-7: another keeper has begun with it since it was listed; with its mark it is no container of its own."""
    engine = pinned(keeper_lab)
    record = engine.named(NAME)
    engine.recreate(TARGET)

    def rename(moment, _method, resource):
        if moment == "before" and resource == f"/containers/{record['Id']}/json":
            record["Name"] = f"/{NAME}.anchord-old-unless-stopped-running"

    engine.barrier = rename
    keeper_lab.start(poll=0.2)
    wait_until(lambda: engine.asked.count("/containers/json") >= 5, 20)
    assert not engine.writes
    engine.barrier = None
    record["Name"] = f"/{NAME}"
    wait_recreated(engine)


@pytest.mark.parametrize("change, said", [("recreate", "recreating container"), ("restart", "restarting container")])
def test_a_target_that_changes_all_the_time_leaves_no_litter(keeper_lab, change, said):
    """LIFE-6, LIFE-7: at once, then after 1, 2, 4 … s; never two at once; in the end it is well."""
    engine = pinned(keeper_lab)
    keeper = keeper_lab.start()
    keeper.log("connected to Docker")
    started = time.monotonic()
    for count in range(20):
        seen = len(engine.asked)
        getattr(engine, change)(TARGET)
        wait_until(lambda asked=seen: len(engine.asked) > asked, 10)
        assert len([name for name in engine.of_project() if name.startswith(NAME)]) <= 2
    wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME]
               and engine.named(NAME)["State"]["StartedAt"] > engine.named(TARGET)["State"]["StartedAt"], 60)
    check_whole(engine)
    assert len(keeper.logged(said)) <= 1 + math.log2(1 + time.monotonic() - started)
