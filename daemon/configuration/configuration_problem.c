/* What is wrong with the configuration; see configuration_problem.h. Pure, no privilege. */
#include "daemon/configuration/configuration_problem.h"

#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>

void configuration_problem_add(struct configuration *configuration, bool is_error, const char *variable,
                               const char *format, ...)
{
    struct configuration_problem *problem;
    va_list arguments;

    configuration->error_count += is_error;
    if (configuration->problem_count == CONFIGURATION_PROBLEMS_MAX) {
        configuration->problems_left_out++;
        return;
    }
    problem = &configuration->problems[configuration->problem_count++];
    problem->is_error = is_error;
    text_copy_cut(problem->variable, sizeof(problem->variable), variable);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses the va_start above */
    (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
}
