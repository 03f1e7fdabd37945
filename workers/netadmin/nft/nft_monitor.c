/* Notices foreign changes of our tables; see nft_monitor.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/nft/nft_monitor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"
#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netlink/rtnetlink.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER_WANTED (1024 * 1024)

struct nft_monitor {
    struct mnl_socket *netlink;
    sd_event_source *source;
    nft_monitor_handler on_change;
    void *userdata;
    struct nft_change change; /* since the last one that was told */
};

struct nft_monitor *nft_monitor_free(struct nft_monitor *monitor)
{
    if (!monitor)
        return NULL;
    sd_event_source_disable_unref(monitor->source);
    if (monitor->netlink)
        (void)mnl_socket_close(monitor->netlink);
    free(monitor);
    return NULL;
}

struct message_kind {
    const char *what;
    uint16_t type;
    uint16_t name_attribute; /* which attribute names the object; NFTA_…_TABLE is 1 in all of them */
};

static_assert((int)NFTA_TABLE_NAME == 1 && (int)NFTA_CHAIN_TABLE == 1 && (int)NFTA_RULE_TABLE == 1 &&
                  (int)NFTA_SET_TABLE == 1 && (int)NFTA_SET_ELEM_LIST_TABLE == 1 && (int)NFTA_OBJ_TABLE == 1 &&
                  (int)NFTA_FLOWTABLE_TABLE == 1,
              "the table's name is attribute 1 of every message");

static const struct message_kind message_kinds[] = {
    {"table changed", NFT_MSG_NEWTABLE, NFTA_TABLE_NAME},
    {"table deleted", NFT_MSG_DELTABLE, NFTA_TABLE_NAME},
    {"chain added or changed", NFT_MSG_NEWCHAIN, NFTA_CHAIN_NAME},
    {"chain deleted", NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME},
    {"rule added", NFT_MSG_NEWRULE, NFTA_RULE_CHAIN},
    {"rule deleted", NFT_MSG_DELRULE, NFTA_RULE_CHAIN},
    {"set added", NFT_MSG_NEWSET, NFTA_SET_NAME},
    {"set deleted", NFT_MSG_DELSET, NFTA_SET_NAME},
    {"element added", NFT_MSG_NEWSETELEM, NFTA_SET_ELEM_LIST_SET},
    {"element deleted", NFT_MSG_DELSETELEM, NFTA_SET_ELEM_LIST_SET},
    {"object added", NFT_MSG_NEWOBJ, NFTA_OBJ_NAME},
    {"object deleted", NFT_MSG_DELOBJ, NFTA_OBJ_NAME},
    {"flowtable added", NFT_MSG_NEWFLOWTABLE, NFTA_FLOWTABLE_NAME},
    {"flowtable deleted", NFT_MSG_DELFLOWTABLE, NFTA_FLOWTABLE_NAME},
};

static const struct message_kind *find_kind(const struct nlmsghdr *message)
{
    for (size_t i = 0; i < sizeof(message_kinds) / sizeof(message_kinds[0]); i++) {
        if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | message_kinds[i].type))
            return &message_kinds[i];
    }
    return NULL;
}

/* The index of the family whose table of ours this is, FAMILY_INDEX_MAX_ for a table of others. */
static size_t family_of_table(const struct nlmsghdr *message, const char *table)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
    size_t family = 0;

    while (family < FAMILY_INDEX_MAX_ &&
           !(table && header->nfgen_family == nft_families[family].nfproto &&
             (strcmp(table, nft_families[family].table) == 0 || strcmp(table, NFT_SKELETON_TABLE) == 0)))
        family++;
    return family;
}

/* NEWGEN ends a commit and says who made it. */
static void note_process(const struct nlmsghdr *message, struct nft_change *change)
{
    const char *name = nfnl_socket_read_text(message, NFTA_GEN_PROC_NAME);

    if (change->messages == 0 || change->process[0])
        return;
    text_copy_cut(change->process, sizeof(change->process), name && name[0] ? name : "unknown"); /* empty: no end yet */
    change->process_id = nfnl_socket_read_u32(message, NFTA_GEN_PROC_PID);
}

