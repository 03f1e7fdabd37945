"""anchord-namespaces: the network namespaces of containers, as sockets, and nobody else's (HOST-10).

The test is its supervisor, the watcher that may have been taken over, and way.
"""

import ctypes
import errno
import fcntl
import os
import pathlib
import select
import socket
import struct
import subprocess

import pytest

import messages
from attach_lab import WAY_FILTER, WAY_MONITOR, WAY_REQUESTS, ControlGroups, HostProcesses, NamespacesProcess, new_id, younger
from netadmin_lab import DEADLINE, Namespace, Netadmin, libc, wait_until

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420C
SO_PROTOCOL, NETLINK_NETFILTER = 38, 12
KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000
NAMESPACES_MAX = 256  # WAY_NAMESPACES_MAX
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[os.uname().machine]


@pytest.fixture
def host():
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def inside():
    """The namespace of a container, with an interface."""
    made = Namespace()
    made.run("ip", "link", "set", "lo", "up")
    made.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
    made.run("ip", "link", "set", "peer0", "up")
    made.run("ip", "address", "add", "172.30.0.5/24", "dev", "eth0")
    made.run("ip", "link", "set", "eth0", "up")
    yield made
    made.close()


@pytest.fixture
def groups():
    made = ControlGroups()
    yield made
    made.close()


@pytest.fixture
def program(build):
    return build / "workers" / "namespaces" / "anchord-namespaces"


@pytest.fixture
def namespaces(program, host):
    made = NamespacesProcess(program, host)
    yield made
    made.close()


def inode_of(namespace):
    return os.fstat(namespace.descriptor).st_ino


def is_refused(answer, error, reason):
    assert (answer.error, answer.reason, answer.inode, answer.number) == (-error, reason, 0, 0), answer


def test_host10_way_serves_a_container_by_the_sockets_that_come_of_its_id(build, host, groups, inside, namespaces):
    """What is handed out is enough for anchord-way, which itself stays where it is."""
    identity = new_id()
    groups.start(f"docker/{identity}", inside)
    answer = namespaces.ask(identity)
    assert (answer.error, answer.inode) == (0, inode_of(inside)), answer
    sockets = namespaces.sockets(answer.number)
    assert not fcntl.fcntl(sockets[0], fcntl.F_GETFL) & os.O_NONBLOCK
    assert fcntl.fcntl(sockets[2], fcntl.F_GETFL) & os.O_NONBLOCK
    with socket.socket(fileno=os.dup(sockets[1])) as of_filter:
        assert of_filter.getsockopt(socket.SOL_SOCKET, SO_PROTOCOL) == NETLINK_NETFILTER

    way = Netadmin(build / "workers" / "way" / "anchord-way", host, {})
    try:
        way.send(messages.configure_way("172.30.0.2"))
        for kind, descriptor in zip((WAY_REQUESTS, WAY_FILTER, WAY_MONITOR), sockets):
            way.send(messages.message(messages.WAY_SOCKET, struct.pack("=2I", answer.number, kind)), [descriptor])
            os.close(descriptor)
        wait_until(lambda: "default via 172.30.0.2" in inside.run("ip", "route", "show", "table", "24942", check=False),
                   "the way in the container's namespace")
        assert host.run("ip", "rule").count("24942") == 0
        way.stop()
        assert inside.run("ip", "rule").count("24942") == 0
    finally:
        way.close()


@pytest.mark.parametrize("form", ["docker/{}", "system.slice/docker-{}.scope", "machine.slice/libpod-{}.scope/container",
                                  "docker/{}/docker/" + "f" * 64])
def test_host10_the_first_id_in_the_control_groups_is_the_containers(groups, inside, namespaces, form):
    identity = new_id()
    process = groups.start(form.format(identity), inside)
    assert namespaces.ask(identity).inode == inode_of(inside)
    assert namespaces.ask(identity, process.pid).inode == inode_of(inside)
    is_refused(namespaces.ask("f" * 64), errno.ESRCH, "no process is in the container")


HOSTS_REASON = "the container is in the host's own network namespace"


