"""An attached project lives (HOST-4, HOST-6, HOST-9): whatever is restarted, recreated or killed, in whatever order, its
address answers again with the client's source, and its containers leave with it and never with the host's. How long that
took is printed.

One project stays attached over all tests. It has a network of its own, and its database is on one that is shared, too.
What takes Docker along stands last.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import time

import pytest

import attach_starts
from attached import Attachment, WhoIsIt, ordinary
from direct import FAMILIES, Direct, service
from lab import compose, images, topology
from lab.instance import OUTSIDE_PORT
from lab.machine import HERE, LabError, wait_until
from lab.streams import assert_nothing_lost, streaming

pytestmark = pytest.mark.not_on("podman", "attach is for Docker's engine; its cgroups and networks are others")

ADDRESSES, NEIGHBOURS = ("10.99.0.81", "fd99::81"), ("10.99.0.82", "fd99::82")
PROGRAMS = {"host": {"anchord", "anchord-links", "anchord-namespaces", "anchord-control"},
            "identity": {"anchord", "anchord-gate", "anchord-watcher", "anchord-netadmin", "anchord-announcer", "anchord-way",
                         "anchord-exporter", "anchord-control"}}
# A file that dockerd makes anew is another one: what follows that is a directory (docs/configuration.md).
DIRECTORY_OF_SOCKET = {"services": {"identity": {"volumes": ["/var/run:/engine:ro"],
                                                 "environment": ["DOCKER_HOST=unix:///engine/docker.sock"]}}}
COMMON = "common-to-projects"


def static(addresses):
    return f"{addresses[0]}/24,{addresses[1]}/64"


def on_common_network(definition, name):
    """Beside that of its own."""
    definition["networks"]["common"] = {"external": True, "name": COMMON}
    definition["services"][name]["networks"] = ["default", "common"]
    return definition


class Life:
    """The project, its attachment, and what must hold after everything that happens."""

    def __init__(self, lab):
        definition, self.port = ordinary(lab)
        for each in definition["services"].values():
            each["restart"] = "unless-stopped"
        override = lab.state / "attach-override.json"
        override.write_text(json.dumps(DIRECTORY_OF_SOCKET), encoding="utf-8")
        self.lab = lab
        self.project = compose.Project(lab, on_common_network(definition, "database"), name=compose.unique_name("life"))
        self.attachment = Attachment(lab, self.project, static(ADDRESSES), overrides=[override])
        self.halves = {}  # their containers, which nobody can ask for while there is no Docker
        self.caught = lambda: 0

    def attach(self):
        self.project.up()
        self.attachment.attach()
        self.halves = {half: self.attachment.container(half) for half in PROGRAMS}
        self.wait_whole()

    def clients_are_answered(self):
        """NAT-2: with the source that the client has."""
        client = self.lab.lanhost1
        return all(client.probe("tcp", address, self.port, timeout=0.5).startswith(f"web {source} ")
                   and client.probe("udp", address, 8443, timeout=0.5).startswith(f"web {source} ")
                   for address, source in zip(ADDRESSES, client.addresses))

    def leave_with_its_address(self, *names):
        """NAT-8. A container that is not there has not left."""
        with contextlib.suppress(LabError):
            return all(self.project.probe(name, "tcp", to, OUTSIDE_PORT, timeout=0.5).split()[1:2] == [address]
                       for name in names for to, address in zip(topology.OUTSIDE, ADDRESSES))
        return False

    def wait_whole(self, deadline=30):
        """In how many seconds."""
        start = time.monotonic()
        wait_until(self.clients_are_answered, deadline, "an answer on the LAN with the client's source")
        wait_until(lambda: self.leave_with_its_address("web", "database"), deadline, "egress with the project's address")
        return time.monotonic() - start

    def processes(self, half):
        """Program -> PID, the oldest of each; the host half has no namespace of processes of its own."""
        group, found = f"/{self.halves[half]}", {}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended since the directory was read
                if group in (process / "cgroup").read_text():
                    name = os.path.basename(os.readlink(process / "exe"))
                    found[name] = min(int(process.name), found.get(name, 1 << 30))
        return found

    def kill(self, half, *names):
        """With SIGKILL; in how many seconds all have successors. Its parent's end may have taken one along by then."""
        before = self.processes(half)
        start = time.monotonic()
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.kill(before[name], signal.SIGKILL)

        def all_there():
            now = self.processes(half)
            return PROGRAMS[half] <= set(now) and all(now[name] != before[name] for name in names)
        wait_until(all_there, 20, f"new processes of the {half} half")
        return time.monotonic() - start

    @contextlib.contextmanager
    def traffic(self):
        """Inbound and egress, TCP and UDP, 100 a second, both families, all open: nothing of it is lost. Yields a list that
        holds at the end the longest time without an answer, in seconds."""
        inbound = [(protocol, address, port) for protocol, port in (("tcp", self.port), ("udp", 8443)) for address in ADDRESSES]
        egress = [(protocol, address, OUTSIDE_PORT) for protocol in ("tcp", "udp") for address in topology.OUTSIDE]
        longest = []
        with streaming(self.lab.lanhost1, inbound) as one, streaming(self.project.namespace("database"), egress) as other:
            yield longest
        longest.append(max(assert_nothing_lost(found) for found in (one, other)))


