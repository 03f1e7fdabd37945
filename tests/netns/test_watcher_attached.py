"""anchord-watcher of an attached project against a Docker API that says what a test wants (HOST-2 to 6)."""

import errno
import json
import os

import pytest

import fake_docker
import watcher_attached_lab
import watcher_lab
from fake_docker import container_id, endpoint
from netadmin_lab import wait_until
from watcher_attached_lab import (CLOSED_ID, HOST_ID, LABELS, LAN_ID, MAIL_ID, OUTSIDE_ID, PARENT, PUBLISHED, begin, create,
                                  finish, member, on_both, owned, parent_addresses, port, remove_network)

NO_CONTAINER = 342  # of protocol/problem_list.h
MAIL = {"mail_default": (f"br-{MAIL_ID[:12]}", True)}


@pytest.fixture
def lab(build):
    lab = watcher_attached_lab.Lab(build, f"anchord-attached-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def test_published_ports_are_exposed_and_labels_count_alone(lab, docker):
    """HOST-3, NAT-6: wildcards and the parent's addresses; the others are withheld with the reason."""
    docker.put(member(1, [*on_both(8080, 80), *on_both(8081, 81), port(5353, 53, "127.0.0.1", "udp"), port(443, 8443, PARENT),
                          port(22, 22, "10.8.0.1"), {"PrivatePort": 9000, "Type": "tcp"}]))
    docker.put(member(2, on_both(25, 25), expose="udp/53"))
    docker.put(member(3, on_both(8080, 8080)))
    docker.put(member(4, on_both(7000, 7000), project="other"))
    watcher, _ = lab.start_attached()
    watcher.link_control()
    parent_addresses(watcher, PARENT)
    watcher.state({("tcp", 8080, 8081): ("172.20.0.2", 80), ("tcp", 8080, 8081, "v6"): ("fd20::2", 80),
                   ("tcp", 443, 443): ("172.20.0.2", 8443), ("udp", 53, 53): ("172.20.0.3", 53),
                   ("udp", 53, 53, "v6"): ("fd20::3", 53)})
    found = watcher.findings(lambda kinds: len(kinds.get(watcher_lab.PUBLISHED_WITHHELD, ())) == 2)
    assert sorted(found[watcher_lab.PUBLISHED_WITHHELD]) == [
        ("mail-1", "tcp/22 on 10.8.0.1 is not exposed: published on an address that the parent interface does not have"),
        ("mail-1", "udp/5353 on 127.0.0.1 is not exposed: published on the host's loopback address only")]
    assert watcher.logged("port is exposed twice")[0]["container"] == "mail-3"
    parent_addresses(watcher, PARENT, "10.8.0.1")
    watcher.findings(lambda kinds: len(kinds.get(watcher_lab.PUBLISHED_WITHHELD, ())) == 1)


def test_see1_a_project_without_a_container_is_said(lab, docker):
    """SEE-1: as one that is called otherwise now, while the address is that of the old name."""
    docker.put(member(1, on_both(80, 80), project="store"))
    watcher, _ = lab.start_attached()
    watcher.link_control()
    found = watcher.findings(lambda kinds: NO_CONTAINER in kinds)
    assert found[NO_CONTAINER] == [("mail", "Docker knows no running container of a project of that name: nothing answers at its address")]
    docker.start(member(2, on_both(81, 81)))
    watcher.findings(lambda kinds: kinds and NO_CONTAINER not in kinds)
    docker.stop(2)
    watcher.findings(lambda kinds: NO_CONTAINER in kinds)


@pytest.mark.parametrize("expose_from, expected", [(LABELS, {("udp", 53, 53): ("172.20.0.2", 53)}),
                                                   (PUBLISHED, {("tcp", 25, 25): ("172.20.0.2", 25)})])
def test_one_kind_alone(lab, docker, expose_from, expected):
    """HOST-3: ANCHORD_EXPOSE_FROM."""
    networks = {"mail_default": endpoint(MAIL_ID, "172.20.0.2")}
    docker.put(member(1, on_both(25, 25), networks, expose="udp/53"))
    watcher, _ = lab.start_attached(expose_from)
    watcher.state(expected)


def test_the_target_is_on_the_network_of_the_default_route(lab, docker):
    """HOST-4: by gw_priority, else by name, never an internal one; nothing leads over what is no bridge."""
    def networks(number, **priorities):
        return {name: endpoint(identity, f"{subnet}.0.{number + 1}") | {"GwPriority": priorities.get(name, 0)}
                for name, identity, subnet in (("mail_default", MAIL_ID, "172.20"), ("proxy", OUTSIDE_ID, "172.21"),
                                               ("mail_closed", CLOSED_ID, "172.22"))}

    docker.put(member(1, on_both(81, 81), networks(1)))
    docker.put(member(2, on_both(82, 82), networks(2, proxy=1, mail_closed=2)))
    docker.put(member(3, on_both(83, 83), {"mail_closed": endpoint(CLOSED_ID, "172.22.0.4")}))
    docker.put(member(4, on_both(84, 84), {"lan": endpoint(LAN_ID, "192.0.2.40")}))
    docker.put(member(5, mode="host", networks={"host": endpoint(HOST_ID, "")}))
    docker.put(member(6, mode="none", networks={"none": endpoint("6" * 64, "")}))
    watcher, half = lab.start_attached()
    watcher.link_control()
    watcher.state({("tcp", 81, 81): ("172.20.0.2", 81), ("tcp", 82, 82): ("172.21.0.3", 82)})
    half.networks({**MAIL, "proxy": ("proxy0", False)}, [("172.21.0.2", "proxy"), ("172.21.0.3", "proxy")])
    problems = (watcher_lab.INTERNAL_ONLY, watcher_lab.NO_BRIDGE, watcher_lab.NO_OWN_NETWORK)
    found = watcher.findings(lambda kinds: sum(len(kinds.get(problem, ())) for problem in problems) == 4)
    assert [reason[:35] for problem in problems for _, reason in sorted(found[problem])] == [
        "is on internal networks only: nothi", "nothing leads to it, and it leaves ", "is in the host's network (network_m",
        "has no network (network_mode: none)"]
    half.answer_link("proxy", -errno.EPERM, "the bridge is not pinned")
    watcher.state({("tcp", 81, 81): ("172.20.0.2", 81)})
    found = watcher.findings(lambda kinds: ("proxy", "the bridge is not pinned") in kinds.get(watcher_lab.FINDING_LINK, ()))
    assert sorted(found[watcher_lab.FINDING_LINK]) == [("mail_default", ""), ("proxy", "the bridge is not pinned")]
    (who, reason), = found[watcher_lab.NO_LINK]
    assert who == "mail-2" and reason.endswith("there is no link to the network proxy, bridge proxy0: the bridge is not pinned")
    half.answer_link("proxy")
    watcher.state({("tcp", 81, 81): ("172.20.0.2", 81), ("tcp", 82, 82): ("172.21.0.3", 82)})
    watcher.findings(lambda kinds: kinds and watcher_lab.NO_LINK not in kinds)


def test_networks_that_docker_hides_or_that_let_nobody_in(lab, docker):
    """SEE-1, ANC0324, ANC0327: each of the container that it concerns, until the container has gone."""
    docker.networks["6" * 64] = owned("6" * 64, "mail_alone", "172.26.0.0/16") | {
        "Options": {"com.docker.network.bridge.enable_icc": "false"}}
    docker.put(member(1, networks={"gone": endpoint("7" * 64, "172.27.0.2")}, mode="gone"))
    docker.put(member(2, networks={"mail_alone": endpoint("6" * 64, "172.26.0.3")}, mode="mail_alone"))
    watcher, _ = lab.start_attached()
    watcher.link_control()
    found = watcher.findings(lambda kinds: {watcher_lab.NETWORK_UNKNOWN, watcher_lab.ICC_DISABLED} <= set(kinds))
    assert [found[problem][0][0] for problem in (watcher_lab.NETWORK_UNKNOWN, watcher_lab.ICC_DISABLED)] == ["mail-1", "mail-2"]
    docker.stop(1)
    docker.stop(2)
    watcher.findings(lambda kinds: not {watcher_lab.NETWORK_UNKNOWN, watcher_lab.ICC_DISABLED} & set(kinds))


def test_more_addresses_than_are_guarded(lab, docker):
    """SEE-1, ANC0328: 512 are."""
    for number in range(1, 515):
        docker.put(member(number, networks={"proxy": endpoint(OUTSIDE_ID, f"172.21.{number // 250}.{number % 250 + 2}")}, mode="proxy"))
    watcher, _ = lab.start_attached()
    watcher.link_control()
    watcher.findings(lambda kinds: watcher_lab.NOT_GUARDED in kinds)
    for number in (1, 2):
        docker.stop(number)
    watcher.findings(lambda kinds: kinds and watcher_lab.NOT_GUARDED not in kinds)


def test_a_namespace_is_wanted_from_connect_on(lab, docker):
    """HOST-4: again and again until the process is there, once more at `start`, and left at `die`."""
    docker.put(member(1))
    watcher, half = lab.start_attached()
    half.wanted(1)
    half.committed()
    half.answer(1)
    half.networks(MAIL)
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    begin(docker, member(2))
    for _ in range(5):
        half.wanted(2)
        half.answer(2, -errno.ESRCH, "no process is in the container")
    half.serves(2)
    finish(docker, member(2))
    half.serves(2)
    docker.stop(2)
    half.left(2)
    assert half.is_silent()
    assert not [line for line in watcher.lines if line["msg"].startswith("network namespace of a container is not")]


def test_who_is_not_in_scope_is_not_served(lab, docker):
    """HOST-10: nobody is asked for who is on the same network alone; nor one in the host's namespace or without one."""
    docker.put(member(1, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.2")}))
    docker.put(member(2, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.3")}, project="other"))
    docker.put(member(5, mode="host", networks={"host": endpoint(HOST_ID, "")}))
    watcher, half = lab.start_attached()
    half.wanted(1)
    half.committed()
    half.answer(1)
    half.networks({**MAIL, "proxy": ("proxy0", False)}, [("172.21.0.2", "proxy")])
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    stranger = member(3, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.4")}, project="other")
    begin(docker, stranger)
    finish(docker, stranger)
    assert half.is_silent()
    del watcher


def test_who_joins_another_is_served_and_reached_there(lab, docker):
    """DISC-5, HOST-4."""
    docker.put(member(1))
    docker.put(member(2, networks={}, mode=f"container:{container_id(1)}", expose="tcp/80"))
    watcher, half = lab.start_attached()
    assert {half.next_of_namespaces()[1], half.next_of_namespaces()[1]} == {1, 2}
    watcher.state({("tcp", 80, 80): ("172.20.0.2", 80), ("tcp", 80, 80, "v6"): ("fd20::2", 80)})


def test_guarded_from_connect_on(lab, docker):
    """HOST-6: on a network shared with others, before Docker calls the container running."""
    docker.put(member(1, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.2")}))
    _, half = lab.start_attached()
    bridges = {**MAIL, "proxy": ("proxy0", False)}
    half.networks(bridges, [("172.21.0.2", "proxy")])
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    record = member(2, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.3", address6="fd21::3")})
    create(docker, record)
    docker.attached_early = {record["Id"]}
    docker.tell_endpoints("connect", record)
    half.networks(bridges, [("172.21.0.2", "proxy"), ("172.21.0.3", "proxy"), ("fd21::3", "proxy")])
    finish(docker, record)
    docker.stop(2)
    half.networks(bridges, [("172.21.0.2", "proxy")])


def test_two_streams_tell_in_another_order(lab, docker):
    """HOST-4, HOST-6: `connect` is read before `create`, and `disconnect` when a list has shown already that the container
    is gone."""
    docker.put(member(1, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.2")}))
    _, half = lab.start_attached()
    bridges = {**MAIL, "proxy": ("proxy0", False)}
    half.wanted(1)
    half.committed()
    half.networks(bridges, [("172.21.0.2", "proxy")])
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    record = member(2, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.3")})
    docker.attached_early = {record["Id"]}
    docker.put(record | {"State": "created"})
    docker.tell_endpoints("connect", record)
    docker.event("container", "create", record)
    half.wanted(2)
    half.networks(bridges, [("172.21.0.2", "proxy"), ("172.21.0.3", "proxy")])
    finish(docker, record)
    half.serves(2)
    with docker.lock:
        docker.containers.pop(record["Id"])
        del docker.requests[:]
    docker.event("container", "die", record)
    half.left(2)
    wait_until(lambda: any(container_id(2) in path for path in docker.requests), "the list")
    assert half.is_silent()
    docker.tell_endpoints("disconnect", record)
    half.networks(bridges, [("172.21.0.2", "proxy")])


def test_a_project_that_comes_anew_has_its_bridge_again(lab, docker):
    """HOST-9: down and up; the network is known before the first container is connected to it."""
    docker.put(member(1, on_both(80, 80)))
    watcher, half = lab.start_attached()
    half.wanted(1)
    half.committed()
    half.networks(MAIL)
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    docker.stop(1)
    half.left(1)
    docker.networks.pop(CLOSED_ID)
    remove_network(docker, MAIL_ID)
    half.networks({})
    watcher.state({})
    anew = "a" * 64
    docker.networks[anew] = owned(anew, "mail_default", "172.29.0.0/16")
    record = member(2, on_both(80, 80), {"mail_default": endpoint(anew, "172.29.0.2")})
    create(docker, record)
    half.networks({"mail_default": (f"br-{anew[:12]}", True)})
    docker.tell_endpoints("connect", record)
    half.wanted(2)
    finish(docker, record)
    watcher.state({("tcp", 80, 80): ("172.29.0.2", 80)})


def test_a_new_host_half_hears_of_everything(lab, docker):
    """HOST-9, HOST-11: links and namespaces that were started anew."""
    docker.put(member(1))
    docker.put(member(2, networks={"proxy": endpoint(OUTSIDE_ID, "172.21.0.3")}))
    _, half = lab.start_attached()
    state = {**MAIL, "proxy": ("proxy0", False)}, [("172.21.0.3", "proxy")]
    half.networks(*state)
    half.link_again()
    half.networks(*state)
    assert {half.next_of_namespaces()[1], half.next_of_namespaces()[1]} == {1, 2}
    half.committed()


def test_a_refusal_is_said_once_and_asked_again(lab, docker):
    """HOST-4: after refusals it goes on asking; people read why."""
    docker.put(member(1))
    watcher, half = lab.start_attached()
    watcher.link_control()
    half.wanted(1)
    half.committed()
    for _ in range(6):
        half.answer(1, -errno.ENOSPC, "too many containers")
        half.wanted(1)
    found = watcher.findings(lambda kinds: watcher_lab.NAMESPACE_NOT_SERVED in kinds)
    assert found[watcher_lab.NAMESPACE_NOT_SERVED] == [("mail-1", "does not leave by the project's address: too many containers")]
    half.answer(1)
    watcher.findings(lambda kinds: watcher_lab.NAMESPACE_NOT_SERVED not in kinds)
    said = [line for line in watcher.lines if line["msg"].startswith("network namespace of a container is not served")]
    assert len(said) == 1, json.dumps(said)


def test_hostile_answers(lab, docker):
    """DISC-1, HOST-10: names that no interface or terminal takes, ports without end: refused or made plain, and the others
    are served."""
    docker.networks[MAIL_ID]["Name"] = "mail\x1b[2J"
    docker.networks[OUTSIDE_ID]["Options"] = {"com.docker.network.bridge.name": "../eth0"}
    docker.networks["f" * 64] = owned("f" * 64, "long", Options={"com.docker.network.bridge.name": "x" * 4000})
    docker.networks["c" * 12] = owned("c" * 12, "short")
    docker.put(member(1, on_both(80, 80), {"mail_default": endpoint(MAIL_ID, "172.20.0.2"),
                                           "x": endpoint(OUTSIDE_ID, "172.21.0.2")}))
    docker.put(member(2, [{"IP": "nonsense", "PrivatePort": 1, "PublicPort": 1, "Type": "tcp"}]))
    docker.put(member(3, [port(1, 1)] * 65537))
    watcher, half = lab.start_attached()
    watcher.state({("tcp", 80, 80): ("172.20.0.2", 80)})
    half.networks({"mail?[2J": (f"br-{MAIL_ID[:12]}", True), "long": ("br-" + "f" * 12, True)})
    assert watcher.process.poll() is None


def test_a_change_costs_as_much_with_many_containers(lab, docker):
    """The filtered list of one container, whatever else runs; no inspection, no list of networks."""
    for number in range(1, 200):
        docker.put(member(number))
    watcher, half = lab.start_attached(poll=3600.0)
    half.networks(MAIL)
    watcher.next_state()
    wait_until(lambda: sum("/networks?" in path for path in docker.requests) == 2, "the list after the networks are followed")
    del docker.requests[:]
    docker.event("container", "pause", member(7))
    wait_until(lambda: len(docker.requests) >= 4, "an event's checks")
    assert all("/containers/json" in path and container_id(7) in path for path in docker.requests), docker.requests
    assert fake_docker.OWN_ID not in "".join(docker.requests)
