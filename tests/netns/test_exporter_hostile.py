"""Clients of the metrics listener that mean no good: nothing of it may last, spread or stop the others (SPEC §7)."""

import concurrent.futures
import errno
import random
import time

import pytest

from exporter_lab import Anchord, read_all
from supervision import status_of

DEADLINE = 10  # SERVER_DEADLINE of workers/exporter/server.h, in seconds
PER_ADDRESS = 16
STRANGER = "127.0.0.2"


@pytest.fixture
def anchord(supervision):
    made = Anchord(supervision)
    made.start()
    pid = made.await_exporter()
    yield made
    assert made.process.find(msg="worker started", name="exporter")[-1]["pid"] == pid, "the exporter died"
    assert status_of(pid)["Seccomp"] == "2"
    made.close()


def test_garbage_is_answered_or_dropped(anchord):
    generator = random.Random(9090)
    garbage = [generator.randbytes(length) + b"\r\n\r\n" for length in (1, 2, 16, 200, 5000) for _ in range(20)]
    hostile = [b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n\r\n",
               b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
               b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
               b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
               b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"]
    with concurrent.futures.ThreadPoolExecutor(PER_ADDRESS // 2) as clients:  # some of them wait for the deadline
        received = list(clients.map(lambda request: try_exchange(anchord, request), garbage + hostile))
    assert all(answer == b"" or answer.startswith(b"HTTP/1.1 4") for answer in received[:len(garbage)])
    assert anchord.get("/healthz")[0] == 200


def try_exchange(anchord, request):
    """What came back before the end, which may be a reset; a request that is not complete ends at the deadline."""
    try:
        connection = anchord.anchor.connect()
        connection.sendall(request)
        connection.shutdown(1)
        return read_all(connection)
    except OSError as error:
        assert error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
        return b""


def test_endless_headers_end(anchord):
    """The memory of a connection is fixed (SERVER_MEMORY)."""
    connection = anchord.anchor.connect()
    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
    sent = 0
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while sent < 8 << 20:
            sent += connection.send(b"X-Header: " + b"x" * 1000 + b"\r\n")
    connection.close()
    assert anchord.values()['process_resident_memory_bytes{worker="exporter"}'] < 16 << 20


def test_slow_clients_leave_room_for_others_and_are_ended(anchord):
    """Bytes that trickle in prolong nothing: one deadline for the whole connection."""
    started = time.monotonic()
    slow = [anchord.anchor.connect(source=STRANGER) for _ in range(PER_ADDRESS)]
    for connection in slow:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ")
    with anchord.anchor.connect(source=STRANGER) as refused:
        assert refused.recv(1) == b""
    assert anchord.get("/metrics")[0] == 200
    for connection in slow:
        connection.settimeout(0.1)
    alive = list(slow)
    while alive and time.monotonic() - started < DEADLINE + 5:
        for connection in list(alive):
            try:
                connection.sendall(b"x")
                assert connection.recv(1) == b""
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                pass
            connection.close()
            alive.remove(connection)
    assert not alive
    assert time.monotonic() - started >= DEADLINE - 1
    assert anchord.get("/healthz", source=STRANGER)[0] == 200


def test_clients_that_do_not_read_are_ended(anchord):
    clients = [anchord.anchor.connect(source=STRANGER) for _ in range(PER_ADDRESS)]
    for client in clients:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
    assert anchord.get("/healthz")[0] == 200
    for client in clients:
        try:
            assert read_all(client).count(b"HTTP/1.1 200") == 1  # one request a connection
        except ConnectionResetError:  # what it had sent besides was not read
            pass
