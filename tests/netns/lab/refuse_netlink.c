/*
 * A kernel that cannot serve netlink requests for a while, as netadmin sees it: preloaded into anchord-netadmin by
 * test_netadmin_hardship.py and test_netadmin_lease_crash.py, with the privileges of that.
 *
 *     REFUSE_NETLINK="dump ENOBUFS 4"         the first four requests of that kind fail
 *     REFUSE_NETLINK="allowed ENOMEM 1 2"     of transactions the third one, behind two that do not
 *
 * Of conntrack there are dump, delete, count and answer: there the kernel does its work, and what it says is lost;
 * unclaim is the removal of the gateway address that the tests claim; banned, allowed and traffic are transactions that
 * name the set of that name, or one that begins so.
 *
 * libmnl sends with sendto(2) only, and nfnl_socket.c transactions with sendmsg(2); it receives with recvfrom(2).
 */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint8_t claimed_address[] = {172, 30, 0, 2}; /* GATEWAY4 in netadmin_lab.py */

enum kind { NONE, DUMP, DELETE, COUNT, ANSWER, UNCLAIM, BANNED, ALLOWED, TRAFFIC };

static const char *const kinds[] = {
    [DUMP] = "dump",       [DELETE] = "delete", [COUNT] = "count",     [ANSWER] = "answer",
    [UNCLAIM] = "unclaim", [BANNED] = "banned", [ALLOWED] = "allowed", [TRAFFIC] = "traffic",
};

static struct {
    bool is_read;
    enum kind kind;
    int error;
    int left;
    int spared; /* transactions */
} refused;

static bool must_answer_fail;

static void read_environment(void)
{
    const char *text = getenv("REFUSE_NETLINK");
    char kind[8] = "", error[8] = "";

    refused.is_read = true;
    /* NOLINTNEXTLINE(cert-err34-c): the test wrote it */
    if (!text || sscanf(text, "%7s %7s %d %d", kind, error, &refused.left, &refused.spared) < 3)
        return;
    for (int i = DUMP; i <= TRAFFIC; i++)
        refused.kind = strcmp(kind, kinds[i]) == 0 ? (enum kind)i : refused.kind;
    refused.error = strcmp(error, "ENOMEM") == 0 ? ENOMEM : strcmp(error, "EINVAL") == 0 ? EINVAL : ENOBUFS;
}

static enum kind kind_of(const struct nlmsghdr *request, const void *bytes, size_t length)
{
    switch (request->nlmsg_type) {
    case RTM_DELADDR:
        return memmem(bytes, length, claimed_address, sizeof(claimed_address)) ? UNCLAIM : NONE;
    case NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET:
        return DUMP;
    case NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE:
        return DELETE;
    case NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS:
        return COUNT;
    default:
        return NONE;
    }
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    struct nlmsghdr request = {0};
    enum kind kind;

    if (!refused.is_read)
        read_environment();
    if (to && to->sa_family == AF_NETLINK && length >= sizeof(request))
        memcpy(&request, bytes, sizeof(request));
    kind = kind_of(&request, bytes, length);
    if (refused.left > 0 && kind != NONE && (kind == refused.kind || (refused.kind == ANSWER && kind != UNCLAIM))) {
        refused.left--;
        must_answer_fail = refused.kind == ANSWER;
        if (!must_answer_fail) {
            errno = refused.error;
            return -1;
        }
    }
    return syscall(SYS_sendto, fd, bytes, length, flags, to, to_length);
}

ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from, socklen_t *from_length)
{
    if (must_answer_fail) {
        must_answer_fail = false;
        errno = refused.error;
        return -1;
    }
    return syscall(SYS_recvfrom, fd, bytes, size, flags, from, from_length);
}

/* A transaction: BEGIN, what is wanted, END. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    const char *name;

    if (!refused.is_read)
        read_environment();
    name = refused.kind >= BANNED ? kinds[refused.kind] : NULL;
    if (name && refused.left > 0 && message->msg_iovlen == 3 &&
        memmem(message->msg_iov[1].iov_base, message->msg_iov[1].iov_len, name, strlen(name))) {
        if (refused.spared-- <= 0) {
            refused.left--;
            errno = refused.error;
            return -1;
        }
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}
