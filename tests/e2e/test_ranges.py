"""Shifted ranges, and ranges that overlap (NAT-5, NAT-6): what a client gets on each single port.

One running project; the tests add containers of their own to it.
"""

import itertools
import json
import re

import pytest

from direct import ANCHOR, FAMILIES, service
from lab.machine import wait_until

OUTER, INNER = range(8000, 8011), range(9000, 9011)
# No two probes of this module come from the same port, so the service's log tells them apart.
_source_ports = itertools.count(25000)  # below the ephemeral ones, which may be taken


@pytest.fixture(scope="module")
def project(shared_direct):
    made = shared_direct({"web": service("web", tcp="80", expose="tcp/80")}).up()
    for family in FAMILIES:
        made.wait_answer("tcp", 80, "web", family=family, deadline=20)
    return made


def own_ports(project, name, clients):
    """{"ADDRESS PORT" of each client: the port that the service answered it on}, from its log."""
    def logged():
        # services.py: "NAME tcp/9000 connect ADDRESS PORT", "NAME udp/9000 datagram ADDRESS PORT LENGTH"
        text = project.lab.docker("logs", f"{project.name}-{name}").stdout
        found = {client: int(port) for port, client in re.findall(r" \w+/(\d+) (?:connect|datagram) (\S+ \d+)", text)}
        return found if clients <= found.keys() else None
    return wait_until(logged, 5, f"{len(clients)} clients in the log of {name}")


def answers(project, proto, ports, family):
    """{port: (service, its own port)} of those that answer a LAN client, {port: None} of the others."""
    said = {port: project.client.probe(proto, project.at(family), port, source_port=next(_source_ports))
            for port in ports}
    closed = {"tcp": {"refused"}, "udp": {"refused", "timeout"}}[proto]  # the kernel rations ICMP errors
    assert {answer for answer in said.values() if " " not in answer} <= closed
    said = {port: answer.split(" ", 1) for port, answer in said.items() if " " in answer}
    by_service = {name: own_ports(project, name, {client for each, client in said.values() if each == name})
                  for name in {name for name, _ in said.values()}}
    return dict.fromkeys(ports) | {port: (name, by_service[name][client]) for port, (name, client) in said.items()}


def wait_status(project, *, exposed, refused):
    """Until status shows of the second container: (first port, backend's), and (first port, last, who has them)."""
    def shown():
        status, second = json.loads(project.exec(ANCHOR, "anchord", "status", "--json").stdout), f"{project.name}-second"
        return ({(row["port_first"], row["backend_port_first"]) for row in status["exposures"]
                 if row["container"] == second},
                {(row["port_first"], row["port_last"], row["holder"].removeprefix(f"{project.name}-"))
                 for row in status["conflicts"] if row["container"] == second})
    wait_until(lambda: shown() == (exposed, refused), 5, f"status shows {exposed} and refuses {refused}")


@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_every_port_of_a_shifted_range_reaches_its_own_backend_port(project, proto):
    """NAT-5: both ends, each one between, and nothing beside them."""
    listen = f"{INNER[0] - 1}-{INNER[-1] + 1}"  # one more on either side: open inside, closed outside
    with project.extra_container("shifted", **{proto: listen}, expose=f"{proto}/8000-8010:9000-9010"):
        for family in FAMILIES:
            project.wait_answer(proto, OUTER[0], "shifted", family=family)
            expected = {outer: ("shifted", inner) for outer, inner in zip(OUTER, INNER)}
            expected |= {OUTER[0] - 1: None, OUTER[-1] + 1: None}
            assert answers(project, proto, expected, family) == expected
            scan = {"tcp": project.client.scan_tcp, "udp": project.client.scan_udp}[proto]
            assert scan(project.at(family), range(INNER[0] - 1, INNER[-1] + 2)).open == set()
    for family in FAMILIES:
        project.wait_refused(proto, OUTER[0], family=family)


def test_overlapping_ranges_are_shared_out_and_taken_over_port_by_port(project):
    """NAT-6: who has a port keeps it; the rest of the other's range works; status shows the refused part until the
    first one goes, and then who has it."""
    first = {outer: ("first", inner) for outer, inner in zip(OUTER, INNER)}
    second = {port: ("second", port + 1100) for port in range(8005, 8016)}
    with project.extra_container("first", tcp="9000-9010", expose="tcp/8000-8010:9000-9010") as name:
        project.wait_answer("tcp", 8000, "first")
        with project.extra_container("second", tcp="9105-9115", expose="tcp/8005-8015:9105-9115"):
            for family in FAMILIES:
                project.wait_answer("tcp", 8015, "second", family=family)
                expected = second | first  # where both claim a port, the first has it
                assert answers(project, "tcp", expected, family) == expected
            wait_status(project, exposed={(8011, 9111)}, refused={(8005, 8010, "first")})
            project.lab.docker("rm", "--force", name)
            for family in FAMILIES:
                project.wait_answer("tcp", 8005, "second", family=family)
                expected = dict.fromkeys(first) | second
                assert answers(project, "tcp", expected, family) == expected
            wait_status(project, exposed={(8005, 9105)}, refused=set())
