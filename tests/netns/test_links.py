"""anchord-links: the links of an identity, made, followed and undone (HOST-2, HOST-8).

The host has a parent, eth0, and Docker's bridges; the test is the supervisor, and the watcher that may have been taken
over.
"""

import errno
import json
import re
import subprocess

import pytest

import messages
from attach_lab import EXTERNAL_MAC, INNER_MAC, LinksProcess, bridge_of, differences, new_id, run_container, settled
from netadmin_lab import Namespace, pings, wait_until

OUTER0, OUTER1, HOST0 = "anc0123abcdb0", "anc0123abcdb1", "anc0123abcdh"


@pytest.fixture
def host():
    made = Namespace()
    made.sysctl("ipv6/conf/default/addr_gen_mode", 3)  # stable privacy, as some have it
    made.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan0")
    for name in ("lo", "eth0", "lan0"):
        made.run("ip", "link", "set", name, "up")
    yield made
    made.close()


@pytest.fixture
def identity():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def program(build):
    return build / "workers" / "links" / "anchord-links"


@pytest.fixture
def links(program, host, identity):
    made = LinksProcess(program, host)
    made.give_identity(identity)
    yield made
    made.close()


def add_bridge(host, mtu=1500, name=None):
    """A Docker network: (ID, name, bridge)."""
    network_id = new_id()
    network = (network_id, "mail_default", name or bridge_of(network_id))
    make_bridge(host, network[2], mtu)
    return network


def make_bridge(host, name, mtu=1500):
    host.run("ip", "link", "add", name, "mtu", str(mtu), "type", "bridge")
    host.run("ip", "link", "set", name, "up")


def seen(namespace):
    """{name: what `ip -details link` says}"""
    return {link["ifname"]: link for link in json.loads(namespace.run("ip", "-json", "-details", "link"))}


def indices(*namespaces):
    """Of the links of ours: others of the same name have other ones."""
    return [{name: link["ifindex"] for name, link in seen(namespace).items() if name.startswith("anc")}
            for namespace in namespaces]


def test_host2_links_are_made_straight_in_the_identity(host, identity, links):
    """One pair for each network, all inner ends with one MAC, as large as the bridge, which keeps its size."""
    first, second = add_bridge(host), add_bridge(host, mtu=9000)
    answers = links.answers(first, second)
    assert answers == {"": ("ancext", 0, ""), first[0]: ("ancin0", 0, ""), second[0]: ("ancin1", 0, "")}
    inside, outside = seen(identity), seen(host)
    external = inside["ancext"]
    assert (external["linkinfo"]["info_kind"], external["linkinfo"]["info_data"]["mode"], external["address"],
            external["link_index"]) == ("macvlan", "bridge", EXTERNAL_MAC, outside["eth0"]["ifindex"])
    for inner, outer, network, mtu in (("ancin0", OUTER0, first, 1500), ("ancin1", OUTER1, second, 9000)):
        assert (inside[inner]["address"], inside[inner]["mtu"]) == (INNER_MAC, mtu)
        assert "UP" not in inside[inner]["flags"]
        assert (outside[outer]["master"], outside[outer]["mtu"], outside[network[2]]["mtu"]) == (network[2], mtu, mtu)
        assert "UP" in outside[outer]["flags"]
        assert outside[outer]["address"] == f"fe:c{outer[-1]}:01:23:ab:cd"  # no bridge takes it for its own
        assert outside[outer]["ifalias"] == f"anchord mail {network[0]} mail_default"
    assert "UP" not in external["flags"]


def test_host2_packets_pass_from_the_bridge_and_from_the_lan(host, identity, links):
    network = add_bridge(host)
    links.answers(network)
    for name, address in (("ancin0", "172.30.0.2/24"), ("ancext", "10.99.0.50/24")):
        identity.run("ip", "address", "add", address, "dev", name)
        identity.run("ip", "link", "set", name, "up")
    host.run("ip", "address", "add", "172.30.0.1/24", "dev", network[2])
    host.run("ping", "-c", "1", "-W", "2", "172.30.0.2")
    host.run("ip", "address", "add", "10.99.0.9/24", "dev", "lan0")
    identity.run("ping", "-c", "1", "-W", "2", "10.99.0.9")


