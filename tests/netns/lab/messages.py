"""The messages of protocol/messages.h for tests: layouts and numbers once, in Python.

A test that compares the sizes with the header's static_asserts is the C compiler's; test_netadmin_* show that both
sides understand each other.
"""

import ipaddress
import socket
import struct
import time

MAGIC = 0x616E6368
VERSION = 2
LENGTH_MAX = 16384

(PING, LINK, STOP, CONFIGURE_WATCHER, CONFIGURE_NETADMIN, TOPOLOGY, PONG, READINESS, EXPOSURES_BEGIN, EXPOSURES_ITEMS,
 EXPOSURES_COMMIT, LINKS_BEGIN, LINKS_ITEMS, LINKS_COMMIT, MAP_BEGIN, MAP_ITEMS, MAP_COMMIT, APPLIED,
 CONFIGURE_ANNOUNCER, RAW_SOCKET, HELD_BEGIN, HELD_ITEMS, HELD_COMMIT, PROBE, PROBED, CONFIGURE_RESOLVER, GATEWAYS,
 CONFIGURE_CONTROL, SUPERVISION, FINDINGS_BEGIN, FINDINGS_ITEMS, FINDINGS_COMMIT) = range(1, 33)
COUNTERS_WANTED, CONTESTED = 81, 82
NETWORK_REPORT, LEASE, LEASE_APPLIED, EXTERNAL_LINK, DOCKER_CREDENTIAL, CONFIGURE_KEEPER = 33, 37, 38, 39, 40, 41
KEEPER_WANTED, MANAGED_TARGET, ADVERTISED, CONFIGURE_GATE, GATE_LISTENER = 42, 43, 44, 45, 46
(CONFIGURE_WAY, WAY_SOCKET, CONFIGURE_NAMESPACES, NAMESPACE_WANTED, NAMESPACE_LEFT, NAMESPACES_COMMIT, NAMESPACE_ANSWER,
 NAMESPACE_GONE, CONFIGURE_LINKS, LINKS_IDENTITY, BRIDGES, LINK_ANSWER, GUARDED, WELCOME, HOST_WORKER_STARTED, MEETING_LINK,
 SHARED_LINKS, HOST_ADDRESSES, PROJECT_ADDRESSES) = range(47, 66)
(CONFIGURE_BANS, BAN_LISTENER, BANS_BEGIN, BAN_CHANGES_BEGIN, BANS_ITEMS, BANS_COMMIT, BANS_APPLIED, BAN_REQUEST, BAN_ANSWER,
 BANS_LISTED) = range(66, 76)
EXPOSURES_GUESTS, GUEST_TEXT = 76, 77

PEER_WATCHER, PEER_NETADMIN, PEER_ANNOUNCER, PEER_CONTROL, PEER_WAY, PEER_LINKS, PEER_NAMESPACES = 1, 2, 3, 5, 7, 8, 9
RAW_SOCKET_ARP, RAW_SOCKET_ICMP6 = 1, 2
ROLE_NETWORK = 1
STOP_KEEP_STATE, STOP_TEAR_DOWN, STOP_LEAVE_CLOSED = 1, 2, 3
MODE_BOOTSTRAP, MODE_DHCP_REFRESH, MODE_SLAAC_RA_ONLY = 1, 2, 3
TABLES_INSTALLED, RECONCILED, DOCKER_CONNECTED = 1, 2, 4
EXPOSURES_PER_MESSAGE = 512
MAP_ELEMENTS_MAX = 65536
LOG_DEBUG, LOG_INFO = 0, 1

HEADER = struct.Struct("=IHHIIQ")
EXPOSURE = struct.Struct("=BBHHH16sB3x")
EXPOSURE_OPEN, EXPOSURE_WITHHELD = 1, 2
GUEST = struct.Struct("=BBHHBB16sHHB3x")
GUEST_PORTS, GUEST_SOURCE, GUEST_LIMIT = 1, 2, 3
GUESTS_PER_MESSAGE = 480
ADDRESS = struct.Struct("=B3x16s")
LINK_ADDRESS = struct.Struct("=B3x16sB3x")
LINK_HEAD = struct.Struct("=I16s6sBBI")
LINK_ADDRESSES_MAX = 16
LINK_SIZE = LINK_HEAD.size + LINK_ADDRESSES_MAX * LINK_ADDRESS.size
HELD_HEAD = struct.Struct("=I16s6sBx")
HELD_SIZE = HELD_HEAD.size + ADDRESS.size
LEASE_ROUTERS_MAX, LEASE_ROUTES_MAX, LEASE_FOREVER = 4, 64, 2**32 - 1
ROUTE_SIZE = 2 * ADDRESS.size + 4
LEASE_FURTHER_MAX = 3
FURTHER_SIZE = ADDRESS.size + 8
LEASE_FURTHER_AT = 68 + LEASE_ROUTERS_MAX * ADDRESS.size + LEASE_ROUTES_MAX * ROUTE_SIZE
LEASE_SIZE = LEASE_FURTHER_AT + 4 + LEASE_FURTHER_MAX * FURTHER_SIZE
APPLIED_BODY = struct.Struct("=iI4I2I160s")
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

