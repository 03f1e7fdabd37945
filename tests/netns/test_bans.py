"""Bans as a whole: `anchord ban`, its worker, its file and netadmin (GUEST-2)."""

import contextlib
import errno
import os
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import messages
from ban_lab import ALL, NEW_ONLY, BanAnchor, item
from lab import pages
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, outcome
from supervision import BANS_USER, status_of, wait_until
from whole_anchor import BACKEND_PORT, STEADY_PORT

SILENCE = 0.3


@pytest.fixture(scope="module")
def whole(build, tmp_path_factory):
    anchor = BanAnchor(build)
    directory = tmp_path_factory.mktemp("given")
    directory.chmod(0o755)
    os.chown(directory, 0, 12345)
    anchor.given = directory / "ban.sock"
    for protocol in ("tcp", "udp"):
        anchor.lab.serve(anchor.lab.one, "steady", protocol, BACKEND_PORT, "172.30.0.5")
        anchor.lab.serve(anchor.lab.one, "steady", protocol, BACKEND_PORT, "fd30::5")
    yield anchor
    anchor.close()


@pytest.fixture
def anchor(whole):
    """An anchor that bans nobody, and whose ban socket a group may use: that of the test before, where it still runs."""
    if not whole.process or whole.process.process.poll() is not None:
        begin(whole)
    whole.ban("flush")
    return whole


def begin(anchor):
    anchor.start(ANCHORD_BAN_SOCKET=str(anchor.given))


def test_guest2_no_process_until_somebody_bans(whole):
    begin(whole)
    wait_until(lambda: reaches(whole) and reaches(whole, LAN6), 5)
    assert not whole.process.find(msg="worker started", name="bans")


def reaches(anchor, address=LAN4):
    return outcome(anchor.lab.client, "tcp", address, STEADY_PORT, SILENCE) == "steady"


def restarted(anchor, name, kill=True):
    """Kills a worker and waits for its successor."""
    count = len(anchor.process.find(msg="worker started", name=name))
    pid = anchor.process.find(msg="worker started", name=name)[-1]["pid"]
    if kill:
        os.kill(pid, signal.SIGKILL)
    return anchor.sealed(name, count=count + 1)


def test_guest2_ban_and_unban_by_the_command(anchor):
    """Each answer means that it holds; ends by the clock."""
    assert reaches(anchor) and reaches(anchor, LAN6)
    anchor.ban("add", CLIENT4, "--for", "1h", "--reason", "sshd: \x1b[31m5 failures")
    assert not reaches(anchor) and reaches(anchor, LAN6)
    anchor.ban("add", f"{CLIENT6}/128", "2001:db8:1:2::3")
    assert not reaches(anchor, LAN6)
    rows = anchor.listed()
    assert set(rows) == {CLIENT4, f"{CLIENT6}/128", "2001:db8:1:2::/64"}
    assert rows[CLIENT4]["reason"] == "sshd:  [31m5 failures" and rows["2001:db8:1:2::/64"]["until"] is None
    assert rows[CLIENT4]["until"].endswith("Z") and rows[CLIENT4]["new_only"] is False
    assert CLIENT4 in anchor.ban("list")
    anchor.ban("del", CLIENT4, f"{CLIENT6}/128", "2001:db8:1:2::3")
    assert reaches(anchor) and reaches(anchor, LAN6) and anchor.listed() == {}
    start = time.time()
    anchor.ban("add", "--for", "1s", CLIENT4)
    assert not reaches(anchor)
    wait_until(lambda: reaches(anchor), 5)
    assert time.time() - start >= 1
    anchor.ban("add", CLIENT4, "192.0.2.0/24", "--new-only")
    assert anchor.elements("ip", "banned_new") == {CLIENT4}
    anchor.ban("add", CLIENT4)
    assert (anchor.elements("ip", "banned_new"), anchor.elements("ip", "banned")) == (set(), {CLIENT4})
    assert anchor.ban("flush") == "2 bans removed\n"
    assert reaches(anchor)


def test_guest2_overlaps_are_merged_by_their_owner(anchor):
    """The kernel has the outermost prefix alone; when that is unbanned the inner ones hold again."""
    anchor.ban("add", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "192.0.2.0/25", "192.0.2.128/25")
    assert anchor.elements("ip", "banned_prefixes") == {"10.1.0.0/16", "192.0.2.0/25", "192.0.2.128/25"} or \
        anchor.elements("ip", "banned_prefixes") == {"10.1.0.0/16", "192.0.2.0/24"}  # nft joins neighbours
    assert anchor.elements("ip", "banned") == set()
    anchor.ban("del", "10.1.0.0/16")
    assert "10.1.2.0/24" in anchor.elements("ip", "banned_prefixes") and anchor.elements("ip", "banned") == set()
    anchor.ban("del", "10.1.2.0/24")
    assert anchor.elements("ip", "banned") == {"10.1.2.3"}


