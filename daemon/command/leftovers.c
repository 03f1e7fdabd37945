/* Looks for what is ours on the host; see leftovers.h. Runs as root; changes nothing. */
#include "daemon/command/leftovers.h"

#include "common/cleanup.h"
#include "daemon/command/nft_question.h"
#include "daemon/supervise/attached_machine.h"

#include <inttypes.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TABLE_NAME_SIZE (sizeof("anchord_host_01234567"))

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
        if (nft_question_table(families[i].number, table) <= 0)
            continue;
        (void)snprintf(what, sizeof(what), "the table %s %s", families[i].name, table);
        (void)snprintf(remedy, sizeof(remedy), "nft delete table %s %s", families[i].name, table);
        if (handler)
            handler(what, remedy, userdata);
        count++;
    }
    return count;
}
