"""Docker over TLS with a real `dockerd --tlsverify` (SPEC 10: DOCKER_TLS_VERIFY, DOCKER_CERT_PATH). What goes wrong with
certificates is in tests/netns/test_watcher_tls.py."""

import pathlib
import tempfile

import pytest

from certificates import Authority
from direct import ANCHOR, FAMILIES, service
from lab.machine import wait_until

CONTROL, ENGINE, PORT = "10.28.0.0/24", "10.28.0.1", 2376  # the engine's end of the network that only the anchor is on


@pytest.fixture
def client_files(lab):
    """dockerd listens on TCP besides, for those who have a certificate of an authority's; the directory with that of the
    anchor, which the engine sees at the same path."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tls-", dir=lab.state))
    client = directory / "client"
    client.mkdir()
    authority = Authority(directory, "authority")
    # The image's TLS library compares names only.
    certificate, key = authority.sign("engine", f"IP:{ENGINE},DNS:{ENGINE}")
    for source, name in zip((authority.certificate, *authority.sign("anchor")), ("ca.pem", "cert.pem", "key.pem")):
        source.rename(client / name)
        (client / name).chmod(0o600)
    with lab.engine_stopped("--host", f"tcp://0.0.0.0:{PORT}", "--tlsverify", "--tlscacert", client / "ca.pem",
                            "--tlscert", certificate, "--tlskey", key):
        pass
    yield client
    with lab.engine_stopped():
        pass


def test_an_engine_that_asks_for_a_certificate_is_read_and_followed(client_files, direct):
    """Without the socket. No poll is due within the test, so changes come by events."""
    project = direct({"web": service("web", tcp="8080", expose="tcp/80:8080")}, proxy=False,
                     networks={"control": {"internal": True, "ipam": {"config": [{"subnet": CONTROL}]}}},
                     environment={"DOCKER_HOST": f"tcp://{ENGINE}:{PORT}", "DOCKER_TLS_VERIFY": "1",
                                  "DOCKER_CERT_PATH": "/tls", "ANCHORD_POLL_INTERVAL": "1h"},
                     anchor={"volumes": [f"{client_files}:/tls:ro"]}).up()
    for family in FAMILIES:
        project.wait_answer("tcp", 80, "web", family=family, deadline=20)
    assert project.wait_record("connected to Docker")["docker_host"] == f"tcp://{ENGINE}:{PORT}"
    plain = project.anchor.run(["curl", "--silent", f"http://{ENGINE}:{PORT}/_ping"], check=False)
    assert "HTTP request to an HTTPS server" in plain.stdout
    unknown = project.anchor.run(["curl", "--silent", "--insecure", f"https://{ENGINE}:{PORT}/_ping"], check=False)
    assert unknown.returncode != 0
    project.compose("stop", "web")
    wait_until(lambda: 80 not in project.elements(4, "tcp"), 5, "the entry of web to go")
    project.compose("start", "web")
    project.wait_answer("tcp", 80, "web", deadline=5)
    assert project.inspect(ANCHOR)["RestartCount"] == 0
