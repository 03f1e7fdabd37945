/* The log: one JSON object a line on standard output, or one for people; see log.h. Runs in every process, needs no
 * privilege. */
#include "common/log.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* One write of at most PIPE_BUF bytes to a pipe is atomic (POSIX write(2)): lines of workers never mix. */
#define LINE_SIZE PIPE_BUF
/* Kept free for the end of the line, so that one that is cut is still a whole JSON object. */
#define LINE_RESERVE 32
/* A single text may not push every other field out of the line. */
#define TEXT_LIMIT 1024
/* The limit of one place: enough at once for a project of a hundred containers with the same fault, then as fast as a
 * person reads. */
#define LINES_AT_ONCE 100
#define REGAIN_TIME   MICROSECONDS_PER_SECOND

struct line {
    char bytes[LINE_SIZE];
    size_t length;
};

static const char *process_name = "anchord";
static bool is_text;
static enum log_level minimum_level = LOG_LEVEL_INFO;
static uint64_t dropped_lines;
/* The places with something left out. */
static struct log_site *silent_sites;

static const char *const level_names[LOG_LEVEL_MAX_] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const format_names[LOG_FORMAT_MAX_] = {"auto", "json", "text"};
/* syslog(3) priorities, for the journal's prefix (sd-daemon(3)). */
static const char *const journal_prefixes[LOG_LEVEL_MAX_] = {"<7>", "<6>", "<4>", "<3>"};

static bool text_is_wanted(void)
{
    const char *told = getenv(LOG_FORMAT_ENVIRONMENT);
    enum log_format format = LOG_FORMAT_AUTO;

    if (told && log_format_parse(told, &format) < 0)
        format = LOG_FORMAT_AUTO; /* the supervisor has said that it is wrong */
    return format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDOUT_FILENO));
}

void log_initialise(const char *worker)
{
    char time_text[CLOCK_TEXT_SIZE];

    is_text = text_is_wanted();
    /* The first conversion of a time reads /etc/localtime, also for UTC (glibc): not behind a sandbox. */
    clock_format(0, time_text);
    process_name = worker;
}

void log_set_level(enum log_level level)
{
    minimum_level = level;
}

