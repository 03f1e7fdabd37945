"""The group `path` of `anchord doctor` (SEE-2): each cause is made for real, said, mended as it was said, and not said any more."""

import contextlib
import os
import signal
import socket

import pytest

from advertisements_lab import Router
from fake_docker import TRANSIT_ID
from netadmin_lab import GATEWAY4, GATEWAY6, ONE4, ONE6, TWO4
from path_lab import PathLab, number_of
from supervision import status_of, wait_until
from whole_anchor import BACKEND_PORT

PROTOCOLS = ("tcp", "udp")
BOTH = (ONE4, ONE6)


@pytest.fixture(scope="module")
def path(build):
    """One anchord for all: what a test makes, it takes away."""
    made = PathLab(build)
    made.start()
    yield made
    made.close()


@contextlib.contextmanager
def serving(path, *addresses, protocols=PROTOCOLS):
    services = [path.lab.serve(path.lab.one, "steady", protocol, BACKEND_PORT, address)
                for protocol in protocols for address in addresses]
    try:
        yield
    finally:
        for service in services:
            service.close()
            service.thread.join()


def faults(answers):
    """{(problem, object)} of what is wrong."""
    return {(answer.problem, answer.object) for answer in answers if answer.verdict in ("WARN", "FAIL")}


def of(answers, problem, family=None):
    found = [answer for answer in answers if answer.problem == number_of(problem) and (not family or family in answer.object)]
    assert found, (problem, answers)
    return found[0]


def test_see2_a_healthy_project(path):
    """Nothing is wrong or unknown, on the host; within seconds."""
    with serving(path, *BOTH):
        wait_until(path.serves_steady, 10)
        answers, seconds = path.doctor()
    print(f"SEE-2: path of 4 ports in {seconds:.1f} s:", *answers, sep="\n")
    assert {answer.verdict for answer in answers} == {"OK"}
    said = "\n".join(answer.sentence for answer in answers)
    for words in ("answers at 172.30.0.5:8080", "has an address of the LAN reaches backend-1", "reaches 10.99.0.50:80 from inside",
                  "leaves by the network-anchor, IPv6", "gets beyond the network-anchor", "takes packets of 1500 bytes"):
        assert words in said


def test_see2_in_the_network_anchors_container(path):
    """Its own backend, the way back and hairpin; the rest is unknown, with the line to run on the host."""
    with serving(path, *BOTH):
        answers, _ = path.doctor(inside=True)
    assert {answer.verdict for answer in answers} == {"OK", "UNKNOWN"}
    unknown, = (answer for answer in answers if answer.verdict == "UNKNOWN")
    assert (unknown.object, unknown.remedy) == ("backend-1", "sudo anchord doctor path   # on the host")
    assert sum("from inside" in answer.sentence for answer in answers) == 4


def test_see2_a_closed_application(path):
    """Nobody listens, though somebody does at other ports; then on the loopback alone; what depends on it is left out."""
    others = [path.lab.serve(path.lab.one, "steady", "tcp", port, ONE4) for port in (8443, 8081)]
    answers, _ = path.doctor()
    for service in others:
        service.close()
        service.thread.join()
    assert "but at tcp/8081, tcp/8443 somebody does: " in of(answers, "CLOSED_PORT", "tcp/80 v4").why
    for name, protocol in (("tcp/80 v6", "tcp"), ("udp/80 v4", "udp")):
        assert f"nor at another port of {protocol} that is reached" in of(answers, "CLOSED_PORT", name).why
    assert faults(answers) == {(number_of("CLOSED_PORT"), f"{protocol}/80 v{family}") for protocol in PROTOCOLS for family in (4, 6)}
    assert {answer.verdict for answer in answers if answer.object == "tcp/80 v4"} == {"FAIL", "SKIP"}
    closed = of(answers, "CLOSED_PORT")
    assert closed.why.startswith("nobody in the container listens") and closed.remedy.startswith("docker logs backend-1")
    with serving(path, "127.0.0.1", "::1"):
        answers, _ = path.doctor()
        assert {problem for problem, _ in faults(answers)} == {number_of("LOOPBACK_ONLY")}
    inside, _ = path.doctor(inside=True)
    assert "or on the container's loopback alone" in of(inside, "CLOSED_PORT", "tcp").why


