"""anchord-netadmin under attach: several links into Docker networks, of which it has no address (HOST-2, HOST-4, HOST-7, HOST-12)."""

import contextlib
import os
import socket
import struct

import pytest

import messages
from attached_identity import (HOST4, HOST6, LINKS_MADE, NEXT_HOP, ONE4, ONE6, OTHER4, SUBNETS, AttachedLab, host_addresses,
                               shared_links)
from control_peer import ControlPeer
from network_lab import AnnouncerPeer
from netadmin_lab import ASK, CLIENT4, CLIENT6, LAN4, LAN6, outcome, wait_logged, wait_until

INNER_LINK_LOCAL = "fe80::ff:fe00:1894"  # of INNER_MAC
STRANGER = "02:00:00:00:99:99"
INNER = ("ancin0", "ancin1", "anchost")
ONE, OTHER = messages.exposure("tcp", 80, ONE4), messages.exposure("tcp", 81, OTHER4)


@pytest.fixture
def lab(build):
    with contextlib.closing(AttachedLab(build / "workers/netadmin/anchord-netadmin")) as made:
        yield made


def exposed(lab):
    return [port for port in ("80", "81") if f"{port} counter : " in lab.anchor.run("nft", "-s", "list", "map", "ip", "anchord_v4", "dnat_tcp")]


def offer(lab, *items):
    """The watcher's state; its answer is awaited where there is one."""
    lab.netadmin.generation += 1
    for datagram in messages.state(items, lab.netadmin.generation):
        lab.netadmin.watcher.send(datagram)


def routes_inside(lab):
    return "".join(lab.anchor.run("ip", family, "route", "show", "table", "24943") for family in ("-4", "-6"))


def test_links_are_brought_up_with_the_next_hop_alone(lab):
    """HOST-2: no address of the networks behind them, none of the project before one is leased; HOST-12: links_made."""
    netadmin = lab.start_attached()
    assert not netadmin.readiness & LINKS_MADE
    netadmin.send(shared_links({}))
    netadmin.ping(1)
    assert not netadmin.readiness & LINKS_MADE  # not before the first one
    netadmin.send(shared_links(SUBNETS))
    netadmin.wait_ready(LINKS_MADE)
    for name in INNER:
        assert lab.show(name).count("inet ") == 1 and f"inet {NEXT_HOP}/32" in lab.show(name)
        # Whoever asked for strict reverse paths in all devices: a container of two networks answers by another one.
        assert lab.anchor.run("sysctl", "-n", f"net.ipv4.conf.{name}.rp_filter").strip() == "2"
    assert "UP" in lab.show("ancext") and "inet " not in lab.show("ancext")

    # A link that is made anew is ready again at once.
    lab.anchor.run("ip", "link", "del", "ancin1")
    lab.cable(lab.other, "eth0", lab.anchor, "ancin1")
    wait_until(lambda: f"inet {NEXT_HOP}/32" in lab.show("ancin1"), "the new link has the next hop")
    lab.anchor.run("ip", "link", "set", "ancin0", "down")
    wait_until(lambda: "state UP" in lab.show("ancin0"), "up again")


def test_host2_no_container_takes_ipv6_from_a_network_by_claiming_the_next_hop(lab):
    """HOST-2: what whoever sits on the network answers to the kernel's detection of duplicates is nothing to us."""
    lab.connect_containers()
    lab.one.run("ip", "address", "add", f"{INNER_LINK_LOCAL}/64", "dev", "eth0", "nodad")
    netadmin = lab.start_attached()
    netadmin.send(shared_links(SUBNETS))
    netadmin.wait_ready(LINKS_MADE)
    for name in INNER:
        wait_until(lambda n=name: INNER_LINK_LOCAL in lab.anchor.run("ip", "-6", "address", "show", "dev", n, "-tentative"),
                   f"a link-local address of {name} that works")


