"""Updates of a network-anchor under a holder (KEEP-1, KEEP-2, KEEP-4): nothing of what is open is lost.

One project, in which everything is done to the network-anchor that a person or a restart policy does.
"""

import pytest

from direct import ANCHOR, FAMILIES
from held import (HOLD, PORT, flows, identity, mail, put_under_a_holder, wait_answering, wait_successor)
from lab.machine import run, wait_until
from lab.streams import assert_nothing_lost

pytestmark = [pytest.mark.every_engine, pytest.mark.not_on("podman", "no pod of its own there")]
TIMES = 2


@pytest.fixture(scope="module")
def held(shared_direct):
    return wait_answering(put_under_a_holder(shared_direct(mail())).up())


def kill_the_container(project):
    run(["kill", "-KILL", str(project.inspect(ANCHOR)["State"]["Pid"])])


UPDATES = {
    "force-recreate": lambda project: project.up("--force-recreate", "--no-deps", ANCHOR),
    "docker restart": lambda project: project.lab.docker("restart", project.container(ANCHOR)),
    "docker kill": lambda project: (project.compose("kill", ANCHOR), project.compose("start", ANCHOR)),
    "kill -9 of the container": kill_the_container,
}


@pytest.mark.parametrize("update", UPDATES)
def test_keep2_an_update_loses_nothing(lab, held, figure, update):
    """TCP with a byte each 10 ms, UDP at 100/s; inbound, egress, hairpin; IPv4 and IPv6."""
    holder = held.container(HOLD)
    with flows(held, lab.outside.addresses) as found:
        for _ in range(TIMES):
            before = identity(held)
            UPDATES[update](held)
            wait_successor(held, before)
    longest = max(map(assert_nothing_lost, found))
    figure(f"{update}, {TIMES} times: nothing lost of {sum(entry['sent'] for one in found for entry in one.values())}, "
           f"longest time without an answer {longest * 1000:.0f} ms")
    assert held.container(HOLD) == holder
