/* The networks that are closed after a boot; see closed_networks.h. Runs in the supervisor, as root. */
#include "daemon/role/closed_networks.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "protocol/problems.h"
#include "protocol/validate.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "closed-networks"

/* Returns whether files are kept here. */
static bool make_path(const char *suffix, char ret[PATH_MAX])
{
    const char *directory = getenv("STATE_DIRECTORY");

    return directory && directory[0] == '/' && !strchr(directory, ':') &&
           snprintf(ret, PATH_MAX, "%s/" FILE_NAME "%s", directory, suffix) < PATH_MAX;
}

static void say(const char *operation, const char *path, int result)
{
    log_warn("what the guard closes after a boot is not kept: it closes when Docker has told",
             LOG_TEXT("operation", operation), LOG_TEXT("path", path), LOG_ERROR(result));
}

bool closed_networks_read(struct message_bridges *ret)
{
    _Alignas(8) unsigned char bytes[sizeof(*ret) + 1];
    const char *reason = NULL;
    char path[PATH_MAX];
    CLEANUP_FD int fd = -1;
    ssize_t length;

    if (!make_path("", path))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return false;
    length = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    if (length < 0) {
        say("read", path, -errno);
        return false;
    }
    /* As if a process had sent it: a newer or older version's is none. */
    if (message_validate(DIRECTION_SUPERVISOR_TO_LINKS, bytes, (size_t)length, 0, &reason) < 0 ||
        ((const struct message_header *)(const void *)bytes)->type != MESSAGE_BRIDGES) {
        say(reason ? reason : "read", path, -EBADMSG);
        return false;
    }
    memcpy(ret, bytes, sizeof(*ret));
    return true;
}

void closed_networks_write(const struct message_bridges *message)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    CLEANUP_FD int fd = -1;
    ssize_t written;

    if (!make_path("", path) || !make_path(".new", temporary))
        return;
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    written = fd < 0 ? -1 : write(fd, message, sizeof(*message));
    if (written >= 0 && (size_t)written != sizeof(*message))
        say("write", path, -ENOSPC);
    else if (written < 0 || fsync(fd) < 0 || rename(temporary, path) < 0)
        say("write", path, -errno);
}
