"""The container images, anchord's and its holder's: what is in them, and that their two ways of being built make the same ones.

Run by tests/run as root, on a Debian 12 with mmdebstrap and buildah and a way to Debian's mirror; needs no
engine. packaging/container/build makes the image without a registry. The Dockerfile is built by buildah, on a
local debian:bookworm-slim that mmdebstrap makes, in the machine's network but with chroots for containers.
"""

import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile
import time

import jsonschema
import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CONTAINER = CHECKOUT / "packaging/container"
CACHE = pathlib.Path(os.environ.get("ANCHORD_BUILD_CACHE", "/var/cache/anchord-build"))
BASE_IMAGE = CACHE / "debian-bookworm-slim.tar"
SPDX_SCHEMA = CHECKOUT / "tests/e2e/third_party/spdx-2.3.schema.json"
# Dockerfile target -> arguments of packaging/container/build; the holder's image comes with each of them
TARGETS = {"anchord": [], "debug": ["--debug"], "hold": None}


@dataclasses.dataclass(frozen=True)
class Image:
    json: dict
    config: dict
    files: dict  # path -> File


@dataclasses.dataclass(frozen=True)
class File:
    type: bytes
    mode: int
    owner: tuple
    link: str
    digest: str


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, **options)


def manifest_of(archive, is_holder):
    """Of an archive with one image, or with anchord's and its holder's."""
    manifests = json.load(archive.extractfile("manifest.json"))
    manifest, = [one for one in manifests if len(manifests) == 1 or ("-hold:" in one["RepoTags"][0]) == is_holder]
    return manifest


def read_image(archive_path, is_holder=False):
    """Reads an archive in Docker's format; later layers replace files of earlier ones."""
    with tarfile.open(archive_path) as archive:
        manifest = manifest_of(archive, is_holder)
        whole = json.load(archive.extractfile(manifest["Config"]))
        files = {}
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                files.update((entry.name.rstrip("/"), read_file(layer, entry)) for entry in layer)
    return Image(whole, whole["config"], files)


def read_file(layer, entry):
    digest = hashlib.sha256(layer.extractfile(entry).read()).hexdigest() if entry.isreg() else ""
    return File(entry.type, stat.S_IMODE(entry.mode), (entry.uid, entry.gid), entry.linkname, digest)


def runtime_config(image):
    """What an engine reads when it starts a container; Docker writes an absent setting as an empty one."""
    settings = ("Entrypoint", "Cmd", "Env", "Labels", "StopSignal", "User", "Volumes", "ExposedPorts", "Healthcheck")
    config = {name: image.config.get(name) or None for name in settings}
    config["WorkingDir"] = image.config.get("WorkingDir") or "/"
    return config


class Buildah:
    """Buildah with images of its own, and the base image that the Dockerfile asks for."""

    def __init__(self, directory):
        self.command = ["buildah", "--storage-driver", "overlay",
                        "--root", directory / "images", "--runroot", directory / "run"]
        container = subprocess.run([*map(str, self.command), "from", "scratch"],
                                   check=True, capture_output=True, text=True).stdout.strip()
        self.run("add", "--quiet", container, base_image(), "/")
        self.run("commit", "--quiet", "--rm", container, "debian:bookworm-slim")

    def run(self, *arguments):
        run(*self.command, *arguments)

    def build(self, target, labels, archive):
        # --format docker: an OCI image knows no health check.
        self.run("build", "--format", "docker", "--isolation", "chroot", "--network", "host", "--layers", "--pull-never",
                 "--identity-label=false", "--target", target, "--tag", f"anchord:{target}",
                 "--build-arg", f"COMMIT={labels['anchord'].get('org.opencontainers.image.revision')}",
                 "--build-arg", f"VERSION={labels['anchord'].get('org.opencontainers.image.version')}",
                 "--build-arg", f"HOLD_VERSION={labels['hold'].get('org.opencontainers.image.version')}",
                 "--file", CONTAINER / "Dockerfile", CHECKOUT)
        self.run("push", "--quiet", f"anchord:{target}", f"docker-archive:{archive}")


def base_image():
    """What debian:bookworm-slim is to the Dockerfile. May be old: the Dockerfile upgrades it."""
    if not BASE_IMAGE.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = BASE_IMAGE.with_name(f"{BASE_IMAGE.stem}.{os.getpid()}.tar")
        try:
            run("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", unfinished)
            unfinished.rename(BASE_IMAGE)
        finally:
            unfinished.unlink(missing_ok=True)
    return BASE_IMAGE


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("image")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def built(request, directory):
    """Target -> the image that packaging/container/build makes, with today's packages; --image is the first of them."""
    images = {}
    for target, arguments in TARGETS.items():
        archive = directory / f"{target}.tar"
        if arguments is None:
            images[target] = read_image(directory / "anchord.tar", is_holder=True)
            continue
        if target == "anchord" and request.config.getoption("--image"):
            shutil.copyfile(request.config.getoption("--image"), archive)
        else:
            run(CONTAINER / "build", *arguments, "--upgrade", "--output", archive, "--contents", directory / f"{target}-contents")
        images[target] = read_image(archive)
    return images


