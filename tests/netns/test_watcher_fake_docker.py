"""anchord-watcher against a Docker API that behaves and one that does not: events to desired states."""

import itertools
import json
import os
import re
import socket
import statistics
import struct
import threading
import time

import pytest

import fake_docker
import messages
import watcher_lab
from fake_docker import DMZ_ID, EXTERNAL_MAC, SHARED_MAC, TRANSIT_ID, container, endpoint
from netadmin_lab import wait_until
from watcher_lab import WEB, web


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-watcher-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


NOT_UNDERSTOOD = 112  # of protocol/problem_list.h
WEB_SECOND = {("tcp", 80, 80): ("172.30.0.5", 80)}


def test_finds_itself_by_mac_and_sends_one_topology(lab, docker):
    """ADDR-9, ADDR-10, GW-1: by MAC addresses; subnets, gateways and auxiliary gateways from IPAM."""
    watcher = lab.start()
    external = messages.network("dmz", EXTERNAL_MAC, [("192.0.2.0/24", "192.0.2.1", None)], "192.0.2.10")
    shared = messages.network("transit", SHARED_MAC, [("172.30.0.0/16", "172.30.255.254", "172.30.0.2"),
                                                      ("fd30::/64", "fd30::1", None)], "172.30.0.2")
    assert watcher.from_supervisor_channel(messages.TOPOLOGY) == external + shared + struct.pack("=2I", 1, 0)
    watcher.state({})
    line = watcher.log("own container found")
    assert (line["container"], line["external_interface"], line["external_network"]) == ("mail-anchord-1", "eth1", "dmz")
    assert watcher.log("discovered shared network")["network"] == "transit"


def test_reports_readiness_and_answers_pings(lab, docker):
    watcher = lab.start()
    assert struct.unpack("=2I", watcher.from_supervisor_channel(messages.READINESS))[0] == messages.DOCKER_CONNECTED
    watcher.supervisor.send(messages.message(messages.PING, generation=77))
    end = time.monotonic() + watcher_lab.DEADLINE
    kinds = {}
    while messages.PONG not in kinds:
        kind, generation, _ = watcher.supervisor.receive(end)
        kinds[kind] = generation
    assert kinds[messages.PONG] == 77
    docker.close()
    docker.drop_connections()
    assert struct.unpack("=2I", watcher.from_supervisor_channel(messages.READINESS))[0] == 0


def test_events_become_states(lab, docker):
    """DISC-6, NAT-1: start, second service, stop, disconnect and connect, pause."""
    watcher = lab.start()
    watcher.state({})
    docker.start(web())
    watcher.state(WEB)
    docker.start(container(2, "udp/53, tcp/636:6636"))
    both = WEB | {("udp", 53, 53): ("172.30.0.5", 53), ("tcp", 636, 636): ("172.30.0.5", 6636)}
    watcher.state(both)
    moved = web(address="172.30.9.9")
    docker.connect(moved)
    watcher.state(both | {("tcp", 80, 80): ("172.30.9.9", 80)})
    paused = web(address="172.30.9.9")
    paused["State"] = "paused"
    docker.put(paused)
    docker.event("container", "pause", paused)
    watcher.stays_silent(0.5)
    docker.stop(2)
    watcher.state({("tcp", 80, 80): ("172.30.9.9", 80)})
    docker.stop(1)
    watcher.state({})


def asked_about(docker):
    """The containers that each request names, from the first such request on."""
    named = [re.findall("%22(0[0-9a-f]{63})%22", path) for path in docker.requests]
    return [numbers and [int(identity, 16) for identity in numbers]
            for numbers in itertools.dropwhile(lambda numbers: not numbers, named)]


