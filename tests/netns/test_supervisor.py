"""The supervisor with stand-in workers: what it gives them, how it joins, watches, restarts and stops them."""

import datetime
import os
import pathlib
import signal
import socket
import struct
import time

import pytest

from supervision import (ANNOUNCER_USER, CAP_NET_ADMIN, CONTROL_USER, EXPORTER_USER, GATE_USER, NETADMIN_USER,
                         NO_CAPABILITY, WATCHER_USER, WORKERS, got, is_gone, started, status_of, wait_until)

PEERS = {"gate": [], "watcher": ["netadmin", "control"], "netadmin": ["watcher", "announcer", "control"],
         "announcer": ["netadmin"], "control": ["watcher", "netadmin"], "exporter": []}
PERMITTED = f"{1 << 12 | 1 << 7 | 1 << 6 | 1 << 8 | 1 << 5:016x}"  # NET_ADMIN SETUID SETGID SETPCAP KILL


def linked(process, name, peer, count=1):
    """The message LINK to that peer (enum link_peer)."""
    number = {"watcher": 1, "netadmin": 2, "announcer": 3, "control": 5}[peer]
    return got(process, name, "LINK", count, descriptors=1, body=struct.pack("=II", number, 0).hex())


def seconds_between(first, second):
    """Of two records of the log."""
    return (datetime.datetime.fromisoformat(second["time"]) - datetime.datetime.fromisoformat(first["time"])).total_seconds()


# --- what each process may do (DESIGN §1) ---

def test_supervisor_keeps_exactly_its_capabilities(supervision):
    supervision.install_stand_ins()
    status = status_of(supervision.start_ready().process.pid)
    assert status["CapPrm"] == status["CapBnd"] == PERMITTED
    assert status["CapEff"] == f"{1 << 5:016x}"  # KILL
    assert status["CapInh"] == status["CapAmb"] == NO_CAPABILITY
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("name, user, capabilities", [("gate", GATE_USER, NO_CAPABILITY),
                                                      ("watcher", WATCHER_USER, NO_CAPABILITY),
                                                      ("netadmin", NETADMIN_USER, f"{CAP_NET_ADMIN:016x}"),
                                                      ("announcer", ANNOUNCER_USER, NO_CAPABILITY),
                                                      ("control", CONTROL_USER, NO_CAPABILITY),
                                                      ("exporter", EXPORTER_USER, NO_CAPABILITY)])
def test_worker_starts_with_exactly_its_privileges(supervision, name, user, capabilities):
    supervision.install_stand_ins()
    status = status_of(started(supervision.start_ready(), name))
    assert status["Uid"].split() == status["Gid"].split() == [str(user)] * 4
    assert status["Groups"] == ""
    assert {status[key] for key in ("CapPrm", "CapEff", "CapAmb", "CapInh")} == {capabilities}
    assert status["CapBnd"] == NO_CAPABILITY
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["SigIgn"] in ("0000000000000000", "0000000001001000")  # Python itself ignores PIPE and XFSZ


@pytest.mark.parametrize("name", WORKERS)
def test_worker_inherits_nothing_else(supervision, name):
    supervision.install_stand_ins()
    leaking = ("unshare", "--net", "sh", "-c", 'exec 9</dev/zero; exec "$0"')
    process = supervision.start_ready(wrap=leaking, SECRET="value", JOURNAL_STREAM="8:1234")
    assert "9" in os.listdir(f"/proc/{process.process.pid}/fd")
    for peer in PEERS[name]:
        linked(process, name, peer)
    pid = started(process, name)
    # What comes with messages it closes at once.
    wait_until(lambda: sorted(map(int, os.listdir(f"/proc/{pid}/fd"))) == [0, 1, 2, 3])
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/fd/3").startswith("socket:")
    with open(f"/proc/{pid}/environ", "rb") as environment:
        assert environment.read().split(b"\0")[:-1] == [b"PATH=/usr/bin:/usr/libexec/anchord",
                                                        b"ANCHORD_LOG_FORMAT=json", b"JOURNAL_STREAM=8:1234"]
    assert os.getpgid(pid) == pid


