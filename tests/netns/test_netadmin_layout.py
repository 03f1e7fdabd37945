"""What a program of another layout left in our tables: an older one's is brought to ours, a newer one's is not touched
(NAT-14, KEEP-1). The layout stands in the userdata of the set `external` (nft_names.h)."""

import pathlib

import pytest

import messages
from control_peer import ControlPeer
from netadmin_lab import LAN4, LAN6, ONE4, ONE6, Netadmin, wait_logged, wait_until
from table_layout import FAMILIES, LAYOUT, layout, leave_set, raise_layout, userdata

OLDER = pathlib.Path(__file__).with_name("netadmin_ruleset_before.nft")


@pytest.mark.parametrize("name", FAMILIES)
def test_keep1_a_newer_layout_is_refused_before_anything_is_touched(lab, name):
    leave_set(lab, name, b"\0\x04\0\0\0\0" + layout(LAYOUT + 1))
    # The kernel itself makes addresses usable a moment after their links came up.
    wait_until(lambda: not lab.anchor.run("ip", "address", "show", "tentative").strip(), "addresses to be settled")
    before = lab.ruleset(), lab.anchor.run("ip", "rule"), lab.anchor.run("ip", "address")
    netadmin = Netadmin(lab.program, lab.anchor, lab.environment)
    lab.closing.callback(netadmin.close)
    assert netadmin.wait() == 1
    said, = netadmin.logged("the tables are a newer anchord's")
    assert said["operation"] == f"adopt table {name} {FAMILIES[name][1]} of layout {LAYOUT + 1}, known up to {LAYOUT}"
    assert (lab.ruleset(), lab.anchor.run("ip", "rule"), lab.anchor.run("ip", "address")) == before


def test_nat14_our_tables_say_their_layout_and_are_adopted(lab):
    lab.start().expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert {userdata(lab, name) for name in FAMILIES} == {layout(LAYOUT)}
    before = lab.ruleset()
    lab.netadmin.kill()
    successor = lab.start()
    assert successor.reported == [("tcp", 80, 80, ONE4, 8080)]
    assert lab.ruleset() == before


def test_keep1_the_layout_before_is_adopted(lab):
    """An update from a version that knew no lists: the same maps, in tables that say what this one knows."""
    lab.start().expose(messages.exposure("tcp", 80, ONE4, 8080))
    lab.netadmin.kill()
    raise_layout(lab, LAYOUT - 1)
    before = lab.ruleset()
    successor = lab.start()
    assert successor.reported == [("tcp", 80, 80, ONE4, 8080)]
    assert {userdata(lab, name) for name in FAMILIES} == {layout(LAYOUT)}
    assert sorted(lab.ruleset().splitlines()) == sorted(before.splitlines())


def test_nat14_tables_without_a_layout_get_ours(lab):
    lab.nft(OLDER.read_text(encoding="utf-8"))
    assert layout(LAYOUT) not in userdata(lab, "ip")  # nft writes byte orders there
    lab.start().expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert {userdata(lab, name) for name in FAMILIES} == {layout(LAYOUT)}


def test_nat4_flows_of_addresses_that_an_older_layout_served_are_dropped(lab):
    """An update, and a lease that ended meanwhile: what the older set `external` has and we have not is no longer ours."""
    lab.nft(OLDER.read_text(encoding="utf-8"))
    kept = {"4": (LAN4, ONE4), "6": (LAN6, ONE6)}
    given_up = {"4": ("10.99.0.60", ONE4), "6": ("2001:db8:99::60", ONE6)}
    sources = {"4": "10.99.0.9", "6": "2001:db8:99::9"}
    for port, addresses in (("4000", kept), ("4001", given_up)):
        for family, (address, one) in addresses.items():
            table = f"ip{family.replace('4', '')} anchord_v{family}"
            lab.nft(f"add element {table} external {{ {address} }}\nadd element {table} dnat_udp {{ 53 : {one} . 53 }}\n")
            lab.anchor.run("conntrack", "-I", "-p", "udp", "-s", sources[family], "-d", address, "--sport", port, "--dport",
                           "53", "-r", one, "-q", sources[family], "--reply-port-src", "53", "--reply-port-dst", port, "-t",
                           "600")

    def left():
        return {word[4:] for family in ("ipv4", "ipv6")
                for word in lab.anchor.run("conntrack", "-L", "-f", family, "-p", "udp", "--dport", "53", check=False).split()
                if word.startswith("dst=")} & {address for address, _ in (*kept.values(), *given_up.values())}

    assert left() == {LAN4, LAN6, "10.99.0.60", "2001:db8:99::60"}
    lab.start().expose(messages.exposure("udp", 53, ONE4), messages.exposure("udp", 53, ONE6))
    wait_until(lambda: left() == {LAN4, LAN6}, "the flows of what was given up to go")
    assert "::60" not in lab.ruleset() and "10.99.0.60" not in lab.ruleset()


@pytest.mark.parametrize("damaged", [b"\x6e", b"\x6e\x04\x02", b"\x6e\x02\x07\x07", b"\x6e\x05\x07\0\0\0\0",
                                     b"\0\xff\x6e\x04\x07\0\0\0"])
def test_nat14_userdata_that_is_no_layout_is_none(lab, damaged):
    leave_set(lab, "ip", damaged)
    netadmin = lab.start()
    assert userdata(lab, "ip") == layout(LAYOUT)
    assert not netadmin.logged("the tables are a newer anchord's")
    wait_logged(ControlPeer(netadmin), "external interface resolved")
