"""The outside names no inside (WALL-2): leases and advertisements that name a part of an inner network, on the real kernel.

What is inside stands in a table of its own that is asked before main: whatever a DHCP server or a router makes of main.
The anchor's other network has no topology: only the kernel knows of it.
"""

import errno

import pytest

import messages
from advertisements_lab import Router, accept_advertisements
from control_peer import ControlPeer
from lease_lab import LEASED4, LEASED_ROUTER4, LeaseLab
from netadmin_lab import (ANCHOR4, ANCHOR6, LAN4, LAN6, ONE4, ONE6, OTHER4, OTHER_ANCHOR4, outcome, pings, wait_logged,
                          wait_until)
from network_lab import INNER_TABLE, RULES, UNREACHABLE6

OTHER_ANCHOR6, OTHER6 = "fd31::3", "fd31::5"
BOOTSTRAP = f"{LAN4}/24"
API_PORT = 2375  # where a Docker API proxy stands
INNER = {"-4": [f"172.30.0.0/24 dev shared0 proto 110 scope link src {ANCHOR4} metric 100",
                f"172.31.0.0/24 dev other0 proto 110 scope link src {OTHER_ANCHOR4} metric 100"],
         "-6": ["fd30::/64 dev shared0 proto 110 metric 100 pref medium",
                "fd31::/64 dev other0 proto 110 metric 100 pref medium"]}
TAKEN4 = ("172.31.0.0/25", "172.31.0.5/32", "172.30.0.5/32")
TAKEN6 = ("fd31::/80", "fd31::5/128", "fd30::5/128")


class InnerLab(LeaseLab):
    def build(self):
        super().build()
        for namespace, interface, text in ((self.anchor, "other0", OTHER_ANCHOR6), (self.other, "eth0", OTHER6)):
            namespace.run("ip", "address", "add", f"{text}/64", "dev", interface, "nodad")
        accept_advertisements(self)

    def inner(self, family):
        """Without what is remembered there (test_netadmin_topology)."""
        return [line for line in self.routes(family, INNER_TABLE) if not line.startswith("throw")]

    def way_to(self, address):
        """The interface that the kernel chooses."""
        words = self.route_to("-6" if ":" in address else "-4", address).split()
        return words[words.index("dev") + 1] if "dev" in words else "none"

    def impersonate(self):
        """The LAN host has the inner hosts' addresses and answers for them."""
        for text in (OTHER4, OTHER6, ONE4, ONE6):
            self.client.run("ip", "address", "add", f"{text}/{'128' if ':' in text else '32'}", "dev", "eth0",
                            *(["nodad"] if ":" in text else []))
            self.serve(self.client, "attacker", "tcp", API_PORT, text)

    def answers(self, address):
        return outcome(self.anchor, "tcp", address, API_PORT, 2)


@pytest.fixture
def lab(build):
    made = InnerLab(build / "workers" / "netadmin" / "anchord-netadmin")
    for text in (OTHER4, OTHER6):
        made.serve(made.other, "proxy", "tcp", API_PORT, text)
    yield made
    made.close()


@pytest.mark.parametrize("family", ("-4", "-6"))
def test_inner_prefixes_stand_before_main(lab, family):
    """WALL-2: the subnets of every link but the external one."""
    lab.start()
    assert lab.inner(family) == INNER[family]
    assert lab.rules(family) == RULES


@pytest.mark.parametrize("prefix", (*TAKEN4, *TAKEN6))
def test_whatever_comes_into_main_the_way_inside_stays(lab, prefix):
    """WALL-2: as a lease of an older anchord, a router's on-link prefix or a route option may put it there."""
    netadmin = lab.start()
    lab.impersonate()
    family = "-6" if ":" in prefix else "-4"
    lab.anchor.run("ip", family, "route", "add", prefix, "dev", "ext0")
    address = prefix.split("/")[0] if prefix.endswith(("/32", "/128")) else OTHER6 if family == "-6" else OTHER4
    assert lab.way_to(address) == ("shared0" if address in (ONE4, ONE6) else "other0")
    if address in (OTHER4, OTHER6):
        assert lab.answers(address) == "proxy"
    netadmin.ping(1)


