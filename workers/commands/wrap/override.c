/* The plan as a Compose override; see override.h. Runs in anchord-wrap, without any privilege. */
#include "workers/commands/wrap/override.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "workers/commands/wrap/yaml.h"

#include <string.h>

/* --- the comment on top ---------------------------------------------------------------------------------- */

static bool changes_nothing(const struct plan *plan)
{
    for (size_t i = 0; i < plan->service_count; i++) {
        if (plan_changes(&plan->services[i]))
            return false;
    }
    return true;
}

bool override_adds(const struct plan *plan)
{
    return !plan->is_wrapped && !changes_nothing(plan);
}

static void write_findings(FILE *stream, const struct plan *plan, bool are_problems, const char *title)
{
    bool has_title = false;

    for (const struct plan_finding *finding = plan->findings; finding; finding = finding->next) {
        if (finding->is_problem != are_problems)
            continue;
        if (!has_title)
            (void)fprintf(stream, "#\n# %s\n", title);
        has_title = true;
        (void)fputs("#   ", stream);
        if (finding->service)
            (void)fprintf(stream, "%s: ", finding->service);
        (void)fprintf(stream, "%s\n", finding->text);
    }
}

/* Its own name, where that can stand in a line that is pasted. */
static const char *file_name(const struct plan *plan)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    const char *name = plan->options->output;

    return name && name[0] && name[0] != '-' && name[strspn(name, plain)] == '\0' ? name : "THIS_FILE";
}

void override_commands(FILE *stream, const struct plan *plan, const char *start)
{
    const char *file = file_name(plan);
    bool is_named = plan->options->addresses[OPTIONS_IPV6].family != IP_FAMILY_NONE;

    (void)fprintf(stream, "%sTo be run, with your own values for what is in capitals, the first once per host:\n",
                  start);
    (void)fprintf(stream,
                  "%s  docker network create -d macvlan -o parent=INTERFACE --subnet SUBNET --gateway ROUTER%s %s\n",
                  start, is_named ? " --ipv6 --subnet SUBNET_V6 --gateway ROUTER_V6" : "", plan->options->lan);
    (void)fprintf(stream, "%s  docker compose -f compose.yaml -f %s up -d\n", start, file);
    (void)fprintf(stream, "%s  docker compose -f compose.yaml -f %s exec %s anchord status\n", start, file,
                  plan->names.network_anchor);
    (void)fprintf(stream, "%sAnd to undo it: docker compose -f compose.yaml up -d --remove-orphans\n", start);
}

static void write_head(FILE *stream, const struct plan *plan)
{
    (void)fprintf(stream,
                  "# Puts the Compose project %s behind anchord, as one machine on the LAN. Made by anchord wrap %s\n"
                  "# from `docker compose config`; belongs behind the project's own files (Compose 2.24 or newer).\n"
                  "# After an update of the project, `anchord wrap --check %s` says what has changed.\n",
                  plan->project->name, ANCHORD_VERSION, file_name(plan));
    if (override_adds(plan)) {
        override_commands(stream, plan, "# ");
        (void)fprintf(stream,
                      "# The network %s is for all projects. Without --gateway an engine from 29 on gives it no way\n"
                      "# out, and the router's address away.%s\n",
                      plan->options->lan,
                      plan->has_ipv6 && !plan->options->addresses[OPTIONS_IPV6].family
                          ? " With IPv6: --ipv6 --subnet SUBNET_V6 --gateway ROUTER_V6"
                          : "");
    }
    write_findings(stream, plan, true, "Could not be done:");
    write_findings(stream, plan, false, "To know:");
    (void)fputc('\n', stream);
}

/* --- the project's own services -------------------------------------------------------------------------- */

static void write_ports(FILE *stream, const struct planned_service *planned)
{
    if (planned->kept_count == 0) {
        (void)fputs("    ports: !reset []\n", stream);
        return;
    }
    (void)fputs("    ports: !override\n", stream);
    for (size_t i = 0; i < planned->kept_count; i++) {
        const struct project_port *port = planned->kept_ports[i];

        (void)fprintf(stream, "      - {target: %u, protocol: ", port->target);
        yaml_write_quoted(stream, port->protocol);
        (void)fputs(", host_ip: ", stream);
        yaml_write_quoted(stream, port->host_ip);
        if (port->published_last > port->published_first)
            (void)fprintf(stream, ", published: \"%u-%u\"", port->published_first, port->published_last);
        else if (port->published_first > 0)
            (void)fprintf(stream, ", published: \"%u\"", port->published_first);
        (void)fputs("}\n", stream);
    }
}

/* `"default": {interface_name: "eth1"}` */
static void write_attachment(FILE *stream, const char *network, const char *interface_name, int32_t gateway_priority)
{
    (void)fputs("      ", stream);
    yaml_write_quoted(stream, network);
    (void)fputs(": {", stream);
    if (gateway_priority > 0)
        (void)fprintf(stream, "gw_priority: %d", gateway_priority);
    if (interface_name) {
        (void)fprintf(stream, "%sinterface_name: ", gateway_priority > 0 ? ", " : "");
        yaml_write_quoted(stream, interface_name);
    }
    (void)fputs("}\n", stream);
}