def test_see2_the_way_back_is_missing(path):
    """No default route, as without gateway and service-anchor; in IPv6 a stranger's table in the container drops."""
    one = path.lab.one
    with serving(path, *BOTH):
        one.run("ip", "route", "del", "default")
        one.run("nft", "-f", "-", input="table ip6 stranger { chain in { type filter hook input priority 0\n"
                                        "ip6 saddr fd99::/64 tcp dport 8080 drop\n}\n}")
        answers, _ = path.doctor()
        one.run("ip", "route", "add", "default", "via", GATEWAY4)
        one.run("nft", "delete", "table", "ip6", "stranger")
        assert faults(answers) == {(number_of("ANSWER_ELSEWHERE"), "tcp/80 v4"), (number_of("FOREIGN_DROP"), "tcp/80 v6")}
        assert "has no IPv4 route" in of(answers, "ANSWER_ELSEWHERE").why
        assert not faults(path.doctor()[0])


def test_see2_another_way_back(path):
    """The default route is another network's; in IPv6 the container does not reach the project's own address."""
    one = path.lab.one
    with serving(path, *BOTH):
        one.run("ip", "route", "replace", "default", "via", TWO4)
        one.run("nft", "-f", "-", input="table ip6 stranger { chain out { type filter hook output priority 0\n"
                                        "ip6 daddr fd99::50 tcp dport 80 drop\n}\n}")
        answers, _ = path.doctor()
        one.run("ip", "route", "replace", "default", "via", GATEWAY4)
        one.run("nft", "delete", "table", "ip6", "stranger")
        assert faults(answers) == {(number_of("ANSWER_ELSEWHERE"), "tcp/80 v4"), (number_of("NO_HAIRPIN"), "tcp/80 v6")}
        assert f"leads to {TWO4}" in of(answers, "ANSWER_ELSEWHERE").why
        assert not faults(path.doctor()[0])


def test_see2_the_reason_of_each_family(path):
    """Transit names no gateway, so its containers have no default route: said once in each family, with what anchord itself
    says of that family, and as its consequence."""
    configurations = path.docker.networks[TRANSIT_ID]["IPAM"]["Config"]
    ways = (("-4", GATEWAY4), ("-6", GATEWAY6))

    def await_findings(count):
        """By a watcher that asks anew: a network of Docker's does not change while it is there."""
        os.kill(path.process.find(msg="worker started", name="watcher")[-1]["pid"], signal.SIGKILL)
        wait_until(lambda: [row["code"] for row in path.told("problems")].count("ANC0312") == count, 10)

    gateways = [configuration.pop("AuxiliaryAddresses") for configuration in configurations]
    for family, _ in ways:
        path.lab.one.run("ip", family, "route", "del", "default")
    with serving(path, *BOTH):
        await_findings(2)
        answers, _ = path.doctor()
        for configuration, gateway in zip(configurations, gateways):
            configuration["AuxiliaryAddresses"] = gateway
        for family, gateway in ways:
            path.lab.one.run("ip", family, "route", "add", "default", "via", gateway)
        await_findings(0)
        assert faults(answers) == {(number_of("ANSWER_ELSEWHERE"), f"tcp/80 v{family}") for family in (4, 6)}, answers
        for family in (4, 6):
            answer = of(answers, "ANSWER_ELSEWHERE", f"v{family}")
            assert answer.cause == 312 and f"(v{family}); recreate the network transit" in answer.why, answer
            assert f"DefaultGatewayIPv{10 - family}" not in answer.why
        wait_until(path.serves_steady, 10)
        assert not faults(path.doctor()[0])


