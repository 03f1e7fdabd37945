"""Several namespaces at once, each a pair of sockets that anchord-way was handed, none of them the one that it runs in
(DESIGN §1)."""

import contextlib
import socket
import struct

import pytest

import messages
from netadmin_lab import DEADLINE, Namespace, wait_until
from service_anchor_lab import REPAIR_SECONDS, RULES, TABLE, UNREACHABLE, default
from way_lab import LINKS_PRESENT, ROUTE_INSTALLED, Way

REQUESTS, MONITOR = 1, 2
ROUTE_INSTALLED, LINKS_PRESENT = 1 << 3, 1 << 4
GATEWAY = "172.30.0.2"
FIRST, SECOND, LAST = 0, 1, 255


class Served(Namespace):
    """A container's: one interface towards the gateway."""

    def __init__(self, address):
        super().__init__()
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "bridge")
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        for name in ("bridge", "eth0"):
            self.run("ip", "link", "set", name, "up")

    def lines(self, *command):
        return [" ".join(line.split()) for line in self.run("ip", *command, check=False).splitlines()]

    def ours(self):
        rules = [line for line in self.lines("-4", "rule") if not line.startswith(("0:", "32766:", "32767:"))]
        return rules, self.lines("-4", "route", "show", "table", TABLE)

    def has_way(self):
        return self.ours() == (RULES, [default(GATEWAY), UNREACHABLE[4]])


@pytest.fixture
def namespaces():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(made)) for made in
               (Namespace(), Served("172.30.0.5"), Served("172.30.0.6"), Served("172.30.0.7"))]


@pytest.fixture
def way(build, namespaces):
    made = Way(build / "workers/way/anchord-way", namespaces[0], GATEWAY)
    yield made
    if made.status is None:
        made.kill()


def test_each_namespace_gets_and_keeps_a_way_of_its_own(way, namespaces):
    own, first, second, third = namespaces
    way.serve(FIRST, first)
    way.wait_ready(ROUTE_INSTALLED | LINKS_PRESENT)
    assert first.has_way() and second.ours() == ([], [])
    way.serve(SECOND, second)
    way.serve(LAST, third)
    assert first.has_way() and second.has_way() and third.has_way()
    assert own.run("ip", "rule").count("proto") == 0  # where it runs nothing is of it

    # What is lost in one is put back there alone.
    second.run("ip", "route", "flush", "table", TABLE)
    second.run("ip", "rule", "del", "priority", "32765")
    wait_until(second.has_way, "the way of the second is back", REPAIR_SECONDS)
    third.run("ip", "link", "set", "eth0", "down")
    wait_until(lambda: third.ours()[1] == [UNREACHABLE[4]], "nothing leaves the third", DEADLINE)
    assert first.has_way() and second.has_way()
    third.run("ip", "link", "set", "eth0", "up")
    wait_until(third.has_way, "the way of the third is back", DEADLINE)

    way.send(messages.message(messages.STOP, struct.pack("=2I", messages.STOP_TEAR_DOWN, 0)))
    assert way.wait() == 0
    assert [served.ours() for served in (first, second, third)] == [([], [])] * 3


def test_new_sockets_take_the_place_of_a_numbers_old_ones(way, namespaces):
    """A container that was started again has another namespace; what stands in the old one goes with it."""
    _, first, second, third = namespaces
    way.serve(FIRST, first)
    way.serve(SECOND, second)
    way.serve(FIRST, third)
    assert third.has_way() and second.has_way()
    first.run("ip", "route", "flush", "table", TABLE)
    second.run("ip", "route", "flush", "table", TABLE)
    wait_until(second.has_way, "the other number goes on", REPAIR_SECONDS)
    assert first.ours()[1] == []


def test_one_namespace_without_a_way_is_not_ready(way, namespaces):
    """Ready is who has all of its ways."""
    _, first, second, _ = namespaces
    way.serve(FIRST, first)
    way.wait_ready(ROUTE_INSTALLED | LINKS_PRESENT)
    second.run("ip", "address", "flush", "dev", "eth0")
    way.serve(SECOND, second)
    assert way.readiness == LINKS_PRESENT
    second.run("ip", "address", "add", "172.30.0.6/24", "dev", "eth0")
    way.wait_ready(ROUTE_INSTALLED)
    assert second.has_way()
