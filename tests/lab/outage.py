"""A client that notices when nobody answers: a hundred TCP connections a second, and one that was open before, for each address.

Used by tests/host, as root. The client is a process of its own, because Python's threads would wait for the test's.
"""

import contextlib
import errno
import json
import os
import select
import socket
import time

INTERVAL = 0.01
PATIENCE = 1.0  # for a connection; who asks sends SYN once in it
GREETING = 2.0


class Attempts:
    """Connections to one address, begun every INTERVAL."""

    def __init__(self, address, port):
        self.target = (address, port)
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.pending = {}  # socket -> since when
        self.begun = self.answered = 0
        self.gap, self.last = 0.0, time.monotonic()
        self.open = socket.create_connection(self.target, GREETING)
        self.open.recv(100)  # the greeting
        self.open.setblocking(False)
        self.end = None  # of the connection that was open: (how, seconds after its last answer)
        self.open_last = time.monotonic()

    def give_up(self, now):
        for sock in [sock for sock, since in self.pending.items() if now - since > PATIENCE]:
            self.drop(sock)

    def begin(self, now):
        sock = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.begun += 1
        if sock.connect_ex(self.target) in (0, errno.EINPROGRESS):
            self.pending[sock] = now
        else:  # no way there
            sock.close()
        if self.end is None:
            with contextlib.suppress(BlockingIOError):
                self.try_open(lambda: self.open.send(b"\n"), now)

    def try_open(self, act, now):
        try:
            return act()
        except BlockingIOError:
            raise
        except OSError as error:
            self.end = (errno.errorcode[error.errno], round(now - self.open_last, 2))
            return None

    def drop(self, sock):
        del self.pending[sock]
        sock.close()

    def look(self, sock, now):
        """A connection that is one, or was refused."""
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            self.answered += 1
            self.gap, self.last = max(self.gap, now - self.last), now
        self.drop(sock)

    def read_open(self, now):
        data = self.try_open(lambda: self.open.recv(4096), now)
        if data:
            self.open_last = now
        elif self.end is None:
            self.end = ("closed", round(now - self.open_last, 2))

    def report(self):
        return {"begun": self.begun, "lost": self.begun - self.answered - len(self.pending),
                "gap": round(max(self.gap, time.monotonic() - self.last), 2), "open": self.end}


def _run(watched, stop, ending):
    due, until, told = time.monotonic(), None, [stop]
    while until is None or (time.monotonic() < until and any(one.end is None for one in watched)):
        if time.monotonic() >= due:
            for one in watched:
                one.begin(time.monotonic())
            due += INTERVAL
        writers = {sock: one for one in watched for sock in one.pending}
        readers = {one.open: one for one in watched if one.end is None}
        readable, writable, _ = select.select([*told, *readers], list(writers), [], max(0.0, due - time.monotonic()))
        now = time.monotonic()
        for sock in writable:
            writers[sock].look(sock, now)
        for sock in readable:
            if sock is not stop:
                readers[sock].read_open(now)
        for one in watched:
            one.give_up(now)
        if stop in readable:
            told, until = [], now + ending


def _work(enter, targets, stop, result, ending):
    try:
        with enter:
            watched = [Attempts(*target) for target in targets]
            os.write(result, b"\n")
            _run(watched, stop, ending)
    except OSError as error:
        os.write(result, f"{targets}: {error}".encode())
        return
    os.write(result, json.dumps({one.target[0]: one.report() for one in watched}).encode())


@contextlib.contextmanager
def watching(enter, targets, ending=0):
    """enter: a context manager that enters a network namespace; targets: (address, port). Yields a dictionary that holds at the
    end, by address: how many connections were begun and got no answer, the longest time without an answer (gap, in seconds), and
    how the one that was open ended, or None: it waits up to so many seconds (ending) for that."""
    stop_reader, stop_writer = os.pipe()
    result_reader, result_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(stop_writer)
        try:
            _work(enter, targets, stop_reader, result_writer, ending)
        finally:
            os._exit(0)
    os.close(result_writer)
    os.close(stop_reader)
    found = {}
    try:
        begun = os.read(result_reader, 4096)
        assert begun == b"\n", begun.decode()
        yield found
    finally:
        os.close(stop_writer)
        found.update(json.loads(os.read(result_reader, 65536) or b"{}"))
        os.waitpid(pid, 0)
        os.close(result_reader)
