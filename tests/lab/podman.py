"""Podman's Docker API in its own root, network namespace and control group.

Called by instance.py, as root, in the place of engine.py for the engine "podman". `podman system service` only
answers the API: a container is a child of its conmon and lives on without the service.
"""

import ipaddress

from . import engine, roots
from .machine import HERE, run

# Podman 5.8.6 with netavark 1.17.2 when this was written. Bookworm's 4.3.1 with netavark 1.4 knows neither
# --disable-dns of one network nor static routes.
ROOT = roots.Root("podman", "forky", ("podman", "netavark", "aardvark-dns", "crun", *engine.COMMON))

# There is no systemd in the lab, so podman_health.py runs the health checks, logs are files, the cgroups are made
# without asking anybody, and they may lack the controller of processes. Ports below 1024 are open to everybody, as
# Docker has it.
CONFIGURATION = """\
[containers]
log_driver = "k8s-file"
pids_limit = 0
default_sysctls = ["net.ipv4.ip_unprivileged_port_start=0"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""

# The cgroup file system shows the lab's own part of the cgroup2 tree and nothing else, also where the machine
# has the old hierarchies: Podman 5 refuses those.
START = """\
set -e
mountpoint -q /run/containers || {
    mkdir -p /run/containers
    mount -t tmpfs tmpfs /run/containers
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    cp "$1/containers.conf" /etc/containers/containers.conf
}
ln -sfn "$2" /run/docker.sock
exec podman system service --time 0 "unix://$2"
"""


class Podman(engine.Engine):
    STORE = "/var/lib/containers"
    NAMESPACES = ("--mount", "--cgroup")

    def root(self):
        return ROOT

    def start(self, namespace):
        self.paths.state.mkdir(parents=True, exist_ok=True)
        (self.paths.state / "containers.conf").write_text(CONFIGURATION, encoding="ascii")
        process = super().start(namespace)
        with open(self.paths.log, "ab") as log:
            self.cgroup.start(["/usr/bin/python3", HERE / "podman_health.py", self.paths.socket], log)
        return process

    def _daemon(self):
        return ["sh", "-c", START, "podman", self.paths.state, self.paths.socket]


def create_routed_network(lab, name, subnets, gateways):
    """A bridge network for both families whose containers have the gateways as their default route, and whose
    labels name them to anchord: what auxiliary addresses do in Docker Engine. docs/engines.md shows the same
    command. Containers get addresses of the second half, so that none has a gateway's."""
    command = ["podman", "network", "create", "--ipv6", "--opt", "no_default_route=1"]
    for family, subnet, gateway in zip((4, 6), subnets, gateways):
        network = ipaddress.ip_network(subnet)
        length = 25 if family == 4 else 112
        pool = ipaddress.ip_network((network.broadcast_address, length), strict=False)
        command += ["--subnet", subnet, "--ip-range", pool, "--label", f"anchord.gateway.v{family}={gateway}",
                    "--route", f"{'0.0.0.0/0' if family == 4 else '::/0'},{gateway}"]
    run(lab.enter_engine_command([*command, name]))
