/* The group `path` of anchord doctor; see path_check.h. Runs as root. */
#include "daemon/command/path_check.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#include "daemon/command/host_look.h"
#include "daemon/command/path_check_internal.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define READY_MILLISECONDS     3000
#define WALLS_MILLISECONDS     1000
#define LAN_READY_MILLISECONDS 7000
#define TRIED_MILLISECONDS     9000
#define FURTHER_MILLISECONDS   5000
#define GIVE_ADDRESS           "sudo anchord doctor path --from-lan=ADDRESS/LENGTH   # a free one, on the host"
/* Nothing is begun later. */
#define WHOLE_SECONDS 10

static void path_check_release(struct path_check *check)
{
    path_prober_end(&check->anchor);
    path_prober_end(&check->lan);
    for (size_t i = 0; i < check->container_count; i++)
        path_prober_end(&check->inside[i]);
    path_places_release(&check->places);
    close_fd(&check->anchor_namespace);
}

__attribute__((format(printf, 4, 5))) static void tell_unknown(struct path_check *check, const char *object,
                                                               const char *remedy, const char *format, ...)
{
    struct answer answer = {.verdict = VERDICT_UNKNOWN};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.sentence, sizeof(answer.sentence), format, arguments);
    va_end(arguments);
    text_copy_cut(answer.object, sizeof(answer.object), object);
    text_copy_cut(answer.remedy, sizeof(answer.remedy), remedy);
    check->report(&answer, check->userdata);
}

/* --- what anchord says ----------------------------------------------------------------------------------------- */

/* The first one of each family. */
static void take_address(struct path_check *check, const struct ip_address *address)
{
    struct ip_address *own = &check->scene.own[address->family == IP_FAMILY_6 ? 1 : 0];

    if (!ip_address_is_link_local(address) && own->family == IP_FAMILY_NONE)
        *own = *address;
}

/* NULL: there are too many. */
static struct path_container *find_container(struct path_check *check, const struct path_word *word)
{
    size_t count = check->container_count;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(check->containers[i].name, word->name) == 0)
            return &check->containers[i];
    }
    if (count == PATH_CONTAINERS_MAX)
        return NULL;
    memcpy(check->words[count].name, word->name, sizeof(word->name));
    check->inside[count] = (struct path_prober){.channel = -1, .is_over = true};
    check->containers[count] =
        (struct path_container){.name = check->words[count].name,
                                .findings = {check->words[count].findings[0], check->words[count].findings[1]},
                                .namespace = -1};
    return &check->containers[check->container_count++];
}

static void add_port(struct path_check *check, const struct path_word *word, struct path_container *container,
                     const struct ip_address *backend)
{
    size_t family = backend->family == IP_FAMILY_6 ? 1 : 0;

    if (check->scene.own[family].family == IP_FAMILY_NONE)
        return;
    if (check->port_count == ARRAY_LENGTH(check->ports)) {
        check->is_cut = true;
        return;
    }
    check->ports[check->port_count++] = (struct path_port){
        .protocol = word->protocol,
        .family = backend->family,
        .port = word->first,
        .backend_port = word->backend,
        .has_guests = word->has_guests,
        .container = container,
        .own = check->scene.own[family],
        .backend = *backend,
    };
}

static void take_exposure(struct path_check *check, const struct path_word *word)
{
    struct path_container *container = find_container(check, word);

    check->is_cut = check->is_cut || !container;
    for (size_t i = 0; i < ARRAY_LENGTH(word->addresses) && container; i++) {
        struct ip_address address = wire_address_to(&word->addresses[i]);

        if (address.family == IP_FAMILY_NONE)
            continue;
        container->addresses[i] = address;
        add_port(check, word, container, &address);
    }
}

