"""The stand-ins for providers are as strict as the originals: proven with other clients than the notifier."""
import email.message
import json
import smtplib
import socket
import ssl
import subprocess
import time
import uuid

import h2.config
import h2.connection
import h2.events
import hyperframe.frame
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from peers import aes128gcm, apns, fcm, sms
from peers.apns import Apns
from peers.base import Plan, Records
from peers.fcm import Fcm
from peers.http2_server import HttpServer
from peers.http_message import CUT, GOAWAY, INTERNAL_ERROR, LAST, NEVER, RESET, Answer
from peers.sms import Sms
from peers.smtp import Smtp
from peers.tls import Authority, private_pem
from peers.webhook import Webhook
from peers.webpush import WebPush


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


class Response:
    def __init__(self, head, body):
        lines = head.strip().split("\r\n\r\n")[-1].split("\r\n")
        self.version, self.status = lines[0].split()[0], int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body

    def json(self):
        return json.loads(self.body)


def curl(authority, url, *, data=None, headers=(), options=()):
    """Response, or curl's exit status when there was none."""
    arguments = ["curl", "-s", "--http2", "--cacert", authority.ca_file, "--max-time", "90", "-D", "/dev/stderr", *options]
    for header in dict(headers).items():
        arguments += ["-H", ": ".join(header)]
    if data is not None:
        arguments += ["--data-binary", "@-"]
    done = subprocess.run([*arguments, url], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Response(done.stderr.decode(), done.stdout) if done.returncode == 0 else done.returncode


class Http2Client:
    """As bare as can be, so that every frame shows."""

    def __init__(self, peer):
        self.socket = peer.authority.client_context(["h2"]).wrap_socket(socket.create_connection(("127.0.0.1", peer.port), 90),
                                                                          server_hostname="127.0.0.1")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def post(self, path, body=b"x"):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "test")])
        self.h2.send_data(stream, body, end_stream=True)
        self.socket.sendall(self.h2.data_to_send())
        return stream

    def until(self, kind, stream=None):
        """The next event of that kind; None when the connection ends before it."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    self.events.remove(event)
                    return event
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                return None
            self.events += self.h2.receive_data(data)
            self.socket.sendall(self.h2.data_to_send())


    def rest(self):
        """What comes until the end of the connection, raw: this h2 reads nothing more after a GOAWAY."""
        data = b""
        while part := self.socket.recv(65536):
            data += part
        return data


class Echo(HttpServer):
    def answer(self, request):
        request.key = request.path
        return self.plan.take(request.path) or Answer(200, {}, request.body)


# --- the ground they stand on ---
def test_records_and_plans():
    records, plan = Records(), Plan()
    records.add(Answer(201))
    assert records.wait(status=201) and not records.where(status=200)
    with pytest.raises(AssertionError, match="1 of 2"):
        records.wait(count=2, timeout=0.01)
    plan.once("a", Answer(1), Answer(2))
    plan.always(None, Answer(3))
    assert [plan.take("a").status for _ in range(3)] == [1, 2, 3] and plan.take("b").status == 3
    plan.clear()
    assert plan.take("a") is None


def test_tls_is_checked_by_clients(authority, tmp_path):
    with Echo(authority) as peer:
        assert curl(authority, peer.url, data=b"x").body == b"x"
        assert curl(authority, f"https://localhost:{peer.port}", data=b"x").status == 200
        assert curl(Authority(tmp_path), peer.url, data=b"x") == 60, "another authority is not trusted"


def test_hundreds_of_streams_at_once(authority):
    with Echo(authority) as peer, Http2Client(peer) as client:
        peer.plan.always(None, Answer(200, delay_s=0.3))
        began = time.monotonic()
        streams = [client.post(f"/{number}") for number in range(300)]
        for stream in streams:
            assert client.until(h2.events.StreamEnded, stream)
        assert time.monotonic() - began < 60, "they wait beside each other, not one after the other"
        assert len(peer.requests) == 300 and {request.connection for request in peer.requests} == {1}
        assert all(request.answered_at - request.at >= 0.3 for request in peer.requests)


def test_bodies_larger_than_a_window(authority):
    with Echo(authority) as peer:
        body = bytes(range(256)) * 1200
        assert curl(authority, peer.url, data=body, options=["-H", "Expect:"]).body == body


def test_what_may_come_instead_of_an_answer(authority):
    with Echo(authority) as peer:
        for path, answer in [("/cut", Answer(instead=CUT)), ("/reset", Answer(instead=RESET, error=INTERNAL_ERROR)),
                             ("/goaway", Answer(instead=GOAWAY)), ("/last", Answer(instead=LAST)), ("/never", Answer(instead=NEVER))]:
            peer.plan.always(path, answer)
        peer.plan.always("/slow", Answer(delay_s=0.3))
        with Http2Client(peer) as client:
            client.post("/cut")
            assert client.until(h2.events.ResponseReceived) is None
        with Http2Client(peer) as client:
            stream = client.post("/reset")
            assert client.until(h2.events.StreamReset, stream).error_code == INTERNAL_ERROR
            assert client.until(h2.events.StreamEnded, client.post("/fine")), "the connection goes on"
        with Http2Client(peer) as client:
            slow, refused = client.post("/slow"), client.post("/goaway")
            assert client.until(h2.events.ConnectionTerminated).last_stream_id == slow < refused
            frame, _ = hyperframe.frame.Frame.parse_frame_header(memoryview(client.rest()[:9]))
            assert isinstance(frame, hyperframe.frame.HeadersFrame) and frame.stream_id == slow, "the one before is answered all the same"
        with Http2Client(peer) as client:
            stream = client.post("/last")
            assert client.until(h2.events.StreamEnded, stream)
            assert client.until(h2.events.ConnectionTerminated).last_stream_id == stream
            assert client.rest() == b"", "and it ends"
        with Http2Client(peer) as client:
            client.post("/never")
            client.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.until(h2.events.ResponseReceived)
        assert [request.status for request in peer.requests.where(path="/goaway")] == [0]


def test_a_peer_can_be_away(authority):
    with Echo(authority) as peer:
        port = peer.port
        peer.listen_no_more()
        assert curl(authority, peer.url, data=b"x") == 7
        peer.listen_again()
        assert peer.port == port and curl(authority, peer.url, data=b"x").status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


# --- Apple ---
DEVICE = "a1" * 32
ALERT = json.dumps({"aps": {"alert": {"title": "t", "body": "b"}}}).encode()


class Sender:
    """Apple's client side: provider token and headers, all of which a test may change."""

    def __init__(self, authority, peer):
        self.authority, self.peer = authority, peer
        self.token = self.make_token()

    def make_token(self, *, key=None, iat=None, kid=None, iss=None):
        return jwt.encode({"iss": iss or self.peer.team_id, "iat": int(time.time()) if iat is None else iat}, key or self.peer.key_file.read_text(),
                          algorithm="ES256", headers={"kid": kid or self.peer.key_id})

    def send(self, device=DEVICE, payload=ALERT, *, token=None, without=(), **change):
        headers = {"authorization": f"bearer {token or self.token}", "apns-topic": self.peer.topic, "apns-push-type": "alert",
                   "apns-priority": "10", **{name.replace("_", "-"): value for name, value in change.items()}}
        answer = curl(self.authority, f"{self.peer.url}/3/device/{device}", data=payload,
                      headers={name: value for name, value in headers.items() if name not in without})
        return answer.status, answer.json().get("reason") if answer.body else None, answer.headers


