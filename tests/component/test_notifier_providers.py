"""What providers answer and what becomes of it: retries, dead tokens, credentials, breaker, dead letters."""
import datetime
import json
import time

import pytest

from conftest import seconds
from notifier_world import deliveries, is_ended, outcomes
from peers import apns, fcm, sms
from peers.http_message import CUT, GOAWAY, INTERNAL_ERROR, LAST, NEVER, RESET, Answer, json_answer

PROVIDERS = ("fcm", "apns", "webpush")
BUSY = {"fcm": {503: fcm.unavailable, 429: fcm.quota_exceeded},
        "apns": {503: lambda retry: apns.refusal(503, "ServiceUnavailable", headers=after(retry)),
                 429: lambda retry: apns.refusal(429, "TooManyRequests", headers=after(retry))},
        "webpush": {503: lambda retry: Answer(503, after(retry)), 429: lambda retry: Answer(429, after(retry))},
        "sms": {503: lambda retry: sms.refusal(503, 20503, headers=after(retry)), 429: sms.too_many}}
GONE = {"fcm": fcm.unregistered, "apns": lambda: apns.unregistered(int(time.time() * 1000)), "webpush": lambda: Answer(410)}


def after(seconds):
    return {} if seconds is None else {"retry-after": str(seconds)}


def only(entry, channel):
    (delivery,) = deliveries(entry, channel)
    return delivery


def spread(requests):
    """Seconds between each and the one before."""
    return [later.at - earlier.at for earlier, later in zip(requests, requests[1:])]


# --- what is tried again ---
@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_busy_provider_is_tried_again_when_it_said(world, provider, status):
    person = world.person(provider)
    (device,) = person.devices
    busy = BUSY[provider][status]
    getattr(world.peers, provider).plan.once(device.key, busy(1), busy(None))
    entry = world.wait_ended(world.post(person))
    delivery = only(entry, provider)
    assert outcomes(delivery) == ["failed", "failed", "accepted"] and delivery["state"] == "accepted"
    assert [attempt.get("status") for attempt in delivery["attempts"]][:2] == [status] * 2
    assert {attempt["reason"] for attempt in delivery["attempts"][:2]} == {"unavailable" if status == 503 else "rate_limited"}
    waits = spread(world.pushes(device))
    assert len(waits) == 2 and waits[0] >= 0.98, "Retry-After of a second, then only the back-off"


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_sms_service_is_tried_again(world, status):
    person = world.person(contacts=True)
    world.peers.sms.plan.once(person.phone, BUSY["sms"][status](1))
    entry = world.wait_ended(world.post(person, "test_crash", critical=True))
    assert outcomes(only(entry, "sms")) == ["failed", "accepted"] and spread(world.texts(person))[0] >= 0.98


@pytest.mark.parametrize("stage", ["", "data:"])
def test_a_full_mailbox_is_tried_again(world, stage):
    person = world.person(contacts=True)
    world.peers.smtp.plan.once(stage + person.email, "452 4.2.2 mailbox full", "451 4.3.0 later")
    delivery = only(world.wait_ended(world.post(person, "test_crash", critical=True)), "email")
    assert outcomes(delivery) == ["failed", "failed", "accepted"] and delivery["attempts"][0]["reason"] == "unavailable"
    assert len(world.mails(person)) == 1


@pytest.mark.parametrize("answer,outcome", [
    (Answer(instead=GOAWAY), None), (Answer(instead=RESET), "failed"), (Answer(instead=RESET, error=INTERNAL_ERROR), None),
    (Answer(instead=CUT), "uncertain"), (Answer(instead=NEVER), "uncertain")], ids=["goaway", "refused", "reset", "cut", "never"])
