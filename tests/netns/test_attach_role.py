"""The identity half of attach (HOST-11, HOST-12) with stand-in workers, and a host half that this test plays."""

import array
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile

import pytest

import messages
from supervision import WAY_USER, got, message_types, started, status_of, wait_until

PLACE = pathlib.Path("/run/anchord-attach")
TYPES = message_types()
NAMES = {number: name for name, number in TYPES.items()}
LINKS, NAMESPACES = 1, 2  # enum host_worker
WATCHER, WAY, OF_LINKS, OF_NAMESPACES = 1, 7, 8, 9  # enum link_peer
NEXT_HOP, INNER_MAC, EXTERNAL_MAC = "169.254.7.9", "02:00:00:00:00:07", "02:00:00:00:00:01"
LINK_LOCAL = "fe80::ff:fe00:7"  # of the inner MAC
KEEP, TEAR_DOWN, LEAVE_CLOSED = 1, 2, 3
STATIC = {"ANCHORD_MODE": "attach", "ANCHORD_ADDRESS": "192.0.2.5/24,2001:db8::5/64", "ANCHORD_EXT_GATEWAY_IP": "192.0.2.1"}


def welcome(project="project", next_hop=NEXT_HOP):
    macs = bytes.fromhex((EXTERNAL_MAC + INNER_MAC).replace(":", ""))
    return messages.message(TYPES["WELCOME"], struct.pack("=128s16s12sI", project.encode(), b"eth0", macs, 0x12345678) +
                            messages.address(next_hop) + struct.pack("=3I", 0xaabbccdd, 0x11223344, 0))


def host_worker(number):
    return messages.message(TYPES["HOST_WORKER_STARTED"], struct.pack("=2I", number, 0))


def host_addresses(text):
    return messages.message(TYPES["HOST_ADDRESSES"], struct.pack("=I6s6x", 1, bytes([2, 0, 0, 0, 0, 9])) + messages.address(text) + bytes([1, 0, 0, 0]) +
                            bytes(63 * 24))


def shared_links():
    return messages.message(TYPES["SHARED_LINKS"], struct.pack("=2I", 0, 0) + bytes(64 * 196))


