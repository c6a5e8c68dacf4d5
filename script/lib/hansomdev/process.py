"""One supervised child: started again with back-off when it dies, ended with its whole group."""
import os
import signal
import subprocess
import time

# It dies with the thread that started it. By a program, because Python code between fork and exec may hang when there are threads.
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 5.0
STEADY_S = 10.0
LOG_SIZE_MAX = 50_000_000


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
            self.child = subprocess.Popen([*DIES_WITH_PARENT, *self.argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=self.env, start_new_session=True, cwd="/", **who)
        self.started = time.monotonic()
        self.restart_at = None
        # Whole at any moment: others read it while a process is started again.
        part = self.pid_file.with_suffix(".pid.part")
        part.write_text(f"{self.child.pid}\n")
        part.replace(self.pid_file)

    def _has_ended(self):
        """What it leaves of its group ends with it, before the group's number can be somebody else's."""
        if self.child.returncode is None and os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._kill_group()
            self.child.wait()
        return self.child.returncode is not None

    def is_running(self):
        return self.child is not None and not self._has_ended()

    def look_after(self, say):
        """Call often: notices a death, starts again when it is time."""
        now = time.monotonic()
        if self.restart_at is not None:
            if now >= self.restart_at:
                self.restarts += 1
                self.start()
                say(f"{self.name} started again, pid {self.child.pid}")
            return
        if self.child is None or not self._has_ended():
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
        deadline = time.monotonic() + (0.1 if at_once else self.stop_s)
        while not self._has_ended():
            if time.monotonic() > deadline:
                self._kill_group()
            time.sleep(0.01)
        self.pid_file.unlink(missing_ok=True)
        return self.child.returncode

    def _kill_group(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nobody is left of it
            pass
