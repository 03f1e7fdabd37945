"""SEE-4 at the kernel: what is counted, by real packets, and that no counter ever goes back."""

import json
import socket
import subprocess

import pytest

import control_peer
import messages
from ban_lab import BansPeer, item
from control_peer import ControlPeer
from lab import forge
from netadmin_lab import (CLIENT4, CLIENT6, EXTERNAL_MAC, LAN4, LAN6, LAN_UNIQUE_LOCAL, ONE4, ONE6, OTHER4, TWO4, TWO6, outcome,
                          wait_until)

TABLES = {4: ("ip", "anchord_v4"), 6: ("ip6", "anchord_v6")}
OWN, CLIENT, BACKEND = {4: LAN4, 6: LAN6}, {4: CLIENT4, 6: CLIENT6}, {4: ONE4, 6: ONE6}
FAMILIES = pytest.mark.parametrize("family", TABLES, ids=("v4", "v6"))
REASONS = ("closed", "list", "limit", "ban", "forged", "stray", "isolation", "egress")


def refused(lab, family):
    """Packets by reason, without what is zero."""
    listed = json.loads(lab.anchor.run("nft", "-j", "list", "counters", "table", *TABLES[family]))["nftables"]
    counted = {entry["counter"]["name"].removeprefix("refused_"): entry["counter"]["packets"]
               for entry in listed if "counter" in entry}
    assert tuple(counted) == REASONS
    return {reason: packets for reason, packets in counted.items() if packets}


def exposures(protocol="tcp", port=80):
    return [messages.exposure(protocol, port, backend, 8080) for backend in (ONE4, ONE6)]


def send(lab, *packets):
    with lab.client.entered():
        forge.send("eth0", EXTERNAL_MAC, *packets)


@pytest.fixture
def served(lab):
    for protocol in ("tcp", "udp"):
        for backend in (ONE4, ONE6):
            lab.serve(lab.one, "one", protocol, 8080, backend)
    lab.start()
    return lab


@FAMILIES
def test_see4_each_refusal_is_counted_once_by_its_reason(served, family):
    """By the wall that refuses, and what comes in nowhere."""
    client, own, netadmin = served.client, OWN[family], served.netadmin
    netadmin.expose(*exposures(), *exposures("udp"), *exposures(port=22), *exposures(port=81),
                    guests=[*messages.allow("tcp", 81, "192.0.2.0/24"), *messages.limit("tcp", 22, 1, per_minute=True, burst=1)])
    want = {}

    def refuses(reason, *answers, packets=1):
        want[reason] = want.get(reason, 0) + packets
        wait_until(lambda: refused(served, family) == want, f"{want}, not {refused(served, family)}")
        assert all(answer == "refused" for answer in answers), answers

    assert [outcome(client, protocol, own, 80) for protocol in ("tcp", "udp")] == ["one", "one"]
    assert outcome(client, "tcp", own, 22) == "one"
    assert refused(served, family) == {}
    refuses("closed", outcome(client, "tcp", own, 82), outcome(client, "udp", own, 82), packets=2)
    refuses("closed", outcome(served.two, "tcp", own, 82))  # a container is refused as well
    refuses("list", outcome(client, "tcp", own, 81))
    refuses("limit", outcome(client, "tcp", own, 22))
    send(served, forge.udp(BACKEND[family], 5000, own, 80))
    refuses("forged")
    send(served, forge.tcp(CLIENT[family], 5000, own, 80, forge.SYN | forge.ACK, 1, 1))
    refuses("stray")
    send(served, forge.udp(CLIENT[family], 5000, BACKEND[family], 8080))
    refuses("isolation")


@FAMILIES
def test_see4_what_was_not_for_the_project_is_not_counted(served, family):
    """Who is banned, and the rest of the LAN, talk to each other and to everybody."""
    bans = BansPeer(served.netadmin)
    served.closing.callback(bans.close)
    served.netadmin.expose(*exposures("udp"))
    everybody = {4: "10.99.0.255", 6: "ff02::1"}[family]
    send(served, forge.udp(CLIENT[family], 5000, everybody, 80))
    assert bans.ban([item(f"{CLIENT4}/32"), item("2001:db8:99::/64")]) == (0, "")
    send(served, forge.udp(CLIENT[family], 5000, everybody, 80), forge.udp(BACKEND[family], 5000, everybody, 80),
         forge.udp(CLIENT[family], 5000, OWN[family], 80), forge.udp(CLIENT[family], 5000, OWN[family], 82))
    wait_until(lambda: refused(served, family) == {"ban": 2}, "two packets of who is banned")


def test_see4_a_container_that_has_no_way_out_is_counted(served):
    """IPv6 without an address to leave with; and a way between networks that is none of ours."""
    for address in (LAN6, LAN_UNIQUE_LOCAL):
        served.anchor.run("ip", "address", "delete", f"{address}/64", "dev", "ext0")
    served.anchor.run("ip", "-6", "route", "add", CLIENT6, "dev", "ext0")
    wait_until(lambda: "no address to leave with" in served.ruleset(), "tables without egress")
    outcome(served.one, "udp", CLIENT6, 4000, patience=0.1)
    wait_until(lambda: refused(served, 6) == {"egress": 1}, "the refused datagram")
    outcome(served.one, "udp", OTHER4, 4000, patience=0.1)
    wait_until(lambda: refused(served, 4) == {"isolation": 1}, "the refused datagram")


