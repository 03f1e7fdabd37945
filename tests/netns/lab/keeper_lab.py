"""anchord-keeper under test: the test is its supervisor, Docker is fake_engine.

Runs as root; the program gets what the supervisor would give it: uid 24943, no capability, an empty bounding set, its
channel at descriptor 3, a network namespace of its own.
"""

import contextlib
import pathlib
import shutil
import struct
import tempfile

import fake_engine
import messages
from worker_process import WorkerProcess

UID = 24943
NAME, TARGET = "imap-anchor", "dovecot"
ROLE_NETWORK_ANCHOR, ROLE_EXTERNAL_REBINDER, ROLE_WRAP_REBINDER = 1, 3, 4


def configure_keeper(docker_host, project="mail", poll=30.0, stop_timeout=1.0, successor=False,
                     role=ROLE_WRAP_REBINDER, selector="", starts_siblings=False, log_level=messages.LOG_DEBUG,
                     follow=None, repairs_dependents=False, managed_count=0, gate=None, is_held=False):
    """`follow`: (network, target, restarts, backoff, steady, limit) of an external-rebinder, times in seconds. `gate`: where
    the gate is asked, which lets nothing through by name."""
    network, target, restarts, *times = follow or ("", "", False, 0, 0, 0)
    body = struct.pack("=256s256s128s1024s10I128s128s4I", docker_host.encode(), (gate or docker_host).encode(),
                       project.encode(), selector.encode(), role, int(poll * 1000), int(stop_timeout * 1000), successor, log_level, starts_siblings,
                       repairs_dependents, managed_count, is_held, 0, network.encode(), target.encode(), restarts, *(int(seconds * 1000) for seconds in times))
    return messages.message(messages.CONFIGURE_KEEPER, body)


class Keeper(WorkerProcess):
    def __init__(self, build, scratch):
        super().__init__(build / "workers/keeper/anchord-keeper", UID, scratch, ["unshare", "--net"])


class KeeperLab:
    def __init__(self, build):
        self.build = build
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="anchord-keeper-"))
        self.scratch.chmod(0o755)
        self.stack = contextlib.ExitStack()
        self.engine = fake_engine.FakeEngine.on_unix_socket(self.scratch / "docker.sock")

    def start(self, **configuration):
        keeper = Keeper(self.build, self.scratch)
        self.stack.callback(keeper.close)
        keeper.supervisor.send(configure_keeper(**{"docker_host": f"unix://{self.scratch}/docker.sock", **configuration}))
        return keeper

    def close(self):
        self.stack.close()
        self.engine.close()
        shutil.rmtree(self.scratch)


def is_in(engine, name, target):
    record = engine.find(name)
    return bool(record and record["State"]["Running"]
                and record["HostConfig"]["NetworkMode"] == f"container:{engine.named(target)['Id']}")


def check_whole(engine, name=NAME):
    """One container, with everything that it had."""
    assert list(engine.of_project()) == [name]
    record = engine.named(name)
    assert record["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert record["Config"]["Labels"]["com.docker.compose.config-hash"] == "5eed"
    assert record["Config"]["Env"] == ["A=b"] and record["Config"]["Image"] == "app:1"
    assert not engine.both_ran
