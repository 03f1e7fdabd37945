"""What operators see: anchord status, healthcheck and ruleset, and the D-Bus object behind them (SPEC §8, §9)."""

import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from exporter_lab import EXTERNAL, Anchord
from fake_docker import container
from supervision import WORKERS, is_gone, status_of, wait_until

HELLO = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"
OBJECT, INTERFACE = "/org/anchord/Anchor1", "org.anchord.Anchor1"


class Operator(Anchord):
    """Somebody who types commands beside a running network-anchor."""

    @property
    def path(self):
        return self.supervision.runtime / "control.sock"

    def anchord(self, *arguments, **options):
        return self.anchor.run(self.supervision.build / "daemon" / "anchord", *arguments,
                               env={"RUNTIME_DIRECTORY": str(self.supervision.runtime)}, timeout=20, **options)

    def status(self):
        done = self.anchord("status", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def await_status(self, condition):
        return wait_until(lambda: (lambda status: status if condition(status) else None)(self.status()), 10)

    def busctl(self, *arguments):
        return subprocess.run(["busctl", f"--address=unix:path={self.path}", *arguments], capture_output=True, text=True,
                              timeout=20, check=False)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(self.path))
        client.settimeout(20)
        return client

    def control_pid(self, count=1):
        return self.process.wait_for(msg="worker started", name="control", count=count)["pid"]

    def ruleset(self):
        return self.anchor.run(self.supervision.build / "workers" / "commands" / "ruleset" / "anchord-ruleset")


@pytest.fixture
def operator(supervision):
    made = Operator(supervision)
    supervision.runtime = made.directory / "run"
    yield made
    made.close()


def expose(operator):
    """Two containers that both want tcp/443, one whose label is wrong; the older has what both want (NAT-6)."""
    operator.docker.put(container(1, "tcp/443:8443, udp/5000-5002", name="web", address="172.30.0.5", created=100))
    operator.docker.put(container(2, "tcp/443, tcp/25", name="mail", address="172.30.0.6", created=200))
    operator.docker.put(container(3, "tcp/0", name="odd", address="172.30.0.7"))


# --- status ---

def test_status_shows_exposures_conflicts_and_faults(operator):
    """SPEC §9, NAT-6 and DISC-3: what was refused is shown by name, and goes when its reason goes."""
    operator.start_docker()
    expose(operator)
    operator.start().wait_for(msg="anchord ready")
    status = operator.await_status(lambda status: len(status["exposures"]) == 3 and status["map_elements"][0]["count"])
    assert (status["role"], status["project"], status["ready"], status["unmet_conditions"]) == \
        ("network-anchor", "mail", True, [])
    ports = {(row["proto"], row["port_first"], row["port_last"]): (row["container"], row["address4"],
                                                                    row["backend_port_first"])
             for row in status["exposures"]}
    assert ports == {("tcp", 443, 443): ("web", "172.30.0.5", 8443), ("udp", 5000, 5002): ("web", "172.30.0.5", 5000),
                     ("tcp", 25, 25): ("mail", "172.30.0.6", 25)}
    assert status["conflicts"] == [{"proto": "tcp", "port_first": 443, "port_last": 443, "container": "mail",
                                    "holder": "web"}]
    assert [(row["code"], row["severity"], row["container"]) for row in status["problems"]] == [
        ("ANC0304", "error", "eth1"), ("ANC0102", "error", "mail"), ("ANC0101", "error", "odd")]
    assert "anchord.expose, position" in status["problems"][2]["reason"]
    text = operator.anchord("status").stdout
    assert re.search(r"^  ANC0102 error    mail  tcp/443 is refused: held by web\n    do: take the port out of", text, re.M), text
    assert "\x1b" not in text
    operator.docker.stop(1)
    status = operator.await_status(lambda status: not status["conflicts"])
    assert [row["container"] for row in status["exposures"] if row["port_first"] == 443] == ["mail"]


