"""The role service-anchor under test: the real supervisor and workers in a namespace as Docker makes it for a container.

    app eth0 --- bridge br0 (Docker's default gateway, .1) --- eth0 anchor (.2, .7; outside: 203.0.113.9)

Whatever the app sends to 203.0.113.9 goes through the anchor, or is counted by the trap on the bridge. The app's DNS is
a stand-in at Docker's address, 127.0.0.11. Runs as root.
"""

import contextlib
import socket
import struct
import subprocess
import threading

from netadmin_lab import Namespace, Service, wait_until

FAMILIES = (4, 6)
TABLE = "24942"
REPAIR_SECONDS = 1.0
APP4, APP6 = "172.30.0.5", "fd30::5"
DOCKER4, DOCKER6 = "172.30.0.1", "fd30::1"
ANCHOR4, ANCHOR6 = "172.30.0.2", "fd30::2"
OTHER4, OTHER6 = "172.30.0.7", "fd30::7"
OUTSIDE4, OUTSIDE6 = "203.0.113.9", "2001:db8:99::9"
OUTSIDE = {4: OUTSIDE4, 6: OUTSIDE6}
RULES = ["32764: from all lookup main suppress_prefixlength 0 proto 110", f"32765: from all lookup {TABLE} proto 110"]
UNREACHABLE = {4: "unreachable default proto 110 metric 4294967295",
               6: "unreachable default dev lo proto 110 metric 4294967295 pref medium"}
TRAP = """table inet trap {
    counter leaked {}
    chain prerouting { type filter hook prerouting priority -400; policy accept;
        ip daddr 203.0.113.9 counter name leaked
        ip6 daddr 2001:db8:99::9 counter name leaked
    }
}
"""


def default(gateway):
    pref = " pref medium" if ":" in gateway else ""
    return f"default via {gateway} dev eth0 proto 110 metric 100{pref}"


class Dns:
    """A DNS server at 127.0.0.11 of a namespace. `names`: name -> addresses; a name that is not there is answered with
    `absent_code` (3: no such name, 2: server failure), or not at all with None."""

    def __init__(self, namespace):
        self.names = {}
        self.absent_code = 3
        self.questions = 0
        self.socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.11", 53))
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(512)
            if not peer:  # shut down
                return
            self.questions += 1
            answer = self.answer(question)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, question):
        labels, position = [], 12
        while question[position]:
            labels.append(question[position + 1:position + 1 + question[position]].decode())
            position += 1 + question[position]
        kind = struct.unpack_from("!H", question, position + 1)[0]
        asked = question[12:position + 5]
        addresses = self.names.get(".".join(labels))
        if addresses is None and self.absent_code is None:
            return None
        family = {1: socket.AF_INET, 28: socket.AF_INET6}[kind]
        found = [address for address in addresses or ()
                 if (":" in address) == (family == socket.AF_INET6)]
        code = self.absent_code if addresses is None else 0
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 600, 16 if kind == 28 else 4) +
                           socket.inet_pton(family, address) for address in found)
        return question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0) + asked + records

    def close(self):
        with contextlib.suppress(OSError):  # not connected: it wakes the reader all the same
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.socket.close()


