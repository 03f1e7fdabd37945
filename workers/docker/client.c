/* The Docker API as anchord uses it; see client.h. Reads foreign bytes, runs without any privilege. */
#include "workers/docker/client_internal.h"

#include "common/clock.h"
#include "common/text.h"
#include "workers/dns/lookup.h"
#include "workers/docker/transport.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>
#include <yajl/yajl_gen.h>

/* Docker's DNS answers within a millisecond; what takes longer is asked again by the caller's backoff. */
#define DNS_TIMEOUT_MILLISECONDS 1500
#define DNS_ATTEMPTS             2

/* Each with brackets and a comma. */
#define ADDRESSES_TEXT_SIZE (DNS_ADDRESSES_MAX * (IP_ADDRESS_TEXT_SIZE + 3))

struct operation {
    struct operation *prev, *next;
    struct docker_client *client;
    struct transport_call *call;
    struct docker_parser *parser;
    const char *method;
    char object[96];       /* the path without its query, for people */
    bool may_end_anywhere; /* the event stream has no end of its own */
    docker_done_handler on_done;
    void *userdata;
};

struct docker_client {
    struct docker_host host;
    struct transport *transport;
    struct dns_lookup *lookup; /* only for a name */
    struct operation *operations;
    struct docker_version version;
    docker_done_handler on_connected; /* NULL: no connect is under way */
    void *on_connected_userdata;
};

static void free_operation(struct operation *operation)
{
    DL_DELETE(operation->client->operations, operation);
    (void)transport_cancel(operation->call);
    (void)docker_parser_free(operation->parser);
    free(operation);
}

static int on_body(void *userdata, const void *bytes, size_t length)
{
    struct operation *operation = userdata;

    return operation->parser ? docker_parser_feed(operation->parser, bytes, length) : 0;
}

static void on_call_done(void *userdata, int error, long status, const char *text)
{
    struct operation *operation = userdata;
    docker_done_handler on_done = operation->on_done;
    void *on_done_userdata = operation->userdata;
    char description[TRANSPORT_TEXT_SIZE];

    (void)status;
    operation->call = NULL; /* the transport has freed it */
    if (error == 0 && operation->parser && !operation->may_end_anywhere)
        error = docker_parser_finish(operation->parser);
    if (operation->parser && *docker_parser_error(operation->parser))
        (void)snprintf(description, sizeof(description), "%s %s: %s", operation->method, operation->object,
                       docker_parser_error(operation->parser));
    else
        text_copy_cut(description, sizeof(description), text);
    free_operation(operation);
    on_done(on_done_userdata, error, description);
}

int docker_client_ask(struct docker_client *client, const struct docker_question *question)
{
    CLEANUP(docker_parser_freep) struct docker_parser *owned_parser = question->parser;
    struct operation *operation = calloc(1, sizeof(*operation));
    const struct transport_request request = {
        .path = question->path,
        .method = question->method,
        .arrange = question->arrange,
        .arrange_userdata = question->arrange_userdata,
        .timeout_milliseconds = question->timeout_milliseconds,
        .is_stream = question->is_stream,
        .on_body = on_body,
        .on_done = on_call_done,
        .userdata = operation,
    };
    int result;

    if (!operation)
        return -ENOMEM;
    operation->client = client;
    operation->parser = TAKE_POINTER(owned_parser);
    operation->method = question->method ? question->method : "GET";
    (void)snprintf(operation->object, sizeof(operation->object), "%.*s", (int)strcspn(question->path, "?"),
                   question->path);
    operation->may_end_anywhere = question->is_stream;
    operation->on_done = question->on_done;
    operation->userdata = question->userdata;
    DL_APPEND(client->operations, operation);
    result = transport_send(client->transport, &request, &operation->call);
    if (result < 0)
        free_operation(operation);
    return result;
}

