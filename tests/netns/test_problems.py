"""SEE-1: each fault, made for real, is shown by its code in status, metric and log, and goes when it is mended."""

import contextlib
import json
import os
import signal
import socket

import pytest

from announcer_lab import arp
from exporter_lab import EXTERNAL, PORT, Anchord
from fake_docker import container
from supervision import wait_until

BLIND = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
NO_OWNER = ("setpriv", "--bounding-set=-chown", "--inh-caps=-chown")
ALWAYS = "ANC0304"  # the lab's namespace does not forward IPv6


class Watched(Anchord):
    """A network-anchor whose problems are looked at."""

    def problems(self):
        done = self.anchor.run(self.supervision.build / "daemon" / "anchord", "status", "--json",
                               env={"RUNTIME_DIRECTORY": str(self.supervision.runtime)}, timeout=20)
        return json.loads(done.stdout)["problems"] if done.returncode == 0 else []

    def metric(self, code):
        return self.values().get(f'anchord_problem{{code="{code}"}}')

    def await_problem(self, code):
        """Its row of status."""
        row, = wait_until(lambda: [row for row in self.problems() if row["code"] == code], 20)
        assert row["severity"] in ("error", "warning", "info") and row["title"] and row["reason"]
        return row

    def await_none(self, code):
        wait_until(lambda: code not in {row["code"] for row in self.problems()}, 20)

    def logged(self, code):
        return self.process.find(code=code)

    def kill(self, name, count):
        os.kill(self.process.wait_for(msg="worker started", name=name, count=count)["pid"], signal.SIGKILL)
        self.process.wait_for(msg="worker started", name=name, count=count + 1)


@pytest.fixture
def anchor(supervision):
    made = Watched(supervision)
    supervision.runtime = made.directory / "run"
    yield made
    made.close()


# --- made and mended ---

def label(anchor):
    anchor.docker.start(container(3, "tcp/0", name="odd"))
    yield "odd"
    anchor.docker.stop(3)


def conflict(anchor):
    anchor.docker.start(container(1, "tcp/5000-5002", name="web", created=100))
    anchor.docker.start(container(2, "tcp/5000-5002", name="mail", created=200))
    yield "mail"
    anchor.docker.stop(1)
    anchor.docker.stop(2)


def no_address(anchor):
    record = container(1, "tcp/25", name="web")
    record["NetworkSettings"]["Networks"] = {}
    anchor.docker.start(record)
    yield "web"
    anchor.docker.stop(1)


def no_health_check(anchor):
    anchor.docker.start(container(1, "tcp/25", name="web", labels={"anchord.expose.when": "healthy"}))
    yield "web"
    anchor.docker.stop(1)


def list_in_vain(anchor):
    anchor.docker.start(container(1, "tcp/25", name="web", labels={"anchord.allow": "tcp/26 from 10.0.0.0/8"}))
    yield "web"
    anchor.docker.stop(1)


def misspelt(anchor):
    anchor.docker.start(container(1, "tcp/25", name="web", labels={"anchord.allows": "tcp/25 from 10.0.0.0/8"}))
    yield "web"
    anchor.docker.stop(1)


def misspelt_and_nothing_else(anchor):
    """Nothing is exposed of it, and nobody else would say so: the newcomer's most common mistake."""
    for number, label in enumerate(("anchord.exposed", "anchor.expose"), 1):
        record = container(number, "", name=f"web-{number}", labels={label: "tcp/25"})
        del record["Labels"]["anchord.expose"]
        anchor.docker.start(record)
        wait_until(lambda: f"web-{number}" in {row["container"] for row in anchor.problems()}, 10)
        if number == 1:
            anchor.docker.stop(1)
            anchor.await_none("ANC0111")
    assert "but anchord.expose; the container exposes nothing" in anchor.await_problem("ANC0111")["reason"]
    yield "web-2"
    anchor.docker.stop(2)


def lan_contains_inner(anchor):
    anchor.anchor.ip("address", "add", "172.20.0.5/12", "dev", "eth1")
    yield "eth1"
    anchor.anchor.ip("address", "delete", "172.20.0.5/12", "dev", "eth1")


def duplicate(anchor):
    """Of the address that Docker gave: another host has it in its kernel, and said so once. Beside a link without a MAC address."""
    client = anchor.client
    anchor.anchor.ip("tuntap", "add", "name", "tun0", "mode", "tun")
    client.ip("address", "add", f"{EXTERNAL}/32", "dev", "lan0")
    mac, = (link["address"] for link in json.loads(client.run("ip", "-j", "link", "show", "lan0").stdout))
    with client.socket(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)) as wire:
        wire.bind(("lan0", 0))
        wire.send(arp(mac, EXTERNAL, EXTERNAL))
    yield "eth1"
    row = anchor.await_problem("ANC0201")
    assert f"{EXTERNAL}, too (eth1, MAC: {mac})" in row["reason"]
    client.ip("address", "delete", f"{EXTERNAL}/32", "dev", "lan0")


