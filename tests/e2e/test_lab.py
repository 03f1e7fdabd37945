"""The lab itself: engine, LAN, clients, and that nothing of it stays behind.

What the other end-to-end tests take for granted is shown here without anchord.
"""

import http.client
import os
import signal
import subprocess

import pytest

from lab import images, roots
from lab.compose import echo_service
from lab.instance import OUTSIDE_PORT, Lab
from lab.machine import CHECKOUT, LabError, run, wait_until

ENGINE_VERSIONS = {"forky": (28, 5), "trixie": (26, 1), "bookworm": (20, 10)}
WEB = ("10.99.0.40", "fd99::40")


def web_on_lan(addresses=WEB, name="web"):
    """A service with an address on the LAN, TCP 80 and 8080, UDP 53."""
    networks = {"lan": {"ipv4_address": addresses[0], "ipv6_address": addresses[1]}}
    return {"services": {"web": echo_service(name, "--tcp", "80,8080", "--udp", "53", networks=networks)},
            "networks": {"lan": {"external": True}}}


@pytest.fixture
def web(project):
    running = project(web_on_lan())
    running.wait_logged("web", "web ready")
    return running


def numbers(version):
    return tuple(int(part) for part in version.split("+")[0].split("-")[0].split("."))


def test_engine_and_compose_are_those_asked_for(lab):
    version = lab.engine.version()["engine"]
    assert numbers(version)[:2] >= ENGINE_VERSIONS[lab.engine.suite]
    if lab.engine.suite == "bookworm":
        assert numbers(version)[:2] == (20, 10)
    assert numbers(lab.docker("compose", "version", "--short").stdout.strip()) >= (2, 40)


