-- What notifier holds: devices, contacts, and the ledger of what was sent to whom. Times are milliseconds since 1970 UTC,
-- as on the bus. Only notifier reads and writes this schema. Numbers of channels are those of
-- services/notifier/channels.def, of states and policies those of services/notifier/core/ledger_states.def.
CREATE SCHEMA notify;

-- A token that a provider declared dead stays, with the time, and comes back with the next registration.
CREATE TABLE notify.devices (
    user_id text NOT NULL,
    device_id text NOT NULL,
    channel smallint NOT NULL,
    token text NOT NULL,
    token_sha256 text NOT NULL,
    platform text NOT NULL,
    locale text NOT NULL,           -- '': not known
    timezone text NOT NULL,         -- '': not known
    registered_ms bigint NOT NULL,
    dead_ms bigint,
    dead_why text CHECK ((dead_why IS NULL) = (dead_ms IS NULL)),
    PRIMARY KEY (user_id, device_id)
);
-- A token belongs to one device of one user: it moves with whoever signs in there.
CREATE UNIQUE INDEX devices_by_token ON notify.devices (channel, token_sha256);

CREATE FUNCTION notify.put_device(a_user text, a_device text, a_channel smallint, a_token text, a_sha256 text,
                                  a_platform text, a_locale text, a_timezone text, now_ms bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM notify.devices WHERE channel = a_channel AND token_sha256 = a_sha256
                                 AND (user_id, device_id) <> (a_user, a_device);
    INSERT INTO notify.devices AS d (user_id, device_id, channel, token, token_sha256, platform, locale, timezone,
                                     registered_ms)
    VALUES (a_user, a_device, a_channel, a_token, a_sha256, a_platform, a_locale, a_timezone, now_ms)
    ON CONFLICT (user_id, device_id) DO UPDATE
    SET channel = excluded.channel, token = excluded.token, token_sha256 = excluded.token_sha256,
        platform = excluded.platform, locale = excluded.locale, timezone = excluded.timezone,
        registered_ms = excluded.registered_ms, dead_ms = NULL, dead_why = NULL;
END $$;

CREATE TABLE notify.contacts (
    user_id text PRIMARY KEY,
    email text NOT NULL,            -- '': none
    phone text NOT NULL,            -- '': none
    locale text NOT NULL,
    timezone text NOT NULL,
    push_off boolean NOT NULL,      -- wishes; none of them holds a critical event back
    email_off boolean NOT NULL,
    sms_off boolean NOT NULL,
    muted_types text[] NOT NULL,
    quiet_from_min smallint,        -- NULL: as the setting says
    quiet_to_min smallint,
    updated_ms bigint NOT NULL,
    email_dead_ms bigint,           -- the provider said so after updated_ms
    phone_dead_ms bigint
);

-- How far a user has acknowledged: also known when the event itself comes later.
CREATE TABLE notify.acks (
    user_id text PRIMARY KEY,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    at_ms bigint NOT NULL
);

-- One row per event that notifier has taken over from the bus.
CREATE TABLE notify.events (
    event_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    data text NOT NULL,             -- one JSON object; '{}' once it is erased
    is_critical boolean NOT NULL,
    policy smallint NOT NULL,
    collapse_key text NOT NULL,     -- '': none
    created_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,     -- of the event itself, 0: never
    epoch bigint NOT NULL,          -- its place in stream EVENTS; 0: it is no item of it (a chat message)
    seq bigint NOT NULL,
    acked_ms bigint,
    push_planned_ms bigint,         -- when its steps were to come, as planned at first; NULL: there is none
    contact_planned_ms bigint,
    UNIQUE (user_id, event_id)
);
CREATE INDEX events_by_id ON notify.events (event_id);
CREATE INDEX events_open ON notify.events (user_id, seq) WHERE acked_ms IS NULL;
CREATE INDEX events_collapsing ON notify.events (user_id, collapse_key, created_ms) WHERE collapse_key <> '';
CREATE INDEX events_by_age ON notify.events (created_ms);

-- What is to happen for an event, and when: 1 push, 2 contact.
CREATE TABLE notify.steps (
    event_key bigint NOT NULL REFERENCES notify.events ON DELETE CASCADE,
    step smallint NOT NULL,
    state smallint NOT NULL,
    reason text NOT NULL DEFAULT '',
    priority smallint NOT NULL,     -- 0: critical, 1: not
    due_ms bigint NOT NULL,         -- while waiting: when it is looked at next
    PRIMARY KEY (event_key, step)
);
CREATE INDEX steps_due ON notify.steps (priority, due_ms) WHERE state = 0;
-- A queue's rows die young, and whoever looks for the next one reads over the dead ones: they are swept up early.
ALTER TABLE notify.steps SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- One message to one device or address.
CREATE TABLE notify.deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_key bigint NOT NULL REFERENCES notify.events ON DELETE CASCADE,
    step smallint NOT NULL,
    channel smallint NOT NULL,
    device_id text NOT NULL,        -- '': not a device
    state smallint NOT NULL,
    reason text NOT NULL DEFAULT '',
    priority smallint NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    tries_limit smallint NOT NULL,
    due_ms bigint NOT NULL,         -- due: when it is tried; sending: when it counts as lost
    delivered_ms bigint,
    UNIQUE (event_key, step, channel, device_id)
);
CREATE INDEX deliveries_due ON notify.deliveries (priority, due_ms) WHERE state IN (0, 1);
CREATE INDEX deliveries_dead ON notify.deliveries (delivery_id) WHERE state = 5;
ALTER TABLE notify.deliveries SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Every try, written before it is sent.
CREATE TABLE notify.attempts (
    delivery_id bigint NOT NULL REFERENCES notify.deliveries ON DELETE CASCADE,
    number smallint NOT NULL,
    outcome smallint NOT NULL,
    reason text NOT NULL DEFAULT '',
    status integer NOT NULL DEFAULT 0,
    provider_id text NOT NULL DEFAULT '',
    started_ms bigint NOT NULL,
    ended_ms bigint,
    PRIMARY KEY (delivery_id, number)
);
CREATE INDEX attempts_by_provider_id ON notify.attempts (provider_id) WHERE provider_id ~ '^(SM|MM)'; -- of SMS

-- Pushes of what is not critical, per user and hour.
CREATE TABLE notify.user_rates (
    user_id text PRIMARY KEY,
    hour_ms bigint NOT NULL,
    pushes integer NOT NULL
);

CREATE TABLE notify.provider_tokens (
    name text PRIMARY KEY,
    token text NOT NULL,
    issued_ms bigint NOT NULL
);
