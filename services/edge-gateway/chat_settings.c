#include "chat_settings.h"

#include "base/file.h"
#include "log/log.h"

#define C struct chat_settings
#define R SETTING_RELOADABLE
const struct setting chat_setting_rows[] = {
    SETTING_INT(C, chat_grace_s, 7200, 0, 31536000, "s", "After a booking's end its chat can be written to for", R),
    SETTING_INT(C, chat_edit_window_s, 900, 0, 31536000, "s", "Own messages can be edited and deleted for", R),
    SETTING_INT(C, chat_tail_messages, 50, 0, 200, "", "Messages that a newcomer to a chat gets", R),
    SETTING_INT(C, chat_max_characters, 2000, 1, 16384, "", "Longest chat message, in code points", R),
    SETTING_STRING(C, chat_mask, "phone,email,link,card", 64, "What is masked in chat: of phone, email, link, card", R),
    SETTING_INT(C, chat_phone_digits, 7, 5, 15, "", "From this many digits on it is a telephone number", R),
    SETTING_STRING(C, chat_block_list_file, "", 4096, "Words that are not allowed, one per line; empty: none", R),
    SETTING_BOOL(C, chat_block_list_masks, false, "Mask words of the block list instead of refusing the message", R),
    SETTING_INT(C, chat_slow_mode_ms, 0, 0, 600000, "ms", "Least time between two messages of one sender; 0: none", R),
    SETTING_INT(C, chat_typing_interval_ms, 1000, 100, 60000, "ms", "Typing is passed on at most once in", R),
    SETTING_INT(C, chat_typing_timeout_ms, 6000, 500, 60000, "ms", "Typing ends by itself after", R),
    SETTING_STRING(C, chat_attachment_origins, "", 4096,
                   "Https origins that attachments may lie at, comma separated; empty: no attachments", R),
    SETTING_INT(C, chat_attachment_max_bytes, 20971520, 1, 10737418240, "bytes", "Largest attachment", R),
};
const size_t chat_setting_count = ARRAY_LEN(chat_setting_rows);
#undef R

static bool read_block_list(const struct chat_settings *settings, struct strbuf *text, char **error_r)
{
    char *reason = NULL;
    if (*settings->chat_block_list_file == '\0' || file_read(settings->chat_block_list_file, text, &reason))
        return true;
    struct strbuf error;
    strbuf_init(&error, 128);
    strbuf_appendf(&error, "chat_block_list_file: %s", reason);
    *error_r = strbuf_take(&error);
    strbuf_finish(&error);
    mem_free(reason);
    return false;
}

static struct content_rules *make_rules(const struct chat_settings *settings, char **error_r)
{
    struct content_config config = {
        .max_characters = (size_t)settings->chat_max_characters,
        .phone_digits = (unsigned)settings->chat_phone_digits,
        .attachment_origins = settings->chat_attachment_origins,
        .attachment_max_bytes = (uint64_t)settings->chat_attachment_max_bytes,
    };
    if (!content_mask_parse(settings->chat_mask, &config.mask)) {
        *error_r = mem_strdup("chat_mask: must be a list of phone, email, link, card");
        return NULL;
    }
    if (settings->chat_block_list_masks)
        config.mask |= 1u << FOUND_BLOCKED;
    struct strbuf list;
    strbuf_init(&list, 256);
    struct content_rules *rules = NULL;
    if (read_block_list(settings, &list, error_r)) {
        config.block_list = *settings->chat_block_list_file == '\0' ? NULL : list.data;
        rules = content_rules_create(&config);
    }
    strbuf_finish(&list);
    return rules;
}

struct chat *chat_create(const struct chat_settings *settings, char **error_r)
{
    struct content_rules *rules = make_rules(settings, error_r);
    if (rules == NULL)
        return NULL;
    struct chat *chat = mem_alloc(sizeof(*chat));
    chat->settings = settings;
    chat->rules = rules;
    return chat;
}

void chat_reload(struct chat *chat)
{
    char *reason = NULL;
    struct content_rules *rules = make_rules(chat->settings, &reason);
    if (rules == NULL) {
        LOG_ERROR("chat_rules_kept", LOG_STR("reason", reason));
        mem_free(reason);
        return;
    }
    content_rules_destroy(&chat->rules);
    chat->rules = rules;
}

void chat_destroy(struct chat **chat_pointer)
{
    struct chat *chat = *chat_pointer;
    *chat_pointer = NULL;
    if (chat == NULL)
        return;
    content_rules_destroy(&chat->rules);
    mem_free(chat);
}
