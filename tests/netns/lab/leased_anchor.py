"""A whole network-anchor that runs dhcpcd itself, and keeps its lease files in a volume, on a LAN with a real server.

Used by test_predecessor.py; the LAN by test_dhcp_host.py as well. Runs as root.
"""

import subprocess
import types

from dhcp_client_lab import PREPARE
from lab.dhcp import Dnsmasq
from whole_anchor import WholeAnchor

POOL = ("10.99.0.150", "10.99.0.159")


class Lan:
    """The anchor's LAN as the servers and clients of tests/lab see a segment: `server` is the client's end of it."""

    def __init__(self, lab, directory):
        self.namespaces = {"server": lab.client, "anchor": lab.anchor}
        self.interfaces = {"server": "eth0", "anchor": "ext0"}
        self.server = self.host("server")
        self.directory = directory

    def host(self, role):
        return types.SimpleNamespace(interface=self.interfaces[role])

    @staticmethod
    def v4(number):
        return f"10.99.0.{number}"

    def spawn(self, role, command, log_path):
        with self.namespaces[role].entered(), open(log_path, "ab") as log:
            return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT)


class LeasedAnchor(WholeAnchor):
    """Its /run and /var/lib are its own, as in a container; the volume outlives it."""

    def __init__(self, build):
        super().__init__(build)
        self.server = Dnsmasq(Lan(self.lab, self.directory), POOL, renew=60, rebind=105)
        self.volume = self.directory / "volume"
        self.volume.mkdir()

    def wrap(self):
        return (*super().wrap(), "unshare", "--mount", "/bin/sh", "-c", PREPARE, "prepare")

    def begin(self, **environment):
        super().begin(**{"STATE": str(self.volume), "REPLACED_BY": "", "RUNTIME_DIRECTORY": None,
                         "ANCHORD_ADDRESS_MODE": "dhcp-refresh", "ANCHORD_DHCP_ARP_PROBE": "false",
                         "ANCHORD_LOG_LEVEL": "DEBUG", **environment})

    def leased(self):
        """The address, when nothing but it is left."""
        return self.process.wait_for(msg="lease acquired", family="v4", timeout=20)["address"]

    def close(self):
        if self.server.is_running():
            self.server.stop()
        super().close()
