"""Debian root directories, made with mmdebstrap and kept under /var/cache/anchord-lab.

Called by engine.py (the engines' roots) and images.py (the contents of container images), as root.
A root is only read after it was made: engines lay an overlay over it, images are packed from it.
The directory's name carries a hash of all that went into it; a build happens beside it and is
renamed when complete, so an interrupted one is never taken for a whole one.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import sys

from .machine import LabError, locked, run

CACHE = pathlib.Path("/var/cache/anchord-lab")
ROOM = 1 << 30  # what the largest root takes while it is made; apt does not say that the disk is full
RECIPES = {"minbase": 1, "extract": 2}  # raise it when _build() changes what it produces of a variant

# Never needed in the lab, and most of the size of a small image.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*",
            "/usr/share/zoneinfo/*", "/usr/share/perl/*", "/usr/share/perl5/*",
            "/usr/lib/*/perl/*", "/usr/lib/*/perl5/*", "/usr/lib/*/perl-base/*",
            "/usr/lib/*/gconv/*")


@dataclasses.dataclass(frozen=True)
class Root:
    """What a root directory holds. variant is mmdebstrap's: "minbase" is a Debian with apt,
    "extract" only the packages' files and those of their dependencies, no script was run."""
    name: str
    suite: str
    packages: tuple
    variant: str = "minbase"
    excluded: tuple = ()
    downloaded: tuple = ()  # what its apt can install without a mirror, with what is recommended

    def directory(self):
        fields = {name: value for name, value in dataclasses.asdict(self).items() if value or name != "downloaded"}
        recipe = json.dumps([RECIPES[self.variant], fields], sort_keys=True)
        key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        return CACHE / f"{self.name}-{self.suite}-{key}"


def ensure(root):
    """Return the directory of a root; make it first (about 20 s) when it is not in the cache."""
    directory = root.directory()
    if directory.is_dir():
        return directory
    with locked(CACHE / f"{directory.name}.lock"):
        if not directory.is_dir():
            print(f"lab: making the root {directory} (once)", file=sys.stderr)
            _build(root, directory)
    return directory


def _build(root, directory):
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    free = shutil.disk_usage(CACHE).free
    if free < ROOM:
        raise LabError(f"{CACHE} has {free >> 20} MB free, and a root that is made there needs {ROOM >> 20}")
    # The mirror's Release files of forky and trixie can be past their date.
    command = ["mmdebstrap", "--quiet", f"--variant={root.variant}",
               '--aptopt=Acquire::Check-Valid-Until "false"',
               f"--include={','.join(root.packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in root.excluded]
    if root.downloaded:
        command += ["--skip=cleanup/apt", "--customize-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes --download-only "
                    f"--option APT::Install-Recommends=true install {' '.join(root.downloaded)}"]
    command += [root.suite, partial]
    try:
        run(command, timeout=1200)
        # mmdebstrap leaves the mode of its own temporary directory behind.
        os.chmod(partial, 0o755)
        if root.variant == "extract":
            _compile_python(partial)
        partial.rename(directory)
    finally:  # also when somebody presses Ctrl-C
        shutil.rmtree(partial, ignore_errors=True)


def _compile_python(root):
    """What the package's own script would do. Else each start of a container compiles what it imports: most of a second."""
    for library in root.glob("usr/lib/python3.*"):
        run(["/usr/sbin/chroot", root, "/usr/bin/python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
             f"/{library.relative_to(root)}"])
