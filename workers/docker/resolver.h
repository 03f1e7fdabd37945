/*
 * Host names without threads: c-ares on the event loop.
 *
 * Called by client.c for the name in DOCKER_HOST, before each (re)connect. Reads DNS answers; runs without any
 * privilege. /etc/hosts, resolv.conf and nsswitch.conf are read when the resolver is made, before the worker seals
 * itself; afterwards no file is opened.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

/* "192.0.2.1,[2001:db8::1]": the list that CURLOPT_RESOLVE takes. */
#define RESOLVED_ADDRESSES_SIZE 512

struct resolver;

/* `addresses` is NULL on failure; then `reason` says why. Called once per lookup, never from within it. */
typedef void (*resolver_handler)(void *userdata, const char *addresses, const char *reason);

/* Makes a resolver for `name`. Returns 0 or a negative errno. */
int resolver_new(sd_event *event, const char *name, resolver_handler handler, void *userdata, struct resolver **ret)
    __attribute__((warn_unused_result));
struct resolver *resolver_free(struct resolver *resolver);
DEFINE_POINTER_CLEANUP(struct resolver, (void)resolver_free, resolver_freep);

/* Starts a lookup; one that runs already goes on. Returns 0 or a negative errno. */
int resolver_start(struct resolver *resolver) __attribute__((warn_unused_result));
