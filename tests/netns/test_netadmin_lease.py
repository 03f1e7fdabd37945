"""netadmin: leased IPv4 addresses on the external interface (ADDR-2, ADDR-7, ADDR-11, NAT-4, NAT-9)."""

import threading
import time

import pytest

import messages
import netadmin_lab
from control_peer import ControlPeer
from lease_lab import (HANDOVER_SECONDS, LEASED4, LEASED4_NEXT, LEASED_ROUTER4, Flow, LeaseLab)
from netadmin_lab import LAN4, ask_tcp, outcome, wait_logged, wait_until
from network_lab import DEFAULT4, ROUTER4, UNREACHABLE4

BOOTSTRAP, LEASED, NEXT = f"{LAN4}/24", f"{LEASED4}/24", f"{LEASED4_NEXT}/24"
LEASED_DEFAULT4 = f"default via {LEASED_ROUTER4} dev ext0 proto 110 metric 90"
ELSEWHERE = "10.55.0.77"  # another subnet on the same LAN


@pytest.fixture
def lab(build):
    made = LeaseLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


@pytest.fixture
def serving(lab):
    """A lab with a service and an applied lease of its own."""
    lab.start()
    lab.serve_one()
    lab.expose()
    return lab


def replace_bootstrap(lab, **properties):
    lab.lease(**properties)
    lab.wait_external(LEASED)


def test_the_link_is_reported_once_a_dhcp_client_can_run(lab):
    """dhcpcd gives up on an interface without promote_secondaries (ADDR-2)."""
    assert lab.anchor.run("sysctl", "-n", "net.ipv4.conf.ext0.promote_secondaries").strip() == "0"
    netadmin = lab.start(ready=False)
    netadmin.send(lab.topology())
    reported = None
    while reported != ("ext0", True):
        kind, _, body = netadmin.receive()
        if kind == messages.EXTERNAL_LINK:
            reported = messages.parse_external_link(body)
            setting = lab.anchor.run("sysctl", "-n", "net.ipv4.conf.ext0.promote_secondaries").strip()
            assert reported is None or setting == "1"
    lab.anchor.run("ip", "link", "set", "ext0", "down")
    while reported is not None:
        kind, _, body = netadmin.receive()
        if kind == messages.EXTERNAL_LINK:
            reported = messages.parse_external_link(body)


def test_of_many_addresses_the_leased_one_is_served(lab):
    """NAT-9: the kernel marks all but the first of a subnet as it marks temporary ones of IPv6, and lists the newest last."""
    lab.anchor.run("ip", "-batch", "-", input="".join(f"address add 10.99.0.{number}/24 dev ext0\n" for number in range(100, 120)))
    wait_logged(ControlPeer(lab.start()), "more addresses on the interface than anchord serves", served=16)
    lab.serve_one()
    lab.expose()
    lab.lease()
    assert ask_tcp(lab.client, LEASED4, 8080)[0] == "one"
    assert LEASED4 in lab.external_set()


def test_the_leased_address_replaces_the_bootstrap_address(serving):
    """ADDR-2, ADDR-12, NAT-9: element, address, announcement, gateway, and then the old one goes."""
    lab = serving
    with lab.announced() as states, lab.monitored("address", "route") as changes:
        begun = time.monotonic()
        lab.lease()
        assert ask_tcp(lab.client, LEASED4, 8080)[0] == "one"
        lab.wait_external(LEASED)
        assert time.monotonic() - begun < HANDOVER_SECONDS
        wait_until(lambda: states and ("ext0", LAN4) not in states[-1], "the old address not to be announced")
    assert ("ext0", LEASED4) in states[-1]
    assert any({("ext0", LAN4), ("ext0", LEASED4)} <= state for state in states), "announced before the old one went"
    added = next(index for index, line in enumerate(changes) if LEASED4 in line)
    switched = next(index for index, line in enumerate(changes) if f"default via {LEASED_ROUTER4} dev ext0" in line)
    removed = next(index for index, line in enumerate(changes) if line.startswith("Deleted") and f"inet {BOOTSTRAP}" in line)
    assert added < switched < removed, changes
    assert lab.routes("-4") == [LEASED_DEFAULT4, UNREACHABLE4]
    wait_until(lambda: lab.external_set() == [LEASED4], "the set without the old address")
    assert lab.lifetime(LEASED)[0] > 3590
    wait_logged(ControlPeer(lab.netadmin), "external gateway chosen", gateway=LEASED_ROUTER4, source="lease")