/* A GET; takes `parser` over, also on failure. */
static int start(struct docker_client *client, const char *path, struct docker_parser *parser, bool is_stream,
                 docker_done_handler on_done, void *userdata)
{
    const struct docker_question question = {
        .path = path,
        .parser = parser,
        .is_stream = is_stream,
        .on_done = on_done,
        .userdata = userdata,
    };

    return docker_client_ask(client, &question);
}

/* --- connecting ---------------------------------------------------------------------------------------- */

static void report_connected(struct docker_client *client, int error, const char *text)
{
    docker_done_handler handler = client->on_connected;

    client->on_connected = NULL;
    if (handler)
        handler(client->on_connected_userdata, error, text);
}

static void on_version(void *userdata, int error, const char *text)
{
    struct docker_client *client = userdata;
    char description[TRANSPORT_TEXT_SIZE];
    const char *reason = NULL;

    if (error == 0) {
        error = docker_version_negotiate(&client->version, &reason);
        if (error < 0)
            (void)snprintf(description, sizeof(description), "Docker Engine %s, API 1.%u to 1.%u: %s",
                           client->version.engine, client->version.api_minimum, client->version.api, reason);
    }
    report_connected(client, error, reason ? description : text);
}

static int ask_version(struct docker_client *client)
{
    struct docker_parser *parser = NULL;
    int result = docker_parser_new_version(&client->version, &parser);

    if (result < 0)
        return result;
    return start(client, "/version", parser, false, on_version, client);
}

/* "192.0.2.1,[2001:db8::1]": the list that CURLOPT_RESOLVE takes. */
static void format_addresses(const struct dns_answer *answer, char text[ADDRESSES_TEXT_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < answer->count; i++) {
        char address[IP_ADDRESS_TEXT_SIZE];

        (void)ip_address_format(&answer->addresses[i], address);
        length +=
            (size_t)snprintf(text + length, ADDRESSES_TEXT_SIZE - length,
                             answer->addresses[i].family == IP_FAMILY_6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", address);
    }
}

static void on_resolved(void *userdata, const struct dns_answer *answer)
{
    struct docker_client *client = userdata;
    char addresses[ADDRESSES_TEXT_SIZE];
    char description[TRANSPORT_TEXT_SIZE];
    int result;

    if (!client->on_connected)
        return;
    if (answer->count == 0) {
        (void)snprintf(description, sizeof(description), "cannot resolve %s: %s", client->host.name,
                       answer->error ? answer->error : "the name has no address");
        report_connected(client, -EHOSTUNREACH, description);
        return;
    }
    format_addresses(answer, addresses);
    result = transport_set_addresses(client->transport, addresses);
    if (result == 0)
        result = ask_version(client);
    if (result < 0)
        report_connected(client, result, "GET /version: cannot be sent");
}

int docker_client_connect(struct docker_client *client, docker_done_handler on_done, void *userdata)
{
    int result;

    docker_client_disconnect(client);
    client->on_connected = on_done;
    client->on_connected_userdata = userdata;
    result = client->lookup ? dns_lookup_start(client->lookup) : ask_version(client);
    if (result < 0)
        client->on_connected = NULL;
    return result;
}

void docker_client_disconnect(struct docker_client *client)
{
    client->on_connected = NULL;
    while (client->operations)
        free_operation(client->operations);
}

void docker_client_cancel(struct docker_client *client, const void *userdata)
{
    struct operation *operation, *next;

    DL_FOREACH_SAFE(client->operations, operation, next)
    {
        if (operation->userdata == userdata)
            free_operation(operation);
    }
}

int docker_client_new(sd_event *event, const struct docker_host *host, struct docker_client **ret)
{
    CLEANUP(docker_client_freep) struct docker_client *client = calloc(1, sizeof(*client));
    const struct dns_question question = {
        .name = host->name,
        .timeout_milliseconds = DNS_TIMEOUT_MILLISECONDS,
        .attempts = DNS_ATTEMPTS,
    };
    int result;

    if (!client)
        return -ENOMEM;
    client->host = *host;
    result = transport_new(event, host, &client->transport);
    if (result == 0 && host->kind == DOCKER_HOST_TCP && !host->name_is_address)
        result = dns_lookup_new(event, &question, on_resolved, client, &client->lookup);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(client);
    return 0;
}

struct docker_client *docker_client_free(struct docker_client *client)
{
    if (!client)
        return NULL;
    docker_client_disconnect(client);
    (void)dns_lookup_free(client->lookup);
    (void)transport_free(client->transport);
    free(client);
    return NULL;
}

const struct docker_version *docker_client_version(const struct docker_client *client)
{
    return &client->version;
}

/* --- questions ----------------------------------------------------------------------------------------- */

/* Every result of yajl_gen is in `generator`'s state: one that failed makes the text end early, and no memory is
 * the only reason, since all we write is text. */
static void write_text(yajl_gen generator, const char *text)
{
    (void)yajl_gen_string(generator, (const unsigned char *)text, strlen(text));
}

static void write_filter(yajl_gen generator, const char *key, const char *const *values, size_t count)
{
    if (count == 0)
        return;
    write_text(generator, key);
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < count; i++)
        write_text(generator, values[i]);
    (void)yajl_gen_array_close(generator);
}

