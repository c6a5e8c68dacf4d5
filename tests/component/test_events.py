"""Events of a user, posted by a back end or caused by a booking."""
import os
import signal
import subprocess
import time
import uuid

import psycopg2

from conftest import fresh, run, seconds
from nats_mini import encode
from waiting import PATIENCE_S


async def listen(suite, user, role="client", **more):
    client = await suite.connect(user, role)
    client.joined = await client.ask("subscribe", channel=f"user.{user}.events", **more)
    assert client.joined["op"] == "reply", client.joined
    return client


def post(suite, user, event_type="policy_notice", event_id=None, **more):
    body = {"event_id": event_id or str(uuid.uuid4()), "type": event_type, "data": {"text": "surge"}, **more}
    return (*suite.rest("POST", f"/v1/users/{user}/events", body), body)


def test_a_posted_event_comes_live_once_and_is_recovered(suite):
    async def scenario():
        user = fresh("c")
        client = await listen(suite, user)
        status, answer, body = post(suite, user, collapse_key="surge")
        assert status == 201 and answer == {"event_id": body["event_id"], "user_id": user}
        seen = await client.message("policy_notice")
        assert seen["data"]["event_id"] == body["event_id"] and seen["data"]["text"] == "surge" and seen["prev"] == client.joined["seq"]
        assert suite.rest("POST", f"/v1/users/{user}/events", body)[0] == 200, "the same again"
        assert suite.rest("POST", f"/v1/users/{user}/events", {**body, "type": "other"})[0] == 409
        post(suite, user, "second")
        assert (await client.message("second"))["prev"] == seen["seq"], "nothing came between"
        back = await listen(suite, user, since={"epoch": seen["epoch"], "seq": seen["seq"]})
        assert back.joined["recovered"] is True and [item["data"]["type"] for item in back.joined["messages"]] == ["second"]
        fresh_one = await listen(suite, user)
        assert [item["data"]["type"] for item in fresh_one.joined["messages"]] == ["policy_notice", "second"]
    run(scenario())


def test_a_bad_event_names_the_field(suite):
    user = fresh("c")
    for change, field in [({"event_id": "a b"}, "event_id"), ({"event_id": None}, "event_id"), ({"type": "Bad Type"}, "type"),
                          ({"critical": "yes"}, "critical"), ({"expires_at": "soon"}, "expires_at"),
                          ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"), ({"data": []}, "data"), ({"data": None}, "data"),
                          ({"collapse_key": "x" * 65}, "collapse_key")]:
        body = {"event_id": "e1", "type": "policy_notice", "data": {}, **change}
        status, problem = suite.rest("POST", f"/v1/users/{user}/events", body)
        assert status == 400 and problem["detail"].startswith(field), (change, problem)
    absent = {"event_id": "e1", "type": "policy_notice", "data": {}, "critical": None, "expires_at": None, "collapse_key": None}
    assert suite.rest("POST", f"/v1/users/{user}/events", absent)[0] == 201, "null is as if it were not there"


def test_a_text_of_the_data_is_not_cut(suite):
    user = fresh("c")
    body = {"event_id": "e1", "type": "policy_notice", "data": {"a": "x\0y", "b": "🚕"}}
    assert suite.rest("POST", f"/v1/users/{user}/events", body)[0] == 201

    async def scenario():
        client = await listen(suite, user)
        items = client.joined["messages"] or [await client.message("policy_notice")]
        assert items[0]["data"]["a"] == "x\x7fy" and items[0]["data"]["b"] == "🚕"
    run(scenario())


