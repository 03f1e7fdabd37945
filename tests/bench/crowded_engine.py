"""The network-anchor of the image in front of a Docker API that is none: a thousand containers without their processes.

The anchor itself is a container of the lab's engine, on real networks; tests/netns/lab/fake_docker.py tells it that it has
as many labelled neighbours as one likes.
"""

import contextlib
import ipaddress
import pathlib
import shutil
import tempfile

from lab import compose
from lab.machine import wait_until
import direct
import fake_docker

SUBJECT = 60000
PORT = 25


class CrowdedEngine:
    def __init__(self, lab, count):
        self.stack = contextlib.ExitStack()
        try:
            self.prepare(lab, count)
        except BaseException:
            self.close()
            raise

    def prepare(self, lab, count):
        # The only directory that the lab's engine sees at the same path.
        directory = pathlib.Path(tempfile.mkdtemp(prefix="fake-", dir=lab.engine.paths.state))
        self.stack.callback(shutil.rmtree, directory)
        directory.chmod(0o755)
        self.project = direct.Direct(lab, {}, name=f"fake{count}", proxy=False, anchor={"volumes": [f"{directory}:/engine"]},
                                     environment={"DOCKER_HOST": "unix:///engine/docker.sock"})
        self.stack.callback(self.project.discard)
        self.project.up()
        self.docker = fake_docker.FakeDocker.on_unix_socket(directory / "docker.sock")
        self.stack.callback(self.docker.close)
        self.describe_ourselves()
        for number in range(1, count):
            self.docker.put(self.backend(number, f"tcp/{10000 + number}"))
        self.docker.put(self.backend(SUBJECT, f"tcp/{PORT}"))
        self.project.wait_logged(direct.ANCHOR, '"msg":"reconciled"', 60)
        wait_until(lambda: len(self.project.elements(4, "tcp") or ()) == count, 60, "all elements are there")

    def describe_ourselves(self):
        networks = self.project.inspect(direct.ANCHOR)["NetworkSettings"]["Networks"]
        own = {name: networks[full] for name, full in (("lan", compose.LAN_NETWORK), ("transit", f"{self.project.name}_transit"))}
        identities = {"lan": fake_docker.DMZ_ID, "transit": fake_docker.TRANSIT_ID}
        drivers = {"lan": "macvlan", "transit": "bridge"}
        names = {"lan": compose.LAN_NETWORK, "transit": "transit"}
        ipam = {"lan": [{"Subnet": "10.99.0.0/24", "Gateway": own["lan"]["Gateway"]}],
                "transit": [{"Subnet": subnet, "AuxiliaryAddresses": {f"DefaultGatewayIPv{family}": gateway}}
                            for family, subnet, gateway in zip(direct.FAMILIES, self.project.transit, self.project.gateways)]}
        self.docker.networks = {identity: fake_docker.network(identity, names[name], drivers[name], *ipam[name])
                                for name, identity in identities.items()}
        # By its real ID: the gate asks for that one.
        self.docker.put(fake_docker.own_container(**{
            names[name]: fake_docker.endpoint(identities[name], details["IPAddress"], details["MacAddress"],
                                              details["GlobalIPv6Address"]) for name, details in own.items()})
                        | {"Id": self.project.inspect(direct.ANCHOR)["Id"]})

    def backend(self, number, expose):
        """There are fewer addresses than containers; nobody minds, since every port is another one."""
        hosts4, hosts6 = (ipaddress.ip_network(subnet) for subnet in self.project.transit)
        return fake_docker.container(number, expose, address=str(hosts4[10 + number % 200]), project=self.project.name,
                                     address6=str(hosts6[10 + number]))

    def stop(self):
        self.docker.stop(SUBJECT)

    def start_subject(self):
        """Returns the event's time in nanoseconds since 1970."""
        self.docker.start(self.backend(SUBJECT, f"tcp/{PORT}"))
        return self.docker.history[-1][0]

    def close(self):
        self.stack.close()
