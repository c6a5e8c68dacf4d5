"""What the gateway hands on to notifier: devices, and callbacks of an SMS provider.

Without a notifier in the stack one stands in that answers over NATS; with one, these tests run against that, but for what
only the stand-in can tell."""
import http.client
import json
import threading

import pytest

from conftest import fresh
from nats_mini import connect, decode, encode

KEY, SECRET = "B" + "A" * 86, "a" * 22
FORM = "application/x-www-form-urlencoded"


class StandIn:
    """Answers rpc.notify.* as proto/bus.proto says; what it was asked is kept."""

    def __init__(self, stack):
        self.bus, self.devices, self.asked = connect(stack), set(), []
        for name in ("device.put", "device.delete", "sms_status"):
            self.bus.subscribe("rpc.notify." + name)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                subject, reply, _, data = self.bus.receive_from()
            except TimeoutError:
                continue
            except (OSError, ValueError):
                return  # closed
            fields = decode(data)
            self.asked.append((subject, fields))
            self.bus.publish(reply, encode(self.answer(subject, fields)))

    def answer(self, subject, fields):
        device = (fields.get(1), fields.get(2))
        if subject.endswith("sms_status"):
            return {} if fields.get(2) == b"good" else {1: "forbidden", 2: "signature: not the provider's"}
        if subject.endswith("put"):
            if fields.get(7) == b"Mars/Olympus":
                return {1: "bad_request", 2: "timezone: is not known"}
            self.devices.add(device)
            return {}
        if device in self.devices:
            self.devices.remove(device)
            return {}
        return {1: "not_found", 2: "there is no such device"}

    def close(self):
        self.bus.socket.shutdown(2)
        self.thread.join()
        self.bus.close()


@pytest.fixture
def notifier(suite):
    """None: a real one is there."""
    if "notifier" in suite.stack.services:
        yield None
        return
    stand_in = StandIn(suite.stack)
    yield stand_in
    stand_in.close()


