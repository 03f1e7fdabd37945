"""A watcher that was taken over before it said which interface is which (WALL-5): the kernel is the witness, Docker is not."""

import pytest

import messages
from lease_lab import LEASED4, LeaseLab
from netadmin_lab import (ANCHOR4, CLIENT4, EXTERNAL_MAC, GATEWAY4, GATEWAY6, LAN4, LAN6, ONE4, ONE6, SHARED_MAC, ask_tcp, outcome,
                          wait_logged, wait_until)
from network_lab import INNER_TABLE, ROUTER4

EXTERNAL = [("10.99.0.0/24", ROUTER4, None), ("2001:db8:99::/64", None, None)]
SHARED = [("172.30.0.0/24", "172.30.0.1", GATEWAY4), ("fd30::/64", "fd30::1", GATEWAY6)]
BOOTSTRAP = f"{LAN4}/24"
REMEMBERED = {"-4": f"throw {LAN4} proto 110 metric 24", "-6": f"throw {LAN6} dev lo proto 110 metric 64 pref medium"}


class TopologyLab(LeaseLab):
    def named(self, external=None, own4=LAN4, own6=LAN6, shared=None):
        return messages.topology(messages.network("lan", EXTERNAL_MAC, external or EXTERNAL, own4, own6),
                                 messages.network("transit", SHARED_MAC, shared or SHARED))

    def inner_addresses(self):
        return sorted(line.split()[3] for line in self.addresses("shared0") if "fe80" not in line)


@pytest.fixture
def lab(build):
    made = TopologyLab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


@pytest.mark.parametrize("mode", (messages.MODE_BOOTSTRAP, messages.MODE_DHCP_REFRESH))
@pytest.mark.parametrize("own", ({"own4": ROUTER4}, {"own4": CLIENT4}, {"own6": "2001:db8:99::1"}), ids=str)
def test_an_own_address_that_the_interface_does_not_have_is_refused(lab, own, mode):
    """As the LAN router's: it would be added, answered for and announced."""
    address, = own.values()
    with lab.monitored("address") as changes:
        netadmin = lab.start(topology=lab.named(**own), mode=mode)
        with lab.announced() as states:
            wait_until(lambda: states, "what is announced")
        wait_logged(netadmin, "own address refused: the interface does not have it", address=address, interface="ext0")
        netadmin.ping(3)
    assert not [line for line in changes if address in line.split("/")[0].split()]
    assert not any(held == address for state in states for _, held in state)
    assert address not in lab.external_set(6 if ":" in address else 4)


@pytest.mark.parametrize("subnet", ("128.0.0.0/1", "172.30.0.0/23", "172.30.0.0/25", "172.0.0.0/8", "192.0.2.0/24"))
def test_a_subnet_that_the_interface_does_not_have_is_refused(lab, subnet):
    """As half of all addresses, with an address in it to be claimed: the way to the world would be the bridge."""
    before = [line for line in lab.inner_addresses() if ":" not in line]
    auxiliary = "192.0.2.2" if subnet.startswith("192") else GATEWAY4
    netadmin = lab.start(topology=lab.named(shared=[(subnet, None, auxiliary)]))
    wait_logged(netadmin, "subnet of transit refused: the interface has no address in it", subnet=subnet,
                interface="shared0")
    netadmin.ping(3)
    assert [line for line in lab.inner_addresses() if ":" not in line] == before
    assert "dev shared0" not in lab.route_to("-4", "172.200.0.1")
    applied = netadmin.apply(messages.exposure("tcp", 80, "192.0.2.5" if subnet.startswith("192") else ONE4))
    assert applied.error < 0 and "outside transit" in applied.reason
    assert applied.entries["v4"]["tcp"] == 0


def test_a_v6_subnet_that_the_interface_does_not_have_is_refused(lab):
    netadmin = lab.start(topology=lab.named(shared=[SHARED[0], ("fd00::/8", None, GATEWAY6)]))
    wait_logged(netadmin, "subnet of transit refused: the interface has no address in it", subnet="fd00::/8")
    assert f"{GATEWAY6}/8" not in lab.inner_addresses()
    assert netadmin.apply(messages.exposure("tcp", 80, ONE6)).error < 0
    assert netadmin.expose(messages.exposure("tcp", 80, ONE4)).entries["v4"]["tcp"] == 1


def test_what_comes_before_its_interfaces_address_waits(lab):
    """Docker sets addresses one by one: nothing of an honest state is lost."""
    lab.anchor.run("ip", "address", "delete", "fd30::3/64", "dev", "shared0")
    lab.anchor.run("ip", "address", "add", "fd77::3/64", "dev", "shared0", "nodad")
    netadmin = lab.start(topology=lab.named())
    applied = netadmin.apply(messages.exposure("tcp", 80, ONE4), messages.exposure("tcp", 80, ONE6))
    assert applied.error < 0 and "outside transit" in applied.reason
    lab.anchor.run("ip", "address", "add", "fd30::3/64", "dev", "shared0", "nodad")
    applied = netadmin.receive_applied()
    assert (applied.error, applied.entries["v4"]["tcp"], applied.entries["v6"]["tcp"]) == (0, 1, 1)