# --- Docker's socket (DESIGN §6) ---

def make_docker_socket(supervision, mode, group):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(supervision.docker_socket))
    os.chown(supervision.docker_socket, 0, group)
    supervision.docker_socket.chmod(mode)
    return listener


@pytest.mark.parametrize("arguments", [["--verbose"], ["-d", "network-anchor", "--x"]], ids=" ".join)
def test_an_argument_that_begins_with_a_hyphen_is_no_mode(supervision, arguments):
    """SPEC 1: said, and ignored; the role is the word beside it, else the variable's or the default."""
    supervision.install_stand_ins()
    process = supervision.start_ready(arguments=arguments)
    ignored = [argument for argument in arguments if argument.startswith("-")]
    assert process.wait_for(msg="anchord starting (network-anchor mode)")
    assert [record["argument"] for record in process.find(msg="argument is neither a role nor a command, ignoring")] == ignored


@pytest.mark.parametrize("mode, group, groups, warned", [(0o660, 4711, "4711", False), (0o660, 0, "0", True),
                                                         (0o666, 4711, "", False)])
def test_the_gate_alone_gets_the_group_of_dockers_socket(supervision, mode, group, groups, warned):
    supervision.install_stand_ins()
    with make_docker_socket(supervision, mode, group):
        process = supervision.start_ready()
        assert status_of(started(process, "gate"))["Groups"] == groups
        for name in ("watcher", "netadmin"):
            assert status_of(started(process, name))["Groups"] == ""
    assert bool(process.find(msg="Docker's socket belongs to group 0: the gate gets that group")) == warned


@pytest.mark.parametrize("mode, group, words", [(0o600, 4711, "its mode lets only the owner"),
                                                (0o660, 65534, "its group is nobody")])
def test_closed_docker_socket_is_fatal(supervision, mode, group, words):
    supervision.install_stand_ins()
    with make_docker_socket(supervision, mode, group):
        process = supervision.start()
        assert process.wait() == 1
    record = process.wait_for(msg="Docker's socket cannot be used")
    assert (record["mode"], record["owner"], record["group"]) == (f"{mode:04o}", 0, group)
    assert words in record["err"]
    assert not process.find(msg="worker started")


def test_directory_in_place_of_dockers_socket_is_fatal(supervision):
    supervision.install_stand_ins()
    supervision.docker_socket.mkdir()
    process = supervision.start()
    assert process.wait() == 1
    assert "it is no socket" in process.wait_for(msg="Docker's socket cannot be used")["err"]


