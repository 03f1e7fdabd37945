"""WALL-4: segments that belong to no connection. An outsider sees a host: probes of closed ports get what a host gives,
and no connection dies of a segment that its receiver would have answered with an ACK."""

import contextlib
import select
import socket
import struct
import time

import pytest

import messages
from lab import capture, forge
from netadmin_lab import (CLIENT4, CLIENT6, DEADLINE, EXTERNAL_MAC, LAN4, LAN6, ONE4, ONE6, family_of)

ETH_P_ALL = 3
FAR_AHEAD = 1 << 24  # beyond any window of a connection on this link
FAMILIES = pytest.mark.parametrize("own, remote, backend", ((LAN4, CLIENT4, ONE4), (LAN6, CLIENT6, ONE6)),
                                   ids=("v4", "v6"))
PATIENCE = 0.4


@pytest.fixture
def exposed(lab):
    netadmin = lab.start()
    for address in (ONE4, ONE6):
        lab.serve(lab.one, "one", "tcp", 8080, address)
    netadmin.expose(*(messages.exposure("tcp", 80, address, 8080) for address in (ONE4, ONE6)))
    return lab


class Wire:
    """The TCP segments on the client's cable."""

    def __init__(self, lab):
        self.socket = lab.client.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind(("eth0", ETH_P_ALL))

    def segments(self, wanted, patience=DEADLINE):
        """Yields those that `wanted` accepts, until nothing came for `patience` seconds."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0 and select.select([self.socket], [], [], left)[0]:
            frame, (_, kind, direction, *_) = self.socket.recvfrom(65536)
            packet = (capture.parse_packet(0, direction == socket.PACKET_OUTGOING, frame, kind)
                      if kind in (capture.IPV4, capture.IPV6) else None)
            if packet and packet.proto == "tcp" and wanted(packet):
                yield packet

    def answer(self, source, port, patience=DEADLINE):
        """The next segment from this port of an address, or None."""
        return next(self.segments(lambda packet: not packet.outgoing and packet.source == source and
                                  packet.source_port == port, patience), None)


def numbers(packet):
    """Sequence and acknowledgement number."""
    return struct.unpack_from("!II", packet.payload, 4)


def flags(packet):
    return packet.payload[13]


def say(connection, text):
    connection.sendall(text)
    got = b""
    while len(got) < len(text):
        piece = connection.recv(2048)
        assert piece, "the connection ended"
        got += piece
    assert got == text


@contextlib.contextmanager
def inbound(lab, own):
    """A connection from the client to the exposed port, that has carried data both ways."""
    with lab.client.socket(family_of(own), socket.SOCK_STREAM) as connection:
        connection.connect((own, 80))
        assert connection.recv(100).startswith(b"one")
        say(connection, b"before")
        yield connection


@contextlib.contextmanager
def egress(lab, remote):
    """A connection from a container to the client, and the client's end of it."""
    with lab.client.socket(family_of(remote), socket.SOCK_STREAM) as listener:
        listener.bind((remote, 7000))
        listener.listen()
        with lab.one.socket(family_of(remote), socket.SOCK_STREAM) as connection:
            connection.connect((remote, 7000))
            accepted, peer = listener.accept()
            with accepted:
                accepted.settimeout(DEADLINE)
                connection.sendall(b"hello")
                assert accepted.recv(100) == b"hello"
                accepted.sendall(b"you")
                assert connection.recv(100) == b"you"
                yield connection, accepted, peer


def stray(lab, *packets):
    with lab.client.entered():
        forge.send("eth0", EXTERNAL_MAC, *packets)


def next_numbers(wire, speak):
    """What the client would send next: its sequence number, and what it has got."""
    speak()
    sent = list(wire.segments(lambda packet: packet.outgoing, PATIENCE))[-1]
    sequence, acknowledged = numbers(sent)
    return sequence + len(sent.payload) - (sent.payload[12] >> 4) * 4, acknowledged


STRAYS = {"data": forge.ACK | forge.PSH, "ack": forge.ACK, "reset": forge.RST, "reset with ack": forge.RST | forge.ACK,
          "end": forge.FIN | forge.ACK}