def test_an_interface_without_ipv6_keeps_nothing_back(lab):
    lab.anchor.sysctl("ipv6/conf/shared0/disable_ipv6", 1)
    netadmin = lab.start(topology=lab.named())
    netadmin.expose(messages.exposure("tcp", 80, ONE4), messages.exposure("tcp", 80, ONE6))
    lab.serve(lab.one, "one", "tcp", 80, ONE4)
    assert ask_tcp(lab.client, LAN4, 80)[0] == "one"


def test_what_an_interface_without_ipv6_did_not_bear_out_is_not_believed_later(lab):
    """WALL-5: an interface that is given IPv6 after all has what Docker gave it, or nothing."""
    lab.anchor.sysctl("ipv6/conf/shared0/disable_ipv6", 1)
    netadmin = lab.start(topology=lab.named(shared=[SHARED[0], ("fd00::/8", None, GATEWAY6)]))
    netadmin.ping(3)
    lab.anchor.sysctl("ipv6/conf/shared0/disable_ipv6", 0)
    lab.anchor.run("ip", "address", "add", "fd30::3/64", "dev", "shared0", "nodad")
    wait_logged(netadmin, "subnet of transit refused: the interface has no address in it", subnet="fd00::/8")
    netadmin.ping(4)
    assert f"{GATEWAY6}/8" not in lab.inner_addresses()
    assert netadmin.apply(messages.exposure("tcp", 80, ONE6)).error < 0


@pytest.mark.parametrize("family", ("-4", "-6"))
def test_what_the_interface_had_is_remembered_in_the_kernel(lab, family):
    """Over every end of ours; it decides about no packet, and a stop takes it away."""
    netadmin = lab.start(topology=lab.named())
    assert REMEMBERED[family] in lab.routes(family, INNER_TABLE)
    assert "dev lo" in lab.route_to(family, LAN6 if family == "-6" else LAN4)
    lab.anchor.run("ip", family, "route", "flush", "table", INNER_TABLE)
    lab.back_within_a_second(lambda: REMEMBERED[family] in lab.routes(family, INNER_TABLE), "what is remembered")
    assert netadmin.stop() == 0
    assert lab.routes(family, INNER_TABLE) == []


def test_a_successor_knows_the_address_that_a_lease_replaced(lab):
    """It is on no interface any more when the predecessor dies, and comes back when the lease ends."""
    netadmin = lab.start(topology=lab.named())
    lab.lease()
    lab.wait_external(f"{LEASED4}/24")
    netadmin.kill()
    netadmin = lab.start(topology=lab.named())
    lab.lease()
    assert lab.external() == [f"{LEASED4}/24"]
    lab.lease_lost()
    lab.wait_external(BOOTSTRAP)
    assert netadmin.logged("own address refused") == []


def test_a_leased_or_claimed_address_bears_nothing_out(lab):
    """A watcher that names what a lease brought as Docker's would keep it for ever."""
    netadmin = lab.start(topology=lab.named())
    lab.lease()
    lab.wait_external(f"{LEASED4}/24")
    netadmin.kill()
    netadmin = lab.start(topology=lab.named(own4=LEASED4))
    wait_logged(netadmin, "own address refused: the interface does not have it", address=LEASED4)
    lab.lease_lost()
    wait_until(lambda: lab.external() == [], "no address that nobody bears out")
    assert f"{ANCHOR4}/24" in lab.inner_addresses()


@pytest.mark.parametrize("gateways", ((None, None), ("172.30.0.1", "fd30::1")), ids=("not named", "named"))
@pytest.mark.parametrize("family", ("v4", "v6"))
def test_what_the_host_serves_on_its_bridge_cannot_be_published(lab, family, gateways):
    """Docker does not name the bridge's address where the network has `subnet:` without `gateway:`."""
    bridge, external = {"v4": ("172.30.0.1", LAN4), "v6": ("fd30::1", LAN6)}[family]
    lab.bridge.run("ip", "address", "add", f"{bridge}/{'24' if family == 'v4' else '64'}", "dev", "br0",
                   *(["nodad"] if family == "v6" else []))
    lab.bridge.run("ip", *(["-6"] if family == "v6" else []), "route", "add", "default", "via",
                   ANCHOR4 if family == "v4" else "fd30::3")
    lab.serve(lab.bridge, "sshd", "tcp", 22, bridge)
    shared = [(subnet, gateway, auxiliary) for (subnet, _, auxiliary), gateway in zip(SHARED, gateways)]
    netadmin = lab.start(topology=lab.named(shared=shared))
    applied = netadmin.apply(messages.exposure("tcp", 22, bridge))
    assert applied.error < 0 and "is the gateway of transit" in applied.reason
    assert outcome(lab.client, "tcp", external, 22, 2) == "refused"
