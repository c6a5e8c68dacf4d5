"""Hundreds of slow pushes while the notifier, NATS or PostgreSQL is killed or stopped: nothing is lost, what is certain is
sent once, and the ledger says which is which."""
import os
import signal
import time

import pytest

from conftest import FAST, signal_tree
from hansomdev.ports import any_free
from notifier_world import is_ended, outcomes
from peers.http_message import json_answer

PEOPLE, DEVICES, EVENTS = 20, 2, 8
DELIVERIES = PEOPLE * DEVICES * EVENTS
DELAY_S = 0.5
HELD_S = 4.0  # what has begun is still under way when somebody is killed; less than HANSOM_TRANSFER_TIMEOUT_MS


class Batch:
    """Many pushes over FCM, each of which takes a while."""

    def __init__(self, world, people=PEOPLE, devices=DEVICES, events=EVENTS):
        self.world, self.events_each = world, events
        self.people = [world.person(*["fcm"] * devices) for _ in range(people)]
        self.devices = {device.key: device for person in self.people for device in person.devices}
        self.events = {}
        self.lost = 0  # deliveries that were under way when somebody was killed

    def slow_down(self, seconds=DELAY_S):
        self.world.peers.fcm.plan.always(None, json_answer(200, {"name": "projects/p/messages/0:1"}, delay_s=seconds))

    def post_all(self, people=None):
        for person in people or self.people:
            for _ in range(self.events_each):
                self.events[self.world.post(person, "test_crash", critical=True)] = person

    def seen(self):
        """How often the peer saw (device, event)."""
        counts = {}
        for request in self.world.peers.fcm.sends:
            if request.key in self.devices:
                key = self.devices[request.key].id, request.content["data"]["event_id"]
                counts[key] = counts.get(key, 0) + 1
        return counts

    def wait_taken(self):
        """The notifier has them all: what happens now happens to deliveries."""
        for event, person in self.events.items():
            self.world.wait(lambda: self.world.ledger(event, person), f"{event} is not taken over")

    def wait_seen(self, count):
        self.world.wait(lambda: sum(self.seen().values()) >= count, lambda: f"only {sum(self.seen().values())} pushes seen")

    def check(self, timeout=180):
        """Every delivery has one accepted attempt; the peer saw each at least once and at most as often as it was tried.
        Numbers of (certain, uncertain) ones."""
        certain = uncertain = self.lost = 0
        entries = {event: self.world.wait_ledger(event, is_ended, timeout) for event in self.events}
        seen = self.seen()
        for event, person in self.events.items():
            pushes = [item for item in entries[event]["deliveries"] if item["channel"] == "fcm"]
            assert {item["device_id"] for item in pushes} == {device.id for device in person.devices}, entries[event]
            for item in pushes:
                tries, count = outcomes(item), seen.get((item["device_id"], event), 0)
                assert item["state"] == "accepted" and tries[-1] == "accepted" and tries.count("accepted") == 1, item
                assert 1 <= count <= len(tries), f"{count} seen of {item}"
                doubtful = [attempt for attempt in item["attempts"] if attempt["outcome"] == "uncertain"]
                assert all(attempt["reason"] in ("lost", "cut", "timeout") for attempt in doubtful), item
                self.lost += any(attempt["reason"] == "lost" for attempt in doubtful)
                if not doubtful:
                    assert count == 1, f"{count} seen of a certain one: {item}"
                certain, uncertain = certain + (not doubtful), uncertain + bool(doubtful)
        return certain, uncertain


