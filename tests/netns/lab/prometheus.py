"""A real Prometheus that scrapes the real exporter and evaluates packaging/monitoring/alerts.yaml, and promtool beside it.

Used by test_monitoring.py. Runs as root, in the network namespace of the exporter.
"""

import json
import pathlib
import re
import socket
import subprocess
import urllib.parse

import yaml

from exporter_lab import read_all, split_answer
from supervision import ROOT, wait_until

MONITORING = ROOT / "packaging/monitoring"
ALERTS, BOARD = MONITORING / "alerts.yaml", MONITORING / "grafana-board.json"
PORT = 9191
LABELS = {"project": "mail"}
# What Grafana puts there: the whole of what is scraped, and an interval of a few scrapes.
VARIABLES = {"$project": ".*", "$instance": ".*", "$__rate_interval": "30s"}


def rules():
    """Of each alert, by its name."""
    group, = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def board_panels():
    return json.loads(BOARD.read_text(encoding="utf-8"))["panels"]


def board_expressions():
    """(title of the panel, expression), as Grafana asks."""
    for panel in board_panels():
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


class Prometheus:
    """`namespace` is an exporter_lab.Namespace. Without `waits` no rule waits before it fires."""

    def __init__(self, namespace, directory, waits=False, interval="500ms"):
        self.namespace = namespace
        self.directory = pathlib.Path(directory)
        text = ALERTS.read_text(encoding="utf-8")
        (self.directory / "alerts.yaml").write_text(text if waits else re.sub(r"^ +for: .*\n", "", text, flags=re.M))
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [{"job_name": "anchord", "static_configs": [{"targets": ["127.0.0.1:9090"], "labels": LABELS}]}]}))
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            [*namespace.wrap, "prometheus", f"--config.file={self.directory}/prometheus.yml", f"--storage.tsdb.path={self.directory}/data",
             f"--web.listen-address=127.0.0.1:{PORT}"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(lambda: self.query('up{job="anchord"} == 1'), 30)

    def ask(self, path):
        """Without chunks: HTTP/1.0. Nothing before it listens."""
        try:
            connection = self.namespace.socket(lambda: socket.create_connection(("127.0.0.1", PORT), 10))
        except ConnectionRefusedError:
            return {}
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        status, _, body = split_answer(read_all(connection))
        answer = json.loads(body) if status in (200, 400, 422) else {"status": "error"}
        assert status == 503 or answer["status"] == "success", f"{path}: {body}"
        return answer.get("data", {})

    def query(self, expression):
        return self.ask(f"/api/v1/query?query={urllib.parse.quote(expression)}").get("result", [])

    def firing(self):
        """What fires now: {(name, code or what else tells it apart)}."""
        return {(alert["labels"]["alertname"], alert["labels"].get("code") or alert["labels"].get("worker") or
                 alert["labels"].get("family") or "") for alert in self.alerts() if alert["state"] == "firing"}

    def alerts(self):
        return self.ask("/api/v1/alerts").get("alerts", [])

    def await_firing(self, expected, timeout=30):
        try:
            wait_until(lambda: self.firing() == expected, timeout)
        except AssertionError as error:
            raise AssertionError(f"{self.firing()} and not {expected}") from error

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
