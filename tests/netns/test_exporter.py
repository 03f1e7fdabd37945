"""Metrics and health over HTTP, with the real programs (SPEC §7, §8)."""

import contextlib
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import fake_docker
from exporter_lab import EXTERNAL, Anchord
from fake_docker import container
from supervision import ROOT, status_of, wait_until

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
# SPEC §7, letter for letter: name -> type and labels.
FAMILY, PROTOCOL = ("family", ("v4", "v6")), ("proto", ("tcp", "udp"))
OUTCOME, RESULT, SOURCE = ("outcome", ("ok", "error")), ("result", ("ok", "error")), ("source", ("event", "poll"))
WORKER = ("worker", ("supervisor", "watcher", "netadmin", "announcer", "resolver", "control", "exporter", "keeper",
                     "gate", "way", "bans"))
PORT = ("port", ())  # an exposed one, or a range of them: from then on (SEE-4)
REASON = ("reason", ("closed", "list", "limit", "ban", "forged", "stray", "isolation", "egress"))
SERIES = {
    "anchord_reconcile_duration_seconds": ("histogram",),
    "anchord_reconcile_total": ("counter", RESULT),
    "anchord_dhcp_lease_remaining_seconds": ("gauge", FAMILY),
    "anchord_dhcp_acquired_total": ("counter", FAMILY, OUTCOME),
    "anchord_dhcp_client_restarts_total": ("counter", FAMILY),
    "anchord_dnat_entries": ("gauge", FAMILY, PROTOCOL),
    "anchord_conntrack_flushes_total": ("counter", FAMILY),
    "anchord_docker_events_total": ("counter", SOURCE),
    "anchord_gateway_resolve_total": ("counter", FAMILY, OUTCOME),
    "anchord_gateway_route_replaces_total": ("counter", FAMILY),
    "anchord_default_route_present": ("gauge", FAMILY),
    "anchord_build_info": ("gauge",),
    "anchord_event_to_map_seconds": ("histogram",),
    "anchord_port_conflicts": ("gauge",),
    "anchord_worker_restarts_total": ("counter", WORKER),
    "anchord_ruleset_repairs_total": ("counter", FAMILY),
    "anchord_adopted_total": ("counter", FAMILY),
    "anchord_dead_netns_dependents": ("gauge",),
    "anchord_rebinds_total": ("counter", RESULT),
    "anchord_docker_reachable": ("gauge",),
    "anchord_port_flows_total": ("counter", PORT),
    "anchord_port_packets_total": ("counter", PORT),
    "anchord_port_bytes_total": ("counter", PORT),
    "anchord_refused_total": ("counter", REASON),
    "anchord_problem": ("gauge",),  # a sample for each code of which somebody has told (SEE-1)
    "process_cpu_seconds_total": ("counter", WORKER),
    "process_resident_memory_bytes": ("gauge", WORKER),
    "process_open_fds": ("gauge", WORKER),
    "process_start_time_seconds": ("gauge", WORKER),
}


@pytest.fixture
def anchord(supervision):
    made = Anchord(supervision)
    yield made
    made.close()


def expected_samples():
    for name, (kind, *labels) in SERIES.items():
        if kind == "histogram" or name in ("anchord_build_info", "anchord_problem"):
            continue
        sets = [""]
        for label, values in labels:
            sets = [f'{before}{"," if before else ""}{label}="{value}"' for before in sets for value in values]
        for text in sets:
            yield f"{name}{{{text}}}" if text else name


# --- metrics ---

def test_every_series_is_there_from_the_start_with_0(anchord):
    anchord.start()
    anchord.await_exporter()
    body, values = anchord.text(), anchord.values()
    kinds = dict(line.split()[2:] for line in body.splitlines() if line.startswith("# TYPE "))
    assert kinds == {name: kind for name, (kind, *_) in SERIES.items()}
    plain = {name for name in values if not name.startswith(("anchord_build_info", "anchord_problem", "anchord_reconcile_duration_seconds_",
                                                             "anchord_event_to_map_seconds_"))}
    assert plain == set(expected_samples())
    build, = [name for name in values if name.startswith("anchord_build_info{version=")]
    assert ',commit="' in build and values[build] == 1
    not_zero = {name for name, value in values.items() if value and not name.startswith(("process_", "anchord_problem")) and name != build}
    assert not_zero <= {'anchord_gateway_route_replaces_total{family="v4"}'}
    for histogram in ("anchord_reconcile_duration_seconds", "anchord_event_to_map_seconds"):
        assert {f'{histogram}_bucket{{le="+Inf"}}', f"{histogram}_sum", f"{histogram}_count"} <= set(values)