def test_host10_nobody_gets_the_hosts_namespace(host, groups, namespaces):
    identity = new_id()
    process = groups.start(f"docker/{identity}", host)
    is_refused(namespaces.ask(identity), errno.EPERM, HOSTS_REASON)
    is_refused(namespaces.ask(identity, process.pid), errno.EPERM, HOSTS_REASON)
    assert namespaces.namespaces_held() == [inode_of(host)]
    line = wait_until(lambda: namespaces.logged("refused to hand out a network namespace", container=identity, pid=process.pid),
                      "the refusal in the log")[0]
    assert line["reason"] == HOSTS_REASON


def test_host10_nor_that_of_the_hosts_first_process(program, host, groups, inside):
    """Should the host half have been started in another network namespace than the host's."""
    class Elsewhere(NamespacesProcess):
        machine = HostProcesses()

    hosts, identity = new_id(), new_id()
    with Elsewhere.machine.entered():
        groups.start(f"docker/{hosts}", None)
        groups.start(f"docker/{identity}", inside)
    namespaces = Elsewhere(program, host)
    try:
        is_refused(namespaces.ask(hosts), errno.EPERM, HOSTS_REASON)
        assert namespaces.ask(identity).inode == inode_of(inside)
    finally:
        namespaces.close()
        Elsewhere.machine.close()


def test_host10_a_process_must_be_the_first_of_exactly_that_container(groups, inside, namespaces):
    """Another container's, none at all, one that has ended, a later one of the same container in a namespace of its own."""
    identity, other = new_id(), new_id()
    first = groups.start(f"docker/{identity}", inside)
    beside = Namespace()
    elsewhere = groups.start(f"docker/{other}", beside)
    later = younger(lambda: groups.start(f"docker/{identity}/docker/{'a' * 64}", beside))

    is_refused(namespaces.ask(new_id()), errno.ESRCH, "no process is in the container")
    for pid in (elsewhere.pid, 1, os.getpid(), 4 * 1024 * 1024):
        is_refused(namespaces.ask(identity, pid), errno.ESRCH, "the process is not in the container")
    is_refused(namespaces.ask(identity, later.pid), errno.EPERM, "the process is not the container's first one")
    assert namespaces.ask(identity).inode == inode_of(inside)
    assert namespaces.ask(identity, first.pid).inode == inode_of(inside)
    groups.end(elsewhere)
    is_refused(namespaces.ask(other, elsewhere.pid), errno.ESRCH, "no process is in the container")
    beside.close()


def test_host10_podmans_supervisor_of_a_container_is_not_the_container(host, groups, inside, namespaces):
    """It is older, and in the host's namespace."""
    identity = new_id()
    groups.start(f"machine.slice/libpod-conmon-{identity}.scope", host)
    younger(lambda: groups.start(f"machine.slice/libpod-{identity}.scope/container", inside))
    assert namespaces.ask(identity).inode == inode_of(inside)


def test_host10_what_is_left_is_closed_everywhere(host, groups, inside, namespaces):
    """Containers that share a namespace share its number; the last one that leaves takes the sockets along."""
    identity, joined = new_id(), new_id()
    groups.start(f"docker/{identity}", inside)
    groups.start(f"docker/{joined}", inside)
    number = namespaces.ask(identity).number
    for descriptor in namespaces.sockets(number):
        os.close(descriptor)
    assert namespaces.ask(joined).number == number
    assert namespaces.namespaces_held() == sorted([inode_of(host), inode_of(inside)])
    namespaces.leave(identity)
    namespaces.leave(new_id())
    assert namespaces.ask(joined).number == number
    namespaces.leave(joined)
    assert namespaces.receive_way() == (messages.NAMESPACE_GONE, number, None, None)
    namespaces.ping(1)
    assert namespaces.namespaces_held() == [inode_of(host)]


