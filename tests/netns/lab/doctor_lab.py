"""`anchord doctor` on a whole network-anchor, and what a fault makes it say.

Used by test_doctor_checks.py and test_doctor_faults.py. Runs as root.
"""

import json
import subprocess

from fake_docker import DMZ_ID, TRANSIT_ID
from supervision import wait_until
from whole_anchor import WholeAnchor

PROGRAM = "workers/commands/doctor/anchord-doctor-under-test"

UNMASQUERADED = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
HEALTHY_INFO = {"SecurityOptions": ["name=seccomp,profile=builtin"]}


def healthy_anchor(build, kind=WholeAnchor):
    """Not started yet. With routers of both families on its LAN, nothing is wrong with it."""
    made = kind(build)
    made.docker.info = HEALTHY_INFO
    for setting in ("accept_ra=2", "forwarding=0"):
        made.lab.anchor.run("sysctl", "-qw", f"net.ipv6.conf.ext0.{setting}")
    made.docker.networks[TRANSIT_ID]["Options"] = UNMASQUERADED
    made.docker.networks[DMZ_ID]["IPAM"]["Config"][1]["Gateway"] = "2001:db8:99::1"
    for gateway in ("10.99.0.1/32", "2001:db8:99::1/128"):
        made.lab.client.run("ip", "address", "add", gateway, "dev", "eth0", *["nodad"] * (":" in gateway))
    return made


class Doctor:
    def __init__(self, build, whole, runtime=""):
        """`runtime`: where the anchor's socket is; None: in a /run of its own."""
        self.build, self.whole = build, whole
        self.runtime = str(whole.supervision.runtime) if runtime == "" else runtime

    def command(self, *words):
        return [*WholeAnchor.wrap(self.whole), self.build / PROGRAM, *words]

    def environment(self):
        runtime = {"RUNTIME_DIRECTORY": self.runtime} if self.runtime else {}
        return {"DOCKER_HOST": f"unix://{self.whole.supervision.docker_socket}", **runtime}

    def run(self, *words, timeout=30, before=(), **environment):
        return subprocess.run([*before, *self.command(*words)], text=True, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd="/",
                              pass_fds=[self.whole.lab.anchor.descriptor], env=self.environment() | environment)

    def look(self, *words, **environment):
        result = self.run("--json", *words, **environment)
        assert result.stdout, result
        return result.returncode, json.loads(result.stdout)

    def verdicts(self, *words, **environment):
        """{check: {(verdict, code)}}"""
        found = {}
        for one in self.look(*words, **environment)[1]["results"]:
            found.setdefault(one["check"], set()).add((one["verdict"], one["code"]))
        return found

    def inside(self, command):
        """What a person types in the anchor's namespace."""
        return subprocess.run([*WholeAnchor.wrap(self.whole), "sh", "-c", command], check=True, text=True, capture_output=True,
                              pass_fds=[self.whole.lab.anchor.descriptor]).stdout


def wrong(found):
    return [(one["check"], one["code"], one["sentence"]) for one in found["results"] if one["verdict"] in ("WARN", "FAIL")]


def broken(doctor, check, code, make, *, verdict="FAIL", await_it=True):
    """The finding that a fault makes."""
    make()
    found, statuses = {}, []

    def is_found():
        status, report = doctor.look(check)
        statuses.append(status)
        found.clear()
        found.update({one["code"]: one for one in report["results"]})
        return code in found

    assert is_found() or (await_it and wait_until(is_found, 10)), (code, found)
    assert found[code]["verdict"] == verdict and found[code]["sentence"], found
    assert statuses[-1] == 1
    return found[code]


def mend(doctor, finding):
    """What was printed, pasted."""
    doctor.inside(finding["do"])
