"""Who may come in (GUEST-1, GUEST-2, GUEST-3), on an engine: labels of containers, and `anchord ban` by `docker exec`.

One running project; lanhost1 is whom lists and bans are about, lanhost2 is somebody else on the same LAN.
"""

import contextlib
import os
import selectors
import signal
import socket
import threading

import pytest

from direct import ANCHOR, DOCKER_SOCKET, FAMILIES, service
from lab.machine import wait_until

PROTOCOLS = ("tcp", "udp")
TALK, LIMITED, RANGE = 9000, 2222, (8000, 8005, 8010)
SILENCE = 0.4


def listed(sources):
    """anchord.allow: lanhost2 has the range in any case."""
    return f"tcp/80 from {sources}, udp/443 from {sources}, tcp/{RANGE[0]}-{RANGE[-1]} from 10.99.0.12 fd99::12"


@pytest.fixture(scope="module")
def house(shared_direct):
    """What the bans are kept in is a volume that Docker names itself."""
    project = shared_direct({
        "open": service("open", tcp="25", expose=f"tcp/25,tcp/{TALK},udp/{TALK}"),
        "listed": service("listed", tcp=f"8080,{RANGE[0]}-{RANGE[-1]}", udp="8443",
                          expose=f"tcp/80:8080,udp/443:8443,tcp/{RANGE[0]}-{RANGE[-1]}",
                          labels={"anchord.allow": listed("10.99.0.8/30 fd99::11")}),
        "limited": service("limited", tcp=f"{LIMITED},2223", udp=str(LIMITED), expose=f"tcp/{LIMITED}-2223,udp/{LIMITED}",
                           labels={"anchord.limit": ",".join(f"{proto}/{LIMITED} 1/minute per source burst 3"
                                                             for proto in PROTOCOLS)}),
    }, anchor={"volumes": [DOCKER_SOCKET, "/var/lib/anchord"]}).up()
    for family in FAMILIES:
        for proto, port, name in (("tcp", 25, "open"), ("tcp", 2223, "limited"), ("tcp", 80, "listed"), ("udp", 443, "listed")):
            project.wait_answer(proto, port, name, family=family, deadline=20)
    return project


def answer(house, client, proto, port, family):
    """The service's name, or refused, timeout …"""
    return client.probe(proto, house.at(family), port, timeout=1).split()[0]


def test_guest1_only_who_is_on_the_list_comes_in(house):
    """A network, an address and a range of ports; the others get a closed port's answer, and the project's own containers
    and the anchor are exempt."""
    inside, outside = house.lab.lanhost1, house.lab.lanhost2
    for family in FAMILIES:
        for proto, port in (("tcp", 80), ("udp", 443)):
            assert answer(house, inside, proto, port, family) == "listed"
            assert answer(house, outside, proto, port, family) == "refused"
        for port in RANGE:
            assert answer(house, outside, "tcp", port, family) == "listed"
            assert answer(house, inside, "tcp", port, family) == "refused"
        assert answer(house, outside, "tcp", 25, family) == "open"
        for name in ("open", "listed", ANCHOR):
            for proto, port in (("tcp", 80), ("udp", 443), ("tcp", RANGE[0])):
                assert house.probe(name, proto, house.at(family), port).split()[0] == "listed", (name, proto, port)


def test_guest1_a_tightened_list_ends_what_is_open(house):
    """The container is recreated with another label: who is not on its list any more is out, with the flow that was open, and
    who is on it is not, though the datagrams of both go on."""
    leaves, stays = house.lab.lanhost1, house.lab.lanhost2
    before = house.inner("listed")
    with contextlib.ExitStack() as stack:
        with house.edited() as definition:
            definition["services"]["listed"]["labels"]["anchord.allow"] = listed("10.99.0.8/29 fd99::10/124")
        house.recreate("listed")
        pingers = {}
        for family in FAMILIES:
            for client in (leaves, stays):
                house.wait_answer("udp", 443, "listed", client=client, family=family)
                pingers[client, family] = stack.enter_context(client.udp_pinger(house.at(family), 443))
        for pinger in pingers.values():
            wait_until(pinger.last_reply, 5, "an answer")
        connections = {client: stack.enter_context(client.connect(house.at(4), 80)) for client in (leaves, stays)}
        with house.edited() as definition:
            definition["services"]["listed"]["labels"]["anchord.allow"] = listed("10.99.0.12 fd99::12")
        house.recreate("listed")
        for family in FAMILIES:
            house.wait_answer("udp", 443, "listed", client=stays, family=family)
        assert house.inner("listed") == before  # the same flow would go on
        for (client, family), pinger in pingers.items():
            since = pinger.sent
            wait_until(lambda pinger=pinger, since=since: pinger.sent > since + 50, 10, "more datagrams")
            later = [sequence for sequence, _, _ in list(pinger.replies) if sequence >= since]
            assert bool(later) == (client is stays), (client.addresses, family)
        for connection in connections.values():
            assert not connection.alive()  # its container is gone, too
        for family in FAMILIES:
            assert answer(house, leaves, "tcp", 80, family) == "refused"
            assert answer(house, stays, "tcp", 80, family) == "listed"


@pytest.mark.parametrize("label", ("anchord.allow", "anchord.limit"))
def test_guest1_guest3_malformed_is_not_exposed_and_said(house, label):
    with house.extra_container("odd", tcp="7200", expose="tcp/7200", labels={label: "tcp/7200 10.0.0.0/8"}) as odd, \
            house.extra_container("next", tcp="7201", expose="tcp/7201"):
        house.wait_answer("tcp", 7201, "next")
        for family in FAMILIES:
            assert answer(house, house.client, "tcp", 7200, family) == "refused"
        said = wait_until(lambda: [line for line in house.exec(ANCHOR, "anchord", "status").stdout.splitlines()
                                   if odd in line and label in line], 5, "the problem in anchord status")
        assert "position" in said[0], said