def test_host2_a_bridge_made_anew_a_changed_mtu_and_a_parent_made_anew_are_followed(host, identity, links):
    network = add_bridge(host, name=None)
    links.answers(network)
    host.run("ip", "link", "delete", network[2])
    wait_until(lambda: "master" not in seen(host)[OUTER0], "the bridge to be gone")
    make_bridge(host, network[2])
    wait_until(lambda: seen(host)[OUTER0].get("master") == network[2], "the pair on the new bridge")
    host.run("ip", "link", "set", network[2], "mtu", "1400")
    wait_until(lambda: seen(host)[OUTER0]["mtu"] == seen(identity)["ancin0"]["mtu"] == 1400, "the pair to be as large")
    host.run("ip", "link", "set", "eth0", "mtu", "1300")
    wait_until(lambda: seen(identity)["ancext"]["mtu"] == 1300, "the macvlan to be as large")
    host.run("ip", "link", "set", "eth0", "mtu", "1500")
    wait_until(lambda: seen(identity)["ancext"]["mtu"] == 1500, "the macvlan to be as large again")
    host.run("ip", "link", "set", "eth0", "down")
    host.run("ip", "link", "set", "eth0", "up")
    host.run("ip", "link", "delete", "eth0")
    wait_until(lambda: "ancext" not in seen(identity), "the macvlan to be gone")
    wait_until(lambda: links.logged("refused to make a link", reason="there is no such parent"), "that it was said")
    host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan1")
    wait_until(lambda: seen(identity).get("ancext", {}).get("address") == EXTERNAL_MAC, "the macvlan on the new parent")


def test_host2_a_network_that_is_left_loses_its_link(host, identity, links):
    first, second = add_bridge(host), add_bridge(host)
    links.answers(first, second)
    assert links.answers(second)[second[0]] == ("ancin1", 0, "")
    assert (OUTER0 in seen(host), OUTER1 in seen(host), "ancin0" in seen(identity)) == (False, True, False)


def test_host2_another_identity_gets_the_links(host, identity, links):
    network = add_bridge(host)
    links.answers(network)
    successor = Namespace()
    links.give_identity(successor)
    wait_until(lambda: {"ancin0", "ancext"} <= set(seen(successor)), "the links in the new namespace")
    assert "ancin0" not in seen(identity)
    successor.close()


def test_host2_the_identity_hears_of_each_link_and_its_subnets_as_the_host_has_them(host, identity, links):
    """links is the witness: the bridge's addresses, v4 and v6, without link-local ones; followed."""
    network = add_bridge(host, mtu=1400)
    host.run("ip", "address", "add", "172.30.0.1/16", "dev", network[2])
    links.answers(network)
    links.heard(lambda shared, _: shared == {"ancin0": (0, 1400, ["172.30.0.0/16"], network[0])})
    host.run("ip", "address", "add", "fd00:1::1/64", "dev", network[2], "nodad")
    host.run("ip", "link", "set", network[2], "mtu", "1300")
    links.heard(lambda shared, _: shared == {"ancin0": (0, 1300, ["172.30.0.0/16", "fd00:1::/64"], network[0])})
    host.run("ip", "address", "delete", "172.30.0.1/16", "dev", network[2])
    links.heard(lambda shared, _: shared["ancin0"][2] == ["fd00:1::/64"])
    links.offer()
    links.heard(lambda shared, _: shared == {})


