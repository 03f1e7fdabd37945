#!/usr/bin/python3
"""What users read holds what it promises: no image that changes under its name, no name of a requirement, one word for each
thing, and a glossary that has it (USE-5).

Called by meson with the program `anchord` that was just built; reads the pages and examples of the checkout.
"""

import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import pages  # noqa: E402

COMPOSE = sorted((ROOT / "compose").glob("*.yaml"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "packaging/man").glob("anchord*.[0-9]")])
# Of those who change anchord; the others are of those who use it.
FOR_BUILDERS = ("architecture.md", "testing.md")
FOR_USERS = [page for page in PAGES if page.name not in FOR_BUILDERS] + COMPOSE + [ROOT / name for name in ("CHANGELOG.md", "SECURITY.md", "compose/quickstart")]
GLOSSARY = ROOT / "docs" / "glossary.md"
# Log messages that are kept, word by word, from the program that came before.
KEPT = ("discovered shared network", "shared network re-picked", "shared network is not attached", "ANCHORD_SHARED_NETWORK")
# In italics for another reason: states, emphasis, what a program or a row of a table is called.
NO_TERMS = {"address . port", "attached", "auto-starting sibling waiting for target", "created and started managed service-anchor",
            "dependent in dead netns", "failed", "host name", "network ID not found", "starting", "stopped", "your"}


def lines(files):
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{file.relative_to(ROOT)}:{number}", line


def test_no_image_is_whatever_is_the_latest():
    """`docker compose pull` would change who holds Docker's socket."""
    images = [(where, match[1]) for where, line in lines(COMPOSE + PAGES)
              if (match := re.search(r"^[\s#]*image: +[\"']?([^\s\"',}]+)", line))]
    assert len(images) > 10, "the examples were not understood"
    for where, image in images:
        name = image.removeprefix("${").split(":-")[-1].removesuffix("}") if image.startswith("${") else image
        assert re.search(r":(?!latest$)[^:/]+$", name) or name.startswith("ANCHORD_IMAGE"), f"{where}: {image}"


