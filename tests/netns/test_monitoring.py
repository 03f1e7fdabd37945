"""SEE-5: the alert rules and the board of packaging/monitoring, with promtool and a real Prometheus at the real exporter."""

import collections
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest
import yaml

import prometheus
from exporter_lab import Anchord
from fake_docker import container
from supervision import ROOT, wait_until

TAKEN = "2001:db8::10"  # another host's
# alert: (series while it is to fire, the same while it is not), a value each minute from 0 on.
CASES = {
    "AnchordExporterDown": ({"up": "1 0x20"}, {"up": "1x20"}),
    "AnchordAddressLost": ({'anchord_problem{code="ANC0203"}': "0 1x20"}, {'anchord_problem{code="ANC0203"}': "0x20"}),
    # T1 at half: a saw; and one that goes on falling.
    "AnchordLeaseRenewFailing": ({'anchord_dhcp_lease_remaining_seconds{family="v4"}': "1200-60x19"},
                                 {'anchord_dhcp_lease_remaining_seconds{family="v4"}': "1200-60x10 1200-60x9"}),
    "AnchordDuplicateAddress": ({'anchord_problem{code="ANC0201"}': "0 1x20"}, {'anchord_problem{code="ANC0201"}': "0x20"}),
    "AnchordNoWayOut": ({'anchord_problem{code="ANC0301"}': "0 1x20"}, {'anchord_problem{code="ANC0301"}': "0x20"}),
    "AnchordNotConverged": ({'anchord_problem{code="ANC0513"}': "0 1x20"}, {'anchord_problem{code="ANC0513"}': "0 1 0x20"}),
    "AnchordDockerStale": ({'anchord_problem{code="ANC0401"}': "0 1x20"}, {'anchord_problem{code="ANC0401"}': "0 1 0x20"}),
    "AnchordBackendUnhealthy": ({'anchord_problem{code="ANC0105"}': "0 2x20"}, {'anchord_problem{code="ANC0105"}': "0 1x4 0x20"}),
    "AnchordDeadNamespace": ({'anchord_problem{code="ANC0402"}': "0 1x20"}, {'anchord_problem{code="ANC0402"}': "0 1 0x20"}),
    "AnchordRulesForeign": ({'anchord_ruleset_repairs_total{family="v4"}': "0x9 1x10"}, {'anchord_ruleset_repairs_total{family="v4"}': "3x20"}),
    "AnchordWorkerRestarting": ({'anchord_worker_restarts_total{worker="watcher"}': "0x9 1 2 3 4x10"},
                                {'anchord_worker_restarts_total{worker="watcher"}': "0x9 1x20"}),
    "AnchordProblem": ({'anchord_problem{code="ANC0102"}': "0 1x20"},
                       {'anchord_problem{code="ANC0102"}': "0 1 0x20", 'anchord_problem{code="ANC0207"}': "1x20"}),  # a warning
}
END = "18m"


@pytest.fixture
def anchord(supervision):
    made = Anchord(supervision)
    supervision.runtime = made.directory / "run"
    # As the examples have it; else ANC0304 and ANC0208 hold from the start.
    made.anchor.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.eth1.forwarding=0", "net.ipv6.conf.eth1.accept_ra=2")
    yield made
    made.close()


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the rules ---

