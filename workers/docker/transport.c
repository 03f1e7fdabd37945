/* HTTP to Docker on the event loop; see transport.h. Reads foreign bytes, runs without any privilege. */
#include "workers/docker/transport.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/docker/records.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* Of the body of an error answer; more is not read. */
#define ERROR_BODY_MAX 2048
/* A dead peer of the event stream is noticed within 20 s: 10 s silence, then 3 probes 3 s apart. */
#define KEEPALIVE_IDLE_SECONDS     10L
#define KEEPALIVE_INTERVAL_SECONDS 3L
#define KEEPALIVE_PROBES           3

struct transport {
    sd_event *event;
    struct docker_host host;
    CURLM *multi;
    bool curl_is_initialised;
    struct curl_slist *resolved; /* CURLOPT_RESOLVE */
    sd_event_source *timer;
    sd_event_source *finisher; /* a call has ended where nobody may be told */
    struct transport_call *calls;
};

struct transport_call {
    struct transport_call *prev, *next;
    struct transport *transport;
    CURL *easy;
    char *url;
    struct transport_request request;
    char *path;
    int body_error;
    char error_body[ERROR_BODY_MAX];
    size_t error_body_length;
    char curl_text[CURL_ERROR_SIZE];
};

static void free_call(struct transport_call *call)
{
    DL_DELETE(call->transport->calls, call);
    if (call->easy) {
        (void)curl_multi_remove_handle(call->transport->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    free(call->url);
    free(call->path);
    free(call);
}

struct transport_call *transport_cancel(struct transport_call *call)
{
    if (call)
        free_call(call);
    return NULL;
}

static const char *method_of(const struct transport_call *call)
{
    return call->request.method ? call->request.method : "GET";
}

/* The switch of the usual socket proxy (tecnativa/docker-socket-proxy) that opens `path`. */
static const char *proxy_switch(const char *path)
{
    static const struct {
        const char *part;
        const char *name;
    } switches[] = {
        {"/containers/", "CONTAINERS=1"},
        {"/networks/", "NETWORKS=1"},
        {"/events", "EVENTS=1"},
        {"/version", "VERSION=1"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(switches); i++) {
        if (strstr(path, switches[i].part))
            return switches[i].name;
    }
    return "this path";
}

/* 500 is the engine's own answer; 502 to 504 are those of a proxy before an engine that is away. */
static int status_errno(long status)
{
    switch (status) {
    case 404:
        return -ENOENT;
    case 409:
        return -EEXIST;
    case 500:
        return -EREMOTEIO;
    default:
        return status > 500 ? -EIO : -EBADMSG;
    }
}

/*
 * What a socket proxy's refusal means; Docker and Podman themselves give their reason in JSON, and no 405 for what we
 * ask. One with switches (tecnativa, linuxserver) answers 403 with haproxy's page. One with a list of exact paths
 * (wollomatic) answers "Forbidden" for a path or an address that is not on its lists, 405 for a method that has none.
 */
static void describe_denial(const struct transport_call *call, long status, char text[TRANSPORT_TEXT_SIZE])
{
    static const char by_path[] = "Forbidden";
    const char *method = method_of(call);
    int path_length = (int)strcspn(call->path, "?");

    if (status == 405)
        (void)snprintf(text, TRANSPORT_TEXT_SIZE,
                       "%s %.*s denied by the socket proxy (405): it allows no %s at all; the paths to allow stand in "
                       "docs/docker-access.md",
                       method, path_length, call->path, method);
    else if (call->error_body_length >= strlen(by_path) && memcmp(call->error_body, by_path, strlen(by_path)) == 0)
        (void)snprintf(text, TRANSPORT_TEXT_SIZE,
                       "%s %.*s denied by the socket proxy (403): allow %s of this path and this container's address; "
                       "the paths to allow stand in docs/docker-access.md",
                       method, path_length, call->path, method);
    else
        (void)snprintf(text, TRANSPORT_TEXT_SIZE, "%s %.*s denied by the socket proxy (403): allow %s%s", method,
                       path_length, call->path, proxy_switch(call->path), call->request.arrange ? " and POST=1" : "");
}

static int describe_status(const struct transport_call *call, long status, char text[TRANSPORT_TEXT_SIZE])
{
    int path_length = (int)strcspn(call->path, "?");
    char message[TRANSPORT_TEXT_SIZE / 2];

    /* 304: what a command asks for is so already (ContainerStart, ContainerStop). */
    if ((status >= 200 && status < 300) || (status == 304 && call->request.arrange)) {
        text[0] = '\0';
        return 0;
    }
    docker_error_message(call->error_body, call->error_body_length, message, sizeof(message));
    /* Docker says in JSON why it forbids something (an endpoint that is there already, an address in use). */
    if ((status == 403 || status == 405) && message[0] == '\0') {
        describe_denial(call, status, text);
        return -EACCES;
    }
    (void)snprintf(text, TRANSPORT_TEXT_SIZE, "%s %.*s: HTTP status %ld%s%s", method_of(call), path_length, call->path,
                   status, message[0] ? ": " : "", message);
    return status_errno(status);
}

/* What curl says about a failed transfer, as an errno. */
static int transfer_errno(CURL *easy, CURLcode code)
{
    long system_error = 0;

    if (code == CURLE_OPERATION_TIMEDOUT)
        return -ETIMEDOUT;
    if (code == CURLE_COULDNT_CONNECT && curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &system_error) == CURLE_OK &&
        system_error > 0)
        return (int)-system_error;
    return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

/* curl has words for hosts and ports alone: a path that nobody listens at would be "docker port 80". */
static const char *reason_of(const struct transport_call *call, CURLcode code)
{
    if (code == CURLE_COULDNT_CONNECT && call->transport->host.kind == DOCKER_HOST_UNIX)
        return log_errno_text(transfer_errno(call->easy, code));
    return call->curl_text[0] ? call->curl_text : curl_easy_strerror(code);
}

/* The way out when TLS is what failed; else "". */
static const char *tls_advice(const struct transport_call *call, CURLcode code)
{
    if (!call->transport->host.credentials)
        return "";
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; ca.pem must hold the CA that signed Docker's certificate, which must be valid now and name the host "
               "of "
               "DOCKER_HOST";
    case CURLE_SSL_CACERT_BADFILE:
        return "; ca.pem in DOCKER_CERT_PATH is no PEM certificate";
    case CURLE_SSL_CERTPROBLEM:
        return "; cert.pem and key.pem in DOCKER_CERT_PATH must be a PEM certificate and its key";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        return "; is TLS spoken on that port, and was cert.pem in DOCKER_CERT_PATH signed by the CA that Docker "
               "trusts?";
    default:
        return "";
    }
}

static int describe_result(const struct transport_call *call, CURLcode code, long status,
                           char text[TRANSPORT_TEXT_SIZE])
{
    if (call->body_error) {
        (void)snprintf(text, TRANSPORT_TEXT_SIZE, "%s %.*s: the answer cannot be used", method_of(call),
                       (int)strcspn(call->path, "?"), call->path);
        return call->body_error;
    }
    /* The status says more than a body that was cut short. */
    if (code == CURLE_OK || (status != 0 && (status < 200 || status >= 300)))
        return describe_status(call, status, text);
    (void)snprintf(text, TRANSPORT_TEXT_SIZE, "%s %.*s: %s%s", method_of(call), (int)strcspn(call->path, "?"),
                   call->path, reason_of(call, code), tls_advice(call, code));
    return transfer_errno(call->easy, code);
}

static void finish_call(struct transport_call *call, CURLcode code)
{
    struct transport_request request = call->request;
    char text[TRANSPORT_TEXT_SIZE];
    long status = 0;
    int error;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status); /* stays 0 without an answer */
    error = describe_result(call, code, status, text);
    free_call(call);
    request.on_done(request.userdata, error, status, text);
}

static void finish_calls(struct transport *transport)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(transport->multi, &left))) {
        CURLcode code = message->data.result;
        char *private = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
            finish_call((struct transport_call *)(void *)private, code);
    }
}

