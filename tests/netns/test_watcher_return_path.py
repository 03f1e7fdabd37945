"""anchord-watcher and the way back of its backends, against a Docker API that says what a test wants (DISC-8)."""

import os
import time

import pytest

import fake_docker
import watcher_lab
from fake_docker import (BACKEND_ID, BACKEND_MAC, DMZ_ID, EXTERNAL_MAC, SHARED_MAC, TRANSIT_ID, container, container_id,
                         endpoint)
from netadmin_lab import wait_until
from watcher_lab import link_item

NO_GATEWAY = "replies do not come back: transit names no gateway"
OTHER_ROUTE = "replies do not come back: another network gives"
FOREIGN_GATEWAY = "replies do not come back: this anchor does not hold"
UNHEALTHY = "replies do not come back: the container's service-anchor is unhealthy"
LIMITED = "the way back of backends is not checked"
ENDED = "ended: the way back"
SECRET = "DATABASE_PASSWORD=hunter2"
INIT = "/usr/libexec/anchord/anchord-init"


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-return-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def without_gateway(docker):
    docker.networks[TRANSIT_ID]["IPAM"]["Config"][0].pop("AuxiliaryAddresses")
    return docker


def joined(number, target, status="Up 3 seconds (healthy)", command="sleep 1"):
    """A container without label in another one's namespace."""
    record = container(number, "", name=f"joined-{number}")
    del record["Labels"]["anchord.expose"]
    record.update(HostConfig={"NetworkMode": f"container:{container_id(target)}"}, Status=status, Command=command,
                  Env=[SECRET], NetworkSettings={"Networks": {}})
    return record


def on_second_network(priority=None):
    record = container(1, "tcp/80")
    networks = record["NetworkSettings"]["Networks"]
    networks["backend"] = endpoint(BACKEND_ID, "172.31.0.5")
    if priority is not None:
        networks["transit"]["GwPriority"] = priority
    return record


def test_a_network_that_wins_the_default_route_is_named_once_and_again(lab, docker):
    watcher = lab.start(poll=1)
    watcher.state({})
    docker.start(on_second_network())
    line = watcher.log(OTHER_ROUTE)
    assert (line["level"], line["container"], line["family"], line["other"]) == ("WARN", "backend-1", "v4", "backend")
    assert "`gw_priority: 1` on the service's network transit" in line["remedy"]
    polls = sum("/containers/json" in path for path in docker.requests)
    wait_until(lambda: sum("/containers/json" in path for path in docker.requests) > polls + 2, "two polls")
    assert len(watcher.logged(OTHER_ROUTE)) == 1
    docker.connect(on_second_network(priority=1))
    assert watcher.log(ENDED)["was"].startswith(OTHER_ROUTE)
    docker.connect(on_second_network())
    watcher.log(OTHER_ROUTE, 2)
    assert sum(path.endswith(f"/networks/{BACKEND_ID}") for path in docker.requests) == 1


def test_a_service_anchor_that_joins_ends_the_finding(lab, docker):
    """Known by anchord's command without a role, which only its environment names: that is not asked for (WALL-7).
    Event-driven, long before the poll."""
    without_gateway(docker)
    watcher = lab.start(poll=600)
    docker.start(container(1, "tcp/80"))
    line = watcher.log(NO_GATEWAY)
    assert "DefaultGatewayIPv4: \"172.30.0.2\"" in line["remedy"]
    docker.start(joined(8, target=1, command=f"{INIT} network-anchor"))
    docker.start(joined(9, target=1, command=INIT))
    watcher.log(ENDED)
    sick = joined(9, target=1, status="Up 1 minute (unhealthy)", command=INIT)
    docker.put(sick)
    docker.event("container", "health_status: unhealthy", sick)
    assert watcher.log(UNHEALTHY)["other"] == "joined-9"
    docker.stop(9)
    watcher.log(NO_GATEWAY, 2)
    assert not [path for path in docker.requests if "/containers/" in path and "filters" not in path]
    assert "hunter2" not in str(watcher.lines) and "DATABASE_PASSWORD" not in str(watcher.lines)


def test_a_service_anchor_that_the_keeper_made_is_known_by_its_label(lab, docker):
    """LIFE-2: it is in nobody's scope, and Docker tells of its scope's events alone; a poll finds it."""
    without_gateway(docker)
    watcher = lab.start(poll=1)
    docker.start(container(1, "tcp/80"))
    watcher.log(NO_GATEWAY)
    foreign = joined(8, target=1, command=INIT)
    foreign["Labels"] = {}
    docker.start(foreign)
    managed = joined(9, target=1, command=INIT)
    managed["Labels"] = {"anchord.managed-by": "f45"}
    docker.start(managed)
    watcher.log(ENDED)
    docker.stop(9)
    watcher.log(NO_GATEWAY, 2)


def test_a_service_anchor_of_a_project_that_wraps_this_one_is_known_by_its_target(lab, docker):
    """Pattern Wrap: it belongs to another project, whose events nobody hears. Looked for again for a while, long before the
    poll: it comes, and becomes healthy, within seconds."""
    without_gateway(docker)
    watcher = lab.start(poll=600)
    docker.start(container(1, "tcp/80"))
    watcher.log(NO_GATEWAY)
    wrapping = joined(9, target=1, status="Up 1 second (health: starting)", command=f"{INIT} service-anchor")
    wrapping["Labels"] = {"com.docker.compose.project": "mail-anchor", "anchord.target": "mail-web-1"}
    docker.put(wrapping)
    assert watcher.log("replies do not come back yet")["other"] == "joined-9"
    wrapping["Status"] = "Up 3 seconds (healthy)"
    docker.put(wrapping)
    watcher.log(ENDED, 2)