def test_see4_exposed_ports_and_refusals_are_series_that_never_go_back(anchord):
    """With 0 from the exposure on; over netadmin's death, also when the tables die with it."""
    process = anchord.start_ready()
    anchord.docker.start(container(1, "tcp/80, udp/100-200"))
    flows, closed = 'anchord_port_flows_total{proto="tcp",port="80"}', 'anchord_refused_total{reason="closed"}'
    wait_until(lambda: flows in anchord.values())
    values = anchord.values()
    assert {name: value for name, value in values.items() if name.startswith("anchord_port_") and "{" in name} == {
        f'anchord_port_{what}_total{{proto="{proto}",port="{port}"}}': 0
        for what in ("flows", "packets", "bytes") for proto, port in (("tcp", "80"), ("udp", "100-200"))}

    def knock(port):
        """A new flow: that nobody answers it is another matter."""
        with contextlib.suppress(OSError):
            anchord.client.socket(lambda: socket.create_connection((EXTERNAL, port), 0.2)).close()

    knock(80)
    knock(81)
    wait_until(lambda: (anchord.values()[flows], anchord.values()[closed]) == (1, 1), 10)
    os.kill(process.find(msg="worker started", name="netadmin")[0]["pid"], signal.SIGKILL)
    anchord.anchor.run("nft", "delete table ip anchord_v4")
    process.wait_for(msg="worker started", name="netadmin", count=2)
    wait_until(lambda: "80 counter packets 1 " in anchord.anchor.run("nft", "list", "map", "ip", "anchord_v4", "dnat_tcp").stdout, 10)
    knock(80)
    knock(81)
    seen = [(1, 1)]

    def has_counted_on():
        values = anchord.values()
        seen.append((values[flows], values[closed]))
        return seen[-1] == (2, 2)

    wait_until(has_counted_on, 10)
    assert all(now[0] >= before[0] and now[1] >= before[1] for before, now in itertools.pairwise(seen)), seen


def test_each_process_reports_its_own_use(anchord):
    process = anchord.start()
    anchord.await_exporter()
    for worker in ("supervisor", "watcher", "netadmin", "announcer", "control", "exporter"):
        wait_until(lambda: anchord.values()[f'process_resident_memory_bytes{{worker="{worker}"}}'] > 500_000)
        values = anchord.values()
        assert 4 <= values[f'process_open_fds{{worker="{worker}"}}'] < 64
        assert 0 < values[f'process_cpu_seconds_total{{worker="{worker}"}}'] < 10
    pid = process.find(msg="worker started", name="exporter")[0]["pid"]
    # The connection of the scrape is open then and closed soon after.
    wait_until(lambda: values['process_open_fds{worker="exporter"}'] == len(os.listdir(f"/proc/{pid}/fd")) + 1)
    resident = int(status_of(pid)["VmRSS"].split()[0]) * 1024
    assert abs(values['process_resident_memory_bytes{worker="exporter"}'] - resident) < 1_000_000
    assert values['process_resident_memory_bytes{worker="keeper"}'] == 0


def test_the_work_is_counted(anchord):
    anchord.start_ready()
    anchord.await_value('anchord_default_route_present{family="v4"}', 1)
    before = anchord.values()
    anchord.docker.start(container(1, "tcp/80, udp/53"))
    anchord.docker.start(container(2, "tcp/80, tcp/81", created=1_700_000_001))
    anchord.await_value('anchord_dnat_entries{family="v4",proto="tcp"}', 2)
    values = anchord.values()
    assert values['anchord_dnat_entries{family="v4",proto="udp"}'] == 1
    assert values["anchord_port_conflicts"] == 1
    assert values['anchord_docker_events_total{source="event"}'] >= 2
    assert values['anchord_reconcile_total{result="ok"}'] > before['anchord_reconcile_total{result="ok"}']
    assert values["anchord_event_to_map_seconds_count"] >= 1
    assert 0 < values["anchord_event_to_map_seconds_sum"] < 5  # DISC-6
    assert values["anchord_reconcile_duration_seconds_count"] >= 2


def test_whether_docker_can_be_read_is_shown(anchord):
    """SPEC §7, §8: what is exposed goes on, and so does readiness."""
    anchord.start_ready()
    anchord.await_value("anchord_docker_reachable", 1)
    anchord.docker.misbehave["/"] = lambda connection: fake_docker.send(connection, 503, b"{}")
    anchord.docker.drop_connections()
    anchord.await_value("anchord_docker_reachable", 0)
    assert anchord.get("/readyz")[::2] == (200, "ready\n")
    anchord.docker.misbehave.clear()
    anchord.await_value("anchord_docker_reachable", 1)


