/* Asks Docker; see docker_look.h. Reads foreign bytes, runs without any privilege. */
#include "workers/commands/doctor/docker_look.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/look_records.h"
#include "workers/commands/doctor/docker_access.h"
#include "workers/docker/client.h"
#include "workers/docker/json_slice.h"
#include "workers/docker/seal.h"

#include <string.h>
#include <time.h>

#define NETWORKS_MAX 128

struct look {
    sd_event *event;
    struct docker_client *client;
    size_t next_network, network_count;
    char networks[NETWORKS_MAX][SCENE_ID_SIZE];
    struct docker_document document;
    int output;
    int error;
    char text[SCENE_REASON_SIZE];
};

enum { LABEL_PROJECT, LABEL_ATTACHED, LABEL_EXPOSE, LABEL_TITLE, LABEL_ONE_OFF, LABEL_MAX_ };

static const struct docker_label_names labels = {
    .names =
        {
            [LABEL_PROJECT] = "com.docker.compose.project",
            [LABEL_ATTACHED] = LOOK_LABEL_ATTACHED,
            [LABEL_EXPOSE] = "anchord.expose",
            [LABEL_TITLE] = "org.opencontainers.image.title", /* of its image (packaging/container/Dockerfile) */
            [LABEL_ONE_OFF] = "com.docker.compose.oneoff",    /* docker compose run */
        },
    .count = LABEL_MAX_,
};

static void end(struct look *look, int error, const char *text)
{
    if (look->error == 0) {
        look->error = error;
        text_copy_cut(look->text, sizeof(look->text), error < 0 ? text : "");
    }
    (void)sd_event_exit(look->event, 0); /* fails on a loop that has ended alone */
}

static int write_all(int output, const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write(output, (const char *)bytes + done, length - done);

        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* With the document, if there is one. */
static void tell(struct look *look, struct docker_word *word, const struct docker_document *document)
{
    int result;

    word->length = document && document->length <= DOCKER_LOOK_DOCUMENT_MAX ? document->length : 0;
    result = write_all(look->output, word, sizeof(*word));
    if (result == 0 && document && word->length > 0)
        result = write_all(look->output, document->bytes, document->length);
    if (result < 0)
        end(look, result, "cannot be handed on");
}

/* --- networks ------------------------------------------------------------------------------------------- */

static void ask_for_next_network(struct look *look);

static void on_network(void *userdata, int error, const char *text)
{
    struct look *look = userdata;
    struct docker_word word = {.kind = DOCKER_WORD_NETWORK};

    (void)text; /* one that cannot be asked for concerns itself: it is missing where it is looked for */
    if (error == 0) {
        struct json_slice root = json_slice_of(look->document.bytes, look->document.length);

        text_copy_cut(word.id, sizeof(word.id), look->networks[look->next_network - 1]);
        if (json_slice_copy(json_slice_member(root, "Name"), word.name, sizeof(word.name)) == 0)
            tell(look, &word, &look->document);
    }
    ask_for_next_network(look);
}

static void ask_for_next_network(struct look *look)
{
    int result;

    if (look->error < 0 || look->next_network == look->network_count) {
        end(look, 0, "");
        return;
    }
    result = docker_client_inspect_network_whole(look->client, look->networks[look->next_network++], &look->document,
                                                 on_network, look);
    if (result < 0)
        end(look, result, log_errno_text(result));
}

/* --- everybody, and the engine ---------------------------------------------------------------------------- */

static void add_network(struct look *look, const char *id)
{
    for (size_t i = 0; i < look->network_count; i++) {
        if (strcmp(look->networks[i], id) == 0)
            return;
    }
    if (look->network_count < NETWORKS_MAX)
        text_copy_cut(look->networks[look->network_count++], SCENE_ID_SIZE, id);
}

static bool says(const struct docker_container *container, int label, const char *text)
{
    return container->labels[label].is_present && strcmp(container->labels[label].text, text) == 0;
}

static uint32_t flags_of(const struct docker_container *container)
{
    uint32_t flags = container->is_running ? 0 : container->is_restarting ? CONTAINER_RESTARTS : CONTAINER_STOPPED;

    if (says(container, LABEL_TITLE, "anchord") && !says(container, LABEL_ONE_OFF, "True"))
        flags |= CONTAINER_IS_ANCHORD;
    return flags | (container->labels[LABEL_EXPOSE].is_present ? CONTAINER_IS_EXPOSED : 0);
}

static void on_container(void *userdata, const struct docker_container *container)
{
    struct docker_word word = {.kind = DOCKER_WORD_CONTAINER, .numbers = {flags_of(container)}};
    /* What attaches a project is of no Compose project, and is asked for by the name of that one. */
    const struct docker_label *project =
        &container->labels[container->labels[LABEL_ATTACHED].is_present ? LABEL_ATTACHED : LABEL_PROJECT];

    text_copy_cut(word.id, sizeof(word.id), container->id);
    text_copy_cut(word.name, sizeof(word.name), container->name);
    if (project->is_present && text_copy(word.project, NAME_SIZE, project->text) < 0)
        word.project[0] = '\0';
    for (size_t i = 0; i < container->endpoint_count; i++) {
        if (container->endpoints[i].network_id[0] != '\0')
            add_network(userdata, container->endpoints[i].network_id);
    }
    tell(userdata, &word, NULL);
}

/* One that is odd has no name to give. */
static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)id;
    (void)name;
    (void)reason;
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct look *look = userdata;

    if (error < 0)
        end(look, error, text);
    else
        ask_for_next_network(look);
}

