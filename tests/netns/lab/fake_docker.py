"""A Docker API that answers what a test wants: lists, networks and events, and any misbehaviour.

Serves HTTP/1.1 with keep-alive on a unix socket, or on a TCP socket that the caller made. Speaks as much of the API
as anchord-watcher uses and checks that it is asked for no more.
"""

import contextlib
import ctypes
import json
import re
import socket
import struct
import threading
import time
import urllib.parse

DMZ_ID, TRANSIT_ID, BACKEND_ID = "d" * 64, "7" * 64, "b" * 64
OWN_ID = "a" * 64
EXTERNAL_MAC, SHARED_MAC, BACKEND_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"


def container_id(number):
    return f"{number:064x}"


def endpoint(network_id, address, mac="", address6=""):
    return {"NetworkID": network_id, "IPAddress": address, "GlobalIPv6Address": address6, "MacAddress": mac,
            "Gateway": "", "Aliases": None, "DNSNames": []}


def container(number, expose, address=None, created=1_700_000_000, name=None, project="mail", labels=None, address6=""):
    """A labelled backend on `transit`."""
    return {
        "Id": container_id(number), "Names": [f"/{name or f'backend-{number}'}"], "Image": "backend:1",
        "Command": "sleep infinity", "Created": created, "State": "running", "Status": "Up 3 seconds",
        "Ports": [], "Labels": {"com.docker.compose.project": project, "anchord.expose": expose,
                                "com.docker.compose.service": "backend", **(labels or {})},
        "HostConfig": {"NetworkMode": "transit"}, "Mounts": [],
        "NetworkSettings": {"Networks": {"transit": endpoint(
            TRANSIT_ID, address or f"172.30.{number // 250}.{number % 250 + 3}", "02:00:00:00:10:00", address6)}},
    }


def own_container(**networks):
    """The network-anchor itself; its host name says nothing about its ID. Its addresses are fixed unless they say."""
    networks = networks or {"dmz": endpoint(DMZ_ID, "192.0.2.10", EXTERNAL_MAC),
                            "transit": endpoint(TRANSIT_ID, "172.30.0.2", SHARED_MAC)}
    return {
        "Id": OWN_ID, "Names": ["/mail-anchord-1"], "Created": 1_700_000_000, "State": "running",
        "Labels": {"com.docker.compose.project": "mail"},
        "NetworkSettings": {"Networks": {name: {"IPAMConfig": {
            "IPv4Address": record["IPAddress"], "IPv6Address": record["GlobalIPv6Address"]}} | record
            for name, record in networks.items()}},
    }


def network(identity, name, driver, *configurations):
    return {"Name": name, "Id": identity, "Driver": driver, "Internal": False, "IPAM": {"Config": list(configurations)},
            "Containers": {}, "Options": {}, "Labels": {}}


