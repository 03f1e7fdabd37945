"""Compose projects of the pattern Direct with anchord in front, and what tests ask of a running one.

Used by the fixtures `direct` and `shared_direct` (conftest.py) and by the tests. The definition is that
of compose/example.yaml; every project has addresses of its own, so that several run side by side and
no neighbour remembers a MAC of the project before.
"""

import contextlib
import itertools
import json
import os
import pathlib
import time

import pytest

from lab import compose, images, podman
from lab.machine import wait_until

ANCHOR = "network-anchor"
PROXY = "socket-proxy"
IMAGE = "anchord:dev"
# SPEC 11: all that a network-anchor in bootstrap mode needs.
CAPABILITIES = ["NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "SETPCAP", "KILL", "CHOWN"]
FAMILIES = (4, 6)
NFT_FAMILY = {4: ("ip", "anchord_v4"), 6: ("ip6", "anchord_v6")}
WORKERS = ("anchord-init", "anchord", "anchord-watcher", "anchord-netadmin", "anchord-announcer",
           "anchord-exporter")
GATE = "anchord-gate"  # with Docker's socket mounted
NO_GATE = pytest.mark.not_on("podman", "its projects read Docker through a proxy")
DOCKER_SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
_numbers = itertools.count(1)


def service(name, *, tcp="", udp="", expose=None, networks=("transit",), labels=None, **more):
    """An echo service (lab/services.py) that answers with its name; expose is its label, if any."""
    command = ["services", "--name", name] + ["--tcp", tcp] * bool(tcp) + ["--udp", udp] * bool(udp)
    labels = dict(labels or {}) | ({} if expose is None else {"anchord.expose": expose})
    return {"image": images.SERVICES, "command": command, "networks": list(networks),
            "labels": labels} | more


def doctor_on_host(lab, *words):
    """The line that doctor prints in a container for what is to be seen on the host alone. runc of old engines gives no
    capability that the lab's machine has not: there the ones that doctor uses."""
    used = [word for name in ("NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE") for word in ("--cap-add", name)]
    unconfined = [word for kind in ("seccomp", "apparmor") for word in ("--security-opt", f"{kind}=unconfined")]
    rights = [*used, *unconfined] if lab.engine.suite == "bookworm" else ["--privileged"]
    return lab.docker("run", "--rm", *rights, "--pid", "host", "--network", "host", "--volume", DOCKER_SOCKET, IMAGE, "doctor", "--json",
                      *words, check=False)


def mail_services():
    """A small mail server: what most tests run against."""
    return {
        "smtp": service("smtp", tcp="25", expose="tcp/25"),
        "web": service("web", tcp="8080", udp="8443", expose="tcp/80:8080,udp/443:8443"),
        "dns": service("dns", tcp="53", udp="53", expose="tcp/53,udp/53"),
        "database": service("database", tcp="5432", networks=["database"]),
    }


def unmasqueraded(subnets):
    """A bridge network of these entries of ipam.config, from which nothing leaves with the host's address."""
    return {"enable_ipv6": True, "ipam": {"config": list(subnets)},
            "driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}


class Direct(compose.Project):
    """A project with a network-anchor. addresses, gateways and transit are (IPv4, IPv6)."""

    def __init__(self, lab, services, *, name, anchor=None, environment=None, networks=None,
                 proxy=None, without=(), segment=None):
        """proxy: whether Docker is read through a socket proxy on the network `control`; by default its socket is mounted,
        as in the examples, but on Podman, whose socket is its owner's alone. segment: the LAN (lab/segment.py), if it is
        not the one that all tests share."""
        proxy = lab.engine.suite == "podman" if proxy is None else proxy
        self._workers = {*WORKERS} if proxy else {*WORKERS, GATE}
        self.segment = segment
        self.lan = segment.network if segment else compose.LAN_NETWORK
        self._take_addresses()
        transit = self._transit(lab, name)
        self._has_own_transit = "external" in transit  # Compose does not remove it
        definition = {"services": dict(services), "networks": self._networks(transit) | (networks or {})}
        definition["services"][ANCHOR] = self._anchor(lab, environment or {}, proxy) | (anchor or {})
        if proxy:
            definition["services"][PROXY] = {
                "image": images.SOCKET_PROXY, "networks": ["control"],
                "environment": {"CONTAINERS": 1, "NETWORKS": 1, "EVENTS": 1, "VERSION": 1, "POST": 0},
                "volumes": [f"{DOCKER_SOCKET}:ro"]}
        for key in without:  # settings that a test leaves out
            del definition["services"][ANCHOR][key]
        super().__init__(lab, definition, name=name)

    def _take_addresses(self):
        """Ones that no other project of this run has or had."""
        if self.segment:
            number = next(self.segment.project_numbers)
            inner, inner6 = f"10.{100 + self.segment.number}", f"fd31:0:{self.segment.number:x}"
            self.addresses = (self.segment.v4(15 + number), self.segment.docker_v6(f"{number:x}:1"))
        else:
            number = next(_numbers)
            inner, inner6 = "10.30", "fd30:0:0"
            self.addresses = (f"10.99.0.{100 + number}", f"fd99::{number:x}:1")
        self.transit = (f"{inner}.{number}.0/24", f"{inner6}:{number:x}::/64")
        self.control = f"{inner}.{100 + number}.0/24" if self.segment else f"10.29.{number}.0/24"
        self.gateways = (f"{inner}.{number}.2", f"{inner6}:{number:x}::2")

    def _transit(self, lab, name):
        """The network that the backends are on, with the anchor as its gateway."""
        if lab.engine.suite == "podman":
            podman.create_routed_network(lab, f"{name}_transit", self.transit, self.gateways)
            return {"external": True, "name": f"{name}_transit"}
        return unmasqueraded({"subnet": subnet, "aux_addresses": {f"DefaultGatewayIPv{family}": gateway}}
                             for family, subnet, gateway in zip(FAMILIES, self.transit, self.gateways))

    def _networks(self, transit):
        return {
            "lan": {"external": True, "name": self.lan},
            "transit": transit,
            "control": {"internal": True, "ipam": {"config": [{"subnet": self.control}]}},
            "database": {"internal": True},
        }

    def _anchor(self, lab, environment, proxy):
        lan = {"ipv4_address": self.addresses[0], "ipv6_address": self.addresses[1]}
        sysctls = {"net.ipv6.conf.all.forwarding": 1}
        if lab.engine.has_endpoint_options:
            lan["driver_opts"] = {
                "com.docker.network.endpoint.sysctls": "net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2"}
        elif lab.engine.suite != "podman":  # whose interfaces are numbered in any order
            sysctls["net.ipv6.conf.eth0.accept_ra"] = 2
        anchor = {
            "image": IMAGE, "restart": "unless-stopped", "read_only": True, "tmpfs": ["/run"],
            "cap_drop": ["ALL"], "cap_add": CAPABILITIES, "security_opt": ["no-new-privileges:true"],
            "sysctls": sysctls, "networks": {"lan": lan, "transit": {}, "control": {}},
            "environment": {"COMPOSE_PROJECT_NAME": "${COMPOSE_PROJECT_NAME}",
                            "ANCHORD_EXT_NETWORK": self.lan} | environment}
        if proxy:
            anchor["environment"]["DOCKER_HOST"] = f"tcp://{PROXY}:2375"
        else:
            anchor["volumes"] = [DOCKER_SOCKET]
        return anchor

    @contextlib.contextmanager
    def edited(self):
        """The definition, to be changed before Compose reads it again."""
        definition = json.loads(self.file.read_text(encoding="utf-8"))
        yield definition
        self.file.write_text(json.dumps(definition, indent=1), encoding="utf-8")

    def discard(self):
        super().discard()
        if self._has_own_transit:
            self.lab.docker("network", "rm", f"{self.name}_transit")

    # --- addresses ----------------------------------------------------------------------------

    def at(self, family):
        """The project's address on the LAN."""
        return self.addresses[FAMILIES.index(family)]

    def inner(self, service, family=4):
        """The container's own address on transit."""
        return self.address(service, "transit", family)

    @contextlib.contextmanager
    def extra_container(self, name, *, project="", network=None, **options):
        """An echo service on transit that `docker run` starts and not Compose; options as of service(). project:
        the one that its label names, "" for this one, None for no such label; network: another than transit. Yields
        its full name, and removes it."""
        details = service(name, **options)
        scope = {} if project is None else {"com.docker.compose.project": project or self.name}
        labels = [word for key, value in (details["labels"] | scope).items() for word in ("--label", f"{key}={value}")]
        full = f"{self.name}-{name}"
        self.lab.docker("run", "--detach", "--name", full, "--network", network or f"{self.name}_transit", *labels,
                        details["image"], *details["command"])
        try:
            yield full
        finally:
            self.lab.docker("rm", "--force", full, check=False)  # the test may have removed it

    # --- the anchor ---------------------------------------------------------------------------

    @property
    def anchor(self):
        """The network namespace of the running network-anchor."""
        return self.namespace(ANCHOR)

    def elements(self, family, proto):
        """The map from port to "address port" as the kernel holds it; None without a table."""
        kind, table = NFT_FAMILY[family]
        result = self.anchor.run(["nft", "-j", "list", "map", kind, table, f"dnat_{proto}"], check=False)
        if result.returncode != 0:
            return None
        listing = next(item["map"] for item in json.loads(result.stdout)["nftables"] if "map" in item)
        return {port["elem"]["val"]: "{} {}".format(*value["concat"]) for port, value in listing.get("elem", [])}

    def programs(self, service=ANCHOR):
        """An anchor's processes: pairs of program name and PID (this machine's numbering)."""
        group = pathlib.Path("/proc") / str(self.inspect(service)["State"]["Pid"]) / "ns" / "pid"
        wanted, found = os.readlink(group), []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended since the directory was read
                if os.readlink(process / "ns" / "pid") == wanted:
                    found.append((os.path.basename(os.readlink(process / "exe")), int(process.name)))
        return found

    def processes(self, service=ANCHOR):
        """Program name -> PID of those that run once each; a healthcheck, say, comes and goes beside them, and is younger."""
        return dict(sorted(self.programs(service), key=lambda found: found[1], reverse=True))

    def wait_processes(self):
        """Wait until every process of the anchor runs; as processes()."""
        def all_there():
            found = self.processes()
            return found if self._workers <= set(found) else None
        return wait_until(all_there, 15, f"all of {', '.join(self._workers)}")

    def records(self, message, service=ANCHOR):
        """The anchor's log records whose message begins so."""
        return [record for record in self.json_logs(service) if record["msg"].startswith(message)]

    def wait_record(self, message, deadline=10, service=ANCHOR):
        return wait_until(lambda: self.records(message, service), deadline,
                          f"{message!r} in the log of {service}")[-1]

    def flows(self, *filters, family=4):
        """The anchor's conntrack entries that match conntrack's own filters, with their IDs."""
        name = {4: "ipv4", 6: "ipv6"}[family]
        result = self.anchor.run(["conntrack", "-L", "-f", name, "-o", "id", *map(str, filters)])
        return result.stdout.splitlines()

    # --- the client's side --------------------------------------------------------------------

    @property
    def client(self):
        """A host on the project's LAN."""
        return self.segment.client if self.segment else self.lab.lanhost1

    def wait_answer(self, proto, port, name, *, client=None, family=4, deadline=10):
        """Wait until the service called name answers on a port of the project's address; returns
        the time (time.time()) at which it did."""
        client = client or self.client
        wait_until(lambda: client.probe(proto, self.at(family), port, timeout=0.3).startswith(f"{name} "),
                   deadline, f"{name} answers on {proto}/{port} of {self.at(family)}")
        return time.time()

    def wait_refused(self, proto, port, *, family=4, deadline=10):
        wait_until(lambda: self.client.probe(proto, self.at(family), port, timeout=0.3) == "refused",
                   deadline, f"{proto}/{port} of {self.at(family)} is refused")
        return time.time()

    def ready(self):
        """Up, and every exposed port of the mail server answers in both families."""
        self.up()
        for family in FAMILIES:
            for proto, port, name in (("tcp", 25, "smtp"), ("tcp", 80, "web"), ("udp", 53, "dns")):
                self.wait_answer(proto, port, name, family=family, deadline=20)
        return self
