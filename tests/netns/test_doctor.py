"""`anchord doctor stale-netns` with an engine that answers what a test wants (SPEC 9): who is found, what cannot be looked
at, what is said when Docker cannot be reached, what is never shown.
"""

import json
import os
import pathlib
import queue
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

import fake_docker
import fake_engine
from certificates import Authority

FILES = {"com.docker.compose.project.working_dir": "/srv/mail",
         "com.docker.compose.project.config_files": "/srv/mail/compose.yaml"}
COMPOSE = "docker compose -p mail --project-directory /srv/mail -f /srv/mail/compose.yaml up"


@pytest.fixture
def scratch():
    with tempfile.TemporaryDirectory(prefix="anchord-doctor-") as directory:
        pathlib.Path(directory).chmod(0o755)
        yield pathlib.Path(directory)


@pytest.fixture
def engine(scratch):
    made = fake_engine.FakeEngine.on_unix_socket(scratch / "docker.sock")
    yield made
    made.close()


def doctor(build, scratch, *options, program="workers/commands/doctor/anchord-doctor", **environment):
    command = [build / program, *options]
    return subprocess.run(command, env={"DOCKER_HOST": f"unix://{scratch}/docker.sock"} | environment, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, cwd="/")


def look(build, scratch):
    result = doctor(build, scratch, "stale-netns", "--json")
    return result.returncode, json.loads(result.stdout)


def test_who_is_pinned_to_a_dead_namespace(build, scratch, engine):
    """Gone, stopped, started again; alive ones and stopped ones that can start again are not named."""
    gone, stopped, restarted, alive = (engine.add(name, labels={}) for name in ("gone", "stopped", "restarted", "alive"))
    for name, owner in (("web", gone), ("imap", gone), ("waits", stopped), ("again", restarted), ("well", alive)):
        engine.add(name, joined=owner, labels=FILES)
    engine.add("resting", joined=restarted, running=False)
    engine.recreate("gone")
    engine.halt(engine.named("stopped"))
    engine.restart("restarted")
    engine.halt(engine.named("imap"))
    status, found = look(build, scratch)
    assert status == 1 and found["unread"] == []
    assert {entry["target"]: (entry["target_name"], entry["target_state"], [one["name"] for one in entry["containers"]],
                              [one["command"] for one in entry["remedies"]]) for entry in found["stale_netns"]} == {
        gone: (None, "gone", ["web", "imap"], [f"{COMPOSE} -d --no-deps --force-recreate web",
                                               f"{COMPOSE} --no-start --no-deps --force-recreate imap"]),
        stopped: ("stopped", "stopped", ["waits"], ["docker start stopped && docker restart waits"]),
        restarted: ("restarted", "restarted", ["again"], ["docker restart again"])}
    assert not engine.writes
    text = doctor(build, scratch, "stale-netns").stdout
    assert f"The container {gone[:12]} does not exist any more. In its dead network namespace:\n" in text
    assert f"The container restarted ({restarted[:12]}) was started again after them." in text
    assert f"\n  {COMPOSE} -d --no-deps --force-recreate web\n" in text


def test_start_times_in_the_future_prove_nothing(build, scratch, engine):
    """The clock was set back: no finding, and no clean bill."""
    engine.epoch = 2_000_000_000
    target = engine.add("target")
    engine.epoch = 1_760_000_000
    engine.add("web", joined=target)
    result = doctor(build, scratch, "stale-netns")
    assert result.returncode not in (0, 1) and "web" in result.stderr and "clock was set back" in result.stderr


def test_nothing_found_is_status_0(build, scratch, engine):
    engine.add("well", joined=engine.add("alive"))
    result = doctor(build, scratch, "stale-netns")
    assert (result.returncode, result.stdout, result.stderr) == (
        0, "No container lives in a dead network namespace; 1 live in another container's.\n", "")
    assert look(build, scratch) == (0, {"stale_netns": [], "unread": []})


def test_a_list_without_network_modes_is_looked_at_whole(build, scratch, engine):
    """Podman's: every container is asked for."""
    list_of = engine.list_of
    engine.list_of = lambda *arguments: [{key: value for key, value in record.items() if key != "HostConfig"}
                                         for record in list_of(*arguments)]
    owner = engine.add("owner")
    engine.add("again", joined=owner, labels=FILES)
    engine.add("well", joined=engine.add("alive"))
    engine.restart("owner")
    status, found = look(build, scratch)
    assert status == 1 and [one["name"] for entry in found["stale_netns"] for one in entry["containers"]] == ["again"]


