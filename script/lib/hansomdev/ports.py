"""Free TCP ports on loopback, remembered so that a second start uses the same ones."""
import json
import socket


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ports:
    """Names to ports. Preferred ones first, then what the file remembers, else any free one."""

    def __init__(self, path):
        self.path = path
        self.taken = json.loads(path.read_text()) if path.exists() else {}
        self.given = set()

    def get(self, name, preferred=None):
        for port in (self.taken.get(name), preferred):
            if port and port not in self.given and is_free(port):
                break
        else:
            port = any_free()
        self.given.add(port)
        self.taken[name] = port
        self.path.write_text(json.dumps(self.taken))
        return port