/* What is wrong with a container's way, as anchord itself says it: of the family that it names, or of both. */
static void take_problem(struct path_check *check, const struct path_word *word)
{
    const char *others[] = {strstr(word->finding, " (v6)"), strstr(word->finding, " (v4)")};

    for (size_t i = 0; i < check->container_count && path_is_way(word->problem); i++) {
        struct path_container *container = &check->containers[i];

        for (size_t family = 0; family < 2 && strcmp(container->name, word->name) == 0; family++) {
            if (others[family] || container->causes[family] != PROBLEM_NONE)
                continue;
            container->causes[family] = word->problem;
            memcpy(check->words[i].findings[family], word->finding, sizeof(word->finding));
        }
    }
}

/* Exposures come after the addresses, problems after them. */
static void take_word(const struct path_word *word, void *userdata)
{
    struct path_check *check = userdata;
    struct ip_address address = wire_address_to(&word->addresses[0]);

    switch ((enum path_word_kind)word->kind) {
    case PATH_WORD_EXTERNAL:
        memcpy(check->external, word->name, sizeof(check->external));
        break;
    case PATH_WORD_ADDRESS:
        take_address(check, &address);
        break;
    case PATH_WORD_GATEWAY:
        check->scene.gateways[address.family == IP_FAMILY_6 ? 1 : 0] = address;
        break;
    case PATH_WORD_EXPOSURE:
        take_exposure(check, word);
        break;
    case PATH_WORD_PROBLEM:
        take_problem(check, word);
        break;
    case PATH_WORD_SHARED:
    case PATH_WORD_GUESTS:
    case PATH_WORD_CONFLICT:
    case PATH_WORD_WITHHELD:
    case PATH_WORD_END:
    case PATH_WORD_KIND_MAX_:
        break;
    }
}

/* --- where it is tried ----------------------------------------------------------------------------------------- */

static bool is_switched_on(const char *path)
{
    CLEANUP_FD int file = open(path, O_RDONLY | O_CLOEXEC);
    char digit = '0';

    return file >= 0 && read(file, &digit, 1) == 1 && digit == '1';
}

/* Of iptables-legacy, which nftables does not know of. */
static bool has_old_tables(const char *path)
{
    CLEANUP_FD int file = open(path, O_RDONLY | O_CLOEXEC);
    char first;

    return file >= 0 && read(file, &first, 1) == 1;
}

/* Docker's own are on every host, and lead astray where somebody else drops. */
static bool is_dockers(const struct probe_wall *wall)
{
    return strcmp(wall->table, "docker-bridges") == 0 || strncmp(wall->chain, "DOCKER", strlen("DOCKER")) == 0;
}

static void add_wall(char *text, size_t size, const struct probe_wall *wall)
{
    size_t length = strlen(text);

    (void)snprintf(text + length, size - length, "%s%s %s %s", length > 0 ? ", " : "", wall->family, wall->table,
                   wall->chain);
}

/* The chains of a firewall that drop, into scene.walls, as many as it holds: Docker's where there is no other. */
static void read_walls(struct path_check *check, const char *const *arguments, int namespace)
{
    struct path_prober prober;
    struct probe_wall wall;
    char *walls = check->scene.walls;
    char dockers[sizeof(check->scene.walls)] = "";

    path_prober_start(&prober, namespace, arguments);
    while (path_prober_read_wall(&prober, &wall, WALLS_MILLISECONDS) && wall.kind != PROBE_WALL_END) {
        if (wall.kind == PROBE_WALL_REVERSE_PATH)
            check->scene.has_reverse_path = true;
        add_wall(is_dockers(&wall) ? dockers : walls, sizeof(dockers), &wall);
    }
    path_prober_end(&prober);
    if (walls[0] == '\0')
        text_copy_cut(walls, sizeof(check->scene.walls), dockers);
    check->scene.has_walls =
        walls[0] != '\0' || has_old_tables("/proc/net/ip_tables_names") || has_old_tables("/proc/net/ip6_tables_names");
}

/* In the network-anchor's namespace: in its container nobody may enter one, not even the one that he is in. */
static bool is_here(const struct path_check *check)
{
    return check->options->pid == 0;
}

