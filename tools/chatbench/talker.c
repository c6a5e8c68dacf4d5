/* One side of a conversation. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/clock.h"
#include "talk.h"

#define FIRST_WORD_ID 10 /* frame ids below are its own */
#define SUBSCRIBE_ID 2
#define TOKEN_LIFE_S 86400

struct talker {
    struct talk *talk;
    size_t number;
    char booking_id[ID_SIZE], user_id[ID_SIZE];
    char *token;
    struct hansom_client *client;
    bool is_live;
    uint64_t last_sequence; /* that it saw */
};

/* --- backoffice --------------------------------------------------------------------------------------------------- */

static bool make_token(struct talker *talker)
{
    const struct internal_session session = {.user = talker->user_id,
                                             .role = talker->number % 2 == 0 ? "client" : "driver",
                                             .platform = "other",
                                             .ttl_s = TOKEN_LIFE_S};
    char *error = NULL;
    talker->token = internal_api_open_session(&talker->talk->api, &session, &error);
    if (talker->token == NULL)
        fprintf(stderr, "hansom: %s\n", error);
    mem_free(error);
    return talker->token != NULL;
}

static bool put_booking(const struct talker *talker)
{
    const struct talk *talk = talker->talk;
    struct strbuf body, answer;
    char path[128];
    strbuf_init(&body, 256);
    strbuf_init(&answer, 512);
    snprintf(path, sizeof(path), "/v1/bookings/%s", talker->booking_id);
    strbuf_appendf(&body, "{\"client_id\":\"%s\",\"driver_id\":\"u-%s-%zu\",\"status\":\"in_progress\"}",
                   talker->user_id, talk->run_id, talker->number + 1);
    char *error = NULL;
    long status = internal_api_call(&talk->api, "PUT", path, body.data, &answer, &error);
    bool is_good = status == 200 || status == 201;
    if (!is_good)
        internal_api_print_failure(status, &answer, error);
    mem_free(error);
    strbuf_finish(&body);
    strbuf_finish(&answer);
    return is_good;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(field) ? field->valuedouble : 0;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text == NULL ? "" : text;
}

static void on_reply(struct talker *talker, const cJSON *frame)
{
    struct talk *talk = talker->talk;
    size_t id = (size_t)number_of(frame, "id");
    if (id == SUBSCRIBE_ID && !talker->is_live) {
        talker->is_live = true;
        talk->live_count++;
    }
    if (id < FIRST_WORD_ID || id - FIRST_WORD_ID >= talk->word_count)
        return;
    struct word *word = &talk->words[id - FIRST_WORD_ID];
    word->sequence = (uint64_t)number_of(frame, "seq");
    talk->acknowledged++;
    if (id - FIRST_WORD_ID >= talk->measured_from)
        samples_add(&talk->ack, clock_monotonic_us() - word->sent_us);
}

static void note_seen(struct talk *talk, size_t number)
{
    struct word *word = &talk->words[number];
    talk->doubled += word->is_seen;
    talk->seen += !word->is_seen;
    word->is_seen = true;
    if (number >= talk->measured_from)
        samples_add(&talk->delivery, clock_monotonic_us() - word->sent_us);
}

static void on_message(struct talker *talker, const cJSON *frame)
{
    struct talk *talk = talker->talk;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(frame, "data");
    uint64_t sequence = (uint64_t)number_of(frame, "seq");
    talk->disordered += sequence <= talker->last_sequence;
    talker->last_sequence = sequence;
    size_t number = strtoul(text_of(data, "content"), NULL, 10);
    if (!str_equal(text_of(data, "from_id"), talker->user_id) && number < talk->word_count)
        note_seen(talk, number);
}

static void on_frame(void *context, const cJSON *frame)
{
    struct talker *talker = context;
    const char *op = text_of(frame, "op");
    if (str_equal(op, "reply"))
        on_reply(talker, frame);
    else if (str_equal(op, "message"))
        on_message(talker, frame);
    else if (str_equal(op, "error"))
        talker->talk->refused++;
}

static void send_text(struct talker *talker, struct strbuf *text)
{
    hansom_client_send(talker->client, text->data, text->length);
    strbuf_finish(text);
}

static void on_opened(void *context, const cJSON *welcome)
{
    struct talker *talker = context;
    struct strbuf text;
    (void)welcome;
    strbuf_init(&text, 128);
    strbuf_appendf(&text, "{\"op\":\"subscribe\",\"id\":%d,\"channel\":\"booking.%s.chat\"}", SUBSCRIBE_ID,
                   talker->booking_id);
    send_text(talker, &text);
}

static void on_closed(void *context, int code, bool will_retry)
{
    struct talker *talker = context;
    (void)code;
    (void)will_retry;
    talker->talk->closed++;
}

static char *get_token(void *context)
{
    return mem_strdup(((struct talker *)context)->token);
}

void talker_say(struct talker *talker, size_t word)
{
    struct talk *talk = talker->talk;
    char id[UUID_SIZE];
    struct strbuf text;
    if (talk->has_fresh_ids)
        uuid7_generate(id, clock_wall_ms());
    else
        uuid_generate(id);
    strbuf_init(&text, 512);
    strbuf_appendf(&text,
                   "{\"op\":\"publish\",\"id\":%zu,\"channel\":\"booking.%s.chat\",\"data\":{\"type\":\"chat_message\","
                   "\"message_id\":\"%s\",\"content\":\"%zu ",
                   word + FIRST_WORD_ID, talker->booking_id, id, word);
    for (size_t i = 0; i < talk->payload_bytes; i++)
        strbuf_append_char(&text, i % 6 == 5 ? ' ' : 'x');
    strbuf_append_string(&text, "\"}}");
    talk->words[word].sent_us = clock_monotonic_us();
    send_text(talker, &text);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct talker *talker_create(struct talk *talk, size_t number)
{
    static const struct hansom_client_events events = {get_token, on_opened, on_frame, on_closed};
    struct talker *talker = mem_alloc(sizeof(*talker));
    talker->talk = talk;
    talker->number = number;
    snprintf(talker->booking_id, sizeof(talker->booking_id), "b-%s-%zu", talk->run_id, number / 2);
    snprintf(talker->user_id, sizeof(talker->user_id), "u-%s-%zu", talk->run_id, number);
    if (!make_token(talker) || (number % 2 == 0 && !put_booking(talker)))
        talker_destroy(&talker);
    else
        talker->client = hansom_client_create(talk->loop, talk->host, talk->port, &events, talker);
    return talker;
}

void talker_destroy(struct talker **talker_pointer)
{
    struct talker *talker = *talker_pointer;
    *talker_pointer = NULL;
    if (talker == NULL)
        return;
    hansom_client_destroy(&talker->client);
    mem_free(talker->token);
    mem_free(talker);
}
