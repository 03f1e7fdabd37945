/* What TLS to Docker needs; see credentials.h. Runs without any privilege. */
#include "workers/docker/credentials.h"

#include "common/cleanup.h"

#include <string.h>
#include <unistd.h>

static void release_one(struct docker_credentials *credentials, size_t kind)
{
    if (credentials->texts[kind])
        explicit_bzero(credentials->texts[kind], credentials->lengths[kind]);
    free(credentials->texts[kind]);
    credentials->texts[kind] = NULL;
    credentials->lengths[kind] = 0;
}

void docker_credentials_release(struct docker_credentials *credentials)
{
    for (size_t i = 0; i < DOCKER_CREDENTIAL_MAX_; i++)
        release_one(credentials, i);
}

int docker_credentials_read(struct docker_credentials *credentials, enum docker_credential kind, int descriptor)
{
    size_t length = 0;
    ssize_t count;

    release_one(credentials, kind);
    credentials->texts[kind] = calloc(1, DOCKER_CREDENTIAL_LENGTH_MAX + 1); /* PEM for mbedTLS ends with a NUL */
    if (!credentials->texts[kind])
        return -ENOMEM;
    do {
        count = read(descriptor, credentials->texts[kind] + length, DOCKER_CREDENTIAL_LENGTH_MAX - length);
        if (count < 0)
            return -errno;
        length += (size_t)count;
    } while (count > 0);
    credentials->lengths[kind] = length;
    return length > 0 ? 0 : -ENODATA;
}

bool docker_credentials_are_complete(const struct docker_credentials *credentials)
{
    for (size_t i = DOCKER_CREDENTIAL_CA; i < DOCKER_CREDENTIAL_MAX_; i++) {
        if (credentials->lengths[i] == 0)
            return false;
    }
    return true;
}
