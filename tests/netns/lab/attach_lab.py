"""The host half of attach under test: anchord-namespaces and anchord-links, with the test as supervisor, watcher and way.

A *container* is a process in a network namespace and in a control group that Docker would have named. Runs as root; each
program gets what its supervisor would give it: its own uid, its capabilities as ambient ones and nothing else, an empty
bounding set, its channel at descriptor 3.
"""

import contextlib
import difflib
import json
import os
import pathlib
import re
import secrets
import select
import socket
import struct
import subprocess
import time

import messages
from netadmin_lab import CAP_NET_ADMIN, CLONE_NEWNET, DEADLINE, Netadmin, check, libc, wait_until

NAMESPACES_USER = 24953
CAP_SYS_PTRACE, CAP_SYS_ADMIN = 19, 21
CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000
WAY_REQUESTS, WAY_MONITOR, WAY_FILTER = 1, 2, 3
CONTAINER_ID_SIZE = 72


def new_id():
    """What Docker would call a container: nobody guesses it."""
    return secrets.token_hex(32)


def cgroup2_directory():
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, directory, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(directory)
    raise AssertionError("no cgroup2 file system is mounted on this machine")


class ControlGroups:
    """A directory of the cgroup2 tree for the processes that play containers."""

    def __init__(self):
        self.root = cgroup2_directory() / f"anchord-test-{os.getpid()}-{secrets.token_hex(4)}"
        self.root.mkdir()
        self.processes = []

    def start(self, path, namespace):
        """A process in the control group `path` and in `namespace`; None: in the test's own."""
        directory = self.root / path
        directory.mkdir(parents=True, exist_ok=True)
        command = ["sh", "-c", f'echo $$ >"{directory}/cgroup.procs"; echo; exec sleep infinity']

        def start():
            return subprocess.Popen(command, stdout=subprocess.PIPE)

        if namespace:
            with namespace.entered():
                process = start()
        else:
            process = start()
        assert process.stdout.readline() == b"\n"
        self.processes.append(process)
        return process

    def move(self, process, path):
        directory = self.root / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text(str(process.pid))

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def close(self):
        for process in self.processes:
            self.end(process)
        for directory in sorted((path for path in self.root.rglob("*") if path.is_dir()), reverse=True):
            directory.rmdir()
        self.root.rmdir()


