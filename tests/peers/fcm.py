"""Firebase Cloud Messaging, HTTP v1: Google's token endpoint and messages:send."""
import json
import re
import secrets
import threading
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from .http2_server import HttpServer
from .http_message import json_answer
from .tls import private_pem

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DATA_MAX = 4096
STATUS_NAMES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
                500: "INTERNAL", 503: "UNAVAILABLE"}
# The parts of a v1 Message that exist; the value says what it must be. Google refuses names that it does not know.
STRINGS = {"": str}
NOTIFICATION = {"title": str, "body": str, "image": str}
ANDROID_NOTIFICATION = {"title": str, "body": str, "icon": str, "color": str, "sound": str, "tag": str, "click_action": str,
                        "channel_id": str, "sticky": bool, "event_time": str, "notification_priority": str, "visibility": str,
                        "notification_count": int, "image": str, "default_sound": bool}
MESSAGE = {
    "token": str, "topic": str, "condition": str, "data": STRINGS, "notification": NOTIFICATION,
    "android": {"collapse_key": str, "priority": str, "ttl": str, "restricted_package_name": str, "data": STRINGS,
                "notification": ANDROID_NOTIFICATION, "direct_boot_ok": bool},
    "apns": {"headers": STRINGS, "payload": dict}, "webpush": {"headers": STRINGS, "data": STRINGS, "notification": dict},
    "fcm_options": {"analytics_label": str}}


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(answer.body.decode())
        self.answer = answer


