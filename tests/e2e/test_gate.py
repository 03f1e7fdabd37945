"""WALL-7: with Docker's socket mounted, a watcher or a keeper that was taken over asks a real engine for everything, through
the gate. Requests are sent as its user to its socket, byte for byte."""

import json
import os
import pathlib
import subprocess
import time
import urllib.parse

import pytest

from direct import ANCHOR, service

pytestmark = [pytest.mark.every_engine,
              pytest.mark.not_on("podman", "its socket has mode 0600, which anchord refuses and says")]
WATCHER, KEEPER, GATE = 24941, 24943, 24949
HOST = "HTTP/1.1\r\nHost: docker\r\n\r\n"

ACTIONS = ["start", "restart", "die", "stop", "destroy", "pause", "unpause", "rename", "update", "connect", "disconnect",
           "health_status", "create"]

# Sends each request over a connection of its own; prints what came back until the end of the one answer or of the
# connection, or for two seconds.
ASK = """
import json, re, socket, sys

def is_whole(answer):
    head, end, body = answer.partition(b"\\r\\n\\r\\n")
    length = re.search(rb"Content-Length: (\\d+)", head)
    return end and (len(body) >= int(length[1]) if length else b"chunked" not in head or body.endswith(b"\\r\\n0\\r\\n\\r\\n"))

answers = []
for request in json.load(sys.stdin):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(2)
    answer = b""
    try:
        connection.connect(sys.argv[1])
        connection.sendall(request.encode("latin-1"))
        while part := connection.recv(65536):
            answer += part
            if request.count("HTTP/1.1") == 1 and is_whole(answer):
                break
    except OSError as error:
        answer += b"" if isinstance(error, TimeoutError) or answer else repr(error).encode()
    answers.append(answer.decode("latin-1"))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def project(shared_direct):
    services = {"smtp": service("smtp", tcp="25", expose="tcp/25")}
    made = shared_direct(services, anchor={"hostname": "mail.example.org"}).up()
    made.wait_answer("tcp", 25, "smtp", deadline=20)
    return made


def ask(project, *requests, user=WATCHER, path="watcher.sock", directory="run/anchord/gate"):
    root = pathlib.Path(f"/proc/{project.processes()['anchord-watcher']}/root")
    done = subprocess.run(["python3", "-IS", "-c", ASK, path], cwd=root / directory, user=user, group=user, extra_groups=[],
                          input=json.dumps(requests), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)

AS_KEEPER = {"user": KEEPER, "path": "keeper.sock"}  # its socket is there whether it runs or not


def unrefused(lines, answers):
    """What was not refused by the gate itself."""
    return [line for line, answer in zip(lines, answers)
            if not (answer.startswith("HTTP/1.1 403 Forbidden\r\n") and "anchord-gate: " in json.loads(body_of(answer))["message"])]


def body_of(answer):
    """Of an answer with a length, or in one or more chunks."""
    head, _, body = answer.partition("\r\n\r\n")
    if "chunked" not in head:
        return body
    whole = ""
    while body:
        size, _, body = body.partition("\r\n")
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
    return whole


def test_the_watcher_cannot_open_dockers_socket_itself(project):
    """DESIGN 1: what it may open is the gate's. How both run is in test_processes.py."""
    refused, = ask(project, f"GET /version {HOST}", path="docker.sock", directory="var/run")
    assert "PermissionError" in refused


def test_the_log_names_docker_as_people_know_it(project):
    """Not the gate's socket: nobody has configured that, and nobody can look what is wrong with it."""
    assert project.wait_record("connected to Docker")["docker_host"] == "unix:///var/run/docker.sock"


def test_what_the_watcher_needs_is_answered(project):
    """ADDR-10: with `hostname:` set, too. Of everybody it hears of itself, of the scope's containers all."""
    own = project.inspect(ANCHOR)["Id"]
    scope = f"%7B%22label%22%3A%5B%22com.docker.compose.project%3D{project.name}%22%5D%7D"
    version, everybody, listed = ask(project, f"GET /version {HOST}", f"GET /v1.41/containers/json?filters=%7B%7D {HOST}",
                                     f"GET /v1.41/containers/json?filters={scope} {HOST}")
    assert version.startswith("HTTP/1.1 200 ") and json.loads(body_of(version))["ApiVersion"]
    assert [container["Id"] for container in json.loads(body_of(everybody))] == [own]
    assert {container["Labels"]["com.docker.compose.project"] for container in json.loads(body_of(listed))} == {project.name}


