"""The host half of attach (HOST-8, HOST-10, HOST-11) with stand-in workers, and an identity half that this test plays."""

import array
import os
import pathlib
import socket
import struct
import subprocess

import pytest

import messages
from attach_lab import LINKS_USER, NAMESPACES_USER
from supervision import got, message_types, started, status_of, wait_until

PLACE = pathlib.Path("/run/anchord-attach")
MACHINE_ID = pathlib.Path("/etc/machine-id")
TYPES = message_types()
NAMES = {number: name for name, number in TYPES.items()}
LINKS, NAMESPACES = 1, 2  # enum host_worker
WATCHER, WAY = 1, 7  # enum link_peer
HOST = {"ANCHORD_MODE": "attach-host", "ANCHORD_PARENT": "eth0", "ANCHORD_METRICS_ADDR": None, "DOCKER_HOST": None}
NET_ADMIN, SYS_PTRACE, SYS_ADMIN = 1 << 12, 1 << 19, 1 << 21
KEEP, TEAR_DOWN, LEAVE_CLOSED = 1, 2, 3


@pytest.fixture
def place(tmp_path):
    """The directory, and a machine's ID, in the mount namespace that these tests have."""
    PLACE.mkdir(mode=0o700, exist_ok=True)
    (tmp_path / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", PLACE], check=True)
    subprocess.run(["mount", "--bind", tmp_path / "machine-id", MACHINE_ID], check=True)
    yield PLACE
    subprocess.run(["umount", PLACE], check=True)
    subprocess.run(["umount", MACHINE_ID], check=True)


@pytest.fixture
def host(place, supervision):  # in this order: what was started there ends first
    del place
    for name in ("links", "namespaces", "control"):
        supervision.install_stand_in(name, host_address="192.0.2.2")
    return supervision


def begun(supervision, **environment):
    process = supervision.start(**{**HOST, **environment})
    for name in ("links", "namespaces"):
        started(process, name)
    return process


class Identity:
    """The other half's side of one meeting."""

    def __init__(self):
        wait_until((PLACE / "project/sock").exists)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(PLACE / "project/sock"))

    def receive(self):
        """(name, body); None at the end."""
        datagram = self.socket.recv(messages.LENGTH_MAX)
        if not datagram:
            return None
        kind, _, body = messages.split(datagram)
        return NAMES[kind], body

    def send(self, name, body, descriptor=None):
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        self.socket.sendmsg([messages.message(TYPES[name], body)], rights)


def test_host10_workers_have_exactly_their_privileges(host):
    process = begun(host)
    for name, user, capabilities in (("links", LINKS_USER, NET_ADMIN),
                                     ("namespaces", NAMESPACES_USER, NET_ADMIN | SYS_ADMIN | SYS_PTRACE)):
        status = status_of(started(process, name))
        assert status["Uid"].split() == [str(user)] * 4, name
        assert {status[key] for key in ("CapPrm", "CapEff", "CapAmb", "CapInh")} == {f"{capabilities:016x}"}, name
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status_of(process.process.pid)["CapEff"] == f"{1 << 5:016x}"  # KILL


def test_host2_links_learns_who_the_identity_is_and_so_does_the_other_half(host):
    process = begun(host, ANCHORD_BRIDGES="br-mail", ANCHORD_GUARD="off", ANCHORD_MAC="02:00:00:00:00:05")
    links = bytes.fromhex(got(process, "links", "CONFIGURE_LINKS")["body"])
    project, parent, bridge = struct.unpack_from("=128s16s16s", links)
    assert (project.rstrip(b"\0"), parent.rstrip(b"\0"), bridge.rstrip(b"\0")) == (b"project", b"eth0", b"br-mail")
    macs_tag_and_hop = links[128 + 16 + 256:][:36]
    assert macs_tag_and_hop[:6] == bytes([2, 0, 0, 0, 0, 5])
    assert struct.unpack_from("=I", links, 128 + 16 + 256 + 36) == (0,)  # not guarded
    name, welcome = Identity().receive()
    assert name == "WELCOME"
    assert struct.unpack_from("=128s16s", welcome) == (project, parent)
    assert welcome[144:180] == macs_tag_and_hop