def test_apns_headers(authority):
    with Apns(authority) as peer:
        sender = Sender(authority, peer)
        name = str(uuid.uuid4())
        assert sender.send(apns_id=name)[::2] == (200, {**sender.send(apns_id=name)[2], "apns-id": name})
        background = json.dumps({"aps": {"content-available": 1}, "wake": 1}).encode()
        assert sender.send(payload=background, apns_push_type="background", apns_priority="5")[0] == 200
        for reason, status, change in [
                ("BadDeviceToken", 400, {"device": "xyz"}), ("MissingTopic", 400, {"without": ("apns-topic",)}),
                ("DeviceTokenNotForTopic", 400, {"apns_topic": "other"}), ("InvalidPushType", 400, {"without": ("apns-push-type",)}),
                ("BadPriority", 400, {"apns_priority": "7"}), ("BadExpirationDate", 400, {"apns_expiration": "soon"}),
                ("BadPriority", 400, {"apns_push_type": "background", "payload": background}), ("BadMessageId", 400, {"apns_id": "1"}),
                ("BadPayload", 400, {"apns_push_type": "background", "apns_priority": "5"}), ("BadPayload", 400, {"payload": b"{}"}),
                ("BadCollapseId", 400, {"apns_collapse_id": "x" * 65}), ("PayloadEmpty", 400, {"payload": b""}),
                ("PayloadTooLarge", 413, {"payload": json.dumps({"aps": {"alert": "x" * 4096}}).encode()})]:
            assert sender.send(**change)[:2] == (status, reason)
        assert sender.send(apns_collapse_id="x" * 64)[0] == 200


