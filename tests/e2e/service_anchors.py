"""Compose projects of the pattern service-anchors: each service in the namespace of its own service-anchor.

Used by test_service_anchors.py. Everything else is as in direct.py; transit names no gateway, so that the containers
get Docker's own default route, which leads past the anchor.
"""

from direct import ANCHOR, IMAGE, Direct, unmasqueraded

# SPEC §11 for a service-anchor: the same as for a network-anchor, but nothing of Docker.
CAPABILITIES = ["NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"]
INTERVAL_SECONDS = 1
HEALTHCHECK = {"test": ["CMD", "anchord", "healthcheck"], "interval": "1s", "timeout": "3s", "retries": 60}


def anchor_of(name):
    return f"{name}-anchor"


def service_anchor(**more):
    return {"image": IMAGE, "command": ["service-anchor"], "restart": "unless-stopped", "read_only": True,
            "tmpfs": ["/run"], "cap_drop": ["ALL"], "cap_add": CAPABILITIES,
            "security_opt": ["no-new-privileges:true"],
            "environment": {"ANCHORD_GATEWAY_RESOLVE_INTERVAL": f"{INTERVAL_SECONDS}s"}} | more


def anchored(name, service):
    """The service without a network of its own, and its service-anchor with its networks and labels."""
    application = {key: value for key, value in service.items() if key not in ("networks", "labels")}
    return {
        anchor_of(name): service_anchor(networks=service["networks"], labels=service["labels"],
                                        healthcheck=HEALTHCHECK),
        name: application | {"network_mode": f"service:{anchor_of(name)}",
                             "depends_on": {anchor_of(name): {"condition": "service_healthy", "restart": True}}},
    }


class ServiceAnchors(Direct):
    def __init__(self, lab, services, *, metrics=False, **options):
        """metrics: of each service-anchor, too, which it has by itself on no port (USE-6)."""
        made = {}
        for name, service in services.items():
            made |= anchored(name, service) if "transit" in service.get("networks", ()) else {name: service}
            if metrics and anchor_of(name) in made:
                made[anchor_of(name)]["environment"]["ANCHORD_METRICS_ADDR"] = "127.0.0.1:9090"
        super().__init__(lab, made, **options)

    def _transit(self, lab, name):
        return unmasqueraded({"subnet": subnet} for subnet in self.transit)

    def _anchor(self, *arguments):
        anchor = super()._anchor(*arguments)
        anchor["networks"]["transit"] = {"aliases": ["anchord"]}
        return anchor

    def inner(self, service, family=4):
        return super().inner(anchor_of(service), family)

    def routes(self, service, family):
        return [" ".join(line.split()) for line in self.namespace(service).run(
            ["ip", f"-{family}", "route", "show", "table", "24942"], check=False).stdout.splitlines()]

    def way_out(self, service, family):
        """What the kernel decides for a packet to a foreign address."""
        target = {4: "192.0.2.1", 6: "2001:db8::1"}[family]
        return self.namespace(service).run(["ip", f"-{family}", "route", "get", target], check=False).stdout

    def leads_to_anchor(self, service, family):
        return f"via {self.address(ANCHOR, 'transit', family)} " in self.way_out(service, family)
