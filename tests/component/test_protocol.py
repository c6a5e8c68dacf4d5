"""What an app sees: PROTOCOL sections 2 to 6 through a client that is not ours."""
import asyncio
import time
import urllib.error
import urllib.request

import pytest
import websockets

from conftest import Client, fresh, run, seconds, stamp
from waiting import PATIENCE_S

TRACKING_FIELDS = {"type", "booking_id", "driver_id", "lat", "lng", "bearing", "speed_kmh", "timestamp", "accuracy_m"}


def test_every_handshake_way(suite):
    async def scenario():
        user = fresh("u")
        token = suite.token(user, "client")
        for options, frame in [
            ({"extra_headers": {"Authorization": f"Bearer {token}"}}, {}),
            ({"subprotocols": ["hansom.v1.json", f"hansom.bearer.{token}"]}, {}),
            ({"subprotocols": [f"hansom.bearer.{token}", "hansom.v1.json"]}, {}),
            ({}, {"token": token}),
        ]:
            async with websockets.connect(suite.ws_url, **options) as socket:
                assert socket.subprotocol in (None, "hansom.v1.json"), "the token is never echoed"
                welcome = await Client(socket).ask("connect", **frame)
                assert welcome["op"] == "reply" and welcome["user"] == user and welcome["role"] == "client"
                assert welcome["ping_interval_ms"] == 25000 and welcome["resume_window_ms"] == 120000
                assert 0 < welcome["expires_in_ms"] <= 3600000
    run(scenario())


@pytest.mark.parametrize("query,headers", [("?token=x", {}), ("?ticket=x", {}), ("", {"Authorization": "Bearer nonsense"})])
def test_a_bad_token_is_refused_before_the_upgrade(suite, query, headers):
    async def scenario():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(suite.ws_url + query, extra_headers=headers)
        assert refused.value.status_code == 401
    run(scenario())


def test_close_codes(suite, start_gateway):
    async def code_after(*messages, url=None):
        client = Client(await websockets.connect(url or suite.ws_url))
        for message in messages:
            await client.socket.send(message)
        code = await client.closed()
        goodbye = [frame for frame in client.frames if frame["op"] == "disconnect"]
        assert goodbye and goodbye[0]["code"] == code, client.frames
        return code

    async def scenario():
        assert await code_after("no json") == 4400
        assert await code_after('{"op":"subscribe","id":1,"channel":"booking.x.tracking"}') == 4401
        assert await code_after('{"op":"connect","id":1,"token":"a.b.c"}') == 4401
        assert await code_after(b"binary") == 1003
        assert await code_after("x" * 30000) == 1009
        assert await code_after(url=start_gateway("--connect-timeout-ms=500")) == 4408
    run(scenario())


def test_errors_name_the_field(suite):
    async def scenario():
        ride = suite.booking()
        driver = await suite.connect(ride.driver, "driver")
        for fields, code, text in [
            ({"op": "nonsense"}, "bad_request", "op"),
            ({"op": "subscribe", "channel": "nonsense"}, "bad_request", "channel"),
            ({"op": "publish", "channel": ride.channel("tracking"), "data": {"type": "driver_location_update", "lat": 91, "lng": 0,
                                                                           "timestamp": stamp()}}, "bad_request", "data.lat"),
            ({"op": "publish", "channel": ride.channel("presence"), "data": {}}, "forbidden", "channel"),
            ({"op": "publish", "channel": "driver.other.heartbeat", "data": {"type": "heartbeat"}}, "forbidden", "channel"),
        ]:
            error = await driver.ask(**fields)
            assert error["op"] == "error" and error["code"] == code and error["message"].startswith(text), error
        assert (await driver.ask("ping", t=5))["t"] == 5
    run(scenario())


