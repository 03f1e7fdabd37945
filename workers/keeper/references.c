/* Containers that a container refers to; see references.h. Pure, reads foreign bytes, no privilege. */
#include "workers/keeper/references.h"

#include "common/text.h"

#include <string.h>

static const char mode_prefix[] = "\"container:";
static const char *const mode_parts[] = {"PidMode", "IpcMode"};

/* Do two IDs, or their beginnings as Docker shows them, or two names mean one container? */
static bool is_same(const char *one, const char *other)
{
    size_t length = strlen(one) < strlen(other) ? strlen(one) : strlen(other);
    bool are_ids = length >= DOCKER_SHORT_ID_LENGTH && strspn(one, "0123456789abcdef") == strlen(one) &&
                   strspn(other, "0123456789abcdef") == strlen(other);

    return are_ids ? strncmp(one, other, length) == 0 : strcmp(one, other) == 0;
}

/* The reference of "container:REFERENCE". False: it is another mode, "host" say. */
static bool read_mode(struct json_slice text, char ret[NAME_SIZE])
{
    char mode[sizeof(mode_prefix) + NAME_SIZE];

    if (text.length <= strlen(mode_prefix) || memcmp(text.text, mode_prefix, strlen(mode_prefix)) != 0)
        return false;
    /* One that is too long names nobody: it is empty, and Docker will not find it. */
    if (json_slice_copy(text, mode, sizeof(mode)) < 0 || text_copy(ret, NAME_SIZE, mode + strlen(mode_prefix) - 1) < 0)
        ret[0] = '\0';
    return true;
}

static void read_volumes(struct json_slice text, char ret[NAME_SIZE])
{
    char whole[NAME_SIZE + 16];

    ret[0] = '\0';
    if (json_slice_copy(text, whole, sizeof(whole)) < 0)
        return;
    whole[strcspn(whole, ":")] = '\0';
    if (text_copy(ret, NAME_SIZE, whole) < 0)
        ret[0] = '\0';
}

static int add(struct references *references, const struct inspection *old, const char *part, const char *container,
               bool must_run, const char **ret_reason)
{
    struct reference *reference;

    if (container[0] != '\0' && is_same(container, old->joined))
        return 0;
    *ret_reason = container[0] == '\0' ? "PidMode, IpcMode or VolumesFrom names a container oddly"
                                       : "it refers to more than 32 other containers";
    if (container[0] == '\0' || references->count == REFERENCES_MAX)
        return -EBADMSG;
    reference = &references->items[references->count++];
    *reference = (struct reference){.part = part, .must_run = must_run};
    text_copy_cut(reference->container, sizeof(reference->container), container);
    return 0;
}

int references_read(const struct inspection *old, struct references *ret, const char **ret_reason)
{
    struct json_slice host = json_slice_member(old->root, "HostConfig");
    struct json_walk walk = json_walk_array(json_slice_member(host, "VolumesFrom"));
    struct json_slice element;
    char container[NAME_SIZE];
    int result = 0;

    *ret = (struct references){0};
    for (size_t i = 0; i < ARRAY_LENGTH(mode_parts) && result == 0; i++) {
        if (read_mode(json_slice_member(host, mode_parts[i]), container))
            result = add(ret, old, mode_parts[i], container, true, ret_reason);
    }
    while (result == 0 && json_walk_element(&walk, &element)) {
        read_volumes(element, container);
        result = add(ret, old, "VolumesFrom", container, false, ret_reason);
    }
    return result;
}

bool references_follow_mode(const struct inspection *old, struct json_slice text)
{
    char container[NAME_SIZE];

    return read_mode(text, container) && container[0] != '\0' && is_same(container, old->joined);
}

bool references_follow_volumes(const struct inspection *old, struct json_slice text, struct json_slice *ret_mode)
{
    char container[NAME_SIZE];
    const char *colon;

    read_volumes(text, container);
    if (container[0] == '\0' || !is_same(container, old->joined))
        return false;
    colon = memchr(text.text, ':', text.length);
    *ret_mode = (struct json_slice){0};
    if (colon)
        *ret_mode = (struct json_slice){colon, text.length - 1 - (size_t)(colon - text.text)};
    return true;
}
