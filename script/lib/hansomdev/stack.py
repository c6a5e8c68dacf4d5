"""The processes of the suite and how they are told about each other: one table, one order."""
import hashlib
import http.client
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from . import secrets
from .ports import Ports, is_free
from .process import Process

PG_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
PG_USER = "hansom"
NATS_USER = "hansom"
START_S = 180  # on a machine that has much else to do
SERVICES = ("edge-gateway", "presence", "tracking-throttle", "backoffice", "chat-store", "notifier")  # those that are built; order of metrics=


class StackError(Exception):
    """What is missing, for the person who started it."""


def _unprivileged_user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise StackError("PostgreSQL needs an unprivileged user: neither postgres nor nobody exists")


def _is_reachable(folder, user):
    return subprocess.run(["runuser", "-u", user, "--", "test", "-x", str(folder)], stderr=subprocess.DEVNULL).returncode == 0


class Stack:
    def __init__(self, root, build, data, *, port=0, internal_port=0, prefer_known_ports=False, say=lambda text: None,
                 extra_env=None, log_level="info", postgres_options=(), stop_s=12.0):
        """stop_s: for each process to end by itself. postgres_options: settings, "name=value"."""
        self.root, self.build, self.data = pathlib.Path(root), pathlib.Path(build), pathlib.Path(data)
        self.say = say
        self.prefer = prefer_known_ports
        self.extra_env = extra_env or {}
        self.log_level = log_level
        self.postgres_options, self.stop_s = postgres_options, stop_s
        self.run_dir, self.log_dir, self.secret_dir = (self.data / name for name in ("run", "log", "secrets"))
        for folder in (self.data, self.run_dir, self.log_dir):
            folder.mkdir(parents=True, exist_ok=True)
        secrets.ensure(self.secret_dir)
        ports = Ports(self.data / "ports.json")
        self.port = port or ports.get("public")
        self.internal_port = internal_port or ports.get("internal")
        for name, number in (("port", self.port), ("internal-port", self.internal_port)):
            if not is_free(number):
                raise StackError(f"--{name} {number}: something else listens there")
        self.nats_port = ports.get("nats", self._preferred(4222))
        self.postgres_port = ports.get("postgres", self._preferred(5432))
        self.services = [name for name in SERVICES if self._binary(name).exists()]
        self.admin_ports = {name: ports.get(name, self._preferred(9101 + index)) for index, name in enumerate(self.services)}
        self.processes = {}

    def _preferred(self, port):
        return port if self.prefer else None

    def _binary(self, name):
        return self.build / "services" / name / name

    def _secret(self, name):
        return (self.secret_dir / name).read_text().strip()

    # --- what they listen on ---
    @property
    def public(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def internal(self):
        return f"http://127.0.0.1:{self.internal_port}"

    @property
    def nats_url(self):
        return f"nats://{NATS_USER}:{self._secret('nats_password')}@127.0.0.1:{self.nats_port}"

    @property
    def postgres_url(self):
        return f"postgresql://{PG_USER}:{self._secret('postgres_password')}@127.0.0.1:{self.postgres_port}/hansom"

    @property
    def api_key_file(self):
        return self.secret_dir / "api_key"

    # --- the dependencies ---
    def _process(self, name, argv, **options):
        process = Process(name, argv, pid_dir=self.run_dir, log_dir=self.log_dir, stop_s=self.stop_s, **options)
        self.processes[name] = process
        process.start()
        return process

    def _start_nats(self):
        config = self.data / "nats.conf"
        config.touch(mode=0o600)
        config.write_text(
            f'listen: "127.0.0.1:{self.nats_port}"\n'
            f'jetstream {{ store_dir: "{self.data}/nats" }}\n'
            f'authorization {{ user: "{NATS_USER}", password: "{self._secret("nats_password")}" }}\n')
        self._process("nats-server", ["nats-server", "-c", config])

    def _postgres_folder(self, user):
        folder = self.data / "postgres"
        marker = self.data / "postgres-folder"
        if user is None:
            return folder
        if marker.exists():
            return pathlib.Path(marker.read_text().strip())
        if not _is_reachable(self.data, user):
            folder = pathlib.Path("/var/tmp") / f"hansom-postgres-{hashlib.sha256(str(self.data).encode()).hexdigest()[:12]}"
            self.say(f"{self.data} cannot be entered by user {user}: the database lies in {folder}")
        marker.write_text(f"{folder}\n")
        return folder

    def _make_database(self, folder, user):
        """Beside its place until it is whole: an interrupted start must not leave half of one."""
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700, parents=True)
        who = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        with tempfile.NamedTemporaryFile("w") as password:
            password.write(self._secret("postgres_password") + "\n")
            password.flush()
            if user is not None:
                for path in (part, password.name):
                    shutil.chown(path, user, user)
            made = subprocess.run([PG_BIN / "initdb", "-D", part, "-U", PG_USER, "--auth=scram-sha-256", "--encoding=UTF8",
                                   "--locale=C", f"--pwfile={password.name}"], cwd="/", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, **who)
        if made.returncode != 0:
            raise StackError("initdb: " + made.stdout.decode(errors="replace")[-500:])
        part.replace(folder)

    def _start_postgres(self):
        user = _unprivileged_user()
        self.postgres_folder = self._postgres_folder(user)
        folder = self.postgres_folder
        if not (folder / "PG_VERSION").exists():
            self._make_database(folder, user)
        self._process("postgres", [PG_BIN / "postgres", "-D", folder, "-p", self.postgres_port, "-c", "unix_socket_directories=",
                                   "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100",
                                   *(word for option in self.postgres_options for word in ("-c", option))],
                      user=user, stop_signal=signal.SIGINT)
        self._ensure_database()

    def _ensure_database(self):
        env = {**os.environ, "PGPASSWORD": self._secret("postgres_password")}
        psql = ["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", PG_USER, "-d", "postgres", "-tA", "-c"]
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            found = subprocess.run([*psql, "SELECT 1 FROM pg_database WHERE datname = 'hansom'"], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if found.returncode == 0:
                if found.stdout.strip() != b"1":
                    subprocess.run([*psql, "CREATE DATABASE hansom"], env=env, check=True)
                return
            self.look_after()
            time.sleep(0.1)
        raise StackError(f"PostgreSQL did not start: see {self.log_dir}/postgres.log")

    # --- the services ---
    def _service_env(self, name):
        env = {"HANSOM_NATS_URL": f"nats://127.0.0.1:{self.nats_port}", "HANSOM_NATS_USER": NATS_USER,
               "HANSOM_NATS_PASSWORD_FILE": str(self.secret_dir / "nats_password"), "HANSOM_LOG_LEVEL": self.log_level}
        if name in ("backoffice", "chat-store", "notifier"):
            env["HANSOM_POSTGRES_URL"] = self.postgres_url
        if name == "notifier":
            # Web Push works out of the box; what has no credentials here is dropped, so that the ladder can be tried.
            env |= {"HANSOM_TEMPLATES_DIR": f"{self.root}/services/notifier/templates",
                    "HANSOM_WEBPUSH_VAPID_KEY_FILE": f"{self.secret_dir}/vapid.pem", "HANSOM_WEBPUSH_SUBJECT": "mailto:operator@localhost",
                    "HANSOM_UNCONFIGURED_PROVIDERS": "drop"}
        return {**env, **self.extra_env}

    def _service_arguments(self, name):
        common = [f"--instance={name}-0", f"--admin_port={self.admin_ports[name]}"]
        own = {
            "edge-gateway": [f"--port={self.port}", f"--jwt_keys_file={self.secret_dir}/keys.json"],
            "backoffice": [f"--internal_port={self.internal_port}", f"--api_key_file={self.api_key_file}",
                           f"--signing_key_file={self.secret_dir}/signing.pem", f"--migrations_dir={self.root}/migrations"],
            "chat-store": [f"--migrations_dir={self.root}/migrations"],
            "notifier": [f"--migrations_dir={self.root}/migrations"],
        }
        return common + own.get(name, [])

    def start_service(self, name):
        self._process(name, [self._binary(name), *self._service_arguments(name)], env=self._service_env(name))

    def start_replica(self, name, number, *more):
        """One more of a service, with these arguments on top: a gateway needs a port of its own. The name of its process."""
        replica = f"{name}-{number}"
        arguments = [*self._service_arguments(name), f"--instance={replica}", "--admin_port=0", *more]
        self._process(replica, [self._binary(name), *arguments], env=self._service_env(name))
        return replica

    def start(self):
        self._start_nats()
        self._start_postgres()
        for name in reversed(self.services):
            self.start_service(name)

    def start_demo(self):
        binary = self.build / "tools" / "ridesim" / "ridesim"
        if not binary.exists():
            return
        self._process("ridesim", [binary, f"--public={self.public}", f"--internal={self.internal}",
                                  f"--api-key-file={self.api_key_file}", f"--trace={self.root}/tools/ridesim/routes/town.csv",
                                  "--drivers=20", "--demo"])

    # --- watching ---
    def look_after(self):
        for process in list(self.processes.values()):
            process.look_after(self.say)

    @staticmethod
    def is_ready(admin_port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (OSError, http.client.HTTPException):  # also one that ends in the middle of its answer
            return False

    def metrics(self, name):
        """Of a service: name with labels -> value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_ports[name]}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and not line.startswith("#")}

    def is_service_ready(self, name):
        return self.is_ready(self.admin_ports[name])

    def wait_ready(self, timeout_s=START_S, should_stop=lambda: False):
        deadline = time.monotonic() + timeout_s
        waiting = list(self.services)
        while waiting and time.monotonic() < deadline and not should_stop():
            self.look_after()
            waiting = [name for name in waiting if not self.is_service_ready(name)]
            if waiting:
                time.sleep(0.1)
        if waiting and not should_stop():
            raise StackError(f"not ready after {timeout_s} s: {', '.join(waiting)}; see {self.log_dir}")

    def ready_line(self):
        metrics = ",".join(f"http://127.0.0.1:{self.admin_ports[name]}" for name in self.services)
        return (f"ready public={self.public} internal={self.internal} api_key_file={self.api_key_file} pid_dir={self.run_dir} "
                f"nats={self.nats_url} postgres={self.postgres_url} metrics={metrics}")

    # --- the end ---
    def stop(self, should_hurry=lambda: False):
        """Exit statuses by name. Clients first, then services, then what they stand on."""
        order = ["ridesim", "edge-gateway", "tracking-throttle", "presence", "chat-store", "notifier", "backoffice", "nats-server", "postgres"]
        statuses = {}
        for group in (order[:1], order[1:2], order[2:7], order[7:]):
            present = [process for name, process in self.processes.items()
                       if name in group or name.rpartition("-")[0] in group and name not in order]
            for process in present:
                process.tell_to_stop()
            for process in present:
                statuses[process.name] = process.wait_stopped(at_once=should_hurry())
        return statuses
