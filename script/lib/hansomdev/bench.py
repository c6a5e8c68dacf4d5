"""What every benchmark needs: a stack that ends with it, processor time, and how figures are told."""
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile

from .stack import Stack

TICKS = os.sysconf("SC_CLK_TCK")


def say(text=""):
    print(text, flush=True)


def _machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} x {model}, {memory_gb:.0f} GiB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"


def introduce(command):
    say(f"command   script/bench {command} {' '.join(sys.argv[3:])}".rstrip())  # behind --root
    say(f"machine   {_machine()}")


def _interrupt(number, frame):
    raise SystemExit(f"ended by signal {number}" if number != signal.SIGALRM else "took too long: ended")


@contextlib.contextmanager
def own_stack(root, limit_s, without=(), **options):
    """A running stack on free ports in a folder that goes with it, without the services that would be measured along.
    Everything ends after limit_s at the latest."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, _interrupt)
    signal.alarm(limit_s)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hansom-bench-"))
    folder.chmod(0o755)
    stack = None
    try:
        stack = Stack(root, pathlib.Path(root) / "build" / "release", folder, log_level="warn", **options)
        stack.services = [name for name in stack.services if name not in without]
        stack.start()
        stack.wait_ready()
        yield stack
    finally:
        signal.alarm(0)
        if stack is not None:
            stack.stop()
            shutil.rmtree(getattr(stack, "postgres_folder", folder), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _stat(pid):
    """(parent, own ticks, ticks of ended children)"""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def cpu_seconds(pid):
    """Of a process and its children, those that have ended too."""
    _, own, ended = _stat(pid)
    total = own + ended
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            parent, own, ended = _stat(name)
            total += own + ended if parent == pid else 0
    return total / TICKS


def chatbench(stack, *arguments, stdin=None):
    """Its report. Losses end the benchmark."""
    done = subprocess.run([stack.build / "tools" / "chatbench" / "chatbench", *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, env={**os.environ, "HANSOM_NATS_URL": stack.nats_url}, check=False)
    if not done.stdout:
        raise SystemExit(f"chatbench {arguments[0]}: {done.stderr.strip() or done.returncode}")
    report = json.loads(done.stdout.splitlines()[-1])  # before it: log events of the libraries
    if done.returncode != 0:
        say(f"chatbench {arguments[0]} FAILED: {done.stdout.strip()}")
    return report


def verdict(is_good):
    return "good" if is_good else "MISSED"
