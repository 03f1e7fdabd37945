/* Writes the records; see look_report.h. Runs without any privilege. */
#include "workers/commands/look/look_report.h"

#include "common/sandbox.h"

#include <errno.h>
#include <unistd.h>

int look_report(const struct look_record *record)
{
    const char *bytes = (const char *)record;
    size_t length = sizeof(*record);

    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);

        if (written < 0)
            return -errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

int look_report_end(int error, const char *text)
{
    struct look_record record = {.kind = LOOK_END, .error = error};

    text_copy_cut(record.text, sizeof(record.text), text);
    return look_report(&record) < 0 || error < 0 ? EXIT_STATUS_CONFIGURATION : EXIT_STATUS_CLEAN;
}
