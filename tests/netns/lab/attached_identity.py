"""anchord-netadmin of an attached identity, with links as anchord-links makes them: down and bare.

    client eth0 --- ancext  anchor ancin0 --- eth0 one    172.30.0.0/24, fd30::/64
                                   ancin1 --- eth0 other  172.31.0.0/24
                                   anchost -- host0 host

A bridge is between identity and container; for netadmin there is none.
"""

import ipaddress
import struct

import messages
from netadmin_lab import CLIENT4, CLIENT6, EXTERNAL_MAC, LAN4, LAN6, Lab, Netadmin

INNER_MAC, HOST_MAC, NEXT_HOP = "02:00:00:00:18:94", "02:00:00:00:18:95", "169.254.24.94"
NEXT_HOP6 = "fe80::ff:fe00:1894"
HOST4, HOST6 = "10.88.0.1", "2001:db8:88::1"
ONE4, ONE6, OTHER4 = "172.30.0.5", "fd30::5", "172.31.0.5"
SUBNETS = {"ancin0": ("172.30.0.0/24", "fd30::/64"), "ancin1": ("172.31.0.0/24",)}
SUBNETS_MAX, SHARED_LINKS_MAX, HOST_ADDRESSES_MAX = 4, 64, 64
LINKS_MADE = 1 << 5


def shared_links(links):
    """name -> subnets."""
    items = b""
    for number, (name, subnets) in enumerate(links.items()):
        networks = [ipaddress.ip_network(text) for text in subnets]
        packed = b"".join(messages.address(str(network.network_address)) + struct.pack("=B3x", network.prefixlen)
                          for network in networks)
        items += struct.pack("=I16s2I", number, name.encode(), 1500, len(networks)) + packed.ljust(SUBNETS_MAX * 24, b"\0")
        items += struct.pack("=72s", f"{number:064x}".encode())
    return messages.message(messages.SHARED_LINKS, struct.pack("=2I", len(links), 0) + items.ljust(SHARED_LINKS_MAX * 196, b"\0"))


def host_addresses(*addresses):
    items = b"".join(messages.address(address) + struct.pack("=B3x", index == 0) for index, address in enumerate(addresses))
    return messages.message(messages.HOST_ADDRESSES, struct.pack("=I6s6x", len(addresses), bytes.fromhex(HOST_MAC.replace(":", ""))) +
                            items.ljust(HOST_ADDRESSES_MAX * 24, b"\0"))


class AttachedLab(Lab):
    def build(self):
        for namespace in self.namespaces.values():
            namespace.run("ip", "link", "set", "lo", "up")
        self.anchor.sysctl("ipv6/conf/all/forwarding", 1)
        self.anchor.sysctl("ipv4/conf/all/rp_filter", 1)
        self.cable(self.client, "eth0", self.anchor, "ancext")
        self.cable(self.one, "eth0", self.anchor, "ancin0")
        self.cable(self.other, "eth0", self.anchor, "ancin1")
        self.cable(self.two, "host0", self.anchor, "anchost", HOST_MAC)
        for name, mac in (("ancext", EXTERNAL_MAC), ("ancin0", INNER_MAC), ("ancin1", INNER_MAC), ("anchost", INNER_MAC)):
            self.anchor.run("ip", "link", "set", name, "down", "address", mac)
        for namespace, interface, addresses in ((self.client, "eth0", (f"{CLIENT4}/24", f"{CLIENT6}/64")),
                                                (self.one, "eth0", (f"{ONE4}/24", f"{ONE6}/64")),
                                                (self.other, "eth0", (f"{OTHER4}/24",))):
            for text in addresses:
                namespace.run("ip", "address", "add", text, "dev", interface, *(["nodad"] if ":" in text else []))

    @property
    def host(self):
        return self.two

    def connect_containers(self):
        """What way and links do on the other sides: defaults by the next hop, the host's routes to the project."""
        for namespace in (self.one, self.other):
            namespace.run("ip", "route", "add", "default", "via", NEXT_HOP, "dev", "eth0", "onlink")
            namespace.run("ip", "-6", "route", "add", "default", "via", NEXT_HOP6, "dev", "eth0")
        for text in (f"{HOST4}/32", f"{HOST6}/128"):
            self.host.run("ip", "address", "add", text, "dev", "lo")
        self.host.run("ip", "route", "add", LAN4, "via", NEXT_HOP, "dev", "host0", "onlink", "src", HOST4)
        self.host.run("ip", "-6", "route", "add", LAN6, "via", NEXT_HOP6, "dev", "host0", "src", HOST6)

    def topology(self):
        return messages.topology(messages.network("ancext", EXTERNAL_MAC, []), bytes(len(messages.network("", EXTERNAL_MAC, []))))

    def start_attached(self, via_host=(), gateway4=None):
        """Started and configured as the identity's supervisor does it, without links told of yet."""
        netadmin = Netadmin(self.program, self.anchor, {})
        self.closing.callback(netadmin.close)
        self.netadmin = netadmin
        netadmin.send(messages.configure_netadmin(gateway4, claim=False, mode=messages.MODE_DHCP_REFRESH, next_hop=NEXT_HOP,
                                                  via_host=via_host))
        netadmin.links, netadmin.reported = netadmin.link()
        netadmin.send(self.topology())
        netadmin.wait_ready(messages.TABLES_INSTALLED)
        return netadmin

    def give_address(self, text=f"{LAN4}/24", family=4):
        """ANCHORD_ADDRESS: a lease without end."""
        held = messages.wire_lease(text, valid=messages.LEASE_FOREVER, preferred=messages.LEASE_FOREVER)
        self.netadmin.send(messages.lease(1, family, held, 0.0))

    def show(self, interface):
        return self.anchor.run("ip", "address", "show", "dev", interface)

