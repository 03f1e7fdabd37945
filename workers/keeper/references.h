/*
 * The containers that a container refers to besides the one whose network namespace it is in: PidMode, IpcMode and
 * VolumesFrom of its HostConfig.
 *
 * Called by recreation.c, which looks at them before it changes anything, and by create_body.c. Docker looks at them
 * only when the old container has been stopped already. Pure, no privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"

#define REFERENCES_MAX 32

struct reference {
    const char *part;          /* of HostConfig; static */
    char container[NAME_SIZE]; /* a name or an ID */
    bool must_run;             /* it gives a namespace, and not only volumes */
};

struct references {
    size_t count;
    struct reference items[REFERENCES_MAX];
};

/*
 * Those of `old` that stay as they are, i.e. without those that follow the target (below). Returns 0, or -EBADMSG with
 * *ret_reason (static storage): there are too many, or one is odd.
 */
int references_read(const struct inspection *old, struct references *ret, const char **ret_reason)
    __attribute__((warn_unused_result));

/* Is `text`, a JSON string "container:REFERENCE", one to the container whose network namespace `old` is in? */
bool references_follow_mode(const struct inspection *old, struct json_slice text);

/*
 * The same of an element of VolumesFrom, "REFERENCE:mode"; `ret_mode` is what stands behind the reference, up to its
 * closing quote.
 */
bool references_follow_volumes(const struct inspection *old, struct json_slice text, struct json_slice *ret_mode);
