/* Lines for people; see command_words.h. Runs as whoever typed the command. */
#include "daemon/command/command_words.h"

#include "common/sandbox.h"
#include "common/text.h"

#include <stdarg.h>
#include <string.h>

#define STEP_WIDTH 9
#define LINE_SIZE  1024

int command_complain(const char *command, const char *what, const char *why)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "anchord %s: ", command);
    (void)text_print_escaped(stderr, what);
    (void)fputs(": ", stderr);
    (void)text_print_escaped(stderr, why);
    (void)fputc('\n', stderr);
    return EXIT_STATUS_CONFIGURATION;
}

void command_say(const char *step, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    (void)printf("%-*s ", STEP_WIDTH, step);
    (void)text_print_escaped(stdout, line);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

/* Where the last `lines` lines begin. */
static const char *tail_of(const char *text, size_t lines)
{
    const char *start = text + strlen(text);

    while (start > text && start[-1] == '\n')
        start--;
    for (; start > text; start--) {
        if (start[-1] == '\n' && --lines == 0)
            break;
    }
    return start;
}

void command_quote(const char *text, size_t lines)
{
    const char *line = tail_of(text, lines);

    while (*line) {
        char copy[LINE_SIZE];
        size_t length = strcspn(line, "\r\n");

        (void)snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
        (void)fputs("  | ", stderr);
        (void)text_print_escaped(stderr, copy);
        (void)fputc('\n', stderr);
        line += length;
        line += strspn(line, "\r\n");
    }
}

void command_column(const char *text, int width)
{
    int length = text_print_escaped(stdout, text);

    (void)printf("%*s ", length < width ? width - length : 0, "");
}
