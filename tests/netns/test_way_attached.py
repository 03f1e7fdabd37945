"""anchord-way under attach, in the network namespace of a container that nobody changed (HOST-4, HOST-5): what the project's
address let in goes back by the identity, what a published port let in goes back by Docker's bridge.

                     +-- lan   host   br0 (.1) --+
    client 203.0.113.9                           +-- eth0 container (.5)
                     +-- ancext   identity ------+
                                  ancin0, 169.254.24.94/32

Client and container are on no common link; host and identity translate port 8080 and 80 to the container's 80.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import messages
from netadmin_lab import ASK, DEADLINE, Namespace, Service, wait_logged, wait_until
from service_anchor_lab import REPAIR_SECONDS, TABLE, UNREACHABLE
from way_lab import WAYS_INSTALLED, Way

FAMILIES = (4, 6)
INNER_MAC = "02:00:00:00:18:94"
STRANGER_MAC = "02:00:00:00:99:99"
NEXT_HOP = {4: "169.254.24.94", 6: "fe80::ff:fe00:1894"}
CLIENT = {4: "203.0.113.9", 6: "2001:db8:113::9"}
HOST = {4: "10.1.0.1", 6: "2001:db8:1::1"}
PROJECT = {4: "10.2.0.50", 6: "2001:db8:2::50"}
BRIDGE, CONTAINER = {4: "172.18.0.1", 6: "fd18::1"}, {4: "172.18.0.5", 6: "fd18::5"}
SUBNET = {4: "172.18.0.0/24", 6: "fd18::/64"}
SILENCE = 0.3
RULES = ["32763: from all fwmark 0x400000/0x400000 lookup main proto 110",
         "32764: from all lookup main suppress_prefixlength 0 proto 110", f"32765: from all lookup {TABLE} proto 110"]
WAY = {4: f"default via {NEXT_HOP[4]} dev eth0 proto 110 metric 100 onlink",
       6: f"default via {NEXT_HOP[6]} dev eth0 proto 110 metric 100 pref medium"}
TABLE_TEXT = f"""table inet anchord_way {{
	chain in {{
		type filter hook prerouting priority mangle; policy accept;
		ct state new ether saddr != {INNER_MAC} ct mark set ct mark | 0x00400000
	}}

	chain out {{
		type route hook output priority mangle; policy accept;
		ct direction reply ct mark & 0x00400000 == 0x00400000 meta mark set meta mark | 0x00400000
	}}
}}
"""


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def rules(namespace, family):
    return [line for line in words(namespace.run("ip", f"-{family}", "rule")) if "proto 110" in line]


def routes(namespace, family):
    return words(namespace.run("ip", f"-{family}", "route", "show", "table", TABLE, check=False))


def marks(namespace):
    # What nft 1.0 writes `or` and `and` for, later ones `|` and `&`.
    text = namespace.run("nft", "list", "table", "inet", "anchord_way", check=False)
    return text.replace(" or 0x", " | 0x").replace(" and 0x", " & 0x")


def pinned(namespace):
    """The neighbours that nobody is asked for: (address, interface, MAC)."""
    lines = [line.split() for line in namespace.run("ip", "neighbour", "show", "nud", "permanent").splitlines()]
    return sorted((line[0], line[2], line[4]) for line in lines if "lladdr" in line)


class Network:
    def __init__(self, stack):
        self.client, self.host, self.identity, self.container = (
            stack.enter_context(contextlib.closing(Namespace())) for _ in range(4))
        for namespace in (self.client, self.host, self.identity, self.container):
            namespace.run("ip", "link", "set", "lo", "up")
        for router in (self.host, self.identity):
            router.sysctl("ipv4/ip_forward", 1)
            router.sysctl("ipv6/conf/all/forwarding", 1)
        self.cable(self.client, "to-host", self.host, "lan")
        self.cable(self.client, "to-project", self.identity, "ancext")
        self.add_network("br0", "veth0", "eth0", "ancin0")
        for family in FAMILIES:
            length = {4: 24, 6: 64}[family]
            self.address(self.client, "lo", CLIENT[family])
            for name, router, there in (("to-host", self.host, HOST[family]), ("to-project", self.identity, PROJECT[family])):
                here = there.rsplit(":" if family == 6 else ".", 1)[0] + {4: ".9", 6: ":9"}[family]
                self.address(self.client, name, f"{here}/{length}")
                self.address(router, {"to-host": "lan", "to-project": "ancext"}[name], f"{there}/{length}")
                router.run("ip", "route", "add", CLIENT[family], "via", here)
            self.address(self.host, "br0", f"{BRIDGE[family]}/{length}")
            self.address(self.container, "eth0", f"{CONTAINER[family]}/{length}")
            self.container.run("ip", f"-{family}", "route", "add", "default", "via", BRIDGE[family])
            self.identity.run("ip", f"-{family}", "route", "add", SUBNET[family], "dev", "ancin0",
                              *(["src", NEXT_HOP[4]] if family == 4 else []))
        for router, interface, address, port in ((self.host, "lan", HOST, 8080), (self.identity, "ancext", PROJECT, 80)):
            router.run("nft", "-f", "-", input=f"""
                table inet nat {{
                    chain in {{ type nat hook prerouting priority dstnat;
                        ip daddr {address[4]} meta l4proto {{ tcp, udp }} th dport {port} dnat ip to {CONTAINER[4]}:80
                        ip6 daddr {address[6]} meta l4proto {{ tcp, udp }} th dport {port} dnat ip6 to [{CONTAINER[6]}]:80
                    }}
                    chain out {{ type nat hook postrouting priority srcnat; oifname {interface} masquerade; }}
                }}""")

    @staticmethod
    def address(namespace, interface, text):
        namespace.run("ip", "address", "add", text, "dev", interface, *(["nodad"] if ":" in text else []))

    @staticmethod
    def cable(first, first_name, second, second_name, mac=None):
        first.run("ip", "link", "add", first_name, "type", "veth", "peer", "name", second_name,
                  *(["address", mac] if mac else []), "netns", f"/proc/{os.getpid()}/fd/{second.descriptor}")
        for namespace, name in ((first, first_name), (second, second_name)):
            namespace.run("ip", "link", "set", name, "up")

    def add_network(self, bridge, port, interface, inner):
        """A bridge of Docker's with the container on it, and the identity as anchord-links put it there."""
        self.host.run("ip", "link", "add", bridge, "type", "bridge")
        self.host.run("ip", "link", "set", bridge, "up")
        self.cable(self.host, port, self.container, interface)
        self.cable(self.host, f"i-{port}", self.identity, inner, INNER_MAC)
        for name in (port, f"i-{port}"):
            self.host.run("ip", "link", "set", name, "master", bridge)
        self.address(self.identity, inner, f"{NEXT_HOP[4]}/32")
        wait_until(lambda: NEXT_HOP[6] in self.identity.run("ip", "-6", "address", "show", "dev", inner, "-tentative"),
                   "the link-local address")

    def ask(self, protocol, address, port, family):
        return ASK[protocol](self.client, address[family], port, CLIENT[family])

    def is_silent(self, protocol, address, port):
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        with self.client.socket(socket.AF_INET, kind) as connection, contextlib.suppress(TimeoutError):
            connection.settimeout(SILENCE)
            connection.bind((CLIENT[4], 0))
            connection.connect((address, port))
            return False
        return True

    def has_way(self):
        return all(rules(self.container, family) == RULES and
                   routes(self.container, family) == [WAY[family], UNREACHABLE[family]] for family in FAMILIES)