def test_an_event_costs_one_filtered_request(lab, docker):
    """DISC-1: not a list of everything; other projects' events cost nothing. Each is asked as often again as DISC-6 wants
    confirmations, the last of them 3.5 s later: by then the first one's start is over, and of the second one all is asked
    when the third one's state is there."""
    watcher = lab.start(poll=600)
    watcher.state({})
    wanted = {}
    for number in (1, 2, 3):
        docker.put(container(number, f"tcp/{number}"))
        docker.event("container", "start", container(number, f"tcp/{number}"))
        wanted[("tcp", number, number)] = (f"172.30.0.{number + 3}", number)
        watcher.state(wanted)
        if number < 3:
            wait_until(lambda n=number: asked_about(docker).count([n]) >= 4, "its request and its confirmations", 20)
            docker.start(web(7, project="other"))
    asked = asked_about(docker)
    assert asked[asked.index([2]):asked.index([3])] == [[2], [2], [2], [2]]


def test_an_event_that_comes_before_its_effect(lab, docker):
    """DISC-6: Engine 20.10 sends `connect`, 28.5 `disconnect`, before its lists know: both are seen within 5 s."""
    docker.put(web())
    watcher = lab.start(poll=600)
    watcher.state(WEB)
    detached = web()
    attached = web(address="172.30.7.7")
    detached["NetworkSettings"]["Networks"] = {}
    for effect, event, expected in ((detached, "disconnect", {}),
                                    (attached, "connect", {("tcp", 80, 80): ("172.30.7.7", 80)})):
        seen = len(docker.requests)
        docker.connect(docker.containers[effect["Id"]][0], action=event)
        wait_until(lambda start=seen: len(docker.requests) > start, "a request")
        docker.put(effect)
        watcher.state(expected, deadline=5)


def test_reconciled_is_logged_with_the_time_from_the_event(lab, docker):
    watcher = lab.start()
    watcher.state({})
    watcher.netadmin.send(watcher_lab.applied(1))
    assert "event_to_map_us" not in watcher.log("reconciled")
    docker.start(web())
    generation, _ = watcher.next_state()
    watcher.netadmin.send(watcher_lab.applied(generation))
    line = watcher.log("reconciled", 2)
    assert (line["backends"], line["entries"], line["conntrack_flushed"]) == (1, 1, 0)
    assert 0 < line["event_to_map_us"] < 5_000_000


def test_v6_is_mirrored_unless_off(lab, docker):
    """NAT-7"""
    watcher = lab.start()
    docker.start(web(1, address6="fd30::4"))
    docker.start(container(2, "tcp/25", address6="fd30::5", labels={"anchord.expose.v6": "off"}))
    watcher.state(WEB | {("tcp", 80, 80, "v6"): ("fd30::4", 80), ("tcp", 25, 25): ("172.30.0.5", 25)})


def test_conflict_takeover_and_restart(lab, docker):
    """NAT-6: the older one at the start, the incumbent later, also after the watcher's restart; then the other."""
    docker.put(web(1, created=200))
    docker.put(web(2, created=100))
    watcher = lab.start()
    watcher.state(WEB_SECOND)
    line = watcher.log("port is exposed twice")
    assert (line["container"], line["holder"], line["proto"], line["port"]) == ("backend-1", "backend-2", "tcp", "80")
    docker.stop(2)
    watcher.state(WEB)
    docker.start(web(2, created=100))
    watcher.log("port is exposed twice", 2)
    watcher.stays_silent(0.3)
    watcher.close()

    successor = lab.start(link=False)
    successor.link(map_items=[messages.exposure("tcp", 80, "172.30.0.4")])
    successor.state(WEB)
    docker.stop(1)
    successor.state(WEB_SECOND)


def test_a_faulty_label_is_named_and_spoils_nobody_else(lab, docker):
    """DISC-3, NAT-7"""
    docker.put(container(2, "tcp/25, tcp/70000"))
    docker.put(container(3, "tcp/26", labels={"anchord.expose.v6": "sometimes"}))
    docker.put(web())
    watcher = lab.start()
    watcher.state(WEB)
    faults = {line["container"]: line for line in (watcher.log("label is invalid"), watcher.log("label is invalid", 2))}
    assert (faults["backend-2"]["label"], faults["backend-2"]["position"]) == ("anchord.expose", 13)
    assert faults["backend-3"]["label"] == "anchord.expose.v6"


