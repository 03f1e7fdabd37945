"""The whole anchord under kernels that lack, or do not permit, system calls (SPEC §11: Linux ≥ 4.18): it works without
them, or ends with a line that names what was refused, and never spins.
"""

import os
import signal

import pytest

import exporter_lab
from supervision import is_gone, wait_until

# Newer than Linux 4.18, or refused by what containers run under, with the release that brought each and who asks.
NOT_NEEDED = (
    "clone3",  # 5.3, glibc: fork and threads
    "close_range",  # 5.9, glibc: closefrom
    "epoll_pwait2",  # 5.11, sd-event
    "faccessat2",  # 5.8, glibc
    "landlock_create_ruleset",  # 5.13, common/sandbox
    "openat2",  # 5.6
    "pidfd_open",  # 5.3, sd-event: child processes
    "pidfd_send_signal",  # 5.1, sd-event
    "statx",  # 4.11, glibc, libsystemd
    "rseq",  # 4.18, glibc
    "getrandom", "ioctl", "madvise", "name_to_handle_at", "sysinfo",
)
# Without these it cannot work.
NEEDED = ("memfd_create", "socketpair", "epoll_create1", "signalfd4", "timerfd_create", "capset", "seccomp")
# What the supervisor was doing, and to what, when its own preparations needed one of them.
STEPS = {"epoll_create1": ("make an event loop", "epoll"), "signalfd4": ("receive a signal", "SIGTERM"),
         "timerfd_create": ("prepare a worker", "watcher")}
REASONS = {"ENOSYS": "Function not implemented", "EPERM": "Operation not permitted",
           "EAGAIN": "Resource temporarily unavailable"}


@pytest.fixture
def anchord(supervision):
    lab = exporter_lab.Anchord(supervision)
    yield lab
    lab.close()


def refusing(supervision, error, *names):
    return (supervision.build / "tests" / "netns" / "refuse_system_calls", error, ",".join(names))


@pytest.mark.parametrize("error", ("ENOSYS", "EPERM"))
def test_works_without_every_newer_system_call(anchord, error):
    anchord.start_docker()
    anchord.start(launcher=refusing(anchord.supervision, error, *NOT_NEEDED))
    anchord.process.wait_for(msg="anchord ready", timeout=30)
    assert anchord.get("/readyz")[0] == 200
    victim = anchord.process.wait_for(msg="worker started", name="watcher")["pid"]
    os.kill(victim, signal.SIGKILL)
    anchord.process.wait_for(msg="worker started", name="watcher", count=2)
    wait_until(lambda: is_gone(victim))
    assert anchord.process.stop(20)[0] == 0


def assert_backs_off(process, name):
    """Tried again ever later, and not many lines meanwhile."""
    for delay in (1, 2):
        process.wait_for(msg="starting a worker again", name=name, delay_seconds=delay)
    assert len(process.records) < 200, process.text()


@pytest.mark.parametrize("error", ("ENOSYS", "EPERM"))
@pytest.mark.parametrize("name", NEEDED)
def test_what_it_cannot_do_without_is_named(anchord, name, error):
    anchord.start_docker()
    process = anchord.start(launcher=refusing(anchord.supervision, error, name))
    # libseccomp asks the kernel first, and does not say what it answered.
    reason = REASONS["ENOSYS" if name == "seccomp" else error]
    wanted = {"level": "ERROR", "err": reason}
    if name in STEPS:
        wanted |= {"msg": "cannot prepare the supervisor"} | dict(zip(("operation", "object"), STEPS[name]))
    wait_until(lambda: [record for record in list(process.records) if wanted.items() <= record.items()], 15)
    process.stop(20)
    assert not process.find(msg="anchord ready")
    assert len(process.records) < 200, process.text()


def test_a_fork_that_fails_is_said_and_tried_again_later(supervision):
    supervision.install_stand_ins()
    launcher = refusing(supervision, "EAGAIN", "clone", "clone3", "fork", "vfork")
    process = supervision.start(wrap=("unshare", "--net", *launcher))
    assert process.wait_for(msg="cannot start a worker", name="gate")["err"] == REASONS["EAGAIN"]
    assert_backs_off(process, "gate")  # the first one; the others follow it
    assert process.stop(10)[0] == 0


def test_a_program_that_is_no_program_is_said_and_tried_again_later(supervision):
    supervision.install_stand_ins()
    path = supervision.workers / "anchord-netadmin"
    path.chmod(0o644)
    process = supervision.start()
    assert process.wait_for(msg="cannot start a worker", step="exec")["err"] == "Permission denied"
    assert_backs_off(process, "netadmin")
    path.chmod(0o755)
    process.wait_for(msg="anchord ready", timeout=15)
