"""anchord-hold in a network namespace as Docker makes it: closed from the first moment (WALL-3), before a network-anchor comes
and after one that removed everything (KEEP-2, NAT-14)."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from lab.streams import assert_nothing_lost, streaming
from netadmin_lab import ANCHOR4, ANCHOR6, LAN4, LAN6, ONE4, ONE6, outcome, wait_until
from newcomers import served_by_a_process
from supervision import NO_CAPABILITY, status_of
from whole_anchor import BACKEND_PORT, STEADY_PORT, WholeAnchor

GOLDEN = pathlib.Path(__file__).with_name("netadmin_skeleton.nft")
PATIENCE = 0.3


class Holder:
    def __init__(self, build, namespace, *wrap):
        self.namespace = namespace
        self.program = build / "workers" / "hold" / "anchord-hold"
        with namespace.entered():
            self.process = subprocess.Popen([*wrap, self.program], stdout=subprocess.PIPE, text=True)

    def said(self):
        return self.process.stdout.readline()

    def healthcheck(self):
        with self.namespace.entered():
            return subprocess.run([self.program, "healthcheck"], check=False).returncode

    def close(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def hold(build, request):
    """A factory: the program in a namespace, when it has said its first line."""
    def factory(namespace, *wrap):
        made = Holder(build, namespace, *wrap)
        request.addfinalizer(made.close)
        made.line = made.said()
        return made
    return factory


def test_keep2_a_held_namespace_is_closed_as_netadmin_closes_it(lab, hold):
    for name in ("ext0", "shared0"):
        lab.anchor.sysctl(f"ipv4/conf/{name}/forwarding", 1)
    for family, gateway in (("-4", ANCHOR4), ("-6", ANCHOR6)):
        lab.one.run("ip", family, "route", "replace", "default", "via", gateway)
    for address in (ONE4, ONE6):
        lab.serve(lab.one, "one", "tcp", 8080, address)
    lab.serve(lab.anchor, "anchor", "tcp", 9090, "::")
    for address, port in ((ONE4, 8080), (ONE6, 8080), (LAN6, 9090)):
        wait_until(lambda a=address, p=port: outcome(lab.client, "tcp", a, p, PATIENCE) != "silence", "the control")
    holder = hold(lab.anchor)
    assert '"msg":"network namespace closed and held, waiting for a network-anchor"' in holder.line
    assert lab.ruleset() == GOLDEN.read_text(encoding="utf-8")
    for address, port in ((ONE4, 8080), (ONE6, 8080), (LAN6, 9090)):
        assert outcome(lab.client, "tcp", address, port, PATIENCE) == "silence"


def test_keep2_a_holder_has_given_everything_up_and_ends_when_it_is_told(lab, hold):
    holder = hold(lab.anchor)
    status = status_of(holder.process.pid)
    assert {status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {NO_CAPABILITY}
    wait_until(lambda: status_of(holder.process.pid)["Seccomp"] == "2", "the filter")
    assert status["NoNewPrivs"] == "1"
    links = [os.readlink(f"/proc/{holder.process.pid}/fd/{number}") for number in
             os.listdir(f"/proc/{holder.process.pid}/fd") if int(number) > 2]
    assert len(links) == 1 and links[0].startswith("socket:")
    assert holder.healthcheck() == 0
    holder.process.send_signal(signal.SIGTERM)
    assert holder.process.wait(5) == 0
    assert holder.healthcheck() == 1


def test_keep2_a_holder_that_cannot_close_says_what_is_missing(lab, hold):
    holder = hold(lab.anchor, "setpriv", "--bounding-set=-net_admin")
    assert holder.process.wait(5) == 1 and "cap_add: [NET_ADMIN]" in holder.line


def test_keep2_a_second_holder_changes_nothing(lab, hold):
    first = hold(lab.anchor)
    lab.anchor.run("nft", "flush", "ruleset")  # in place of the tables of a network-anchor
    second = hold(lab.anchor)
    assert second.process.wait(5) == 1 and "another holder is in this network namespace" in second.line
    assert first.process.poll() is None and lab.ruleset() == ""


@pytest.fixture
def anchor(build, hold):
    with contextlib.ExitStack() as stack:
        made = WholeAnchor(build)
        stack.callback(made.close)
        stack.enter_context(served_by_a_process(made.lab.one, "steady", BACKEND_PORT))
        made.holder = hold(made.lab.anchor)
        yield made


def tables(anchor):
    return re.findall(r"^table (ip6? anchord\w+) ", anchor.lab.ruleset(), re.MULTILINE)


def test_keep1_under_a_holder_a_stop_keeps_and_remove_leaves_it_closed(anchor):
    anchor.start()
    wait_until(anchor.serves_steady, "the service")
    targets = [(protocol, address, STEADY_PORT) for protocol in ("tcp", "udp") for address in (LAN4, LAN6)]
    with streaming(anchor.lab.client.entered(), targets) as flows:
        assert anchor.process.stop()[0] == 0
        assert tables(anchor) == ["ip anchord_v4", "ip6 anchord_v6"]
        anchor.start(ANCHORD_ON_STOP="remove")
    assert_nothing_lost(flows)
    assert anchor.process.stop()[0] == 0
    assert anchor.lab.ruleset() == GOLDEN.read_text(encoding="utf-8")
    assert outcome(anchor.lab.client, "tcp", LAN4, STEADY_PORT, PATIENCE) == "silence"


def readyz(anchor):
    """Status and text, or None while nobody listens."""
    try:
        with anchor.lab.anchor.entered(), urllib.request.urlopen("http://127.0.0.1:9090/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def test_keep1_it_is_not_ready_while_rules_have_no_owner(anchor):
    """They serve; but as long as nobody has asked Docker nobody keeps them right, and so says the health."""
    anchor.start()
    wait_until(anchor.serves_steady, "the service")
    assert readyz(anchor) == (200, "ready\n")
    assert anchor.process.stop()[0] == 0
    anchor.docker.misbehave["/"] = lambda connection: None  # no answer
    anchor.begin()
    status, text = wait_until(lambda: readyz(anchor), "the exporter")
    assert (status, text) == (503, "tables_installed: false\nreconciled: false\n") and anchor.serves_steady()
    anchor.docker.misbehave.clear()
    anchor.docker.drop_connections()
    anchor.process.wait_for(msg="anchord ready", timeout=30)
    assert readyz(anchor) == (200, "ready\n") and anchor.adopted() == [1, 1]


def remove_links(anchor, *kept):
    """As Docker does when the container that owns the namespace ends."""
    for link in json.loads(anchor.lab.anchor.run("ip", "-json", "link")):
        if link["ifname"] not in kept:
            anchor.lab.anchor.run("ip", "link", "del", link["ifname"])


def test_sa6_under_a_holder_that_has_another_namespace_it_ends_with_75(anchor):
    """A tunnel that the kernel puts into each new namespace is no link of a container's that is alive."""
    anchor.start()
    wait_until(anchor.serves_steady, "the service")
    anchor.lab.anchor.run("ip", "link", "add", "tunl9", "type", "bridge")
    remove_links(anchor, "lo", "tunl9")
    assert anchor.process.wait() == 75


def test_sa6_one_that_begins_in_a_lost_namespace_ends_too(anchor):
    remove_links(anchor, "lo")
    anchor.begin()
    assert anchor.process.wait() == 75
