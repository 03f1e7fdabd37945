/*
 * What comes in a lease's way; see dhcp_family_internal.h. Runs in the supervisor, as root.
 */
#include "daemon/dhcp/dhcp_family_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"

#include <stdio.h>

/* --- what is refused ------------------------------------------------------------------------------------ */

/* By netadmin, or by anchord-lease, which could not read it. `delay`: microseconds; 0: nobody of ours asks again. */
static void note_refusal(struct dhcp_family *family, const char *what, const char *why, uint64_t delay)
{
    dhcp_family_count(family, METRIC_ERROR);
    text_copy_cut(family->refusal.reason, sizeof(family->refusal.reason), why);
    family->refusal.retry = delay ? clock_boottime_microseconds() + delay : 0;
    if (delay)
        log_warn("lease refused", LOG_PROBLEM(PROBLEM_LEASE_REFUSED), LOG_TEXT("family", dhcp_family_name(family)),
                 LOG_TEXT("what", what), LOG_TEXT("why", why), LOG_NUMBER("retry_in", delay / MICROSECONDS_PER_SECOND));
    else
        log_warn("lease refused", LOG_PROBLEM(PROBLEM_LEASE_REFUSED), LOG_TEXT("family", dhcp_family_name(family)),
                 LOG_TEXT("what", what), LOG_TEXT("why", why));
}

/* netadmin keeps nothing of what its policy refuses; what failed otherwise it would try again. */
static void give_up(struct dhcp_family *family, int error)
{
    if (error != -EPERM) {
        dhcp_family_forget_lease(family);
        return;
    }
    family->lease = (struct message_lease){.header.generation = family->lease.header.generation};
    family->is_applied = family->wants_renewal = false;
    timer_clear(family->expiry_timer);
}

/*
 * What dhcpcd holds now cannot be used. It cannot decline it, and if it merely asked again it would ask for the same
 * address: so it starts over, unless there is a lease that serves, which it would give up with that. What duplicate
 * address detection found in use, dhcpcd does decline (RFC 8415 §18.2.8).
 */
void dhcp_setbacks_refuse(struct dhcp_family *family, const char *what, const char *why, int error)
{
    bool is_supervised = configuration_has_dhcp_client(family->configuration);
    uint64_t delay = dhcp_family_back_off(family, DHCP_FIRST_RETRY, family->refusals++);

    note_refusal(family, what, why, is_supervised ? delay : 0);
    if (!is_supervised) {
        timer_clear(family->attention_timer);
    } else if (family->is_in_use || error == -EADDRINUSE) {
        timer_set(family->attention_timer, delay);
    } else {
        timer_clear(family->attention_timer);
        give_up(family, error);
        dhcp_client_start_over(family->client, delay);
    }
    family->callbacks.on_changed(family->callbacks.userdata);
}

/* --- what dhcpcd says ----------------------------------------------------------------------------------- */

#define TWIN_TEXT_SIZE 64
/* One that was not heard for so long is gone. */
#define TWIN_MEMORY (3600 * MICROSECONDS_PER_SECOND)
/* Between two lines about others with our name. */
#define TWIN_LOG_INTERVAL (60 * MICROSECONDS_PER_SECOND)

static bool has_twin(const struct dhcp_family *family)
{
    return family->setbacks.twin_heard && clock_boottime_microseconds() - family->setbacks.twin_heard < TWIN_MEMORY;
}

static const char *describe_twin(const struct dhcp_family *family, char text[TWIN_TEXT_SIZE])
{
    char mac[MAC_ADDRESS_TEXT_SIZE];

    (void)snprintf(text, TWIN_TEXT_SIZE, "MAC %s has our client identifier",
                   mac_address_format(&family->setbacks.twin, mac));
    return text;
}

/* Any host can forge such a packet: it costs a line, and what the server does to us anyway is taken more slowly. */
void dhcp_family_take_twin(struct dhcp_family *family, const struct mac_address *mac)
{
    struct dhcp_setbacks *setbacks = &family->setbacks;
    uint64_t now = clock_boottime_microseconds();
    bool is_known = has_twin(family) && mac_address_equal(&setbacks->twin, mac);
    char text[MAC_ADDRESS_TEXT_SIZE];

    setbacks->twin = *mac;
    setbacks->twin_heard = now;
    if (is_known || (setbacks->twin_said && now - setbacks->twin_said < TWIN_LOG_INTERVAL))
        return;
    setbacks->twin_said = now;
    log_warn("another dhcp client has our identifier: two projects need two names", LOG_PROBLEM(PROBLEM_SAME_CLIENT_ID),
             LOG_TEXT("family", dhcp_family_name(family)), LOG_TEXT("client_id", family->configuration->dhcp_name),
             LOG_TEXT("mac", mac_address_format(mac, text)));
}

static void begin_anew(struct dhcp_family *family, uint64_t delay)
{
    timer_clear(family->attention_timer);
    dhcp_client_start_over(family->client, delay); /* it holds nothing that this could release */
    family->callbacks.on_changed(family->callbacks.userdata);
}

/* Never earlier than RFC 2131 §3.1 (5) allows, whatever ANCHORD_DHCP_BACKOFF_MAX is: each DECLINE takes an address out
 * of the server's pool, and somebody who answers for all of them would soon leave none for anybody. */
