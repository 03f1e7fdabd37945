"""`anchord wrap` (SPEC 9) on projects of other people: third_party/*.yaml, with the real Compose, and brought up.

The same command as in docs/wrap.md: what `docker compose config` prints goes through the image's `anchord wrap`, and
Compose reads the result behind the project's own file.
"""

import dataclasses
import itertools
import json

import pytest

from direct import IMAGE
from lab import compose, images, topology
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, wait_until
from shipped import THIRD_PARTY, ThirdParty, with_lab_images

EXAMPLE = CHECKOUT / "compose" / "example.yaml"
EVERY_ADDRESS = ("", "0.0.0.0", "::")


@dataclasses.dataclass(frozen=True)
class Expected:
    labels: dict  # service -> anchord.expose
    problems: dict = dataclasses.field(default_factory=dict)  # service -> words of the reason, or a tuple of several
    notes: tuple = ()  # words that stand in notes
    for_host: dict = dataclasses.field(default_factory=dict)  # service -> ports that stay, on loopback
    stays: tuple = ()  # services that do not join transit, although they have a way out


PROJECTS = {
    "mailcow": Expected(
        {"nginx-mailcow": "tcp/80, tcp/443", "postfix-mailcow": "tcp/25, tcp/465, tcp/587",
         "dovecot-mailcow": "tcp/110, tcp/143, tcp/993, tcp/995, tcp/4190"},
        {"netfilter-mailcow": "does not hold for the project's address"},
        ("the project's address (--ports-only leaves them out): mysql-mailcow, php-fpm-mailcow, unbound-mailcow",
         "mysql-mailcow: tcp/13306:3306 stays published on 127.0.0.1"),
        {"dovecot-mailcow": ["19991"], "mysql-mailcow": ["13306"]}),
    "nextcloud-aio": Expected({"nextcloud-aio-mastercontainer": "tcp/80, tcp/8080, tcp/8443"}),
    "immich": Expected({"immich-server": "tcp/2283"}, {}, ("(--ports-only leaves them out): database, immich-machine-learning, redis",)),
    "home-assistant": Expected(
        {"mosquitto": "tcp/1883, tcp/9001"},
        {"homeassistant": "network_mode: host", "matter-server": "homeassistant, which uses the host's network"}),
    "authentik": Expected(
        {"server": "tcp/80:9000, tcp/443:9443", "ldap": "tcp/389:3389, tcp/636:6636"}, {},
        ("expose: opens nothing", "(--ports-only leaves them out): worker")),
    "gitea": Expected({"server": "tcp/222:22, tcp/3000"}, {}, ("server: tcp/6060 stays published",),
                      {"server": ["6060"]}),
    "matrix": Expected(
        {"synapse": "tcp/8448", "coturn": "tcp/3478, tcp/5349, udp/3478, udp/5350, udp/49160-49200",
         "traefik": "tcp/80, tcp/443, udp/443", "caddy": "tcp/80, tcp/443"},
        {"caddy": "192.0.2.5"}, ("tcp/80 is exposed by caddy, too",)),
    "jellyfin": Expected(
        {"jellyfin": "tcp/8096, udp/7359", "gluetun": "tcp/8085, tcp/8888", "homepage": "tcp/3000"}, {},
        ("whatever port of the host",
         "gluetun: may have rules that name an interface")),
    "pihole": Expected(
        {"pihole": "tcp/8080:80, tcp/8443:443"}, {"pihole": ("tcp/53 was bound", "udp/53 was bound")},
        ("pihole: tcp/8443:443 was published for IPv6 alone", "pihole: may have rules that name an interface")),
    "wg-easy": Expected({"wg-easy": "udp/51820"}, {}, ("wg-easy: may have rules that name an interface",),
                        {"wg-easy": ["51821"]}),
    "traefik": Expected(
        {"traefik": "tcp/80, tcp/443, udp/443"},
        {"traefik": ("network proxy, whose driver", "host.docker.internal"), "whoami": "stays off transit"}, stays=("whoami",)),
    "tpot": Expected(
        {"cowrie": "tcp/22, tcp/23", "mailoney": "tcp/25, tcp/587:25", "ciscoasa": "tcp/8443, udp/5000"},
        {"dicompot": "tcp/104:11112, tcp/11112: not exposed", "suricata": "network_mode: host"},
        ("shared no network, and reach each other over transit now (--ports-only lets fewer join): ciscoasa and cowrie",),
        {"elasticsearch": ["64298"], "kibana": ["64296"]}),
    "unraid-br0": Expected(
        {"swag": "tcp/80, tcp/443", "tautulli": "tcp/8181"},
        {"swag": "network br0, whose driver", "plex": "stays off transit"}, ("swag and tautulli",), stays=("plex",)),
    "paperless": Expected({"webserver": "tcp/8000"}, {}, ("(--ports-only leaves them out): broker, db, gotenberg, tika",)),
    "azuracast": Expected(
        {"web": "tcp/80, tcp/443, tcp/2022, tcp/8000, tcp/8005, tcp/8006, tcp/8010, tcp/8015, tcp/8016, tcp/8020-8026, "
                "tcp/8030-8036"}),
    "unifi": Expected(
        {"unifi": "tcp/6789, tcp/8080, tcp/8443, udp/1900, udp/3478, udp/5514, udp/10001", "exporter": "tcp/9130"}, {},
        ("exporter: tcp/9130 was published for IPv4 alone", "transit now (--ports-only lets fewer join): exporter and mongo")),
    "frigate": Expected(
        {"frigate": "tcp/8554, tcp/8555, tcp/8971, udp/8555", "mqtt": "tcp/1883"},
        {"frigate": "macvlan network cameras", "restreamer": "macvlan network cameras",
         "the macvlan network cameras has a subnet without gateway": ""}, stays=("restreamer",)),
    "monitoring": Expected(
        {"prometheus": "tcp/9090", "grafana": "tcp/3000", "blackbox": "tcp/9115"},
        {"prometheus": "host.docker.internal", "node-exporter": "network_mode: host"},
        ("agent: runs no container",), stays=("agent",)),
}
# What still holds of a project that is wrapped already.
LASTING = ("network_mode: host", "uses the host's", "stays off transit", "macvlan network", "on internal networks")


