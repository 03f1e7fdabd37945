"""A Debian that has neither Docker nor anything that the package depends on (PKG-1): what a new user does, from the first command to a
client that is answered. Its apt has downloaded Debian's packages, since the lab has no mirror.
"""

import os
import time

import pytest

from lab import images
from lab.instance import Lab, remove_abandoned
from lab.machine import LabError, wait_until
from shop import Shop, copy_to_host


@pytest.fixture
def bare(suite):
    name = f"bare-{suite}"
    remove_abandoned(name)
    lab = Lab(f"{name}-{os.getpid()}", name)
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def docker_answers(lab):
    try:
        return lab.engine.api_text("GET", "/_ping") == "OK"
    except (FileNotFoundError, ConnectionError, LabError):
        return False


@pytest.mark.nightly
def test_pkg1_from_nothing(bare, package, figure):
    """PKG-1, HOST-11: two commands, with what Debian recommends beside."""
    assert bare.run_on_host("sh", "-c", "command -v docker ip nft dhcpcd anchord", check=False).stdout == ""
    started = time.monotonic()
    bare.run_on_host("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", copy_to_host(bare, package), "docker.io",
                     timeout=600)
    figure(f"apt took {time.monotonic() - started:.1f} s")
    wait_until(lambda: docker_answers(bare), 60, "Docker")
    bare.image(images.SERVICES)
    shop = Shop(bare)
    shop.project.up()
    started = time.monotonic()
    assert f"{shop.name} is on the LAN at {shop.addresses[0]}" in shop.attach()
    shop.wait_answered()
    figure(f"answered {time.monotonic() - started:.1f} s after `anchord attach` was typed")
    assert bare.run_on_host("systemctl", "--failed", "--no-legend", "--plain", "list-units", "anchord*").stdout == ""
