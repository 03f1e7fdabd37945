"""Containers of an attached project that connect out as their first act (HOST-4, HOST-6): who they were to the server, how
long that took, and what left the host beside the project's address. Used by test_attach_life.py and tests/bench.
"""

import contextlib
import dataclasses
import json
import re
import subprocess

from lab import images, topology
from lab.instance import OUTSIDE_PORT
from lab.machine import HERE

PROGRAM = "first_act"
TRAP = "trap_of_the_test"
# Ours leaves by a namespace of its own: whatever of the project's passes here has another source than the project's.
TRAP_RULES = f"""
table inet {TRAP} {{
  chain out {{
    type filter hook postrouting priority 300; policy accept;
    oifname "{topology.UPLINK}" ip daddr {topology.OUTSIDE[0]} counter
    oifname "{topology.UPLINK}" ip6 daddr {topology.OUTSIDE[1]} counter
  }}
}}
"""


@dataclasses.dataclass(frozen=True)
class Start:
    """Of one container: how many datagrams, one a millisecond, did not come back before the first that did; milliseconds from its
    first instruction to that, and to its connection; -1: never. Who it was."""
    lost: int
    answered: int
    connected: int
    peer: str

    @property
    def had_its_way(self):
        """Before the first instruction: nothing had to be sent again, which a connection does after a second."""
        return self.lost == 0 and 0 <= self.connected < 500


@contextlib.contextmanager
def trap(lab):
    """On the host's uplink, for all that goes to the server outside. Yields a function that returns what was caught."""
    host = lab.host("engine")

    def caught():
        listing = json.loads(host.run(["nft", "-j", "list", "table", "inet", TRAP]).stdout)
        return sum(statement["counter"]["packets"] for item in listing["nftables"] if "rule" in item
                   for statement in item["rule"]["expr"] if "counter" in statement)

    host.run(["nft", "-f", "-"], input_text=TRAP_RULES)
    try:
        yield caught
    finally:
        host.run(["nft", "delete", "table", "inet", TRAP])


def prepare(lab):
    """The program, where the lab's engine sees it. Returns its directory."""
    subprocess.run(["cc", "-O2", "-static", "-o", lab.engine.paths.state / PROGRAM, HERE / f"{PROGRAM}.c"], check=True)
    return lab.engine.paths.state


def start(lab, project, directory, number, network=None):
    """A container of the project more, which ends by itself. Returns its Start."""
    engine = lab.engine
    body = {"Image": images.SERVICES, "Cmd": [f"/act/{PROGRAM}", topology.OUTSIDE[0], str(OUTSIDE_PORT)],
            "Labels": {"com.docker.compose.project": project.name},
            "HostConfig": {"Binds": [f"{directory}:/act:ro"], "NetworkMode": network or f"{project.name}_default"}}
    identifier = engine.api("POST", f"/containers/create?name={project.name}-start-{number}", body)["Id"]
    try:
        engine.api("POST", f"/containers/{identifier}/start")
        engine.api("POST", f"/containers/{identifier}/wait")
        said = lab.docker("logs", identifier).stdout
    finally:
        engine.api("DELETE", f"/containers/{identifier}?force=true")
    found = re.fullmatch(r"lost (-?\d+) udp (-?\d+) tcp (-?\d+) peer (\S+)\n", said)
    assert found, said
    return Start(*map(int, found.groups()[:3]), found[4])