@pytest.fixture(scope="module")
def example_anchor(lab):
    """The network-anchor of compose/example.yaml as Compose understands it: the shape to have."""
    example = ThirdParty(lab, "example", EXAMPLE)
    return json.loads(example.configuration())


def check_anchor(found, example):
    """The service and the networks that were added, against those of compose/example.yaml."""
    anchor, wanted = found["services"]["network-anchor"], dict(example["services"]["network-anchor"])
    for key in ("cap_add", "cap_drop", "security_opt", "read_only", "tmpfs", "restart", "sysctls", "volumes"):
        assert anchor[key] == wanted[key], key
    assert anchor["environment"]["ANCHORD_EXT_NETWORK"] == "lan"
    assert anchor["environment"]["COMPOSE_PROJECT_NAME"] == found["name"]
    assert set(anchor["environment"]) == set(wanted["environment"])
    assert set(anchor["networks"]) == {"lan", "transit"}
    assert anchor["networks"]["lan"]["driver_opts"] == wanted["networks"]["lan"]["driver_opts"]
    transit = found["networks"]["transit"]
    for key in ("driver_opts", "enable_ipv6"):
        assert transit[key] == example["networks"]["transit"][key], key
    assert [set(each["aux_addresses"]) for each in transit["ipam"]["config"]] == [
        {"DefaultGatewayIPv4"}, {"DefaultGatewayIPv6"}]
    assert found["networks"]["lan"] == example["networks"]["lan"]


def has_way_out(project, name):
    """Whether Docker gives the service's own namespace a default route, and not that of the host."""
    service = project["services"][name]
    return service.get("network_mode") == "bridge" or any(
        not project["networks"][network].get("internal") for network in service.get("networks") or {})


