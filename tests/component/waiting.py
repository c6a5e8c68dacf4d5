"""Waiting for what must come true."""
import time


def wait_until(condition, what, timeout_s=90):
    """What the condition gives as soon as that is true. `what` names it for the failure: a text, or a function."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what() if callable(what) else what}"
        time.sleep(0.02)
    return value
