"""An ordinary Compose project, and compose/attach.yaml beside it (SPEC 13), as the tests of attach use them."""

import itertools
import json
import re
import shlex
import shutil
import socket
import threading
import time

from direct import IMAGE
from lab import compose, topology
from lab.machine import CHECKOUT, LabError, wait_until

ATTACH = CHECKOUT / "compose" / "attach.yaml"
GATEWAYS = ",".join(topology.ROUTER)
# What changes by itself from one look to the next.
VOLATILE = re.compile(r"(counter packets \d+ bytes \d+|_timer +[\d.]+|expires \d+sec| used \d+)")
_numbers = itertools.count(1)


def ordinary(lab):
    """As people write them: ports published, a database without, a network of Compose's own."""
    number = next(_numbers)
    return {
        "services": {
            "web": compose.echo_service("web", "--tcp", "8080", "--udp", "8443", ports=[f"{8000 + number}:8080", "8443:8443/udp"]),
            "database": compose.echo_service("database", "--tcp", "5432"),
        },
        "networks": {"default": {"enable_ipv6": True, "ipam": {"config": [{"subnet": f"10.41.{number}.0/24"},
                                                                       {"subnet": f"fd41:0:0:{number:x}::/64"}]}}},
    }, 8000 + number


class Attachment(compose.Project):
    """The two containers of compose/attach.yaml for a project that runs."""

    def __init__(self, lab, project, address, *, gateways=GATEWAYS, parent=topology.UPLINK, overrides=(), **variables):
        environment = {"ANCHORD_IMAGE": IMAGE, "ANCHORD_PROJECT": project.name, "ANCHORD_PARENT": parent,
                       "ANCHORD_ADDRESS": address, **variables}
        if gateways:
            environment["ANCHORD_EXT_GATEWAY_IP"] = gateways
        super().__init__(lab, ATTACH, name=f"anchord-{project.name}", environment=environment, overrides=overrides)

    def attach(self):
        """Brought up and ready; in how many seconds."""
        started = time.monotonic()
        self.up()
        self.wait_ready()
        return time.monotonic() - started

    def wait_ready(self, deadline=30):
        wait_until(lambda: self._healthcheck().returncode == 0, deadline, "an attachment that is ready")

    def _healthcheck(self):
        return self.exec("identity", "anchord", "healthcheck", check=False)

    def status(self):
        return json.loads(self.exec("identity", "anchord", "status", "--json").stdout)

    def addresses(self):
        """What the external link has, without link-local ones."""
        found = json.loads(self.namespace("identity").run(["ip", "-j", "address", "show", "dev", "ancext"]).stdout)
        return [entry["local"] for entry in found[0]["addr_info"] if entry["scope"] == "global"]


class HostCommand:
    """The commands of the image on the engine's host, `anchord attach` above all."""

    # What a host has installed or mounted: programs, their files, its machine-id, the view of its network.
    SCRIPT = """set -e
mount --make-rprivate /
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /etc
mkdir /etc/anchord
mount --bind "$1/etc" /etc/anchord
cat "$2" >/etc/machine-id
mount -t tmpfs tmpfs /usr/libexec
cp -r "$1/programs" /usr/libexec/anchord
mount -t overlay -o "lowerdir=$1/bin:/usr/bin" overlay /usr/bin
shift 2
exec "$@"
"""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab.state / "host-command"
        (self.directory / "etc").mkdir(parents=True, exist_ok=True)
        container = lab.docker("create", IMAGE).stdout.strip()
        (self.directory / "bin").mkdir(exist_ok=True)
        lab.docker("cp", f"{container}:/usr/bin/anchord", self.directory / "bin")
        shutil.rmtree(self.directory / "programs", ignore_errors=True)  # a kept lab's
        lab.docker("cp", f"{container}:/usr/libexec/anchord", self.directory / "programs")
        lab.docker("rm", container)

    def _command(self):
        machine = f"/proc/{self.lab.daemon_pid()}/root/etc/machine-id"
        return ["unshare", "--mount", "sh", "-c", self.SCRIPT, "sh", str(self.directory), machine, "/usr/bin/anchord"]

    def __call__(self, *words):
        """The CompletedProcess."""
        return self.lab.host("engine").run([*self._command(), *words], check=False, environment=self.lab.engine.environment())

    def install(self, directory):
        """As the program `anchord` of that directory, for a shell on the engine's host."""
        program = directory / "anchord"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(self._command())} "$@"\n', encoding="utf-8")
        program.chmod(0o755)


