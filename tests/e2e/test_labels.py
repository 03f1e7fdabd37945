"""Labels (NAT-5, NAT-6, NAT-7, DISC-2, DISC-3): conflicts, mistakes, ranges, scope.

One running project with a few services; each test adds containers of its own to it and removes them.
"""

import contextlib
import json
import os
import signal
import time

import pytest

from direct import ANCHOR, FAMILIES, mail_services, service
from lab import images
from lab.machine import wait_until

RANGE = range(10000, 20000)


@pytest.fixture(scope="module")
def mail(shared_direct):
    return shared_direct(mail_services()).ready()


def maps(mail):
    return {(family, proto): mail.elements(family, proto) for family in FAMILIES for proto in ("tcp", "udp")}


@pytest.fixture
def add(mail):
    """add(name, tcp=…, expose=…): a further container of the project on transit; its full name. All are
    gone at the end, from the maps, too."""
    before = maps(mail)
    with contextlib.ExitStack() as stack:
        yield lambda name, **options: stack.enter_context(mail.extra_container(name, **options))
    wait_until(lambda: maps(mail) == before, 5, "the maps as they were before the test")


def errors_naming(mail, *words):
    """The anchor's records at ERROR that hold all of the words."""
    return [record for record in mail.json_logs(ANCHOR) if record["level"] == "ERROR"
            and all(word in json.dumps(record) for word in words)]


def address(mail, container, family=4):
    networks = mail.lab.engine.inspect(container)["NetworkSettings"]["Networks"]
    return networks[f"{mail.name}_transit"]["IPAddress" if family == 4 else "GlobalIPv6Address"]


@pytest.mark.every_engine
def test_a_port_that_two_claim_stays_with_the_first_until_it_goes(mail, add):
    """NAT-6: refused with an error that names both; the rest of its ports work; then it takes over."""
    first = add("first", tcp="7000", expose="tcp/7000")
    mail.wait_answer("tcp", 7000, "first")
    second = add("second", tcp="7000,7001", expose="tcp/7000,tcp/7001")
    mail.wait_answer("tcp", 7001, "second")
    for family in FAMILIES:
        mail.wait_answer("tcp", 7000, "first", family=family)
        assert mail.elements(family, "tcp")[7000] == f"{address(mail, first, family)} 7000"
    wait_until(lambda: errors_naming(mail, first, second, "7000"), 5, "an error about tcp/7000")
    mail.lab.docker("restart", "--time", "1", second)
    mail.wait_answer("tcp", 7001, "second")
    mail.wait_answer("tcp", 7000, "first")
    mail.lab.docker("rm", "--force", first)
    for family in FAMILIES:
        mail.wait_answer("tcp", 7000, "second", family=family)


def test_a_restarted_watcher_keeps_the_incumbent(mail, add):
    """NAT-6: it learns from netadmin's map who has a port, though the other one was created first."""
    older = add("older", tcp="7100,7101", expose="tcp/7101")
    mail.wait_answer("tcp", 7101, "older")
    mail.lab.docker("stop", "--time", "1", older)
    mail.wait_refused("tcp", 7101)
    add("incumbent", tcp="7101", expose="tcp/7101")
    mail.wait_answer("tcp", 7101, "incumbent")
    mail.lab.docker("start", older)
    wait_until(lambda: errors_naming(mail, older, "7101"), 5, "the refusal of the older one")
    watcher = mail.processes()["anchord-watcher"]
    os.kill(watcher, signal.SIGKILL)
    wait_until(lambda: mail.processes().get("anchord-watcher") not in (None, watcher), 10, "a new watcher")
    add("marker", tcp="7102", expose="tcp/7102")  # the new watcher's work is seen
    mail.wait_answer("tcp", 7102, "marker")
    mail.wait_answer("tcp", 7101, "incumbent")


# label -> position of the fault
MALFORMED = {"tcp": 4, "tcp/0": 5, "tcp/65536": 5, "sctp/80": 1, "7200": 1, "tcp/80:": 8, "tcp/80:0": 8,
             "tcp/90-80": 5, "tcp/8000-8010:9000-9005": 15, "tcp/eighty": 5, "tcp/7200,udp/x": 14}