static void find_places(struct path_check *check)
{
    if (check->options->pid > 0)
        check->anchor_namespace = path_places_open(check->options->pid);
    if (check->anchor_namespace >= 0 || is_here(check))
        check->scene.anchor_count = path_places_addresses(check->anchor_namespace, check->anchor_addresses);
    check->scene.anchor = check->anchor_addresses;
    if (path_places_read(&check->places) < 0)
        return; /* what cannot be looked into is told to be so */
    for (size_t i = 0; i < check->container_count; i++) {
        struct path_container *container = &check->containers[i];
        const struct path_place *place = NULL;

        for (size_t j = 0; j < 2 && !place; j++) {
            if (container->addresses[j].family != IP_FAMILY_NONE)
                place = path_places_find(&check->places, &container->addresses[j]);
        }
        if (place)
            container->namespace = place->namespace;
        check->scene.is_on_host = check->scene.is_on_host || place;
    }
    if (check->scene.is_on_host)
        read_walls(check, (const char *const[]){"walls", NULL}, -1);
    check->scene.filters_bridges[0] = is_switched_on("/proc/sys/net/bridge/bridge-nf-call-iptables");
    check->scene.filters_bridges[1] = is_switched_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
}

static size_t start_probers(struct path_check *check, struct path_prober *ret[PATH_CONTAINERS_MAX + 1])
{
    static const char *const here[] = {"here", NULL};
    static const char *const in_namespace[] = {"namespace", NULL};
    size_t count = 0;

    path_prober_start(&check->anchor, check->anchor_namespace, is_here(check) ? here : in_namespace);
    ret[count++] = &check->anchor;
    for (size_t i = 0; i < check->container_count; i++) {
        if (check->containers[i].namespace < 0)
            continue;
        path_prober_start(&check->inside[i], check->containers[i].namespace, in_namespace);
        ret[count++] = &check->inside[i];
    }
    path_prober_await_ready(ret, count, READY_MILLISECONDS);
    return count;
}

/* --- the throw-away host on the LAN ---------------------------------------------------------------------------- */

/* The addresses that were given, as words for the prober and, in scene.lan, for us. False: they are none. */
static bool read_lan_addresses(struct path_check *check, char *text, const char *words[2], size_t *count)
{
    char *rest = NULL;

    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        struct ip_subnet address;

        if (*count == 2 || ip_subnet_parse(word, &address) < 0 || !ip_address_is_host(&address.address))
            return false;
        check->scene.lan[address.address.family == IP_FAMILY_6 ? 1 : 0] = address.address;
        words[(*count)++] = word;
    }
    return true;
}

/* Nobody on the LAN may have it. False: it was said why not. */
static bool is_free(struct path_check *check, const char *parent)
{
    CLEANUP(host_look_release) struct host_look look = {0};
    struct ip_address addresses[2];
    size_t count = 0;

    for (size_t i = 0; i < 2; i++) {
        if (check->scene.lan[i].family != IP_FAMILY_NONE)
            addresses[count++] = check->scene.lan[i];
    }
    if (count == 0)
        return true;
    if (host_look_lan(parent, addresses, count, &look) < 0) {
        tell_unknown(check, parent, "", "who has the address of --from-lan cannot be asked on the LAN: %s",
                     look.reason);
        return false;
    }
    for (size_t i = 0; i < look.count; i++) {
        if (look.records[i].kind == LOOK_HOLDER) {
            tell_unknown(check, parent, "",
                         "a host on the LAN, %s, has an address of --from-lan: give one that is free",
                         MAC_ADDRESS_TEXT(&look.records[i].mac));
            return false;
        }
    }
    return true;
}

