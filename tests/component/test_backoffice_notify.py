"""Contacts, the ledger, dead letters, replay and erasure at backoffice; what the notifier says is played here."""
import json
import os
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from backoffice_world import API_KEY, BUILD, World  # noqa: E402
from nats_mini import Nats, decode, encode  # noqa: E402
from waiting import wait_until  # noqa: E402
from nats_responder import Responder  # noqa: E402
from test_backoffice import problem  # noqa: E402

CONTACTS, LEDGER, DEAD, REPLAY, ERASE, CHAT_ERASE = ("rpc.notify.contacts.put", "rpc.notify.ledger", "rpc.notify.dead",
                                                     "rpc.notify.replay", "rpc.notify.erase", "rpc.chat.erase")
T0 = 1735732800000  # 2025-01-01T12:00:00Z


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


def says(world, **replies):
    """A notifier that always answers the same: subject's last word(s) -> reply."""
    names = {"contacts": CONTACTS, "ledger": LEDGER, "dead": DEAD, "replay": REPLAY, "erase": ERASE, "chat": CHAT_ERASE}
    return Responder(world.nats_port, {names[name]: (lambda reply: lambda _: reply)(reply) for name, reply in replies.items()})


def text(fields, number):
    return fields.get(number, b"").decode()


# --- contacts


def test_contacts_are_kept_whole(world):
    body = {"email": "ann@example.com", "phone": "+41791234567", "locale": "de-CH", "timezone": "Europe/Zurich",
            "preferences": {"channels": {"sms": False}, "muted_types": ["policy_notice"],
                            "quiet_hours": {"from": "22:00", "to": "07:30"}}}
    with says(world, contacts=b"") as notifier:
        status, answer, _ = world.call("PUT", "/v1/users/u1/contacts", body)
        assert status == 200, answer
        assert answer == {"user_id": "u1", **body, "preferences": {**body["preferences"],
                                                                   "channels": {"push": True, "email": True, "sms": False}}}
        put = decode(notifier.requests(CONTACTS)[0])
        assert [text(put, number) for number in range(1, 6)] == ["u1", "ann@example.com", "+41791234567", "de-CH", "Europe/Zurich"]
        assert decode(put[6]) == {3: 1, 4: b"policy_notice", 5: 1, 6: 22 * 60, 7: 7 * 60 + 30}
        assert world.call("PUT", "/v1/users/u1/contacts", {})[1] == {
            "user_id": "u1", "email": None, "phone": None, "locale": None, "timezone": None,
            "preferences": {"channels": {"push": True, "email": True, "sms": True}, "muted_types": [], "quiet_hours": None}}
        put = decode(notifier.requests(CONTACTS)[1])
        assert text(put, 1) == "u1" and set(put) == {1, 6} and put[6] == b"", "nothing of before is left"


def test_bad_contacts_name_the_field_and_are_not_passed_on(world):
    with says(world, contacts=b"") as notifier:
        for body, field in [({"email": "Ann <ann@example.com>"}, "email"), ({"email": "a@b.c\r\nBcc: x@y.z"}, "email"),
                            ({"phone": "0791234567"}, "phone"), ({"locale": "de_CH"}, "locale"),
                            ({"timezone": "+01:00"}, "timezone"), ({"preferences": {"quiet": 1}}, "preferences.quiet"),
                            ({"preferences": {"quiet_hours": {"from": "25:00", "to": "07:00"}}}, "preferences.quiet_hours.from")]:
            problem(world.call("PUT", "/v1/users/u1/contacts", body), 400, "bad_request", field)
        problem(world.call("PUT", "/v1/users/u.1/contacts", {}), 400, "bad_request", "id")
        problem(world.call("PUT", "/v1/users/u1/contacts", b'{"email":"\xff@x.y"}'), 400, "bad_request", "body")
        assert notifier.asked == []


def test_what_the_notifier_refuses_is_passed_on(world):
    with says(world, contacts=encode({1: "bad_request", 2: "timezone: there is no Europe/Atlantis"})):
        answer = world.call("PUT", "/v1/users/u1/contacts", {"timezone": "Europe/Atlantis"})
        problem(answer, 400, "bad_request", "timezone")
        assert answer[1]["detail"] == "timezone: there is no Europe/Atlantis"


# --- the ledger


