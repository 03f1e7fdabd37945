"""The supervised DHCP client (ADDR-2 to ADDR-8): the real dhcpcd and dnsmasq, and a stand-in for netadmin."""

import datetime
import os
import pathlib
import signal
import time

import pytest

from dhcp_client_lab import LINK, LOST, UNUSABLE, DhcpLab, lease_event
from supervision import DHCP_USER, is_gone, status_of, wait_until

CAP_NET_BIND_SERVICE, CAP_NET_RAW = 1 << 10, 1 << 13


@pytest.fixture
def lab(supervision):
    made = DhcpLab(supervision)
    yield made
    made.close()


def seconds_between(first, second):
    begin, end = (datetime.datetime.fromisoformat(record["time"].rstrip("Z")) for record in (first, second))
    return (end - begin).total_seconds()


# --- a lease, from its beginning to its end ---


def test_both_families_get_a_lease_and_release_it(lab):
    """ADDR-2, ADDR-5 and ADDR-8: by name, confirmed so that the release counts, released while the address is there."""
    lab.serve()
    process = lab.start()
    v4, v6 = lab.acquired("v4"), lab.acquired("v6")
    assert v4["address"].startswith("10.77.0.1") and (v4["prefix_length"], v4["server"]) == (24, "10.77.0.1")
    assert v6["address"].startswith("fd77::1:") and v6["prefix_length"] == 128
    lab.served("DHCPREQUEST(eth0)", 3)  # v4, v6, and the renewal that follows the address
    # Type 0, then the name; dnsmasq empties the file each time before it writes it.
    wait_until(lambda: " project 00:70:72:6f:6a:65:63:74" in (lab.scratch / "leases").read_text())
    status, seconds = process.stop()
    assert status == 0 and seconds < 2
    released = {record["family"]: record["address"] for record in process.find(msg="lease released")}
    assert released == {"v4": v4["address"], "v6": v6["address"]}
    lab.served(f"DHCPRELEASE(eth0) {v4['address']}")
    lab.served("DHCPRELEASE(eth0) 00:04:")
    order = [(record.get("msg"), record.get("stand_in"), record.get("event")) for record in process.records]
    assert order.index(("lease released", None, None)) < order.index((None, "netadmin", "stopping"))


def test_keep1_a_stop_with_keep_releases_nothing(lab):
    """The client ends as at a crash; the successor asks for what it had, and gets it (INIT-REBOOT)."""
    lab.serve()
    process = lab.start(ANCHORD_ON_STOP="keep")
    v4, v6 = lab.acquired("v4"), lab.acquired("v6")
    lab.served("DHCPREQUEST(eth0)", 3)
    status, seconds = process.stop()
    assert status == 0 and seconds < 2
    assert not process.find(msg="lease released") and "RELEASE" not in lab.server_log()
    lab.start(ANCHORD_ON_STOP="keep")
    assert (lab.acquired("v4")["address"], lab.acquired("v6")["address"]) == (v4["address"], v6["address"])


@pytest.fixture
def kept(lab):
    """A lab whose anchors share the volume of /var/lib/anchord, and the first one's lease, which it has kept."""
    state = lab.scratch / "state"
    state.mkdir()
    lab.serve()
    process = lab.start(ANCHORD_ON_STOP="keep", STATE=str(state))
    address = lab.acquired("v4")["address"]
    lab.served(f"DHCPACK(eth0) {address}", 2)
    assert process.stop()[0] == 0
    assert {path.name for path in (state / "dhcpcd").iterdir()} >= {"eth0.lease"}
    lab.kept_address, lab.state = address, str(state)
    return lab


def lease_file(lab):
    return pathlib.Path(lab.state, "dhcpcd", "eth0.lease")