@pytest.fixture
def network():
    with contextlib.ExitStack() as stack:
        yield Network(stack)


def start(build, network):
    made = Way(build / "workers/way/anchord-way", network.host, NEXT_HOP[4], NEXT_HOP[6], INNER_MAC)
    made.commit()
    made.wait_ready(WAYS_INSTALLED)
    return made


@pytest.fixture
def way(build, network):
    made = start(build, network)
    yield made
    made.close()


@pytest.fixture
def services(network):
    made = [Service(network.container, "container", protocol, 80, {4: "0.0.0.0", 6: "::"}[family])
            for family in FAMILIES for protocol in ASK]
    yield
    for service in made:
        service.close()


def test_host12_ready_is_said_when_all_were_handed_out(build, network):
    """HOST-12: not before; a project of which nothing runs has all of its ways, too."""
    with contextlib.closing(Way(build / "workers/way/anchord-way", network.host, NEXT_HOP[4], NEXT_HOP[6], INNER_MAC)) as way:
        way.ping(1)
        assert not way.readiness
        way.serve(0, network.container)
        wait_until(network.has_way, "rules and routes")
        way.ping(2)
        assert not way.readiness
        way.commit()
        way.wait_ready(WAYS_INSTALLED)


def test_replies_go_back_where_the_flow_came_in(build, way, network, services):
    """HOST-4, HOST-5: both at once, TCP and UDP, both families, the client's source in each."""
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    assert marks(network.container) == TABLE_TEXT
    both = [(protocol, address, port, family) for family in FAMILIES for protocol in ASK
            for address, port in ((PROJECT, 80), (HOST, 8080))]
    for question in both:
        name, seen, source = network.ask(*question)
        assert (name, seen) == ("container", source), question
    # And what the container begins leaves with the project's address.
    for family in FAMILIES:
        with contextlib.closing(Service(network.client, "client", "tcp", 99, CLIENT[family])):
            _, seen, _ = ASK["tcp"](network.container, CLIENT[family], 99)
        assert seen[0] == PROJECT[family]

    # It is the marks by which the published port answers: without them it does not. A successor puts them back.
    # (With br_netfilter the host's conntrack gives a bridged reply its address back, whichever way it goes.)
    for name in ("iptables", "ip6tables"):
        with contextlib.suppress(FileNotFoundError):
            network.host.sysctl(f"bridge/bridge-nf-call-{name}", 0)
    way.kill()
    network.container.run("nft", "delete", "table", "inet", "anchord_way")
    assert network.is_silent("tcp", HOST[4], 8080)
    successor = start(build, network)
    successor.serve(0, network.container)
    wait_until(lambda: marks(network.container) == TABLE_TEXT, "the marks are back")
    for question in both:
        assert network.ask(*question)[0] == "container", question
    # What somebody else removes comes back with the next news of the kernel.
    network.container.run("nft", "delete", "table", "inet", "anchord_way")
    network.container.run("ip", "route", "add", "198.51.100.0/24", "dev", "eth0")
    wait_until(lambda: marks(network.container) == TABLE_TEXT, "the marks are back")
    successor.close()


