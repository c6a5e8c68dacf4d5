"""Which steps back an event, when they come, and what stops, delays or mutes them: against what the providers saw."""
import datetime
import json
import os
import signal
import time
import uuid
import zoneinfo

import psycopg2

from conftest import seconds, stamp
from notifier_world import deliveries, is_ended, outcomes, step
from peers.http_message import Answer, json_answer

PROVIDERS = ("fcm", "apns", "webpush")


# --- the ladder ---
def test_a_critical_event_climbs_the_whole_ladder(world):
    person = world.person(*PROVIDERS, contacts=True)
    event = world.post(person, "test_crash", critical=True)
    entry = world.wait_ended(event)
    assert entry["policy"] == "ladder" and entry["critical"] is True and "acknowledged_at" not in entry
    assert [(item["step"], item["state"]) for item in entry["steps"]] == [(1, "done"), (2, "done")]
    assert sorted(item["channel"] for item in entry["deliveries"]) == sorted([*PROVIDERS, "sms", "email", "webhook"])
    assert all(outcomes(item) == ["accepted"] and item["state"] == "accepted" for item in entry["deliveries"]), json.dumps(entry["deliveries"], indent=1)
    created = seconds(entry["created_at"])
    for device in person.devices:
        (push,) = world.pushes(device)
        assert event in json.dumps(push.content) and push.at >= created + 0.29, "after the first grace"
    (text,), (mail,) = world.texts(person), world.mails(person)
    assert min(text.at, mail.at) >= created + 0.89, "after the second grace"
    assert mail.was_encrypted and mail.recipients == [person.email]
    ids = {item["channel"]: item["attempts"][0].get("provider_id") for item in entry["deliveries"]}
    assert ids["sms"] == text.content["sid"] and ids["fcm"].startswith(f"projects/{world.peers.fcm.project}/messages/") and ids["apns"]


def test_without_a_device_the_contacts_come_at_once(world):
    person = world.person(contacts=True)
    event = world.post(person, "test_crash", critical=True)
    entry = world.wait_ended(event)
    assert step(entry, 1)["reason"] == "no_target"
    assert len(world.texts(person)) == len(world.mails(person)) == 1


def test_what_is_not_critical_is_pushed_only(world):
    person = world.person(*PROVIDERS, contacts=True)
    entry = world.wait_ended(world.post(person))
    assert entry["policy"] == "push" and step(entry, 2) is None and all(len(world.pushes(device)) == 1 for device in person.devices)
    assert not world.texts(person) and not world.mails(person)


def test_the_policy_none_stays_on_the_socket(world):
    person = world.person("fcm", contacts=True)
    entry = world.wait_ledger(world.post(person, "test_silent"), lambda entry: True)
    assert entry["policy"] == "none" and entry["steps"] == [] and entry["deliveries"] == []
    assert step(world.wait_ended(world.post(person, "test_silent", critical=True)), 1)["state"] == "done", "never for what is critical"


def test_the_built_in_types_need_no_flag(world):
    person = world.person("fcm", contacts=True, role="driver")
    entry = world.wait_ended(world.post(person, "assignment_withdrawn", data={"booking_id": "b1"}))
    assert entry["critical"] is True and entry["policy"] == "ladder" and len(world.texts(person)) == 1


# --- the same event, events that end ---
def varint(number):
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


def user_event(user, event_id, event_type, created_ms):
    """UserEvent of proto/bus.proto: as a back end may publish it to NATS itself."""
    def text(number, value):
        return bytes([number << 3 | 2]) + varint(len(value.encode())) + value.encode()
    return text(1, user) + text(2, event_id) + text(3, event_type) + text(4, "{}") + bytes([5 << 3, 1, 6 << 3]) + varint(created_ms)


def test_the_same_event_twice_is_pushed_once(world):
    person = world.person("fcm")
    event = world.post(person, "test_crash", critical=True)
    world.post(person, "test_crash", event_id=event, critical=True)
    world.wait_ended(event)
    bus = world.bus()
    try:
        other, now_ms = str(uuid.uuid4()), int(time.time() * 1000)
        for _ in range(3):  # without a Nats-Msg-Id: the stream keeps all three
            bus.publish(f"in.user.{person.id}.events", user_event(person.id, other, "test_crash", now_ms))
        bus.request("$JS.API.INFO", b"")  # behind them
    finally:
        bus.close()
    world.wait_ended(other)
    last = world.post(person, "test_crash", critical=True)
    world.wait_ended(last)
    assert [len(world.pushes(person.devices[0], name)) for name in (event, other, last)] == [1, 1, 1]


