"""anchord-watcher under test: the test is its supervisor and its netadmin, Docker is fake_docker.

Runs as root; the program gets what the supervisor would give it: uid 24941, no capability, an empty bounding set, its
channel at descriptor 3, a network namespace of its own.
"""

import contextlib
import json
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import fake_docker
import messages
from fake_docker import container
from worker_process import DEADLINE, Connection, WorkerProcess

UID = 24941
PEER_NETADMIN, PEER_CONTROL = 2, 5
FINDING_EXPOSED, FINDING_PROBLEM, FINDING_LINK = 1, 3, 4
FINDING = struct.Struct("=BBHHHHH20s20s128s128s448s")
# Numbers of protocol/problem_list.h
NOT_HEALTHY, NO_HEALTH_CHECK, PUBLISHED_WITHHELD, INTERNAL_ONLY, NO_BRIDGE = 105, 106, 107, 323, 322
NO_LINK, NETWORK_UNKNOWN, ICC_DISABLED, NOT_GUARDED = 321, 324, 327, 328
NO_OWN_NETWORK, NAMESPACE_NOT_SERVED, NO_WAY_BACK, DOCKER_AWAY, STATE_REFUSED = 325, 326, 312, 401, 513
EXTERNAL_PROBLEMS = (302, 206, 207, 208, 209, 210)  # in the order in which they are told
IPV6_DISABLED, IPV6_FORWARDS, IPV6_ACCEPTS_RA = 1, 2, 4
WEB = {("tcp", 80, 80): ("172.30.0.4", 80)}  # what web() exposes
EXTERNAL_FLAGS = IPV6_ACCEPTS_RA  # a host on its link (ADDR-14)


def of_external(found):
    """What findings() found of the network on the LAN: [(container, reason)]."""
    return [item for problem in EXTERNAL_PROBLEMS for item in found.get(problem, ())]


def configure_watcher(docker_host, project="mail", external="dmz", interface="", shared="", poll=30.0, selector="",
                      log_level=messages.LOG_DEBUG, gateway4=None, address_mode=messages.MODE_BOOTSTRAP, expose_from=0):
    """With `expose_from`: under attach."""
    body = struct.pack("=256s256s128s1024s128s16s128s20s5I", docker_host.encode(), docker_host.encode(),
                       project.encode(), selector.encode(), external.encode(), interface.encode(), shared.encode(), messages.address(gateway4), address_mode, int(poll * 1000), log_level, expose_from != 0, expose_from)
    return messages.message(messages.CONFIGURE_WATCHER, body)


def link_item(index, name, mac, flags=EXTERNAL_FLAGS):
    return messages.LINK_HEAD.pack(index, name.encode(), bytes.fromhex(mac.replace(":", "")), flags, 0, 0) + bytes(
        messages.LINK_ADDRESSES_MAX * messages.LINK_ADDRESS.size)


def links(items):
    return [messages.message(messages.LINKS_BEGIN, generation=1),
            messages.message(messages.LINKS_ITEMS, struct.pack("=2I", len(items), 0) + b"".join(items), 1),
            messages.commit(messages.LINKS_COMMIT, len(items), 1)]


def incumbents(items):
    datagrams = [messages.message(messages.MAP_BEGIN, generation=1)]
    if items:
        datagrams.append(messages.message(messages.MAP_ITEMS, struct.pack("=2I", len(items), 0) + b"".join(items), 1))
    return datagrams + [messages.commit(messages.MAP_COMMIT, len(items), 1)]


def applied(generation, error=0, reason=b""):
    return messages.message(messages.APPLIED, messages.APPLIED_BODY.pack(error, 0, 1, 0, 0, 0, 0, 0, reason), generation)


