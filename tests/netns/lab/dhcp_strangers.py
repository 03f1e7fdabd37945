"""Other hosts on the LAN of dhcp_client_lab.py that get in a DHCP client's way: who claims, who answers for every address,
who refuses what was asked of another server, who has our name. All live in the server's namespace, with MACs of their own.
"""

import select
import socket
import struct
import threading

from announcer_lab import ARP, arp, mac_bytes
from lab import dhcp_messages as dhcp
from lab.probe import internet_checksum

STRANGER = "02:00:00:00:00:66"
NOBODY = "0.0.0.0"
BROADCAST = b"\xff" * 6
IPV4 = 0x0800


def udp_frame(mac, source, source_port, destination_port, payload):
    """To everybody; without a UDP checksum (RFC 768: zero)."""
    udp = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(source), BROADCAST[:4])
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    return BROADCAST + mac_bytes(mac) + struct.pack("!H", IPV4) + head + udp


def dhcp_request(frame):
    """The Message4 in a frame to DHCP servers, or None."""
    is_dhcp = len(frame) > 42 and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\0C"
    return dhcp.parse4(frame[42:]) if is_dhcp else None


class Stranger:
    """Hears every frame of the LAN in a thread of its own and may answer; a context manager."""

    def __init__(self, lab, mac=STRANGER):
        self.mac = mac
        self.socket = lab.server.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind(("eth0", 0x0003))  # ETH_P_ALL
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.close()
        self._thread.join()
        self._wake.close()
        self.socket.close()

    def _listen(self):
        while True:
            ready, _, _ = select.select((self.socket, self._wake), (), ())
            if self._wake in ready:
                return
            frame, sender = self.socket.recvfrom(2048)
            for answer in self.answer(frame) if sender[2] != socket.PACKET_OUTGOING else ():
                self.socket.send(answer)

    def answer(self, frame):  # pylint: disable=unused-argument
        """The frames to send."""
        return []


class ProxyOfAll(Stranger):
    """A router with proxy ARP for the whole pool: answers every probe."""

    def answer(self, frame):
        if struct.unpack_from("!H", frame, 12)[0] != ARP or frame[28:32] != bytes(4):
            return []
        return [arp(self.mac, socket.inet_ntoa(frame[38:42]), NOBODY, operation=2, target_mac=frame[6:12].hex(":"),
                    destination=frame[6:12].hex(":"))]


class TwoServers(Stranger):
    """A DHCPv4 server that offers an address, and another one whose DHCPNAK to each REQUEST that it hears comes first. With
    `is_alone` only the refusals come, in the first one's name."""

    def __init__(self, lab, address, server, other):
        super().__init__(lab)
        self.address, self.server, self.other = address, server, other
        self.requests = 0
        self.is_alone = server == other

    def _reply(self, request, kind, server):
        options = [(dhcp.SERVER, dhcp.addresses(server)), (dhcp.LEASE_TIME, dhcp.seconds(120)), (dhcp.MASK, dhcp.addresses("255.255.255.0"))]
        address = self.address if kind != dhcp.NAK else NOBODY
        payload = dhcp.reply4(request, kind, address, options[:1] if kind == dhcp.NAK else options, server)
        return udp_frame(self.mac, server, dhcp.SERVER4, dhcp.CLIENT4, payload)

    def answer(self, frame):
        request = dhcp_request(frame)
        if request is None:
            return []
        if request.kind == dhcp.DISCOVER:
            return [self._reply(request, dhcp.OFFER, self.server)]
        if request.kind != dhcp.REQUEST:
            return []
        self.requests += 1
        refusal = [self._reply(request, dhcp.NAK, self.other)] if frame.startswith(BROADCAST) else []
        return refusal + ([] if self.is_alone else [self._reply(request, dhcp.ACK, self.server)])


class OneServer(Stranger):
    """A DHCPv4 server that gives `address`, or is silent while that is None; `lease_seconds` may be fewer than dnsmasq's least."""

    def __init__(self, lab, server, lease_seconds):
        super().__init__(lab)
        self.server, self.lease_seconds, self.address = server, lease_seconds, None
        self._port = lab.server.socket(socket.AF_INET, socket.SOCK_DGRAM)  # or the kernel would refuse what comes unicast
        self._port.bind((server, dhcp.SERVER4))

    def __exit__(self, *_):
        super().__exit__()
        self._port.close()

    def answer(self, frame):
        request = dhcp_request(frame)
        kind = request and {dhcp.DISCOVER: dhcp.OFFER, dhcp.REQUEST: dhcp.ACK}.get(request.kind)
        if not kind or not self.address:
            return []
        options = [(dhcp.SERVER, dhcp.addresses(self.server)), (dhcp.LEASE_TIME, dhcp.seconds(self.lease_seconds)),
                   (dhcp.MASK, dhcp.addresses("255.255.255.0")), (dhcp.ROUTER, dhcp.addresses(self.server))]
        payload = dhcp.reply4(request, kind, self.address, options, self.server)
        return [udp_frame(self.mac, self.server, dhcp.SERVER4, dhcp.CLIENT4, payload)]


def discover(name, mac=STRANGER):
    """The DISCOVER of a dhcpcd whose client identifier is a name (RFC 2132, 9.14: type 0)."""
    identifier = b"\0" + name.encode()
    options = (bytes((dhcp.KIND, 1, dhcp.DISCOVER, 55, 3, 1, 3, 121, 57, 2, 5, 220, 60, 7)) + b"anchord" +
               bytes((dhcp.CLIENT, len(identifier))) + identifier + b"\xff")
    body = struct.pack(dhcp.FIXED, 1, 1, 6, 0, 0x12345678, 0, 0, bytes(4), bytes(4), bytes(4), bytes(4), mac_bytes(mac), dhcp.COOKIE)
    return udp_frame(mac, NOBODY, dhcp.CLIENT4, dhcp.SERVER4, body + options)
