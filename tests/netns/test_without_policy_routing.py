"""A kernel without policy routing (SA-2): two halves of everything in the main table shadow Docker's default route.

The real kernel refuses the rules; without_policy_routing.c, preloaded into anchord-way and anchord-netadmin, makes it do so. Tables it has, so
that an empty table 24942 shows that nothing was tried there.
"""

import contextlib
import os
import signal

import pytest

from netadmin_lab import wait_until
from network_lab import ROUTER4, NetworkLab, wait_logged
from service_anchor_lab import (ANCHOR4, ANCHOR6, APP4, APP6, DOCKER4, DOCKER6, FAMILIES, OTHER4, OTHER6, REPAIR_SECONDS,
                                RouteMonitor, ServiceAnchorLab, workers)

HALVES = {4: ("0.0.0.0/1", "128.0.0.0/1"), 6: ("::/1", "8000::/1")}
OFF_LINK4, OFF_LINK6 = "10.1.2.3", "2001:db8:77::1"
WARNING = ("the kernel has no policy routing: routes of ours in the main table, more specific than its default route, "
           "shadow that one instead of replacing it, which Docker needs unchanged")


def lacking(build, families):
    """The environment in which the kernel refuses the rules of `families`, as without_policy_routing.c reads it."""
    return {"WITHOUT_POLICY_ROUTING": families, "LD_PRELOAD": f"{build}/tests/netns/without_policy_routing.so"}


class MainTableLab(ServiceAnchorLab):
    def lack_policy_routing(self, families):
        build = self.supervision.build
        variables = " ".join(f"{name}={value}" for name, value in lacking(build, families).items())
        path = self.supervision.workers / "anchord-way"
        path.unlink()
        # The supervisor gives its workers an environment of its own making.
        path.write_text(f"#!/bin/sh\n{variables} exec {build}/workers/way/anchord-way\n")
        path.chmod(0o755)

    def docker_routes(self):
        return [self.app.run("ip", "-details", f"-{family}", "route", "show", "default") for family in FAMILIES]

    def halves(self, family):
        return {line for line in self.routes(family, "main") if " proto 110 " in line}

    def are_halves(self, *gateways):
        return all(self.halves(6 if ":" in gateway else 4) == wanted(gateway) for gateway in gateways)

    def wait_halves(self, *gateways, deadline=5.0):
        wait_until(lambda: self.are_halves(*gateways), f"the way to {gateways}", deadline)

    def is_clean(self):
        """Nothing of ours, in main or elsewhere."""
        return not any(self.halves(family) or self.rules(family) or self.routes(family) for family in FAMILIES)


def unreachable(family):
    device, preference = (" dev lo", " pref medium") if family == 6 else ("", "")
    return {f"unreachable {half}{device} proto 110 metric 4294967295{preference}" for half in HALVES[family]}


def wanted(gateway):
    family, preference = (6, " pref medium") if ":" in gateway else (4, "")
    return unreachable(family) | {f"{half} via {gateway} dev eth0 proto 110 metric 100{preference}"
                                  for half in HALVES[family]}


def warned(process):
    return sorted(record["family"] for record in process.find(level="WARN", msg=WARNING))


@pytest.fixture
def lab(supervision):
    made = MainTableLab(supervision)
    made.lack_policy_routing("both")
    yield made
    supervision.close()  # the programs before their namespaces
    made.close()


def test_everything_leaves_through_the_anchor_and_dockers_default_stays(lab):
    dockers = lab.docker_routes()
    process = lab.start_ready()
    lab.wait_halves(ANCHOR4, ANCHOR6)
    for family, own in zip(FAMILIES, (APP4, APP6)):
        assert lab.ask_outside(family).startswith(f"outside {own} ")
        assert lab.rules(family) + lab.routes(family) == []
    assert lab.route_to(4, "172.30.0.9").startswith("172.30.0.9 dev eth0")
    assert lab.leaked() == 0
    assert lab.docker_routes() == dockers
    assert lab.healthcheck() == 0
    assert process.stop()[0] == 0
    assert warned(process) == ["v4", "v6"]
    assert process.find(level="ERROR") == []
    assert lab.is_clean()
    assert lab.docker_routes() == dockers
    assert f"via {DOCKER4} " in lab.route_to(4, "192.0.2.1")
    assert f"via {DOCKER6} " in lab.route_to(6, "2001:db8::1")


def test_a_changed_gateway_is_followed_and_a_lost_one_lets_nothing_leave(lab):
    dockers = lab.docker_routes()
    process = lab.start_ready()
    lab.wait_halves(ANCHOR4, ANCHOR6)
    lab.dns.names["anchord"] = [OTHER4, OTHER6]
    lab.wait_halves(OTHER4, OTHER6, deadline=2)  # interval and one second
    assert lab.ask_outside(4) and lab.ask_outside(6)
    lab.dns.names["anchord"] = [OFF_LINK4, OFF_LINK6]
    wait_until(lambda: all(lab.halves(family) == unreachable(family) for family in FAMILIES), "unreachable", 2)
    assert lab.ask_outside(4) is None and lab.ask_outside(6) is None
    assert lab.leaked() == 0
    lab.dns.names["anchord"] = [ANCHOR4, ANCHOR6]
    lab.wait_halves(ANCHOR4, ANCHOR6, deadline=2)
    assert lab.docker_routes() == dockers
    assert process.stop()[0] == 0
    assert warned(process) == ["v4", "v6"]


