"""Compose projects of other people as they are shipped (third_party/), in the lab's images.

Used by the tests of `anchord wrap` and of attach.
"""

import json
import pathlib

from direct import IMAGE
from lab import compose, images
from lab.machine import run

THIRD_PARTY = pathlib.Path(__file__).resolve().parent / "third_party"


class ThirdParty(compose.Project):
    """A project of several files, the last of which may be an override."""

    def __init__(self, lab, name, definition, *overrides):
        super().__init__(lab, definition, name=compose.unique_name(name))
        self.files = [self.file, *overrides]

    def compose(self, *arguments, **options):
        names = [word for file in self.files for word in ("--file", file)]
        return run([self.lab.engine.paths.client, "compose", "--project-name", self.name, *names, "--profile", "*",
                    "--progress", "plain", *arguments],
                   environment=self.lab.engine.environment() | {"ANCHORD_IMAGE": IMAGE}, **options)

    def configuration(self):
        return self.compose("config", "--format", "json").stdout

    def wrap(self, *options, volume=None, text=None):
        """The CompletedProcess of `anchord wrap` on the project as it is."""
        mounts = ["--volume", f"{volume}:/override:ro"] if volume else []
        return run([self.lab.engine.paths.client, "run", "--rm", "--interactive", "--network", "none", "--read-only",
                    "--cap-drop", "ALL", *mounts, "--entrypoint", "anchord", IMAGE, "wrap", *options],
                   input_text=text or self.configuration(), environment=self.lab.engine.environment(), check=False)

    def add_file(self, name, text):
        directory = self.lab.state / "projects" / self.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
        self.files.append(directory / name)


def with_lab_images(project):
    """An override that puts echo services in the place of the project's own images: each listens on what it publishes,
    or shares its namespace with one that does."""
    services = {}
    for name, definition in json.loads(project.configuration())["services"].items():
        ports = {proto: ",".join(str(port["target"]) for port in definition.get("ports", [])
                                 if port["protocol"] == proto) for proto in ("tcp", "udp")}
        words = [word for proto, numbers in ports.items() if numbers for word in (f"--{proto}", numbers)]
        lines = [f"  {name}:", f"    image: {images.SERVICES}", "    stop_grace_period: 0s",
                 f"    command: {json.dumps(['services', '--name', name, *words])}", "    restart: 'no'"]
        lines += [f"    {key}: !reset null" for key in ("container_name", "user", "group_add", "devices", "volumes",
                                                        "healthcheck", "depends_on", "privileged", "dns") if key in definition]
        services[name] = "\n".join(lines)
    return "services:\n" + "\n".join(services.values()) + "\n"
