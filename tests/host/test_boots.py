"""In whatever order a host brings things up (HOST-6, HOST-9): loss of power with Docker before and after anchord, Docker
restarted with and without live-restore. A container connects out as its first act, each 5 ms.
"""

import json

import pytest

from lab.machine import wait_until
from shop import sources, strays

UNIT, OWN_UNIT = "/lib/systemd/system/anchord-host@.service", "/etc/systemd/system/anchord-host@.service"


def test_host9_boots_again(attached, figure):
    """HOST-6, HOST-9: after a loss of power everything is answered without a hand, and no container has left with the host's
    address meanwhile."""
    with attached.lab.outside.capture() as seen:
        attached.lab.power_cycle()
        figure(f"answered {attached.wait_answered():.1f} s after Docker of the booted host")
        wait_until(lambda: set(attached.addresses) <= sources(seen), 30, "what leaves")
    assert not strays(seen)


@pytest.mark.nightly
def test_host9_boots_with_docker_before_anchord(attached, figure):
    """HOST-9: where somebody has turned the order round it is answered all the same; until the guard stands containers leave with
    the host's address (docs/host.md), and then no more."""
    attached.run("sh", "-c", f"sed 's/^Before=docker.service/After=docker.service\\nBefore=/' {UNIT} > {OWN_UNIT}")
    try:
        with attached.lab.outside.capture() as seen:
            attached.lab.power_cycle()
            assert "docker.service" in attached.show("After", attached.host_unit).split()
            figure(f"answered {attached.wait_answered():.1f} s after Docker of the booted host")
            wait_until(lambda: set(attached.addresses) <= sources(seen), 30, "what leaves")
        left = strays(seen)
        astray = [packet for packet in seen.packets if packet.source in left]
        figure(f"{len(astray)} packets astray until the guard stood")
        with attached.lab.outside.capture() as seen:
            wait_until(lambda: len(seen.packets) > 20, 30, "what leaves")
        assert not strays(seen)
    finally:
        attached.run("rm", OWN_UNIT)
        attached.run("systemctl", "daemon-reload")


@pytest.mark.parametrize("live", [True, pytest.param(False, marks=pytest.mark.nightly)], ids=("live-restore", "without live-restore"))
def test_host9_docker_is_restarted(attached, live, figure):
    """HOST-9: with live-restore the containers live on and no flow ends; without it they are answered again."""
    attached.run("sh", "-c", f"mkdir -p /etc/docker; echo '{json.dumps({'live-restore': live})}' > /etc/docker/daemon.json; "
                 "systemctl reload docker")
    wait_until(lambda: attached.lab.engine.api("GET", "/info")["LiveRestoreEnabled"] == live, 10, "Docker's setting")
    try:
        with attached.lab.outside.capture() as seen:
            if live:
                with attached.traffic() as longest:
                    attached.run("systemctl", "restart", "docker")
                figure(f"longest time without an answer {longest[0] * 1000:.0f} ms")
            else:
                attached.run("systemctl", "restart", "docker")
            figure(f"answered {attached.wait_answered():.1f} s after Docker")
            wait_until(lambda: set(attached.addresses) <= sources(seen), 30, "what leaves")
        assert not strays(seen)
    finally:
        attached.run("sh", "-c", "rm /etc/docker/daemon.json; systemctl reload docker")
