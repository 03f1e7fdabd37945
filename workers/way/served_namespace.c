/* One namespace that is served; see served_namespace.h. Runs in anchord-way with CAP_NET_ADMIN. */
#include "workers/way/served_namespace.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "workers/netlink/handed/handed_sockets.h"
#include "workers/netlink/network/link_reading.h"
#include "workers/netlink/network/route_requests.h"
#include "workers/way/link_kind.h"
#include "workers/way/mark_table.h"
#include "workers/way/pinned_neighbour.h"

#include <linux/rtnetlink.h>

#define TIMER_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

/* Seconds between retries after a failure that no notification may follow: 1, 2, 4 … 64. */
#define RETRY_SHIFT_MAX 6

/* A turn of more processor time than this, microseconds, is followed by a rest that makes it a tenth of the whole. */
#define LONG_TURN  (2 * MICROSECONDS_PER_MILLISECOND)
#define REST_SHARE 9

/* --- what is said ---------------------------------------------------------------------------------------- */

static void report_several(struct family_way *family, size_t on_link)
{
    if (on_link > 1 && !family->reported_several)
        log_warn("the gateway's name has several addresses on link, using one",
                 LOG_TEXT("family", ip_family_to_string(family->own.family)), LOG_NUMBER("addresses", on_link));
    family->reported_several = on_link > 1;
}

/* The gateway, or why there is none. */
static void report_gateway(const struct served_namespace *served, const struct family_way *family,
                           const struct network_link *link)
{
    const char *source = served->filter ? "attach" : family->answers.is_pin ? "ANCHORD_GATEWAY_IP" : "DNS";
    const char *nowhere = served->filter ? "the container has no default route" : "the gateway is not on link";
    char gateway[IP_ADDRESS_TEXT_SIZE];

    if (family->link_index == 0) {
        log_warn("unreachable: no gateway, nothing leaves", LOG_PROBLEM(PROBLEM_NO_GATEWAY),
                 LOG_TEXT("family", ip_family_to_string(family->own.family)),
                 LOG_TEXT("reason", link ? "the interface towards the gateway is down" : nowhere),
                 LOG_TEXT("gateway", ip_address_format(&family->answers.addresses[0], gateway)),
                 LOG_TEXT("source", source), LOG_NUMBER("namespace", served->number));
        return;
    }
    log_info("gateway chosen", LOG_TEXT("family", ip_family_to_string(family->own.family)),
             LOG_TEXT("gateway", ip_address_format(&family->gateway, gateway)), LOG_TEXT("source", source),
             LOG_TEXT("interface", link->name), LOG_NUMBER("namespace", served->number));
}

/* --- one turn -------------------------------------------------------------------------------------------- */

static int read_links(struct served_namespace *served)
{
    struct link_table fresh = {0};
    int result = link_table_read(served->rtnetlink, NULL, &fresh);

    if (request_failure_report(served->links_failure, served->rtnetlink, result) < 0)
        return result;
    link_table_clear(&served->links);
    served->links = fresh;
    return 0;
}

static const struct network_link *find_link(const struct link_table *table, uint32_t index)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->links[i].index == index)
            return &table->links[i];
    }
    return NULL;
}

/* Takes over a new decision and says it. Returns true when it differs from the one before. */
static bool decide(const struct served_namespace *served, struct family_way *family,
                   const struct gateway_answer *answer)
{
    uint32_t link_index = answer->link && answer->link->is_up ? answer->link->index : 0;
    bool differs =
        !family->is_known || family->link_index != link_index || !ip_address_equal(&family->gateway, &answer->address);

    family->is_known = true;
    family->link_index = link_index;
    family->gateway = answer->address;
    if (differs)
        report_gateway(served, family, answer->link);
    return differs;
}

/* Docker's, or somebody's by hand; what a neighbour advertises is no word of theirs. */
static bool is_default_route(const struct route *route, const void *userdata)
{
    (void)userdata;
    return route->destination_length == 0 && route->type == RTN_UNICAST && route->protocol != RTPROT_RA;
}

/* Before the route by it. On a link that it does not lead by any more it stays until the end: it is as true there. */
static int pin_next_hop(struct served_namespace *served, struct family_way *family, const struct network_link *link)
{
    int result = 0;

    if (served->filter && family->link_index != 0)
        result = pinned_neighbour_put(served->rtnetlink, link, &family->gateway, served->inner_mac);
    return request_failure_report(family->neighbour_failure, served->rtnetlink, result);
}

