#!/usr/bin/python3
"""What a client does: probe a port, hold a connection, send datagrams, scan, ping, ask for a MAC.

Used by the tests inside the namespace of a LAN host (topology.Host), and in the test image as the
command `probe`, for what a container itself sends:

    probe tcp 203.0.113.9 80        prints the service's answer, or refused, timeout, unreachable

Ping and neighbour need CAP_NET_RAW. All times are in seconds. Standard library only, and no other
file of the lab: this file is copied into the test image alone.
"""

import argparse
import errno
import fcntl
import ipaddress
import itertools
import os
import selectors
import socket
import struct
import sys
import threading
import time

# EADDRNOTAVAIL: there is a route, but no address of ours to come from.
UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EHOSTDOWN, errno.EPERM,
               errno.EADDRNOTAVAIL)


def family_of(address):
    version = ipaddress.ip_address(address.split("%")[0]).version
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def client_socket(kind, address, source_port=None):
    """A socket for address, bound to a source port when one is given. A TCP connection from a given
    port is reset when closed, because TIME_WAIT would block the port for the next one."""
    family = family_of(address)
    sock = socket.socket(family, kind)
    if source_port is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", source_port))
    return sock


def outcome(error):
    """The word for an error of connect, send or receive."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return "timeout"
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno == errno.ECONNRESET:
        return "reset"
    if error.errno in UNREACHABLE:
        return "unreachable"
    raise error


def probe(proto, address, port, *, source_port=None, timeout=2.0, payload=b""):
    """Ask once. Returns the service's first line without its newline, or one of 'refused',
    'reset', 'timeout', 'unreachable'; 'open' for a TCP service that accepted and said nothing.

    TCP sends payload after the greeting only if there is one; UDP always sends payload."""
    if proto not in ("tcp", "udp"):
        raise ValueError(f"proto {proto!r}: tcp or udp")
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with client_socket(kind, address, source_port) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
        except OSError as error:
            return outcome(error)
        try:
            if proto == "udp":
                sock.send(payload or b"\n")
            answer = sock.recv(65536)
        except TimeoutError:
            return "open" if proto == "tcp" else "timeout"
        except OSError as error:
            return outcome(error)
        return answer.split(b"\n", 1)[0].decode(errors="replace")


class Connection:
    """A TCP connection to an echo service that stays open. identity is the service's greeting:
    (service name, our address as it saw it, our port as it saw it)."""

    def __init__(self, address, port, *, source_port=None, timeout=2.0):
        self.socket = client_socket(socket.SOCK_STREAM, address, source_port)
        try:
            self.socket.settimeout(timeout)
            self.socket.connect((address, port))
            self._file = self.socket.makefile("rb")
            name, peer, peer_port = self._file.readline().decode().split()
        except BaseException:
            self.socket.close()
            raise
        self.identity = (name, peer, int(peer_port))

    def exchange(self, text="still here"):
        """Send a line and return the echo without its newline; OSError when the connection broke,
        EOFError when the service closed it."""
        self.socket.sendall(text.encode() + b"\n")
        answer = self._file.readline()
        if not answer.endswith(b"\n"):
            raise EOFError("the service closed the connection")
        return answer.decode().rstrip("\n")

    def alive(self, text="still here"):
        try:
            return self.exchange(text) == text
        except (OSError, EOFError):
            return False

    def close(self):
        self._file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class UdpPinger:
    """Sends numbered datagrams from one fixed source port at a rate (per second) until stopped.

    replies is a list of (sequence number, time of arrival, first line of the answer); errors a
    list of (time, word) for ICMP errors that came back. Both grow while it runs."""

    def __init__(self, address, port, *, source_port=None, rate=50.0):
        self.socket = client_socket(socket.SOCK_DGRAM, address, source_port)
        self.socket.connect((address, port))
        self.socket.settimeout(0.1)
        self.source_port = self.socket.getsockname()[1]
        self.sent = 0
        self.replies = []
        self.errors = []
        self._interval = 1.0 / rate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True)
                         for target in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                self.socket.send(b"%d" % self.sent)
            except OSError as error:
                self.errors.append((time.monotonic(), outcome(error)))
            self.sent += 1
            due += self._interval
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _receive(self):
        while not self._stop.is_set():
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                self.errors.append((time.monotonic(), outcome(error)))
                continue
            line, _, sequence = data.partition(b"\n")
            self.replies.append((int(sequence), time.monotonic(), line.decode()))

    def last_reply(self):
        return self.replies[-1][2] if self.replies else None

    def replies_since(self, moment):
        """Answers that arrived after a time.monotonic()."""
        return [reply for reply in self.replies if reply[1] >= moment]

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Scan:
    """Result of a scan: sets of port numbers. silent ports gave no answer in time."""

    def __init__(self):
        self.open = set()
        self.refused = set()
        self.unreachable = set()
        self.silent = set()

    def add(self, port, word):
        names = {"open": self.open, "refused": self.refused, "reset": self.refused,
                 "unreachable": self.unreachable, "timeout": self.silent}
        names[word].add(port)

    def __repr__(self):
        return (f"Scan(open={sorted(self.open)}, refused={len(self.refused)}, "
                f"unreachable={len(self.unreachable)}, silent={len(self.silent)})")


def scan_tcp(address, ports, *, timeout=1.0, parallel=512):
    """Connect to each port. A port whose connection is established counts as open."""
    return _scan(address, ports, timeout, parallel, socket.SOCK_STREAM, selectors.EVENT_WRITE)


def scan_udp(address, ports, *, timeout=1.0, parallel=512):
    """Send a datagram to each port. One that answers counts as open; a kernel answers only a few
    closed ports a second with ICMP, the rest are silent."""
    return _scan(address, ports, timeout, parallel, socket.SOCK_DGRAM, selectors.EVENT_READ)


def _scan(address, ports, timeout, parallel, kind, event):
    result = Scan()
    waiting = iter(ports)
    pending = {}  # socket -> (port, end of waiting), in the order of their ends
    has_begun = False
    with selectors.EpollSelector() as selector:
        while True:
            # The first one alone: it finds the neighbour, for whose answer the kernel keeps only some packets, the newest.
            room = parallel if has_begun else 1
            while len(pending) < room and (port := next(waiting, None)) is not None:
                has_begun = True
                sock, word = _begin(address, port, kind)
                if word:
                    result.add(port, word)
                    sock.close()
                else:
                    selector.register(sock, event)
                    pending[sock] = (port, time.monotonic() + timeout)
            if not pending:
                return result
            oldest_end = next(iter(pending.values()))[1]
            ready = {key.fileobj for key, _ in
                     selector.select(max(0.0, oldest_end - time.monotonic()))}
            for sock in ready:
                result.add(pending[sock][0], _finish(sock, kind))
            now = time.monotonic()
            late = [sock for sock, (_, end) in itertools.takewhile(
                        lambda item: item[1][1] <= now, pending.items()) if sock not in ready]
            for sock in late:
                result.add(pending[sock][0], "timeout")
            for sock in (*ready, *late):
                selector.unregister(sock)
                del pending[sock]
                sock.close()


def _begin(address, port, kind):
    """Start one attempt; returns (socket, None) or (socket, word) when it ended at once."""
    sock = client_socket(kind, address)
    sock.setblocking(False)
    try:
        code = sock.connect_ex((address, port))
        if kind == socket.SOCK_DGRAM and code == 0:
            sock.send(b"\n")
        elif code not in (0, errno.EINPROGRESS):
            return sock, outcome(OSError(code, os.strerror(code)))
    except OSError as error:
        return sock, outcome(error)
    return sock, None


def _finish(sock, kind):
    """The word for an attempt whose socket became ready."""
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        return outcome(OSError(code, os.strerror(code)))
    if kind == socket.SOCK_DGRAM:
        try:
            sock.recv(65536)
        except OSError as error:
            return outcome(error)
    return "open"


def internet_checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ping(address, *, timeout=1.0):
    """One ICMP echo. Returns the address that answered it, or None after timeout."""
    identifier = os.getpid() & 0xffff
    body = struct.pack("!HH", identifier, threading.get_ident() & 0xffff) + os.urandom(16)
    if family_of(address) == socket.AF_INET6:
        # The kernel fills in the checksum of raw ICMPv6 sockets (RFC 3542, 3.1).
        request, reply_type, header = bytes((128, 0, 0, 0)) + body, 129, 0
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    else:
        checksum = internet_checksum(bytes((8, 0, 0, 0)) + body)
        request, reply_type, header = struct.pack("!BBH", 8, 0, checksum) + body, 0, 20
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        try:
            sock.sendto(request, (address, 0))
        except OSError as error:
            if outcome(error) == "unreachable":
                return None
            raise
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                packet, peer = sock.recvfrom(65536)
            except TimeoutError:
                return None
            message = packet[header:]
            if message[0] == reply_type and message[4:] == body:
                return peer[0]
    return None


def neighbour(interface, address, *, timeout=0.5):
    """Ask on the link who has an address, without the kernel's neighbour table: ARP (RFC 826) or
    a neighbour solicitation (RFC 4861). Returns the MAC as text, or None after timeout."""
    ask = _solicit if family_of(address) == socket.AF_INET6 else _arp
    return ask(interface, address, timeout)


def _arp(interface, address, timeout):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as sock:
        sock.bind((interface, 0x0806))
        mac = sock.getsockname()[4]
        target = socket.inet_aton(address)
        source = _interface_ipv4(interface)
        sock.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
                  + mac + source + bytes(6) + target)
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                frame = sock.recv(2048)
            except TimeoutError:
                return None
            if frame[20:22] == b"\0\2" and frame[28:32] == target and frame[:6] == mac:
                return frame[22:28].hex(":")
    return None


def _interface_ipv4(interface):
    """The first IPv4 address of an interface, packed (SIOCGIFADDR)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16s24x", interface.encode())
        return fcntl.ioctl(sock, 0x8915, request)[20:24]