def test_status_shows_what_the_lan_keeps_from_working(operator):
    """SPEC §9: under the interface's name, from netadmin to the terminal."""
    operator.start_docker()
    operator.start().wait_for(msg="anchord ready")
    operator.anchor.ip("address", "add", "172.20.0.5/12", "dev", "eth1")
    def problems(status):
        return [(row["container"], row["reason"], row["code"], row["severity"]) for row in status["problems"]
                if row["code"] == "ANC0205"]

    status = operator.await_status(problems)
    reason = "the LAN, 172.16.0.0/12, contains the inner network 172.30.0.0/16 (eth0): those addresses lead inside"
    assert problems(status) == [("eth1", reason, "ANC0205", "warning")]
    assert re.search(rf"^  ANC0205 warning  eth1  {re.escape(reason)}$", operator.anchord("status").stdout, re.M)
    operator.anchor.ip("address", "delete", "172.20.0.5/12", "dev", "eth1")
    operator.await_status(lambda status: not problems(status))


def test_a_problem_is_shown_to_its_end(operator):
    """Where the way out stands; here Docker's socket is not there."""
    operator.start().wait_for(msg="Docker cannot be read, keeping the last state")
    problem, = operator.await_status(lambda status: status["problems"])["problems"]
    assert len(problem["reason"]) > 192 and problem["reason"].endswith("the socket's directory")
    assert f"\n  ANC0401 error    Docker  {problem['reason']}\n" in operator.anchord("status").stdout


def test_no_name_colours_the_terminal(operator):
    """C0, DEL and C1 (U+009B begins a control sequence, too); JSON has the name as it is."""
    name = "a\x1b[31m\x7f\u009b2Jb"
    operator.start_docker()
    operator.docker.put(container(1, "tcp/443", name=name, address="172.30.0.5"))
    operator.start().wait_for(msg="anchord ready")
    operator.await_status(lambda status: [row["container"] for row in status["exposures"]] == [name])
    assert re.search(r"^  tcp/443 +a\?\[31m\?\?\?2Jb +172\.30\.0\.5:443$", operator.anchord("status").stdout, re.M)


def test_status_shows_the_network(operator):
    """SPEC §9: addresses and where they come from, gateway and its source, elements of the kernel's maps."""
    operator.start_docker()
    expose(operator)
    operator.start().wait_for(msg="anchord ready")
    status = operator.await_status(lambda status: status["map_elements"][0]["count"] == 2)
    assert status["external"] == {"network": "dmz", "interface": "eth1"}
    assert status["shared"] == {"network": "transit", "interface": "eth0"}
    assert status["external_addresses"] == [{"address": EXTERNAL, "prefix_length": 24, "origin": "docker"}]
    assert status["shared_addresses"] == [{"address": "172.30.0.2", "prefix_length": 16, "origin": "claimed"}]  # GW-1
    assert status["gateways"][0]["source"] in ("ipam", "none")
    counts = {(row["family"], row["proto"]): row["count"] for row in status["map_elements"]}
    assert counts == {("v4", "tcp"): 2, ("v4", "udp"): 3, ("v6", "tcp"): 0, ("v6", "udp"): 0}


def test_status_counts_restarts(operator):
    operator.start_ready()
    before = {worker["name"]: worker for worker in operator.status()["workers"]}
    assert set(before) == set(WORKERS)
    os.kill(before["announcer"]["pid"], signal.SIGKILL)
    operator.process.wait_for(msg="worker started", name="announcer", count=2)
    status = operator.await_status(lambda status: status["workers"][2]["restarts"] == 1)
    after = {worker["name"]: worker for worker in status["workers"]}["announcer"]
    assert after["state"] == "running" and after["pid"] not in (0, before["announcer"]["pid"])
    assert after["since_us"] > before["announcer"]["since_us"]


def test_exit_3_when_nothing_runs(operator):
    done = operator.anchord("status")
    assert (done.returncode, done.stdout) == (3, "") and "does not run here" in done.stderr
    assert operator.anchord("healthcheck").returncode == 1
    operator.start_ready()
    assert operator.anchord("status").returncode == 0
    operator.process.stop()
    assert operator.anchord("status").returncode == 3
    assert not operator.path.exists()


