"""compose/example.yaml, whole and as shipped: what a stranger copies works."""

import contextlib
import json
import pathlib

import pytest

from direct import ANCHOR, CAPABILITIES, FAMILIES, Direct
from lab import podman
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, wait_until

pytestmark = pytest.mark.every_engine
EXAMPLE = CHECKOUT / "compose" / "example.yaml"
FOR_PODMAN = CHECKOUT / "compose" / "podman-transit.yaml"
# The defaults that the file's comment names.
ADDRESSES = ("10.99.0.10", "fd99::10")
EXPOSED = (("tcp", 25, "smtp"), ("tcp", 465, "smtp"), ("tcp", 587, "smtp"), ("tcp", 143, "imap"),
           ("tcp", 993, "imap"), ("tcp", 80, "web"), ("tcp", 443, "web"), ("udp", 443, "web"),
           ("tcp", 53, "dns"), ("udp", 53, "dns"))


@pytest.fixture
def routed_network(lab):
    """What the comment in podman-transit.yaml says, on Podman; the files that go with it."""
    if lab.engine.suite != "podman":
        yield ()
        return
    podman.create_routed_network(lab, "transit-mail", ("10.30.0.0/24", "fd30::/64"), ("10.30.0.2", "fd30::2"))
    yield (FOR_PODMAN,)
    lab.docker("network", "rm", "transit-mail")


@pytest.fixture
def example(routed_network, project, anchord_image):
    return project(EXAMPLE, name="mail", overrides=routed_network)


def wait_answer(client, proto, family, port, name):
    address = ADDRESSES[FAMILIES.index(family)]
    return wait_until(lambda: (answer := client.probe(proto, address, port, timeout=0.3)).startswith(f"{name} ")
                      and answer, 20, f"{name} answers on {proto}/{port} of {address}")


def test_the_example_is_one_machine_on_the_lan(lab, example, figure):
    """The main job, NAT-1, NAT-2, NAT-8, NAT-11, in the shortest form."""
    for family in FAMILIES:
        index = FAMILIES.index(family)
        for proto, port, name in EXPOSED:
            answer = wait_answer(lab.lanhost1, proto, family, port, name)
            assert answer.split()[1] == lab.lanhost1.addresses[index]
        scan = lab.lanhost2.scan_tcp(ADDRESSES[index], range(1, 10000))
        assert scan.open == {port for proto, port, _ in EXPOSED if proto == "tcp"}
        assert not scan.silent
        for origin in ("smtp", "imap", "web", "dns", ANCHOR):
            seen = example.probe(origin, "tcp", lab.outside.addresses[index], OUTSIDE_PORT)
            assert seen.split()[1] == ADDRESSES[index]
    database = example.address("database", "database")
    assert example.probe("imap", "tcp", database, 5432).startswith("database ")
    assert example.probe("database", "tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=0.5) in ("timeout", "unreachable")
    figure(f"anchor's log: {len(example.json_logs(ANCHOR))} lines")


def test_the_example_ends_cleanly(lab, example):
    """SPEC 10: down, exit 0, nothing left, and up again."""
    wait_answer(lab.lanhost1, "tcp", 4, 25, "smtp")
    anchor = example.container(ANCHOR)
    example.compose("stop", ANCHOR)
    assert lab.engine.inspect(anchor)["State"]["ExitCode"] == 0
    example.down()
    assert example.containers() == []
    assert not [network for network in lab.engine.api("GET", "/networks") if network["Name"].startswith("mail_")]
    example.up()
    wait_answer(lab.lanhost1, "tcp", 4, 25, "smtp")


def groups(pid):
    """The groups that a process is in, also those that it can only become."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return {int(word) for line in status.splitlines() if line.startswith(("Gid:", "Groups:")) for word in line.split()[1:]}


def holders_of(example, group):
    """The programs that are in a group. A health check may have ended since it was listed: then it holds nothing."""
    holders = set()
    for name, pid in Direct.programs(example):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if group in groups(pid):
                holders.add(name)
    return holders


@pytest.mark.not_on("podman", "its HostConfig shows what capabilities are left, not what was asked for")
def test_the_example_asks_for_no_more_than_it_needs(example):
    """SPEC 11, WALL-7: capabilities, read-only root, no Docker socket but in the network-anchor, held by the gate alone."""
    anchor = example.inspect(ANCHOR)["HostConfig"]
    assert anchor["CapDrop"] == ["ALL"] and anchor["ReadonlyRootfs"] and not anchor["Privileged"]
    assert {name.removeprefix("CAP_") for name in anchor["CapAdd"]} == set(CAPABILITIES)
    with_socket = [service for service in (ANCHOR, "smtp", "imap", "web", "dns", "database")
                   if "docker.sock" in json.dumps(example.inspect(service)["Mounts"])]
    assert with_socket == [ANCHOR]
    socket = pathlib.Path(f"/proc/{example.inspect(ANCHOR)['State']['Pid']}/root/var/run/docker.sock").stat().st_gid
    # Between fork and exec the gate is called as its supervisor is, and right after the start it is not there yet.
    wait_until(lambda: holders_of(example, socket) == {"anchord-gate"}, 15, "the gate alone holds the socket's group")


@pytest.mark.not_on("podman", "the transit network is made beforehand there, not from these variables")
def test_the_examples_variables_move_it_elsewhere(lab, project, anchord_image):
    """The variables that the file's comment names are all that there are, and work."""
    text = EXAMPLE.read_text(encoding="utf-8")
    environment = {"PROJECT_IPV4": "10.99.0.20", "PROJECT_IPV6": "fd99::20",
                   "TRANSIT_IPV4_SUBNET": "10.31.7.0/24", "TRANSIT_IPV4_BRIDGE": "10.31.7.1", "TRANSIT_IPV6_BRIDGE": "fd31:7::1",
                   "TRANSIT_IPV4_GATEWAY": "10.31.7.9",
                   "TRANSIT_IPV6_SUBNET": "fd31:7::/64", "TRANSIT_IPV6_GATEWAY": "fd31:7::9"}
    for name in (*environment, "ANCHORD_IMAGE", "LAN_NETWORK"):
        assert f"#   {name}=" in text and f"${{{name}:-" in text
    moved = project(EXAMPLE, name="moved", environment=environment)
    for address in (environment["PROJECT_IPV4"], environment["PROJECT_IPV6"]):
        wait_until(lambda a=address: lab.lanhost1.probe("tcp", a, 25, timeout=0.3).startswith("smtp "), 20,
                   f"smtp answers at {address}")
    assert moved.inspect("smtp")["NetworkSettings"]["Networks"]["moved_transit"]["IPAddress"].startswith("10.31.7.")