@pytest.mark.parametrize("text", ("172.31.0.77/25", "172.31.0.77/24", "172.31.0.77/16", "172.31.0.5/32", "172.31.0.0/31"))
def test_a_leased_address_inside_an_inner_network_is_refused(lab, text):
    """WALL-2: by name; the bootstrap address and the way to the other network stay."""
    lab.start()
    lab.impersonate()
    assert lab.refused(text, routers=[LEASED_ROUTER4]) == "in the inner network 172.31.0.0/24 on other0"
    assert lab.external() == [BOOTSTRAP]
    assert lab.external_set() == [LAN4]
    assert lab.way_to(OTHER4) == "other0"
    assert lab.answers(OTHER4) == "proxy"


@pytest.mark.parametrize("text", (f"{OTHER6}/128", "fd31::77/128"))
def test_a_leased_v6_address_inside_an_inner_network_is_refused(lab, text):
    lab.start()
    assert lab.refused(text, family=6) == "in the inner network fd31::/64 on other0"
    assert lab.answers(OTHER6) == "proxy"


def test_routes_and_gateways_of_a_lease_inside_an_inner_network_are_left_out(lab):
    """WALL-2: what merely contains one is fine, because what is inside is looked up first."""
    netadmin = lab.start()
    lab.impersonate()
    lab.lease(routes=[("0.0.0.0/0", LEASED_ROUTER4), ("172.31.0.0/25", LEASED_ROUTER4), ("172.31.0.5/32", None),
                      ("172.16.0.0/12", LEASED_ROUTER4), ("198.51.100.0/24", OTHER4)])
    wait_until(lambda: f"172.16.0.0/12 via {LEASED_ROUTER4} dev ext0 proto 110 metric 90" in lab.routes("-4"),
               "the route that contains the inner networks")
    for route in (f"172.31.0.0/25 via {LEASED_ROUTER4}", "172.31.0.5/32 via -", f"198.51.100.0/24 via {OTHER4}"):
        wait_logged(netadmin, "lease: address, gateway, route or MTU refused, the rest of it is used", refused=route,
                    reason="in the inner network 172.31.0.0/24 on other0")
    assert (lab.way_to(OTHER4), lab.way_to(ONE4), lab.way_to("172.20.0.1")) == ("other0", "shared0", "ext0")
    assert lab.answers(OTHER4) == "proxy"


def test_a_lan_that_contains_an_inner_network_is_said_and_works(lab):
    """WALL-2: a problem to report, once, no error, and in status while it holds: what is inside stays inside, the rest is
    the LAN's."""
    netadmin = lab.start()
    control = ControlPeer(netadmin)
    lab.impersonate()
    lab.lease("172.20.0.77/12", routers=["172.20.0.1"])
    lab.wait_external("172.20.0.77/12")
    wait_logged(control, "the LAN contains an inner network", lan="172.16.0.0/12")
    lab.lease("172.20.0.77/12", routers=["172.20.0.1"])
    netadmin.ping(7)
    control.settle()
    assert len(control.logged("the LAN contains an inner network")) == 1
    assert lab.answers(OTHER4) == "proxy"
    assert lab.way_to("172.20.0.9") == "ext0"
    problem, = control.problems()
    assert problem.startswith("the LAN, 172.16.0.0/12, contains the inner network 172.3") and problem.endswith("lead inside")
    assert lab.external_set() == ["172.20.0.77"]
    lab.lease_lost()
    wait_until(lambda: control.problems() == [], "no problem any more")


@pytest.mark.parametrize("prefix", ("fd31::/64", "fd31::/80", "fd31::5/128"))
def test_an_advertised_prefix_takes_no_other_network_over(lab, tmp_path, prefix):
    """WALL-2, with radvd: the way inside stays, and what the kernel made an address of is none of the project's."""
    netadmin = lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    control = ControlPeer(netadmin)
    lab.impersonate()
    Router(lab, tmp_path, "fe80::a1", prefix=prefix)
    wait_until(lambda: any(line.startswith("fd31:") and "ext0" in line for line in lab.routes("-6", "main")),
               "the advertised prefix in main", 10)
    assert lab.way_to(OTHER6) == "other0"
    assert lab.answers(OTHER6) == "proxy"
    if prefix.endswith("/64"):
        own, = wait_until(lambda: [text for text in lab.external(6) if text.startswith("fd31:")], "an address by SLAAC")
        wait_logged(control, "address from the LAN refused: it lies in an inner network", address=own.split("/")[0],
                    inner="fd31::/64", interface="other0")
        wait_until(lambda: control.problems() == [f"{own.split('/')[0]} from the LAN lies in the inner network fd31::/64 (other0): "
                                                  "it is not used"], "the problem in status")
        netadmin.ping(9)
    assert not [text for text in lab.external_set(6) if text.startswith("fd31:")]


