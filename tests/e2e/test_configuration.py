"""Configuration and surroundings (SPEC 10, ADDR-4, ADDR-9, ADDR-10, ADDR-11, ADDR-14, NAT-13, DISC-4): the ways
to run it, and what it says when something is wrong.
"""

import json

import pytest

from direct import ANCHOR, CAPABILITIES, FAMILIES, GATE, IMAGE, PROXY, mail_services, service
from lab import topology
from lab.instance import OUTSIDE_PORT
from lab.machine import run, wait_until


def smtp_only():
    return {"smtp": service("smtp", tcp="25", expose="tcp/25")}


def answers(project, families=FAMILIES):
    for family in families:
        project.wait_answer("tcp", 25, "smtp", family=family, deadline=20)


def ends_with(project, status, deadline=20):
    """Wait until the anchor's container has ended; check its status and return its log."""
    wait_until(lambda: project.state(ANCHOR) == "exited", deadline, "the anchor's end")
    assert project.inspect(ANCHOR)["State"]["ExitCode"] == status
    return project.logs(ANCHOR)


def records_at(project, level):
    return [json.dumps(record) for record in project.json_logs(ANCHOR) if record["level"] == level]


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def anchord(lab, anchord_image):
    """anchord(*arguments, NAME=value…): runs the image's command once, without a network."""
    def command(*arguments, **environment):
        words = [word for item in environment.items() for word in ("--env", "=".join(item))]
        return lab.docker("run", "--rm", "--network", "none", *words, IMAGE, *arguments, check=False)
    return command


def test_every_configuration_error_at_once(anchord):
    """SPEC 10: exit 1, each variable with its value."""
    wrong = {"ANCHORD_POLL_INTERVAL": "soon", "ANCHORD_LOG_LEVEL": "LOUD", "ANCHORD_CLAIM_GATEWAY": "maybe",
             "ANCHORD_EXT_GATEWAY_IP": "10.99.0.1,10.99.0.2", "ANCHORD_ADDRESS_MODE": "static"}
    for arguments in ((), ("config",)):
        result = anchord(*arguments, **wrong)
        assert result.returncode == 1
        said = result.stdout + result.stderr
        for name, value in wrong.items():
            assert name in said and value in said
        assert "ANCHORD_PROJECT" in said  # required and not set
        assert "COMPOSE_PROJECT_NAME" in said


def test_config_shows_the_effective_values_and_their_sources(anchord):
    """SPEC 10: `anchord config`."""
    result = anchord("config", "--json", COMPOSE_PROJECT_NAME="mail", ANCHORD_POLL_INTERVAL="1m30s")
    assert result.returncode == 0, result.stdout + result.stderr
    values = json.loads(result.stdout)["variables"]
    assert values["ANCHORD_PROJECT"] == {"value": "mail", "source": "COMPOSE_PROJECT_NAME"}
    assert values["ANCHORD_POLL_INTERVAL"] == {"value": "1m30s", "source": "environment"}
    assert values["DOCKER_HOST"] == {"value": "unix:///var/run/docker.sock", "source": "default"}


def test_version_and_an_unknown_role(anchord):
    """SPEC 1: an unknown role is an error naming the choices."""
    assert anchord("version").returncode == 0
    unknown = anchord("router", COMPOSE_PROJECT_NAME="mail")
    assert unknown.returncode == 1
    assert "network-anchor" in unknown.stdout + unknown.stderr


BLANK = {"ANCHORD_LABEL_SELECTOR": " ", "ANCHORD_SHARED_NETWORK": "\t", "ANCHORD_EXT_GATEWAY_IP": "  ", "ANCHORD_LOG_LEVEL": " ",
         "ANCHORD_ADDRESS_MODE": " ", "ANCHORD_AUTOSTART_SIBLINGS": " ", "DOCKER_TLS_VERIFY": " ", "ANCHORD_MODE": " "}


