"""The keeper killed before and after every call of a recreation, then restarted (LIFE-7).

Whatever the moment: there is the old container or the new one, whole; never do both run; never is there none; and the
successor brings it to its end.
"""

import concurrent.futures
import itertools
import threading

import pytest

from keeper_lab import KeeperLab
from supervision import wait_until
from test_keeper import NAME, TARGET, check_whole, is_in

CALLS = ("rename", "update", "create", "look", "stop", "start", "verify", "remove")


class Killer:
    """Kills the keeper before or after its `number`-th call since a look has begun to repair."""

    def __init__(self, number, moment):
        self.number, self.moment = number, moment
        self.seen = 0
        self.keeper = None
        self.killed = threading.Event()

    def __call__(self, moment, method, resource):
        if self.killed.is_set() or not self.keeper:
            return
        if moment == "before":
            if self.seen or method != "GET":
                self.seen += 1
        if self.seen == self.number and moment == self.moment:
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


def crash_once(build, number, moment):
    lab = KeeperLab(build)
    try:
        engine = lab.engine
        target = engine.add(TARGET, project="mailcow")
        engine.add(NAME, joined=target, labels={"anchord.target": TARGET})
        engine.recreate(TARGET)
        killer = engine.barrier = Killer(number, moment)
        killer.keeper = lab.start()
        assert killer.killed.wait(20), f"no call {number}"
        killer.keeper.process.wait()
        check_never_none(engine)
        lab.start(successor=True)
        wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME], 20)
        check_whole(engine)
    finally:
        lab.close()


def lose_docker_once(build, number, moment):
    """The keeper lives, and the connection breaks."""
    lab = KeeperLab(build)
    try:
        engine = lab.engine
        target = engine.add(TARGET, project="mailcow")
        engine.add(NAME, joined=target, labels={"anchord.target": TARGET})
        keeper = lab.start()
        keeper.log("connected to Docker")

        def restart(now, _method, resource):
            if now == moment and CALLS[number - 1] in resource:
                engine.barrier = None
                engine.drop_connections()
                raise ConnectionAbortedError(resource)

        engine.barrier = restart
        engine.recreate(TARGET)
        keeper.log("connected to Docker", 2)
        wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME], 20)
        check_whole(engine)
        assert keeper.process.poll() is None
    finally:
        lab.close()


def at_every_call(attempt, build, calls):
    """Runs it for each call, before Docker heard it and after Docker did it; each in a lab of its own."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = {f"{moment} {call}": pool.submit(attempt, build, CALLS.index(call) + 1, moment)
                    for call, moment in itertools.product(calls, ("before", "after"))}
    failures = {name: repr(outcome.exception()) for name, outcome in outcomes.items() if outcome.exception()}
    assert not failures


def test_a_killed_keeper_leaves_one_container(build):
    """LIFE-7: and its successor finishes or takes back."""
    at_every_call(crash_once, build, CALLS)


def test_docker_that_goes_away_in_the_middle_is_waited_for(build):
    """LIFE-7: the keeper itself goes on afterwards."""
    at_every_call(lose_docker_once, build, ("rename", "update", "create", "stop", "start"))


@pytest.fixture
def keeper_lab(build):
    lab = KeeperLab(build)
    yield lab
    lab.close()


def test_two_keepers_do_not_fight(keeper_lab):
    """LIFE-7: both see the same, one of them does it."""
    engine = keeper_lab.engine
    target = engine.add(TARGET, project="mailcow")
    engine.add(NAME, joined=target, labels={"anchord.target": TARGET})
    keepers = [keeper_lab.start(), keeper_lab.start()]
    for keeper in keepers:
        keeper.log("connected to Docker")
    for count in range(1, 4):
        engine.recreate(TARGET)
        wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME], 20)
        check_whole(engine)
        wait_until(lambda done=count: sum(len(keeper.logged("container recreated")) for keeper in keepers) >= done, 20)


def test_a_target_that_is_recreated_all_the_time_leaves_no_litter(keeper_lab):
    """LIFE-7: attempts are capped and backed off; in the end it is well."""
    engine = keeper_lab.engine
    target = engine.add(TARGET, project="mailcow")
    engine.add(NAME, joined=target, labels={"anchord.target": TARGET})
    keeper = keeper_lab.start()
    keeper.log("connected to Docker")
    for count in range(20):
        seen = len(engine.asked)
        engine.recreate(TARGET)
        wait_until(lambda asked=seen: len(engine.asked) > asked, 10)
        assert len([name for name in engine.of_project() if name.startswith(NAME)]) <= 2
    wait_until(lambda: is_in(engine, NAME, TARGET) and list(engine.of_project()) == [NAME], 30)
    check_whole(engine)
    assert len(keeper.logged("recreating container")) <= 4, "after 0, 1, 3 and 7 s"