@pytest.fixture(scope="module")
def from_dockerfile(directory, built):
    """Target -> the image that the Dockerfile makes of the same checkout."""
    buildah = Buildah(directory)
    images = {}
    for target in TARGETS:
        archive = directory / f"dockerfile-{target}.tar"
        buildah.build(target, {name: image.config["Labels"] for name, image in built.items()}, archive)
        images[target] = read_image(archive)
    return images


@pytest.mark.parametrize("target", TARGETS)
def test_dockerfile_and_build_make_the_same_files(built, from_dockerfile, target):
    ours, theirs = built[target].files, from_dockerfile[target].files
    assert sorted(ours) == sorted(theirs)
    assert {path: (ours[path], theirs[path]) for path in ours if ours[path] != theirs[path]} == {}


@pytest.mark.parametrize("target", TARGETS)
def test_dockerfile_and_build_make_the_same_configuration(built, from_dockerfile, target):
    assert runtime_config(built[target]) == runtime_config(from_dockerfile[target])


@pytest.fixture(scope="module")
def image_root(directory, built):
    """The image's files, laid out."""
    root = directory / "root"
    with tarfile.open(directory / "anchord.tar") as archive:
        manifest = manifest_of(archive, is_holder=False)
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][0])) as layer:
            layer.extractall(root)
    return root


def test_anchord_starts_from_the_image_and_names_its_commit(image_root, built):
    version = subprocess.run(["/usr/sbin/chroot", image_root, "/usr/bin/anchord", "version"], check=True, capture_output=True,
                             text=True, env={}).stdout
    assert built["anchord"].config["Labels"]["org.opencontainers.image.revision"] in version


def test_image_starts_init_as_its_entrypoint(built):
    entrypoint, = built["anchord"].config["Entrypoint"]
    assert built["anchord"].files[entrypoint.lstrip("/")].mode == 0o755


def test_image_holds_programs_libraries_and_licences_only(built):
    files = built["anchord"].files
    programs = {path for path, file in files.items() if file.mode & 0o111 and file.type == tarfile.REGTYPE}
    libraries = {path for path in files if ".so" in pathlib.PurePath(path).name}
    assert {"usr/bin/anchord", "usr/libexec/anchord/anchord-init",
            "usr/libexec/anchord/anchord-watcher", "usr/libexec/anchord/anchord-netadmin", "usr/libexec/anchord/anchord-way",
            "usr/libexec/anchord/anchord-exporter"} <= programs
    for path in programs - libraries:
        assert path in ("usr/bin/anchord", "usr/sbin/dhcpcd") or path.startswith("usr/libexec/anchord/")
    others = {path for path in set(files) - programs - libraries if files[path].type == tarfile.REGTYPE}
    for path in others:
        assert path.startswith(("usr/share/doc/", "usr/share/common-licenses/"))


def test_image_is_owned_by_root_and_writable_only_where_it_must_be(built):
    for path, file in built["anchord"].files.items():
        assert file.owner == (0, 0), path
        assert not file.mode & (stat.S_ISUID | stat.S_ISGID), path
        if file.type != tarfile.SYMTYPE:
            assert bool(file.mode & 0o022) == (path == "tmp"), path


def test_every_library_brings_its_licence(built):
    files = built["anchord"].files
    documented = {path.split("/")[3] for path in files if path.startswith("usr/share/doc/") and path.endswith("/copyright")}
    assert {"anchord", "dhcpcd-base", "libc6", "libcurl4", "libmbedcrypto7", "libnftnl11", "libmnl0"} <= documented


def test_dhcpcd_starts_from_the_image_without_its_hooks(image_root, built):
    """9.4 knows --noconfigure; its lease directory lies where a read-only root lets it write."""
    version = subprocess.run(["/usr/sbin/chroot", image_root, "/usr/sbin/dhcpcd", "--version"], check=True,
                             capture_output=True, text=True, env={}).stdout
    assert version.startswith("dhcpcd 9.4.1")
    files = built["anchord"].files
    assert (files["var/lib/dhcpcd"].type, files["var/lib/dhcpcd"].link) == (tarfile.SYMTYPE, "/run/anchord/dhcpcd")
    assert "etc/passwd" not in files  # a user dhcpcd would make it split into four processes
    assert not [path for path in files if "dhcpcd-hooks" in path or path == "etc/dhcpcd.conf"]


