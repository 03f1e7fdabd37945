"""A plain model of the containers of an engine and of who gets which port, with a seeded dice that lets things happen.

Written from the specification alone (DISC-3, DISC-5, DISC-7, NAT-5, NAT-6, NAT-7). Used by test_watcher_model.py.
"""

import re

import fake_docker
from fake_docker import container_id

MARKER = 1  # a container that moves after each step: its new address shows that the step was taken in
PORTS = [1, 2, 3, 4, 5, 6, 65533, 65534, 65535]
BAD_LABELS = ["tcp", "tcp/", "tcp/0", "tcp/65536", "sctp/5", "tcp/5:", "tcp/5:0", "tcp/5-4", "tcp/1-3:7-8", "tcp/1,:",
              "tcp/1 2", "tcp/2:7, tcp/1-3", "tcp/-3", "/5", "tcp/1-3:7", "udp/65535:65536"]
EMPTY_ENTRIES = ["tcp/1,", ",", ",, udp/2 ,"]  # are ignored
ITEM = re.compile(r"(tcp|udp)\s*/\s*(\d+)\s*(?:-\s*(\d+)\s*)?(?::\s*(\d+)\s*(?:-\s*(\d+)\s*)?)?")


def claims_of(label):
    """{(proto, port): backend port}; nothing for an invalid label."""
    claims = {}
    for item in filter(str.strip, label.split(",")):
        match = ITEM.fullmatch(item.strip().lower())
        if not match:
            return {}
        first, backend_first = int(match[2]), int(match[4] or match[2])
        last, backend_last = int(match[3] or first), int(match[5] or (match[4] or match[3] or first))
        if not 0 < first <= last < 65536 or not 0 < backend_first <= backend_last < 65536 or \
                last - first != backend_last - backend_first:
            return {}
        for port in range(first, last + 1):
            backend_port = backend_first + port - first
            if claims.setdefault((match[1], port), backend_port) != backend_port:
                return {}
    return claims


def random_label(dice):
    if dice.random() < 0.1:
        return dice.choice(BAD_LABELS + EMPTY_ENTRIES)
    items = []
    for _ in range(dice.choice([0, 1, 1, 2, 3])):
        first = dice.choice(PORTS)
        last = min(first + dice.randrange(4), 65535)
        space, dash = dice.choice(["", " ", "\t"]), "-" if last > first or dice.random() < 0.3 else ""
        item = f"{dice.choice(['tcp', 'udp', 'TCP', 'Udp'])}{space}/{space}{first}{dash}{last if dash else ''}{space}"
        if dice.random() < 0.5:
            backend = dice.randrange(7000, 7003)
            item += f":{backend}" + (f"{space}-{backend + last - first}" if dash else "")
        items.append(item)
    return ",".join(items)


class Container:
    def __init__(self, number, name, dice):
        self.number, self.name = number, name
        self.label = random_label(dice)
        self.v6, self.when = dice.choice(["", "auto", "off"]), dice.choice(["", "started", "healthy"])
        self.health = dice.choice(["", "(healthy)", "(unhealthy)", "(health: starting)"])
        self.is_running, self.is_paused = True, False
        self.owner = None  # the container whose network namespace it has joined
        self.addresses = None  # on the shared network: (v4, v6), "" for none; None: not attached

    def record(self):
        made = fake_docker.container(self.number, self.label, created=1_700_000_000 + self.number, name=self.name,
                                     labels={"anchord.expose.v6": self.v6, "anchord.expose.when": self.when})
        made["Health"] = self.health.strip("()").removeprefix("health: ")
        made["State"] = "paused" if self.is_paused else "running"
        made["Status"] = "Up 5 seconds (Paused)" if self.is_paused else f"Up 3 seconds {self.health}"
        networks = {}
        if self.owner:
            made["HostConfig"]["NetworkMode"] = f"container:{container_id(self.owner.number)}"
        elif self.addresses:
            networks["transit"] = fake_docker.endpoint(fake_docker.TRANSIT_ID, self.addresses[0], "", self.addresses[1])
        made["NetworkSettings"]["Networks"] = networks
        return made

    def reached_at(self):
        """The addresses that its entries lead to."""
        place = self.owner or self
        v4, v6 = place.addresses if place.is_running and place.addresses else ("", "")
        return [address for address in (v4, "" if self.v6 == "off" else v6) if address]

    def is_withheld(self):
        return self.when == "healthy" and self.health != "(healthy)"


