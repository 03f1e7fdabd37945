"""Who bans by logs: Debian's fail2ban and CrowdSec's custom bouncer, with the files of packaging/, at a whole anchor (GUEST-2)."""

import datetime
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from ban_lab import BanAnchor
from netadmin_lab import CLIENT4, CLIENT6, LAN4, LAN6, family_of
from supervision import wait_until
from whole_anchor import BACKEND_PORT, STEADY_PORT

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"
SILENCE = 0.3
BAN_SECONDS = 3
# A real service that says in its log who was turned away: haproxy, with the log that it writes to standard output.
HAPROXY = """
global
    log stdout format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    log global
    option httplog
    bind 172.30.0.5:{port}
    bind [fd30::5]:{port}
    http-request return status 401 if {{ path /login }}
    http-request return status 200 content-type text/plain string steady
"""
FILES = {
    "fail2ban.conf": "[Definition]\nloglevel = INFO\nlogtarget = STDOUT\nsyslogsocket = auto\nsocket = {directory}/socket\n"
                     "pidfile = {directory}/pid\ndbfile = None\ndbpurgeage = 1d\n",
    "jail.conf": "[DEFAULT]\nbackend = pyinotify\nignoreself = false\nusedns = no\n\n"
                 "[web]\nenabled = true\nfilter = web\nlogpath = {log}\nmaxretry = 3\nfindtime = 60\nbantime = {bantime}\n"
                 "action = anchord[command=\"{command}\"]\n",
    "filter.d/web.conf": "[Definition]\nfailregex = ^<ADDR>:\\d+ .* web web/<NOSRV> \\S+ 401 \n",
}


@pytest.fixture(scope="module")
def anchor(build, tmp_path_factory):
    whole = BanAnchor(build)
    directory = tmp_path_factory.mktemp("haproxy")
    whole.log = directory / "access.log"
    (directory / "haproxy.cfg").write_text(HAPROXY.format(port=BACKEND_PORT), encoding="ascii")
    with whole.lab.one.entered(), open(whole.log, "wb") as log:
        service = subprocess.Popen(["haproxy", "-db", "-f", directory / "haproxy.cfg"], stdout=log, stderr=subprocess.STDOUT)
    whole.start()
    whole.command = f"env RUNTIME_DIRECTORY={whole.supervision.runtime} {build / 'daemon' / 'anchord-under-test'}"
    wait_until(lambda: status(whole, LAN4, "/") == 200, 10)
    yield whole
    service.kill()
    service.wait()
    whole.close()


def status(anchor, address, path):
    """What the service says to the client, or None."""
    try:
        with anchor.lab.client.socket(family_of(address), socket.SOCK_STREAM) as connection:
            connection.settimeout(SILENCE)
            connection.connect((address, STEADY_PORT))
            connection.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return int(connection.recv(2048).split()[1])
    except (TimeoutError, ConnectionError):
        return None


def banned_at(anchor, address, patience=10):
    """When the client was out, by the clock."""
    wait_until(lambda: anchor.elements("ip6" if ":" in address else "ip", "banned") != set(), patience)
    return time.time()


def start_fail2ban(anchor, tmp_path):
    directory = tmp_path / "fail2ban"
    shutil.copytree(PACKAGING / "fail2ban" / "action.d", directory / "action.d")
    (directory / "filter.d").mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(text.format(directory=directory, log=anchor.log, bantime=BAN_SECONDS, command=anchor.command),
                                      encoding="ascii")
    output = open(tmp_path / "fail2ban.log", "w", encoding="utf-8")
    server = subprocess.Popen(["fail2ban-server", "-xf", "-c", directory, "start"], stdout=output, stderr=subprocess.STDOUT)
    wait_until(lambda: "Jail 'web' started" in (tmp_path / "fail2ban.log").read_text(), 20)
    return server


def test_guest2_fail2ban_bans_a_client_within_a_second_of_its_line_and_unbans(anchor, tmp_path):
    server = start_fail2ban(anchor, tmp_path)
    try:
        for address, client in ((LAN4, CLIENT4), (LAN6, f"{CLIENT6}/128")):
            for _ in range(3):
                assert status(anchor, address, "/login") == 401
            line = time.time()
            took = banned_at(anchor, address) - line
            assert status(anchor, address, "/") is None
            assert anchor.listed()[client]["reason"] == "fail2ban: web"
            wait_until(lambda: status(anchor, address, "/") == 200, BAN_SECONDS + 10)
            assert client not in anchor.listed()
            print(f"GUEST-2: fail2ban had {client} banned {took:.2f} s after its last line")
            assert took < 1 + busy()
        said = (tmp_path / "fail2ban.log").read_text()
        assert "Unban" in said and " ERROR " not in said.replace("-- returned 1", ""), said
    finally:
        server.terminate()
        server.wait()


