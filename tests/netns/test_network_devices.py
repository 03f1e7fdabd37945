"""Device settings, claimed gateway addresses and the reported links on the real kernel (NAT-10, NAT-13, GW-1)."""

import re
import subprocess

import pytest

import messages
from control_peer import ControlPeer
from netadmin_lab import (ANCHOR4, ANCHOR6, CLIENT4, CLIENT6, EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6, ONE4, ONE6,
                          OTHER_ANCHOR4, SHARED_MAC, ask_tcp, outcome, pings, wait_until)
from network_lab import ROUTER4, NetworkLab, wait_logged

DISABLED, FORWARDS, ACCEPTS_RA = 1, 2, 4  # enum link_ipv6_flag


@pytest.fixture
def lab(build):
    made = NetworkLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


def setting(lab, interface, name):
    return lab.anchor.run("sysctl", "-n", f"net.ipv4.conf.{interface}.{name}").strip()


# --- settings ---

def test_ipv4_forwarding_is_switched_on_where_docker_left_it_off(lab):
    """ip_forward is 0 and stays 0; packets of a container reach the LAN all the same (NAT-13)."""
    lab.anchor.sysctl("ipv4/ip_forward", 0)
    assert lab.one.run("ping", "-c1", "-W1", CLIENT4, check=False).count("bytes from") == 0
    netadmin = lab.start()
    assert [setting(lab, name, "forwarding") for name in ("ext0", "shared0", "other0", "all")] == ["1", "1", "0", "0"]
    assert "1 received" in lab.one.run("ping", "-c1", "-W2", CLIENT4)
    assert {line["interface"] for line in wait_logged(netadmin, "device settings changed")} <= {"ext0", "shared0"}


def test_forwarding_that_others_switch_off_is_switched_on_again(lab):
    lab.start()
    for interface in ("ext0", "shared0"):
        lab.anchor.sysctl(f"ipv4/conf/{interface}/forwarding", 0)
        lab.back_within_a_second(lambda: setting(lab, interface, "forwarding") == "1", "forwarding")


def test_settings_of_each_side(lab):
    lab.start()
    assert [setting(lab, "ext0", name) for name in ("arp_ignore", "arp_announce", "promote_secondaries")] == [
        "1", "2", "1"]
    assert [setting(lab, "shared0", name) for name in ("arp_ignore", "promote_secondaries")] == ["0", "1"]
    assert [setting(lab, "other0", name) for name in ("arp_ignore", "promote_secondaries")] == ["0", "0"]


def is_answered(lab, address):
    """Whether the LAN host gets an ARP reply for an address that it believes to be on link."""
    lab.client.run("ip", "route", "replace", f"{address}/32", "dev", "eth0")
    lab.client.run("ip", "neighbour", "flush", "dev", "eth0")
    lab.client.run("ping", "-c1", "-W1", address, check=False)
    state = wait_until(lambda: re.search(r"REACHABLE|FAILED|STALE|DELAY|PROBE",
                                         lab.client.run("ip", "neighbour", "show", address)), "an ARP result")
    return state.group() != "FAILED"


def test_inner_addresses_are_not_answered_for_on_the_lan(lab):
    """NAT-10: arp_ignore. Without it the kernel answers for every address that it has, on any interface."""
    inner = (ANCHOR4, OTHER_ANCHOR4)
    assert all(is_answered(lab, address) for address in (*inner, LAN4))
    lab.start()
    assert not any(is_answered(lab, address) for address in (*inner, GATEWAY4))
    assert is_answered(lab, LAN4)


def test_ipv6_forwarding_off_is_an_error_with_the_line_to_add_and_v4_goes_on(lab):
    lab.anchor.sysctl("ipv6/conf/all/forwarding", 0)
    line, = wait_logged(ControlPeer(lab.start()), "IPv6 forwarding is off")
    assert (line["level"], line["remedy"]) == ("ERROR", 'sysctls: net.ipv6.conf.all.forwarding: "1"')
    assert lab.route_to("-4", "203.0.113.9").startswith(f"203.0.113.9 via {ROUTER4} dev ext0")


def test_ipv6_forwarding_on_is_not_mentioned(lab):
    control = ControlPeer(lab.start())
    assert wait_logged(control, "external interface resolved")
    control.kill()  # the log is complete
    assert control.logged("IPv6 forwarding is off") == []


