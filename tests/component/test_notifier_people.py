"""Chat for people who are away, drivers who have fallen silent, people who leave."""
import json

import psycopg2

from conftest import fresh, run
from notifier_world import Person, deliveries, outcomes, step


def chat(text):
    return {"type": "chat_message", "content": text}


def pushed_event(push):
    return push.content["data"]["event_id"]


def test_chat_is_pushed_without_its_text_to_those_who_are_away(world):
    async def scenario():
        ride = world.suite.booking()
        rider = Person(world, "client", ride.client)
        device = rider.add_device("fcm")
        driver = await world.suite.connect(ride.driver, "driver")
        secret = fresh("the-secret-text")
        assert (await driver.ask("publish", channel=ride.channel("chat"), data=chat(secret)))["op"] == "reply"
        (push,) = world.wait_push(device)
        assert secret not in json.dumps(push.content) and ride.id in json.dumps(push.content)
        assert push.content["android"]["collapse_key"], "one line per chat"
        entry = world.ledger(pushed_event(push), rider)
        assert entry["type"] == "chat_message" and entry["policy"] == "push" and not deliveries(entry, "sms", "email")
    run(scenario())


def test_chat_is_not_pushed_to_those_who_are_there(world):
    async def scenario():
        ride = world.suite.booking()
        rider = Person(world, "client", ride.client)
        device = rider.add_device("fcm")
        driver = await world.suite.connect(ride.driver, "driver")
        await driver.ask("subscribe", channel=ride.channel("presence"))
        client = await world.suite.connect(ride.client, "client")
        await client.ask("subscribe", channel=ride.channel("chat"))
        await driver.message("participant_joined", role="client")
        live = await driver.ask("publish", channel=ride.channel("chat"), data=chat("you are here"))
        await client.message("chat_message")
        world.wait(lambda: world.has_taken_all("CHAT"), "the notifier has not looked at it")
        await client.socket.close()
        await driver.message("participant_left", role="client")
        away = await driver.ask("publish", channel=ride.channel("chat"), data=chat("you are away"))
        (push,) = world.wait_push(device)
        assert away["message_id"] in json.dumps(push.content) and live["message_id"] not in json.dumps(push.content)
    run(scenario())


def test_a_silent_driver_is_woken_and_the_wake_is_measured(world):
    async def scenario():
        ride = world.suite.booking()
        driver = Person(world, "driver", ride.driver)
        device = driver.add_device("apns")
        answered = world.metric("hansom_notify_wakes_answered_total")
        client = await world.suite.connect(ride.driver, "driver")
        assert (await client.beat(ride.driver))["op"] == "reply"
        await client.socket.close()
        # There may be others: of the booking that was assigned.
        (push,) = world.peers.apns.requests.wait(lambda push: push.headers["apns-push-type"] == "background", key=device.key)
        assert push.headers["apns-priority"] == "5"
        text = json.dumps(push.content)
        wake_id = next(value for value in strings(push.content) if (world.ledger(value, driver) or {}).get("type") == "driver_wake")
        entry = world.ledger(wake_id, driver)
        assert "acknowledged_at" not in entry and entry["critical"] is True and "alert" not in text
        client = await world.suite.connect(ride.driver, "driver")
        assert (await client.beat(ride.driver, wake_id=wake_id))["op"] == "reply"
        world.wait_ledger(wake_id, lambda entry: entry.get("acknowledged_at"))
        world.wait(lambda: world.metric("hansom_notify_wakes_answered_total") > answered, "the wake is not counted")
        await client.socket.close()
    run(scenario())


def strings(value):
    """Every text in it that may be an id."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in items:
        if isinstance(item, str) and 0 < len(item) <= 64 and item.replace("-", "").replace("_", "").isalnum():
            yield item
        yield from strings(item)


def test_who_leaves_takes_everything_along(world):
    person = world.person("fcm", "webpush", contacts=True)
    event = world.post(person, "test_crash", critical=True, data={"text": "something-private"})
    world.wait_ended(event)
    assert world.suite.rest("DELETE", f"/v1/users/{person.id}/data")[0] == 202
    later = world.post(person, "test_crash", critical=True)
    entry = world.wait_ended(later)
    assert step(entry, 1)["reason"] == "no_target" and not deliveries(entry, "fcm", "webpush", "sms", "email")
    assert [len(world.pushes(device)) for device in person.devices] == [1, 1]
    assert len(world.texts(person)) == len(world.mails(person)) == 1
    assert all(outcomes(item) == ["accepted"] for item in world.ledger(event)["deliveries"]), "the ledger of what was sent stays"
    for table, column in (("devices", "token"), ("contacts", "email"), ("events", "data")):
        assert "something-private" not in rows(world, table, person) and person.phone not in rows(world, table, person), column


def rows(world, table, person):
    with psycopg2.connect(world.suite.stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM notify.{table} WHERE user_id = %s", (person.id,))
        return str(cursor.fetchall())


def test_a_user_has_so_many_devices(world):
    person = world.person()
    devices = [person.add_device("fcm") for _ in range(52)]
    entry = world.wait_ended(world.post(person))
    assert {item["device_id"] for item in entry["deliveries"]} == {device.id for device in devices[2:]}, "those of longest ago go"
    person.register(devices[2])
    person.add_device("fcm")
    again = {item["device_id"] for item in world.wait_ended(world.post(person))["deliveries"]}
    assert len(again) == 50 and devices[2].id in again and devices[3].id not in again


def test_bad_registrations_name_the_field(world):
    person = world.person()
    for body, field in [({"provider": "pigeon", "token": "x"}, "provider"), ({"provider": "fcm"}, "token"),
                        ({"provider": "fcm", "token": "x", "locale": "e"}, "locale"),
                        ({"provider": "fcm", "token": "x", "timezone": "Europe/Atlantis"}, "timezone"),
                        ({"provider": "apns", "token": "not hex"}, "token"), ({"provider": "webpush", "token": "x"}, "token")]:
        status, problem = person.api("PUT", "/v1/me/devices/d1", body)
        assert status == 400 and problem["detail"].startswith(field), (body, problem)
    assert person.api("PUT", "/v1/me/devices/a%20b", {"provider": "fcm", "token": "x"})[0] in (400, 404)
    assert world.suite.rest("PUT", "/v1/me/devices/d1", {"provider": "fcm", "token": "x"}, key="none", base=world.suite.stack.public)[0] == 401
    status, problem = world.suite.rest("PUT", f"/v1/users/{person.id}/contacts", {"timezone": "Europe/Atlantis"})
    assert status == 400 and problem["detail"].startswith("timezone")
