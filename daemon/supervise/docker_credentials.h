/*
 * The files of DOCKER_CERT_PATH (SPEC §10): what TLS to Docker needs.
 *
 * Called by worker.c before each start of watcher or keeper, as root: they may open no file, so they get them as
 * descriptors. A renewed certificate is read at the next start.
 */
#pragma once

#include "protocol/messages.h"

/* Opened for reading only; -1: not opened. By enum docker_credential. */
struct docker_credentials {
    int descriptors[DOCKER_CREDENTIAL_MAX_];
};

void docker_credentials_close(struct docker_credentials *files);

/*
 * Opens ca.pem, cert.pem and key.pem in `directory`; logs every file that cannot be used with the reason, its mode and
 * its owner. Returns 0, or a negative errno with nothing open.
 */
int docker_credentials_open(const char *directory, struct docker_credentials *ret) __attribute__((warn_unused_result));
