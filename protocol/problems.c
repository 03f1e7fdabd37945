/* The table of problems; see problems.h. Linked by anchord-control and the commands; needs no privilege. */
#include "protocol/problems.h"

#include "common/cleanup.h"

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

const char *problem_severity_to_string(enum problem_severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};

    return names[severity];
}
