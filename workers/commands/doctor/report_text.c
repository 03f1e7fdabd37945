/* Prints the report; see report_text.h. */
#include "workers/commands/doctor/report_text.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "workers/commands/doctor/check_table.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

/* Raised when a program that reads it would have to be changed. */
#define SCHEMA_VERSION 1

#define NAME_COLUMNS 16

DEFINE_POINTER_CLEANUP(struct yajl_gen_t, yajl_gen_free, yajl_gen_freep);

struct report_summary report_summarise(const struct report *report)
{
    struct report_summary summary = {{0}};

    for (size_t i = 0; i < report->count; i++)
        summary.counts[report->list[i].verdict]++;
    return summary;
}

/* Each line of it behind the same margin. */
static void print_lines(const char *label, const char *text)
{
    while (text[0] != '\0') {
        char line[ANSWER_REMEDY_SIZE];
        size_t length = strcspn(text, "\n");

        (void)snprintf(line, sizeof(line), "%.*s", (int)length, text);
        (void)printf("             %-5s", label);
        (void)text_print_escaped(stdout, line);
        (void)fputc('\n', stdout);
        text += length + (text[length] == '\n' ? 1 : 0);
        label = "";
    }
}

/* One line: what a name brings along makes no second one. */
static void print_why(const char *text)
{
    if (text[0] == '\0')
        return;
    (void)printf("             %-5s", "why:");
    (void)text_print_escaped(stdout, text);
    (void)fputc('\n', stdout);
}

/* Green, yellow, red, where it is a terminal: the words say it, too. */
static void print_verdict(enum verdict verdict)
{
    static const char *const colours[VERDICT_MAX_] = {
        [VERDICT_OK] = "\033[32m", [VERDICT_WARN] = "\033[33m", [VERDICT_FAIL] = "\033[1;31m"};
    bool is_coloured = colours[verdict] && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

    (void)printf("  %s%-8s%s ", is_coloured ? colours[verdict] : "", verdict_to_string(verdict),
                 is_coloured ? "\033[0m" : "");
}

static void print_answer(const struct answer *answer, const struct scene *scene, bool is_first_of_check)
{
    char code[PROBLEM_CODE_SIZE];

    print_verdict((enum verdict)answer->verdict);
    (void)printf("%-*s ", NAME_COLUMNS, is_first_of_check ? check_table[answer->check].name : "");
    if (answer->problem != PROBLEM_NONE)
        (void)printf("%s  ", problem_code((enum problem)answer->problem, code));
    /* Where there is one anchor alone, everything is of that. */
    if (answer->object[0] != '\0' &&
        (scene->anchor_count != 1 || strcmp(answer->object, scene->anchors[0].name) != 0)) {
        (void)text_print_escaped(stdout, answer->object);
        (void)fputs(": ", stdout);
    }
    (void)text_print_escaped(stdout, answer->sentence);
    (void)fputc('\n', stdout);
    print_why(answer->why);
    print_lines("do:", answer->remedy);
}

static void print_summary(const struct report *report)
{
    struct report_summary summary = report_summarise(report);

    if (summary.counts[VERDICT_FAIL] + summary.counts[VERDICT_WARN] == 0)
        (void)printf("\n%s: %zu OK",
                     summary.counts[VERDICT_OK] + report->suppressed > 0 ? "Nothing is wrong of what could be looked at"
                                                                         : "Nothing could be looked at",
                     summary.counts[VERDICT_OK]);
    else
        (void)printf("\n%zu FAIL, %zu WARN, %zu OK", summary.counts[VERDICT_FAIL], summary.counts[VERDICT_WARN],
                     summary.counts[VERDICT_OK]);
    (void)printf(", %zu SKIP, %zu UNKNOWN", summary.counts[VERDICT_SKIP], summary.counts[VERDICT_UNKNOWN]);
    if (report->suppressed > 0)
        (void)printf(", %zu left out (--suppress)", report->suppressed);
    (void)printf(", in %u.%u s.\n", (unsigned int)(report->milliseconds / 1000),
                 (unsigned int)(report->milliseconds % 1000 / 100));
}

int report_print_text(const struct report *report, const struct scene *scene)
{
    enum check_group group = 0;

    for (size_t i = 0; i < report->count; i++) {
        const struct answer *answer = &report->list[i];

        if (check_table[answer->check].group != group) {
            group = check_table[answer->check].group;
            (void)puts(check_group_to_string(group));
        }
        print_answer(answer, scene, i == 0 || report->list[i - 1].check != answer->check);
    }
    print_summary(report);
    return fflush(stdout) == 0 ? 0 : -errno;
}

