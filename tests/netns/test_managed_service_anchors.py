"""Managed service-anchors of a network-anchor: made, made anew, and whom the old ones leave behind (LIFE-2, LIFE-3)."""

import pytest

import messages
from keeper_lab import ROLE_NETWORK_ANCHOR, KeeperLab
from supervision import wait_until

TARGET, NAME, DEPENDENT = "backend", "backend-service-anchor", "mailer"
MAC, ADDRESS = "02:42:ac:1e:00:02", "172.29.7.20"
MADE = "created and started managed service-anchor"
OURS, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


class ManagedLab(KeeperLab):
    def __init__(self, build):
        super().__init__(build)
        self.engine.images |= {"anchord:2": OURS, "anchord:1": OTHER, "mine:7": "sha256:" + "c" * 64}
        self.engine.make_network("transit")
        own = self.engine.add("mail-anchord-1", networks={"transit": {"address": ADDRESS}})
        self.engine.records[own]["Config"]["Image"], self.engine.records[own]["Image"] = "anchord:2", OURS
        self.engine.records[own]["NetworkSettings"]["Networks"]["transit"]["MacAddress"] = MAC
        self.own = own

    def start_managed(self, *targets, topology=True, **configuration):
        """`targets`: arguments of messages.managed_target; none: one for TARGET."""
        targets = targets or (messages.managed_target(TARGET),)
        keeper = self.start(**{"role": ROLE_NETWORK_ANCHOR, "managed_count": len(targets), "repairs_dependents": True,
                               **configuration})
        for target in targets:
            keeper.supervisor.send(target)
        if topology:
            self.send_topology(keeper)
        keeper.log("connected to Docker")
        return keeper

    def send_topology(self, keeper):
        shared = messages.network("transit", MAC, [("172.29.7.0/24", None, None)], ADDRESS)
        keeper.supervisor.send(messages.topology(messages.network("lan", "02:00:00:00:00:01", []), shared))

    def replace_killed(self, moment, verb):
        """A keeper that is killed before or after its first request of this kind, and its successor."""
        killed = []

        def barrier(now, method, path):
            if not killed and now == moment and (method == verb or (method == "POST" and path.endswith(f"/{verb}"))):
                killed.append(path)
                keeper.kill()

        keeper = self.start_managed(topology=False)
        self.engine.barrier = barrier
        self.send_topology(keeper)
        wait_until(lambda: killed, 20)
        self.start_managed(successor=True)

    def add_managed(self, joined, image="anchord:2", labels=None, gateway=ADDRESS, **more):
        """One as an earlier network-anchor made it."""
        identity = self.engine.add(NAME, joined=joined, project="",
                                   labels={"anchord.managed-by": "f45"} if labels is None else labels, **more)
        self.engine.records[identity]["Config"] |= {"Image": image, "Env": [f"ANCHORD_GATEWAY_IP={gateway}"]}
        self.engine.records[identity]["Image"] = self.engine.images[image]
        return identity

    def runs_in(self, name, target):
        """Does it run, in the namespace that the target has now?"""
        with self.engine.lock:
            found, owner = self.engine.find(name), self.engine.find(target)
            return (found and owner and found["State"]["Running"] and owner["State"]["Running"]
                    and found["HostConfig"]["NetworkMode"] == f"container:{owner['Id']}"
                    and found["State"]["StartedAt"] > owner["State"]["StartedAt"])

    def looks(self, count=3):
        """So many more looks have begun."""
        seen = self.engine.asked.count("/containers/json")
        wait_until(lambda: self.engine.asked.count("/containers/json") >= seen + count, 20)


@pytest.fixture
def lab(build):
    made = ManagedLab(build)
    yield made
    made.close()


