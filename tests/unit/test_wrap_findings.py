#!/usr/bin/python3
"""anchord-wrap (SPEC 9): nothing is opened that was closed, and what breaks or changes is said, on standard error and in
the file.

Called by meson with the program that was just built.
"""

import json
import pathlib
import subprocess
import sys

from lab import override

PROGRAM = pathlib.Path(sys.argv[1])
NETWORKS = {"default": {"name": "demo_default", "ipam": {}}, "back": {"name": "demo_back", "ipam": {}},
            "inside": {"name": "demo_inside", "internal": True, "ipam": {}},
            "lan0": {"name": "br0", "external": True, "ipam": {}},
            "vlan": {"name": "demo_vlan", "driver": "macvlan", "ipam": {
                "config": [{"subnet": "192.168.1.0/24", "gateway": "192.168.1.1"}]}}}


def tcp(published, target=None, host_ip=None, protocol="tcp"):
    bound = {"host_ip": host_ip} if host_ip else {}
    return {"target": target or published, "published": str(published), "protocol": protocol} | bound


def service(*networks, ports=(), **more):
    return {"image": "x", "networks": {name: None for name in networks or ["default"]}, "ports": list(ports)} | more


class Wrapped:
    """What became of a project of these services, by Compose's name."""

    def __init__(self, services, *options, networks=None):
        text = json.dumps({"name": "demo", "services": services, "networks": networks or NETWORKS})
        result = subprocess.run([PROGRAM, "--address", "192.0.2.9,2001:db8::9", *options], input=text, capture_output=True, text=True,
                                timeout=20)
        assert result.returncode in (0, 1), result.stderr
        self.status = result.returncode
        self.text = result.stdout
        self.said = [line.removeprefix("anchord wrap: ") for line in result.stderr.splitlines()]
        assert all(line.removeprefix("note: ") in self.text for line in self.said), "the file says it, too"
        found = override.read(result.stdout)
        self.services = {name: found["services"].get(name) for name in services}

    def label(self, name):
        return ((self.services[name] or {}).get("labels") or {}).get("anchord.expose")

    def joins(self, name):
        return "transit" in ((self.services[name] or {}).get("networks") or {})

    def problem(self, start, *words):
        """The one problem that starts so and holds the words."""
        lines = [line for line in self.said if line.startswith(start) and all(word in line for word in words)]
        assert len(lines) == 1, (start, words, self.said)
        assert self.status == 1
        return lines[0]

    def note(self, start, *words):
        lines = [line for line in self.said if line.startswith(f"note: {start}") and all(word in line for word in words)]
        assert len(lines) == 1, (start, words, self.said)
        return lines[0]

    def is_silent_about(self, words):
        assert not [line for line in self.said if words in line], (words, self.said)


def test_what_was_closed_stays_closed():
    """Docker publishes nothing on internal networks (moby 36174): neither does the override."""
    found = Wrapped({"web": service("inside", ports=[tcp(80, 8080), tcp(53, protocol="udp")]),
                     "front": service("inside", "default", ports=[tcp(443)]),
                     "guest": {"image": "x", "network_mode": "service:web", "ports": [tcp(99)]},
                     "local": service("inside", ports=[tcp(7, host_ip="127.0.0.1")]),
                     "own": service("inside", ports=[tcp(1)], labels={"anchord.expose": "tcp/1"}),
                     "db": service("inside")})
    for name in ("web", "guest", "local", "db"):
        assert found.services[name] is None, (name, found.services[name])
    found.problem("web: ", "tcp/80:8080, udp/53", "internal")
    found.problem("guest: ", "tcp/99", "internal")
    found.problem("local: ", "tcp/7")
    assert found.label("front") == "tcp/443" and found.joins("own")
    found.is_silent_about("db")


def test_an_address_on_the_lan_keeps_its_way_out():
    """An external network has no driver in `docker compose config`: it may be a macvlan (docker-swag 610)."""
    services = {"quiet": service("lan0"), "both": service("default", "lan0"), "web": service("lan0", ports=[tcp(80)]),
                "known": service("vlan"), "plain": service("default")}
    found = Wrapped(services)
    for name in ("quiet", "both"):
        assert not found.joins(name)
        found.problem(f"{name}: ", "network lan0", "macvlan", "--bridge lan0")
    assert found.joins("web") and found.label("web") == "tcp/80"
    found.problem("web: ", "network lan0", "other subnets no longer reach", "internal")
    assert not found.joins("known")
    found.problem("known: ", "macvlan network vlan", "stays off transit")
    assert found.joins("plain")
    for name in ("lan0", "br0"):
        told = Wrapped(services, "--bridge", name)
        assert told.joins("quiet") and told.joins("both") and told.joins("web") and not told.joins("known")
        told.is_silent_about("--bridge")
    only = Wrapped(services, "--ports-only")
    assert not only.joins("quiet")
    only.is_silent_about("quiet: ")


