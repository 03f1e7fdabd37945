"""anchord-keeper in a network-anchor: siblings in others' namespaces are started, and reported (LIFE-1, LIFE-4)."""

import json
import re
import urllib.parse

import pytest

from keeper_lab import ROLE_NETWORK_ANCHOR, KeeperLab
from supervision import wait_until

SIBLING, TARGET = "sidecar", "database"
DEAD = "dependent in dead netns"


class AnchorLab(KeeperLab):
    def start(self, **configuration):
        keeper = super().start(**{"role": ROLE_NETWORK_ANCHOR, "starts_siblings": True, **configuration})
        keeper.log("connected to Docker")
        return keeper

    def start_behind_a_gate(self, **configuration):
        """As if it asked through the gate."""
        return self.start(gate=f"unix://{self.scratch}/docker.sock", docker_host="unix:///var/run/docker.sock", **configuration)

    def runs(self, name):
        return self.engine.named(name)["State"]["Running"]

    def hears(self, *ids):
        with self.engine.lock:
            return any(filters.get("container") == list(ids) for filters in self.engine.streams.values())

    def event_filters(self):
        """Of each stream of events that was asked for, in order."""
        return [json.loads(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["filters"][0])
                for path in self.engine.requests if "/events?" in path]


@pytest.fixture
def lab(build):
    made = AnchorLab(build)
    yield made
    made.close()


@pytest.mark.parametrize("reference", ["name", "whole", "short"])
def test_life1_a_created_sibling_starts_with_its_target(lab, reference):
    """By the target's name, its ID and the ID that people see; the target belongs to somebody else."""
    target = "7" * 64
    record = lab.engine.records.pop(lab.engine.add(TARGET, project="other", running=False))
    lab.engine.records[target] = record | {"Id": target}
    lab.engine.add(SIBLING, joined={"name": TARGET, "whole": target, "short": target[:12]}[reference], running=False)
    keeper = lab.start()
    with lab.engine.lock:
        assert not lab.engine.writes, "the target does not run"
        lab.engine.run(lab.engine.named(TARGET))
    line = keeper.log("auto-starting sibling waiting for target")
    assert (line["container"], line["target"]) == (SIBLING, TARGET)
    wait_until(lambda: lab.runs(SIBLING), 20)


def test_life1_a_target_that_runs_already_counts(lab):
    """At the start, and a sibling that Docker could not start because its target did not run."""
    target = lab.engine.add(TARGET)
    lab.engine.add(SIBLING, joined=target, running=False)
    failed = lab.engine.records[lab.engine.add("failed", joined=target, running=False)]
    failed["State"] |= {"Status": "exited", "Error": "cannot join network of a non running container: " + target}
    lab.start()
    wait_until(lambda: lab.runs(SIBLING) and lab.runs("failed"), 20)


def test_life1_a_sibling_waits_for_a_healthy_target_if_compose_would(lab):
    """depends_on: condition: service_healthy; another one need not wait."""
    target = lab.engine.add(TARGET)
    lab.engine.named(TARGET)["State"]["Health"] = {"Status": "starting"}
    lab.engine.add(SIBLING, joined=target, running=False,
                   labels={"com.docker.compose.depends_on": f"cache:service_started:false,{TARGET}:service_healthy:true"})
    lab.engine.add("other", joined=target, running=False)
    lab.start()
    wait_until(lambda: lab.runs("other"), 20)
    assert not lab.runs(SIBLING)
    with lab.engine.lock:
        lab.engine.named(TARGET)["State"]["Health"]["Status"] = "healthy"
        lab.engine.tell("health_status: healthy", lab.engine.named(TARGET))
    wait_until(lambda: lab.runs(SIBLING), 20)


def test_life1_what_waits_for_nobody_stays_as_it_is(lab):
    """Stopped by somebody, failed for another reason, of another project, not created to join a namespace."""
    target = lab.engine.add(TARGET)
    lab.engine.add("stopped", joined=target, running=False)
    lab.engine.named("stopped")["State"] |= {"Status": "exited"}
    lab.engine.add("broken", joined=target, running=False)
    lab.engine.named("broken")["State"] |= {"Error": "exec: \"x\": executable file not found in $PATH"}
    lab.engine.add("foreign", joined=target, project="other", running=False)
    lab.engine.add("ordinary", running=False)
    lab.engine.add(SIBLING, joined=target, running=False)
    lab.start()
    wait_until(lambda: lab.runs(SIBLING), 20)
    assert [path for _, path in lab.engine.writes] == [f"/containers/{lab.engine.named(SIBLING)['Id']}/start"]