# As Docker writes it for a network that is internal, and firewalld for IPv6_rpfilter=yes.
WALLS = """table ip filter { chain FORWARD { type filter hook forward priority filter
oifname "br0" ip saddr != 172.30.0.0/24 drop
iifname "br0" ip daddr != 172.30.0.0/24 drop
}
}
table inet firewalld { chain filter_PREROUTING { type filter hook prerouting priority filter + 10
meta nfproto ipv6 fib saddr . mark . iif oif missing drop
}
}
"""


# As Engine 29's own firewall backend writes it for br0, built from the source's nftabler/testdata of August 2026: a network that is
# internal, without and with enable_icc=false; then one with a published port.
ENGINE_29 = """table ip docker-bridges {
map filter-forward-in-jumps { type ifname : verdict; elements = { "br0" : jump filter-forward-in__br0 }; }
map filter-forward-out-jumps { type ifname : verdict; elements = { "br0" : jump filter-forward-out__br0 }; }
chain filter-FORWARD { type filter hook forward priority filter; policy accept;
oifname vmap @filter-forward-in-jumps
iifname vmap @filter-forward-out-jumps
}
chain nat-PREROUTING { type nat hook prerouting priority dstnat; policy accept;
fib daddr type local counter jump nat-prerouting-and-output
}
chain nat-prerouting-and-output {
}
chain raw-PREROUTING { type filter hook prerouting priority raw; policy accept;
DIRECT
}
chain filter-forward-in__br0 {
ct state established,related counter accept
INGRESS
}
chain filter-forward-out__br0 {
ct state established,related counter accept
EGRESS
}
}
"""
INTERNAL = {"INGRESS": 'iifname != "br0" counter drop comment "INTERNAL NETWORK INGRESS"\ncounter VERDICT comment "ICC"',
            "EGRESS": 'oifname != "br0" counter drop comment "INTERNAL NETWORK EGRESS"', "DIRECT": ""}
PUBLISHED = {"INGRESS": 'iifname "br0" counter accept comment "ICC"\ncounter drop comment "UNPUBLISHED PORT DROP"',
             "EGRESS": 'counter accept comment "OUTGOING"',
             "DIRECT": 'ip daddr 172.30.0.5 iifname != "br0" counter drop comment "DROP DIRECT ACCESS"'}


@pytest.mark.parametrize("rules, drops", [(INTERNAL | {"VERDICT": "accept"}, False), (INTERNAL | {"VERDICT": "drop"}, True), (PUBLISHED, False)],
                         ids=("internal", "internal-without-icc", "published"))
def test_use7_docker_filters_by_nftables(path, rules, drops):
    """USE-7: its rules go by interfaces, so that an internal network lets a client of the LAN through, bridges filtered or not;
    what enable_icc=false drops is named with Docker's chain."""
    host = path.lab.bridge
    host.sysctl("bridge/bridge-nf-call-iptables", 1)
    text = ENGINE_29
    for word, rule in rules.items():
        text = text.replace(word, rule)
    host.run("nft", "-f", "-", input=text)
    try:
        with serving(path, ONE4):
            answers, _ = path.doctor()
        found = {problem for problem, name in faults(answers) if name == "tcp/80 v4"}
        assert found == ({number_of("NO_ANSWER_INSIDE")} if drops else set()), answers
        if drops:
            assert "ip docker-bridges filter-forward-in__br0" in of(answers, "NO_ANSWER_INSIDE").why
    finally:
        host.run("nft", "flush", "ruleset")
        host.sysctl("bridge/bridge-nf-call-iptables", 0)