struct filter {
    const char *key;
    const char *const *values;
    size_t count;
};

/* {"label":["a=b"],"id":["8dfa…"]}, percent-encoded; the caller frees. */
static char *make_filters(const struct filter *filters, size_t count)
{
    yajl_gen generator = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;
    char *escaped = NULL;

    if (!generator)
        return NULL;
    (void)yajl_gen_map_open(generator);
    for (size_t i = 0; i < count; i++)
        write_filter(generator, filters[i].key, filters[i].values, filters[i].count);
    (void)yajl_gen_map_close(generator);
    if (yajl_gen_get_buf(generator, &text, &length) == yajl_gen_status_ok)
        escaped = transport_escape((const char *)text);
    yajl_gen_free(generator);
    return escaped;
}

char *docker_client_make_path(const struct docker_client *client, const char *path, const char *argument,
                              const char *more, const char *more_argument)
{
    char *text = NULL;

    if (asprintf(&text, "/v1.%u%s%s%s%s", client->version.api_negotiated, path, argument, more, more_argument) < 0)
        return NULL;
    return text;
}

char *docker_label_filter(const char *key, const char *value)
{
    char *filter = NULL;

    return asprintf(&filter, *value ? "%s=%s" : "%s", key, value) < 0 ? NULL : filter;
}

int docker_client_list(struct docker_client *client, const struct docker_container_query *query,
                       const struct docker_label_names *labels, const struct docker_container_handlers *handlers)
{
    const struct filter list[] = {
        {"label", query->labels, query->label_count},
        {"id", query->ids, query->id_count},
        {"network", &query->network, query->network ? 1 : 0},
        {"health", &query->health, query->health ? 1 : 0},
    };
    CLEANUP_FREE char *filters = make_filters(list, ARRAY_LENGTH(list));
    CLEANUP_FREE char *path = filters ? docker_client_make_path(client, "/containers/json?filters=", filters,
                                                                query->in_any_state ? "&all=true" : "", "")
                                      : NULL;
    struct docker_parser *parser = NULL;
    int result;

    if (!path)
        return -ENOMEM;
    result =
        docker_parser_new_containers(labels, handlers->on_container, handlers->on_odd, handlers->userdata, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, false, handlers->on_done, handlers->userdata);
}

int docker_client_inspect_network(struct docker_client *client, const char *id, struct docker_network *network,
                                  docker_attached_handler on_attached, docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *path = docker_client_make_path(client, "/networks/", id, "", "");
    struct docker_parser *parser = NULL;
    int result;

    if (!path)
        return -ENOMEM;
    result = docker_parser_new_network(network, on_attached, userdata, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, false, on_done, userdata);
}

