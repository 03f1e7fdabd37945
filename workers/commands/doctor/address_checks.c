/*
 * `anchord doctor address`: whether the project has its address on the LAN, and will keep it.
 *
 * Run by runner.c behind the seal, in the anchor's network namespace. Reads the anchor's status, and the kernel's links
 * and addresses by a socket that may only ask; no privilege.
 */
#include "workers/commands/doctor/address_checks.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/shell_word.h"
#include "workers/commands/doctor/heard.h"
#include "workers/neighbours/holder_search.h"
#include "workers/netlink/network/link_reading.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- the link ------------------------------------------------------------------------------------------------ */

static int read_links(struct link_table *ret)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *rtnetlink = NULL;
    int result = rtnetlink_new(&rtnetlink);

    return result < 0 ? result : link_table_read(rtnetlink, NULL, ret);
}

static const struct network_link *find_link(const struct link_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->links[i].name, name) == 0)
            return &table->links[i];
    }
    return NULL;
}

/* RFC 8200 §5: the least that IPv6 works with. */
#define MTU_LEAST 1280

void address_check_link(struct check_run *run)
{
    struct link_table table = {0};
    const struct network_link *link;
    char name[HEARD_TEXT_SIZE];
    int result = read_links(&table);

    heard_interface(run->anchor, "external", name);
    if (result < 0) {
        check_is_unknown(run, NULL, NULL, "the kernel's links cannot be read: %s", log_errno_text(result));
        return;
    }
    link = find_link(&table, name);
    if (!link)
        check_found(run, PROBLEM_NO_EXTERNAL_INTERFACE, &(struct finding_texts){0});
    else if (!link->is_up)
        check_found(
            run, PROBLEM_LINK_DOWN,
            &(struct finding_texts){.sentence = check_text("the interface on the LAN, %s, is switched off", name),
                                    .remedy = check_inside(run, check_text("ip link set %s up", SHELL_WORD(name)))});
    else if (!link->is_running)
        check_found(
            run, PROBLEM_LINK_DOWN,
            &(struct finding_texts){.sentence = check_text("the interface on the LAN, %s, has no carrier", name),
                                    .why = "the host's interface that it stands on is down, or its cable is out",
                                    .remedy = "ip -br link   # on the host: is the parent of the macvlan UP?"});
    else if (link->mtu < MTU_LEAST)
        check_found(run, PROBLEM_SMALL_MTU,
                    &(struct finding_texts){
                        .sentence = check_text("%s takes packets of %u bytes at most", name, link->mtu),
                        .remedy = check_inside(run, check_text("ip link set %s mtu 1500", SHELL_WORD(name)))});
    else
        check_is_well(run, NULL, "%s is up, with an MTU of %u", name, link->mtu);
}

/* --- its addresses -------------------------------------------------------------------------------------------- */

/* Where the kernel cannot be asked, the anchor is believed. */
static bool has_address(const struct link_table *table, const char *text)
{
    struct ip_address address;

    if (ip_address_parse(text, &address) < 0 || table->count == 0)
        return true;
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < table->links[i].address_count; j++) {
            if (ip_address_equal(&table->links[i].addresses[j].address, &address))
                return true;
        }
    }
    return false;
}

/* Those that the anchor tells, and that the kernel still has. */
void address_check_addresses(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "external_addresses");
    struct json_slice row;
    struct link_table table = {0};
    char address[HEARD_TEXT_SIZE], origin[HEARD_TEXT_SIZE];
    const char *list = "", *gone = "";

    if (read_links(&table) < 0)
        table.count = 0;
    while (json_walk_element(&walk, &row)) {
        heard_text(row, "address", address);
        heard_text(row, "origin", origin);
        if (strncmp(address, "fe80:", strlen("fe80:")) == 0)
            continue;
        if (has_address(&table, address))
            list = check_text("%s%s%s (%s)", list, list[0] != '\0' ? ", " : "", address, origin);
        else
            gone = check_text("%s%s%s", gone, gone[0] != '\0' ? ", " : "", address);
    }
    if (gone[0] != '\0')
        check_found(
            run, PROBLEM_NO_PROJECT_ADDRESS,
            &(struct finding_texts){
                .sentence = list[0] != '\0'
                                ? check_text("the kernel has lost addresses of the project on the LAN: %s", gone)
                                : NULL,
                .why = check_text("somebody took %s away, and anchord did not put it back", gone),
                .remedy = "docker restart NETWORK-ANCHOR"});
    else if (list[0] == '\0')
        check_found(run, PROBLEM_NO_PROJECT_ADDRESS, &(struct finding_texts){0});
    else
        check_is_well(run, NULL, "%s", list);
}