def _interface_mac(interface):
    """From a bound packet socket: /sys shows the interfaces of another namespace than ours."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((interface, 0))
        return sock.getsockname()[4]


def _solicit(interface, address, timeout):
    packed = socket.inet_pton(socket.AF_INET6, address)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        index = socket.if_nametoindex(interface)
        mac = _interface_mac(interface)
        # Solicited-node multicast group, hop limit 255 (RFC 4861, 4.3).
        group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + packed[13:]
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.sendto(bytes((135, 0, 0, 0, 0, 0, 0, 0)) + packed + b"\1\1" + mac,
                    (socket.inet_ntop(socket.AF_INET6, group), 0, 0, index))
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                message = sock.recv(2048)
            except TimeoutError:
                return None
            if message[0] == 136 and message[8:24] == packed and message[24:26] == b"\2\1":
                return message[26:32].hex(":")
    return None


def main():
    parser = argparse.ArgumentParser(prog="probe", description=__doc__.split("\n", 1)[0])
    parser.add_argument("proto", choices=("tcp", "udp"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--source-port", type=int)
    parser.add_argument("--timeout", type=float, default=2.0)
    arguments = parser.parse_args()
    print(probe(arguments.proto, arguments.address, arguments.port,
                source_port=arguments.source_port, timeout=arguments.timeout))


if __name__ == "__main__":
    sys.exit(main())