def test_no_moment_without_an_address(serving):
    """ADDR-2: one of the two addresses answers at any time, over four changes."""
    lab = serving
    known = {LAN4, LEASED4, LEASED4_NEXT}
    without, attempts, done = [], [], threading.Event()

    def watch():
        while not done.is_set():
            held = [text for text in known if text in "".join(lab.external())]
            attempts.append(held)
            if not held or not any(outcome(lab.client, "tcp", text, 8080, 1.0) == "one" for text in held):
                again = [text for text in known if text in "".join(lab.external())]
                if not any(outcome(lab.client, "tcp", text, 8080, 1.0) == "one" for text in again):
                    without.append((held, again))

    def watched(text):
        """The change is through, and was looked at for a while."""
        lab.wait_external(text)
        before = len(attempts)
        wait_until(lambda: len(attempts) >= before + 5, "five attempts")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        lab.lease()
        watched(LEASED)
        lab.lease(NEXT)
        watched(NEXT)
        lab.lease_lost()
        watched(BOOTSTRAP)
        lab.lease()
        watched(LEASED)
    finally:
        done.set()
        watcher.join()
    assert without == []


def test_the_element_is_there_before_the_address(serving):
    """NAT-9: from its first packet on, the new address leads to the service."""
    lab = serving
    refused = []
    for number in range(100, 110):
        text = f"10.99.0.{number}"
        lab.send_lease(messages.wire_lease(f"{text}/24", routers=[LEASED_ROUTER4]))
        wait_until(lambda: f"{text}/24" in lab.external(), "the address")
        if outcome(lab.client, "tcp", text, 8080) != "one":
            refused.append(text)
        assert lab.answer() == (0, "")
    assert refused == []


def test_rotation_moves_inbound_and_egress(serving):
    """ADDR-7: to another lease, nothing restarted; NAT-4: the flows of the old address are dropped."""
    lab = serving
    replace_bootstrap(lab)
    flows = [Flow(lab.client, protocol, LEASED4, 8080) for protocol in ("tcp", "udp")]
    lab.lease(NEXT, routers=[ROUTER4])
    assert ask_tcp(lab.client, LEASED4_NEXT, 8080)[0] == "one"
    lab.wait_external(NEXT)
    wait_until(lambda: LEASED4 not in lab.anchor.run("conntrack", "-L"), "no flow of the old address")
    assert not any(flow.is_alive() for flow in flows)
    assert lab.routes("-4") == [f"default via {ROUTER4} dev ext0 proto 110 metric 90", UNREACHABLE4]
    server = lab.serve(lab.client, "outside", "tcp", 7000, "10.99.0.9")
    assert ask_tcp(lab.one, "10.99.0.9", 7000)[1][0] == LEASED4_NEXT
    server.close()


def test_flows_that_a_change_does_not_concern_survive(serving):
    """ADDR-2: IPv6 inbound, another address of the interface, and the other containers' flows go on."""
    lab = serving
    lab.anchor.run("ip", "address", "add", "10.99.0.60/24", "dev", "ext0")
    wait_until(lambda: "10.99.0.60" in lab.external_set(), "the operator's own address in the set")
    flows = [Flow(lab.client, protocol, address, 8080) for protocol in ("tcp", "udp")
             for address in (netadmin_lab.LAN6, "10.99.0.60")]
    lab.lease()
    lab.wait_external(LEASED, "10.99.0.60/24")
    lab.lease(NEXT)
    lab.wait_external(NEXT, "10.99.0.60/24")
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP, "10.99.0.60/24")
    assert all(flow.is_alive(2.0) for flow in flows)


