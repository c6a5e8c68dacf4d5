"""A receiver of webhooks that are signed as Standard Webhooks says."""
import base64
import hashlib
import hmac
import time

from .http2_server import HttpServer
from .http_message import Answer, json_answer

TOLERANCE_S = 300


class Webhook(HttpServer):
    """Planned answers go by webhook-id. request.content: the JSON."""

    alpn = ("h2", "http/1.1")

    def __init__(self, authority, *, secret="whsec_" + base64.b64encode(b"a key of thirty-two bytes, so it").decode()):
        super().__init__(authority)
        self.secret = secret

    def settings(self):
        return {"HANSOM_WEBHOOK_URL": f"{self.url}/hook", "HANSOM_WEBHOOK_SECRET": self.secret}

    def sign(self, message_id, timestamp, body):
        key = base64.b64decode(self.secret.removeprefix("whsec_")) if self.secret.startswith("whsec_") else self.secret.encode()
        return base64.b64encode(hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()).decode()

    def answer(self, request):
        headers = request.headers
        request.key, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
        request.content = None
        if not request.key or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
            return json_answer(400, {"message": "webhook-id or webhook-timestamp"})
        signatures = [part.partition(",")[2] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
        if not any(hmac.compare_digest(self.sign(request.key, timestamp, request.body), given) for given in signatures):
            return json_answer(401, {"message": "webhook-signature"})
        request.content = request.json()
        return self.plan.take(request.key) or Answer(204)