def test_a_killed_notifier_loses_nothing_and_doubles_only_what_is_uncertain(world):
    batch = Batch(world)
    batch.post_all(batch.people[:5])
    batch.check()
    batch.slow_down(HELD_S)
    batch.post_all(batch.people[5:])
    batch.wait_seen(DELIVERIES // 4 + 20)
    pid = world.suite.pid("notifier")
    os.kill(pid, signal.SIGKILL)
    batch.slow_down()
    world.suite.wait_replaced("notifier", pid)
    certain, uncertain = batch.check()
    print(f"{certain} certain, {uncertain} uncertain of {DELIVERIES}")
    assert certain + uncertain == DELIVERIES and 0 < batch.lost <= 100, "not more than were under way"


def test_a_notifier_that_is_killed_while_it_takes_events_over_loses_none(world):
    batch = Batch(world)
    batch.post_all()
    pid = world.suite.pid("notifier")
    os.kill(pid, signal.SIGKILL)
    world.suite.wait_replaced("notifier", pid)
    certain, uncertain = batch.check()  # what it had pulled comes again when its ack_wait has run out
    assert certain + uncertain == DELIVERIES


def test_a_drained_notifier_leaves_nothing_uncertain(world):
    batch = Batch(world)
    batch.slow_down()
    batch.post_all()
    batch.wait_seen(DELIVERIES // 3)
    pid = world.suite.pid("notifier")
    os.kill(pid, signal.SIGTERM)
    world.suite.wait_replaced("notifier", pid)
    assert batch.check() == (DELIVERIES, 0)


def test_a_killed_bus_loses_nothing(world):
    batch = Batch(world)
    batch.slow_down(0.1)
    half = len(batch.people) // 2
    batch.people, later = batch.people[:half], batch.people[half:]
    batch.post_all()
    pid = world.suite.pid("nats-server")
    os.kill(pid, signal.SIGKILL)
    batch.people = later
    batch.post_all()
    world.suite.wait_replaced("nats-server", pid)
    assert batch.check() == (DELIVERIES, 0)


@pytest.mark.parametrize("seconds", [2, 7], ids=["short", "longer than a query may take"])
def test_a_stopped_database_loses_nothing(world, seconds):
    batch = Batch(world)
    batch.slow_down()
    batch.post_all()
    batch.wait_seen(DELIVERIES // 4)
    stop_database(world, seconds)
    certain, uncertain = batch.check()
    print(f"{certain} certain, {uncertain} uncertain of {DELIVERIES}")
    assert certain + uncertain == DELIVERIES


def test_what_was_sent_while_the_database_was_away_is_not_sent_again(world):
    batch = Batch(world, people=1, devices=20, events=1)
    batch.slow_down()
    batch.post_all()
    batch.wait_seen(20)
    stop_database(world, int(FAST["HANSOM_CLAIM_LEASE_MS"]) / 1000 + 2)  # the answers come meanwhile
    assert sum(batch.check()) == 20, "each has one accepted attempt"


def stop_database(world, seconds):
    pid = world.suite.pid("postgres")
    signal_tree(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        world.wait(lambda: time.monotonic() - began > seconds, "time stands still")
    finally:
        signal_tree(pid, signal.SIGCONT)


def test_two_notifiers_share_the_work(world):
    admin_port = any_free()
    with world.suite.lock:
        replica = world.suite.stack.start_replica("notifier", 1, f"--admin-port={admin_port}")
    try:
        world.wait(lambda: world.suite.stack.is_ready(admin_port), "the second one is not ready")
        batch = Batch(world)
        batch.slow_down(0.15)

        def accepted(port):
            return world.metric("hansom_notify_sent_total", port=port, channel="fcm")
        before = {port: accepted(port) for port in (world.suite.stack.admin_ports["notifier"], admin_port)}

        def have_both_worked():
            batch.post_all()
            assert batch.check() == (len(batch.events) * DEVICES, 0), "each delivery by one of them, once"
            return all(accepted(port) > count for port, count in before.items())
        world.wait(have_both_worked, "one of them has nothing to do")
        person = world.person(*["apns"] * 10)
        for _ in range(4):
            world.post(person)
        for device in person.devices:
            world.wait_push(device, count=4)
        world.check_provider_tokens()
        # One dies while both are at work.
        again = Batch(world)
        again.slow_down()
        again.post_all()
        again.wait_taken()
        again.wait_seen(DELIVERIES // 3)
        pid = world.suite.pid(replica)
        os.kill(pid, signal.SIGKILL)
        world.suite.wait_replaced(replica, pid)
        certain, uncertain = again.check()
        assert certain + uncertain == DELIVERIES and again.lost <= 100
    finally:
        with world.suite.lock:
            process = world.suite.stack.processes.pop(replica)
        process.tell_to_stop()
        assert process.wait_stopped() == 0
