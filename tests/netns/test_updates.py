"""An orderly stop that leaves its state, and the successor that adopts it (KEEP-1): a whole anchor, stopped and started
anew in the same network namespace, under flows that are open."""

import contextlib
import re

import pytest

from lab.streams import assert_nothing_lost, streaming
from netadmin_lab import LAN4, LAN6, outcome
from newcomers import served_by_a_process
from supervision import wait_until
from whole_anchor import BACKEND_PORT, STEADY_PORT, WholeAnchor

UPDATES = 3
TARGETS = [(protocol, address, STEADY_PORT) for protocol in ("tcp", "udp") for address in (LAN4, LAN6)]


@pytest.fixture
def anchor(build):
    with contextlib.ExitStack() as stack:
        made = WholeAnchor(build)
        stack.callback(made.close)
        stack.enter_context(served_by_a_process(made.lab.one, "steady", BACKEND_PORT))
        yield made


def test_keep1_a_stop_with_keep_and_a_start_lose_nothing(anchor):
    """Tables, routes and addresses stay as they are; not a byte and not a datagram is lost."""
    anchor.start(ANCHORD_ON_STOP="keep")
    wait_until(anchor.serves_steady, 10)
    assert anchor.adopted() == [0, 0]
    with streaming(anchor.lab.client.entered(), TARGETS) as flows:
        for _ in range(UPDATES):
            before = anchor.lab.ruleset(), anchor.routes()
            assert anchor.process.stop()[0] == 0
            assert anchor.process.find(msg="signal received, shutting down", state_stays=True)
            assert (anchor.lab.ruleset(), anchor.routes()) == before
            assert outcome(anchor.lab.client, "tcp", LAN4, STEADY_PORT) == "steady"  # without any anchord
            anchor.start(ANCHORD_ON_STOP="keep")
            assert anchor.lab.ruleset() == before[0]
            assert anchor.adopted() == [1, 1]
    assert_nothing_lost(flows)


@pytest.mark.parametrize("setting", ({}, {"ANCHORD_ON_STOP": "remove"}), ids=("unset", "remove"))
def test_keep1_a_stop_removes_everything_unless_told_otherwise(anchor, setting):
    """Also what a predecessor kept."""
    anchor.start(ANCHORD_ON_STOP="keep")
    anchor.process.stop()
    anchor.start(**setting)
    assert anchor.process.stop()[0] == 0
    assert anchor.process.find(msg="signal received, shutting down", state_stays=False)
    assert not re.search("anchord", anchor.lab.ruleset())
    assert "24942" not in anchor.lab.anchor.run("ip", "rule")
