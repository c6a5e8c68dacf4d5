"""script/server: the supervisor in the foreground."""
import argparse
import fcntl
import pathlib
import signal
import sys
import time

from .stack import Stack, StackError


def say(text):
    print(f"server: {text}", file=sys.stderr, flush=True)


class Signals:
    """How often we were asked to end."""

    def __init__(self):
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, frame):
        self.count += 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/server")
    parser.add_argument("--root", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--internal-port", type=int, default=8090)
    parser.add_argument("--data", default=None)
    return parser.parse_args()


def lock(data):
    """One supervisor per data folder; the lock ends with the process."""
    data.mkdir(parents=True, exist_ok=True)
    handle = open(data / "lock", "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise StackError(f"--data {data}: another script/server runs on this folder") from error
    return handle


def run(arguments, signals):
    root = pathlib.Path(arguments.root)
    data = pathlib.Path(arguments.data).resolve() if arguments.data else root / "var"
    holder = lock(data)
    stack = Stack(root, root / "build" / "release", data, port=arguments.port, internal_port=arguments.internal_port,
                  prefer_known_ports=True, say=say)
    try:
        stack.start()
        stack.wait_ready(should_stop=lambda: signals.count > 0)
        if signals.count == 0:
            if arguments.demo:
                stack.start_demo()
            print(stack.ready_line(), flush=True)
        while signals.count == 0:
            stack.look_after()
            time.sleep(0.05)
    finally:
        say("ending")
        stack.stop(should_hurry=lambda: signals.count > 1)
        holder.close()


def main():
    signals = Signals()
    try:
        run(parse_arguments(), signals)
    except StackError as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
