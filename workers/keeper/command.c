/* Everything that anchord can do to Docker; see command.h. Runs without any privilege. */
#include "workers/keeper/command.h"

#include "workers/docker/client_internal.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MILLISECONDS_PER_SECOND UINT32_C(1000)
/* Starting runs hooks, joins namespaces, mounts; on a loaded machine that takes its time. */
#define WORK_MILLISECONDS (30 * MILLISECONDS_PER_SECOND)

#define SET_OPTION(easy, option, value) (curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* Docker insists on the type of a body; curl would ask before it sends a long one. */
static struct curl_slist no_expectation = {(char[]){"Expect:"}, NULL};
static struct curl_slist headers = {(char[]){"Content-Type: application/json"}, &no_expectation};

/* On a connection of its own: on one that was used before, curl says it once more when that breaks, and Docker would do
 * it twice. Closed behind it: the gate gives nobody more than four (WALL-7). */
static bool arrange_once(void *easy)
{
    return SET_OPTION(easy, CURLOPT_FRESH_CONNECT, 1L) && SET_OPTION(easy, CURLOPT_FORBID_REUSE, 1L);
}

/* POST of the JSON text `userdata`, or of nothing. */
static bool arrange_post(void *easy, void *userdata)
{
    const char *body = userdata;

    return arrange_once(easy) && SET_OPTION(easy, CURLOPT_POST, 1L) && SET_OPTION(easy, CURLOPT_HTTPHEADER, &headers) &&
           SET_OPTION(easy, CURLOPT_COPYPOSTFIELDS, body ? body : "");
}

static bool arrange_delete(void *easy, void *userdata)
{
    (void)userdata;
    return arrange_once(easy) && SET_OPTION(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
}

/* POST /containers/ID/`verb`, with `body` or NULL. */
static int post(struct docker_client *client, const char *id, const char *verb, char *body, uint32_t timeout,
                docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *path = docker_client_make_path(client, "/containers/", id, verb, "");
    const struct docker_question question = {
        .path = path,
        .method = "POST",
        .arrange = arrange_post,
        .arrange_userdata = body,
        .timeout_milliseconds = timeout,
        .on_done = on_done,
        .userdata = userdata,
    };

    return path ? docker_client_ask(client, &question) : -ENOMEM;
}

int command_rename(struct docker_client *client, const char *id, const char *name, docker_done_handler on_done,
                   void *userdata)
{
    CLEANUP_FREE char *escaped = transport_escape(name);
    CLEANUP_FREE char *verb = NULL;

    if (!escaped || asprintf(&verb, "/rename?name=%s", escaped) < 0)
        return -ENOMEM;
    return post(client, id, verb, NULL, 0, on_done, userdata);
}

int command_set_restart_policy(struct docker_client *client, const char *id, const char *policy,
                               docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *body = NULL;

    if (asprintf(&body, "{\"RestartPolicy\":%s}", policy) < 0)
        return -ENOMEM;
    return post(client, id, "/update", body, 0, on_done, userdata);
}

int command_create(struct docker_client *client, const char *name, const char *body, struct docker_document *answer,
                   docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *escaped = transport_escape(name);
    CLEANUP_FREE char *path =
        escaped ? docker_client_make_path(client, "/containers/create?name=", escaped, "", "") : NULL;
    struct docker_question question = {
        .path = path,
        .method = "POST",
        .arrange = arrange_post,
        .arrange_userdata = (void *)(uintptr_t)body, /* only read */
        .timeout_milliseconds = WORK_MILLISECONDS,
        .on_done = on_done,
        .userdata = userdata,
    };
    int result;

    if (!path)
        return -ENOMEM;
    result = docker_parser_new_document(answer, &question.parser);
    return result < 0 ? result : docker_client_ask(client, &question);
}

int command_start(struct docker_client *client, const char *id, docker_done_handler on_done, void *userdata)
{
    return post(client, id, "/start", NULL, WORK_MILLISECONDS, on_done, userdata);
}

static int post_with_timeout(struct docker_client *client, const char *id, const char *verb, uint32_t timeout,
                             docker_done_handler on_done, void *userdata)
{
    uint32_t seconds = timeout / MILLISECONDS_PER_SECOND + (timeout % MILLISECONDS_PER_SECOND > 0);
    CLEANUP_FREE char *text = NULL;

    if (asprintf(&text, "/%s?t=%" PRIu32, verb, seconds) < 0)
        return -ENOMEM;
    return post(client, id, text, NULL, seconds * MILLISECONDS_PER_SECOND + WORK_MILLISECONDS, on_done, userdata);
}

int command_stop(struct docker_client *client, const char *id, uint32_t timeout, docker_done_handler on_done,
                 void *userdata)
{
    return post_with_timeout(client, id, "stop", timeout, on_done, userdata);
}

int command_restart(struct docker_client *client, const char *id, uint32_t timeout, docker_done_handler on_done,
                    void *userdata)
{
    return post_with_timeout(client, id, "restart", timeout, on_done, userdata);
}

int command_remove(struct docker_client *client, const char *id, docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *path = docker_client_make_path(client, "/containers/", id, "?force=true&v=false", "");
    const struct docker_question question = {
        .path = path,
        .method = "DELETE",
        .arrange = arrange_delete,
        .timeout_milliseconds = WORK_MILLISECONDS,
        .on_done = on_done,
        .userdata = userdata,
    };

    return path ? docker_client_ask(client, &question) : -ENOMEM;
}

/* POST /networks/ID/`verb` for one container; `configuration` of its endpoint, or NULL. */
static int post_to_network(struct docker_client *client, const char *network, const char *verb, const char *container,
                           const char *configuration, docker_done_handler on_done, void *userdata)
{
    CLEANUP_FREE char *path = docker_client_make_path(client, "/networks/", network, verb, "");
    CLEANUP_FREE char *body = NULL;
    struct docker_question question = {
        .path = path,
        .method = "POST",
        .arrange = arrange_post,
        .timeout_milliseconds = WORK_MILLISECONDS,
        .on_done = on_done,
        .userdata = userdata,
    };

    if (!path || asprintf(&body, "{\"Container\":\"%s\"%s%s}", container, configuration ? ",\"EndpointConfig\":" : "",
                          configuration ? configuration : "") < 0)
        return -ENOMEM;
    question.arrange_userdata = body;
    return docker_client_ask(client, &question);
}

int command_connect(struct docker_client *client, const char *network, const char *container, const char *configuration,
                    docker_done_handler on_done, void *userdata)
{
    return post_to_network(client, network, "/connect", container, configuration, on_done, userdata);
}

int command_disconnect(struct docker_client *client, const char *network, const char *container,
                       docker_done_handler on_done, void *userdata)
{
    return post_to_network(client, network, "/disconnect", container, NULL, on_done, userdata);
}

/* Docker's own words, the same from 20.10 to 28.5 (moby libnetwork/error.go, daemon/container_operations.go). */
bool command_was_needless(int error, const char *text)
{
    return command_was_answered(error) && error < 0 &&
           (strstr(text, "already exists in network") || strstr(text, "is already connected to network") ||
            strstr(text, "is already attached to network") || strstr(text, "is not connected to"));
}

bool command_met_used_address(int error, const char *text)
{
    return command_was_answered(error) && error < 0 && strcasestr(text, "address already in use");
}

bool command_was_answered(int error)
{
    return error == 0 || error == -ENOENT || error == -EEXIST || error == -EACCES || error == -EBADMSG ||
           error == -EREMOTEIO;
}
