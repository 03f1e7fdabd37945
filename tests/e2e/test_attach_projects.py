"""Projects of other people, and odd ones, on the LAN by compose/attach.yaml (SPEC 13), nothing of them changed: by a lease."""

import contextlib
import json

import pytest

from attached import Attachment, differences, settled_snapshot
from direct import doctor_on_host
from lab import compose
from lab.dhcp import Dnsmasq, Radvd
from lab.machine import wait_until
from lab.segment import OUTSIDE_PORT
from leases import OUTSIDE
from shipped import THIRD_PARTY, ThirdParty, with_lab_images

pytestmark = pytest.mark.not_on("podman", "attach is for Docker's engine; its cgroups and networks are others")

# And the bridges that have a name of their own.
PROJECTS = {"mailcow": "br-mailcow", "nextcloud-aio": "docker0", "immich": None}


@pytest.fixture(scope="module")
def segment(engine_lab, segments):
    """A LAN of its own, on which the host has addresses, too."""
    made = segments()
    engine_lab.topology.ip("engine", f"address add {made.v4(2)}/24 dev {made.parent}",
                           f"address add {made.v6(2)}/64 dev {made.parent} nodad")
    with Dnsmasq(made, (made.v4(100), made.v4(150))):
        yield made


def leased_address(attachment):
    return wait_until(lambda: [found for found in attachment.addresses() if "." in found], 20, "a lease")[0]


def published(project):
    """(service, protocol, port) of what everybody may reach, and the ports of the rest."""
    bindings = {(container["Labels"]["com.docker.compose.service"], port["Type"], port["PublicPort"], port["IP"])
                for container in project.containers() for port in container["Ports"] if "PublicPort" in port}
    return ({binding[:3] for binding in bindings if binding[3] in ("0.0.0.0", "::")},
            {binding[2] for binding in bindings if binding[3] not in ("0.0.0.0", "::")})


def leaving(project):
    return sorted(container["Labels"]["com.docker.compose.service"] for container in project.containers()
                  if container["HostConfig"]["NetworkMode"] != "host")


def problems(attachment):
    return [f"{problem['container']}: {problem['reason']}" for problem in attachment.status()["problems"]]


def check(project, segment, address):
    """HOST-3, 4, 5: ports at the project's address and at the host's, and whom the way out shows."""
    client = segment.client
    exposed, others = published(project)
    assert exposed
    for service, proto, port in exposed:
        for place in (address, segment.v4(2)):
            wait_until(lambda p=proto, n=port, a=place, s=service:
                       client.probe(p, a, n, timeout=0.5).startswith(f"{s} {client.ipv4} "), 10, f"{service} at {place}")
    for port in others:
        for place in (address, segment.v4(2)):
            assert client.probe("tcp", place, port, timeout=0.5) == "refused"
    for service in leaving(project):
        assert project.probe(service, "tcp", OUTSIDE[4][0], OUTSIDE_PORT).split()[1] == address, service


@pytest.fixture
def shipped(request, lab, anchord_image, segment):
    """A factory: (a project of third_party in the lab's images, up; its attachment, not yet made; the host before)."""
    del anchord_image
    with contextlib.ExitStack() as stack:
        def factory(name):
            project = ThirdParty(lab, f"attach-{name}", THIRD_PARTY / f"{name}.yaml")
            project.add_file("lab.yaml", with_lab_images(project))
            bridges = {"ANCHORD_BRIDGES": PROJECTS[name]} if PROJECTS[name] else {}
            attachment = Attachment(lab, project, "dhcp", gateways=None, parent=segment.parent, **bridges)
            stack.enter_context(compose.discarded_afterwards(request, project, attachment))
            project.up()
            return project, attachment, settled_snapshot(lab, project)
        yield factory


@pytest.mark.parametrize("name", ("nextcloud-aio", "immich"))
def test_a_project_as_shipped_is_one_server(lab, shipped, segment, name):
    """HOST-2 to HOST-5, HOST-12: nothing of it is changed; and HOST-8, no trace is left."""
    project, attachment, before = shipped(name)
    attachment.attach()
    check(project, segment, leased_address(attachment))
    wait_until(lambda: attachment.status()["exposures"], 10, "what is exposed")
    assert problems(attachment) == []
    attachment.down()
    assert differences(before, settled_snapshot(lab, project)) == {}


