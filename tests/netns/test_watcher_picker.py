"""How anchord-watcher picks the shared network (DISC-4)."""

import os
import socket

import pytest

import fake_docker
import watcher_lab
from fake_docker import (BACKEND_ID, BACKEND_MAC, DMZ_ID, EXTERNAL_MAC, SHARED_MAC, TRANSIT_ID, container, endpoint)


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-picker-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def entry(number):
    return {("tcp", number, number): (f"172.30.0.{number + 3}", number)}


def three_networks():
    return (fake_docker.own_container(dmz=endpoint(DMZ_ID, "192.0.2.10", EXTERNAL_MAC),
                                      transit=endpoint(TRANSIT_ID, "172.30.0.2", SHARED_MAC),
                                      backend=endpoint(BACKEND_ID, "172.31.0.2", BACKEND_MAC)),
            [watcher_lab.link_item(2, "eth0", SHARED_MAC), watcher_lab.link_item(3, "eth1", EXTERNAL_MAC),
             watcher_lab.link_item(4, "eth2", BACKEND_MAC)])


def on_backend(number, **keywords):
    record = container(number, f"tcp/{number}", **keywords)
    record["NetworkSettings"]["Networks"] = {"backend": endpoint(BACKEND_ID, f"172.31.0.{number}")}
    return record


def test_of_several_candidates_the_one_with_the_most_backends(lab, docker):
    """DISC-4"""
    own, links = three_networks()
    for record in (own, container(1, "tcp/1"), on_backend(8), on_backend(9)):
        docker.put(record)
    watcher = lab.start(link=False)
    watcher.link(links)
    assert watcher.chosen() == ("backend", True)
    watcher.state({("tcp", 8, 8): ("172.31.0.8", 8), ("tcp", 9, 9): ("172.31.0.9", 9)})
    assert watcher.log("no usable IP for container")["container"] == "backend-1"


def test_the_first_backend_decides_and_then_it_stays(lab, docker):
    """DISC-4: without a backend by name, until one is seen; a switch is said aloud; no flapping after it."""
    own, links = three_networks()
    docker.put(own)
    watcher = lab.start(link=False)
    watcher.link(links)
    assert watcher.chosen() == ("transit", False)
    watcher.state({})
    docker.start(on_backend(9))
    assert watcher.chosen() == ("backend", True)
    line = watcher.log("shared network re-picked")
    assert (line["level"], line["network"], line["before"]) == ("WARN", "backend", "transit")
    nine = {("tcp", 9, 9): ("172.31.0.9", 9)}
    watcher.state(nine)
    assert not watcher.logged("no usable IP")
    for number in (1, 2, 3):
        docker.start(container(number, f"tcp/{number}"))
    docker.start(on_backend(8))
    watcher.state(nine | {("tcp", 8, 8): ("172.31.0.8", 8)})
    assert len(watcher.logged("shared network re-picked")) == 1


def test_disc4_a_state_that_meets_the_end_of_netadmin_is_no_error(lab, docker):
    """Which starts afresh because of the other network: the state goes to its successor. Seen on a real engine."""
    own, links = three_networks()
    docker.put(own)
    watcher = lab.start(link=False)
    watcher.link(links)
    watcher.state({})
    watcher.netadmin.own.shutdown(socket.SHUT_RD)  # it takes nothing any more, and has not ended yet
    docker.start(on_backend(9))
    assert watcher.log("netadmin is gone, its successor gets the state")["level"] == "DEBUG"
    watcher.link(links)
    watcher.state({("tcp", 9, 9): ("172.31.0.9", 9)})
    assert not watcher.logged("desired state cannot be computed or sent")


def test_the_choice_without_a_backend_becomes_final_with_one(lab, docker):
    """DISC-4: on the network that was chosen already nothing is re-picked."""
    own, links = three_networks()
    docker.put(own)
    watcher = lab.start(link=False)
    watcher.link(links)
    assert watcher.chosen() == ("transit", False)
    docker.start(container(1, "tcp/1"))
    assert watcher.chosen() == ("transit", True)
    watcher.state(entry(1))
    assert not watcher.logged("shared network re-picked")


def test_five_fruitless_rounds_are_said_once(lab, docker):
    """DISC-4: one warning that says what to check; a backend that comes later still decides."""
    own, links = three_networks()
    docker.put(own)
    watcher = lab.start(link=False, poll=0.5)
    watcher.link(links)
    line = watcher.log("no backend on any candidate")
    assert "ANCHORD_SHARED_NETWORK" in line["msg"] and line["chosen"] == "transit"
    docker.put(on_backend(9))
    watcher.state({("tcp", 9, 9): ("172.31.0.9", 9)})
    assert line["code"] == "ANC0319"  # SEE-1
    assert len(watcher.logged("no backend on any candidate")) == 1