def test_life2_without_us_a_spawned_container_has_no_service_anchor(lab):
    """The breakage: the same keeper without a managed target leaves TARGET as it is."""
    lab.engine.add(TARGET, project="")
    lab.start(role=ROLE_NETWORK_ANCHOR, poll=0.2).log("connected to Docker")
    lab.looks()
    assert not lab.engine.find(NAME) and not lab.engine.writes


def test_life2_one_is_made_for_a_target_that_runs(lab):
    target = lab.engine.add(TARGET, project="")
    keeper = lab.start_managed()
    line = keeper.log(MADE)
    assert (line["container"], line["target"]) == (NAME, TARGET)
    made = lab.engine.named(NAME)
    assert made["Config"]["Image"] == "anchord:2" and made["Config"]["Labels"] == {"anchord.managed-by": "f45"}
    assert made["HostConfig"].items() >= {"NetworkMode": f"container:{target}",
                                          "RestartPolicy": {"Name": "unless-stopped"}}.items()
    assert made["Config"]["Env"] == ["ANCHORD_MODE=service-anchor", f"ANCHORD_GATEWAY_IP={ADDRESS}",
                                     "ANCHORD_LOG_LEVEL=DEBUG"]
    assert lab.runs_in(NAME, TARGET)


def put_under_a_holder(lab):
    """What has the endpoint is a holder, and the network-anchor lives in its namespace."""
    lab.engine.records[lab.own]["Config"]["Image"] = "mine:7"
    lab.engine.records[lab.own]["Image"] = lab.engine.images["mine:7"]
    anchor = lab.engine.add("mail-anchor-2", joined=lab.own)
    lab.engine.records[anchor]["Config"]["Image"], lab.engine.records[anchor]["Image"] = "anchord:2", OURS


def test_addr10_under_a_holder_the_image_is_ours_and_the_address_the_holders(lab):
    put_under_a_holder(lab)
    lab.engine.add("gone", joined=lab.own, running=False)
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed(is_held=True)
    keeper.log(MADE)
    made = lab.engine.named(NAME)
    assert made["Config"]["Image"] == "anchord:2" and f"ANCHORD_GATEWAY_IP={ADDRESS}" in made["Config"]["Env"]


def test_addr10_a_second_guest_of_the_holder_is_said(lab):
    put_under_a_holder(lab)
    lab.engine.add("another", joined=lab.own)
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed(is_held=True, poll=0.2)
    said = keeper.log("managed service-anchor: our own container, whose image and address it is to have, is not found")
    assert "several containers live in the holder's network namespace" in str(said)
    assert not lab.engine.find(NAME)


def test_life2_one_is_made_when_its_target_starts(lab):
    """Not before; a target that is not there, and one that does not run."""
    keeper = lab.start_managed(poll=0.2)
    lab.looks()
    with lab.engine.lock:
        lab.engine.add(TARGET, project="", running=False)
    lab.looks()
    assert not lab.engine.writes
    with lab.engine.lock:
        lab.engine.run(lab.engine.named(TARGET))
    keeper.log(MADE)
    assert lab.runs_in(NAME, TARGET)


def test_life2_what_is_configured_wins(lab):
    """Name, image, gateway, environment and labels, with characters that JSON must escape; nothing of ours is asked."""
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed(messages.managed_target(
        TARGET, "own-name", image="mine:7", gateways=("192.0.2.7", "2001:db8::7"),
        environment=('TEXT=a"b\\c\té', "ANCHORD_LOG_LEVEL=WARN", "EMPTY="), labels=("anchord.expose=tcp/25=", "x=")),
        topology=False)
    keeper.log(MADE)
    config = lab.engine.named("own-name")["Config"]
    assert config["Image"] == "mine:7"
    assert config["Env"] == ["ANCHORD_MODE=service-anchor", "ANCHORD_GATEWAY_IP=192.0.2.7,2001:db8::7",
                             'TEXT=a"b\\c\té', "ANCHORD_LOG_LEVEL=WARN", "EMPTY="]
    assert config["Labels"] == {"anchord.expose": "tcp/25=", "x": "", "anchord.managed-by": "f45"}