def test_mailcow_and_both_halves_killed(lab, shipped, segment):
    """The same, of one that filters in the host's network and has ports for the host alone; HOST-8: also after the end of
    everything by SIGKILL, up and down again."""
    project, attachment, before = shipped("mailcow")
    attachment.attach()
    address = leased_address(attachment)
    check(project, segment, address)
    found = wait_until(lambda: len(told := problems(attachment)) == 3 and sorted(told), 10, "what is told of")
    for line, words in zip(found, ("dovecot-mailcow-1: tcp/19991 on 127.0.0.1 is not exposed",
                                   "mysql-mailcow-1: tcp/13306 on 127.0.0.1 is not exposed",
                                   "netfilter-mailcow-1: is in the host's network")):
        assert words in line
    for half in ("host", "identity"):
        attachment.signal(half, "SIGKILL")
    wait_until(lambda: all(attachment.state(half) == "exited" for half in ("host", "identity")), 10, "both are dead")
    attachment.attach()
    check(project, segment, address)
    attachment.down()
    assert differences(before, settled_snapshot(lab, project)) == {}


# --- odd ones -----------------------------------------------------------------------------------------------------------

ODD = ("10.45.1", "fd45")


def network(number, **options):
    return {"enable_ipv6": True, "ipam": {"config": [{"subnet": f"10.45.{number}.0/24"}, {"subnet": f"fd45:0:0:{number}::/64"}]},
            "driver_opts": {f"com.docker.network.bridge.{key}": value for key, value in options.items()}}


def odd_services(segment):
    """What containers can be in: one network, several, another's namespace, the host's, none, none that leads out, one
    without IPv6, the LAN itself, a bridge that keeps its containers apart; and one that has a VPN's rules. The one on several
    networks hears only what it would answer by the same one (rp_filter)."""
    def service(name, port, **more):
        return compose.echo_service(name, "--tcp", str(port), **({"ports": [f"{port}:{port}"]} | more))

    return {
        "services": {
            "web": service("web", 7001),
            "guest": compose.echo_service("guest", "--tcp", "6001", network_mode="service:web"),
            "host": compose.echo_service("host", "--tcp", "6002", network_mode="host"),
            "none": compose.echo_service("none", "--tcp", "6003", network_mode="none"),
            "closed": service("closed", 7002, networks=["inside"]),
            "four": service("four", 7003, sysctls={"net.ipv6.conf.all.disable_ipv6": 1}),
            "several": service("several", 7004, networks=["default", "inside", "other"],
                               sysctls={"net.ipv4.conf.all.rp_filter": 1}),
            "camera": compose.echo_service("camera", "--tcp", "554", networks=["lan"]),
            "quiet": service("quiet", 7005, networks=["quiet"]),
            "vpn": service("vpn", 7006),
            "behind": compose.echo_service("behind", "--tcp", "6004", network_mode="service:vpn"),
        },
        "networks": {"default": network(1), "other": network(2), "inside": {"internal": True},
                     "quiet": network(3, enable_icc="false"), "lan": {"external": True, "name": segment.network}},
    }


def leaves_with(project, service, family):
    """The address that is seen outside, or why none is."""
    words = project.probe(service, "tcp", OUTSIDE[family][0], OUTSIDE_PORT, timeout=0.5).split()
    return words[1] if words[0] == "outside" else words[0]


@pytest.fixture(scope="module")
def odd(request, lab, anchord_image, segment):
    """(project, attachment, its addresses by family); Docker has set bridge-nf-call-iptables for the network `quiet`."""
    del anchord_image
    addresses = {4: segment.v4(60), 6: segment.v6(60)}
    project = compose.Project(lab, odd_services(segment), name=compose.unique_name("odd"))
    attachment = Attachment(lab, project, f"{addresses[4]}/24,{addresses[6]}/64", gateways=f"{segment.v4(1)},{segment.v6(1)}",
                            parent=segment.parent)
    with compose.discarded_afterwards(request, project, attachment):
        project.up()
        vpn = project.namespace("vpn")
        vpn.run(["ip", "rule", "add", "priority", "100", "from", project.address("vpn", "default"), "lookup", "200"])
        vpn.run(["ip", "route", "add", "default", "via", f"{ODD[0]}.1", "table", "200"])
        lab.set_bridge_filter(1)
        lab.host("engine").set_sysctl("net.ipv4.conf.all.rp_filter", 1)
        attachment.attach()
        for address in addresses.values():
            wait_until(lambda a=address: segment.client.probe("tcp", a, 7001, timeout=0.5).startswith("web "), 10, "an answer")
        yield project, attachment, addresses
        lab.host("engine").set_sysctl("net.ipv4.conf.all.rp_filter", 0)
        lab.set_bridge_filter(0)


