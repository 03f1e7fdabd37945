"""The role service-anchor on the real kernel: its own table and rules, whatever happens around them (SPEC §5)."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from netadmin_lab import wait_until
from service_anchor_lab import (ANCHOR4, ANCHOR6, APP4, APP6, DOCKER4, DOCKER6, FAMILIES, OTHER4, OTHER6, REPAIR_SECONDS, RULES,
                                TABLE, UNREACHABLE, RouteMonitor, ServiceAnchorLab, default, workers)
from supervision import CAP_NET_ADMIN, WAY_USER, status_of


@pytest.fixture
def lab(supervision):
    made = ServiceAnchorLab(supervision)
    yield made
    supervision.close()  # the programs before their namespaces
    made.close()


# --- gateway and routes (SA-1, SA-2) ---

def test_everything_leaves_through_the_anchor(lab):
    lab.dns.names["anchord"] = [ANCHOR4, ANCHOR6]
    process = lab.start()
    process.wait_for(msg="service-anchor starting")
    process.wait_for(msg="anchord ready")
    lab.wait_installed(ANCHOR4, ANCHOR6)
    for family, own in zip(FAMILIES, (APP4, APP6)):
        assert lab.ask_outside(family).startswith(f"outside {own} ")
        assert f"via {lab.routes(family)[0].split()[2]} " in lab.route_to(family, "192.0.2.1" if family == 4 else "2001:db8::1")
    assert lab.leaked() == 0
    # Docker's routes are as they were, what is on link stays on link, and of nftables there is the lock alone.
    assert lab.lines("route", "show", "default") == [f"default via {DOCKER4} dev eth0"]
    assert lab.lines("-6", "route", "show", "default") == [f"default via {DOCKER6} dev eth0 metric 1024 pref medium"]
    assert lab.route_to(4, "172.30.0.9").startswith("172.30.0.9 dev eth0")
    assert lab.app.run("nft", "-j", "list", "ruleset").count('"table": {') == 1  # the lock


def test_health_tells_whether_there_is_a_route(lab):
    process = lab.start()
    process.wait_for(msg="cannot resolve the gateway yet")
    assert lab.healthcheck() == 1
    lab.dns.names["anchord"] = [ANCHOR4]
    process.wait_for(msg="anchord ready")
    assert lab.healthcheck() == 0
    process.stop()
    assert lab.healthcheck() == 1


def metrics(lab):
    with lab.app.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", 9090))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("anchord_"))


def test_changes_of_the_installed_route_are_counted_once_each(lab):
    """SPEC §7: the start is one in each family, another gateway one more in its own."""
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    process.wait_for(msg="worker started", name="exporter")
    replaces = [f'anchord_gateway_route_replaces_total{{family="v{family}"}}' for family in FAMILIES]
    wait_until(lambda: [metrics(lab)[name] for name in replaces] == ["1", "1"], "one each")
    lab.dns.names["anchord"] = [OTHER4, ANCHOR6]
    lab.wait_installed(OTHER4, ANCHOR6)
    wait_until(lambda: [metrics(lab)[name] for name in replaces] == ["2", "1"], "one more")


def test_status_shows_the_way_to_the_network_anchor(lab):
    """SPEC §9: the interface, and each family's gateway with its source."""
    lab.dns.names["anchord"] = [ANCHOR4]
    lab.start().wait_for(msg="anchord ready")

    def shown():
        status = json.loads(lab.status("--json"))
        return status if status["shared"]["interface"] and status["gateways"][0]["address"] else None

    status = wait_until(shown, "control was told")
    assert status["shared"] == {"network": None, "interface": "eth0"}
    assert {(row["address"], row["prefix_length"]) for row in status["shared_addresses"]} == {(APP4, 24), (APP6, 64)}
    assert status["gateways"] == [{"family": "v4", "address": ANCHOR4, "source": "dns"},
                                  {"family": "v6", "address": None, "source": "none"}]
    assert f"\nShared    eth0  {APP4}/24 docker, {APP6}/64 docker\nGateway   v4 {ANCHOR4} dns, v6 none\n" in lab.status()


