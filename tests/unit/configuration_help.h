/* What the tests of the configuration share: an environment, what became of it, what was said of it. */
#pragma once

#include "daemon/configuration/configuration_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static struct configuration configuration;

static inline void load(const char *role_argument, const char *const environment[])
{
    memset(&configuration, 0, sizeof(configuration));
    configuration_load(role_argument, environment, &configuration);
}

static inline const struct configuration_problem *find_problem(const char *variable, bool is_error)
{
    for (size_t i = 0; i < configuration.problem_count; i++) {
        if (strcmp(configuration.problems[i].variable, variable) == 0 && configuration.problems[i].is_error == is_error)
            return &configuration.problems[i];
    }
    return NULL;
}

static inline void assert_problem(const char *variable, bool is_error, const char *words)
{
    const struct configuration_problem *problem = find_problem(variable, is_error);

    if (!problem || !strstr(problem->text, words))
        fail_msg("%s: expected \"%s\", got \"%s\"", variable, words, problem ? problem->text : "no such problem");
}
