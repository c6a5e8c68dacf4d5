"""User events at the gateway: acknowledged, paged over REST, and never shown once they have expired."""
import asyncio
import json
import os
import signal
import socket
import struct
import time
import urllib.error
import urllib.request
import uuid

from conftest import fresh, run, seconds
from nats_mini import connect, decode, encode
from waiting import PATIENCE_S, eventually

TOMBSTONE = {"type", "event_id", "expired_type", "expires_at"}


def post(suite, user, event_type="policy_notice", **more):
    body = {"event_id": str(uuid.uuid4()), "type": event_type, "data": {"text": "surge"}, **more}
    status, answer = suite.rest("POST", f"/v1/users/{user}/events", body)
    assert status == 201, answer
    return body["event_id"]


def store(bus, user, event_type="policy_notice", *, expires_in_s=None, text="surge"):
    """As a back end that publishes to NATS by itself; its sequence and id."""
    now = int(time.time() * 1000)
    event = {1: user, 2: str(uuid.uuid4()), 3: event_type, 4: json.dumps({"text": text}), 6: now}
    if expires_in_s is not None:
        event[7] = now + int(expires_in_s * 1000)
    answer = json.loads(bus.request(f"in.user.{user}.events", encode(event))[1])
    return answer["seq"], event[2]


