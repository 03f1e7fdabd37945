/* What belongs to a managed service-anchor; see managed_target.h. Pure, no privilege. */
#include "protocol/managed_target.h"

#include "protocol/validate_parts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

bool container_name_is_valid(const char *name)
{
    for (const char *character = name; *character; character++) {
        if (!isalnum((unsigned char)*character) && (character == name || !strchr("_.-", *character)))
            return false;
    }
    return name[0] != '\0' && name[1] != '\0';
}

const char *assignments_next(const struct assignments *assignments, const char *previous)
{
    const char *next = previous ? previous + strlen(previous) + 1 : assignments->text;

    return next < assignments->text + assignments->length ? next : NULL;
}

bool assignments_have(const struct assignments *assignments, const char *key, size_t key_length)
{
    for (const char *one = assignments_next(assignments, NULL); one; one = assignments_next(assignments, one)) {
        if (strncmp(one, key, key_length) == 0 && one[key_length] == '=')
            return true;
    }
    return false;
}

int assignments_add(struct assignments *assignments, const char *key, size_t key_length, const char *value,
                    size_t value_length)
{
    size_t length = key_length + 1 + value_length + 1;
    char *end = assignments->text + assignments->length;

    if (key_length == 0 || memchr(key, '=', key_length) || memchr(key, '\0', key_length) ||
        memchr(value, '\0', value_length))
        return -EINVAL;
    if (assignments_have(assignments, key, key_length))
        return -EEXIST;
    if (length > sizeof(assignments->text) - assignments->length)
        return -ENOSPC;
    memcpy(end, key, key_length);
    end[key_length] = '=';
    memcpy(end + key_length + 1, value, value_length);
    end[length - 1] = '\0';
    assignments->length += (uint32_t)length;
    return 0;
}

const char *assignments_check(const struct assignments *assignments)
{
    size_t length = assignments->length;

    if (length > sizeof(assignments->text) || assignments->reserved != 0)
        return "assignments";
    if (length > 0 && assignments->text[length - 1] != '\0')
        return "assignment not terminated";
    if (!is_zero((const uint8_t *)assignments->text + length, sizeof(assignments->text) - length))
        return "assignments padding not zero";
    for (const char *one = assignments_next(assignments, NULL); one; one = assignments_next(assignments, one)) {
        const char *equals = strchr(one, '=');

        if (!equals || equals == one)
            return "assignment without a key";
    }
    return NULL;
}

bool managed_label_is_reserved(const char *key, size_t key_length)
{
    static const char compose[] = "com.docker.compose.";
    static const char *const own[] = {LABEL_MANAGED_BY, "anchord.replaces"};

    if (key_length >= strlen(compose) && strncmp(key, compose, strlen(compose)) == 0)
        return true;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strlen(own[i]) == key_length && strncmp(key, own[i], key_length) == 0)
            return true;
    }
    return false;
}
