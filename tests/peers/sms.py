"""A Twilio-shaped SMS service with status callbacks."""
import base64
import hashlib
import hmac
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request

from .http2_server import HttpServer
from .http_message import json_answer

TEXT_MAX = 1600


def refusal(status, code, message="refused", **more):
    return json_answer(status, {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}, **more)


def opted_out():
    return refusal(400, 21610, "Attempt to send to unsubscribed recipient")


def invalid_number():
    return refusal(400, 21211, "Invalid 'To' Phone Number")


def too_many(retry_after_s=None):
    return refusal(429, 20429, "Too Many Requests", headers={} if retry_after_s is None else {"retry-after": str(retry_after_s)})


class Sms(HttpServer):
    """Planned answers go by number. request.content: the form, with its "sid" once accepted."""

    alpn = ("http/1.1",)

    def __init__(self, authority, *, account="AC" + "0" * 32, auth_token="sms-auth-token", sender="+41790000000"):
        super().__init__(authority)
        self.account, self.auth_token, self.sender = account, auth_token, sender

    def settings(self):
        return {"HANSOM_SMS_URL": self.url, "HANSOM_SMS_ACCOUNT": self.account, "HANSOM_SMS_AUTH_TOKEN": self.auth_token,
                "HANSOM_SMS_FROM": self.sender}

    def answer(self, request):
        request.content = None
        if request.path != f"/2010-04-01/Accounts/{self.account}/Messages.json" or request.method != "POST":
            return refusal(404, 20404, "The requested resource was not found")
        expected = base64.b64encode(f"{self.account}:{self.auth_token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return refusal(401, 20003, "Authenticate")
        form = request.content = request.form()
        request.key = form.get("To")
        return self._fault(form) or self.plan.take(request.key) or self._accept(form)

    def _fault(self, form):
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}", form.get("To", "")):
            return invalid_number()
        if not form.get("From") and not form.get("MessagingServiceSid"):
            return refusal(400, 21603, "A 'From' phone number is required")
        if not form.get("Body"):
            return refusal(400, 21602, "Message body is required")
        if len(form["Body"]) > TEXT_MAX:
            return refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        return None

    def _accept(self, form):
        form["sid"] = "SM" + secrets.token_hex(16)
        return json_answer(201, {"sid": form["sid"], "account_sid": self.account, "to": form["To"], "from": form.get("From"),
                                 "body": form["Body"], "status": "queued", "num_segments": "1", "error_code": None, "error_message": None})

    def sign(self, url, form):
        text = url + "".join(name + form[name] for name in sorted(form))
        return base64.b64encode(hmac.new(self.auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()

    def call_back(self, request, status, *, to=None, error_code=None, signature=None):
        """Tells the StatusCallback of an accepted message what became of it; the HTTP status that came back.
        to: where it is really posted (the signed URL stays the public one). signature: instead of the right one."""
        form = {"MessageSid": request.content["sid"], "SmsSid": request.content["sid"], "AccountSid": self.account,
                "MessageStatus": status, "SmsStatus": status, "To": request.content["To"], "From": self.sender, "ApiVersion": "2010-04-01"}
        if error_code is not None:
            form["ErrorCode"] = str(error_code)
        url = request.content["StatusCallback"]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        signature = self.sign(url, form) if signature is None else signature
        if signature:
            headers["X-Twilio-Signature"] = signature
        call = urllib.request.Request(to or url, method="POST", headers=headers, data=urllib.parse.urlencode(form).encode())
        try:
            with urllib.request.urlopen(call, timeout=90) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