def test_keep1_a_successor_in_another_container_asks_for_the_same_lease(kept):
    """RFC 2131 §3.2: by the lease file in the volume, a REQUEST without a DISCOVER."""
    discovered = kept.server_log().count("DHCPDISCOVER")
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    assert kept.acquired("v4")["address"] == kept.kept_address
    assert process.find(msg="lease event", family="v4", reason="REBOOT")
    assert kept.server_log().count("DHCPDISCOVER") == discovered


def test_keep1_after_a_refusal_another_lease_takes_the_place_of_a_predecessors(kept):
    """ADDR-7, and nobody is told in between that there is none: the refusal may be a stranger's."""
    kept.serve(range4="10.77.0.200,10.77.0.219")
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    address = kept.acquired("v4")["address"]
    assert address != kept.kept_address
    assert process.find(msg="lease event", family="v4", reason="NAK")
    assert set(kept.leases_told("v4")) == {address}


def test_keep1_a_refusal_without_another_lease_takes_a_predecessors_address_away(kept):
    """netadmin has adopted it, and is told that there is none."""
    kept.end_server()
    lease_file(kept).unlink()  # dhcpcd's own work at a refusal
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    kept.client_pid("v4")
    kept.tell(lease_event(kind=LOST, reason="NAK"))
    process.wait_for(msg="lease lost", family="v4", why="refused by the server", timeout=20)
    wait_until(lambda: kept.leases_told("v4") == [None])


LAST = "no dhcp server answers, going on with the last lease"


def make_older(lab, seconds):
    then = time.time() - seconds
    os.utime(lease_file(lab), (then, then))


def test_keep1_while_the_server_is_silent_the_last_lease_goes_on(kept):
    """Also in a namespace that a recreated holder made, where the kernel knows of no lifetime: RFC 2131 §3.2. Nothing is released,
    and a server that comes back gives the same."""
    kept.end_server()
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state, ANCHORD_DHCP_BACKOFF_MAX="5s")
    assert process.wait_for(msg=LAST, family="v4", timeout=20)["address"] == kept.kept_address
    assert kept.leases_told("v4") == [kept.kept_address]
    kept.serve()
    assert kept.acquired("v4", timeout=30)["address"] == kept.kept_address
    assert set(kept.leases_told("v4")) == {kept.kept_address} and "RELEASE" not in kept.server_log()


def test_keep1_the_last_lease_ends_at_its_original_end(kept):
    """By the age of the client's lease file, which another start without a server does not make younger."""
    kept.end_server()
    make_older(kept, 120 - 12)  # of the server's 120 s
    written = lease_file(kept).stat().st_mtime
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    first = process.wait_for(msg=LAST, family="v4", timeout=20)["seconds"]
    assert 0 < first <= 10
    assert process.stop()[0] == 0
    assert lease_file(kept).stat().st_mtime == written
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    assert 0 < process.wait_for(msg=LAST, family="v4", timeout=20)["seconds"] < first
    assert process.wait_for(msg="lease lost", family="v4", timeout=20)["why"] == "expired"
    wait_until(lambda: kept.leases_told("v4") == [kept.kept_address, None])


def test_keep1_a_last_lease_of_the_future_is_not_used(kept):
    """The machine's clock was set back, and nobody knows its age."""
    kept.end_server()
    make_older(kept, -60)
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    process.wait_for(msg="lease event", family="v4", reason="EXPIRE", timeout=20)
    assert kept.leases_told("v4") == []


def test_keep1_a_strangers_refusal_of_the_last_lease_waits_for_another(kept):
    """ADDR-6: as one of an adopted address."""
    kept.end_server()
    process = kept.start(ANCHORD_ON_STOP="keep", STATE=kept.state)
    process.wait_for(msg=LAST, family="v4", timeout=20)
    start = time.monotonic()
    kept.tell(lease_event(kind=LOST, reason="NAK"))
    process.wait_for(msg="lease lost", family="v4", why="refused by the server", timeout=20)
    assert time.monotonic() - start > 9
    wait_until(lambda: kept.leases_told("v4") == [kept.kept_address, None])


