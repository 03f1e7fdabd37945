"""netadmin killed while it changes addresses, and its successors (NAT-14, ADDR-2)."""

import os
import signal

import pytest

import messages
import netadmin_lab
from lease_lab import LEASED4, LEASED4_NEXT, LEASED6, LEASED_ROUTER4, Flow, LeaseLab
from netadmin_lab import GATEWAY4, GATEWAY6, LAN4, LAN6, ask_tcp, wait_logged, wait_until
from network_lab import DEFAULT4, ROUTER4, UNREACHABLE4

BOOTSTRAP, LEASED, NEXT = f"{LAN4}/24", f"{LEASED4}/24", f"{LEASED4_NEXT}/24"
LEASED_DEFAULT4 = f"default via {LEASED_ROUTER4} dev ext0 proto 110 metric 90"
ROUTES = [("0.0.0.0/0", LEASED_ROUTER4), ("192.0.2.0/24", "10.99.0.2"), ("198.51.100.0/24", None)]


@pytest.fixture
def lab(build):
    made = LeaseLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


@pytest.fixture
def serving(lab):
    lab.start()
    lab.serve_one()
    lab.expose()
    return lab


def element_in_set(lab):
    return LEASED4 in lab.external_set()


def address_on_link(lab):
    return LEASED in lab.external()


def gateway_switched(lab):
    return LEASED_DEFAULT4 in lab.routes("-4")


def old_address_gone(lab):
    return BOOTSTRAP not in lab.external()


@pytest.mark.parametrize("step", [element_in_set, address_on_link, gateway_switched, old_address_gone])
def test_killed_at_any_step_of_the_change(serving, step):
    """The successor goes on where somebody died; at each moment one of the two addresses leads to the service."""
    lab = serving
    lab.send_lease(messages.wire_lease(LEASED, routers=[LEASED_ROUTER4]))
    wait_until(lambda: step(lab), step.__name__)
    lab.netadmin.kill()
    held = lab.external()
    assert held and set(held) <= {BOOTSTRAP, LEASED}
    assert ask_tcp(lab.client, held[0].removesuffix("/24"), 8080)[0] == "one"
    lab.start()
    lab.lease(routers=[LEASED_ROUTER4])
    lab.wait_external(LEASED)
    wait_until(lambda: lab.external_set() == [LEASED4], "the set of the leased address")
    assert lab.routes("-4") == [LEASED_DEFAULT4, UNREACHABLE4]
    assert ask_tcp(lab.client, LEASED4, 8080)[0] == "one"


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 4, 8, 16, 32, 64])
def test_killed_after_some_time(serving, milliseconds):
    """As above at moments that nobody chose: signal in flight while it works."""
    lab = serving
    lab.send_lease(messages.wire_lease(LEASED, routers=[LEASED_ROUTER4]))
    select_for(milliseconds / 1000)
    os.kill(lab.netadmin.pid, signal.SIGKILL)
    lab.netadmin.wait()
    assert set(lab.external()) & {BOOTSTRAP, LEASED}
    lab.start()
    lab.lease(NEXT, routers=[ROUTER4])
    lab.wait_external(NEXT)
    wait_until(lambda: lab.external_set() == [LEASED4_NEXT], "the set of the leased address")
    assert ask_tcp(lab.client, LEASED4_NEXT, 8080)[0] == "one"


def select_for(seconds):
    """The one wait for a time: it is the subject of the test above."""
    netadmin_lab.select.select([], [], [], seconds)


