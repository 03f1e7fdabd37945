"""Updates across versions (KEEP-1): a whole anchor of an earlier commit, built for this, is adopted by today's, and one that is
older than the tables refuses before it touches anything. Programs, lease and network are real; Docker is fake_docker."""

import collections
import contextlib

import pytest

import predecessor
from leased_anchor import LeasedAnchor
from lab.streams import assert_nothing_lost, streaming
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, outcome
from newcomers import served_by_a_process
from supervision import wait_until
from table_layout import LAYOUT, raise_layout
from whole_anchor import BACKEND_PORT, LATE, LATE_PORT, STEADY_PORT

OUTSIDE_PORT = 7
SETTINGS = {"ANCHORD_ON_STOP": "keep"}


@pytest.fixture(scope="module")
def older():
    return predecessor.build()


@pytest.fixture
def anchor(build):
    with contextlib.ExitStack() as stack:
        made = LeasedAnchor(build)
        stack.callback(made.close)
        stack.enter_context(served_by_a_process(made.lab.one, "steady", BACKEND_PORT))
        stack.enter_context(served_by_a_process(made.lab.client, "outside", OUTSIDE_PORT, (CLIENT4, CLIENT6)))
        made.server.start()
        yield made


@contextlib.contextmanager
def flows(anchor, address):
    """What comes in at the lease and at the IPv6 address, and what goes out. Nothing of it may be lost."""
    def targets(port, *addresses):
        return [(protocol, one, port) for protocol in ("tcp", "udp") for one in addresses]
    with (streaming(anchor.lab.client.entered(), targets(STEADY_PORT, address, LAN6)) as inbound,
          streaming(anchor.lab.one.entered(), targets(OUTSIDE_PORT, CLIENT4, CLIENT6)) as egress):
        yield
    for found in (inbound, egress):
        assert_nothing_lost(found)


def serving(anchor):
    """Ready, and nothing but the lease is left of IPv4; returns that."""
    anchor.start(**SETTINGS)
    address = anchor.leased()
    wait_until(lambda: anchor.addresses() == [address], 10)
    wait_until(lambda: outcome(anchor.lab.client, "tcp", address, STEADY_PORT, 0.3) == "steady", 10)
    # The kernel itself makes addresses usable a moment after their links came up.
    wait_until(lambda: not anchor.lab.anchor.run("ip", "address", "show", "tentative").strip(), 10)
    return address


def without_rules(tables):
    """Sets, maps and their elements, chains, each line as often as it stands there: a version may have rules and sets of its own,
    which come in the transaction of adoption, and its elements may count. A set that is made anew, for the layout that stands in it, is
    listed last."""
    return collections.Counter(line.replace(" counter", "") for line in tables.splitlines() if " comment \"" not in line)


def state(anchor):
    """All that a network-anchor leaves."""
    run = anchor.lab.anchor.run
    return [anchor.lab.ruleset(), anchor.addresses(), run("ip", "-6", "address")] + [
        run("ip", family, *words) for family in ("-4", "-6") for words in (("rule",), ("route", "show", "table", "all"))]


def test_keep1_a_predecessor_is_adopted_with_its_lease_and_its_flows(anchor, build, older):
    """Its first version that keeps, by today's: what the tables hold, routes and lease stay as they are, nothing is lost, and what
    comes later is exposed."""
    anchor.use(older)
    address = serving(anchor)
    assert anchor.process.find(msg="anchord starting (network-anchor mode)", commit=predecessor.COMMIT[:12])
    with flows(anchor, address):
        assert anchor.process.stop()[0] == 0
        before = state(anchor)
        anchor.use(build)
        anchor.start(**SETTINGS)
        after = state(anchor)
        assert not without_rules(before[0]) - without_rules(after[0]) and after[1:] == before[1:]
        assert anchor.leased() == address
        assert anchor.adopted() == [1, 1]
        anchor.docker.start(LATE)
        wait_until(lambda: outcome(anchor.lab.client, "tcp", address, LATE_PORT, 0.3) == "late", 10)
    assert anchor.server.releases() == []


@pytest.mark.parametrize("program", ("predecessor", "today's"))
def test_keep1_an_older_successor_refuses_before_it_touches_anything(anchor, build, older, program):
    """The tables say a layout that it does not know: it ends for good, and everything serves on."""
    address = serving(anchor)
    assert anchor.process.stop()[0] == 0
    raise_layout(anchor.lab)
    before = state(anchor)
    with flows(anchor, address):
        anchor.use(older if program == "predecessor" else build)
        anchor.begin()
        assert anchor.process.wait() == 1
        assert state(anchor) == before
    said, = anchor.process.find(msg="the tables are a newer anchord's, nothing was changed; start that one again, or remove them")
    assert said["operation"] == f"adopt table ip anchord_v4 of layout {LAYOUT + 1}, known up to {1 if program == 'predecessor' else LAYOUT}"
    assert len(anchor.process.find(msg="worker started", name="netadmin")) == 1
    assert anchor.server.releases() == []
