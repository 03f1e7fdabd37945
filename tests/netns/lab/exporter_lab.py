"""Metrics and health of the whole anchord: the real programs, a fake Docker, a LAN with one client, raw HTTP.

    client lan0 --- eth1 anchor eth0 --- shared

Used by test_exporter*.py. Runs as root. Whoever wants a socket in a namespace makes it in a thread that has entered it.
"""

import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

import fake_docker
from supervision import wait_until

CLONE_NEWNET = 0x40000000
PORT = 9090
EXTERNAL = "192.0.2.10"
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace that lives as long as the process in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self.path = f"/proc/{self.process.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(self.path) != own)
        self.ip("link", "set", "lo", "up")

    @property
    def wrap(self):
        return ("nsenter", f"--net={self.path}")

    def run(self, *command, **options):
        return subprocess.run([*self.wrap, *map(str, command)], capture_output=True, text=True, check=False, **options)

    def ip(self, *arguments):
        result = self.run("ip", *arguments)
        assert result.returncode == 0, result.stderr

    def socket(self, prepare):
        """What prepare() returns when it is called inside, or the error that it raised."""
        outcome = []

        def inside():
            with open(self.path, encoding="ascii") as namespace:
                assert libc.setns(namespace.fileno(), CLONE_NEWNET) == 0
            try:
                outcome.append(prepare())
            except OSError as error:
                outcome.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(outcome[0], OSError):
            raise outcome[0]
        return outcome[0]

    def connect(self, address="127.0.0.1", source=None, timeout=15):
        return self.socket(lambda: socket.create_connection((address, PORT), timeout, (source, 0) if source else None))

    def listen(self, address="127.0.0.1"):
        return self.socket(lambda: socket.create_server((address, PORT)))

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def read_all(connection):
    """Until the end of file; the server ends each connection."""
    received = b""
    with connection:
        while part := connection.recv(65536):
            received += part
    return received


def split_answer(received):
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body.decode()


class Anchord:
    """One network-anchor under test."""

    def __init__(self, supervision):
        self.supervision = supervision
        self.anchor, self.client = Namespace(), Namespace()
        self.docker = None
        self.process = None
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.directory.chmod(0o755)  # the watcher's user must reach the socket
        supervision.docker_socket = self.directory / "docker.sock"
        anchor = self.anchor
        anchor.ip("link", "add", "eth0", "address", fake_docker.SHARED_MAC, "type", "veth", "peer", "name", "shared0")
        anchor.ip("link", "add", "eth1", "address", fake_docker.EXTERNAL_MAC, "type", "veth", "peer", "name", "lan0")
        anchor.ip("link", "set", "lan0", "netns", self.client.process.pid)
        anchor.ip("address", "add", "172.30.0.2/16", "dev", "eth0")
        anchor.ip("address", "add", f"{EXTERNAL}/24", "dev", "eth1")
        for link in ("eth0", "shared0", "eth1"):
            anchor.ip("link", "set", link, "up")
        self.client.ip("address", "add", "192.0.2.9/24", "dev", "lan0")
        self.client.ip("link", "set", "lan0", "up")

    def start(self, address=None, launcher=(), **environment):
        """With init, as in the container."""
        self.supervision.install_real_workers()
        self.process = self.supervision.start(program="anchord-init-under-test", wrap=(*self.anchor.wrap, *launcher),
                                              ANCHORD_PROJECT="mail", ANCHORD_EXT_NETWORK="dmz",
                                              ANCHORD_METRICS_ADDR=address, **environment)
        return self.process

    def start_docker(self):
        self.docker = fake_docker.FakeDocker.on_unix_socket(self.supervision.docker_socket)
        return self.docker

    def start_ready(self, address=None, **environment):
        self.start_docker()
        self.start(address, **environment)
        self.process.wait_for(msg="anchord ready")
        return self.process

    def exchange(self, request, **options):
        """Sends raw bytes, returns raw bytes."""
        connection = self.anchor.connect(**options)
        connection.sendall(request)
        return read_all(connection)

    def get(self, path, method="GET", accept=None, **options):
        header = f"Accept: {accept}\r\n" if accept else ""
        return split_answer(self.exchange(f"{method} {path} HTTP/1.1\r\nHost: anchord\r\n{header}\r\n".encode(), **options))

    def await_exporter(self, count=1):
        return self.process.wait_for(msg="worker started", name="exporter", count=count)["pid"]

    def text(self, accept=None):
        status, _, body = self.get("/metrics", accept=accept)
        assert status == 200
        return body

    def values(self):
        """{"name{labels}": value}"""
        return {name: float(value) for name, _, value in
                (line.rpartition(" ") for line in self.text().splitlines() if not line.startswith("#"))}

    def await_value(self, name, expected, timeout=10):
        wait_until(lambda: self.values()[name] == expected, timeout)

    def close(self):
        self.supervision.close()
        if self.docker:
            self.docker.close()
        self.anchor.close()
        self.client.close()
        shutil.rmtree(self.directory)