def test_a_container_is_served_as_soon_as_its_link_is_there(lab):
    """HOST-4: what the watcher knows earlier waits, and keeps nobody else waiting; what goes comes back by itself."""
    netadmin = lab.start_attached()
    lab.give_address()
    wait_until(lambda: LAN4 in lab.show("ancext"), "the address")
    offer(lab, ONE, OTHER)
    netadmin.ping(1)
    assert exposed(lab) == []
    netadmin.send(shared_links({"ancin0": SUBNETS["ancin0"]}))
    wait_until(lambda: exposed(lab) == ["80"], "what has its link")
    wait_logged(netadmin, "not exposed for now", reason=f"backend {OTHER4} of port 81 is outside transit")
    netadmin.send(shared_links(SUBNETS))
    wait_until(lambda: exposed(lab) == ["80", "81"], "the other one, too")
    netadmin.send(shared_links({"ancin1": SUBNETS["ancin1"]}))
    wait_until(lambda: exposed(lab) == ["81"], "its link has gone")
    netadmin.send(shared_links(SUBNETS))
    wait_until(lambda: exposed(lab) == ["80", "81"], "and is back")

    # What comes anew at an address that another one had is asked who it is: its MAC is another one.
    lab.anchor.run("ip", "neighbour", "replace", ONE4, "lladdr", "02:00:00:00:00:01", "dev", "ancin0", "nud", "reachable")
    offer(lab, OTHER)
    wait_until(lambda: exposed(lab) == ["81"], "gone")
    offer(lab, ONE, OTHER)
    wait_until(lambda: exposed(lab) == ["80", "81"], "back")
    wait_until(lambda: "02:00:00:00:00:01" not in lab.anchor.run("ip", "neighbour"), "the old neighbour is forgotten")

    # The host is no target, whichever of its addresses the watcher names.
    netadmin.send(host_addresses("10.99.0.2", ONE4))
    wait_until(lambda: exposed(lab) == ["81"], "the host's address")
    wait_logged(netadmin, "not exposed for now", reason=f"backend {ONE4} of port 80 is our own address")


def test_a_successor_leaves_what_stands_until_it_knows_the_links(lab):
    """NAT-14 under attach: watcher and supervisor tell it of one thing after the other."""
    netadmin = lab.start_attached()
    netadmin.send(shared_links(SUBNETS))
    netadmin.send(host_addresses(HOST4, HOST6))
    offer(lab, ONE, OTHER)
    wait_until(lambda: exposed(lab) == ["80", "81"], "exposed")
    routes = routes_inside(lab)
    assert all(subnet in routes for subnet in (*SUBNETS["ancin0"], *SUBNETS["ancin1"], HOST4, HOST6))
    netadmin.kill()
    successor = lab.start_attached()
    offer(lab, ONE, OTHER)
    successor.ping(1)
    assert exposed(lab) == ["80", "81"] and routes_inside(lab) == routes
    successor.send(shared_links(SUBNETS))
    successor.ping(2)
    assert routes_inside(lab) == routes
    successor.send(host_addresses(HOST4, HOST6))
    successor.ping(3)
    assert routes_inside(lab) == routes
    successor.send(shared_links({"ancin1": SUBNETS["ancin1"]}))
    wait_until(lambda: exposed(lab) == ["81"], "it was judged")


def test_an_address_without_end_and_none_after_it(lab):
    """HOST-12: a static address is a lease without end; without one there is no address, and that is said."""
    netadmin = lab.start_attached()
    netadmin.send(shared_links(SUBNETS))
    lab.give_address()
    wait_until(lambda: f"inet {LAN4}/24" in lab.show("ancext"), "the address")
    assert "valid_lft forever" in lab.show("ancext").split(LAN4)[1]
    lab.give_address(f"{LAN6}/64", 6)
    wait_until(lambda: f"inet6 {LAN6}/64" in lab.show("ancext"), "IPv6's, with its prefix")
    netadmin.send(messages.lease(2, 4, None, 0.0))
    wait_until(lambda: "inet " not in lab.show("ancext"), "no address")
    wait_logged(netadmin, "no address is left", family="v4")
    assert LAN6 in lab.show("ancext")
    # What DHCPv6 leases is never on link by itself.
    netadmin.send(messages.lease(3, 6, messages.wire_lease(f"{LAN6}/64", valid=60, preferred=60), 0.0))
    while (answer := netadmin.receive())[0] != messages.LEASE_APPLIED or answer[1] != 3:
        pass
    assert b"a DHCPv6 address is a /128" in answer[2]


