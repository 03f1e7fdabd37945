#!/usr/bin/python3
"""Every variable that the program has, with values that it must refuse: fatal, and the error names the variable (SPEC 10).

Called by meson with the program `anchord` that was just built. A variable that has no wrong value here fails the test, so
a new one needs some. What the program prints of a value leaves no control character raw, in text and in JSON.
"""

import json
import os
import pathlib
import subprocess
import sys
import unicodedata

from lab.variables import of_program

LONG = "x" * 300
DURATIONS = ("x", "-1s", "0", "0s", "1.s", ".5s", "5 m", "5mm", "10m5x", "99999999999999999999", "9999999h", "30s\n", "\x1b[31m")
ADDRESSES = ("x", "10.0.0", "10.0.0.256", "10.0.0.1,10.0.0.2", "fd00::1,fd00::2", "10.0.0.1/24", "fe80::1%eth0", ",", "0.0.0.0",
             "127.0.0.1", "224.0.0.1", "ff02::1", "::", "::1")
NETWORKS = (LONG, "a b", "a\nb", "a\x1b[31m")
CONTAINERS = (LONG, "a b", "a\nb", "x", "-ab", "/ab", "a/b", "container:x", "a\x1b[31m", "aé")
OBJECTS = ("x", "{", "[]", '"a"', "1", "null", '{"a": 1}', '{"a": null}', '{"a": {}}', '{"a": "b", "a": "c"}', '{"": "a"}',
           '{"a=b": "c"}', '{"a": "b\\u0000"}', '{"a": "b"} x', "{'a': 'b'}", "a=b", '{"a": "' + "x" * 4096 + '"}',
           "[" * 10000, '{"a": "\x1b[31m"}')