def network_common(request, lab):
    lab.docker("network", "create", "--ipv6", "--subnet", "10.41.200.0/24", "--subnet", "fd41:0:0:200::/64", COMMON)
    request.addfinalizer(lambda: lab.docker("network", "rm", COMMON))


@pytest.fixture(scope="module")
def attached(request, lab, anchord_image):
    del anchord_image
    network_common(request, lab)
    life = Life(lab)
    with compose.discarded_afterwards(request, life.project, life.attachment), attach_starts.trap(lab) as life.caught:
        life.attach()
        yield life


@pytest.fixture
def life(attached):
    """Nothing leaves with the host's address, whatever happens to whom."""
    before = attached.caught()
    yield attached
    assert attached.caught() == before


# --- the halves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half,name", [(half, name) for half in PROGRAMS for name in sorted(PROGRAMS[half])])
def test_host9_a_killed_process_costs_no_connection_and_comes_back(life, half, name, figure):
    """NAT-14, HOST-11: of both halves."""
    with life.traffic() as longest:
        back = life.kill(half, name)
    figure(f"back after {back:.1f} s, longest time without an answer {longest[0] * 1000:.0f} ms")


def test_host9_after_all_these_kills_changes_are_followed_as_before(life):
    """Also what happens while they are away: whoever comes later reads what is there."""
    life.lab.docker("restart", "--time", "0", life.project.container("web"))
    life.wait_whole()
    life.kill("host", *PROGRAMS["host"])
    life.kill("identity", *PROGRAMS["identity"])
    life.project.recreate("web")
    life.wait_whole()


@pytest.mark.parametrize("halves", [("host",), ("identity",), ("host", "identity"), ("identity", "host")], ids="-".join)
def test_host9_halves_are_restarted_in_any_order(life, halves, figure):
    """HOST-9, HOST-11."""
    for half in halves:
        life.lab.docker("restart", life.attachment.container(half))
    figure(f"answers and leaves {life.wait_whole():.1f} s after `docker restart`")


# --- the project ------------------------------------------------------------------------------------------------------


CHANGES = {
    "restarted": lambda life: life.lab.docker("restart", "--time", "0", life.project.container("web")),
    "killed": lambda life: os.kill(life.project.inspect("web")["State"]["Pid"], signal.SIGKILL),
    "all recreated": lambda life: life.project.up("--force-recreate"),
    "down and up": lambda life: (life.project.down(timeout=0), life.project.up()),  # the bridge, too, is another one
}


@pytest.mark.every_engine
@pytest.mark.parametrize("change", CHANGES)
def test_host9_containers_come_and_go(life, change, figure):
    """HOST-4, HOST-9."""
    CHANGES[change](life)
    figure(f"answers and leaves {life.wait_whole():.1f} s after the command")


