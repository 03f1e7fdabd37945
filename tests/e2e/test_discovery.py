"""Where backends are found, on a real engine: on which network (DISC-4), in another container's namespace (DISC-5), only
while healthy (DISC-7)."""

import contextlib
import json

import pytest

from direct import ANCHOR, FAMILIES, PROXY, mail_services, service, unmasqueraded
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


def test_disc4_the_first_backend_decides_between_two_networks(direct):
    """Chosen by name at first, re-picked aloud with the first backend, gateways claimed there; and there it stays."""
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080", networks=["backend"])})
    moved = {"10.30.": "10.31.", "fd30:": "fd31:"}
    with project.edited() as definition:
        text = json.dumps(definition["networks"]["transit"]["ipam"]["config"])
        for old, new in moved.items():
            text = text.replace(old, new)
        definition["networks"]["backend"] = unmasqueraded(json.loads(text))
        definition["services"][ANCHOR]["networks"]["backend"] = {}
    project.up(ANCHOR, PROXY)
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
