/*
 * What the supervisor pins of a request, percent-encoded as libcurl writes it, so that it is compared byte by byte.
 *
 * Made once from CONFIGURE_GATE; read by table.c for each request. Pure, runs without any privilege.
 */
#pragma once

#include "protocol/messages.h"

/* Of a text of `size` bytes: each may become \u00XX in JSON, and each of those six %XX at the worst. */
#define SCOPE_ENCODED_SIZE(size_) ((size_)*8 + LABEL_SELECTOR_PAIRS_MAX * 16 + 256)

struct scope {
    char labels[SCOPE_ENCODED_SIZE(LABEL_SELECTOR_SIZE)]; /* "label":["a=b","c"] */
    char own[256];                                        /* {"id":["8dfa…"]}, or {} as long as it is not known */
    char follow_labels[SCOPE_ENCODED_SIZE(2 * NAME_SIZE)];
    char follow_network[SCOPE_ENCODED_SIZE(NAME_SIZE)]; /* as a word of JSON, without its quotes */
    char follow_network_path[SCOPE_ENCODED_SIZE(NAME_SIZE)];
    char follow_target_path[SCOPE_ENCODED_SIZE(NAME_SIZE)];
};

/* Returns 0, or -ENAMETOOLONG. */
int scope_make(const struct message_configure_gate *configuration, struct scope *ret)
    __attribute__((warn_unused_result));
