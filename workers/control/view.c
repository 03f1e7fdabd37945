/* What control was told; see view.h. Runs in anchord-control without any privilege. */
#include "workers/control/view.h"

#include <malloc.h>
#include <string.h>

static void clear_findings(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free(findings->items[i]);
    free(findings->items);
    *findings = (struct findings){0};
}

void view_forget_incoming(struct told_findings *told)
{
    told->is_incoming = false;
    clear_findings(&told->incoming);
}

void view_clear(struct view *view)
{
    for (size_t i = 0; i < FINDINGS_SOURCE_MAX_; i++) {
        clear_findings(&view->told[i].last);
        clear_findings(&view->told[i].incoming);
    }
    *view = (struct view){0};
}

void view_begin_findings(struct told_findings *told, uint64_t generation)
{
    view_forget_incoming(told);
    told->is_incoming = true;
    told->incoming_generation = generation;
}

static int reserve(struct findings *findings, size_t wanted)
{
    size_t capacity = findings->capacity ? findings->capacity : FINDINGS_PER_MESSAGE;
    struct finding **items;

    if (wanted > FINDINGS_MAX)
        return -E2BIG;
    if (wanted <= findings->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    items = reallocarray(findings->items, capacity, sizeof(struct finding *));
    if (!items)
        return -ENOMEM;
    findings->items = items;
    findings->capacity = capacity;
    return 0;
}

/* Appends `text` at *next and moves *next behind it. */
static const char *keep_text(char **next, const char *text)
{
    char *kept = *next;

    *next = stpcpy(kept, text) + 1;
    return kept;
}

/* Room is reserved. */
static int add_finding(struct findings *findings, const struct wire_finding *wire)
{
    size_t length = strlen(wire->container) + strlen(wire->other) + strlen(wire->reason) + 3;
    struct finding *finding = malloc(sizeof(*finding) + length);
    char *next;

    if (!finding)
        return -ENOMEM;
    next = finding->texts;
    finding->kind = wire->kind;
    finding->protocol = wire->protocol;
    finding->port_first = wire->port_first;
    finding->port_last = wire->port_last;
    finding->backend_port_first = wire->backend_port_first;
    finding->problem = wire->problem;
    finding->address4 = wire->address4;
    finding->address6 = wire->address6;
    finding->container = keep_text(&next, wire->container);
    finding->other = keep_text(&next, wire->other);
    finding->reason = keep_text(&next, wire->reason);
    findings->items[findings->count++] = finding;
    return 0;
}

int view_add_findings(struct told_findings *told, const struct message_findings *message)
{
    struct findings *incoming = &told->incoming;
    int result;

    if (!told->is_incoming || message->header.generation != told->incoming_generation)
        return -EPROTO;
    result = reserve(incoming, incoming->count + message->item_count);
    for (uint32_t i = 0; i < message->item_count && result == 0; i++)
        result = add_finding(incoming, &message->items[i]);
    return result;
}

int view_commit_findings(struct told_findings *told, const struct message_commit *message)
{
    struct findings previous = told->last;

    if (!told->is_incoming || message->header.generation != told->incoming_generation ||
        message->item_count != told->incoming.count)
        return -EPROTO;
    told->last = told->incoming;
    told->has_told = true;
    told->incoming = previous;
    view_forget_incoming(told);
    (void)malloc_trim(0); /* the two states lay between each other */
    return 0;
}

void view_begin_counters(struct view *view, uint64_t generation)
{
    view->incoming_counters.count = 0;
    view->incoming_counters_generation = generation;
}

int view_add_counters(struct view *view, const struct message_counters *message)
{
    struct told_counters *incoming = &view->incoming_counters;

    if (message->header.generation != view->incoming_counters_generation ||
        message->item_count > ARRAY_LENGTH(incoming->items) - incoming->count)
        return -EPROTO;
    memcpy(&incoming->items[incoming->count], message->items, message->item_count * sizeof(message->items[0]));
    incoming->count += message->item_count;
    return 0;
}

int view_commit_counters(struct view *view, const struct message_commit *message)
{
    if (message->header.generation != view->incoming_counters_generation ||
        message->item_count != view->incoming_counters.count)
        return -EPROTO;
    /* The rest of both is memory that nobody has touched. */
    view->counters.count = view->incoming_counters.count;
    memcpy(view->counters.items, view->incoming_counters.items, view->counters.count * sizeof(view->counters.items[0]));
    return 0;
}

bool view_is_ready(const struct view *view)
{
    const struct message_supervision *supervision = &view->supervision;

    return supervision->required != 0 && (supervision->conditions & supervision->required) == supervision->required;
}
