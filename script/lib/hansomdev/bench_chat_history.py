"""script/bench chat-history: a page of history out of a table of millions, as chat-store itself asks for it."""
import argparse
import json
import re
import statistics
import sys
import time

import psycopg2

from . import bench
from .bench import say, verdict

WEEKS = 26
EPOCH = 1700000000000
WEEK_MS = 604800000
# Of a hundred chats: how many have how many messages; ten million make 400,000 chats.
LENGTHS = "CASE WHEN chat %% 100 < 75 THEN 10 WHEN chat %% 100 < 95 THEN 40 ELSE 190 END"
MEAN = 25
ASKED = 300

# Chats lie in time order, and in each chat message and answer follow each other; one in fifty is edited, one in a hundred
# deleted. The sequence is that of the stream: chats of the same hours are interleaved.
ITEMS = f"""
WITH chats AS (SELECT chat, {LENGTHS} AS length, %(first_ms)s + (chat - %(low)s) * (%(step_ms)s)::bigint AS created FROM generate_series(%(low)s::bigint, %(high)s::bigint) AS chat)
INSERT INTO chat.items (booking_id, booking_created_ms, epoch, seq, kind, message_id, from_id, from_role, sent_at_ms, content, target_id, body, masked)
SELECT booking_id(chat), created, {EPOCH}, chat * 200 + n, kind, CASE kind WHEN 3 THEN 'delete-' ELSE '' END || message_id(chat, n, kind),
    CASE n %% 2 WHEN 0 THEN 'c-' ELSE 'd-' END || chat %% 50000, 1 + n %% 2, created + n * 60000,
    CASE kind WHEN 3 THEN '' ELSE repeat('where are you now? ', (1 + (chat + n) %% 10)::integer) END,
    CASE kind WHEN 1 THEN '' ELSE message_id(chat, n - 1, 1) END, NULL, 0
FROM chats, generate_series(1, length) AS n, LATERAL (SELECT CASE WHEN n %% 50 = 25 THEN 2 WHEN n %% 100 = 40 THEN 3 ELSE 1 END AS kind) k"""
CHATS = f"""
WITH chats AS (SELECT chat, {LENGTHS} AS length, %(first_ms)s + (chat - %(low)s) * (%(step_ms)s)::bigint AS created FROM generate_series(%(low)s::bigint, %(high)s::bigint) AS chat)
INSERT INTO chat.chats SELECT booking_id(chat), created, 'c-' || chat %% 50000, 'd-' || chat %% 50000, {EPOCH}, chat * 200 + length, {EPOCH},
    chat * 200 + length, created + 60000, created + length * 60000, created + length * 60000, length, true, true, false FROM chats"""
NAMES = """
CREATE FUNCTION booking_id(chat bigint) RETURNS text IMMUTABLE LANGUAGE sql RETURN md5(chat::text)::uuid::text;
CREATE FUNCTION message_id(chat bigint, n integer, kind integer) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN md5(chat::text || '.' || n || '.' || kind)::uuid::text"""


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench chat-history")
    parser.add_argument("--root", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--messages", type=int, default=10000000, help="in the archive (10000000)")
    parser.add_argument("--limit", type=int, default=50, help="of a page (50)")
    return parser.parse_args()


def generate(cursor, messages):
    """Week by week."""
    began, now_ms = time.monotonic(), int(time.time() * 1000)
    per_week = messages // MEAN // WEEKS
    cursor.execute(NAMES + "; SET synchronous_commit = off")
    for week in range(WEEKS):
        first_ms = (now_ms // WEEK_MS - week) * WEEK_MS
        cursor.execute("SELECT chat.ensure_partition(%s)", (first_ms,))
        values = {"low": week * per_week, "high": (week + 1) * per_week - 1, "first_ms": first_ms, "step_ms": WEEK_MS // per_week - 1}
        cursor.execute(ITEMS, values)
        cursor.execute(CHATS, values)
    cursor.execute("RESET synchronous_commit; ANALYZE chat.items; ANALYZE chat.chats")
    cursor.execute("SELECT sum(reltuples)::bigint, pg_size_pretty(sum(pg_total_relation_size(oid))) FROM pg_class "
                   "WHERE relname LIKE 'items\\_w%' AND relkind = 'r'")
    say("generated %s items, %s with indexes, in %d weeks, " % (*cursor.fetchone(), WEEKS) + f"in {time.monotonic() - began:.0f} s")


def some_chats(cursor, count):
    """Long chats of any week, and a place in the middle of each: lines for chatbench."""
    cursor.execute("SELECT booking_id, booking_created_ms, last_epoch, last_seq - 60 FROM chat.chats WHERE messages > 100 "
                   "ORDER BY md5(booking_id) LIMIT %s", (count,))
    return "".join("%s %s %s %s\n" % row for row in cursor.fetchall())


def plans(text):
    """(milliseconds, plan) of every page that chat-store asked for."""
    for entry in re.split(r"\n(?=\d{4}-\d\d-\d\d )", text):
        found = re.search(r"duration: ([\d.]+) ms  plan:\n(.*)", entry, re.S)
        if found and "LIMIT $5::bigint + 1" in found.group(2):
            yield float(found.group(1)), found.group(2)


def report(durations, name):
    ordered = sorted(durations)
    say(f"{name:10}" + "  ".join(f"{point} {ordered[min(len(ordered) - 1, int(share * len(ordered)))]:.2f} ms"
                                 for point, share in (("p50", .5), ("p90", .9), ("p99", .99), ("max", 1))))
    return ordered


def explain_every_page(stack):
    """PostgreSQL tells the plan and the times of the very statements that chat-store sends."""
    with psycopg2.connect(stack.postgres_url) as connection, connection.cursor() as cursor:
        for setting in ("session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0", "auto_explain.log_analyze = on",
                        "auto_explain.log_buffers = on"):
            cursor.execute(f"ALTER ROLE hansom SET {setting}")


def restart(stack, *names):
    for name in names:
        stack.processes[name].tell_to_stop()
    for name in names:
        stack.processes[name].wait_stopped()
    for name in reversed(names):
        stack.processes[name].start()
    time.sleep(1)
    stack.wait_ready()


def main():
    arguments = parse_arguments()
    bench.introduce("chat-history")
    with bench.own_stack(arguments.root, 3600, without=("notifier",)) as stack:
        connection = psycopg2.connect(stack.postgres_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            generate(cursor, arguments.messages)
            lines = some_chats(cursor, ASKED)
        connection.close()
        explain_every_page(stack)
        restart(stack, "chat-store")
        log = stack.log_dir / "postgres.log"
        before = log.stat().st_size
        answer = bench.chatbench(stack, "ask", f"--limit={arguments.limit}", stdin=lines)
        pages = list(plans(log.read_text(errors="replace")[before:]))
    if len(pages) < ASKED:
        raise SystemExit(f"only {len(pages)} plans of {ASKED} pages in the log of PostgreSQL")
    ordered = report([milliseconds for milliseconds, _ in pages], "executed")
    say(f"answered  {json.dumps(answer)}")
    say("\nthe plan of the page at p50, of chat-store's own statement:")
    say(next(plan for milliseconds, plan in pages if milliseconds == ordered[len(ordered) // 2]).rstrip())
    scans = sum("Seq Scan" in plan for _, plan in pages)
    p99 = ordered[int(.99 * len(ordered))]
    is_good = p99 < 5 and scans == 0
    say(f"\np99 under 5 ms inside PostgreSQL, {scans} sequential scans, median {statistics.median(ordered):.2f} ms: {verdict(is_good)}")
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
