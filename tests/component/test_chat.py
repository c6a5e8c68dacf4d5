"""Chat as two people and support see it: PROTOCOL sections 3 and 4 through a client that is not ours."""
import asyncio
import contextlib
import json
import time
import urllib.parse
import uuid

import pytest

from conftest import fresh, run
from nats_responder import stand_in
from waiting import eventually, wait_until


async def say(client, ride, content, **more):
    return await client.ask("publish", channel=ride.channel("chat"), data={"type": "chat_message", "content": content, **more})


async def change(client, ride, kind, message_id, **more):
    return await client.ask("publish", channel=ride.channel("chat"), data={"type": kind, "message_id": message_id, **more})


async def join(suite, ride, role="client", user=None, since=None, **more):
    client = await suite.connect(user or getattr(ride, role), role)
    fields = {"since": since} if since else {}
    client.joined = await client.ask("subscribe", channel=ride.channel("chat"), **fields, **more)
    assert client.joined["op"] == "reply", client.joined
    return client


def contents(messages):
    return [message["data"]["content"] for message in messages if message["data"]["type"] == "chat_message"]


def history(suite, ride, token, **query):
    path = f"/v1/bookings/{ride.id}/chat?" + urllib.parse.urlencode(query)
    return suite.rest("GET", path, key=token, base=suite.stack.public)


def wait_archived(suite, ride, token, content):
    """Until that is the last message of the archive."""
    def is_there():
        status, page = history(suite, ride, token, limit=200)
        return status == 200 and contents(page["messages"])[-1:] == [content]
    wait_until(is_there, f"{content} is not archived")


async def unread(suite, ride, role="client"):
    """As one is told who joins; nothing is said of it while the archive is away."""
    async def ask():
        found = (await join(suite, ride, role)).joined.get("unread")
        return None if found is None else [found]
    return (await eventually(ask, "nothing is said of unread messages"))[0]


def test_a_message_reaches_everybody_once_in_one_order(suite):
    async def scenario():
        ride = suite.booking()
        rider, phone, driver = await join(suite, ride), await join(suite, ride), await join(suite, ride, "driver")
        assert rider.joined["seq"] == 0 and rider.joined["recovered"] is False and await unread(suite, ride) == 0
        reply = await say(rider, ride, "I am at the door", message_id=str(uuid.uuid4()))
        assert reply["op"] == "reply" and reply["seq"] > 0 and reply["epoch"] == rider.joined["epoch"]
        other = await say(driver, ride, "Two minutes", reply_to=reply["message_id"])
        for client in (rider, phone, driver):
            first, second = await client.message("chat_message"), await client.message("chat_message")
            assert first["seq"] == reply["seq"] and second["seq"] == other["seq"]
            assert first["prev"] == 0 and second["prev"] == first["seq"]
            assert first["data"] == {"type": "chat_message", "booking_id": ride.id, "from_role": "client", "from_id": ride.client,
                                     "message_id": reply["message_id"], "content": "I am at the door", "sent_at": reply["sent_at"]}
            assert second["data"]["from_role"] == "driver" and second["data"]["reply_to"] == reply["message_id"]
            await client.ask("ping", t=1)
            assert not [frame for frame in client.frames if frame["op"] == "message"], "nothing twice"
    run(scenario())


@pytest.mark.parametrize("make_id", [lambda: str(uuid.uuid4()), lambda: "order_17-a"])
def test_the_same_id_is_stored_and_delivered_once(suite, make_id):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        message_id = make_id()
        first = await say(rider, ride, "once", message_id=message_id)
        again = await say(rider, ride, "something else", message_id=message_id)
        assert {**again, "id": 0} == {**first, "id": 0}
        wait_archived(suite, ride, suite.token(ride.client, "client"), "once")
        archived = await say(rider, ride, "once", message_id=message_id)
        assert {**archived, "id": 0} == {**first, "id": 0}
        stolen = await say(driver, ride, "mine", message_id=message_id)
        assert stolen["code"] == "conflict" and stolen["message"].startswith("data.message_id")
        await say(rider, ride, "end")
        seen = [await driver.message("chat_message") for _ in range(2)]
        assert contents(seen) == ["once", "end"]
    run(scenario())


