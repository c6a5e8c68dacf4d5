#include "attempt.h"

#include <cjson/cJSON.h>

#include "core/templates.h"

/* state 1 whose time has come is one whose process did not record an outcome: its attempt is uncertain. By ctid for the
 * reason that step_runner.c gives. */
const char attempt_claim_sql[] =
    "WITH taken AS (UPDATE notify.deliveries d SET state = 1, tries = d.tries + 1, due_ms = $4::bigint "
    "WHERE d.ctid = ANY (ARRAY(SELECT ctid FROM notify.deliveries WHERE state IN (0, 1) AND priority = $1::smallint "
    "AND due_ms <= $3::bigint AND channel = ANY ($5::smallint[]) ORDER BY priority, due_ms LIMIT $2::bigint "
    "FOR UPDATE SKIP LOCKED)) RETURNING d.delivery_id, d.tries, d.tries_limit, d.event_key, d.step, d.channel, "
    "d.device_id), "
    "lost AS (UPDATE notify.attempts a SET outcome = 3, reason = 'lost', ended_ms = $3::bigint FROM taken t "
    "WHERE a.delivery_id = t.delivery_id AND a.number = t.tries - 1 AND a.outcome = 0), "
    "begun AS (INSERT INTO notify.attempts (delivery_id, number, outcome, started_ms) "
    "SELECT delivery_id, tries, 0, $3::bigint FROM taken) "
    "SELECT t.delivery_id, t.tries, t.tries_limit, t.step, t.channel, e.is_critical, e.created_ms, e.expires_ms, "
    "(SELECT count(*) FROM (SELECT FROM notify.events b WHERE b.user_id = e.user_id AND b.acked_ms IS NULL "
    "AND (b.expires_ms = 0 OR b.expires_ms > $3::bigint) LIMIT 99) AS open), "
    "e.user_id, e.event_id, e.type, e.data, CASE e.collapse_key WHEN '' THEN '' ELSE e.type || '.' || e.collapse_key "
    "END, "
    "t.device_id, "
    "CASE t.channel WHEN 4 THEN c.phone WHEN 5 THEN c.email WHEN 6 THEN '' ELSE v.token END, "
    "coalesce(nullif(v.locale, ''), nullif(c.locale, ''), ''), "
    "coalesce(nullif(v.timezone, ''), nullif(c.timezone, ''), ''), e.acked_ms IS NOT NULL "
    "FROM taken t JOIN notify.events e ON e.event_key = t.event_key "
    "LEFT JOIN notify.devices v ON v.user_id = e.user_id AND v.device_id = t.device_id AND v.channel = t.channel "
    "LEFT JOIN notify.contacts c ON c.user_id = e.user_id";
enum column {
    COLUMN_DELIVERY,
    COLUMN_NUMBER,
    COLUMN_LIMIT,
    COLUMN_STEP,
    COLUMN_CHANNEL,
    COLUMN_CRITICAL,
    COLUMN_CREATED,
    COLUMN_EXPIRES,
    COLUMN_BADGE,
    COLUMN_TEXTS,
};
/* From COLUMN_TEXTS on. */
enum text { TEXT_USER, TEXT_EVENT, TEXT_TYPE, TEXT_DATA, TEXT_COLLAPSE, TEXT_DEVICE, TEXT_TARGET, TEXT_COUNT };
enum { COLUMN_LOCALE = COLUMN_TEXTS + TEXT_COUNT, COLUMN_TIMEZONE, COLUMN_ACKNOWLEDGED };

/* One block for all of them. A target that has gone meanwhile is "". */
static void copy_texts(struct attempt *attempt, const struct pg_result *result, size_t row,
                       const char *texts[TEXT_COUNT])
{
    size_t offsets[TEXT_COUNT];
    struct strbuf block;
    strbuf_init(&block, 512);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const char *value = pg_value(result, row, COLUMN_TEXTS + i);
        offsets[i] = block.length;
        strbuf_append_string(&block, value == NULL ? "" : value);
        strbuf_append_char(&block, '\0');
    }
    attempt->texts = strbuf_take(&block);
    strbuf_finish(&block);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        texts[i] = attempt->texts + offsets[i];
}

static int64_t life_end(const struct notifier *app, const struct notice *notice, int64_t expires_ms)
{
    if (expires_ms > 0)
        return expires_ms;
    bool is_chat = str_equal(notice->type, "chat_message");
    return notice->created_ms + (is_chat ? app->settings->chat_life_s : app->settings->default_life_s) * 1000;
}

static enum template_use use_of(enum channel channel)
{
    return channel == CHANNEL_SMS ? TEMPLATE_SMS : channel == CHANNEL_EMAIL ? TEMPLATE_EMAIL : TEMPLATE_PUSH;
}

static void render(struct notifier *app, struct attempt *attempt, const char *locale, const char *zone)
{
    struct notice *notice = &attempt->notice;
    strbuf_init(&attempt->title, 64);
    strbuf_init(&attempt->body, 128);
    if (!notice->is_silent) {
        cJSON *data = cJSON_Parse(notice->data_json);
        templates_render(app->templates, use_of(notice->channel), notice->type, locale,
                         *zone == '\0' ? app->settings->default_timezone : zone, data, &attempt->title, &attempt->body);
        cJSON_Delete(data);
    }
    notice->title = attempt->title.data;
    notice->body = attempt->body.data;
}

struct attempt *attempt_from_row(struct notifier *app, const struct pg_result *result, size_t row)
{
    struct attempt *attempt = mem_alloc(sizeof(*attempt));
    const char *texts[TEXT_COUNT];
    copy_texts(attempt, result, row, texts);
    attempt->dispatcher = app->dispatcher;
    attempt->step = (enum step)pg_value_int(result, row, COLUMN_STEP);
    attempt->is_acknowledged = *pg_value(result, row, COLUMN_ACKNOWLEDGED) == 't';
    attempt->limit = (unsigned)pg_value_int(result, row, COLUMN_LIMIT);
    attempt->notice = (struct notice){
        .delivery_id = (uint64_t)pg_value_int(result, row, COLUMN_DELIVERY),
        .attempt = (unsigned)pg_value_int(result, row, COLUMN_NUMBER),
        .channel = (enum channel)pg_value_int(result, row, COLUMN_CHANNEL),
        .user_id = texts[TEXT_USER],
        .event_id = texts[TEXT_EVENT],
        .type = texts[TEXT_TYPE],
        .data_json = texts[TEXT_DATA],
        .collapse_key = texts[TEXT_COLLAPSE],
        .device_id = texts[TEXT_DEVICE],
        .target = texts[TEXT_TARGET],
        .is_critical = *pg_value(result, row, COLUMN_CRITICAL) == 't',
        .is_silent = type_is_silent(texts[TEXT_TYPE]),
        .created_ms = pg_value_int(result, row, COLUMN_CREATED),
        .badge = (uint32_t)pg_value_int(result, row, COLUMN_BADGE),
    };
    attempt->notice.expires_ms = life_end(app, &attempt->notice, pg_value_int(result, row, COLUMN_EXPIRES));
    render(app, attempt, pg_value(result, row, COLUMN_LOCALE), pg_value(result, row, COLUMN_TIMEZONE));
    return attempt;
}

void attempt_destroy(struct attempt **attempt_pointer)
{
    struct attempt *attempt = *attempt_pointer;
    *attempt_pointer = NULL;
    if (attempt == NULL)
        return;
    list_remove(&attempt->node);
    list_remove(&attempt->held);
    strbuf_finish(&attempt->title);
    strbuf_finish(&attempt->body);
    mem_free(attempt->texts);
    mem_free(attempt);
}
