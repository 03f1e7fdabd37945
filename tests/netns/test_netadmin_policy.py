"""A watcher that was taken over, against the real program: nothing that it offers gets past the policy."""

import json
import socket
import struct
import time

import pytest

import messages
from netadmin_lab import ANCHOR4, ANCHOR6, GATEWAY4, LAN4, LAN6, ONE4, TWO4, wait_logged, wait_until

FORBIDDEN = {
    LAN4: "outside", LAN6: "outside", "10.99.0.9": "outside", "172.31.0.5": "outside", "8.8.8.8": "outside",
    "172.30.1.5": "outside", "fd31::5": "outside",
    ANCHOR4: "own", ANCHOR6: "own", "172.30.0.0": "network address", "fd30::": "network address",
    "172.30.0.255": "broadcast", "172.30.0.1": "gateway", "fd30::1": "gateway", GATEWAY4: "auxiliary gateway",
    "127.0.0.1": "no host", "::1": "no host", "0.0.0.0": "no host", "224.0.0.1": "no host", "ff02::1": "no host",
    "255.255.255.255": "no host",
}


@pytest.fixture
def exposed(lab):
    lab.start().expose(messages.exposure("tcp", 80, ONE4, 8080))
    lab.before = lab.ruleset()
    return lab


@pytest.mark.parametrize("backend", FORBIDDEN)
def test_policy_refuses_the_whole_state(exposed, backend):
    applied = exposed.netadmin.apply(messages.exposure("tcp", 25, TWO4), messages.exposure("tcp", 26, backend))
    assert applied.error < 0
    assert FORBIDDEN[backend] in applied.reason
    assert applied.entries["v4"]["tcp"] == 1
    assert exposed.ruleset() == exposed.before
    assert wait_logged(exposed.netadmin, "desired state refused")
    assert exposed.netadmin.expose(messages.exposure("tcp", 25, TWO4)).entries["v4"]["tcp"] == 1


@pytest.mark.parametrize("items, reason", (
    ([messages.exposure("tcp", 25, ONE4), messages.exposure("tcp", 25, TWO4)], "tcp/25 twice"),
    ([messages.exposure("udp", (10, 20), ONE4), messages.exposure("udp", (20, 30), ONE4)], "udp/20 twice"),
    ([messages.exposure("tcp", (1, 65535), ONE4), messages.exposure("udp", (1, 65535), ONE4)], "more map elements"),
    ([messages.exposure("tcp", (1, 65535), ONE4),
      messages.exposure("udp", (1, 65535), ONE4, access=messages.EXPOSURE_WITHHELD)], "more map elements"),
))
def test_impossible_states_are_refused_whole(exposed, items, reason):
    applied = exposed.netadmin.apply(*items)
    assert applied.error < 0 and reason in applied.reason
    assert exposed.ruleset() == exposed.before


def test_commit_with_another_count_is_refused(exposed):
    netadmin = exposed.netadmin
    datagrams = messages.state([messages.exposure("tcp", 25, TWO4)], 7)
    for datagram in datagrams[:-1] + [messages.commit(messages.EXPOSURES_COMMIT, 2, 7)]:
        netadmin.watcher.send(datagram)
    applied = netadmin.receive_applied()
    assert (applied.generation, applied.error < 0) == (7, True)
    assert exposed.ruleset() == exposed.before


def test_half_a_state_is_dropped_by_the_next_begin(exposed):
    netadmin = exposed.netadmin
    half = messages.state([messages.exposure("tcp", 25, TWO4)], 7)[:-1]
    for datagram in half + messages.state([messages.exposure("tcp", 26, TWO4)], 8):
        netadmin.watcher.send(datagram)
    applied = netadmin.receive_applied()
    assert (applied.generation, applied.error) == (8, 0)
    assert "25 counter :" not in exposed.ruleset() and "26 counter : 172.30.0.6 . 26" in exposed.ruleset()


def broken_exposure(**changes):
    fields = {"family": 4, "protocol": 6, "first": 25, "last": 25, "backend_port": 25, "backend": bytes([172, 30, 0, 5]),
              "access": messages.EXPOSURE_OPEN}
    fields |= changes
    return messages.EXPOSURE.pack(fields["family"], fields["protocol"], fields["first"], fields["last"],
                                  fields["backend_port"], fields["backend"], fields["access"])


