#!/usr/bin/python3
"""Commands and options of `anchord --help`, of anchord(1) and of both completions are the same.

Called by meson with the program `anchord` that was just built; its own help is what counts.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program(path):
    """{command: set of its options}, set of roles."""
    text = subprocess.run([path, "--help"], check=True, capture_output=True, text=True).stdout
    roles, commands = re.search(r"Roles.*?\n((?:  .*\n)+)\nCommands:\n((?:  .*\n)+)", text).groups()
    found = {}
    commands = re.sub(r"\n +\[", " [", commands)  # options go on in the next line
    for line in re.findall(r"^  ([a-z][a-z-]*.*)$", commands, re.M):
        name, rest = re.match(r"(\S+)(.*)", line).groups()
        found.setdefault(name, set()).update(re.findall(r"--[a-z][a-z-]*", rest.split("   ")[0]))
    return found, set(re.findall(r"^  ([a-z][a-z-]+) ", roles, re.M))


def manual():
    text = (ROOT / "packaging/man/anchord.1").read_text()
    commands = {}
    for name, body in re.findall(r"^\.Nm\n\.Cm ([a-z-]+)(?: [a-z-]+)?\n((?:\.Op .*\n)*)", text, re.M):
        commands[name] = {f"--{option}" for option in re.findall(r"Fl -([a-z][a-z-]*)", body)}
    return commands


def completion(name, pattern):
    text = (ROOT / "packaging/completions" / name).read_text()
    options = {command: set(re.findall(r"--[a-z][a-z-]*", words)) for command, words in re.findall(pattern, text, re.M)}
    return text, options


def main():
    commands, roles = program(sys.argv[1])
    assert {"status", "config", "ruleset", "healthcheck"} <= set(commands) and "network-anchor" in roles, (commands, roles)
    status = 0

    def compare(what, found, expected):
        nonlocal status
        if found != expected:
            status = 1
            print(f"{what}: {found} instead of {expected}")

    compare("anchord.1", manual(), commands)
    with_options = {name: options for name, options in commands.items() if options}
    bash, options = completion("anchord.bash", r'^        (\w+)\) words="([^"]*)"')
    compare("bash: options", options, with_options)
    compare("bash: commands", set(re.search(r'commands="([^"]*)"', bash).group(1).split()), set(commands))
    compare("bash: roles", set(re.search(r'roles="([^"]*)"', bash).group(1).split()), roles)
    zsh, options = completion("_anchord", r"^    (\w+)\) compadd -- (.*) ;;")
    compare("zsh: options", options, with_options)
    compare("zsh: commands", set(re.findall(r"^        '([a-z-]+):", zsh, re.M)), set(commands))
    compare("zsh: roles", set(re.search(r"roles=\(([^)]*)\)", zsh).group(1).split()), roles)
    return status


if __name__ == "__main__":
    sys.exit(main())
