"""anchord-keeper as an external-rebinder against an engine that refuses what real ones refuse (LIFE-5).

The follower is `monitor` of the project `mail`; the network `bus` belongs to the project `peer`, whose containers `db` and
`app` have fixed addresses there, the lowest ones, which Docker gives to whoever comes first.
"""

import concurrent.futures
import threading

import pytest

from keeper_lab import KeeperLab, ROLE_EXTERNAL_REBINDER
from supervision import wait_until

BUS, FOLLOWER = "bus", "monitor"
PEERS = {"db": "172.29.7.2", "app": "172.29.7.3"}
ALIASES, ADDRESS = [FOLLOWER, "collector"], "172.29.7.9"


def add_follower(engine, **options):
    return engine.add(FOLLOWER, networks={BUS: {"aliases": ALIASES, "address": ADDRESS}},
                      labels={"com.docker.compose.oneoff": "False"}, **options)


def peer_up(engine, start=PEERS):
    """`compose up`: the network if it is not there, then all containers, then each is started."""
    if BUS not in engine.by_name:
        engine.make_network(BUS)
    with engine.lock:
        for name in PEERS:
            if not engine.find(name):
                engine.add(name, project="peer", running=False, networks={BUS: {"address": PEERS[name]}})
    for name in start:
        start_peer(engine, name)


def start_peer(engine, name):
    with engine.lock:
        assert engine.run(engine.named(name)) is None


def stop_peers(engine):
    for name in PEERS:
        with engine.lock:
            engine.halt(engine.named(name))


def peer_down(engine):
    """`compose down`, once whoever else is on the network has had his time to leave it."""
    stop_peers(engine)
    for name in PEERS:
        engine.remove(name)
    wait_until(lambda: engine.remove_network(BUS), 10)


def follow(lab, restarts=False, backoff=0.05, steady=0.3, limit=60, target=FOLLOWER, **options):
    keeper = lab.start(role=ROLE_EXTERNAL_REBINDER, follow=(BUS, target, restarts, backoff, steady, limit), **options)
    keeper.log("connected to Docker")
    return keeper


def wait_joined(engine):
    wait_until(lambda: engine.is_on(FOLLOWER, BUS), 20)
    with engine.lock:
        endpoint = engine.named(FOLLOWER)["NetworkSettings"]["Networks"][BUS]
        assert endpoint["NetworkID"] == engine.by_name[BUS]["Id"] and not engine.collisions
        return endpoint


def commands(engine):
    return [resource.split("/")[-1] for _, resource in engine.writes]


@pytest.fixture
def keeper_lab(build):
    lab = KeeperLab(build)
    yield lab
    lab.close()


@pytest.fixture
def joined(keeper_lab):
    """The peer is up, and the follower on its network."""
    peer_up(keeper_lab.engine)
    add_follower(keeper_lab.engine)
    return keeper_lab


def test_the_network_can_be_removed_and_is_joined_when_it_is_made_anew(joined):
    """LIFE-5: released with the last other endpoint; back on another ID, with aliases and address; the peer had its own."""
    engine = joined.engine
    keeper = follow(joined)
    for count in (1, 2):
        before = engine.by_name[BUS]["Id"]
        peer_down(engine)
        assert keeper.log("leaving the network", count)["network_id"] == before
        peer_up(engine)
        endpoint = wait_joined(engine)
        assert endpoint["NetworkID"] != before and endpoint["IPAddress"] == ADDRESS and endpoint["Aliases"] == ALIASES
        assert keeper.log("network rejoined", count)["container"] == FOLLOWER
    assert keeper.log("rejoining the network")["reason"] == "the network has settled"
    assert commands(engine) == ["disconnect", "connect"] * 2


def test_a_stale_endpoint_is_found_at_the_start(keeper_lab):
    """LIFE-5: another ID than that of the network by that name: disconnect, connect. Docker does not start the follower then."""
    engine = keeper_lab.engine
    peer_up(engine)
    add_follower(engine)
    engine.halt(engine.named(FOLLOWER))
    peer_down(engine)
    peer_up(engine)
    with engine.lock:
        assert engine.run(engine.named(FOLLOWER))[0] == 404  # what happens without us
    keeper = follow(keeper_lab)
    wait_joined(engine)
    assert keeper.log("restarting the follower")["reason"] == "Docker could not start it without the network"
    assert commands(engine) == ["disconnect", "connect", "start"]


def test_a_running_follower_with_a_stale_endpoint_is_joined(keeper_lab):
    """LIFE-5: "not connected" counts as success: Docker knows of no endpoint on the network of today."""
    engine = keeper_lab.engine
    peer_up(engine)
    add_follower(engine)
    with engine.lock:
        engine.named(FOLLOWER)["NetworkSettings"]["Networks"][BUS]["NetworkID"] = "9" * 64
    keeper = follow(keeper_lab)
    wait_joined(engine)
    assert keeper.log("rejoining the network")["was_on"] == "9" * 64
    assert commands(engine) == ["disconnect", "connect"]


