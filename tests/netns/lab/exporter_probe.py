# What an exporter that was taken over could try with the pages that it gets. Started by test_exporter.py in place of
# anchord-exporter, before any sandbox: only the descriptors themselves protect the pages here.
import array
import errno
import fcntl
import json
import mmap
import os
import socket
import struct

PAGE_SIZE = 4096
READ = 2


def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def try_everything(page):
    return {
        "write": outcome(lambda: os.write(page, b"x")),
        "map": outcome(lambda: mmap.mmap(page, PAGE_SIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE)),
        "open": outcome(lambda: os.open(f"/proc/self/fd/{page}", os.O_RDWR)),
        "seal": outcome(lambda: fcntl.fcntl(page, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)),
        "resize": outcome(lambda: os.ftruncate(page, 0)),
        "read": len(mmap.mmap(page, PAGE_SIZE, prot=mmap.PROT_READ)[:]) == PAGE_SIZE,
    }


channel = socket.socket(fileno=3)
channel.setblocking(True)
while True:
    message, ancillary, _, _ = channel.recvmsg(16384, socket.CMSG_SPACE(16))
    if not message:
        break
    pages = [descriptor for _, _, data in ancillary for descriptor in array.array("i", data)]
    if len(message) == 32 and pages:
        writer, access = struct.unpack_from("=II", message, 24)
        if access == READ:
            print(json.dumps({"stand_in": "exporter", "pid": os.getpid(), "page": writer, **try_everything(pages[0])}),
                  flush=True)
    for descriptor in pages:
        os.close(descriptor)
