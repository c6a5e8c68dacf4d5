"""script/bench notify: pushes per second through the whole notifier, to an HTTP/2 provider that answers after 50 ms.
script/bench notify --backlog: the same with a million events, killed twice on the way: memory, and that nothing is lost."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import psycopg2
from cryptography.hazmat.primitives.asymmetric import rsa

from . import bench
from .bench import say, verdict
from .process import DIES_WITH_PARENT

PUSHES_PER_S_WANTED = 2000
FILL_CHUNK = 5000
SAMPLE_S = 0.25


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench notify")
    parser.add_argument("--root", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--backlog", action="store_true", help="1,000,000 events and 2 kills")
    parser.add_argument("--events", type=int, help="each for one device (60000)")
    parser.add_argument("--users", type=int, default=10000, help="that they are for, at most 1,000 events each (%(default)s)")
    parser.add_argument("--delay-ms", type=int, default=50, help="until the provider answers (%(default)s)")
    parser.add_argument("--kills", type=int, help="of the notifier, by SIGKILL on the way (0)")
    arguments = parser.parse_args()
    arguments.events = arguments.events or (1000000 if arguments.backlog else 60000)
    arguments.kills = (2 if arguments.backlog else 0) if arguments.kills is None else arguments.kills
    if arguments.events > arguments.users * 1000:
        parser.error("--users: the stream keeps 1,000 events per user")
    return arguments


# --- the provider ---
class Sink:
    """tests/peers/push_sink with TLS, and the credentials that it does not look at."""

    def __init__(self, root, build, folder, delay_ms):
        sys.path.insert(0, str(pathlib.Path(root) / "tests"))
        from peers.tls import Authority, private_pem
        folder.mkdir()
        authority = Authority(folder)
        self.process = subprocess.Popen(
            [*DIES_WITH_PARENT, build / "tests" / "peers" / "push_sink", f"--delay-ms={delay_ms}", f"--cert={authority.server_file}",
             f"--key={authority.server_file}"], stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline().split()[1])
        account = folder / "account.json"
        account.write_text(json.dumps({
            "client_email": "bench@hansom.test", "private_key_id": "bench", "project_id": "bench", "token_uri": f"https://127.0.0.1:{port}/token",
            "private_key": private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)).decode()}))
        self.settings = {"HANSOM_FCM_URL": f"https://127.0.0.1:{port}", "HANSOM_FCM_SERVICE_ACCOUNT_FILE": str(account),
                         "HANSOM_PROVIDER_CA_FILE": str(authority.ca_file), "HANSOM_PUSH_AFTER_MS": "0",
                         "HANSOM_NOT_CRITICAL_PER_HOUR": "100000"}

    def stop(self):
        """What it has counted."""
        self.process.terminate()
        return self.process.communicate(timeout=10)[0].strip()


# --- events ---
def connect(stack):
    sys.path.insert(0, str(pathlib.Path(stack.root) / "tests" / "component"))
    import nats_mini
    login = urllib.parse.urlsplit(stack.nats_url)
    return nats_mini, nats_mini.Nats(login.port, login.username, login.password)


def stored(nats):
    return json.loads(nats.request("$JS.API.STREAM.INFO.EVENTS", b"")[1])["state"]["messages"]


def fill(stack, arguments):
    """Straight into the stream, a chunk at a time, so that the server keeps up."""
    nats_mini, nats = connect(stack)
    began, now_ms = time.monotonic(), int(time.time() * 1000)
    data = json.dumps({"booking_id": "b-0123abcd", "text": "x" * 60})
    for first in range(0, arguments.events, FILL_CHUNK):
        chunk = bytearray()
        last = min(first + FILL_CHUNK, arguments.events)
        for number in range(first, last):
            user = f"user-{number % arguments.users}"
            event = nats_mini.encode({1: user, 2: f"event-{number}", 3: "policy_notice", 4: data, 6: now_ms})
            chunk += b"PUB in.user.%s.events %d\r\n%b\r\n" % (user.encode(), len(event), event)
        nats.send(chunk)
        while stored(nats) < last:
            time.sleep(0.01)
    nats.close()
    say(f"fill      {arguments.events:,} events for {arguments.users:,} users into the stream in {time.monotonic() - began:.1f} s")


def register_devices(stack, arguments):
    with psycopg2.connect(stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO notify.devices (user_id, device_id, channel, token, token_sha256, platform, locale, timezone, "
                       "registered_ms) SELECT 'user-' || n, 'phone', 1, 'token-' || n || repeat('x', 140), 'sha-' || n, 'android', "
                       "'en', 'Europe/Zurich', 1 FROM generate_series(0, %s) AS n", (arguments.users - 1,))


# --- the run ---
class Run:
    def __init__(self, stack, arguments):
        self.stack, self.arguments = stack, arguments
        self.rss_bytes_max = 0
        self.cpu_ended_s = 0.0  # of notifiers that were killed
        self.connection = psycopg2.connect(stack.postgres_url)
        self.connection.autocommit = True

    def ask(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    def pid(self):
        return self.stack.processes["notifier"].child.pid

    def sample(self):
        """(accepted, queue) by the notifier's metrics since its last start; None while it does not answer."""
        try:
            figures = self.stack.metrics("notifier")
        except OSError:
            return None
        self.rss_bytes_max = max(self.rss_bytes_max, figures["process_resident_memory_bytes"])
        return figures['hansom_notify_sent_total{channel="fcm"}']

    def kill(self):
        with contextlib.suppress(OSError):
            self.cpu_ended_s += bench.cpu_seconds(self.pid())
        os.kill(self.pid(), signal.SIGKILL)
        while self.stack.processes["notifier"].is_running():
            time.sleep(0.01)

    def accepted(self):
        return self.ask("SELECT count(*) FROM notify.deliveries WHERE state IN (2, 3)")[0]

    def until_done(self):
        """Seconds from the first accepted push to the last, kills at equal parts of the way."""
        events, kills = self.arguments.events, self.arguments.kills
        began, before, killed = None, 0, 0
        while True:
            self.stack.look_after()
            sent = self.sample()
            if began is None and sent:
                began = time.monotonic()
            if sent is not None and kills > killed and before + sent > events * (killed + 1) / (kills + 1):
                say(f"kill      after {before + sent:,.0f} pushes, {time.monotonic() - began:.0f} s")
                self.kill()
                killed += 1
                before = self.accepted()
            elif sent is not None and before + sent >= events and self.accepted() >= events:
                return time.monotonic() - began
            time.sleep(SAMPLE_S)

    def report_ledger(self):
        """Whether every event has one accepted delivery."""
        events = self.arguments.events
        found = self.ask("SELECT (SELECT count(*) FROM notify.events), count(*) FILTER (WHERE state = 2), count(*), sum(tries) FROM "
                         "notify.deliveries")
        outcomes = self.ask("SELECT count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2), "
                            "count(*) FILTER (WHERE outcome = 3), count(*) FILTER (WHERE outcome = 0) FROM notify.attempts")
        say(f"ledger    {found[0]:,} events, {found[1]:,} of {found[2]:,} deliveries accepted; attempts: {outcomes[0]:,} accepted, "
            f"{outcomes[1]:,} failed, {outcomes[2]:,} uncertain, {outcomes[3]:,} open")
        return found[0] == found[1] == found[2] == outcomes[0] == events and outcomes[3] == 0