def ledger():
    attempt = encode({1: 1, 2: "failed", 3: "unavailable", 4: 503, 6: T0, 7: T0 + 50})
    second = encode({1: 2, 2: "accepted", 4: 200, 5: "projects/p/messages/7", 6: T0 + 1000, 7: T0 + 1052})
    delivery = encode({1: 17, 2: 1, 3: "fcm", 4: "phone", 5: "accepted", 9: attempt}) + encode({9: second})
    event = encode({1: "u1", 2: "e1", 3: "assignment_offer", 4: 1, 5: "ladder", 6: T0, 7: T0 + 300000,
                    9: encode({1: 1, 2: "done"})}) + encode({9: encode({1: 2, 2: "waiting", 4: T0 + 63000}), 10: delivery})
    return encode({2: event})


def test_the_ledger_of_an_event(world):
    with says(world, ledger=ledger()) as notifier:
        status, answer, _ = world.call("GET", "/v1/notifications/e1")
        assert status == 200
        assert answer == {"events": [{
            "user_id": "u1", "event_id": "e1", "type": "assignment_offer", "critical": True, "policy": "ladder",
            "created_at": "2025-01-01T12:00:00Z", "expires_at": "2025-01-01T12:05:00Z",
            "steps": [{"step": 1, "kind": "push", "state": "done"},
                      {"step": 2, "kind": "contact", "state": "waiting", "due_at": "2025-01-01T12:01:03Z"}],
            "deliveries": [{"delivery_id": 17, "step": 1, "channel": "fcm", "device_id": "phone", "state": "accepted",
                            "attempts": [{"number": 1, "outcome": "failed", "reason": "unavailable", "status": 503,
                                          "started_at": "2025-01-01T12:00:00Z", "ended_at": "2025-01-01T12:00:00.050Z"},
                                         {"number": 2, "outcome": "accepted", "status": 200, "provider_id": "projects/p/messages/7",
                                          "started_at": "2025-01-01T12:00:01Z", "ended_at": "2025-01-01T12:00:01.052Z"}]}]}]}
        world.call("GET", "/v1/notifications/e1?user_id=u%31")
        assert [decode(request) for request in notifier.requests(LEDGER)] == [{1: b"e1"}, {1: b"e1", 2: b"u1"}]
        for query, field in [("?user_id=a.b", "user_id"), ("?user=u1", "user"), ("?user_id=u1&user_id=u2", "user_id"),
                             ("?user_id", "user_id"), ("?user_id=%00", "user_id"), ("?%3Cb%3E=1", "query")]:
            problem(world.call("GET", "/v1/notifications/e1" + query), 400, "bad_request", field)
        problem(world.call("GET", "/v1/notifications/a.b"), 400, "bad_request", "id")
        assert len(notifier.asked) == 2
    with says(world, ledger=b""):
        problem(world.call("GET", "/v1/notifications/e1"), 404, "not_found")


# --- dead letters


def test_dead_letters_come_by_page(world):
    def letter(number):
        return encode({2: encode({1: "u1", 2: f"e{number}", 3: "t", 4: encode({1: number, 2: 2, 3: "sms", 5: "dead",
                                                                            6: "unavailable"})})})

    def answer(request):
        before = decode(request).get(2, 100)
        return letter(before - 1) + letter(before - 2) + (encode({3: 1}) if before == 100 else b"")
    with Responder(world.nats_port, {DEAD: answer}) as notifier:
        first = world.call("GET", "/v1/notifications?state=dead&channel=sms&limit=2")[1]
        assert first["has_more"] is True and first["before"] == 98
        assert first["notifications"][0] == {"user_id": "u1", "event_id": "e99", "type": "t", "delivery_id": 99, "step": 2,
                                             "channel": "sms", "state": "dead", "reason": "unavailable"}
        second = world.call("GET", f"/v1/notifications?state=dead&before={first['before']}")[1]
        assert [item["delivery_id"] for item in second["notifications"]] == [97, 96]
        assert second["has_more"] is False and second["before"] is None
        assert [decode(request) for request in notifier.requests(DEAD)] == [
            {1: b"sms", 3: 2}, {2: 98, 3: 50}]
        for query, field in [("", "state"), ("?state=due", "state"), ("?state=dead&limit=201", "limit"),
                             ("?state=dead&limit=x", "limit"), ("?state=dead&before=0", "before"),
                             ("?state=dead&channel=a%20b", "channel"), ("?state=dead&after=1", "after"),
                             ("?state=dead&limit=" + "1" * 200, "limit")]:
            problem(world.call("GET", "/v1/notifications" + query), 400, "bad_request", field)
        assert len(notifier.asked) == 2
    with says(world, dead=encode({1: "bad_request"})):
        problem(world.call("GET", "/v1/notifications?state=dead&channel=pigeon"), 400, "bad_request", "channel")