def check_service(name, project, after, expected):
    """Its ports have become a label, and nothing else of it has changed but `transit`, which all join that have a way
    out (SPEC 0)."""
    before = project["services"][name]
    assert after.get("labels", {}).get("anchord.expose") == expected.labels.get(name)
    joins = has_way_out(project, name) and name not in expected.stays
    assert ("transit" in (after.get("networks") or {})) == joins
    if name in expected.labels:
        assert joins
        assert not [port for port in after.get("ports", []) if port.get("host_ip", "") in EVERY_ADDRESS]
    if name in expected.labels or name in expected.for_host:
        assert [port["published"] for port in after.get("ports", [])] == expected.for_host.get(name, [])
    for network, place in (before.get("networks") or {}).items():
        found = {key: value for key, value in (after["networks"][network] or {}).items() if key != "interface_name"}
        assert found == (place or {})
    changed = {"ports", "labels", "networks"} | ({"network_mode"} if before.get("network_mode") == "bridge" else set())
    assert {key: value for key, value in before.items() if key not in changed} == {
        key: value for key, value in after.items() if key not in changed}


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_of_others_is_wrapped(lab, anchord_image, example_anchor, name):
    """SPEC 9, wrap: Compose accepts the override, every port is a label, what cannot be done is named."""
    expected = PROJECTS[name]
    project = ThirdParty(lab, name, THIRD_PARTY / f"{name}.yaml")
    before = json.loads(project.configuration())
    result = project.wrap("--address", "10.99.0.70,fd99::70")
    assert result.returncode == (1 if expected.problems else 0), result.stderr
    said = [line.removeprefix("anchord wrap: ") for line in result.stderr.splitlines()]
    problems = [line for line in said if not line.startswith("note: ")]
    wanted = [(service, reason) for service, reasons in expected.problems.items()
              for reason in ((reasons,) if isinstance(reasons, str) else reasons)]
    assert len(problems) == len(wanted), problems
    for service, reason in wanted:
        assert [line for line in problems if line.startswith(f"{service}:") and reason in line], (service, problems)
    for words in expected.notes:
        assert [line for line in said if line.startswith("note: ") and words in line], (words, said)
    assert all(line.removeprefix("note: ") in result.stdout for line in said), "the file says what standard error says"

    project.add_file("override.yaml", result.stdout)
    merged = project.configuration()
    after = json.loads(merged)
    check_anchor(after, example_anchor)
    assert set(after["services"]) == set(before["services"]) | {"network-anchor"}
    for service in before["services"]:
        check_service(service, before, after["services"][service], expected)

    again = project.wrap(text=merged)
    assert "There is nothing to do." in again.stdout
    lasting = [line for line in problems if any(words in line for words in LASTING)]
    assert again.returncode == (1 if lasting else 0)


def test_an_update_of_the_project_is_noticed(lab, anchord_image):
    """SPEC 9, wrap --check: a service more, one less, one with another port, one that goes to the host's network."""
    project = ThirdParty(lab, "authentik", THIRD_PARTY / "authentik.yaml")
    before = json.loads(project.configuration())
    project.add_file("override.yaml", project.wrap("--address", "10.99.0.70").stdout)
    override = project.files.pop()
    same = project.wrap("--check", "/override", volume=override)
    assert (same.returncode, same.stdout) == (0, ""), same
    services = before["services"]
    services["metrics"] = {"image": "x", "ports": [{"target": 9300, "published": "9300", "protocol": "tcp"}]}
    services["server"]["ports"].append({"target": 9001, "published": "81", "protocol": "tcp"})
    del services["ldap"]
    services["worker"] |= {"network_mode": "host", "networks": None}
    changed = project.wrap("--check", "/override", volume=override, text=json.dumps(before))
    assert changed.returncode == 1
    lines = changed.stdout.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["ldap", "metrics", "server", "worker"]
    assert "ldap: is gone" in lines and "metrics: is new: exposes tcp/9300; joins transit" in lines
    assert "it is \"exposes tcp/80:9000, tcp/81:9001, tcp/443:9443; joins transit\"" in changed.stdout
    merged = project.wrap("--check", "/override", volume=override,
                          text=ThirdParty(lab, "both", *project.files, override).configuration())
    assert merged.returncode == 2 and "leave the override out" in merged.stderr


# --- brought up -------------------------------------------------------------------------------------------------------

_numbers = itertools.count(70)
# A service on a network whose name comes before that of transit, which engines before 28 would prefer.
RIVAL = {"services": {"web": {"image": images.SERVICES, "ports": ["80:8080"], "networks": ["rival"]}},
         "networks": {"rival": {"name": "a-rival"}}}

