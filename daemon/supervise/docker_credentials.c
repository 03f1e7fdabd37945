/* The files of DOCKER_CERT_PATH; see docker_credentials.h. Runs in the supervisor, as root. */
#include "daemon/supervise/docker_credentials.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "protocol/problems.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* Docker's names for them: https://docs.docker.com/engine/security/protect-access/ */
static const char *const names[DOCKER_CREDENTIAL_MAX_] = {
    [DOCKER_CREDENTIAL_CA] = "ca.pem",
    [DOCKER_CREDENTIAL_CERTIFICATE] = "cert.pem",
    [DOCKER_CREDENTIAL_KEY] = "key.pem",
};

void docker_credentials_close(struct docker_credentials *files)
{
    for (size_t i = DOCKER_CREDENTIAL_CA; i < DOCKER_CREDENTIAL_MAX_; i++)
        close_fd(&files->descriptors[i]);
}

static int check_file(const char *path, int descriptor)
{
    struct stat status;
    const char *wrong = NULL;
    char mode[8];

    if (fstat(descriptor, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        wrong = "it is no file: Docker makes a directory there when the path of a bind mount does not exist";
    else if (status.st_size == 0 || status.st_size > DOCKER_CREDENTIAL_LENGTH_MAX)
        wrong = "it is empty, or too long for a certificate";
    if (!wrong)
        return 0;
    (void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)(status.st_mode & ALLPERMS));
    log_error("a file of DOCKER_CERT_PATH cannot be used", LOG_PROBLEM(PROBLEM_DOCKER_AWAY), LOG_TEXT("path", path),
              LOG_TEXT("mode", mode), LOG_NUMBER("owner", status.st_uid), LOG_ERROR_TEXT(wrong));
    return -EINVAL;
}

/* Returns the descriptor or a negative errno. */
static int open_file(const char *directory, const char *name)
{
    char path[DOCKER_HOST_SIZE + sizeof("/cert.pem")];
    CLEANUP_FD int descriptor = -1;
    struct stat status = {0};
    char mode[8];
    int result;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        result = -errno;
        (void)stat(path, &status); /* zero when it is not there */
        (void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)(status.st_mode & ALLPERMS));
        log_error("a file of DOCKER_CERT_PATH cannot be opened", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
                  LOG_TEXT("path", path), LOG_TEXT("mode", mode), LOG_NUMBER("owner", status.st_uid),
                  LOG_ERROR(result));
        return result;
    }
    result = check_file(path, descriptor);
    return result < 0 ? result : TAKE_FD(descriptor);
}

int docker_credentials_open(const char *directory, struct docker_credentials *ret)
{
    int result = 0;

    for (size_t i = 0; i < DOCKER_CREDENTIAL_MAX_; i++)
        ret->descriptors[i] = -1;
    for (size_t i = DOCKER_CREDENTIAL_CA; i < DOCKER_CREDENTIAL_MAX_; i++) {
        int descriptor = open_file(directory, names[i]);

        if (descriptor < 0)
            result = descriptor;
        else
            ret->descriptors[i] = descriptor;
    }
    if (result < 0)
        docker_credentials_close(ret);
    return result;
}