def call(suite, method, path, body=None, *, token=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", suite.stack.port, timeout=90)
    try:
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 204:
            assert answer.headers["Content-Length"] is None and content == b""
            # The connection goes on being usable.
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
        return answer.status, json.loads(content) if content else None, answer.headers
    finally:
        connection.close()


def device_of(**more):
    return {"provider": "fcm", "token": "token-" + fresh("t"), "platform": "android", "locale": "de-CH", "timezone": "Europe/Zurich", **more}


def test_a_device_is_registered_and_goes(suite, notifier):
    user = fresh("c")
    token, path, device = suite.token(user, "client"), "/v1/me/devices/phone-1", device_of()
    wanted = {"device_id": "phone-1", "provider": "fcm", "platform": "android", "locale": "de-CH", "timezone": "Europe/Zurich"}
    assert call(suite, "PUT", path, device, token=token)[:2] == (200, wanted)
    assert call(suite, "PUT", path, device, token=token)[:2] == (200, wanted), "again is the same"
    if notifier is not None:
        subject, fields = notifier.asked[-1]
        assert subject == "rpc.notify.device.put"
        assert fields == {1: user.encode(), 2: b"phone-1", 3: 1, 4: device["token"].encode(), 5: b"android", 6: b"de-CH", 7: b"Europe/Zurich"}
    assert call(suite, "DELETE", path, token=suite.token(fresh("c"), "client"))[0] == 404, "of somebody else"
    assert call(suite, "DELETE", path, token=token)[:2] == (204, None)
    code, problem, _ = call(suite, "DELETE", path, token=token)
    assert code == 404 and problem["code"] == "not_found"


def test_a_browser_registers_its_subscription(suite, notifier):
    token = suite.token(fresh("c"), "client")
    subscription = {"endpoint": "https://push.example.net/" + fresh("s"), "expirationTime": None, "keys": {"p256dh": KEY, "auth": SECRET}}
    if notifier is None:
        pytest.skip("the keys are no point of the curve")
    for sent in (subscription, json.dumps(subscription)):
        code, answer, _ = call(suite, "PUT", "/v1/me/devices/web", {"provider": "webpush", "token": sent}, token=token)
        assert code == 200 and answer == {"device_id": "web", "provider": "webpush", "platform": None, "locale": None, "timezone": None}
        assert json.loads(notifier.asked[-1][1][4]) == {"endpoint": subscription["endpoint"], "keys": subscription["keys"]}


def test_a_bad_registration_names_the_field(suite, notifier):
    token = suite.token(fresh("c"), "client")
    for body, field in [({}, "provider"), (device_of(provider="pigeon"), "provider"), (device_of(token=""), "token"),
                        (device_of(token="x" * 4097), "token"), (device_of(provider="webpush"), "token"), (device_of(platform="p" * 33), "platform"),
                        (device_of(locale="not a locale"), "locale"), (device_of(timezone="../x"), "timezone"), ("", "body"), ("[]", "body"), ("{", "body"),
                        ('{"provider":"fcm","token":"a\\u0000b"}', "token"),
                        *([] if notifier is None else [(device_of(timezone="Mars/Olympus"), "timezone")])]:
        code, problem, _ = call(suite, "PUT", "/v1/me/devices/phone", body, token=token)
        assert code == 400 and problem["detail"].startswith(field), (body, problem)
    code, problem, _ = call(suite, "PUT", "/v1/me/devices/phone", {**device_of(), "more": "x" * 300000}, token=token)
    assert code == 413 and problem["code"] == "payload_too_large" and problem["detail"].startswith("body")
    for method, path, status in [("PUT", "/v1/me/devices/", 404), ("PUT", "/v1/me/devices/a/b", 404), ("PUT", "/v1/me/devices/" + "x" * 65, 400), ("DELETE", "/v1/me/devices/a.b", 400),
                                 ("GET", "/v1/me/devices/phone", 405), ("POST", "/v1/me/devices/phone", 405)]:
        code, problem, headers = call(suite, method, path, device_of(), token=token)
        assert code == status == problem["status"], (method, path, problem)
        assert headers["Allow"] == ("PUT, DELETE" if code == 405 else None)
        assert problem["detail"].startswith("id: ") == (code == 400)
    for method in ("PUT", "DELETE"):
        code, _, headers = call(suite, method, "/v1/me/devices/phone", device_of())
        assert code == 401 and headers["WWW-Authenticate"] == "Bearer"


def test_an_sms_callback_is_handed_on_as_it_came(suite, notifier):
    form = "MessageSid=SM1&MessageStatus=delivered&To=%2B41790000000"
    headers = {"Content-Type": FORM + "; charset=UTF-8", "X-Twilio-Signature": "bad"}
    code, problem, _ = call(suite, "POST", "/v1/callbacks/sms", form, headers=headers)
    assert code == 403 and problem["code"] == "forbidden"
    assert call(suite, "POST", "/v1/callbacks/sms", form, headers={"Content-Type": FORM})[0] == 403, "not signed at all"
    if notifier is not None:
        assert [row for row in notifier.asked] == [("rpc.notify.sms_status", {1: form.encode(), 2: b"bad"})]
        assert call(suite, "POST", "/v1/callbacks/sms", form, headers={**headers, "X-Twilio-Signature": "good"})[:2] == (204, None)
    for body, kind, field in [(form, "application/json", "content_type"), (form, FORM + "x", "content_type"), ("", FORM, "body"), (b"a=\0", FORM, "body")]:
        code, problem, _ = call(suite, "POST", "/v1/callbacks/sms", body, headers={"Content-Type": kind, "X-Twilio-Signature": "good"})
        assert code == 400 and problem["detail"].startswith(field), (body, kind, problem)


def test_without_a_notifier_all_of_it_is_unavailable(suite):
    if "notifier" in suite.stack.services:
        pytest.skip("there is one")
    token = suite.token(fresh("c"), "client")
    form = {"Content-Type": FORM, "X-Twilio-Signature": "good"}
    for method, path, body, headers in [("PUT", "/v1/me/devices/phone", device_of(), {}), ("DELETE", "/v1/me/devices/phone", None, {}),
                                        ("POST", "/v1/callbacks/sms", "a=b", form)]:
        code, problem, answered = call(suite, method, path, body, token=token, headers=headers)
        assert code == 503 and problem["code"] == "unavailable" and int(answered["Retry-After"]) >= 1, (method, path, problem)


def test_a_request_with_a_body_that_nobody_wants_is_answered_once(suite, notifier):
    token = suite.token(fresh("c"), "client")
    assert call(suite, "DELETE", "/v1/me/devices/phone", b"x" * 3000, token=token)[0] == 404
    assert call(suite, "GET", "/v1/me/events", b"x" * 3000, token=token)[0] == 200