@FAMILIES
def test_see4_refusals_stay_counted(served, family):
    """Over states, repairs of rules, new rules and a successor."""
    for _ in range(3):
        assert outcome(served.client, "tcp", OWN[family], 82) == "refused"
    served.netadmin.expose(*exposures())
    served.nft(f"flush chain {' '.join(TABLES[family])} input\n")
    wait_until(lambda: served.netadmin.logged("ruleset repaired"), "the repair")
    served.netadmin.kill()
    served.nft(f"flush table {' '.join(TABLES[family])}\n")
    served.start().expose(*exposures("udp"))
    assert refused(served, family) == {"closed": 3}
    assert outcome(served.client, "tcp", OWN[family], 80) == "refused"
    assert refused(served, family) == {"closed": 4}


# --- exposed ports


def counted(lab, family, name):
    """(packets, bytes) by port, as the elements of a map or set of ours say."""
    kind = "map" if name.startswith("dnat") else "set"
    listed = json.loads(lab.anchor.run("nft", "-j", "list", kind, *TABLES[family], name))["nftables"]
    elements = next(entry[kind] for entry in listed if kind in entry).get("elem", [])
    keys = [element[0] if kind == "map" else element for element in elements]
    return {key["elem"]["val"]: (key["elem"]["counter"]["packets"], key["elem"]["counter"]["bytes"]) for key in keys}


def flows(lab, family, protocol="tcp"):
    return {port: packets for port, (packets, _) in counted(lab, family, f"dnat_{protocol}").items()}


def traffic(lab, family, protocol="tcp"):
    return counted(lab, family, f"traffic_{protocol}")


HEADERS = {4: 20 + 8, 6: 40 + 8}  # of a datagram


def converse(lab, family, port, times, size=100):
    """One flow of datagrams and answers; returns how many bytes it had on the wire."""
    total = 0
    with lab.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as flow:
        flow.connect((OWN[family], port))
        for _ in range(times):
            flow.send(bytes(size))
            total += 2 * HEADERS[family] + size + len(flow.recv(2048))
    return total


@FAMILIES
def test_see4_flows_packets_and_bytes_are_what_a_client_counted(served, family):
    """A flow once; packets of both directions, also those of the project's own containers; nothing of other ports."""
    served.netadmin.expose(*exposures("udp"), *exposures("udp", (90, 92)), *exposures("tcp"))
    total = converse(served, family, 80, 7) + converse(served, family, 80, 1, 1000)
    assert flows(served, family, "udp")[80] == 2
    assert traffic(served, family, "udp")[80] == (2 * 8, total)
    assert outcome(served.two, "tcp", OWN[family], 80) == "one"
    wait_until(lambda: traffic(served, family)[80][0] >= 6, "the packets of a connection of a container")
    assert flows(served, family) == {80: 1}
    assert {port: count for port, count in traffic(served, family, "udp").items() if port != 80} == {
        90: (0, 0), 91: (0, 0), 92: (0, 0)}


@FAMILIES
def test_see4_counters_are_kept_over_changes_of_others_and_of_their_own(served, family):
    """Another backend, a port that goes and comes back, a repair of an element and of a map, a successor."""
    own, other = exposures("udp"), [messages.exposure("udp", 80, backend, 8080) for backend in (TWO4, TWO6)]
    for backend in (TWO4, TWO6):
        served.serve(served.two, "two", "udp", 8080, backend)
    served.netadmin.expose(*own)
    total = converse(served, family, 80, 5)
    want = 1, (10, total)

    def kept():
        """What a port has counted while it was there is carried over, in either family."""
        both = [traffic(served, each, "udp").get(80, (0, 0)) for each in TABLES]
        return (sum(flows(served, each, "udp").get(80, 0) for each in TABLES), tuple(map(sum, zip(*both)))) == want

    assert kept()
    served.netadmin.expose(*own, *exposures("udp", (100, 9000)))
    assert kept(), "after ports were added"
    served.netadmin.expose(*other)
    assert kept(), "after another backend came"
    served.netadmin.expose()
    served.netadmin.expose(*own)
    assert kept(), "after the port went and came back"
    table = " ".join(TABLES[family])
    served.nft(f"flush chain {table} forward\n")
    wait_until(lambda: served.netadmin.logged("ruleset repaired"), "the repair")
    assert kept(), "after a repair"
    served.netadmin.kill()
    served.start().expose(*own)
    assert kept(), "after a crash"
    total += converse(served, family, 80, 1)
    want = 2, (12, total)
    assert kept()


