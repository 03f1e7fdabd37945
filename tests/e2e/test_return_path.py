"""DISC-8: a backend whose replies do not come back through the anchor is named with a remedy that works.

Each case really breaks the replies: the client's attempt times out. Then the remedy is applied, the client is answered,
and the anchor says that the finding has ended.
"""

import json
import time

import pytest

from direct import ANCHOR, FAMILIES, IMAGE, service
from lab.machine import wait_until
from service_anchors import CAPABILITIES

SECOND = {"enable_ipv6": True, "ipam": {"config": [{"subnet": "10.28.0.0/24"}, {"subnet": "fd28::/64"}]}}
ENDED = "ended: the way back of a container"
HEALTHCHECK = {"test": ["CMD", "anchord", "healthcheck"], "interval": "1s", "timeout": "3s", "retries": 1}


def web(**more):
    return {"web": service("web", tcp="80", expose="tcp/80") | more}


def on_transit_and_second(**on_transit):
    """Docker calls the second network …_aaa, which comes before …_transit."""
    return web(networks={"transit": on_transit, "aaa": {}})


def change(project, edit):
    """Edits the project's file and brings it up again."""
    definition = json.loads(project.file.read_text())
    edit(definition)
    project.file.write_text(json.dumps(definition))
    project.up()


def answers(project, family=4):
    return project.lab.lanhost1.probe("tcp", project.at(family), 80, timeout=1).startswith("web ")


def wait_mapped(project):
    for family in FAMILIES:
        wait_until(lambda family=family: 80 in (project.elements(family, "tcp") or {}), 20, "tcp/80 in the map")


def wait_silent(project, families=FAMILIES):
    """The port is open as far as the anchor is concerned, and yet no answer comes."""
    wait_mapped(project)
    for family in families:
        assert project.lab.lanhost1.probe("tcp", project.at(family), 80, timeout=1) == "timeout"


def wait_named(project, prefix, families=("v4", "v6"), deadline=5):
    """The finding in each family; returns the remedy of the first."""
    def named():
        found = {record["family"]: record for record in project.records(prefix)
                 if record["container"].endswith("-web-1")}
        return found if set(families) <= set(found) else None
    found = wait_until(named, deadline, f"{prefix!r} for {families}")
    assert all(found[family]["level"] == "WARN" for family in families)
    return found[families[0]]["remedy"]


def without_gateways(project):
    """Transit as most people write it: no auxiliary gateway."""
    definition = json.loads(project.file.read_text())
    for config in definition["networks"]["transit"]["ipam"]["config"]:
        del config["aux_addresses"]
    project.file.write_text(json.dumps(definition))
    return project


def joined_anchor(gateways):
    """A service-anchor in web's namespace, known by its environment alone."""
    return {"image": IMAGE, "network_mode": "service:web", "cap_drop": ["ALL"], "cap_add": CAPABILITIES,
            "read_only": True, "tmpfs": ["/run"], "healthcheck": HEALTHCHECK, "restart": "unless-stopped",
            "environment": {"ANCHORD_MODE": "service-anchor", "ANCHORD_GATEWAY_IP": ",".join(gateways)}}


def test_a_second_network_that_wins_the_default_route(lab, direct):
    """Remedy: gw_priority where the engine has it."""
    project = direct(on_transit_and_second(), networks={"aaa": SECOND}).up()
    wait_silent(project)
    remedy = wait_named(project, "replies do not come back: another network gives")
    assert project.records("replies do not come back")[0]["other"] == f"{project.name}_aaa"
    assert "`gw_priority: 1`" in remedy
    change(project, lambda definition: definition["services"].update(on_transit_and_second(gw_priority=1)))
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family)
    project.wait_record(ENDED)
    assert len(project.records("replies do not come back")) == 2  # once for each family


def test_a_second_network_made_internal(direct):
    """The other remedy, for every engine; and the finding comes again when the fault does."""
    project = direct(on_transit_and_second(), networks={"aaa": SECOND}).up()
    wait_silent(project)
    assert "`internal: true`" in wait_named(project, "replies do not come back: another network gives")
    project.lab.docker("network", "disconnect", f"{project.name}_aaa", project.container("web"))
    project.wait_record(ENDED)
    wait_until(lambda: answers(project), 10, "web answers without the second network")
    project.lab.docker("network", "connect", f"{project.name}_aaa", project.container("web"))
    wait_until(lambda: len(project.records("replies do not come back: another network gives")) == 4, 5, "named again")
    assert not answers(project)
    project.compose("rm", "--stop", "--force", "web")
    project.lab.docker("network", "rm", f"{project.name}_aaa")
    change(project, lambda definition: definition["networks"]["aaa"].update(internal=True))
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family)