def test_a_network_of_a_plugin_is_unknown_too():
    networks = NETWORKS | {"lan0": {"name": "demo_lan0", "driver": "ghcr.io/some/plugin:1", "ipam": {}}}
    found = Wrapped({"quiet": service("lan0")}, networks=networks)
    assert not found.joins("quiet")
    found.problem("quiet: ", "network lan0")


def test_a_macvlan_network_without_gateway():
    """Engine 29: no default route, and the first container gets the router's address."""
    config = {"subnet": "192.168.1.0/24"}
    networks = NETWORKS | {"vlan": {"name": "v", "driver": "ipvlan", "ipam": {"config": [config]}}}
    found = Wrapped({"a": service("vlan", "default", ports=[tcp(80)])}, networks=networks)
    found.problem("the ipvlan network vlan has a subnet without gateway", "Engine 29", "`gateway:`")
    config["gateway"] = "192.168.1.1"
    Wrapped({"a": service("vlan", "default", ports=[tcp(80)])}, networks=networks).is_silent_about("without gateway")


def test_the_printed_network_has_a_gateway():
    lines = [line for line in Wrapped({"a": service()}, "--lan", "br9").text.splitlines() if "network create" in line]
    assert lines and all("--gateway ROUTER" in line and line.endswith(" br9") for line in lines), lines


def test_what_runs_no_container_claims_nothing():
    """compose 9356: replicas 0, whoever says so."""
    for zero in ({"deploy": {"replicas": 0}}, {"scale": 0}):
        found = Wrapped({"a-idle": service(ports=[tcp(8088)], **zero), "real": service(ports=[tcp(8088, 80)]),
                         "guest": {"image": "x", "network_mode": "service:a-idle", "ports": [tcp(1)]}})
        assert found.label("real") == "tcp/8088:80" and found.services["a-idle"] is None
        found.note("a-idle: ", "0 replicas")
        found.problem("guest: ", "a-idle, which runs no container")
        assert '# wrapped "a-idle": runs no container\n' in found.text
        found.is_silent_about("stay off transit")


def test_families_are_judged_over_all_bindings():
    found = Wrapped({"a": service(ports=[tcp(53, host_ip="0.0.0.0"), tcp(53, host_ip="::")])})
    assert found.label("a") == "tcp/53"
    found.is_silent_about("IPv4 alone")
    found.is_silent_about("IPv6 alone")
    found = Wrapped({"a": service(ports=[tcp(443, host_ip="::"), tcp(80, host_ip="0.0.0.0"), tcp(81, host_ip="0.0.0.0"),
                                         tcp(53, protocol="udp", host_ip="0.0.0.0"), tcp(53, host_ip="::"), tcp(53)])})
    found.note("a: tcp/443 was published for IPv6 alone", "IPv4 reaches it now")
    found.note("a: tcp/80-81 was published for IPv4 alone")
    found.note("a: udp/53 was published for IPv4 alone")
    found.is_silent_about("tcp/53 was")


def test_the_docker_host_is_out_of_reach():
    """compose 13172"""
    hosts = ["six=::1", "host.docker.internal=host-gateway"]
    found = Wrapped({"a": service(extra_hosts=hosts), "b": service(ports=[tcp(80)], extra_hosts=["h:host-gateway"]),
                     "c": service("inside", extra_hosts=hosts), "d": service(extra_hosts=["other=192.0.2.1"])})
    found.problem("a: host.docker.internal (extra_hosts: host-gateway)", "other projects publish")
    found.problem("b: h (extra_hosts: host-gateway)")
    found.is_silent_about("c: ")
    found.is_silent_about("d: ")


def test_ports_of_one_address_of_the_host():
    """Pi-hole: 192.168.1.59:53:53 beside 80:80."""
    ports = [tcp(80), tcp(53, host_ip="192.168.1.59"), tcp(53, host_ip="192.168.1.59", protocol="udp"),
             tcp(54, host_ip="192.168.1.60")]
    services = {"pihole": service(ports=ports), "only": service(ports=[tcp(99, host_ip="192.168.1.59")])}
    found = Wrapped(services)
    assert found.label("pihole") == "tcp/80" and found.services["only"] is None
    found.problem("pihole: tcp/53 was bound", "192.168.1.59", "closed now", "--host-address 192.168.1.59 exposes it")
    found.problem("only: tcp/99 is bound", "stays published there", "--host-address 192.168.1.59")
    found = Wrapped(services, "--host-address", "192.168.1.59")
    assert found.label("pihole") == "tcp/53, tcp/80, udp/53" and found.label("only") == "tcp/99"
    found.problem("pihole: tcp/54 was bound")
    found.note("pihole: tcp/53 was published for IPv4 alone")
    bad = subprocess.run([PROGRAM, "--host-address", "::"], input="{}", capture_output=True, text=True)
    assert bad.returncode == 2 and "--host-address ::" in bad.stderr


