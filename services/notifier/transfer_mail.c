#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "transfer_priv.h"

#define WORKERS_MAX 8
#define SOCKETS_PER_WORKER 8 /* of one connection: the addresses that are tried at once */
#define POLL_MS 1000
#define CONNECT_TIMEOUT_MS 10000
#define STATUS_ERROR 400

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

/* A message, from mailer_add until the loop has seen how it ended. */
struct mail_job {
    struct list_node node;     /* in the mailer's queue or done list */
    enum job_state state;      /* under the lock */
    struct worker *worker;     /* under the lock; while it is running */
    struct transfer *transfer; /* loop only; NULL: cancelled */
    char *url, *from, *to, *user, *password;
    bool requires_tls;
    struct strbuf body;
    uint64_t deadline_ms;
    atomic_bool is_cancelled;
    atomic_size_t body_given;
    bool has_logged_in;
    CURLcode code;
    int status;
    char problem[CURL_ERROR_SIZE];
};

struct worker {
    struct mailer *mailer;
    pthread_t thread;
    CURLM *multi;
    CURL *easy;
    struct mail_job *job; /* under the lock */
    int sockets[SOCKETS_PER_WORKER];
    unsigned socket_count; /* under the lock */
};

struct mailer {
    struct transfer_client *client;
    uv_async_t done_async;
    pthread_mutex_t lock; /* over all that follows, and what the structs above say */
    pthread_cond_t wanted;
    struct list_node queue, done;
    bool is_ending;
    unsigned worker_count, worker_max, idle_count, queued;
    struct worker workers[WORKERS_MAX];
};

static void job_destroy(struct mail_job *job)
{
    mem_free(job->url);
    mem_free(job->from);
    mem_free(job->to);
    mem_free(job->user);
    explicit_bzero(job->password, strlen(job->password));
    mem_free(job->password);
    strbuf_finish(&job->body);
    mem_free(job);
}

/* --- on the workers' threads --- */

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct worker *worker = context;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    pthread_mutex_lock(&worker->mailer->lock);
    if (fd >= 0 && worker->socket_count < SOCKETS_PER_WORKER)
        worker->sockets[worker->socket_count++] = fd;
    pthread_mutex_unlock(&worker->mailer->lock);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Under the lock, so that interrupt() never shuts down what the number means afterwards. */
static int on_close(void *context, curl_socket_t fd)
{
    struct worker *worker = context;
    pthread_mutex_lock(&worker->mailer->lock);
    for (unsigned i = 0; i < worker->socket_count; i++)
        if (worker->sockets[i] == fd)
            worker->sockets[i] = worker->sockets[--worker->socket_count];
    int result = close(fd);
    pthread_mutex_unlock(&worker->mailer->lock);
    return result;
}

static size_t on_body_wanted(char *buffer, size_t size, size_t count, void *context)
{
    struct mail_job *job = context;
    size_t given = atomic_load(&job->body_given);
    size_t left = job->body.length - given;
    size_t length = left < size * count ? left : size * count;
    memcpy(buffer, job->body.data + given, length);
    atomic_store(&job->body_given, given + length);
    return length;
}

static size_t on_reply(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

/* Comes when the connection is ready for the message: TLS and log-in are behind it. */
static int on_ready(void *context, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    struct mail_job *job = context;
    job->has_logged_in = true;
    return CURL_PREREQFUNC_OK;
}

static void worker_prepare(struct worker *worker, struct mail_job *job, long timeout_ms)
{
    CURL *easy = worker->easy;
    bool has_login = job->user[0] != '\0';
    transfer_set_string(easy, CURLOPT_URL, job->url);
    transfer_set_string(easy, CURLOPT_MAIL_FROM, job->from);
    transfer_set_string(easy, CURLOPT_USERNAME, has_login ? job->user : NULL);
    transfer_set_string(easy, CURLOPT_PASSWORD, has_login ? job->password : NULL);
    transfer_set_long(easy, CURLOPT_USE_SSL, job->requires_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE);
    transfer_set_long(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    transfer_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS,
                      timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS);
    transfer_set_long(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (timeout_ms + 999) / 1000);
    ASSERT(curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->body.length) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_READDATA, job) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_PREREQDATA, job) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->problem) == CURLE_OK);
}