def test_life2_several_targets(lab):
    lab.engine.add("one", project="")
    lab.engine.add("two", project="")
    keeper = lab.start_managed(messages.managed_target("one"), messages.managed_target("two", number=2),
                               messages.managed_target("three", number=7))
    keeper.log(MADE, 2)
    assert lab.runs_in("one-service-anchor", "one") and lab.runs_in("two-service-anchor", "two")
    assert not lab.engine.find("three-service-anchor")


def test_life2_our_own_container_is_awaited(lab):
    """The topology comes later than the first look; the address is the one that we have at that moment."""
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed(topology=False, poll=0.2)
    lab.looks()
    assert not lab.engine.writes
    with lab.engine.lock:
        lab.engine.records[lab.own]["NetworkSettings"]["Networks"]["transit"]["IPAddress"] = "172.29.7.99"
    lab.send_topology(keeper)
    keeper.log(MADE)
    assert "ANCHORD_GATEWAY_IP=172.29.7.99" in lab.engine.named(NAME)["Config"]["Env"]


def test_life2_an_image_without_its_name_is_taken_by_its_id(lab):
    lab.engine.add(TARGET, project="")
    del lab.engine.images["anchord:2"]
    lab.engine.images["another"] = OURS
    lab.start_managed().log(MADE)
    assert lab.engine.named(NAME)["Config"]["Image"] == OURS


def test_life2_a_recreated_target_gets_another_one(lab):
    """Without us it stays in the dead namespace: Docker has stored the ID."""
    old = lab.engine.add(TARGET, project="")
    was = lab.add_managed(old)
    lab.engine.recreate(TARGET)
    assert lab.engine.named(NAME)["State"]["Running"] and not lab.runs_in(NAME, TARGET)
    keeper = lab.start_managed()
    assert keeper.log(MADE)["container"] == NAME
    assert lab.runs_in(NAME, TARGET) and was not in lab.engine.records
    assert lab.engine.named(NAME)["Config"]["Labels"]["anchord.replaces"] == was
    assert not lab.engine.both_ran


def test_life2_one_in_a_dead_namespace_is_made_anew(lab):
    """Its target was restarted, and it has not ended by itself (SA-6)."""
    was = lab.add_managed(lab.engine.add(TARGET, project=""))
    keeper = lab.start_managed()
    lab.engine.restart(TARGET)
    keeper.log(MADE)
    assert lab.runs_in(NAME, TARGET) and lab.engine.named(NAME)["Id"] != was


def test_life2_one_that_ends_by_itself_stays_the_same(lab):
    """SA-6: its restart policy had it join again, so there is nothing left to do."""
    was = lab.add_managed(lab.engine.add(TARGET, project=""))
    lab.start_managed(poll=0.2)
    lab.engine.restart(TARGET)
    lab.engine.restart(NAME)
    lab.looks(20)
    assert lab.engine.named(NAME)["Id"] == was and not lab.engine.writes


def test_life2_a_destroyed_one_is_made_again(lab):
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed()
    keeper.log(MADE)
    lab.engine.remove(NAME)
    keeper.log(MADE, 2)
    assert lab.runs_in(NAME, TARGET)


def test_life2_without_its_target_it_is_left_alone(lab):
    was = lab.add_managed(lab.engine.add(TARGET, project=""))
    lab.engine.remove(TARGET)
    lab.start_managed(poll=0.2)
    lab.looks()
    assert lab.engine.named(NAME)["Id"] == was and not lab.engine.writes


def test_life2_one_that_somebody_stopped_stays_stopped(lab):
    lab.add_managed(lab.engine.add(TARGET, project=""))
    with lab.engine.lock:
        lab.engine.halt(lab.engine.named(NAME))
    lab.start_managed(poll=0.2)
    lab.looks()
    assert not lab.engine.writes


