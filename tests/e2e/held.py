"""Projects whose network-anchor lives in a holder's network namespace (KEEP-2), as compose/example-hold.yaml makes it.

Used by test_hold.py and tests/bench. The definition is that of direct.py or leases.py, split in two.
"""

import contextlib

from direct import ANCHOR, DOCKER_SOCKET, FAMILIES, service
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, wait_until
from lab.streams import streaming

HOLD, STARTER = "hold", "starter"
HOLD_IMAGE = f"anchord-hold:{(CHECKOUT / 'workers/hold/version').read_text(encoding='utf-8').splitlines()[0]}"
PORT = 25


def mail():
    """One service, for what comes in, goes out and comes back."""
    return {"smtp": service("smtp", tcp=str(PORT), udp=str(PORT), expose=f"tcp/{PORT},udp/{PORT}", restart="unless-stopped")}


def put_under_a_holder(project, starter=False):
    """Before it is up. Returns the project."""
    with project.edited() as definition:
        services = definition["services"]
        anchor = services[ANCHOR]
        services[HOLD] = {"image": HOLD_IMAGE, "restart": "unless-stopped", "read_only": True, "cap_drop": ["ALL"],
                          "cap_add": ["NET_ADMIN"], "security_opt": ["no-new-privileges:true"],
                          "sysctls": anchor.pop("sysctls"), "networks": anchor.pop("networks")}
        anchor["network_mode"] = f"service:{HOLD}"
        anchor["volumes"] = [*anchor["volumes"], "leases:/var/lib/anchord"]
        definition["volumes"] = {"leases": {}}
        if starter:
            services[STARTER] = {
                "image": anchor["image"], "command": ["wrap-rebinder"], "network_mode": "none", "restart": "unless-stopped",
                "cap_drop": ["ALL"], "cap_add": ["SETUID", "SETGID", "SETPCAP", "KILL"], "read_only": True,
                "tmpfs": ["/run"], "volumes": [DOCKER_SOCKET],
                "environment": {"COMPOSE_PROJECT_NAME": "${COMPOSE_PROJECT_NAME}", "ANCHORD_AUTOSTART_SIBLINGS": "true"}}
    return project


def wait_answering(project, deadline=20):
    for family in FAMILIES:
        project.wait_answer("tcp", PORT, "smtp", family=family, deadline=deadline)
    return project


@contextlib.contextmanager
def flows(project, outside, outward=("tcp", "udp")):
    """Inbound, egress and hairpin, TCP and UDP, IPv4 and IPv6, all open; outside: the addresses of a server there, which is
    asked by the protocols of `outward`. Yields a list of dictionaries, as streaming() does."""
    def targets(addresses, port, protocols=("tcp", "udp")):
        return [(protocol, address, port) for protocol in protocols for address in addresses]
    with contextlib.ExitStack() as stack:
        inside = project.namespace("smtp")
        yield [stack.enter_context(streaming(project.client, targets(project.addresses, PORT))),
               stack.enter_context(streaming(inside, targets(outside, OUTSIDE_PORT, outward))),
               stack.enter_context(streaming(inside, targets(project.addresses, PORT)))]


def wait_successor(project, before):
    """Another container, or the same one started anew, that is ready; `before`: its (ID, StartedAt)."""
    def ready():
        found = identity(project)
        return found != before and project.exec(ANCHOR, "anchord", "healthcheck", check=False).returncode == 0
    wait_until(ready, 30, "the successor to be ready")


def identity(project):
    """None while Compose is at it."""
    found = project.containers(ANCHOR)
    return (found[0]["Id"], project.inspect(ANCHOR)["State"]["StartedAt"]) if len(found) == 1 else None