def busy():
    """Seconds that a busy machine may add."""
    return os.getloadavg()[0] / os.cpu_count() / 2


def unban_by_fail2ban(command, address):
    """Its action as fail2ban expands it, run by a shell as fail2ban runs it."""
    text = (PACKAGING / "fail2ban" / "action.d" / "anchord.conf").read_text()
    action = re.search(r"^actionunban = (.*?)\n\n", text, re.MULTILINE | re.DOTALL)[1]
    for tag, value in (("<command>", command), ("<options>", ""), ("<ip>", address)):
        action = action.replace(tag, value)
    return ["sh", "-c", action]


def unban_by_crowdsec(_, address):
    return [PACKAGING / "crowdsec" / "anchord-bouncer", "del", address, "60", "reason", "{}"]


@pytest.mark.parametrize("unban", (unban_by_fail2ban, unban_by_crowdsec))
@pytest.mark.parametrize("address", ("192.0.2.99", "2001:db8:9::1"))
def test_guest2_an_unban_that_fails_is_no_success(anchor, unban, address):
    """Nobody is to believe that a ban was lifted which is in force; what is not banned any more is no failure."""
    def run(command):
        return subprocess.run(unban(command, address), env=os.environ | {"ANCHORD": command}, capture_output=True, text=True, check=False)

    assert run(anchor.command).returncode == 0
    nowhere = run(f"env RUNTIME_DIRECTORY=/nonexistent {anchor.command.split()[-1]}")
    assert nowhere.returncode != 0 and "anchord does not run here" in nowhere.stderr


class LocalApi(http.server.BaseHTTPRequestHandler):
    """As CrowdSec's local API answers a bouncer: GET /v1/decisions/stream, with the key that it was given."""

    new, deleted = [], []

    def do_GET(self):
        assert self.path.startswith("/v1/decisions/stream") and self.headers["X-Api-Key"] == "KEY", self.path
        body = json.dumps({"new": self.new or None, "deleted": self.deleted or None}).encode()
        type(self).new, type(self).deleted = [], []
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def decision(value, scope="Ip"):
    return {"id": 1, "origin": "crowdsec", "type": "ban", "scope": scope, "value": value, "duration": "3h59m50.5s",
            "scenario": "crowdsecurity/http-probing"}


def test_guest2_crowdsecs_custom_bouncer_bans_and_unbans(anchor, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), LocalApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    LocalApi.new = [decision(CLIENT4), decision("198.51.100.0/24", "Range"), decision("2001:db8:7::1")]
    text = (PACKAGING / "crowdsec" / "crowdsec-custom-bouncer.yaml").read_text()
    for old, new in (("http://127.0.0.1:8080/", f"http://127.0.0.1:{server.server_port}/"), ("frequency: 10s", "frequency: 1s"),
                     ("/usr/local/bin/anchord-bouncer", str(PACKAGING / "crowdsec" / "anchord-bouncer")),
                     ("/var/run/", f"{tmp_path}/"), ("/var/log/", f"{tmp_path}/")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "bouncer.yaml").write_text(text, encoding="utf-8")
    bouncer = subprocess.Popen(["crowdsec-custom-bouncer", "-c", tmp_path / "bouncer.yaml"], env={**os.environ, "ANCHORD": anchor.command},
                               stdout=open(tmp_path / "bouncer.log", "wb"), stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: set(anchor.listed()) == {CLIENT4, "198.51.100.0/24", "2001:db8:7::/64"}, 20)
        row = anchor.listed()[CLIENT4]
        assert row["reason"] == "CrowdSec: crowdsecurity/http-probing"
        until = datetime.datetime.fromisoformat(row["until"].replace("Z", "+00:00")).timestamp()
        assert 14300 < until - time.time() < 14400
        assert status(anchor, LAN4, "/") is None
        LocalApi.deleted = [decision(CLIENT4), decision("198.51.100.0/24", "Range"), decision("192.0.2.99")]
        wait_until(lambda: set(anchor.listed()) == {"2001:db8:7::/64"}, 20)
        assert status(anchor, LAN4, "/") == 200
    finally:
        bouncer.terminate()
        bouncer.wait()
        server.shutdown()
        print((tmp_path / "bouncer.log").read_text())
