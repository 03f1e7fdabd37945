"""The command `tests/lab/lab`, for people. Runs as root; every subcommand takes --name.

    lab up && lab docker ps && lab shell lanhost1 && lab down
"""

import argparse
import os
import sys
import time

from . import images, instance, topology
from .machine import LabError

ALIASES = {"lan": "lanhost1"}


def up(lab, arguments):
    start = time.monotonic()
    lab.up(arguments.bridge_nf)
    if not arguments.no_images:
        for name in images.IMAGES:
            lab.image(name)
    print(f"up after {time.monotonic() - start:.1f} s")
    status(lab, arguments)


def fetch(lab, _arguments):
    start = time.monotonic()
    lab.fetch()
    print(f"everything that `lab up --engine {lab.engine.suite}` takes is there after {time.monotonic() - start:.1f} s")


def status(lab, _arguments):
    if not lab.is_up():
        traces = lab.traces()
        print(f"lab {lab.name}: not up" + "".join(f"\n  remains: {trace}" for trace in traces))
        return 3
    version = lab.engine.version()
    compose = lab.docker("compose", "version", "--short").stdout.strip()
    print(f"lab {lab.name}: Docker Engine {version['engine']} (API {version['api']}, "
          f"{lab.engine.suite}), Compose {compose}, kernel {version['kernel']}")
    print(f"  bridge-nf-call-iptables, -ip6tables: {lab.bridge_filter()}")
    print(f"  DOCKER_HOST=unix://{lab.engine.paths.socket}")
    print(f"  client: {lab.engine.paths.client}   log: {lab.engine.paths.log}")
    for box in topology.BOXES:
        print(f"  {box:9} {' '.join(lab.host(box).addresses)}")
    listing = lab.docker("ps", "--format", "{{.Names}}\t{{.Image}}\t{{.Status}}").stdout
    print(listing, end="")
    return 0


def down(lab, _arguments):
    start = time.monotonic()
    lab.down()
    print(f"lab {lab.name}: down after {time.monotonic() - start:.1f} s")


def list_labs(_lab, _arguments):
    for name in instance.existing():
        print(name, "up" if instance.Lab(name).is_up() else "not up")


def enter(lab, arguments):
    """Replace this process by a program on a box of the lab."""
    box = ALIASES.get(arguments.box, arguments.box)
    command = arguments.command or ["bash"]
    if box == "engine":
        line = lab.enter_engine_command(command)
    else:
        line = lab.host(box).enter_command(command)
    os.environ["debian_chroot"] = f"{lab.name}:{box}"  # bash shows it in the prompt
    os.execvp(line[0], line)


def docker(lab, arguments):
    client = lab.engine.paths.client
    if not client.exists():
        raise LabError(f"lab {lab.name} is not up")
    words = ["compose"] if arguments.action == "compose" else []
    os.execv(client, [str(client), *words, *arguments.command])


def parse():
    parser = argparse.ArgumentParser(prog="lab", description="A Docker Engine and a LAN in namespaces.",
                                     epilog="Boxes: engine, " + ", ".join(topology.BOXES[:3])
                                     + ", " + ", ".join(topology.LAN_HOSTS) + "; lan = lanhost1.")
    parser.add_argument("--name", default=os.environ.get("ANCHORD_LAB", "default"),
                        help="which lab (default: $ANCHORD_LAB or 'default')")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = actions.add_parser("up", help="bring the lab up; nothing happens when it is")
    action.add_argument("--engine", choices=sorted(instance.ENGINES),
                        help="Debian suite whose Docker Engine runs (bookworm is 20.10), or podman; default forky")
    action.add_argument("--bridge-nf", type=int, choices=(0, 1),
                        help="net.bridge.bridge-nf-call-iptables and -ip6tables of the engine; default 0")
    action.add_argument("--no-images", action="store_true", help="do not import the test images")
    action.set_defaults(run=up)
    action = actions.add_parser("fetch", help="only make what `up` would take from the cache; nothing is started")
    action.add_argument("--engine", choices=sorted(instance.ENGINES), help="as with up")
    action.set_defaults(run=fetch)
    action = actions.add_parser("status", help="what is there; exit 3 when it is not up")
    action.set_defaults(run=status)
    action = actions.add_parser("down", help="remove everything that belongs to the lab")
    action.set_defaults(run=down)
    action = actions.add_parser("list", help="the labs of which something is there")
    action.set_defaults(run=list_labs)
    for name, text in (("shell", "a shell on a box"), ("exec", "a command on a box")):
        action = actions.add_parser(name, help=text)
        action.add_argument("box", choices=(*topology.BOXES, *ALIASES))
        action.add_argument("command", nargs=argparse.REMAINDER)
        action.set_defaults(run=enter)
    for name, text in (("docker", "the docker client"), ("compose", "docker compose")):
        action = actions.add_parser(name, help=f"{text} on the lab's engine", add_help=False)
        action.set_defaults(run=docker, command=None)
    # --name is accepted behind the action as well, but not behind a foreign command line.
    for name in ("up", "status", "down"):
        actions.choices[name].add_argument("--name", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    arguments, foreign = parser.parse_known_args()
    if arguments.run is docker:
        # argparse would take a command line that begins with an option for its own.
        arguments.command = sys.argv[sys.argv.index(arguments.action) + 1:]
    elif foreign:
        parser.error(f"unknown argument {foreign[0]}")
    return arguments


def main():
    arguments = parse()
    try:
        if os.geteuid() != 0:
            raise LabError("must run as root: it makes namespaces")
        lab = instance.Lab(arguments.name, getattr(arguments, "engine", None))
        return arguments.run(lab, arguments) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone: `lab status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
