/*
 * The labels `anchord.expose` (DISC-3, NAT-5), `anchord.expose.v6` (NAT-7) and `anchord.expose.when` (DISC-7) as
 * values.
 *
 * Called by the watcher for each new container, and by `anchord doctor files`. Pure; reads what anybody may write into
 * a Compose file; runs without any privilege. A fuzz target.
 *
 *     label = [ item *( "," item ) ]         white space may stand around every token
 *     item  = ( "tcp" / "udp" ) "/" ports [ ":" ports ]      any case
 *     ports = number [ "-" number ]          1 … 65535; both sides of the colon are equally long
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* More than a label of DOCKER_LABEL_SIZE bytes can name. */
#define EXPOSE_RANGES_MAX 2048

/* External ports port_first … port_last go to backend_port_first …, one to one. */
struct expose_range {
    uint8_t protocol;         /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t missing_families; /* 1 << FAMILY_INDEX_…: not exposed there; a label's are in both (published.h) */
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first;
};

struct expose_error {
    size_t position; /* of the byte where the fault begins, counted from 1 */
    const char *reason;
};

/*
 * Parses `label` into *ret, sorted by protocol and port, without overlaps; the caller frees *ret (NULL when there
 * is nothing to expose). Returns the number of ranges; -EINVAL with *ret_error, or -ENOMEM; *ret is untouched then.
 */
int expose_label_parse(const char *label, struct expose_range **ret, struct expose_error *ret_error)
    __attribute__((warn_unused_result));

/* 1 for `auto` (or an empty value), 0 for `off`, any case, white space around it; -EINVAL otherwise. */
int expose_v6_label_parse(const char *label) __attribute__((warn_unused_result));

/* 1 for `healthy`, 0 for `started` (or an empty value), alike; -EINVAL otherwise. */
int expose_when_label_parse(const char *label) __attribute__((warn_unused_result));