def test_a_fixed_address_of_the_peer_is_left_to_it(joined):
    """LIFE-5: a peer that starts late finds its address free, although the number of endpoints was steady before."""
    engine = joined.engine
    with engine.lock:
        engine.named(FOLLOWER)["NetworkSettings"]["Networks"][BUS]["IPAMConfig"] = {}  # any address will do
    keeper = follow(joined)
    peer_down(engine)
    peer_up(engine, start=["app"])
    assert keeper.log("waiting for a container that has a fixed address")["container"] == "db"
    assert not engine.is_on(FOLLOWER, BUS)
    start_peer(engine, "db")
    assert wait_joined(engine)["IPAddress"] not in PEERS.values()


def test_nobody_is_waited_for_longer_than_the_limit(keeper_lab):
    """LIFE-5: at most 90 s (here half of one). Whoever was joined alone stays, until somebody came and went."""
    engine = keeper_lab.engine
    engine.make_network(BUS)
    engine.records[engine.add(FOLLOWER, labels={"com.docker.compose.oneoff": "False"})]
    keeper = follow(keeper_lab, limit=0.5, poll=0.05)
    wait_joined(engine)
    assert "the time is over" in keeper.log("rejoining the network")["reason"]
    asked = len(engine.asked)
    wait_until(lambda: len(engine.asked) > asked + 6, 20)  # looked at again and again, and left where it is
    assert engine.is_on(FOLLOWER, BUS)
    peer_up(engine, start=[])
    for name in PEERS:  # here it was there before them, so they come without fixed addresses
        engine.configure_endpoint(engine.named(name), BUS)
        start_peer(engine, name)
    peer_down(engine)
    keeper.log("leaving the network")


def test_it_waits_on_the_same_network_for_somebody_else(joined):
    """LIFE-5: `compose stop` of the peer and `start`: released, and back when a foreign endpoint appears."""
    engine = joined.engine
    keeper = follow(joined)
    stop_peers(engine)
    keeper.log("waiting for somebody else on the network")
    assert not engine.is_on(FOLLOWER, BUS)
    for name in PEERS:
        start_peer(engine, name)
    assert wait_joined(engine)["IPAddress"] == ADDRESS


def test_an_address_in_use_is_tried_four_times(joined):
    """LIFE-5: then it gives up, says so, and goes on when an endpoint goes."""
    engine = joined.engine
    keeper = follow(joined)
    peer_down(engine)
    engine.make_network(BUS)
    with engine.lock:
        thief = engine.add("thief", project="peer", networks={BUS: {"address": ADDRESS}})
    assert keeper.log("giving up until an endpoint comes or goes")["tries"] == 4
    assert len(keeper.logged("the network cannot be joined")) == 4 and commands(engine).count("connect") == 4
    assert "Address already in use" in keeper.log("the network cannot be joined")["err"]
    peer_up(engine)
    with engine.lock:
        engine.halt(engine.records[thief])
        engine.remove("thief")
    assert wait_joined(engine)["IPAddress"] == ADDRESS


def test_what_is_so_already_is_success(joined):
    """LIFE-5: somebody was faster with `docker network connect`."""
    engine = joined.engine
    keeper = follow(joined)
    peer_down(engine)

    def be_faster(moment, _method, resource):
        if moment == "before" and resource.endswith("/connect"):
            engine.barrier = None
            with engine.lock:
                engine.network_connect(BUS, engine.named(FOLLOWER), {})

    engine.barrier = be_faster
    peer_up(engine)
    keeper.log("network rejoined")
    assert not keeper.logged("the network cannot be joined")


@pytest.mark.parametrize("target", [FOLLOWER, "somebody"])
def test_a_follower_that_is_not_there_is_waited_for(keeper_lab, target):
    """LIFE-5: by its service in our own project, else by its container's name. Whatever other labels it has, and never one
    of `docker compose run`."""
    engine = keeper_lab.engine
    peer_up(engine)
    engine.add("mail-monitor-run-5eed", labels={"com.docker.compose.service": FOLLOWER, "com.docker.compose.oneoff": "True"})
    keeper = follow(keeper_lab, target=target)
    assert keeper.log("waiting for the follower")["target"] == target
    with engine.lock:
        if target == FOLLOWER:
            engine.add(FOLLOWER, project="other", labels={"com.docker.compose.oneoff": "False"}, running=False)
            engine.named(FOLLOWER)["Name"] = "/other-monitor-1"  # a service of that name, in another project
            engine.add(FOLLOWER)
        else:
            engine.add("somebody", project="other")
    wait_until(lambda: engine.is_on(target, BUS), 20)
    assert commands(engine) == ["connect"]


