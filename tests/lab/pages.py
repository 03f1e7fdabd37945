"""The commands and files of the pages that users read, as they stand there.

Used by the tests that run them (tests/e2e/test_first_minutes.py, tests/unit/test_pages.py).
"""

import dataclasses
import re

from .machine import CHECKOUT

FENCE = re.compile(r"^([ \t]*)```(\w*)\n(.*?)^[ \t]*```", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class Block:
    page: str
    line: int
    heading: str  # the one that it stands under
    language: str
    text: str


def blocks(page, language=None):
    """The fenced blocks of a page, without their indentation."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        before = text[:match.start()]
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
