"""The pattern Wrap as its example has it: the project of others, and what tests ask of it and of the project around it.

Used by the tests of the example, of the wrap-rebinder and of what it may ask Docker. A `pair` has the lab, the Compose
projects `wrapped` and `wrap` (lab/compose.py).
"""

import contextlib

from direct import FAMILIES, IMAGE
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, LabError, wait_until

COMPOSE = CHECKOUT / "compose"
# The defaults that the file's comment names.
ADDRESSES = ("10.99.0.30", "fd99::30")
EXPOSED = (("tcp", 80, "nginx"), ("tcp", 443, "nginx"), ("udp", 443, "nginx"), ("tcp", 25, "postfix"),
           ("tcp", 465, "postfix"), ("tcp", 587, "postfix"), ("tcp", 143, "dovecot"), ("tcp", 993, "dovecot"),
           ("tcp", 4190, "managesieve"))
OWNERS = ("nginx", "postfix", "dovecot")  # of the wrapped network namespaces
REBINDER = "wrap-rebinder"
SIDECAR = {"image": IMAGE, "command": [REBINDER], "cap_drop": ["ALL"], "read_only": True, "tmpfs": ["/run"],
           "cap_add": ["SETUID", "SETGID", "SETPCAP", "KILL"], "volumes": ["/var/run/docker.sock:/var/run/docker.sock"],
           "environment": {"COMPOSE_PROJECT_NAME": "${COMPOSE_PROJECT_NAME}", "ANCHORD_WRAP_RESTART_TIMEOUT": "1s"}}


def wait_answer(pair, proto, port, name, family, deadline=20):
    """As a LAN client; returns the answer."""
    address = ADDRESSES[FAMILIES.index(family)]
    return wait_until(lambda: (answer := pair.lab.lanhost1.probe(proto, address, port, timeout=0.3))
                      .startswith(f"{name} ") and answer, deadline, f"{name} answers on {proto}/{port} of {address}")


def way_out(pair, name, family, proto="tcp"):
    """The address that the outside server sees; None when nothing arrives there or nobody can send."""
    outside = pair.lab.outside.addresses[FAMILIES.index(family)]
    with contextlib.suppress(LabError, OSError):  # the container has no network namespace while it starts
        answer = pair.wrapped.probe(name, proto, outside, OUTSIDE_PORT, timeout=0.5).split()
        return answer[1] if answer[0] == "outside" else None
    return None


def wait_one_machine(pair, names, deadline=20):
    """NAT-1, NAT-2, NAT-8: every port of these answers and sees the client, and they leave with the same address."""
    for index, family in enumerate(FAMILIES):
        for proto, port, name in (each for each in EXPOSED if each[2] in names):
            assert wait_answer(pair, proto, port, name, family, deadline).split()[1] == pair.lab.lanhost1.addresses[index]
        for name in names:
            wait_until(lambda: way_out(pair, name, family) == ADDRESSES[index], deadline, f"{name} leaves as the project")