@pytest.mark.parametrize("proto", PROTOCOLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_guest3_each_source_has_its_count(house, proto, family):
    """A UDP flow counts, not its datagrams; another source, which in IPv6 is another /64, has a count of its own."""
    first = [answer(house, house.lab.lanhost1, proto, LIMITED, family) for _ in range(5)]
    assert first == ["limited"] * 3 + ["refused"] * 2
    others = "refused" if family == 6 else "limited"  # both hosts are in one /64
    assert answer(house, house.lab.lanhost2, proto, LIMITED, family) == others
    assert house.probe("open", proto, house.at(family), LIMITED).split()[0] == "limited"


# --- bans -------------------------------------------------------------------------------------------------------------


class Chatterbox:
    """A backend in a container's namespace that goes on sending to whoever it has heard of, and remembers what it heard."""

    def __init__(self, namespace):
        self.heard = []
        self._stop = threading.Event()
        self._peers = {}  # what sends to it -> its socket
        self._selector = selectors.DefaultSelector()
        with namespace:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for kinds in (socket.AF_INET, socket.AF_INET6):
                    self._listen(socket.socket(kinds, kind))
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _listen(self, listener):
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", TALK))
        if listener.type == socket.SOCK_STREAM:
            listener.listen()
        self._selector.register(listener, selectors.EVENT_READ, listener.type == socket.SOCK_STREAM)

    def _work(self):
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.02):
                self._hear(key.fileobj, key.data)
            for send in self._peers.values():
                with contextlib.suppress(BlockingIOError, ConnectionError):  # the client goes before we do
                    send(b"and more\n")

    def _hear(self, ready, accepts):
        if accepts:
            connection, _ = ready.accept()
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, False)
            self._peers[connection] = connection.send
            return
        try:
            data, peer = ready.recvfrom(1000)
        except ConnectionError:
            self._selector.unregister(ready)
            return
        self.heard.append(data)
        if ready.type == socket.SOCK_DGRAM:
            self._peers[ready, peer] = lambda data: ready.sendto(data, peer)

    def close(self):
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


def open_flow(house, proto, family):
    with house.client:
        flow = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6,
                             socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    flow.settimeout(5)
    flow.connect((house.at(family), TALK))
    flow.send(b"here\n")
    return flow


def is_silent(flow):
    """Once what had been on its way is read."""
    flow.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while flow.recv(65536):
            pass
    flow.settimeout(SILENCE)
    try:
        return not flow.recv(100)
    except TimeoutError:
        return True


def hears_again(flow):
    """TCP sends again ever more seldom."""
    flow.settimeout(30)
    return flow.recv(100).startswith(b"and more")


def ban(house, *words):
    return house.exec(ANCHOR, "anchord", "ban", *words)


BANNED = "10.99.0.11", "fd99::11/128"  # alone of its /64, in which the project is


@pytest.fixture
def nobody_banned(house):
    yield
    ban(house, "flush")


def test_guest2_a_banned_clients_open_flows_end_in_both_directions(house, nobody_banned):
    """Although the backend goes on sending. Unbanned, they go on."""
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(contextlib.closing(Chatterbox(house.namespace("open"))))
        flows = [stack.enter_context(open_flow(house, proto, family)) for proto in PROTOCOLS for family in FAMILIES]
        for flow in flows:
            assert flow.recv(100).startswith(b"and more")
        ban(house, "add", *BANNED, "--reason", "end to end")
        for flow in flows:
            flow.send(b"from a banned one\n")
        for flow in flows:
            assert is_silent(flow)
        assert b"banned" not in b"".join(backend.heard)
        for family in FAMILIES:
            assert house.client.probe("tcp", house.at(family), 25, timeout=SILENCE) == "timeout"
            assert answer(house, house.lab.lanhost2, "tcp", 25, family) == "open"
        listing = ban(house, "list").stdout
        assert all(place in listing for place in BANNED) and "end to end" in listing
        ban(house, "del", *BANNED)
        for flow in flows:
            assert hears_again(flow)


def test_guest2_bans_survive_each_process_and_a_restart_of_the_container(house, nobody_banned):
    """Never in the while is the client heard."""
    ban(house, "add", *BANNED)

    def still_banned():
        return all(house.lab.lanhost1.probe("tcp", house.at(family), 25, timeout=SILENCE) in ("timeout", "unreachable")
                   for family in FAMILIES)

    for name in ("anchord-netadmin", "anchord-bans"):
        before = house.processes()[name]
        os.kill(before, signal.SIGKILL)
        assert still_banned()
        wait_until(lambda name=name, before=before: house.processes().get(name) not in (None, before), 10, f"a new {name}")
        wait_until(lambda: answer(house, house.lab.lanhost2, "tcp", 25, 4) == "open", 10, "an answer to somebody else")
        assert still_banned()
        assert BANNED[0] in ban(house, "list").stdout
    house.lab.docker("restart", house.container(ANCHOR))
    for family in FAMILIES:
        house.wait_answer("tcp", 25, "open", client=house.lab.lanhost2, family=family, deadline=20)
    assert still_banned()
    assert BANNED[1] in ban(house, "list").stdout
    ban(house, "flush")
    for family in FAMILIES:
        house.wait_answer("tcp", 25, "open", family=family)
