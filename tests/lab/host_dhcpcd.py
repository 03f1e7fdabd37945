"""The machine's own dhcpcd on a box of a segment, as a host of that LAN would run it: ordinary configuration, user and
hook mechanism, but no file of the machine's changes.

Used by tests, as root. In a mount namespace of its own, /run and the lease directory are empty and the hook directory
is the test's: Debian's hooks would write the machine's resolv.conf.
"""

import contextlib
import os
import signal
import subprocess

from .machine import LabError, wait_until

HOOKS = "/usr/lib/dhcpcd/dhcpcd-hooks"
END_TRIES = 10
START = f"""set -e
mount --bind "$1" {HOOKS}
mount -t tmpfs tmpfs /var/lib/dhcpcd
exec 3<"$2"
mount -t tmpfs tmpfs /run
cat <&3 >/run/dhcpcd.conf
shift 2
exec dhcpcd -f /run/dhcpcd.conf "$@" 3<&-
"""


class HostDhcpcd:
    """dhcpcd in the foreground on an interface of a box. A context manager: started and ended with it.

    configuration: lines of dhcpcd.conf(5). hooks: a directory whose files it runs, by dhcpcd-run-hooks(8); none: no
    hook."""

    def __init__(self, segment, role, configuration, hooks=None):
        self._segment, self._role = segment, role
        self.directory = segment.directory / f"dhcpcd-{role}"
        self.hooks = hooks or self.directory / "no-hooks"
        self.log_path = self.directory / "log"
        (self.directory / "no-hooks").mkdir(parents=True, exist_ok=True)
        self._configuration = self.directory / "dhcpcd.conf"
        self._configuration.write_text("".join(f"{line}\n" for line in configuration), encoding="ascii")
        self._process = None

    def __enter__(self):
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", START, "sh", self.hooks,
                 self._configuration, "-B", "-d", self._segment.host(self._role).interface]
        self._process = self._segment.spawn(self._role, words, self.log_path)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_logged(self, text, deadline=10):
        wait_until(lambda: text in self.log(), deadline, f"{text!r} in {self.log_path}")

    def send(self, number):
        os.kill(self._process.pid, number)

    def end(self, number=signal.SIGTERM):
        """SIGALRM releases the leases, SIGTERM keeps them. 9.4.1 loses a signal that comes while a hook runs, so it is
        sent again."""
        for _ in range(END_TRIES):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self.send(number)
                self._process.wait(timeout=1)
            if self._process.poll() is not None:
                return
        raise LabError(f"dhcpcd ignores signal {number}: {self.log_path}")

    def __exit__(self, *_):
        self.end()
