"""What a person sees in `nft list ruleset`, and what happens to those who change it (NAT-14, NAT-15)."""

import contextlib
import datetime
import itertools
import json
import pathlib
import re
import socket
import struct
import subprocess
import time

import pytest

import messages
from netadmin_lab import GATEWAY4, LAN4, ONE4, ONE6, TWO4, outcome, wait_logged, wait_until

REPAIR_INTERVAL = datetime.timedelta(milliseconds=190)  # 200 in netadmin.c; the log's clock is another one
# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFTA_TABLE_NAME = 12, 10, 2, 1
GOLDEN = pathlib.Path(__file__).with_name("netadmin_ruleset.nft")
OLDER = pathlib.Path(__file__).with_name("netadmin_ruleset_before.nft")
FOREIGN = """table ip docker_dns {
	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:41234
	}
}
"""
# A process whose name is empty, which commits what it is given.
NAMELESS = """import ctypes, sys
ctypes.CDLL(None).prctl(15, b"")  # PR_SET_NAME, linux/prctl.h
library = ctypes.CDLL("libnftables.so.1")
library.nft_ctx_new.restype = ctypes.c_void_p
sys.exit(library.nft_run_cmd_from_buffer(ctypes.c_void_p(library.nft_ctx_new(0)), sys.argv[1].encode()) != 0)
"""

# What somebody does to our tables; `nft -f` text, or several commits.
EDITS = {
    "rule deleted": ["flush chain ip anchord_v4 forward"],
    "rule added": ["insert rule ip anchord_v4 forward accept"],
    "rule added to v6": ["add rule ip6 anchord_v6 input drop"],
    "policy changed": ["chain ip anchord_v4 forward { policy accept; }"],
    "element deleted": ["delete element ip anchord_v4 dnat_tcp { 80 }"],
    "map flushed": ["flush map ip6 anchord_v6 dnat_udp"],
    "element added": ["add element ip anchord_v4 dnat_tcp { 22 : 172.30.0.1 . 22 }"],
    "element redirected": ["delete element ip anchord_v4 dnat_tcp { 80 }\n"
                           "add element ip anchord_v4 dnat_tcp { 80 : 172.30.0.6 . 22 }"],
    "addresses added": ["add element ip anchord_v4 external { 192.0.2.1, 192.0.2.2, 10.99.0.9 }"],
    "address deleted": ["flush set ip6 anchord_v6 external"],
    "foreign chain": ["add chain ip anchord_v4 mine\nadd rule ip anchord_v4 mine drop\n"
                      "insert rule ip anchord_v4 input jump mine"],
    "foreign base chain": ["add chain ip anchord_v4 mine { type filter hook prerouting priority -300; policy drop; }"],
    "foreign set and counter": ["add set ip anchord_v4 bad { type ipv4_addr; flags interval; }\n"
                                "add counter ip anchord_v4 hits\n"
                                "add rule ip anchord_v4 input ip saddr @bad counter name hits drop"],
    "verdict map that holds a chain": ["add chain ip anchord_v4 mine\n"
                                       "add map ip anchord_v4 go { type inet_service : verdict; }\n"
                                       "add element ip anchord_v4 go { 80 : jump mine }\n"
                                       "add rule ip anchord_v4 input tcp dport vmap @go"],
    "table deleted": ["delete table ip anchord_v4"],
    "both deleted": ["delete table ip anchord_v4\ndelete table ip6 anchord_v6"],
    "table asleep": ["add table ip anchord_v4 { flags dormant; }"],
    "chain of ours at another hook": [
        "flush chain ip anchord_v4 input\ndelete chain ip anchord_v4 input\n"
        "add chain ip anchord_v4 input { type filter hook output priority 7; policy drop; }"],
    "map of ours with another type": [
        "flush chain ip anchord_v4 prerouting_nat\nflush chain ip anchord_v4 output_nat\n"
        "delete map ip anchord_v4 dnat_tcp\nadd set ip anchord_v4 dnat_tcp { type ipv4_addr; }"],
}


@pytest.fixture
def installed(lab):
    lab.nft(FOREIGN)
    netadmin = lab.start()
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080), messages.exposure("udp", 80, ONE6, 8080),
                    messages.exposure("tcp", (8000, 8002), TWO4, 9000))
    return lab


def tables(lab):
    """The listing of our two tables and that of everybody else's."""
    ours = "".join(lab.anchor.run("nft", "--stateless", "list", "table", *table, check=False)
                   for table in (("ip", "anchord_v4"), ("ip6", "anchord_v6")))
    return ours, lab.anchor.run("nft", "list", "table", "ip", "docker_dns", check=False)


