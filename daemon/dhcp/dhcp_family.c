/* The lease of one family; see dhcp_family.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/dhcp_family_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"

#include <string.h>
#include <time.h>

#define TIMER_ACCURACY (100 * MICROSECONDS_PER_MILLISECOND)
/* A renewal that was refused is answered by broadcast, which dhcpcd's socket does not hear; it would notice at T2 only,
 * so it is asked to look this long after T1 (measured). */
#define RENEWAL_GRACE (10 * MICROSECONDS_PER_SECOND)
/* The first silence after which dhcpcd is asked to start over; then it doubles, up to ANCHORD_DHCP_BACKOFF_MAX. By
 * itself it would wait for 64 s (IPv4) or an hour (IPv6) between two packets. */
#define FIRST_SILENCE (64 * MICROSECONDS_PER_SECOND)
/* A new start within the 5 s of the ARP probe would never let it end. */
#define SHORTEST_SILENCE_WITH_PROBE (8 * MICROSECONDS_PER_SECOND)
/* Nor would one within the 1.1 s in which a client may collect advertisements of several servers before it chooses
 * (RFC 8415 §18.2.1); dhcpcd 10 does (measured). */
#define SHORTEST_SILENCE6 (2 * MICROSECONDS_PER_SECOND)
/* 9.4.1 defends the address too, and gives it up at the second claim; but that is the announcer's business (RFC 5227
 * §2.4 c). It confirms its lease after this, and not with each claim of somebody who does not stop. */
#define DEFENCE_PAUSE (10 * MICROSECONDS_PER_SECOND)
/* dhcpcd's own timer ends a lease first; one that has said nothing by then does not work any more. */
#define EXPIRY_GRACE (10 * MICROSECONDS_PER_SECOND)
/* What a server that refuses a lease needs to give another one, with the probe of that address. */
#define REFUSAL_GRACE (10 * MICROSECONDS_PER_SECOND)

const char *dhcp_family_name(const struct dhcp_family *family)
{
    return ip_family_to_string(family->family);
}

static size_t index_of(const struct dhcp_family *family)
{
    return family->family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
}

void dhcp_family_count(const struct dhcp_family *family, size_t outcome)
{
    metrics_add(METRIC_DHCP_ACQUIRED, metric_cell(index_of(family), outcome), 1);
}

static const char *format(const struct wire_address *wire, char text[IP_ADDRESS_TEXT_SIZE])
{
    struct ip_address address = wire_address_to(wire);

    return ip_address_format(&address, text);
}

struct dhcp_client *dhcp_family_client(const struct dhcp_family *family)
{
    return family->client;
}

void dhcp_family_set_interface(struct dhcp_family *family, const char *interface)
{
    text_copy_cut(family->interface, sizeof(family->interface), interface);
    if (configuration_has_dhcp_client(family->configuration))
        dhcp_client_set_interface(family->client, interface);
}

static uint32_t address_count(const struct dhcp_family *family)
{
    return 1 + family->lease.lease.further_count;
}

/* Of the lease the address `i`, 0 being the first one: when its validity ends. UINT64_MAX: never. */
static uint64_t end_of(const struct dhcp_family *family, uint32_t i)
{
    const struct wire_lease *lease = &family->lease.lease;
    uint32_t seconds = i == 0 ? lease->valid_seconds : lease->further[i - 1].valid_seconds;

    return seconds == LEASE_SECONDS_FOREVER ? UINT64_MAX : family->lease.received + seconds * MICROSECONDS_PER_SECOND;
}

/* The best address that has not ended; the first one when all have. */
static uint32_t living_address(const struct dhcp_family *family)
{
    uint64_t now = clock_boottime_microseconds();

    for (uint32_t i = 0; i < address_count(family); i++) {
        if (end_of(family, i) > now)
            return i;
    }
    return 0;
}

