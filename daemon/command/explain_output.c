/* What `anchord explain` prints; see explain_output.h. Runs as root in the command. */
#include "daemon/command/explain_output.h"

#include "daemon/command/command_words.h"
#include "daemon/command/json_output.h"

#include <errno.h>
#include <stdio.h>

#define SCHEMA       1 /* raised when a key changes its meaning or goes */
#define PLACE_WIDTH  12
#define ANSWER_WIDTH 8

static const char *answer_name(uint32_t verdict)
{
    return verdict == VERDICT_OK ? "yes" : verdict == VERDICT_FAIL ? "no" : "unknown";
}

static const char *code_of(const struct answer *answer, char text[PROBLEM_CODE_SIZE])
{
    return answer->problem == PROBLEM_NONE ? NULL : problem_code((enum problem)answer->problem, text);
}

int explain_output_begin(struct explain_output *output, bool as_json)
{
    *output = (struct explain_output){.generator = as_json ? yajl_gen_alloc(NULL) : NULL};
    if (!as_json)
        return 0;
    if (!output->generator)
        return -ENOMEM;
    (void)yajl_gen_config(output->generator, yajl_gen_beautify, 1);
    (void)yajl_gen_config(output->generator, yajl_gen_indent_string, "  ");
    (void)yajl_gen_map_open(output->generator);
    json_text(output->generator, "schema");
    (void)yajl_gen_integer(output->generator, SCHEMA);
    json_text(output->generator, "connections");
    (void)yajl_gen_array_open(output->generator);
    return 0;
}

/* Lines to paste, each of its own, behind the same margin. Names in them are words of the shell, or plain. */
static void print_remedy(int margin, const char *remedy)
{
    const char *label = "do:";

    while (remedy[0] != '\0') {
        char line[ANSWER_REMEDY_SIZE];
        size_t length = strcspn(remedy, "\n");

        (void)snprintf(line, sizeof(line), "%.*s", (int)length, remedy);
        (void)printf("%*s%-3s ", margin, "", label);
        (void)text_print_escaped(stdout, line);
        (void)putchar('\n');
        remedy += length + (remedy[length] == '\n' ? 1 : 0);
        label = "";
    }
}

void explain_output_title(struct explain_output *output, const char *title)
{
    output->has_wall = output->has_unknown = false;
    output->steps = output->packets = 0;
    if (!output->generator) {
        (void)text_print_escaped(stdout, title);
        (void)putchar('\n');
        return;
    }
    (void)yajl_gen_map_open(output->generator);
    json_member(output->generator, "connection", title);
    json_text(output->generator, "steps");
    (void)yajl_gen_array_open(output->generator);
}

static void generate_step(yajl_gen generator, const struct answer *answer)
{
    char code[PROBLEM_CODE_SIZE];

    (void)yajl_gen_map_open(generator);
    json_member(generator, "step", answer->object);
    json_member(generator, "answer", answer_name(answer->verdict));
    json_member(generator, "code", code_of(answer, code));
    json_member(generator, "sentence", answer->sentence);
    json_member(generator, "do", answer->remedy[0] ? answer->remedy : NULL);
    (void)yajl_gen_map_close(generator);
}

void explain_output_step(const struct answer *answer, void *userdata)
{
    struct explain_output *output = userdata;

    output->steps++;
    output->has_unknown = output->has_unknown || answer->verdict == VERDICT_UNKNOWN;
    if (answer->verdict == VERDICT_FAIL && !output->has_wall) {
        output->has_wall = true;
        output->wall = *answer;
    }
    if (output->generator) {
        generate_step(output->generator, answer);
        return;
    }
    (void)fputs("  ", stdout);
    command_column(answer_name(answer->verdict), ANSWER_WIDTH);
    command_column(answer->object, PLACE_WIDTH);
    (void)text_print_escaped(stdout, answer->sentence);
    (void)putchar('\n');
    if (answer->verdict == VERDICT_UNKNOWN)
        print_remedy(ANSWER_WIDTH + PLACE_WIDTH + 4, answer->remedy);
}