def test_guest2_bans_survive_each_process_and_a_restart(anchor):
    """kill -9 of bans, netadmin, supervisor and all; the successors have the list, and there is no gap."""
    anchor.ban("add", CLIENT4, "--reason", "kept")
    for name in ("bans", "netadmin"):
        restarted(anchor, name)
        assert not reaches(anchor), name
        anchor.ban("add", "192.0.2.1", "--for", "2h")
        assert not reaches(anchor), name
    anchor.kill_all()
    assert not reaches(anchor)
    begin(anchor)
    anchor.sealed("bans")
    assert not reaches(anchor)
    rows = anchor.listed()
    assert rows[CLIENT4]["reason"] == "kept" and set(rows) == {CLIENT4, "192.0.2.1"}
    anchor.lab.nft("delete table ip anchord_v4")  # NAT-15, by what netadmin has been told
    wait_until(lambda: CLIENT4 in anchor.lab.ruleset(), 2)
    anchor.ban("del", CLIENT4)
    assert reaches(anchor)


def test_guest2_an_orderly_stop_removes_all_and_the_next_start_bans_from_the_first_moment(anchor):
    """As after a reboot: nothing is left but the file, which the next anchor reads before it is ready."""
    anchor.ban("add", CLIENT4)
    anchor.process.process.send_signal(signal.SIGTERM)
    assert anchor.process.wait() == 0
    assert "banned" not in anchor.lab.ruleset()
    begin(anchor)
    assert list(anchor.listed()) == [CLIENT4]
    assert not reaches(anchor)


def test_guest2_damaged_file_costs_the_damaged_lines_alone(anchor):
    anchor.ban("add", CLIENT4, "192.0.2.1", "192.0.2.2")
    anchor.kill_all()
    file = anchor.supervision.runtime / "bans" / "bans"
    lines = file.read_bytes().splitlines(keepends=True)[-3:]  # before them what the tests before have banned
    assert [line.split()[1] for line in lines] == [b"10.99.0.9/32", b"192.0.2.1/32", b"192.0.2.2/32"]
    file.write_bytes(b"".join([lines[0], b"ban \xff\0/33 all\n", lines[1], b"ban 0.0.0.0/0 all 0 0 \n",
                               b"ban 192.0.2.4/32 all 18446744073710 0 \n", lines[2][:-8]]))
    begin(anchor)
    assert anchor.process.wait_for(msg="the file of bans was damaged: what could be read of it is in force")["broken_lines"] == 4
    anchor.ban("add", "192.0.2.3")
    assert set(anchor.listed()) == {CLIENT4, "192.0.2.1", "192.0.2.3"}
    assert not reaches(anchor)
    assert [line.split()[1] for line in file.read_bytes().splitlines()] == [b"10.99.0.9/32", b"192.0.2.1/32", b"192.0.2.3/32"]


def test_guest2_unreadable_file_lifts_nothing(anchor):
    """What the kernel holds stays as it is until somebody bans; with the file, a successor has all of it again."""
    anchor.ban("add", CLIENT4)
    file = anchor.supervision.runtime / "bans" / "bans"
    file.rename(file.with_name("aside"))
    file.mkdir()
    restarted(anchor, "bans")
    assert anchor.listed() == {} and not reaches(anchor)
    anchor.process.wait_for(msg="cannot read the file of bans: what is banned stays so until the next ban, then that holds alone")
    restarted(anchor, "netadmin")
    assert not reaches(anchor)
    anchor.ban("add", "192.0.2.1")
    assert reaches(anchor)
    file.rmdir()
    file.with_name("aside").rename(file)
    restarted(anchor, "bans")
    assert list(anchor.listed()) == [CLIENT4] and not reaches(anchor)