@pytest.mark.parametrize("prefix, protocol", [(prefix, protocol) for prefix in ("fd30::/64", "fd31::/64")
                                              for protocol in ("tcp", "udp")])
def test_an_advertised_address_inside_serves_nobody_and_captures_nothing(lab, tmp_path, prefix, protocol):
    """WALL-2: the kernel would make it anew with each advertisement, so it stays on the link. The LAN finds nothing there,
    and inbound, hairpin and the inner hosts go where they went."""
    netadmin = lab.start(mode=messages.MODE_SLAAC_RA_ONLY)
    lab.serve(lab.one, "one", protocol, 8080, ONE6)
    netadmin.expose(messages.exposure(protocol, 8080, ONE6))
    Router(lab, tmp_path, "fe80::a1", prefix=prefix)
    own, = wait_until(lambda: [text.split("/")[0] for text in lab.external(6) if text.startswith(prefix[:6])],
                      "an address by SLAAC", 10)
    netadmin.ping(11)
    lab.client.run("ip", "-6", "route", "replace", f"{own}/128", "dev", "eth0")
    assert outcome(lab.client, protocol, own, 8080, 0.4) == "silence" and not pings(lab.client, own)
    assert outcome(lab.client, protocol, LAN6, 8080) == outcome(lab.two, protocol, LAN6, 8080) == "one"
    assert pings(lab.other, OTHER_ANCHOR6) and pings(lab.two, ANCHOR6) and pings(lab.anchor, OTHER6)
    assert own not in lab.external_set(6)


def test_networks_beyond_what_is_guarded_are_said(lab):
    """WALL-2: 128 of a family and 80 interfaces; what there is more of is not guarded, and who made it is told."""
    for link in range(9):  # with 16 addresses each, which is as many as are read
        lab.anchor.run("ip", "link", "add", f"many{link}", "type", "bridge")
        lab.anchor.run("ip", "-batch", "-", input="".join(
            f"address add 10.{link}.{number}.1/24 dev many{link}\n" for number in range(16)))
    control = ControlPeer(lab.start())
    line, = wait_logged(control, "too many inner networks: the last ones are not guarded against what the LAN names")
    assert (line["family"], line["guarded"], line["left_out"]) == ("v4", 128, 18)
    assert len(lab.inner("-4")) == 128
    lab.anchor.run("ip", "-batch", "-", input="".join(f"link add more{link} type bridge\n" for link in range(76)))
    links = len(lab.lines("-oneline", "link")) - 1
    wait_logged(control, "too many interfaces: the last ones are not looked at, their networks are not guarded",
                guarded=80, left_out=links - 80)


def test_of_many_addresses_of_a_link_the_first_ones_count_and_that_there_are_more_is_said(lab):
    """WALL-2: Docker's are there before anybody adds some. The kernel lists IPv4 before IPv6, and of IPv6 the newest first:
    sixteen others pushed Docker's IPv6 network out of what is guarded, unsaid."""
    def add(link):
        name = ("other0", "shared0")[link]
        # Docker's once more, too: all within the hundredth of a second that the kernel counts in, if the machine is quick.
        docker = [f"{OTHER_ANCHOR4}/24", f"{OTHER_ANCHOR6}/64"] if link == 0 else []
        lines = [f"address {what} {address} dev {name}" for address in docker for what in ("delete", "add")]
        for number in range(16):
            lines += [f"address add 10.{link}.{number}.1/24 dev {name}", f"address add fd0{link}:{number}::1/64 dev {name}"]
        lab.anchor.run("ip", "-batch", "-", input="".join(line + (" nodad" if ":" in line and "add " in line else "") + "\n" for line in lines))

    add(0)
    control = ControlPeer(lab.start())
    told = "more addresses on an inner interface than are looked at"
    wait_logged(control, told, interface="other0", served=16, left_out=19)
    for family in ("-4", "-6"):
        assert set(INNER[family]) <= set(lab.inner(family))
    add(1)
    wait_logged(control, told, interface="shared0")
    for family in ("-4", "-6"):
        assert set(INNER[family]) <= set(lab.inner(family))
    assert len(control.logged(told)) == 2


