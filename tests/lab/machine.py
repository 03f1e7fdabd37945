"""What the rest of the lab stands on: running commands, entering namespaces, waiting.

Called by every other file here, as root. Nothing in this file knows what a lab looks like.
"""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
NAMED_NAMESPACES = pathlib.Path("/run/netns")  # where ip-netns(8) keeps them
CLONE_NEWNET = 0x40000000  # linux/sched.h
POLL_SECONDS = 0.02

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something that the user of the lab must read: operation, object, reason."""


class NotInTime(LabError, AssertionError):
    """What was waited for did not happen before its deadline: in a test, a failure."""


def run(command, *, check=True, input_text=None, timeout=300, environment=None, cwd=None):
    """Run a program and return its CompletedProcess with text output.

    With check, a failure raises LabError that carries the command and what it said."""
    command = [str(word) for word in command]
    try:
        result = subprocess.run(command, input=input_text, capture_output=True, text=True,
                                errors="replace", timeout=timeout, env=environment, cwd=cwd)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)}: still running after {timeout} s") from error
    except FileNotFoundError as error:
        raise LabError(f"{' '.join(command)}: {error.filename} is not there") from error
    if check and result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip())[-4000:]
        raise LabError(f"{' '.join(command)}: exit {result.returncode}: {said}")
    return result


def wait_until(condition, deadline, what):
    """Call condition until it returns something true, and return that.

    deadline is in seconds from now; after it NotInTime says what was waited for and what the
    condition returned last. Exceptions of the condition are not swallowed."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise NotInTime(f"not within {deadline} s: {what} (last seen: {value!r})")
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def locked(path):
    """Hold an exclusive lock on a file, so that two commands do not build the same thing. The file
    may be removed by who holds the lock; who waited for the removed one starts over."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", encoding="ascii") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                yield
                return


class Namespace:
    """A network namespace, by the path of its file (/run/netns/X or /proc/PID/ns/net).

    Sockets that are created inside `with namespace:` belong to it for good and may be used
    outside; only the calling thread is moved."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._saved = threading.local()

    def __enter__(self):
        saved = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._set(self.path)
        except OSError as error:
            os.close(saved)
            raise LabError(f"enter network namespace {self.path}: {error.strerror}") from error
        stack = getattr(self._saved, "stack", None)
        if stack is None:
            stack = self._saved.stack = []
        stack.append(saved)
        return self

    def __exit__(self, *_):
        saved = self._saved.stack.pop()
        try:
            self._set(f"/proc/self/fd/{saved}")
        finally:
            os.close(saved)

    @staticmethod
    def _set(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.setns(descriptor, CLONE_NEWNET) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
        finally:
            os.close(descriptor)

    def enter_command(self, command):
        """The command line that runs a program of this machine in the namespace."""
        return ["nsenter", f"--net={self.path}", "--", *map(str, command)]

    def run(self, command, **options):
        return run(self.enter_command(command), **options)

    def set_sysctl(self, name, value):
        """Set net.… in the namespace; /proc/sys/net shows the namespace of the thread."""
        with self:
            path = pathlib.Path("/proc/sys") / name.replace(".", "/")
            path.write_text(f"{value}\n", encoding="ascii")

    def sysctl(self, name):
        with self:
            path = pathlib.Path("/proc/sys") / name.replace(".", "/")
            return path.read_text(encoding="ascii").strip()

    def inode(self):
        return os.stat(self.path).st_ino


def mount_points_below(directory):
    """Mount points of this machine's own mount namespace at or below a directory, deepest first."""
    points = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            point = line.split()[4].encode("latin-1", "replace").decode("unicode_escape")
            if point == str(directory) or point.startswith(f"{directory}/"):
                points.append(point)
    return sorted(points, key=len, reverse=True)
