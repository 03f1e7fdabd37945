"""anchord-netadmin under test, in a network of its own namespaces with real packets.

    client eth0 --- ext0 anchor shared0 --- bridge --- eth0 one, eth0 two
                         anchor other0  --- eth0 other

The client is a host on the LAN that even routes the inner subnets to the anchor. `one` and `two` are containers on the
shared network whose default gateway is the auxiliary address that netadmin claims. `other` is a container on another
network of the anchor. Runs as root; the program gets what the supervisor would give it: uid 24942, CAP_NET_ADMIN as
ambient capability and nothing else, an empty bounding set, its channel at descriptor 3.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import traceback

import messages

NETADMIN_USER = 24942
CAP_NET_ADMIN = 12
CLONE_NEWNET = 0x40000000
PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 24, 8, 47, 2
DEADLINE = 5.0

LAN4, LAN6, LAN_UNIQUE_LOCAL = "10.99.0.50", "2001:db8:99::50", "fd99::50"
CLIENT4, CLIENT6, CLIENT_UNIQUE_LOCAL = "10.99.0.9", "2001:db8:99::9", "fd99::9"
ANCHOR4, ANCHOR6 = "172.30.0.3", "fd30::3"
GATEWAY4, GATEWAY6 = "172.30.0.2", "fd30::2"
ONE4, ONE6, TWO4, TWO6 = "172.30.0.5", "fd30::5", "172.30.0.6", "fd30::6"
OTHER_ANCHOR4, OTHER4 = "172.31.0.3", "172.31.0.5"
EXTERNAL_MAC, SHARED_MAC = "02:00:00:00:99:50", "02:00:00:00:30:03"

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def wait_until(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(); fails when one that was asked after the deadline is not true. What
    began to be asked before says nothing: on a busy machine its programs take longer than what they ask for."""
    end = time.monotonic() + deadline
    while True:
        begun = time.monotonic()
        value = condition()
        if value:
            return value
        assert begun < end, f"waited {deadline} s for: {what}"
        select.select([], [], [], 0.005)


def wait_logged(netadmin, text, **fields):
    """The lines that begin with `text`; they come through a pipe, a moment after the deed."""
    return wait_until(lambda: netadmin.logged(text, **fields), f"log line {text} {fields}")


def above(limit, descriptor):
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, limit + 1)


