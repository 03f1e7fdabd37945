/* Rules of the messages of messages_gate.h; see validate.c. Pure, runs in every process. */
#pragma once

/* Each returns NULL, or the rule that the message breaks. */
const char *check_configure_gate(const void *message);
const char *check_gate_listener(const void *message);