def test_nobody_can_take_the_id_of_a_deletion_or_a_system_line(suite):
    async def scenario():
        ride, agent = suite.booking("driver_arrived"), fresh("agent")
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        secret = await say(rider, ride, "secret")
        part_of_day = int(time.time()) // 600
        for taken in [f"delete-{secret['message_id']}", *(f"joined-{agent}-{part}" for part in (part_of_day, part_of_day + 1)),
                      *(f"status-{version}" for version in range(1, 6))]:
            assert (await say(driver, ride, "first", message_id=taken))["op"] == "reply"
            dotted = await say(driver, ride, "first", message_id=taken.replace("-", "."))
            assert dotted["code"] == "bad_request", dotted
        gone = await change(rider, ride, "chat_delete", secret["message_id"])
        assert gone["op"] == "reply", gone
        staff = await suite.connect(agent, "support")
        assert (await staff.ask("subscribe", channel=ride.channel("chat"), reason="ticket 17"))["op"] == "reply"
        assert (await rider.message("chat_system"))["data"]["event"] == "support_joined"
        suite.set_booking(ride, "in_progress")
        assert (await rider.message("chat_system"))["data"]["event"] == "status_changed"
        # An id that looks like that of one's own deletion is a message like any other.
        late = await say(rider, ride, "not lost", message_id=f"delete-{gone['message_id']}-2")
        assert late["seq"] > gone["seq"] and late["message_id"] == f"delete-{gone['message_id']}-2"
    run(scenario())