def test_watch_draws_again_and_ends_at_interrupt(operator):
    operator.start_ready()
    watch = subprocess.Popen([operator.supervision.build / "daemon" / "anchord", "status", "--watch"], text=True,
                             env={"RUNTIME_DIRECTORY": str(operator.supervision.runtime)}, stdout=subprocess.PIPE)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(iter(watch.stdout.readline, "")))
    reader.start()
    wait_until(lambda: sum(line.startswith("anchord ") for line in seen) >= 2)
    operator.docker.start(container(1, "tcp/443", name="web", address="172.30.0.5"))
    wait_until(lambda: any("tcp/443" in line for line in seen))
    watch.send_signal(signal.SIGINT)
    assert watch.wait(5) == 0
    reader.join()
    watch.stdout.close()


# --- health ---

def test_healthcheck_follows_readiness(operator):
    """SPEC §8: exit 1 with the unmet conditions, 0 when ready, and never over TCP (no listener at all here)."""
    operator.start(address="")
    operator.control_pid()
    done = operator.anchord("healthcheck")
    assert (done.returncode, done.stdout) == (1, "tables_installed: false\nreconciled: false\n")
    operator.start_docker()
    operator.process.wait_for(msg="anchord ready", timeout=20)
    done = wait_until(lambda: (lambda done: done if done.returncode == 0 else None)(operator.anchord("healthcheck")))
    assert done.stdout == "ready\n"
    os.kill(operator.process.find(msg="worker started", name="netadmin")[0]["pid"], signal.SIGKILL)
    wait_until(lambda: operator.anchord("healthcheck").returncode == 1 or
               operator.status()["workers"][1]["restarts"] == 1)
    wait_until(lambda: operator.anchord("healthcheck").returncode == 0, 10)


def test_without_a_place_for_its_sockets_it_says_so_and_ends(operator):
    """SPEC §11, read_only, and WALL-7: Docker's socket is asked through the gate or not at all; the remedy is named."""
    operator.supervision.runtime = "/proc/anchord"
    process = operator.supervision.start()
    assert process.wait() == 1
    record = process.wait_for(msg="no place for the gate's sockets, through which Docker is asked: add the line to the "
                                  "service in Compose")
    assert (record["level"], record["line"]) == ("ERROR", "tmpfs: [/run]")
    assert not process.find(msg="worker started")


@pytest.mark.parametrize("mode, owner", [(0o770, 0), (0o707, 0), (0o700, 65534)])
def test_a_runtime_directory_of_others_is_not_used(operator, mode, owner):
    """Who may write there could put a socket of his own in our place, and root, or the watcher, would ask it."""
    operator.supervision.runtime.mkdir()
    os.chown(operator.supervision.runtime, owner, 0)
    operator.supervision.runtime.chmod(mode)
    process = operator.supervision.start()
    assert process.wait() == 1
    assert process.wait_for(msg="cannot make the gate's sockets, through which Docker is asked")["err"] == \
        "Operation not permitted"
    assert list(operator.supervision.runtime.iterdir()) == []


# --- the D-Bus object ---

def test_busctl_reads_the_object(operator):
    operator.start_ready()
    operator.control_pid()
    listed = operator.busctl("introspect", "org.anchord", OBJECT)
    assert listed.returncode == 0, listed.stderr
    members = dict(re.findall(r"^\.(\w+) +(method|property)", listed.stdout, re.M))
    assert {"Healthy": "method", "Exposures": "property", "Conflicts": "property", "Workers": "property"}.items() <= \
        members.items()
    assert operator.busctl("call", "org.anchord", OBJECT, INTERFACE, "Healthy").stdout == "bas true 0\n"
    refused = operator.busctl("call", "org.anchord", OBJECT, "org.freedesktop.DBus.Peer", "GetMachineId")
    assert refused.returncode != 0 and "no machine ID" in refused.stderr
    assert operator.busctl("set-property", "org.anchord", OBJECT, INTERFACE, "Project", "s", "other").returncode != 0
    assert operator.status()["project"] == "mail"


