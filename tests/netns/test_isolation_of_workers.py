"""The real workers, started by the real supervisor: what each of them has left once it has shut itself in (DESIGN §1).

Docker is not there, so the watcher keeps trying: that is the state with everything dropped and nothing learned.
"""

import os
import re
import signal
import stat

import pytest

from supervision import (ANNOUNCER_USER, CAP_NET_ADMIN, CONTROL_USER, EXPORTER_USER, GATE_USER, NETADMIN_USER,
                         WATCHER_USER, WORKERS, is_gone, status_of, wait_until)

NONE = "0000000000000000"
USERS = {"gate": GATE_USER, "watcher": WATCHER_USER, "netadmin": NETADMIN_USER, "announcer": ANNOUNCER_USER,
         "control": CONTROL_USER, "exporter": EXPORTER_USER}
CAPABILITIES = {"gate": NONE, "watcher": NONE, "netadmin": f"{CAP_NET_ADMIN:016x}", "announcer": NONE, "control": NONE,
                "exporter": NONE}


def pid_of(process, name, count=1):
    """Of a worker that has sealed itself: the supervisor's filter and its own."""
    pid = process.wait_for(msg="worker started", name=name, count=count)["pid"]
    wait_until(lambda: status_of(pid)["Seccomp_filters"] == "2")
    return pid


@pytest.fixture
def process(supervision):
    supervision.install_real_workers()
    return supervision.start()


@pytest.mark.parametrize("name", WORKERS)
def test_credentials(process, name):
    status = status_of(pid_of(process, name))
    assert status["Uid"].split() == status["Gid"].split() == [str(USERS[name])] * 4
    assert status["Groups"] == ""
    assert status["CapPrm"] == status["CapEff"] == CAPABILITIES[name]
    assert {status[key] for key in ("CapInh", "CapBnd", "CapAmb")} == {NONE}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("name", WORKERS)
def test_undumpable_and_limited(process, name):
    pid = pid_of(process, name)
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0  # proc(5): root's when the process is not dumpable
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        text = limits.read()
    for limit in ("Max processes", "Max core file size", "Max file size"):
        assert re.search(rf"^{limit} +0 +0 ", text, re.M), limit


@pytest.mark.parametrize("name", WORKERS)
def test_descriptors(process, name):
    """Standard ones, the supervisor's socket, and from there on only sockets, the event loop's own, and the memory use
    of the process itself (SPEC §7)."""
    pid = pid_of(process, name)
    targets = {int(number): os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert targets[0] == "/dev/null"
    assert all(targets[number].startswith("pipe:") for number in (1, 2))
    assert targets[3].startswith("socket:")
    others = {number: target for number, target in targets.items() if number > 3}
    known = re.compile(rf"(socket:.*|anon_inode:\[(eventpoll|timerfd|eventfd|signalfd)\]|/proc/{pid}/statm)$")
    assert others and all(known.match(target) for target in others.values()), others
    assert all(stat.S_ISSOCK(os.stat(f"/proc/{pid}/fd/{number}").st_mode)
               for number, target in others.items() if target.startswith("socket:"))


@pytest.mark.parametrize("name", WORKERS)
def test_killed_worker_is_replaced(process, name):
    for worker in WORKERS:
        pid_of(process, worker)
    os.kill(process.find(msg="worker started", name=name)[0]["pid"], signal.SIGKILL)
    pid_of(process, name, count=2)
    assert process.find(msg="starting a worker again")[0]["delay_seconds"] == 0
    for other in set(WORKERS) - {name}:
        assert len(process.find(msg="worker started", name=other)) == 1


def test_stop_is_clean(process):
    pids = [pid_of(process, name) for name in WORKERS]
    status, seconds = process.stop()
    assert (status, seconds < 2) == (0, True)
    assert all(map(is_gone, pids))
    assert not process.find(msg="a worker did not end in time, killing it")


def test_workers_do_not_outlive_the_supervisor(supervision):
    supervision.install_real_workers()
    process = supervision.start(program="anchord-init-under-test")
    first = [pid_of(process, name) for name in WORKERS]
    supervisor = int(status_of(first[0])["PPid"])
    os.kill(supervisor, signal.SIGKILL)
    second = [pid_of(process, name, count=2) for name in WORKERS]
    wait_until(lambda: all(map(is_gone, first)))
    assert not set(first) & set(second)
    assert process.stop()[0] == 0
