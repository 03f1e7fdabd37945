/* Where something is mounted; see mount_path.h. Pure, no privilege. */
#include "workers/keeper/mount_path.h"

#include <limits.h>
#include <string.h>

struct json_slice mount_path_text(struct json_slice string)
{
    if (!json_slice_is_string(string) || string.length < strlen("\"\""))
        return (struct json_slice){0};
    return (struct json_slice){string.text + 1, string.length - strlen("\"\"")};
}

static struct json_slice cut(struct json_slice text, const char *end)
{
    return (struct json_slice){text.text, (size_t)(end - text.text)};
}

struct json_slice mount_path_of_bind(struct json_slice bind, bool *ret_has_source)
{
    const char *colon = bind.length > 0 ? memchr(bind.text, ':', bind.length) : NULL;
    struct json_slice rest = bind;

    *ret_has_source = colon != NULL;
    if (!colon)
        return bind;
    rest.text = colon + 1;
    rest.length = bind.length - (size_t)(rest.text - bind.text);
    colon = rest.length > 0 ? memchr(rest.text, ':', rest.length) : NULL;
    return colon ? cut(rest, colon) : rest;
}

/* Forgets the last element of a cleaned path: "/a/b" becomes "/a". */
static void drop_last(const char *clean, size_t *length)
{
    while (*length > 0 && clean[*length - 1] != '/')
        (*length)--;
    if (*length > 0)
        (*length)--;
}

/*
 * As path.Clean of Go for a path from the root: "/a//b/./c/../d/" is "/a/b/d". The root itself is empty. Returns the
 * length, or SIZE_MAX for what no mount can be at: not from the root, or longer than a path can be.
 */
static size_t clean(struct json_slice path, char ret[PATH_MAX])
{
    size_t length = 0;
    size_t next = 0;

    if (path.length == 0 || path.length >= PATH_MAX || path.text[0] != '/')
        return SIZE_MAX;
    while (next < path.length) {
        const char *element = path.text + next;
        const char *slash = memchr(element, '/', path.length - next);
        size_t size = slash ? (size_t)(slash - element) : path.length - next;

        next += size + 1;
        if (size == 2 && memcmp(element, "..", 2) == 0) {
            drop_last(ret, &length);
        } else if (size > 0 && !(size == 1 && element[0] == '.')) {
            ret[length++] = '/';
            memcpy(ret + length, element, size);
            length += size;
        }
    }
    return length;
}

bool mount_path_is_same(struct json_slice one, struct json_slice other)
{
    char clean_one[PATH_MAX], clean_other[PATH_MAX];
    size_t length_one = clean(one, clean_one);
    size_t length_other = clean(other, clean_other);

    return length_one != SIZE_MAX && length_one == length_other && memcmp(clean_one, clean_other, length_one) == 0;
}