def test_unresolved_at_the_start_changes_and_warns_of_nothing(lab):
    process = lab.start()
    process.wait_for(msg="cannot resolve the gateway yet")
    wait_until(lambda: lab.dns.questions >= 8, "it keeps asking", 10)
    assert lab.is_clean() and warned(process) == []


@pytest.mark.parametrize("deed", (
    ["ip", "route", "del", "0.0.0.0/1", "metric", "100"],
    ["ip", "route", "del", "unreachable", "128.0.0.0/1"],
    ["ip", "-6", "route", "del", "8000::/1", "metric", "100"],
    ["ip", "route", "flush", "proto", "110"],
    ["ip", "-6", "route", "flush", "proto", "110"],
    ["ip", "route", "replace", "128.0.0.0/1", "via", DOCKER4, "metric", "100"],
    ["ip", "-6", "route", "replace", "::/1", "via", DOCKER6, "metric", "100"],
), ids=" ".join)
def test_what_others_change_of_ours_is_back_within_a_second(lab, deed):
    process = lab.start(ANCHORD_GATEWAY_IP=f"{ANCHOR4},{ANCHOR6}")  # no look-up whose answer would repair it, too
    lab.wait_halves(ANCHOR4, ANCHOR6)
    lab.app.run(*deed)
    lab.wait_halves(ANCHOR4, ANCHOR6, deadline=REPAIR_SECONDS)
    process.wait_for(msg="routes or rules of ours were changed by somebody else, put back")
    assert lab.route_to(4, "192.0.2.1").split()[2] == ANCHOR4


def test_routes_of_others_are_left_alone(lab):
    others = (["198.51.100.0/24", "via", OTHER4], ["0.0.0.0/1", "via", OTHER4, "metric", "50"])  # OpenVPN's half
    for route in others:
        lab.app.run("ip", "route", "add", *route)
    process = lab.start_ready()
    lab.wait_halves(ANCHOR4, ANCHOR6)
    assert f"via {OTHER4} " in lab.route_to(4, "198.51.100.1")
    assert f"via {OTHER4} " in lab.route_to(4, "8.8.8.8")
    assert process.stop()[0] == 0
    for route in others:
        assert " ".join(lab.app.run("ip", "route", "show", "exact", route[0]).split()).startswith(" ".join(route[:3]))


@pytest.mark.parametrize("victim", ("way", "supervisor"))
def test_what_a_killed_one_left_is_adopted(lab, victim):
    dockers = lab.docker_routes()
    process = lab.start_ready()
    lab.wait_halves(ANCHOR4, ANCHOR6)
    monitor = RouteMonitor(lab)
    if victim == "supervisor":
        process.process.kill()
        process.wait()
        process = lab.start_ready()
    else:
        os.kill(workers(process)[victim], signal.SIGKILL)
        process.wait_for(msg="worker started", name=victim, count=2)
    seen = lab.dns.questions
    wait_until(lambda: lab.dns.questions > seen + 3, "two rounds of the successor", 10)
    assert monitor.stop() == []
    assert lab.are_halves(ANCHOR4, ANCHOR6)
    assert lab.docker_routes() == dockers
    assert process.stop()[0] == 0
    assert lab.is_clean()


def test_a_successor_that_resolves_nothing_removes_what_was_left(lab):
    process = lab.start_ready()
    lab.wait_halves(ANCHOR4, ANCHOR6)
    process.process.kill()
    process.wait()
    del lab.dns.names["anchord"]
    successor = lab.start()
    successor.wait_for(msg="cannot resolve the gateway yet")
    assert successor.stop()[0] == 0
    assert lab.is_clean()


def test_only_the_family_without_rules_goes_through_main(lab):
    lab.lack_policy_routing("ipv6")
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4)
    lab.wait_halves(ANCHOR6)
    assert lab.ask_outside(4) and lab.ask_outside(6)
    assert lab.halves(4) == set() and lab.rules(6) + lab.routes(6) == []
    assert process.stop()[0] == 0
    assert warned(process) == ["v6"]
    assert lab.is_clean()


def test_a_network_anchor_does_the_same(build):
    """ADDR-11: towards the LAN, whatever Docker's default route says."""
    lab = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    lab.environment = lacking(build, "both")
    with contextlib.closing(lab):
        before = lab.routes("-4", "main")
        netadmin = lab.start(topology=lab.topology())
        wait_until(lambda: all(f"{half} via {ROUTER4} dev ext0 proto 110 metric 100" in lab.routes("-4", "main")
                               for half in HALVES[4]), "the way to the LAN's router")
        assert "default via 172.30.0.1 dev shared0" in before
        assert [line for line in lab.routes("-4", "main") if " proto 110 " not in line] == before
        assert f"via {ROUTER4} " in lab.route_to("-4", "203.0.113.9")
        assert lab.rules("-4") == []
        assert len(wait_logged(netadmin, WARNING, family="v4")) == 1
        assert netadmin.stop() == 0
        assert lab.routes("-4", "main") == before
