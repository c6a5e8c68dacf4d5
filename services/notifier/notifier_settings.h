#ifndef HANSOM_NOTIFIER_SETTINGS_H
#define HANSOM_NOTIFIER_SETTINGS_H
#include "settings/settings.h"

enum unconfigured { UNCONFIGURED_FAIL, UNCONFIGURED_DROP };
enum email_tls { EMAIL_TLS_REQUIRED, EMAIL_TLS_NONE };

struct notifier_settings {
    char *postgres_url, *migrations_dir;
    int64_t postgres_connections, query_timeout_ms;

    char *type_policies, *default_policy, *default_critical_policy;
    int64_t push_after_ms, contact_after_ms, event_max_age_s, default_life_s, chat_life_s;
    char *quiet_hours;
    int64_t not_critical_per_hour;
    char *templates_dir, *default_locale, *default_timezone;

    int64_t batch, in_flight_max, claim_lease_ms, poll_ms;
    int64_t retry_base_ms, retry_cap_ms, tries_max, breaker_failures, breaker_open_ms, ledger_keep_days;

    int unconfigured_providers;
    int64_t transfer_timeout_ms, connections_per_host, streams_per_connection;
    char *provider_ca_file;
    bool allow_private_targets;
    char *fcm_service_account_file, *fcm_url;
    char *apns_key_file, *apns_key_id, *apns_team_id, *apns_topic, *apns_url;
    char *webpush_vapid_key_file, *webpush_subject;
    int64_t webpush_per_host_max;
    char *sms_url, *sms_account, *sms_auth_token, *sms_from, *sms_messaging_service, *sms_status_callback_url;
    char *email_url, *email_user, *email_password, *email_from;
    int email_tls;
    char *webhook_url, *webhook_secret;
};

extern const struct setting notifier_setting_rows[];
extern const size_t notifier_setting_count;

#endif
