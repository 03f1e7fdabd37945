"""anchord-watcher and what stands between it and Docker: a proxy that forbids, engines old and new, a lossy stream."""

import os
import random

import pytest

import fake_docker
import watcher_lab
from fake_docker import container, container_id

MARKER, UNSEEN = 100, 101  # containers that nothing else happens to
WEB = {("tcp", 80, 80): ("172.30.0.4", 80)}


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-hardship-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def forbid(connection):
    fake_docker.send(connection, 403, b"<html><body><h1>403 Forbidden</h1></body></html>", "text/html")


@pytest.mark.parametrize("path, switch", [("/containers/json", "CONTAINERS=1"), ("/networks/", "NETWORKS=1"),
                                          ("/events", "EVENTS=1"), ("/version", "VERSION=1")])
def test_each_permission_is_named_when_it_lacks_and_taken_when_it_comes(lab, docker, path, switch):
    """docs/docker-access.md: the least that a socket proxy must allow."""
    docker.put(container(1, "tcp/80"))
    docker.misbehave[path] = forbid
    watcher = lab.start(poll=0.5)
    assert watcher.log("Docker cannot be read")["err"].endswith(f"denied by the socket proxy (403): allow {switch}")
    docker.misbehave.clear()
    watcher.state(WEB)


@pytest.mark.parametrize("status, body, words", [
    (403, b"Forbidden\n", "(403): allow GET of this path and this container's address; the paths to allow stand in "),
    (405, b"Method Not Allowed\n", "(405): it allows no GET at all; the paths to allow stand in ")])
@pytest.mark.parametrize("path", ["/containers/json", "/networks/", "/events", "/version"])
def test_a_proxy_with_exact_paths_is_told_from_one_with_switches(lab, docker, path, status, body, words):
    """SPEC 11, docs/docker-access.md: wollomatic/socket-proxy answers in plain text, 405 where a method has no list."""
    docker.put(container(1, "tcp/80"))
    docker.misbehave[path] = lambda connection: fake_docker.send(connection, status, body, "text/plain")
    watcher = lab.start(poll=0.5)
    said = watcher.log("Docker cannot be read")["err"]
    assert said.startswith("GET /") and path.rstrip("/") in said
    assert said.endswith(f" denied by the socket proxy {words}docs/docker-access.md"), said
    docker.misbehave.clear()
    watcher.state(WEB)


@pytest.mark.parametrize("oldest, newest, spoken", [("1.44", "1.52", 52), ("1.44", "1.99", 57), ("1.12", "1.41", 41),
                                                    ("1.24", "1.47", 47)])
def test_the_api_version_is_negotiated(lab, docker, oldest, newest, spoken):
    """SPEC 10, 11: engines that serve nothing below 1.44, and those that end at 1.41."""
    docker.versions = {"Version": "1", "ApiVersion": newest, "MinAPIVersion": oldest}
    docker.put(container(1, "tcp/80"))
    watcher = lab.start()
    watcher.state(WEB)
    assert watcher.log("connected to Docker")["api_minor"] == spoken
    assert all(path.startswith(f"/v1.{spoken}/") for path in docker.requests if path != "/version")


