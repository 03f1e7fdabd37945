#!/usr/bin/python3
"""Writes anchord-problems(7) from the registry of problems, protocol/problem_list.h, and from the messages in the sources around it.
The arguments: that file, and one for what make(1) is told of the sources.

Called by meson when anchord is built.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True  # the checkout stays as it is

import log_messages  # noqa: E402

HEAD = r""".\" Made from protocol/problem_list.h and from the sources.
.Dd November 30, 2026
.Dt ANCHORD-PROBLEMS 7
.Os
.Sh NAME
.Nm anchord-problems
.Nd what anchord finds wrong, by its code
.Sh DESCRIPTION
Each has a code, which the status, the log (field
.Ql code ) ,
the metric
.Ql anchord_problem
and
.Nm anchord Cm doctor
call it by; those from ANC0601 on doctor alone finds.
A word in capitals in a line to paste stands for a value of yours.
Where no line stands, the one that is shown with the problem depends on what was found.
.Bl -tag -width Ds
"""
MESSAGES = """.El
.Sh LOG MESSAGES
All that are logged but those of level DEBUG, by the alphabet, each with its level, and with the code if it tells of a problem.
In a line of JSON the message is the field
.Ql msg ;
an ellipsis stands for what differs.
.Bl -tag -width Ds
"""
FOOT = """.El
.Sh SEE ALSO
.Xr anchord 1 ,
.Xr anchord 7
"""


def entries(text):
    """(macro, its arguments as they are written) of each problem."""
    for start in re.finditer(r"^(PROBLEM|CHECKED)\(", text, re.M):
        arguments, depth, place = [""], 1, start.end()
        while depth:
            token = re.compile(r'"(?:[^"\\]|\\.)*"|.', re.S).match(text, place)[0]
            place += len(token)
            depth += {"(": 1, ")": -1}.get(token, 0)
            if token == "," and depth == 1:
                arguments.append("")
            elif depth:
                arguments[-1] += token
        yield start[1], arguments


def words(argument):
    """What the literals of an argument say together."""
    return "".join(re.sub(r"\\(.)", lambda match: " " if match[1] == "n" else match[1], literal)
                   for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', argument))


def line(text):
    """As a line of mdoc(7) that is nothing but text."""
    text = text.replace("\\", "\\e")
    return f"\\&{text}\n" if text.startswith((".", "'")) else f"{text}\n"


def messages(sources, numbers):
    """The list of them; one with several levels or codes has a line for each of these."""
    found = {}
    for message, level, name in sources.messages():
        found.setdefault(message, set()).add(", ".join([level, *([f"ANC{numbers[name]:04}"] if name else [])]))
    for message in sorted(found, key=lambda text: (text.lower(), text)):
        yield f".It {' '.join(sorted(found[message]))}\n{line(message)}"


def main():
    page, numbers = HEAD, {}
    registry = pathlib.Path(sys.argv[1]).resolve()
    sources = log_messages.Sources(registry.parents[1])
    for macro, arguments in entries(registry.read_text(encoding="utf-8")):
        numbers[arguments[0].strip()] = int(arguments[1])
        severity, title, remedy = arguments[2].strip().lower(), words(arguments[-2]), words(arguments[-1])
        page += f".It Sy ANC{int(arguments[1]):04} Pq {severity}\n" + line(f"{title[0].upper()}{title[1:]}.")
        if remedy:
            page += ".br\n" + line(remedy)
    page += MESSAGES + "".join(messages(sources, numbers))
    pathlib.Path(sys.argv[2]).write_text(f"anchord-problems.7: {' '.join(map(str, sources.files))}\n", encoding="utf-8")
    if sources.unknown:
        sys.exit("log_messages.py does not know what is logged here:\n" + "\n".join(sources.unknown))
    sys.stdout.write(page + FOOT)


if __name__ == "__main__":
    main()
