"""An attached project: whether containers have their way before their first instruction (HOST-4), what leaves the host meanwhile
(HOST-6), and the memory of both halves with many containers.

Used by `run`, as `attach`. The starts are those of tests/e2e/attach_starts.py.
"""

import os
import pathlib
import re
import statistics
import sys

import attach_starts
from attached import Attachment, ordinary
from lab import compose, images
from lab.machine import wait_until

ADDRESS = "10.99.0.90/24,fd99::90/64"
NAMESPACES = 30
HALVES = ("host", "identity")


def progress(text):
    """To standard error: the table on standard output is what is kept."""
    print(text, file=sys.stderr, flush=True)


def bring_up(lab, name, definition=None):
    project = compose.Project(lab, definition or ordinary(lab)[0], name=name)
    attachment = Attachment(lab, project, ADDRESS)
    try:
        project.up()
        attachment.attach()
    except BaseException:
        discard(project, attachment)
        raise
    return project, attachment


def discard(project, attachment):
    attachment.discard()
    project.discard()


def measure_starts(lab, rounds):
    """Rows of a table."""
    project, attachment = bring_up(lab, "starts")
    try:
        directory = attach_starts.prepare(lab)
        with attach_starts.trap(lab) as caught:
            starts = []
            for number in range(rounds):
                starts.append(attach_starts.start(lab, project, directory, number))
                if not starts[-1].had_its_way:
                    progress(f"start {number + 1}: {starts[-1]}")
            leaked = caught()
    finally:
        discard(project, attachment)
    late = [start.answered for start in starts if not start.had_its_way]
    own = ADDRESS.split("/", maxsplit=1)[0]
    return [("starts", "way before the first instruction", "late ms, median", "late ms, most", "not as the project",
             "packets by the host's uplink"),
            (rounds, rounds - len(late), f"{statistics.median(late):.0f}" if late else "-", max(late, default="-"),
             sum(start.peer != own for start in starts), leaked)]


def crowd(lab, count, namespaces):
    """Idle containers of one project: those behind the first `namespaces` are in the namespace of one of these."""
    definition, _ = ordinary(lab)
    idle = {"image": images.SERVICES, "command": ["sleep", "infinity"], "stop_grace_period": "0s"}
    there = len(definition["services"])
    for number in range(count - there):
        owner = number - (namespaces - there)
        definition["services"][f"idle{number}"] = idle | ({"network_mode": f"service:idle{owner}"} if owner >= 0 else {})
    return definition


def pss(lab, attachment, half):
    """In kB, by process: the host half has no namespace of processes of its own."""
    group, sizes = f"/{attachment.container(half)}", {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if group not in (process / "cgroup").read_text():
                continue
            name = f"{half} {os.path.basename(os.readlink(process / 'exe'))}"
            text = (process / "smaps_rollup").read_text()
        except OSError:  # it ended since the directory was read
            continue
        sizes[name] = sizes.get(name, 0) + int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1))
    return sizes


def served(attachment):
    """How many network namespaces have a way by now."""
    return len({(record["namespace"]) for record in attachment.json_logs("identity") if record["msg"] == "gateway chosen"})


def measure_memory(lab):
    """Rows of a table."""
    columns = {}
    for count in (10, 50):
        spread = min(count, NAMESPACES)
        project, attachment = bring_up(lab, f"crowd{count}", crowd(lab, count, spread))
        try:
            wait_until(lambda: served(attachment) == spread, 30, f"ways in {spread} namespaces")
            attachment.wait_ready()
            columns[f"{count} in {spread}"] = {name: size for half in HALVES for name, size in pss(lab, attachment, half).items()}
        finally:
            discard(project, attachment)
    processes = sorted({process for sizes in columns.values() for process in sizes})
    return ([("process", *columns)] + [(process, *(sizes.get(process, "-") for sizes in columns.values())) for process in processes]
            + [("all", *(sum(sizes.values()) for sizes in columns.values()))])