class Namespace:
    """A network namespace, held by a descriptor: it goes with the test process at the latest."""

    def __init__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        check(libc.unshare(CLONE_NEWNET), "unshare")
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        check(libc.setns(home, CLONE_NEWNET), "setns")
        os.close(home)

    @contextlib.contextmanager
    def entered(self):
        """Only this thread; sockets made meanwhile stay in the namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        check(libc.setns(self.descriptor, CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            check(libc.setns(home, CLONE_NEWNET), "setns")
            os.close(home)

    def run(self, *command, input=None, check=True):
        with self.entered():
            done = subprocess.run(command, input=input, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def sysctl(self, name, value):
        with self.entered():
            with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
                file.write(str(value))

    def socket(self, *arguments):
        with self.entered():
            made = socket.socket(*arguments)
        made.settimeout(DEADLINE)
        return made

    def close(self):
        os.close(self.descriptor)


def family_of(text):
    return socket.AF_INET6 if ":" in text else socket.AF_INET


class Service:
    """Answers on one TCP or UDP port with its name and what it saw of the client."""

    def __init__(self, namespace, name, protocol, port, address):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        self.name = name
        self.protocol = protocol
        self.socket = namespace.socket(family_of(address), kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family_of(address) == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind((address, port))
        if protocol == "tcp":
            self.socket.listen(512)
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                if self.protocol == "udp":
                    _, peer = self.socket.recvfrom(2048)
                    if not peer:  # shut down
                        return
                    self.socket.sendto(f"{self.name} {peer[0]} {peer[1]}".encode(), peer)
                else:
                    connection, peer = self.socket.accept()
                    threading.Thread(target=self.converse, args=(connection, peer), daemon=True).start()

    def converse(self, connection, peer):
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"{self.name} {peer[0]} {peer[1]}".encode())
            while data := connection.recv(2048):
                connection.sendall(data)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Netadmin:
    """One run of the program and the test's end of its two channels. Other programs with capabilities derive from it."""

    user = NETADMIN_USER
    capabilities = 1 << CAP_NET_ADMIN

    def __init__(self, program, namespace, environment):
        self.supervisor, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.supervisor.settimeout(DEADLINE)
        output, their_output = os.pipe2(os.O_CLOEXEC)
        self.pid = self.fork()
        if self.pid == 0:
            try:
                # By descriptor: the program may lie in a directory that only root may enter.
                program_descriptor = above(3, os.open(program, os.O_RDONLY | os.O_CLOEXEC))
                self.become(namespace, above(3, theirs.fileno()), above(3, their_output))
                os.execve(program_descriptor, [os.path.basename(program)], environment)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(99)
        os.close(their_output)
        theirs.close()
        self.program, self.namespace = program, namespace
        self.beside = []  # programs that go with it
        self.status = None
        self.log = []
        self.readiness = 0
        self.watcher = None
        self.generation = 0
        self.reader = threading.Thread(target=self.read_log, args=(output,), daemon=True)
        self.reader.start()

    def fork(self):
        return os.fork()

    def become(self, namespace, channel, output):
        """In the child: the namespace, the descriptors, the user and the capabilities."""
        check(libc.setns(namespace.descriptor, CLONE_NEWNET), "setns")
        for source, target in ((above(3, os.open("/dev/null", os.O_RDWR)), 0), (output, 1), (output, 2), (channel, 3)):
            os.dup2(source, target)
        header = struct.pack("=Ii", 0x20080522, 0)
        held = ctypes.create_string_buffer(24)
        check(libc.capget(header, held), "capget")
        effective, permitted, _, effective_high, permitted_high, _ = struct.unpack("=6I", held.raw)
        # The inheritable set can only grow while the bounding set is not empty.
        check(libc.capset(header, struct.pack("=6I", effective, permitted, self.capabilities, effective_high, permitted_high, 0)),
              "capset inheritable")
        for capability in range(64):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
        check(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS")
        os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)
        check(libc.capset(header, struct.pack("=6I", *[self.capabilities] * 3, 0, 0, 0)), "capset")
        for capability in range(32):
            if self.capabilities & 1 << capability:
                check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "ambient")

    def read_log(self, output):
        with os.fdopen(output, errors="replace") as lines:
            for line in lines:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.log.append({"msg": line.rstrip("\n"), "level": "GARBAGE"})

    def logged(self, text, **fields):
        return [line for line in list(self.log) if line["msg"].startswith(text) and
                all(line.get(key) == value for key, value in fields.items())]

    # --- the supervisor's side

    def send(self, datagram, descriptors=()):
        if descriptors:
            socket.send_fds(self.supervisor, [datagram], descriptors)
        else:
            self.supervisor.send(datagram)

    def receive(self):
        """The next message to the supervisor; readiness is remembered."""
        kind, generation, body = messages.split(self.supervisor.recv(messages.LENGTH_MAX))
        if kind == messages.READINESS:
            self.readiness = struct.unpack("=2I", body)[0]
        return kind, generation, body

    def wait_ready(self, conditions):
        while self.readiness & conditions != conditions:
            self.receive()

    def ping(self, generation):
        """Answered when everything that was sent before has been handled."""
        self.send(messages.message(messages.PING, generation=generation))
        while self.receive()[:2] != (messages.PONG, generation):
            pass

    # --- the watcher's side

    def link(self):
        """A new channel to the watcher; returns links and map as first reported on it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(DEADLINE)
        if self.watcher:
            self.watcher.close()
        self.watcher = ours
        self.send(messages.link(), [theirs.fileno()])
        theirs.close()
        links, reported = {}, []
        while True:
            kind, _, body = self.receive_watcher()
            if kind == messages.LINKS_ITEMS:
                links.update(messages.parse_links(body))
            elif kind == messages.MAP_ITEMS:
                reported += messages.parse_items(body)
            elif kind == messages.MAP_COMMIT:
                return links, reported

    def receive_watcher(self):
        datagram = self.watcher.recv(messages.LENGTH_MAX)
        if not datagram:
            raise EOFError("netadmin ended the watcher's connection")
        return messages.split(datagram)

    def receive_applied(self):
        while True:
            kind, generation, body = self.receive_watcher()
            if kind == messages.APPLIED:
                return messages.Applied(generation, body)

    def apply(self, *items, guests=()):
        """Offers a state of messages.exposure(), with messages.allow() and .limit(); returns APPLIED of its generation."""
        self.generation += 1
        for datagram in messages.state(items, self.generation, guests):
            self.watcher.send(datagram)
        while (applied := self.receive_applied()).generation != self.generation:
            pass
        return applied

    def expose(self, *items, guests=()):
        applied = self.apply(*items, guests=guests)
        assert applied.error == 0, applied
        return applied

    # --- ends

    def wait(self):
        """The exit status, or minus the signal."""
        if self.status is None:
            descriptor = os.pidfd_open(self.pid)
            ended, _, _ = select.select([descriptor], [], [], DEADLINE)
            os.close(descriptor)
            assert ended, f"{type(self).__name__} did not end"
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.reader.join(DEADLINE)
        return self.status

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def stop(self, mode=messages.STOP_TEAR_DOWN):
        self.send(messages.stop(mode))
        return self.wait()

    def close(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                self.kill()
        self.supervisor.close()
        if self.watcher:
            self.watcher.close()
        for program in self.beside:
            program.close()


class Lab:
    environment = {}  # of the program

    def __init__(self, program):
        self.program = program
        self.closing = contextlib.ExitStack()
        self.namespaces = {name: Namespace() for name in ("client", "anchor", "bridge", "one", "two", "other")}
        for namespace in self.namespaces.values():
            self.closing.callback(namespace.close)
        self.client, self.anchor, self.bridge, self.one, self.two, self.other = self.namespaces.values()
        self.netadmin = None
        self.build()

    # --- the network

    def cable(self, first, first_name, second, second_name, first_mac=None):
        first.run("ip", "link", "add", first_name, *(["address", first_mac] if first_mac else []), "type", "veth",
                  "peer", "name", second_name, "netns", f"/proc/{os.getpid()}/fd/{second.descriptor}")
        first.run("ip", "link", "set", first_name, "up")
        second.run("ip", "link", "set", second_name, "up")

    def build(self):
        for namespace in self.namespaces.values():
            namespace.run("ip", "link", "set", "lo", "up")
        self.anchor.sysctl("ipv6/conf/all/forwarding", 1)
        self.cable(self.anchor, "ext0", self.client, "eth0", EXTERNAL_MAC)
        self.cable(self.anchor, "other0", self.other, "eth0")
        self.bridge.run("ip", "link", "add", "br0", "type", "bridge")
        self.bridge.run("ip", "link", "set", "br0", "up")
        self.cable(self.anchor, "shared0", self.bridge, "anchor", SHARED_MAC)
        self.cable(self.one, "eth0", self.bridge, "one")
        self.cable(self.two, "eth0", self.bridge, "two")
        for port in ("anchor", "one", "two"):
            self.bridge.run("ip", "link", "set", port, "master", "br0")
        addresses = [
            (self.anchor, "ext0", (f"{LAN4}/24", f"{LAN6}/64", f"{LAN_UNIQUE_LOCAL}/64")),
            (self.anchor, "shared0", (f"{ANCHOR4}/24", f"{ANCHOR6}/64")),
            (self.anchor, "other0", (f"{OTHER_ANCHOR4}/24",)),
            (self.client, "eth0", (f"{CLIENT4}/24", f"{CLIENT6}/64", f"{CLIENT_UNIQUE_LOCAL}/64")),
            (self.one, "eth0", (f"{ONE4}/24", f"{ONE6}/64")),
            (self.two, "eth0", (f"{TWO4}/24", f"{TWO6}/64")),
            (self.other, "eth0", (f"{OTHER4}/24",)),
        ]
        for namespace, interface, texts in addresses:
            for text in texts:
                namespace.run("ip", "address", "add", text, "dev", interface, *(["nodad"] if ":" in text else []))
        for namespace in (self.one, self.two):
            namespace.run("ip", "route", "add", "default", "via", GATEWAY4)
            namespace.run("ip", "-6", "route", "add", "default", "via", GATEWAY6)
        self.other.run("ip", "route", "add", "default", "via", OTHER_ANCHOR4)
        self.client.run("ip", "route", "add", "172.30.0.0/15", "via", LAN4)
        self.client.run("ip", "-6", "route", "add", "fd30::/64", "via", LAN6)

    # --- the program

    def start(self, ready=True, topology=None, **configuration):
        """Starts the program, configures it and links a watcher; with `ready` it gets a topology and installs."""
        netadmin = Netadmin(self.program, self.anchor, self.environment)
        self.closing.callback(netadmin.close)
        self.netadmin = netadmin
        netadmin.send(messages.configure_netadmin(**configuration))
        netadmin.links, netadmin.reported = netadmin.link()
        if ready:
            netadmin.send(topology or self.topology())
            netadmin.wait_ready(messages.TABLES_INSTALLED)
        return netadmin

    def topology(self, shared="172.30.0.0/24", shared_name="transit", is_final=True):
        external = messages.network("lan", EXTERNAL_MAC, [("10.99.0.0/24", "10.99.0.1", None),
                                                          ("2001:db8:99::/64", None, None)])
        inner = messages.network(shared_name, SHARED_MAC, [(shared, "172.30.0.1", GATEWAY4),
                                                           ("fd30::/64", "fd30::1", GATEWAY6)])
        return messages.topology(external, inner, is_final)

    def serve(self, namespace, name, protocol, port, address):
        service = Service(namespace, name, protocol, port, address)
        self.closing.callback(service.close)
        return service

    def nft(self, text):
        """Somebody else's nft in the anchor's namespace."""
        return self.anchor.run("nft", "-f", "-", input=text)

    def ruleset(self):
        return self.anchor.run("nft", "--stateless", "list", "ruleset")

    def close(self):
        self.closing.close()


# --- clients


def ask_tcp(namespace, address, port, source=None):
    """Connects; returns the service's name, the source as it saw it, and the source as the client has it."""
    with namespace.socket(family_of(address), socket.SOCK_STREAM) as connection:
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
        answer = connection.recv(2048).decode().split()
        return answer[0], (answer[1], int(answer[2])), connection.getsockname()[:2]


