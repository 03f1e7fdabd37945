"""How the supervisor hands the files of DOCKER_CERT_PATH to the watcher (SPEC 10)."""

import pytest

NAMES = ("ca.pem", "cert.pem", "key.pem")


@pytest.fixture
def certificates(supervision, tmp_path):
    directory = tmp_path / "certificates"
    directory.mkdir()
    for name in NAMES:
        (directory / name).write_text("PEM\n")
        (directory / name).chmod(0o600)
    supervision.install_stand_ins(netadmin={"ready": False})
    return directory


def start(supervision, directory):
    return supervision.start(DOCKER_HOST="tcp://engine:2376", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(directory))


def test_three_descriptors_come_before_the_configuration(supervision, certificates):
    """Files of root, mode 0600: the watcher itself could not open them."""
    process = start(supervision, certificates)
    process.wait_for(stand_in="watcher", type="CONFIGURE_WATCHER")
    received = [(record["type"], record["descriptors"], record["body"][:2])
                for record in process.find(stand_in="watcher", event="message")]
    assert received[1:5] == [("DOCKER_CREDENTIAL", 1, "01"), ("DOCKER_CREDENTIAL", 1, "02"),
                             ("DOCKER_CREDENTIAL", 1, "03"), ("CONFIGURE_WATCHER", 0, "74")]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named_and_fatal(supervision, certificates, name):
    (certificates / name).unlink()
    process = start(supervision, certificates)
    assert process.wait() == 1
    record = process.wait_for(msg="a file of DOCKER_CERT_PATH cannot be opened")
    assert (record["path"], record["err"]) == (str(certificates / name), "No such file or directory")


def test_a_directory_in_place_of_a_file_is_named_with_mode_and_owner(supervision, certificates):
    (certificates / "key.pem").unlink()
    (certificates / "key.pem").mkdir(mode=0o755)
    process = start(supervision, certificates)
    assert process.wait() == 1
    record = process.wait_for(msg="a file of DOCKER_CERT_PATH cannot be used")
    assert (record["path"], record["mode"], record["owner"]) == (str(certificates / "key.pem"), "0755", 0)