def test_see2_the_hosts_firewall_sees_bridged_packets(path):
    """What is said mends it when it is pasted, while the rules are still there."""
    host = path.lab.bridge
    for address in ("172.30.0.1/24", "fd30::1/64"):  # as Docker has it: what is inside has a way back
        host.run("ip", "address", "replace", address, "dev", "br0", "nodad")
    for setting in ("iptables", "ip6tables"):
        host.sysctl(f"bridge/bridge-nf-call-{setting}", 1)
    host.run("nft", "-f", "-", input=WALLS)
    with serving(path, *BOTH):
        answers, _ = path.doctor()
        internal, firewalld = of(answers, "BRIDGE_FILTER"), of(answers, "REVERSE_FILTER")
        assert (internal.object, firewalld.object) == ("tcp/80 v4", "tcp/80 v6"), answers
        assert "ip filter FORWARD, inet firewalld filter_PREROUTING" in internal.why
        for answer in (internal, firewalld):
            name, value = answer.remedy.splitlines()[0].removeprefix("sysctl -w net.").split("=")
            host.sysctl(name.replace(".", "/"), value)
        assert not faults(path.doctor()[0])
    host.run("nft", "flush", "ruleset")


# Docker's own chain is on every host; who drops is the policy.
FORWARD_DROP = """table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop;
}
chain DOCKER { counter drop
}
}
"""


def test_see2_a_host_that_forwards_nothing(path):
    """803 by the host's policy, which sees bridged packets: the sysctl comes first, mends it when it is pasted, and no chain of
    Docker's is suspected."""
    host = path.lab.bridge
    host.sysctl("bridge/bridge-nf-call-iptables", 1)
    host.run("nft", "-f", "-", input=FORWARD_DROP)
    try:
        with serving(path, *BOTH, protocols=["tcp"]), serving(path, *BOTH, protocols=["udp"]):
            answers, _ = path.doctor()
            silent = of(answers, "NO_ANSWER_INSIDE", "tcp/80 v4")
            assert not [name for _, name in faults(answers) if "v6" in name], answers
            assert silent.why.endswith("chains of the host that drop: ip filter FORWARD"), silent.why
            assert "bridge-nf-call-iptables" in silent.why
            name, value = silent.remedy.splitlines()[0].removeprefix("sysctl -w net.").split("=")
            host.sysctl(name.replace(".", "/"), value)
            assert not faults(path.doctor()[0])
    finally:
        host.run("nft", "flush", "ruleset")
        host.sysctl("bridge/bridge-nf-call-iptables", 0)


@pytest.fixture
def resolver(path):
    """A socket as Docker's resolver has it; nobody leads questions to it."""
    docker = path.lab.one.socket(socket.AF_INET, socket.SOCK_DGRAM)
    docker.bind(("127.0.0.11", 0))
    yield docker
    docker.close()


@pytest.mark.parametrize("where", ["before", "behind"])
def test_see2_large_packets_vanish(path, where, resolver):
    """A link takes 1400 bytes, drops what is larger and says nothing: both families. Docker's resolver does not answer."""
    namespace, link = {"before": (path.lab.bridge, "anchor"), "behind": (path.lab.other, "beyond")}[where]
    with serving(path, *BOTH):
        namespace.run("ip", "link", "set", link, "mtu", "1400")
        answers, _ = path.doctor()
        namespace.run("ip", "link", "set", link, "mtu", "1500")
        assert faults(answers) == {(number_of("RESOLVER_SILENT"), "backend-1"),
                                   *((number_of("PATH_MTU"), f"backend-1 v{family}") for family in (4, 6))}
        assert f"{where} the first router" in of(answers, "PATH_MTU").sentence


def test_see2_a_narrow_link_that_says_so_is_well(path, resolver):
    """And so is a resolver that answers, whatever it says."""
    path.lab.one.run("nft", "-f", "-", input="table ip docker { chain out { type nat hook output priority 0\n"
                                             f"ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:{resolver.getsockname()[1]}\n}}\n}}")
    path.lab.anchor.run("ip", "link", "set", "ext0", "mtu", "1400")
    with serving(path, *BOTH):
        process = path.begin_doctor()
        question, peer = resolver.recvfrom(512)
        resolver.sendto(question[:2] + b"\x81\x83" + question[4:], peer)
        answers = path.finish(process)
    path.lab.anchor.run("ip", "link", "set", "ext0", "mtu", "1500")
    path.lab.one.run("nft", "delete", "table", "ip", "docker")
    said = "\n".join(answer.sentence for answer in answers)
    assert not faults(answers) and "gets answers of Docker's resolver" in said
    assert said.count("takes packets of 1400 bytes, and senders are told so") == 2


