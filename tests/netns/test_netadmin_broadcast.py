"""Broadcast and multicast reach no service, and none leaves the project: by contract (docs/dhcp.md), both ways."""

import socket
import struct

import pytest

import messages
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, ONE4, ONE6, family_of

PORTS = {"mdns": 5353, "ssdp": 1900, "ws-discovery": 3702}
EVERYBODY = ["10.99.0.255", "255.255.255.255", "224.0.0.251", "239.255.255.250", "ff02::fb", "ff05::c", "ff0e::c"]


def listener(box, port, family, interface):
    """A datagram socket that hears everything of `port` that comes to `box`, in the groups too."""
    made = box.socket(family, socket.SOCK_DGRAM)
    made.bind(("", port))
    with box.entered():
        index = socket.if_nametoindex(interface)
    for group in (text for text in EVERYBODY if family_of(text) == family and not text.endswith("255")):
        if family == socket.AF_INET:
            request = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        elif not group.startswith("ff02"):
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(family, group) + struct.pack("=I", index))
    return made


def say_to_everybody(box, port, family, interface):
    with box.socket(family, socket.SOCK_DGRAM) as sender:
        with box.entered():
            index = socket.if_nametoindex(interface)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
        for text in EVERYBODY:
            if family_of(text) == family:
                sender.sendto(f"to {text}".encode(), (text, port, 0, index)[:4 if family == socket.AF_INET6 else 2])


@pytest.fixture
def started(lab):
    lab.start().expose(*(messages.exposure("udp", port, backend) for port in PORTS.values() for backend in (ONE4, ONE6)))
    return lab


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS)
@pytest.mark.parametrize("family, own, backend", [(socket.AF_INET, LAN4, ONE4), (socket.AF_INET6, LAN6, ONE6)], ids=["v4", "v6"])
def test_broadcast_and_multicast_reach_no_service(started, port, family, own, backend):
    """NAT-9: what is sent to everybody on the LAN is for no service; what is sent to the address alone arrives, behind it."""
    with listener(started.one, port, family, "eth0") as service, listener(started.client, port, family, "eth0") as neighbour, \
            started.client.socket(family, socket.SOCK_DGRAM) as client:
        say_to_everybody(started.client, port, family, "eth0")
        assert neighbour.recv(100).startswith(b"to ")  # it was said; a host hears itself
        client.sendto(b"to you alone", (own, port))
        assert service.recv(100) == b"to you alone"


@pytest.mark.parametrize("family, target", [(socket.AF_INET, CLIENT4), (socket.AF_INET6, CLIENT6)], ids=["v4", "v6"])
def test_broadcast_and_multicast_of_a_service_do_not_leave(started, family, target):
    """NAT-9, NAT-10."""
    with listener(started.client, 1900, family, "eth0") as host, started.one.socket(family, socket.SOCK_DGRAM) as service:
        say_to_everybody(started.one, 1900, family, "eth0")
        service.sendto(b"to you alone", (target, 1900))
        assert host.recv(100) == b"to you alone"
