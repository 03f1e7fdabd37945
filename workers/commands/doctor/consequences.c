/* Which findings follow from others; see consequences.h. Pure, no privilege. */
#include "workers/commands/doctor/consequences.h"

#include "protocol/problems.h"
#include "workers/commands/doctor/scene.h"

#include <stdio.h>

/* Whether it was found, and is no consequence itself: of the host, or of the same anchor. */
static bool is_found(const struct answer *answers, size_t count, enum problem problem, uint32_t anchor)
{
    if (problem == PROBLEM_NONE)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct answer *answer = &answers[i];

        if (answer->problem == (uint32_t)problem && (answer->anchor == anchor || answer->anchor == ANCHORS_MAX) &&
            (answer->verdict == VERDICT_WARN || answer->verdict == VERDICT_FAIL))
            return true;
    }
    return false;
}

static enum problem parent_of(uint32_t problem)
{
    size_t index = 0;

    return problem_find(problem, &index) < 0 ? PROBLEM_NONE : problem_definition(index)->parent;
}

/* The registry has no circle. */
static enum problem find_cause(const struct answer *answers, size_t count, const struct answer *answer)
{
    enum problem cause = parent_of(answer->problem);

    if (is_found(answers, count, (enum problem)answer->cause, answer->anchor))
        return (enum problem)answer->cause;
    while (cause != PROBLEM_NONE && !is_found(answers, count, cause, answer->anchor))
        cause = parent_of(cause);
    return cause;
}

void consequences_mark(struct answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct answer *answer = &answers[i];
        char code[PROBLEM_CODE_SIZE];
        enum problem cause = answer->problem == PROBLEM_NONE ? PROBLEM_NONE : find_cause(answers, count, answer);

        if (cause == PROBLEM_NONE)
            continue;
        answer->verdict = VERDICT_SKIP;
        answer->why[0] = answer->remedy[0] = '\0';
        (void)snprintf(answer->sentence, sizeof(answer->sentence), "depends on %s", problem_code(cause, code));
    }
}
