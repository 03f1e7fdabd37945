"""netadmin: gateways and routes of leases with their MTU (NAT-12), and leases that make no sense (ADDR-2, ADDR-11)."""

import errno

import pytest

import messages
from lease_lab import LEASED4, LEASED_ROUTER4, LeaseLab
from netadmin_lab import LAN4, ask_tcp, wait_logged, wait_until
from network_lab import DEFAULT4, ROUTER4, TABLE, UNREACHABLE4
from segment_sizes import SegmentSizes

BOOTSTRAP, LEASED = f"{LAN4}/24", f"{LEASED4}/24"
PIN4 = "10.99.0.253"
LEASED_DEFAULT4 = f"default via {LEASED_ROUTER4} dev ext0 proto 110 metric 90"
SINGLE = "203.0.113.7"


@pytest.fixture
def lab(build):
    made = LeaseLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


def leased_routes(lab):
    return [line for line in lab.routes("-4") if not line.startswith(("default", "unreachable"))]


def test_the_lease_comes_before_the_pin(lab):
    """ADDR-11: lease, pin, IPAM; the next one takes over when the one before goes."""
    lab.start(gateway4=PIN4)
    pinned = f"default via {PIN4} dev ext0 proto 110 metric 100"
    assert lab.routes("-4") == [pinned, UNREACHABLE4]
    lab.lease()
    wait_until(lambda: lab.routes("-4") == [LEASED_DEFAULT4, UNREACHABLE4], "the lease's gateway")
    lab.lease(routers=[])
    wait_until(lambda: lab.routes("-4") == [pinned, UNREACHABLE4], "the pin, for a lease without a gateway")
    lab.lease()
    wait_until(lambda: lab.routes("-4") == [LEASED_DEFAULT4, UNREACHABLE4], "the lease's gateway again")
    lab.lease_lost()
    wait_until(lambda: lab.routes("-4") == [pinned, UNREACHABLE4], "the pin")


def test_there_is_no_moment_without_a_default_route(lab):
    lab.start()
    with lab.monitored("route") as changes:
        lab.lease()
        lab.wait_external(LEASED)
        lab.lease_lost()
        lab.wait_external(BOOTSTRAP)
        wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network")
    held = {ROUTER4}
    for line in [line for line in changes if f"table {TABLE}" in line and "default via" in line]:
        gateway = line.split("via ")[1].split()[0]
        held = held - {gateway} if line.startswith("Deleted") else held | {gateway}
        assert held, changes


def test_option_121_replaces_option_3(lab):
    """RFC 3442; its other routes go into our table."""
    lab.start()
    lab.lease(routers=["10.99.0.3"], routes=[("0.0.0.0/0", LEASED_ROUTER4), ("192.0.2.0/24", "10.99.0.2"),
                                             ("198.51.100.0/25", None)])
    wait_until(lambda: lab.routes("-4") == [
        LEASED_DEFAULT4, UNREACHABLE4, "192.0.2.0/24 via 10.99.0.2 dev ext0 proto 110 metric 90",
        "198.51.100.0/25 dev ext0 proto 110 scope link metric 90"], f"the routes, last {lab.routes('-4')}")
    assert f"via 10.99.0.2 dev ext0 table {TABLE}" in lab.route_to("-4", "192.0.2.9")
    lab.lease(routers=["10.99.0.3"])
    wait_until(lambda: lab.routes("-4") == ["default via 10.99.0.3 dev ext0 proto 110 metric 90", UNREACHABLE4],
               "option 3, now that option 121 is gone")


def test_a_single_address_with_its_gateway_on_link_by_option_121(lab):
    """A /32, as many hosters give it: in, out, and back to Docker's subnet."""
    lab.start()
    lab.serve_one()
    lab.expose()
    lab.client.run("ip", "route", "add", SINGLE, "dev", "eth0")
    lab.client.run("ip", "address", "add", "10.66.0.1/32", "dev", "eth0")
    lab.serve(lab.client, "outside", "tcp", 7000, "10.66.0.1")
    lab.lease(f"{SINGLE}/32", routers=[ROUTER4], routes=[("0.0.0.0/0", "10.66.0.1"), ("10.66.0.1/32", None)])
    lab.wait_external(f"{SINGLE}/32")
    assert lab.routes("-4") == ["default via 10.66.0.1 dev ext0 proto 110 metric 90 onlink", UNREACHABLE4,
                                "10.66.0.1 dev ext0 proto 110 scope link metric 90"]
    assert ask_tcp(lab.client, SINGLE, 8080)[0] == "one"
    assert ask_tcp(lab.one, "10.66.0.1", 7000)[1][0] == SINGLE
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP)
    wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network")


BEHIND = ("192.0.2.9", "198.51.100.9")  # the default route; a route of option 121