@pytest.mark.parametrize("label,position", MALFORMED.items())
def test_a_malformed_label_counts_as_a_whole_and_is_named(mail, add, label, position):
    """DISC-3: an error with container, label and position; nothing of that container is exposed; other
    containers are served as before and after."""
    before = maps(mail)
    logged = len(errors_naming(mail, "odd", "anchord.expose"))
    odd = add("odd", tcp="7200", expose=label)
    error = wait_until(lambda: errors_naming(mail, odd, "anchord.expose")[logged:], 5, f"an error about {label}")[0]
    assert error["position"] == position
    assert maps(mail) == before
    add("next", tcp="7201", expose="tcp/7201")
    mail.wait_answer("tcp", 7201, "next")
    assert 7200 not in mail.elements(4, "tcp")


# What Docker lets through: name -> (label, how the log begins to speak of it, the place that it names).
HOSTILE = {
    "forged log line": ('tcp/7200\n{"level":"ERROR","msg":"forged"}', "label is invalid", 10),
    "terminal escape": ("tcp/7200\x1b[2J\x1b[31m", "label is invalid", 9),
    "NUL": ("tcp/7200\0,tcp/7201", "odd container", None),
    "no UTF-8": ("tcp/7200\ud800", "label is invalid", 9),
    "64 KiB of white space": ("tcp/7200" + " " * 65536, "odd container", None),
    "thousands of ranges": (",".join(f"udp/{port}-{port + 1}" for port in range(2, 40000, 4)), "odd container", None),
    "a number without end": ("tcp/" + "9" * 8000, "label is invalid", 5),
    "more ports than there are": (",".join(["tcp/1-65535"] * 16), "container exposes more ports than", None),
}


@pytest.fixture
def create(mail):
    """create(label): a container on transit through the API itself, which takes what a command line cannot hold."""
    name = f"{mail.name}-hostile"

    def factory(label):
        mail.lab.engine.api("POST", f"/containers/create?name={name}", {
            "Image": images.SERVICES, "Cmd": service("hostile", tcp="7200")["command"],
            "Labels": {"com.docker.compose.project": mail.name, "anchord.expose": label},
            "HostConfig": {"NetworkMode": f"{mail.name}_transit"}})
        mail.lab.docker("start", name)
        return name

    yield factory
    mail.lab.docker("rm", "--force", name)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_label_is_named_escaped_and_spoils_nobody_else(mail, add, create, case):
    """DISC-1, DISC-3, SPEC 10: one line of JSON each in the log, whatever the label holds."""
    label, message, position = HOSTILE[case]
    before, seen = maps(mail), len(mail.logs(ANCHOR).splitlines())
    name = create(label)
    told = wait_until(lambda: [record for record in mail.json_logs(ANCHOR)[seen:] if record.get("container") == name
                               and record["level"] in ("ERROR", "WARN")], 5, f"a word about {name}")[0]
    assert told["msg"].startswith(message)
    assert told.get("position") == position
    add("next", tcp="7201", expose="tcp/7201")
    mail.wait_answer("tcp", 7201, "next")
    mail.wait_answer("tcp", 25, "smtp")
    assert {port for port in mail.elements(4, "tcp")} == set(before[4, "tcp"]) | {7201}
    for line in mail.logs(ANCHOR).splitlines()[seen:]:
        assert line.isprintable() and json.loads(line)["msg"] != "forged"


@pytest.mark.parametrize("label", ("TCP/7300 , udp/7301:7302", " tcp / 7300,UDP/7301 : 7302 ", ",tcp/7300,, udp/7301:7302,"))
def test_case_white_space_and_empty_entries_do_not_matter(mail, add, label):
    """DISC-3."""
    add("spaced", tcp="7300", udp="7302", expose=label)
    mail.wait_answer("tcp", 7300, "spaced")
    mail.wait_answer("udp", 7301, "spaced")


