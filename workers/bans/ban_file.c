/* The file of bans; see ban_file.h. Runs in anchord-bans without any capability. */
#include "workers/bans/ban_file.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "protocol/validate_bans.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME     "bans"
#define NEW_FILE_NAME "bans.new"
#define LINE_SIZE     (IP_SUBNET_TEXT_SIZE + BAN_REASON_SIZE + 64)
#define READ_SIZE     65536
#define WRITE_SIZE    65536
/* So many lines more than bans before it is written anew. */
#define STALE_LINES_MAX 1000
/* Of what is no line of ours so many are said one by one. */
#define BROKEN_SAID_MAX 3

/* --- one line ------------------------------------------------------------------------------------------------ */

static const char *format_place(const struct wire_ban *ban, char text[IP_SUBNET_TEXT_SIZE])
{
    struct ip_subnet subnet = wire_ban_subnet(ban);

    return ip_subnet_format(&subnet, text);
}

static size_t format_ban(const struct stored_ban *ban, char line[LINE_SIZE])
{
    char place[IP_SUBNET_TEXT_SIZE];
    int length = snprintf(line, LINE_SIZE, "ban %s %s %llu %llu %s\n", format_place(&ban->ban, place),
                          ban->ban.kind == BAN_ALL ? "all" : "new", (unsigned long long)ban->until,
                          (unsigned long long)ban->added, ban->reason ? ban->reason : "");

    return length > 0 && length < LINE_SIZE ? (size_t)length : 0;
}

/* Cuts the next word off *rest; NULL: there is none. */
static char *next_word(char **rest)
{
    char *word = strsep(rest, " ");

    return word && word[0] ? word : NULL;
}

static bool parse_place(char **rest, struct wire_ban *ret)
{
    char *word = next_word(rest);
    struct ip_subnet subnet;

    if (!word || ip_subnet_parse(word, &subnet) < 0)
        return false;
    ret->family = subnet.address.family;
    ret->prefix_length = subnet.prefix_length;
    memcpy(ret->bytes, subnet.address.bytes, sizeof(ret->bytes));
    return !check_ban(ret);
}

/* No more than a timer bears. */
static bool parse_seconds(char **rest, uint64_t *ret)
{
    char *word = next_word(rest);

    return word && text_to_number(word, strlen(word), UINT64_MAX / MICROSECONDS_PER_SECOND / 2, ret) == 0;
}

