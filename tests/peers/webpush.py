"""A browser and its push service: makes subscriptions, checks RFC 8030 and RFC 8292, decrypts RFC 8291."""
import json
import re
import secrets
import threading
import time

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from . import aes128gcm
from .http2_server import HttpServer
from .http_message import Answer, json_answer
from .tls import private_pem

BODY_MAX = 4096
VAPID_LIFE_MAX_S = 86400


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.answer = json_answer(status, {"code": status, "message": why})


class Subscription:
    def __init__(self, url):
        self.id = secrets.token_urlsafe(24)
        self.endpoint = f"{url}/push/{self.id}"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = secrets.token_bytes(16)

    def json(self):
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None,
                           "keys": {"p256dh": aes128gcm.encode(aes128gcm.point(self.key.public_key())), "auth": aes128gcm.encode(self.auth)}})


class WebPush(HttpServer):
    """Planned answers go by subscription id. request.content: the decrypted JSON."""

    alpn = ("h2", "http/1.1")

    def __init__(self, authority, *, subject="mailto:ops@example.org"):
        super().__init__(authority)
        self.subject = subject
        self._subscriptions = {}
        self._lock = threading.Lock()
        self._vapid = ec.generate_private_key(ec.SECP256R1())
        self.vapid_file = authority.folder / "vapid.pem"
        self.vapid_file.touch(mode=0o600)
        self.vapid_file.write_bytes(private_pem(self._vapid))

    def settings(self):
        return {"HANSOM_WEBPUSH_VAPID_KEY_FILE": str(self.vapid_file), "HANSOM_WEBPUSH_SUBJECT": self.subject}

    @property
    def application_server_key(self):
        return aes128gcm.point(self._vapid.public_key())

    def subscribe(self):
        subscription = Subscription(self.url)
        with self._lock:
            self._subscriptions[subscription.id] = subscription
        return subscription

    def subscription(self, key):
        with self._lock:
            return self._subscriptions[key]

    def redirect(self, status=307):
        """An answer that points to another place of this peer, where nobody must come."""
        return Answer(status, {"location": f"{self.url}/elsewhere"})

    def answer(self, request):
        request.content = None
        try:
            subscription = self._find(request)
            self._check_vapid(request.headers.get("authorization", ""))
            self._check_headers(request.headers)
            request.content = self._decrypt(subscription, request)
            return self.plan.take(request.key) or Answer(201, {"location": f"{self.url}/message/{secrets.token_urlsafe(16)}"})
        except Refused as refused:
            return refused.answer

    def _find(self, request):
        request.key = request.path.removeprefix("/push/")
        with self._lock:
            subscription = self._subscriptions.get(request.key)
        if subscription is None:
            raise Refused(404, "no such subscription")
        if request.method != "POST":
            raise Refused(405, "POST only")
        return subscription

    def _check_vapid(self, authorization):
        scheme, _, rest = authorization.partition(" ")
        parameters = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        if scheme.lower() != "vapid" or not {"t", "k"} <= parameters.keys():
            raise Refused(401, "VAPID is missing")
        try:
            point = aes128gcm.decode(parameters["k"])
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            claims = jwt.decode(parameters["t"], key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
                                algorithms=["ES256"], audience=self.url, options={"require": ["exp", "aud", "sub"]})
        except (ValueError, jwt.PyJWTError) as error:
            raise Refused(403, f"VAPID: {error}") from None
        if point != self.application_server_key:
            raise Refused(403, "VAPID: another key than the one of the subscription")
        if claims["exp"] > time.time() + VAPID_LIFE_MAX_S:
            raise Refused(403, "VAPID: exp is more than 24 hours away")
        if not re.match("(mailto:|https://)", claims["sub"]):
            raise Refused(403, "VAPID: sub is no contact")

    def _check_headers(self, headers):
        if not re.fullmatch("[0-9]{1,10}", headers.get("ttl", "")):
            raise Refused(400, "TTL is missing")
        if headers.get("urgency", "normal") not in ("very-low", "low", "normal", "high"):
            raise Refused(400, "Urgency")
        if not re.fullmatch("[A-Za-z0-9_-]{1,32}", headers.get("topic", "t")):
            raise Refused(400, "Topic")

    def _decrypt(self, subscription, request):
        if len(request.body) > BODY_MAX:
            raise Refused(413, "larger than 4096 bytes")
        if request.headers.get("content-encoding") != "aes128gcm":
            raise Refused(415, "Content-Encoding")
        try:
            return json.loads(aes128gcm.decrypt(subscription.key, subscription.auth, request.body))
        except (ValueError, InvalidTag) as error:
            raise Refused(400, f"cannot be decrypted: {error!r}") from None
