"""`anchord doctor` platform, address, workers (SEE-2): faults that a network-anchor starts with, or that need one of their own.
Each is made for real, found by its code, and is gone after what was printed was done; what an engine itself would have to be
(too old, rootless) is what such an engine answers, said by fake_docker.
"""

import contextlib
import json
import os
import signal
import socket
import threading
import types

import pytest

import whole_anchor
from dhcp_strangers import OneServer
from doctor_lab import HEALTHY_INFO, UNMASQUERADED, Doctor, broken, healthy_anchor, mend
from fake_docker import DMZ_ID, TRANSIT_ID
from leased_anchor import LeasedAnchor
from supervision import wait_until
from whole_anchor import LAN4, LAN6, SUPERVISOR

OK = {("OK", None)}


@pytest.fixture(scope="module")
def whole(build):
    """For what can be mended while it runs."""
    made = healthy_anchor(build)
    made.start()
    yield made
    made.close()


@pytest.fixture
def doctor(build, whole):
    return Doctor(build, whole)


def is_well(doctor, check):
    return doctor.verdicts(check) == {check: OK}


# --- the engine ---

def test_engine_too_old(doctor, whole):
    """ANC0601, SPEC 11: the floor is 20.10, API 1.41; the reply is that of 19.03, which Debian has not got any more."""
    current, whole.docker.versions = whole.docker.versions, {"Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12"}
    try:
        finding = broken(doctor, "engine", "ANC0601", lambda: None, await_it=False)
        assert "19.03.15" in finding["why"] and "20.10" in finding["do"], finding
        whole.docker.versions = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
        assert is_well(doctor, "engine")
    finally:
        whole.docker.versions = current


@pytest.mark.parametrize("option, code, verdict, words", [
    ("name=rootless", "ANC0602", "FAIL", "as root"), ("name=userns", "ANC0603", "WARN", "userns_mode: host")])
def test_engine_set_up_otherwise(doctor, whole, option, code, verdict, words):
    """ANC0602, ANC0603: as `docker info` says it of such an engine."""
    whole.docker.info = {"SecurityOptions": [*HEALTHY_INFO["SecurityOptions"], option]}
    try:
        assert words in broken(doctor, "engine-setup", code, lambda: None, verdict=verdict, await_it=False)["do"]
    finally:
        whole.docker.info = HEALTHY_INFO
    assert is_well(doctor, "engine-setup")


def test_use7_bridges_are_filtered_by_dockers_nftables(doctor, whole):
    """ANC0606, USE-7: iptables drops on an internal network what comes from the LAN; the backend that Engine 29 may have does not,
    whatever stands with it (built from the source's FirewallInfo)."""
    setting = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    network = next(one for one in whole.docker.networks.values() if one["Name"] == "transit")
    network["Internal"] = True
    try:
        for driver in ("iptables", "iptables+firewalld"):
            whole.docker.info = HEALTHY_INFO | {"FirewallBackend": {"Driver": driver}}
            broken(doctor, "bridge-nf", "ANC0606", lambda: doctor.inside(f"echo 1 > {setting}"), await_it=False)
        for backend in ({"Driver": "nftables", "Info": [["EnableUserlandProxy", "true"]]},
                        {"Driver": "nftables+firewalld", "Info": [["ReloadedAt", "2026-08-23T00:28:30Z"]]}):
            whole.docker.info = HEALTHY_INFO | {"FirewallBackend": backend}
            assert is_well(doctor, "bridge-nf")
    finally:
        doctor.inside(f"echo 0 > {setting}")
        network["Internal"] = False
        whole.docker.info = HEALTHY_INFO


@pytest.mark.parametrize("new", ["iptables-nft -N DOCKER", "nft 'add table ip docker-bridges; add chain ip docker-bridges filter-FORWARD { "
                                 "type filter hook forward priority filter; }'"], ids=("iptables-nft", "engine-29-nftables"))
def test_rules_of_an_older_iptables(doctor, new):
    """ANC0608, USE-7: Docker's chains by both backends; host and anchor are one namespace here. The second line restarts Docker,
    which makes its own anew."""
    finding = broken(doctor, "firewall", "ANC0608", lambda: doctor.inside(
        f"{new} && iptables-legacy -t nat -N DOCKER && iptables-legacy -t nat -A DOCKER -i docker0 -j RETURN && "
        "iptables-legacy -P FORWARD DROP"), verdict="WARN", await_it=False)
    line, restart = finding["do"].splitlines()
    assert restart == "systemctl restart docker"
    doctor.inside(line)
    assert is_well(doctor, "firewall")
    assert "-P FORWARD ACCEPT" in doctor.inside("iptables-legacy -S; iptables-nft -X DOCKER 2>&- || nft delete table ip docker-bridges")


