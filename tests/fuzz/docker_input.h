/*
 * What the fuzz targets of Docker's answers have in common: input split at odd places, and a digest of the records
 * that came out. However the bytes are split, the same records must come out.
 */
#pragma once

#include "workers/docker/records.h"

#include <stdlib.h>
#include <string.h>

struct digest {
    uint64_t value;
    size_t records;
};

/* FNV-1a, 64 bits (RFC 9923): good enough to see a difference. */
static inline void digest_add(struct digest *digest, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        digest->value = (digest->value ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
}

/* A text in a field of `size` bytes; one without an end is the fault that we look for. */
static inline void digest_add_text(struct digest *digest, const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
    digest_add(digest, text, strlen(text) + 1);
}

static inline void digest_add_labels(struct digest *digest, const struct docker_label labels[DOCKER_LABELS_MAX])
{
    for (size_t i = 0; i < DOCKER_LABELS_MAX; i++) {
        digest_add(digest, &labels[i].is_present, sizeof(labels[i].is_present));
        if (labels[i].is_present)
            digest_add_text(digest, labels[i].text, sizeof(labels[i].text));
    }
}

/* Feeds `bytes` in pieces of `step`, each in memory of its own size. Returns what feeding and finishing returned. */
static inline int feed_in_pieces(struct docker_parser *parser, const uint8_t *bytes, size_t length, size_t step)
{
    int result = 0;

    for (size_t offset = 0; offset < length && result == 0; offset += step) {
        size_t size = length - offset < step ? length - offset : step;
        uint8_t *piece = malloc(size);

        if (!piece)
            abort();
        memcpy(piece, bytes + offset, size);
        result = docker_parser_feed(parser, piece, size);
        free(piece);
    }
    return result < 0 ? result : docker_parser_finish(parser);
}

/* Reads `bytes` in one piece as an answer of Docker's. Returns 0, or a negative errno for one that is no JSON. */
static inline int read_document(const void *bytes, size_t length, struct docker_document *ret)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    int result;

    if (docker_parser_new_document(ret, &parser) < 0)
        abort();
    result = docker_parser_feed(parser, bytes, length);
    return result < 0 ? result : docker_parser_finish(parser);
}
