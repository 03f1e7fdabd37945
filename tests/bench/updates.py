"""What updates under a holder cost (KEEP-2), and whether a network-anchor is there again after reboots (KEEP-4).

Used by `run`, as `update` and `reboot`. The project is that of tests/e2e/held.py.
"""

import selectors
import statistics
import sys
import time

from direct import ANCHOR, Direct
from held import flows, identity, mail, put_under_a_holder, wait_answering, wait_successor
from lab.machine import run

# An engine starts what was killed soon after its last start ever more slowly: 0.1 s, 0.2 s, … 1 min, and from 0.1 s again
# when it has lived for 10 s. A person's kill comes later than that.
LIFE_SECONDS = 11

KILL = "kill -9 of the container"

UPDATES = {
    "compose up --force-recreate": lambda project: project.up("--force-recreate", "--no-deps", ANCHOR),
    "docker restart": lambda project: project.lab.docker("restart", project.container(ANCHOR)),
    "docker kill, start": lambda project: (project.compose("kill", ANCHOR), project.compose("start", ANCHOR)),
    KILL: lambda project: run(["kill", "-KILL", str(project.inspect(ANCHOR)["State"]["Pid"])]),
}


def progress(text):
    """To standard error: the table on standard output is what is kept."""
    print(text, file=sys.stderr, flush=True)


def wait_lived(started):
    with selectors.DefaultSelector() as nothing:
        nothing.select(max(0, started + LIFE_SECONDS - time.monotonic()))


def measure_updates(lab, rounds):
    """Rows of a table: inbound, egress, hairpin; TCP with a byte each 10 ms, UDP at 100/s; IPv4 and IPv6."""
    project = wait_answering(put_under_a_holder(Direct(lab, mail(), name="updates")).up())
    rows = [("", "times", "sent", "lost", "ended", "median s to ready", "longest ms without an answer")]
    try:
        for name, update in UPDATES.items():
            times, start = [], time.monotonic()
            with flows(project, lab.outside.addresses) as found:
                for number in range(rounds):
                    if name == KILL:
                        wait_lived(start)
                    before, start = identity(project), time.monotonic()
                    update(project)
                    wait_successor(project, before)
                    times.append(time.monotonic() - start)
                    progress(f"{name}, {number + 1} of {rounds}: ready after {times[-1]:.1f} s")
            entries = [entry for one in found for entry in one.values()]
            for way, one in zip(("inbound", "egress", "hairpin"), found):
                for flow, entry in one.items():
                    if entry["lost"] or entry["error"]:
                        progress(f"{name}: {way} {flow}: {entry}")
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
            for number in range(rounds):
                lab.reboot()
                start = time.monotonic()
                try:
                    wait_answering(project, patience)
                    times.append(time.monotonic() - start)
                    progress(f"reboot {number + 1} of {rounds}: answers after {times[-1]:.1f} s")
                except AssertionError:
                    progress(f"reboot {number + 1} of {rounds}: no answer within {patience} s")
                    wait_answering(project.up())
        finally:
            project.discard()
        rows.append(("with the starter" if starter else "without it", rounds, len(times),
                     *(f"{figure(times):.1f}" if times else "-" for figure in (statistics.median, max))))
    return rows