class FakeDocker:
    def __init__(self, listener):
        self.lock = threading.RLock()
        self.containers = {}
        self.info = None  # of GET /info
        self.versions = {"Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24"}
        self.networks = {
            DMZ_ID: network(DMZ_ID, "dmz", "macvlan", {"Subnet": "192.0.2.0/24", "Gateway": "192.0.2.1"}),
            TRANSIT_ID: network(TRANSIT_ID, "transit", "bridge",
                                {"Subnet": "172.30.0.0/16", "Gateway": "172.30.255.254",
                                 "AuxiliaryAddresses": {"DefaultGatewayIPv4": "172.30.0.2"}},
                                {"Subnet": "fd30::/64", "Gateway": "fd30::1"}),
            BACKEND_ID: network(BACKEND_ID, "backend", "bridge", {"Subnet": "172.31.0.0/24"}),
        }
        self.requests = []
        self.history = []  # (time in nanoseconds, event, its bytes), for `since`
        self.streams = {}  # connection -> the filters that its reader asked for
        self.connections = set()
        self.misbehave = {}  # part of a path -> function(connection): answers in its own way
        self.attached_early = ()  # IDs of containers that start: on their networks, and not running yet
        self.only_inspected = ()  # members that lists lack: Podman's have no HostConfig
        self.put(own_container())
        self.listener = listener
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    @classmethod
    def on_unix_socket(cls, path):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        return cls(listener)

    def close(self):
        # A thread that is left behind in accept() could take the next listener's clients: the descriptor's number is free.
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            for connection in list(self.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it went by itself
                    pass
            self.streams.clear()

    # What happens in the engine.

    def put(self, record):
        with self.lock:
            listed = {key: value for key, value in record.items() if key not in self.only_inspected}
            self.containers[record["Id"]] = (record, json.dumps(listed).encode())

    def start(self, record):
        self.put(record)
        self.tell_endpoints("connect", record)
        self.event("container", "start", record)

    def stop(self, number):
        with self.lock:
            record, _ = self.containers.pop(container_id(number))
        self.tell_endpoints("disconnect", record)
        self.event("container", "die", record)

    def tell_endpoints(self, action, record):
        """As Docker does for each network of a container that starts or stops."""
        for details in record["NetworkSettings"]["Networks"].values():
            self.tell_endpoint(action, record, details["NetworkID"])

    def tell_endpoint(self, action, record, network_id):
        self.send_event({"Type": "network", "Action": action, "time": int(time.time()), "timeNano": time.time_ns(),
                         "Actor": {"ID": network_id, "Attributes": {"container": record["Id"], "name": "transit"}}})

    def connect(self, record, network_id=TRANSIT_ID, action="connect"):
        self.put(record)
        self.tell_endpoint(action, record, network_id)

    def event(self, kind, action, record):
        minor = int(self.versions["ApiVersion"].split(".")[1])
        old = {"status": action, "id": record["Id"]} if minor < 52 else {}  # gone from API 1.52 on
        self.send_event({**old, "Type": kind, "Action": action, "scope": "local",
                         "time": int(time.time()), "timeNano": time.time_ns(),
                         "Actor": {"ID": record["Id"],
                                   "Attributes": {**record["Labels"], "name": record["Names"][0][1:]}}})

    def send_event(self, event):
        with self.lock:
            self.history.append((time.time_ns(), event, json.dumps(event).encode() + b"\n"))
            self.send_raw_event(self.history[-1][2], event)

    def send_raw_event(self, body, event=None):
        """To everybody who asked for such events, as Docker's filters do; what is none, to everybody."""
        with self.lock:
            for stream, filters in list(self.streams.items()):
                if not is_wanted(event, filters):
                    continue
                try:
                    stream.sendall(b"%x\r\n%s\r\n" % (len(body), body))
                except OSError:  # its reader has gone
                    del self.streams[stream]

    # The API.

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            for method, path, body in requests(connection):
                self.answer(connection, method, path, body)
        except OSError:  # the client or the test ended it
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
                self.streams.pop(connection, None)
            connection.close()

    def answer(self, connection, method, path, body):
        assert method == "GET" and not body, method
        with self.lock:
            self.requests.append(path)
            handlers = [handler for part, handler in self.misbehave.items() if part in path]
        if handlers:
            handlers[0](connection)
            return
        parsed = urllib.parse.urlsplit(path)
        query = urllib.parse.parse_qs(parsed.query)
        filters = json.loads(query.get("filters", ["{}"])[0])
        version = re.match(r"/v1\.(\d+)/", parsed.path)
        resource = parsed.path[version.end() - 1:] if version else parsed.path
        if version and not self.speaks(int(version[1])):
            send(connection, 400, b'{"message":"client version 1.%s is not supported"}' % version[1].encode())
            return
        if parsed.path == "/version":
            send(connection, 200, json.dumps(self.versions).encode())
        elif resource == "/info" and self.info is not None:
            send(connection, 200, json.dumps(self.info).encode())
        elif resource == "/containers/json":
            send(connection, 200, self.list(filters))
        elif resource.startswith("/containers/") and resource.split("/")[2] in self.containers:
            record = self.containers[resource.split("/")[2]][0]
            send(connection, 200, json.dumps({
                "Id": record["Id"], "State": {"Status": record["State"], "Health": {"Status": record.get("Health", "none")}},
                "HostConfig": record.get("HostConfig"), "Config": {"Env": record.get("Env", [])}}).encode())
        elif resource == "/networks":
            with self.lock:
                found = [network for network in self.networks.values() if has_labels(network["Labels"], filters)]
            send(connection, 200, json.dumps(found).encode())
        elif resource.startswith("/networks/") and resource.removeprefix("/networks/") in self.networks:
            identity = resource.removeprefix("/networks/")
            send(connection, 200, json.dumps(self.networks[identity] | {"Containers": self.attached(identity)}).encode())
        elif resource == "/events":
            with self.lock:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n")
                seconds, _, nanoseconds = query["since"][0].partition(".")
                for moment, event, body in self.history:
                    if moment >= int(seconds) * 10**9 + int(nanoseconds) and is_wanted(event, filters):
                        connection.sendall(b"%x\r\n%s\r\n" % (len(body), body))
                self.streams[connection] = filters
        else:
            send(connection, 404, b'{"message":"page not found"}')

    def attached(self, network_id):
        """Who is on a network, as its inspection tells it: those that run."""
        with self.lock:
            return {record["Id"]: {"Name": record["Names"][0][1:], "EndpointID": "e" * 64, "MacAddress": details.get("MacAddress", ""),
                                   "IPv4Address": details["IPAddress"] and details["IPAddress"] + "/24",
                                   "IPv6Address": details.get("GlobalIPv6Address") and details["GlobalIPv6Address"] + "/64"}
                    for record, _ in self.containers.values()
                    if record["State"] in ("running", "paused") or record["Id"] in self.attached_early
                    for details in record["NetworkSettings"]["Networks"].values() if details["NetworkID"] == network_id}

    def speaks(self, minor):
        oldest, newest = (int(self.versions[key].split(".")[1]) for key in ("MinAPIVersion", "ApiVersion"))
        return oldest <= minor <= newest

    def list(self, filters):
        health = filters.get("health", [])
        with self.lock:
            identities = filters.get("id") or list(self.containers)
            found = [self.containers[identity] for identity in identities if identity in self.containers]
        return b"[" + b",".join(text for record, text in found if (
            not health or record.get("Health", "none") in health) and has_labels(record["Labels"], filters)) + b"]\n"


def has_labels(labels, filters):
    wanted = [label.partition("=") for label in filters.get("label", [])]
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in wanted)