static int on_socket_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct transport *transport = userdata;
    int running;
    int action = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                 (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    (void)source;
    (void)curl_multi_socket_action(transport->multi, fd, action, &running); /* errors come with the calls */
    finish_calls(transport);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t time, void *userdata)
{
    struct transport *transport = userdata;
    int running;

    (void)source;
    (void)time;
    (void)curl_multi_socket_action(transport->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_calls(transport);
    return 0;
}

static int on_finish(sd_event_source *source, void *userdata)
{
    (void)source;
    finish_calls(userdata);
    return 0;
}

/* curl tells which sockets it waits for; the event source of each is kept in curl's own table. */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
    struct transport *transport = userdata;
    sd_event_source *source = socket_data;
    uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)curl_multi_assign(transport->multi, fd, NULL);
        sd_event_source_disable_unref(source);
        return 0;
    }
    if (source)
        return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
    if (sd_event_add_io(transport->event, &source, fd, events, on_socket_ready, transport) < 0)
        return -1;
    (void)curl_multi_assign(transport->multi, fd, source);
    return 0;
}

static int on_timer_wanted(CURLM *multi, long milliseconds, void *userdata)
{
    struct transport *transport = userdata;
    uint64_t delay = milliseconds > 0 ? (uint64_t)milliseconds * MICROSECONDS_PER_MILLISECOND : 0;

    (void)multi;
    if (sd_event_source_set_time(transport->timer, clock_monotonic_microseconds() + delay) < 0)
        return -1;
    return sd_event_source_set_enabled(transport->timer, milliseconds < 0 ? SD_EVENT_OFF : SD_EVENT_ONESHOT) < 0 ? -1
                                                                                                                 : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *userdata)
{
    struct transport_call *call = userdata;
    size_t length = size * count;
    long status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
        call->body_error = call->request.on_body(call->request.userdata, bytes, length);
        return call->body_error ? 0 : length;
    }
    if (length > sizeof(call->error_body) - call->error_body_length)
        return 0;
    memcpy(call->error_body + call->error_body_length, bytes, length);
    call->error_body_length += length;
    return length;
}