class ServiceAnchorLab:
    def __init__(self, supervision):
        self.supervision = supervision
        self.app, self.bridge, self.anchor = Namespace(), Namespace(), Namespace()
        self.build()
        self.dns = Dns(self.app)
        self.services = [Service(self.anchor, "outside", "udp", 7, address) for address in (OUTSIDE4, OUTSIDE6)]
        self.resolv_conf = supervision.scratch / "resolv.conf"
        self.resolv_conf.write_text("nameserver 127.0.0.11\noptions ndots:0\n")
        supervision.install_real_workers()

    def build(self):
        for namespace in (self.app, self.bridge, self.anchor):
            namespace.sysctl("ipv6/conf/default/accept_dad", 0)
            namespace.run("ip", "link", "set", "lo", "up")
        self.bridge.run("ip", "link", "add", "br0", "type", "bridge")
        for name, namespace, addresses in (("app", self.app, [APP4, APP6]),
                                           ("anchor", self.anchor, [ANCHOR4, OTHER4, ANCHOR6, OTHER6])):
            self.connect(name, namespace)
            for address in addresses:
                namespace.run("ip", "address", "add", f"{address}/{64 if ':' in address else 24}", "dev", "eth0",
                              *(["nodad"] if ":" in address else []))
        self.bridge.run("ip", "address", "add", f"{DOCKER4}/24", "dev", "br0")
        self.bridge.run("ip", "address", "add", f"{DOCKER6}/64", "dev", "br0", "nodad")
        self.bridge.run("ip", "link", "set", "br0", "up")
        for address in (OUTSIDE4, OUTSIDE6):
            self.anchor.run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        for name in ("iptables", "ip6tables"):  # what is only bridged is no leak
            self.bridge.sysctl(f"bridge/bridge-nf-call-{name}", 0)
        self.bridge.run("nft", "-f", "-", input=TRAP)
        self.app.run("ip", "route", "add", "default", "via", DOCKER4, "dev", "eth0")
        self.app.run("ip", "-6", "route", "add", "default", "via", DOCKER6, "dev", "eth0", "metric", "1024")

    def connect(self, name, namespace):
        """eth0 of the namespace at a port of the bridge."""
        self.bridge.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
        with self.bridge.entered():
            subprocess.run(["ip", "link", "set", f"{name}-peer", "netns", f"/proc/self/fd/{namespace.descriptor}"],
                           check=True, pass_fds=[namespace.descriptor])
        namespace.run("ip", "link", "set", f"{name}-peer", "name", "eth0")
        self.bridge.run("ip", "link", "set", name, "master", "br0", "up")
        namespace.run("ip", "link", "set", "eth0", "up")

    def start(self, runtime="run", **environment):
        """A service-anchor in the app's namespace; `runtime` tells several apart."""
        bind = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        variables = {"ANCHORD_PROJECT": None, "DOCKER_HOST": None, "ANCHORD_GATEWAY_RESOLVE_INTERVAL": "1s",
                     "RUNTIME_DIRECTORY": str(self.supervision.scratch / runtime)} | environment
        with self.app.entered():
            return self.supervision.start(arguments=["service-anchor"], **variables,
                                          wrap=("unshare", "--mount", "bash", "-c", bind, str(self.resolv_conf)))

    def start_ready(self, **options):
        self.dns.names.setdefault("anchord", [ANCHOR4, ANCHOR6])
        process = self.start(**options)
        process.wait_for(msg="anchord ready")
        return process

    def healthcheck(self, runtime="run"):
        """Exit status of `anchord healthcheck`."""
        return subprocess.run([self.supervision.build / "daemon" / "anchord", "healthcheck"], capture_output=True,
                              env={"RUNTIME_DIRECTORY": str(self.supervision.scratch / runtime)}).returncode

    def status(self, *options):
        return subprocess.run([self.supervision.build / "daemon" / "anchord", "status", *options], capture_output=True,
                              text=True, check=True,
                              env={"RUNTIME_DIRECTORY": str(self.supervision.scratch / "run")}).stdout

    def lines(self, *command):
        return [" ".join(line.split()) for line in self.app.run("ip", *command, check=False).splitlines()]

    def rules(self, family):
        return [line for line in self.lines(f"-{family}", "rule") if not line.startswith(("0:", "32766:", "32767:"))]

    def routes(self, family, table=TABLE):
        return self.lines(f"-{family}", "route", "show", "table", table)

    def installed(self, gateway):
        family = 6 if ":" in gateway else 4
        return self.rules(family) == RULES and self.routes(family) == [default(gateway), UNREACHABLE[family]]

    def wait_installed(self, *gateways, deadline=5.0):
        wait_until(lambda: all(map(self.installed, gateways)), f"the way to {gateways}", deadline)

    def route_to(self, family, destination):
        return " ".join(self.app.run("ip", f"-{family}", "route", "get", destination, check=False).split()) or "unreachable"

    def ask_outside(self, family, timeout=0.5):
        """What the outside server answers the app; None when the packet is lost or refused."""
        with self.app.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout)
            try:
                asking.sendto(b"?", (OUTSIDE[family], 7))
                return asking.recv(256).decode()
            except OSError:
                return None

    def leaked(self):
        text = self.bridge.run("nft", "list", "counter", "inet", "trap", "leaked")
        return int(text.split("packets")[1].split()[0])

    def close(self):
        for service in self.services:
            service.close()
        self.dns.close()
        for namespace in (self.app, self.bridge, self.anchor):
            namespace.close()


class RouteMonitor:
    """Everything that changes in the app's routes and rules, as ip prints it."""

    def __init__(self, lab):
        self.lines = []
        with lab.app.entered():
            self.process = subprocess.Popen(["ip", "monitor", "route", "rule"], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout))
        self.thread.start()
        wait_until(lambda: self.hears_a_change(lab), "monitor")
        lab.app.run("ip", "route", "add", "192.0.2.2", "dev", "lo")  # what came before this line is none of the test's
        lab.app.run("ip", "route", "del", "192.0.2.2", "dev", "lo")
        wait_until(lambda: any(line.startswith("Deleted 192.0.2.2") for line in self.lines), "monitor")
        self.lines.clear()

    def hears_a_change(self, lab):
        lab.app.run("ip", "route", "add", "192.0.2.1", "dev", "lo")
        lab.app.run("ip", "route", "del", "192.0.2.1", "dev", "lo")
        return self.lines

    def stop(self):
        self.process.terminate()
        self.thread.join(5)
        self.process.wait(5)
        self.process.stdout.close()
        return self.lines


def workers(process):
    return {record["name"]: record["pid"] for record in process.find(msg="worker started")}
