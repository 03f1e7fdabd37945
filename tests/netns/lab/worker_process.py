"""An unprivileged worker under test, with the test as its supervisor.

Used by watcher_lab.py and keeper_lab.py, as root: the program gets what the supervisor would give it, its own uid, no
capability, an empty bounding set, its channel at descriptor 3.
"""

import json
import os
import select
import socket
import subprocess
import threading
import time

import messages

DEADLINE = 20.0


class Connection:
    """The test's end of a channel."""

    def __init__(self):
        self.own, self.given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send(self, *datagrams):
        for datagram in datagrams:
            self.own.send(datagram)

    def receive(self, deadline):
        """The next message as (kind, generation, body), None at the end of file."""
        ready, _, _ = select.select([self.own], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no message in time")
        datagram = self.own.recv(messages.LENGTH_MAX)
        return messages.split(datagram) if datagram else None


class WorkerProcess:
    def __init__(self, program, uid, scratch, wrap, environment=None):
        """`wrap`: the command that gives it its namespaces."""
        self.supervisor = Connection()
        self.lines = []
        self.changed = threading.Condition()
        given = self.supervisor.given.fileno()
        command = [*wrap, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all",
                   "--bounding-set=-all", str(program)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=scratch,
                                        env=environment or {}, preexec_fn=lambda: os.dup2(given, 3), pass_fds=(3,))
        self.supervisor.given.close()
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()

    def read_log(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()

    def logged(self, prefix):
        return [line for line in list(self.lines) if line["msg"].startswith(prefix)]

    def log(self, prefix, count=1, deadline=DEADLINE):
        """Waits for the `count`-th line whose message begins with `prefix`."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.logged(prefix)) >= count, deadline), \
                f"no {prefix!r} in {json.dumps(self.lines, indent=1)}"
            return self.logged(prefix)[count - 1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.reader.join(5)
        self.process.stdout.close()
        self.supervisor.own.close()