@pytest.mark.every_engine
def test_what_the_project_before_us_took_is_no_error(direct):
    """SPEC 1, 10: values of white space alone, a part of a second, a lone argument that begins with `-`."""
    project = direct(smtp_only(), anchor={"command": ["--verbose"]},
                     environment=BLANK | {"ANCHORD_POLL_INTERVAL": "1.5s"}).up()
    answers(project)
    assert project.wait_record("argument is neither a role nor a command")["argument"] == "--verbose"
    assert not records_at(project, "ERROR")


def test_an_unknown_log_level_stays_an_error(anchord):
    assert anchord(COMPOSE_PROJECT_NAME="mail", ANCHORD_LOG_LEVEL="LOUD").returncode == 1


# --- ways to run it -----------------------------------------------------------------------------


@pytest.mark.every_engine
@pytest.mark.parametrize("proxy", (pytest.param(False, marks=pytest.mark.not_on(
    "podman", "its socket has mode 0600, which anchord refuses and says"), id="socket"), pytest.param(True, id="proxy")))
def test_with_the_docker_socket_itself_and_through_a_proxy(direct, proxy):
    """SPEC 10: unix:///var/run/docker.sock by its group, or tcp://; ADDR-10: the container is found though its host name is
    not its ID."""
    project = direct(smtp_only(), proxy=proxy, anchor={"hostname": "mail.example.org"}).up()
    answers(project)
    assert (GATE in project.processes()) != proxy


@pytest.mark.every_engine
def test_the_external_interface_by_its_network(direct):
    """ADDR-9: whatever its name; and says so."""
    project = direct(smtp_only()).up()
    answers(project)
    resolved = json.dumps(project.wait_record("external interface resolved"))
    listing = json.loads(project.anchor.run(["ip", "-j", "address"]).stdout)
    name, = (link["ifname"] for link in listing
             if any(entry["local"] == project.at(4) for entry in link["addr_info"]))
    assert name in resolved
    assert project.records("anchord starting (network-anchor mode)")
    assert project.records("discovered shared network")
    assert project.records("reconciled")[-1].keys() >= {"backends", "entries", "conntrack_flushed"}


def test_the_external_interface_by_its_name(lab, direct):
    """ADDR-9: ANCHORD_EXT_IFACE. Only engines from 28 on give an interface the name that one asks for."""
    project = direct(smtp_only(), environment={"ANCHORD_EXT_NETWORK": "", "ANCHORD_EXT_IFACE": "outside0"})
    definition = json.loads(project.file.read_text())
    definition["services"][ANCHOR]["networks"]["lan"]["driver_opts"]["com.docker.network.endpoint.ifname"] = "outside0"
    project.file.write_text(json.dumps(definition))
    project.up()
    answers(project)
    assert '"outside0"' in json.dumps(project.wait_record("external interface resolved"))


@pytest.mark.every_engine
def test_the_external_network_attached_late(direct):
    """ADDR-9: retried until it is there."""
    project = direct(smtp_only(), anchor={"networks": {"transit": {}, "control": {}}}).up()
    network = ["network", "connect", "--ip", project.at(4), "--ip6", project.at(6), "lan", project.container(ANCHOR)]
    project.wait_record("anchord starting")
    project.lab.docker(*network)
    answers(project)


def test_the_external_network_never_attached_is_fatal(direct):
    """ADDR-9: after 10 s, naming the network and those that are attached."""
    project = direct(smtp_only(), anchor={"networks": {"transit": {}, "control": {}}, "restart": "no"}).up()
    said = ends_with(project, 1, deadline=30)
    assert '"lan"' in said or "'lan'" in said or " lan" in said
    assert f"{project.name}_transit" in said and f"{project.name}_control" in said


def test_a_pinned_shared_network_that_is_not_ours_is_fatal(direct):
    """DISC-4."""
    project = direct(smtp_only(), anchor={"restart": "no"},
                     environment={"ANCHORD_SHARED_NETWORK": "nowhere"}).up()
    assert "nowhere" in ends_with(project, 1)