def test_odd_containers_are_left_out(lab, docker):
    """DISC-1: control characters, wrong types, no address: named once, the others work."""
    odd = web(2)
    odd["Created"] = "yesterday"
    docker.put(odd)
    docker.put(container(3, "tcp/81", name='x"\x1b[31m\n{"level":"ERROR"}'))
    docker.put(container(5, "tcp/80", name='y"\x1b[31m\n{"level":"ERROR"}', created=1_800_000_000))
    no_address = container(4, "tcp/82")
    no_address["NetworkSettings"]["Networks"]["transit"]["IPAddress"] = ""
    docker.put(no_address)
    docker.put(web())
    watcher = lab.start(poll=0.2)
    watcher.state(WEB | {("tcp", 81, 81): ("172.30.0.6", 81)})
    assert watcher.log("port is exposed twice")["container"] == 'y"\x1b[31m\n{"level":"ERROR"}'
    assert watcher.log("odd container")["err"] == "Created is no time"
    assert watcher.log("no usable IP for container")["network"] == "transit"
    seen = len(docker.requests)
    wait_until(lambda: len(docker.requests) >= seen + 3, "three more requests")
    assert len([line for line in watcher.logged("odd container") if line["level"] == "WARN"]) == 1
    assert sorted(line["container"] for line in watcher.logged("no usable IP")) == ["backend-4"]


def test_disc1_an_odd_container_is_a_problem_while_it_is_there(lab, docker):
    """DISC-1, SEE-1: whoever looks for it in status finds it, and not for ever."""
    odd = [container(number, "tcp/81" + " " * 16000) for number in (2, 3)]
    for one in (web(), *odd):
        docker.put(one)
    watcher = lab.start()
    watcher.link_control()
    watcher.state(WEB)
    why = "anchord leaves it out: a label that we read is longer than 15999 bytes or no text"
    watcher.findings(lambda kinds: kinds.get(NOT_UNDERSTOOD) == [("backend-2", why), ("backend-3", why)])
    docker.stop(2)
    watcher.findings(lambda kinds: kinds.get(NOT_UNDERSTOOD) == [("backend-3", why)])
    docker.stop(3)
    watcher.findings(lambda kinds: kinds and NOT_UNDERSTOOD not in kinds)


def test_keeps_the_state_while_docker_is_away(lab, docker):
    """DISC-1: no state lost, no busy loop; the list is read again at the reconnect."""
    docker.put(web())
    watcher = lab.start()
    watcher.state(WEB)
    docker.close()
    watcher.log("Docker cannot be read, keeping the last state")
    watcher.stays_silent(1.0)
    successor = lab.start_docker()
    successor.put(web())
    successor.put(container(2, "tcp/25"))
    watcher.state(WEB | {("tcp", 25, 25): ("172.30.0.5", 25)})
    assert len(watcher.logged("Docker cannot be read")) <= 3


def stale_proxy(connection):
    """What haproxy says whose socket file is not Docker's any more."""
    fake_docker.send(connection, 503, b"<html><body><h1>503 Service Unavailable</h1></body></html>", "text/html")


def test_status_says_that_docker_cannot_be_read(lab, docker):
    """Since when, why and what to do; what is exposed stays on show; gone when Docker is read again."""
    docker.put(web())
    watcher = lab.start()
    watcher.link_control()
    found = watcher.findings(lambda kinds: watcher_lab.FINDING_EXPOSED in kinds)
    assert watcher_lab.DOCKER_AWAY not in found
    docker.misbehave["/"] = stale_proxy
    docker.drop_connections()
    found = watcher.findings(lambda kinds: any("503" in text for _, text in kinds.get(watcher_lab.DOCKER_AWAY, ())))
    (name, text), = found[watcher_lab.DOCKER_AWAY]
    assert name == "Docker"
    assert re.match(r"cannot be read since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ: .*503.*; what is exposed stays, nothing new is "
                    r"seen; if Docker runs, ", text), text
    assert watcher_lab.FINDING_EXPOSED in found
    docker.misbehave.clear()
    watcher.findings(lambda kinds: watcher_lab.DOCKER_AWAY not in kinds and watcher_lab.FINDING_EXPOSED in kinds)


