/*
 * What a container publishes on the host, as exposures of the project's address (HOST-3).
 *
 * Called by container_table.c for each container and whenever the parent's addresses change. Pure; reads what Docker
 * says; runs without any privilege.
 *
 * Docker tells of every port and every address of the host by itself, in no order. Joined to ranges they are kept as
 * bindings; which of those are exposed depends on the addresses of the parent. A port of the host becomes the same port
 * of the project's address; a family that was not published is not exposed.
 */
#pragma once

#include "protocol/expose_label.h"
#include "workers/docker/records.h"

/* Ports of one address of the host that lead to as many of the container. */
struct published_binding {
    struct ip_address address; /* as of struct docker_port */
    uint8_t protocol;          /* likewise */
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first;
};

/*
 * Joins `ports` to *ret, sorted by address, protocol and port; the caller frees *ret (NULL without a port). Returns how
 * many there are, or -ENOMEM.
 */
int published_bindings_make(const struct docker_port *ports, size_t count, struct published_binding **ret)
    __attribute__((warn_unused_result));

enum published_fault {
    PUBLISHED_ON_LOOPBACK, /* whoever publishes there wants nobody on the LAN to come */
    PUBLISHED_ELSEWHERE,   /* on an address that is none of the parent's: of a VPN, say */
    PUBLISHED_BY_OTHER,    /* SCTP or the like */
    PUBLISHED_TWICE,       /* the port leads elsewhere already: one of several addresses of the parent */
};

struct published_withheld {
    enum published_fault fault;
    struct published_binding binding;
};

/* Both arrays are the caller's, to be given to published_release(); all zero: none. */
struct published {
    struct expose_range *ranges; /* sorted by protocol and port; those of one port differ in their families */
    size_t range_count;
    struct published_withheld *withheld; /* in the order of the bindings, PUBLISHED_TWICE last */
    size_t withheld_count;
};

void published_release(struct published *published);

/* What of `bindings` is exposed when the parent has these addresses. Returns 0 or -ENOMEM, *ret is untouched then. */
int published_expose(const struct published_binding *bindings, size_t binding_count, const struct ip_address *parent,
                     size_t parent_count, struct published *ret) __attribute__((warn_unused_result));

/* For people: static storage. */
const char *published_fault_to_string(enum published_fault fault);
