#!/usr/bin/python3
"""anchord-wrap as a program: what it prints is YAML for PyYAML, whatever stands in the project (SPEC 9); errors, files,
exit statuses, privileges.

Called by meson with the program that was just built.
"""

import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from lab import override

PROGRAM = pathlib.Path(sys.argv[1])
PORT = {"target": 80, "published": "80", "protocol": "tcp"}
ODD = ["", "yes", "null", "~", "1.5", "0x1f", "- a", "{a: b}", "a: b", "#", "a #b", "!reset x", "&a", "*a", "'", '"', "\\",
       "\\n", "\n", "\r\n", "\t", " a ", "%a", "@a", "`", "$${X}", "é", "\x85", "\u2028", "\ufeff", "\U0001f600", "\x7f",
       "\x1b[31m", "---", "...", "a\nservices:\n  evil: {}"]


def project(**services):
    return json.dumps({"name": "demo", "services": services, "networks": {"default": {"name": "demo_default"}}})


def run(text, *options):
    return subprocess.run([PROGRAM, *options], input=text, capture_output=True, text=isinstance(text, str), timeout=20)


def test_every_string_reads_back():
    """A protocol of a port for the host itself is the one text that is printed as it came."""
    letters = random.Random(1)
    texts = ODD + ["".join(letters.choice(ODD) + chr(letters.choice((letters.randrange(1, 0xd800), letters.randrange(
        0xe000, 0x110000)))) for _ in range(8)) for _ in range(200)]
    ports = [PORT] + [{"target": 1, "host_ip": "127.0.0.1", "protocol": text} for text in texts]
    result = run(project(web={"networks": {"default": None}, "ports": ports}))
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii() and result.stderr.isascii()
    found = override.read(result.stdout)
    assert set(found) == {"services", "networks"}
    assert set(found["services"]) == {"web", "network-anchor"}
    assert [port["protocol"] for port in found["services"]["web"]["ports"]] == texts


def test_every_name_is_a_string():
    names = ["yes", "null", "1", "1.5", "0o17", "-", ".", "_", "a.b", "on", "2001-01-01"]
    result = run(project(**{name: {"ports": [PORT | {"published": str(80 + i)}]} for i, name in enumerate(names)}))
    assert result.returncode == 0, result.stderr
    assert set(names) < set(override.read(result.stdout)["services"])


def test_bad_input_says_where():
    for text, words in (("", "is empty"), ("{", "byte 1"), ("[]", "object is expected"), ("\n\n{\"a\" 1}", "line 3"),
                        ("services:\n  a: {}\n", "lexical error"), (project(), "no services"),
                        ("{}", "name is missing"), ('{"services": {}}', "name is missing"),
                        (project(a={"ports": ["80:80"]}), "services.a.ports[0]"),
                        (b"{\"name\": \"\xff\"}", b"UTF8"), ("[" * 1000, "deeper")):
        result = run(text)
        assert result.returncode == 2 and words in result.stderr and not result.stdout, (text, result)
    result = run(json.dumps({"name": "x", "services": {"a": {"x": "y" * 33554432}}}))
    assert result.returncode == 2 and "32 MiB" in result.stderr


def test_bad_options_are_named():
    for options, words in ((["--nothing"], "--nothing"), (["more"], "more"), (["--address", "127.0.0.1"], "127.0.0.1"),
                           (["--address", "10.0.0.1,10.0.0.2"], "one family"), (["--subnet", "10.0.0.0/30"], "too small"),
                           (["--subnet", "x"], "not a subnet"), (["--lan", "a\"b"], "--lan"), (["--image", "$X"], "--image"),
                           (["--address", "10.1.0.5", "--subnet", "10.1.0.0/24"], "belongs to the LAN"),
                           (["--address", "1" * 99], "too long"), (["--lan"], "requires an argument")):
        result = run(project(a={}), *options)
        assert result.returncode == 2 and words in result.stderr and not result.stdout, (options, result)