class World:
    """The containers, and who holds which port."""

    def __init__(self, docker, dice):
        self.docker, self.dice = docker, dice
        self.last_number, self.last_address = MARKER, 0x100
        self.containers = []
        self.holders = {}
        self.between = {}  # what may be seen while the last step is under way
        self.marker_address = ""
        self.move_marker()

    def running(self):
        return [one for one in self.containers if one.is_running]

    # What happens; each returns what to print, or None: impossible now.

    def free_address(self):
        """One that nobody ever had."""
        self.last_address += 1
        return f"172.30.{self.last_address // 250}.{self.last_address % 250 + 3}", f"fd30::{self.last_address:x}"

    def attach(self, one):
        v4, v6 = self.free_address()
        one.addresses = self.dice.choice([(v4, v6), (v4, v6), (v4, ""), ("", v6)])

    def create(self):
        if len(self.containers) >= 12:
            return None
        self.last_number += 1
        one = Container(self.last_number, f"backend-{self.last_number}", self.dice)
        owners = [other for other in self.running() if not other.owner]
        if owners and self.dice.random() < 0.25:
            one.owner = self.dice.choice(owners)
        else:
            self.attach(one)
        self.containers.append(one)
        self.docker.start(one.record())
        return f"create {one.name} {one.label!r} v6={one.v6} when={one.when} {one.health} in {one.owner and one.owner.name}"

    def stop(self):
        one = self.pick(self.running())
        if one:
            one.is_running = one.is_paused = False
            self.docker.stop(one.number)
            return f"stop {one.name}"

    def start(self):
        one = self.pick([one for one in self.containers if not one.is_running and
                         (not one.owner or one.owner.is_running)])
        if one:
            one.is_running = True
            if not one.owner:
                self.attach(one)
            self.docker.start(one.record())
            return f"start {one.name} at {one.addresses}"

    def recreate(self):
        """As Compose does it: the same name, another ID, a younger one."""
        one = self.pick([one for one in self.running() if not one.owner and
                         all(other.owner is not one for other in self.containers)])
        if one:
            self.containers.remove(one)
            self.docker.stop(one.number)
            self.distribute()
            self.between = self.entries()
            self.last_number += 1
            new = Container(self.last_number, one.name, self.dice)
            self.attach(new)
            self.containers.append(new)
            self.docker.start(new.record())
            return f"recreate {new.name} {new.label!r} v6={new.v6} when={new.when} {new.health} at {new.addresses}"

    def remove(self):
        one = self.pick([one for one in self.containers if not one.is_running and
                         all(other.owner is not one for other in self.containers)])
        if one:
            self.containers.remove(one)
            return f"remove {one.name}"

    def rename(self):
        one = self.pick(self.running())
        if one:
            one.name = f"{one.name}-again"
            self.docker.put(one.record())
            self.docker.event("container", "rename", one.record())
            return f"rename to {one.name}"

    def change_health(self):
        one = self.pick([one for one in self.running() if one.health and not one.is_paused])
        if one:
            one.health = self.dice.choice(["(healthy)", "(unhealthy)"])
            self.docker.put(one.record())
            self.docker.event("container", f"health_status: {one.health[1:-1]}", one.record())
            return f"{one.name} is {one.health}"

    def pause(self):
        one = self.pick(self.running())
        if one:
            one.is_paused = not one.is_paused
            self.docker.put(one.record())
            self.docker.event("container", "pause" if one.is_paused else "unpause", one.record())
            return f"{one.name} is {'' if one.is_paused else 'not '}paused"

    def reconnect(self):
        one = self.pick([one for one in self.running() if not one.owner])
        if one:
            action = "disconnect" if one.addresses else "connect"
            if one.addresses:
                one.addresses = None
            else:
                self.attach(one)
            self.docker.connect(one.record(), action=action)
            return f"{action} {one.name} {one.addresses}"

    def pick(self, choices):
        return self.dice.choice(choices) if choices else None

    def step(self):
        operations = [self.create, self.create, self.stop, self.start, self.recreate, self.remove, self.rename,
                      self.change_health, self.change_health, self.pause, self.reconnect, self.reconnect]
        while True:
            done = self.dice.choice(operations)()
            if done:
                return done

    def move_marker(self):
        self.marker_address = "172.30.250.1" if self.marker_address != "172.30.250.1" else "172.30.250.2"
        self.docker.connect(fake_docker.container(MARKER, "udp/40000", self.marker_address))

    # What must be, by the specification.

    def distribute(self):
        """NAT-6: who has a port and still claims it keeps it; what is free goes to the oldest."""
        claims = {one: claims_of(one.label) for one in self.running() if one.reached_at()}
        self.holders = {port: one for port, one in self.holders.items() if port in claims.get(one, {})}
        for one in sorted(claims, key=lambda claimant: claimant.number):
            for port in claims[one]:
                self.holders.setdefault(port, one)

    def entries(self):
        """{(proto, port, address): (backend port, is withheld)}"""
        return {(proto, port, address): (claims_of(one.label)[proto, port], one.is_withheld())
                for (proto, port), one in self.holders.items() for address in one.reached_at()}

    def forget_holders(self):
        """As a new watcher that knows netadmin's map alone: of those in one namespace whose entries for a port would be
        just the same it takes the oldest for the holder."""
        claims = {one: claims_of(one.label) for one in self.running()}

        def entry(one, port):
            return claims[one].get(port), one.reached_at(), one.is_withheld()
        self.holders = {port: min((one for one in claims if entry(one, port) == entry(holder, port)),
                                  key=lambda one: one.number) for port, holder in self.holders.items()}