def test_life2_another_image_than_ours_is_replaced_at_our_start(lab):
    was = lab.add_managed(lab.engine.add(TARGET, project=""), image="anchord:1")
    keeper = lab.start_managed()
    keeper.log(MADE)
    made = lab.engine.named(NAME)
    assert made["Image"] == OURS and made["Id"] != was and lab.runs_in(NAME, TARGET)


def test_life2_one_that_is_sent_to_our_old_address_is_replaced_at_our_start(lab):
    """SA-5: the network-anchor was recreated, and Docker gave it another address."""
    was = lab.add_managed(lab.engine.add(TARGET, project=""), gateway="172.29.7.21")
    lab.start_managed().log("container recreated")
    assert lab.engine.named(NAME)["Id"] != was
    assert f"ANCHORD_GATEWAY_IP={ADDRESS}" in lab.engine.named(NAME)["Config"]["Env"]


@pytest.mark.parametrize("configured", [{"gateways": ("192.0.2.7", None)}, {"environment": ("ANCHORD_GATEWAY_IP=192.0.2.7",)}],
                         ids=["variable", "extra environment"])
def test_life2_one_that_is_sent_elsewhere_on_purpose_stays(lab, configured):
    was = lab.add_managed(lab.engine.add(TARGET, project=""), gateway="192.0.2.7")
    lab.start_managed(messages.managed_target(TARGET, **configured), poll=0.2)
    lab.looks()
    assert lab.engine.named(NAME)["Id"] == was and not lab.engine.writes


@pytest.mark.parametrize("successor,image", [(True, ""), (False, "anchord:1")], ids=["successor", "pinned"])
def test_life2_another_image_stays_later_and_where_it_was_chosen(lab, successor, image):
    """A keeper that follows one that died is no start of ours; a pinned image is nobody's business."""
    was = lab.add_managed(lab.engine.add(TARGET, project=""), image="anchord:1")
    lab.start_managed(messages.managed_target(TARGET, image=image), successor=successor, poll=0.2)
    lab.looks()
    assert lab.engine.named(NAME)["Id"] == was and not lab.engine.writes


def test_life2_somebody_elses_container_is_left_alone(lab):
    lab.engine.add(TARGET, project="")
    lab.add_managed("9" * 64, labels={})
    keeper = lab.start_managed(poll=0.2)
    assert "anchord.managed-by=f45" in keeper.log("a container has the name of a managed service-anchor")["err"]
    lab.looks()
    assert not lab.engine.writes


def test_life2_a_proxy_that_allows_no_writing_is_named(lab):
    """SPEC 11: and it is made when it is allowed."""
    lab.engine.add(TARGET, project="")
    lab.engine.denied = ("POST",)
    keeper = lab.start_managed()
    line = keeper.log("managed service-anchor cannot be created and started")
    assert line["container"] == NAME and "allow CONTAINERS=1 and POST=1" in line["err"]
    lab.engine.denied = ()
    keeper.log(MADE)
    assert lab.runs_in(NAME, TARGET)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["create", "start"])
def test_life2_a_keeper_killed_while_it_makes_one_has_a_successor(lab, moment, verb):
    """One whole container, whatever was done already."""
    lab.engine.add(TARGET, project="")
    lab.replace_killed(moment, verb)
    wait_until(lambda: lab.runs_in(NAME, TARGET), 20)
    assert [record["Name"] for record in lab.engine.records.values()].count(f"/{NAME}") == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["rename", "update", "create", "stop", "start", "DELETE"])
def test_life2_a_keeper_killed_while_it_recreates_one_has_a_successor(lab, moment, verb):
    """LIFE-7: never two that run, never none; the successor finishes it, or takes it back and does it again."""
    lab.add_managed(lab.engine.add(TARGET, project=""))
    lab.engine.recreate(TARGET)
    lab.replace_killed(moment, verb)
    wait_until(lambda: lab.runs_in(NAME, TARGET), 30)
    wait_until(lambda: not any(NAME in record["Name"] and record["Name"] != f"/{NAME}"
                               for record in list(lab.engine.records.values())), 30)
    assert not lab.engine.both_ran


