"""A DHCPv6 server that lies: addresses that cannot be ours, absurd lifetimes, options that are cut or huge. What makes no
sense is refused, and what was there stays and works (ADDR-2, ADDR-4).

One project for all cases, as in test_dhcp_hostile.
"""

import contextlib
import ipaddress
import os
import pathlib
import signal

import pytest

from lab import dhcp_messages as dhcp
from lab.hostile_dhcp import OUR_ID6, HostileServer6
from lab.machine import wait_until

ANSWER_SECONDS = 10
HONEST, FIRST_OFFER = "140", 0x141  # the last numbers of the addresses that are offered: each case has its own
FOREVER = 0xffffffff  # RFC 8415, 7.7


def transit(project, number):
    return str(ipaddress.ip_network(project.transit[1])[number])


def offered(text):
    """A lie about the address, with what else it takes."""
    return lambda project, request, own: identity(request, dhcp.identity_address6(
        text(project) if callable(text) else text))


def lasting(preferred, valid, **times):
    """A lie about lifetimes."""
    return lambda project, request, own: identity(request, dhcp.identity_address6(own, preferred, valid), **times)


def identity(request, content, **times):
    return HostileServer6.identifiers(request) + dhcp.identity6(request, content, **times)


def beside(*options):
    """An honest address with further options: pairs (code, bytes)."""
    return lambda project, request, own: identity(request, dhcp.identity_address6(own)) + b"".join(
        dhcp.option6(code, value) for code, value in options)


def honest(project, request, own):
    return identity(request, dhcp.identity_address6(own))


def of_another_client(project, request, own):
    return (dhcp.option6(dhcp.SERVER_ID6, OUR_ID6) + dhcp.option6(dhcp.CLIENT6, bytes(18)) +
            dhcp.identity6(request, dhcp.identity_address6(own)))


def without_a_server(project, request, own):
    return dhcp.option6(dhcp.CLIENT6, request.options[dhcp.CLIENT6]) + dhcp.identity6(request, dhcp.identity_address6(own))


def many(count):
    """An honest address before as many others as are wanted."""
    def answer(project, request, own):
        others = (project.segment.v6(f"f:{number:x}") for number in range(1, count))
        return identity(request, b"".join(dhcp.identity_address6(text) for text in (own, *others)))
    return answer


def address_cut_short(project, request, own):
    return identity(request, dhcp.option6(dhcp.IA_ADDRESS6, bytes(12)))


NO_HOST = "new_dhcp6_ia_na1_ia_addr1 is an address that no host can have"
NOT_UNICAST = "neither a global nor a unique local address"
TRANSIT = "in a subnet of transit"
# No address is taken from these answers: why, as the log says it; None: dhcpcd throws it away.
REFUSED = {
    "address-unspecified": (offered("::"), NO_HOST),
    "address-loopback": (offered("::1"), NO_HOST),
    "address-multicast": (offered("ff02::1"), NO_HOST),
    "address-link-local": (offered("fe80::77"), "new_dhcp6_ia_na1_ia_addr1 is no IPv6 address"),  # it comes with %eth0
    "address-site-local": (offered("fec0::77"), NOT_UNICAST),
    "address-mapped-from-ipv4": (offered("::ffff:198.51.100.7"), NOT_UNICAST),
    "address-translated-from-ipv4": (offered("64:ff9b::c633:6407"), NOT_UNICAST),
    "address-on-transit": (offered(lambda project: transit(project, 0x77)), TRANSIT),
    "address-of-the-gateway-on-transit": (offered(lambda project: project.gateways[1]), TRANSIT),
    "valid-for-no-time": (lasting(0, 0), "new_dhcp6_ia_na1_ia_addr1 is not there, or is not valid any more"),
    "preferred-for-longer-than-valid": (lasting(601, 600), None),
    "renewal-after-rebinding": (lasting(400, 600, renew=300, rebind=200), None),
    "no-address": (lambda project, request, own: identity(request, b""), None),
    "address-cut-short": (address_cut_short, None),
    "of-another-client": (of_another_client, None),
    "without-a-server": (without_a_server, None),
}
# The address is used, and what is wrong beside it does no harm.
USED = {
    "for-ever": lasting(FOREVER, FOREVER, renew=FOREVER, rebind=FOREVER),
    "nearly-for-ever": lasting(FOREVER - 1, FOREVER - 1),
    "preferred-for-no-time": lasting(0, 600),
    "renewal-when-the-client-likes": lasting(400, 600, renew=0, rebind=0),
    "renewal-after-the-end": lasting(400, 600, renew=100000, rebind=200000),
    "fifty-addresses": many(50),
    "twelve-kilobytes-and-eighty-name-servers": beside((60000, b"\xa5" * 12000), (dhcp.NAME_SERVERS6, bytes(16) * 80)),
    "status-and-name-that-are-programs": beside((dhcp.STATUS6, b"\0\0$(reboot); `reboot`\n\"'\\ \x01\xff"),
                                                (dhcp.FQDN6, b"\x04\x09$(reboot)\0")),
}


