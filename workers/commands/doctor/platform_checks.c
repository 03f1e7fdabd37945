/*
 * `anchord doctor platform`: whether the kernel, Docker and the host's firewall let an anchor work (SPEC §11).
 *
 * Run by runner.c behind the seal. Reads what Docker said, /proc and /sys; no privilege.
 */
#include "workers/commands/doctor/platform_checks.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/heard.h"

#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- the engine --------------------------------------------------------------------------------------------- */

/* SPEC §11: Docker Engine 20.10, whose API is 1.41. */
#define OLDEST_ENGINE_API 41

void platform_check_engine(struct check_run *run)
{
    const struct scene *scene = run->scene;

    if (scene->docker_error == -EPROTONOSUPPORT) {
        check_found(run, PROBLEM_ENGINE_TOO_OLD, &(struct finding_texts){.why = scene->docker_reason});
        return;
    }
    if (scene->engine[0] == '\0') {
        check_is_unknown(run, NULL,
                         scene->docker_error == -EACCES ? "sudo anchord doctor"
                         : scene->is_in_container       ? NULL
                                                  : "systemctl start docker   # or say in DOCKER_HOST where it listens",
                         "Docker cannot be asked at %s: %s", scene->docker_host, scene->docker_reason);
        return;
    }
    if (scene->api < OLDEST_ENGINE_API) {
        check_found(run, PROBLEM_ENGINE_TOO_OLD,
                    &(struct finding_texts){
                        .sentence = check_text("Docker Engine %s (API 1.%u) is too old", scene->engine, scene->api)});
        return;
    }
    if (scene->docker_error < 0)
        check_is_unknown(run, NULL, "", "%s %s answers, but not to everything: %s",
                         scene->is_podman ? "Podman" : "Docker Engine", scene->engine, scene->docker_reason);
    else
        check_is_well(run, NULL, "%s %s, API 1.%u", scene->is_podman ? "Podman" : "Docker Engine", scene->engine,
                      scene->api);
}

static bool has_security_option(struct json_slice info, const char *name)
{
    struct json_walk walk = heard_list(info, "SecurityOptions");
    struct json_slice option;
    char text[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &option)) {
        if (json_slice_copy(option, text, sizeof(text)) == 0 && strstr(text, name))
            return true;
    }
    return false;
}

void platform_check_setup(struct check_run *run)
{
    struct json_slice info = heard(&run->scene->info);
    char swarm[HEARD_TEXT_SIZE];
    size_t wrong = 0;

    if (run->scene->info.error < 0 || !run->scene->info.bytes) {
        check_is_unknown(run, NULL, NULL, "Docker does not tell how it was set up: %s", run->scene->info.reason);
        return;
    }
    if (has_security_option(info, "name=rootless") && ++wrong)
        check_found(run, PROBLEM_ROOTLESS, &(struct finding_texts){0});
    if (has_security_option(info, "name=userns") && ++wrong)
        check_found(run, PROBLEM_USER_NAMESPACES, &(struct finding_texts){0});
    heard_text(json_slice_member(info, "Swarm"), "LocalNodeState", swarm);
    if (wrong == 0)
        check_is_well(
            run, NULL, "rootful; live-restore %s; Swarm %s", heard_is_true(info, "LiveRestoreEnabled") ? "on" : "off",
            strcmp(swarm, "active") == 0 ? "on (services of a stack cannot use anchord, containers can)" : "off");
}

/* --- capabilities ------------------------------------------------------------------------------------------- */

static const struct {
    unsigned int number;
    const char *name;
    bool is_for_dhcp; /* with ANCHORD_ADDRESS_MODE or ANCHORD_ADDRESS of a lease alone */
} capabilities[] = {
    {12, "NET_ADMIN", false}, {7, "SETUID", false}, {6, "SETGID", false},   {8, "SETPCAP", false},
    {5, "KILL", false},       {0, "CHOWN", false},  {13, "NET_RAW", false}, {10, "NET_BIND_SERVICE", true},
};

static bool read_number(const char *path, const char *field, int base, uint64_t *ret)
{
    char line[256];
    CLEANUP_STREAM FILE *stream = fopen(path, "re");

    while (stream && fgets(line, sizeof(line), stream)) {
        if (strncmp(line, field, strlen(field)) == 0) {
            *ret = strtoull(line + strlen(field), NULL, base);
            return true;
        }
    }
    return false;
}

/* Up from netadmin, over the supervisor, to what started that: init, which keeps what the container was given. */
static bool read_given(pid_t netadmin, uint64_t *ret)
{
    char path[64];
    uint64_t process = (uint64_t)netadmin;

    for (int step = 0; step < 2; step++) {
        (void)snprintf(path, sizeof(path), "/proc/%u/status", (unsigned int)process);
        if (!read_number(path, "PPid:", 10, &process) || process == 0)
            return false;
    }
    (void)snprintf(path, sizeof(path), "/proc/%u/status", (unsigned int)process);
    return read_number(path, "CapBnd:", 16, ret);
}