static uint64_t delay_after_decline(struct dhcp_family *family)
{
    struct dhcp_setbacks *setbacks = &family->setbacks;
    uint64_t longest = family->configuration->dhcp_backoff_max_milliseconds * MICROSECONDS_PER_MILLISECOND;
    uint64_t delay;

    if (setbacks->begun && clock_boottime_microseconds() - setbacks->begun > longest)
        setbacks->declines = 0;
    setbacks->begun = 0;
    delay = dhcp_family_back_off(family, DHCP_FIRST_RETRY, setbacks->declines++);
    return delay > DHCP_FIRST_RETRY ? delay : DHCP_FIRST_RETRY;
}

/* dhcpcd has told the server; by itself it would ask anew after a second, again and again. */
static void take_decline(struct dhcp_family *family, const struct ip_address *address)
{
    const struct dhcp_setbacks *setbacks = &family->setbacks;
    uint64_t delay = delay_after_decline(family);
    char address_text[IP_ADDRESS_TEXT_SIZE];
    char mac[MAC_ADDRESS_TEXT_SIZE];
    char twin[TWIN_TEXT_SIZE];
    char why[REASON_SIZE];

    (void)snprintf(why, sizeof(why), "held by MAC %s%s%s",
                   ip_address_equal(address, &setbacks->claimed) ? mac_address_format(&setbacks->holder, mac)
                                                                 : "unknown",
                   has_twin(family) ? ", and " : "", has_twin(family) ? describe_twin(family, twin) : "");
    family->refusal = (struct refusal){.address = wire_address_from(address), .prefix_length = 32};
    note_refusal(family, ip_address_format(address, address_text), why, delay);
    begin_anew(family, delay);
}

/* Who of the two asks at once takes the address away from the other, who asks at once. */
void dhcp_setbacks_deny(struct dhcp_family *family)
{
    char twin[TWIN_TEXT_SIZE];
    uint64_t delay;

    if (!has_twin(family) || !configuration_has_dhcp_client(family->configuration))
        return;
    delay = delay_after_decline(family);
    note_refusal(family, "what the server gave", describe_twin(family, twin), delay);
    begin_anew(family, delay);
}

static void ignore_server(struct dhcp_family *family, const struct ip_address *server)
{
    struct dhcp_setbacks *setbacks = &family->setbacks;
    char text[IP_ADDRESS_TEXT_SIZE];

    if (!ip_address_equal(server, &setbacks->named))
        log_warn("a dhcp server refuses each request, not listening to it", LOG_PROBLEM(PROBLEM_LEASE_REFUSED),
                 LOG_TEXT("family", dhcp_family_name(family)), LOG_TEXT("server", ip_address_format(server, text)));
    setbacks->named = setbacks->ignored = *server;
    dhcp_client_ignore_server(family->client, server);
    dhcp_client_pause(family->client, 0);
}

/* While a lease is being renewed, and until rebinding begins, its server alone is asked. */
static bool is_asked(const struct dhcp_family *family, const struct ip_address *server)
{
    const struct message_lease *lease = &family->lease;
    uint64_t rebinding =
        lease->lease.rebinding_seconds ? lease->lease.rebinding_seconds : lease->lease.valid_seconds / 8 * 7;
    struct ip_address ours = wire_address_to(&lease->lease.server);

    return !lease->is_held || !family->is_bound || ours.family == IP_FAMILY_NONE || ip_address_equal(server, &ours) ||
           clock_boottime_microseconds() >= lease->received + rebinding * MICROSECONDS_PER_SECOND;
}

/*
 * dhcpcd takes a DHCPNAK of whatever server, also of one whose offer it did not choose, and begins anew (src/dhcp.c).
 * The first one may be the answer to a lease of before, asked for by INIT-REBOOT; a second one before anything was
 * renewed is not.
 */
static void take_denial(struct dhcp_family *family, const struct ip_address *server)
{
    struct dhcp_setbacks *setbacks = &family->setbacks;

    setbacks->is_foreign = !is_asked(family, server);
    if (++setbacks->denials >= 2 || setbacks->is_foreign)
        ignore_server(family, server);
}

/* A line can be forged by who breaks another one with its text: while there is a lease, none of this counts. */
void dhcp_setbacks_take(struct dhcp_family *family, const struct dhcp_saying *saying)
{
    if (family->is_stopping || family->family != IP_FAMILY_4)
        return;
    if (saying->kind == DHCP_SAYING_CLAIMED) {
        family->setbacks.claimed = saying->address;
        family->setbacks.holder = saying->mac;
    } else if (saying->kind == DHCP_SAYING_DECLINED && !family->is_bound) {
        take_decline(family, &saying->address);
    } else if (saying->kind == DHCP_SAYING_REFUSED) {
        take_denial(family, &saying->address);
    }
}

void dhcp_setbacks_begin(struct dhcp_family *family)
{
    family->setbacks.begun = clock_boottime_microseconds();
}

bool dhcp_setbacks_hear_everybody(struct dhcp_family *family)
{
    struct dhcp_setbacks *setbacks = &family->setbacks;

    if (setbacks->ignored.family == IP_FAMILY_NONE)
        return false;
    setbacks->denials = 0;
    setbacks->ignored = (struct ip_address){.family = IP_FAMILY_NONE};
    dhcp_client_ignore_server(family->client, &setbacks->ignored);
    dhcp_client_start_over(family->client, 0);
    return true;
}
