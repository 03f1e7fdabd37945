"""Fixtures of the tests on a whole host: a booted Debian with Docker and our package, on the lab's LAN.

Used by every test in this directory, as root, with Debian's pytest. Options:

    --host bookworm --host trixie   Debian's release (default bookworm); may be repeated
    --lab NAME                      use this lab, boot it if needed, leave it up (one release only)
    --package FILE                  this package of the release, instead of building one

    --nightly                       also what is marked nightly

The host is one for the session, and so is the project `shop` on it; a test that needs it attached says so.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lab import beside, images  # noqa: E402
from lab.instance import Lab, remove_abandoned  # noqa: E402
from lab.machine import CHECKOUT, HERE, LabError, run, wait_until  # noqa: E402
from shop import SERVER_PORT, Shop, install  # noqa: E402

BUILD = CHECKOUT / "packaging" / "debian" / "build"


def pytest_addoption(parser):
    group = parser.getgroup("lab")
    group.addoption("--host", action="append", default=None, metavar="SUITE", help="bookworm or trixie; may be repeated")
    group.addoption("--lab", default=None, metavar="NAME", help="use the lab of this name and leave it up")
    group.addoption("--package", type=pathlib.Path, default=None, metavar="FILE",
                    help="this checkout's package, instead of building it")
    group.addoption("--nightly", action="store_true", help="also the tests that are marked nightly")


def pytest_configure(config):
    config.figures = []
    config.addinivalue_line("markers", "nightly: takes too long for each run; only with --nightly")


def pytest_terminal_summary(terminalreporter, config):
    if config.figures:
        terminalreporter.section("measured")
        for text in config.figures:
            terminalreporter.line(text)


def pytest_collection_modifyitems(config, items):
    """A host's tests go as they are written, since what one leaves the next finds."""
    if not config.getoption("--nightly"):
        nightly = [item for item in items if item.get_closest_marker("nightly")]
        items[:] = [item for item in items if item not in nightly]
        config.hook.pytest_deselected(items=nightly)
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
def newer_packages(package, tmp_path_factory):
    """The same as the next version, as an upgrade brings it, and as the one after it, whose halves speak another version."""
    place, made = tmp_path_factory.mktemp("newer"), []
    run(["dpkg-deb", "--raw-extract", package, place / "tree"])
    control, meeting = place / "tree/DEBIAN/control", place / "tree/usr/lib/anchord/meeting-version"
    for number in (1, 2):
        text, count = re.subn(r"(?m)^Version: .*$", r"\g<0>.1", control.read_text())
        assert count == 1
        control.write_text(text)
        if number == 2:
            meeting.write_text(f"{int(meeting.read_text()) + 1}\n")
        made.append(place / f"anchord_newer{number}.deb")
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", place / "tree", made[-1]])
    return made


@pytest.fixture(scope="session")
def lab(request, suite):
    """A lab whose engine is the Docker of a booted host; on its LAN a server that containers ask."""
    kept = request.config.getoption("--lab")
    remove_abandoned(f"host-{suite}")
    instance = Lab(kept or f"host-{suite}-{os.getpid()}", f"host-{suite}")
    try:
        instance.up()
        instance.image(images.SERVICES)
        log = instance.state / "lanhost2.log"
        server = instance.spawn("lanhost2", ["/usr/bin/python3", HERE / "services.py", "--name", "lanhost2", "--tcp", SERVER_PORT,
                                             "--udp", SERVER_PORT], log)
        wait_until(lambda: log.read_text().endswith("lanhost2 ready\n"), 10, "the server of the LAN")
        yield instance
        server.kill()
    finally:
        if not kept:
            instance.down()


@pytest.fixture(scope="session")
def installed(lab, package):
    """The lab, with the package installed."""
    install(lab, package)
    return lab


@pytest.fixture(scope="session")
def beside_it(request, suite, installed, package):
    """A second host on the same LAN, with the package installed."""
    instance = beside.Lab(f"{installed.name}-beside", f"host-{suite}", installed)
    try:
        instance.up()
        instance.image(images.SERVICES)
        install(instance, package)
        yield instance
    finally:
        if not request.config.getoption("--lab"):
            instance.down()


@pytest.fixture(scope="session")
def shop(installed):
    """A project that is up, with nothing attached."""
    instance = Shop(installed)
    instance.project.up()
    instance.detach()  # a kept lab's
    yield instance
    instance.discard()


@pytest.fixture
def attached(shop):
    """The same, on the LAN."""
    if not shop.is_active():
        shop.attach()
    return shop


@pytest.fixture
def figure(request):
    """figure(text): a measured value, shown at the end of the run."""
    return lambda text: request.config.figures.append(f"{request.node.name}: {text}")
