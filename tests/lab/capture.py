"""Records what passes an interface: packets with addresses, ports and TTL, ARP and neighbour news.

Used by tests through topology.Host.capture(); needs CAP_NET_RAW. A packet socket sees frames in
both directions, incoming ones before any filter of the namespace.
"""

import dataclasses
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 0x0003  # linux/if_ether.h
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86dd
NEIGHBOUR_ADVERTISEMENT = 136  # RFC 4861, 4.4
TCP_RST = 0x04
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}


@dataclasses.dataclass(frozen=True)
class Packet:
    """An IP packet. when is a time.monotonic(); ttl is the hop limit for IPv6; proto is tcp, udp,
    icmp (ICMPv6 as well) or a number; payload is what follows the IP header."""
    when: float
    outgoing: bool
    mac: str
    source: str
    destination: str
    proto: str
    ttl: int
    payload: bytes

    @property
    def source_port(self):
        return int.from_bytes(self.payload[0:2]) if self.proto in ("tcp", "udp") else None

    @property
    def destination_port(self):
        return int.from_bytes(self.payload[2:4]) if self.proto in ("tcp", "udp") else None

    @property
    def is_reset(self):
        return self.proto == "tcp" and bool(self.payload[13] & TCP_RST)

    @property
    def icmp_type(self):
        """Type and code, as two bytes."""
        return self.payload[:2] if self.proto == "icmp" else None


@dataclasses.dataclass(frozen=True)
class Announcement:
    """Somebody said unasked that an address is at a MAC: gratuitous ARP (RFC 5227, 3) or an
    unsolicited neighbour advertisement (RFC 4861, 7.2.6)."""
    when: float
    mac: str
    address: str


class Capture:
    """Records on a host's interface (its only one, unless named) from its creation until stop(); a
    context manager. The lists grow while it runs."""

    def __init__(self, host, interface=None):
        self.packets = []
        self.announcements = []
        with host:
            # Protocol 0 until it is bound: nothing arrives from other interfaces.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.bind((interface or host.interface, ETH_P_ALL))
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def _record(self):
        while True:
            ready, _, _ = select.select((self._socket, self._wake), (), ())
            if self._socket in ready:
                frame, (_, _, kind, _, _) = self._socket.recvfrom(65536)
                self._add(frame, kind == socket.PACKET_OUTGOING)
            elif self._wake in ready:
                return

    def _add(self, frame, outgoing):
        now = time.monotonic()
        kind, = struct.unpack_from("!H", frame, 12)
        if kind == ARP and len(frame) >= 42:
            if frame[28:32] == frame[38:42]:
                self.announcements.append(
                    Announcement(now, frame[22:28].hex(":"), socket.inet_ntoa(frame[28:32])))
        elif kind in (IPV4, IPV6):
            packet = parse_packet(now, outgoing, frame, kind)
            if packet:
                self.packets.append(packet)
                self._note_advertisement(packet)

    def _note_advertisement(self, packet):
        """The solicited flag is the second bit of the flags; it is clear in what came unasked."""
        body = packet.payload
        if ":" in packet.source and packet.proto == "icmp" and len(body) >= 24 \
                and body[0] == NEIGHBOUR_ADVERTISEMENT and not body[4] & 0x40:
            address = socket.inet_ntop(socket.AF_INET6, body[8:24])
            mac = body[26:32].hex(":") if body[24:26] == b"\2\1" else packet.mac
            self.announcements.append(Announcement(packet.when, mac, address))

    def matching(self, **wanted):
        """The packets whose fields have these values, say source="10.99.0.10", proto="udp"."""
        return [packet for packet in list(self.packets)
                if all(getattr(packet, name) == value for name, value in wanted.items())]

    def received(self, **wanted):
        return self.matching(outgoing=False, **wanted)

    def announced(self, address):
        return [news for news in list(self.announcements) if news.address == address]

    def stop(self):
        """Ends when everything that arrived before is recorded."""
        self._stop.close()
        self._thread.join()
        self._socket.close()
        self._wake.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def parse_packet(when, outgoing, frame, kind):
    """An Ethernet frame with an IP packet as Packet; None when it is cut short. IPv6 extension
    headers are not followed: the lab's traffic has them only in MLD."""
    header = frame[14:]
    if kind == IPV4 and len(header) >= 20:
        length, family = (header[0] & 0x0f) * 4, socket.AF_INET
        proto, ttl, addresses = header[9], header[8], (header[12:16], header[16:20])
    elif kind == IPV6 and len(header) >= 40:
        length, family = 40, socket.AF_INET6
        proto, ttl, addresses = header[6], header[7], (header[8:24], header[24:40])
    else:
        return None
    return Packet(when, outgoing, frame[6:12].hex(":"), socket.inet_ntop(family, addresses[0]),
                  socket.inet_ntop(family, addresses[1]), PROTOCOLS.get(proto, str(proto)), ttl,
                  header[length:])
