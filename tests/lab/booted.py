"""A whole host of the lab: a Debian that booted its own systemd, with Docker Engine as its unit.

Called by instance.py, as root, in the place of engine.py for the engines "host-bookworm" and "host-trixie", and for
"bare-bookworm" and "bare-trixie", whose Docker is still to be installed. What is installed there, /etc and /var live through
power_cycle(); /run, the kernel's links, rules and routes do not.
"""

import json
import os
import pathlib
import signal

from . import engine, roots, topology
from .machine import HERE, LabError, run, wait_until

BOOT_SECONDS = 90
END_SECONDS = 30

# Of anchord's package what it depends on, since the lab has no mirror: tests install the package alone.
DEPENDENCIES = ("dhcpcd-base", "iproute2", "libc-ares2", "libcurl4", "libmicrohttpd12", "libmnl0", "libnftnl11", "libyajl2")
SYSTEM = ("systemd", "systemd-sysv", "dbus")
COMMON = (*SYSTEM, "dhcpcd-base", "curl", "libc-ares2", "libmicrohttpd12", "libmnl0", "libnftnl11", "libyajl2", *engine.COMMON)
ELECTOR = ("keepalived",)  # what a person adds for docs/two-hosts.md
IN_TRIXIE = {"libmicrohttpd12": "libmicrohttpd12t64", "libcurl4": "libcurl4t64"}


def _in_trixie(names):
    return (IN_TRIXIE.get(name, name) for name in names)


ROOTS = {
    # Engine 20.10.24, systemd 252, dhcpcd 9.4.1.
    "host-bookworm": roots.Root("host", "bookworm", ("docker.io", *COMMON), downloaded=ELECTOR),
    # Engine 26.1.5, systemd 257, dhcpcd 10.1.0.
    "host-trixie": roots.Root("host", "trixie", ("docker.io", "docker-cli", *_in_trixie(COMMON)), downloaded=ELECTOR),
    # A host on which nothing of it is installed yet; its apt has downloaded what it needs.
    "bare-bookworm": roots.Root("bare", "bookworm", SYSTEM, downloaded=("docker.io", *DEPENDENCIES)),
    "bare-trixie": roots.Root("bare", "trixie", SYSTEM, downloaded=("docker.io", *_in_trixie(DEPENDENCIES))),
}
LINKS_OF_A_BOOT = ("bridge", "veth", "macvlan", "dummy")


class Booted(engine.Engine):
    def root(self):
        return ROOTS[self.suite]

    def fetch(self):
        roots.ensure(self.root())
        roots.ensure(engine.ROOTS[engine.CLIENT_SUITE])

    @property
    def has_endpoint_options(self):
        return False

    def start(self, namespace):
        """Boots it. Returns what has the PID of its systemd once its Docker answers, if it has one."""
        self._settings().mkdir(parents=True, exist_ok=True)
        for directory in ("docker", "upper", "work"):
            (self.paths.data / directory).mkdir(parents=True, exist_ok=True)
        (self._settings() / "socket.conf").write_text(
            f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H unix://{self.paths.socket}\n", encoding="ascii")
        command = [HERE / "host-boot", roots.ensure(self.root()), self.paths.state, self.paths.data, self.cgroup.name,
                   f"host-{self.name}"]
        with open(self.paths.log, "ab") as log:
            parent = self.cgroup.start(namespace.enter_command(command), log)
        booted = wait_until(lambda: self._find_systemd(parent), BOOT_SECONDS, f"a process of systemd, {self.paths.log}")
        wait_until(lambda: self.run_in(booted.pid, ["systemctl", "is-system-running"], check=False).stdout.strip()
                   in ("running", "degraded"), BOOT_SECONDS, f"a booted systemd, {self.paths.log}")
        if self.run_in(booted.pid, ["systemctl", "is-enabled", "docker"], check=False).returncode == 0:
            wait_until(lambda: self._answers(parent), BOOT_SECONDS, "Docker of the booted host")
        return booted

    def _settings(self):
        return self.paths.state / "docker.service.d"

    def _find_systemd(self, parent):
        """The only child of unshare(1), which the shell and nsenter(1) have become."""
        if parent.poll() is not None:
            raise LabError(f"the host did not boot:\n{self.paths.log.read_text(errors='replace')[-3000:]}")
        try:
            children = pathlib.Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            for pid in map(int, children):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return Systemd(pid, parent)
        except (FileNotFoundError, ProcessLookupError):  # host-boot's own children come and go before
            pass
        return None

    @staticmethod
    def enter_command(pid, command):
        return ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd", "--",
                *map(str, command)]

    @staticmethod
    def processes_seen_by(pid):
        """Its own, whose processes have numbers of their own."""
        return pathlib.Path(f"/proc/{pid}/root/proc")

    def run_in(self, pid, command, **options):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
        return run(self.enter_command(pid, command), environment=environment, **options)

    # --- its end --------------------------------------------------------------------------------

    def cut_power(self, pid, namespace):
        """As when somebody pulls the plug; its network is as a kernel's that has just started."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(_is_inside, self.cgroup.processes())), END_SECONDS, "no process left of the host")
        namespace.run(["nft", "flush", "ruleset"])
        for link in json.loads(namespace.run(["ip", "-j", "-d", "link"]).stdout):
            kind = link.get("linkinfo", {}).get("info_kind")
            if kind in LINKS_OF_A_BOOT and not link["ifname"].startswith(topology.UPLINK):
                namespace.run(["ip", "link", "delete", link["ifname"]], check=False)  # its peer's end took it along
        for family in ("-4", "-6"):
            for rule in json.loads(namespace.run(["ip", family, "-j", "rule"]).stdout):
                if rule["priority"] not in (0, 32766, 32767):
                    namespace.run(["ip", family, "rule", "delete", "priority", str(rule["priority"])])

    def hold_root(self, pid):
        raise LabError("a booted host's Docker is ended by its systemctl")


def _is_inside(pid):
    """Of a booted host: the lab's servers see the machine's processes."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
    except (FileNotFoundError, ProcessLookupError):
        return False


class Systemd:
    """A booted systemd, by its PID on the machine."""

    def __init__(self, pid, parent):
        self.pid, self.parent = pid, parent