@contextlib.contextmanager
def other_identity(network):
    """Another project's, on the same Docker network, with the same next hop by chance; or a container that says so."""
    with contextlib.closing(Namespace()) as stranger:
        network.cable(network.host, "other0", stranger, "ancin0", STRANGER_MAC)
        network.host.run("ip", "link", "set", "other0", "master", "br0")
        network.address(stranger, "ancin0", f"{NEXT_HOP[4]}/32")
        network.address(stranger, "ancin0", f"{NEXT_HOP[6]}/64")
        for family in FAMILIES:
            stranger.run("ip", f"-{family}", "route", "add", SUBNET[family], "dev", "ancin0", "src", NEXT_HOP[family])
        yield stranger


def solicitations(namespace):
    """How many have come, of the kernel's counters."""
    return int(namespace.run("cat", "/proc/net/snmp6").split("Icmp6InNeighborSolicits")[1].split()[0])


def test_host2_two_projects_with_one_next_hop_on_one_network_keep_their_ways(way, network, services):
    """HOST-2: the other one's questions for its own containers name its MAC as that of the next hop, to all on the network."""
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    with other_identity(network) as stranger:
        for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            assert network.ask("udp", PROJECT, 80, family)[0] == "container"  # so our identity has no more to ask itself
            asked = solicitations(network.container)
            with stranger.socket(kind, socket.SOCK_DGRAM) as question:
                question.sendto(b"?", (CONTAINER[family], 9))
            if family == 4:
                wait_until(lambda: "lladdr" in stranger.run("ip", "neighbour", "show", CONTAINER[4], "dev", "ancin0"), "the answer")
            else:  # which goes by IPv6, so not to the one who asked
                wait_until(lambda before=asked: solicitations(network.container) > before, "the question to have come")
            for protocol in ASK:
                assert network.ask(protocol, PROJECT, 80, family)[0] == "container"
            with contextlib.closing(Service(network.client, "client", "tcp", 99, CLIENT[family])):
                assert ASK["tcp"](network.container, CLIENT[family], 99)[1][0] == PROJECT[family]
    assert pinned(network.container) == sorted((NEXT_HOP[family], "eth0", INNER_MAC) for family in FAMILIES)


