"""The supervised DHCP client (ADDR-2 to ADDR-8): the real dhcpcd and dnsmasq, and a stand-in for netadmin."""

import pytest

from dhcp_client_lab import DhcpLab


@pytest.fixture
def lab(supervision):
    made = DhcpLab(supervision)
    yield made
    made.close()


def test_both_families_get_a_lease_and_release_it(lab):
    """ADDR-2, ADDR-5 and ADDR-8: by name, confirmed so that the release counts, released while the address is there."""
    lab.serve()
    process = lab.start()
    v4, v6 = lab.acquired("v4"), lab.acquired("v6")
    assert v4["address"].startswith("10.77.0.1") and (v4["prefix_length"], v4["server"]) == (24, "10.77.0.1")
    assert v6["address"].startswith("fd77::1:") and v6["prefix_length"] == 128
    lab.served("DHCPREQUEST(eth0)", 3)  # v4, v6, and the renewal that follows the address
    leases = (lab.scratch / "leases").read_text()
    assert " project 00:70:72:6f:6a:65:63:74" in leases  # type 0, then the name
    status, seconds = process.stop()
    assert status == 0 and seconds < 2
    released = {record["family"]: record["address"] for record in process.find(msg="lease released")}
    assert released == {"v4": v4["address"], "v6": v6["address"]}
    lab.served(f"DHCPRELEASE(eth0) {v4['address']}")
    lab.served("DHCPRELEASE(eth0) 00:04:")
    order = [(record.get("msg"), record.get("stand_in"), record.get("event")) for record in process.records]
    assert order.index(("lease released", None, None)) < order.index((None, "netadmin", "stopping"))
