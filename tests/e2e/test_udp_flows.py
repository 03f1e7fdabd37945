"""UDP flows that never pause (NAT-4): 100 datagrams a second from one source port, while their backend comes, moves and
goes, beside others on the same port number that must not lose a single datagram.

Two projects, so that the same port number is another machine's, too.
"""

import contextlib
import datetime
import itertools
import json
import re
import time

import pytest

from direct import ANCHOR, FAMILIES, service
from lab.machine import wait_until

RATE, PORT = 100, 5000
LIMIT_SECONDS = 1
_source_ports = itertools.count(26000)  # below the ephemeral ones, which may be taken


@pytest.fixture(scope="module")
def projects(shared_direct):
    """The one whose udp/5000 changes, with tcp/5000 of another service, and one whose udp/5000 stays."""
    changing = shared_direct({"stream": service("stream", tcp=str(PORT), expose=f"tcp/{PORT}")}).up()
    steady = shared_direct({"steady": service("steady", udp=str(PORT), expose=f"udp/{PORT}")}).up()
    for family in FAMILIES:
        changing.wait_answer("tcp", PORT, "stream", family=family, deadline=20)
        steady.wait_answer("udp", PORT, "steady", family=family, deadline=20)
    return changing, steady


def monotonic(wall_clock):
    return wall_clock - time.time() + time.monotonic()


def event_moment(project, container, action):
    """When, as time.monotonic(), Docker says that this last happened to the container."""
    text = project.lab.engine.api_text("GET", f"/events?since={int(time.time()) - 60}&until={time.time():.6f}")
    events = [json.loads(line) for line in text.splitlines()]
    # The events of a network name the container as an attribute.
    return monotonic(max(event["timeNano"] for event in events if event["Action"] == action and container in (
        event["Actor"]["ID"], event["Actor"]["Attributes"].get("container"))) / 1e9)


def ready_moment(project, name):
    """When, as time.monotonic(), the service of a container said that it listens."""
    def line():
        logged = project.lab.docker("logs", "--timestamps", name).stdout
        return re.search(r"^(\S{26})\S*Z \S+ ready$", logged, re.M)
    stamp = datetime.datetime.fromisoformat(wait_until(line, 10, f"{name} is ready").group(1))
    return monotonic(stamp.replace(tzinfo=datetime.timezone.utc).timestamp())


class Flow:
    """Datagrams from one source port, which show each change of their backend within the limit."""

    def __init__(self, pinger, figure):
        self.pinger, self.figure = pinger, figure

    def step(self, what, seconds):
        self.figure(f"{what}: {seconds * 1000:.0f} ms")
        assert seconds < LIMIT_SECONDS, what

    def wait_only(self, name, since, what):
        """Wait until `name` answers, after `since`; from then on nobody else does."""
        first = wait_until(lambda: next((reply for reply in self.pinger.replies_since(since)
                                         if reply[2].startswith(f"{name} ")), None), 10, f"{name} answers after {what}")
        self.step(what, first[1] - since)
        seen = first[0] + RATE // 2
        wait_until(lambda: self.pinger.replies[-1][0] >= seen, 10, f"half a second more of {name}")
        assert {line.split()[0] for sequence, _, line in list(self.pinger.replies) if sequence >= first[0]} == {name}

    def wait_refused(self, since, what):
        """Wait until the client is refused, after `since`; from then on no answer comes any more."""
        error = wait_until(lambda: next((error for error in list(self.pinger.errors) if error[0] >= since), None), 10,
                           f"a refusal after {what}")
        self.step(what, error[0] - since)
        before = len(self.pinger.errors)
        wait_until(lambda: len(self.pinger.errors) > before, 10, "another refusal")
        assert {word for moment, word in list(self.pinger.errors) if moment >= since} == {"refused"}
        assert self.pinger.replies_since(error[0]) == []


def untouched(project, pinger, family, flow_id):
    """Every datagram was answered, by the same conntrack entry."""
    sent = pinger.sent
    wait_until(lambda: pinger.replies and pinger.replies[-1][0] >= sent, 5, "an answer to the latest datagram")
    answered = {sequence for sequence, _, _ in list(pinger.replies)}
    assert set(range(sent)) <= answered, f"lost: {sorted(set(range(sent)) - answered)}"
    assert pinger.errors == [] and {line.split()[0] for _, _, line in list(pinger.replies)} == {"steady"}
    assert conntrack_id(project, pinger, family) == flow_id


def conntrack_id(project, pinger, family):
    line, = project.flows("-p", "udp", "--orig-port-src", pinger.source_port, family=family)
    return re.search(r"id=(\d+)", line).group(1)


def has_conflict(project):
    return bool(json.loads(project.exec(ANCHOR, "anchord", "status", "--json").stdout)["conflicts"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_flow_follows_its_backend_and_its_neighbours_lose_nothing(projects, figure, family):
    """NAT-4, NAT-6: added; moved to another container and port; moved to another address; removed."""
    (changing, steady), source_port = projects, next(_source_ports)
    network = f"{changing.name}_transit"
    with contextlib.ExitStack() as stack:
        start = lambda project: stack.enter_context(project.client.udp_pinger(  # noqa: E731
            project.at(family), PORT, source_port=source_port, rate=RATE))
        neighbour, stream = start(steady), stack.enter_context(changing.client.connect(changing.at(family), PORT))
        flow = Flow(start(changing), figure)
        wait_until(lambda: neighbour.replies and flow.pinger.errors, 5, "the neighbour's answer and a refusal")
        neighbour_id = conntrack_id(steady, neighbour, family)

        first = stack.enter_context(changing.extra_container("first", udp=str(PORT), expose=f"udp/{PORT}"))
        flow.wait_only("first", ready_moment(changing, first), "added")

        second = stack.enter_context(changing.extra_container("second", udp="5999", expose=f"udp/{PORT}:5999"))
        wait_until(lambda: has_conflict(changing), 10, "the refusal of the second one")
        ready_moment(changing, second)
        first_id, second_id = (changing.lab.engine.inspect(name)["Id"] for name in (first, second))
        changing.lab.docker("rm", "--force", first)
        flow.wait_only("second", event_moment(changing, first_id, "die"), "moved to another container and port")

        changing.lab.docker("network", "disconnect", network, second)
        flow.wait_refused(event_moment(changing, second_id, "disconnect"), "its backend left the network")
        new = (changing.gateways[0][:-1] + "77", changing.gateways[1][:-1] + "77")
        changing.lab.docker("network", "connect", "--ip", new[0], "--ip6", new[1], network, second)
        flow.wait_only("second", event_moment(changing, second_id, "connect"), "moved to another address")
        assert changing.elements(family, "udp") == {PORT: f"{new[FAMILIES.index(family)]} 5999"}

        changing.lab.docker("rm", "--force", second)
        flow.wait_refused(event_moment(changing, second_id, "die"), "removed")
        assert not changing.flows("-p", "udp", "--orig-port-src", source_port, family=family)
        untouched(steady, neighbour, family, neighbour_id)
        assert stream.alive()
