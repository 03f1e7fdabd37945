"""GUEST-1, GUEST-3, GUEST-5 in anchord-watcher: what becomes of the labels anchord.allow and anchord.limit, and of the variables
that say the same; what is malformed exposes nothing, and is said."""

import os
import struct

import pytest

import messages
import watcher_lab
from fake_docker import container

FINDING_EXPOSED = 1
LABEL_INVALID, LISTS_TOO_LONG, NO_LISTS, LIST_IN_VAIN = 101, 108, 109, 110  # of protocol/problem_list.h
SSH = {("tcp", 22, 22): ("172.30.0.4", 22)}


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-guests-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def ssh(number=1, allow=None, limit=None, **keywords):
    labels = {"com.docker.compose.service": "ssh"}
    labels.update({"anchord.allow": allow} if allow is not None else {})
    labels.update({"anchord.limit": limit} if limit is not None else {})
    return container(number, "tcp/22", labels=labels, **keywords)


def sorted_guests(*parts):
    return sorted((guest for part in parts for guest in part), key=messages.guest_key)


def test_guest1_lists_travel_with_the_exposures(lab, docker):
    docker.put(ssh(allow="tcp/22-30 from 10.0.0.0/8 fd00::/8, udp/22 from ::1", limit="tcp/22 10/minute per source"))
    watcher = lab.start()
    watcher.link_control()
    watcher.state(SSH)
    assert watcher.guests == sorted_guests(messages.allow("tcp", 22, "10.0.0.0/8", "fd00::/8"), messages.limit("tcp", 22, 10, True))
    found = watcher.findings(lambda kinds: FINDING_EXPOSED in kinds)
    assert found[FINDING_EXPOSED][0][1] == "from 10.0.0.0/8 fd00::/8, 10/minute per source, burst 5"
    # Of udp/22, which it does not expose, both say that the list is in vain.
    (name, text), = found[LIST_IN_VAIN]
    assert name == "backend-1" and text.startswith("its list or limit for udp/22 closes nothing")
    line = watcher.log("a list or limit names a port that the container does not expose: it closes nothing")
    assert (line["container"], line["proto"], line["port"]) == ("backend-1", "udp", 22)
    assert len(watcher.logged("a list or limit names a port")) == 1
    # With the container its lists go, too.
    docker.stop(1)
    watcher.state({})
    assert watcher.guests == []


@pytest.mark.parametrize("labels, label, position", [({"allow": "tcp/22 from home"}, "anchord.allow", 13),
                                                     ({"limit": "tcp/22 often"}, "anchord.limit", 8),
                                                     ({"allow": "tcp/22 from ::1" + " " * 16000}, None, None)])
def test_guest1_what_is_malformed_exposes_nothing_and_is_said(lab, docker, labels, label, position):
    docker.put(ssh(**labels))
    docker.put(container(2, "tcp/80", address="172.30.0.9"))
    watcher = lab.start()
    watcher.link_control()
    watcher.state({("tcp", 80, 80): ("172.30.0.9", 80)})
    if not label:  # longer than any label that is read
        assert watcher.log("odd container in Docker's list, ignoring")
        return
    assert watcher.log("label is invalid: container is not exposed")["label"] == label
    found = watcher.findings(lambda kinds: LABEL_INVALID in kinds)
    assert found[LABEL_INVALID][0][1].startswith(f"label {label}, position {position}: ")


def test_guest1_more_than_4096_sources_in_all(lab, docker):
    """The oldest containers have theirs; the others are not exposed, which is said, until there is room."""
    text = "tcp/22 from " + " ".join(f"10.{number >> 8}.{number & 255}.0/24" for number in range(900))
    for number in range(1, 6):
        docker.put(container(number, f"tcp/{21 + number}", address=f"172.30.0.{10 + number}",
                             labels={"anchord.allow": text.replace("tcp/22", f"tcp/{21 + number}")}))
    watcher = lab.start()
    watcher.link_control()
    exposed = {("tcp", 21 + number, 21 + number): (f"172.30.0.{10 + number}", 21 + number) for number in range(1, 6)}
    watcher.state({key: value for key, value in exposed.items() if key[1] < 26})
    assert len(watcher.guests) == 4 * 901
    found = watcher.findings(lambda kinds: LISTS_TOO_LONG in kinds)
    assert "more than 4096 sources" in found[LISTS_TOO_LONG][0][1]
    docker.stop(1)
    watcher.state({key: value for key, value in exposed.items() if key[1] > 22})


def test_guest1_a_kernel_without_lists_is_said(lab, docker):
    docker.put(ssh(allow="tcp/22 from ::1"))
    watcher = lab.start()
    watcher.link_control()
    generation, _ = watcher.next_state()
    watcher.netadmin.send(messages.message(messages.APPLIED, messages.APPLIED_BODY.pack(0, 1, 0, 0, 0, 0, 0, 0, b""), generation))
    found = watcher.findings(lambda kinds: NO_LISTS in kinds)
    assert found[NO_LISTS] == [("backend-1", "")] and FINDING_EXPOSED not in found


def test_guest5_variables_decide_about_the_services_that_they_name(lab, docker):
    docker.put(ssh(allow="tcp/22 from home"))
    docker.put(container(2, "tcp/80", address="172.30.0.9", labels={"anchord.allow": "tcp/80 from ::1"}))

    def send(watcher):
        text = b"ssh: tcp/22 from 10.0.0.0/8, mail: tcp/25 from ::1"
        watcher.supervisor.send(messages.message(messages.GUEST_TEXT, struct.pack("=2I16000s", 1, 0, text)))

    watcher = lab.start(before=send)
    watcher.state({**SSH, ("tcp", 80, 80): ("172.30.0.9", 80)})
    assert watcher.guests == sorted_guests(messages.allow("tcp", 22, "10.0.0.0/8"), messages.allow("tcp", 80, "::1"))