def ask_udp(namespace, address, port, source=None):
    """As ask_tcp; an unanswered or refused datagram raises."""
    with namespace.socket(family_of(address), socket.SOCK_DGRAM) as connection:
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
        connection.send(b"?")
        answer = connection.recv(2048).decode().split()
        return answer[0], (answer[1], int(answer[2])), connection.getsockname()[:2]


ASK = {"tcp": ask_tcp, "udp": ask_udp}


def outcome(namespace, protocol, address, port, patience=DEADLINE):
    """The answering service's name, "refused", or "silence" after `patience` seconds."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with namespace.socket(family_of(address), kind) as connection:
        connection.settimeout(patience)
        try:
            connection.connect((address, port))
            connection.send(b"?")
            return connection.recv(2048).decode().split()[0]
        except ConnectionRefusedError:
            return "refused"
        except (TimeoutError, OSError) as error:
            return "silence" if isinstance(error, TimeoutError) else os.strerror(error.errno)


def pings(namespace, address):
    with namespace.entered():
        return subprocess.run(["ping", "-n", "-c", "1", "-W", "1", address], capture_output=True).returncode == 0


def flow_to(lab, protocol, address, port, namespace=None):
    """A connected socket, the client's unless told, that has heard its service once; returns it and the service's name."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    flow = (namespace or lab.client).socket(family_of(address), kind)
    lab.closing.callback(flow.close)
    flow.connect((address, port))
    if protocol == "udp":
        flow.send(b"?")
    return flow, flow.recv(100).decode().split()[0]


def ask_again(flow):
    flow.send(b"?")
    return flow.recv(100).decode().split()[0]
