"""A real push, read by code that is not ours: the npm package http_ece and Node's crypto."""
import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT

SOURCE = ROOT / "tests" / "peers" / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")


@pytest.fixture(scope="module")
def receiver():
    """The folder of receive.js with what its package-lock.json names, installed again only when that has changed."""
    if NODE is None or NPM is None:
        pytest.skip("node and npm are not installed")
    folder = pathlib.Path(os.environ.get("HANSOM_BUILD", ROOT / "build" / "asan")) / "tests" / "peers" / "node"
    lock, installed = SOURCE / "package-lock.json", folder / "installed-lock.json"
    folder.mkdir(parents=True, exist_ok=True)
    for file in SOURCE.iterdir():
        shutil.copy(file, folder)
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        done = subprocess.run([NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        shutil.copy(lock, installed)
    return folder


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def receive(folder, world, subscription, push, body=None):
    question = {"body": encode(push.body if body is None else body), "auth": encode(subscription.auth),
                "private_key": encode(subscription.key.private_numbers().private_value.to_bytes(32, "big")),
                "authorization": push.headers["authorization"], "audience": world.peers.webpush.url,
                "application_server_key": encode(world.peers.webpush.application_server_key)}
    return subprocess.run([NODE, "receive.js"], cwd=folder, input=json.dumps(question), capture_output=True, text=True, timeout=30,
                          check=False)


def test_a_push_is_read_by_http_ece_and_node(world, receiver):
    person = world.person("webpush")
    event = world.post(person, "test_news", data={"text": "Zürich 🚕", "n": 7})
    (push,) = world.wait_push(person.devices[0])
    subscription = world.peers.webpush.subscription(push.key)
    read = receive(receiver, world, subscription, push)
    assert read.returncode == 0, read.stderr
    found = json.loads(read.stdout)
    assert found["payload"]["event_id"] == event and found["payload"]["data"] == {"text": "Zürich 🚕", "n": 7}
    assert found["payload"] == push.content and found["claims"]["sub"] == world.peers.webpush.subject
    broken = push.body[:-1] + bytes([push.body[-1] ^ 1])
    assert receive(receiver, world, subscription, push, broken).returncode == 1, "a receiver that reads anything proves nothing"
