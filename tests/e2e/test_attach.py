"""An unchanged Compose project on the LAN by `anchord attach` (SPEC 13): its address, its way out, the host, and no trace."""

import json
import re

import pytest

from attached import CommandAttachment, WhoIsIt, differences, ordinary, settled_snapshot
from direct import FAMILIES, doctor_on_host
from lab import compose, topology
from lab.dhcp import Dnsmasq
from lab.machine import wait_until
from lab.segment import OUTSIDE_PORT
from leases import OUTSIDE

pytestmark = pytest.mark.not_on("podman", "attach is for Docker's engine; its cgroups and networks are others")

ADDRESSES = ("10.99.0.80", "fd99::80")
STATIC = f"{ADDRESSES[0]}/24,{ADDRESSES[1]}/64"


def by_family(test):
    return pytest.mark.parametrize("family", FAMILIES, ids=("v4", "v6"))(test)


def at(pair, family):
    return pair[FAMILIES.index(family)]


@pytest.fixture(scope="module")
def attached(request, lab, anchord_image):
    """An ordinary project that was attached while it ran; (it, its attachment, the port published, the host before). What the
    command said stays with the attachment."""
    del anchord_image
    definition, port = ordinary(lab)
    project = compose.Project(lab, definition, name=compose.unique_name("shop"))
    attachment = CommandAttachment(lab, project, STATIC)
    with compose.discarded_afterwards(request, project, attachment):
        project.up()
        before = settled_snapshot(lab, project)
        attachment.said = attachment.attach()
        for address in ADDRESSES:
            wait_until(lambda: lab.host("lanhost1").probe("tcp", address, port, timeout=1).startswith("web "), 10, "the first answer")
        yield project, attachment, port, before


@pytest.mark.every_engine
@by_family
def test_host3_clients_reach_published_ports_at_the_projects_address(lab, attached, family):
    """HOST-3, NAT-2: with the source that they have."""
    client = lab.host("lanhost1")
    assert client.probe("tcp", at(ADDRESSES, family), attached[2]).startswith(f"web {at(client.addresses, family)} ")
    assert client.probe("udp", at(ADDRESSES, family), 8443).startswith(f"web {at(client.addresses, family)} ")


@by_family
def test_nat11_other_ports_are_closed(lab, attached, family):
    """NAT-11: as a server's are; the database publishes nothing, and 8080 is a port inside."""
    del attached
    for port in (5432, 8080, 9090):
        assert lab.host("lanhost1").probe("tcp", at(ADDRESSES, family), port) == "refused"


@pytest.mark.every_engine
@by_family
@pytest.mark.parametrize("service", ("web", "database"))
def test_host4_every_container_leaves_with_the_projects_address(lab, attached, service, family):
    """HOST-4, NAT-8."""
    assert attached[0].probe(service, "tcp", at(topology.OUTSIDE, family), 80).split()[1] == at(ADDRESSES, family)


@pytest.mark.every_engine
@pytest.mark.parametrize("client", ("lanhost1", "outside"))
def test_host5_published_ports_go_on_at_the_hosts_address(lab, attached, client):
    """HOST-5: beside the project's address, for clients that are not on link, too."""
    box = lab.host(client)
    assert box.probe("tcp", topology.ENGINE[0], attached[2]).startswith(f"web {box.ipv4} ")
    assert box.probe("udp", topology.ENGINE[0], 8443).startswith(f"web {box.ipv4} ")


@pytest.mark.every_engine
@by_family
def test_host7_host_and_project_reach_each_other(lab, attached, family):
    """HOST-7: host to project with the host's address, project to host with the project's."""
    host, project = lab.host("engine"), attached[0]
    assert host.probe("tcp", at(ADDRESSES, family), attached[2]).startswith(f"web {at(topology.ENGINE, family)} ")
    with lab.host("engine"):
        server = WhoIsIt(family)
    try:
        for service in ("web", "database"):
            assert project.probe(service, "tcp", at(topology.ENGINE, family), server.port) == at(ADDRESSES, family)
    finally:
        server.close()


def test_host1_status_tells_of_each_port_and_of_no_problem(attached):
    """HOST-1, HOST-3: the address, each port with its container; nothing is wrong here, the host's own address on the LAN
    least of all."""
    _, attachment, port, _ = attached
    status = wait_until(lambda: (told := attachment.status())["exposures"] and told, 10, "what is exposed")
    assert {(each["proto"], each["port_first"], each["backend_port_first"]) for each in status["exposures"]} == {
        ("tcp", port, 8080), ("udp", 8443, 8443)}
    assert {each["address"] for each in status["external_addresses"]} == set(ADDRESSES)
    assert status["problems"] == []
    network, = status["shared_links"]
    assert network == {"network": f"{attached[0].name}_default", "interface": "ancin0", "state": "made", "reason": None}


@by_family
def test_nat9_the_project_reaches_itself_at_its_address(attached, family):
    """NAT-9: hairpin."""
    assert attached[0].probe("database", "tcp", at(ADDRESSES, family), attached[2]).startswith("web ")


@pytest.mark.every_engine
def test_host1_one_command_does_it_and_says_what_answers(attached):
    """HOST-1: what it looked at, each step, the address, each port with its container; list shows it; a second one is refused."""
    project, attachment, port, _ = attached
    lines = attachment.said.splitlines()
    steps = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert steps[:6] == ["looked", "written", "starting", "links", "address", "ready"]
    assert f"address   {', '.join(ADDRESSES)}" in lines and f"{project.name} is on the LAN at {', '.join(ADDRESSES)}:" in lines
    found = lines[lines.index(f"{project.name} is on the LAN at {', '.join(ADDRESSES)}:") + 1:]
    assert sorted(line.split()[0] for line in found[:2]) == [f"tcp/{port}", "udp/8443"]
    assert all(line.split()[1] == f"{project.name}-web-1," for line in found[:2])
    assert "Not done:" not in lines
    listed = {entry["project"]: entry for entry in json.loads(attachment.command("list", "--json").stdout)}
    assert listed[project.name] == {"project": project.name, "state": "attached", "parent": topology.UPLINK, "address": STATIC,
                                    "addresses": ", ".join(ADDRESSES), "reason": ""}
    again = attachment.command("attach", project.name, *attachment.options)
    assert again.returncode == 1 and f"anchord attach: {project.name}: is attached already" in again.stderr


