"""compose/quickstart, run as a newcomer runs it: in its own lab, and on "the host's own Docker" (a lab's engine)."""

import os
import shlex
import signal
import subprocess

import pytest

from lab import pages
from lab.instance import Lab
from lab.machine import CHECKOUT

QUICKSTART = CHECKOUT / "compose" / "quickstart"


def quickstart(*arguments, environment=None):
    return subprocess.run([QUICKSTART, *arguments], env=environment or os.environ, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=1200, check=False)


def evidence(result):
    return [line.strip() for line in result.stdout.splitlines() if line.strip().startswith(("✓", "✗"))]


@pytest.fixture
def own_lab():
    """A lab of this test's name, gone afterwards whatever happened."""
    lab = Lab(f"quickstart-{os.getpid()}")
    yield lab
    lab.down()


def test_once_shows_the_main_job_in_a_lab_and_leaves_nothing(own_lab):
    program, *words = shlex.split(pages.command("README.md", "compose/quickstart    "), comments=True)
    assert CHECKOUT / program == QUICKSTART
    result = quickstart(*words, "--once", environment=os.environ | {"ANCHORD_LAB": own_lab.name})
    assert result.returncode == 0, result.stdout + result.stderr
    shown = "\n".join(evidence(result))
    assert "✗" not in shown
    for expected in ("tcp/25  of 10.99.0.10   → smtp  saw the client as 10.99.0.11",
                     "tcp/80  of fd99::10     → web   saw the client as fd99::11",
                     "smtp  → 203.0.113.9 (behind the router): seen as 10.99.0.10",
                     "web   → 2001:db8:99::9 (behind the router): seen as fd99::10",
                     "tcp/8080 of 10.99.0.20 → web saw the client as 10.99.0.11",
                     "web → 203.0.113.9 (behind the router): seen as 10.99.0.20",
                     "not restarted"):
        assert expected in shown
    assert own_lab.traces() == []


def test_on_the_hosts_own_docker_it_removes_what_it_made(request, own_lab):
    """With the archive of the image that this run has, if it has one; the test before builds it."""
    archive = request.config.getoption("--image")
    own_lab.up()
    environment = own_lab.engine.environment()
    before = own_lab.docker("network", "ls", "--quiet").stdout
    own_lab.image("python:3.11-slim-bookworm")
    result = quickstart("--once", "--parent", "uplink", "--subnet", "10.99.0.0/24", "--gateway", "10.99.0.1",
                        "--address", "10.99.0.77", "--client-address", "10.99.0.88", *(["--image", archive] if archive else []),
                        environment=environment)
    assert ("loaded from" in result.stdout) == bool(archive)
    assert "installing" not in result.stdout, "somebody's own host is not a lab"
    assert result.returncode == 0, result.stdout + result.stderr
    shown = "\n".join(evidence(result))
    assert "✗" not in shown
    assert "tcp/25  of 10.99.0.77   → smtp  saw the client as 10.99.0.88" in shown
    assert "smtp  → 10.99.0.88 (the client): seen as 10.99.0.77" in shown
    assert own_lab.docker("ps", "--all", "--quiet").stdout == ""
    assert own_lab.docker("network", "ls", "--quiet").stdout == before


