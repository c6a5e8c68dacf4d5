"""backoffice as its callers see it, with NATS and PostgreSQL taken away and given back."""
import concurrent.futures
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

import jwt
import psycopg2
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from backoffice_world import API_KEY, World  # noqa: E402
from nats_mini import Nats, decode, encode  # noqa: E402
from waiting import wait_until  # noqa: E402

STATUS = ["", "requested", "assigned", "driver_en_route_pickup", "driver_arrived", "in_progress", "completed",
          "cancelled"]


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
def nats(world):
    connection = Nats(world.nats_port)
    yield connection
    connection.close()


def put(world, booking_id, status, driver=None, client="c1"):
    return world.call("PUT", "/v1/bookings/" + booking_id,
                      {"client_id": client, "driver_id": driver, "status": status})


def session(world, user, role="client", **more):
    status, body, _ = world.call("POST", "/v1/sessions", {"user_id": user, "role": role, "platform": "ios", **more})
    assert status == 201, body
    return body


def claims(world, token):
    with open(world.path("public.pem")) as file:
        return jwt.decode(token, file.read(), algorithms=["ES256"], leeway=60)


def kv_booking(nats, booking_id):
    """(version, client, driver, status) in the bucket, None if it is not there."""
    data = nats.key("bookings", booking_id)
    if data is None:
        return None
    fields = decode(data)
    return fields[7], fields[2].decode(), fields.get(3, b"").decode(), STATUS[fields[4]]


def rows(world, sql, *parameters):
    connection = psycopg2.connect(world.postgres_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()
    finally:
        connection.close()


def refresh(nats, token):
    """(error code, access token, refresh token)"""
    _, data = nats.request("rpc.backoffice.token.refresh", encode({1: token}))
    fields = decode(data)
    return tuple(fields.get(number, b"").decode() for number in (1, 2, 4))


def problem(answer, status, code, field=None):
    got, body, headers = answer
    assert got == status, body
    assert headers["Content-Type"] == "application/problem+json"
    assert body["status"] == status and body["code"] == code
    assert body["request_id"] == headers["X-Request-Id"]
    if field is not None:
        assert body["detail"].startswith(field + ":"), body["detail"]


# --- the gate


def test_every_route_but_health_needs_a_key(world):
    for method, path in [("POST", "/v1/sessions"), ("DELETE", "/v1/users/u/sessions"), ("PUT", "/v1/bookings/b"),
                         ("GET", "/v1/bookings/b"), ("GET", "/v1/drivers/d/presence")]:
        for key in [None, "", "wrong", API_KEY + "x", API_KEY[:-1], "# two keys"]:
            answer = world.call(method, path, key=key)
            problem(answer, 401, "unauthorized")
            assert answer[2]["WWW-Authenticate"] == "Bearer"
    assert world.call("GET", "/healthz", key=None)[0] == 200
    assert world.call("GET", "/readyz", key=None)[0] == 200
    assert world.call("GET", "/v1/bookings/nope", key="another-key-for-tests-0123")[0] == 404


def test_unknown_routes_methods_and_bodies(world):
    problem(world.call("GET", "/nope"), 404, "not_found")
    answer = world.call("POST", "/v1/bookings/b1", {})
    problem(answer, 405, "bad_request")
    assert set(answer[2]["Allow"].split(", ")) == {"PUT", "GET", "HEAD"}
    problem(world.call("GET", "/v1/bookings/a.b"), 400, "bad_request", "id")
    problem(world.call("GET", "/v1/bookings/" + "x" * 65), 400, "bad_request", "id")
    for body in ["", "{", "[]", "1", "{}x", "{}\0", b"\xff"]:
        problem(world.call("PUT", "/v1/bookings/b1", body), 400, "bad_request", "body")
    problem(world.call("PUT", "/v1/bookings/b1", '{"client_id":"c1\\u0000x","status":"requested"}'), 400, "bad_request", "client_id")
    for size in [65537, 300_000, 5_000_000]:
        problem(world.call("PUT", "/v1/bookings/b1", "x" * size), 413, "payload_too_large", "body")
    given = world.call("GET", "/v1/bookings/nope", headers={"X-Request-Id": "abc-1"})
    assert given[1]["request_id"] == "abc-1"


# --- bookings


def test_a_booking_is_put_read_and_followed_in_the_bucket(world, nats):
    problem(world.call("GET", "/v1/bookings/b1"), 404, "not_found")
    status, made, _ = put(world, "b1", "requested")
    assert status == 201
    assert set(made) == {"booking_id", "client_id", "driver_id", "status", "created_at", "updated_at"}
    assert made["driver_id"] is None
    assert kv_booking(nats, "b1") == (1, "c1", "", "requested")
    assert put(world, "b1", "requested")[:2] == (200, made)
    assert kv_booking(nats, "b1")[0] == 1, "the same again changes nothing"
    for version, status in enumerate(STATUS[2:7], 2):
        code, body, _ = put(world, "b1", status, "d1")
        assert code == 200 and body["status"] == status
        assert kv_booking(nats, "b1") == (version, "c1", "d1", status)
    assert world.call("GET", "/v1/bookings/b1")[1] == body
    problem(put(world, "b1", "in_progress", "d1"), 409, "conflict", "status")
    problem(put(world, "b1", "completed", "d1", client="c2"), 409, "conflict", "client_id")
    assert kv_booking(nats, "b1")[0] == 6


def test_bad_bookings_name_the_field(world):
    problem(world.call("PUT", "/v1/bookings/b2", {"status": "requested"}), 400, "bad_request", "client_id")
    problem(world.call("PUT", "/v1/bookings/b2", {"client_id": "c", "status": "lost"}), 400, "bad_request", "status")
    problem(put(world, "b2", "assigned"), 400, "bad_request", "driver_id")
    problem(put(world, "b2", "assigned", "d/1"), 400, "bad_request", "driver_id")
    problem(world.call("GET", "/v1/bookings/b2"), 404, "not_found")


def test_writers_at_the_same_time_end_in_one_order(world, nats):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: put(world, "busy", "assigned", f"d{i % 7}")[0], range(60)))
    assert set(answers) <= {200, 201, 503} and answers.count(201) <= 1, "who made it may have had to be told 503"
    version, driver = rows(world, "SELECT version, driver_id FROM bookings WHERE booking_id = 'busy'")[0]
    wait_until(lambda: kv_booking(nats, "busy") == (version, "c1", driver, "assigned"), "the bucket to follow")


