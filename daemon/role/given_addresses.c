/* Addresses that are given; see given_addresses.h. Runs in the supervisor, as root. */
#include "daemon/role/given_addresses.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/problems.h"

static void send_one(const struct ip_subnet *given, struct worker *netadmin)
{
    struct message_lease message = {
        .header = message_header_make(MESSAGE_LEASE, sizeof(message), 1),
        .family = given->address.family,
        .is_held = true,
        .received = clock_boottime_microseconds(),
        .lease =
            {
                .address = wire_address_from(&given->address),
                .prefix_length = given->prefix_length,
                .valid_seconds = LEASE_SECONDS_FOREVER,
                .preferred_seconds = LEASE_SECONDS_FOREVER,
            },
    };

    if (given->address.family != IP_FAMILY_NONE)
        worker_send(netadmin, &message.header, -1);
}

void given_addresses_send(const struct configuration_address *address, struct worker *netadmin)
{
    send_one(&address->given4, netadmin);
    send_one(&address->given6, netadmin);
}

void given_addresses_take_answer(const struct configuration_address *address,
                                 const struct message_lease_applied *answer)
{
    const struct ip_subnet *given = answer->family == IP_FAMILY_4 ? &address->given4 : &address->given6;

    if (answer->error < 0)
        log_error("the address that was given cannot be used: give another one, or free it and start anchord again",
                  LOG_PROBLEM(PROBLEM_GIVEN_ADDRESS_REFUSED), LOG_TEXT("variable", "ANCHORD_ADDRESS"),
                  LOG_TEXT("address", IP_SUBNET_TEXT(given)), LOG_TEXT("reason", answer->reason),
                  LOG_ERROR(answer->error));
}
