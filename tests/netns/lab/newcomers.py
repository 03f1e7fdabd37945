"""Clients that come anew all the time while something happens to the anchor: each of them must be served (NAT-3, NAT-14).

Used by the tests of updates, crashes and repairs. Each kind of client is a process of its own, because Python's threads
would wait for the test's.
"""

import contextlib
import json
import os
import select
import socket
import struct

from netadmin_lab import LAN4, LAN6, ONE4, ONE6, Service, family_of

PATIENCE = 3.0  # a lost SYN is sent again after 1 s, so one loss is no failure, but a port without an element is
KINDS = [(protocol, address) for protocol in ("tcp", "udp") for address in (LAN4, LAN6)]


class Newcomers:
    """A process that asks one port again and again from new source ports; what it asked and what failed is kept."""

    def __init__(self, namespace, protocol, address, port, pause=0.0):
        self.stop_reader, self.stop_writer = os.pipe()
        self.result_reader, result_writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop_writer)
            with namespace.entered():
                result = self.work(protocol, address, port, pause)
            os.write(result_writer, json.dumps(result).encode())
            os._exit(0)
        os.close(result_writer)
        os.close(self.stop_reader)

    def work(self, protocol, address, port, pause):
        served, failures = 0, []
        ask = self.ask_tcp if protocol == "tcp" else self.ask_udp
        while not select.select([self.stop_reader], [], [], pause)[0]:
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            with socket.socket(family_of(address), kind) as client:
                client.settimeout(PATIENCE)
                try:
                    ask(client, (address, port))
                    served += 1
                except OSError as error:
                    failures.append(f"{protocol} {address}, after {served}: {error}")
        return {"served": served, "failures": failures[:20]}

    @staticmethod
    def ask_tcp(client, address):
        # Closed by a reset: neither side keeps the port.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
        client.connect(address)
        if not client.recv(100):
            raise ConnectionError("closed without an answer")

    @staticmethod
    def ask_udp(client, address):
        client.connect(address)
        client.send(b"?")
        client.recv(100)

    def stop(self):
        """{"served": count, "failures": texts}"""
        os.write(self.stop_writer, b".")  # its end alone would say nothing: younger processes hold it open, too
        os.close(self.stop_writer)
        result = json.loads(os.read(self.result_reader, 65536))
        os.waitpid(self.pid, 0)
        os.close(self.result_reader)
        return result


@contextlib.contextmanager
def arriving(lab, port, pause=0.0):
    """TCP and UDP, IPv4 and IPv6 newcomers at a port of the project's address meanwhile. Yields a dictionary that
    holds at the end how many of each kind were served; one that was not is an error."""
    clients = {kind: Newcomers(lab.client, *kind, port, pause) for kind in KINDS}
    served = {}
    try:
        yield served
    finally:
        results = {kind: client.stop() for kind, client in clients.items()}
        served.update((kind, result["served"]) for kind, result in results.items())
    assert [failure for result in results.values() for failure in result["failures"]] == []


@contextlib.contextmanager
def served_by_a_process(namespace, name, port, addresses=(ONE4, ONE6)):
    """Services for the newcomers and for flows, TCP and UDP, IPv4 and IPv6: in a process of their own, because their threads
    would keep the test's from its work."""
    reader, writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        services = [Service(namespace, name, protocol, port, address) for protocol in ("tcp", "udp")
                    for address in addresses]
        os.write(ready_writer, str(len(services)).encode())
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    os.close(ready_writer)
    try:
        assert os.read(ready_reader, 1) == b"4"
        yield
    finally:
        os.write(writer, b".")
        os.close(writer)
        os.waitpid(pid, 0)
        os.close(ready_reader)