def younger(start):
    """A process of `start` that began in a later clock tick than now: start times count those."""
    tick = int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
    wait_until(lambda: int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")) > tick + 1, "the next tick")
    return start()


class HostProcesses:
    """A PID namespace with a /proc of its own, whose first process is in a network namespace of its own."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--net", "--kill-child", "sh", "-c",
                                         "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"\n"
        first, = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.network, self.processes, self.mounts = (os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                                                     for kind in ("net", "pid", "mnt"))

    @contextlib.contextmanager
    def entered(self):
        """What this thread starts meanwhile belongs to it: processes, and in the network of the first one."""
        parent = os.getpid()
        home = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "pid")]
        check(libc.setns(self.network, CLONE_NEWNET), "setns")
        check(libc.setns(self.processes, CLONE_NEWPID), "setns")
        try:
            yield
        finally:
            # A fork of this process stays there, and has no way back.
            for descriptor, kind in zip(home, (CLONE_NEWNET, CLONE_NEWPID) if os.getpid() == parent else ()):
                check(libc.setns(descriptor, kind), "setns")
                os.close(descriptor)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        for descriptor in (self.network, self.processes, self.mounts):
            os.close(descriptor)


class Answer:
    def __init__(self, body):
        identity, self.inode, self.number, self.error, reason = struct.unpack("=72sQIi160s", body)
        self.id = identity.rstrip(b"\0").decode()
        self.reason = reason.rstrip(b"\0").decode()

    def __repr__(self):
        return f"Answer(inode {self.inode}, number {self.number}, error {self.error}, {self.reason!r})"


class NamespacesProcess(Netadmin):
    """anchord-namespaces, with the test's ends of its channels to watcher and way."""

    user = NAMESPACES_USER
    capabilities = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_PTRACE | 1 << CAP_SYS_ADMIN

    machine = None  # HostProcesses whose /proc it sees; None: the test's

    def __init__(self, program, namespace):
        super().__init__(program, namespace, {})
        self.way = None
        self.send(messages.message(messages.CONFIGURE_NAMESPACES, struct.pack("=2I", messages.LOG_INFO, 0)))
        self.link_watcher()
        self.link_way()

    def fork(self):
        if not self.machine:
            return super().fork()
        with self.machine.entered():
            return super().fork()

    def become(self, namespace, channel, output):
        if self.machine:
            check(libc.setns(self.machine.mounts, CLONE_NEWNS), "setns")
        super().become(namespace, channel, output)

    def linked(self, peer):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(DEADLINE)
        self.send(messages.link(peer), [theirs.fileno()])
        theirs.close()
        return ours

    def link_watcher(self):
        if self.watcher:
            self.watcher.close()
        self.watcher = self.linked(messages.PEER_WATCHER)

    def link_way(self):
        if self.way:
            self.way.close()
        self.way = self.linked(messages.PEER_WAY)

    @staticmethod
    def container(kind, identity, pid=0, generation=0):
        return messages.message(kind, struct.pack("=72s2I", identity.encode(), pid, 0), generation)

    def ask(self, identity, pid=0):
        self.watcher.send(self.container(messages.NAMESPACE_WANTED, identity, pid, 7))
        kind, generation, body = self.receive_watcher()
        assert (kind, generation) == (messages.NAMESPACE_ANSWER, 7)
        answer = Answer(body)
        assert answer.id == identity
        return answer

    def leave(self, identity):
        self.watcher.send(self.container(messages.NAMESPACE_LEFT, identity))

    def commit(self):
        self.watcher.send(messages.message(messages.NAMESPACES_COMMIT))

    def receive_way(self):
        """The next message to way: (kind, number or None, kind of socket or None, descriptor or None)."""
        datagram, descriptors, _, _ = socket.recv_fds(self.way, messages.LENGTH_MAX, 4)
        kind, _, body = messages.split(datagram)
        if kind == messages.NAMESPACES_COMMIT:
            return kind, None, None, None
        number, what = struct.unpack("=2I", body)
        if kind == messages.NAMESPACE_GONE:
            return kind, number, None, None
        descriptor, = descriptors
        return kind, number, what, descriptor

    def sockets(self, number):
        """The sockets of a namespace that was handed out just now."""
        kinds = (WAY_REQUESTS, WAY_FILTER, WAY_MONITOR)
        received = [self.receive_way() for _ in kinds]
        assert [message[:3] for message in received] == [(messages.WAY_SOCKET, number, kind) for kind in kinds]
        return [message[3] for message in received]

    def namespaces_held(self):
        """Inodes of the network namespaces that it holds a descriptor of."""
        held = []
        for path in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            target = os.readlink(path)
            if target.startswith("net:["):
                held.append(int(target[5:-1]))
        return sorted(held)

    def close(self):
        super().close()
        if self.way:
            self.way.close()


LINKS_USER = 24952
BRIDGES_MAX = 64
IDENTITY_NAMESPACE, IDENTITY_SOCKET = 1, 2
EXTERNAL_MAC, INNER_MAC = "02:00:00:00:0e:01", "02:00:00:00:0e:02"
NEXT_HOP = "169.254.7.9"


def bridge_of(network_id):
    """What Docker calls the bridge of a network."""
    return f"br-{network_id[:12]}"


def bridges_message(networks, shared=(), generation=0):
    """BRIDGES, of (network ID, name, bridge): the project's own, and those that are shared with others."""
    items = b"".join(struct.pack("=72s128s16sI", *(text.encode() for text in network), is_owned)
                     for is_owned, some in ((True, networks), (False, shared)) for network in some)
    return messages.message(messages.BRIDGES, struct.pack("=2I", len(networks) + len(shared), 0) +
                            items.ljust(BRIDGES_MAX * 220, b"\0"), generation)


class LinksProcess(Netadmin):
    """anchord-links for one project, with the test as its supervisor and watcher."""

    user = LINKS_USER

    def __init__(self, program, namespace, project="mail", tag=0x0123ABCD, parent="eth0", named=(), is_guarded=True, remembered=()):
        """remembered: what the supervisor knows from before a boot, as offer() takes it."""
        super().__init__(program, namespace, {})
        self.shared_links, self.host_addresses = {}, (None, {})
        macs = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (EXTERNAL_MAC, INNER_MAC))
        if remembered:
            self.send(bridges_message(remembered))
        self.send(messages.message(messages.CONFIGURE_LINKS, struct.pack("=128s16s256s12sI20s3I", project.encode(), parent.encode(),
                                   b"".join(name.encode().ljust(16, b"\0") for name in named), macs, tag,
                                   messages.address(NEXT_HOP), is_guarded, messages.LOG_INFO, 0)))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(DEADLINE)
        self.watcher = ours
        self.send(messages.link(), [theirs.fileno()])
        theirs.close()

    def receive(self):
        kind, generation, body = super().receive()
        if kind == messages.SHARED_LINKS:
            self.shared_links = messages.parse_shared_links(body)
        if kind == messages.HOST_ADDRESSES:
            self.host_addresses = messages.parse_host_addresses(body)
        return kind, generation, body

    def heard(self, condition):
        """SHARED_LINKS and HOST_ADDRESSES as the supervisor has last heard them, once `condition` holds of the two."""
        def holds():
            while select.select([self.supervisor], [], [], 0)[0]:
                self.receive()
            return condition(self.shared_links, self.host_addresses)
        wait_until(holds, "what the supervisor is to hear")
        return self.shared_links, self.host_addresses

    def give_identity(self, identity):
        """Its namespace, and a socket that was opened there."""
        self.send(messages.message(messages.LINKS_IDENTITY, struct.pack("=2I", IDENTITY_NAMESPACE, 0)), [identity.descriptor])
        made = identity.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        made.settimeout(None)
        self.send(messages.message(messages.LINKS_IDENTITY, struct.pack("=2I", IDENTITY_SOCKET, 0)), [made.fileno()])
        made.close()
        self.ping(1)

    def offer(self, *networks, shared=(), guarded=()):
        """GUARDED, of (address, number of its network), and the state BRIDGES, of (network ID, name, bridge): the
        project's own, and behind them those that are shared with others."""
        self.generation += 1
        self.watcher.send(messages.guarded(guarded, self.generation))
        self.watcher.send(bridges_message(networks, shared, self.generation))

    def receive_answer(self):
        kind, generation, body = self.receive_watcher()
        assert kind == messages.LINK_ANSWER
        network_id, name, error, _, reason = struct.unpack("=72s16siI160s", body)
        return (generation, network_id.rstrip(b"\0").decode(), name.rstrip(b"\0").decode(), error,
                reason.rstrip(b"\0").decode())

    def answers(self, *networks):
        """What became of each of them and of the macvlan, whose ID is empty: {network ID: (name, error, reason)}."""
        self.offer(*networks)
        found = {}
        while len(found) < len(networks) + 1:
            generation, network_id, *answer = self.receive_answer()
            if generation == self.generation:
                found[network_id] = tuple(answer)
        return found


