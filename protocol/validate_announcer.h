/* Rules of the messages from and to the announcer; see validate.c. Pure, runs in every process. */
#pragma once

/* Each returns NULL, or the rule that the message breaks. */
const char *check_configure_announcer(const void *message);
const char *check_raw_socket(const void *message);
const char *check_held(const void *message);
const char *check_probe(const void *message);
const char *check_probed(const void *message);