@pytest.mark.parametrize("family", ("-4", "-6"))
def test_a_network_that_is_connected_later_counts(lab, family):
    """WALL-2: and no longer when it goes."""
    lab.start()
    subnet, address = {"-4": ("172.29.0.0/24", "172.29.0.3/24"), "-6": ("fd29::/64", "fd29::3/64")}[family]
    lab.cable(lab.anchor, "late0", lab.other, "late1")
    lab.anchor.run("ip", "address", "add", address, "dev", "late0", *(["nodad"] if family == "-6" else []))
    lab.back_within_a_second(lambda: any(line.startswith(f"{subnet} dev late0") for line in lab.inner(family)), subnet)
    if family == "-4":
        assert lab.refused("172.29.0.77/25") == "in the inner network 172.29.0.0/24 on late0"
    lab.anchor.run("ip", "link", "delete", "late0")
    lab.back_within_a_second(lambda: lab.inner(family) == INNER[family], "the others alone")
    assert lab.netadmin.logged("routes or rules of ours were changed") == []


def test_a_lease_that_a_later_network_contains_is_given_up(lab):
    """WALL-2: the bootstrap address comes back, and the network is reached."""
    netadmin = lab.start()
    lab.lease()
    lab.wait_external(f"{LEASED4}/24")
    lab.anchor.run("ip", "address", "add", "10.99.0.3/24", "dev", "other0")
    wait_logged(netadmin, "leased address given up: it lies in an inner network", address=LEASED4, interface="other0")
    assert lab.answer() == (-errno.EPERM, "in the inner network 10.99.0.0/24 on other0")  # the supervisor hears it at once
    lab.wait_external(BOOTSTRAP)


def test_an_inner_network_whose_link_is_down_is_reached_by_no_other_way(lab):
    lab.start()
    lab.anchor.run("ip", "link", "set", "other0", "down")
    wait_until(lambda: "unreachable 172.31.0.0/24 proto 110 metric 100" in lab.inner("-4"), "unreachable")
    assert lab.route_to("-4", OTHER4) == "unreachable"
    lab.anchor.run("ip", "link", "set", "other0", "up")
    wait_until(lambda: lab.inner("-4") == INNER["-4"], "the way again")


@pytest.mark.parametrize("change", (
    ("route", "flush", "table", INNER_TABLE),
    ("route", "replace", "PREFIX", "dev", "ext0", "table", INNER_TABLE, "metric", "100"),
    ("rule", "delete", "priority", "32760"),
), ids=" ".join)
@pytest.mark.parametrize("family", ("-4", "-6"))
def test_what_others_change_of_it_is_back_within_a_second(lab, family, change):
    netadmin = lab.start()
    prefix = {"-4": "172.31.0.0/24", "-6": "fd31::/64"}[family]
    lab.anchor.run("ip", family, *(prefix if word == "PREFIX" else word for word in change))
    lab.back_within_a_second(lambda: (lab.inner(family), lab.rules(family)) == (INNER[family], RULES), " ".join(change))
    wait_logged(netadmin, "routes or rules of ours were changed by somebody else, put back", family=f"v{family[1]}")


def test_killed_hard_it_stays_and_the_successor_changes_nothing(lab):
    lab.start().kill()
    wait_until(lambda: "tentative" not in lab.anchor.run("ip", "-6", "address"), "addresses that nobody else has")
    assert [lab.inner(family) for family in ("-4", "-6")] == [INNER["-4"], INNER["-6"]]
    with lab.monitored("route", "address") as changes:
        lab.start()
    assert changes == []


def test_a_stop_removes_it(lab):
    assert lab.start().stop() == 0
    assert [lab.inner(family) + lab.rules(family) for family in ("-4", "-6")] == [[], []]
    assert UNREACHABLE6 not in lab.routes("-6")