@pytest.fixture(scope="module")
def server(segments):
    with HostileServer6(segments()) as running:
        yield running


@pytest.fixture(scope="module")
def project(server, leased):
    made = leased(segment=server.segment, environment={"ANCHORD_DHCP_BACKOFF_MAX": "200ms"}).up()
    made.wait_answer("tcp", 25, "smtp", deadline=20, family=6)
    made.wait_clients()
    for name in ("all", "eth0", "eth1"):  # duplicate address detection takes 1 to 2 s of each case, and is another test's
        made.anchor.set_sysctl(f"net.ipv6.conf.{name}.accept_dad", 0)
    return made


def end_client(project):
    """By the signal that makes it forget its lease, which goes on without it; it is started again at once."""
    for pid in project.clients():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"[ip6]" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():  # what it writes over its command line
                os.kill(pid, signal.SIGALRM)


def ask_anew(project, server, lie, own):
    server.answer = lambda request: lie(project, request, own)
    server.requests.clear()
    end_client(project)


def is_ignored(server):
    """dhcpcd heard the advertisement and went on searching."""
    return len([request for request in server.requests if request.kind == dhcp.SOLICIT6]) >= 2


def is_taken(server):
    return any(request.kind == dhcp.REQUEST6 for request in server.requests)


def is_refused(project, before, why):
    return why in [record["why"] for record in project.lease_records("lease refused", 6)[before:]]


@pytest.mark.parametrize("name", REFUSED)
def test_a_lease_that_makes_no_sense_is_refused(project, server, name):
    """Logged, unless dhcpcd has thrown it away; Docker's address serves, and a connection to it lives on."""
    lie, why = REFUSED[name]
    bootstrap, before = project.bootstrap[1], len(project.lease_records("lease refused", 6))
    with project.client.connect(bootstrap, 25) as connection:
        ask_anew(project, server, lie, project.segment.v6(f"{FIRST_OFFER:x}"))
        wait_until(lambda: is_taken(server) and is_refused(project, before, why) if why else is_ignored(server),
                   ANSWER_SECONDS, "the refusal")
        assert connection.alive()
    assert list(project.held(6)) == [bootstrap]
    project.wait_answer("tcp", 25, "smtp", family=6)


@pytest.mark.parametrize("number,name", enumerate(USED, FIRST_OFFER), ids=USED)
def test_nonsense_beside_an_address_does_no_harm(project, server, number, name):
    address = project.segment.v6(f"{number:x}")
    ask_anew(project, server, USED[name], address)
    # Of many in one identity the first four are taken.
    expected = {address} | {project.segment.v6(f"f:{other}") for other in range(1, 4) if name == "fifty-addresses"}
    wait_until(lambda: set(project.held(6)) == {project.bootstrap[1]} | expected, ANSWER_SECONDS, f"{expected} and no other")
    project.move(address)
    project.wait_answer("tcp", 25, "smtp", family=6)
    project.wait_egress(address)


def test_an_honest_server_is_believed_after_all_that(project, server):
    """IPv4, that nobody leases here, was left alone (ADDR-4); nothing of anchord has died or been restarted."""
    address = project.segment.v6(HONEST)
    ask_anew(project, server, honest, address)
    wait_until(lambda: set(project.held(6)) == {project.bootstrap[1], address}, ANSWER_SECONDS, f"{address} and no other")
    project.assert_serves(address)
    assert project.namespace("smtp").probe("tcp", project.gateways[1], 25) == "refused"
    assert list(project.held(4)) == [project.bootstrap[0]]
    assert len(project.records("anchord starting")) == 1
    assert not project.records("worker died")
