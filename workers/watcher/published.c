/* What a container publishes on the host; see published.h. Pure, runs without any privilege. */
#include "workers/watcher/published.h"

#include "common/array.h"

#include <netinet/in.h>

/* Of families, as in expose_range.missing_families. */
#define BIT_4 (1U << FAMILY_INDEX_4)
#define BIT_6 (1U << FAMILY_INDEX_6)

/* --- bindings ------------------------------------------------------------------------------------------- */

static int compare_numbers(int a, int b)
{
    return (a > b) - (a < b);
}

static int compare_ports(const void *a, const void *b)
{
    const struct docker_port *first = a, *second = b;
    int result = ip_address_compare(&first->address, &second->address);

    if (result == 0)
        result = compare_numbers(first->protocol, second->protocol);
    if (result == 0)
        result = compare_numbers(first->public_port, second->public_port);
    return result == 0 ? compare_numbers(first->private_port, second->private_port) : result;
}

static struct published_binding binding_of(const struct docker_port *port)
{
    return (struct published_binding){
        .address = port->address,
        .protocol = port->protocol,
        .port_first = port->public_port,
        .port_last = port->public_port,
        .backend_port_first = port->private_port,
    };
}

/* Does `next` go on where `binding` ends? Then it is taken into it; also when it says the last of it again. */
static bool join(struct published_binding *binding, const struct published_binding *next)
{
    int shift = binding->backend_port_first - binding->port_first;

    if (!ip_address_equal(&binding->address, &next->address) || binding->protocol != next->protocol ||
        next->backend_port_first - next->port_first != shift || next->port_first > binding->port_last + 1)
        return false;
    binding->port_last = next->port_last;
    return true;
}

int published_bindings_make(const struct docker_port *ports, size_t count, struct published_binding **ret)
{
    CLEANUP_FREE struct docker_port *sorted = count > 0 ? calloc(count, sizeof(*sorted)) : NULL;
    struct published_binding *bindings = NULL;
    size_t made = 0, capacity = 0;

    *ret = NULL;
    if (count == 0)
        return 0;
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, ports, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_ports);
    for (size_t i = 0; i < count; i++) {
        const struct published_binding next = binding_of(&sorted[i]);
        struct published_binding *grown;

        if (made > 0 && join(&bindings[made - 1], &next))
            continue;
        grown = array_grow(bindings, made, &capacity, sizeof(*bindings));
        if (!grown) {
            free(bindings);
            return -ENOMEM;
        }
        bindings = grown;
        bindings[made++] = next;
    }
    *ret = bindings;
    return (int)made;
}

/* --- exposures ------------------------------------------------------------------------------------------ */

/* Where a port of the host leads to in each family; 0: nowhere. */
struct target {
    uint16_t backend_ports[FAMILY_INDEX_MAX_];
};

struct computation {
    const struct published_binding *bindings;
    size_t binding_count;
    const struct ip_address *parent;
    size_t parent_count;
    /* Of the protocol that it is about: */
    struct target *targets;
    unsigned int lowest, highest;
    size_t places[BIT_4 + BIT_6]; /* of the last range that misses these families, counted from 1; 0: none yet */
    struct published result;
    size_t range_capacity, withheld_capacity;
};

void published_release(struct published *published)
{
    free(published->ranges);
    free(published->withheld);
    *published = (struct published){0};
}

/* The families in which it is exposed; 0: it is withheld, with the fault. */
static unsigned int judge(const struct computation *computation, const struct published_binding *binding,
                          enum published_fault *ret_fault)
{
    const struct ip_address *address = &binding->address;

    *ret_fault = PUBLISHED_BY_OTHER;
    if (binding->protocol != IPPROTO_TCP && binding->protocol != IPPROTO_UDP)
        return 0;
    if (address->family == IP_FAMILY_NONE)
        return BIT_4 | BIT_6;
    if (ip_address_is_unspecified(address) ||
        ip_address_is_among(address, computation->parent, computation->parent_count))
        return address->family == IP_FAMILY_4 ? BIT_4 : BIT_6;
    *ret_fault = ip_address_is_loopback(address) ? PUBLISHED_ON_LOOPBACK : PUBLISHED_ELSEWHERE;
    return 0;
}

static int withhold(struct computation *computation, enum published_fault fault,
                    const struct published_binding *binding)
{
    struct published *result = &computation->result;
    struct published_withheld *withheld;

    if (result->withheld_count > 0) {
        struct published_withheld *last = &result->withheld[result->withheld_count - 1];

        if (last->fault == fault && join(&last->binding, binding))
            return 0;
    }
    withheld = array_grow(result->withheld, result->withheld_count, &computation->withheld_capacity, sizeof(*withheld));
    if (!withheld)
        return -ENOMEM;
    result->withheld = withheld;
    withheld[result->withheld_count++] = (struct published_withheld){fault, *binding};
    return 0;
}

static int withhold_what_is_not_exposed(struct computation *computation)
{
    int result = 0;

    for (size_t i = 0; i < computation->binding_count && result == 0; i++) {
        enum published_fault fault;

        if (judge(computation, &computation->bindings[i], &fault) == 0)
            result = withhold(computation, fault, &computation->bindings[i]);
    }
    return result;
}

/* Where the host's ports begin and end. False: none of this protocol is exposed. */
static bool find_bounds(struct computation *computation, uint8_t protocol)
{
    computation->lowest = UINT16_MAX + 1U;
    computation->highest = 0;
    for (size_t i = 0; i < computation->binding_count; i++) {
        const struct published_binding *binding = &computation->bindings[i];
        enum published_fault fault;

        if (binding->protocol != protocol || judge(computation, binding, &fault) == 0)
            continue;
        if (binding->port_first < computation->lowest)
            computation->lowest = binding->port_first;
        if (binding->port_last > computation->highest)
            computation->highest = binding->port_last;
    }
    return computation->lowest <= computation->highest;
}

