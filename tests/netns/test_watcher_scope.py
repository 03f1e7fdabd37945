"""Which containers anchord-watcher takes into its scope (DISC-2), and at whose address it finds them (DISC-5)."""

import os
import socket
import time
import urllib.parse

import pytest

import fake_docker
import messages
import watcher_lab
from fake_docker import TRANSIT_ID, container, container_id, endpoint
from netadmin_lab import wait_until


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-scope-{os.getpid()}")
    yield lab
    lab.close()


@pytest.fixture
def docker(lab):
    return lab.start_docker()


def labelled(number, **labels):
    """A container that no Compose project made."""
    record = container(number, f"tcp/{number}", labels=labels)
    del record["Labels"]["com.docker.compose.project"]
    return record


def entry(*numbers):
    return {("tcp", number, number): (f"172.30.0.{number + 3}", number) for number in numbers}


def test_disc2_a_selector_takes_those_that_carry_all_of_its_labels(lab, docker):
    docker.put(labelled(1, identity="mail", tier="front"))
    docker.put(labelled(2, identity="mail"))
    docker.put(labelled(3, identity="web", tier="front"))
    docker.put(container(4, "tcp/4"))
    watcher = lab.start(project="", selector=" identity = mail , tier=front ", poll=600)
    watcher.state(entry(1))
    docker.start(labelled(5, identity="mail", tier="front", other="x"))
    docker.start(labelled(6, identity="mail", tier="fronts"))
    watcher.state(entry(1, 5))
    docker.stop(1)
    watcher.state(entry(5))


def test_disc2_an_empty_value_matches_only_itself(lab, docker):
    docker.put(labelled(1, identity=""))
    docker.put(labelled(2, identity="mail"))
    docker.put(labelled(3))
    watcher = lab.start(project="", selector="identity=")
    watcher.state(entry(1))
    assert any("filters" in path and "identity%3D" not in path and "identity" in path for path in docker.requests)


def test_disc2_the_selector_wins_over_the_project(lab, docker):
    docker.put(container(1, "tcp/1"))
    docker.put(container(2, "tcp/2", project="other", labels={"identity": "mail"}))
    watcher = lab.start(project="mail", selector="identity=mail")
    watcher.state(entry(2))


def test_disc2_disjoint_selectors_in_one_project(lab, docker):
    """Several network-anchors: each finds itself by its MAC addresses, and its own backends by its labels."""
    docker.put(container(1, "tcp/1", labels={"identity": "mail"}))
    docker.put(container(2, "tcp/2", labels={"identity": "web"}))
    mail = lab.start(selector="identity=mail")
    web = lab.start(selector="identity=web")
    mail.state(entry(1))
    web.state(entry(2))


def test_disc2_labels_that_docker_writes_over_in_its_events(lab, docker):
    """An event's `name` is the container's: only the list tells the label of that name."""
    watcher = lab.start(project="", selector="name=front", poll=600)
    watcher.state({})
    record = labelled(1)
    record["Labels"]["name"] = "front"
    docker.start(record)
    watcher.state(entry(1))


def test_misspelt_labels_are_named_once(lab, docker):
    docker.put(container(1, "tcp/1", labels={"anchord.expose.v4": "off"}))
    misspelt = container(2, "")
    misspelt["Labels"]["anchord.exspose"] = "tcp/2"
    del misspelt["Labels"]["anchord.expose"]
    docker.put(misspelt)
    docker.put(container(3, "tcp/3", labels={"anchord.target": "x", "anchord.managed-by": "f45"}))
    watcher = lab.start(poll=0.2)
    watcher.state(entry(1, 3))
    lines = {line["container"]: line for line in (watcher.log("label is unknown"), watcher.log("label is unknown", 2))}
    assert (lines["backend-1"]["label"], lines["backend-1"]["did_you_mean"]) == ("anchord.expose.v4", "anchord.expose.v6")
    assert (lines["backend-2"]["label"], lines["backend-2"]["did_you_mean"]) == ("anchord.exspose", "anchord.expose")
    docker.start(container(4, "tcp/4"))
    watcher.state(entry(1, 3, 4))
    assert len(watcher.logged("label is unknown")) == 2


