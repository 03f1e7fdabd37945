"""WALL-7: what the gate copies, byte for byte, when Docker and its clients begin, stop and hang up at odd moments. The
test is the supervisor, the client and Docker."""

import os
import pathlib
import socket
import struct
import time

import pytest

import messages
from worker_process import DEADLINE, WorkerProcess

GATE_USER = 24949
CLIENT_WATCHER, CLIENT_KEEPER_WRAP = 1, 4
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(range(256)) * 4096  # more than all buffers hold
SCOPE = b"%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%5D"
VERSION = b"GET /version HTTP/1.1\r\nHost: docker\r\n\r\n"
CREATE = b"POST /v1.41/containers/create?name=new HTTP/1.1\r\nHost: docker\r\n"
BODY_HEAD = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Gate(WorkerProcess):
    def __init__(self, build, scratch, client, wrap):
        super().__init__(build / "workers/gate/anchord-gate", GATE_USER, scratch, wrap)
        self.docker = self.listen(scratch / "docker.sock")
        self.path = scratch / "client.sock"
        listener = self.listen(self.path)
        self.supervisor.send(messages.message(messages.CONFIGURE_GATE, struct.pack(
            "=256s8512s64s96s1088s1088s1088sQ", os.fsencode(scratch / "docker.sock"), SCOPE, b"", b"", b"", b"", b"",
            messages.LOG_INFO)))
        message = messages.message(messages.GATE_LISTENER, struct.pack("=II", client, GATE_USER))
        socket.send_fds(self.supervisor.own, [message], [listener.fileno()])
        listener.close()

    @staticmethod
    def listen(path):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        listener.settimeout(DEADLINE)
        return listener

    def connect(self):
        """As the user that the gate expects; whose connection it is counts from the connect on."""
        os.seteuid(GATE_USER)
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(DEADLINE)
            connection.connect(str(self.path))
        finally:
            os.seteuid(0)
        return connection

    def processor_time(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        super().close()
        self.docker.close()


@pytest.fixture
def start_gate(build, tmp_path):
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o711)
    started = []

    def start(client=CLIENT_WATCHER, wrap=()):
        started.append(Gate(build, tmp_path, client, wrap))
        return started[-1]

    yield start
    for gate in started:
        gate.close()


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(1)
        assert part, head
        head += part
    return head


def read_all(connection):
    whole = b""
    while part := connection.recv(65536):
        whole += part
    return whole


def fill(docker):
    """Docker says as much of ANSWER as all buffers up to a client hold that reads nothing; returns that."""
    docker.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += docker.send(ANSWER[sent:])
    assert 0 < sent < len(ANSWER)
    return ANSWER[:sent]


def ask(gate, request):
    """Returns the client's connection and Docker's, which has got the request's head."""
    client = gate.connect()
    client.sendall(request)
    docker, _ = gate.docker.accept()
    docker.settimeout(DEADLINE)
    read_head(docker)
    return client, docker


def test_an_answer_arrives_whole_when_docker_hangs_up_before_it_is_read(start_gate):
    """A client that reads late gets every byte once and in order."""
    client, docker = ask(start_gate(), VERSION)
    said = fill(docker)
    docker.close()
    assert read_all(client) == said


def test_a_client_that_reads_nothing_costs_no_processor_time(start_gate):
    """Docker has hung up and the answer waits; another client is served meanwhile, and the gate sleeps."""
    gate = start_gate()
    client, docker = ask(gate, VERSION)
    said = fill(docker)
    docker.close()
    before = gate.processor_time()
    gate.docker.settimeout(1)
    with pytest.raises(TimeoutError):  # nothing happens, for a while
        gate.docker.accept()
    gate.docker.settimeout(DEADLINE)
    assert gate.processor_time() - before < 0.3
    other, docker = ask(gate, VERSION)
    docker.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert read_head(other)
    assert read_all(client) == said


def test_what_docker_says_to_half_a_body_reaches_the_client(start_gate):
    """Docker refuses by the head alone and hangs up, with more of the body under way: the client hears why."""
    client, docker = ask(start_gate(CLIENT_KEEPER_WRAP), CREATE + BODY_HEAD % 8000000)
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            client.send(b"{" * 65536)
    refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno"
    docker.sendall(refusal)
    docker.close()
    client.settimeout(DEADLINE)
    assert b"".join(client.recv(1) for _ in refusal) == refusal


def test_a_connection_goes_on_after_an_answer_that_came_before_the_body(start_gate):
    """The next request of the connection is read: its answer has begun, although before the body's end."""
    client, docker = ask(start_gate(CLIENT_KEEPER_WRAP), CREATE + BODY_HEAD % 2 + b"{")
    docker.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    read_head(client)
    client.sendall(b"}" + VERSION)
    assert docker.recv(1) + docker.recv(1) == b"{}"
    assert read_head(docker).startswith(b"GET /version HTTP/1.1\r\n")


def test_a_request_waits_until_the_answer_to_the_one_before_begins(start_gate):
    client, docker = ask(start_gate(), VERSION + VERSION)
    docker.settimeout(0.3)
    with pytest.raises(TimeoutError):
        docker.recv(1)
    docker.settimeout(DEADLINE)
    docker.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert read_head(docker).startswith(b"GET /version HTTP/1.1\r\n")
    assert read_head(client)


def test_behind_an_answer_that_goes_on_each_request_is_judged_and_written_anew(start_gate):
    """The gate reads no answer, so more of the first one's counts as the beginning of the next one's. That opens nothing:
    Docker reads whole requests of the gate's own, in order, and the one that is not allowed ends the connection."""
    client, docker = ask(start_gate(), VERSION * 3 + b"GET /info HTTP/1.1\r\nHost: docker\r\n\r\n")
    for _ in range(2):
        docker.sendall(b"more of the first")
        assert read_head(docker) == VERSION
    docker.sendall(b"more of the first")
    assert b"HTTP/1.1 403 Forbidden\r\n" in read_all(client)
    assert docker.recv(1) == b""


def refuses_more(docker, seconds):
    """Nobody connects."""
    docker.settimeout(seconds)
    with pytest.raises(TimeoutError):
        docker.accept()
    docker.settimeout(DEADLINE)


def test_without_descriptors_the_gate_sleeps_and_looks_again(start_gate, build):
    """ENFILE: who connects waits and costs nothing meanwhile; each ping of the supervisor is one more try."""
    gate = start_gate(wrap=[build / "tests/netns/refuse_system_calls", "ENFILE", "accept4", "/usr/bin/env"])
    waiting = gate.connect()
    waiting.sendall(VERSION)
    before = gate.processor_time()
    for generation in range(1, 4):
        refuses_more(gate.docker, 1)
        gate.supervisor.send(messages.message(messages.PING, generation=generation))
        assert gate.supervisor.receive(time.monotonic() + DEADLINE)[:2] == (messages.PONG, generation)
    assert gate.processor_time() - before < 0.05  # a busy machine gives to who spins little more


def test_wall6_refusals_beyond_the_limit_are_counted_in_the_log(start_gate):
    """What was left out is said with the next ping."""
    gate = start_gate()
    for _ in range(150):
        client = gate.connect()
        client.sendall(b"GET /info HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 403 Forbidden\r\n")
        client.close()
    gate.supervisor.send(messages.message(messages.PING, generation=1))
    told = gate.log("log lines left out")
    assert told["of"] == "refused what a process asked of Docker"
    assert len(gate.logged("refused what")) + told["left_out"] == 150