@pytest.mark.parametrize("address, family", [(f"{LAN4}/24", 4), (f"{LAN6}/64", 6)], ids=("v4", "v6"))
def test_adr13_a_given_address_that_somebody_has_is_not_taken_until_it_is_free(lab, address, family):
    """ADDR-13, HOST-1: it is asked for first (RFC 5227); who has it and what helps is said once; asked again, taken when free."""
    text, holders = address.split("/")[0], {address.split("/")[0]: STRANGER}
    netadmin = lab.start_attached()
    with contextlib.closing(AnnouncerPeer(netadmin, holders, link="ancext")) as announcer:
        lab.give_address(address, family)
        said, = wait_until(lambda: netadmin.logged("the address that was given is not taken"), "that it was said")
        assert text not in lab.show("ancext")
        assert (said["variable"], said["address"], said["mac"]) == ("ANCHORD_ADDRESS", text, STRANGER)
        holders.clear()
        wait_until(lambda: text in lab.show("ancext"), "the address, free now")
        assert len(netadmin.logged("the address that was given is not taken")) == 1
        # What is ours is not asked for again.
        count = len(announcer.asked(text))
        lab.give_address(address, family)
        netadmin.ping(1)
        assert len(announcer.asked(text)) == count


@pytest.mark.parametrize("gateway, levels", [("10.99.0.254", ["INFO"]), ("192.0.2.1", ["INFO", "WARN"])], ids=("on link", "off link"))
def test_host12_no_gateway_is_missed_before_there_is_an_address(lab, gateway, levels):
    """HOST-12: the given gateway is on no link until the address is there; afterwards it is missed as ever."""
    netadmin = lab.start_attached(gateway4=gateway)
    control = ControlPeer(netadmin)
    netadmin.send(shared_links(SUBNETS))
    wait_logged(control, "unreachable: no external gateway", family="v4")
    lab.give_address()
    wait_until(lambda: f"inet {LAN4}/24" in lab.show("ancext"), "the address")
    if len(levels) == 1:
        wait_logged(control, "external gateway chosen", gateway=gateway)
    wait_until(lambda: [line["level"] for line in control.logged("unreachable: no external gateway") if line["family"] == "v4"] == levels,
               "what was said of it")


# --- the data path


VPN4, VPN6 = "10.8.0.7", "fd08::7"
VIA_HOST = ("10.8.0.0/24", "fd08::/64", "172.31.0.64/26", "172.30.0.0/16")


@pytest.fixture
def served(lab):
    """Both networks, the host and what it alone routes, addresses of both families; `one` and `other` answer."""
    netadmin = lab.start_attached(VIA_HOST)
    lab.connect_containers()
    netadmin.send(shared_links(SUBNETS))
    netadmin.send(host_addresses(HOST4, HOST6))
    lab.give_address()
    lab.give_address(f"{LAN6}/64", 6)
    wait_until(lambda: LAN6 in lab.anchor.run("ip", "-6", "address", "show", "dev", "ancext", "-tentative"), "the address")
    for protocol in ASK:
        lab.serve(lab.one, "one", protocol, 80, ONE4)
        lab.serve(lab.one, "one", protocol, 80, ONE6)
        lab.serve(lab.other, "other", protocol, 80, OTHER4)
    offer(lab, *(messages.exposure(protocol, port, address, 80) for protocol in ASK
                 for port, address in ((80, ONE4), (80, ONE6), (81, OTHER4))))
    wait_until(lambda: exposed(lab) == ["80", "81"], "exposed")
    return lab


