#include "providers/webpush_message.h"

#include <ctype.h>
#include <openssl/sha.h>

#include "auth/auth.h"
#include "base/json_writer.h"
#include "base/utf8.h"

#define TOPIC_BYTES 24 /* 32 characters of base64url, the most that RFC 8030 allows */

/* --- what is sent --- */

static void write_payload(struct strbuf *out, const struct notice *notice, bool has_data, size_t body_length)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_begin_object(&json);
    json_kv_string(&json, "title", notice->title);
    json_key(&json, "body");
    json_string_n(&json, notice->body, body_length);
    json_kv_string(&json, "event_id", notice->event_id);
    json_kv_string(&json, "type", notice->type);
    json_kv_uint(&json, "badge", notice->badge);
    if (*notice->collapse_key != '\0')
        json_kv_string(&json, "tag", notice->collapse_key);
    if (notice->is_silent)
        json_kv_bool(&json, "silent", true);
    json_key(&json, has_data ? "data" : "data_omitted");
    if (has_data)
        json_raw(&json, notice->data_json, strlen(notice->data_json));
    else
        json_bool(&json, true);
    json_end_object(&json);
}

void webpush_payload_write(struct strbuf *out, const struct notice *notice)
{
    size_t start = out->length, body_length = strlen(notice->body);
    write_payload(out, notice, true, body_length);
    while (out->length - start > WEBPUSH_PLAINTEXT_MAX) {
        out->length = start;
        write_payload(out, notice, false, body_length);
        if (body_length == 0)
            break;
        size_t excess = out->length - start > WEBPUSH_PLAINTEXT_MAX ? out->length - start - WEBPUSH_PLAINTEXT_MAX : 0;
        /* An escaped byte takes up to six, so more than needed may go, never less than what helps. */
        body_length = utf8_cut(notice->body, body_length, excess < body_length ? body_length - excess : 0);
    }
}

static void write_topic(struct webpush_message *message, const struct notice *notice)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct strbuf text;
    SHA256((const unsigned char *)notice->collapse_key, strlen(notice->collapse_key), hash);
    strbuf_init(&text, sizeof(message->topic));
    strbuf_append_string(&text, "Topic: ");
    base64url_encode(&text, hash, TOPIC_BYTES);
    str_copy(message->topic, sizeof(message->topic), text.data);
    strbuf_finish(&text);
}

static int64_t ttl_s(const struct notice *notice, int64_t now_ms)
{
    int64_t left_s = (notice->expires_ms - now_ms) / 1000;
    if (left_s < 0)
        return 0;
    return left_s > WEBPUSH_TTL_MAX_S ? WEBPUSH_TTL_MAX_S : left_s;
}

static size_t fill_headers(struct webpush_message *message, const struct notice *notice, int64_t now_ms)
{
    size_t count = 0;
    snprintf(message->ttl, sizeof(message->ttl), "TTL: %lld", (long long)ttl_s(notice, now_ms));
    snprintf(message->urgency, sizeof(message->urgency), "Urgency: %s",
             notice->is_critical || notice->is_silent ? "high" : "normal");
    message->headers[count++] = message->ttl;
    message->headers[count++] = message->urgency;
    message->headers[count++] = "Content-Encoding: aes128gcm";
    message->headers[count++] = "Content-Type: application/octet-stream";
    message->headers[count++] = message->authorization.data;
    if (*notice->collapse_key != '\0') {
        write_topic(message, notice);
        message->headers[count++] = message->topic;
    }
    return count;
}

enum webpush_result webpush_message_init(struct webpush_message *message, const struct notice *notice,
                                         const struct subscription *subscription, const char *authorization,
                                         int64_t now_ms, uint32_t timeout_ms)
{
    struct strbuf payload;
    strbuf_init(&message->body, WEBPUSH_BODY_MAX);
    strbuf_init(&message->authorization, 512);
    strbuf_appendf(&message->authorization, "Authorization: %s", authorization);
    message->request = (struct transfer_request){.method = "POST",
                                                 .url = subscription->endpoint,
                                                 .headers = message->headers,
                                                 .header_count = fill_headers(message, notice, now_ms),
                                                 .timeout_ms = timeout_ms,
                                                 .starts_until_ms = notice->expires_ms,
                                                 .is_foreign = true};
    strbuf_init(&payload, 1024);
    webpush_payload_write(&payload, notice);
    enum webpush_result result =
        webpush_encrypt(&message->body, &subscription->receiver, NULL, payload.data, payload.length);
    strbuf_finish(&payload);
    message->request.body = message->body.data;
    message->request.body_length = message->body.length;
    return result;
}

void webpush_message_finish(struct webpush_message *message)
{
    strbuf_finish(&message->body);
    strbuf_finish(&message->authorization);
}

/* --- what the answer means --- */

static struct outcome failed(enum verdict verdict, enum failure failure)
{
    return (struct outcome){.verdict = verdict, .failure = failure};
}

static struct outcome judge_transfer(enum transfer_failure failure)
{
    struct outcome outcome = failed(VERDICT_RETRY, FAILURE_connect);
    switch (failure) {
    case TRANSFER_REFUSED:
        return failed(VERDICT_REJECTED, FAILURE_refused_address);
    case TRANSFER_LATE:
        return failed(VERDICT_REJECTED, FAILURE_expired);
    case TRANSFER_TIMEOUT:
    case TRANSFER_CUT:
        outcome.failure = failure == TRANSFER_TIMEOUT ? FAILURE_timeout : FAILURE_cut;
        outcome.is_uncertain = true;
        break;
    case TRANSFER_CONNECT:
    case TRANSFER_OK:
        break;
    }
    outcome.is_provider_fault = true;
    return outcome;
}

static struct outcome judge_status(int status)
{
    switch (status) {
    case 404:
    case 410:
        return failed(VERDICT_DEAD, FAILURE_dead_target);
    case 413:
        return failed(VERDICT_REJECTED, FAILURE_too_large);
    case 429:
        return failed(VERDICT_RETRY, FAILURE_rate_limited);
    case 401:
    case 403: /* also when a subscription was made with another key than ours, which anybody can do: no fault */
        return failed(VERDICT_RETRY, FAILURE_unauthorized);
    default:
        break;
    }
    if (status < 500)
        return failed(VERDICT_REJECTED, FAILURE_bad_request);
    struct outcome outcome = failed(VERDICT_RETRY, FAILURE_unavailable);
    outcome.is_provider_fault = true;
    return outcome;
}

/* A stranger's server wrote it: a URL or a path of plain characters, or nothing. */
static void copy_location(struct outcome *outcome, const char *location)
{
    if (location == NULL || (*location != '/' && strncmp(location, "http", 4) != 0))
        return;
    for (const char *at = location; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at))
            return;
    str_copy(outcome->provider_id, sizeof(outcome->provider_id), location);
}

void webpush_judge(const struct webpush_answer *answer, struct outcome *outcome_r)
{
    if (answer->failure != TRANSFER_OK) {
        *outcome_r = judge_transfer(answer->failure);
    } else if (answer->status >= 200 && answer->status < 300) {
        *outcome_r = (struct outcome){.verdict = VERDICT_ACCEPTED};
        copy_location(outcome_r, answer->location);
    } else {
        *outcome_r = judge_status(answer->status);
    }
    outcome_r->status = answer->status;
    if (outcome_r->verdict == VERDICT_RETRY)
        outcome_r->retry_after_ms = answer->retry_after_ms;
    outcome_r->is_provider_fault = outcome_r->is_provider_fault && answer->is_known_service;
    outcome_r->is_strangers = !answer->is_known_service;
}
