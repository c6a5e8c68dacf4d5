"""RFC 8291 from the receiver's side, written from the RFC and independent of the code under test."""
import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(public_key):
    """65 bytes, uncompressed."""
    return public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def private_key_from(number):
    return ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())


def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def derive(private_key, auth, salt, sender_point):
    """(key, nonce base), RFC 8291 section 3.4."""
    shared = private_key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender_point))
    info = b"WebPush: info\0" + point(private_key.public_key()) + sender_point
    secret = _hmac(salt, _hmac(_hmac(auth, shared), info + b"\1"))
    return _hmac(secret, b"Content-Encoding: aes128gcm\0\1")[:16], _hmac(secret, b"Content-Encoding: nonce\0\1")[:12]


def decrypt(private_key, auth, message):
    """The plain text. ValueError, or cryptography's InvalidTag, when it is not a message for this key."""
    salt, record_size, key_length = message[:16], int.from_bytes(message[16:20], "big"), message[20]
    if key_length != 65 or len(message) < 21 + 65 + 18 or record_size < 18:
        raise ValueError("header of aes128gcm")
    key, nonce_base = derive(private_key, auth, salt, message[21:86])
    records = message[86:]
    if len(records) > record_size:
        raise ValueError("Web Push allows one record only (RFC 8291 section 4)")
    plain = AESGCM(key).decrypt(nonce_base, records, None).rstrip(b"\0")
    if plain[-1:] != b"\2":
        raise ValueError("delimiter of the last record")
    return plain[:-1]
