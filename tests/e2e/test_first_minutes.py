"""What a newcomer types and pastes, as it stands on the page: compose/one-file.yaml, on a LAN as people have it at home.

The LAN is the lab's, with 192.168.1.0/24 on it beside the lab's own networks; the host's interface there is called eth0.
"""

import pytest

from direct import IMAGE
from lab import compose
from lab.machine import CHECKOUT, run, wait_until

HOST, CLIENT, ROUTER = "192.168.1.10", "192.168.1.20", "192.168.1.1"
ADDRESS = "192.168.1.50"
PLUG = "home"  # the switch's end of eth0


@pytest.fixture(scope="module")
def home(engine_lab, anchord_image):
    """The lab, with that LAN, and without the lab's own network `lan`."""
    lan = engine_lab.topology
    if engine_lab.docker("network", "inspect", compose.LAN_NETWORK, check=False).returncode == 0:
        engine_lab.docker("network", "rm", compose.LAN_NETWORK)
    lan.connect("engine", "eth0", PLUG)
    lan.ip("engine", "link set eth0 addrgenmode none", "link set eth0 up", f"address add {HOST}/24 dev eth0")
    for box, address in (("lanhost1", CLIENT), ("router", ROUTER)):
        lan.ip(box, f"address add {address}/24 dev lan0")
    try:
        yield engine_lab
    finally:
        lan.ip("switch", f"link del {PLUG}")
        for box, address in (("lanhost1", CLIENT), ("router", ROUTER)):
            lan.ip(box, f"address del {address}/24 dev lan0")
        compose.ensure_lan_network(engine_lab)


def curl(lab, port=""):
    """From the client; None while there is no answer."""
    result = lab.lanhost1.run(["curl", "--silent", "--max-time", "1", f"http://{ADDRESS}{port}/"], check=False)
    return result.stdout if result.returncode == 0 else None


def leaves_as(lab, project, service):
    """The address that the server outside sees."""
    answer = project.probe(service, "tcp", lab.outside.ipv4, 80)
    return answer.split()[1] if answer.startswith("outside ") else answer


def test_one_file_is_pasted_and_answers(home):
    """USE-1: nothing made before it, nothing filled in; one address for both directions, the client's own in the service's log,
    the host's addresses untouched, and nothing left afterwards."""
    file = CHECKOUT / "compose" / "one-file.yaml"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 30
    networks = home.docker("network", "ls", "--quiet").stdout
    project = compose.Project(home, file, name="shop")
    try:
        project.up()
        wait_until(lambda: curl(home), 20, "an answer at the project's address")
        assert f'{CLIENT} - - ' in project.logs("web"), "the service does not see its client"
        assert leaves_as(home, project, "web") == ADDRESS
        assert home.lanhost1.probe("tcp", HOST, 80, timeout=1) == "refused", "the host answers for it"
        errors = [line for line in project.logs("network-anchor").splitlines() if '"ERROR"' in line or '"WARN"' in line]
        assert not errors, errors
        status = project.exec("network-anchor", "anchord", "status").stdout
        assert "shop  ready" in status and "Problems" not in status, status
        written = project.compose("config", "--format", "json").stdout
        doctor = run([home.engine.paths.client, "run", "--rm", "--interactive", "--network", "none", IMAGE, "doctor", "files"],
                     input_text=written, environment=home.engine.environment(), check=False)
        assert doctor.returncode == 0 and "nothing is wrong with them" in doctor.stdout, doctor
    finally:
        print(project.all_logs())
        project.down(timeout=0)
    assert home.docker("network", "ls", "--quiet").stdout == networks