def pools6(*prefixes):
    """dnsmasq's options for an address of each prefix in one IA_NA, besides the one of the lab's own range."""
    return [f"--dhcp-range={prefix}1:0,{prefix}1:ffff,64,120" for prefix in prefixes]


def test_every_address_of_an_identity_is_leased_named_and_released(lab):
    """ADDR-2, ADDR-8, NAT-8: the best one first, whatever its place in the server's answer; a renewal changes nothing."""
    lab.server.run("ip", "address", "add", "2001:db8:77::1/64", "dev", LINK, "nodad")
    lab.serve(options=pools6("2001:db8:77::"))
    process = lab.start()
    v6 = lab.acquired("v6")
    further = process.wait_for(msg="further address leased", family="v6")
    assert v6["address"].startswith("2001:db8:77::1:") and further["address"].startswith("fd77::1:")
    assert set(map(tuple, lab.further_told())) == {(further["address"],)}
    table = (lab.scratch / "leases").read_text()
    assert v6["address"] in table and further["address"] in table
    status, _ = process.stop()
    assert status == 0
    released = process.wait_for(msg="lease released", family="v6")
    assert (released["address"], released["further_addresses"]) == (v6["address"], 1)
    wait_until(lambda: "fd77::1:" not in (table := (lab.scratch / "leases").read_text()) and "2001:" not in table)


def test_addresses_of_an_identity_that_are_too_many_are_named(lab):
    """ADDR-2: four are used, the best of each scope among them; each other one is in a WARN."""
    prefixes = [f"2001:db8:{number}::" for number in range(71, 76)]
    for prefix in prefixes:
        lab.server.run("ip", "address", "add", f"{prefix}1/64", "dev", LINK, "nodad")
    lab.serve(options=pools6(*prefixes))
    process = lab.start()
    main = lab.acquired("v6")["address"]
    further = lab.further_told()[-1]
    assert len(further) == 3 and further[0].startswith("fd77::1:") and not main.startswith("fd77")
    given = {line.split()[2] for line in (lab.scratch / "leases").read_text().splitlines() if len(line.split()) == 5}
    left_out = {address for address in given if ":" in address} - {main, *further}
    assert len(left_out) == 2
    for address in left_out:
        process.wait_for(level="WARN", text=f"anchord-lease: the server gave more than 4 addresses, left out: {address}")


def test_renewals_change_nothing_and_a_refused_one_brings_the_new_address(lab):
    """ADDR-6 and ADDR-7: dhcpcd does not hear the NAK to a unicast renewal; it is asked to look 10 s after T1."""
    lab.serve(renewal=3)
    process = lab.start()
    first = lab.acquired("v4")["address"]
    process.wait_for(msg="lease event", family="v4", reason="RENEW", count=2)  # by SIGUSR1, and at T1
    assert set(lab.leases_told("v4")) == {first} and len(process.find(msg="lease acquired", family="v4")) == 1
    (lab.scratch / "leases").unlink()
    lab.serve(range4="10.77.0.200,10.77.0.249", renewal=3)
    lost = process.wait_for(msg="lease lost", family="v4", timeout=25)
    assert (lost["address"], lost["why"]) == (first, "refused by the server")
    second = lab.acquired("v4", count=2)["address"]
    assert second != first and second.startswith("10.77.0.2")
    told = lab.leases_told("v4")
    assert told.index(None) < told.index(second)


