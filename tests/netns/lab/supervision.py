"""The programs of daemon/ under test, with stand-in workers that misbehave on request.

Used by test_supervisor*.py and test_init.py. Runs as root; every program gets a network namespace of its own. The
variants `anchord-under-test` and `anchord-init-under-test` differ from the product in one constant each: the directory
in which they look for workers, and for the supervisor.
"""

import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import messages
import netadmin_lab

ROOT = pathlib.Path(__file__).resolve().parents[3]
WATCHER_USER = 24941
NETADMIN_USER = 24942
ANNOUNCER_USER = 24945
CONTROL_USER = 24946
EXPORTER_USER = 24947
DHCP_USER = 24948
GATE_USER = 24949
WAY_USER = 24950
BANS_USER = 24951
WORKERS = ("gate", "watcher", "netadmin", "announcer", "control", "exporter")
CAP_NET_ADMIN = 1 << 12
CLONE_NEWNS = 0x00020000  # linux/sched.h
WORKERS_BELOW_BUILD = "daemon/test-workers"  # daemon/meson.build
NO_CAPABILITY = "0000000000000000"

# A worker in a few lines: it does what the protocol asks unless BEHAVIOUR says otherwise, and tells what it gets.
STAND_IN = '''#!/usr/bin/python3 -IS
import array, json, os, signal, socket, struct, sys
NAME = {name!r}
TYPES = {types!r}
BEHAVIOUR = {behaviour!r}
HEADER = struct.Struct("=IHHIIQ")
VERSION = {version}

def tell(**fields):
    print(json.dumps({{"stand_in": NAME, "pid": os.getpid(), **fields}}), flush=True)

def send(channel, name, generation=0, body=b""):
    channel.send(HEADER.pack(0x616e6368, VERSION, TYPES[name], HEADER.size + len(body), 0, generation) + body)

def topology(macs):
    # MACs 02:00:00:00:00:NN of the external and the shared network.
    def network(name, last):
        return struct.pack("=128s6s2xI", name, bytes([2, 0, 0, 0, 0, last]), 0) + bytes(4 * 64 + 2 * 20)
    return network(b"lan", macs[0]) + network(b"transit", macs[1]) + struct.pack("=II", BEHAVIOUR.get("final", 1), 0)

def external_link(name):
    send(channel, "EXTERNAL_LINK", 0, struct.pack("=II16sII", 2 if name else 0, 1 if name else 0, name.encode(), 1, 0))

def apply_lease(generation, body):
    # As netadmin does, but with what iproute2 knows: the leased address beside the bootstrap one.
    family, is_held = struct.unpack_from("=II", body)
    length, prefix_length = (4 if family == 4 else 16), body[8 + 8 + 40]
    text = socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, body[20:20 + length])
    reason = BEHAVIOUR.get("refuse_lease", "") if text.startswith(BEHAVIOUR.get("refuse_address", "")) else ""
    at = 16 + {further_at}
    count, = struct.unpack_from("=I", body, at)
    further = [socket.inet_ntop(socket.AF_INET6, body[first + 4:first + 20])
               for first in range(at + 4, at + 4 + count * {further_size}, {further_size})]
    for address in [text, *further] if is_held and not reason else []:
        os.spawnv(os.P_WAIT, "/sbin/ip", ["ip", "address", "replace", f"{{address}}/{{prefix_length}}", "dev",
                                          BEHAVIOUR["external_link"], *(["nodad"] if family == 6 else [])])
    tell(event="lease", family=family, held=bool(is_held), address=text if is_held else None, further=further,
         generation=generation)
    send(channel, "LEASE_APPLIED", generation, struct.pack("=Ii160s", family, -1 if reason else 0, reason.encode()))
    if is_held and not reason and family == 4 and "take_back" in BEHAVIOUR:
        later = BEHAVIOUR["refuse_lease"] = BEHAVIOUR.pop("take_back")
        BEHAVIOUR["refuse_address"] = text
        send(channel, "LEASE_APPLIED", generation, struct.pack("=Ii160s", family, -1, later.encode()))

signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM, signal.SIGINT}})
channel = socket.socket(fileno=3)
channel.setblocking(True)
tell(event="started")
if "exit" in BEHAVIOUR:
    sys.exit(BEHAVIOUR["exit"])
if BEHAVIOUR.get("orphan"):
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild == 0:
            signal.pause()
        tell(event="orphan", orphan=grandchild)
        os._exit(0)
    os.waitpid(child, 0)
if BEHAVIOUR.get("deaf"):
    while True:
        signal.pause()
if BEHAVIOUR.get("garbage"):
    channel.send(b"x" * 24)
names = {{number: name for name, number in TYPES.items()}}
while True:
    message, ancillary, _, _ = channel.recvmsg(16384, socket.CMSG_SPACE(16))
    if not message:
        sys.exit(0)
    for _, _, data in ancillary:
        for descriptor in array.array("i", data):
            os.close(descriptor)
    _, _, kind, length, _, generation = HEADER.unpack_from(message)
    kind = names[kind]
    if kind == "PING":
        tell(event="asked")
        send(channel, "PONG", generation)
        continue
    tell(event="message", type=kind, descriptors=len(ancillary), body=message[HEADER.size:].hex()[:4096])
    if kind == "STOP" and BEHAVIOUR.get("waits_at_first_stop") and not os.path.exists(BEHAVIOUR["waits_at_first_stop"]):
        os.mkdir(BEHAVIOUR["waits_at_first_stop"])
        signal.pause()
    if kind == "STOP":
        tell(event="stopping")
        sys.exit(0)
    if kind == "CONFIGURE_NETADMIN" and BEHAVIOUR.get("ready", True):
        send(channel, "READINESS", 0, struct.pack("=II", 3, 0))
        if "external_link" in BEHAVIOUR:
            external_link(BEHAVIOUR["external_link"])
    if kind == BEHAVIOUR.get("knows_all_at"):  # way under attach: READINESS_WAYS_INSTALLED
        send(channel, "READINESS", 0, struct.pack("=II", 1 << 6, 0))
    if kind == "CONFIGURE_LINKS" and "host_address" in BEHAVIOUR:
        address = struct.pack("=B3x16sB3x", 4, socket.inet_aton(BEHAVIOUR["host_address"]), 1)
        send(channel, "HOST_ADDRESSES", 0, struct.pack("=I6s6x", 1, bytes([2, 0, 0, 0, 0, 9])) + address + bytes(63 * 24))
    if kind == "CONFIGURE_NETADMIN" and "project_address" in BEHAVIOUR:
        address = socket.inet_aton(BEHAVIOUR["project_address"])
        send(channel, "PROJECT_ADDRESSES", 0, struct.pack("=IIB3x16s", 1, 0, 4, address) + bytes(15 * 20))
    if kind == "LEASE":
        apply_lease(generation, message[HEADER.size:])
    if kind == "CONFIGURE_WATCHER" and BEHAVIOUR.get("connected"):
        send(channel, "READINESS", 0, struct.pack("=II", 4, 0))
    if kind == "CONFIGURE_WATCHER" and BEHAVIOUR.get("wants_keeper"):
        for _ in range(2):
            send(channel, "KEEPER_WANTED")
    if kind == "CONFIGURE_WATCHER" and "topologies" in BEHAVIOUR:  # one after the other, as fast as it can
        for number in range(BEHAVIOUR["count"]):
            choices = BEHAVIOUR["topologies"]
            send(channel, "TOPOLOGY", 0, topology(choices[number % len(choices)]))
        tell(event="sent all")
    if kind == "LINK" and NAME == "watcher" and "topology" in BEHAVIOUR:
        send(channel, "TOPOLOGY", 0, topology(BEHAVIOUR["topology"]))
'''