def test_a_lost_answer_is_called_by_its_name(world, answer, outcome):
    """A refused stream is certain not to have been taken; a cut connection is not. (libcurl 7.88 does not tell that a GOAWAY
    excluded the request.)"""
    person = world.person("apns")
    (device,) = person.devices
    world.peers.apns.plan.once(device.key, answer)
    delivery = only(world.wait_ended(world.post(person)), "apns")
    assert delivery["state"] == "accepted" and outcomes(delivery)[-1] == "accepted" and outcomes(delivery).count("accepted") == 1
    if outcome == "uncertain":
        assert outcomes(delivery) == ["uncertain", "accepted"]
        assert delivery["attempts"][0]["reason"] == ("timeout" if answer.instead == NEVER else "cut")
    elif outcome == "failed":  # libcurl may have tried again by itself, which is as good
        assert "uncertain" not in outcomes(delivery)
    pushes = world.pushes(device)
    assert len(pushes) == 2 and len({push.headers["apns-id"] for push in pushes}) == 1, "the same message by its id"


def test_a_connection_that_ends_politely_loses_nothing(world):
    people = [world.person("fcm") for _ in range(3)]
    for person in people:
        world.peers.fcm.plan.once(person.devices[0].key, Answer(200, {}, b'{"name":"x/1"}', instead=LAST))
    for event in [world.post(person) for person in people]:
        assert outcomes(only(world.wait_ended(event), "fcm"))[-1] == "accepted"


@pytest.mark.parametrize("provider", ["fcm", "smtp"])
def test_a_provider_that_is_away_is_waited_for(world, provider):
    peer, channel = getattr(world.peers, provider), {"smtp": "email"}.get(provider, provider)
    person = world.person("fcm", contacts=True)
    peer.listen_no_more()
    try:
        event = world.post(person, "test_crash", critical=True)
        world.wait_ledger(event, lambda entry: any(item["attempts"] and item["attempts"][0].get("reason") == "connect"
                                                   for item in deliveries(entry, channel)))
    finally:
        peer.listen_again()
    entry = world.wait_ledger(event, is_ended)
    delivery = only(entry, channel)
    if delivery["state"] == "dead":  # it was away for longer than all tries took
        world.suite.rest("POST", f"/v1/notifications/{event}/replay")
        delivery = only(world.wait_ledger(event, lambda entry: is_ended(entry) and only(entry, channel)["state"] != "dead"), channel)
    assert outcomes(delivery).count("accepted") == 1 and "uncertain" not in outcomes(delivery)


# --- dead tokens ---
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_dead_token_is_disabled_until_it_is_registered_again(world, provider):
    person = world.person(provider, contacts=True)
    (device,) = person.devices
    getattr(world.peers, provider).plan.once(device.key, GONE[provider]())
    delivery = only(world.wait_ended(world.post(person)), provider)
    assert delivery["state"] == "rejected" and delivery["attempts"][0]["reason"] == "dead_target" and len(delivery["attempts"]) == 1
    entry = world.wait_ended(world.post(person))
    assert entry["deliveries"] == [] and entry["steps"][0]["reason"] == "no_target" and len(world.pushes(device)) == 1
    person.register(device)
    assert outcomes(only(world.wait_ended(world.post(person)), provider)) == ["accepted"] and len(world.pushes(device)) == 2


def test_a_token_that_died_before_it_was_registered_again_lives(world):
    person = world.person("apns")
    (device,) = person.devices
    world.peers.apns.plan.once(device.key, apns.unregistered(int(time.time() * 1000) - 3600000))
    world.wait_ended(world.post(person))
    assert outcomes(only(world.wait_ended(world.post(person)), "apns")) == ["accepted"]


def test_a_token_belongs_to_one_person(world):
    one, two = world.person("fcm"), world.person()
    (device,) = one.devices
    two.register(device)
    first, second = world.post(one), world.post(two)
    assert world.wait_ended(first)["deliveries"] == [] and outcomes(only(world.wait_ended(second), "fcm")) == ["accepted"]
    assert len(world.pushes(device)) == 1
    assert two.api("DELETE", f"/v1/me/devices/{device.id}")[0] in (200, 204)
    assert two.api("DELETE", f"/v1/me/devices/{device.id}")[0] == 404
    assert world.wait_ended(world.post(two))["deliveries"] == []


def test_one_dead_device_does_not_hold_the_others_back(world):
    person = world.person("fcm", "fcm", "apns")
    world.peers.fcm.plan.once(person.devices[0].key, fcm.unregistered())
    entry = world.wait_ended(world.post(person))
    assert sorted(item["state"] for item in entry["deliveries"]) == ["accepted", "accepted", "rejected"]