def test_see5_each_alert_fires_and_is_silent(tmp_path):
    """promtool evaluates the rules as they are, each with its `for`: on two instances for each alert, and none fires on another's."""
    assert list(CASES) == list(prometheus.rules()), "each alert has its two cases"
    series = {}
    for name, (firing, silent) in CASES.items():
        for instance, held in ((f"{name} fires", firing), (f"{name} is silent", silent)):
            for key, values in ({"up": "1x20"} | held).items():
                metric, _, labels = key.rstrip("}").partition("{")
                series[f'{metric}{{job="anchord", instance="{instance}"{", " * bool(labels)}{labels}}}'] = values

    def case(held, expected):
        return {"interval": "1m", "input_series": [{"series": key, "values": values} for key, values in held.items()],
                "promql_expr_test": [{"expr": 'count by (alertname, instance) (ALERTS{alertstate="firing"})', "eval_time": "18m", "exp_samples": [
                    {"labels": f'{{alertname="{name}"{instance}}}', "value": 1} for name, instance in expected]}]}

    path = tmp_path / "alerts_test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(prometheus.ALERTS)], "evaluation_interval": "1m", "tests": [
        case(series, [(name, f', instance="{name} fires"') for name in CASES]),
        case({"up{job=\"another\"}": "1x20"}, [("AnchordExporterDown", "")])]}))  # nobody is scraped as anchord
    promtool("check", "rules", prometheus.ALERTS)
    promtool("test", "rules", path)


def test_see5_each_alert_says_what_to_do():
    anchors = set(re.findall(r'<a id="(\w+)">', (ROOT / "docs/problems.md").read_text(encoding="utf-8")))
    for name, rule in prometheus.rules().items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        codes = re.findall(r"ANC\d{4}", rule["expr"])
        assert path == "docs/problems.md" and "code" in rule["expr"] or anchor in anchors, name
        assert anchor in anchors or anchor == "{{ $labels.code | toLower }}" and codes, name
        assert {code.lower() for code in codes} <= anchors, name


# --- the board ---

def test_see5_the_board_is_one_that_grafana_shows():
    board = json.loads(prometheus.BOARD.read_text(encoding="utf-8"))
    panels = board["panels"]
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "project", "instance"]
    assert board["title"] and board["uid"] and "id" not in board  # Grafana gives it one
    identities = collections.Counter(panel["id"] for panel in panels)
    assert identities.most_common(1)[0][1] == 1
    taken = {}
    for panel in panels:
        title, place = panel["title"], panel["gridPos"]
        assert title.strip() and 0 <= place["x"] and place["x"] + place["w"] <= 24 and place["h"] > 0, title
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert cell not in taken, f"{title} lies on {taken[cell]}"
            taken[cell] = title
        if panel["type"] == "row":
            continue
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["description"] and panel["targets"], title
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), title
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"}, title
        for target in panel["targets"]:
            selectors = re.findall(r"\{([^}]*)\}", target["expr"])
            assert selectors and all('project=~"$project", instance=~"$instance"' in selector for selector in selectors), title
    assert len({panel["title"] for panel in panels}) == len(panels)
    # Rows of panels without holes.
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1))


# --- at the real exporter ---

def selectors(expression):
    """What an expression reads: without comparisons, which nothing need pass."""
    return re.findall(r"\b(?:anchord_\w+|process_\w+|up)\{[^}]*\}|\banchord_\w+", expression)


def test_see5_every_expression_finds_series_of_the_exporter(anchord, tmp_path):
    """Each of the board gives a result as it is, each of the rules reads series that are there; and the board leaves none out."""
    anchord.start_ready()
    anchord.docker.start(container(1, "tcp/80", name="web"))
    anchord.await_value('anchord_dnat_entries{family="v4",proto="tcp"}', 1)
    with contextlib.closing(prometheus.Prometheus(anchord.anchor, tmp_path)) as made:
        for series in ("anchord_build_info", "anchord_port_flows_total"):
            wait_until(lambda series=series: made.query(f"count_over_time({series}[1m]) >= 3"), 20)
        for title, expression in prometheus.board_expressions():
            assert made.query(expression), f"{title}: {expression}"
        for name, rule in prometheus.rules().items():
            for selector in selectors(rule["expr"]):
                if "ANC0402" not in selector:  # told by the keeper, which has nothing to do here
                    assert made.query(selector), f"{name}: {selector}"
        told = {sample["metric"]["code"] for sample in made.query("anchord_problem")}
        families = {re.sub("_(bucket|sum|count)$", "", sample["metric"]["__name__"]) for sample in made.query(
            '{job="anchord", __name__=~"anchord_.+|process_.+"}')}
    assert len(told) > 30
    shown = " ".join(expression for _, expression in prometheus.board_expressions())
    assert [family for family in sorted(families) if not re.search(rf"\b{family}(_bucket)?\b", shown)] == []


