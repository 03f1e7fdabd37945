"""`anchord explain` (SEE-3): each wall made for real, named as the first that stops the connection; with --live by its rule."""

import contextlib
import json
import os
import signal
import subprocess
import threading

import pytest

import fake_docker
from ban_lab import BanAnchor
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, ONE4, ONE6, OTHER4, TWO4, TWO6, outcome
from path_lab import number_of
from supervision import status_of, wait_until
from whole_anchor import BACKEND_PORT, STEADY_PORT

LISTED_PORT, REFUSED, SICK_PORT, CLOSED_PORT = 82, "backend-3", 83, 84
SICK = {**fake_docker.container(4, f"tcp/{SICK_PORT}:8080", "172.30.0.7", labels={"anchord.expose.when": "healthy"}),
        "Status": "Up 3 seconds (unhealthy)"}
CONTAINERS = (fake_docker.container(2, f"tcp/{LISTED_PORT}:8080", TWO4, address6=TWO6,
                                    labels={"anchord.allow": f"tcp/{LISTED_PORT} from 192.0.2.0/24"}),
              fake_docker.container(3, f"tcp/{STEADY_PORT}:8080", TWO4, created=1_700_000_009), SICK,
              fake_docker.container(5, f"tcp/{CLOSED_PORT}:8099", ONE4))
YES, NO, UNKNOWN = "yes", "no", "unknown"


class Explained:
    def __init__(self, done):
        self.status = done.returncode
        self.said = done.stdout
        self.connections = json.loads(done.stdout)["connections"]

    def wall(self, at=-1):
        """(problem's number, its sentence) of what stops a connection, the last one asked about."""
        connection = self.connections[at]
        assert connection["verdict"] == "stopped" and self.status == 1, self.said
        last = connection["steps"][-1]
        assert (last["answer"], last["sentence"]) == (NO, connection["wall"]), "the wall is the last step"
        assert all(step["answer"] != NO for step in connection["steps"][:-1])
        return int(connection["code"][3:]), connection["wall"]

    def steps(self, at=0):
        return {step["step"]: step["answer"] for step in self.connections[at]["steps"]}


class ExplainLab(BanAnchor):
    def __init__(self, build):
        super().__init__(build)
        self.supervision.install_real("probe", "explain", below="workers/commands")
        for container in CONTAINERS:
            self.docker.put(container)
        for protocol in ("tcp", "udp"):
            for address in (ONE4, ONE6):
                self.lab.serve(self.lab.one, "steady", protocol, BACKEND_PORT, address)

    def command(self, *words):
        return [self.supervision.build / "daemon" / "anchord-under-test", "explain", *words]

    def environment(self):
        return {"PATH": "/usr/bin:/bin", "RUNTIME_DIRECTORY": str(self.supervision.runtime)}

    def ask(self, *words):
        with self.lab.anchor.entered():
            done = subprocess.run(self.command(*words), capture_output=True, text=True, env=self.environment(), check=False)
        return done

    def explain(self, question):
        told = Explained(self.ask(*question.split(), "--json"))
        print(f"SEE-3: anchord explain {question}: exit {told.status}", *(
            f"  {one['connection']}: {one['verdict']} {one['code'] or ''} {one['wall'] or ''}" for one in told.connections), sep="\n")
        return told

    def begin_live(self, question):
        """Returns when packets are followed."""
        with self.lab.anchor.entered():
            process = subprocess.Popen(self.command(*question.split(), "--live"), stdout=subprocess.PIPE, text=True,
                                       env=self.environment())
        said = ""
        while "make the connection now" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        return process

    def live(self, question, make_packet):
        """(exit status, what was said from then on)"""
        process = self.begin_live(question)
        thread = threading.Thread(target=make_packet)
        thread.start()
        said, _ = process.communicate(timeout=20)
        thread.join()
        print(f"$ anchord explain {question} --live\n{said}exit {process.returncode}")
        return process.returncode, said

    def tables(self):
        return self.lab.anchor.run("nft", "list", "tables")

    def packet(self, address, port, namespace=None):
        return lambda: outcome(namespace or self.lab.client, "tcp", address, port, 0.3)


@pytest.fixture(scope="module")
def lab(build):
    made = ExplainLab(build)
    made.start(ANCHORD_EXT_GATEWAY_IP=f"{CLIENT4},{CLIENT6}")
    wait_until(made.serves_steady, 10)
    made.ban("list")
    wait_until(lambda: made.ask("container", "backend-1").returncode == 0, 10)  # the status has it
    yield made
    made.close()