def test_lease_outlives_dhcpcd(lab):
    """ADDR-6: any end that nobody asked for is repaired; the same address is confirmed, and nothing was given up."""
    lab.serve()
    process = lab.start(real=("exporter",))
    address = lab.acquired("v4")["address"]
    process.wait_for(msg="lease event", family="v4", reason="RENEW")  # killed as it writes its file, it has no lease to confirm
    os.kill(lab.client_pid("v4"), signal.SIGKILL)
    ended = process.wait_for(msg="dhcp client ended", family="v4")
    assert (ended["status"], ended["retry_in"]) == ("KILL", 0)
    lab.client_pid("v4", count=2)
    process.wait_for(msg="lease event", family="v4", reason="REBOOT")
    assert set(lab.leases_told("v4")) == {address}
    assert not process.find(msg="dhcp client ended", family="v6")  # ADDR-4
    assert lab.metric('anchord_dhcp_client_restarts_total{family="v4"}') == 1


def test_request_that_comes_too_early_does_not_end_dhcpcd(lab):
    """ADDR-6: one that its predecessor should have heard, before it handles signals."""
    program = lab.scratch / "dhcpcd"
    program.write_text("#!/bin/sh\necho ready >&2\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    process = lab.start(replaced_by=program)
    process.wait_for(msg="dhcp client says", family="v4", text="ready")
    for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGALRM):
        os.kill(lab.client_pid("v4"), number)
    assert process.wait_for(msg="dhcp client ended", family="v4")["status"] == "ALRM"


def test_lease_outlives_the_supervisor(lab):
    """ADDR-8: a crash releases nothing; the predecessor's dhcpcd dies with it, and its successor gets the same address."""
    lab.serve()
    process = lab.start("anchord-init-under-test")
    addresses = {family: lab.acquired(family)["address"] for family in ("v4", "v6")}
    clients = [lab.client_pid(family) for family in ("v4", "v6")]
    supervisor = int(status_of(clients[0])["PPid"])
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, clients)))
    for family, address in addresses.items():
        assert lab.acquired(family, count=2)["address"] == address
    assert "DHCPRELEASE" not in lab.server_log()
    process.wait_for(msg="lease event", family="v4", reason="REBOOT")
    assert process.stop()[0] == 0


def test_lost_carrier_is_no_lost_lease(lab):
    lab.serve()
    process = lab.start()
    address = lab.acquired("v4")["address"]
    lab.server.run("ip", "link", "set", LINK, "down")
    process.wait_for(msg="lease event", family="v4", reason="EXPIRE")
    lab.server.run("ip", "link", "set", LINK, "up")
    process.wait_for(msg="lease event", family="v4", reason="REBOOT", timeout=15)
    assert set(lab.leases_told("v4")) == {address} and not process.find(msg="lease lost")


def test_silent_server_is_asked_again_until_it_answers(lab):
    """ADDR-6: the silence between two questions is capped, for IPv6 too, and the first answer counts at once. Never so short
    that a client could not choose among the advertisements of a second (RFC 8415 §18.2.1)."""
    process = lab.start(ANCHORD_DHCP_BACKOFF_MAX="500ms", real=("exporter",))
    asked = {family: process.wait_for(msg="no lease yet, asking again", family=family, count=2) for family in ("v4", "v6")}
    started = process.find(msg="dhcp client started", family="v6")[0]
    assert seconds_between(started, asked["v6"]) > 3.8
    lab.serve()
    for family in ("v4", "v6"):
        lab.acquired(family, timeout=5)
    assert lab.metric('anchord_dhcp_acquired_total{family="v6",outcome="error"}') >= 2


def test_restarted_netadmin_is_told_the_leases(lab):
    lab.serve()
    process = lab.start()
    addresses = {family: lab.acquired(family)["address"] for family in ("v4", "v6")}
    for generation in (2, 3):  # what was answered to the second one is handled when the third one is told
        os.kill(process.find(msg="worker started", name="netadmin")[-1]["pid"], signal.SIGKILL)
        successor = process.wait_for(msg="worker started", name="netadmin", count=generation)["pid"]
        for number, family in ((4, "v4"), (6, "v6")):
            process.wait_for(event="lease", family=number, address=addresses[family], pid=successor)
    assert len(process.find(msg="lease acquired")) == 2 and len(process.find(msg="dhcp client started")) == 2


