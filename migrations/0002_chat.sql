-- What chat-store holds: the archive of chats. Times are milliseconds since 1970 UTC, as on the bus. Only chat-store
-- reads and writes this schema.
CREATE SCHEMA chat;

-- Every stored item of stream CHAT, as it was sent. A booking's whole chat lies in one partition, that of the week the
-- booking was made in: so (booking_id, message_id) is unique without a global index, a page of history touches one
-- partition, and old chats go by dropping tables. Partitions are made by chat.ensure_partition.
CREATE TABLE chat.items (
    booking_id text NOT NULL,
    booking_created_ms bigint NOT NULL,
    epoch bigint NOT NULL,          -- which making of the stream
    seq bigint NOT NULL,            -- its sequence: the order for everybody
    kind smallint NOT NULL,         -- ChatKind of proto/bus.proto: 1 message, 2 edit, 3 delete, 4 system
    message_id text NOT NULL,
    from_id text NOT NULL,          -- '': the suite itself
    from_role smallint NOT NULL,
    sent_at_ms bigint NOT NULL,
    content text NOT NULL,
    target_id text NOT NULL,        -- message: replied to; edit, delete: the message changed; '': none
    body bytea,                     -- ChatItem with what has no column of its own (attachments, event, status); NULL: nothing
    masked integer NOT NULL,
    PRIMARY KEY (booking_id, epoch, seq, booking_created_ms)
) PARTITION BY RANGE (booking_created_ms);
CREATE UNIQUE INDEX items_by_id ON chat.items (booking_id, message_id, booking_created_ms);
-- What became of a message, in its order: without epoch and seq the planner reads the whole chat to find the last edit.
CREATE INDEX items_changes ON chat.items (booking_id, target_id, epoch, seq) WHERE kind IN (2, 3);
-- For erasure: what somebody wrote and is still there.
CREATE INDEX items_by_author ON chat.items (from_id) WHERE content <> '' OR body IS NOT NULL;

-- One row per chat. Its numbers grow in the transaction that inserts the items, so they count each item once.
CREATE TABLE chat.chats (
    booking_id text PRIMARY KEY,
    booking_created_ms bigint NOT NULL,
    client_id text NOT NULL,
    driver_id text NOT NULL,        -- '': none
    last_epoch bigint NOT NULL,     -- newest item of any kind
    last_seq bigint NOT NULL,
    last_message_epoch bigint NOT NULL DEFAULT 0,
    last_message_seq bigint NOT NULL DEFAULT 0,
    first_message_ms bigint,
    last_message_ms bigint,
    last_item_ms bigint NOT NULL,
    messages integer NOT NULL,
    has_client boolean NOT NULL,    -- has written
    has_driver boolean NOT NULL,
    has_support boolean NOT NULL
);
CREATE INDEX chats_by_client ON chat.chats (client_id, last_item_ms);
CREATE INDEX chats_by_driver ON chat.chats (driver_id, last_item_ms) WHERE driver_id <> '';
CREATE INDEX chats_by_week ON chat.chats (booking_created_ms);
CREATE INDEX chats_unanswered ON chat.chats (last_message_ms) WHERE has_client::int + has_driver::int + has_support::int = 1;

-- How far each participant has got: high-water marks, one row per participant.
CREATE TABLE chat.marks (
    booking_id text NOT NULL,
    user_id text NOT NULL,
    epoch bigint NOT NULL,
    delivered_seq bigint NOT NULL,
    read_seq bigint NOT NULL,
    updated_ms bigint NOT NULL,
    PRIMARY KEY (booking_id, user_id)
);
CREATE INDEX marks_by_user ON chat.marks (user_id);

-- Users whose words are to be forgotten. Done when everything sent before requested_ms is gone from here and from the
-- stream.
CREATE TABLE chat.erasures (
    user_id text PRIMARY KEY,
    requested_ms bigint NOT NULL,
    done_ms bigint,
    items bigint NOT NULL DEFAULT 0
);

CREATE FUNCTION chat.week_of(ms bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
    RETURN floor(ms / 604800000.0)::bigint;

-- Makes the partition that a booking made at this time belongs to. Several replicas may call it at once.
CREATE FUNCTION chat.ensure_partition(ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    week bigint := chat.week_of(ms);
    partition_name text := 'items_w' || week;
BEGIN
    IF to_regclass('chat.' || partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('hansom chat partitions'));
    EXECUTE format('CREATE TABLE IF NOT EXISTS chat.%I PARTITION OF chat.items FOR VALUES FROM (%s) TO (%s)',
                   partition_name, week * 604800000, (week + 1) * 604800000);
END $$;

-- Removes the chats whose last item is older than before_ms: whole partitions where nothing younger lies in them, else
-- at most max_chats row by row. Returns how many chats went.
CREATE FUNCTION chat.expire(before_ms bigint, max_chats integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    partition record;
    gone bigint := 0;
    batch bigint;
    low bigint;
BEGIN
    FOR partition IN
        SELECT c.relname, substr(c.relname, 8)::bigint AS week
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'chat.items'::regclass
        ORDER BY 2
    LOOP
        low := partition.week * 604800000;
        CONTINUE WHEN low >= before_ms;
        IF low + 604800000 <= before_ms AND NOT EXISTS (
            SELECT 1 FROM chat.chats WHERE booking_created_ms >= low AND booking_created_ms < low + 604800000
                                       AND last_item_ms >= before_ms) THEN
            EXECUTE format('DROP TABLE chat.%I', partition.relname);
            DELETE FROM chat.marks USING chat.chats
                WHERE chats.booking_id = marks.booking_id AND booking_created_ms >= low
                  AND booking_created_ms < low + 604800000;
            DELETE FROM chat.chats WHERE booking_created_ms >= low AND booking_created_ms < low + 604800000;
            GET DIAGNOSTICS batch = ROW_COUNT;
        ELSE
            WITH old AS (
                SELECT booking_id FROM chat.chats
                WHERE booking_created_ms >= low AND booking_created_ms < low + 604800000 AND last_item_ms < before_ms
                LIMIT max_chats
            ), items AS (
                DELETE FROM chat.items USING old
                WHERE items.booking_id = old.booking_id AND booking_created_ms >= low
                  AND booking_created_ms < low + 604800000
            ), marks AS (
                DELETE FROM chat.marks USING old WHERE marks.booking_id = old.booking_id
            )
            DELETE FROM chat.chats USING old WHERE chats.booking_id = old.booking_id;
            GET DIAGNOSTICS batch = ROW_COUNT;
        END IF;
        gone := gone + batch;
    END LOOP;
    RETURN gone;
END $$;
