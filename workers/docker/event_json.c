/*
 * GET /events, one event at a time; see records.h. Reads foreign bytes, runs without any privilege.
 *
 *     {"Type": "container", "Action": "start", "Actor": {"ID": "8dfa…", "Attributes": {"name": "web",
 *      "anchord.expose": "tcp/80", …}}, "scope": "local", "time": 1763826000, "timeNano": 1763826000123456789}
 *     {"Type": "network", "Action": "connect", "Actor": {"ID": "7ea2…", "Attributes": {"container": "8dfa…"}}, …}
 *
 * Podman (5.8) has the container as the actor of a network event, and the network as an attribute:
 *     {"Type": "network", "Action": "connect", "Actor": {"ID": "8dfa…", "Attributes": {"network": "lan", …}}, …}
 *
 * Events are hints (DISC-1): one that lacks something is passed over, the next poll finds what it meant.
 */
#include "workers/docker/parser.h"

#include "common/text.h"

#include <string.h>

enum state {
    TYPE = JSON_FIRST_STATE,
    ACTION,
    ACTOR,
    ACTOR_ID,
    ATTRIBUTES,
    ATTRIBUTE,
    TIME,
};

static const struct json_rule rules[] = {
    {JSON_TOP, TYPE, "Type"},     {JSON_TOP, ACTION, "Action"},      {JSON_TOP, ACTOR, "Actor"},
    {ACTOR, ACTOR_ID, "ID"},      {ACTOR, ATTRIBUTES, "Attributes"}, {ATTRIBUTES, ATTRIBUTE, JSON_EVERY_MEMBER},
    {JSON_TOP, TIME, "timeNano"},
};

struct event_record {
    struct docker_event event;
    char actor_id[DOCKER_ID_SIZE];
    char attached_id[DOCKER_ID_SIZE]; /* network events: the attribute `container` */
    bool has_network;                 /* network events: the attribute `network`, so the actor is the container */
    struct docker_label_names labels;
    uint32_t matched; /* of the selector */
    docker_event_handler on_event;
    void *userdata;
};

/* What cannot be judged here, the list will. */
static uint32_t unjudged(const struct docker_label_names *names)
{
    const struct label_selector *selector = names->selector;
    uint32_t bits = 0;

    for (size_t i = 0; selector && i < selector->count; i++) {
        if (label_selector_is_key_lost_in_events(label_selector_key(selector, i)))
            bits |= UINT32_C(1) << i;
    }
    return bits;
}

static void begin_event(struct event_record *record)
{
    record->matched = unjudged(&record->labels);
    memset(&record->event, 0, offsetof(struct docker_event, labels));
    for (size_t i = 0; i < DOCKER_LABELS_MAX; i++)
        record->event.labels[i].is_present = false;
    record->actor_id[0] = '\0';
    record->attached_id[0] = '\0';
    record->has_network = false;
}

static void read_type(struct event_record *record, const struct json_value *value)
{
    char text[32];

    if (json_value_copy(value, text, sizeof(text)) < 0)
        return;
    if (strcmp(text, "container") == 0)
        record->event.type = DOCKER_EVENT_CONTAINER;
    else if (strcmp(text, "network") == 0)
        record->event.type = DOCKER_EVENT_NETWORK;
}

static void read_action(struct event_record *record, const struct json_value *value)
{
    char *action = record->event.action;
    size_t size = sizeof(record->event.action);
    const char *colon;
    size_t length = value->length;

    if (value->type != JSON_STRING)
        return;
    colon = memchr(value->text, ':', length);
    if (colon)
        length = (size_t)(colon - value->text);
    if (length < size) {
        memcpy(action, value->text, length);
        action[length] = '\0';
    }
}

static void read_attribute(struct event_record *record, const char *key, const struct json_value *value)
{
    int index = docker_label_find(&record->labels, key);

    record->matched |= docker_label_select(&record->labels, key, value);
    record->event.has_unknown_label |= docker_label_is_unknown(&record->labels, key);

    if (strcmp(key, "container") == 0 && docker_id_read(value, record->attached_id) < 0)
        record->attached_id[0] = '\0'; /* the event then names nobody */
    if (strcmp(key, "network") == 0)
        record->has_network = true;
    if (index >= 0 && docker_label_read(&record->event.labels[index], value) < 0)
        record->event.labels[index].text[0] = '\0';
}

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct event_record *record = parser->record;

    if (state == JSON_TOP)
        begin_event(record);
    else if (state == TYPE)
        read_type(record, value);
    else if (state == ACTION)
        read_action(record, value);
    else if (state == ACTOR_ID && docker_id_read(value, record->actor_id) < 0)
        record->actor_id[0] = '\0';
    else if (state == ATTRIBUTE)
        read_attribute(record, key, value);
    else if (state == TIME && json_value_number(value, INT64_MAX, &record->event.time) < 0)
        record->event.time = 0; /* unknown */
}

static void on_end(void *userdata, unsigned int state)
{
    struct docker_parser *parser = userdata;
    struct event_record *record = parser->record;
    bool is_actor;

    if (state != JSON_TOP || record->event.type == DOCKER_EVENT_OTHER)
        return;
    record->event.is_selected = docker_labels_are_selected(&record->labels, record->matched);
    is_actor = record->event.type == DOCKER_EVENT_CONTAINER || (record->has_network && record->attached_id[0] == '\0');
    memcpy(record->event.container_id, is_actor ? record->actor_id : record->attached_id,
           sizeof(record->event.container_id));
    if (!is_actor)
        memcpy(record->event.network_id, record->actor_id, sizeof(record->event.network_id));
    record->on_event(record->userdata, &record->event);
}

int docker_parser_new_events(const struct docker_label_names *labels, docker_event_handler on_event, void *userdata,
                             struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = ARRAY_LENGTH(rules),
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_EVENT_LENGTH_MAX,
        .is_sequence = true,
    };
    struct event_record *record = calloc(1, sizeof(*record));

    if (record) {
        record->labels = *labels;
        record->on_event = on_event;
        record->userdata = userdata;
    }
    return docker_parser_new(&consumer, NULL, record, ret);
}
