"""What happens between an event and its steps: acknowledgements and newer events come first. The notifier waits here longer
than any machine needs for that, and where its steps are wanted they are made due."""
import os
import signal
import time

import psycopg2
import pytest

from conftest import run, seconds, stamp
from notifier_world import deliveries, is_ended, step

PROVIDERS = ("fcm", "apns", "webpush")
PUSH_AFTER_S, CONTACT_AFTER_S = 60, 120


@pytest.fixture(scope="module", autouse=True)
def patient(suite):
    former = suite.restart("notifier", HANSOM_PUSH_AFTER_MS=f"{PUSH_AFTER_S}000", HANSOM_CONTACT_AFTER_MS=f"{CONTACT_AFTER_S}000")
    yield
    suite.restart("notifier", **former)


def test_an_acknowledgement_on_the_socket_stops_everything(world):
    async def scenario():
        person = world.person(*PROVIDERS, contacts=True)
        client = await person.listen()
        event = world.post(person, "test_crash", critical=True)
        seen = await client.message("test_crash")
        await client.send(op="ack", channel=client.channel, seq=seen["seq"])
        entry = world.wait_ledger(event, lambda entry: entry.get("acknowledged_at") and is_ended(entry))
        assert {item["state"] for item in entry["steps"]} <= {"stopped"} and entry["deliveries"] == []
        assert not any(world.pushes(device) for device in person.devices) and not world.texts(person) and not world.mails(person)
    run(scenario())


def test_an_acknowledgement_after_the_push_stops_the_contacts(world):
    async def scenario():
        person = world.person("fcm", contacts=True)
        client = await person.listen()
        event = world.post(person, "test_crash", critical=True)
        seen = await client.message("test_crash")
        world.make_due(event, 1)
        world.wait_push(person.devices[0])
        await client.send(op="ack", channel=client.channel, seq=seen["seq"])
        entry = world.wait_ledger(event, lambda entry: entry.get("acknowledged_at") and is_ended(entry))
        assert step(entry, 1)["state"] == "done" and step(entry, 2)["state"] == "stopped"
        assert not world.texts(person) and not world.mails(person) and len(world.pushes(person.devices[0])) == 1
    run(scenario())


def test_an_acknowledgement_over_rest_counts_too_and_only_up_to_its_place(world):
    person = world.person("fcm", contacts=True)
    first = world.post(person, "test_crash", critical=True)
    page = world.wait(lambda: [page for status, page in [person.api("GET", "/v1/me/events?limit=10")] if status == 200 and page["messages"]],
                      "no event")[0]
    (item,) = page["messages"]
    assert item["data"]["event_id"] == first
    status, answer = person.api("POST", "/v1/me/events/ack", {"epoch": item["epoch"], "seq": item["seq"]})
    assert status == 204, answer
    second = world.post(person, "test_crash", critical=True)
    stopped = world.wait_ledger(first, lambda entry: entry.get("acknowledged_at") and is_ended(entry))
    for number in (1, 2):
        world.make_due(second, number)
    climbed = world.wait_ended(second)
    assert not deliveries(stopped, "sms", "email") and "acknowledged_at" not in climbed
    assert len(world.texts(person)) == len(world.mails(person)) == 1


def test_an_acknowledgement_that_was_answered_outlives_the_gateway(world):
    person = world.person("fcm", contacts=True)
    gateway, notifier = world.suite.pid("edge-gateway"), world.suite.pid("notifier")
    os.kill(notifier, signal.SIGSTOP)  # nobody but the stream has it
    try:
        event = world.post(person, "test_crash", critical=True)
        page = world.wait(lambda: [page for status, page in [person.api("GET", "/v1/me/events")] if status == 200 and page["messages"]],
                          "no event")[0]
        assert person.api("POST", "/v1/me/events/ack", {"seq": page["messages"][0]["seq"]})[0] == 204
        os.kill(gateway, signal.SIGKILL)
    finally:
        os.kill(notifier, signal.SIGCONT)
    entry = world.wait_ledger(event, lambda entry: entry.get("acknowledged_at") and is_ended(entry))
    assert not deliveries(entry, "sms", "email") and not world.texts(person)
    world.wait(lambda: world.suite.pid("edge-gateway") != gateway and world.suite.stack.is_service_ready("edge-gateway"), "no gateway")


