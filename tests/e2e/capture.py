"""What arrives at an interface, frame by frame: TTL, source and type of answers.

Used by tests inside a LAN host's namespace, as root (packet sockets need CAP_NET_RAW).
"""

import dataclasses
import ipaddress
import socket
import struct
import threading

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}
RST = 0x04


@dataclasses.dataclass(frozen=True)
class Packet:
    source: str
    destination: str
    ttl: int
    proto: str  # tcp, udp, icmp
    payload: bytes  # of IP

    @property
    def is_reset(self):
        return self.proto == "tcp" and bool(self.payload[13] & RST)

    @property
    def icmp_type(self):
        return self.payload[:2] if self.proto == "icmp" else None


def parse(frame):
    """A Packet of an Ethernet frame with IPv4 or IPv6 without extension headers; else None."""
    kind, packet = struct.unpack("!H", frame[12:14])[0], frame[14:]
    if kind == 0x0800:
        length = (packet[0] & 15) * 4
        source, destination, ttl, proto = packet[12:16], packet[16:20], packet[8], packet[9]
    elif kind == 0x86dd:
        length = 40
        source, destination, ttl, proto = packet[8:24], packet[24:40], packet[7], packet[6]
    else:
        return None
    if proto not in PROTOCOLS:
        return None
    return Packet(str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination)), ttl,
                  PROTOCOLS[proto], packet[length:])


class Capture:
    """Collects the packets that a host receives on its interface: with Capture(host) as capture."""

    def __init__(self, host):
        with host:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            self._socket.bind((host.interface, 3))
        self._socket.settimeout(0.05)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self.packets = []

    def _collect(self):
        while not self._stop.is_set():
            try:
                frame, address = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            if address[2] != socket.PACKET_OUTGOING and (packet := parse(frame)):
                self.packets.append(packet)

    def received(self, **wanted):
        """The packets so far whose attributes have these values."""
        return [packet for packet in list(self.packets)
                if all(getattr(packet, name) == value for name, value in wanted.items())]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._socket.close()