void dhcp_family_describe(const struct dhcp_family *family, struct wire_lease_status *ret)
{
    const struct wire_lease *lease = &family->lease.lease;
    uint32_t living;

    *ret = (struct wire_lease_status){.state = LEASE_STATE_SEARCHING};
    if (family->refusal.reason[0] != '\0') {
        ret->state = LEASE_STATE_REFUSED;
        ret->address = family->refusal.address;
        ret->prefix_length = family->refusal.prefix_length;
        ret->retry = family->refusal.retry;
        text_copy_cut(ret->reason, sizeof(ret->reason), family->refusal.reason);
        return;
    }
    if (!family->lease.is_held || !family->is_applied)
        return;
    living = living_address(family);
    ret->state = LEASE_STATE_HELD;
    ret->address = living == 0 ? lease->address : lease->further[living - 1].address;
    ret->server = lease->server;
    ret->prefix_length = lease->prefix_length;
    ret->expires = end_of(family, living);
}

/* --- silence: what is done when nothing is heard ------------------------------------------------------- */

/* `first`, doubled `times` times, but never longer than was asked for (ADDR-6). */
uint64_t dhcp_family_back_off(const struct dhcp_family *family, uint64_t first, unsigned int times)
{
    uint64_t longest = family->configuration->dhcp_backoff_max_milliseconds * MICROSECONDS_PER_MILLISECOND;
    uint64_t delay = first;

    for (unsigned int i = 0; i < times && delay < longest; i++)
        delay *= 2;
    return delay < longest ? delay : longest;
}

static uint64_t shortest_silence(const struct dhcp_family *family)
{
    if (family->family == IP_FAMILY_6)
        return SHORTEST_SILENCE6;
    return family->configuration->dhcp_arp_probe ? SHORTEST_SILENCE_WITH_PROBE : 0;
}

/* While dhcpcd searches: SIGHUP after a silence that doubles. */
static void await_answer(struct dhcp_family *family)
{
    uint64_t silence = dhcp_family_back_off(family, FIRST_SILENCE, family->silences);
    uint64_t shortest = shortest_silence(family);

    timer_set(family->attention_timer, silence > shortest ? silence : shortest);
}

/* While it is bound: SIGHUP when T1 has passed and nobody renewed. */
static void await_renewal(struct dhcp_family *family)
{
    const struct wire_lease *lease = &family->lease.lease;
    uint64_t renewal = lease->renewal_seconds ? lease->renewal_seconds : lease->valid_seconds / 2;

    if (renewal >= lease->valid_seconds) /* for ever, or nonsense: the lease's own end counts */
        timer_clear(family->attention_timer);
    else
        timer_set(family->attention_timer, renewal * MICROSECONDS_PER_SECOND + RENEWAL_GRACE);
}

/* The server is asked again, or nothing is held any more. */
static void forget_refusal(struct dhcp_family *family)
{
    bool was_refused = family->refusal.reason[0] != '\0';

    family->refusal = (struct refusal){.retry = 0};
    if (was_refused)
        family->callbacks.on_changed(family->callbacks.userdata);
}

static int on_attention_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct dhcp_family *family = userdata;

    (void)source;
    (void)planned;
    dhcp_family_count(family, METRIC_ERROR);
    if (family->is_bound && !family->lease.is_held) {
        log_warn("the dhcp client says nothing about its expired lease, starting it again",
                 LOG_TEXT("family", dhcp_family_name(family)));
        dhcp_client_kill(family->client);
        return 0;
    }
    if (family->refusal.reason[0] != '\0') {
        log_debug("asking again after a refused lease", LOG_TEXT("family", dhcp_family_name(family)));
    } else if (family->is_bound) {
        log_info("lease not renewed in time, asking again", LOG_TEXT("family", dhcp_family_name(family)));
    } else {
        log_debug("no lease yet, asking again", LOG_TEXT("family", dhcp_family_name(family)));
        family->silences++;
        await_answer(family);
    }
    forget_refusal(family);
    if (!dhcp_setbacks_hear_everybody(family))
        dhcp_client_ask_again(family->client);
    return 0;
}

/* --- the lease ----------------------------------------------------------------------------------------- */

