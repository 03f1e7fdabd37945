"""anchord-watcher: what about the external network, or the anchor's address on it, costs connections (ADDR-1, ADDR-11).

Each is said in the log, and under Problems of status, with the line that mends it.
"""

import os

import pytest

import fake_docker
import messages
import watcher_lab
from fake_docker import DMZ_ID, EXTERNAL_MAC, SHARED_MAC, TRANSIT_ID, endpoint

NO_GATEWAY, FIRST_ADDRESS = "external network names no gateway", "external address is the subnet's first"
POOL_ADDRESS = "external address is from Docker's pool and not fixed"
ALL = (NO_GATEWAY, FIRST_ADDRESS, POOL_ADDRESS)
LEVELS = {NO_GATEWAY: "WARN", FIRST_ADDRESS: "ERROR", POOL_ADDRESS: "WARN"}
FIXED = {"IPAMConfig": {"IPv4Address": "192.0.2.10"}}
FROM_POOL = {"IPAMConfig": None}
GATEWAY = "ipam: {config: [{subnet: 192.0.2.0/24, gateway: ROUTER}]}"
DHCP, SLAAC = messages.MODE_DHCP_REFRESH, messages.MODE_SLAAC_RA_ONLY


@pytest.fixture
def lab(build):
    watcher = watcher_lab.WatcherLab(build, f"anchord-external-{os.getpid()}")
    yield watcher
    watcher.close()


@pytest.fixture
def docker(lab):
    docker = lab.start_docker()
    docker.put(fake_docker.container(1, "tcp/25"))
    return docker


def attach(docker, address="192.0.2.10", address6="", chosen=FIXED):
    docker.put(fake_docker.own_container(dmz=endpoint(DMZ_ID, address, EXTERNAL_MAC, address6) | chosen,
                                         transit=endpoint(TRANSIT_ID, "172.30.0.2", SHARED_MAC)))


def without_gateway(docker):
    """As Engine 29 has it: no default route, and the first container gets the first address."""
    docker.networks[DMZ_ID]["IPAM"]["Config"][0].pop("Gateway")
    docker.versions = {"Version": "29.0.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}


def check(lab, remedies, **configuration):
    """Log and status say these, and nothing else of the external network."""
    watcher = lab.start(**configuration)
    watcher.link_control()
    found = watcher_lab.of_external(watcher.findings(lambda kinds: watcher_lab.FINDING_EXPOSED in kinds))
    assert [name for name, _ in found] == ["mail-anchord-1"] * len(remedies)
    for (message, remedy), (_, reason) in zip(remedies.items(), found, strict=True):
        assert reason.startswith(message) and remedy in reason
        line = watcher.log(message)
        assert (line["level"], line["network"]) == (LEVELS[message], "dmz")
        assert remedy in line["compose"]
    for message in ALL:
        assert len(watcher.logged(message)) == (1 if message in remedies else 0)


def test_an_address_that_was_chosen_and_a_gateway_are_no_problem(lab, docker):
    attach(docker)
    check(lab, {})


def test_addr11_a_network_without_a_gateway(lab, docker):
    attach(docker)
    without_gateway(docker)
    check(lab, {NO_GATEWAY: GATEWAY})


@pytest.mark.parametrize("more", [{"gateway4": "192.0.2.1"}, {"address_mode": DHCP}], ids=["pinned", "lease"])
def test_addr11_the_gateway_may_come_from_elsewhere(lab, docker, more):
    attach(docker)
    without_gateway(docker)
    check(lab, {}, **more)


def test_addr11_the_first_container_has_the_routers_address(lab, docker):
    attach(docker, "192.0.2.1", chosen=FROM_POOL)
    without_gateway(docker)
    check(lab, {NO_GATEWAY: GATEWAY, FIRST_ADDRESS: "networks: {dmz: {ipv4_address: ADDRESS}} with a free one of 192.0.2.0/24"})


def test_addr11_the_routers_address_is_named_although_it_is_the_pinned_gateway(lab, docker):
    attach(docker, "192.0.2.1", chosen=FROM_POOL)
    without_gateway(docker)
    check(lab, {FIRST_ADDRESS: "ipv4_address: ADDRESS"}, gateway4="192.0.2.1")


@pytest.mark.parametrize("address6, remedy", [
    ("", "networks: {dmz: {ipv4_address: 192.0.2.10}}"),
    ("fd99::10", "networks: {dmz: {ipv4_address: 192.0.2.10, ipv6_address: fd99::10}}")], ids=["v4", "both"])
def test_addr1_an_address_of_dockers_pool(lab, docker, address6, remedy):
    attach(docker, address6=address6, chosen=FROM_POOL)
    check(lab, {POOL_ADDRESS: remedy})


def test_addr1_each_family_is_fixed_by_itself(lab, docker):
    attach(docker, address6="fd99::10")
    check(lab, {POOL_ADDRESS: "networks: {dmz: {ipv6_address: fd99::10}}"})


@pytest.mark.parametrize("mode, chosen", [(DHCP, FROM_POOL), (SLAAC, FIXED)], ids=["lease", "advertisement"])
def test_addr1_an_address_that_others_give_out_is_theirs_to_keep(lab, docker, mode, chosen):
    attach(docker, address6="fd99::10", chosen=chosen)
    check(lab, {}, address_mode=mode)


def test_addr1_podman_does_not_tell_what_was_chosen(lab, docker):
    attach(docker, chosen=FROM_POOL)
    docker.versions["Components"] = [{"Name": "Podman Engine", "Version": "5.8.6"}]
    check(lab, {})