def test_image_is_small(directory, built, figure):
    layer_size = len(gzip.compress((directory / "anchord.tar").read_bytes(), 9))
    figure(f"{layer_size / 1e6:.2f} MB compressed, {len(built['anchord'].files)} files")
    assert layer_size < 4.5e6


def test_libcurl_is_the_small_one(built):
    """Debian's libcurl would bring OpenSSL, GnuTLS and Kerberos with it."""
    names = {pathlib.PurePath(path).name for path in built["anchord"].files}
    assert {"libcurl.so.4", "libmbedtls.so.14"} <= names
    assert not {name for name in names if name.startswith(("libcrypto.so", "libssl.so", "libgnutls", "libkrb5"))}


def test_keep2_the_holders_image_is_another_one_only_when_the_holder_is(built):
    """Its version, and the time of its files, stand beside the program; nothing in it names anchord's version or commit."""
    version, epoch = (CHECKOUT / "workers/hold/version").read_text(encoding="utf-8").split()
    image, anchord = built["hold"], built["anchord"].config["Labels"]
    assert image.config["Labels"]["org.opencontainers.image.version"] == version
    assert image.json["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    assert anchord["org.opencontainers.image.revision"] not in json.dumps(image.json)
    programs = {path for path, file in image.files.items() if file.mode & 0o111 and file.type == tarfile.REGTYPE}
    assert programs == {"usr/bin/anchord-hold"} and not [path for path in image.files if ".so" in path]
    assert {"usr/share/doc/libc6-dev/copyright", "usr/share/doc/anchord/copyright"} <= set(image.files)


def test_use3_every_file_of_the_image_has_a_package_in_its_list(directory, built):
    """Of the debug image, which has more of others' in it than the one that is released; SPDX's own schema judges the form."""
    output = directory / "debug.spdx.json"
    run(CHECKOUT / "packaging/sbom", "--contents", directory / "debug-contents", "--date", "1700000000", "--output", output, directory / "debug.tar")
    document = json.loads(output.read_text(encoding="utf-8"))
    jsonschema.validate(document, json.loads(SPDX_SCHEMA.read_text(encoding="utf-8")))
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    paths = {file["SPDXID"]: file["fileName"].removeprefix("./") for file in document["files"]}
    owners = {paths[one["relatedSpdxElement"]]: names[one["spdxElementId"]] for one in document["relationships"]
              if one["relatedSpdxElement"] in paths and one["spdxElementId"].startswith("SPDXRef-anchord-")}
    assert set(owners) == {path for path, file in built["debug"].files.items() if file.type == tarfile.REGTYPE}
    ours = ("usr/bin/anchord", "usr/libexec/anchord/", "usr/share/doc/anchord/", "etc/")
    assert {path for path, name in owners.items() if name == "anchord"} == {path for path in owners if path.startswith(ours)}


def release_version(checkout):
    return subprocess.run([checkout / "packaging/release", "--print-version"], check=False, capture_output=True, text=True)


def test_use3_the_tag_decides_a_releases_version(directory):
    """What has none says from which commit it is, and what was changed says so."""
    checkout = directory / "checkout"
    (checkout / "packaging").mkdir(parents=True)
    shutil.copy(CHECKOUT / "packaging/release", checkout / "packaging")
    (checkout / "meson.build").write_text("project('anchord', 'c',\n  version: '1.2.3',\n)\n", encoding="utf-8")
    environment = {"GIT_COMMITTER_DATE": "2026-02-03T23:30:00+00:00", "PATH": os.environ["PATH"]}
    git = ["git", "-C", checkout, "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    run(*git, "init", "--quiet")
    run(*git, "add", ".")
    run(*git, "commit", "--quiet", "--message", "x", env=environment)
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert release_version(checkout).stdout == f"1.2.3~git20260203.{commit}\n"
    run(*git, "tag", "v1.2.3")
    assert release_version(checkout).stdout == "1.2.3\n"
    (checkout / "meson.build").write_text("project('anchord', 'c',\n  version: '1.2.3',\n)\n#\n", encoding="utf-8")
    assert release_version(checkout).stdout == f"1.2.3+git20260203.{commit}.dirty\n"
    run(*git, "checkout", "--quiet", "meson.build")
    run(*git, "tag", "--delete", "v1.2.3", stdout=subprocess.DEVNULL)
    run(*git, "tag", "v1.2.4")
    refused = release_version(checkout)
    assert refused.returncode == 1 and "v1.2.4" in refused.stderr and "1.2.3" in refused.stderr
