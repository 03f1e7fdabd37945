/*
 * What was typed behind `anchord explain`.
 *
 * Used by explain_command.c. Pure but for what it prints.
 */
#pragma once

#include "common/address.h"

#include <stdbool.h>

enum explain_words_kind { EXPLAIN_WORDS_IN, EXPLAIN_WORDS_OUT, EXPLAIN_WORDS_CONTAINER };

struct explain_words {
    enum explain_words_kind kind;
    bool as_json;
    bool wants_help;      /* it was printed */
    unsigned int seconds; /* of --live; 0: without */
    uint8_t protocol;
    uint16_t port;
    struct ip_address from; /* may be none */
    struct ip_address to;   /* of IN: may be none */
    const char *container;  /* or an address */
};

/* False: it was said what is wrong. */
bool explain_words_parse(int argc, char **argv, struct explain_words *ret);
