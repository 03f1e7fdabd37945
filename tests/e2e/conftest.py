"""Fixtures of the end-to-end tests: a lab per engine, and Compose projects in it.

Used by every test in this directory, as root, with Debian's pytest. Options:

    --engine forky --engine bookworm   engines to test with: also trixie, podman (default $ANCHORD_TEST_ENGINE,
                                       else forky)
    --bridge-nf 0 --bridge-nf 1        settings of bridge-nf-call-iptables (default 0)
    --lab NAME                         use this lab, bring it up if needed, leave it up
    --image FILE                       this archive of the image, which packaging/container/build --output wrote,
                                       instead of building one

A test that takes `lab` or `project` runs once per engine and setting. Those marked every_engine are
what the oldest supported engine is tested with, and the others in between, and Podman; not_on leaves one out that
cannot do what the test needs. docs/engines.md has the table.
"""

import itertools
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from direct import IMAGE, Direct  # noqa: E402
from leases import Leased  # noqa: E402
from lab import compose, images, segment  # noqa: E402
from lab.instance import Lab, remove_abandoned  # noqa: E402
from lab.machine import CHECKOUT, LabError  # noqa: E402

_segment_numbers = itertools.count(1)


def pytest_addoption(parser):
    group = parser.getgroup("lab")
    group.addoption("--engine", action="append", default=None, metavar="SUITE",
                    help="Debian suite of the engine (forky, trixie, bookworm), or podman; may be repeated")
    group.addoption("--bridge-nf", action="append", type=int, choices=(0, 1), default=None,
                    help="bridge-nf-call-iptables of the engine's namespace; may be repeated")
    group.addoption("--lab", default=None, metavar="NAME",
                    help="use the lab of this name and leave it up (one engine only)")
    group.addoption("--image", type=pathlib.Path, default=None, metavar="FILE",
                    help="an archive of this checkout's image, instead of building it")


def pytest_configure(config):
    config.addinivalue_line("markers", "every_engine: run with the oldest supported engine, too")
    config.addinivalue_line("markers", "not_on(engine, reason): what the test needs is not there on this engine")
    config.figures = []
    config.failures_seen = 0


def pytest_terminal_summary(terminalreporter, config):
    if config.figures:
        terminalreporter.section("measured")
        for figure in config.figures:
            terminalreporter.line(figure)


