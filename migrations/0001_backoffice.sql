-- What backoffice holds: bookings, sessions and the answers given to idempotent requests.
-- Times are milliseconds since 1970 UTC, as on the bus.

-- The truth about bookings. version grows with every change; the key-value bucket "bookings" is a copy, and
-- kv_published_version says how far it is known to have come: a row where it lags is published again.
CREATE TABLE bookings (
    booking_id text PRIMARY KEY CHECK (booking_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    client_id text NOT NULL,
    driver_id text,
    status text NOT NULL CHECK (status IN ('requested', 'assigned', 'driver_en_route_pickup', 'driver_arrived',
                                           'in_progress', 'completed', 'cancelled')),
    version bigint NOT NULL CHECK (version >= 1),
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    ended_at_ms bigint CHECK ((ended_at_ms IS NOT NULL) = (status IN ('completed', 'cancelled'))),
    kv_published_version bigint NOT NULL DEFAULT 0 CHECK (kv_published_version <= version)
);
CREATE INDEX bookings_outbox ON bookings (updated_at_ms) WHERE kv_published_version < version;
CREATE INDEX bookings_client ON bookings (client_id);
CREATE INDEX bookings_driver ON bookings (driver_id) WHERE driver_id IS NOT NULL;

-- One sign-in of a user on a device. Its refresh tokens follow each other; re-use of a spent one revokes the family.
CREATE TABLE refresh_families (
    family_id uuid PRIMARY KEY,
    user_id text NOT NULL,
    role text NOT NULL CHECK (role IN ('client', 'driver', 'support', 'admin')),
    platform text NOT NULL,
    device_id text,
    scopes text[] NOT NULL,
    access_ttl_s integer NOT NULL CHECK (access_ttl_s BETWEEN 1 AND 86400),
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL, -- of its newest refresh token
    revoked_at_ms bigint,
    revoked_why text CHECK ((revoked_why IS NULL) = (revoked_at_ms IS NULL))
);
CREATE INDEX refresh_families_user ON refresh_families (user_id) WHERE revoked_at_ms IS NULL;
CREATE INDEX refresh_families_expiry ON refresh_families (expires_at_ms);

-- Only the hash of a token is kept. successor_sha256 makes one rotation repeatable when its outcome was not heard.
CREATE TABLE refresh_tokens (
    token_sha256 text PRIMARY KEY CHECK (length(token_sha256) = 64),
    family_id uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
    expires_at_ms bigint NOT NULL,
    spent_at_ms bigint,
    successor_sha256 text
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);

-- Tokens of the user issued before not_before_ms are refused. The bucket "sessions" is the copy that gateways read.
CREATE TABLE session_cutoffs (
    user_id text PRIMARY KEY,
    not_before_ms bigint NOT NULL,
    kv_published_ms bigint NOT NULL DEFAULT 0
);
CREATE INDEX session_cutoffs_outbox ON session_cutoffs (not_before_ms) WHERE kv_published_ms < not_before_ms;

-- The first answer to a POST with an Idempotency-Key. Answers may hold tokens, so they are sealed (AES-256-GCM).
-- A row without status is a request under way (or cut off by a crash).
CREATE TABLE idempotency_keys (
    key text NOT NULL,
    route text NOT NULL,
    request_sha256 text NOT NULL,
    status integer,
    sealed_response text,
    created_at_ms bigint NOT NULL,
    PRIMARY KEY (key, route)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at_ms);