def test_status_says_that_docker_was_never_read(lab, docker):
    docker.misbehave["/version"] = stale_proxy
    watcher = lab.start()
    watcher.link_control()
    found = watcher.findings(lambda kinds: watcher_lab.DOCKER_AWAY in kinds)
    assert set(found) == {watcher_lab.DOCKER_AWAY}


def broken(body, length=None):
    """Answers 200 with `body`, cut after it when `length` promises more."""
    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (length or len(body)) + body)
        if length:
            connection.shutdown(socket.SHUT_RDWR)
    return answer


@pytest.mark.parametrize("answer", [
    broken(b"<html>502</html>"), broken(b'[{"Id": "'), broken(b"[" * 5000), broken(b'[{"Id": "', 1000), broken(b"{}"),
    broken(b"[1, null, [], {}]" + b"\0"), broken(b""),
], ids=["html", "half", "deep", "cut", "object", "nul", "empty"])
def test_garbage_keeps_the_last_state(lab, docker, answer):
    docker.put(web())
    watcher = lab.start(poll=0.1)
    watcher.state(WEB)
    docker.misbehave["/containers/json"] = answer
    watcher.log("Docker cannot be read")
    watcher.stays_silent(0.3)
    docker.misbehave.clear()
    docker.start(container(2, "tcp/25"))
    watcher.state(WEB | {("tcp", 25, 25): ("172.30.0.5", 25)})


def test_a_first_list_that_failed_is_asked_for_at_the_reconnect(lab, docker):
    """DISC-1: not at the poll, which is 30 s away; nothing is exposed before."""
    docker.put(web())
    docker.misbehave["/containers/json"] = broken(b"<html>502</html>")
    watcher = lab.start()
    watcher.log("Docker cannot be read")
    docker.misbehave.clear()
    watcher.state(WEB)


def test_garbage_events_are_passed_over(lab, docker):
    watcher = lab.start()
    watcher.state({})
    for event in ({}, [], 3, {"Type": "container"}, {"Type": "container", "Actor": None},
                  {"Type": "container", "Action": 3, "Actor": {"ID": "x\ny", "Attributes": []}},
                  {"Type": "network", "Action": "connect", "Actor": {"ID": "n", "Attributes": {"container": "../.."}}}):
        docker.send_event(event)
    docker.start(web())
    watcher.state(WEB)
    docker.send_raw_event(b"no JSON at all\n")
    watcher.log("Docker cannot be read")
    docker.start(container(2, "tcp/25"))
    watcher.state(WEB | {("tcp", 25, 25): ("172.30.0.5", 25)})


def test_lost_events_are_found_by_the_poll(lab, docker):
    """DISC-1: events are only hints."""
    watcher = lab.start(poll=0.3)
    watcher.state({})
    docker.put(web())
    watcher.state(WEB)


def test_a_hung_docker_is_noticed(lab, docker):
    watcher = lab.start(poll=0.5)
    watcher.state({})
    released = threading.Event()
    docker.misbehave["/containers/json"] = lambda connection: released.wait()
    line = watcher.log("Docker cannot be read", deadline=15)
    assert "imed out" in line["err"] or "imeout" in line["err"], line
    docker.misbehave.clear()
    released.set()
    docker.put(web())
    watcher.state(WEB)


def test_a_missing_permission_is_named(lab, docker):
    docker.misbehave["/networks/"] = lambda connection: fake_docker.send(
        connection, 403, b"<html><body><h1>403 Forbidden</h1></body></html>", "text/html")
    watcher = lab.start()
    assert watcher.log("Docker cannot be read")["err"] == (
        f"GET /v1.51/networks/{DMZ_ID} denied by the socket proxy (403): allow NETWORKS=1")


@pytest.mark.parametrize("versions, text", [
    ({"ApiVersion": "1.40", "MinAPIVersion": "1.12", "Version": "19.03"}, "too old"),
    ({"ApiVersion": "1.99", "MinAPIVersion": "1.90", "Version": "99.0"}, "too new"),
    ({"message": "hello"}, "no Docker API"),
])
def test_api_versions_that_do_not_meet_are_named(lab, docker, versions, text):
    docker.versions = versions
    watcher = lab.start()
    assert text in watcher.log("Docker cannot be read")["err"]


