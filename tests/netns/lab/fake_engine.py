"""A Docker engine as far as the keeper can tell: containers that can be renamed, created, started, stopped and removed.

Serves the API by fake_docker's server; every answer comes from the state, and what real engines refuse (measured on
20.10 and 28.5) is refused here: a name that is taken, a container-mode container without its target, one that is created
with a host name. `barrier` lets a test stop the world before or after any call.
"""

import copy
import json
import time
import urllib.parse

import fake_docker
import fake_networks

EPOCH = 1_760_000_000


def reason(status, text):
    return status, {"message": text}


class FakeEngine(fake_networks.FakeNetworks, fake_docker.FakeDocker):
    def __init__(self, listener):
        self.records = {}  # ID -> inspection
        self.asked = []    # paths of every request for a container
        self.writes = []   # (method, path) of everything that was no GET
        self.barrier = None  # function(moment, method, path), moment "before" or "after"
        self.denied = ()   # methods and first parts of paths that a proxy denies
        self.broken = ()   # names of containers whose inspection fails
        self.refuses_new = False  # to start what replaces another one
        self.loops_new = None  # function(record): how Docker shows one that replaces another and ends again and again
        self.both_ran = []
        self.ticks = 0
        self.epoch = EPOCH  # of the engine's clock; may be set, as a clock may
        self.images = {"app:1": "sha256:" + "1" * 64}
        self.prepare_networks()
        super().__init__(listener)

    # What happens in the engine.

    def now(self):
        self.ticks += 1
        moment = self.epoch + self.ticks
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".5Z"

    def add(self, name, joined=None, project="mail", running=True, labels=None, policy="unless-stopped", command=(),
            networks=None, **host):
        """A container as `compose up` leaves it; returns its ID. `networks`: name -> options of its endpoint."""
        with self.lock:
            identity = fake_docker.container_id(len(self.writes) * 1000 + self.ticks + 0xabc000)
            self.records[identity] = {
                "Id": identity, "Name": "/" + name, "Image": self.images["app:1"], "Mounts": [],
                "Created": self.now(), "RestartCount": 0,
                "State": {"Status": "created", "Running": False, "Paused": False, "Restarting": False, "Error": "",
                          "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"},
                "NetworkSettings": {"Networks": {}},
                "Config": {"Hostname": identity[:12], "Image": "app:1", "Cmd": list(command), "Env": ["A=b"],
                           "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": name,
                                      "com.docker.compose.config-hash": "5eed", **(labels or {})}},
                "HostConfig": {"NetworkMode": f"container:{joined}" if joined else "transit", "AutoRemove": False,
                               "RestartPolicy": {"Name": policy, "MaximumRetryCount": 0}, "Binds": None, **host},
            }
            for network, options in (networks or {}).items():
                self.configure_endpoint(self.records[identity], network, **options)
            if running:
                self.run(self.records[identity])
            return identity

    def find(self, reference):
        for record in self.records.values():
            if record["Name"][1:] == reference or (len(reference) >= 12 and record["Id"].startswith(reference)):
                return record
        return None

    def named(self, name):
        """The only container of that name."""
        found = self.find(name)
        assert found, f"no {name} among {[record['Name'] for record in self.records.values()]}"
        return found

    def run(self, record):
        """Starts it; None, or the engine's answer why not."""
        refusal = self.activate_all(record)
        if refusal:
            return refusal
        record["State"] |= {"Status": "running", "Running": True, "StartedAt": self.now(), "Error": ""}
        running = [other["Name"] for other in self.records.values() if other["State"]["Running"]
                   and other["Config"]["Labels"] == record["Config"]["Labels"] and other is not record]
        replaced = record["Config"]["Labels"].get("anchord.replaces")
        if running or (replaced in self.records and self.records[replaced]["State"]["Running"]):
            self.both_ran.append(record["Name"])
        self.tell_endpoints("connect", record)
        self.tell("start", record)
        return None

    def halt(self, record, status="exited"):
        record["State"] |= {"Status": status, "Running": False}
        self.tell_endpoints("disconnect", record)
        self.tell("die", record)

    def tell(self, action, record):
        self.event("container", action, {"Id": record["Id"], "Names": [record["Name"]],
                                         "Labels": record["Config"]["Labels"]})

    def restart(self, name):
        with self.lock:
            record = self.named(name)
            self.halt(record)
            self.run(record)

    def recreate(self, name):
        """As `compose up --force-recreate`: another ID under the same name; returns it."""
        with self.lock:
            old = self.named(name)
            self.halt(old)
            del self.records[old["Id"]]
            self.tell("destroy", old)
            return self.add(name, project=old["Config"]["Labels"]["com.docker.compose.project"])

    def remove(self, name):
        with self.lock:
            record = self.named(name)
            del self.records[record["Id"]]
            self.tell("destroy", record)

    def of_project(self, project="mail"):
        with self.lock:
            return {record["Name"][1:]: copy.deepcopy(record) for record in self.records.values()
                    if record["Config"]["Labels"].get("com.docker.compose.project") == project}

    # The API.

    def answer(self, connection, method, path, body):
        parsed = urllib.parse.urlsplit(path)
        resource = parsed.path.removeprefix("/v1.51").removeprefix("/v1.41")
        if method == "GET" and not (resource.startswith("/containers/") and resource.endswith("/json")) \
                and not resource.startswith("/networks/"):
            super().answer(connection, method, path, body)
            return
        if method in self.denied or resource.split("/")[1] in self.denied:
            fake_docker.send(connection, 403, b"<html>", "text/html")
            return
        query = {key: values[0] for key, values in urllib.parse.parse_qs(parsed.query).items()}
        if self.barrier:
            self.barrier("before", method, resource)
        with self.lock:
            self.asked.append(resource)
            if method != "GET":
                self.writes.append((method, resource))
            status, answer = self.handle(method, resource, query, body)
        if self.barrier:
            self.barrier("after", method, resource)
        fake_docker.send(connection, status, json.dumps(answer).encode() if answer is not None else b"")

    def handle(self, method, resource, query, body):
        parts = resource.split("/")[2:]
        if resource.startswith("/networks/"):
            return self.handle_network(method, parts, json.loads(body or "{}"))
        if method == "GET" and parts == ["json"]:
            return 200, self.list_of(json.loads(query.get("filters", "{}")), query.get("all") == "true")
        if parts == ["create"]:
            return self.create(query["name"], json.loads(body))
        record = self.find(parts[0])
        if not record:
            return reason(404, f"No such container: {parts[0]}")
        if method == "DELETE":
            if record["State"]["Running"]:
                self.halt(record)
            del self.records[record["Id"]]
            self.tell("destroy", record)
            return 204, None
        return getattr(self, "on_" + parts[1])(record, query, body)

    def list_of(self, filters, in_any_state):
        wanted = [label.partition("=")[::2] for label in filters.get("label", [])]
        return [{"Id": record["Id"], "Names": [record["Name"]], "Created": EPOCH, "State": record["State"]["Status"],
                 "Labels": record["Config"]["Labels"],
                 "HostConfig": {"NetworkMode": record["HostConfig"]["NetworkMode"]}, "NetworkSettings": record["NetworkSettings"]}
                for record in self.records.values()
                if (in_any_state or record["State"]["Running"])
                and all(network in record["NetworkSettings"]["Networks"] for network in filters.get("network", []))
                and all(record["Config"]["Labels"].get(key) == value for key, value in wanted)]

    def create(self, name, body):
        if self.find(name):
            return reason(409, f"Conflict. The container name \"/{name}\" is already in use")
        host = body.pop("HostConfig")
        mode = host["NetworkMode"]
        for reference in host.get("VolumesFrom") or ():
            if not self.find(reference.split(":")[0]):
                return reason(404, f"No such container: {reference.split(':')[0]}")
        if mode.startswith("container:") and (body.get("Hostname") or body.get("ExposedPorts")):
            return reason(400, "conflicting options: hostname and the network mode")
        image = self.images.get(body["Image"], body["Image"] if body["Image"] in self.images.values() else None)
        if not image:
            return reason(404, f"No such image: {body['Image']}")
        target = self.find(mode.removeprefix("container:"))
        if target:  # Docker stores the ID
            host["NetworkMode"] = f"container:{target['Id']}"
        identity = fake_docker.container_id(0xdef000 + len(self.writes) * 1000 + self.ticks)
        self.records[identity] = {
            "Id": identity, "Name": "/" + name, "Image": image, "Mounts": [], "Created": self.now(), "RestartCount": 0,
            "State": {"Status": "created", "Running": False, "Paused": False, "Restarting": False, "Error": "",
                      "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z"},
            "NetworkSettings": {"Networks": {}}, "Config": body | {"Hostname": identity[:12]}, "HostConfig": host}
        return 201, {"Id": identity, "Warnings": []}

    def on_json(self, record, _query, _body):
        if record["Name"][1:] in self.broken:
            return reason(500, "layer does not exist")
        if self.loops_new and record["State"]["Running"] and "anchord.replaces" in record["Config"]["Labels"]:
            self.loops_new(record)
        return 200, record

    def on_rename(self, record, query, _body):
        if self.find(query["name"]):
            return reason(409, f"Conflict. The container name \"/{query['name']}\" is already in use")
        record["Name"] = "/" + query["name"]
        self.tell("rename", record)
        return 204, None

    def on_update(self, record, _query, body):
        record["HostConfig"]["RestartPolicy"] = {"MaximumRetryCount": 0} | json.loads(body)["RestartPolicy"]
        return 200, {"Warnings": None}

    def on_start(self, record, _query, _body):
        if record["State"]["Running"]:
            return 304, None
        mode = record["HostConfig"]["NetworkMode"]
        target = self.find(mode.removeprefix("container:"))
        if self.refuses_new and "anchord.replaces" in record["Config"]["Labels"]:
            return reason(500, "OCI runtime create failed")
        if mode.startswith("container:") and not (target and target["State"]["Running"]):
            record["State"]["Error"] = "cannot join network of a non running container"
            return reason(409 if target else 404, record["State"]["Error"])
        for part in ("PidMode", "IpcMode"):
            mode = record["HostConfig"].get(part, "")
            other = self.find(mode.removeprefix("container:"))
            if mode.startswith("container:") and not (other and other["State"]["Running"]):
                return reason(409 if other else 404, f"cannot join {part} of a non running container")
        return self.run(record) or (204, None)

    def on_stop(self, record, _query, _body):
        if not record["State"]["Running"]:
            return 304, None
        self.halt(record)
        return 204, None

    def on_restart(self, record, query, body):
        self.on_stop(record, query, body)
        return self.on_start(record, query, body)