def test_ctrl_c_in_the_middle_says_what_is_left(own_lab):
    """As a terminal sends it, to the whole group: words, no Python."""
    environment = os.environ | {"ANCHORD_LAB": own_lab.name}
    with subprocess.Popen([QUICKSTART], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert "installing" in process.stdout.readline()
        assert "building the image" in process.stdout.readline()
        assert "a LAN run in namespaces" in process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGINT
    assert said.splitlines() == [
        "compose/quickstart: interrupted",
        f"What was started is still there for a look; ANCHORD_LAB={own_lab.name} compose/quickstart --down removes it."]
    assert quickstart("--down", environment=environment).returncode == 0
    assert own_lab.traces() == []


def test_readmes_command_for_the_hosts_own_docker_is_understood():
    """As it stands there; with a parent that exists it is run by the test above."""
    line, = (command for block in pages.blocks("README.md", "sh") for command in pages.commands(block) if "--parent" in command
             and "quickstart" in command)
    program = ("import importlib.machinery, importlib.util, sys; path = sys.argv[1]; sys.argv[:1] = [];"
               "loader = importlib.machinery.SourceFileLoader('quickstart', path);"
               "module = importlib.util.module_from_spec(importlib.util.spec_from_loader('quickstart', loader));"
               "loader.exec_module(module); print(module.parse().address)")
    said = subprocess.run(["/usr/bin/python3", "-c", program, QUICKSTART, *shlex.split(line)[1:]], capture_output=True, text=True,
                          check=False)
    assert said.stdout == "192.168.1.50\n", said


def test_a_full_disk_is_called_so(own_lab):
    """apt and mmdebstrap do not: a cache without room is named before one of them begins, and nothing is left in it."""
    script = 'mount --make-rprivate / && mkdir -p "$1" && mount -t tmpfs -o size=40m tmpfs "$1" && cache=$1 && shift && "$@"; '\
             'status=$?; ls "$cache"; exit "$status"'
    result = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", "/var/cache/anchord-lab", QUICKSTART, "--once"],
                            env=os.environ | {"ANCHORD_LAB": own_lab.name}, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 1 and "/var/cache/anchord-lab has 40 MB free" in result.stderr, result
    assert all(line.endswith(".lock") or line.startswith("[") for line in result.stdout.splitlines()), result.stdout
    assert own_lab.traces() == []


def test_what_stops_it_before_it_has_begun_says_so_and_no_more():
    """No such interface, no Docker, no root: one line, and no word of what is left, since nothing is."""
    words = ["--subnet", "10.0.0.0/24", "--gateway", "10.0.0.1", "--address", "10.0.0.9", "--parent"]
    nowhere = os.environ | {"DOCKER_HOST": "unix:///nonexistent"}
    alone = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    for arguments, environment, message in ((["nosuch0"], alone, "there is no interface nosuch0 on this machine, but "),
                                            (["nosuch0"], nowhere, "docker version")):
        result = quickstart(*words, *arguments, environment=environment)
        assert result.returncode == 1 and result.stdout == "" and message in result.stderr and "still there" not in result.stderr, result
    for arguments, message in (([], "makes network namespaces"), ([*words, "lo"], "builds the image; with --image it does not")):
        result = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", QUICKSTART, *arguments],
                                capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout) == (1, "") and result.stderr.startswith(f"compose/quickstart: needs root: it {message}")


@pytest.mark.parametrize("arguments, message", [
    (["--address", "10.0.0.1"], "--address goes with --parent or --network"),
    (["--parent", "eth0"], "--parent and --network need --address"),
    (["--parent", "eth0", "--address", "10.0.0.1"], "--parent needs --subnet"),
    (["--parent", "eth0", "--subnet", "10.0.0.0/24", "--address", "10.0.0.9"], "--parent needs --gateway"),
    (["--parent", "eth0", "--subnet", "10.0.0.0/24", "--address", "10.0.1.1"], "10.0.1.1 is not in 10.0.0.0/24"),
    (["--parent", "eth0", "--subnet", "10.0.0.1/24", "--address", "10.0.0.1"], "--subnet"),
    (["--parent", "eth0", "--subnet", "10.0.0.0/24", "--address", "10.0.0.255"], "10.0.0.255 is no host's address"),
    (["--parent", "eth0", "--subnet", "10.0.0.0/24", "--address", "10.0.0.9", "--gateway", "10.0.0.9"], "an address each"),
    (["--parent", "eth0", "--network", "lan", "--address", "10.0.0.1"], "not both"),
    (["--once", "--network", "lan", "--address", "10.0.0.1"], "needs --client-address"),
    (["--image", "/nonexistent/image.tar"], "--image: there is no file /nonexistent/image.tar"),
    (["--nonsense"], "unrecognized arguments"),
])
def test_wrong_values_are_named_before_anything_starts(arguments, message):
    result = quickstart(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