BEGIN = messages.message(messages.EXPOSURES_BEGIN, generation=5)
HOSTILE = {
    "items without begin": [messages.exposures_items([broken_exposure()], 5)],
    "commit without begin": [messages.commit(messages.EXPOSURES_COMMIT, 0, 5)],
    "items of another generation": [BEGIN, messages.exposures_items([broken_exposure()], 6)],
    "commit of another generation": [BEGIN, messages.commit(messages.EXPOSURES_COMMIT, 0, 6)],
    "empty datagram of one byte": [b"x"],
    "longer than any message": [BEGIN + bytes(messages.LENGTH_MAX)],
    "unknown type": [messages.message(99)],
    "type of another direction": [messages.stop(messages.STOP_TEAR_DOWN)],
    "topology from the watcher": [messages.message(messages.TOPOLOGY, bytes(2 * 436 + 8))],
    "wrong magic": [b"\0" * 24],
    "length beyond the datagram": [messages.HEADER.pack(messages.MAGIC, 1, messages.EXPOSURES_BEGIN, 4096, 0, 5)],
    "more items said than sent": [BEGIN, messages.message(messages.EXPOSURES_ITEMS, struct.pack("=2I", 512, 0) +
                                                          broken_exposure(), 5)],
    "no items": [BEGIN, messages.message(messages.EXPOSURES_ITEMS, struct.pack("=2I", 0, 0), 5)],
    "port 0": [BEGIN, messages.exposures_items([broken_exposure(first=0)], 5)],
    "range backwards": [BEGIN, messages.exposures_items([broken_exposure(first=30)], 5)],
    "backend range past the end": [BEGIN, messages.exposures_items([broken_exposure(last=65535, backend_port=100)], 5)],
    "unknown protocol": [BEGIN, messages.exposures_items([broken_exposure(protocol=132)], 5)],
    "unknown family": [BEGIN, messages.exposures_items([broken_exposure(family=10)], 5)],
    "address padding": [BEGIN, messages.exposures_items([broken_exposure(backend=b"\1" * 16)], 5)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_watcher_that_breaks_the_protocol_is_cut_off_and_nothing_is_applied(exposed, name):
    netadmin = exposed.netadmin
    for datagram in HOSTILE[name]:
        netadmin.watcher.send(datagram)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            netadmin.receive_watcher()
    netadmin.ping(1)
    assert exposed.ruleset() == exposed.before
    assert [line for line in netadmin.log if line["level"] == "ERROR"]
    _, reported = netadmin.link()
    assert reported == [("tcp", 80, 80, ONE4, 8080)]


def test_surplus_descriptor_ends_the_watchers_connection(exposed):
    netadmin = exposed.netadmin
    ours, theirs = socket.socketpair()
    socket.send_fds(netadmin.watcher, [BEGIN], [theirs.fileno()])
    theirs.close()
    with pytest.raises((EOFError, ConnectionError)):
        netadmin.receive_watcher()
    ours.settimeout(5)
    assert ours.recv(1) == b""  # the descriptor was closed, not kept
    netadmin.ping(1)
    assert exposed.ruleset() == exposed.before


def test_second_topology_is_refused(exposed):
    netadmin = exposed.netadmin
    netadmin.send(exposed.topology(shared="172.16.0.0/12"))
    netadmin.ping(1)
    assert wait_logged(netadmin, "another topology")
    assert netadmin.apply(messages.exposure("tcp", 25, "172.31.0.5")).error < 0
    netadmin.send(exposed.topology())
    assert netadmin.expose(messages.exposure("tcp", 25, TWO4)).entries["v4"]["tcp"] == 1


def test_wall6_refusals_are_logged_at_a_bounded_rate(exposed):
    """The watcher can cause them without end: a hundred lines, then one a second."""
    netadmin = exposed.netadmin
    begun = time.monotonic()
    for _ in range(1000):
        assert netadmin.apply(messages.exposure("tcp", 25, "8.8.8.8")).error < 0
    allowed = 101 + int(time.monotonic() - begun)
    assert 100 <= len(wait_logged(netadmin, "desired state refused")) <= allowed


@pytest.mark.parametrize("command", (
    pytest.param("setpriv --bounding-set=-all --inh-caps=-all {}", id="not given"),
    # The container has a user namespace of its own, its network namespace does not belong to it (userns-remap).
    pytest.param("unshare -U -r setpriv --inh-caps=-all,+net_admin setpriv --bounding-set=-all {}",
                 id="of another user namespace"),
))
def test_missing_capability_is_named_with_its_remedy(lab, command):
    output = lab.anchor.run("bash", "-c", command.format(lab.program) + "; echo $?")
    first, status = output.splitlines()
    first = json.loads(first)
    assert int(status) == 1
    assert first["level"] == "ERROR"
    assert "needs CAP_NET_ADMIN" in first["msg"] and "cap_add: [NET_ADMIN]" in first["msg"]
    assert "anchord" not in lab.ruleset()


def test_privileges_are_exactly_one_capability(exposed):
    with open(f"/proc/{exposed.netadmin.pid}/status", encoding="ascii") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines())
    wanted = {"CapEff": f"{1 << 12:016x}", "CapPrm": f"{1 << 12:016x}", "CapInh": f"{0:016x}", "CapBnd": f"{0:016x}",
              "CapAmb": f"{0:016x}", "NoNewPrivs": "1", "Seccomp": "2"}
    assert {key: status[key].strip() for key in wanted} == wanted
    assert set(status["Uid"].split()) == {"24942"}
    wait_until(lambda: exposed.netadmin.readiness & messages.TABLES_INSTALLED, "readiness")