def test_host11_what_one_half_says_reaches_the_other(host):
    process = begun(host)
    got(process, "control", "SUPERVISION")
    process.wait_for(msg="anchord ready")
    identity = Identity()
    said = [identity.receive() for _ in range(4)]
    assert [name for name, _ in said] == ["WELCOME", "HOST_WORKER_STARTED", "HOST_WORKER_STARTED", "HOST_ADDRESSES"]
    assert [struct.unpack("=2I", body)[0] for _, body in said[1:3]] == [LINKS, NAMESPACES]
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for worker, name, peer in ((LINKS, "links", WATCHER), (NAMESPACES, "namespaces", WATCHER), (NAMESPACES, "namespaces", WAY)):
        identity.send("MEETING_LINK", struct.pack("=2I", worker, peer), ends[0].fileno())
        got(process, name, "LINK", descriptors=1, body=struct.pack("=2I", peer, 0).hex())
    with open("/proc/self/ns/net") as namespace:
        identity.send("LINKS_IDENTITY", struct.pack("=2I", 1, 0), namespace.fileno())
        got(process, "links", "LINKS_IDENTITY", descriptors=1)
    addresses = struct.pack("=2I", 1, 0) + messages.address("192.0.2.5") + bytes(15 * 20)
    identity.send("PROJECT_ADDRESSES", addresses)
    got(process, "links", "PROJECT_ADDRESSES", body=addresses.hex())
    os.kill(started(process, "links"), 9)
    got(process, "links", "PROJECT_ADDRESSES", count=2, body=addresses.hex())
    assert identity.receive() == ("HOST_WORKER_STARTED", struct.pack("=2I", LINKS, 0))


def test_host11_a_newer_identity_half_replaces_the_older(host):
    begun(host)
    older = Identity()
    assert older.receive()[0] == "WELCOME"
    newer = Identity()
    assert newer.receive()[0] == "WELCOME"
    while (said := older.receive()) is not None:
        assert said[0] in ("HOST_WORKER_STARTED", "HOST_ADDRESSES")


def test_host11_the_place_of_the_meeting_is_roots_alone(host):
    begun(host)
    wait_until((PLACE / "project/sock").exists)
    assert (PLACE.stat().st_mode & 0o777, (PLACE / "project").stat().st_mode & 0o777) == (0o700, 0o700)
    PLACE.chmod(0o755)  # as Docker makes it
    stranger = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c",
                               f"import socket; socket.socket(socket.AF_UNIX, 5).connect('{PLACE}/project/sock')"],
                              capture_output=True, text=True, check=False)
    assert "PermissionError" in stranger.stderr


def test_host11_links_lets_go_of_an_identity_that_has_gone(host):
    """WALL-3, HOST-8: a namespace that somebody holds stays, with the address and without rules; what it made stays."""
    process = begun(host)
    identity = Identity()
    assert identity.receive()[0] == "WELCOME"
    with open("/proc/self/ns/net") as namespace:
        identity.send("LINKS_IDENTITY", struct.pack("=2I", 1, 0), namespace.fileno())
    got(process, "links", "LINKS_IDENTITY", descriptors=1)
    identity.socket.close()
    assert got(process, "links", "STOP")["body"] == struct.pack("=2I", KEEP, 0).hex()
    got(process, "links", "CONFIGURE_LINKS", count=2)
    assert Identity().receive()[0] == "WELCOME"


@pytest.mark.parametrize("environment, mode", [({}, LEAVE_CLOSED), ({"ANCHORD_ON_STOP": "remove"}, TEAR_DOWN),
                                               ({"ANCHORD_ON_STOP": "keep"}, KEEP)])
def test_host4_host8_an_orderly_stop_leaves_what_closes_unless_it_is_to_go(host, environment, mode):
    """HOST-6: outside a container the guard stays; detaching is said."""
    process = begun(host, **environment)
    got(process, "links", "CONFIGURE_LINKS")
    status, seconds = process.stop()
    assert status == 0 and seconds < 2
    assert not list((PLACE / "project").iterdir())  # nobody listens there any more
    for name in ("links", "namespaces"):
        assert got(process, name, "STOP")["body"] == struct.pack("=2I", mode, 0).hex()


def test_host2_without_a_machine_id_it_says_what_to_mount(host, tmp_path):
    (tmp_path / "machine-id").write_text("")
    process = host.start(**HOST)
    assert process.wait() == 1
    assert process.wait_for(path="/etc/machine-id")["line"] == "volumes: [/etc/machine-id:/etc/machine-id:ro]"
