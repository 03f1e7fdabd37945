/*
 * Fuzz target: `anchord doctor files` (workers/commands/doctor/files_*.c) on a Compose file that anybody may have
 * written. What is found has a code of the registry, a place and a remedy; what is refused has a reason; and a file
 * that is read twice is judged alike.
 */
#include "common/cleanup.h"
#include "tests/fuzz/target.h"
#include "workers/commands/doctor/files_examine.h"

#include <stdlib.h>
#include <string.h>

static void on_found(void *userdata, enum problem problem, const char *object, const char *sentence, const char *why,
                     const char *remedy)
{
    size_t *sum = userdata;
    size_t index;

    if (problem_find(problem, &index) < 0 || !*object || !*sentence || !*why || !*remedy)
        abort();
    *sum = *sum * 31 + problem + strlen(object) + strlen(sentence) + strlen(remedy);
}

static size_t examine(const uint8_t *bytes, size_t length)
{
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    struct json_tree_error error = {""};
    size_t sum = 0;
    struct files_report report = {on_found, &sum};
    char *text = arena_copy(&arena, bytes, length);
    int result = text ? files_examine(&arena, text, length, &report, &error) : -ENOMEM;

    if (result < 0 && result != -ENOMEM && error.text[0] == '\0')
        abort();
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    size_t first = examine(bytes, length);
    size_t second = examine(bytes, length);

    if (first != second)
        abort();
    return 0;
}
