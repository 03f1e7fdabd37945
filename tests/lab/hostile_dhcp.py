"""A DHCPv4 server that answers with whatever a test wants: wrong, oversized, absurd.

Used by tests, as root. Runs as a thread, on sockets of the segment's server box. Frames are built here: the kernel
would refuse some of what goes out.
"""

import select
import socket
import struct
import threading

from . import dhcp_messages as dhcp
from .probe import internet_checksum

ETH_P_IP = 0x0800


class HostileServer:
    """Answers DISCOVER and REQUEST by answer(request, kind) -> (address, options); None: says nothing. A REQUEST that
    names no server, for a lease of before, gets a NAK. A context manager; answer may be replaced while it runs. requests
    lists the Message4 that came."""

    def __init__(self, segment, answer=None):
        self.segment = segment
        self.answer = answer
        self.requests = []
        host = segment.server
        self._mac = bytes.fromhex(host.link_address().replace(":", ""))
        with host:
            self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._receiver.bind(("", dhcp.SERVER4))
            self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._sender.bind((host.interface, 0))
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            ready, _, _ = select.select((self._receiver, self._wake), (), ())
            if self._receiver in ready:
                request = dhcp.parse4(self._receiver.recv(65536))
                if request:
                    self.requests.append(request)
                    self._reply(request)
            elif self._wake in ready:
                return

    def _reply(self, request):
        kind = {dhcp.DISCOVER: dhcp.OFFER, dhcp.REQUEST: dhcp.ACK}.get(request.kind)
        if kind is None or self.answer is None:
            return
        answer = self.answer(request, kind)
        if kind == dhcp.ACK and dhcp.SERVER not in request.options:
            kind, answer = dhcp.NAK, ("0.0.0.0", [(dhcp.SERVER, dhcp.addresses(self.segment.server.ipv4))])
        if answer is not None:
            address, options = answer
            payload = dhcp.reply4(request, kind, address, options, self.segment.server.ipv4)
            self._sender.send(self._frame(request.mac, payload))

    def _frame(self, mac, payload):
        """To the client's MAC and the broadcast address; without a UDP checksum (RFC 768: zero)."""
        udp = struct.pack("!HHHH", dhcp.SERVER4, dhcp.CLIENT4, 8 + len(payload), 0) + payload
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                           socket.inet_aton(self.segment.server.ipv4), b"\xff" * 4)
        head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
        return mac + self._mac + struct.pack("!H", ETH_P_IP) + head + udp

    def stop(self):
        self._stop.close()
        self._thread.join()
        for sock in (self._wake, self._receiver, self._sender):
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
