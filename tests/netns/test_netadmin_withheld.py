"""DISC-7 at the kernel: what is withheld takes nothing new, loses its UDP flows, and keeps its TCP connections."""

import pytest

import messages
from netadmin_lab import LAN4, LAN6, ONE4, ONE6, TWO4, TWO6, ask_again, flow_to, outcome

FAMILIES = [pytest.param(LAN4, ONE4, TWO4, id="v4"), pytest.param(LAN6, ONE6, TWO6, id="v6")]


def withheld(protocol, backend):
    return messages.exposure(protocol, 80, backend, 8080, messages.EXPOSURE_WITHHELD)


def still_talks(flow, text=b"still here"):
    flow.send(text)
    return flow.recv(100) == text


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_disc7_tcp_connections_stay_until_the_backend_goes(lab, address, one, two):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, one)
    other = messages.exposure("tcp", 81, two, 8080)
    netadmin.expose(messages.exposure("tcp", 80, one, 8080), other)
    flow, name = flow_to(lab, "tcp", address, 80)
    assert name == "one"
    applied = netadmin.expose(withheld("tcp", one), other)
    assert sum(applied.flushed.values()) == 0
    assert outcome(lab.client, "tcp", address, 80) == "refused"
    assert still_talks(flow)
    # Other changes leave it alone, and so does its return.
    netadmin.expose(withheld("tcp", one))
    assert still_talks(flow)
    netadmin.expose(messages.exposure("tcp", 80, one, 8080))
    assert outcome(lab.client, "tcp", address, 80) == "one"
    netadmin.expose(withheld("tcp", one))
    assert still_talks(flow)
    applied = netadmin.expose()
    assert sum(applied.flushed.values()) >= 1
    with pytest.raises(ConnectionResetError):
        still_talks(flow)


@pytest.mark.parametrize("address, one, two", FAMILIES)
def test_disc7_udp_flows_are_dropped_at_once(lab, address, one, two):
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, one)
    lab.serve(lab.two, "two", "udp", 8080, two)
    netadmin.expose(messages.exposure("udp", 80, one, 8080))
    flow, name = flow_to(lab, "udp", address, 80)
    assert name == "one"
    applied = netadmin.expose(withheld("udp", one))
    assert sum(applied.flushed.values()) == 1
    with pytest.raises(ConnectionRefusedError):
        ask_again(flow)
    netadmin.expose(messages.exposure("udp", 80, one, 8080))
    assert ask_again(flow) == "one"


def test_disc7_a_withheld_backend_is_held_to_the_policy(lab):
    netadmin = lab.start()
    applied = netadmin.apply(withheld("tcp", LAN4))
    assert applied.error < 0 and "outside transit" in applied.reason


def test_disc7_a_new_watcher_learns_who_is_withheld(lab):
    """NAT-6: such a container keeps its ports."""
    netadmin = lab.start()
    netadmin.expose(messages.exposure("tcp", 25, TWO4), withheld("tcp", ONE4))
    assert netadmin.link()[1] == [("tcp", 25, 25, TWO4, 25), ("tcp", 80, 80, ONE4, 8080, "withheld")]
