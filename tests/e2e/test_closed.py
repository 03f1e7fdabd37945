"""WALL-3 on a real engine: nothing passes the anchor's namespace before Docker has answered, nor while it stops.

Backends in the namespaces of service-anchors, whose way out leads through the anchor whatever Docker says: with forwarding
switched on by Compose, the anchor's kernel alone would pass on what the LAN sends to the inside, and what they send out.
"""

import contextlib
import threading

import pytest

from direct import ANCHOR, FAMILIES, mail_services, service
from lab import compose, forge
from lab.machine import wait_until
from leases import time_of
from service_anchors import ServiceAnchors

pytestmark = pytest.mark.every_engine
PORTS = (22, 25, 53, 80, 2375, 5432, 8080, 8443, 9090)
NOWHERE = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
SKELETON = ("table ip anchord_skeleton", "table ip6 anchord_skeleton")
LEAK_PORT = 4444
STARTS = 3
OPEN_SECONDS = 10  # 0.4 s as a rule; with eight runnable processes for each core it took 2.9 s
SEND = ("import socket; s = socket.socket(socket.AF_INET6 if ':' in '{0}' else socket.AF_INET, socket.SOCK_DGRAM);"
        f" s.sendto(b'leak', ('{{0}}', {LEAK_PORT}))")


@pytest.fixture
def made(request, lab, anchord_image):
    """A factory of the project, forwarding from its anchor's first moment in both families; up, when it returns."""
    projects = []

    def make(environment=None, proxy=None):
        # Exposed by nobody, and on the anchor's network all the same.
        hidden = service("hidden", tcp="5432")
        projects.append(ServiceAnchors(lab, mail_services() | {"hidden": hidden},
                                       name=compose.unique_name(request.node.originalname), proxy=proxy))
        with projects[-1].edited() as definition:
            definition["services"][ANCHOR]["environment"] |= environment or {}
            definition["services"][ANCHOR]["sysctls"]["net.ipv4.ip_forward"] = 1
        return projects[-1].up() or projects[-1]

    yield make
    for project in projects:
        if getattr(request.node, "failed", True):
            print(project.all_logs())
        project.discard()


@contextlib.contextmanager
def led_inside(lab, project):
    """lanhost2 routes the project's inner subnets to its address."""
    for family, subnet in zip(FAMILIES, project.transit):
        lab.lanhost2.add_route(subnet, project.at(family))
    try:
        yield
    finally:
        for subnet in project.transit:
            lab.lanhost2.delete_route(subnet)


def tables(project):
    return sorted(project.anchor.run(["nft", "list", "tables"]).stdout.splitlines())


def wait_ways(project):
    """The service-anchors lead to the anchor, by its name: Docker's resolver."""
    for name in ("smtp", "hidden"):
        for family in FAMILIES:
            wait_until(lambda name=name, family=family: project.leads_to_anchor(name, family), 20,
                       f"the way of {name} in v{family}")


def leaks(lab, project):
    """What arrives outside of what a container sends there."""
    with lab.outside.capture() as capture:
        for address in lab.outside.addresses:
            project.namespace("hidden").run(["python3", "-c", SEND.format(address)])
        assert lab.lanhost1.ping(lab.outside.ipv4)  # whatever was sent before has arrived
    return [packet for packet in capture.received(proto="udp") if packet.destination_port == LEAK_PORT]


def test_wall3_nothing_passes_while_docker_does_not_answer(lab, made):
    """A scan from the LAN with routes to the inside finds nothing, egress does not leave, v4 and v6."""
    project = made(NOWHERE)
    # Docker's own table for its resolver stands there, too.
    wait_until(lambda: {name for name in tables(project) if "anchord" in name} == set(SKELETON), 15, "the skeleton")
    wait_ways(project)
    with led_inside(lab, project), project.namespace("hidden").capture(interface="eth0") as inside:
        for family in FAMILIES:
            for address in (project.inner("hidden", family), project.inner("smtp", family),
                            project.address(ANCHOR, "transit", family), project.at(family)):
                assert lab.lanhost2.scan_tcp(address, PORTS, timeout=0.3).silent == set(PORTS), address
                assert lab.lanhost2.scan_udp(address, PORTS, timeout=0.3).silent == set(PORTS), address
                assert lab.lanhost2.ping(address, timeout=0.3) is None, address
        assert leaks(lab, project) == []
    assert not [packet for packet in inside.received() if packet.source in lab.lanhost2.addresses]


def test_wall3_the_start_works_under_the_skeleton_and_leaves_none(lab, made, figure):
    """The proxy is found by Docker's resolver and spoken to over TCP, before there is any other rule. Between a container's
    start and the skeleton three programs start: that is the time in which the kernel alone decides."""
    project = made(proxy=True)
    project.ready()
    delays = []
    while len(delays) < STARTS:
        if delays:
            project.recreate(ANCHOR)
            project.ready()
        closed = project.records("closed until the tables are installed")  # a line for each family
        delays.append(time_of(closed[-1]["time"]) - time_of(project.inspect(ANCHOR)["State"]["StartedAt"]))
    figure(f"{', '.join(f'{delay * 1000:.0f}' for delay in delays)} ms from Docker's start of the container to the skeleton")
    assert max(delays) < OPEN_SECONDS
    assert not set(SKELETON) & set(tables(project))
    wait_ways(project)
    wait_until(lambda: len({packet.destination for packet in leaks(lab, project)}) == 2, 10, "egress")
    with led_inside(lab, project):
        for family in FAMILIES:
            assert lab.lanhost2.scan_tcp(project.inner("hidden", family), PORTS, timeout=0.3).silent == set(PORTS)


class Asking:
    """lanhost2 sends datagrams to a hidden container by the anchor's MAC, without a pause; a container does so to the
    outside."""

    def __init__(self, lab, project):
        self.lab, self.project = lab, project
        self.mac = lab.lanhost2.neighbour(project.at(4))
        self.ended = threading.Event()
        self.rounds = 0
        self.threads = [threading.Thread(target=self.ask_inside), threading.Thread(target=self.ask_outside)]

    def ask_inside(self):
        host = self.lab.lanhost2
        packets = [forge.udp(source, 5000, self.project.inner("hidden", family), 5432)
                   for family, source in zip(FAMILIES, host.addresses)]
        with host:
            while not self.ended.is_set():
                forge.send(host.interface, self.mac, *packets)
                self.rounds += 1
                self.ended.wait(0.002)

    def ask_outside(self):
        commands = "; ".join(SEND.format(address) for address in self.lab.outside.addresses)
        while not self.ended.is_set():
            self.project.namespace("hidden").run(["python3", "-c", commands], check=False)

    def __enter__(self):
        assert self.mac
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_wall3_nothing_passes_while_the_anchor_stops(lab, made, figure):
    """From before the signal until Docker has removed the namespace."""
    project = made()
    project.ready()
    wait_ways(project)
    inner = {project.inner("hidden", family) for family in FAMILIES}
    with lab.outside.capture() as outside, project.namespace("hidden").capture(interface="eth0") as inside, \
            Asking(lab, project) as asking:
        wait_until(lambda: asking.rounds > 50, 10, "the questions to go out")
        before = asking.rounds
        project.lab.docker("stop", project.inspect(ANCHOR)["Id"])
        figure(f"{asking.rounds - before} rounds of questions during the stop")
        assert asking.rounds - before > 20
    assert not [packet for packet in inside.received() if packet.source in lab.lanhost2.addresses]
    assert not [packet for packet in outside.received() if packet.source in inner]
