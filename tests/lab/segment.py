"""A LAN of its own, for tests that put servers on it: DHCP and router advertisements reach nobody else.

Called by the fixture `segments` (tests/e2e/conftest.py), as root. A segment has a switch, an uplink of the
engine with a macvlan network on it, and three namespaces:

    router1 ──┐                     router .1: advertises (radvd); answers as the outside, on its lo
    server1 ── switch ── engine     server .3: dhcp.py, kea.py, hostile_dhcp.py
    client1 ──┘                     client .11: who asks the services, and who stands in the way

    10.98.N.0/24   .16 to .99 are bootstrap addresses (Docker), .150 to .199 the DHCP server's
    fd98:N::/64 is Docker's IPv6; 2001:db8:98:N::/64 what the router advertises
"""

import contextlib
import itertools
import os
import shutil
import signal

from . import topology
from .machine import HERE, run, wait_until

OUTSIDE_PORT = 80
# What a project asks outside: five destinations per family, all of them the router.
OUTSIDE_V4 = tuple(f"203.0.113.{number}" for number in range(9, 14))
OUTSIDE_V6 = tuple(f"2001:db8:99::{number}" for number in range(9, 14))


class Segment:
    """LAN number 1 to 255. destroy() needs the containers on it to be gone."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.network = f"lan{number}"
        self.parent = f"{topology.UPLINK}{number}"
        self.bridge = f"bridge{number}"
        self.directory = lab.state / f"segment{number}"
        self.project_numbers = itertools.count(1)
        self._processes = []

    # --- addresses ----------------------------------------------------------------------------

    def v4(self, host):
        return f"10.98.{self.number}.{host}"

    @property
    def v4_subnet(self):
        return self.v4("0/24")

    def docker_v6(self, host):
        return f"fd98:{self.number:x}::{host}"

    def v6(self, host, prefix=0):
        return f"{self.prefix(prefix)}{host}"

    def prefix(self, index=0):
        """An advertised prefix without its length; the router and the client are on the first."""
        return f"2001:db8:98:{self.number + index * 0x100:x}::"

    def _box(self, role):
        return f"{role}{self.number}"

    def host(self, role):
        last = {"router": 1, "server": 3, "client": 11}[role]
        return topology.Host(self.lab.topology.path(self._box(role)),
                             (self.v4(last), self.v6(last)))

    @property
    def router(self):
        return self.host("router")

    @property
    def server(self):
        return self.host("server")

    @property
    def client(self):
        return self.host("client")

    # --- life ---------------------------------------------------------------------------------

    def create(self):
        """Everything but the servers. Returns itself."""
        if self.directory.exists():  # a kept lab has it from the last run
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True)
        lan = self.lab.topology
        lan.add_bridge(self.bridge)
        for role in topology.SEGMENT_BOXES:
            box, host = self._box(role), self.host(role)
            lan.add_box(box)
            # Only the projects listen to advertisements. Without duplicate detection a server can bind its
            # link-local address at once.
            for name in ("all.accept_ra", "default.accept_ra", "all.accept_dad", "default.accept_dad"):
                host.set_sysctl(f"net.ipv6.conf.{name}", 0)
            lan.connect(box, host.interface, box, self.bridge)
            last = host.ipv4.rpartition(".")[2]
            lan.ip(box, f"link set {host.interface} up",
                   f"address add {host.ipv4}/24 dev {host.interface}",
                   f"address add {host.ipv6}/64 dev {host.interface} nodad",
                   f"address add {self.docker_v6(last)}/64 dev {host.interface} nodad")
        self._connect_engine()
        self._create_outside()
        return self

    def _connect_engine(self):
        lan = self.lab.topology
        lan.connect("engine", self.parent, self.parent, self.bridge)
        lan.ip("engine", f"link set {self.parent} addrgenmode none", f"link set {self.parent} up")
        self.lab.docker("network", "create", "--driver", "macvlan", "--opt", f"parent={self.parent}",
                        "--subnet", self.v4_subnet, "--ip-range", self.v4("16/28"), "--gateway", self.v4(1),
                        "--ipv6", "--subnet", self.docker_v6("/64"), "--gateway", self.docker_v6(1), self.network)

    def _create_outside(self):
        self.router.set_sysctl("net.ipv6.conf.all.forwarding", 1)
        self.lab.topology.ip(self._box("router"), *(f"address add {address} dev lo"
                                                    for address in (*OUTSIDE_V4, *OUTSIDE_V6)))
        log = self.directory / "outside.log"
        self.spawn("router", ["/usr/bin/python3", HERE / "services.py", "--name", "outside",
                              "--tcp", OUTSIDE_PORT], log)
        wait_until(lambda: "outside ready" in log.read_text(), 10, f"outside of segment {self.number}, {log}")

    def spawn(self, role, command, log_path):
        """Start a program on a box, its output to a log; destroy() ends it. Returns its Popen."""
        with open(log_path, "ab") as log:
            process = self.lab.engine.cgroup.start(self.host(role).enter_command(command), log)
        self._processes.append(process)
        return process

    def destroy(self):
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGKILL)
            process.wait()
        self.lab.docker("network", "rm", self.network)
        for role in topology.SEGMENT_BOXES:
            run(["ip", "netns", "delete", self.lab.topology.path(self._box(role)).name])
        self.lab.topology.ip("switch", f"link del {self.parent}", f"link del {self.bridge}")
