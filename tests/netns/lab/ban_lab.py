"""Bans: the messages of messages_bans.h, and `anchord ban` beside a whole network-anchor.

Used by test_bans*.py. Runs as root.
"""

import ipaddress
import json
import socket
import struct
import subprocess

import messages
from whole_anchor import WholeAnchor

ALL, NEW_ONLY = 1, 2
PER_MESSAGE = 512
BAN = struct.Struct("=BB16sBB")
PEER_BANS = 10


def item(text, kind=ALL, removed=False):
    parsed = ipaddress.ip_network(text)
    return BAN.pack(kind, parsed.version, parsed.network_address.packed, parsed.prefixlen, removed)


def conversation(items, generation, whole=True):
    """BEGIN, ITEMS …, COMMIT; items as netadmin wants them, in order."""
    items = sorted(items)
    yield messages.message(messages.BANS_BEGIN if whole else messages.BAN_CHANGES_BEGIN, generation=generation)
    for first in range(0, len(items), PER_MESSAGE):
        part = items[first:first + PER_MESSAGE]
        yield messages.message(messages.BANS_ITEMS, struct.pack("=2I", len(part), 0) + b"".join(part), generation)
    yield messages.message(messages.BANS_COMMIT, struct.pack("=2I", len(items), 0), generation)


class BansPeer:
    """anchord-bans' end of the channel to netadmin."""

    def __init__(self, netadmin):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(5)
        self.generation = 0
        self.kept = []  # what netadmin says that it holds, at LINK
        self.protected = []  # whom nobody should ban
        netadmin.send(messages.message(messages.LINK, struct.pack("=2I", PEER_BANS, 0)), [theirs.fileno()])
        theirs.close()

    def send(self, items, whole=True):
        self.generation += 1
        for datagram in conversation(items, self.generation, whole):
            self.channel.send(datagram)

    def ban(self, items, whole=True):
        """Returns netadmin's error, 0 or a negative errno, and its reason."""
        self.send(items, whole)
        return self.answer()

    def answer(self):
        """Of the last one; what else netadmin says is noted."""
        while True:
            kind, generation, body = messages.split(self.hear())
            if kind == messages.BANS_APPLIED:
                assert generation == self.generation
                error, _, reason = struct.unpack("=iI160s", body)
                return error, reason.rstrip(b"\0").decode()
            self.note(kind, body)

    def hear(self):
        datagram = self.channel.recv(messages.LENGTH_MAX)
        if not datagram:
            raise EOFError("netadmin ended the connection")
        return datagram

    def note(self, kind, body):
        if kind == messages.BANS_ITEMS:
            self.kept += [body[at:at + BAN.size] for at in range(8, len(body), BAN.size)]
        elif kind == messages.PROJECT_ADDRESSES:
            count, = struct.unpack_from("=I", body)
            found = [body[8 + n * 20:28 + n * 20] for n in range(count)]
            self.protected = [str(ipaddress.ip_address(one[4:8] if one[0] == 4 else one[4:20])) for one in found]
        else:
            assert kind in (messages.BANS_BEGIN, messages.BANS_COMMIT), kind

    def close(self):
        self.channel.close()


class BanAnchor(WholeAnchor):
    """A whole anchor, and the command."""

    def ban(self, *words, expect=0, **variables):
        program = self.supervision.build / "daemon" / "anchord-under-test"
        done = subprocess.run([program, "ban", *words], capture_output=True, text=True, check=False, timeout=20,
                              env={"PATH": "/usr/bin:/bin", "RUNTIME_DIRECTORY": str(self.supervision.runtime), **variables})
        assert done.returncode == expect, (words, done)
        return done.stdout if expect == 0 else done.stderr

    def listed(self):
        return {row["address"]: row for row in json.loads(self.ban("list", "--json"))}

    def elements(self, family, name):
        """What a set of ours holds, as the kernel says."""
        table = json.loads(self.lab.anchor.run("nft", "-j", "list", "set", family, "anchord_v4" if family == "ip" else
                                               "anchord_v6", name))
        found = next(entry["set"] for entry in table["nftables"] if "set" in entry).get("elem", [])
        return {element if isinstance(element, str) else f"{element['prefix']['addr']}/{element['prefix']['len']}"
                for element in found}
