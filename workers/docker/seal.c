/* What a worker may still do; see seal.h. Needs no privilege. */
#include "workers/docker/seal.h"

#include "common/cleanup.h"
#include "common/sandbox.h"

#include <seccomp.h>
#include <sys/socket.h>

/* Two connections to Docker, DNS, the channels, the loop's own: a dozen are used. */
#define OPEN_FILES_MAX 64

/* libcurl and c-ares on a socket. No file is opened, no thread and no process is made. */
static const int system_calls[] = {
    SCMP_SYS(connect),     SCMP_SYS(fcntl),      SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
};

int docker_seal(const struct docker_host *host, const char **ret_step)
{
    static const int unix_families[] = {AF_UNIX};
    /* With TCP also for DNS, which is UDP first. */
    static const int tcp_families[] = {AF_INET, AF_INET6};
    bool is_tcp = host->kind == DOCKER_HOST_TCP;
    const struct sandbox_profile profile = {
        .system_calls = system_calls,
        .system_call_count = ARRAY_LENGTH(system_calls),
        .socket_families = is_tcp ? tcp_families : unix_families,
        .socket_family_count = is_tcp ? ARRAY_LENGTH(tcp_families) : ARRAY_LENGTH(unix_families),
        .open_files = OPEN_FILES_MAX,
        .may_connect_tcp = is_tcp,
        .readable_paths = NULL,
    };

    return sandbox_seal(&profile, ret_step);
}