def test_life1_can_be_switched_off(lab):
    """ANCHORD_AUTOSTART_SIBLINGS=false: what is dead is still reported."""
    target = lab.engine.add(TARGET)
    lab.engine.add(SIBLING, joined=target, running=False)
    lab.engine.add("lost", joined="9" * 64)
    keeper = lab.start(starts_siblings=False)
    assert keeper.log(DEAD)["container"] == "lost"
    assert not lab.engine.writes and not lab.runs(SIBLING)


def test_life1_a_selector_decides_about_the_scope(lab):
    """DISC-2: all of its labels; the project does not matter then."""
    target = lab.engine.add(TARGET)
    lab.engine.add("one", joined=target, running=False, labels={"identity": "mail"})
    lab.engine.add("two", joined=target, running=False, project="other", labels={"identity": "mail", "tier": "front"})
    lab.start(project="", selector="identity=mail,tier=front")
    wait_until(lambda: lab.runs("two"), 20)
    assert not lab.runs("one")


def test_life1_a_proxy_that_allows_no_writing_is_named(lab):
    """SPEC 11: POST=0 is said once; the reports go on, and so does the start when it is allowed."""
    target = lab.engine.add(TARGET)
    lab.engine.add(SIBLING, joined=target, running=False)
    lab.engine.add("lost", joined="9" * 64)
    lab.engine.denied = ("POST",)
    keeper = lab.start()
    line = keeper.log("container cannot be repaired")
    assert line["container"] == SIBLING and "allow CONTAINERS=1 and POST=1" in line["err"]
    keeper.log(DEAD)
    keeper.log("auto-starting sibling", 2)
    lab.engine.denied = ()
    wait_until(lambda: lab.runs(SIBLING), 20)


def test_life4_one_whose_target_has_gone_is_reported_with_the_command(lab):
    """Once, by ID; nothing is changed."""
    target = lab.engine.add(TARGET)
    lab.engine.add(SIBLING, joined=target)
    lab.engine.add("bare", joined=target, labels={"com.docker.compose.service": ""})
    keeper = lab.start(poll=0.2)
    lab.engine.remove(TARGET)
    keeper.log(DEAD, 2)
    lines = {line["container"]: line for line in keeper.logged(DEAD)}
    assert lines[SIBLING]["command"] == f"docker compose -p mail up -d --no-deps --force-recreate {SIBLING}"
    assert lines[SIBLING]["target"] == target and lines["bare"]["command"].startswith("docker rm -f bare")
    lists = lab.engine.asked.count("/containers/json")
    wait_until(lambda: lab.engine.asked.count("/containers/json") > lists + 5, 20)
    assert len(keeper.logged(DEAD)) == 2 and not lab.engine.writes


def test_life4_one_whose_target_was_restarted_needs_a_restart(lab):
    """Reported; well after a restart; and reported again when it comes back. A short moment is not (SA-6)."""
    target = lab.engine.add(TARGET)
    lab.engine.add(SIBLING, joined=target)
    lab.engine.add("swift", joined=target)
    keeper = lab.start(poll=0.2)
    for count in (1, 2):
        lab.engine.restart(TARGET)
        lab.engine.restart("swift")
        assert keeper.log(DEAD, count)["command"] == f"docker restart {SIBLING}"
        asked = lab.engine.asked.count(f"/containers/{target}/json")
        lab.engine.restart(SIBLING)
        wait_until(lambda seen=asked: lab.engine.asked.count(f"/containers/{target}/json") > seen + 5, 20)
    assert not lab.engine.writes and all(line["container"] == SIBLING for line in keeper.logged(DEAD))


def test_life4_start_times_in_the_future_are_no_report(lab):
    """The clock was set back after the target's start: nobody can tell, and that is what is said."""
    engine = lab.engine
    engine.epoch = 2_000_000_000
    target = engine.add(TARGET)
    engine.epoch = 1_760_000_000
    engine.add(SIBLING, joined=target)
    keeper = lab.start(poll=0.2)
    assert keeper.log("start times in the future prove nothing")["container"] == SIBLING
    asked = engine.asked.count(f"/containers/{target}/json")
    wait_until(lambda: engine.asked.count(f"/containers/{target}/json") > asked + 25, 20)  # 5 s: longer than a report waits
    assert not keeper.logged(DEAD) and not engine.writes


