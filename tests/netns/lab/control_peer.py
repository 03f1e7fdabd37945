"""The test as control, of which netadmin's report is: what `anchord status` shows of the LAN under Problems."""

import socket

import messages

PROBLEMS_OFFSET = 2 * 532 + 2 * 24 + 16  # protocol/messages_control.h, behind the header
PROBLEMS_MAX, PROBLEM_SIZE = 8, 160


class ControlPeer:
    """The other end of netadmin's channel to control."""

    def __init__(self, netadmin):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.setblocking(False)
        self.last = None
        netadmin.send(messages.link(messages.PEER_CONTROL), [theirs.fileno()])
        theirs.close()

    def problems(self):
        """As the last report that has come says them; None before the first."""
        while True:
            try:
                kind, _, body = messages.split(self.channel.recv(messages.LENGTH_MAX))
            except BlockingIOError:
                return self.last
            assert kind == messages.NETWORK_REPORT and len(body) == PROBLEMS_OFFSET + PROBLEMS_MAX * PROBLEM_SIZE
            texts = [body[PROBLEMS_OFFSET + number * PROBLEM_SIZE:][:PROBLEM_SIZE] for number in range(PROBLEMS_MAX)]
            self.last = [text.rstrip(b"\0").decode() for text in texts if text.rstrip(b"\0")]