def message_types():
    """The numbers of the enum in protocol/messages_parts.h, by name."""
    text = (ROOT / "protocol/messages_parts.h").read_text()
    body = re.search(r"enum message_type \{(.*?)\};", text, re.S).group(1)
    names = re.findall(r"^\s*MESSAGE_(\w+)\b", body, re.M)
    return {name: number for number, name in enumerate(names)}


def wait_until(condition, timeout=5.0):
    """As in netadmin_lab, of what has no name but the condition's own."""
    return netadmin_lab.wait_until(condition, str(condition), timeout)


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def command_line_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def is_gone(pid):
    """Dead and reaped: a zombie still has its directory."""
    return not pathlib.Path(f"/proc/{pid}").exists()


class Process:
    """One program with its log, line by line as it comes."""

    def __init__(self, command, environment):
        self.records = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                record = json.loads(re.sub(r"^<\d>", "", line))  # the journal's priority
            except ValueError:
                record = {"raw": line.rstrip()}
            with self.changed:
                self.records.append(record)
                self.changed.notify_all()

    def find(self, **fields):
        return [record for record in list(self.records)
                if all(record.get(key) == value for key, value in fields.items())]

    def wait_for(self, count=1, timeout=10, **fields):
        """The `count`-th record that has all of `fields`."""
        with self.changed:
            found = self.changed.wait_for(lambda: len(self.find(**fields)) >= count, timeout)
        assert found, f"no {count}. {fields} within {timeout} s in:\n" + self.text()
        return self.find(**fields)[count - 1]

    def text(self):
        return "\n".join(json.dumps(record) for record in self.records)

    def wait(self, timeout=10):
        status = self.process.wait(timeout)
        self.reader.join(timeout)
        return status

    def stop(self, timeout=10):
        """SIGTERM; returns exit status and seconds."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout), time.monotonic() - started

    def close(self, workers):
        """Also ends workers that a failing test left behind: they hold the log open."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.reader.join(1)
        for pid in {record.get("orphan", record.get("pid")) for record in self.records if "stand_in" in record}:
            if self.reader.is_alive() and str(workers) in command_line_of(pid):
                os.kill(pid, signal.SIGKILL)
        self.reader.join(10)
        self.process.stdout.close()


