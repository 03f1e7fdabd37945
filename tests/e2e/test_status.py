"""What operators see on a real engine: status, health check and ruleset by `docker exec` (SPEC §8, §9)."""

import json

import pytest

from direct import ANCHOR, mail_services, service
from lab import topology
from lab.machine import wait_until


@pytest.fixture(scope="module")
def mail(shared_direct):
    made = shared_direct(mail_services()).ready()
    # Another one for tcp/25 comes when smtp has it: of two from the same second, the ID would decide.
    with made.extra_container("rival", tcp="25", expose="tcp/25,tcp/7400"):
        yield made


def status(mail):
    return json.loads(mail.exec(ANCHOR, "anchord", "status", "--json").stdout)


def test_nat6_status_shows_what_is_exposed_and_what_was_refused(mail):
    """Every element of the kernel's maps is an exposed port in status, with its container's real address."""
    shown = wait_until(lambda: (lambda seen: seen if seen["conflicts"] else None)(status(mail)), 10, "a conflict")
    assert (shown["ready"], shown["role"]) == (True, "network-anchor")
    conflict, = shown["conflicts"]
    assert (conflict["proto"], conflict["port_first"]) == ("tcp", 25)
    assert "rival" in conflict["container"] + conflict["holder"]
    for family, key in ((4, "address4"), (6, "address6")):
        exposed = {row["port_first"]: f"{row[key]} {row['backend_port_first']}" for row in shown["exposures"]
                   if row["proto"] == "tcp" and row[key] and row["port_first"] == row["port_last"]}
        assert exposed and exposed.items() <= mail.elements(family, "tcp").items()
    assert mail.addresses[0] in [row["address"] for row in shown["external_addresses"]]
    assert {worker["state"] for worker in shown["workers"]} == {"running"}


def external_problems(project):
    return [row["reason"] for row in status(project)["problems"] if row["reason"].startswith("external ")]


def test_addr1_an_address_that_docker_chose_is_said(mail, direct):
    """With the line that keeps it; the other project's addresses stand in its file."""
    chance = direct({"smtp": service("smtp", tcp="25", expose="tcp/25")})
    with chance.edited() as definition:
        for family in ("ipv4_address", "ipv6_address"):
            del definition["services"][ANCHOR]["networks"]["lan"][family]
    chance.up()
    reason, = wait_until(lambda: external_problems(chance), 20, "the problem")
    given = [chance.address(ANCHOR, chance.lan, family) for family in (4, 6)]
    assert reason.startswith("external address is from Docker's pool and not fixed")
    assert reason.endswith(f"networks: {{{chance.lan}: {{ipv4_address: {given[0]}, ipv6_address: {given[1]}}}}}")
    assert external_problems(mail) == []


def test_addr11_a_macvlan_network_that_names_no_router_is_said(direct):
    """As from Engine 29 on without `gateway:`; 28 is like that for an internal one: the first container gets the router's
    address, and there is no way out. Each is said with the line that mends it."""
    lan = {"name": "without-router", "driver": "macvlan", "internal": True, "driver_opts": {"parent": topology.UPLINK},
           "ipam": {"config": [{"subnet": "10.77.5.0/24"}]}}
    project = direct({"smtp": service("smtp", tcp="25", expose="tcp/25")}, proxy=False, networks={"lan": lan},
                     anchor={"networks": {"lan": {}, "transit": {}}}, environment={"ANCHORD_EXT_NETWORK": lan["name"]}).up()
    found = wait_until(lambda: (lambda seen: seen if len(seen) == 2 else None)(external_problems(project)), 20, "both problems")
    assert project.address(ANCHOR, lan["name"]) == "10.77.5.1"
    no_gateway, = (reason for reason in found if reason.startswith("external network names no gateway"))
    first_address, = (reason for reason in found if reason.startswith("external address is the subnet's first"))
    assert "ipam: {config: [{subnet: 10.77.5.0/24, gateway: ROUTER}]}" in no_gateway
    assert "networks: {without-router: {ipv4_address: ADDRESS}} with a free one of 10.77.5.0/24" in first_address
    assert project.wait_record("external address is the subnet's first")["level"] == "ERROR"


def test_health_check_of_the_image_reports_to_docker(mail):
    """HEALTHCHECK: Docker asks the control socket, and says healthy."""
    assert mail.exec(ANCHOR, "anchord", "healthcheck").stdout.strip() == "ready"
    wait_until(lambda: mail.inspect(ANCHOR)["State"]["Health"]["Status"] == "healthy", 60, "healthy")


def test_ruleset_is_printed_without_nft_in_the_image(mail):
    printed = mail.exec(ANCHOR, "anchord", "ruleset").stdout
    assert printed.startswith("table ip anchord_v4 {") and "table ip6 anchord_v6 {" in printed
    assert "# rule with handle" not in printed
