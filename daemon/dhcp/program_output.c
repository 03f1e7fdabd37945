/* A foreign program's output in our log; see program_output.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/program_output.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define OUTPUT_LINE_MAX 400

struct program_output {
    sd_event_source *source;
    int fd;
    const char *message;
    const char *family;
    program_output_judge judge;
    void *userdata;
    size_t length;
    char line[OUTPUT_LINE_MAX + 1];
};

static void log_line(struct program_output *output)
{
    enum log_level level;

    if (output->length == 0)
        return;
    output->line[output->length] = '\0';
    output->length = 0;
    level = output->judge(output->line, output->userdata);
    log_at(level, output->message, LOG_TEXT("family", output->family), LOG_TEXT("text", output->line));
}

/* A line that is too long goes on as another one. */
static void take(struct program_output *output, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n' || output->length == OUTPUT_LINE_MAX)
            log_line(output);
        if (bytes[i] == '\0')
            output->line[output->length++] = ' '; /* a NUL hides nothing */
        else if (bytes[i] != '\n')
            output->line[output->length++] = bytes[i];
    }
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    char bytes[4096];
    ssize_t count = read(fd, bytes, sizeof(bytes));

    (void)events;
    if (count > 0)
        take(userdata, bytes, (size_t)count);
    else if (count == 0 || (errno != EAGAIN && errno != EINTR))
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF); /* the other end is closed */
    return 0;
}

struct program_output *program_output_free(struct program_output *output)
{
    char bytes[4096];
    ssize_t count;

    if (!output)
        return NULL;
    count = output->fd >= 0 ? read(output->fd, bytes, sizeof(bytes)) : 0; /* the last words of one that just died */
    if (count > 0)
        take(output, bytes, (size_t)count);
    log_line(output);
    sd_event_source_disable_unref(output->source);
    close_fd(&output->fd);
    free(output);
    return NULL;
}

int program_output_new(sd_event *event, const char *message, const char *family, program_output_judge judge,
                       void *userdata, struct program_output **ret, int *ret_write_end)
{
    CLEANUP(program_output_freep) struct program_output *output = calloc(1, sizeof(*output));
    CLEANUP_FD int write_end = -1;
    int ends[2];
    int result;

    if (!output)
        return -ENOMEM;
    output->fd = -1;
    output->message = message;
    output->family = family;
    output->judge = judge;
    output->userdata = userdata;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    output->fd = ends[0];
    write_end = ends[1];
    if (fcntl(output->fd, F_SETFL, O_NONBLOCK) < 0) /* the writer's end may block: it shall not lose a line */
        return -errno;
    if (fchmod(write_end, 0222) < 0) /* for one that opens /proc/self/fd/1 as its log, as another user */
        return -errno;
    result = sd_event_add_io(event, &output->source, output->fd, EPOLLIN, on_readable, output);
    if (result == 0) /* what it said is older than what it did */
        result = sd_event_source_set_priority(output->source, SD_EVENT_PRIORITY_NORMAL - 1);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(output);
    *ret_write_end = TAKE_FD(write_end);
    return 0;
}