def test_transit_by_the_host(doctor, whole):
    """ANC0704: as the engine tells a network that was made without the option; not of one that is internal."""
    transit = whole.docker.networks[TRANSIT_ID]
    try:
        transit["Options"] = {"com.docker.network.bridge.name": "br-mail"}
        finding = broken(doctor, "transit", "ANC0704", lambda: None, verdict="WARN", await_it=False)
        assert finding["object"] == "transit" and 'enable_ip_masquerade: "false"' in finding["do"], finding
        transit["Internal"] = True
        assert is_well(doctor, "transit")
    finally:
        transit["Internal"], transit["Options"] = False, UNMASQUERADED
    assert is_well(doctor, "transit")


# --- the kernel, and Compose ---

def look_otherwise(doctor, tmp_path, place, files, check, *before):
    """A check's answers by code where `place` of the file system is another one, with programs that may be run."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    tmp_path.chmod(0o755)
    script = f'mount --bind "{tmp_path}" "{place}" && exec "$@"'
    found = doctor.run("--json", check, before=["unshare", "--mount", "sh", "-c", script, "sh", *before])
    return {one["code"]: one for one in json.loads(found.stdout)["results"]}


def test_a_kernel_of_before(doctor):
    """ANC0609: by the personality that shows programs a kernel 2.6."""
    found = json.loads(doctor.run("--json", "kernel", before=["setarch", "--uname-2.6"]).stdout)["results"]
    assert [(one["verdict"], one["code"]) for one in found] == [("FAIL", "ANC0609")] and "2.6." in found[0]["sentence"]
    assert is_well(doctor, "kernel")


def test_a_kernel_without_macvlan(doctor, tmp_path):
    """ANC0610: as such a kernel's /boot says it; the anchor's own tables prove the rest, whatever stands there."""
    configuration = f"config-{os.uname().release}"
    found = look_otherwise(doctor, tmp_path, "/boot", {configuration: "# CONFIG_MACVLAN is not set\n"}, "kernel")
    assert list(found) == ["ANC0610"] and found["ANC0610"]["object"] == "macvlan", found
    assert "CONFIG_MACVLAN is not set" in found["ANC0610"]["why"]
    found = look_otherwise(doctor, tmp_path, "/boot", {configuration: "CONFIG_MACVLAN=m\n"}, "kernel")
    assert found[None]["verdict"] == "OK" and "nothing here tells" not in found[None]["sentence"], found


@pytest.mark.parametrize("printed, code, verdict", [
    ("1.29.2", "ANC0611", "WARN"), ("v2.23.3", "ANC0611", "WARN"), ("2.24.0", None, "OK"), ("5.0.1", None, "OK"), ("what?", None, "UNKNOWN")])
def test_compose(doctor, tmp_path, printed, code, verdict):
    """ANC0611: its own word for its version is what counts."""
    found = look_otherwise(doctor, tmp_path, "/usr/local/lib", {"docker/cli-plugins/docker-compose": f"#!/bin/sh\necho {printed}\n"},
                           "compose-version")
    assert found[code]["verdict"] == verdict, found


# --- what the running anchor would put back at once ---

@contextlib.contextmanager
def hung(whole):
    """netadmin, which would repair, and the supervisor, which would replace it."""
    stopped = [whole.pid_of(SUPERVISOR), whole.pid_of("netadmin")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def test_no_address(doctor, whole):
    """ANC0623: nothing but the link-local one is left. netadmin gives them back, once it runs again."""
    with hung(whole):
        finding = broken(doctor, "addresses", "ANC0623", lambda: doctor.inside("ip address flush dev ext0 scope global"), await_it=False)
        assert LAN4 in finding["why"] and LAN6 in finding["why"], finding
    wait_until(lambda: is_well(doctor, "addresses"), 10)


def test_ipv4_is_not_forwarded(doctor, whole):
    """ANC0645: likewise."""
    with hung(whole):
        finding = broken(doctor, "forwarding", "ANC0645", lambda: doctor.inside("sysctl -qw net.ipv4.conf.ext0.forwarding=0"), await_it=False)
        assert finding["object"] == "ext0" and finding["do"].startswith("docker restart ")
    wait_until(lambda: is_well(doctor, "forwarding"), 10)


def test_ipv6_is_not_forwarded(doctor):
    """ANC0304: doctor sees it itself, and the anchor says so; the printed setting mends both."""
    finding = broken(doctor, "forwarding", "ANC0304", lambda: doctor.inside("sysctl -qw net.ipv6.conf.all.forwarding=0"), await_it=False)
    setting, value = finding["do"].split("{")[1].split("}")[0].split(": ")
    assert ("FAIL", "ANC0304") in doctor.verdicts("problems")["problems"]
    doctor.inside(f"sysctl -qw {setting}={value} net.ipv6.conf.ext0.forwarding=0")  # as Docker sets it for the LAN's interface
    wait_until(lambda: doctor.verdicts("forwarding", "problems") == {"forwarding": OK, "problems": OK}, 10)


# --- what it starts with ---

class PoorAnchor(whole_anchor.WholeAnchor):
    lacks = ()

    def wrap(self):
        return (*super().wrap(), *self.lacks)


def test_a_poor_start(build):
    """ANC0662, ANC0604, ANC0663, ANC0605, ANC0301: Docker hangs, NET_RAW was not given, exporter has no filter of its own, and nobody
    names a router. Mended one by one; the rest by a new start with what was printed."""
    whole = healthy_anchor(build, PoorAnchor)
    doctor = Doctor(build, whole)
    released = threading.Event()

    def hang(connection):
        released.wait()
        connection.shutdown(socket.SHUT_RDWR)

    try:
        whole.docker.misbehave["/containers/json?filters=%7B%22label"] = hang  # the watcher's list alone
        for subnet in whole.docker.networks[DMZ_ID]["IPAM"]["Config"]:
            del subnet["Gateway"]
        whole.lacks = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
        whole.supervision.install_stand_in("exporter")
        whole.begin()
        whole.process.wait_for(stand_in="exporter", event="started")
        finding = broken(doctor, "ready", "ANC0662", lambda: None)
        assert "reconciled" in finding["sentence"], finding
        whole.docker.misbehave.clear()
        released.set()
        whole.process.wait_for(msg="anchord ready", timeout=20)
        assert is_well(doctor, "ready")
        assert is_well(doctor, "ready")

        capability = broken(doctor, "capabilities", "ANC0604", lambda: None, verdict="WARN", await_it=False)
        assert capability["do"].startswith("cap_add: [NET_RAW]"), capability
        assert "no system call filter" in broken(doctor, "privileges", "ANC0663", lambda: None, await_it=False)["sentence"]
        router = broken(doctor, "macvlan-gateway", "ANC0605", lambda: None, await_it=False)
        assert router["object"] == "dmz" and router["do"].startswith("ANCHORD_EXT_GATEWAY_IP: "), router
        assert whole.process.wait_for(code="ANC0301")["family"] == "v4"

        for setting in ("accept_ra=0", "accept_ra_defrtr=0", "accept_ra=1 net.ipv6.conf.ext0.forwarding=1"):
            deaf = broken(doctor, "advertisements", "ANC0208", lambda: doctor.inside(f"sysctl -qw net.ipv6.conf.ext0.{setting}"), await_it=False)
            assert setting.split("=", maxsplit=1)[0] in deaf["why"], deaf
            mend(doctor, deaf)
            assert is_well(doctor, "advertisements")
        doctor.inside("sysctl -qw net.ipv6.conf.ext0.forwarding=0")

        whole.kill_all()
        whole.lacks = ()
        whole.supervision.install_real_workers()
        router = whole.lab.client.run("ip", "-6", "-oneline", "address", "show", "dev", "eth0", "scope", "link").split()[3].split("/")[0]
        whole.begin(ANCHORD_EXT_GATEWAY_IP=f"10.99.0.1,{router}")
        checks = ("ready", "capabilities", "privileges", "macvlan-gateway", "problems", "gateway")
        wait_until(lambda: doctor.verdicts(*checks) == dict.fromkeys(checks, OK), 20)
        assert f"answered: 10.99.0.1, {router}%ext0" in doctor.run("gateway").stdout
    finally:
        released.set()
        whole.close()


def test_a_lease_that_does_not_come_is_refused_and_is_not_renewed(build):
    """ANC0203, ANC0202, ANC0624: a real dhcpcd; a server that is silent, gives what lies in the project's own network, gives a
    lease of 20 s, and is silent again."""
    whole = healthy_anchor(build, LeasedAnchor)
    doctor = Doctor(build, whole, runtime=None)
    lan = types.SimpleNamespace(server=whole.lab.client)
    try:
        with OneServer(lan, "10.99.0.1", lease_seconds=20) as server:
            whole.begin(ANCHORD_DHCP_BACKOFF_MAX="1s")
            broken(doctor, "lease", "ANC0203", lambda: None)
            server.address = "172.30.0.77"
            assert "172.30.0.77" in broken(doctor, "lease", "ANC0202", lambda: None)["sentence"]
            server.address = "10.99.0.150"
            wait_until(lambda: is_well(doctor, "lease"), 20)
            server.address = None
            wait_until(lambda: ("WARN", "ANC0624") in doctor.verdicts("lease")["lease"], 20)
            server.address = "10.99.0.150"
            wait_until(lambda: is_well(doctor, "lease"), 20)
    finally:
        whole.close()