def test_host10_a_restarted_container_has_another_namespace(groups, inside, namespaces):
    identity = new_id()
    process = groups.start(f"docker/{identity}", inside)
    before = namespaces.ask(identity)
    for descriptor in namespaces.sockets(before.number):
        os.close(descriptor)
    groups.end(process)
    successor = Namespace()
    groups.start(f"docker/{identity}", successor)
    after = namespaces.ask(identity)
    assert after.inode == inode_of(successor) != before.inode
    for descriptor in namespaces.sockets(after.number):
        os.close(descriptor)
    assert namespaces.receive_way() == (messages.NAMESPACE_GONE, before.number, None, None)
    successor.close()


def test_host10_successors_of_watcher_and_way_find_everything(host, groups, inside, namespaces):
    """way gets the sockets again; a watcher names what it wants, and what it does not name is left at its commit."""
    identity, forgotten = new_id(), new_id()
    other = Namespace()
    groups.start(f"docker/{identity}", inside)
    groups.start(f"docker/{forgotten}", other)
    number, second = namespaces.ask(identity).number, namespaces.ask(forgotten).number
    namespaces.link_way()
    received = [namespaces.receive_way() for _ in range(6)]
    assert [message[1] for message in received] == [number] * 3 + [second] * 3
    for message in received:
        os.close(message[3])
    namespaces.link_watcher()
    assert namespaces.ask(identity).number == number
    namespaces.commit()
    assert namespaces.receive_way() == (messages.NAMESPACE_GONE, second, None, None)
    # Each number that is free: way may serve more of them, from a predecessor.
    gone = [namespaces.receive_way() for _ in range(NAMESPACES_MAX - 1)]
    assert {message[1] for message in gone} == set(range(NAMESPACES_MAX)) - {number} and {message[0] for message in gone} == {
        messages.NAMESPACE_GONE}
    # Behind all of it way hears that this is all (HOST-12), and a successor of way hears so, too.
    assert namespaces.receive_way()[0] == messages.NAMESPACES_COMMIT
    namespaces.link_way()
    for descriptor in namespaces.sockets(number):
        os.close(descriptor)
    assert namespaces.receive_way()[0] == messages.NAMESPACES_COMMIT
    namespaces.ping(1)
    assert namespaces.namespaces_held() == sorted([inode_of(host), inode_of(inside)])
    other.close()


def test_host10_as_many_containers_as_way_serves_and_no_more(groups, inside, namespaces):
    """One process that plays each in turn."""
    process, limit = groups.start("docker", inside), 255
    names = [new_id() for _ in range(limit + 1)]
    for identity in names[:limit]:
        groups.move(process, f"docker/{identity}")
        answer = namespaces.ask(identity)
        assert (answer.error, answer.number) == (0, 0), answer
    groups.move(process, f"docker/{names[limit]}")
    is_refused(namespaces.ask(names[limit]), errno.ENOSPC, "too many containers")
    namespaces.leave(names[0])
    assert namespaces.ask(names[limit]).error == 0


def test_host10_a_hostile_watcher_makes_no_noise_and_ends_at_a_broken_rule(namespaces):
    """WALL-6: what it may cause in the log is limited, and the supervisor is answered meanwhile."""
    for _ in range(140):
        is_refused(namespaces.ask(new_id(), 1), errno.ESRCH, "no process is in the container")
    namespaces.ping(2)
    wait_until(lambda: namespaces.logged("log lines left out"), "the count of what was left out")
    assert 100 <= len(namespaces.logged("refused to hand out a network namespace")) < 135
    namespaces.watcher.send(namespaces.container(messages.NAMESPACE_WANTED, "../" + "a" * 61))
    assert namespaces.watcher.recv(1) == b""
    line = wait_until(lambda: namespaces.logged("connection to the watcher ended"), "the end in the log")[0]
    assert line["reason"] == "ID of a container"
    namespaces.ping(3)


def filter_of(pid):
    """The seccomp filter of a process, as (code, jt, jf, k) instructions."""
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        assert libc.ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
        os.waitpid(pid, 0x40000000)
        count = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, None, None)
        assert count > 0, os.strerror(ctypes.get_errno())
        room = ctypes.create_string_buffer(8 * count)
        assert libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, None, room) == count
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)
    return [struct.unpack_from("=HBBI", room, 8 * index) for index in range(count)]