def test_a_position_reaches_the_rider_field_for_field(suite):
    async def scenario():
        ride = suite.booking()
        driver, rider = await suite.connect(ride.driver, "driver"), await suite.connect(ride.client, "client")
        reply = await rider.ask("subscribe", channel=ride.channel("tracking"))
        assert reply["op"] == "reply" and reply["recovered"] is False and reply["messages"] == []
        at = stamp()
        answer = await driver.ask("publish", channel=ride.channel("tracking"), data={
            "type": "driver_location_update", "lat": 12.3456, "lng": -12.3456, "bearing": 90.0, "speed_kmh": 35.0,
            "timestamp": at, "accuracy_m": 8.0, "phone": "dropped"})
        assert answer == {"op": "reply", "id": answer["id"]}
        message = await rider.message("driver_location_update")
        assert message["channel"] == ride.channel("tracking") and "seq" not in message
        assert set(message["data"]) == TRACKING_FIELDS
        assert seconds(message["data"].pop("timestamp")) == seconds(at)
        assert message["data"] == {"type": "driver_location_update", "booking_id": ride.id, "driver_id": ride.driver, "lat": 12.3456,
                                   "lng": -12.3456, "bearing": 90, "speed_kmh": 35, "accuracy_m": 8}
        again = await rider.ask("subscribe", channel=ride.channel("tracking"))
        assert [item["data"]["lat"] for item in again["messages"]] == [12.3456], "the last known location"
        token = suite.token(ride.client, "client")
        status, body = suite.rest("GET", f"/v1/bookings/{ride.id}/tracking", key=token, base=suite.stack.public)
        assert status == 200 and body["location"]["lat"] == 12.3456 and body["stale"] is False and body["age_ms"] >= 0
    run(scenario())


def test_conflation_keeps_the_rate_and_the_last_position(suite):
    async def scenario():
        ride = suite.booking()
        driver, rider = await suite.connect(ride.driver, "driver"), await suite.connect(ride.client, "client")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        start = time.time()
        for step in range(20):
            await driver.locate(ride, 50 + step * 1e-6, 8, at=start + step * 0.01)
        seen = []
        while not seen or seen[-1] < 50 + 18.5e-6:
            seen.append((await rider.message("driver_location_update"))["data"]["lat"])
        took = time.time() - start
        assert seen == sorted(seen) and len(seen) <= 2 + took * 2, (seen, took)
        assert abs(seen[-1] - (50 + 19e-6)) < 1e-9, "the last one of a burst"
    run(scenario())


def test_a_batch_and_an_outlier(suite):
    async def scenario():
        ride = suite.booking()
        driver, rider = await suite.connect(ride.driver, "driver"), await suite.connect(ride.client, "client")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        now = time.time()
        fixes = [{"type": "driver_location_update", "lat": 50 + i * 1e-5, "lng": 8, "timestamp": stamp(now - 60 + i)} for i in range(60)]
        await driver.ask("publish", channel=ride.channel("tracking"), data=fixes)
        assert abs((await rider.message("driver_location_update"))["data"]["lat"] - (50 + 59e-5)) < 1e-9
        await driver.locate(ride, 51, 8, at=now)  # 100 km in a second
        await driver.locate(ride, 50 + 61e-5, 8, at=now + 1)
        assert abs((await rider.message("driver_location_update"))["data"]["lat"] - (50 + 61e-5)) < 1e-9
        error = await driver.ask("publish", channel=ride.channel("tracking"), data=fixes + fixes)
        assert error["code"] == "bad_request"
    run(scenario())


def test_max_rate_and_qos(suite):
    async def scenario():
        ride = suite.booking()
        driver, rider = await suite.connect(ride.driver, "driver"), await suite.connect(ride.client, "client")
        await rider.ask("subscribe", channel=ride.channel("tracking"), max_rate=0)
        await driver.locate(ride, 50, 8)
        with pytest.raises(asyncio.TimeoutError):
            await rider.message("driver_location_update", timeout=1)
        assert (await rider.ask("qos", channel=ride.channel("tracking"), max_rate=10))["op"] == "reply"
        assert (await rider.message("driver_location_update"))["data"]["lat"] == 50, "the newest, unasked"
        assert (await rider.ask("qos", channel="booking.other.tracking", max_rate=1))["code"] == "not_found"
    run(scenario())