def test_apns_provider_tokens(authority):
    with Apns(authority) as peer:
        sender, now = Sender(authority, peer), int(time.time())
        stranger = private_pem(ec.generate_private_key(ec.SECP256R1())).decode()
        assert sender.send(without=("authorization",))[:2] == (403, "MissingProviderToken")
        for change in ({"key": stranger}, {"kid": "OTHER"}, {"iss": "OTHER"}, {"iat": now + 3600}):
            assert sender.send(token=sender.make_token(**change))[:2] == (403, "InvalidProviderToken"), change
        assert sender.send(token=sender.make_token(iat=now - 3601))[:2] == (403, "ExpiredProviderToken")
        assert sender.send()[0] == 200 and sender.send()[0] == 200
        another = sender.make_token(iat=now - 60)
        assert sender.send(token=another)[:2] == (429, "TooManyProviderTokenUpdates") and len(peer.provider_tokens) == 1
        peer.min_interval_s = 0
        assert sender.send(token=another)[0] == 200 and peer.provider_tokens == [sender.token, another]


def test_apns_planned_answers(authority):
    with Apns(authority) as peer:
        peer.plan.once(DEVICE, apns.unregistered(1700000000000), apns.refusal(503, "ServiceUnavailable"))
        sender = Sender(authority, peer)
        assert sender.send()[:2] == (410, "Unregistered") and sender.send()[:2] == (503, "ServiceUnavailable") and sender.send()[0] == 200
        assert [request.status for request in peer.requests.where(key=DEVICE)] == [410, 503, 200]


# --- Google ---
class GoogleClient:
    def __init__(self, authority, peer):
        self.authority, self.peer = authority, peer
        self.account = json.loads(peer.account_file.read_text())

    def ask_token(self, **change):
        now = int(time.time())
        claims = {"iss": self.account["client_email"], "scope": fcm.SCOPE, "aud": self.account["token_uri"], "iat": now, "exp": now + 3600, **change}
        assertion = jwt.encode(claims, self.account["private_key"], algorithm="RS256", headers={"kid": self.account["private_key_id"]})
        return curl(self.authority, self.account["token_uri"], options=["--data-urlencode", f"grant_type={fcm.GRANT}", "-d", f"assertion={assertion}"])

    def send(self, bearer, message):
        return curl(self.authority, f"{self.peer.url}/v1/projects/{self.peer.project}/messages:send", data=json.dumps({"message": message}).encode(),
                    headers={"authorization": f"Bearer {bearer}", "content-type": "application/json"})


def test_fcm_tokens(authority):
    with Fcm(authority, token_life_s=3000) as peer:
        client = GoogleClient(authority, peer)
        for change in ({"iss": "x"}, {"scope": "mail"}, {"aud": "x"}, {"exp": int(time.time()) - 1}, {"exp": int(time.time()) + 4000}):
            assert client.ask_token(**change).json()["error"] == "invalid_grant", change
        given = client.ask_token().json()
        assert given["expires_in"] == 3000 and given["token_type"] == "Bearer"
        assert client.send(given["access_token"], {"token": "t"}).status == 200
        assert client.send("another", {"token": "t"}).json()["error"]["status"] == "UNAUTHENTICATED"
        peer.token_life_s = 1
        given = client.ask_token().json()
        time.sleep(1.1)  # the life that was promised
        assert client.send(given["access_token"], {"token": "t"}).status == 401


def test_fcm_messages(authority):
    with Fcm(authority) as peer:
        client = GoogleClient(authority, peer)
        bearer = client.ask_token().json()["access_token"]
        good = {"token": "t", "data": {"a": "1"}, "notification": {"title": "x", "body": "y"},
                "android": {"priority": "HIGH", "ttl": "3.5s", "collapse_key": "c", "notification": {"notification_count": 3}}}
        answer = client.send(bearer, good)
        assert answer.status == 200 and answer.json()["name"].startswith(f"projects/{peer.project}/messages/")
        for change in ({"data": {"a": 1}}, {"data": {"from": "x"}}, {"data": {"a": "x" * 5000}}, {"android": {"priority": "URGENT"}},
                       {"android": {"ttl": 3}}, {"android": {"ttl": "3"}}, {"colour": "x"}, {"notification": {"titel": "x"}}, {"topic": "also"},
                       {"token": ""}):
            answer = client.send(bearer, {**good, **change})
            assert answer.status == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT", change
        peer.plan.once("t", fcm.unregistered(), fcm.quota_exceeded(retry_after_s=7))
        gone = client.send(bearer, good).json()["error"]
        assert gone["code"] == 404 and gone["details"][0]["errorCode"] == "UNREGISTERED"
        assert client.send(bearer, good).headers["retry-after"] == "7"
        peer.expire_tokens()
        assert client.send(bearer, good).status == 401 and len(peer.sends) == 14