void explain_output_follow(struct explain_output *output, const char *text)
{
    if (output->generator)
        (void)fputs("anchord explain: ", stderr);
    (void)fprintf(output->generator ? stderr : stdout, "%s\n", text);
    (void)fflush(stdout);
}

static const char *what_happened(const struct explain_trace *trace)
{
    switch ((enum explain_verdict)trace->verdict) {
    case EXPLAIN_DROPPED:
        return trace->rejects ? "refused" : "dropped";
    case EXPLAIN_ACCEPTED:
        return "accepted";
    case EXPLAIN_JUMPED:
        return "goes to another chain";
    case EXPLAIN_GOES_ON:
    case EXPLAIN_VERDICT_MAX_:
        break;
    }
    return "goes on";
}

void explain_output_trace(struct explain_output *output, const struct explain_trace *trace)
{
    char line[512];

    if (output->generator || trace->kind == EXPLAIN_TRACE_RETURN)
        return;
    if (output->packets == 0 && trace->source.family != IP_FAMILY_NONE) {
        struct ip_address source = wire_address_to(&trace->source);

        (void)printf("  a packet from %s port %u\n", IP_ADDRESS_TEXT(&source), (unsigned int)trace->port);
    }
    output->packets++;
    if (trace->kind == EXPLAIN_TRACE_POLICY)
        (void)snprintf(line, sizeof(line), "%s %s %s: %s at its end", trace->family, trace->table, trace->chain,
                       what_happened(trace));
    else
        (void)snprintf(line, sizeof(line), "%s %s %s: %s%s%s (handle %llu): %s", trace->family, trace->table,
                       trace->chain, trace->comment[0] ? "\"" : "rule", trace->comment, trace->comment[0] ? "\"" : "",
                       (unsigned long long)trace->handle, what_happened(trace));
    (void)fputs("    ", stdout);
    (void)text_print_escaped(stdout, line);
    (void)putchar('\n');
}

enum explain_end explain_output_verdict(struct explain_output *output)
{
    enum explain_end end = output->has_wall      ? EXPLAIN_END_STOPPED
                           : output->has_unknown ? EXPLAIN_END_UNKNOWN
                                                 : EXPLAIN_END_REACHES;
    static const char *const words[] = {"reaches", "stopped", "unknown"};
    char code[PROBLEM_CODE_SIZE];
    const char *wall_code = output->has_wall ? code_of(&output->wall, code) : NULL;

    if (output->generator) {
        (void)yajl_gen_array_close(output->generator);
        json_member(output->generator, "verdict", words[end]);
        json_member(output->generator, "code", wall_code);
        json_member(output->generator, "wall", output->has_wall ? output->wall.sentence : NULL);
        json_member(output->generator, "do", output->has_wall && output->wall.remedy[0] ? output->wall.remedy : NULL);
        (void)yajl_gen_map_close(output->generator);
        return end;
    }
    if (!output->has_wall) {
        (void)puts(end == EXPLAIN_END_REACHES ? "reaches: nothing stops it"
                                              : "unknown: nothing that can be seen stops it, but not all can be seen");
        return end;
    }
    (void)printf("stopped%s%s: ", wall_code ? " " : "", wall_code ? wall_code : "");
    (void)text_print_escaped(stdout, output->wall.sentence);
    (void)putchar('\n');
    print_remedy(2, output->wall.remedy);
    return end;
}

void explain_output_end(struct explain_output *output)
{
    const unsigned char *text = NULL;
    size_t length = 0;

    if (!output->generator)
        return;
    (void)yajl_gen_array_close(output->generator);
    (void)yajl_gen_map_close(output->generator);
    if (yajl_gen_get_buf(output->generator, &text, &length) == yajl_gen_status_ok)
        (void)fwrite(text, 1, length, stdout);
    yajl_gen_free(output->generator);
    output->generator = NULL;
}
