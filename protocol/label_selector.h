/*
 * ANCHORD_LABEL_SELECTOR as a value (DISC-2): the labels that a container must carry to be in scope.
 *
 * Called by the supervisor, which refuses a wrong one before anything starts and tells the gate its scope, by watcher
 * and keeper, and by the parsers of workers/docker. Pure; no privilege. A fuzz target.
 *
 *     selector = entry *( "," entry )         white space may stand around `,` and `=`
 *     entry    = key "=" [ value ]            `key=` matches the empty value
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABEL_SELECTOR_SIZE      1024 /* of the text, with the NUL */
#define LABEL_SELECTOR_PAIRS_MAX 16

struct label_selector {
    size_t count; /* 0: there is none */
    /* Where each key and value begins in `text`; they end with a NUL. */
    struct {
        uint16_t key;
        uint16_t value;
    } pairs[LABEL_SELECTOR_PAIRS_MAX];
    char text[LABEL_SELECTOR_SIZE];
};

struct label_selector_error {
    char entry[128];    /* the one that is wrong; cut when it is longer */
    const char *reason; /* static storage */
};

/*
 * Parses `text`, which is not empty. A pair that stands twice counts once. Returns 0, or -EINVAL with *ret_error:
 * an entry without `=`, an empty key, a key with two values, too many pairs, too long. *ret is all zero then.
 */
int label_selector_parse(const char *text, struct label_selector *ret, struct label_selector_error *ret_error)
    __attribute__((warn_unused_result));

const char *label_selector_key(const struct label_selector *selector, size_t index);
const char *label_selector_value(const struct label_selector *selector, size_t index);

/*
 * Docker writes a container's name and image over labels of these keys in its events (moby daemon/events.go,
 * LogContainerEventWithAttributes): events cannot be judged, nor filtered, by a selector that has one.
 */
bool label_selector_is_key_lost_in_events(const char *key);
bool label_selector_is_lost_in_events(const struct label_selector *selector);
/* What such events are filtered by instead: the label that every container with an entry carries. */
#define LABEL_SELECTOR_INSTEAD "anchord.expose"

/*
 * Which pairs a label of `key` and `value` (`length` bytes) satisfies, as bits; a container is selected when all
 * its labels together satisfy label_selector_all().
 */
uint32_t label_selector_match(const struct label_selector *selector, const char *key, const char *value, size_t length);
uint32_t label_selector_all(const struct label_selector *selector);