static void start_lan(struct path_check *check)
{
    const char *arguments[6] = {"lan"};
    char text[2 * IP_SUBNET_TEXT_SIZE];
    char parent[IF_NAMESIZE];
    struct path_prober *const prober = &check->lan;
    size_t count = 0;
    bool is_given, awaits_router;

    text_copy_cut(text, sizeof(text), check->options->lan_addresses);
    is_given = read_lan_addresses(check, text, arguments + 2, &count);
    if (!is_given || path_places_parent(check->anchor_namespace, check->external, parent) < 0) {
        memset(check->scene.lan, 0, sizeof(check->scene.lan));
        tell_unknown(check, "--from-lan", is_given ? GIVE_ADDRESS : "",
                     is_given ? "the project's interface on the LAN is no macvlan of an interface that is here"
                              : "--from-lan takes ADDRESS/LENGTH, of each family one with a comma between them");
        return;
    }
    awaits_router = check->scene.own[1].family != IP_FAMILY_NONE && check->scene.lan[1].family == IP_FAMILY_NONE;
    if (awaits_router)
        arguments[2 + count] = "router";
    if (count == 0 && !awaits_router) {
        tell_unknown(check, "--from-lan", GIVE_ADDRESS,
                     "without an address it proves IPv6 alone, and the project has none");
        return;
    }
    if (is_free(check, parent)) {
        arguments[1] = parent;
        path_prober_start(prober, -1, arguments);
        path_prober_await_ready(&(struct path_prober *){prober}, 1, LAN_READY_MILLISECONDS);
        if (prober->is_over)
            tell_unknown(check, parent, "", "no throw-away host can be made on the LAN: %s",
                         log_errno_text(prober->error));
        else if (awaits_router)
            check->scene.lan[1] = prober->address6;
        if (!prober->is_over && count == 0 && check->scene.lan[1].family == IP_FAMILY_NONE)
            tell_unknown(check, "--from-lan", GIVE_ADDRESS, "no router on the LAN gives an IPv6 address");
    }
    if (prober->is_over)
        memset(check->scene.lan, 0, sizeof(check->scene.lan));
}

/* --- together -------------------------------------------------------------------------------------------------- */

static void judge_all(struct path_check *check)
{
    for (size_t i = 0; i < check->port_count; i++) {
        const struct path_port *port = &check->ports[i];
        struct path_container *container = &check->containers[port->container - check->containers];

        if (path_judge_port(&check->scene, port, check->report, check->userdata))
            container->is_elsewhere[port->family == IP_FAMILY_6 ? 1 : 0] = true;
    }
    for (size_t i = 0; i < check->container_count; i++)
        path_judge_container(&check->scene, &check->containers[i], check->report, check->userdata);
    for (size_t i = 0; i < check->way_count; i++)
        path_judge_way_out(&check->scene, &check->ways[i], check->report, check->userdata);
    if (check->is_cut)
        tell_unknown(check, "", "", "there are more ports or containers than are tried at once");
    if (check->port_count == 0)
        tell_unknown(check, "", "anchord status",
                     "no port is exposed, or the project has no address: nothing to prove");
}

static int run(struct path_check *check)
{
    struct path_prober *probers[PATH_CONTAINERS_MAX + 2];
    uint64_t deadline = clock_monotonic_microseconds() + WHOLE_SECONDS * MICROSECONDS_PER_SECOND;
    size_t count;
    int result = path_status_read(check->options->pid, take_word, check);

    if (result < 0)
        return result;
    find_places(check);
    count = start_probers(check, probers);
    if (check->anchor.is_over)
        return check->anchor.error;
    if (check->options->from_lan)
        start_lan(check);
    if (!check->lan.is_over)
        probers[count++] = &check->lan;
    path_ask_all(check);
    path_prober_collect(probers, count, TRIED_MILLISECONDS);
    while (path_ask_further(check) && clock_monotonic_microseconds() < deadline)
        path_prober_collect(probers, count, FURTHER_MILLISECONDS);
    judge_all(check);
    return 0;
}

int path_check_run(const struct path_options *options, path_reporter report, void *userdata)
{
    CLEANUP_FREE struct path_check *check = calloc(1, sizeof(*check));
    int result;

    if (!check)
        return -ENOMEM;
    check->options = options;
    check->scene.name = options->name;
    check->report = report;
    check->userdata = userdata;
    check->anchor_namespace = -1;
    check->anchor.channel = -1;
    check->lan = (struct path_prober){.channel = -1, .is_over = true};
    result = run(check);
    path_check_release(check);
    return result;
}