def filtered(resource, **filters):
    """As the watcher writes it: no blank in the JSON, and everything percent-encoded."""
    text = json.dumps({key: value if isinstance(value, list) else [value] for key, value in filters.items()},
                      separators=(",", ":"))
    return f"GET /v1.41/{resource}filters={urllib.parse.quote(text, safe='')}"


def events(**filters):
    return filtered(f"events?since={int(time.time()) - 60}.000000000&", **filters)


def foreign_requests(container, network, project, foreign, foreign_project):
    """WALL-7, HOST-10: everybody, somebody else's project, somebody else's container, and what else lists it."""
    scope, other = f"com.docker.compose.project={project}", f"com.docker.compose.project={foreign_project}"
    return [
        filtered("containers/json?") + "&all=true", filtered("containers/json?", id=foreign),
        filtered("containers/json?", id=foreign) + "&all=true", filtered("containers/json?", id=[container, foreign]),
        filtered("containers/json?", id=foreign, health="healthy"), filtered("containers/json?", label=other),
        filtered("containers/json?", label=other, id=foreign), filtered("containers/json?", label=[scope, other]),
        filtered("containers/json?", label="com.docker.compose.project"), filtered("containers/json?", label="anchord.expose"),
        filtered("containers/json?", label="anchord.managed-by"), filtered("containers/json?", name="smtp"),
        filtered("containers/json?", network=network), filtered("containers/json?", status="running"),
        filtered("containers/json?", label=scope, network=network), filtered("containers/json?", ancestor="anchord"),
        filtered("networks?", id=network), events(), events(event=ACTIONS), events(type="container", event=ACTIONS),
        events(type=["container", "network"], event=ACTIONS), events(type="container", event=ACTIONS, label=other),
        events(type="container", event=ACTIONS, label="com.docker.compose.project"),
        events(type="container", event=ACTIONS, container=foreign), events(type="network", event=ACTIONS),
        events(type="network", event=ACTIONS, label=scope), events(type="network", event=ACTIONS, network="transit"),
        events(type="network", event=ACTIONS, network=[network, ""]), events(type="image", label=scope, event=ACTIONS),
        events(type=["container", "network"], event=ACTIONS, label=scope),
        f"GET /v1.41/events?since=0&filters={filtered('', type='container', event=ACTIONS, label=scope).rpartition('=')[2]}"]


def hostile_requests(container, network, project, own):
    scope = f"%7B%22label%22%3A%5B%22com.docker.compose.project%3D{project}%22%5D%7D"
    create = "HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" '{"Image":"none"}'
    lines = [
        f"GET /v1.41/containers/{container}/json", f"GET /v1.41/containers/{own}/json",
        f"GET /v1.41/containers/{container}/archive?path=/etc/passwd", f"GET /v1.41/containers/{container}/export",
        f"GET /v1.41/containers/{container}/logs?stdout=1", f"GET /v1.41/containers/{container}/top",
        f"GET /v1.41/containers/{container}/stats", f"GET /v1.41/containers/{container}/changes",
        f"GET /v1.41/containers/{container}/json?size=1", f"GET /v1.41/containers/json?filters={scope}&size=1",
        "GET /v1.41/containers/json", "GET /v1.41/containers/json?all=1", "GET /v1.41/containers/json?all=true",
        "GET /v1.41/containers/json?filters=%7B%7D&all=true&size=true",
        "GET /v1.41/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.compose.project%3Danother%22%5D%7D",
        "GET /containers/json", "GET /v1.41/events", "GET /v1.41/images/json", "GET /v1.41/info", "GET /v1.41/volumes",
        "GET /v1.41/secrets", "GET /v1.41/networks", "GET /v1.41/system/df", "GET /_ping", "HEAD /_ping",
        f"GET /v1.41/containers/{container}/../{container}/export", "GET /v1.41/networks/../info",
        f"GET /v1.41/networks/{network}%2F..%2F..%2Finfo", "GET /v1.41/%69nfo", f"GET /v1.41//containers/{container}/export",
        f"GET /v1.41/networks/{network}?verbose=true", f"GET http://docker/v1.41/containers/{container}/export",
        "GET http://docker/version", "OPTIONS *", "CONNECT docker:80", f"POST /v1.41/containers/{container}/exec",
        f"POST /v1.41/containers/{container}/kill", f"POST /v1.41/containers/{container}/stop",
        f"POST /v1.41/containers/{container}/attach?stream=1", f"DELETE /v1.41/containers/{container}?force=true",
        f"PUT /v1.41/containers/{container}/archive?path=/", "POST /v1.41/containers/prune", "POST /session"]
    heads = [
        "GET /version HTTP/1.1\nHost: docker\n\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nX: y\r\n folded\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\nGET",
        "GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\n\r\nGET ",
        "GET /version HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        f"POST /v1.41/containers/create?name=smuggled {create}",
        f"POST /v1.41/containers/{container}/attach?stream=1 HTTP/1.1\r\nHost: docker\r\nUpgrade: tcp\r\n"
        "Connection: Upgrade\r\n\r\n"]
    return [f"{line} {HOST}" for line in lines] + heads


