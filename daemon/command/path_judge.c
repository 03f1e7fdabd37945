/* What came of the group `path`, put into words; see path_plan.h. Pure; runs as root in the command. */
#include "daemon/command/path_judge_internal.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ON_THE_HOST "sudo anchord doctor path   # on the host"

void path_write_text(char *target, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(target, size, format, arguments); /* for people: cut */
    va_end(arguments);
}

void path_tell(struct judging *judging, enum verdict verdict, enum problem problem)
{
    judging->answer.verdict = verdict;
    judging->answer.problem = problem;
    judging->report(&judging->answer, judging->userdata);
    judging->answer.cause = PROBLEM_NONE;
    memset(judging->answer.sentence, 0, sizeof(judging->answer.sentence));
    memset(judging->answer.why, 0, sizeof(judging->answer.why));
    memset(judging->answer.remedy, 0, sizeof(judging->answer.remedy));
}

static const char *name_of(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

const char *path_how(path_result result)
{
    switch (path_outcome(result)) {
    case PROBE_REFUSED:
        return "refused";
    case PROBE_UNREACHABLE:
        return result->error < 0 ? log_errno_text(result->error) : "an ICMP error";
    case PROBE_FAILED:
        return log_errno_text(result->error);
    case PROBE_ANSWERED:
        return "answered";
    case PROBE_TOO_BIG:
        return "too big for the path";
    case PROBE_EXPIRED:
        return "lost in a loop of routes";
    case PROBE_SILENT:
    case PROBE_LOOPBACK:
    case PROBE_ELSEWHERE:
    case PROBE_HALF_OPEN:
    case PROBE_OUTCOME_MAX_:
        break;
    }
    return "no answer";
}

bool path_is_way(uint16_t problem)
{
    switch (problem) {
    case PROBLEM_OTHER_WAY_BACK:
    case PROBLEM_INTERNAL_NETWORK:
    case PROBLEM_NO_WAY_BACK:
    case PROBLEM_FOREIGN_WAY_BACK:
    case PROBLEM_SERVICE_ANCHOR_STARTING:
    case PROBLEM_SERVICE_ANCHOR_UNHEALTHY:
    case PROBLEM_NO_LINK:
    case PROBLEM_NO_BRIDGE:
    case PROBLEM_INTERNAL_ONLY:
    case PROBLEM_NAMESPACE_NOT_SERVED:
    case PROBLEM_ICC_DISABLED:
        return true;
    default:
        return false;
    }
}

/* --- by which way -------------------------------------------------------------------------------------------- */

enum way {
    WAY_UNKNOWN,
    WAY_OURS,
    WAY_FOREIGN,
    WAY_NONE,
};

static enum way way_of(const struct path_scene *scene, path_result route)
{
    struct ip_address gateway;

    if (path_outcome(route) == PROBE_FAILED)
        return route->error == -ENETUNREACH || route->error == -EHOSTUNREACH ? WAY_NONE : WAY_UNKNOWN;
    if (path_outcome(route) != PROBE_ANSWERED)
        return WAY_UNKNOWN;
    gateway = wire_address_to(&route->address);
    return ip_address_is_among(&gateway, scene->anchor, scene->anchor_count) ? WAY_OURS : WAY_FOREIGN;
}

const char *path_in_anchor(const struct path_scene *scene, char text[IN_ANCHOR_SIZE])
{
    if (scene->name && scene->name[0] != '\0')
        (void)snprintf(text, IN_ANCHOR_SIZE, "docker exec %s ", SHELL_WORD(scene->name));
    return text;
}

/* Starts what has stopped of those that share the container's network namespace, as its service-anchor does. */
#define START_SERVICE_ANCHOR                                                                       \
    "docker inspect -f '{{.HostConfig.NetworkMode}} {{.Name}}' $(docker ps -aqf status=exited) | " \
    "sed -n \"s,^container:$(docker inspect -f '{{.Id}}' %s) /,,p\" | xargs -r docker start"

/* Why the container's packets do not come to us; the finding of anchord itself says what helps. */
static void say_foreign_way(struct judging *judging, const struct path_container *container, uint8_t family)
{
    path_result route = container->routes[path_index_of(family)];
    struct ip_address gateway = route ? wire_address_to(&route->address) : (struct ip_address){0};
    const char *finding = container->findings[path_index_of(family)];
    bool has_finding = finding[0] != '\0';

    if (way_of(judging->scene, route) == WAY_NONE)
        WHY(judging, "%s has no IPv%u route that leads out%s%s", container->name, (unsigned int)family,
            has_finding ? ": " : "", finding);
    else
        WHY(judging, "its route leads to %s, which is not the network-anchor%s%s",
            gateway.family == IP_FAMILY_NONE ? "its own network alone" : IP_ADDRESS_TEXT(&gateway),
            has_finding ? ": " : "", finding);
    judging->answer.cause = container->causes[path_index_of(family)];
    REMEDY(judging,
           START_SERVICE_ANCHOR "   # its service-anchor, if that has stopped\n"
                                "%sanchord status   # else: under Problems, what it lacks\n"
                                "# most often gw_priority: 1 for this network under networks: of the service, or "
                                "DefaultGatewayIPv%u under aux_addresses: of the network (docs/patterns.md)",
           SHELL_WORD(container->name), IN_ANCHOR(judging), (unsigned int)family);
}

/* It came no further than the bridge, or its answer did not. */
static void tell_dropped(struct judging *judging, const struct path_port *port, const char *what)
{
    const struct path_scene *scene = judging->scene;
    size_t family = path_index_of(port->family);

    SENTENCE(judging, "%s for %s: %s", IP_PLACE_TEXT(&port->own, port->port), port->container->name, what);
    if (scene->filters_bridges[family] && port->family == IP_FAMILY_6 && scene->has_reverse_path) {
        WHY(judging, "the host passes bridged packets to its firewall (bridge-nf-call-ip6tables is 1), whose reverse "
                     "path filter takes a client's address on this bridge for forged (firewalld: IPv6_rpfilter=yes)");
        REMEDY(judging, "sysctl -w net.bridge.bridge-nf-call-ip6tables=0\n"
                        "# or, with firewalld: sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' "
                        "/etc/firewalld/firewalld.conf && systemctl restart firewalld");
        path_tell(judging, VERDICT_FAIL, PROBLEM_REVERSE_FILTER);
    } else if (scene->filters_bridges[family] && scene->has_walls) {
        WHY(judging,
            "the host passes bridged packets to its firewall (bridge-nf-call-ip%stables is 1), and that drops "
            "those of hosts on the LAN, as Docker's rules do on a network that is internal: true%s%s",
            port->family == IP_FAMILY_6 ? "6" : "", scene->walls[0] ? "; chains that drop: " : "", scene->walls);
        REMEDY(judging,
               "sysctl -w net.bridge.bridge-nf-call-ip%stables=0\n"
               "# or take `internal: true` from the network and set its driver_opts "
               "com.docker.network.bridge.enable_ip_masquerade: \"false\"",
               port->family == IP_FAMILY_6 ? "6" : "");
        path_tell(judging, VERDICT_FAIL, PROBLEM_BRIDGE_FILTER);
    } else {
        WHY(judging,
            "neither is the application closed nor does its answer take another way: a firewall in between "
            "drops it%s%s",
            scene->walls[0] ? "; chains that drop: " : "", scene->walls);
        REMEDY(judging,
               "nft list ruleset | grep -w -e drop -e reject   # on the host; and in the container:\n"
               "nsenter -t $(docker inspect -f '{{.State.Pid}}' %s) -n nft list ruleset",
               SHELL_WORD(port->container->name));
        path_tell(judging, VERDICT_FAIL, PROBLEM_FOREIGN_DROP);
    }
}

/* --- one port ------------------------------------------------------------------------------------------------ */

/* At its other ports, some of them. */
static void say_who_listens(struct judging *judging, const struct path_port *port)
{
    const uint16_t *others = port->listeners->others;
    char text[PROBE_OTHERS_MAX * sizeof(", tcp/65535")] = "";

    for (size_t i = 0; i < PROBE_OTHERS_MAX && others[i] != 0; i++)
        path_write_text(text + strlen(text), sizeof(text) - strlen(text), "%s%s/%u", i > 0 ? ", " : "",
                        name_of(port->protocol), (unsigned int)others[i]);
    if (text[0] != '\0')
        WHY(judging,
            "nobody in the container listens there, but at %s somebody does%s: is the label's port the right one?",
            text, others[PROBE_OTHERS_MAX - 1] != 0 ? ", perhaps at more" : "");
    else
        WHY(judging,
            "nobody in the container listens there, nor at another port of %s that is reached: is the "
            "application up?",
            name_of(port->protocol));
}

static void tell_closed(struct judging *judging, const struct path_port *port)
{
    const char *name = port->container->name;
    const char *protocol = name_of(port->protocol);
    struct ip_address elsewhere;

    SENTENCE(judging, "%s refuses %s/%u at %s", name, protocol, (unsigned int)port->backend_port,
             IP_PLACE_TEXT(&port->backend, port->backend_port));
    /* few images have ss(8) */
    REMEDY(judging, "docker logs %s\nnsenter -t $(docker inspect -f '{{.State.Pid}}' %s) -n ss -ltnu   # on the host",
           SHELL_WORD(name), SHELL_WORD(name));
    switch (path_outcome(port->listeners)) {
    case PROBE_LOOPBACK:
        WHY(judging, "the application listens on the container's loopback alone");
        REMEDY(
            judging,
            "nsenter -t $(docker inspect -f '{{.State.Pid}}' %s) -n ss -l%cnp 'sport = :%u'   # on the host: who\n"
            "# let it listen on 0.0.0.0 and ::, mostly a setting called bind, host or listen; then docker restart %s",
            SHELL_WORD(name), protocol[0], (unsigned int)port->backend_port, SHELL_WORD(name));
        path_tell(judging, VERDICT_FAIL, PROBLEM_LOOPBACK_ONLY);
        return;
    case PROBE_ELSEWHERE:
        elsewhere = wire_address_to(&port->listeners->address);
        WHY(judging, "the application listens on %s alone", IP_ADDRESS_TEXT(&elsewhere));
        break;
    case PROBE_REFUSED:
        say_who_listens(judging, port);
        break;
    case PROBE_ANSWERED:
        WHY(judging, "somebody listens at that port, of the other family or behind a firewall in the container");
        break;
    case PROBE_SILENT:
    case PROBE_UNREACHABLE:
    case PROBE_TOO_BIG:
    case PROBE_EXPIRED:
    case PROBE_HALF_OPEN:
    case PROBE_FAILED:
    case PROBE_OUTCOME_MAX_:
    default:
        WHY(judging, "nobody listens there, or on the container's loopback alone");
        break;
    }
    path_tell(judging, VERDICT_FAIL, PROBLEM_CLOSED_PORT);
}

/* Whether the container answers the anchor; false: what comes after it cannot work. */
static bool judge_inside(struct judging *judging, const struct path_port *port)
{
    const char *place = IP_PLACE_TEXT(&port->backend, port->backend_port);
    enum probe_outcome outcome = path_outcome(port->inside);
    enum probe_outcome listeners = path_outcome(port->listeners);
    bool is_udp = port->protocol == IPPROTO_UDP;
    bool is_filtered;

    if (outcome == PROBE_ANSWERED) {
        SENTENCE(judging, "%s answers at %s", port->container->name, place);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
        return true;
    }
    if (outcome == PROBE_REFUSED || (is_udp && outcome == PROBE_SILENT && listeners != 0 &&
                                     listeners != PROBE_ANSWERED && listeners != PROBE_FAILED)) {
        tell_closed(judging, port);
        return false;
    }
    if (is_udp && outcome == PROBE_SILENT && listeners == PROBE_ANSWERED) {
        SENTENCE(judging, "%s listens at %s, and does not answer a datagram of one byte, as is usual",
                 port->container->name, place);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
        return true;
    }
    if (outcome == 0 || (is_udp && outcome == PROBE_SILENT)) {
        SENTENCE(judging, "nothing tells whether %s listens at udp %s: silence is usual there", port->container->name,
                 place);
        if (outcome == 0)
            SENTENCE(judging, "%s at %s could not be tried", port->container->name, place);
        REMEDY(judging, ON_THE_HOST);
        path_tell(judging, VERDICT_UNKNOWN, PROBLEM_NONE);
        return outcome != 0;
    }
    SENTENCE(judging, "%s does not answer the network-anchor at %s: %s", port->container->name, place,
             path_how(port->inside));
    is_filtered = judging->scene->filters_bridges[path_index_of(port->family)] && judging->scene->has_walls;
    WHY(judging, "%s a firewall in it or on the host drops%s%s%s%s%s",
        port->container->namespace >= 0 ? "it has that address:" : "the container is not there at that address, or",
        is_filtered ? ", and bridged packets pass the host's (bridge-nf-call-ip" : "",
        is_filtered && port->family == IP_FAMILY_6 ? "6" : "", is_filtered ? "tables is 1)" : "",
        judging->scene->walls[0] ? "; chains of the host that drop: " : "", judging->scene->walls);
    REMEDY(judging,
           "%s%s%snsenter -t $(docker inspect -f '{{.State.Pid}}' %s) -n sh -c 'ip address; nft list ruleset'   # on "
           "the host%s",
           is_filtered ? "sysctl -w net.bridge.bridge-nf-call-ip" : "",
           is_filtered && port->family == IP_FAMILY_6 ? "6" : "", is_filtered ? "tables=0\n" : "",
           SHELL_WORD(port->container->name), is_filtered ? ", if that has not helped" : "");
    path_tell(judging, VERDICT_FAIL, PROBLEM_NO_ANSWER_INSIDE);
    return false;
}

/* Of one container in one family that is said once: it is the same cause. */
static void tell_elsewhere(struct judging *judging)
{
    judging->is_elsewhere = true;
    path_tell(judging, VERDICT_FAIL, PROBLEM_ANSWER_ELSEWHERE);
}

/* Whether what has a client's address comes in, and its answer back; false: what comes after it cannot work. */
static bool judge_as_client(struct judging *judging, const struct path_port *port)
{
    size_t family = path_index_of(port->family);
    enum way way = way_of(judging->scene, port->container->routes[family]);
    const char *finding = port->container->findings[family];

    if (port->protocol == IPPROTO_UDP) /* of its own attempt silence says nothing */
        return !port->container->is_elsewhere[family] && way != WAY_FOREIGN && way != WAY_NONE;
    if (path_outcome(port->as_client) == 0)
        return true;
    if (path_outcome(port->as_client) == PROBE_ANSWERED) {
        SENTENCE(judging, "what has an address of the LAN reaches %s, and the answer comes back",
                 port->container->name);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
        return true;
    }
    if (port->container->is_elsewhere[family])
        return false;
    if (way == WAY_FOREIGN || way == WAY_NONE) {
        SENTENCE(judging, "the answers of %s to %s do not come back", port->container->name,
                 IP_PLACE_TEXT(&port->own, port->port));
        say_foreign_way(judging, port->container, port->family);
        tell_elsewhere(judging);
    } else if (path_outcome(port->client_seen) == PROBE_HALF_OPEN) {
        tell_dropped(judging, port, "what comes in arrives, and the answer is lost");
    } else if (judging->scene->is_on_host && way == WAY_OURS) {
        tell_dropped(judging, port, "what comes in does not arrive");
    } else {
        SENTENCE(judging, "%s answers the network-anchor, and does not when the client is on the LAN",
                 port->container->name);
        WHY(judging, "either its answers take another way, or the host's firewall drops them%s%s",
            finding[0] ? ": " : "", finding);
        judging->answer.cause = port->container->causes[family];
        REMEDY(judging, ON_THE_HOST ": tells which");
        tell_elsewhere(judging);
    }
    return false;
}

static void judge_hairpin(struct judging *judging, const struct path_port *port)
{
    const char *place = IP_PLACE_TEXT(&port->own, port->port);
    bool is_udp = port->protocol == IPPROTO_UDP;

    if (path_outcome(port->hairpin) == PROBE_ANSWERED) {
        SENTENCE(judging, "the project reaches %s from inside", place);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
    } else if (path_outcome(port->hairpin) != 0 && !(is_udp && path_outcome(port->hairpin) == PROBE_SILENT)) {
        SENTENCE(judging, "%s does not answer the project's own containers: %s", place, path_how(port->hairpin));
        WHY(judging, "the container answers at its own address: the rules, or the way from containers to the "
                     "network-anchor, are not as they should be");
        REMEDY(judging, "%sanchord doctor rules", IN_ANCHOR(judging));
        path_tell(judging, VERDICT_FAIL, PROBLEM_NO_HAIRPIN);
    }
}

static void judge_source(struct judging *judging, const struct path_port *port)
{
    const struct ip_address *lan = &judging->scene->lan[path_index_of(port->family)];

    if (port->is_seen_twice && path_outcome(port->lan_seen) != PROBE_ANSWERED) {
        SENTENCE(judging, "%s answers the LAN, and %s does not see the client's address",
                 IP_PLACE_TEXT(&port->own, port->port), port->container->name);
        WHY(judging,
            "no connection from %s is there in the container: something in between translates, as a proxy or "
            "the engine's own masquerading does",
            IP_ADDRESS_TEXT(lan));
        REMEDY(
            judging,
            "for pid in 1 $(docker inspect -f '{{.State.Pid}}' %s %s); do nsenter -t $pid -n nft list ruleset; done | "
            "grep -w -e ^table -e masquerade -e snat   # on the host: which of them is no \"hairpin\" or \"egress\" of "
            "anchord's",
            judging->scene->name ? SHELL_WORD(judging->scene->name) : "", SHELL_WORD(port->container->name));
        path_tell(judging, VERDICT_WARN, PROBLEM_SOURCE_LOST);
        return;
    }
    SENTENCE(judging,
             path_outcome(port->lan_seen) == PROBE_ANSWERED
                 ? "%s answers the LAN, and the application sees the client's own address, %s"
                 : "%s answers the LAN, to %s",
             IP_PLACE_TEXT(&port->own, port->port), IP_ADDRESS_TEXT(lan));
    path_tell(judging, VERDICT_OK, PROBLEM_NONE);
}

static void judge_from_lan(struct judging *judging, const struct path_port *port)
{
    const char *place = IP_PLACE_TEXT(&port->own, port->port);
    enum probe_outcome outcome = path_outcome(port->from_lan);

    if (outcome == 0)
        return;
    if (outcome == PROBE_ANSWERED) {
        if (port->protocol == IPPROTO_TCP)
            judge_source(judging, port);
    } else if (outcome == PROBE_FAILED && port->from_lan->error == -ENETUNREACH) {
        SENTENCE(judging, "%s is not on the network of %s, which has no router", place,
                 IP_ADDRESS_TEXT(&judging->scene->lan[path_index_of(port->family)]));
        REMEDY(judging, "sudo anchord doctor path --from-lan=ADDRESS/LENGTH   # of the same network, on the host");
        path_tell(judging, VERDICT_UNKNOWN, PROBLEM_NONE);
    } else if (port->has_guests) {
        SENTENCE(judging, "%s does not answer %s: a list says who may come in", place,
                 IP_ADDRESS_TEXT(&judging->scene->lan[path_index_of(port->family)]));
        REMEDY(judging, "sudo anchord doctor path --from-lan=ADDRESS/LENGTH   # an address on that list, on the host");
        path_tell(judging, VERDICT_UNKNOWN, PROBLEM_NONE);
    } else if (outcome == PROBE_SILENT && port->protocol == IPPROTO_UDP) {
        SENTENCE(judging, "nothing tells whether udp %s answers the LAN: silence is usual there", place);
        path_tell(judging, VERDICT_UNKNOWN, PROBLEM_NONE);
    } else {
        SENTENCE(judging, "%s does not answer the LAN: %s", place, path_how(port->from_lan));
        WHY(judging, path_outcome(port->lan_seen) == PROBE_HALF_OPEN
                         ? "what comes in arrives in the container, and the answer is lost"
                         : "from inside everything answers: a ban, a rule, the address or what is between the LAN and "
                           "the network-anchor");
        REMEDY(judging, "%sanchord ban list\n%sanchord doctor address rules", IN_ANCHOR(judging), IN_ANCHOR(judging));
        path_tell(judging, VERDICT_FAIL, PROBLEM_NOT_FROM_LAN);
    }
}

bool path_judge_port(const struct path_scene *scene, const struct path_port *port, path_reporter report, void *userdata)
{
    struct judging judging = {.scene = scene, .report = report, .userdata = userdata};

    path_write_text(judging.answer.object, sizeof(judging.answer.object), "%s/%u v%u", name_of(port->protocol),
                    (unsigned int)port->port, (unsigned int)port->family);
    if (judge_inside(&judging, port) && judge_as_client(&judging, port)) {
        judge_hairpin(&judging, port);
        judge_from_lan(&judging, port);
        return false;
    }
    SENTENCE(&judging, "%s from outside and from the project's own containers: see what is said of %s",
             IP_PLACE_TEXT(&port->own, port->port), port->container->name);
    path_tell(&judging, VERDICT_SKIP, PROBLEM_NONE);
    return judging.is_elsewhere;
}

/* --- containers ---------------------------------------------------------------------------------------------- */

static void judge_route(struct judging *judging, const struct path_container *container, uint8_t family)
{
    path_result route = container->routes[path_index_of(family)];

    switch (way_of(judging->scene, route)) {
    case WAY_UNKNOWN:
        return;
    case WAY_OURS:
        SENTENCE(judging, "%s leaves by the network-anchor, IPv%u", container->name, (unsigned int)family);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
        return;
    case WAY_FOREIGN:
    case WAY_NONE:
        break;
    }
    SENTENCE(judging, "%s does not leave by the project's address, IPv%u", container->name, (unsigned int)family);
    if (container->is_elsewhere[path_index_of(family)]) {
        path_tell(judging, VERDICT_SKIP, PROBLEM_NONE);
        return;
    }
    say_foreign_way(judging, container, family);
    path_tell(judging, VERDICT_FAIL, PROBLEM_LEAVES_ELSEWHERE);
}

void path_judge_container(const struct path_scene *scene, const struct path_container *container, path_reporter report,
                          void *userdata)
{
    struct judging judging = {.scene = scene, .report = report, .userdata = userdata};

    path_write_text(judging.answer.object, sizeof(judging.answer.object), "%s", container->name);
    if (container->namespace < 0) {
        SENTENCE(&judging, "by which way %s leaves, and its resolver, cannot be seen from here", container->name);
        REMEDY(&judging, ON_THE_HOST);
        path_tell(&judging, VERDICT_UNKNOWN, PROBLEM_NONE);
        return;
    }
    judge_route(&judging, container, IP_FAMILY_4);
    judge_route(&judging, container, IP_FAMILY_6);
    if (path_outcome(container->resolver) != PROBE_ANSWERED)
        return; /* it has none, as on Docker's default network */
    if (path_outcome(container->question) == PROBE_ANSWERED) {
        SENTENCE(&judging, "%s gets answers of Docker's resolver", container->name);
        path_tell(&judging, VERDICT_OK, PROBLEM_NONE);
        return;
    }
    SENTENCE(&judging, "Docker's resolver at 127.0.0.11 does not answer in %s: %s", container->name,
             path_how(container->question));
    WHY(&judging, "it is there: somebody took Docker's own rules out of the container's network namespace, or Docker "
                  "hangs");
    REMEDY(&judging, "docker restart %s", SHELL_WORD(container->name));
    path_tell(&judging, VERDICT_FAIL, PROBLEM_RESOLVER_SILENT);
}
