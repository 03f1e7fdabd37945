"""kill -9 and SIGSTOP of every process but init, in a whole anchord with connections open and opening (NAT-14).

--kills says how often each process is killed. A fresh anchord for each kill, because the supervisor lets a worker that
dies often wait longer and longer (restart_policy.h); so its own death and init's are part of each round, too.
"""

import contextlib
import os
import signal
import statistics
import time

import pytest

from netadmin_lab import LAN4, LAN6, flow_to
from newcomers import arriving, served_by_a_process
from supervision import WORKERS, wait_until
from whole_anchor import BACKEND_PORT, LATE, PROCESSES, STEADY_PORT, SUPERVISOR, WholeAnchor


@pytest.fixture
def anchors(build):
    """A factory of whole anchors with a steady service, which runs from the first start on."""
    with contextlib.ExitStack() as stack:
        def factory():
            anchor = WholeAnchor(build)
            stack.callback(anchor.close)
            stack.enter_context(served_by_a_process(anchor.lab.one, "steady", BACKEND_PORT))
            return anchor
        yield factory


def flow_names(flows):
    """What open connections and flows answer; a lost one raises. TCP echoes, UDP says who it is."""
    for flow in flows:
        flow.send(b"steady")
    return {flow.recv(100).decode().split()[0] for flow in flows}


def kill_and_recover(anchor, name):
    """Kills the process, lets a backend appear at once; seconds until that backend is served by a complete anchord."""
    start = time.monotonic()
    os.kill(anchor.pid_of(name), signal.SIGKILL)
    anchor.docker.start(LATE)
    wait_until(anchor.serves_late, 10)
    anchor.comes_back(name)
    recovery = time.monotonic() - start
    anchor.docker.stop(2)
    wait_until(lambda: not anchor.serves_late(), 10)
    return recovery


@pytest.mark.parametrize("name", PROCESSES)
def test_nat14_killed_processes_cost_no_connection(anchors, name, request):
    kills = request.config.getoption("--kills")
    anchor = anchors()
    anchor.start()
    wait_until(anchor.serves_steady, 10)
    flows = [flow_to(anchor.lab, protocol, address, STEADY_PORT)[0] for protocol in ("tcp", "udp")
             for address in (LAN4, LAN6)]
    recoveries = []
    with arriving(anchor.lab, STEADY_PORT, 0.01) as served:
        for number in range(kills):
            if number:
                anchor.kill_all()
                anchor.start()
            recoveries.append(kill_and_recover(anchor, name) * 1000)
            assert flow_names(flows) == {"steady"}
    print(f"NAT-14: {name} killed {kills} times: recovery {statistics.median(recoveries):.0f} ms (median), "
          f"{max(recoveries):.0f} ms (most); {sum(served.values())} new connections, none failed")
    assert min(served.values()) > kills
    assert flow_names(flows) == {"steady"}


def test_nat14_stopped_processes_are_replaced_and_the_others_go_on(anchors):
    """Each in an anchord of its own, all at the same time. Nobody watches the supervisor from within: without it
    everything goes on, and it goes on when it is let."""
    stopped = {name: anchors() for name in PROCESSES}
    for name, anchor in stopped.items():
        anchor.start()
        wait_until(anchor.serves_steady, 10)
        os.kill(anchor.pid_of(name), signal.SIGSTOP)
        anchor.docker.start(LATE)
    start = time.monotonic()
    for name, anchor in stopped.items():
        if name not in ("gate", "watcher", "netadmin"):
            wait_until(anchor.serves_late, 5)
    for name in WORKERS:
        record = stopped[name].process.wait_for(msg="a worker does not answer, killing it", timeout=20)
        assert record["name"] == name
        stopped[name].comes_back(name)
    print(f"SIGSTOP: all replaced {time.monotonic() - start:.1f} s after the last of them was stopped")
    os.kill(stopped[SUPERVISOR].pid_of(SUPERVISOR), signal.SIGCONT)
    for name, anchor in stopped.items():
        wait_until(anchor.serves_late, 5)
        assert anchor.serves_steady()
        assert len(anchor.process.find(msg="a worker does not answer, killing it")) == (name in WORKERS)