/* A port that leads elsewhere already goes on doing so. */
static int place_port(struct computation *computation, const struct published_binding *binding, unsigned int families,
                      unsigned int port)
{
    uint16_t *backend_ports = computation->targets[port - computation->lowest].backend_ports;
    const struct published_binding alone = {
        .address = binding->address,
        .protocol = binding->protocol,
        .port_first = (uint16_t)port,
        .port_last = (uint16_t)port,
        .backend_port_first = (uint16_t)(binding->backend_port_first + (port - binding->port_first)),
    };
    bool is_refused = false;

    for (unsigned int family = 0; family < FAMILY_INDEX_MAX_; family++) {
        if (!(families & (1U << family)))
            continue;
        if (backend_ports[family] == 0)
            backend_ports[family] = alone.backend_port_first;
        is_refused |= backend_ports[family] != alone.backend_port_first;
    }
    return is_refused ? withhold(computation, PUBLISHED_TWICE, &alone) : 0;
}

static int place_ports(struct computation *computation, uint8_t protocol)
{
    int result = 0;

    for (size_t i = 0; i < computation->binding_count; i++) {
        const struct published_binding *binding = &computation->bindings[i];
        enum published_fault fault;
        unsigned int families = binding->protocol == protocol ? judge(computation, binding, &fault) : 0;

        for (unsigned int port = binding->port_first; families && port <= binding->port_last && result == 0; port++)
            result = place_port(computation, binding, families, port);
    }
    return result;
}

/* The port in all families but the `missing` ones: the end of a range, or the beginning of one. */
static int add_port(struct computation *computation, uint8_t protocol, unsigned int missing, unsigned int port,
                    uint16_t backend_port)
{
    struct published *result = &computation->result;
    size_t place = computation->places[missing];
    struct expose_range *last = result->ranges && place > 0 ? &result->ranges[place - 1] : NULL;
    struct expose_range *ranges;

    if (last && last->port_last + 1U == port &&
        backend_port - (int)port == last->backend_port_first - last->port_first) {
        last->port_last = (uint16_t)port;
        return 0;
    }
    ranges = array_grow(result->ranges, result->range_count, &computation->range_capacity, sizeof(*ranges));
    if (!ranges)
        return -ENOMEM;
    result->ranges = ranges;
    ranges[result->range_count++] = (struct expose_range){
        .protocol = protocol,
        .missing_families = (uint8_t)missing,
        .port_first = (uint16_t)port,
        .port_last = (uint16_t)port,
        .backend_port_first = backend_port,
    };
    computation->places[missing] = result->range_count;
    return 0;
}

static int add_ranges(struct computation *computation, uint8_t protocol)
{
    int result = 0;

    memset(computation->places, 0, sizeof(computation->places));
    for (unsigned int port = computation->lowest; port <= computation->highest && result == 0; port++) {
        const uint16_t *backend_ports = computation->targets[port - computation->lowest].backend_ports;
        uint16_t port4 = backend_ports[FAMILY_INDEX_4], port6 = backend_ports[FAMILY_INDEX_6];

        if (port4 > 0 && port4 == port6) {
            result = add_port(computation, protocol, 0, port, port4);
            continue;
        }
        if (port4 > 0)
            result = add_port(computation, protocol, BIT_6, port, port4);
        if (port6 > 0 && result == 0)
            result = add_port(computation, protocol, BIT_4, port, port6);
    }
    return result;
}

static int expose_protocol(struct computation *computation, uint8_t protocol)
{
    int result;

    if (!find_bounds(computation, protocol))
        return 0;
    computation->targets = calloc(computation->highest - computation->lowest + 1, sizeof(*computation->targets));
    if (!computation->targets)
        return -ENOMEM;
    result = place_ports(computation, protocol);
    if (result == 0)
        result = add_ranges(computation, protocol);
    free_pointer(&computation->targets);
    return result;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct expose_range *first = a, *second = b;
    int result = compare_numbers(first->protocol, second->protocol);

    if (result == 0)
        result = compare_numbers(first->port_first, second->port_first);
    return result == 0 ? compare_numbers(first->missing_families, second->missing_families) : result;
}

int published_expose(const struct published_binding *bindings, size_t binding_count, const struct ip_address *parent,
                     size_t parent_count, struct published *ret)
{
    struct computation computation = {
        .bindings = bindings, .binding_count = binding_count, .parent = parent, .parent_count = parent_count};
    int result = withhold_what_is_not_exposed(&computation);

    if (result == 0)
        result = expose_protocol(&computation, IPPROTO_TCP);
    if (result == 0)
        result = expose_protocol(&computation, IPPROTO_UDP);
    if (result < 0) {
        published_release(&computation.result);
        return result;
    }
    if (computation.result.range_count > 0)
        qsort(computation.result.ranges, computation.result.range_count, sizeof(struct expose_range), compare_ranges);
    *ret = computation.result;
    return 0;
}

const char *published_fault_to_string(enum published_fault fault)
{
    switch (fault) {
    case PUBLISHED_ON_LOOPBACK:
        return "published on the host's loopback address only";
    case PUBLISHED_ELSEWHERE:
        return "published on an address that the parent interface does not have";
    case PUBLISHED_TWICE:
        return "published twice, to different ports of the container: the first one counts";
    case PUBLISHED_BY_OTHER:
    default:
        return "neither TCP nor UDP";
    }
}
