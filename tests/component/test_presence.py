"""Drivers that come, fall silent, leave and come back; who is in a booking; the policy a driver is told."""
from conftest import fresh, run


def test_a_driver_is_online_late_offline_and_back(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        await rider.ask("subscribe", channel=f"user.{ride.client}.events")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        await driver.beat(ride.driver)
        await driver.locate(ride, 50, 8)
        reply = await rider.ask("subscribe", channel=f"driver.{ride.driver}.presence")
        assert reply["op"] == "reply", reply
        assert reply["messages"][-1]["data"]["status"] == "online"
        late = await rider.message("presence_changed", status="late")
        assert late["data"]["reason"] == "timeout" and late["data"]["driver_id"] == ride.driver
        await rider.message("presence_changed", status="offline", reason="timeout")
        stale = (await rider.message("driver_stale"))["data"]
        assert stale["cause"] == "no_heartbeat" and stale["age_ms"] >= 3000
        assert stale["last"]["lat"] == 50 and set(stale) == {"type", "booking_id", "driver_id", "age_ms", "cause", "last"}
        event = await rider.message("driver_offline")
        assert event["channel"] == f"user.{ride.client}.events" and event["seq"] > 0 and "prev" in event
        assert event["data"]["booking_id"] == ride.id
        await driver.beat(ride.driver, availability="busy")
        back = await rider.message("presence_changed", status="online")
        assert back["data"]["reason"] == "heartbeat" and back["data"]["availability"] == "busy"
        await rider.message("driver_online")
        status, body = suite.rest("GET", f"/v1/drivers/{ride.driver}/presence")
        assert status == 200 and body["status"] == "online" and body["availability"] == "busy"
    run(scenario())


def test_leaving_is_told_from_silence(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        await driver.beat(ride.driver)
        await rider.ask("subscribe", channel=f"driver.{ride.driver}.presence")
        await rider.ask("subscribe", channel=ride.channel("presence"))
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
        assert (await rider.message("participant_joined"))["data"]["user_id"] == ride.driver
        members = (await driver.ask("presence", channel=ride.channel("presence")))["members"]
        assert {(member["user_id"], member["role"]) for member in members} == {(ride.client, "client"), (ride.driver, "driver")}
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
