/* What the host forwards; see host_forwarding.h. Runs as root; changes nothing. */
#include "daemon/command/host_forwarding.h"

#include "common/cleanup.h"
#include "daemon/command/nft_question.h"
#include "daemon/supervise/attached_machine.h"

#include <inttypes.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

struct family {
    uint8_t number;
    uint8_t netfilter;
    const char *table; /* as iptables calls it */
    const char *program;
    const char *setting;
    const char *path;
    const char *legacy; /* what iptables-legacy's kernel half lists; nobody sees its rules by nftables */
};

static const struct family families[] = {
    {IP_FAMILY_4, NFPROTO_IPV4, "filter", "iptables", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward",
     "/proc/net/ip_tables_names"},
    {IP_FAMILY_6, NFPROTO_IPV6, "filter", "ip6tables", "net.ipv6.conf.all.forwarding",
     "/proc/sys/net/ipv6/conf/all/forwarding", "/proc/net/ip6_tables_names"},
};

static bool is_wanted(const struct configuration *identity, uint8_t family)
{
    for (size_t i = 0; i < VIA_HOST_MAX; i++) {
        if (identity->via_host[i].address.family == family)
            return true;
    }
    return false;
}

/* Whether the file has this line. */
static bool has_line(const char *path, const char *line)
{
    CLEANUP_STREAM FILE *stream = fopen(path, "re");
    char text[64];

    while (stream && fgets(text, sizeof(text), stream)) {
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text, line) == 0)
            return true;
    }
    return false;
}

/* The chain that is the host's own to fill: Docker's for that, where Docker made it. */
static const char *find_chain(const struct family *family)
{
    bool drops;

    return nft_question_chain(family->netfilter, family->table, "DOCKER-USER", &drops) > 0 ? "DOCKER-USER" : "FORWARD";
}

static bool is_let_through(const struct family *family, const char *chain, const char *link)
{
    return nft_question_rule_of(family->netfilter, family->table, chain, link) > 0 ||
           nft_question_rule_of(family->netfilter, family->table, "FORWARD", link) > 0;
}

static void print_rules(const struct family *family, const char *why, const char *chain, const char *link)
{
    (void)printf("\nBy the host %s: %s. As root, and at each boot of the host:\n"
                 "  %s -I %s -i %s -j ACCEPT\n"
                 "  %s -I %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
                 family->number == IP_FAMILY_4 ? "IPv4" : "IPv6", why, family->program, chain, link, family->program,
                 chain, link);
}

static void print_family(const struct family *family, const char *link)
{
    const char *chain = find_chain(family);
    bool drops = false;
    int result = nft_question_chain(family->netfilter, family->table, "FORWARD", &drops);

    if (has_line(family->path, "0"))
        (void)printf(
            "\nBy the host %s: it forwards nothing. As root, and at each boot of the host:\n  sysctl -w %s=1\n",
            family->number == IP_FAMILY_4 ? "IPv4" : "IPv6", family->setting);
    if (drops && !is_let_through(family, chain, link))
        print_rules(family, "its firewall drops what it does not know, as Docker has it", chain, link);
    else if (result < 0)
        print_rules(family, "whether its firewall lets it through could not be looked at; if it does not", chain, link);
    else if (has_line(family->legacy, "filter"))
        print_rules(family, "whether iptables-legacy lets it through nobody sees; if it does not", chain, link);
}

void host_forwarding_print(const struct configuration *identity)
{
    uint8_t machine[MACHINE_ID_LENGTH];
    struct attached_identity names;
    char link[INTERFACE_NAME_SIZE];

    if (attached_machine_read(machine) < 0)
        return; /* then nothing is attached, and that was said */
    attached_identity_make(machine, identity->project, &names);
    (void)snprintf(link, sizeof(link), "anc%08" PRIx32 "h", names.tag);
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        if (is_wanted(identity, families[i].number))
            print_family(&families[i], link);
    }
    (void)fflush(stdout);
}