def test_refused_numbers_and_addresses_are_not_tried_again(world):
    for channel, peer, key, answer, reason in [
            ("sms", world.peers.sms, "phone", sms.opted_out(), "opted_out"), ("sms", world.peers.sms, "phone", sms.invalid_number(), "dead_target"),
            ("email", world.peers.smtp, "email", "550 5.1.1 no such user", "dead_target")]:
        person = world.person(contacts=True)
        peer.plan.once(getattr(person, key), answer)
        delivery = only(world.wait_ended(world.post(person, "test_crash", critical=True)), channel)
        assert delivery["state"] == "rejected" and [attempt["reason"] for attempt in delivery["attempts"]] == [reason], delivery


# --- credentials ---
def test_a_spent_fcm_token_is_replaced(world):
    person = world.person("fcm")
    assert outcomes(only(world.wait_ended(world.post(person)), "fcm")) == ["accepted"]
    before = len(world.peers.fcm.token_requests)
    world.peers.fcm.expire_tokens()
    delivery = only(world.wait_ended(world.post(person)), "fcm")
    assert outcomes(delivery)[-1] == "accepted" and delivery["state"] == "accepted"
    assert len(world.peers.fcm.token_requests) == before + 1, "one new token, kept afterwards"
    assert outcomes(only(world.wait_ended(world.post(person)), "fcm")) == ["accepted"]
    assert len(world.peers.fcm.token_requests) == before + 1


def test_refused_credentials_are_told_and_nothing_is_called_dead(world):
    person = world.person("fcm", "apns", "webpush", contacts=True)
    fcm_device, apns_device, web_device = person.devices
    world.peers.fcm.plan.always(fcm_device.key, fcm.refusal(403))
    world.peers.apns.plan.always(apns_device.key, apns.refusal(403, "InvalidProviderToken"))
    world.peers.webpush.plan.always(web_device.key, Answer(403))
    world.peers.sms.plan.always(person.phone, json_answer(401, {"code": 20003, "message": "Authenticate", "status": 401}))
    entry = world.wait_ended(world.post(person, "test_crash", critical=True))
    for channel in ("fcm", "apns", "webpush", "sms"):
        delivery = only(entry, channel)
        assert delivery["state"] in ("rejected", "dead") and delivery["attempts"][0]["reason"] == "unauthorized", delivery
    world.peers.fcm.plan.clear(), world.peers.apns.plan.clear(), world.peers.webpush.plan.clear()
    entry = world.wait_ended(world.post(person))
    assert sorted(item["state"] for item in entry["deliveries"]) == ["accepted"] * 3, "the devices are as alive as before"


def test_all_push_to_apple_carries_one_provider_token(world):
    person = world.person(*["apns"] * 5)
    world.wait_ended(world.post(person))
    world.check_provider_tokens()


def test_a_slow_push_server_has_only_so_many_places(world):
    person, other = world.person(*["webpush"] * 9), world.person("fcm")
    for device in person.devices:
        world.peers.webpush.plan.once(device.key, Answer(201, delay_s=0.6))
    put_off = world.metric("hansom_notify_put_off_total", channel="webpush")
    event, quick = world.post(person), world.post(other)
    world.wait_ended(quick)
    entry = world.wait_ended(event)
    assert [outcomes(item) for item in entry["deliveries"]] == [["accepted"]] * 9, "put off, not tried nor failed"
    assert not any("reason" in item for item in entry["deliveries"])
    requests = [push for device in person.devices for push in world.pushes(device)]
    busiest = max(sum(1 for other in requests if other.at <= push.at < other.answered_at) for push in requests)
    assert len(requests) == 9 and busiest <= 3, busiest
    assert world.metric("hansom_notify_put_off_total", channel="webpush") >= put_off + 6
    assert world.metric("hansom_notify_failed_total", channel="webpush", reason="host_busy") == 0