def test_life5_without_a_project_the_target_is_a_containers_name(keeper_lab):
    """Also when a service of some project is called so."""
    engine = keeper_lab.engine
    engine.add("other-somebody-1", project="other", labels={"com.docker.compose.service": "somebody"})
    engine.add("somebody", project="other")
    peer_up(engine)
    follow(keeper_lab, target="somebody", project="")
    wait_until(lambda: engine.is_on("somebody", BUS), 20)
    assert commands(engine) == ["connect"] and not engine.is_on("other-somebody-1", BUS)


@pytest.mark.parametrize("moment", ["before", "between"])
def test_life5_a_clock_that_was_set_back_has_nobody_restarted(joined, moment):
    """The network was made before the step: in the future; or the step came between that and our restart."""
    engine = joined.engine
    follow(joined, restarts=True, poll=0.2)
    peer_down(engine)
    engine.epoch = 2_000_000_000 if moment == "before" else engine.epoch
    peer_up(engine)
    engine.epoch = 1_700_000_000
    wait_joined(engine)
    looked = engine.asked.count(f"/networks/{BUS}")
    wait_until(lambda: engine.asked.count(f"/networks/{BUS}") > looked + 15, 20)
    assert commands(engine).count("restart") == 1, commands(engine)


def test_the_follower_is_restarted_if_asked(joined):
    """LIFE-5: ANCHORD_FOLLOW_RESTART."""
    engine = joined.engine
    before = engine.named(FOLLOWER)["State"]["StartedAt"]
    follow(joined, restarts=True)
    peer_down(engine)
    peer_up(engine)
    wait_until(lambda: engine.named(FOLLOWER)["State"]["StartedAt"] > before, 20)
    wait_joined(engine)
    assert commands(engine) == ["disconnect", "connect", "restart"]


def test_a_proxy_that_denies_something_is_named(joined):
    """SPEC 11: NETWORKS=0 and POST=0; when it is allowed the repair goes on."""
    engine = joined.engine
    engine.denied = ("networks",)
    keeper = follow(joined, poll=0.2)
    assert "denied by the socket proxy (403): allow NETWORKS=1" in keeper.log("the network cannot be looked at")["err"]
    engine.denied = ("containers",)
    assert "allow CONTAINERS=1" in keeper.log("the follower cannot be looked at")["err"]
    engine.denied = ("networks",)
    keeper.log("the network cannot be looked at", count=2)  # it is news again
    engine.denied = ("POST",)
    stop_peers(engine)
    line = keeper.log("the network cannot be left")
    assert "denied by the socket proxy (403): allow NETWORKS=1 and POST=1" in line["err"] and line["code"] == "ANC0403"
    assert engine.is_on(FOLLOWER, BUS) and not engine.writes
    engine.denied = ()
    keeper.log("network left")


# --- the keeper killed at each call --------------------------------------------------------------------------------------

CALLS = ("disconnect", "connect", "restart")


def kill_once(build, call, moment):
    """The peer goes down and comes up; the keeper dies at one call of a rejoin, and another one follows."""
    lab = KeeperLab(build)
    try:
        engine = lab.engine
        peer_up(engine)
        add_follower(engine)
        killed = threading.Event()
        keeper = follow(lab, restarts=True)
        started = engine.named(FOLLOWER)["State"]["StartedAt"]

        def kill(now, method, resource):
            if method == "POST" and now == moment and resource.endswith("/" + call) and not killed.is_set():
                keeper.process.kill()
                killed.set()
                if moment == "before":
                    raise ConnectionAbortedError(call)

        engine.barrier = kill
        stop_peers(engine)
        if call == "disconnect":
            assert killed.wait(20)
            keeper = follow(lab, restarts=True, successor=True)
        for name in PEERS:
            engine.remove(name)
        wait_until(lambda: engine.remove_network(BUS), 20)
        peer_up(engine)
        if call != "disconnect":
            assert killed.wait(20)
            keeper = follow(lab, restarts=True, successor=True)
        wait_until(lambda: engine.named(FOLLOWER)["State"]["StartedAt"] > started, 20)
        wait_joined(engine)
        assert FOLLOWER in engine.named(FOLLOWER)["NetworkSettings"]["Networks"][BUS]["Aliases"]
    finally:
        lab.close()


def test_a_killed_keepers_successor_ends_right(build):
    """LIFE-5: before Docker heard a call and after Docker did it: joined, restarted, and the peer's `down` was not held up."""
    moments = [(call, moment) for call in CALLS for moment in ("before", "after")]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        outcomes = {f"{moment} {call}": pool.submit(kill_once, build, call, moment) for call, moment in moments}
    failures = {name: repr(outcome.exception()) for name, outcome in outcomes.items() if outcome.exception()}
    assert not failures