def test_see3_answered(lab):
    """TCP in both families, with a source and without; UDP that was answered; the element counts new flows, if it does."""
    told = lab.explain(f"in tcp/{STEADY_PORT} from {CLIENT4}")
    assert told.status == 0 and set(told.steps().values()) == {YES}
    assert {"address", "source", "ban", "label", "map", "route", "application", "way back", "flows"} <= set(told.steps())
    assert f"{REFUSED} was refused it (ANC0102)" in told.said
    print(lab.ask("in", f"tcp/{STEADY_PORT}", "from", CLIENT4).stdout)
    both = lab.explain(f"in tcp/{STEADY_PORT}")
    assert both.status == 0 and len(both.connections) == 2 and LAN6 in both.connections[1]["connection"]
    assert outcome(lab.lab.client, "udp", LAN4, STEADY_PORT) == "steady"
    assert lab.explain(f"in udp/{STEADY_PORT} from {CLIENT4}").status == 0


def test_see3_no_label(lab):
    """Nobody's label exposes it; in one family alone; and --live names the rule that refuses."""
    assert lab.explain(f"in tcp/25 from {CLIENT4}").wall()[0] == number_of("NOT_EXPOSED")
    assert "but not in v6" in lab.explain(f"in tcp/{CLOSED_PORT} from {CLIENT6}").wall()[1]
    status, said = lab.live(f"in tcp/25 from {CLIENT4}", lab.packet(LAN4, 25))
    assert status == 1 and "refused" in said and "closed tcp ports" in said and "stopped ANC0901" in said


def test_see3_conflict_and_container(lab):
    """What is refused a port, found by the container's name, Compose's too; one that anchord knows nothing of."""
    assert lab.explain(f"container {REFUSED}").wall(0)[0] == 102
    steady = lab.explain("container backend-1")
    assert steady.status == 0 and any("[3fff::1]:443" in one["connection"] for one in steady.connections)
    assert "has nothing to say" in lab.explain("container nobody").wall()[1]


def test_see3_unhealthy(lab):
    number, wall = lab.explain(f"in tcp/{SICK_PORT} from {CLIENT4}").wall()
    assert number == 105 and wall.startswith("backend-4: is not healthy") and f"tcp/{SICK_PORT}" in wall
    assert lab.explain("container backend-4").status == 1


def test_see3_nobody_listens(lab):
    number, wall = lab.explain(f"in tcp/{CLOSED_PORT} from {CLIENT4}").wall()
    assert number == number_of("CLOSED_PORT") and "backend-5" in wall
    said = lab.ask("in", f"tcp/{CLOSED_PORT}").stdout
    assert ("\n  do: docker logs backend-5\n      nsenter -t $(docker inspect -f '{{.State.Pid}}' backend-5) -n ss -ltnu   # who listens\n"
            in said)


@pytest.mark.parametrize("ban,source,stops", [
    (CLIENT4, CLIENT4, True), ("10.99.0.0/28", CLIENT4, True), (CLIENT6, CLIENT6, True), ("192.0.2.0/24", CLIENT4, False)])
def test_see3_ban(lab, ban, source, stops):
    """A single address, a prefix, an IPv6 /64; and a neighbour's that is none."""
    lab.ban("add", "--force", ban)
    try:
        told = lab.explain(f"in tcp/{STEADY_PORT} from {source}")
        if not stops:
            assert told.status == 0
            return
        number, wall = told.wall()
        assert number == number_of("SOURCE_BANNED") and "every packet" in wall
        assert lab.explain(f"out backend-1 to {'[%s]:443' % source if ':' in source else source + ':443'}").wall()[0] == number
        if ban == CLIENT4:
            status, said = lab.live(f"in tcp/{STEADY_PORT} from {source}", lab.packet(LAN4, STEADY_PORT))
            assert status == 1 and '"banned"' in said and "stopped ANC0902" in said
    finally:
        lab.ban("flush")


def test_see3_list(lab):
    """Not on it; nobody said who; on it."""
    assert lab.explain(f"in tcp/{LISTED_PORT} from {CLIENT4}").wall()[0] == number_of("SOURCE_NOT_ALLOWED")
    nobody = lab.explain(f"in tcp/{LISTED_PORT} to {LAN4}")
    assert nobody.status in (1, 3) and nobody.steps()["list"] == UNKNOWN
    assert lab.explain(f"in tcp/{LISTED_PORT} from 192.0.2.9").steps()["list"] == YES