@pytest.mark.parametrize("protocol", ASK)
def test_clients_reach_each_network_and_containers_leave_as_the_project(served, protocol):
    """NAT-1, NAT-2, NAT-8 under attach."""
    for address, port, name in ((LAN4, 80, "one"), (LAN6, 80, "one"), (LAN4, 81, "other")):
        answered, seen, source = ASK[protocol](served.client, address, port)
        assert (answered, seen) == (name, source)
    for address, project in ((CLIENT4, LAN4), (CLIENT6, LAN6)):
        served.serve(served.client, "client", protocol, 99, address)
        assert ASK[protocol](served.one, address, 99)[1][0] == project


def test_networks_are_as_apart_as_before(served):
    """HOST-2: no container reaches another network's by us but at the project's own address; nor by a source of there."""
    assert outcome(served.other, "tcp", ONE4, 80, 0.3) == "silence"
    assert outcome(served.other, "tcp", LAN4, 80) == "one"
    served.other.run("ip", "address", "add", "172.30.0.99/32", "dev", "lo")
    with served.other.socket(socket.AF_INET, socket.SOCK_STREAM) as forged:
        forged.settimeout(0.3)
        forged.bind(("172.30.0.99", 0))
        with pytest.raises(TimeoutError):
            forged.connect((LAN4, 81))


def test_host_and_project_reach_each_other(served):
    """HOST-7: the host with its own address, the project with its own; never the LAN by way of the host."""
    for address in (LAN4, LAN6):
        answered, seen, source = ASK["tcp"](served.host, address, 80)
        assert (answered, seen) == ("one", source)
    for address, project in ((HOST4, LAN4), (HOST6, LAN6)):
        served.serve(served.host, "host", "tcp", 53, address)
        assert ASK["tcp"](served.one, address, 53)[1][0] == project
    served.client.run("ip", "route", "add", HOST4, "via", LAN4)
    assert outcome(served.client, "tcp", HOST4, 53, 0.3) == "silence"


@pytest.mark.parametrize("protocol", ASK)
def test_host7_what_the_host_alone_routes_is_reached_by_it(served, protocol):
    """HOST-7: a VPN behind the host and the project reach each other, with the project's address; no LAN reaches it by us."""
    for address, project, bits in ((VPN4, LAN4, 32), (VPN6, LAN6, 128)):
        served.host.run("ip", "address", "add", f"{address}/{bits}", "dev", "lo", *(["nodad"] if bits == 128 else []))
        served.serve(served.host, "vpn", protocol, 53, address)
        answered, source, _ = ASK[protocol](served.one, address, 53)
        assert (answered, source[0]) == ("vpn", project)
    routed = served.anchor.run("ip", "route", "get", VPN4, "from", ONE4, "iif", "ancin0")
    assert f"via {HOST4} dev anchost" in routed
    # From there to an exposed port, with its own source.
    with served.host.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.bind((VPN4, 0))
        client.connect((LAN4, 80))
    # Neither the LAN to it, nor as if from it.
    served.client.run("ip", "route", "add", VPN4, "via", LAN4)
    assert outcome(served.client, protocol, VPN4, 53, 0.3) == "silence"
    served.client.run("ip", "address", "add", "10.8.0.9/32", "dev", "lo")
    with served.client.socket(socket.AF_INET, socket.SOCK_STREAM) as forged:
        forged.settimeout(0.3)
        forged.bind(("10.8.0.9", 0))
        with pytest.raises(TimeoutError):
            forged.connect((LAN4, 80))


def test_host7_a_network_of_the_projects_stays_the_projects(served):
    """HOST-7: the one that lies in it is named; a wider one takes nothing of it."""
    assert "172.31.0.64" not in routes_inside(served)
    assert f"172.30.0.0/16 via {HOST4} dev anchost" in routes_inside(served)
    for address, port, name in ((LAN4, 80, "one"), (LAN4, 81, "other")):
        assert ASK["tcp"](served.client, address, port)[0] == name
    served.netadmin.send(host_addresses())
    wait_until(lambda: "10.8.0.0" not in routes_inside(served), "without an IPv4 address of the host's no way by it")
    assert "fd08::/64" in routes_inside(served)