def test_host7_the_hosts_addresses_are_told_and_followed(host, links):
    """Wherever they are, also before there is a link; without loopback and link-local ones."""
    host.run("ip", "address", "add", "10.99.0.1/24", "dev", "eth0")
    host.run("ip", "address", "add", "10.98.0.1/32", "dev", "lo")
    host.run("ip", "address", "add", "fd00::1/64", "dev", "eth0", "nodad")
    links.heard(lambda _, told: told[1] == {"10.99.0.1": True, "10.98.0.1": False, "fd00::1": True})
    host.run("ip", "address", "delete", "10.98.0.1/32", "dev", "lo")
    links.heard(lambda _, told: told[1] == {"10.99.0.1": True, "fd00::1": True})
    host.run("ip", "link", "delete", "eth0")
    links.heard(lambda _, told: told[1] == {})


def test_host7_more_addresses_than_are_told_is_said_and_the_parents_come_first(host, links):
    """HOST-7: what is left out is never silent, and never what the project needs most."""
    host.run("ip", "-batch", "-", input="".join(f"address add 10.98.1.{n}/32 dev lo\n" for n in range(1, 67)))
    host.run("ip", "address", "add", "10.99.0.1/24", "dev", "eth0")
    links.heard(lambda _, told: len(told[1]) == 64 and told[1].get("10.99.0.1"))
    wait_until(lambda: links.logged("the host has more addresses than the project reaches", left_out=3), "that it was said")


def routes_of(host):
    """The host's routes by host0, with the IPv6 ones of the kernel's own left out."""
    lines = host.run("ip", "route", "show", "dev", HOST0) + host.run("ip", "-6", "route", "show", "dev", HOST0)
    return sorted(" ".join(re.sub(r"proto 110|pref medium|metric 1024|onlink|linkdown", "", line).split())
                  for line in lines.splitlines() if "proto 110" in line)


