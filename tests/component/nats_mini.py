"""The few NATS verbs that tests need, over one socket, and protobuf's wire format read field by field."""
import json
import os
import socket


class Nats:
    def __init__(self, port, user="", password=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=90)
        self.file = self.socket.makefile("rb")
        self.file.readline()  # INFO
        self.numbers = 1
        self.inbox = "_INBOX.test." + os.urandom(6).hex()
        who = {"user": user, "pass": password} if user else {}
        options = json.dumps({"verbose": False, "headers": True, "no_responders": True, **who})
        self.send(b"CONNECT %s\r\nSUB %s 1\r\n" % (options.encode(), self.inbox.encode()))

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.file.close()
        self.socket.close()

    def subscribe(self, subject):
        self.numbers += 1
        self.send(b"SUB %s %d\r\n" % (subject.encode(), self.numbers))
        self.flush()

    def flush(self):
        """What was sent before is known to the server."""
        self.send(b"PING\r\n")
        while (line := self.file.readline()) != b"PONG\r\n":
            assert line, "NATS closed the connection"
            assert not line.startswith((b"MSG", b"HMSG")), "flush before anything can come"

    def publish(self, subject, data, reply=""):
        self.send(b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), reply.encode(), len(data), data))

    def receive(self):
        """The next message as (headers, data)."""
        return self.receive_from()[2:]

    def receive_from(self):
        """The next message as (subject, reply, headers, data)."""
        while True:
            words = self.file.readline().split()
            if not words:
                raise ConnectionError("NATS closed the connection")
            if words[0] == b"PING":
                self.send(b"PONG\r\n")
            elif words[0] == b"MSG":
                reply = words[3].decode() if len(words) == 5 else ""
                return words[1].decode(), reply, b"", self.file.read(int(words[-1]) + 2)[:-2]
            elif words[0] == b"HMSG":
                header_size, size = int(words[-2]), int(words[-1])
                reply = words[3].decode() if len(words) == 6 else ""
                block = self.file.read(size + 2)[:-2]
                return words[1].decode(), reply, block[:header_size], block[header_size:]

    def request(self, subject, data):
        self.publish(subject, data, self.inbox)
        return self.receive()

    def last(self, stream, subject):
        """The last message of a stream on a subject, None if there is none."""
        headers, data = self.request("$JS.API.DIRECT.GET." + stream, json.dumps({"last_by_subj": subject}).encode())
        return None if headers.startswith(b"NATS/1.0 ") else data

    def store(self, subject, data):
        """Into the stream that listens to the subject; the sequence."""
        return json.loads(self.request(subject, data)[1])["seq"]

    def has_sequence(self, stream, sequence):
        headers, _ = self.request("$JS.API.DIRECT.GET." + stream, json.dumps({"seq": sequence}).encode())
        return not headers.startswith(b"NATS/1.0 404")

    def key(self, bucket, key):
        return self.last("KV_" + bucket, f"$KV.{bucket}.{key}")


def connect(stack):
    """To the NATS of a hansomdev.stack.Stack."""
    return Nats(stack.nats_port, "hansom", (stack.secret_dir / "nats_password").read_text().strip())


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def decode(data):
    """Protobuf: field number -> int or bytes."""
    fields, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            fields[tag >> 3], at = varint(data, at)
        else:
            size, at = varint(data, at)
            fields[tag >> 3] = data[at:at + size]
            at += size
    return fields


def encode(fields):
    """Protobuf of {number: int, str or bytes}."""
    def number(value):
        out = b""
        while value > 0x7F:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    out = b""
    for field, value in fields.items():
        if isinstance(value, int):
            out += number(field << 3) + number(value)
        else:
            text = value.encode() if isinstance(value, str) else value
            out += number(field << 3 | 2) + number(len(text)) + text
    return out
