/*
 * Lists of texts that are compared: how often which stands in them. Used by checks behind the seal; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Zero is empty; the texts are not its own. */
struct words {
    const char **items;
    size_t count, capacity;
};

void words_release(struct words *words);
/* What there is no memory for would be missing in what is compared: so nothing is compared when it returns false. */
bool words_add(struct words *words, const char *word);
bool words_copy(const struct words *words, struct words *ret);
void words_sort(struct words *words);
/* These want it sorted. */
bool words_have(const struct words *words, const char *word);
size_t words_count(const struct words *words, const char *word);
