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

/* The last request in words, and what the kernel said to it. */
struct rtnetlink_request {
    const char *operation;              /* "add route"; static text */
    char object[RTNETLINK_OBJECT_SIZE]; /* "default via 192.0.2.1 dev eth0 table 24942", as ip(8) says it */
    /* After a failure: the kernel's own explanation (NLMSGERR_ATTR_MSG), often empty. */
    char kernel_text[RTNETLINK_KERNEL_TEXT_SIZE];
};

/* Called for each message of a dump or each notification; only valid during the call. */
typedef void (*rtnetlink_handler)(const struct nlmsghdr *message, void *userdata);

/* Opens the socket for requests. Returns 0 or a negative errno. */
int rtnetlink_new(struct rtnetlink **ret) __attribute__((warn_unused_result));
/* The same by a socket that is open, of any netlink family, and owned from now on, also when this fails. */
int rtnetlink_adopt(struct mnl_socket *opened, struct rtnetlink **ret) __attribute__((warn_unused_result));
struct rtnetlink *rtnetlink_free(struct rtnetlink *rtnetlink);
DEFINE_POINTER_CLEANUP(struct rtnetlink, (void)rtnetlink_free, rtnetlink_freep);

/*
 * Starts a request of `type` (RTM_…) with NLM_F_REQUEST and `flags`, whose family header has `header_size`
 * bytes. Returns that header, zeroed, inside the request. Attributes follow with mnl_attr_put_…() on
 * rtnetlink_message(), and the object's text.
 */
void *rtnetlink_begin(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint16_t flags,
                      size_t header_size);
struct nlmsghdr *rtnetlink_message(struct rtnetlink *rtnetlink);
void rtnetlink_describe(struct rtnetlink *rtnetlink, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The one that was begun last. Who goes on after a failure keeps a copy of it, and puts that back in the end. */
struct rtnetlink_request *rtnetlink_request(struct rtnetlink *rtnetlink);

/* Sends what was begun and waits for the acknowledgement. Returns 0 or the kernel's negative errno; -ETIMEDOUT without
 * any. */
int rtnetlink_execute(struct rtnetlink *rtnetlink) __attribute__((warn_unused_result));

/*
 * Sends what was begun as a request for a dump (NLM_F_DUMP is added) and hands each message of it to `handler`. Returns
 * 0; -EINTR when the state changed meanwhile, so that what was handed over may be inconsistent; else a negative errno.
 */
int rtnetlink_dump(struct rtnetlink *rtnetlink, rtnetlink_handler handler, void *userdata)
    __attribute__((warn_unused_result));

/* Both of these for a message that the caller built, which asks for an acknowledgement or a dump; without a handler
 * what is answered is passed over. */
int rtnetlink_ask(struct rtnetlink *rtnetlink, struct nlmsghdr *message, rtnetlink_handler handler, void *userdata)
    __attribute__((warn_unused_result));

/* For a transaction that the caller built (nfnetlink), in which one message asks for an acknowledgement. Returns 0 or
 * the first refusal. */
int rtnetlink_ask_all(struct rtnetlink *rtnetlink, void *messages, size_t length) __attribute__((warn_unused_result));

/* For messages that the caller sends himself: the socket, and `count` sequence numbers from the returned one on. */
struct mnl_socket *rtnetlink_socket(const struct rtnetlink *rtnetlink);
uint32_t rtnetlink_reserve(struct rtnetlink *rtnetlink, uint32_t count);

/* The notifications of links, addresses, routes, rules and forwarding settings of both families. */
int rtnetlink_monitor_open(struct mnl_socket **ret) __attribute__((warn_unused_result));
/* The same by a socket that is open, does not block, and is owned from now on, also when this fails. */
int rtnetlink_monitor_adopt(struct mnl_socket *opened, struct mnl_socket **ret) __attribute__((warn_unused_result));
/* Those of neighbours, with a small buffer: it overflows while nobody reads it. */
int rtnetlink_neighbour_monitor_open(struct mnl_socket **ret) __attribute__((warn_unused_result));
/* Those of nftables, of all tables. */
int rtnetlink_filter_monitor_open(struct mnl_socket **ret) __attribute__((warn_unused_result));
DEFINE_POINTER_CLEANUP(struct mnl_socket, (void)mnl_socket_close, rtnetlink_socket_closep);

/* One datagram of the kernel. Returns its length, 0 for one of somebody else, or a negative errno; -ETIMEDOUT when
 * nothing came in the socket's time. Of any netlink family, as the next one. */
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