@pytest.fixture
def foreign(project):
    """A container of another Compose project on the same engine, with a label that would expose it."""
    lab = project.lab
    lab.docker("network", "create", "bank_private")
    identity = lab.docker("run", "--detach", "--network", "bank_private", "--label", "com.docker.compose.project=bank",
                          "--label", "anchord.expose=tcp/9", "--entrypoint", "sleep", project.inspect("smtp")["Image"],
                          "infinity").stdout.strip()
    yield identity
    lab.docker("rm", "--force", identity)
    lab.docker("network", "rm", "bank_private")


def test_wall7_of_others_nothing_is_listed_and_nothing_heard(project, foreign):
    """Whatever the watcher asks, nothing tells of another project's container: not when it is asked for, not when it starts,
    stops and joins a network while the allowed streams are open."""
    own, smtp = project.inspect(ANCHOR), project.inspect("smtp")["Id"]
    networks = {details["NetworkID"] for details in own["NetworkSettings"]["Networks"].values()}
    network = next(iter(networks))
    refused = [f"{line} {HOST}" for line in foreign_requests(smtp, network, project.name, foreign, "bank")]
    assert not unrefused(refused, ask(project, *refused))
    project.lab.docker("restart", "--time", "0", foreign)
    project.lab.docker("restart", "--time", "0", smtp)
    scope = f"com.docker.compose.project={project.name}"
    allowed = [
        filtered("containers/json?"), filtered("containers/json?", label=scope), filtered("containers/json?", label=scope) + "&all=true",
        filtered("containers/json?", label=scope, id=[foreign, smtp]) + "&all=true",
        filtered("containers/json?", label="anchord.managed-by=f45"), filtered("containers/json?", label="anchord.target"),
        *(f"GET /v1.41/networks/{identity}" for identity in networks),
        events(type="container", event=ACTIONS, label=scope), events(type="network", event=ACTIONS, network=sorted(networks))]
    answers = ask(project, *(f"{line} {HOST}" for line in allowed))
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in answers)
    assert not [line for line, answer in zip(allowed, answers) if foreign in answer or "bank" in answer]
    assert [container["Id"] for container in json.loads(body_of(answers[3]))] == [smtp]
    assert all(smtp in answer for answer in answers[-2:])
    project.wait_answer("tcp", 25, "smtp", deadline=20)


def test_everything_else_is_refused_before_the_engine_hears_of_it(project):
    """Said to the client with what it was, and in the log; nothing has happened to any container."""
    smtp = project.inspect("smtp")
    network = next(iter(smtp["NetworkSettings"]["Networks"].values()))["NetworkID"]
    requests = hostile_requests(smtp["Id"], network, project.name, project.inspect(ANCHOR)["Id"])
    assert not unrefused(requests, ask(project, *requests))
    assert project.records("refused what a process asked of Docker")
    assert project.inspect("smtp")["State"] == smtp["State"]
    assert "smuggled" not in project.lab.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()