static int remove_way(struct served_namespace *served, struct family_way *family)
{
    int result = own_routes_remove(&family->own, served->rtnetlink);
    int removed = 0;

    if (served->filter && family->answers.count > 0 && !family->own.is_absent)
        removed = pinned_neighbour_remove(served->rtnetlink, &served->links, &family->answers.addresses[0]);
    (void)request_failure_report(family->neighbour_failure, served->rtnetlink, removed);
    return result < 0 ? result : removed;
}

/* A container that is on the LAN by a macvlan, or whose VPN has the default route, leaves as it did: the project's
 * address is not to be had that way. */
static int leave_alone(struct served_namespace *served, struct family_way *family, const struct network_link *link)
{
    if (!family->is_left_alone)
        log_info("the default route of a container leads over no bridge of Docker's: it is left as it is",
                 LOG_TEXT("family", ip_family_to_string(family->own.family)),
                 LOG_TEXT("interface", link ? link->name : ""), LOG_NUMBER("namespace", served->number));
    family->is_left_alone = true;
    family->is_known = family->own.is_settled = false;
    family->link_index = 0;
    return remove_way(served, family);
}

/* Under attach the gateway is behind the interface of Docker's default route, on no subnet (HOST-4). */
static int choose_by_default_route(struct served_namespace *served, struct family_way *family,
                                   struct gateway_answer *ret)
{
    struct route_list defaults = {.family = family->own.family, .table = RT_TABLE_MAIN};
    const struct route *first = NULL;
    int result = route_requests_read(served->rtnetlink, is_default_route, NULL, &defaults);

    for (size_t i = 0; i < defaults.count; i++)
        first = first && first->metric <= defaults.routes[i].metric ? first : &defaults.routes[i];
    *ret = (struct gateway_answer){
        .address = family->answers.addresses[0],
        .link = first ? find_link(&served->links, first->index) : NULL,
    };
    result = request_failure_report(family->own.routes_failure, served->rtnetlink, result);
    if (result < 0 || !first)
        return result;
    result = link_kind_is_veth(served->rtnetlink, first->index);
    if (result == 0) {
        result = leave_alone(served, family, ret->link);
        ret->link = NULL;
        return result;
    }
    family->is_left_alone = family->is_left_alone && result < 0;
    return result < 0 ? request_failure_report(served->links_failure, served->rtnetlink, result) : 0;
}

/* A VPN's, for one: they win (SA-2), and whoever wonders about that container should find it said. */
static void report_others(const struct served_namespace *served, struct family_way *family)
{
    const char *name = ip_family_to_string(family->own.family);
    char remedy[160];
    uint32_t first;
    int others = routing_rules_count_others(served->rtnetlink, family->own.family, &first);

    (void)snprintf(
        remedy, sizeof(remedy),
        "nsenter -t $(docker inspect -f '{{.State.Pid}}' CONTAINER) -n ip -%s rule del priority %u   # on the "
        "host, if it is not meant",
        name + 1, (unsigned int)first);
    if (others > 0 && !family->reported_others)
        log_warn("a container has routing rules of its own, which come before ours: what they lead elsewhere, answers "
                 "among it, does not leave by the project's address",
                 LOG_PROBLEM(PROBLEM_CONTAINER_RULES), LOG_TEXT("family", name), LOG_NUMBER("rules", others),
                 LOG_NUMBER("priority", first), LOG_NUMBER("namespace", served->number), LOG_TEXT("remedy", remedy));
    if (others >= 0)
        family->reported_others = others > 0;
}

static int apply_family(struct served_namespace *served, struct family_way *family)
{
    struct own_routes *own = &family->own;
    struct gateway_answer answer;
    struct route_list wanted;
    struct own_routes_wish wish = {.routes = &wanted, .rules = served->filter ? ROUTING_RULE_MARKED : 0};
    struct route way;
    int result = 0;

    if (own->is_absent || family->answers.count == 0)
        return 0;
    if (served->filter)
        result = choose_by_default_route(served, family, &answer);
    else
        answer = gateway_answer_choose(&family->answers, &served->links, &family->gateway);
    if (result < 0 || (served->filter && !answer.link && !family->is_known))
        return result; /* a family that the container does not have */
    report_several(family, answer.on_link);
    wish.is_new = decide(served, family, &answer);
    wish.has_gateway = family->link_index != 0;
    result = own_routes_choose_table(own, served->rtnetlink);
    if (result < 0) {
        own->is_settled = false;
        return result;
    }
    way = route_list_way(own->family, &family->gateway, family->link_index);
    way.is_on_link = served->filter && own->family == IP_FAMILY_4; /* v6: a link-local address is on every link */
    wanted = (struct route_list){.family = own->family, .table = own->table};
    route_list_add_defaults(&wanted, &way, wish.has_gateway ? 1 : 0);
    wish.failure = pin_next_hop(served, family, answer.link);
    result = own_routes_apply(own, served->rtnetlink, &wish);
    if (result == 0 && served->filter)
        report_others(served, family);
    return result;
}