def test_interfaces_have_fixed_names_where_rules_may_name_them():
    """wg-easy 1795: eth0 is the way out, at each start."""
    for reason in ({"cap_add": ["NET_ADMIN"]}, {"cap_add": ["cap_net_admin"]}, {"cap_add": ["ALL"]}, {"privileged": True},
                   {"sysctls": {"net.ipv4.ip_forward": "1"}}, {"sysctls": {"net.ipv6.conf.all.forwarding": "1"}}):
        found = Wrapped({"wg": service("default", "back", "inside", ports=[tcp(51820, protocol="udp")], **reason)})
        found.note("wg: may have rules that name an interface", "eth0 is transit", "Engine 28.1")
        names = {network: place["interface_name"] for network, place in found.services["wg"]["networks"].items()}
        assert names == {"transit": "eth0", "default": "eth1", "back": "eth2", "inside": "eth3"}, names
        old = Wrapped({"wg": service("default", "back", **reason)}, "--engine", "20.10.24")
        old.problem("wg: may have rules that name an interface", "before 28.1")
        assert "interface_name" not in old.text.split("services:", 1)[1]
    for harmless in ({"sysctls": {"net.ipv4.ip_forward": "0"}}, {"cap_add": ["NET_RAW"]}):
        Wrapped({"a": service(**harmless)}).is_silent_about("interface")


def test_names_of_interfaces_that_are_there_stay():
    networks = {"default": {"interface_name": "eth0"}, "back": {"interface_name": "back"}, "inside": None}
    found = Wrapped({"wg": {"networks": networks, "cap_add": ["NET_ADMIN"]},
                     "guarded": {"network_mode": "bridge", "cap_add": ["NET_ADMIN"], "ports": [tcp(1)]},
                     "guest": {"network_mode": "service:owner", "cap_add": ["NET_ADMIN"]}, "owner": service()})
    names = {network: place["interface_name"] for network, place in found.services["wg"]["networks"].items()}
    assert names == {"transit": "eth1", "default": "eth0", "back": "back", "inside": "eth2"}
    assert found.services["guarded"]["networks"] == {"transit": {}}, "a single network is eth0 anyway"
    assert found.services["owner"]["networks"]["transit"] == {"interface_name": "eth0"}, "its guest may have rules"


def test_an_engine_without_priorities():
    networks = NETWORKS | {"rival": {"name": "a-rival", "ipam": {}}}
    services = {"a": service("rival", ports=[tcp(80)])}
    old = Wrapped(services, "--engine", "27", networks=networks)
    old.problem("a: its way out stays on the network rival", "rename")
    assert old.services["a"]["networks"] == {"transit": {}}
    assert Wrapped(services, "--engine", "28.0", networks=networks).services["a"]["networks"] == {
        "transit": {"gw_priority": 1}}
    for bad in ("new", "", "28.x", "0", "99999999"):
        result = subprocess.run([PROGRAM, "--engine", bad], input="{}", capture_output=True, text=True)
        assert result.returncode == 2 and "--engine" in result.stderr


def test_bans_in_the_hosts_rules_are_not_recommended():
    """mailcow's netfilter filters in the host's network: it cannot do with networks and ports of its own."""
    found = Wrapped({"netfilter": {"network_mode": "host", "privileged": True},
                     "crowdsec": {"network_mode": "host", "cap_add": ["NET_ADMIN"]}, "plain": {"network_mode": "host"}})
    for name in ("netfilter", "crowdsec"):
        assert "instead" not in found.problem(f"{name}: ", "network_mode: host", "bans", "project's address")
    found.problem("plain: ", "network_mode: host", "ports: instead")


def test_services_that_were_apart_are_named():
    """T-Pot: a honeypot reaches the database over transit."""
    found = Wrapped({"honeypot": service("default", ports=[tcp(22)]), "elastic": service("back"), "both": service(
        "default", "back"), "off": service("inside")})
    found.note("shared no network, and reach each other over transit now", "honeypot and elastic", "--ports-only")
    found.is_silent_about("both and")
    Wrapped({"a": service(ports=[tcp(22)]), "b": service()}).is_silent_about("shared no network")
    Wrapped({"honeypot": service(ports=[tcp(22)]), "elastic": service("back")}, "--ports-only").is_silent_about(
        "shared no network")
    many = NETWORKS | {f"n{i}": {"name": f"n{i}"} for i in range(24)}
    apart = Wrapped({f"s{i:02}": service(f"n{i}") for i in range(24)}, networks=many)
    apart.note("shared no network", "s00 and s01", "and 268 more")


def main():
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            function()
            print("ok", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
