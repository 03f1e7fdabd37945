"""compose/example-authentik.yaml, as shipped: three identities of a project, outposts by Docker's API (DISC-2).

One running project for all tests; each removes the outposts that it creates.
"""

import contextlib
import datetime
import json
import time

import pytest

from direct import FAMILIES
from lab import compose, images
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, wait_until

NAME = "authentik"
# The defaults that the file's comment names.
ADDRESSES = {"sso": ("10.99.0.41", "fd99::41"), "directory": ("10.99.0.42", "fd99::42"),
             "apps": ("10.99.0.43", "fd99::43")}
PROMISE_SECONDS = 5  # SPEC DISC-6


class Outpost:
    """A container that nobody but Docker's API knows of: no label of Compose. tcp, udp: ports that it listens on."""

    def __init__(self, lab, identity, name, expose, *, tcp="", udp=""):
        self.lab, self.identity, self.name = lab, identity, name
        listen = ["--tcp", tcp] * bool(tcp) + ["--udp", udp] * bool(udp)
        created = lab.engine.api("POST", f"/containers/create?name=ak-outpost-{name}", {
            "Image": images.SERVICES, "Cmd": ["services", "--name", name, *listen],
            "Labels": {"identity": f"{NAME}-{identity}", "anchord.expose": expose},
            "HostConfig": {"NetworkMode": f"{NAME}_{identity}-transit"}})
        self.id = created["Id"]
        lab.engine.api("POST", f"/containers/{self.id}/start")

    def seconds_since_start(self):
        text = self.lab.engine.inspect(self.id)["State"]["StartedAt"][:26].rstrip("Z")  # nanoseconds are cut
        started = datetime.datetime.fromisoformat(text.ljust(26, "0")).replace(tzinfo=datetime.timezone.utc)
        return time.time() - started.timestamp()

    def namespace(self):
        return self.lab.container_namespace(self.id)

    def remove(self):
        self.lab.engine.api("DELETE", f"/containers/{self.id}?force=true")


@pytest.fixture(scope="module")
def authentik(request, lab, anchord_image):
    project = compose.Project(lab, CHECKOUT / "compose" / "example-authentik.yaml", name=NAME)
    with compose.discarded_afterwards(request, project):
        project.up()
        for family in FAMILIES:
            wait_answer(lab, "tcp", "sso", family, 443, "server")
        yield project


@pytest.fixture
def spawn(lab, authentik):
    """spawn(identity, name, expose, tcp=…, udp=…): a running Outpost, removed after the test."""
    with contextlib.ExitStack() as stack:
        def factory(*arguments, **options):
            outpost = Outpost(lab, *arguments, **options)
            stack.callback(lambda: lab.docker("rm", "--force", outpost.id, check=False))
            return outpost
        yield factory


def wait_answer(lab, proto, identity, family, port, name, deadline=20):
    """As a LAN client; returns the answer."""
    address = ADDRESSES[identity][FAMILIES.index(family)]
    return wait_until(lambda: (answer := lab.lanhost1.probe(proto, address, port, timeout=0.3)).startswith(f"{name} ")
                      and answer, deadline, f"{name} answers on {proto}/{port} of {address}")


def wait_exposed(authentik, identity, expected):
    """Until status of the identity shows these: (container, port, backend's port)."""
    def shown():
        status = json.loads(authentik.exec(f"{identity}-anchor", "anchord", "status", "--json").stdout)
        return {(row["container"], row["port_first"], row["backend_port_first"]) for row in status["exposures"]}
    wait_until(lambda: shown() == expected, PROMISE_SECONDS, f"status of {identity} shows {expected}")


def leaves_with(lab, namespace):
    """What the outside server sees, IPv4 and IPv6."""
    return tuple(namespace.probe("tcp", address, OUTSIDE_PORT).split()[1] for address in lab.outside.addresses)