def kill(anchord, name, count):
    os.kill(anchord.process.wait_for(msg="worker started", name=name, count=count)["pid"], signal.SIGKILL)
    anchord.process.wait_for(msg="worker started", name=name, count=count + 1)


def test_see5_alerts_fire_on_faults_and_on_nothing_else(anchord, tmp_path):
    """Without their waiting, each on a fault that is made, and none of the others; docs/monitoring.md tells which waits."""
    anchord.start_ready()
    anchord.docker.start(container(1, "tcp/80", name="web"))
    anchord.await_value('anchord_dnat_entries{family="v4",proto="tcp"}', 1)
    with contextlib.closing(prometheus.Prometheus(anchord.anchor, tmp_path)) as made:
        wait_until(lambda: made.query("count_over_time(anchord_build_info[1m]) >= 4"), 20)
        assert made.firing() == set()
        # A label, a health check that is missing, a backend that netadmin refuses, a host that has our address, somebody who
        # changes the tables.
        anchord.docker.start(container(3, "tcp/0", name="odd"))
        anchord.docker.start(container(4, "tcp/25", name="mail", labels={"anchord.expose.when": "healthy"}))
        anchord.docker.start(container(5, "tcp/81", name="elsewhere", address6="fd30::5"))
        anchord.client.ip("address", "add", f"{TAKEN}/64", "dev", "lan0", "nodad")
        anchord.anchor.ip("address", "add", f"{TAKEN}/64", "dev", "eth1")
        anchord.anchor.run("nft", "flush", "chain", "ip", "anchord_v4", "forward")
        foreign, restarting = ("AnchordRulesForeign", "v4"), ("AnchordWorkerRestarting", "announcer")  # they last an hour, a quarter
        made.await_firing({("AnchordProblem", "ANC0101"), ("AnchordProblem", "ANC0312"), ("AnchordBackendUnhealthy", "ANC0106"), ("AnchordNotConverged", "ANC0513"),
                           ("AnchordDuplicateAddress", "ANC0201"), foreign})
        rendered = made.alerts()
        # These are mended; a process dies again and again, and Docker does not answer.
        anchord.docker.stop(3)
        anchord.docker.stop(4)
        anchord.docker.stop(5)
        anchord.client.ip("address", "delete", f"{TAKEN}/64", "dev", "lan0")
        anchord.anchor.ip("address", "delete", f"{TAKEN}/64", "dev", "eth1")
        anchord.anchor.ip("address", "add", f"{TAKEN}/64", "dev", "eth1")
        made.await_firing({foreign})
        for count in range(1, 4):
            kill(anchord, "announcer", count)
        anchord.docker.misbehave["/"] = lambda connection: connection.close()
        anchord.docker.drop_connections()
        made.await_firing({("AnchordDockerStale", "ANC0401"), restarting, foreign}, 90)
        rendered += made.alerts()
        # It does; the interface on the LAN goes.
        anchord.docker.misbehave.clear()
        anchord.anchor.ip("link", "set", "eth1", "netns", anchord.client.process.pid)
        made.await_firing({("AnchordAddressLost", "ANC0211"), restarting, foreign}, 90)
        rendered += made.alerts()
        anchord.process.stop()
        wait_until(lambda: ("AnchordExporterDown", "") in made.firing(), 20)
        rendered += made.alerts()
    assert {alert["labels"]["project"] for alert in rendered} == {"mail"}
    texts = [text for alert in rendered for text in alert["annotations"].values()]
    assert not [text for text in texts if "{{" in text or "<no value>" in text or "<error" in text], texts
    assert {alert["annotations"]["runbook_url"] for alert in rendered if alert["labels"].get("code") == "ANC0211"} == {"docs/problems.md#anc0211"}