def is_seen_as_router(lab, address):
    """What the LAN host's kernel noted of the R flag (RFC 4861 §4.4) in the neighbour advertisement of `address`."""
    lab.client.run("ip", "neighbour", "flush", "dev", "eth0")
    assert pings(lab.client, address)
    return " router " in lab.client.run("ip", "-6", "neighbour", "show", address)


def test_on_the_lan_the_anchor_is_a_host_that_forwards(lab):
    """NAT-13, ADDR-14: with forwarding=0 on the external interface alone nothing on the LAN takes it for a router, the way
    in and out works, and nobody complains that forwarding is off."""
    subnet_router = "2001:db8:99::"
    assert is_seen_as_router(lab, LAN6) and pings(lab.client, subnet_router)
    lab.anchor.sysctl("ipv6/conf/ext0/forwarding", 0)
    netadmin = lab.start()
    control = ControlPeer(netadmin)
    lab.serve(lab.one, "one", "tcp", 8080, ONE6)
    netadmin.expose(messages.exposure("tcp", 8080, ONE6))
    assert outcome(lab.client, "tcp", LAN6, 8080) == "one"
    lab.serve(lab.client, "outside", "tcp", 80, CLIENT6)
    assert outcome(lab.one, "tcp", CLIENT6, 80) == "outside"
    assert not is_seen_as_router(lab, LAN6)
    lab.client.run("ip", "neighbour", "flush", "dev", "eth0")
    assert not pings(lab.client, subnet_router)
    groups = lab.anchor.run("ip", "maddress", "show", "dev", "ext0")
    assert "ff02::1\n" in groups and "ff02::2\n" not in groups
    assert netadmin.links["ext0"][1] & FORWARDS == 0
    netadmin.ping(6)
    control.settle()
    control.kill()  # the log is complete
    assert control.logged("IPv6 forwarding is off") == []


@pytest.mark.parametrize("name, message", [("lan", "external interface resolved by network"),
                                           ("", "external interface resolved")], ids=["network", "interface"])
def test_addr9_the_log_says_what_decided(lab, name, message):
    """Only where ANCHORD_EXT_NETWORK decides does the topology name the external network."""
    external = messages.network(name, EXTERNAL_MAC, [("10.99.0.0/24", ROUTER4, None)])
    shared = messages.network("transit", SHARED_MAC, [("172.30.0.0/24", "172.30.0.1", None)])
    control = ControlPeer(lab.start(topology=messages.topology(external, shared)))
    line, = wait_logged(control, "external interface resolved")
    assert line["msg"] == message


# --- claimed gateway addresses (GW-1) ---

def claimed(lab):
    return lab.has_address("shared0", f"{GATEWAY4}/24") and lab.has_address("shared0", f"{GATEWAY6}/64")


def test_gateways_are_claimed_and_given_up_at_the_stop(lab):
    before = [line.split()[3] for line in lab.addresses("shared0")]
    netadmin = lab.start()
    assert claimed(lab)
    line4, = [line for line in lab.addresses("shared0") if f"{GATEWAY4}/24" in line]
    line6, = [line for line in lab.addresses("shared0") if f"{GATEWAY6}/64" in line]
    assert "brd 172.30.0.255" in line4 and "secondary" in line4
    assert "nodad" in line6 and "deprecated" in line6 and "tentative" not in line6
    assert netadmin.stop() == 0
    assert [line.split()[3] for line in lab.addresses("shared0")] == before


def test_claimed_gateways_answer_their_containers(lab):
    lab.start()
    for address in (GATEWAY4, GATEWAY6):
        assert "1 received" in lab.one.run("ping", "-c1", "-W2", address)


def test_claimed_gateways_are_no_source_of_the_anchors_own_traffic(lab):
    lab.start()
    assert f"src {ANCHOR4} " in lab.route_to("-4", ONE4)
    assert f"src {ANCHOR6} " in lab.route_to("-6", ONE6)


def test_claims_survive_a_crash_and_are_adopted(lab):
    lab.start().kill()
    assert claimed(lab)
    netadmin = lab.start()
    netadmin.kill()  # the log is complete
    assert claimed(lab)
    assert netadmin.logged("gateway addresses claimed") == []