def test_the_same_id_for_two_people_are_two_events(world):
    one, two = world.person("fcm"), world.person("fcm")
    event = world.post(one)
    world.post(two, event_id=event)
    for person in (one, two):
        world.wait(lambda: (world.ledger(event, person) or {}).get("deliveries"), f"no delivery for {person.id}")
        world.wait_push(person.devices[0])
    status, answer = world.suite.rest("GET", f"/v1/notifications/{event}")
    assert status == 200 and {entry["user_id"] for entry in answer["events"]} == {one.id, two.id}


def test_what_has_ended_before_its_push_is_never_sent(world):
    person = world.person(*PROVIDERS, contacts=True)
    pid = world.suite.pid("notifier")
    os.kill(pid, signal.SIGSTOP)
    try:
        ends = time.time() + 3
        event = world.post(person, "test_crash", critical=True, expires_at=stamp(ends))
        world.wait(lambda: time.time() > ends + 0.01, "time stands still")
    finally:
        os.kill(pid, signal.SIGCONT)
    entry = world.wait_ended(event)
    assert [item["state"] for item in entry["steps"]] == ["expired"] * 2 and entry["deliveries"] == [] and entry["expires_at"]
    assert not any(world.pushes(device) for device in person.devices) and not world.texts(person)


def test_an_acknowledgement_that_crossed_its_push_stops_it(world):
    person = world.person("webpush")
    (device,) = person.devices
    world.peers.webpush.plan.once(device.key, Answer(503, {"retry-after": "4"}))
    event = world.post(person, "test_crash", critical=True)
    world.wait_push(device)
    world.wait_ledger(event, lambda entry: any(item["state"] == "due" for item in entry["deliveries"]))
    with psycopg2.connect(world.suite.stack.postgres_url) as connection, connection.cursor() as cursor:
        # Noted in the same moment as the delivery was made: neither has seen the other.
        cursor.execute("UPDATE notify.events SET acked_ms = 1 WHERE event_id = %s", (event,))
    (delivery,) = deliveries(world.wait_ended(event), "webpush")
    assert (delivery["state"], delivery["reason"], outcomes(delivery)) == ("stopped", "acknowledged", ["failed"])
    assert len(world.pushes(device)) == 1


def test_what_waits_for_a_busy_provider_ends_there(world):
    busy, waiting = ([world.person(contacts=True) for _ in range(4)] for _ in range(2))
    for person in busy + waiting:  # of four connections all are busy
        world.peers.sms.plan.once(person.phone, json_answer(201, {"sid": "SM" + "0" * 32}, delay_s=5))
    for person in busy:
        world.post(person, "test_alarm")
    world.wait(lambda: all(world.texts(person) for person in busy), "the provider is not asked")
    seen, ends = time.monotonic(), time.time() + 2
    events = [world.post(person, "test_alarm", expires_at=stamp(ends)) for person in waiting]
    ended = [world.wait_ended(event) for event in events]
    texts = [world.texts(person) for person in waiting]
    assert all(text.at < ends for found in texts for text in found), texts
    for entry, found in zip(ended, texts):
        assert sum(item["state"] == "accepted" for item in deliveries(entry, "sms")) == len(found), entry
    if time.monotonic() - seen < 4:
        assert not any(texts), "the connections were busy for longer than the events lived"


# --- wishes ---
def minutes(moment):
    return f"{moment.hour:02}:{moment.minute:02}"


def test_quiet_hours_delay_only_what_is_not_critical(world):
    zone = zoneinfo.ZoneInfo("Asia/Kathmandu")  # whole hours would hide a mistake
    now = datetime.datetime.now(zone)
    ends = (now + datetime.timedelta(hours=1)).replace(second=0, microsecond=0)
    night = {"from": minutes(now - datetime.timedelta(hours=2)), "to": minutes(ends)}
    person = world.person("fcm")
    person.set_contacts(timezone="Asia/Kathmandu", preferences={"quiet_hours": night})
    quiet, critical = world.post(person), world.post(person, "test_crash", critical=True)
    world.wait_ledger(critical, lambda entry: step(entry, 1)["state"] == "done")
    assert world.wait_push(person.devices[0]) and len(world.pushes(person.devices[0], critical)) == 1
    waiting = step(world.wait_ledger(quiet, lambda entry: step(entry, 1).get("reason") == "quiet_hours"), 1)
    assert waiting["state"] == "waiting" and seconds(waiting["due_at"]) == ends.timestamp()
    assert world.pushes(person.devices[0], quiet) == []
    person.set_contacts(timezone="Asia/Kathmandu")
    world.make_due(quiet, 1)
    world.wait_ended(quiet)
    assert len(world.pushes(person.devices[0], quiet)) == 1, "late, not lost"


