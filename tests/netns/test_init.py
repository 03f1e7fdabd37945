"""anchord-init, as PID 1 of a PID namespace and not: it keeps the container alive and passes on what it must."""

import os
import signal
import socket
import subprocess

import pytest

from supervision import is_gone, status_of, wait_until

AS_PID_1 = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
AS_ANY_PID = ("unshare", "--net")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


def pids(process, wrap):
    """(init, supervisor, workers) as this namespace numbers them."""
    init = children_of(process.process.pid)[0] if wrap is AS_PID_1 else process.process.pid
    supervisor = next(child for child in children_of(init) if status_of(child)["Name"] == "anchord-under-t")
    return init, supervisor, children_of(supervisor)


def pids_or_none(process, wrap):
    """As pids(), None until everything runs."""
    try:
        return pids(process, wrap)
    except (IndexError, StopIteration):
        return None


@pytest.fixture(params=[AS_PID_1, AS_ANY_PID], ids=["as PID 1", "as any PID"])
def wrap(request):
    return request.param


def start_ready(supervision, wrap, **variables):
    return supervision.start_ready(program="anchord-init-under-test", wrap=wrap, **variables)


def stop(process, wrap):
    """To init itself: unshare would die of the signal instead of passing it on."""
    init = pids(process, wrap)[0]
    subprocess.run(["kill", "-TERM", str(init)], check=True)
    return process.wait()


def test_stop_is_passed_on_and_the_status_handed_back(supervision, wrap):
    supervision.install_stand_ins()
    process = start_ready(supervision, wrap)
    assert stop(process, wrap) == 0
    assert process.find(msg="signal received, shutting down")
    order = [record["stand_in"] for record in process.find(event="stopping") if record["stand_in"] != "gate"]
    assert (sorted(order[:2]), order[2:]) == (["announcer", "watcher"], ["netadmin"])


def test_killed_supervisor_comes_back_with_new_workers(supervision, wrap):
    """NAT-14: init lives on, and with it the network namespace; the workers die without having torn down."""
    supervision.install_stand_ins()
    process = start_ready(supervision, wrap)
    init, supervisor, workers = pids(process, wrap)
    namespace = namespace_of(init)
    subprocess.run(["kill", "-KILL", str(supervisor)], check=True)
    process.wait_for(msg="anchord ready", count=2)
    assert process.wait_for(msg="the supervisor died")["signal"] == "KILL"
    assert process.wait_for(msg="starting the supervisor again")["delay_seconds"] == 0
    wait_until(lambda: all(map(is_gone, workers)))
    assert not process.find(event="stopping")
    assert namespace_of(pids(process, wrap)[1]) == namespace
    assert stop(process, wrap) == 0


def namespace_of(pid):
    return subprocess.run(["readlink", f"/proc/{pid}/ns/net"], check=True, capture_output=True).stdout


def test_orphans_are_reaped(supervision, wrap):
    supervision.install_stand_ins(watcher={"orphan": True})
    process = start_ready(supervision, wrap)
    process.wait_for(event="orphan")
    init, supervisor, _ = pids(process, wrap)
    orphan = wait_until(lambda: [child for child in children_of(init) if child != supervisor])[0]
    subprocess.run(["kill", "-KILL", str(orphan)], check=True)
    wait_until(lambda: is_gone(orphan))


def test_configuration_error_ends_it(supervision, wrap):
    process = supervision.start(program="anchord-init-under-test", wrap=wrap, ANCHORD_POLL_INTERVAL="never")
    assert process.wait() == 1
    assert len(process.find(msg="invalid configuration")) == 1


def test_second_signal_is_passed_on_at_once(supervision, wrap):
    supervision.install_stand_ins(watcher={"deaf": True}, netadmin={"deaf": True})
    process = supervision.start(program="anchord-init-under-test", wrap=wrap)
    process.wait_for(stand_in="watcher", event="started")
    init = pids(process, wrap)[0]
    subprocess.run(["kill", "-INT", str(init)], check=True)
    process.wait_for(msg="signal received, shutting down", signal="INT")
    subprocess.run(["kill", "-TERM", str(init)], check=True)
    process.wait_for(msg="second signal received, stopping at once", timeout=0.45)
    assert process.wait() == 0


