/* Questions to nftables; see nft_question.h. Runs as root; changes nothing. */
#include "daemon/command/nft_question.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SIZE (32 * 1024) /* what the kernel puts into one datagram of a dump */

struct question {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
    } head;
    uint8_t attributes[256];
};

/* Their numbers differ from kind to kind. */
static void put_text(struct question *question, uint16_t type, const char *text)
{
    size_t size = strlen(text) + 1, at = NLMSG_ALIGN(question->head.header.nlmsg_len) - sizeof(question->head);
    const struct nlattr head = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};

    if (at + NLA_HDRLEN + NLA_ALIGN(size) > sizeof(question->attributes))
        return; /* ours are short */
    memcpy(question->attributes + at, &head, sizeof(head));
    memcpy(question->attributes + at + NLA_HDRLEN, text, size);
    question->head.header.nlmsg_len = (uint32_t)(sizeof(question->head) + at + NLA_HDRLEN + NLA_ALIGN(size));
}

static struct question begin(uint16_t type, uint16_t flags, uint8_t family)
{
    return (struct question){.head = {.header = {.nlmsg_len = sizeof(((struct question *)NULL)->head),
                                                 .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                                                 .nlmsg_flags = NLM_F_REQUEST | flags},
                                      .family = {.nfgen_family = family, .version = NFNETLINK_V0}}};
}

static int ask(const struct question *question)
{
    CLEANUP_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    const struct timeval limit = {.tv_sec = 5};

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        send(fd, question, question->head.header.nlmsg_len, 0) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* What the message says of the question: 1, an answer; 0, there is none, or the end of a dump; or a negative errno. */
static int judge(const struct nlmsghdr *header, uint16_t type)
{
    const struct nlmsgerr *error = (const struct nlmsgerr *)(const void *)(header + 1);

    if (header->nlmsg_type == NLMSG_ERROR && header->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)))
        return error->error == -ENOENT || error->error == -EINVAL ? 0 : error->error; /* EINVAL: no nf_tables at all */
    return header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

static ssize_t receive(int fd, void *answer)
{
    ssize_t length = recv(fd, answer, ANSWER_SIZE, 0);

    return length < 0 ? -errno : length;
}

/* The attribute of a message, or NULL. */
static const struct nlattr *find(const struct nlmsghdr *header, uint16_t type)
{
    const uint8_t *bytes = (const uint8_t *)header;
    size_t at = NLMSG_LENGTH(sizeof(struct nfgenmsg));

    while (at + sizeof(struct nlattr) <= header->nlmsg_len) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)(bytes + at);

        if (attribute->nla_len < sizeof(*attribute) || at + attribute->nla_len > header->nlmsg_len)
            return NULL;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type)
            return attribute;
        at += NLA_ALIGN(attribute->nla_len);
    }
    return NULL;
}

/* One message. Returns what judge() says. */
static int ask_one(const struct question *question, uint16_t type, void *answer)
{
    CLEANUP_FD int fd = ask(question);
    ssize_t length = fd < 0 ? fd : receive(fd, answer);

    if (length < 0)
        return (int)length;
    return NLMSG_OK((struct nlmsghdr *)answer, (size_t)length) ? judge(answer, type) : -EBADMSG;
}

int nft_question_table(uint8_t family, const char *table)
{
    _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_SIZE];
    struct question question = begin(NFT_MSG_GETTABLE, 0, family);

    put_text(&question, NFTA_TABLE_NAME, table);
    return ask_one(&question, NFT_MSG_NEWTABLE, answer);
}

int nft_question_chain(uint8_t family, const char *table, const char *chain, bool *ret_drops)
{
    _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_SIZE];
    struct question question = begin(NFT_MSG_GETCHAIN, 0, family);
    const struct nlattr *policy;
    uint32_t verdict = htonl(NF_ACCEPT);
    int result;

    put_text(&question, NFTA_CHAIN_TABLE, table);
    put_text(&question, NFTA_CHAIN_NAME, chain);
    result = ask_one(&question, NFT_MSG_NEWCHAIN, answer);
    policy = result > 0 ? find((const struct nlmsghdr *)(const void *)answer, NFTA_CHAIN_POLICY) : NULL;
    if (policy && policy->nla_len >= NLA_HDRLEN + sizeof(verdict))
        memcpy(&verdict, (const uint8_t *)policy + NLA_HDRLEN, sizeof(verdict));
    *ret_drops = verdict == htonl(NF_DROP);
    return result;
}

/* The name as a rule holds it, with its NUL; what else stands in a rule need not be understood for that. */
static int look_for(void *answer, size_t length, const char *interface)
{
    size_t rest = length;

    for (struct nlmsghdr *header = answer; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
        int result = judge(header, NFT_MSG_NEWRULE);

        if (result <= 0)
            return result < 0 ? result : -ENOENT; /* the end */
        if (memmem(header, header->nlmsg_len, interface, strlen(interface) + 1))
            return 1;
    }
    return 0;
}

int nft_question_rule_of(uint8_t family, const char *table, const char *chain, const char *interface)
{
    _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_SIZE];
    struct question question = begin(NFT_MSG_GETRULE, NLM_F_DUMP, family);
    CLEANUP_FD int fd = -1;
    int result = 0;

    put_text(&question, NFTA_RULE_TABLE, table);
    put_text(&question, NFTA_RULE_CHAIN, chain);
    fd = ask(&question);
    if (fd < 0)
        return fd;
    while (result == 0) {
        ssize_t length = receive(fd, answer);

        result = length <= 0 ? -EBADMSG : look_for(answer, (size_t)length, interface);
    }
    return result == -ENOENT ? 0 : result;
}