def test_see3_isolation(lab):
    """A host of the LAN that routes to a container, a container that sends to another network; and the rules, live."""
    assert lab.explain(f"in tcp/{BACKEND_PORT} from {CLIENT4} to {ONE4}").wall()[0] == number_of("ISOLATED")
    status, said = lab.live(f"in tcp/{BACKEND_PORT} from {CLIENT4} to {ONE4}", lab.packet(ONE4, BACKEND_PORT))
    assert status == 1 and "one machine is no router" in said and "stopped ANC0904" in said
    assert lab.explain(f"out backend-1 to {OTHER4}:80").wall()[0] == number_of("ISOLATED")
    status, said = lab.live(f"out backend-1 to {OTHER4}:80", lab.packet(OTHER4, 80, lab.lab.one))
    assert status == 1 and "chain forward: no rule there lets it through" in said


def test_see3_hairpin(lab):
    told = lab.explain(f"out backend-1 to {LAN4}:{STEADY_PORT}")
    assert told.status == 0 and told.steps()["application"] == YES
    assert lab.explain(f"in tcp/{STEADY_PORT} from {ONE4}").status == 0
    status, said = lab.live(f"out backend-1 to {LAN4}:{STEADY_PORT}", lab.packet(LAN4, STEADY_PORT, lab.lab.one))
    assert status == 0 and '"hairpin"' in said


def test_see3_egress(lab):
    """By the router, which may be silent; to who is next door on the same network; without a route."""
    told = lab.explain(f"out {ONE4} to 198.51.100.7:443")
    assert told.status == 0 and f"leaves as {LAN4}" in told.said
    assert "directly" in lab.explain(f"out backend-1 to {TWO4}:80").said
    status, said = lab.live("out backend-1 to 198.51.100.7:443", lab.packet("198.51.100.7", 443, lab.lab.one))
    assert status == 0 and '"egress"' in said
    assert lab.explain("out nobody to 198.51.100.7:443").status == 3


def test_see3_foreign_rule(lab):
    """Unknown while it is only seen to be there; named by table, chain and handle as soon as a packet meets it."""
    lab.lab.nft("table inet stranger { chain in { type filter hook prerouting priority -250\ntcp dport 80 drop\n}\n}")
    try:
        told = lab.explain(f"in tcp/{STEADY_PORT} from {CLIENT4}")
        assert told.status == 3 and told.steps()["foreign"] == UNKNOWN and "inet stranger in" in told.said
        status, said = lab.live(f"in tcp/{STEADY_PORT} from {CLIENT4}", lab.packet(LAN4, STEADY_PORT))
        assert status == 1 and "stopped ANC0644: the packet is dropped by inet stranger, chain in, the rule with handle" in said
        command = said.rsplit("do: nsenter -t $(docker inspect -f '{{.State.Pid}}' NETWORK-ANCHOR) -n ", 1)[1].split("#")[0].split()
        lab.lab.anchor.run(*command)
        assert lab.explain(f"in tcp/{STEADY_PORT} from {CLIENT4}").status == 0, "as it was said"
    finally:
        lab.lab.nft("delete table inet stranger")


def test_see3_live_takes_no_other_packet(lab):
    """Of two families the one that the packet is of; and nothing of what somebody else traces."""
    for to, other in ((LAN4, LAN6), (LAN6, LAN4)):
        status, said = lab.live(f"in tcp/{STEADY_PORT}", lab.packet(to, STEADY_PORT))
        assert status == 0 and f"to {to} port" in said and f"to {other} port" not in said
        assert f"a packet from {CLIENT6 if ':' in to else CLIENT4} port" in said
    lab.lab.nft("table inet tracer { chain in { type filter hook prerouting priority -700; meta nftrace set 1; }\n}")
    try:
        status, said = lab.live(f"in tcp/{LISTED_PORT} from {CLIENT4}", lab.packet(LAN4, STEADY_PORT))
        assert status == 3 and "no such packet came" in said
    finally:
        lab.lab.nft("delete table inet tracer")


def test_see3_live_of_several_connections(lab):
    """Of a container's the first of each family, by the one table that there is."""
    done = lab.ask("container", "backend-1", "--live", "1")
    assert done.returncode == 3 and done.stdout.count("live: tcp to") == 2 and "cannot be followed" not in done.stdout


