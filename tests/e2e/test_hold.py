"""Updates of a network-anchor under a holder (KEEP-1, KEEP-2, KEEP-4): nothing of what is open is lost.

One project, in which everything is done to the network-anchor that a person or a restart policy does.
"""

import contextlib
import json
import time

import pytest

from direct import ANCHOR, FAMILIES
from held import (HOLD, PORT, flows, identity, mail, put_under_a_holder, wait_answering, wait_successor)
from lab.dhcp import Dnsmasq
from lab.machine import CHECKOUT, run, wait_until
from lab.segment import OUTSIDE_V4, OUTSIDE_V6
from lab.streams import assert_nothing_lost, streaming

pytestmark = [pytest.mark.every_engine, pytest.mark.not_on("podman", "no pod of its own there")]
TIMES = 2
PORTS = (*range(1, 129), 2375, 8080, 9090)
EXAMPLE_TARGETS = [(protocol, address, port) for address in ("10.99.0.10", "fd99::10")  # its defaults
                   for protocol, port in (("tcp", 25), ("udp", 53))]


@pytest.fixture(scope="module")
def held(shared_direct):
    return wait_answering(put_under_a_holder(shared_direct(mail())).up())


def kill_the_container(project):
    run(["kill", "-KILL", str(project.inspect(ANCHOR)["State"]["Pid"])])


UPDATES = {
    "force-recreate": lambda project: project.up("--force-recreate", "--no-deps", ANCHOR),
    "docker restart": lambda project: project.lab.docker("restart", project.container(ANCHOR)),
    "docker kill": lambda project: (project.compose("kill", ANCHOR), project.compose("start", ANCHOR)),
    "kill -9 of the container": kill_the_container,
}


@pytest.mark.parametrize("update", UPDATES)
def test_keep2_an_update_loses_nothing(lab, held, figure, update):
    """TCP with a byte each 10 ms, UDP at 100/s; inbound, egress, hairpin; IPv4 and IPv6. What it costs is printed (KEEP-3)."""
    holder = held.container(HOLD)
    with flows(held, lab.outside.addresses) as found:
        for _ in range(TIMES):
            before = identity(held)
            UPDATES[update](held)
            wait_successor(held, before)
    longest = max(map(assert_nothing_lost, found))
    figure(f"{update}, {TIMES} times: nothing lost of {sum(entry['sent'] for one in found for entry in one.values())}, "
           f"longest time without an answer {longest * 1000:.0f} ms")
    assert held.container(HOLD) == holder


@pytest.fixture(scope="module")
def server(segments):
    segment = segments()
    return Dnsmasq(segment, (segment.v4(150), segment.v4(159)), (segment.docker_v6("1:100"), segment.docker_v6("1:1ff")), renew=60,
                   rebind=105).start()


def test_keep1_leases_and_their_flows_outlive_updates(leased, server, figure):
    """The same leases, DHCPv4 by INIT-REBOOT and DHCPv6 by CONFIRM, nothing released, nothing lost, with a server that answers and
    with one that is silent; one that refuses afterwards gives another address (ADDR-7)."""
    project = put_under_a_holder(leased(mail(), segment=server.segment)).up()
    address, address6 = (project.wait_leased(server, family, deadline=20) for family in FAMILIES)
    project.wait_only(address)  # what left by Docker's address ends with it
    wait_answering(project)
    with flows(project, (OUTSIDE_V4[0], OUTSIDE_V6[0]), outward=("tcp",)) as found:  # the segment's server there has no UDP
        before = identity(project)
        UPDATES["force-recreate"](project)
        wait_successor(project, before)
        for family, one in zip(FAMILIES, (address, address6)):
            assert project.wait_lease_record("lease acquired", family, deadline=15)["address"] == one
        assert server.count("DHCPCONFIRM") == 1 and server.count("DHCPSOLICIT") == 1
        server.stop()
        before = identity(project)
        UPDATES["force-recreate"](project)
        wait_successor(project, before)
        wait_until(lambda: [one for one in project.lease_records("lease event") if one["reason"] == "TIMEOUT"], 15,
                   "the client to go on without an answer")
        assert list(project.held(4)) == [address] and address6 in project.held(6)
    assert server.releases() == []
    longest = max(map(assert_nothing_lost, found))
    figure(f"force-recreate with leases, once without a server: nothing lost, longest time without an answer "
           f"{longest * 1000:.0f} ms")
    server.forget_leases()
    server.pool4 = (server.segment.v4(160), server.segment.v4(169))
    server.start()
    second = project.wait_leased(server, deadline=75)
    assert second != address
    project.wait_only(second)
    project.wait_answer("tcp", PORT, "smtp")


