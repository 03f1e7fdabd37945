"""The commands attach, detach and list (HOST-1) on a host of this test's own: its network, its /etc, its /run, with a
Docker and a Compose that answer what a test wants.
"""

import contextlib
import hmac
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pytest

import fake_engine
import supervision as supervision_module
from supervision import status_of, wait_until

# eth0 is on the LAN, eth1 a bridge's port, eth2 down.
HOST = """set -e
mount --make-rprivate /
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /etc
mount -t tmpfs tmpfs /run
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
ip link set lo up
ip link add eth0 type veth peer name far0
ip link add eth1 type veth peer name far1
ip link add eth2 type veth peer name far2
ip link add br0 type bridge
ip link set eth1 master br0
for link in eth0 far0 eth1 br0; do ip link set $link up; done
ip address add 192.0.2.2/24 dev eth0
ip address add 2001:db8::2/64 dev eth0 nodad
"""
ATTACH_FILE = pathlib.Path(__file__).resolve().parents[2] / "compose" / "attach.yaml"
SHOP = "attach shop --parent eth0 --address 192.0.2.5/24,2001:db8::5/64 --gateway 192.0.2.1"
LEASED = "attach shop --parent eth0"
SHOP_ALONE = f"{SHOP} --no-start"
# Says what it was given, and ends with the status that the test has written.
COMPOSE = """#!/bin/sh
[ "$2" = version ] && echo 2.40.3 && exit 0
case $1 in logs) echo "the half says why"; exit 0;; esac
echo "$*" >> "$0.said"
env | grep -E "^(ANCHORD|COMPOSE|DOCKER)_" | sort > "$0.environment"
cat > "$0.file"
echo "what Compose says"
case " $* " in *" up "*) exit $(cat "$0.status");; esac
"""
# A hostile half, the first process of a container: says its PID on the host, and of who comes what he has.
HOSTILE = """
import json, os, signal, socket, sys
from supervision import wait_until
pid = os.readlink("/proc/self")
os.system("mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /run && mkdir /run/anchord")
held = [socket.socket(socket.AF_UNIX) for _ in range(2)]
if sys.argv[1] == "link":
    os.symlink("/run/anchord-attach/shop/sock", "/run/anchord/control.sock")
else:
    held[0].bind("/run/anchord/control.sock")
    held[0].listen(0)
if sys.argv[1] == "full":
    held[1].connect("/run/anchord/control.sock")
print(pid, flush=True)
if sys.argv[1] == "full":
    comer = wait_until(lambda: max((int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"), default=0), 20)
    other = f"/proc/{comer}"
    wait_until(lambda: os.listdir(f"{other}/fd") == ["0"], 20)
    status = dict(line.split(":", 1) for line in open(f"{other}/status"))
    print(json.dumps({"rights": [status[name].split()[0] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb", "NoNewPrivs")],
                      "file": os.readlink(f"{other}/fd/0").split(":")[0],
                      "strange": [name for name in ("ipc", "mnt", "net", "pid")
                                  if os.readlink(f"{other}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")],
                      "session": os.getsid(comer)}), flush=True)
signal.pause()
"""
# The half of a project that is attached, as compose/attach.yaml labels it.
HALF = {"anchord.attach": "shop"}


# Holds a socket for as long as the lines behind it take.
def holding(address, *lines):
    return (f"mkdir -p /run/anchord-attach/shop; /usr/bin/python3 -c \"import signal, socket; s = socket.socket(socket.AF_UNIX, 5); "
            f"s.bind({address!r}); s.listen(); print(flush=True); signal.pause()\" | (read ready; ", *lines,
            "kill -- $(pgrep -P $$ python3) )")


@pytest.fixture
def scratch(build):
    with contextlib.suppress(FileExistsError):
        (build / supervision_module.WORKERS_BELOW_BUILD / "anchord-look").symlink_to(build / "workers/commands/look/anchord-look")
    with tempfile.TemporaryDirectory(prefix="anchord-attach-") as directory:
        pathlib.Path(directory).chmod(0o755)
        yield pathlib.Path(directory)


@pytest.fixture
def engine(scratch):
    """Docker, with the project shop."""
    made = fake_engine.FakeEngine.on_unix_socket(scratch / "docker.sock")
    made.add("web", project="shop")
    made.add("database", project="shop", running=False)
    yield made
    made.close()


@pytest.fixture
def docker(scratch):
    """The program `docker`; what it was told is in docker.said and others beside it."""
    program = scratch / "docker"
    program.write_text(COMPOSE, encoding="utf-8")
    program.chmod(0o755)
    (scratch / "docker.status").write_text("1", encoding="ascii")
    return program