@pytest.fixture
def behind_routers(lab):
    """Clients behind the gateway of a lease: the LAN's client is that gateway, and has their addresses."""
    lab.start()
    lab.serve_one()
    lab.expose()
    for address in (f"{LEASED_ROUTER4}/24", *(f"{client}/32" for client in BEHIND)):
        lab.client.run("ip", "address", "add", address, "dev", "eth0")
    return lab


def lease_with(lab, mtu):
    lab.lease(routes=[("0.0.0.0/0", LEASED_ROUTER4), ("198.51.100.0/24", LEASED_ROUTER4), ("203.0.113.0/24", None)], mtu=mtu)


def wait_routes(lab, suffix):
    wait_until(lambda: lab.routes("-4") == [
        f"{LEASED_DEFAULT4}{suffix}", UNREACHABLE4, f"198.51.100.0/24 via {LEASED_ROUTER4} dev ext0 proto 110 metric 90{suffix}",
        f"203.0.113.0/24 dev ext0 proto 110 scope link metric 90{suffix}"], f"routes with {suffix!r}")


def expect_segments(lab, source, wanted):
    """What the container hears of the client's segments, and the client of the container's."""
    inside, outside = SegmentSizes(lab.one), SegmentSizes(lab.client)
    assert ask_tcp(lab.client, LEASED4, 8080, source=source)[0] == "one"
    assert (inside.next(), outside.next()) == (wanted, wanted)


def test_nat12_the_mtu_of_a_lease_counts_for_all_behind_routers(behind_routers):
    """Option 26: without it a black hole for who hears no ICMP. A renewal with another one, or none, is followed, which
    nobody else has done."""
    lab = behind_routers
    for mtu, suffix in ((1400, " mtu 1400"), (1300, " mtu 1300"), (0, ""), (1500, ""), (576, " mtu 576")):
        lease_with(lab, mtu)
        wait_routes(lab, suffix)
        for source in BEHIND:
            expect_segments(lab, source, (mtu or 1500) - 40)
    assert lab.netadmin.logged("routes or rules of ours were changed by somebody else") == []


def test_nat12_an_mtu_that_makes_no_sense_is_left_out(behind_routers):
    lab = behind_routers
    for mtu, reason in ((575, "below 576, which every host takes"), (1501, "beyond the interface's")):
        lease_with(lab, mtu)
        wait_logged(lab.netadmin, "lease: address, gateway, route or MTU refused", refused=f"MTU {mtu}", reason=reason)
        wait_routes(lab, "")


def test_nat12_an_mtu_of_a_lease_is_never_more_than_the_links(behind_routers):
    """Which becomes smaller than what was taken, and larger again."""
    lab = behind_routers
    lease_with(lab, 1400)
    wait_routes(lab, " mtu 1400")
    lab.anchor.run("ip", "link", "set", "ext0", "mtu", "1300")
    wait_routes(lab, "")
    lab.anchor.run("ip", "link", "set", "ext0", "mtu", "1500")
    wait_routes(lab, " mtu 1400")


def test_nat12_somebody_who_takes_the_mtu_away_is_put_right(behind_routers):
    lab = behind_routers
    lease_with(lab, 1400)
    wait_routes(lab, " mtu 1400")
    wanted = lab.routes("-4")
    lab.anchor.run("ip", "route", "replace", "default", "via", LEASED_ROUTER4, "dev", "ext0", "metric", "90", "proto", "110", "table", TABLE)
    lab.back_within_a_second(lambda: lab.routes("-4") == wanted, "the MTU")


def test_sixty_four_routes(lab):
    """ADDR-11: as many as a lease may have, replaced by as many others, and gone with it."""
    lab.start()
    for third in (0, 64):
        wanted = [f"192.0.{third + number}.0/24" for number in range(messages.LEASE_ROUTES_MAX)]
        lab.lease(routes=[(text, LEASED_ROUTER4) for text in wanted])
        wait_until(lambda: sorted(line.split()[0] for line in leased_routes(lab)) == sorted(wanted), "all of them")
    lab.lease_lost()
    wait_until(lambda: leased_routes(lab) == [], "none of them")


@pytest.mark.parametrize("route", ["default", "192.0.2.0/24"])
def test_a_route_that_somebody_removes_is_put_back(lab, route):
    lab.start()
    lab.lease(routes=[("0.0.0.0/0", LEASED_ROUTER4), ("192.0.2.0/24", LEASED_ROUTER4)])
    wanted = wait_until(lambda: len(lab.routes("-4")) == 3 and lab.routes("-4"), "the lease's routes")
    lab.anchor.run("ip", "route", "delete", route, "via", LEASED_ROUTER4, "table", TABLE)
    lab.back_within_a_second(lambda: lab.routes("-4") == wanted, route)


def test_a_link_that_was_down_has_all_routes_again(lab):
    """The kernel removes IPv4 routes without a word then."""
    lab.start()
    lab.lease(routes=[("0.0.0.0/0", LEASED_ROUTER4), ("192.0.2.0/24", LEASED_ROUTER4)])
    lab.wait_external(LEASED)
    wanted = lab.routes("-4")
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    wait_until(lambda: lab.routes("-4") == [UNREACHABLE4], "nothing leaves")
    lab.anchor.run("ip", "link", "set", "ext0", "up")
    wait_until(lambda: lab.routes("-4") == wanted, "all routes again")
    assert lab.external() == [LEASED]