def test_unresolved_at_the_start_changes_nothing_and_never_ends(lab):
    lab.dns.absent_code = None  # DNS is silent
    process = lab.start()
    process.wait_for(msg="cannot resolve the gateway yet")
    wait_until(lambda: lab.dns.questions >= 8, "it keeps asking", 10)
    assert [lab.rules(family) + lab.routes(family) for family in FAMILIES] == [[], []]
    lab.dns.names["anchord"] = [ANCHOR4, ANCHOR6]
    lab.wait_installed(ANCHOR4, ANCHOR6, deadline=3)
    assert len(process.find(msg="cannot resolve the gateway yet")) == 1


def test_a_changed_gateway_is_followed(lab):
    lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    lab.dns.names["anchord"] = [OTHER4, OTHER6]
    lab.wait_installed(OTHER4, OTHER6, deadline=2)  # interval and one second
    assert lab.ask_outside(4) and lab.ask_outside(6)
    assert lab.leaked() == 0


@pytest.mark.parametrize("code", (2, 3, None), ids=("server-failure", "no-such-name", "silence"))
def test_a_failed_lookup_keeps_the_last_good_gateway(lab, code):
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    del lab.dns.names["anchord"]
    lab.dns.absent_code = code
    process.wait_for(msg="cannot resolve the gateway, keeping the last one")
    seen = lab.dns.questions
    wait_until(lambda: lab.dns.questions > seen + 2, "another round", 10)
    assert lab.installed(ANCHOR4) and lab.installed(ANCHOR6)
    assert process.find(msg="anchord is not ready any more") == []


def test_of_several_answers_one_on_link_is_kept(lab):
    lab.dns.names["anchord"] = ["10.1.2.3", OTHER4]
    process = lab.start_ready()
    lab.wait_installed(OTHER4)
    assert process.find(msg="the gateway's name has several addresses on link, using one") == []
    lab.dns.names["anchord"] = [ANCHOR4, OTHER4]  # the lower one does not displace the current one
    process.wait_for(msg="the gateway's name has several addresses on link, using one")
    assert lab.installed(OTHER4)
    lab.dns.names["anchord"] = ["172.30.0.9", ANCHOR4]
    lab.wait_installed(ANCHOR4, deadline=2)
    assert len(process.find(msg="the gateway's name has several addresses on link, using one")) == 1


def times_woken(pid):
    return int(status_of(pid)["voluntary_ctxt_switches"])


def test_sa2_an_answer_that_says_nothing_new_wakes_the_resolver_alone(lab):
    """Another order of the same addresses says nothing new; a successor of way hears all of it."""
    lab.dns.names["anchord"] = [ANCHOR4, OTHER4, ANCHOR6]
    process = lab.start_ready(ANCHORD_GATEWAY_RESOLVE_INTERVAL="100ms")
    lab.wait_installed(ANCHOR4, ANCHOR6)

    def look_ups(count):
        last = lab.dns.questions + 2 * count
        wait_until(lambda: lab.dns.questions >= last, "they go on", 10)

    look_ups(10)  # what follows the start is over
    way = workers(process)["way"]
    before = times_woken(way)
    lab.dns.names["anchord"] = [OTHER4, ANCHOR4, ANCHOR6]
    look_ups(20)
    assert times_woken(way) - before < 5
    assert len(process.find(msg="gateway resolved", address=ANCHOR4)) == 1
    os.kill(way, signal.SIGKILL)
    process.wait_for(msg="worker started", name="way", count=2)
    look_ups(10)
    lab.app.run("ip", "route", "flush", "table", TABLE)
    lab.wait_installed(ANCHOR4, ANCHOR6, deadline=REPAIR_SECONDS)


