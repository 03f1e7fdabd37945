"""An anchor that runs the real dhcpcd, on a link with dnsmasq; netadmin is a stand-in that adds what it is told to.

    server eth0 --- eth0 anchor

The anchor's processes see a /run of their own, /var/lib/dhcpcd as the image has it, and a passwd without a user
dhcpcd, which makes dhcpcd stay one process.
"""

import json
import os
import struct
import subprocess

import messages
import netadmin_lab
from supervision import DHCP_USER, message_types, wait_until

LINK = "eth0"
BOOTSTRAP4, SERVER4, SERVER6 = "10.77.0.100", "10.77.0.1", "fd77::1"
# A mount namespace is made by unshare(1); what follows the script is the program.
PREPARE = """
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
sed /^dhcpcd:/d /etc/passwd > /run/passwd
mount --bind /run/passwd /etc/passwd
mount -t tmpfs -o mode=755 tmpfs /var/lib
ln -s /run/anchord/dhcpcd /var/lib/dhcpcd
if [ -n "$STATE" ]; then
    mkdir /var/lib/anchord
    mount --bind "$STATE" /var/lib/anchord
fi
if [ -n "$REPLACED_BY" ]; then
    mount --bind "$REPLACED_BY" /usr/sbin/dhcpcd
fi
exec "$@"
"""
# Speaks to the lease socket as a user of its choice; the message comes in hexadecimal.
PEER = """
import os, socket, sys
user, message, connections = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
peers = []
for _ in range(connections):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect("/run/anchord/lease.sock")  # waits while too many wait already
    peer.settimeout(5)
    try:
        if message:
            peer.send(message)
    except (BrokenPipeError, ConnectionResetError):
        pass
    peers.append(peer)
try:
    print(len(peers[-1].recv(1)))
except ConnectionResetError:
    print("reset")
"""
HELD, LOST, UNUSABLE = 1, 2, 6


def lease_event(kind=HELD, family=4, interface=LINK, reason="BOUND", address="10.77.0.50", prefix_length=24, seconds=60,
                problem="", further=()):
    """A LEASE_EVENT (protocol/messages_lease.h)."""
    lease = bytes(messages.LEASE_SIZE)
    if kind == HELD:
        lease = messages.wire_lease(f"{address}/{prefix_length}", valid=seconds, further=further)
    body = struct.pack("=II16s16sI", kind, family, interface.encode(), reason.encode(), 0) + lease + struct.pack("160s", problem.encode())
    return messages.message(message_types()["LEASE_EVENT"], body)


