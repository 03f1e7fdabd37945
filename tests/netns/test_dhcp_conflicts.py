"""What others on the LAN do to a lease (ADDR-5, ADDR-6, ADDR-13): the real dhcpcd and dnsmasq, real frames of a stranger."""

import pytest

from announcer_lab import arp
from dhcp_client_lab import LOST, DhcpLab, lease_event
from dhcp_strangers import NOBODY, STRANGER, ProxyOfAll, Stranger, TwoServers, discover
from supervision import wait_until


@pytest.fixture
def lab(supervision):
    made = DhcpLab(supervision)
    yield made
    made.close()


def claim(address):
    return arp(STRANGER, address, address)


def probe(address):
    return arp(STRANGER, NOBODY, address)


@pytest.mark.parametrize("frame", [probe, claim])
def test_a_lease_in_use_stays_whoever_asks_for_it_or_claims_it(lab, frame):
    """ADDR-13, RFC 5227 §2.4 c: dhcpcd defends it once; then it has nothing more to do with it, and renews as before."""
    lab.serve(renewal=30)
    process = lab.start(ANCHORD_DHCP_ARP_PROBE="true")
    address = lab.acquired("v4", timeout=20)["address"]
    process.wait_for(msg="lease event", family="v4", reason="RENEW")
    confirmed = lab.server_log().count(f"DHCPACK(eth0) {address}")
    with Stranger(lab) as stranger:
        for _ in range(40):
            stranger.socket.send(frame(address))
            process.wait_for(msg="dhcp client started", family="v4")  # lets the records in
        renewed = len(process.find(msg="lease event", family="v4", reason="RENEW"))
        process.wait_for(msg="lease event", family="v4", reason="RENEW", count=renewed + 1, timeout=45)
    assert set(lab.leases_told("v4")) == {address}
    assert not process.find(msg="lease lost") and not process.find(msg="lease refused")
    assert "DHCPDECLINE" not in lab.server_log()
    assert lab.server_log().count(f"DHCPACK(eth0) {address}") - confirmed <= 5
    assert not process.find(msg="dhcp client says", level="WARN")


def test_who_answers_for_every_address_does_not_empty_the_pool(lab):
    """ADDR-6, RFC 2131 §3.1 (5): ten seconds at least after a DECLINE, then twice as long; one line names address and MAC."""
    lab.serve()
    with ProxyOfAll(lab):
        process = lab.start(ANCHORD_DHCP_ARP_PROBE="true", ANCHORD_DHCP_BACKOFF_MAX="1s", ANCHORD_LOG_LEVEL="INFO", real=("control",))
        refused = process.wait_for(msg="lease refused", family="v4", timeout=15)
        row = lab.status()["leases"][0]
        assert (row["state"], row["address"], row["reason"]) == ("refused", refused["what"], f"held by MAC {STRANGER}")
        assert 0 < row["retry_seconds"] <= 10
        process.wait_for(msg="lease refused", family="v4", count=2, timeout=25)
    warned = [record for record in process.records if record.get("level") == "WARN" and record.get("family") == "v4"]
    assert [(record["msg"], record["why"], record["retry_in"]) for record in warned] == [
        ("lease refused", f"held by MAC {STRANGER}", 10)] * 2
    assert lab.server_log().count("DHCPDECLINE(eth0)") == 2
    lab.acquired("v4", timeout=30)
    wait_until(lambda: lab.status()["leases"][0]["state"] == "held")


def test_declines_are_followed_ever_more_slowly(lab):
    """ADDR-6: up to ANCHORD_DHCP_BACKOFF_MAX."""
    lab.serve()
    with ProxyOfAll(lab):
        process = lab.start(ANCHORD_DHCP_ARP_PROBE="true", ANCHORD_DHCP_BACKOFF_MAX="15s")
        process.wait_for(msg="lease refused", family="v4", count=2, timeout=30)
    assert [record["retry_in"] for record in process.find(msg="lease refused", family="v4")] == [10, 15]


REFUSES = "a dhcp server refuses each request, not listening to it"