def pytest_generate_tests(metafunc):
    """One run per engine and setting, all settings of an engine together: it starts once."""
    if "engine_lab" not in metafunc.fixturenames:
        return
    default = os.environ.get("ANCHORD_TEST_ENGINE", "forky").split(",")
    engines = metafunc.config.getoption("--engine") or default
    if "bridge_filter" not in metafunc.fixturenames:
        metafunc.parametrize("engine_lab", engines, indirect=True, scope="session")
        return
    settings = metafunc.config.getoption("--bridge-nf") or [0]
    cases = [pytest.param(engine, setting, id=f"{engine}-bridge-nf-{setting}")
             for engine in engines for setting in settings]
    metafunc.parametrize("engine_lab,bridge_filter", cases, indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """A test that an engine cannot run is no test of that engine's, so it is not collected for it."""
    def is_possible(item):
        engine = item.callspec.params.get("engine_lab") if hasattr(item, "callspec") else None
        return all(mark.args[0] != engine for mark in item.iter_markers("not_on"))

    impossible = [item for item in items if not is_possible(item)]
    if impossible:
        config.hook.pytest_deselected(items=impossible)
        items[:] = [item for item in items if is_possible(item)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Let fixtures see at teardown whether the test failed."""
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture(scope="session")
def engine_lab(request):
    """A running lab with the engine of the parameter."""
    kept = request.config.getoption("--lab")
    remove_abandoned(f"test-{request.param}")
    lab = Lab(kept or f"test-{request.param}-{os.getpid()}", request.param)
    try:
        lab.up()
        lab.image(images.SERVICES)
        lab.image(images.SOCKET_PROXY)
        yield lab
    finally:
        if not kept:
            lab.down()


@pytest.fixture(scope="session")
def bridge_filter(request, engine_lab):
    """The value of bridge-nf-call-iptables and -ip6tables in the engine's namespace."""
    engine_lab.set_bridge_filter(request.param)
    return request.param


@pytest.fixture(scope="session")
def lab(engine_lab, bridge_filter):
    """The lab in the state that the parameters ask for, with the shared network `lan` on its LAN."""
    assert engine_lab.bridge_filter() == (bridge_filter, bridge_filter)
    compose.ensure_lan_network(engine_lab)
    return engine_lab


@pytest.fixture(scope="session")
def anchord_image(request, engine_lab):
    """The image of this checkout in the lab's engine; its name. Built, unless --image has it already."""
    archive = request.config.getoption("--image")
    if archive:
        engine_lab.docker("load", "--input", archive)
        engine_lab.docker("image", "inspect", IMAGE)  # it is called so
        return IMAGE
    build = CHECKOUT / "packaging" / "container" / "build"
    result = subprocess.run([build, "--tag", IMAGE], env=engine_lab.engine.environment(),
                            capture_output=True, text=True, timeout=1800, check=False)
    if result.returncode != 0:
        raise LabError(f"{build}: exit {result.returncode}:\n{(result.stdout + result.stderr)[-4000:]}")
    return IMAGE


@pytest.fixture
def project(request, lab):
    """A factory: project(definition, name=None, up=True, …) makes a Compose project (lab/compose.py) from a
    dictionary, a text or a Path, and brings it up. Torn down after the test; when the test failed, the
    logs of all its containers are part of the report."""
    made = []

    def factory(definition, *, name=None, up=True, **options):
        made.append(compose.Project(lab, definition, name=name or compose.unique_name(request.node.originalname),
                                    **options))
        if up:
            made[-1].up()
        return made[-1]

    yield factory
    failed = getattr(request.node, "failed", True)
    for instance in reversed(made):
        if failed:
            print(instance.all_logs())
        instance.discard()


@pytest.fixture(scope="module")
def segments(engine_lab):
    """A factory of LANs of their own (lab/segment.py). Ask for it before the projects that live there."""
    made = []

    def factory():
        # A kept lab may have remains of a run that was interrupted.
        number = next(number for number in _segment_numbers if not engine_lab.topology.path(f"router{number}").exists())
        made.append(segment.Segment(engine_lab, number))
        return made[-1].create()

    try:
        yield factory
    finally:
        for instance in reversed(made):
            instance.destroy()


@pytest.fixture
def live_restore(lab):
    """The engine lets its containers live when it ends."""
    with lab.engine_stopped("--live-restore"):
        pass
    yield
    with lab.engine_stopped():
        pass


@pytest.fixture
def figure(request):
    """figure(text): a measured value, shown at the end of the run."""
    return lambda text: request.config.figures.append(f"{request.node.name}: {text}")


def _direct_factory(request, lab, hint, kind=Direct):
    made = []

    def factory(services=None, **options):
        made.append(kind(lab, services, name=compose.unique_name(hint), **options))
        return made[-1]

    try:
        yield factory
    finally:
        for instance in reversed(made):
            if request.session.testsfailed > request.config.failures_seen:
                print(instance.all_logs())
            instance.discard()
        request.config.failures_seen = request.session.testsfailed


@pytest.fixture
def direct(request, lab, anchord_image):
    """A factory of Direct projects (direct.py), not yet up. Torn down after the test."""
    yield from _direct_factory(request, lab, request.node.originalname)


@pytest.fixture(scope="module")
def shared_direct(request, lab, anchord_image):
    """The same for a project that the tests of a module share."""
    yield from _direct_factory(request, lab, request.module.__name__)


@pytest.fixture(scope="module")
def leased(request, lab, anchord_image, segments):
    """A factory of projects with a leased address (leases.py) on segments, not yet up. Torn down after the module."""
    yield from _direct_factory(request, lab, request.module.__name__, Leased)


@pytest.fixture(params=(0, 1), ids=("bridges-unfiltered", "bridges-filtered"))
def each_bridge_filter(request, lab, bridge_filter):
    """Both values of bridge-nf-call-iptables and -ip6tables, one after the other, while things run."""
    lab.set_bridge_filter(request.param)
    yield request.param
    lab.set_bridge_filter(bridge_filter)
