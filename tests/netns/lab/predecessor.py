"""Programs of an earlier commit of this repository, for tests of updates across versions (KEEP-1).

Used by test_predecessor.py, as root. They are built once and kept where the labs' roots are, because what a commit holds never
changes; ninja looks at each use whether the machine's headers have. It needs the commit, so a clone with its history.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import time

from lab.machine import CHECKOUT, locked, run
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
    """The commit's files, without a work tree that git would keep a note of."""
    # Whoever made the clone: the tests run as root.
    git = ["git", "-c", "safe.directory=*", "-C", CHECKOUT]
    known = subprocess.run([*git, "cat-file", "-e", f"{COMMIT}^{{commit}}"], capture_output=True, check=False)
    assert known.returncode == 0, (f"commit {COMMIT} is not in this clone: it needs the history of the repository "
                                   "(git fetch --unshallow)")
    with subprocess.Popen([*git, "archive", COMMIT], stdout=subprocess.PIPE) as archive:
        with tarfile.open(fileobj=archive.stdout, mode="r|") as files:
            files.extractall(directory)
    assert archive.returncode == 0, os.strerror(archive.returncode)
