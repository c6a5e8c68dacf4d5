/* Bodies and queries of backoffice's REST: read or refused with a word; what is kept is written as JSON that parses. */
#include <cjson/cJSON.h>
#include <string.h>

#include "core/booking_rules.h"
#include "core/contact_rules.h"
#include "core/event_rules.h"
#include "core/notification_rules.h"
#include "core/session_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_contacts(struct contacts *contacts)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    contacts->put.user_id = (char *)"u";
    contacts_write(&json, &contacts->put);
    cJSON *again = cJSON_Parse(text.data);
    ASSERT(again != NULL);
    struct contacts second;
    memset(&second, 0, sizeof(second));
    char error[160];
    ASSERT(contacts_read(again, &second, error, sizeof(error)));
    cJSON_Delete(again);
    strbuf_finish(&text);
}

static void read_bodies(const cJSON *body)
{
    char error[160] = "";
    struct contacts contacts;
    memset(&contacts, 0, sizeof(contacts));
    if (contacts_read(body, &contacts, error, sizeof(error)))
        write_contacts(&contacts);
    else
        ASSERT(*error != '\0');
    Hansom__UserEvent event;
    if (event_read(body, 1000, &event, error, sizeof(error)))
        cJSON_free(event.data_json);
    struct booking_wish booking;
    struct session_wish session;
    Hansom__ReplayRequest replay;
    ASSERT(booking_wish_read(body, &booking, error, sizeof(error)) || *error != '\0');
    ASSERT(session_wish_read(body, &session, error, sizeof(error)) || *error != '\0');
    ASSERT(replay_request_read(body, &replay, error, sizeof(error)) || *error != '\0');
}

/* name=value&name=value, not decoded: any bytes may stand in either. */
static void read_query(const char *text, size_t size)
{
    struct query query = {0};
    char error[160] = "";
    while (size > 0) {
        const char *end = memchr(text, '&', size);
        size_t length = end == NULL ? size : (size_t)(end - text);
        const char *equals = memchr(text, '=', length);
        size_t name_length = equals == NULL ? length : (size_t)(equals - text);
        const char *value = equals == NULL ? NULL : equals + 1;
        ASSERT(query_add(&query, "user_id state channel before limit", text, name_length, value,
                         equals == NULL ? 0 : length - name_length - 1, error, sizeof(error)) ||
               *error != '\0');
        size_t taken = end == NULL ? length : length + 1;
        text += taken;
        size -= taken;
    }
    Hansom__DeadRequest dead;
    Hansom__LedgerRequest ledger;
    if (dead_request_read(&query, &dead, error, sizeof(error)))
        ASSERT(dead.limit >= 1 && dead.limit <= 200);
    ASSERT(ledger_request_read(&query, &ledger, error, sizeof(error)) || *error != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON *body = cJSON_ParseWithLength((const char *)data, size);
    if (cJSON_IsObject(body))
        read_bodies(body);
    cJSON_Delete(body);
    read_query((const char *)data, size);
    return 0;
}
