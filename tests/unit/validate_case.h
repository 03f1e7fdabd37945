/* What the tests of the gate share: room for one message, and the verdict on it. */
#pragma once

#include "protocol/validate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Room for the longest message; aligned like a receiver's buffer. */
static union {
    struct message_header header;
    struct message_ping ping;
    struct message_link link;
    struct message_stop stop;
    struct message_readiness readiness;
    struct message_configure_watcher watcher;
    struct message_configure_netadmin netadmin;
    struct message_topology topology;
    struct message_commit commit;
    struct message_exposures exposures;
    struct message_links links;
    struct message_applied applied;
    struct message_configure_announcer announcer;
    struct message_raw_socket raw_socket;
    struct message_held held;
    struct message_probe probe;
    struct message_probed probed;
    struct message_configure_resolver resolver;
    struct message_configure_keeper keeper;
    struct message_managed_target managed_target;
    struct message_gateways gateways;
    struct message_configure_control control;
    struct message_supervision supervision;
    struct message_findings findings;
    struct message_network_report report;
    struct message_metrics_page metrics_page;
    struct message_configure_exporter exporter;
    struct message_lease_event lease_event;
    struct message_lease lease;
    struct message_lease_applied lease_applied;
    struct message_external_link external_link;
    struct message_advertised advertised;
    uint8_t bytes[MESSAGE_LENGTH_MAX + 8];
} message;

static void begin(enum message_type type, size_t length)
{
    memset(&message, 0, sizeof(message));
    message.header = message_header_make(type, length, 7);
}

/* NULL when the message passes, else the broken rule. */
static const char *verdict(enum message_direction direction, size_t descriptors)
{
    const char *reason = NULL;
    int result = message_validate(direction, &message, message.header.length, descriptors, &reason);

    assert_true(result == 0 || result == -EBADMSG);
    assert_true((result == 0) == (reason == NULL));
    return reason;
}

#define EXPECT_BROKEN(direction, rule)                 \
    do {                                               \
        const char *broken_ = verdict((direction), 0); \
        assert_non_null(broken_);                      \
        assert_string_equal(broken_, (rule));          \
    } while (0)
