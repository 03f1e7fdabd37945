"""The host half of attach as a whole (HOST-11): its supervisor with its two workers, and a stand-in for the identity half.

The host is a network namespace; the meeting place and the machine's ID are of this test's own mount namespace.
"""

import array
import os
import pathlib
import socket
import struct
import subprocess

import messages
from attach_lab import bridges_message
from netadmin_lab import DEADLINE, wait_until

PLACE = pathlib.Path("/run/anchord-attach")
LINKS, NAMESPACES = 1, 2  # enum host_worker
LINKS_USER, NAMESPACES_USER = 24952, 24953
OF_NAMESPACE, OF_SOCKET = 1, 2
WELCOME = struct.Struct("=128s16s6s6sIB3x16s3I")


class Identity:
    """The identity half in a network namespace of its own: meets, hands its namespace over, joins its workers' ends."""

    def __init__(self, namespace, project="project"):
        self.namespace = namespace
        self.meeting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.meeting.settimeout(DEADLINE)
        self.meeting.connect(str(PLACE / project / "sock"))
        self.peers = {}
        self.generation = 0
        self.shared_links, self.host_addresses = [], []
        self.started = []
        kind, body = self.receive()
        assert kind == messages.WELCOME
        project, parent, mac, inner, self.tag, family, hop, *self.client_hash, _ = WELCOME.unpack(body)
        self.project, self.parent = (text.rstrip(b"\0").decode() for text in (project, parent))
        self.external_mac, self.inner_mac = mac.hex(":"), inner.hex(":")
        assert family == 4
        self.next_hop = socket.inet_ntoa(hop[:4])

    def receive(self):
        datagram = self.meeting.recv(messages.LENGTH_MAX)
        if not datagram:
            return None, b""
        kind, _, body = messages.split(datagram)
        if kind == messages.HOST_WORKER_STARTED:
            worker, _ = struct.unpack("=2I", body)
            self.started.append(worker)
            self.join(worker)
        if kind == messages.SHARED_LINKS:
            self.shared_links = messages.parse_shared_links(body)
        if kind == messages.HOST_ADDRESSES:
            self.host_addresses = messages.parse_host_addresses(body)
        return kind, body

    def receive_until(self, condition):
        while not condition():
            kind, _ = self.receive()
            assert kind is not None, "the host half has gone"

    def send(self, kind, body, *descriptors):
        socket.send_fds(self.meeting, [messages.message(kind, body)], list(descriptors))

    def join(self, worker):
        """What the identity half does at HOST_WORKER_STARTED."""
        if worker == LINKS:
            self.send(messages.LINKS_IDENTITY, struct.pack("=2I", OF_NAMESPACE, 0), self.namespace.descriptor)
            made = self.namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            made.settimeout(None)
            self.send(messages.LINKS_IDENTITY, struct.pack("=2I", OF_SOCKET, 0), made.fileno())
            made.close()
        for peer in (messages.PEER_WATCHER,) if worker == LINKS else (messages.PEER_WATCHER, messages.PEER_WAY):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(DEADLINE)
            self.send(messages.MEETING_LINK, struct.pack("=2I", worker, peer), theirs.fileno())
            theirs.close()
            if (worker, peer) in self.peers:
                self.peers[worker, peer].close()
            self.peers[worker, peer] = ours

    def offer(self, *networks, is_owned=True, guarded=()):
        """GUARDED and BRIDGES of (network ID, name, bridge); guarded: (address, number of the network)."""
        self.generation += 1
        watcher = self.peers[LINKS, messages.PEER_WATCHER]
        if guarded:
            watcher.send(messages.guarded(guarded, self.generation))
        own, shared = (networks, ()) if is_owned else ((), networks)
        watcher.send(bridges_message(own, shared, self.generation))

    def receive_answer(self, network):
        """When links has told what became of it."""
        watcher = self.peers[LINKS, messages.PEER_WATCHER]
        while network[0].encode() not in watcher.recv(messages.LENGTH_MAX):
            pass

    def tell_addresses(self, *addresses):
        self.send(messages.PROJECT_ADDRESSES, messages.project_addresses(*addresses))

    def ask_namespace(self, container, pid=0):
        """Its number and inode, and the sockets that way gets."""
        watcher = self.peers[NAMESPACES, messages.PEER_WATCHER]
        watcher.send(messages.message(messages.NAMESPACE_WANTED, struct.pack("=72s2I", container.encode(), pid, 0), 1))
        _, _, body = messages.split(watcher.recv(messages.LENGTH_MAX))
        _, inode, number, error, reason = struct.unpack("=72sQIi160s", body)
        assert error == 0, reason
        kinds = []
        for _ in range(3):
            datagram, ancillary, _, _ = self.peers[NAMESPACES, messages.PEER_WAY].recvmsg(messages.LENGTH_MAX, socket.CMSG_SPACE(4))
            for _, _, data in ancillary:
                os.close(array.array("i", data)[0])
            kinds.append(struct.unpack("=2I", messages.split(datagram)[2])[1])
        return number, inode, kinds

    def close(self):
        self.meeting.close()
        for peer in self.peers.values():
            peer.close()


class HostHalf:
    """Starts the role in `host`, with the real workers."""

    def __init__(self, supervision, host, machine_id="0123456789abcdef0123456789abcdef"):
        self.supervision, self.host = supervision, host
        PLACE.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", PLACE], check=True)  # in our mount namespace
        self.machine_id = supervision.scratch / "machine-id"
        self.machine_id.write_text(machine_id + "\n" if machine_id else "")
        subprocess.run(["mount", "--bind", self.machine_id, "/etc/machine-id"], check=True)
        supervision.install_real("links", "namespaces")

    def start(self, **environment):
        variables = {"ANCHORD_MODE": "attach-host", "ANCHORD_PARENT": "eth0", "ANCHORD_METRICS_ADDR": None, "DOCKER_HOST": None,
                     "ANCHORD_LOG_LEVEL": "DEBUG", **environment}
        return self.supervision.start(wrap=("nsenter", f"--net=/proc/{os.getpid()}/fd/{self.host.descriptor}"), **variables)

    def start_ready(self, **environment):
        process = self.start(**environment)
        process.wait_for(msg="anchord ready")
        return process

    @staticmethod
    def pid_of(process, worker):
        return process.find(msg="worker started", name=worker)[-1]["pid"]

    def close(self):
        self.supervision.close()
        subprocess.run(["umount", "/etc/machine-id"], check=True)
        subprocess.run(["umount", PLACE], check=True)
