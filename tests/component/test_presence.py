"""Drivers that come, fall silent, leave and come back; who is in a booking; the policy a driver is told."""
import asyncio
import time

from conftest import fresh, run, seconds
from nats_mini import connect, decode
from waiting import eventually


def test_a_driver_is_online_late_offline_and_back(suite):
    async def scenario():
        ride = suite.booking(booking=fresh("b").ljust(64, "x"))  # as long as an id may be
        rider, driver = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        await rider.ask("subscribe", channel=f"user.{ride.client}.events")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        await rider.ask("subscribe", channel=f"driver.{ride.driver}.presence")
        await driver.beat(ride.driver)
        await driver.locate(ride, 50, 8)
        await rider.message("driver_location_update")
        await rider.message("presence_changed", status="online")
        reply = await rider.ask("subscribe", channel=f"driver.{ride.driver}.presence")
        assert reply["op"] == "reply", reply
        assert reply["messages"][-1]["data"]["driver_id"] == ride.driver, "what was said last"
        late = await rider.message("presence_changed", status="late")
        assert late["data"]["reason"] == "timeout" and late["data"]["driver_id"] == ride.driver
        await rider.message("presence_changed", status="offline", reason="timeout")
        stale = (await rider.message("driver_stale"))["data"]
        assert stale["cause"] == "no_heartbeat" and stale["age_ms"] >= 3000
        assert stale["last"]["lat"] == 50 and set(stale) == {"type", "booking_id", "driver_id", "age_ms", "cause", "last"}
        event = await rider.message("driver_offline")
        assert event["channel"] == f"user.{ride.client}.events" and event["seq"] > 0 and "prev" in event
        assert event["data"]["booking_id"] == ride.id
        if "notifier" in suite.stack.services:
            entry = await eventually(lambda: [found for found in [suite.rest("GET", f"/v1/notifications/{event['data']['event_id']}")]
                                              if found[0] == 200], "the notifier does not know of it")
            assert entry[0][1]["events"][0]["type"] == "driver_offline" and entry[0][1]["events"][0]["policy"] == "push"
        await driver.beat(ride.driver, availability="busy")
        back = await rider.message("presence_changed", status="online", availability="busy")
        assert back["data"]["reason"] == "heartbeat"
        await rider.message("driver_online")

        async def is_shown():
            await driver.beat(ride.driver, availability="busy")
            status, body = suite.rest("GET", f"/v1/drivers/{ride.driver}/presence")
            return status == 200 and body["status"] == "online" and body["availability"] == "busy"
        await eventually(is_shown, "backoffice does not show it")
    run(scenario())


def test_leaving_is_told_from_silence(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        await rider.ask("subscribe", channel=f"driver.{ride.driver}.presence")
        await rider.ask("subscribe", channel=ride.channel("presence"))
        await driver.beat(ride.driver)
        await rider.message("presence_changed", status="online")
        await driver.socket.close(1000)
        await rider.message("presence_changed", status="offline", reason="leave")
        left = (await rider.message("participant_left"))["data"]
        assert left["user_id"] == ride.driver and left["role"] == "driver" and left["reason"] == "leave"
    run(scenario())


def test_a_cut_connection_is_a_timeout(suite):
    async def scenario():
        ride = suite.booking()
        rider, other = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        await other.ask("subscribe", channel=ride.channel("presence"))
        rider.socket.transport.abort()
        left = (await other.message("participant_left"))["data"]
        assert left["user_id"] == ride.client and left["reason"] == "timeout"
    run(scenario())


def test_members(suite):
    async def scenario():
        ride = suite.booking()
        rider = await suite.connect(ride.client, "client")
        await rider.ask("subscribe", channel=ride.channel("presence"))
        driver = await suite.connect(ride.driver, "driver")
        await rider.message("participant_joined", user_id=ride.driver)  # their own may come before it

        async def are_both_there():
            members = (await driver.ask("presence", channel=ride.channel("presence")))["members"]
            return {(member["user_id"], member["role"]) for member in members} == {(ride.client, "client"), (ride.driver, "driver")}
        await eventually(are_both_there, "somebody is missing")
        stranger = await suite.connect(fresh("x"), "client")
        assert (await stranger.ask("presence", channel=ride.channel("presence")))["code"] == "forbidden"
    run(scenario())


def test_the_policy_follows_the_state(suite):
    async def scenario():
        ride = suite.booking("requested", driver=fresh("d"))
        driver = await suite.connect(ride.driver, "driver")
        assert driver.welcome["policy"]["why"] in ("available", "on_booking")
        assert {"heartbeat_interval_ms", "max_updates_per_second", "missed_limit", "why"} == set(driver.welcome["policy"])
        await driver.beat(ride.driver)
        suite.set_booking(ride, "in_progress")
        rider = await suite.connect(ride.client, "client")
        await driver.wait(lambda frame: frame.get("op") == "policy" and frame["why"] == "no_viewers")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        await driver.wait(lambda frame: frame.get("op") == "policy" and frame["why"] == "on_booking")
        await driver.beat(ride.driver, power_mode="low_battery")
        await driver.wait(lambda frame: frame.get("op") == "policy" and frame["why"] == "low_power")
    run(scenario())


def test_a_driver_who_goes_offline_on_a_booking_is_woken_and_answers(suite):
    async def scenario():
        ride = suite.booking()
        driver, bus = await suite.connect(ride.driver, "driver"), connect(suite.stack)
        bus.subscribe(f"in.user.{ride.driver}.events")
        await driver.ask("subscribe", channel=f"user.{ride.driver}.events")
        await driver.beat(ride.driver)
        stored = {}
        while stored.get(3) != b"driver_wake":  # there may be others before it: of the booking
            stored = decode(await asyncio.to_thread(lambda: bus.receive()[1]))
        assert stored[5] == 1 and stored[8] == b"wake"
        assert stored[7] == stored[6] + 120000 and abs(stored[6] - time.time() * 1000) < 100000
        wake = await driver.message("driver_wake")
        assert wake["data"]["booking_id"] == ride.id and wake["data"]["event_id"].startswith("wake-") and seconds(wake["data"]["expires_at"]) > time.time()
        await asyncio.sleep(1.5)  # longer than an interval: were it told again, it would be here
        await driver.ask("ping", t=1)
        assert not [frame for frame in driver.frames if frame.get("data", {}).get("type") == "driver_wake"], "once"
        acks = connect(suite.stack)
        acks.subscribe(f"in.user.{ride.driver}.ack")
        wake_id = wake["data"]["event_id"]
        assert (await driver.beat(ride.driver, wake_id="a b"))["code"] == "bad_request"
        await driver.beat(ride.driver, wake_id=wake_id)
        ack = decode(await asyncio.to_thread(lambda: acks.receive()[1]))
        assert ack[1] == ride.driver.encode() and ack[4] == wake_id.encode() and 3 not in ack
    run(scenario())
