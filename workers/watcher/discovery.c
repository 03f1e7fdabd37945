/* Finds out who and where we are; see discovery.h. Runs without any privilege. */
#include "workers/watcher/discovery.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "workers/watcher/ipv6_advice.h"

#include <stdio.h>
#include <string.h>

/* ADDR-9: how long a network may take to be attached after the API first answered. */
#define ATTACH_PATIENCE_MICROSECONDS (10 * MICROSECONDS_PER_SECOND)
/* DISC-4: rounds without a backend before people are told. */
#define FRUITLESS_ROUNDS_MAX 5

enum stage {
    STAGE_OWN,    /* who are we? */
    STAGE_CHOOSE, /* which networks? */
    STAGE_INSPECT_EXTERNAL,
    STAGE_INSPECT_SHARED,
    STAGE_PROVISIONAL, /* chosen without a backend: another network may yet be the shared one (DISC-4) */
    STAGE_DONE,
    STAGE_ATTACHED, /* nobody is looked for: the supervisor says which link is which (HOST-2) */
};

struct discovery {
    struct message_configure_watcher configuration;
    struct discovery_callbacks callbacks;
    enum stage stage;
    uint64_t first_answer;  /* monotonic microseconds; 0: the API has not answered yet */
    uint64_t links_changed; /* likewise: when netadmin last told of links */
    struct link_table links;
    struct own_container_search search;
    struct own_container own;
    bool must_list;
    struct topology_external external;
    int shared; /* index in own.networks */
    bool is_final;
    char chosen_id[DOCKER_ID_SIZE]; /* the network of the last TOPOLOGY, or empty */
    char chosen_name[NAME_SIZE];
    struct docker_network external_record;
    struct docker_network shared_record;
    struct message_topology topology;
    unsigned int rounds;
    bool is_round;            /* of the advance under way */
    const char *last_problem; /* logged already; static storage */
    enum ipv6_fault last_fault;
    bool tells_fixed; /* this engine says which addresses were chosen */
    struct external_advice external_advice;
};

int discovery_new(const struct message_configure_watcher *configuration, const struct discovery_callbacks *callbacks,
                  struct discovery **ret)
{
    struct discovery *discovery = calloc(1, sizeof(*discovery));

    if (!discovery)
        return -ENOMEM;
    discovery->configuration = *configuration;
    discovery->callbacks = *callbacks;
    discovery->must_list = true;
    discovery->stage = configuration->is_attached ? STAGE_ATTACHED : STAGE_OWN;
    *ret = discovery;
    return 0;
}

struct discovery *discovery_free(struct discovery *discovery)
{
    free(discovery);
    return NULL;
}

bool discovery_is_done(const struct discovery *discovery)
{
    return discovery->stage >= STAGE_DONE;
}

bool discovery_is_settled(const struct discovery *discovery)
{
    return discovery->stage >= STAGE_PROVISIONAL;
}

bool discovery_needs_rounds(const struct discovery *discovery)
{
    return discovery->stage < STAGE_PROVISIONAL ||
           (discovery->stage == STAGE_PROVISIONAL && discovery->rounds < FRUITLESS_ROUNDS_MAX);
}

bool discovery_needs_list(const struct discovery *discovery)
{
    return discovery->must_list && (discovery->stage <= STAGE_CHOOSE || discovery->stage == STAGE_PROVISIONAL);
}

void discovery_begin_list(struct discovery *discovery)
{
    discovery->must_list = false;
    discovery->search = (struct own_container_search){0};
}

void discovery_consider(struct discovery *discovery, const struct docker_container *container)
{
    own_container_consider(&discovery->search, container, &discovery->links);
}

void discovery_end_list(struct discovery *discovery)
{
    if (discovery->first_answer == 0)
        discovery->first_answer = clock_monotonic_microseconds();
    discovery->own = discovery->search.best;
    discovery->stage = STAGE_OWN;
    if (discovery->own.id[0] != '\0' && !discovery->search.is_ambiguous)
        discovery->stage = STAGE_CHOOSE;
}

void discovery_look_again(struct discovery *discovery)
{
    discovery->must_list = true;
}

const struct own_network *discovery_own_networks(const struct discovery *discovery, size_t *ret_count)
{
    *ret_count = discovery->own.network_count;
    return discovery->own.networks;
}

