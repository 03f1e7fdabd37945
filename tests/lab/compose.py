"""A Compose project in a lab, as tests use it.

Called by tests/e2e/conftest.py, as root. The definition may be a file of the checkout, the text of
one, or a dictionary (JSON is YAML). Questions about containers go to the Docker API directly, which
costs a millisecond and not a process.
"""

import contextlib
import itertools
import json
import pathlib
import re
import urllib.parse

from . import images, topology
from .machine import LabError, run, wait_until

LAN_NETWORK = "lan"
POOL_V4, POOL_V6 = "10.99.0.192/26", "fd99::ff:0/112"
_numbers = itertools.count(1)


def ensure_lan_network(lab, name=LAN_NETWORK):
    """The macvlan network on the lab's LAN, shared by projects (`external: true`), because engines
    before 27 allow one macvlan network per parent. The addresses of the lab's own hosts are taken
    out of Docker's pool; Podman ignores that, so its pool begins behind them. Returns its name."""
    known = lab.engine.api("GET", "/networks")
    if any(network["Name"] == name for network in known):
        return name
    taken = {"engine": topology.ENGINE, **topology.LAN_HOSTS}
    reserved = [word for box, addresses in taken.items() for index, address in enumerate(addresses)
                for word in ("--aux-address", f"{box}{(4, 6)[index]}={address}")]
    if lab.engine.suite == "podman":
        reserved = ["--ip-range", POOL_V4, "--ip-range", POOL_V6]
    lab.docker("network", "create", "--driver", "macvlan", "--opt", f"parent={topology.UPLINK}",
               "--subnet", topology.LAN_V4, "--gateway", topology.ROUTER[0],
               "--ipv6", "--subnet", topology.LAN_V6, "--gateway", topology.ROUTER[1],
               *reserved, name)
    return name


def echo_service(name, *arguments, **more):
    """A service of a Compose file that runs services.py: echo_service("web", "--tcp", "80")."""
    return {"image": images.SERVICES, "command": ["services", "--name", name, *arguments],
            "stop_grace_period": "0s"} | more


def unique_name(hint):
    """A project name that no other test of this run has; hint makes it readable."""
    slug = re.sub(r"[^a-z0-9]+", "-", hint.lower()).strip("-")[:24]
    return f"{slug or 'project'}-{next(_numbers)}"


@contextlib.contextmanager
def discarded_afterwards(request, *projects):
    """For a fixture: the projects, brought up inside or not, are removed in the other order whatever
    happens. When a test has failed they show what they logged."""
    try:
        yield
    finally:
        if request.session.testsfailed:
            print(*(project.all_logs() for project in projects))
        for project in reversed(projects):
            project.discard()


