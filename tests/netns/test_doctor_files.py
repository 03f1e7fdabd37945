"""`anchord doctor files` as a program (SEE-2): no Docker, exit statuses, what stands in the JSON, what is said of YAML."""

import json
import os
import pathlib
import subprocess

from supervision import wait_until

FILES = pathlib.Path(__file__).resolve().parent.parent / "unit" / "compose_files"
NOWHERE = {"DOCKER_HOST": "unix:///nonexistent"}


def files(build, text, *options):
    return subprocess.run([build / "workers/commands/doctor/anchord-doctor", "files", *options], input=text,
                          capture_output=True, text=True, env=NOWHERE, timeout=30)


def test_what_is_wrong_has_place_code_and_lines(build):
    text = (FILES / "bad" / "second-network.json").read_text()
    result = files(build, text, "--json")
    found = {row["code"]: row for row in json.loads(result.stdout)["results"]}
    assert result.returncode == 1 and set(found) == {"ANC0310", "ANC0703", "ANC0707"}
    assert found["ANC0310"]["object"] == "services.web.networks.transit" and found["ANC0310"]["verdict"] == "FAIL"
    assert found["ANC0707"]["verdict"] == "WARN"
    assert files(build, text, "--threshold", "fail", "--suppress", "ANC0310").returncode == 0


def test_several_files(build, tmp_path):
    """Each by its name: what is wrong, what is well, what cannot be read; from a pipe as a shell makes it."""
    long = tmp_path / ("x" * 60)
    long.mkdir()
    (long / "web.json").write_text((FILES / "bad" / "second-network.json").read_text())
    (tmp_path / "good.json").write_text((FILES / "good" / "example.json").read_text())
    (tmp_path / "yaml.yaml").write_text("services: {}\n")
    doctor = f"{build}/workers/commands/doctor/anchord-doctor"

    def look(words):
        done = subprocess.run(["bash", "-c", f"{doctor} files {words} --json"], cwd=tmp_path, env=NOWHERE | {"PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert not done.stderr, done
        return done.returncode, [(row["verdict"], row["object"]) for row in json.loads(done.stdout)["results"]]

    status, found = look(f"good.json {long.name}/web.json")
    assert status == 1 and found[0] == ("OK", "good.json")
    assert {object for _, object in found[1:]} >= {"…" + "x" * 39 + "/web.json: services.web.networks.transit"}, found
    assert look("good.json <(cat good.json)") == (0, [("OK", "good.json"), ("OK", "/dev/fd/63")])
    assert look("good.json nope.json yaml.yaml .") == (3, [("OK", "good.json"), *(("UNKNOWN", name) for name in ("nope.json", "yaml.yaml", "."))])


def test_what_is_left_out_was_looked_at(build):
    text = (FILES / "bad" / "managed.json").read_text()
    result = files(build, text, "--suppress", "ANC0742")
    assert files(build, text).returncode == 1 and result.returncode == 0 and "1 left out" in result.stdout, result


def test_what_is_well_is_said_to_be(build):
    result = files(build, (FILES / "good" / "example.json").read_text())
    assert result.returncode == 0 and "6 services, and nothing is wrong" in result.stdout


def test_what_is_no_finished_file_is_unknown(build):
    for text, words in (("services:\n  web: {}\n", "docker compose config --format json"), ("", "it is empty"),
                        ('{"name": "x", "services": {"a": {"ports": ["80:80"]}}}', "services.a.ports[0]")):
        result = files(build, text)
        assert result.returncode == 3 and "\nNothing could be looked at: " in result.stdout and words in result.stdout, (text, result)


def test_foreign_text_colours_no_terminal(build):
    result = files(build, json.dumps({"name": "x", "services": {"a": {"labels": {"anchord.\x1b[31m": "x\r\ny"}}}}))
    assert result.returncode == 1 and "\x1b" not in result.stdout and "\r" not in result.stdout


def test_who_reads_foreign_text_is_nobody(build):
    """SEE-2: the check's process is not root, who owns Docker's socket without any capability, and nobody can debug it."""
    command = [build / "workers/commands/doctor/anchord-doctor", "files"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=NOWHERE, text=True) as doctor:
        def nobodies():
            children = pathlib.Path(f"/proc/{doctor.pid}/task/{doctor.pid}/children").read_text().split()
            status = [dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
                      for pid in children]
            return [one for one in status if one["NoNewPrivs"] == "1" and one["Uid"].split() == ["65534"] * 4]

        try:
            (check,) = wait_until(nobodies, 10)
        finally:
            doctor.communicate((FILES / "good" / "example.json").read_text())
    assert doctor.returncode == 0 and os.geteuid() == 0
    assert check["Gid"].split() == ["65534"] * 4 and not check["Groups"].strip()
    assert {int(check[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}


def test_who_only_calls_himself_netadmin_is_no_anchor(build):
    """SEE-2: a user of the host has root ask nobody, by a process of that name."""
    program = "open('/proc/self/comm', 'w').write('anchord-netadmin'); print(flush=True); input()"
    decoy = subprocess.Popen(["unshare", "--net", "setpriv", "--reuid", "65534", "/usr/bin/python3", "-c", program],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with decoy:
        decoy.stdout.readline()
        done = subprocess.run([build / "workers/commands/doctor/anchord-doctor", "engine", "--json"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=NOWHERE, timeout=60)
        decoy.kill()
    assert f"process {decoy.pid}" not in json.loads(done.stdout)["anchors"]
