"""netadmin: IPv6 in the modes that ask the network: SLAAC, DHCPv6, advertised gateways (ADDR-2 to ADDR-4, NAT-8)."""

import pytest

import messages
from advertisements_lab import Router, accept_advertisements
from control_peer import ControlPeer
from lease_lab import LEASED4, LEASED6, Flow, LeaseLab
from netadmin_lab import CLIENT6, LAN6, LAN_UNIQUE_LOCAL, ONE6, ask_tcp, outcome, wait_logged, wait_until
from network_lab import ROUTER6

FIRST, SECOND = "fe80::a1", "fe80::a2"
PREFIX, NEXT_PREFIX = "2001:db8:1::/64", "2001:db8:2::/64"
OUTSIDE = [f"2001:db8:ffff::{number}" for number in range(1, 4)] + ["2001:db8:1::9", "fd77::9"]
BOOTSTRAP = f"{LAN6}/64"
IPV6_DISABLED, IPV6_IS_ASKED = 1, 8  # enum link_ipv6_flag


@pytest.fixture(params=[messages.MODE_DHCP_REFRESH], ids=["dhcp-refresh"])
def mode(request):
    return request.param


@pytest.fixture
def lab(build, mode):
    made = LeaseLab(build / "workers" / "netadmin" / "anchord-netadmin")
    made.mode = mode
    accept_advertisements(made)
    # The lab's unique local address would be a second identity.
    made.anchor.run("ip", "address", "delete", f"{LAN_UNIQUE_LOCAL}/64", "dev", "ext0")
    yield made
    made.close()


both_modes = pytest.mark.parametrize("mode", [messages.MODE_DHCP_REFRESH, messages.MODE_SLAAC_RA_ONLY],
                                     ids=["dhcp-refresh", "slaac-ra-only"], indirect=True)


def autoconfigured(lab, prefix=PREFIX):
    """The SLAAC address of a prefix, once duplicate address detection is over."""
    start = prefix.removesuffix("::/64")
    lines = lab.lines("-6", "-oneline", "address", "show", "dev", "ext0", "dynamic", "-tentative", "-deprecated")
    found = [word.removesuffix("/64") for line in lines for word in line.split() if word.startswith(f"{start}:")]
    return found[0] if found else None


def wait_autoconfigured(lab, prefix=PREFIX):
    return wait_until(lambda: autoconfigured(lab, prefix), f"an address of {prefix}", 10.0)


def wait_egress(lab, address):
    wait_until(lambda: f"snat to {address} " in lab.ruleset(), f"egress from {address}")


def sources(lab):
    """What five servers outside see of a container's connections."""
    seen = []
    for text in OUTSIDE:
        seen.append(ask_tcp(lab.one, text, 7000)[1][0])
    return seen


def serve_outside(lab):
    for text in OUTSIDE:
        lab.client.run("ip", "address", "add", f"{text}/128", "dev", "eth0", "nodad")
        lab.serve(lab.client, "outside", "tcp", 7000, text)


@both_modes
def test_slaac_becomes_the_identity(lab, tmp_path, mode):
    """NAT-8: before Docker's address, which stays; inbound to both."""
    lab.start()
    lab.serve_one()
    lab.expose()
    wait_egress(lab, LAN6)
    Router(lab, tmp_path, FIRST, prefix=PREFIX)
    slaac = wait_autoconfigured(lab)
    wait_egress(lab, slaac)
    assert BOOTSTRAP in lab.external(6)
    wait_until(lambda: slaac in lab.external_set(6), "the address in the set")
    lab.client.run("ip", "-6", "route", "add", PREFIX, "dev", "eth0")
    for text in (slaac, LAN6):
        assert outcome(lab.client, "tcp", text, 8080) == "one"


@both_modes
def test_advertised_gateways_come_before_ipam(lab, tmp_path, mode):
    """ADDR-11: pin, RA, IPAM in these modes."""
    ipam = (("10.99.0.0/24", None, None), ("2001:db8:99::/64", ROUTER6, None))
    topology = super(LeaseLab, lab).topology(external=ipam)
    netadmin = lab.start(topology=topology)
    wait_until(lambda: lab.routes("-6")[0].startswith(f"default via {ROUTER6} "), "IPAM's, without a router")
    Router(lab, tmp_path, FIRST)
    wait_until(lambda: lab.routes("-6")[0].startswith(f"default via {FIRST} "), "the router's", 10.0)
    netadmin.kill()
    lab.start(topology=topology, gateway6="fe80::1234")
    wait_until(lambda: lab.routes("-6")[0].startswith("default via fe80::1234 "), "the pin")


