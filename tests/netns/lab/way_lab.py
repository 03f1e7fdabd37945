"""anchord-way under test, with the test as its supervisor and as anchord-namespaces."""

import socket
import struct

import messages
from netadmin_lab import Netadmin

WAY_REQUESTS, WAY_MONITOR, WAY_FILTER = 1, 2, 3
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
ROUTE_INSTALLED, LINKS_PRESENT, WAYS_INSTALLED = 1 << 3, 1 << 4, 1 << 6
PEER_NAMESPACES = 9


class Way(Netadmin):
    """Started as netadmin is: a user of its own and the one capability. With an `inner_mac` it is attached."""

    def __init__(self, program, namespace, gateway4=None, gateway6=None, inner_mac=None):
        super().__init__(program, namespace, {})
        self.is_attached = inner_mac is not None
        self.namespaces = None
        self.send(messages.configure_way(gateway4, gateway6, inner_mac=inner_mac))
        if self.is_attached:
            self.link_namespaces()

    def link_namespaces(self):
        if self.namespaces:
            self.namespaces.close()
        self.namespaces, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.send(messages.link(PEER_NAMESPACES), [theirs.fileno()])
        theirs.close()

    def hand(self, number, kind, namespace, protocol, flags=0):
        with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW | flags, protocol) as handed:
            if not flags:
                handed.settimeout(None)  # Python's sockets with a time limit do not block
            socket.send_fds(self.namespaces or self.supervisor, [messages.message(messages.WAY_SOCKET,
                                                                                  struct.pack("=2I", number, kind))],
                            [handed.fileno()])

    def serve(self, number, namespace):
        self.hand(number, WAY_REQUESTS, namespace, NETLINK_ROUTE)
        if self.is_attached:
            self.hand(number, WAY_FILTER, namespace, NETLINK_NETFILTER)
        self.hand(number, WAY_MONITOR, namespace, NETLINK_ROUTE, socket.SOCK_NONBLOCK)
        if not self.is_attached:
            self.ping(number)

    def commit(self):
        """All that is wanted was handed out."""
        self.namespaces.send(messages.message(messages.NAMESPACES_COMMIT))

    def leave(self, number):
        self.namespaces.send(messages.message(messages.NAMESPACE_GONE, struct.pack("=2I", number, 0)))

    def close(self):
        super().close()
        if self.namespaces:
            self.namespaces.close()
