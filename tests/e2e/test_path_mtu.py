"""A transit network with a smaller MTU than the LAN's, as Docker makes it (NAT-12). What the kernel does in every other case
is in tests/netns/test_netadmin_path_mtu.py.
"""

import pytest

from direct import FAMILIES, service
from lab.machine import wait_until

MTU = 1400
HEADERS = {4: 40, 6: 60}  # of IP and TCP without options
SYN, ACK = 0x02, 0x10
MAXIMUM_SEGMENT_SIZE = b"\2\4"  # kind and length of the option, RFC 9293 §3.2; Linux sends it first


@pytest.fixture
def narrow(direct):
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080")})
    with project.edited() as definition:
        definition["networks"]["transit"]["driver_opts"]["com.docker.network.driver.mtu"] = str(MTU)
    return project.up()


def asked_segment_sizes(seen):
    """Of the SYN packets that arrived."""
    return {int.from_bytes(packet.payload[22:24]) for packet in seen.received(proto="tcp", destination_port=8080)
            if packet.payload[13] & (SYN | ACK) == SYN and packet.payload[20:22] == MAXIMUM_SEGMENT_SIZE}


def test_nat12_a_client_is_asked_for_segments_that_fit_transit(narrow):
    """Although the client's own network would take longer ones."""
    for family in FAMILIES:
        narrow.wait_answer("tcp", 80, "web", family=family, deadline=20)
        with narrow.namespace("web").capture("eth0") as seen, narrow.client.connect(narrow.at(family), 80) as connection:
            assert connection.alive("x" * 8000)
            wait_until(lambda s=seen: asked_segment_sizes(s), 5, "the client's SYN")
        assert asked_segment_sizes(seen) == {MTU - HEADERS[family]}