def blocks(listing):
    """Sorted: nft lists sets and chains in the order of their creation."""
    return sorted(block for table in listing.split("}\n\ttable")
                  for block in re.split(r"\n\n|(?<=\{)\n(?=\t(?:set|map|chain) )|\n(?=\})", table))


def contents(lab):
    """As tables(), but ours as sorted blocks."""
    ours, foreign = tables(lab)
    return blocks(ours), foreign


def test_ruleset_reads_as_it_is_documented(installed):
    assert tables(installed)[0] == GOLDEN.read_text(encoding="utf-8")


def test_ruleset_can_be_loaded_by_nft_itself(installed):
    """nft understands every word of it and lists the same again."""
    installed.other.run("nft", "-f", "-", input=tables(installed)[0])
    reloaded = installed.other.run("nft", "--stateless", "list", "ruleset")
    assert reloaded == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("wrap", [[], ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]], ids=["root", "in_a_container"])
def test_where_none_of_our_tables_is_the_command_says_so(lab, build, wrap):
    """SPEC 9: not nothing and exit status 0, as if all were well; it may have been asked in another namespace."""
    with lab.other.entered():
        done = subprocess.run([*wrap, build / "workers" / "commands" / "ruleset" / "anchord-ruleset"], capture_output=True, text=True,
                              check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("anchord ruleset: no table of anchord is in this network namespace")


@pytest.mark.parametrize("edit", EDITS)
def test_nat15_foreign_change_is_repaired_within_a_second(installed, edit):
    before = contents(installed)
    for text in EDITS[edit]:
        installed.nft(text + "\n")
    start = time.monotonic()
    wait_until(lambda: contents(installed) == before, f"repair of: {edit}", deadline=1)
    print(f"NAT-15: {edit}: repaired and listed after {(time.monotonic() - start) * 1000:.0f} ms")
    logged = wait_until(lambda: installed.netadmin.logged("ruleset repaired"), "the repair in the log")
    assert len(logged) == 1
    assert logged[0]["table"].startswith("anchord_v") and logged[0]["changed"] and logged[0]["process"] == "nft"


def test_nat15_a_change_by_who_calls_himself_nothing_is_repaired(installed):
    before = contents(installed)
    installed.anchor.run("python3", "-c", NAMELESS, "flush chain ip anchord_v4 forward")
    logged = wait_until(lambda: installed.netadmin.logged("ruleset repaired"), "the repair in the log")
    assert [entry["process"] for entry in logged] == ["unknown"] and contents(installed) == before


def test_nat15_hundreds_of_chains_and_what_holds_the_last_are_removed(installed):
    """All at once: a chain that a map holds does not go before the map."""
    before = contents(installed)
    chains = "".join(f"add chain ip anchord_v4 mine{number}\n" for number in range(600))
    installed.nft(chains + "add map ip anchord_v4 go { type inet_service : verdict; }\n"
                  "add element ip anchord_v4 go { 80 : jump mine599 }\n")
    wait_until(lambda: contents(installed) == before, "repair", deadline=1)


def test_nat15_flush_ruleset_is_repaired(installed):
    installed.serve(installed.one, "one", "tcp", 8080, ONE4)
    before, _ = tables(installed)
    installed.anchor.run("nft", "flush", "ruleset")
    wait_until(lambda: tables(installed)[0] == before, "repair", deadline=1)
    assert outcome(installed.client, "tcp", LAN4, 80) == "one"
    assert tables(installed)[1] == ""  # others' tables are not ours to restore


def test_nat15_changes_of_other_tables_are_none_of_our_business(installed):
    handles = installed.anchor.run("nft", "-sa", "list", "table", "ip", "anchord_v4")
    installed.nft("add table ip more\nadd chain ip more c\nadd rule ip more c drop\n")
    installed.nft("delete table ip more\n")
    installed.netadmin.ping(1)
    assert installed.anchor.run("nft", "-sa", "list", "table", "ip", "anchord_v4") == handles
    assert installed.netadmin.logged("ruleset repaired") == []


NEIGHBOURS = FOREIGN + """
table inet firewall {
	set bad { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
	map port_of { type inet_service : inet_service; elements = { 80 : 8080, 443 : 8443 } }
	counter dropped { packets 7 bytes 1234 }
	quota most { over 25 mbytes used 3 bytes }
	chain guard { type filter hook forward priority 10; policy accept; ip saddr @bad counter name dropped drop; }
}
table ip6 nat { chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; oifname "docker0" masquerade; }; }
table ip anchord_v5 { chain forward { type filter hook forward priority 0; policy accept; }; }
"""


def test_nat15_others_tables_are_byte_equal_after_a_hundred_states_and_a_crash(lab):
    """With every handle: nothing of theirs was even replaced by its like."""
    lab.nft(NEIGHBOURS)
    names = [("ip", "docker_dns"), ("inet", "firewall"), ("ip6", "nat"), ("ip", "anchord_v5")]

    def theirs():
        return [lab.anchor.run("nft", "-a", "list", "table", *name) for name in names]

    before = theirs()
    netadmin = lab.start()
    for number in range(100):
        netadmin.expose(messages.exposure("tcp", (8000, 8000 + number), ONE4), messages.exposure("udp", number + 1, ONE6))
    assert theirs() == before
    netadmin.kill()
    successor = lab.start()
    successor.expose(messages.exposure("tcp", 80, TWO4))
    lab.nft("delete table ip anchord_v4\n")
    wait_logged(successor, "ruleset repaired")
    assert theirs() == before
    assert successor.stop() == 0
    assert theirs() == before


def test_nat15_somebody_who_does_it_again_and_again_loses(installed):
    before = tables(installed)
    for _ in range(50):
        installed.nft("flush chain ip anchord_v4 forward\n")
    wait_until(lambda: tables(installed) == before, "repair", deadline=1)
    times = [datetime.datetime.fromisoformat(line["time"]) for line in installed.netadmin.logged("ruleset repaired")]
    assert all(later - earlier > REPAIR_INTERVAL for earlier, later in itertools.pairwise(times)), times


def test_nat15_nobody_but_the_kernel_is_believed(installed):
    """Who may send to our sockets at all may do worse; but no lie may keep us busy."""
    name = b"anchord_v4\0"
    body = struct.pack("=BBHHH", socket.AF_INET, 0, 0, 4 + len(name), NFTA_TABLE_NAME) + name
    lie = struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, 0, 0) + body
    sockets = [line.split() for line in installed.anchor.run("cat", "/proc/net/netlink").splitlines()[1:]]
    ports = [int(fields[2]) for fields in sockets if int(fields[1]) == NETLINK_NETFILTER and int(fields[2])]
    with installed.anchor.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as liar:
        for port in ports:
            with contextlib.suppress(ConnectionRefusedError):  # the monitor is connected to the kernel
                liar.sendto(lie, (port, 0))
    assert len(ports) >= 2, "the socket for requests and that of the monitor"
    for number in range(3):  # the second one is answered after everything that was there before the first
        installed.netadmin.ping(number)
    assert not installed.netadmin.logged("ruleset")
    installed.netadmin.expose(messages.exposure("tcp", 81, ONE4, 8080))


