"""The pattern Wrap (SPEC §1): compose/example-wrap.yaml around compose/example-wrapped-project.yaml, both as shipped.

One running pair for all tests; each leaves it so. The last one restarts containers of the wrapped project.
"""

import json
import os
import signal
import types

import pytest

from direct import ANCHOR, FAMILIES
from lab import compose, pages, topology
from lab.machine import wait_until
from wrapped import ADDRESSES, EXPOSED, OWNERS, wait_answer, wait_one_machine, way_out

NETWORK_STATE = [["ip", f"-{family}", *words] for family in FAMILIES
                 for words in (["address"], ["rule"], ["route", "show", "table", "all"])]
NETWORK_STATE += [["ip", "link"], ["nft", "--stateless", "list", "ruleset"],
                  ["sysctl", "--all", "--pattern", r"^net\.ipv[46]\.(conf|ip_forward)"]]


def network_state(wrapped):
    """What the kernel and Docker say about the network of each wrapped namespace, as text."""
    return {name: [wrapped.namespace(name).run(command).stdout for command in NETWORK_STATE]
            + [json.dumps(wrapped.inspect(name)["NetworkSettings"], sort_keys=True)] for name in OWNERS}


def wrap_definition(lab):
    """The file as shipped; on an engine that reads no settings of an endpoint with the line that its comment has for it."""
    (file,), _ = pages.compose_files(pages.command("docs/patterns.md", "docker compose -f example-wrap.yaml up"))
    text = file.read_text(encoding="utf-8")
    line = "- net.ipv6.conf.eth0.accept_ra=2"
    assert f"# {line}" in text
    return text if lab.engine.has_endpoint_options else text.replace(f"# {line}", line)


@pytest.fixture(scope="module")
def pair(request, lab, anchord_image):
    """wrapped: the project of others. wrap: the project with the anchors. before: network_state() without wrap."""
    (file, *overrides), _ = pages.compose_files(pages.command("docs/patterns.md", "docker compose -f example-wrapped-project"))
    wrapped = compose.Project(lab, file, name="mailcow", overrides=overrides)
    wrap = compose.Project(lab, wrap_definition(lab), name="mailcow-anchor")
    with compose.discarded_afterwards(request, wrapped, wrap):
        wrapped.up()
        before = wait_until(lambda: (state := network_state(wrapped)) and "tentative" not in str(state) and state, 10,
                            "link-local addresses that nobody else has")
        wrap.up()
        yield types.SimpleNamespace(lab=lab, wrapped=wrapped, wrap=wrap, before=before)


def problems(pair):
    return json.loads(pair.wrap.exec(ANCHOR, "anchord", "status", "--json").stdout)["problems"]


@pytest.mark.every_engine
def test_the_wrapped_project_is_one_machine(lab, pair, each_bridge_filter):
    """NAT-1, NAT-2, NAT-8, NAT-9, DISC-5 (managesieve), DISC-8 (no finding once the service-anchors are healthy)."""
    wait_one_machine(pair, (*OWNERS, "managesieve"))
    for family, address in zip(FAMILIES, ADDRESSES):
        expected = {port for proto, port, _ in EXPOSED if proto == "tcp"}
        assert lab.lanhost2.scan_tcp(address, range(1, 5000)).open == expected
        for name in OWNERS:
            assert way_out(pair, name, family, "udp") == address
        assert pair.wrapped.probe("mysql", "tcp", pair.wrapped.address("nginx", "mailcow-network", family), 80) \
            .startswith("nginx "), "inside nothing has changed"
        assert pair.wrapped.probe("postfix", "tcp", address, 443).startswith("nginx ")
    wait_until(lambda: problems(pair) == [], 20, "no problem in status")
    # What the project published on the host is left to the host itself.
    assert lab.lanhost1.probe("tcp", topology.ENGINE[0], 25, timeout=0.5) == "timeout"
    assert lab.host("engine").probe("tcp", "127.0.0.1", 25).startswith("postfix ")


@pytest.mark.every_engine
def test_sigterm_gives_the_backend_dockers_routes_back(pair):
    """SA-4, of one service-anchor: at once, byte for byte; the other backends notice nothing."""
    wait_one_machine(pair, OWNERS)
    with pair.lab.lanhost1.connect(ADDRESSES[0], 25) as four, pair.lab.lanhost1.connect(ADDRESSES[1], 25) as six:
        pair.wrap.signal("nginx-anchor", "SIGTERM")
        wait_until(lambda: pair.wrap.state("nginx-anchor") != "running", 5, "the service-anchor has ended")
        now = network_state(pair.wrapped)
        assert now["nginx"] == pair.before["nginx"]
        assert now["postfix"] != pair.before["postfix"]
        assert way_out(pair, "nginx", 4) == topology.ENGINE[0]
        assert four.alive() and six.alive()
    pair.wrap.up("nginx-anchor")
    wait_one_machine(pair, OWNERS)


