/* Names that need no quotes; see plain_name.h. Pure, no privilege. */
#include "workers/docker/plain_name.h"

#include <string.h>

bool plain_name_is_valid(const char *text)
{
    static const char characters[] = "0123456789_.-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return text[0] != '\0' && text[0] != '-' && text[strspn(text, characters)] == '\0';
}
