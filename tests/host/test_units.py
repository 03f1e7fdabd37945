"""The package on a booted Debian (PKG-1, PKG-2, HOST-11): one command makes a running project a server of the LAN by two
units of systemd, and they live through restarts, kills, an upgrade and a boot.
"""

import json
import re
import time

import pytest

from lab import compose, images, topology
from lab.machine import HERE, wait_until
from lab.streams import assert_nothing_lost, streaming

ADDRESSES = ("10.99.0.81", "fd99::81")
NAME = "shop"
UNITS = (f"anchord-host@{NAME}.service", f"anchord@{NAME}.service")


# A datagram each 5 ms to the server outside, from its first moment on.
FIRST_ACT = f"""
import socket
while True:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.005)
            sock.sendto(b"first", ("{topology.OUTSIDE[0]}", 80))
            sock.recv(1)
    except OSError:
        pass
"""


def definition():
    """As people write them; `first` connects out as its first act."""
    return {
        "services": {
            "web": compose.echo_service("web", "--tcp", "8080", "--udp", "8443", restart="unless-stopped",
                                        ports=["8001:8080", "8443:8443/udp"]),
            "first": {"image": images.SERVICES, "restart": "unless-stopped", "stop_grace_period": "0s",
                      "entrypoint": ["python3", "-c", FIRST_ACT]},
        },
        "networks": {"default": {"enable_ipv6": True, "ipam": {"config": [{"subnet": "10.41.1.0/24"},
                                                                       {"subnet": "fd41:0:0:1::/64"}]}}},
    }


@pytest.fixture(scope="module")
def shop(installed):
    """The project, up, with nothing attached."""
    instance = compose.Project(installed, definition(), name=NAME)
    instance.up()
    installed.run_on_host("anchord", "detach", NAME)  # a kept lab's
    yield instance
    installed.run_on_host("anchord", "detach", NAME, check=False)
    instance.discard()


@pytest.fixture
def attached(installed, shop):
    """The same, on the LAN; what the command said."""
    if not is_active(installed, UNITS[1]):
        attach(installed)
    return installed


def attach(lab):
    return lab.run_on_host("anchord", "attach", NAME, "--parent", topology.UPLINK, "--address",
                           f"{ADDRESSES[0]}/24,{ADDRESSES[1]}/64", "--gateway", ",".join(topology.ROUTER)).stdout


def is_active(lab, unit):
    return lab.run_on_host("systemctl", "is-active", unit, check=False).stdout.strip() == "active"


def show(lab, unit, name):
    return lab.run_on_host("systemctl", "show", "--property", name, "--value", unit).stdout.strip()


def answers(lab, family=4):
    """With the client's own address as the source."""
    address, client = ADDRESSES[family == 6], lab.lanhost1.addresses[family == 6]
    return lab.lanhost1.probe("tcp", address, 8001, timeout=1).split()[:2] == ["web", client]


def wait_answered(lab, deadline=60):
    started = time.monotonic()
    for family in (4, 6):
        wait_until(lambda family=family: answers(lab, family), deadline, f"an answer by IPv{family}")
    return time.monotonic() - started


def sources(seen):
    """Who has sent something to the server outside."""
    return {packet.source for packet in list(seen.packets) if packet.destination == topology.OUTSIDE[0]}


def test_pkg1_attach_by_units(installed, shop, figure):
    """HOST-11: from the package to a client that is answered, by one command."""
    started = time.monotonic()
    said = attach(installed)
    figure(f"attached after {time.monotonic() - started:.1f} s")
    assert all(is_active(installed, unit) for unit in UNITS)
    assert f"{NAME} is on the LAN at {ADDRESSES[0]}" in said
    wait_answered(installed)


def test_pkg2_one_line_tells_address_and_state(attached):
    """PKG-2: systemctl status has both."""
    line = wait_until(lambda: show(attached, UNITS[1], "StatusText"), 10, "a line")
    assert line.startswith("Ready at ") and all(address in line for address in ADDRESSES), line
    assert attached.run_on_host("anchord", "--project", NAME, "healthcheck").stdout == "ready\n"
    assert "ANC" not in attached.run_on_host("anchord", "--project", NAME, "status").stdout


def test_guest2_bans_go_by_the_project(attached):
    """GUEST-2: a ban of the host's root for one project; it lives through a restart of its unit."""
    ban = ("anchord", "--project", NAME, "ban")
    attached.run_on_host(*ban, "add", attached.lanhost1.ipv4)
    try:
        wait_until(lambda: attached.lanhost1.probe("tcp", ADDRESSES[0], 8001, timeout=0.3) == "timeout", 10, "no answer")
        attached.run_on_host("systemctl", "restart", UNITS[1])
        wait_until(lambda: show(attached, UNITS[1], "StatusText").startswith("Ready"), 30, "a successor that is ready")
        assert attached.lanhost1.ipv4 in attached.run_on_host(*ban, "list").stdout
        assert attached.lanhost1.probe("tcp", ADDRESSES[0], 8001, timeout=0.3) == "timeout"
    finally:
        attached.run_on_host(*ban, "del", attached.lanhost1.ipv4)
    wait_until(lambda: answers(attached), 10, "an answer")