/* Takes the line apart. Returns whether it is one of ours; what the store has no room for is said. */
static bool take_line(char *line, struct ban_store *store)
{
    struct stored_ban ban = {.ban = {.kind = BAN_ALL}};
    char *rest = line;
    char *word = next_word(&rest);
    const char *reason;
    const char *kind;

    if (word && strcmp(word, "flush") == 0 && !rest) {
        ban_store_clear(store);
        return true;
    }
    if (!word || (strcmp(word, "ban") != 0 && strcmp(word, "unban") != 0) || !parse_place(&rest, &ban.ban))
        return false;
    if (strcmp(word, "unban") == 0) {
        (void)ban_store_remove(store, &ban.ban);
        return !rest;
    }
    kind = next_word(&rest);
    if (!kind || (strcmp(kind, "all") != 0 && strcmp(kind, "new") != 0) || !parse_seconds(&rest, &ban.until) ||
        !parse_seconds(&rest, &ban.added))
        return false;
    ban.ban.kind = strcmp(kind, "all") == 0 ? BAN_ALL : BAN_NEW_ONLY;
    ban.reason = rest && strlen(rest) < BAN_REASON_SIZE ? rest : NULL;
    if (ban_store_put(store, &ban, &reason) < 0)
        log_error("a ban of the file is left out", LOG_PROBLEM(PROBLEM_BANS_NOT_KEPT), LOG_TEXT("line", line),
                  LOG_ERROR_TEXT(reason));
    return true;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

struct reading {
    struct ban_store *store;
    size_t lines;
    size_t broken;
};

static void take(struct reading *reading, char *line)
{
    reading->lines++;
    if (line[0] == '\0' || take_line(line, reading->store))
        return;
    if (reading->broken++ < BROKEN_SAID_MAX)
        log_warn("a line of the file of bans cannot be read, left out", LOG_PROBLEM(PROBLEM_BANS_NOT_KEPT),
                 LOG_NUMBER("line", reading->lines));
}

/* Line by line; what is longer than any, or does not end, is broken. */
static int read_lines(int fd, struct reading *reading)
{
    CLEANUP_FREE char *buffer = malloc(READ_SIZE + 1);
    size_t length = 0;
    ssize_t got;

    if (!buffer)
        return -ENOMEM;
    while ((got = read(fd, buffer + length, READ_SIZE - length)) > 0) {
        char *line = buffer;
        char *end;

        length += (size_t)got;
        buffer[length] = '\0';
        while ((end = memchr(line, '\n', length - (size_t)(line - buffer)))) {
            *end = '\0';
            take(reading, line);
            line = end + 1;
        }
        length -= (size_t)(line - buffer);
        memmove(buffer, line, length);
        if (length == READ_SIZE) {
            reading->broken++;
            length = 0;
        }
    }
    reading->broken += length > 0; /* cut while it was written: nobody was told that it stands there */
    return got < 0 ? -errno : 0;
}

void ban_file_close(struct ban_file *file)
{
    close_fd(&file->fd);
}

/* --- writing ------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written < 0 && errno != EINTR)
            return -errno;
        bytes += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int write_store(int fd, const struct ban_store *store)
{
    CLEANUP_FREE char *buffer = malloc(WRITE_SIZE);
    size_t length = 0;
    int result = buffer ? 0 : -ENOMEM;

    for (size_t i = 0; i < store->count && result == 0; i++) {
        char line[LINE_SIZE];
        size_t line_length = format_ban(&store->items[i], line);

        if (length + line_length > WRITE_SIZE) {
            result = write_all(fd, buffer, length);
            length = 0;
        }
        if (result == 0)
            memcpy(buffer + length, line, line_length);
        length += line_length;
    }
    return result < 0 ? result : write_all(fd, buffer, length);
}

/* The new one is on the disk before it takes the old one's place, which no crash can cut short. */
static int write_anew(struct ban_file *file, const struct ban_store *store)
{
    CLEANUP_FD int directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int fd = -1;
    int result;

    if (directory < 0)
        return -errno;
    if (unlink(NEW_FILE_NAME) < 0 && errno != ENOENT)
        return -errno;
    fd = open(NEW_FILE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    result = write_store(fd, store);
    if (result < 0)
        return result;
    if (fsync(fd) < 0 || rename(NEW_FILE_NAME, FILE_NAME) < 0 || fsync(directory) < 0)
        return -errno;
    close_fd(&file->fd);
    file->fd = TAKE_FD(fd);
    file->lines = store->count;
    file->is_unsynced = false;
    return 0;
}

static void give_up(struct ban_file *file, int error)
{
    log_error("cannot write the file of bans: they hold, and are forgotten when this worker ends",
              LOG_PROBLEM(PROBLEM_BANS_NOT_KEPT), LOG_ERROR(error),
              LOG_TEXT("remedy", "anchord ban add ADDRESS   # when there is room and it may be written: each of them "
                                 "writes the whole file anew"));
    ban_file_close(file);
}

/* What does not fit ends what is appended: the file is written anew, which says so if that fails, too. */
static void append(struct ban_file *file, const char *line, size_t length)
{
    int result = file->fd < 0 ? 0 : write_all(file->fd, line, length);

    file->lines++;
    file->is_unsynced = true;
    if (result < 0)
        ban_file_close(file);
}

void ban_file_note_ban(struct ban_file *file, const struct stored_ban *ban)
{
    char line[LINE_SIZE];

    append(file, line, format_ban(ban, line));
}

void ban_file_note_unban(struct ban_file *file, const struct wire_ban *ban)
{
    char place[IP_SUBNET_TEXT_SIZE];
    char line[LINE_SIZE];

    append(file, line, (size_t)snprintf(line, sizeof(line), "unban %s\n", format_place(ban, place)));
}

void ban_file_note_flush(struct ban_file *file)
{
    append(file, "flush\n", strlen("flush\n"));
}

void ban_file_sync(struct ban_file *file, const struct ban_store *store)
{
    int result = 0;

    if (!file->is_unsynced)
        return;
    if (file->fd < 0 || file->lines > store->count + STALE_LINES_MAX + store->count)
        result = write_anew(file, store);
    else if (fdatasync(file->fd) < 0)
        result = -errno;
    file->is_unsynced = false;
    if (result < 0)
        give_up(file, result);
}

/* Written anew at once when something in it is broken: what is appended would stand behind it. */
int ban_file_load(struct ban_file *file, struct ban_store *store)
{
    struct reading reading = {.store = store};
    int result;

    file->fd = open(FILE_NAME, O_RDWR | O_APPEND | O_CLOEXEC);
    file->is_new = file->fd < 0 && errno == ENOENT;
    if (file->is_new)
        file->fd = open(FILE_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return -errno;
    result = read_lines(file->fd, &reading);
    file->lines = reading.lines;
    if (result == 0 && reading.broken > 0) {
        log_error("the file of bans was damaged: what could be read of it is in force",
                  LOG_PROBLEM(PROBLEM_BANS_NOT_KEPT), LOG_NUMBER("broken_lines", reading.broken),
                  LOG_NUMBER("bans", store->count));
        result = write_anew(file, store);
    }
    return result;
}