HOSTILE = {
    "unspecified": "0.0.0.0/24", "this network": "0.1.2.3/24", "loopback": "127.0.0.1/8", "link-local": "169.254.1.1/16",
    "multicast": "224.0.0.5/24", "reserved": "240.0.0.5/24", "limited broadcast": "255.255.255.255/32",
    "network address": "10.99.0.0/24", "broadcast address": "10.99.0.255/24", "short prefix": "10.99.0.77/1",
    "transit subnet": "172.30.0.77/24", "transit by a wide prefix": "172.30.0.77/16", "own inner address": "172.30.0.3/32",
    "claimed gateway": "172.30.0.2/24", "address of another interface": "172.31.0.3/24",
}


def test_leases_that_make_no_sense_are_refused_whole(lab):
    """One by one: each is answered with the reason, and what was there stays, to the last second."""
    lab.start()
    lab.lease(valid=3600)
    lab.wait_external(LEASED)
    routes = lab.routes("-4")
    with lab.monitored("address", "route") as changes:
        for text in HOSTILE.values():
            assert lab.refused(text, routers=[LEASED_ROUTER4])
        lab.send_lease(messages.wire_lease("10.99.0.78/24"), age=-3600)
        assert lab.answer() == (-errno.EPERM, "received in the future")
    assert changes == []
    assert (lab.external(), lab.routes("-4")) == ([LEASED], routes)


def test_a_senseless_first_lease_leaves_the_bootstrap_address(lab):
    netadmin = lab.start()
    lab.refused("172.30.0.77/24", routers=["172.30.0.2"])
    netadmin.ping(5)
    assert (lab.external(), lab.routes("-4")) == ([BOOTSTRAP], [DEFAULT4, UNREACHABLE4])


@pytest.mark.parametrize("router", ["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", LEASED4, "10.99.0.0",
                                    "10.99.0.255", "10.98.0.1", "172.30.0.1", "172.30.0.3"])
def test_a_senseless_gateway_is_left_out(lab, router):
    """The address is taken; the next source names the gateway."""
    netadmin = lab.start()
    lab.lease(routers=[router])
    lab.wait_external(LEASED)
    assert lab.routes("-4") == [DEFAULT4, UNREACHABLE4]
    wait_logged(netadmin, "lease: address, gateway, route or MTU refused, the rest of it is used", refused=router)


def test_senseless_routes_are_left_out_one_by_one(lab):
    netadmin = lab.start()
    senseless = [("172.30.0.0/25", LEASED_ROUTER4), ("172.30.0.0/24", LEASED_ROUTER4), ("127.0.0.0/8", LEASED_ROUTER4),
                 ("224.0.0.0/4", LEASED_ROUTER4), ("192.0.2.1/24", LEASED_ROUTER4), ("198.51.100.0/24", "10.98.0.1"),
                 ("0.0.0.0/0", None), ("0.0.0.0/0", "172.30.0.1")]
    lab.lease(routes=[*senseless, ("0.0.0.0/0", LEASED_ROUTER4), ("203.0.113.0/24", LEASED_ROUTER4)])
    wait_until(lambda: lab.routes("-4") == [LEASED_DEFAULT4, UNREACHABLE4,
                                            f"203.0.113.0/24 via {LEASED_ROUTER4} dev ext0 proto 110 metric 90"],
               "the sensible ones alone")
    refused = wait_until(lambda: len(lines := netadmin.logged("lease: address, gateway, route or MTU refused")) >= len(senseless) and lines,
                         "a line for each of the others")
    lab.lease(routes=[*senseless, ("0.0.0.0/0", LEASED_ROUTER4), ("203.0.113.0/24", LEASED_ROUTER4)])
    netadmin.ping(8)
    assert len(netadmin.logged("lease: address, gateway, route or MTU refused")) == len(refused) == len(senseless), "once, not each time"


def test_a_route_that_the_kernel_refuses_keeps_no_other_away(lab):
    """What the policy cannot know: the gateway is the broadcast address of another subnet on this link."""
    lab.start()
    lab.anchor.run("ip", "address", "add", "10.44.0.1/24", "dev", "ext0")
    lab.send_lease(messages.wire_lease(LEASED, routes=[("198.51.100.0/24", "10.44.0.255"), ("10.44.0.0/24", None),
                                                       ("0.0.0.0/0", LEASED_ROUTER4), ("192.0.2.0/24", LEASED_ROUTER4)]))
    lab.answer()
    wait_until(lambda: {"default", "10.44.0.0/24", "192.0.2.0/24"} <= {line.split()[0] for line in lab.routes("-4")},
               "the routes that the kernel takes")
    wait_logged(lab.netadmin, "the kernel refused a network request")