def test_lease_that_netadmin_refuses_is_named(lab):
    lab.serve()
    process = lab.start(netadmin={"refuse_lease": "inside transit"}, real=("control", "exporter"))
    refused = process.wait_for(msg="lease refused", family="v4")
    assert refused["what"].startswith("10.77.0.1") and refused["why"] == "inside transit"
    assert refused["retry_in"] == 10
    assert lab.metric('anchord_dhcp_acquired_total{family="v4",outcome="error"}') >= 1
    assert lab.metric('anchord_dhcp_lease_remaining_seconds{family="v4"}') == 0
    process.wait_for(msg="lease refused", family="v6")
    wait_until(lambda: [row["state"] for row in lab.status()["leases"]] == ["refused", "refused"])
    row = lab.status()["leases"][0]
    assert (row["address"], row["reason"]) == (refused["what"], refused["why"]) and 0 < row["retry_seconds"] <= 10
    assert f"v4 refused {refused['what']}/24 (inside transit, asked again in " in lab.status_text()


def test_lease_that_netadmin_takes_back_is_held_no_longer(lab):
    """WALL-2: a network that was connected later contains it. Status says so at once, the client gives it back and asks anew,
    and another lease is as good as ever."""
    lab.serve(range4="10.77.0.150,10.77.0.159")
    process = lab.start(netadmin={"take_back": "in the inner network 10.77.0.0/24 on eth1"}, real=("control",),
                        ANCHORD_DHCP_BACKOFF_MAX="1s")
    address = lab.acquired("v4")["address"]
    refused = process.wait_for(msg="lease refused", family="v4")
    assert (refused["what"], refused["why"]) == (address, "in the inner network 10.77.0.0/24 on eth1")
    row = wait_until(lambda: next((row for row in lab.status()["leases"] if row["state"] == "refused"), None))
    assert (row["family"], row["address"], row["reason"]) == ("v4", address, refused["why"])
    lab.acquired("v6")
    (lab.scratch / "leases").unlink()
    lab.serve(range4="10.77.0.160,10.77.0.199")
    assert lab.acquired("v4", count=2)["address"] != address
    wait_until(lambda: lab.status()["leases"][0]["state"] == "held")


def test_refused_lease_is_given_back_and_asked_for_anew(lab):
    """ADDR-6: not at its T1, after a minute here; whoever answers better then is believed at once."""
    lab.serve(range4="10.77.0.150,10.77.0.159")
    process = lab.start(netadmin={"refuse_lease": "inside transit", "refuse_address": "10.77.0.15"},
                        real=("control",), ANCHORD_DHCP_BACKOFF_MAX="1s")
    process.wait_for(msg="lease refused", family="v4", count=3)
    lab.acquired("v6")
    assert not process.find(msg="lease lost") and not process.find(msg="dhcp client ended")
    assert len(process.find(msg="dhcp client started", family="v6")) == 1  # ADDR-4
    (lab.scratch / "leases").unlink()
    lab.serve(range4="10.77.0.160,10.77.0.199")
    address = lab.acquired("v4")["address"]
    wait_until(lambda: lab.status()["leases"][0]["state"] == "held")
    row = lab.status()["leases"][0]
    assert (row["address"], row["reason"], row["retry_seconds"]) == (address, None, 0)