# DISC-5


def joined(number, owner, **keywords):
    """A labelled container in another one's network namespace."""
    record = container(number, f"tcp/{number}", **keywords)
    record["HostConfig"]["NetworkMode"] = f"container:{container_id(owner)}"
    record["NetworkSettings"]["Networks"] = {}
    return record


def owner(number, address, **keywords):
    """A container without our labels."""
    record = container(number, "", address, **keywords)
    record["Labels"] = {"com.docker.compose.project": "elsewhere"}
    return record


def at(number, address):
    return {("tcp", number, number): (address, number)}


def test_disc5_a_joined_container_is_reached_at_its_owners_address(lab, docker):
    docker.put(owner(9, "172.30.0.99"))
    docker.put(joined(1, 9))
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    assert not watcher.logged("no usable IP")
    docker.start(joined(2, 9))
    watcher.state(at(1, "172.30.0.99") | at(2, "172.30.0.99"))


def test_disc5_the_owner_moves_goes_and_comes_back(lab, docker):
    docker.put(owner(9, "172.30.0.99"))
    docker.put(joined(1, 9))
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    docker.connect(owner(9, "172.30.0.77"))
    watcher.state(at(1, "172.30.0.77"))
    docker.stop(9)
    watcher.state({})
    assert watcher.log("no usable IP for container")["container"] == "backend-1"
    docker.start(owner(9, "172.30.0.99"))
    watcher.state(at(1, "172.30.0.99"))


def test_wall7_nobody_is_asked_for_or_heard_of_outside_of_the_scope(lab, docker):
    """Not even the owner of a joined namespace: where it is, our own networks tell. Nor does Docker tell of others: a label
    on each list but the one that finds ourselves, labels or networks on each stream."""
    docker.put(owner(9, "172.30.0.99"))
    docker.put(joined(1, 9))
    docker.put(container(2, "tcp/2", project="bank"))
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    docker.connect(owner(9, "172.30.0.77"))
    watcher.state(at(1, "172.30.0.77"))
    docker.stop(9)
    watcher.state({})
    docker.start(owner(9, "172.30.0.99"))
    watcher.state(at(1, "172.30.0.99"))
    asked = [urllib.parse.unquote(path) for path in docker.requests]
    label = '"label":["com.docker.compose.project=mail"]'
    for path in asked:
        if "/containers" in path:
            assert label in path or path.endswith("/containers/json?filters={}"), path
        elif "/events" in path:
            assert ('"type":["container"]' in path and label in path) or (
                '"type":["network"]' in path and f'"network":["{fake_docker.DMZ_ID}","{TRANSIT_ID}"]' in path), path
    assert sum("/events" in path for path in asked) == 2
    assert sum(path.endswith("/containers/json?filters={}") for path in asked) == 1


def test_disc1_a_network_that_we_join_later_is_followed(lab, docker):
    """Its stream begins anew, and the list is read again: nothing falls between the two. Of the shared network a backend
    can come to without a start."""
    docker.put(fake_docker.own_container(dmz=endpoint(fake_docker.DMZ_ID, "192.0.2.10", fake_docker.EXTERNAL_MAC)))
    docker.put(container(1, "tcp/1"))
    watcher = lab.start(poll=600)
    wait_until(lambda: any("network%22%3A%5B" in path for path in docker.requests), "the first network is followed")
    docker.put(fake_docker.own_container())
    watcher.state(entry(1))
    away = container(1, "tcp/1")
    away["NetworkSettings"]["Networks"] = {}
    docker.connect(away, action="disconnect")
    watcher.state({})
    docker.connect(container(1, "tcp/1"))
    watcher.state(entry(1))
    assert followed(docker) == [
        f'["{fake_docker.DMZ_ID}"]}}', f'["{fake_docker.DMZ_ID}","{TRANSIT_ID}"]}}']
    assert not watcher.logged("Docker cannot be read")


