"""Servers on a segment's LAN: dnsmasq for DHCPv4 and stateful DHCPv6, radvd for router advertisements.

Used by tests, as root; kea.py has the other DHCP servers. Every server runs in the foreground, its log in a file of
the segment's directory, and ends with the segment. Nothing of the machine's own configuration is read.
"""

import contextlib
import dataclasses
import os
import re
import signal

from .machine import LabError, wait_until

START_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Lease:
    """A line of a server's lease table. client is the DHCPv4 client identifier with its type, or the DUID, in hex."""
    address: str
    hostname: str
    client: str
    iaid: str = ""


def client_identifier(name):
    """RFC 2132, 9.14: type 0, then the name; as Lease.client."""
    return (b"\0" + name.encode()).hex()


class Server:
    """A program on a box of a segment; a context manager. Subclasses say what runs and when it is ready."""
    role = "server"
    ready_text = None  # stands in the log of a server that answers

    def __init__(self, segment, name):
        self.segment = segment
        self.name = name
        self.directory = segment.directory / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "log"
        self._process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        """Start, with the settings of now, and wait until it answers. Returns itself."""
        before = self.log().count(self.ready_text)
        self._process = self.segment.spawn(self.role, self.command(), self.log_path)
        wait_until(lambda: self._is_ready(before), START_SECONDS, f"{self.name} ready, {self.log_path}")
        return self

    def _is_ready(self, before):
        if self._process.poll() is not None:
            raise LabError(f"{self.name} ended with status {self._process.returncode}:\n{self.log()[-3000:]}")
        return self.log().count(self.ready_text) > before

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self, number=signal.SIGTERM):
        """End it; what it wrote stays."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
        self._process.wait(timeout=10)

    def kill(self):
        self.stop(signal.SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def log(self):
        """Everything that it wrote since its first start."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def count(self, pattern):
        return len(re.findall(pattern, self.log()))

    def wait_logged(self, pattern, deadline=10, count=1):
        """Wait until a regular expression stands so often in the log."""
        wait_until(lambda: self.count(pattern) >= count, deadline, f"{count} times {pattern!r} in {self.log_path}")


class Dnsmasq(Server):
    """dnsmasq as DHCP server. Settings are attributes, read at each start:

    pool4, pool6    (first, last) address; None: no DHCPv4, no DHCPv6
    further6        more of these, of other prefixes that the server is on: an address of each in one IA_NA
    hosts           reservations, as --dhcp-host takes them: "id:mail,10.98.1.200"
    renew, rebind   T1 and T2 of DHCPv4 in seconds. The lease time is 120 s, the least that dnsmasq takes, and T1
                    of DHCPv6 half of it
    options         further --dhcp-option values
    """
    ready_text = "started, version"

    def __init__(self, segment, pool4=None, pool6=None, *, further6=(), hosts=(), renew=20, rebind=70, options=()):
        super().__init__(segment, "dnsmasq")
        self.pool4, self.pool6, self.further6 = pool4, pool6, tuple(further6)
        self.hosts, self.options = tuple(hosts), tuple(options)
        self.renew, self.rebind = renew, rebind
        self.leases_path = self.directory / "leases"

    def command(self):
        words = ["dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--user=root", "--port=0", "--pid-file=",
                 f"--interface={self.segment.server.interface}", "--bind-interfaces", "--dhcp-authoritative",
                 "--no-ping", "--log-dhcp", "--log-facility=-", f"--dhcp-leasefile={self.leases_path}",
                 f"--dhcp-option=3,{self.segment.v4(1)}", f"--dhcp-option=58,{self.renew}",
                 f"--dhcp-option=59,{self.rebind}"]
        if self.pool4:
            words.append(f"--dhcp-range={self.pool4[0]},{self.pool4[1]},255.255.255.0,120")
        words += [f"--dhcp-range={first},{last},64,120" for first, last in filter(None, (self.pool6, *self.further6))]
        words += [f"--dhcp-host={host}" for host in self.hosts]
        return words + [f"--dhcp-option={option}" for option in self.options]

    def forget_leases(self):
        """While it is stopped: what another server, or one that lost its disk, would know."""
        self.leases_path.unlink(missing_ok=True)

    def leases(self):
        """The lease table. Lines: expiry, MAC or IAID, address, host name, client identifier or DUID."""
        found = []
        for line in self.leases_path.read_text().splitlines():
            words = line.split()
            if len(words) == 5:  # not the server's own DUID
                _, iaid, address, hostname, client = words
                found.append(Lease(address, hostname, client.replace(":", ""), iaid if ":" in address else ""))
        return found

    def releases(self):
        """What was released, in order: of DHCPv4 the addresses, of DHCPv6 the DUIDs, which is all that it logs."""
        return [word.replace(":", "") for word in re.findall(r"DHCPRELEASE\(\S+\) ([0-9a-f.:]+)", self.log())]

    def acknowledged(self, address):
        """How often it confirmed an address (DHCPv4)."""
        return self.count(rf"DHCPACK\(\S+\) {re.escape(address)} ")


class Radvd(Server):
    """Router advertisements of the segment's router. Settings are attributes, read at each start:

    prefixes        {prefix without length: (preferred, valid) lifetime in seconds}, for SLAAC
    lifetime        of the router as default router, in seconds
    managed         the flag that says: there is stateful DHCPv6
    """
    role = "router"
    ready_text = "version 2"

    def __init__(self, segment, prefixes=None, *, lifetime=1800, managed=False):
        super().__init__(segment, "radvd")
        self.prefixes = prefixes or {segment.prefix(): (1800, 3600)}
        self.lifetime, self.managed = lifetime, managed

    def command(self):
        prefixes = "".join(f"    prefix {prefix}/64 {{ AdvOnLink on; AdvAutonomous on; AdvPreferredLifetime {preferred}; "
                           f"AdvValidLifetime {valid}; DeprecatePrefix off; }};\n"
                           for prefix, (preferred, valid) in self.prefixes.items())
        configuration = self.directory / "radvd.conf"
        configuration.write_text(f"""\
interface {self.segment.router.interface} {{
    AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime {self.lifetime};
    AdvManagedFlag {"on" if self.managed else "off"};
{prefixes}}};
""", encoding="ascii")
        return ["radvd", "--nodaemon", "--logmethod", "stderr", "--debug", "1", "--config", configuration,
                "--pidfile", self.directory / "radvd.pid"]