static void send_lease(struct dhcp_family *family)
{
    family->lease.header.type = MESSAGE_LEASE;
    family->is_answered = false;
    family->callbacks.send(&family->lease.header, family->callbacks.userdata);
}

/* There is none: netadmin brings the bootstrap address back. */
void dhcp_family_forget_lease(struct dhcp_family *family)
{
    family->lease = (struct message_lease){
        .header = message_header_make(MESSAGE_LEASE, sizeof(family->lease), family->lease.header.generation + 1),
        .family = family->family,
    };
    family->is_applied = family->is_in_use = family->wants_renewal = false;
    timer_clear(family->expiry_timer);
    metrics_set(METRIC_DHCP_LEASE_REMAINING, index_of(family), 0);
    send_lease(family);
    family->callbacks.on_changed(family->callbacks.userdata);
}

static void drop_lease(struct dhcp_family *family, const char *why)
{
    char address[IP_ADDRESS_TEXT_SIZE];

    if (!family->lease.is_held)
        return;
    log_warn("lease lost", LOG_PROBLEM(PROBLEM_NO_LEASE), LOG_TEXT("family", dhcp_family_name(family)),
             LOG_TEXT("address", format(&family->lease.lease.address, address)), LOG_TEXT("why", why));
    dhcp_family_forget_lease(family);
}

/* For the next address that ends: netadmin ends each in its time, and what is shown of the lease may be another one. */
static void await_expiry(struct dhcp_family *family)
{
    uint64_t now = clock_boottime_microseconds();
    uint64_t next = UINT64_MAX;

    for (uint32_t i = 0; i < address_count(family); i++) {
        if (end_of(family, i) > now && end_of(family, i) < next)
            next = end_of(family, i);
    }
    if (next == UINT64_MAX && family->expires == UINT64_MAX) {
        timer_clear(family->expiry_timer);
        return;
    }
    (void)sd_event_source_set_time(family->expiry_timer, next < family->expires ? next : family->expires);
    (void)sd_event_source_set_enabled(family->expiry_timer, SD_EVENT_ONESHOT);
}

/* Somebody says no to a predecessor's lease, before there is one of ours. Which server that was from is not known, so a
 * stranger's word must not end an address that serves (ADDR-6): a lease that comes takes its place, or confirms it. */
static void await_another(struct dhcp_family *family)
{
    uint64_t end = clock_boottime_microseconds() + REFUSAL_GRACE;

    if (family->expires > 0 && family->expires <= end)
        return; /* it was said before, or the lease ends by itself */
    family->expires = end;
    (void)sd_event_source_set_time(family->expiry_timer, family->expires);
    (void)sd_event_source_set_enabled(family->expiry_timer, SD_EVENT_ONESHOT);
}

/* No lease came: netadmin may have adopted the address, which nobody else would take away before its end (KEEP-1,
 * ADDR-7). */
static void drop_adopted(struct dhcp_family *family)
{
    log_warn("lease lost", LOG_PROBLEM(PROBLEM_NO_LEASE), LOG_TEXT("family", dhcp_family_name(family)),
             LOG_TEXT("address", "a predecessor's"), LOG_TEXT("why", "refused by the server"));
    dhcp_family_forget_lease(family);
}

static int on_expiry_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct dhcp_family *family = userdata;
    uint64_t now = clock_boottime_microseconds();

    (void)source;
    (void)planned;
    if (now < family->expires) {
        await_expiry(family);
        family->callbacks.on_changed(family->callbacks.userdata);
        return 0;
    }
    if (family->lease.header.type != MESSAGE_LEASE) {
        drop_adopted(family);
        return 0;
    }
    drop_lease(family, now < end_of(family, living_address(family)) ? "refused by the server" : "expired");
    if (family->is_bound)
        timer_set(family->attention_timer, EXPIRY_GRACE);
    return 0;
}