def kill_hard(project, service):
    """SIGKILL for PID 1 of the container, not by Docker's API, which would count as a stop by hand. Its start time."""
    state = project.inspect(service)["State"]
    os.kill(state["Pid"], signal.SIGKILL)
    return state["StartedAt"]


def wait_restarted(project, service, started, meanwhile):
    """meanwhile() is called until Docker's restart policy has brought the service back and it is ready."""
    def is_back():
        meanwhile()
        state = project.inspect(service)["State"]
        return (state["Running"] and state["StartedAt"] != started
                and project.exec(service, "anchord", "healthcheck", check=False).returncode == 0)
    wait_until(is_back, 20, f"{service} is back")


def test_a_killed_service_anchor_leaves_the_way_out_as_it_is(pair):
    """SA-4: the successor adopts what is there; a LAN client's connection lives through it."""
    wait_one_machine(pair, OWNERS)
    with pair.lab.lanhost1.connect(ADDRESSES[0], 443) as four, pair.lab.lanhost1.connect(ADDRESSES[1], 443) as six:
        seen = []
        started = kill_hard(pair.wrap, "nginx-anchor")
        wait_restarted(pair.wrap, "nginx-anchor", started,
                       lambda: seen.extend(way_out(pair, "nginx", family) for family in FAMILIES))
        assert set(seen) == set(ADDRESSES)
        assert four.alive() and six.alive()
    pair.wrap.compose("stop", "nginx-anchor")
    assert network_state(pair.wrapped)["nginx"] == pair.before["nginx"]
    pair.wrap.up("nginx-anchor")


def test_a_killed_network_anchor_comes_back_and_nothing_leaves_another_way(pair):
    """SA-2, SA-5: closed while it is away; then as before, without a hand on the service-anchors."""
    wait_one_machine(pair, OWNERS)
    anchors = [f"{name}-anchor" for name in OWNERS]
    before = [pair.wrap.inspect(name)["State"]["StartedAt"] for name in anchors]
    seen = []
    started = kill_hard(pair.wrap, ANCHOR)
    wait_restarted(pair.wrap, ANCHOR, started, lambda: seen.append(way_out(pair, "postfix", 4)))
    wait_one_machine(pair, OWNERS)
    assert set(seen) <= {None, ADDRESSES[0]}
    assert [pair.wrap.inspect(name)["State"]["StartedAt"] for name in anchors] == before


@pytest.mark.every_engine
def test_without_the_wrap_project_everything_is_as_docker_made_it(lab, pair):
    """SA-4, pattern Wrap: routes, rules, addresses, Docker's own record; and what was published is reached again."""
    wait_one_machine(pair, OWNERS)
    _, words = pages.compose_files(pages.command("docs/patterns.md", "docker compose -f example-wrap.yaml down"))
    pair.wrap.compose(*words)
    assert network_state(pair.wrapped) == pair.before
    for port, name in ((25, "postfix"), (443, "nginx"), (4190, "managesieve")):
        answer = lab.lanhost1.probe("tcp", topology.ENGINE[0], port).split()
        assert answer[:2] == [name, lab.lanhost1.ipv4]
    assert way_out(pair, "nginx", 4) == topology.ENGINE[0]
    pair.wrap.up()
    wait_one_machine(pair, OWNERS)


@pytest.mark.every_engine
def test_restarted_and_recreated_backends_are_joined_again(pair):
    """SA-6 without a hand; a recreated one with the command that the example names. DISC-5: who shares dovecot's
    namespace goes and comes by itself."""
    wait_one_machine(pair, OWNERS)
    with pair.lab.lanhost1.connect(ADDRESSES[0], 80) as bystander:
        pair.wrapped.compose("restart", "--timeout", "0", "dovecot")  # and with it managesieve
        wait_one_machine(pair, ("dovecot", "managesieve"))
        pair.wrapped.compose("stop", "--timeout", "0", "managesieve")
        wait_until(lambda: pair.lab.lanhost1.probe("tcp", ADDRESSES[0], 4190) == "refused", 10, "tcp/4190 is refused")
        wait_answer(pair, "tcp", 143, "dovecot", 4)
        pair.wrapped.compose("start", "managesieve")
        pair.wrapped.recreate("postfix")
        wait_until(lambda: way_out(pair, "postfix", 4) == topology.ENGINE[0], 10, "the new postfix leaves by the host")
        pair.wrap.recreate("postfix-anchor")
        wait_one_machine(pair, ("postfix", "managesieve"))
        assert bystander.alive()
