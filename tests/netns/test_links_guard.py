"""The guard of anchord-links: no container of an attached project leaves with the host's address (HOST-6).

    lan eth0 --- eth0 host br-… --- eth0 container   172.30.0.0/24, fd30::/64: the project's own
                                --- eth0 neighbour
                           br-… --- eth0 member      172.31.0.0/24, fd31::/64: shared with others
                                --- eth0 stranger
"""

import json
import os
import re
import socket

import pytest

import messages
from attach_lab import INNER_MAC, LinksProcess, bridge_of, new_id
from lab import forge
from netadmin_lab import Namespace, Service, pings, wait_until

LAN = {4: "192.0.2.9", 6: "2001:db8::9"}
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
CONTAINER, NEIGHBOUR = ({4: f"172.30.0.{last}", 6: f"fd30::{last}"} for last in (5, 6))
MEMBER, STRANGER = ({4: f"172.31.0.{last}", 6: f"fd31::{last}"} for last in (5, 6))
VPN, FAR = ({4: f"10.{net}.0.9", 6: f"fd0{net}::9"} for net in (8, 9))
PROJECT = {4: "192.0.2.5", 6: "2001:db8::5"}
KINDS = {4: socket.AF_INET, 6: socket.AF_INET6}
LENGTHS = {4: 24, 6: 64}
BOTH = pytest.mark.parametrize("family", (4, 6), ids=("v4", "v6"))
GATEWAY_MAC = "02:00:00:00:18:01"
TABLE, HOST0 = "anchord_host_0123abcd", "anc0123abcdh"
PORTS = f"table bridge {TABLE}"
IDENTITY = tuple({4: f"172.{net}.0.9", 6: f"fd{net}::9"} for net in (30, 31))
STRAYS = (forge.ACK, forge.RST, forge.RST | forge.ACK, forge.FIN | forge.ACK, forge.SYN | forge.ACK)

# As Docker's: masquerade, and port 8080 of the host published. What goes to the LAN is counted before and behind the guard.
DOCKERS = """
table inet dockers {
    counter wanted { }
    counter left { }
    chain in { type nat hook prerouting priority dstnat
        fib daddr type local tcp dport 8080 dnat ip to 172.30.0.5:80
        fib daddr type local tcp dport 8080 dnat ip6 to [fd30::5]:80
    }
    chain out { type nat hook postrouting priority srcnat
        oifname "eth0" ip saddr 172.16.0.0/12 masquerade
        oifname "eth0" ip6 saddr fd00::/8 masquerade
    }
    chain before { type filter hook forward priority filter - 10
        oifname "eth0" counter name wanted
    }
    chain behind { type filter hook forward priority filter + 10
        oifname "eth0" counter name left
    }
}
"""


def addresses_of(interface, addresses):
    """Lines for `ip -batch`."""
    return [f"address add {text}/{LENGTHS[family]} dev {interface}" + (" nodad" if family == 6 else "") for family, text in addresses.items()]


def batch(namespace, *lines):
    namespace.run("ip", "-batch", "-", input="\n".join(lines))


