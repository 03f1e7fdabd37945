"""Announcements (ADDR-12, ADDR-13, GW-1): neighbours on the LAN and on transit learn a new MAC at once,
and whoever else has an address of ours is named.

Nobody's cache is emptied here: an entry with the old MAC is what the announcement must replace. Without
one, containers were cut off for 51.5 s (measured) after the anchor came back with another MAC.
"""

import datetime
import json
import socket
import struct

import pytest

from direct import ANCHOR, CAPABILITIES, FAMILIES, mail_services, service
from lab.instance import OUTSIDE_PORT
from lab.machine import run, wait_until

AT_ONCE = 1  # second; SPEC GW-1 by way of the measure
BACKENDS = ("smtp", "web", "dns")


def neighbour_entry(host, address):
    """The MAC that a host's kernel has for an address on link, or None."""
    entries = json.loads(host.run(["ip", "-j", "neigh", "show", address]).stdout)
    return entries[0].get("lladdr") if entries else None


def mac_of(host, address):
    """The MAC of the host's interface that holds an address, or None."""
    for link in json.loads(host.run(["ip", "-j", "address"]).stdout):
        if address in [item["local"] for item in link["addr_info"]]:
            return link["address"]
    return None


def time_of(record):
    """time.time() of a log record."""
    return datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()


def now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def egress_works(project, name, family):
    outside = project.lab.outside.addresses[FAMILIES.index(family)]
    return project.probe(name, "udp", outside, OUTSIDE_PORT, timeout=0.2).startswith("outside ")


def smtp_only():
    return {"smtp": service("smtp", tcp="25", expose="tcp/25")}


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


def test_every_container_gets_out_again_at_once_after_the_anchor_was_recreated(mail, figure):
    """GW-1, ADDR-12: another MAC has the claimed gateway addresses; no container is touched."""
    for name in BACKENDS:
        for family in FAMILIES:
            wait_until(lambda n=name, f=family: egress_works(mail, n, f), 5, "egress before")
    old = [mac_of(mail.anchor, gateway) for gateway in mail.gateways]
    hosts = {name: mail.namespace(name) for name in BACKENDS}
    assert [neighbour_entry(hosts["smtp"], gateway) for gateway in mail.gateways] == old
    mail.recreate(ANCHOR)
    claimed = time_of(mail.wait_record("gateway addresses claimed"))
    elapsed = {}
    for family in FAMILIES:
        for name in BACKENDS:
            wait_until(lambda n=name, f=family: egress_works(mail, n, f), 5, f"egress of {name}, IPv{family}")
        elapsed[family] = now() - claimed
        figure(f"egress of {len(BACKENDS)} containers, IPv{family}, {elapsed[family] * 1000:.0f} ms after the claim")
    assert max(elapsed.values()) < AT_ONCE
    new = [mac_of(mail.anchor, gateway) for gateway in mail.gateways]
    assert not set(new) & set(old)
    for host in hosts.values():
        assert [neighbour_entry(host, gateway) for gateway in mail.gateways] == new


def test_lan_hosts_reach_the_recreated_anchor_at_once(mail, figure):
    """ADDR-12: they have an entry with the old MAC, which is not asked for again for a while."""
    lan = mail.lab.lanhost1
    for family in FAMILIES:
        mail.wait_answer("tcp", 25, "smtp", family=family)
    old = [neighbour_entry(lan, address) for address in mail.addresses]
    with lan.capture() as capture:
        mail.recreate(ANCHOR)
        resolved = time_of(mail.wait_record("topology pinned"))  # from then on netadmin resolves and announces
        new = [mac_of(mail.anchor, address) for address in mail.addresses]
        for family in FAMILIES:
            mail.wait_answer("tcp", 25, "smtp", family=family)
        elapsed = now() - resolved
        for address, mac in zip(mail.addresses, new):
            wait_until(lambda a=address, m=mac: [news.mac for news in capture.announced(a)].count(m) >= 2, 5,
                       f"two announcements of {address}")
    figure(f"LAN host served {elapsed * 1000:.0f} ms after the interface was resolved")
    assert elapsed < AT_ONCE
    assert not set(new) & set(old)
    assert [neighbour_entry(lan, address) for address in mail.addresses] == new
    for address, mac in zip(mail.addresses, new):
        macs = [news.mac for news in capture.announced(address)]
        assert set(macs[macs.index(mac):]) == {mac}  # the old anchor may have said its own while it still ran


def test_a_host_with_our_address_is_named_and_answered(mail):
    """ADDR-13: RFC 5227, 2.4; its announcement poisons the neighbour's cache, ours mends it."""
    stranger, lan = mail.lab.lanhost2, mail.lab.lanhost1
    mail.wait_answer("tcp", 25, "smtp")
    ours, theirs = mac_of(mail.anchor, mail.at(4)), stranger.link_address()
    mac, address = bytes.fromhex(theirs.replace(":", "")), socket.inet_aton(mail.at(4))
    with stranger:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with sender:
        sender.bind((stranger.interface, 0))
        sender.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac + address +
                    bytes(6) + address)
    record = mail.wait_record("address conflict")
    assert (record["level"], record["address"], record["err"]) == ("ERROR", mail.at(4), f"held by MAC {theirs}")
    wait_until(lambda: neighbour_entry(lan, mail.at(4)) == ours, 2, "our MAC in the neighbour's cache again")
    mail.wait_answer("tcp", 25, "smtp", deadline=2)


@pytest.mark.every_engine
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gateway_address_of_somebody_else_is_not_taken_but_named(direct, family):
    """GW-1, SEE-1 (ANC0334): an error with his MAC and with the command that stops him; claimed as soon as it is free."""
    project = direct(smtp_only() | {"squatter": service("squatter")}).up()
    project.wait_answer("tcp", 25, "smtp", family=family, deadline=20)
    project.compose("stop", ANCHOR)
    squatter = project.namespace("squatter")
    gateway = project.gateways[FAMILIES.index(family)]
    theirs = mac_of(squatter, project.inner("squatter"))
    held = [f"{gateway}/{24 if family == 4 else 64}", "dev", "eth0"]
    squatter.run(["ip", "address", "add", *held, *(["nodad"] if family == 6 else [])])
    project.compose("start", ANCHOR)
    record = project.wait_record("gateway address not claimed")
    assert (record["level"], record["address"], record["err"]) == ("ERROR", gateway, f"held by MAC {theirs}")
    assert record["network"].endswith("transit")
    assert mac_of(project.anchor, gateway) is None
    run(["bash", "-c", record["remedy"]], environment=project.lab.engine.environment())
    wait_until(lambda: mac_of(project.anchor, gateway), 8, "the claim")
    assert project.state("squatter") == "exited" and len(project.records("gateway address not claimed")) == 1
    wait_until(lambda: egress_works(project, "smtp", family), 2, "egress through the anchor")


def test_without_net_raw_everything_else_works(direct):
    """SPEC 11: one warning with the line to add."""
    project = direct(smtp_only(), anchor={"cap_add": [name for name in CAPABILITIES if name != "NET_RAW"]}).up()
    for family in FAMILIES:
        project.wait_answer("tcp", 25, "smtp", family=family, deadline=20)
        wait_until(lambda f=family: egress_works(project, "smtp", f), 5, "egress")
    record = project.wait_record("nothing is announced")
    assert (record["level"], record["line"]) == ("WARN", "cap_add: [NET_RAW]")
    assert "anchord-announcer" not in project.processes()
