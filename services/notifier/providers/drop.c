/* Takes everything and sends nothing: for development and load tests. */
#include "base/list.h"
#include "provider.h"

struct dropped {
    struct list_node node;
    struct attempt *attempt;
};

struct drop {
    uv_timer_t timer;
    struct list_node dropped;
};

static void on_timer(uv_timer_t *timer)
{
    static const struct outcome accepted = {.verdict = VERDICT_ACCEPTED};
    struct drop *drop = timer->data;
    while (!list_is_empty(&drop->dropped)) {
        struct dropped *dropped = CONTAINER_OF(drop->dropped.next, struct dropped, node);
        list_remove(&dropped->node);
        attempt_done(dropped->attempt, &accepted);
        mem_free(dropped);
    }
}

static bool is_configured(const struct notifier_settings *settings)
{
    (void)settings;
    return true;
}

static void *create(const struct provider_env *env, struct strbuf *error)
{
    struct drop *drop = mem_alloc(sizeof(*drop));
    (void)error;
    list_init(&drop->dropped);
    uv_timer_init(env->loop, &drop->timer);
    drop->timer.data = drop;
    return drop;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void destroy(void **state)
{
    struct drop *drop = *state;
    *state = NULL;
    if (drop == NULL)
        return;
    while (!list_is_empty(&drop->dropped)) {
        struct dropped *dropped = CONTAINER_OF(drop->dropped.next, struct dropped, node);
        list_remove(&dropped->node);
        mem_free(dropped);
    }
    uv_close((uv_handle_t *)&drop->timer, on_closed);
}

static void drop_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct drop *drop = state;
    struct dropped *dropped = mem_alloc(sizeof(*dropped));
    (void)notice;
    dropped->attempt = attempt;
    list_append(&drop->dropped, &dropped->node);
    uv_timer_start(&drop->timer, on_timer, 0, 0);
}

const struct provider drop_provider = {CHANNEL_NONE, is_configured, create, destroy, drop_send};