def test_replay(world):
    with says(world, replay=encode({2: 3})) as notifier:
        assert world.call("POST", "/v1/notifications/e1/replay")[:2] == (200, {"replayed": 3})
        assert world.call("POST", "/v1/notifications/replay", {"channel": "sms", "limit": 5})[:2] == (200, {"replayed": 3})
        assert world.call("POST", "/v1/notifications/replay", {"channel": "sms"})[0] == 200
        assert [decode(request) for request in notifier.requests(REPLAY)] == [
            {1: b"e1", 3: 10000}, {2: b"sms", 3: 5}, {2: b"sms", 3: 1000}]
        for body, field in [({}, "channel"), ({"channel": "S M S"}, "channel"), ({"channel": "sms", "limit": 0}, "limit"),
                            ({"channel": "sms", "limit": 10001}, "limit"), (None, "body")]:
            problem(world.call("POST", "/v1/notifications/replay", body), 400, "bad_request", field)
        assert len(notifier.asked) == 3
    with says(world, replay=b""):
        assert world.call("POST", "/v1/notifications/e1/replay")[1] == {"replayed": 0}
    with says(world, replay=encode({1: "not_found"})):
        problem(world.call("POST", "/v1/notifications/e1/replay"), 404, "not_found")


def test_an_idempotency_key_belongs_to_one_event(world):
    headers = {"Idempotency-Key": "once"}
    with says(world, replay=encode({2: 3})) as notifier:
        assert world.call("POST", "/v1/notifications/e1/replay", headers=headers)[1] == {"replayed": 3}
        assert world.call("POST", "/v1/notifications/e1/replay", headers=headers)[1] == {"replayed": 3}
        assert len(notifier.asked) == 1, "done once"
        problem(world.call("POST", "/v1/notifications/e2/replay", headers=headers), 409, "conflict", "Idempotency-Key")


# --- erasure


def test_erasure_is_accepted_when_both_have_accepted(world):
    with says(world, chat=b"", erase=b"") as both:
        assert world.call("DELETE", "/v1/users/u1/data")[:2] == (202, {"status": "accepted"})
        assert [decode(request) for subject in (CHAT_ERASE, ERASE) for request in both.requests(subject)] == [{1: b"u1"}] * 2
    with says(world, chat=b""):
        problem(world.call("DELETE", "/v1/users/u1/data"), 503, "unavailable")
    with says(world, erase=b""):
        problem(world.call("DELETE", "/v1/users/u1/data"), 503, "unavailable")
    for refusal in ("unavailable", "internal", "forbidden", "nonsense"):
        with says(world, chat=b"", erase=encode({1: refusal})):
            status, body, _ = world.call("DELETE", "/v1/users/u1/data")
            assert status == (503 if refusal == "unavailable" else 500), body
        with says(world, chat=encode({1: refusal}), erase=b"") as both:
            assert world.call("DELETE", "/v1/users/u1/data")[0] in (500, 503)
            assert both.requests(ERASE) == [], "one after the other"


# --- no answer

ROUTES = [("PUT", "/v1/users/u1/contacts", {}), ("GET", "/v1/notifications/e1", None), ("GET", "/v1/notifications?state=dead", None),
          ("POST", "/v1/notifications/e1/replay", None), ("POST", "/v1/notifications/replay", {"channel": "sms"}),
          ("DELETE", "/v1/users/u1/data", None)]


@pytest.mark.parametrize("method,path,body", ROUTES)
def test_without_a_notifier_it_says_when_to_come_back(world, method, path, body):
    answer = world.call(method, path, body)
    problem(answer, 503, "unavailable")
    assert int(answer[2]["Retry-After"]) >= 1
    assert "does not answer" in answer[1]["detail"]
    problem(world.call(method, path, body, key="wrong"), 401, "unauthorized")


def test_a_notifier_that_is_silent_or_speaks_nonsense(world):
    with says(world, ledger=None):
        started = time.monotonic()
        problem(world.call("GET", "/v1/notifications/e1"), 503, "unavailable")
        assert time.monotonic() - started > 1
    with says(world, ledger=b"\xff\xff\xff"):
        problem(world.call("GET", "/v1/notifications/e1"), 500, "internal")


def test_queries_of_other_routes_are_not_looked_at(world):
    assert world.call("GET", "/healthz?x=1", key=None)[0] == 200
    problem(world.call("GET", "/v1/bookings/nope?x=1"), 404, "not_found")

# --- the command line


