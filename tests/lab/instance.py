"""One lab: brings engine, LAN and outside server up, says what is there, takes it down.

Called by the command tests/lab/lab, by tests/e2e/conftest.py and by compose/quickstart, as root.
What belongs to the lab NAME is found by name alone, so `down` works after any crash:

    /run/anchord-lab/NAME              state.json, socket, logs, bin/docker
    /var/lib/anchord-lab/NAME          the engine's images and containers
    /run/netns/anchord-lab-NAME-*      network namespaces
    cgroup anchord-lab-NAME            every process
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal

from . import booted, engine, images, podman, topology
from .machine import (HERE, NAMED_NAMESPACES, LabError, Namespace, locked, mount_points_below, run,
                      wait_until)

STATE = pathlib.Path("/run/anchord-lab")
DATA = pathlib.Path("/var/lib/anchord-lab")
# Debian's Docker Engine by its suite, Podman, and whole hosts.
ENGINES = ({suite: engine.Engine for suite in engine.ROOTS} | {"podman": podman.Podman}
           | {suite: booted.Booted for suite in booted.ROOTS})
DEFAULT_SUITE = "forky"
OUTSIDE_PORT = 80  # TCP and UDP echo on the outside server, for what leaves the LAN
BRIDGE_FILTER = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


class Lab:
    """A lab by its name; the object holds no state that the machine does not hold, so several
    processes may have one for the same lab."""

    def __init__(self, name="default", suite=None):
        """suite: the engine to bring up; without it that of the lab that is there, else forky."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            raise LabError(f"lab name {name!r}: small letters, digits and dashes, at most 31")
        self.name = name
        self.state = STATE / name
        self.topology = topology.Topology(name)
        self._wanted_suite = suite
        self._use_engine(self._recorded("engine") or suite or DEFAULT_SUITE)

    def _use_engine(self, suite):
        if suite not in ENGINES:
            raise LabError(f"no engine {suite!r}: there are {', '.join(ENGINES)}")
        paths = engine.Paths(self.state, DATA / self.name)
        self.engine = ENGINES[suite](self.name, suite, paths)

    def __getattr__(self, name):
        """lab.lanhost1, lab.lanhost2, lab.router, lab.outside, lab.switch; the engine's network
        namespace is lab.host("engine")."""
        if name in topology.BOXES:
            return self.topology.host(name)
        raise AttributeError(name)

    def host(self, box):
        return self.topology.host(box)

    # --- state --------------------------------------------------------------------------------

    def _recorded(self, key):
        """A value of state.json, which is replaced as a whole; None when it is not there."""
        try:
            return json.loads((self.state / "state.json").read_text()).get(key)
        except FileNotFoundError:
            return None

    def _record(self, **values):
        self.state.mkdir(parents=True, exist_ok=True)
        partial = self.state / "state.json.partial"
        partial.write_text(json.dumps(values, indent=1) + "\n", encoding="ascii")
        partial.rename(self.state / "state.json")

    def daemon_pid(self):
        """PID of the running dockerd (in the machine's numbering), or None."""
        pid = self._recorded("daemon_pid")
        return pid if pid in self.engine.cgroup.processes() else None

    def is_up(self):
        return self.daemon_pid() is not None

    def traces(self):
        """What of this lab exists on the machine now; empty after down."""
        found = [f"namespace {path.name}" for path in self.topology.namespaces()]
        found += [f"process {pid}" for pid in sorted(self._processes())]
        found += [f"cgroup {path}" for path in self.engine.cgroup.directories()]
        for directory in (self.state, self.engine.paths.data):
            found += [f"mount {point}" for point in mount_points_below(directory)]
            found += [f"directory {directory}"] * directory.exists()
        return found

    def _processes(self):
        """The lab's processes: those in its control group and those in its namespaces."""
        pids = self.engine.cgroup.processes()
        for path in self.topology.namespaces():
            pids.update(map(int, run(["ip", "netns", "pids", path.name]).stdout.split()))
        return pids - {os.getpid()}

    # --- up and down --------------------------------------------------------------------------

    def up(self, bridge_filter=None):
        """Bring everything up; a running lab of the same engine is kept, remains are removed.
        bridge_filter: see set_bridge_filter; None is 0 for a new lab and no change for one that
        runs."""
        with self._lock():
            if not self.is_up():
                self._start(self._wanted_suite or self.engine.suite)
                self.set_bridge_filter(bridge_filter or 0)
                return
            if self._wanted_suite not in (None, self.engine.suite):
                raise LabError(f"lab {self.name} runs the engine of {self.engine.suite}: "
                               "take it down first")
            if bridge_filter is not None:
                self.set_bridge_filter(bridge_filter)

    def _start(self, suite):
        run([HERE / "requirements"], timeout=1200)
        self._destroy()
        self._use_engine(suite)
        self._record(engine=self.engine.suite)
        self.engine.write_client()
        self.topology.create()
        self._start_outside_server()
        daemon = self.engine.start(self.host("engine"))
        self._record(engine=self.engine.suite, daemon_pid=daemon.pid)

    @contextlib.contextmanager
    def engine_stopped(self, *options, number=signal.SIGTERM):
        """Meanwhile dockerd is not there, by a signal; then it is started again where it was, with
        further options. Its containers end or live on as it decides (live-restore)."""
        pid = self.daemon_pid()
        holder = self.engine.hold_root(pid)
        try:
            os.kill(pid, number)
            wait_until(lambda: has_ended(pid), engine.STOP_SECONDS, "the end of dockerd")
            yield
        finally:
            daemon = self.engine.start_in(holder, *options)
            self._record(engine=self.engine.suite, daemon_pid=daemon.pid)
            holder.kill()
            holder.wait()

    def reboot(self):
        """As after a power cut: every process of the engine and its containers is killed, /run is empty, and the engine is
        started again. Its links and rules stay, which a machine would have lost; so do the lab's servers, which are other
        machines'."""
        holder = self.engine.hold_root(self.daemon_pid())
        try:
            wait_until(lambda: not self._kill_all_but(holder.pid), engine.STOP_SECONDS, "the end of all processes")
            self.engine.clear_run(holder)
        finally:
            daemon = self.engine.start_in(holder)
            self._record(engine=self.engine.suite, daemon_pid=daemon.pid)
            holder.kill()
            holder.wait()

    def power_off(self):
        """A booted host loses its power; its disk stays."""
        self.engine.cut_power(self.daemon_pid(), self.host("engine"))

    def power_on(self):
        booted_again = self.engine.start(self.host("engine"))
        self._record(engine=self.engine.suite, daemon_pid=booted_again.pid)

    def power_cycle(self):
        self.power_off()
        self.power_on()

    def run_on_host(self, *command, **options):
        """Run a program on a booted host, as its root would."""
        return self.engine.run_in(self.daemon_pid(), command, **options)

    def _kill_all_but(self, kept):
        """Those that still ran."""
        found = {pid for pid in self.engine.cgroup.processes() if pid != kept and not has_ended(pid) and has_own_root(pid)}
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found

    def _start_outside_server(self):
        log_path = self.state / "outside.log"
        ports = ["--tcp", str(OUTSIDE_PORT), "--udp", str(OUTSIDE_PORT)]
        self.spawn("outside", ["/usr/bin/python3", HERE / "services.py", "--name", "outside", *ports],
                   log_path)
        wait_until(lambda: "outside ready" in log_path.read_text(), 10, f"outside server, {log_path}")

    def spawn(self, box, command, log_path):
        """Start a program in the background on a box of the lab; down ends it. Returns its Popen."""
        with open(log_path, "ab") as log:
            return self.engine.cgroup.start(self.host(box).enter_command(command), log)

    def down(self):
        with self._lock():
            self._destroy()
            (STATE / f"{self.name}.lock").unlink()
        for parent in (STATE, DATA):
            with contextlib.suppress(OSError):  # another lab's directory is in it
                parent.rmdir()

    def _destroy(self):
        for pid in self._processes() - self.engine.cgroup.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.engine.destroy()
        self.topology.destroy()
        for point in mount_points_below(self.state):
            run(["umount", point])
        if self.state.exists():
            shutil.rmtree(self.state)

    def _lock(self):
        return locked(STATE / f"{self.name}.lock")

    # --- settings and tools -------------------------------------------------------------------

    def set_bridge_filter(self, value):
        """Whether the engine's netfilter rules see what is switched inside its bridges. Per network
        namespace; a machine without br_netfilter behaves like 0."""
        engine_host = self.host("engine")
        if not pathlib.Path("/proc/sys/net/bridge").exists():
            if not value:
                return
            _load_bridge_filter()
        for name in BRIDGE_FILTER:
            engine_host.set_sysctl(name, int(value))

    def bridge_filter(self):
        """The setting in force, for IPv4 and IPv6."""
        if not pathlib.Path("/proc/sys/net/bridge").exists():
            return (0, 0)
        return tuple(int(self.host("engine").sysctl(name)) for name in BRIDGE_FILTER)

    def fetch(self):
        """Make the roots and the images' archives that are not in the cache; the lab need not be up."""
        self.engine.fetch()
        for name in images.IMAGES:
            images.archive(name)

    def image(self, name):
        return images.ensure(self.engine, name)

    def docker(self, *arguments, **options):
        return run([self.engine.paths.client, *arguments], **options)

    def container_namespace(self, container):
        """The network namespace of a running container, as a Host to act in."""
        details = self.engine.inspect(container)
        if not details["State"]["Running"]:
            raise LabError(f"container {container} is {details['State']['Status']}")
        return topology.Host(self.engine.processes_seen_by(self.daemon_pid()) / str(details["State"]["Pid"]) / "ns" / "net")

    def enter_engine_command(self, command):
        """The command line that runs a program in the engine's own root and network."""
        pid = self.daemon_pid()
        if pid is None:
            raise LabError(f"lab {self.name} is not up")
        return ["nsenter", f"--target={pid}", "--mount", "--net", "--", *map(str, command)]


def has_ended(pid):
    """Also when nobody has reaped it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def has_own_root(pid):
    """Of the engine and its containers: the lab's servers see the machine's files."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _load_bridge_filter():
    """Load br_netfilter without changing the machine: its own namespace starts to filter bridged
    frames at that moment, so it is set back at once."""
    run(["modprobe", "br_netfilter"])
    machine = Namespace("/proc/self/ns/net")
    for name in BRIDGE_FILTER:
        machine.set_sysctl(name, 0)


def existing():
    """Names of the labs that something is left of."""
    names = {path.name for parent in (STATE, DATA) for path in parent.glob("*") if path.is_dir()}
    for path in NAMED_NAMESPACES.glob(f"{topology.PREFIX}*"):
        names.add(path.name.removeprefix(topology.PREFIX).rpartition("-")[0])
    return sorted(names)


def remove_abandoned(prefix):
    """Take down the labs named PREFIX-PID whose process is gone: a test run that was killed."""
    for name in existing():
        start, _, pid = name.rpartition("-")
        if start == prefix and pid.isdigit() and not pathlib.Path(f"/proc/{pid}").exists():
            Lab(name).down()
