"""What Docker does that anchord's design rests on, shown without anchord.

When one of these fails with a new engine, the design note that names it must be looked at again.
"""

import json
import time

import pytest

from lab import images
from lab.compose import echo_service
from lab.machine import LabError

AUXILIARY_GATEWAY = ("10.30.0.2", "fd30::2")
DUAL_STACK = ("--subnet", "10.31.0.0/24", "--ipv6", "--subnet", "fd31::/64")


def transit_network():
    """As in the Direct pattern: the gateway is an address that Docker gives to nobody."""
    return {"enable_ipv6": True,
            "driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
            "ipam": {"config": [
                {"subnet": "10.30.0.0/24",
                 "aux_addresses": {"DefaultGatewayIPv4": AUXILIARY_GATEWAY[0]}},
                {"subnet": "fd30::/64",
                 "aux_addresses": {"DefaultGatewayIPv6": AUXILIARY_GATEWAY[1]}}]}}


def subnet(text):
    return {"ipam": {"config": [{"subnet": text}]}}


def routes(namespace, *arguments):
    return json.loads(namespace.run(["ip", "-j", *arguments]).stdout or "[]")


def default_gateways(namespace):
    """Gateways of the default routes of both families."""
    found = (routes(namespace, family, "route", "show", "default") for family in ("-4", "-6"))
    return {route.get("gateway") for family in found for route in family}


def is_old(lab):
    return lab.engine.suite == "bookworm"


def test_auxiliary_addresses_give_containers_their_default_route_from_birth(project):
    """GW-1, Direct pattern; also after a restart."""
    direct = project({"services": {"app": echo_service("app", networks=["transit"])},
                      "networks": {"transit": transit_network()}})
    assert default_gateways(direct.namespace("app")) == set(AUXILIARY_GATEWAY)
    direct.compose("restart", "app")
    assert default_gateways(direct.namespace("app")) == set(AUXILIARY_GATEWAY)


def test_docker_gives_the_auxiliary_addresses_to_nobody(project):
    """GW-1: the address that the network-anchor claims cannot be taken by a container."""
    taken = echo_service("app", networks={"transit": {"ipv4_address": AUXILIARY_GATEWAY[0]}})
    direct = project({"services": {"app": taken}, "networks": {"transit": transit_network()}},
                     up=False)
    with pytest.raises(LabError, match="Address already in use"):
        direct.up()


@pytest.mark.parametrize("internal", (True, False), ids=("internal", "without-masquerade"))
def test_foreign_source_over_a_bridge(lab, project, bridge_filter, internal):
    """SPEC §11: with bridge-nf-call-iptables=1 Docker's rules drop it on an internal bridge only."""
    network = subnet("10.30.0.0/24") | (
        {"internal": True} if internal else
        {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}})
    inner = project({"services": {"client": echo_service("client"), "server": echo_service("server", "--udp", "53")},
                     "networks": {"default": network}})
    inner.wait_logged("server", "server ready")
    client, server = inner.namespace("client"), inner.namespace("server")
    address = inner.address("client", "default")
    # A source that is not of the bridge's subnet, as a LAN client's is after DNAT.
    client.run(["ip", "address", "add", "198.51.100.7/32", "dev", "lo"])
    client.run(["ip", "route", "replace", "10.30.0.0/24", "dev", "eth0", "src", "198.51.100.7"])
    server.run(["ip", "route", "replace", "198.51.100.7", "via", address])
    answer = client.probe("udp", inner.address("server", "default"), 53, timeout=0.5)
    if internal and bridge_filter:
        assert answer == "timeout"
    else:
        assert answer.startswith("server 198.51.100.7 ")


def test_default_route_on_an_internal_bridge(lab, project):
    inner = project({"services": {"app": echo_service("app")},
                     "networks": {"default": subnet("10.30.0.0/24") | {"internal": True}}})
    expected = {"10.30.0.1"} if is_old(lab) else set()
    assert default_gateways(inner.namespace("app")) == expected


@pytest.fixture
def network(lab):
    """A factory of Docker networks outside any project. Stands before `project` in a test's
    arguments, so that they are removed after the containers on them."""
    made = []

    def factory(name, *arguments):
        lab.docker("network", "create", *arguments, name)
        made.append(name)
        return name

    yield factory
    for name in made:
        lab.docker("network", "rm", name)


def app_on_transit(project):
    return project({"services": {"app": echo_service("app", networks=["transit"])},
                    "networks": {"transit": transit_network()}})


def test_network_connect_fails_after_the_default_route_was_edited(lab, network, project):
    """SA-2: why Docker's default route is never edited."""
    # Its name comes before the transit network's, so Docker wants to move the default route to it.
    another = network("aaa-another", *DUAL_STACK)
    inner = app_on_transit(project)
    inner.namespace("app").run(["ip", "route", "replace", "default", "via", "10.30.0.9"])
    with pytest.raises(LabError, match="failed to set gateway.*file exists"):
        lab.docker("network", "connect", another, inner.container("app"))
    assert another in inner.inspect("app")["NetworkSettings"]["Networks"]  # half-connected