/* Before there is a way of ours: what is open by a published port would be answered by that. Without marks such ports
 * stop to answer, all else works. */
static int settle_marks(struct served_namespace *served)
{
    int result;

    if (!served->filter)
        return 0;
    result = mark_table_settle(served->filter, served->inner_mac, !served->has_marks);
    served->has_marks = served->has_marks || result >= 0;
    if (request_failure_report(served->marks_failure, served->filter, result) < 0)
        return result;
    return 0;
}

/* What failed is tried again. */
static void plan_next_turn(struct served_namespace *served, int result)
{
    /* No call can fail on a timer source of this process's event loop. */
    if (result == 0) {
        served->retries = 0;
        (void)sd_event_source_set_enabled(served->timer_source, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time_relative(served->timer_source, MICROSECONDS_PER_SECOND << served->retries);
    (void)sd_event_source_set_enabled(served->timer_source, SD_EVENT_ONESHOT);
    if (served->retries < RETRY_SHIFT_MAX)
        served->retries++;
}

/* Reads, brings the kernel to what is wanted, tells the owner. Returns 0 or the first failure, which is reported and
 * tried again. */
static int refresh(struct served_namespace *served)
{
    int first = read_links(served);
    bool is_read = first == 0;

    served->is_stale = false;
    if (is_read)
        first = settle_marks(served);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && is_read; i++) {
        int result = apply_family(served, &served->families[i]);

        first = first < 0 ? first : result;
    }
    plan_next_turn(served, first);
    served->callbacks.on_changed(served, served->callbacks.userdata);
    return first;
}

/* Whose container changes much, or has large tables to read, must not keep the other namespaces waiting. */
static void rest(struct served_namespace *served, uint64_t began)
{
    uint64_t took = clock_processor_microseconds() - began;

    if (took < LONG_TURN)
        return;
    (void)sd_event_source_set_enabled(served->monitor_source, SD_EVENT_OFF);
    if (served->filter_source)
        (void)sd_event_source_set_enabled(served->filter_source, SD_EVENT_OFF);
    event_loop_start_timer(served->rest_source, REST_SHARE * took);
}

static int on_rested(sd_event_source *source, uint64_t at, void *userdata)
{
    const struct served_namespace *served = userdata;

    (void)source;
    (void)at;
    (void)sd_event_source_set_enabled(served->monitor_source, SD_EVENT_ON);
    if (served->filter_source)
        (void)sd_event_source_set_enabled(served->filter_source, SD_EVENT_ON);
    return 0;
}

/* Somebody changed rules of nftables. What waits on the socket is read, and passed over, with the answer to our own
 * question. */
static int on_filter(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct served_namespace *served = userdata;
    uint64_t began = clock_processor_microseconds();
    int result = settle_marks(served);

    (void)source;
    (void)fd;
    (void)events;
    if (result < 0)
        plan_next_turn(served, result);
    rest(served, began);
    return 0;
}

static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    struct served_namespace *served = userdata;

    /* Docker's default route among them; containers have no others that change. */
    bool is_route = message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE;

    served->is_stale = served->is_stale || (served->filter && is_route) || own_routes_concern(message);
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct served_namespace *served = userdata;
    uint64_t began = clock_processor_microseconds();
    int result = rtnetlink_monitor_drain(served->monitor, on_notification, served);

    (void)fd;
    (void)events;
    if (result == -ENOBUFS) {
        served->is_stale = true;
    } else if (result < 0) {
        /* Blind from here on: a successor starts with its eyes open. */
        log_error("cannot read the kernel's notifications", LOG_ERROR(result));
        return sd_event_exit(sd_event_source_get_event(source), EXIT_STATUS_CRASH);
    }
    if (served->is_stale)
        (void)refresh(served); /* reported, and planned again */
    rest(served, began);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t at, void *userdata)
{
    (void)source;
    (void)at;
    (void)refresh(userdata); /* reported, and planned again */
    return 0;
}

/* --- what the owner asks for ----------------------------------------------------------------------------- */

int served_namespace_set_gateways(struct served_namespace *served,
                                  const struct gateway_answers answers[FAMILY_INDEX_MAX_])
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        if (answers[i].count > 0)
            served->families[i].answers = answers[i];
    }
    return refresh(served);
}

static bool has_way(const struct family_way *family)
{
    return family->own.is_settled && family->link_index != 0;
}

