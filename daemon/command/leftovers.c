/* Looks for what is ours on the host; see leftovers.h. Runs as root; changes nothing. */
#include "daemon/command/leftovers.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/command/nft_question.h"
#include "daemon/supervise/attached_machine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define TABLE_NAME_SIZE (sizeof("anchord_host_01234567"))

struct search {
    leftover_handler handler;
    void *userdata;
    struct leftovers result;
};

static void find(struct search *search, const char *what, const char *remedy)
{
    if (search->handler)
        search->handler(what, remedy, search->userdata);
    search->result.found++;
}

static void miss(struct search *search, const char *what, int error)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%s: %s", what, log_errno_text(error));
    if (search->handler)
        search->handler(text, NULL, search->userdata);
    search->result.unseen++;
}

static void find_links(struct search *search, uint32_t tag)
{
    struct if_nameindex *interfaces = if_nameindex();
    char prefix[16], what[64], remedy[64];

    if (!interfaces) {
        miss(search, "the host's links", -errno);
        return;
    }
    (void)snprintf(prefix, sizeof(prefix), "anc%08" PRIx32, tag);
    for (const struct if_nameindex *interface = interfaces; interface->if_index > 0; interface++) {
        if (strncmp(interface->if_name, prefix, strlen(prefix)) != 0)
            continue;
        (void)snprintf(what, sizeof(what), "the link %s", interface->if_name);
        (void)snprintf(remedy, sizeof(remedy), "ip link delete %s", interface->if_name);
        find(search, what, remedy);
    }
    if_freenameindex(interfaces);
}

static void find_tables(struct search *search, uint32_t tag)
{
    static const struct {
        const char *name;
        uint8_t number;
    } families[] = {{"inet", NFPROTO_INET}, {"bridge", NFPROTO_BRIDGE}};
    char table[TABLE_NAME_SIZE], what[64], remedy[64];

    (void)snprintf(table, sizeof(table), "anchord_host_%08" PRIx32, tag);
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        int result = nft_question_table(families[i].number, table);

        (void)snprintf(what, sizeof(what), "the table %s %s", families[i].name, table);
        (void)snprintf(remedy, sizeof(remedy), "nft delete table %s %s", families[i].name, table);
        if (result > 0)
            find(search, what, remedy);
        else if (result < 0)
            miss(search, what, result);
    }
}

struct leftovers leftovers_find(const char *project, leftover_handler handler, void *userdata)
{
    struct search search = {.handler = handler, .userdata = userdata};
    uint8_t machine[MACHINE_ID_LENGTH];
    struct attached_identity identity;
    int result = attached_machine_read(machine);

    if (result < 0) {
        miss(&search, "its links and tables, whose names are made of the machine's ID, /etc/machine-id", result);
        return search.result;
    }
    attached_identity_make(machine, project, &identity);
    find_links(&search, identity.tag);
    find_tables(&search, identity.tag);
    return search.result;
}