def test_one_that_cannot_be_looked_at_does_not_hide_the_others(build, scratch, engine):
    """An engine that fails over one container, and one whose answer makes no sense: both are named."""
    gone = engine.add("gone")
    broken, odd, _ = (engine.add(name, joined=gone, labels=FILES) for name in ("broken", "odd", "web"))
    engine.on_json = lambda record, query, body: fake_engine.reason(500, "driver failed") if record["Id"] == broken else (200, record)
    engine.records[odd]["State"]["StartedAt"] = "yesterday"
    engine.remove("gone")
    status, found = look(build, scratch)
    assert status == 1 and [one["name"] for entry in found["stale_netns"] for one in entry["containers"]] == ["web"]
    reasons = {one["name"]: one["reason"] for one in found["unread"]}
    assert "HTTP status 500: driver failed" in reasons["broken"] and "since when" in reasons["odd"]
    engine.remove("web")
    result = doctor(build, scratch, "stale-netns")
    assert result.returncode == 2  # nothing was found, but not everything was looked at
    assert "anchord doctor: broken: GET /v1.51/containers/" in result.stderr and "anchord doctor: odd: " in result.stderr


def test_an_engine_that_dies_in_the_middle_is_said(build, scratch, engine):
    gone = engine.add("gone")
    for name in ("first", "second", "third", "fourth", "fifth"):
        engine.add(name, joined=gone, labels=FILES)
    engine.remove("gone")

    def die(record, query, body):
        if record["Name"] == "/first":
            return 200, record
        raise OSError("the engine dies")
    engine.on_json = die
    result = doctor(build, scratch, "stale-netns")
    assert result.returncode == 1 and "--force-recreate first\n" in result.stdout
    assert "anchord doctor: not every container could be looked at: " in result.stderr
    assert "anchord doctor: second: " in result.stderr


def test_foreign_text_is_data_and_no_environment_is_shown(build, scratch, engine):
    """A label with an escape sequence, a line break and a command; an environment with a secret."""
    evil = "/srv/\033[2Jx\nTo mend it:\n  reboot; '$(reboot)'"
    gone = engine.add("gone")
    engine.add("web", joined=gone, labels=FILES | {"com.docker.compose.project.config_files": evil})
    engine.named("web")["Config"]["Env"] = ["PASSWORD=hunter2"]
    engine.named("web")["State"]["Status"] = "\033[5mrunning"
    engine.named("web")["Name"] = "/a\033[31mb"
    engine.remove("gone")
    for options in ([], ["--json"]):
        result = doctor(build, scratch, "stale-netns", *options)
        assert result.returncode == 1 and "\033" not in result.stdout and "hunter2" not in result.stdout
        assert not any(line.startswith("  reboot") for line in result.stdout.splitlines())
    command = look(build, scratch)[1]["stale_netns"][0]["remedies"][0]["command"]
    words = subprocess.run(["bash", "-c", f"docker() {{ printf '%s\\0' \"$@\"; }}; {command}"], capture_output=True, text=True,
                           check=True).stdout.split("\0")
    assert words[words.index("-f") + 1] == evil


def test_a_wrong_value_colours_no_terminal(build, scratch):
    """The command checks the variables itself, before it becomes anchord-doctor."""
    result = doctor(build, scratch, "doctor", "stale-netns", program="daemon/anchord", DOCKER_TLS_VERIFY="\033[31mx\ny")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == 'anchord doctor: DOCKER_TLS_VERIFY: "\\u001b[31mx\\u000ay": must be true, false, 1 or 0\n'


@pytest.mark.parametrize("make, reason", [
    (lambda path: None, "No such file or directory; mount"),
    (lambda path: path.mkdir(), "Connection refused; start Docker, mount"),
    (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "Connection refused; start Docker, mount"),
])
def test_no_docker_is_said_with_the_way_out(build, scratch, make, reason):
    make(scratch / "docker.sock")
    result = doctor(build, scratch, "stale-netns", "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"anchord doctor: {scratch}/docker.sock: GET /version: {reason} Docker's socket (docker run -v")


def test_a_closed_socket_is_said_with_the_way_out(build, scratch, engine):
    """Typed by somebody who is neither root nor of the socket's group."""
    (scratch / "docker.sock").chmod(0o600)
    result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             build / "workers/commands/doctor/anchord-doctor", "stale-netns"], capture_output=True, text=True,
                            env={"DOCKER_HOST": f"unix://{scratch}/docker.sock"}, cwd="/", timeout=60)
    assert result.returncode == 2 and "run it as root, or with the group of Docker's socket" in result.stderr, result


