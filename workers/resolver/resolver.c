/* The resolver's conversations; see resolver.h. Runs in anchord-resolver without any capability. */
#include "workers/resolver/resolver.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/event_loop.h"
#include "protocol/metrics.h"
#include "protocol/supervised.h"
#include "workers/dns/lookup.h"

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* 3 standard streams, the supervisor, epoll, timers, way and its successor; c-ares: UDP and TCP per server. */
#define OPEN_FILES_MAX 64

#define TIMER_ACCURACY (1 * MICROSECONDS_PER_MILLISECOND)

/*
 * Docker's DNS answers for the names that it knows within a millisecond, and for others after 10 to 20 s when its
 * upstream does not answer. One attempt, and not longer than the interval: the next round asks again, so that an anchor
 * that came meanwhile is found within the interval and a second (SA-2).
 */
#define ATTEMPT_TIMEOUT_MAX_MILLISECONDS 1000

/* Until the first answer: 100, 200, 400 ms … up to the interval. */
#define FIRST_RETRY (100 * MICROSECONDS_PER_MILLISECOND)

/* c-ares on its sockets. No file is opened, no thread and no process is made. */
static const int system_calls[] = {
    SCMP_SYS(connect),     SCMP_SYS(fcntl),      SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
};
static const int socket_families[] = {AF_INET, AF_INET6};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .socket_families = socket_families,
    .socket_family_count = ARRAY_LENGTH(socket_families),
    .open_files = OPEN_FILES_MAX,
    .may_connect_tcp = true,
};

struct family_lookup {
    struct resolver *resolver;
    struct dns_lookup *lookup;
    struct wire_lookup result; /* outcome 0: still asked */
    const char *error;         /* static text of c-ares, of a failed one */
};

struct resolver {
    sd_event *event;
    struct channel *supervisor;
    struct channel *way; /* NULL between its death and the next LINK */
    sd_event_source *timer;
    char host_name[HOST_NAME_SIZE];
    uint64_t interval; /* microseconds; 0 until the configuration has come */
    uint64_t retry;    /* the next one while nothing was ever found */
    uint64_t started;  /* of the round: CLOCK_MONOTONIC, microseconds */
    struct family_lookup families[FAMILY_INDEX_MAX_];
    struct message_gateways gateways; /* the last ones that differed; header.type 0: none */
    bool was_found;
    bool failure_was_said;
};

static const uint8_t index_families[] = {[FAMILY_INDEX_4] = IP_FAMILY_4, [FAMILY_INDEX_6] = IP_FAMILY_6};

static void plan_round(struct resolver *resolver, uint64_t at)
{
    event_loop_set_timer(resolver->timer, at);
}

static void send_gateways(const struct resolver *resolver)
{
    if (resolver->way && resolver->gateways.header.type == MESSAGE_GATEWAYS)
        (void)channel_send_message(resolver->way, &resolver->gateways); /* its end comes as on_way_closed */
}

/* Once until something is found again; one family alone is no failure. */
static void report_failure(struct resolver *resolver)
{
    const char *reason = "the name has no address";

    if (resolver->failure_was_said)
        return;
    for (size_t i = ARRAY_LENGTH(resolver->families); i-- > 0;)
        reason = resolver->families[i].error ? resolver->families[i].error : reason;
    resolver->failure_was_said = true;
    log_warn(resolver->was_found ? "cannot resolve the gateway, keeping the last one"
                                 : "cannot resolve the gateway yet",
             LOG_TEXT("name", resolver->host_name), LOG_ERROR_TEXT(reason));
}

static void report_addresses(const struct resolver *resolver, const struct wire_lookup *before,
                             const struct wire_lookup *now)
{
    if (now->count == 0 || memcmp(before, now, sizeof(*now)) == 0)
        return;
    for (uint32_t i = 0; i < now->count; i++) {
        struct ip_address address = wire_address_to(&now->addresses[i]);
        char text[IP_ADDRESS_TEXT_SIZE];

        log_info("gateway resolved", LOG_TEXT("name", resolver->host_name),
                 LOG_TEXT("address", ip_address_format(&address, text)));
    }
}

/* Way is woken by what differs alone: most rounds find what was there (SA-2). */
static void tell_changed(struct resolver *resolver, const struct wire_lookup *v4, const struct wire_lookup *v6)
{
    struct message_gateways *known = &resolver->gateways;

    if (known->header.type == MESSAGE_GATEWAYS && memcmp(&known->v4, v4, sizeof(*v4)) == 0 &&
        memcmp(&known->v6, v6, sizeof(*v6)) == 0)
        return;
    report_addresses(resolver, &known->v4, v4);
    report_addresses(resolver, &known->v6, v6);
    *known = (struct message_gateways){
        .header = message_header_make(MESSAGE_GATEWAYS, sizeof(*known), known->header.generation + 1),
        .v4 = *v4,
        .v6 = *v6,
    };
    send_gateways(resolver);
}

/* Both families answered or failed: tell it, and plan the next round from the start of this one. */
static void finish_round(struct resolver *resolver)
{
    const struct wire_lookup *v4 = &resolver->families[FAMILY_INDEX_4].result;
    const struct wire_lookup *v6 = &resolver->families[FAMILY_INDEX_6].result;
    uint64_t pause = resolver->interval;

    tell_changed(resolver, v4, v6);
    if (v4->count + v6->count > 0) {
        resolver->was_found = true;
        resolver->failure_was_said = false;
        plan_round(resolver, resolver->started + pause);
        return;
    }
    report_failure(resolver);
    if (!resolver->was_found && resolver->retry < resolver->interval) {
        pause = resolver->retry;
        resolver->retry *= 2;
    }
    plan_round(resolver, resolver->started + pause);
}