class CommandAttachment(Attachment):
    """The same, made and undone by the command."""

    def __init__(self, lab, project, address, *, gateways=GATEWAYS, parent=topology.UPLINK):
        super().__init__(lab, project, address, gateways=gateways, parent=parent)
        self.project = project.name
        self.options = ["--parent", parent, "--address", address, "--image", IMAGE, *(["--gateway", gateways] if gateways else [])]

    def command(self, *words):
        """The CompletedProcess; HostCommand is made as late as the image is there."""
        return HostCommand(self.lab)(*words)

    def attach(self):
        """What it said; LabError when it failed."""
        found = self.command("attach", self.project, *self.options)
        if found.returncode != 0:
            raise LabError(f"anchord attach: {found.returncode}:\n{found.stdout}{found.stderr}")
        return found.stdout

    def written(self):
        return HostCommand(self.lab).directory / "etc" / f"{self.project}.env"


class WhoIsIt:
    """A TCP server, in the namespace that it is made in, which tells a client its address."""

    def __init__(self, family):
        self.socket = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.socket.bind(("", 0))
        self.socket.listen(8)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:  # closed
                return
            with connection:
                connection.sendall(f"{peer[0]}\n".encode())

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def _text_of(lab, *command):
    try:
        return VOLATILE.sub("", lab.host("engine").run(command).stdout)
    except LabError as error:
        return str(error)


def _services(project):
    return {container["Labels"]["com.docker.compose.service"] for container in project.containers()}


def snapshot(lab, *projects):
    """All that HOST-8 names, of the host and of these projects: {what: text}."""
    looks = {" ".join(command): _text_of(lab, *command) for command in (
        ("nft", "list", "ruleset"), ("ip", "-d", "link"), ("ip", "rule"), ("ip", "-6", "rule"),
        ("ip", "route", "show", "table", "all"), ("ip", "-6", "route", "show", "table", "all"), ("ip", "address"))}
    for project in projects:
        for container in project.containers():
            looks[container["Names"][0]] = json.dumps(lab.engine.inspect(container["Id"]), indent=1, sort_keys=True)
        for network in lab.engine.api("GET", "/networks"):
            if network["Name"].startswith(f"{project.name}_"):
                looks[network["Name"]] = json.dumps(lab.engine.api("GET", f"/networks/{network['Id']}"), indent=1, sort_keys=True)
        for service in _services(project):
            box = project.namespace(service)
            for command in (("ip", "rule"), ("ip", "route", "show", "table", "all"), ("nft", "list", "ruleset")):
                looks[f"{service}: {' '.join(command)}"] = VOLATILE.sub("", box.run(command).stdout)
    return looks


def settled_snapshot(lab, *projects):
    """When no address is being looked for any more, which the kernel does for a second: neither on the host nor in a
    container, whose link-local address has its route only then."""
    def is_settled():
        places = [_text_of(lab, "ip", "address")]
        places += [project.namespace(service).run(("ip", "address")).stdout for project in projects for service in _services(project)]
        return not any("tentative" in place for place in places)
    wait_until(is_settled, 10, "addresses that are complete")
    return snapshot(lab, *projects)


def differences(before, after):
    """The lines that are in one of two snapshots, by what they are of."""
    found = {}
    for what in before.keys() | after.keys():
        one, other = (look.get(what, "").splitlines() for look in (before, after))
        lines = [f"-{line}" for line in one if line not in other] + [f"+{line}" for line in other if line not in one]
        if lines or one != other:
            found[what] = lines
    return found