def test_only_root_may_ask(operator):
    operator.start_ready()
    assert (operator.path.stat().st_mode & 0o777, operator.path.parent.stat().st_mode & 0o777) == (0o600, 0o711)
    operator.path.parent.chmod(0o755)
    operator.path.chmod(0o666)  # even then
    command = ["setpriv", "--reuid=65534", "--clear-groups", "busctl", f"--address=unix:path={operator.path}", "call",
               "org.anchord", OBJECT, INTERFACE, "Healthy"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert refused.returncode != 0
    operator.process.wait_for(msg="control client that is not root refused")


# --- hostile clients, dying control ---

def test_killed_control_comes_back_and_knows_everything(operator):
    operator.start_docker()
    expose(operator)
    operator.start().wait_for(msg="anchord ready")
    before = operator.await_status(lambda status: len(status["exposures"]) == 3)
    first = operator.control_pid()
    os.kill(first, signal.SIGKILL)
    operator.control_pid(count=2)
    after = operator.await_status(lambda status: len(status["exposures"]) == 3 and status["external"]["interface"])
    for key in ("exposures", "conflicts", "problems", "external_addresses", "gateways", "map_elements", "ready"):
        assert after[key] == before[key], key
    assert is_gone(first)


@pytest.mark.parametrize("bytes_sent", [
    b"GET / HTTP/1.1\r\n\r\n", b"\0AUTH ANONYMOUS\r\nBEGIN\r\n" + b"\xff" * 4096, HELLO + b"\xff" * 65536,
    # a method call that announces a body of 100 MiB
    HELLO + b"l\1\0\1" + (100 << 20).to_bytes(4, "little") + b"\1\0\0\0" + b"\0\0\0\0" + b"x" * 65536,
], ids=["no D-Bus", "wrong after BEGIN", "garbage messages", "huge message"])
def test_garbage_ends_the_connection_and_nothing_else(operator, bytes_sent):
    operator.start_ready()
    pid = operator.control_pid()
    with operator.connect() as client:
        try:
            client.sendall(bytes_sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert operator.status()["ready"] and operator.control_pid() == pid
    assert int(status_of(pid)["VmHWM"].split()[0]) < 32 * 1024
    assert not operator.process.find(msg="worker died")


def test_many_and_silent_connections_keep_nobody_out(operator):
    """Of too many the most silent one goes; a newcomer is always served."""
    operator.start_ready()
    pid = operator.control_pid()
    clients = [operator.connect() for _ in range(100)]
    assert operator.status()["ready"]
    assert len(os.listdir(f"/proc/{pid}/fd")) < 40
    for client in clients:
        client.close()
    assert operator.anchord("healthcheck").returncode == 0
    assert not operator.process.find(msg="worker died")


def test_who_does_not_read_is_dropped(operator):
    operator.start_ready(ANCHORD_LOG_LEVEL="debug")
    pid = operator.control_pid()
    body = len(INTERFACE).to_bytes(4, "little") + INTERFACE.encode() + b"\0"

    def field(code, kind, text):
        raw = bytes([code, 1]) + kind + b"\0"
        raw += (bytes([len(text)]) if kind == b"g" else len(text).to_bytes(4, "little")) + text.encode() + b"\0"
        return raw + b"\0" * (-len(raw) % 8)

    fields = (field(1, b"o", OBJECT) + field(2, b"s", "org.freedesktop.DBus.Properties") + field(3, b"s", "GetAll") +
              field(8, b"g", "s")).rstrip(b"\0") + b"\0"
    with operator.connect() as client:
        client.sendall(HELLO)
        try:
            for serial in range(1, 200000):
                head = b"l\1\0\1" + len(body).to_bytes(4, "little") + serial.to_bytes(4, "little")
                head += len(fields).to_bytes(4, "little") + fields
                client.sendall(head + b"\0" * (-len(head) % 8) + body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            raise AssertionError("200,000 questions without reading an answer")
    operator.process.wait_for(msg="control client dropped", reason="does not read its answers")
    assert int(status_of(pid)["VmHWM"].split()[0]) < 32 * 1024
    assert operator.status()["ready"] and operator.control_pid() == pid


def test_see4_status_shows_what_was_counted(operator):
    """In the same way for people and for programs; what is counted is shown in test_netadmin_counters.py."""
    operator.start_docker()
    expose(operator)
    operator.start().wait_for(msg="anchord ready")
    status = operator.await_status(lambda status: len(status["ports"]) == 3)
    assert status["ports"] == [{"proto": proto, "port_first": first, "port_last": last, "flows": 0, "packets": 0, "bytes": 0}
                               for proto, first, last in (("tcp", 25, 25), ("tcp", 443, 443), ("udp", 5000, 5002))]
    assert {row["reason"] for row in status["refused"]} == {"closed", "list", "limit", "ban", "forged", "stray", "isolation", "egress"}
    assert re.search(r"\nTraffic\n  tcp/25 +0 flows +0 packets +0 B\n", operator.anchord("status").stdout)


# --- ruleset ---

def words(listing):
    """A listing of nft without white space's and elements' order."""
    def sort(match):
        return "elements = { " + ", ".join(sorted(re.split(r",\s*", match.group(1).strip()))) + " }"
    return re.sub(r"elements = \{([^}]*)\}", sort, listing).split()


def test_ruleset_equals_nfts_listing(operator):
    """SPEC §9: the kernel's state in nft's syntax; nft accepts it and lists the same."""
    operator.start_docker()
    expose(operator)
    operator.start().wait_for(msg="anchord ready")
    operator.await_status(lambda status: status["map_elements"][0]["count"] == 2)
    done = operator.ruleset()
    assert (done.returncode, done.stderr) == (0, "")
    listed = "".join(operator.anchor.run("nft", "list", "table", *table).stdout
                     for table in (("ip", "anchord_v4"), ("ip6", "anchord_v6")))
    assert "443 counter packets 0 bytes 0 : 172.30.0.5 . 8443" in done.stdout
    assert words(done.stdout) == words(listed)
    checked = operator.anchor.run("nft", "-c", "-f", "-", input=done.stdout)
    assert checked.returncode == 0, checked.stderr


def test_foreign_rules_are_named_not_hidden(operator):
    """Without netadmin, which would repair them (NAT-15): an edit is a comment, and the rest is still what nft lists."""
    operator.anchor.run("nft", "-f", "-", input="add table ip anchord_v4\n"
                        "add chain ip anchord_v4 input { type filter hook input priority 0; policy drop; }\n"
                        "add rule ip anchord_v4 input iifname \"lo\" accept\n"
                        "add rule ip anchord_v4 input iifname \"ancin*\" ip saddr 192.0.2.1 drop\n"
                        "add rule ip anchord_v4 input counter drop\n"
                        "add rule ip anchord_v4 input tcp dport { 1, 2 } accept\n")
    done = operator.ruleset()
    assert done.returncode == 0
    assert 'iifname "lo" accept' in done.stdout and 'iifname "ancin*" ip saddr 192.0.2.1 drop' in done.stdout
    assert re.findall(r"# rule with handle \d+ is not one of anchord's: (\w+)", done.stdout) == ["counter", "lookup"]
    assert operator.anchor.run("nft", "-c", "-f", "-", input=done.stdout).returncode == 0


def test_ruleset_without_the_capability_says_so(operator):
    program = operator.supervision.build / "workers" / "commands" / "ruleset" / "anchord-ruleset"
    done = operator.anchor.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", program)
    assert done.returncode == 1 and "cap_add: [NET_ADMIN]" in done.stderr


def test_ruleset_is_nobody_who_may_only_ask_nftables(operator):
    """SPEC 4: as root on the host, too, whose doctor runs it in the namespaces of others; seen while nobody takes what it says."""
    operator.anchor.run("nft", "-f", "-", input="add table ip anchord_v4\nadd chain ip anchord_v4 many\n" + "".join(
        f'add rule ip anchord_v4 many tcp dport {port} accept comment "{"x" * 100}"\n' for port in range(1, 2000)))
    program = operator.supervision.build / "workers" / "commands" / "ruleset" / "anchord-ruleset"
    process = subprocess.Popen([*operator.anchor.wrap, program], stdout=subprocess.PIPE)
    wait_until(lambda: status_of(process.pid)["Seccomp"] == "2", 10)
    status = status_of(process.pid)
    assert status["Uid"].split() == ["65534"] * 4 == status["Gid"].split() and not status["Groups"].strip()
    assert {status[name] for name in ("CapPrm", "CapEff")} == {f"{1 << 12:016x}"}
    assert {int(status[name], 16) for name in ("CapInh", "CapAmb")} == {0} and status["NoNewPrivs"] == "1"
    assert process.communicate(timeout=20)[0].count(b" accept") >= 1999 and process.returncode == 0
