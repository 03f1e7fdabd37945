"""DHCPv4 and DHCPv6 servers that answer with whatever a test wants: wrong, oversized, absurd.

Used by tests, as root. Each runs as a thread, on sockets of the segment's server box. Frames of DHCPv4 are built here:
the kernel would refuse some of what goes out.
"""

import select
import socket
import struct
import threading

from . import dhcp_messages as dhcp
from .probe import internet_checksum

ETH_P_IP = 0x0800
ALL_SERVERS6 = "ff02::1:2"  # RFC 8415, 7.1
OUR_ID6 = bytes((0, 3, 0, 1, 2, 0, 0, 0, 0, 6))  # a DUID-LL (RFC 8415, 11.4)


class _Server:
    """A thread that handles what a socket receives; the socket is a subclass's, made in open(). A context manager.
    answer may be replaced while it runs; None: says nothing."""

    def __init__(self, segment, answer=None):
        self.segment = segment
        self.answer = answer
        self.requests = []
        with segment.server:
            self._receiver = self.open()
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            ready, _, _ = select.select((self._receiver, self._wake), (), ())
            if self._receiver in ready:
                self.handle(*self._receiver.recvfrom(65536))
            elif self._wake in ready:
                return

    def stop(self):
        self._stop.close()
        self._thread.join()
        self._wake.close()
        self._receiver.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class HostileServer(_Server):
    """Answers DISCOVER and REQUEST by answer(request, kind) -> (address, options); None: says nothing. A REQUEST that
    names no server, for a lease of before, gets a NAK. requests lists the Message4 that came."""

    def open(self):
        host = self.segment.server
        self._mac = bytes.fromhex(host.link_address().replace(":", ""))
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        receiver.bind(("", dhcp.SERVER4))
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sender.bind((host.interface, 0))
        return receiver

    def handle(self, data, _):
        request = dhcp.parse4(data)
        if request:
            self.requests.append(request)
            self._reply(request)

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
        super().stop()
        self._sender.close()


class HostileServer6(_Server):
    """Answers SOLICIT and REQUEST by answer(request) -> the bytes of all options. Who holds a lease of before hears that
    it is not for this link (RFC 8415, 18.2.10.1) and solicits. requests lists the Message6 that came."""

    def open(self):
        receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        receiver.bind(("", dhcp.SERVER6))
        index = socket.if_nametoindex(self.segment.server.interface)
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                            socket.inet_pton(socket.AF_INET6, ALL_SERVERS6) + struct.pack("@I", index))
        return receiver

    @staticmethod
    def identifiers(request):
        """The two options that an answer must have to be heard."""
        return dhcp.option6(dhcp.SERVER_ID6, OUR_ID6) + dhcp.option6(dhcp.CLIENT6, request.options[dhcp.CLIENT6])

    def handle(self, data, sender):
        request = dhcp.parse6(data)
        self.requests.append(request)
        kind = dhcp.ADVERTISE6 if request.kind == dhcp.SOLICIT6 else dhcp.REPLY6
        if request.kind in (dhcp.CONFIRM6, dhcp.RENEW6, dhcp.REBIND6):
            options = self.identifiers(request) + dhcp.option6(dhcp.STATUS6, struct.pack("!H", dhcp.NOT_ON_LINK6))
        elif request.kind in (dhcp.SOLICIT6, dhcp.REQUEST6) and self.answer:
            options = self.answer(request)
        else:
            return
        self._receiver.sendto(bytes((kind,)) + request.transaction + options, sender)