# What nobody on the LAN reaches, and an address on the LAN that everybody does: Docker's own doing.
CLOSED = {"services": {
    "web": compose.echo_service("web", "--tcp", "8080") | {"ports": ["80:8080"]},
    "secret": compose.echo_service("secret", "--tcp", "9000") | {"ports": ["9000:9000"], "networks": ["inside"]},
    "camera": compose.echo_service("camera", "--tcp", "554") | {"networks": {"lan0": {"ipv4_address": "10.99.0.69"}}},
    "caller": compose.echo_service("caller", "--tcp", "1") | {"extra_hosts": ["docker-host:host-gateway"]}},
    "networks": {"inside": {"internal": True}, "lan0": {"external": True, "name": compose.LAN_NETWORK}}}
# wg-easy's rules name eth0.
ROUTER = {"services": {
    "router": compose.echo_service("router", "--tcp", "80") | {"ports": ["80:80"], "cap_add": ["NET_ADMIN"],
                                                               "networks": ["default", "other", "inside"]}},
    "networks": {"other": {}, "inside": {"internal": True}}}
OWN = {"rival": RIVAL, "closed": CLOSED, "router": ROUTER}


@pytest.fixture
def wrapped(request, lab, anchord_image):
    """A project of third_party in the lab's images, wrapped and up, with its addresses on the LAN."""
    number = next(_numbers)
    name = request.param
    project = ThirdParty(lab, f"up-{name}", OWN.get(name, THIRD_PARTY / f"{name}.yaml"))
    project.addresses = (f"10.99.0.{number}", f"fd99::{number}")
    if name not in ("closed", "router"):
        project.add_file("lab.yaml", with_lab_images(project))
    project.wrapping = project.wrap("--address", ",".join(project.addresses), "--engine", lab.engine.version()["engine"])
    project.add_file("override.yaml", project.wrapping.stdout)
    try:
        project.up()
        yield project
    finally:
        if getattr(request.node, "failed", True):
            print(project.wrapping.stdout, project.all_logs())
        project.discard()


def exposed(project):
    """(service that answers, protocol, port outside) for each exposed port."""
    for name, definition in json.loads(project.configuration())["services"].items():
        for item in filter(None, definition.get("labels", {}).get("anchord.expose", "").split(", ")):
            proto, ports = item.split("/")
            yield name, proto, int(ports.split(":")[0].split("-")[0])


def leaving(project):
    """The services that have a way out, and those in their namespaces."""
    definition = json.loads(project.configuration())
    services = definition["services"]
    owners = {name for name in services if has_way_out(definition, name) and name != "network-anchor"}
    guests = {name for name, service in services.items()
              if service.get("network_mode", "").removeprefix("service:") in owners}
    return sorted(owners | guests)


def check_reached(lab, project, ports, services=None):
    """NAT-1, NAT-2, NAT-8: a LAN client reaches every port and is seen with its own address, and what the project sends
    comes from its address, whichever service does (SPEC 0)."""
    client = lab.lanhost1
    for index, address in enumerate(project.addresses):
        for name, proto, port in ports:
            answer = wait_until(lambda p=proto, n=port, a=address: (
                said := client.probe(p, a, n, timeout=0.3)) not in ("timeout", "refused", "unreachable") and said,
                20, f"{name} answers on {proto}/{port} of {address}")
            if name != "gluetun":  # whose ports belong to the services that joined it, too
                assert answer.split()[0] == name
            assert answer.split()[1] == client.addresses[index]
        for name in services or leaving(project):
            seen = project.probe(name, "tcp", lab.outside.addresses[index], OUTSIDE_PORT)
            assert seen.split()[1] == address, f"{name} leaves with {seen}"


