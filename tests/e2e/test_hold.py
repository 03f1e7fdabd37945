"""Updates of a network-anchor under a holder (KEEP-1, KEEP-2, KEEP-4): nothing of what is open is lost.

One project, in which everything is done to the network-anchor that a person or a restart policy does.
"""

import contextlib

import pytest

from direct import ANCHOR, FAMILIES
from held import (HOLD, PORT, flows, identity, mail, put_under_a_holder, wait_answering, wait_successor)
from lab.dhcp import Dnsmasq
from lab.machine import CHECKOUT, run, wait_until
from lab.segment import OUTSIDE_V4
from lab.streams import assert_nothing_lost, streaming

pytestmark = [pytest.mark.every_engine, pytest.mark.not_on("podman", "no pod of its own there")]
TIMES = 2
PORTS = (*range(1, 129), 2375, 8080, 9090)
EXAMPLE_ADDRESSES = ("10.99.0.10", "fd99::10")  # its defaults


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
    return Dnsmasq(segment, (segment.v4(150), segment.v4(159)), renew=60, rebind=105).start()


def test_keep1_a_lease_and_its_flows_outlive_updates(leased, server, figure):
    """The same lease, nothing released, nothing lost, with a server that answers and with one that is silent; one that refuses
    it afterwards gives another address (ADDR-7)."""
    project = put_under_a_holder(leased(mail(), segment=server.segment)).up()
    address = project.wait_leased(server, deadline=20)
    project.wait_only(address)  # what left by Docker's address ends with it
    wait_answering(project)
    with flows(project, OUTSIDE_V4[:1], outward=("tcp",)) as found:  # the segment's server there has no UDP
        before = identity(project)
        UPDATES["force-recreate"](project)
        wait_successor(project, before)
        assert project.wait_lease_record("lease acquired", deadline=15)["address"] == address
        server.stop()
        before = identity(project)
        UPDATES["force-recreate"](project)
        wait_successor(project, before)
        wait_until(lambda: [one for one in project.lease_records("lease event") if one["reason"] == "EXPIRE"], 15,
                   "the client to give up asking for its lease")
        assert list(project.held(4)) == [address]
    longest = max(map(assert_nothing_lost, found))
    figure(f"force-recreate with a lease, once without a server: nothing lost, longest time without an answer "
           f"{longest * 1000:.0f} ms")
    assert address not in server.releases()
    server.forget_leases()
    server.pool4 = (server.segment.v4(160), server.segment.v4(169))
    server.start()
    second = project.wait_leased(server, deadline=75)
    assert second != address
    project.wait_only(second)
    project.wait_answer("tcp", PORT, "smtp")


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


def test_keep2_the_example_takes_a_new_tag_and_its_holder_stays(lab, project, anchord_image):
    """compose/example-hold.yaml as shipped: `up -d` with another ANCHORD_IMAGE, under open connections."""
    environment = {"ANCHORD_IMAGE": anchord_image}
    example = project(CHECKOUT / "compose" / "example-hold.yaml", name="mail", environment=environment)
    targets = [(protocol, address, port) for address in EXAMPLE_ADDRESSES for protocol, port in (("tcp", 25), ("udp", 53))]
    for protocol, address, port in targets:
        wait_until(lambda t=(protocol, address, port): " " in lab.lanhost1.probe(*t, timeout=0.3), 20, f"{protocol} {address}")
    before, holder = identity(example), example.container(HOLD)
    lab.docker("tag", anchord_image, "anchord:next")
    with streaming(lab.lanhost1, targets) as found:
        example.environment["ANCHORD_IMAGE"] = "anchord:next"
        example.up()
        wait_successor(example, before)
    assert_nothing_lost(found)
    assert example.container(HOLD) == holder and example.inspect(ANCHOR)["Config"]["Image"] == "anchord:next"