def refusal(status, code=None, message="refused", **more):
    """code: Google's FcmError, e.g. UNREGISTERED, QUOTA_EXCEEDED, SENDER_ID_MISMATCH."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    return json_answer(status, {"error": {"code": status, "message": message, "status": STATUS_NAMES[status], "details": details}}, **more)


def unregistered():
    return refusal(404, "UNREGISTERED", "Requested entity was not found.")


def quota_exceeded(retry_after_s=None):
    return refusal(429, "QUOTA_EXCEEDED", headers={} if retry_after_s is None else {"retry-after": str(retry_after_s)})


def unavailable(retry_after_s=None):
    return refusal(503, "UNAVAILABLE", headers={} if retry_after_s is None else {"retry-after": str(retry_after_s)})


def _check_shape(value, shape, path):
    if shape is STRINGS:
        if not isinstance(value, dict) or not all(type(item) is str for item in value.values()):
            raise Refused(refusal(400, "INVALID_ARGUMENT", f"Invalid value at '{path}' (map of strings)"))
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Refused(refusal(400, "INVALID_ARGUMENT", f"Invalid value at '{path}' (object)"))
        for name, item in value.items():
            if name not in shape:
                raise Refused(refusal(400, "INVALID_ARGUMENT", f"Unknown name \"{name}\" at '{path}': Cannot find field."))
            _check_shape(item, shape[name], f"{path}.{name}")
    elif type(value) is not shape:
        raise Refused(refusal(400, "INVALID_ARGUMENT", f"Invalid value at '{path}' ({shape.__name__})"))


class Fcm(HttpServer):
    """Planned answers go by registration token; those of the token endpoint by "oauth"."""

    alpn = ("h2", "http/1.1")

    def __init__(self, authority, *, project="rides-test", token_life_s=3600):
        super().__init__(authority)
        self.project, self.token_life_s = project, token_life_s
        self.email = f"sender@{project}.iam.gserviceaccount.com"
        self.account_file = authority.folder / "fcm.json"
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = secrets.token_hex(20)
        self._lock = threading.Lock()
        self._access = {}  # access token -> when it ends

    def start(self, port=None):
        super().start(port)
        self.account_file.touch(mode=0o600)
        self.account_file.write_text(json.dumps({
            "type": "service_account", "project_id": self.project, "private_key_id": self._key_id,
            "private_key": private_pem(self._key).decode(), "client_email": self.email, "client_id": "1", "token_uri": f"{self.url}/token"}))
        return self

    def settings(self):
        return {"HANSOM_FCM_URL": self.url, "HANSOM_FCM_SERVICE_ACCOUNT_FILE": str(self.account_file)}

    @property
    def sends(self):
        return self.requests.where(lambda request: request.path.endswith("messages:send"))

    @property
    def token_requests(self):
        return self.requests.where(path="/token")

    def expire_tokens(self):
        """What was given out is worth nothing any more."""
        with self._lock:
            self._access.clear()

    def answer(self, request):
        request.content = None
        try:
            if request.path == "/token":
                request.key = "oauth"
                return self.plan.take("oauth", is_somebody=False) or self._give_token(request)
            if request.path != f"/v1/projects/{self.project}/messages:send":
                raise Refused(refusal(404, message="no such path"))
            self._check_bearer(request)
            message = request.content = self._message(request)
            request.key = message["token"]
            return self.plan.take(request.key) or json_answer(200, {"name": f"projects/{self.project}/messages/0:{secrets.token_hex(8)}"})
        except Refused as refused:
            return refused.answer

    def _give_token(self, request):
        def refuse(why):
            raise Refused(json_answer(400, {"error": "invalid_grant", "error_description": why}))
        form = request.form()
        if request.method != "POST" or form.get("grant_type") != GRANT:
            raise Refused(json_answer(400, {"error": "unsupported_grant_type"}))
        assertion = form.get("assertion", "")
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, self._key.public_key(), algorithms=["RS256"], audience=f"{self.url}/token",
                                options={"require": ["exp", "iat", "iss", "aud"]})
        except jwt.PyJWTError as error:
            refuse(f"Invalid JWT: {error}")
        if header.get("kid") not in (None, self._key_id) or claims["iss"] != self.email or SCOPE not in claims.get("scope", "").split():
            refuse("Invalid JWT: kid, iss or scope")
        if claims["exp"] - claims["iat"] > 3600:
            refuse("Invalid JWT: it must be a short-lived token (60 minutes)")
        request.content = claims
        access = "ya29." + secrets.token_urlsafe(100)
        with self._lock:
            self._access[access] = time.time() + self.token_life_s
        return json_answer(200, {"access_token": access, "expires_in": self.token_life_s, "token_type": "Bearer"})

    def _check_bearer(self, request):
        with self._lock:
            ends = self._access.get(request.headers.get("authorization", "").removeprefix("Bearer "), 0)
        if ends <= time.time():
            raise Refused(refusal(401, message="Request had invalid authentication credentials."))

    def _message(self, request):
        try:
            envelope = request.json()
        except ValueError:
            raise Refused(refusal(400, "INVALID_ARGUMENT", "not JSON")) from None
        _check_shape(envelope, {"message": MESSAGE, "validate_only": bool}, "request")
        message = envelope.get("message", {})
        request.key = message.get("token")
        if sum(name in message for name in ("token", "topic", "condition")) != 1 or not message.get("token"):
            raise Refused(refusal(400, "INVALID_ARGUMENT", "Recipient of the message is not set."))
        self._check_data({**message.get("data", {}), **message.get("android", {}).get("data", {})})
        android = message.get("android", {})
        if android.get("priority", "NORMAL").upper() not in ("NORMAL", "HIGH"):
            raise Refused(refusal(400, "INVALID_ARGUMENT", "Invalid value at 'message.android.priority'"))
        if not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", android.get("ttl", "0s")) or float(android.get("ttl", "0s")[:-1]) > 2419200:
            raise Refused(refusal(400, "INVALID_ARGUMENT", "Invalid value at 'message.android.ttl'"))
        return message

    def _check_data(self, data):
        for name in data:
            if name in ("from", "message_type", "collapse_key") or name.startswith(("google", "gcm")):
                raise Refused(refusal(400, "INVALID_ARGUMENT", f"Invalid data payload key: {name}"))
        if sum(len(name.encode()) + len(value.encode()) for name, value in data.items()) > DATA_MAX:
            raise Refused(refusal(400, "INVALID_ARGUMENT", "Android message is too big"))
