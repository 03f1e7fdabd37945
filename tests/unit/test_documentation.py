#!/usr/bin/python3
"""The variables of the program, of anchord(7) and of docs/configuration.md are the same, with the same defaults; so are the
problems of the registry and of docs/problems.md, and there is an alert for each error.

Called by meson with the program `anchord` and anchord-problems(7), just built; the program's own table is what counts.
"""

import pathlib
import re
import shutil
import subprocess
import sys

from lab import variables

ROOT = pathlib.Path(__file__).resolve().parents[2]


def manual_variables():
    text = (ROOT / "packaging/man/anchord.7").read_text()
    return dict(re.findall(r"^\.It Ev ([A-Z_]+)\n.*?^Default: ([^;\n]*)", text, re.M | re.S))


def markdown_variables():
    text = (ROOT / "docs/configuration.md").read_text()
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", text, re.M))


def problems():
    """(code, severity, whether the log alone has it) of the registry and of docs/problems.md; SEE-1: none is missing, none is left over,
    and each can be linked to (SEE-5)."""
    registry = re.findall(r"^(?:PROBLEM|CHECKED)\(\s*\w+, (\d+), (\w+),\s*(\w+),", (ROOT / "protocol/problem_list.h").read_text(), re.M)
    paragraphs = re.findall(r'^((?:<a id="anc\d{4}"></a>)+)((?:\*\*ANC\d{4}\*\*(?:, )?)+) \((\w+)\)\.(?: \*(Log)\.\*)?',
                            (ROOT / "docs/problems.md").read_text(), re.M)
    assert len(registry) > 30, "the registry was not understood"
    return ({(f"ANC{int(number):04}", severity.lower(), "Log" if teller == "LOG" else "") for number, severity, teller in registry},
            {(code, severity, log) for anchors, codes, severity, log in paragraphs for code in re.findall(r"ANC\d{4}", codes)
             if f'"{code.lower()}"' in anchors})


def unlogged(page):
    """What the sources log and the page has not: SPEC 18, each message of more than INFO with its code."""
    page = " ".join(page.replace("\\&", "").split())
    registry = re.findall(r"^PROBLEM\(\s*(\w+), (\d+),", (ROOT / "protocol/problem_list.h").read_text(), re.M)
    numbers = {name: f"ANC{int(number):04}" for name, number in registry}
    missing, seen = [], 0
    for room in ("common", "daemon", "protocol", "workers"):
        for file in sorted((ROOT / room).rglob("*.c")):
            for level, message, problem in re.findall(r'log_(warn|error)\("([^"\\]+)"[,)]\s*(?:LOG_PROBLEM\(PROBLEM_(\w+)\))?', file.read_text()):
                seen += 1
                words = f"{level.upper()}, {numbers[problem]}" if problem else level.upper()
                if not re.search(rf"\.It [^.]*{words}[^.]*? {re.escape(message)}", page):
                    missing.append(f"{words}: {message}")
    assert seen > 150, "the sources were not understood"
    return missing


def alerted():
    """The codes that the alerts of packaging/monitoring name: SEE-5, each error that a running process tells, once."""
    text = (ROOT / "packaging/monitoring/alerts.yaml").read_text()
    return [code for expression in re.findall(r'code=~?"([^"]*)"', text) for code in expression.split("|")]


def errors():
    registry = re.findall(r"^PROBLEM\(\s*\w+, (\d+), ERROR,\s*(\w+),", (ROOT / "protocol/problem_list.h").read_text(), re.M)
    return {f"ANC{int(number):04}" for number, teller in registry if teller != "LOG"}


def main():
    expected = variables.of_program(sys.argv[1])
    assert len(expected) >= 11, "the program's help was not understood"
    status = 0
    for name, found in (("anchord.7", manual_variables()), ("docs/configuration.md", markdown_variables())):
        if found != expected:
            status = 1
            print(f"{name} differs from the program:", set(expected.items()) ^ set(found.items()))
    commands = subprocess.run([sys.argv[1], "--help"], check=True, capture_output=True, text=True).stdout
    manual = (ROOT / "packaging/man/anchord.1").read_text()
    for command in re.findall(r"^  ([a-z][a-z-]+) ", commands, re.M):
        if f".It Cm {command}\n" not in manual:
            status = 1
            print(f"anchord.1 does not have {command}")
    registry, documented = problems()
    page = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")
    of_page = set(re.findall(r"^\.It Sy (ANC\d{4}) Pq (\w+)\n\S", page, re.M))
    if of_page != {(code, severity) for code, severity, _ in registry}:
        status = 1
        print("anchord-problems(7) differs from the registry:", of_page ^ {(code, severity) for code, severity, _ in registry})
    if missing := unlogged(page):
        status = 1
        print("anchord-problems(7) has not what is logged:", missing)
    lint = shutil.which("mandoc") and subprocess.run(["mandoc", "-T", "lint", "-W", "warning", sys.argv[2]], capture_output=True, text=True)
    if lint and lint.stdout:
        status = 1
        print(lint.stdout)
    if registry != documented:
        status = 1
        print("docs/problems.md differs from the registry:", registry ^ documented)
    named, warnings = alerted(), {"ANC0105"}  # warnings that somebody wants to be woken for
    if sorted(named) != sorted(errors() | warnings):
        status = 1
        print("packaging/monitoring/alerts.yaml names others than the registry's errors, or one twice; AnchordProblem has the rest:",
              set(named) ^ (errors() | warnings))
    return status


if __name__ == "__main__":
    sys.exit(main())
