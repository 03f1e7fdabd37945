/*
 * A kernel that does not know NFT_TABLE_F_OWNER (before 5.12), as the supervisor of a service-anchor sees it: preloaded
 * by test_service_anchor.py, with the supervisor's privileges, and by test_explain.py. The flag becomes one that no
 * kernel knows, and the kernel at hand refuses it in its own words. Both send their tables with sendto(2).
 */
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNKNOWN_FLAG 0x80

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    const struct {
        struct nlattr header;
        uint32_t flags;
    } owned = {{NLA_HDRLEN + sizeof(uint32_t), NFTA_TABLE_FLAGS}, htobe32(NFT_TABLE_F_OWNER)};
    const uint32_t unknown = htobe32(UNKNOWN_FLAG);
    _Alignas(struct nlmsghdr) uint8_t copy[16384];

    if (to && to->sa_family == AF_NETLINK && length <= sizeof(copy)) {
        size_t rest = length;

        memcpy(copy, bytes, length);
        bytes = copy;
        for (struct nlmsghdr *message = (void *)copy; NLMSG_OK(message, rest); message = NLMSG_NEXT(message, rest)) {
            uint8_t *found = message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE)
                                 ? memmem(message, message->nlmsg_len, &owned, sizeof(owned))
                                 : NULL;

            if (found)
                memcpy(found + sizeof(owned.header), &unknown, sizeof(unknown));
        }
    }
    return syscall(SYS_sendto, fd, bytes, length, flags, to, to_length);
}