/* The lease is over with its last address. */
static void set_expiry(struct dhcp_family *family)
{
    family->expires = 0;
    for (uint32_t i = 0; i < address_count(family); i++) {
        if (end_of(family, i) > family->expires)
            family->expires = end_of(family, i);
    }
    await_expiry(family);
}

/* All but the times. */
static bool is_same(const struct wire_lease *a, const struct wire_lease *b)
{
    struct wire_lease copy = *b;

    copy.valid_seconds = a->valid_seconds;
    copy.preferred_seconds = a->preferred_seconds;
    copy.renewal_seconds = a->renewal_seconds;
    copy.rebinding_seconds = a->rebinding_seconds;
    for (uint32_t i = 0; i < LEASE_FURTHER_MAX; i++) {
        copy.further[i].valid_seconds = a->further[i].valid_seconds;
        copy.further[i].preferred_seconds = a->further[i].preferred_seconds;
    }
    return memcmp(a, &copy, sizeof(copy)) == 0;
}

/* Not after RENEW and REBIND, which a renewal makes; with DHCPv6 there is no such need. */
static bool needs_renewal(const struct message_lease_event *event)
{
    return event->family == IP_FAMILY_4 &&
           (strcmp(event->reason, "BOUND") == 0 || strcmp(event->reason, "REBOOT") == 0);
}

static void take_lease(struct dhcp_family *family, const struct message_lease_event *event)
{
    bool was_applied = family->lease.is_held && family->is_applied;
    bool is_granted = strcmp(event->reason, "TIMEOUT") != 0;

    family->is_another =
        !was_applied || (is_granted && !family->is_granted) || !is_same(&family->lease.lease, &event->lease);
    family->is_bound = family->is_granted = is_granted;
    if (is_granted)
        family->silences = 0;
    if (is_granted && !needs_renewal(event))
        family->setbacks.denials = 0;
    family->wants_renewal = needs_renewal(event);
    family->is_applied = was_applied;
    family->is_confirmed = false;
    family->lease = (struct message_lease){
        .header = message_header_make(MESSAGE_LEASE, sizeof(family->lease), family->lease.header.generation + 1),
        .family = family->family,
        .is_held = 1,
        .received = clock_boottime_microseconds(),
        .lease = event->lease,
    };
    set_expiry(family);
    if (is_granted) /* else it is searching */
        await_renewal(family);
    send_lease(family);
}

static void lose_lease(struct dhcp_family *family, const struct message_lease_event *event)
{
    bool is_supervised = configuration_has_dhcp_client(family->configuration);
    bool is_conflict = strcmp(event->reason, "EXPIRED") == 0;
    bool is_denied = strcmp(event->reason, "NAK") == 0;
    bool may_go_on = is_conflict ? is_supervised
                     : is_denied ? family->setbacks.is_foreign
                                 : strncmp(event->reason, "EXPIRE", strlen("EXPIRE")) == 0;

    family->is_bound = family->setbacks.is_foreign = false;
    family->silences = 0;
    forget_refusal(family);
    await_answer(family);
    if (may_go_on) {
        log_debug("the dhcp client gave its lease up; it stays until its end",
                  LOG_TEXT("family", dhcp_family_name(family)), LOG_BOOLEAN("carrier", !event->is_carrier_down));
        if (is_conflict)
            dhcp_client_pause(family->client, DEFENCE_PAUSE);
        return;
    }
    dhcp_family_count(family, METRIC_ERROR);
    if (is_denied && !family->is_granted)
        await_another(family);
    else
        drop_lease(family, is_denied ? "refused by the server" : "taken by another host");
    if (is_denied)
        dhcp_setbacks_deny(family);
}

static void take_unusable(struct dhcp_family *family, const struct message_lease_event *event)
{
    family->is_bound = true;
    family->silences = 0;
    family->refusal = (struct refusal){.retry = 0};
    dhcp_setbacks_refuse(family, "what the server gave", event->problem, -EBADMSG);
}