@pytest.mark.every_engine
def test_host9_a_removed_container_is_exposed_no_more(life, figure):
    """NAT-11; the database goes on leaving. One that is made anew is served as if it had always been there."""
    life.project.compose("rm", "--stop", "--force", "web")
    wait_until(lambda: life.lab.lanhost1.probe("tcp", ADDRESSES[0], life.port, timeout=0.5) == "refused", 10, "a refusal")
    assert life.leave_with_its_address("database")
    life.project.up("web")
    figure(f"answers and leaves {life.wait_whole():.1f} s after the command")


STARTS = 8


@pytest.mark.every_engine
def test_host4_a_container_has_its_way_before_its_first_instruction(lab, life, figure):
    """HOST-4, HOST-6: on Engine 20.10 later, and nothing leaves before. On a busy machine some are late, too; tests/bench/run attach
    starts a hundred. Who would wait for `start` would always come too late."""
    directory = attach_starts.prepare(lab)
    starts = [attach_starts.start(lab, life.project, directory, number) for number in range(STARTS)]
    assert {start.peer for start in starts} == {ADDRESSES[0]}
    in_time = sum(start.had_its_way for start in starts)
    figure(f"{in_time} of {STARTS}; the others after {[start.answered for start in starts if not start.had_its_way]} ms")
    assert lab.engine.suite == "bookworm" or in_time > 0


# --- who may come in --------------------------------------------------------------------------------------------------


@pytest.fixture
def let_in(life):
    """let_in(ANCHORD_ALLOW=…): attached again with these variables. Without them at the end."""
    def attach_again(**variables):
        life.attachment.environment.update(variables)
        life.attachment.attach()
        life.halves["identity"] = life.attachment.container("identity")

    yield attach_again
    for name in ("ANCHORD_ALLOW", "ANCHORD_LIMIT"):
        life.attachment.environment.pop(name, None)
    attach_again()
    life.wait_whole()


def test_guest5_attached_again_with_a_shorter_list_open_flows_end(life, let_in):
    """GUEST-1, GUEST-3: from who is not on it any more, of both families and protocols. Who is on it goes on, and who leaves
    has nothing to do with it."""
    stays, leaves = life.lab.lanhost2, life.lab.lanhost1
    with contextlib.ExitStack() as stack:
        connections = {client: [stack.enter_context(client.connect(address, life.port)) for address in ADDRESSES]
                       for client in (stays, leaves)}
        pingers = {client: [stack.enter_context(client.udp_pinger(address, 8443)) for address in ADDRESSES]
                   for client in (stays, leaves)}
        for pinger in (*pingers[stays], *pingers[leaves]):
            wait_until(pinger.last_reply, 5, "an answer")
        sources = " ".join(stays.addresses)
        let_in(ANCHORD_ALLOW=f"web: tcp/{life.port - 1}-{life.port} from {sources}, web: udp/8443 from {sources}",
               ANCHORD_LIMIT=f"web: tcp/{life.port} 1/minute per source burst 2")
        for address, pinger in zip(ADDRESSES, pingers[stays]):
            since = time.monotonic()
            wait_until(lambda pinger=pinger, since=since: pinger.replies_since(since), 10, "an answer to who is on the list")
            assert stays.probe("tcp", address, life.port).startswith("web ")
            assert leaves.probe("tcp", address, life.port) == "refused"
            # The datagrams that still come use up what the kernel says of closed ports in a second.
            assert leaves.probe("udp", address, 8443, timeout=0.5) in ("refused", "timeout")
        for pinger in pingers[leaves]:
            since = pinger.sent
            wait_until(lambda pinger=pinger, since=since: pinger.sent > since + 50, 10, "more datagrams")
            assert not [sequence for sequence, _, _ in list(pinger.replies) if sequence >= since]
        assert not any(connection.alive() for connection in connections[leaves])
        assert [stays.probe("tcp", ADDRESSES[0], life.port).split()[0] for _ in range(2)] == ["web", "refused"]
        wait_until(lambda: life.leave_with_its_address("web", "database"), 10, "egress with the project's address")


# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.fixture
def neighbour(request, lab, attached):
    """Another attached project, on the same shared network."""
    del attached
    definition, port = ordinary(lab)
    definition["services"]["web"]["ports"].pop()  # the other project has it
    project = compose.Project(lab, on_common_network(definition, "web"), name=compose.unique_name("neighbour"))
    attachment = Attachment(lab, project, static(NEIGHBOURS))
    with compose.discarded_afterwards(request, project, attachment):
        project.up()
        attachment.attach()
        for address in NEIGHBOURS:
            wait_until(lambda: lab.lanhost1.probe("tcp", address, port, timeout=1).startswith("web "), 10, "the first answer")
        yield project, port


@pytest.fixture
def others(lab, direct, project):
    """A project with a network-anchor, and one that has none of ours: (the first, the second, its port)."""
    anchored = direct({"smtp": service("smtp", tcp="25", expose="tcp/25")})
    definition, port = ordinary(lab)
    definition["services"]["web"]["ports"].pop()
    plain = project(definition)
    anchored.up()
    for family in FAMILIES:
        anchored.wait_answer("tcp", 25, "smtp", family=family, deadline=20)
    return anchored, plain, port


@contextlib.contextmanager
def dns_on_host(lab):
    """A server on the host's port 53."""
    log = lab.state / "host-dns.log"
    log.write_text("")
    process = lab.spawn("engine", ["/usr/bin/python3", HERE / "services.py", "--name", "dns", "--tcp", "53", "--udp", "53"], log)
    try:
        wait_until(lambda: "dns ready" in log.read_text(), 10, "the host's DNS server")
        yield
    finally:
        process.kill()
        process.wait()


def test_host9_all_reach_all(lab, attached, neighbour, others):
    """HOST-7, HOST-9: two attached projects, which share a network, one in the container form and one that has none of ours; the
    host reaches all that lives on it, and they it. But for the container form: no macvlan of Docker's reaches its parent."""
    (other, other_port), (anchored, plain, plain_port) = neighbour, others
    host = topology.ENGINE
    reached = {"life": (ADDRESSES, attached.port, "web"), "neighbour": (NEIGHBOURS, other_port, "web"),
               "plain": (host, plain_port, "web"), "anchored": (anchored.addresses, 25, "smtp")}
    # Who a client is to another machine, to the host and to what is published there.
    clients = {("life", "web"): (attached.project, ADDRESSES), ("life", "database"): (attached.project, ADDRESSES),
               ("neighbour", "web"): (other, NEIGHBOURS), ("neighbour", "database"): (other, NEIGHBOURS),
               ("plain", "web"): (plain, host), ("anchored", "smtp"): (anchored, anchored.addresses)}
    found, before = {}, attached.caught()
    for (of, name), (project, sources) in clients.items():
        for target, (addresses, port, answerer) in reached.items():
            for index, family in enumerate(FAMILIES):
                if of != target and {of, target} != {"plain", "anchored"}:
                    expected = f"{answerer} {sources[index]}"
                    said = project.probe(name, "tcp", addresses[index], port, timeout=1)
                    if not said.startswith(f"{expected} "):
                        found[of, name, target, family] = (expected, said)
    assert found == {}
    for target in ("life", "neighbour", "plain"):
        addresses, port, answerer = reached[target]
        for address in addresses:
            assert lab.host("engine").probe("tcp", address, port).startswith(f"{answerer} "), target
    with dns_on_host(lab):
        for project, name, sources in ((attached.project, "web", ADDRESSES), (attached.project, "database", ADDRESSES), (other, "web", NEIGHBOURS)):
            for protocol in ("udp", "tcp"):
                assert [project.probe(name, protocol, address, 53).split()[:2] for address in host] == [["dns", s] for s in sources]
    assert attached.caught() == before
    # A stranger on the shared network leaves as before.
    lab.docker("run", "--detach", "--rm", "--name", "stranger", "--network", COMMON, images.SERVICES, "sleep", "60")
    try:
        assert lab.container_namespace("stranger").probe("tcp", topology.OUTSIDE[0], OUTSIDE_PORT).split()[1] == host[0]
    finally:
        lab.docker("rm", "--force", "stranger")


# --- the end ----------------------------------------------------------------------------------------------------------


