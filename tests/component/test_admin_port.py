"""What every service has from common/service, on one that needs nothing to start: settings, admin port, signals."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from hansomdev.process import DIES_WITH_PARENT

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HANSOM_BUILD", ROOT / "build" / "asan"))
PROGRAM = BUILD / "services" / "tracking-throttle" / "tracking-throttle"
NO_NATS = "--nats-url=nats://127.0.0.1:1"


def run(*arguments):
    return subprocess.run([PROGRAM, NO_NATS, *arguments], capture_output=True, text=True, timeout=120, check=False)


class Service:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([*DIES_WITH_PARENT, PROGRAM, NO_NATS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.events = []
        self.port = self.wait_event("admin_listening")["port"]

    def wait_event(self, name):
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]
        raise AssertionError(f"no {name}: {self.events} {self.process.stderr.read()}")

    def ask(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()


@pytest.fixture
def start():
    started = []

    def begin(*arguments):
        started.append(Service(*arguments))
        return started[-1]

    yield begin
    for service in started:
        service.process.kill()
        service.process.communicate()


def test_paths_and_methods(start):
    service = start()
    assert service.ask("/healthz") == (200, '{"status":"ok"}\n')
    assert service.ask("/nothing")[0] == 404
    assert service.ask("/metrics", "POST")[0] == 405
    status, metrics = service.ask("/metrics")
    assert status == 200 and 'hansom_build_info{service="tracking-throttle"' in metrics
    expected = {"status": "not_ready", "draining": False, "waiting_for": ["nats", "partitions"]}
    end = time.monotonic() + 90  # the port answers before the service has said what it waits for
    while json.loads(service.ask("/readyz")[1]) != expected and time.monotonic() < end:
        time.sleep(0.02)
    status, readiness = service.ask("/readyz")
    assert (status, json.loads(readiness)) == (503, expected)


def test_sigterm_ends_cleanly(start):
    service = start()
    service.process.send_signal(signal.SIGTERM)
    service.wait_event("draining")
    assert service.wait_event("service_stopped")["exit_code"] == 0
    assert service.process.wait(timeout=120) == 0
    assert not [event for event in service.events if event["event"] == "handle_left_open"]
    assert service.process.stderr.read() == ""


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(f"--admin-port={port}")
    assert result.returncode == 1
    assert f"admin_port {port} on 127.0.0.1: Address already in use" in result.stderr


def test_settings_that_are_wrong_end_with_2(tmp_path):
    config = tmp_path / "service.conf"
    config.write_text("admin_port = 0\nno_such = 1\n")
    result = run("--config", str(config), "--drain-timeout-ms=-1")
    assert result.returncode == 2
    assert f"no_such ({config}:2)" in result.stderr
    assert "drain_timeout_ms (command line)" in result.stderr and "0 to 600000" in result.stderr


def test_check_config_tells_by_its_exit_code():
    assert run("--check-config").returncode == 0
    assert run("--check-config", "--admin-port=70000").returncode == 2
    assert run("--print-config", "--admin-port=70000").returncode == 2
    assert run("--help", "--admin-port=70000").returncode == 0


def test_sighup_applies_what_may_change_and_tells_the_rest(start, tmp_path):
    config = tmp_path / "service.conf"
    config.write_text("log_level = info\ndrain_timeout_ms = 1000\n")
    service = start("--config", str(config))
    config.write_text("log_level = debug\ndrain_timeout_ms = 2000\n")
    service.process.send_signal(signal.SIGHUP)
    assert service.wait_event("setting_changed")["setting"] == "log_level"
    assert service.wait_event("setting_needs_restart")["setting"] == "drain_timeout_ms"
    config.write_text("log_level = loud\n")
    service.process.send_signal(signal.SIGHUP)
    assert "log_level" in service.wait_event("settings_not_reloaded")["errors"]
