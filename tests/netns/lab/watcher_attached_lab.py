"""anchord-watcher of an attached project under test: the test is also links and namespaces of the host half.

Docker is fake_docker; containers come and go in the order in which an engine tells of it: `create`, then `connect` of each
network while Docker does not call them running yet, then `start`.
"""

import contextlib
import socket
import struct
import time

import fake_docker
import messages
import watcher_lab
from fake_docker import container_id, endpoint, network
from worker_process import DEADLINE, Connection

LABELS, PUBLISHED = 1, 2
MAIL_ID, OUTSIDE_ID, CLOSED_ID, LAN_ID, HOST_ID = "1" * 64, "2" * 64, "3" * 64, "4" * 64, "5" * 64
BRIDGE = struct.Struct("=72s128s16sI")
GUARDED = struct.Struct("=B3x16sI")
PARENT = "192.0.2.5"


def owned(identity, name, *subnets, **more):
    """A network with the project's label."""
    made = network(identity, name, "bridge", *({"Subnet": subnet} for subnet in subnets))
    return made | {"Labels": {"com.docker.compose.project": "mail"}} | more


def port(public, private, address="0.0.0.0", kind="tcp"):
    return {"IP": address, "PrivatePort": private, "PublicPort": public, "Type": kind}


def on_both(public, private, kind="tcp"):
    """As Docker tells of `ports: ["PUBLIC:PRIVATE"]`."""
    return [port(public, private, kind=kind), port(public, private, "::", kind)]


def member(number, ports=(), networks=None, mode="mail_default", expose=None, project="mail", **more):
    """A container of the project, without a label of ours unless `expose`. `networks`: name -> endpoint."""
    if networks is None:
        networks = {"mail_default": endpoint(MAIL_ID, f"172.20.0.{number + 1}", address6=f"fd20::{number + 1}")}
    return {"Id": container_id(number), "Names": [f"/mail-{number}"], "Created": 1_700_000_000 + number, "State": "running",
            "Status": "Up 3 seconds", "Ports": list(ports), "HostConfig": {"NetworkMode": mode},
            "Labels": {"com.docker.compose.project": project} | ({"anchord.expose": expose} if expose is not None else {}),
            "NetworkSettings": {"Networks": networks}} | more


class HostHalf:
    """What the test receives as links and as namespaces."""

    def __init__(self, watcher):
        self.watcher = watcher
        self.links = self.link(messages.PEER_LINKS)
        self.namespaces = self.link(messages.PEER_NAMESPACES)

    def link(self, peer):
        made = Connection()
        socket.send_fds(self.watcher.supervisor.own, [messages.link(peer)], [made.given.fileno()])
        made.given.close()
        return made

    def link_again(self):
        for connection in (self.links, self.namespaces):
            connection.own.close()
        self.links = self.link(messages.PEER_LINKS)
        self.namespaces = self.link(messages.PEER_NAMESPACES)

    def next_networks(self, deadline=DEADLINE):
        """({name: (bridge, is owned)}, {(address, name of its network)}) of the next state."""
        end = time.monotonic() + deadline
        kind, generation, body = self.links.receive(end)
        assert kind == messages.GUARDED
        count, _ = struct.unpack_from("=2I", body)
        guarded = [GUARDED.unpack_from(body, 8 + place * GUARDED.size) for place in range(count)]
        assert not any(body[8 + count * GUARDED.size:])
        kind, bridges_generation, body = self.links.receive(end)
        assert (kind, bridges_generation) == (messages.BRIDGES, generation)
        self.generation = generation
        count, _ = struct.unpack_from("=2I", body)
        items = [BRIDGE.unpack_from(body, 8 + place * BRIDGE.size) for place in range(count)]
        assert not any(body[8 + count * BRIDGE.size:])
        self.ids = {item[1].rstrip(b"\0").decode(): item[0].rstrip(b"\0").decode() for item in items}
        names = list(self.ids)
        return ({item[1].rstrip(b"\0").decode(): (item[2].rstrip(b"\0").decode(), bool(item[3])) for item in items},
                {(socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, address[:4] if family == 4 else address),
                  names[bridge]) for family, address, bridge in guarded})

    def networks(self, bridges, guarded=(), deadline=DEADLINE):
        """Waits for this state."""
        end = time.monotonic() + deadline
        seen = None
        while seen != (bridges, set(guarded)):
            try:
                seen = self.next_networks(end - time.monotonic())
            except TimeoutError:
                raise AssertionError(f"last state {seen}") from None

    def answer_link(self, name, error=0, reason=""):
        self.links.send(messages.message(messages.LINK_ANSWER, struct.pack(
            "=72s16siI160s", self.ids[name].encode(), b"" if error else b"ancin0", error, 0, reason.encode()), self.generation))

    def next_of_namespaces(self, deadline=DEADLINE):
        """(kind, container's number), of COMMIT (kind, None)."""
        kind, generation, body = self.namespaces.receive(time.monotonic() + deadline)
        if kind == messages.NAMESPACES_COMMIT:
            return kind, None
        if kind == messages.NAMESPACE_WANTED:
            self.asked = generation
        identity, pid, _ = struct.unpack("=72s2I", body)
        assert pid == 0
        return kind, int(identity.rstrip(b"\0"), 16)

    def answer(self, number, error=0, reason=""):
        """To the question that was received last."""
        self.namespaces.send(messages.message(messages.NAMESPACE_ANSWER, struct.pack(
            "=72sQIi160s", container_id(number).encode(), 0 if error else 4711, 0, error, reason.encode()), self.asked))

    def wanted(self, number):
        """The next question is about this container."""
        assert self.next_of_namespaces() == (messages.NAMESPACE_WANTED, number)

    def serves(self, number):
        """The next question is about this container, and is answered; two hints may bring two."""
        self.wanted(number)
        with contextlib.suppress(TimeoutError):
            while True:
                self.answer(number)
                assert self.next_of_namespaces(0.2) == (messages.NAMESPACE_WANTED, number)

    def left(self, number):
        assert self.next_of_namespaces() == (messages.NAMESPACE_LEFT, number)

    def committed(self):
        assert self.next_of_namespaces() == (messages.NAMESPACES_COMMIT, None)

    def is_silent(self):
        """Nothing is on its way to namespaces."""
        try:
            raise AssertionError(self.next_of_namespaces(0.2))
        except TimeoutError:
            return True


