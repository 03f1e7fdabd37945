/* Looks at Docker; see look_docker.h. Reads foreign bytes, runs without any privilege. */
#include "workers/commands/look/look_docker.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/look/look_report.h"
#include "workers/docker/client.h"
#include "workers/docker/seal.h"

#include <stdio.h>

/* Beside each record of an attachment's container, what it is asked by. */
struct attachment {
    struct look_record record;
    char id[DOCKER_ID_SIZE];
};

struct look {
    sd_event *event;
    struct docker_client *client;
    struct attachment *attachments;
    size_t count;
    size_t capacity;
    size_t next;
    struct docker_inspection inspection; /* of the one before `next` */
    int error;                           /* of a handler that cannot fail itself */
    char text[LOOK_TEXT_SIZE];
};

enum { LABEL_PROJECT, LABEL_SERVICE, LABEL_ATTACHED };

static const struct docker_label_names labels = {
    .names =
        {
            [LABEL_PROJECT] = "com.docker.compose.project",
            [LABEL_SERVICE] = "com.docker.compose.service",
            [LABEL_ATTACHED] = LOOK_LABEL_ATTACHED,
        },
    .count = 3,
};

static void end(struct look *look, int error, const char *text)
{
    look->error = error;
    text_copy_cut(look->text, sizeof(look->text), text);
    (void)sd_event_exit(look->event, 0); /* fails on a loop that has ended alone */
}

/* What does not fit is no name of ours, and no project that can be attached. */
static void copy_label(char target[NAME_SIZE], const struct docker_container *container, size_t index)
{
    if (container->labels[index].is_present && text_copy(target, NAME_SIZE, container->labels[index].text) < 0)
        target[0] = '\0';
}

static int keep(struct look *look, const struct look_record *record, const char *id)
{
    struct attachment *grown = array_grow(look->attachments, look->count, &look->capacity, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    look->attachments = grown;
    grown += look->count++;
    grown->record = *record;
    text_copy_cut(grown->id, sizeof(grown->id), id);
    return 0;
}

static int report_endpoints(const struct look_record *container, const struct docker_container *seen)
{
    int result = 0;

    for (size_t i = 0; i < seen->endpoint_count && result == 0; i++) {
        struct look_record record = *container;

        record.kind = LOOK_ENDPOINT;
        record.address4 = wire_address_from(&seen->endpoints[i].address4);
        record.address6 = wire_address_from(&seen->endpoints[i].address6);
        result = look_report(&record);
    }
    return result;
}

static void on_container(void *userdata, const struct docker_container *container)
{
    struct look *look = userdata;
    struct look_record record = {.kind = LOOK_CONTAINER, .is_running = container->is_running};
    int result;

    text_copy_cut(record.name, sizeof(record.name), container->name);
    copy_label(record.project, container, LABEL_PROJECT);
    copy_label(record.service, container, LABEL_SERVICE);
    copy_label(record.attached, container, LABEL_ATTACHED);
    result = container->is_running ? report_endpoints(&record, container) : 0;
    if (result == 0)
        result = record.attached[0] != '\0' && container->is_running ? keep(look, &record, container->id)
                                                                     : look_report(&record);
    if (result < 0 && look->error == 0)
        look->error = result;
}

/* One that is odd is nobody's attachment; the others are not affected. */
static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)id;
    (void)name;
    (void)reason;
}

static void inspect_next(struct look *look);

static void on_inspected(void *userdata, int error, const char *text)
{
    struct look *look = userdata;
    struct look_record *record = &look->attachments[look->next - 1].record;
    int result;

    if (error < 0 && error != -ENOENT) {
        end(look, error, text);
        return;
    }
    record->pid = error == 0 ? (uint32_t)look->inspection.pid : 0;
    record->is_running = record->pid > 0; /* it may have ended since */
    result = look_report(record);
    if (result < 0)
        end(look, result, log_errno_text(result));
    else
        inspect_next(look);
}

static void inspect_next(struct look *look)
{
    int result;

    if (look->next == look->count) {
        end(look, 0, "");
        return;
    }
    result = docker_client_inspect_container(look->client, look->attachments[look->next++].id, &look->inspection,
                                             on_inspected, look);
    if (result < 0)
        end(look, result, log_errno_text(result));
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct look *look = userdata;

    if (error < 0)
        end(look, error, text);
    else if (look->error < 0)
        end(look, look->error, log_errno_text(look->error));
    else
        inspect_next(look);
}

/* Podman answers as Docker does, but attach needs the other one (docs/engines.md). */
static int report_engine(const struct docker_version *version)
{
    struct look_record record = {.kind = LOOK_ENGINE};

    if (!version->is_podman)
        return 0;
    (void)snprintf(record.name, sizeof(record.name), "Podman %.32s", version->engine);
    return look_report(&record);
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct look *look = userdata;
    const struct docker_container_query everybody = {.in_any_state = true};
    const struct docker_container_handlers handlers = {on_container, on_odd, on_listed, look};

    if (error == 0) {
        error = report_engine(docker_client_version(look->client));
        text = error < 0 ? log_errno_text(error) : "";
    }
    if (error == 0) {
        error = docker_client_list(look->client, &everybody, &labels, &handlers);
        text = error < 0 ? log_errno_text(error) : "";
    }
    if (error < 0)
        end(look, error, text);
}

static void look_clear(struct look *look)
{
    look->client = docker_client_free(look->client);
    look->event = sd_event_unref(look->event);
    free(look->attachments);
}

/* Everything that opens files comes before the seal, every foreign byte after it. */
static int prepare(struct look *look, const struct docker_host *host, const char **ret_step)
{
    int result = sd_event_new(&look->event);

    *ret_step = "the event loop";
    if (result >= 0)
        result = docker_client_new(look->event, host, &look->client);
    if (result < 0)
        return result;
    result = sandbox_drop_privileges(ret_step);
    return result < 0 ? result : docker_seal(host, ret_step);
}

int look_docker(const char *text)
{
    CLEANUP(look_clear) struct look look = {0};
    struct docker_host host;
    const char *reason = NULL;
    int result = docker_host_parse(text, &host, &reason);

    if (result == 0 && host.kind != DOCKER_HOST_UNIX) {
        result = -EINVAL;
        reason = "is no unix socket: the Docker that a project is attached in is this host's";
    }
    if (result < 0)
        return look_report_end(result, reason);
    result = prepare(&look, &host, &reason);
    if (result < 0)
        return look_report_end(result, reason);
    result = docker_client_connect(look.client, on_connected, &look);
    if (result == 0)
        result = sd_event_loop(look.event);
    return result < 0 ? look_report_end(result, log_errno_text(result)) : look_report_end(look.error, look.text);
}
