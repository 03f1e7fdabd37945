"""Services come and go (DISC-6, NAT-4): reachable again at once, or refused; the old flows of exactly
that backend end, everybody else's go on.

One running project; every test finds all services up and leaves them so. Clients of two other services
hold a TCP connection and a UDP flow all the time.
"""

import contextlib
import datetime
import itertools
import re
import time

import pytest

from direct import FAMILIES, mail_services
from lab import images
from lab.machine import wait_until

_source_ports = itertools.count(22000)  # below the ephemeral ones, which may be taken


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


@pytest.fixture
def web_up(mail):
    """Whatever the test did to it: web is back at the end, and answers."""
    yield
    mail.up("web")
    mail.wait_answer("tcp", 80, "web")


def started_at(mail, name):
    """When the engine started the service's container, as time.time()."""
    text = mail.inspect(name)["State"]["StartedAt"]
    seconds, fraction = re.fullmatch(r"(.*)\.(\d+)Z", text).groups()
    moment = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction}")


def first_reply_after(pinger, moment):
    """When, as time.time(), the first answer after that moment arrived; None so far."""
    offset = time.time() - time.monotonic()
    return next((arrival + offset for _, arrival, _ in list(pinger.replies) if arrival + offset >= moment), None)


class Bystander:
    """A TCP connection to smtp and a UDP flow to dns; untouched() proves that nobody broke in."""

    def __init__(self, mail, family, stack):
        client = mail.lab.lanhost1
        self.mail, self.family = mail, family
        self.ports = next(_source_ports), next(_source_ports)
        self.connection = stack.enter_context(
            client.connect(mail.at(family), 25, source_port=self.ports[0]))
        self.pinger = stack.enter_context(
            client.udp_pinger(mail.at(family), 53, source_port=self.ports[1], rate=100))
        wait_until(lambda: self.pinger.replies, 5, "first answer of dns")
        self.before = self.flow_ids()

    def flow_ids(self):
        """Conntrack's IDs of both flows: the same flow, not one that was picked up anew."""
        lines = [line for port, proto in zip(self.ports, ("tcp", "udp"))
                 for line in self.mail.flows("-p", proto, "--orig-port-src", port, family=self.family)]
        assert len(lines) == 2, lines
        return [re.search(r"id=(\d+)", line).group(1) for line in lines]

    def untouched(self):
        assert self.connection.alive()
        assert self.flow_ids() == self.before
        sent = self.pinger.sent
        wait_until(lambda: self.pinger.replies[-1][0] >= sent, 5, "answer to the latest datagram")
        answered = {sequence for sequence, _, _ in list(self.pinger.replies)}
        assert set(range(sent)) <= answered, f"lost: {sorted(set(range(sent)) - answered)}"
        assert self.pinger.errors == []


@pytest.fixture(params=FAMILIES, ids=("ipv4", "ipv6"))
def bystander(request, mail):
    with contextlib.ExitStack() as stack:
        yield Bystander(mail, request.param, stack)


def restart(mail):
    mail.compose("restart", "--timeout", "1", "web")


def stop_and_start(mail):
    mail.compose("stop", "--timeout", "1", "web")
    for family in FAMILIES:
        mail.wait_refused("tcp", 80, family=family)
    mail.compose("start", "web")


def recreate(mail):
    before = mail.container("web")
    mail.up("--force-recreate", "--no-deps", "--timeout", "1", "web")
    assert mail.container("web") != before


def remove_and_create(mail):
    mail.compose("rm", "--stop", "--force", "web")
    for family in FAMILIES:
        mail.wait_refused("tcp", 80, family=family)
    mail.up("web")


def kill_and_start(mail):
    mail.signal("web", "KILL")
    mail.wait_refused("tcp", 80)
    mail.compose("start", "web")


@pytest.mark.every_engine
@pytest.mark.parametrize("change", (restart, stop_and_start, recreate, remove_and_create, kill_and_start))
def test_a_changed_service_answers_again_and_others_notice_nothing(mail, web_up, bystander, change, figure):
    """DISC-6, NAT-4."""
    family, client = bystander.family, mail.lab.lanhost1
    with client.connect(mail.at(family), 80) as old, \
            client.udp_pinger(mail.at(family), 443, rate=200) as pinger:
        wait_until(lambda: pinger.replies, 5, "first answer of web")
        change(mail)
        mail.wait_answer("tcp", 80, "web", family=family, deadline=5)
        start = started_at(mail, "web")
        first = wait_until(lambda: first_reply_after(pinger, start), 5, "an answer on the same source port")
        figure(f"container's start to the first answer {(first - start) * 1000:.0f} ms, the service's own start "
               "included")
        assert not old.alive()
    bystander.untouched()


@contextlib.contextmanager
def squatter(mail, addresses):
    """A container that holds given addresses on transit and answers on web's ports."""
    name = f"{mail.name}-squatter"
    mail.lab.docker("run", "--detach", "--name", name, "--network", f"{mail.name}_transit", "--ip", addresses[0],
                    "--ip6", addresses[1], images.SERVICES, "services", "--name", "squatter",
                    "--tcp", "8080", "--udp", "8443")
    try:
        yield
    finally:
        mail.lab.docker("rm", "--force", name)


