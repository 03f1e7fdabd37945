/* What `anchord doctor` reads of a container; see container.h. Pure, reads foreign bytes, no privilege. */
#include "workers/commands/doctor/container.h"

#include "common/text.h"
#include "workers/docker/json_slice.h"
#include "workers/docker/plain_name.h"
#include "workers/docker/timestamp.h"

#include <string.h>

/* Copies a text if it is there and fits; else it stays empty. */
static void copy_text(struct json_slice object, const char *key, char *target, size_t size)
{
    if (json_slice_copy(json_slice_member(object, key), target, size) < 0)
        target[0] = '\0';
}

static bool is_true(struct json_slice object, const char *key)
{
    return json_slice_equals(json_slice_member(object, key), "true");
}

static int read_identity(struct json_slice root, struct container *container, const char **ret_reason)
{
    char name[NAME_SIZE + 1];

    copy_text(root, "Id", container->id, sizeof(container->id));
    copy_text(root, "Name", name, sizeof(name));
    *ret_reason = "it has no ID";
    if (container->id[0] == '\0' || strspn(container->id, "0123456789abcdef") != strlen(container->id))
        return -EBADMSG;
    *ret_reason = "it has no name, or one of more than 127 characters";
    if (name[0] == '\0' || text_copy(container->name, sizeof(container->name), name + (name[0] == '/')) < 0)
        return -EBADMSG;
    return 0;
}

static int read_state(struct json_slice root, struct container *container, const char **ret_reason)
{
    struct json_slice state = json_slice_member(root, "State");
    bool has_failed_start = json_slice_member(state, "Error").length > strlen("\"\"");
    char started[64];

    copy_text(state, "Status", container->status, sizeof(container->status));
    copy_text(state, "StartedAt", started, sizeof(started));
    container->is_running = is_true(state, "Running") || is_true(state, "Restarting");
    container->should_run = container->is_running || has_failed_start || strcmp(container->status, "created") == 0;
    *ret_reason = "it runs, and nobody can read since when";
    if (docker_time_parse(started, &container->started) < 0)
        return container->is_running ? -EBADMSG : 0;
    return 0;
}

static void read_joined(struct json_slice root, struct container *container)
{
    static const char prefix[] = "container:";
    char mode[sizeof(prefix) + NAME_SIZE];

    copy_text(json_slice_member(root, "HostConfig"), "NetworkMode", mode, sizeof(mode));
    if (strncmp(mode, prefix, strlen(prefix)) == 0)
        text_copy_cut(container->joined, sizeof(container->joined), mode + strlen(prefix));
}

/* One of `docker compose run` belongs to no service that could be brought up. */
static void read_origin(struct json_slice root, struct compose_origin *origin)
{
    struct json_slice labels = json_slice_member(json_slice_member(root, "Config"), "Labels");
    const struct {
        const char *label;
        char *target;
        size_t size;
    } texts[] = {
        {"com.docker.compose.project", origin->project, sizeof(origin->project)},
        {"com.docker.compose.service", origin->service, sizeof(origin->service)},
        {"com.docker.compose.project.working_dir", origin->working_directory, sizeof(origin->working_directory)},
        {"com.docker.compose.project.config_files", origin->files, sizeof(origin->files)},
        {"com.docker.compose.project.environment_file", origin->environment_files, sizeof(origin->environment_files)},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        copy_text(labels, texts[i].label, texts[i].target, texts[i].size);
    if (!plain_name_is_valid(origin->project) || !plain_name_is_valid(origin->service) ||
        json_slice_equals(json_slice_member(labels, "com.docker.compose.oneoff"), "\"True\""))
        *origin = (struct compose_origin){0};
}

int container_read(const struct docker_document *document, struct container *ret, const char **ret_reason)
{
    struct json_slice root = json_slice_of(document->bytes, document->length);
    int result;

    *ret = (struct container){0};
    result = read_identity(root, ret, ret_reason);
    if (result == 0)
        result = read_state(root, ret, ret_reason);
    if (result < 0)
        return result;
    read_joined(root, ret);
    read_origin(root, &ret->origin);
    return 0;
}

enum namespace_fate container_judge(const struct container *dependent, const struct container *owner, uint64_t now)
{
    if (dependent->joined[0] == '\0')
        return NAMESPACE_ALIVE;
    if (!owner)
        return NAMESPACE_GONE;
    if (!dependent->is_running) /* it joins its owner's namespace of that time when it starts */
        return NAMESPACE_ALIVE;
    if (!owner->is_running)
        return NAMESPACE_STOPPED;
    if (owner->started > now || dependent->started > now)
        return NAMESPACE_UNKNOWN;
    return owner->started > dependent->started ? NAMESPACE_RESTARTED : NAMESPACE_ALIVE;
}
