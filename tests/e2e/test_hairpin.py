"""Hairpin (NAT-9): the project's own address means the project's services from inside, too, and only that."""

import pytest

from direct import ANCHOR, FAMILIES, mail_services
from lab.instance import OUTSIDE_PORT
from lab.machine import wait_until

# Of redirects: ICMP (RFC 792) and neighbour discovery (RFC 4861, 4.5).
REDIRECTS = {4: 5, 6: 137}
EXPOSED = (("tcp", 25, "smtp"), ("tcp", 80, "web"), ("udp", 53, "dns"), ("udp", 443, "web"))
pytestmark = pytest.mark.every_engine


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("origin", ("smtp", "web", "dns", ANCHOR))
def test_every_exposed_port_answers_inside(lab, mail, each_bridge_filter, family, origin):
    """A sibling, the service itself and the anchor itself, TCP and UDP."""
    for proto, port, name in EXPOSED:
        assert mail.probe(origin, proto, mail.at(family), port).startswith(f"{name} "), f"{proto}/{port}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_closed_port_is_refused_inside_as_outside(lab, mail, family):
    for origin in ("smtp", ANCHOR):
        assert mail.probe(origin, "tcp", mail.at(family), 5432) == "refused"
        # ICMP errors are rationed by the kernel, for all namespaces of a machine together (net.ipv4.icmp_msgs_per_sec):
        # a scan in another test may have used them up.
        wait_until(lambda: mail.probe(origin, "udp", mail.at(family), 5432) == "refused", 5, f"udp refused to {origin}")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("origin", ("web", "smtp", ANCHOR))
def test_an_outside_server_on_an_exposed_port_number_is_still_outside(lab, mail, family, origin):
    """tcp/80 and udp/53 are exposed; somebody else's port 80 is none of our business."""
    assert OUTSIDE_PORT == 80
    outside = lab.outside.addresses[FAMILIES.index(family)]
    assert mail.probe(origin, "tcp", outside, OUTSIDE_PORT).startswith(f"outside {mail.at(family)} ")


@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_is_redirected_around_the_anchor(lab, mail, family):
    """A router whose answer leaves where the question came in says so with an ICMP redirect (RFC 1812, 5.2.7.2): a
    container would learn a way around the NAT, and a LAN host that there is a router."""
    with mail.namespace("smtp").capture(interface="eth0") as seen:
        for _ in range(3):
            assert mail.probe("smtp", "tcp", mail.at(family), 80).startswith("web ")
            assert mail.probe("smtp", "udp", mail.at(family), 53).startswith("dns ")
    redirects = [packet for packet in seen.received() if packet.icmp_type and packet.icmp_type[0] == REDIRECTS[family]]
    assert redirects == []
