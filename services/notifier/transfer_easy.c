#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/address_rules.h"
#include "transfer_priv.h"

#define CONNECT_TIMEOUT_MS 5000L
#define CONNECTION_AGE_MAX_S 600L /* idle ones that are older are not used again */
#define KEEPALIVE_IDLE_S 60L
#define KEEPALIVE_INTERVAL_S 30L
#define UNACKNOWLEDGED_MAX_MS 20000 /* a peer that vanished is noticed by the kernel after this */
#define RECEIVE_BUFFER_BYTES 8192L
#define SEND_BUFFER_BYTES 16384L
#define URL_LENGTH_MAX 8192

void transfer_set_long(CURL *easy, CURLoption option, long value)
{
    ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

/* libcurl refuses only strings of more than 8 MB. */
void transfer_set_string(CURL *easy, CURLoption option, const char *value)
{
    ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

bool transfer_text_is_sane(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static int on_socket_made(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context;
    unsigned timeout_ms = UNACKNOWLEDGED_MAX_MS;
    if (purpose == CURLSOCKTYPE_IPCXN) /* without it a lost peer is only noticed later */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    return CURL_SOCKOPT_OK;
}

void transfer_easy_set_common(CURL *easy, const struct transfer_client *client)
{
    transfer_set_long(easy, CURLOPT_NOSIGNAL, 1);
    transfer_set_long(easy, CURLOPT_QUICK_EXIT, 1); /* taking one out does not wait for its name resolution */
    transfer_set_string(easy, CURLOPT_PROXY, "");
    transfer_set_string(easy, CURLOPT_NOPROXY, "*");
    transfer_set_long(easy, CURLOPT_FOLLOWLOCATION, 0);
    transfer_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1);
    transfer_set_long(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    transfer_set_long(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    transfer_set_long(easy, CURLOPT_MAXAGE_CONN, CONNECTION_AGE_MAX_S);
    transfer_set_long(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    transfer_set_long(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    transfer_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
    ASSERT(curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made) == CURLE_OK);
    /* Ours comes from a file and the system's from its folder; without ours the system's file is read, which libcurl
     * keeps in memory only when there is no folder. */
    if (client->ca_file[0] != '\0')
        transfer_set_string(easy, CURLOPT_CAINFO, client->ca_file);
    else
        transfer_set_string(easy, CURLOPT_CAPATH, NULL);
}

static size_t on_reply(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    size_t room = TRANSFER_BODY_MAX - transfer->reply.length;
    strbuf_append(&transfer->reply, bytes, length < room ? length : room);
    transfer->is_reply_full = length > room;
    return transfer->is_reply_full ? 0 : length; /* 0 ends the transfer */
}

static size_t on_body_wanted(char *buffer, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t left = transfer->body.length - transfer->body_given;
    size_t length = left < size * count ? left : size * count;
    memcpy(buffer, transfer->body.data + transfer->body_given, length);
    transfer->body_given += length;
    return length;
}

/*
 * libcurl wants to send the request again by itself. It may when HTTP/2 says that the stream was refused (which leaves
 * no problem in the text); in all other cases the peer may have taken it, and whether to send it twice is not for us.
 */
static int on_rewind(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;
    bool was_refused = !transfer->is_late && transfer->problem[0] == '\0' &&
                       (transfer->is_http2_only || host_speaks_http2(transfer->host));
    if (!was_refused || offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_FAIL;
    transfer->body_given = 0;
    return CURL_SEEKFUNC_OK;
}

static curl_socket_t on_open_foreign(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    bool is_allowed = purpose == CURLSOCKTYPE_IPCXN &&
                      (transfer->client->allows_private || address_is_public(&address->addr, address->addrlen));
    if (!is_allowed) {
        transfer->has_refused_address = true;
        return CURL_SOCKET_BAD;
    }
    transfer->has_opened_socket = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_bytes_functions(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    ASSERT(curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_READDATA, transfer) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer) == CURLE_OK);
}

CURL *transfer_easy_create(struct transfer *transfer)
{
    bool is_foreign = transfer->kind == TRANSFER_KIND_FOREIGN;
    CURL *easy = transfer->easy = curl_easy_init();
    ASSERT(easy != NULL);
    transfer_easy_set_common(easy, transfer->client);
    set_bytes_functions(transfer);
    transfer_set_long(easy, CURLOPT_POST, 1);
    transfer_set_string(easy, CURLOPT_USERAGENT, "hansom/" HANSOM_VERSION);
    transfer_set_string(easy, CURLOPT_PROTOCOLS_STR,
                        is_foreign && !transfer->client->allows_private ? "https" : "http,https");
    if (is_foreign) {
        transfer_set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1);
        ASSERT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_foreign) == CURLE_OK);
        ASSERT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK);
    }
    return easy;
}

/* Chains the header lines in memory of the transfer's own: no allocation when it has been used before. */
static struct curl_slist *chain_headers(struct transfer *transfer, const struct transfer_request *request)
{
    size_t count = request->header_count, length = 0;
    if (count > transfer->header_capacity) {
        transfer->header_nodes = mem_realloc(transfer->header_nodes, count * sizeof(*transfer->header_nodes));
        transfer->header_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        length += strlen(request->headers[i]) + 1;
    strbuf_clear(&transfer->text);
    strbuf_reserve(&transfer->text, length); /* so that it does not move below */
    for (size_t i = 0; i < count; i++) {
        struct curl_slist *node = &transfer->header_nodes[i];
        *node = (struct curl_slist){.data = transfer->text.data + transfer->text.length,
                                    .next = i + 1 < count ? node + 1 : NULL};
        strbuf_append(&transfer->text, request->headers[i], strlen(request->headers[i]) + 1);
    }
    return count > 0 ? transfer->header_nodes : NULL;
}

static long http_version(const struct transfer_request *request)
{
    bool is_plain = strncasecmp(request->url, "http:", 5) == 0;
    return request->is_http2_only && is_plain ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS;
}

/* Before 8.0 libcurl breaks a clear-text HTTP/2 connection by using it a second time (Curl_http2_switch). Nobody but
 * tests speaks that. */
static bool reuse_is_broken(long version)
{
    return version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

static bool is_sane(const struct transfer_request *request)
{
    bool is_sane = strlen(request->url) <= URL_LENGTH_MAX && transfer_text_is_sane(request->url) &&
                   transfer_text_is_sane(request->method);
    for (size_t i = 0; i < request->header_count; i++)
        is_sane = is_sane && transfer_text_is_sane(request->headers[i]);
    return is_sane;
}

void transfer_easy_prepare(struct transfer *transfer, const struct transfer_request *request)
{
    CURL *easy = transfer->easy;
    long version = http_version(request);
    bool may_multiplex = version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE || strncasecmp(request->url, "https:", 6) == 0;
    long connect_timeout_ms = request->timeout_ms < CONNECT_TIMEOUT_MS ? (long)request->timeout_ms : CONNECT_TIMEOUT_MS;
    transfer->is_http2_only = request->is_http2_only;
    /* An unknown protocol is how libcurl is told to refuse it, at the loop's next turn. */
    transfer_set_string(easy, CURLOPT_URL, is_sane(request) ? request->url : "refused://request");
    transfer_set_string(easy, CURLOPT_CUSTOMREQUEST, str_equal(request->method, "POST") ? NULL : request->method);
    transfer_set_long(easy, CURLOPT_HTTP_VERSION, version);
    transfer_set_long(easy, CURLOPT_PIPEWAIT, may_multiplex);
    transfer_set_long(easy, CURLOPT_FRESH_CONNECT, reuse_is_broken(version));
    transfer_set_long(easy, CURLOPT_FORBID_REUSE, reuse_is_broken(version));
    transfer_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms);
    transfer_set_string(easy, CURLOPT_USERNAME, request->basic_user);
    transfer_set_string(easy, CURLOPT_PASSWORD, request->basic_password);
    ASSERT(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length) == CURLE_OK);
    ASSERT(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, chain_headers(transfer, request)) == CURLE_OK);
    strbuf_clear(&transfer->body);
    strbuf_append(&transfer->body, request->body, request->body_length);
}