def is_wanted(event, filters):
    """Docker's filters (daemon/events/filter.go): of the action what stands before its colon; labels are compared with the
    attributes of whatever the event is of; what is a network is told by the actor."""
    if not isinstance(event, dict) or not isinstance(event.get("Action"), str):
        return True
    actor = event.get("Actor") or {}
    return ((not filters.get("event") or event["Action"].partition(":")[0] in filters["event"]) and
            (not filters.get("type") or event.get("Type") in filters["type"]) and
            (not filters.get("network") or actor.get("ID") in filters["network"]) and
            (not filters.get("container") or actor.get("ID") in filters["container"]) and
            has_labels(actor.get("Attributes") or {}, filters))


def requests(connection):
    """Method, path and body of each request of a connection, until its end."""
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            received = connection.recv(65536)
            if not received:
                return
            buffer += received
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)}
        length = int(headers.get("content-length", 0))
        while len(buffer) < length:
            received = connection.recv(65536)
            if not received:
                return
            buffer += received
        body, buffer = buffer[:length], buffer[length:]
        assert not body or headers["content-type"] == "application/json", headers
        yield method, path, body


def send(connection, status, body, content_type="application/json"):
    connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
                       .encode() + body)


# Docker behind a name and a port.


def in_namespace(namespace, make):
    """What `make` returns, made in that network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = []

    def enter():
        with open(f"/run/netns/{namespace}", encoding="ascii") as handle:
            assert libc.setns(handle.fileno(), 0) == 0
        result.append(make())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return result[0]


def listen(address, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen()
    return listener


class NameServer:
    """Answers every A question with one address, AAAA with none, on 127.0.0.1:53 of the namespace."""

    def __init__(self, namespace, address="127.0.0.2"):
        self.address = address
        self.socket = in_namespace(namespace, self.bind)
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def bind():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        return server

    def serve(self):
        while True:
            try:
                question, client = self.socket.recvfrom(512)
            except OSError:  # closed
                return
            end = question.index(b"\0", 12) + 5
            is_a = question[end - 4:end - 2] == b"\0\1"
            answers = b""
            if is_a and self.address:
                answers = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton(self.address)
            code = 0x8180 if self.address else 0x8183
            self.socket.sendto(question[:2] + struct.pack(">5H", code, 1, 1 if answers else 0, 0, 0) +
                               question[12:end] + answers, client)

    def close(self):
        self.socket.close()
