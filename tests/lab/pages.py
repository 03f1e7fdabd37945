#!/usr/bin/python3
"""The commands and files of the pages that users read, as they stand there; as a program it lists each with who runs it:
PYTHONPATH=tests python3 -m lab.pages

A test that runs what a page says takes it from there by block() or command(), with the page and the beginning in the call as they
are: by that taken() finds it in the tests' sources, and tests/unit/test_pages.py lets no command pass that nobody runs.
"""

import ast
import dataclasses
import functools
import re
import shlex

from .machine import CHECKOUT

FENCE = re.compile(r"^([ \t]*)```(\w*)\n(.*?)^[ \t]*```", re.M | re.S)
COMMENT = re.compile(r"^# {2,4}((?:docker|podman) .*(?<=\\)(?:\n# +.*(?<=\\))*\n# +.*|(?:docker|podman) .*)$", re.M)
PAGES = ("README.md", "packaging/container/README.md",
         *sorted(f"docs/{page.name}" for page in (CHECKOUT / "docs").glob("*.md") if page.name not in ("architecture.md", "testing.md")),
         *sorted(f"compose/{page.name}" for page in (CHECKOUT / "compose").glob("*.yaml")))

# Who pastes these is not in a lab: (page, beginning) -> why nobody runs them. Of what is typed by other tests with values of their
# own, the test.
NOT_RUN = {
    ("README.md", "tests/run"): "it is the run itself",
    ("README.md", "compose/quickstart --parent"): "e2e test_quickstart runs it with the lab's LAN, and has this line understood",
    ("docs/dhcp.md", "install -m 644"): "netns test_dhcp_host runs the hook where a host has it, in a namespace of its own",
    ("docs/dhcp.md", "dhcpcd --rebind"): "netns test_dhcp_host has a dhcpcd of a host's; --rebind is its own word for what a renewal is",
    ("docs/engines.md", "podman network create"): "e2e test_example makes the same on Podman; nightly",
    ("docs/host.md", "packaging/debian/build"): "the stage package of tests/run runs it with a place for its file",
    ("docs/host.md", "apt install"): "tests/host installs the file by its path; test_from_nothing with its dependencies, nightly",
    ("docs/host.md", "anchord attach shop"): "the booted host's LAN has no DHCP server; e2e test_attach_life has, without units",
    ("docs/platforms.md", "docker network create"): "the lab's kernel has no 802.1Q",
    ("docs/platforms.md", "Get-VirtualPortGroup"): "vSphere's",
    ("docs/platforms.md", "Get-VMNetworkAdapter"): "Hyper-V's",
    ("docs/platforms.md", "sudo apt install"): "Ubuntu's for the Raspberry Pi",
    ("docs/releasing.md", "packaging/release"): "the nightly stage release of tests/run runs it with --verify",
    ("docs/releasing.md", "packaging/compare"): "unit test_release runs it, and packaging/release",
    ("docs/releasing.md", "sha256sum"): "the nightly stage release of tests/run checks them",
    ("docs/releasing.md", "git"): "packaging/release works on a clone, which it makes itself",
    ("packaging/container/README.md", "packaging/container/build"): "e2e test_image runs it, with a place for the file; for arm64 the nightly stage release",
    ("packaging/container/README.md", "docker build"): "e2e test_image builds the Dockerfile by buildah, since the lab has no registry",
    ("compose/example.yaml", "docker network create"): "the lab's network of that name keeps its own machines' addresses out of the pool",
    ("compose/podman-transit.yaml", "podman network create"): "that of docs/engines.md",
}


@dataclasses.dataclass(frozen=True)
class Block:
    page: str
    line: int
    heading: str  # the one that it stands under
    language: str
    text: str


def blocks(page, language=None):
    """The fenced blocks of a page, without their indentation; of a Compose file the commands in its comments."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    found = []
    for match in (COMMENT if page.endswith(".yaml") else FENCE).finditer(text):
        before = text[:match.start()]
        if page.endswith(".yaml"):
            found.append(Block(page, before.count("\n") + 1, "", "sh", re.sub(r"\n# +", "\n    ", match[1])))
            continue
        headings = re.findall(r"^#+ (.*)$", before, re.M)
        lines = (line.removeprefix(match[1]) for line in match[3].splitlines())
        found.append(Block(page, before.count("\n") + 2, headings[-1] if headings else "", match[2], "\n".join(lines)))
    return [block for block in found if language in (None, block.language)]


def commands(block):
    """Each command of a block, with its continuation lines; comments that stand behind one are left to the shell."""
    made = [""]
    for line in block.text.splitlines():
        made[-1] += f"{line}\n"
        if not line.rstrip().endswith(("\\", "|")):
            made.append("")
    return [command for command in made if command.strip() and not command.lstrip().startswith("#")]


def block(page, containing):
    """The one block of a page that has this text in it."""
    found, = (one for one in blocks(page) if containing in one.text)
    return found


def command(page, beginning):
    """The one command of a page that begins so, as it stands there."""
    found, = (line for _, line in typed(page) if line.startswith(beginning))
    return found


def compose_files(line):
    """The files of compose/ that a line `docker compose -f FILE … up -d` names, and its words behind them."""
    words = shlex.split(line, comments=True)
    assert words[:2] == ["docker", "compose"], line
    files, words = [], words[2:]
    while words[0] == "-f":
        files.append(CHECKOUT / "compose" / words[1])
        words = words[2:]
    return files, words


def typed(page):
    """(line, command) of all that a page gives a shell."""
    for one in blocks(page):
        if one.language in ("sh", "powershell"):
            lines = one.text.splitlines()
            for line in commands(one):
                yield one.line + lines.index(line.splitlines()[0]), line


@functools.cache
def taken():
    """(page, command) -> the test that takes it by block() or command()."""
    found = {}
    for file in sorted((CHECKOUT / "tests").rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if "pages." not in source:
            continue
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) in ("pages.block", "pages.command"):
                    page, text = (ast.literal_eval(argument) for argument in call.args)
                    whole = ast.unparse(call.func) == "pages.block"
                    for line in commands(block(page, text)) if whole else [command(page, text)]:
                        found[page, line] = f"{file.parent.name} {file.stem}::{function.name}"
    return found


def inventory():
    """(page, line, command, who runs it or None, why nobody does or None) of each command of the pages."""
    for page in PAGES:
        for number, line in typed(page):
            reasons = [reason for (of, beginning), reason in NOT_RUN.items() if of == page and line.startswith(beginning)]
            yield page, number, line, taken().get((page, line)), reasons[0] if reasons else None


def main():
    for page, number, line, test, reason in inventory():
        print(f"{page}:{number}: {' '.join(line.split())}\n    {test or f'not run: {reason}'}")


if __name__ == "__main__":
    main()
