"""The whole suite on free ports, once per test run, from the binaries of HANSOM_BUILD (default build/asan)."""
import asyncio
import datetime
import itertools
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
import websockets

from hansomdev.stack import Stack

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from peers.all import Peers  # noqa: E402
# Short intervals, so that what takes N of them is seen within seconds.
FAST = {"HANSOM_ON_BOOKING_HEARTBEAT_INTERVAL_MS": "1000", "HANSOM_NO_VIEWERS_HEARTBEAT_INTERVAL_MS": "1000",
        "HANSOM_AVAILABLE_HEARTBEAT_INTERVAL_MS": "1000", "HANSOM_RECONNECT_GRACE_MS": "500",
        "HANSOM_NO_VIEWERS_DELAY_MS": "1500", "HANSOM_CONNECT_TIMEOUT_MS": "1500", "HANSOM_MAX_FRAME_BYTES": "20000",
        "HANSOM_CHAT_GRACE_S": "2", "HANSOM_CHAT_TYPING_TIMEOUT_MS": "1000",
        # notifier: a ladder within a second, a batch that takes long enough to be killed in
        "HANSOM_PUSH_AFTER_MS": "300", "HANSOM_CONTACT_AFTER_MS": "600", "HANSOM_RETRY_BASE_MS": "50", "HANSOM_TRIES_MAX": "4",
        "HANSOM_POLL_MS": "50", "HANSOM_CLAIM_LEASE_MS": "3000", "HANSOM_TRANSFER_TIMEOUT_MS": "1500", "HANSOM_IN_FLIGHT_MAX": "100",
        "HANSOM_WEBPUSH_PER_HOST_MAX": "3", "HANSOM_BREAKER_FAILURES": "12", "HANSOM_BREAKER_OPEN_MS": "400", "HANSOM_NOT_CRITICAL_PER_HOUR": "6",
        "HANSOM_TYPE_POLICIES": "test_silent=none,test_alarm=always"}
_ids = itertools.count(1)


def fresh(prefix):
    return f"{prefix}-{os.getpid()}-{next(_ids)}"


class Suite:
    """A running stack with a supervisor thread, and what tests do with it."""

    def __init__(self, folder):
        build = pathlib.Path(os.environ.get("HANSOM_BUILD", ROOT / "build" / "asan"))
        self.peers = Peers(folder / "peers")
        self.stack = Stack(ROOT, build, folder, extra_env=dict(FAST))
        self.chat_grace_s = int(FAST["HANSOM_CHAT_GRACE_S"])
        self.lock = threading.Lock()
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self):
        self.peers.start()
        self.stack.extra_env.update(
            self.peers.settings(), HANSOM_TEMPLATES_DIR=str(ROOT / "tests" / "data" / "templates"),
            HANSOM_SMS_STATUS_CALLBACK_URL=f"{self.stack.public}/v1/callbacks/sms")
        self.stack.start()
        self.stack.wait_ready()
        self.thread.start()

    def _supervise(self):
        while not self.is_ending.wait(0.05):
            with self.lock:
                self.stack.look_after()
        # Here, because children that this thread started die with it.
        self.statuses = self.stack.stop()

    def stop(self):
        """Exit statuses by name."""
        self.is_ending.set()
        if self.thread.ident is None:
            return self.stack.stop()
        self.thread.join()
        return self.statuses

    def rest(self, method, path, body=None, *, key=None, headers=None, base=None):
        key = self.stack.api_key_file.read_text().split()[0] if key is None else key
        request = urllib.request.Request((base or self.stack.internal) + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}",
                                                  **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def session(self, user, role, **more):
        status, body = self.rest("POST", "/v1/sessions", {"user_id": user, "role": role, "platform": "ios", **more})
        assert status == 201, body
        return body

    def token(self, user, role, **more):
        return self.session(user, role, **more)["access_token"]

    def booking(self, status="in_progress", *, booking=None, client=None, driver=""):
        """driver None: nobody is assigned."""
        ride = Ride(booking or fresh("b"), client or fresh("c"), fresh("d") if driver == "" else driver)
        self.set_booking(ride, status)
        return ride

    def set_booking(self, ride, status, **change):
        body = {"client_id": ride.client, "driver_id": ride.driver, "status": status, **change}
        code, answer = self.rest("PUT", f"/v1/bookings/{ride.id}", body)
        assert code in (200, 201), answer

    @property
    def ws_url(self):
        return self.stack.public.replace("http", "ws") + "/v1/ws"

    async def connect(self, user, role, *, url=None, **more):
        client = Client(await websockets.connect(url or self.ws_url, subprotocols=["hansom.v1.json"], max_size=None, close_timeout=0.2))
        client.welcome = await client.ask("connect", token=self.token(user, role, **more), platform="ios")
        assert client.welcome["op"] == "reply", client.welcome
        return client

    def pid(self, name):
        return int((self.stack.run_dir / f"{name}.pid").read_text())


