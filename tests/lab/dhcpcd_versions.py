"""Other versions of dhcpcd than the machine's own: Debian's of another suite, run with the libraries of that suite.

Used by the tests of tests/netns with --dhcpcd, as root. Nothing is installed; the roots are kept like the engines' (roots.py).
"""

import re

from .machine import run
from .roots import Root, ensure

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def command(suite):
    """The words that run the dhcpcd of a Debian suite, the interpreter first."""
    root = ensure(Root("dhcpcd", suite, ("dhcpcd-base",), "extract"))
    return [root / LIBRARIES / "ld-linux-x86-64.so.2", "--library-path", root / LIBRARIES, root / "usr/sbin/dhcpcd"]


def write_program(suite, path):
    """Makes an executable at `path` that is that dhcpcd. Returns its version."""
    words = " ".join(str(word) for word in command(suite))
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="ascii")
    path.chmod(0o755)
    return re.search(r"dhcpcd (\S+)", run([path, "--version"]).stdout).group(1)
