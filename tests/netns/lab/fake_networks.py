"""The networks of the fake engine: user-defined ones, by name and ID, and the containers' endpoints on them.

Mixed into fake_engine.FakeEngine, which has the containers. What real engines do (measured on 20.10 and 28.5) is done
here: a network with an active endpoint is not removed; a container whose endpoint names a network that is no more does
not start; an address that is taken is refused; what is so already is an error with a text, and status 403 or 500.
"""


def reason(status, text):
    return status, {"message": text}


def network_id(number):
    return f"{number:032x}" + "e" * 32


class FakeNetworks:
    def prepare_networks(self):
        self.by_name = {}     # name -> {"Id", "Created"}
        self.made = 0
        self.collisions = []  # containers that did not start since another had their address

    def make_network(self, name):
        """As Compose does; returns its ID."""
        with self.lock:
            self.made += 1
            self.by_name[name] = {"Id": network_id(self.made), "Created": self.now()}
            self.tell_network("create", name)
            return self.by_name[name]["Id"]

    def remove_network(self, name):
        """False: it has active endpoints."""
        with self.lock:
            if self.endpoints_on(name):
                return False
            self.tell_network("destroy", name)
            del self.by_name[name]
            return True

    def tell_network(self, action, name, container=None):
        attributes = {"name": name, "type": "bridge"} | ({"container": container} if container else {})
        self.send_event({"Type": "network", "Action": action, "time": 0, "timeNano": 0,
                         "Actor": {"ID": self.by_name[name]["Id"], "Attributes": attributes}})

    def endpoints_on(self, name):
        """Address -> container of the active endpoints."""
        identity = self.by_name[name]["Id"]
        return {endpoint["IPAddress"]: record for record in self.records.values() if record["State"]["Running"]
                for endpoint in [record["NetworkSettings"]["Networks"].get(name)]
                if endpoint and endpoint["NetworkID"] == identity and endpoint["EndpointID"]}

    def is_on(self, container, name):
        with self.lock:
            return name in self.by_name and self.find(container) in self.endpoints_on(name).values()

    def configure_endpoint(self, record, name, address=None, aliases=(), **more):
        record["NetworkSettings"]["Networks"][name] = {
            "IPAMConfig": {"IPv4Address": address} if address else {}, "Links": None, "Aliases": list(aliases),
            "DriverOpts": None, "NetworkID": "", "EndpointID": "", "IPAddress": "", "GlobalIPv6Address": "",
            "MacAddress": "", **more}

    def activate(self, record, name):
        """The container's endpoint gets its address. Returns None or the engine's answer why not."""
        endpoint = record["NetworkSettings"]["Networks"][name]
        network = self.by_name.get(name)
        if not network or endpoint["NetworkID"] not in ("", network["Id"]):
            return reason(404, f"failed to set up container networking: network {endpoint['NetworkID']} not found")
        taken = self.endpoints_on(name)
        wanted = (endpoint["IPAMConfig"] or {}).get("IPv4Address")
        if wanted in taken:
            return reason(403, "Address already in use")
        free = next(address for address in (f"172.29.7.{last}" for last in range(2, 250)) if address not in taken)
        endpoint |= {"NetworkID": network["Id"], "EndpointID": "e" * 64, "IPAddress": wanted or free}
        return None

    def activate_all(self, record):
        """Before a start. Returns None or the engine's answer why it does not start."""
        for name in record["NetworkSettings"]["Networks"]:
            refusal = self.activate(record, name)
            if refusal:
                record["State"]["Error"] = refusal[1]["message"]
                if refusal[0] == 403:
                    self.collisions.append(record["Name"])
                return refusal
        return None

    def tell_endpoints(self, action, record):
        for name, endpoint in record["NetworkSettings"]["Networks"].items():
            if action == "disconnect":
                endpoint |= {"EndpointID": "", "IPAddress": ""}
            if name in self.by_name and endpoint["NetworkID"] == self.by_name[name]["Id"]:
                self.tell_network(action, name, record["Id"])

    # The API.

    def show_network(self, name):
        network = self.by_name[name]
        return network | {"Name": name, "Driver": "bridge", "Containers": {
            record["Id"]: {"Name": record["Name"][1:], "IPv4Address": f"{address}/24"}
            for address, record in self.endpoints_on(name).items()}}

    def handle_network(self, method, parts, body):
        name = next((name for name, network in self.by_name.items() if parts[0] in (name, network["Id"])), None)
        if not name:
            return reason(404, f"network {parts[0]} not found")
        if method == "GET":
            return 200, self.show_network(name)
        record = self.find(body["Container"])
        if not record:
            return reason(404, f"No such container: {body['Container']}")
        return getattr(self, "network_" + parts[1])(name, record, body)

    def network_connect(self, name, record, body):
        networks = record["NetworkSettings"]["Networks"]
        if name in networks and networks[name]["NetworkID"] == self.by_name[name]["Id"]:
            return reason(403, f"endpoint with name {record['Name'][1:]} already exists in network {name}")
        before = networks.get(name)
        configuration = body.get("EndpointConfig") or {}
        self.configure_endpoint(record, name)
        networks[name] |= {key: value for key, value in configuration.items() if value is not None}
        refusal = self.activate(record, name) if record["State"]["Running"] else None
        if refusal:
            networks.pop(name)
            if before:
                networks[name] = before
            return refusal
        if record["State"]["Running"]:
            self.tell_network("connect", name, record["Id"])
        return 200, None

    def network_disconnect(self, name, record, _body):
        endpoint = record["NetworkSettings"]["Networks"].get(name)
        if not endpoint:
            return reason(500, f"container {record['Id']} is not connected to network {name}")
        was_active = record in self.endpoints_on(name).values()
        if record["State"]["Running"] and not was_active:  # Docker looks for it on the network of today
            return reason(500, f"container {record['Id']} is not connected to network {name}")
        del record["NetworkSettings"]["Networks"][name]
        if was_active:
            self.tell_network("disconnect", name, record["Id"])
        return 200, None
