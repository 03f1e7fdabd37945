"""Flows that are open all the time while something happens to the anchor: a byte each 10 ms on each TCP connection, 100
datagrams a second on each UDP flow, each of which must come back (KEEP-1, KEEP-2).

Used by tests in netns and e2e against echo services (netns/lab/netadmin_lab.py, lab/services.py). The clients are a process of
their own for each namespace, because Python's threads would wait for the test's.
"""

import contextlib
import json
import os
import select
import socket
import time

INTERVAL = 0.01
PATIENCE = 2.0  # for a greeting, and for the last answers
LEAST = 50  # sends of each flow, however soon it is to stop


class Flow:
    def __init__(self, protocol, address, port):
        self.name = f"{protocol} {address} {port}"
        self.is_stream = protocol == "tcp"
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                    socket.SOCK_STREAM if self.is_stream else socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address, port))
        if self.is_stream:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.recv(100)  # the greeting
        self.sent = self.received = 0
        self.longest = 0.0  # seconds between two answers
        self.last = time.monotonic()
        self.error = None

    def send(self):
        try:
            self.socket.send(b"\n")
            self.sent += 1
        except OSError as error:
            self.error = str(error)

    def receive(self):
        try:
            data = self.socket.recv(2048)
        except OSError as error:
            self.error = str(error)
            return
        if self.is_stream and not data:
            self.error = "closed"
        self.received += len(data) if self.is_stream else 1
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now

    def report(self):
        return {"sent": self.sent, "lost": self.sent - self.received, "error": self.error, "longest": round(self.longest, 3)}


def run(flows, stop):
    """Until `stop` is readable, and then until everything has come back or patience is over."""
    due, end = time.monotonic(), None
    while True:
        now = time.monotonic()
        if end is None and now >= due:
            for flow in flows:
                if not flow.error:
                    flow.send()
            due += INTERVAL
        waiting = [flow.socket for flow in flows if not flow.error]
        ready = select.select([*waiting, *([stop] if end is None else [])], [], [],
                              max(0.0, due - now) if end is None else INTERVAL)[0]
        for flow in flows:
            if flow.socket in ready:
                flow.receive()
        if end is None and stop in ready and all(flow.sent >= LEAST or flow.error for flow in flows):
            end = time.monotonic() + PATIENCE
        if end is not None and (time.monotonic() > end or
                                all(flow.sent == flow.received or flow.error for flow in flows)):
            return


def _work(enter, targets, stop, result):
    try:
        with enter:
            flows = [Flow(*target) for target in targets]
    except OSError as error:
        os.write(result, f"{targets}: {error}".encode())
        return
    os.write(result, b"\n")
    run(flows, stop)
    os.write(result, json.dumps({flow.name: flow.report() for flow in flows}).encode())


@contextlib.contextmanager
def streaming(enter, targets):
    """enter: a context manager that enters a network namespace; targets: (protocol, address, port). Yields a dictionary that
    holds at the end, by what was asked, what was sent and what was lost."""
    stop_reader, stop_writer = os.pipe()
    result_reader, result_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(stop_writer)
        _work(enter, targets, stop_reader, result_writer)
        os._exit(0)
    os.close(result_writer)
    os.close(stop_reader)
    found = {}
    try:
        begun = os.read(result_reader, 4096)
        assert begun == b"\n", begun.decode()
        yield found
    finally:
        with contextlib.suppress(BrokenPipeError):
            os.write(stop_writer, b".")
        os.close(stop_writer)
        found.update(json.loads(os.read(result_reader, 65536) or b"{}"))
        os.waitpid(pid, 0)
        os.close(result_reader)


def assert_nothing_lost(found):
    """And that something was sent. Returns the longest time without an answer, of all flows, in seconds."""
    assert len(found) > 0 and all(entry["sent"] >= LEAST for entry in found.values()), found
    assert {name: entry for name, entry in found.items() if entry["lost"] or entry["error"]} == {}
    return max(entry["longest"] for entry in found.values())