def interface_away(anchor):
    anchor.anchor.ip("link", "set", "eth1", "netns", anchor.client.process.pid)
    yield "LAN"
    anchor.client.ip("link", "set", "eth1", "netns", anchor.anchor.process.pid)


def docker_away(anchor):
    anchor.docker.misbehave["/"] = lambda connection: connection.close()
    anchor.docker.drop_connections()
    yield "Docker"
    anchor.docker.misbehave.clear()


@pytest.mark.parametrize("code, fault", [
    ("ANC0101", label), ("ANC0102", conflict), ("ANC0104", no_address), ("ANC0106", no_health_check),
    ("ANC0110", list_in_vain), ("ANC0111", misspelt), ("ANC0111", misspelt_and_nothing_else),
    ("ANC0201", duplicate), ("ANC0205", lan_contains_inner), ("ANC0211", interface_away), ("ANC0401", docker_away),
], ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_see1_a_fault_is_shown_by_its_code_until_it_is_mended(anchor, code, fault):
    anchor.start_ready()
    anchor.await_exporter()
    wait_until(lambda: anchor.metric(code) == 0)
    assert anchor.logged(code) == []
    made = contextlib.contextmanager(fault)
    with made(anchor) as found:
        row = anchor.await_problem(code)
        assert row["container"] == found
        assert {row["code"] for row in anchor.problems()} == {code, ALWAYS}  # and nothing that only follows from it
        assert anchor.metric(code) == 1
        assert wait_until(lambda: anchor.logged(code))[0]["level"] in ("WARN", "ERROR")
    anchor.await_none(code)
    assert anchor.metric(code) == 0


# --- made only ---

def test_see1_a_line_to_paste_names_the_container(anchor):
    anchor.start_ready()
    anchor.docker.start(container(1, "tcp/25", name="web", labels={"anchord.expose.when": "healthy"}) | {
        "Status": "Up 3 seconds (unhealthy)"})
    assert anchor.await_problem("ANC0105")["remedy"] == "docker inspect --format '{{json .State.Health}}' web   # tells why"


def test_see1_repairs_that_repeat(anchor):
    anchor.start_ready()
    wait_until(lambda: anchor.metric("ANC0320") == 0)  # netadmin has told how many there were before
    for count in range(1, 4):
        assert "ANC0320" not in {row["code"] for row in anchor.problems()}
        anchor.anchor.run("nft", "flush", "chain", "ip", "anchord_v4", "forward")
        anchor.process.wait_for(msg="ruleset repaired", count=count)
    assert "3 times" in anchor.await_problem("ANC0320")["reason"]
    assert anchor.metric("ANC0320") == 1
    assert len(anchor.logged("ANC0320")) == 3


def test_see1_a_worker_that_dies_again_and_again(anchor):
    anchor.start_ready()
    for count in range(1, 4):
        anchor.kill("announcer", count)
    assert anchor.await_problem("ANC0502")["container"] == "announcer"
    assert len(anchor.logged("ANC0501")) == 3


def test_see1_a_worker_that_does_not_come_back(anchor):
    """ANC0501: after 5 seconds, until it is there again."""
    anchor.start_ready()
    program = anchor.supervision.workers / "anchord-announcer"
    program.unlink()
    os.kill(anchor.process.wait_for(msg="worker started", name="announcer")["pid"], signal.SIGKILL)
    row = anchor.await_problem("ANC0501")
    assert row["container"] == "announcer" and anchor.metric("ANC0501") == 1
    program.symlink_to(anchor.supervision.build / "workers" / "announcer" / "anchord-announcer")
    anchor.await_none("ANC0501")


@pytest.mark.parametrize("code, launcher", [("ANC0212", BLIND), ("ANC0508", NO_OWNER)])
def test_see1_a_missing_capability(anchor, code, launcher):
    anchor.start_ready(launcher=launcher)
    assert anchor.await_problem(code)["container"] == "anchord"
    assert anchor.logged(code)[0]["line"].startswith("cap_add: ")


def test_see1_a_port_that_is_taken(anchor):
    with anchor.anchor.listen("0.0.0.0"):
        anchor.start_ready(f":{PORT}")
        assert anchor.await_problem("ANC0511")["remedy"].startswith("set ANCHORD_METRICS_ADDR")
        assert anchor.logged("ANC0511")
    anchor.await_none("ANC0511")
    assert anchor.metric("ANC0511") == 0
