#!/usr/bin/python3
"""Runs the health checks of Podman's containers, once a second each: podman_health.py SOCKET

Podman leaves that to timers of systemd, which the lab has not. Started by podman.py, as root, in the lab's control
group, and ended with it; a service that is away is asked again.
"""

import contextlib
import http.client
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lab.engine import UnixConnection  # noqa: E402

PERIOD_SECONDS = 1
TIMEOUT_SECONDS = 20
STATES = ("starting", "healthy", "unhealthy")  # of a container with a health check
LIBPOD = "/v5.0.0/libpod/containers"


def ask(socket, path):
    """The decoded answer, None when the service refuses: the container has ended meanwhile, or is paused."""
    connection = UnixConnection(socket, TIMEOUT_SECONDS)
    try:
        connection.request("GET", LIBPOD + path)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    return json.loads(answer) if response.status == 200 else None


def check_all(socket):
    for container in ask(socket, "/json") or ():
        if container["State"] == "running" and container["Status"] in STATES:
            ask(socket, f"/{container['Id']}/healthcheck")


def main(socket):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    while not signal.sigtimedwait({signal.SIGTERM}, PERIOD_SECONDS):
        with contextlib.suppress(OSError, http.client.HTTPException):
            check_all(socket)


if __name__ == "__main__":
    main(sys.argv[1])