def test_a_policy_table_survives_connect_and_disconnect(lab, network, project):
    """SA-2: a table and rules of our own in place of the edited default route."""
    another = network("aaa-another", *DUAL_STACK)
    inner = app_on_transit(project)
    namespace = inner.namespace("app")
    namespace.run(["ip", "route", "add", "default", "via", "10.30.0.9", "table", "24942"])
    namespace.run(["ip", "rule", "add", "priority", "32764", "lookup", "main",
                   "suppress_prefixlength", "0"])
    namespace.run(["ip", "rule", "add", "priority", "32765", "lookup", "24942"])

    def gateway():
        return routes(namespace, "route", "get", "203.0.113.9")[0]["gateway"]

    for action in ("connect", "disconnect"):
        lab.docker("network", action, another, inner.container("app"))
        assert gateway() == "10.30.0.9"
    inner.compose("restart", "app")
    namespace = inner.namespace("app")
    assert gateway() == AUXILIARY_GATEWAY[0]  # a restart makes a new namespace


def gateways_with_another_network(project, another, **on_transit):
    """Default gateways of a container on `mtransit` and on `aaa`, which comes first by name."""
    networks = {"mtransit": transit_network(), "aaa": another}
    app = echo_service("app", networks={"mtransit": on_transit, "aaa": {}})
    inner = project({"services": {"app": app}, "networks": networks})
    return default_gateways(inner.namespace("app"))


ANOTHER_DUAL_STACK = {"enable_ipv6": True,
                      "ipam": {"config": [{"subnet": "10.31.0.0/24"}, {"subnet": "fd31::/64"}]}}


def test_the_first_network_by_name_gives_the_default_route(project):
    """DISC-8: of networks with the same families and the same priority."""
    found = gateways_with_another_network(project, ANOTHER_DUAL_STACK)
    assert found == {"10.31.0.1", "fd31::1"}


def test_gw_priority_settles_which_network_gives_the_default_route(lab, project):
    """DISC-8: the remedy, with an engine that knows it; an old one ignores it without a word."""
    found = gateways_with_another_network(project, ANOTHER_DUAL_STACK, gw_priority=1)
    assert found == ({"10.31.0.1", "fd31::1"} if is_old(lab) else set(AUXILIARY_GATEWAY))


def test_a_network_without_ipv6_takes_the_default_route_from_none_that_has_it(project):
    """DISC-8: whatever the names."""
    another = subnet("10.31.0.0/24")
    assert gateways_with_another_network(project, another) == set(AUXILIARY_GATEWAY)


def test_restart_of_the_namespace_owner_leaves_its_dependents_with_loopback_only(project):
    """SA-6, LIFE-4: they run on, in a namespace that nobody reaches."""
    inner = project({"services": {"owner": echo_service("owner"),
                                  "dependent": echo_service("dependent", network_mode="service:owner")}})

    def links():
        return {link["ifname"] for link in routes(inner.namespace("dependent"), "link")}

    assert links() == {"lo", "eth0"}
    inner.lab.docker("restart", "--time", "0", inner.container("owner"))
    assert inner.state("dependent") == "running"
    assert links() == {"lo"}


def test_events_since_replays_at_most_256(lab):
    """DISC-1: events are only hints, the list must be read again."""
    start = time.time()
    for number in range(160):
        lab.engine.api("POST", f"/images/{images.SERVICES}/tag?repo=many&tag={number}")
        lab.engine.api("DELETE", f"/images/many:{number}")
    replayed = lab.engine.api_text("GET", f"/events?since={start:.6f}&until={time.time():.6f}")
    assert len(replayed.splitlines()) == 256


BRIDGE_ADDRESSES = {
    "subnets": (("--subnet", "10.39.0.0/24", "--ipv6", "--subnet", "fd39::/64"), {"10.39.0.1", "fd39::1"}),
    "auxiliary addresses": (("--subnet", "10.39.0.0/24", "--aux-address", "DefaultGatewayIPv4=10.39.0.2", "--ipv6",
                             "--subnet", "fd39::/64", "--aux-address", "DefaultGatewayIPv6=fd39::2"),
                            {"10.39.0.1", "fd39::1"}),
    "internal": (("--internal", "--subnet", "10.39.0.0/24"), {"10.39.0.1"}),
    "a range": (("--subnet", "10.39.0.0/24", "--ip-range", "10.39.0.128/25", "--ipv6", "--subnet", "fd39::/64", "--ip-range",
                 "fd39::8:0/112"), {"10.39.0.128", "fd39::8:0"}),
    "the first range": (("--subnet", "10.39.0.0/24", "--ip-range", "10.39.0.0/25"), {"10.39.0.1"}),
}


@pytest.mark.parametrize("case", BRIDGE_ADDRESSES)
def test_a_gateway_that_is_not_named_is_the_first_address(lab, network, case):
    """WALL-5: of the subnet, or of the range, whose network address counts then; and inspect does not say so."""
    arguments, wanted = BRIDGE_ADDRESSES[case]
    name = network("bridge-address", *arguments)
    inspected = json.loads(lab.docker("network", "inspect", name).stdout)[0]
    assert not any("Gateway" in entry for entry in inspected["IPAM"]["Config"])
    assert bridge_addresses(lab, inspected) == wanted


def bridge_addresses(lab, inspected):
    """Without the link-local ones."""
    said = lab.host("engine").run(["ip", "-j", "address", "show", "dev", f"br-{inspected['Id'][:12]}"]).stdout
    return {address["local"] for address in json.loads(said)[0]["addr_info"] if address["scope"] == "global"}
