/*
 * Fuzz target: everything of `anchord wrap` (workers/commands/wrap) that reads foreign bytes. What comes in is taken
 * for a project as JSON, for an override that --check reads, and for a string to quote. What is printed is printable
 * ASCII, and a quoted string reads back as what it was.
 */
#include "common/cleanup.h"
#include "tests/fuzz/target.h"
#include "workers/commands/wrap/check.h"
#include "workers/commands/wrap/override.h"
#include "workers/commands/wrap/yaml.h"

#include <string.h>

static void check_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
            abort();
    }
}

/* No line but those of the override's own shape, whatever the project calls its things. */
static void check_lines(const char *text)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strchr(" #\n", *line) == NULL && strncmp(line, "services:", 9) != 0 && strncmp(line, "networks:", 9) != 0)
            abort();
    }
}

static void check_override(struct arena *arena, const struct project *project, char *file, bool ports_only)
{
    const struct wrap_options options = {.lan = "lan", .ports_only = ports_only};
    CLEANUP_FREE char *text = NULL;
    size_t length = 0;
    struct plan plan;
    FILE *stream = open_memstream(&text, &length);

    if (!stream)
        return;
    if (plan_make(arena, project, &options, &plan) == 0)
        override_write(stream, &plan);
    (void)fclose(stream);
    check_printable(text, length);
    check_lines(text);
    if (length == 0)
        return;
    /* what was printed has not changed since; what the fuzzer made up may say anything */
    if (!plan.is_wrapped && check_compare(&plan, text, stderr) != 0)
        abort();
    stream = fopen("/dev/null", "we");
    if (stream && check_compare(&plan, file, stream) < -ENODATA)
        abort();
    if (stream)
        (void)fclose(stream);
}

static void append_utf8(char *text, size_t *length, unsigned long character)
{
    if (character < 0x80) {
        text[(*length)++] = (char)character;
        return;
    }
    if (character >= 0x10000) {
        text[(*length)++] = (char)(0xf0 | character >> 18);
        text[(*length)++] = (char)(0x80 | (character >> 12 & 0x3f));
    } else if (character >= 0x800) {
        text[(*length)++] = (char)(0xe0 | character >> 12);
    } else {
        text[(*length)++] = (char)(0xc0 | character >> 6);
        text[(*length)++] = (char)(0x80 | (character & 0x3f));
        return;
    }
    text[(*length)++] = (char)(0x80 | (character >> 6 & 0x3f));
    text[(*length)++] = (char)(0x80 | (character & 0x3f));
}

/* Reads a double-quoted scalar back; an escape is never shorter than its character. */
static void unquote(char *quoted)
{
    size_t length = 0;
    char *at = quoted + 1;

    while (*at != '"') {
        size_t digits = at[0] == '\\' ? (size_t[]){2, 4, 8, 0}[at[1] == 'x'   ? 0
                                                               : at[1] == 'u' ? 1
                                                               : at[1] == 'U' ? 2
                                                                              : 3]
                                      : 0;
        char number[9] = "";

        if (*at == '\\' && digits > 0) {
            memcpy(number, at + 2, digits);
            at += 2 + digits;
            append_utf8(quoted, &length, strtoul(number, NULL, 16));
            continue;
        }
        at += *at == '\\';
        quoted[length++] = *at++;
    }
    if (at[1] != '\0')
        abort();
    quoted[length] = '\0';
}

static void check_quoting(const char *text)
{
    CLEANUP_FREE char *quoted = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&quoted, &length);

    if (!stream)
        return;
    yaml_write_quoted(stream, text);
    (void)fclose(stream);
    check_printable(quoted, length);
    if (strstr(quoted, "\\ufffd")) /* was no UTF-8, or had this character itself */
        return;
    unquote(quoted);
    if (strcmp(quoted, text) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    struct json_tree_error error = {""};
    struct json_tree tree;
    struct project project;
    char *text = arena_copy(&arena, bytes, length);
    int result;

    if (!text)
        return 0;
    check_quoting(text);
    result = json_tree_parse(&arena, text, length, &tree, &error);
    if (result == 0)
        result = project_read(&tree, &project, &error);
    if (result < 0 && result != -ENOMEM && error.text[0] == '\0')
        abort();
    check_printable(error.text, strlen(error.text));
    if (result == 0)
        check_override(&arena, &project, arena_copy(&arena, bytes, length), length % 2);
    return 0;
}
