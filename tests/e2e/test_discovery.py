"""Where backends are found, on a real engine: in another container's namespace (DISC-5), only while healthy (DISC-7)."""

import contextlib

import pytest

from direct import mail_services, service
from lab import images


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
    for family in (4, 6):
        mail.wait_answer("tcp", 7500, "guest", family=family)
    mail.wait_refused("tcp", 7501)
    mail.lab.docker("network", "disconnect", f"{mail.name}_transit", owner)
    mail.wait_refused("tcp", 7500)
    mail.lab.docker("network", "connect", f"{mail.name}_transit", owner)
    mail.wait_answer("tcp", 7500, "guest")
    mail.lab.docker("rm", "--force", owner)
    mail.wait_refused("tcp", 7500)


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "its list of containers does not tell health")
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
