"""One backoffice against a real nats-server and a real PostgreSQL, each on a free port and in a temporary folder."""
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

from waiting import wait_until

from hansomdev.ports import any_free
from hansomdev.process import DIES_WITH_PARENT

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HANSOM_BUILD", os.path.join(ROOT, "build", "dev"))
PG_BIN = "/usr/lib/postgresql/15/bin/"
API_KEY = "a-key-for-tests-only-0123456789"


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hansom-backoffice-")
        os.chmod(self.folder, 0o755)
        self.processes = {}
        self.pg_port, self.nats_port, self.port, self.admin_port = (any_free() for _ in range(4))
        self.postgres_url = f"postgresql://hansom@127.0.0.1:{self.pg_port}/postgres"
        self.make_secrets()
        self.init_postgres()
        self.start_postgres()
        self.start_nats()
        self.start_backoffice()

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_secrets(self):
        with open(self.path("api.key"), "w") as file:
            file.write(f"# two keys\n{API_KEY}\nanother-key-for-tests-0123\n")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                        self.path("signing.pem")], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "pkey", "-in", self.path("signing.pem"), "-pubout", "-out",
                        self.path("public.pem")], check=True)

    # PostgreSQL refuses to run as root.
    def as_server_user(self):
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def spawn(self, name, command, **options):
        log = open(self.path(name + ".log"), "ab")
        self.processes[name] = subprocess.Popen([*DIES_WITH_PARENT, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        log.close()

    def init_postgres(self):
        data = self.path("pg")
        os.mkdir(data, 0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(data, user.pw_uid, user.pw_gid)
        subprocess.run([PG_BIN + "initdb", "-D", data, "-U", "hansom", "-A", "trust", "-E", "UTF8", "--locale=C",
                        "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self.as_server_user())

    def start_postgres(self):
        self.spawn("postgres", [PG_BIN + "postgres", "-D", self.path("pg"), "-p", str(self.pg_port), "-h", "127.0.0.1",
                                "-k", "", "-F"], cwd="/", **self.as_server_user())
        ready = [PG_BIN + "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.pg_port)]
        wait_until(lambda: subprocess.run(ready).returncode == 0, "PostgreSQL")

    def start_nats(self):
        self.spawn("nats", ["nats-server", "-a", "127.0.0.1", "-p", str(self.nats_port), "-js", "-sd",
                            self.path("nats")])
        wait_until(lambda: accepts(self.nats_port), "nats-server")

    def start_backoffice(self, *more):
        self.spawn("backoffice", [
            os.path.join(BUILD, "services", "backoffice", "backoffice"), f"--internal_port={self.port}",
            f"--admin_port={self.admin_port}", f"--nats_url=nats://127.0.0.1:{self.nats_port}",
            f"--postgres_url={self.postgres_url}", "--api_key_file=" + self.path("api.key"),
            "--signing_key_file=" + self.path("signing.pem"), "--signing_kid=k1", "--outbox_interval_ms=100",
            "--migrations_dir=" + os.path.join(ROOT, "migrations"), *more])
        self.wait_ready()

    def wait_ready(self):
        def is_ready():
            assert self.processes["backoffice"].poll() is None, self.log("backoffice")
            try:
                return self.call("GET", "/readyz")[0] == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(is_ready, "backoffice")

    def log(self, name):
        """Its whole lines: one more may just be written."""
        with open(self.path(name + ".log"), errors="replace") as file:
            return "".join(file.read().rpartition("\n")[:2])

    def end(self, name, number=signal.SIGTERM):
        """Ends a process and returns its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(timeout=120)

    def kill(self, name):
        # A crash of PostgreSQL is SIGQUIT to its first process; SIGKILL would leave its children behind.
        self.end(name, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)

    def close(self):
        try:
            if "backoffice" in self.processes:
                code = self.end("backoffice")
                assert code == 0, f"backoffice ended with {code}\n" + self.log("backoffice")
            assert "handle_left_open" not in self.log("backoffice")
        finally:
            for name in list(self.processes):
                self.kill(name)
            shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, path, body=None, key=API_KEY, headers=None):
        """(status, JSON or None, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            sent = dict(headers or {})
            if key is not None:
                sent["Authorization"] = "Bearer " + key
            connection.request(method, path, text, sent)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None, answer.headers
        finally:
            connection.close()