assert (HEADER.size, EXPOSURE.size, ADDRESS.size, LINK_SIZE) == (24, 28, 20, 32 + 24 * 16)


def message(kind, body=b"", generation=0):
    return HEADER.pack(MAGIC, VERSION, kind, HEADER.size + len(body), 0, generation) + body


def split(datagram):
    """Returns type, generation and body."""
    magic, version, kind, length, reserved, generation = HEADER.unpack_from(datagram)
    assert (magic, version, length, reserved) == (MAGIC, VERSION, len(datagram), 0), datagram
    return kind, generation, datagram[HEADER.size:]


def address(text):
    """A wire_address; None is "no address"."""
    if text is None:
        return bytes(ADDRESS.size)
    parsed = ipaddress.ip_address(text)
    return ADDRESS.pack(parsed.version, parsed.packed)


def network(name, mac, subnets, own4=None, own6=None):
    """subnets: (subnet, gateway, auxiliary gateway) as texts, the last two may be None; own4 and own6: what Docker
    gave the own endpoint."""
    body = struct.pack("=128s6s2xI", name.encode(), bytes.fromhex(mac.replace(":", "")), len(subnets))
    for subnet, gateway, auxiliary in subnets:
        parsed = ipaddress.ip_network(subnet)
        body += (address(str(parsed.network_address)) + address(gateway) + address(auxiliary) +
                 struct.pack("=B3x", parsed.prefixlen))
    return body + bytes((4 - len(subnets)) * 64) + address(own4) + address(own6)


def topology(external, shared, is_final=True):
    return message(TOPOLOGY, external + shared + struct.pack("=2I", is_final, 0))


ASSIGNMENTS_SIZE = 4096


def managed_target(target, name=None, number=1, image="", gateways=(None, None), environment=(), labels=()):
    """MANAGED_TARGET; environment and labels are KEY=VALUE texts."""
    def assignments(items):
        text = b"".join(item.encode() + b"\0" for item in items)
        return struct.pack(f"=2I{ASSIGNMENTS_SIZE}s", len(text), 0, text)

    names = struct.pack("=2I128s128s256s", number, 0, target.encode(), (name or f"{target}-service-anchor").encode(),
                        image.encode())
    return message(MANAGED_TARGET, names + address(gateways[0]) + address(gateways[1]) + assignments(environment) +
                   assignments(labels))


def configure_way(gateway4=None, gateway6=None, log_level=LOG_INFO, inner_mac=None):
    """With the MAC address of the inner links: under attach."""
    return message(CONFIGURE_WAY, address(gateway4) + address(gateway6) +
                   struct.pack("=2I6s2x", log_level, inner_mac is not None,
                               bytes.fromhex((inner_mac or "00" * 6).replace(":", ""))))


def docker_credential(kind):
    return message(DOCKER_CREDENTIAL, struct.pack("=2I", kind, 0))


def configure_netadmin(gateway4=None, gateway6=None, claim=True, log_level=LOG_INFO, mode=MODE_BOOTSTRAP,
                       next_hop=None, via_host=()):
    """With a next hop: under attach."""
    networks = b"".join(address(text.split("/")[0]) + struct.pack("=B3x", int(text.split("/")[1])) for text in via_host)
    return message(CONFIGURE_NETADMIN,
                   address(gateway4) + address(gateway6) + struct.pack("=4I", mode, claim, log_level, next_hop is not None) +
                   address(next_hop) + struct.pack("=I", len(via_host)) + networks.ljust(16 * 24, b"\0"))


def configure_control(project="", role=ROLE_NETWORK, log_level=LOG_INFO):
    """Travels with the listening socket."""
    return message(CONFIGURE_CONTROL, struct.pack("=128s2I", project.encode(), role, log_level))


def link(peer=PEER_WATCHER):
    return message(LINK, struct.pack("=2I", peer, 0))


def stop(mode):
    return message(STOP, struct.pack("=2I", mode, 0))


def exposure(protocol, ports, backend, backend_port=None, access=EXPOSURE_OPEN):
    """`ports` is one port or (first, last)."""
    first, last = ports if isinstance(ports, tuple) else (ports, ports)
    parsed = ipaddress.ip_address(backend)
    return EXPOSURE.pack(parsed.version, PROTOCOLS[protocol], first, last, backend_port or first, parsed.packed, access)