def test_refusals_are_asked_about_ever_more_slowly(lab):
    """ADDR-6: also those of a lease that could not even be read."""
    process = lab.start(netadmin={"refuse_lease": "nonsense", "refuse_address": "10.77.0.9"}, ANCHORD_DHCP_BACKOFF_MAX="35s")
    lab.client_pid("v4")
    for number, told in enumerate([lease_event(address=f"10.77.0.{last}") for last in (90, 91)] +
                                  [lease_event(kind=UNUSABLE, problem="new_dhcp_lease_time is zero")] * 2, start=1):
        lab.tell(told)
        process.wait_for(msg="lease refused", family="v4", count=number)
    refused = [(record["what"], record["why"], record["retry_in"]) for record in process.find(msg="lease refused")]
    assert refused == [("10.77.0.90", "nonsense", 10), ("10.77.0.91", "nonsense", 20),
                       ("what the server gave", "new_dhcp_lease_time is zero", 35)] + refused[-1:]
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")
    lab.tell(lease_event(kind=UNUSABLE, problem="new_routers is nothing"))
    assert process.wait_for(msg="lease refused", family="v4", count=5)["retry_in"] == 10


def test_refused_renewal_leaves_the_lease_and_its_client(lab):
    """ADDR-6: what serves stays until its end; giving it back would let another host have it."""
    process = lab.start(real=("control",), ANCHORD_DHCP_BACKOFF_MAX="1s")
    lab.client_pid("v4")
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")
    lab.tell(lease_event(kind=UNUSABLE, reason="RENEW", problem="new_routers is no list of IPv4 addresses"))
    refused = process.wait_for(msg="lease refused", family="v4")
    assert (refused["why"], refused["retry_in"]) == ("new_routers is no list of IPv4 addresses", 1)
    process.wait_for(msg="asking again after a refused lease", family="v4")
    assert lab.leases_told("v4") == ["10.77.0.50"] and len(process.find(msg="dhcp client started", family="v4")) == 1


# --- what operators see ---


def test_status_and_metrics_show_the_leases(lab):
    """SPEC §7 and §9."""
    lab.serve()
    process = lab.start(real=("control", "exporter"))
    v4, v6 = lab.acquired("v4"), lab.acquired("v6")
    wait_until(lambda: [row["state"] for row in lab.status()["leases"]] == ["held", "held"])
    status = lab.status()
    row4, row6 = status["leases"]
    assert (row4["family"], row4["address"], row4["prefix_length"], row4["server"]) == ("v4", v4["address"], 24, "10.77.0.1")
    assert (row6["family"], row6["address"], row6["prefix_length"], row6["server"]) == ("v6", v6["address"], 128, None)
    assert 60 < row4["remaining_seconds"] <= 120 and 60 < row6["remaining_seconds"] <= 120
    workers = {worker["name"]: worker for worker in status["workers"]}
    assert workers["dhcp4"]["pid"] == lab.client_pid("v4") and workers["dhcp6"]["state"] == "running"
    assert f"v4 {v4['address']}/24 from 10.77.0.1 for " in lab.status_text()
    assert 60 < lab.metric('anchord_dhcp_lease_remaining_seconds{family="v4"}') <= 120
    assert lab.metric('anchord_dhcp_acquired_total{family="v4",outcome="ok"}') >= 1


def test_of_several_addresses_one_that_lives_is_shown(lab):
    """ADDR-2, SPEC §9: each has its own end; the lease, which the metric is about, is over with the last one."""
    remaining = 'anchord_dhcp_lease_remaining_seconds{family="v6"}'
    process = lab.start(real=("control", "exporter"))
    lab.client_pid("v6")
    lab.tell(lease_event(family=6, address="fd77::10", prefix_length=128, seconds=3,
                         further=[("fd77::11", 1, 1), ("fd77::12", 600, 600)]))
    lab.acquired("v6")
    for address, seconds in ("fd77::10", 3), ("fd77::12", 600):
        row = wait_until(lambda address=address: next((row for row in lab.status()["leases"] if row["address"] == address), None))
        assert (row["family"], row["state"]) == ("v6", "held") and seconds - 8 <= row["remaining_seconds"] <= seconds
        assert 590 < lab.metric(remaining) <= 600
    assert not process.find(msg="lease lost")
    os.kill(lab.client_pid("v6"), signal.SIGKILL)
    process.wait_for(msg="dhcp client started", family="v6", count=2)
    wait_until(lambda: {worker["name"]: worker["restarts"] for worker in lab.status()["workers"]}["dhcp6"] == 1)


