"""Kea's DHCPv4 and DHCPv6 servers on a segment's LAN: short lifetimes, reservations by identifier, real lease tables.

Used by tests, as root. dnsmasq (dhcp.py) takes no lease time below 120 s; Kea takes any.
"""

import csv
import json
import re

from .dhcp import Lease, Server


class Kea(Server):
    """What both servers share. Settings are attributes, read at each start:

    pool            (first, last) address
    lifetime        valid lifetime in seconds; T1 is a third of it, T2 two thirds
    reservations    as Kea's configuration has them: {"client-id": "006d61696c", "ip-address": "10.98.1.200"}
    """
    program = protocol = subnet = None

    def __init__(self, segment, pool, *, lifetime=120, reservations=()):
        super().__init__(segment, self.program)
        self.pool, self.lifetime, self.reservations = pool, lifetime, list(reservations)
        self.ready_text = f"{self.protocol.upper()}_STARTED"
        self.leases_path = self.directory / "leases.csv"

    def command(self):
        """Its PID, lock and DUID files have no option, but variables."""
        configuration = self.directory / "kea.conf"
        configuration.write_text(json.dumps({self.protocol.capitalize(): self._configuration()}, indent=1))
        places = [f"{name}={self.directory}" for name in ("KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_DHCP_DATA_DIR")]
        return ["env", *places, self.program, "-c", configuration]

    def _configuration(self):
        return {
            "interfaces-config": {"interfaces": [self.segment.server.interface]},
            "lease-database": {"type": "memfile", "name": str(self.leases_path), "lfc-interval": 0},
            "valid-lifetime": self.lifetime, "renew-timer": self.lifetime // 3,
            "rebind-timer": self.lifetime * 2 // 3,
            "loggers": [{"name": self.program, "severity": "INFO",
                         "output_options": [{"output": "stdout", "pattern": "%d{%H:%M:%S.%q} %m\n"}]}],
            f"subnet{self.protocol[-1]}": [
                {"id": 1, "subnet": self.subnet, "reservations": self.reservations,
                 "pools": [{"pool": " - ".join(self.pool)}]} | self._subnet_options()],
        }

    def _subnet_options(self):
        raise NotImplementedError

    def _rows(self):
        """The valid leases: of each address the last line (memfile appends), without the given up ones."""
        if not self.leases_path.exists():
            return []
        with open(self.leases_path, newline="", encoding="utf-8") as table:
            rows = {row["address"]: row for row in csv.DictReader(table)}
        return [row for row in rows.values() if row["valid_lifetime"] != "0" and row["state"] == "0"]

    def releases(self):
        """Addresses that were released, in order."""
        return re.findall(rf"{self.protocol.upper()}_RELEASE(?:_NA)? .*? address ([0-9a-f.:]+)", self.log())


class Kea4(Kea):
    program, protocol = "kea-dhcp4", "dhcp4"

    @property
    def subnet(self):
        return self.segment.v4_subnet

    def _configuration(self):
        return super()._configuration() | {"authoritative": True, "host-reservation-identifiers": ["client-id"]}

    def _subnet_options(self):
        return {"option-data": [{"name": "routers", "data": self.segment.v4(1)}]}

    def leases(self):
        return [Lease(row["address"], row["hostname"].rstrip("."), row["client_id"].replace(":", ""))
                for row in self._rows()]


class Kea6(Kea):
    program, protocol = "kea-dhcp6", "dhcp6"

    @property
    def subnet(self):
        return f"{self.segment.prefix()}/64"

    def _configuration(self):
        return super()._configuration() | {
            "preferred-lifetime": self.lifetime * 3 // 4,
            "server-id": {"type": "LL", "htype": 1, "identifier": f"0299{self.segment.number:08x}", "persist": False}}

    def _subnet_options(self):
        return {"interface": self.segment.server.interface}

    def leases(self):
        return [Lease(row["address"], row["hostname"].rstrip("."), row["duid"].replace(":", ""), row["iaid"])
                for row in self._rows()]