def literals():
    """What the programs may print: the strings of their sources."""
    for room in ("common", "daemon", "protocol", "workers"):
        for file in sorted((ROOT / room).rglob("*.[ch]")):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if not line.lstrip().startswith(("*", "/*", "//", "#include")):
                    yield from ((f"{file.relative_to(ROOT)}:{number}", text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', line))


def test_no_requirement_is_named():
    """Their text is not in this repository: who reads `NAT-14` learns nothing."""
    named = re.compile(r"\b(ADDR|DISC|GUEST|GW|HOST|KEEP|LIFE|NAT|PKG|SA|SEE|USE|WALL)-[0-9]+\b|\bSPEC\b")
    found = [f"{where}: {line.strip()}" for where, line in (*lines(FOR_USERS), *literals()) if named.search(line)]
    assert not found, "\n".join(found)


def test_each_code_that_a_page_names_is_there():
    """USE-4: docs/platforms.md goes by them; docs/problems.md is compared by test_documentation."""
    codes = {f"ANC{int(number):04}" for number in re.findall(
        r"^(?:PROBLEM|CHECKED)\(\s*\w+, (\d+),", (ROOT / "protocol/problem_list.h").read_text(encoding="utf-8"), re.M)}
    assert len(codes) > 100, "the registry was not understood"
    for where, line in lines(page for page in FOR_USERS if page.name != "problems.md"):
        unknown = set(re.findall(r"\bANC\d{4}\b", line)) - codes
        assert not unknown, f"{where}: {unknown}"


def test_the_versions_that_get_fixes_are_those_that_there_are():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    version = re.search(r"version: '(\d+\.\d+)\.", (ROOT / "meson.build").read_text(encoding="utf-8"))[1]
    holder = (ROOT / "workers/hold/version").read_text(encoding="utf-8").split()[0]
    assert f"| {version}, the newest commit | yes |" in text and f"a version of its own, {holder}," in text, (version, holder)


def test_the_manual_has_each_label():
    """The same labels as docs/configuration.md, in the same order."""
    labels = re.findall(r"^\| `(anchord\.[a-z0-9.]+)` \|", (ROOT / "docs/configuration.md").read_text(encoding="utf-8"), re.M)
    manual = re.findall(r"^\.It Sy (anchord\.\S+)$", (ROOT / "packaging/man/anchord.7").read_text(encoding="utf-8"), re.M)
    assert len(labels) >= 5 and manual[:len(labels)] == labels, (labels, manual)


def test_transit_has_one_name():
    for where, line in (*lines(FOR_USERS), *literals()):
        for kept in KEPT:
            line = line.replace(kept, "")
        assert not re.search(r"\b(the|one|project's|its) (shared|inside) network\b", line, re.I), f"{where}: {line.strip()}"


def commands(anchord):
    """Command -> its options, as `anchord --help` has them; roles have none."""
    usage = subprocess.run([anchord, "--help"], check=True, capture_output=True, text=True).stdout
    known = {"help": set()}
    for title in ("Roles", "Commands"):
        part = re.search(rf"^{title}.*?:\n(.*?)\n\n", usage, re.M | re.S)[1]
        known |= {entry[1]: set(re.findall(r"--[a-z0-9-]+", entry[2]))
                  for entry in re.finditer(r"^  ([a-z-]+)((?: .*)(?:\n {7,}.*)*)", part, re.M)}
    return known


def test_each_command_of_the_pages_is_there(anchord):
    """As it stands on the page: the command, and each of its options. README's are typed by e2e test_first_minutes."""
    known, seen = commands(anchord), 0
    assert len(known) > 12 and len(known["wrap"]) > 8, "the help was not understood"
    for page in (page for page in FOR_USERS if page.suffix in (".md", ".yaml", "")):
        text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
        for place in re.finditer(r"(?<![\w/.-])anchord(?::dev)?(?: --project \w+)? ([a-z-]+)(?![\w:])([^`|;&>#\"(\n]*)", text):
            where = f"{page.relative_to(ROOT)}: {place[0].strip()}"
            before = text[:place.start()].rpartition("\n")[2]
            is_typed = before.endswith("`") or re.fullmatch(r" {4,}(\$ )?((sudo|docker|[A-Z_]+=\S+) .*)?", before)
            assert place[1] in known or not is_typed, where
            for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", place[2] if place[1] in known else ""):
                assert option in known[place[1]] | {"--help", "--project"}, f"{where}: {option}"
                seen += 1
    assert seen > 20, f"{seen}: the pages were not understood"


def test_each_command_of_the_pages_is_run_or_listed():
    """Taken by a test from the page as it stands there, or in the list of those that no lab can run, with the reason."""
    known = list(pages.inventory())
    assert len(known) > 60, "the pages were not understood"
    for page, number, command, test, reason in known:
        assert test or reason, f"{page}:{number}: no test runs {command!r}, and pages.NOT_RUN has no reason"
        assert not (test and reason), f"{page}:{number}: {test} runs {command!r}, and pages.NOT_RUN says that nobody does"
    for page, beginning in pages.NOT_RUN:
        assert any(page == of and line.startswith(beginning) for of, _, line, _, _ in known), f"{page} has no {beginning!r} any more"


def test_no_command_stands_outside_of_a_fence():
    """Nobody would miss its test."""
    for page in pages.PAGES:
        if page.endswith(".md"):
            text = pages.FENCE.sub(lambda match: "\n" * match[0].count("\n"), (ROOT / page).read_text(encoding="utf-8"))
            for number, line in enumerate(text.splitlines(), 1):
                assert not re.match(r" {4,}[$\w./{<-]", line) or re.match(r" *([|*-]|\d+\.) ", line), f"{page}:{number}: {line}"
            assert all(block.language for block in pages.blocks(page)), f"{page}: a fence without its language"


def test_the_command_of_the_page_on_configuration(anchord):
    command, = pages.commands(pages.block("docs/configuration.md", "anchord config"))
    place = {"PATH": f"{pathlib.Path(anchord).parent}:{os.environ['PATH']}"}
    said = subprocess.run(["bash", "-c", command], env=place, capture_output=True, text=True, check=False)
    assert said.returncode == 1 and pages.block("docs/configuration.md", "error: ANCHORD_ALLOW").text in said.stdout + said.stderr, said


def test_the_command_of_the_page_on_monitoring():
    command = pages.command("docs/monitoring.md", "sed -i").replace(" alerts.yaml", " /dev/stdin").replace("sed -i", "sed")
    rules = (ROOT / "packaging/monitoring/alerts.yaml").read_text(encoding="utf-8")
    made = subprocess.run(["bash", "-c", command], input=rules, capture_output=True, text=True, check=True).stdout
    links = re.findall(r"runbook_url: (.*)", made)
    assert links and all(re.fullmatch(r"[\"']?https://git\.example/anchord/docs/problems\.md#.+", link) for link in links), links


def test_what_is_to_be_typed_and_pasted_can_be():
    """Shell that a shell reads, YAML that is YAML, and no file of ours that is not there."""
    blocks = [block for page in pages.PAGES for block in pages.blocks(page)]
    assert len(blocks) > 15, "the pages were not understood"
    for block in blocks:
        if block.language == "sh":
            read = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
            assert not read.stderr, f"{block.page}: {read.stderr}"
        if block.language == "yaml":
            yaml.safe_load(block.text)
    for where, line in lines(FOR_USERS):
        for name in re.findall(r"(?:-f|--file) ((?:example|one-file|attach|podman)[\w-]*\.yaml)", line):
            assert (ROOT / "compose" / name).is_file(), f"{where}: {name}"


def glossary():
    return re.findall(r"^\| ([^|]+?) \| ", GLOSSARY.read_text(encoding="utf-8").replace("| word | meaning |", ""), re.M)


def defined(anchord):
    """Term -> where: roles, patterns, and what a page sets in italics where it says what a word means."""
    usage = subprocess.run([anchord, "--help"], check=True, capture_output=True, text=True).stdout
    roles = re.search(r"^Roles.*?\n\n", usage, re.M | re.S)[0]
    found = {role: "anchord --help" for role in re.findall(r"^  ([a-z-]+) ", roles, re.M)}
    patterns = (ROOT / "docs/patterns.md").read_text(encoding="utf-8")
    found |= {pattern: "docs/patterns.md" for pattern in re.findall(r"^## (.+)$", patterns, re.M)}
    for where, line in lines(page for page in FOR_USERS if page.suffix == ".md"):
        for term in re.findall(r"(?<![*\w`])\*([a-z][\w .-]*)\*(?![*\w])", re.sub(r"`[^`]*`", "", line)):
            found.setdefault(term, where)
    return found


def test_each_term_is_in_the_glossary(anchord):
    known = {word for term in glossary() for word in term.split(", ")}
    known |= {f"{word}s" for word in known} | {"attach-host", "log"}
    missing = {term: where for term, where in defined(anchord).items() if term not in known | NO_TERMS}
    assert not missing, f"not in docs/glossary.md: {missing}"


def test_the_glossary_has_no_word_that_is_used_nowhere():
    text = " ".join(page.read_text(encoding="utf-8") for page in FOR_USERS if page != GLOSSARY).lower()
    unused = [word for term in glossary() for word in term.split(", ")
              if not re.search(rf"\b{re.escape(word.lower().removesuffix('e'))}", text)]
    assert not unused, f"in docs/glossary.md and on no other page: {unused}"


def test_the_glossary_is_in_order():
    text = GLOSSARY.read_text(encoding="utf-8")
    for part in text.split("\n## "):
        words = [word.lower() for word in re.findall(r"^\| ([^|]+?) \| ", part.replace("| word | meaning |", ""), re.M)]
        assert words == sorted(words), "docs/glossary.md is not in the order of the alphabet"


def main():
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            function(*([sys.argv[1]] if function.__code__.co_argcount else []))
            print("ok", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
