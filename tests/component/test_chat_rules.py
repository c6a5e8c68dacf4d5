"""Chat rules that are off by default, at a second gateway that has them; and what holds whatever gateway one comes to."""
import asyncio
import json
import os
import signal
import time
import uuid

import pytest
import websockets

from conftest import fresh, run
from nats_mini import connect

SLOW_MS = 5000


@pytest.fixture(scope="module")
def strict(suite, start_gateway):
    """ws:// address of a gateway with slow mode, a block list and attachments."""
    words = suite.stack.data / "blocked.txt"
    words.write_text("# one per line\nrubbish\n")
    return start_gateway(f"--chat-slow-mode-ms={SLOW_MS}", f"--chat-block-list-file={words}",
                         "--chat-attachment-origins=https://files.example.com", "--chat-attachment-max-bytes=1000")


async def join(suite, ride, role="client", url=None):
    client = await suite.connect(getattr(ride, role), role, url=url)
    joined = await client.ask("subscribe", channel=ride.channel("chat"))
    assert joined["op"] == "reply", joined
    return client


async def say(client, ride, content, **more):
    return await client.ask("publish", channel=ride.channel("chat"), data={"type": "chat_message", "content": content, **more})


def test_slow_mode_holds_for_a_sender_and_not_for_others(suite, strict):
    async def scenario():
        ride = suite.booking()
        rider, phone, driver = await join(suite, ride, url=strict), await join(suite, ride, url=strict), await join(suite, ride, "driver", url=strict)
        assert (await say(rider, ride, "one"))["op"] == "reply"
        for client in (rider, phone):
            slow = await say(client, ride, "two")
            assert slow["code"] == "rate_limited" and 0 < slow["retry_after_ms"] <= SLOW_MS, slow
        assert (await say(driver, ride, "mine"))["op"] == "reply"
        await asyncio.sleep(slow["retry_after_ms"] / 1000 + 0.05)
        assert (await say(rider, ride, "two"))["op"] == "reply"
    run(scenario())


def test_block_list(suite, strict):
    async def scenario():
        ride = suite.booking()
        rider = await join(suite, ride, url=strict)
        refused = await say(rider, ride, "What RUBB1SH!")
        assert refused["code"] == "bad_request" and refused["message"].startswith("data.content"), refused
        assert (await say(rider, ride, "rubbishbin"))["op"] == "reply", "words, not parts of words; and a refusal is not counted as slow"
    run(scenario())


def test_attachments_are_references(suite, strict):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride, url=strict), await join(suite, ride, "driver")
        good = {"url": "https://files.example.com/1?sig=x", "content_type": "image/png", "size_bytes": 1000, "name": "door.png"}
        for change in ({"url": "https://files.example.com.evil/1"}, {"content_type": "text/html"}, {"size_bytes": 1001}):
            refused = await say(rider, ride, "", attachments=[{**good, **change}])
            assert refused["code"] == "bad_request" and refused["message"].startswith("data.attachments"), refused
        reply = await say(rider, ride, "", attachments=[good, {**good, "name": "call 5551234567.png"}])
        assert reply["op"] == "reply" and reply["masked"] == ["phone"], reply
        unnamed = {key: value for key, value in good.items() if key != "name"}
        assert (await driver.message("chat_message"))["data"]["attachments"] == [good, unnamed]
        again = await join(suite, ride, "driver")
        assert again.frames == []
        deadline = time.monotonic() + 90
        while True:
            status, page = suite.rest("GET", f"/v1/bookings/{ride.id}/chat", key=suite.token(ride.client, "client"), base=suite.stack.public)
            if status == 200 and page["messages"]:
                break
            assert time.monotonic() < deadline, page
            await asyncio.sleep(0.05)
        assert page["messages"][0]["data"]["attachments"] == [good, unnamed]
    run(scenario())


def test_an_id_is_known_for_ever(suite):
    """Also when the stream has let go of the message and everything was started again."""
    async def scenario():
        ride = suite.booking()
        rider = await join(suite, ride)
        message_id = str(uuid.uuid4())
        first = await say(rider, ride, "once", message_id=message_id)
        nats = connect(suite.stack)
        deadline = time.monotonic() + 90
        while True:
            status, page = suite.rest("GET", f"/v1/bookings/{ride.id}/chat", key=suite.token(ride.client, "client"), base=suite.stack.public)
            if status == 200 and page["messages"]:
                break
            assert time.monotonic() < deadline, page
            await asyncio.sleep(0.05)
        purged = json.loads(nats.request("$JS.API.STREAM.PURGE.CHAT", json.dumps({"filter": f"in.booking.{ride.id}.chat"}).encode())[1])
        assert purged["purged"] == 1, purged
        nats.close()
        for name in ("edge-gateway", "chat-store"):
            os.kill(suite.pid(name), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while True:
            try:
                rider = await join(suite, ride)
                again = await say(rider, ride, "once", message_id=message_id)
                if again["op"] == "reply":
                    break
                assert again["code"] == "unavailable", again
            except (OSError, AssertionError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                again = error
            assert time.monotonic() < deadline, again
            await asyncio.sleep(0.3)
        assert {**again, "id": 0} == {**first, "id": 0}
        driver = await join(suite, ride, "driver")
        last = await say(rider, ride, "next", message_id=fresh("m"))
        assert last["seq"] > first["seq"]
        assert (await driver.message("chat_message"))["data"]["content"] == "next", "the first one is not delivered again"
    run(scenario())
