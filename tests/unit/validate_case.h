/*
 * What the tests of the gate share: room for one message, the verdict on it, and tables of what is changed in a good
 * message and which rule that breaks.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/validate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Room for the longest message; aligned like a receiver's buffer. */
static union room {
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
    struct message_guests guests;
    struct message_guest_text guest_text;
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
    struct message_configure_way way;
    struct message_way_socket way_socket;
    struct message_configure_namespaces namespaces;
    struct message_container container;
    struct message_namespace_answer namespace_answer;
    struct message_namespace_gone namespace_gone;
    struct message_configure_links links_configuration;
    struct message_identity identity;
    struct message_bridges bridges;
    struct message_link_answer link_answer;
    struct message_guarded guarded;
    struct message_welcome welcome;
    struct message_host_worker_started host_worker;
    struct message_meeting_link meeting_link;
    struct message_shared_links shared_links;
    struct message_host_addresses host_addresses;
    struct message_project_addresses project_addresses;
    struct message_configure_control control;
    struct message_supervision supervision;
    struct message_findings findings;
    struct message_network_report report;
    struct message_counters counters;
    struct message_metrics_page metrics_page;
    struct message_configure_exporter exporter;
    struct message_lease_event lease_event;
    struct message_lease lease;
    struct message_lease_applied lease_applied;
    struct message_external_link external_link;
    struct message_advertised advertised;
    struct message_docker_credential credential;
    struct message_configure_gate gate;
    struct message_gate_listener listener;
    struct message_bans bans;
    struct message_bans_applied bans_applied;
    struct message_configure_bans bans_configuration;
    struct message_ban_listener ban_listener;
    struct message_ban_request ban_request;
    struct message_ban_answer ban_answer;
    struct message_bans_listed bans_listed;
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

/* One field of the message gets other bytes. */
struct change {
    size_t offset, size;
    const void *bytes; /* NULL: 'x', to the field's end */
};

#define FIELD(field_) offsetof(union room, field_), sizeof(((union room *)NULL)->field_)
/* A value, or what stands between the braces of a structure's initializer. */
#define SET(field_, ...)                                           \
    {                                                              \
        FIELD(field_), &(__typeof__(((union room *)NULL)->field_)) \
        {                                                          \
            __VA_ARGS__                                            \
        }                                                          \
    }
#define FILL(field_)        \
    {                       \
        FIELD(field_), NULL \
    }
#define TEXT(field_, text_)                                  \
    {                                                        \
        offsetof(union room, field_), sizeof(text_), (text_) \
    }

/* A good message with all changes of a row breaks the rule, or none (NULL). */
struct rule_case {
    int line; /* of the test: what a failure names */
    const char *broken;
    struct change changes[5];
};

#define BREAKS(rule_, ...) \
    {                      \
        __LINE__, (rule_), \
        {                  \
            __VA_ARGS__    \
        }                  \
    }
#define PASSES(...)     \
    {                   \
        __LINE__, NULL, \
        {               \
            __VA_ARGS__ \
        }               \
    }

/* Each row by itself; `begin_good` makes the message, which passes as it is. */
static inline void expect_each(enum message_direction direction, size_t descriptors, void (*begin_good)(void),
                               const struct rule_case *cases, size_t count)
{
    const char *broken;

    begin_good();
    broken = verdict(direction, descriptors);
    if (broken)
        fail_msg("the good message: %s", broken);
    for (size_t i = 0; i < count; i++) {
        begin_good();
        for (size_t j = 0; j < ARRAY_LENGTH(cases[i].changes) && cases[i].changes[j].size > 0; j++) {
            const struct change *change = &cases[i].changes[j];

            if (change->bytes)
                memcpy(message.bytes + change->offset, change->bytes, change->size);
            else
                memset(message.bytes + change->offset, 'x', change->size);
        }
        broken = verdict(direction, descriptors);
        if (strcmp(broken ? broken : "passes", cases[i].broken ? cases[i].broken : "passes") != 0)
            fail_msg("line %d: %s, expected: %s", cases[i].line, broken ? broken : "passes",
                     cases[i].broken ? cases[i].broken : "passes");
    }
}

#define EXPECT_EACH(direction_, descriptors_, begin_good_, cases_) \
    expect_each(DIRECTION_##direction_, (descriptors_), (begin_good_), (cases_), ARRAY_LENGTH(cases_))