def public(suite, method, path, token, body=None, headers=None):
    """(status, JSON or None, headers) of the public port."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(suite.stack.public + path, method=method, data=data, headers=headers or {})
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content = answer.read()
            return answer.status, json.loads(content) if content else None, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null"), error.headers


def stored_count(suite):
    """How many acknowledgements the gateway has seen stored."""
    return suite.metric("edge-gateway", "hansom_gateway_event_acks_total", outcome="stored")


async def listen(suite, user, **more):
    client = await suite.connect(user, "client")
    client.joined = await client.ask("subscribe", channel=f"user.{user}.events", **more)
    assert client.joined["op"] == "reply", client.joined
    return client


class Acks:
    """What goes into EVENT_ACKS for a user. A notifier may take it out of the stream at once, so the subject is heard."""

    def __init__(self, suite, user):
        self.suite, self.user, self.bus = suite, user, connect(suite.stack)
        self.bus.subscribe(f"in.user.{user}.ack")

    def next(self):
        return decode(self.bus.receive()[1])

    def check_stored(self, sequence):
        if "notifier" not in self.suite.stack.services:
            assert decode(connect(self.suite.stack).last("EVENT_ACKS", f"in.user.{self.user}.ack"))[3] == sequence


def test_an_acknowledgement_is_stored(suite):
    async def scenario():
        user = fresh("c")
        client, acks = await listen(suite, user), Acks(suite, user)
        event_id = post(suite, user)
        seen = await client.message("policy_notice", event_id=event_id)
        before = time.time() * 1000
        await client.send(op="ack", channel=f"user.{user}.events", seq=seen["seq"])
        ack = await asyncio.to_thread(acks.next)
        assert ack[1] == user.encode() and ack[2] == int(seen["epoch"], 16) and ack[3] == seen["seq"] and abs(ack[5] - before) < 100000
        await client.ask("ping", t=1)
        assert not [frame for frame in client.frames if frame["op"] in ("error", "reply")], "no answer"
        acks.check_stored(seen["seq"])
    run(scenario())


def test_an_acknowledgement_of_what_was_never_subscribed_is_checked_against_the_channel(suite):
    async def scenario():
        user = fresh("c")
        client, acks = await suite.connect(user, "client"), Acks(suite, user)
        bus = connect(suite.stack)
        sequence, _ = store(bus, user)
        await client.send(op="ack", channel=f"user.{user}.events", seq=sequence)
        assert (await asyncio.to_thread(acks.next))[3] == sequence
        refused = await client.ask("ack", channel=f"user.{user}.events", seq=sequence + 1)
        assert refused["op"] == "error" and refused["code"] == "bad_request" and refused["message"].startswith("seq:")
        later, _ = store(bus, user)
        await client.send(op="ack", channel=f"user.{user}.events", seq=later)
        assert (await asyncio.to_thread(acks.next))[3] == later, "the refused one left nothing behind"
    run(scenario())


def test_nobody_acknowledges_for_somebody_else(suite):
    async def scenario():
        user, ride = fresh("c"), suite.booking()
        bus, acks = connect(suite.stack), Acks(suite, user)
        sequence, _ = store(bus, user)
        staff, other = await suite.connect(fresh("s"), "support"), await suite.connect(fresh("c"), "client")
        for who in (staff, other):
            refused = await who.ask("ack", channel=f"user.{user}.events", seq=sequence)
            assert refused["code"] == "forbidden" and refused["message"].startswith("channel:"), refused
        client = await suite.connect(user, "client")
        for change, code in [({"channel": ride.channel("chat")}, "bad_request"), ({"seq": 0}, "bad_request"), ({"seq": -1}, "bad_request"),
                             ({"seq": 1.5}, "bad_request"), ({"seq": "9"}, "bad_request"), ({"seq": None}, "bad_request")]:
            frame = {"channel": f"user.{user}.events", "seq": sequence, **change}
            refused = await client.ask("ack", **frame)
            assert refused["code"] == code and refused["message"].startswith(list(change)[0]), (change, refused)
        await client.send(op="ack", channel=f"user.{user}.events", seq=sequence)
        assert (await asyncio.to_thread(acks.next))[3] == sequence, "the first one that is stored"
    run(scenario())


def test_an_acknowledgement_while_nats_is_away_comes_after_it(suite):
    async def scenario():
        user = fresh("c")
        client = await listen(suite, user)
        token = suite.token(user, "client")
        sequence, _ = store(connect(suite.stack), user)
        await client.message("policy_notice")
        pid, before = suite.pid("nats-server"), stored_count(suite)
        os.kill(pid, signal.SIGSTOP)
        try:
            await client.send(op="ack", channel=f"user.{user}.events", seq=sequence)
            await client.ask("ping", t=1)
            await client.socket.close(1000)
            code, problem, headers = await asyncio.to_thread(public, suite, "POST", "/v1/me/events/ack", token, {"seq": sequence})
            assert code == 503 and problem["code"] == "unavailable" and int(headers["Retry-After"]) >= 1
        finally:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: suite.pid("nats-server") != pid and suite.stack.is_service_ready("edge-gateway"), "NATS is not back")
        await eventually(lambda: stored_count(suite) != before, "the acknowledgement never came")
        Acks(suite, user).check_stored(sequence)
    run(scenario())


# --- REST ---


def test_acknowledging_over_rest(suite):
    user = fresh("c")
    token, acks = suite.token(user, "client"), Acks(suite, user)
    sequence, _ = store(connect(suite.stack), user)
    epoch = public(suite, "GET", "/v1/me/events", token)[1]["messages"][0]["epoch"]
    assert public(suite, "POST", "/v1/me/events/ack", token, {"seq": sequence})[:2] == (204, None)
    assert acks.next()[3] == sequence
    assert public(suite, "POST", "/v1/me/events/ack", token, {"seq": sequence, "epoch": epoch})[0] == 204
    for body, status, field in [({"seq": sequence + 1}, 400, "seq"), ({"seq": 0}, 400, "seq"), ({}, 400, "seq"), (b"", 400, "body"),
                                (b"[1]", 400, "body"), ({"seq": sequence, "epoch": "zz"}, 400, "epoch"),
                                ({"seq": sequence, "epoch": "1a"}, 409, "epoch")]:
        code, problem, _ = public(suite, "POST", "/v1/me/events/ack", token, body)
        assert code == status and problem["detail"].startswith(field), (body, problem)
    assert public(suite, "POST", "/v1/me/events/ack", None, {"seq": sequence})[0] == 401
    assert public(suite, "GET", "/v1/me/events/ack", token)[0] == 405
    narrow = suite.token(user, "client", scopes=["subscribe:booking.>"])
    assert public(suite, "POST", "/v1/me/events/ack", narrow, {"seq": sequence})[0] == 403
    assert public(suite, "GET", "/v1/me/events", narrow)[0] == 403


def test_the_pages_of_my_events(suite):
    user = fresh("c")
    token, bus = suite.token(user, "client"), connect(suite.stack)
    code, empty, _ = public(suite, "GET", "/v1/me/events", token)
    assert code == 200 and empty == {"messages": [], "after": None, "has_more": False, "recovered": False}
    sent = []
    for number in range(7):
        sent.append(store(bus, user, text=f"n{number}"))
        store(bus, fresh("c"))  # somebody else's lie between
    path, seen, pages = "/v1/me/events?limit=3", [], []
    while True:
        code, page, _ = public(suite, "GET", path, token)
        assert code == 200, page
        pages.append(page)
        seen += page["messages"]
        if not page["has_more"]:
            break
        path = f"/v1/me/events?limit=3&after={page['after']}"
    assert [len(page["messages"]) for page in pages] == [3, 3, 1]
    assert [page["recovered"] for page in pages] == [False, True, True]
    assert [(item["seq"], item["data"]["event_id"]) for item in seen] == sent
    assert [item["data"]["text"] for item in seen] == [f"n{number}" for number in range(7)]
    assert "prev" not in seen[0] and [item["prev"] for item in seen[1:]] == [item["seq"] for item in seen[:-1]]
    assert all(item["channel"] == f"user.{user}.events" and "op" not in item for item in seen)
    code, nothing, _ = public(suite, "GET", f"/v1/me/events?after={pages[-1]['after']}", token)
    assert nothing == {"messages": [], "after": pages[-1]["after"], "has_more": False, "recovered": True}
    code, exact, _ = public(suite, "GET", "/v1/me/events?limit=7", token)
    assert len(exact["messages"]) == 7 and exact["has_more"] is False, "exactly a page is all there is"
    code, again, _ = public(suite, "GET", "/v1/me/events?limit=2&after=1a.5", token)
    assert code == 200 and again["recovered"] is False and [item["seq"] for item in again["messages"]] == [row[0] for row in sent[:2]]
    for query, field in [("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("after=x", "after"), ("after=1a.", "after")]:
        code, problem, _ = public(suite, "GET", "/v1/me/events?" + query, token)
        assert code == 400 and problem["detail"].startswith(field), (query, problem)
    assert public(suite, "GET", "/v1/me/events", None)[0] == 401


# --- what has expired ---


def check_tombstone(item, sequence, event_id, event_type="assignment_offer"):
    assert item["seq"] == sequence and set(item["data"]) == TOMBSTONE, item
    assert item["data"]["type"] == "expired" and item["data"]["expired_type"] == event_type and item["data"]["event_id"] == event_id
    assert seconds(item["data"]["expires_at"]) <= time.time()


def test_what_has_expired_is_a_tombstone_wherever_it_is_read(suite):
    async def scenario():
        user = fresh("c")
        bus, client = connect(suite.stack), await listen(suite, user)
        first = store(bus, user)
        gone = store(bus, user, "assignment_offer", expires_in_s=-1, text="never to be seen")
        valid = store(bus, user, "assignment_offer", expires_in_s=3600, text="to be seen")
        seen = await client.message("policy_notice")
        live = await client.message("expired")
        check_tombstone(live, *gone)
        assert live["prev"] == first[0] and live["channel"] == f"user.{user}.events"
        assert (await client.message("assignment_offer"))["prev"] == gone[0]
        back = await listen(suite, user, since={"epoch": seen["epoch"], "seq": seen["seq"]})
        assert back.joined["recovered"] is True and [item["seq"] for item in back.joined["messages"]] == [gone[0], valid[0]]
        check_tombstone(back.joined["messages"][0], *gone)
        assert back.joined["messages"][1]["data"]["text"] == "to be seen"
        tail = (await listen(suite, user)).joined["messages"]
        check_tombstone(tail[1], *gone)
        page = public(suite, "GET", "/v1/me/events", suite.token(user, "client"))[1]["messages"]
        check_tombstone(page[1], *gone)
        assert page[2]["data"]["text"] == "to be seen"
        assert "never to be seen" not in json.dumps([live, back.joined, tail, page])
    run(scenario())


def test_a_wake_is_told_as_any_event(suite):
    async def scenario():
        user = fresh("d")
        client = await suite.connect(user, "driver")
        await client.ask("subscribe", channel=f"user.{user}.events")
        sequence, event_id = store(connect(suite.stack), user, "driver_wake", expires_in_s=60)
        assert (await client.message("driver_wake"))["data"]["event_id"] == event_id
    run(scenario())


class StuckReader:
    """A WebSocket client that stops reading, with small buffers, so that what it is sent waits in the gateway."""

    def __init__(self, suite, user):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", suite.stack.port))
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Protocol: hansom.v1.json\r\n\r\n")
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self.more()
        assert b" 101 " in self.bytes.split(b"\r\n")[0]
        self.bytes = self.bytes.partition(b"\r\n\r\n")[2]
        self.send(op="connect", id=1, token=suite.token(user, "client"))
        assert self.frame()["id"] == 1

    def more(self):
        block = self.socket.recv(65536)
        assert block, "closed"
        self.bytes += block

    def send(self, **frame):
        text = json.dumps(frame).encode()
        assert len(text) < 65536
        self.socket.sendall(struct.pack(">BBH", 0x81, 0x80 | 126, len(text)) + bytes(4) + text)

    def take(self, size):
        while len(self.bytes) < size:
            self.more()

    def text(self):
        """The next text frame as it came."""
        while True:
            self.take(2)
            kind, length, header = self.bytes[0] & 15, self.bytes[1], 2
            if length == 126:
                self.take(4)
                length, header = struct.unpack(">H", self.bytes[2:4])[0], 4
            elif length == 127:
                self.take(10)
                length, header = struct.unpack(">Q", self.bytes[2:10])[0], 10
            self.take(header + length)
            payload, self.bytes = self.bytes[header:header + length], self.bytes[header + length:]
            if kind == 1:
                return payload.decode()

    def frame(self):
        return json.loads(self.text())


# How long an event lives that must have gone all its way before it ends: the first of these that is enough.
LIVES_S = (4, 15, 60)


def wait_expired(expires_at):
    """False when it was too late to show anything."""
    if time.time() > expires_at - 1:
        return False
    while time.time() < expires_at + 0.1:
        time.sleep(0.05)
    return True


def test_what_waits_for_a_client_that_does_not_read_expires_there(suite):
    assert any(expire_unread(suite, life_s) for life_s in LIVES_S), "too slow to show anything"


def expire_unread(suite, life_s):
    user = fresh("c")
    bus, reader = connect(suite.stack), StuckReader(suite, user)
    reader.send(op="subscribe", id=2, channel=f"user.{user}.events")
    while reader.frame().get("id") != 2:
        pass
    filler, offers = "x" * 8000, []
    expires_at = time.time() + life_s
    for _ in range(25):  # 200 kB: more than both sockets hold, less than the outbox does
        store(bus, user, text=filler)
    for number in range(5):
        offers.append(store(bus, user, "assignment_offer", expires_in_s=expires_at - time.time(), text="never to be seen"))
    kept = store(bus, user, "assignment_offer", expires_in_s=3600, text="to be seen")
    if not wait_expired(expires_at):
        return False
    items, previous = [], None
    while not items or items[-1]["seq"] != kept[0]:
        text = reader.text()
        assert "never to be seen" not in text
        item = json.loads(text)
        assert item["op"] == "message" and (previous is None or item["prev"] == previous)
        previous = item["seq"]
        items.append(item)
    assert len(items) == 31
    for item, offer in zip(items[25:30], offers):
        check_tombstone(item, *offer)
    assert items[30]["data"]["text"] == "to be seen"
    reader.socket.close()
    return True


def test_what_expires_within_a_reply_that_waits_is_a_tombstone_too(suite):
    assert any(expire_in_a_reply(suite, life_s) for life_s in LIVES_S), "too slow to show anything"


def expire_in_a_reply(suite, life_s):
    user = fresh("c")
    bus = connect(suite.stack)
    for _ in range(30):
        store(bus, user, text="x" * 8000)
    expires_at = time.time() + life_s
    offer = store(bus, user, "assignment_offer", expires_in_s=expires_at - time.time(), text="never to be seen")
    kept = store(bus, user, "assignment_offer", expires_in_s=3600, text="to be seen")
    reader = StuckReader(suite, user)
    reader.send(op="subscribe", id=2, channel=f"user.{user}.events")
    reader.take(1)  # it is on its way, and more than the sockets hold: the next one waits whole
    reader.send(op="subscribe", id=3, channel=f"user.{user}.events")
    if not wait_expired(expires_at):
        return False
    text = ""
    while '"id":3' not in text[:40]:
        text = reader.text()
    assert "never to be seen" not in text
    messages = json.loads(text)["messages"]
    assert len(messages) == 32
    check_tombstone(messages[30], *offer)
    assert messages[31]["seq"] == kept[0] and messages[31]["data"]["text"] == "to be seen"
    reader.socket.close()
    return True


def test_a_revoked_token_is_worth_nothing_over_rest_either(suite):
    user = fresh("c")
    token = suite.token(user, "client")
    ask = lambda: suite.rest("GET", "/v1/me/events", key=token, base=suite.stack.public)
    assert ask()[0] == 200
    assert suite.rest("DELETE", f"/v1/users/{user}/sessions")[0] == 204
    status, problem = ask()
    assert status == 401 and problem["code"] == "unauthorized"
    assert suite.rest("PUT", "/v1/me/devices/phone", {"provider": "fcm", "token": "x", "platform": "ios"}, key=token, base=suite.stack.public)[0] == 401
    assert suite.rest("GET", "/v1/me/events", key=suite.token(user, "client"), base=suite.stack.public)[0] == 200, "a later one is good"


# --- what nobody checked before the stream had it ---


def test_what_is_not_understood_ends_no_connection(suite):
    """A back end may publish anything. Whoever it is for must be able to connect all the same, now and later."""
    async def scenario():
        user, bus = fresh("c"), connect(suite.stack)
        client = await listen(suite, user)
        now = int(time.time() * 1000)
        for changed in ({4: b'{"a":"\xff"}'}, {3: b"\xff"}, {2: b"\xc3"}, {4: b'{"\xed\xa0\x80":1}'}, {3: b"\xff", 7: now - 1}):
            event = {1: user, 2: "e", 3: "policy_notice", 4: "{}", 6: now, **changed}
            sequence = bus.store(f"in.user.{user}.events", encode(event))
            seen = await client.wait(lambda frame: frame.get("op") == "message")
            assert seen["seq"] == sequence, seen
        bus.store(f"in.user.{user}.events", b"\xff\xff\xff")
        good, event_id = store(bus, user)
        seen = await client.wait(lambda frame: frame.get("op") == "message" and frame["data"]["event_id"] == event_id)
        again = await listen(suite, user)
        assert again.joined["messages"][-1]["seq"] == good
        since = await listen(suite, user, since={"epoch": seen["epoch"], "seq": good - 1})
        assert since.joined["messages"][-1]["seq"] == good
        status, page, _ = public(suite, "GET", "/v1/me/events", suite.token(user, "client"))
        assert status == 200 and page["messages"][-1]["seq"] == good
        assert not [frame for frame in client.frames if frame.get("op") == "resync"], client.frames
    run(scenario())