static CURLcode worker_perform(struct worker *worker, struct mail_job *job)
{
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    int running = 1, left;
    curl_multi_add_handle(worker->multi, worker->easy);
    while (running > 0 && !atomic_load(&job->is_cancelled)) {
        curl_multi_perform(worker->multi, &running);
        if (running > 0)
            curl_multi_poll(worker->multi, NULL, 0, POLL_MS, NULL);
    }
    CURLMsg *message = curl_multi_info_read(worker->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        code = message->data.result;
    curl_multi_remove_handle(worker->multi, worker->easy);
    return code;
}

static void worker_run(struct worker *worker, struct mail_job *job)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct curl_slist recipient = {.data = job->to};
    long status = 0;
    job->code = CURLE_OPERATION_TIMEDOUT;
    if (now_ms >= job->deadline_ms)
        return;
    worker_prepare(worker, job, (long)(job->deadline_ms - now_ms));
    ASSERT(curl_easy_setopt(worker->easy, CURLOPT_MAIL_RCPT, &recipient) == CURLE_OK);
    job->code = worker_perform(worker, job);
    curl_easy_getinfo(worker->easy, CURLINFO_RESPONSE_CODE, &status);
    job->status = (int)status;
    if (job->code != CURLE_OK && job->problem[0] == '\0')
        str_copy(job->problem, sizeof(job->problem), curl_easy_strerror(job->code));
    ASSERT(curl_easy_setopt(worker->easy, CURLOPT_MAIL_RCPT, NULL) == CURLE_OK);
    ASSERT(curl_easy_setopt(worker->easy, CURLOPT_ERRORBUFFER, NULL) == CURLE_OK);
}

static void worker_open(struct worker *worker)
{
    CURL *easy = worker->easy = curl_easy_init();
    worker->multi = curl_multi_init();
    ASSERT(easy != NULL && worker->multi != NULL);
    transfer_easy_set_common(easy, worker->mailer->client);
    transfer_set_long(easy, CURLOPT_UPLOAD, 1);
    transfer_set_string(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    transfer_set_string(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    ASSERT(curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, worker) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, worker) == CURLE_OK);
}

/* The next job, NULL: the end. Under the lock. */
static struct mail_job *worker_wait(struct worker *worker)
{
    struct mailer *mailer = worker->mailer;
    mailer->idle_count++;
    while (!mailer->is_ending && list_is_empty(&mailer->queue))
        pthread_cond_wait(&mailer->wanted, &mailer->lock);
    mailer->idle_count--;
    if (mailer->is_ending)
        return NULL;
    struct mail_job *job = CONTAINER_OF(mailer->queue.next, struct mail_job, node);
    list_remove(&job->node);
    mailer->queued--;
    worker->job = job;
    job->state = JOB_RUNNING;
    job->worker = worker;
    return job;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    struct mailer *mailer = worker->mailer;
    pthread_mutex_lock(&mailer->lock);
    for (struct mail_job *job; (job = worker_wait(worker)) != NULL;) {
        pthread_mutex_unlock(&mailer->lock);
        worker_run(worker, job);
        pthread_mutex_lock(&mailer->lock);
        worker->job = NULL;
        job->state = JOB_DONE;
        list_append(&mailer->done, &job->node);
        uv_async_send(&mailer->done_async);
    }
    pthread_mutex_unlock(&mailer->lock);
    curl_easy_cleanup(worker->easy);
    curl_multi_cleanup(worker->multi);
    return NULL;
}

/* --- on the loop --- */

static struct mail_job *take_done(struct mailer *mailer)
{
    struct mail_job *job = NULL;
    pthread_mutex_lock(&mailer->lock);
    if (!list_is_empty(&mailer->done)) {
        job = CONTAINER_OF(mailer->done.next, struct mail_job, node);
        list_remove(&job->node);
    }
    pthread_mutex_unlock(&mailer->lock);
    return job;
}

static enum transfer_failure failure_of(const struct mail_job *job)
{
    if (job->code == CURLE_OK || (job->has_logged_in && job->status >= STATUS_ERROR))
        return TRANSFER_OK;
    if (job->code == CURLE_URL_MALFORMAT || job->code == CURLE_UNSUPPORTED_PROTOCOL)
        return TRANSFER_REFUSED;
    if (atomic_load(&job->body_given) == 0)
        return TRANSFER_CONNECT;
    return job->code == CURLE_OPERATION_TIMEDOUT ? TRANSFER_TIMEOUT : TRANSFER_CUT;
}

static void on_done(uv_async_t *async)
{
    struct mailer *mailer = async->data;
    struct transfer_client *client = mailer->client;
    transfer_client_hold(client);
    for (struct mail_job *job; (job = take_done(mailer)) != NULL; job_destroy(job)) {
        struct transfer *transfer = job->transfer;
        struct transfer_reply reply = {
            .failure = failure_of(job), .status = job->status, .body = "", .problem = job->problem};
        if (transfer == NULL)
            continue;
        transfer->job = NULL;
        transfer_end(transfer, &reply);
    }
    transfer_client_release(client);
}

struct mailer *mailer_create(struct transfer_client *client)
{
    struct mailer *mailer = mem_alloc(sizeof(*mailer));
    mailer->client = client;
    mailer->worker_max = client->connections_per_host < WORKERS_MAX ? client->connections_per_host : WORKERS_MAX;
    pthread_mutex_init(&mailer->lock, NULL);
    pthread_cond_init(&mailer->wanted, NULL);
    list_init(&mailer->queue);
    list_init(&mailer->done);
    ASSERT(uv_async_init(client->loop, &mailer->done_async, on_done) == 0);
    mailer->done_async.data = mailer;
    uv_unref((uv_handle_t *)&mailer->done_async);
    transfer_client_hold(client);
    return mailer;
}

