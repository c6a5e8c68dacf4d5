"""What tests of the notifier do with the suite: people with devices, events, the ledger, and what the peers saw."""
import itertools
import json
import secrets
import time
import urllib.request
import uuid

import psycopg2

from conftest import fresh
from nats_mini import connect
from waiting import PATIENCE_S, wait_until

_numbers = itertools.count(1)


class Device:
    def __init__(self, user, device_id, provider, key, body):
        self.user, self.id, self.provider, self.key, self.body = user, device_id, provider, key, body


class Person:
    """A user with a token of their own, and what they registered."""

    def __init__(self, world, role="client", user=None):
        self.world, self.role = world, role
        self.id = user or fresh("p")
        self.token = world.suite.token(self.id, role)
        self.email = self.phone = None

    def api(self, method, path, body=None):
        return self.world.suite.rest(method, path, body, key=self.token, base=self.world.suite.stack.public)

    def add_device(self, provider="fcm", **more):
        peers = self.world.peers
        if provider == "webpush":
            subscription = peers.webpush.subscribe()
            key, token = subscription.id, json.loads(subscription.json())
        else:
            key = token = secrets.token_hex(32) if provider == "apns" else "fcm:" + secrets.token_urlsafe(60)
        device = Device(self, fresh("device"), provider, key, {"provider": provider, "token": token, "platform": "test", **more})
        self.register(device)
        return device

    def register(self, device):
        self.world.ask(lambda: self.api("PUT", f"/v1/me/devices/{device.id}", device.body))

    def set_contacts(self, *, email=True, phone=True, **more):
        self.email = f"{self.id}@example.org" if email else None
        self.phone = f"+4179{next(_numbers):07}" if phone else None
        body = {"email": self.email, "phone": self.phone, **more}
        self.world.ask(lambda: self.world.suite.rest("PUT", f"/v1/users/{self.id}/contacts", body))

    async def listen(self, **more):
        client = await self.world.suite.connect(self.id, self.role)
        client.channel = f"user.{self.id}.events"
        client.joined = await client.ask("subscribe", channel=client.channel, **more)
        assert client.joined["op"] == "reply", client.joined
        return client


class World:
    def __init__(self, suite):
        self.suite, self.peers = suite, suite.peers

    def person(self, *providers, contacts=False, role="client", **more):
        """With a device for each provider; more: of the devices."""
        person = Person(self, role)
        person.devices = [person.add_device(provider, **more) for provider in providers]
        if contacts:
            person.set_contacts()
        return person

    def bus(self):
        return connect(self.suite.stack)

    def ask(self, call):
        """A call that may be repeated, until it is not 503 (something may have been killed just before)."""
        status, answer = self.wait(lambda: [found for found in [call()] if found[0] != 503], "unavailable all the time")[0]
        assert status in (200, 201), answer
        return answer

    # --- events ---
    def post(self, person, event_type="test_news", *, event_id=None, data=None, **more):
        event_id = event_id or str(uuid.uuid4())
        body = {"event_id": event_id, "type": event_type, "data": {"text": "x"} if data is None else data, **more}
        self.ask(lambda: self.suite.rest("POST", f"/v1/users/{person.id}/events", body))
        return event_id

    def ledger(self, event_id, person=None):
        """None: the notifier has not got it (yet)."""
        status, answer = self.suite.rest("GET", f"/v1/notifications/{event_id}" + (f"?user_id={person.id}" if person else ""))
        if status in (404, 503):
            return None
        assert status == 200, answer
        return answer["events"][0] if answer["events"] else None

    @staticmethod
    def wait(condition, what, timeout=PATIENCE_S):
        return wait_until(condition, what, timeout)

    def wait_ledger(self, event_id, is_wanted, timeout=PATIENCE_S):
        seen = []

        def look():
            entry = self.ledger(event_id)
            seen[:] = [entry]
            return entry if entry is not None and is_wanted(entry) else None
        return self.wait(look, lambda: f"the ledger stays {json.dumps(seen[0], indent=1)}", timeout)

    def wait_ended(self, event_id, timeout=PATIENCE_S):
        """Nothing waits or is due any more: nothing more will be sent."""
        return self.wait_ledger(event_id, is_ended, timeout)

    def make_due(self, event_id, number):
        """As if the time had come that a step waits for; only of steps that would wait for a while."""
        with psycopg2.connect(self.suite.stack.postgres_url) as connection, connection.cursor() as cursor:
            def is_made():
                cursor.execute("UPDATE notify.steps SET due_ms = 0 WHERE state = 0 AND step = %s AND event_key IN "
                               "(SELECT event_key FROM notify.events WHERE event_id = %s)", (number, event_id))
                connection.commit()
                return cursor.rowcount == 1
            self.wait(is_made, f"step {number} does not wait")

    # --- what the peers saw ---
    def pushes(self, device, event_id=None):
        requests = getattr(self.peers, device.provider).requests.where(key=device.key)
        return [request for request in requests if event_id is None or event_id in json.dumps(request.content)]

    def wait_push(self, device, count=1, timeout=PATIENCE_S):
        getattr(self.peers, device.provider).requests.wait(key=device.key, count=count, timeout=timeout)
        return self.pushes(device)

    def texts(self, person):
        return self.peers.sms.requests.where(key=person.phone)

    def mails(self, person):
        return self.peers.smtp.mails.where(lambda mail: person.email in mail.recipients)

    def has_taken_all(self, stream):
        """Nothing of it waits for the notifier, or is in its hands."""
        bus = self.bus()
        consumer = json.loads(bus.request(f"$JS.API.CONSUMER.INFO.{stream}.notifier", b"")[1])
        bus.close()
        return consumer["num_pending"] == consumer["num_ack_pending"] == 0

    def check_provider_tokens(self):
        """Apple sees one, and another no sooner than twenty minutes later."""
        assert 1 <= len(self.peers.apns.provider_tokens) <= 1 + (time.monotonic() - self.suite.began) // 1200
        assert not self.peers.apns.requests.where(lambda request: request.status == 429 and request.key is None)

    def metric(self, name, port=None, **labels):
        """The sum of the series that carry these labels. port: of another process than the stack's notifier."""
        port = port or self.suite.stack.admin_ports["notifier"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines
                   if line.startswith((name + "{", name + " ")) and all(f'{label}="{value}"' in line for label, value in labels.items()))


def is_ended(entry):
    return not any(step["state"] == "waiting" for step in entry["steps"]) and \
        not any(delivery["state"] in ("due", "sending") for delivery in entry["deliveries"])


def step(entry, number):
    found = [item for item in entry["steps"] if item["step"] == number]
    return found[0] if found else None


def deliveries(entry, *channels):
    return [item for item in entry["deliveries"] if item["channel"] in channels or not channels]


def outcomes(delivery):
    return [attempt["outcome"] for attempt in delivery["attempts"]]
