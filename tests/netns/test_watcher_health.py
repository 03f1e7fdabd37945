"""DISC-7 in anchord-watcher: `anchord.expose.when` and what Docker says of a container's health."""

import os

import pytest

import fake_docker
import watcher_lab
from fake_docker import container

OPEN = {("tcp", 80, 80): ("172.30.0.4", 80)}
WITHHELD = {("tcp", 80, 80): ("172.30.0.4", 80, "withheld")}


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-health-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def web(status, when="healthy", number=1, **keywords):
    record = container(number, "tcp/80", labels={"anchord.expose.when": when}, **keywords)
    record["Status"] = status
    return record


def becomes(docker, record, state="running"):
    record["State"] = state
    docker.put(record)
    docker.event("container", "health_status", record)


def test_an_entry_comes_with_health_and_goes_with_it(lab, docker):
    docker.put(web("Up 1 second (health: starting)"))
    watcher = lab.start(poll=600)
    watcher.state(WITHHELD)
    becomes(docker, web("Up 3 seconds (healthy)"))
    watcher.state(OPEN)
    becomes(docker, web("Up 9 seconds (unhealthy)"))
    watcher.state(WITHHELD)
    becomes(docker, web("Up 12 seconds (healthy)"))
    watcher.state(OPEN)
    docker.stop(1)
    watcher.state({})


def test_disc7_a_container_without_a_health_check_is_named(lab, docker):
    """It never becomes healthy, and is not said to be starting."""
    docker.put(web("Up 3 seconds"))
    docker.put(web("Up 3 seconds (health: starting)", number=2, address="172.30.0.9"))
    watcher = lab.start()
    watcher.link_control()
    found = watcher.findings(lambda kinds: {watcher_lab.NO_HEALTH_CHECK, watcher_lab.NOT_HEALTHY} <= set(kinds))
    assert (found[watcher_lab.NO_HEALTH_CHECK], found[watcher_lab.NOT_HEALTHY]) == (
        [("backend-1", "has no health check, and its ports wait for its health: tcp/80")],
        [("backend-2", "is not healthy: nothing new is taken at its ports: tcp/80")])
    line = watcher.log("container has no health check: it is not exposed")
    assert (line["level"], line["container"]) == ("WARN", "backend-1")
    assert len(watcher.logged("container has no health check")) == 1


def test_without_the_label_health_does_not_matter(lab, docker):
    docker.put(web("Up 9 seconds (unhealthy)", when="started"))
    watcher = lab.start(poll=600)
    watcher.state(OPEN)


def test_disc6_a_paused_container_keeps_its_entry(lab, docker):
    docker.put(web("Up 3 seconds (healthy)"))
    watcher = lab.start(poll=600)
    watcher.state(OPEN)
    becomes(docker, web("Up 5 seconds (Paused)"), state="paused")
    docker.start(container(2, "tcp/25"))
    watcher.state(OPEN | {("tcp", 25, 25): ("172.30.0.5", 25)})


@pytest.mark.parametrize("health, expected", [("healthy", OPEN), ("unhealthy", WITHHELD), ("starting", WITHHELD)])
def test_disc6_a_container_that_is_paused_when_the_watcher_starts(lab, docker, health, expected):
    """Docker's list hides its health, but is filtered by it: asked for before anything is said to netadmin, and not again.
    WALL-7: nothing is inspected."""
    record = web("Up 5 seconds (Paused)") | {"State": "paused", "Health": health}
    docker.put(record)
    watcher = lab.start(poll=600)
    assert watcher.next_state()[1] == expected
    docker.start(container(2, "tcp/25"))
    watcher.state(expected | {("tcp", 25, 25): ("172.30.0.5", 25)})
    asked = [path for path in docker.requests if record["Id"] in path]
    assert sum("health" in path for path in asked) == 1
    assert not [path for path in asked if "filters" not in path]
    becomes(docker, web("Up 9 seconds (unhealthy)"))
    docker.stop(2)
    watcher.state(WITHHELD)


def test_disc7_a_paused_container_that_may_not_be_asked_about(lab, docker):
    record = web("Up 5 seconds (Paused)") | {"State": "paused", "Health": "healthy"}
    docker.put(record)
    docker.misbehave["%22health%22"] = lambda connection: fake_docker.send(connection, 403, b"{}")
    watcher = lab.start(poll=600)
    watcher.state(WITHHELD)
    assert watcher.log("health of a container is not known")["container"] == "backend-1"
    becomes(docker, web("Up 9 seconds (healthy)"))
    watcher.state(OPEN)


def test_podman_tells_health_by_inspection_alone(lab, docker):
    """DISC-7: neither its list nor its events do."""
    docker.only_inspected = ("HostConfig",)
    docker.put(web("Up 1 second") | {"Health": "starting"})
    watcher = lab.start(poll=600)
    watcher.state(WITHHELD)
    becomes(docker, web("Up 3 seconds") | {"Health": "healthy"})
    watcher.state(OPEN)
    becomes(docker, web("Up 9 seconds") | {"Health": "unhealthy"})
    watcher.state(WITHHELD)


def test_nat6_a_withheld_container_keeps_its_ports(lab, docker):
    docker.put(web("Up 3 seconds (unhealthy)"))
    docker.put(container(2, "tcp/80", created=1_700_000_001))
    watcher = lab.start()
    watcher.state(WITHHELD)
    assert watcher.log("port is exposed twice")["holder"] == "backend-1"


def test_another_value_is_named_with_its_container(lab, docker):
    docker.put(web("Up 3 seconds (healthy)", when="ready"))
    docker.put(container(2, "tcp/25"))
    watcher = lab.start()
    watcher.state({("tcp", 25, 25): ("172.30.0.5", 25)})
    line = watcher.log("label is invalid")
    assert (line["container"], line["label"]) == ("backend-1", "anchord.expose.when")
    assert line["err"] == "the value is neither started nor healthy"


def test_disc8_status_hears_of_findings_with_their_remedy(lab, docker):
    """What control is told: withheld ports and replies that do not come back; taken back when it is over."""
    docker.networks[fake_docker.TRANSIT_ID]["IPAM"]["Config"][0].pop("AuxiliaryAddresses")
    docker.put(web("Up 3 seconds (unhealthy)"))
    docker.put(container(2, "tcp/25"))
    watcher = lab.start(poll=600)
    watcher.link_control()
    found = watcher.findings(lambda kinds: watcher_lab.NO_WAY_BACK in kinds)
    assert ("backend-1", "is not healthy: nothing new is taken at its ports: tcp/80") in found[watcher_lab.NOT_HEALTHY]
    container_name, reason = found[watcher_lab.NO_WAY_BACK][0]
    assert container_name in ("backend-1", "backend-2")
    assert reason.startswith("replies do not come back: transit names no gateway")
    assert "(v4); recreate the network transit with `aux_addresses: {DefaultGatewayIPv4:" in reason
    assert [name for name, _ in found[watcher_lab.FINDING_EXPOSED]] == ["backend-2"]
    becomes(docker, web("Up 5 seconds (healthy)"))
    found = watcher.findings(lambda kinds: watcher_lab.NOT_HEALTHY not in kinds)
    assert len(found[watcher_lab.FINDING_EXPOSED]) == 2
