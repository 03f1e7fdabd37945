"""What the tests of netadmin's rtnetlink half share: the lab of netadmin_lab with other topologies, and what ip says.

`changed_within` measures what ADDR-11 and GW-1 ask for: back within 1 s of anybody's change.
"""

import contextlib
import socket
import subprocess
import threading
import time

import messages
import netadmin_lab
from netadmin_lab import ANCHOR4, DEADLINE, EXTERNAL_MAC, GATEWAY4, GATEWAY6, SHARED_MAC, wait_logged, wait_until

TABLE = "24942"
ROUTER4, ROUTER6 = "10.99.0.1", "2001:db8:99::1"
INNER_TABLE = "24943"
RULES = [f"32760: from all lookup {INNER_TABLE} proto 110",
         "32764: from all lookup main suppress_prefixlength 0 proto 110", f"32765: from all lookup {TABLE} proto 110"]
UNREACHABLE4 = "unreachable default proto 110 metric 4294967295"
UNREACHABLE6 = "unreachable default dev lo proto 110 metric 4294967295 pref medium"
DEFAULT4 = f"default via {ROUTER4} dev ext0 proto 110 metric 100"
REPAIR_SECONDS = 1.0
MONITOR_START, MONITOR_END = "31999", "31998"


class NetworkLab(netadmin_lab.Lab):
    """Docker's default routes are there too: on the inner bridge, and the v6 one that it invents (metric 1024)."""

    def build(self):
        super().build()
        self.anchor.run("ip", "route", "add", "default", "via", "172.30.0.1", "dev", "shared0")
        self.anchor.run("ip", "-6", "route", "add", "default", "via", ROUTER6, "dev", "ext0", "metric", "1024")

    def topology(self, external=(("10.99.0.0/24", ROUTER4, None), ("2001:db8:99::/64", None, None)),
                 shared=(("172.30.0.0/24", "172.30.0.1", GATEWAY4), ("fd30::/64", "fd30::1", GATEWAY6))):
        return messages.topology(messages.network("lan", EXTERNAL_MAC, list(external)),
                                 messages.network("transit", SHARED_MAC, list(shared)))

    def lines(self, *command):
        """What ip says in the anchor's namespace, with single blanks."""
        return [" ".join(line.split()) for line in self.anchor.run("ip", *command).splitlines()]

    def rules(self, family):
        """All rules but the kernel's own three."""
        kernels = ("0:", "32766:", "32767:")
        return [line for line in self.lines(family, "rule") if not line.startswith(kernels)]

    def routes(self, family, table=TABLE):
        return [line for line in self.lines(family, "route", "show", "table", table)]

    def route_to(self, family, destination):
        """The kernel's decision for the anchor's own packets; "unreachable" when there is none."""
        answer = self.anchor.run("ip", family, "route", "get", destination, check=False)
        return " ".join(answer.split()) or "unreachable"

    def addresses(self, interface):
        return [line for line in self.lines("-oneline", "address", "show", "dev", interface)]

    def has_address(self, interface, text):
        return any(f" {text} " in f"{line} " for line in self.addresses(interface))

    def back_within_a_second(self, condition, what):
        wait_until(condition, f"{what} to be back", REPAIR_SECONDS)

    @contextlib.contextmanager
    def monitored(self, *objects):
        """Yields the list of lines that `ip monitor` prints meanwhile, of rules and `objects`; complete at the end."""
        lines = []
        with self.anchor.entered():
            process = subprocess.Popen(["ip", "monitor", "rule", *objects], stdout=subprocess.PIPE, text=True)
        started = threading.Event()

        def read():
            for line in process.stdout:
                started.set()
                lines.append(" ".join(line.split()))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            # Rules of the test's own show that the monitor listens, and at the end that everything was read.
            self.await_monitor(started)
            lines.clear()
            yield lines
            self.mark("add", MONITOR_END)
            wait_until(lambda: any(MONITOR_END in line for line in lines), "the end of the monitor's lines")
        finally:
            process.terminate()
            process.wait(netadmin_lab.DEADLINE)
            reader.join(netadmin_lab.DEADLINE)
            process.stdout.close()
            # Only now: a mark that was set in vain before the monitor listened may show late.
            lines[:] = [line for line in lines if MONITOR_START not in line and MONITOR_END not in line]
            for priority in (MONITOR_START, MONITOR_END):
                self.anchor.run("ip", "rule", "delete", "priority", priority, check=False)

    def mark(self, operation, priority):
        self.anchor.run("ip", "rule", operation, "priority", priority, "from", ANCHOR4, "lookup", "main")

    def await_monitor(self, started):
        def is_listening():
            self.mark("add", MONITOR_START)
            if started.wait(0.1):
                return True
            self.mark("delete", MONITOR_START)
            return False

        wait_until(is_listening, "ip monitor to listen")


class AnnouncerPeer:
    """The other end of netadmin's channel; answers questions by `holders` (address -> MAC), unless it is silent."""

    def __init__(self, netadmin, holders=None, silent=False, link=None):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.holders = holders or {}
        self.silent = silent
        self.link = (link, EXTERNAL_MAC) if link else ("shared0", SHARED_MAC)
        self.states = []
        self.questions = []  # (monotonic time, address)
        self.reader = threading.Thread(target=self._read, daemon=True)
        netadmin.send(messages.link(messages.PEER_ANNOUNCER), [theirs.fileno()])
        theirs.close()
        self.reader.start()

    def _read(self):
        items = []
        while datagram := self.channel.recv(messages.LENGTH_MAX):
            kind, _, body = messages.split(datagram)
            if kind == messages.HELD_BEGIN:
                items = []
            elif kind == messages.HELD_ITEMS:
                items += [messages.parse_held(body[first:]) for first in range(8, len(body), messages.HELD_SIZE)]
            elif kind == messages.HELD_COMMIT:
                self.states.append(set(items))
            else:
                self.answer(kind, body)

    def answer(self, kind, target):
        assert kind == messages.PROBE
        name, mac, address = messages.parse_held(target)
        assert (name, mac) in (self.link, ("shared0", SHARED_MAC))
        self.questions.append((time.monotonic(), address))
        if not self.silent:
            self.channel.send(messages.probed(target, self.holders.get(address)))

    def asked(self, address):
        return [when for when, asked in self.questions if asked == address]

    def wait_held(self, expected):
        wait_until(lambda: self.states and self.states[-1] == expected, f"{expected} in {self.states}")

    def close(self):
        self.channel.shutdown(socket.SHUT_RDWR)
        self.reader.join(DEADLINE)
        self.channel.close()
