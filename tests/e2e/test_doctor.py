"""`anchord doctor stale-netns` on real engines (SPEC 9): the commands that it prints are run as they stand, and mend."""

import json
import os

import pytest

from direct import ANCHOR, DOCKER_SOCKET, FAMILIES, IMAGE, Direct, doctor_on_host, mail_services, service
from lab import compose, images
from lab.machine import run, wait_until
from service_anchors import ServiceAnchors, service_anchor


def doctor(lab, *options):
    """As docs/operations.md says; needs no anchord that runs."""
    return lab.docker("run", "--rm", "--volume", DOCKER_SOCKET, IMAGE, "doctor", "stale-netns", *options, check=False)


def findings(lab, prefix):
    """{name of a container: (state of its target, commands that bring it back)}, of those whose name begins so."""
    result = doctor(lab, "--json")
    assert result.returncode in (0, 1) and not result.stderr, result
    return {container["name"]: (entry["target_state"], [remedy["command"] for remedy in entry["remedies"]])
            for entry in json.loads(result.stdout)["stale_netns"] for container in entry["containers"]
            if container["name"].startswith(prefix)}


def namespace(lab, container):
    return os.stat(f"/proc/{lab.engine.inspect(container)['State']['Pid']}/ns/net").st_ino


def mend(lab, prefix):
    """Runs every line for containers of that prefix, as a person would who copies it."""
    commands = {command for _, entry in findings(lab, prefix).values() for command in entry}
    printed = doctor(lab).stdout.splitlines()
    for command in commands:
        assert f"  {command}" in printed, printed
        run(["bash", "-c", command], environment=lab.engine.environment(), cwd="/")


@pytest.fixture
def plain(lab, request):
    """A factory of containers that Compose knows nothing of; it returns the name."""
    made = []

    def factory(name, *options):
        made.append(f"{request.node.originalname.replace('_', '-')}-{name}")
        lab.docker("run", "--detach", "--name", made[-1], "--stop-timeout", "0", *options, images.SERVICES, "services",
                   "--name", name)
        return made[-1]

    yield factory
    for name in reversed(made):
        lab.docker("rm", "--force", name, check=False)


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "it removes no container before those that live in its namespace")
def test_printed_commands_bring_composed_containers_back(lab, project, anchord_image):
    """Recreated without its dependents: by `service:` and, from another project, by `container:`."""
    made = project({"services": {"target": compose.echo_service("target", "--tcp", "80"),
                                 "one": compose.echo_service("one", network_mode="service:target"),
                                 "two": compose.echo_service("two", network_mode="service:target")}})
    other = project({"services": {"three": compose.echo_service("three", network_mode=f"container:{made.name}-target-1")}},
                    name=f"{made.name}-other")
    assert not findings(lab, made.name)
    made.recreate("target")
    found = findings(lab, made.name)
    assert {name: state for name, (state, _) in found.items()} == {
        f"{made.name}-one-1": "gone", f"{made.name}-two-1": "gone", f"{other.name}-three-1": "gone"}
    assert all(namespace(lab, name) != namespace(lab, made.container("target")) for name in found)
    mend(lab, made.name)
    assert not findings(lab, made.name)
    assert all(namespace(lab, name) == namespace(lab, made.container("target")) for name in found)


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "it removes no container before those that live in its namespace")
def test_printed_commands_mend_other_containers(lab, plain, anchord_image):
    """Started again, stopped, removed."""
    owners = [plain(f"owner-{i}") for i in range(3)]
    pinned = [plain(f"pinned-{i}", "--network", f"container:{owner}") for i, owner in enumerate(owners)]
    prefix = pinned[0].removesuffix("0")
    assert not findings(lab, prefix)
    lab.docker("restart", owners[0])
    lab.docker("stop", owners[1])
    lab.docker("rm", "--force", owners[2])
    assert findings(lab, prefix) == {
        pinned[0]: ("restarted", [f"docker restart {pinned[0]}"]),
        pinned[1]: ("stopped", [f"docker start {owners[1]} && docker restart {pinned[1]}"]),
        pinned[2]: ("gone", [f"docker rm --force {pinned[2]}"])}
    mend(lab, prefix)
    assert not findings(lab, prefix)
    assert all(namespace(lab, pinned[i]) == namespace(lab, owners[i]) for i in range(2))


# --- all the other checks ---------------------------------------------------------------------------------------


def verdicts(result):
    assert result.returncode in (0, 1) and not result.stderr, result
    found = json.loads(result.stdout)
    return found, {(one["check"], one["code"]): one for one in found["results"] if one["verdict"] in ("WARN", "FAIL")}


def on_host(lab, anchor, *words):
    return doctor_on_host(lab, "--anchor", anchor, *words)