def test_wall7_a_keeper_without_managed_service_anchors_hears_of_its_scope_alone(project, foreign):
    """HOST-10: of others it learns nothing, unless it knows a whole ID, which a container of its scope names when it has
    joined that one. It starts containers and does nothing else."""
    own, smtp = project.inspect(ANCHOR), project.inspect("smtp")
    networks = {details["NetworkID"] for details in own["NetworkSettings"]["Networks"].values()}
    scope, name = f"com.docker.compose.project={project.name}", smtp["Name"][1:]
    # Whom it knows by the whole ID it may hear of: that is how it waits for whom a sibling has joined.
    known = [f"/containers/{smtp['Id']}/json", f"/containers/{own['Id']}/json", urllib.parse.quote(f',"container":["{foreign}"]', safe="")]
    lines = [line for line in foreign_requests(smtp["Id"], next(iter(networks)), project.name, foreign, "bank") if known[2] not in line]
    lines += [
        *(f"GET /v1.41/networks/{identity}" for identity in networks),
        filtered("containers/json?"), filtered("containers/json?", label=scope, id=[foreign, smtp["Id"]]) + "&all=true",
        filtered("containers/json?", label="anchord.managed-by=f45"), filtered("containers/json?", label="anchord.target"),
        events(type="network", event=ACTIONS, network=sorted(networks)), events(type="container", event=ACTIONS, container=name),
        events(type="container", event=ACTIONS, container=foreign[:12]), events(type="network", event=ACTIONS, container=foreign),
        f"GET /v1.41/containers/{name}/json", f"GET /v1.41/containers/{foreign[:12]}/json",
        f"POST /v1.41/containers/{name}/start", f"POST /v1.41/containers/{smtp['Id']}/restart?t=0",
        f"POST /v1.41/containers/{smtp['Id']}/rename?name=x", f"DELETE /v1.41/containers/{smtp['Id']}?force=true&v=false"]
    hostile = hostile_requests(smtp["Id"], next(iter(networks)), project.name, own["Id"])
    refused = [f"{line} {HOST}" for line in lines] + [
        request for request in hostile if not any(request == f"GET /v1.41{path} {HOST}" for path in known)]
    assert not unrefused(refused, ask(project, *refused, **AS_KEEPER))
    project.lab.docker("restart", "--time", "0", foreign)
    project.lab.docker("restart", "--time", "0", smtp["Id"])
    listed = filtered("containers/json?", label=scope)
    allowed = [listed, listed + "&all=true", events(type="container", event=ACTIONS, label=scope),
               events(type="container", event=ACTIONS, container=smtp["Id"]), *(f"GET /v1.41{path}" for path in known[:2]),
               f"POST /v1.41/containers/{smtp['Id']}/start"]
    answers = ask(project, *(f"{line} {HOST}" for line in allowed), **AS_KEEPER)
    assert {answer.split(" ")[1] for answer in answers[:-1]} == {"200"} and answers[-1].split(" ")[1] == "304", "it runs"
    assert not [line for line, answer in zip(allowed, answers) if foreign in answer or "bank" in answer]
    assert all(smtp["Id"] in answer for answer in answers[:4])
    assert project.inspect("smtp")["State"]["Running"]


def test_a_request_behind_another_is_judged_by_itself(project):
    """A pipeline: the second is read when the answer to the first has begun, and refused."""
    smtp = project.inspect("smtp")["Id"]
    answer, = ask(project, f"GET /version {HOST}GET /v1.41/containers/{smtp}/export {HOST}")
    assert answer.count("HTTP/1.1 ") == 2 and answer.startswith("HTTP/1.1 200 ")
    assert "HTTP/1.1 403 Forbidden" in answer and "/export" in answer


def test_a_socket_is_for_its_own_client_alone(project):
    """SO_PEERCRED: the watcher does not speak at the keeper's socket, nor anybody else, root included, at its own."""
    for user, path in ((WATCHER, "keeper.sock"), (0, "watcher.sock"), (GATE, "watcher.sock")):
        answer, = ask(project, f"GET /version {HOST}", user=user, path=path)
        assert "HTTP" not in answer, (user, path)


def test_a_killed_gate_is_replaced_and_nothing_is_lost(project):
    """kill -9: the watcher comes back, and takes what changes afterwards."""
    old = project.processes()["anchord-gate"]
    os.kill(old, 9)
    project.wait_record("starting a worker again")
    with project.extra_container("late", tcp="2525", expose="tcp/2525"):
        project.wait_answer("tcp", 2525, "late")
    assert project.processes()["anchord-gate"] != old