def verdict(program, number, *arguments):
    """What the filter says of a system call: linux/filter.h's machine, as far as libseccomp uses it."""
    data = struct.pack("=iIQ6Q", number, AUDIT_ARCH, 0, *[*arguments, *[0] * 6][:6])
    at = accumulator = 0
    while True:
        code, yes, no, constant = program[at]
        at += 1
        if code == 0x20:
            accumulator, = struct.unpack_from("=I", data, constant)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x05:
            at += constant
        elif code in (0x15, 0x25, 0x35):
            is_so = {0x15: accumulator == constant, 0x25: accumulator > constant, 0x35: accumulator >= constant}[code]
            at += yes if is_so else no
        elif code == 0x06:
            return constant
        else:
            raise AssertionError(f"an instruction that is not known here: {code:#x}")


CALLS = {name: int(number) for name, number in (
    line.split() for line in subprocess.run(
        ["cpp", "-dM", "-include", "sys/syscall.h", "/dev/null"], capture_output=True, text=True, check=True)
    .stdout.replace("#define __NR_", "").splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())}


def test_host10_holds_three_capabilities_and_may_neither_trace_nor_mount_nor_execute(namespaces):
    namespaces.ping(1)
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{namespaces.pid}/status").read_text().splitlines() if ":\t" in line)
    mask = f"{namespaces.capabilities:016x}"
    assert [status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == ["0" * 16, mask, mask, "0" * 16, "0" * 16]
    assert (status["NoNewPrivs"], status["Seccomp"], status["Uid"].split()[0]) == ("1", "2", str(namespaces.user))

    program = filter_of(namespaces.pid)
    for name in ("ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "move_mount", "open_tree", "fsopen",
                 "execve", "execveat", "clone", "clone3", "unshare", "pivot_root", "chroot", "bpf", "init_module",
                 "finit_module", "kexec_load", "perf_event_open", "kcmp", "pidfd_getfd", "pidfd_open", "kill", "setuid", "openat2",
                 "capset", "prctl", "connect", "bind", "unlinkat", "renameat2", "symlinkat", "io_uring_setup", "keyctl"):
        assert verdict(program, CALLS[name]) == KILL_PROCESS, name
    new = {"mount": 0x20000, "user": 0x10000000, "pid": 0x20000000, "network": 0x40000000}
    for name, flag in new.items():
        assert (verdict(program, CALLS["setns"], 5, flag) == ALLOW) == (name == "network"), name
    assert verdict(program, CALLS["setns"], 5, 0) == KILL_PROCESS
    assert verdict(program, CALLS["openat"], 5, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOW
    for flag in (os.O_RDWR, os.O_WRONLY, os.O_CREAT, os.O_TRUNC):
        assert verdict(program, CALLS["openat"], 5, 0, flag) == KILL_PROCESS
    for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_PACKET):
        assert verdict(program, CALLS["socket"], family, 0, 0) == KILL_PROCESS
    assert verdict(program, CALLS["socket"], socket.AF_NETLINK, 0, 0) == ALLOW
    namespaces.ping(2)


@pytest.mark.parametrize("missing", ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN"])
def test_host10_a_missing_capability_ends_it_by_name(program, host, missing):
    class Lacking(NamespacesProcess):
        capabilities = NamespacesProcess.capabilities & ~(1 << {"CAP_SYS_ADMIN": 21, "CAP_SYS_PTRACE": 19, "CAP_NET_ADMIN": 12}[missing])

        def __init__(self, *arguments):
            self.way = None
            Netadmin.__init__(self, *arguments, {})

    lacking = Lacking(program, host)
    assert lacking.wait() == 1
    assert missing in lacking.logged("needs ")[0]["msg"]
    lacking.close()


def test_host10_its_end_is_its_supervisors(namespaces):
    """A stop leaves the namespaces to way, and what was handed out ends with the process that has it."""
    assert namespaces.stop(messages.STOP_KEEP_STATE) == 0
    readable, _, _ = select.select([namespaces.watcher], [], [], DEADLINE)
    assert readable and namespaces.watcher.recv(1) == b""