def test_see1_a_ban_that_cannot_be_written_is_kept_by_the_next_one(anchor):
    """ANC0509, by a file system that is full: the ban holds, what is printed keeps it, and nothing is said any more."""
    anchor.ban("list")
    anchor.kill_all()
    directory = anchor.supervision.runtime / "bans"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "bans", directory], check=True)
    try:
        begin(anchor)
        anchor.ban("list")
        with contextlib.suppress(OSError), open(directory / "full", "wb", buffering=0) as full:
            while full.write(bytes(4096)):
                pass
        anchor.ban("add", CLIENT4)
        record = anchor.process.wait_for(code="ANC0509")
        assert record["msg"].startswith("cannot write the file of bans") and not reaches(anchor)
        (directory / "full").unlink()
        command = shlex.split(record["remedy"].split("#")[0].replace("ADDRESS", "192.0.2.9"))
        assert command[:2] == ["anchord", "ban"]
        anchor.ban(*command[2:])
        restarted(anchor, "bans")
        assert set(anchor.listed()) == {CLIENT4, "192.0.2.9"} and not reaches(anchor)
        assert len(anchor.process.find(code="ANC0509")) == 1
        anchor.kill_all()
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def test_guest2_file_stays_short(anchor):
    """What ended and what was taken back leaves lines; a file of many such lines is written anew."""
    with anchor_socket(anchor) as connection:
        for n in range(700):
            for operation in (ADD, DELETE):
                assert ask(connection, operation, "192.0.2.9/32") == 0
    file = anchor.supervision.runtime / "bans" / "bans"
    assert len(file.read_bytes().splitlines()) < 1100


# messages_bans.h
ADD, DELETE, FLUSH, LIST, ADD_FORCED = 1, 2, 3, 4, 5
REQUEST = struct.Struct("=I20sQ64s")


def anchor_socket(anchor, path=None, closing=None):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if closing:
        closing.callback(connection.close)
    connection.settimeout(10)
    connection.connect(str(path or anchor.given))
    return connection


def ask(connection, operation, text, seconds=0):
    connection.send(messages.message(messages.BAN_REQUEST, REQUEST.pack(operation, item(text), seconds, b"")))
    kind, _, body = messages.split(connection.recv(messages.LENGTH_MAX))
    assert kind == messages.BAN_ANSWER
    return struct.unpack_from("=i", body)[0]


def test_guest2_given_socket_is_open_to_its_directorys_group_and_can_do_nothing_but_ban(anchor):
    status = anchor.given.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 12345, 0o660)
    root_socket = (anchor.supervision.runtime / "ban.sock").stat()
    assert (root_socket.st_uid, root_socket.st_gid, root_socket.st_mode & 0o777) == (0, 0, 0o600)
    words = shlex.split(pages.command("docs/bans.md", "anchord ban add 203.0.113.7 --socket"))[2:]
    anchor.ban(*(str(anchor.given) if word.endswith("/ban.sock") else word for word in words))
    anchor.ban("add", CLIENT4, "--socket", str(anchor.given))
    assert not reaches(anchor)
    anchor.ban("del", CLIENT4, ANCHORD_BAN_SOCKET=str(anchor.given))
    for kind in (messages.EXPOSURES_BEGIN, messages.TOPOLOGY, messages.STOP, messages.BANS_BEGIN):
        with anchor_socket(anchor) as connection:
            connection.send(messages.message(kind))
            assert connection.recv(100) == b""
    with anchor_socket(anchor) as connection:
        connection.send(messages.message(messages.BAN_REQUEST, REQUEST.pack(ADD, bytes(20), 0, b"")))
        assert connection.recv(100) == b""
    assert reaches(anchor)


def test_guest2_over_the_given_socket_nobody_bans_the_gateway_or_the_project(anchor):
    """Not by force, either; a neighbour alone he does, and what else he asks holds."""
    wait_until(lambda: "10.99.0.1" in status(anchor), 10)
    anchor.ban("list")
    with anchor_socket(anchor) as connection:
        for network in ("10.99.0.1/32", "10.99.0.0/24", f"{LAN4}/32", "2001:db8:99::/64", f"{LAN6}/128"):
            assert [ask(connection, operation, network) for operation in (ADD, ADD_FORCED)] == [-errno.EPERM] * 2, network
        assert ask(connection, ADD, f"{CLIENT6}/128") == 0
    said = anchor.ban("add", CLIENT4, "10.99.0.1", "192.0.2.1", "--force", "--socket", str(anchor.given), expect=1)
    assert ("anchord ban: 10.99.0.1: has the gateway or an address of the project in it: of a neighbour in the same network "
            "ban ADDRESS/32, or /128 of IPv6, alone\n") in said
    assert set(anchor.listed()) == {CLIENT4, f"{CLIENT6}/128", "192.0.2.1"} and not reaches(anchor)


