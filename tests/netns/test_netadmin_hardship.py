"""netadmin when the kernel serves its conntrack requests badly, or notifies it faster than it reads (NAT-4, NAT-15)."""

import contextlib
import errno
import os
import signal
import subprocess

import pytest

import messages
from netadmin_lab import LAN4, ONE4, TWO4, ask_again, flow_to, outcome, wait_logged, wait_until

REASONS = {"ENOBUFS": "No buffer space available", "ENOMEM": "Cannot allocate memory"}
OPERATIONS = {"dump": "list the conntrack entries of ip", "delete": "delete a conntrack entry of ip",
              "answer": "list the conntrack entries of ip"}
FOREIGN_ELEMENTS = 20000


@pytest.mark.parametrize("error", REASONS)
@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_flow_moves_as_soon_as_conntrack_serves_again(lab, build, kind, error):
    """NAT-4: the new entries hold at once, the old flow is dropped late, and the log says why, once."""
    # Of one sweep: counting, listing. The first sweep after the change fails, the second, and its first repetition.
    times = 3 if kind != "answer" else 6
    lab.environment = {"REFUSE_NETLINK": f"{kind} {error} {times}",
                       "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, ONE4)
    lab.serve(lab.two, "two", "udp", 8080, TWO4)
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080))
    flow, name = flow_to(lab, "udp", LAN4, 80)
    assert name == "one"
    applied = netadmin.expose(messages.exposure("udp", 80, TWO4, 8080))
    assert sum(applied.flushed.values()) == 0
    assert outcome(lab.client, "udp", LAN4, 80) == "two"
    wait_logged(netadmin, "stale conntrack entries dropped after all")
    assert ask_again(flow) == "two"
    said = netadmin.logged("cannot drop stale conntrack entries, retrying")
    assert [(line["operation"], line["err"]) for line in said] == [(OPERATIONS[kind], REASONS[error])]


def test_a_count_that_fails_is_no_reason_to_keep_a_flow(lab, build):
    """It only spares the dump of a namespace without flows."""
    lab.environment = {"REFUSE_NETLINK": "count ENOMEM 1000", "LD_PRELOAD": f"{build}/tests/netns/refuse_netlink.so"}
    netadmin = lab.start()
    lab.serve(lab.one, "one", "udp", 8080, ONE4)
    lab.serve(lab.two, "two", "udp", 8080, TWO4)
    netadmin.expose(messages.exposure("udp", 80, ONE4, 8080))
    flow, _ = flow_to(lab, "udp", LAN4, 80)
    applied = netadmin.expose(messages.exposure("udp", 80, TWO4, 8080))
    assert sum(applied.flushed.values()) == 1
    assert ask_again(flow) == "two"


def tables(lab):
    """What nft lists of each; in a ruleset a table that was made anew stands behind the others."""
    names = lab.anchor.run("nft", "list", "tables").splitlines()
    return {name: lab.anchor.run("nft", "--stateless", "list", *name.split()) for name in names}


def overflow(lab):
    """Fills the buffer of the nftables monitor with somebody else's changes."""
    elements = ",".join(f"10.{index >> 16}.{index >> 8 & 255}.{index & 255}" for index in range(FOREIGN_ELEMENTS))
    for operation in ("add", "delete", "add", "delete"):
        lab.nft(f"{operation} element ip foreign addresses {{ {elements} }}")
    drops = [line.split() for line in lab.anchor.run("cat", "/proc/net/netlink").splitlines()]
    assert any(line[1] == "12" and int(line[8]) > 0 for line in drops[1:]), "the buffer did not overflow"


@pytest.mark.parametrize("deed", (
    "flush table ip anchord_v4",
    "delete table ip6 anchord_v6",
    "flush map ip anchord_v4 dnat_tcp",
    "delete element ip anchord_v4 dnat_tcp { 80 }",
))
def test_changes_behind_lost_notifications_are_repaired(lab, deed):
    """NAT-15: what is lost (ENOBUFS) is not known, so everything is compared; the others' tables stay."""
    netadmin = lab.start()
    lab.serve(lab.one, "one", "tcp", 8080, ONE4)
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    lab.nft("add table ip foreign; add set ip foreign addresses { type ipv4_addr; }")
    before = tables(lab)
    os.kill(netadmin.pid, signal.SIGSTOP)
    try:
        overflow(lab)
        lab.nft(deed)
        assert tables(lab) != before
    finally:
        os.kill(netadmin.pid, signal.SIGCONT)
    wait_until(lambda: tables(lab) == before, "the ruleset as it was")
    wait_logged(netadmin, "ruleset checked after lost notifications")
    assert outcome(lab.client, "tcp", LAN4, 80) == "one"


@contextlib.contextmanager
def owned_by_somebody_else(lab, family, name):
    """A table that nobody but this nft may change (nft(8), flags owner)."""
    with lab.anchor.entered():
        owner = subprocess.Popen(["nft", "--interactive"], stdin=subprocess.PIPE, text=True)
    try:
        owner.stdin.write(f"add table {family} {name} {{ flags owner; }}\n")
        owner.stdin.flush()
        wait_until(lambda: name in lab.anchor.run("nft", "list", "tables"), "the owner's table")
        yield
    finally:
        owner.communicate()


def own_memory(netadmin):
    with open(f"/proc/{netadmin.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def test_a_state_that_the_kernel_keeps_refusing_takes_no_more_memory(lab):
    """NAT-3, NAT-4: every try notes anew what it would have changed."""
    netadmin = lab.start(ready=False)
    with owned_by_somebody_else(lab, "ip", "anchord_v4"):
        netadmin.send(lab.topology())
        for number in range(30):
            applied = netadmin.apply(messages.exposure("udp", (20000, 50000), ONE4))
            assert applied.error == -errno.EPERM
            if number == 4:
                before = own_memory(netadmin)
        assert own_memory(netadmin) - before < 4096  # kB
    wait_logged(netadmin, "ruleset applied again")
    netadmin.wait_ready(messages.RECONCILED)
    assert len(netadmin.logged("cannot apply the ruleset, retrying")) == 1
    assert "20000 counter : 172.30.0.5 . 20000" in lab.anchor.run("nft", "-s", "list", "map", "ip", "anchord_v4", "dnat_udp")
