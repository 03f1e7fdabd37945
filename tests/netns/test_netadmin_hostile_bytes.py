"""A watcher that was taken over, against the real netadmin: every type of message, every byte of a state with the values
at its limits, descriptors with each message. What is not refused is a state within the policy; nothing else is applied.
"""

import socket
import struct

import pytest

import messages
from netadmin_lab import ONE4, TWO4
from supervision import message_types

ALLOWED = {"EXPOSURES_BEGIN", "EXPOSURES_ITEMS", "EXPOSURES_COMMIT"}
GENERATION = 0x0102030405060708
HELD = [("tcp", 80, 80, ONE4, 8080)]


@pytest.fixture
def exposed(lab):
    lab.start().expose(messages.exposure("tcp", 80, ONE4, 8080))
    lab.before = lab.ruleset()
    return lab


def verdict(netadmin):
    """APPLIED, or None when the connection was ended."""
    try:
        return netadmin.receive_applied()
    except (EOFError, ConnectionError):
        return None


def send_all(netadmin, datagrams, descriptors=()):
    """Until netadmin hangs up."""
    try:
        for datagram in datagrams:
            socket.send_fds(netadmin.watcher, [datagram], descriptors)
    except (BrokenPipeError, ConnectionResetError):
        pass


def relink(netadmin):
    _, reported = netadmin.link()
    assert reported == HELD


def test_every_type_of_another_direction_ends_the_connection(exposed):
    netadmin = exposed.netadmin
    lengths = (0, 8, 16, 44, 64, 168, 304, 872)
    kinds = [number for name, number in message_types().items() if name not in ALLOWED] + [0, 4711, 65535]
    for kind in kinds:
        for length in lengths:
            send_all(netadmin, [messages.message(kind, bytes(length), GENERATION)])
            assert verdict(netadmin) is None, (kind, length)
            relink(netadmin)
    netadmin.ping(1)
    assert exposed.ruleset() == exposed.before


def test_surplus_descriptors_with_every_message_end_the_connection(exposed):
    netadmin = exposed.netadmin
    for datagram in messages.state([messages.exposure("tcp", 25, TWO4)], GENERATION):
        for count in (1, 2, 200):
            ours, theirs = socket.socketpair()
            send_all(netadmin, [datagram], [theirs.fileno()] * count)
            theirs.close()
            assert verdict(netadmin) is None
            ours.settimeout(5)
            assert ours.recv(1) == b""  # none of them was kept
            ours.close()
            relink(netadmin)
    assert exposed.ruleset() == exposed.before


@pytest.mark.parametrize("which", (0, 1, 2), ids=("begin", "items", "commit"))
def test_every_byte_of_a_state_at_its_limits(exposed, which):
    netadmin = exposed.netadmin
    state = messages.state([messages.exposure("tcp", 25, TWO4)], GENERATION)
    refused = accepted = 0
    for offset in range(len(state[which])):
        for value in {0, 1, 0x7f, 0x80, 0xff} - {state[which][offset]}:
            changed = list(state)
            changed[which] = state[which][:offset] + bytes([value]) + state[which][offset + 1:]
            send_all(netadmin, changed)
            applied = verdict(netadmin)
            if applied is None:
                refused += 1
                relink(netadmin)
                continue
            accepted += 1
            if applied.error == 0:
                _, reported = netadmin.link()
                assert all(backend.startswith("172.30.0.") for _, _, _, backend, _ in reported), reported
            netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert refused > accepted
    assert exposed.ruleset() == exposed.before


def test_truncated_and_extended_messages_end_the_connection(exposed):
    netadmin = exposed.netadmin
    state = messages.state([messages.exposure("tcp", 25, TWO4)], GENERATION)
    for which, datagram in enumerate(state):
        for changed in [datagram[:length] for length in range(1, len(datagram))] + \
                       [datagram + bytes(extra) for extra in (1, 8, 28)]:
            told = bytearray(changed)
            if len(told) >= messages.HEADER.size:
                struct.pack_into("=I", told, 8, len(told))  # the header says the length that it has
            for variant in {bytes(changed), bytes(told)}:
                send_all(netadmin, [*state[:which], variant])
                assert verdict(netadmin) is None, (which, len(changed))
                relink(netadmin)
    assert exposed.ruleset() == exposed.before


def test_replayed_states_change_nothing(exposed):
    netadmin = exposed.netadmin
    state = messages.state([messages.exposure("tcp", 80, ONE4, 8080)], GENERATION)
    for _ in range(50):
        send_all(netadmin, state)
        assert verdict(netadmin).error == 0
    assert exposed.ruleset() == exposed.before
    send_all(netadmin, state[1:])  # its second half once more
    assert verdict(netadmin) is None
    relink(netadmin)
    assert exposed.ruleset() == exposed.before