@pytest.mark.parametrize("how", ("restart", "kill", "reinstall"))
def test_keep1_nothing_is_lost(attached, package, how, figure):
    """KEEP-1: flows in and out go on while the units are restarted, killed, or replaced by the package's installation."""
    commands = {
        "restart": ["systemctl", "restart", UNITS[1]],
        "kill": ["systemctl", "kill", "--signal", "KILL", UNITS[1]],
        "reinstall": ["apt-get", "install", "--reinstall", "--yes", attached.state / package.name],
    }
    pid = show(attached, UNITS[1], "MainPID")
    with streaming(attached.lanhost1, [("tcp", ADDRESSES[0], 8001), ("udp", ADDRESSES[0], 8443),
                                       ("tcp", ADDRESSES[1], 8001), ("udp", ADDRESSES[1], 8443)]) as found:
        attached.run_on_host(*commands[how], timeout=300)
        wait_until(lambda: show(attached, UNITS[1], "MainPID") not in ("0", pid), 30, "another process")
        wait_until(lambda: show(attached, UNITS[1], "StatusText").startswith("Ready"), 30, "a successor that is ready")
    assert_nothing_lost(found)


def test_pkg2_a_supervisor_that_hangs_is_replaced(attached):
    """PKG-2: by systemd's watchdog; flows go on."""
    settings = "/run/systemd/system/anchord@.service.d"
    attached.run_on_host("sh", "-c", f"mkdir -p {settings}; printf '[Service]\nWatchdogSec=2\n' > {settings}/watchdog.conf; "
                         f"systemctl daemon-reload; systemctl restart {UNITS[1]}")
    pid = show(attached, UNITS[1], "MainPID")
    try:
        with streaming(attached.lanhost1, [("tcp", ADDRESSES[0], 8001), ("udp", ADDRESSES[0], 8443)]) as found:
            attached.run_on_host("kill", "-STOP", pid)
            wait_until(lambda: show(attached, UNITS[1], "MainPID") not in ("0", pid), 30, "another process")
            wait_until(lambda: show(attached, UNITS[1], "StatusText").startswith("Ready"), 30, "a successor that is ready")
        assert_nothing_lost(found)
    finally:
        attached.run_on_host("sh", "-c", f"rm -r {settings}; systemctl daemon-reload")


def test_pkg2_a_wrong_setting_fails_once(installed, shop):
    """PKG-2: no loop; the reason stands in `systemctl status`."""
    installed.run_on_host("sh", "-c", "printf 'ANCHORD_ADDRESS=10.99.0.300/24\\n' > /etc/anchord/wrong.env")
    try:
        installed.run_on_host("systemctl", "start", "anchord@wrong.service", check=False)
        wait_until(lambda: show(installed, "anchord-host@wrong.service", "ActiveState") == "failed" or
                   show(installed, "anchord@wrong.service", "ActiveState") == "failed", 30, "a unit that has failed")
        for unit in ("anchord-host@wrong.service", "anchord@wrong.service"):
            assert show(installed, unit, "NRestarts") == "0"
    finally:
        installed.run_on_host("systemctl", "stop", "anchord@wrong.service", "anchord-host@wrong.service", check=False)
        installed.run_on_host("rm", "/etc/anchord/wrong.env")


def test_pkg2_exposure_of_the_unit(installed):
    """PKG-2: the gate of 2.5. The host half's is only told."""
    said = installed.run_on_host("systemd-analyze", "security", "--no-pager", "anchord@shop.service", check=False).stdout
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    assert found and float(found[1]) <= 2.5, said


def test_host9_boots_again(attached, figure):
    """HOST-6, HOST-9: after a loss of power everything is answered without a hand, and no container has left with the host's
    address meanwhile, though one connects out as its first act."""
    with attached.outside.capture() as seen:
        attached.power_cycle()
        figure(f"answered {wait_answered(attached):.1f} s after Docker of the booted host")
        wait_until(lambda: ADDRESSES[0] in sources(seen), 30, "what leaves")
    assert topology.ENGINE[0] not in sources(seen), sources(seen)


def test_host8_detached_without_a_trace(attached):
    """HOST-8: no unit, namespace, link, rule."""
    attached.run_on_host("anchord", "detach", NAME)
    assert not any(is_active(attached, unit) for unit in UNITS)
    assert "anchord" not in attached.run_on_host("nft", "list", "ruleset").stdout
    links = json.loads(attached.run_on_host("ip", "-j", "link").stdout)
    assert not [link["ifname"] for link in links if link["ifname"].startswith("anc")]
    assert attached.run_on_host("ip", "netns", "list").stdout == ""


def test_pkg1_purge_leaves_nothing(attached, package):
    """PKG-1: removal detaches and keeps the settings, purge takes them too."""
    attached.run_on_host("apt-get", "remove", "--yes", "anchord", timeout=300)
    assert not any(is_active(attached, unit) for unit in UNITS)
    assert attached.run_on_host("ls", "/etc/anchord").stdout.split() == [f"{NAME}.env"]
    assert "anchord" not in attached.run_on_host("nft", "list", "ruleset").stdout
    attached.run_on_host("apt-get", "purge", "--yes", "anchord", timeout=300)
    left = attached.run_on_host("find", "/etc", "/var/lib", "/run", "/usr", "-xdev", "-name", "*anchord*", "-not", "-path",
                                "/var/lib/dpkg/*", "-not", "-path", f"{HERE}/*", "-not", "-path", "/run/anchord-lab*",
                                check=False).stdout.split()
    assert left == []
    attached.run_on_host("apt-get", "install", "--yes", attached.state / package.name, timeout=300)
