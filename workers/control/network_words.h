/*
 * What netadmin found on the links and on the LAN, in words: for status as it holds, for the log once when it comes.
 *
 * Used by control.c and bus_object.c in anchord-control. netadmin tells facts alone; no privilege.
 */
#pragma once

#include "protocol/messages.h"
#include "protocol/problems.h"

#include <stdbool.h>

/* Of addresses that a router can repeat under other names only powers of two are logged. */
struct network_words {
    uint64_t ever[NETWORK_PROBLEM_KIND_MAX_];
};

/* Logs what `now` says and `before`, the report until then, did not: links found and missing, problems that came. */
void network_words_log(struct network_words *words, const struct message_network_report *before,
                       const struct message_network_report *now);

#define NETWORK_WORDS_SIZE 256

/* One line for status, and which problem that is; of some the registry's title says all, and the line is empty. */
enum problem network_words_describe(const struct wire_network_problem *problem, char ret[NETWORK_WORDS_SIZE]);
