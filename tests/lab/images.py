"""Container images for the lab: there is no registry, so they are packed from Debian roots.

Called by instance.py and the fixtures, as root. Each image is a cached root plus the files and the
configuration below, given to `docker import`. The names are those that our example files use,
so that the same file runs here and, with the real images, anywhere:

    python:3.11-slim-bookworm             Python, ip and ping; `services` and `probe` in PATH
    tecnativa/docker-socket-proxy:v0.4.2  haproxy, configured from the same variables
"""

import dataclasses
import hashlib
import io
import json
import tarfile

from . import roots
from .machine import HERE, LabError, locked, run

SERVICES = "python:3.11-slim-bookworm"
SOCKET_PROXY = "tecnativa/docker-socket-proxy:v0.4.2"

_BASE = ("base-files", "libc-bin", "dash", "coreutils", "grep", "sed", "procps", "iproute2")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


@dataclasses.dataclass(frozen=True)
class Image:
    root: roots.Root
    programs: dict  # path in the image -> text, mode 0755
    files: dict  # path in the image -> text, mode 0644
    changes: tuple  # Dockerfile lines, as docker-import(1) takes them


def services():
    programs = {f"usr/local/bin/{name}": (HERE / f"{name}.py").read_text(encoding="utf-8")
                for name in ("services", "probe")}
    root = roots.Root("services", "bookworm", (*_BASE, "python3", "iputils-ping"), "extract",
                      roots.EXCLUDED)
    return Image(root, programs, ACCOUNTS,
                 ("ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
                  'CMD ["python3"]'))


# What Tecnativa's docker-socket-proxy can allow: variable -> first part of the API path. A section
# is open when its variable is true; any method but GET and HEAD needs POST besides.
PROXY_SECTIONS = {
    "AUTH": "auth", "BUILD": "build", "COMMIT": "commit", "CONFIGS": "configs",
    "CONTAINERS": "containers", "DISTRIBUTION": "distribution", "EVENTS": "events", "EXEC": "exec",
    "GRPC": "grpc", "IMAGES": "images", "INFO": "info", "NETWORKS": "networks", "NODES": "nodes",
    "PING": "_ping", "PLUGINS": "plugins", "SECRETS": "secrets", "SERVICES": "services",
    "SESSION": "session", "SWARM": "swarm", "SYSTEM": "system", "TASKS": "tasks",
    "VERSION": "version", "VOLUMES": "volumes",
}
PROXY_ON_BY_DEFAULT = ("EVENTS", "PING", "VERSION")
# These three are checked after POST, like everything else: allowing them needs POST=1, too.
PROXY_ACTIONS = {"ALLOW_START": "start", "ALLOW_STOP": "stop", "ALLOW_RESTARTS": "(stop|restart|kill)"}


def socket_proxy_configuration():
    """haproxy's configuration with the behaviour of Tecnativa's image."""
    version = r"^(/v[\d\.]+)?(/\w+)?"
    paths = {variable: f"{version}/containers/[a-zA-Z0-9_.-]+/{action}"
             for variable, action in PROXY_ACTIONS.items()}
    paths |= {variable: f"{version}/{section}" for variable, section in PROXY_SECTIONS.items()}
    rules = "".join(f"    http-request allow if {{ path,url_dec -m reg -i {path} }} "
                    f"{{ env({variable}) -m bool }}\n" for variable, path in paths.items())
    return f"""\
global
    log stdout format raw daemon "${{LOG_LEVEL}}"
    maxconn 1000

defaults
    mode http
    log global
    option httplog
    option http-server-close
    timeout http-request 10s
    timeout connect 10s
    timeout client 10m
    timeout server 10m

backend docker
    server socket "${{SOCKET_PATH}}"

backend events
    server socket "${{SOCKET_PATH}}"
    timeout server 0

frontend api
    bind :::2375 v4v6
    http-request deny unless METH_GET || {{ env(POST) -m bool }}
{rules}    http-request deny
    use_backend events if {{ path,url_dec -m reg -i {version}/events }}
    default_backend docker
"""


def socket_proxy():
    off = (*PROXY_ACTIONS, *PROXY_SECTIONS, "POST")
    values = {name: int(name in PROXY_ON_BY_DEFAULT) for name in off}
    values |= {"LOG_LEVEL": "info", "SOCKET_PATH": "/var/run/docker.sock"}
    changes = [f"ENV {name}={value}" for name, value in values.items()]
    changes += ["EXPOSE 2375",
                'ENTRYPOINT ["/usr/sbin/haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy.cfg"]']
    root = roots.Root("socket-proxy", "bookworm", (*_BASE, "haproxy"), "extract", roots.EXCLUDED)
    return Image(root, {}, ACCOUNTS | {"usr/local/etc/haproxy.cfg": socket_proxy_configuration()},
                 tuple(changes))


IMAGES = {SERVICES: services, SOCKET_PROXY: socket_proxy}


def ensure(engine, name):
    """Import an image into an engine unless it is there; returns its name."""
    if name not in IMAGES:
        raise LabError(f"no image {name!r} can be made here: there are {', '.join(IMAGES)}")
    known = engine.api("GET", "/images/json")
    tags = {tag.removeprefix("docker.io/").removeprefix("library/")  # Podman writes them out
            for image in known for tag in image.get("RepoTags") or ()}
    if name not in tags:
        changes = [word for change in IMAGES[name]().changes for word in ("--change", change)]
        run([engine.paths.client, "import", *changes, archive(name), name])
    return name


def archive(name):
    """The image's files as one tar in the cache, made unless it is there: its root, then our own files."""
    image = IMAGES[name]()
    directory = roots.ensure(image.root)
    content = json.dumps([directory.name, image.programs, image.files], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:12]
    stem = f"image-{image.root.name}"
    path = roots.CACHE / f"{stem}-{key}.tar"
    with locked(roots.CACHE / f"{stem}.lock"):
        if path.exists():
            return path
        for outdated in roots.CACHE.glob(f"{stem}-*.tar*"):
            outdated.unlink()
        partial = path.with_name(f"{path.name}.partial")
        with tarfile.open(partial, "w") as target:
            target.add(directory, arcname=".")
            for file, text in image.programs.items():
                _add(target, file, text, 0o755)
            for file, text in image.files.items():
                _add(target, file, text, 0o644)
        partial.rename(path)
    return path


def _add(target, path, text, mode):
    data = text.encode()
    member = tarfile.TarInfo(f"./{path}")
    member.size = len(data)
    member.mode = mode
    target.addfile(member, io.BytesIO(data))