def test_one_source_to_five_destinations_over_all_changes(lab, tmp_path):
    """NAT-8: SLAAC, then IA_NA beside it, then another prefix, then no lease: one address each time, for everybody."""
    lab.start()
    lab.serve_one()
    lab.expose()
    serve_outside(lab)
    router = Router(lab, tmp_path, FIRST, prefix=PREFIX)
    slaac = wait_autoconfigured(lab)
    wait_egress(lab, slaac)
    lab.client.run("ip", "-6", "route", "add", PREFIX, "dev", "eth0", check=False)
    assert set(sources(lab)) == {slaac}
    lab.lease(f"{LEASED6}/128", family=6)
    wait_egress(lab, LEASED6)
    assert set(sources(lab)) == {LEASED6}
    router.kill()
    Router(lab, tmp_path, FIRST, prefix=NEXT_PREFIX, retired_prefix=PREFIX)
    next_slaac = wait_autoconfigured(lab, NEXT_PREFIX)
    assert set(sources(lab)) == {LEASED6}
    lab.lease_lost(6)
    wait_egress(lab, next_slaac)
    lab.client.run("ip", "-6", "route", "add", NEXT_PREFIX, "dev", "eth0", check=False)
    assert set(sources(lab)) == {next_slaac}


def test_a_leased_address_is_added_for_its_lifetime(lab):
    """ADDR-2: IA_NA as a /128 beside Docker's; the answer comes when duplicate address detection is over."""
    netadmin = lab.start()
    lab.serve_one()
    lab.expose()
    with lab.announced() as states:
        lab.lease(f"{LEASED6}/128", family=6, valid=600, preferred=300)
        assert sorted(lab.external(6)) == sorted([BOOTSTRAP, f"{LEASED6}/128"])
        assert 595 <= lab.lifetime(f"{LEASED6}/128")[0] <= 600 and 295 <= lab.lifetime(f"{LEASED6}/128")[1] <= 300
        assert not [line for line in lab.addresses("ext0") if LEASED6 in line and "tentative" in line]
        wait_until(lambda: states and ("ext0", LEASED6) in states[-1], "the address to be announced")
    wait_logged(netadmin, "external address added", address=f"{LEASED6}/128", origin="lease")
    assert ask_tcp(lab.client, LEASED6, 8080)[0] == "one"


# One without an end stays on the link when detection fails, and no notification tells of it (net/ipv6/addrconf.c).
@pytest.mark.parametrize("seconds", [3600, messages.LEASE_FOREVER], ids=["an-hour", "for-ever"])
def test_a_duplicate_is_refused(lab, seconds):
    """ADDR-13: the kernel's own detection (RFC 4862 §5.4); Docker's address serves."""
    netadmin = lab.start()
    control = ControlPeer(netadmin)
    lab.client.run("ip", "address", "add", f"{LEASED6}/64", "dev", "eth0", "nodad")
    assert "somebody else" in lab.refused(f"{LEASED6}/128", family=6, valid=seconds, preferred=seconds)
    lab.wait_external(BOOTSTRAP, family=6)
    wait_egress(lab, LAN6)
    netadmin.ping(1)
    control.settle()
    control.kill()  # the log is complete
    assert not control.logged("another host on the LAN has this address already, it is not used")  # the server's matter


FURTHER6, FURTHER6_UNIQUE_LOCAL = "2001:db8:99::d8", "fd99::d6"


def test_every_address_of_an_identity_serves(lab, tmp_path):
    """ADDR-2, NAT-8, NAT-9: a unique local and two global addresses in one IA_NA: inbound to all of them, announced, each
    for its time; egress from the best one per scope, whichever was added last."""
    netadmin = lab.start()
    lab.serve_one()
    lab.expose()
    serve_outside(lab)
    Router(lab, tmp_path, FIRST, prefix=PREFIX)
    slaac = wait_autoconfigured(lab)
    with lab.announced() as states:
        lab.lease(f"{LEASED6}/128", family=6, valid=600, preferred=300,
                  further=[(FURTHER6_UNIQUE_LOCAL, 500, 200), (FURTHER6, 400, 100)])
        every = [LEASED6, FURTHER6_UNIQUE_LOCAL, FURTHER6]
        lab.wait_external(BOOTSTRAP, f"{slaac}/64", *(f"{text}/128" for text in every), family=6)
        wait_until(lambda: states and {("ext0", text) for text in every} <= states[-1], "all to be announced")
    for text, valid, preferred in zip(every, (600, 500, 400), (300, 200, 100)):
        found = lab.lifetime(f"{text}/128")
        assert valid - 5 <= found[0] <= valid and preferred - 5 <= found[1] <= preferred
        assert text in lab.external_set(6)
        wait_logged(netadmin, "external address added", address=f"{text}/128", origin="lease")
    wait_egress(lab, LEASED6)
    wait_egress(lab, FURTHER6_UNIQUE_LOCAL)
    # What a router's advertisement says of the unique local prefix.
    lab.anchor.run("ip", "-6", "route", "add", "fd99::/64", "dev", "ext0")
    for text in every:
        assert outcome(lab.client, "tcp", text, 8080) == "one"
    assert sources(lab) == [FURTHER6_UNIQUE_LOCAL if text.startswith("fd") else LEASED6 for text in OUTSIDE]


