"""The role wrap-rebinder (LIFE-6, LIFE-7) with real engines and the real Compose: what is lost without it, what it brings
back, and that nothing of a recreated container is another.
"""

import datetime
import json
import time
import types

import pytest

from lab import compose, images, pages
from lab.machine import wait_until
from wrapped import ADDRESSES, EXPOSED, OWNERS, REBINDER, SIDECAR, wait_one_machine, way_out

def messages(project, prefix, service=REBINDER):
    return [record for record in project.json_logs(service) if record["msg"].startswith(prefix)]


def wait_message(project, prefix, count=1, deadline=30):
    return wait_until(lambda: len(found := messages(project, prefix)) >= count and found[count - 1], deadline, f"{prefix!r}")


# --- the example, with what happened to it -------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pair(request, lab, anchord_image):
    """compose/example-wrap-rebinder.yaml as shipped, around the wrapped project as shipped."""
    (file, *overrides), _ = pages.compose_files(pages.command("compose/example-wrapped-project.yaml", "docker compose"))
    wrapped = compose.Project(lab, file, name="mailcow", overrides=overrides)
    (file, *overrides), _ = pages.compose_files(pages.command("compose/example-wrap-rebinder.yaml", "docker compose"))
    wrap = compose.Project(lab, file, name="mailcow-anchor", overrides=overrides)
    with compose.discarded_afterwards(request, wrapped, wrap):
        wrapped.up()
        wrap.up()
        yield types.SimpleNamespace(lab=lab, wrapped=wrapped, wrap=wrap)


def wait_back(pair, names):
    """Repaired, on a machine that has other things to do, too."""
    wait_one_machine(pair, names, deadline=60)


def identities(project, names):
    """Also of a project that is being repaired: once there is one container of each."""
    wait_until(lambda: all(len(project.containers(name)) == 1 for name in names), 20, f"one container of each of {names}")
    return {name: project.container(name) for name in names}


@pytest.mark.every_engine
def test_without_a_rebinder_a_recreated_backend_stays_lost(pair):
    """LIFE-6: what happens without us. A restart is no remedy: Docker has stored the ID."""
    wait_back(pair, OWNERS)
    pair.wrap.compose("stop", REBINDER)
    pair.wrapped.recreate("postfix")
    wait_until(lambda: pair.lab.lanhost1.probe("tcp", ADDRESSES[0], 25, timeout=1) == "timeout", 10, "nobody to answer")
    failed = pair.lab.docker("restart", pair.wrap.container("postfix-anchor"), check=False)
    assert failed.returncode and "No such container" in failed.stderr
    assert pair.lab.lanhost1.probe("tcp", ADDRESSES[0], 25, timeout=1) == "timeout"
    pair.wrap.compose("start", REBINDER)  # what happened while it was away is found at its start
    wait_back(pair, ("postfix",))


