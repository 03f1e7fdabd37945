/*
 * What TLS to Docker needs, as PEM texts: the files of DOCKER_CERT_PATH (SPEC §10).
 *
 * Read by watcher and keeper from descriptors of the supervisor, by `anchord doctor` from the files, before they seal
 * themselves; handed to transport.c. No privilege.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

struct docker_credentials {
    char *texts[DOCKER_CREDENTIAL_MAX_]; /* by enum docker_credential; NULL: none */
    size_t lengths[DOCKER_CREDENTIAL_MAX_];
};

/* Overwrites the key, then frees. */
void docker_credentials_release(struct docker_credentials *credentials);

/* Reads the whole file, at most DOCKER_CREDENTIAL_LENGTH_MAX bytes. Returns 0 or a negative errno. */
int docker_credentials_read(struct docker_credentials *credentials, enum docker_credential kind, int descriptor)
    __attribute__((warn_unused_result));

bool docker_credentials_are_complete(const struct docker_credentials *credentials);
