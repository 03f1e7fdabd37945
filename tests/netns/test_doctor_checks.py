"""`anchord doctor` on a whole network-anchor, with Docker played by fake_docker (SEE-2): a healthy one has no FAIL and no WARN;
each fault is made for real, is found by its code, and is gone after what was printed was done.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import whole_anchor
from doctor_lab import Doctor, broken, healthy_anchor, mend, wrong
from fake_docker import container, container_id
from netadmin_lab import TWO4
from newcomers import served_by_a_process
from supervision import status_of, wait_until


@pytest.fixture(scope="module")
def whole(build):
    made = healthy_anchor(build)
    with served_by_a_process(made.lab.one, "steady", whole_anchor.BACKEND_PORT):
        made.start()
        wait_until(made.serves_steady, 10)
        yield made
    made.close()


@pytest.fixture
def doctor(build, whole):
    return Doctor(build, whole)


def test_healthy(doctor):
    """SEE-2: no FAIL, no WARN, exit 0, in far less than 20 s."""
    status, found = doctor.look()
    assert not wrong(found) and status == 0
    assert found["milliseconds"] < 8000


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}


def violations(value, schema, path="$"):
    """The words of JSON Schema that docs/doctor.schema.json uses."""
    known = {"$schema", "title", "description", "type", "required", "properties", "additionalProperties", "items", "enum",
             "const", "pattern", "minimum"}
    assert set(schema) <= known, set(schema) - known
    types = schema.get("type", [])
    if types and not isinstance(value, tuple(TYPES[name] for name in ([types] if isinstance(types, str) else types))):
        yield f"{path} is no {types}"
        return
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{path} is {value}"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{path} is {value}"
    if isinstance(value, dict):
        yield from (f"{path}.{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, member in value.items():
            yield from violations(member, schema.get("properties", {}).get(name, schema.get("additionalProperties", {})),
                                  f"{path}.{name}")
    if isinstance(value, list):
        for number, member in enumerate(value):
            yield from violations(member, schema.get("items", {}), f"{path}[{number}]")


def test_schema(doctor):
    """SEE-2: what --json prints is what docs/doctor.schema.json says."""
    schema = json.loads((pathlib.Path(__file__).parents[2] / "docs/doctor.schema.json").read_text())
    found = doctor.look()[1]
    assert not list(violations(found, schema))
    found["results"][0]["verdict"] = "FINE"
    del found["results"][1]["code"]
    found["anchors"] = [1]
    assert len(list(violations(found, schema))) == 3


def sealed_checks():
    """The status of each check's process, once it has its filter: its parent is an anchord-doctor, too."""
    doctors = {}
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = status_of(int(directory.name))
            if status["Name"].startswith("anchord-doctor"):
                doctors[directory.name] = status
    return [status for status in doctors.values() if status["PPid"] in doctors and status["Seccomp"] == "2"]


