"""A DHCPv4 server that lies: options at their limits and beyond, wrong lengths, addresses that cannot be ours. What makes
no sense is refused, and what was there stays and works (ADDR-2, ADDR-11).

One project for all cases: each lets its client ask anew, which the supervisor does only in its own time.
"""

import contextlib
import dataclasses
import ipaddress
import os
import signal
import socket

import pytest

from lab import dhcp_messages as dhcp
from lab.hostile_dhcp import HostileServer
from lab.machine import wait_until
from lab.segment import OUTSIDE_V4

ANSWER_SECONDS = 10
HONEST, FIRST_OFFER = 140, 141  # the last numbers of the addresses that are offered: each case has its own
FOREVER = 0xffffffff  # RFC 2131, 3.3


@dataclasses.dataclass(frozen=True)
class Lie:
    """Functions of the project and the address that it is to get, because they are known when the test runs only. options
    replace those of an honest answer; None leaves one out."""
    address: callable = lambda project, own: own
    options: callable = lambda project, own: {}


def offered(text):
    """A lie about the address: a whole one, or the last number of one on the LAN."""
    return Lie(address=lambda project, own: text if "." in text else project.segment.v4(text))


def said(**options):
    """A lie that needs no address of the project."""
    codes = {getattr(dhcp, name.upper()): value for name, value in options.items()}
    return Lie(options=lambda project, own: codes)


def route(prefix_length, destination, gateway):
    """An entry of option 121 (RFC 3442)."""
    return bytes((prefix_length,)) + socket.inet_aton(destination)[:(prefix_length + 7) // 8] + socket.inet_aton(gateway)


def many_routes(project):
    """As many as a packet of 1500 bytes takes, and the default route behind them all."""
    return {dhcp.CLASSLESS_ROUTES: b"".join(route(8, f"{number}.0.0.0", project.segment.v4(1)) for number in range(11, 191))
            + route(0, "0.0.0.0", project.segment.v4(1))}


def transit(project, number):
    return str(ipaddress.ip_network(project.transit[0])[number])


# No address is taken from these answers.
REFUSED = {
    "address-zero": offered("0.0.0.0"),
    "address-limited-broadcast": offered("255.255.255.255"),
    "address-broadcast-of-the-subnet": offered("255"),
    "address-of-the-subnet-itself": offered("0"),
    "address-loopback": offered("127.0.0.1"),
    "address-multicast": offered("224.0.0.1"),
    "address-reserved": offered("240.0.0.1"),
    "address-on-transit": Lie(address=lambda project, own: transit(project, 77)),
    "address-of-the-gateway-on-transit": Lie(address=lambda project, own: project.gateways[0]),
    "mask-zero": said(mask=bytes(4)),
    "lease-time-zero": said(lease_time=dhcp.seconds(0)),
    "lease-time-missing-and-no-server": said(lease_time=None, server=None),
    "lease-time-too-long": said(lease_time=bytes(9)),
    "routes-cut-short": said(classless_routes=b"\x18\x0a\xc8"),
    "route-with-a-prefix-of-77": said(classless_routes=bytes((77,)) + bytes(14)),
}
# The address is used, and what is wrong beside it does no harm.
USED = {
    "mask-with-holes": said(mask=dhcp.addresses("255.0.255.0")),
    "mask-too-short": said(mask=b"\xff\xff\xff"),
    "mask-of-a-host": Lie(options=lambda project, own: {dhcp.MASK: b"\xff" * 4, dhcp.CLASSLESS_ROUTES: route(
        32, project.segment.v4(1), "0.0.0.0") + route(0, "0.0.0.0", project.segment.v4(1))}),
    "lease-time-for-ever": said(lease_time=dhcp.seconds(FOREVER)),
    "lease-time-nearly-for-ever": said(lease_time=dhcp.seconds(FOREVER - 1)),
    "renewal-after-the-end": said(renew=dhcp.seconds(100000), rebind=dhcp.seconds(5)),
    "router-zero": said(router=bytes(4)),
    "router-broadcast": said(router=b"\xff" * 4),
    "router-off-link": said(router=dhcp.addresses("198.51.100.1")),
    "router-on-transit": Lie(options=lambda project, own: {dhcp.ROUTER: dhcp.addresses(transit(project, 1))}),
    "router-ourselves": Lie(options=lambda project, own: {dhcp.ROUTER: dhcp.addresses(own)}),
    "router-cut-short": Lie(options=lambda project, own: {dhcp.ROUTER: dhcp.addresses(project.segment.v4(1)) + b"\x0a"}),
    "sixty-routers": Lie(options=lambda project, own: {dhcp.ROUTER: dhcp.addresses(
        project.segment.v4(1), *(project.segment.v4(number) for number in range(180, 239)))}),
    "hundred-and-eighty-routes": Lie(options=lambda project, own: many_routes(project)),
    "route-to-transit": Lie(options=lambda project, own: {dhcp.CLASSLESS_ROUTES: route(
        24, project.transit[0].split("/", maxsplit=1)[0], project.segment.v4(1)) + route(0, "0.0.0.0", project.segment.v4(1))}),
    "host-name-that-is-a-program": said(hostname=b"$(reboot); `reboot`\n\"'\\ \x01\xff"),
}


def answer_of(project, lie, own):
    """What HostileServer takes: the same for offer and acknowledgement."""
    options = {
        dhcp.SERVER: dhcp.addresses(project.segment.server.ipv4), dhcp.LEASE_TIME: dhcp.seconds(600),
        dhcp.MASK: dhcp.addresses("255.255.255.0"), dhcp.ROUTER: dhcp.addresses(project.segment.v4(1)),
    } | lie.options(project, own)
    address, listed = lie.address(project, own), [(code, value) for code, value in options.items() if value is not None]
    return lambda request, kind: (address, listed)


@pytest.fixture(scope="module")
def server(segments):
    with HostileServer(segments()) as running:
        yield running


@pytest.fixture(scope="module")
def project(server, leased):
    made = leased(segment=server.segment, environment={"ANCHORD_DHCP_BACKOFF_MAX": "1s"}).up()
    made.wait_answer("tcp", 25, "smtp", deadline=20)
    made.wait_clients()
    return made


def ask_anew(project, server, lie, own):
    """Let the client hear a NAK for what it has, and then the lie."""
    server.answer = answer_of(project, lie, own)
    server.requests.clear()
    for pid in project.clients():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)


