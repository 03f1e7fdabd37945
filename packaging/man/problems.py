#!/usr/bin/python3
"""Writes anchord-problems(7) from the registry of problems: protocol/problem_list.h, the argument.

Called by meson when anchord is built.
"""

import pathlib
import re
import sys

HEAD = r""".\" Made from protocol/problem_list.h.
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


def main():
    page = HEAD
    for macro, arguments in entries(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")):
        severity, title, remedy = arguments[2].strip().lower(), words(arguments[-2]), words(arguments[-1])
        page += f".It Sy ANC{int(arguments[1]):04} Pq {severity}\n" + line(f"{title[0].upper()}{title[1:]}.")
        if remedy:
            page += ".br\n" + line(remedy)
    sys.stdout.write(page + FOOT)


if __name__ == "__main__":
    main()
