"""anchord-announcer under test, with a neighbour on a cable that sees every frame and can forge any.

    anchor eth0 (OUR_MAC) --- eth0 (PEER_MAC) neighbour

Runs as root; the program gets what the supervisor would give it: uid 24945, no capability, an empty bounding set, its
channel at descriptor 3, raw sockets by message.
"""

import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

import messages
from netadmin_lab import DEADLINE, Namespace, wait_until

ANNOUNCER_USER = 24945
OUR_MAC, OTHER_MAC, PEER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:11", "02:00:00:00:00:02"
OURS4, OURS6 = "10.99.0.50", "fd99::50"
PEER4, PEER6 = "10.99.0.9", "fd99::9"
FREE4, FREE6 = "10.99.0.77", "fd99::77"
ARP, IPV6 = 0x0806, 0x86dd
NOBODY = "00:00:00:00:00:00"
BROADCAST = "ff:ff:ff:ff:ff:ff"
SOLICITATION, ADVERTISEMENT = 135, 136
RUN = ["bash", "-c", 'fd=$0; exec 3<&"$fd" {fd}<&-; exec "$@"']
STEP_DOWN = ["setpriv", f"--reuid={ANNOUNCER_USER}", f"--regid={ANNOUNCER_USER}", "--clear-groups", "--inh-caps=-all",
             "--bounding-set=-all", "--no-new-privs"]


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def arp(sender_mac, sender, target, *, operation=1, target_mac=NOBODY, destination=BROADCAST):
    """A whole frame, as RFC 826 has it."""
    return (mac_bytes(destination) + mac_bytes(sender_mac) + struct.pack("!HHHBBH", ARP, 1, 0x0800, 6, 4, operation) +
            mac_bytes(sender_mac) + socket.inet_aton(sender) + mac_bytes(target_mac) + socket.inet_aton(target))


def checksum(source, destination, body):
    data = source + destination + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def neighbour(kind, mac, source, destination, target, *, flags=0, option=b"", hop_limit=255):
    """A whole frame with a neighbour message of RFC 4861."""
    source, destination = (socket.inet_pton(socket.AF_INET6, text) for text in (source, destination))
    body = struct.pack("!BBHI", kind, 0, 0, flags << 24) + socket.inet_pton(socket.AF_INET6, target) + option
    body = body[:2] + struct.pack("!H", checksum(source, destination, body)) + body[4:]
    return (b"\x33\x33" + destination[12:] + mac_bytes(mac) + struct.pack("!HIHBB", IPV6, 6 << 28, len(body), 58,
                                                                           hop_limit) + source + destination + body)


def advertisement(mac, address, *, flags=0xa0, hop_limit=255):
    """Unsolicited, to all nodes, with the target's link-layer address; 0xa0: router and override."""
    return neighbour(ADVERTISEMENT, mac, address, "ff02::1", address, flags=flags, hop_limit=hop_limit,
                     option=b"\x02\x01" + mac_bytes(mac))


def router_advertisement(mac, router, *options, hop_limit=255):
    """To all nodes (RFC 4861 §4.2), a router for half an hour."""
    source, destination = (socket.inet_pton(socket.AF_INET6, text) for text in (router, "ff02::1"))
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"".join(options)
    body = body[:2] + struct.pack("!H", checksum(source, destination, body)) + body[4:]
    return (b"\x33\x33" + destination[12:] + mac_bytes(mac) +
            struct.pack("!HIHBB", IPV6, 6 << 28, len(body), 58, hop_limit) + source + destination + body)


def prefix_option(prefix, preferred=1800):
    network = ipaddress.ip_network(prefix)
    return struct.pack("!BBBBIII", 3, 4, network.prefixlen, 0xc0, 3600, preferred, 0) + network.network_address.packed


def mtu_option(mtu):
    return struct.pack("!BBHI", 5, 1, 0, mtu)


def route_option(prefix):
    """RFC 4191 §2.3."""
    network = ipaddress.ip_network(prefix)
    return struct.pack("!BBBBI", 24, 3, network.prefixlen, 0, 1800) + network.network_address.packed


def solicitation_of_detection(mac, address):
    """Duplicate address detection: from ::, to the solicited-node group (RFC 4862 §5.4.2)."""
    last = socket.inet_pton(socket.AF_INET6, address)[13:]
    group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + last)
    return neighbour(SOLICITATION, mac, "::", group, address)


class Wire:
    """The neighbour's end of the cable: what arrives there, and what it sends."""

    def __init__(self, namespace):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind(("eth0", 0x0003))  # ETH_P_ALL
        self.frames = []  # (monotonic time, frame), incoming only

    def send(self, *frames):
        for frame in frames:
            self.socket.send(frame)

    def drain(self, seconds):
        """Collects until nothing has come for so long, at the most."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.socket], [], [], left)[0]:
            frame, (_, _, kind, _, _) = self.socket.recvfrom(2048)
            if kind != socket.PACKET_OUTGOING:
                self.frames.append((time.monotonic(), frame))

    def times(self, frame):
        """When it came."""
        return [when for when, seen in self.frames if seen == frame]

    def wait(self, frame, count=1, deadline=DEADLINE):
        """The time of the `count`-th arrival of exactly this frame."""
        end = time.monotonic() + deadline
        while len(self.times(frame)) < count:
            assert time.monotonic() < end, f"no {count}. {frame.hex()} in {[seen.hex() for _, seen in self.frames]}"
            self.drain(0.02)
        return self.times(frame)[count - 1]

    def never(self, frame, seconds, count=0):
        """Not more than `count` times within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.drain(left)
        assert len(self.times(frame)) <= count


