/* The host's routes to attached projects; see attached_routes.h. Runs as whoever typed the command. */
#include "daemon/command/attached_routes.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE       512
#define ADDRESS_DIGITS6 32

/* anc0123abcdh: the host's end of the pair to an identity (workers/links/link_names.h). */
static bool is_host_link(const char *name)
{
    static const char digits[] = "0123456789abcdef";

    return strncmp(name, "anc", 3) == 0 && strspn(name + 3, digits) == 8 && strcmp(name + 11, "h") == 0;
}

/* Its alias is "anchord PROJECT host0". */
static void name_project(const char *link, char project[NAME_SIZE])
{
    char path[64], line[LINE_SIZE] = "";
    CLEANUP_STREAM FILE *stream = NULL;
    const char *alias = line;

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/ifalias", link);
    stream = fopen(path, "re");
    if (!stream || !fgets(line, sizeof(line), stream) || !text_skip(&alias, "anchord "))
        alias = link;
    (void)snprintf(project, NAME_SIZE, "%.*s", (int)strcspn(alias, " \n"), alias);
}

/* proc(5), /proc/net/route: "eth0 050200C0 …", the address as the machine has it in memory; the eighth is the mask. */
static bool is_route4(const char *line, const struct ip_address *address, char link[INTERFACE_NAME_SIZE])
{
    unsigned int destination, mask;
    uint32_t wanted;

    memcpy(&wanted, address->bytes, sizeof(wanted));
    /* NOLINTNEXTLINE(cert-err34-c): eight digits at most, which always fit */
    if (sscanf(line, "%15s %8x %*s %*s %*s %*s %*s %8x", link, &destination, &mask) != 3)
        return false;
    return destination == wanted && mask == UINT32_MAX;
}

/* /proc/net/ipv6_route: "20010db8…0005 80 …", and the link as the last word. */
static bool is_route6(const char *line, const struct ip_address *address, char link[INTERFACE_NAME_SIZE])
{
    char wanted[ADDRESS_DIGITS6 + sizeof(" 80 ")];
    const char *last = strrchr(line, ' ');

    for (size_t i = 0; i < sizeof(address->bytes); i++)
        (void)snprintf(wanted + 2 * i, 3, "%02x", address->bytes[i]);
    (void)snprintf(wanted + ADDRESS_DIGITS6, sizeof(" 80 "), " 80 ");
    if (!last || strncmp(line, wanted, strlen(wanted)) != 0)
        return false;
    (void)snprintf(link, INTERFACE_NAME_SIZE, "%.*s", (int)strcspn(last + 1, "\n"), last + 1);
    return true;
}

bool attached_routes_find(const struct ip_address *address, char project[NAME_SIZE])
{
    bool is_v4 = address->family == IP_FAMILY_4;
    CLEANUP_STREAM FILE *stream = fopen(is_v4 ? "/proc/net/route" : "/proc/net/ipv6_route", "re");
    char line[LINE_SIZE], link[INTERFACE_NAME_SIZE] = "";

    while (stream && fgets(line, sizeof(line), stream)) {
        if (!(is_v4 ? is_route4(line, address, link) : is_route6(line, address, link)) || !is_host_link(link))
            continue;
        name_project(link, project);
        return true;
    }
    return false;
}
