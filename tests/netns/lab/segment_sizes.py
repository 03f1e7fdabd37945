"""Maximum segment sizes as they arrive, for the tests of NAT-12."""

import socket
import struct

SYN, RST = 0x02, 0x04


class SegmentSizes:
    """The maximum segment sizes in the SYN packets that arrive at an interface."""

    def __init__(self, namespace):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        self.socket.bind(("eth0", 3))

    def next(self):
        while True:
            packet, origin = self.socket.recvfrom(2048)
            segment = packet[20:] if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP else \
                packet[40:] if packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP else b""
            if segment and origin[2] != socket.PACKET_OUTGOING and segment[13] & (SYN | RST) == SYN:
                return self.maximum(segment[20:(segment[12] >> 4) * 4])

    @staticmethod
    def maximum(options):
        while options:
            kind, length = options[0], options[1] if options[0] > 1 else 1
            if kind == 2:
                return struct.unpack("!H", options[2:4])[0]
            options = options[length:]
        raise AssertionError("no maximum segment size")
