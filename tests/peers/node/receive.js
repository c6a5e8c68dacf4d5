// A browser and its push service, as far as cryptography goes: decrypts a push with http_ece (RFC 8188, RFC 8291) and checks
// its VAPID header (RFC 8292) with Node's own crypto. JSON on stdin, JSON on stdout; exit status 1 and a word on stderr
// when anything is not as it must be.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const ece = require('http_ece');

const DAY_S = 86400;

function decrypt({ body, private_key, auth }) {
  const receiver = crypto.createECDH('prime256v1');
  receiver.setPrivateKey(Buffer.from(private_key, 'base64url'));
  return ece.decrypt(Buffer.from(body, 'base64url'), { version: 'aes128gcm', privateKey: receiver, authSecret: auth });
}

function parameters(authorization) {
  const [scheme, rest] = authorization.split(/ (.*)/s);
  assert.equal(scheme, 'vapid');
  return Object.fromEntries(rest.split(',').map((part) => part.trim().split(/=(.*)/s)));
}

function verifiedClaims({ authorization, application_server_key, audience }) {
  const { t, k } = parameters(authorization);
  assert.equal(k, application_server_key);
  const point = Buffer.from(k, 'base64url');
  const key = crypto.createPublicKey({
    format: 'jwk',
    key: { kty: 'EC', crv: 'P-256', x: point.toString('base64url', 1, 33), y: point.toString('base64url', 33) },
  });
  const [head, claims, signature] = t.split('.');
  const isSigned = crypto.verify('sha256', Buffer.from(`${head}.${claims}`), { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'));
  assert.ok(isSigned, 'the signature');
  assert.equal(JSON.parse(Buffer.from(head, 'base64url')).alg, 'ES256');
  const found = JSON.parse(Buffer.from(claims, 'base64url'));
  const now = Date.now() / 1000;
  assert.equal(found.aud, audience);
  assert.ok(found.exp > now && found.exp <= now + DAY_S, 'exp');
  return found;
}

const push = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify({ claims: verifiedClaims(push), payload: JSON.parse(decrypt(push)) }));
