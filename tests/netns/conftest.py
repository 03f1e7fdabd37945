"""Fixtures of the namespace tests: real programs, root, network namespaces of their own."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
# `lab` is the package tests/lab: the helpers in lab/ here are modules of their own names, and no package.
sys.path[:0] = [str(HERE / "lab"), str(HERE.parent)]

import keeper_lab as keeper_lab_module  # noqa: E402
import netadmin_lab  # noqa: E402
import supervision as supervision_module  # noqa: E402
from lab import dhcpcd_versions  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--build", required=True, type=pathlib.Path, help="a build directory of this checkout, compiled")
    parser.addoption("--kills", type=int, default=5, metavar="N", help="how often test_crashes.py kills each process")
    parser.addoption("--dhcpcd", metavar="SUITE", help="the dhcpcd of this Debian suite instead of the machine's (trixie, forky)")
    parser.addoption("--seed", type=int, metavar="N", help="test_watcher_model.py: this history instead of its own ones")


@pytest.fixture(scope="session")
def build(request):
    assert os.geteuid() == 0, "these tests make network namespaces: run them as root"
    directory = request.config.getoption("--build").resolve()
    supervision_module.own_directory_of_workers(directory)
    return directory


@pytest.fixture
def supervision(build, request):
    # pytest's own directory is root's alone, and the workers' users must reach their sockets.
    scratch = pathlib.Path(tempfile.mkdtemp())
    scratch.chmod(0o755)
    lab = supervision_module.Supervision(build, scratch)
    if request.config.getoption("--dhcpcd"):
        lab.dhcpcd = scratch / "dhcpcd-of-another-suite"
        dhcpcd_versions.write_program(request.config.getoption("--dhcpcd"), lab.dhcpcd)
    yield lab
    lab.close()
    shutil.rmtree(scratch)


@pytest.fixture
def lab(build):
    made = netadmin_lab.Lab(build / "workers" / "netadmin" / "anchord-netadmin")
    yield made
    made.close()


@pytest.fixture
def keeper_lab(build):
    made = keeper_lab_module.KeeperLab(build)
    yield made
    made.close()
