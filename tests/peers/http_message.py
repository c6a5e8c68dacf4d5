"""A request as it came and the answer that is planned for it: the same over HTTP/1.1 and HTTP/2."""
import json
import time
import urllib.parse
from dataclasses import dataclass, field

CUT = "cut"            # the connection ends before the answer
NEVER = "never"        # no answer, the connection stays
RESET = "reset"        # RST_STREAM with Answer.error (HTTP/1.1: cut)
GOAWAY = "goaway"      # GOAWAY that excludes this request, then the connection ends: certainly not processed
LAST = "last"          # the answer, and GOAWAY that includes this request; the connection ends when all are answered

NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0x0, 0x2, 0x7, 0x8


@dataclass
class Answer:
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    instead: str = ""           # one of the words above; "": just the answer
    error: int = REFUSED_STREAM  # with RESET


def json_answer(status, content, **more):
    return Answer(status, {"content-type": "application/json", **more.pop("headers", {})}, json.dumps(content).encode(), **more)


class Request:
    def __init__(self, method, path, headers, body, connection, stream, version):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.connection, self.stream, self.version = connection, stream, version
        self.at = time.time()
        self.answered_at = None   # when the whole answer was given to the socket
        self.status = None        # what was answered
        self.key = None           # whom it is for: the peer says
        self.content = None       # what the peer read out of it

    def json(self):
        return json.loads(self.body)

    def form(self):
        return {name: values[-1] for name, values in
                urllib.parse.parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)).items()}

    def __repr__(self):
        return f"<{self.method} {self.path[:60]} {self.key or ''} -> {self.status}>"
