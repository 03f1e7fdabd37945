/*
 * Which of several advertised routers answer (ADDR-11, RFC 4861 §7.3.3); see router_watch.h. Runs in
 * anchord-netadmin with CAP_NET_ADMIN.
 *
 * The kernel finds out by itself, for every neighbour that something is sent to; it chooses by that between routes of
 * one metric. It would spread our flows over ours, which no advertisement brought, and would not say which router is
 * in use, on which the egress address depends (NAT-8). So ours have an order, and this looks at what the kernel found.
 */
#include "workers/netadmin/route/router_watch.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "workers/netadmin/link/neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/epoll.h>

/* RFC 4191 §3.5: a router that is held for dead is asked once a minute at most; as the kernel's router_probe_interval.
 */
#define PROBE_INTERVAL (60 * MICROSECONDS_PER_SECOND)

/* Somebody with this address answered, as far as is known (NUD_VALID of net/neighbour.h). */
#define STATES_VALID (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

struct neighbour_reading {
    struct router_watch *watch;
    uint32_t index;
    struct gateway *routers;
    size_t count;
};

static struct ip_address *find_silent(struct router_watch *watch, const struct ip_address *router)
{
    for (size_t i = 0; i < watch->silent_count; i++) {
        if (ip_address_equal(&watch->silent[i], router))
            return &watch->silent[i];
    }
    return NULL;
}

static void note_silent(struct router_watch *watch, const struct ip_address *router)
{
    if (find_silent(watch, router) || watch->silent_count == ROUTERS_READ_MAX)
        return;
    watch->silent[watch->silent_count++] = *router;
    watch->probe_at = clock_monotonic_microseconds() + PROBE_INTERVAL;
    log_warn("a router does not answer any more; what leaves takes another one while there is one",
             LOG_PROBLEM(PROBLEM_ROUTER_SILENT), LOG_TEXT("gateway", IP_ADDRESS_TEXT(router)));
}

static void note_answer(struct router_watch *watch, const struct ip_address *router)
{
    struct ip_address *silent = find_silent(watch, router);

    if (!silent)
        return;
    *silent = watch->silent[--watch->silent_count];
    log_info("the router answers again", LOG_TEXT("gateway", IP_ADDRESS_TEXT(router)));
}

/* In between, while the kernel asks, and when it has forgotten the neighbour, what was known holds. */
static void on_neighbour(const struct nlmsghdr *message, void *userdata)
{
    struct neighbour_reading *reading = userdata;
    struct neighbour neighbour;

    if (!neighbour_parse(message, IP_FAMILY_6, &neighbour) || neighbour.index != reading->index)
        return;
    for (size_t i = 0; i < reading->count; i++) {
        if (!ip_address_equal(&reading->routers[i].address, &neighbour.address))
            continue;
        if (neighbour.state & NUD_FAILED)
            note_silent(reading->watch, &neighbour.address);
        else if (neighbour.state & STATES_VALID)
            note_answer(reading->watch, &neighbour.address);
    }
}

/* ip -6 neighbour replace ROUTER dev LINK use: the kernel asks for it as if there was something to send. */
static int ask(struct rtnetlink *rtnetlink, uint32_t index, const struct ip_address *router)
{
    struct ndmsg *header =
        rtnetlink_begin(rtnetlink, "ask for neighbour", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*header));

    header->ndm_family = AF_INET6;
    header->ndm_ifindex = (int)index;
    header->ndm_flags = NTF_USE;
    mnl_attr_put(rtnetlink_message(rtnetlink), NDA_DST, ip_family_length(IP_FAMILY_6), router->bytes);
    rtnetlink_describe(rtnetlink, "%s on link %u", IP_ADDRESS_TEXT(router), index);
    return rtnetlink_execute(rtnetlink);
}

static int ask_silent(struct router_watch *watch, uint32_t index)
{
    uint64_t now = clock_monotonic_microseconds();
    int first = 0;

    if (watch->silent_count == 0 || now < watch->probe_at)
        return 0;
    watch->probe_at = now + PROBE_INTERVAL;
    for (size_t i = 0; i < watch->silent_count; i++) {
        int result = ask(watch->ground->rtnetlink, index, &watch->silent[i]);

        keep_first(&first, result);
    }
    return first;
}

/* Those that nobody advertises any more are nobody's matter. */
static void forget_others(struct router_watch *watch, const struct gateway *routers, size_t count)
{
    for (size_t i = watch->silent_count; i-- > 0;) {
        bool is_advertised = false;

        for (size_t j = 0; j < count; j++)
            is_advertised = is_advertised || ip_address_equal(&watch->silent[i], &routers[j].address);
        if (!is_advertised)
            watch->silent[i] = watch->silent[--watch->silent_count];
    }
}