class Ride:
    def __init__(self, booking, client, driver):
        self.id, self.client, self.driver = booking, client, driver

    def channel(self, kind):
        return f"booking.{self.id}.{kind}"


class Client:
    """A WebSocket client that is not ours, speaking PROTOCOL in JSON."""

    def __init__(self, socket):
        self.socket = socket
        self.frames = []
        self.numbers = itertools.count(1)
        self.welcome = None

    async def send(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def wait(self, is_wanted, timeout=8):
        """The first frame, already come or yet to come, for which it holds; it is taken out."""
        deadline = time.monotonic() + timeout
        while True:
            for frame in self.frames:
                if is_wanted(frame):
                    self.frames.remove(frame)
                    return frame
            text = await asyncio.wait_for(self.socket.recv(), max(0.01, deadline - time.monotonic()))
            self.frames.extend(json.loads(line) for line in text.split("\n") if line)

    async def ask(self, op, timeout=8, **fields):
        number = next(self.numbers)
        await self.send(op=op, id=number, **fields)
        return await self.wait(lambda frame: frame.get("id") == number, timeout)

    async def message(self, kind, timeout=8, **fields):
        def fits(frame):
            data = frame.get("data", {})
            return frame.get("op") == "message" and data.get("type") == kind and all(
                data.get(name) == value for name, value in fields.items())
        return await self.wait(fits, timeout)

    async def op(self, name, timeout=8):
        return await self.wait(lambda frame: frame.get("op") == name, timeout)

    async def closed(self, timeout=8):
        """The close code."""
        try:
            while True:
                text = await asyncio.wait_for(self.socket.recv(), timeout)
                self.frames.extend(json.loads(line) for line in text.split("\n") if line)
        except websockets.ConnectionClosed:
            return self.socket.close_code

    async def locate(self, ride, lat, lng, at=None, **more):
        return await self.ask("publish", channel=ride.channel("tracking"),
                              data={"type": "driver_location_update", "lat": lat, "lng": lng, "timestamp": stamp(at), **more})

    async def beat(self, driver, **more):
        return await self.ask("publish", channel=f"driver.{driver}.heartbeat",
                              data={"type": "heartbeat", "availability": "available", "timestamp": stamp(), **more})


def stamp(at=None):
    at = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


def seconds(text):
    """Of a time as it is on the wire. Two of them are never compared as texts: one may have no fraction."""
    return datetime.datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="session")
def suite():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hansom-component-", dir="/tmp"))
    folder.chmod(0o755)
    suite = Suite(folder)
    try:
        suite.start()
        yield suite
        statuses = suite.stop()
        logs = {path.name: path.read_text(errors="replace") for path in suite.stack.log_dir.glob("*.log")}
        assert not [name for name, text in logs.items() if "Sanitizer" in text or "runtime error" in text], \
            "\n".join(text[-4000:] for text in logs.values() if "Sanitizer" in text or "runtime error" in text)
        services = {name: status for name, status in statuses.items() if name in suite.stack.services}
        assert all(status == 0 for status in services.values()), services
    finally:
        suite.stop()
        suite.peers.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def world(suite):
    """The suite as tests of the notifier see it; what they planned at the peers is forgotten afterwards."""
    from notifier_world import World
    yield World(suite)
    suite.peers.forget_plans()


def run(coroutine):
    return asyncio.run(coroutine)