def pinned(lab, **more):
    """A target that was recreated, its managed service-anchor, and two that are pinned to that, of two projects."""
    old = lab.add_managed(lab.engine.add(TARGET, project=""))
    lab.engine.add(DEPENDENT, joined=old, **more)
    lab.engine.add("other", joined=old, project="")
    lab.engine.recreate(TARGET)
    return old


def test_life3_without_us_dependents_stay_in_the_dead_namespace(lab):
    """The breakage: with LIFE-3 switched off the service-anchor is well again, and they are not."""
    old = pinned(lab)
    keeper = lab.start_managed(repairs_dependents=False, poll=0.2)
    keeper.log(MADE)
    lab.looks()
    for name in (DEPENDENT, "other"):
        assert lab.engine.named(name)["HostConfig"]["NetworkMode"] == f"container:{old}"
    assert keeper.log("dependent in dead netns")["container"] == DEPENDENT


def test_life3_dependents_of_what_we_recreated_are_recreated(lab):
    """Whatever project they are of, with the same configuration."""
    pinned(lab)
    before = lab.engine.named(DEPENDENT)["Config"]
    keeper = lab.start_managed()
    wait_until(lambda: lab.runs_in(DEPENDENT, NAME) and lab.runs_in("other", NAME), 20)
    after = lab.engine.named(DEPENDENT)["Config"]
    assert (after["Env"], after["Image"]) == (before["Env"], before["Image"])
    assert after["Labels"].items() >= before["Labels"].items()
    assert not keeper.logged("dependent in dead netns") and not lab.engine.both_ran


def test_life3_one_failure_does_not_stop_the_others(lab):
    pinned(lab, AutoRemove=True)
    keeper = lab.start_managed()
    wait_until(lambda: lab.runs_in("other", NAME), 20)
    assert "--rm" in keeper.log("container cannot be recreated")["err"]


def test_life3_dependents_of_one_that_was_destroyed(lab):
    """What somebody destroyed is recreated by us, too."""
    lab.engine.add(TARGET, project="")
    keeper = lab.start_managed()
    keeper.log(MADE)
    lab.engine.add(DEPENDENT, joined=lab.engine.named(NAME)["Id"], project="")
    lab.looks(1)
    lab.engine.remove(NAME)
    wait_until(lambda: lab.runs_in(DEPENDENT, NAME), 20)


def test_life3_a_successor_goes_on(lab):
    """What is to be done stands in the new service-anchor's label: a keeper that died knew no more."""
    pinned(lab)
    keeper = lab.start_managed(topology=False)
    killed = []

    def barrier(now, method, path):
        if not killed and now == "before" and method == "POST" and path.endswith("/rename") and keeper.logged(MADE):
            killed.append(path)
            keeper.kill()

    lab.engine.barrier = barrier
    lab.send_topology(keeper)
    wait_until(lambda: killed, 20)
    lab.start_managed(successor=True)
    wait_until(lambda: lab.runs_in(DEPENDENT, NAME) and lab.runs_in("other", NAME), 20)


def test_life3_what_could_not_be_repaired_is_not_forgotten(lab):
    """The service-anchor is replaced twice before its dependent can be."""
    pinned(lab)
    lab.engine.broken = (DEPENDENT,)
    keeper = lab.start_managed(poll=0.2)
    keeper.log(MADE)
    wait_until(lambda: lab.runs_in("other", NAME), 20)
    lab.engine.broken = ()
    lab.engine.recreate(TARGET)
    keeper.log(MADE, 2)
    wait_until(lambda: lab.runs_in(DEPENDENT, NAME) and lab.runs_in("other", NAME), 20)