def test_a_family_without_a_gateway_stays_dockers(lab):
    lab.dns.names["anchord"] = [ANCHOR4]
    lab.start_ready()
    lab.wait_installed(ANCHOR4)
    assert lab.rules(6) + lab.routes(6) == []
    assert f"via {DOCKER6} " in lab.route_to(6, "2001:db8::1")


def test_a_configured_gateway_needs_no_dns(lab):
    process = lab.start(ANCHORD_GATEWAY_IP=f"{ANCHOR4},{ANCHOR6}")
    process.wait_for(msg="anchord ready")
    lab.wait_installed(ANCHOR4, ANCHOR6)
    assert "resolver" not in workers(process)
    assert lab.dns.questions == 0


def test_a_configured_gateway_that_is_not_on_link_lets_nothing_leave(lab):
    process = lab.start(ANCHORD_GATEWAY_IP="10.1.2.3")
    process.wait_for(msg="unreachable: no gateway, nothing leaves", reason="the gateway is not on link")
    wait_until(lambda: lab.routes(4) == [UNREACHABLE[4]] and lab.rules(4) == RULES, "unreachable")
    assert lab.ask_outside(4) is None and lab.leaked() == 0
    assert lab.healthcheck() == 1


# --- others in the namespace (SA-2) ---

@pytest.mark.parametrize("deed", (
    ["ip", "route", "flush", "table", TABLE],
    ["ip", "-6", "route", "flush", "table", TABLE],
    ["ip", "rule", "del", "priority", "32764"],
    ["ip", "rule", "del", "priority", "32765"],
    ["ip", "-6", "rule", "del", "priority", "32765"],
    ["ip", "route", "replace", "default", "via", DOCKER4, "metric", "100", "table", TABLE],
    ["ip", "route", "del", "unreachable", "default", "table", TABLE],
), ids=" ".join)
def test_what_others_change_of_ours_is_back_within_a_second(lab, deed):
    process = lab.start(ANCHORD_GATEWAY_IP=f"{ANCHOR4},{ANCHOR6}")  # no look-up whose answer would repair it, too
    lab.wait_installed(ANCHOR4, ANCHOR6)
    lab.app.run(*deed)
    lab.wait_installed(ANCHOR4, ANCHOR6, deadline=REPAIR_SECONDS)
    process.wait_for(msg="routes or rules of ours were changed by somebody else, put back")


def test_routes_and_rules_of_others_are_left_alone(lab):
    lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    lab.app.run("ip", "route", "add", "198.51.100.0/24", "via", OTHER4)
    lab.app.run("ip", "route", "add", "192.0.2.0/24", "via", OTHER4, "table", TABLE)
    lab.app.run("ip", "rule", "add", "from", "192.0.2.7", "lookup", "99", "priority", "40000")
    lab.app.run("ip", "route", "flush", "table", TABLE, "proto", "110")
    wait_until(lambda: default(ANCHOR4) in lab.routes(4), "ours back", REPAIR_SECONDS)
    assert f"via {OTHER4} " in lab.route_to(4, "198.51.100.1")
    assert f"192.0.2.0/24 via {OTHER4} dev eth0" in lab.routes(4)
    assert "40000: from 192.0.2.7 lookup 99" in lab.rules(4)
    # A replaced default route of the main table, as Docker's connect and disconnect do it, changes nothing for us.
    lab.app.run("ip", "route", "replace", "default", "via", OTHER4)
    assert f"via {ANCHOR4} " in lab.route_to(4, "192.0.3.1")


@pytest.mark.parametrize("rules", (
    [["priority", "101", "lookup", "200"]],  # gluetun
    [["not", "fwmark", "51820", "lookup", "200", "priority", "32763"],
     ["lookup", "main", "suppress_prefixlength", "0", "priority", "32762"]],  # wg-quick
), ids=("gluetun", "wg-quick"))
def test_rules_of_a_vpn_win(lab, rules):
    lab.app.run("ip", "route", "add", "default", "via", OTHER4, "table", "200")
    for rule in rules:
        lab.app.run("ip", "rule", "add", *rule)
    lab.start_ready()
    wait_until(lambda: default(ANCHOR4) in lab.routes(4), "ours")
    assert f"via {OTHER4} " in lab.route_to(4, "192.0.2.1")


