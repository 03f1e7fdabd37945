"""anchord-watcher and Docker over TLS (SPEC 10): haproxy ends TLS before the fake engine, as a socket proxy does."""

import os
import pathlib
import socket
import subprocess

import pytest

import fake_docker
import messages
import watcher_lab
from certificates import Authority
from fake_docker import container

STATE = {("tcp", 80, 80): ("172.30.0.4", 80)}
PORT = 2376
REPOSITORY = pathlib.Path(__file__).parents[2]


class Terminator:
    """haproxy: TLS on 127.0.0.1:2376 of the lab's namespace, plain HTTP to the fake engine's socket behind."""

    def __init__(self, lab, *files):
        """files: certificate, key and the CA of clients; none: no TLS."""
        tls = ""
        if files:
            certificate, key, client_authority = files
            both = lab.scratch / "server.pem"
            both.write_bytes(certificate.read_bytes() + key.read_bytes())
            tls = f"ssl crt {both} ca-file {client_authority} verify required"
        configuration = lab.scratch / "haproxy.cfg"
        configuration.write_text(f"""
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen docker
    bind 127.0.0.1:{PORT} {tls}
    server engine unix@{lab.socket_path}
""")
        self.process = subprocess.Popen(["ip", "netns", "exec", lab.namespace, "haproxy", "-db", "-f", configuration],
                                        stdin=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    directory = tmp_path_factory.mktemp("authorities")
    return Authority(directory, "right"), Authority(directory, "wrong")


@pytest.fixture(scope="module", params=["debian", "image"])
def libraries(request):
    """Debian's libcurl, which speaks OpenSSL, and the container image's, which speaks mbedTLS."""
    if request.param == "debian":
        return {}
    done = subprocess.run([REPOSITORY / "packaging/container/build-library", "curl"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return {"LD_LIBRARY_PATH": done.stdout.strip()}


@pytest.fixture
def lab(build, libraries):
    lab = watcher_lab.WatcherLab(build, f"anchord-tls-{os.getpid()}")
    lab.environment = libraries
    lab.start_docker().put(container(1, "tcp/80"))
    resolv_conf = lab.scratch / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\noptions ndots:0\n")
    names = fake_docker.NameServer(lab.namespace, "127.0.0.1")
    yield lab
    names.close()
    lab.close()


def terminate(lab, *arguments):
    terminator = Terminator(lab, *arguments)
    lab.stack.callback(terminator.close)
    return terminator


def start(lab, ca, certificate, key, host="engine"):
    """A watcher with these credentials; its supervisor hands them over as descriptors."""
    def hand_over(watcher):
        for path, kind in ((ca, 1), (certificate, 2), (key, 3)):
            with open(path, "rb") as file:
                socket.send_fds(watcher.supervisor.own, [messages.docker_credential(kind)], [file.fileno()])
    return lab.start(lab.scratch / "resolv.conf", docker_host=f"tcp://{host}:{PORT}", before=hand_over)


def failure(watcher, text):
    """Waits until a refusal is said; before haproxy listens the connection fails otherwise."""
    with watcher.changed:
        assert watcher.changed.wait_for(lambda: any(text in line.get("err", "") for line in watcher.lines),
                                        watcher_lab.DEADLINE), watcher.lines[-3:]


def test_both_sides_prove_who_they_are(lab, authorities):
    right, _ = authorities
    terminate(lab, *right.sign("engine"), right.certificate)
    watcher = start(lab, right.certificate, *right.sign("client"))
    watcher.state(STATE)
    for directory in lab.environment.values():
        assert f"{directory}/libcurl.so.4" in pathlib.Path(f"/proc/{watcher.process.pid}/maps").read_text()
    lab.docker.start(container(2, "tcp/25"))
    watcher.state(STATE | {("tcp", 25, 25): ("172.30.0.5", 25)})


def test_an_engine_that_somebody_else_signed(lab, authorities):
    """Refused, with the way out; and tried again: the right one is taken when it comes."""
    right, wrong = authorities
    terminator = terminate(lab, *wrong.sign("engine"), right.certificate)
    watcher = start(lab, right.certificate, *right.sign("client"))
    failure(watcher, "ca.pem must hold the CA that signed Docker's certificate")
    terminator.close()
    terminate(lab, *right.sign("engine"), right.certificate)
    watcher.state(STATE)


def test_an_engine_of_another_name(lab, authorities):
    right, _ = authorities
    terminate(lab, *right.sign("engine", names="DNS:elsewhere"), right.certificate)
    failure(start(lab, right.certificate, *right.sign("client")), "name the host of DOCKER_HOST")


def test_an_address_instead_of_a_name(lab, authorities):
    """The image's TLS library compares no addresses: the certificate must name the address as a DNS name, too."""
    right, _ = authorities
    terminator = terminate(lab, *right.sign("engine", names="IP:127.0.0.1"), right.certificate)
    watcher = start(lab, right.certificate, *right.sign("client"), host="127.0.0.1")
    if lab.environment:
        failure(watcher, "name the host of DOCKER_HOST")
        terminator.close()
        terminate(lab, *right.sign("engine", names="IP:127.0.0.1, DNS:127.0.0.1"), right.certificate)
    watcher.state(STATE)


def test_an_engine_whose_certificate_has_run_out(lab, authorities):
    right, _ = authorities
    terminate(lab, *right.sign("engine", dates=("-days", "-1")), right.certificate)
    failure(start(lab, right.certificate, *right.sign("client")), "which must be valid now")


def test_an_engine_that_does_not_know_us(lab, authorities):
    right, wrong = authorities
    terminate(lab, *right.sign("engine"), right.certificate)
    failure(start(lab, right.certificate, *wrong.sign("client")), "signed by the CA that Docker trusts?")


def test_a_key_that_is_none(lab, authorities):
    right, _ = authorities
    terminate(lab, *right.sign("engine"), right.certificate)
    certificate, _ = right.sign("client")
    broken = lab.scratch / "key.pem"
    broken.write_text("no key\n")
    failure(start(lab, right.certificate, certificate, broken), "must be a PEM certificate and its key")


def test_an_engine_without_tls(lab, authorities):
    right, _ = authorities
    terminate(lab)
    failure(start(lab, right.certificate, *right.sign("client")), "is TLS spoken on that port")
