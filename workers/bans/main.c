/*
 * anchord-bans: who may not come in (GUEST-2).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3, in the directory of its
 * file. Its listening sockets come from the supervisor. Whatever its peers make of it, it can ban, and nothing else.
 */
#include "protocol/supervised.h"
#include "workers/bans/bans.h"

#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, two timers, two listeners, netadmin and a successor, the file and the next
 * one, its directory, 32 clients and one more. */
#define OPEN_FILES_MAX 56
/* 131,072 lines of 160 bytes, twice: while it is written anew. */
#define FILE_SIZE_MAX (UINT64_C(64) * 1024 * 1024)

/* Besides what every process needs (common/sandbox.c): its clients, and its file. */
static const int system_calls[] = {
    SCMP_SYS(accept4), SCMP_SYS(openat),   SCMP_SYS(fsync),     SCMP_SYS(fdatasync),
    SCMP_SYS(unlink),  SCMP_SYS(unlinkat), SCMP_SYS(rename),    SCMP_SYS(renameat),
    SCMP_SYS(fcntl),   SCMP_SYS(fstat),    SCMP_SYS(renameat2), SCMP_SYS(newfstatat),
};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
    .file_size = FILE_SIZE_MAX,
};

static int run(sd_event *event)
{
    CLEANUP(bans_freep) struct bans *bans = NULL;

    if (bans_new(event, &bans) < 0)
        return EXIT_STATUS_CRASH;
    if (supervised_seal(&profile) < 0)
        return EXIT_STATUS_SANDBOX;
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("bans", 0, NULL, run);
}
