"""DHCPv4 and DHCPv6 messages: taken apart, for tests that look at the wire, and made, for a server that lies.

Formats: RFC 2131, 2 and 3; RFC 2132; RFC 8415, 7.3 and 8.
"""

import dataclasses
import socket
import struct

SERVER4, CLIENT4, SERVER6 = 67, 68, 547
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = range(1, 8)  # RFC 2132, 9.6
# RFC 8415, 7.3
SOLICIT6, ADVERTISE6, REQUEST6, CONFIRM6, RENEW6, REBIND6, REPLY6, RELEASE6 = range(1, 9)
COOKIE = bytes((99, 130, 83, 99))
FIXED = "!BBBBIHH4s4s4s4s16s192x4s"
# Option codes of RFC 2132 and 3442.
MASK, ROUTER, HOSTNAME, ADDRESS, LEASE_TIME, KIND, SERVER, RENEW, REBIND, CLIENT = 1, 3, 12, 50, 51, 53, 54, 58, 59, 61
CLASSLESS_ROUTES = 121
# Option codes of RFC 8415, 21, of RFC 3646 and of RFC 4704; and of its status codes the one that sends a client back.
CLIENT6, SERVER_ID6, IA_NA6, IA_ADDRESS6, STATUS6, NAME_SERVERS6, FQDN6 = 1, 2, 3, 5, 13, 23, 39
NOT_ON_LINK6 = 4


@dataclasses.dataclass(frozen=True)
class Message4:
    """A client's message. options maps codes to bytes."""
    transaction: int
    flags: int
    client_address: str
    mac: bytes
    options: dict

    @property
    def kind(self):
        return self.options.get(KIND, b"\0")[0]


def parse4(data):
    """A DHCPv4 message (UDP payload) as Message4; None when it is none."""
    if len(data) < struct.calcsize(FIXED):
        return None
    _, _, _, _, transaction, _, flags, client, _, _, _, mac, cookie = struct.unpack_from(FIXED, data)
    if cookie != COOKIE:
        return None
    options, rest = {}, data[struct.calcsize(FIXED):]
    while len(rest) >= 2 and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        options[rest[0]] = options.get(rest[0], b"") + rest[2:2 + rest[1]]
        rest = rest[2 + rest[1]:]
    return Message4(transaction, flags, socket.inet_ntoa(client), mac[:6], options)


def reply4(request, kind, address, options, server):
    """The bytes of an answer to a Message4. options is a list of (code, bytes), in this order, as wrong as the caller
    wants them; longer values are split (RFC 3396)."""
    body = struct.pack(FIXED, 2, 1, 6, 0, request.transaction, 0, request.flags, bytes(4), socket.inet_aton(address),
                       socket.inet_aton(server), bytes(4), request.mac, COOKIE)
    for code, value in [(KIND, bytes((kind,))), *options]:
        parts = [value[start:start + 255] for start in range(0, len(value), 255)] or [b""]
        body += b"".join(bytes((code, len(part))) + part for part in parts)
    return body + b"\xff"


@dataclasses.dataclass(frozen=True)
class Message6:
    """A client's message. options maps codes to the bytes of their first occurrence."""
    kind: int
    transaction: bytes
    options: dict


def parse6(data):
    """A DHCPv6 message (UDP payload) as Message6."""
    options, rest = {}, data[4:]
    while len(rest) >= 4:
        code, length = struct.unpack_from("!HH", rest)
        options.setdefault(code, rest[4:4 + length])
        rest = rest[4 + length:]
    return Message6(data[0], data[1:4], options)


def option6(code, value):
    return struct.pack("!HH", code, len(value)) + value


def identity_address6(text, preferred=400, valid=600, more=b""):
    """An address of an identity association; more: options within."""
    return option6(IA_ADDRESS6, socket.inet_pton(socket.AF_INET6, text) + struct.pack("!II", preferred, valid) + more)


def identity6(request, content, renew=200, rebind=300):
    """The identity association that a Message6 asks for; content: options within."""
    return option6(IA_NA6, request.options[IA_NA6][:4] + struct.pack("!II", renew, rebind) + content)


def addresses(*texts):
    return b"".join(socket.inet_aton(text) for text in texts)


def seconds(number):
    return struct.pack("!I", number)


def messages4(packets):
    """Of captured packets (capture.Packet), those from DHCPv4 clients: pairs (packet, Message4)."""
    pairs = [(packet, parse4(packet.payload[8:])) for packet in packets
             if packet.proto == "udp" and packet.destination_port == SERVER4]
    return [pair for pair in pairs if pair[1]]


def releases4(packets):
    """Captured DHCPv4 releases: pairs (packet, address given up)."""
    return [(packet, message.client_address) for packet, message in messages4(packets) if message.kind == RELEASE]


def releases6(packets):
    """Captured DHCPv6 releases (packets)."""
    return [packet for packet in packets if packet.proto == "udp" and packet.destination_port == SERVER6
            and packet.payload[8:9] == bytes((RELEASE6,))]
