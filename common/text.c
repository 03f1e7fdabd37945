/* Strings in fixed arrays and numbers in text; see text.h. Runs in every process, needs no privilege. */
#include "common/text.h"

#include <errno.h>
#include <string.h>

int text_copy(char *target, size_t size, const char *source)
{
    size_t length = strlen(source);

    memset(target, 0, size);
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(target, source, length);
    return 0;
}

void text_copy_cut(char *target, size_t size, const char *source)
{
    size_t length = strnlen(source, size - 1);

    memset(target, 0, size);
    memcpy(target, source, length);
}

int text_to_number(const char *text, size_t length, uint64_t maximum, uint64_t *ret)
{
    uint64_t number = 0;

    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
    }
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        number = number * 10 + digit;
        if (number > maximum)
            return -ERANGE;
    }
    *ret = number;
    return 0;
}

bool text_is_terminated(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}
