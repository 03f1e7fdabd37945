"""Fixtures of the tests on a whole host: a booted Debian with Docker and our package, on the lab's LAN.

Used by every test in this directory, as root, with Debian's pytest. Options:

    --host bookworm --host trixie   Debian's release (default bookworm); may be repeated
    --lab NAME                      use this lab, boot it if needed, leave it up (one release only)
    --package FILE                  this package of the release, instead of building one

The host is one for the session: what a test attaches it detaches.
"""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lab import images  # noqa: E402
from lab.instance import Lab, remove_abandoned  # noqa: E402
from lab.machine import CHECKOUT, LabError  # noqa: E402

BUILD = CHECKOUT / "packaging" / "debian" / "build"


def pytest_addoption(parser):
    group = parser.getgroup("lab")
    group.addoption("--host", action="append", default=None, metavar="SUITE", help="bookworm or trixie; may be repeated")
    group.addoption("--lab", default=None, metavar="NAME", help="use the lab of this name and leave it up")
    group.addoption("--package", type=pathlib.Path, default=None, metavar="FILE",
                    help="this checkout's package, instead of building it")


def pytest_configure(config):
    config.figures = []


def pytest_terminal_summary(terminalreporter, config):
    if config.figures:
        terminalreporter.section("measured")
        for text in config.figures:
            terminalreporter.line(text)


def pytest_collection_modifyitems(items):
    """A host's tests go as they are written, since what one leaves the next finds."""
    items.sort(key=lambda item: (item.callspec.params.get("suite", ""), item.path, item.function.__code__.co_firstlineno))


def pytest_generate_tests(metafunc):
    if "suite" in metafunc.fixturenames:
        metafunc.parametrize("suite", metafunc.config.getoption("--host") or ["bookworm"], scope="session")


@pytest.fixture(scope="session")
def package(request, suite, tmp_path_factory):
    """The package's file."""
    given = request.config.getoption("--package")
    if given:
        return given
    result = subprocess.run([BUILD, "--suite", suite, "--no-tests", "--output", tmp_path_factory.mktemp("package")],
                            capture_output=True, text=True, timeout=1800, check=False)
    if result.returncode != 0:
        raise LabError(f"{BUILD}: exit {result.returncode}:\n{(result.stdout + result.stderr)[-4000:]}")
    return pathlib.Path(result.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def lab(request, suite):
    """A lab whose engine is the Docker of a booted host."""
    kept = request.config.getoption("--lab")
    remove_abandoned(f"host-{suite}")
    instance = Lab(kept or f"host-{suite}-{os.getpid()}", f"host-{suite}")
    try:
        instance.up()
        instance.image(images.SERVICES)
        yield instance
    finally:
        if not kept:
            instance.down()


@pytest.fixture(scope="session")
def installed(lab, package):
    """The lab, with the package installed as a person would: apt takes what it depends on."""
    copy = lab.state / package.name
    copy.write_bytes(package.read_bytes())
    lab.run_on_host("apt-get", "install", "--yes", "--no-install-recommends", copy)
    return lab


@pytest.fixture
def figure(request):
    """figure(text): a measured value, shown at the end of the run."""
    return lambda text: request.config.figures.append(f"{request.node.name}: {text}")
