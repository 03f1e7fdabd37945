/* dhcpcd's lines understood; see dhcp_saying.h. Pure, no privilege. The lines are those of 9.4.1, 10.1 and 10.5. */
#include "daemon/dhcp/dhcp_saying.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <string.h>

/* It is to have no user of its own, or it would become several processes; the second is said when there is a passwd. */
static const char *const harmless[] = {
    "getpwnam: No such file or directory", "no such user dhcpcd", "no such user _dhcpcd", /* Debian forky's */
    "unknown option: arp_persistdefence",                                                 /* dhcp_files.c */
};

/* The rest of `line` behind `prefix`, or NULL. */
static const char *skip(const char *line, const char *prefix)
{
    size_t length = strlen(prefix);

    return line && strncmp(line, prefix, length) == 0 ? line + length : NULL;
}

/* An IPv4 address that ends with a space or the line. */
static int parse_word(const char *text, struct ip_address *ret)
{
    char word[IP_ADDRESS_TEXT_SIZE];
    size_t length = strcspn(text, " ");

    if (length >= sizeof(word))
        return -EINVAL;
    memcpy(word, text, length);
    word[length] = '\0';
    if (ip_address_parse(word, ret) < 0 || ret->family != IP_FAMILY_4)
        return -EINVAL;
    return 0;
}

/* "02:00:00:00:00:01(02:00:00:00:00:01) claims 192.0.2.9": sender of the ARP message, and of its frame. */
static bool parse_claim(const char *text, struct dhcp_saying *ret)
{
    static const char claims[] = " claims ";
    const char *end = strstr(text, claims);
    char mac[MAC_ADDRESS_TEXT_SIZE];
    size_t length = strcspn(text, "( ");

    if (!end || length != sizeof(mac) - 1)
        return false;
    memcpy(mac, text, length);
    mac[length] = '\0';
    ret->kind = DHCP_SAYING_CLAIMED;
    return mac_address_parse(mac, &ret->mac) == 0 && parse_word(end + sizeof(claims) - 1, &ret->address) == 0;
}

/* "NAK: the server's text from 192.0.2.1 its name"; both may be missing, and may hold anything: the last one counts. */
static bool parse_refusal(const char *text, struct dhcp_saying *ret)
{
    static const char from[] = "from ";
    const char *position = text;
    bool is_found = false;

    ret->kind = DHCP_SAYING_REFUSED;
    while ((position = strstr(position, from))) {
        position += sizeof(from) - 1;
        is_found = parse_word(position, &ret->address) == 0 || is_found;
    }
    return is_found;
}

struct dhcp_saying dhcp_saying_parse(const char *interface, const char *line)
{
    const struct dhcp_saying other = {.kind = DHCP_SAYING_OTHER};
    struct dhcp_saying saying = {.kind = DHCP_SAYING_HARMLESS};
    const char *text, *rest;

    for (size_t i = 0; i < ARRAY_LENGTH(harmless); i++) {
        if (strcmp(line, harmless[i]) == 0)
            return saying;
    }
    /* 9.4.1 reads once more when it has taken a conflicting ARP message, and stops listening. */
    if ((rest = skip(skip(line, "arp_read: "), interface)) && strcmp(rest, ": Resource temporarily unavailable") == 0)
        return saying;
    text = skip(skip(line, interface), ": ");
    if (!text)
        return other;
    if (skip(text, "releasing lease of ")) {
        saying.kind = DHCP_SAYING_RELEASED;
        return saying;
    }
    if (skip(text, "message: ") || skip(text, "10 second defence failed for ") ||
        skip(text, "blacklisted DHCP packet from "))
        return saying;
    if ((rest = skip(text, "DAD detected "))) {
        saying.kind = DHCP_SAYING_DECLINED;
        return parse_word(rest, &saying.address) == 0 ? saying : other;
    }
    if ((rest = skip(text, "NAK: ")))
        return parse_refusal(rest, &saying) ? saying : other;
    return parse_claim(text, &saying) ? saying : other;
}
