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

void announcements_replace(struct announcements *announcements, const struct wire_held *held, size_t count,
                           uint64_t now)
{
    struct announcements fresh = {.count = 0};

    for (size_t i = 0; i < count; i++) {
        struct ip_address address = wire_address_to(&held[i].address);
        struct announcement *known = announcements_find(announcements, held[i].index, &address);
        struct announcement *item = &fresh.items[fresh.count];

        if (announcements_find(&fresh, held[i].index, &address))
            continue;
        fresh.count++;
        if (known && mac_address_equal(&known->held.mac, &held[i].mac))
            *item = *known;
        else
            *item = (struct announcement){
                .address = address,
                .left_at_first = ANNOUNCEMENTS_AT_FIRST,
                .due = now,
            };
        item->held = held[i];
    }
    *announcements = fresh;
}

uint64_t announcements_next(const struct announcements *announcements)
{
    uint64_t next = ANNOUNCEMENT_NEVER;

    for (size_t i = 0; i < announcements->count; i++) {
        if (announcements->items[i].due < next)
            next = announcements->items[i].due;
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
