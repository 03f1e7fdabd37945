"""The commands attach, detach and list (HOST-1) on a host of this test's own: its network, its /etc, its /run."""

import json
import pathlib
import re
import subprocess

import pytest

# eth0 is on the LAN, eth1 a bridge's port, eth2 down.
HOST = """set -e
mount --make-rprivate /
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /etc
mount -t tmpfs tmpfs /run
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


# Holds a socket for as long as the lines behind it take.
def holding(address, *lines):
    return (f"mkdir -p /run/anchord-attach/shop; /usr/bin/python3 -c \"import signal, socket; s = socket.socket(socket.AF_UNIX, 5); "
            f"s.bind({address!r}); s.listen(); print(flush=True); signal.pause()\" | (read ready; ", *lines,
            "kill -- $(pgrep -P $$ python3) )")


@pytest.fixture
def host(build):
    def run(*lines):
        """The CompletedProcess of these lines of shell on such a host."""
        script = "\n".join([f"program={build / 'daemon' / 'anchord'}", 'anchord() { "$program" "$@"; }', HOST, "set +e", *lines])
        return subprocess.run(["unshare", "--net", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)

    return run


def test_host1_what_was_asked_for_is_written_down_with_comments(host):
    found = host(f"anchord {SHOP}", "stat -c %a /etc/anchord/shop.env", "cat /etc/anchord/shop.env", "ls /etc/anchord")
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert "640" in lines and lines[-1] == "shop.env"
    written = [line for line in lines if line.startswith("ANCHORD_")]
    assert written == ["ANCHORD_PROJECT=shop", "ANCHORD_ADDRESS=192.0.2.5/24,2001:db8::5/64", "ANCHORD_PARENT=eth0",
                       "ANCHORD_EXT_GATEWAY_IP=192.0.2.1"]
    for line in (*written, "#ANCHORD_GUARD=on", "#ANCHORD_EXPOSE_FROM=labels,published"):
        assert lines[lines.index(line) - 1].startswith("# "), line
    assert "  ANCHORD_IMAGE=anchord:dev docker compose --env-file /etc/anchord/shop.env --file attach.yaml up --detach" in lines


def test_host1_the_image_is_called_as_it_is_called_here(host):
    found = host(f"ANCHORD_IMAGE=registry:5000/anchord@sha256:ab anchord {SHOP}", f"ANCHORD_IMAGE='a;b' anchord {SHOP}")
    assert re.findall("ANCHORD_IMAGE=[^ ]*", found.stdout) == ["ANCHORD_IMAGE=registry:5000/anchord@sha256:ab", "ANCHORD_IMAGE=anchord:dev"]


def test_host11_compose_passes_on_all_that_is_written_down(host):
    """HOST-1, HOST-11: a setting in the file that nothing reads would be a lie; and the file has 25 lines at most."""
    written = re.findall(r"^#?(\w+)=", host(f"anchord {SHOP}", "cat /etc/anchord/shop.env").stdout, re.MULTILINE)
    text = ATTACH_FILE.read_text(encoding="utf-8")
    # A pair of both sides around a name is one that says otherwise what its absence means.
    passed = {re.sub(r'"(\w+)=\$\{\1:-\w+\}"', r"\1", name.strip()) for names in re.findall(r"environment: \[([^]]*)\]", text) for name in names.split(",")}
    assert {"ANCHORD_ON_STOP", "ANCHORD_POLL_INTERVAL", "ANCHORD_LOG_LEVEL", "ANCHORD_METRICS_ADDR"} <= set(written)
    assert set(written) == passed - {"ANCHORD_MODE=attach", "ANCHORD_MODE=attach-host"}
    assert len(text.splitlines()) <= 25


def test_host1_who_may_not_write_is_told_so_before_the_plan(host):
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c"
    found = host(f"{nobody} '\"$0\" {SHOP}' \"$program\"; echo status $?", f"{nobody} '\"$0\" {SHOP} --dry-run' \"$program\"; echo status $?")
    assert found.stderr == "anchord attach: /etc/anchord/shop.env: run as root, or with --dry-run\n"
    assert found.stdout.splitlines()[:2] == ["status 1", "/etc/anchord/shop.env:"]
    assert found.stdout.splitlines()[-1] == "status 0"


def test_host1_a_dry_run_says_and_writes_nothing(host):
    found = host(f"anchord {SHOP} --dry-run", "ls /etc/anchord")
    assert found.stdout.splitlines()[0] == "/etc/anchord/shop.env:"
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
    ("attach shop --parent eth9", "--parent: eth9: there is no such interface; there are far0 eth0 far1 eth1"),
    ("attach shop --parent eth1", "--parent: eth1: is a port of the bridge br0, and can have no further links: take --parent br0"),
    ("attach shop --parent eth2", "--parent: eth2: is down: ip link set eth2 up"),
    ("attach shop --parent lo", "--parent: lo: is no interface on a LAN; there are far0 eth0 far1 eth1"),
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
    ("detach shop", "shop: is not attached; see anchord list"),
    ("detach ../../run/x", "../../run/x: is no name of a Compose project"),
    ("list --x", "--x: unknown argument; there are --json and --help"),
])
def test_host1_what_is_wrong_is_said_with_the_way_out_and_nothing_is_written(host, words, said):
    found = host(f"anchord {words}; echo status $?", "find /etc /run -type f")
    assert f"anchord {words.split()[0]}: {said}" in found.stderr
    assert found.stdout == "status 1\n"


def test_host1_list_shows_what_is_attached_and_detach_forgets_it(host):
    found = host(f"anchord {SHOP} >/dev/null", "anchord attach mail --parent=br0 >/dev/null", "anchord list", "anchord list --json",
                 *holding("/run/anchord-attach/shop/sock", "anchord list", "anchord detach shop; echo status $?",
                          f"anchord {SHOP}; echo status $?"),
                 "anchord detach shop", "anchord list")
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["mail", "stopped", "br0", "dhcp"]
    assert lines[1].split() == ["shop", "stopped", "eth0", "192.0.2.5/24,2001:db8::5/64"]
    assert json.loads(lines[2])[1] == {"project": "shop", "state": "stopped", "parent": "eth0",
                                       "address": "192.0.2.5/24,2001:db8::5/64"}
    assert lines[4].split()[:2] == ["shop", "attached"]
    assert "  ANCHORD_IMAGE=anchord:dev docker compose --env-file /etc/anchord/shop.env --file attach.yaml down" in lines
    assert lines.count("status 1") == 2
    assert "anchord detach: shop: runs: as root, this brings it down" in found.stderr
    assert "anchord attach: shop: is attached already" in found.stderr
    assert lines[-2:] == ["/etc/anchord/shop.env is gone", lines[0]]


def test_host1_a_name_that_anybody_can_take_attaches_nothing(host):
    """HOST-1: an abstract name needs no right, and stands in /proc/net/unix as well."""
    found = host(f"anchord {SHOP} >/dev/null", *holding("\\0x /run/anchord-attach/shop/sock", "anchord list"))
    assert found.stdout.splitlines()[-1].split()[:2] == ["shop", "stopped"], found