def test_other_peoples_bits_stay(way, network, services):
    """HOST-5: of each mark one bit is ours."""
    network.container.run("nft", "-f", "-", input="""
        table inet others {
            counter kept {}
            chain in { type filter hook prerouting priority mangle - 1; ct state new ct mark set 0x5; }
            chain out { type filter hook output priority mangle - 1; meta mark set 0x9; }
            chain last { type filter hook output priority 0; ct mark 0x400005 meta mark 0x400009 counter name kept; }
        }""")
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    for family in FAMILIES:
        assert network.ask("tcp", HOST, 8080, family)[0] == "container"
    kept = network.container.run("nft", "list", "counter", "inet", "others", "kept")
    assert int(kept.split("packets ")[1].split()[0]) > 2, kept


def paste(container, remedy):
    """As printed; of Docker's answers the one to what process the container is."""
    with container.entered():
        process = subprocess.Popen(["sleep", "infinity"])
    try:
        subprocess.run(["sh", "-ec", f"docker() {{ echo {process.pid}; }}\n{remedy}"], check=True)
    finally:
        process.kill()
        process.wait()


def test_other_peoples_rules_win_and_are_told_of(way, network, services):
    """HOST-4, SA-2, SEE-1 (ANC0332): as a VPN in the container has them, once for each family, also when they come later; they go
    by what is printed, and are said again when they come again."""
    network.container.run("ip", "rule", "add", "priority", "100", "from", CONTAINER[4], "lookup", "200")
    network.container.run("ip", "route", "add", "default", "via", BRIDGE[4], "dev", "eth0", "table", "200")
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    said = "a container has routing rules of its own"
    wait_logged(way, said, family="v4", rules=1, priority=100, namespace=0)
    assert network.ask("tcp", HOST, 8080, 4)[0] == "container"
    assert network.is_silent("tcp", PROJECT[4], 80)
    assert not way.logged(said, family="v6")
    network.container.run("ip", "-6", "rule", "add", "priority", "101", "fwmark", "5", "lookup", "200")
    wait_logged(way, said, family="v6", rules=1, priority=101, namespace=0)
    lines = way.logged(said)
    assert [line["code"] for line in lines] == ["ANC0332"] * 2
    for line in lines:
        paste(network.container, line["remedy"])
    wait_until(lambda: not network.is_silent("tcp", PROJECT[4], 80), "the project's address answers")
    network.container.run("ip", "rule", "add", "priority", "100", "fwmark", "5", "lookup", "200")
    wait_until(lambda: len(way.logged(said)) == 3, "the rule that has come since")


def test_the_way_follows_dockers_default_route(way, network):
    """HOST-4: `network connect` and `disconnect` change which interface that is; without any nothing leaves."""
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    network.add_network("br1", "veth1", "eth1", "ancin1")
    network.address(network.container, "eth1", "172.19.0.5/24")
    network.container.run("ip", "route", "replace", "default", "via", "172.19.0.1", "dev", "eth1")
    other = WAY[4].replace("eth0", "eth1")
    wait_until(lambda: routes(network.container, 4) == [other, UNREACHABLE[4]], "the other interface")
    assert (NEXT_HOP[4], "eth1", INNER_MAC) in pinned(network.container)
    assert routes(network.container, 6) == [WAY[6], UNREACHABLE[6]]
    network.container.run("ip", "link", "del", "eth1")
    wait_until(lambda: routes(network.container, 4) == [UNREACHABLE[4]], "nothing leaves")
    wait_logged(way, "unreachable: no gateway", reason="the container has no default route", namespace=0)
    wait_until(lambda: way_is_ready(way) is False, "not ready")
    network.container.run("ip", "route", "add", "default", "via", BRIDGE[4])
    wait_until(network.has_way, "Docker's new default route")
    way.wait_ready(WAYS_INSTALLED)


