/* What of an attached project is not as people may expect it; see attachment_findings.h. Pure, no privilege. */
#include "workers/watcher/attachment_findings.h"

#include "common/text.h"
#include "protocol/problems.h"

#include <netinet/in.h>
#include <stdio.h>

/* Nobody reads further. */
#define TOLD_MAX 512

struct telling {
    finding_handler handler;
    void *userdata;
    size_t count;
};

/* Of one container; `text` and what follows it, if that is not empty. */
static int tell(struct telling *telling, enum problem problem, const char *container, const char *text,
                const char *more)
{
    struct wire_finding finding = {.kind = FINDING_PROBLEM, .problem = (uint16_t)problem};
    size_t length;

    if (telling->count == TOLD_MAX)
        return 0;
    telling->count++;
    text_copy_cut(finding.container, sizeof(finding.container), container);
    text_copy_cut(finding.reason, sizeof(finding.reason), text);
    length = strlen(finding.reason);
    text_copy_cut(finding.reason + length, sizeof(finding.reason) - length, more);
    return telling->handler(telling->userdata, &finding);
}

static int tell_withheld(struct telling *telling, const char *container, const struct published_withheld *withheld)
{
    const struct published_binding *binding = &withheld->binding;
    const char *protocol = binding->protocol == IPPROTO_TCP ? "tcp/" : binding->protocol == IPPROTO_UDP ? "udp/" : "";
    char text[64 + IP_ADDRESS_TEXT_SIZE];
    int length = snprintf(text, sizeof(text), "%s%u", protocol, (unsigned int)binding->port_first);

    if (length > 0 && binding->port_last > binding->port_first)
        length += snprintf(text + length, sizeof(text) - (size_t)length, "-%u", (unsigned int)binding->port_last);
    if (length > 0)
        (void)snprintf(text + length, sizeof(text) - (size_t)length,
                       " on %s is not exposed: ", IP_ADDRESS_TEXT(&binding->address));
    return tell(telling, PROBLEM_PUBLISHED_WITHHELD, container, text, published_fault_to_string(withheld->fault));
}

/* The same fault in both families is one; a family in which a container has no address is none. */
static struct target find_fault(const struct scope_networks *networks, const struct container_entry *entry)
{
    struct target target =
        scope_networks_find_target(networks, entry->endpoints, entry->endpoint_count, FAMILY_INDEX_4);

    if (target.fault == TARGET_NO_ROUTE)
        target = scope_networks_find_target(networks, entry->endpoints, entry->endpoint_count, FAMILY_INDEX_6);
    return target;
}

static int tell_target(struct telling *telling, const struct container_entry *entry, const struct target *target)
{
    char text[FINDING_REASON_SIZE];

    switch (target->fault) {
    case TARGET_NO_ROUTE:
        return tell(telling, PROBLEM_INTERNAL_ONLY, entry->name,
                    "is on internal networks only: nothing leads to it, and it does not leave", "");
    case TARGET_NO_BRIDGE:
        (void)snprintf(text, sizeof(text),
                       "nothing leads to it, and it leaves as before: Docker leads its default route over the network "
                       "%s, whose driver is ",
                       target->network->name);
        return tell(telling, PROBLEM_NO_BRIDGE, entry->name, text, target->network->driver);
    case TARGET_NO_LINK:
        (void)snprintf(text, sizeof(text),
                       "nothing leads to it, and it does not leave: there is no link to the network %s%s%s: ",
                       target->network->name, target->network->bridge[0] ? ", bridge " : "", target->network->bridge);
        return tell(telling, PROBLEM_NO_LINK, entry->name, text, target->reason);
    case TARGET_NOT_KNOWN:
        return tell(telling, PROBLEM_NETWORK_UNKNOWN, entry->name,
                    "nothing leads to it: Docker does not tell of a network that it is on", "");
    case TARGET_FOUND:
        if (!target->network->is_without_icc)
            return 0;
        (void)snprintf(text, sizeof(text),
                       "its network %s has enable_icc=false: while bridge-nf-call-iptables is 1, as Docker sets it for "
                       "that, nothing leads to it, and it does not leave",
                       target->network->name);
        return tell(telling, PROBLEM_ICC_DISABLED, entry->name, text, "");
    default:
        return 0;
    }
}

static int tell_entry(struct telling *telling, const struct scope_networks *networks,
                      const struct container_entry *entry)
{
    const struct target target = find_fault(networks, entry);
    int result = 0;

    if (entry->endpoint_count > 0 && !entry->is_in_special_network)
        result = tell_target(telling, entry, &target);
    for (size_t i = 0; entry->publication && i < entry->publication->withheld_count && result == 0; i++)
        result = tell_withheld(telling, entry->name, &entry->publication->withheld[i]);
    return result;
}

static int tell_member(struct telling *telling, const struct member *member)
{
    if (!member->is_running)
        return 0;
    if (member->is_in_host_network)
        return tell(telling, PROBLEM_NO_OWN_NETWORK, member->name,
                    "is in the host's network (network_mode: host): it answers and leaves at the host's addresses", "");
    if (member->is_without_network)
        return tell(telling, PROBLEM_NO_OWN_NETWORK, member->name,
                    "has no network (network_mode: none): nothing leads to it, and it does not leave", "");
    if (member_is_refused(member))
        return tell(telling, PROBLEM_NAMESPACE_NOT_SERVED, member->name,
                    "does not leave by the project's address: ", member->reason);
    return 0;
}

/* As when it was renamed: then it is attached, ready, and nothing answers. */
static int tell_nobody(struct telling *telling, const struct members *members, const char *project)
{
    for (const struct member *member = members->members; member; member = member->hh.next) {
        if (member->is_running)
            return 0;
    }
    return tell(telling, PROBLEM_NO_CONTAINER, project,
                "Docker knows no running container of a project of that name: nothing answers at its address", "");
}

static int tell_links(const struct scope_networks *networks, finding_handler handler, void *userdata)
{
    struct scope_link link;
    int result = 0;

    for (size_t place = 0; result == 0 && scope_networks_link_at(networks, place, &link); place++) {
        struct wire_finding finding = {.kind = FINDING_LINK};

        text_copy_cut(finding.container, sizeof(finding.container), link.network);
        text_copy_cut(finding.other, sizeof(finding.other), link.interface);
        text_copy_cut(finding.reason, sizeof(finding.reason), link.reason);
        result = handler(userdata, &finding);
    }
    return result;
}

int attachment_findings_tell(const struct members *members, const struct scope_networks *networks,
                             const struct container_table *table, finding_handler handler, void *userdata)
{
    struct telling telling = {handler, userdata, 0};
    const struct member *member;
    const struct container_entry *entry;
    int result = tell_links(networks, handler, userdata);

    if (result == 0 && networks->unguarded > 0) {
        char text[FINDING_REASON_SIZE];

        (void)snprintf(text, sizeof(text),
                       "%zu addresses on networks that it shares with others are beyond the %d that are guarded: they "
                       "may leave with the host's address, and not with the project's",
                       networks->unguarded, GUARDED_MAX);
        result = tell(&telling, PROBLEM_NOT_GUARDED, networks->project, text, "");
    }
    if (result == 0)
        result = tell_nobody(&telling, members, networks->project);
    for (member = members->members; member && result == 0; member = member->hh.next)
        result = tell_member(&telling, member);
    for (entry = table->entries; entry && result == 0; entry = entry->hh.next)
        result = tell_entry(&telling, networks, entry);
    return result;
}