def test_a_pinned_shared_network_is_taken(direct):
    """DISC-4."""
    project = direct(smtp_only(), environment={
        "ANCHORD_SHARED_NETWORK": "${COMPOSE_PROJECT_NAME}_transit"}).up()
    answers(project)


def test_docker_away_for_a_while_keeps_nat(direct):
    """DISC-1, ADDR-9: the API unreachable: what was reconciled stays; back: changes are followed."""
    project = direct(smtp_only() | {"late": service("late", tcp="26", expose="tcp/26")}, proxy=True)
    project.up("smtp", ANCHOR, PROXY)
    answers(project)
    with project.lab.lanhost1.connect(project.at(4), 25) as connection:
        project.compose("stop", "--timeout", "1", PROXY)
        project.compose("up", "--detach", "--pull", "never", "--no-deps", "late")
        answers(project)
        project.compose("start", PROXY)
        project.wait_answer("tcp", 26, "late", deadline=30)
        assert connection.alive()


def test_started_before_docker_answers(direct):
    """ADDR-9: retried for ever; no exit."""
    project = direct(smtp_only(), proxy=True)
    project.compose("up", "--detach", "--pull", "never", "--no-deps", "smtp", ANCHOR)
    project.wait_record("anchord starting")
    assert project.lab.lanhost1.probe("tcp", project.at(4), 25, timeout=0.5) != "smtp"
    project.up()
    project.wait_answer("tcp", 25, "smtp", deadline=30)
    assert project.inspect(ANCHOR)["RestartCount"] == 0


# --- kernel settings ----------------------------------------------------------------------------