bool served_namespace_has_route(const struct served_namespace *served)
{
    const struct family_way *v4 = &served->families[FAMILY_INDEX_4];
    const struct family_way *v6 = &served->families[FAMILY_INDEX_6];

    if (served->filter)
        return (has_way(v4) || !v4->is_known) && (has_way(v6) || !v6->is_known);
    return has_way(v4) || has_way(v6);
}

bool served_namespace_has_links(const struct served_namespace *served)
{
    return link_table_is_connected(&served->links);
}

static void describe_link(const struct network_link *link, struct wire_reported_link *ret)
{
    text_copy_cut(ret->name, sizeof(ret->name), link->name);
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];

        if (ip_address_is_link_local(&address->address) || !link_address_is_usable(address))
            continue;
        ret->addresses[ret->address_count++] = (struct wire_reported_address){
            .address = wire_address_from(&address->address),
            .prefix_length = address->prefix_length,
            .origin = address->flags & IFA_F_PERMANENT ? ADDRESS_ORIGIN_DOCKER : ADDRESS_ORIGIN_SLAAC,
        };
    }
}

void served_namespace_describe(const struct served_namespace *served, struct message_network_report *ret)
{
    const struct network_link *link = NULL;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct family_way *family = &served->families[i];

        link = link ? link : find_link(&served->links, family->link_index);
        if (family->is_known)
            ret->gateways[i].source = family->answers.is_pin ? GATEWAY_SOURCE_PIN : GATEWAY_SOURCE_DNS;
        if (family->link_index)
            ret->gateways[i].address = wire_address_from(&family->gateway);
    }
    if (link)
        describe_link(link, &ret->shared);
}

int served_namespace_tear_down(struct served_namespace *served)
{
    int first = 0;

    (void)sd_event_source_set_enabled(served->monitor_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(served->timer_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(served->rest_source, SD_EVENT_OFF);
    if (served->filter_source)
        (void)sd_event_source_set_enabled(served->filter_source, SD_EVENT_OFF);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = remove_way(served, &served->families[i]);

        first = first < 0 ? first : result;
    }
    if (served->filter) {
        int result = mark_table_remove(served->filter);

        (void)request_failure_report(served->marks_failure, served->filter, result);
        first = first < 0 ? first : result;
    }
    return first;
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct served_namespace *served_namespace_free(struct served_namespace *served)
{
    if (!served)
        return NULL;
    sd_event_source_disable_unref(served->monitor_source);
    sd_event_source_disable_unref(served->timer_source);
    sd_event_source_disable_unref(served->filter_source);
    sd_event_source_disable_unref(served->rest_source);
    rtnetlink_socket_closep(&served->monitor);
    rtnetlink_freep(&served->rtnetlink);
    rtnetlink_freep(&served->filter);
    link_table_clear(&served->links);
    free(served);
    return NULL;
}

static int add_event_sources(struct served_namespace *served, sd_event *event)
{
    int result = sd_event_add_io(event, &served->monitor_source, mnl_socket_get_fd(served->monitor), EPOLLIN,
                                 on_monitor, served);

    if (result >= 0)
        result = event_loop_limit_turns(served->monitor_source);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_timer, served, &served->timer_source);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_rested, served, &served->rest_source);
    if (result < 0 || !served->filter)
        return result;
    result = sd_event_add_io(event, &served->filter_source, mnl_socket_get_fd(rtnetlink_socket(served->filter)),
                             EPOLLIN, on_filter, served);
    return result < 0 ? result : event_loop_limit_turns(served->filter_source);
}

int served_namespace_new(sd_event *event, struct served_sockets *sockets, const struct mac_address *inner_mac,
                         const struct served_namespace_callbacks *callbacks, struct served_namespace **ret)
{
    CLEANUP(served_namespace_freep) struct served_namespace *served = calloc(1, sizeof(*served));
    int result = -ENOMEM;

    if (served) {
        served->callbacks = *callbacks;
        served->inner_mac = inner_mac;
        served->families[FAMILY_INDEX_4].own.family = IP_FAMILY_4;
        served->families[FAMILY_INDEX_6].own.family = IP_FAMILY_6;
        result = handed_sockets_requests(TAKE_FD(sockets->requests), NETLINK_ROUTE, &served->rtnetlink);
    }
    if (result == 0)
        result = handed_sockets_monitor(TAKE_FD(sockets->monitor), &served->monitor);
    if (result == 0 && sockets->filter >= 0)
        result = handed_sockets_requests(TAKE_FD(sockets->filter), NETLINK_NETFILTER, &served->filter);
    if (result == 0 && served->filter)
        result = mark_table_listen(served->filter);
    if (result == 0)
        result = add_event_sources(served, event);
    if (result == 0)
        *ret = TAKE_POINTER(served);
    return result;
}
