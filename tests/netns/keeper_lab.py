"""anchord-keeper under test: the test is its supervisor, Docker is fake_engine.

Runs as root; the program gets what the supervisor would give it: uid 24943, no capability, an empty bounding set, its
channel at descriptor 3, a network namespace of its own.
"""

import contextlib
import json
import os
import shutil
import struct
import subprocess
import tempfile
import threading
import pathlib

import fake_engine
import messages
from watcher_lab import Connection, DEADLINE

UID = 24943
ROLE_NETWORK_ANCHOR, ROLE_EXTERNAL_REBINDER, ROLE_WRAP_REBINDER = 1, 3, 4


def configure_keeper(docker_host, project="mail", poll=30.0, stop_timeout=1.0, successor=False,
                     role=ROLE_WRAP_REBINDER, selector="", starts_siblings=False, log_level=messages.LOG_DEBUG,
                     follow=None, repairs_dependents=False, managed_count=0):
    """`follow`: (network, target, restarts, backoff, steady, limit) of an external-rebinder, times in seconds."""
    network, target, restarts, *times = follow or ("", "", False, 0, 0, 0)
    body = struct.pack("=256s128s1024s8I128s128s4I", docker_host.encode(), project.encode(), selector.encode(), role,
                       int(poll * 1000), int(stop_timeout * 1000), successor, log_level, starts_siblings,
                       repairs_dependents, managed_count, network.encode(), target.encode(), restarts, *(int(seconds * 1000) for seconds in times))
    return messages.message(messages.CONFIGURE_KEEPER, body)


class Keeper:
    def __init__(self, build, scratch):
        self.supervisor = Connection()
        self.lines = []
        self.changed = threading.Condition()
        given = self.supervisor.given.fileno()
        command = ["unshare", "--net", "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
                   "--inh-caps=-all", "--bounding-set=-all", str(build / "workers/keeper/anchord-keeper")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=scratch, env={},
                                        preexec_fn=lambda: os.dup2(given, 3), pass_fds=(3,))
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


class KeeperLab:
    def __init__(self, build):
        self.build = build
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="anchord-keeper-"))
        self.scratch.chmod(0o755)
        self.stack = contextlib.ExitStack()
        self.engine = fake_engine.on_unix_socket(self.scratch / "docker.sock")

    def start(self, **configuration):
        keeper = Keeper(self.build, self.scratch)
        self.stack.callback(keeper.close)
        keeper.supervisor.send(configure_keeper(f"unix://{self.scratch}/docker.sock", **configuration))
        return keeper

    def close(self):
        self.stack.close()
        self.engine.close()
        shutil.rmtree(self.scratch)