def test_host8_supervisor_that_dies_while_it_stops_is_started_once_more_to_stop(supervision, wrap):
    """HOST-8: its successor finds what it has left. One that dies as well is the end."""
    supervision.install_stand_ins(watcher={"deaf": True}, netadmin={"deaf": True})
    process = supervision.start(program="anchord-init-under-test", wrap=wrap)
    process.wait_for(stand_in="watcher", event="started")
    init, supervisor, _ = pids(process, wrap)
    subprocess.run(["kill", "-TERM", str(init)], check=True)
    process.wait_for(msg="signal received, shutting down")
    subprocess.run(["kill", "-KILL", str(supervisor)], check=True)
    process.wait_for(msg="signal received, shutting down", signal="TERM", count=2)
    assert process.wait() == 0
    assert len(process.find(msg="the supervisor died")) == 1


def test_host8_a_stop_between_two_starts_of_the_supervisor_starts_it(supervision):
    """HOST-8: at once, though it would have waited a second; with the signal."""
    supervision.install_stand_ins()
    process = supervision.start(program="anchord-init-under-test", wrap=AS_ANY_PID)
    for count in (1, 2):
        process.wait_for(stand_in="watcher", event="started", count=count)
        os.kill(children_of(process.process.pid)[0], signal.SIGKILL)
    process.wait_for(msg="starting the supervisor again", delay_seconds=1)
    assert process.stop()[0] == 0
    process.wait_for(msg="signal received, shutting down", signal="TERM")


def test_stop_while_the_supervisor_starts_is_not_lost(supervision):
    """The signal stays pending over exec: no moment in which it would kill the supervisor or pass unseen."""
    supervision.install_stand_ins()
    process = supervision.start(program="anchord-init-under-test", wrap=AS_ANY_PID)
    wait_until(lambda: children_of(process.process.pid))
    process.process.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_missing_program_is_said(supervision):
    """The product, where no anchord is installed: an empty /usr/bin in a mount namespace of its own."""
    process = supervision.start(program="anchord-init", wrap=[
        "unshare", "--mount", "sh", "-ec", "mount -t tmpfs none /usr/bin; exec \"$0\""])
    assert process.wait() == 1
    assert process.find(msg="cannot start the supervisor")[0]["err"] == "No such file or directory"


def test_links_nothing_but_libc(supervision):
    output = subprocess.run(["readelf", "--dynamic", str(supervision.build / "daemon" / "anchord-init")],
                            check=True, capture_output=True, text=True).stdout
    assert [line.split("[")[1].rstrip("]") for line in output.splitlines() if "(NEEDED)" in line] == ["libc.so.6"]


def test_an_operators_command_is_answered_once(supervision, wrap):
    """SPEC §9: `docker run IMAGE wrap …` ends with the command's own status and is not tried again."""
    process = supervision.start(program="anchord-init-under-test", wrap=wrap, arguments=["wrap", "--no-such-option"])
    assert process.wait() == 2
    assert not process.find(msg="the supervisor died")


def test_a_command_that_is_killed_is_not_started_again(supervision, wrap):
    """SPEC §9: somebody waits for its answer."""
    process = supervision.start(program="anchord-init-under-test", wrap=wrap, arguments=["status", "--watch"])
    _, command, _ = wait_until(lambda: pids_or_none(process, wrap))
    subprocess.run(["kill", "-KILL", str(command)], check=True)
    assert process.wait() == 2
    assert process.find(msg="the command died")[0]["signal"] == "KILL"


def test_a_command_that_waits_ends_with_a_signal(supervision, wrap):
    """SPEC §9: Ctrl-C where no answer comes, here because nobody serves the control socket."""
    supervision.runtime.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(supervision.runtime / "control.sock"))
        silent.listen()
        process = supervision.start(program="anchord-init-under-test", wrap=wrap, arguments=["status"])
        init, _, _ = wait_until(lambda: pids_or_none(process, wrap))
        subprocess.run(["kill", "-INT", str(init)], check=True)
        assert process.wait() == 128 + signal.SIGINT