void dhcp_family_take_event(struct dhcp_family *family, const struct message_lease_event *event)
{
    if (family->is_stopping)
        return;
    if (family->interface[0] == '\0' || strcmp(event->interface, family->interface) != 0) {
        log_warn("lease event of another interface refused", LOG_TEXT("family", dhcp_family_name(family)),
                 LOG_TEXT("interface", event->interface), LOG_TEXT("wanted", family->interface));
        return;
    }
    log_debug("lease event", LOG_TEXT("family", dhcp_family_name(family)), LOG_TEXT("reason", event->reason));
    if (event->kind == LEASE_EVENT_HELD)
        take_lease(family, event);
    else if (event->kind == LEASE_EVENT_LOST)
        lose_lease(family, event);
    else if (event->kind == LEASE_EVENT_RELEASED)
        drop_lease(family, "released");
    else if (event->kind == LEASE_EVENT_UNUSABLE)
        take_unusable(family, event);
}

/* --- netadmin's answer --------------------------------------------------------------------------------- */

static void log_applied(const struct dhcp_family *family)
{
    const struct wire_lease *lease = &family->lease.lease;
    char address[IP_ADDRESS_TEXT_SIZE], server[IP_ADDRESS_TEXT_SIZE];

    if (!family->is_granted) {
        if (family->is_another)
            log_warn("no dhcp server answers, going on with the last lease", LOG_PROBLEM(PROBLEM_NO_LEASE),
                     LOG_TEXT("family", dhcp_family_name(family)),
                     LOG_TEXT("address", format(&lease->address, address)),
                     LOG_NUMBER("seconds", lease->valid_seconds));
        return;
    }
    if (!family->is_another) {
        log_debug("lease renewed", LOG_TEXT("family", dhcp_family_name(family)),
                  LOG_TEXT("address", format(&lease->address, address)), LOG_NUMBER("seconds", lease->valid_seconds));
        return;
    }
    log_info("lease acquired", LOG_TEXT("family", dhcp_family_name(family)),
             LOG_TEXT("address", format(&lease->address, address)), LOG_NUMBER("prefix_length", lease->prefix_length),
             LOG_TEXT("server", format(&lease->server, server)), LOG_NUMBER("seconds", lease->valid_seconds),
             LOG_TEXT("interface", family->interface));
    for (uint32_t i = 0; i < lease->further_count; i++)
        log_info("further address leased", LOG_TEXT("family", dhcp_family_name(family)),
                 LOG_TEXT("address", format(&lease->further[i].address, address)),
                 LOG_NUMBER("seconds", lease->further[i].valid_seconds),
                 LOG_NUMBER("preferred_seconds", lease->further[i].preferred_seconds));
}

/*
 * The first answer to a lease that was applied. dhcpcd got it through a raw socket, and would release it with an empty
 * ciaddr, which servers ignore, until it has renewed once with the address in place (measured): so it does now.
 */
static void confirm(struct dhcp_family *family)
{
    if (family->is_confirmed)
        return;
    family->is_confirmed = family->is_in_use = true;
    family->refusals = 0;
    family->refusal = (struct refusal){.retry = 0};
    if (family->is_granted)
        dhcp_family_count(family, METRIC_OK);
    if (family->is_granted && family->is_another)
        dhcp_setbacks_begin(family);
    log_applied(family);
    metrics_set(METRIC_DHCP_LEASE_REMAINING, index_of(family), family->expires);
    if (family->wants_renewal)
        dhcp_client_renew(family->client);
    family->wants_renewal = false;
}

static void refuse_answered(struct dhcp_family *family, const struct message_lease_applied *answer)
{
    const struct wire_lease *lease = &family->lease.lease;
    char address[IP_ADDRESS_TEXT_SIZE];

    family->is_confirmed = false;
    metrics_set(METRIC_DHCP_LEASE_REMAINING, index_of(family), 0);
    family->refusal = (struct refusal){.address = lease->address, .prefix_length = lease->prefix_length};
    dhcp_setbacks_refuse(family, format(&lease->address, address),
                         answer->reason[0] != '\0' ? answer->reason : log_errno_text(answer->error), answer->error);
}