def test_an_acknowledgement_that_comes_before_the_event_counts(world):
    """The app is faster than the notifier, which was away."""
    async def scenario():
        person = world.person("fcm", contacts=True)
        client = await person.listen()
        pid = world.suite.pid("notifier")
        os.kill(pid, signal.SIGSTOP)
        try:
            event = world.post(person, "test_crash", critical=True)
            seen = await client.message("test_crash")
            await client.send(op="ack", channel=client.channel, seq=seen["seq"])
            await client.ask("ping", t=1)  # behind the ack
        finally:
            os.kill(pid, signal.SIGCONT)
        entry = world.wait_ledger(event, lambda entry: entry.get("acknowledged_at") and is_ended(entry))
        assert not deliveries(entry, "sms", "email") and not world.texts(person)
    run(scenario())


def test_an_acknowledgement_that_crossed_its_event_is_noted(world):
    person = world.person("fcm", contacts=True)
    event = world.post(person, "test_crash", critical=True)
    world.wait_ledger(event, lambda entry: len(entry["steps"]) == 2)
    with psycopg2.connect(world.suite.stack.postgres_url) as connection, connection.cursor() as cursor:
        # Committed in the same moment as the event: neither has seen the other.
        cursor.execute("INSERT INTO notify.acks (user_id, epoch, seq, at_ms) SELECT %s, max(epoch), 1000000000, 1 FROM notify.events", (person.id,))
    for number in (1, 2):
        world.make_due(event, number)
    entry = world.wait_ended(event)
    assert all(item["state"] == "stopped" and item["reason"] == "acknowledged" for item in entry["steps"]), entry["steps"]
    assert entry["deliveries"] == [] and "acknowledged_at" in entry


def test_the_policy_always_sends_all_at_once(world):
    person = world.person(*PROVIDERS, contacts=True)
    entry = world.wait_ended(world.post(person, "test_alarm", critical=True))
    assert entry["policy"] == "always" and len(entry["deliveries"]) == 6
    begun = [seconds(item["attempts"][0]["started_at"]) for item in entry["deliveries"]]
    assert max(begun) - min(begun) < CONTACT_AFTER_S, "no grace lies between them"
    assert len(world.texts(person)) == len(world.mails(person)) == 1 and all(len(world.pushes(device)) == 1 for device in person.devices)


def test_a_short_offer_has_its_ladder_moved_forward(world):
    person = world.person("fcm", contacts=True)
    ends = time.time() + PUSH_AFTER_S + 20  # the contacts would come too late
    event = world.post(person, "test_crash", critical=True, expires_at=stamp(ends))
    entry = world.wait_ledger(event, lambda entry: len(entry["steps"]) == 2)
    push, contact = (seconds(step(entry, number)["due_at"]) for number in (1, 2))
    assert push == seconds(entry["created_at"]) + PUSH_AFTER_S and push < contact < ends
    for number in (1, 2):
        world.make_due(event, number)
    world.wait_ended(event)
    assert len(world.pushes(person.devices[0])) == 1 and len(world.texts(person)) == 1


def test_a_newer_event_of_the_same_key_takes_the_place_of_a_waiting_one(world):
    person = world.person(*PROVIDERS)
    old, new = (world.post(person, collapse_key="surge") for _ in range(2))
    for event in (old, new):  # both lie there before either is pushed
        world.wait_ledger(event, lambda entry: step(entry, 1))
    for event in (old, new):
        world.make_due(event, 1)
    world.wait_ended(new)
    assert step(world.wait_ended(old), 1)["reason"] == "superseded"
    fcm, apns, webpush = person.devices
    assert all(world.pushes(device, old) == [] and len(world.pushes(device, new)) == 1 for device in person.devices)
    assert world.pushes(fcm)[0].content["android"]["collapse_key"] and world.pushes(apns)[0].headers["apns-collapse-id"]
    assert world.pushes(webpush)[0].headers["topic"]
