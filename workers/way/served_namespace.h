/*
 * One network namespace that is served: its links, and per family the gateway, the routes and rules that lead there,
 * put back whoever takes them away (SA-2); under attach the gateway's MAC address and the marks of published ports, too
 * (HOST-2, HOST-4, HOST-5).
 *
 * Owned by way.c inside anchord-way with CAP_NET_ADMIN. Each namespace has its own sockets and its own struct; there is
 * nothing that two share. It says its decisions in the log.
 *
 * Containers may do in their namespaces what they like, with CAP_NET_ADMIN also to its tables and to our sockets there.
 * That costs the others a small part of the time: what took long rests for many times as long.
 *
 * Level-triggered: a notification only says that something differs; then links and addresses are read, and what is
 * wanted is compared with what the kernel has. Our own changes come back as notifications too, so that one reading
 * follows the last change and finds nothing left to do.
 */
#pragma once

#include "common/cleanup.h"
#include "workers/netlink/network/own_routes.h"
#include "workers/way/gateway_answer.h"

#include <libmnl/libmnl.h>
#include <systemd/sd-event.h>

/* One family's way. A family whose gateway was never known is left as Docker made it. From its first gateway on, table
 * and rules stay until the ordered stop: without a usable gateway nothing of it leaves. */
struct family_way {
    struct own_routes own;
    struct gateway_answers answers; /* the last good ones; count 0 until the first */
    bool reported_several;
    bool reported_others;
    bool is_left_alone;        /* its default route leads over no bridge of Docker's */
    bool is_known;             /* the two below were decided once */
    struct ip_address gateway; /* of no family: none is on link */
    uint32_t link_index;       /* that leads there, if it is up; else 0 */
    char neighbour_failure[REQUEST_FAILURE_SIZE];
};

struct served_namespace;

struct served_namespace_callbacks {
    /* Everything was read and compared anew. The handler must not free the namespace. */
    void (*on_changed)(struct served_namespace *served, void *userdata);
    void *userdata;
};

/* Netlink sockets of the namespace, not bound. */
struct served_sockets {
    int requests;
    int monitor; /* does not block */
    int filter;  /* to nfnetlink; -1 unless attached */
};

struct served_namespace {
    struct served_namespace_callbacks callbacks;
    uint32_t number; /* by which the log names it */
    struct rtnetlink *rtnetlink;
    struct rtnetlink *filter;            /* NULL unless attached: then the gateway is on no link's subnet */
    const struct mac_address *inner_mac; /* of the identity's links; ours alone */
    bool has_marks;
    char marks_failure[REQUEST_FAILURE_SIZE];
    struct mnl_socket *monitor;
    sd_event_source *monitor_source;
    sd_event_source *filter_source; /* NULL unless attached: the filter hears of changes, too */
    sd_event_source *rest_source;   /* the end of a rest, in which neither of the two is heard */
    sd_event_source *timer_source;  /* next try of what failed */
    unsigned int retries;           /* since something failed last */
    bool is_stale;                  /* a notification said so */
    struct link_table links;
    char links_failure[REQUEST_FAILURE_SIZE];
    struct family_way families[FAMILY_INDEX_MAX_];
};

/*
 * Takes over the descriptors, which become -1; after a failure perhaps not all of them. `inner_mac` must outlive it.
 * Joins `event`; changes nothing yet. Returns 0 or a negative errno.
 */
int served_namespace_new(sd_event *event, struct served_sockets *sockets, const struct mac_address *inner_mac,
                         const struct served_namespace_callbacks *callbacks, struct served_namespace **ret)
    __attribute__((warn_unused_result));

/* Frees; leaves the kernel as it is (SA-4). NULL is fine. Returns NULL. */
struct served_namespace *served_namespace_free(struct served_namespace *served);
DEFINE_POINTER_CLEANUP(struct served_namespace, (void)served_namespace_free, served_namespace_freep);

/*
 * The gateways as they are known now, by enum family_index; a family with a count of 0 keeps what it had. Reads,
 * compares and applies. Returns 0, or a negative errno (logged, and tried again): -EPERM above all.
 */
int served_namespace_set_gateways(struct served_namespace *served,
                                  const struct gateway_answers answers[FAMILY_INDEX_MAX_])
    __attribute__((warn_unused_result));

/* Whether one family at least has its way to the gateway; under attach each for which Docker made a default route. */
bool served_namespace_has_route(const struct served_namespace *served);

/* Whether it has more than loopback and the idle devices that some tunnel modules put into each (SA-6). */
bool served_namespace_has_links(const struct served_namespace *served);

/* Fills in what status shows: the link towards the gateway, IPv4's if the families differ, and the gateways; *ret must
 * be zero but for the header. What Docker calls the link's network is not known. */
void served_namespace_describe(const struct served_namespace *served, struct message_network_report *ret);

/* The ordered stop: removes our rules and routes, and repairs nothing from now on. Goes on after an error; returns the
 * first one (logged), or 0. */
int served_namespace_tear_down(struct served_namespace *served) __attribute__((warn_unused_result));
