"""Waiting for what must come true."""
import asyncio
import time

# What is waited for comes at once; only when it never comes, or the machine has much else to do, does it take this long.
PATIENCE_S = 90
PAUSE_S = 0.03


def _must_not_be_over(deadline, what):
    assert time.monotonic() < deadline, f"waited in vain: {what() if callable(what) else what}"


def wait_until(condition, what, timeout_s=PATIENCE_S):
    """What the condition gives as soon as that is true. what: names it for the failure, a text or a function."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        _must_not_be_over(deadline, what)
        time.sleep(PAUSE_S)
    return value


async def eventually(condition, what, timeout_s=PATIENCE_S):
    """The same for a condition that others on this loop bring about; it may be a coroutine function."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        _must_not_be_over(deadline, what)
        await asyncio.sleep(PAUSE_S)
