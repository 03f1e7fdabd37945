"""A whole anchor that lives on the leases of a dhcpcd which it does not run (ANCHORD_DHCP_CLIENT=host, SPEC 11): the real
dhcpcd with its own privilege separation and the drop-in packaging/dhcpcd/90-anchord, the real dnsmasq, real packets.
"""

import contextlib
import shutil
import signal

import pytest

from lab.dhcp import Dnsmasq
from lab.host_dhcpcd import HostDhcpcd
from lab.machine import CHECKOUT
from leased_anchor import Lan
from netadmin_lab import LAN4, flow_to, outcome
from newcomers import served_by_a_process
from supervision import wait_until
from whole_anchor import BACKEND_PORT, STEADY_PORT, WholeAnchor

HOOK = CHECKOUT / "packaging" / "dhcpcd" / "90-anchord"
POOL, POOL_NEXT = ("10.99.0.150", "10.99.0.159"), ("10.99.0.160", "10.99.0.169")


class HostAnchor(WholeAnchor):
    """Ready on Docker's address, with a server on its LAN."""

    def __init__(self, build):
        super().__init__(build)
        self.lan = Lan(self.lab, self.directory)
        self.server = Dnsmasq(self.lan, POOL, renew=2, rebind=4)

    def client(self, *lines):
        """The host's dhcpcd, with what docs/dhcp.md says and further lines of dhcpcd.conf(5)."""
        hooks = self.directory / "hooks"
        hooks.mkdir()
        shutil.copy(HOOK, hooks)
        program = self.supervision.build / "workers" / "lease" / "anchord-lease"
        return HostDhcpcd(self.lan, "anchor", (
            "noipv4ll", "noipv6", "noarp", "nodelay", "clientid host", "option subnet_mask, routers",
            f"env ANCHORD_LEASE_SOCKET={self.supervision.runtime}/lease.sock", f"env ANCHORD_LEASE_PROGRAM={program}",
            *lines), hooks)

    def wait_serving(self, address):
        """The only address of the external interface, and the service answers there."""
        wait_until(lambda: self.addresses() == [address], 10)
        for protocol in ("tcp", "udp"):
            assert outcome(self.lab.client, protocol, address, STEADY_PORT) == "steady"


@pytest.fixture
def anchor(build):
    with contextlib.ExitStack() as stack:
        made = HostAnchor(build)
        stack.callback(made.close)
        stack.enter_context(served_by_a_process(made.lab.one, "steady", BACKEND_PORT))
        stack.enter_context(made.server)
        made.start(ANCHORD_ADDRESS_MODE="dhcp-refresh", ANCHORD_DHCP_CLIENT="host", ANCHORD_LOG_LEVEL="DEBUG")
        yield made


def released(anchor, client, address):
    """The host's operator gives it back: Docker's address serves at once."""
    client.end(signal.SIGALRM)
    lost = anchor.process.wait_for(msg="lease lost", family="v4", why="released")
    assert lost["address"] == address
    anchor.wait_serving(LAN4)
    assert address in anchor.server.releases()


def test_leases_of_the_hosts_dhcpcd_come_renew_change_and_go(anchor):
    """ADDR-2, ADDR-6, ADDR-7: beside a dhcpcd that sets the addresses of the interface, too."""
    anchor.wait_serving(LAN4)
    with anchor.client() as client:
        first = anchor.process.wait_for(msg="lease acquired", family="v4")["address"]
        anchor.wait_serving(first)
        flow, _ = flow_to(anchor.lab, "tcp", first, STEADY_PORT)
        with flow:
            anchor.process.wait_for(msg="lease event", reason="RENEW", count=2)
            flow.send(b"steady")
            assert flow.recv(100)
        assert len(anchor.process.find(msg="lease acquired")) == 1 and not anchor.process.find(msg="lease lost")
        anchor.server.stop()
        anchor.server.forget_leases()
        anchor.server.pool4 = POOL_NEXT
        anchor.server.start()
        second = anchor.process.wait_for(msg="lease acquired", family="v4", count=2, timeout=20)["address"]
        assert anchor.process.find(msg="lease lost")[0]["why"] == "refused by the server" and second != first
        anchor.wait_serving(second)
        released(anchor, client, second)
    assert not anchor.process.find(msg="dhcp client started") and not anchor.process.find(msg="worker died")


def test_a_dhcpcd_that_configures_nothing_is_enough(anchor):
    """ADDR-2: with noconfigure anchord alone sets what it reports. One that ends without a release takes nothing away."""
    with anchor.client("noconfigure") as client:
        address = anchor.process.wait_for(msg="lease acquired", family="v4")["address"]
        anchor.wait_serving(address)
        client.end()
        anchor.process.wait_for(msg="lease event", reason="STOP")
        anchor.wait_serving(address)
    assert not anchor.process.find(msg="lease lost")
