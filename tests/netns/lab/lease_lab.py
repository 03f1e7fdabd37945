"""netadmin_lab's network in the modes that ask the network for an address: the test is the supervisor that passes leases
on, and what ip says shows what became of them.
"""

import contextlib
import socket
import struct
import threading

import messages
import netadmin_lab
from netadmin_lab import EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6, ONE4, ONE6, SHARED_MAC, wait_until
from network_lab import ROUTER4, NetworkLab

LEASED4, LEASED4_NEXT, LEASED6 = "10.99.0.77", "10.99.0.78", "2001:db8:99::d6"
LEASED_ROUTER4 = "10.99.0.254"
HANDOVER_SECONDS = 5.0  # ADDR-2


class LeaseLab(NetworkLab):
    generation = 0
    mode = messages.MODE_DHCP_REFRESH

    def topology(self, own4=LAN4, own6=LAN6):
        return messages.topology(
            messages.network("lan", EXTERNAL_MAC, [("10.99.0.0/24", ROUTER4, None), ("2001:db8:99::/64", None, None)],
                             own4, own6),
            messages.network("transit", SHARED_MAC, [("172.30.0.0/24", "172.30.0.1", GATEWAY4),
                                                     ("fd30::/64", "fd30::1", GATEWAY6)]))

    def start(self, **arguments):
        return super().start(**{"mode": self.mode, **arguments})

    def send_lease(self, held, family=4, age=0.0):
        self.generation += 1
        self.netadmin.send(messages.lease(self.generation, family, held, age))

    def answer(self):
        """(error, reason) of the last lease sent."""
        while True:
            kind, generation, body = self.netadmin.receive()
            if kind == messages.LEASE_APPLIED and generation == self.generation:
                return messages.parse_lease_applied(body)[1:]

    def lease(self, text=f"{LEASED4}/24", family=4, age=0.0, **properties):
        """Passes a lease on, which must be taken."""
        if family == 4 and "routes" not in properties:
            properties.setdefault("routers", [LEASED_ROUTER4])
        self.send_lease(messages.wire_lease(text, **properties), family, age)
        assert self.answer() == (0, "")

    def lease_lost(self, family=4):
        self.send_lease(None, family)
        assert self.answer() == (0, "")

    def refused(self, text, family=4, **properties):
        """Passes on a lease that must be refused; returns why."""
        self.send_lease(messages.wire_lease(text, **properties), family)
        error, reason = self.answer()
        assert error < 0, f"{text} {properties} was taken"
        return reason

    def external(self, family=4):
        """The external interface's addresses of a family but link-local ones, as address/prefix."""
        lines = self.lines(f"-{family}", "-oneline", "address", "show", "dev", "ext0", "scope", "global")
        return [line.split()[3] for line in lines]

    def wait_external(self, *wanted, family=4, deadline=HANDOVER_SECONDS):
        wait_until(lambda: sorted(self.external(family)) == sorted(wanted),
                   f"{wanted} on the external interface", deadline)

    def lifetime(self, text):
        """(valid, preferred) in seconds of an address/prefix; None for one that stays for ever."""
        line, = [line for line in self.addresses("ext0") if f" {text} " in line]
        words = line.split()
        found = [words[words.index(key) + 1] for key in ("valid_lft", "preferred_lft")]
        return tuple(None if value == "forever" else int(value.removesuffix("sec")) for value in found)

    def external_set(self, family=4):
        """What the set `external` holds."""
        table = self.anchor.run("nft", "list", "set", "ip" if family == 4 else "ip6", f"anchord_v{family}", "external")
        if "elements" not in table:
            return []
        inner = table.split("elements = {", 1)[1].split("}", 1)[0]
        return sorted(element.strip() for element in inner.split(","))

    def expose(self, *items):
        self.netadmin.expose(*(items or (messages.exposure("tcp", 8080, ONE4), messages.exposure("udp", 8080, ONE4),
                                         messages.exposure("tcp", 8080, ONE6), messages.exposure("udp", 8080, ONE6))))

    def serve_one(self):
        for address in (ONE4, ONE6):
            for protocol in ("tcp", "udp"):
                self.serve(self.one, "one", protocol, 8080, address)

    @contextlib.contextmanager
    def announced(self):
        """The test as announcer: yields the list of sets of (interface, address) that were to be announced."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.netadmin.send(messages.link(messages.PEER_ANNOUNCER), [theirs.fileno()])
        theirs.close()
        states = []
        reader = threading.Thread(target=self.read_held, args=(ours, states), daemon=True)
        reader.start()
        try:
            yield states
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            reader.join(netadmin_lab.DEADLINE)
            ours.close()

    @staticmethod
    def read_held(channel, states):
        while datagram := channel.recv(messages.LENGTH_MAX):
            kind, _, body = messages.split(datagram)
            if kind == messages.HELD_BEGIN:
                current = set()
            elif kind == messages.HELD_ITEMS:
                count, _ = struct.unpack_from("=2I", body)
                for index in range(count):
                    name, _, address = messages.parse_held(body[8 + index * messages.HELD_SIZE:])
                    current.add((name, address))
            elif kind == messages.HELD_COMMIT:
                states.append(current)
            elif kind == messages.PROBE:
                channel.send(messages.probed(body))


class Flow:
    """One connection from a client that is used again and again."""

    def __init__(self, namespace, protocol, address, port, source=None):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        self.socket = namespace.socket(netadmin_lab.family_of(address), kind)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        if protocol == "tcp":
            self.socket.recv(2048)  # the greeting
        self.exchange()

    def exchange(self):
        self.socket.send(b"?")
        assert self.socket.recv(2048)

    def is_alive(self, patience=0.3):
        self.socket.settimeout(patience)
        try:
            self.exchange()
            return True
        except OSError:
            return False
        finally:
            self.socket.settimeout(netadmin_lab.DEADLINE)

    def close(self):
        self.socket.close()