def test_host2_as_many_networks_as_there_may_be_beside_what_the_kernel_puts_there(lab):
    """HOST-2: foreign links, such as tunnel modules' idle ones, push none of ours out."""
    lab.anchor.run("ip", "-batch", "-", input="".join(f"link add foreign{n} type veth peer name other{n}\n" for n in range(4)) +
                   "".join(f"link add ancin{n} type veth peer name outer{n} netns /proc/{os.getpid()}/fd/{lab.other.descriptor}\n"
                           for n in range(2, 64)))
    netadmin = lab.start_attached()
    netadmin.send(shared_links({f"ancin{n}": (f"172.30.{n}.0/24",) for n in range(64)}))
    netadmin.wait_ready(LINKS_MADE)


@pytest.mark.parametrize("mode", [messages.STOP_TEAR_DOWN, messages.STOP_LEAVE_CLOSED])
def test_wall3_inner_links_go_down_with_the_rules(lab, mode):
    """WALL-3, ADDR-14: the skeleton lets anybody be a router, and a stop may leave nothing at all."""
    netadmin = lab.start_attached()
    netadmin.send(shared_links(SUBNETS))
    netadmin.wait_ready(LINKS_MADE)
    assert netadmin.stop(mode) == 0
    for name in INNER:
        assert "UP" not in lab.show(name).split(">")[0], lab.show(name)


def advertise(namespace, target):
    """A router's advertisement to a single host (RFC 4861 §6.2.6 allows it): most of the world is on this link."""
    advertised = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    prefix = struct.pack("!BBBBIII", 3, 4, 3, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2000::")
    with namespace.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as router, namespace.entered():
        router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        router.sendto(advertised + prefix, (target, 0, 0, socket.if_nametoindex("eth0")))


def test_adr14_no_container_is_a_router(served):
    """ADDR-14: neither by multicast nor to us alone, though the link would believe it; IPv6 goes on as before."""
    served.anchor.sysctl("ipv6/conf/ancin0/accept_ra", 2)
    wait_until(lambda: "fe80" in served.one.run("ip", "-6", "address", "show", "dev", "eth0", "-tentative"), "a link-local address")
    for target in (INNER_LINK_LOCAL, "ff02::1"):
        advertise(served.one, target)
    assert ASK["tcp"](served.one, LAN6, 80)[0] == "one"  # what was sent before has arrived
    assert "2000::/3" not in served.anchor.run("ip", "-6", "route", "show", "table", "all")


def told_addresses(netadmin):
    """All PROJECT_ADDRESSES that have come, each as a set of texts."""
    netadmin.send(messages.message(messages.PING, generation=99))
    told = []
    while (message := netadmin.receive())[:2] != (messages.PONG, 99):
        kind, _, body = message
        if kind == messages.PROJECT_ADDRESSES:
            told.append({messages.parse_address(body, 8 + 20 * i) for i in range(struct.unpack_from("=I", body)[0])})
    return told


def test_host7_the_host_hears_of_an_address_when_it_is_ours(lab):
    """HOST-7: not of one that another host turns out to have: what the host sends there would end in the project."""
    lab.client.run("ip", "address", "add", f"{LAN6}/128", "dev", "eth0", "nodad")
    netadmin = lab.start_attached()
    netadmin.send(shared_links(SUBNETS))
    lab.give_address()
    lab.give_address(f"{LAN6}/64", 6)
    told = []
    wait_until(lambda: told.extend(told_addresses(netadmin)) or {LAN4} in told, "the IPv4 address")
    wait_until(lambda: "tentative" not in lab.show("ancext") or "dadfailed" in lab.show("ancext"), "the kernel has looked for it")
    told += told_addresses(netadmin)
    assert all(addresses <= {LAN4} for addresses in told), told