static bool has_lease(const struct anchor *anchor)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "leases");
    struct json_slice row;
    char state[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "state", state);
        if (strcmp(state, "off") != 0)
            return true;
    }
    return false;
}

void platform_check_capabilities(struct check_run *run)
{
    uint64_t given = 0;
    char missing[HEARD_TEXT_SIZE] = "";
    size_t length = 0;
    bool is_leased = has_lease(run->anchor);

    if (!read_given(run->anchor->pid, &given)) {
        check_is_unknown(run, NULL, NULL, "what the container may do cannot be seen");
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(capabilities); i++) {
        if ((given >> capabilities[i].number & 1) == 0 && (is_leased || !capabilities[i].is_for_dhcp))
            length += (size_t)snprintf(missing + length, sizeof(missing) - length, "%s%s", length > 0 ? ", " : "",
                                       capabilities[i].name);
    }
    if (length == 0)
        check_is_well(run, NULL, "the container has all that anchord needs");
    else
        check_found(run, PROBLEM_CAPABILITY_NOT_GIVEN,
                    &(struct finding_texts){
                        .sentence = check_text("the container was not given %s", missing),
                        .remedy = check_text("cap_add: [%s]   # in its service, then: docker compose up -d", missing)});
}

/* --- networks ----------------------------------------------------------------------------------------------- */

static struct json_walk ipam(const struct told_network *network)
{
    return heard_list(json_slice_member(heard(&network->inspection), "IPAM"), "Config");
}

static bool names_gateway(const struct told_network *network)
{
    struct json_walk walk = ipam(network);
    struct json_slice row;
    char gateway[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "Gateway", gateway);
        if (strchr(gateway, '.'))
            return true;
    }
    return false;
}

/* Wherever it came from: a pin, a lease. */
static bool knows_gateway(const struct anchor *anchor)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "gateways");
    struct json_slice row;
    char family[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "family", family);
        heard_text(row, "address", address);
        if (strchr(family, '4') && address[0] != '\0')
            return true;
    }
    return false;
}

void platform_check_macvlan_gateway(struct check_run *run)
{
    char name[HEARD_TEXT_SIZE], driver[HEARD_TEXT_SIZE];
    const struct told_network *network;

    heard_text(json_slice_member(heard(&run->anchor->status), "external"), "network", name);
    network = heard_network(run->scene, name);
    if (!network) {
        check_skip(run, NULL, "it is on no network on the LAN that Docker knows");
        return;
    }
    heard_text(heard(&network->inspection), "Driver", driver);
    if (names_gateway(network) || knows_gateway(run->anchor))
        check_is_well(run, NULL, "%s (%s) has an IPv4 gateway", name, driver);
    else
        check_found(run, PROBLEM_MACVLAN_WITHOUT_GATEWAY,
                    &(struct finding_texts){
                        .object = name,
                        .sentence = check_text("the %s network %s names no IPv4 gateway, and nothing else does", driver,
                                               name)});
}

/* The bridge driver's own default: the host translates what leaves it (docker/docs, bridge driver's options). */
static bool is_masqueraded(const struct told_network *network)
{
    struct json_slice options = json_slice_member(heard(&network->inspection), "Options");
    char masquerade[HEARD_TEXT_SIZE], mode[HEARD_TEXT_SIZE];

    heard_text(options, "com.docker.network.bridge.enable_ip_masquerade", masquerade);
    heard_text(options, "com.docker.network.bridge.gateway_mode_ipv4", mode);
    return strcmp(masquerade, "false") != 0 && (mode[0] == '\0' || strcmp(mode, "nat") == 0);
}

/* Under attach there is no such network: the project's own are as Docker makes them, and the guard holds them. */
void platform_check_transit(struct check_run *run)
{
    char name[HEARD_TEXT_SIZE], driver[HEARD_TEXT_SIZE];
    const struct told_network *network;

    heard_text(json_slice_member(heard(&run->anchor->status), "shared"), "network", name);
    network = heard_network(run->scene, name);
    if (!network || run->scene->is_podman) {
        check_skip(run, NULL, "%s",
                   network ? "Podman knows no such option" : "it is on no transit network that Docker knows");
        return;
    }
    heard_text(heard(&network->inspection), "Driver", driver);
    if (strcmp(driver, "bridge") != 0 || heard_is_true(heard(&network->inspection), "Internal") ||
        !is_masqueraded(network))
        check_is_well(run, NULL, "%s (%s) is not translated by the host", name, driver);
    else
        check_found(
            run, PROBLEM_FILE_MASQUERADE,
            &(struct finding_texts){
                .object = name,
                .sentence = check_text("the network %s is made with Docker's masquerading", name),
                .why = "what does not take the way to the anchor leaves with the host's address",
                .remedy = check_text("networks.%s: {driver_opts: "
                                     "{com.docker.network.bridge.enable_ip_masquerade: \"false\"}}   # then: docker "
                                     "compose down && docker compose up -d, since a network cannot be changed",
                                     name)});
}