# --- the end (SA-4, SA-7) ---

def test_a_stop_gives_dockers_routes_back_at_once(lab):
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    status, seconds = process.stop()
    assert (status, seconds < 2) == (0, True)
    assert [lab.rules(family) + lab.routes(family) for family in FAMILIES] == [[], []]
    assert f"via {DOCKER4} " in lab.route_to(4, "192.0.2.1")
    assert f"via {DOCKER6} " in lab.route_to(6, "2001:db8::1")


@pytest.mark.parametrize("victim", ("way", "resolver", "supervisor"))
def test_what_a_killed_one_left_is_adopted(lab, victim):
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    monitor = RouteMonitor(lab)
    if victim == "supervisor":
        process.process.kill()
        process.wait()
        process = lab.start_ready()
    else:
        os.kill(workers(process)[victim], signal.SIGKILL)
        process.wait_for(msg="worker started", name=victim, count=2)
    seen = lab.dns.questions
    wait_until(lambda: lab.dns.questions > seen + 3, "two rounds of the successor", 10)
    assert monitor.stop() == []
    assert lab.installed(ANCHOR4) and lab.installed(ANCHOR6)
    assert lab.healthcheck() == 0


def test_way_is_shut_in_and_netadmin_is_not_there(lab):
    """DESIGN §1: NET_ADMIN alone, nothing open but sockets, and its namespace as two rtnetlink sockets that it was handed."""
    pids = workers(lab.start_ready())
    pid = pids["way"]
    assert "netadmin" not in pids
    status = status_of(pid)
    assert status["Uid"].split() == status["Gid"].split() == [str(WAY_USER)] * 4
    assert status["CapPrm"] == status["CapEff"] == f"{CAP_NET_ADMIN:016x}"
    assert {int(status[key], 16) for key in ("CapInh", "CapBnd", "CapAmb")} == {0}
    assert (status["Groups"], status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]) == ("", "1", "2", "2")
    targets = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    assert len([target for target in targets if target.startswith("socket:")]) == 5  # supervisor, resolver, control, two
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="ascii")
    assert "libmnl" in maps and "libnftnl" not in maps and "libcares" not in maps


def test_of_two_one_is_active_and_stopping_it_changes_nothing(lab):
    first = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    monitor = RouteMonitor(lab)
    second = lab.start(runtime="run2")
    second.wait_for(msg="another service-anchor is active in this namespace, standing by")
    assert set(workers(second)) == {"control"}  # a standby answers the health check
    assert first.stop()[0] == 0
    second.wait_for(msg="anchord ready")
    assert monitor.stop() == []
    assert len(second.find(msg="another service-anchor is active in this namespace, standing by")) == 1
    third = lab.start(runtime="run3")
    third.wait_for(msg="another service-anchor is active in this namespace, standing by")
    assert third.stop()[0] == 0  # a standby that goes takes nothing along
    assert lab.installed(ANCHOR4) and lab.installed(ANCHOR6)
    wait_until(lambda: second.process.poll() is None, "the second lives")
    assert second.stop()[0] == 0
    assert lab.rules(4) + lab.rules(6) == []


def test_a_standby_takes_over_from_a_killed_one(lab):
    first = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    second = lab.start(runtime="run2")
    second.wait_for(msg="another service-anchor is active in this namespace, standing by")
    first.process.kill()
    second.wait_for(msg="anchord ready")
    assert lab.installed(ANCHOR4) and lab.installed(ANCHOR6)


# --- fail closed, and the end of a namespace (SA-2, SA-6) ---