def test_what_was_missed_comes_and_nothing_else(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        empty = rider.joined
        replies = [await say(driver, ride, f"m{number}") for number in range(10)]
        epoch = replies[0]["epoch"]
        for since, expected in [({"epoch": epoch, "seq": replies[3]["seq"]}, [f"m{n}" for n in range(4, 10)]),
                                ({"epoch": epoch, "seq": replies[9]["seq"]}, []),
                                ({"epoch": epoch, "seq": empty["seq"]}, [f"m{n}" for n in range(10)])]:
            back = await join(suite, ride, since=since)
            assert back.joined["recovered"] is True, back.joined
            assert contents(back.joined["messages"]) == expected
            sequences = [since["seq"]] + [message["seq"] for message in back.joined["messages"]]
            assert [message["prev"] for message in back.joined["messages"]] == sequences[:-1]
            assert back.joined["seq"] == sequences[-1]
        for since in [{"epoch": "abc", "seq": 1}, {"epoch": epoch, "seq": replies[9]["seq"] + 1000},
                      {"epoch": epoch, "seq": replies[3]["seq"] - 1 if replies[3]["seq"] - 1 != replies[2]["seq"] else 1}]:
            lost = await join(suite, ride, since=since)
            assert lost.joined["recovered"] is False, (since, lost.joined)
            assert contents(lost.joined["messages"]) == [f"m{n}" for n in range(10)]
            assert lost.joined["seq"] == replies[9]["seq"]
    run(scenario())


def test_more_than_300_missed_is_not_called_complete(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        first = await say(rider, ride, "start")
        for number in range(310):
            while (reply := await say(driver, ride, f"n{number}"))["op"] != "reply":
                assert reply["code"] == "rate_limited", reply
                await asyncio.sleep(reply["retry_after_ms"] / 1000)
        await rider.wait(lambda frame: frame.get("data", {}).get("content") == "n309")
        back = await join(suite, ride, since={"epoch": first["epoch"], "seq": first["seq"]})
        assert back.joined["recovered"] is False
        assert contents(back.joined["messages"]) == [f"n{number}" for number in range(260, 310)]
        token = suite.token(ride.client, "client")
        wait_archived(suite, ride, token, "n309")
        seen, cursor = [], None
        while True:
            status, page = history(suite, ride, token, limit=100, **({"before": cursor} if cursor else {}))
            assert status == 200, page
            seen = contents(page["messages"]) + seen
            cursor = page["before"]
            if cursor is None:
                break
        assert seen == ["start"] + [f"n{number}" for number in range(310)]
        status, page = history(suite, ride, token, limit=5, after=f"{first['epoch']}.{first['seq']}")
        assert contents(page["messages"]) == [f"n{number}" for number in range(5)] and page["has_more"] is True
        end = history(suite, ride, token, limit=1)[1]["after"]
        status, page = history(suite, ride, token, after=end)
        assert status == 200 and page["messages"] == [] and page["after"] == end, "who asks again later need not remember"
    run(scenario())


def test_edits_and_deletions(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        first, second = await say(rider, ride, "Gate A"), await say(rider, ride, "secret")
        edit = await change(rider, ride, "chat_edit", first["message_id"], content="Gate B, call 5551234567")
        assert edit["op"] == "reply" and edit["seq"] > second["seq"] and edit["masked"] == ["phone"]
        gone = await change(rider, ride, "chat_delete", second["message_id"])
        assert gone["seq"] > edit["seq"]
        assert (await change(rider, ride, "chat_delete", second["message_id"]))["seq"] == gone["seq"], "the same again"
        seen = await driver.message("chat_edit")
        assert seen["data"]["message_id"] == first["message_id"] and seen["data"]["content"] == "Gate B, call ***"
        assert (await driver.message("chat_delete"))["data"]["message_id"] == second["message_id"]
        for who, kind, target, code in [(driver, "chat_edit", first, "forbidden"), (driver, "chat_delete", first, "forbidden"),
                                        (rider, "chat_edit", second, "conflict"), (rider, "chat_edit", {"message_id": "none"}, "not_found")]:
            error = await change(who, ride, kind, target["message_id"], **({"content": "x"} if kind == "chat_edit" else {}))
            assert error["op"] == "error" and error["code"] == code and error["message"].startswith("data.message_id"), error
        token = suite.token(ride.driver, "driver")

        def archived():
            status, page = history(suite, ride, token)
            found = [message["data"] for message in page.get("messages", []) if message["data"]["type"] == "chat_message"]
            return found if len(found) == 2 and "edited_at" in found[0] and "deleted_at" in found[1] else None
        data = await eventually(archived, "the edit and the deletion are not archived")
        assert data[0]["content"] == "Gate B, call ***" and data[1]["content"] == ""
        # A newcomer sees the same, and one who comes back sees no word of what was deleted meanwhile.
        newcomer = await join(suite, ride, "driver")
        assert "secret" not in json.dumps(newcomer.joined)
        back = await join(suite, ride, "driver", since={"epoch": first["epoch"], "seq": first["seq"]})
        assert back.joined["recovered"] is True and "secret" not in json.dumps(back.joined)
        assert [message["data"]["type"] for message in back.joined["messages"]] == ["chat_message", "chat_edit", "chat_delete"]
    run(scenario())


def test_a_tail_shows_messages_as_they_stand_before_the_archive_has_the_changes(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        first, second = await say(rider, ride, "Gate A"), await say(rider, ride, "secret")
        await change(rider, ride, "chat_edit", first["message_id"], content="Gate B")
        await change(rider, ride, "chat_edit", second["message_id"], content="a better secret")
        gone = await change(rider, ride, "chat_delete", second["message_id"])
        tail = await driver.ask("subscribe", channel=ride.channel("chat"))
        assert [message["data"]["type"] for message in tail["messages"]] == ["chat_message"] * 2, tail
        assert contents(tail["messages"]) == ["Gate B", ""] and tail["seq"] == gone["seq"], tail
        assert "edited_at" in tail["messages"][0]["data"] and "deleted_at" in tail["messages"][1]["data"]
        back = await driver.ask("subscribe", channel=ride.channel("chat"), since={"epoch": first["epoch"], "seq": first["seq"]})
        assert [(message["data"]["type"], message["data"].get("content")) for message in back["messages"]] == [
            ("chat_message", ""), ("chat_edit", "Gate B"), ("chat_edit", ""), ("chat_delete", None)], back
    run(scenario())


def test_receipts_and_unread(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        replies = [await say(driver, ride, f"m{number}") for number in range(3)]
        await say(rider, ride, "mine does not count")
        assert await unread(suite, ride) == 3
        receipt = {"type": "chat_receipt", "kind": "read", "up_to_seq": replies[1]["seq"]}
        assert (await rider.ask("publish", channel=ride.channel("chat"), data=receipt))["op"] == "reply"
        for client in (driver, rider):
            seen = await client.message("chat_receipt")
            assert seen["data"] == {**receipt, "from_id": ride.client} and "seq" not in seen
        # An older mark, perhaps of another device, changes nothing.
        await rider.ask("publish", channel=ride.channel("chat"), data={**receipt, "up_to_seq": replies[0]["seq"]})

        async def marks():
            return (await join(suite, ride, "driver")).joined.get("marks")
        assert await eventually(marks, "no mark is kept") == [{"user_id": ride.client, "delivered": replies[1]["seq"], "read": replies[1]["seq"]}]
        assert await unread(suite, ride) == 1
        wait_archived(suite, ride, suite.token(ride.client, "client"), "mine does not count")
        status, mine = suite.rest("GET", "/v1/me/chats", key=suite.token(ride.client, "client"), base=suite.stack.public)
        assert status == 200 and mine["before"] is None
        assert [(chat["booking_id"], chat["unread"]) for chat in mine["chats"]] == [(ride.id, 1)]
        assert mine["chats"][0]["last_message"]["data"]["content"] == "mine does not count"
        beyond = await rider.ask("publish", channel=ride.channel("chat"), data={**receipt, "up_to_seq": 10**15})
        assert beyond["code"] == "bad_request" and beyond["message"].startswith("data.up_to_seq")
    run(scenario())


def test_typing_is_passed_on_and_ends_by_itself(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        for _ in range(5):
            assert (await rider.ask("publish", channel=ride.channel("chat"), data={"type": "chat_typing", "typing": True}))["op"] == "reply"
        seen = await driver.message("chat_typing")
        assert seen["data"] == {"type": "chat_typing", "from_id": ride.client, "typing": True} and "seq" not in seen
        assert (await driver.message("chat_typing"))["data"]["typing"] is False, "once, although it was said five times"
        await rider.ask("ping", t=1)
        assert not [frame for frame in rider.frames if frame["op"] == "message"], "nobody is told of their own typing"
        begun = time.monotonic()
        for number in range(20):
            await driver.ask("publish", channel=ride.channel("chat"), data={"type": "chat_typing", "typing": number % 2 == 0})
        reply = await say(driver, ride, "hello")
        took_s = time.monotonic() - begun
        await rider.wait(lambda frame: frame.get("seq") == reply["seq"])
        seen = [frame["data"]["typing"] for frame in rider.frames if frame["op"] == "message"]
        assert seen[:2] == [True, False] and len(seen) <= 2 * (1 + took_s), "ending and beginning in turn is no way round"
        assert contents((await join(suite, ride, "driver")).joined["messages"]) == ["hello"], "typing is never stored"
    run(scenario())


def test_content_rules(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        reply = await say(rider, ride, "call five five five 123 4567 or mail me@example.com")
        assert reply["masked"] == ["phone", "email"]
        assert (await driver.message("chat_message"))["data"]["content"] == "call *** or mail ***"
        for data, field in [({"content": ""}, "data.content"), ({"content": "  \n "}, "data.content"), ({"content": "\u200b\u3000"}, "data.content"), ({"content": "a\x07"}, "data.content"),
                            ({"content": "a\0b"}, "data.content"), ({"content": "x" * 2001}, "data.content"), ({"content": 5}, "data.content"), ({}, "data.content"),
                            ({"content": "x", "message_id": "a b"}, "data.message_id"), ({"content": "x", "reply_to": ""}, "data.reply_to"),
                            ({"content": "x", "booking_id": "other"}, "data.booking_id"),
                            ({"content": "x", "attachments": [{"url": "https://files.example.com/1"}]}, "data.attachments[0].content_type"),
                            ({"content": "x", "attachments": [{"url": "https://e.example/1", "content_type": "image/png", "size_bytes": 5}]},
                             "data.attachments")]:
            error = await rider.ask("publish", channel=ride.channel("chat"), data={"type": "chat_message", **data})
            assert error["code"] == "bad_request" and error["message"].startswith(field + ":"), error
        error = await rider.ask("publish", channel=ride.channel("chat"), data={"type": "chat_system", "event": "x"})
        assert error["code"] == "bad_request" and error["message"].startswith("data.type"), error
        assert (await say(rider, ride, "cut through a face \ud83d"))["op"] == "reply"
        assert (await driver.message("chat_message"))["data"]["content"] == "cut through a face \ufffd"
        ok = await say(rider, ride, "fine", from_id="somebody", from_role="support", sent_at="2001-01-01T00:00:00Z", phone="x")
        seen = await driver.message("chat_message")
        assert seen["data"]["from_id"] == ride.client and seen["data"]["sent_at"] == ok["sent_at"] and "phone" not in seen["data"]
    run(scenario())


def test_rights(suite):
    async def scenario():
        ride = suite.booking()
        stranger = await suite.connect(fresh("c"), "client")
        for op, fields in [("subscribe", {}), ("publish", {"data": {"type": "chat_message", "content": "x"}})]:
            error = await stranger.ask(op, channel=ride.channel("chat"), **fields)
            assert error["code"] == "forbidden", error
            error = await stranger.ask(op, channel="booking.nothing.chat", **fields)
            assert error["code"] == "not_found", error
        assert history(suite, ride, suite.token(fresh("c"), "client"))[0] == 403
        assert history(suite, ride, "nonsense")[0] == 401
        driver = await join(suite, ride, "driver")
        suite.set_booking(ride, "in_progress", driver_id=fresh("d"))
        gone = await driver.op("unsubscribed")
        assert gone["channel"] == ride.channel("chat") and gone["code"] == "revoked"
        assert (await say(driver, ride, "still here"))["code"] == "forbidden"
        assert history(suite, ride, suite.token(ride.driver, "driver"))[0] == 403
    run(scenario())


def test_support_joins_with_a_reason_and_is_seen(suite):
    async def scenario():
        ride = suite.booking()
        rider = await join(suite, ride)
        message = await say(rider, ride, "help")
        agent = await suite.connect(fresh("agent"), "support")
        assert (await agent.ask("subscribe", channel=ride.channel("chat")))["message"].startswith("reason")
        assert (await say(agent, ride, "hello"))["code"] == "forbidden"
        joined = await agent.ask("subscribe", channel=ride.channel("chat"), reason="ticket 17")
        assert contents(joined["messages"]) == ["help"]
        seen = await rider.message("chat_system")
        assert seen["data"]["event"] == "support_joined" and seen["data"]["from_role"] == "support" and seen["seq"] > message["seq"]
        assert (await say(agent, ride, "I am looking into it"))["op"] == "reply"
        assert (await rider.message("chat_message", from_role="support"))["data"]["content"] == "I am looking into it"
        assert (await change(agent, ride, "chat_delete", message["message_id"]))["op"] == "reply", "support may delete any"
        assert (await agent.ask("subscribe", channel="booking.nothing.chat", reason="x"))["code"] == "not_found"
        reader = fresh("agent")
        token = suite.token(reader, "support")
        assert history(suite, ride, token)[0] == 400
        for reason in ("", "x" * 201, b"\xff", "\x7f"):
            status, problem = history(suite, ride, token, reason=reason)
            assert status == 400 and problem["detail"].startswith("reason:"), (reason, problem)
        assert history(suite, ride, token, reason="ticket 17")[0] == 200
        seen = await rider.message("chat_system")
        assert seen["data"]["event"] == "support_joined" and seen["data"]["from_id"] == reader, "who only reads is seen too"
    run(scenario())


def test_a_chat_is_read_only_after_the_grace_time(suite):
    async def scenario():
        ride = suite.booking()
        rider = await join(suite, ride)
        await say(rider, ride, "thanks")
        suite.set_booking(ride, "completed")
        assert (await say(rider, ride, "I left my umbrella"))["op"] == "reply", "within the grace time"
        await asyncio.sleep(suite.chat_grace_s + 0.5)
        closed = await say(rider, ride, "too late")
        assert closed["code"] == "forbidden" and "only be read" in closed["message"]
        assert contents((await join(suite, ride)).joined["messages"]) == ["thanks", "I left my umbrella"]
    run(scenario())


def test_a_status_change_is_a_line_in_the_chat(suite):
    async def scenario():
        ride = suite.booking("driver_arrived")
        rider = await join(suite, ride)
        message = await say(rider, ride, "coming")
        suite.set_booking(ride, "in_progress")
        seen = await rider.message("chat_system")
        assert seen["data"]["event"] == "status_changed" and seen["data"]["status"] == "in_progress"
        assert seen["prev"] == message["seq"] and "from_id" not in seen["data"]
        suite.set_booking(ride, "in_progress")
        await say(rider, ride, "thanks")
        assert [(await rider.message(kind))["data"]["type"] for kind in ("chat_message", "chat_message")]
        assert not [frame for frame in rider.frames if frame["op"] == "message"], "an unchanged status says nothing"
        assert await unread(suite, ride, "driver") == 2
    run(scenario())


def test_a_user_can_be_forgotten(suite):
    async def scenario():
        ride = suite.booking()
        rider, driver = await join(suite, ride), await join(suite, ride, "driver")
        first = await say(rider, ride, "my name is Ann")
        await say(driver, ride, "hello")
        await change(rider, ride, "chat_edit", first["message_id"], content="my name is Anna")
        token = suite.token(ride.driver, "driver")
        wait_archived(suite, ride, token, "hello")
        with contextlib.ExitStack() as missing:
            if "notifier" not in suite.stack.services:  # the stack runs what is built
                missing.enter_context(stand_in(suite, {"rpc.notify.erase": lambda _: b""}))
            status, answer = suite.rest("DELETE", f"/v1/users/{ride.client}/data")
        assert status == 202, answer

        def is_forgotten():
            status, page = history(suite, ride, token)
            return status == 200 and contents(page["messages"]) == ["", "hello"] and "Ann" not in json.dumps(page)
        await eventually(is_forgotten, "the archive still has it")
        # Neither the archive nor the stream gives it to anybody again.
        for since in (None, {"epoch": first["epoch"], "seq": first["seq"]}, {"epoch": first["epoch"], "seq": 0}):
            back = await join(suite, ride, "driver", since=since)
            assert "Ann" not in json.dumps(back.joined) and "hello" in json.dumps(back.joined)
    run(scenario())
