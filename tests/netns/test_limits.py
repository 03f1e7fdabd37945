"""Limits that only running programs can reach, each at the limit and one past it: what is beyond is left out, and the
rest works as before. The pure ones are with their unit tests.
"""

import contextlib
import fcntl
import json
import os
import struct
import termios
import urllib.parse

import pytest

import exporter_lab
import messages
import watcher_lab
from fake_docker import container
from netadmin_lab import LAN4, ONE4, outcome
from netadmin_lab import wait_until as await_condition
from service_anchor_lab import ANCHOR4, ServiceAnchorLab

LINKS_MAX = 80
FILTER_IDS_MAX = 64
DNS_ADDRESSES_MAX = 16
CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS = 32, 16


@pytest.mark.parametrize("beyond", (0, 1))
def test_more_links_than_are_reported(lab, beyond):
    """LINKS_MAX: the interfaces that Docker made first are found whatever comes behind them."""
    present = len(lab.anchor.run("ip", "-oneline", "link", "show").splitlines()) - 1  # without lo
    names = [f"more{number}" for number in range(LINKS_MAX + beyond - present)]
    lab.anchor.run("ip", "-batch", "-", input="".join(f"link add {name} type bridge\n" for name in names))
    netadmin = lab.start()
    assert len(netadmin.links) == LINKS_MAX
    assert {"ext0", "shared0", *names[:len(names) - beyond]} <= set(netadmin.links)
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"


def asked(path):
    """The IDs that a request for containers names."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
    return json.loads(query.get("filters", ["{}"])[0]).get("id", [])


def unread(stream):
    """The bytes in a unix socket that its peer has not taken yet (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)))[0]


@pytest.mark.parametrize("count, questions", ((FILTER_IDS_MAX, [64]), (FILTER_IDS_MAX + 1, [64, 1])))
def test_more_events_than_one_request_may_name(build, count, questions):
    """DOCKER_FILTER_IDS_MAX, DISC-1: those that come while a request is under way are asked for together."""
    with contextlib.closing(watcher_lab.WatcherLab(build, f"anchord-limits-{os.getpid()}")) as lab:
        docker = lab.start_docker()
        watcher = lab.start()
        watcher.state({})
        held = []
        docker.misbehave = {"/containers/json": held.append}
        docker.start(container(1, "tcp/1"))
        await_condition(lambda: held, "the request that is not answered yet")
        for number in range(2, count + 2):
            docker.start(container(number, f"tcp/{number}"))
        await_condition(lambda: all(unread(stream) == 0 for stream in docker.streams), "the events to be read")
        watcher.supervisor.send(messages.message(messages.PING, generation=1))
        watcher.from_supervisor_channel(messages.PONG)
        docker.misbehave = {}
        before = len(docker.requests)
        held[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
        watcher.state({("tcp", number, number): (f"172.30.{number // 250}.{number % 250 + 3}", number)
                       for number in range(2, count + 2)} | {("tcp", 1, 1): ("172.30.0.4", 1)})
        fresh = [set(asked(path)) for path in docker.requests[before:]]
        assert [len(identities) for identities in fresh[:len(questions)]] == questions
        assert max(map(len, fresh)) <= FILTER_IDS_MAX


@pytest.mark.parametrize("place, is_used", ((DNS_ADDRESSES_MAX, True), (DNS_ADDRESSES_MAX + 1, False)))
def test_more_addresses_than_an_answer_may_have(supervision, place, is_used):
    """DNS_ADDRESSES_MAX, SA-1: a gateway that stands behind that many others is not seen."""
    lab = ServiceAnchorLab(supervision)
    with contextlib.ExitStack() as stack:
        stack.callback(lab.close)
        stack.callback(supervision.close)  # the programs before their namespaces
        lab.dns.names["anchord"] = [f"10.9.9.{number}" for number in range(1, place)] + [ANCHOR4]
        process = lab.start()
        if is_used:
            lab.wait_installed(ANCHOR4)
        else:
            process.wait_for(msg="unreachable: no gateway, nothing leaves", reason="the gateway is not on link")
            seen = lab.dns.questions
            await_condition(lambda: lab.dns.questions > seen + 2, "another look-up", 10)
            assert not lab.installed(ANCHOR4)


def test_more_clients_than_the_exporter_serves(supervision):
    """SERVER_CONNECTIONS_MAX: as many as it serves are connected at once; one more waits until there is room."""
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with contextlib.closing(exporter_lab.Anchord(supervision)) as anchord, contextlib.ExitStack() as stack:
        anchord.start()
        anchord.await_exporter()
        sources = [f"127.0.0.{2 + number // CONNECTIONS_PER_ADDRESS}" for number in range(CONNECTIONS_MAX)]
        clients = [stack.enter_context(anchord.anchor.connect(source=source)) for source in sources]
        for client in clients:
            client.sendall(request[:-2])
        waiting = stack.enter_context(anchord.anchor.connect(source="127.0.0.9"))
        waiting.sendall(request)
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(15)
        clients[0].sendall(request[-2:])
        assert exporter_lab.read_all(clients[0]).startswith(b"HTTP/1.1 200")
        assert exporter_lab.read_all(waiting).startswith(b"HTTP/1.1 200")
        for client in clients[1:]:
            client.sendall(request[-2:])
            assert exporter_lab.read_all(client).startswith(b"HTTP/1.1 200")
