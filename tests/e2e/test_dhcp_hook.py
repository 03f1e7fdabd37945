"""packaging/dhcpcd/90-anchord (SPEC 11): a dhcpcd that the host runs itself reports its leases, by its ordinary hooks."""

import pathlib
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from direct import IMAGE
from lab.dhcp import Dnsmasq
from lab.host_dhcpcd import HostDhcpcd
from lab.machine import CHECKOUT, wait_until

HOOK = CHECKOUT / "packaging" / "dhcpcd" / "90-anchord"
# struct message_lease_event (protocol/messages_lease.h): kind, family, interface, reason, carrier down.
EVENT = struct.Struct("=24xII16s16sI")
HELD, STOPPED = 1, 3
SECONDS = 10


class LeaseSocket:
    """What the supervisor is to anchord-lease: takes one message per connection, and closes it. A context manager.
    events lists (kind, reason, interface, the bytes of the lease)."""

    def __init__(self, path):
        self.path = path
        self.events = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # shut down: the end
                return
            with connection:
                data = connection.recv(65536)
            kind, _, interface, reason, _ = EVENT.unpack_from(data)
            self.events.append((kind, reason.rstrip(b"\0").decode(), interface.rstrip(b"\0").decode(), data[EVENT.size:]))

    def wait(self, reason):
        """Wait for the first event with a reason of dhcpcd's."""
        return wait_until(lambda: next((event for event in self.events if event[1] == reason), None), SECONDS,
                          f"{reason} reported")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="module")
def program(lab, anchord_image, tmp_path_factory):
    """anchord-lease out of the image; the machine's libraries are those that it was built with."""
    path = tmp_path_factory.mktemp("program") / "anchord-lease"
    container = lab.docker("create", IMAGE).stdout.strip()
    lab.docker("cp", f"{container}:/usr/libexec/anchord/anchord-lease", path)
    lab.docker("rm", container)
    return path


@pytest.fixture
def hooks(tmp_path):
    """dhcpcd's hook directory with the drop-in, as its comment and docs/dhcp.md say."""
    directory = tmp_path / "hooks"
    directory.mkdir()
    shutil.copy(HOOK, directory)
    return directory


@pytest.fixture(scope="module")
def server(segments):
    segment = segments()
    with Dnsmasq(segment, (segment.v4(150), segment.v4(159)), renew=3) as running:
        yield running


def configuration(program, path):
    return ("noipv4ll", "noipv6", "noarp", "nodelay", "clientid host", "option subnet_mask, routers",
            f"env ANCHORD_LEASE_SOCKET={path}", f"env ANCHORD_LEASE_PROGRAM={program}")


def test_the_hosts_dhcpcd_reports_its_lease(server, hooks, program, tmp_path):
    """Lease, renewal and end: the right address from the right server, under dhcpcd's own privilege separation."""
    segment = server.segment
    with LeaseSocket(tmp_path / "lease.sock") as listener, \
            HostDhcpcd(segment, "client", configuration(program, listener.path), hooks) as client:
        kind, _, interface, lease = listener.wait("BOUND")
        address = server.leases()[0].address
        assert (kind, interface) == (HELD, segment.client.interface)
        assert lease.index(socket.inet_aton(address)) < lease.index(socket.inet_aton(segment.server.ipv4))
        assert socket.inet_aton(segment.v4(1)) in lease  # the router
        wait_configured(server)
        kind, _, _, renewed = listener.wait("RENEW")
        assert (kind, renewed[:20]) == (HELD, lease[:20])
        client.end()
        assert listener.wait("STOPPED")[0] == STOPPED
        assert "exit status" not in client.log()


def wait_configured(server):
    """The host's dhcpcd did its own work as ever."""
    def is_configured():
        text = server.segment.client.run(["ip", "address"]).stdout
        return any(f" {lease.address}/24 " in text for lease in server.leases())
    wait_until(is_configured, SECONDS, "the leased address on the host's interface")


def run_program(program, path, **variables):
    """anchord-lease with dhcpcd's variables; returns its CompletedProcess."""
    environment = {"interface": "eth0", "protocol": "dhcp", "ANCHORD_LEASE_SOCKET": str(path)} | variables
    return subprocess.run([program], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("variables,said", (
    ({"reason": "BOUND", "new_ip_address": "nonsense"}, "new_ip_address"),
    ({"reason": "PREINIT"}, "cannot report to anchord: Connection timed out")))
def test_what_cannot_be_reported_is_said(program, tmp_path, variables, said):
    """ADDR-2: a line on standard error and status 1, also from the sealed process, and when nobody takes the message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as nobody:
        nobody.bind(str(tmp_path / "lease.sock"))
        nobody.listen(1)
        result = run_program(program, tmp_path / "lease.sock", **variables)
    assert result.returncode == 1
    assert result.stderr.startswith(f"anchord-lease: {said}") and result.stderr.count("\n") == 1


def test_without_an_anchor_the_hook_does_nothing(server, hooks, program, tmp_path):
    """A host asks for its address before anything of Docker runs."""
    with HostDhcpcd(server.segment, "client", configuration(program, tmp_path / "nobody.sock"), hooks) as client:
        wait_configured(server)
        client.end()
        assert "anchord" not in client.log().replace(str(pathlib.Path(tmp_path)), "")


def test_a_program_that_fails_is_logged_and_harms_nothing(server, hooks, tmp_path):
    with LeaseSocket(tmp_path / "lease.sock") as listener, \
            HostDhcpcd(server.segment, "client", configuration("/bin/false", listener.path), hooks) as client:
        client.wait_logged("/bin/false: exit status 1")
        wait_configured(server)
