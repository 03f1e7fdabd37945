/*
 * A kernel without policy routing, as netadmin and way see it (SA-2): preloaded into both by
 * test_without_policy_routing.py, with the privileges of that. Each request about rules is turned into one that the
 * real kernel cannot serve, so that the refusal is its own:
 *
 *     WITHOUT_POLICY_ROUTING=both  a type that only ever comes from the kernel: EOPNOTSUPP, as without
 *                                  CONFIG_IP_MULTIPLE_TABLES
 *     WITHOUT_POLICY_ROUTING=ipv6  for IPv6, a family that has no rules: EAFNOSUPPORT, as without
 *                                  CONFIG_IPV6_MULTIPLE_TABLES
 *
 * libmnl sends with sendto(2) only.
 */
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REQUEST_SIZE 512

struct request {
    struct nlmsghdr message;
    struct fib_rule_hdr rule;
};

static void spoil(struct request *request)
{
    const char *families = getenv("WITHOUT_POLICY_ROUTING");

    if (!families || request->message.nlmsg_type < RTM_NEWRULE || request->message.nlmsg_type > RTM_GETRULE)
        return;
    if (strcmp(families, "both") == 0)
        request->message.nlmsg_type = (uint16_t)(request->message.nlmsg_type - RTM_NEWRULE + RTM_NEWPREFIX);
    else if (strcmp(families, "ipv6") == 0 && request->rule.family == AF_INET6)
        request->rule.family = AF_IPX;
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    _Alignas(struct request) unsigned char changed[REQUEST_SIZE];
    const void *sent = bytes;

    if (to && to->sa_family == AF_NETLINK && length >= sizeof(struct request) && length <= sizeof(changed)) {
        memcpy(changed, bytes, length);
        spoil((struct request *)changed);
        sent = changed;
    }
    return syscall(SYS_sendto, fd, sent, length, flags, to, to_length);
}