# --- what the messages are like ---
def test_collapse_keys_lives_and_priorities_are_mapped(world):
    person = world.person(*PROVIDERS)
    ends = time.time() + 1200
    stamp = datetime.datetime.fromtimestamp(ends, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    world.wait_ended(world.post(person, "test_news", collapse_key="k" * 64, expires_at=stamp))
    fcm_push, apns_push, web_push = (world.pushes(device)[0] for device in person.devices)
    android = fcm_push.content["android"]
    assert 1000 < float(android["ttl"][:-1]) <= 1200 and android["collapse_key"]
    assert abs(int(apns_push.headers["apns-expiration"]) - ends) <= 2 and apns_push.headers["apns-push-type"] == "alert"
    assert 1000 < int(web_push.headers["ttl"]) <= 1200 and web_push.headers["topic"]
    world.wait_ended(world.post(person, "test_crash", critical=True))
    fcm_push, apns_push, web_push = (world.pushes(device)[1] for device in person.devices)
    assert fcm_push.content["android"]["priority"].upper() == "HIGH" and apns_push.headers["apns-priority"] == "10"
    assert web_push.headers["urgency"] == "high"


def test_another_type_of_the_same_key_replaces_nothing_on_the_phone(world):
    person = world.person(*PROVIDERS)
    for kind in ("assignment_offer", "booking_status_changed", "assignment_offer"):
        world.wait_ended(world.post(person, kind, collapse_key="ride-7"))
    fcm, apns, webpush = map(world.pushes, person.devices)
    for keys in ([push.content["android"]["collapse_key"] for push in fcm], [push.content["android"]["notification"]["tag"] for push in fcm],
                 [push.headers["apns-collapse-id"] for push in apns], [push.headers["topic"] for push in webpush],
                 [push.content["tag"] for push in webpush]):
        assert keys[0] == keys[2] != keys[1], keys


def test_an_event_larger_than_any_push_still_arrives(world):
    person = world.person(*PROVIDERS)
    event = world.post(person, data={"text": "é" * 7500})
    entry = world.wait_ended(event)
    assert [outcomes(item) for item in entry["deliveries"]] == [["accepted"]] * 3, entry
    assert all(event in json.dumps(world.pushes(device)[0].content) for device in person.devices), "to be fetched by its id"


def test_a_redirect_of_a_push_service_is_not_followed(world):
    person = world.person("webpush")
    world.peers.webpush.plan.always(person.devices[0].key, world.peers.webpush.redirect())
    delivery = only(world.wait_ended(world.post(person)), "webpush")
    assert delivery["state"] in ("rejected", "dead") and not world.peers.webpush.requests.where(path="/elsewhere")
    assert world.peers.webpush.requests.where(key=person.devices[0].key)


def test_the_webhook_is_told_with_a_good_signature(world):
    person = world.person("fcm", contacts=True)
    event = world.post(person, "test_crash", critical=True)
    delivery = only(world.wait_ended(event), "webhook")
    assert outcomes(delivery) == ["accepted"]
    (call,) = world.peers.webhook.requests.where(lambda request: request.content and event in json.dumps(request.content))
    assert call.status == 204 and person.id in json.dumps(call.content)
    world.peers.webhook.requests.wait(status=204)
    assert not world.peers.webhook.requests.where(status=401)


# --- SMS status ---
def test_the_status_of_an_sms_comes_back(world):
    person = world.person(contacts=True)
    event = world.post(person, "test_crash", critical=True)
    world.wait_ended(event)
    (text,) = world.texts(person)
    assert world.peers.sms.call_back(text, "delivered", signature="") == 403
    assert world.peers.sms.call_back(text, "delivered", signature="AAAAAAAAAAAAAAAAAAAAAAAAAAA=") == 403
    assert only(world.ledger(event), "sms")["state"] == "accepted"
    assert world.peers.sms.call_back(text, "sent") in (200, 204)
    assert world.peers.sms.call_back(text, "delivered") in (200, 204)
    delivery = only(world.wait_ledger(event, lambda entry: only(entry, "sms")["state"] == "delivered"), "sms")
    assert seconds(delivery["delivered_at"]) >= text.at - 1
    counted = [world.metric("hansom_notify_deliveries_total", channel="sms"), world.metric("hansom_notify_failed_total", channel="sms")]
    for status in ("delivered", "sent", "undelivered"):
        assert world.peers.sms.call_back(text, status, error_code=30003) in (200, 204), "twice and out of order"
    assert only(world.ledger(event), "sms")["state"] == "delivered"
    assert counted == [world.metric("hansom_notify_deliveries_total", channel="sms"), world.metric("hansom_notify_failed_total", channel="sms")]


@pytest.mark.parametrize("code, reason", [(30003, "undelivered"), (21610, "opted_out")])
def test_an_sms_that_did_not_arrive_is_counted_once(world, code, reason):
    person = world.person(contacts=True)
    event = world.post(person, "test_crash", critical=True)
    world.wait_ended(event)
    (text,) = world.texts(person)
    counted = world.metric("hansom_notify_failed_total", channel="sms", reason=reason)
    for _ in range(2):
        assert world.peers.sms.call_back(text, "undelivered", error_code=code) in (200, 204)
    delivery = only(world.ledger(event), "sms")
    assert (delivery["state"], delivery["reason"]) == ("rejected", reason)
    assert world.metric("hansom_notify_failed_total", channel="sms", reason=reason) == counted + 1
    has_left = reason == "opted_out"
    assert bool(deliveries(world.wait_ended(world.post(person, "test_crash", critical=True)), "sms")) is not has_left
    person.set_contacts()  # a number that is given again
    assert deliveries(world.wait_ended(world.post(person, "test_crash", critical=True)), "sms")


# --- dead letters ---
def test_what_was_given_up_can_be_seen_and_replayed(world):
    person = world.person("webpush")
    (device,) = person.devices
    world.peers.webpush.plan.always(device.key, Answer(500))
    event = world.post(person)
    delivery = only(world.wait_ended(event), "webpush")
    assert delivery["state"] == "dead" and outcomes(delivery) == ["failed"] * 4 and len(world.pushes(device)) == 4
    status, page = world.suite.rest("GET", "/v1/notifications?state=dead&channel=webpush&limit=200")
    assert status == 200 and [item["delivery_id"] for item in page["notifications"] if item["event_id"] == event] == [delivery["delivery_id"]]
    world.peers.webpush.plan.clear()
    assert world.suite.rest("POST", f"/v1/notifications/{event}/replay") == (200, {"replayed": 1})
    delivery = only(world.wait_ledger(event, lambda entry: only(entry, "webpush")["state"] == "accepted"), "webpush")
    assert outcomes(delivery) == ["failed"] * 4 + ["accepted"] and len(world.pushes(device)) == 5
    assert world.suite.rest("POST", f"/v1/notifications/{event}/replay") == (200, {"replayed": 0})
    assert event not in json.dumps(world.suite.rest("GET", "/v1/notifications?state=dead&channel=webpush&limit=200")[1])


# --- breaker ---
def test_a_failing_provider_is_left_alone_and_taken_back(world):
    people = [world.person("fcm", "apns") for _ in range(30)]
    world.peers.fcm.plan.always(None, fcm.unavailable())
    events = [world.post(person) for person in people]
    world.wait(lambda: world.metric("hansom_notify_breaker_state", channel="fcm") == 1, "the breaker stays closed")
    began = time.monotonic()
    before = len(world.peers.fcm.sends)
    for person in people:
        world.wait_push(person.devices[1])
    world.wait(lambda: time.monotonic() - began > 1, "time stands still")
    probes, elapsed = len(world.peers.fcm.sends) - before, time.monotonic() - began
    assert probes <= 30 + elapsed / 0.4 + 2, f"{probes} while it should be left alone"
    world.peers.fcm.plan.always(None, None)
    world.wait(lambda: world.metric("hansom_notify_breaker_state", channel="fcm") == 0, "the breaker stays open")
    for event in events:
        world.wait_ended(event)
    entries = [world.ledger(event) for event in events]
    dead = [event for event, entry in zip(events, entries) if only(entry, "fcm")["state"] == "dead"]
    for event in dead:
        assert world.suite.rest("POST", f"/v1/notifications/{event}/replay")[1] == {"replayed": 1}
    for event in events:
        entry = world.wait_ledger(event, lambda entry: only(entry, "fcm")["state"] == "accepted")
        assert outcomes(only(entry, "fcm")).count("accepted") == 1 and outcomes(only(entry, "apns")) == ["accepted"]
