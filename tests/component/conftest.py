"""The whole suite on free ports, once per test run, from the binaries of HANSOM_BUILD (default build/asan)."""
import asyncio
import contextlib
import datetime
import faulthandler
import itertools
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
import websockets

from waiting import PATIENCE_S, wait_until

from hansomdev.ports import any_free
from hansomdev.stack import Stack

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from peers.all import Peers  # noqa: E402
# Short intervals, so that what takes N of them is seen within seconds; but none that a test must be faster than.
FAST = {"HANSOM_ON_BOOKING_HEARTBEAT_INTERVAL_MS": "1000", "HANSOM_NO_VIEWERS_HEARTBEAT_INTERVAL_MS": "1000",
        "HANSOM_AVAILABLE_HEARTBEAT_INTERVAL_MS": "1000", "HANSOM_RECONNECT_GRACE_MS": "500",
        "HANSOM_NO_VIEWERS_DELAY_MS": "1500", "HANSOM_CONNECT_TIMEOUT_MS": "60000", "HANSOM_MAX_FRAME_BYTES": "20000",
        "HANSOM_IDLE_TIMEOUT_MS": "600000", "HANSOM_CHAT_GRACE_S": "5", "HANSOM_CHAT_TYPING_TIMEOUT_MS": "1000",
        "HANSOM_CHAT_TYPING_INTERVAL_MS": "60000",
        "HANSOM_DRAIN_TIMEOUT_MS": "60000", "HANSOM_RETENTION_DAYS": "3650",
        # notifier: a ladder within a second, a batch that takes long enough to be killed in
        "HANSOM_PUSH_AFTER_MS": "300", "HANSOM_CONTACT_AFTER_MS": "600", "HANSOM_RETRY_BASE_MS": "50", "HANSOM_TRIES_MAX": "4",
        "HANSOM_POLL_MS": "50", "HANSOM_CLAIM_LEASE_MS": "13000", "HANSOM_TRANSFER_TIMEOUT_MS": "6000", "HANSOM_IN_FLIGHT_MAX": "100",
        "HANSOM_WEBPUSH_PER_HOST_MAX": "3", "HANSOM_BREAKER_FAILURES": "12", "HANSOM_BREAKER_OPEN_MS": "400", "HANSOM_NOT_CRITICAL_PER_HOUR": "6",
        "HANSOM_TYPE_POLICIES": "test_silent=none,test_alarm=always"}
# Much more than the longest takes on a machine ten times slower.
TEST_MAX_S = 600
_ids = itertools.count(1)
for name in list(os.environ):  # what would lead clients elsewhere
    if name.lower().endswith("_proxy") or name.startswith("PG"):
        del os.environ[name]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol():
    """One that hangs fails alone, and shows where every thread stood."""
    def give_up(number, frame):
        faulthandler.dump_traceback(file=sys.stderr)
        pytest.fail(f"not over after {TEST_MAX_S} s")
    former = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, TEST_MAX_S, 20)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


def fresh(prefix):
    return f"{prefix}-{os.getpid()}-{next(_ids)}"


class Suite:
    """A running stack with a supervisor thread, and what tests do with it."""

    def __init__(self, folder):
        build = pathlib.Path(os.environ.get("HANSOM_BUILD", ROOT / "build" / "asan"))
        self.peers = Peers(folder / "peers")
        # Nothing here outlives the machine, so nothing waits for its disk.
        self.stack = Stack(ROOT, build, folder, extra_env=dict(FAST), postgres_options=("fsync=off",), stop_s=120)
        self.chat_grace_s = int(FAST["HANSOM_CHAT_GRACE_S"])
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.more_admin_ports = []  # of gateways beside the stack's
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

    def wait_ready(self):
        """Whatever was killed is back."""
        ports = [*self.stack.admin_ports.values(), *self.more_admin_ports]
        wait_until(lambda: all(map(self.stack.is_ready, ports)), lambda: f"not all of {ports} are ready; see {self.stack.log_dir}")

    def restart(self, name, **env):
        """With other settings; what they were."""
        with self.lock:
            process = self.stack.processes[name]
            former = {setting: process.env[setting] for setting in env}
            process.env.update(env)
            pid = self.pid(name)
            os.kill(pid, signal.SIGTERM)
        self.wait_replaced(name, pid)
        self.wait_ready()
        return former

    def wait_replaced(self, name, pid):
        wait_until(lambda: self.pid(name) != pid, f"{name} is not started again")

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
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
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
        token = self.token(user, role, **more)
        # No pings: a test that waits for something else does not read meanwhile.
        client = Client(await websockets.connect(url or self.ws_url, subprotocols=["hansom.v1.json"], max_size=None, ping_interval=None,
                                                 open_timeout=PATIENCE_S, close_timeout=PATIENCE_S))
        client.welcome = await client.ask("connect", token=token, platform="ios")
        assert client.welcome["op"] == "reply", client.welcome
        return client

    def metric(self, service, name, **labels):
        """The sum of the series that carry these labels."""
        return sum(value for series, value in self.stack.metrics(service).items()
                   if series.partition("{")[0] == name and all(f'{label}="{wanted}"' in series for label, wanted in labels.items()))

    def pid(self, name):
        return int((self.stack.run_dir / f"{name}.pid").read_text())