def test_the_addresses_of_an_identity_come_and_go_one_by_one(lab):
    """ADDR-6, ADDR-7: a renewal that no longer names one takes that one away, and a flow to another lives on."""
    lab.start()
    lab.serve_one()
    lab.expose()
    lab.lease(f"{LEASED6}/128", family=6, further=[(FURTHER6, 3600, 3600)])
    flow, leaving = Flow(lab.client, "tcp", LEASED6, 8080), Flow(lab.client, "tcp", FURTHER6, 8080)
    lab.lease(f"{LEASED6}/128", family=6, valid=7200, further=[(FURTHER6_UNIQUE_LOCAL, 3600, 3600)])
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", f"{FURTHER6_UNIQUE_LOCAL}/128", family=6)
    wait_until(lambda: not leaving.is_alive(), "the flow of what was given up to end")
    assert FURTHER6 not in lab.external_set(6)
    assert flow.is_alive(2.0)
    lab.lease(f"{FURTHER6}/128", family=6, valid=4, preferred=4, further=[(FURTHER6_UNIQUE_LOCAL, 3600, 3600)])
    wait_egress(lab, FURTHER6)
    lab.wait_external(BOOTSTRAP, f"{FURTHER6_UNIQUE_LOCAL}/128", family=6, deadline=8.0)
    wait_egress(lab, LAN6)
    lab.lease_lost(6)
    lab.wait_external(BOOTSTRAP, family=6)


def test_a_deprecated_global_address_comes_before_none_and_after_a_preferred_one(lab):
    """NAT-8: never the unique local one towards the internet while there is a global one."""
    lab.start()
    lab.lease(f"{FURTHER6_UNIQUE_LOCAL}/128", family=6, further=[(LEASED6, 600, 0)])
    wait_egress(lab, FURTHER6_UNIQUE_LOCAL)
    wait_egress(lab, LAN6)  # Docker's is preferred
    lab.lease(f"{FURTHER6_UNIQUE_LOCAL}/128", family=6, further=[(LEASED6, 600, 600)])
    wait_egress(lab, LEASED6)


@pytest.mark.parametrize("seconds", [3600, messages.LEASE_FOREVER], ids=["an-hour", "for-ever"])
def test_another_hosts_address_in_an_identity_costs_the_others_nothing(lab, seconds):
    """ADDR-13: reported, and tried again when the server gives it again."""
    control = ControlPeer(lab.start())
    lab.client.run("ip", "address", "add", f"{FURTHER6}/64", "dev", "eth0", "nodad")
    lab.lease(f"{LEASED6}/128", family=6, further=[(FURTHER6, seconds, seconds)])
    wait_logged(control, "another host on the LAN has this address already, it is not used", address=FURTHER6)
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", family=6)
    wait_until(lambda: FURTHER6 not in lab.external_set(6), "no element for it")
    lab.client.run("ip", "address", "delete", f"{FURTHER6}/64", "dev", "eth0")
    lab.lease(f"{LEASED6}/128", family=6, further=[(FURTHER6, seconds, seconds)])
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", f"{FURTHER6}/128", family=6)


def test_an_inner_address_in_an_identity_is_left_out_alone(lab):
    """WALL-2: of the answer, and by a network that is connected later."""
    netadmin = lab.start()
    lab.lease(f"{LEASED6}/128", family=6, further=[(ONE6, 3600, 3600), (FURTHER6_UNIQUE_LOCAL, 3600, 3600)])
    wait_logged(netadmin, "lease: address, gateway, route or MTU refused, the rest of it is used", refused=ONE6)
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", f"{FURTHER6_UNIQUE_LOCAL}/128", family=6)
    lab.anchor.run("ip", "link", "add", "later", "type", "veth", "peer", "name", "later-peer")
    lab.anchor.run("ip", "address", "add", "fd99::1/64", "dev", "later", "nodad")
    for link in ("later", "later-peer"):
        lab.anchor.run("ip", "link", "set", link, "up")
    wait_logged(netadmin, "leased address given up: it lies in an inner network", address=FURTHER6_UNIQUE_LOCAL)
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", family=6)


