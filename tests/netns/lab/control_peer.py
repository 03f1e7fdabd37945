"""anchord-control beside netadmin: it puts into words what netadmin found, in the log and in what `anchord status` shows."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import messages
from netadmin_lab import Netadmin

CONTROL_USER = 24946
OBJECT, INTERFACE = "/org/anchord/Anchor1", "org.anchord.Anchor1"


class ControlPeer(Netadmin):
    """The program, joined to `netadmin` and gone with it."""

    user = CONTROL_USER
    capabilities = 0

    def __init__(self, netadmin):
        program = pathlib.Path(netadmin.program).parent.parent / "control" / "anchord-control"
        super().__init__(program, netadmin.namespace, {})
        self.directory = tempfile.mkdtemp()
        netadmin.beside.append(self)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
            listener.bind(self.path)
            listener.listen()
            self.send(messages.configure_control(), [listener.fileno()])
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.send(messages.link(messages.PEER_NETADMIN), [ours.fileno()])
        netadmin.send(messages.link(messages.PEER_CONTROL), [theirs.fileno()])
        ours.close()
        theirs.close()

    @property
    def path(self):
        return os.path.join(self.directory, "control.sock")

    def settle(self):
        """What netadmin has sent is taken: it was there before the second ping."""
        self.ping(1)
        self.ping(2)

    def problems(self):
        """Those of the LAN, as status shows them."""
        done = subprocess.run(["busctl", f"--address=unix:path={self.path}", "--json=short", "get-property", "org.anchord",
                               OBJECT, INTERFACE, "Problems"], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        return [row[1] for row in json.loads(done.stdout)["data"]]

    def close(self):
        super().close()
        shutil.rmtree(self.directory)