static int on_socket_made(void *userdata, curl_socket_t fd, curlsocktype purpose)
{
    const struct transport *transport = userdata;
    int probes = KEEPALIVE_PROBES;

    (void)purpose;
    if (transport->host.kind == DOCKER_HOST_TCP &&
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes)) < 0)
        return CURL_SOCKOPT_ERROR;
    return CURL_SOCKOPT_OK;
}

#define SET_OPTION(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

static bool set_peer_options(struct transport_call *call)
{
    struct transport *transport = call->transport;
    CURL *easy = call->easy;

    if (transport->host.kind == DOCKER_HOST_UNIX)
        return SET_OPTION(easy, CURLOPT_UNIX_SOCKET_PATH, transport->host.path);
    return SET_OPTION(easy, CURLOPT_RESOLVE, transport->resolved) && SET_OPTION(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L) &&
           SET_OPTION(easy, CURLOPT_TCP_NODELAY, 1L) && SET_OPTION(easy, CURLOPT_TCP_KEEPALIVE, 1L) &&
           SET_OPTION(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS) &&
           SET_OPTION(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
}

static struct curl_blob blob_of(const struct docker_credentials *credentials, enum docker_credential kind)
{
    /* With its NUL, which mbedTLS wants to see; the others do not mind. */
    return (struct curl_blob){credentials->texts[kind], credentials->lengths[kind] + 1, CURL_BLOB_NOCOPY};
}

/* Nothing but the three texts counts: no file, no directory of the machine's own. */
static bool set_tls_options(const struct transport_call *call)
{
    const struct docker_credentials *credentials = call->transport->host.credentials;
    struct curl_blob authority, certificate, key;
    CURL *easy = call->easy;

    if (!credentials)
        return true;
    authority = blob_of(credentials, DOCKER_CREDENTIAL_CA);
    certificate = blob_of(credentials, DOCKER_CREDENTIAL_CERTIFICATE);
    key = blob_of(credentials, DOCKER_CREDENTIAL_KEY);
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* our own build of curl has none */
    return SET_OPTION(easy, CURLOPT_CAINFO, NULL) && SET_OPTION(easy, CURLOPT_CAINFO_BLOB, &authority) &&
           SET_OPTION(easy, CURLOPT_SSLCERT_BLOB, &certificate) && SET_OPTION(easy, CURLOPT_SSLKEY_BLOB, &key) &&
           SET_OPTION(easy, CURLOPT_SSL_VERIFYPEER, 1L) && SET_OPTION(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET_OPTION(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static bool set_options(struct transport_call *call)
{
    uint32_t own_limit = call->request.timeout_milliseconds;
    long limit = (long)(own_limit ? own_limit : TRANSPORT_TIMEOUT_MILLISECONDS);
    CURL *easy = call->easy;

    return SET_OPTION(easy, CURLOPT_URL, call->url) && SET_OPTION(easy, CURLOPT_PRIVATE, call) &&
           SET_OPTION(easy, CURLOPT_PROTOCOLS_STR, call->transport->host.credentials ? "https" : "http") &&
           SET_OPTION(easy, CURLOPT_PROXY, "") && SET_OPTION(easy, CURLOPT_NOSIGNAL, 1L) &&
           SET_OPTION(easy, CURLOPT_ERRORBUFFER, call->curl_text) &&
           SET_OPTION(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET_OPTION(easy, CURLOPT_WRITEFUNCTION, on_body) && SET_OPTION(easy, CURLOPT_WRITEDATA, call) &&
           SET_OPTION(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made) &&
           SET_OPTION(easy, CURLOPT_SOCKOPTDATA, call->transport) &&
           SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSPORT_TIMEOUT_MILLISECONDS) &&
           SET_OPTION(easy, CURLOPT_TIMEOUT_MS, call->request.is_stream ? 0L : limit) && set_peer_options(call) &&
           set_tls_options(call);
}

static char *make_url(const struct docker_host *host, const char *path)
{
    char *url = NULL;
    int length;

    if (host->kind == DOCKER_HOST_UNIX)
        length = asprintf(&url, "http://docker%s", path); /* the name only fills the Host field */
    else
        length = asprintf(&url, strchr(host->name, ':') ? "%s://[%s]:%u%s" : "%s://%s:%u%s",
                          host->credentials ? "https" : "http", host->name, (unsigned int)host->port, path);
    return length < 0 ? NULL : url;
}

/*
 * On its way at once: curl would ask for a timer of no time, and a round of the event loop with it. Whatever ends
 * meanwhile is told from the event loop, never to who sends.
 */
static void begin_call(struct transport *transport)
{
    const struct transport_call *call;
    int running = 0;
    int count;

    (void)curl_multi_socket_action(transport->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    DL_COUNT(transport->calls, call, count);
    if (running < count)
        (void)sd_event_source_set_enabled(transport->finisher, SD_EVENT_ONESHOT);
}

int transport_send(struct transport *transport, const struct transport_request *request, struct transport_call **ret)
{
    struct transport_call *call;

    if (transport->host.kind == DOCKER_HOST_TCP && !transport->host.name_is_address && !transport->resolved)
        return -EDESTADDRREQ; /* curl would ask getaddrinfo(3) */
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->transport = transport;
    call->request = *request;
    DL_APPEND(transport->calls, call);
    call->url = make_url(&transport->host, request->path);
    call->path = strdup(request->path);
    call->easy = curl_easy_init();
    if (!call->url || !call->path || !call->easy || !set_options(call) ||
        (request->arrange && !request->arrange(call->easy, request->arrange_userdata)) ||
        curl_multi_add_handle(transport->multi, call->easy) != CURLM_OK) {
        free_call(call);
        return -ENOMEM;
    }
    *ret = call;
    begin_call(transport);
    return 0;
}

int transport_set_addresses(struct transport *transport, const char *addresses)
{
    char *entry = NULL;
    struct curl_slist *resolved;

    if (asprintf(&entry, "%s:%u:%s", transport->host.name, (unsigned int)transport->host.port, addresses) < 0)
        return -ENOMEM;
    resolved = curl_slist_append(NULL, entry); /* copies */
    free(entry);
    if (!resolved)
        return -ENOMEM;
    curl_slist_free_all(transport->resolved);
    transport->resolved = resolved;
    return 0;
}

char *transport_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0); /* since 7.82 it looks at no handle */
    char *copy = escaped ? strdup(escaped) : NULL;

    curl_free(escaped);
    return copy;
}

static int initialise_multi(struct transport *transport)
{
    /* Without TLS nothing of the crypto library is needed; with it, it opens its files here. */
    if (curl_global_init(transport->host.credentials ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING) != CURLE_OK)
        return -ENOMEM;
    transport->curl_is_initialised = true;
    transport->multi = curl_multi_init();
    if (!transport->multi)
        return -ENOMEM;
    if (curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted) != CURLM_OK ||
        curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport) != CURLM_OK ||
        curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) != CURLM_OK ||
        curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport) != CURLM_OK)
        return -EINVAL;
    return 0;
}

