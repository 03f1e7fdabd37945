"""What a newcomer types and pastes, as it stands on the page: README's three ways, compose/one-file.yaml, and what the other pages
have for whoever has come so far, on a LAN as people have it at home.

The LAN is the lab's, with the networks of the pages on it beside the lab's own; the host's interface there is called eth0.
"""

import json
import re
import shutil
import time

import pytest

from attached import HostCommand
from direct import IMAGE
from lab import compose, images, pages
from lab.machine import CHECKOUT, run, wait_until

HOST, CLIENT, ROUTER = "192.168.1.10", "192.168.1.20", "192.168.1.1"
ADDRESS = "192.168.1.50"
NETWORKS = ("192.168.1", "192.0.2")  # README's, and that of docs/attach.md
PLUG = "home"  # the switch's end of eth0


@pytest.fixture(scope="module")
def home(engine_lab, anchord_image):
    """The lab, with that LAN, and without the lab's own network `lan`."""
    lan = engine_lab.topology
    if engine_lab.docker("network", "inspect", compose.LAN_NETWORK, check=False).returncode == 0:
        engine_lab.docker("network", "rm", compose.LAN_NETWORK)
    lan.connect("engine", "eth0", PLUG)
    lan.ip("engine", "link set eth0 addrgenmode none", "link set eth0 up", *(f"address add {network}.10/24 dev eth0" for network in NETWORKS))
    for box, number in (("lanhost1", 20), ("router", 1)):
        lan.ip(box, *(f"address add {network}.{number}/24 dev lan0" for network in NETWORKS))
    engine_lab.lanhost1.forget_neighbours()  # of a kept lab's last run
    host = engine_lab.host("engine")
    host.set_sysctl("net.ipv4.conf.uplink.arp_ignore", 1)  # both interfaces are on one LAN: each answers for its own addresses
    try:
        yield engine_lab
    finally:
        host.set_sysctl("net.ipv4.conf.uplink.arp_ignore", 0)
        lan.ip("switch", f"link del {PLUG}")
        for box, number in (("lanhost1", 20), ("router", 1)):
            lan.ip(box, *(f"address del {network}.{number}/24 dev lan0" for network in NETWORKS))
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
        for file in (CHECKOUT / "compose").glob("*.yaml"):
            shutil.copy(file, self.directory)
        HostCommand(lab).install(directory)
        sudo = directory / "sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n', encoding="utf-8")
        sudo.chmod(0o755)
        environment = lab.engine.environment()
        self.environment = environment | {"PATH": f"{directory}:{environment['PATH']}"}

    def type(self, command, **options):
        """What it says; LabError when it fails. A client's first connection may come before the port is known."""
        if command.startswith("curl "):
            wait_until(lambda: curl(self.lab, re.search(r":\d+(?=/)|(?=/ )", command)[0]), 20, command)
            return self.lab.lanhost1.run(["sh", "-ec", command]).stdout
        shell = ["env", "-C", str(self.directory), "bash", "-eo", "pipefail", "-c", command]
        return self.lab.host("engine").run(shell, environment=self.environment, **options).stdout

    def type_all(self, commands, figure, way):
        """What each says; measured is the time from the first key to the first answer that a client gets."""
        started, said = time.monotonic(), []
        for command in commands:
            said.append(self.type(command))
            if command.startswith("curl "):
                figure(f"{way}: a client's first answer {time.monotonic() - started:.1f} s after the first command was typed")
        return said

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


def test_attach_as_readme_has_it(newcomer, figure):
    """USE-1: a project that runs, and nothing of it changes."""
    commands = pages.commands(pages.block("README.md", "anchord attach shop"))
    seen = pages.block("README.md", "shop is on the LAN").text
    newcomer.type("docker compose up -d")
    said = newcomer.type_all(commands, figure, "attach")
    print(*said)
    assert len(said) <= 5 and "shop is on the LAN at 192.168.1.50:" in said[0] and "Directory listing" in said[1]
    for line in seen.splitlines():
        pattern = re.escape(line.strip()).replace(r"2\.9", r"\d+\.\d")
        assert re.search(rf"^ *{pattern}$", said[0], re.M), line
    assert newcomer.lab.docker("ps", "--quiet").stdout.count("\n") == 1


def test_wrap_as_readme_has_it(newcomer, figure):
    """USE-1: a project that others ship."""
    commands = pages.commands(pages.block("README.md", "wrap --address"))
    seen = pages.block("README.md", "ports: !reset").text
    assert pages.commands(pages.block("docs/wrap.md", "wrap --address")) == commands[1:3]
    said = newcomer.type_all(commands, figure, "wrap")
    assert len(said) <= 5 and "Directory listing" in said[-1]
    written = (newcomer.directory / "anchord.yaml").read_text(encoding="utf-8")
    assert seen in written and "ipv6" not in written.lower().replace("name no ipv6", ""), written
    assert newcomer.lab.lanhost1.probe("tcp", HOST, 8080, timeout=1) == "refused"
    newcomer.type(pages.command("docs/wrap.md", "docker compose --profile '*' config --format json | anchord wrap --check"))