@pytest.fixture
def host(build, engine, docker):
    def run(*lines, **environment):
        """The CompletedProcess of these lines of shell on such a host."""
        script = "\n".join([f"program={build / 'daemon' / 'anchord-under-test'}", 'anchord() { "$program" "$@"; }', HOST, "set +e", *lines])
        return subprocess.run(["unshare", "--net", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False,
                              env=os.environ | {"DOCKER_HOST": f"unix://{engine.listener.getsockname()}",
                                                "PATH": f"{docker.parent}:{os.environ['PATH']}"} | environment)

    return run


def test_host1_what_was_asked_for_is_written_down_with_comments(host):
    found = host(f"anchord {SHOP_ALONE}", "stat -c %a /etc/anchord/shop.env", "cat /etc/anchord/shop.env", "ls /etc/anchord")
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert "640" in lines and lines[-1] == "shop.env"
    written = [line for line in lines if line.startswith("ANCHORD_")]
    assert written == ["ANCHORD_IMAGE=anchord:dev", "ANCHORD_PROJECT=shop", "ANCHORD_ADDRESS=192.0.2.5/24,2001:db8::5/64", "ANCHORD_PARENT=eth0",
                       "ANCHORD_EXT_GATEWAY_IP=192.0.2.1"]
    for line in (*written, "#ANCHORD_GUARD=on", "#ANCHORD_EXPOSE_FROM=labels,published"):
        assert lines[lines.index(line) - 1].startswith("# "), line
    assert "  docker compose --env-file /etc/anchord/shop.env --file attach.yaml up --detach" in lines


def test_host1_what_has_no_option_outlives_a_second_attach(host):
    """GUEST-5: who gives the project another address has not opened what a list closes; and a wrong one is said."""
    allow = "ANCHORD_ALLOW=web: tcp/443 from 10.0.0.0/8, database: tcp/5432 from 10.1.0.0/16"
    found = host(f"anchord {SHOP_ALONE}", f"echo '{allow}' >> /etc/anchord/shop.env; echo UNKNOWN=1 >> /etc/anchord/shop.env",
                 f"anchord {SHOP_ALONE.replace('192.0.2.5', '192.0.2.6')} > /dev/null; echo status $?", "grep -v '^#' /etc/anchord/shop.env",
                 "sed -i 's/tcp.443 from/tcp_443 from/' /etc/anchord/shop.env", f"anchord {SHOP_ALONE} > /dev/null; echo status $?",
                 "grep -c 192.0.2.6 /etc/anchord/shop.env")
    assert "status 0" in found.stdout.splitlines(), found.stderr
    lines = found.stdout.splitlines()[found.stdout.splitlines().index("status 0"):]
    assert [line for line in lines if line.startswith(("ANCHORD_A", "UNKNOWN"))] == [
        "ANCHORD_ADDRESS=192.0.2.6/24,2001:db8::5/64", allow]
    assert lines[-2:] == ["status 1", "1"]
    assert "ANCHORD_ALLOW" in found.stderr and "position" in found.stderr


def test_host7_networks_behind_the_host_are_kept_and_looked_at(host):
    """HOST-7: an option that counts also when it is not given again; none that has a part of the LAN in it."""
    found = host(f"anchord {SHOP_ALONE} --via-host 10.8.0.0/24,fd08::/64 > /dev/null; grep VIA_HOST /etc/anchord/shop.env",
                 f"anchord {SHOP_ALONE} > /dev/null; grep VIA_HOST /etc/anchord/shop.env",
                 f"anchord {SHOP_ALONE} --via-host=10.9.0.0/24 > /dev/null; grep VIA_HOST /etc/anchord/shop.env")
    kept = "ANCHORD_VIA_HOST=10.8.0.0/24,fd08::/64"
    assert found.stdout.splitlines() == [kept, kept, "ANCHORD_VIA_HOST=10.9.0.0/24"], found.stderr
    found = host("anchord attach shop --parent eth0 --no-start --via-host 192.0.0.0/8; echo status $?", "ls /etc/anchord")
    assert found.stdout.splitlines() == ["status 1"]
    assert "--via-host: 192.0.0.0/8: has a part of the LAN in it" in found.stderr


def test_host7_what_the_host_does_not_forward_is_said_with_the_lines_that_change_it(host):
    """HOST-7, WALL-9: Docker's own firewall drops it, and is not ours to change; what was pasted is not asked for again."""
    command = f"anchord {SHOP_ALONE} --via-host 10.8.0.0/24,fd08::/64 | sed '1,/attach.yaml up/d'"
    found = host("mount -t proc proc /proc",
                 "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=1", command, "echo and now",
                 "sysctl -qw net.ipv4.ip_forward=1; iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER",
                 "iptables-nft -I FORWARD -j DOCKER-USER; ip6tables-nft -P FORWARD DROP", f"{command} | tee /run/said", "echo and now",
                 "sed -En 's/^  (ip6?tables)/\\1-nft/p' /run/said | sh -e", command)
    first, second, third = found.stdout.split("and now\n")
    assert "By the host IPv4: it forwards nothing." in first and "  sysctl -w net.ipv4.ip_forward=1\n" in first and "tables" not in first
    link, = set(re.findall("anc[0-9a-f]{8}h", second))
    for program, chain in (("iptables", "DOCKER-USER"), ("ip6tables", "FORWARD")):
        assert f"  {program} -I {chain} -i {link} -j ACCEPT\n" in second
        assert f"  {program} -I {chain} -o {link} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n" in second
    assert "drops what it does not know" in second and "sysctl" not in second
    assert third == "", found.stderr


def test_host1_the_image_is_called_as_it_is_called_here(host):
    found = host(f"ANCHORD_IMAGE=registry:5000/anchord@sha256:ab anchord {SHOP_ALONE}", f"ANCHORD_IMAGE='a;b' anchord {SHOP_ALONE}",
                 f"ANCHORD_IMAGE=other:1 anchord {SHOP_ALONE} --image mine:2")
    assert re.findall("ANCHORD_IMAGE=.*", found.stdout) == ["ANCHORD_IMAGE=registry:5000/anchord@sha256:ab", "ANCHORD_IMAGE=anchord:dev",
                                                            "ANCHORD_IMAGE=mine:2"]


def test_host11_compose_passes_on_all_that_is_written_down(host):
    """HOST-1, HOST-11: a setting in the file that nothing reads would be a lie; and the file has 25 lines at most."""
    written = re.findall(r"^#?(\w+)=", host(f"anchord {SHOP_ALONE}", "cat /etc/anchord/shop.env").stdout, re.MULTILINE)
    text = ATTACH_FILE.read_text(encoding="utf-8")
    # A pair of both sides around a name is one that says otherwise what its absence means.
    passed = {re.sub(r'"(\w+)=\$\{\1:-\w+\}"', r"\1", name.strip()) for names in re.findall(r"environment: \[([^]]*)\]", text) for name in names.split(",")}
    assert {"ANCHORD_ON_STOP", "ANCHORD_POLL_INTERVAL", "ANCHORD_LOG_LEVEL", "ANCHORD_METRICS_ADDR"} <= set(written)
    assert set(written) - {"ANCHORD_IMAGE"} == passed - {"ANCHORD_MODE=attach", "ANCHORD_MODE=attach-host"}
    assert len(text.splitlines()) <= 25


def test_host1_who_may_not_write_is_told_so_before_the_plan(host):
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c"
    found = host(f"{nobody} '\"$0\" {SHOP}' \"$program\"; echo status $?", f"{nobody} '\"$0\" {SHOP} --dry-run' \"$program\"; echo status $?")
    assert found.stderr == ("anchord attach: shop: run as root, or with --dry-run\n"
                            "anchord attach: warning: --address: whether somebody has it only root may ask the LAN\n")
    assert found.stdout.splitlines()[:2] == ["status 1", "looked    shop has 2 containers, of which 1 runs"]
    assert found.stdout.splitlines()[-1] == "status 0"


def test_host1_a_dry_run_says_and_writes_nothing(host):
    found = host(f"anchord {SHOP} --dry-run", "ls /etc/anchord")
    assert found.stdout.splitlines()[:6] == [
        "looked    shop has 2 containers, of which 1 runs", "          eth0 is up", "          nobody on it has 192.0.2.5",
        "          nobody on it has 2001:db8::5", "would     write the file, start both halves, wait until it is ready",
        "/etc/anchord/shop.env:"]
    assert "  ANCHORD_ADDRESS=192.0.2.5/24,2001:db8::5/64" in found.stdout.splitlines()
    assert "No such file" in found.stderr


@pytest.mark.parametrize("words, said", [
    ("attach", "PROJECT: is missing: the Compose project's name, as docker compose ls shows it"),
    ("attach shop", "--parent: is missing: the host's interface on the LAN, such as eth0"),
    ("attach shop --parent", "--parent: needs a value"),
    ("attach shop shop2 --parent eth0", "shop2: is a second project; attach one by one"),
    ("attach shop --parent eth0 --parent eth1", "--parent: is there twice"),
    ("attach shop --patent eth0", "--patent: unknown argument; see anchord attach --help"),
    ("attach --parent eth0 --parent=eth1 shop", "--parent: is there twice"),
    ("attach shop --parent=", "--parent: needs a value"),
    ("attach shop --parent eth0 --address ''", "--address: needs a value"),
    ("attach shop --parent eth0 --from ' '", "--from: needs a value"),
    ("attach '' --parent eth0", "PROJECT: needs a value"),
    ("attach shop --dry-run=1 --parent eth0", "--dry-run=1: unknown argument"),
    ("attach ../shop --parent eth0", 'PROJECT: "../shop": is no name of a Compose project'),
    ("attach Shop.x --parent eth0", 'PROJECT: "Shop.x": is no name of a Compose project: lower-case letters, digits and, not at the '
     'beginning, - and _; docker compose ls shows them'),
    ("attach 'a b' --parent eth0", 'PROJECT: "a b": must not contain white space or control characters'),
    ("attach shop --parent eth9", "--parent: eth9: there is no such interface; there are far0 eth0 far1 far2 eth2 br0\n"),
    ("attach shop --parent eth1", "--parent: eth1: is a port of the bridge br0, and can have no further links: take --parent br0"),
    ("attach shop --parent eth2", "--parent: eth2: is down: ip link set eth2 up"),
    ("attach shop --parent lo", "--parent: lo: is no interface on a LAN; there are far0 eth0 far1 far2 eth2 br0\n"),
    ("attach shop --parent eth0 --address 198.51.100.5/24 --gateway 198.51.100.1",
     "--address: 198.51.100.5/24: is outside of the network of eth0, which has 192.0.2.2/24"),
    ("attach shop --parent eth0 --address 192.0.2.5/16 --gateway 192.0.2.1",
     "--address: 192.0.2.5/16: the prefix length is that of eth0's network: write 192.0.2.5/24"),
    ("attach shop --parent eth0 --address 192.0.2.5/25 --gateway 192.0.2.1",
     "--address: 192.0.2.5/25: the prefix length is that of eth0's network: write 192.0.2.5/24"),
    ("attach shop --parent eth0 --address 2001:db8::5/48", "--address: 2001:db8::5/48: the prefix length is that of eth0's network: write "
     "2001:db8::5/64"),
    ("attach shop --parent eth0 --address 192.0.2.5/24 --gateway 10.0.0.1",
     '--gateway: "10.0.0.1": is no neighbour of 192.0.2.5/24: give the router\'s address inside it'),
    ("attach shop --parent eth0 --address 192.0.2.5/24 --gateway 192.0.2.5",
     '--gateway: "192.0.2.5": is the project\'s own address: give the router\'s'),
    ("attach shop --parent eth0 --address slaac,192.0.2.5/24",
     '--address: "slaac,192.0.2.5/24": entry 1, "slaac": dhcp and slaac stand alone'),
    ("attach shop --parent eth0 --address 192.0.2.2/24 --gateway 192.0.2.1",
     "--address: 192.0.2.2: is the host's own address, on eth0: choose a free one"),
    ("attach shop --parent eth0 --address 192.0.2.5", '--address: "192.0.2.5": entry 1, "192.0.2.5": is none of dhcp, slaac'),
    ("attach shop --parent eth0 --mac 01:00:00:00:00:05", '--mac: "01:00:00:00:00:05": is no MAC address that an interface can have'),
    ("attach shop --parent eth0 --from ports", '--from: "ports": entry 1, "ports": is neither labels nor published'),
    ("detach", "PROJECT: name one project; see anchord list"),
    ("detach ../../run/x", "../../run/x: is no name of a Compose project"),
    ("list --x", "--x: unknown argument; there are --json and --help"),
])
def test_host1_what_is_wrong_is_said_with_the_way_out_and_nothing_is_written(host, words, said):
    found = host(f"anchord {words}; echo status $?", "find /etc /run -type f ! -name machine-id")
    assert f"anchord {words.split()[0]}: {said}" in found.stderr
    assert found.stdout == "status 1\n"


def test_host1_list_shows_what_is_written_down_and_detach_forgets_it(host):
    found = host(f"anchord {SHOP_ALONE} >/dev/null", "anchord attach mail --parent=br0 --no-start >/dev/null", "anchord list", "anchord list --json",
                 *holding("/run/anchord-attach/shop/sock", "anchord list", "anchord detach shop; echo status $?",
                          f"anchord {SHOP}; echo status $?"),
                 "anchord detach shop", "anchord list", "anchord detach shop; echo status $?")
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["mail", "stopped", "br0", "dhcp"]
    assert lines[1].split() == ["shop", "stopped", "eth0", "192.0.2.5/24,2001:db8::5/64"]
    assert json.loads(lines[2])[1] == {"project": "shop", "state": "stopped", "parent": "eth0",
                                       "address": "192.0.2.5/24,2001:db8::5/64", "addresses": "", "reason": ""}
    assert lines[4].split()[:2] == ["shop", "attached"]
    assert lines.count("status 1") == 2
    assert "anchord detach: shop: its half on the host runs, but no container of this Docker" in found.stderr
    assert "anchord attach: shop: is attached already" in found.stderr
    assert lines[-5:] == ["removed   /etc/anchord/shop.env", "detached  shop: nothing of it is left on this host", lines[0],
                          "nothing   to do: shop is not attached; anchord list shows what is", "status 0"]


def test_host1_list_shows_what_runs_without_a_file_and_what_ails_it(host, engine):
    engine.add("anchord-shop-host-1", project="anchord-shop", labels=HALF | {"com.docker.compose.service": "host"}, running=False)
    engine.add("anchord-shop-identity-1", project="anchord-shop", labels=HALF | {"com.docker.compose.service": "identity"})
    mail = {"anchord.attach": "mail"}
    for half in ("host", "identity"):
        engine.add(f"anchord-mail-{half}-1", project="anchord-mail", labels=mail | {"com.docker.compose.service": half})
        engine.named(f"anchord-mail-{half}-1")["State"]["Pid"] = os.getpid()
    found = host("anchord list --json", "anchord attach mail --parent eth0; echo status $?", "anchord list", ANCHORD_X="1")
    shown = {entry["project"]: entry for entry in json.loads(found.stdout.splitlines()[0])}
    assert shown["shop"]["state"] == "failed" and shown["shop"]["reason"] == "anchord-shop-host-1 does not run"
    assert shown["mail"]["state"] == "starting" and shown["mail"]["reason"] == "it does not answer: No such file or directory"
    assert "status 1" in found.stdout and "anchord attach: mail: is attached already" in found.stderr
    assert [line.split()[:3] for line in found.stdout.splitlines()[-2:]] == [["shop", "failed", "-"], ["mail", "starting", "-"]]


def test_host1_list_shows_no_foreign_text_raw(host, engine):
    """HOST-1: neither a label nor a container's environment colours root's terminal, or looks like another line."""
    with subprocess.Popen(["sleep", "infinity"], env={b"ANCHORD_PARENT": b"\x1b[2Jeth0\n\xc2\x9b"}) as half:
        for service in ("host", "identity"):
            engine.add(f"anchord-mail-{service}-1", project="anchord-mail",
                       labels={"anchord.attach": "\x1b[31mmail\r", "com.docker.compose.service": service})
            engine.named(f"anchord-mail-{service}-1")["State"]["Pid"] = half.pid
        found = host("anchord list")
        half.kill()
    assert found.stdout.splitlines()[0].startswith(r"\u001b[31mmail\u000d     starting  \u001b[2Jeth0\u000a\u009b dhcp  "), found
    assert found.stdout.count("\n") == 1 and not set(found.stdout) & set("\x1b\r\x9b")


@pytest.mark.parametrize("kind, reason", (("full", "Connection timed out"), ("silent", "Connection timed out"),
                                          ("link", "No such file or directory")))
def test_host1_a_hostile_half_neither_holds_the_command_nor_gets_anything_of_it(host, engine, kind, reason):
    """HOST-1: it takes no connection, says nothing on it, leads out of the container; who connects has no right there."""
    with subprocess.Popen(["unshare", "--fork", "--kill-child", "--pid", "--mount", "--net", "--ipc", "/usr/bin/python3", "-c", HOSTILE, kind],
                          stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": os.path.dirname(supervision_module.__file__)}) as container:
        pid = int(container.stdout.readline())
        for service in ("host", "identity"):
            engine.add(f"anchord-shop-{service}-1", project="anchord-shop", labels=HALF | {"com.docker.compose.service": service})
            engine.named(f"anchord-shop-{service}-1")["State"]["Pid"] = pid
        found = host(*holding("/run/anchord-attach/shop/sock", 'timeout 20 "$program" list --json;'))
        seen = json.loads(container.stdout.readline()) if kind == "full" else None
        container.kill()
    assert [entry["reason"] for entry in json.loads(found.stdout)] == [f"it does not answer: {reason}"], found
    if seen:
        assert seen == {"rights": ["0000000000000000"] * 4 + ["1"], "file": "socket", "strange": [], "session": 0}


def is_nobody(pid):
    status = status_of(pid)
    return status["Uid"].split() == ["65534"] * 4 and {int(status[name], 16) for name in ("CapPrm", "CapEff")} == {0}


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@pytest.mark.parametrize("words", (("status", "--json", "--pid"), ("doctor", "--path-answers")))
def test_see2_who_reads_what_a_container_says_is_nobody(build, words):
    """SEE-2: neither anchord status --pid nor the group path reads a hostile container's D-Bus as root."""
    with subprocess.Popen(["unshare", "--fork", "--kill-child", "--pid", "--mount", "--net", "--ipc", "/usr/bin/python3", "-c", HOSTILE, "silent"],
                          stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": os.path.dirname(supervision_module.__file__)}) as container:
        pid = container.stdout.readline().strip()
        with subprocess.Popen([build / "daemon" / "anchord-under-test", *words, pid], stderr=subprocess.DEVNULL) as reader:
            try:
                wait_until(lambda: any(is_nobody(one) for one in (reader.pid, *children_of(reader.pid))), 4)
            finally:
                reader.kill()
                container.kill()


def test_host1_only_what_can_be_a_parent_is_offered(host):
    """Neither Docker's bridges and their ports, nor the links of an attachment, nor what is no Ethernet or Wi-Fi."""
    made = ["add docker0 type bridge", "add docker_gwbridge type bridge", "add br-0123456789ab type bridge", "add br-lan type bridge",
            "add veth1 type veth peer name ancestor", "set veth1 master br-0123456789ab", "add anc0123abcdh type veth peer name anc0123abcdb12",
            "add anc0123abcdx type bridge"]
    found = host(*(f"ip link {words}" for words in made), "ip tuntap add tun0 mode tun", "anchord attach shop --parent eth9; echo status $?",
                 "for link in $(ls /sys/class/net); do ip link delete $link 2>/dev/null; done; anchord attach shop --parent eth9; echo status $?")
    assert found.stdout.splitlines() == ["status 1"] * 2
    assert re.findall("^anchord attach: --parent: (.*)", found.stderr, re.MULTILINE) == [
        "eth9: there is no such interface; there are far0 eth0 far1 far2 eth2 br0 br-lan ancestor anc0123abcdx",
        "eth9: there is no such interface; there is none that can be a parent"], found.stderr


def test_host1_without_docker_nothing_is_guessed(host):
    """HOST-1: who cannot ask neither attaches nor detaches; what is written down is still shown."""
    found = host(f"anchord {SHOP_ALONE} >/dev/null", f"anchord {SHOP}; echo status $?", "anchord detach shop; echo status $?", "anchord list; echo status $?",
                 DOCKER_HOST="unix:///nowhere/docker.sock")
    lines = found.stdout.splitlines()
    assert lines[:2] == ["status 1", "status 1"] and lines[2].split()[:2] == ["shop", "stopped"] and lines[3] == "status 0"
    assert re.search(r"^anchord attach: Docker: .*, at unix:///nowhere/docker.sock; does it run\?", found.stderr, re.MULTILINE)
    assert re.search(r"^anchord detach: Docker: .*its containers may be there: start Docker, then detach it", found.stderr, re.MULTILINE)
    assert "anchord list: warning: Docker: " in found.stderr
    other = host(f"anchord {SHOP}", DOCKER_HOST="tcp://192.0.2.9:2375")
    assert "is no unix socket: the Docker that a project is attached in is this host's" in other.stderr


def test_host1_podman_is_refused_before_anything_is_started(host, engine, docker):
    """HOST-1: both halves would start and never get ready; detach and list work, for whoever has tried it before."""
    engine.versions |= {"Version": "5.8.6", "Components": [{"Name": "Podman Engine", "Version": "5.8.6"}]}
    engine.add("shop-host-1", project="anchord-shop", labels=HALF | {"com.docker.compose.service": "host"}, running=False)
    found = host(f"anchord {SHOP}; echo status $?", f"anchord {SHOP} --dry-run; echo status $?", "ls /etc/anchord", "anchord list; anchord detach shop; echo status $?")
    said = "anchord attach: Docker: attach needs Docker Engine, this is Podman 5.8.6: give the project a network-anchor, as docs/engines.md says for Podman"
    lines = found.stdout.splitlines()
    assert found.stderr.count(f"{said}\n") == 2, found.stderr
    assert lines[:2] == ["status 1", "status 1"]
    assert "No such file" in found.stderr
    assert re.search(r"^shop +failed", found.stdout, re.MULTILINE) and lines[-1] == "status 0", found.stdout
    assert not {"up", "start"} & set(pathlib.Path(f"{docker}.said").read_text(encoding="ascii").split())  # nobody to wait for


def test_host1_a_project_that_is_not_there_is_named_with_those_that_are(host, engine):
    engine.add("imap", project="mail")
    engine.add("anchord-web-host-1", project="anchord-web", labels={"anchord.attach": "web"})
    found = host("anchord attach shpo --parent eth0; echo status $?", "ls --ignore=machine-id /etc")
    assert "anchord attach: shpo: Docker has no container of a Compose project of that name; there are shop mail\n" in found.stderr
    assert found.stdout == "status 1\n"


MACHINE = "0123456789abcdef0123456789abcdef"


def tag_of(project):
    """What links and table are called by on that machine: sd_id128_get_machine_app_specific(3), then FNV-1a."""
    made = bytearray(hmac.digest(bytes.fromhex(MACHINE), b"anchord-attach-1", "sha256")[:16])
    made[6], made[8] = made[6] & 0x0f | 0x40, made[8] & 0x3f | 0x80
    state = 0x6c62272e07bb014262b821756295c58d
    for byte in bytes(made) + project.encode() + b"\0tag":
        state = (state ^ byte) * 0x1000000000000000000013b % 2**128
    return f"{state % 2**32:08x}"


NEIGHBOUR = ("ip netns add lan", "ip link add eth3 type veth peer name far3 netns lan", "ip link set eth3 up",
             "ip -n lan link set far3 up address 02:00:00:00:00:77", "ip -n lan address add 192.0.2.77/24 dev far3",
             "ip -n lan address add 2001:db8::77/64 dev far3 nodad", "ip address add 192.0.2.3/24 dev eth3",
             "ip address add 2001:db8::3/64 dev eth3 nodad")


@pytest.mark.parametrize("address, gateway", [("192.0.2.77/24", "--gateway 192.0.2.1"), ("2001:db8::77/64", "")])
def test_host1_an_address_that_somebody_on_the_lan_has_is_refused_with_his_mac(host, address, gateway):
    """HOST-1: asked by ARP and ND from the parent, without an address of its own."""
    found = host(*NEIGHBOUR, f"anchord attach shop --parent eth3 --address {address} {gateway}; echo status $?", "ls --ignore=machine-id /etc")
    assert found.stderr == (f"anchord attach: --address: {address.split('/')[0]}: somebody on the LAN has it: 02:00:00:00:00:77; "
                            "choose a free one\n")
    assert found.stdout == "status 1\n"


def test_host1_an_address_of_this_hosts_own_projects_is_refused(host, engine):
    """HOST-1: by a file, by the route to an attached one (the LAN would not tell), by a container."""
    record = engine.named("web")
    record["NetworkSettings"]["Networks"]["dmz"] = fake_engine.fake_docker.endpoint("d" * 64, "192.0.2.8")
    found = host("anchord attach mail --parent eth0 --address 192.0.2.6/24 --gateway 192.0.2.1 --no-start >/dev/null",
                 "ip link add anc0123abcdh type veth peer name farh", "ip link set farh up", "ip link set anc0123abcdh up alias 'anchord blog host0'",
                 "ip route add 192.0.2.7/32 dev anc0123abcdh", "ip -6 route add 2001:db8::7/128 dev anc0123abcdh",
                 *(f"anchord attach shop --parent eth0 --address {address} --gateway 192.0.2.1"
                   for address in ("192.0.2.6/24", "192.0.2.7/24,2001:db8::7/64", "192.0.2.8/24")))
    assert found.stderr.splitlines() == [f"anchord attach: --address: {words}" for words in (
        "192.0.2.6: is the address of mail, says /etc/anchord/mail.env: choose another one, or anchord detach mail",
        "192.0.2.7: is the address of blog, which is attached: choose another one",
        "2001:db8::7: is the address of blog, which is attached: choose another one",
        "192.0.2.8: is the address of the container web: choose another one")]


def test_host8_detach_says_what_it_could_not_look_at(host):
    """HOST-8: without the machine's ID, or where nftables may not be asked, nobody knows whether nothing is left; the file stays."""
    as_nobody = 'unshare --user --map-root-user "$program" detach shop; echo status $?'
    found = host(f"anchord {SHOP_ALONE} >/dev/null", as_nobody, "mv /etc/machine-id /run", "anchord detach shop; echo status $?", "ls /etc/anchord",
                 "mv /run/machine-id /etc", "anchord detach shop; echo status $?", "rm /etc/machine-id", "anchord detach shop; echo status $?")
    said = [line for line in found.stderr.splitlines() if line.startswith("anchord detach: shop: whether something is left could not be looked at: ")]
    assert [line.rsplit(": ", 2)[1].split(" anchord_host")[0] for line in said] == [
        "the table inet", "the table bridge", *["its links and tables, whose names are made of the machine's ID, /etc/machine-id"] * 2], found.stderr
    assert "Operation not permitted" in said[0]
    assert found.stdout.splitlines() == ["status 1", "status 1", "shop.env", "removed   /etc/anchord/shop.env",
                                         "detached  shop: nothing of it is left on this host", "status 0", "status 1"]


def test_host1_wireless_is_refused(host):
    found = host("mkdir -p /run/class/eth0/phy80211", "mount --bind /run/class /sys/class/net", f"anchord {SHOP}; echo status $?")
    assert "anchord attach: --parent: eth0: is Wi-Fi, where access points answer one MAC address alone" in found.stderr


@pytest.mark.parametrize("before", ("", "ANCHORD_PROJECT=shop\nANCHORD_GUARD=off\n"))
def test_host1_what_does_not_start_is_undone_and_so_is_the_file(host, docker, before):
    """HOST-1: Compose fails; what was there before is as before."""
    known = [f"mkdir -p /etc/anchord; printf '{before}' >/etc/anchord/shop.env"] if before else []
    found = host(*known, f"anchord {LEASED} --image mine:2; echo status $?", "cat /etc/anchord/*", ANCHORD_GUARD="off", COMPOSE_FILE="/x")
    lines = found.stdout.splitlines()
    assert lines[2:7] == ["written   /etc/anchord/shop.env", "starting  both halves, from the image mine:2",
                          "undone    both halves and all that they made", "undone    /etc/anchord/shop.env is as it was before", "status 1"]
    assert "\n".join(lines[7:]) == before.strip()
    assert "  | what Compose says\nanchord attach: shop: Compose could not start it, see above\n" in found.stderr
    assert docker.with_suffix(".said").read_text().splitlines() == [
        "compose --file - --env-file /etc/anchord/shop.env up --detach", "compose --file - --env-file /etc/anchord/shop.env down"]
    assert docker.with_suffix(".file").read_text() == ATTACH_FILE.read_text()
    assert docker.with_suffix(".environment").read_text().splitlines()[:2] == ["ANCHORD_IMAGE=anchord", "ANCHORD_PROJECT=shop"]
    assert "COMPOSE" not in docker.with_suffix(".environment").read_text()


def test_host1_halves_that_go_again_are_undone(host, docker, scratch):
    """HOST-1: Compose has started them, and nothing of them stays."""
    (scratch / "docker.status").write_text("0", encoding="ascii")
    found = host(f"anchord {LEASED}; echo status $?", "ls /etc/anchord")
    assert "anchord attach: shop: its halves have gone\n" in found.stderr
    assert found.stdout.splitlines()[-2:] == ["undone    /etc/anchord/shop.env is as it was before", "status 1"]


def test_host1_ctrl_c_leaves_nothing_half_made(host, docker, scratch):
    """HOST-1: while it waits, and it is said."""
    (scratch / "docker.status").write_text("0", encoding="ascii")
    found = host(f"(anchord {LEASED}; echo status $?) & until [ -e {docker}.said ]; do :; done",
                 "kill -INT $(pgrep -P $!)", "wait", "ls /etc/anchord")
    assert "anchord attach: shop: was asked to end\n" in found.stderr
    assert found.stdout.splitlines()[-2:] == ["undone    /etc/anchord/shop.env is as it was before", "status 1"]


def test_host1_without_compose_the_way_out_is_said_and_nothing_written(host, docker):
    docker.unlink()
    found = host(f"anchord {LEASED}; echo status $?", "ls --ignore=machine-id /etc", PATH="/usr/sbin:/usr/bin")
    assert "anchord attach: Docker: `docker compose` is not there: install Docker's plugin compose, or take --no-start" in found.stderr
    assert found.stdout.splitlines()[-1] == "status 1"


def test_host8_what_is_left_is_named_with_the_line_that_takes_it_away(host, engine):
    """HOST-1, HOST-8: neither containers nor a file, and a link and a table of its own."""
    tag = tag_of("shop")
    found = host(f"echo {MACHINE} >/etc/machine-id", f"ip link add anc{tag}b0 type veth peer name farb", f"nft add table inet anchord_host_{tag}", f"nft add table bridge anchord_host_{tag}", "anchord detach shop; echo status $?", f"anchord {SHOP_ALONE} >/dev/null", "anchord detach shop; echo status $?", "ls /etc/anchord")
    for family in ("inet", "bridge"):
        assert f"anchord detach: shop: the table {family} anchord_host_{tag} is left: nft delete table {family} anchord_host_{tag}\n" in found.stderr
    assert f"anchord detach: shop: the link anc{tag}b0 is left: ip link delete anc{tag}b0\n" in found.stderr
    assert "has neither containers nor a file: anchord attach it once more" in found.stderr
    assert found.stdout.splitlines()[0] == "status 1" and found.stdout.splitlines()[-2:] == ["status 1", "shop.env"]


def test_host1_a_name_that_anybody_can_take_attaches_nothing(host):
    """HOST-1: an abstract name needs no right, and stands in /proc/net/unix as well."""
    found = host(f"anchord {SHOP_ALONE} >/dev/null", *holding("\\0x /run/anchord-attach/shop/sock", "anchord list"))
    assert found.stdout.splitlines()[-1].split()[:2] == ["shop", "stopped"], found