int transport_new(sd_event *event, const struct docker_host *host, struct transport **ret)
{
    CLEANUP(transport_freep) struct transport *transport = calloc(1, sizeof(*transport));
    int result;

    if (!transport)
        return -ENOMEM;
    transport->event = event;
    transport->host = *host;
    /* 1 µs: sd-event's default accuracy of 250 ms would hold up every request. */
    result = sd_event_add_time(event, &transport->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, transport);
    if (result < 0)
        return result;
    result = sd_event_source_set_enabled(transport->timer, SD_EVENT_OFF);
    if (result == 0)
        result = sd_event_add_defer(event, &transport->finisher, on_finish, transport);
    if (result == 0)
        result = sd_event_source_set_enabled(transport->finisher, SD_EVENT_OFF);
    if (result < 0)
        return result;
    result = initialise_multi(transport);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(transport);
    return 0;
}

struct transport *transport_free(struct transport *transport)
{
    struct transport_call *call, *next;

    if (!transport)
        return NULL;
    DL_FOREACH_SAFE(transport->calls, call, next)
    free_call(call);
    if (transport->multi)
        (void)curl_multi_cleanup(transport->multi);
    curl_slist_free_all(transport->resolved);
    if (transport->curl_is_initialised)
        curl_global_cleanup();
    sd_event_source_disable_unref(transport->timer);
    sd_event_source_disable_unref(transport->finisher);
    free(transport);
    return NULL;
}
