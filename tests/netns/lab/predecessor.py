"""Programs of an earlier commit of this repository, for tests of updates across versions (KEEP-1).

Used by test_predecessor.py, as root. They are built once and kept where the labs' roots are, because what a commit holds never
changes; ninja looks at each use whether the machine's headers have. predecessor.tar.xz is the commit's source, made by
`git archive COMMIT meson.build meson_options.txt common protocol workers daemon packaging/man packaging/completions | xz -9e`.
"""

import pathlib
import shutil
import sys
import tarfile
import time

from lab.machine import locked, run
from lab.roots import CACHE
from supervision import WORKERS, own_directory_of_workers

COMMIT = "c1d4e6e121162369272cc24163c06cd139448cc5"  # the first that leaves its state to a successor
# Those that a network-anchor with a lease starts.
PROGRAMS = ("daemon/anchord-under-test", "daemon/anchord-init-under-test",
            *(f"workers/{name}/anchord-{name}" for name in (*WORKERS, "lease")))
# Its own warnings were looked at in its time; the compiler may be a later one. What it does is the same without optimization.
OPTIONS = ("--buildtype=plain", "-Doptimization=0", "-Dhardening=false", "-Dtests=false", "-Dwerror=false", f"-Dcommit={COMMIT[:12]}")


def build():
    """The build directory, complete."""
    directory = CACHE / f"predecessor-{COMMIT[:12]}"
    with locked(CACHE / f"{directory.name}.lock"):
        source, target = directory / "source", directory / "build"
        started = time.monotonic()
        if not (target / "build.ninja").exists():
            shutil.rmtree(directory, ignore_errors=True)
            source.mkdir(parents=True)
            directory.chmod(0o755)  # the workers' users start their programs there
            extract(source)
            run(["meson", "setup", target, source, *OPTIONS])
        run(["ninja", "-C", target, *PROGRAMS], timeout=900)
        print(f"predecessor {COMMIT[:12]}: there after {time.monotonic() - started:.1f} s", file=sys.stderr)
    own_directory_of_workers(target)
    return target


def extract(directory):
    """What of the commit its programs are built from: a clone need not have its history."""
    with tarfile.open(pathlib.Path(__file__).with_name("predecessor.tar.xz")) as files:
        files.extractall(directory)
