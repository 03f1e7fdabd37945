"""docs/docker-access.md with a real haproxy before a real engine (SPEC 11): each switch of the socket proxy that a role needs
is taken away in turn, and the role says which one it is; and a proxy that allows the exact paths of the table and no
other. POST is in test_wrap_rebinder.py.
"""

import os
import re
import signal

import pytest

from direct import ANCHOR, PROXY, service
from lab.machine import CHECKOUT, wait_until
from wrapped import REBINDER, SIDECAR

SAID = {ANCHOR: "Docker cannot be read, keeping the last state", REBINDER: "Docker cannot be reached, trying again"}


def needs():
    """{switch: roles} of the table."""
    rows = re.findall(r"^\| `(\w+)`[^|]*\|([^|]*)\|", (CHECKOUT / "docs" / "docker-access.md").read_text(), re.M)
    return {switch: [role for role in SAID if role in roles] for switch, roles in rows}


@pytest.fixture
def both(direct):
    """A network-anchor and a wrap-rebinder behind one proxy, which may do all that both need."""
    rebinder = {key: value for key, value in SIDECAR.items() if key != "volumes"} | {"networks": ["control"]}
    rebinder["environment"] = rebinder["environment"] | {"DOCKER_HOST": f"tcp://{PROXY}:2375"}
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080"), REBINDER: rebinder}, proxy=True)
    allow(project, POST=1)
    project.up().wait_answer("tcp", 80, "web", deadline=20)
    wait_until(lambda: project.records("connected to Docker", REBINDER), 20, "the rebinder to read Docker")
    return project


def allow(project, **switches):
    with project.edited() as definition:
        definition["services"][PROXY]["environment"] |= switches


def denials(project, role, switch):
    return [record for record in project.records(SAID[role], role)
            if record["err"].endswith(f"denied by the socket proxy (403): allow {switch}=1")]


def test_each_permission_is_named_by_those_who_need_it(both):
    """And only by them; what was exposed stays, and all goes on when it is allowed again."""
    table = needs()
    assert {switch for switch, roles in table.items() if roles} == {"VERSION", "CONTAINERS", "EVENTS", "NETWORKS", "POST"}
    del table["POST"]
    for switch, roles in table.items():
        connected = len(both.records("connected to Docker", REBINDER))
        allow(both, **{switch: 0})
        both.recreate(PROXY)
        if switch == "NETWORKS":  # which a watcher asks for once
            os.kill(both.processes()["anchord-watcher"], signal.SIGKILL)
        for role in roles:
            wait_until(lambda r=role, s=switch: denials(both, r, s), 30, f"{role} names {switch}")
        if REBINDER not in roles:
            wait_until(lambda c=connected: len(both.records("connected to Docker", REBINDER)) > c, 30,
                       f"the rebinder to read Docker without {switch}")
        both.wait_answer("tcp", 80, "web")
        allow(both, **{switch: 1})
    both.recreate(PROXY)
    with both.extra_container("late", tcp="81", expose="tcp/81"):
        both.wait_answer("tcp", 81, "late", deadline=30)
    for switch, roles in table.items():
        assert [role for role in SAID if denials(both, role, switch)] == roles, switch


def exact_paths(*roles):
    """{method: expression} of the second table, for the roles together; `the same` belongs to the line before."""
    found, who = {}, ""
    text = (CHECKOUT / "docs" / "docker-access.md").read_text(encoding="utf-8")
    for name, method, paths in re.findall(r"^\| ([^|`]*(?:`doctor`)?) \| `(GET|POST|DELETE)` \| `(.+)` \|$", text, re.M):
        who = who if name.strip() == "the same" else name
        if any(role in who for role in roles):
            found.setdefault(method, []).append(paths.replace("\\|", "|"))
    return {method: f"^({'|'.join(paths)})$" for method, paths in found.items()}


def exact_proxy(paths):
    """haproxy's configuration: what wollomatic/socket-proxy does with -allowGET and its like. Each refusal is logged."""
    rules = "".join(f"    http-request allow if {{ method {method} }} {{ path -m reg {expression} }}\n"
                    for method, expression in paths.items())
    methods = " ".join(paths)
    return f"""\
global
    log stdout format raw daemon
defaults
    mode http
    log global
    log-format "%ST %HM %HPO"
    timeout connect 10s
    timeout client 10m
    timeout server 10m
backend docker
    server socket /var/run/docker.sock
frontend api
    bind :::2375 v4v6
    http-request return status 405 content-type text/plain string "Method Not Allowed" unless {{ method {methods} }}
{rules}    http-request return status 403 content-type text/plain string Forbidden
    default_backend docker
"""


def test_the_exact_paths_are_all_that_is_asked_for(direct):
    """WALL-7, SPEC 11: network-anchor and wrap-rebinder work behind a proxy that allows the paths of the table alone, a
    recreation included; nothing else was asked for, and what a proxy with switches lets pass beside them is refused."""
    rebinder = {key: value for key, value in SIDECAR.items() if key != "volumes"} | {"networks": ["control"]}
    rebinder["environment"] = rebinder["environment"] | {"DOCKER_HOST": f"tcp://{PROXY}:2375"}
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080"), REBINDER: rebinder,
                      "guest": service("guest", udp="9") | {"network_mode": "service:web"}}, proxy=True)
    paths = exact_paths(ANCHOR, REBINDER)
    assert set(paths) == {"GET", "POST", "DELETE"}
    with project.edited() as definition:
        definition["configs"] = {"paths": {"content": exact_proxy(paths).replace("$", "$$")}}
        definition["services"][PROXY]["configs"] = [{"source": "paths", "target": "/usr/local/etc/haproxy.cfg"}]
        del definition["services"]["guest"]["networks"]
    project.up().wait_answer("tcp", 80, "web", deadline=20)
    wait_until(lambda: project.records("connected to Docker", REBINDER), 20, "the rebinder to read Docker")
    project.recreate("web")
    wait_until(lambda: project.records("container recreated", REBINDER), 60, "the guest to be recreated")
    project.wait_answer("tcp", 80, "web", deadline=20)
    refused = [line for line in project.logs(PROXY).splitlines() if line.startswith(("403 ", "405 "))]
    assert not refused, refused
    address = project.address(PROXY, "control")
    for path, status in (("/version", "200"), (f"/v1.41/containers/{project.container('web')}/logs?stdout=1", "403"),
                         (f"/v1.41/containers/{project.container('web')}/archive?path=/etc/passwd", "403")):
        said = project.namespace(REBINDER).run(["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
                                                f"http://{address}:2375{path}"]).stdout
        assert said == status, (path, said)
