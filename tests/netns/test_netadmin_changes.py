"""What a change of the maps does to connections: to those that it concerns, and above all to the others."""

import contextlib
import os
import signal
import socket
import time

import pytest

import messages
from netadmin_lab import LAN4, LAN6, ONE4, ONE6, TWO4, TWO6, ask_again, ask_tcp, family_of, flow_to, outcome, wait_until
from newcomers import Newcomers

FAMILIES = [pytest.param(LAN4, ONE4, TWO4, id="v4"), pytest.param(LAN6, ONE6, TWO6, id="v6")]


def entry_ids(lab, protocol, port):
    """The conntrack entries of one external port, by the kernel's id."""
    listed = lab.anchor.run("conntrack", "-L", "-o", "id", "-p", protocol, "--dport", str(port), check=False)
    listed += lab.anchor.run("conntrack", "-L", "-f", "ipv6", "-o", "id", "-p", protocol, "--dport", str(port),
                             check=False)
    return {word for line in listed.splitlines() for word in line.split() if word.startswith("id=")}


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_nat4_udp_client_follows_its_port_to_the_new_backend(lab, address, one, two):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, one)
    lab.serve(lab.two, "two", "udp", 8080, two)
    parallel = messages.exposure("udp", 81, one, 8080)  # another external port on the same backend port
    netadmin.expose(messages.exposure("udp", 80, one, 8080), parallel)
    flow, name = flow_to(lab, "udp", address, 80)
    neighbour, _ = flow_to(lab, "udp", address, 81)
    untouched = entry_ids(lab, "udp", 81)
    assert name == "one" and len(untouched) == 1
    applied = netadmin.expose(messages.exposure("udp", 80, two, 8080), parallel)
    assert sum(applied.flushed.values()) == 1
    assert ask_again(flow) == "two"
    assert entry_ids(lab, "udp", 81) == untouched
    assert ask_again(neighbour) == "one"
    applied = netadmin.expose(parallel)
    assert sum(applied.flushed.values()) == 1
    with pytest.raises(ConnectionRefusedError):
        ask_again(flow)
    assert entry_ids(lab, "udp", 81) == untouched


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_nat4_tcp_connection_to_a_backend_that_went_ends_and_others_do_not(lab, address, one, two):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, one)
    lab.serve(lab.two, "two", "tcp", 8080, two)
    parallel = messages.exposure("tcp", 81, one, 8080)
    netadmin.expose(messages.exposure("tcp", 80, one, 8080), parallel)
    flow, name = flow_to(lab, "tcp", address, 80)
    neighbour, _ = flow_to(lab, "tcp", address, 81)
    assert name == "one"
    applied = netadmin.expose(messages.exposure("tcp", 80, two, 8080), parallel)
    assert sum(applied.flushed.values()) == 1
    with pytest.raises(ConnectionResetError):
        flow.send(b"?")
        flow.recv(100)
    assert outcome(lab.client, "tcp", address, 80) == "two"
    neighbour.send(b"same as before")
    assert neighbour.recv(100) == b"same as before"


def test_nat4_backend_port_change_moves_the_flow(lab):
    netadmin = lab.start()
    for port in (8080, 8081):
        lab.serve(lab.one, f"port{port}", "udp", port, ONE4)
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080))
    flow, name = flow_to(lab, "udp", LAN4, 80)
    assert name == "port8080"
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8081))
    assert ask_again(flow) == "port8081"


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_nat4_backend_with_its_predecessors_address_is_found(lab, address, one, two):
    """A recreated container: the same address, another MAC. The old one would be believed for up to 45 s."""
    netadmin = lab.start()
    for namespace, name, own in ((lab.one, "one", one), (lab.two, "two", two)):
        lab.serve(namespace, name, "tcp", 8080, own)
    other = messages.exposure("tcp", 81, two, 8080)
    netadmin.expose(messages.exposure("tcp", 80, one, 8080), other)
    assert ask_tcp(lab.client, address, 80)[0] == "one"
    netadmin.expose(other)
    for own in (one, two):
        lab.anchor.run("ip", "neigh", "replace", own, "lladdr", "02:00:00:00:00:99", "dev", "shared0", "nud", "reachable")
    netadmin.expose(messages.exposure("tcp", 80, one, 8080), other, messages.exposure("tcp", 82, two, 8080))
    assert outcome(lab.client, "tcp", address, 80, patience=10) == "one"
    assert "02:00:00:00:00:99" in lab.anchor.run("ip", "neigh", "show", two), "of a backend that is the same nothing is forgotten"


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_nat4_udp_flow_pinned_to_no_backend_is_freed_when_its_element_comes(lab, address, one, two):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, one)
    # An entry as a listener on the anchor's own port would leave it, or a table that came later than the flow.
    is_v6 = ":" in address
    for destination, port in ((address, "40000"), ("2001:db8::7" if is_v6 else "192.0.2.7", "40001")):
        lab.anchor.run("conntrack", "-I", "-p", "udp", "-s", "2001:db8:99::9" if is_v6 else "10.99.0.9", "-d", destination,
                       "--sport", port, "--dport", "80", "-t", "120", "-u", "SEEN_REPLY")
    assert len(entry_ids(lab, "udp", 80)) == 2
    applied = netadmin.expose(messages.exposure("udp", 80, one, 8080))
    assert sum(applied.flushed.values()) == 1
    assert len(entry_ids(lab, "udp", 80)) == 1  # the one to somebody else's port 80 stays
    with lab.client.socket(family_of(address), socket.SOCK_DGRAM) as flow:
        flow.bind(("", 40000))
        flow.connect((address, 80))
        assert ask_again(flow) == "one"


