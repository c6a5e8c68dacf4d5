"""What only the database shows: duplicates, order, partitions, retention."""
import datetime
import json
import time
import urllib.parse

import psycopg2
import pytest

from conftest import fresh
from nats_mini import connect, encode
from waiting import wait_until

WEEK_MS = 604800000
MESSAGE, EDIT, DELETE = 1, 2, 3
CREATED_MS = int(time.time() * 1000)  # of every booking here that is not old: all items of a booking carry the same


@pytest.fixture
def database(suite):
    connection = psycopg2.connect(suite.stack.postgres_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield lambda sql, *parameters: (cursor.execute(sql, parameters), cursor.fetchall() if cursor.description else None)[1]
    connection.close()


@pytest.fixture
def stream(suite):
    nats = connect(suite.stack)
    yield nats
    nats.close()


def put(stream, booking, message_id, content="", kind=MESSAGE, target="", created_ms=CREATED_MS, sender="c"):
    """Straight into the stream, past the gateway and without a Nats-Msg-Id; the sequence."""
    item = encode({1: booking, 2: kind, 3: message_id, 4: sender, 5: 1, 6: int(time.time() * 1000), 7: content, 8: target,
                   13: created_ms, 14: "c", 15: "d"})
    return stream.store(f"in.booking.{booking}.chat", item)


def test_a_message_id_is_archived_once_and_the_later_one_leaves_the_stream(database, stream):
    booking = fresh("b")
    first, second, third = (put(stream, booking, name, name) for name in ("m1", "m1", "m2"))
    rows = wait_until(lambda: [row for row in [database("SELECT seq, message_id FROM chat.items WHERE booking_id = %s ORDER BY seq", booking)]
                             if len(row) == 2], "two rows")[0]
    assert rows == [(first, "m1"), (third, "m2")]
    wait_until(lambda: not stream.has_sequence("CHAT", second), "the later one is still in the stream")
    assert stream.has_sequence("CHAT", first) and stream.has_sequence("CHAT", third)
    assert database("SELECT messages, last_seq, has_client, has_driver FROM chat.chats WHERE booking_id = %s", booking) == [(2, third, True, False)]


def wait_rows(database, booking, count):
    wait_until(lambda: database("SELECT count(*) FROM chat.items WHERE booking_id = %s", booking)[0][0] == count, f"{count} rows")


def test_what_was_deleted_is_emptied_with_its_edits(database, stream):
    booking = fresh("b")
    put(stream, booking, "m", "secret")
    put(stream, booking, "e", "a better secret", kind=EDIT, target="m")
    put(stream, booking, "other", "stays")
    put(stream, booking, "delete-m", kind=DELETE, target="m")
    wait_rows(database, booking, 4)
    wait_until(lambda: database("SELECT message_id FROM chat.items WHERE booking_id = %s AND content <> ''", booking) == [("other",)],
             "content is left")
    put(stream, booking, "e2", "too late", kind=EDIT, target="m")
    wait_rows(database, booking, 5)
    wait_until(lambda: database("SELECT message_id FROM chat.items WHERE booking_id = %s AND content <> ''", booking) == [("other",)],
             "the late edit is left")


def archive_behind_the_stream(database, booking, seq, message_id):
    """As another replica does it that is ahead of the others."""
    database("INSERT INTO chat.items VALUES (%s, %s, (SELECT max(epoch) FROM chat.items), %s, %s, %s, 'c', 1, %s, '', 'm', NULL, 0)",
             booking, CREATED_MS, seq, DELETE, message_id, CREATED_MS)
    database("INSERT INTO chat.chats (booking_id, booking_created_ms, client_id, driver_id, last_epoch, last_seq, last_item_ms, messages, "
             "has_client, has_driver, has_support) VALUES (%s, %s, 'c', 'd', (SELECT max(epoch) FROM chat.items), %s, %s, 0, false, false, false)",
             booking, CREATED_MS, seq, CREATED_MS)


def test_a_message_that_is_archived_after_its_deletion_is_emptied(database, stream):
    put(stream, fresh("b"), "m", "so that there is an epoch")
    wait_until(lambda: database("SELECT max(epoch) FROM chat.items")[0][0], "an item")
    booking = fresh("b")
    archive_behind_the_stream(database, booking, 10**12, "delete-m")
    put(stream, booking, "m", "secret")
    put(stream, booking, "other", "stays")
    wait_rows(database, booking, 3)
    wait_until(lambda: database("SELECT message_id FROM chat.items WHERE booking_id = %s AND content <> ''", booking) == [("other",)],
             "content is left")


def test_an_item_that_the_database_refuses_does_not_hold_up_the_others(database, stream):
    booking = fresh("b")
    for number in range(20):
        put(stream, booking, f"m{number}", str(number))
    bad = put(stream, booking, "bad", b"\xff")
    try:
        for number in range(20, 40):
            put(stream, booking, f"m{number}", str(number))
        wait_rows(database, booking, 40)
        assert database("SELECT count(*) FROM chat.items WHERE booking_id = %s AND seq = %s", booking, bad) == [(0,)]
    finally:  # it would come again for ever
        stream.request("$JS.API.STREAM.MSG.DELETE.CHAT", json.dumps({"seq": bad}).encode())


def test_a_page_never_leads_past_an_item_that_is_not_archived_yet(suite, database, stream):
    """Of two batches the later one is committed first, here because the earlier one waits for a row of another chat."""
    held, ride = "a" + fresh("b"), suite.booking()  # in the order of their ids the held one comes first
    made = datetime.datetime.fromisoformat(suite.rest("GET", f"/v1/bookings/{ride.id}")[1]["created_at"])
    created_ms = round(made.timestamp() * 1000)
    token = suite.token(ride.client, "client")

    def page(**query):
        path = f"/v1/bookings/{ride.id}/chat?" + urllib.parse.urlencode(query)
        status, answer = suite.rest("GET", path, key=token, base=suite.stack.public)
        assert status == 200, answer
        return answer

    put(stream, held, "m", "so that there is a row")
    put(stream, ride.id, "m0", "zero", created_ms=created_ms)
    wait_until(lambda: len(page()["messages"]) == 1, "the first one")
    cursor, seen = page()["after"], []
    blocker = psycopg2.connect(suite.stack.postgres_url)
    with blocker, blocker.cursor() as rows:
        rows.execute("SELECT FROM chat.chats WHERE booking_id = %s FOR UPDATE", (held,))
        put(stream, held, "m2", "waits")
        put(stream, ride.id, "m1", "one", created_ms=created_ms)
        wait_until(lambda: database("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%chat.items%%'")[0][0],
                 "no batch waits")
        put(stream, ride.id, "m2", "two", created_ms=created_ms)
        wait_until(lambda: database("SELECT 1 FROM chat.items WHERE booking_id = %s AND message_id = 'm2'", ride.id), "the later batch")
        for _ in range(3):
            answer = page(after=cursor)
            seen, cursor = seen + answer["messages"], answer["after"]
        assert [message["data"]["content"] for message in page()["messages"]] in (["zero"], ["zero", "one"], ["zero", "one", "two"])
    blocker.close()
    while len(seen) < 2:
        answer = wait_until(lambda: (answer := page(after=cursor))["messages"] and answer, "what waited")
        seen, cursor = seen + answer["messages"], answer["after"]
    assert [message["data"]["content"] for message in seen] == ["one", "two"]


def test_an_old_booking_finds_its_partition_and_old_chats_go(suite, database, stream):
    now_ms = int(time.time() * 1000)
    old_ms = now_ms - 60 * WEEK_MS
    alone, late, early = fresh("b"), fresh("b"), fresh("b")
    put(stream, alone, "m", "x", created_ms=old_ms)
    put(stream, early, "m", "x", created_ms=old_ms + WEEK_MS)
    put(stream, late, "m", "x", created_ms=old_ms + WEEK_MS)
    wait_until(lambda: len(database("SELECT booking_id FROM chat.items WHERE booking_id IN (%s, %s, %s)", alone, late, early)) == 3, "rows")
    # The items are of now; two of the chats are made old, the third keeps its partition.
    before_ms = now_ms - 50 * WEEK_MS
    database("UPDATE chat.chats SET last_item_ms = %s WHERE booking_id IN (%s, %s)", old_ms, alone, early)
    assert database("SELECT chat.expire(%s, 1000)", before_ms) == [(2,)]
    assert [row[0] for row in database("SELECT booking_id FROM chat.items WHERE booking_id IN (%s, %s, %s)", alone, late, early)] == [late]
    week = database("SELECT chat.week_of(%s)", old_ms)[0][0]
    assert database("SELECT to_regclass(%s)", f"chat.items_w{week}") == [(None,)], "a partition without a young chat is dropped"
    assert database("SELECT to_regclass(%s)", f"chat.items_w{week + 1}") != [(None,)]


def test_the_list_of_chats_has_each_once_also_those_of_one_moment(suite, database):
    client, bookings = fresh("c"), [fresh("b") for _ in range(7)]
    for booking in bookings:
        database("INSERT INTO chat.chats (booking_id, booking_created_ms, client_id, driver_id, last_epoch, last_seq, last_item_ms, messages, "
                 "has_client, has_driver, has_support) VALUES (%s, %s, %s, 'd', 1, 1, %s, 0, false, false, false)",
                 booking, CREATED_MS, client, CREATED_MS)
    seen, query = [], {"limit": 3}
    while True:
        status, page = suite.rest("GET", "/v1/me/chats?" + urllib.parse.urlencode(query), key=suite.token(client, "client"), base=suite.stack.public)
        assert status == 200, page
        seen += [chat["booking_id"] for chat in page["chats"]]
        if page["before"] is None:
            break
        query["before"] = page["before"]
    assert sorted(seen) == sorted(bookings)
    for cursor in ("", "5", "x.b", "5.", "5.a b", "0.b"):
        status, _ = suite.rest("GET", "/v1/me/chats?" + urllib.parse.urlencode({"before": cursor}), key=suite.token(client, "client"),
                               base=suite.stack.public)
        assert status == 400, cursor