static void note_message(const struct nlmsghdr *message, void *userdata)
{
    struct nft_change *change = userdata;
    const struct message_kind *kind = find_kind(message);
    const char *table;
    const char *object;
    size_t family;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
        return;
    if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
        note_process(message, change);
        return;
    }
    table = kind ? nfnl_socket_read_text(message, NFTA_TABLE_NAME) : NULL;
    family = family_of_table(message, table);
    if (family == FAMILY_INDEX_MAX_)
        return;
    change->families[family] = true;
    if (change->messages++ > 0)
        return;
    object = nfnl_socket_read_text(message, kind->name_attribute);
    text_copy_cut(change->table, sizeof(change->table), table);
    text_copy_cut(change->what, sizeof(change->what), kind->what);
    text_copy_cut(change->object, sizeof(change->object), object ? object : "");
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct nft_monitor *monitor = userdata;
    struct nft_change *change = &monitor->change;
    int result = rtnetlink_monitor_drain(monitor->netlink, note_message, change);

    (void)source;
    (void)fd;
    (void)events;
    /* A commit's last message, which names its author, may not have been there yet: it comes, or an error does. */
    if (result >= 0 && (change->messages == 0 || !change->process[0]))
        return 0;
    monitor->on_change(change, monitor->userdata);
    *change = (struct nft_change){0};
    return 0;
}

/*
 * Drops our own changes before they are queued: a full map would be 65,536 messages and overflow the buffer.
 * All messages of one datagram have one sender.
 *     ld [12]                 ; nlmsg_pid of the first message; BPF loads in network order
 *     jeq #htonl(own), drop
 */
static int drop_own_messages(int fd, uint32_t own_port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = ARRAY_LENGTH(code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int nft_monitor_new(sd_event *event, uint32_t own_port, nft_monitor_handler on_change, void *userdata,
                    struct nft_monitor **ret)
{
    CLEANUP(nft_monitor_freep) struct nft_monitor *monitor = calloc(1, sizeof(*monitor));
    int group = NFNLGRP_NFTABLES;
    const int size = RECEIVE_BUFFER_WANTED;
    int result;
    int fd;

    if (!monitor)
        return -ENOMEM;
    monitor->on_change = on_change;
    monitor->userdata = userdata;
    result = nfnl_socket_open(SOCK_NONBLOCK, &monitor->netlink);
    if (result < 0)
        return result;
    fd = mnl_socket_get_fd(monitor->netlink);
    result = drop_own_messages(fd, own_port);
    if (result < 0)
        return result;
    /* A smaller buffer only means that a resync comes sooner. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (mnl_socket_setsockopt(monitor->netlink, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
        return -errno;
    result = sd_event_add_io(event, &monitor->source, fd, EPOLLIN, on_readable, monitor);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(monitor);
    return 0;
}

void nft_repairs_want(struct nft_repairs *repairs, const struct nft_change *change)
{
    struct nft_change *known = &repairs->change;

    repairs->is_needed = true;
    if (known->messages == 0) {
        *known = *change;
    } else {
        known->messages += change->messages;
        for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++)
            known->families[family] = known->families[family] || change->families[family];
    }
}

void nft_repairs_note(struct nft_repairs *repairs)
{
    const struct nft_change *change = &repairs->change;

    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++)
        metrics_add(METRIC_RULESET_REPAIRS, family, change->families[family]);
    if (change->messages == 0)
        log_warn("ruleset checked after lost notifications");
    else
        log_warn("ruleset repaired", LOG_PROBLEM(PROBLEM_RULES_CHANGED), LOG_TEXT("table", change->table),
                 LOG_TEXT("changed", change->what), LOG_TEXT("object", change->object),
                 LOG_NUMBER("changes", change->messages), LOG_TEXT("process", change->process),
                 LOG_NUMBER("process_id", change->process_id));
    repairs->count += change->messages > 0;
    repairs->change = (struct nft_change){0};
    repairs->is_needed = false;
    repairs->last = clock_monotonic_microseconds();
}