/* A proxy may forbid it: then what it tells is unknown, and nothing else. */
static void on_engine(void *userdata, int error, const char *text)
{
    static const struct docker_container_query everybody = {.in_any_state = true};
    struct look *look = userdata;
    const struct docker_version *version = docker_client_version(look->client);
    const struct docker_container_handlers handlers = {on_container, on_odd, on_listed, look};
    struct docker_word word = {
        .kind = DOCKER_WORD_ENGINE, .error = error, .numbers = {version->api, version->is_podman}};
    int result;

    text_copy_cut(word.name, sizeof(word.name), version->engine);
    text_copy_cut(word.project, sizeof(word.project), error < 0 ? text : "");
    tell(look, &word, error == 0 ? &look->document : NULL);
    result = docker_client_list(look->client, &everybody, &labels, &handlers);
    if (result < 0)
        end(look, result, log_errno_text(result));
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct look *look = userdata;
    int result = error;

    if (result == 0) {
        text = "GET /info cannot be sent";
        result = docker_client_inspect_engine(look->client, &look->document, on_engine, look);
    }
    if (result < 0)
        end(look, result, text);
}

/* --- the whole -------------------------------------------------------------------------------------------- */

static void look_clear(struct look *look)
{
    docker_document_release(&look->document);
    look->client = docker_client_free(look->client);
    look->event = sd_event_unref(look->event);
}

/* Everything that opens files comes before the seal, every foreign byte after it. */
static int prepare(struct look *look, struct docker_access *access)
{
    char text[DOCKER_ACCESS_TEXT_SIZE] = "";
    const char *step = NULL;
    int result = docker_access_read(access, &step, text);

    if (result == 0)
        result = sd_event_new(&look->event);
    if (result >= 0)
        result = docker_client_new(look->event, &access->host, &look->client);
    tzset();
    if (result >= 0)
        result = sandbox_drop_privileges(&step);
    if (result >= 0)
        result = docker_seal(&access->host, &step);
    if (result < 0)
        (void)snprintf(look->text, sizeof(look->text), "%.60s: %.180s", step ? step : "Docker",
                       text[0] != '\0' ? text : log_errno_text(result));
    return result;
}

int docker_look(void *nothing, int output)
{
    CLEANUP(look_clear) struct look look = {.output = output};
    CLEANUP(docker_access_release) struct docker_access access = {0};
    struct docker_word word = {.kind = DOCKER_WORD_END};

    (void)nothing;
    look.error = prepare(&look, &access);
    if (look.error == 0) {
        int result = docker_client_connect(look.client, on_connected, &look);

        if (result == 0)
            result = sd_event_loop(look.event);
        if (result < 0 && look.error == 0) {
            look.error = result;
            text_copy_cut(look.text, sizeof(look.text), log_errno_text(result));
        }
    }
    word.error = look.error;
    text_copy_cut(word.name, sizeof(word.name), look.text);
    return write_all(output, &word, sizeof(word)) == 0 ? EXIT_STATUS_CLEAN : EXIT_STATUS_CRASH;
}