def test_a_successor_uses_the_lease_before_anybody_tells_of_it(serving):
    """A restarted supervisor's client may take its time: address, gateway and routes stay, whatever IPAM says."""
    lab = serving
    lab.lease(routes=ROUTES, valid=600)
    lab.wait_external(LEASED)
    routes = wait_until(lambda: len(lab.routes("-4")) == 4 and lab.routes("-4"), "the lease's routes")
    flows = [Flow(lab.client, protocol, LEASED4, 8080) for protocol in ("tcp", "udp")]
    lab.netadmin.kill()
    with lab.monitored("address", "route") as changes:
        netadmin = lab.start()
        netadmin.ping(3)
    assert changes == []
    assert lab.external_set() == [LEASED4]
    lab.anchor.run("ip", "route", "delete", "default", "via", LEASED_ROUTER4, "table", "24942")
    lab.back_within_a_second(lambda: lab.routes("-4") == routes, "the adopted gateway")
    assert all(flow.is_alive(2.0) for flow in flows)
    lab.lease(routes=ROUTES, valid=600)
    assert lab.routes("-4") == routes
    assert all(flow.is_alive(2.0) for flow in flows)


def test_an_adopted_lease_that_ends_gives_way_to_the_bootstrap_address(serving):
    lab = serving
    lab.lease(valid=3)
    lab.wait_external(LEASED)
    lab.netadmin.kill()
    lab.start()
    assert lab.external() == [LEASED]
    lab.wait_external(BOOTSTRAP, deadline=8.0)
    wait_until(lambda: lab.routes("-4") == [DEFAULT4, UNREACHABLE4], "the gateway of the network")
    wait_until(lambda: lab.external_set() == [LAN4], "the set of the bootstrap address")


def test_a_lease_that_was_lost_while_netadmin_was_dead(serving):
    """NAT-4: the successor drops the flows of an address that it never had itself."""
    lab = serving
    lab.lease()
    lab.wait_external(LEASED)
    flow = Flow(lab.client, "udp", LEASED4, 8080)
    lab.netadmin.kill()
    lab.start()
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP)
    wait_until(lambda: LEASED4 not in lab.anchor.run("conntrack", "-L"), "no flow of the given up address")
    wait_until(lambda: not flow.is_alive(), "the flow of the given up address to end")
    wait_logged(lab.netadmin, "external address given up", address=LEASED)


def test_the_ordered_stop_leaves_dockers_addresses(serving):
    """ADDR-8: the leases were released before; NAT-14: nothing of ours stays."""
    lab = serving
    before = lab.external() + lab.external(6)
    lab.lease(routes=ROUTES)
    lab.lease(f"{LEASED6}/128", family=6)
    lab.wait_external(LEASED)
    lab.netadmin.stop()
    assert sorted(lab.external() + lab.external(6)) == sorted(before)
    assert lab.lifetime(BOOTSTRAP) == (None, None)
    assert lab.routes("-4") == [] and "anchord" not in lab.ruleset()


def test_a_step_of_the_stop_that_fails_keeps_no_other_away(lab, build):
    """ADDR-8, NAT-14: the claimed IPv4 address stays, by the kernel's refusal, and nothing else."""
    lab.environment = {"REFUSE_NETLINK": "unclaim ENOMEM 1", "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    netadmin = lab.start()
    lab.serve_one()
    lab.expose()
    lab.lease(routes=ROUTES)
    lab.wait_external(LEASED)
    netadmin.stop()
    assert netadmin.logged("nat teardown")[0]["err"] == "Cannot allocate memory"
    assert lab.has_address("shared0", f"{GATEWAY4}/24") and not lab.has_address("shared0", f"{GATEWAY6}/64")
    assert lab.external() == [BOOTSTRAP]
    assert lab.routes("-4") == [] and "anchord" not in lab.ruleset()


def test_a_crash_removes_nothing(serving):
    lab = serving
    lab.lease()
    lab.wait_external(LEASED)
    addresses, routes = lab.addresses("ext0"), lab.routes("-4")
    lab.netadmin.supervisor.close()
    lab.netadmin.wait()
    assert [line.split("valid_lft")[0] for line in lab.addresses("ext0")] == [line.split("valid_lft")[0] for line in addresses]
    assert lab.routes("-4") == routes
    assert f"{LAN6}/64" in lab.external(6)
