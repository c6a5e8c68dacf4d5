"""Somebody who answers requests over NATS in the place of a service, on a thread of its own."""
import socket
import threading
import urllib.parse


class Responder:
    """handlers: subject -> function(request bytes) -> reply bytes, or None for no reply. asked: (subject, request)."""

    def __init__(self, port, handlers, queue="", login=None):
        self.handlers, self.asked = handlers, []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=90)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # INFO
        user = b"" if login is None else b'"user":"%s","pass":"%s",' % tuple(text.encode() for text in login)
        self.socket.sendall(b'CONNECT {%s"verbose":false}\r\n' % user)
        for number, subject in enumerate(handlers, 1):
            self.socket.sendall(b"SUB %s %s %d\r\n" % (subject.encode(), queue.encode(), number))
        self.socket.sendall(b"PING\r\n")
        while self.file.readline().strip() != b"PONG":  # now the server has them all
            pass
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while words := self._line():
            if words[0] == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif words[0] == b"MSG":
                self._answer(words[1].decode(), words[3] if len(words) == 5 else None, int(words[-1]))

    def _line(self):
        try:
            return self.file.readline().split()
        except OSError:
            return []

    def _answer(self, subject, reply_to, size):
        request = self.file.read(size + 2)[:-2]
        self.asked.append((subject, request))
        reply = self.handlers[subject](request)
        if reply is not None and reply_to is not None:
            self.socket.sendall(b"PUB %s %d\r\n%s\r\n" % (reply_to, len(reply), reply))

    def requests(self, subject):
        return [request for asked, request in self.asked if asked == subject]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(timeout=90)
        assert not self.thread.is_alive()
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stand_in(suite, handlers):
    """A responder in the whole suite's world (conftest.Suite)."""
    url = urllib.parse.urlsplit(suite.stack.nats_url)
    return Responder(url.port, handlers, login=(url.username, url.password))
