/*
 * The log: one JSON object a line on standard output (SPEC §10), on a terminal a line for people (SEE-6).
 *
 * Used by every process, on both sides of the wall; needs no privilege. The line is written here and not
 * with yajl because netadmin may link nothing that parses (DESIGN §3); it only ever writes. A line fits into
 * one atomic pipe write; when the reader is stuck the line is dropped and counted rather than the
 * process stopped: a full log pipe must not hold up NAT.
 *
 * Each place in the code has a limit of its own (WALL-6): a hundred lines at once, one a second from then on. So no
 * peer can make a process loud, whatever line it has found to cause, and no place can be forgotten. What is left out
 * is counted and said: by the next line of that place, else by log_tell_left_out().
 *
 *     log_info("discovered shared network", LOG_TEXT("network", name), LOG_NUMBER("backends", count));
 *     log_error("external interface not found", LOG_TEXT("network", name), LOG_ERROR(-ENODEV));
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_MAX_,
};

enum log_format {
    LOG_FORMAT_AUTO, /* TEXT on a terminal, else JSON */
    LOG_FORMAT_JSON,
    LOG_FORMAT_TEXT,
    LOG_FORMAT_MAX_,
};
/* Read by log_initialise(): a process of its own is told by it, whatever else its environment holds. */
#define LOG_FORMAT_ENVIRONMENT "ANCHORD_LOG_FORMAT"

enum log_field_kind {
    LOG_FIELD_END_, /* terminates the list */
    LOG_FIELD_TEXT_,
    LOG_FIELD_NUMBER_,
    LOG_FIELD_BOOLEAN_,
};

struct log_field {
    enum log_field_kind kind;
    const char *key;
    const char *text;
    int64_t number;
};

/* Foreign text is safe here: it is escaped (RFC 8259 §7), invalid UTF-8 becomes U+FFFD, long text is cut. */
#define LOG_TEXT(key_, text_)     ((struct log_field){LOG_FIELD_TEXT_, (key_), (text_), 0})
#define LOG_NUMBER(key_, number_) ((struct log_field){LOG_FIELD_NUMBER_, (key_), NULL, (int64_t)(number_)})
#define LOG_BOOLEAN(key_, value_) ((struct log_field){LOG_FIELD_BOOLEAN_, (key_), NULL, (value_) ? 1 : 0})
/* The field `err` from a text or from a negative errno. */
#define LOG_ERROR_TEXT(text_) LOG_TEXT("err", (text_))
#define LOG_ERROR(result_)    LOG_TEXT("err", log_errno_text(result_))

/* Names this process in the field `worker`; level INFO until log_set_level. The format is what the environment says,
 * AUTO if that says nothing that is one. Call once, first: later the terminal cannot be asked. */
void log_initialise(const char *worker);
void log_set_level(enum log_level level);

/* DEBUG, INFO, WARN, ERROR in any case, WARNING too; -EINVAL otherwise. */
int log_level_parse(const char *text, enum log_level *ret) __attribute__((warn_unused_result));
const char *log_level_to_string(enum log_level level);

/* auto, json or text; -EINVAL otherwise. */
int log_format_parse(const char *text, enum log_format *ret) __attribute__((warn_unused_result));
/* `json` or `text`, what this process writes: for the environment of one that it starts. */
const char *log_format_in_use(void);

/* strerror of a negative errno; static or thread-local storage, valid until the next call. */
const char *log_errno_text(int result);

/* One place in the code that logs; static and zero at first. Only log.c looks inside. */
struct log_site {
    uint64_t counted_at;     /* monotonic microseconds up to which `spent` was regained */
    uint32_t spent;          /* lines that count against the limit */
    enum log_level level;    /* of the last line left out */
    uint64_t left_out;       /* since this was last said */
    const char *message;     /* of the last line left out */
    struct log_site *silent; /* the next place with something left out */
    bool is_silent;          /* in that list */
};

void log_write(struct log_site *site, enum log_level level, const char *message, const struct log_field *fields);

/* Has a place left lines out, and it was not said yet? */
bool log_has_left_out(void);

/* Says of every place that has left lines out how many; whoever has an event loop calls it every few seconds. */
void log_tell_left_out(void);

#define LOG_FIELDS_(...) ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){LOG_FIELD_END_, 0, 0, 0}})
#define log_at(level_, message_, ...)                                      \
    do {                                                                   \
        static struct log_site site_;                                      \
        log_write(&site_, (level_), (message_), LOG_FIELDS_(__VA_ARGS__)); \
    } while (0)
#define log_debug(message_, ...) log_at(LOG_LEVEL_DEBUG, message_, __VA_ARGS__)
#define log_info(message_, ...)  log_at(LOG_LEVEL_INFO, message_, __VA_ARGS__)
#define log_warn(message_, ...)  log_at(LOG_LEVEL_WARN, message_, __VA_ARGS__)
#define log_error(message_, ...) log_at(LOG_LEVEL_ERROR, message_, __VA_ARGS__)