def test_disc6_a_network_that_we_join_late_need_not_wait_for_the_poll(lab, docker):
    """Nobody's patience is over for good: our own link comes, and Docker's list may know of it a moment later (20.10)."""
    docker.put(fake_docker.own_container(dmz=endpoint(fake_docker.DMZ_ID, "192.0.2.10", fake_docker.EXTERNAL_MAC)))
    docker.put(container(1, "tcp/1"))
    external = watcher_lab.link_item(3, "eth1", fake_docker.EXTERNAL_MAC)
    watcher = lab.start(poll=600, link=False)
    watcher.link([external])
    def lists():
        return sum("/containers/json" in path for path in docker.requests)
    wait_until(lambda: lists() > 5, "it looks each second", 15)
    wait_until(lambda seen=[0, 0.0]: is_steady(seen, lists()), "it has stopped to look", 30)
    before = lists()
    watcher.netadmin.send(*watcher_lab.links([watcher_lab.link_item(2, "eth0", fake_docker.SHARED_MAC), external]))
    wait_until(lambda: lists() > before, "it looks at once")
    docker.put(fake_docker.own_container())
    watcher.state(entry(1), deadline=5)


def is_steady(seen, count):
    """Whether a count has been the same for three seconds: longer than from one round to the next."""
    if seen[0] != count:
        seen[:] = count, time.monotonic()
    return time.monotonic() - seen[1] > 3


def test_disc8_networks_of_the_past_make_room(lab, docker):
    """More cannot be followed than have a place in the question; those that nobody is on any more lose theirs."""
    numbers = range(1, 65)
    for number in numbers:
        docker.put(on_network(number, f"{number:02x}" * 32))
    watcher = lab.start(poll=1)
    wait_until(lambda: any(path.count('"') >= 2 * 64 for path in followed(docker)), "as many as can be are followed")
    for number in numbers:
        docker.stop(number)
    docker.put(on_network(99, "99" * 32))
    wait_until(lambda: "99" * 32 in followed(docker)[-1], "the new one is followed", 10)
    assert "01" * 32 not in followed(docker)[-1] and TRANSIT_ID in followed(docker)[-1]
    assert not watcher.logged("Docker cannot be read")


def on_network(number, network_id):
    record = container(number, f"tcp/{number}")
    record["NetworkSettings"]["Networks"] = {f"network-{number}": endpoint(network_id, f"10.0.{number}.2")}
    return record


def followed(docker):
    """The networks of each stream that was asked for."""
    paths = [urllib.parse.unquote(path) for path in docker.requests if "network%22%3A%5B" in path]
    return [path.partition('"network":')[2] for path in paths]


@pytest.mark.parametrize("stream", ["container", "network"])
def test_disc1_either_stream_that_ends_is_begun_again_with_a_list(lab, docker, stream):
    docker.put(container(1, "tcp/1"))
    watcher = lab.start(poll=600)
    watcher.state(entry(1))
    wait_until(lambda: len(docker.streams) == 2, "both streams")
    docker.put(container(2, "tcp/2"))  # without an event
    with docker.lock:
        ended, = (connection for connection, filters in docker.streams.items() if filters["type"] == [stream])
        ended.shutdown(socket.SHUT_RDWR)
    watcher.state(entry(1, 2))
    wait_until(lambda: sum("/events" in path for path in docker.requests) == 4, "both streams again")


def test_disc5_chains_and_rings(lab, docker):
    docker.put(owner(9, "172.30.0.99"))
    middle = joined(8, 9)
    del middle["Labels"]["anchord.expose"]
    docker.put(middle)
    docker.put(joined(1, 8))
    docker.put(joined(2, 3))
    docker.put(joined(3, 2))
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    docker.connect(owner(9, "172.30.0.98"))
    watcher.state(at(1, "172.30.0.98"))