def test_nat15_lost_notifications_lead_to_a_check(installed):
    """More foreign changes at once than the monitor's buffer holds."""
    before = tables(installed)
    elements = ", ".join(f"{port} : 172.30.0.9 . {port}" for port in range(20000, 60000))
    installed.nft(f"add element ip anchord_v4 dnat_tcp {{ {elements} }}\n")
    wait_until(lambda: tables(installed) == before, "repair", deadline=3)


def test_nat14_adoption_removes_what_others_did_meanwhile(installed):
    before = tables(installed)
    installed.netadmin.kill()
    for edit in ("rule added", "foreign chain", "element added", "foreign set and counter"):
        for text in EDITS[edit]:
            installed.nft(text + "\n")
    successor = installed.start()
    successor.expose(messages.exposure("tcp", 80, ONE4, 8080), messages.exposure("udp", 80, ONE6, 8080),
                     messages.exposure("tcp", (8000, 8002), TWO4, 9000))
    assert tables(installed) == before


def test_nat14_an_older_versions_tables_are_brought_to_the_new_rules(lab):
    """In one transaction, and without a gap: whoever is connected stays so."""
    lab.nft(FOREIGN + OLDER.read_text(encoding="utf-8"))
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    lab.anchor.sysctl("ipv4/ip_forward", 1)
    lab.anchor.run("ip", "address", "add", f"{GATEWAY4}/24", "dev", "shared0")
    with lab.client.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.connect((LAN4, 80))
        assert connection.recv(100).startswith(b"one")
        netadmin = lab.start()
        netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080), messages.exposure("udp", 80, ONE6, 8080),
                        messages.exposure("tcp", (8000, 8002), TWO4, 9000))
        after = contents(lab)
        connection.sendall(b"still here")
        assert connection.recv(100) == b"still here"
    assert after == (blocks(GOLDEN.read_text(encoding="utf-8")), FOREIGN)
    assert not netadmin.logged("ruleset repaired")


def test_listing_as_json_names_maps_and_chains(installed):
    listed = json.loads(installed.anchor.run("nft", "-j", "list", "table", "ip", "anchord_v4"))["nftables"]
    names = {entry[kind]["name"] for entry in listed for kind in ("chain", "map", "set") if kind in entry}
    assert {"external", "dnat_tcp", "dnat_udp", "forward", "input", "prerouting_nat"} <= names