# --- Web Push ---
RFC8291 = {  # section 5 and appendix A
    "plain": b"When I grow up, I want to be a watermelon", "auth": "BTBZMqHH6r4Tts7J_aSIgg", "salt": "DGv6ra1nlYgDCS1FRnbzlw",
    "receiver": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "receiver_public": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "sender_public": "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
    "key": "oIhVW04MRdy2XN9CiKLxTg", "nonce": "4h_95klXJ5E_qnoN",
    "message": "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
               "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"}


def test_the_receivers_cryptography_is_that_of_rfc_8291():
    values = {name: aes128gcm.decode(value) for name, value in RFC8291.items() if name != "plain"}
    receiver = aes128gcm.private_key_from(values["receiver"])
    assert aes128gcm.point(receiver.public_key()) == values["receiver_public"]
    assert aes128gcm.derive(receiver, values["auth"], values["salt"], values["sender_public"]) == (values["key"], values["nonce"])
    assert aes128gcm.decrypt(receiver, values["auth"], values["message"]) == RFC8291["plain"]
    with pytest.raises(Exception):
        aes128gcm.decrypt(receiver, values["auth"], values["message"][:-1] + b"?")


class BrowserSender:
    """An application server in Python: what the notifier does in C."""

    def __init__(self, authority, peer):
        self.authority, self.peer = authority, peer

    def encrypt(self, subscription, plain):
        mine, salt = aes128gcm.point(ec.generate_private_key(ec.SECP256R1()).public_key()), b"s" * 16
        content_key, nonce = aes128gcm.derive(subscription.key, subscription.auth, salt, mine)  # from either side the same
        return salt + (4096).to_bytes(4, "big") + b"\x41" + mine + AESGCM(content_key).encrypt(nonce, plain + b"\2", None)

    def vapid(self, **change):
        key = change.pop("key", self.peer.vapid_file.read_text())
        claims = {"aud": self.peer.url, "exp": int(time.time()) + 3600, "sub": "mailto:a@example.org", **change}
        return f"vapid t={jwt.encode(claims, key, algorithm='ES256')}, k={aes128gcm.encode(self.peer.application_server_key)}"

    def send(self, subscription, plain=b'{"a":1}', *, body=None, options=(), **change):
        headers = {"ttl": "60", "content-encoding": "aes128gcm", "urgency": "high", "authorization": self.vapid(),
                   **{name.replace("_", "-"): value for name, value in change.items()}}
        return curl(self.authority, subscription.endpoint, data=self.encrypt(subscription, plain) if body is None else body, headers=headers, options=options)


def test_webpush(authority):
    with WebPush(authority) as peer:
        sender, subscription = BrowserSender(authority, peer), peer.subscribe()
        for options in ((), ("--http1.1",)):
            assert sender.send(subscription, topic="t", options=options).status == 201
        seen = peer.requests.where(key=subscription.id)
        assert [request.content for request in seen] == [{"a": 1}] * 2 and [request.version for request in seen] == ["2", "1.1"]
        stranger = private_pem(ec.generate_private_key(ec.SECP256R1())).decode()
        for status, change in [(403, {"authorization": sender.vapid(aud="https://other")}), (403, {"authorization": sender.vapid(exp=int(time.time()) - 90)}),
                               (403, {"authorization": sender.vapid(exp=int(time.time()) + 90000)}), (403, {"authorization": sender.vapid(sub="me")}),
                               (403, {"authorization": sender.vapid(key=stranger)}), (401, {"authorization": "none"}), (400, {"ttl": "x"}),
                               (400, {"urgency": "very"}), (400, {"topic": "a b"}), (415, {"content_encoding": "aesgcm"}),
                               (400, {"body": b"x" * 200}), (413, {"body": b"x" * 4097})]:
            assert sender.send(subscription, **change).status == status, change
        other = peer.subscribe()
        assert sender.send(other, body=sender.encrypt(subscription, b"{}")).status == 400, "encrypted for somebody else"
        peer.plan.once(subscription.id, Answer(410), peer.redirect())
        assert sender.send(subscription).status == 410
        assert sender.send(subscription).headers["location"] == f"{peer.url}/elsewhere"


