/* Reads what was said; see heard.h. Foreign bytes, no privilege. */
#include "workers/commands/doctor/heard.h"

#include <stdio.h>
#include <string.h>

struct json_slice heard(const struct said *said)
{
    return json_slice_of(said->bytes ? said->bytes : "", said->length);
}

void heard_text(struct json_slice object, const char *key, char ret[HEARD_TEXT_SIZE])
{
    if (json_slice_copy(json_slice_member(object, key), ret, HEARD_TEXT_SIZE) < 0)
        ret[0] = '\0';
}

uint64_t heard_number(struct json_slice object, const char *key)
{
    uint64_t number = 0;

    return json_slice_number(json_slice_member(object, key), UINT64_MAX, &number) < 0 ? 0 : number;
}

bool heard_is_true(struct json_slice object, const char *key)
{
    return json_slice_equals(json_slice_member(object, key), "true");
}

struct json_walk heard_list(struct json_slice object, const char *key)
{
    return json_walk_array(json_slice_member(object, key));
}

void heard_interface(const struct anchor *anchor, const char *key, char ret[HEARD_TEXT_SIZE])
{
    heard_text(json_slice_member(heard(&anchor->status), key), "interface", ret);
}

const struct told_network *heard_network(const struct scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->network_count; i++) {
        if (strcmp(scene->networks[i].name, name) == 0 || strcmp(scene->networks[i].id, name) == 0)
            return &scene->networks[i];
    }
    return NULL;
}

/* NOLINTBEGIN(cert-err34-c): anchord-ruleset wrote it */
static bool read_chain(const char *line, struct heard_chain *ret)
{
    return sscanf(line, "%15s %127s %127s %15s %d %15s drops %u fib %u", ret->family, ret->table, ret->name, ret->hook,
                  &ret->priority, ret->policy, &ret->drops, &ret->reverse_paths) == 8;
}
/* NOLINTEND(cert-err34-c) */

bool heard_next_chain(const struct said *hooks, size_t *place, struct heard_chain *ret)
{
    while (hooks->bytes && *place < hooks->length) {
        const char *start = hooks->bytes + *place;
        const char *end = memchr(start, '\n', hooks->length - *place);
        size_t length = end ? (size_t)(end - start) : hooks->length - *place;
        char line[512];

        *place += length + 1;
        if (length >= sizeof(line))
            continue;
        memcpy(line, start, length);
        line[length] = '\0';
        if (read_chain(line, ret))
            return true;
    }
    return false;
}

bool heard_is_own(const struct heard_chain *chain)
{
    return strncmp(chain->table, "anchord_", strlen("anchord_")) == 0;
}
