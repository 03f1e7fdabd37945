"""Routers that advertise themselves on the lab's LAN: radvd, and the kernel's own acceptance in the anchor."""

import subprocess

import netadmin_lab

CONFIGURATION = """interface {interface} {{
    AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
    AdvDefaultLifetime {lifetime}; AdvDefaultPreference {preference}; AdvRASrcAddress {{ {address}; }};
    {prefix}
}};
"""


def accept_advertisements(lab):
    """As ADDR-14 asks of the anchor's namespace; the LAN host forwards, as a router does."""
    lab.anchor.sysctl("ipv6/conf/ext0/accept_ra", 2)
    lab.client.sysctl("ipv6/conf/all/forwarding", 1)


class Router:
    """A radvd on the LAN host, with a link-local address of its own: several of them are several routers."""

    def __init__(self, lab, scratch, address, preference="medium", lifetime=12, prefix=None,
                 retired_prefix=None):
        self.lab = lab
        self.address = address
        name = address.replace(":", "")
        configuration = scratch / f"{name}.conf"
        prefix = f"prefix {prefix} {{ }};" if prefix else ""
        if retired_prefix:
            prefix += f"prefix {retired_prefix} {{ AdvPreferredLifetime 0; }};"
        configuration.write_text(CONFIGURATION.format(interface="eth0", lifetime=lifetime, preference=preference,
                                                      address=address, prefix=prefix))
        lab.client.run("ip", "address", "replace", f"{address}/64", "dev", "eth0", "nodad")
        with lab.client.entered():
            self.process = subprocess.Popen(["radvd", "--nodaemon", "--configtest", "-C", str(configuration)],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert self.process.wait(netadmin_lab.DEADLINE) == 0, self.process.stderr.read()
            self.process.stderr.close()
            self.process = subprocess.Popen(["radvd", "--nodaemon", "-C", str(configuration), "-m", "stderr",
                                             "-p", str(scratch / f"{name}.pid"), "-u", "root"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.closing.callback(self.kill)

    def retire(self):
        """Ends with an advertisement of lifetime 0 (RFC 4861 §6.2.5)."""
        self.process.terminate()
        self.process.wait(netadmin_lab.DEADLINE)

    def kill(self):
        self.process.kill()
        self.process.wait(netadmin_lab.DEADLINE)