bool discovery_is_own(const struct discovery *discovery, const char *container_id)
{
    return discovery->own.id[0] != '\0' && strcmp(discovery->own.id, container_id) == 0;
}

void discovery_set_links(struct discovery *discovery, const struct link_table *links)
{
    discovery->links = *links;
    discovery->links_changed = clock_monotonic_microseconds();
    discovery->must_list = true;
}

static void set_missing(struct discovery *discovery, enum problem missing)
{
    discovery->external_advice.missing = missing;
    text_copy_cut(discovery->external_advice.container, sizeof(discovery->external_advice.container),
                  discovery->own.name);
}

/*
 * Something is missing that may still come: said once, fatal when patience is over. `is_fatal` problems end the
 * worker then, the others stay. A link may come before Docker's list knows its endpoint (20.10).
 */
static void problem(struct discovery *discovery, enum problem code, const char *text, const char *wanted, bool is_fatal)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t age = now - discovery->first_answer;
    char names[NETWORK_NAMES_SIZE];

    if (discovery->is_round &&
        (age < ATTACH_PATIENCE_MICROSECONDS || now - discovery->links_changed < ATTACH_PATIENCE_MICROSECONDS))
        discovery->must_list = true; /* later the poll looks again */
    if (is_fatal && age < ATTACH_PATIENCE_MICROSECONDS)
        return;
    if (discovery->last_problem != text)
        log_error(text, LOG_PROBLEM(code), LOG_TEXT("wanted", wanted), LOG_TEXT("container", discovery->own.name),
                  LOG_TEXT("attached", topology_network_names(&discovery->own, names)));
    discovery->last_problem = text;
    set_missing(discovery, code);
    if (is_fatal)
        discovery->callbacks.on_fatal(discovery->callbacks.userdata);
}

static void report_own_container_missing(struct discovery *discovery)
{
    problem(discovery, PROBLEM_OWN_CONTAINER_UNKNOWN,
            discovery->search.is_ambiguous
                ? "several containers have the MAC addresses of our interfaces: own container not found"
                : "no running container has the MAC addresses of our interfaces: own container not found; is "
                  "DOCKER_HOST the engine that runs us?",
            discovery->configuration.docker_host, true);
}

static bool find_external(struct discovery *discovery)
{
    const struct message_configure_watcher *configuration = &discovery->configuration;
    bool by_network = configuration->external_network[0] != '\0';

    if (topology_find_external(configuration, &discovery->own, &discovery->links, &discovery->external) == 0)
        return true;
    if (by_network)
        problem(discovery, PROBLEM_NO_EXTERNAL_NETWORK,
                "external network is not attached to this container (ANCHORD_EXT_NETWORK)",
                configuration->external_network, true);
    else
        problem(discovery, PROBLEM_NO_EXTERNAL_NETWORK, "external interface does not exist (ANCHORD_EXT_IFACE)",
                configuration->external_interface, true);
    return false;
}

/* Counts candidates and the backends on each own network. */
static size_t count_candidates(const struct discovery *discovery, const struct container_table *table,
                               size_t backends[DOCKER_ENDPOINTS_MAX], size_t *ret_total)
{
    const struct own_container *own = &discovery->own;
    size_t candidates = 0;

    *ret_total = 0;
    for (size_t i = 0; i < own->network_count; i++) {
        backends[i] = table ? container_table_count_on(table, own->networks[i].id) : 0;
        if (!topology_is_candidate(own, &discovery->external, &discovery->links, i))
            continue;
        candidates++;
        *ret_total += backends[i];
    }
    return candidates;
}

/* DISC-4: said once, after so many rounds; a backend that comes later still decides. */
static void count_fruitless_round(struct discovery *discovery)
{
    if (!discovery->is_round || discovery->rounds >= FRUITLESS_ROUNDS_MAX)
        return;
    if (++discovery->rounds == FRUITLESS_ROUNDS_MAX)
        log_warn("no backend on any candidate for transit: check the label anchord.expose and that the "
                 "services join a network of this container, or set ANCHORD_SHARED_NETWORK",
                 LOG_PROBLEM(PROBLEM_NO_BACKEND_NETWORK), LOG_TEXT("chosen", discovery->chosen_name));
}

