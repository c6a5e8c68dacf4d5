#include "pg/pg_job.h"

struct pg_job {
    uv_timer_t timer;
    const struct pg *pg;
    uint64_t interval_ms;
    pg_job_run *run;
    void *context;
};

static void on_timer(uv_timer_t *timer)
{
    const struct pg_job *job = timer->data;
    if (pg_is_connected(job->pg))
        job->run(job->context);
}

struct pg_job *pg_job_create(uv_loop_t *loop, const struct pg *pg, uint64_t interval_ms, pg_job_run *run, void *context)
{
    struct pg_job *job = mem_alloc(sizeof(*job));
    job->pg = pg;
    job->interval_ms = interval_ms;
    job->run = run;
    job->context = context;
    uv_timer_init(loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, on_timer, interval_ms, interval_ms);
    return job;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void pg_job_destroy(struct pg_job **job_pointer)
{
    struct pg_job *job = *job_pointer;
    *job_pointer = NULL;
    if (job != NULL)
        uv_close((uv_handle_t *)&job->timer, on_closed);
}

void pg_job_wake(struct pg_job *job)
{
    uv_timer_start(&job->timer, on_timer, 0, job->interval_ms);
}
