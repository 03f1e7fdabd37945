/* DOCKER_HOST as a value; see host.h. Pure, runs without any privilege. */
#include "workers/docker/host.h"

#include "common/address.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>

/* RFC 1123 §2.1 and `_`, which Docker allows in service names. Nothing else reaches a URL. */
static bool is_host_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

    return text[0] != '\0' && text[0] != '-' && strspn(text, allowed) == strlen(text);
}

static const char *parse_port(const char *text, struct docker_host *host)
{
    uint64_t port = DOCKER_PORT_DEFAULT;
    size_t length = strcspn(text, "/");

    if (text[length] == '/' && text[length + 1] != '\0')
        return "a path behind the port is not supported";
    if (text[0] == ':' && (text_to_number(text + 1, length - 1, UINT16_MAX, &port) < 0 || port == 0))
        return "the port is no number from 1 to 65535";
    if (text[0] != ':' && length > 0)
        return "characters between the address and the port";
    host->port = (uint16_t)port;
    return NULL;
}

static const char *parse_tcp(const char *text, struct docker_host *host)
{
    bool is_bracketed = text[0] == '[';
    const char *name = is_bracketed ? text + 1 : text;
    size_t length = strcspn(name, is_bracketed ? "]" : ":/");
    struct ip_address address;

    if (is_bracketed && name[length] != ']')
        return "the bracket of the IPv6 address is not closed";
    if (length == 0 || length >= sizeof(host->name))
        return "the host name is empty or too long";
    memcpy(host->name, name, length);
    host->name_is_address = ip_address_parse(host->name, &address) == 0;
    if (is_bracketed && (!host->name_is_address || address.family != IP_FAMILY_6))
        return "brackets without an IPv6 address";
    if (!host->name_is_address && !is_host_name(host->name))
        return "the host name holds characters that no host name has";
    host->kind = DOCKER_HOST_TCP;
    return parse_port(name + length + (is_bracketed ? 1 : 0), host);
}

static const char *parse_unix(const char *path, struct docker_host *host)
{
    if (path[0] != '/')
        return "the path of the socket is not absolute";
    if (text_copy(host->path, sizeof(host->path), path) < 0)
        return "the path of the socket is longer than 107 bytes";
    host->kind = DOCKER_HOST_UNIX;
    return NULL;
}

int docker_host_parse(const char *text, struct docker_host *ret, const char **ret_reason)
{
    static const char unix_prefix[] = "unix://";
    static const char tcp_prefix[] = "tcp://";
    struct docker_host host = {0};
    const char *broken = "neither unix://… nor tcp://…";

    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
        broken = parse_unix(text + strlen(unix_prefix), &host);
    else if (strncmp(text, tcp_prefix, strlen(tcp_prefix)) == 0)
        broken = parse_tcp(text + strlen(tcp_prefix), &host);
    if (broken) {
        *ret_reason = broken;
        return -EINVAL;
    }
    *ret = host;
    return 0;
}
