/* ICMP errors and DNS answers; see answer.h. Runs in anchord-probe without any privilege. */
#include "workers/commands/probe/answer.h"

#include "common/address.h"

#include <errno.h>
#include <time.h> /* before linux/errqueue.h, which needs a timespec */

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* RFC 1035 §4.1.1: identifier, flags, four counts. */
#define DNS_HEADER_SIZE 12
#define DNS_IS_ANSWER   0x80
#define DNS_RECURSION   0x01

/* RFC 1035 §3.5: 5.0.30.172.in-addr.arpa, type PTR, class IN. Docker's resolver knows the addresses of its containers
 * itself; what it does not know 20.10 asks others for, and says nothing when those do not. */
static size_t put_name_of(const struct ip_address *address, uint8_t *ret)
{
    static const uint8_t rest[] = "\7in-addr\4arpa\0\0\14\0\1";
    size_t length = 0;

    for (size_t i = ip_family_length(IP_FAMILY_4); i > 0; i--) {
        char text[8];
        int digits = snprintf(text, sizeof(text), "%u", (unsigned int)address->bytes[i - 1]);

        ret[length++] = (uint8_t)digits;
        memcpy(ret + length, text, (size_t)digits);
        length += (size_t)digits;
    }
    memcpy(ret + length, rest, sizeof(rest) - 1);
    return length + sizeof(rest) - 1;
}

size_t answer_make_question(uint16_t identifier, const struct ip_address *address, uint8_t question[DNS_QUERY_SIZE])
{
    /* anchord.invalid (RFC 6761 §6.4): no name of anybody's; type A, class IN */
    static const uint8_t asked[] = "\7anchord\7invalid\0\0\1\0\1";
    const uint8_t header[DNS_HEADER_SIZE] = {(uint8_t)(identifier >> 8), (uint8_t)identifier, DNS_RECURSION, 0, 0, 1};

    memcpy(question, header, sizeof(header));
    if (address->family == IP_FAMILY_4)
        return sizeof(header) + put_name_of(address, question + sizeof(header));
    memcpy(question + sizeof(header), asked, sizeof(asked) - 1);
    return sizeof(header) + sizeof(asked) - 1;
}

bool answer_is_of_resolver(const uint8_t *bytes, size_t length, uint16_t identifier)
{
    return length >= DNS_HEADER_SIZE && bytes[0] == identifier >> 8 && bytes[1] == (identifier & 0xff) &&
           (bytes[2] & DNS_IS_ANSWER);
}

/* SO_EE_OFFENDER(): behind the error, if it came from another host. */
static struct wire_address read_offender(const uint8_t *bytes, size_t length)
{
    struct sockaddr_in6 address6;
    struct sockaddr_in address4;
    struct ip_address found = {0};
    sa_family_t family = AF_UNSPEC;

    if (length >= sizeof(family))
        memcpy(&family, bytes, sizeof(family));
    if (family == AF_INET && length >= sizeof(address4)) {
        memcpy(&address4, bytes, sizeof(address4));
        found = ip_address_from_bytes(IP_FAMILY_4, &address4.sin_addr);
    } else if (family == AF_INET6 && length >= sizeof(address6)) {
        memcpy(&address6, bytes, sizeof(address6));
        found = ip_address_from_bytes(IP_FAMILY_6, &address6.sin6_addr);
    }
    return wire_address_from(&found);
}

static enum probe_outcome judge(const struct sock_extended_err *error)
{
    bool is_v6 = error->ee_origin == SO_EE_ORIGIN_ICMP6;

    if (error->ee_errno == EMSGSIZE)
        return PROBE_TOO_BIG;
    if (is_v6 && error->ee_type == ICMPV6_DEST_UNREACH && error->ee_code == ICMPV6_PORT_UNREACH)
        return PROBE_REFUSED;
    if (!is_v6 && error->ee_type == ICMP_DEST_UNREACH && error->ee_code == ICMP_PORT_UNREACH)
        return PROBE_REFUSED;
    if (error->ee_type == (is_v6 ? ICMPV6_TIME_EXCEED : ICMP_TIME_EXCEEDED))
        return PROBE_EXPIRED;
    return PROBE_UNREACHABLE;
}

bool answer_read_error(const void *bytes, size_t length, struct probe_result *result)
{
    struct sock_extended_err error;

    if (length < sizeof(error))
        return false;
    memcpy(&error, bytes, sizeof(error));
    if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6 &&
        !(error.ee_origin == SO_EE_ORIGIN_LOCAL && error.ee_errno == EMSGSIZE))
        return false;
    result->outcome = judge(&error);
    result->error = error.ee_errno < 4096 ? -(int32_t)error.ee_errno : -EPROTO;
    result->icmp_type = error.ee_type;
    result->icmp_code = error.ee_code;
    result->mtu = result->outcome == PROBE_TOO_BIG ? error.ee_info : 0;
    result->address = read_offender((const uint8_t *)bytes + sizeof(error), length - sizeof(error));
    return true;
}
