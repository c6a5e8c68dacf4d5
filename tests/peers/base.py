"""What every peer has: a thread with its own loop, a free port on loopback, a record of what came, planned answers."""
import asyncio
import collections
import threading
import time

from hansomdev.ports import any_free


class Records:
    """A list that one thread fills and another waits on."""

    def __init__(self):
        self._items = []
        self._changed = threading.Condition()

    def add(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def __iter__(self):
        with self._changed:
            return iter(list(self._items))

    def __len__(self):
        with self._changed:
            return len(self._items)

    def where(self, is_wanted=lambda item: True, **fields):
        return [item for item in self if is_wanted(item) and all(getattr(item, name) == value for name, value in fields.items())]

    def wait(self, is_wanted=lambda item: True, *, count=1, timeout=90, **fields):
        """At least so many of them, or an AssertionError that shows what came."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                found = [item for item in self._items
                         if is_wanted(item) and all(getattr(item, name) == value for name, value in fields.items())]
                if len(found) >= count:
                    return found
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    raise AssertionError(f"{len(found)} of {count} {fields or ''} came within {timeout} s; of all: {self._items[-10:]}")


class Plan:
    """What is answered next to a key (a token, a number, an address), and what otherwise."""

    def __init__(self):
        self._next = collections.defaultdict(collections.deque)
        self._always = {}
        self._lock = threading.Lock()

    def once(self, key, *answers):
        with self._lock:
            self._next[key].extend(answers)

    def always(self, key, answer):
        """key None: everybody. answer None: as usual again."""
        with self._lock:
            self._always[key] = answer

    def clear(self):
        with self._lock:
            self._next.clear()
            self._always.clear()

    def take(self, key, *, is_somebody=True):
        """None: as usual. is_somebody: what is planned for everybody counts."""
        names = (key, None) if is_somebody else (key,)
        with self._lock:
            for name in names:
                if self._next.get(name):
                    return self._next[name].popleft()
            for name in names:
                if self._always.get(name) is not None:
                    return self._always[name]
            return None


class Peer:
    """A server in a thread. Subclasses say how to listen in _listen() and what to close in _close_connections()."""

    def __init__(self):
        self.port = None
        self.plan = Plan()
        self.problems = []  # what went wrong in here; stop() raises if there is any
        self._loop = None
        self._server = None
        self._thread = None

    async def _listen(self, port):
        raise NotImplementedError

    def _close_connections(self):
        pass

    def start(self, port=None):
        port = port or any_free()  # not of those that an outgoing connection may take while we do not listen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self._thread.start()
        self.call(self._open(port))
        return self

    async def _open(self, port):
        self._loop.set_exception_handler(self._note_problem)
        self._server = await self._listen(port)
        self.port = port

    def _note_problem(self, loop, context):
        error = context.get("exception")
        if not isinstance(error, (OSError, asyncio.TimeoutError)):  # clients may go at any time, also during the handshake
            self.problems.append(f"{context.get('message')}: {error!r}")

    def call(self, coroutine, timeout=90):
        """Runs it on the peer's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def _shut(self):
        if self._server is not None:
            self._server.close()
        self._close_connections()
        if self._server is not None:
            await self._server.wait_closed()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._server = None

    def listen_no_more(self):
        """Connections are refused until listen_again()."""
        self.call(self._unlisten())

    async def _unlisten(self):
        self._server.close()
        self._close_connections()
        await self._server.wait_closed()

    def listen_again(self):
        self.call(self._open(self.port))

    def stop(self):
        if self._thread is None:
            return
        self.call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._thread = None
        assert not self.problems, self.problems

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