def test_nat4_flows_of_an_external_address_that_was_given_up_are_dropped(lab):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, ONE4)
    lab.anchor.run("ip", "address", "add", "10.99.0.51/24", "dev", "ext0")
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080))
    wait_until(lambda: "10.99.0.51" in lab.ruleset(), "the new address in the set")
    _, name = flow_to(lab, "udp", "10.99.0.51", 80)
    other, _ = flow_to(lab, "udp", LAN4, 80)
    assert name == "one" and len(entry_ids(lab, "udp", 80)) == 2
    lab.anchor.run("ip", "address", "del", "10.99.0.51/24", "dev", "ext0")
    wait_until(lambda: len(entry_ids(lab, "udp", 80)) == 1, "the given up address' flow to go")
    assert "10.99.0.51" not in lab.ruleset()
    assert ask_again(other) == "one"


def test_nat14_killed_and_adopted_without_a_gap(lab):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    lab.serve(lab.one, "one", "udp", 8080, ONE4)
    items = [messages.exposure("tcp", 80, ONE4, 8080), messages.exposure("udp", 80, ONE4, 8080),
             messages.exposure("tcp", (9000, 9999), TWO6, 19000)]
    netadmin.expose(*items)
    talk, _ = flow_to(lab, "tcp", LAN4, 80)
    ruleset = lab.ruleset()
    connections = Newcomers(lab.client, "tcp", LAN4, 80, 0.001)
    for _ in range(5):
        lab.netadmin.kill()
        assert lab.ruleset() == ruleset
        assert outcome(lab.client, "udp", LAN4, 80) == "one"
        successor = lab.start()
        # NAT-6: the new watcher learns who has which port, neighbouring ports as one range.
        assert sorted(successor.reported) == [("tcp", 80, 80, ONE4, 8080), ("tcp", 9000, 9999, TWO6, 19000),
                                              ("udp", 80, 80, ONE4, 8080)]
        assert successor.expose(*items).flushed == {"v4": 0, "v6": 0}
        assert lab.ruleset() == ruleset
    result = connections.stop()
    assert result["failures"] == [] and result["served"] > 50
    talk.send(b"still here")
    assert talk.recv(100) == b"still here"


def test_nat14_successor_drops_what_no_longer_holds(lab):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, ONE4)
    lab.serve(lab.two, "two", "udp", 8080, TWO4)
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080), messages.exposure("tcp", 25, ONE4))
    flow, name = flow_to(lab, "udp", LAN4, 80)
    netadmin.kill()
    successor = lab.start()
    applied = successor.expose(messages.exposure("udp", 80, TWO4, 8080))
    assert name == "one" and applied.flushed["v4"] == 1
    assert ask_again(flow) == "two"
    assert applied.entries["v4"] == {"tcp": 0, "udp": 1}


def test_nat14_end_of_the_supervisor_keeps_everything(lab):
    netadmin = lab.start()
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    ruleset = lab.ruleset()
    netadmin.supervisor.shutdown(socket.SHUT_RDWR)
    assert netadmin.wait() == 0
    assert lab.ruleset() == ruleset
    assert "lookup 24942" in lab.anchor.run("ip", "rule")


def test_nat14_stop_keeps_or_removes_as_it_is_told(lab):
    foreign = "table ip foreign { chain c { type filter hook input priority 5; counter; }; }\n"
    lab.nft(foreign)
    netadmin = lab.start()
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    ruleset = lab.ruleset()
    os.kill(netadmin.pid, signal.SIGTERM)  # a signal to the whole group is not for it
    netadmin.ping(7)
    assert netadmin.stop(messages.STOP_KEEP_STATE) == 0
    assert "dnat_tcp" in lab.ruleset() and "dnat_tcp" in ruleset
    successor = lab.start()
    start = time.monotonic()
    assert successor.stop(messages.STOP_TEAR_DOWN) == 0
    assert time.monotonic() - start < 1
    assert "anchord" not in lab.ruleset() and "table ip foreign" in lab.ruleset()
    assert "24942" not in lab.anchor.run("ip", "rule")
    assert successor.logged("nat teardown") == []