def run_container(host, bridge):
    """What a container is to the bridge, which runs by it."""
    for words in (("add", "container", "type", "veth", "peer", "name", "eth1"), ("set", "container", "master", bridge, "up"),
                  ("set", "eth1", "up")):
        host.run("ip", "link", *words)
    wait_until(lambda: "state UP" in host.run("ip", "link", "show", bridge), "the bridge to run")


def traces(host):
    """All that HOST-8 compares, but for the clocks of bridges."""
    return [re.sub(r"\w+_timer +[\d.]+ ", "", host.run(*command)) for command in (
        ("ip", "-details", "link"), ("ip", "rule"), ("ip", "-6", "rule"), ("ip", "route", "show", "table", "all"),
        ("ip", "-6", "route", "show", "table", "all"), ("nft", "list", "ruleset"))]


def settled(host):
    """When each link that runs has its own address, which takes the kernel a second or two."""
    def has_address(link):
        return any(address["scope"] == "link" and "tentative" not in address for address in link["addr_info"])

    wait_until(lambda: all(link["operstate"] != "UP" or has_address(link)
                           for link in json.loads(host.run("ip", "-json", "-6", "address"))), "the host to settle")
    return traces(host)


def differences(before, after):
    """The lines that are of one of them alone."""
    return [line for one, other in zip(before, after) for line in difflib.ndiff(one.splitlines(), other.splitlines())
            if line[0] != " "]
