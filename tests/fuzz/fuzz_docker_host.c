/* Fuzz target: DOCKER_HOST (workers/docker/host). What is accepted can be connected to. */
#include "tests/fuzz/target.h"
#include "workers/docker/host.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct docker_host *host)
{
    if (host->kind == DOCKER_HOST_UNIX) {
        if (host->path[0] != '/' || !memchr(host->path, '\0', sizeof(host->path)))
            abort();
        return;
    }
    if (host->kind != DOCKER_HOST_TCP || host->name[0] == '\0' || !memchr(host->name, '\0', sizeof(host->name)) ||
        host->port == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = malloc(length + 1);
    const char *reason = NULL;
    struct docker_host host;

    if (!text)
        return 0;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    if (docker_host_parse(text, &host, &reason) == 0)
        check(&host);
    else if (!reason)
        abort();
    free(text);
    return 0;
}
