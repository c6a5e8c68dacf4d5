"""TCP ports on loopback: those that no outgoing connection gets, each given to one process at a time, and remembered so that
a second start uses the same ones."""
import json
import pathlib
import random
import socket

FIRST = 10000
ROOM = 2000  # so many to choose from are enough
_reserved = []  # as long as this process lives


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _candidates():
    """An outgoing connection may get any port of the kernel's range, also one whose server is just being started again."""
    try:
        first, last = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        first, last = 32768, 60999
    found = [*range(FIRST, first), *range(max(FIRST, last + 1), 65536)]
    return found if len(found) >= ROOM else range(FIRST, 65536)


def reserve(port):
    """Between the choice and the server's start nobody else who asks here gets it. False: somebody has it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0hansom-port-{port}")  # no file: it ends with the process
    except OSError:
        holder.close()
        return False
    _reserved.append(holder)
    return True


def any_free():
    candidates = _candidates()
    for _ in range(10000):
        port = random.choice(candidates)
        if is_free(port) and reserve(port):
            return port
    raise OSError("no port is free on 127.0.0.1")


class Ports:
    """Names to ports. Preferred ones first, then what the file remembers, else any free one."""

    def __init__(self, path):
        self.path = path
        self.taken = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name, preferred=None):
        for port in (self.taken.get(name), preferred):
            if port and is_free(port) and reserve(port):
                break
        else:
            port = any_free()
        self.taken[name] = port
        part = self.path.with_suffix(".json.part")
        part.write_text(json.dumps(self.taken))
        part.replace(self.path)
        return port