def test_an_engine_of_2020_and_one_of_the_future(lab, docker):
    docker.versions = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"}
    docker.put(web())
    watcher = lab.start()
    watcher.state(WEB)
    assert any(path.startswith("/v1.41/containers/json") for path in docker.requests)


def test_nothing_but_the_version_is_asked_before_the_links_are_known(lab, docker):
    """ADDR-10, NAT-6: the version takes a real engine as long as all else, and tells nothing that the links decide about."""
    docker.put(web())
    watcher = lab.start(link=False)
    wait_until(lambda: docker.requests, "the first question")
    watcher.supervisor.send(messages.message(messages.PING))
    watcher.from_supervisor_channel(messages.PONG)  # it has had its turn
    assert docker.requests == ["/version"]
    watcher.link()
    watcher.state(WEB)
    assert docker.requests.count("/version") == 1


def test_external_network_attached_late(lab, docker):
    """ADDR-9: retry; DISC-4's network alone is not enough."""
    docker.put(fake_docker.own_container(transit=endpoint(TRANSIT_ID, "172.30.0.2", SHARED_MAC)))
    docker.put(web())
    watcher = lab.start(link=False)
    watcher.link([watcher_lab.link_item(2, "eth0", SHARED_MAC)])
    wait_until(lambda: sum("label" not in path for path in docker.requests if "/containers" in path) >= 2, "two looks for ourselves")
    own = fake_docker.own_container()
    watcher.netadmin.send(*watcher_lab.links([watcher_lab.link_item(2, "eth0", SHARED_MAC),
                                              watcher_lab.link_item(3, "eth1", EXTERNAL_MAC)]))
    docker.connect(own, DMZ_ID)
    watcher.from_supervisor_channel(messages.TOPOLOGY)
    watcher.state(WEB)


def test_external_network_never_attached_is_fatal(lab, docker):
    """ADDR-9: 10 s after the API first answered, naming the network and those that are attached."""
    watcher = lab.start(external="lan")
    assert watcher.process.wait(timeout=15) == 1
    line = watcher.log("external network is not attached")
    assert (line["wanted"], sorted(line["attached"].split(", "))) == ("lan", ["dmz", "transit"])


def test_pinned_shared_network_not_ours_is_fatal(lab, docker):
    """DISC-4"""
    watcher = lab.start(shared="elsewhere")
    assert watcher.process.wait(timeout=15) == 1
    assert watcher.log("shared network is not attached")["wanted"] == "elsewhere"


def test_only_the_external_network_is_an_error(lab, docker):
    """DISC-4"""
    docker.put(fake_docker.own_container(dmz=endpoint(DMZ_ID, "192.0.2.10", EXTERNAL_MAC)))
    watcher = lab.start(link=False)
    watcher.link([watcher_lab.link_item(3, "eth1", EXTERNAL_MAC)])
    assert "project-internal network is needed" in watcher.log("this container is only on the external network")["msg"]


def test_external_interface_by_name(lab, docker):
    """ADDR-9: without a network's name."""
    docker.put(web())
    watcher = lab.start(external="", interface="eth1")
    watcher.state(WEB)
    assert watcher.log("own container found")["external_network"] == "dmz"


@pytest.mark.parametrize("api, line", [
    ("1.41", 'sysctls: {net.ipv6.conf.eth1.accept_ra: "2"}'),
    ("1.45", 'sysctls: {net.ipv6.conf.eth1.accept_ra: "2"}'),
    ("1.46", 'networks: {dmz: {driver_opts: {com.docker.network.endpoint.sysctls: '
             '"net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2"}}}'),
])
def test_ignored_router_advertisements_are_named_with_the_line_for_the_engine(lab, docker, api, line):
    """ADDR-14"""
    docker.versions = docker.versions | {"ApiVersion": api}
    watcher = lab.start(link=False)
    flags = watcher_lab.IPV6_FORWARDS
    own_links = [watcher_lab.link_item(2, "eth0", SHARED_MAC), watcher_lab.link_item(3, "eth1", EXTERNAL_MAC, flags)]
    watcher.link(own_links)
    assert watcher.log("external interface ignores router advertisements")["compose"] == line
    watcher.netadmin.send(*watcher_lab.links(own_links))
    watcher.supervisor.send(messages.message(messages.PING, generation=5))
    watcher.from_supervisor_channel(messages.PONG)
    assert len(watcher.logged("external interface ignores")) == 1