def test_many_events_list_the_scope_once_a_second_at_most(lab, docker):
    """The engine is asked one question at a time: the survey's, the longest one, must not stand before each event."""
    without_gateway(docker)
    watcher = lab.start(poll=600)
    docker.start(container(1, "tcp/1"))
    watcher.log(NO_GATEWAY)
    begin = time.monotonic()
    before = len(docker.requests)
    state = {("tcp", 1, 1): ("172.30.0.4", 1)}
    for number in range(2, 62):
        docker.start(container(number, f"tcp/{number}"))
        state[("tcp", number, number)] = (f"172.30.0.{number + 3}", number)
        watcher.state(state)
    watcher.log(NO_GATEWAY, 61)
    lists = sum(path.endswith("managed-by%3Df45%22%5D%7D") for path in docker.requests[before:])
    assert 1 <= lists <= time.monotonic() - begin + 1


def test_a_labelled_service_anchor_is_known_by_its_command(lab, docker):
    without_gateway(docker)
    watcher = lab.start()
    anchor = container(1, "tcp/80")
    anchor.update(Command=f"{INIT} service-anchor", Status="Up 1 minute (unhealthy)")
    docker.start(anchor)
    assert watcher.log(UNHEALTHY)["container"] == "backend-1"
    anchor["Status"] = "Up 1 minute (healthy)"
    docker.put(anchor)
    docker.event("container", "health_status: healthy", anchor)
    watcher.log(ENDED)
    assert not [path for path in docker.requests if path.endswith(f"{container_id(1)}/json")]


def test_a_gateway_that_is_not_ours_is_named_after_a_while(lab, docker):
    """GW-1: netadmin is given the time to claim it; the links of this test never show it. Long before the poll, however the
    topology becomes final: at once, by the first backend, or since the other candidate goes (DISC-4)."""
    networks = {"dmz": endpoint(DMZ_ID, "192.0.2.10", EXTERNAL_MAC), "transit": endpoint(TRANSIT_ID, "172.30.0.2", SHARED_MAC)}
    docker.put(fake_docker.own_container(**networks, backend=endpoint(BACKEND_ID, "172.31.0.2", BACKEND_MAC)))
    links = [link_item(2, "eth0", SHARED_MAC), link_item(3, "eth1", EXTERNAL_MAC), link_item(4, "eth2", BACKEND_MAC)]
    at_once, by_backend, by_loss = (lab.start(poll=600, link=False, **different)
                                    for different in ({"shared": "transit"}, {}, {"project": "other"}))
    for watcher in (at_once, by_backend, by_loss):
        watcher.link(links)
        assert watcher.chosen() == ("transit", watcher == at_once)
        watcher.state({})
    docker.start(container(1, "tcp/80"))
    assert by_backend.chosen() == ("transit", True)
    docker.connect(fake_docker.own_container(**networks), BACKEND_ID, "disconnect")
    assert by_loss.chosen() == ("transit", True)
    docker.start(container(2, "tcp/81", project="other"))
    for watcher, number in ((at_once, 1), (by_backend, 1), (by_loss, 2)):
        watcher.state({("tcp", 79 + number, 79 + number): (f"172.30.0.{number + 3}", 79 + number)})
        assert not watcher.logged(FOREIGN_GATEWAY)
    for watcher, number in ((at_once, 1), (by_backend, 1), (by_loss, 2)):
        assert watcher.log(FOREIGN_GATEWAY)["container"] == f"backend-{number}"


@pytest.mark.parametrize("part", [f"/networks/{BACKEND_ID}", "/containers/json?filters=%7B%22label%22%3A%5B%22anchord.managed-by"])
@pytest.mark.parametrize("status", [403, 404, 200])
def test_what_a_proxy_denies_is_left_out(lab, docker, part, status):
    """One INFO about a denial; no finding, no reconnect, and the entry is served."""
    docker.misbehave[part] = lambda connection: fake_docker.send(connection, status, b"{}" if "containers" in part else b"[]")
    if "containers" in part:
        without_gateway(docker)
    watcher = lab.start(poll=1)
    docker.start(on_second_network() if "networks" in part else container(1, "tcp/80"))
    watcher.state({("tcp", 80, 80): ("172.30.0.4", 80)})
    wait_until(lambda: any(part in path for path in docker.requests), "the question")
    polls = sum("/containers/json" in path for path in docker.requests)
    wait_until(lambda: sum("/containers/json" in path for path in docker.requests) > polls + 2, "two polls")
    assert len(watcher.logged(LIMITED)) == (1 if status == 403 else 0)
    assert not watcher.logged("replies do not come back")
    assert len(watcher.logged("connected to Docker")) == 1
    if "networks" in part:  # of containers it is asked again at each poll
        assert sum(part in path for path in docker.requests) == 1


def test_a_service_anchor_that_starts_is_no_warning(lab, docker):
    record = container(1, "tcp/80")
    record.update(Command=f"{INIT} service-anchor", Status="Up 1 second (health: starting)")
    docker.put(record)
    watcher = lab.start(poll=600)
    line = watcher.log("replies do not come back yet")
    assert (line["level"], line["container"]) == ("INFO", "backend-1")
    record["Status"] = "Up 9 seconds (unhealthy)"
    docker.connect(record)
    assert watcher.log(UNHEALTHY)["level"] == "WARN"