OURS = re.compile(r"anchord|24942|proto 110|3276[0-5]:")


def ours_in(namespace):
    """What of ours is in a container's network namespace."""
    commands = (["ip", "rule"], ["ip", "-6", "rule"], ["ip", "route", "show", "table", "all"], ["ip", "-6", "route", "show", "table", "all"],
                ["ip", "neighbour", "show", "nud", "permanent"], ["nft", "list", "tables"])
    return [line for command in commands for line in namespace.run(command).stdout.splitlines() if OURS.search(line)]


def way_twice(life):
    """Its third start waits for a second."""
    life.kill("identity", "anchord-way")
    os.kill(life.processes("identity")["anchord-way"], signal.SIGKILL)


def way_and_the_host_half(life):
    way_twice(life)
    os.kill(life.processes("host")["anchord"], signal.SIGKILL)


AT_THE_END = {
    "way between two starts": way_twice,
    "way and the host half": way_and_the_host_half,
    "way that hangs": lambda life: os.kill(life.processes("identity")["anchord-way"], signal.SIGSTOP),
    "supervisor": lambda life: os.kill(life.processes("identity")["anchord"], signal.SIGKILL),
}


@pytest.mark.parametrize("dead", AT_THE_END)
def test_host8_whatever_is_down_at_that_second_nothing_is_left_in_the_containers(attached, dead, figure):
    """HOST-4, HOST-8: what the identity half alone can undo, at a `docker compose down` of the attachment."""
    namespaces = [attached.project.namespace(name) for name in ("web", "database")]
    assert all(ours_in(namespace) for namespace in namespaces)
    AT_THE_END[dead](attached)
    start = time.monotonic()
    attached.attachment.compose("stop", "identity")
    figure(f"stopped after {time.monotonic() - start:.1f} s")
    try:
        assert [ours_in(namespace) for namespace in namespaces] == [[], []]
    finally:
        attached.attachment.up()
        attached.attachment.wait_ready()
        attached.wait_whole()


# --- the host ---------------------------------------------------------------------------------------------------------


def test_host2_the_parent_goes_down_and_up(lab, life, figure):
    """HOST-2: what its manager gives the host back is followed, too."""
    host = lab.host("engine")
    host.run(["ip", "link", "set", topology.UPLINK, "down"])
    assert lab.lanhost1.probe("tcp", ADDRESSES[0], life.port, timeout=0.5) in ("timeout", "unreachable")
    host.run(["ip", "link", "set", topology.UPLINK, "up"])
    start = time.monotonic()
    host.run(["ip", "address", "add", f"{host.ipv6}/64", "dev", topology.UPLINK, "nodad"])
    for gateway in topology.ROUTER:
        host.run(["ip", "route", "add", "default", "via", gateway])
    life.wait_whole()
    figure(f"answers and leaves {time.monotonic() - start:.1f} s after it is up")
    wait_until(lambda: all(host.probe("tcp", address, life.port, timeout=0.5).startswith(f"web {source} ")
                           for address, source in zip(ADDRESSES, host.addresses)), 10, "the host reaches it")


@pytest.mark.every_engine
def test_host9_docker_is_restarted_and_takes_all_along(lab, attached, figure):
    """HOST-9: in which order the halves come back, and the project, is Docker's choice. Open between Docker's start and ours (HOST-6)."""
    with lab.engine_stopped("--live-restore"):  # which holds from now on
        pass
    figure(f"answers and leaves {attached.wait_whole(60):.1f} s after Docker answered")


def test_host9_docker_is_restarted_and_lets_all_live(lab, life, figure):
    """HOST-9, after the test before: nothing is lost, also when the halves begin anew while there is no Docker."""
    try:
        with life.traffic() as longest:
            with lab.engine_stopped("--live-restore"):
                life.kill("host", "anchord")
                life.kill("identity", "anchord")
        life.wait_whole()
        life.project.recreate("web")
        figure(f"longest time without an answer {longest[0] * 1000:.0f} ms; a container made anew answers after {life.wait_whole():.1f} s")
    finally:
        with lab.engine_stopped():
            pass
