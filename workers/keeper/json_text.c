/* JSON from pieces; see json_text.h. Pure, no privilege. */
#include "workers/keeper/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 4096

static bool reserve(struct json_text *text, size_t more)
{
    size_t size = text->size > 0 ? text->size : SIZE_FIRST;
    char *bytes;

    while (size - text->length <= more) /* one for the end; what Docker tells is far from SIZE_MAX */
        size *= 2;
    if (size == text->size)
        return true;
    bytes = realloc(text->bytes, size);
    if (!bytes)
        return false;
    text->bytes = bytes;
    text->size = size;
    return true;
}

void json_text_put_slice(struct json_text *text, struct json_slice slice)
{
    if (text->has_failed || !reserve(text, slice.length)) {
        text->has_failed = true;
        return;
    }
    if (slice.length > 0)
        memcpy(text->bytes + text->length, slice.text, slice.length);
    text->length += slice.length;
    text->bytes[text->length] = '\0';
}

void json_text_put(struct json_text *text, const char *string)
{
    json_text_put_slice(text, (struct json_slice){string, strlen(string)});
}

int json_text_take(struct json_text *text, char **ret)
{
    int result = text->has_failed || !text->bytes ? -ENOMEM : 0;

    if (result == 0)
        *ret = text->bytes;
    else
        free(text->bytes);
    *text = (struct json_text){0};
    return result;
}
