#!/usr/bin/python3
"""Commands and options of `anchord --help`, of each command's own --help, of anchord(1) and of both completions are the same;
a word that is none of them is named, with the way out.

Called by meson with the program `anchord` that was just built; its own help is what counts.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OTHER_PROGRAMS = {"doctor", "wrap"}  # where they are installed; they have tests of their own
THERE_ARE = ("  roles: network-anchor service-anchor external-rebinder wrap-rebinder attach attach-host\n"
             "  commands: attach ban config detach doctor explain healthcheck list ruleset status version wrap help\n"
             "  see anchord --help\n")
WRONG_WORDS = {
    ("stauts",): f"anchord: stauts is neither a role nor a command; did you mean status?\n{THERE_ARE}",
    ("service-ancor",): f"anchord: service-ancor is neither a role nor a command; did you mean service-anchor?\n{THERE_ARE}",
    ("foo",): f"anchord: foo is neither a role nor a command\n{THERE_ARE}",
    ("network-anchor", "x"): "anchord: unknown argument x; see anchord --help\n",
    ("network-anchor", "--x", "x"): "anchord: unknown argument x; see anchord --help\n",
    ("version", "x"): "anchord version: unknown argument x; see anchord --help\n",
    ("healthcheck", "--x"): "anchord healthcheck: unknown argument --x; see anchord --help\n",
    ("status", "--x"): "anchord status: unknown argument --x; there are --html, --json, --watch and --help\n",
    ("config", "--x"): "anchord config: unknown argument --x; there are --json and --help\n",
}


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
    for name, body in re.findall(r"^\.Nm\n\.Cm ([a-z-]+)(?: [a-z-]+)?((?: Fl .*)?\n(?:\.Op .*\n)*)", text, re.M):
        commands[name] = {f"--{option}" for option in re.findall(r"Fl -([a-z][a-z-]*)", body)}
    return commands


def completion(name, pattern):
    text = (ROOT / "packaging/completions" / name).read_text()
    options = {command: set(re.findall(r"--[a-z][a-z-]*", words)) for command, words in re.findall(pattern, text, re.M)}
    return text, options


def asked(path, *words):
    done = subprocess.run([path, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


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
    for name in set(commands) - OTHER_PROGRAMS:
        code, text, complaint = asked(sys.argv[1], name, "--help")
        shown = set(re.findall(r"--[a-z][a-z-]*", text)) | {"--help"}
        compare(f"anchord {name} --help", (code, complaint, text.split("\n")[0].split()[:3], shown),
                (0, "", ["Usage:", "anchord", name], commands[name]))
    for words, complaint in WRONG_WORDS.items():
        code, _, said = asked(sys.argv[1], *words)  # a wrong role is in the log besides, with all other errors
        compare(" ".join(words), (code, said), (1, complaint))
    return status


if __name__ == "__main__":
    sys.exit(main())
