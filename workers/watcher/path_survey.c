/* Looks after the way back of every backend; see path_survey.h. Runs without any privilege. */
#include "workers/watcher/path_survey.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"

#include <string.h>

/* What is known by asking. A slot that two runs did not use is free for another; more than these are not looked into.
 */
#define NETWORKS_MAX 128
#define JOINED_MAX   256
/* netadmin probes a gateway before it claims it (GW-1); before that nobody is blamed. */
#define CLAIM_PATIENCE_MICROSECONDS (10 * MICROSECONDS_PER_SECOND)
/* The scope's containers are listed no more often than this, however many events come: other questions wait meanwhile.
 */
#define JOINED_PERIOD_MICROSECONDS MICROSECONDS_PER_SECOND
/* Starts and health of service-anchors outside of the scope are in no stream: as long as one may be on its way it is
 * looked for again so often; later the poll finds it. */
#define ANCHOR_PERIOD_MICROSECONDS   (2 * MICROSECONDS_PER_SECOND)
#define ANCHOR_PATIENCE_MICROSECONDS (60 * MICROSECONDS_PER_SECOND)

enum answer {
    ANSWER_PENDING,
    ANSWER_NO,
    ANSWER_YES,
    ANSWER_REFUSED, /* or not to be understood */
};

struct known_network {
    enum answer answer;
    uint64_t last_run; /* that used it */
    char id[DOCKER_ID_SIZE];
    struct docker_network network;
};

/* A container in another one's namespace. */
struct joined_container {
    char id[DOCKER_ID_SIZE];
    char target_id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    bool may_be_service_anchor;
    enum docker_health health;
};

struct findings {
    size_t count;
    struct path_finding items[PATH_FINDINGS_MAX];
};

struct path_survey {
    char shared_id[DOCKER_ID_SIZE]; /* empty: not known yet */
    struct mac_address shared_mac;
    uint64_t shared_since;
    struct link_table links;
    struct known_network networks[NETWORKS_MAX];
    struct joined_container joined[JOINED_MAX];
    size_t joined_count;
    bool needs_joined;
    bool has_joined;        /* `joined` is current */
    bool lacks_anchor;      /* a backend, as the last run found: there is none, or it is not ready */
    uint64_t lacks_since;   /* monotonic microseconds: when findings changed last */
    bool is_joined_refused; /* or not to be understood, when it was asked for last */
    uint64_t joined_due;    /* monotonic microseconds: not to be asked for earlier */
    struct path_question question;
    struct findings *found; /* of the last run */
    struct findings *before;
    bool is_limit_said;
    struct docker_version engine;
    uint64_t run; /* counts up from 2, so that every slot is free at first */
};

int path_survey_new(struct path_survey **ret)
{
    CLEANUP(path_survey_freep) struct path_survey *survey = calloc(1, sizeof(*survey));

    if (!survey)
        return -ENOMEM;
    survey->run = 2;
    survey->found = calloc(1, sizeof(*survey->found));
    survey->before = calloc(1, sizeof(*survey->before));
    if (!survey->found || !survey->before)
        return -ENOMEM;
    *ret = TAKE_POINTER(survey);
    return 0;
}

struct path_survey *path_survey_free(struct path_survey *survey)
{
    if (!survey)
        return NULL;
    free(survey->found);
    free(survey->before);
    free(survey);
    return NULL;
}

void path_survey_set_links(struct path_survey *survey, const struct link_table *links)
{
    survey->links = *links;
}

/* --- what is known, and what is to be asked ------------------------------------------------------------ */

static void raise_question(struct path_survey *survey, enum path_question_kind kind, const char *id)
{
    if (survey->question.kind != PATH_QUESTION_NONE)
        return;
    survey->question.kind = kind;
    text_copy_cut(survey->question.id, sizeof(survey->question.id), id);
}

static struct known_network *find_network(struct path_survey *survey, const char *id)
{
    struct known_network *free_slot = NULL;

    for (size_t i = 0; i < NETWORKS_MAX; i++) {
        struct known_network *known = &survey->networks[i];

        if (strcmp(known->id, id) == 0) {
            known->last_run = survey->run;
            return known;
        }
        if (known->last_run + 1 < survey->run && !free_slot)
            free_slot = known;
    }
    if (free_slot) {
        *free_slot = (struct known_network){.last_run = survey->run};
        text_copy_cut(free_slot->id, sizeof(free_slot->id), id);
    }
    return free_slot;
}