def outbox(suite, sql, *parameters):
    with psycopg2.connect(suite.stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def test_no_event_overtakes_one_that_a_killed_backoffice_was_sending(suite):
    async def scenario():
        user = fresh("c")
        client = await listen(suite, user)
        now = int(time.time() * 1000)
        first = encode({1: user, 2: "first", 3: "policy_notice", 4: "{}", 6: now})
        outbox(suite, "INSERT INTO outbox_messages (subject, message_id, payload, created_at_ms, claimed_until_ms) VALUES (%s, %s, %s, %s, %s)",
               f"in.user.{user}.events", f"{user}.first", first, now, now + 3000)
        assert post(suite, user, event_id="second")[0] == 201
        assert post(suite, fresh("c"))[0] == 201, "others are not held up"
        seen = [(await client.message("policy_notice"))["data"]["event_id"] for _ in range(2)]
        assert seen == ["first", "second"]
    run(scenario())


def test_an_event_that_nats_did_not_take_waits_for_nobody(suite):
    user, pid = fresh("c"), suite.pid("nats-server")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert post(suite, user)[0] == 201
        deadline = time.monotonic() + PATIENCE_S
        while outbox(suite, "SELECT claimed_until_ms FROM outbox_messages WHERE subject = %s", f"in.user.{user}.events") != [(0,)]:
            assert time.monotonic() < deadline, "it stays claimed"
            time.sleep(0.02)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_booking_tells_those_concerned(suite):
    async def scenario():
        rider, first, second = fresh("c"), fresh("d"), fresh("d")
        client, one, two = await listen(suite, rider), await listen(suite, first, "driver"), await listen(suite, second, "driver")
        ride = suite.booking("requested", client=rider, driver=None)
        suite.rest("PUT", f"/v1/bookings/{ride.id}", {"client_id": rider, "driver_id": first, "status": "assigned"})
        seen = await client.message("booking_status_changed")
        assert seen["data"]["status"] == "assigned" and seen["data"]["previous_status"] == "requested" and seen["data"]["booking_id"] == ride.id
        offer = await one.message("assignment_offer")
        assert offer["data"]["booking_id"] == ride.id and seconds(offer["data"]["expires_at"]) > time.time()
        suite.rest("PUT", f"/v1/bookings/{ride.id}", {"client_id": rider, "driver_id": second, "status": "assigned"})
        assert (await one.message("assignment_withdrawn"))["data"]["booking_id"] == ride.id
        assert (await two.message("assignment_offer"))["data"]["booking_id"] == ride.id
        assert (await client.message("booking_status_changed"))["data"]["driver_id"] == second, "another driver comes"
        suite.rest("PUT", f"/v1/bookings/{ride.id}", {"client_id": rider, "driver_id": second, "status": "cancelled"})
        for who in (client, two):
            assert (await who.message("booking_status_changed", status="cancelled"))["data"]["driver_id"] == second
        await one.ask("ping", t=1)
        assert [frame["data"]["type"] for frame in one.frames if frame["op"] == "message"] in ([], ["booking_status_changed"]), one.frames
    run(scenario())


def publish_by_nats(suite, *words):
    """The C example of docs/events.md: (exit code, what it said)."""
    tool = suite.stack.build / "clients" / "c" / "examples" / "publish_event"
    done = subprocess.run([tool, suite.stack.nats_url, *words], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_an_event_published_to_nats_comes_live_once(suite):
    async def scenario():
        user, event_id = fresh("c"), str(uuid.uuid4())
        client = await listen(suite, user)
        words = (user, event_id, "policy_notice", '{"text":"Surge pricing"}')
        code, said = publish_by_nats(suite, *words)
        assert code == 0 and said.startswith("EVENTS: sequence "), said
        seen = await client.message("policy_notice")
        assert seen["data"]["event_id"] == event_id and seen["data"]["text"] == "Surge pricing"
        assert f"sequence {seen['seq']}\n" in said
        code, said = publish_by_nats(suite, *words, "critical")
        assert code == 0 and "had already" in said, "the same id within the window"
        assert publish_by_nats(suite, user, "e2", "second", "{}")[0] == 0
        assert (await client.message("second"))["prev"] == seen["seq"], "nothing came between"
    run(scenario())


def test_the_example_says_when_nobody_has_it(suite):
    code, said = publish_by_nats(suite, "a.b.c", "e", "t", "{}")  # no such subject in any stream
    assert code == 1 and said.startswith("not confirmed: "), said
    assert publish_by_nats(suite, "u")[0] == 2
