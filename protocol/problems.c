/* The table of problems; see problems.h. Linked by anchord-control and the commands; needs no privilege. */
#include "protocol/problems.h"

#include "common/cleanup.h"
#include "common/shell_word.h"

#include <string.h>

#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) \
    {PROBLEM_##name_,                                                                         \
     PROBLEM_SEVERITY_##severity_,                                                            \
     PROBLEM_TELLER_##teller_,                                                                \
     PROBLEM_##parent_,                                                                       \
     (visible_after_),                                                                        \
     (title_),                                                                                \
     (remedy_)},
static const struct problem_definition definitions[PROBLEM_INDEX_MAX_] = {
#include "protocol/problem_list.h"
};
#undef PROBLEM

const struct problem_definition *problem_definition(size_t index)
{
    return &definitions[index];
}

int problem_find(uint32_t problem, size_t *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(definitions); i++) {
        if ((uint32_t)definitions[i].problem == problem) {
            *ret = i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *problem_remedy_fill(const char *remedy, const char *place, const char *container,
                                char target[PROBLEM_REMEDY_SIZE])
{
    size_t length = 0;
    const char *found;

    while ((found = strstr(remedy, place)) != NULL && length < PROBLEM_REMEDY_SIZE - 1) {
        length += (size_t)snprintf(target + length, PROBLEM_REMEDY_SIZE - length, "%.*s%s", (int)(found - remedy),
                                   remedy, SHELL_WORD(container));
        remedy = found + strlen(place);
    }
    if (length < PROBLEM_REMEDY_SIZE)
        (void)snprintf(target + length, PROBLEM_REMEDY_SIZE - length, "%s", remedy);
    return target;
}

const char *problem_severity_to_string(enum problem_severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};

    return names[severity];
}
