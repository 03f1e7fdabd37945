"""WALL-9: what anchord leaves in a namespace is in one list, docs/architecture.md, and nothing else."""

import json
import pathlib
import re

import messages
from netadmin_lab import ONE4, wait_until
from service_anchor_lab import ANCHOR4, ANCHOR6, ServiceAnchorLab

LIST = pathlib.Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
KERNELS_RULES, KERNELS_TABLES = {"0", "32766", "32767"}, {"main", "local", "default"}


def listed(role):
    """{kind: names} of what the document says of a role."""
    found = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        row = re.fullmatch(r"\| (network-anchor|service-anchor|both) \| (nftables|rule|routing table) \| `([^`]+)` \| .* \|", line)
        if row and row[1] in (role, "both"):
            found.setdefault(row[2], set()).add(row[3])
    return found


def traces(namespace):
    """The same of what stands in a namespace, without what the kernel makes itself."""
    tables = {line.removeprefix("table ") for line in namespace.run("nft", "list", "tables").splitlines()}
    rules, routing = set(), set()
    for family in ("-4", "-6"):
        rules |= {line.split(":")[0] for line in namespace.run("ip", family, "rule").splitlines()} - KERNELS_RULES
        routes = json.loads(namespace.run("ip", "-j", family, "route", "show", "table", "all"))
        routing |= {route.get("table", "main") for route in routes} - KERNELS_TABLES
    return {"nftables": tables, "rule": rules, "routing table": routing}


def links(namespace):
    return sorted(link["ifname"] for link in json.loads(namespace.run("ip", "-j", "link")))


def test_wall9_a_network_anchor_leaves_what_is_listed_and_nothing_else(lab):
    wanted, before = listed("network-anchor"), links(lab.anchor)
    skeletons = {name for name in wanted["nftables"] if name.endswith("anchord_skeleton")}
    netadmin = lab.start(ready=False)
    wait_until(lambda: traces(lab.anchor) == {"nftables": skeletons, "rule": set(), "routing table": set()},
               "what stands before Docker has answered")
    netadmin.send(lab.topology())
    netadmin.wait_ready(messages.TABLES_INSTALLED)
    netadmin.expose(messages.exposure("tcp", 80, ONE4, 8080))
    assert traces(lab.anchor) == wanted | {"nftables": wanted["nftables"] - skeletons}
    assert links(lab.anchor) == before
    assert netadmin.stop() == 0
    assert traces(lab.anchor) == {"nftables": set(), "rule": set(), "routing table": set()}


def test_wall9_a_service_anchor_leaves_what_is_listed_and_nothing_else(supervision):
    lab = ServiceAnchorLab(supervision)
    try:
        before = links(lab.app)
        lab.dns.names["anchord"] = [ANCHOR4, ANCHOR6]
        process = lab.start()
        process.wait_for(msg="anchord ready")
        lab.wait_installed(ANCHOR4, ANCHOR6)
        assert traces(lab.app) == listed("service-anchor")
        assert links(lab.app) == before
        supervision.close()
        assert traces(lab.app)["nftables"] == set()
    finally:
        supervision.close()  # the programs before their namespaces
        lab.close()
