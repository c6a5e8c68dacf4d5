/*
 * Sends an event to a user by publishing it to NATS, and waits until stream EVENTS has it. docs/events.md explains it.
 *
 *     publish_event nats://user:password@127.0.0.1:4222 ann fare-7 policy_notice '{"text":"Surge pricing"}'
 *
 * Needs nats.c and what protoc-c makes of proto/bus.proto, nothing else.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/bus.pb-c.h"

#define ACK_TIMEOUT_MS 5000

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The packed event; free() it. */
static uint8_t *pack(char **words, size_t *length_r)
{
    Hansom__UserEvent event = HANSOM__USER_EVENT__INIT;
    event.user_id = words[0];  /* [A-Za-z0-9_-]{1,64}; the same as in the subject */
    event.event_id = words[1]; /* the same alphabet; one event of this user for ever */
    event.type = words[2];     /* [a-z0-9_]{1,64} */
    event.data_json = words[3];
    event.critical = words[4] != NULL && strcmp(words[4], "critical") == 0;
    event.created_at_ms = now_ms();
    *length_r = hansom__user_event__get_packed_size(&event);
    uint8_t *bytes = malloc(*length_r + 1);
    if (bytes != NULL)
        hansom__user_event__pack(&event, bytes);
    return bytes;
}

/* Once more after a failure is safe: the stream knows the message id again. */
static natsStatus publish(jsCtx *jetstream, char **words, jsPubAck **ack_r, jsErrCode *code_r)
{
    char subject[128], message_id[160];
    snprintf(subject, sizeof(subject), "in.user.%s.events", words[0]);
    snprintf(message_id, sizeof(message_id), "%s.%s", words[0], words[1]);
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = message_id; /* header Nats-Msg-Id */
    options.MaxWait = ACK_TIMEOUT_MS;
    size_t length;
    uint8_t *bytes = pack(words, &length);
    if (bytes == NULL)
        return NATS_NO_MEMORY;
    natsStatus status = js_Publish(ack_r, jetstream, subject, bytes, (int)length, &options, code_r);
    free(bytes);
    return status;
}

static int send_event(const char *url, char **words)
{
    natsConnection *connection = NULL;
    jsCtx *jetstream = NULL;
    jsPubAck *ack = NULL;
    jsErrCode code = 0;
    natsStatus status = natsConnection_ConnectTo(&connection, url);
    if (status == NATS_OK)
        status = natsConnection_JetStream(&jetstream, connection, NULL);
    if (status == NATS_OK)
        status = publish(jetstream, words, &ack, &code);
    if (status == NATS_OK)
        printf("%s: sequence %llu%s\n", ack->Stream, (unsigned long long)ack->Sequence,
               ack->Duplicate ? ", which it had already" : "");
    else
        fprintf(stderr, "not confirmed: %s (JetStream error %d)\n", natsStatus_GetText(status), (int)code);
    jsPubAck_Destroy(ack);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(connection);
    nats_Close();
    return status == NATS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 6 && !(argc == 7 && strcmp(argv[6], "critical") == 0)) {
        fprintf(stderr, "usage: publish_event NATS_URL USER_ID EVENT_ID TYPE DATA_JSON [critical]\n");
        return 2;
    }
    return send_event(argv[1], argv + 2);
}
