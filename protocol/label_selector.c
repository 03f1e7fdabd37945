/* ANCHORD_LABEL_SELECTOR as a value; see label_selector.h. Pure, no privilege. */
#include "protocol/label_selector.h"

#include "common/text.h"

#include <errno.h>
#include <string.h>

/* Cuts white space off both ends of [start, end) by moving them. */
static void trim(char **start, char **end)
{
    while (*start < *end && strchr(TEXT_BLANKS, **start))
        (*start)++;
    while (*end > *start && strchr(TEXT_BLANKS, (*end)[-1]))
        (*end)--;
}

/* NULL, or what is wrong with the entry [start, end) of selector->text; adds its pair, unless it is known. */
static const char *add_entry(struct label_selector *selector, char *start, char *end)
{
    char *key = start;
    char *equals = memchr(start, '=', (size_t)(end - start));
    char *key_end = equals;
    char *value = equals ? equals + 1 : end;

    if (!equals)
        return "no `=`: an entry is key=value";
    trim(&key, &key_end);
    trim(&value, &end);
    if (key == key_end)
        return "the key is empty";
    *key_end = '\0';
    *end = '\0';
    for (size_t i = 0; i < selector->count; i++) {
        if (strcmp(label_selector_key(selector, i), key) == 0)
            return strcmp(label_selector_value(selector, i), value) == 0 ? NULL : "the key has another value before";
    }
    if (selector->count == LABEL_SELECTOR_PAIRS_MAX)
        return "more than 16 labels";
    selector->pairs[selector->count].key = (uint16_t)(key - selector->text);
    selector->pairs[selector->count].value = (uint16_t)(value - selector->text);
    selector->count++;
    return NULL;
}

static int fail(struct label_selector *selector, struct label_selector_error *error, const char *entry,
                const char *reason)
{
    *selector = (struct label_selector){0};
    text_copy_cut(error->entry, sizeof(error->entry), entry);
    error->reason = reason;
    return -EINVAL;
}

int label_selector_parse(const char *text, struct label_selector *ret, struct label_selector_error *ret_error)
{
    char *start = ret->text;
    char *end;

    *ret = (struct label_selector){0};
    if (text_copy(ret->text, sizeof(ret->text), text) < 0)
        return fail(ret, ret_error, text, "longer than 1023 characters");
    for (bool is_last = false; !is_last; start = end + 1) {
        char entry[sizeof(ret_error->entry)];
        const char *reason;

        end = strchrnul(start, ',');
        is_last = *end == '\0';
        *end = '\0';
        text_copy_cut(entry, sizeof(entry), start);
        reason = add_entry(ret, start, end);
        if (reason)
            return fail(ret, ret_error, entry, reason);
    }
    return 0;
}

const char *label_selector_key(const struct label_selector *selector, size_t index)
{
    return selector->text + selector->pairs[index].key;
}

const char *label_selector_value(const struct label_selector *selector, size_t index)
{
    return selector->text + selector->pairs[index].value;
}

bool label_selector_is_key_lost_in_events(const char *key)
{
    return strcmp(key, "name") == 0 || strcmp(key, "image") == 0;
}

bool label_selector_is_lost_in_events(const struct label_selector *selector)
{
    bool is_lost = false;

    for (size_t i = 0; i < selector->count; i++)
        is_lost |= label_selector_is_key_lost_in_events(label_selector_key(selector, i));
    return is_lost;
}

uint32_t label_selector_match(const struct label_selector *selector, const char *key, const char *value, size_t length)
{
    for (size_t i = 0; i < selector->count; i++) {
        const char *wanted = label_selector_value(selector, i);

        if (strcmp(label_selector_key(selector, i), key) == 0)
            return strlen(wanted) == length && memcmp(wanted, value, length) == 0 ? UINT32_C(1) << i : 0;
    }
    return 0;
}

uint32_t label_selector_all(const struct label_selector *selector)
{
    return (UINT32_C(1) << selector->count) - 1;
}
