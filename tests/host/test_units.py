"""The package on a booted Debian (PKG-1, PKG-2, HOST-11): one command makes a running project a server of the LAN by two
units of systemd. What updates, boots and a second host do stands in the files beside this.
"""

import json
import re
import time

import pytest

from lab import pages, topology
from lab.machine import CHECKOUT, HERE, wait_until


def test_pkg1_attach_by_units(shop, figure):
    """HOST-11: from the package to a client that is answered, by one command."""
    shop.detach()
    started = time.monotonic()
    said = shop.attach()
    figure(f"attached after {time.monotonic() - started:.1f} s")
    assert all(map(shop.is_active, shop.units))
    assert f"{shop.name} is on the LAN at {shop.addresses[0]}" in said
    shop.wait_answered()


def test_pkg2_one_line_tells_address_and_state(attached):
    """PKG-2: systemctl status has both."""
    line = wait_until(lambda: attached.show("StatusText"), 10, "a line")
    assert line.startswith("Ready at ") and all(address in line for address in attached.addresses), line
    assert attached.run("anchord", "--project", attached.name, "healthcheck").stdout == "ready\n"
    status = attached.run("anchord", "--project", attached.name, "status").stdout
    assert f"{attached.addresses[0]}/24 given, {attached.addresses[1]}/64 given\n" in status and "Shared" not in status
    assert "ANC" not in attached.run("anchord", "--project", attached.name, "status").stdout


def test_the_pages_for_who_looks_at_it(attached):
    """docs/host.md, explain.md, monitoring.md: what is typed on a host with units."""
    lines = pages.commands(pages.block("docs/host.md", "systemctl status anchord@shop"))
    lines.append(pages.command("docs/explain.md", "sudo anchord --project shop"))
    lines.append(pages.command("docs/monitoring.md", "anchord --project PROJECT").replace("PROJECT", attached.name))
    said = [attached.run("bash", "-c", f'cd /tmp; sudo() {{ "$@"; }}; {line}').stdout for line in lines]
    assert "Ready at" in said[0] and "anchord ready" in said[1] and "ready" in said[2] and "reaches" in said[4], said
    assert attached.run("tail", "--bytes=8", "/tmp/status.html").stdout == "</html>\n"


def test_guest2_bans_go_by_the_project(attached):
    """GUEST-2: a ban of the host's root for one project; it lives through a restart of its unit."""
    ban = ("anchord", "--project", attached.name, "ban")
    attached.run(*ban, "add", attached.lab.lanhost1.ipv4)
    try:
        wait_until(lambda: attached.lab.lanhost1.probe("tcp", attached.addresses[0], 8001, timeout=0.3) == "timeout", 10, "no answer")
        attached.run("systemctl", "restart", attached.unit)
        wait_until(attached.is_ready, 30, "a successor that is ready")
        assert attached.lab.lanhost1.ipv4 in attached.run(*ban, "list").stdout
        assert attached.lab.lanhost1.probe("tcp", attached.addresses[0], 8001, timeout=0.3) == "timeout"
    finally:
        attached.run(*ban, "del", attached.lab.lanhost1.ipv4)
    wait_until(attached.answers, 10, "an answer")


@pytest.mark.parametrize("half", [pytest.param(0, marks=pytest.mark.nightly), 1], ids=("host", "identity"))
def test_pkg2_a_supervisor_that_hangs_is_replaced(attached, half):
    """PKG-2: by systemd's watchdog; flows go on."""
    unit = attached.units[half]
    settings = f"/run/systemd/system/{unit}.d"
    attached.run("sh", "-c", f"mkdir -p {settings}; printf '[Service]\nWatchdogSec=2\n' > {settings}/watchdog.conf; "
                 f"systemctl daemon-reload; systemctl restart {unit}")
    wait_until(attached.is_ready, 30, "units that are ready")
    before = attached.pids()
    try:
        with attached.traffic():
            attached.run("kill", "-STOP", before[half])
            attached.wait_replaced(before, unit)
    finally:
        attached.run("sh", "-c", f"rm -r {settings}; systemctl daemon-reload")


