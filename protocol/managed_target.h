/*
 * What belongs to a managed service-anchor as it is configured (messages_keeper.h): names, environment, labels
 * (LIFE-2).
 *
 * Used by the supervisor, which makes it of ANCHORD_MANAGED_SA_…, by the protocol's check, by the keeper, and by the
 * watcher, which knows them by their label. Pure, no privilege.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

/* What says that a container is one of them; workers/gate/table.c has it, too. */
#define LABEL_MANAGED_BY "anchord.managed-by"
#define MANAGED_BY       "f45"
/* What names the container whose namespace another one has joined (LIFE-3), as with the service-anchors of a wrapped
 * project; workers/gate/table.c has it, too. */
#define LABEL_TARGET "anchord.target"

/* What Docker calls a container: moby daemon/names/names.go, RestrictedNameChars. */
bool container_name_is_valid(const char *name);

/* Adds one; `key_length` bytes of `key`. Returns 0; -EINVAL: an empty key, or one with '='; -EEXIST; -ENOSPC. */
int assignments_add(struct assignments *assignments, const char *key, size_t key_length, const char *value,
                    size_t value_length) __attribute__((warn_unused_result));

/* The first one (`previous` NULL), or the one behind `previous`; NULL: there is no more. */
const char *assignments_next(const struct assignments *assignments, const char *previous);

bool assignments_have(const struct assignments *assignments, const char *key, size_t key_length);

/* NULL, or the rule that is broken (static storage). */
const char *assignments_check(const struct assignments *assignments);

/* A label that is Compose's or our own: by it others would take the container for what it is not. */
bool managed_label_is_reserved(const char *key, size_t key_length);