/* --- the lease ------------------------------------------------------------------------------------------------ */

struct lifetime {
    struct ip_address address;
    bool is_there;
    uint32_t valid;   /* seconds from now */
    uint32_t updated; /* hundredths of a second since the kernel's start */
};

static void on_address(const struct nlmsghdr *message, void *userdata)
{
    struct lifetime *lifetime = userdata;
    const struct nlattr *attributes[IFA_MAX + 1] = {NULL};
    struct link_address address;

    if (message->nlmsg_type != RTM_NEWADDR || link_address_parse(message, &address) == 0 ||
        !ip_address_equal(&address.address, &lifetime->address))
        return;
    rtnetlink_attributes(message, sizeof(struct ifaddrmsg), attributes, IFA_MAX);
    if (attributes[IFA_CACHEINFO] &&
        mnl_attr_get_payload_len(attributes[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
        struct ifa_cacheinfo information;

        memcpy(&information, mnl_attr_get_payload(attributes[IFA_CACHEINFO]), sizeof(information));
        lifetime->is_there = true;
        lifetime->valid = information.ifa_valid;
        lifetime->updated = information.tstamp;
    }
}

static int read_lifetime(const char *address, struct lifetime *ret)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *rtnetlink = NULL;
    struct ifaddrmsg *header;
    int result = ip_address_parse(address, &ret->address);

    if (result == 0)
        result = rtnetlink_new(&rtnetlink);
    if (result < 0)
        return result;
    header = rtnetlink_begin(rtnetlink, "read addresses", RTM_GETADDR, 0, sizeof(*header));
    header->ifa_family = ret->address.family == IP_FAMILY_4 ? AF_INET : AF_INET6;
    return rtnetlink_dump(rtnetlink, on_address, ret);
}

/* RFC 2131 §4.4.5: asked again at half of it. When three fifths are over, the server has not answered. */
static bool is_late(const struct lifetime *lifetime, uint32_t *ret_age)
{
    struct timespec now;

    if (!lifetime->is_there || lifetime->valid == UINT32_MAX || clock_gettime(CLOCK_MONOTONIC, &now) < 0)
        return false;
    *ret_age = ((uint32_t)now.tv_sec * 100 + (uint32_t)(now.tv_nsec / 10000000) - lifetime->updated) / 100;
    return (uint64_t)*ret_age * 5 > ((uint64_t)*ret_age + lifetime->valid) * 3;
}

static void judge_held(struct check_run *run, const char *family, const char *address, const char *server)
{
    struct lifetime lifetime = {0};
    uint32_t age = 0;
    int result = read_lifetime(address, &lifetime);

    if (result < 0 || !lifetime.is_there)
        check_is_unknown(run, NULL, "", "the kernel does not tell how long %s is still valid", address);
    else if (lifetime.valid == UINT32_MAX)
        check_is_well(run, NULL, "%s: %s is leased for ever", family, address);
    else if (is_late(&lifetime, &age))
        check_found(run, PROBLEM_RENEWAL_FAILS,
                    &(struct finding_texts){
                        .sentence = check_text("the lease of %s was not renewed for %u s, and ends in %u s", address,
                                               age, lifetime.valid),
                        .why = check_text("%s was asked since half of its time was over, and does not answer",
                                          server[0] != '\0' ? server : "the server")});
    else
        check_is_well(run, NULL, "%s: %s, renewed %u s ago, valid for %u s", family, address, age, lifetime.valid);
}

/* A LAN without a server of the other family is ordinary (ADDR-4). */
static bool has_answered_lease(const struct anchor *anchor)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "leases");
    struct json_slice row;
    char state[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "state", state);
        if (strcmp(state, "held") == 0 || strcmp(state, "refused") == 0)
            return true;
    }
    return false;
}

void address_check_lease(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "leases");
    struct json_slice row;
    size_t seen = 0;

    while (json_walk_element(&walk, &row)) {
        char family[HEARD_TEXT_SIZE], state[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE], server[HEARD_TEXT_SIZE],
            reason[HEARD_TEXT_SIZE];

        heard_text(row, "family", family);
        heard_text(row, "state", state);
        heard_text(row, "address", address);
        heard_text(row, "server", server);
        heard_text(row, "reason", reason);
        if (strcmp(state, "held") == 0)
            judge_held(run, family, address, server);
        else if (strcmp(state, "refused") == 0)
            check_found(
                run, PROBLEM_LEASE_REFUSED,
                &(struct finding_texts){
                    .sentence = check_text("the DHCP server's address%s%s is not taken: %s",
                                           address[0] != '\0' ? " " : "", address, reason),
                    .remedy = "docker logs NETWORK-ANCHOR   # which server gave what; let it give another address"});
        else if (strcmp(state, "searching") == 0 && has_answered_lease(run->anchor))
            check_is_well(run, NULL, "%s: no DHCP server has answered, which is ordinary", family);
        else if (strcmp(state, "searching") == 0)
            check_found(run, PROBLEM_NO_LEASE, &(struct finding_texts){0});
        else
            continue;
        seen++;
    }
    if (seen == 0)
        check_skip(run, NULL, "no address is leased");
}