def host_addresses(*addresses):
    """HOST_ADDRESSES of those on the parent."""
    items = b"".join(messages.address(text) + struct.pack("=B3x", 1) for text in addresses)
    return messages.message(messages.HOST_ADDRESSES,
                            struct.pack("=I6s6x", len(addresses), bytes(6)) + items.ljust(64 * 24, b"\0"))


class Lab(watcher_lab.WatcherLab):
    def start_docker(self):
        """One with a project's network, a shared one, an internal one and a macvlan; nobody is there."""
        docker = super().start_docker()
        docker.containers.clear()
        docker.networks = {made["Id"]: made for made in (
            owned(MAIL_ID, "mail_default", "172.20.0.0/16", "fd20::/64"),
            network(OUTSIDE_ID, "proxy", "bridge", {"Subnet": "172.21.0.0/16"}),
            owned(CLOSED_ID, "mail_closed", "172.22.0.0/16", Internal=True),
            network(LAN_ID, "lan", "macvlan", {"Subnet": "192.0.2.0/24"}))}
        docker.networks[OUTSIDE_ID]["Options"] = {"com.docker.network.bridge.name": "proxy0"}
        return docker

    def start_attached(self, expose_from=LABELS | PUBLISHED, **configuration):
        watcher = self.start(external="", expose_from=expose_from, link=False, **configuration)
        watcher.link(link_items=[watcher_lab.link_item(2, "ancext", fake_docker.EXTERNAL_MAC)])
        return watcher, HostHalf(watcher)


def create(docker, record):
    """`docker create`: it does not run."""
    docker.put(record | {"State": "created"})
    docker.event("container", "create", record)


def begin(docker, record):
    """What an engine tells of a container that starts, up to its `start`."""
    create(docker, record)
    docker.tell_endpoints("connect", record)


def finish(docker, record):
    docker.put(record)
    docker.event("container", "start", record)


def remove_network(docker, identity):
    with docker.lock:
        gone = docker.networks.pop(identity)
    docker.send_event({"Type": "network", "Action": "destroy", "time": int(time.time()), "timeNano": time.time_ns(),
                       "Actor": {"ID": identity, "Attributes": {"name": gone["Name"], "type": gone["Driver"]}}})


def parent_addresses(watcher, *addresses):
    watcher.supervisor.send(host_addresses(*addresses))