def test_an_empty_label_means_nothing_to_expose(mail, add):
    """DISC-3: no error, no entry."""
    empty = add("empty", tcp="7400", expose="")
    add("next", tcp="7401", expose="tcp/7401")
    mail.wait_answer("tcp", 7401, "next")
    assert address(mail, empty) not in str(mail.elements(4, "tcp"))
    assert not errors_naming(mail, empty)


@pytest.mark.every_engine
def test_expose_v6_off_keeps_the_service_from_ipv6(mail, add):
    """NAT-7: not in the map of anchord_v6, closed like any other port there."""
    add("legacy", tcp="7500", expose="tcp/7500", labels={"anchord.expose.v6": "off"})
    mail.wait_answer("tcp", 7500, "legacy")
    assert 7500 not in mail.elements(6, "tcp")
    assert mail.lab.lanhost1.probe("tcp", mail.at(6), 7500) == "refused"


@pytest.mark.parametrize("project", ("another-project", None))
def test_containers_out_of_scope_are_not_exposed(mail, add, project):
    """DISC-2: the label alone is not enough, the container must be of this project."""
    add("stranger", tcp="7600", expose="tcp/7600", project=project)
    add("ours", tcp="7601", expose="tcp/7601")
    mail.wait_answer("tcp", 7601, "ours")
    assert 7600 not in mail.elements(4, "tcp")
    assert mail.lab.lanhost1.probe("tcp", mail.at(4), 7600) == "refused"


@pytest.mark.every_engine
def whole_range(mail, family):
    """The map of UDP ports once it holds all of RANGE: while the kernel still resizes the hash of a map that grew by
    so many at once, a listing of it, which takes hundreds of messages, passes over some."""
    def held():
        elements = mail.elements(family, "udp")
        return elements if set(RANGE) <= set(elements) else None
    return wait_until(held, 10, f"{len(RANGE)} ports in the map of family {family}")


def test_ten_thousand_ports(mail, add, figure):
    """NAT-5: one element a port, in both families, at once; other connections do not notice."""
    ends = f"{RANGE[0]},{RANGE[-1]}"
    with mail.lab.lanhost1.connect(mail.at(4), 25) as connection:
        start = time.monotonic()
        media = add("media", udp=ends, expose=f"udp/{RANGE[0]}-{RANGE[-1]}")
        for family in FAMILIES:
            mail.wait_answer("udp", RANGE[-1], "media", family=family)
        figure(f"10,000 ports in two families: docker run to answers {time.monotonic() - start:.2f} s")
        for record in mail.records("reconciled"):
            if record["entries"] >= 2 * len(RANGE) and "event_to_map_us" in record:
                figure(f"10,000 ports in two families: Docker's event to the kernel {record['event_to_map_us'] / 1e6:.3f} s")
        assert connection.alive()
    for family in FAMILIES:
        elements = whole_range(mail, family)
        assert elements[12345] == f"{address(mail, media, family)} 12345"
        mail.wait_answer("udp", RANGE[0], "media", family=family)
    start = time.monotonic()
    mail.lab.docker("rm", "--force", media)
    wait_until(lambda: 12345 not in mail.elements(4, "udp"), 5, "the end of the range")
    figure(f"10,000 ports in two families: docker rm to empty maps {time.monotonic() - start:.2f} s")
    assert not set(mail.elements(6, "udp")) & set(RANGE)


def test_many_single_ports_of_many_kinds(direct):
    """NAT-5, DISC-1: a state of more than a few dozen entries is sorted with memory from the heap, which asks the kernel
    how much there is: the watcher's system call filter once ended it there."""
    ports = range(20001, 20401, 2)
    expose = ",".join(f"{proto}/{port}" for port in ports for proto in ("tcp", "udp"))
    project = direct(mail_services() | {"many": service("many", tcp="20001", expose=expose)}).ready()
    project.wait_answer("tcp", 20001, "many", deadline=20)
    for family in FAMILIES:
        for proto in ("tcp", "udp"):
            assert set(ports) <= set(project.elements(family, proto))
    assert not project.records("worker died")