/*
 * An override with `networks:` takes the network `default` from a service that named none: so it is named here. So is
 * each that gets a name for its interface.
 */
static void write_attachments(FILE *stream, const struct plan *plan, const struct planned_service *planned)
{
    const char **name = planned->interface_names;

    (void)fputs("    networks:\n", stream);
    for (const struct project_attachment *each = planned->service->attachments; each; each = each->next) {
        if (name || strcmp(each->network->key, "default") == 0)
            write_attachment(stream, each->network->key, name ? *++name : NULL, 0);
    }
    write_attachment(stream, plan->names.transit, planned->interface_names ? planned->interface_names[0] : NULL,
                     planned->gateway_priority);
}

static void write_service(FILE *stream, const struct plan *plan, const struct planned_service *planned)
{
    (void)fputs("  ", stream);
    yaml_write_quoted(stream, planned->service->name);
    (void)fputs(":\n", stream);
    if (planned->must_leave_mode)
        (void)fputs("    network_mode: !reset null\n", stream);
    if (planned->must_remove_ports)
        write_ports(stream, planned);
    if (planned->label) {
        (void)fputs("    labels:\n      anchord.expose: ", stream);
        yaml_write_quoted(stream, planned->label);
        (void)fputc('\n', stream);
    }
    if (planned->must_join)
        write_attachments(stream, plan, planned);
    (void)fputc('\n', stream);
}

/* --- what is added --------------------------------------------------------------------------------------- */

static void write_lan_attachment(FILE *stream, const struct plan *plan)
{
    static const char *const keys[OPTIONS_FAMILIES] = {"ipv4_address", "ipv6_address"};
    char text[IP_ADDRESS_TEXT_SIZE];

    bool has_options = plan->has_ipv6 && !options_engine_is_before(plan->options, 27, 0);

    (void)fprintf(stream, "      %s:%s\n", plan->names.lan,
                  has_options || plan->options->addresses[OPTIONS_IPV4].family ||
                          plan->options->addresses[OPTIONS_IPV6].family
                      ? ""
                      : " {}");
    for (size_t i = 0; i < OPTIONS_FAMILIES; i++) {
        if (plan->options->addresses[i].family)
            (void)fprintf(stream, "        %s: \"%s\"\n", keys[i],
                          ip_address_format(&plan->options->addresses[i], text));
    }
    if (has_options)
        (void)fputs(
            "        driver_opts:\n"
            "          # On the LAN a host, which hears routers; what it forwards is the whole namespace's matter.\n"
            "          com.docker.network.endpoint.sysctls: "
            "net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2\n",
            stream);
}

/* Of IPv6; for IPv4 nothing is to be said, since anchord switches forwarding on where it is needed. */
static void write_sysctls(FILE *stream, const struct plan *plan)
{
    const char *mark = plan->has_ipv6 ? "" : "# ";

    (void)fprintf(stream, "    %ssysctls:\n", mark);
    if (plan->has_ipv6)
        (void)fputs("      - net.ipv6.conf.all.forwarding=1\n", stream);
    if (plan->has_ipv6 && options_engine_is_before(plan->options, 27, 0))
        (void)fputs("      - net.ipv6.conf.eth0.accept_ra=2 # eth0: the interface on the LAN\n", stream);
    else if (plan->has_ipv6 && plan->options->engine[0] == 0)
        (void)fputs("      # Engines before 27 read the next line in place of the driver_opts below (eth0: the\n"
                    "      # interface on the LAN); newer engines refuse it. --engine writes what yours takes.\n"
                    "      # - net.ipv6.conf.eth0.accept_ra=2\n",
                    stream);
    (void)fputs("      # With this line the applications themselves answer a segment outside a connection's\n"
                "      # window, which is dropped otherwise. Where the host has not loaded nf_conntrack yet\n"
                "      # the container does not start with it.\n"
                "      # - net.netfilter.nf_conntrack_tcp_be_liberal=1\n",
                stream);
}

static void write_network_anchor(FILE *stream, const struct plan *plan)
{
    (void)fprintf(stream,
                  "  %s:\n"
                  "    image: \"%s\"\n"
                  "    restart: unless-stopped\n"
                  "    cap_drop: [ALL]\n"
                  "    cap_add: [NET_ADMIN, NET_RAW,%s SETUID, SETGID, SETPCAP, KILL, CHOWN]\n"
                  "    security_opt: [\"no-new-privileges:true\"]\n"
                  "    read_only: true\n"
                  "    tmpfs: [/run]\n"
                  "    # anchord-gate, a process of its own that parses nothing, holds the socket and lets\n"
                  "    # through what the others need.\n"
                  "    volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]\n"
                  "    environment:\n"
                  "      COMPOSE_PROJECT_NAME: ${COMPOSE_PROJECT_NAME}\n"
                  "      ANCHORD_EXT_NETWORK: \"%s\"\n"
                  "%s",
                  plan->names.network_anchor,
                  plan->options->image ? plan->options->image : "${ANCHORD_IMAGE:-anchord:dev}",
                  plan->options->use_dhcp ? " NET_BIND_SERVICE," : "", plan->options->lan,
                  plan->options->use_dhcp ? "      ANCHORD_ADDRESS_MODE: dhcp-refresh\n" : "");
    write_sysctls(stream, plan);
    (void)fputs("    networks:\n", stream);
    write_lan_attachment(stream, plan);
    (void)fprintf(stream, "      %s: {}\n\n", plan->names.transit);
}