BOOLEANS = ("x", "yes", "on", "2", "-1", "truefalse", "true!")
# C0, DEL, C1 (U+009B begins a control sequence, too), and bytes that are no UTF-8.
CONTROLS = b"a\x1b[31m\r\n\x7f\xc2\x9b2J\xff\xe2\x82"
CONTROLS_ESCAPED = r"a\u001b[31m\u000d\u000a\u007f\u009b2J\ufffd\ufffd\ufffd"
WRONG = {
    "ANCHORD_MODE": ("x", "Network-Anchor", "network_anchor", LONG, "a\nb"),
    "ANCHORD_PROJECT": (LONG, "a b", "a\nb"),
    "ANCHORD_LABEL_SELECTOR": ("x", "a=1,", ",a=1", "=1", "a=1,a=2", "a\nb", "a=" + "x" * 1022,
                               ",".join(f"k{i}=v" for i in range(17))),
    "ANCHORD_ADDRESS_MODE": ("x", "dhcp", LONG, "bootstrap,slaac-ra-only"),
    "ANCHORD_ADDRESS": ("x", "DHCP", "192.0.2.5", "192.0.2.5/33", "192.0.2.5/24 192.0.2.6/24", ",", "dhcp,slaac", "::1/64",
                        "fd00::5%eth0/64", LONG, "192.0.2.5/24\x1b[31m"),
    "ANCHORD_EXPOSE_FROM": ("x", "label", "labels;published", ",", "labels,", LONG, "published\x1b[31m"),
    "ANCHORD_ALLOW": ("x", "tcp/80 from ::1", "web: tcp/80", "web: tcp/80 from home", "web: tcp/80 from 10.0.0.1/8", LONG,
                      "web: tcp/80 from ::1" + " " * 16000 + "::2", "web: tcp/80 from ::1\x1b[31m"),
    "ANCHORD_LIMIT": ("x", "web: tcp/80", "web: tcp/80-81 1/second per source", "web: tcp/80 0/second per source",
                      "web: tcp/80 1/hour per source", LONG, "tcp/80 1/second per source", "web: tcp/80 1/second per source\x1b"),
    "ANCHORD_PARENT": ("x" * 16, "a b", "a/b", ".", "..", "a\x1b"),
    "ANCHORD_MAC": ("x", "01:00:00:00:00:05", "00:00:00:00:00:00", "02:00:00:00:00", "02-00-00-00-00-05", LONG),
    "ANCHORD_GUARD": ("x", "true", "1", "onoff", "off\n"),
    "ANCHORD_VIA_HOST": ("x", "10.8.0.0", "10.8.0.1/24", "0.0.0.0/0", "10.8.0.0/24,", "10.8.0.0/24;10.9.0.0/24", LONG, "10.8.0.0/24\x1b[31m"),
    "ANCHORD_BRIDGES": ("x" * 16, "a b", ",", "br0,", "br0,a/b", ",".join(f"br{i}" for i in range(17)), "br0\x1b[31m"),
    "ANCHORD_DHCP_HOSTNAME": ("a b", "-a", "a-", "a..b", "a\nb", LONG),
    "ANCHORD_DHCP_BACKOFF_MAX": DURATIONS,
    "ANCHORD_DHCP_ARP_PROBE": BOOLEANS,
    "ANCHORD_DHCP_CLIENT": ("x", "Host", "supervised,host", "dhcpcd", LONG, "host\n"),
    "ANCHORD_EXT_NETWORK": NETWORKS,
    "ANCHORD_EXT_IFACE": ("x" * 16, "a b", "a/b", ".", "..", "a\nb", "a\x1b"),
    "ANCHORD_EXT_GATEWAY_IP": ADDRESSES,
    "ANCHORD_SHARED_NETWORK": NETWORKS,
    "ANCHORD_CLAIM_GATEWAY": ("x", "true", "on", "1", "autooff"),
    "ANCHORD_ON_STOP": ("x", "Keep", "keep,remove", "true", LONG, "keep\n"),
    "ANCHORD_POLL_INTERVAL": DURATIONS,
    "ANCHORD_AUTOSTART_SIBLINGS": BOOLEANS,
    "ANCHORD_AUTOFIX_DEAD_NETNS": BOOLEANS,
    "ANCHORD_MANAGED_SA_TARGET": CONTAINERS,
    "ANCHORD_MANAGED_SA_NAME": CONTAINERS,
    "ANCHORD_MANAGED_SA_IMAGE": (LONG, "a b", "a\nb", "-a", "a\x1b[31m", "a;b", '"a"', "é"),
    "ANCHORD_MANAGED_SA_GATEWAY_IP": ADDRESSES,
    "ANCHORD_MANAGED_SA_EXTRA_ENV": OBJECTS,
    "ANCHORD_MANAGED_SA_LABELS": OBJECTS + ('{"com.docker.compose.project": "x"}', '{"com.docker.compose.": ""}',
                                            '{"anchord.managed-by": "f45"}', '{"a": "b", "anchord.replaces": "x"}'),
    "ANCHORD_GATEWAY_IP": ADDRESSES,
    "ANCHORD_GATEWAY_HOSTNAME": (LONG, "a b", "a..b", "a\nb", "x" * 64),
    "ANCHORD_GATEWAY_RESOLVE_INTERVAL": DURATIONS,
    "COMPOSE_PROJECT_NAME": (LONG, "a b", "a\nb"),
    "ANCHORD_WRAP_POLL_INTERVAL": DURATIONS,
    "ANCHORD_WRAP_RESTART_TIMEOUT": DURATIONS,
    "ANCHORD_FOLLOW_NETWORK": NETWORKS,
    "ANCHORD_FOLLOW_TARGET": NETWORKS,
    "ANCHORD_FOLLOW_RESTART": BOOLEANS,
    "ANCHORD_FOLLOW_EVENT_BACKOFF": tuple(text for text in DURATIONS if text not in ("0", "0s")),
    "ANCHORD_BAN_SOCKET": ("ban.sock", "/run/", "/" + "x" * 107),
    "ANCHORD_METRICS_ADDR": ("x", "9090", ":0", ":65536", ":x", "127.0.0.1:", "1.2.3.4.5:80", "[::1", "[x]:80", "host:80"),
    "ANCHORD_LOG_LEVEL": ("x", "TRACE", "INFO,DEBUG", "0", LONG),
    "ANCHORD_LOG_FORMAT": ("x", "TEXT", "text,json", "0", LONG),
    "DOCKER_HOST": ("x", "unix://", "unix://run/docker.sock", "http://x", "tcp://", "tcp://a:0", "tcp://a:65536", "tcp://a b",
                    "tcp://a@b", "ssh://x", "unix:///" + LONG),
    "DOCKER_TLS_VERIFY": BOOLEANS,
    "DOCKER_CERT_PATH": ("x", "certificates/docker", "~/.docker", " /x", "\n/x", "/" + LONG),
}
OF_REBINDERS = ("COMPOSE_PROJECT_NAME", "ANCHORD_WRAP_POLL_INTERVAL", "ANCHORD_WRAP_RESTART_TIMEOUT")
OF_EXTERNAL_REBINDERS = ("ANCHORD_FOLLOW_NETWORK", "ANCHORD_FOLLOW_TARGET", "ANCHORD_FOLLOW_RESTART",
                         "ANCHORD_FOLLOW_EVENT_BACKOFF")