def test_a_check_has_no_right_while_it_hears_the_lan(doctor):
    """SEE-2: its raw sockets are open by then; the first byte comes after the seal."""
    with subprocess.Popen(doctor.command("duplicate", "gateway"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          pass_fds=[doctor.whole.lab.anchor.descriptor], env=doctor.environment()) as process:
        checks = wait_until(sealed_checks, 10)
        assert process.wait(20) == 0
    for status in checks:
        assert status["CapPrm"] == status["CapEff"] == "0" * 16 and status["NoNewPrivs"] == "1"


def test_usage(doctor):
    for words, complaint in ((("--nonsense",), "unknown argument"), (("nonsense",), "neither a check nor a group"),
                             (("--threshold", "x"), "warn or fail"), (("--suppress", "ANC9999"), "is no code"),
                             (("--suppress",), "the code is missing"), (("compose.json",), "stands behind `files`"),
                             (("--anchor",), "is missing")):
        result = doctor.run(*words)
        assert result.returncode == 2 and complaint in result.stderr and not result.stdout, result
    for word, meant in (("duplicatez", "duplicate"), ("workerz", "workers"), ("firewallz", "firewall")):
        assert f"{word}: is neither a check nor a group; did you mean {meant}?" in doctor.run(word).stderr
    assert doctor.run("--anchor", "nobody").returncode == 3
    listed = doctor.run("--list")
    assert listed.returncode == 0 and re.search(r"^rules +tables ", listed.stdout, re.M), listed.stdout
    assert doctor.run("--help").stdout.startswith("Usage: anchord doctor")


def test_foreign_table(doctor):
    """SEE-2: somebody else's table that drops; the printed line removes it."""
    finding = broken(doctor, "foreign-tables", "ANC0644",
                     lambda: doctor.inside("nft 'add table inet evil; add chain inet evil f { type filter hook forward priority 0; }; "
                                           "add rule inet evil f tcp dport 8080 drop'"))
    assert "inet evil" in finding["sentence"]
    assert doctor.run("foreign-tables", "--suppress", "ANC0644=inet evil").returncode == 0
    assert doctor.run("foreign-tables", "--suppress", "ANC0644=inet other").returncode == 1
    mend(doctor, finding)
    assert doctor.verdicts("foreign-tables") == {"foreign-tables": {("OK", None)}}


def test_a_table_that_only_counts_is_none(doctor):
    doctor.inside("nft 'add table inet counts; add chain inet counts f { type filter hook forward priority 0; }; "
                  "add rule inet counts f counter'")
    assert doctor.verdicts("foreign-tables") == {"foreign-tables": {("OK", None)}}
    doctor.inside("nft delete table inet counts")


def test_docker_that_hangs_or_lies(doctor, whole, tmp_path):
    """SEE-2: neither holds up nor breaks the checks that do not need it."""
    tmp_path.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        status, found = doctor.look(DOCKER_HOST=f"unix://{tmp_path}/silent.sock")
    assert not wrong(found) and status == 0 and found["milliseconds"] < 15000
    verdicts = {one["check"]: one["verdict"] for one in found["results"]}
    assert verdicts["engine"] == verdicts["engine-setup"] == "UNKNOWN" and verdicts["tables"] == "OK", verdicts
    for info in ([], {"SecurityOptions": 7, "Swarm": [1]}, {"SecurityOptions": ["\u001b[31m" * 300]}):
        whole.docker.info = info
        assert doctor.run("platform").returncode == 0
    whole.docker.info = {"SecurityOptions": ["name=rootless"]}
    assert ("FAIL", "ANC0602") in doctor.verdicts("engine-setup")["engine-setup"]
    whole.docker.info = {"SecurityOptions": ["name=seccomp,profile=builtin"], "LiveRestoreEnabled": True}
    assert doctor.verdicts("engine-setup") == {"engine-setup": {("OK", None)}}
    nowhere = doctor.look(DOCKER_HOST="unix:///nonexistent")[1]
    assert "port 80" not in str(nowhere) and "/nonexistent" in str(nowhere), nowhere


def test_a_dead_control_socket(doctor):
    """SEE-2: what is installed in the kernel is looked at nevertheless."""
    found = doctor.verdicts(RUNTIME_DIRECTORY="/nonexistent")
    assert found["answers"] == {("UNKNOWN", None)} and found["link"] == {("UNKNOWN", None)}, found
    assert found["privileges"] == {("OK", None)} and found["foreign-tables"] == {("OK", None)}, found


def test_duplicate_address(doctor, whole):
    """SEE-2: another host on the LAN answers for the project's address."""
    whole.lab.client.run("ip", "address", "add", f"{whole_anchor.LAN4}/32", "dev", "lo")
    try:
        finding = broken(doctor, "duplicate", "ANC0201", lambda: None)
        assert whole_anchor.LAN4 in finding["sentence"] and re.search("(..:){5}..", finding["sentence"])
    finally:
        whole.lab.client.run("ip", "address", "del", f"{whole_anchor.LAN4}/32", "dev", "lo")
    assert doctor.verdicts("duplicate") == {"duplicate": {("OK", None)}}


def test_gateway_gone(doctor, whole):
    """SEE-2: nobody has the gateway's address any more."""
    assert doctor.verdicts("gateway") == {"gateway": {("OK", None)}}
    whole.lab.client.run("ip", "address", "del", "10.99.0.1/32", "dev", "eth0")
    try:
        assert "10.99.0.1" in broken(doctor, "gateway", "ANC0625", lambda: None)["sentence"]
    finally:
        whole.lab.client.run("ip", "address", "add", "10.99.0.1/32", "dev", "eth0")
    assert doctor.verdicts("gateway") == {"gateway": {("OK", None)}}


def test_gateway6_gone(doctor, whole):
    """SEE-2: likewise of IPv6, asked for from the interface's own address."""
    whole.lab.client.run("ip", "address", "del", "2001:db8:99::1/128", "dev", "eth0")
    try:
        assert broken(doctor, "gateway", "ANC0625", lambda: None)["object"] == "2001:db8:99::1"
    finally:
        whole.lab.client.run("ip", "address", "add", "2001:db8:99::1/128", "dev", "eth0", "nodad")
    assert "2001:db8:99::1" in doctor.run("gateway").stdout and doctor.verdicts("gateway") == {"gateway": {("OK", None)}}


def test_another_default_route(doctor):
    """SEE-2: WARN, by the interface that it leads out of."""
    finding = broken(doctor, "routes", "ANC0646",
                     lambda: doctor.inside("ip link add elsewhere type veth peer name otherend && ip link set otherend up && ip address add 203.0.113.1/24 dev elsewhere && "
                                           "ip link set elsewhere up && ip route add default via 203.0.113.2 dev elsewhere onlink metric 7"),
                     verdict="WARN")
    assert finding["object"] == "elsewhere"
    doctor.inside("ip link del elsewhere")
    assert doctor.verdicts("routes") == {"routes": {("OK", None)}}


def test_a_name_that_is_no_text(doctor):
    """SEE-2: what is no UTF-8, and what a terminal would obey, leaves a report that programs read."""
    name = "$(printf 'no\\377\\302\\2331\\177')"
    finding = broken(doctor, "routes", "ANC0646",
                     lambda: doctor.inside(f"ip link add \"{name}\" type veth peer name otherend && ip link set otherend up && ip link set \"{name}\" up && "
                                           f"ip route add default dev \"{name}\" metric 9"), verdict="WARN")
    assert finding["object"] == "no\ufffd\ufffd1\ufffd"
    doctor.inside(f"ip link del \"{name}\"")


def test_reverse_path_filter(doctor):
    """SEE-2: firewalld's rule for IPv6, beside bridge-nf-call-ip6tables=1; the printed line mends it. The namespace is host and
    anchor in one here."""
    setting = "/proc/sys/net/bridge/bridge-nf-call-ip6tables"
    if not pathlib.Path(setting).exists():
        pytest.skip("this kernel has no br_netfilter")
    finding = broken(doctor, "firewall", "ANC0607", lambda: doctor.inside(
        f"echo 1 > {setting}; nft 'add table inet wall; add chain inet wall p {{ type filter hook prerouting priority -300; }}; "
        "add rule inet wall p meta nfproto ipv6 fib saddr . mark . iif oif missing drop'"))
    mend(doctor, finding)
    assert doctor.verdicts("firewall") == {"firewall": {("OK", None)}}
    doctor.inside("nft delete table inet wall")


def test_a_worker_that_dies_again_and_again(doctor, whole):
    """SEE-2: WARN with its name; the others have what docs/security.md says."""
    for count in range(1, 4):
        os.kill(whole.sealed("exporter", count), signal.SIGKILL)
    whole.sealed("exporter", 4)
    assert "exporter" in broken(doctor, "restarts", "ANC0502", lambda: None, verdict="WARN")["sentence"]
    assert doctor.verdicts("privileges") == {"privileges": {("OK", None)}}


def test_who_does_not_run(doctor, whole):
    """SEE-2: what a newcomer looks for first: an anchord that Docker starts again and again, one that has stopped, a service that
    has; what others stop, and what somebody tried by hand, is theirs."""
    def put(number, state, **labels):
        record = container(number, "", name=f"odd-{number}", project=labels.pop("project", "mail"), labels={
            name.replace("_", "."): value for name, value in labels.items()})
        if "anchord_expose" not in labels:
            del record["Labels"]["anchord.expose"]
        whole.docker.put(record | {"State": state})

    image = {"org_opencontainers_image_title": "anchord"}
    put(31, "exited", project="other", anchord_expose="tcp/1")
    put(32, "exited")
    put(33, "running", **image)
    put(34, "exited", project="other", com_docker_compose_oneoff="True", **image)
    assert doctor.verdicts("stopped") == {"stopped": {("OK", None)}}
    put(35, "restarting", project="other", **image)
    put(36, "exited", project="other", **image)
    put(37, "exited", anchord_expose="tcp/25")
    found = {one["object"]: one for one in doctor.look("stopped")[1]["results"]}
    assert {name: (one["verdict"], one["code"], one["do"]) for name, one in found.items()} == {
        "odd-35": ("FAIL", "ANC0665", "docker logs --tail 5 odd-35"),
        "odd-36": ("FAIL", "ANC0665", "docker logs --tail 5 odd-36\ndocker start odd-36"),
        "odd-37": ("WARN", "ANC0666", "docker logs --tail 5 odd-37\ndocker start odd-37")}
    for name, meant in (("odd-35", {"odd-35"}), ("other", {"odd-35", "odd-36"})):
        assert {one["object"] for one in doctor.look("stopped", "--anchor", name)[1]["results"]} == meant
    for number in range(31, 38):
        whole.docker.containers.pop(container_id(number))


def test_an_anchor_that_does_not_answer(doctor, whole):
    """SEE-2: FAIL within the time limit; what needs its answer is UNKNOWN, what does not is looked at. Its supervisor, which
    would have replaced control by then, is stopped, too."""
    control = whole.process.find(msg="worker started", name="control")[-1]["pid"]
    stopped = [int(pathlib.Path(f"/proc/{control}/stat").read_text().rsplit(")", 1)[1].split()[1]), control]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        status, found = doctor.look("address", "rules", "workers")
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
    verdicts = {one["check"]: (one["verdict"], one["code"]) for one in found["results"]}
    assert status == 1 and verdicts["answers"] == ("FAIL", "ANC0661") and verdicts["link"] == ("UNKNOWN", None), verdicts
    assert verdicts["foreign-tables"] == ("OK", None) and found["milliseconds"] < 20000
    assert doctor.verdicts("answers") == {"answers": {("OK", None)}}


def test_small_mtu(doctor):
    """SEE-2: WARN, which --threshold fail lets pass. The last one here: IPv6 addresses go with it."""
    finding = broken(doctor, "link", "ANC0622", lambda: doctor.inside("ip link set ext0 mtu 1000"), verdict="WARN")
    assert doctor.run("link", "--threshold", "fail").returncode == 0
    mend(doctor, finding)
    assert doctor.verdicts("link") == {"link": {("OK", None)}}


def test_link_down(doctor):
    """SEE-2: FAIL, and what follows from it does not hide it; the printed line mends it."""
    finding = broken(doctor, "link", "ANC0621", lambda: doctor.inside("ip link set ext0 down"))
    mend(doctor, finding)
    wait_until(lambda: doctor.verdicts("link") == {"link": {("OK", None)}}, 10)


def test_a_strict_rp_filter_is_no_fault(doctor, whole):
    """SEE-2: the way back to whoever asks stands in anchord's own table, so that a strict filter drops nothing, not even where
    another default route leads inside; there is nothing to find."""
    settings = "net.ipv4.conf.{ext0,shared0,all}.rp_filter"
    doctor.inside(f"bash -c 'sysctl -qw {settings}=1' && ip route add default via 172.30.0.1 dev shared0 metric 5")
    whole.lab.client.run("ip", "address", "add", "203.0.113.77/32", "dev", "lo")
    try:
        with whole.lab.client.socket(socket.AF_INET, socket.SOCK_STREAM) as far:
            far.settimeout(5)
            far.bind(("203.0.113.77", 0))
            far.connect((whole_anchor.LAN4, whole_anchor.STEADY_PORT))
            assert far.recv(100).startswith(b"steady 203.0.113.77") and whole.serves_steady()
        assert doctor.run("address", "rules").returncode == 0
    finally:
        whole.lab.client.run("ip", "address", "del", "203.0.113.77/32", "dev", "lo")
        doctor.inside(f"bash -c 'sysctl -qw {settings}=0'; ip route del default via 172.30.0.1 dev shared0")


# The last ones: anchord itself warns of rules that were put back again and again.

@pytest.fixture
def no_repair(doctor, whole):
    """netadmin would take everything out again within a second, as it does after each of these."""
    wait_until(lambda: doctor.verdicts("tables") == {"tables": {("OK", None)}}, 20)
    supervisor = whole.pid_of("supervisor")
    netadmin = whole.process.find(msg="worker started", name="netadmin")[-1]["pid"]
    for pid in (supervisor, netadmin):
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in (netadmin, supervisor):
        os.kill(pid, signal.SIGCONT)


def tables(doctor):
    return sorted((one["code"], one["sentence"]) for one in doctor.look("tables")[1]["results"])


@pytest.mark.parametrize("command, found", [
    ("delete table ip anchord_v4", [("ANC0641", "the table ip anchord_v4 is not in the kernel")]),
    ("insert rule ip anchord_v4 forward tcp dport 8080 accept",
     [("ANC0642", "ip anchord_v4 forward: a rule is not anchord's: tcp dport 8080 accept")]),
    ("add rule ip6 anchord_v6 input counter comment ourselves", [("ANC0642", r"ip6 anchord_v6 input: rule with handle \d+ is not one of anchord's: counter")]),
    ("flush chain ip6 anchord_v6 prerouting_raw", [("ANC0642", "ip6 anchord_v6: the chain prerouting_raw has no rule")]),
    ("add element ip anchord_v4 dnat_udp { 5353 : 172.30.0.6 . 53 }",
     [("ANC0642", "nobody exposes what a map has: ip anchord_v4 dnat_udp 5353 : 172.30.0.6 . 53")]),
    ("delete element ip6 anchord_v6 dnat_tcp { 80 }",
     [("ANC0643", "tcp/80 of fd30::5 is not in the kernel's map: nothing reaches it")]),
])
def test_tables(doctor, no_repair, command, found):
    """SEE-2: what differs from what the anchor has made, in one line; anchord mends it itself as soon as it can."""
    doctor.inside(f"nft '{command}'")
    differences = tables(doctor)
    assert len(differences) == len(found), differences
    for (code, sentence), (wanted, pattern) in zip(differences, found):
        assert code == wanted and re.fullmatch(pattern.replace("{", "\\{"), sentence), differences


def handle(doctor, table, chain, comment):
    """Of the first rule with it."""
    return re.search(rf'comment "{comment}" # handle (\d+)', doctor.inside(f"nft -a list chain {table} {chain}"))[1]


def test_rules_one_by_one(doctor, no_repair):
    """SEE-2: one of ours that is gone, a foreign one that has a comment of ours, and, in the other table, ours in another order:
    by netadmin's own rules."""
    gone = handle(doctor, "ip anchord_v4", "forward", "inbound to exposed ports")
    doctor.inside(f"nft delete rule ip anchord_v4 forward handle {gone}")
    doctor.inside("""nft 'insert rule ip anchord_v4 input tcp dport 22 accept comment "ping"'""")
    assert tables(doctor) == [
        ("ANC0642", 'ip anchord_v4 forward: a rule of anchord\'s is missing: iifname "ext0" oifname "shared0" ct status dnat accept '
                    'comment "inbound to exposed ports"'),
        ("ANC0642", 'ip anchord_v4 input: a rule is not anchord\'s: tcp dport 22 accept comment "ping"')]
    assert doctor.run("tables").returncode == 1


def test_chains_and_tables(doctor, no_repair):
    """SEE-2: a policy that somebody has changed, a chain that is not there, a table that sleeps."""
    doctor.inside("nft 'chain ip anchord_v4 forward { policy accept; }; flush chain ip anchord_v4 output; delete chain ip anchord_v4 output; "
                  "add set ip anchord_v4 lists { type ipv4_addr; flags interval,timeout; }'")
    assert tables(doctor) == [
        ("ANC0642", "ip anchord_v4 forward: the chain is another: type filter hook forward priority filter; policy accept;"),
        ("ANC0642", "ip anchord_v4 output: the chain is missing"),
        ("ANC0642", "ip anchord_v4: set or map lists is not one of anchord's")]
    doctor.inside("nft 'add table ip6 anchord_v6 { flags dormant; }'")
    assert ("ANC0642", "a table of anchord's is dormant: the kernel passes it over") in tables(doctor)


def test_rules_in_another_order(doctor, no_repair):
    """SEE-2: the same rules, and yet the port that anchord refuses would be open."""
    last = handle(doctor, "ip6 anchord_v6", "forward", "hairpin")
    doctor.inside(f"nft delete rule ip6 anchord_v6 forward handle {last}")
    doctor.inside("""nft 'insert rule ip6 anchord_v6 forward iifname "shared0" oifname "shared0" ct status dnat accept comment "hairpin"'""")
    assert tables(doctor) == [("ANC0642", "ip6 anchord_v6 forward: the rules stand in another order than anchord's")]


def test_rules_of_lists_and_limits(doctor, whole, request):
    """SEE-2: they have no words in `anchord ruleset`, and are known all the same; one that is gone is missed."""
    labels = {"anchord.allow": "tcp/25 from 10.99.0.0/24", "anchord.limit": "tcp/26 10/minute per source, udp/26 3/second per source burst 9"}
    whole.docker.start(container(3, "tcp/25-26, udp/26", TWO4, labels=labels))
    try:
        wait_until(lambda: "limit_udp_26_3_second_9" in doctor.inside("nft list table ip6 anchord_v6"), 10)
        assert doctor.verdicts("tables") == {"tables": {("OK", None)}}, tables(doctor)
        said = doctor.inside(str(whole.supervision.build / "workers/commands/ruleset/anchord-ruleset"))
        for words in ("set or map allowed has no words here: nft list set ip anchord_v4 allowed\n", "its comment: not on the port's list\n",
                      "its comment: within the port's limit\n", "set or map limit_udp_26_3_second_9 has no words here: "):
            assert words in said
        assert "is not one of anchord's" not in said
        request.getfixturevalue("no_repair")
        doctor.inside(f"nft delete rule ip anchord_v4 prerouting_nat handle "
                      f"{handle(doctor, 'ip anchord_v4', 'prerouting_nat', 'not on the port.s list')}")
        (code, sentence), = tables(doctor)
        assert code == "ANC0642" and sentence == ("ip anchord_v4 prerouting_nat: a rule of anchord's is missing: one without words, "
                                                  'with the comment "not on the port\'s list"')
    finally:
        whole.docker.stop(3)


def test_tables_are_mended(doctor):
    """SEE-2: and green after it."""
    wait_until(lambda: doctor.verdicts("tables") == {"tables": {("OK", None)}}, 20)
    assert "rules and 4 exposed ports in their maps and nothing else" in doctor.run("tables").stdout