class Watcher(WorkerProcess):
    def __init__(self, build, scratch, namespace, resolv_conf=None, environment=None):
        self.netadmin = None
        self.control = None
        self.commits = 0  # complete desired states received
        self.guests = []  # lists and limits of the last one, as messages.allow() and .limit() make them
        wrap = ["nsenter", f"--net=/run/netns/{namespace}"]
        if resolv_conf:
            wrap += ["unshare", "--mount", "/bin/bash", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                     str(resolv_conf)]
        super().__init__(build / "workers/watcher/anchord-watcher", UID, scratch, wrap, environment)

    def link(self, link_items=None, map_items=()):
        """Hands over a fresh netadmin, as the supervisor does."""
        self.netadmin = Connection()
        message = messages.message(messages.LINK, struct.pack("=2I", PEER_NETADMIN, 0))
        socket.send_fds(self.supervisor.own, [message], [self.netadmin.given.fileno()])
        self.netadmin.given.close()
        if link_items is None:
            link_items = [link_item(2, "eth0", fake_docker.SHARED_MAC),
                          link_item(3, "eth1", fake_docker.EXTERNAL_MAC)]
        self.netadmin.send(*links(link_items), *incumbents(list(map_items)))

    def link_control(self):
        self.control = Connection()
        message = messages.message(messages.LINK, struct.pack("=2I", PEER_CONTROL, 0))
        socket.send_fds(self.supervisor.own, [message], [self.control.given.fileno()])
        self.control.given.close()

    def findings(self, condition, deadline=DEADLINE):
        """The next complete findings that satisfy `condition`: {kind or problem: [(container, reason)]}."""
        end = time.monotonic() + deadline
        found = {}
        while True:
            kind, _, body = self.control.receive(end)
            if kind == messages.FINDINGS_BEGIN:
                found = {}
            elif kind == messages.FINDINGS_ITEMS:
                for offset in range(8, len(body), FINDING.size):
                    fields = FINDING.unpack_from(body, offset)
                    texts = tuple(text.rstrip(b"\0").decode() for text in (fields[9], fields[11]))
                    found.setdefault(fields[5] or fields[0], []).append(texts)
            elif condition(found):
                return found

    def from_supervisor_channel(self, kind, deadline=DEADLINE):
        """The next message of `kind` to the supervisor; others are passed over."""
        end = time.monotonic() + deadline
        while True:
            message = self.supervisor.receive(end)
            assert message, f"the watcher ended: {json.dumps(self.lines[-3:])}"
            if message[0] == kind:
                return message[2]

    def chosen(self):
        """The next TOPOLOGY: the shared network's name, and whether it is final."""
        body = self.from_supervisor_channel(messages.TOPOLOGY)
        return body[436:436 + 128].rstrip(b"\0").decode(), bool(struct.unpack_from("=I", body, 2 * 436)[0])

    def next_items(self, deadline=DEADLINE):
        """The next complete desired state: its generation, and its items as messages.parse_items() tells them."""
        end = time.monotonic() + deadline
        items = None
        while True:
            kind, generation, body = self.netadmin.receive(end)
            if kind == messages.EXPOSURES_BEGIN:
                items, guests = [], []
            elif kind == messages.EXPOSURES_GUESTS:
                guests += [body[at:at + messages.GUEST.size] for at in range(8, len(body), messages.GUEST.size)]
            elif kind == messages.EXPOSURES_ITEMS:
                items += messages.parse_items(body)
            elif kind == messages.EXPOSURES_COMMIT:
                assert struct.unpack("=2I", body)[0] == len(items) + len(guests)
                self.guests = guests
                self.commits += 1
                return generation, items

    def next_state(self, deadline=DEADLINE):
        """The next complete desired state: (generation, {(family, proto, first, last): (backend, port)})."""
        generation, items = self.next_items(deadline)
        return generation, {item[:3] if ":" not in item[3] else (*item[:3], "v6"): item[3:] for item in items}

    def await_commit(self, deadline=DEADLINE):
        """Waits for the end of a state without looking into it."""
        end = time.monotonic() + deadline
        while self.netadmin.receive(end)[0] != messages.EXPOSURES_COMMIT:
            pass

    def state(self, expected, deadline=DEADLINE):
        """Waits until the desired state is `expected`."""
        end = time.monotonic() + deadline
        seen = None
        while seen != expected:
            try:
                seen = self.next_state(end - time.monotonic())[1]
            except TimeoutError:
                raise AssertionError(f"last state {seen}, wanted {expected}, log {json.dumps(self.lines[-5:])}") from None

    def stays_silent(self, seconds):
        """Nothing is sent to netadmin for so long."""
        ready, _, _ = select.select([self.netadmin.own], [], [], seconds)
        assert not ready, self.next_state()

    def resident(self):
        """Proportional memory in kB."""
        text = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.split("\nPss:")[1].split()[0])

    def close(self):
        for connection in (self.netadmin, self.control):
            if connection:
                connection.own.close()
        super().close()


class WatcherLab:
    def __init__(self, build, name):
        self.build = build
        self.namespace = name
        self.stack = contextlib.ExitStack()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="anchord-watcher-"))
        self.scratch.chmod(0o755)
        self.stack.callback(shutil.rmtree, self.scratch)
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.socket_path = self.scratch / "docker.sock"
        self.docker_host = f"unix://{self.socket_path}"
        self.docker = None
        self.environment = {}  # of the program

    def start_docker(self):
        self.socket_path.unlink(missing_ok=True)
        docker = fake_docker.FakeDocker.on_unix_socket(self.socket_path)
        self.stack.callback(docker.close)
        self.docker = docker
        return docker

    def start(self, resolv_conf=None, link=True, docker_host=None, before=None, **configuration):
        watcher = Watcher(self.build, self.scratch, self.namespace, resolv_conf, self.environment)
        self.stack.callback(watcher.close)
        if before:
            before(watcher)
        watcher.supervisor.send(configure_watcher(docker_host or self.docker_host, **configuration))
        if link:
            watcher.link()
        return watcher

    def close(self):
        self.stack.close()


def web(number=1, **keywords):
    return container(number, "tcp/80", **keywords)