void path_survey_set_shared(struct path_survey *survey, const struct docker_network *network,
                            const struct mac_address *mac)
{
    struct known_network *known = find_network(survey, network->id);

    text_copy_cut(survey->shared_id, sizeof(survey->shared_id), network->id);
    survey->shared_mac = *mac;
    survey->shared_since = clock_monotonic_microseconds();
    if (known) {
        known->answer = ANSWER_YES;
        known->network = *network;
    }
}

static enum answer ask_network(struct path_survey *survey, const char *id, const struct docker_network **ret)
{
    struct known_network *known = find_network(survey, id);

    if (!known)
        return ANSWER_REFUSED;
    if (known->answer == ANSWER_PENDING)
        raise_question(survey, PATH_QUESTION_NETWORK, id);
    *ret = &known->network;
    return known->answer;
}

void path_survey_note_event(struct path_survey *survey)
{
    survey->has_joined = false;
}

void path_survey_note_poll(struct path_survey *survey)
{
    if (survey->question.kind != PATH_QUESTION_JOINED)
        survey->has_joined = false;
}

static bool wants_joined(const struct path_survey *survey)
{
    return survey->question.kind == PATH_QUESTION_NONE && survey->needs_joined && !survey->has_joined;
}

uint64_t path_survey_next_due(const struct path_survey *survey)
{
    return wants_joined(survey) ? survey->joined_due : UINT64_MAX;
}

struct path_question *path_survey_ask(struct path_survey *survey, uint64_t now)
{
    if (wants_joined(survey) && now >= survey->joined_due) {
        raise_question(survey, PATH_QUESTION_JOINED, "");
        survey->joined_due = now + JOINED_PERIOD_MICROSECONDS;
        survey->joined_count = 0;
        survey->has_joined = true; /* an event from now on makes it old again */
    }
    return &survey->question;
}

void path_survey_consider(struct path_survey *survey, const struct docker_container *container)
{
    struct joined_container *joined = &survey->joined[survey->joined_count];

    if (!container->is_running || container->joined_id[0] == '\0' || survey->joined_count == JOINED_MAX)
        return;
    survey->joined_count++;
    *joined = (struct joined_container){.may_be_service_anchor = container->may_be_service_anchor,
                                        .health = container->health};
    text_copy_cut(joined->id, sizeof(joined->id), container->id);
    text_copy_cut(joined->target_id, sizeof(joined->target_id), container->joined_id);
    text_copy_cut(joined->name, sizeof(joined->name), container->name);
}

void path_survey_end_question(struct path_survey *survey, int error, const char *text)
{
    struct path_question *question = &survey->question;

    if (question->kind == PATH_QUESTION_NETWORK) {
        struct known_network *known = find_network(survey, question->id);

        if (known) {
            known->answer = error < 0 ? ANSWER_REFUSED : ANSWER_YES;
            known->network = question->network;
        }
    } else if (question->kind == PATH_QUESTION_JOINED) {
        survey->is_joined_refused = error < 0;
    }
    question->kind = PATH_QUESTION_NONE;
    if (error == -EACCES && !survey->is_limit_said)
        log_info("the way back of backends is not checked, since Docker may not be asked", LOG_ERROR_TEXT(text));
    survey->is_limit_said = survey->is_limit_said || error == -EACCES;
}

/* --- looking at a backend ------------------------------------------------------------------------------ */

static struct path_finding *add_finding(struct path_survey *survey, const struct container_entry *entry)
{
    struct path_finding *finding = &survey->found->items[survey->found->count];

    if (survey->found->count == PATH_FINDINGS_MAX)
        return NULL;
    survey->found->count++;
    *finding = (struct path_finding){.serial = entry->serial};
    text_copy_cut(finding->container, sizeof(finding->container), entry->name);
    text_copy_cut(finding->container_id, sizeof(finding->container_id), entry->id);
    return finding;
}

static void blame(struct path_survey *survey, const struct container_entry *entry, size_t family, uint8_t shown_family,
                  enum return_path_fault fault, const char *other)
{
    const struct known_network *shared = find_network(survey, survey->shared_id);
    struct path_finding *finding = fault == RETURN_PATH_FINE || !shared ? NULL : add_finding(survey, entry);

    if (!finding)
        return;
    finding->family = shown_family;
    finding->fault = fault;
    text_copy_cut(finding->other, sizeof(finding->other), other);
    (void)return_path_remedy(fault, family, &shared->network, other, &survey->engine, finding->remedy);
}

/* An answer is awaited: what was found stands until then. */
static void carry_over(struct path_survey *survey, const struct container_entry *entry)
{
    for (size_t i = 0; i < survey->before->count; i++) {
        struct path_finding *finding =
            survey->before->items[i].serial == entry->serial ? add_finding(survey, entry) : NULL;

        if (finding)
            *finding = survey->before->items[i];
    }
}