@pytest.mark.every_engine
def test_flows_follow_a_service_to_its_new_address(mail, web_up, bystander):
    """NAT-4: a client that keeps sending from one port reaches the new address, not whoever has the old
    one now; its old TCP connection is reset and does not hang."""
    family, client = bystander.family, mail.lab.lanhost1
    old_addresses = [mail.inner("web", each) for each in FAMILIES]
    with client.udp_pinger(mail.at(family), 443, source_port=next(_source_ports)) as pinger, \
            client.connect(mail.at(family), 80) as connection:
        wait_until(lambda: pinger.replies, 5, "first answer of web")
        mail.compose("kill", "web")
        with squatter(mail, old_addresses):
            mail.compose("start", "web")
            assert mail.inner("web", family) not in old_addresses
            mail.wait_answer("tcp", 80, "web", family=family)
            seen = len(pinger.replies)
            wait_until(lambda: len(pinger.replies) > seen, 5, "answer to the old source port")
            assert {line.split()[0] for _, _, line in list(pinger.replies)} == {"web"}
            assert not connection.alive()
            assert not mail.flows("--reply-src", old_addresses[FAMILIES.index(family)], family=family)
    bystander.untouched()


@pytest.mark.parametrize("family", FAMILIES)
def test_flows_to_a_removed_service_are_dropped_and_refused(mail, web_up, family):
    """NAT-4, NAT-11: exactly those of the removed backend."""
    client, backend = mail.lab.lanhost1, mail.inner("web", family)
    with client.connect(mail.at(family), 80) as connection, \
            client.udp_pinger(mail.at(family), 443, source_port=next(_source_ports)) as pinger:
        wait_until(lambda: pinger.replies, 5, "first answer of web")
        assert len(mail.flows("--reply-src", backend, family=family)) >= 2
        mail.compose("rm", "--stop", "--force", "web")
        wait_until(lambda: not mail.flows("--reply-src", backend, family=family), 5, "no flow to the old address")
        wait_until(lambda: pinger.errors, 5, "ICMP port unreachable for the next datagram")
        assert pinger.errors[-1][1] == "refused"
        assert not connection.alive()
    assert 80 not in mail.elements(family, "tcp") and 443 not in mail.elements(family, "udp")
    assert mail.elements(family, "tcp")[25] == f"{mail.inner('smtp', family)} 25"


@pytest.mark.every_engine
@pytest.mark.parametrize("family", FAMILIES)
def test_a_flow_that_began_before_its_service_reaches_it(mail, web_up, family):
    """NAT-4, NAT-11: datagrams that were refused do not stay pinned to no backend."""
    mail.compose("rm", "--stop", "--force", "web")
    mail.wait_refused("udp", 443, family=family)
    with mail.lab.lanhost1.udp_pinger(mail.at(family), 443, source_port=next(_source_ports)) as pinger:
        wait_until(lambda: pinger.errors, 5, "the first refusal")
        mail.up("web")
        wait_until(lambda: pinger.replies, 5, "an answer on the same source port")
        assert pinger.last_reply() == f"web {mail.lab.lanhost1.addresses[FAMILIES.index(family)]} " \
                                      f"{pinger.source_port}"


def test_a_paused_container_keeps_its_entry(mail, web_up):
    """DISC-6: a pause is not an end: the connection goes on afterwards."""
    before = mail.elements(4, "tcp")
    with mail.lab.lanhost1.connect(mail.at(4), 80) as connection:
        mail.compose("pause", "web")
        # Something that anchord acts on after the pause: then it has seen the pause, too.
        mail.compose("stop", "--timeout", "1", "dns")
        wait_until(lambda: 53 not in mail.elements(4, "tcp"), 5, "the stop of dns")
        assert mail.elements(4, "tcp")[80] == before[80]
        mail.compose("unpause", "web")
        assert connection.alive()
    mail.compose("start", "dns")
    mail.wait_answer("udp", 53, "dns")


@pytest.mark.every_engine
def test_leaving_and_joining_the_network_is_seen(mail, web_up):
    """DISC-6, network disconnect and connect; Docker's default route was not edited, so it works."""
    network, container = f"{mail.name}_transit", mail.container("web")
    mail.lab.docker("network", "disconnect", network, container)
    mail.wait_refused("tcp", 80)
    mail.lab.docker("network", "connect", network, container)
    for family in FAMILIES:
        mail.wait_answer("tcp", 80, "web", family=family)


def test_a_second_container_of_the_project_is_served_at_once(mail):
    """DISC-1, DISC-6: one that Compose did not start with the rest, found by its label alone."""
    with mail.extra_container("late", tcp="7000", expose="tcp/7000"):
        for family in FAMILIES:
            mail.wait_answer("tcp", 7000, "late", family=family, deadline=5)
    mail.wait_refused("tcp", 7000)