def test_paste_as_readme_has_it(newcomer, figure):
    """USE-1: a project that one writes."""
    commands = pages.commands(pages.block("README.md", "docker compose -f one-file.yaml up"))
    seen = pages.block("README.md", "web-1  |").text
    newcomer.environment["COMPOSE_PROJECT_NAME"] = "immich"  # as docs/bans.md calls it
    said = newcomer.type_all(commands, figure, "paste")
    print(*said)
    assert len(said) <= 5 and "Directory listing" in said[1] and "ready" in said[3]
    shown = re.escape(seen.strip()).replace(r"\-\ \-", r"\-\ \-\ \[[^]]*]")
    assert re.search(shown, said[2]), said[2]
    added, listed, removed = (newcomer.type(command) for command in pages.commands(pages.block("docs/bans.md", "ban add 203.0.113.7 --for")))
    assert "203.0.113.7" in listed and "too many logins" in listed, (added, listed, removed)


def test_attach_page(newcomer):
    """docs/attach.md: what it shows is what is said, and the lines that a host's firewall wants are those that it prints."""
    newcomer.type("docker compose up -d")
    said = newcomer.type(pages.command("docs/attach.md", "anchord attach shop --parent eth0 --address 192.0.2.5/24 --gateway 192.0.2.1\n"))
    print(said)
    shown = pages.block("docs/attach.md", "looked    shop has").text.replace("2 containers, of which 2 run", "1 container, of which 1 runs")
    shown = shown.replace("tcp/8001 ", "tcp/8080 ").replace("port 8080", "port 8000")
    assert re.sub(r"after \d+\.\d s", "after 2.9 s", said).strip() == shown.strip()
    newcomer.type(pages.command("README.md", "anchord detach shop"))
    said = newcomer.type(pages.command("docs/attach.md", "anchord attach shop --parent eth0 --address 192.0.2.5/24 --gateway 192.0.2.1 --via"))
    link = re.search(r"anc[0-9a-f]{8}h", said)[0]
    lines = [line.replace("anc0123abcdh", link) for line in pages.commands(pages.block("docs/attach.md", "DOCKER-USER"))]
    assert [line.strip() for line in lines] == [line.strip() for line in said.splitlines() if "DOCKER-USER" in line], said
    for line in lines:
        newcomer.type(line)
        newcomer.type(line.replace("-I", "-D"))


def test_the_pages_for_who_looks_at_it(newcomer):
    """docs/doctor.md, explain.md, monitoring.md, operations.md, platforms.md: of compose/example.yaml with IPv4 alone."""
    (newcomer.directory / ".env").write_text(f"PROJECT_IPV4={ADDRESS}\n", encoding="utf-8")
    newcomer.type(pages.command("README.md", "docker network create"))
    newcomer.type(pages.command("compose/example-ipv4-only.yaml", "docker compose"))
    wait_until(lambda: newcomer.lab.lanhost1.probe("tcp", ADDRESS, 25, timeout=0.3).startswith("smtp "), 20, "an answer at the project's address")
    for command in pages.commands(pages.block("docs/doctor.md", "sudo anchord doctor")):
        said = newcomer.type(command, check=False)  # on a host: of the anchors of other labs, too
        print(said)
        assert re.search(r"network-anchor \S+ answers", said) and "reaches mail-web-1, and the answer comes back" in said
        assert not re.search(r"^  (FAIL|WARN) .*mail", said, re.M)
    for command in pages.commands(pages.block("docs/explain.md", "anchord explain in tcp/25 ")):
        if "shop" not in command:
            print(newcomer.type(command))
    assert newcomer.type(pages.command("docs/operations.md", "docker run"))
    newcomer.type(pages.command("docs/monitoring.md", "docker exec CONTAINER").replace("CONTAINER", "mail-network-anchor-1"))
    assert "</html>" in (newcomer.directory / "status.html").read_text(encoding="utf-8")
    filter6 = "net.bridge.bridge-nf-call-ip6tables"
    engine = newcomer.lab.host("engine")
    engine.set_sysctl(filter6, 1)
    newcomer.type(pages.command("docs/platforms.md", "sysctl"))
    assert engine.sysctl(filter6) == "0"


def test_files_are_looked_at_before_they_run(newcomer):
    """docs/doctor.md: by Compose's output, by names and by a shell's."""
    print(newcomer.type(pages.command("docs/doctor.md", "docker compose --profile")))
    for name in ("mail", "web"):
        (newcomer.directory / name).mkdir()
        shutil.copy(newcomer.directory / "one-file.yaml", newcomer.directory / name / "compose.yaml")
        newcomer.type(f"docker compose --file {name}/compose.yaml config --format json > {name}.json")
    for command in pages.commands(pages.block("docs/doctor.md", "anchord doctor files mail.json")):
        print(newcomer.type(command))