def test_a_repair_is_counted_for_its_family(anchord):
    anchord.start_ready()
    anchord.anchor.run("nft", "flush chain ip anchord_v4 forward")
    anchord.await_value('anchord_ruleset_repairs_total{family="v4"}', 1)
    assert anchord.values()['anchord_ruleset_repairs_total{family="v6"}'] == 0


def test_a_burst_is_a_repair_of_each_family_that_it_touched(anchord):
    anchord.start_ready()
    anchord.anchor.run("nft", "-f", "-", input="flush chain ip anchord_v4 forward\nflush chain ip6 anchord_v6 forward\n")
    anchord.await_value('anchord_ruleset_repairs_total{family="v6"}', 1)
    assert anchord.values()['anchord_ruleset_repairs_total{family="v4"}'] == 1


def test_promtool_and_an_openmetrics_parser_have_nothing_to_say(anchord):
    anchord.start_ready()
    checked = subprocess.run(["promtool", "check", "metrics"], input=anchord.text(), capture_output=True, text=True,
                             check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    body = anchord.text(OPENMETRICS)
    names = {family.name for family in text_string_to_metric_families(body)}
    assert names == {name.removesuffix("_total") for name in SERIES}


def test_a_real_prometheus_scrapes_it(anchord, tmp_path):
    anchord.start_ready()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text("scrape_configs: [{job_name: anchord, scrape_interval: 1s, "
                             "static_configs: [{targets: ['127.0.0.1:9090']}]}]\n")
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(
            [*anchord.anchor.wrap, "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path}/data",
             "--web.listen-address=127.0.0.1:9191"], stdin=subprocess.DEVNULL, stdout=log, stderr=log) as prometheus:
        try:
            def query(text):
                answer = anchord.anchor.run("promtool", "query", "instant", "--format=json", "http://127.0.0.1:9191", text)
                return [float(sample["value"][1]) for sample in json.loads(answer.stdout or "[]")]

            wait_until(lambda: query('up{job="anchord"}') == [1], 30)
            assert query("anchord_build_info") == [1]
            assert query("scrape_samples_scraped") == [len(anchord.values())]
        finally:
            prometheus.terminate()


# --- what survives ---

def test_counters_survive_a_worker_and_the_supervisor(anchord):
    process = anchord.start_ready()
    anchord.docker.start(container(1, "tcp/80"))
    anchord.await_value('anchord_dnat_entries{family="v4",proto="tcp"}', 1)
    before = anchord.values()
    os.kill(process.find(msg="worker started", name="watcher")[0]["pid"], signal.SIGKILL)
    anchord.await_value('anchord_worker_restarts_total{worker="watcher"}', 1)
    exporter = anchord.await_exporter()
    os.kill(exporter, signal.SIGKILL)
    anchord.await_exporter(count=2)
    assert anchord.values()['anchord_worker_restarts_total{worker="exporter"}'] == 1
    os.kill(int(status_of(anchord.await_exporter(count=2))["PPid"]), signal.SIGKILL)
    process.wait_for(msg="starting the supervisor again")
    anchord.await_exporter(count=3)
    process.wait_for(msg="anchord ready", count=2)
    after = anchord.values()
    assert after['anchord_worker_restarts_total{worker="supervisor"}'] == 1
    assert after['anchord_worker_restarts_total{worker="watcher"}'] == 1
    for name in before:
        if "_total" in name and not name.startswith("process_") or name.endswith("_count"):
            assert after[name] >= before[name], name
    assert after["anchord_event_to_map_seconds_count"] >= 1
    assert after['anchord_dnat_entries{family="v4",proto="tcp"}'] == 1


# --- the listener ---

def test_a_taken_port_is_a_warning_and_harms_nothing(anchord):
    taken = anchord.anchor.listen()
    with taken:
        process = anchord.start_ready()
        warning = process.wait_for(msg="no metrics and no health over HTTP: cannot listen, trying again")
        assert (warning["level"], warning["port"], warning["err"]) == ("WARN", 9090, "Address already in use")
        anchord.docker.start(container(1, "tcp/80"))
        wait_until(lambda: "80 counter : 172.30.0.4 . 80" in anchord.anchor.run("nft", "-s", "list map ip anchord_v4 dnat_tcp").stdout)
        assert not process.find(msg="worker started", name="exporter")
    anchord.await_exporter()
    assert anchord.values()['anchord_dnat_entries{family="v4",proto="tcp"}'] == 1
    assert len(process.find(msg=warning["msg"])) == 1


def test_an_empty_address_means_no_listener_and_no_exporter(anchord):
    process = anchord.start_ready(address="")
    assert not process.find(msg="worker started", name="exporter")
    with pytest.raises(ConnectionRefusedError):
        anchord.anchor.connect()
    assert "9090" not in anchord.anchor.run("ss", "-Hltn").stdout


@pytest.mark.parametrize("address", ["9090", "localhost:9090", "127.0.0.1", "127.0.0.1:0", "::1:9090", "[127.0.0.1]:9090"])
def test_a_malformed_address_is_fatal(anchord, address):
    process = anchord.start(address=address)
    assert process.wait() == 1
    record = process.wait_for(msg="invalid configuration")
    assert record["variable"] == "ANCHORD_METRICS_ADDR" and address in record["err"]


@pytest.mark.parametrize("address, reached", [(":9090", ["127.0.0.1", "::1", EXTERNAL]), ("[::1]:9090", ["::1"])])
def test_it_listens_where_it_was_told(anchord, address, reached):
    anchord.start(address=address)
    anchord.await_exporter()
    for target in ["127.0.0.1", "::1", EXTERNAL]:
        if target in reached:
            assert anchord.get("/healthz", address=target)[0] == 200
        else:
            with pytest.raises(ConnectionRefusedError):
                anchord.anchor.connect(target)


def test_nothing_of_it_is_reachable_from_the_external_side(anchord):
    """NAT-11, although it listens on every address."""
    anchord.start_ready(address=":9090")
    assert anchord.get("/healthz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        anchord.client.connect(EXTERNAL)
    assert anchord.get("/healthz", address=EXTERNAL)[0] == 200  # it is the rules that keep the client out
    anchord.anchor.run("nft", "delete table ip anchord_v4")
    anchord.process.wait_for(msg="ruleset repaired")
    with pytest.raises(ConnectionRefusedError):
        anchord.client.connect(EXTERNAL)


# --- health ---

def test_readyz_goes_from_unready_to_ready(anchord):
    anchord.start()
    anchord.await_exporter()
    status, headers, body = anchord.get("/readyz")
    assert (status, body) == (503, "tables_installed: false\nreconciled: false\n")
    assert headers["content-type"].startswith("text/plain")
    assert anchord.get("/healthz")[::2] == (200, "ok\n")
    anchord.start_docker()
    anchord.process.wait_for(msg="anchord ready", timeout=20)
    assert anchord.get("/readyz")[::2] == (200, "ready\n")
    os.kill(anchord.process.find(msg="worker started", name="netadmin")[0]["pid"], signal.SIGSTOP)
    os.kill(anchord.process.find(msg="worker started", name="netadmin")[0]["pid"], signal.SIGKILL)
    anchord.process.wait_for(msg="anchord ready", count=2)
    assert anchord.get("/readyz")[0] == 200


def test_paths_and_methods(anchord):
    anchord.start()
    anchord.await_exporter()
    status, headers, body = anchord.get("/")
    assert (status, "/metrics" in body, headers["content-type"]) == (404, True, "text/plain; charset=utf-8")
    for path in ("/metrics/", "//metrics", "/METRICS", "/../etc/passwd"):
        assert anchord.get(path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
        status, headers, _ = anchord.get("/metrics", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, headers, body = anchord.get("/metrics", "HEAD")
    assert (status, body) == (200, "") and int(headers["content-length"]) > 4000
    assert anchord.get("/metrics?name=value")[0] == 200
    assert anchord.get("/metrics")[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    status, headers, body = anchord.get("/metrics", accept=OPENMETRICS)
    assert headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith("# EOF\n")


# --- who may write ---

def test_the_exporter_cannot_write_a_page(supervision):
    """It gets each page open for reading only and owned by root: no way leads to a writable mapping."""
    supervision.install_stand_ins()
    probe = (pathlib.Path(__file__).with_name("lab") / "exporter_probe.py").read_text(encoding="utf-8")
    path = supervision.workers / "anchord-exporter"
    path.write_text(f"#!/usr/bin/python3 -IS\n{probe}")
    process = supervision.start()
    for writer in range(7):
        tried = process.wait_for(stand_in="exporter", page=writer)
        assert tried == {"stand_in": "exporter", "pid": tried["pid"], "page": writer, "write": "EBADF",
                         "map": "EACCES", "open": "EACCES", "seal": "EPERM", "resize": "EINVAL", "read": True}


def test_every_series_is_documented():
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in SERIES if f"`{name}" not in text] == []