def test_host7_host_and_project_reach_each_other_by_a_link_of_their_own(host, identity, links):
    """HOST-7: the host by its own address, v4 and v6; the next hop is answered although rp_filter is strict."""
    host.run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
    host.run("ip", "address", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
    host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
    links.offer()
    wait_until(lambda: HOST0 in seen(host) and "anchost" in seen(identity), "host0")
    links.heard(lambda _, told: told[0] == seen(host)[HOST0]["address"])
    outside = seen(host)[HOST0]
    assert (outside["ifalias"], "master" in outside, "UP" in outside["flags"]) == ("anchord mail host0 this host", False, True)
    links.send(messages.message(messages.PROJECT_ADDRESSES, messages.project_addresses("192.0.2.5", "2001:db8::5")))
    wait_until(lambda: routes_of(host) == [
        "169.254.7.9 scope link", "192.0.2.5 via 169.254.7.9 src 192.0.2.1",
        "2001:db8::5 via fe80::ff:fe00:e02 src 2001:db8::1"], "the routes to the project")
    for words in (("addr", "add", "169.254.7.9/32", "dev", "anchost"), ("link", "set", "anchost", "up"), ("link", "set", "lo", "up"),
                  ("addr", "add", "192.0.2.5/32", "dev", "lo"), ("-6", "addr", "add", "2001:db8::5/128", "dev", "lo", "nodad"),
                  ("route", "add", "192.0.2.1/32", "dev", "anchost", "src", "169.254.7.9")):
        identity.run("ip", *words)
    host_end = wait_until(lambda: next((address["local"] for link in json.loads(host.run("ip", "-j", "-6", "addr", "show", "dev", HOST0))
                                        for address in link["addr_info"] if "tentative" not in address), None), "its link-local address")
    assert host_end == "fe80::fc80:1ff:fe23:abcd"  # of host_mac: the next hop
    identity.run("ip", "-6", "route", "add", "2001:db8::1/128", "via", host_end, "dev", "anchost")
    wait_until(lambda: pings(host, "192.0.2.5") and pings(host, "2001:db8::5"), "answers")
    links.send(messages.message(messages.PROJECT_ADDRESSES, messages.project_addresses("192.0.2.6")))
    wait_until(lambda: routes_of(host) == ["169.254.7.9 scope link", "192.0.2.6 via 169.254.7.9 src 192.0.2.1"], "the other one's")
    host.run("ip", "address", "delete", "192.0.2.1/24", "dev", "eth0")
    host.run("ip", "address", "add", "192.0.2.9/24", "dev", "eth0")
    wait_until(lambda: "192.0.2.6 via 169.254.7.9 src 192.0.2.9" in routes_of(host), "the host's new address")


def test_host7_the_host_gets_no_route_to_what_is_not_the_projects(host, identity, links):
    """Whatever netadmin says: neither the host's own, nor a router's, nor outside of the parent's network."""
    host.run("ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
    host.run("ip", "route", "add", "default", "via", "192.0.2.254")
    host.run("ip", "route", "add", "192.0.2.77/32", "dev", "lan0")
    wrong = {"192.0.2.1": "it is the host's own", "192.0.2.254": "it is a router's",
             "192.0.2.0": "it is a network's own or its broadcast address",
             "192.0.2.255": "it is a network's own or its broadcast address",
             "198.51.100.1": "it is in none of the parent's networks on the host",
             "2001:db8::5": "it is in none of the parent's networks on the host"}
    links.offer()
    wait_until(lambda: HOST0 in seen(host), "host0")
    links.send(messages.message(messages.PROJECT_ADDRESSES, messages.project_addresses(*wrong, "192.0.2.77", "192.0.2.5")))
    wait_until(lambda: "192.0.2.5 via 169.254.7.9 src 192.0.2.1" in routes_of(host), "the good one's")
    wait_until(lambda: {line["address"]: line["reason"] for line in links.logged("the host gets no route")} == wrong, "each reason")
    assert len(routes_of(host)) == 2
    assert "192.0.2.77 dev lan0" in host.run("ip", "route")


def test_host10_a_hostile_watcher_gets_no_link_but_to_the_projects_bridges(program, host, identity):
    links = LinksProcess(program, host, named=("shop0",))
    links.give_identity(identity)
    mine, others, named = add_bridge(host), add_bridge(host), add_bridge(host, name="shop0")
    host.run("ip", "link", "add", "docker0", "type", "bridge")
    absent, parent, no_bridge = new_id(), new_id(), new_id()
    host.run("ip", "link", "add", bridge_of(no_bridge), "type", "veth", "peer", "name", "other")
    answers = links.answers(
        mine, named, (new_id(), "x", others[2]), (parent, "x", "eth0"), (absent, "x", bridge_of(absent)),
        (no_bridge, "x", bridge_of(no_bridge)), (new_id(), "x", "shop0"), (new_id(), "x", "docker0"))
    refused = sorted((error, reason) for _, error, reason in answers.values() if error)
    assert refused == sorted([
        *[(-errno.EPERM, "the bridge has a name of its own, which ANCHORD_BRIDGES does not name")] * 2,
        (-errno.EPERM, "the parent is no bridge of the project"), (-errno.ENODEV, "there is no such bridge"),
        (-errno.ENOTSUP, "the link is no bridge"), (-errno.EPERM, "the bridge or its network was named before")])
    assert answers[mine[0]][1] == answers[named[0]][1] == 0
    assert {name for name in seen(host) if name.startswith("anc")} == {OUTER0, OUTER1, HOST0}
    wait_until(lambda: len(links.logged("refused to make a link")) == 6, "each in the log")
    links.offer((new_id(), "x", "a/b"))
    wait_until(lambda: links.logged("connection to the watcher ended", reason="bridge"), "the end of who broke a rule")
    links.ping(9)
    links.close()


def test_host10_a_network_that_is_named_with_two_bridges_has_one_link(program, host, identity):
    links = LinksProcess(program, host, named=("shop0",))
    links.give_identity(identity)
    mine, _ = add_bridge(host), add_bridge(host, name="shop0")
    links.offer(mine, (mine[0], "x", "shop0"))
    wait_until(lambda: links.logged("refused to make a link", reason="the bridge or its network was named before"),
               "the refusal")
    assert seen(host)[OUTER0]["master"] == mine[2]
    links.close()


def test_host10_the_hosts_own_namespace_is_no_identity(program, host):
    links = LinksProcess(program, host)
    network = add_bridge(host)
    links.give_identity(host)
    links.offer(network)
    wait_until(lambda: links.logged("refused an identity: it is in the host's own network namespace"), "the refusal")
    links.ping(2)
    assert not {name for name in seen(host) if name.startswith("anc")}
    links.close()


def test_host2_a_port_of_a_bridge_is_no_parent(program, host, identity):
    make_bridge(host, "nas0")
    host.run("ip", "link", "set", "eth0", "master", "nas0")
    links = LinksProcess(program, host)
    links.give_identity(identity)
    answers = links.answers()
    assert answers[""] == ("", -errno.EBUSY, "the parent is a port of a bridge: take the bridge")
    assert "ancext" not in seen(identity)
    host.run("ip", "link", "set", "eth0", "nomaster")
    wait_until(lambda: "ancext" in seen(identity), "the macvlan, once it can be")
    links.close()


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_host8_the_undo_leaves_the_host_as_it_was_and_takes_nothing_of_others(program, host, identity, is_killed):
    """Also that of a fresh process after a kill -9, and where a kill came between making a pair and naming it."""
    network = add_bridge(host)
    run_container(host, network[2])
    beside = Namespace()
    other = LinksProcess(program, host, project="shop", tag=0x0000ABCD)
    other.give_identity(beside)
    other.answers(network)
    beside.run("ip", "link", "set", "ancin0", "up")
    wait_until(lambda: seen(host)["anc0000abcdb0"]["operstate"] == "UP", "the other project's pair to run")
    host.run("ip", "link", "add", "anc0123abcdb9", "type", "veth", "peer", "name", "theirs")
    host.run("ip", "link", "set", "anc0123abcdb9", "alias", "anchord mailcow " + network[0])
    before = settled(host)
    links = LinksProcess(program, host)
    links.give_identity(identity)
    links.answers(network)
    assert settled(host) != before
    if is_killed:
        links.kill()
        links.close()
        host.run("ip", "link", "set", OUTER0, "alias", "")
        links = LinksProcess(program, host)
        links.give_identity(identity)
    assert links.stop(messages.STOP_TEAR_DOWN) == 0
    assert set(seen(identity)) == {"lo"}
    after = settled(host)
    assert not differences(before, after)
    links.close()
    other.close()
    beside.close()


def test_host8_nothing_in_the_identity_keeps_the_undo_from_what_is_the_hosts(program, host, identity, links):
    links.answers(add_bridge(host))
    with identity.entered():
        batch = "".join(f"link add anc{number}x type bridge\n" for number in range(130))
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
    assert links.stop(messages.STOP_TEAR_DOWN) == 0
    assert OUTER0 not in seen(host) and "ancext" not in seen(identity)


def test_host8_a_successor_takes_over_what_stands(program, host, identity, links):
    network = add_bridge(host)
    links.answers(network)
    before = indices(host, identity)
    told = links.heard(lambda _, told: told[0])[1]
    links.kill()
    successor = LinksProcess(program, host)
    assert successor.heard(lambda _, now: now[0])[1] == told  # the next hop in IPv6, too, before any identity
    successor.shared_links = "nothing told"  # NAT-14: that there are none would end every flow
    successor.give_identity(identity)
    successor.ping(2)
    assert successor.shared_links == "nothing told"
    assert successor.answers(network)[network[0]] == ("ancin0", 0, "")
    assert indices(host, identity) == before
    assert successor.stop(messages.STOP_KEEP_STATE) == 0
    assert indices(host, identity) == before
    successor.close()