int docker_client_list_networks(struct docker_client *client, const char *const *labels, size_t label_count,
                                docker_id_handler on_id, docker_done_handler on_done, void *userdata)
{
    const struct filter filter = {"label", labels, label_count};
    CLEANUP_FREE char *filters = make_filters(&filter, 1);
    CLEANUP_FREE char *path = filters ? docker_client_make_path(client, "/networks?filters=", filters, "", "") : NULL;
    struct docker_parser *parser = NULL;
    int result;

    if (!path)
        return -ENOMEM;
    result = docker_parser_new_network_list(on_id, userdata, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, false, on_done, userdata);
}

int docker_client_inspect_container(struct docker_client *client, const char *id, struct docker_inspection *inspection,
                                    docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *path = docker_client_make_path(client, "/containers/", id, "/json", "");
    struct docker_parser *parser = NULL;
    int result;

    if (!path)
        return -ENOMEM;
    result = docker_parser_new_inspection(inspection, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, false, on_done, userdata);
}

int docker_client_follow_events(struct docker_client *client, const struct docker_event_query *query,
                                docker_event_handler on_event, docker_done_handler on_done, void *userdata)
{
    static const char *const types[] = {"container", "network"};
    /* What can change an entry (DISC-6), or what somebody waits for (LIFE-1, LIFE-5): `create`, of containers and
     * networks. Health checks alone would send three exec events each. */
    static const char *const actions[] = {"start",      "restart",       "die",    "stop",   "destroy",
                                          "pause",      "unpause",       "rename", "update", "connect",
                                          "disconnect", "health_status", "create"};
    const struct filter list[] = {
        {"type", query->type == DOCKER_EVENT_NETWORK ? types + 1 : types, query->type == DOCKER_EVENT_OTHER ? 2 : 1},
        {"event", actions, ARRAY_LENGTH(actions)},
        {"label", query->filters, query->filter_count},
        {"network", query->networks, query->network_count},
        {"container", query->containers, query->container_count},
    };
    CLEANUP_FREE char *filters = make_filters(list, ARRAY_LENGTH(list));
    CLEANUP_FREE char *path = NULL;
    char from[64];
    struct docker_parser *parser = NULL;
    int result;

    (void)snprintf(from, sizeof(from), "%" PRIu64 ".%09" PRIu64, query->since / NANOSECONDS_PER_SECOND,
                   query->since % NANOSECONDS_PER_SECOND);
    path = filters ? docker_client_make_path(client, "/events?since=", from, "&filters=", filters) : NULL;
    if (!path)
        return -ENOMEM;
    result = docker_parser_new_events(query->labels, on_event, userdata, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, true, on_done, userdata);
}

/* GET of `before`, what `reference` names, `after`. */
static int inspect_whole(struct docker_client *client, const char *before, const char *reference, const char *after,
                         struct docker_document *document, docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *escaped = transport_escape(reference);
    CLEANUP_FREE char *path = escaped ? docker_client_make_path(client, before, escaped, after, "") : NULL;
    struct docker_parser *parser = NULL;
    int result;

    if (!path)
        return -ENOMEM;
    result = docker_parser_new_document(document, &parser);
    if (result < 0)
        return result;
    return start(client, path, parser, false, on_done, userdata);
}

int docker_client_inspect_whole(struct docker_client *client, const char *id, struct docker_document *document,
                                docker_done_handler on_done, void *userdata)
{
    return inspect_whole(client, "/containers/", id, "/json", document, on_done, userdata);
}

int docker_client_inspect_network_whole(struct docker_client *client, const char *reference,
                                        struct docker_document *document, docker_done_handler on_done, void *userdata)
{
    return inspect_whole(client, "/networks/", reference, "", document, on_done, userdata);
}

int docker_client_inspect_engine(struct docker_client *client, struct docker_document *document,
                                 docker_done_handler on_done, void *userdata)
{
    return inspect_whole(client, "/info", "", "", document, on_done, userdata);
}
