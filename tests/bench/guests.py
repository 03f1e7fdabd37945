"""What lists, limits and bans cost (GUEST-1, GUEST-2, GUEST-3): throughput, connections per second, memory, and how long
100,000 bans take.

Used by `run`, as `guests`. A project of each kind, asked in turn, so that a slow minute hits all of them.
"""

import ipaddress
import os
import pathlib
import signal
import statistics
import time

from direct import ANCHOR, DOCKER_SOCKET, Direct, service
from lab.machine import wait_until

BANS = 100000
SOURCES = 1024
FIRST = int(ipaddress.ip_address("198.18.0.0"))
FILE = "var/lib/anchord/bans/bans"
LABELS = {"nothing": {},
          "a list of 1,024 networks": {"anchord.allow": "tcp/25 from 10.99.0.0/24 " + " ".join(
              f"172.{16 + n // 256}.{n % 256}.0/24" for n in range(SOURCES - 1))},
          "a limit per source": {"anchord.limit": "tcp/25 60000/second per source burst 60000"},
          "100,000 bans": {}}


def bring_up(lab, number, labels):
    project = Direct(lab, {"echo": service("echo", tcp="25", expose="tcp/25,tcp/5201", labels=labels)}, name=f"guests-{number}",
                     anchor={"volumes": [DOCKER_SOCKET, "/var/lib/anchord"]}).up()
    project.wait_answer("tcp", 25, "echo", deadline=60)
    return project


def ban(project, *words):
    return project.exec(ANCHOR, "anchord", "ban", *words, timeout=60).stdout


def file_of(project):
    return pathlib.Path(f"/proc/{project.inspect(ANCHOR)['State']['Pid']}/root") / FILE


def fill(project):
    """By the file, which the next start reads."""
    ban(project, "list")
    file_of(project).write_text("".join(f"ban {ipaddress.ip_address(FIRST + n)}/32 all 0 1764500000 bench\n" for n in range(BANS)),
                                encoding="ascii")
    project.lab.docker("restart", project.container(ANCHOR))
    project.wait_answer("tcp", 25, "echo", deadline=60)
    last = str(ipaddress.ip_address(FIRST + BANS - 1))
    wait_until(lambda: last in project.anchor.run(["nft", "get", "element", "ip", "anchord_v4", "banned", f"{{ {last} }}"],
                                                  check=False).stdout, 60, "the last ban in the kernel")


def processor_seconds(pid):
    """Of user and kernel (proc(5), /proc/pid/stat)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def time_of_bans(project):
    """All taken away and put back, each as one change: (seconds, netadmin's computing) of the two, and of one ban more."""
    pid = project.processes()["anchord-netadmin"]
    found = []
    text = file_of(project).read_text(encoding="ascii")
    for step in ("flush", "read", "one"):
        bans = project.processes().get("anchord-bans")
        computed, start = processor_seconds(pid), time.monotonic()
        if step == "flush":
            ban(project, "flush")
        elif step == "read":
            file_of(project).write_text(text, encoding="ascii")
            os.kill(bans, signal.SIGKILL)
            wait_until(lambda bans=bans: project.processes().get("anchord-bans") not in (None, bans), 30, "a new worker")
            start = time.monotonic()
            ban(project, "add", "192.0.2.1")
        else:
            ban(project, "add", "192.0.2.2")
        found.append((time.monotonic() - start, processor_seconds(pid) - computed))
    return found


def measure(lab, rounds, ask, memory):
    """`ask` gives the figures of one target, `memory` a project's by process. Two tables: rows each."""
    projects = {name: bring_up(lab, number, labels) for number, (name, labels) in enumerate(LABELS.items())}
    try:
        fill(projects["100,000 bans"])
        figures = {name: [] for name in projects}
        for _ in range(rounds):
            for name, project in projects.items():
                figures[name].append(ask(lab.lanhost1, project.namespace("echo"), project.at(4)))
        sizes = {name: memory(project) for name, project in projects.items()}
        times = time_of_bans(projects["100,000 bans"])
    finally:
        for project in projects.values():
            project.discard()
    medians = {name: [statistics.median(values) for values in zip(*found)] for name, found in figures.items()}
    first = medians["nothing"]
    rows = [("", "to service Gb/s", "from service Gb/s", "connections/s", "of nothing", "PSS kB", "netadmin", "bans")]
    for name, values in medians.items():
        rows.append((name, f"{values[0]:.1f}", f"{values[1]:.1f}", f"{values[2]:.0f}",
                     "/".join(f"{value / other:.2f}" for value, other in zip(values, first)), sum(sizes[name].values()),
                     sizes[name]["anchord-netadmin"], sizes[name].get("anchord-bans", "-")))
    steps = [("", "seconds by the command", "of them netadmin computed")]
    for name, (took, computed) in zip(("all of them lifted", "all of them again, by a new worker", "one more"), times):
        steps.append((name, f"{took:.2f}", f"{computed:.2f}"))
    return rows, steps
