"""A whole anchord, and what `anchord doctor` asks it for the group `path`: on the host, which the bridge's namespace
plays, and in the network-anchor's own container.

`one` is the container that something is exposed of. The client on the LAN is the router, too,
and behind it there is another one.
"""

import json
import os
import subprocess
import time

from netadmin_lab import CLIENT4, CLIENT6, CLIENT_UNIQUE_LOCAL, EXTERNAL_MAC, LAN4, LAN6, LAN_UNIQUE_LOCAL
from supervision import ROOT, wait_until
from whole_anchor import WholeAnchor

SIZES = {"object": 128, "sentence": 384, "why": 512, "remedy": 1024}
VERDICTS = {1: "OK", 2: "WARN", 3: "FAIL", 4: "SKIP", 5: "UNKNOWN"}
ANSWER_SIZE = 20 + sum(SIZES.values())


def number_of(name):
    """Of a problem, as the registry has it."""
    for line in (ROOT / "protocol" / "problem_list.h").read_text().splitlines():
        if line.startswith(f"CHECKED({name}, "):
            return int(line.split(", ")[1])
    raise KeyError(name)


class Answer:
    def __init__(self, record):
        _, _, verdict, self.problem, self.cause = (int.from_bytes(record[at:at + 4], "little") for at in range(0, 20, 4))
        self.verdict = VERDICTS[verdict]
        at = 20
        for name, size in SIZES.items():
            setattr(self, name, record[at:at + size].split(b"\0")[0].decode())
            at += size

    def __repr__(self):
        return f"{self.verdict} {self.problem} {self.object}: {self.sentence} | {self.why} | {self.remedy}"


class PathLab(WholeAnchor):
    def __init__(self, build):
        super().__init__(build)
        self.supervision.install_real("probe", "look", below="workers/commands")
        self.put_on_macvlan()
        self.lab.client.sysctl("ipv4/ip_forward", 1)
        self.lab.client.sysctl("ipv6/conf/all/forwarding", 1)
        self.build_beyond()
        self.sleepers = []
        for namespace in (self.lab.one, self.lab.two):
            with namespace.entered():
                self.sleepers.append(subprocess.Popen(["sleep", "infinity"]))

    def put_on_macvlan(self):
        """As Docker has it: the anchor's interface is a macvlan on one of the host's, on which --from-lan makes another."""
        lab = self.lab
        lab.anchor.run("ip", "link", "del", "ext0")
        lab.cable(lab.bridge, "lan0", lab.client, "eth0")
        lab.bridge.run("ip", "link", "add", "ext0", "link", "lan0", "address", EXTERNAL_MAC, "netns",
                       f"/proc/{os.getpid()}/fd/{lab.anchor.descriptor}", "type", "macvlan", "mode", "bridge")
        for namespace, link, addresses in ((lab.anchor, "ext0", (f"{LAN4}/24", f"{LAN6}/64", f"{LAN_UNIQUE_LOCAL}/64")),
                                           (lab.client, "eth0", (f"{CLIENT4}/24", f"{CLIENT6}/64", f"{CLIENT_UNIQUE_LOCAL}/64"))):
            for address in addresses:
                namespace.run("ip", "address", "add", address, "dev", link, *["nodad"] * (":" in address))
            namespace.run("ip", "link", "set", link, "up")

    def build_beyond(self):
        """A second router, behind the client."""
        self.lab.cable(self.lab.client, "beyond", self.lab.other, "beyond")
        self.lab.other.sysctl("ipv4/ip_forward", 1)
        self.lab.other.sysctl("ipv6/conf/all/forwarding", 1)
        for namespace, number, other, networks in ((self.lab.client, 1, 2, ("198.51.100.0/24", "3fff::/20")),
                                                   (self.lab.other, 2, 1, ("10.99.0.0/24", "fd99::/64", "2001:db8:99::/64"))):
            namespace.run("ip", "address", "add", f"203.0.113.{number}/24", "dev", "beyond")
            namespace.run("ip", "address", "add", f"fd03::{number}/64", "dev", "beyond", "nodad")
            for network in networks:
                via = f"fd03::{other}" if ":" in network else f"203.0.113.{other}"
                namespace.run("ip", "route", "add", network, "via", via)

    def start(self, **environment):
        pids = super().start(ANCHORD_EXT_GATEWAY_IP=f"{CLIENT4},{CLIENT6}", **environment)
        self.netadmin_pid = pids["netadmin"]
        wait_until(self.exposures, 10)
        return pids

    def exposures(self):
        return self.told("exposures")

    def told(self, key):
        """A list of `anchord status --json`."""
        status = subprocess.run([self.supervision.build / "daemon" / "anchord", "status", "--json"], capture_output=True, check=True,
                                env={"RUNTIME_DIRECTORY": str(self.supervision.runtime)}).stdout
        return json.loads(status)[key]

    def begin_doctor(self, *words, inside=False):
        """inside: in the network-anchor's container, which sees no process of others and may enter no namespace."""
        wrap = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
                "setpriv", "--bounding-set=-sys_admin,-sys_ptrace", "--inh-caps=-sys_admin,-sys_ptrace"] if inside else []
        with (self.lab.anchor if inside else self.lab.bridge).entered():
            return subprocess.Popen([*wrap, self.supervision.build / "daemon" / "anchord-under-test", "doctor", "--path-answers",
                                     *words, *([] if inside else [str(self.netadmin_pid)])], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE,
                                    env={"PATH": "/usr/bin:/bin", "RUNTIME_DIRECTORY": str(self.supervision.runtime)})

    def doctor(self, *words, inside=False):
        """(answers, seconds)"""
        started = time.monotonic()
        answers = self.finish(self.begin_doctor(*words, inside=inside))
        return answers, time.monotonic() - started

    @staticmethod
    def finish(process):
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0 and len(output) % ANSWER_SIZE == 0, (process.returncode, errors)
        return [Answer(output[at:at + ANSWER_SIZE]) for at in range(0, len(output), ANSWER_SIZE)]

    def close(self):
        for sleeper in self.sleepers:
            sleeper.kill()
            sleeper.wait()
        super().close()