@pytest.mark.not_on("podman", "its projects read Docker through a proxy")
def test_a_healthy_project(lab, shared_direct):
    """SEE-2: no FAIL and no WARN, in its container and on the host; what only the host shows is UNKNOWN inside, with the line."""
    direct = shared_direct(mail_services()).ready()
    anchor = f"{direct.name}-{ANCHOR}-1"
    found, wrong = verdicts(lab.docker("exec", anchor, "anchord", "doctor", "--json", check=False))
    assert not wrong and found["milliseconds"] < 10000, wrong
    unknown = {one["check"]: one["do"] for one in found["results"] if one["verdict"] == "UNKNOWN"}
    assert "--pid host" in unknown["bridge-nf"] and "anchord:dev doctor" in unknown["bridge-nf"], unknown
    found, wrong = verdicts(on_host(lab, anchor))
    assert not wrong and not [(one["check"], one["sentence"]) for one in found["results"] if one["verdict"] == "UNKNOWN"]


FROM_LAN = ("10.99.0.250", "fd99::fa:1")


@pytest.mark.not_on("podman", "its projects read Docker through a proxy")
def test_the_path_from_the_lan(lab, shared_direct, plain):
    """SEE-2: each TCP port from a host of its own on the LAN, whose address the application sees; then a closed application."""
    direct = shared_direct(mail_services()).ready()
    anchor = f"{direct.name}-{ANCHOR}-1"
    words = ("path", f"--from-lan={FROM_LAN[0]}/24,{FROM_LAN[1]}/64")
    found, wrong = verdicts(on_host(lab, anchor, *words))
    print(f"path of {len(found['results'])} results with --from-lan: {found['milliseconds']} ms")
    assert not wrong and not [one for one in found["results"] if one["verdict"] == "UNKNOWN" and "udp" not in one["object"]], found
    sentences = [one["sentence"] for one in found["results"]]
    for address in FROM_LAN:
        assert sum(one.endswith(f"the application sees the client's own address, {address}") for one in sentences) == 3, sentences
    closed = plain("closed", "--network", f"{direct.name}_transit", "--label", "anchord.expose=tcp/9999",
                   "--label", f"com.docker.compose.project={direct.name}")
    wait_until(lambda: closed in lab.docker("exec", anchor, "anchord", "status", check=False).stdout, 20, "the closed one in the status")
    wrong = verdicts(on_host(lab, anchor, "path"))[1]
    finding = wrong["path", "ANC0801"]
    assert set(wrong) == {("path", "ANC0801")} and closed in finding["sentence"], wrong
    assert finding["do"].splitlines()[0] == f"docker logs {closed}"
    lab.docker("rm", "--force", closed)
    wait_until(lambda: closed not in lab.docker("exec", anchor, "anchord", "status", check=False).stdout, 20, "its end in the status")
    assert not verdicts(on_host(lab, anchor, "path"))[1]


class Sidecars(ServiceAnchors):
    """A service-anchor in the namespace of its service, which has the network and the label (docs/patterns.md)."""

    def __init__(self, lab, **options):
        services = {"web": service("web", tcp="8080", expose="tcp/80:8080"),
                    "web-anchor": service_anchor(network_mode="service:web", labels={"anchord.target": "web"})}
        Direct.__init__(self, lab, services, **options)


@pytest.mark.not_on("podman", "its projects read Docker through a proxy")
def test_a_service_anchor_that_is_down(request, lab, anchord_image):
    """SEE-2: no way back, and which one is missing; the printed line starts it."""
    project = Sidecars(lab, name=compose.unique_name("sidecars"))
    with compose.discarded_afterwards(request, project):
        project.up()
        for family in FAMILIES:
            project.wait_answer("tcp", 80, "web", family=family, deadline=20)
        anchor = f"{project.name}-{ANCHOR}-1"
        wait_until(lambda: not verdicts(on_host(lab, anchor))[1], 20, "that it is well, once its service-anchor has begun")
        lab.docker("stop", f"{project.name}-web-anchor-1")
        found, wrong = verdicts(on_host(lab, anchor, "path"))
        print(*[one for one in found["results"] if one["verdict"] != "OK"], sep="\n")
        finding = wrong["path", "ANC0804"]
        run(["bash", "-c", finding["do"].splitlines()[0]], environment=lab.engine.environment(), cwd="/")
        wait_until(lambda: not verdicts(on_host(lab, anchor, "path"))[1], 20, "no finding")


@pytest.mark.not_on("podman", "its projects read Docker through a proxy")
def test_an_internal_network_on_a_host_that_filters_bridges(lab, shared_direct, bridge_filter):
    """SEE-2, SPEC 11: found on the host alone, by its code; the printed line mends it."""
    direct = shared_direct(mail_services(), networks={"transit": {"internal": True}}).up()
    anchor = f"{direct.name}-{ANCHOR}-1"
    wait_until(lambda: f"{direct.name}_transit" in lab.docker("exec", anchor, "anchord", "status", check=False).stdout, 20,
               "transit in the status")
    try:
        lab.set_bridge_filter(1)
        finding = verdicts(on_host(lab, anchor, "platform"))[1]["bridge-nf", "ANC0606"]
        assert finding["object"] == f"{direct.name}_transit" and finding["verdict"] == "FAIL", finding
        lab.host("engine").run(finding["do"].split())
        assert ("bridge-nf", "ANC0606") not in verdicts(on_host(lab, anchor, "platform"))[1]
    finally:
        lab.set_bridge_filter(bridge_filter)
