"""anchord-watcher and anchord-netadmin together: from a label to what the kernel answers on each port.

The test is their supervisor: it links the two and passes the topology on. Docker is fake_docker, the packets are real.
"""

import contextlib
import ipaddress
import json
import os
import random
import socket
import struct

import pytest

import fake_docker
import messages
import netadmin_lab
import watcher_lab
from container_histories import MARKER, World
from netadmin_lab import LAN4, LAN6, ONE4, ONE6, wait_until

SEED = 4
LOW, HIGH = [1, 2, 3, 4, 5], [65531, 65532, 65533, 65534, 65535]
SHIFT = {"tcp": {1: 7000, 65531: -58000}, "udp": {1: 8000, 65531: -57000}}


class Anchor:
    """Both workers, linked."""

    def __init__(self, lab, build, stack):
        self.lab = lab
        scene = watcher_lab.WatcherLab(build, f"anchord-both-{os.getpid()}")
        stack.callback(scene.close)
        self.docker = scene.start_docker()
        self.docker.networks = {
            fake_docker.DMZ_ID: fake_docker.network(fake_docker.DMZ_ID, "dmz", "macvlan", {"Subnet": "10.99.0.0/24"}),
            fake_docker.TRANSIT_ID: fake_docker.network(
                fake_docker.TRANSIT_ID, "transit", "bridge",
                {"Subnet": "172.30.0.0/16", "Gateway": "172.30.255.254",
                 "AuxiliaryAddresses": {"DefaultGatewayIPv4": netadmin_lab.GATEWAY4}},
                {"Subnet": "fd30::/64", "Gateway": "fd30::1",
                 "AuxiliaryAddresses": {"DefaultGatewayIPv6": netadmin_lab.GATEWAY6}})}
        self.docker.put(fake_docker.own_container(
            dmz=fake_docker.endpoint(fake_docker.DMZ_ID, LAN4, netadmin_lab.EXTERNAL_MAC),
            transit=fake_docker.endpoint(fake_docker.TRANSIT_ID, netadmin_lab.ANCHOR4, netadmin_lab.SHARED_MAC)))
        # Docker names a larger subnet than the other labs have; the link bears it out (WALL-5).
        self.lab.anchor.run("ip", "address", "del", f"{netadmin_lab.ANCHOR4}/24", "dev", "shared0")
        self.lab.anchor.run("ip", "address", "add", f"{netadmin_lab.ANCHOR4}/16", "dev", "shared0")
        self.world = World(self.docker, random.Random(SEED))
        self.netadmin = lab.start(ready=False)
        self.watcher = scene.start(link=False, poll=600)
        self.link()
        topology = self.watcher.from_supervisor_channel(messages.TOPOLOGY)
        self.netadmin.send(messages.message(messages.TOPOLOGY, topology))
        self.netadmin.wait_ready(messages.TABLES_INSTALLED)

    def link(self):
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.closing(ends[0]), contextlib.closing(ends[1]):
            self.netadmin.send(messages.link(), [ends[0].fileno()])
            socket.send_fds(self.watcher.supervisor.own,
                            [messages.message(messages.LINK, struct.pack("=2I", watcher_lab.PEER_NETADMIN, 0))],
                            [ends[1].fileno()])

    def elements(self):
        """The kernel's maps: {(proto, port, address): backend port}."""
        found = {}
        for item in json.loads(self.lab.anchor.run("nft", "--json", "--numeric", "list", "ruleset"))["nftables"]:
            name = item.get("map", {}).get("name", "")
            for key, value in item["map"].get("elem", []) if name in ("dnat_tcp", "dnat_udp") else []:
                address, backend_port = value["concat"]
                found[name.removeprefix("dnat_"), key["elem"]["val"], str(ipaddress.ip_address(address))] = backend_port
        return found

    def marker(self):
        return {("udp", 40000, self.world.marker_address): 40000}

    def await_elements(self, wanted):
        seen = {}

        def are_there():
            nonlocal seen
            seen = self.elements()
            return seen == wanted
        try:
            wait_until(are_there, "the kernel's maps")
        except AssertionError:
            assert seen == wanted


@pytest.fixture
def anchor(lab, build):
    with contextlib.ExitStack() as stack:
        for name in ("ipv4/icmp_ratemask", "ipv6/icmp/ratelimit"):
            lab.anchor.sysctl(name, 0)  # every refused datagram is answered
        yield Anchor(lab, build, stack)


@pytest.mark.parametrize("ports", [LOW, HIGH], ids=["low", "high"])
def test_nat5_every_small_range_answers_within_its_bounds(anchor, lab, ports):
    """Each range of one to five ports, shifted: each port's own answer, the ports next to it refused, all four ways."""
    for protocol, shifts in SHIFT.items():
        for port in ports:
            for address in (ONE4, ONE6):
                backend_port = port + shifts[ports[0]]
                lab.serve(lab.one, str(backend_port), protocol, backend_port, address)
    number = MARKER
    for first in ports:
        for last in range(first, ports[-1] + 1):
            shifted = {protocol: (first + shifts[ports[0]], last + shifts[ports[0]]) for protocol, shifts in SHIFT.items()}
            label = ", ".join(f"{protocol}/{first}-{last}:{low}-{high}" for protocol, (low, high) in shifted.items())
            number += 1
            anchor.docker.start(fake_docker.container(number, label, ONE4, address6=ONE6))
            anchor.await_elements(anchor.marker() | {(protocol, port, address): low + port - first
                                                     for protocol, (low, _) in shifted.items()
                                                     for port in range(first, last + 1) for address in (ONE4, ONE6)})
            for protocol, (low, _) in shifted.items():
                for port in range(max(first - 1, 1), min(last + 1, 65535) + 1):
                    wanted = str(low + port - first) if first <= port <= last else "refused"
                    for address in (LAN4, LAN6):
                        assert netadmin_lab.outcome(lab.client, protocol, address, port) == wanted, (label, port, address)
            anchor.docker.stop(number)


def test_nat3_nat6_the_kernels_maps_follow_random_histories(anchor):
    """test_watcher_model.py down to the kernel."""
    for number in range(60):
        print(f"seed {SEED} step {number}: {anchor.world.step()}")
        anchor.world.move_marker()
        anchor.world.distribute()
        anchor.await_elements(anchor.marker() | {
            key: backend_port for key, (backend_port, is_withheld) in anchor.world.entries().items() if not is_withheld})