def way_is_ready(way):
    way.receive()
    return bool(way.readiness & WAYS_INSTALLED)


def test_a_default_route_over_no_bridge_is_left_alone(way, network):
    """HOST-4: of a container that is on the LAN by a macvlan, or whose VPN has it, from the beginning or since; the
    other family, and what was there before, is served."""
    network.container.run("ip", "link", "add", "lan0", "link", "eth0", "type", "macvlan")
    network.container.run("ip", "link", "set", "lan0", "up")
    network.address(network.container, "lan0", "192.0.2.5/24")
    network.container.run("ip", "route", "replace", "default", "via", "192.0.2.1", "dev", "lan0")
    way.serve(0, network.container)
    wait_logged(way, "the default route of a container leads over no bridge", family="v4", interface="lan0", namespace=0)
    wait_until(lambda: routes(network.container, 6) == [WAY[6], UNREACHABLE[6]], "IPv6's way")
    assert not rules(network.container, 4) and not routes(network.container, 4)
    way.wait_ready(WAYS_INSTALLED)
    network.container.run("ip", "route", "replace", "default", "via", BRIDGE[4], "dev", "eth0")
    wait_until(network.has_way, "Docker's default route")
    network.container.run("ip", "route", "replace", "default", "via", "192.0.2.1", "dev", "lan0")
    wait_until(lambda: not rules(network.container, 4) and not routes(network.container, 4), "left alone again")
    wait_until(lambda: pinned(network.container) == [(NEXT_HOP[6], "eth0", INNER_MAC)], "the neighbour, too")
    assert len(way.logged("the default route of a container leads over no bridge")) == 2


def test_a_family_without_a_default_route_is_left_alone(way, network):
    """HOST-4: a container without IPv6, and one of internal networks alone, which is no reason not to be ready."""
    network.container.sysctl("ipv6/conf/all/disable_ipv6", 1)
    way.serve(0, network.container)
    wait_until(lambda: routes(network.container, 4) == [WAY[4], UNREACHABLE[4]], "IPv4's way")
    assert not rules(network.container, 6) and not routes(network.container, 6)
    with contextlib.closing(Namespace()) as internal:
        # What a neighbour advertises makes no way of Docker's.
        internal.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
        for name in ("eth0", "far0"):
            internal.run("ip", "link", "set", name, "up")
        internal.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0", "proto", "ra")
        way.serve(1, internal)
        wait_until(lambda: marks(internal) == TABLE_TEXT, "it is served")
        assert not any(rules(internal, family) or routes(internal, family) for family in FAMILIES)
    way.ping(1)
    assert way.readiness == WAYS_INSTALLED


@pytest.mark.parametrize("mode", [messages.STOP_TEAR_DOWN, messages.STOP_KEEP_STATE])
def test_detach_gives_dockers_routes_back_a_stop_does_not(way, network, mode):
    """HOST-4: an orderly stop leaves rules and `unreachable`."""
    before = [network.container.run("ip", f"-{family}", what, check=False) for family in FAMILIES for what in ("rule", "route")]
    ruleset = network.container.run("nft", "list", "ruleset")
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")
    assert way.stop(mode) == 0
    if mode == messages.STOP_KEEP_STATE:
        assert network.has_way() and marks(network.container) == TABLE_TEXT
        assert len(pinned(network.container)) == 2
        return
    assert [network.container.run("ip", f"-{family}", what, check=False) for family in FAMILIES
            for what in ("rule", "route")] == before
    assert network.container.run("nft", "list", "ruleset") == ruleset and not routes(network.container, 4)
    assert not pinned(network.container)