def test_options_reach_the_file():
    result = run(project(a={"ports": [PORT]}), "--address", "fd00::5,192.0.2.5", "--lan", "my_lan", "--dhcp", "--image",
                 "registry.example:5000/anchord@sha256:00", "--subnet", "10.31.7.9/24,fd31:7::/64")
    found = override.read(result.stdout)
    anchor = found["services"]["network-anchor"]
    assert anchor["image"] == "registry.example:5000/anchord@sha256:00"
    assert anchor["environment"]["ANCHORD_ADDRESS_MODE"] == "dhcp-refresh" and "NET_BIND_SERVICE" in anchor["cap_add"]
    assert anchor["networks"]["lan"]["ipv4_address"] == "192.0.2.5"
    assert anchor["networks"]["lan"]["ipv6_address"] == "fd00::5"
    assert found["networks"]["lan"]["name"] == anchor["environment"]["ANCHORD_EXT_NETWORK"] == "my_lan"
    assert found["networks"]["transit"]["ipam"]["config"] == [
        {"subnet": "10.31.7.0/24", "gateway": "10.31.7.1", "aux_addresses": {"DefaultGatewayIPv4": "10.31.7.2"}},
        {"subnet": "fd31:7::/64", "gateway": "fd31:7::1", "aux_addresses": {"DefaultGatewayIPv6": "fd31:7::2"}}]


def test_ipv4_alone_leaves_nothing_of_ipv6(directory):
    """USE-2: a host without IPv6 stumbles over any of it. An option that names IPv6 brings it all back, as does none."""
    text = project(web={"networks": {"default": None}, "ports": [PORT | {"host_ip": "0.0.0.0"}]})
    for options in (["--address", "192.0.2.5"], ["--subnet", "10.31.7.0/24"], ["--address", "192.0.2.5", "--engine", "20.10"],
                    ["--dhcp", "--subnet", "10.31.7.0/24", "--engine", "29"]):
        result = run(text, *options)
        found = override.read(result.stdout)
        anchor, transit = found["services"]["network-anchor"], found["networks"]["transit"]
        assert result.returncode == 0 and "note: IPv4 alone" in result.stderr and "exposed for both" not in result.stderr
        assert "sysctls" not in anchor and "enable_ipv6" not in transit and len(transit["ipam"]["config"]) == 1
        assert set(anchor["networks"]["lan"] or {}) <= {"ipv4_address"}
        rest = result.stdout.replace("an address or a subnet of it adds it", "").replace("name no IPv6", "")
        assert not re.search("ipv6|accept_ra|_V6|fd[0-9a-f]{2}:", rest, re.I), rest
    for options in ([], ["--address", "192.0.2.5,2001:db8::5"], ["--address", "192.0.2.5", "--subnet", "fd31:7::/64"]):
        result = run(text, *options)
        found = override.read(result.stdout)
        assert found["networks"]["transit"]["enable_ipv6"] and "note: IPv4 alone" not in result.stderr
        assert "net.ipv6.conf.all.forwarding=1" in found["services"]["network-anchor"]["sysctls"]
    project_with_ipv6 = json.loads(text) | {"networks": {"default": {"name": "demo_default", "enable_ipv6": True}}}
    result = run(json.dumps(project_with_ipv6), "--address", "192.0.2.5")
    assert override.read(result.stdout)["networks"]["transit"]["enable_ipv6"], "the project leaves by IPv6 with the host's address"
    assert "note: transit has IPv6, though" in result.stderr and "network default has it" in result.stderr


def test_the_engine_gets_what_it_takes():
    """USE-2: sysctls of an endpoint are there from 27 on; before, a sysctl of the container, which newer engines refuse."""
    for engine, is_old in (("20.10.24+dfsg1", True), ("26.1", True), ("27.0", False), ("29.10", False)):
        result = run(project(web={"networks": {"default": None}, "ports": [PORT]}), "--engine", engine)
        anchor = override.read(result.stdout)["services"]["network-anchor"]
        assert ("net.ipv6.conf.eth0.accept_ra=2" in anchor["sysctls"]) == is_old
        assert ("driver_opts" in (anchor["networks"]["lan"] or {})) != is_old
        assert "Engines before 27" not in result.stdout


