"""A Compose project on a booted host, and the units by which it is attached to the LAN.

Used by conftest.py and the tests of this directory, as root.
"""

import contextlib
import time

from lab import compose, images, topology
from lab.machine import wait_until
from lab.streams import assert_nothing_lost, streaming

PORT, UDP_PORT = 8001, 8443
SERVER_PORT = 80  # of the servers that containers ask: lanhost2 and outside

# A datagram each 10 ms to each address of the server outside, from its first moment on.
FIRST_ACT = f"""
import socket
while True:
    for family, address in ((socket.AF_INET, "{topology.OUTSIDE[0]}"), (socket.AF_INET6, "{topology.OUTSIDE[1]}")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.005)
                sock.sendto(b"first", (address, 80))
                while sock.recv(1):  # what comes back in 5 ms
                    pass
        except OSError:
            pass
"""


def definition(network):
    """As people write them; `first` connects out as its first act. network: the third number of its addresses."""
    return {
        "services": {
            "web": compose.echo_service("web", "--tcp", "8080", "--udp", "8443", restart="unless-stopped",
                                        ports=[f"{PORT}:8080", f"{UDP_PORT}:8443/udp"]),
            "first": {"image": images.SERVICES, "restart": "unless-stopped", "stop_grace_period": "0s",
                      "entrypoint": ["python3", "-c", FIRST_ACT]},
        },
        "networks": {"default": {"enable_ipv6": True, "ipam": {"config": [{"subnet": f"10.41.{network}.0/24"},
                                                                       {"subnet": f"fd41:0:0:{network}::/64"}]}}},
    }


def targets(address, protocols):
    """What streaming() takes: (protocol, port) of an address."""
    return [(protocol, address, port) for protocol, port in protocols]


class Shop:
    """The project `name` of the lab's host; on the LAN 10.99.0.HOST and fd99::HOST."""

    def __init__(self, lab, name="shop", host=81):
        self.lab, self.name = lab, name
        self.run = lab.run_on_host
        self.addresses = (f"10.99.0.{host}", f"fd99::{host}")
        self.host_unit, self.unit = self.units = (f"anchord-host@{name}.service", f"anchord@{name}.service")
        self.project = compose.Project(lab, definition(host), name=name)

    # --- the command ---------------------------------------------------------------------------

    def attach(self):
        return self.run("anchord", "attach", self.name, "--parent", topology.UPLINK, "--address",
                        f"{self.addresses[0]}/24,{self.addresses[1]}/64", "--gateway", ",".join(topology.ROUTER)).stdout

    def detach(self, **options):
        return self.run("anchord", "detach", self.name, **options)

    def discard(self):
        self.detach(check=False)
        self.project.discard()

    # --- the units -----------------------------------------------------------------------------

    def show(self, name, unit=None):
        """One property of a unit, without another that of the address."""
        return self.run("systemctl", "show", "--property", name, "--value", unit or self.unit).stdout.strip()

    def is_active(self, unit=None):
        return self.run("systemctl", "is-active", unit or self.unit, check=False).stdout.strip() == "active"

    def pids(self):
        return [self.show("MainPID", unit) for unit in self.units]

    def is_ready(self):
        return all(map(self.is_active, self.units)) and self.show("StatusText").startswith("Ready")

    def wait_replaced(self, before, *units):
        """Until others run than those that pids() told, of these units, and all is ready."""
        for unit in units:
            old = before[self.units.index(unit)]
            wait_until(lambda unit=unit, old=old: self.show("MainPID", unit) not in ("0", old), 30, f"another process of {unit}")
        wait_until(self.is_ready, 30, "units that are ready")

    # --- the LAN -------------------------------------------------------------------------------

    def answers(self, family=4, client=None):
        """A client of the LAN, with the client's own address as the source."""
        client = client or self.lab.lanhost1
        return client.probe("tcp", self.addresses[family == 6], PORT, timeout=1).split()[:2] == ["web", client.addresses[family == 6]]

    def wait_answered(self, deadline=60):
        """In how many seconds, by both families."""
        started = time.monotonic()
        for family in (4, 6):
            wait_until(lambda family=family: self.answers(family), deadline, f"an answer by IPv{family}")
        return time.monotonic() - started

    @contextlib.contextmanager
    def traffic(self):
        """TCP that is open and UDP, a hundred a second on each, of both families: from the LAN, to a server of the LAN, and to
        one behind the router. Nothing of it is lost. Yields a list that holds the longest time without an answer at the end."""
        inbound = [target for address in self.addresses for target in targets(address, (("tcp", PORT), ("udp", UDP_PORT)))]
        egress = [target for server in (self.lab.lanhost2.addresses, topology.OUTSIDE) for address in server
                  for target in targets(address, (("tcp", SERVER_PORT), ("udp", SERVER_PORT)))]
        longest = []
        with streaming(self.lab.lanhost1, inbound) as one, streaming(self.project.namespace("web"), egress) as other:
            yield longest
        longest.append(max(map(assert_nothing_lost, (one, other))))


def copy_to_host(lab, package):
    """Its path there."""
    copy = lab.state / package.name
    copy.write_bytes(package.read_bytes())
    return copy


def install(lab, package):
    """As a person would: apt takes what it depends on. A kept lab may have a newer one."""
    lab.run_on_host("apt-get", "install", "--yes", "--no-install-recommends", "--allow-downgrades", "--reinstall",
                    copy_to_host(lab, package), timeout=300)


def sources(seen):
    """Who has sent something to the server outside."""
    return {packet.source for packet in list(seen.packets) if packet.destination in topology.OUTSIDE}


def strays(seen):
    """Those among them that no container may leave with: the host's addresses, and those of Docker's networks."""
    return {source for source in sources(seen) if source in topology.ENGINE or source.startswith(("10.41.", "fd41:"))}
