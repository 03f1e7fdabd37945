"""Router advertisements mirrored into our table (ADDR-11), with radvd on the LAN and the kernel's own acceptance."""

import pytest

import messages
from advertisements_lab import Router, accept_advertisements, fields, gateways, mirrored, wait_for_gateways
from control_peer import ControlPeer
from netadmin_lab import LAN6, ONE6, outcome, wait_until
from network_lab import ROUTER6, TABLE, UNREACHABLE6, NetworkLab, wait_logged

OUTSIDE = "2001:db8:ffff::9"
FIRST, SECOND = "fe80::a1", "fe80::a2"


@pytest.fixture
def lab(build):
    made = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    accept_advertisements(made)
    yield made
    made.close()


def advertised(lab, gateway):
    """What the kernel made of it in main, or None."""
    lines = [line for line in lab.routes("-6", "main") if line.startswith(f"default via {gateway} ")]
    return fields(lines[0]) if lines else None


def test_gateway_lifetime_and_preference_are_mirrored(lab, tmp_path):
    netadmin = lab.start()
    Router(lab, tmp_path, FIRST, preference="high")
    wait_for_gateways(lab, FIRST)
    route = mirrored(lab)[0]
    assert (route["metric"], route["pref"]) == ("100", "high")
    assert abs(route["expires"] - advertised(lab, FIRST)["expires"]) <= 2
    wait_logged(ControlPeer(netadmin), "external gateway chosen", family="v6", gateway=FIRST, source="RA")


def test_dockers_invented_default_does_not_beat_the_router(lab, tmp_path):
    """Docker's is static, metric 1024, and stands in main beside the advertised one."""
    lab.start()
    Router(lab, tmp_path, FIRST)
    wait_for_gateways(lab, FIRST)
    assert f"default via {ROUTER6} dev ext0 metric 1024 pref medium" in lab.routes("-6", "main")
    assert f"via {FIRST} dev ext0 table {TABLE}" in lab.route_to("-6", OUTSIDE)


def test_ipam_and_pin_come_before_the_router(lab, tmp_path):
    ipam = (("10.99.0.0/24", None, None), ("2001:db8:99::/64", ROUTER6, None))
    netadmin = lab.start(topology=lab.topology(external=ipam))
    Router(lab, tmp_path, FIRST)
    wait_until(lambda: advertised(lab, FIRST), "the advertisement in main", 10.0)
    netadmin.ping(7)
    assert gateways(lab) == [ROUTER6]
    netadmin.kill()
    lab.start(topology=lab.topology(external=ipam), gateway6="fe80::1234")
    assert gateways(lab) == ["fe80::1234"]


def test_a_prolonged_lifetime_is_followed(lab, tmp_path):
    """The kernel sends no notification when an advertisement only prolongs: the route must outlive its first life."""
    lab.start()
    Router(lab, tmp_path, FIRST, lifetime=6)
    wait_for_gateways(lab, FIRST)
    with lab.monitored("route") as changes:
        wait_until(lambda: sum(f"via {FIRST}" in line and f"table {TABLE}" in line for line in changes) >= 3,
                   "three renewals, each a change of the lifetime in our table", 20.0)
    assert not any(line.startswith("Deleted") for line in changes), changes
    assert gateways(lab) == [FIRST]


def test_lifetime_zero_removes_it_at_once(lab, tmp_path):
    netadmin = lab.start()
    router = Router(lab, tmp_path, FIRST, lifetime=1800)
    wait_for_gateways(lab, FIRST)
    router.retire()
    wait_until(lambda: lab.routes("-6") == [UNREACHABLE6], "no default", 1.0)
    assert lab.route_to("-6", OUTSIDE) == "unreachable"
    wait_logged(ControlPeer(netadmin), "unreachable: no external gateway", family="v6")


def test_a_router_that_falls_silent_expires_even_without_us(lab, tmp_path):
    """The lifetime is the kernel's to count: nobody has to be alive."""
    netadmin = lab.start()
    router = Router(lab, tmp_path, FIRST, lifetime=4)
    wait_for_gateways(lab, FIRST)
    netadmin.kill()
    router.kill()
    wait_until(lambda: lab.route_to("-6", OUTSIDE) == "unreachable", "the mirrored route to expire", 8.0)


def test_another_router_takes_over(lab, tmp_path):
    lab.start()
    first = Router(lab, tmp_path, FIRST)
    wait_for_gateways(lab, FIRST)
    Router(lab, tmp_path, SECOND)
    wait_for_gateways(lab, FIRST, SECOND)
    first.retire()
    wait_for_gateways(lab, SECOND, deadline=1.0)
    assert mirrored(lab)[0]["metric"] == "100"
    assert f"via {SECOND}" in lab.route_to("-6", OUTSIDE)


def test_the_preferred_router_is_first(lab, tmp_path):
    lab.start()
    Router(lab, tmp_path, FIRST, preference="low")
    wait_for_gateways(lab, FIRST)
    Router(lab, tmp_path, SECOND, preference="high")
    wait_for_gateways(lab, SECOND, FIRST)
    assert [route["pref"] for route in mirrored(lab)] == ["high", "low"]
    assert f"via {SECOND}" in lab.route_to("-6", OUTSIDE)


@pytest.mark.parametrize("prefix", ["fd30::/64", "fd30::/80", f"{ONE6}/128"])
def test_a_prefix_of_the_shared_network_is_not_believed(lab, tmp_path, prefix):
    """WALL-2: the route that it brings to main would lead to the LAN what is meant for a backend: nothing served over IPv6
    any more."""
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, ONE6)
    netadmin.expose(messages.exposure("tcp", 8080, ONE6))
    Router(lab, tmp_path, FIRST, prefix=prefix)
    wait_for_gateways(lab, FIRST)  # it is a router all the same
    wait_until(lambda: [line for line in lab.routes("-6", "main") if line.startswith("fd30:") and "ext0" in line],
               "the advertised prefix in main", 10)
    assert "dev shared0" in lab.route_to("-6", ONE6)
    assert outcome(lab.client, "tcp", LAN6, 8080, 1) == "one"


def test_dockers_address_is_the_egress_beside_slaac(lab, tmp_path):
    """NAT-8 in bootstrap mode (ADDR-1): also when the autoconfigured address is the lower one; else it steps in."""
    def autoconfigured():
        lines = lab.lines("-6", "-oneline", "address", "show", "dev", "ext0", "dynamic", "-tentative")
        return [word.removesuffix("/64") for line in lines for word in line.split() if word.startswith("2001:db8:1:")]

    lab.start()
    Router(lab, tmp_path, FIRST, prefix="2001:db8:1::/64")
    slaac, = wait_until(autoconfigured, "an autoconfigured address", 10.0)
    wait_until(lambda: slaac in lab.ruleset(), "the address in the set of external ones", 1.0)
    assert f"snat to {LAN6}" in lab.ruleset()
    lab.anchor.run("ip", "address", "delete", f"{LAN6}/64", "dev", "ext0")
    wait_until(lambda: f"snat to {slaac}" in lab.ruleset(), "the other egress", 1.0)
    assert LAN6 not in lab.ruleset()
