#!/usr/bin/python3 -IS
"""Echo services that say who asked: what the lab's containers and its outside server run.

    services --name web --tcp 80,443 --udp 53,8000-8010

TCP: on connect the line "<name> <peer address> <peer port>", then each line comes back as it is.
UDP: each datagram is answered with that same line, followed by the datagram's own bytes.
IPv4 and IPv6 have sockets of their own, so addresses appear in their natural form. Everything is
logged on stdout. Needs no privilege but that for ports below 1024. SIGTERM: exit 0.

The tests start thousands of these, so it imports little: asyncio and argparse would be four fifths of a start.
"""

import os
import selectors
import signal
import socket
import sys
import threading


def log(*words):
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def identity(name, peer):
    return f"{name} {peer[0]} {peer[1]}\n".encode()


def serve_connection(name, port, connection, peer):
    """A thread's: it waits for one peer alone."""
    log(name, f"tcp/{port}", "connect", peer[0], peer[1])
    try:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(identity(name, peer))
            for line in lines:
                log(name, f"tcp/{port}", "line", peer[0], peer[1], len(line))
                connection.sendall(line)
        log(name, f"tcp/{port}", "closed", peer[0], peer[1])
    except OSError as error:
        log(name, f"tcp/{port}", "broken", peer[0], peer[1], error.strerror)


def accept(name, port, sock):
    try:
        connection, peer = sock.accept()
    except OSError as error:  # its peer has reset it meanwhile
        log(name, f"tcp/{port}", "error", error)
        return
    connection.setblocking(True)
    threading.Thread(target=serve_connection, args=(name, port, connection, peer), daemon=True).start()


def answer(name, port, sock):
    try:
        data, peer = sock.recvfrom(65536)
        log(name, f"udp/{port}", "datagram", peer[0], peer[1], len(data))
        sock.sendto(identity(name, peer) + data, peer)
    except OSError as error:
        log(name, f"udp/{port}", "error", error)


def bound_socket(family, kind, port):
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        sock.listen(1024)
    sock.setblocking(False)
    return sock


def port_list(text):
    """"80,8000-8010" as a list of port numbers."""
    ports = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        ports.extend(range(int(first), int(last or first) + 1))
    if not all(0 < port < 65536 for port in ports):
        sys.exit(f"services: not a port between 1 and 65535 in {text}")
    return ports


def parse(words):
    """Option -> value; each has one."""
    options = {"--name": socket.gethostname(), "--tcp": "", "--udp": ""} | dict(zip(words[::2], words[1::2]))
    if len(words) % 2 or len(options) != 3:
        sys.exit(f"services: {' '.join(words)}:\n{__doc__}")
    return options["--name"], port_list(options["--tcp"]), port_list(options["--udp"])


def main():
    name, tcp, udp = parse(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    selector = selectors.DefaultSelector()
    for kind, ports, serve in ((socket.SOCK_STREAM, tcp, accept), (socket.SOCK_DGRAM, udp, answer)):
        for port in ports:
            for family in (socket.AF_INET, socket.AF_INET6):
                selector.register(bound_socket(family, kind, port), selectors.EVENT_READ, (serve, port))
    log(name, "ready")
    while True:
        for key, _ in selector.select():
            serve, port = key.data
            serve(name, port, key.fileobj)


if __name__ == "__main__":
    main()
