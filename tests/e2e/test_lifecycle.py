"""Stop, kill and start of the anchor and of the whole project (NAT-14, SPEC 10, GW-1).

Each test has a project of its own: all of them end it.
"""

import json
import os
import time

import pytest

from direct import ANCHOR, FAMILIES, mail_services, service
from lab import topology
from lab.instance import OUTSIDE_PORT
from lab.machine import run, wait_until

STOP_SECONDS = 2  # SPEC 10
pytestmark = pytest.mark.every_engine


def smtp_only():
    return {"smtp": service("smtp", tcp="25", expose="tcp/25")}


def up_and_answering(project):
    project.up()
    for family in FAMILIES:
        project.wait_answer("tcp", 25, "smtp", family=family, deadline=20)
    return project


class Engine:
    """What the engine's namespace holds: links, rules, networks, containers."""

    def __init__(self, lab):
        self.links = {link["ifname"] for link in json.loads(lab.host("engine").run(["ip", "-j", "link"]).stdout)}
        self.ruleset = lab.host("engine").run(["nft", "--stateless", "list", "ruleset"]).stdout
        self.networks = {network["Name"] for network in lab.engine.api("GET", "/networks")}
        self.containers = {container["Id"] for container in lab.engine.api("GET", "/containers/json?all=true")}


@pytest.mark.not_on("podman", "the transit network is not Compose's own there")
def test_compose_down_is_clean_and_leaves_nothing(lab, direct, figure):
    """SPEC 10: the anchor exits 0 in less than 2 s; the engine is as it was before."""
    before = Engine(lab)
    mail = direct(mail_services()).ready()
    anchor = mail.container("network-anchor")
    start = time.monotonic()
    mail.compose("stop", ANCHOR)
    figure(f"docker compose stop of the anchor {time.monotonic() - start:.2f} s")
    state = lab.engine.inspect(anchor)["State"]
    assert (state["ExitCode"], state["OOMKilled"], state["Error"]) == (0, False, "")
    assert mail.records("signal received, shutting down")
    assert not mail.records("nat teardown")
    mail.compose("start", ANCHOR)
    mail.wait_answer("tcp", 25, "smtp")
    processes = mail.wait_processes()
    start = time.monotonic()
    mail.down()
    figure(f"docker compose down of {len(mail_services()) + 2} containers {time.monotonic() - start:.2f} s")
    after = Engine(lab)
    for what in ("links", "networks", "containers"):
        assert getattr(after, what) == getattr(before, what), what
    assert not [name for name, pid in processes.items() if os.path.exists(f"/proc/{pid}")]
    assert after.ruleset == before.ruleset


def test_a_stop_takes_less_than_two_seconds_and_exits_0(lab, direct, figure):
    """SPEC 10, NAT-14: tables, rules and routes are gone; asked through a descriptor of the namespace, in which only
    what keeps it closed stays until Docker has removed it (WALL-3)."""
    project = up_and_answering(direct(smtp_only(), anchor={"restart": "no"}))
    anchor = project.container(ANCHOR)
    with open(project.anchor.path, "rb") as namespace_file:
        namespace = topology.Host(f"/proc/{os.getpid()}/fd/{namespace_file.fileno()}")
        assert "anchord_v4" in namespace.run(["nft", "list", "tables"]).stdout
        start = time.monotonic()
        project.signal(ANCHOR, "TERM")
        wait_until(lambda: not lab.engine.inspect(anchor)["State"]["Running"], 5, "the anchor's end")
        elapsed = time.monotonic() - start
        ours = [line for line in namespace.run(["nft", "list", "tables"]).stdout.splitlines() if "anchord" in line]
        assert ours == ["table ip anchord_skeleton", "table ip6 anchord_skeleton"]
        for family in FAMILIES:
            assert "24942" not in namespace.run(["ip", f"-{family}", "rule"]).stdout
            assert namespace.run(["ip", f"-{family}", "route", "show", "table", "24942"], check=False).stdout == ""
    figure(f"SIGTERM to the container's end {elapsed:.2f} s")
    assert elapsed < STOP_SECONDS
    assert lab.engine.inspect(anchor)["State"]["ExitCode"] == 0


