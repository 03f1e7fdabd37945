/* Looks for what is ours on the host; see leftovers.h. Runs as root; changes nothing. */
#include "daemon/command/leftovers.h"

#include "common/cleanup.h"
#include "daemon/supervise/attached_machine.h"

#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE_NAME_SIZE (sizeof("anchord_host_01234567"))

/* GETTABLE of one name: nftables' libraries are netadmin's and the command ruleset's (DESIGN §3). */
struct table_question {
    struct nlmsghdr header;
    struct nfgenmsg family;
    struct nlattr name;
    char text[NLA_ALIGN(TABLE_NAME_SIZE)];
};

static bool is_table(const char *name, uint8_t family)
{
    CLEANUP_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    struct table_question question = {
        .header = {.nlmsg_len = sizeof(question),
                   .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
                   .nlmsg_flags = NLM_F_REQUEST},
        .family = {.nfgen_family = family, .version = NFNETLINK_V0},
        .name = {.nla_len = NLA_HDRLEN + TABLE_NAME_SIZE, .nla_type = NFTA_TABLE_NAME},
    };
    const struct timeval limit = {.tv_sec = 5};
    struct {
        struct nlmsghdr header;
        char rest[1024];
    } answer;

    memcpy(question.text, name, TABLE_NAME_SIZE);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        send(fd, &question, sizeof(question), 0) < 0 ||
        recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.header))
        return false;
    return answer.header.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE);
}

static size_t find_links(uint32_t tag, leftover_handler handler, void *userdata)
{
    struct if_nameindex *interfaces = if_nameindex();
    char prefix[16], what[64], remedy[64];
    size_t count = 0;

    (void)snprintf(prefix, sizeof(prefix), "anc%08" PRIx32, tag);
    for (const struct if_nameindex *interface = interfaces; interface && interface->if_index > 0; interface++) {
        if (strncmp(interface->if_name, prefix, strlen(prefix)) != 0)
            continue;
        (void)snprintf(what, sizeof(what), "the link %s", interface->if_name);
        (void)snprintf(remedy, sizeof(remedy), "ip link delete %s", interface->if_name);
        if (handler)
            handler(what, remedy, userdata);
        count++;
    }
    if (interfaces)
        if_freenameindex(interfaces);
    return count;
}

size_t leftovers_find(const char *project, leftover_handler handler, void *userdata)
{
    static const struct {
        const char *name;
        uint8_t number;
    } families[] = {{"inet", NFPROTO_INET}, {"bridge", NFPROTO_BRIDGE}};
    uint8_t machine[MACHINE_ID_LENGTH];
    struct attached_identity identity;
    char table[TABLE_NAME_SIZE], what[64], remedy[64];
    size_t count;

    if (attached_machine_read(machine) < 0)
        return 0;
    attached_identity_make(machine, project, &identity);
    count = find_links(identity.tag, handler, userdata);
    (void)snprintf(table, sizeof(table), "anchord_host_%08" PRIx32, identity.tag);
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        if (!is_table(table, families[i].number))
            continue;
        (void)snprintf(what, sizeof(what), "the table %s %s", families[i].name, table);
        (void)snprintf(remedy, sizeof(remedy), "nft delete table %s %s", families[i].name, table);
        if (handler)
            handler(what, remedy, userdata);
        count++;
    }
    return count;
}
