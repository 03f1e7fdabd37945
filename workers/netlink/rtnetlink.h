/*
 * Requests to rtnetlink with their answer, dumps, and the stream of notifications.
 *
 * Used by anchord-netadmin and anchord-way (CAP_NET_ADMIN). Sockets are opened before the sandbox is sealed, or
 * by somebody else. A request is synchronous: the kernel has answered when sendto(2) returns, the time limit on the
 * answer is a watchdog only. Nothing here logs.
 */
#pragma once

#include "common/cleanup.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define RTNETLINK_OBJECT_SIZE      160
#define RTNETLINK_KERNEL_TEXT_SIZE 96
#define RTNETLINK_REQUEST_SIZE     512

struct rtnetlink;

/* One request: what is asked of the kernel, in words and in bytes, and what the kernel said to it. */
struct rtnetlink_request {
    const char *operation;              /* "add route"; static text */
    char object[RTNETLINK_OBJECT_SIZE]; /* "default via 192.0.2.1 dev eth0 table 24942", as ip(8) says it */
    /* After a failure: the kernel's own explanation (NLMSGERR_ATTR_MSG), often empty. */
    char kernel_text[RTNETLINK_KERNEL_TEXT_SIZE];
    _Alignas(8) uint8_t bytes[RTNETLINK_REQUEST_SIZE];
};

/* Called for each message of a dump or each notification; only valid during the call. */
typedef void (*rtnetlink_handler)(const struct nlmsghdr *message, void *userdata);

/* Opens the socket for requests. Returns 0 or a negative errno. */
int rtnetlink_new(struct rtnetlink **ret) __attribute__((warn_unused_result));
/* The same with a socket that somebody else opened, and that it owns from now on; -EPROTOTYPE for another one. */
int rtnetlink_take(int descriptor, struct rtnetlink **ret) __attribute__((warn_unused_result));
struct rtnetlink *rtnetlink_free(struct rtnetlink *rtnetlink);
DEFINE_POINTER_CLEANUP(struct rtnetlink, (void)rtnetlink_free, rtnetlink_freep);

/*
 * Starts a request of `type` (RTM_…) with NLM_F_REQUEST and `flags`, whose family header has `header_size`
 * bytes. Returns that header, zeroed, inside the request. Attributes follow with mnl_attr_put_…() on
 * rtnetlink_request_message(). The object's text is the caller's to fill.
 */
void *rtnetlink_request_begin(struct rtnetlink_request *request, const char *operation, uint16_t type, uint16_t flags,
                              size_t header_size);
struct nlmsghdr *rtnetlink_request_message(struct rtnetlink_request *request);

/* Sends and waits for the acknowledgement. Returns 0 or the kernel's negative errno; -ETIMEDOUT without any. */
int rtnetlink_execute(struct rtnetlink *rtnetlink, struct rtnetlink_request *request)
    __attribute__((warn_unused_result));

/*
 * Sends a request for a dump (NLM_F_DUMP is added) and hands each message of it to `handler`. Returns 0; -EINTR
 * when the state changed meanwhile, so that what was handed over may be inconsistent; else a negative errno.
 */
int rtnetlink_dump(struct rtnetlink *rtnetlink, struct rtnetlink_request *request, rtnetlink_handler handler,
                   void *userdata) __attribute__((warn_unused_result));

/* The notifications of links, addresses, routes, rules and forwarding settings of both families. */
int rtnetlink_monitor_open(struct mnl_socket **ret) __attribute__((warn_unused_result));
/* The same by a socket that somebody else opened, does not block, and is owned from now on. */
int rtnetlink_monitor_take(int descriptor, struct mnl_socket **ret) __attribute__((warn_unused_result));
/* Those of neighbours, with a small buffer: it overflows while nobody reads it. */
int rtnetlink_neighbour_monitor_open(struct mnl_socket **ret) __attribute__((warn_unused_result));
DEFINE_POINTER_CLEANUP(struct mnl_socket, (void)mnl_socket_close, rtnetlink_socket_closep);

/* One datagram of the kernel, of nobody else. Returns its length, or a negative errno; -ETIMEDOUT when nothing came in
 * the socket's time. Of any netlink family, as the next one. */
int rtnetlink_receive(struct mnl_socket *socket, void *buffer, size_t size) __attribute__((warn_unused_result));

/*
 * Hands all notifications that are waiting to `handler`. Returns 0; -ENOBUFS when some were lost, so that
 * everything must be read again; else a negative errno.
 */
int rtnetlink_monitor_drain(struct mnl_socket *monitor, rtnetlink_handler handler, void *userdata)
    __attribute__((warn_unused_result));

/* Sorts the attributes behind a family header of `header_size` bytes into table[0 … maximum]; absent: NULL. */
void rtnetlink_attributes(const struct nlmsghdr *message, size_t header_size, const struct nlattr **table,
                          uint16_t maximum);
/* As rtnetlink_attributes for the attributes inside `nest`, which may be NULL. */
void rtnetlink_nested_attributes(const struct nlattr *nest, const struct nlattr **table, uint16_t maximum);

/* The number in `attribute`, or `otherwise` when it is absent (NULL) or shorter. */
uint32_t rtnetlink_get_u32(const struct nlattr *attribute, uint32_t otherwise);
uint8_t rtnetlink_get_u8(const struct nlattr *attribute, uint8_t otherwise);
