"""What updates under a holder cost (KEEP-2), and whether a network-anchor is there again after reboots (KEEP-4).

Used by `run`, as `update` and `reboot`. The project is that of tests/e2e/held.py.
"""

import statistics
import time

from direct import ANCHOR, Direct
from held import flows, identity, mail, put_under_a_holder, wait_answering, wait_successor
from lab.machine import run

UPDATES = {
    "compose up --force-recreate": lambda project: project.up("--force-recreate", "--no-deps", ANCHOR),
    "docker restart": lambda project: project.lab.docker("restart", project.container(ANCHOR)),
    "docker kill, start": lambda project: (project.compose("kill", ANCHOR), project.compose("start", ANCHOR)),
    "kill -9 of the container": lambda project: run(["kill", "-KILL", str(project.inspect(ANCHOR)["State"]["Pid"])]),
}


def measure_updates(lab, rounds):
    """Rows of a table: inbound, egress, hairpin; TCP with a byte each 10 ms, UDP at 100/s; IPv4 and IPv6."""
    project = wait_answering(put_under_a_holder(Direct(lab, mail(), name="updates")).up())
    rows = [("", "times", "sent", "lost", "ended", "median s to ready", "longest ms without an answer")]
    try:
        for name, update in UPDATES.items():
            times = []
            with flows(project, lab.outside.addresses) as found:
                for _ in range(rounds):
                    before, start = identity(project), time.monotonic()
                    update(project)
                    wait_successor(project, before)
                    times.append(time.monotonic() - start)
            entries = [entry for one in found for entry in one.values()]
            rows.append((name, rounds, sum(entry["sent"] for entry in entries), sum(entry["lost"] for entry in entries),
                         sum(entry["error"] is not None for entry in entries), f"{statistics.median(times):.1f}",
                         f"{max(entry['longest'] for entry in entries) * 1000:.0f}"))
    finally:
        project.discard()
    return rows


def measure_reboots(lab, rounds):
    """Rows of a table: of simulated power cuts, with the starter and without it."""
    rows = [("", "reboots", "answers by itself", "median s", "longest s")]
    for starter in (True, False):
        project = wait_answering(put_under_a_holder(Direct(lab, mail(), name=f"reboots-{starter}".lower()), starter).up())
        times, patience = [], 60 if starter else 15
        try:
            for _ in range(rounds):
                lab.reboot()
                start = time.monotonic()
                try:
                    wait_answering(project, patience)
                    times.append(time.monotonic() - start)
                except AssertionError:
                    wait_answering(project.up())
        finally:
            project.discard()
        rows.append(("with the starter" if starter else "without it", rounds, len(times),
                     f"{statistics.median(times):.1f}", f"{max(times):.1f}"))
    return rows
