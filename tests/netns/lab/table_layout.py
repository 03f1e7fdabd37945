"""The layout that stands in the userdata of the tables' set `external` (workers/netadmin/nft/nft_names.h): read, and written as
another anchord would have written it. nft(8) can do neither, so this speaks nfnetlink.

Used by test_netadmin_layout.py and test_predecessor.py.
"""

import socket
import struct

LAYOUT, LAYOUT_TYPE, LIMIT_TYPE = 2, 110, 111
# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES, NFNL_BATCH_BEGIN, NFNL_BATCH_END = 12, 10, 0x10, 0x11
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
NFT_MSG_NEWSET, NFT_MSG_GETSET = 9, 10
TIMEOUT, EVAL = 0x10, 0x20  # enum nft_set_flags
NFTA_SET_FLAGS, NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_ID, NFTA_SET_USERDATA = 3, 1, 2, 4, 5, 10, 13
FAMILIES = {"ip": (socket.AF_INET, "anchord_v4", 7, 4), "ip6": (socket.AF_INET6, "anchord_v6", 8, 16)}


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


def message(kind, family, resource, body=b"", flags=0):
    body = struct.pack("!BBH", family, 0, resource) + body
    return struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body


def named(table, name="external"):
    return attribute(NFTA_SET_TABLE, table.encode() + b"\0") + attribute(NFTA_SET_NAME, name.encode() + b"\0")


def netlink(namespace, request):
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(5)
        kernel.send(request)
        return kernel.recv(65536)


def leave_set(lab, name, userdata, set_name="external", flags=0):
    """What another anchord's table holds; nft(8) cannot write a set's userdata."""
    family, table, key_type, key_length = FAMILIES[name]
    lab.nft(f"add table {name} {table}\n")
    body = (named(table, set_name) + attribute(NFTA_SET_FLAGS, struct.pack("!I", flags)) +
            attribute(NFTA_SET_KEY_TYPE, struct.pack("!I", key_type)) + attribute(NFTA_SET_KEY_LEN, struct.pack("!I", key_length)) +
            attribute(NFTA_SET_ID, struct.pack("!I", 1)) + attribute(NFTA_SET_USERDATA, userdata))
    kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET
    answer = netlink(lab.anchor, message(NFNL_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES) +
                     message(kind, family, 0, body, NLM_F_CREATE | NLM_F_ACK) +
                     message(NFNL_BATCH_END, 0, NFNL_SUBSYS_NFTABLES))
    assert struct.unpack_from("=i", answer, 16) == (0,)


def userdata(lab, name):
    family, table, _, _ = FAMILIES[name]
    answer = netlink(lab.anchor, message(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSET, family, 0, named(table)))
    length = struct.unpack_from("=I", answer)[0]
    return dict(attributes(answer[20:length])).get(NFTA_SET_USERDATA, b"")


def layout(number):
    return struct.pack("=BBI", LAYOUT_TYPE, 4, number)


def raise_layout(lab, number=LAYOUT + 1):
    """Everything that stands there stays, as the tables of a later anchord whose layout is `number`: nobody else's rules and
    elements are touched, but in between nothing is there."""
    before = lab.ruleset()
    lab.nft("flush ruleset\n")
    for name in FAMILIES:
        leave_set(lab, name, layout(number))
    lab.nft(before)
    assert lab.ruleset() == before and all(userdata(lab, name) == layout(number) for name in FAMILIES)