@pytest.mark.parametrize("address", [f"{GATEWAY4}/24", f"{GATEWAY6}/64"])
def test_a_removed_claim_is_back_within_a_second(lab, address):
    lab.start()
    lab.anchor.run("ip", "address", "delete", address, "dev", "shared0")
    lab.back_within_a_second(lambda: claimed(lab), address)


def test_containers_can_be_asked_for_their_mac_from_the_first_moment(lab):
    """The kernel forwards to no IPv6 neighbour that it must ask for first while the link-local address is tentative."""
    lab.anchor.run("ip", "link", "set", "shared0", "down")
    lab.anchor.sysctl("ipv6/conf/shared0/dad_transmits", 100)
    lab.anchor.run("ip", "link", "set", "shared0", "up")
    lab.anchor.run("ip", "address", "add", f"{ANCHOR6}/64", "dev", "shared0", "nodad")

    def link_local():
        line, = [line for line in lab.addresses("shared0") if " fe80::" in line]
        return line

    assert "tentative" in wait_until(lambda: " fe80::" in str(lab.addresses("shared0")) and link_local(), "an address")
    before = link_local().split()[3]
    lab.start()
    lab.back_within_a_second(lambda: "tentative" not in link_local(), "the link-local address")
    assert link_local().split()[3] == before
    lab.one.run("ip", "neighbour", "replace", GATEWAY6, "lladdr", SHARED_MAC, "dev", "eth0", "nud", "permanent")
    lab.anchor.run("ip", "neighbour", "flush", "dev", "shared0")
    assert "1 received" in lab.one.run("ping", "-c1", "-W1", CLIENT6)


def test_claiming_can_be_switched_off(lab):
    netadmin = lab.start(claim=False)
    netadmin.ping(5)
    assert not lab.has_address("shared0", f"{GATEWAY4}/24") and not lab.has_address("shared0", f"{GATEWAY6}/64")


def test_a_gateway_outside_of_its_subnet_is_refused(lab):
    shared = (("172.30.0.0/24", "172.30.0.1", "10.99.0.1"), ("fd30::/64", "fd30::1", GATEWAY6))
    netadmin = lab.start(topology=lab.topology(shared=shared))
    assert not any("10.99.0.1/" in line for line in lab.addresses("shared0"))
    assert lab.has_address("shared0", f"{GATEWAY6}/64")
    line, = wait_logged(netadmin, "auxiliary gateway address refused")
    assert (line["address"], line["err"]) == ("10.99.0.1", "outside of its subnet")


def test_the_endpoints_own_address_stays_primary(lab):
    """The claim waits for it: added first, it would become the source, and take the other along when it goes."""
    lab.anchor.run("ip", "address", "delete", f"{ANCHOR4}/24", "dev", "shared0")
    netadmin = lab.start()
    netadmin.ping(5)
    assert not lab.has_address("shared0", f"{GATEWAY4}/24")
    lab.anchor.run("ip", "address", "add", f"{ANCHOR4}/24", "dev", "shared0")
    lab.back_within_a_second(lambda: claimed(lab), "the claim")
    assert f"src {ANCHOR4} " in lab.route_to("-4", ONE4)


def test_a_refusal_of_the_kernel_names_operation_object_and_reason(lab):
    """Somebody removed the connected route: the gateway's address is on link by its prefix, but not reachable."""
    netadmin = lab.start()
    lab.anchor.run("ip", "route", "flush", "table", "main", "10.99.0.0/24")
    lab.anchor.run("ip", "route", "flush", "table", "24942")
    line = wait_logged(netadmin, "the kernel refused a network request")[0]
    assert (line["level"], line["operation"]) == ("ERROR", "replace route")
    assert line["object"].startswith(f"v4 default via {ROUTER4} ")
    assert line["err"] == "Network is unreachable: Nexthop has invalid gateway"


# --- links and addresses as the watcher hears of them ---

def next_links(netadmin):
    links = {}
    while True:
        kind, _, body = netadmin.receive_watcher()
        if kind == messages.LINKS_BEGIN:
            links = {}
        elif kind == messages.LINKS_ITEMS:
            links.update(messages.parse_links(body))
        elif kind == messages.LINKS_COMMIT:
            return links