/* --- asked on the LAN ------------------------------------------------------------------------------------------ */

enum { FILE_ARP, FILE_ICMP6 };

int address_prepare_lan(struct check_run *run, const char **ret_why)
{
    struct holder_search search;
    int result = holder_search_open(&search);

    *ret_why = "the LAN cannot be asked, which needs the capability NET_RAW";
    if (result < 0) {
        holder_search_close(&search);
        return result;
    }
    run->files.files[FILE_ARP] = search.arp;
    run->files.files[FILE_ICMP6] = search.icmp6;
    return 0;
}

static void collect(const struct check_run *run, const char *list, struct holder_search *search)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), list);
    struct json_slice row;
    char text[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row) && search->count < HOLDER_SEARCH_MAX) {
        heard_text(row, "address", text);
        text[strcspn(text, "%")] = '\0';
        search->count += ip_address_parse(text, &search->addresses[search->count]) == 0;
    }
}

/* What a neighbour asks with: the project's IPv4 address; in IPv6 the link's own, which whoever is on it may answer. */
static void find_senders(const struct check_run *run, const struct network_link *link, struct holder_search *search)
{
    struct holder_search own = {0};

    collect(run, "external_addresses", &own);
    for (size_t i = own.count; i-- > 0;) {
        if (own.addresses[i].family == IP_FAMILY_4)
            search->sender = own.addresses[i];
    }
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];

        if (address->address.family == IP_FAMILY_6 && link_address_is_usable(address) &&
            (search->sender6.family != IP_FAMILY_6 || ip_address_is_link_local(&address->address)))
            search->sender6 = address->address;
    }
}

/* Those of a family that we have no address of cannot be asked for so. */
static void keep_askable(struct holder_search *search)
{
    size_t kept = 0;

    for (size_t i = 0; i < search->count; i++) {
        bool is_v4 = search->addresses[i].family == IP_FAMILY_4;

        if (is_v4 ? search->sender.family == IP_FAMILY_4 : search->sender6.family == IP_FAMILY_6 && search->icmp6 >= 0)
            search->addresses[kept++] = search->addresses[i];
    }
    search->count = kept;
}

/* What the anchor lists, asked for on its link. False: it was said why it could not be. */
static bool ask_lan(struct check_run *run, const char *list, bool is_as_neighbour, struct holder_search *search)
{
    struct link_table table = {0};
    const struct network_link *link;
    char name[HEARD_TEXT_SIZE];
    int result = read_links(&table);

    heard_interface(run->anchor, "external", name);
    link = find_link(&table, name);
    *search = (struct holder_search){.arp = run->files.files[FILE_ARP], .icmp6 = run->files.files[FILE_ICMP6]};
    if (result < 0 || !link || !link->is_running) {
        check_skip(run, NULL, "the interface on the LAN is not up");
        return false;
    }
    search->index = link->index;
    search->mac = link->mac;
    collect(run, list, search);
    if (is_as_neighbour) {
        find_senders(run, link, search);
        keep_askable(search);
    }
    if (search->count == 0) {
        check_skip(run, NULL, "there is no address to ask for");
        return false;
    }
    result = holder_search_begin(search);
    if (result == 0)
        result = holder_search_run(search);
    if (result < 0)
        check_is_unknown(run, NULL, NULL, "the LAN cannot be asked: %s", log_errno_text(result));
    return result == 0;
}

static const char *holder_name(const struct holder_search *search, size_t index)
{
    return mac_address_is_zero(&search->holders[index]) ? "who did not say his MAC address"
                                                        : check_text("%s", MAC_ADDRESS_TEXT(&search->holders[index]));
}

void address_check_duplicate(struct check_run *run)
{
    struct holder_search search;
    size_t wrong = 0;

    if (!ask_lan(run, "external_addresses", false, &search))
        return;
    for (size_t i = 0; i < search.count; i++) {
        const char *address = IP_ADDRESS_TEXT(&search.addresses[i]);

        if (!search.is_held[i])
            continue;
        wrong++;
        check_found(run, PROBLEM_DUPLICATE_ADDRESS,
                    &(struct finding_texts){.object = address,
                                            .sentence = check_text("%s belongs to another host on the LAN, too: %s",
                                                                   address, holder_name(&search, i))});
    }
    if (wrong == 0)
        check_is_well(run, NULL, "nobody else answers for %zu addresses, asked three times", search.count);
}

