"""Where backends are found, on a real engine: on which network (DISC-4), in another container's namespace (DISC-5), only
while healthy (DISC-7)."""

import contextlib
import json
import os
import signal

import pytest

from direct import ANCHOR, FAMILIES, mail_services, service, unmasqueraded
from lab import images
from lab.machine import wait_until


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


@pytest.fixture
def run(mail):
    """run(name, *options, tcp=…, expose=…): a further container of the project; its full name."""
    with contextlib.ExitStack() as stack:
        def factory(name, *options, labels=None, **details):
            made = service(name, labels=labels, **details)
            words = [word for key, value in (made["labels"] | {"com.docker.compose.project": mail.name}).items()
                     for word in ("--label", f"{key}={value}")]
            full = f"{mail.name}-{name}"
            mail.lab.docker("run", "--detach", "--name", full, *words, *options, images.SERVICES, *made["command"])
            stack.callback(mail.lab.docker, "rm", "--force", full, check=False)
            return full
        yield factory


@pytest.mark.every_engine
def test_disc5_a_container_in_another_ones_namespace_is_reached_there(mail, run):
    """It goes with the namespace's owner."""
    owner = run("owner", "--network", f"{mail.name}_transit", tcp="7501")
    run("guest", "--network", f"container:{owner}", tcp="7500", expose="tcp/7500")
    for family in FAMILIES:
        mail.wait_answer("tcp", 7500, "guest", family=family)
    mail.wait_refused("tcp", 7501)
    mail.lab.docker("network", "disconnect", f"{mail.name}_transit", owner)
    mail.wait_refused("tcp", 7500)
    mail.lab.docker("network", "connect", f"{mail.name}_transit", owner)
    mail.wait_answer("tcp", 7500, "guest")
    # Podman does not remove an owner before its guests.
    mail.lab.docker(*(["kill"] if mail.lab.engine.suite == "podman" else ["rm", "--force"]), owner)
    mail.wait_refused("tcp", 7500)


@pytest.mark.every_engine
def test_disc7_an_entry_follows_the_health_of_its_container(mail, run):
    gated = run("gated", "--network", f"{mail.name}_transit", "--health-cmd", "test -e /tmp/healthy",
                "--health-interval", "1s", "--health-retries", "1", tcp="7600", expose="tcp/7600",
                labels={"anchord.expose.when": "healthy"})
    run("plain", "--network", f"{mail.name}_transit", tcp="7602", expose="tcp/7602")
    mail.wait_answer("tcp", 7602, "plain")  # so the other one was seen, too
    mail.wait_refused("tcp", 7600)
    mail.lab.docker("exec", gated, "touch", "/tmp/healthy")
    mail.wait_answer("tcp", 7600, "gated")
    with mail.client.connect(mail.at(4), 7600) as connection:
        mail.lab.docker("exec", gated, "rm", "/tmp/healthy")
        mail.wait_refused("tcp", 7600)
        assert connection.alive()  # established TCP stays until the backend goes
        mail.lab.docker("exec", gated, "touch", "/tmp/healthy")
        mail.wait_answer("tcp", 7600, "gated")
        assert connection.alive()


def test_disc7_without_a_health_check_it_is_never_exposed_and_that_is_said(mail, run):
    """In the log and by status, other than of one that is still starting."""
    name = run("unchecked", "--network", f"{mail.name}_transit", tcp="7610", expose="tcp/7610",
               labels={"anchord.expose.when": "healthy"})
    run("starting", "--network", f"{mail.name}_transit", "--health-cmd", "false", "--health-interval", "60s", tcp="7611",
        expose="tcp/7611", labels={"anchord.expose.when": "healthy"})
    run("plain", "--network", f"{mail.name}_transit", tcp="7612", expose="tcp/7612")
    mail.wait_answer("tcp", 7612, "plain")  # so the others were seen, too
    mail.wait_refused("tcp", 7610)
    line = mail.wait_record("container has no health check: it is not exposed")
    assert (line["level"], line["container"]) == ("WARN", name)
    assert "has no health check" in reason_of(mail, name)
    assert "has no health check" not in reason_of(mail, f"{mail.name}-starting")


