#!/usr/bin/python3
"""What a release says of itself (USE-3): the lists of what its files are made of, and the comparison of two builds.

Called by meson; runs packaging/sbom and packaging/compare on an archive and a package of a few bytes that it makes.
"""

import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPOCH = 1_700_000_000
MACHINE_READABLE = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: %s

Files: debian/*
License: GPL-3+
"""
# What the image of the test holds: path, content, and the line of --contents, if it is not our own.
FILES = {
    "usr/bin/anchord": (b"\x7fELF\0program", None),
    "usr/lib/libnice.so.1": (b"\x7fELF\0nice", "libnice1\t1:1.2+b1\tnice\t1:1.2\tamd64\tverbatim"),
    "usr/lib/libsmall.so.2": (b"\x7fELF\0small", "libsmall2\t2.0\tsmall\t2.0\tamd64\trebuilt"),
    "usr/share/doc/libnice1/copyright": (MACHINE_READABLE % b"Expat or GPL-2+", "libnice1\t1:1.2+b1\tnice\t1:1.2\tamd64\tverbatim"),
    "usr/share/doc/libsmall2/copyright": (MACHINE_READABLE % b"something-of-its-own", "libsmall2\t2.0\tsmall\t2.0\tamd64\tverbatim"),
}
LINKED = "usr/bin/anchord\theader-dev\t3\theader\t3\tall\tlinked"


def tar_of(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o755 if b"ELF" in content else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def archive_of(files):
    image = json.dumps({"architecture": "amd64", "config": {"Labels": {
        "org.opencontainers.image.title": "anchord", "org.opencontainers.image.version": "9.9",
        "org.opencontainers.image.licenses": "MIT"}}}).encode()
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    layer = tar_of(files)
    layer_name = f"{hashlib.sha256(layer).hexdigest()}/layer.tar"
    manifest = json.dumps([{"Config": name, "RepoTags": ["anchord:9.9"], "Layers": [layer_name]}]).encode()
    return gzip.compress(tar_of({layer_name: layer, name: image, "manifest.json": manifest}), mtime=0)


def run(program, *arguments):
    return subprocess.run([ROOT / "packaging" / program, *map(str, arguments)], capture_output=True, text=True, check=False)


def list_of(directory, artefact, *options):
    output = directory / "list.json"
    result = run("sbom", "--date", EPOCH, "--output", output, *options, artefact)
    assert result.returncode == 0, result.stderr
    return json.loads(output.read_text(encoding="utf-8"))


def make_image(directory):
    artefact, contents = directory / "image.tar.gz", directory / "contents"
    contents.mkdir()
    artefact.write_bytes(archive_of({path: content for path, (content, _) in FILES.items()}))
    lines = [f"{path}\t{rest}" for path, (_, rest) in FILES.items() if rest] + [LINKED]
    (contents / "anchord").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return artefact, contents


def test_each_file_of_an_image_belongs_to_one_package(directory):
    artefact, contents = make_image(directory)
    document = list_of(directory, artefact, "--contents", contents)
    assert document["spdxVersion"] == "SPDX-2.3" and document["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    by_id = {part["SPDXID"]: part for part in document["packages"] + document["files"]}
    assert len(by_id) == len(document["packages"]) + len(document["files"])
    related = [(one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"]) for one in document["relationships"]]
    assert {part for one in related for part in (one[0], one[2])} <= set(by_id) | {"SPDXRef-DOCUMENT"}
    owners = {by_id[other]["fileName"]: by_id[one]["name"] for one, kind, other in related if other in by_id and "fileName" in by_id[other]}
    assert owners == {"./" + path: rest.split("\t")[0] if rest else "anchord" for path, (_, rest) in FILES.items()}
    for file in document["files"]:
        sums = {one["algorithm"]: one["checksumValue"] for one in file["checksums"]}
        content = FILES[file["fileName"][2:]][0]
        assert sums == {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}
    archive, = [part for part in document["packages"] if part["name"] == artefact.name]
    assert archive["checksums"][0]["checksumValue"] == hashlib.sha256(artefact.read_bytes()).hexdigest()
    assert [(by_id[one]["name"], by_id[other]["name"]) for one, kind, other in related if kind == "STATIC_LINK"] == [("anchord", "header-dev")]


def test_versions_licences_and_the_code_of_a_package(directory):
    artefact, contents = make_image(directory)
    packages = {part["name"]: part for part in list_of(directory, artefact, "--contents", contents)["packages"]}
    nice, small = packages["libnice1"], packages["libsmall2"]
    assert (nice["versionInfo"], nice["licenseDeclared"]) == ("1:1.2+b1", "MIT OR GPL-2.0-or-later")
    assert nice["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/libnice1@1%3A1.2%2Bb1?arch=amd64&distro=bookworm"
    assert small["licenseDeclared"] == "NOASSERTION"
    assert small["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/small@2.0?arch=source&distro=bookworm"
    sums = sorted(hashlib.sha1(FILES[path][0]).hexdigest() for path in ("usr/lib/libnice.so.1", "usr/share/doc/libnice1/copyright"))
    assert nice["packageVerificationCode"]["packageVerificationCodeValue"] == hashlib.sha1("".join(sums).encode()).hexdigest()


def test_a_list_of_another_image_is_refused(directory):
    artefact, contents = make_image(directory)
    with open(contents / "anchord", "a", encoding="utf-8") as lines:
        lines.write("usr/lib/gone.so\tlibgone1\t1\tgone\t1\tamd64\tverbatim\n")
    result = run("sbom", "--date", EPOCH, "--output", directory / "list.json", "--contents", contents, artefact)
    assert result.returncode == 1 and "usr/lib/gone.so" in result.stderr, result.stderr


def test_a_package_and_what_it_depends_on(directory):
    tree = directory / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share/doc/anchord").mkdir(parents=True)
    (tree / "usr/share/doc/anchord/copyright").write_bytes(MACHINE_READABLE % b"MIT")
    (tree / "DEBIAN/control").write_text("Package: anchord\nVersion: 9.9\nArchitecture: arm64\nMaintainer: x <x@example.invalid>\n"
                                         "Depends: libc6 (>= 2.34), systemd | standalone\nDescription: x\n", encoding="utf-8")
    artefact = directory / "anchord_9.9_arm64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, artefact], check=True, capture_output=True)
    document = list_of(directory, artefact)
    package = document["packages"][0]
    assert (package["name"], package["versionInfo"], package["licenseDeclared"]) == ("anchord", "9.9", "MIT")
    assert [file["fileName"] for file in document["files"]] == ["./usr/share/doc/anchord/copyright"]
    assert {one["comment"] for one in document["relationships"] if one["relationshipType"] == "DEPENDS_ON"} == \
        {"libc6 (>= 2.34)", "systemd | standalone"}


def test_what_differs_is_found_in_an_archives_layer(directory):
    """Two builds of which one says when it was made: the file, the image's layer, the path in it, and the place."""
    for name, content in (("first", b"\x7fELF\0at 10:00"), ("second", b"\x7fELF\0at 10:01")):
        (directory / name).mkdir()
        (directory / name / "image.tar.gz").write_bytes(archive_of({"usr/bin/anchord": content, "etc/same": b"same"}))
        (directory / name / "SHA256SUMS").write_text("the same\n", encoding="utf-8")
    result = run("compare", directory / "first", directory / "second")
    assert result.returncode == 1
    assert "differs: image.tar.gz: digest-1/layer.tar: usr/bin/anchord: byte 12 of 13 and 13\n" in result.stdout, result.stdout
    assert "etc/same" not in result.stdout and "SHA256SUMS" not in result.stdout, result.stdout
    same = run("compare", directory / "first", directory / "first")
    assert (same.returncode, same.stdout) == (0, "")


def test_what_differs_is_found_in_a_mode_a_line_and_a_missing_file(directory):
    for name, mode, line in (("first", 0o755, "one"), ("second", 0o700, "two")):
        tree = directory / name
        (tree / "package/DEBIAN").mkdir(parents=True)
        (tree / "package/DEBIAN/control").write_text("Package: a\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.invalid>\n"
                                                     "Description: x\n", encoding="utf-8")
        program = tree / "package/program"
        program.write_bytes(b"the same")
        program.chmod(mode)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree / "package", tree / "a.deb"], check=True,
                       capture_output=True, env={"SOURCE_DATE_EPOCH": str(EPOCH), "PATH": "/usr/bin:/bin"})
        for path in (program, tree / "package/DEBIAN/control"):
            path.unlink()
        (tree / "package/DEBIAN").rmdir()
        (tree / "list").write_text(f"same\n{line}\n", encoding="utf-8")
        (tree / "long").write_text(f"{'x' * 500}{line}\n", encoding="utf-8")
    (directory / "second" / "more").write_bytes(b"")
    found = run("compare", directory / "first", directory / "second").stdout
    assert "differs: a.deb: data.tar.xz: ./program (type, mode, owner, time, link):" in found, found
    assert f"differs: long: line 1: '…{'x' * 60}one', '…{'x' * 60}two'\n" in found, found
    assert "differs: list: line 2: 'one', 'two'\n" in found and "differs: more: only in the second\n" in found, found


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            with tempfile.TemporaryDirectory() as directory:
                test(pathlib.Path(directory))
            print(name)


if __name__ == "__main__":
    sys.exit(main())
