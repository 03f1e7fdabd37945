#!/usr/bin/python3
"""What users read holds what it promises: no image that changes under its name, no name of a requirement, one word for each
thing, and a glossary that has it (USE-5).

Called by meson with the program `anchord` that was just built; reads the pages and examples of the checkout.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
