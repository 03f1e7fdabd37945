/* Where Docker listens; see docker_access.h. No privilege. */
#include "workers/commands/doctor/docker_access.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <fcntl.h>
#include <stdio.h>

void docker_access_release(struct docker_access *access)
{
    docker_credentials_release(&access->credentials);
}

/* Docker's names for them: https://docs.docker.com/engine/security/protect-access/ */
static int read_credentials(const char *directory, struct docker_credentials *credentials,
                            char text[DOCKER_ACCESS_TEXT_SIZE])
{
    static const char *const names[DOCKER_CREDENTIAL_MAX_] = {
        [DOCKER_CREDENTIAL_CA] = "ca.pem",
        [DOCKER_CREDENTIAL_CERTIFICATE] = "cert.pem",
        [DOCKER_CREDENTIAL_KEY] = "key.pem",
    };

    for (enum docker_credential kind = DOCKER_CREDENTIAL_CA; kind < DOCKER_CREDENTIAL_MAX_; kind++) {
        char path[DOCKER_HOST_SIZE + sizeof("/cert.pem")];
        CLEANUP_FD int file = -1;
        int result;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[kind]);
        file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        result = file < 0 ? -errno : docker_credentials_read(credentials, kind, file);
        if (result == 0)
            continue;
        (void)snprintf(text, DOCKER_ACCESS_TEXT_SIZE, "%.160s: %s; it is in DOCKER_CERT_PATH, and TLS needs it", path,
                       log_errno_text(result));
        return result;
    }
    return 0;
}

int docker_access_read(struct docker_access *ret, const char **ret_what, char text[DOCKER_ACCESS_TEXT_SIZE])
{
    const char *docker_host = getenv("DOCKER_HOST");
    const char *directory = getenv("DOCKER_CERT_PATH");
    const char *reason = "it is not set";
    int result = docker_host ? docker_host_parse(docker_host, &ret->host, &reason) : -EINVAL;

    *ret_what = "DOCKER_HOST";
    if (result < 0) {
        (void)snprintf(text, DOCKER_ACCESS_TEXT_SIZE, "%s", reason);
        return result;
    }
    if (!directory)
        return 0;
    *ret_what = "DOCKER_CERT_PATH";
    result = read_credentials(directory, &ret->credentials, text);
    ret->host.credentials = &ret->credentials;
    return result;
}