int router_watch_look(struct router_watch *watch, const struct network_link *external, struct gateway *routers,
                      size_t count)
{
    struct neighbour_reading reading = {watch, external->index, routers, count};
    int result = 0;

    (void)rtnetlink_begin(watch->ground->rtnetlink, "follow", RTM_GETNEIGH, 0, sizeof(struct ndmsg));
    rtnetlink_describe(watch->ground->rtnetlink, "neighbours");
    forget_others(watch, routers, count);
    /* With one router there is nothing to choose; a whole LAN's neighbours would wake us for nothing. */
    if (watch->is_following != (count > 1))
        result = sd_event_source_set_enabled(watch->source, count > 1 ? SD_EVENT_ON : SD_EVENT_OFF);
    watch->is_following = result >= 0 && count > 1;
    if (watch->is_following)
        result = neighbours_read(watch->ground->rtnetlink, IP_FAMILY_6, external->index, on_neighbour, &reading);
    if (result >= 0)
        result = ask_silent(watch, external->index);
    for (size_t i = 0; i < count; i++)
        routers[i].is_silent = find_silent(watch, &routers[i].address) != NULL;
    return network_ground_report(watch->ground, NETWORK_STEP_NEIGHBOURS, result);
}

/* Says that a router in the choice fell silent, or that a silent one answers. */
static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    struct router_watch *watch = userdata;
    const struct network_link *external = network_ground_find(watch->ground, DEVICE_SIDE_EXTERNAL);
    struct neighbour neighbour;

    if (!external || !neighbour_parse(message, IP_FAMILY_6, &neighbour) || neighbour.index != external->index)
        return;
    for (size_t i = 0; i < watch->choice->count; i++) {
        const struct gateway *router = &watch->choice->gateways[i];

        if (ip_address_equal(&router->address, &neighbour.address) &&
            neighbour.state & (router->is_silent ? STATES_VALID : NUD_FAILED))
            watch->is_stale = true;
    }
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct router_watch *watch = userdata;
    int result = rtnetlink_monitor_drain(watch->monitor, on_notification, watch);

    (void)source;
    (void)fd;
    (void)events;
    if (result < 0 && result != -ENOBUFS)
        log_error("cannot read the kernel's notifications of neighbours", LOG_ERROR(result));
    if (result < 0 || watch->is_stale)
        network_ground_wake(watch->ground);
    watch->is_stale = false;
    return result < 0 && result != -ENOBUFS ? sd_event_source_set_enabled(watch->source, SD_EVENT_OFF) : 0;
}

int router_watch_open(struct router_watch *watch, struct network_ground *ground, const struct gateway_choice *choice,
                      sd_event *event)
{
    int result = rtnetlink_neighbour_monitor_open(&watch->monitor);

    watch->ground = ground;
    watch->choice = choice;
    if (result == 0)
        result = sd_event_add_io(event, &watch->source, mnl_socket_get_fd(watch->monitor), EPOLLIN, on_monitor, watch);
    if (result >= 0)
        result = sd_event_source_set_enabled(watch->source, SD_EVENT_OFF);
    return result < 0 ? result : event_loop_limit_turns(watch->source);
}

void router_watch_close(struct router_watch *watch)
{
    sd_event_source_disable_unref(watch->source);
    rtnetlink_socket_closep(&watch->monitor);
}

uint64_t router_watch_next_probe(const struct router_watch *watch)
{
    return watch->silent_count > 0 ? watch->probe_at : UINT64_MAX;
}

bool router_watch_ignores_route(const struct network_link *external, uint32_t length)
{
    return length > external->settings.route_length6 && external->settings.ipv6_flags & LINK_IPV6_ACCEPTS_RA;
}

/* Among those that are remembered; their number when it is none of them. */
static size_t place_of(const struct router_watch *watch, const struct ip_address *router)
{
    for (size_t i = 0; i < watch->advertised_recent.count; i++) {
        struct ip_address known = wire_address_to(&watch->advertised[i].router);

        if (ip_address_equal(&known, router))
            return i;
    }
    return watch->advertised_recent.count;
}

bool router_watch_note(struct router_watch *watch, const struct message_advertised *advertised)
{
    const struct network_link *external = network_ground_find(watch->ground, DEVICE_SIDE_EXTERNAL);
    struct ip_address router = wire_address_to(&advertised->router);
    size_t place = place_of(watch, &router);

    if (!external || external->index != advertised->index)
        return false;
    if (place == watch->advertised_recent.count)
        place = recent_next(&watch->advertised_recent, ADVERTISERS_MAX);
    watch->advertised[place] = *advertised;
    return true;
}

const struct message_advertised *router_watch_find(const struct router_watch *watch)
{
    const struct gateway_choice *choice = watch->choice;
    size_t place = choice->count > 0 ? place_of(watch, &choice->gateways[0].address) : watch->advertised_recent.count;

    return place < watch->advertised_recent.count ? &watch->advertised[place] : NULL;
}