@FAMILIES
@pytest.mark.parametrize("kind", STRAYS)
def test_wall4_inbound_connection_survives_a_segment_outside_its_window(exposed, own, remote, backend, kind):
    wire = Wire(exposed)
    with inbound(exposed, own) as connection:
        sequence, acknowledged = next_numbers(wire, lambda: say(connection, b"more"))
        port = connection.getsockname()[1]
        payload = b"stray" if kind == "data" else b""
        stray(exposed, forge.tcp(remote, port, own, 80, STRAYS[kind], sequence + FAR_AHEAD, acknowledged, payload))
        say(connection, b"after")  # the stray one was there before
        seen = list(wire.segments(lambda packet: not packet.outgoing, PATIENCE))
    assert seen and not any(packet.is_reset for packet in seen)


@FAMILIES
@pytest.mark.parametrize("kind", STRAYS)
def test_wall4_egress_survives_a_segment_outside_its_window(exposed, own, remote, backend, kind):
    wire = Wire(exposed)
    with egress(exposed, remote) as (connection, accepted, peer):
        sequence, acknowledged = next_numbers(wire, lambda: accepted.sendall(b"more"))
        assert connection.recv(100) == b"more"
        payload = b"stray" if kind == "data" else b""
        stray(exposed, forge.tcp(remote, 7000, own, peer[1], STRAYS[kind], sequence + FAR_AHEAD, acknowledged, payload))
        accepted.sendall(b"after")
        assert connection.recv(100) == b"after"
        connection.sendall(b"back")
        assert accepted.recv(100) == b"back"
        seen = list(wire.segments(lambda packet: not packet.outgoing, PATIENCE))
    assert seen and not any(packet.is_reset for packet in seen)


@FAMILIES
@pytest.mark.parametrize("probe", (forge.SYN, forge.FIN, 0, forge.FIN | forge.PSH | forge.URG, forge.ACK),
                         ids=("SYN", "FIN", "NULL", "Xmas", "ACK"))
def test_wall4_nat11_probe_of_a_closed_port_is_reset(exposed, own, remote, backend, probe):
    """Whatever a scanner sends, as by any host (RFC 9293, 3.10.7.1)."""
    wire = Wire(exposed)
    stray(exposed, forge.tcp(remote, 4321, own, 81, probe, 1000, 2000))
    answer = wire.answer(own, 81)
    assert answer and answer.is_reset
    sequence, acknowledged = numbers(answer)
    assert sequence == (2000 if probe & forge.ACK else 0)
    assert probe & forge.ACK or acknowledged == 1000 + (1 if probe & (forge.SYN | forge.FIN) else 0)


@FAMILIES
@pytest.mark.parametrize("probe", (forge.SYN | forge.ACK, forge.FIN | forge.ACK, forge.RST),
                         ids=("SYN-ACK", "FIN-ACK", "RST"))
def test_wall4_stated_exceptions_are_silent(exposed, own, remote, backend, probe):
    """A host resets the first two; the third nobody answers. docs/security.md says so."""
    wire = Wire(exposed)
    stray(exposed, forge.tcp(remote, 4322, own, 81, probe, 1000, 2000),
          forge.tcp(remote, 4323, own, 81, forge.SYN, 1000))  # answered, after the first was handled
    answers = [packet for packet in wire.segments(lambda packet: not packet.outgoing, PATIENCE)]
    assert [packet.destination_port for packet in answers] == [4323]


@FAMILIES
def test_wall4_with_liberal_tracking_the_application_answers_itself(exposed, own, remote, backend):
    """What the examples have as a comment: net.netfilter.nf_conntrack_tcp_be_liberal."""
    exposed.anchor.sysctl("netfilter/nf_conntrack_tcp_be_liberal", 1)
    wire = Wire(exposed)
    with inbound(exposed, own) as connection:
        sequence, acknowledged = next_numbers(wire, lambda: say(connection, b"more"))
        port = connection.getsockname()[1]
        stray(exposed, forge.tcp(remote, port, own, 80, forge.ACK | forge.PSH, sequence + FAR_AHEAD, acknowledged, b"x"))
        answer = wire.answer(own, 80)
        assert flags(answer) == forge.ACK
        assert numbers(answer) == (acknowledged, sequence & 0xffffffff)
        say(connection, b"after")