/* A worker that waits for its peer wakes up. Under the lock. */
static void interrupt(struct worker *worker)
{
    atomic_store(&worker->job->is_cancelled, true);
    for (unsigned i = 0; i < worker->socket_count; i++)
        shutdown(worker->sockets[i], SHUT_RDWR);
    curl_multi_wakeup(worker->multi);
}

static void on_closed(uv_handle_t *handle)
{
    struct mailer *mailer = handle->data;
    struct transfer_client *client = mailer->client;
    pthread_mutex_destroy(&mailer->lock);
    pthread_cond_destroy(&mailer->wanted);
    mem_free(mailer);
    transfer_client_release(client);
}

static void destroy_jobs(struct list_node *jobs)
{
    while (!list_is_empty(jobs)) {
        struct mail_job *job = CONTAINER_OF(jobs->next, struct mail_job, node);
        list_remove(&job->node);
        job_destroy(job);
    }
}

void mailer_destroy(struct mailer **mailer_pointer)
{
    struct mailer *mailer = *mailer_pointer;
    *mailer_pointer = NULL;
    if (mailer == NULL)
        return;
    pthread_mutex_lock(&mailer->lock);
    mailer->is_ending = true;
    for (unsigned i = 0; i < mailer->worker_count; i++) {
        for (unsigned j = 0; j < mailer->workers[i].socket_count; j++) /* idle ones too: nobody waits for QUIT */
            shutdown(mailer->workers[i].sockets[j], SHUT_RDWR);
        if (mailer->workers[i].job != NULL)
            interrupt(&mailer->workers[i]);
    }
    pthread_cond_broadcast(&mailer->wanted);
    pthread_mutex_unlock(&mailer->lock);
    for (unsigned i = 0; i < mailer->worker_count; i++)
        pthread_join(mailer->workers[i].thread, NULL);
    destroy_jobs(&mailer->queue);
    destroy_jobs(&mailer->done);
    uv_close((uv_handle_t *)&mailer->done_async, on_closed);
}

/* Signals are the main thread's. */
static void start_worker(struct mailer *mailer)
{
    struct worker *worker = &mailer->workers[mailer->worker_count++];
    sigset_t all, before;
    worker->mailer = mailer;
    worker_open(worker);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ASSERT(pthread_create(&worker->thread, NULL, worker_main, worker) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool address_is_sane(const char *address)
{
    return transfer_text_is_sane(address) && strpbrk(address, " <>") == NULL;
}

static struct mail_job *job_create(struct transfer *transfer, const struct transfer_request *request)
{
    const struct transfer_mail *mail = request->mail;
    bool is_sane = transfer_text_is_sane(request->url) && address_is_sane(mail->from) && address_is_sane(mail->to);
    struct mail_job *job = mem_alloc(sizeof(*job));
    job->transfer = transfer;
    job->url = mem_strdup(is_sane ? request->url : "refused://request");
    job->from = mem_strdup(mail->from);
    job->to = mem_strdup(mail->to);
    job->user = mem_strdup(mail->user);
    job->password = mem_strdup(mail->password);
    job->requires_tls = mail->requires_tls;
    strbuf_init(&job->body, request->body_length);
    strbuf_append(&job->body, request->body, request->body_length);
    job->deadline_ms = clock_monotonic_ms() + request->timeout_ms;
    return job;
}

void mailer_add(struct mailer *mailer, struct transfer *transfer, const struct transfer_request *request)
{
    struct mail_job *job = transfer->job = job_create(transfer, request);
    pthread_mutex_lock(&mailer->lock);
    list_append(&mailer->queue, &job->node);
    if (++mailer->queued > mailer->idle_count && mailer->worker_count < mailer->worker_max)
        start_worker(mailer);
    pthread_cond_signal(&mailer->wanted);
    pthread_mutex_unlock(&mailer->lock);
}

void mailer_cancel(struct mailer *mailer, struct transfer *transfer)
{
    struct mail_job *job = transfer->job;
    transfer->job = NULL;
    job->transfer = NULL;
    pthread_mutex_lock(&mailer->lock);
    if (job->state == JOB_RUNNING)
        interrupt(job->worker); /* on_done destroys it */
    else {
        mailer->queued -= job->state == JOB_QUEUED;
        list_remove(&job->node);
        job_destroy(job);
    }
    pthread_mutex_unlock(&mailer->lock);
}

bool mailer_has_sent(const struct transfer *transfer)
{
    return atomic_load(&transfer->job->body_given) > 0;
}

void mailer_end_late(struct mailer *mailer, struct transfer *transfer)
{
    bool has_sent = mailer_has_sent(transfer);
    struct transfer_reply reply = {.failure = has_sent ? TRANSFER_TIMEOUT : TRANSFER_CONNECT,
                                   .body = "",
                                   .problem = has_sent ? "no reply in time" : "not sent in time"};
    mailer_cancel(mailer, transfer);
    transfer_end(transfer, &reply);
}