int log_level_parse(const char *text, enum log_level *ret)
{
    if (strcasecmp(text, "WARNING") == 0) {
        *ret = LOG_LEVEL_WARN;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_to_string(enum log_level level)
{
    return level_names[level];
}

int log_format_parse(const char *text, enum log_format *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(format_names); i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *ret = (enum log_format)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_format_in_use(void)
{
    return format_names[is_text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON];
}

const char *log_errno_text(int result)
{
    const char *description = strerrordesc_np(result < 0 ? -result : result);

    return description ? description : "unknown error";
}

static bool line_append(struct line *line, const char *bytes, size_t length)
{
    if (line->length + length > LINE_SIZE - LINE_RESERVE)
        return false;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static bool line_append_text(struct line *line, const char *text)
{
    return line_append(line, text, strlen(text));
}

/* Control characters, quotes and DEL leave as escapes: no label can forge a line or colour a terminal. */
static bool line_append_character(struct line *line, const char **position)
{
    char escaped[TEXT_ESCAPED_SIZE];

    if ((**position == '"' || **position == '\\') && !line_append_text(line, "\\"))
        return false;
    *position = text_escape_first(*position, escaped);
    return line_append_text(line, escaped);
}

static bool line_append_quoted(struct line *line, const char *text)
{
    const char *start = text ? text : "";
    const char *position = start;

    if (!line_append_text(line, "\""))
        return false;
    while (*position && position - start < TEXT_LIMIT) {
        if (!line_append_character(line, &position))
            return false;
    }
    if (*position && !line_append_text(line, "…"))
        return false;
    return line_append_text(line, "\"");
}

/* A word of ASCII that needs no quotes to be told from what is beside it. */
static bool is_word(const char *text)
{
    const char *position = text;

    while (*position > ' ' && *position < 0x7f && !strchr("\"\\=", *position))
        position++;
    return position != text && *position == '\0' && position - text < TEXT_LIMIT;
}

static bool line_append_value(struct line *line, const char *text)
{
    return is_text && text && is_word(text) ? line_append_text(line, text) : line_append_quoted(line, text);
}

/* What stands between the members of an object, or between the fields of a line for people. */
static bool line_append_key(struct line *line, const char *key)
{
    if (is_text)
        return line_append_text(line, " ") && line_append_text(line, key) && line_append_text(line, "=");
    return line_append_text(line, ",") && line_append_quoted(line, key) && line_append_text(line, ":");
}

/* Appends the whole field or leaves the line as it was. */
static void line_append_field(struct line *line, const struct log_field *field)
{
    size_t length_before = line->length;
    char number[24];
    bool fits = line_append_key(line, field->key);

    if (field->kind == LOG_FIELD_TEXT_) {
        fits = fits && line_append_value(line, field->text);
    } else {
        if (field->kind == LOG_FIELD_BOOLEAN_)
            (void)snprintf(number, sizeof(number), "%s", field->number ? "true" : "false");
        else
            (void)snprintf(number, sizeof(number), "%lld", (long long)field->number);
        fits = fits && line_append_text(line, number);
    }
    if (!fits)
        line->length = length_before;
}

/* systemd sets JOURNAL_STREAM for services whose output is the journal; it reads the prefix as the priority. */
static bool journal_is_reader(void)
{
    static int known = -1;

    if (known < 0)
        known = getenv("JOURNAL_STREAM") != NULL;
    return known > 0;
}

/* 2026-11-22 15:04:05Z WARN  watcher: message */
static void line_begin_text(struct line *line, const char *time_text, enum log_level level, const char *message)
{
    char start[64];

    if (journal_is_reader()) /* which has the time, and the level in the prefix */
        (void)snprintf(start, sizeof(start), "%s: ", process_name);
    else
        (void)snprintf(start, sizeof(start), "%.10s %.8sZ %-5s %s: ", time_text, time_text + sizeof("2026-11-22"),
                       level_names[level], process_name);
    (void)line_append_text(line, start);
    (void)line_append_text(line, message);
}

static void line_begin_object(struct line *line, const char *time_text, enum log_level level, const char *message)
{
    (void)line_append_text(line, "{\"time\":");
    (void)line_append_quoted(line, time_text);
    line_append_field(line, &LOG_TEXT("level", level_names[level]));
    line_append_field(line, &LOG_TEXT("msg", message));
    line_append_field(line, &LOG_TEXT("worker", process_name));
}

static void line_send(struct line *line)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (poll(&output, 1, 0) == 0) {
        dropped_lines++;
        return;
    }
    /* Nobody is left to tell when the log itself fails. */
    if (write(STDOUT_FILENO, line->bytes, line->length) < 0)
        dropped_lines++;
    else
        dropped_lines = 0;
}

static void write_line(enum log_level level, const char *message, const struct log_field *fields, uint64_t left_out)
{
    struct line line = {.length = 0};
    char time_text[CLOCK_TEXT_SIZE];

    clock_format(clock_real_nanoseconds(), time_text);
    if (journal_is_reader())
        (void)line_append_text(&line, journal_prefixes[level]);
    if (is_text)
        line_begin_text(&line, time_text, level, message);
    else
        line_begin_object(&line, time_text, level, message);
    if (dropped_lines)
        line_append_field(&line, &LOG_NUMBER("dropped_lines", dropped_lines));
    if (left_out)
        line_append_field(&line, &LOG_NUMBER("left_out", left_out));
    for (const struct log_field *field = fields; field->kind != LOG_FIELD_END_; field++)
        line_append_field(&line, field);
    if (!is_text) /* LINE_RESERVE keeps the room for both */
        line.bytes[line.length++] = '}';
    line.bytes[line.length++] = '\n';
    line_send(&line);
}

static bool site_admits(struct log_site *site)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t regained = (now - site->counted_at) / REGAIN_TIME;

    if (regained >= site->spent) {
        site->spent = 0;
        site->counted_at = now;
    } else {
        site->spent -= (uint32_t)regained;
        site->counted_at += regained * REGAIN_TIME;
    }
    if (site->spent >= LINES_AT_ONCE)
        return false;
    site->spent++;
    return true;
}

static void leave_out(struct log_site *site, enum log_level level, const char *message)
{
    site->left_out++;
    site->level = level;
    site->message = message;
    if (site->is_silent)
        return;
    site->is_silent = true;
    site->silent = silent_sites;
    silent_sites = site;
}

void log_write(struct log_site *site, enum log_level level, const char *message, const struct log_field *fields)
{
    if (level < minimum_level)
        return;
    if (!site_admits(site)) {
        leave_out(site, level, message);
        return;
    }
    write_line(level, message, fields, site->left_out);
    site->left_out = 0;
}

bool log_has_left_out(void)
{
    return silent_sites != NULL;
}

void log_tell_left_out(void)
{
    while (silent_sites) {
        struct log_site *site = silent_sites;

        silent_sites = site->silent;
        site->is_silent = false;
        if (site->left_out)
            write_line(site->level, "log lines left out", LOG_FIELDS_(LOG_TEXT("of", site->message)), site->left_out);
        site->left_out = 0;
    }
}
