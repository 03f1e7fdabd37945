"""The LAN of a lab: a switch, two hosts, a router with an outside network, the engine's uplink.

Called by instance.py, as root. Every box is a network namespace of its own:

    outside ──── router ──┐
                          │
    lanhost1 ───────── switch ───── engine   (interface "uplink", the parent of macvlan networks)
    lanhost2 ──────────── ┘

    LAN      10.99.0.0/24     fd99::/64           router .1, engine .2, lanhost1 .11, lanhost2 .12
    outside  203.0.113.0/24   2001:db8:99::/64    router .1, outside .9

The router forwards and does not translate, and the outside server has a route back: what arrives
there shows the address that a packet left the LAN with. Interfaces carry the same names in every
lab, because each lives in its own namespace.
"""

import json
import re

from . import capture, probe
from .machine import NAMED_NAMESPACES, LabError, Namespace, run

LAN_V4 = "10.99.0.0/24"
LAN_V6 = "fd99::/64"
ROUTER = ("10.99.0.1", "fd99::1")
ENGINE = ("10.99.0.2", "fd99::2")
OUTSIDE = ("203.0.113.9", "2001:db8:99::9")
OUTSIDE_ROUTER = ("203.0.113.1", "2001:db8:99::1")
LAN_HOSTS = {"lanhost1": ("10.99.0.11", "fd99::11"), "lanhost2": ("10.99.0.12", "fd99::12")}
BOXES = ("switch", "router", "outside", "engine", *LAN_HOSTS)
# Boxes of segment.py, with the segment's number behind the name.
SEGMENT_BOXES = ("router", "server", "client")
PREFIX = "anchord-lab-"
LAN_INTERFACE = "lan0"
OUTSIDE_INTERFACE = "out0"
UPLINK = "uplink"


class Host(Namespace):
    """A host of the lab: a network namespace with the client's actions of probe.py bound to it."""

    def __init__(self, path, addresses=(), interface=LAN_INTERFACE):
        super().__init__(path)
        self.addresses = tuple(addresses)
        self.interface = interface

    @property
    def ipv4(self):
        return self.addresses[0]

    @property
    def ipv6(self):
        return self.addresses[1]

    def probe(self, proto, address, port, **options):
        with self:
            return probe.probe(proto, address, port, **options)

    def connect(self, address, port, **options):
        with self:
            return probe.Connection(address, port, **options)

    def udp_pinger(self, address, port, **options):
        with self:
            return probe.UdpPinger(address, port, **options)

    def ping(self, address, **options):
        with self:
            return probe.ping(address, **options)

    def neighbour(self, address, **options):
        """Ask the link who has an address (ARP or neighbour solicitation); its MAC or None."""
        with self:
            return probe.neighbour(self.interface, address, **options)

    def scan_tcp(self, address, ports, **options):
        with self:
            return probe.scan_tcp(address, ports, **options)

    def scan_udp(self, address, ports, **options):
        with self:
            return probe.scan_udp(address, ports, **options)

    def capture(self, interface=None):
        """Record the packets on an interface until stopped; see capture.Capture."""
        return capture.Capture(self, interface)

    def add_route(self, destination, via):
        self.run(["ip", "route", "replace", destination, "via", via])

    def delete_route(self, destination):
        self.run(["ip", "route", "del", destination])

    def forget_neighbours(self):
        self.run(["ip", "neigh", "flush", "dev", self.interface])

    def link_address(self, interface=None):
        links = json.loads(self.run(["ip", "-j", "link", "show", interface or self.interface]).stdout)
        return links[0]["address"]


class Topology:
    """Makes and removes the namespaces of one lab, and hands out its hosts."""

    def __init__(self, name):
        self.prefix = f"{PREFIX}{name}-"

    def path(self, box):
        return NAMED_NAMESPACES / f"{self.prefix}{box}"

    def namespaces(self):
        """The namespaces of this lab that exist now, by file."""
        names = f"{re.escape(self.prefix)}({'|'.join(BOXES)}|({'|'.join(SEGMENT_BOXES)})[0-9]+)"
        return sorted(path for path in NAMED_NAMESPACES.glob("*") if re.fullmatch(names, path.name))

    def host(self, box):
        if box not in BOXES:
            raise LabError(f"no box named {box}: there are {', '.join(BOXES)}")
        addresses = {"router": ROUTER, "outside": OUTSIDE, "engine": ENGINE} | LAN_HOSTS
        interfaces = {"outside": OUTSIDE_INTERFACE, "engine": UPLINK}
        return Host(self.path(box), addresses.get(box, ()), interfaces.get(box, LAN_INTERFACE))

    def create(self):
        for box in BOXES:
            self.add_box(box)
        self._create_switch()
        for box, addresses in LAN_HOSTS.items():
            self._plug(box, LAN_INTERFACE, addresses)
            self._default_routes(box)
        self._plug("router", LAN_INTERFACE, ROUTER)
        self._plug("engine", UPLINK, ENGINE)
        self._default_routes("engine")
        self._create_outside()

    def add_box(self, box):
        run(["ip", "netns", "add", self.path(box).name])
        self.ip(box, "link set lo up")

    def ip(self, box, *lines):
        """Run ip-commands in a box."""
        batch = "".join(f"{line}\n" for line in lines)
        run(["ip", "-n", self.path(box).name, "-batch", "-"], input_text=batch)

    def _create_switch(self):
        self.add_bridge("bridge0")

    def add_bridge(self, bridge):
        # A plain switch: no snooping that would hold back multicast, no filtering of frames.
        self.ip("switch", f"link add {bridge} type bridge mcast_snooping 0 forward_delay 0",
                f"link set {bridge} addrgenmode none", f"link set {bridge} up")

    def connect(self, box, interface, port, bridge="bridge0"):
        """Connect a box to a switch, whose end is called port."""
        self.ip("switch", f"link add {port} type veth peer name {interface} netns {self.path(box).name}",
                f"link set {port} master {bridge}", f"link set {port} addrgenmode none", f"link set {port} up")

    def _plug(self, box, interface, addresses):
        """Connect a box to the switch and give it its addresses; the switch's end has its name."""
        self.connect(box, interface, box)
        self._configure(box, interface, addresses, (24, 64))

    def _configure(self, box, interface, addresses, lengths):
        # nodad: the address answers at once, and nobody else is on this link yet.
        self.ip(box, f"link set {interface} addrgenmode eui64", f"link set {interface} up",
                f"address add {addresses[0]}/{lengths[0]} dev {interface}",
                f"address add {addresses[1]}/{lengths[1]} dev {interface} nodad")

    def _default_routes(self, box):
        self.ip(box, *(f"route add default via {gateway}" for gateway in ROUTER))

    def _create_outside(self):
        self.ip("router", f"link add {OUTSIDE_INTERFACE} type veth peer name {OUTSIDE_INTERFACE} "
                           f"netns {self.path('outside').name}")
        self._configure("router", OUTSIDE_INTERFACE, OUTSIDE_ROUTER, (24, 64))
        self._configure("outside", OUTSIDE_INTERFACE, OUTSIDE, (24, 64))
        # Everything, not the LAN alone: an inner address that leaks out must be seen and answered
        # as far as the router, so that a test sees the leak and not a silence.
        self.ip("outside", *(f"route add default via {gateway}" for gateway in OUTSIDE_ROUTER))
        router = self.host("router")
        router.set_sysctl("net.ipv4.ip_forward", 1)
        router.set_sysctl("net.ipv6.conf.all.forwarding", 1)

    def destroy(self):
        for path in self.namespaces():
            run(["ip", "netns", "delete", path.name])
