/* How dhcpcd is called; see dhcp_command_line.h. Pure, no privilege. */
#include "daemon/dhcp/dhcp_command_line.h"

#include "common/cleanup.h"
#include "common/stable_hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 9562 §5.8: a UUID of version 8 holds what its maker likes but for version and variant. */
void dhcp_command_line_unique_identifier(const char *name, char text[DHCP_UNIQUE_IDENTIFIER_SIZE])
{
    stable_hash value = stable_hash_text(stable_hash_text(STABLE_HASH_BASIS, "anchord"), name);
    uint8_t bytes[16];
    int length = snprintf(text, DHCP_UNIQUE_IDENTIFIER_SIZE, "00:04");

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(value >> (8 * (sizeof(bytes) - 1 - i)));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++)
        length += snprintf(text + length, DHCP_UNIQUE_IDENTIFIER_SIZE - (size_t)length, ":%02x", bytes[i]);
}

__attribute__((format(printf, 2, 3))) static void add(struct dhcp_command_line *line, const char *format, ...)
{
    size_t room = sizeof(line->text) - line->length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses the va_start above */
    length = vsnprintf(line->text + line->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room || line->count >= DHCP_ARGUMENTS_MAX) {
        line->count = DHCP_ARGUMENTS_MAX + 1; /* nothing fits any more */
        return;
    }
    line->arguments[line->count++] = line->text + line->length;
    line->length += (size_t)length + 1;
}

/* What keeps dhcpcd from touching the interface, and from doing what nobody asked for. */
static void add_safety(struct dhcp_command_line *line)
{
    static const char *const options[] = {
        "--nobackground",
        "--quiet",                   /* errors alone on standard error, which has no levels */
        "--logfile=/proc/self/fd/1", /* and there everything */
        "--noconfigure",
        "--noipv4ll", /* 9.4.1 crashes with it and without a server */
        "--noipv6rs", /* router advertisements are the kernel's business (ADDR-14) */
        "--nodelay",
        "--nodev",
        "--persistent",            /* SIGTERM, at our crash, keeps the lease */
        "--reboot=2",              /* never 0: then a SIGHUP would ask the old server alone */
        "--vendorclassid=anchord", /* else the kernel's version */
        "--fqdn=disable",          /* else the host name (option 12) would not be sent */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
        add(line, "%s", options[i]);
}

int dhcp_command_line_make(const struct configuration *configuration, uint8_t family, const char *interface,
                           const struct dhcp_places *places, const struct ip_address *ignored,
                           struct dhcp_command_line *ret)
{
    char identifier[DHCP_UNIQUE_IDENTIFIER_SIZE];
    char server[IP_ADDRESS_TEXT_SIZE];

    *ret = (struct dhcp_command_line){0};
    dhcp_command_line_unique_identifier(configuration->dhcp_name, identifier);
    add(ret, "dhcpcd");
    add(ret, "--config=%s", places->configuration);
    add_safety(ret);
    add(ret, "--script=%s", places->script);
    add(ret, "--env=%s=%s", LEASE_SOCKET_ENVIRONMENT, places->lease_socket);
    add(ret, "--hostname=%s", configuration->dhcp_host_name);
    add(ret, "--duid=%s", identifier);
    if (family == IP_FAMILY_4) {
        add(ret, "--ipv4only");
        add(ret, "--clientid=\"%s\"", configuration->dhcp_name); /* in quotes it is text, never hexadecimal digits */
        add(ret, "--option=subnet_mask,routers,classless_static_routes,interface_mtu");
        add(ret, "--require=dhcp_server_identifier");
        add(ret, "--lastlease"); /* while nobody answers; anchord-lease takes its age off (KEEP-1) */
        if (!configuration->dhcp_arp_probe)
            add(ret, "--noarp");
        if (ignored->family == IP_FAMILY_4)
            add(ret, "--blacklist=%s", ip_address_format(ignored, server));
    } else {
        add(ret, "--ipv6only");
        add(ret, "--iaid=1"); /* one identity association is all that the name has */
        add(ret, "--ia_na=1");
    }
    add(ret, "%s", interface);
    return ret->count > DHCP_ARGUMENTS_MAX ? -E2BIG : 0;
}
