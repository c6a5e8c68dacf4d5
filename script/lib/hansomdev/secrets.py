"""Keys and passwords of one data folder, made once."""
import json
import secrets
import subprocess


def _write_private(path, text):
    path.touch(mode=0o600)
    path.write_text(text)


def ensure(folder):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    signing, public = folder / "signing.pem", folder / "public.pem"
    if not signing.exists():
        signing.touch(mode=0o600)
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(signing)],
            check=True, stderr=subprocess.DEVNULL)
    if not public.exists():
        subprocess.run(["openssl", "pkey", "-in", str(signing), "-pubout", "-out", str(public)], check=True)
    keys = folder / "keys.json"
    if not keys.exists():
        keys.write_text(json.dumps({"keys": [{"kid": "dev", "alg": "ES256", "pem_file": "public.pem"}],
                                    "issuer": None, "audience": None}))
    for name in ("api_key", "postgres_password", "nats_password"):
        if not (folder / name).exists():
            _write_private(folder / name, secrets.token_urlsafe(32) + "\n")
