"""The keeper of a network-anchor with real engines (LIFE-1, LIFE-4): what stays as it is without it, what it starts, and
what it says.
"""

import json

import pytest

from direct import ANCHOR, mail_services
from lab import images
from lab.machine import wait_until

DEAD = "dependent in dead netns"


class Sidecars:
    """Containers of the project in its services' namespaces, as an interrupted `compose up` leaves them: not started."""

    def __init__(self, project):
        self.project, self.docker = project, project.lab.docker

    def create(self, name, target):
        full = f"{self.project.name}-{name}"
        self.docker("create", "--name", full, "--network", f"container:{target}",
                    "--label", f"com.docker.compose.project={self.project.name}",
                    "--label", f"com.docker.compose.service={name}", images.SERVICES, "services", "--name", name)
        return full

    def state(self, name):
        return self.docker("inspect", "--format", "{{.State.Status}}", name).stdout.strip()

    def remove(self, name):
        self.docker("rm", "--force", name)

    def reports(self):
        return {record["container"]: record["command"] for record in self.project.json_logs(ANCHOR)
                if record["msg"] == DEAD}

    def problems(self):
        shown = json.loads(self.project.exec(ANCHOR, "anchord", "status", "--json").stdout)
        return {problem["container"]: problem["reason"] for problem in shown["problems"]}


@pytest.fixture(scope="module")
def mail(shared_direct):
    project = shared_direct(mail_services(), proxy=False, environment={"ANCHORD_METRICS_ADDR": ":9090"})
    project.up()
    return project


@pytest.fixture
def sidecars(mail):
    return Sidecars(mail)


@pytest.mark.every_engine
def test_life1_a_created_sibling_is_started(mail, sidecars):
    """Without anchord nobody starts it; with it a target that runs already is enough, and one that starts."""
    mail.compose("stop", ANCHOR)
    by_name = sidecars.create("by-name", f"{mail.name}-web-1")
    assert sidecars.state(by_name) == "created"
    mail.compose("start", ANCHOR)
    wait_until(lambda: sidecars.state(by_name) == "running", 60, "the sibling of a target that runs")
    mail.compose("stop", "--timeout", "0", "dns")
    by_id = sidecars.create("by-id", mail.container("dns")[:12])
    failed = sidecars.docker("start", by_id, check=False)
    assert failed.returncode and sidecars.state(by_id) != "running", "its target does not run"
    mail.compose("start", "dns")
    wait_until(lambda: sidecars.state(by_id) == "running", 60, "the sibling of a target that starts")
    early = sidecars.create("early", f"{mail.name}-late")  # Docker stores the name: nobody has it yet
    with mail.extra_container("late", tcp="9"):
        wait_until(lambda: sidecars.state(early) == "running", 60, "the sibling of a target that is created later")
    for name in (by_name, by_id, early):
        sidecars.remove(name)


@pytest.mark.every_engine
def test_life1_the_first_sibling_does_not_wait_for_a_poll(direct):
    """Nobody was in another's namespace when the anchor started: the keeper is not there yet, and is when it is needed."""
    mail = direct(mail_services(), proxy=False, environment={"ANCHORD_POLL_INTERVAL": "1h"}).ready()
    assert "anchord-keeper" not in mail.processes()
    mail.compose("stop", "--timeout", "0", "dns")
    sidecars = Sidecars(mail)
    first = sidecars.create("first", mail.container("dns"))
    wait_until(lambda: "anchord-keeper" in mail.processes(), 20, "the keeper")
    assert sidecars.state(first) == "created", "its target does not run"
    mail.compose("start", "dns")
    wait_until(lambda: sidecars.state(first) == "running", 20, "the sibling of a target that starts")
    sidecars.remove(first)


@pytest.mark.every_engine
def test_life4_a_dead_namespace_is_reported(mail, sidecars):
    """Docker shows it as running although it has no network any more; the report has the command, and ends with it."""
    pinned = sidecars.create("pinned", mail.container("web"))
    beside = sidecars.create("beside", mail.container("smtp"))
    wait_until(lambda: {sidecars.state(name) for name in (pinned, beside)} == {"running"}, 60, "both run")
    mail.recreate("web")
    mail.compose("restart", "--timeout", "0", "smtp")
    assert sidecars.state(pinned) == "running", "which is all that Docker says"
    wanted = {pinned: f"docker compose -p {mail.name} up -d --no-deps --force-recreate pinned",
              beside: f"docker restart {beside}"}
    wait_until(lambda: sidecars.reports() == wanted, 60, "both reports")
    wait_until(lambda: sidecars.problems() == {name: f"{DEAD}: {command}" for name, command in wanted.items()}, 30, "status")
    assert mail.metric(ANCHOR, "anchord_dead_netns_dependents") == 2
    sidecars.docker("restart", "--time", "0", beside)
    sidecars.remove(pinned)
    wait_until(lambda: sidecars.problems() == {}, 60, "status without them")
    sidecars.remove(beside)