static bool choose_shared(struct discovery *discovery, const struct container_table *table)
{
    const char *pinned = discovery->configuration.shared_network;
    size_t backends[DOCKER_ENDPOINTS_MAX];
    size_t total;
    size_t candidates = count_candidates(discovery, table, backends, &total);

    discovery->is_final = candidates <= 1 || pinned[0] != '\0' || total > 0;
    if (!discovery->is_final && !table)
        return false; /* the backends are not known yet */
    if (!discovery->is_final)
        count_fruitless_round(discovery);
    set_missing(discovery, !discovery->is_final && discovery->rounds >= FRUITLESS_ROUNDS_MAX
                               ? PROBLEM_NO_BACKEND_NETWORK
                               : PROBLEM_NONE);
    discovery->shared =
        topology_choose_shared(&discovery->own, &discovery->external, &discovery->links, pinned, backends);
    if (discovery->shared >= 0)
        return true;
    if (pinned[0] != '\0')
        problem(discovery, PROBLEM_NO_SHARED_NETWORK,
                "shared network is not attached to this container (ANCHORD_SHARED_NETWORK)", pinned, true);
    else
        problem(discovery, PROBLEM_NO_SHARED_NETWORK,
                "this container is only on the external network: a project-internal network is needed that the "
                "backends share with it",
                "a second network", false);
    return false;
}

static void log_choice(const struct discovery *discovery)
{
    if (discovery->chosen_id[0] == '\0')
        log_info("discovered shared network", LOG_TEXT("network", discovery->shared_record.name),
                 LOG_TEXT("driver", discovery->shared_record.driver),
                 LOG_BOOLEAN("internal", discovery->shared_record.is_internal),
                 LOG_BOOLEAN("final", discovery->is_final));
    else if (strcmp(discovery->chosen_id, discovery->shared_record.id) != 0)
        log_warn("shared network re-picked: the first backend is on another one than was chosen without any",
                 LOG_TEXT("network", discovery->shared_record.name), LOG_TEXT("before", discovery->chosen_name));
}

/* At each choice of the networks, which a start begins with; each fault once. */
static void judge_external(struct discovery *discovery, const struct own_network *external)
{
    struct external_advice *advice = &discovery->external_advice;
    const struct external_advice before = *advice;
    char address[IP_ADDRESS_TEXT_SIZE];

    external_advice_find(&discovery->configuration, external, &discovery->external_record, discovery->tells_fixed,
                         advice);
    text_copy_cut(advice->container, sizeof(advice->container), discovery->own.name);
    for (size_t i = 0; i < EXTERNAL_FAULT_COUNT_; i++) {
        if (advice->is_given[i] && !before.is_given[i])
            log_at(external_fault_level((enum external_fault)i), external_fault_message((enum external_fault)i),
                   LOG_PROBLEM(external_fault_problem((enum external_fault)i)), LOG_TEXT("network", advice->network),
                   LOG_TEXT("address", ip_address_format(&external->address4, address)),
                   LOG_TEXT("compose", advice->remedies[i]));
    }
}

static void finish(struct discovery *discovery)
{
    const struct own_network *external =
        discovery->external.network >= 0 ? &discovery->own.networks[discovery->external.network] : NULL;
    const struct own_network *shared = &discovery->own.networks[discovery->shared];
    struct message_topology *topology = &discovery->topology;

    topology->header = message_header_make(MESSAGE_TOPOLOGY, sizeof(*topology), 0);
    topology_fill_network(&topology->external, &discovery->external.mac, external, &discovery->external_record);
    topology_fill_network(&topology->shared, &shared->mac, shared, &discovery->shared_record);
    topology_work_out_bridge(&topology->shared, &discovery->shared_record);
    topology->is_final = discovery->is_final;
    if (external)
        judge_external(discovery, external);
    log_choice(discovery);
    text_copy_cut(discovery->chosen_id, sizeof(discovery->chosen_id), shared->id);
    text_copy_cut(discovery->chosen_name, sizeof(discovery->chosen_name), discovery->shared_record.name);
    discovery->stage = discovery->is_final ? STAGE_DONE : STAGE_PROVISIONAL;
    discovery->callbacks.on_topology(discovery->callbacks.userdata, topology, shared->id);
}

