"""What is open goes on while units and package are replaced (KEEP-1, KEEP-2): TCP and a hundred datagrams a second, of both
families, in and out.
"""

import pytest

from shop import copy_to_host

# What is done, and whose process is another one afterwards.
UPDATES = {
    "nothing": (("true",), ()),  # what the machine does to the times by itself
    "restart": (("systemctl", "restart", "anchord@shop"), ("identity",)),
    "kill": (("systemctl", "kill", "--signal", "KILL", "anchord@shop"), ("identity",)),
    "restart of the host half": (("systemctl", "restart", "anchord-host@shop"), ("host", "identity")),
    "kill of the host half": (("systemctl", "kill", "--signal", "KILL", "anchord-host@shop"), ("host",)),
    "newer package": (("apt-get", "install", "--yes"), ("identity",)),
    "newer package of another language": (("apt-get", "install", "--yes"), ("host", "identity")),
}


@pytest.mark.parametrize("how", UPDATES)
def test_keep1_nothing_is_lost(attached, newer_packages, how, figure):
    """KEEP-2: a newer package starts the host half anew only where it would not understand the other one."""
    command, halves = UPDATES[how]
    units = [unit for half, unit in zip(("host", "identity"), attached.units) if half in halves]
    if how.startswith("newer package"):
        command = (*command, copy_to_host(attached.lab, newer_packages[how.endswith("language")]))
    before = attached.pids()
    with attached.traffic() as longest:
        attached.run(*command, timeout=300)
        attached.wait_replaced(before, *units)
    figure(f"longest time without an answer {longest[0] * 1000:.0f} ms")
    if how.startswith("newer package"):
        assert attached.run("dpkg-query", "--show", "--showformat", "${Version}", "anchord").stdout.endswith(".1.1" if how.endswith("language") else ".1")
        assert (attached.pids()[0] == before[0]) == ("host" not in halves)
