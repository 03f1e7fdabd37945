/* Reads what was said; see heard.h. Foreign bytes, no privilege. */
#include "workers/commands/doctor/heard.h"

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

const struct docker_object *heard_network(const struct scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->networks.count; i++) {
        if (strcmp(scene->networks.list[i].name, name) == 0 || strcmp(scene->networks.list[i].id, name) == 0)
            return &scene->networks.list[i];
    }
    return NULL;
}