@pytest.mark.parametrize("signals", (["INT"], ["TERM", "TERM"]))
def test_other_ways_to_ask_for_the_end_exit_0(lab, direct, signals):
    """SPEC 10: SIGINT; a second signal ends it at once."""
    project = up_and_answering(direct(smtp_only(), anchor={"restart": "no"}))
    anchor = project.container(ANCHOR)
    for name in signals:
        project.lab.docker("kill", "--signal", name, anchor, check=False)  # may be gone at the second
    wait_until(lambda: not lab.engine.inspect(anchor)["State"]["Running"], STOP_SECONDS, "the anchor's end")
    assert lab.engine.inspect(anchor)["State"]["ExitCode"] == 0


def test_a_stop_closes_what_was_open_and_a_start_opens_it_again(lab, direct):
    """NAT-14, GW-1: no answer without the anchor; back as it was after a start."""
    project = up_and_answering(direct(smtp_only()))
    with lab.lanhost1.connect(project.at(4), 25) as connection:
        project.compose("stop", ANCHOR)
        assert lab.lanhost1.probe("tcp", project.at(4), 25, timeout=0.5) in ("timeout", "unreachable")
        connection.socket.settimeout(0.5)
        assert not connection.alive()
    project.compose("start", ANCHOR)
    for family in FAMILIES:
        project.wait_answer("tcp", 25, "smtp", family=family)


def test_docker_kill_and_start_again(lab, direct):
    """NAT-14: a container that got no chance to clean up starts like any other."""
    project = up_and_answering(direct(smtp_only()))
    project.compose("kill", ANCHOR)
    assert project.inspect(ANCHOR)["State"]["ExitCode"] == 137
    project.compose("start", ANCHOR)
    for family in FAMILIES:
        project.wait_answer("tcp", 25, "smtp", family=family)


def test_the_death_of_pid_1_takes_the_container_and_docker_restarts_it(lab, direct, figure):
    """NAT-14: PID 1's end is the namespace's end; the restart policy makes a new one."""
    project = up_and_answering(direct(smtp_only()))
    before = project.inspect(ANCHOR)
    start = time.monotonic()
    run(["kill", "-KILL", str(before["State"]["Pid"])])
    wait_until(lambda: project.inspect(ANCHOR)["State"]["Pid"] not in (0, before["State"]["Pid"]), 10,
               "Docker's restart")
    for family in FAMILIES:
        project.wait_answer("tcp", 25, "smtp", family=family)
    figure(f"kill of PID 1 to answers in both families {time.monotonic() - start:.2f} s")
    assert project.inspect(ANCHOR)["RestartCount"] == before["RestartCount"] + 1


def test_the_gateway_addresses_are_claimed_and_come_back(lab, direct):
    """GW-1: on transit with the subnet's prefix length, at once usable; kept when somebody removes them."""
    project = up_and_answering(direct(smtp_only()))
    anchor = project.anchor
    for gateway, length in zip(project.gateways, (24, 64)):
        listing = json.loads(anchor.run(["ip", "-j", "address"]).stdout)
        holders = [(link["ifname"], entry) for link in listing for entry in link["addr_info"]
                   if entry["local"] == gateway]
        (interface, entry), = holders
        assert entry["prefixlen"] == length and not entry.get("tentative")
        mac = anchor.link_address(interface)
        assert project.namespace("smtp").ping(gateway) == gateway
        assert topology.Host(project.namespace("smtp").path, interface="eth0").neighbour(gateway) == mac
        anchor.run(["ip", "address", "del", f"{gateway}/{length}", "dev", interface])
        wait_until(lambda g=gateway: f" {g}/" in anchor.run(["ip", "address"]).stdout, 1, f"{gateway} is back")
    assert project.probe("smtp", "tcp", lab.outside.ipv4, OUTSIDE_PORT).startswith("outside ")


def test_gateways_are_left_alone_when_told_so(lab, direct):
    """GW-1: ANCHORD_CLAIM_GATEWAY=off."""
    project = direct(smtp_only(), environment={"ANCHORD_CLAIM_GATEWAY": "off"}).up()
    wait_until(lambda: project.elements(4, "tcp") == {25: f"{project.inner('smtp')} 25"}, 10, "the map element")
    addresses = project.anchor.run(["ip", "address"]).stdout
    assert not any(f" {gateway}/" in addresses for gateway in project.gateways)
