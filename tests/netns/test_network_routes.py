"""Own routing table and rules on the real kernel (ADDR-11, SA-2): install, adopt, repair, leave others alone."""

import os
import signal

import pytest

from control_peer import ControlPeer
from netadmin_lab import EXTERNAL_MAC, LAN4, LAN6, ONE4, wait_until
from network_lab import (DEFAULT4, ROUTER4, ROUTER6, RULES, TABLE, UNREACHABLE4, UNREACHABLE6, NetworkLab,
                         wait_logged)

FAMILIES = ("-4", "-6")
OUTSIDE = {"-4": "203.0.113.9", "-6": "2001:db8:ffff::9"}
DEFAULT6 = f"default via {ROUTER6} dev ext0 proto 110 metric 100 pref medium"
WITH_IPAM6 = (("10.99.0.0/24", ROUTER4, None), ("2001:db8:99::/64", ROUTER6, None))
WANTED = {"-4": [DEFAULT4, UNREACHABLE4], "-6": [DEFAULT6, UNREACHABLE6]}


@pytest.fixture
def lab(build):
    made = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


@pytest.fixture
def netadmin(lab):
    return lab.start(topology=lab.topology(external=WITH_IPAM6))


def installed(lab, family):
    return lab.rules(family) == RULES and lab.routes(family) == WANTED[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_own_rules_and_table_appear(lab, netadmin, family):
    assert lab.rules(family) == RULES
    assert lab.routes(family) == WANTED[family]
    assert f"table {TABLE}" in lab.route_to(family, OUTSIDE[family])
    control = ControlPeer(netadmin)
    wait_logged(control, "external interface resolved", interface="ext0", mac=EXTERNAL_MAC)
    wait_logged(control, "external gateway chosen", family=f"v{family[1]}", source="IPAM")


def test_main_table_is_never_touched(lab):
    """Docker's default route points at the inner bridge and stays as it is, byte for byte."""
    before = [lab.anchor.run("ip", family, "route", "show", "table", "main") for family in FAMILIES]
    netadmin = lab.start(topology=lab.topology(external=WITH_IPAM6))
    wait_until(lambda: installed(lab, "-6"), "v6 routes")
    during = [lab.anchor.run("ip", family, "route", "show", "table", "main") for family in FAMILIES]
    assert netadmin.stop() == 0
    after = [lab.anchor.run("ip", family, "route", "show", "table", "main") for family in FAMILIES]
    assert before == during == after
    assert "default via 172.30.0.1 dev shared0" in before[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_stop_removes_rules_and_table(lab, netadmin, family):
    assert netadmin.stop() == 0
    assert lab.rules(family) == []
    assert lab.routes(family) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_connected_routes_of_main_still_hold(lab, netadmin, family):
    destination = {"-4": ONE4, "-6": "fd30::5"}[family]
    assert "dev shared0" in lab.route_to(family, destination)


def test_killed_hard_leaves_everything_and_the_successor_changes_nothing(lab, netadmin):
    netadmin.kill()
    assert all(installed(lab, family) for family in FAMILIES)
    with lab.monitored("route", "address") as changes:
        lab.start(topology=lab.topology(external=WITH_IPAM6))
    assert changes == []


def test_a_predecessors_other_state_is_taken_over_quietly(lab):
    """As an older version might have left it: other gateway, other metric, other rule; nobody else's doing."""
    for route in (("10.99.0.200", "100"), ("10.99.0.201", "7")):
        lab.anchor.run("ip", "route", "add", "default", "via", route[0], "dev", "ext0", "table", TABLE,
                       "metric", route[1], "proto", "110")
    lab.anchor.run("ip", "rule", "add", "priority", "100", "lookup", TABLE, "protocol", "110")
    netadmin = lab.start(topology=lab.topology(external=WITH_IPAM6))
    assert installed(lab, "-4")
    netadmin.ping(3)
    netadmin.kill()  # the log is complete
    assert netadmin.logged("routes or rules of ours were changed") == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("change", [
    ("route", "flush", "table", TABLE),
    ("route", "delete", "default", "table", TABLE, "metric", "100"),
    ("route", "delete", "unreachable", "default", "table", TABLE, "metric", "4294967295"),
    ("rule", "delete", "priority", "32764"),
    ("rule", "delete", "priority", "32765"),
    ("rule", "flush"),
], ids=" ".join)
def test_what_others_remove_is_back_within_a_second(lab, netadmin, family, change):
    lab.anchor.run("ip", family, *change)
    lab.back_within_a_second(lambda: installed(lab, family), " ".join(change))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_replaced_gateway_is_put_back(lab, netadmin, family):
    other = {"-4": "10.99.0.200", "-6": "2001:db8:99::200"}[family]
    lab.anchor.run("ip", family, "route", "replace", "default", "via", other, "dev", "ext0", "table", TABLE,
                   "metric", "100", "proto", "110")
    lab.back_within_a_second(lambda: installed(lab, family), "the gateway")
    wait_logged(netadmin, "routes or rules of ours were changed by somebody else", family=f"v{family[1]}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_better_default_of_others_in_our_table_is_removed(lab, netadmin, family):
    other = {"-4": "172.30.0.1", "-6": "fd30::1"}[family]
    lab.anchor.run("ip", family, "route", "add", "default", "via", other, "dev", "shared0", "table", TABLE,
                   "metric", "5")
    lab.back_within_a_second(lambda: installed(lab, family), "our default alone")


@pytest.mark.parametrize("family", FAMILIES)
def test_changed_rules_are_replaced(lab, netadmin, family):
    lab.anchor.run("ip", family, "rule", "delete", "priority", "32765")
    lab.anchor.run("ip", family, "rule", "add", "priority", "32000", "lookup", TABLE, "protocol", "110")
    lab.back_within_a_second(lambda: installed(lab, family), "our rules alone")


@pytest.mark.parametrize("family", FAMILIES)
def test_foreign_rules_and_routes_are_untouched(lab, family):
    """As gluetun, wg-quick and an administrator leave them, one at our very priority."""
    via = {"-4": "10.99.0.77", "-6": "2001:db8:99::77"}[family]
    prefix = {"-4": "198.51.100.0/24", "-6": "2001:db8:51::/64"}[family]
    source = {"-4": LAN4, "-6": LAN6}[family]
    foreign_rules = [("priority", "100", "from", source, "lookup", "200"),
                     ("priority", "101", "not", "from", "all", "fwmark", "0xca6c", "lookup", "51820"),
                     ("priority", "32764", "from", source, "lookup", "201")]
    for rule in foreign_rules:
        lab.anchor.run("ip", family, "rule", "add", *rule)
    for table in ("200", "201", "51820", TABLE):
        lab.anchor.run("ip", family, "route", "add", prefix, "via", via, "dev", "ext0", "table", table)
    rules = lab.rules(family)
    routes = {table: lab.routes(family, table) for table in ("200", "201", "51820", TABLE)}
    netadmin = lab.start(topology=lab.topology(external=WITH_IPAM6))
    assert sorted(lab.rules(family)) == sorted(rules + RULES)
    assert sorted(lab.routes(family)) == sorted(routes[TABLE] + WANTED[family])
    lab.anchor.run("ip", family, "rule", "delete", "priority", "32765")
    lab.back_within_a_second(lambda: sorted(lab.rules(family)) == sorted(rules + RULES), "our rule")
    assert netadmin.stop() == 0
    assert lab.rules(family) == rules
    assert {table: lab.routes(family, table) for table in routes} == routes


@pytest.mark.parametrize("family", FAMILIES)
def test_link_down_leaves_no_other_way_and_up_brings_it_back(lab, netadmin, family):
    control = ControlPeer(netadmin)
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    assert lab.route_to(family, OUTSIDE[family]) == "unreachable"
    wait_logged(control, "unreachable: no external gateway", reason="the external interface is down")
    assert lab.route_to(family, OUTSIDE[family]) == "unreachable"
    lab.anchor.run("ip", "link", "set", "ext0", "up")
    lab.back_within_a_second(lambda: installed(lab, family), "the default route")
    assert "dev ext0" in lab.route_to(family, OUTSIDE[family])


def test_dockers_ipv6_addresses_survive_a_link_that_goes_down(lab, netadmin):
    """ADDR-1: the kernel takes them (keep_addr_on_down is 0), even when the link is up again at once."""
    for interface, address in (("ext0", f"{LAN6}/64"), ("shared0", "fd30::3/64"), ("shared0", "fd30::2/64")):
        lab.anchor.run("ip", "link", "set", interface, "down")
        lab.anchor.run("ip", "link", "set", interface, "up")
        lab.back_within_a_second(lambda: lab.has_address(interface, address), address)


def test_without_a_gateway_nothing_leaves_although_docker_invented_one(lab):
    netadmin = lab.start()
    assert lab.routes("-6") == [UNREACHABLE6]
    assert lab.route_to("-6", OUTSIDE["-6"]) == "unreachable"
    lines = wait_logged(ControlPeer(netadmin), "unreachable: no external gateway", family="v6")
    assert [line["level"] for line in lines] == ["WARN"]


def test_a_pin_wins_over_ipam_per_family(lab):
    netadmin = lab.start(topology=lab.topology(external=WITH_IPAM6), gateway4="10.99.0.254")
    assert lab.routes("-4") == [DEFAULT4.replace(ROUTER4, "10.99.0.254"), UNREACHABLE4]
    assert lab.routes("-6") == WANTED["-6"]
    wait_logged(ControlPeer(netadmin), "external gateway chosen", gateway="10.99.0.254", source="pin")


def test_a_pin_that_is_not_on_link_is_not_replaced_by_another(lab):
    netadmin = lab.start(topology=lab.topology(external=WITH_IPAM6), gateway4="192.0.2.1", gateway6="fe80::1234")
    assert lab.routes("-4") == [UNREACHABLE4]
    assert lab.routes("-6") == ["default via fe80::1234 dev ext0 proto 110 metric 100 pref medium", UNREACHABLE6]
    wait_logged(ControlPeer(netadmin), "unreachable: no external gateway", family="v4",
                reason="the gateway of ANCHORD_EXT_GATEWAY_IP is not on link")


def test_an_interface_that_is_attached_again_is_found_by_its_mac(lab, netadmin):
    """ADDR-9: whatever its name; without it nothing leaves."""
    control = ControlPeer(netadmin)
    lab.anchor.run("ip", "link", "delete", "ext0")
    wait_until(lambda: lab.routes("-4") == [UNREACHABLE4], "no default", 1.0)
    lab.cable(lab.anchor, "lan7", lab.client, "eth9", EXTERNAL_MAC)
    lab.anchor.run("ip", "address", "add", f"{LAN4}/24", "dev", "lan7")
    wait_until(lambda: lab.routes("-4") == [DEFAULT4.replace("ext0", "lan7"), UNREACHABLE4], "the new default", 1.0)
    wait_logged(control, "external interface not there")
    wait_logged(control, "external interface resolved", interface="lan7")


def test_lost_notifications_lead_to_a_new_reading(lab, netadmin, tmp_path):
    """More changes than the socket's buffer holds, while the program does not read (ENOBUFS)."""
    batch = tmp_path / "batch"
    churn = [f"route {operation} 198.18.{index // 256}.{index % 256}/32 dev ext0"
             for operation in ("add", "delete") for index in range(12000)]
    batch.write_text("\n".join([*churn, "rule delete priority 32765", f"route flush table {TABLE}", ""]))
    os.kill(netadmin.pid, signal.SIGSTOP)
    try:
        lab.anchor.run("ip", "-batch", str(batch))
        drops = [line.split() for line in lab.anchor.run("cat", "/proc/net/netlink").splitlines()]
        assert any(line[1] == "0" and int(line[8]) > 0 for line in drops[1:]), "the buffer did not overflow"
    finally:
        os.kill(netadmin.pid, signal.SIGCONT)
    lab.back_within_a_second(lambda: installed(lab, "-4"), "what was lost unseen")
