"""Two hosts beside each other on one LAN, each with its own project, both of one name, as two NASes that run the same application
(HOST-2, HOST-9).
"""

import time

import pytest

from lab.machine import wait_until
from shop import PORT, Shop


@pytest.fixture(scope="module")
def neighbour(beside_it):
    """The second one's, on the LAN."""
    made = Shop(beside_it, host=82)
    made.project.up()
    made.detach()
    made.attach()
    yield made
    made.discard()


def reaches(one, other, family):
    """A container of the one project reaches the other's, by the one's address."""
    said = one.project.probe("web", "tcp", other.addresses[family == 6], PORT, timeout=1)
    return said.split()[:2] == ["web", one.addresses[family == 6]]


def wait_reached(*pairs):
    for one, other in pairs:
        for family in (4, 6):
            wait_until(lambda one=one, other=other, family=family: reaches(one, other, family), 30, f"an answer by IPv{family}")


def test_host9_two_hosts_reach_each_others_project_and_one_loses_power(attached, neighbour, figure):
    """HOST-9, HOST-2: what the other has open goes on; and the one is back without a hand."""
    assert len({attached.lab.lanhost1.neighbour(one.addresses[0]) for one in (attached, neighbour)} - {None}) == 2  # MACs
    wait_reached((attached, neighbour), (neighbour, attached))
    with neighbour.traffic() as longest:
        attached.lab.power_cycle()
    figure(f"longest time without an answer of the other {longest[0] * 1000:.0f} ms")
    answered = attached.wait_answered()
    started = time.monotonic()
    wait_reached((attached, neighbour), (neighbour, attached))
    figure(f"answered {answered:.1f} s after Docker of the booted host, and {time.monotonic() - started:.1f} s later by each other")
