"""What a newcomer types and pastes, as it stands on the page: README's three ways, compose/one-file.yaml, on a LAN as people have
it at home.

The LAN is the lab's, with 192.168.1.0/24 on it beside the lab's own networks; the host's interface there is called eth0.
"""

import json
import re

import pytest

from attached import HostCommand
from direct import IMAGE
from lab import compose, images, pages
from lab.machine import CHECKOUT, run, wait_until

HOST, CLIENT, ROUTER = "192.168.1.10", "192.168.1.20", "192.168.1.1"
ADDRESS = "192.168.1.50"
PLUG = "home"  # the switch's end of eth0


@pytest.fixture(scope="module")
def home(engine_lab, anchord_image):
    """The lab, with that LAN, and without the lab's own network `lan`."""
    lan = engine_lab.topology
    if engine_lab.docker("network", "inspect", compose.LAN_NETWORK, check=False).returncode == 0:
        engine_lab.docker("network", "rm", compose.LAN_NETWORK)
    lan.connect("engine", "eth0", PLUG)
    lan.ip("engine", "link set eth0 addrgenmode none", "link set eth0 up", f"address add {HOST}/24 dev eth0")
    for box, address in (("lanhost1", CLIENT), ("router", ROUTER)):
        lan.ip(box, f"address add {address}/24 dev lan0")
    engine_lab.lanhost1.forget_neighbours()  # of a kept lab's last run
    host = engine_lab.host("engine")
    host.set_sysctl("net.ipv4.conf.uplink.arp_ignore", 1)  # both interfaces are on one LAN: each answers for its own addresses
    try:
        yield engine_lab
    finally:
        host.set_sysctl("net.ipv4.conf.uplink.arp_ignore", 0)
        lan.ip("switch", f"link del {PLUG}")
        for box, address in (("lanhost1", CLIENT), ("router", ROUTER)):
            lan.ip(box, f"address del {address}/24 dev lan0")
        compose.ensure_lan_network(engine_lab)


def curl(lab, port=""):
    """From the client; None while there is no answer."""
    result = lab.lanhost1.run(["curl", "--silent", "--max-time", "1", f"http://{ADDRESS}{port}/"], check=False)
    return result.stdout if result.returncode == 0 else None


def leaves_as(lab, project, service):
    """The address that the server outside sees."""
    answer = project.probe(service, "tcp", lab.outside.ipv4, 80)
    return answer.split()[1] if answer.startswith("outside ") else answer


def test_one_file_is_pasted_and_answers(home):
    """USE-1: nothing made before it, nothing filled in; one address for both directions, the client's own in the service's log,
    the host's addresses untouched, and nothing left afterwards."""
    file = CHECKOUT / "compose" / "one-file.yaml"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 30
    networks = home.docker("network", "ls", "--quiet").stdout
    project = compose.Project(home, file, name="shop")
    try:
        project.up()
        wait_until(lambda: curl(home), 20, "an answer at the project's address")
        assert f'{CLIENT} - - ' in project.logs("web"), "the service does not see its client"
        assert leaves_as(home, project, "web") == ADDRESS
        assert home.lanhost1.probe("tcp", HOST, 80, timeout=1) == "refused", "the host answers for it"
        errors = [line for line in project.logs("network-anchor").splitlines() if '"ERROR"' in line or '"WARN"' in line]
        assert not errors, errors
        status = project.exec("network-anchor", "anchord", "status").stdout
        assert "shop  ready" in status and "Problems" not in status, status
        written = project.compose("config", "--format", "json").stdout
        doctor = run([home.engine.paths.client, "run", "--rm", "--interactive", "--network", "none", IMAGE, "doctor", "files"],
                     input_text=written, environment=home.engine.environment(), check=False)
        assert doctor.returncode == 0 and "nothing is wrong with them" in doctor.stdout, doctor
    finally:
        print(project.all_logs())
        project.down(timeout=0)
    assert home.docker("network", "ls", "--quiet").stdout == networks


class Newcomer:
    """Somebody with a project `shop` in a directory, and a shell there, on the host; `curl` is typed on another machine."""

    PROJECT = {"services": {"web": {"image": images.SERVICES, "command": ["python3", "-m", "http.server", "8000"],
                                    "ports": ["8080:8000"], "stop_grace_period": "0s"}}}

    def __init__(self, lab, directory):
        self.lab = lab
        self.directory = directory / "shop"
        self.directory.mkdir()
        (self.directory / "compose.yaml").write_text(json.dumps(self.PROJECT))
        (self.directory / "one-file.yaml").write_bytes((CHECKOUT / "compose" / "one-file.yaml").read_bytes())
        HostCommand(lab).install(directory)
        environment = lab.engine.environment()
        self.environment = environment | {"PATH": f"{directory}:{environment['PATH']}"}

    def type(self, command):
        """What it says; LabError when it fails. A client's first connection may come before the port is known."""
        if command.startswith("curl "):
            wait_until(lambda: curl(self.lab, re.search(r":\d+(?=/)|(?=/ )", command)[0]), 20, command)
            return self.lab.lanhost1.run(["sh", "-ec", command]).stdout
        shell = ["env", "-C", str(self.directory), "bash", "-eo", "pipefail", "-c", command]
        return self.lab.host("engine").run(shell, environment=self.environment).stdout

    def leave(self):
        """Everything that is there is removed, whatever has happened."""
        shell = ["sh", "-c", "anchord detach shop; docker rm --force $(docker ps --all --quiet); docker network prune --force"]
        self.lab.host("engine").run(["env", "-C", str(self.directory), *shell], environment=self.environment, check=False)


@pytest.fixture
def newcomer(home, tmp_path):
    made = Newcomer(home, tmp_path)
    try:
        yield made
    finally:
        made.leave()


def way(beginning):
    """README's commands and what one sees, of the way whose heading begins so."""
    commands, seen = (block for block in pages.blocks("README.md") if block.heading.startswith(beginning))
    return pages.commands(commands), seen.text


def test_attach_as_readme_has_it(newcomer):
    """USE-1: a project that runs, and nothing of it changes."""
    commands, seen = way("Attach")
    newcomer.type("docker compose up -d")
    said = [newcomer.type(command) for command in commands]
    print(*said)
    assert len(said) <= 5 and "shop is on the LAN at 192.168.1.50:" in said[0] and "Directory listing" in said[1]
    for line in seen.splitlines():
        pattern = re.escape(line.strip()).replace(r"2\.9", r"\d+\.\d")
        assert re.search(rf"^ *{pattern}$", said[0], re.M), line
    assert newcomer.lab.docker("ps", "--quiet").stdout.count("\n") == 1


def test_wrap_as_readme_has_it(newcomer):
    """USE-1: a project that others ship."""
    commands, seen = way("Wrap")
    said = [newcomer.type(command) for command in commands]
    assert len(said) <= 5 and "Directory listing" in said[-1]
    written = (newcomer.directory / "anchord.yaml").read_text(encoding="utf-8")
    assert seen in written and "ipv6" not in written.lower().replace("name no ipv6", ""), written
    assert newcomer.lab.lanhost1.probe("tcp", HOST, 8080, timeout=1) == "refused"


def test_paste_as_readme_has_it(newcomer):
    """USE-1: a project that one writes."""
    commands, seen = way("Paste")
    said = [newcomer.type(command) for command in commands]
    print(*said)
    assert len(said) <= 5 and "Directory listing" in said[1] and "ready" in said[3]
    shown = re.escape(seen.strip()).replace(r"\-\ \-", r"\-\ \-\ \[[^]]*]")
    assert re.search(shown, said[2]), said[2]
