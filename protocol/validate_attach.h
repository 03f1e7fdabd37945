/* Rules of the messages of messages_attach.h; see validate.c. Pure, runs in every process. */
#pragma once

#include "protocol/messages.h"

/* Of several messages: `count` subnets of at most `maximum`, and zero behind them. */
const char *check_subnets(const struct wire_link_address *subnets, uint32_t count, uint32_t maximum);

/* Each returns NULL, or the rule that the message breaks. */
const char *check_configure_namespaces(const void *message);
const char *check_namespace_wanted(const void *message);
const char *check_namespace_left(const void *message);
const char *check_namespace_answer(const void *message);
const char *check_namespace_gone(const void *message);
const char *check_configure_links(const void *message);
const char *check_identity(const void *message);
const char *check_bridges(const void *message);
const char *check_link_answer(const void *message);
const char *check_guarded(const void *message);
const char *check_welcome(const void *message);
const char *check_host_worker_started(const void *message);
const char *check_meeting_link(const void *message);
const char *check_shared_links(const void *message);
const char *check_host_addresses(const void *message);
const char *check_project_addresses(const void *message);