static int compare_addresses(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct wire_address));
}

static void on_answer(void *userdata, const struct dns_answer *answer)
{
    struct family_lookup *family = userdata;
    struct resolver *resolver = family->resolver;
    struct wire_lookup *result = &family->result;

    _Static_assert(DNS_ADDRESSES_MAX <= GATEWAYS_MAX, "an answer fits into a message");
    *result = (struct wire_lookup){.outcome = answer->error ? LOOKUP_FAILED : LOOKUP_ANSWERED};
    metrics_add(METRIC_GATEWAY_RESOLVE,
                metric_cell((size_t)(family - resolver->families), answer->error ? METRIC_ERROR : METRIC_OK), 1);
    family->error = answer->error;
    for (size_t i = 0; i < answer->count && !answer->error; i++)
        result->addresses[result->count++] = wire_address_from(&answer->addresses[i]);
    /* Servers change the order from answer to answer, which says nothing. */
    qsort(result->addresses, result->count, sizeof(result->addresses[0]), compare_addresses);
    for (size_t i = 0; i < ARRAY_LENGTH(resolver->families); i++) {
        if (resolver->families[i].result.outcome == 0)
            return;
    }
    finish_round(resolver);
}

static int on_timer(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct resolver *resolver = userdata;

    (void)source;
    (void)planned;
    resolver->started = clock_monotonic_microseconds();
    for (size_t i = 0; i < ARRAY_LENGTH(resolver->families); i++)
        resolver->families[i].result = (struct wire_lookup){0};
    for (size_t i = 0; i < ARRAY_LENGTH(resolver->families); i++) {
        int result = dns_lookup_start(resolver->families[i].lookup);

        if (result < 0)
            return result; /* ends the loop: the successor starts anew */
    }
    return 0;
}

/* Reads the files of DNS, gives up the right to read any, and begins. Returns 0 or the exit status. */
static enum exit_status configure(struct resolver *resolver, const struct message_configure_resolver *message)
{
    uint32_t interval = message->interval_milliseconds;
    const char *step = "lookup";
    int result = 0;

    log_set_level((enum log_level)message->log_level);
    memcpy(resolver->host_name, message->host_name, sizeof(resolver->host_name));
    for (size_t i = 0; i < ARRAY_LENGTH(resolver->families) && result == 0; i++) {
        const struct dns_question question = {
            .name = resolver->host_name,
            .family = index_families[i],
            .timeout_milliseconds =
                interval < ATTEMPT_TIMEOUT_MAX_MILLISECONDS ? interval : ATTEMPT_TIMEOUT_MAX_MILLISECONDS,
            .attempts = 1,
            .beside = i > 0 ? resolver->families[0].lookup : NULL,
        };

        resolver->families[i].resolver = resolver;
        result = dns_lookup_new(resolver->event, &question, on_answer, &resolver->families[i],
                                &resolver->families[i].lookup);
    }
    if (result < 0) {
        log_error("cannot prepare the lookup", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    result = sandbox_seal(&profile, &step);
    if (result < 0) {
        log_error("cannot enter the sandbox", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_SANDBOX;
    }
    resolver->interval = interval * MICROSECONDS_PER_MILLISECOND;
    resolver->retry = FIRST_RETRY;
    plan_round(resolver, 0);
    return EXIT_STATUS_CLEAN;
}

/* --- way -------------------------------------------------------------------------------------------- */

static void on_way_message(struct channel *channel, const struct message_header *message, int descriptor,
                           void *userdata)
{
    (void)userdata;
    channel_refuse(channel, message, descriptor); /* way only listens */
}

static void on_way_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct resolver *resolver = userdata;

    if (error < 0)
        log_error("connection to way ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    resolver->way = channel_free(channel);
}

static void handle_link(struct resolver *resolver, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_way_message, on_way_closed, resolver};
    int result;

    if (message->peer != LINK_PEER_WAY) {
        log_error("LINK to a peer that is not way, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    resolver->way = channel_free(resolver->way);
    result = channel_new(resolver->event, descriptor, DIRECTION_WAY_TO_RESOLVER, &callbacks, &resolver->way);
    if (result < 0) {
        log_error("cannot use the link to way", LOG_ERROR(result));
        return;
    }
    send_gateways(resolver);
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void handle_configuration(struct resolver *resolver, const struct message_configure_resolver *message)
{
    enum exit_status status;

    if (resolver->interval) {
        log_error("a second configuration refused");
        return;
    }
    status = configure(resolver, message);
    if (status != EXIT_STATUS_CLEAN)
        (void)sd_event_exit(resolver->event, (int)status);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct resolver *resolver = userdata;

    switch (message->type) {
    case MESSAGE_LINK:
        handle_link(resolver, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_RESOLVER:
        handle_configuration(resolver, (const struct message_configure_resolver *)message);
        break;
    case MESSAGE_STOP:
        (void)sd_event_exit(resolver->event, EXIT_STATUS_CLEAN);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

struct resolver *resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(resolver->families); i++)
        (void)dns_lookup_free(resolver->families[i].lookup);
    (void)channel_free(resolver->way);
    (void)channel_free(resolver->supervisor);
    sd_event_source_disable_unref(resolver->timer);
    free(resolver);
    return NULL;
}

int resolver_new(sd_event *event, struct resolver **ret)
{
    CLEANUP(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));
    int result;

    if (!resolver)
        return -ENOMEM;
    resolver->event = event;
    result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_timer, resolver, &resolver->timer);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_RESOLVER, on_supervisor_message, resolver,
                                 &resolver->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(resolver);
    return 0;
}
