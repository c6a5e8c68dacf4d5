"""script/bench chat: how fast chat is archived, beside single inserts; how soon it is acknowledged and seen."""
import argparse
import re
import subprocess
import sys
import time

import psycopg2

from . import bench
from .bench import say, verdict

# A row of chat.items as chat-store writes it, into a table with the same columns and indexes, one per commit.
SINGLE_INSERT = r"""\set n random(1, 1000000000)
\set chat random(1, 1000)
INSERT INTO bench.items VALUES ('b-0123abcd-' || :chat, 1735732800000, 1735732800000, :n, 1, gen_random_uuid()::text,
    'c-0123abcd-' || :chat, 1, 1735732800000, repeat('x', {bytes}), '', NULL, 0) ON CONFLICT DO NOTHING;
"""


SETTLE_S = 0.5  # until a process that has ended is counted with its parent


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/bench chat")
    parser.add_argument("--root", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, default=200000, help="to be archived (200000)")
    parser.add_argument("--chats", type=int, default=1000, help="that they belong to (1000)")
    parser.add_argument("--bytes", type=int, default=100, help="of each message (100)")
    parser.add_argument("--single-s", type=int, default=10, help="for the single inserts (10)")
    parser.add_argument("--rate", type=int, default=1000, help="messages per second through the gateway (1000)")
    parser.add_argument("--conversations", type=int, default=250, help="that talk (250)")
    parser.add_argument("--talk-s", type=int, default=15, help="for each kind of id (15)")
    return parser.parse_args()


def archived(stack):
    try:
        figures = stack.metrics("chat-store")
    except OSError:
        return 0
    return figures.get('hansom_chat_archived_total{kind="message"}', 0)


def measure_archive(stack, arguments):
    """(items/s, per CPU-second of chat-store, per CPU-second of PostgreSQL)"""
    store = stack.processes["chat-store"]
    store.tell_to_stop()
    store.wait_stopped()
    filled = bench.chatbench(stack, "fill", f"--items={arguments.items}", f"--chats={arguments.chats}", f"--bytes={arguments.bytes}")
    say(f"fill      {filled['stored']} items into the stream in {filled['seconds']:.1f} s")
    stack.start_service("chat-store")
    store, postgres = stack.processes["chat-store"].child.pid, stack.processes["postgres"].child.pid
    while (first := archived(stack)) == 0:
        time.sleep(0.01)
    began, cpu = time.monotonic(), (bench.cpu_seconds(store), bench.cpu_seconds(postgres))
    while (last := archived(stack)) < arguments.items:
        time.sleep(0.02)
    took = time.monotonic() - began
    cpu = (bench.cpu_seconds(store) - cpu[0], bench.cpu_seconds(postgres) - cpu[1])
    items = last - first
    say(f"archive   {items / took:,.0f} items/s over {took:.1f} s; per CPU-second: chat-store {items / cpu[0]:,.0f}, "
        f"PostgreSQL {items / cpu[1]:,.0f}")
    return items / took, items / cpu[0], items / cpu[1]


def prepare_single(stack, arguments):
    with psycopg2.connect(stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA bench; CREATE TABLE bench.items (LIKE chat.items INCLUDING ALL)")
        cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
        say("settings  synchronous_commit=%s fsync=%s" % cursor.fetchone())
    script = stack.data / "single.sql"
    script.write_text(SINGLE_INSERT.format(bytes=arguments.bytes))
    return script


def measure_single(stack, script, clients, seconds):
    """(rows/s, per CPU-second of PostgreSQL)"""
    postgres = stack.processes["postgres"].child.pid
    time.sleep(SETTLE_S)
    cpu = bench.cpu_seconds(postgres)
    done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "1", "-T", str(seconds),
                           stack.postgres_url], capture_output=True, text=True, check=False)
    time.sleep(SETTLE_S)
    cpu = bench.cpu_seconds(postgres) - cpu
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(f"pgbench: {done.stderr}")
    rate = float(found.group(1))
    say(f"pgbench   {rate:,.0f} rows/s, one per commit, {clients} client{'s' if clients > 1 else ''}; per CPU-second: "
        f"PostgreSQL {rate * seconds / cpu:,.0f}")
    return rate, rate * seconds / cpu


def compare_rows(stack):
    with psycopg2.connect(stack.postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT avg(pg_column_size(i.*)) FROM (SELECT * FROM chat.items LIMIT 1000) i), "
                       "(SELECT avg(pg_column_size(i.*)) FROM (SELECT * FROM bench.items LIMIT 1000) i)")
        say("row size  %.0f bytes archived, %.0f single" % cursor.fetchone())


def measure_talk(stack, arguments, version):
    store, gateway = stack.processes["chat-store"].child.pid, stack.processes["edge-gateway"].child.pid
    cpu = bench.cpu_seconds(gateway), bench.cpu_seconds(store)
    report = bench.chatbench(stack, "talk", f"--public={stack.public}", f"--internal={stack.internal}",
                             f"--api-key-file={stack.api_key_file}", f"--rate={arguments.rate}",
                             f"--conversations={arguments.conversations}", f"--duration={arguments.talk_s}", f"--ids={version}")
    seconds = report["sent"] / arguments.rate
    cpu = [(bench.cpu_seconds(pid) - before) / seconds for pid, before in zip((gateway, store), cpu)]
    say(f"talk      {report['sent']} messages at {arguments.rate}/s, {report['connections']} connections, ids of version {version}: "
        f"{report['lost']} lost, {report['doubled']} doubled, {report['disordered']} out of order, {report['refused']} refused; "
        f"processors used: gateway {cpu[0]:.2f}, chat-store {cpu[1]:.2f}; sender late by {report['sender_late_ms_max']:.1f} ms at most")
    for name in ("acknowledgement", "delivery"):
        say(f"  {name:16}" + "  ".join(f"{point} {report[name + '_ms'][point]:.2f} ms" for point in ("p50", "p90", "p99", "max")))
    return report


def main():
    arguments = parse_arguments()
    bench.introduce("chat")
    results = []
    with bench.own_stack(arguments.root, 900, without=("notifier",)) as stack:  # it reads every message too
        rate, _, per_cpu = measure_archive(stack, arguments)
        script = prepare_single(stack, arguments)
        for clients in (1, 8):
            single, single_per_cpu = measure_single(stack, script, clients, arguments.single_s)
            ratios = rate / single, per_cpu / single_per_cpu
            results.append(min(ratios) >= 10 or clients > 1)
            say(f"ratio     {ratios[0]:.1f} times the rows per second, {ratios[1]:.1f} times per CPU-second of PostgreSQL"
                + (f" (wanted: 10): {verdict(results[-1])}" if clients == 1 else ""))
        compare_rows(stack)
        for version in (7, 4):
            report = measure_talk(stack, arguments, version)
            for name, wanted_ms in (("acknowledgement", 10), ("delivery", 15)):
                results.append(report[name + "_ms"]["p99"] < wanted_ms)
                say(f"  {name} p99 under {wanted_ms} ms: {verdict(results[-1])}")
            results.append(report["lost"] + report["doubled"] + report["disordered"] == 0)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