/* --- bridge-nf ---------------------------------------------------------------------------------------------- */

static bool is_on(const char *path)
{
    CLEANUP_STREAM FILE *stream = fopen(path, "re");

    return stream && fgetc(stream) == '1';
}

/* Its rules for a network that is internal go by interfaces, where those of iptables go by addresses (Engine 29). */
static bool filters_by_nftables(const struct scene *scene)
{
    char driver[HEARD_TEXT_SIZE];

    heard_text(json_slice_member(heard(&scene->info), "FirewallBackend"), "Driver", driver);
    return strncmp(driver, "nftables", strlen("nftables")) == 0; /* or nftables+firewalld */
}

/* SPEC §11: Docker's isolation rules then see foreign sources on a bridge that is internal, and drop them. Runs in the
 * host's network namespace, whose settings these are; an anchor that does not answer has told of no network. */
void platform_check_bridge_nf(struct check_run *run)
{
    bool calls =
        is_on("/proc/sys/net/bridge/bridge-nf-call-iptables") || is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
    size_t wrong = 0;

    for (size_t i = 0; i < run->scene->anchor_count && calls && !filters_by_nftables(run->scene); i++) {
        const struct told_network *network;
        char name[HEARD_TEXT_SIZE];

        heard_text(json_slice_member(heard(&run->scene->anchors[i].status), "shared"), "network", name);
        network = heard_network(run->scene, name);
        if (!network || !heard_is_true(heard(&network->inspection), "Internal"))
            continue;
        wrong++;
        check_found(
            run, PROBLEM_BRIDGE_NF,
            &(struct finding_texts){
                .object = name,
                .sentence = check_text("this host drops what comes from the LAN on the internal network %s", name)});
    }
    if (wrong == 0)
        check_is_well(run, NULL,
                      calls ? "bridges are filtered on this host, and no network minds"
                            : "bridges are not filtered on this host");
}

/* --- the host's firewall ------------------------------------------------------------------------------------ */

/* More than what an empty table of iptables-legacy has: a policy for each of its hooks, and an end. The kernel makes a
 * table when it is first asked for, so that it is asked for those that are there alone. */
static bool has_legacy_rules(int question, const char *table, unsigned int entries_when_empty)
{
    struct ipt_getinfo information = {0};
    socklen_t length = sizeof(information);

    (void)snprintf(information.name, sizeof(information.name), "%s", table);
    return getsockopt(question, IPPROTO_IP, IPT_SO_GET_INFO, &information, &length) == 0 &&
           information.num_entries > entries_when_empty;
}

/* Root alone may ask. Without ip_tables the list is not there; it is handed on when one of its tables has rules. */
int platform_prepare_legacy(struct check_run *run, const char **ret_why)
{
    CLEANUP_FD int list = open("/proc/net/ip_tables_names", O_RDONLY | O_CLOEXEC);
    CLEANUP_FD int question = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    char names[256];
    ssize_t length = list < 0 || question < 0 ? 0 : read(list, names, sizeof(names) - 1);

    (void)ret_why;
    names[length > 0 ? length : 0] = '\0';
    if ((strstr(names, "nat\n") && has_legacy_rules(question, "nat", 5)) ||
        (strstr(names, "filter\n") && has_legacy_rules(question, "filter", 4)))
        run->files.files[0] = TAKE_FD(list);
    return 0;
}

void platform_check_firewall(struct check_run *run)
{
    bool calls6 = is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
    bool has_new_docker = false;
    size_t place = 0, wrong = 0;
    struct heard_chain chain;

    if (run->scene->hooks.error < 0) {
        check_is_unknown(run, NULL, NULL, "the host's rules cannot be read: %s", run->scene->hooks.reason);
        return;
    }
    while (heard_next_chain(&run->scene->hooks, &place, &chain)) {
        has_new_docker = has_new_docker || strncmp(chain.name, "DOCKER", strlen("DOCKER")) == 0 ||
                         strcmp(chain.table, "docker-bridges") == 0;
        if (chain.reverse_paths == 0 || !calls6 || heard_is_own(&chain) || strcmp(chain.family, "ip") == 0 || wrong > 0)
            continue;
        wrong++;
        check_found(run, PROBLEM_REVERSE_PATH,
                    &(struct finding_texts){
                        .object = check_text("%s %s", chain.family, chain.table),
                        .why = "net.bridge.bridge-nf-call-ip6tables is 1, so that it is asked for packets of bridges",
                        .remedy = strcmp(chain.table, "firewalld") == 0
                                      ? NULL
                                      : "sysctl -w net.bridge.bridge-nf-call-ip6tables=0"});
    }
    if (has_new_docker && run->files.files[0] >= 0 && ++wrong)
        check_found(run, PROBLEM_OLD_FIREWALL, &(struct finding_texts){0});
    if (wrong == 0)
        check_is_well(run, NULL, "no filter of the host's is known to stop an anchor");
}
