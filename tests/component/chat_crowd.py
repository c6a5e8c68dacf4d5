"""Many conversations that go on whatever happens to the servers, and note every word."""
import asyncio
import itertools
import json
import random
import time
import uuid

import websockets


class Participant:
    """One side of a conversation: writes, retries with the same id until it is acknowledged, recovers with `since`."""

    def __init__(self, crowd, ride, role):
        self.crowd, self.ride, self.role = crowd, ride, role
        self.user = ride.client if role == "client" else ride.driver
        self.channel = ride.channel("chat")
        self.token = crowd.suite.token(self.user, role)
        self.seen = []  # (seq, message_id, content) in the order they came
        self.position = None  # {"epoch", "seq"} once subscribed
        self.waiting = {}  # id of a frame -> future
        self.numbers = itertools.count(1)
        self.socket = None
        self.problems = []
        self.connects = 0

    # --- the connection ---
    def take(self, message):
        if message.get("seq") is None:
            return
        if message["prev"] != self.position["seq"]:
            self.problems.append(f"prev {message['prev']} after {self.position['seq']}")
        self.position["seq"] = message["seq"]
        data = message["data"]
        if data["type"] == "chat_message":
            self.seen.append((message["seq"], data["message_id"], data["content"]))

    def joined(self, reply):
        former = self.position
        if former is not None and not reply["recovered"]:
            self.problems.append(f"not recovered since {former}: {reply['epoch']}, {reply['seq']}")
        if former is None:
            self.position = {"epoch": reply["epoch"], "seq": reply["messages"][0]["prev"] if reply["messages"] and "prev" in reply["messages"][0] else 0}
            if reply["messages"]:
                self.problems.append("the first subscription found messages")
        for message in reply["messages"]:
            self.take(message)
        self.position["seq"] = reply["seq"]

    async def request(self, timeout=8, **frame):
        number = next(self.numbers)
        future = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        try:
            await self.socket.send(json.dumps({**frame, "id": number}))
            return await asyncio.wait_for(future, timeout)
        finally:
            self.waiting.pop(number, None)

    async def subscribe(self):
        since = {"since": self.position} if self.position else {}
        reply = await self.request(op="subscribe", channel=self.channel, **since)
        if reply["op"] != "reply":
            raise ConnectionError(reply)

    async def read(self):
        async for text in self.socket:
            for line in text.split("\n"):
                frame = json.loads(line)
                if frame["op"] == "message" and frame["channel"] == self.channel:
                    self.take(frame)
                elif frame["op"] == "resync":
                    self.crowd.resyncs += 1
                    await self.socket.close()
                elif frame.get("id") in self.waiting:
                    if frame["op"] == "reply" and frame.get("channel") == self.channel and "messages" in frame:
                        self.joined(frame)  # at once, before what follows it
                    if not self.waiting[frame["id"]].done():
                        self.waiting[frame["id"]].set_result(frame)

    async def live(self):
        while not self.crowd.is_over:
            reader = None
            try:
                self.socket = await websockets.connect(self.crowd.suite.ws_url, subprotocols=["hansom.v1.json"], max_size=None,
                                                       close_timeout=0.2, open_timeout=10)
                reader = asyncio.create_task(self.read())
                if (await self.request(op="connect", token=self.token))["op"] != "reply":
                    raise ConnectionError
                await self.subscribe()
                self.connects += 1
                self.is_live.set()
                await reader
            except (OSError, ConnectionError, asyncio.TimeoutError, websockets.WebSocketException):
                pass
            finally:
                self.is_live.clear()
                for future in list(self.waiting.values()):
                    if not future.done():
                        future.set_exception(ConnectionError())
                        future.exception()
                if reader is not None:
                    reader.cancel()
                if self.socket is not None:
                    await self.socket.close()
            await asyncio.sleep(random.uniform(0.05, 0.5))

    # --- writing ---
    async def write(self):
        await asyncio.sleep(random.uniform(0, self.crowd.pause_s))
        while not self.crowd.is_quiet:
            number = next(self.crowd.numbers)
            await self.deliver({"type": "chat_message", "content": f"word {number} of {self.role}", "message_id": str(uuid.uuid4())})
            await asyncio.sleep(random.uniform(0.5, 1.5) * self.crowd.pause_s)

    async def deliver(self, data):
        started = time.monotonic()
        while True:
            try:
                await asyncio.wait_for(self.is_live.wait(), 60)
                reply = await self.request(op="publish", channel=self.channel, data=data)
                if reply["op"] == "reply":
                    self.crowd.acknowledged.setdefault(self.ride.id, []).append((reply["seq"], data["message_id"], data["content"]))
                    return
                assert reply["code"] in ("unavailable", "internal", "rate_limited"), reply
                self.crowd.refusals += 1
            except (OSError, ConnectionError, asyncio.TimeoutError, websockets.WebSocketException):
                self.crowd.cuts += 1
            assert time.monotonic() - started < 240, "a message could not be delivered for minutes"
            await asyncio.sleep(random.uniform(0.1, 0.6))


class Crowd:
    def __init__(self, suite, conversations, pause_s):
        self.suite, self.pause_s = suite, pause_s
        self.numbers = itertools.count(1)
        self.acknowledged = {}
        self.refusals = self.cuts = self.resyncs = 0
        self.is_quiet = self.is_over = False
        self.rides = [suite.booking() for _ in range(conversations)]
        self.people = [Participant(self, ride, role) for ride in self.rides for role in ("client", "driver")]

    async def run(self, what_happens):
        """Everybody talks while what_happens; then everybody finishes and has heard everything."""
        for person in self.people:
            person.is_live = asyncio.Event()
        lives = [asyncio.create_task(person.live()) for person in self.people]
        try:
            for person in self.people:
                await asyncio.wait_for(person.is_live.wait(), 180)
            writers = [asyncio.create_task(person.write()) for person in self.people]
            await what_happens()
            self.is_quiet = True
            await asyncio.gather(*writers)
            await self.settle()
        finally:
            self.is_over = True
            for task in lives:
                task.cancel()
            await asyncio.gather(*lives, return_exceptions=True)

    @property
    def connects(self):
        return sum(person.connects for person in self.people)

    def words(self):
        """How many were acknowledged."""
        return sum(len(items) for items in self.acknowledged.values())

    def missing(self):
        return [person for person in self.people if len(person.seen) < len(self.acknowledged.get(person.ride.id, []))]

    async def settle(self, timeout=120):
        deadline = time.monotonic() + timeout
        while self.missing() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)

    def check_seen(self):
        """Everything acknowledged was seen by both sides, once, in one order, and nothing else was."""
        for person in self.people:
            expected = sorted(self.acknowledged.get(person.ride.id, []))
            assert not person.problems, (person.ride.id, person.role, person.problems[:5])
            assert person.seen == expected, (person.ride.id, person.role, first_difference(person.seen, expected))


def first_difference(seen, expected):
    for at, (one, other) in enumerate(itertools.zip_longest(seen, expected)):
        if one != other:
            return {"at": at, "seen": seen[max(0, at - 1):at + 3], "expected": expected[max(0, at - 1):at + 3]}
    return None