class DhcpLab:
    """Two namespaces and what runs in them."""

    def __init__(self, supervision):
        self.supervision = supervision
        self.scratch = supervision.scratch
        self.server = netadmin_lab.Namespace()
        self.anchor = netadmin_lab.Namespace()
        self.dnsmasq = None
        self.process = None
        self.build()

    def build(self):
        self.server.run("ip", "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns",
                        f"/proc/{os.getpid()}/fd/{self.anchor.descriptor}")
        for box, addresses in ((self.server, (SERVER4, SERVER6)), (self.anchor, (BOOTSTRAP4,))):
            for address in addresses:
                length, nodad = ("64", ["nodad"]) if ":" in address else ("24", [])
                box.run("ip", "address", "add", f"{address}/{length}", "dev", LINK, *nodad)
            # No delay by duplicate address detection: nobody else is here.
            box.sysctl(f"ipv6/conf/{LINK}/accept_dad", 0)
            box.run("ip", "link", "set", "lo", "up")
            box.run("ip", "link", "set", LINK, "up")
        self.anchor.sysctl(f"ipv4/conf/{LINK}/promote_secondaries", 1)  # netadmin's work

    # --- the servers ---

    def serve(self, range4="10.77.0.150,10.77.0.199", range6="fd77::1:0,fd77::1:ffff", options=(), renewal=None):
        """dnsmasq, with its leases in memory of the file that stays over a restart."""
        if renewal:  # T1 in seconds; dnsmasq gives no lease shorter than 120 s
            options = (*options, f"--dhcp-option=58,{renewal}", "--dhcp-option=59,110")
        command = ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--no-ping",
                   "--log-dhcp", "--log-facility=-", "--dhcp-authoritative", f"--interface={LINK}", "--user=root",
                   f"--dhcp-leasefile={self.scratch}/leases", f"--pid-file={self.scratch}/dnsmasq.pid",
                   f"--dhcp-range={range4},255.255.255.0,120", f"--dhcp-range={range6},64,120", *options]
        self.end_server()
        with self.server.entered(), open(self.scratch / "dnsmasq.log", "ab") as log:
            self.dnsmasq = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        wait_until(lambda: "sockets bound exclusively" in self.server_log() or "DHCP, " in self.server_log())

    def end_server(self):
        if self.dnsmasq:
            self.dnsmasq.kill()
            self.dnsmasq.wait(10)
        self.dnsmasq = None

    def server_log(self):
        path = self.scratch / "dnsmasq.log"
        return path.read_text() if path.exists() else ""

    def served(self, text, count=1):
        """Waits until the server has logged `text` that often."""
        wait_until(lambda: self.server_log().count(text) >= count, 10)

    # --- the anchor ---

    def start(self, program="anchord-under-test", netadmin=None, real=(), replaced_by="", without="", **environment):
        """`real`: workers that are no stand-ins; `replaced_by`: what stands at dhcpcd's path; `without`: capabilities that
        are taken away, as setpriv(1) writes them."""
        self.supervision.install_stand_ins(netadmin={"external_link": LINK, **(netadmin or {})})
        self.supervision.install_real("lease", *real)
        wrap = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self.anchor.descriptor}", "unshare", "--mount", "/bin/sh",
                "-c", PREPARE, "prepare")
        if without:
            wrap = (*wrap, "setpriv", f"--bounding-set={without}")
        variables = {"STATE": "", "ANCHORD_ADDRESS_MODE": "dhcp-refresh", "ANCHORD_DHCP_ARP_PROBE": "false",
                     "ANCHORD_LOG_LEVEL": "DEBUG", "RUNTIME_DIRECTORY": None, "REPLACED_BY": replaced_by or self.supervision.dhcpcd or "",
                     **environment}
        self.process = self.supervision.start(program, wrap=wrap, **variables)
        return self.process

    def inside(self, *command, **options):
        """Runs a command where the anchor's files are."""
        return subprocess.run(["nsenter", f"--target={self.process.process.pid}", "--mount", "--net", *map(str, command)],
                              capture_output=True, text=True, timeout=20, check=False, **options)

    def tell(self, message, user=DHCP_USER, connections=1):
        """Sends it to the lease socket; returns what the peer saw: "0" for the end of the connection."""
        done = self.inside("/usr/bin/python3", "-c", PEER, user, message.hex(), connections)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    def client_pid(self, family, count=1):
        return self.process.wait_for(msg="dhcp client started", family=family, count=count)["pid"]

    def acquired(self, family, count=1, timeout=15):
        return self.process.wait_for(msg="lease acquired", family=family, count=count, timeout=timeout)

    def further_told(self):
        """As below the further addresses of IPv6 leases."""
        return [record["further"] for record in self.process.find(event="lease", family=6)]

    def leases_told(self, family):
        """What netadmin was told, in order: the address, or None for no lease."""
        number = {"v4": 4, "v6": 6}[family]
        return [record["address"] for record in self.process.find(event="lease", family=number)]

    def metric(self, series):
        """Its value, as a number."""
        done = self.inside("/usr/bin/python3", "-c", "import urllib.request as r;"
                           "print(r.urlopen('http://127.0.0.1:9090/metrics', timeout=10).read().decode())")
        assert done.returncode == 0, done.stderr
        return float(next(line.split()[-1] for line in done.stdout.splitlines() if line.startswith(series + " ")))

    def status(self):
        done = self.inside(self.supervision.build / "daemon" / "anchord", "status", "--json", env={})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def status_text(self):
        return self.inside(self.supervision.build / "daemon" / "anchord", "status", env={}).stdout

    def close(self):
        self.end_server()
        if self.process and self.process.process.poll() is None:
            self.process.process.kill()
        for box in (self.server, self.anchor):
            box.close()
