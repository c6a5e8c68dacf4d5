"""Hundreds of conversations while everything is killed and stopped, one after another: no acknowledged word is lost,
doubled or reordered, neither for those who talk nor in the archive."""
import asyncio
import contextlib
import os
import signal
import time
import uuid

import psycopg2
import pytest

from chat_crowd import Crowd
from conftest import run, signal_tree
from waiting import eventually

CONVERSATIONS = int(os.environ.get("HANSOM_CHAT_CONVERSATIONS", "200"))
STOPPED_S = float(os.environ.get("HANSOM_CHAT_STOPPED_S", "3"))


def archived(suite, rides):
    with psycopg2.connect(suite.stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT booking_id, seq, message_id, content FROM chat.items WHERE kind = 1 AND booking_id = ANY (%s) "
                       "ORDER BY booking_id, epoch, seq", ([ride.id for ride in rides],))
        rows = {}
        for booking, *item in cursor.fetchall():
            rows.setdefault(booking, []).append(tuple(item))
        return rows


async def wait_archived(suite, crowd, timeout=180):
    deadline = time.monotonic() + timeout
    wanted = sum(len(items) for items in crowd.acknowledged.values())
    while True:
        try:
            rows = archived(suite, crowd.rides)
            if sum(len(items) for items in rows.values()) >= wanted:
                return rows
        except psycopg2.OperationalError:
            rows = {}
        assert time.monotonic() < deadline, f"{sum(len(items) for items in rows.values())} of {wanted} archived"
        await asyncio.sleep(0.2)


def check_archive(rows, crowd):
    for ride in crowd.rides:
        assert rows.get(ride.id, []) == sorted(crowd.acknowledged.get(ride.id, [])), ride.id


@pytest.fixture
def watched(suite):
    """With a second chat-store, so that two share the archive."""
    if "chat-store-1" not in suite.stack.processes:
        with suite.lock:
            suite.stack.start_replica("chat-store", 1)
    yield suite
    for name in list(suite.stack.processes):
        try:
            signal_tree(suite.pid(name), signal.SIGCONT)
        except (ProcessLookupError, FileNotFoundError):
            pass


async def kill(suite, name):
    pid = suite.pid(name)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: suite.pid(name) != pid, f"{name} is not started again")
    await asyncio.sleep(2)


async def stop(suite, name, seconds=STOPPED_S):
    pid = suite.pid(name)
    signal_tree(pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    signal_tree(pid, signal.SIGCONT)
    await asyncio.sleep(1)


VICTIMS = ("chat-store", "chat-store-1", "edge-gateway", "nats-server", "postgres")


def test_no_acknowledged_word_is_lost_doubled_or_reordered(watched):
    async def scenario():
        crowd = Crowd(watched, CONVERSATIONS, pause_s=2.0)

        async def what_happens():
            await asyncio.sleep(1)
            for name in VICTIMS:
                await kill(watched, name)
                await stop(watched, name)
            await eventually(lambda: crowd.words() > CONVERSATIONS * 5, "hardly anything is said")

        await crowd.run(what_happens)
        crowd.check_seen()
        check_archive(await wait_archived(watched, crowd), crowd)
        print(f"{crowd.words()} words, {crowd.connects} connects, {crowd.cuts} cut, {crowd.refusals} refused, {crowd.resyncs} resyncs")
        assert crowd.cuts > 0, "the faults were not felt"
    run(scenario())


def test_people_go_on_talking_while_the_database_is_away(watched):
    async def scenario():
        crowd = Crowd(watched, 20, pause_s=0.3)

        async def what_happens():
            await asyncio.sleep(0.5)
            before = crowd.words()
            pid = watched.pid("postgres")
            signal_tree(pid, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            await eventually(lambda: crowd.words() - before > 50, "hardly anything is said while the database is away")
            # One who comes back meanwhile recovers from the stream.
            person, connects = crowd.people[0], crowd.people[0].connects
            await person.socket.close()
            await eventually(lambda: person.connects > connects and person.is_live.is_set(), "nobody comes back")
            assert not person.problems
            signal_tree(pid, signal.SIGCONT)

        await crowd.run(what_happens)
        crowd.check_seen()
        check_archive(await wait_archived(watched, crowd), crowd)
    run(scenario())


@contextlib.contextmanager
def away(suite, name, how):
    """Dead and not started again, or silent."""
    if how == "stopped":
        pid = suite.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
    else:
        with suite.lock:  # the supervisor waits for it
            os.kill(suite.pid(name), signal.SIGKILL)
            yield


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_with_the_bus_away_senders_are_told_and_their_retry_is_stored_once(watched, how):
    async def scenario():
        ride = watched.booking()
        clients = [await watched.connect(user, role) for user, role in ((ride.client, "client"), (ride.driver, "driver"))]
        for client in clients:
            assert (await client.ask("subscribe", channel=ride.channel("chat")))["op"] == "reply"
        rider, driver = clients

        async def say(content, message_id):
            return await rider.ask("publish", channel=ride.channel("chat"),
                                   data={"type": "chat_message", "content": content, "message_id": message_id})

        assert (await say("before", "m1"))["op"] == "reply"
        message_id = str(uuid.uuid4())
        with away(watched, "nats-server", how):
            refused = await say("while it is away", message_id)
            assert refused["op"] == "error" and refused["code"] == "unavailable", refused
        deadline = time.monotonic() + 120
        while (stored := await say("while it is away", message_id))["op"] != "reply":
            assert stored["code"] == "unavailable" and time.monotonic() < deadline, stored
            await asyncio.sleep(0.2)
        again = await say("while it is away", message_id)
        assert {**again, "id": 0} == {**stored, "id": 0}
        last = await say("after", "m3")
        assert last["op"] == "reply"
        seen = [await driver.message("chat_message") for _ in range(3)]
        assert [message["data"]["content"] for message in seen] == ["before", "while it is away", "after"]
        assert [message["seq"] for message in seen[1:]] == [stored["seq"], last["seq"]]
        deadline = time.monotonic() + 120
        while len(rows := archived(watched, [ride]).get(ride.id, [])) < 3:
            assert time.monotonic() < deadline, rows
            await asyncio.sleep(0.1)
        assert [row[1] for row in rows] == ["m1", message_id, "m3"]
    run(scenario())
