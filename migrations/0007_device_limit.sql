-- A user has at most 50 devices: each is a request to a provider per event. Those that registered longest ago go.
CREATE OR REPLACE FUNCTION notify.put_device(a_user text, a_device text, a_channel smallint, a_token text, a_sha256 text,
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
    DELETE FROM notify.devices WHERE user_id = a_user AND device_id IN (
        SELECT device_id FROM notify.devices WHERE user_id = a_user AND device_id <> a_device
        ORDER BY registered_ms DESC, device_id OFFSET 49);
END $$;
