#!/usr/bin/python3
"""Echo services that say who asked: what the lab's containers and its outside server run.

    services --name web --tcp 80,443 --udp 53

TCP: on connect the line "<name> <peer address> <peer port>", then each line comes back as it is.
UDP: each datagram is answered with that same line, followed by the datagram's own bytes.
IPv4 and IPv6 have sockets of their own, so addresses appear in their natural form. Everything is
logged on stdout. Needs no privilege but that for ports below 1024. SIGTERM: exit 0.
"""

import argparse
import asyncio
import signal
import socket
import sys


def log(*words):
    print(*words, flush=True)


def identity(name, peer):
    return f"{name} {peer[0]} {peer[1]}\n".encode()


async def serve_connection(name, port, reader, writer):
    peer = writer.get_extra_info("peername")
    log(name, f"tcp/{port}", "connect", peer[0], peer[1])
    try:
        writer.write(identity(name, peer))
        while line := await reader.readline():
            log(name, f"tcp/{port}", "line", peer[0], peer[1], len(line))
            writer.write(line)
            await writer.drain()
        log(name, f"tcp/{port}", "closed", peer[0], peer[1])
    except ConnectionError as error:
        log(name, f"tcp/{port}", "broken", peer[0], peer[1], error.strerror)
    finally:
        writer.close()


class DatagramService(asyncio.DatagramProtocol):
    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        log(self.name, f"udp/{self.port}", "datagram", addr[0], addr[1], len(data))
        self.transport.sendto(identity(self.name, addr) + data, addr)

    def error_received(self, exc):
        log(self.name, f"udp/{self.port}", "error", exc)


def bound_socket(family, kind, port):
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    return sock


async def serve(arguments):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for family in (socket.AF_INET, socket.AF_INET6):
        for port in arguments.tcp:
            async def handler(reader, writer, port=port):
                await serve_connection(arguments.name, port, reader, writer)
            await asyncio.start_server(
                handler, sock=bound_socket(family, socket.SOCK_STREAM, port), backlog=1024)
        for port in arguments.udp:
            await loop.create_datagram_endpoint(
                lambda port=port: DatagramService(arguments.name, port),
                sock=bound_socket(family, socket.SOCK_DGRAM, port))
    log(arguments.name, "ready")
    await stop.wait()


def port_list(text):
    """"80,8000-8010" as a list of port numbers."""
    ports = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        ports.extend(range(int(first), int(last or first) + 1))
    if not all(0 < port < 65536 for port in ports):
        raise argparse.ArgumentTypeError(f"not a port between 1 and 65535 in {text}")
    return ports


def main():
    parser = argparse.ArgumentParser(prog="services", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--name", default=socket.gethostname(), help="what the service calls itself")
    parser.add_argument("--tcp", type=port_list, default=[], metavar="PORTS", help="80,8000-8010")
    parser.add_argument("--udp", type=port_list, default=[], metavar="PORTS")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