def test_wall7_it_hears_of_its_scope_and_of_whom_that_has_joined(lab):
    """HOST-10: nobody else's events are asked for. One that was joined is heard of whatever it belongs to, also when the
    sibling came later, and after a lost connection; no poll helps."""
    target = lab.engine.add(TARGET, project="other", running=False)
    late = lab.engine.add("late", project="other", running=False)
    lab.engine.add(SIBLING, joined=target, running=False)
    keeper = lab.start(poll=3600)
    wait_until(lambda: len(lab.event_filters()) == 2, 20)
    of_scope, of_joined = sorted(lab.event_filters(), key=lambda filters: "container" in filters)
    assert of_scope["type"] == of_joined["type"] == ["container"]
    assert of_scope["label"] == ["com.docker.compose.project=mail"] and "container" not in of_scope
    assert of_joined["container"] == [target] and "label" not in of_joined
    wait_until(lambda: lab.hears(target), 20)
    with lab.engine.lock:
        lab.engine.run(lab.engine.named(TARGET))
    wait_until(lambda: lab.runs(SIBLING), 20)
    lab.engine.drop_connections()
    keeper.log("connected to Docker", 2)
    second = lab.engine.add("second", joined=late, running=False)
    lab.engine.tell("create", lab.engine.records[second])
    wait_until(lambda: lab.hears(target, late), 20)
    with lab.engine.lock:
        lab.engine.run(lab.engine.named("late"))
    wait_until(lambda: lab.runs("second"), 20)


def test_wall7_it_follows_as_many_as_one_question_takes(lab):
    """64 different ones; those beyond are left to the poll."""
    targets = [f"{number:064x}" for number in range(70)]
    for number, target in enumerate(targets):
        lab.engine.add(f"sibling-{number}", joined=target, running=False)
        lab.engine.add(f"twin-{number}", joined=target, running=False)
    lab.start(poll=0.2)
    lists = lambda: lab.engine.asked.count("/containers/json")
    wait_until(lambda: lists() > 3, 20)
    followed = [filters["container"] for filters in lab.event_filters() if "container" in filters]
    assert followed == [targets[:64]]


@pytest.mark.parametrize("reference", ["name", "short"])
def test_wall7_behind_the_gate_a_name_is_looked_for_in_the_scope(lab, reference):
    """Docker stores what it was given where nobody was there of that name; everything is asked by its whole ID."""
    target = "7" * 64
    record = lab.engine.records.pop(lab.engine.add(TARGET))
    lab.engine.records[target] = record | {"Id": target}
    lab.engine.add("foreign", project="other")
    lab.engine.add(SIBLING, joined={"name": TARGET, "short": target[:12]}[reference], running=False)
    lab.engine.add("waits", joined="foreign", running=False)
    lab.start_behind_a_gate(poll=0.2)
    wait_until(lambda: lab.runs(SIBLING), 20)
    lists = lab.engine.asked.count("/containers/json")
    wait_until(lambda: lab.engine.asked.count("/containers/json") > lists + 5, 20)
    assert not lab.runs("waits")
    assert all(re.fullmatch("/containers/(json|[0-9a-f]{64}/(json|start))", path) for path in lab.engine.asked)


def test_keep4_a_network_anchor_under_a_holder_does_nothing_about_itself(lab):
    """It has joined another's namespace, as a sibling has: it is named when the holder is another one, and never written to."""
    lab.engine.add("hold")
    holder = lab.engine.named("hold")["Id"]
    lab.engine.add("network-anchor", joined=holder)
    keeper = lab.start(poll=0.2, is_held=True)
    lists = lab.engine.asked.count("/containers/json")
    wait_until(lambda: lab.engine.asked.count("/containers/json") > lists + 5, 20)
    assert not keeper.logged(DEAD)
    lab.engine.recreate("hold")
    line = keeper.log(DEAD)
    assert (line["container"], line["target"]) == ("network-anchor", holder)
    assert line["command"] == "docker compose -p mail up -d --no-deps --force-recreate network-anchor"
    assert not lab.engine.writes
