/*
 * Looks at every container of the host that lives in another one's network namespace (SPEC §9).
 *
 * Called by main.c. Talks to Docker and only reads; runs without any privilege. One container that cannot be looked at
 * concerns itself.
 */
#pragma once

#include "workers/commands/doctor/findings.h"
#include "workers/docker/client.h"

struct survey_failure {
    char text[384];
    bool is_connecting; /* Docker was never reached */
};

/*
 * Runs `event`, which is `client`'s, until the survey is over. Returns 0, or a negative errno with *ret_failure;
 * `findings` then holds what was found before. The caller releases it.
 */
int survey_run(sd_event *event, struct docker_client *client, struct findings *findings,
               struct survey_failure *ret_failure) __attribute__((warn_unused_result));