@pytest.mark.every_engine
def test_ipv4_forwarding_is_switched_on_where_needed(direct):
    """NAT-13: ip_forward=0 in Compose; on for the two interfaces, not for the rest."""
    sysctls = {"net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 1}
    project = direct(smtp_only(), anchor={"sysctls": sysctls}).up()
    answers(project)
    anchor = project.anchor
    assert anchor.sysctl("net.ipv4.ip_forward") == "0"
    names = [line.split()[0].split("@")[0] for line in anchor.run(["ip", "-br", "link"]).stdout.splitlines()]
    forwarding = [name for name in names if anchor.sysctl(f"net.ipv4.conf.{name}.forwarding") == "1"]
    assert len(forwarding) == 2


@pytest.mark.every_engine
def test_missing_ipv6_forwarding_is_said_with_the_line_and_ipv4_goes_on(direct):
    """NAT-13, ADDR-4."""
    project = direct(smtp_only(), anchor={"sysctls": {"net.ipv6.conf.all.forwarding": 0}}).up()
    answers(project, families=(4,))
    wait_until(lambda: any("net.ipv6.conf.all.forwarding" in text for text in records_at(project, "ERROR")), 10,
               "an error with the line to add")


@pytest.mark.every_engine
def test_router_advertisements_that_are_ignored_are_said_with_this_engines_line(lab, direct):
    """ADDR-14: the line differs between engines."""
    project = direct(smtp_only())
    definition = json.loads(project.file.read_text())
    anchor = definition["services"][ANCHOR]
    anchor["networks"]["lan"].pop("driver_opts", None)
    anchor["sysctls"] = {"net.ipv6.conf.all.forwarding": 1}
    project.file.write_text(json.dumps(definition))
    project.up()
    answers(project)
    line = "com.docker.network.endpoint.sysctls" if lab.engine.has_endpoint_options else "net.ipv6.conf.eth"
    said = wait_until(lambda: [text for text in records_at(project, "ERROR") if "accept_ra" in text], 10,
                      "an error about accept_ra")
    assert any(line in text for text in said)
    assert any("endpoint.sysctls" in text for text in said) == lab.engine.has_endpoint_options


@pytest.mark.every_engine
@pytest.mark.not_on("podman", "no place for accept_ra, so it is complained of")
def test_no_complaint_when_everything_is_as_it_should_be(direct):
    """ADDR-14, NAT-13: the project as our example has it starts without a warning."""
    project = direct(mail_services()).ready()
    assert records_at(project, "ERROR") + records_at(project, "WARN") == []


@pytest.mark.parametrize("missing", ("NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"))
def test_a_missing_capability_is_named_before_anything_is_installed(direct, missing):
    """SPEC 11: with the line to add."""
    held = [name for name in CAPABILITIES if name != missing]
    project = direct(smtp_only(), anchor={"cap_add": held, "restart": "no"}).up()
    said = ends_with(project, 1)
    assert missing in said and "cap_add" in said


def test_an_ipv4_only_project(direct):
    """ADDR-4: networks without IPv6: IPv4 works, and no error is made of it."""
    transit = {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}
    project = direct(smtp_only())
    definition = json.loads(project.file.read_text())
    definition["networks"]["transit"] = transit | {"ipam": {"config": [
        definition["networks"]["transit"]["ipam"]["config"][0]]}}
    project.file.write_text(json.dumps(definition))
    project.up()
    answers(project, families=(4,))
    assert project.probe("smtp", "tcp", project.lab.outside.ipv4, OUTSIDE_PORT).split()[1] == project.at(4)


# --- gateways of the LAN ------------------------------------------------------------------------


@pytest.fixture
def second_router(lab):
    """lanhost2 as a router to the outside network, behind lanhost2's own address."""
    router = lab.lanhost2
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        router.set_sysctl(name, 1)
    yield router
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        router.set_sysctl(name, 0)
    router.run(["ip", "-6", "route", "replace", "default", "via", topology.ROUTER[1]])


def default_gateway(project, family):
    listing = project.anchor.run(["ip", "-j", f"-{family}", "route", "show", "table", "24942"], check=False).stdout
    gateways = [route["gateway"] for route in json.loads(listing or "[]") if "gateway" in route]
    return gateways[0] if gateways else None


@pytest.mark.every_engine
def test_a_pinned_gateway_wins_and_the_other_family_keeps_its_own(lab, direct, second_router):
    """ADDR-11: ANCHORD_EXT_GATEWAY_IP mixes with the IPAM's per family."""
    project = direct(smtp_only(), environment={"ANCHORD_EXT_GATEWAY_IP": second_router.ipv4}).up()
    answers(project)
    assert default_gateway(project, 4) == second_router.ipv4
    assert default_gateway(project, 6) == topology.ROUTER[1]
    assert project.probe("smtp", "tcp", lab.outside.ipv4, OUTSIDE_PORT).split()[1] == project.at(4)
    # The router's own link is down: nothing may leave by the engine's bridge in its place.
    run(["ip", "-n", lab.lanhost2.path.name, "link", "set", "lan0", "down"])
    try:
        answer = project.probe("smtp", "tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=1)
        assert answer in ("timeout", "unreachable")
    finally:
        run(["ip", "-n", lab.lanhost2.path.name, "link", "set", "lan0", "up"])
        lab.lanhost2.run(["ip", "route", "replace", "default", "via", topology.ROUTER[0]])
        lab.lanhost2.run(["ip", "-6", "address", "replace", f"{lab.lanhost2.ipv6}/64", "dev", "lan0", "nodad"])


@pytest.mark.every_engine
def test_with_the_external_link_down_nothing_leaves(lab, direct):
    """ADDR-11: our table ends in unreachable; measured: else it leaves by Docker's bridge."""
    project = direct(smtp_only()).up()
    answers(project)
    listing = json.loads(project.anchor.run(["ip", "-j", "address"]).stdout)
    external, = (link["ifname"] for link in listing
                 if any(entry["local"] == project.at(4) for entry in link["addr_info"]))
    project.anchor.run(["ip", "link", "set", external, "down"])
    assert project.probe("smtp", "tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=1) in ("timeout", "unreachable")
    assert project.anchor.probe("tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=1) in ("timeout", "unreachable")
    project.anchor.run(["ip", "link", "set", external, "up"])
    project.wait_answer("tcp", 25, "smtp")
    wait_until(lambda: project.probe("smtp", "tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=0.5)
               .startswith("outside "), 5, "egress with the link up")
