/* What /proc says of a process; see process_text.h. Pure, in anchord-namespaces. */
#include "workers/namespaces/process_text.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <string.h>

/* Of proc(5): the fields between the name of the program, which may hold anything, and the start time. */
#define FIELDS_BEFORE_START_TIME 20

static bool is_digit_of_id(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f');
}

/* Where `part` of a path holds an ID, or NULL. */
static const char *id_in_part(const char *part, size_t length)
{
    static const struct {
        const char *before, *behind;
    } forms[] = {{"", ""}, {"docker-", ".scope"}, {"libpod-", ".scope"}, {"libpod-", ""}};

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        size_t before = strlen(forms[i].before);
        size_t behind = strlen(forms[i].behind);
        size_t digits = 0;

        if (length != before + CONTAINER_ID_LENGTH + behind || memcmp(part, forms[i].before, before) != 0 ||
            memcmp(part + length - behind, forms[i].behind, behind) != 0)
            continue;
        while (digits < CONTAINER_ID_LENGTH && is_digit_of_id(part[before + digits]))
            digits++;
        if (digits == CONTAINER_ID_LENGTH)
            return part + before;
    }
    return NULL;
}

/* The same for a whole line: of its path, which stands behind the second colon, the first part that holds one. */
static const char *id_in_line(const char *line, size_t length)
{
    const char *end = line + length;
    const char *path = memchr(line, ':', length);

    path = path ? memchr(path + 1, ':', (size_t)(end - path - 1)) : NULL;
    path = path && path + 1 < end && path[1] == '/' ? path + 1 : NULL;
    while (path && path < end) {
        const char *part = path + 1;
        const char *id;

        path = memchr(part, '/', (size_t)(end - part));
        id = id_in_part(part, (size_t)((path ? path : end) - part));
        if (id)
            return id;
    }
    return NULL;
}

bool process_text_is_of_container(const char *text, size_t length, const char *id)
{
    const char *end = text + length;
    bool is_of = false;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        const char *found = id_in_line(text, (size_t)(line_end - text));

        if (found && memcmp(found, id, CONTAINER_ID_LENGTH) != 0)
            return false;
        is_of = is_of || found;
        text = line_end + 1;
    }
    return is_of;
}

int process_text_start_time(const char *text, size_t length, uint64_t *ret)
{
    const char *end = text + length;
    const char *at = memrchr(text, ')', length);
    const char *field_end;

    for (size_t i = 0; at && i < FIELDS_BEFORE_START_TIME; i++)
        at = memchr(at + 1, ' ', (size_t)(end - at - 1));
    if (!at)
        return -EBADMSG;
    at++;
    field_end = memchr(at, ' ', (size_t)(end - at));
    if (!field_end || text_to_number(at, (size_t)(field_end - at), UINT64_MAX, ret) < 0)
        return -EBADMSG;
    return 0;
}
