"""Random labels and container histories: what anchord-watcher wants after each of them is what a plain model says.

container_histories.py is that model. A failure prints its seed and the steps; `--seed N` runs another history.
"""

import os
import random

import pytest

import messages
import watcher_lab
from container_histories import World

STEPS = 400


def spread(items):
    """A desired state without its marker: each port of each range, and the marker's address."""
    entries, marker = {}, None
    for protocol, first, last, address, backend_port, *withheld in items:
        if first == 40000:
            marker = address
            continue
        for port in range(first, last + 1):
            assert (protocol, port, address) not in entries, "a port stands twice"
            entries[protocol, port, address] = (backend_port + port - first, bool(withheld))
    return entries, marker


class Observer:
    def __init__(self, lab, world):
        self.lab, self.world = lab, world
        self.items, self.before = [], {}
        self.watcher = None

    def start(self):
        """Starts a watcher; later ones learn from netadmin's map what was exposed."""
        if self.watcher:
            self.watcher.close()
        self.watcher = self.lab.start(link=False, poll=600)
        self.watcher.link(map_items=[
            messages.exposure(protocol, (first, last), address, backend_port,
                              messages.EXPOSURE_WITHHELD if withheld else messages.EXPOSURE_OPEN)
            for protocol, first, last, address, backend_port, *withheld in self.items])

    def await_model(self):
        """Each state that comes is the one before the step, amid it or after it; the last is the one after it."""
        self.world.distribute()
        wanted, marker = self.world.entries(), None
        while marker != self.world.marker_address or entries != wanted:
            self.items = self.watcher.next_items()[1]
            entries, marker = spread(self.items)
            assert entries in (self.before, self.world.between, wanted), differences(entries, wanted)
        self.before = self.world.between = wanted


def differences(entries, wanted):
    return {key: f"is {entries.get(key)}, should be {wanted.get(key)}" for key in sorted({*entries, *wanted})
            if entries.get(key) != wanted.get(key)}


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-model-{os.getpid()}")
    yield lab
    lab.close()


def pytest_generate_tests(metafunc):
    chosen = metafunc.config.getoption("--seed")
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", [1, 2, 3] if chosen is None else [chosen])


def test_disc3_disc5_disc7_nat6_random_histories(lab, seed):
    dice = random.Random(seed)
    world = World(lab.start_docker(), dice)
    observer = Observer(lab, world)
    observer.start()
    observer.await_model()
    for number in range(STEPS):
        if number % 10 == 9:
            done = "another watcher"
            world.forget_holders()
            observer.start()
        else:
            done = world.step()
        print(f"seed {seed} step {number}: {done}")
        world.move_marker()
        observer.await_model()
