/* Rules of the messages of messages_way.h; see validate.c. Pure, runs in every process. */
#pragma once

/* Each returns NULL, or the rule that the message breaks. */
const char *check_configure_way(const void *message);
const char *check_way_socket(const void *message);
const char *check_configure_resolver(const void *message);
const char *check_gateways(const void *message);
