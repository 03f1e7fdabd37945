"""A Docker Engine of Debian's in its own root, network namespace and control group.

Called by instance.py, as root. The engine sees the machine's kernel, devices and cgroup tree, but
its own files, its own network and nothing of the machine's Docker. All of its processes (dockerd,
containerd, the shims, the containers) belong to one cgroup2 directory named after the lab: that is
how they are found and ended by PID, also when dockerd itself is gone.
"""

import contextlib
import dataclasses
import errno
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import struct
import subprocess

from . import roots
from .machine import CHECKOUT, HERE, LabError, run, wait_until

READY_SECONDS = 60
STOP_SECONDS = 20

COMMON = ("iproute2", "iptables", "nftables", "procps", "ca-certificates")
ROOTS = {
    # Engine 28.5.2, Compose 2.40.3 when this was written: what people run.
    "forky": roots.Root("engine", "forky", ("docker.io", "docker-cli", "docker-compose", *COMMON)),
    "trixie": roots.Root("engine", "trixie", ("docker.io", "docker-cli", "docker-compose", *COMMON)),
    # Engine 20.10.24: the oldest that we support. Its Compose is the old Python one, so the
    # clients always come from forky.
    "bookworm": roots.Root("engine", "bookworm", ("docker.io", *COMMON)),
}
CLIENT_SUITE = "forky"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("docker", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclasses.dataclass(frozen=True)
class Paths:
    """Where the engine of a lab keeps things."""
    state: pathlib.Path  # /run/anchord-lab/NAME: small files, socket, client programs
    data: pathlib.Path  # /var/lib/anchord-lab/NAME: images and containers

    @property
    def socket(self):
        return self.state / "docker.sock"

    @property
    def log(self):
        return self.state / "dockerd.log"

    @property
    def client(self):
        return self.state / "bin" / "docker"

    @property
    def compose(self):
        return self.state / "bin" / "docker-compose"

    @property
    def client_configuration(self):
        return self.state / "client"


class Engine:
    """Docker Engine; podman.py has the other kind."""
    STORE = "/var/lib/docker"
    NAMESPACES = ("--mount",)

    def __init__(self, name, suite, paths):
        self.name = name
        self.suite = suite
        self.paths = paths
        self.cgroup = ControlGroup(f"anchord-lab-{name}")

    @property
    def has_endpoint_options(self):
        """Sysctls of an endpoint (Engine 27 and newer) and gw_priority (28). Podman ignores both."""
        return self.suite == "forky"

    def root(self):
        return ROOTS[self.suite]

    def fetch(self):
        """Make what start() and write_client() take from the cache."""
        roots.ensure(self.root())
        roots.ensure(ROOTS[CLIENT_SUITE])

    # --- life ---------------------------------------------------------------------------------

    def start(self, namespace):
        """Start dockerd in a network namespace; returns its process when it answers."""
        root = roots.ensure(self.root())
        self.paths.data.mkdir(parents=True, exist_ok=True)
        command = ["unshare", *self.NAMESPACES, "--propagation", "private", "--", HERE / "engine-root", root,
                   self.paths.state, self.paths.data, self.STORE, CHECKOUT, "--", *self._daemon()]
        return self._start(namespace.enter_command(command))

    def _daemon(self):
        return ["dockerd", "--host", "unix:///var/run/docker.sock", "--host", f"unix://{self.paths.socket}",
                "--exec-opt", "native.cgroupdriver=cgroupfs",
                "--cgroup-parent", f"/{self.cgroup.name}", "--storage-driver", "overlay2"]

    def _start(self, command):
        with open(self.paths.log, "ab") as log:
            process = self.cgroup.start(command, log)
        wait_until(lambda: self._answers(process), READY_SECONDS, f"dockerd ready, {self.paths.log}")
        return process

    def hold_root(self, pid):
        """Start a process that keeps the root and the network of a dockerd that is to end. Returns its
        Popen once it is there."""
        with open(self.paths.log, "ab") as log:
            holder = self.cgroup.start([*self._enter(pid), "sleep", "infinity"], log)
        wait_until(lambda: all(os.readlink(f"/proc/{holder.pid}/ns/{kind}") == os.readlink(f"/proc/{pid}/ns/{kind}")
                               for kind in ("mnt", "net")), STOP_SECONDS, "a process in dockerd's namespaces")
        return holder

    def start_in(self, holder, *options):
        """Start dockerd where a process from hold_root is; returns its process when it answers."""
        environment = ["env", "PATH=/usr/sbin:/usr/bin", "HOME=/root"]
        return self._start([*self._enter(holder.pid), *environment, *self._daemon(), *options])

    def clear_run(self, holder):
        """What a boot finds empty."""
        mounted = "for point in $(grep -o ' /run/[dc]o[^ ]*' /proc/self/mountinfo); do umount --lazy $point; done; "
        run([*self._enter(holder.pid), "sh", "-c", mounted + "rm -rf /run/docker* /run/containerd /run/runc"])

    @staticmethod
    def _enter(pid):
        return ["nsenter", f"--target={pid}", "--mount", "--net", "--cgroup", "--"]

    def _answers(self, process):
        if process.poll() is not None:
            tail = self.paths.log.read_text(errors="replace")[-3000:]
            raise LabError(f"dockerd ended with status {process.returncode}:\n{tail}")
        try:
            return self.api_text("GET", "/_ping") == "OK"
        except (FileNotFoundError, ConnectionError):
            return False

    def destroy(self):
        self.cgroup.destroy()
        if self.paths.data.exists():
            shutil.rmtree(self.paths.data)

    # --- the API ------------------------------------------------------------------------------

    def api(self, method, path, body=None, timeout=60):
        """One request to the Docker API; returns the decoded JSON, None for an empty answer."""
        text = self.api_text(method, path, body, timeout)
        return json.loads(text) if text else None

    def api_text(self, method, path, body=None, timeout=60):
        """One request; the answer's text."""
        return self._ask(method, path, body, timeout).decode()

    def _ask(self, method, path, body=None, timeout=60):
        """One request, by the engine's default version; the answer's bytes. An error status is a
        LabError."""
        connection = UnixConnection(self.paths.socket, timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise LabError(f"{method} {path}: {response.status} {answer.decode().strip()}")
        return answer

    def version(self):
        answer = self.api("GET", "/version")
        return {"engine": answer["Version"], "api": answer["ApiVersion"],
                "kernel": answer["KernelVersion"]}

    def inspect(self, container):
        return self.api("GET", f"/containers/{container}/json")

    def logs(self, container):
        """What a container wrote: its stdout, then its stderr. It must not have a terminal, whose stream has no frames."""
        frames, streams = self._ask("GET", f"/containers/{container}/logs?stdout=1&stderr=1"), {1: b"", 2: b""}
        while frames:
            stream, length = struct.unpack_from(">B3xI", frames)
            streams[stream] += frames[8:8 + length]
            frames = frames[8 + length:]
        return b"".join(streams.values()).decode(errors="replace")

    @staticmethod
    def processes_seen_by(_pid):
        """The /proc in which the numbers that Docker tells are: the machine's."""
        return pathlib.Path("/proc")

    # --- the client ---------------------------------------------------------------------------

    def write_client(self):
        """Write bin/docker, the client and Compose of the forky root for this engine's socket, and bin/docker-compose: the
        same Compose without the client, which would start it twice.

        They are started by the loader and with the C library of that root, so that they see this
        machine's files (a project may lie anywhere) without needing its C library."""
        root = roots.ensure(ROOTS[CLIENT_SUITE])
        loader = next(root.glob("usr/lib*/ld-linux-*.so.*"))
        library = next(root.glob("usr/lib/*/libc.so.6")).parent
        engine = (f"export DOCKER_HOST=unix://{shlex.quote(str(self.paths.socket))}\n"
                  f"export DOCKER_CONFIG={shlex.quote(str(self.paths.client_configuration))}\n"
                  f"unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH\n")
        start = f"exec {loader} --argv0 \"$0\" --library-path {library} {root}"
        start_compose = f"{start}/usr/libexec/docker/cli-plugins/docker-compose \"$@\"\n"
        _write_program(self.paths.client_configuration / "cli-plugins" / "docker-compose", start_compose)
        _write_program(self.paths.compose, engine + start_compose)
        _write_program(self.paths.client, f"{engine}{start}/usr/bin/docker \"$@\"\n")

    def environment(self):
        """What a program needs in order to use this engine through `docker` in PATH."""
        return os.environ | {"DOCKER_HOST": f"unix://{self.paths.socket}",
                             "DOCKER_CONFIG": str(self.paths.client_configuration),
                             "ANCHORD_DOCKER": str(self.paths.client),
                             "PATH": f"{self.paths.client.parent}:{os.environ['PATH']}"}


def _write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
    path.chmod(0o755)


class ControlGroup:
    """The control groups of one lab: one in the cgroup2 tree, which holds every process, and
    those that the container runtime makes with the same name in the old hierarchies, if any."""

    def __init__(self, name):
        self.name = name

    @staticmethod
    def hierarchies():
        """(mount point, file system type) of every cgroup hierarchy."""
        found = []
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            for line in mounts:
                _, point, kind, *_ = line.split()
                if kind in ("cgroup", "cgroup2"):
                    found.append((pathlib.Path(point), kind))
        return found

    @property
    def unified(self):
        for point, kind in self.hierarchies():
            if kind == "cgroup2":
                return point / self.name
        raise LabError("no cgroup2 file system is mounted on this machine")

    @property
    def daemon(self):
        """dockerd and the lab's own servers: a leaf, because a cgroup2 directory that delegates
        controllers to its children may not hold processes itself."""
        return self.unified / "daemon"

    def start(self, command, log):
        """Start a program in the group, in the background, its output to an open file. It joins
        before it becomes the program, so no child of it can be outside. Returns its Popen."""
        self.daemon.mkdir(parents=True, exist_ok=True)
        join = f'echo $$ >"{self.daemon}/cgroup.procs"; exec "$@"'
        return subprocess.Popen(["sh", "-c", join, "sh", *command], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)

    def directories(self):
        """Every directory of the lab's that exists, in all hierarchies, deepest first."""
        found = []
        for point, _ in self.hierarchies():
            for directory, _, _ in os.walk(point / self.name, topdown=False):
                found.append(pathlib.Path(directory))
        return found

    def processes(self):
        pids = set()
        for directory in self.directories():
            with contextlib.suppress(FileNotFoundError):  # its container has just ended
                pids.update(int(pid) for pid in (directory / "cgroup.procs").read_text().split())
        return pids

    def destroy(self):
        """End every process and remove the directories. The list is read again until it is empty,
        because a process may fork while its parent is being ended."""
        wait_until(self._kill_all, STOP_SECONDS, f"no process left in the control group {self.name}")
        for directory in self.directories():
            wait_until(lambda directory=directory: _remove(directory), STOP_SECONDS,
                       f"removal of {directory}")

    def _kill_all(self):
        pids = self.processes()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself since the list was read
        return not pids


def _remove(directory):
    """rmdir; False while the kernel still counts a dying process in it."""
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True