def test_a_proxy_that_denies_is_named(build, scratch, engine):
    engine.add("web", joined=engine.add("gone"))
    engine.denied = ("GET",)
    result = doctor(build, scratch, "stale-netns")
    assert result.returncode == 2 and "denied by the socket proxy (403): allow CONTAINERS=1" in result.stderr


@pytest.fixture
def remote(scratch):
    """(network namespace, its engine behind TLS on 127.0.0.1:2376, directory of the client's certificate)"""
    namespace, authority = f"anchord-doctor-{os.getpid()}", Authority(scratch, "ca")
    (scratch / "client").mkdir()
    for name, file in zip(("cert.pem", "key.pem"), authority.sign("client")):
        shutil.copy(file, scratch / "client" / name)
    shutil.copy(authority.certificate, scratch / "client" / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.sign("engine", names="IP:127.0.0.1, DNS:127.0.0.1"))
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        listener = fake_docker.in_namespace(namespace, lambda: fake_docker.listen("127.0.0.1", 2376))
        made = fake_engine.FakeEngine(context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False))
        yield namespace, made, scratch / "client"
        made.close()
    finally:
        subprocess.run(["ip", "netns", "del", namespace], check=True)


def test_an_engine_behind_tls(build, scratch, remote):
    """SPEC 10: both sides prove who they are; what is missing or wrong is named, with the way out."""
    namespace, engine, directory = remote
    engine.add("web", joined="ab" * 32, labels=FILES)

    def ask():
        return subprocess.run(["ip", "netns", "exec", namespace, build / "workers/commands/doctor/anchord-doctor", "stale-netns"],
                              env=os.environ | {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_CERT_PATH": str(directory)},
                              capture_output=True, text=True, timeout=60, cwd="/")
    result = ask()
    assert result.returncode == 1 and "--force-recreate web\n" in result.stdout, result
    shutil.copy(Authority(scratch, "other").certificate, directory / "ca.pem")
    result = ask()
    assert result.returncode == 2 and "ca.pem must hold the CA that signed Docker's certificate" in result.stderr
    (directory / "key.pem").unlink()
    result = ask()
    assert result.returncode == 2 and f"{directory}/key.pem: No such file or directory; it is in DOCKER_CERT_PATH" in result.stderr


def test_usage(build, scratch):
    """Nothing is pretended. `anchord doctor` by itself, and all other checks: test_doctor_checks.py."""
    for options in (["--help"], ["stale-netns", "--help"]):
        result = doctor(build, scratch, *options)
        assert result.returncode == 0 and "stale-netns" in result.stdout and not result.stderr
    result = doctor(build, scratch, "stale-netns", "everything")
    assert result.returncode == 2 and "unknown argument" in result.stderr
    result = doctor(build, scratch, "stale-netns", DOCKER_HOST="unix:///nonexistent")
    assert result.returncode == 2 and "/nonexistent: " in result.stderr and "No such file" in result.stderr, result.stderr
    assert "port 80" not in result.stderr, "no TCP is involved"
    result = doctor(build, scratch, "doctor", "stale-netns", program="daemon/anchord", DOCKER_HOST="http://x",
                    ANCHORD_MODE="service-anchor")
    assert result.returncode == 2 and result.stderr.startswith("anchord doctor: DOCKER_HOST: "), result.stderr


def test_it_holds_no_privilege_while_it_asks(build, scratch, engine):
    """Also as root: no capability, sealed, no file, no child; Docker is asked over one socket."""
    seen, made = {}, queue.SimpleQueue()

    def look_at_it(moment, method, path):
        if moment == "before" and not seen:
            pid = made.get(timeout=30)
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            seen.update(status, limits=pathlib.Path(f"/proc/{pid}/limits").read_text(),
                        files=sorted(os.readlink(path) for path in pathlib.Path(f"/proc/{pid}/fd").iterdir()))

    engine.add("web", joined=engine.add("alive"))
    engine.barrier = look_at_it
    process = subprocess.Popen([build / "workers/commands/doctor/anchord-doctor", "stale-netns"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/",
                               env={"DOCKER_HOST": f"unix://{scratch}/docker.sock"})
    made.put(process.pid)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert int(seen["CapEff"], 16) == int(seen["CapPrm"], 16) == 0
    assert (seen["NoNewPrivs"].strip(), seen["Seccomp"].strip()) == ("1", "2")
    assert any(line.split()[:4] == ["Max", "processes", "0", "0"] for line in seen["limits"].splitlines())
    assert not any(name.startswith("/") and name not in ("/dev/null",) and not name.startswith("/proc/")
                   for name in seen["files"]), seen["files"]
