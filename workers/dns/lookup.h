/*
 * Host names without threads: c-ares on the event loop.
 *
 * Shared by the two workers that resolve a name, the watcher (the one in DOCKER_HOST) and the resolver (the gateway's).
 * Reads DNS answers; runs without any privilege. /etc/hosts, resolv.conf and nsswitch.conf are read when the lookup
 * is made, before the worker seals itself; afterwards no file is opened.
 */
#pragma once

#include "common/address.h"
#include "common/cleanup.h"

#include <systemd/sd-event.h>

/* More addresses of one answer are left out. */
#define DNS_ADDRESSES_MAX 16

struct dns_lookup;

struct dns_answer {
    const char *error; /* why there is no answer; NULL: there is one */
    size_t count;      /* of addresses; 0 without an error: the name has none of the family */
    struct ip_address addresses[DNS_ADDRESSES_MAX];
};

/* Called once per dns_lookup_start(), never from within it; `answer` is only valid during the call. */
typedef void (*dns_lookup_handler)(void *userdata, const struct dns_answer *answer);

struct dns_question {
    const char *name;
    uint8_t family;                    /* enum ip_family; IP_FAMILY_NONE asks for both */
    unsigned int timeout_milliseconds; /* of the first attempt at a server; doubles with each further one */
    unsigned int attempts;             /* per server */
    struct dns_lookup *beside;         /* shares this one's sockets, times and c-ares's 76 kB; NULL: has its own */
};

/* Makes a lookup; the question is copied. Returns 0 or a negative errno. */
int dns_lookup_new(sd_event *event, const struct dns_question *question, dns_lookup_handler handler, void *userdata,
                   struct dns_lookup **ret) __attribute__((warn_unused_result));
/* What those beside it ask ends with an error when it was asking, too. */
struct dns_lookup *dns_lookup_free(struct dns_lookup *lookup);
DEFINE_POINTER_CLEANUP(struct dns_lookup, (void)dns_lookup_free, dns_lookup_freep);

/* Starts asking; what is asked already goes on. Returns 0 or a negative errno. */
int dns_lookup_start(struct dns_lookup *lookup) __attribute__((warn_unused_result));