def test_transit_without_a_gateway_and_a_service_anchor_as_remedy(direct):
    """A service-anchor that joins the backend's namespace ends the finding."""
    project = without_gateways(direct(web(), proxy=False)).up()
    wait_silent(project)
    remedy = wait_named(project, "replies do not come back: transit names no gateway")
    assert "aux_addresses: {DefaultGatewayIPv4: " in remedy and "service-anchor" in remedy
    gateways = [project.address(ANCHOR, "transit", family) for family in FAMILIES]
    change(project, lambda definition: definition["services"].update({"web-anchor": joined_anchor(gateways)}))
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family, deadline=20)
    project.wait_record(ENDED)


def test_transit_without_a_gateway_and_the_auxiliary_address_as_remedy(direct):
    """The lines of the remedy, put into the file as they stand."""
    project = without_gateways(direct(web())).up()
    wait_silent(project)
    wait_named(project, "replies do not come back: transit names no gateway")
    remedies = [record["remedy"] for record in project.records("replies do not come back: transit names")]
    proposed = dict(remedy.split("{")[1].split("}")[0].replace('"', "").split(": ") for remedy in remedies)
    project.down()

    def take_remedy(definition):
        for config, name in zip(definition["networks"]["transit"]["ipam"]["config"],
                                ("DefaultGatewayIPv4", "DefaultGatewayIPv6")):
            config["aux_addresses"] = {name: proposed[name]}
    change(project, take_remedy)
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family, deadline=20)
    assert project.records("replies do not come back") == []


def test_a_gateway_that_is_not_ours(direct):
    """GW-1: nobody holds it here; it might as well be another anchor."""
    project = direct(web(), environment={"ANCHORD_CLAIM_GATEWAY": "off"}).up()
    wait_silent(project)
    remedy = wait_named(project, "replies do not come back: this anchor does not hold the gateway", deadline=20)
    assert "ANCHORD_CLAIM_GATEWAY" in remedy
    change(project, lambda definition: definition["services"][ANCHOR]["environment"].pop("ANCHORD_CLAIM_GATEWAY"))
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family, deadline=20)


def test_a_service_anchor_that_is_not_ready(direct):
    """Its gateway is none of its neighbours, so it never becomes ready."""
    services = web() | {"web-anchor": joined_anchor(("192.0.2.77",))}
    project = without_gateways(direct(services, proxy=False)).up()
    wait_silent(project)
    remedy = wait_named(project, "replies do not come back: the container's service-anchor is unhealthy", ("v4, v6",),
                        deadline=20)
    assert "web-anchor" in remedy
    gateways = [project.address(ANCHOR, "transit", family) for family in FAMILIES]
    change(project, lambda definition: definition["services"].update({"web-anchor": joined_anchor(gateways)}))
    project.wait_answer("tcp", 80, "web", deadline=20)
    project.wait_record(ENDED)


def test_an_ordinary_project_is_not_blamed(direct):
    project = direct(web(), proxy=False).up()
    project.wait_answer("tcp", 80, "web")
    started = time.time()
    wait_until(lambda: time.time() - started > 11, 15, "longer than the patience for the gateway")
    assert project.records("replies do not come back") == []


@pytest.mark.every_engine
def test_an_engine_is_told_of_nothing_that_it_has_not(lab, direct):
    """Neither of gw_priority nor, on Podman, of an order by name."""
    project = direct(on_transit_and_second(), networks={"aaa": SECOND}).up()
    remedy = wait_named(project, "replies do not come back: another network gives", deadline=20)
    assert f"`internal: true` on the network {project.name}_aaa" in remedy
    assert ("`gw_priority: 1`" in remedy) == lab.engine.has_endpoint_options
    assert ("alphabet" in remedy) == (not lab.engine.has_endpoint_options and lab.engine.suite != "podman")