class Host:
    def __init__(self):
        self.network, self.namespaces, self.counted = Namespace(), [], "dockers"
        self.run = self.network.run
        self.lan = self.reach("eth0", LAN)
        batch(self.network, "link set lo up", *addresses_of("eth0", HOST))
        self.own = self.bridge({4: "172.30.0.1", 6: "fd30::1"})
        self.container, self.neighbour = (self.contain(self.own, one) for one in (CONTAINER, NEIGHBOUR))
        self.shared = self.bridge({4: "172.31.0.1", 6: "fd31::1"})
        self.member, self.stranger = (self.contain(self.shared, one) for one in (MEMBER, STRANGER))
        self.network.sysctl("ipv4/ip_forward", 1)
        self.network.sysctl("ipv6/conf/all/forwarding", 1)
        self.run("nft", "-f", "-", input=DOCKERS)

    def bridge(self, gateways):
        """A Docker network: (ID, name, bridge)."""
        network_id = new_id()
        name = bridge_of(network_id)
        batch(self.network, f"link add {name} address {GATEWAY_MAC} type bridge", *addresses_of(name, gateways), f"link set {name} up")
        return network_id, "mail_default", name

    def reach(self, outer, addresses, *options, default=()):
        """A namespace whose eth0 is the other end of `outer`."""
        made = Namespace()
        self.namespaces.append(made)
        batch(self.network, f"link add {outer} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{made.descriptor}",
              " ".join(("link set", outer, *options, "up")))
        batch(made, "link set lo up", "link set eth0 up", *addresses_of("eth0", addresses),
              *(f"route add default via {gateway}" for gateway in default))
        return made

    def contain(self, network, addresses):
        return self.reach(f"veth{len(self.namespaces)}", addresses, "master", network[2],
                          default=[re.sub(r"\d+$", "1", text) for text in addresses.values()])

    def counts(self):
        """{"left" and "wanted": how many packets}"""
        text = self.run("nft", "list", "counters", "table", "inet", self.counted)
        return {name: int(number) for name, number in re.findall(r"counter (\w+) \{\s+packets (\d+)", text)}

    def leaves(self, namespace, packet):
        """Whether it goes to the LAN, or where it is counted: it is sent by the container's gateway, and the host has looked at it."""
        before = self.counts()
        with namespace.entered():
            forge.send("eth0", GATEWAY_MAC, packet)
        wait_until(lambda: self.counts()["wanted"] > before["wanted"], "the host to have seen the packet")
        return self.counts()["left"] > before["left"]

    def table(self):
        return self.run("nft", "list", "table", "inet", TABLE)

    def close(self):
        for namespace in (*self.namespaces, self.network):
            namespace.close()


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


@pytest.fixture
def program(build):
    return build / "workers" / "links" / "anchord-links"


@pytest.fixture
def links(program, host):
    made = LinksProcess(program, host.network)
    yield made
    made.close()


def stands(host, text):
    wait_until(lambda: text in host.run("nft", "list", "ruleset"), "the guard")


def guarded(host, links):
    """The guard with both networks, without waiting for an identity."""
    links.offer(host.own, shared=[host.shared], guarded=[(MEMBER[4], 1), (MEMBER[6], 1)])
    stands(host, f'"{host.shared[2]}" . {MEMBER[6]}')


@BOTH
def test_host6_nobody_of_the_project_leaves_with_the_hosts_address(host, links, family):
    """The first packet of a flow, one of a flow from before, and what belongs to none; strangers stay as they are."""
    for namespace, own in ((host.container, CONTAINER), (host.member, MEMBER)):
        assert host.leaves(namespace, forge.echo(own[family], LAN[family]))
    service = Service(host.lan, "lan", "udp", 53, LAN[family])
    with host.container.socket(KINDS[family], socket.SOCK_DGRAM) as flow:
        flow.bind((CONTAINER[family], 1000))
        flow.connect((LAN[family], 53))
        flow.send(b"?")
        assert flow.recv(100).decode().split()[1] == HOST[family]
        guarded(host, links)
        assert not host.leaves(host.container, forge.udp(CONTAINER[family], 1000, LAN[family], 53))
    service.close()
    for namespace, own in ((host.container, CONTAINER), (host.neighbour, NEIGHBOUR), (host.member, MEMBER)):
        source = own[family]
        assert not host.leaves(namespace, forge.udp(source, 1001, LAN[family], 53))
        assert not host.leaves(namespace, forge.echo(source, LAN[family]))
        for flags in (forge.SYN, *STRAYS):
            assert not host.leaves(namespace, forge.tcp(source, 1002, LAN[family], 80, flags, 1, 1)), flags
    assert host.leaves(host.stranger, forge.udp(STRANGER[family], 1001, LAN[family], 53))
    assert pings(host.stranger, LAN[family])


