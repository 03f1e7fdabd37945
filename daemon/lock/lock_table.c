/* A table that belongs to a socket; see lock_table.h. Runs in the supervisor, as root. */
#include "daemon/lock/lock_table.h"

#include "common/cleanup.h"
#include "daemon/supervise/privileges.h"

#include <assert.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TABLE_NAME "anchord_lock"

/* Begin and end of a batch: netlink header and netfilter header alone. */
struct batch_mark {
    struct nlmsghdr header;
    struct nfgenmsg netfilter;
};

/* NFT_MSG_…TABLE with name and flags, padded as the kernel wants it (netlink(7)). */
struct table_request {
    struct nlmsghdr header;
    struct nfgenmsg netfilter;
    struct nlattr name_header;
    char name[16];
    struct nlattr flags_header;
    uint32_t flags; /* in network byte order */
};
static_assert(sizeof(TABLE_NAME) <= sizeof(((struct table_request *)0)->name), "the name fits");
static_assert(sizeof(struct batch_mark) == NLMSG_LENGTH(sizeof(struct nfgenmsg)), "no padding");
static_assert(offsetof(struct table_request, name_header) == sizeof(struct batch_mark) &&
                  sizeof(struct table_request) == sizeof(struct batch_mark) + 4 + 16 + 4 + 4,
              "no padding");

/* As it is sent: `end` moves up where there is nothing to remove. */
struct batch {
    struct batch_mark begin;
    struct table_request make;
    union {
        struct batch_mark end;
        struct {
            struct table_request remove;
            struct batch_mark end;
        } longer;
    };
};

static const uint8_t families[] = {[LOCK_TABLE_ACTIVE] = NFPROTO_IPV4, [LOCK_TABLE_STANDBY] = NFPROTO_IPV6};

static struct batch_mark make_mark(uint16_t type)
{
    return (struct batch_mark){
        .header = {.nlmsg_len = sizeof(struct batch_mark), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST},
        .netfilter = {.version = NFNETLINK_V0, .res_id = htobe16(NFNL_SUBSYS_NFTABLES)},
    };
}

static struct table_request make_request(enum lock_table table, uint16_t type, uint16_t flags)
{
    return (struct table_request){
        .header = {.nlmsg_len = sizeof(struct table_request),
                   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .netfilter = {.nfgen_family = families[table], .version = NFNETLINK_V0},
        .name_header = {.nla_len = NLA_HDRLEN + sizeof(TABLE_NAME), .nla_type = NFTA_TABLE_NAME},
        .name = TABLE_NAME,
        .flags_header = {.nla_len = NLA_HDRLEN + sizeof(uint32_t), .nla_type = NFTA_TABLE_FLAGS},
        .flags = htobe32(NFT_TABLE_F_OWNER),
    };
}

static int send_to_kernel(int fd, const void *bytes, size_t length)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    if (sendto(fd, bytes, length, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    return 0;
}

/* The answers are there when sendto() returns. Reads them all; returns the first error, else 0. A table that was asked
 * for answers as NFT_MSG_NEWTABLE: no error. */
static int read_answers(int fd)
{
    _Alignas(struct nlmsghdr) char buffer[4096];
    int result = -ENODATA;
    ssize_t length;

    while ((length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
        struct nlmsghdr *answer = (struct nlmsghdr *)buffer;
        int error = 0;

        if ((size_t)length < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
            return -EBADMSG;
        if (answer->nlmsg_type == NLMSG_ERROR)
            error = ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
        if (result == -ENODATA || result == 0)
            result = error;
    }
    return result;
}

/* Asks the kernel with the capability that it wants for every request, also for one that changes nothing. */
static int request(int fd, const void *bytes, size_t length)
{
    int result = privileges_use_net_admin(true);

    if (result < 0)
        return result;
    result = send_to_kernel(fd, bytes, length);
    if (privileges_use_net_admin(false) < 0)
        abort(); /* never to go on with more than we need */
    return result < 0 ? result : read_answers(fd);
}

int lock_table_open(int *ret_fd)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    CLEANUP_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int lock_table_exists(int fd, enum lock_table table)
{
    const struct table_request question = make_request(table, NFT_MSG_GETTABLE, 0);
    int result = request(fd, &question, sizeof(question));

    if (result == -ENOENT)
        return 0;
    return result < 0 ? result : 1;
}

/* table ip anchord_lock { flags owner } */
int lock_table_take(int fd, enum lock_table table, bool gives_up_other)
{
    const enum lock_table other = table == LOCK_TABLE_ACTIVE ? LOCK_TABLE_STANDBY : LOCK_TABLE_ACTIVE;
    struct batch batch = {
        .begin = make_mark(NFNL_MSG_BATCH_BEGIN),
        .make = make_request(table, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK),
        .end = make_mark(NFNL_MSG_BATCH_END),
    };

    if (!gives_up_other)
        return request(fd, &batch, offsetof(struct batch, end) + sizeof(batch.end));
    batch.longer.remove = make_request(other, NFT_MSG_DELTABLE, NLM_F_ACK);
    batch.longer.end = make_mark(NFNL_MSG_BATCH_END);
    return request(fd, &batch, sizeof(batch));
}