def test_guest2_over_the_given_socket_the_first_of_all_requests_bans_no_gateway(anchor):
    """It starts the worker, which does not know yet whom nobody bans."""
    anchor.kill_all()
    (anchor.supervision.runtime / "bans" / "bans").unlink()
    begin(anchor)
    wait_until(lambda: "10.99.0.1" in status(anchor), 10)
    assert not anchor.process.find(msg="worker started", name="bans")
    with anchor_socket(anchor) as connection:
        assert ask(connection, ADD, "10.99.0.1/32") == -errno.EPERM


def test_guest2_without_its_file_the_next_ban_lifts_nothing(anchor):
    """As under a holder, whose namespace outlives the network-anchor's container and what was in it."""
    anchor.ban("add", CLIENT4, "10.128.0.0/9", f"{CLIENT6}/128", "2001:db8:7::/64", "--for", "1h")
    anchor.ban("add", "--new-only", "192.0.2.0/25")
    places = set(anchor.listed())
    anchor.kill_all()
    (anchor.supervision.runtime / "bans" / "bans").unlink()
    begin(anchor)
    assert not reaches(anchor) and not reaches(anchor, LAN6)
    anchor.ban("add", "192.0.2.200")
    assert not reaches(anchor) and not reaches(anchor, LAN6)
    rows = anchor.listed()
    assert set(rows) == places | {"192.0.2.200"}
    assert rows[CLIENT4]["until"] is None and rows[CLIENT4]["reason"] == "kept from before, without its end"
    assert rows["192.0.2.0/25"]["new_only"] and rows["192.0.2.200"]["reason"] == ""
    anchor.ban("del", CLIENT4, f"{CLIENT6}/128")
    assert reaches(anchor) and reaches(anchor, LAN6)


