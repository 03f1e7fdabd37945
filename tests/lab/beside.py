"""A further host on the LAN of a lab that is up: two machines beside each other.

Called by tests/host, as root. It is a lab of its own by name (state, Docker, disk, control group), but for the network: switch,
clients, router and outside server are the other lab's, which must live longer.
"""

from . import instance, topology

ADDRESSES = ("10.99.0.3", "fd99::3")  # the other's host has .2
PORT = "beside"  # of the switch


class Topology(topology.Topology):
    """The box "engine" alone, plugged into the other's switch."""

    def __init__(self, name, other):
        super().__init__(name)
        self.other = other

    def path(self, box):
        return super().path(box) if box == "engine" else self.other.path(box)

    def host(self, box):
        return topology.Host(self.path(box), ADDRESSES, topology.UPLINK) if box == "engine" else self.other.host(box)

    def create(self):
        self.add_box("engine")
        self.connect("engine", topology.UPLINK, PORT)
        self._configure("engine", topology.UPLINK, ADDRESSES, (24, 64))
        self._default_routes("engine")


class Lab(instance.Lab):
    def __init__(self, name, suite, other):
        super().__init__(name, suite)
        self.topology = Topology(name, other.topology)

    def _start_outside_server(self):
        """The other's is there."""