class Ride:
    def __init__(self, booking, client, driver):
        self.id, self.client, self.driver = booking, client, driver

    def channel(self, kind):
        return f"booking.{self.id}.{kind}"


class Client:
    """A WebSocket client that is not ours, speaking PROTOCOL in JSON."""

    sockets = []

    def __init__(self, socket):
        self.socket = socket
        self.sockets.append(socket)
        self.frames = []
        self.numbers = itertools.count(1)
        self.welcome = None

    async def send(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def wait(self, is_wanted, timeout=PATIENCE_S):
        """The first frame, already come or yet to come, for which it holds; it is taken out."""
        deadline = time.monotonic() + timeout
        while True:
            for frame in self.frames:
                if is_wanted(frame):
                    self.frames.remove(frame)
                    return frame
            text = await asyncio.wait_for(self.socket.recv(), max(0.01, deadline - time.monotonic()))
            self.frames.extend(json.loads(line) for line in text.split("\n") if line)

    async def ask(self, op, timeout=PATIENCE_S, **fields):
        number = next(self.numbers)
        await self.send(op=op, id=number, **fields)
        return await self.wait(lambda frame: frame.get("id") == number, timeout)

    async def message(self, kind, timeout=PATIENCE_S, **fields):
        def fits(frame):
            data = frame.get("data", {})
            return frame.get("op") == "message" and data.get("type") == kind and all(
                data.get(name) == value for name, value in fields.items())
        return await self.wait(fits, timeout)

    async def op(self, name, timeout=PATIENCE_S):
        return await self.wait(lambda frame: frame.get("op") == name, timeout)

    async def closed(self, timeout=PATIENCE_S):
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


def signal_tree(pid, number):
    """To a process and its children: PostgreSQL is one per connection."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        pids = [pid, *map(int, children.read().split())]
    for process in pids:
        with contextlib.suppress(ProcessLookupError):  # one that has ended meanwhile
            os.kill(process, number)


def stamp(at=None):
    at = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


def seconds(text):
    """Of a time as it is on the wire. Two of them are never compared as texts: one may have no fraction."""
    return datetime.datetime.fromisoformat(text).timestamp()


@pytest.fixture(scope="session")
def suite():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hansom-component-"))
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
        for left in (folder, getattr(suite.stack, "postgres_folder", folder)):
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(autouse=True)
def settled(request):
    if "suite" in request.fixturenames:
        request.getfixturevalue("suite").wait_ready()


@pytest.fixture(scope="session")
def start_gateway(suite):
    """Starts one more gateway with other settings; the ws:// address that it is ready at."""
    numbers = itertools.count(1)

    def start(*arguments):
        port, admin_port = any_free(), any_free()
        with suite.lock:
            suite.stack.start_replica("edge-gateway", next(numbers), f"--port={port}", f"--admin-port={admin_port}", *arguments)
        suite.more_admin_ports.append(admin_port)
        suite.wait_ready()
        return f"ws://127.0.0.1:{port}/v1/ws"
    return start


@pytest.fixture
def world(suite):
    """The suite as tests of the notifier see it; what they planned at the peers is forgotten afterwards."""
    from notifier_world import World
    yield World(suite)
    suite.peers.forget_plans()


def run(coroutine):
    """What a scenario has left connected is cut, not asked to say goodbye."""
    async def scenario():
        try:
            return await coroutine
        finally:
            while Client.sockets:
                Client.sockets.pop().transport.abort()
    return asyncio.run(scenario())
