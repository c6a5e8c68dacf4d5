"""Keys and passwords of one data folder, made once."""
import json
import secrets
import subprocess


def _write_private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def _make_ec_key(path):
    path.touch(mode=0o600)
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)],
        check=True, stderr=subprocess.DEVNULL)


def ensure(folder):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    signing, public, vapid = folder / "signing.pem", folder / "public.pem", folder / "vapid.pem"
    for key in (signing, vapid):  # vapid: what browsers know us by; a new one makes all their subscriptions void
        if not key.exists():
            _make_ec_key(key)
    if not public.exists():
        subprocess.run(["openssl", "pkey", "-in", str(signing), "-pubout", "-out", str(public)], check=True)
    keys = folder / "keys.json"
    if not keys.exists():
        keys.write_text(json.dumps({"keys": [{"kid": "dev", "alg": "ES256", "pem_file": "public.pem"}],
                                    "issuer": None, "audience": None}))
    for name in ("api_key", "postgres_password", "nats_password"):
        if not (folder / name).exists():
            _write_private(folder / name, secrets.token_urlsafe(32) + "\n")
