/* `anchord config`; see configuration_command.h. Runs as whoever types the command. */
#include "daemon/command/configuration_command.h"

#include "common/cleanup.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/command_words.h"
#include "daemon/command/json_output.h"
#include "daemon/configuration/configuration_variables.h"

#include <stdio.h>
#include <string.h>

#define VALUE_WIDTH 32 /* of the column */

/* "environment", "default" …, or the other variable that the value was taken from. */
static const char *source_text(const struct configuration_variable *variable, const struct configuration_value *value)
{
    return value->source == CONFIGURATION_SOURCE_FALLBACK ? variable->fallback
                                                          : configuration_source_to_string(value->source);
}

static bool is_shown(const struct configuration *configuration, const struct configuration_variable *variable)
{
    return configuration_variables_concern(variable, configuration->role);
}

static void show_value(const char *name, const char *text, const char *source)
{
    (void)printf("%-32s ", name);
    command_column(text ? text : "-", VALUE_WIDTH);
    (void)puts(source);
}

static void show_as_text(const struct configuration *configuration)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    for (size_t i = 0; i < count; i++) {
        const struct configuration_value *value = &configuration->values[i];

        if (is_shown(configuration, &variables[i]))
            show_value(variables[i].name, value->text, source_text(&variables[i], value));
    }
    for (size_t i = 0; i < configuration->numbered_count; i++)
        show_value(configuration->numbered[i].name, configuration->numbered[i].text,
                   configuration_source_to_string(CONFIGURATION_SOURCE_ENVIRONMENT));
    for (size_t i = 0; i < configuration->problem_count; i++) {
        const struct configuration_problem *problem = &configuration->problems[i];

        (void)printf("%s: ", problem->is_error ? "error" : "warning");
        (void)text_print_escaped(stdout, problem->variable);
        (void)printf(": ");
        (void)text_print_escaped(stdout, problem->text);
        (void)printf("\n");
    }
    if (configuration->problems_left_out)
        (void)printf("and %zu more\n", configuration->problems_left_out);
}

static void generate_value(yajl_gen generator, const char *name, const char *text, const char *source)
{
    json_text(generator, name);
    (void)yajl_gen_map_open(generator);
    json_text(generator, "value");
    json_text(generator, text);
    json_text(generator, "source");
    json_text(generator, source);
    (void)yajl_gen_map_close(generator);
}

static void generate_values(yajl_gen generator, const struct configuration *configuration)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    (void)yajl_gen_map_open(generator);
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(configuration, &variables[i]))
            continue;
        generate_value(generator, variables[i].name, configuration->values[i].text,
                       source_text(&variables[i], &configuration->values[i]));
    }
    for (size_t i = 0; i < configuration->numbered_count; i++)
        generate_value(generator, configuration->numbered[i].name, configuration->numbered[i].text,
                       configuration_source_to_string(CONFIGURATION_SOURCE_ENVIRONMENT));
    (void)yajl_gen_map_close(generator);
}

static void generate_problems(yajl_gen generator, const struct configuration *configuration, bool errors)
{
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < configuration->problem_count; i++) {
        if (configuration->problems[i].is_error != errors)
            continue;
        (void)yajl_gen_map_open(generator);
        json_text(generator, "variable");
        json_text(generator, configuration->problems[i].variable);
        json_text(generator, "text");
        json_text(generator, configuration->problems[i].text);
        (void)yajl_gen_map_close(generator);
    }
    (void)yajl_gen_array_close(generator);
}

static void print_piece(void *stream, const char *text, size_t length)
{
    (void)fwrite(text, 1, length, stream);
}

static int show_as_json(const struct configuration *configuration)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);

    if (!generator || !yajl_gen_config(generator, yajl_gen_beautify, 1) ||
        !yajl_gen_config(generator, yajl_gen_print_callback, print_piece, stdout))
        return -ENOMEM;
    (void)yajl_gen_map_open(generator);
    json_text(generator, "variables");
    generate_values(generator, configuration);
    json_text(generator, "errors");
    generate_problems(generator, configuration, true);
    json_text(generator, "warnings");
    generate_problems(generator, configuration, false);
    return yajl_gen_map_close(generator) == yajl_gen_status_ok ? 0 : -EINVAL;
}

int configuration_command_show(const struct configuration *configuration, bool as_json)
{
    if (!as_json) {
        show_as_text(configuration);
    } else if (show_as_json(configuration) < 0) {
        (void)fputs("anchord: cannot write the configuration as JSON\n", stderr);
        return EXIT_STATUS_CRASH;
    }
    return configuration->error_count ? EXIT_STATUS_CONFIGURATION : EXIT_STATUS_CLEAN;
}

void configuration_command_help(void)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    (void)puts("Usage: anchord config [--json]\n\n"
               "Shows the effective configuration and every error in it. Set by environment variables:\n");
    for (size_t i = 0; i < count; i++) {
        (void)printf("  %-32s %s\n  %32s default: %s\n", variables[i].name, variables[i].help, "",
                     variables[i].default_value ? variables[i].default_value
                     : variables[i].fallback    ? variables[i].fallback
                                                : "none");
    }
    (void)puts("\nThose that begin with ANCHORD_MANAGED_SA also with a number, for further targets: "
               "ANCHORD_MANAGED_SA_TARGET_2 …");
}