def measure(stack, sink, arguments):
    notifier = stack.processes["notifier"]
    notifier.tell_to_stop()
    notifier.wait_stopped()
    register_devices(stack, arguments)
    fill(stack, arguments)
    run = Run(stack, arguments)
    postgres, nats = (stack.processes[name].child.pid for name in ("postgres", "nats-server"))
    cpu = [bench.cpu_seconds(pid) for pid in (postgres, nats)]
    stack.start_service("notifier")
    seconds = run.until_done()
    cpu = [bench.cpu_seconds(pid) - before for pid, before in zip((postgres, nats), cpu)]
    own = run.cpu_ended_s + bench.cpu_seconds(run.pid())
    rate, per_cpu = arguments.events / seconds, arguments.events / own
    say(f"push      {arguments.events:,} events pushed and recorded in {seconds:.1f} s: {rate:,.0f} per second")
    say(f"cpu       pushes per CPU-second: notifier {per_cpu:,.0f}, PostgreSQL {arguments.events / cpu[0]:,.0f}, NATS "
        f"{arguments.events / max(cpu[1], 0.01):,.0f}")
    say(f"memory    notifier at most {run.rss_bytes_max / 2**20:.0f} MiB resident")
    is_whole = run.report_ledger()
    say(f"provider  {sink.stop()}")
    return rate, per_cpu, is_whole


def main():
    arguments = parse_arguments()
    bench.introduce("notify")
    with tempfile.TemporaryDirectory(prefix="hansom-bench-sink-") as folder:
        build = pathlib.Path(arguments.root) / "build" / "release"
        sink = Sink(arguments.root, build, pathlib.Path(folder) / "sink", arguments.delay_ms)
        try:
            with bench.own_stack(arguments.root, 1500, extra_env=sink.settings) as stack:
                rate, per_cpu, is_whole = measure(stack, sink, arguments)
        finally:
            sink.process.kill()
    say(f"wanted    {PUSHES_PER_S_WANTED:,} pushes per second on one core of notifier: {verdict(per_cpu >= PUSHES_PER_S_WANTED)}; "
        f"and through everything on this machine: {verdict(rate >= PUSHES_PER_S_WANTED)}; nothing lost: {verdict(is_whole)}")
    sys.exit(0 if is_whole and per_cpu >= PUSHES_PER_S_WANTED else 1)


if __name__ == "__main__":
    main()