def test_each_command_is_printed(directory):
    """USE-2: the network, too; on standard error as in the file. None where nothing is to be run."""
    text = project(web={"networks": {"default": None}, "ports": [PORT]})
    target = directory / "anchord.yaml"
    for options, create in ((["--address", "192.0.2.5"], "--gateway ROUTER home"),
                            (["--address", "192.0.2.5,2001:db8::5"], "--gateway ROUTER --ipv6 --subnet SUBNET_V6 --gateway ROUTER_V6 home")):
        result = run(text, "--lan", "home", "--output", target, *options)
        for command in (f"docker network create -d macvlan -o parent=INTERFACE --subnet SUBNET {create}",
                        f"docker compose -f compose.yaml -f {target} up -d",
                        f"docker compose -f compose.yaml -f {target} exec network-anchor anchord status",
                        "docker compose -f compose.yaml up -d --remove-orphans"):
            assert f"{command}\n" in result.stderr and f"{command}\n" in target.read_text(), command
    odd = run(text, "--output", directory / "a; reboot\n.yaml")
    assert odd.returncode == 0 and "reboot" not in odd.stderr and "-f THIS_FILE up" in odd.stderr
    assert "docker" not in run(project(a={})).stderr


def test_the_output_file_survives_bad_input(directory):
    target = directory / "override.yaml"
    target.write_text("x" * 100000)
    assert run("{", "--output", target).returncode == 2 and len(target.read_text()) == 100000
    result = run(project(a={"ports": [PORT]}), "--output", target)
    assert result.returncode == 0 and not result.stdout
    assert override.read(target.read_text())["services"]["a"]["labels"] == {"anchord.expose": "tcp/80"}
    assert run(project(a={}), "--output", directory / "no" / "such").returncode == 2
    assert run(project(a={"ports": [PORT]}), "--check", target).returncode == 0
    changed = run(project(a={"ports": [PORT | {"target": 81}]}), "--check", target)
    assert changed.returncode == 1 and changed.stdout.startswith("a: has changed: ")
    assert run(project(a={}), "--check", "/dev/null").returncode == 2
    assert run(project(a={}), "--check", directory).returncode == 2
    with open("/dev/full", "w", encoding="utf-8") as full:
        failed = subprocess.run([PROGRAM], input=project(a={}), text=True, stdout=full, stderr=subprocess.PIPE)
    assert failed.returncode == 2 and "No space" in failed.stderr


def test_findings_may_go_into_a_file(directory):
    """The limit on file sizes (common/sandbox.c) leaves out what standard output and standard error are."""
    with open(directory / "errors", "w", encoding="utf-8") as errors:
        result = subprocess.run([PROGRAM], input=project(a={"network_mode": "host"}), text=True, stdout=subprocess.PIPE,
                                stderr=errors)
    assert result.returncode == 1 and result.stdout
    assert "network_mode: host" in (directory / "errors").read_text()


def test_ten_thousand_ports_are_one_range():
    ports = [{"target": port, "published": str(port), "protocol": "udp"} for port in range(10000, 20001)]
    started = time.monotonic()
    result = run(project(media={"ports": ports}))
    assert '"udp/10000-20000"' in result.stdout and time.monotonic() - started < 10


def test_it_holds_no_privilege():
    """Even as root: no capability, nothing new by exec, a filter for system calls, before it reads its input."""
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        status = pathlib.Path(f"/proc/{program.pid}/status")
        end = time.monotonic() + 10
        while "Seccomp:\t2" not in (text := status.read_text()):
            assert time.monotonic() < end, text
        for line in ("CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"):
            assert line in text, text
        program.communicate(project(a={}).encode())
    assert program.returncode == 0


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, function in list(globals().items()):
            if name.startswith("test_"):
                function(*([pathlib.Path(directory)] if function.__code__.co_argcount else []))
                print("ok", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