def reason_of(mail, container):
    """What status says of the container."""
    shown = json.loads(mail.exec(ANCHOR, "anchord", "status", "--json").stdout)
    return next(row["reason"] for row in shown["problems"] if row["container"] == container)


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "a paused container's health is not told there")
def test_disc6_a_paused_container_that_waits_for_health(mail, run):
    """It keeps its entry. Docker calls it unhealthy meanwhile, without an event (28.5, 20.10): so one that is paused when a
    watcher starts is withheld, and takes its port again when it is healthy."""
    at = f"{mail.name}_transit"
    name = run("well", "--network", at, "--health-cmd", "true", "--health-interval", "1s", tcp="7620", expose="tcp/7620",
               labels={"anchord.expose.when": "healthy"})
    mail.wait_answer("tcp", 7620, "well")
    mail.lab.docker("pause", name)
    run("later", "--network", at, tcp="7622", expose="tcp/7622")
    mail.wait_answer("tcp", 7622, "later")  # so what came meanwhile was looked at
    assert 7620 in mail.elements(4, "tcp")
    state = mail.lab.engine.inspect(name)["State"]
    assert state["Paused"] and state["Health"]["Status"] == "unhealthy"
    os.kill(mail.wait_processes()["anchord-watcher"], signal.SIGKILL)
    mail.wait_refused("tcp", 7620)
    mail.lab.docker("unpause", name)
    mail.wait_answer("tcp", 7620, "well")


def between_two_networks(direct):
    """transit, chosen by its name, and backend, where the only backend is."""
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080", networks=["backend"])})
    moved = {"10.30.": "10.31.", "fd30:": "fd31:"}
    with project.edited() as definition:
        text = json.dumps(definition["networks"]["transit"]["ipam"]["config"])
        for old, new in moved.items():
            text = text.replace(old, new)
        definition["networks"]["backend"] = unmasqueraded(json.loads(text))
        definition["services"][ANCHOR]["networks"]["backend"] = {}
    return project


STARTS = 8


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "its transit is not Compose's own")
def test_disc4_a_first_backend_on_the_other_network_is_no_error(direct, figure):
    """It changes the network and is exposed, and nothing is refused on the way: a line of level ERROR and a failed
    reconciliation raise alarms."""
    project = between_two_networks(direct)
    found = []
    for _ in range(STARTS):
        project.up(ANCHOR)
        assert project.wait_record("discovered shared network", 20)["network"] == f"{project.name}_transit"
        project.up("web")
        for family in FAMILIES:
            project.wait_answer("tcp", 80, "web", family=family, deadline=20)
        errors = [record for record in project.json_logs(ANCHOR) if record["level"] == "ERROR"]
        found.append((len(errors), project.metric(ANCHOR, 'anchord_reconcile_total{result="error"}'), errors))
        project.compose("rm", "--stop", "--force", ANCHOR, "web")
    wrong = [each for each in found if each[0] or each[1]]
    figure(f"{len(wrong)} of {STARTS} starts with an error")
    assert not wrong, wrong


def test_disc4_the_first_backend_decides_between_two_networks(direct):
    """Chosen by name at first, re-picked aloud with the first backend, gateways claimed there; and there it stays."""
    project = between_two_networks(direct)
    project.up(ANCHOR)
    assert project.wait_record("discovered shared network", 20)["network"] == f"{project.name}_transit"
    project.up("web")
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family, deadline=20)
    again, = project.records("shared network re-picked")
    assert (again["level"], again["network"]) == ("WARN", f"{project.name}_backend")
    with project.extra_container("one", expose="tcp/81"), project.extra_container("two", expose="tcp/82"):
        wait_until(lambda: len(project.records("no usable IP for container")) == 2, 10, "both on transit are named")
        project.wait_answer("tcp", 80, "web")
    assert len(project.records("shared network re-picked")) == 1
