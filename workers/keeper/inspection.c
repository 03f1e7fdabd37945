/* What the keeper wants to know of one container; see inspection.h. Pure, reads foreign bytes, no privilege. */
#include "workers/keeper/inspection.h"

#include "common/text.h"
#include "protocol/managed_target.h"
#include "workers/docker/timestamp.h"

#include <stdio.h>
#include <string.h>

static bool is_true(struct json_slice object, const char *key)
{
    return json_slice_equals(json_slice_member(object, key), "true");
}

/* Copies a text if it is there and fits; else it stays empty. */
static void copy_text(struct json_slice object, const char *key, char *target, size_t size)
{
    if (json_slice_copy(json_slice_member(object, key), target, size) < 0)
        target[0] = '\0';
}

static int read_identity(struct inspection *inspection, const char **ret_reason)
{
    char name[NAME_SIZE + 1];

    copy_text(inspection->root, "Id", inspection->id, sizeof(inspection->id));
    copy_text(inspection->root, "Image", inspection->image_id, sizeof(inspection->image_id));
    copy_text(inspection->root, "Name", name, sizeof(name));
    *ret_reason = "it has no ID";
    if (inspection->id[0] == '\0' || strspn(inspection->id, "0123456789abcdef") != strlen(inspection->id))
        return -EBADMSG;
    *ret_reason = "it has no name, or one of more than 127 characters";
    if (name[0] == '\0' || text_copy(inspection->name, sizeof(inspection->name), name + (name[0] == '/')) < 0)
        return -EBADMSG;
    return 0;
}

static bool contains(struct json_slice slice, const char *text)
{
    return slice.length > 0 && memmem(slice.text, slice.length, text, strlen(text));
}

/* Engine 20.10 … 29 (moby daemon/container_operations*.go, runc): the target does not run, is not there, or has just
 * ended. */
static bool tells_of_no_namespace(struct json_slice error)
{
    return contains(error, "cannot join network") || contains(error, "No such container") || contains(error, "/ns/net");
}

static void read_state(struct inspection *inspection)
{
    struct json_slice state = json_slice_member(inspection->root, "State");
    struct json_slice health = json_slice_member(json_slice_member(state, "Health"), "Status");
    char status[16];
    char text[64];

    copy_text(state, "Status", status, sizeof(status));
    copy_text(state, "StartedAt", text, sizeof(text));
    inspection->is_running = is_true(state, "Running") || is_true(state, "Restarting");
    inspection->is_paused = is_true(state, "Paused");
    inspection->is_restarting = is_true(state, "Restarting");
    if (json_slice_number(json_slice_member(inspection->root, "RestartCount"), UINT64_MAX, &inspection->restart_count) <
        0)
        inspection->restart_count = 0;
    inspection->is_unhealthy = contains(health, "starting") || contains(health, "unhealthy");
    inspection->is_created = strcmp(status, "created") == 0;
    inspection->has_failed_start = !inspection->is_running && json_slice_member(state, "Error").length > strlen("\"\"");
    inspection->has_failed_to_join =
        inspection->has_failed_start && tells_of_no_namespace(json_slice_member(state, "Error"));
    if (docker_time_parse(text, &inspection->started) < 0)
        inspection->started = 0;
}

static void read_host_config(struct inspection *inspection)
{
    static const char prefix[] = "container:";
    struct json_slice host = json_slice_member(inspection->root, "HostConfig");
    struct json_slice policy = json_slice_member(host, "RestartPolicy");
    char mode[sizeof(prefix) + NAME_SIZE];
    uint64_t retries = 0;

    copy_text(host, "NetworkMode", mode, sizeof(mode));
    if (strncmp(mode, prefix, strlen(prefix)) == 0)
        text_copy_cut(inspection->joined, sizeof(inspection->joined), mode + strlen(prefix));
    inspection->removes_itself = is_true(host, "AutoRemove");
    copy_text(policy, "Name", inspection->policy.name, sizeof(inspection->policy.name));
    if (!journal_restart_policy_is_known(inspection->policy.name)) /* Podman has none where Docker says no */
        (void)snprintf(inspection->policy.name, sizeof(inspection->policy.name), "no");
    if (json_slice_number(json_slice_member(policy, "MaximumRetryCount"), INT32_MAX, &retries) == 0)
        inspection->policy.maximum_retries = (uint32_t)retries;
}

/* Is one of the array's strings `word`, or `word` behind ANCHORD_MODE=? */
static bool has_word(struct json_slice array, const char *word)
{
    struct json_walk walk = json_walk_array(array);
    struct json_slice element;
    char quoted[64];
    char assigned[64];

    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", word);
    (void)snprintf(assigned, sizeof(assigned), "\"ANCHORD_MODE=%s\"", word);
    while (json_walk_element(&walk, &element)) {
        if (json_slice_equals(element, quoted) || json_slice_equals(element, assigned))
            return true;
    }
    return false;
}

static void read_config(struct inspection *inspection)
{
    static const char *const parts[] = {"Cmd", "Entrypoint", "Env"};
    struct json_slice config = json_slice_member(inspection->root, "Config");
    struct json_slice labels = json_slice_member(config, "Labels");

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        struct json_slice part = json_slice_member(config, parts[i]);

        inspection->is_rebinder |= has_word(part, "wrap-rebinder") || has_word(part, "external-rebinder");
    }
    copy_text(labels, "com.docker.compose.project", inspection->project, sizeof(inspection->project));
    copy_text(labels, "com.docker.compose.service", inspection->service, sizeof(inspection->service));
    inspection->wants_healthy =
        contains(json_slice_member(labels, "com.docker.compose.depends_on"), ":service_healthy");
    copy_text(labels, LABEL_TARGET, inspection->target_name, sizeof(inspection->target_name));
    copy_text(labels, LABEL_REPLACES, inspection->replaces, sizeof(inspection->replaces));
}

int inspection_read(struct inspection *inspection, const char **ret_reason)
{
    struct docker_document document = inspection->document;
    int result;

    *inspection = (struct inspection){.document = document, .root = json_slice_of(document.bytes, document.length)};
    result = read_identity(inspection, ret_reason);
    if (result < 0)
        return result;
    read_state(inspection);
    read_host_config(inspection);
    read_config(inspection);
    return 0;
}

void inspection_release(struct inspection *inspection)
{
    docker_document_release(&inspection->document);
    *inspection = (struct inspection){0};
}

bool inspection_is_id(const char *reference)
{
    return strlen(reference) == DOCKER_ID_SIZE - 1 && strspn(reference, "0123456789abcdef") == DOCKER_ID_SIZE - 1;
}

bool inspection_is(const struct inspection *inspection, const char *reference)
{
    size_t length = strlen(reference);

    return strcmp(inspection->name, reference) == 0 ||
           (length >= DOCKER_SHORT_ID_LENGTH && strncmp(inspection->id, reference, length) == 0);
}