/* --- the gateway ---------------------------------------------------------------------------------------------- */

/* As any neighbour asks: a question of whoever wants an address would make a router that has just come up and asks
 * itself give that up. */
void address_check_gateway(struct check_run *run)
{
    struct holder_search search;
    const char *list = "";
    char link[HEARD_TEXT_SIZE];
    size_t wrong = 0;

    heard_interface(run->anchor, "external", link);
    if (!ask_lan(run, "gateways", true, &search))
        return;
    for (size_t i = 0; i < search.count; i++) {
        const char *address = check_text("%s%s%s", IP_ADDRESS_TEXT(&search.addresses[i]),
                                         ip_address_is_link_local(&search.addresses[i]) ? "%" : "",
                                         ip_address_is_link_local(&search.addresses[i]) ? link : "");

        if (search.is_held[i]) {
            list = check_text("%s%s%s", list, list[0] != '\0' ? ", " : "", address);
            continue;
        }
        wrong++;
        check_found(run, PROBLEM_GATEWAY_SILENT,
                    &(struct finding_texts){
                        .object = address,
                        .sentence = check_text("the gateway %s does not answer: nothing leaves by it", address),
                        .why = "it was asked for its MAC address three times"});
    }
    if (wrong == 0)
        check_is_well(run, NULL, "answered: %s", list);
}

/* --- router advertisements --------------------------------------------------------------------------------------- */

/* -1: it is not there. */
static int read_setting6(const char *interface, const char *name)
{
    CLEANUP_STREAM FILE *stream = fopen(check_text("/proc/sys/net/ipv6/conf/%s/%s", interface, name), "re");
    int value = -1;

    if (stream && fscanf(stream, "%d", &value) != 1) /* NOLINT(cert-err34-c): the kernel's own */
        value = -1;
    return value;
}

/* Whether the status names the router of IPv6, and whether an advertisement did. */
static bool names_router6(const struct anchor *anchor, bool *ret_is_advertised)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "gateways");
    struct json_slice row;
    char family[HEARD_TEXT_SIZE], source[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "family", family);
        heard_text(row, "source", source);
        if (strcmp(family, "v6") != 0 || strcmp(source, "none") == 0)
            continue;
        *ret_is_advertised = strcmp(source, "ra") == 0;
        return true;
    }
    return false;
}

static bool has_ipv6(const struct anchor *anchor)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "external_addresses");
    struct json_slice row;
    char address[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "address", address);
        if (strchr(address, ':') && strncmp(address, "fe80:", strlen("fe80:")) != 0)
            return true;
    }
    return false;
}

/* Where nobody names the router of IPv6, or an advertisement does, the next one must be heard, too. */
void address_check_advertisements(struct check_run *run)
{
    char name[HEARD_TEXT_SIZE];
    bool is_advertised = false, is_named = names_router6(run->anchor, &is_advertised);
    int accepts, takes_router;
    const char *why = NULL;

    heard_interface(run->anchor, "external", name);
    accepts = read_setting6(name, "accept_ra");
    takes_router = read_setting6(name, "accept_ra_defrtr");
    if (accepts < 0 || !has_ipv6(run->anchor)) {
        check_skip(run, NULL, "the project has no IPv6 address on the LAN");
        return;
    }
    if (is_named && !is_advertised) {
        check_is_well(run, NULL, "the IPv6 router is configured: no advertisement is needed");
        return;
    }
    if (accepts == 0)
        why = check_text("net.ipv6.conf.%s.accept_ra is 0", name);
    else if (accepts == 1 && read_setting6(name, "forwarding") > 0)
        why = check_text("net.ipv6.conf.%s.accept_ra is 1, which counts for no interface that forwards", name);
    else if (takes_router == 0)
        why = check_text("net.ipv6.conf.%s.accept_ra_defrtr is 0: no router is taken from them", name);
    if (why)
        check_found(
            run, PROBLEM_IGNORES_ADVERTISEMENTS,
            &(struct finding_texts){
                .why = why,
                .remedy = check_inside(
                    run, check_text("sysctl -w net.ipv6.conf.%s.accept_ra=2 net.ipv6.conf.%s.accept_ra_defrtr=1",
                                    SHELL_WORD(name), SHELL_WORD(name)))});
    else
        check_is_well(run, NULL, "router advertisements are taken%s",
                      is_advertised ? ", and one has named the router" : "");
}