/* What was taken first does not serve any more either: nothing of before is in its place. */
static bool is_taken_back(const struct dhcp_family *family, const struct message_lease_applied *answer)
{
    return family->is_answered && family->lease.is_held && family->is_applied && answer->error < 0;
}

void dhcp_family_take_answer(struct dhcp_family *family, const struct message_lease_applied *answer)
{
    bool takes_back = is_taken_back(family, answer);

    if (answer->header.generation != family->lease.header.generation || family->is_stopping ||
        (family->is_answered && !takes_back))
        return;
    family->is_answered = true;
    if (!family->lease.is_held)
        return;
    if (takes_back)
        family->is_in_use = false;
    family->is_applied = answer->error == 0;
    if (family->is_applied) {
        confirm(family);
        family->callbacks.on_changed(family->callbacks.userdata);
    } else {
        refuse_answered(family, answer);
    }
}

void dhcp_family_send_again(struct dhcp_family *family)
{
    if (family->lease.header.type == MESSAGE_LEASE)
        send_lease(family);
}

/* --- the client ---------------------------------------------------------------------------------------- */

static void on_client_started(struct dhcp_client *client, void *userdata)
{
    struct dhcp_family *family = userdata;

    (void)client;
    family->is_bound = false;
    family->silences = 0;
    family->refusal = (struct refusal){.retry = 0};
    await_answer(family);
    family->callbacks.on_changed(family->callbacks.userdata);
}

static void on_client_said(struct dhcp_client *client, const struct dhcp_saying *saying, void *userdata)
{
    (void)client;
    dhcp_setbacks_take(userdata, saying);
}

static void on_client_ended(struct dhcp_client *client, bool has_released, void *userdata)
{
    struct dhcp_family *family = userdata;
    char address[IP_ADDRESS_TEXT_SIZE];

    (void)client;
    family->is_bound = false;
    timer_clear(family->attention_timer);
    if (has_released && family->lease.is_held)
        log_info("lease released", LOG_TEXT("family", dhcp_family_name(family)),
                 LOG_TEXT("address", format(&family->lease.lease.address, address)),
                 LOG_NUMBER("further_addresses", family->lease.lease.further_count));
    family->callbacks.on_changed(family->callbacks.userdata);
    if (family->is_stopping)
        family->callbacks.on_ended(family->callbacks.userdata);
}

void dhcp_family_stop(struct dhcp_family *family, bool keeps_lease, uint64_t deadline)
{
    family->is_stopping = true;
    timer_clear(family->expiry_timer);
    timer_clear(family->attention_timer);
    dhcp_client_end(family->client, keeps_lease, deadline);
}

/* --- construction -------------------------------------------------------------------------------------- */

struct dhcp_family *dhcp_family_free(struct dhcp_family *family)
{
    if (!family)
        return NULL;
    (void)dhcp_client_free(family->client);
    sd_event_source_disable_unref(family->expiry_timer);
    sd_event_source_disable_unref(family->attention_timer);
    free(family);
    return NULL;
}

int dhcp_family_new(sd_event *event, const struct configuration *configuration, uint8_t ip_family,
                    const struct dhcp_family_callbacks *callbacks, struct dhcp_family **ret)
{
    CLEANUP(dhcp_family_freep) struct dhcp_family *family = calloc(1, sizeof(*family));
    struct dhcp_client_callbacks client_callbacks = {on_client_started, on_client_ended, on_client_said, family};
    int result;

    if (!family)
        return -ENOMEM;
    family->configuration = configuration;
    family->family = ip_family;
    family->callbacks = *callbacks;
    result = timer_new(event, CLOCK_BOOTTIME, TIMER_ACCURACY, on_expiry_time, family, &family->expiry_timer);
    if (result == 0)
        result = timer_new(event, CLOCK_BOOTTIME, TIMER_ACCURACY, on_attention_time, family, &family->attention_timer);
    if (result == 0)
        result = dhcp_client_new(event, configuration, ip_family, &client_callbacks, &family->client);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(family);
    return 0;
}