# --- sessions


def test_a_session_has_what_was_asked_for(world):
    body = session(world, "u1", ttl_s=90)
    assert body["token_type"] == "Bearer" and body["expires_in"] == 90
    assert body["user_id"] == "u1" and body["role"] == "client" and body["refresh_expires_in"] > 0
    token = claims(world, body["access_token"])
    assert token["sub"] == "u1" and token["role"] == "client" and token["platform"] == "ios"
    assert token["exp"] - token["iat"] == 90 and "subscribe:booking.*.tracking" in token["scopes"]
    assert jwt.get_unverified_header(body["access_token"]) == {"alg": "ES256", "kid": "k1", "typ": "JWT"}
    narrow = session(world, "u1", "driver", scopes=["publish:booking.B7.tracking"], device_id="d:1")
    assert claims(world, narrow["access_token"])["scopes"] == ["publish:booking.B7.tracking"]
    assert claims(world, session(world, "u1", scopes=[])["access_token"])["scopes"] == []
    for extra, field in [({"ttl_s": 86401}, "ttl_s"), ({"scopes": ["x"]}, "scopes"), ({"role": "root"}, "role"),
                         ({"user_id": "a b"}, "user_id"), ({"platform": ""}, "platform")]:
        body = {"user_id": "u", "role": "client", "platform": "ios", **extra}
        problem(world.call("POST", "/v1/sessions", body), 400, "bad_request", field)