static void write_networks(FILE *stream, const struct plan *plan)
{
    (void)fprintf(
        stream,
        "networks:\n"
        "  %s:\n"
        "    name: \"%s\"\n"
        "    external: true\n\n"
        "  %s:\n"
        "    # Engines before 28 take the way out from the network whose name is the first in the alphabet.\n"
        "    name: \"${COMPOSE_PROJECT_NAME}" TRANSIT_SUFFIX "\"\n"
        "%s"
        "    driver_opts:\n"
        "      # Not internal, and without masquerading: what comes from the LAN passes, nothing else leaves.\n"
        "      com.docker.network.bridge.enable_ip_masquerade: \"false\"\n"
        "    ipam:\n"
        "      config:\n"
        "        # Docker keeps these addresses free and gives its containers a default route to them; the\n"
        "        # network-anchor claims them. Without it nothing leaves.\n",
        plan->names.lan, plan->options->lan, plan->names.transit, plan->has_ipv6 ? "    enable_ipv6: true\n" : "");
    for (size_t i = 0; i < (plan->has_ipv6 ? OPTIONS_FAMILIES : OPTIONS_IPV6); i++) {
        char subnet[IP_SUBNET_TEXT_SIZE];
        char bridge[IP_ADDRESS_TEXT_SIZE];
        char gateway[IP_ADDRESS_TEXT_SIZE];

        (void)fprintf(stream,
                      "        - subnet: \"%s\"\n"
                      "          gateway: \"%s\" # the bridge's: named, so that nothing can be sent to the host\n"
                      "          aux_addresses: {DefaultGatewayIPv%d: \"%s\"}\n",
                      ip_subnet_format(&plan->subnets[i], subnet), ip_address_format(&plan->bridges[i], bridge),
                      i == OPTIONS_IPV4 ? 4 : 6, ip_address_format(&plan->gateways[i], gateway));
    }
}

/* --- what --check compares ------------------------------------------------------------------------------- */

static void write_record(FILE *stream, const struct planned_service *planned)
{
    if (planned->service->replicas == 0)
        (void)fputs("runs no container", stream);
    else if (planned->is_refused)
        (void)fputs("refused", stream);
    else if (planned->owner && planned->owner != planned)
        (void)fprintf(stream, "joins %s", planned->owner->service->name);
    else if (planned->label)
        (void)fprintf(stream, "exposes %s", planned->label);
    else if (planned->service->expose_label)
        (void)fputs("has a label of its own", stream);
    else
        (void)fputs("exposes nothing", stream);
    for (size_t i = 0; i < planned->kept_count; i++) {
        const struct project_port *port = planned->kept_ports[i];

        (void)fputs(i == 0 ? "; publishes " : ", ", stream);
        yaml_write_plain(stream, port->host_ip);
        (void)fprintf(stream, " %u-%u:%u", port->published_first, port->published_last, port->target);
    }
    if (planned->must_join)
        (void)fprintf(stream, "; joins transit%s%s", planned->gateway_priority > 0 ? " before others" : "",
                      planned->interface_names ? " with fixed names" : "");
}

const char *override_record(const struct plan *plan, const struct planned_service *planned)
{
    CLEANUP_FREE char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    if (!stream)
        return NULL;
    write_record(stream, planned);
    return fclose(stream) == 0 ? arena_copy(plan->arena, text, length) : NULL;
}

static void write_records(FILE *stream, const struct plan *plan)
{
    (void)fputs("\n# For anchord wrap --check:\n", stream);
    for (size_t i = 0; i < plan->service_count; i++) {
        (void)fprintf(stream, OVERRIDE_RECORD_START "%s" OVERRIDE_RECORD_MIDDLE, plan->services[i].service->name);
        write_record(stream, &plan->services[i]);
        (void)fputc('\n', stream);
    }
}

/* --- the whole file -------------------------------------------------------------------------------------- */

void override_write(FILE *stream, const struct plan *plan)
{
    write_head(stream, plan);
    if (changes_nothing(plan)) {
        (void)fputs("# There is nothing to do.\nservices: {}\n", stream);
    } else {
        (void)fputs("services:\n", stream);
        for (size_t i = 0; i < plan->service_count; i++) {
            if (plan_changes(&plan->services[i]))
                write_service(stream, plan, &plan->services[i]);
        }
        if (!plan->is_wrapped) {
            write_network_anchor(stream, plan);
            write_networks(stream, plan);
        }
    }
    if (!plan->is_wrapped)
        write_records(stream, plan);
}