def test_see4_ten_thousand_changes_of_others_lose_no_count(served):
    """While a client talks: each datagram is counted, and no reading is less than the one before."""
    served.netadmin.expose(*exposures("udp"))
    total, packets, last = 0, 0, (0, 0)
    for number in range(1000):
        for port in range(1000 + number % 2, 1020, 2):
            served.netadmin.generation += 1
            for datagram in messages.state([*exposures("udp"), *exposures("tcp", port)], served.netadmin.generation):
                served.netadmin.watcher.send(datagram)
            while served.netadmin.receive_applied().generation != served.netadmin.generation:
                pass
        if number % 100 == 0:
            total, packets = total + converse(served, 4, 80, 3), packets + 6
            now = traffic(served, 4, "udp")[80]
            assert now >= last
            last = now
    assert traffic(served, 4, "udp")[80] == (packets, total)
    assert flows(served, 4, "udp")[80] == 10


def test_see4_a_kernel_without_counters_of_elements_counts_refusals_alone(lab, build):
    """Below Linux 5.7: the ports answer, and nothing is said of what goes through them."""
    lab.environment = {"REFUSE_NETLINK": "traffic EINVAL 100000", "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    netadmin.expose(*exposures())
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"
    assert outcome(lab.client, "tcp", LAN4, 81) == "refused"
    assert refused(lab, 4) == {"closed": 1}
    assert "traffic" not in lab.ruleset() and "80 : 172.30.0.5 . 8080" in lab.ruleset()


# --- what is told


class Told:
    """What netadmin tells control, which shows it on the operator's interface."""

    def __init__(self, lab):
        self.lab = lab
        self.control = ControlPeer(lab.netadmin)

    def property(self, name):
        done = subprocess.run(["busctl", f"--address=unix:path={self.control.path}", "--json=short", "get-property", "org.anchord",
                               control_peer.OBJECT, control_peer.INTERFACE, name], capture_output=True, text=True, timeout=20,
                              check=True)
        return json.loads(done.stdout)["data"]

    def read(self):
        """As of now: (flows, packets, bytes) by port, and packets by reason."""
        subprocess.run(["busctl", f"--address=unix:path={self.control.path}", "call", "org.anchord", control_peer.OBJECT,
                        control_peer.INTERFACE, "ReadCounters"], capture_output=True, timeout=20, check=True)
        return ({(proto, first, last): tuple(counts) for proto, first, last, *counts in self.property("Ports")},
                {reason: packets for reason, packets in self.property("Refused") if packets})

    def wait(self, ports, refusals):
        wait_until(lambda: self.read() == (ports, refusals), f"{ports} and {refusals}, not {self.read()}")


def test_see4_what_is_told_is_both_families_and_ranges_as_they_were_exposed(served):
    """80 and 81 are neighbours of one backend, and two series; 90 to 92 are one."""
    told = Told(served)
    served.netadmin.expose(*exposures("udp"), messages.exposure("udp", 81, ONE4, 8081), *exposures("udp", (90, 92)))
    total = converse(served, 4, 80, 2) + converse(served, 6, 80, 3)
    assert outcome(served.client, "udp", LAN6, 93) == "refused"
    rest = {("udp", 81, 81): (0, 0, 0), ("udp", 90, 92): (0, 0, 0)}
    told.wait({("udp", 80, 80): (2, 10, total), **rest}, {"closed": 1})


def test_see4_a_table_that_is_made_anew_goes_on_where_it_was(served):
    """Deleted by somebody else, with all that it counted: what was told comes back in the new elements and counters."""
    told = Told(served)
    served.netadmin.expose(*exposures("udp"))
    total = converse(served, 4, 80, 5)
    assert outcome(served.client, "tcp", LAN4, 93) == "refused"
    told.wait({("udp", 80, 80): (1, 10, total)}, {"closed": 1})
    served.nft("delete table ip anchord_v4\n")
    wait_until(lambda: served.netadmin.logged("ruleset repaired"), "the repair")
    assert told.read() == ({("udp", 80, 80): (1, 10, total)}, {"closed": 1})
    total += converse(served, 4, 80, 1)
    assert outcome(served.client, "tcp", LAN4, 93) == "refused"
    told.wait({("udp", 80, 80): (2, 12, total)}, {"closed": 2})
    assert traffic(served, 4, "udp")[80] == (12, total)


def test_see4_a_port_that_is_away_for_a_while_goes_on_where_it_was(served):
    told = Told(served)
    served.netadmin.expose(*exposures("udp"))
    total = converse(served, 4, 80, 5)
    served.netadmin.expose()
    assert told.read()[0] == {}
    served.netadmin.expose(*exposures("udp"))
    told.wait({("udp", 80, 80): (1, 10, total)}, {})


def test_see4_reading_ten_thousand_ports_is_rare(served):
    """However often it is asked for: within a five-hundredth of the time."""
    served.netadmin.expose(*exposures("udp", (10000, 19999)))

    def processor():
        with open(f"/proc/{served.netadmin.pid}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))

    served.netadmin.ping(1)
    before = processor()
    for number in range(200):
        served.netadmin.send(messages.message(messages.COUNTERS_WANTED))
        served.netadmin.ping(number)
    print(f"SEE-4: asked 200 times, with 20,000 elements: {(processor() - before) * 10} ms of processor time")
    assert processor() - before <= 20  # hundredths of a second; each time it would be ten times as much
