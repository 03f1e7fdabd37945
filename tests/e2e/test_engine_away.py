"""Docker Engine hangs, is killed, is restarted with and without live-restore (NAT-14, DISC-1): what was there goes on,
what changed meanwhile is found afterwards, and nobody burns the processor while waiting.

At the end of each test the engine runs as before.
"""

import contextlib
import json
import os
import pathlib
import signal
import time

import pytest

from direct import ANCHOR, FAMILIES, PROXY, service
from lab.machine import wait_until

WATCHED_SECONDS = 5
CPU_SECONDS_MAX = 0.05
# The directory of the socket: one that dockerd makes anew is another file, which a mount of the old one never shows.
ENGINE_DIRECTORY = {"volumes": ["/var/run:/engine:ro"]}
SETTINGS = {"DOCKER_HOST": "unix:///engine/docker.sock", "ANCHORD_POLL_INTERVAL": "1s"}


def services(**more):
    return {"smtp": service("smtp", tcp="25", expose="tcp/25", **more),
            "web": service("web", tcp="8080", expose="tcp/80:8080", **more)}


def all_answer(mail, deadline=10):
    for family in FAMILIES:
        for port, name in ((25, "smtp"), (80, "web")):
            mail.wait_answer("tcp", port, name, family=family, deadline=deadline)


@contextlib.contextmanager
def little_work(mail, watcher, figure):
    """While Docker is away, for a few seconds: what the watcher uses, and that everything answers."""
    before, start = used_seconds(watcher), time.monotonic()
    yield
    wait_until(lambda: all(mail.client.probe("tcp", mail.at(family), 25).startswith("smtp ") for family in FAMILIES)
               and time.monotonic() - start >= WATCHED_SECONDS, WATCHED_SECONDS + 10, "the end of the measurement")
    used, elapsed = used_seconds(watcher) - before, time.monotonic() - start
    figure(f"the watcher used {used * 1000:.0f} ms of processor in {elapsed:.1f} s")
    assert used / elapsed < CPU_SECONDS_MAX / WATCHED_SECONDS


def used_seconds(pid):
    """User and system time (proc(5): fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_gone(mail):
    """No entry for web any more. A refusal says less: the container's namespace may still be there, and refuses, too."""
    wait_until(lambda: all(80 not in mail.elements(family, "tcp") for family in FAMILIES), 10, "the entry of web to go")


def main_process(mail, name):
    return mail.inspect(name)["State"]["Pid"]


def test_a_hung_engine_is_waited_for(lab, direct, figure):
    """It takes connections and says nothing; what changed is seen once it answers again."""
    mail = direct(services(), proxy=False, anchor=ENGINE_DIRECTORY, environment=SETTINGS)
    mail.up()
    all_answer(mail, 20)
    watcher = mail.wait_processes()["anchord-watcher"]
    web, engine = main_process(mail, "web"), lab.daemon_pid()
    with mail.lab.lanhost1.connect(mail.at(4), 25) as connection:
        os.kill(engine, signal.SIGSTOP)
        try:
            with little_work(mail, watcher, figure):
                os.kill(web, signal.SIGKILL)
        finally:
            os.kill(engine, signal.SIGCONT)
        wait_gone(mail)
        assert connection.alive()
    mail.compose("start", "web")
    all_answer(mail)


def test_an_engine_that_dies_and_comes_back_with_live_restore_costs_nothing(lab, live_restore, direct, figure):
    """Its socket is a new one afterwards; a container that ended meanwhile is found gone."""
    mail = direct(services(), proxy=False, anchor=ENGINE_DIRECTORY, environment=SETTINGS)
    mail.up()
    all_answer(mail, 20)
    before, web = mail.wait_processes(), main_process(mail, "web")
    with mail.lab.lanhost1.connect(mail.at(4), 25) as connection:
        with lab.engine_stopped("--live-restore", number=signal.SIGKILL), \
                little_work(mail, before["anchord-watcher"], figure):
            os.kill(web, signal.SIGKILL)
        start = time.monotonic()
        wait_gone(mail)
        figure(f"the ended container is found {time.monotonic() - start:.1f} s after the engine answered again")
        assert connection.alive()
        mail.compose("start", "web")
        all_answer(mail)
        assert connection.alive()
    assert mail.processes() == before


REMEDY = {True: "a socket proxy whose own socket file went stale has to be restarted",
          False: "its socket file is a new one: restart this container"}


def problems_with_docker(mail):
    shown = json.loads(mail.exec(ANCHOR, "anchord", "status", "--json").stdout)
    return [row["reason"] for row in shown["problems"] if row["container"] == "Docker"]


@pytest.mark.parametrize("proxy", [True, False], ids=["proxy", "socket"])
def test_a_stale_socket_is_said_and_costs_nothing_that_is_exposed(lab, live_restore, direct, proxy):
    """SPEC 7, 8: whoever mounts the file that dockerd made anew stays with the old one, and Docker cannot be read. Status
    says so with the remedy, which works; the metric is 0; ports, connections and readiness stay."""
    mail = direct(services(), proxy=proxy, environment={"ANCHORD_POLL_INTERVAL": "1s", "ANCHORD_METRICS_ADDR": ":9090"})
    mail.up()
    all_answer(mail, 20)
    wait_until(lambda: mail.metric(ANCHOR, "anchord_docker_reachable") == 1, 10, "Docker to be read")
    assert problems_with_docker(mail) == []
    with lab.lanhost1.connect(mail.at(4), 25) as connection:
        with lab.engine_stopped("--live-restore"):
            pass
        wait_until(lambda: any(REMEDY[proxy] in reason for reason in problems_with_docker(mail)), 30, "the problem")
        assert mail.metric(ANCHOR, "anchord_docker_reachable") == 0
        assert mail.exec(ANCHOR, "anchord", "healthcheck").stdout.strip() == "ready"
        all_answer(mail)
        assert connection.alive()
    with mail.extra_container("late", tcp="25", expose="tcp/7500:25"):
        wait_until(lambda: mail.client.probe("tcp", mail.at(4), 7500) == "refused", 10, "an answer on tcp/7500")
        assert problems_with_docker(mail)
        mail.compose("restart", PROXY if proxy else ANCHOR)
        mail.wait_answer("tcp", 7500, "late", deadline=30)
    wait_until(lambda: problems_with_docker(mail) == [], 30, "the end of the problem")
    all_answer(mail)


def test_an_engine_that_takes_its_containers_along_brings_all_back(lab, direct, figure):
    """Without live-restore: the anchor ends by SIGTERM, restart policies start everything anew, in any order."""
    mail = direct(services(restart="unless-stopped"), proxy=False, anchor=ENGINE_DIRECTORY, environment=SETTINGS)
    mail.up()
    all_answer(mail, 20)
    with lab.engine_stopped():
        pass
    start = time.monotonic()
    all_answer(mail, 30)
    figure(f"everything answers {time.monotonic() - start:.1f} s after the engine answered again")