@pytest.mark.parametrize("unit, setting, reason", [
    ("anchord-host@wrong.service", "ANCHORD_PARENT=", "ANCHORD_PARENT"),
    ("anchord@wrong.service", f"ANCHORD_PARENT={topology.UPLINK}\nANCHORD_ADDRESS=10.99.0.300/24", "10.99.0.300"),
], ids=("host", "identity"))
def test_pkg2_a_wrong_setting_fails_once(shop, unit, setting, reason):
    """PKG-2: no loop; the reason stands in `systemctl status`. Which half it concerns fails."""
    shop.run("sh", "-c", f"mkdir -p /etc/anchord; printf '{setting}\n' > /etc/anchord/wrong.env")
    try:
        shop.run("systemctl", "start", "anchord@wrong.service", check=False)
        wait_until(lambda: shop.show("ActiveState", unit) == "failed", 30, "a unit that has failed")
        said = shop.run("systemctl", "status", "--no-pager", "--full", unit, check=False).stdout
        assert reason in said.partition("invalid configuration")[2], said
        # With a restart it would have been "activating" since its end, in which it waits a second.
        assert shop.show("NRestarts", unit) == "0"
    finally:
        shop.run("systemctl", "stop", "anchord@wrong.service", "anchord-host@wrong.service", check=False)
        shop.run("systemctl", "reset-failed", "anchord@wrong.service", "anchord-host@wrong.service", check=False)
        shop.run("/usr/libexec/anchord/attached-namespace", "remove", "wrong")
        shop.run("rm", "/etc/anchord/wrong.env")


@pytest.mark.parametrize("half, most", [("anchord@", 2.5), ("anchord-host@", 4.9)], ids=("identity", "host"))
def test_pkg2_exposure_of_the_units(installed, half, most):
    """PKG-2: the gate of 2.5. The host half is what docs/host.md tells, and nothing loosens it unseen."""
    said = installed.run_on_host("systemd-analyze", "security", "--no-pager", f"{half}shop.service", check=False).stdout
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", said)
    assert found and float(found[1]) <= most, said


@pytest.mark.parametrize("half", (0, 1), ids=("host", "identity"))
def test_pkg2_the_journal_reads_well(attached, half):
    """PKG-2: native priorities, by which `journalctl --priority` chooses; text for people; no complaint of our own file."""
    unit = attached.units[half]
    attached.run("systemctl", "reset-failed", unit)  # of starts in a minute only so many are let through: tests are quick
    attached.run("systemctl", "restart", unit)
    wait_until(attached.is_ready, 30, "units that are ready")
    lines = [json.loads(line) for line in attached.run(
        "journalctl", "--output", "json", "--no-pager", f"_SYSTEMD_INVOCATION_ID={attached.show('InvocationID', unit)}").stdout.splitlines()]
    assert {"6"} <= {line["PRIORITY"] for line in lines} <= {"4", "6"}, lines
    assert {line["SYSLOG_IDENTIFIER"] for line in lines} == {"anchord"}
    assert not [line for line in lines if line["MESSAGE"].startswith(("{", "<")) or "questionable" in line["MESSAGE"]]


def test_host8_detached_without_a_trace(attached):
    """HOST-8: no unit, namespace, link, rule; also at once after a restart."""
    for _ in range(2):
        attached.run("systemctl", "restart", attached.unit)
    attached.detach()
    assert not any(map(attached.is_active, attached.units))
    assert "anchord" not in attached.run("nft", "list", "ruleset").stdout
    links = json.loads(attached.run("ip", "-j", "link").stdout)
    assert not [link["ifname"] for link in links if link["ifname"].startswith("anc")]
    assert attached.run("ip", "netns", "list").stdout == ""


def test_pkg1_users_have_names(installed):
    """PKG-1: what runs as a number is a name in ps and in the journal."""
    wanted = re.findall(r"(?m)^u (\S+) +(\d+)", (CHECKOUT / "packaging/systemd/anchord.sysusers").read_text())
    assert len(wanted) > 9
    for name, number in wanted:
        assert installed.run_on_host("getent", "passwd", number).stdout.startswith(f"{name}:x:{number}:{number}:anchord (")


def test_pkg1_purge_leaves_nothing(attached, package):
    """PKG-1: removal detaches and keeps the settings, also those that are a link to elsewhere, and stops at nothing that
    somebody has put beside them; purge takes them too."""
    file = f"/etc/anchord/{attached.name}.env"
    attached.run("sh", "-c", f"mkdir /etc/anchord/old.env; mv {file} /var/tmp/kept; ln -s /var/tmp/kept {file}")
    attached.run("apt-get", "remove", "--yes", "anchord", timeout=300)
    assert not any(map(attached.is_active, attached.units))
    assert sorted(attached.run("ls", "/etc/anchord").stdout.split()) == sorted((f"{attached.name}.env", "old.env"))
    assert attached.run("readlink", file).stdout == "/var/tmp/kept\n"
    attached.run("rm", "/var/tmp/kept")
    assert "anchord" not in attached.run("nft", "list", "ruleset").stdout
    attached.run("apt-get", "purge", "--yes", "anchord", timeout=300)
    left = attached.run("find", "/etc", "/var/lib", "/run", "/usr", "-xdev", "-name", "*anchord*", "-not", "-path",
                        "/var/lib/dpkg/*", "-not", "-path", f"{HERE}/*", "-not", "-path", "/run/anchord-lab*",
                        check=False).stdout.split()
    assert left == []
    attached.run("apt-get", "install", "--yes", attached.lab.state / package.name, timeout=300)