class Announcer:
    """One run of the program and the test's end of its two channels."""

    def __init__(self, program, namespace, raw_sockets):
        self.supervisor, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.supervisor.settimeout(DEADLINE)
        self.log = []
        with namespace.entered():
            self.process = subprocess.Popen([*RUN, str(theirs.fileno()), *STEP_DOWN, str(program)], env={},
                                            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        theirs.close()
        self.pid = self.process.pid
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.netadmin = None
        self.generation = 0
        self.supervisor.send(messages.message(messages.CONFIGURE_ANNOUNCER, struct.pack("=2I", messages.LOG_INFO, 0)))
        for kind, raw in raw_sockets.items():
            socket.send_fds(self.supervisor, [messages.message(messages.RAW_SOCKET, struct.pack("=2I", kind, 0))],
                            [raw.fileno()])
        self.link()

    def _read(self):
        for line in self.process.stdout:
            self.log.append(json.loads(line))

    def logged(self, text, **fields):
        return [line for line in list(self.log) if line["msg"].startswith(text) and
                all(line.get(key) == value for key, value in fields.items())]

    def wait_log(self, text, **fields):
        return wait_until(lambda: self.logged(text, **fields), f"{text!r} in {self.log}")[0]

    def link(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(DEADLINE)
        if self.netadmin:
            self.netadmin.close()
        self.netadmin = ours
        socket.send_fds(self.supervisor, [messages.link(messages.PEER_NETADMIN)], [theirs.fileno()])
        theirs.close()

    def hold(self, *items):
        self.generation += 1
        for datagram in messages.held_state(items, self.generation):
            self.netadmin.send(datagram)

    def ping(self):
        """Answered when it is awake and well."""
        self.supervisor.send(messages.message(messages.PING, generation=7))
        assert messages.split(self.supervisor.recv(messages.LENGTH_MAX))[:2] == (messages.PONG, 7)

    def probe(self, target):
        """Returns (holder or None, seconds) of the answer about a wire_held."""
        started = time.monotonic()
        self.netadmin.send(messages.message(messages.PROBE, target, generation=3))
        kind, generation, body = messages.split(self.netadmin.recv(messages.LENGTH_MAX))
        assert (kind, generation, body[:messages.HELD_SIZE]) == (messages.PROBED, 3, target)
        is_held, holder = struct.unpack_from("=I6s", body, messages.HELD_SIZE)
        return holder.hex(":") if is_held else None, time.monotonic() - started

    def wait(self):
        return self.process.wait(DEADLINE)

    def close(self):
        self.supervisor.close()
        self.netadmin.close()
        self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stdout.close()


class AnnouncerLab:
    def __init__(self, program):
        self.program = program
        self.anchor, self.neighbour = Namespace(), Namespace()
        self.announcers = []
        self.anchor.run("ip", "link", "add", "eth0", "address", OUR_MAC, "type", "veth", "peer", "name", "eth0",
                        "address", PEER_MAC, "netns", f"/proc/{os.getpid()}/fd/{self.neighbour.descriptor}")
        for namespace, addresses in ((self.anchor, (f"{OURS4}/24", f"{OURS6}/64")),
                                     (self.neighbour, (f"{PEER4}/24", f"{PEER6}/64"))):
            namespace.run("ip", "link", "set", "eth0", "up")
            for text in addresses:
                namespace.run("ip", "address", "add", text, "dev", "eth0", *(["nodad"] if ":" in text else []))
        # Before that the kernel drops what is sent, without a word; netadmin waits for it, too (IFF_RUNNING).
        wait_until(lambda: "LOWER_UP" in self.anchor.run("ip", "link", "show", "up", "eth0") and
                   "state UP" in self.anchor.run("ip", "link", "show", "eth0"), "the cable")
        with self.anchor.entered():
            self.index = socket.if_nametoindex("eth0")
        self.raw_sockets = {
            messages.RAW_SOCKET_ARP: self.anchor.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
            messages.RAW_SOCKET_ICMP6: self.anchor.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)}
        self.wire = Wire(self.neighbour)

    def start(self):
        announcer = Announcer(self.program, self.anchor, self.raw_sockets)
        self.announcers.append(announcer)
        return announcer

    def held(self, address, mac=OUR_MAC):
        return messages.held(self.index, mac, address)

    def close(self):
        for announcer in self.announcers:
            announcer.close()
        for made in (*self.raw_sockets.values(), self.wire.socket, self.anchor, self.neighbour):
            made.close()