def test_watcher_that_goes_or_is_replaced_changes_nothing(lab):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    netadmin.watcher.send(messages.message(messages.EXPOSURES_BEGIN, generation=9))
    netadmin.watcher.close()
    netadmin.ping(1)
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    _, reported = netadmin.link()
    assert reported == [("tcp", 80, 80, ONE4, 8080)]
    netadmin.generation = 0  # a new watcher counts from 1 again
    assert netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080)).generation == 1


def test_state_is_held_until_the_topology_is_known(lab):
    netadmin = lab.start(ready=False)
    netadmin.generation = 1
    for datagram in messages.state([messages.exposure("tcp", 80, ONE4, 8080)], 1):
        netadmin.watcher.send(datagram)
    netadmin.ping(1)
    assert "anchord_v4" not in (ruleset := lab.ruleset()) and "anchord_v6" not in ruleset
    netadmin.send(lab.topology())
    assert (applied := netadmin.receive_applied()).error == 0 and applied.entries["v4"]["tcp"] == 1
    netadmin.wait_ready(messages.TABLES_INSTALLED | messages.RECONCILED)


def test_disc4_nothing_is_exposed_before_the_topology_is_final(lab):
    netadmin = lab.start(topology=lab.topology(is_final=False))
    assert netadmin.expose().error == 0  # the empty state counts: anchord is ready
    for datagram in messages.state([messages.exposure("tcp", 80, ONE4, 8080)], 2):
        netadmin.watcher.send(datagram)
    netadmin.ping(1)
    assert "80 : " not in lab.ruleset()
    netadmin.send(lab.topology())
    assert netadmin.receive_applied().generation == 2
    assert "80 counter : 172.30.0.5 . 8080" in lab.ruleset()


def test_disc4_a_provisional_network_judges_no_state(lab):
    """The first backend sits on another network than the fallback: its state may come before that topology, and is not
    refused by the fallback's subnet."""
    netadmin = lab.start(topology=lab.topology(is_final=False))
    assert netadmin.expose().error == 0
    for datagram in messages.state([messages.exposure("tcp", 80, "172.31.0.5", 8080)], 2):
        netadmin.watcher.send(datagram)
    netadmin.ping(1)
    netadmin.ping(2)
    for datagram in messages.state([], 3):
        netadmin.watcher.send(datagram)
    answer = netadmin.receive_applied()
    assert (answer.generation, answer.error) == (3, 0)
    netadmin.kill()  # the log is complete
    assert netadmin.logged("desired state refused") == []


def test_interface_that_comes_back_under_another_name_gets_its_rules(lab):
    netadmin = lab.start()
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    lab.anchor.run("ip", "link", "set", "ext0", "name", "lan7")
    lab.anchor.run("ip", "link", "set", "lan7", "up")
    wait_until(lambda: 'iifname "lan7"' in lab.ruleset() and "ext0" not in lab.ruleset(), "rules with the new name")
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    with contextlib.suppress(AssertionError):
        lab.client.run("ip", "route", "add", "172.30.0.0/15", "via", LAN4)
    wait_until(lambda: outcome(lab.client, "tcp", LAN4, 80, 1) == "one", "the port answers again")


def test_every_address_that_was_given_up_loses_its_flows(lab):
    """NAT-4: however many went while nobody looked; those beyond the sixteenth were forgotten, and their flows survived."""
    numbers = range(101, 131)
    netadmin = lab.start()
    netadmin.expose(messages.exposure("udp", 53, ONE4))
    netadmin.kill()
    addresses = [f"10.99.0.{number}" for number in numbers]
    lab.nft(f"add element ip anchord_v4 external {{ {', '.join(addresses)} }}")
    for port, address in enumerate((*addresses, LAN4), 4000):
        lab.anchor.run("conntrack", "-I", "-p", "udp", "-s", "10.99.0.9", "-d", address, "--sport", str(port), "--dport", "53",
                       "-r", ONE4, "-q", "10.99.0.9", "--reply-port-src", "53", "--reply-port-dst", str(port), "-t", "600")

    def left():
        listed = lab.anchor.run("conntrack", "-L", "-p", "udp", "--dport", "53", check=False)
        return sorted(address for address in (*addresses, LAN4) if f"dst={address} " in listed)

    assert len(left()) == len(addresses) + 1
    lab.start()
    wait_until(lambda: left() == [LAN4], "the flows of all of them to go")