def test_see3_no_trace_of_routing(lab):
    """What the routing decision drops leaves none, and nothing that came leaves none either: both are said."""
    lab.lab.anchor.run("ip", "route", "add", "blackhole", "192.0.2.77")
    status, said = lab.live("out backend-1 to 192.0.2.77:443", lab.packet("192.0.2.77", 443, lab.lab.one))
    lab.lab.anchor.run("ip", "route", "del", "blackhole", "192.0.2.77")
    assert status == 1 and "leave no trace" in said
    done = lab.ask("in", "tcp/4711", "from", CLIENT4, "--live", "1")
    assert done.returncode == 3 and "no such packet came" in done.stdout


def test_see3_who_reads_the_trace(lab):
    """Nobody, without capabilities, filtered; and kill -9 of the command takes it and its table along."""
    process = lab.begin_live(f"in tcp/{STEADY_PORT} from {CLIENT4}")
    assert "table ip anchord_trace" in lab.tables()
    reader, = (int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_child(int(pid), process.pid))
    status = status_of(reader)
    print({key: status[key] for key in ("Name", "Uid", "CapPrm", "CapEff", "Seccomp", "NoNewPrivs")})
    assert status["Name"] == "anchord-explain" and set(status["Uid"].split()) == {"65534"}
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    wait_until(lambda: "anchord_trace" not in lab.tables(), 5)


def is_child(pid, parent):
    with contextlib.suppress(OSError, KeyError):
        status = status_of(pid)
        return status["PPid"] == str(parent) and status["Name"] == "anchord-explain"
    return False


def test_see3_the_reader_alone_is_killed(lab):
    process = lab.begin_live(f"in tcp/{STEADY_PORT} from {CLIENT4}")
    reader, = (int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_child(int(pid), process.pid))
    os.kill(reader, signal.SIGKILL)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 3 and "cannot be followed" in said and "anchord_trace" not in lab.tables()


def test_see3_a_kernel_without_owners(lab, build):
    """Before 5.12 the command takes the table away; what is left of one that is killed goes when netadmin starts."""
    program = lab.supervision.workers / "anchord-explain"
    program.unlink()
    program.write_text(f"#!/bin/sh\nLD_PRELOAD={build}/tests/netns/without_owned_tables.so exec "
                       f"{build}/workers/commands/explain/anchord-explain \"$@\"\n")
    program.chmod(0o755)
    try:
        assert "no such packet came" in lab.ask("in", "tcp/4711", "from", CLIENT4, "--live", "1").stdout
        assert "anchord_trace" not in lab.tables()
        process = lab.begin_live(f"in tcp/{STEADY_PORT} from {CLIENT4}")
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert "table ip anchord_trace" in lab.tables(), "nobody owns it"
        os.kill(lab.pid_of("netadmin"), signal.SIGKILL)
        lab.comes_back("netadmin")
        wait_until(lambda: "anchord_trace" not in lab.tables(), 5)
    finally:
        program.unlink()
        program.symlink_to(build / "workers" / "commands" / "explain" / "anchord-explain")


def test_see3_usage_and_nobody_there(lab):
    for words in ((), ("in",), ("in", "25"), ("in", "tcp/0"), ("in", "tcp/25", "from"), ("in", "tcp/25", "from", "x"),
                  ("in", "tcp/25", "from", CLIENT4, "to", LAN6), ("out", "web"), ("out", "web", "to", LAN4),
                  ("out", CLIENT4, "to", f"[{LAN6}]:1"), ("container",), ("in", "tcp/25", "--x"), ("container", ""),
                  ("out", "", "to", "192.0.2.1:1"), ("in", "tcp/25", "from", "::"), ("in", "tcp/25", "from", "255.255.255.255"),
                  ("in", "tcp/25", "to", "224.0.0.1"), ("out", "web", "to", "127.0.0.1:80"), ("out", "0.0.0.0", "to", "192.0.2.1:1"),
                  ("in", "tcp/25", "from", CLIENT4, "from", CLIENT4), ("in", "tcp/25", "--live", "0"),
                  ("in", "tcp/25", "--live", "3601")):
        assert lab.ask(*words).returncode == 2, words
    assert lab.ask("--help").returncode == 0
    assert f"from {CLIENT4} to" in lab.ask("in", "tcp/25", "from", f"::ffff:{CLIENT4}").stdout, "as logs write it"
    assert 'do: labels: {anchord.expose: "udp/4711"}' in lab.ask("in", "udp/4711").stdout
    done = subprocess.run(lab.command("in", "tcp/25"), env={"RUNTIME_DIRECTORY": "/nonexistent"}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 3 and "does not run here" in done.stderr