def exposures_items(items, generation):
    return message(EXPOSURES_ITEMS, struct.pack("=2I", len(items), 0) + b"".join(items), generation)


def commit(kind, count, generation):
    return message(kind, struct.pack("=2I", count, 0), generation)


def allow(protocol, ports, *sources):
    """What a list says: the ports, one or (first, last), and who may come."""
    first, last = ports if isinstance(ports, tuple) else (ports, ports)
    guests = [GUEST.pack(GUEST_PORTS, PROTOCOLS[protocol], first, last, 0, 0, b"", 0, 0, 0)]
    for source in map(ipaddress.ip_network, sources):
        guests.append(GUEST.pack(GUEST_SOURCE, PROTOCOLS[protocol], first, last, source.version, source.prefixlen,
                                 source.network_address.packed, 0, 0, 0))
    return guests


def limit(protocol, port, rate, per_minute=False, burst=5):
    return [GUEST.pack(GUEST_LIMIT, PROTOCOLS[protocol], port, port, 0, 0, b"", rate, burst, per_minute)]


def guest_key(guest):
    """The order in which a state has them."""
    kind, protocol, first, last, family, prefix, source, *rest = GUEST.unpack(guest)
    return kind, protocol, first, last, family, source, guest


def state(items, generation, guests=()):
    """The datagrams of one complete desired state; lists and limits are put into their order."""
    datagrams = [message(EXPOSURES_BEGIN, generation=generation)]
    for first in range(0, len(items), EXPOSURES_PER_MESSAGE):
        datagrams.append(exposures_items(items[first:first + EXPOSURES_PER_MESSAGE], generation))
    guests = sorted(guests, key=guest_key)
    for first in range(0, len(guests), GUESTS_PER_MESSAGE):
        part = guests[first:first + GUESTS_PER_MESSAGE]
        datagrams.append(message(EXPOSURES_GUESTS, struct.pack("=2I", len(part), 0) + b"".join(part), generation))
    datagrams.append(commit(EXPOSURES_COMMIT, len(items) + len(guests), generation))
    return datagrams


def held(index, mac, text, name="eth0", is_router=True):
    """A wire_held."""
    return HELD_HEAD.pack(index, name.encode(), bytes.fromhex(mac.replace(":", "")), is_router) + address(text)


def held_state(items, generation):
    """The datagrams of one complete state HELD."""
    datagrams = [message(HELD_BEGIN, generation=generation)]
    if items:
        datagrams.append(message(HELD_ITEMS, struct.pack("=2I", len(items), 0) + b"".join(items), generation))
    return datagrams + [commit(HELD_COMMIT, len(items), generation)]


def parse_held(body):
    """A wire_held -> (interface, MAC, address)."""
    _, name, mac, _ = HELD_HEAD.unpack_from(body)
    family, packed = ADDRESS.unpack_from(body, HELD_HEAD.size)
    return name.rstrip(b"\0").decode(), mac.hex(":"), str(ipaddress.ip_address(packed[:4] if family == 4 else packed))


def probed(target, holder=None):
    """PROBED about a wire_held; `holder` is a MAC."""
    return message(PROBED, target + struct.pack("=I6s6x", holder is not None,
                                                bytes.fromhex((holder or "00" * 6).replace(":", ""))))


def advertised(index, router, *prefixes, mtu=0, longest_route=0):
    """ADVERTISED: what the announcer read in a router's advertisement."""
    listed = b"".join(address(str(network.network_address)) + struct.pack("=B3x", network.prefixlen)
                      for network in map(ipaddress.ip_network, prefixes))
    return message(ADVERTISED, struct.pack("=I", index) + address(router) +
                   struct.pack("=4I", mtu, longest_route, len(prefixes), 0) + listed.ljust(8 * 24, b"\0"))


def parse_items(body):
    """Items of a map -> [(protocol, first, last, backend, backend port)], with a word more when they are withheld."""
    count, _ = struct.unpack_from("=2I", body)
    found = []
    for index in range(count):
        family, protocol, first, last, backend_port, backend, access = EXPOSURE.unpack_from(body, 8 + index * EXPOSURE.size)
        text = str(ipaddress.ip_address(backend[:4] if family == 4 else backend))
        found.append((PROTOCOL_NAMES[protocol], first, last, text, backend_port,
                      *(["withheld"] if access == EXPOSURE_WITHHELD else [])))
    return found


def parse_links(body):
    """LINKS_ITEMS -> {name: (mac, flags, [address/prefix])}."""
    count, _ = struct.unpack_from("=2I", body)
    links = {}
    for index in range(count):
        offset = 8 + index * LINK_SIZE
        _, name, mac, flags, _, address_count = LINK_HEAD.unpack_from(body, offset)
        addresses = []
        for number in range(address_count):
            family, packed, prefix = LINK_ADDRESS.unpack_from(body, offset + LINK_HEAD.size + number * LINK_ADDRESS.size)
            addresses.append(f"{ipaddress.ip_address(packed[:4] if family == 4 else packed)}/{prefix}")
        links[name.rstrip(b"\0").decode()] = (mac.hex(":"), flags, addresses)
    return links