@pytest.mark.parametrize("is_bridged_filtered", (0, 1))
@BOTH
def test_host6_published_ports_and_what_is_among_containers_go_on(host, links, family, is_bridged_filtered):
    for name in ("iptables", "ip6tables"):
        host.network.sysctl(f"bridge/bridge-nf-call-{name}", is_bridged_filtered)
    services = [Service(namespace, name, "tcp", 80, own[family]) for namespace, name, own in (
        (host.container, "container", CONTAINER), (host.stranger, "stranger", STRANGER))]
    guarded(host, links)
    for namespace, address, port, expected in (
            (host.lan, HOST[family], 8080, "container"),  # published
            (host.stranger, HOST[family], 8080, "container"),
            (host.neighbour, CONTAINER[family], 80, "container"),
            (host.member, STRANGER[family], 80, "stranger"),
            (host.network, CONTAINER[family], 80, "container")):
        with namespace.socket(KINDS[family], socket.SOCK_STREAM) as client:
            client.connect((address, port))
            client.send(b"?")
            assert client.recv(100).decode().startswith(expected), (address, port)
    assert pings(host.container, HOST[family])
    for service in services:
        service.close()


def test_host6_the_table_is_what_the_watcher_has_told(host, links):
    """In words, as nft says it; another state replaces it; a hostile watcher closes in nobody else's bridge."""
    guarded(host, links)
    own, shared = host.own[2], host.shared[2]
    lines = [" ".join(line.split()) for line in host.table().splitlines()]
    chain = lines[lines.index("chain forward {"):]
    assert chain == ["chain forward {", "type filter hook forward priority filter - 1; policy accept;",
                     f'oifname "{HOST0}" fib saddr type local drop', "oifname @bridges accept", "ct status dnat accept",
                     "ct direction reply accept", f'iifname @parent oifname "{HOST0}" drop', "iifname @owned drop", "iifname . ip saddr @guarded4 drop", "iifname . ip6 saddr @guarded6 drop", "}", "}"]
    assert f'elements = {{ "{shared}" . {MEMBER[4]} }}' in lines and f'elements = {{ "{shared}" . {MEMBER[6]} }}' in lines
    assert f'elements = {{ "{own}" }}' in lines and 'elements = { "eth0" }' in lines
    assert sorted(re.findall(r'"(br-\w+)"', host.run("nft", "list", "set", "inet", TABLE, "bridges"))) == sorted((own, shared))
    host.run("ip", "link", "add", "docker0", "type", "bridge")
    links.offer(host.shared, (new_id(), "x", "docker0"), (new_id(), "x", own), (new_id(), "x", "eth0"))
    wait_until(lambda: f'"{own}"' not in host.table(), "the other state")
    assert set(re.findall(r'"([\w-]+)"', host.table())) == {shared, "eth0", HOST0}
    assert host.leaves(host.container, forge.udp(CONTAINER[4], 1, LAN[4], 53))
    assert not host.leaves(host.stranger, forge.udp(STRANGER[4], 1, LAN[4], 53))


# What goes by host0, counted before and behind the guard.
TO_THE_PROJECT = """
table inet to_the_project {
    counter wanted { }
    counter left { }
    chain before { type filter hook forward priority filter - 10
        oifname "anc0123abcdh" counter name wanted
    }
    chain behind { type filter hook forward priority filter + 10
        oifname "anc0123abcdh" counter name left
    }
}
"""


@pytest.fixture
def beside(host, links):
    """A host whose project is there: what `host` has, a VPN of its own, a network behind the LAN, and host0."""
    for name in ("all", "eth0", "default"):
        host.network.sysctl(f"ipv4/conf/{name}/rp_filter", 0)
    host.network.sysctl("ipv4/conf/all/accept_local", 1)  # else the kernel itself drops the host's own source, in IPv4
    host.vpn = host.reach("tun0", VPN, "address", GATEWAY_MAC)
    host.identity = Namespace()
    host.namespaces.append(host.identity)
    batch(host.network, f"link set eth0 address {GATEWAY_MAC}",
          *(f"route add {VPN[family]} dev tun0" for family in KINDS), *(f"route add {FAR[family]} via {LAN[family]}" for family in KINDS))
    links.give_identity(host.identity)
    guarded(host, links)
    links.send(messages.message(messages.PROJECT_ADDRESSES, messages.project_addresses(*PROJECT.values())))
    wait_until(lambda: all(f"{PROJECT[family]} via" in host.run("ip", f"-{family}", "route") for family in KINDS), "the routes")
    batch(host.identity, "link set anchost up")
    host.run("nft", "-f", "-", input=TO_THE_PROJECT)
    host.counted = "to_the_project"
    return host