@pytest.mark.parametrize("api, level, line", [
    ("1.41", "INFO", "none before Engine 27"),
    ("1.48", "WARN", 'networks: {dmz: {driver_opts: {com.docker.network.endpoint.sysctls: '
                     '"net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2"}}}'),
])
def test_a_router_on_the_lan_is_named_with_the_line_for_the_engine(lab, docker, api, level, line):
    """ADDR-14: not when the interface itself does not forward."""
    docker.versions = docker.versions | {"ApiVersion": api}
    watcher = lab.start(link=False)
    router = watcher_lab.IPV6_FORWARDS | watcher_lab.IPV6_ACCEPTS_RA
    watcher.link([watcher_lab.link_item(2, "eth0", SHARED_MAC, router),
                  watcher_lab.link_item(3, "eth1", EXTERNAL_MAC, router)])
    said = watcher.log("on the LAN this is an IPv6 router")
    assert said["level"] == level and said["compose"].startswith(line) and said["interface"] == "eth1"


ROUTER_TEXT = ("on the LAN this is an IPv6 router: it answers for the subnet's router address and says so to the neighbours; "
               'networks: {dmz: {driver_opts: {com.docker.network.endpoint.sysctls: '
               '"net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2"}}}')
IGNORES_TEXT = ("external interface ignores router advertisements: accept_ra is below 2 while forwarding is on; "
                "sysctls: {net.ipv6.conf.eth1.accept_ra: \"2\"}")


@pytest.mark.parametrize("api, flags, text", [
    ("1.48", watcher_lab.IPV6_FORWARDS | watcher_lab.IPV6_ACCEPTS_RA, ROUTER_TEXT),
    ("1.41", watcher_lab.IPV6_FORWARDS | watcher_lab.IPV6_ACCEPTS_RA, None),  # no line could mend it
    ("1.41", watcher_lab.IPV6_FORWARDS, IGNORES_TEXT),
], ids=["router", "router-that-must-be", "ignores"])
def test_what_the_interface_lacks_is_a_problem_of_status_while_it_lasts(lab, docker, api, flags, text):
    """ADDR-14: under Problems with the line that mends it; gone when a new container has it right."""
    docker.versions = docker.versions | {"ApiVersion": api}
    docker.put(web())
    watcher = lab.start(link=False, poll=0.3)

    def links(of_external):
        return [watcher_lab.link_item(2, "eth0", SHARED_MAC, 0), watcher_lab.link_item(3, "eth1", EXTERNAL_MAC, of_external)]

    watcher.link(links(flags))
    watcher.link_control()
    wanted = [("mail-anchord-1", text)] if text else []
    watcher.findings(lambda kinds: watcher_lab.FINDING_EXPOSED in kinds and watcher_lab.of_external(kinds) == wanted)
    watcher.netadmin.send(*watcher_lab.links(links(watcher_lab.IPV6_ACCEPTS_RA)))
    watcher.findings(lambda kinds: watcher_lab.FINDING_EXPOSED in kinds and not watcher_lab.of_external(kinds))


def test_a_new_netadmin_gets_the_whole_state(lab, docker):
    """Architecture: after each LINK, in full; the watcher lives on."""
    docker.put(web())
    watcher = lab.start()
    watcher.state(WEB)
    watcher.netadmin.own.close()
    watcher.log("connection to netadmin ended")
    watcher.link()
    watcher.state(WEB)