def test_with_the_link_down_nothing_leaves_and_it_comes_back(lab):
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    lab.app.run("ip", "link", "set", "eth0", "down")
    process.wait_for(msg="unreachable: no gateway, nothing leaves", family="v4")
    process.wait_for(msg="anchord is not ready any more")
    assert lab.routes(4) == [UNREACHABLE[4]] and lab.routes(6) == [UNREACHABLE[6]]
    lab.app.run("ip", "link", "set", "eth0", "up")
    lab.app.run("ip", "address", "replace", f"{APP6}/64", "dev", "eth0", "nodad")  # lost with the link
    lab.wait_installed(ANCHOR4, ANCHOR6, deadline=2)
    assert process.process.poll() is None
    assert lab.leaked() == 0


def test_without_the_anchor_nothing_leaves_another_way(lab):
    lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    lab.bridge.run("ip", "link", "set", "anchor", "down")
    assert lab.ask_outside(4, timeout=1.5) is None and lab.ask_outside(6, timeout=1.5) is None
    assert lab.leaked() == 0


def test_a_lost_namespace_ends_it_with_75(lab):
    """Docker takes the links of a stopped container away."""
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    started = time.monotonic()
    lab.app.run("ip", "link", "del", "eth0")
    assert process.wait() == 75
    assert time.monotonic() - started < 4
    assert process.find(level="WARN", msg="the network namespace was lost, its owner has another one now: ending, so "
                                          "that the restart policy joins that one")


def test_links_that_come_back_soon_are_no_loss(lab):
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4)
    lab.app.run("ip", "link", "del", "eth0")
    process.wait_for(msg="anchord is not ready any more")
    lab.connect("app", lab.app)
    lab.app.run("ip", "address", "add", f"{APP4}/24", "dev", "eth0")
    process.wait_for(msg="anchord ready", count=2)
    lab.wait_installed(ANCHOR4)
    assert process.process.poll() is None


# --- the application in the namespace (WALL-8) ---

def bind_metrics_port(lab):
    """As Prometheus, Cockpit or MinIO's console would, for all addresses."""
    with lab.app.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", 9090))
        listener.listen()


def test_the_application_has_port_9090_for_itself(lab):
    """USE-6: the service-anchor starts first, and its exporter would have taken the port; it does where it is told to."""
    process = lab.start_ready(ANCHORD_METRICS_ADDR=None)
    bind_metrics_port(lab)
    process.stop()
    lab.start_ready(ANCHORD_METRICS_ADDR="127.0.0.1:9090")
    wait_until(lambda: "127.0.0.1:9090" in lab.app.run("ss", "-Hltn"), "the exporter that was asked for")
    with pytest.raises(OSError, match="Address already in use"):
        bind_metrics_port(lab)


LOCK = "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); name = '\\0anchord/service-anchor'; "
BIND = "s.bind(name); s.listen()"
CONNECT = "s.settimeout(5); s.connect_ex(name)"
NOBODY = ("--reuid=65534", "--clear-groups")
BARE_ROOT = ("--bounding-set=-all", "--inh-caps=-all")  # root, and no capability: what cap_drop: [ALL] leaves
NO_OWNED_TABLES = "this kernel has no nftables tables that belong to a process"