def test_dockers_own_address_may_be_leased(lab):
    """ADDR-1: it is Docker's, for good, and the lease is taken; what came with it is added."""
    lab.start()
    lab.lease(f"{LAN6}/128", family=6, further=[(FURTHER6_UNIQUE_LOCAL, 600, 600)])
    lab.wait_external(BOOTSTRAP, f"{FURTHER6_UNIQUE_LOCAL}/128", family=6)
    lab.lease(f"{LAN6}/128", family=6)
    lab.wait_external(BOOTSTRAP, family=6)
    assert lab.lifetime(BOOTSTRAP) == (None, None)


def test_rotation_and_renewal(lab):
    """ADDR-6, ADDR-7: a renewal disturbs nothing; the old address goes with its flows, those to it and from it (NAT-4)."""
    lab.start()
    lab.serve_one()
    lab.expose()
    lab.serve(lab.client, "outside", "udp", 7000, CLIENT6)
    lab.lease(f"{LEASED6}/128", family=6)
    wait_egress(lab, LEASED6)
    leaving = Flow(lab.one, "udp", CLIENT6, 7000)
    flow, other = Flow(lab.client, "tcp", LEASED6, 8080), Flow(lab.client, "tcp", LAN6, 8080)
    lab.lease(f"{LEASED6}/128", family=6, valid=7200)
    assert flow.is_alive(2.0)
    assert lab.lifetime(f"{LEASED6}/128")[0] > 7190
    lab.lease("2001:db8:99::d7/128", family=6)
    lab.wait_external(BOOTSTRAP, "2001:db8:99::d7/128", family=6)
    wait_until(lambda: not flow.is_alive(), "the flow of the old address to end")
    wait_egress(lab, "2001:db8:99::d7")
    wait_until(lambda: LEASED6 not in lab.anchor.run("conntrack", "-L", "-f", "ipv6"), "no flow of the old address")
    leaving.socket.send(b"?")
    assert leaving.socket.recv(2048).decode().split()[1] == "2001:db8:99::d7"
    assert other.is_alive(2.0)


def test_a_removed_address_is_put_back(lab):
    lab.start()
    lab.lease(f"{LEASED6}/128", family=6)
    for text in (f"{LEASED6}/128", BOOTSTRAP):
        lab.anchor.run("ip", "address", "delete", text, "dev", "ext0")
        lab.back_within_a_second(lambda: text in lab.external(6), text)
        wait_logged(lab.netadmin, "external address was removed by somebody else, put back", address=text)


def test_both_are_back_after_the_link_was_down(lab):
    """The kernel takes all IPv6 addresses away then, and nobody else in the container would give them back."""
    lab.start()
    lab.lease(f"{LEASED6}/128", family=6, valid=600)
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    wait_until(lambda: lab.external(6) == [], "the kernel to remove them")
    lab.anchor.run("ip", "link", "set", "ext0", "up")
    lab.wait_external(BOOTSTRAP, f"{LEASED6}/128", family=6)
    assert lab.lifetime(f"{LEASED6}/128")[0] <= 600
    assert not lab.netadmin.logged("external address was removed by somebody else")


HOSTILE6 = ["fe80::1/128", "ff02::1/128", "::1/128", "::/128", "::ffff:10.99.0.77/128", "2001:db8:99::d6/64",
            "fd30::77/128", f"{ONE6}/128", "fec0::1/128"]


def test_leases_that_make_no_sense_are_refused(lab):
    lab.start()
    for text in HOSTILE6:
        assert lab.refused(text, family=6)
    assert lab.external(6) == [BOOTSTRAP]


@both_modes
def test_the_watcher_hears_that_ipv6_is_asked_of_the_network(lab, mode):
    """ADDR-14: so that it can name the remedy where Docker switched IPv6 off."""
    lab.anchor.sysctl("ipv6/conf/ext0/disable_ipv6", 1)
    links = lab.start().link()[0]
    assert links["ext0"][1] & (IPV6_DISABLED | IPV6_IS_ASKED) == IPV6_DISABLED | IPV6_IS_ASKED


def test_the_families_are_independent(lab):
    """ADDR-4: whatever one does, nothing changes in the other."""
    lab.start()
    lab.lease()
    lab.wait_external(f"{LEASED4}/24")
    lab.lease(f"{LEASED6}/128", family=6)
    with lab.monitored("address", "route") as changes:
        assert lab.refused("fe80::1/128", family=6)
        lab.lease("2001:db8:99::d7/128", family=6)
        lab.lease_lost(6)
    assert not any("10.99.0." in line for line in changes), changes
    lab.lease_lost()
    assert CLIENT6 not in lab.external(6)