def test_missing_docker_socket_is_waited_for(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    assert process.wait_for(msg="Docker's socket is not there yet, waiting for it")["level"] == "WARN"


def test_docker_socket_that_comes_later_is_opened_to_a_new_gate(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    started(process, "gate")
    with make_docker_socket(supervision, 0o660, 4711):
        replaced = process.wait_for(timeout=20, msg="Docker's socket has another group now, replacing the gate")
        assert replaced["name"] == "gate"
        assert status_of(started(process, "gate", count=2))["Groups"] == "4711"


# --- joining, restarting ---

def test_configuration_comes_first_then_the_link(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready(ANCHORD_EXT_NETWORK="lan")
    for name, first in (("watcher", ["METRICS_PAGE", "CONFIGURE_WATCHER", "LINK", "LINK"]),
                        ("netadmin", ["METRICS_PAGE", "CONFIGURE_NETADMIN", "LINK", "LINK", "LINK"]),
                        ("announcer", ["METRICS_PAGE", "CONFIGURE_ANNOUNCER", "RAW_SOCKET", "RAW_SOCKET", "LINK"]),
                        ("control", ["METRICS_PAGE", "CONFIGURE_CONTROL", "LINK", "LINK", "SUPERVISION"])):
        for peer in PEERS[name]:
            linked(process, name, peer)
        got(process, name, first[-1], first.count(first[-1]))
        assert [record["type"] for record in process.find(stand_in=name, event="message")][:len(first)] == first
    assert b"lan\0".hex() in got(process, "watcher", "CONFIGURE_WATCHER")["body"]


@pytest.mark.parametrize("name", WORKERS)
def test_killed_worker_is_restarted_at_once_and_joined_again(supervision, name):
    supervision.install_stand_ins(watcher={"topology": (1, 2)})
    process = supervision.start_ready()
    got(process, "netadmin", "TOPOLOGY")
    for peer in PEERS[name]:
        linked(process, name, peer)
    os.kill(started(process, name), signal.SIGKILL)
    for peer in PEERS[name]:
        linked(process, name, peer, count=2)
        linked(process, peer, name, count=2)
    died = process.wait_for(msg="worker died")
    assert died["signal"] == "KILL"
    # The supervisor's part; how long the stand-in takes to begin is Python's.
    assert seconds_between(died, process.wait_for(msg="worker started", name=name, count=2)) < 1.0
    assert process.wait_for(msg="starting a worker again")["delay_seconds"] == 0
    if name == "netadmin":
        assert got(process, name, "TOPOLOGY", count=2)["body"] == got(process, name, "TOPOLOGY")["body"]
        process.wait_for(msg="anchord ready", count=2)


def test_topology_comes_after_the_links_to_a_new_netadmin(supervision):
    """GW-1: it asks the announcer before it claims a gateway."""
    supervision.install_stand_ins(watcher={"topology": (1, 2)})
    process = supervision.start_ready()
    got(process, "netadmin", "TOPOLOGY")
    os.kill(started(process, "netadmin"), signal.SIGKILL)
    pid = started(process, "netadmin", count=2)
    got(process, "netadmin", "TOPOLOGY", pid=pid)
    kinds = [record["type"] for record in process.find(stand_in="netadmin", event="message", pid=pid)]
    assert kinds == ["METRICS_PAGE", "CONFIGURE_NETADMIN", "LINK", "LINK", "LINK", "TOPOLOGY"]


# --- the announcer ---

def test_announcer_gets_the_raw_sockets_again_after_its_death(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    linked(process, "announcer", "netadmin")
    os.kill(started(process, "announcer"), signal.SIGKILL)
    pid = started(process, "announcer", count=2)
    linked(process, "announcer", "netadmin", count=2)
    kinds = [record["body"] for record in process.find(stand_in="announcer", type="RAW_SOCKET", pid=pid, descriptors=1)]
    assert kinds == [struct.pack("=II", kind, 0).hex() for kind in (1, 2)]


def test_guest2_without_chown_the_log_names_it(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready(wrap=("unshare", "--net", "setpriv", "--bounding-set=-chown"))
    said = process.find(msg="nobody can be banned; add the capability to the service in Compose")
    assert [record["line"] for record in said] == ["cap_add: [CHOWN]"]


@pytest.mark.parametrize("mode, is_made", [(0o750, True), (0o770, False), (0o1777, False)])
def test_guest2_a_further_ban_socket_stands_where_root_alone_writes(supervision, tmp_path, mode, is_made):
    directory = tmp_path / "given"
    directory.mkdir()
    os.chown(directory, 0, 12345)
    directory.chmod(mode)
    supervision.install_stand_ins()
    process = supervision.start_ready(ANCHORD_BAN_SOCKET=str(directory / "ban.sock"))
    said = process.find(msg="cannot make the ban socket; its directory must be there, root's, and writable by nobody else")
    assert (directory / "ban.sock").exists() == is_made == (not said)


def test_without_net_raw_everything_but_the_announcer_works(supervision):
    """SPEC §11: one warning with the line to add."""
    supervision.install_stand_ins()
    process = supervision.start_ready(wrap=("unshare", "--net", "setpriv", "--bounding-set=-net_raw"))
    warning, = [record for record in process.records if record.get("capability") == "NET_RAW"]
    assert (warning["level"], warning["line"]) == ("WARN", "cap_add: [NET_RAW]")
    assert not process.find(msg="worker started", name="announcer")
    status, seconds = process.stop()
    assert (status, seconds < 1) == (0, True)


def test_announcer_that_cannot_work_does_not_end_the_rest(supervision):
    supervision.install_stand_ins(announcer={"exit": 1}, netadmin={"ready": False})
    process = supervision.start()
    process.wait_for(msg="starting a worker again", name="announcer", delay_seconds=1)
    assert not process.find(msg="a worker cannot work as it is configured, giving up")
    assert process.stop()[0] == 0


@pytest.mark.parametrize("other", [(1, 3), (3, 2)], ids=["shared", "external"])
def test_same_topology_is_ignored_and_another_refused(supervision, other):
    supervision.install_stand_ins(watcher={"topology": (1, 2)})
    process = supervision.start_ready()
    got(process, "netadmin", "TOPOLOGY")
    os.kill(started(process, "watcher"), signal.SIGKILL)
    got(process, "watcher", "LINK", count=2)
    supervision.install_stand_in("watcher", topology=other)
    os.kill(started(process, "watcher", count=2), signal.SIGKILL)
    refused = "the watcher sent another topology than the pinned one, refusing it; a restart takes it"
    assert process.wait_for(msg=refused)["refused"] == 1
    assert len(process.find(stand_in="netadmin", type="TOPOLOGY")) == 1


def test_disc4_before_it_is_final_another_shared_network_replaces_the_first(supervision):
    """netadmin tears down what it made for the first one and starts afresh; then that one is pinned."""
    supervision.install_stand_ins(watcher={"topology": (1, 2), "final": 0})
    process = supervision.start_ready()
    first = got(process, "netadmin", "TOPOLOGY")
    supervision.install_stand_in("watcher", topology=(1, 3), final=1)
    os.kill(started(process, "watcher"), signal.SIGKILL)
    assert got(process, "netadmin", "STOP")["body"] == "0300000000000000"  # STOP_LEAVE_CLOSED (WALL-3)
    second = got(process, "netadmin", "TOPOLOGY", count=2)
    assert second["pid"] != first["pid"] and second["body"] != first["body"]
    process.wait_for(msg="topology pinned")
    assert not process.find(msg="worker died", name="netadmin")
    supervision.install_stand_in("watcher", topology=(1, 2), final=0)
    os.kill(started(process, "watcher", count=2), signal.SIGKILL)
    process.wait_for(msg="the watcher sent another topology than the pinned one, refusing it; a restart takes it")
    assert len(process.find(stand_in="netadmin", type="TOPOLOGY")) == 2


def test_wall6_a_watcher_cannot_flood_the_log(supervision):
    """It was 20,000 lines in 1.7 s: now a hundred, then one a second, and how many are missing is said."""
    supervision.install_stand_ins(watcher={"topologies": [(1, 2), (1, 3)], "count": 20000})
    process = supervision.start_ready()
    process.wait_for(stand_in="watcher", event="sent all", timeout=60)
    told = process.wait_for(msg="log lines left out", timeout=30)
    refused = "the watcher sent another topology than the pinned one, refusing it; a restart takes it"
    assert told["of"] == refused and told["left_out"] > 1000
    assert 100 <= len(process.find(msg=refused)) < 200


def test_wall6_alternating_topologies_do_not_restart_netadmin_without_end(supervision):
    """Each needs a netadmin that starts afresh: the first at once, the others after 1, 2, 4 … s."""
    supervision.install_stand_ins(watcher={"topologies": [(1, 2), (1, 3)], "count": 20000, "final": 0})
    process = supervision.start()
    process.wait_for(stand_in="watcher", event="sent all", timeout=60)
    os.kill(started(process, "watcher"), signal.SIGKILL)  # the next one floods as well
    process.wait_for(msg="starting a worker again", name="netadmin", delay_seconds=1, timeout=30)
    assert len(process.find(msg="transit is another network, starting netadmin afresh")) < 200
    assert process.stop()[0] == 0


def test_disc4_another_external_network_is_refused_from_the_first_on(supervision):
    supervision.install_stand_ins(watcher={"topology": (1, 2), "final": 0})
    process = supervision.start_ready()
    got(process, "netadmin", "TOPOLOGY")
    supervision.install_stand_in("watcher", topology=(3, 2), final=1)
    os.kill(started(process, "watcher"), signal.SIGKILL)
    process.wait_for(msg="the watcher sent another topology than the pinned one, refusing it; a restart takes it")
    assert len(process.find(stand_in="netadmin", type="TOPOLOGY")) == 1


def test_restarted_watcher_is_told_the_pinned_shared_network(supervision):
    """DISC-4: it must not choose another one."""
    supervision.install_stand_ins(watcher={"topology": (1, 2)})
    process = supervision.start_ready()
    shared = b"transit\0".hex()
    assert shared not in got(process, "watcher", "CONFIGURE_WATCHER")["body"]
    got(process, "netadmin", "TOPOLOGY")  # so it is pinned
    os.kill(started(process, "watcher"), signal.SIGKILL)
    assert shared in got(process, "watcher", "CONFIGURE_WATCHER", count=2)["body"]


def test_worker_that_breaks_the_protocol_is_replaced(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    supervision.install_stand_in("watcher", garbage=True)
    os.kill(started(process, "watcher"), signal.SIGKILL)
    assert process.wait_for(msg="a worker's channel failed, killing it")["reason"] == "magic"
    started(process, "watcher", count=3)


def test_permanent_failure_before_ready_stops_everything(supervision):
    supervision.install_stand_ins(watcher={"exit": 1}, netadmin={"ready": False})
    process = supervision.start()
    assert process.wait() == 1
    assert process.wait_for(msg="worker died", name="watcher")["status"] == 1
    assert process.wait_for(stand_in="netadmin", event="stopping")
    assert process.wait_for(msg="a worker cannot work as it is configured, giving up")


def test_permanent_failure_after_ready_is_retried(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    got(process, "watcher", "LINK")
    supervision.install_stand_in("watcher", exit=1)
    os.kill(started(process, "watcher"), signal.SIGKILL)
    process.wait_for(msg="starting a worker again", delay_seconds=1)
    supervision.install_stand_in("watcher")
    got(process, "watcher", "LINK", count=2)


def test_program_that_is_not_there_is_tried_again(supervision):
    supervision.install_stand_ins()
    (supervision.workers / "anchord-netadmin").unlink()
    process = supervision.start()
    assert process.wait_for(msg="cannot start a worker", step="exec")["err"] == "No such file or directory"
    process.wait_for(msg="starting a worker again", delay_seconds=1)
    supervision.install_stand_in("netadmin")
    process.wait_for(msg="anchord ready")


def has_armed_timer(pid):
    """Does the process wait for a time, by any of its timers (timerfd_create(2))?"""
    texts = (path.read_text() for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
    return any("it_value:" in text and "it_value: (0, 0)" not in text for text in texts)


def test_stopped_worker_is_replaced_by_the_watchdog(supervision):
    """Who has read all that it was sent is looked at no more: an idle supervisor waits for no time. A worker that a signal
    stops is asked at once."""
    supervision.install_stand_ins(watcher={"connected": True})
    process = supervision.start_ready()
    pid = started(process, "netadmin")
    wait_until(lambda: not has_armed_timer(process.process.pid), 10)
    os.kill(pid, signal.SIGSTOP)
    before = time.monotonic()
    assert process.wait_for(timeout=18, msg="a worker does not answer, killing it")["name"] == "netadmin"
    assert 6 < time.monotonic() - before < 12
    started(process, "netadmin", count=2)
    assert is_gone(pid)
    assert not process.find(msg="a worker does not answer, killing it", name="watcher")
    assert not process.find(event="asked", stand_in="watcher")  # who has read everything is not woken


def test_worker_that_reads_nothing_is_replaced_within_15_seconds(supervision):
    """It runs, and does not read what it was sent at its start."""
    supervision.install_stand_ins()
    supervision.install_stand_in("announcer", deaf=True)
    process = supervision.start_ready()
    before = time.monotonic()
    record = process.wait_for(timeout=18, msg="a worker does not answer, killing it")
    assert record["name"] == "announcer" and record["silent_seconds"] >= 6
    assert time.monotonic() - before < 16


# --- ending ---

def test_stop_is_ordered_and_clean(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    status, seconds = process.stop()
    assert (status, seconds < 1) == (0, True)
    assert process.find(msg="signal received, shutting down")[0]["signal"] == "TERM"
    order = [record["stand_in"] for record in process.find(event="stopping")]
    assert sorted(order[:2]) == ["announcer", "watcher"]
    assert [name for name in order[2:] if name != "gate"] == ["netadmin"]  # the gate goes beside it
    assert not process.find(level="ERROR")


def test_workers_that_ignore_stop_are_gone_within_two_seconds(supervision):
    supervision.install_stand_ins()
    process = supervision.start_ready()
    supervision.install_stand_ins(watcher={"deaf": True}, netadmin={"deaf": True})
    for name in ("watcher", "netadmin"):
        os.kill(started(process, name), signal.SIGKILL)
    pids = [started(process, name, count=2) for name in ("watcher", "netadmin")]
    status, seconds = process.stop()
    assert (status, seconds < 2) == (0, True)
    assert all(map(is_gone, pids))
    assert any(record.get("msg", "").startswith("nat teardown") for record in process.records)


def test_second_signal_stops_at_once(supervision):
    supervision.install_stand_ins(watcher={"deaf": True})
    process = supervision.start_ready()
    process.process.send_signal(signal.SIGTERM)
    process.wait_for(msg="signal received, shutting down")
    status, seconds = process.stop()
    assert (status, seconds < 0.4) == (0, True)


def test_workers_die_with_the_supervisor(supervision):
    """They do not read here: only the parent death signal can reach them, which the kernel delivers with the dying
    parent's rights (CAP_KILL must be effective)."""
    supervision.install_stand_ins(watcher={"deaf": True}, netadmin={"deaf": True})
    process = supervision.start()
    pids = [started(process, name) for name in ("watcher", "netadmin")]
    process.process.kill()
    wait_until(lambda: all(map(is_gone_or_zombie, pids)))


def is_gone_or_zombie(pid):
    """Orphans of a test wait for whoever adopted them."""
    try:
        return status_of(pid)["State"].startswith("Z")
    except FileNotFoundError:
        return True


# --- start-up errors (SPEC §10, §11) ---

def test_every_error_at_once_and_nothing_started(supervision):
    supervision.install_stand_ins()
    process = supervision.start(arguments=["no-such-role"], wrap=["unshare", "--net", "setpriv",
                                                                   "--bounding-set=-net_admin,-kill"],
                                ANCHORD_PROJECT=None, ANCHORD_POLL_INTERVAL="-1", ANCHORD_POLINTERVAL="1s")
    assert process.wait() == 1
    assert {record["variable"] for record in process.find(msg="invalid configuration")} == {
        "first argument", "ANCHORD_PROJECT", "ANCHORD_POLL_INTERVAL"}
    assert {record["line"] for record in process.records if "capability" in record} == {
        "cap_add: [NET_ADMIN]", "cap_add: [KILL]"}
    assert "ANCHORD_POLL_INTERVAL" in process.find(variable="ANCHORD_POLINTERVAL")[0]["reason"]
    assert not process.find(msg="worker started")


@pytest.mark.parametrize("arguments, mode, role", [((), None, "network-anchor"),
                                                   (("network-anchor",), "wrap-rebinder", "network-anchor")])
def test_role_from_argument_variable_or_neither(supervision, arguments, mode, role):
    supervision.install_stand_ins()
    process = supervision.start_ready(arguments=arguments, ANCHORD_MODE=mode)
    assert process.find(msg=f"anchord starting ({role} mode)")


# --- systemd (sd_notify(3)) ---

def test_systemd_hears_ready_watchdog_and_stopping(supervision):
    supervision.install_stand_ins()
    address = supervision.scratch / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        notify.settimeout(5)
        process = supervision.start(NOTIFY_SOCKET=str(address), WATCHDOG_USEC="500000")
        heard = ""
        while "READY=1" not in heard or "WATCHDOG=1" not in heard or "STATUS=Ready" not in heard:
            heard += notify.recv(4096).decode()
        assert heard.index("READY=1") < heard.index("STATUS=Ready")  # PKG-2: configured is not yet on the LAN
        process.wait_for(msg="anchord ready")
        process.process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in heard:
            heard += notify.recv(4096).decode()
        assert process.wait() == 0
