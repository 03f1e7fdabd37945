"""SEE-5: `anchord status --html`, one page without script: the facts of `status --json`, and no name that does harm."""

import base64
import datetime
import hashlib
import html.parser
import json
import re
import subprocess

import pytest

from exporter_lab import Anchord
from fake_docker import container
from supervision import wait_until

HOSTILE = "<script>alert(1)</script>"
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "bdi", "article", "strong", "pre", "dl", "dt", "dd", "br",
            "table", "thead", "tbody", "tr", "th", "td", "span"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "scope", "data-label"}
SAME_ELSEWHERE = {"port_first", "port_last", "backend_port_first", "prefix_length"}  # stand in the cell of another key


class Page(html.parser.HTMLParser):
    """What a browser would find: elements, and the text of each row, paragraph or heading."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.metas = set(), set(), {}
        self.style, self.blocks, self.open = "", [""], []
        self.feed(text)
        self.close()
        self.blocks = [" ".join(block.split()) for block in self.blocks if block.strip()]

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag == "meta":
            self.metas |= {dict(attributes).get("http-equiv") or dict(attributes).get("name"): dict(attributes).get("content")}
        else:
            self.open += [tag] if tag != "br" else []
        self.blocks += [""] if tag in ("tr", "article", "dd", "p", "title", "h1") and "article" not in self.open[:-1] else []
        self.blocks[-1] += " " if tag in ("td", "p", "pre", "br", "h3") else ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "an element that is not closed"

    def handle_data(self, data):
        if "style" in self.open:
            self.style += data
        else:
            self.blocks[-1] += data


@pytest.fixture
def anchord(supervision):
    made = Anchord(supervision)
    supervision.runtime = made.directory / "run"
    yield made
    made.close()


def command(anchord, *arguments):
    return anchord.anchor.run(anchord.supervision.build / "daemon" / "anchord", "status", *arguments,
                              env={"RUNTIME_DIRECTORY": str(anchord.supervision.runtime)}, timeout=20)


def expected_texts(row):
    """What of a row of --json stands on the page, as it stands there."""
    for key, value in row.items():
        if value is None and key != "guests" or key in SAME_ELSEWHERE or value == 0 and key in ("pid", "since_us", "remaining_seconds", "retry_seconds"):
            continue
        if key == "proto" and "port_first" in row:
            last = f"-{row['port_last']}" if row["port_last"] != row["port_first"] else ""
            yield f"{value}/{row['port_first']}{last}"
        elif key in ("address4", "address6"):
            yield (f"{value}:" if key == "address4" else f"[{value}]:") + str(row["backend_port_first"])
        elif key == "address" and "prefix_length" in row:
            yield f"{value}/{row['prefix_length']}"
        elif key == "since_us":
            yield datetime.datetime.fromtimestamp(value // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        elif key == "guests":
            yield value or "everybody"
        elif key in ("remaining_seconds", "retry_seconds"):
            yield f"{value} s"
        else:
            yield " ".join(str(value).split())


def start_with_hostile_names(anchord):
    """A port for two, a label that is none, a name from right to left and one that colours terminals."""
    anchord.start_ready()
    anchord.docker.start(container(1, "tcp/80:8080, udp/9000-9010", name=HOSTILE, address6="fd30::4"))
    anchord.docker.start(container(2, "tcp/80", name='a"b\'c&amp;', created=1_700_000_009))
    anchord.docker.start(container(3, '"><img src=x onerror=alert(1)>', name="\u202egnp.exe"))
    anchord.docker.start(container(4, "tcp/0", name="red\x1b[31m\x9b31m"))
    wait_until(lambda: len(json.loads(command(anchord, "--json").stdout)["problems"]) >= 4, 10)


def test_see5_the_page_has_the_facts_and_no_name_does_harm(anchord):
    start_with_hostile_names(anchord)
    status, done = json.loads(command(anchord, "--json").stdout), command(anchord, "--html")
    assert (done.returncode, done.stderr) == (0, "")
    page = Page(done.stdout)
    # Nothing but what the page is made of, and no source from which anything could come.
    assert page.elements <= ELEMENTS and page.attributes <= ATTRIBUTES, (page.elements - ELEMENTS, page.attributes - ATTRIBUTES)
    assert not re.search(r"url\(|@import|expression|javascript", page.style)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert page.metas["Content-Security-Policy"] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # The names are there, as names.
    assert HOSTILE in " ".join(page.blocks) and "<script" not in done.stdout and "&lt;script&gt;" in done.stdout
    assert "<bdi>\\u202egnp.exe</bdi>" in done.stdout  # it turns nothing, neither here nor where it is pasted
    # Each row of --json is one of the page, and what is told once stands on it.
    for key in ("project", "role", "version"):
        assert any(status[key] in block for block in page.blocks), key
    assert "ready" in page.blocks
    lists = {key: value for key, value in status.items() if isinstance(value, list) and key != "unmet_conditions"}
    assert {"exposures", "conflicts", "problems", "workers", "map_elements", "gateways"} <= {key for key, rows in lists.items() if rows}
    for key, rows in (lists | {"external": [status["external"]], "shared": [status["shared"]]}).items():
        for row in rows:
            row = {name: value for name, value in row.items() if not re.search("[\x1b\x9b\u202e]", str(value))}
            texts = list(expected_texts(row))
            assert [block for block in page.blocks if all(text in block for text in texts)], (key, texts, page.blocks)


def test_see5_the_page_is_html(anchord):
    """As tidy(1) and a browser read it, also of an anchor that is not ready."""
    anchord.start()
    anchord.await_exporter()
    done = command(anchord, "--html")
    assert "<p class=\"state bad\">not ready: <bdi>tables_installed</bdi> is false, <bdi>reconciled</bdi> is false</p>" in done.stdout
    for text in (done.stdout, ):
        checked = subprocess.run(["tidy", "-quiet", "-errors"], input=text, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr


def test_see5_the_page_goes_alone(anchord):
    anchord.start()
    anchord.await_exporter()
    for others in (["--json"], ["--watch"]):
        done = command(anchord, "--html", *others)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "anchord status: --html is one page, and goes with nothing else\n")
    full = without_output(anchord, "status --html > /dev/full")
    assert (full.returncode, full.stderr) == (1, "anchord status: No space left on device\n")


def without_output(anchord, words):
    return subprocess.run([*anchord.anchor.wrap, "sh", "-c", f"{anchord.supervision.build}/daemon/anchord {words}"], check=False,
                          capture_output=True, text=True, env={"RUNTIME_DIRECTORY": str(anchord.supervision.runtime)})


def test_see5_nowhere_to_write(anchord):
    """A full disk and a closed output are no success, and no socket stands in for what is closed; what was asked for its
    answer alone still gives that."""
    anchord.start()
    anchord.await_exporter()
    for words in ("status", "status --json", "status --help", "version", "--help"):
        for output in ("> /dev/full", ">&-"):
            done = without_output(anchord, f"{words} {output}")
            assert done.returncode == 1 and "cannot write to standard output" in done.stderr, (words, output, done)
    assert without_output(anchord, "status <&- 2>&-").stdout.startswith("anchord ")
    assert without_output(anchord, "healthcheck > /dev/full").returncode == without_output(anchord, "healthcheck").returncode
