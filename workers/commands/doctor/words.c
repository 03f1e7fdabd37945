/* Lists of texts; see words.h. */
#include "workers/commands/doctor/words.h"

#include "common/array.h"

#include <string.h>

void words_release(struct words *words)
{
    free(words->items);
    *words = (struct words){0};
}

bool words_add(struct words *words, const char *word)
{
    const char **items = array_grow(words->items, words->count, &words->capacity, sizeof(*items));

    if (!items)
        return false;
    words->items = items;
    items[words->count++] = word;
    return true;
}

bool words_copy(const struct words *words, struct words *ret)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!words_add(ret, words->items[i]))
            return false;
    }
    return true;
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void words_sort(struct words *words)
{
    if (words->count > 0)
        qsort(words->items, words->count, sizeof(*words->items), compare_words);
}

/* How many stand before it. */
static size_t position(const struct words *words, const char *word)
{
    size_t first = 0, end = words->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (strcmp(words->items[middle], word) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

bool words_have(const struct words *words, const char *word)
{
    size_t place = position(words, word);

    return place < words->count && strcmp(words->items[place], word) == 0;
}

size_t words_count(const struct words *words, const char *word)
{
    size_t place = position(words, word), count = 0;

    while (place + count < words->count && strcmp(words->items[place + count], word) == 0)
        count++;
    return count;
}
