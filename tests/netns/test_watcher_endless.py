"""anchord-watcher against answers without an end or without measure: bounded memory, an error, recovery (DISC-1)."""

import itertools
import os
import pathlib

import pytest

import watcher_lab
from fake_docker import container
from watcher_lab import WEB, web

GROWTH_KB_MAX = 4096
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIST, EVENTS, VERSION = "/containers/json", "/events", "/version"
WITH_SECOND = WEB | {("tcp", 25, 25): ("172.30.0.5", 25)}


def chunked(first, parts):
    """An answer in chunks: `first`, then one part after the other for as long as there are any."""
    def answer(connection):
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for part in itertools.chain([first], parts):
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
    return answer


def raw(first, parts):
    def answer(connection):
        connection.sendall(first)
        for part in parts:
            connection.sendall(part)
    return answer


def again(part):
    return itertools.repeat(part * (65536 // len(part)))


# Where Docker goes on for ever -> (path, answer, what the error says).
ENDLESS = {
    "string": (LIST, chunked(b'["', again(b"x")), "too long"),
    "escape": (LIST, chunked(b'["', again(b"\\u0041")), "too long"),
    "number": (LIST, chunked(b'[{"Created": 1', again(b"0")), "too long"),
    "white space": (LIST, chunked(b"[", again(b" ")), "too long"),
    "member name": (LIST, chunked(b'[{"', again(b"k")), "too long"),
    "list of numbers": (LIST, chunked(b"[[1", again(b",1")), "too long"),
    "labels": (LIST, chunked(b'[{"Labels":{"a":"b"', again(b',"a":"b"')), "too long"),
    "networks": (LIST, chunked(b'[{"NetworkSettings":{"Networks":{"a":{}', again(b',"a":{}')), "too long"),
    "names": (LIST, chunked(b'[{"Names":["/a"', again(b',"/a"')), "too long"),
    "depth": (LIST, chunked(b"[", again(b"[")), "JSON"),
    "objects in objects": (LIST, chunked(b"[", again(b'{"a":')), "JSON"),
    "header": (LIST, raw(HEAD + b"X: ", again(b"x")), ""),
    "headers": (LIST, raw(HEAD, again(b"X-Header: value\r\n")), ""),
    "informational answers": (LIST, raw(b"", again(b"HTTP/1.1 100 Continue\r\n\r\n")), ""),
    "status line": (LIST, raw(b"HTTP/1.1 200 ", again(b"x")), ""),
    "event": (EVENTS, chunked(b'{"Type":"container","Actor":{"Attributes":{"a":"b"', again(b',"a":"b"')), "too long"),
    "version": (VERSION, chunked(b'{"Components":[1', again(b",1")), "too long"),
    "error": (LIST, raw(b"HTTP/1.1 500 X\r\nContent-Length: 9000000000\r\n\r\n", again(b"x")), "500"),
}


@pytest.fixture
def lab(build):
    lab = watcher_lab.WatcherLab(build, f"anchord-endless-{os.getpid()}")
    yield lab
    lab.close()


def most_memory(watcher):
    """VmHWM in kB: the most that it ever had, whatever it gave back."""
    text = pathlib.Path(f"/proc/{watcher.process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0])


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_cut_off(lab, name):
    path, answer, text = ENDLESS[name]
    docker = lab.start_docker()
    docker.put(web())
    watcher = lab.start(poll=0.2)
    watcher.state(WEB)
    before = most_memory(watcher)
    docker.misbehave[path] = answer
    if path != LIST:
        docker.drop_connections()  # it connects again, and asks anew
        watcher.log("Docker cannot be read")
    told = len(watcher.logged("Docker cannot be read")) + (path != LIST)
    assert text in watcher.log("Docker cannot be read", max(1, told), deadline=40)["err"]
    growth = most_memory(watcher) - before
    print(f"endless {name}: {watcher.logged('Docker cannot be read')[-1]['err']}; {growth} kB more at most")
    assert growth < GROWTH_KB_MAX
    assert watcher.process.poll() is None
    docker.misbehave.clear()
    docker.drop_connections()
    docker.start(container(2, "tcp/25"))
    watcher.state(WITH_SECOND)


ODD_VALUES = {
    "huge number": b"1" + b"0" * 5000,
    "huge fraction": b"0." + b"9" * 5000,
    "huge exponent": b"1e999999999",
    "negative": b"-99999999999999999999",
    "past 64 bits": b"18446744073709551616",
}


@pytest.mark.parametrize("name", ODD_VALUES)
def test_numbers_without_measure_make_one_container_odd(lab, name):
    docker = lab.start_docker()
    docker.put(web())
    record, text = docker.containers[web()["Id"]]
    odd = text.replace(record["Id"].encode(), b"9" * 64).replace(b'"Created": 1700000000', b'"Created": ' + ODD_VALUES[name])
    assert odd != text and ODD_VALUES[name] in odd
    docker.containers["9" * 64] = (record, odd)
    watcher = lab.start()
    watcher.state(WEB)
    assert watcher.log("odd container")["err"] == "Created is no time"


@pytest.mark.parametrize("name", (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"), ids=repr)
def test_a_name_that_is_no_utf8_spoils_neither_log_nor_others(lab, name):
    """SPEC 10: each line of the log stays JSON, which is UTF-8 (RFC 8259, 8.1)."""
    docker = lab.start_docker()
    docker.put(web())
    record, text = docker.containers[web()["Id"]]
    later = text.replace(record["Id"].encode(), b"8" * 64).replace(b"1700000000", b"1700000001")
    docker.containers["8" * 64] = (record, later.replace(b"/backend-1", b"/" + name))
    watcher = lab.start()
    watcher.state(WEB)
    assert watcher.log("port is exposed twice")["container"] == "\N{REPLACEMENT CHARACTER}" * len(name)