def probers():
    found = []
    for directory in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if directory.isdigit() and status_of(int(directory))["Name"] == "anchord-probe":
                found.append(int(directory))
    return found


def test_see2_a_prober_has_no_right_and_goes_with_the_command(path):
    path.lab.one.run("ip", "route", "del", "default")  # so that it takes its time
    with serving(path, *BOTH):
        before = set(probers())
        process = path.begin_doctor()
        mine = wait_until(lambda: [pid for pid in probers() if pid not in before and status_of(pid)["Seccomp"] == "2"], 10)
        for pid in mine:
            status = status_of(pid)
            assert status["Uid"].split() == ["65534"] * 4 and status["NoNewPrivs"] == "1"
            assert status["CapPrm"] == status["CapEff"] == "0" * 16
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not set(probers()) - before, 10)
    path.lab.one.run("ip", "route", "add", "default", "via", GATEWAY4)


# --- the rest of what can be wrong with a port -------------------------------------------------------------------


@contextlib.contextmanager
def table(namespace, text):
    """Somebody's table, `stranger`, in both families."""
    namespace.run("nft", "-f", "-", input=f"table inet stranger {{\n{text}\n}}\n")
    try:
        yield
    finally:
        namespace.run("nft", "delete", "table", "inet", "stranger")


def test_see2_a_container_that_does_not_answer(path):
    """803: its own firewall drops what comes from the network-anchor; or it is not at its address any more."""
    with serving(path, *BOTH, protocols=["tcp"]), serving(path, *BOTH, protocols=["udp"]):
        with table(path.lab.one, "chain in { type filter hook input priority 0; tcp dport 8080 drop; }"):
            answers, _ = path.doctor()
        assert {found for found in faults(answers) if "tcp" in found[1]} == {(number_of("NO_ANSWER_INSIDE"), f"tcp/80 v{family}") for family in (4, 6)}
        silent = of(answers, "NO_ANSWER_INSIDE")
        assert silent.why.startswith("it has that address") and "nft list ruleset" in silent.remedy
        assert not faults(path.doctor()[0])


def test_see2_nothing_gets_beyond(path):
    """810: the gateway does not answer any more, and the network-anchor says so to who sends."""
    with serving(path, *BOTH):
        with table(path.lab.client, "chain out { type filter hook output priority 0; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop; }"):
            path.lab.client.run("nft", "-f", "-", input="table arp stranger {\nchain out { type filter hook output priority 0; policy drop; }\n}\n")
            path.lab.anchor.run("ip", "neigh", "flush", "dev", "ext0")
            answers, _ = path.doctor()
            path.lab.client.run("nft", "delete", "table", "arp", "stranger")
        assert {(number_of("NOTHING_BEYOND"), f"backend-1 v{family}") for family in (4, 6)} == faults(answers), answers
        assert of(answers, "NOTHING_BEYOND").remedy == "anchord doctor address"
        path.lab.anchor.run("ip", "neigh", "flush", "dev", "ext0")
        assert not faults(path.doctor()[0])


FROM_LAN = "--from-lan=10.99.0.77/24,fd99::77/64"


def links(path):
    return path.lab.bridge.run("ip", "-brief", "link"), path.lab.anchor.run("ip", "-brief", "link")