# --- what it may do, and where it may not run ---


def test_dhcpcd_has_two_capabilities_and_nothing_of_ours(lab):
    """DESIGN §1, MODELS C.13: a user of its own, one process, no descriptor of ours."""
    lab.serve()
    lab.start()
    for family in ("v4", "v6"):
        lab.acquired(family)
        pid = lab.client_pid(family)
        status = status_of(pid)
        assert status["Uid"].split() == [str(DHCP_USER)] * 4 and status["Gid"].split() == [str(DHCP_USER)] * 4
        assert status["Groups"] == ""
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(status[name], 16) == CAP_NET_BIND_SERVICE | CAP_NET_RAW, name
        assert int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        # Its script may still be at work on the last event.
        wait_until(lambda: pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text() == "")
        assert os.getpgid(pid) == pid
        targets = {os.readlink(link) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        assert not [target for target in targets if "memfd" in target or "control.sock" in target]


def test_dhcpcd_gets_its_output_into_the_log_and_no_environment(lab):
    program = lab.scratch / "dhcpcd"
    program.write_text("#!/usr/bin/python3 -IS\nimport sys\n'--ipv6only' in sys.argv and sys.exit()\n"
                       "sys.stdout = sys.stderr\nprint(open('/proc/self/environ').read())\n"
                       "print('\\x1b[2J' + 'x' * 1000)\n[print(i) for i in range(100)]\n")
    program.chmod(0o755)
    process = lab.start(replaced_by=program, ANCHORD_LOG_LEVEL="INFO")
    process.wait_for(msg="dhcp client ended", family="v4")
    said = [record["text"] for record in process.find(msg="dhcp client says", family="v4", level="WARN")]
    assert said[0] == "PATH=/usr/bin:/usr/libexec/anchord "
    assert said[1].startswith("\x1b[2Jxxx") and max(map(len, said)) <= 400
    assert 10 < len(said) <= 100  # a flood is cut


def test_missing_dhcpcd_is_fatal_and_named(lab):
    process = lab.start(replaced_by="/dev/null")
    assert process.wait() == 1
    assert process.wait_for(level="ERROR")["package"] == "dhcpcd-base"
    assert not process.find(msg="worker started")


def test_missing_capabilities_are_named_with_the_line(lab):
    """SPEC §11: before anything is installed."""
    process = lab.start(without="-net_raw,-net_bind_service,-chown")
    assert process.wait() == 1
    lines = {record["line"] for record in process.find(msg="a capability is missing, add it to the service in Compose")}
    assert lines == {"cap_add: [NET_RAW]", "cap_add: [NET_BIND_SERVICE]", "cap_add: [CHOWN]"}
    assert not process.find(msg="worker started")


@pytest.mark.parametrize("mode", ["bootstrap", "slaac-ra-only"])
def test_other_modes_run_no_client(lab, mode):
    """ADDR-1 and ADDR-3: nor do they need its capabilities."""
    process = lab.start(ANCHORD_ADDRESS_MODE=mode, without="-net_bind_service,-chown", replaced_by="/dev/null",
                        real=("control",))
    process.wait_for(msg="anchord ready")
    status = lab.status()
    assert [row["state"] for row in status["leases"]] == ["off", "off"]
    assert not {"dhcp4", "dhcp6"} & {worker["name"] for worker in status["workers"]}
    assert process.stop()[0] == 0 and not process.find(msg="dhcp client started")


def test_client_that_ends_at_once_is_started_again_ever_more_slowly(lab):
    """ADDR-6: status 0 is no success, it is what dhcpcd says when another one has the interface."""
    process = lab.start(replaced_by="/bin/true", ANCHORD_DHCP_BACKOFF_MAX="2s")
    process.wait_for(msg="dhcp client ended", family="v4", count=5)
    delays = [(record["status"], record["retry_in"]) for record in process.find(msg="dhcp client ended", family="v4")]
    assert delays[:5] == [(0, 0), (0, 1), (0, 2), (0, 2), (0, 2)]
    status, seconds = process.stop()
    assert status == 0 and seconds < 2


# --- the lease socket ---


def refusals(process, reason):
    return process.find(msg="lease socket: refused what came in", reason=reason)


def test_lease_socket_refuses_all_but_its_client(lab):
    process = lab.start()
    lab.client_pid("v4")
    assert lab.tell(lease_event(), user=0) in ("0", "reset")
    assert refusals(process, "another user than the DHCP client's")
    assert "PermissionError" in lab.tell(lease_event(), user=1000)
    assert lab.tell(b"x" * 24) == "0"
    assert lab.tell(lease_event(prefix_length=0)) == "0"
    assert lab.tell(lease_event()[:-4]) == "0"
    wait_until(lambda: process.find(msg="lease socket: refused what came in", refused=4))
    assert lab.tell(lease_event(interface="lo")) == "0"
    process.wait_for(msg="lease event of another interface refused", interface="lo")
    assert not process.find(event="lease")
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")


def test_lease_socket_survives_many_silent_peers(lab):
    process = lab.start()
    lab.client_pid("v4")
    lab.tell(b"", connections=40)  # the last of them waits for its end
    wait_until(lambda: refusals(process, "too many at once") or refusals(process, "nothing was sent"))
    assert lab.tell(lease_event(reason="RENEW")) == "0"
    lab.acquired("v4")


def test_lease_ends_when_nobody_renews_it(lab):
    """ADDR-6: by our own clock, even if dhcpcd never says a word."""
    process = lab.start()
    lab.client_pid("v4")
    lab.tell(lease_event(reason="RENEW", seconds=1))
    assert process.wait_for(msg="lease lost", family="v4")["why"] == "expired"
    wait_until(lambda: lab.leases_told("v4") == ["10.77.0.50", None])


def test_lost_lease_stays_only_if_it_may(lab):
    """EXPIRE means that dhcpcd knows nothing any more, EXPIRED that others claim the address (ADDR-13): both no reason."""
    process = lab.start()
    lab.client_pid("v4")
    lab.tell(lease_event(reason="RENEW"))
    lab.acquired("v4")
    for number, reason in enumerate(("EXPIRE", "EXPIRED"), 1):
        lab.tell(lease_event(kind=LOST, reason=reason))
        process.wait_for(msg="the dhcp client gave its lease up; it stays until its end", count=number)
    assert lab.leases_told("v4") == ["10.77.0.50"]
    lab.tell(lease_event(kind=LOST, reason="NAK"))
    assert process.wait_for(msg="lease lost", family="v4")["why"] == "refused by the server"


def test_dhcpcd_of_the_host_reports_as_root(lab):
    """SPEC §11: with ANCHORD_DHCP_CLIENT=host there is no client of ours, and its user may not speak."""
    process = lab.start(ANCHORD_DHCP_CLIENT="host", without="-net_bind_service,-chown", replaced_by="/dev/null",
                        real=("control",))
    process.wait_for(msg="external link", interface=LINK)
    assert lab.tell(lease_event(), user=0) == "0"
    assert lab.acquired("v4")["address"] == "10.77.0.50"
    wait_until(lambda: lab.status()["leases"][0]["state"] == "held")
    lab.tell(lease_event(kind=LOST, reason="EXPIRED"), user=0)  # it has taken the address away itself
    assert process.wait_for(msg="lease lost", family="v4")["why"] == "taken by another host"
    assert "dhcp4" not in {worker["name"] for worker in lab.status()["workers"]}
    assert "PermissionError" in lab.tell(lease_event(), user=DHCP_USER)
    assert process.stop()[0] == 0 and not process.find(msg="dhcp client started")