def test_engine_has_a_root_and_a_network_of_its_own(lab):
    pid = lab.daemon_pid()
    for kind in ("mnt", "net"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    release = run(lab.enter_engine_command(["cat", "/etc/os-release"])).stdout
    assert f"VERSION_CODENAME={lab.engine.suite}" in release


def test_docker_exec_runs_in_the_container_and_not_on_the_machine(web):
    """With chroot in the place of pivot_root it would be the machine's file that is shown."""
    assert web.exec("web", "cat", "/etc/passwd").stdout == images.ACCOUNTS["etc/passwd"]


@pytest.mark.parametrize("family", (0, 1), ids=("ipv4", "ipv6"))
@pytest.mark.parametrize("proto,port", (("tcp", 80), ("udp", 53)))
def test_client_on_the_lan_is_seen_with_its_own_address_and_port(lab, web, family, proto, port):
    client = lab.lanhost1
    answer = client.probe(proto, WEB[family], port, source_port=40123)
    assert answer == f"web {client.addresses[family]} 40123"
    second = lab.lanhost2
    assert second.probe(proto, WEB[family], port).split()[1] == second.addresses[family]
    assert f"{client.addresses[family]} 40123" in web.logs("web")


@pytest.mark.parametrize("family", (0, 1), ids=("ipv4", "ipv6"))
def test_outside_server_answers_through_the_router_and_sees_the_source(lab, web, family):
    for proto in ("tcp", "udp"):
        seen = web.probe("web", proto, lab.outside.addresses[family], OUTSIDE_PORT)
        assert seen.split()[:2] == ["outside", WEB[family]]
    inside = web.exec("web", "probe", "tcp", lab.outside.addresses[family], str(OUTSIDE_PORT))
    assert inside.stdout.split()[:2] == ["outside", WEB[family]]


def test_closed_ports_and_absent_hosts_are_told_apart(lab, web):
    client = lab.lanhost1
    for address in WEB:
        assert client.probe("tcp", address, 81) == "refused"
        assert client.probe("udp", address, 81) == "refused"
        assert client.ping(address) == address
    # Neighbour resolution fails after three tries of a second each.
    assert client.probe("tcp", "10.99.0.99", 80, timeout=6) == "unreachable"
    assert client.probe("tcp", "203.0.113.77", 80, timeout=0.5) == "timeout"
    assert client.ping("fd99::99", timeout=0.5) is None


def test_neighbour_names_the_mac_that_docker_gave(lab, web):
    endpoints = web.inspect("web")["NetworkSettings"]["Networks"]
    mac = endpoints["lan"]["MacAddress"]
    for address in WEB:
        assert lab.lanhost1.neighbour(address) == web.namespace("web").link_address("eth0")
    assert mac in ("", lab.lanhost1.neighbour(WEB[0]))
    assert lab.lanhost1.neighbour("10.99.0.99") is None
    assert lab.lanhost1.neighbour("fd99::99") is None


@pytest.mark.parametrize("family", (0, 1), ids=("ipv4", "ipv6"))
def test_scanner_finds_exactly_the_open_ports(lab, web, family):
    tcp = lab.lanhost1.scan_tcp(WEB[family], range(1, 65536))
    assert tcp.open == {80, 8080}
    assert len(tcp.refused) == 65533
    udp = lab.lanhost1.scan_udp(WEB[family], range(1, 257))
    assert udp.open == {53}
    assert len(udp.refused | udp.silent) == 255


def test_long_lived_connection_and_pinger_notice_the_end_of_the_service(lab, web):
    client = lab.lanhost1
    with client.connect(WEB[0], 8080, source_port=40200) as connection, \
            client.udp_pinger(WEB[0], 53, source_port=40201, rate=100) as pinger:
        assert connection.identity == ("web", client.ipv4, 40200)
        assert connection.exchange("a line") == "a line"
        wait_until(lambda: len(pinger.replies) >= 5, 5, "five answers to datagrams")
        assert pinger.last_reply() == f"web {client.ipv4} 40201"
        web.signal("web", "KILL")
        wait_until(lambda: not connection.alive(), 5, "broken connection")
        count = len(pinger.replies)
        assert pinger.sent > 0 and count <= pinger.sent


@pytest.mark.parametrize("family", (0, 1), ids=("ipv4", "ipv6"))
def test_capture_shows_addresses_ports_and_ttl(lab, web, family):
    client = lab.lanhost1
    with client.capture() as capture:
        client.probe("udp", WEB[family], 53, source_port=40300)
    request, = capture.matching(proto="udp", source_port=40300)
    reply, = capture.matching(proto="udp", destination_port=40300)
    assert request.outgoing and not reply.outgoing
    assert (request.source, request.destination) == (client.addresses[family], WEB[family])
    assert (reply.source, reply.source_port, reply.ttl) == (WEB[family], 53, 64)
    assert reply.mac == client.neighbour(WEB[family])


def test_capture_shows_announcements(lab, web):
    """Gratuitous ARP and the unsolicited advertisement, which the kernel sends after link up."""
    namespace = web.namespace("web")
    for name in ("ipv4.conf.eth0.arp_notify", "ipv6.conf.eth0.ndisc_notify",
                 "ipv6.conf.eth0.keep_addr_on_down"):
        namespace.set_sysctl(f"net.{name}", 1)
    with lab.lanhost2.capture() as capture:
        for state in ("down", "up"):
            namespace.run(["ip", "link", "set", "eth0", state])
        for address in WEB:
            wait_until(lambda address=address: capture.announced(address), 5, f"news of {address}")
    mac = namespace.link_address("eth0")
    assert {news.mac for address in WEB for news in capture.announced(address)} == {mac}
    assert not capture.announced("10.99.0.99")


def test_bridge_filter_decides_whether_iptables_sees_bridged_frames(lab, project, bridge_filter):
    inner = project({"services": {"a": echo_service("a", "--udp", "53"), "b": echo_service("b")}})
    inner.wait_logged("a", "a ready")
    inner.wait_logged("b", "b ready")
    address = inner.address("a", "default")
    assert inner.probe("b", "udp", address, 53).startswith("a ")
    rule = ["DOCKER-USER", "--protocol", "udp", "--dport", "53", "--jump", "DROP"]
    run(lab.enter_engine_command(["iptables", "--insert", *rule]))
    try:
        answer = inner.probe("b", "udp", address, 53, timeout=0.5)
    finally:
        run(lab.enter_engine_command(["iptables", "--delete", *rule]))
    assert (answer == "timeout") == bool(bridge_filter)


@pytest.fixture
def second_lab(lab):
    second = Lab(f"{lab.name}-b", lab.engine.suite)
    try:
        second.up(bridge_filter=0)
        yield second
    finally:
        second.down()


def test_two_labs_side_by_side_do_not_disturb_each_other(lab, web, second_lab):
    """The same addresses in both; the end of one, after its dockerd was killed, leaves nothing of
    it and the other untouched."""
    second_lab.image(images.SERVICES)
    second_lab.docker("network", "create", "--driver", "macvlan", "--opt", "parent=uplink",
                      "--subnet", "10.99.0.0/24", "lan")
    second_lab.docker("run", "--detach", "--network", "lan", "--ip", WEB[0], images.SERVICES,
                      "services", "--name", "other", "--tcp", "80")
    wait_until(lambda: second_lab.lanhost1.probe("tcp", WEB[0], 80).startswith("other "), 10,
               "answer of the second lab's service")
    with lab.lanhost1.connect(WEB[0], 80) as connection:
        os.kill(second_lab.daemon_pid(), signal.SIGKILL)
        wait_until(lambda: not second_lab.is_up(), 5, "end of the second dockerd")
        assert any(trace.startswith("process") for trace in second_lab.traces())
        second_lab.down()
        assert second_lab.traces() == []
        assert connection.identity[0] == "web" and connection.alive()
    assert lab.is_up()


def test_up_is_idempotent_and_refuses_another_engine(lab, second_lab):
    pid = second_lab.daemon_pid()
    second_lab.set_bridge_filter(1)
    Lab(second_lab.name).up()
    assert second_lab.daemon_pid() == pid
    assert second_lab.bridge_filter() == (1, 1)
    assert Lab(second_lab.name).engine.suite == lab.engine.suite
    with pytest.raises(LabError, match="take it down first"):
        Lab(second_lab.name, "trixie").up()
    assert second_lab.is_up()
    second_lab.down()
    second_lab.down()
    assert second_lab.traces() == []


COMMAND = CHECKOUT / "tests" / "lab" / "lab"


def test_down_removes_what_a_killed_up_left(lab):
    third = Lab(f"{lab.name}-c")
    command = subprocess.Popen([COMMAND, "up", "--name", third.name, "--engine", lab.engine.suite],
                               stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: (third.state / "dockerd.log").exists(), 20, "start of dockerd")
    finally:
        command.kill()
        command.wait()
    assert third.traces() and not third.is_up()
    run([COMMAND, "down", "--name", third.name])
    assert third.traces() == []


def test_the_command_shows_and_enters_a_lab(lab):
    """lab status, list, exec, docker and compose."""
    start = [COMMAND, "--name", lab.name]
    assert f"Docker Engine {lab.engine.version()['engine']}" in run([*start, "status"]).stdout
    assert f"{lab.name} up\n" in run([*start, "list"]).stdout
    assert lab.lanhost1.ipv6 in run([*start, "exec", "lan", "ip", "-6", "address"]).stdout
    assert run([*start, "exec", "engine", "cat", "/etc/resolv.conf"]).stdout == "nameserver 10.99.0.1\n"
    assert run([*start, "docker", "ps", "--quiet"]).stdout == lab.docker("ps", "--quiet").stdout
    assert run([*start, "compose", "ls", "--quiet"]).returncode == 0
    absent = run([COMMAND, "status", "--name", "absent"], check=False)
    assert (absent.returncode, absent.stdout) == (3, "lab absent: not up\n")


def test_an_interrupted_build_leaves_no_half_root(tmp_path, monkeypatch):
    root = roots.Root("broken", "bookworm", ("base-files",))

    def interrupted(command, **_):
        directory = command[-1]
        directory.mkdir()
        (directory / "half").touch()
        raise LabError("interrupted")

    monkeypatch.setattr(roots, "CACHE", tmp_path)
    monkeypatch.setattr(roots, "run", interrupted)
    with pytest.raises(LabError, match="interrupted"):
        roots.ensure(root)
    assert not root.directory().exists()
    monkeypatch.setattr(roots, "run", lambda command, **_: command[-1].mkdir())
    root.directory().with_name(f"{root.directory().name}.partial").mkdir()
    assert roots.ensure(root).is_dir()


def test_socket_proxy_allows_what_its_variables_say(lab, project):
    """The stand-in behaves like Tecnativa's image: sections by variable, POST apart."""
    proxy = project({"services": {"proxy": {
        "image": images.SOCKET_PROXY, "environment": {"CONTAINERS": 1, "NETWORKS": 1},
        "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}}})
    namespace = proxy.namespace("proxy")
    wait_until(lambda: namespace.probe("tcp", "127.0.0.1", 2375, timeout=0.2) == "open", 10,
               "proxy listens")

    def status(method, path):
        connection = http.client.HTTPConnection("127.0.0.1", 2375, timeout=5)
        with namespace:
            connection.connect()
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    for path in ("/_ping", "/version", "/v1.41/containers/json", "/v1.41/networks",
                 "/v1.41/events?until=1"):
        assert status("GET", path) == 200, path
    for path in ("/v1.41/images/json", "/v1.41/secrets", "/v1.41/info", "/v1.41/volumes"):
        assert status("GET", path) == 403, path
    identifier = proxy.container("proxy")
    for method, path in (("POST", f"/v1.41/containers/{identifier}/stop"),
                         ("DELETE", f"/v1.41/containers/{identifier}"),
                         ("POST", "/v1.41/networks/create")):
        assert status(method, path) == 403, (method, path)
    assert proxy.state("proxy") == "running"
