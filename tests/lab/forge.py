"""Packets that no socket would send: every field is the caller's. A hostile host on the LAN.

Used by the tests of tests/e2e and tests/netns inside the namespace that sends; sending needs CAP_NET_RAW. Both families
by the form of the addresses. RFC 791, 8200, 768, 792, 4443, 9293.
"""

import ipaddress
import os
import socket
import struct

from . import probe

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ICMP, TCP, UDP, ICMPV6, FRAGMENT_HEADER = 1, 6, 17, 58, 44
ETHERTYPES = {4: 0x0800, 6: 0x86dd}  # ETH_P_IP, ETH_P_IPV6


def version(address):
    return ipaddress.ip_address(address).version


def packed(address):
    return ipaddress.ip_address(address).packed


def transport_checksum(source, destination, protocol, segment):
    """With the pseudo-header of RFC 9293, 3.1 or RFC 8200, 8.1."""
    addresses = packed(source) + packed(destination)
    lengths = (struct.pack("!BBH", 0, protocol, len(segment)) if version(source) == 4 else
               struct.pack("!IHBB", len(segment), 0, 0, protocol))
    return probe.internet_checksum(addresses + lengths + segment)


def packet(source, destination, protocol, body, hops=64):
    """The IP header before a body, whose checksum must be right already."""
    if version(source) == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, hops) + packed(source) + packed(destination) + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), int.from_bytes(os.urandom(2)), 0, hops, protocol, 0)
    header += packed(source) + packed(destination)
    return header[:10] + struct.pack("!H", probe.internet_checksum(header)) + header[12:] + body


def udp(source, source_port, destination, port, payload=b"?"):
    header = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0)
    checksum = transport_checksum(source, destination, UDP, header + payload) or 0xffff
    return packet(source, destination, UDP, header[:6] + struct.pack("!H", checksum) + payload)


def tcp(source, source_port, destination, port, flags, sequence=0, acknowledged=0, payload=b""):
    header = struct.pack("!HHIIBBHHH", source_port, port, sequence & 0xffffffff, acknowledged & 0xffffffff, 5 << 4,
                         flags, 65535, 0, 0)
    checksum = transport_checksum(source, destination, TCP, header + payload)
    return packet(source, destination, TCP, header[:16] + struct.pack("!H", checksum) + header[18:] + payload)


def icmp(source, destination, kind, body, hops=64):
    """ICMP or ICMPv6 of `kind` (type and code, two bytes), with what follows the checksum."""
    if version(source) == 4:
        checksum = probe.internet_checksum(kind + bytes(2) + body)
        return packet(source, destination, ICMP, kind + struct.pack("!H", checksum) + body, hops)
    checksum = transport_checksum(source, destination, ICMPV6, kind + bytes(2) + body)
    return packet(source, destination, ICMPV6, kind + struct.pack("!H", checksum) + body, hops)


def echo(source, destination, body=b"\x12\x34\0\1forged"):
    """What ping sends."""
    return icmp(source, destination, b"\x08\0" if version(source) == 4 else b"\x80\0", body)


def fragments(whole, size=8):
    """The packet in pieces of `size` bytes of its body, a multiple of eight."""
    is_v4 = whole[0] >> 4 == 4
    header, body = (whole[:20], whole[20:]) if is_v4 else (whole[:40], whole[40:])
    identification = int.from_bytes(os.urandom(4))
    pieces = []
    for offset in range(0, len(body), size):
        piece, more = body[offset:offset + size], offset + size < len(body)
        if is_v4:
            head = (header[:2] + struct.pack("!HHH", 20 + len(piece), identification & 0xffff,
                                             (0x2000 if more else 0) | offset // 8) + header[8:10] + bytes(2) + header[12:])
            head = head[:10] + struct.pack("!H", probe.internet_checksum(head)) + head[12:]
        else:
            extension = struct.pack("!BBHI", header[6], 0, offset | int(more), identification)
            head = (header[:4] + struct.pack("!HB", len(extension) + len(piece), FRAGMENT_HEADER) + header[7:]
                    + extension)
        pieces.append(head + piece)
    return pieces


def send(interface, mac, *packets):
    """In this thread's namespace, to the neighbour with this MAC."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        for whole in packets:
            sock.sendto(whole, (interface, ETHERTYPES[whole[0] >> 4], 0, 0, bytes.fromhex(mac.replace(":", ""))))