def test_renewal_changes_the_lifetimes_alone(serving):
    """ADDR-6: a renewal breaks no connection; inbound and egress, TCP and UDP."""
    lab = serving
    replace_bootstrap(lab, valid=600)
    lab.serve(lab.client, "outside", "tcp", 7000, "10.99.0.9")
    lab.serve(lab.client, "outside", "udp", 7000, "10.99.0.9")
    flows = [Flow(lab.client, protocol, LEASED4, 8080) for protocol in ("tcp", "udp")]
    flows += [Flow(lab.one, protocol, "10.99.0.9", 7000) for protocol in ("tcp", "udp")]
    entries = lab.anchor.run("conntrack", "-L", "-o", "id").count(" id=")
    with lab.monitored("address", "route") as changes:
        for number in range(5):
            lab.lease(valid=1000 + number, preferred=500)
            assert all(flow.is_alive(2.0) for flow in flows)
    assert 990 <= lab.lifetime(LEASED)[0] <= 1004 and 490 <= lab.lifetime(LEASED)[1] <= 500
    assert not any(line.startswith("Deleted") or "default" in line for line in changes), changes
    assert lab.anchor.run("conntrack", "-L", "-o", "id").count(" id=") == entries


def test_the_same_lease_again_changes_nothing(lab):
    lab.start()
    replace_bootstrap(lab, valid=messages.LEASE_FOREVER)
    assert lab.lifetime(LEASED) == (None, None)
    with lab.monitored("address", "route") as changes:
        lab.lease(valid=messages.LEASE_FOREVER)
    assert changes == []


def test_lifetimes_count_from_the_moment_of_receipt(lab):
    """What the supervisor passes on later, to a restarted netadmin above all, is not longer for it."""
    lab.start()
    replace_bootstrap(lab, valid=600, preferred=300, age=100.0)
    valid, preferred = lab.lifetime(LEASED)
    assert 495 <= valid <= 501 and 195 <= preferred <= 201


def test_a_lease_that_runs_out_gives_way_to_the_bootstrap_address(serving):
    """ADDR-6: before the kernel takes the leased one, the other one is back."""
    lab = serving
    replace_bootstrap(lab, valid=4)
    with lab.monitored("address") as changes:
        lab.wait_external(BOOTSTRAP, deadline=8.0)
    back = next(index for index, line in enumerate(changes) if f"inet {BOOTSTRAP}" in line)
    gone = next(index for index, line in enumerate(changes) if line.startswith("Deleted") and f"inet {LEASED}" in line)
    assert back < gone, changes
    wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network again")
    assert ask_tcp(lab.client, LAN4, 8080)[0] == "one"


def test_a_lease_runs_out_although_everybody_is_dead(serving):
    """The kernel has the lifetime; a successor brings the bootstrap address back at once."""
    lab = serving
    replace_bootstrap(lab, valid=3)
    lab.netadmin.kill()
    wait_until(lambda: lab.external() == [], "the kernel to remove the address", 8.0)
    lab.start()
    lab.back_within_a_second(lambda: lab.external() == [BOOTSTRAP], "the bootstrap address")
    wait_until(lambda: lab.external_set() == [LAN4], "the set of the bootstrap address")
    wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network")


def test_a_lost_lease_gives_way_at_once(serving):
    """ADDR-6: NAK, release, another host that has it."""
    lab = serving
    replace_bootstrap(lab)
    flow = Flow(lab.client, "tcp", LEASED4, 8080)
    lab.lease_lost()
    lab.back_within_a_second(lambda: BOOTSTRAP in lab.external(), "the bootstrap address")
    lab.wait_external(BOOTSTRAP)
    wait_until(lambda: lab.external_set() == [LAN4], "the set of the bootstrap address")
    wait_until(lambda: not flow.is_alive(), "the flow of the given up address to end")
    wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network")


@pytest.mark.parametrize("is_leased", [True, False], ids=["leased", "bootstrap"])
def test_an_address_that_somebody_removes_is_put_back(serving, is_leased):
    lab = serving
    wanted = BOOTSTRAP
    if is_leased:
        replace_bootstrap(lab, valid=600)
        wanted = LEASED
    lab.anchor.run("ip", "address", "delete", wanted, "dev", "ext0")
    lab.back_within_a_second(lambda: lab.external() == [wanted], wanted)
    lab.back_within_a_second(lambda: len(lab.routes("-4")) == 2, "the default route")
    wait_logged(lab.netadmin, "external address was removed by somebody else, put back", address=wanted)
    assert ask_tcp(lab.client, wanted.removesuffix("/24"), 8080)[0] == "one"
    if is_leased:
        assert 580 < lab.lifetime(LEASED)[0] <= 600


