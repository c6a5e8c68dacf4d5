"""One supervised child: started again with back-off when it dies, ended with its whole group."""
import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 5.0
STEADY_S = 10.0
LOG_SIZE_MAX = 50_000_000
_libc = ctypes.CDLL(None)


def die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    def __init__(self, name, argv, *, env=None, user=None, pid_dir, log_dir, stop_signal=signal.SIGTERM, stop_s=12.0):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.env = {**os.environ, **(env or {})}
        self.user = user
        self.pid_file = pid_dir / f"{name}.pid"
        self.log_path = log_dir / f"{name}.log"
        self.stop_signal = stop_signal
        self.stop_s = stop_s
        self.child = None
        self.started = 0.0
        self.backoff_s = 0.0
        self.restart_at = None
        self.restarts = 0

    def start(self):
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_SIZE_MAX:
            self.log_path.rename(self.log_path.with_suffix(".log.old"))
        who = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                          start_new_session=True, preexec_fn=die_with_parent, cwd="/", **who)
        self.started = time.monotonic()
        self.restart_at = None
        # Whole at any moment: others read it while a process is started again.
        part = self.pid_file.with_suffix(".pid.part")
        part.write_text(f"{self.child.pid}\n")
        part.replace(self.pid_file)

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def look_after(self, say):
        """Call often: notices a death, starts again when it is time."""
        now = time.monotonic()
        if self.restart_at is not None:
            if now >= self.restart_at:
                self.restarts += 1
                self.start()
                say(f"{self.name} started again, pid {self.child.pid}")
            return
        if self.child is None or self.child.poll() is None:
            return
        lived = now - self.started
        self.backoff_s = BACKOFF_FIRST_S if lived > STEADY_S or self.backoff_s == 0 else min(self.backoff_s * 2, BACKOFF_MAX_S)
        self.restart_at = now + self.backoff_s
        say(f"{self.name} ended with {self.child.returncode} after {lived:.1f} s; again in {self.backoff_s:.1f} s")

    def tell_to_stop(self):
        self.restart_at = None
        if self.is_running():
            self.child.send_signal(self.stop_signal)

    def wait_stopped(self, *, at_once=False):
        """The exit status, or None if it was not running."""
        if self.child is None:
            return None
        try:
            status = self.child.wait(timeout=0.1 if at_once else self.stop_s)
        except subprocess.TimeoutExpired:
            self._kill_group()
            status = self.child.wait()
        self._kill_group()
        self.pid_file.unlink(missing_ok=True)
        return status

    def _kill_group(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