def refusals(project):
    """What the log says of refused leases: netadmin's judgement, or what anchord-lease could not read."""
    return project.lease_records("lease refused")


def is_ignored(server):
    """dhcpcd heard the offer and went on searching."""
    return len([request for request in server.requests if request.kind == dhcp.DISCOVER]) >= 2


def is_taken(server):
    """dhcpcd wants what it was offered."""
    return any(request.kind == dhcp.REQUEST for request in server.requests)


def honest_lease(project, server):
    ask_anew(project, server, Lie(), project.segment.v4(HONEST))
    project.wait_held(project.segment.v4(HONEST), deadline=ANSWER_SECONDS)


@pytest.mark.parametrize("name", REFUSED)
def test_a_lease_that_makes_no_sense_is_refused(project, server, name):
    """Logged, unless dhcpcd has thrown it away; Docker's address serves, and a connection to it lives on."""
    bootstrap, before = project.bootstrap[0], len(refusals(project))
    with project.client.connect(bootstrap, 25) as connection:
        ask_anew(project, server, REFUSED[name], project.segment.v4(FIRST_OFFER))
        wait_until(lambda: is_ignored(server) or (is_taken(server) and len(refusals(project)) > before), ANSWER_SECONDS,
                   "the refusal")
        assert connection.alive()
    assert list(project.held(4)) == [bootstrap]
    project.assert_serves(bootstrap)


@pytest.mark.parametrize("number,name", enumerate(USED, FIRST_OFFER), ids=USED)
def test_nonsense_beside_an_address_does_no_harm(project, server, number, name):
    """The address is used; the way out is the honest router, or the one that Docker's network names."""
    address = project.segment.v4(number)
    ask_anew(project, server, USED[name], address)
    project.wait_held(address, deadline=ANSWER_SECONDS)
    project.assert_serves(address)
    for destination in range(len(OUTSIDE_V4)):
        assert project.egress_source(4, destination) == address
    assert project.namespace("smtp").probe("tcp", project.gateways[0], 25) == "refused"


def test_an_honest_server_is_believed_after_all_that(project, server):
    """And nothing of anchord has died or been restarted."""
    honest_lease(project, server)
    project.assert_serves(project.segment.v4(HONEST))
    project.wait_only(project.segment.v4(HONEST))
    assert len(project.records("anchord starting")) == 1
    assert not project.records("worker died")


def test_silence_and_noise_are_no_lease(project, server):
    """Random bytes at the client's port: nothing changes."""
    honest_lease(project, server)
    address = project.segment.v4(HONEST)
    with project.segment.server:
        noise = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with noise:
        noise.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for size in (0, 1, 239, 240, 241, 300, 1400):
            noise.sendto(os.urandom(size), (project.segment.v4(255), dhcp.CLIENT4))
            noise.sendto(os.urandom(size), (address, dhcp.CLIENT4))
    project.assert_serves(address)
    wait_until(lambda: list(project.held(4)) == [address], 10, "no other address than the leased one")  # ADDR-2: 5 s
