/* The plan of announcements; see announcements.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/announcements.h"

#include "common/clock.h"

struct announcement *announcements_find(struct announcements *announcements, uint32_t index,
                                        const struct ip_address *address)
{
    for (size_t i = 0; i < announcements->count; i++) {
        struct announcement *item = &announcements->items[i];

        if (item->held.index == index && ip_address_equal(&item->address, address))
            return item;
    }
    return NULL;
}

bool announcements_have_mac(const struct announcements *announcements, const struct mac_address *mac)
{
    for (size_t i = 0; i < announcements->count; i++) {
        if (mac_address_equal(&announcements->items[i].held.mac, mac))
            return true;
    }
    return false;
}

static bool is_held(const struct announcement *item, const struct wire_held *held, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ip_address address = wire_address_to(&held[i].address);

        if (held[i].index == item->held.index && ip_address_equal(&address, &item->address))
            return true;
    }
    return false;
}

static void forget_others(struct announcements *announcements, const struct wire_held *held, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < announcements->count; i++) {
        if (is_held(&announcements->items[i], held, count))
            announcements->items[kept++] = announcements->items[i];
    }
    announcements->count = kept;
}

/* In place: a second plan would be 34 kB that are used for a moment. Of an address that stands twice the first counts.
 */
void announcements_replace(struct announcements *announcements, const struct wire_held *held, size_t count,
                           uint64_t now)
{
    forget_others(announcements, held, count);
    for (size_t i = count; i > 0; i--) {
        const struct wire_held *wanted = &held[i - 1];
        struct ip_address address = wire_address_to(&wanted->address);
        struct announcement *item = announcements_find(announcements, wanted->index, &address);

        if (item && mac_address_equal(&item->held.mac, &wanted->mac) && item->held.is_router == wanted->is_router) {
            item->held = *wanted;
            continue;
        }
        if (!item)
            item = &announcements->items[announcements->count++];
        *item = (struct announcement){
            .held = *wanted,
            .address = address,
            .left_at_first = ANNOUNCEMENTS_AT_FIRST,
            .due = now,
        };
    }
}

uint64_t announcements_next(const struct announcements *announcements)
{
    uint64_t next = ANNOUNCEMENT_NEVER;

    for (size_t i = 0; i < announcements->count; i++) {
        uint64_t contest = contest_next(&announcements->items[i].contest);

        if (announcements->items[i].due < next)
            next = announcements->items[i].due;
        if (contest < next)
            next = contest;
    }
    return next;
}

struct announcement *announcements_find_due(struct announcements *announcements, uint64_t now)
{
    for (size_t i = 0; i < announcements->count; i++) {
        if (announcements->items[i].due <= now)
            return &announcements->items[i];
    }
    return NULL;
}

void announcement_sent(struct announcement *announcement, uint64_t now, uint32_t random)
{
    uint64_t jitter = random % ((REPEAT_SECONDS_MAX - REPEAT_SECONDS_MIN) * MICROSECONDS_PER_SECOND + 1);

    if (announcement->left_at_first > 0)
        announcement->left_at_first--;
    if (announcement->left_at_first > 0)
        announcement->due = now + ANNOUNCEMENT_INTERVAL_SECONDS * MICROSECONDS_PER_SECOND;
    else
        announcement->due = now + REPEAT_SECONDS_MIN * MICROSECONDS_PER_SECOND + jitter;
}
