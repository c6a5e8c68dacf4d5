-- What backoffice has yet to say on the bus: written in the transaction that makes it true, deleted when the stream has
-- it. claimed_until_ms keeps two replicas from sending the same one at once (the stream would know it again anyway).
CREATE TABLE outbox_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    message_id text NOT NULL,       -- Nats-Msg-Id
    payload bytea NOT NULL,
    created_at_ms bigint NOT NULL,
    claimed_until_ms bigint NOT NULL DEFAULT 0
);

-- Events that back ends have posted: an event_id is one event of a user, for as long as it is remembered.
CREATE TABLE user_events (
    user_id text NOT NULL,
    event_id text NOT NULL,
    request_sha256 text NOT NULL,
    created_at_ms bigint NOT NULL,
    PRIMARY KEY (user_id, event_id)
);
CREATE INDEX user_events_age ON user_events (created_at_ms);
