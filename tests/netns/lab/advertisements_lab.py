"""Routers that advertise themselves on the lab's LAN: radvd, and the kernel's own acceptance in the anchor."""

import itertools
import os
import subprocess

import netadmin_lab
from netadmin_lab import wait_until
from network_lab import UNREACHABLE6

CONFIGURATION = """interface {interface} {{
    AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
    AdvDefaultLifetime {lifetime}; AdvDefaultPreference {preference}; AdvRASrcAddress {{ {address}; }};
    AdvLinkMTU {mtu};
    {prefix}
}};
"""


def accept_advertisements(lab):
    """As ADDR-14 asks of the anchor's namespace; the LAN host forwards, as a router does."""
    lab.anchor.sysctl("ipv6/conf/ext0/accept_ra", 2)
    lab.client.sysctl("ipv6/conf/all/forwarding", 1)


class Machine:
    """One more machine on the LAN, with a MAC and a network namespace of its own, on the LAN host's wire."""

    def __init__(self, lab, *addresses):
        self.lab = lab
        self.namespace = netadmin_lab.Namespace()
        lab.closing.callback(self.namespace.close)
        lab.client.run("ip", "link", "add", "link", "eth0", "name", "machine", "type", "macvlan", "mode", "bridge")
        lab.client.run("ip", "link", "set", "machine", "netns",
                       f"/proc/{os.getpid()}/fd/{self.namespace.descriptor}", "name", "eth0")
        self.namespace.run("ip", "link", "set", "lo", "up")
        self.namespace.run("ip", "link", "set", "eth0", "up")
        for address in addresses:
            self.namespace.run("ip", "address", "add", address, "dev", "eth0", "nodad")

    def power(self, state):
        """"down": gone without a word; "up": there again."""
        self.namespace.run("ip", "link", "set", "eth0", state)


class Router:
    """A radvd with a link-local address of its own, on the LAN host or in `namespace`: several are several routers."""

    # radvd's helper ends a moment after it, and keeps the lock of its pid file: a successor with the same one ends at once.
    pid_files = itertools.count()

    def __init__(self, lab, scratch, address, preference="medium", lifetime=12, prefix=None,
                 retired_prefix=None, namespace=None, mtu=0, route=None):
        self.lab = lab
        self.address = address
        namespace = namespace or lab.client
        name = address.replace(":", "")
        configuration = scratch / f"{name}.conf"
        prefix = f"prefix {prefix} {{ }};" if prefix else ""
        if retired_prefix:
            prefix += f"prefix {retired_prefix} {{ AdvPreferredLifetime 0; }};"
        if route:
            prefix += f"route {route} {{ }};"
        configuration.write_text(CONFIGURATION.format(interface="eth0", lifetime=lifetime, preference=preference,
                                                      address=address, prefix=prefix, mtu=mtu))
        namespace.run("ip", "address", "replace", f"{address}/64", "dev", "eth0", "nodad")
        with namespace.entered():
            self.process = subprocess.Popen(["radvd", "--nodaemon", "--configtest", "-C", str(configuration)],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert self.process.wait(netadmin_lab.DEADLINE) == 0, self.process.stderr.read()
            self.process.stderr.close()
            self.process = subprocess.Popen(["radvd", "--nodaemon", "-C", str(configuration), "-m", "stderr",
                                             "-p", str(scratch / f"{next(self.pid_files)}.pid"), "-u", "root"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.closing.callback(self.kill)

    def retire(self):
        """Ends with an advertisement of lifetime 0 (RFC 4861 §6.2.5)."""
        self.process.terminate()
        self.process.wait(netadmin_lab.DEADLINE)

    def kill(self):
        self.process.kill()
        self.process.wait(netadmin_lab.DEADLINE)


def fields(line):
    """{"via": …, "metric": …, "expires": seconds, "pref": …} of a line of `ip route`."""
    words = line.split()
    found = {key: words[words.index(key) + 1] for key in ("via", "metric", "pref", "expires") if key in words}
    if "expires" in found:
        found["expires"] = int(found["expires"].removesuffix("sec"))
    return found


def mirrored(lab):
    return [fields(line) for line in lab.routes("-6") if line != UNREACHABLE6]


def gateways(lab):
    return [route["via"] for route in mirrored(lab)]


def wait_for_gateways(lab, *wanted, deadline=10.0):
    wait_until(lambda: gateways(lab) == list(wanted), f"gateways {wanted}, last {lab.routes('-6')}", deadline)
