/* Unit tests of daemon/dhcp/dhcp_saying: dhcpcd's lines, and lines that somebody on the LAN would have us believe. */
#include "common/cleanup.h"
#include "daemon/dhcp/dhcp_saying.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void lines_of_dhcpcd_are_understood(void **state)
{
    static const struct {
        const char *line;
        enum dhcp_saying_kind kind;
        const char *address, *mac;
    } cases[] = {
        {"eth0: 02:00:00:00:00:66(02:00:00:00:00:66) claims 192.0.2.9", DHCP_SAYING_CLAIMED, "192.0.2.9",
         "02:00:00:00:00:66"},
        {"eth0: 02:00:00:00:00:66 claims 192.0.2.9", DHCP_SAYING_CLAIMED, "192.0.2.9", "02:00:00:00:00:66"},
        {"eth0: DAD detected 192.0.2.9", DHCP_SAYING_DECLINED, "192.0.2.9", NULL},
        {"eth0: NAK: from 192.0.2.1", DHCP_SAYING_REFUSED, "192.0.2.1", NULL},
        {"eth0: NAK: address not available from 192.0.2.1", DHCP_SAYING_REFUSED, "192.0.2.1", NULL},
        {"eth0: NAK: go away from here from 192.0.2.1 server", DHCP_SAYING_REFUSED, "192.0.2.1", NULL},
        {"eth0: NAK: from 192.0.2.77 from 192.0.2.1", DHCP_SAYING_REFUSED, "192.0.2.1", NULL},
        {"eth0: 10 second defence failed for 192.0.2.9", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"eth0: blacklisted DHCP packet from 192.0.2.1", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"eth0: message: address not available", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"getpwnam: No such file or directory", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"no such user dhcpcd", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"no such user _dhcpcd", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"eth0: releasing lease of 192.0.2.9", DHCP_SAYING_RELEASED, NULL, NULL},
        {"no such user _dhcpcd", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"unknown option: arp_persistdefence", DHCP_SAYING_HARMLESS, NULL, NULL},
        {"arp_read: eth0: Resource temporarily unavailable", DHCP_SAYING_HARMLESS, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct dhcp_saying saying = dhcp_saying_parse("eth0", cases[i].line);
        char address[IP_ADDRESS_TEXT_SIZE], mac[MAC_ADDRESS_TEXT_SIZE];

        assert_int_equal(saying.kind, cases[i].kind);
        if (cases[i].address)
            assert_string_equal(ip_address_format(&saying.address, address), cases[i].address);
        if (cases[i].mac)
            assert_string_equal(mac_address_format(&saying.mac, mac), cases[i].mac);
    }
}

static void what_is_not_exactly_as_expected_means_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "eth0",
        "eth0: ",
        "eth0:DAD detected 192.0.2.9",
        "eth1: DAD detected 192.0.2.9",
        "eth0: eth0: DAD detected 192.0.2.9",
        "eth0: DAD detected ",
        "eth0: DAD detected 192.0.2.900",
        "eth0: DAD detected 2001:db8::1",
        "eth0: DAD detected 192.0.2.9192.0.2.9192.0.2.9192.0.2.9192.0.2.9192.0.2.9",
        "eth0: NAK: ",
        "eth0: NAK: from",
        "eth0: NAK: from here",
        "eth0: 02:00:00:00:00 claims 192.0.2.9",
        "eth0: 02:00:00:00:00:zz claims 192.0.2.9",
        "eth0: 02:00:00:00:00:66 claims",
        "eth0: carrier lost",
        "eth0: message",
        "getpwnam: Permission denied",
        "arp_read: eth0: Network is down",
        "arp_read: eth1: Resource temporarily unavailable",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_int_equal(dhcp_saying_parse("eth0", lines[i]).kind, DHCP_SAYING_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_dhcpcd_are_understood),
        cmocka_unit_test(what_is_not_exactly_as_expected_means_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