def test_guest2_the_command_shows_no_answer_raw(build, tmp_path):
    """A hostile anchord-bans writes nothing on the terminal of who bans but its own line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "ban.sock"))
        listener.listen()
        for words in (("add", CLIENT4), ("flush",)):
            with subprocess.Popen([build / "daemon" / "anchord-under-test", "ban", *words, "--socket", tmp_path / "ban.sock"],
                                  stderr=subprocess.PIPE, text=True) as command, listener.accept()[0] as connection:
                connection.recv(messages.LENGTH_MAX)
                connection.send(messages.message(messages.BAN_ANSWER, struct.pack("=i3I160s", -1, 0, 0, 0, b"\x1b[31mno\nanchord: yes")))
                assert command.communicate(timeout=10)[1] == f"anchord ban: {words[-1]}: \\u001b[31mno\\u000aanchord: yes\n"


def test_guest2_who_crowds_the_given_socket_drops_nobody_from_roots(anchor):
    """Of 32 clients of one socket the oldest one goes when another comes."""
    with contextlib.ExitStack() as closing:
        mine = anchor_socket(anchor, anchor.supervision.runtime / "ban.sock", closing)
        assert ask(mine, DELETE, "192.0.2.1/32") == -errno.ENOENT
        crowd = [anchor_socket(anchor, closing=closing) for _ in range(33)]
        for connection in crowd[1:]:
            assert ask(connection, DELETE, "192.0.2.1/32") == -errno.ENOENT
        assert crowd[0].recv(100) == b""
        assert ask(mine, DELETE, "192.0.2.1/32") == -errno.ENOENT


def test_guest2_worker_has_nothing_but_its_directory(anchor):
    anchor.ban("list")
    pid = anchor.sealed("bans", count=len(anchor.process.find(msg="worker started", name="bans")))
    status = status_of(pid)
    assert status["Uid"].split() == [str(BANS_USER)] * 4 and int(status["CapEff"], 16) == 0 == int(status["CapBnd"], 16)
    assert status["NoNewPrivs"] == "1"
    assert os.readlink(f"/proc/{pid}/cwd") == str(anchor.supervision.runtime / "bans")


ERRORS = {
    ("add",): "ADDRESS: is missing",
    ("add", "example.org"): "example.org: is no IP address, and no ADDRESS/PREFIX",
    ("add", "0.0.0.0/0"): "0.0.0.0/0: would ban a good part of the world; the shortest prefixes are /8",
    ("add", "::/0"): "::/0: would ban a good part of the world",
    ("add", "127.0.0.1"): "127.0.0.1: is no address that anybody comes from",
    ("add", "10.99.0.1"): "10.99.0.1: has the gateway in it",
    ("add", "10.99.0.0/24"): "10.99.0.0/24: has the gateway in it",
    ("add", LAN4): f"{LAN4}: has the project's own address in it",
    ("add", LAN6): f"{LAN6}: has the project's own address in it",
    ("add", CLIENT4, "--for", "soon"): "--for: is no time",
    ("add", CLIENT4, "--for"): "--for: wants a value behind it",
    ("add", CLIENT4, "--reason", "x" * 64): "--reason: is longer than 63 characters",
    ("add", CLIENT4, "--hard"): "--hard: unknown option",
    ("del", "192.0.2.1"): "192.0.2.1: is not banned",
    ("remove", "192.0.2.1"): "remove: is none of add, del, list, flush",
    (): "what: is none of add, del, list, flush",
}


def test_guest2_what_is_wrong_is_said_with_the_way_out(anchor):
    wait_until(lambda: "10.99.0.1" in status(anchor), 10)
    for words, expected in ERRORS.items():
        said = anchor.ban(*words, expect=1)
        assert said.startswith(f"anchord ban: {expected}"), (words, said)
    assert reaches(anchor)
    anchor.ban("add", "--force", "10.99.0.1")
    assert list(anchor.listed()) == ["10.99.0.1"]
    assert anchor.ban("list", expect=3, RUNTIME_DIRECTORY="/nonexistent").startswith("anchord ban: anchord does not run here")


LISTED_BAN = struct.Struct("=20s4xQQ64s")


def test_guest2_a_list_that_does_not_go_on_is_no_list(anchor, tmp_path):
    """Of a worker that was taken over: it would have the command print for ever."""
    page = messages.message(messages.BANS_LISTED, struct.pack("=2I", 2, 0) + b"".join(
        LISTED_BAN.pack(item(text, kind), 0, 0, b"") for text, kind in (("192.0.2.1/32", NEW_ONLY), ("192.0.2.2/32", ALL))))
    end = messages.message(messages.BAN_ANSWER, struct.pack("=iIII160x", 0, 0, 0, 0))

    def answer(*answers):
        connection, _ = listener.accept()
        with connection:
            for datagram in answers:
                if connection.recv(messages.LENGTH_MAX):
                    connection.send(datagram)

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "ban.sock"))
        listener.listen()
        for answers, expected in (((page, end), 0), ((page, page, end), 1)):
            worker = threading.Thread(target=answer, args=answers, daemon=True)
            worker.start()
            said = anchor.ban("list", "--socket", str(tmp_path / "ban.sock"), expect=expected)
            assert expected or "192.0.2.2" in said
            worker.join(5)


def status(anchor):
    program = anchor.supervision.build / "daemon" / "anchord-under-test"
    return subprocess.run([program, "status"], capture_output=True, text=True, check=False,
                          env={"RUNTIME_DIRECTORY": str(anchor.supervision.runtime)}).stdout


def test_guest2_100000_bans_of_the_file_hold(anchor):
    """How long that takes and what they cost in memory is printed."""
    anchor.ban("list")
    anchor.kill_all()
    lines = "".join(f"ban 198.{18 + n // 65536}.{n // 256 % 256}.{n % 256}/32 all 0 1764500000 sshd\n" for n in range(100000))
    (anchor.supervision.runtime / "bans" / "bans").write_text(lines, encoding="ascii")
    begin(anchor)
    wait_until(lambda: "198.18.255.255" in anchor.lab.anchor.run("nft", "get", "element", "ip", "anchord_v4", "banned",
                                                                  "{ 198.18.255.255 }", check=False), 10)
    start = time.monotonic()
    restarted(anchor, "bans")
    anchor.ban("add", CLIENT4)
    took = time.monotonic() - start
    assert not reaches(anchor)
    memory = {}
    for name in ("bans", "netadmin"):
        pid = anchor.process.find(msg="worker started", name=name)[-1]["pid"]
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            memory[name] = next(line.split()[1] for line in rollup if line.startswith("Pss:"))
    print(f"GUEST-2: a new bans worker with 100,000 of them: read, sent, applied, and one more, after {took:.2f} s; kB PSS: {memory}")
    start = time.monotonic()
    assert len(anchor.listed()) == 100001
    print(f"GUEST-2: listed in {time.monotonic() - start:.2f} s")
    anchor.ban("flush")
    wait_until(lambda: reaches(anchor), 10)