def test_a_permanent_copy_of_the_leased_address_gets_its_lifetime_back(lab):
    """Somebody's `ip address change` must not make a lease outlive its end."""
    lab.start()
    replace_bootstrap(lab, valid=600)
    lab.anchor.run("ip", "address", "change", LEASED, "dev", "ext0", "valid_lft", "forever", "preferred_lft", "forever")
    lab.back_within_a_second(lambda: lab.lifetime(LEASED)[0] is not None, "the lifetime")


def test_other_peoples_addresses_stay(lab):
    lab.start()
    lab.anchor.run("ip", "address", "add", "10.98.0.60/24", "dev", "ext0")
    lab.lease()
    lab.wait_external(LEASED, "10.98.0.60/24")
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP, "10.98.0.60/24")


def test_a_lease_of_the_bootstrap_address_itself(serving):
    """The server may know the address that Docker chose: it gets the lease's lifetime, and later loses it again."""
    lab = serving
    flow = Flow(lab.client, "tcp", LAN4, 8080)
    lab.lease(BOOTSTRAP, valid=600)
    wait_until(lambda: lab.lifetime(BOOTSTRAP)[0] is not None, "the lease's lifetime")
    lab.lease_lost()
    wait_until(lambda: lab.lifetime(BOOTSTRAP)[0] is None, "an address that stays")
    assert lab.external() == [BOOTSTRAP]
    assert flow.is_alive(2.0)


def test_the_same_address_with_another_prefix_length(serving):
    lab = serving
    replace_bootstrap(lab)
    lab.lease(f"{LEASED4}/25", routers=["10.99.0.2"])
    lab.wait_external(f"{LEASED4}/25")
    assert ask_tcp(lab.client, LEASED4, 8080)[0] == "one"
    assert lab.external_set() == [LEASED4]


def test_a_lease_in_another_subnet(serving):
    """Docker's subnet need not be the LAN's: prefix, connected route and gateway come from the lease."""
    lab = serving
    lab.client.run("ip", "address", "add", "10.55.0.9/24", "dev", "eth0")
    lab.lease(f"{ELSEWHERE}/24", routers=["10.55.0.1"])
    lab.wait_external(f"{ELSEWHERE}/24")
    assert lab.routes("-4") == ["default via 10.55.0.1 dev ext0 proto 110 metric 90", UNREACHABLE4]
    assert "dev ext0 src 10.55.0.77" in lab.route_to("-4", "10.55.0.9")
    assert ask_tcp(lab.client, ELSEWHERE, 8080)[:2][0] == "one"
    lab.serve(lab.client, "outside", "tcp", 7000, "10.55.0.9")
    assert ask_tcp(lab.one, "10.55.0.9", 7000)[1][0] == ELSEWHERE
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP)
    assert lab.routes("-4") == [DEFAULT4, UNREACHABLE4]


@pytest.mark.parametrize("promote", ["0", "1"])
def test_the_leased_address_survives_its_primary(lab, promote):
    """The trap of promote_secondaries: with 0 the kernel removes the others of the subnet with the first one."""
    lab.anchor.sysctl("ipv4/conf/ext0/promote_secondaries", promote)
    lab.start()
    with lab.monitored("address") as changes:
        replace_bootstrap(lab)
    assert not any(line.startswith("Deleted") and f"inet {LEASED}" in line for line in changes), changes


def test_no_lease_is_taken_in_the_other_modes(lab):
    lab.mode = messages.MODE_SLAAC_RA_ONLY
    lab.start()
    assert "takes no leases" in lab.refused(LEASED, routers=[LEASED_ROUTER4])
    assert lab.external() == [BOOTSTRAP]


def test_the_newest_of_several_leases_wins(serving):
    lab = serving
    for number in range(20):
        lab.send_lease(messages.wire_lease(f"10.99.0.{120 + number}/24", routers=[LEASED_ROUTER4]))
    assert lab.answer() == (0, "")
    lab.wait_external("10.99.0.139/24")
    wait_until(lambda: lab.external_set() == ["10.99.0.139"], "the set of the last one")


def test_without_the_shared_network_a_lease_is_taken_all_the_same(lab):
    """Then there is no ruleset that could miss an element."""
    netadmin = lab.start(ready=False)
    lab.anchor.run("ip", "link", "delete", "shared0")
    netadmin.send(lab.topology())
    wait_logged(ControlPeer(netadmin), "shared interface not there")
    replace_bootstrap(lab)
