/*
 * A kernel that does not know NFT_TABLE_F_OWNER (before 5.12), as the supervisor of a service-anchor sees it: preloaded
 * by test_service_anchor.py, with the supervisor's privileges. The flag becomes one that no kernel knows, and the
 * kernel at hand refuses it in its own words. The supervisor sends its requests about tables with sendto(2).
 */
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
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
    uint8_t copy[1024];
    uint8_t *found;

    if (to && to->sa_family == AF_NETLINK && length <= sizeof(copy)) {
        memcpy(copy, bytes, length);
        bytes = copy;
        while ((found = memmem(copy, length, &owned, sizeof(owned))))
            memcpy(found + sizeof(owned.header), &unknown, sizeof(unknown));
    }
    return syscall(SYS_sendto, fd, bytes, length, flags, to, to_length);
}
