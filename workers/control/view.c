/* What control was told; see view.h. Runs in anchord-control without any privilege. */
#include "workers/control/view.h"

#include <string.h>

void view_forget_incoming(struct view *view)
{
    view->is_incoming = false;
    view->incoming.count = 0;
}

void view_clear(struct view *view)
{
    free(view->findings.items);
    free(view->incoming.items);
    *view = (struct view){0};
}

void view_begin_findings(struct view *view, uint64_t generation)
{
    view->is_incoming = true;
    view->incoming_generation = generation;
    view->incoming.count = 0;
}

static int reserve(struct findings *findings, size_t wanted)
{
    size_t capacity = findings->capacity ? findings->capacity : FINDINGS_PER_MESSAGE;
    struct wire_finding *items;

    if (wanted > FINDINGS_MAX)
        return -E2BIG;
    if (wanted <= findings->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    items = reallocarray(findings->items, capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    findings->items = items;
    findings->capacity = capacity;
    return 0;
}

int view_add_findings(struct view *view, const struct message_findings *message)
{
    struct findings *incoming = &view->incoming;
    int result;

    if (!view->is_incoming || message->header.generation != view->incoming_generation)
        return -EPROTO;
    result = reserve(incoming, incoming->count + message->item_count);
    if (result < 0)
        return result;
    memcpy(incoming->items + incoming->count, message->items, message->item_count * sizeof(*message->items));
    incoming->count += message->item_count;
    return 0;
}

int view_commit_findings(struct view *view, const struct message_commit *message)
{
    struct findings previous = view->findings;

    if (!view->is_incoming || message->header.generation != view->incoming_generation ||
        message->item_count != view->incoming.count)
        return -EPROTO;
    view->findings = view->incoming;
    view->incoming = previous;
    view_forget_incoming(view);
    return 0;
}

bool view_is_ready(const struct view *view)
{
    const struct message_supervision *supervision = &view->supervision;

    return supervision->required != 0 && (supervision->conditions & supervision->required) == supervision->required;
}
