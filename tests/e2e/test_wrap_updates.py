"""docs/wrap.md, "After an update of the project": the commands with which projects update themselves, typed as they type them
in a directory of their own, on a small project that `anchord wrap` has put behind anchord. What keeps the network-anchor, and
what removes it.
"""

import pytest

from direct import ANCHOR, IMAGE
from lab import compose
from lab.machine import run, wait_until

ADDRESS = "10.99.0.66"
PROJECT = {"services": {"web": compose.echo_service("web", "--tcp", "80", ports=["80:80"]),
                        "redis": compose.echo_service("redis", "--tcp", "6379")}}
MAILCOW = ["up", "-d", "--remove-orphans"]  # update.sh, when it has pulled the images
OVERRIDE, ANY_NAME = "docker-compose.override.yml", "anchord.yaml"
pytestmark = [pytest.mark.every_engine, pytest.mark.not_on("podman", "Compose cannot make a network with the anchor as gateway there")]


class Directory(compose.Project):
    """A project that is known by where it lies, as a checkout of mailcow: nobody names its files."""

    def __init__(self, lab):
        super().__init__(lab, PROJECT, name=compose.unique_name("updated"))
        self.directory = self.file.parent
        self.file = self.file.rename(self.directory / "docker-compose.yml")
        for left in (OVERRIDE, ANY_NAME, ".env", "mailcow.conf"):  # of a kept lab
            (self.directory / left).unlink(missing_ok=True)

    def type(self, *words):
        """`docker compose …` in the directory, with nothing else in the environment."""
        command = ["env", f"--chdir={self.directory}", "--unset=COMPOSE_FILE", self.lab.engine.paths.client, "compose",
                   "--progress", "plain", *words]
        return run(command, environment=self.lab.engine.environment() | {"ANCHORD_IMAGE": IMAGE}).stdout

    def wrap(self, name):
        """The override, under this name, and all up with it."""
        client = self.lab.engine.paths.client
        made = run([client, "run", "--rm", "--interactive", "--network", "none", "--entrypoint", "anchord", IMAGE, "wrap",
                    "--address", ADDRESS, "--engine", self.lab.engine.version()["engine"]],
                   input_text=self.type("config", "--format", "json"), environment=self.lab.engine.environment())
        (self.directory / name).write_text(made.stdout, encoding="utf-8")
        self.type("-f", "docker-compose.yml", "-f", name, "up", "-d", "--pull", "never")
        self.wait_exposed()

    def wait_exposed(self):
        wait_until(lambda: self.lab.lanhost1.probe("tcp", ADDRESS, 80, timeout=0.3).startswith("web "), 30, "web at the address")

    def is_kept(self):
        """Whether the network-anchor is there still, and then web answers behind it."""
        if not self.containers(ANCHOR):
            return False
        self.wait_exposed()
        return True


@pytest.fixture
def checkout(lab, anchord_image):
    made = Directory(lab)
    yield made
    made.discard()


def test_an_update_script_that_names_no_file_reads_the_override_by_its_name(checkout):
    """mailcow's, twice: the first one may change something."""
    checkout.wrap(OVERRIDE)
    before = checkout.container(ANCHOR)
    for _ in range(2):
        checkout.type(*MAILCOW)
        assert checkout.is_kept() and checkout.container(ANCHOR) == before
    assert ANCHOR in checkout.type("config", "--services").split()


def test_under_another_name_it_removes_the_network_anchor_unless_compose_file_names_all(checkout):
    """The breakage, which `config --services` foretells, and the line in mailcow.conf against it."""
    checkout.wrap(ANY_NAME)
    assert ANCHOR not in checkout.type("config", "--services").split()
    checkout.type(*MAILCOW)
    assert not checkout.is_kept()
    assert checkout.lab.lanhost1.probe("tcp", ADDRESS, 80, timeout=0.5) in ("timeout", "unreachable")
    (checkout.directory / "mailcow.conf").write_text(f"COMPOSE_FILE=docker-compose.yml:{ANY_NAME}\n", encoding="utf-8")
    (checkout.directory / ".env").symlink_to("mailcow.conf")
    for _ in range(2):
        checkout.type(*MAILCOW)
        assert checkout.is_kept()


def test_who_names_a_file_has_to_name_the_override_too(checkout):
    """T-Pot's unit: `-f` alone reads neither the override's name nor COMPOSE_FILE; the second `-f` of a drop-in keeps it."""
    checkout.wrap(OVERRIDE)
    (checkout.directory / ".env").write_text(f"COMPOSE_FILE=docker-compose.yml:{OVERRIDE}\n", encoding="utf-8")
    whole, both = ["-f", "docker-compose.yml"], ["-f", "docker-compose.yml", "-f", OVERRIDE]
    assert ANCHOR not in checkout.type(*whole, "config", "--services").split()
    checkout.type(*both, "down", "-v")
    checkout.type(*both, "up", "-d")
    assert checkout.is_kept()
    checkout.type(*whole, "up", "-d", "--remove-orphans")
    assert not checkout.is_kept()