def test_each_kind_of_container(lab, odd, segment):
    """HOST-3, HOST-4: what answers at the project's address and at the host's, and how each leaves, bridge-nf 1 and a strict
    rp_filter on the host; and what doctor says of the one that has such a filter itself."""
    project, _, addresses = odd
    client = segment.client

    def answers(port):
        return [client.probe("tcp", address, port, timeout=0.5).split()[0] for address in (*addresses.values(), segment.v4(2))]

    for service, port, expected in (
            ("web", 7001, ["web"] * 3), ("several", 7004, ["several"] * 3), ("four", 7003, ["four", "refused", "four"]),
            ("guest", 6001, ["refused"] * 3), ("host", 6002, ["refused", "refused", "host"]), ("closed", 7002, ["refused"] * 3),
            ("quiet", 7005, ["timeout", "timeout", "quiet"]), ("vpn", 7006, ["timeout", "vpn", "vpn"])):
        wait_until(lambda p=port, e=expected: answers(p) == e, 10, f"{service} answers as it should: {expected}")
    own = [addresses[4], addresses[6]]
    for service, expected in (
            ("web", own), ("guest", own), ("several", own), ("four", [own[0], "unreachable"]), ("none", ["unreachable"] * 2),
            ("closed", ["unreachable"] * 2), ("quiet", ["timeout"] * 2), ("vpn", ["timeout", own[1]]),
            ("behind", ["timeout", own[1]])):
        wait_until(lambda s=service, e=expected: [leaves_with(project, s, family) for family in (4, 6)] == e, 10,
                   f"{service} leaves with {expected}")
    for family in (4, 6):
        assert leaves_with(project, "camera", family) == project.address("camera", segment.network, family), "as before"
    assert project.probe("several", "tcp", project.address("web", "default"), 7001).startswith("web "), "inside nothing has changed"
    path = [one for one in json.loads(doctor_on_host(lab, "--anchor", project.name, "path").stdout)["results"]
            if one["object"].startswith(("tcp/7004", f"{project.name}-several-1"))]
    assert len(path) == 9 and {one["verdict"] for one in path} == {"OK"}, path


def test_what_is_said_of_them(odd):
    """HOST-1: a word about each that is not as people may expect it."""
    _, attachment, _ = odd
    expected = {("host", "is in the host's network"), ("none", "has no network"), ("closed", "on internal networks only"),
                ("camera", "it leaves as before"), ("quiet", "enable_icc=false")}
    wait_until(lambda: {(service, words) for line in problems(attachment) for service, words in expected
                        if f"-{service}-1: " in line and words in line} == expected, 10, f"{expected} are told of")
    assert len(problems(attachment)) == len(expected), problems(attachment)
    assert [line["rules"] for line in attachment.json_logs("identity")
            if line["msg"].startswith("a container has routing rules of its own")] == [1]
    assert len([line for line in attachment.json_logs("identity")
                if line["msg"].startswith("the default route of a container leads over no bridge")]) == 2


# Of firewalld 1.3 what decides here; its zone of Docker's bridges is open, that of all others has ssh alone.
FIREWALLD = """
table inet firewalld {
    chain rpfilter {
        type filter hook prerouting priority raw + 10;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing drop
    }
    chain input {
        type filter hook input priority filter + 10;
        ct state { established, related } accept
        ct status dnat accept
        iifname lo accept
        ct state invalid drop
        meta l4proto { icmp, ipv6-icmp } accept
        iifname "br-*" accept
        reject with icmpx admin-prohibited
    }
    chain forward {
        type filter hook forward priority filter + 10;
        ct state { established, related } accept
        ct status dnat accept
        ct state invalid drop
        iifname "br-*" accept
        reject with icmpx admin-prohibited
    }
}
"""