def test_a_namespace_that_is_gone_is_let_go(way, network):
    """HOST-4, HOST-10: its sockets are closed, what stands there stays; a successor of namespaces hands it out again."""
    def descriptors():
        return len(list(pathlib.Path(f"/proc/{way.pid}/fd").iterdir()))

    way.serve(7, network.container)
    wait_until(network.has_way, "rules and routes")
    way.ping(1)
    serving = descriptors()
    way.leave(7)
    wait_until(lambda: descriptors() == serving - 3, "closed")
    assert network.has_way()
    network.container.run("ip", "rule", "del", "priority", "32765")
    way.link_namespaces()
    way.serve(7, network.container)
    wait_until(network.has_way, "served again")


def test_sockets_out_of_turn_are_refused(way, network):
    """Without the one for marks nothing is served: published ports would stop to answer."""
    way.hand(0, 1, network.container, 0)
    way.hand(0, 2, network.container, 0, socket.SOCK_NONBLOCK)
    wait_until(lambda: way.logged("socket of a namespace out of turn"), "refused", DEADLINE)
    assert not rules(network.container, 4)
    way.serve(0, network.container)
    wait_until(network.has_way, "rules and routes")


@pytest.mark.parametrize("change", ("flush ruleset", "flush table inet anchord_way", "flush chain inet anchord_way in"))
def test_host5_marks_that_somebody_changes_are_back_at_once(way, network, change):
    """Without a change of links or routes: the kernel tells of rules, too."""
    way.serve(0, network.container)
    wait_until(lambda: marks(network.container) == TABLE_TEXT, "the marks")
    network.container.run("nft", *change.split())
    wait_until(lambda: marks(network.container) == TABLE_TEXT, "the marks again", REPAIR_SECONDS)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ports(namespace):
    """(protocol, name) of way's sockets in a namespace where nobody else has one."""
    lines = [line.split() for line in namespace.run("cat", "/proc/net/netlink").splitlines()[1:]]
    return [(int(line[1]), int(line[2])) for line in lines if int(line[2]) and line[1] in ("0", "12")]


def test_host4_a_container_that_may_change_its_network_cannot_keep_the_others_waiting(way, network):
    """One with CAP_NET_ADMIN has large tables, changes them without end and sends to our sockets: the other ways are repaired."""
    hostile = Namespace()
    for words in ("link add eth0 type veth peer name other", "link set lo up", "link set other up", "link set eth0 up", "address add 172.19.0.5/24 dev eth0", "route add default via 172.19.0.1"):
        hostile.run("ip", *words.split())
    hostile.run("ip", "-batch", "-", input="".join(f"route add 10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32 dev eth0\n" for n in range(60000)))
    way.serve(0, network.container)
    way.serve(1, hostile)
    wait_until(network.has_way, "the way of the one")
    wait_until(lambda: routes(hostile, 4), "the way of the other")
    for protocol, port in ports(hostile):
        with hostile.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as stranger, pytest.raises(ConnectionRefusedError):
            stranger.sendto(bytes(64), (port, 0))
    churn = "while ip route replace 10.255.255.1 dev eth0; do :; done"
    flood = ("import os, socket; s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
             "while True:\n    s.sendto(bytes(64), (0, 1))")
    with hostile.entered():
        # What is measured is way's turns, not who gets the processor.
        processes = [subprocess.Popen(command, process_group=0, stderr=subprocess.DEVNULL)
                     for command in (["sh", "-c", churn], ["nice", "-n", "19", "/usr/bin/python3", "-c", flood])]
    try:
        wait_until(lambda: "10.255.255.1" in hostile.run("ip", "route", "show", "10.255.255.1"), "the churn")
        began, before = time.monotonic(), processor_seconds(way.pid)
        for _ in range(3):
            network.container.run("ip", "route", "flush", "table", TABLE)
            wait_until(network.has_way, "the way to be back", REPAIR_SECONDS)
        wait_until(lambda: time.monotonic() > began + 2, "two seconds of it")
        assert (processor_seconds(way.pid) - before) / (time.monotonic() - began) < 0.3
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        hostile.close()
