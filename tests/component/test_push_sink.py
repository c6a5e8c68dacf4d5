"""The load peer answers and counts; script/bench relies on its numbers."""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess

import pytest

from hansomdev.process import DIES_WITH_PARENT
from peers.tls import Authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
SINK = pathlib.Path(os.environ.get("HANSOM_BUILD", ROOT / "build" / "asan")) / "tests" / "peers" / "push_sink"


@pytest.fixture(params=["clear", "tls"])
def sink(request, tmp_path):
    authority = Authority(tmp_path)
    tls = [f"--cert={authority.server_file}"] if request.param == "tls" else []
    process = subprocess.Popen([*DIES_WITH_PARENT, SINK, "--delay-ms=50", *tls], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.port = int(process.stdout.readline().removeprefix("listening "))
        process.url = f"http{'s' if tls else ''}://127.0.0.1:{process.port}"
        process.curl = ["curl", "-s", "--max-time", "120", *(["--http2", "--cacert", authority.ca_file] if tls else ["--http2-prior-knowledge"])]
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_answers_and_counts(sink):
    answer = subprocess.run([*sink.curl, "-w", "\n%{http_code} %{time_total}", "-d", "x" * 3000, sink.url + "/v1/projects/p/messages:send"],
                            check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    assert json.loads(answer[0])["name"].startswith("projects/") and answer[1].split()[0] == "200" and float(answer[1].split()[1]) >= 0.049

    # One connection each. In the clear curl 7.88 cannot use a connection twice: "Error in the HTTP2 framing layer".
    beside_each_other, count = (["--parallel", "--parallel-max", "100"], 250) if "https" in sink.url else ([], 1)

    def many(_):
        subprocess.run([*sink.curl, *beside_each_other, "-o", "/dev/null", "-d", "y", f"{sink.url}/[1-{count}]"], check=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
    total = 4 * count + 1
    counts = json.loads(subprocess.run([*sink.curl, sink.url], check=True, stdout=subprocess.PIPE).stdout)
    assert counts == {"requests": total, "answered": total}
    sink.send_signal(signal.SIGTERM)
    out, err = sink.communicate(timeout=120)
    assert sink.returncode == 0 and f"requests={total} answered={total} body_bytes={total + 2999} " in out and err == ""


def test_it_ends_with_answers_outstanding(sink):
    if "https" not in sink.url:
        pytest.skip("curl 7.88 multiplexes over TLS only")
    client = subprocess.Popen([*sink.curl, "--parallel", "--parallel-max", "100", "-o", "/dev/null", "-d", "y", f"{sink.url}/[1-5000]"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while json.loads(subprocess.run([*sink.curl, sink.url], check=True, stdout=subprocess.PIPE).stdout)["requests"] == 0:
            assert client.poll() is None
        sink.send_signal(signal.SIGTERM)
        out, err = sink.communicate(timeout=120)
        assert sink.returncode == 0 and out.startswith("requests=") and err == ""
    finally:
        client.kill()
        client.wait()


def test_it_refuses_nonsense():
    for argument in ("--port=x", "--delay-ms=-1", "--nope", "--cert=/nonexistent"):
        assert subprocess.run([SINK, argument], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120).returncode == 2