@pytest.fixture
def firewalld(lab):
    lab.host("engine").run(["nft", "-f", "-"], input_text=FIREWALLD)
    yield
    lab.host("engine").run(["nft", "delete", "table", "inet", "firewalld"])


@pytest.mark.parametrize("filtered", (0, 1))
def test_a_host_with_rules_like_firewallds(lab, odd, segment, firewalld, filtered):
    """HOST-4, HOST-5: `ct state invalid drop` and IPv6_rpfilter; the latter ends IPv6 where bridged packets pass iptables,
    since no route of the host's leads to the LAN by a bridge of Docker's (docs/attach.md)."""
    project, _, addresses = odd
    lab.set_bridge_filter(filtered)
    families = (4,) if filtered else (4, 6)
    for family in families:
        assert segment.client.probe("tcp", addresses[family], 7001).startswith("web ")
        assert leaves_with(project, "several", family) == addresses[family]
        assert lab.host("engine").probe("tcp", addresses[family], 7001).startswith("web ")
    assert segment.client.probe("tcp", segment.v4(2), 7001).startswith("web ")
    if filtered:
        assert leaves_with(project, "several", 6) == "timeout"


# --- the LAN --------------------------------------------------------------------------------------------------------------

JUMBO, PARENT = 9000, "eth0.42"


@pytest.fixture
def jumbo(lab, segments):
    """A LAN of large packets, behind an interface that is called as one of a VLAN; with a router that advertises a prefix
    and a DHCP server for both families."""
    made, lan = segments(), lab.topology
    lan.connect("engine", PARENT, "vlan42", made.bridge)
    for box, links in (("switch", ("vlan42", *(f"{role}{made.number}" for role in ("router", "server", "client")), made.bridge)),
                       *((f"{role}{made.number}", ("lan0",)) for role in ("router", "server", "client")), ("engine", (PARENT,))):
        lan.ip(box, *(f"link set {link} mtu {JUMBO}" for link in links))
    lan.ip("engine", f"link set {PARENT} up", f"address add {made.v4(2)}/24 dev {PARENT}",
           f"address add {made.v6(2)}/64 dev {PARENT} nodad")
    with Radvd(made, managed=True), Dnsmasq(made, (made.v4(100), made.v4(150)), (made.v6("1000"), made.v6("1fff"))):
        yield made
    lan.ip("switch", "link del vlan42")


def test_every_kind_of_address_on_a_lan_of_large_packets(request, lab, anchord_image, jumbo):
    """HOST-2, HOST-12: by DHCPv4, DHCPv6 and a router's prefix at once; NAT-12, what is larger than the project's network
    is answered by its address, and arrives in parts."""
    del anchord_image
    project = compose.Project(lab, {
        "services": {"web": compose.echo_service("web", "--udp", "7100", ports=["7100:7100/udp"])},
        "networks": {"default": network(9)}}, name=compose.unique_name("jumbo"))
    attachment = Attachment(lab, project, "dhcp", gateways=None, parent=PARENT)
    with compose.discarded_afterwards(request, project, attachment):
        project.up()
        attachment.attach()
        addresses = wait_until(lambda: len(found := attachment.addresses()) == 3 and found, 30, "an address of each kind")
        assert len([address for address in addresses if address.startswith(jumbo.v6("1"))]) == 1, "DHCPv6"
        for address in addresses:
            family = 6 if ":" in address else 4
            wait_until(lambda a=address: jumbo.client.probe("udp", a, 7100, timeout=0.5).startswith("web "), 10, f"answer at {address}")
            with contextlib.suppress(OSError):  # EMSGSIZE: now it is known
                jumbo.client.probe("udp", address, 7100, payload=b"x" * 6000, timeout=0.5)
            assert jumbo.client.probe("udp", address, 7100, payload=b"x" * 6000).startswith("web ")
            wait_until(lambda f=family: leaves_with(project, "web", f) in addresses, 10, "the project's address outside")
            wait_until(lambda a=address: lab.host("engine").probe("udp", a, 7100, timeout=0.5).startswith("web "), 10,
                       f"an answer to the host at {address}")