def test_see2_from_the_lan(path):
    """From outside, and the application sees the client's own address; what a container sends there has the project's."""
    with serving(path, *BOTH):
        before = links(path)
        answers, seconds = path.doctor(FROM_LAN)
        print(f"SEE-2: with --from-lan in {seconds:.1f} s:", *answers, sep="\n")
        assert {answer.verdict for answer in answers} == {"OK"}
        said = "\n".join(answer.sentence for answer in answers)
        for words in ("10.99.0.50:80 answers the LAN, and the application sees the client's own address, 10.99.0.77",
                      "[fd99::50]:80 answers the LAN, and the application sees the client's own address, fd99::77",
                      "sends to the LAN carries the project's address, 10.99.0.50"):
            assert words in said
        assert links(path) == before
        elsewhere = [answer.sentence for answer in path.doctor("--from-lan=2001:db8:99::77/64")[0] if answer.verdict != "OK"]
        assert elsewhere and all(sentence.endswith("is not on the network of 2001:db8:99::77, which has no router") for sentence in elsewhere)
        taken, _ = path.doctor("--from-lan=10.99.0.9/24")
        assert [answer.sentence for answer in taken if answer.verdict == "UNKNOWN"][0].endswith("has an address of --from-lan: give one that is free")


def test_see2_from_a_lan_whose_router_advertises(path, tmp_path):
    """Without an address the host on the LAN takes what the router advertises, and proves IPv6 alone; without a router it says so."""
    with serving(path, *BOTH):
        before = links(path)
        nobody, _ = path.doctor("--from-lan")
        assert not faults(nobody) and any("--from-lan" in answer.sentence + answer.remedy for answer in nobody
                                          if answer.verdict == "UNKNOWN"), nobody
        path.lab.client.sysctl("ipv6/conf/all/forwarding", 1)  # as radvd wants it of a router
        router = Router(path.lab, tmp_path, "fe80::99", prefix="fd99::/64")
        try:
            answers, _ = path.doctor("--from-lan")
        finally:
            router.retire()
            path.lab.client.sysctl("ipv6/conf/all/forwarding", 0)
        said = [answer.sentence for answer in answers if "answers the LAN, and the application sees the client's own address, fd99::" in answer.sentence]
        print(*answers, sep="\n")
        assert said and all("[fd99::50]:80" in sentence for sentence in said) and not faults(answers), answers
        assert links(path) == before


def test_see2_closed_to_the_lan_alone(path):
    """813: a stranger's table in the network-anchor's namespace drops what the LAN sends; from inside all is well."""
    with serving(path, *BOTH):
        with table(path.lab.anchor, "chain in { type filter hook prerouting priority -200; iifname ext0 ip saddr 10.99.0.77 drop; iifname ext0 ip6 saddr fd99::77 drop; }"):
            answers, _ = path.doctor(FROM_LAN)
        assert {(number_of("NOT_FROM_LAN"), f"tcp/80 v{family}") for family in (4, 6)} == faults(answers), answers
        assert of(answers, "NOT_FROM_LAN").remedy.splitlines() == ["anchord ban list", "anchord doctor address rules"]
        assert not faults(path.doctor(FROM_LAN)[0])


def test_see2_a_client_that_is_not_seen(path):
    """814: somebody masquerades what goes to the containers."""
    with serving(path, *BOTH):
        with table(path.lab.anchor, "chain out { type nat hook postrouting priority 50; oifname shared0 masquerade; }"):
            answers, _ = path.doctor(FROM_LAN)
            assert {(number_of("SOURCE_LOST"), f"tcp/80 v{family}") for family in (4, 6)} == faults(answers), answers
        assert not faults(path.doctor(FROM_LAN)[0])


def answers_pings(namespace, address):
    return namespace.run("ping", "-n", "-c", "1", "-W", "1", address, check=False).count("1 received")


def test_see2_what_the_lan_saw_goes_with_the_command(path):
    """SIGKILL in the middle: the host on the LAN is gone, with its link and address."""
    path.lab.one.run("ip", "route", "del", "default")  # so that it takes its time
    with serving(path, *BOTH):
        before, mine = links(path), set(probers())
        process = path.begin_doctor(FROM_LAN)
        wait_until(lambda: answers_pings(path.lab.client, "10.99.0.77"), 10)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not set(probers()) - mine and not answers_pings(path.lab.client, "10.99.0.77"), 10)
        assert links(path) == before
    path.lab.one.run("ip", "route", "add", "default", "via", GATEWAY4)