# --- SMS ---
def test_sms(authority):
    with Sms(authority) as peer, Callback(authority) as callback:
        def send(to="+41790000001", auth=f"{peer.account}:{peer.auth_token}", **more):
            form = {"To": to, "From": peer.sender, "Body": "hello & welcome é", **more}
            options = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
            return curl(authority, f"{peer.url}/2010-04-01/Accounts/{peer.account}/Messages.json", options=["-u", auth, *options])
        answer = send(StatusCallback=f"{callback.url}/sms?x=1")
        assert answer.status == 201 and answer.json()["sid"].startswith("SM") and len(answer.json()["sid"]) == 34
        assert send(auth="a:b").json()["code"] == 20003
        for code, change in ((21211, {"to": "0790000001"}), (21603, {"From": ""}), (21602, {"Body": ""}), (21617, {"Body": "x" * 1601})):
            assert send(**change).json()["code"] == code
        peer.plan.once("+41790000001", sms.opted_out(), sms.too_many(retry_after_s=3))
        assert send().json()["code"] == 21610
        assert send().status == 429
        accepted = peer.requests.where(status=201)[0]
        assert accepted.content["Body"] == "hello & welcome é" and accepted.key == "+41790000001"
        assert peer.call_back(accepted, "delivered") == 200
        (called,) = callback.requests
        assert called.path == "/sms?x=1" and called.form()["MessageSid"] == accepted.content["sid"]
        assert called.headers["x-twilio-signature"] == peer.sign(f"{callback.url}/sms?x=1", called.form())
        peer.call_back(accepted, "delivered", signature="")
        assert "x-twilio-signature" not in callback.requests.where()[1].headers


class Callback(HttpServer):
    alpn = ()


def test_sms_signature_is_the_one_of_twilios_documentation(authority):
    """https://www.twilio.com/docs/usage/security: the worked example."""
    peer = Sms(authority, auth_token="12345")
    form = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675310", "Digits": "1234", "From": "+14158675310", "To": "+18005551212"}
    assert peer.sign("https://mycompany.com/myapp.php?foo=1&bar=2", form) == "GvWf1cFY/Q7PnoempGyD5oXAezc="


# --- e-mail ---
def mail(to="a@example.org"):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "rides@example.org", to, "Fahrt für Sie"
    message.set_content("Grüezi")
    return message


def test_smtp(authority):
    with Smtp(authority) as peer:
        def client():
            return smtplib.SMTP("127.0.0.1", peer.port, timeout=90)
        with client() as plain:
            plain.ehlo()
            assert plain.docmd("AUTH", "PLAIN AG5vdGlmaWVyAG1haWwtcGFzc3dvcmQ=")[0] in (530, 538), "not before STARTTLS"
            assert plain.mail("rides@example.org")[0] == 530
        with client() as secure:
            secure.starttls(context=peer.authority.client_context())
            assert secure.ehlo() and secure.mail("rides@example.org")[0] == 530, "not without a password"
            with pytest.raises(smtplib.SMTPAuthenticationError):
                secure.login(peer.user, "wrong")
            secure.login(peer.user, peer.password)
            peer.plan.once("a@example.org", "452 4.2.2 mailbox full", "550 5.1.1 no such user")
            for code in (452, 550):
                with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                    secure.send_message(mail())
                assert refused.value.recipients["a@example.org"][0] == code
            secure.send_message(mail())
            peer.plan.once("data:a@example.org", "451 4.3.0 try again")
            with pytest.raises(smtplib.SMTPDataError):
                secure.send_message(mail())
        (seen,) = peer.mails
        assert seen.message["Subject"] == "Fahrt für Sie" and seen.text.split() == ["Grüezi"] and seen.was_encrypted and seen.recipients == ["a@example.org"]


def test_smtp_may_be_cut(authority):
    with Smtp(authority) as peer, smtplib.SMTP("127.0.0.1", peer.port, timeout=90) as client:
        client.starttls(context=peer.authority.client_context())
        client.login(peer.user, peer.password)
        peer.plan.once("data:a@example.org", "cut")
        with pytest.raises((smtplib.SMTPServerDisconnected, ssl.SSLError, OSError)):
            client.send_message(mail())
        assert len(peer.mails) == 1, "it was taken all the same"


# --- webhook ---
def test_webhook(authority):
    # The example of the Standard Webhooks specification.
    known = Webhook(authority, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert known.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}') == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with Webhook(authority) as peer:
        def send(body=b'{"a":1}', at=None, signature=None):
            at = str(int(time.time()) if at is None else at)
            return curl(authority, f"{peer.url}/hook", data=body, headers={
                "webhook-id": "m1", "webhook-timestamp": at, "webhook-signature": signature or f"v1,{peer.sign('m1', at, body)}"}).status
        assert send() == 204 and send(signature="v1,AAAA") == 401 and send(at=1614265330) == 400
