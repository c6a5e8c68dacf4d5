"""Events of a user, posted by a back end or caused by a booking."""
import asyncio
import subprocess
import time
import uuid

from conftest import fresh, run, seconds


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
        suite.rest("PUT", f"/v1/bookings/{ride.id}", {"client_id": rider, "driver_id": second, "status": "cancelled"})
        for who in (client, two):
            assert (await who.message("booking_status_changed", status="cancelled"))["data"]["driver_id"] == second
        await one.ask("ping", t=1)
        assert [frame["data"]["type"] for frame in one.frames if frame["op"] == "message"] in ([], ["booking_status_changed"]), one.frames
    run(scenario())


def publish_by_nats(suite, *words):
    """The C example of docs/events.md: (exit code, what it said)."""
    tool = suite.stack.build / "clients" / "c" / "examples" / "publish_event"
    done = subprocess.run([tool, suite.stack.nats_url, *words], capture_output=True, text=True, timeout=20)
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
