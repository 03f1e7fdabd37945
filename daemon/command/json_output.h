/*
 * The few steps of yajl's generator that the commands with --json share. It keeps its first error and refuses
 * everything after it: whoever asks for its output, at the end, hears of it.
 *
 * Used by the commands, as whoever typed them; header only.
 */
#pragma once

#include "common/cleanup.h"

#include <string.h>
#include <yajl/yajl_gen.h>

DEFINE_POINTER_CLEANUP(struct yajl_gen_t, yajl_gen_free, yajl_gen_freep);

/* A string, or null without one. */
static inline void json_text(yajl_gen generator, const char *text)
{
    if (text)
        (void)yajl_gen_string(generator, (const unsigned char *)text, strlen(text));
    else
        (void)yajl_gen_null(generator);
}

/* "name": "text", or null without one. */
static inline void json_member(yajl_gen generator, const char *name, const char *text)
{
    json_text(generator, name);
    json_text(generator, text);
}