def test_a_refused_state_is_sent_again_at_the_poll(lab, docker):
    """SEE-1: and it is shown until one is taken."""
    docker.put(web())
    watcher = lab.start(poll=0.3)
    watcher.link_control()
    generation, _ = watcher.next_state()
    watcher.netadmin.send(watcher_lab.applied(generation, -1, b"outside transit"))
    assert watcher.log("netadmin refused the desired state")["reason"] == "outside transit"
    found = watcher.findings(lambda kinds: watcher_lab.STATE_REFUSED in kinds)
    assert found[watcher_lab.STATE_REFUSED][0][1].endswith("holds: outside transit")
    sent, _ = watcher.next_state()
    assert sent == generation + 1
    watcher.netadmin.send(watcher_lab.applied(sent))
    watcher.findings(lambda kinds: kinds and watcher_lab.STATE_REFUSED not in kinds)


def test_stop_and_a_lost_supervisor_end_it(lab, docker):
    watcher = lab.start()
    watcher.state({})
    watcher.supervisor.send(messages.stop(messages.STOP_TEAR_DOWN))
    assert watcher.process.wait(timeout=2) == 0
    orphan = lab.start()
    orphan.state({})
    orphan.supervisor.own.close()
    assert orphan.process.wait(timeout=2) == 0


def test_a_name_is_resolved_without_threads_and_again_at_the_reconnect(lab):
    """SPEC 10: DOCKER_HOST=tcp://name:port; the socket proxy came back with another address."""
    name_server = fake_docker.NameServer(lab.namespace)
    resolv_conf = lab.scratch / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\noptions ndots:0\n")
    listener = fake_docker.in_namespace(lab.namespace, lambda: fake_docker.listen("127.0.0.2", 2375))
    docker = fake_docker.FakeDocker(listener)
    docker.put(web())
    watcher = lab.start(resolv_conf, docker_host="tcp://docker-proxy:2375")
    watcher.state(WEB)
    assert os.listdir(f"/proc/{watcher.process.pid}/task") == [str(watcher.process.pid)]
    name_server.address = "127.0.0.3"
    docker.close()
    successor = fake_docker.FakeDocker(fake_docker.in_namespace(lab.namespace, lambda: fake_docker.listen("127.0.0.3", 2375)))
    successor.put(web(2))
    watcher.state(WEB_SECOND)
    successor.close()
    name_server.close()


def test_a_name_without_address_is_named(lab):
    name_server = fake_docker.NameServer(lab.namespace, address=None)
    resolv_conf = lab.scratch / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    watcher = lab.start(resolv_conf, docker_host="tcp://docker-proxy:2375")
    assert "cannot resolve docker-proxy" in watcher.log("Docker cannot be read")["err"]
    name_server.close()


def event_times(watcher, docker, rounds):
    """Microseconds from Docker's event to the complete message for netadmin."""
    times = []
    for index in range(rounds):
        record = container(5000, "tcp/9999", address=f"172.30.200.{index % 200 + 1}")
        if index % 2:
            docker.stop(5000)
        else:
            docker.put(record)
        begun = time.monotonic()
        if not index % 2:
            docker.event("container", "start", record)
        watcher.await_commit()
        times.append((time.monotonic() - begun) * 1e6)
    return times[::2]


@pytest.mark.parametrize("count", [1, 200, 1000])
def test_the_cost_of_an_event_does_not_grow_with_the_containers(lab, docker, count):
    """DESIGN 2: event to message with 1, 200 and 1,000 labelled containers; the goal for the whole path is 3 ms."""
    for number in range(1, count + 1):
        docker.put(container(number, f"tcp/{number}, udp/{number}"))
    watcher = lab.start()
    watcher.state({(proto, number, number): (f"172.30.{number // 250}.{number % 250 + 3}", number)
                   for proto in ("tcp", "udp") for number in range(1, count + 1)})
    times = sorted(event_times(watcher, docker, 100))
    figures = {"containers": count, "p50_us": round(statistics.median(times)), "p95_us": round(times[-3]),
               "max_us": round(times[-1]), "pss_kB": watcher.resident()}
    print(json.dumps(figures))
    assert statistics.median(times) < 20_000