@pytest.mark.every_engine
def test_all_service_anchors_follow_a_recreated_project(pair, figure):
    """LIFE-6, the incident behind it: an update gives every container of the wrapped project a new ID."""
    wait_back(pair, OWNERS)
    anchors = [f"{name}-anchor" for name in OWNERS]
    old, old_anchors = identities(pair.wrapped, OWNERS), identities(pair.wrap, anchors)
    pair.wrapped.up("--force-recreate")
    started = time.monotonic()
    wait_back(pair, (*OWNERS, "managesieve"))
    figure(f"{len(EXPOSED)} ports of {len(anchors)} namespaces answer {time.monotonic() - started:.1f} s after "
           "`compose up --force-recreate` of the wrapped project returned")
    new, _ = identities(pair.wrapped, OWNERS), identities(pair.wrap, anchors)
    assert not set(old.values()) & set(new.values())
    assert pair.wrap.metric(REBINDER, 'anchord_rebinds_total{result="ok"}') >= len(anchors)
    assert pair.wrap.http(REBINDER, "/readyz") == "ready\n"
    pair.wrap.exec(REBINDER, "anchord", "healthcheck")
    for name in OWNERS:
        record = pair.wrap.inspect(f"{name}-anchor")
        assert record["HostConfig"]["NetworkMode"] == f"container:{new[name]}"
        assert record["Config"]["Labels"]["anchord.replaces"] == old_anchors[f"{name}-anchor"]
        assert record["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert len(pair.wrap.containers()) == len(json.loads(pair.wrap.compose("config", "--format", "json").stdout)["services"])


@pytest.mark.every_engine
def test_a_restarted_backend_is_joined_again(pair):
    """LIFE-6: same ID, another namespace. By the service-anchor itself (SA-6) or by the rebinder, whoever is faster."""
    wait_back(pair, OWNERS)
    pair.wrapped.compose("restart", "--timeout", "0", "nginx")
    wait_back(pair, ("nginx",))


@pytest.mark.every_engine
def test_compose_goes_on_with_what_was_recreated(pair):
    """LIFE-7: `up` finds nothing to do, `down` removes everything."""
    wait_back(pair, OWNERS)
    pair.wrapped.recreate("nginx")
    wait_back(pair, ("nginx",))
    before = identities(pair.wrap, ["nginx-anchor"])
    said = pair.wrap.compose("up", "--detach", "--pull", "never").stderr
    assert "Running" in said and "Recreate" not in said, said
    assert identities(pair.wrap, ["nginx-anchor"]) == before
    pair.wrap.down()
    assert not pair.wrap.containers()
    pair.wrap.up()
    wait_back(pair, OWNERS)
    assert way_out(pair, "nginx", 4) == ADDRESSES[0]


# --- everything that a container can have ----------------------------------------------------------------------------------

def rich_service(**more):
    return compose.echo_service(
        "rich", "--tcp", "81", depends_on=["target"], stop_grace_period="1s", stop_signal="SIGINT",
        labels={"some.label": "with \"quotes\", \\ and ü"}, environment={"A": "b c", "EMPTY": ""}, user="65534:65534",
        volumes=["named:/named", "/anonymous", "/etc:/host-etc:ro",
                 {"type": "volume", "target": "/anonymous-mount", "volume": {"nocopy": True}},
                 {"type": "tmpfs", "target": "/scratch", "tmpfs": {"size": 65536}}],
        healthcheck={"test": ["CMD", "true"], "interval": "5s", "timeout": "2s", "retries": 7},
        ulimits={"nofile": {"soft": 1000, "hard": 2000}}, devices=["/dev/null:/dev/nothing:r"], cap_add=["SYS_NICE"],
        cap_drop=["MKNOD"], sysctls={"kernel.msgmax": "16384"}, restart="on-failure:3", init=True, shm_size="128m",
        mem_limit="200m", pids_limit=100, cpu_shares=512, group_add=["24"], security_opt=["no-new-privileges:true"],
        read_only=True, working_dir="/tmp", tty=True, stdin_open=True, oom_score_adj=100, ipc="private",
        logging={"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}, **more)


def description(inspected):
    """What must be the same before and after: all of it, but for what is of one run or says which container it is."""
    config = {key: value for key, value in inspected["Config"].items() if key not in ("Hostname", "Labels")}
    config["Labels"] = {key: value for key, value in inspected["Config"]["Labels"].items() if key != "anchord.replaces"}
    host = {key: value for key, value in inspected["HostConfig"].items() if key not in ("NetworkMode", "Binds", "Mounts")}
    kept = {key: inspected[key] for key in ("Name", "Image", "Path", "Args", "Driver", "Platform", "AppArmorProfile",
                                            "MountLabel", "ProcessLabel") if key in inspected}
    mounts = sorted(inspected["Mounts"], key=lambda mount: mount["Destination"])
    return kept | {"Config": config, "HostConfig": host, "Mounts": mounts}


@pytest.mark.every_engine
def test_nothing_of_a_recreated_container_is_lost(lab, project, anchord_image):
    """LIFE-7: volumes anonymous and named, mounts, labels, limits, devices, health check, log options: golden."""
    made = project({"services": {"target": compose.echo_service("target", "--tcp", "80"),
                                 "rich": rich_service(), REBINDER: SIDECAR}, "volumes": {"named": {}}}, up=False)
    definition = json.loads(made.file.read_text())
    definition["services"]["rich"]["network_mode"] = f"container:{made.name}-target-1"
    definition["services"]["rich"]["labels"]["anchord.target"] = f"{made.name}-target-1"
    made.file.write_text(json.dumps(definition), encoding="utf-8")
    made.up()
    before = made.inspect("rich")
    for path in ("/named", "/anonymous", "/anonymous-mount"):
        lab.docker("exec", "--user", "0", before["Id"], "dd", "if=/etc/passwd", f"of={path}/kept", "status=none")
    wait_message(made, "connected to Docker")
    made.recreate("target")
    wait_message(made, "container recreated")
    after = made.inspect("rich")
    assert after["Id"] != before["Id"] and after["Config"]["Labels"]["anchord.replaces"] == before["Id"]
    assert after["HostConfig"]["NetworkMode"] == f"container:{made.container('target')}"
    assert description(after) == description(before)
    for path in ("/named", "/anonymous", "/anonymous-mount"):
        assert lab.docker("exec", after["Id"], "cat", f"{path}/kept").stdout
    made.recreate("target")  # and once more, from what we have made
    wait_message(made, "container recreated", 2)
    assert description(made.inspect("rich")) == description(before)
    said = made.compose("up", "--detach", "--pull", "never").stderr
    assert "Recreate" not in said, said


@pytest.mark.every_engine
def test_life7_what_refers_to_other_containers_is_resolved_or_left_alone(lab, project, anchord_image):
    """PID and IPC namespaces and volumes of the target, as Compose writes them; places with a slash at their end; and one
    that has the volumes of a container that is no more, which nothing is done to."""
    made = project({"services": {
        "target": compose.echo_service("target", "--tcp", "80", ipc="shareable", volumes=["/shared"]),
        "other": compose.echo_service("other", "--tcp", "80"), REBINDER: SIDECAR,
        "follows": compose.echo_service("follows", "--tcp", "81", network_mode="service:target", pid="service:target",
                                        ipc="service:target", volumes_from=["target:ro"], restart="unless-stopped",
                                        volumes=["data:/data/", "/anonymous/"]),  # it dies with its PID namespace
        "lost": compose.echo_service("lost", "--tcp", "82", network_mode="service:target", volumes_from=["other"])},
        "volumes": {"data": {}}})
    follows, lost, old = made.inspect("follows"), made.inspect("lost"), made.container("target")
    assert {follows["HostConfig"][part] for part in ("PidMode", "IpcMode")} == {f"container:{old}"}
    for path in ("/data", "/anonymous"):
        lab.docker("exec", follows["Id"], "dd", "if=/etc/passwd", f"of={path}/kept", "status=none")
    wait_message(made, "connected to Docker")
    lab.docker("rm", "--force", made.container("other"))
    made.recreate("target")
    line = wait_message(made, "container cannot be recreated as it is")
    assert line["container"] == lost["Name"][1:] and "its VolumesFrom names the container" in line["err"], line
    wait_message(made, "container recreated")
    after = made.inspect("follows")
    assert after["Id"] != follows["Id"] and after["State"]["Running"]
    assert {after["HostConfig"][part] for part in ("PidMode", "IpcMode")} == {f"container:{made.container('target')}"}
    for path in ("/data", "/anonymous"):
        assert lab.docker("exec", after["Id"], "cat", f"{path}/kept").stdout
    now = made.inspect("lost")
    assert (now["Id"], now["State"]["StartedAt"]) == (lost["Id"], lost["State"]["StartedAt"]) and now["State"]["Running"]


@pytest.mark.every_engine
def test_life7_one_that_ends_again_and_again_does_not_cost_the_old_one(lab, project, anchord_image):
    """What it needs stands in the old one's writable layer: the new one loops, which Docker calls running."""
    made = project({"services": {"target": compose.echo_service("target", "--tcp", "80"), REBINDER: SIDECAR}})
    needs_file = ["sh", "-c", "test -e /kept || { sleep 0.2; exit 1; }; exec services --name dependent"]
    lab.docker("create", "--name", f"{made.name}-dependent-1", "--network", f"container:{made.name}-target-1",
               "--restart", "unless-stopped", "--label", f"com.docker.compose.project={made.name}",
               "--label", "com.docker.compose.service=dependent", "--label", f"anchord.target={made.name}-target-1",
               images.SERVICES, *needs_file)
    lab.docker("cp", "/etc/hostname", f"{made.name}-dependent-1:/kept")
    lab.docker("start", f"{made.name}-dependent-1")
    before = made.inspect("dependent")["Id"]
    wait_message(made, "connected to Docker")
    made.recreate("target")
    line = wait_message(made, "container cannot be recreated, the old one is as it was")
    assert line["err"].startswith("verifying the new one: "), line
    lab.docker("rm", "--force", made.container(REBINDER))  # it tries again and again
    assert before in [found["Id"] for found in made.containers("dependent")]
    assert lab.docker("cp", f"{before}:/kept", "-").stdout


# --- a clock that was set back ---------------------------------------------------------------------------------------------

WATCHED_SECONDS = 15
FUTURE = "start times in the future prove nothing"


def put_start_into_the_future(lab, container):
    """Docker has on its disk that the container was started in an hour: what a clock leaves behind that was set back by one.
    The engine is away for it, its containers live on."""
    # Docker writes no zeros at the end.
    in_an_hour = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    future = in_an_hour.strftime("%Y-%m-%dT%H:%M:%S.123456Z")
    with lab.engine_stopped("--live-restore"):
        file, = lab.engine.paths.data.rglob(f"containers/{container}/config.v2.json")
        record = json.loads(file.read_text(encoding="utf-8"))
        record["State"]["StartedAt"] = future
        file.write_text(json.dumps(record), encoding="utf-8")
    state = lab.engine.inspect(container)["State"]
    assert state["Running"] and state["StartedAt"] == future


def test_life6_a_start_in_the_future_proves_nothing(lab, live_restore, project, anchord_image, figure):
    """The target was started later than anything that comes, and the container beside it lives. That is said, and nobody
    is restarted again and again. The target's next start is in the present, and heals as ever."""
    sidecar = SIDECAR | {"volumes": ["/var/run:/engine"], "environment": SIDECAR["environment"] | {
        "DOCKER_HOST": "unix:///engine/docker.sock", "ANCHORD_WRAP_POLL_INTERVAL": "1s"}}
    made = project({"services": {
        "target": compose.echo_service("target", "--tcp", "80"), REBINDER: sidecar,
        "dependent": compose.echo_service("dependent", "--tcp", "81", network_mode="service:target")}})
    made.compose("stop", REBINDER)  # who has seen how it was before is not fooled so easily
    put_start_into_the_future(lab, made.container("target"))
    starts = {made.inspect("dependent")["State"]["StartedAt"]}
    made.compose("start", REBINDER)
    began = wait_message(made, "connected to Docker") and time.monotonic()

    def watched():
        starts.add(made.inspect("dependent")["State"]["StartedAt"])
        return time.monotonic() - began > WATCHED_SECONDS

    wait_until(watched, WATCHED_SECONDS + 10, "the end of the time in which nothing happens")
    figure(f"{len(starts) - 1} restarts in {WATCHED_SECONDS} s")
    assert len(starts) == 1
    line = wait_message(made, FUTURE)
    assert (line["level"], line["container"]) == ("WARN", f"{made.name}-dependent-1") and len(messages(made, FUTURE)) == 1
    assert made.probe("target", "tcp", "127.0.0.1", 81).startswith("dependent ")
    doctor = made.exec(REBINDER, "anchord", "doctor", "stale-netns", check=False)
    assert doctor.returncode not in (0, 1) and "clock was set back" in doctor.stderr, doctor
    made.compose("restart", "--timeout", "0", "target")
    wait_until(lambda: made.probe("target", "tcp", "127.0.0.1", 81, timeout=1).startswith("dependent "), 30,
               "the dependent beside the target that was restarted")


def test_without_permission_to_write_it_says_so(lab, project, anchord_image):
    """LIFE-6, SPEC 11: a proxy with POST=0. Named with the remedy; nothing is half-done."""
    proxy = {"image": images.SOCKET_PROXY, "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"],
             "environment": {"CONTAINERS": 1, "EVENTS": 1, "VERSION": 1, "POST": 0}}
    sidecar = {key: value for key, value in SIDECAR.items() if key != "volumes"} | {"depends_on": ["proxy"]}
    sidecar["environment"] = sidecar["environment"] | {"DOCKER_HOST": "tcp://proxy:2375"}
    made = project({"services": {
        "target": compose.echo_service("target", "--tcp", "80"), "proxy": proxy, REBINDER: sidecar,
        "dependent": compose.echo_service("dependent", network_mode="service:target")}})
    wait_message(made, "connected to Docker")
    made.recreate("target")
    line = wait_message(made, "container cannot be recreated")
    assert "denied by the socket proxy (403): allow CONTAINERS=1 and POST=1" in line["err"]
    assert made.state("dependent") == "running" and len(made.containers()) == 4


def changed_values(before, after):
    """An engine that has read its containers from its disk says null where it said that there is nothing."""
    return {key: (before.get(key), after.get(key)) for key in before.keys() | after.keys()
            if (before.get(key) or None) != (after.get(key) or None)}


@pytest.mark.every_engine
def test_docker_that_restarts_in_the_middle_finds_one_whole_container(lab, project, anchord_image, figure):
    """LIFE-7: while the old one is being stopped. Afterwards the rebinder is a new one, which waits: the recreation could be
    another one's."""
    sidecar = SIDECAR | {"restart": "unless-stopped", "environment": SIDECAR["environment"] | {"ANCHORD_WRAP_RESTART_TIMEOUT": "4s"}}
    made = project({"services": {
        "target": compose.echo_service("target", "--tcp", "80", restart="unless-stopped"), REBINDER: sidecar,
        "dependent": compose.echo_service("dependent", "--tcp", "81", network_mode="service:target", volumes=["/kept"],
                                          restart="unless-stopped", entrypoint=["sh", "-c", "trap '' TERM; \"$@\"", "sh"])}})
    before, volumes = made.inspect("dependent"), lab.docker("volume", "ls", "--quiet").stdout
    wait_message(made, "connected to Docker")
    made.recreate("target")
    wait_until(lambda: len(made.containers("dependent")) == 2, 10, "the middle of the recreation")
    with lab.engine_stopped():
        pass
    started = time.monotonic()
    wait_until(lambda: len(made.containers("dependent")) == 1 and made.state("dependent") == "running", 90, "one container")
    wait_until(lambda: made.probe("target", "tcp", "127.0.0.1", 81).startswith("dependent "), 10, "it lives beside its target")
    figure(f"one whole container {time.monotonic() - started:.1f} s after the engine answered again")
    after = made.inspect("dependent")
    assert after["Config"]["Labels"]["anchord.replaces"] == before["Id"]
    assert after["HostConfig"]["NetworkMode"] == f"container:{made.container('target')}"
    assert not changed_values(description(before)["HostConfig"], description(after)["HostConfig"])
    assert not changed_values(description(before)["Config"], description(after)["Config"])
    assert lab.docker("volume", "ls", "--quiet").stdout == volumes
