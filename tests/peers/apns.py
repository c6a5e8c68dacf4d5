"""Apple's push service, with its rules for provider tokens and headers."""
import json
import re
import threading
import time
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from .http2_server import HttpServer
from .http_message import Answer, json_answer
from .tls import private_pem

TOKEN_LIFE_S = 3600
TOKEN_INTERVAL_S = 1200
PAYLOAD_MAX = 4096
PUSH_TYPES = ("alert", "background", "complication", "controls", "fileprovider", "liveactivity", "location", "mdm", "pushtotalk", "voip", "widgets")


class Refused(Exception):
    def __init__(self, status, reason, **more):
        super().__init__(reason)
        self.answer = refusal(status, reason, **more)


def refusal(status, reason, *, timestamp_ms=None, **more):
    content = {"reason": reason, **({} if timestamp_ms is None else {"timestamp": timestamp_ms})}
    return json_answer(status, content, **more)


def unregistered(timestamp_ms):
    return refusal(410, "Unregistered", timestamp_ms=timestamp_ms)


class Apns(HttpServer):
    """Planned answers go by device token. accepted: those that Apple would deliver."""

    def __init__(self, authority, *, team_id="TEAM123456", key_id="KEY1234567", topic="dev.example.rides"):
        super().__init__(authority)
        self.team_id, self.key_id, self.topic = team_id, key_id, topic
        self.min_interval_s = TOKEN_INTERVAL_S
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.key_file = authority.folder / "apns.p8"
        self.key_file.touch(mode=0o600)
        self.key_file.write_bytes(private_pem(self._key))
        self._lock = threading.Lock()
        self._tokens = {}  # provider token -> when it came first

    def settings(self):
        return {"HANSOM_APNS_URL": self.url, "HANSOM_APNS_KEY_FILE": str(self.key_file), "HANSOM_APNS_KEY_ID": self.key_id,
                "HANSOM_APNS_TEAM_ID": self.team_id, "HANSOM_APNS_TOPIC": self.topic}

    @property
    def provider_tokens(self):
        with self._lock:
            return list(self._tokens)

    def answer(self, request):
        request.content = None
        try:
            self._check_token(request.headers.get("authorization", ""))
            request.key = self._device(request)
            self._check_headers(request.headers)
            request.content = self._payload(request)
            answer = self.plan.take(request.key) or Answer()
        except Refused as refused:
            answer = refused.answer
        answer.headers = {**answer.headers, "apns-id": request.headers.get("apns-id", str(uuid.uuid4()).upper())}
        return answer

    def _check_token(self, authorization):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(403, "MissingProviderToken")
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, self._key.public_key(), algorithms=["ES256"], options={"verify_iat": False})
        except jwt.PyJWTError:
            raise Refused(403, "InvalidProviderToken") from None
        issued, now = claims.get("iat"), time.time()
        if header.get("kid") != self.key_id or claims.get("iss") != self.team_id or type(issued) is not int or issued > now + 60:
            raise Refused(403, "InvalidProviderToken")
        if issued < now - TOKEN_LIFE_S:
            raise Refused(403, "ExpiredProviderToken")
        with self._lock:
            if token not in self._tokens:
                if self._tokens and now - max(self._tokens.values()) < self.min_interval_s:
                    raise Refused(429, "TooManyProviderTokenUpdates")
                self._tokens[token] = now

    def _device(self, request):
        if request.method != "POST":
            raise Refused(405, "MethodNotAllowed")
        if not request.path.startswith("/3/device/"):
            raise Refused(404, "BadPath")
        device = request.path.removeprefix("/3/device/")
        if not re.fullmatch("[0-9a-fA-F]{64,200}", device):
            raise Refused(400, "BadDeviceToken" if device else "MissingDeviceToken")
        return device

    def _check_headers(self, headers):
        if "apns-topic" not in headers:
            raise Refused(400, "MissingTopic")
        if headers["apns-topic"] != self.topic:
            raise Refused(400, "DeviceTokenNotForTopic")
        if headers.get("apns-push-type") not in PUSH_TYPES:
            raise Refused(400, "InvalidPushType")
        if headers.get("apns-priority", "10") not in (("5", "1") if headers["apns-push-type"] == "background" else ("10", "5", "1")):
            raise Refused(400, "BadPriority")
        if not re.fullmatch("[0-9]{1,12}", headers.get("apns-expiration", "0")):
            raise Refused(400, "BadExpirationDate")
        if not re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", headers.get("apns-id", str(uuid.uuid4()))):
            raise Refused(400, "BadMessageId")
        if len(headers.get("apns-collapse-id", "").encode()) > 64:
            raise Refused(400, "BadCollapseId")

    def _payload(self, request):
        if not request.body:
            raise Refused(400, "PayloadEmpty")
        if len(request.body) > PAYLOAD_MAX:
            raise Refused(413, "PayloadTooLarge")
        try:
            payload = json.loads(request.body)
            aps = payload["aps"]
            is_background = request.headers["apns-push-type"] == "background"
            fits = aps.get("content-available") == 1 and not aps.keys() & {"alert", "badge", "sound"} if is_background \
                else bool(aps.keys() & {"alert", "badge", "sound"})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused(400, "BadPayload") from None
        if not fits:
            raise Refused(400, "BadPayload")
        return payload