@pytest.mark.every_engine
@pytest.mark.parametrize("wrapped", ["gitea", "mailcow", "jellyfin"], indirect=True)
@pytest.mark.not_on("podman", "Compose cannot make a network with the anchor as gateway there")
def test_a_wrapped_project_is_one_machine(lab, wrapped):
    """SPEC 9 with NAT-1, NAT-2, NAT-8, DISC-8: the ports are the project's, and the host's are closed but for itself."""
    ports = list(exposed(wrapped))
    assert len(ports) >= 2
    check_reached(lab, wrapped, ports)
    for _, proto, port in ports:
        if proto == "tcp":
            assert lab.lanhost1.probe("tcp", topology.ENGINE[0], port, timeout=1) == "refused"
    published = {(port["IP"], port["PublicPort"]) for container in wrapped.containers()
                 for port in container["Ports"] if "PublicPort" in port}
    for_host = PROJECTS[wrapped.files[0].stem].for_host
    assert published == {("127.0.0.1", int(port)) for found in for_host.values() for port in found}
    for _, port in published:
        assert lab.host("engine").probe("tcp", "127.0.0.1", port).split()[0] in for_host


@pytest.mark.parametrize("wrapped", ["rival"], indirect=True)
def test_the_way_out_is_the_anchor_beside_a_network_that_comes_first(lab, wrapped):
    """DISC-8: gw_priority, where the engine has it, and a note for those that have it not."""
    assert "gw_priority keeps the network rival from being its way out" in wrapped.wrapping.stderr
    assert json.loads(wrapped.configuration())["services"]["web"]["networks"]["transit"]["gw_priority"] == 1
    check_reached(lab, wrapped, list(exposed(wrapped)))


@pytest.mark.every_engine
@pytest.mark.parametrize("wrapped", ["closed"], indirect=True)
@pytest.mark.not_on("podman", "Compose cannot make a network with the anchor as gateway there")
def test_what_was_closed_stays_closed_when_wrapped(lab, wrapped):
    """SPEC 9, wrap: `ports:` on internal networks alone stay closed, and such a service has no way out; an address on an
    external macvlan network is reached from other subnets as before; what is lost is named, and is lost."""
    said = wrapped.wrapping.stderr
    for start, words in (("secret: tcp/9000: not exposed", "internal"), ("camera: stays off transit", "network lan0"),
                         ("caller: docker-host (extra_hosts: host-gateway)", "Docker host")):
        assert [line for line in said.splitlines() if f"anchord wrap: {start}" in line and words in line], said
    check_reached(lab, wrapped, [("web", "tcp", 80)], ["web", "caller"])
    for address in wrapped.addresses:
        assert lab.lanhost1.probe("tcp", address, 9000, timeout=1) == "refused"
        assert lab.lanhost1.probe("tcp", topology.ENGINE[0], 9000, timeout=1) == "refused"
    for address in lab.outside.addresses:
        assert wrapped.probe("secret", "tcp", address, OUTSIDE_PORT, timeout=1) in ("unreachable", "timeout")
    wait_until(lambda: lab.outside.probe("tcp", "10.99.0.69", 554).split()[:2] == ["camera", lab.outside.addresses[0]], 20,
               "the camera's answer to another subnet")
    gateway = next(line.split()[0] for line in wrapped.namespace("caller").run(
        ["cat", f"/proc/{wrapped.inspect('caller')['State']['Pid']}/root/etc/hosts"]).stdout.splitlines()
        if "docker-host" in line)
    assert wrapped.probe("caller", "tcp", gateway, 9999, timeout=1) != "refused", "the host itself does not answer"


@pytest.mark.parametrize("wrapped", ["router"], indirect=True)
def test_the_way_out_is_eth0_at_each_start(lab, wrapped):
    """SPEC 9, wrap: Docker names interfaces by chance (28.5: transit was eth0 in 11 of 20 starts); with a name for each
    network the container starts each time, and eth0 is transit."""
    assert "router: may have rules that name an interface" in wrapped.wrapping.stderr
    for _ in range(12):
        wrapped.recreate("router")
        namespace = wrapped.namespace("router")
        links = {link["ifname"]: {each["local"] for each in link["addr_info"]}
                 for link in json.loads(namespace.run(["ip", "-j", "-4", "address"]).stdout)}
        assert links["eth0"] == {wrapped.address("router", f"{wrapped.name}_0-transit")}, links
        assert links["eth1"] == {wrapped.address("router", "default")}, links
        route = json.loads(namespace.run(["ip", "-j", "-4", "route", "show", "default"]).stdout)
        assert [each["dev"] for each in route] == ["eth0"]
    check_reached(lab, wrapped, [("router", "tcp", 80)])