class Project:
    def __init__(self, lab, definition, *, name, environment=None, overrides=()):
        """overrides: further files, as `docker compose --file` takes them."""
        self.lab = lab
        self.name = name
        self._overrides = [word for path in overrides for word in ("--file", path)]
        if isinstance(definition, pathlib.Path):
            self.file = definition
        else:
            directory = lab.state / "projects" / name
            directory.mkdir(parents=True, exist_ok=True)  # a kept lab has it from the last run
            self.file = directory / "compose.yaml"
            text = definition if isinstance(definition, str) else json.dumps(definition, indent=1)
            self.file.write_text(text, encoding="utf-8")
        self.environment = lab.engine.environment() | (environment or {})

    # --- the client ---------------------------------------------------------------------------

    def compose(self, *arguments, **options):
        """docker compose … for this project; LabError when it fails, unless check=False."""
        return run([self.lab.engine.paths.compose, "--project-name", self.name,
                    "--file", self.file, *self._overrides, "--progress", "plain", *arguments],
                   environment=self.environment, **options)

    def up(self, *services, **options):
        self.compose("up", "--detach", "--pull", "never", *services, **options)
        return self

    def recreate(self, *services):
        self.up("--force-recreate", "--no-deps", *services)

    def down(self, *, timeout=None, **options):
        """With the project's own stop timeouts, unless timeout (seconds) is given."""
        limit = [] if timeout is None else ["--timeout", str(timeout)]
        return self.compose("down", "--volumes", "--remove-orphans", *limit, **options)

    def discard(self):
        """Remove everything of the project without asking its processes to end; as Compose would, whose start costs more than
        all of this."""
        for identifier in sorted((container["Id"] for container in self.containers()), key=self._owns_namespace):
            self.lab.engine.api("DELETE", f"/containers/{identifier}?force=true&v=true")
        for network in self._labelled("networks"):
            self.lab.engine.api("DELETE", f"/networks/{network['Id']}")
        for volume in self._labelled("volumes")["Volumes"] or ():
            self.lab.engine.api("DELETE", f"/volumes/{volume['Name']}")

    def _owns_namespace(self, identifier):
        """Podman does not remove a container before those that are in its namespace."""
        return not self.lab.engine.inspect(identifier)["HostConfig"]["NetworkMode"].startswith("container:")

    # --- containers ---------------------------------------------------------------------------

    def containers(self, service=None):
        """The project's containers in any state, as /containers/json shows them."""
        return self._labelled("containers/json?all=true", *([f"service={service}"] if service else []))

    def _labelled(self, path, *labels):
        """What a list of the API holds of this project."""
        labels = [f"com.docker.compose.{label}" for label in (f"project={self.name}", *labels)]
        filters = urllib.parse.quote(json.dumps({"label": labels}))
        return self.lab.engine.api("GET", f"/{path}{'&' if '?' in path else '?'}filters={filters}")

    def container(self, service):
        """The ID of the service's only container."""
        found = self.containers(service)
        if len(found) != 1:
            raise LabError(f"project {self.name}: {len(found)} containers of service {service}")
        return found[0]["Id"]

    def inspect(self, service):
        return self.lab.engine.inspect(self.container(service))

    def state(self, service):
        return self.inspect(service)["State"]["Status"]

    def address(self, service, network, family=4):
        """The container's address on a network, named as in the file or by its full name."""
        networks = self.inspect(service)["NetworkSettings"]["Networks"]
        details = networks.get(f"{self.name}_{network}") or networks.get(network)
        if details is None:
            raise LabError(f"{service} is not on {network}, but on {', '.join(networks)}")
        return details["IPAddress" if family == 4 else "GlobalIPv6Address"]

    def namespace(self, service):
        """The network namespace of the service's container, as a Host: probe, run, scan in it,
        with this machine's programs, also when the image holds no shell."""
        return self.lab.container_namespace(self.container(service))

    def exec(self, service, *command, **options):
        """docker exec; returns the CompletedProcess."""
        return self.lab.docker("exec", self.container(service), *command, **options)

    def probe(self, service, proto, address, port, **options):
        """What the service itself sees when it asks a port elsewhere; see probe.probe."""
        return self.namespace(service).probe(proto, address, port, **options)

    def http(self, service, path):
        """What anchord answers to a GET in the container's own namespace."""
        return self.namespace(service).run(["curl", "--silent", f"http://127.0.0.1:9090{path}"]).stdout

    def metric(self, service, series):
        """The value of one series of anchord's metrics page, "name{label="…"}"."""
        return float(next(line.removeprefix(series) for line in self.http(service, "/metrics").splitlines()
                          if line.startswith(f"{series} ")))

    def signal(self, service, name):
        self.lab.engine.api("POST", f"/containers/{self.container(service)}/kill?signal={name}")

    # --- logs ---------------------------------------------------------------------------------

    def logs(self, service):
        """Everything that the service's container wrote, stdout and stderr."""
        return self.lab.engine.logs(self.container(service))

    def json_logs(self, service):
        """The lines of the log that are JSON objects, decoded."""
        records = []
        for line in self.logs(service).splitlines():
            if line.startswith("{"):
                records.append(json.loads(line))
        return records

    def wait_logged(self, service, text, deadline=10):
        """Wait until a text stands in the service's log."""
        wait_until(lambda: text in self.logs(service), deadline, f"{text!r} in the log of {service}")

    def all_logs(self):
        """Status and log of every container, for the report of a failed test."""
        parts = []
        for container in self.containers():
            name = container["Names"][0].lstrip("/")
            result = self.lab.docker("logs", "--timestamps", container["Id"], check=False)
            parts.append(f"--- {name}: {container['Status']}\n{result.stdout}{result.stderr}")
        return "\n".join(parts)