def test_refusals_of_a_server_that_was_not_chosen_are_not_heard(lab):
    """ADDR-6, RFC 2131 §4.4.1: dhcpcd itself would begin anew with each, for ever; one line names the server."""
    with TwoServers(lab, "10.77.0.50", "10.77.0.1", "10.77.0.2"):
        process = lab.start(ANCHORD_LOG_LEVEL="INFO", real=("control",))
        lab.acquired("v4")
        wait_until(lambda: lab.status()["leases"][0]["state"] == "held")
    assert process.wait_for(msg=REFUSES, family="v4")["server"] == "10.77.0.2"
    assert set(lab.leases_told("v4")) == {"10.77.0.50"}
    assert len([record for record in process.records if record.get("level") == "WARN" and record.get("family") == "v4"]) == 1


def test_a_server_that_refused_is_heard_again_when_no_other_answers(lab):
    """ADDR-6: it may have been right, and be the only one."""
    with TwoServers(lab, "10.77.0.50", "10.77.0.1", "10.77.0.1") as server:
        process = lab.start(ANCHORD_DHCP_BACKOFF_MAX="2s")
        process.wait_for(msg=REFUSES, server="10.77.0.1")
        process.wait_for(msg="no lease yet, asking again", family="v4")
        asked = server.requests
        wait_until(lambda: server.requests > asked)
    lab.serve()
    lab.acquired("v4", timeout=20)
    assert len(process.find(msg=REFUSES)) == 1


TWIN = "another dhcp client has our identifier: two projects need two names"


def test_another_client_with_our_name_is_recognised_and_given_time(lab):
    """ADDR-5, ADDR-6: said once; what the server takes away because of it is not asked for at once."""
    process = lab.start(real=("control",))
    lab.client_pid("v4")
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")
    with Stranger(lab) as twin:
        for name in ("projec", "projects", "Project", "project.", "project", "project"):
            twin.socket.send(discover(name))
        said = process.wait_for(msg=TWIN, family="v4")
        assert (said["level"], said["mac"], said["client_id"]) == ("WARN", STRANGER, "project")
        assert lab.leases_told("v4") == ["10.77.0.50"]  # he alone changes nothing
        for number, delay in enumerate((10, 20), 1):
            lab.tell(lease_event(kind=LOST, reason="NAK"))
            refused = process.wait_for(msg="lease refused", family="v4", count=number)
            assert (refused["why"], refused["retry_in"]) == (f"MAC {STRANGER} has our client identifier", delay)
            process.wait_for(msg="dhcp client stopped", family="v4")
            lab.tell(lease_event(reason="RENEW"))
            lab.acquired("v4", count=number + 1)
    assert len(process.find(msg=TWIN)) == 1


def test_without_another_client_a_refused_lease_is_asked_for_at_once(lab):
    """ADDR-7."""
    process = lab.start()
    lab.client_pid("v4")
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")
    with Stranger(lab) as other:
        other.socket.send(discover("projects"))
        other.socket.send(arp(STRANGER, NOBODY, "10.77.0.50"))
    lab.tell(lease_event(kind=LOST, reason="NAK"))
    process.wait_for(msg="lease lost", family="v4")
    assert not process.find(msg="lease refused") and not process.find(msg=TWIN)


def test_nothing_alarming_is_said_at_the_start(lab):
    """SPEC §7: that dhcpcd has no user of its own is wanted."""
    lab.serve()
    process = lab.start(ANCHORD_LOG_LEVEL="INFO")
    for family in ("v4", "v6"):
        lab.acquired(family)
    assert not [record for record in process.records if record.get("level") in ("WARN", "ERROR") and record.get("family")]


def test_errors_of_dhcpcd_are_still_said(lab):
    """SPEC §7: what is not known to be harmless."""
    program = lab.scratch / "dhcpcd"
    program.write_text("#!/bin/sh\necho 'eth0: if_init: Read-only file system' >&2\necho 'no such user dhcpcd' >&2\nsleep 60\n")
    program.chmod(0o755)
    process = lab.start(replaced_by=program, ANCHORD_LOG_LEVEL="INFO")
    process.wait_for(msg="dhcp client says", level="WARN", family="v4", text="eth0: if_init: Read-only file system")
    assert {record["text"] for record in process.find(msg="dhcp client says")} == {"eth0: if_init: Read-only file system"}
