/* The D-Bus object that operators read; see bus_object.h. Runs in anchord-control without any privilege. */
#include "workers/control/bus_object.h"

#include "build_information.h"
#include "common/clock.h"
#include "protocol/control_interface.h"
#include "protocol/metrics.h"
#include "workers/control/counter_readers.h"
#include "workers/control/problems.h"

#include <netinet/in.h>

static const char *protocol_text(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* As text; an address that is not there is the empty string. */
static const char *address_text(const struct wire_address *wire, char text[IP_ADDRESS_TEXT_SIZE])
{
    const struct ip_address address = wire_address_to(wire);

    return address.family == IP_FAMILY_NONE ? "" : ip_address_format(&address, text);
}

#define GETTER(name_)                                                                            \
    static int name_(sd_bus *bus, const char *path, const char *interface, const char *property, \
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
#define GETTER_UNUSED() ((void)bus, (void)path, (void)interface, (void)property, (void)ret_error)

/* --- who we are, how we are ---------------------------------------------------------------------------- */

GETTER(get_version)
{
    GETTER_UNUSED();
    (void)userdata;
    return sd_bus_message_append(reply, "s", ANCHORD_VERSION);
}

GETTER(get_role)
{
    static const char *const names[ANCHOR_ROLE_MAX_] = {
        [0] = "", /* not configured yet */
        [ANCHOR_ROLE_NETWORK] = "network-anchor",
        [ANCHOR_ROLE_SERVICE] = "service-anchor",
        [ANCHOR_ROLE_EXTERNAL_REBINDER] = "external-rebinder",
        [ANCHOR_ROLE_WRAP_REBINDER] = "wrap-rebinder",
        [ANCHOR_ROLE_ATTACH] = "attach",
        [ANCHOR_ROLE_ATTACH_HOST] = "attach-host",
    };
    const struct view *view = userdata;

    GETTER_UNUSED();
    return sd_bus_message_append(reply, "s", names[view->configuration.role]);
}

GETTER(get_project)
{
    const struct view *view = userdata;

    GETTER_UNUSED();
    return sd_bus_message_append(reply, "s", view->configuration.project);
}

static int append_unmet(sd_bus_message *reply, const struct view *view)
{
    uint32_t unmet = view->supervision.required & ~view->supervision.conditions;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");

    for (uint32_t condition = 1; condition <= READINESS_ALL_ && result >= 0; condition <<= 1) {
        if (unmet & condition)
            result = sd_bus_message_append(reply, "s", readiness_condition_to_string(condition));
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

GETTER(get_ready)
{
    GETTER_UNUSED();
    return sd_bus_message_append(reply, "b", view_is_ready(userdata));
}

GETTER(get_unmet)
{
    GETTER_UNUSED();
    return append_unmet(reply, userdata);
}

static int on_healthy(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
    sd_bus_message *reply = NULL;
    int result = sd_bus_message_new_method_return(call, &reply);

    (void)ret_error;
    if (result >= 0)
        result = sd_bus_message_append(reply, "b", view_is_ready(userdata));
    if (result >= 0)
        result = append_unmet(reply, userdata);
    if (result >= 0)
        result = sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
    return result;
}

/* (name, state, PID, restarts, since in microseconds since 1970) */
GETTER(get_workers)
{
    static const char *const states[WORKER_STATE_MAX_] = {
        [WORKER_STATE_STOPPED] = "stopped",
        [WORKER_STATE_RUNNING] = "running",
        [WORKER_STATE_RESTARTING] = "restarting",
    };
    const struct message_supervision *supervision = &((const struct view *)userdata)->supervision;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssutt)");

    GETTER_UNUSED();
    for (uint32_t i = 0; i < supervision->worker_count && result >= 0; i++) {
        const struct wire_worker *worker = &supervision->workers[i];

        result = sd_bus_message_append(reply, "(ssutt)", worker->name, states[worker->state], worker->pid,
                                       worker->restarts, worker->since / 1000);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* --- network ------------------------------------------------------------------------------------------- */

static const struct wire_reported_link *link_of(const struct view *view, const char *property)
{
    return property[0] == 'E' ? &view->report.external : &view->report.shared; /* External…, Shared… */
}

/* (Docker network, interface) */
GETTER(get_network)
{
    const struct wire_reported_link *link = link_of(userdata, property);

    GETTER_UNUSED();
    return sd_bus_message_append(reply, "(ss)", link->network, link->name);
}

/* What ANCHORD_ADDRESS gives goes the way of a lease; whoever gave it looks for no server. */
static bool is_given(const struct view *view, const struct wire_reported_address *address)
{
    size_t family = wire_address_to(&address->address).family == IP_FAMILY_6 ? FAMILY_INDEX_6 : FAMILY_INDEX_4;

    return address->origin == ADDRESS_ORIGIN_LEASE && view->supervision.leases[family].state == LEASE_STATE_OFF;
}

/* (address, prefix length, origin) */
GETTER(get_addresses)
{
    static const char *const origins[ADDRESS_ORIGIN_MAX_] = {
        [ADDRESS_ORIGIN_DOCKER] = "docker",
        [ADDRESS_ORIGIN_SLAAC] = "slaac",
        [ADDRESS_ORIGIN_LEASE] = "lease",
        [ADDRESS_ORIGIN_CLAIMED] = "claimed",
    };
    const struct wire_reported_link *link = link_of(userdata, property);
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sys)");

    GETTER_UNUSED();
    for (uint32_t i = 0; i < link->address_count && result >= 0; i++) {
        const struct wire_reported_address *address = &link->addresses[i];
        char text[IP_ADDRESS_TEXT_SIZE];

        result = sd_bus_message_append(reply, "(sys)", address_text(&address->address, text), address->prefix_length,
                                       is_given(userdata, address) ? "given" : origins[address->origin]);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* (family, address or empty, source) */
GETTER(get_gateways)
{
    static const char *const families[FAMILY_INDEX_MAX_] = {"v4", "v6"};
    static const char *const sources[GATEWAY_SOURCE_MAX_] = {
        [GATEWAY_SOURCE_NONE] = "none",        [GATEWAY_SOURCE_PIN] = "pin",     [GATEWAY_SOURCE_IPAM] = "ipam",
        [GATEWAY_SOURCE_ADVERTISEMENT] = "ra", [GATEWAY_SOURCE_LEASE] = "lease", [GATEWAY_SOURCE_DNS] = "dns",
    };
    const struct view *view = userdata;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sss)");

    GETTER_UNUSED();
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result >= 0; i++) {
        const struct wire_reported_gateway *gateway = &view->report.gateways[i];
        char text[IP_ADDRESS_TEXT_SIZE];

        result = sd_bus_message_append(reply, "(sss)", families[i], address_text(&gateway->address, text),
                                       sources[gateway->source]);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* The seconds until a time of CLOCK_BOOTTIME, as a lease counts them: LEASE_SECONDS_FOREVER is no end. */
static uint64_t seconds_until(uint64_t time)
{
    uint64_t now = clock_boottime_microseconds();

    if (time == UINT64_MAX)
        return LEASE_SECONDS_FOREVER;
    return time > now ? (time - now) / MICROSECONDS_PER_SECOND : 0;
}

/* (family, state, address or empty, prefix length, server or empty, remaining seconds, why it was refused or empty,
 * seconds until the server is asked again) */
GETTER(get_leases)
{
    static const char *const families[FAMILY_INDEX_MAX_] = {"v4", "v6"};
    static const char *const states[LEASE_STATE_MAX_] = {
        [LEASE_STATE_OFF] = "off",
        [LEASE_STATE_SEARCHING] = "searching",
        [LEASE_STATE_HELD] = "held",
        [LEASE_STATE_REFUSED] = "refused",
    };
    const struct view *view = userdata;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sssystst)");

    GETTER_UNUSED();
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result >= 0; i++) {
        const struct wire_lease_status *lease = &view->supervision.leases[i];
        char address[IP_ADDRESS_TEXT_SIZE];
        char server[IP_ADDRESS_TEXT_SIZE];

        result = sd_bus_message_append(reply, "(sssystst)", families[i], states[lease->state],
                                       address_text(&lease->address, address), lease->prefix_length,
                                       address_text(&lease->server, server), seconds_until(lease->expires),
                                       lease->reason, seconds_until(lease->retry));
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* (family, protocol, elements) */
GETTER(get_map_elements)
{
    static const char *const families[FAMILY_INDEX_MAX_] = {"v4", "v6"};
    static const char *const protocols[PROTOCOL_INDEX_MAX_] = {"tcp", "udp"};
    const struct view *view = userdata;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssu)");

    GETTER_UNUSED();
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < PROTOCOL_INDEX_MAX_ && result >= 0; j++)
            result = sd_bus_message_append(reply, "(ssu)", families[i], protocols[j], view->report.entries[i][j]);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* --- labels -------------------------------------------------------------------------------------------- */

/* (protocol, first port, last port, first backend port, container, IPv4 address or empty, IPv6 address or empty, whom
 * the ports answer and how often, or empty) */
static int append_exposure(sd_bus_message *reply, const struct finding *finding)
{
    char text4[IP_ADDRESS_TEXT_SIZE];
    char text6[IP_ADDRESS_TEXT_SIZE];

    return sd_bus_message_append(reply, "(sqqqssss)", protocol_text(finding->protocol), finding->port_first,
                                 finding->port_last, finding->backend_port_first, finding->container,
                                 address_text(&finding->address4, text4), address_text(&finding->address6, text6),
                                 finding->reason);
}

/* (protocol, first port, last port, refused container, holder) */
static int append_conflict(sd_bus_message *reply, const struct finding *finding)
{
    return sd_bus_message_append(reply, "(sqqss)", protocol_text(finding->protocol), finding->port_first,
                                 finding->port_last, finding->container, finding->other);
}

/* Into the array that is open. */
static int append_findings(sd_bus_message *reply, const struct view *view, enum finding_kind kind,
                           int (*append)(sd_bus_message *reply, const struct finding *finding))
{
    int result = 0;

    for (size_t source = 0; source < FINDINGS_SOURCE_MAX_; source++) {
        const struct findings *findings = &view->told[source].last;

        for (size_t i = 0; i < findings->count && result >= 0; i++) {
            if (findings->items[i]->kind == kind)
                result = append(reply, findings->items[i]);
        }
    }
    return result;
}

static int append_findings_array(sd_bus_message *reply, const struct view *view, const char *type,
                                 enum finding_kind kind,
                                 int (*append)(sd_bus_message *reply, const struct finding *finding))
{
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, type);

    if (result >= 0)
        result = append_findings(reply, view, kind, append);
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* (Docker network, interface or empty, state, why there is none or empty) */
static int append_link(sd_bus_message *reply, const struct finding *finding)
{
    const char *state = finding->other[0] ? "made" : finding->reason[0] ? "failed" : "waiting";

    return sd_bus_message_append(reply, "(ssss)", finding->container, finding->other, state, finding->reason);
}

GETTER(get_links)
{
    GETTER_UNUSED();
    return append_findings_array(reply, userdata, "(ssss)", FINDING_LINK, append_link);
}

GETTER(get_exposures)
{
    GETTER_UNUSED();
    return append_findings_array(reply, userdata, "(sqqqssss)", FINDING_EXPOSED, append_exposure);
}

GETTER(get_conflicts)
{
    GETTER_UNUSED();
    return append_findings_array(reply, userdata, "(sqqss)", FINDING_CONFLICT, append_conflict);
}

/* (object, what is wrong, code, severity, title, remedy or empty) */
static int append_problem(void *userdata, const struct shown_problem *problem)
{
    const struct problem_definition *definition = problem->definition;
    char code[PROBLEM_CODE_SIZE], remedy[PROBLEM_REMEDY_SIZE];

    return sd_bus_message_append(userdata, "(ssssss)", problem->object, problem->text,
                                 problem_code(definition->problem, code),
                                 problem_severity_to_string(definition->severity), definition->title,
                                 problem_remedy_fill(definition->remedy, "CONTAINER", problem->object, remedy));
}

GETTER(get_problems)
{
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(ssssss)");

    GETTER_UNUSED();
    if (result >= 0)
        result = problems_tell(userdata, clock_monotonic_microseconds(), append_problem, reply);
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* --- counters ------------------------------------------------------------------------------------------- */

/* (protocol, first port, last port, new flows, packets, bytes) */
GETTER(get_ports)
{
    const struct told_counters *counters = &((const struct view *)userdata)->counters;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(sqqttt)");

    GETTER_UNUSED();
    for (size_t i = 0; i < counters->count && result >= 0; i++) {
        const struct wire_counter *counter = &counters->items[i];

        if (counter->protocol)
            result = sd_bus_message_append(reply, "(sqqttt)", protocol_text(counter->protocol), counter->port_first,
                                           counter->port_last, counter->flows, counter->packets, counter->bytes);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* (reason, packets) */
GETTER(get_refused)
{
    const struct told_counters *counters = &((const struct view *)userdata)->counters;
    int result = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(st)");

    GETTER_UNUSED();
    for (size_t i = 0; i < counters->count && result >= 0; i++) {
        const struct wire_counter *counter = &counters->items[i];

        if (!counter->protocol)
            result =
                sd_bus_message_append(reply, "(st)", metrics_refusal_to_string(counter->refusal), counter->packets);
    }
    return result < 0 ? result : sd_bus_message_close_container(reply);
}

/* Then what Ports and Refused say is as it is now. */
static int on_read_counters(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
    const struct view *view = userdata;

    (void)ret_error;
    return counter_readers_add(view->counter_readers, call);
}

/* --- the table ----------------------------------------------------------------------------------------- */

#define READ_PROPERTY(name_, type_, getter_) \
    SD_BUS_PROPERTY((name_), (type_), (getter_), 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION)

static const sd_bus_vtable interface_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    READ_PROPERTY("Role", "s", get_role),
    READ_PROPERTY("Project", "s", get_project),
    READ_PROPERTY("Ready", "b", get_ready),
    READ_PROPERTY("UnmetConditions", "as", get_unmet),
    READ_PROPERTY("Workers", "a(ssutt)", get_workers),
    READ_PROPERTY("ExternalNetwork", "(ss)", get_network),
    READ_PROPERTY("SharedNetwork", "(ss)", get_network),
    READ_PROPERTY("SharedLinks", "a(ssss)", get_links),
    READ_PROPERTY("ExternalAddresses", "a(sys)", get_addresses),
    READ_PROPERTY("SharedAddresses", "a(sys)", get_addresses),
    READ_PROPERTY("Gateways", "a(sss)", get_gateways),
    READ_PROPERTY("Leases", "a(sssystst)", get_leases),
    READ_PROPERTY("MapElements", "a(ssu)", get_map_elements),
    READ_PROPERTY("Exposures", "a(sqqqssss)", get_exposures),
    READ_PROPERTY("Ports", "a(sqqttt)", get_ports),
    READ_PROPERTY("Refused", "a(st)", get_refused),
    READ_PROPERTY("Conflicts", "a(sqqss)", get_conflicts),
    READ_PROPERTY("Problems", "a(ssssss)", get_problems),
    SD_BUS_METHOD_WITH_NAMES("Healthy", NULL, , "bas", SD_BUS_PARAM(ready) SD_BUS_PARAM(unmet), on_healthy,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReadCounters", NULL, NULL, on_read_counters, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int bus_object_add(sd_bus *bus, struct view *view)
{
    return sd_bus_add_object_vtable(bus, NULL, CONTROL_OBJECT, CONTROL_INTERFACE, interface_table, view);
}

int bus_object_announce_change(sd_bus *bus)
{
    return sd_bus_emit_properties_changed_strv(bus, CONTROL_OBJECT, CONTROL_INTERFACE, NULL);
}