def links_until(netadmin, condition):
    while not condition(links := next_links(netadmin)):
        pass
    return links


def test_links_are_reported_with_mac_addresses_and_ipv6_settings(lab):
    lab.anchor.sysctl("ipv6/conf/other0/disable_ipv6", 1)
    lab.anchor.sysctl("ipv6/conf/ext0/accept_ra", 2)
    links = lab.start().links
    assert set(links) == {"ext0", "shared0", "other0"}
    mac, flags, addresses = links["ext0"]
    assert (mac, flags) == (EXTERNAL_MAC, FORWARDS | ACCEPTS_RA)
    assert {f"{LAN4}/24", f"{LAN6}/64"} <= set(addresses)
    assert links["shared0"][1] == FORWARDS
    assert links["other0"][1] & DISABLED


def test_an_address_is_reported_once_it_is_no_longer_tentative(lab):
    netadmin = lab.start()
    lab.anchor.run("ip", "address", "add", "2001:db8:99::77/64", "dev", "ext0")
    links_until(netadmin, lambda links: "2001:db8:99::77/64" in links["ext0"][2])
    assert not any("2001:db8:99::77" in line for line in lab.lines("-6", "address", "show", "dev", "ext0", "tentative"))
    lab.anchor.run("ip", "address", "delete", "2001:db8:99::77/64", "dev", "ext0")
    links_until(netadmin, lambda links: "2001:db8:99::77/64" not in links["ext0"][2])


def test_a_duplicate_address_is_never_reported(lab):
    lab.client.run("ip", "address", "add", "2001:db8:99::66/64", "dev", "eth0", "nodad")
    netadmin = lab.start()
    lab.anchor.run("ip", "address", "add", "2001:db8:99::66/64", "dev", "ext0")
    wait_until(lambda: any("2001:db8:99::66" in line for line in lab.addresses("ext0") if "dadfailed" in line),
               "duplicate address detection to fail")
    lab.anchor.run("ip", "address", "add", "2001:db8:99::67/64", "dev", "ext0", "nodad")
    links = links_until(netadmin, lambda links: "2001:db8:99::67/64" in links["ext0"][2])
    assert "2001:db8:99::66/64" not in links["ext0"][2]


def test_what_a_router_advertises_pushes_no_address_of_ours_out(lab):
    """NAT-9: of more than sixteen addresses own and leased ones are served, and that some are not is said. The kernel lists
    the newest first: Docker's, the oldest, was left out and the service silent."""
    netadmin = lab.start()
    control = ControlPeer(netadmin)
    with lab.anchor.entered():
        for number in range(100, 121):
            subprocess.run(["ip", "address", "add", f"2001:db8:{number}::50/64", "dev", "ext0", "nodad", "valid_lft", "3600",
                            "preferred_lft", "3600"], check=True)
    wait_logged(control, "more addresses on the interface than anchord serves", interface="ext0", served=16)
    netadmin.ping(5)
    lab.serve(lab.one, "one", "tcp", 80, ONE6)
    netadmin.expose(messages.exposure("tcp", 80, ONE6), messages.exposure("tcp", 80, ONE4))
    assert ask_tcp(lab.client, LAN6, 80)[0] == "one"
    external = lab.anchor.run("nft", "list", "set", "ip6", "anchord_v6", "external")
    assert LAN6 in external
    assert LAN4 in lab.anchor.run("nft", "list", "set", "ip", "anchord_v4", "external")
    control.settle()
    assert len(control.logged("more addresses on the interface than anchord serves")) == 1


def test_at_most_sixteen_addresses_of_a_link_are_reported(lab):
    """The oldest ones: Docker's of both families among them."""
    def change(action):
        lab.anchor.run("ip", "-batch", "-", input="".join(
            f"address {action} 10.{number}.0.50/24 dev ext0\n" for number in range(100, 120)))

    change("add")
    netadmin = lab.start()
    links = links_until(netadmin, lambda links: len(links["ext0"][2]) == 16)
    assert {f"{LAN4}/24", f"{LAN6}/64"} <= set(links["ext0"][2])
    change("delete")
    links = links_until(netadmin, lambda links: len(links["ext0"][2]) < 16)
    assert {f"{LAN4}/24", f"{LAN6}/64"} <= set(links["ext0"][2])