/* --- JSON ----------------------------------------------------------------------------------------------------- */

#define TEXT_SIZE         ANSWER_REMEDY_SIZE /* the longest one of an answer */
#define REPLACEMENT       "\xef\xbf\xbd"
#define IS_C0(character_) ((unsigned char)(character_) < ' ')

/* RFC 8259 §8.1: what is no UTF-8, as a name that was cut, would make the whole report one that no program reads. yajl
 * escapes C0 alone; DEL and C1, which some terminals obey, are replaced, too. */
static void make_valid(const char *text, char ret[3 * TEXT_SIZE])
{
    size_t length = 0;

    while (*text && length + TEXT_ESCAPED_SIZE < (size_t)3 * TEXT_SIZE) {
        char first[TEXT_ESCAPED_SIZE];
        const char *next = text_escape_first(text, first);
        bool is_escaped = strncmp(first, text, strlen(first)) != 0;

        if (is_escaped && IS_C0(*text))
            length += (size_t)snprintf(ret + length, 2, "%c", *text);
        else
            length += (size_t)snprintf(ret + length, TEXT_ESCAPED_SIZE, "%s", is_escaped ? REPLACEMENT : first);
        text = next;
    }
    ret[length] = '\0';
}

/* yajl keeps its first error and refuses everything after it. */
static void put_text(yajl_gen generator, const char *text)
{
    char valid[3 * TEXT_SIZE];

    if (!text || text[0] == '\0') {
        (void)yajl_gen_null(generator);
        return;
    }
    make_valid(text, valid);
    (void)yajl_gen_string(generator, (const unsigned char *)valid, strlen(valid));
}

static void put_member(yajl_gen generator, const char *name, const char *text)
{
    put_text(generator, name);
    put_text(generator, text);
}

static void put_answer(yajl_gen generator, const struct answer *answer, const struct scene *scene)
{
    char code[PROBLEM_CODE_SIZE] = "";

    if (answer->problem != PROBLEM_NONE)
        (void)problem_code((enum problem)answer->problem, code);
    (void)yajl_gen_map_open(generator);
    put_member(generator, "group", check_group_to_string(check_table[answer->check].group));
    put_member(generator, "check", check_table[answer->check].name);
    put_member(generator, "anchor", answer->anchor < scene->anchor_count ? scene->anchors[answer->anchor].name : NULL);
    put_member(generator, "verdict", verdict_to_string((enum verdict)answer->verdict));
    put_member(generator, "code", code);
    put_member(generator, "object", answer->object);
    put_member(generator, "sentence", answer->sentence);
    put_member(generator, "why", answer->why);
    put_member(generator, "do", answer->remedy);
    (void)yajl_gen_map_close(generator);
}

static void put_report(yajl_gen generator, const struct report *report, const struct scene *scene)
{
    struct report_summary summary = report_summarise(report);

    (void)yajl_gen_map_open(generator);
    put_text(generator, "schema");
    (void)yajl_gen_integer(generator, SCHEMA_VERSION);
    put_member(generator, "version", ANCHORD_VERSION);
    put_text(generator, "milliseconds");
    (void)yajl_gen_integer(generator, (long long)report->milliseconds);
    put_text(generator, "summary");
    (void)yajl_gen_map_open(generator);
    for (enum verdict verdict = VERDICT_OK; verdict < VERDICT_MAX_; verdict++) {
        put_text(generator, verdict_to_string(verdict));
        (void)yajl_gen_integer(generator, (long long)summary.counts[verdict]);
    }
    (void)yajl_gen_map_close(generator);
    put_text(generator, "anchors");
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < scene->anchor_count; i++)
        put_text(generator, scene->anchors[i].name);
    (void)yajl_gen_array_close(generator);
    put_text(generator, "results");
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < report->count; i++)
        put_answer(generator, &report->list[i], scene);
    (void)yajl_gen_array_close(generator);
    (void)yajl_gen_map_close(generator);
}

int report_print_json(const struct report *report, const struct scene *scene)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;

    if (!generator)
        return -ENOMEM;
    (void)yajl_gen_config(generator, yajl_gen_beautify, 1);
    (void)yajl_gen_config(generator, yajl_gen_indent_string, "  ");
    put_report(generator, report, scene);
    if (yajl_gen_get_buf(generator, &text, &length) != yajl_gen_status_ok)
        return -ENOMEM;
    (void)fwrite(text, 1, length, stdout);
    return fflush(stdout) == 0 ? 0 : -errno;
}