static void choose_networks(struct discovery *discovery, const struct container_table *table)
{
    bool is_known;

    if (!find_external(discovery) || !choose_shared(discovery, table))
        return;
    is_known = strcmp(discovery->own.networks[discovery->shared].id, discovery->chosen_id) == 0;
    if (is_known && discovery->is_final) {
        finish(discovery);
        return;
    }
    if (is_known) {
        discovery->stage = STAGE_PROVISIONAL;
        return;
    }
    /* "external interface resolved" is netadmin's line: it is the one that uses the interface. */
    if (discovery->chosen_id[0] == '\0')
        log_info("own container found", LOG_TEXT("container", discovery->own.name), LOG_TEXT("id", discovery->own.id),
                 LOG_TEXT("external_interface", discovery->external.interface),
                 LOG_TEXT("external_network", discovery->external.network >= 0
                                                  ? discovery->own.networks[discovery->external.network].name
                                                  : ""));
    discovery->stage = discovery->external.network >= 0 ? STAGE_INSPECT_EXTERNAL : STAGE_INSPECT_SHARED;
}

const char *discovery_needs_network(struct discovery *discovery, struct docker_network **ret_record)
{
    if (discovery->stage == STAGE_INSPECT_EXTERNAL) {
        *ret_record = &discovery->external_record;
        return discovery->own.networks[discovery->external.network].id;
    }
    if (discovery->stage == STAGE_INSPECT_SHARED) {
        *ret_record = &discovery->shared_record;
        return discovery->own.networks[discovery->shared].id;
    }
    return NULL;
}

void discovery_end_network(struct discovery *discovery)
{
    if (discovery->stage == STAGE_INSPECT_EXTERNAL)
        discovery->stage = STAGE_INSPECT_SHARED;
    else if (discovery->stage == STAGE_INSPECT_SHARED)
        finish(discovery);
}

const struct docker_network *discovery_shared_network(const struct discovery *discovery)
{
    return &discovery->shared_record;
}

const struct external_advice *discovery_external_advice(const struct discovery *discovery)
{
    return &discovery->external_advice;
}

/* A problem, unless no line of Compose could mend it on this engine. */
static void advise_on_ipv6(struct discovery *discovery, enum ipv6_fault fault, enum log_level level, const char *remedy)
{
    struct external_advice *advice = &discovery->external_advice;

    advice->ipv6_problem = ipv6_fault_problem(fault);
    advice->ipv6[0] = '\0';
    if (fault != IPV6_FAULT_NONE && level > LOG_LEVEL_INFO)
        (void)snprintf(advice->ipv6, sizeof(advice->ipv6), "%s; %s", ipv6_fault_message(fault), remedy);
    text_copy_cut(advice->container, sizeof(advice->container), discovery->own.name);
    discovery->callbacks.on_advice(discovery->callbacks.userdata);
}

/* Once per fault; again when it comes back. */
static void report_ipv6_fault(struct discovery *discovery, unsigned int api_minor)
{
    const struct wire_network *external = &discovery->topology.external;
    const struct wire_link *link = link_table_find_mac(&discovery->links, &external->mac);
    enum ipv6_fault fault = link ? ipv6_fault_find(link, external) : IPV6_FAULT_NONE;
    enum log_level level = ipv6_fault_level(fault, api_minor);
    char remedy[REMEDY_SIZE] = "";

    if (fault == discovery->last_fault)
        return;
    discovery->last_fault = fault;
    if (fault != IPV6_FAULT_NONE)
        log_at(level, ipv6_fault_message(fault), LOG_PROBLEM(ipv6_fault_problem(fault)),
               LOG_TEXT("interface", link->name), LOG_TEXT("network", external->name),
               LOG_TEXT("compose", ipv6_fault_remedy(fault, api_minor, link->name, external->name, remedy)));
    advise_on_ipv6(discovery, fault, level, remedy);
}

void discovery_advance(struct discovery *discovery, const struct container_table *table,
                       const struct docker_version *version, bool is_round)
{
    discovery->tells_fixed = !version->is_podman;
    discovery->is_round = is_round;
    if (discovery->stage == STAGE_OWN && discovery->first_answer > 0)
        report_own_container_missing(discovery);
    else if (discovery->stage == STAGE_CHOOSE || discovery->stage == STAGE_PROVISIONAL)
        choose_networks(discovery, table);
    else if (discovery->stage == STAGE_DONE)
        report_ipv6_fault(discovery, version->api);
}
