"""Projects whose address comes from DHCP or router advertisements, and what tests ask about it.

Used by the fixture `leased` (conftest.py) and by the tests. A project lives on a segment (lab/segment.py), whose servers
the test starts.
"""

import concurrent.futures
import datetime
import ipaddress
import json

from direct import ANCHOR, CAPABILITIES, FAMILIES, Direct, service
from lab.dhcp import client_identifier
from lab.machine import LabError, wait_until
from lab.segment import OUTSIDE_PORT, OUTSIDE_V4, OUTSIDE_V6

FAMILY_WORD = {4: "v4", 6: "v6"}  # as the log says it
OUTSIDE = {4: OUTSIDE_V4, 6: OUTSIDE_V6}
BOOTSTRAP_GRACE = 5  # seconds that the old address may stay, SPEC ADDR-2
# A router advertisement came between Docker 20.10's look and its own IPv6 gateway: it does not start the container. Before
# anything of ours runs; whoever is there types `up` again.
GATEWAY_RACE = "failed to set IPv6 gateway while updating gateway: file exists"
LEASE_SECONDS = 8  # from the client's start to the lease, on a machine with other things to do


def smtp_service():
    return {"smtp": service("smtp", tcp="25", udp="25", expose="tcp/25,udp/25")}


class Leased(Direct):
    """A Direct project in an address mode. The DHCP host name is the project's name. bootstrap holds what Docker gave;
    at(), and all that asks through it, follows move()."""

    def __init__(self, lab, services, *, name, segment, mode="dhcp-refresh", arp_probe=False, environment=None, anchor=None,
                 **options):
        settings = {"ANCHORD_ADDRESS_MODE": mode, "ANCHORD_LOG_LEVEL": "DEBUG",
                    "ANCHORD_DHCP_ARP_PROBE": str(arp_probe).lower()} | (environment or {})
        # SPEC 11: binding the DHCP ports takes one capability more.
        more = {"cap_add": [*CAPABILITIES, "NET_BIND_SERVICE"]} | (anchor or {})
        super().__init__(lab, services or smtp_service(), name=name, segment=segment, environment=settings, anchor=more, **options)
        self.bootstrap = self.addresses

    def up(self, *services, **options):
        try:
            return super().up(*services, **options)
        except LabError as error:
            if GATEWAY_RACE not in str(error):
                raise
        return super().up(*services, **options)

    # --- addresses ----------------------------------------------------------------------------

    def held(self, family):
        """Address -> what `ip` says about it, of those on the LAN without link-local; those that may be used."""
        lan = (self.segment.v4(""), self.segment.docker_v6(""), "2001:db8:98:")
        links = json.loads(self.anchor.run(["ip", "-j", f"-{family}", "address"]).stdout)
        return {item["local"]: item for link in links for item in link["addr_info"]
                if item["local"].startswith(lan) and not item.get("tentative")}

    def slaac_address(self, prefix=0):
        """The address that the kernel made of an advertised prefix, or None."""
        network = ipaddress.ip_network(f"{self.segment.prefix(prefix)}/64")
        return next((address for address, details in self.held(6).items() if details["prefixlen"] == 64
                     and details.get("dynamic") and ipaddress.ip_address(address) in network), None)

    def wait_slaac(self, prefix=0, deadline=10):
        return wait_until(lambda: self.slaac_address(prefix), deadline,
                          f"an address of {self.segment.prefix(prefix)}/64")

    def wait_held(self, address, deadline=LEASE_SECONDS):
        """Wait until the anchor has an address, and only it of its family and kind; services are asked there now."""
        family = 6 if ":" in address else 4
        wait_until(lambda: address in self.held(family), deadline, f"{address} on the anchor's interface")
        self.move(address)
        return self

    def wait_only(self, address, deadline=BOOTSTRAP_GRACE + 3):
        """Wait until an IPv4 address is the only one on the LAN's interface."""
        wait_until(lambda: list(self.held(4)) == [address], deadline, f"only {address} on the anchor's interface")

    def move(self, address):
        family = 6 if ":" in address else 4
        self.addresses = tuple(address if known == family else old for known, old in zip(FAMILIES, self.addresses))

    # --- leases -------------------------------------------------------------------------------

    def lease(self, server, family=4):
        """Our lease in a server's table, or None."""
        for lease in server.leases():
            if (":" in lease.address) == (family == 6) and (lease.client == client_identifier(self.name) if family == 4
                                                            else lease.hostname == self.name):
                return lease
        return None

    def wait_leased(self, server, family=4, deadline=LEASE_SECONDS):
        """Wait until the server's table and the anchor's interface agree on an address; returns it."""
        def both():
            lease = self.lease(server, family)
            return lease.address if lease and lease.address in self.held(family) else None
        address = wait_until(both, deadline, f"leased IPv{family} address of {self.name}")
        self.move(address)
        return address

    def clients(self):
        """PIDs of the DHCP clients: one per family."""
        return {pid for name, pid in self.programs() if name == "dhcpcd"}

    def wait_clients(self, others=(), deadline=20):
        """Wait for a client per family that is none of the others; as clients()."""
        def both():
            found = self.clients() - set(others)
            return found if len(found) == len(FAMILIES) else None
        return wait_until(both, deadline, "a DHCP client per family")

    def lease_records(self, message, family=4):
        return [record for record in self.records(message) if record.get("family") == FAMILY_WORD[family]]

    def wait_lease_record(self, message, family=4, deadline=LEASE_SECONDS, count=1):
        """Wait for the count-th record of a family; returns the last."""
        def enough():
            found = self.lease_records(message, family)
            return found if len(found) >= count else None
        return wait_until(enough, deadline, f"{count} times {message!r} of IPv{family}")[-1]

    def seconds_to(self, record):
        """From the container's start to a log record."""
        return time_of(record["time"]) - time_of(self.inspect(ANCHOR)["State"]["StartedAt"])

    def wait_added(self, address, deadline=LEASE_SECONDS):
        """Wait for the record that says that netadmin has added a leased address; returns the last."""
        def added():
            return [record for record in self.records("external address added")
                    if record["address"].split("/")[0] == address and record["origin"] == "lease"]
        return wait_until(added, deadline, f"{address} added, in the log")[-1]

    # --- the way out --------------------------------------------------------------------------

    def egress_source(self, family=4, destination=0, service_name="smtp"):
        """The address that a destination outside saw, or the word for why not."""
        answer = self.probe(service_name, "tcp", OUTSIDE[family][destination], OUTSIDE_PORT, timeout=1)
        return answer.split()[1] if answer.startswith("outside ") else answer

    def wait_egress(self, address, deadline=5):
        family = 6 if ":" in address else 4
        wait_until(lambda: self.egress_source(family) == address, deadline, f"egress from {address}")

    def inbound_source(self, family=4, proto="tcp"):
        """Which client the service saw, asked at the address of now; or the word for why it did not."""
        answer = self.client.probe(proto, self.at(family), 25, timeout=1)
        return answer.split()[1] if answer.startswith("smtp ") else answer

    def assert_serves(self, address):
        """Inbound to an address shows the client's own source, TCP and UDP; egress comes from it."""
        self.move(address)
        family = 6 if ":" in address else 4
        self.wait_answer("tcp", 25, "smtp", family=family, deadline=10)
        clients = (*self.client.addresses, self.segment.docker_v6(11))
        for proto in ("tcp", "udp"):
            assert self.inbound_source(family, proto) in clients
        self.wait_egress(address)


def time_of(text):
    """time.time() of an RFC 3339 time with up to nanoseconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def up_together(projects):
    """Bring projects up side by side. Returns them."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda project: project.up(), projects))