OF_ATTACH = ("ANCHORD_ADDRESS", "ANCHORD_ALLOW", "ANCHORD_EXPOSE_FROM", "ANCHORD_LIMIT", "ANCHORD_VIA_HOST")
OF_ATTACH_HOST = ("ANCHORD_PARENT", "ANCHORD_MAC", "ANCHORD_GUARD", "ANCHORD_BRIDGES")
OF_SERVICE_ANCHORS = ("ANCHORD_GATEWAY_IP", "ANCHORD_GATEWAY_HOSTNAME", "ANCHORD_GATEWAY_RESOLVE_INTERVAL")


def refusal(program, variable, value):
    """What is wrong with the program's answer; None when it refuses the value by name."""
    environment = {"ANCHORD_PROJECT": "mail", variable: value}
    if variable in OF_SERVICE_ANCHORS:
        environment = {"ANCHORD_MODE": "service-anchor", variable: value}
    if variable in OF_ATTACH:
        environment["ANCHORD_MODE"] = "attach"
    if variable in OF_ATTACH_HOST:
        environment = {"ANCHORD_MODE": "attach-host", "ANCHORD_PARENT": "eth0"} | environment
    if variable in OF_REBINDERS:
        environment = {"ANCHORD_MODE": "wrap-rebinder", "COMPOSE_PROJECT_NAME": "mail", variable: value}
    if variable in OF_EXTERNAL_REBINDERS:
        environment = {"ANCHORD_MODE": "external-rebinder", "COMPOSE_PROJECT_NAME": "mail", "ANCHORD_FOLLOW_NETWORK": "bus",
                       "ANCHORD_FOLLOW_TARGET": "monitor", variable: value}
    result = subprocess.run([program, "config"], env=environment, capture_output=True, check=False)
    text = (result.stdout + result.stderr).decode()
    errors = [line for line in text.splitlines() if line.startswith(f"error: {variable}: ")]
    if result.returncode != 1 or len(errors) != 1:
        return f"{variable}={value!r}: exit {result.returncode}, errors {errors}"
    return None


def raw_controls(program):
    """A line for each way in which control characters of a value, right or wrong, reach the reader."""
    failures = []
    for variable, status in (("ANCHORD_PROJECT", 1), ("ANCHORD_LABEL_SELECTOR", 0)):
        value = (b"a=" if status == 0 else b"") + CONTROLS
        environment = {variable: value} | ({} if variable == "ANCHORD_PROJECT" else {"ANCHORD_PROJECT": "mail"})
        result = subprocess.run([program, "config"], env=environment, capture_output=True, check=False)
        lines = result.stdout.decode().split("\n")  # strict: what is no UTF-8 must not come out
        shown = [line for line in lines if line.startswith(variable) and CONTROLS_ESCAPED in line]
        raw = {character for line in lines for character in line if unicodedata.category(character) == "Cc"}
        if result.returncode != status or len(shown) != 1 or raw:
            failures.append(f"{variable}: exit {result.returncode}, shown {shown}, raw {raw}")
    environment = os.environ | {"ANCHORD_PROJECT": "a\x1b[31m\n"}
    result = subprocess.run([program, "config", "--json"], env=environment, capture_output=True, check=False)
    if json.loads(result.stdout)["variables"]["ANCHORD_PROJECT"]["value"] != "a\x1b[31m\n" or b"\x1b" in result.stdout:
        failures.append(f"--json: {result.stdout}")
    return failures


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    present = of_program(program)
    failures = [f"{name}: no wrong value is known" for name in present if name not in WRONG]
    failures += [f"{name}: the program has no such variable" for name in WRONG if name not in present]
    failures += filter(None, (refusal(program, name, value) for name, values in WRONG.items() for value in values))
    failures += raw_controls(program)
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
