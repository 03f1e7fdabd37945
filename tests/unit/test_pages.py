#!/usr/bin/python3
"""What users read holds what it promises: no image that changes under its name.

Called by meson, without arguments; reads the pages and examples of the checkout.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = sorted((ROOT / "compose").glob("*.yaml"))
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "packaging/man").glob("anchord*.[0-9]")])


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


def main():
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            function()
            print("ok", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
