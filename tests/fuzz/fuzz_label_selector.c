/*
 * Fuzz target: ANCHORD_LABEL_SELECTOR (protocol/label_selector). What is accepted has distinct keys that are not empty
 * and satisfies itself; what is refused has a reason and leaves nothing.
 */
#include "protocol/label_selector.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static void check_accepted(const struct label_selector *selector)
{
    uint32_t matched = 0;

    if (selector->count == 0 || selector->count > LABEL_SELECTOR_PAIRS_MAX)
        abort();
    for (size_t i = 0; i < selector->count; i++) {
        const char *key = label_selector_key(selector, i);
        const char *value = label_selector_value(selector, i);

        if (*key == '\0' || strpbrk(key, ",=") || strchr(value, ','))
            abort();
        matched |= label_selector_match(selector, key, value, strlen(value));
    }
    if (matched != label_selector_all(selector))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct label_selector selector;
    struct label_selector_error error = {0};
    char *text = malloc(length + 1);

    if (!text)
        return 0;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    if (label_selector_parse(text, &selector, &error) == 0)
        check_accepted(&selector);
    else if (!error.reason || selector.count != 0 || !memchr(error.entry, '\0', sizeof(error.entry)))
        abort();
    free(text);
    return 0;
}
