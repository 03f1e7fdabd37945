"""A whole network-anchor, real programs from init to exporter, in the network of netadmin_lab; Docker is fake_docker.

Used by the tests of crashes, updates and leases. Runs as root. init is no PID 1 here: when it is killed its namespace stays,
as it does for a successor of any other process, so a test may start a fresh anchord as often as it likes.
"""

import os
import pathlib
import re
import shutil
import signal
import tempfile
import urllib.request

import fake_docker
import netadmin_lab
from fake_docker import DMZ_ID, TRANSIT_ID, endpoint, network
from netadmin_lab import (ANCHOR4, ANCHOR6, EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6, ONE4, ONE6, SHARED_MAC, TWO4,
                          TWO6)
from supervision import WORKERS, Supervision, is_gone, status_of, wait_until

STEADY_PORT, LATE_PORT, BACKEND_PORT = 80, 81, 8080
STEADY = fake_docker.container(1, "tcp/80:8080, udp/80:8080", ONE4, address6=ONE6)
LATE = fake_docker.container(2, "tcp/81:8080", TWO4, address6=TWO6)
SUPERVISOR = "supervisor"
PROCESSES = (*WORKERS, SUPERVISOR)


def has_ended(pid):
    """Also before somebody has reaped it: an orphan's new parent takes its time."""
    try:
        return status_of(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


class WholeAnchor:
    def __init__(self, build):
        self.lab = netadmin_lab.Lab(build / "workers" / "netadmin" / "anchord-netadmin")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="anchord-whole-"))
        self.directory.chmod(0o755)  # the watcher's user must reach the socket
        self.supervision = Supervision(build, self.directory)
        self.process = None
        self.use(build)
        self.docker = fake_docker.FakeDocker.on_unix_socket(self.supervision.docker_socket)
        self.docker.networks = {
            DMZ_ID: network(DMZ_ID, "dmz", "macvlan", {"Subnet": "10.99.0.0/24", "Gateway": "10.99.0.1"},
                            {"Subnet": "2001:db8:99::/64"}),
            TRANSIT_ID: network(TRANSIT_ID, "transit", "bridge",
                                {"Subnet": "172.30.0.0/24", "Gateway": "172.30.0.1",
                                 "AuxiliaryAddresses": {"DefaultGatewayIPv4": GATEWAY4}},
                                {"Subnet": "fd30::/64", "Gateway": "fd30::1",
                                 "AuxiliaryAddresses": {"DefaultGatewayIPv6": GATEWAY6}})}
        self.docker.put(fake_docker.own_container(dmz=endpoint(DMZ_ID, LAN4, EXTERNAL_MAC, LAN6),
                                                  transit=endpoint(TRANSIT_ID, ANCHOR4, SHARED_MAC, ANCHOR6)))
        self.docker.put(STEADY)
        self.lab.serve(self.lab.two, "late", "tcp", BACKEND_PORT, TWO4)

    def use(self, build):
        """From the next start on, the programs of this build directory."""
        self.supervision.use(build)
        self.supervision.install_real_workers()

    def wrap(self):
        """What init is started by."""
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self.lab.anchor.descriptor}")

    def begin(self, **environment):
        """A fresh init; returns at once."""
        self.process = self.supervision.start(program="anchord-init-under-test", wrap=self.wrap(), ANCHORD_PROJECT="mail",
                                              ANCHORD_EXT_NETWORK="dmz", **environment)

    def start(self, **environment):
        """A fresh init; returns when every worker has shut itself in and anchord is ready."""
        self.begin(**environment)
        self.process.wait_for(msg="anchord ready", timeout=20)
        return {name: self.sealed(name) for name in WORKERS}

    def sealed(self, name, count=1, timeout=20):
        """The PID of a worker's `count`-th process, once it has sealed itself: the supervisor's filter and its own."""
        pid = self.process.wait_for(msg="worker started", name=name, count=count, timeout=timeout)["pid"]
        wait_until(lambda: not is_gone(pid) and status_of(pid)["Seccomp_filters"] == "2", 10)
        return pid

    def pid_of(self, name):
        """The PID of a process in its first life."""
        if name == SUPERVISOR:
            return int(status_of(self.sealed("netadmin"))["PPid"])
        return self.sealed(name)

    def comes_back(self, name):
        """Waits until the killed process has a successor that is at work."""
        if name == SUPERVISOR:
            self.process.wait_for(msg="anchord ready", count=2, timeout=20)
        for worker in WORKERS if name == SUPERVISOR else (name,):
            self.sealed(worker, count=2)

    def kill_all(self):
        """kill -9 of init, and with it of all; what they did to the network stays."""
        pids = [record["pid"] for record in self.process.find(msg="worker started")]
        self.process.process.send_signal(signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: all(map(has_ended, pids)))

    def serves_late(self, patience=0.05):
        """Whether the container that came later answers at the project's address."""
        return netadmin_lab.outcome(self.lab.client, "tcp", LAN4, LATE_PORT, patience) == "late"

    def serves_steady(self):
        return all(netadmin_lab.outcome(self.lab.client, "tcp", address, STEADY_PORT) == "steady"
                   for address in (LAN4, LAN6))

    def addresses(self):
        lines = self.lab.anchor.run("ip", "-4", "-oneline", "address", "show", "dev", "ext0").splitlines()
        return [line.split()[3].split("/")[0] for line in lines]

    def routes(self):
        """Rules and routes of ours, and the addresses."""
        run = self.lab.anchor.run
        return [run("ip", family, *words) for family in ("-4", "-6")
                for words in (("rule",), ("route", "show", "table", "24943"))] + [run("ip", "-4", "address")]

    def adopted(self):
        """The metric, by family."""
        with self.lab.anchor.entered(), urllib.request.urlopen("http://127.0.0.1:9090/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return [int(value) for value in re.findall(r'^anchord_adopted_total\{family="v."\} (\d+)$', text, re.MULTILINE)]

    def close(self):
        self.supervision.close()
        self.docker.close()
        self.lab.close()
        shutil.rmtree(self.directory)