def test_disc5_an_owner_without_the_shared_network(lab, docker):
    elsewhere = owner(9, "172.31.0.9")
    elsewhere["NetworkSettings"]["Networks"] = {"backend": endpoint(fake_docker.BACKEND_ID, "172.31.0.9")}
    docker.put(elsewhere)
    docker.put(joined(1, 9))
    docker.put(container(2, "tcp/2"))
    watcher = lab.start(poll=600)
    watcher.state(entry(2))
    assert watcher.log("no usable IP for container")["container"] == "backend-1"
    elsewhere["NetworkSettings"]["Networks"]["transit"] = endpoint(TRANSIT_ID, "172.30.0.9")
    docker.connect(elsewhere)
    watcher.state(entry(2) | at(1, "172.30.0.9"))


def test_disc5_podman_lists_a_guest_with_its_owners_addresses(lab, docker):
    """Whose namespace it is in is inspected, once; then the owner's events count."""
    docker.only_inspected = ("HostConfig",)
    guest = joined(1, 9)
    guest["NetworkSettings"] = owner(9, "172.30.0.99")["NetworkSettings"]
    docker.put(owner(9, "172.30.0.99"))
    docker.put(guest)
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    wait_until(lambda: any(container_id(9) in path for path in docker.requests), "the owner is asked for")
    docker.connect(owner(9, "172.30.0.77"))
    watcher.state(at(1, "172.30.0.77"))
    docker.stop(9)
    watcher.state({})
    assert sum(path.endswith(f"/containers/{guest['Id']}/json") for path in docker.requests) == 1


def test_disc5_both_stay_incumbents_of_one_address(lab, docker):
    """NAT-6: a restarted watcher finds two containers behind one address."""

    docker.put(container(9, "tcp/99", "172.30.0.99", created=1_700_000_005))
    docker.put(joined(1, 9, created=1_700_000_006))
    docker.put(container(3, "tcp/99, tcp/1", created=1_600_000_000))
    watcher = lab.start(link=False)
    watcher.link(map_items=[messages.exposure("tcp", 1, "172.30.0.99"), messages.exposure("tcp", 99, "172.30.0.99")])
    watcher.state(at(1, "172.30.0.99") | at(99, "172.30.0.99"))


def test_disc1_a_failed_pass_keeps_joined_entries(lab, docker):
    docker.put(owner(9, "172.30.0.99"))
    docker.put(joined(1, 9))
    watcher = lab.start(poll=600)
    watcher.state(at(1, "172.30.0.99"))
    docker.close()
    watcher.log("Docker cannot be read")
    successor = lab.start_docker()
    successor.put(owner(9, "172.30.0.99"))
    successor.put(joined(1, 9))
    successor.put(container(2, "tcp/2"))
    assert watcher.next_state()[1] == at(1, "172.30.0.99") | entry(2)


# --- who needs the keeper (SPEC 6) ---

def dependent(number, project="mail", state="created"):
    record = container(number, "", project=project)
    del record["Labels"]["anchord.expose"]
    return record | {"State": state, "HostConfig": {"NetworkMode": "container:" + container_id(99)}}


@pytest.mark.parametrize("record", [dependent(2), dependent(2, state="exited"), dependent(2, state="running")],
                         ids=lambda record: record["State"])
def test_life1_the_first_list_tells_whether_somebody_joins_anothers_namespace(lab, docker, record):
    docker.put(container(1, "tcp/1"))
    docker.put(record)
    watcher = lab.start(poll=600)
    watcher.from_supervisor_channel(messages.KEEPER_WANTED)
    watcher.state(entry(1))


def test_life1_one_that_is_created_later_is_seen_and_others_are_not(lab, docker):
    docker.put(container(1, "tcp/1"))
    docker.put(dependent(2, project="other"))
    watcher = lab.start(poll=600)
    watcher.state(entry(1))
    for record in (dependent(3, project="other"), container(4, "tcp/4") | {"State": "created"}, dependent(5)):
        docker.put(record)
        docker.event("container", "create", record)
    watcher.from_supervisor_channel(messages.KEEPER_WANTED)
    asked = " ".join(docker.requests)
    assert container_id(5) in asked and container_id(3) not in asked
    docker.start(container(6, "tcp/6"))
    watcher.state(entry(1, 6))
