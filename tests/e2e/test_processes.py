"""Every process of a running network-anchor and of a service-anchor, as the kernel sees it, against one table for each
(DESIGN §1): user, capabilities, no new privileges, system call filter, descriptors, mapped libraries."""

import os
import pathlib
import re

import pytest

from direct import ANCHOR, GATE, NO_GATE, mail_services
from lab import compose
from lab.machine import wait_until
from service_anchors import ServiceAnchors, anchor_of

NET_ADMIN = 1 << 12  # linux/capability.h
LOADER = {"ld-linux-x86-64.so.2", "libc.so.6"}
LOOP = LOADER | {"libsystemd.so.0", "libcap.so.2"}
SANDBOX = LOOP | {"libseccomp.so.2"}
TLS = {"libmbedtls.so.14", "libmbedx509.so.1", "libmbedcrypto.so.7"}
EVERYWHERE = {
    "anchord-control": (24946, 0, 2, SANDBOX),
    "anchord": (0, None, 2, SANDBOX | {"libyajl.so.2"}),
    "anchord-init": (0, None, 0, LOADER),
}
# name: (user, capabilities, seccomp mode, libraries it may map). The walls: no parser and no TLS beside CAP_NET_ADMIN, no
# netlink beside Docker's answers, nothing that parses beside Docker's socket; nothing of nftables, and no listener (USE-6),
# in an application's namespace.
PROCESSES = {
    "network-anchor": EVERYWHERE | {
        "anchord-netadmin": (24942, NET_ADMIN, 2, SANDBOX | {"libmnl.so.0", "libnftnl.so.11"}),
        "anchord-watcher": (24941, 0, 2, SANDBOX | TLS | {"libcurl.so.4", "libyajl.so.2", "libcares.so.2"}),
        "anchord-announcer": (24945, 0, 2, SANDBOX),
        "anchord-exporter": (24947, 0, 2, SANDBOX | {"libmicrohttpd.so.12"}),
        GATE: (24949, 0, 2, LOADER | {"libseccomp.so.2"}),
    },
    "service-anchor": EVERYWHERE | {
        "anchord-way": (24950, NET_ADMIN, 2, SANDBOX | {"libmnl.so.0"}),
        "anchord-resolver": (24944, 0, 2, SANDBOX | {"libcares.so.2"}),
    },
}
NAMES = [pytest.param(role, name, marks=NO_GATE if name == GATE else ())
         for role, processes in PROCESSES.items() for name in processes]
WORKERS = [parameter for parameter in NAMES if PROCESSES[parameter.values[0]][parameter.values[1]][0]]
pytestmark = pytest.mark.every_engine


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


@pytest.fixture(scope="module")
def anchored(request, lab, anchord_image):
    """A project whose services stand behind service-anchors."""
    made = ServiceAnchors(lab, mail_services(), name=compose.unique_name("processes"))
    with compose.discarded_afterwards(request, made):
        yield made.ready()


@pytest.fixture(scope="module")
def processes(mail, anchored):
    def of_service_anchor():
        found = anchored.processes(anchor_of("smtp"))  # runc, too, while a healthcheck begins
        return found if set(found) == set(PROCESSES["service-anchor"]) else None
    return {"network-anchor": mail.wait_processes(),
            "service-anchor": wait_until(of_service_anchor, 15, "the processes of a service-anchor")}


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def capabilities(fields):
    return {name: int(fields[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


@pytest.mark.parametrize("role", PROCESSES)
def test_these_processes_run_and_no_others(lab, processes, role):
    without_gate = {GATE} if lab.engine.suite == "podman" else set()
    assert set(processes[role]) == set(PROCESSES[role]) - without_gate


@pytest.mark.parametrize("role,name", NAMES)
def test_user_and_seals(processes, role, name):
    user, _, seccomp, _ = PROCESSES[role][name]
    fields = status(processes[role][name])
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {str(user)}
    groups = fields["Groups"].split()
    if name == GATE:
        assert groups == [str(pathlib.Path(f"/proc/{processes[role][name]}/root/var/run/docker.sock").stat().st_gid)]
    else:
        assert groups in ([], ["0"] if user == 0 else [])
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["Seccomp"]) >= seccomp


@pytest.mark.parametrize("role,name", WORKERS)
def test_capabilities_to_the_bit(processes, role, name):
    held = PROCESSES[role][name][1]
    assert capabilities(status(processes[role][name])) == {"Inh": 0, "Prm": held, "Eff": held, "Bnd": 0, "Amb": 0}


@pytest.mark.parametrize("role", PROCESSES)
def test_the_supervisor_holds_net_admin_only_to_hand_it_on(processes, role):
    assert not capabilities(status(processes[role]["anchord"]))["Eff"] & NET_ADMIN


@pytest.mark.parametrize("role,name", NAMES)
def test_mapped_libraries_are_those_of_the_table(processes, role, name):
    maps = pathlib.Path(f"/proc/{processes[role][name]}/maps").read_text()
    mapped = {os.path.basename(path) for path in re.findall(r"(/\S+\.so[.\d]*)$", maps, re.MULTILINE)}
    assert mapped <= PROCESSES[role][name][3]
    needed = {"anchord-netadmin": "libnftnl.so.11", "anchord-watcher": "libcurl.so.4", "anchord-way": "libmnl.so.0",
              "anchord-resolver": "libcares.so.2", "anchord-exporter": "libmicrohttpd.so.12"}
    assert needed.get(name, "libc.so.6") in mapped  # the table is not simply too wide


@pytest.mark.parametrize("role,name", WORKERS)
def test_no_descriptor_but_pipes_sockets_and_the_loops_own(processes, role, name):
    """No worker holds a file or a directory open, but the log, /dev/null and its own memory figure."""
    targets = [os.readlink(path) for path in pathlib.Path(f"/proc/{processes[role][name]}/fd").iterdir()]
    foreign = [target for target in targets if not re.match(r"pipe:|socket:|anon_inode:|/memfd:", target)
               and target != "/dev/null" and not re.fullmatch(r"/proc/\d+/statm", target)]
    assert foreign == []


def test_the_log_says_what_people_match_on(mail):
    """SPEC §10: these prefixes, letter for letter, each line one JSON object with its four fields."""
    for message in ("anchord starting (network-anchor mode)", "external interface resolved", "discovered shared network",
                    "reconciled"):
        assert mail.records(message), message
    for record in mail.json_logs(ANCHOR):
        assert list(record)[:4] == ["time", "level", "msg", "worker"]
        assert record["level"] in ("DEBUG", "INFO", "WARN", "ERROR")
    last = mail.records("reconciled")[-1]
    assert {"backends", "entries", "conntrack_flushed"} <= set(last)
    assert not [line for line in mail.logs(ANCHOR).splitlines() if not line.startswith("{")]