def test_keep2_a_joined_containers_forwarding_sysctl_reaches_the_lan(held, anchord_image):
    """Why it stands on `hold`: the engine takes it on who has joined, and sets it at that one's start again, which makes each
    interface a router's, whatever was set there. The holder's restart below brings the right setting back."""
    holder = held.namespace(HOLD)
    links = json.loads(holder.run(["ip", "-j", "address"]).stdout)
    link, = [one["ifname"] for one in links if held.at(4) in [address["local"] for address in one["addr_info"]]]
    setting = f"net.ipv6.conf.{link}.forwarding"
    holder.set_sysctl(setting, 0)  # Engine 20.10 has no way to say it
    held.lab.docker("run", "--rm", "--network", f"container:{held.container(HOLD)}", anchord_image, "version")
    assert holder.sysctl(setting) == "0"
    held.lab.docker("run", "--rm", "--network", f"container:{held.container(HOLD)}", "--sysctl", "net.ipv6.conf.all.forwarding=1",
                    anchord_image, "version")
    assert holder.sysctl(setting) == "1"
    holder.set_sysctl(setting, 0)


def test_keep4_a_restarted_holder_ends_the_network_anchor_which_joins_the_new_namespace(held):
    """SA-6: exit 75, and the restart policy does the rest; connections end, since the namespace is another one."""
    before = identity(held)
    held.lab.docker("restart", held.container(HOLD))
    held.wait_record("the network namespace was lost, its holder has another one now", deadline=20)
    wait_successor(held, before)
    wait_answering(held)


def test_keep4_a_recreated_holder_is_said_and_brought_back_by_up(held):
    """Docker keeps the old one's ID with the network-anchor, whose namespace is gone: `up -d` makes it anew."""
    held.compose("up", "--detach", "--force-recreate", "--no-deps", HOLD)
    held.up()
    wait_answering(held)


def test_keep2_without_a_network_anchor_a_held_namespace_answers_nothing(lab, direct, figure):
    """Before the first start and after `remove`, to a LAN host that has routes to the inside (WALL-3, NAT-14); with `remove`
    connections end, which is what the other tests would see if something was lost."""
    project = put_under_a_holder(direct(mail(), environment={"ANCHORD_ON_STOP": "remove"}))
    project.up(HOLD, "smtp")
    inner = [project.inner("smtp", family) for family in FAMILIES]
    targets = [*project.addresses, *inner]
    with contextlib.ExitStack() as stack:
        for subnet, address in zip(project.transit, project.addresses):
            lab.lanhost2.add_route(subnet, address)
            stack.callback(lab.lanhost2.delete_route, subnet)
        def scan():
            found = {address: lab.lanhost2.scan_tcp(address, PORTS, timeout=0.5) for address in targets}
            return {address: (one.open | one.refused) for address, one in found.items() if one.open | one.refused}
        assert scan() == {}
        project.up()
        wait_answering(project)
        assert set(scan()) >= set(project.addresses)  # it was the way there
        with lab.lanhost1.connect(project.at(4), PORT) as connection:
            project.compose("stop", ANCHOR)
            connection.socket.settimeout(0.5)
            assert not connection.alive()
        assert scan() == {}
        tables = project.namespace(HOLD).run(["nft", "list", "tables"]).stdout.splitlines()
        assert [line for line in tables if "anchord" in line] == ["table ip anchord_skeleton", "table ip6 anchord_skeleton"]


@pytest.fixture
def example(lab, project, anchord_image):
    """compose/example-hold.yaml as shipped, when it answers."""
    return wait_example(lab, project(CHECKOUT / "compose" / "example-hold.yaml", name="mail",
                                     environment={"ANCHORD_IMAGE": anchord_image}))


def wait_example(lab, example):
    for target in EXAMPLE_TARGETS:
        wait_until(lambda t=target: " " in lab.lanhost1.probe(*t, timeout=0.3), 30, f"an answer of {target}")
    return example


def test_keep2_the_example_takes_a_new_tag_and_its_holder_stays(lab, example, anchord_image):
    """`up -d` with another ANCHORD_IMAGE, under open connections."""
    before, holder = identity(example), example.container(HOLD)
    lab.docker("tag", anchord_image, "anchord:next")
    with streaming(lab.lanhost1, EXAMPLE_TARGETS) as found:
        example.environment["ANCHORD_IMAGE"] = "anchord:next"
        example.up()
        wait_successor(example, before)
    assert_nothing_lost(found)
    assert example.container(HOLD) == holder and example.inspect(ANCHOR)["Config"]["Image"] == "anchord:next"


def test_keep4_the_example_is_ready_after_a_reboot(lab, example, figure):
    """Every process is killed and the engine started again: by the starter, if Docker left the network-anchor `Exited`, which
    tests/bench/run reboot sees more of."""
    before = identity(example)
    lab.reboot()
    start = time.monotonic()
    wait_successor(example, before)
    wait_example(lab, example)
    figure(f"ready and answering after {time.monotonic() - start:.1f} s")