def test_refresh_tokens_rotate_and_reuse_revokes_the_family(world, nats):
    first = session(world, "u2", ttl_s=60)["refresh_token"]
    other = session(world, "u2")["refresh_token"]
    code, access, second = refresh(nats, first)
    assert code == "" and second != first
    token = claims(world, access)
    assert token["sub"] == "u2" and token["exp"] - token["iat"] == 60
    code, _, third = refresh(nats, second)
    assert code == ""
    assert refresh(nats, first)[0] == "unauthorized", "spent"
    assert refresh(nats, third)[0] == "unauthorized", "and with it its family"
    assert refresh(nats, other)[0] == "", "not the user's other sessions"
    for garbage in ["", "x", "hr1.", first + "x", "hr1." + "A" * 43]:
        assert refresh(nats, garbage)[0] == "unauthorized"
    stored = json.dumps(rows(world, "SELECT * FROM refresh_tokens"), default=str)
    assert first not in stored and third not in stored


def test_revoking_cuts_off_what_was_before_and_nothing_after(world, nats):
    for _ in range(3):
        before = session(world, "u3")
        assert world.call("DELETE", "/v1/users/u3/sessions")[0] == 204
        after = session(world, "u3")
        cutoff_ms = decode(nats.key("sessions", "u3"))[2]
        assert claims(world, before["access_token"])["iat"] * 1000 < cutoff_ms
        # A second ahead for each cut-off in this second, within the skew that verifiers allow.
        assert cutoff_ms <= claims(world, after["access_token"])["iat"] * 1000 <= time.time() * 1000 + 3000
        assert refresh(nats, before["refresh_token"])[0] == "unauthorized"
        assert refresh(nats, after["refresh_token"])[0] == ""


def test_an_idempotency_key_gives_the_first_answer_again(world):
    body = {"user_id": "u4", "role": "client", "platform": "ios"}

    def post(key, sent=body):
        return world.call("POST", "/v1/sessions", sent, headers={"Idempotency-Key": key})
    first = post("key-1")
    assert first[0] == 201
    assert post("key-1")[:2] == first[:2]
    problem(post("key-1", {**body, "user_id": "u5"}), 409, "conflict", "Idempotency-Key")
    assert post("key-2")[1]["access_token"] != first[1]["access_token"]
    problem(post("key-3", {**body, "role": "x"}), 400, "bad_request", "role")
    assert post("key-3")[0] == 201, "a failed request may be mended"
    problem(post("x" * 256), 400, "bad_request", "Idempotency-Key")
    assert post("x" * 255)[0] == 201
    kept = rows(world, "SELECT sealed_response FROM idempotency_keys WHERE key = 'key-1'")[0][0]
    assert first[1]["refresh_token"] not in kept and "access_token" not in kept
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post("key-4"), range(12)))
    done = {json.dumps(answer[1]) for answer in answers if answer[0] == 201}
    assert len(done) == 1 and {answer[0] for answer in answers} <= {201, 503}


# --- presence


def test_presence_is_what_was_published_last(world, nats):
    problem(world.call("GET", "/v1/drivers/d1/presence"), 404, "not_found")
    for status in [1, 3]:
        nats.publish("driver.d1.presence", encode({1: "d1", 2: status, 3: 1, 4: 3, 5: 1735732800000, 6: 1735732801000}))
    wait_until(lambda: nats.last("PRESENCE", "driver.d1.presence"), "the stream")
    expected = {"driver_id": "d1", "status": "offline", "availability": "available",
                "last_seen": "2025-01-01T12:00:00Z", "reason": "timeout"}
    wait_until(lambda: world.call("GET", "/v1/drivers/d1/presence")[1] == expected, "the driver's presence")


# --- faults


def test_without_nats_nothing_is_lost(world):
    assert put(world, "f1", "requested")[0] == 201
    world.kill("nats")
    problem(put(world, "f1", "assigned", "d9"), 503, "unavailable")
    problem(world.call("DELETE", "/v1/users/u6/sessions"), 503, "unavailable")
    assert world.call("GET", "/v1/bookings/f1")[1]["status"] == "assigned", "the truth has it"
    wait_until(lambda: world.call("GET", "/readyz")[0] == 503, "backoffice to notice")
    world.start_nats()
    world.wait_ready()
    nats = Nats(world.nats_port)
    wait_until(lambda: kv_booking(nats, "f1") == (2, "c1", "d9", "assigned"), "the outbox")
    wait_until(lambda: nats.key("sessions", "u6") is not None, "the outbox")
    nats.close()
    assert put(world, "f1", "assigned", "d9")[0] == 200