@pytest.mark.every_engine
def test_see2_doctor_finds_nothing_wrong(lab, attached):
    """SEE-2: of an attached project doctor on the host proves the path, too; no FAIL and no WARN."""
    project, *_ = attached
    result = doctor_on_host(lab, "--anchor", project.name)
    assert result.returncode == 0 and not result.stderr, result
    results = json.loads(result.stdout)["results"]
    assert not [(one["check"], one["code"], one["sentence"]) for one in results if one["verdict"] in ("WARN", "FAIL")]
    assert {"tables", "path"} <= {one["check"] for one in results if one["verdict"] == "OK"}
    assert [one for one in results if one["check"] == "tables" and re.search(r"with all \d+ rules and", one["sentence"])], results


def test_see2_doctor_finds_that_an_attached_project_does_not_forward_ipv6(lab, attached):
    """SEE-2: though no address of the family is on its inner links."""
    project, attachment, *_ = attached
    identity = attachment.namespace("identity")

    def forwarding():
        results = json.loads(doctor_on_host(lab, "--anchor", project.name, "forwarding").stdout)["results"]
        return [(one["verdict"], one["code"]) for one in results]

    assert forwarding() == [("OK", None)]
    identity.set_sysctl("net.ipv6.conf.all.forwarding", 0)
    found = forwarding()
    identity.set_sysctl("net.ipv6.conf.all.forwarding", 1)
    assert found == [("FAIL", "ANC0304")]


@pytest.mark.every_engine
def test_see3_explain_knows_the_ways_of_an_attached_project(lab, attached):
    """SEE-3: in through a published port, out as the project, and a port that nobody publishes."""
    project, attachment, port = attached[:3]

    def explain(*words):
        found = lab.docker("exec", attachment.container("identity"), "anchord", "explain", *words, check=False)
        return found.returncode, found.stdout

    client = topology.LAN_HOSTS["lanhost1"][0]
    status, said = explain("in", f"tcp/{port}", "from", client)
    assert status == 0 and "reaches" in said, said
    status, said = explain("in", "tcp/9", "from", client)
    assert status == 1 and "ANC0901" in said, said
    status, said = explain("out", f"{project.name}-web-1", "to", f"{topology.OUTSIDE[0]}:80")
    assert status == 0 and ADDRESSES[0] in said, said


@pytest.mark.every_engine
def test_host8_detach_leaves_no_trace(lab, attached):
    """HOST-8; the last one here: the attachment has gone afterwards."""
    project, attachment, _, before = attached
    found = attachment.command("detach", project.name)
    assert found.returncode == 0 and found.stderr == "" and not attachment.written().exists(), found
    assert found.stdout.splitlines()[-1] == f"detached  {project.name}: nothing of it is left on this host"
    assert differences(before, settled_snapshot(lab, project)) == {}
    client = lab.host("lanhost1")
    wait_until(lambda: client.probe("tcp", topology.ENGINE[0], attached[2]).startswith("web "), 10, "the published port")
    assert client.probe("tcp", ADDRESSES[0], attached[2], timeout=1) in ("timeout", "unreachable")
    assert project.probe("web", "tcp", topology.OUTSIDE[0], 80).split()[1] == topology.ENGINE[0]


@pytest.fixture
def segment(segments):
    return segments()


def test_host12_a_dhcp_server_gives_the_address(request, lab, anchord_image, segment):
    """HOST-2, HOST-12: by an identifier of project and machine; a client is answered there, and it leaves with that."""
    del anchord_image
    definition, port = ordinary(lab)
    definition["services"]["web"]["ports"].pop()  # the other project has it
    project = compose.Project(lab, definition, name=compose.unique_name("leased"))
    attachment = CommandAttachment(lab, project, "dhcp", gateways=None, parent=segment.parent)
    with compose.discarded_afterwards(request, project, attachment), Dnsmasq(segment, (segment.v4(100), segment.v4(150))):
        project.up()
        before = settled_snapshot(lab, project)
        said = attachment.attach()
        address = next(found for found in attachment.addresses() if "." in found)
        assert f"{project.name} is on the LAN at {address}:" in said.splitlines()
        wait_until(lambda: segment.client.probe("tcp", address, port, timeout=1).startswith(f"web {segment.client.ipv4} "), 10,
                   "an answer at the leased address")
        assert project.probe("database", "tcp", OUTSIDE[4][0], OUTSIDE_PORT).split()[1] == address
        kill_and_detach(lab, attachment, project)
        assert differences(before, settled_snapshot(lab, project)) == {}


def kill_and_detach(lab, attachment, project):
    """HOST-1, HOST-8: both halves killed at once, and no file, as of one that was attached by an .env."""
    attachment.written().unlink()
    for service in ("host", "identity"):
        lab.engine.api("POST", f"/containers/{attachment.container(service)}/kill?signal=KILL")
    found = attachment.command("detach", project.name)
    assert found.returncode == 0 and found.stderr == "", found
    assert found.stdout.splitlines() == ["starting  both halves once more, which find and undo what they have left", "stopped   both halves",
                                         f"detached  {project.name}: nothing of it is left on this host"]