@BOTH
def test_host7_the_host_alone_comes_from_the_host(beside, family):
    """Nobody sends the project by the host what is from the host, nor the LAN what is from a network that the host alone routes."""
    def begins(namespace, source, ports=(1001, 53)):
        return beside.leaves(namespace, forge.udp(source[family], ports[0], PROJECT[family], ports[1]))

    def ask(target):
        """By the project, over host0; what comes back is a reply."""
        link, = json.loads(beside.run("ip", "-json", "link", "show", HOST0))
        with beside.identity.entered():
            forge.send("anchost", link["address"], forge.udp(PROJECT[family], 1002, target[family], 53))

    assert begins(beside.vpn, VPN)
    for namespace in (beside.lan, beside.vpn, beside.container):
        assert not begins(namespace, HOST), namespace
    assert not begins(beside.lan, VPN)
    assert not begins(beside.lan, FAR, (53, 1002))
    ask(FAR)
    wait_until(lambda: begins(beside.lan, FAR, (53, 1002)), "the reply")
    with beside.network.socket(KINDS[family], socket.SOCK_DGRAM) as resolver:
        resolver.bind((HOST[family], 53))
        ask(HOST)
        resolver.recv(100)
        assert not begins(beside.lan, HOST, (53, 1002))


def test_host6_a_network_that_is_made_later_is_closed_before_its_bridge_is_there(host, links):
    later = new_id()
    links.offer((later, "later", bridge_of(later)))
    stands(host, f'"{bridge_of(later)}"')


def test_host6_as_many_as_there_may_be(host, links):
    networks = [(identity, "x", bridge_of(identity)) for identity in (new_id() for _ in range(64))]
    addresses = [(f"10.{number // 256}.{number % 256}.1" if number < 256 else f"fd00::{number:x}", number % 64) for number in range(512)]
    links.offer(*networks[:1], shared=networks[1:], guarded=addresses)
    stands(host, addresses[-1][0])
    text = host.table()
    assert len(set(re.findall(r'"br-\w+"', text))) == 64
    assert not [address for address, _ in addresses if not re.search(rf'" \. {re.escape(address)}[ ,]', text)]


@pytest.mark.parametrize("end", [messages.STOP_KEEP_STATE, messages.STOP_LEAVE_CLOSED, None], ids=("keep", "closed", "killed"))
def test_host6_it_stays_while_anchord_is_away_and_an_undo_takes_it(program, host, links, end):
    """A successor leaves it until the watcher has told, also one that is to undo it after a kill."""
    before = host.run("nft", "list", "ruleset")
    guarded(host, links)
    table = host.table()
    if end is None:
        links.kill()
    else:
        assert links.stop(end) == 0
    links.close()
    assert host.table() == table
    assert not host.leaves(host.container, forge.udp(CONTAINER[4], 1, LAN[4], 53))
    successor = LinksProcess(program, host.network)
    successor.ping(3)
    assert host.table() == table
    assert successor.stop(messages.STOP_TEAR_DOWN) == 0
    successor.close()
    counters = r"packets \d+ bytes \d+"
    assert re.sub(counters, "", host.run("nft", "list", "ruleset")) == re.sub(counters, "", before)


def test_host6_what_was_closed_before_a_boot_is_so_before_a_word_is_said(program, host):
    """HOST-6: by its first word systemd takes the host half for started, and starts Docker."""
    made = LinksProcess(program, host.network, remembered=[host.own])
    kind, _, _ = made.receive()
    rules = host.run("nft", "list", "set", "inet", TABLE, "owned", check=False)
    made.close()
    assert kind == messages.HOST_ADDRESSES and host.own[2] in rules