@pytest.mark.every_engine
def test_each_identity_is_a_machine_of_its_own(lab, authentik, spawn):
    """DISC-2 (disjoint selectors), NAT-1, NAT-2, NAT-5 (LDAPS 636 → 6636), NAT-8, GW-1 (a transit for each)."""
    ldap = spawn("directory", "ldap", "tcp/389:3389, tcp/636:6636", tcp="3389,6636")
    radius = spawn("directory", "radius", "udp/1812, udp/1813", udp="1812,1813")
    proxy = spawn("apps", "proxy", "tcp/80:9000, tcp/443:9443", tcp="9000,9443")
    expected = {"sso": (("tcp", 80, "server"), ("tcp", 443, "server")),
                "directory": (("tcp", 389, "ldap"), ("tcp", 636, "ldap"),
                              ("udp", 1812, "radius"), ("udp", 1813, "radius")),
                "apps": (("tcp", 80, "proxy"), ("tcp", 443, "proxy"))}
    for identity, ports in expected.items():
        for index, family in enumerate(FAMILIES):
            for proto, port, name in ports:
                answer = wait_answer(lab, proto, identity, family, port, name)
                assert answer.split()[1] == lab.lanhost1.addresses[index]
            scan = lab.lanhost2.scan_tcp(ADDRESSES[identity][index], (80, 389, 443, 636, 3389, 6636, 9000, 9443))
            assert scan.open == {port for proto, port, _ in ports if proto == "tcp"}, identity
    for name, identity in (("server", "sso"), ("worker", "sso")):
        assert leaves_with(lab, authentik.namespace(name)) == ADDRESSES[identity]
    for outpost in (ldap, radius, proxy):
        assert leaves_with(lab, outpost.namespace()) == ADDRESSES[outpost.identity]
    # As any other machine: single sign-on sees the directory's address.
    assert ldap.namespace().probe("tcp", ADDRESSES["sso"][0], 443).split()[:2] == ["server", ADDRESSES["directory"][0]]


@pytest.mark.every_engine
def test_an_outpost_is_served_within_the_promise_and_gone_with_it(lab, authentik, spawn, figure):
    """DISC-6 outside of Compose: 5 s after its start at the latest, in both families; after its removal refused."""
    for run in range(2):  # the second one finds a network-anchor that has seen one go
        outpost = spawn("directory", f"ldap{run}", "tcp/636:6636", tcp="6636")
        for family in FAMILIES:
            wait_answer(lab, "tcp", "directory", family, 636, outpost.name, PROMISE_SECONDS)
        seconds = outpost.seconds_since_start()
        figure(f"start of the outpost to its answers {seconds:.2f} s")
        assert seconds < PROMISE_SECONDS
        wait_exposed(authentik, "directory", {(f"ak-outpost-{outpost.name}", 636, 6636)})
        wait_exposed(authentik, "apps", set())
        outpost.remove()
        for address in ADDRESSES["directory"]:
            wait_until(lambda a=address: lab.lanhost1.probe("tcp", a, 636, timeout=0.3) == "refused", PROMISE_SECONDS,
                       f"tcp/636 of {address} is refused")
        wait_exposed(authentik, "directory", set())


def test_a_stopped_identity_is_no_concern_of_the_others(lab, authentik, spawn):
    """Fail closed by itself: without its network-anchor an identity neither answers nor leaves; the others notice
    nothing."""
    ldap = spawn("directory", "ldap", "tcp/636:6636", tcp="6636")
    wait_answer(lab, "tcp", "directory", 4, 636, "ldap")
    with lab.lanhost1.connect(ADDRESSES["sso"][0], 443) as four, lab.lanhost1.connect(ADDRESSES["sso"][1], 443) as six:
        authentik.compose("stop", "directory-anchor")
        assert lab.lanhost1.probe("tcp", ADDRESSES["directory"][0], 636, timeout=0.5) in ("timeout", "unreachable")
        assert ldap.namespace().probe("tcp", lab.outside.ipv4, OUTSIDE_PORT, timeout=0.5) in ("timeout", "unreachable")
        assert leaves_with(lab, authentik.namespace("worker")) == ADDRESSES["sso"]
        authentik.up("directory-anchor", "--no-deps")
        wait_answer(lab, "tcp", "directory", 4, 636, "ldap")
        assert four.alive() and six.alive()
