/* How the unit tests of Docker's answers feed a parser: in two pieces, as a socket may hand them over, and the end. */
#pragma once

#include "workers/docker/records.h"

#include <string.h>

/* Returns what the parser says, 0 or a negative errno. */
static inline int docker_feed_cut(struct docker_parser *parser, const char *text, size_t length, size_t cut)
{
    int result = docker_parser_feed(parser, text, cut);

    if (result == 0)
        result = docker_parser_feed(parser, text + cut, length - cut);
    return result < 0 ? result : docker_parser_finish(parser);
}

static inline int docker_feed(struct docker_parser *parser, const char *text)
{
    return docker_feed_cut(parser, text, strlen(text), strlen(text) / 2);
}