def test_fields_that_an_api_removed_are_not_missed(lab, docker):
    """SPEC 11: of a container nothing is needed but its name, age, state, labels and its place on its networks."""
    docker.versions = {"Version": "1", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    bare = container(1, "tcp/80")
    place = bare["NetworkSettings"]["Networks"]["transit"]
    docker.put({key: bare[key] for key in ("Id", "Names", "Created", "State", "Labels")} | {
        "NetworkSettings": {"Networks": {"transit": {key: place[key] for key in ("NetworkID", "IPAddress")}}}})
    lab.start().state(WEB)


def test_events_without_the_fields_that_an_api_removed(lab, docker):
    """USE-7: from API 1.52 on an event has neither `status` nor `id`; a stop is followed all the same, and no poll helps."""
    docker.versions = {"Version": "29.0.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    docker.put(container(1, "tcp/80"))
    watcher = lab.start(poll=3600)
    watcher.state(WEB)
    docker.stop(1)
    assert not {"status", "id"} & docker.history[-1][1].keys(), "the event is an old one"
    watcher.state({})
    docker.start(container(1, "tcp/80"))
    watcher.state(WEB)


class Chaos:
    """Lets a seeded dice decide about each event: lost, doubled, late, torn apart; if it may cut, now and then all
    connections end."""

    def __init__(self, docker, seed, may_cut):
        self.docker, self.dice, self.late, self.may_cut = docker, random.Random(seed), [], may_cut
        self.deliver = docker.send_raw_event
        docker.send_raw_event = self.send

    def send(self, body, event=None):
        fate = self.dice.random()
        if fate < 0.25:
            return
        if fate < 0.45:
            self.late.append((body, event))
            return
        half = self.dice.randrange(1, len(body)) if fate < 0.6 else len(body)
        for part in (body[:half], body[half:]):
            if part:
                self.deliver(part, event)
        if fate > 0.85:
            self.deliver(body, event)
        if self.late and fate > 0.7:
            self.deliver(*self.late.pop(self.dice.randrange(len(self.late))))
        if fate > 0.99 and self.may_cut:
            self.docker.drop_connections()

    def pause(self, watcher, address):
        """Until the watcher has looked at what it was told: a marker moves, and that event comes as it should."""
        self.docker.send_raw_event = self.deliver
        self.docker.connect(container(MARKER, "tcp/40000", address))
        self.docker.send_raw_event = self.send
        while watcher.next_state()[1].get(("tcp", 40000, 40000)) != (address, 40000):
            pass


def answer_one_more_poll(docker):
    """The next list of all containers in scope is the last one that is answered; what an event leads to fails after it,
    too."""
    truthful, polls = docker.list, []

    def answer(filters):
        if "id" not in filters and "label" in filters and polls:
            raise OSError("no more lists")
        if "label" in filters and "id" not in filters:
            polls.append(filters)
        return truthful(filters)
    docker.list = answer


@pytest.mark.parametrize("may_cut", [True, False], ids=["cut", "not-cut"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_disc1_after_a_lossy_stream_the_map_is_what_the_containers_say(lab, docker, seed, may_cut):
    """Events lost, doubled, late, torn, connections cut: within a poll after it all, the map equals the model. Where
    nothing is cut, no list of a new connection heals it before, and of one container no event came at all."""
    chaos = Chaos(docker, seed, may_cut)
    watcher = lab.start(poll=1.0)
    watcher.state({})
    running = {}
    for step in range(300):
        if step % 10 == 9:
            chaos.pause(watcher, f"172.30.250.{step // 10 + 1}")
        number = chaos.dice.randrange(1, 40)
        if number in running and chaos.dice.random() < 0.5:
            docker.stop(number)
            del running[number]
            continue
        running[number] = f"172.30.{chaos.dice.randrange(1, 200)}.{number}"
        docker.start(container(number, f"tcp/{number}, udp/{number}", running[number]))
    running[UNSEEN] = f"172.30.249.{UNSEEN}"
    docker.put(container(UNSEEN, f"tcp/{UNSEEN}, udp/{UNSEEN}", running[UNSEEN]))
    answer_one_more_poll(docker)
    watcher.state({("tcp", 40000, 40000): ("172.30.250.30", 40000)} | {
        (proto, number, number): (address, number) for number, address in running.items() for proto in ("tcp", "udp")})
    assert watcher.process.poll() is None


def test_disc6_a_storm_of_containers(lab, docker):
    """500 containers come and half of them go: few questions, little time, right at the end. Docker's answers are the
    windows: each question takes all that happened since the last one, and its answer leads to one desired state at most.
    """
    watcher = lab.start(poll=600)
    watcher.state({})
    before, commits, used = len(docker.requests), watcher.commits, cpu_seconds(watcher.process.pid)
    for number in range(1, 501):
        docker.start(container(number, f"tcp/{number}"))
        if number % 2:
            docker.stop(number)
    watcher.state({("tcp", number, number): (f"172.30.{number // 250}.{number % 250 + 3}", number)
                   for number in range(2, 501, 2)})
    questions = docker.requests[before:]
    assert len(questions) < 500
    assert 0 < watcher.commits - commits <= sum("/containers/json" in path for path in questions)
    assert cpu_seconds(watcher.process.pid) - used < 3
    assert container_id(500) in docker.containers


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