@pytest.mark.parametrize("change", ("delete table inet", "flush table inet", "delete table bridge", "flush set inet", "flush ruleset"))
def test_host6_what_others_change_is_back_at_once(host, links, change):
    """Whatever it is: the kernel tells of each change, and nothing else has to happen."""
    guarded(host, links)
    wait_until(lambda: PORTS in host.run("nft", "list", "tables"), "the table of ports")
    tables = [host.table(), host.run("nft", "list", *PORTS.split())]
    host.run("nft", *change.split(), *([] if change.endswith("ruleset") else [TABLE]), *(["owned"] if "set " in change else []))
    wait_until(lambda: tables == [host.run("nft", "list", *table.split(), check=False) for table in (f"table inet {TABLE}", PORTS)],
               "both tables to be back", 1)
    wait_until(lambda: links.logged("the guard was changed by somebody else, putting it back"), "that it was said")
    host.run("nft", "add", "table", "inet", "others")  # no concern of ours, and our own change was none either
    links.ping(3)
    assert len(links.logged("the guard was changed by somebody else, putting it back")) == 1


@BOTH
def test_host2_on_a_shared_network_only_the_projects_containers_come_to_the_identity(program, host, family):
    """A stranger can send any frame, and would leave with the project's address; HOST-2. Neighbours go on. Also without a guard."""
    identity = Namespace()
    host.namespaces.append(identity)
    made = LinksProcess(program, host.network, is_guarded=False)
    made.give_identity(identity)
    made.offer(host.own, shared=[host.shared], guarded=[(MEMBER[4], 1), (MEMBER[6], 1)])
    wait_until(lambda: MEMBER[6] in host.run("nft", "list", "ruleset"), "the members")
    identity.run("nft", "-f", "-", input="""table inet heard {
        counter came { }
        chain in { type filter hook prerouting priority raw
            meta l4proto udp counter name came
        }
    }""")
    for number in (0, 1):
        batch(identity, f"link set ancin{number} up", f"address add {IDENTITY[number][family]}/{LENGTHS[family]} dev ancin{number}" +
              (" nodad" if family == 6 else ""))

    def heard():
        return int(re.search(r"packets (\d+)", identity.run("nft", "list", "counters")).group(1))

    def comes(namespace, source):
        """To the next hop's MAC, for the LAN; frames keep their order, so the neighbour's answer is behind it."""
        before = heard()
        with namespace.entered():
            forge.send("eth0", INNER_MAC, forge.udp(source, 1001, LAN[family], 53))
        namespace.run("ip", "neighbour", "flush", "dev", "eth0")
        target = IDENTITY[1 if namespace in (host.member, host.stranger) else 0][family]
        namespace.run("ping", "-c", "1", "-W", "0.2", target, check=False)
        wait_until(lambda: INNER_MAC in namespace.run("ip", "neighbour", "show", target), "the neighbour")
        return heard() > before

    # The first frame may be lost: a bridge's port forwards a moment after its link is up.
    for namespace, source in ((host.container, CONTAINER), (host.neighbour, NEIGHBOUR), (host.member, MEMBER)):
        wait_until(lambda namespace=namespace, source=source: comes(namespace, source[family]), "the frame")
    assert not comes(host.stranger, STRANGER[family])
    assert not comes(host.member, STRANGER[family])  # nor by somebody else's address
    made.offer(host.own, shared=[host.shared], guarded=[(MEMBER[4], 1), (MEMBER[6], 1), (STRANGER[family], 1)])
    wait_until(lambda: STRANGER[family] in host.run("nft", "list", "ruleset"), "another member")
    wait_until(lambda: comes(host.stranger, STRANGER[family]), "the frame")
    assert made.stop(messages.STOP_TEAR_DOWN) == 0
    made.close()
    assert TABLE not in host.run("nft", "list", "ruleset")


def test_host6_off_installs_none_and_takes_an_earlier_one_away(program, host, links):
    guarded(host, links)
    links.kill()
    links.close()
    without = LinksProcess(program, host.network, is_guarded=False)
    without.offer(host.own)
    without.ping(3)
    wait_until(lambda: f"table inet {TABLE}" not in host.run("nft", "list", "tables"), "the table to be gone")
    host.run("ip", "link", "set", "eth0", "mtu", "1400")
    without.heard(lambda _, told: told[1])
    without.ping(4)
    assert f"table inet {TABLE}" not in host.run("nft", "list", "tables")
    without.close()