def test_a_quiet_step_that_would_be_too_late_is_dropped_for_it(world):
    now = datetime.datetime.now(datetime.timezone.utc)
    person = world.person("fcm")
    person.set_contacts(timezone="UTC", preferences={"quiet_hours": {"from": minutes(now - datetime.timedelta(hours=1)),
                                                                     "to": minutes(now + datetime.timedelta(hours=1))}})
    entry = world.wait_ended(world.post(person, expires_at=stamp(time.time() + 600)))
    assert step(entry, 1)["state"] == "suppressed" and step(entry, 1)["reason"] == "quiet_hours" and not world.pushes(person.devices[0])


def test_the_rate_delays_only_what_is_not_critical(world):
    def seconds_to_the_hour():
        return 3600 - time.time() % 3600
    if seconds_to_the_hour() < 60:
        world.wait(lambda: seconds_to_the_hour() > 60, "the hour does not end")
    person = world.person("fcm")
    events = [world.post(person) for _ in range(9)]
    critical = world.post(person, "test_crash", critical=True)

    def states():
        return [step(entry, 1) for entry in map(world.ledger, events) if entry]
    world.wait(lambda: [item["state"] for item in states()].count("done") == 6 and
               [item.get("reason") for item in states()].count("rate") == 3, lambda: f"not six and three: {states()}")
    late = [item for item in states() if item["state"] == "waiting"]
    assert all(seconds(item["due_at"]) % 3600 == 0 and seconds(item["due_at"]) > time.time() for item in late), "until the next hour"
    world.wait_push(person.devices[0], count=7)
    assert len(world.pushes(person.devices[0], critical)) == 1 and len(world.pushes(person.devices[0])) == 7


def test_wishes_mute_only_what_is_not_critical(world):
    person = world.person("fcm")
    person.set_contacts(preferences={"muted_types": ["test_news"], "channels": {"push": True, "email": False, "sms": False}})
    muted = world.post(person)
    other = world.post(person, "test_other")
    critical = world.post(person, "test_news", critical=True)
    held = step(world.wait_ended(muted), 1)
    assert held["state"] == "suppressed" and held["reason"] == "muted"
    world.wait_ended(other)
    world.wait_ledger(critical, is_ended)
    assert [len(world.pushes(person.devices[0], event)) for event in (muted, other, critical)] == [0, 1, 1]
    assert len(world.texts(person)) == len(world.mails(person)) == 1, "a wish never holds a critical event back"
    person.set_contacts(preferences={"channels": {"push": False}})
    off = world.post(person, "test_other")
    assert step(world.wait_ended(off), 1)["reason"] == "muted" and not world.pushes(person.devices[0], off)


def test_what_people_read_is_in_their_language_and_time(world):
    pickup = datetime.datetime(2031, 7, 1, 12, 30, tzinfo=datetime.timezone.utc)
    person = world.person(role="driver")
    german = person.add_device("apns", locale="de-CH", timezone="Europe/Zurich")
    english = person.add_device("fcm", locale="en-US", timezone="America/New_York")
    unknown = person.add_device("webpush", locale="tlh", timezone="Europe/Zurich")
    person.set_contacts(locale="de", timezone="Europe/Zurich")
    event = world.post(person, "assignment_offer", data={"booking_id": "b1", "pickup_at": pickup.isoformat().replace("+00:00", "Z")})
    entry = world.wait_ended(event)
    assert len(deliveries(entry)) == 6
    alert = world.pushes(german)[0].content["aps"]["alert"]
    assert alert == {"title": "Neue Fahrt", "body": "Abholung um 14:30"}
    message = json.dumps(world.pushes(english)[0].content, ensure_ascii=False)
    assert "New ride" in message and "8:30" in message
    web = world.pushes(unknown)[0].content
    assert web["title"] == "New ride" and web["event_id"] == event and web["type"] == "assignment_offer"
    assert world.texts(person)[0].content["Body"] == "Fahrt um 14:30: App öffnen"
    (mail,) = world.mails(person)
    assert mail.message["Subject"] == "Eine Fahrt für Sie" and "14:30" in mail.text and "2031" in mail.text