def own_directory_of_workers(build):
    """Called once, before anything runs. From now on this process and its children have a directory of workers of their own: the programs under test know
    one path, which they were built with, and another run of these tests uses the same build beside this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace for the tests")
    workers = build / WORKERS_BELOW_BUILD
    workers.mkdir(exist_ok=True)
    subprocess.run(["mount", "--make-rslave", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", workers], check=True)


class Supervision:
    """What the fixture `supervision` hands out: workers to install, programs to start."""

    def __init__(self, build, scratch):
        self.use(build)
        self.scratch = scratch
        self.docker_socket = scratch / "docker.sock"
        self.runtime = scratch / "run"
        self.dhcpcd = None  # a program instead of the machine's; conftest.py sets it
        self.processes = []

    def use(self, build):
        """The build directory whose programs are started from now on."""
        self.build = build
        self.workers = build / WORKERS_BELOW_BUILD

    def install_stand_in(self, name, **behaviour):
        path = self.workers / f"anchord-{name}"
        path.unlink(missing_ok=True)
        path.write_text(STAND_IN.format(name=name, version=messages.VERSION, types=message_types(), behaviour=behaviour,
                                        further_at=messages.LEASE_FURTHER_AT, further_size=messages.FURTHER_SIZE))
        path.chmod(0o755)

    def install_stand_ins(self, **behaviours):
        for name in WORKERS:
            self.install_stand_in(name, **behaviours.get(name, {}))

    def install_real(self, *names, below="workers"):
        for name in names:
            path = self.workers / f"anchord-{name}"
            path.unlink(missing_ok=True)
            path.symlink_to(self.build / below / name / f"anchord-{name}")

    def install_real_workers(self):
        self.install_real(*WORKERS, "bans", "keeper", "lease", "resolver", "way")

    def start(self, program="anchord-under-test", arguments=(), wrap=("unshare", "--net"), **environment):
        # Metrics on every address: without loopback (a new namespace) 127.0.0.1 is none.
        variables = {"PATH": "/usr/bin:/bin", "ANCHORD_PROJECT": "project", "RUNTIME_DIRECTORY": str(self.runtime),
                     "ANCHORD_METRICS_ADDR": ":9090", "DOCKER_HOST": f"unix://{self.docker_socket}", **environment}
        process = Process([*wrap, self.build / "daemon" / program, *arguments],
                          {key: value for key, value in variables.items() if value is not None})
        self.processes.append(process)
        return process

    def start_ready(self, **options):
        process = self.start(**options)
        process.wait_for(msg="anchord ready")
        return process

    def close(self):
        for process in self.processes:
            process.close(self.workers)


def started(process, name, count=1):
    return process.wait_for(stand_in=name, event="started", count=count)["pid"]


def got(process, name, kind, count=1, **fields):
    return process.wait_for(stand_in=name, event="message", type=kind, count=count, **fields)