class HostHalf:
    """Its side of one meeting after the other."""

    def __init__(self):
        PLACE.mkdir(mode=0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", PLACE], check=True)  # in our mount namespace
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection = None

    def appear(self):
        (PLACE / "project").mkdir(exist_ok=True)
        self.listener.bind(str(PLACE / "project/sock"))
        self.listener.listen(1)

    def meet(self, *datagrams):
        self.listener.settimeout(10)
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(10)
        self.send(*datagrams)

    def send(self, *datagrams):
        for datagram in datagrams:
            self.connection.send(datagram)

    def receive(self):
        """(name, body, number of the inode behind the descriptor)"""
        datagram, ancillary, _, _ = self.connection.recvmsg(messages.LENGTH_MAX, socket.CMSG_SPACE(4))
        if not datagram:
            return None
        kind, _, body = messages.split(datagram)
        inode = None
        for _, _, data in ancillary:
            descriptor = array.array("i", data)[0]
            inode = os.fstat(descriptor).st_ino
            os.close(descriptor)
        return NAMES[kind], body, inode

    def part(self):
        self.connection.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()
        subprocess.run(["umount", PLACE], check=True)


@pytest.fixture
def host(supervision):
    half = HostHalf()
    supervision.install_stand_ins(netadmin={"project_address": "192.0.2.5", "refuse_lease": "somebody has it"})
    supervision.install_stand_in("way", knows_all_at="CONFIGURE_WAY")
    yield half
    half.close()


def received(host, count):
    return [host.receive() for _ in range(count)]


def met(host, supervision, *datagrams, **environment):
    """A supervisor whose workers run; (it, what it said first)."""
    host.appear()
    process = supervision.start(**{**STATIC, **environment})
    host.meet(welcome(), host_worker(LINKS), *datagrams)
    for name in ("gate", "watcher", "netadmin", "announcer", "way"):
        started(process, name)
    return process, received(host, 2)


def test_host11_nothing_but_control_runs_before_the_halves_have_met(supervision, host):
    process = supervision.start(**STATIC)
    started(process, "control")
    process.wait_for(msg="the host half of attach is not there yet, waiting for it", code="ANC0331")
    host.appear()
    host.meet()
    assert not process.find(event="started", stand_in="gate") and not process.find(event="started", stand_in="netadmin")
    host.send(welcome(), host_worker(LINKS))
    first, second = received(host, 2)
    namespace = os.stat(f"/proc/{process.process.pid}/ns/net").st_ino
    assert first == ("LINKS_IDENTITY", struct.pack("=2I", 1, 0), namespace)
    assert second[:2] == ("LINKS_IDENTITY", struct.pack("=2I", 2, 0)) and second[2] not in (None, namespace)
    status = status_of(started(process, "way"))
    assert (status["Uid"].split()[0], status["CapPrm"]) == (str(WAY_USER), f"{1 << 12:016x}")


def test_host2_workers_learn_who_the_identity_is(supervision, host):
    process, _ = met(host, supervision)
    watcher = bytes.fromhex(got(process, "watcher", "CONFIGURE_WATCHER")["body"])
    assert struct.unpack("=2I", watcher[-8:]) == (1, 3)  # attached; labels and published
    netadmin = bytes.fromhex(got(process, "netadmin", "CONFIGURE_NETADMIN")["body"])
    assert netadmin == messages.configure_netadmin("192.0.2.1", None, claim=False, mode=2, next_hop=NEXT_HOP)[24:]
    topology = bytes.fromhex(got(process, "netadmin", "TOPOLOGY")["body"])
    assert topology == messages.topology(messages.network("ancext", EXTERNAL_MAC, []), bytes(436))[24:]
    way = bytes.fromhex(got(process, "way", "CONFIGURE_WAY")["body"])
    assert way == messages.configure_way(NEXT_HOP, LINK_LOCAL, inner_mac=INNER_MAC)[24:]


def test_host12_given_addresses_are_leases_without_end(supervision, host):
    process, _ = met(host, supervision)
    for count, (family, address, length) in enumerate(((4, "192.0.2.5", 24), (6, "2001:db8::5", 64)), start=1):
        lease = bytes.fromhex(got(process, "netadmin", "LEASE", count=count)["body"])
        assert struct.unpack_from("=2I", lease) == (family, 1)
        assert lease[16:36] == messages.address(address) and lease[16 + 40] == length
        assert struct.unpack_from("=2I", lease, 16 + 44) == (messages.LEASE_FOREVER, messages.LEASE_FOREVER)
    said = process.wait_for(address="192.0.2.5/24", variable="ANCHORD_ADDRESS")
    assert (said["level"], said["reason"]) == ("ERROR", "somebody has it")


def test_host11_workers_are_joined_across_the_halves_whichever_is_started_anew(supervision, host):
    process, _ = met(host, supervision, host_worker(NAMESPACES))

    def crossed(number):
        links = [(name, struct.unpack("=2I", body)) for name, body, inode in received(host, number) if inode]
        assert all(name == "MEETING_LINK" for name, _ in links)
        return sorted(pair for _, pair in links)

    # What netadmin says of its addresses comes between, whenever it was started.
    everything = [host.receive() for _ in range(4)]
    links = sorted(struct.unpack("=2I", body) for name, body, inode in everything if name == "MEETING_LINK" and inode)
    assert links == [(LINKS, WATCHER), (NAMESPACES, WATCHER), (NAMESPACES, WAY)]
    assert [name for name, _, _ in everything if name != "MEETING_LINK"] == ["PROJECT_ADDRESSES"]
    for peer in (OF_LINKS, OF_NAMESPACES):
        got(process, "watcher", "LINK", descriptors=1, body=struct.pack("=2I", peer, 0).hex())
    got(process, "way", "LINK", descriptors=1, body=struct.pack("=2I", OF_NAMESPACES, 0).hex())
    os.kill(started(process, "watcher"), 9)
    assert crossed(2) == [(LINKS, WATCHER), (NAMESPACES, WATCHER)]
    host.send(host_worker(NAMESPACES))
    assert crossed(2) == [(NAMESPACES, WATCHER), (NAMESPACES, WAY)]
    host.send(host_worker(LINKS))
    assert [host.receive()[0] for _ in range(3)] == ["LINKS_IDENTITY", "LINKS_IDENTITY", "MEETING_LINK"]


def test_host11_last_states_are_repeated_to_whoever_is_started_anew(supervision, host):
    process, _ = met(host, supervision, shared_links(), host_addresses("192.0.2.2"))
    got(process, "watcher", "HOST_ADDRESSES")
    got(process, "netadmin", "HOST_ADDRESSES")
    got(process, "netadmin", "SHARED_LINKS")
    assert {name for name, _, _ in received(host, 2)} == {"MEETING_LINK", "PROJECT_ADDRESSES"}
    os.kill(started(process, "netadmin"), 9)
    for kind in ("TOPOLOGY", "SHARED_LINKS", "HOST_ADDRESSES"):
        got(process, "netadmin", kind, count=2)
    got(process, "netadmin", "LEASE", count=4)
    assert host.receive()[0] == "PROJECT_ADDRESSES"
    host.part()
    host.meet(welcome())
    assert host.receive()[0] == "PROJECT_ADDRESSES"
    assert not process.find(event="started", stand_in="netadmin")[2:]  # a meeting more starts nobody anew


@pytest.mark.parametrize("other", [{"project": "another"}, {"next_hop": "169.254.8.8"}])
def test_host11_a_host_half_of_another_identity_is_refused(supervision, host, other):
    process, _ = met(host, supervision)
    host.part()
    host.meet(welcome(**other))
    wait_until(lambda: process.find(level="ERROR", msg="the host half is of another identity than this one, refusing it; "
                                                       "a restart takes it"))
    assert host.receive() is None
    host.part()
    host.meet(welcome(), host_worker(LINKS))
    assert [host.receive()[0] for _ in range(2)] == ["PROJECT_ADDRESSES", "LINKS_IDENTITY"]


@pytest.mark.parametrize("environment, mode", [({}, LEAVE_CLOSED), ({"ANCHORD_ON_STOP": "remove"}, TEAR_DOWN),
                                               ({"ANCHORD_ON_STOP": "keep"}, KEEP)])
def test_host4_a_stop_leaves_what_it_is_told_to(supervision, host, environment, mode):
    process, _ = met(host, supervision, **environment)
    got(process, "way", "CONFIGURE_WAY")
    status, seconds = process.stop()
    assert status == 0 and seconds < 2
    for name in ("netadmin", "way"):
        assert got(process, name, "STOP")["body"] == struct.pack("=2I", mode, 0).hex()
    order = [record["stand_in"] for record in process.find(event="stopping")]
    assert order.index("watcher") < order.index("netadmin") and order.index("watcher") < order.index("way")


def told(process, name, count):
    """What its `count`-th start was told, in order, but for questions whether it lives."""
    pid = started(process, name, count)
    return [record["type"] for record in process.find(stand_in=name, event="message", pid=pid)]


def killed_twice(process, name):
    """Of the first one the successor is there at once."""
    for count in (1, 2):
        os.kill(started(process, name, count), signal.SIGKILL)
    process.wait_for(msg="starting a worker again", name=name, delay_seconds=1)


def test_host8_a_dismissal_while_way_is_between_two_starts_undoes_what_is_in_the_containers(supervision, host):
    """HOST-4, HOST-8: nobody else could. It is started at once, and undoes what it was handed, all of it."""
    supervision.install_stand_in("way", knows_all_at="LINK")
    process, _ = met(host, supervision, host_worker(NAMESPACES), ANCHORD_ON_STOP="keep")
    killed_twice(process, "way")
    process.process.send_signal(signal.SIGUSR1)
    assert process.wait() == 0
    assert told(process, "way", 3) == ["METRICS_PAGE", "CONFIGURE_WAY", "LINK", "STOP"]
    assert got(process, "way", "STOP")["body"] == struct.pack("=2I", TEAR_DOWN, 0).hex()
    assert not process.find(code="ANC0515")


def test_host8_a_dismissal_before_the_halves_have_met_awaits_that(supervision, host):
    """HOST-8: a supervisor that has just been started anew, whose predecessor has left everything."""
    supervision.install_stand_in("way", knows_all_at="LINK")
    process = supervision.start(**STATIC)
    process.wait_for(msg="the host half of attach is not there yet, waiting for it")
    process.process.send_signal(signal.SIGUSR1)
    process.wait_for(msg="what is to be undone is not known yet: starting who knows it")
    host.appear()
    host.meet(welcome(), host_worker(LINKS), host_worker(NAMESPACES))
    assert process.wait() == 0
    assert told(process, "way", 1) == ["METRICS_PAGE", "CONFIGURE_WAY", "LINK", "STOP"]


def test_host8_a_way_that_is_killed_while_it_undoes_things_is_started_once_more(supervision, host):
    """HOST-8: here by its supervisor, after a second without an end."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        supervision.install_stand_in("way", knows_all_at="CONFIGURE_WAY", waits_at_first_stop=f"{directory}/seen")
        process, _ = met(host, supervision, ANCHORD_ON_STOP="remove")
        got(process, "way", "CONFIGURE_WAY")
        assert process.stop()[0] == 0
    assert [told(process, "way", count)[-1] for count in (1, 2)] == ["STOP", "STOP"]
    assert len(process.find(stand_in="way", event="stopping")) == 1


def test_host8_a_host_half_that_does_not_come_back_holds_no_stop_for_ever(supervision, host):
    """HOST-8: what may be left is said."""
    process = supervision.start(**STATIC, ANCHORD_ON_STOP="remove")
    process.wait_for(msg="the host half of attach is not there yet, waiting for it")
    status, seconds = process.stop()
    assert (status, seconds < 8) == (0, True)
    assert process.find(level="ERROR", code="ANC0515")


def test_guest2_an_attached_identity_bans_as_a_network_anchor_does(supervision, host):
    """The same worker and the same command. netadmin, here a stand-in, is given its end of their connection, and closes it:
    that does not end the worker."""
    supervision.install_real("bans")
    process, _ = met(host, supervision)
    program = supervision.build / "daemon" / "anchord-under-test"
    listed = subprocess.run([program, "ban", "list", "--json"], capture_output=True, text=True, check=True,
                            env={"RUNTIME_DIRECTORY": str(supervision.runtime)}).stdout
    assert listed == "[]\n"
    process.wait_for(msg="worker started", name="bans")
    assert not process.find(msg="worker died", name="bans")
    got(process, "netadmin", "LINK", body="0a00000000000000")