/* Is there a service-anchor in the backend's namespace? With ANSWER_YES *ret_name and *ret_health tell of it. */
static enum answer find_anchor(struct path_survey *survey, const struct container_entry *entry, const char **ret_name,
                               enum docker_health *ret_health)
{
    const struct container_owner *owner = entry->owner; /* there when it has joined: else it had no endpoint */
    const char *namespace_id = owner ? owner->id : entry->id;

    *ret_name = owner ? owner->name : entry->name;
    *ret_health = owner ? owner->health : entry->health;
    if (owner ? owner->may_be_service_anchor : entry->may_be_service_anchor)
        return ANSWER_YES;
    survey->needs_joined = true;
    if (!survey->has_joined || survey->question.kind == PATH_QUESTION_JOINED)
        return ANSWER_PENDING;
    if (survey->is_joined_refused)
        return ANSWER_REFUSED;
    for (size_t i = 0; i < survey->joined_count; i++) {
        const struct joined_container *joined = &survey->joined[i];

        if (!joined->may_be_service_anchor || strcmp(joined->target_id, namespace_id) != 0)
            continue;
        *ret_name = joined->name;
        *ret_health = joined->health;
        return ANSWER_YES;
    }
    return ANSWER_NO;
}

uint64_t path_survey_claim_due(const struct path_survey *survey)
{
    return survey->shared_since + CLAIM_PATIENCE_MICROSECONDS;
}

static bool may_be_claimed(const struct path_survey *survey, const struct docker_network *shared, size_t family)
{
    const struct wire_link *link = link_table_find_mac(&survey->links, &survey->shared_mac);
    struct ip_address gateway = return_path_gateway(shared, family);

    if (!link || clock_monotonic_microseconds() < path_survey_claim_due(survey))
        return true;
    for (uint32_t i = 0; i < link->address_count; i++) {
        struct ip_address address = wire_address_to(&link->addresses[i].address);

        if (ip_address_equal(&address, &gateway))
            return true;
    }
    return false;
}

/* Fills `path` from what is known; else says whether an answer is still to come. */
static enum answer describe(struct path_survey *survey, const struct container_entry *entry, struct return_path *path)
{
    enum answer worst = ANSWER_YES;

    *path = (struct return_path){0};
    for (size_t i = 0; i < entry->endpoint_count; i++) {
        const struct container_endpoint *endpoint = &entry->endpoints[i];
        struct return_path_attachment *attachment = &path->attachments[path->count];
        enum answer answer;

        if (endpoint->network_id[0] == '\0')
            continue;
        answer = ask_network(survey, endpoint->network_id, &attachment->network);
        if (answer != ANSWER_YES && worst != ANSWER_REFUSED)
            worst = answer;
        attachment->has_address[FAMILY_INDEX_4] = endpoint->address4.family != IP_FAMILY_NONE;
        attachment->has_address[FAMILY_INDEX_6] = endpoint->address6.family != IP_FAMILY_NONE;
        attachment->gateway_priority = endpoint->gateway_priority;
        if (strcmp(endpoint->network_id, survey->shared_id) == 0)
            path->shared = path->count;
        path->count++;
    }
    for (size_t family = 0; family < FAMILY_INDEX_MAX_ && worst == ANSWER_YES; family++)
        path->may_be_claimed[family] = may_be_claimed(survey, path->attachments[path->shared].network, family);
    return worst;
}

/* A backend with this fault of each family, unless a service-anchor takes care of it. */
static void blame_without_anchor(struct path_survey *survey, const struct container_entry *entry,
                                 const enum return_path_fault faults[FAMILY_INDEX_MAX_],
                                 const struct docker_network *const others[FAMILY_INDEX_MAX_])
{
    static const uint8_t families[FAMILY_INDEX_MAX_] = {IP_FAMILY_4, IP_FAMILY_6};
    enum docker_health health;
    const char *name;
    enum answer answer = find_anchor(survey, entry, &name, &health);

    if (answer == ANSWER_PENDING)
        carry_over(survey, entry);
    else if (answer == ANSWER_YES)
        blame(survey, entry, FAMILY_INDEX_4, IP_FAMILY_NONE, return_path_check_anchor(health), name);
    survey->lacks_anchor |=
        answer == ANSWER_NO || (answer == ANSWER_YES && return_path_check_anchor(health) != RETURN_PATH_FINE);
    for (size_t family = 0; family < FAMILY_INDEX_MAX_ && answer == ANSWER_NO; family++)
        blame(survey, entry, family, families[family], faults[family], others[family] ? others[family]->name : "");
}

