/*
 * anchord-announcer: tells the neighbours on LAN and shared network which addresses are ours (ADDR-12, ADDR-13, GW-1).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. Its raw sockets come
 * from the supervisor, who could open them; it opens none itself, reads no file and runs nothing (DESIGN §1).
 */
#include "protocol/supervised.h"
#include "workers/announcer/announcer.h"

#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, a timer, two raw sockets, netadmin's channel; for a moment a successor of
 * each of the last three. */
#define OPEN_FILES_MAX 16

/* Besides what every process needs (common/sandbox.c): the raw sockets come after the seal and are set up then. */
static const int system_calls[] = {SCMP_SYS(bind), SCMP_SYS(setsockopt)};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static int run(sd_event *event)
{
    CLEANUP(announcer_freep) struct announcer *announcer = NULL;

    if (announcer_new(event, &announcer) < 0)
        return EXIT_STATUS_CRASH;
    if (supervised_seal(&profile) < 0)
        return EXIT_STATUS_SANDBOX;
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("announcer", 0, NULL, run);
}