def hansom(world, *arguments, code=0):
    """stdout of the tool."""
    tool = os.path.join(BUILD, "tools", "hansom", "hansom")
    done = subprocess.run([tool, *arguments, "--internal", f"http://127.0.0.1:{world.port}", "--api-key-file",
                           world.path("one.key")], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def tool(world):
    with open(world.path("one.key"), "w") as file:
        file.write(API_KEY + "\n")
    return lambda *arguments, **more: hansom(world, *arguments, **more)


def test_the_tool_shows_and_replays(world, tool):
    with says(world, ledger=ledger(), replay=encode({2: 3})) as notifier:
        lines = tool("notify", "show", "e1", "--user", "u1").splitlines()
        assert decode(notifier.requests(LEDGER)[0]) == {1: b"e1", 2: b"u1"}
        assert lines[0] == "event e1 of user u1: assignment_offer, critical, policy ladder"
        attempts = [line.split() for line in lines if line.startswith(" " * 6)]
        assert [line[0] for line in attempts] == ["1", "2"] and attempts[0][-2:] == ["503", "unavailable"]
        assert tool("notify", "replay", "e1") == "replayed 3\n"
        assert tool("notify", "replay", "--channel", "sms", "--limit", "5") == "replayed 3\n"
        assert [decode(request) for request in notifier.requests(REPLAY)] == [{1: b"e1", 3: 10000}, {2: b"sms", 3: 5}]
    with says(world, ledger=b""):
        assert "there is no such notification" in tool("notify", "show", "e1", code=1)
    assert "does not answer" in tool("notify", "replay", "e1", code=1)


def test_the_tool_pages_through_dead_letters(world, tool):
    def answer(request):
        fields = decode(request)
        before, limit = fields.get(2, 451), fields[3]
        numbers = range(before - 1, max(0, before - 1 - limit), -1)
        page = b"".join(encode({2: encode({1: "u", 2: "e", 3: "t", 4: encode({1: n, 2: 1, 3: "sms", 5: "dead"})})})
                        for n in numbers)
        return page + (encode({3: 1}) if numbers and numbers[-1] > 1 else b"")
    with Responder(world.nats_port, {DEAD: answer}):
        assert len(tool("notify", "dead").splitlines()) == 50
        numbers = [int(line.split()[0]) for line in tool("notify", "dead", "--channel", "sms", "--limit", "1000").splitlines()]
        assert numbers == list(range(450, 0, -1))
        assert len(tool("notify", "dead", "--limit", "201").splitlines()) == 201


def test_the_tool_sends_events_and_puts_contacts(world, tool):
    answer = json.loads(tool("notify", "send", "u9", "--type", "policy_notice", "--critical", "--expires-in", "60",
                             "--collapse-key", "surge", "--event-id", "e-9", '{"text": "surge"}'))
    assert answer == {"event_id": "e-9", "user_id": "u9"}
    nats = Nats(world.nats_port)
    event = decode(wait_until(lambda: nats.last("EVENTS", "in.user.u9.events"), "the event"))
    nats.close()
    assert (event[2], event[3], event[4], event[5], event[8]) == (b"e-9", b"policy_notice", b'{"text":"surge"}', 1, b"surge")
    assert event[7] - event[6] == pytest.approx(60000, abs=50000)
    assert json.loads(tool("notify", "send", "u9", "--type", "t", "{}"))["event_id"] != "e-9", "one of its own"
    with says(world, contacts=b"") as notifier:
        kept = json.loads(tool("contacts", "put", "u9", "--email", "ann@example.com", "--phone", "+41791234567", "--locale",
                               "de-CH", "--timezone", "Europe/Zurich", "--preferences", '{"channels": {"sms": false}}'))
        assert kept["email"] == "ann@example.com" and kept["preferences"]["channels"]["sms"] is False
        assert text(decode(notifier.requests(CONTACTS)[0]), 3) == "+41791234567"
        assert "phone: must be" in tool("contacts", "put", "u9", "--phone", "079", code=1)


@pytest.mark.parametrize("arguments", [
    ["notify"], ["notify", "gaze"], ["notify", "show"], ["notify", "show", "a.b"], ["notify", "show", "e", "--channel", "sms"],
    ["notify", "replay"], ["notify", "replay", "e", "--channel", "sms"], ["notify", "dead", "--limit", "0"],
    ["notify", "dead", "--channel", "a&b=c"], ["notify", "dead", "e"], ["notify", "send", "u", "{}"],
    ["notify", "send", "u", "--type", "t", "[]"], ["notify", "send", "u", "--type", "t", "--expires-in", "x", "{}"],
    ["contacts", "put"], ["contacts", "get", "u"], ["contacts", "put", "a/b"], ["contacts", "put", "u", "--preferences", "{"]])
def test_the_tool_says_how_it_is_used(tool, arguments):
    assert tool(*arguments, code=2) != ""


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", os.path.abspath(__file__), *sys.argv[1:]]))
