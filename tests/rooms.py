"""The house as its includes tell: rooms, lines of code, floors, circles, and who is handed all of `struct network`.

Used by tests/style, which checks that there is no circle and prints the figures with --rooms. A *unit* is a header with
its C file, and an internal header beside it; a *room* is a directory of product code. Comments and empty lines do not count.
"""

import collections
import pathlib
import re
import subprocess
import sys

SHARED = ("workers/compose", "workers/dns", "workers/docker", "workers/neighbours", "workers/netlink", "workers/nftables")
NOT_COUNTED = ("common", "protocol")  # every program has them
INCLUDE = re.compile(r'^#include "([\w/]+/[\w.]+)"', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# A function definition: its head begins a line, and its body is a brace alone.
FUNCTION = re.compile(r"^\w[^;{}=#]*?\([^;{}]*\)\n\{", re.MULTILINE)


class House:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        listed = subprocess.run(["git", "ls-files", "common", "protocol", "daemon", "workers"], cwd=root,
                                capture_output=True, text=True, check=True).stdout.split()
        self.texts = {name: (self.root / name).read_text() for name in listed
                      if name.endswith((".c", ".h")) and (self.root / name).is_file()}

    def lines(self, *rooms):
        """Lines of code in these rooms and all below them."""
        return sum(lines_of_code(text) for name, text in self.texts.items()
                   if any(name.startswith(room + "/") for room in rooms))

    def units(self):
        """unit -> the units that it includes"""
        return self.graph(lambda name: name.rsplit(".", 1)[0].removesuffix("_internal"))

    def rooms(self):
        """room -> the rooms that it includes"""
        return self.graph(lambda name: name.rsplit("/", 1)[0])

    def graph(self, node_of):
        graph = collections.defaultdict(set)
        for name, text in self.texts.items():
            node = node_of(name)
            graph[node] |= {node_of(included) for included in INCLUDE.findall(text) if included in self.texts} - {node}
        return dict(graph)

    def program(self, room):
        """The rooms that are linked into the program of `room`, but for common and protocol."""
        graph, found, open_ends = self.rooms(), set(), [name for name in self.rooms() if (name + "/").startswith(room + "/")]
        while open_ends:
            name = open_ends.pop()
            if name not in found and not name.startswith(NOT_COUNTED):
                found.add(name)
                open_ends += graph.get(name, ())
        return sorted(found)

    def programs(self):
        """room of a program -> its lines of code with what it shares"""
        names = {re.sub(r"^(daemon|workers/commands/\w+|workers/\w+).*", r"\1", name) for name in self.rooms()}
        return {name: sum(self.own_lines(room) for room in self.program(name)) for name in sorted(names)
                if not name.startswith(NOT_COUNTED + SHARED)}

    def own_lines(self, room):
        return sum(lines_of_code(text) for name, text in self.texts.items() if name.rsplit("/", 1)[0] == room)

    def handed(self, type_name):
        """The functions that get a pointer to it."""
        return sum(len(re.findall(rf"\bstruct {type_name} \*\w+[,)]", head)) > 0 for name, text in self.texts.items()
                   if name.endswith(".c") for head in FUNCTION.findall(text))


def lines_of_code(text):
    code = COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    return sum(bool(line.strip()) for line in code.splitlines())


def circles(graph):
    """Strongly connected parts of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(sorted(part))

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def floors(graph, nodes):
    """How many units of `nodes` stand on one another at most."""
    known = {}

    def height(node, above=()):
        if node not in known:
            known[node] = 1 + max((height(other, (*above, node)) for other in graph.get(node, ())
                                   if other in nodes and other not in above), default=0)
        return known[node]

    return max((height(node) for node in nodes), default=0)


def show(house):
    print("program: lines of code with what it shares, without common and protocol")
    for name, count in house.programs().items():
        print(f"  {name:28} {count:6}")
    print("rooms of netadmin, and what it shares")
    for room in house.program("workers/netadmin"):
        print(f"  {room:28} {house.own_lines(room):6}")
    units = house.units()
    for name in ("daemon", "workers/netadmin", "workers/keeper", "workers/watcher"):
        print(f"floors of {name}: {floors(units, [unit for unit in units if unit.startswith(name + '/')])}")
    print(f"circles: of files {circles(units)}, of rooms {circles(house.rooms())}")
    print(f"functions that are handed struct network: {house.handed('network')}")
