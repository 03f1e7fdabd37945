/* DHCP of a network-anchor; see dhcp.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/dhcp.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/dhcp/dhcp_files.h"
#include "daemon/dhcp/dhcp_twin.h"
#include "daemon/dhcp/lease_socket.h"
#include "daemon/supervise/users.h"

/* For both at once: a release is sent, not answered, within 20 ms (measured). With the workers' deadlines in role.h a
 * whole stop stays below 2 s. */
#define RELEASE_DEADLINE (400 * MICROSECONDS_PER_MILLISECOND)

struct dhcp {
    struct dhcp_family *families[FAMILY_INDEX_MAX_];
    struct lease_socket *socket;
    struct dhcp_twin *twin; /* NULL: nobody listens */
    bool is_supervised;
    bool is_stopping;
};

static struct dhcp_family *family_of(struct dhcp *dhcp, uint32_t family)
{
    return dhcp->families[family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6];
}

static void on_lease_event(const struct message_lease_event *event, void *userdata)
{
    struct dhcp *dhcp = userdata;

    if (event->family != IP_FAMILY_NONE) {
        dhcp_family_take_event(family_of(dhcp, event->family), event);
        return;
    }
    /* Ours runs for one family, and is given up knowingly; one of the host's may have had both. */
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && event->kind == LEASE_EVENT_RELEASED && !dhcp->is_supervised; i++)
        dhcp_family_take_event(dhcp->families[i], event);
}

void dhcp_take_link(struct dhcp *dhcp, const struct message_external_link *link)
{
    if (!dhcp)
        return;
    log_debug("external link", LOG_TEXT("interface", link->name), LOG_BOOLEAN("running", link->is_running));
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && !dhcp->is_stopping; i++)
        dhcp_family_set_interface(dhcp->families[i], link->name);
    dhcp_twin_set_link(dhcp->twin, link->index);
}

void dhcp_take_answer(struct dhcp *dhcp, const struct message_lease_applied *answer)
{
    if (dhcp)
        dhcp_family_take_answer(family_of(dhcp, answer->family), answer);
}

void dhcp_on_netadmin_started(struct dhcp *dhcp)
{
    for (size_t i = 0; dhcp && i < FAMILY_INDEX_MAX_; i++)
        dhcp_family_send_again(dhcp->families[i]);
}

bool dhcp_is_running(const struct dhcp *dhcp)
{
    for (size_t i = 0; dhcp && i < FAMILY_INDEX_MAX_; i++) {
        if (dhcp_client_is_running(dhcp_family_client(dhcp->families[i])))
            return true;
    }
    return false;
}

void dhcp_stop(struct dhcp *dhcp, bool keeps_lease)
{
    if (!dhcp || dhcp->is_stopping)
        return;
    dhcp->is_stopping = true;
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        dhcp_family_stop(dhcp->families[i], keeps_lease, RELEASE_DEADLINE);
}

void dhcp_describe(const struct dhcp *dhcp, struct message_supervision *supervision)
{
    for (size_t i = 0; dhcp && i < FAMILY_INDEX_MAX_; i++) {
        const struct dhcp_family *family = dhcp->families[i];

        if (dhcp->is_supervised && supervision->worker_count < WORKERS_MAX)
            dhcp_client_describe(dhcp_family_client(family), &supervision->workers[supervision->worker_count++]);
        dhcp_family_describe(family, &supervision->leases[i]);
    }
}

/* --- construction -------------------------------------------------------------------------------------- */

static void on_twin(const struct mac_address *mac, void *userdata)
{
    struct dhcp *dhcp = userdata;

    dhcp_family_take_twin(dhcp->families[FAMILY_INDEX_4], mac);
}

struct dhcp *dhcp_free(struct dhcp *dhcp)
{
    if (!dhcp)
        return NULL;
    (void)lease_socket_free(dhcp->socket);
    (void)dhcp_twin_free(dhcp->twin);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        (void)dhcp_family_free(dhcp->families[i]);
    free(dhcp);
    return NULL;
}

int dhcp_new(sd_event *event, const struct configuration *configuration, int listener, int twin_socket,
             const struct dhcp_family_callbacks *callbacks, struct dhcp **ret)
{
    static const uint8_t families[FAMILY_INDEX_MAX_] = {IP_FAMILY_4, IP_FAMILY_6};
    CLEANUP(dhcp_freep) struct dhcp *dhcp = calloc(1, sizeof(*dhcp));
    int result = 0;

    if (!dhcp)
        return -ENOMEM;
    dhcp->is_supervised = configuration_has_dhcp_client(configuration);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++)
        result = dhcp_family_new(event, configuration, families[i], callbacks, &dhcp->families[i]);
    if (result == 0)
        result =
            lease_socket_new(event, listener, dhcp->is_supervised ? DHCP_USER : 0, on_lease_event, dhcp, &dhcp->socket);
    if (result == 0 && twin_socket >= 0)
        result = dhcp_twin_new(event, twin_socket, on_twin, dhcp, &dhcp->twin);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(dhcp);
    return 0;
}