def test_rights_follow_the_booking(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await suite.connect(ride.client, "client"), await suite.connect(ride.driver, "driver")
        stranger = await suite.connect(fresh("x"), "client")
        assert (await stranger.ask("subscribe", channel=ride.channel("tracking")))["code"] == "forbidden"
        assert (await rider.ask("subscribe", channel="booking.nowhere.tracking"))["code"] == "not_found"
        for client in (rider, driver):
            assert (await client.ask("subscribe", channel=ride.channel("tracking")))["op"] == "reply"
        assert (await driver.locate(ride, 50, 8))["op"] == "reply"
        former, ride.driver = ride.driver, fresh("d")
        suite.set_booking(ride, "in_progress")
        lost = await driver.op("unsubscribed")
        assert lost["code"] == "revoked" and lost["channel"] == ride.channel("tracking")
        assert (await driver.locate(ride, 50, 8))["code"] == "forbidden", former
        suite.set_booking(ride, "completed")
        assert (await rider.op("unsubscribed"))["code"] == "booking_ended"
        assert (await rider.ask("subscribe", channel=ride.channel("tracking")))["code"] == "forbidden"
    run(scenario())


def test_staff_say_why(suite):
    async def scenario():
        ride = suite.booking()
        agent = await suite.connect(fresh("agent"), "support")
        refused = await agent.ask("subscribe", channel=ride.channel("tracking"))
        assert refused["code"] == "bad_request" and refused["message"].startswith("reason")
        assert (await agent.ask("subscribe", channel=ride.channel("tracking"), reason="ticket 17"))["op"] == "reply"
    run(scenario())


def test_scopes_and_refresh(suite):
    async def scenario():
        ride = suite.booking()
        rider = await suite.connect(ride.client, "client")
        await rider.ask("subscribe", channel=ride.channel("tracking"))
        narrow = suite.token(ride.client, "client", scopes=["subscribe:booking.*.presence"])
        assert (await rider.ask("refresh", token=narrow))["expires_in_ms"] > 0
        assert (await rider.op("unsubscribed"))["code"] == "forbidden"
        assert (await rider.ask("subscribe", channel=ride.channel("tracking")))["code"] == "forbidden"
        assert (await rider.ask("refresh", token=suite.token(fresh("u"), "client")))["code"] == "forbidden"
        await asyncio.sleep(max(0, 1.05 - time.time() % 1))  # iat has whole seconds
        newer = suite.token(ride.client, "client")
        assert (await rider.ask("refresh", token=newer))["op"] == "reply"
        old = await rider.ask("refresh", token=narrow)
        assert old["code"] == "unauthorized" and old["message"].startswith("token"), "older than the one in force"
    run(scenario())


def test_a_short_token_is_announced_and_ends(suite):
    async def scenario():
        for life_s in (2, 10, 40):  # the first that does not end before it is used
            try:
                client = await suite.connect(fresh("u"), "client", ttl_s=life_s)
                assert (await client.op("token_expiring"))["expires_in_ms"] <= life_s * 1000
                break
            except websockets.ConnectionClosed:
                assert life_s < 40
        assert await client.closed() == 4401
    run(scenario())


def test_the_second_device_of_a_driver_supersedes_the_first(suite):
    async def scenario():
        driver = fresh("d")
        first = await suite.connect(driver, "driver")
        second = await suite.connect(driver, "driver")
        assert await first.closed() == 4409
        assert (await second.ask("ping"))["op"] == "pong"
    run(scenario())


def test_revocation_closes_live_connections(suite):
    async def scenario():
        user = fresh("u")
        client = await suite.connect(user, "client")
        assert suite.rest("DELETE", f"/v1/users/{user}/sessions")[0] == 204
        assert await client.closed() == 4403
    run(scenario())


def test_token_refresh_over_rest(suite):
    first = suite.session(fresh("u"), "client")
    status, second = suite.rest("POST", "/v1/token/refresh", {"refresh_token": first["refresh_token"]}, base=suite.stack.public)
    assert status == 200 and set(second) == {"access_token", "expires_in", "refresh_token", "refresh_expires_in"}
    status, body = suite.rest("POST", "/v1/token/refresh", {"refresh_token": first["refresh_token"]}, base=suite.stack.public)
    assert status == 401 and body["code"] == "unauthorized", "a spent token"
    status, body = suite.rest("POST", "/v1/token/refresh", {"refresh_token": second["refresh_token"]}, base=suite.stack.public)
    assert status == 401, "its whole family"
    for bad, word in [({}, "refresh_token"), ([], "body"), ({"refresh_token": 1}, "refresh_token")]:
        status, body = suite.rest("POST", "/v1/token/refresh", bad, base=suite.stack.public)
        assert status == 400 and body["detail"].startswith(word), (bad, body)


def test_every_service_can_be_asked(suite):
    for port in suite.stack.admin_ports.values():
        for path, text in (("/metrics", "process_cpu_seconds_total"), ("/healthz", "ok"), ("/readyz", "ready")):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
                assert text in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=PATIENCE_S)
