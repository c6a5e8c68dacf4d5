"""Keys and passwords of one data folder, made once."""
import contextlib
import json
import secrets
import subprocess


@contextlib.contextmanager
def _whole(path):
    """A private file to write; it gets its name when it is complete, so that an interrupted start leaves no half of one."""
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    yield part
    part.replace(path)


def _write_private(path, text):
    with _whole(path) as part:
        part.write_text(text)


def _make_ec_key(path):
    with _whole(path) as part:
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(part)],
            check=True, stderr=subprocess.DEVNULL)


def ensure(folder):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    signing, public, vapid = folder / "signing.pem", folder / "public.pem", folder / "vapid.pem"
    for key in (signing, vapid):  # vapid: what browsers know us by; a new one makes all their subscriptions void
        if not key.exists():
            _make_ec_key(key)
    if not public.exists():
        with _whole(public) as part:
            subprocess.run(["openssl", "pkey", "-in", str(signing), "-pubout", "-out", str(part)], check=True)
    keys = folder / "keys.json"
    if not keys.exists():
        _write_private(keys, json.dumps({"keys": [{"kid": "dev", "alg": "ES256", "pem_file": "public.pem"}],
                                         "issuer": None, "audience": None}))
    for name in ("api_key", "postgres_password", "nats_password"):
        if not (folder / name).exists():
            _write_private(folder / name, secrets.token_urlsafe(32) + "\n")
