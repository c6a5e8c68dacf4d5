#ifndef HANSOM_CHAT_SETTINGS_H
#define HANSOM_CHAT_SETTINGS_H
/* What chat is like here, and the rules made from it. */
#include "content_rules.h"
#include "settings/settings.h"

struct chat_settings {
    int64_t chat_grace_s, chat_edit_window_s, chat_tail_messages, chat_max_characters, chat_phone_digits;
    char *chat_mask, *chat_block_list_file;
    bool chat_block_list_masks;
    int64_t chat_slow_mode_ms, chat_typing_interval_ms, chat_typing_timeout_ms;
    char *chat_attachment_origins;
    int64_t chat_attachment_max_bytes;
};
extern const struct setting chat_setting_rows[];
extern const size_t chat_setting_count;

struct chat {
    const struct chat_settings *settings;
    struct content_rules *rules;
};

/* NULL with *error_r (mem_free) that names the setting. */
struct chat *chat_create(const struct chat_settings *settings, char **error_r);
/* After the settings or the block list have changed; what is in force stays when it cannot be read (logged). */
void chat_reload(struct chat *chat);
void chat_destroy(struct chat **chat);

#endif