def test_without_postgres_it_says_so_and_comes_back(world):
    assert put(world, "f2", "requested")[0] == 201
    world.kill("postgres")
    problem(put(world, "f2", "assigned", "d9"), 503, "unavailable")
    problem(world.call("POST", "/v1/sessions", {"user_id": "u", "role": "client", "platform": "ios"}), 503,
            "unavailable")
    world.start_postgres()
    world.wait_ready()
    assert put(world, "f2", "assigned", "d9")[0] == 200


def test_a_refresh_cut_in_the_middle_is_not_taken_for_theft(world, nats):
    token = session(world, "u7")["refresh_token"]
    locker = psycopg2.connect(world.postgres_url)
    locker.cursor().execute("LOCK TABLE refresh_families IN ACCESS EXCLUSIVE MODE")
    nats.publish("rpc.backoffice.token.refresh", encode({1: token}), nats.inbox)
    waiting = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE wait_event_type = 'Lock' AND query LIKE '%%spent AS%%'")
    wait_until(lambda: rows(world, waiting), "the rotation to wait")
    locker.rollback()
    locker.close()
    fields = decode(nats.receive()[1])
    assert fields.get(1, b"") == b""
    assert refresh(nats, fields[4].decode())[0] == ""


def test_killed_while_writing_the_bucket_ends_like_the_table(world, nats):
    chance, is_over = random.Random(7), threading.Event()
    count = "SELECT count(*), sum(version) FROM bookings WHERE booking_id LIKE 'k%%'"

    def write(worker):
        while not is_over.is_set():
            try:
                put(world, f"k{chance.randrange(20)}", "assigned", f"d{chance.randrange(1000)}")
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write, worker) for worker in range(6)]
        try:
            for _ in range(2):
                before = rows(world, count)
                wait_until(lambda: rows(world, count) != before, "something to be written")
                time.sleep(0.3)
                world.kill("backoffice")
                world.start_backoffice()
            time.sleep(0.3)
        finally:
            is_over.set()
        for writer in writers:
            writer.result()

    def is_equal():
        truth = rows(world, "SELECT booking_id, version, driver_id FROM bookings WHERE booking_id LIKE 'k%%'")
        assert truth
        return all(kv_booking(nats, booking) == (version, "c1", driver, "assigned")
                   for booking, version, driver in truth)
    wait_until(is_equal, "the bucket to be like the table")
    lagging = "SELECT 1 FROM bookings WHERE kv_published_version < version"
    wait_until(lambda: not rows(world, lagging), "the outbox to be empty")


def test_a_drain_finishes_what_is_under_way(world):
    locker = psycopg2.connect(world.postgres_url)
    locker.cursor().execute("LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(put, world, "drained", "requested")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%FROM bookings%%'"
        wait_until(lambda: rows(world, waiting), "the request to wait")
        world.processes["backoffice"].send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in world.log("backoffice"), "the drain")
        locker.rollback()
        locker.close()
        assert slow.result()[0] == 201
    assert world.processes.pop("backoffice").wait(timeout=120) == 0
    world.start_backoffice()
    assert world.call("GET", "/v1/bookings/drained")[0] == 200


def test_metrics_and_logs(world):
    session(world, "secret-user-id")
    put(world, "b9", "requested")

    def metrics():
        connection = http.client.HTTPConnection("127.0.0.1", world.admin_port, timeout=90)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text
    for series in ['hansom_backoffice_requests_total{route="booking_put",class="2xx"}',
                   'hansom_backoffice_tokens_issued_total{occasion="session"}',
                   'hansom_backoffice_outbox_pending{bucket="bookings"} 0', "hansom_backoffice_pg_connected 1",
                   "process_cpu_seconds_total"]:
        wait_until(lambda: series in metrics(), series)
    for line in world.log("backoffice").splitlines():
        assert "event" in json.loads(line)
    assert "eyJ" not in world.log("backoffice") and "hr1." not in world.log("backoffice")


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", os.path.abspath(__file__), *sys.argv[1:]]))