@contextlib.contextmanager
def application(lab, who, deed):
    """A process of the application that has done something with the abstract name, in Python, and waits."""
    with lab.app.entered():
        process = subprocess.Popen(["setpriv", *who, "/usr/bin/python3", "-c",
                                    f"import socket; {LOCK}{deed}; print('done', flush=True); input()"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "done\n"
    yield
    process.communicate("\n", timeout=5)


def locks(lab):
    """The tables that are locks, in the application's namespace."""
    return [line for line in lab.app.run("nft", "list", "tables").splitlines() if "anchord" in line]


def without_owned_tables(build):
    """The environment of a supervisor whose kernel is older than 5.12."""
    return {"LD_PRELOAD": f"{build}/tests/netns/without_owned_tables.so"}


@pytest.mark.parametrize("who", [NOBODY, BARE_ROOT], ids=["nobody", "root without capabilities"])
def test_wall8_an_application_cannot_switch_it_off(lab, who):
    """It binds the name first that was the lock."""
    with application(lab, who, BIND):
        lab.start_ready()
        lab.wait_installed(ANCHOR4, ANCHOR6)
        assert locks(lab) == ["table ip anchord_lock"]


@pytest.mark.parametrize("who", [NOBODY, BARE_ROOT], ids=["nobody", "root without capabilities"])
def test_wall8_an_application_cannot_keep_what_it_installed(lab, who):
    """It connects as a standby did."""
    process = lab.start_ready()
    lab.wait_installed(ANCHOR4, ANCHOR6)
    with application(lab, who, CONNECT):
        assert process.stop()[0] == 0
    assert process.find(msg="signal received, shutting down", routes_stay=False)
    assert [lab.rules(family) + lab.routes(family) for family in FAMILIES] == [[], []]
    assert locks(lab) == []


def test_wall8_an_application_makes_and_changes_no_lock(lab):
    """Root without CAP_NET_ADMIN; and whoever has it, but not our socket, takes no table away."""
    lab.start_ready()
    for command in ("add table ip6 anchord_lock", "delete table ip anchord_lock", "flush ruleset"):
        lab.app.run("setpriv", *BARE_ROOT, "nft", command, check=False)
        assert locks(lab) == ["table ip anchord_lock"]
    lab.app.run("nft", "delete", "table", "ip", "anchord_lock", check=False)
    lab.app.run("nft", "flush", "ruleset")
    assert locks(lab) == ["table ip anchord_lock"]


def test_sa7_a_second_standby_takes_the_place_of_the_first(lab):
    """Only one can mark itself as a standby; when it goes, the next one does."""
    standing_by = "another service-anchor is active in this namespace, standing by"
    first = lab.start_ready()
    second = lab.start(runtime="run2")
    second.wait_for(msg=standing_by)
    third = lab.start(runtime="run3")
    third.wait_for(msg=standing_by)
    assert locks(lab) == ["table ip anchord_lock", "table ip6 anchord_lock"]
    second.process.kill()
    second.wait()
    wait_until(lambda: len(locks(lab)) == 2, "the mark of the third")
    assert first.stop()[0] == 0
    assert first.find(msg="signal received, shutting down", routes_stay=True)
    third.wait_for(msg="anchord ready")
    assert locks(lab) == ["table ip anchord_lock"]
    assert lab.installed(ANCHOR4) and lab.installed(ANCHOR6)


def test_sa7_an_older_kernel_has_the_abstract_name(lab, build):
    """Below 5.12 there are no owned tables: it works as before, and says that WALL-8 does not hold."""
    first = lab.start_ready(**without_owned_tables(build))
    assert [line for line in first.find(level="WARN") if line["msg"].startswith(NO_OWNED_TABLES)]
    second = lab.start(runtime="run2", **without_owned_tables(build))
    second.wait_for(msg="another service-anchor is active in this namespace, standing by")
    assert locks(lab) == []
    assert first.stop()[0] == 0
    second.wait_for(msg="anchord ready")
    assert second.stop()[0] == 0
    assert [lab.rules(family) + lab.routes(family) for family in FAMILIES] == [[], []]


def test_another_users_lock_does_not_keep_an_older_kernels_from_working(lab, build):
    with application(lab, NOBODY, BIND):
        process = lab.start_ready(**without_owned_tables(build))
        process.wait_for(msg="another user's process holds the lock of service-anchors, going on without it")
        lab.wait_installed(ANCHOR4, ANCHOR6)


def test_another_users_connection_is_no_standby_on_an_older_kernel(lab, build):
    """SA-4, SA-7: it is ended at once, or the application could have the routes stay."""
    process = lab.start_ready(**without_owned_tables(build))
    lab.wait_installed(ANCHOR4, ANCHOR6)
    with application(lab, NOBODY, CONNECT + "; assert s.recv(1) == b''"):
        assert process.stop()[0] == 0
    assert process.find(msg="signal received, shutting down", routes_stay=False)
    assert [lab.rules(family) + lab.routes(family) for family in FAMILIES] == [[], []]