static void look_at(struct path_survey *survey, const struct container_entry *entry)
{
    enum return_path_fault faults[FAMILY_INDEX_MAX_] = {RETURN_PATH_FINE, RETURN_PATH_FINE};
    const struct docker_network *others[FAMILY_INDEX_MAX_] = {NULL, NULL};
    struct return_path path;
    enum answer answer = describe(survey, entry, &path);

    if (entry->is_service_anchor) {
        blame(survey, entry, FAMILY_INDEX_4, IP_FAMILY_NONE, return_path_check_anchor(entry->health), entry->name);
        return;
    }
    if (answer == ANSWER_PENDING)
        carry_over(survey, entry);
    if (answer != ANSWER_YES)
        return;
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        if (family == FAMILY_INDEX_4 || entry->mirrors_to_v6)
            faults[family] = return_path_check(&path, family, &others[family]);
    }
    if (faults[FAMILY_INDEX_4] != RETURN_PATH_FINE || faults[FAMILY_INDEX_6] != RETURN_PATH_FINE)
        blame_without_anchor(survey, entry, faults, others);
}

/* --- what people must know ----------------------------------------------------------------------------- */

static bool contains(const struct findings *findings, const struct path_finding *wanted)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct path_finding *finding = &findings->items[i];

        if (finding->serial == wanted->serial && finding->family == wanted->family && finding->fault == wanted->fault &&
            strcmp(finding->other, wanted->other) == 0)
            return true;
    }
    return false;
}

static const char *family_text(uint8_t family)
{
    if (family == IP_FAMILY_NONE)
        return "v4, v6";
    return family == IP_FAMILY_4 ? "v4" : "v6";
}

/* A service-anchor that is starting will be ready in a moment: nothing to mend yet. */
static void log_finding(const struct path_finding *finding)
{
    if (finding->fault == RETURN_PATH_ANCHOR_STARTING)
        log_info(return_path_message(finding->fault), LOG_PROBLEM(return_path_problem(finding->fault)),
                 LOG_TEXT("container", finding->container), LOG_TEXT("id", finding->container_id),
                 LOG_TEXT("other", finding->other));
    else
        log_warn(return_path_message(finding->fault), LOG_PROBLEM(return_path_problem(finding->fault)),
                 LOG_TEXT("container", finding->container), LOG_TEXT("id", finding->container_id),
                 LOG_TEXT("family", family_text(finding->family)), LOG_TEXT("other", finding->other),
                 LOG_TEXT("remedy", finding->remedy));
}

/* Returns whether there were any. */
static bool log_differences(const struct path_survey *survey)
{
    bool has_changed = false;

    for (size_t i = 0; i < survey->found->count; i++) {
        const struct path_finding *finding = &survey->found->items[i];

        if (contains(survey->before, finding))
            continue;
        has_changed = true;
        log_finding(finding);
    }
    for (size_t i = 0; i < survey->before->count; i++) {
        const struct path_finding *finding = &survey->before->items[i];

        if (contains(survey->found, finding))
            continue;
        has_changed = true;
        log_info("ended: the way back of a container", LOG_TEXT("container", finding->container),
                 LOG_TEXT("id", finding->container_id), LOG_TEXT("family", family_text(finding->family)),
                 LOG_TEXT("was", return_path_message(finding->fault)));
    }
    return has_changed;
}

static void look_again_for_anchors(struct path_survey *survey, bool has_changed)
{
    uint64_t now = clock_monotonic_microseconds();

    if (has_changed)
        survey->lacks_since = now;
    if (!survey->lacks_anchor || now - survey->lacks_since >= ANCHOR_PATIENCE_MICROSECONDS)
        return;
    survey->has_joined = false;
    survey->joined_due = now + ANCHOR_PERIOD_MICROSECONDS;
}

void path_survey_run(struct path_survey *survey, const struct container_table *table,
                     const struct docker_version *engine)
{
    struct findings *before = survey->before;
    struct container_entry *entry, *next;

    if (survey->shared_id[0] == '\0')
        return;
    survey->engine = *engine;
    survey->before = survey->found;
    survey->found = before;
    survey->found->count = 0;
    survey->needs_joined = false;
    survey->lacks_anchor = false;
    survey->run++;
    (void)find_network(survey, survey->shared_id); /* keeps its slot, also without a backend */
    HASH_ITER (hh, table->entries, entry, next) {
        if (entry->range_count > 0 && container_entry_endpoint(entry, survey->shared_id))
            look_at(survey, entry);
    }
    look_again_for_anchors(survey, log_differences(survey));
}

const struct path_finding *path_survey_findings(const struct path_survey *survey, size_t *ret_count)
{
    *ret_count = survey->found->count;
    return survey->found->items;
}