def wire_lease(text, server=None, valid=3600, preferred=None, routers=(), routes=None, mtu=0, further=()):
    """A wire_lease of `text`, address/prefix. `routes` is option 121: (destination/prefix, gateway), or None when the
    server did not send it; `further`: (address, valid, preferred) of the same IA_NA."""
    own, prefix = text.split("/")
    unspecified = "::" if ":" in own else "0.0.0.0"
    body = address(own) + address(server)
    body += struct.pack("=BBH6I", int(prefix), routes is not None, mtu, valid, valid if preferred is None else preferred, 0, 0,
                        len(routers), len(routes or ()))
    body += b"".join(address(router) for router in routers).ljust(LEASE_ROUTERS_MAX * ADDRESS.size, b"\0")
    for destination, gateway in routes or ():
        first, length = destination.split("/")
        body += address(first) + address(gateway or unspecified) + struct.pack("=B3x", int(length))
    body = body.ljust(LEASE_FURTHER_AT, b"\0") + struct.pack("=I", len(further))
    body += b"".join(address(own) + struct.pack("=2I", *seconds) for own, *seconds in further)
    return body.ljust(LEASE_SIZE, b"\0")


def lease(generation, family, held=None, age=0.0):
    """LEASE; `held` is a wire_lease or None, received `age` seconds ago."""
    received = int((time.clock_gettime(time.CLOCK_BOOTTIME) - age) * 1e6)
    return message(LEASE, struct.pack("=IIQ", family, held is not None, received) + (held or bytes(LEASE_SIZE)) + bytes(4),
                   generation)


def parse_lease_applied(body):
    """(family, error, reason)"""
    family, error, reason = struct.unpack("=Ii160s", body)
    return family, error, reason.rstrip(b"\0").decode()


def parse_external_link(body):
    """(name, is running), or None: there is none."""
    index, is_running, name, _, _ = struct.unpack("=II16sII", body)
    return (name.rstrip(b"\0").decode(), bool(is_running)) if index else None


class Applied:
    def __init__(self, generation, body):
        values = APPLIED_BODY.unpack(body)
        self.generation = generation
        self.error = values[0]
        self.entries = {"v4": {"tcp": values[2], "udp": values[3]}, "v6": {"tcp": values[4], "udp": values[5]}}
        self.flushed = {"v4": values[6], "v6": values[7]}
        self.reason = values[8].rstrip(b"\0").decode()

    def __repr__(self):
        return f"Applied({self.generation}, error {self.error}, {self.reason!r}, {self.entries}, {self.flushed})"


# --- attach ---

def guarded(items, generation=0):
    """GUARDED of (address, number of its network)."""
    body = b"".join(address(text) + struct.pack("=I", number) for text, number in items)
    return message(GUARDED, struct.pack("=2I", len(items), 0) + body.ljust(512 * 24, b"\0"), generation)


def project_addresses(*addresses):
    """The body of PROJECT_ADDRESSES."""
    return struct.pack("=2I", len(addresses), 0) + b"".join(map(address, addresses)).ljust(16 * ADDRESS.size, b"\0")


def parse_address(body, offset=0):
    family, packed = ADDRESS.unpack_from(body, offset)
    return str(ipaddress.ip_address(packed[:4] if family == 4 else packed))


def parse_shared_links(body):
    """SHARED_LINKS -> {name: (number, MTU, [subnets], network ID)}"""
    count, _ = struct.unpack_from("=2I", body)
    links = {}
    for at in range(8, 8 + count * 196, 196):
        number, name, mtu, subnet_count = struct.unpack_from("=I16s2I", body, at)
        subnets = [f"{parse_address(body, first)}/{body[first + ADDRESS.size]}"
                   for first in range(at + 28, at + 28 + subnet_count * LINK_ADDRESS.size, LINK_ADDRESS.size)]
        network_id, = struct.unpack_from("=72s", body, at + 28 + 4 * LINK_ADDRESS.size)
        links[name.rstrip(b"\0").decode()] = (number, mtu, subnets, network_id.rstrip(b"\0").decode())
    return links


def parse_host_addresses(body):
    """HOST_ADDRESSES -> (MAC of the host's end or None, {address: whether it is on the parent})"""
    count, mac = struct.unpack_from("=I6s", body)
    return (mac.hex(":") if any(mac) else None,
            {parse_address(body, at): bool(body[at + ADDRESS.size]) for at in range(16, 16 + count * 24, 24)})
