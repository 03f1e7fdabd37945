/* What `anchord explain` makes of what is known; see explain_plan.h. Pure; runs as root in the command. */
#include "daemon/command/explain_plan.h"

#include "common/log.h"
#include "daemon/command/path_plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct judging {
    const struct explain_model *model;
    const struct explain_flow *flow;
    const struct path_word *exposure; /* NULL: not found yet */
    path_reporter report;
    void *userdata;
};

/* Returns whether it goes on. */
__attribute__((format(printf, 6, 7))) static bool step(const struct judging *judging, enum verdict verdict,
                                                       enum problem problem, const char *place, const char *remedy,
                                                       const char *format, ...)
{
    struct answer answer = {.verdict = verdict, .problem = problem};
    char filled[PROBLEM_REMEDY_SIZE];
    size_t index;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.sentence, sizeof(answer.sentence), format, arguments);
    va_end(arguments);
    if (!remedy && problem_find(problem, &index) == 0)
        remedy = problem_definition(index)->remedy;
    if (remedy && judging->exposure) /* Docker's name of it, whatever was typed */
        remedy = problem_remedy_fill(remedy, "CONTAINER", judging->exposure->name, filled);
    text_copy_cut(answer.object, sizeof(answer.object), place);
    text_copy_cut(answer.remedy, sizeof(answer.remedy), remedy ? remedy : "");
    judging->report(&answer, judging->userdata);
    return verdict != VERDICT_FAIL;
}

#define YES(judging_, place_, ...)          step(judging_, VERDICT_OK, PROBLEM_NONE, place_, "", __VA_ARGS__)
#define NO(judging_, problem_, place_, ...) step(judging_, VERDICT_FAIL, problem_, place_, NULL, __VA_ARGS__)
#define UNKNOWN(judging_, place_, remedy_, ...) \
    step(judging_, VERDICT_UNKNOWN, PROBLEM_NONE, place_, remedy_, __VA_ARGS__)

static const char *protocol_name(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static const char *table_of(const struct explain_flow *flow)
{
    return flow->to.family == IP_FAMILY_6 ? "ip6 anchord_v6" : "ip anchord_v4";
}

/* --- what anchord says ----------------------------------------------------------------------------------------- */

bool explain_is_container(const char *name, const char *asked)
{
    size_t length = strlen(asked);

    if (strcmp(name, asked) == 0)
        return true;
    for (const char *at = strchr(name, '-'); at && length > 0; at = strchr(at + 1, '-')) {
        if (strncmp(at + 1, asked, length) == 0 && at[1 + length] == '-' &&
            at[2 + length + strspn(at + 2 + length, "0123456789")] == '\0')
            return true;
    }
    return false;
}

static bool has_port(const struct path_word *word, uint8_t protocol, uint16_t port)
{
    return word->protocol == protocol && word->first <= port && port <= word->last;
}

const struct path_word *explain_find_exposure(const struct explain_model *model, uint8_t protocol, uint16_t port,
                                              uint8_t family)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct path_word *word = &model->words[i];

        if (word->kind == PATH_WORD_EXPOSURE && has_port(word, protocol, port) &&
            (family == IP_FAMILY_NONE || word->addresses[family == IP_FAMILY_6 ? 1 : 0].family == family))
            return word;
    }
    return NULL;
}

bool explain_is_own(const struct explain_model *model, const struct ip_address *address)
{
    return ip_address_is_among(address, model->own, model->own_count);
}

/* What withholds this port; NULL: nothing that anchord tells. */
static const struct path_word *find_withheld(const struct judging *judging)
{
    const struct path_word *problem = NULL;

    for (size_t i = 0; i < judging->model->count; i++) {
        const struct path_word *word = &judging->model->words[i];

        if (word->kind == PATH_WORD_PROBLEM)
            problem = word;
        else if (word->kind == PATH_WORD_WITHHELD && problem && problem->problem != PROBLEM_PORT_CONFLICT &&
                 problem->problem != PROBLEM_LIST_IN_VAIN &&
                 has_port(word, judging->flow->protocol, judging->flow->port))
            return problem;
    }
    return NULL;
}

static const struct path_word *find_problem(const struct explain_model *model, const char *container,
                                            bool (*is_meant)(uint16_t problem))
{
    for (size_t i = 0; i < model->count; i++) {
        const struct path_word *word = &model->words[i];

        if (word->kind == PATH_WORD_PROBLEM && is_meant(word->problem) &&
            (!container || explain_is_container(word->name, container)))
            return word;
    }
    return NULL;
}

static bool is_invalid_label(uint16_t problem)
{
    return problem == PROBLEM_LABEL_INVALID;
}

static bool is_empty_project(uint16_t problem)
{
    return problem == PROBLEM_NO_CONTAINER;
}

static const char *title_of(uint16_t problem)
{
    size_t index;

    return problem_find(problem, &index) == 0 ? problem_definition(index)->title : "a problem";
}

/* What it says itself ends in what to do where it is a way. */
static bool tell_word(const struct judging *judging, const char *place, const struct path_word *word)
{
    struct judging about = *judging;
    size_t index;

    about.exposure = word;
    return step(&about, VERDICT_FAIL,
                problem_find(word->problem, &index) == 0 ? problem_definition(index)->problem : PROBLEM_NONE, place,
                NULL, "%s: %s", word->name, word->finding[0] ? word->finding : title_of(word->problem));
}

/* --- steps of both ways ---------------------------------------------------------------------------------------- */

static bool judge_tables(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (flow->facts.error < 0)
        return UNKNOWN(judging, "kernel", "docker exec NETWORK-ANCHOR anchord explain   # as root, in its container",
                       "the kernel cannot be asked: %s", log_errno_text(flow->facts.error));
    if (!flow->facts.has_table)
        return NO(judging, PROBLEM_RULES_NOT_LOADED, "rules", "the table %s is not in the kernel", table_of(flow));
    return true;
}

static bool judge_walls(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (flow->knows_walls && !flow->walls[0])
        return true;
    if (!flow->knows_walls)
        return UNKNOWN(judging, "foreign", "", "others' tables in this namespace cannot be read");
    return step(judging, VERDICT_UNKNOWN, PROBLEM_FOREIGN_TABLE, "foreign",
                "anchord explain … --live   # and make the connection: it names the rule",
                "somebody else's chain drops some packets, perhaps these: %s", flow->walls);
}

static bool judge_flows(const struct judging *judging)
{
    const struct explain_facts *facts = &judging->flow->facts;

    if (facts->error < 0 || !facts->knows_connections)
        return true;
    if (facts->has_flows && !judging->flow->is_out)
        return YES(judging, "flows", "%u now, %u of them answered; %llu new ones since the port is exposed",
                   (unsigned int)facts->connections, (unsigned int)facts->answered, (unsigned long long)facts->flows);
    return YES(judging, "flows", "%u now, %u of them answered", (unsigned int)facts->connections,
               (unsigned int)facts->answered);
}

static bool judge_forwarding(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (flow->facts.error < 0 || flow->facts.forwards)
        return true;
    return NO(judging, flow->to.family == IP_FAMILY_6 ? PROBLEM_FORWARDING_OFF : PROBLEM_FORWARDING4_OFF, "forwarding",
              "forwarding of %s is off", ip_family_to_string(flow->to.family));
}

/* --- in -------------------------------------------------------------------------------------------------------- */

static bool judge_destination(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (explain_is_own(judging->model, &flow->to))
        return YES(judging, "address", "%s is the project's address", IP_ADDRESS_TEXT(&flow->to));
    return NO(judging, PROBLEM_ISOLATED, "address",
              "%s is not the project's address: what comes from outside for anything else is dropped (%s, chain "
              "prerouting_filter)",
              IP_ADDRESS_TEXT(&flow->to), table_of(flow));
}

static bool judge_source(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (flow->from.family == IP_FAMILY_NONE || flow->facts.error < 0)
        return true;
    if (flow->facts.source_way == EXPLAIN_WAY_OURSELVES)
        return NO(judging, PROBLEM_FORGED_SOURCE, "source",
                  "%s is an address of the network-anchor's own: from outside it is dropped (%s, chain prerouting_raw)",
                  IP_ADDRESS_TEXT(&flow->from), table_of(flow));
    if (flow->is_from_inside)
        return YES(judging, "source", "%s is inside: it comes to the project's own address by %s",
                   IP_ADDRESS_TEXT(&flow->from), judging->model->shared);
    return YES(judging, "source", "%s comes by %s", IP_ADDRESS_TEXT(&flow->from), judging->model->external);
}

#define UNBAN_SIZE (IP_ADDRESS_TEXT_SIZE + NAME_SIZE + sizeof("anchord --project  ban del "))

static void tell_unban(const struct judging *judging, const struct ip_address *address, char ret[UNBAN_SIZE])
{
    const char *project = judging->model->project;

    (void)snprintf(ret, UNBAN_SIZE, "anchord %s%s%sban del %s", project[0] ? "--project " : "", project,
                   project[0] ? " " : "", IP_ADDRESS_TEXT(address));
}

static bool judge_ban(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    char remedy[UNBAN_SIZE];

    if (flow->from.family == IP_FAMILY_NONE || flow->facts.error < 0 || flow->is_from_inside)
        return true;
    if (flow->facts.source_ban == EXPLAIN_BAN_NONE)
        return YES(judging, "ban", "%s is not banned", IP_ADDRESS_TEXT(&flow->from));
    tell_unban(judging, &flow->from, remedy);
    return step(judging, VERDICT_FAIL, PROBLEM_SOURCE_BANNED, "ban", remedy,
                "%s is banned: %s is dropped (%s, chain %s); anchord ban list says until when and why",
                IP_ADDRESS_TEXT(&flow->from),
                flow->facts.source_ban == EXPLAIN_BAN_ALL ? "every packet" : "what is new", table_of(flow),
                flow->facts.source_ban == EXPLAIN_BAN_ALL ? "prerouting_raw" : "prerouting_nat");
}

static bool judge_unexposed(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct path_word *withheld = find_withheld(judging);
    const struct path_word *nobody = find_problem(judging->model, NULL, is_empty_project);
    const struct path_word *invalid = find_problem(judging->model, NULL, is_invalid_label);
    const struct path_word *other = explain_find_exposure(judging->model, flow->protocol, flow->port, IP_FAMILY_NONE);
    char remedy[160];

    if (withheld || nobody)
        return tell_word(judging, "label", withheld ? withheld : nobody);
    if (other)
        return NO(judging, PROBLEM_NOT_EXPOSED, "label", "%s exposes %s/%u, but not in %s", other->name,
                  protocol_name(flow->protocol), (unsigned int)flow->port, ip_family_to_string(flow->to.family));
    if (invalid)
        return tell_word(judging, "label", invalid);
    (void)snprintf(remedy, sizeof(remedy),
                   "labels: {anchord.expose: \"%s/%u\"}   # of the service that is meant, then: docker compose up -d",
                   protocol_name(flow->protocol), (unsigned int)flow->port);
    return step(judging, VERDICT_FAIL, PROBLEM_NOT_EXPOSED, "label", remedy,
                "no container's label exposes %s/%u: clients are refused, as by a server's closed port",
                protocol_name(flow->protocol), (unsigned int)flow->port);
}

static bool judge_label(struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct path_word *exposure =
        explain_find_exposure(judging->model, flow->protocol, flow->port, flow->to.family);
    const char *refused = "", *also = "";
    struct ip_address backend;

    if (!exposure)
        return judge_unexposed(judging);
    judging->exposure = exposure;
    backend = wire_address_to(&exposure->addresses[flow->to.family == IP_FAMILY_6 ? 1 : 0]);
    for (size_t i = 0; i < judging->model->count; i++) {
        const struct path_word *word = &judging->model->words[i];

        if (word->kind == PATH_WORD_CONFLICT && has_port(word, flow->protocol, flow->port)) {
            refused = word->name;
            also = " was refused it (ANC0102)";
        }
    }
    return YES(judging, "label", "%s/%u is exposed by %s, at %s port %u%s%s%s", protocol_name(flow->protocol),
               (unsigned int)flow->port, exposure->name, IP_ADDRESS_TEXT(&backend),
               (unsigned int)(exposure->backend + flow->port - exposure->first), refused[0] ? "; " : "", refused, also);
}

static const char *guests_of(const struct judging *judging)
{
    const struct path_word *next = judging->exposure + 1;

    return next < judging->model->words + judging->model->count && next->kind == PATH_WORD_GUESTS ? next->finding : "";
}

static bool judge_list(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const char *guests = guests_of(judging);

    if (flow->is_from_inside || !judging->exposure->has_guests)
        return true;
    if (!flow->facts.is_listed)
        return YES(judging, "list", "answers everybody, %s", guests);
    if (flow->facts.is_allowed)
        return YES(judging, "list", "%s is on the list: %s", IP_ADDRESS_TEXT(&flow->from), guests);
    if (flow->from.family == IP_FAMILY_NONE)
        return UNKNOWN(judging, "list", "anchord explain in … from ADDRESS", "it answers some alone: %s", guests);
    return NO(judging, PROBLEM_SOURCE_NOT_ALLOWED, "list", "%s is not on the list of %s, which answers %s",
              IP_ADDRESS_TEXT(&flow->from), judging->exposure->name, guests);
}

static bool judge_element(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct explain_facts *facts = &flow->facts;
    struct ip_address said = wire_address_to(&judging->exposure->addresses[flow->to.family == IP_FAMILY_6 ? 1 : 0]);
    struct ip_address backend = wire_address_to(&facts->backend);

    if (facts->error < 0)
        return true;
    if (!facts->has_element)
        return NO(judging, PROBLEM_ELEMENT_MISSING, "map", "%s is not in the map dnat_%s of %s",
                  protocol_name(flow->protocol), protocol_name(flow->protocol), table_of(flow));
    if (!ip_address_equal(&said, &backend))
        return NO(judging, PROBLEM_ELEMENT_MISSING, "map", "the map dnat_%s of %s leads to %s, not to %s",
                  protocol_name(flow->protocol), table_of(flow), IP_ADDRESS_TEXT(&backend), judging->exposure->name);
    return YES(judging, "map", "%u leads to %s port %u in the kernel", (unsigned int)flow->port,
               IP_ADDRESS_TEXT(&backend), (unsigned int)facts->backend_port);
}

static bool judge_route(const struct judging *judging)
{
    const struct explain_facts *facts = &judging->flow->facts;

    if (facts->error < 0)
        return true;
    if (facts->way_error < 0 || facts->way == EXPLAIN_WAY_NONE)
        return NO(judging, PROBLEM_NO_SHARED_INTERFACE, "route", "there is no route to it: %s",
                  facts->way_error < 0 ? log_errno_text(facts->way_error) : "the kernel refuses it");
    if (facts->way != EXPLAIN_WAY_INSIDE)
        return NO(judging, PROBLEM_OTHER_DEFAULT_ROUTE, "route", "its route leaves by %s, not inside",
                  facts->interface);
    return YES(judging, "route", "goes on by %s", facts->interface);
}

static bool judge_application(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const char *name = judging->exposure->name;

    switch (path_outcome(flow->application)) {
    case PROBE_ANSWERED:
        return YES(judging, "application", "%s answers the network-anchor", name);
    case PROBE_REFUSED:
        return NO(judging, PROBLEM_CLOSED_PORT, "application", "nobody listens there in %s: it refuses", name);
    case PROBE_SILENT:
        if (flow->protocol == IPPROTO_UDP && flow->facts.answered > 0)
            return YES(judging, "application", "%s has answered others", name);
        if (flow->protocol == IPPROTO_UDP)
            return UNKNOWN(judging, "application", "sudo anchord doctor path   # on the host: who listens",
                           "%s did not answer an empty datagram, as most do not", name);
        return NO(judging, PROBLEM_NO_ANSWER_INSIDE, "application", "%s does not answer the network-anchor", name);
    case PROBE_UNREACHABLE:
        return NO(judging, PROBLEM_NO_ANSWER_INSIDE, "application", "%s is not reached from the network-anchor: %s",
                  name, log_errno_text(flow->application->error));
    case PROBE_TOO_BIG:
    case PROBE_EXPIRED:
    case PROBE_LOOPBACK:
    case PROBE_ELSEWHERE:
    case PROBE_HALF_OPEN:
    case PROBE_FAILED:
    case PROBE_OUTCOME_MAX_:
        break;
    }
    return UNKNOWN(judging, "application", "", "could not be tried");
}

static bool judge_way_back(const struct judging *judging)
{
    const struct path_word *problem = find_problem(judging->model, judging->exposure->name, path_is_way);

    if (problem)
        return tell_word(judging, "way back", problem);
    return YES(judging, "way back", "anchord finds nothing that keeps its replies from coming back");
}

static bool judge_in(struct judging *judging)
{
    return judge_destination(judging) && judge_tables(judging) && judge_source(judging) && judge_ban(judging) &&
           judge_walls(judging) && judge_label(judging) && judge_list(judging) && judge_element(judging) &&
           judge_forwarding(judging) && judge_route(judging) && judge_application(judging) && judge_way_back(judging) &&
           judge_flows(judging);
}

/* --- out ------------------------------------------------------------------------------------------------------- */

static bool judge_container_way(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct path_word *problem =
        flow->container[0] ? find_problem(judging->model, flow->container, path_is_way) : NULL;

    if (problem)
        return tell_word(judging, "container", problem);
    if (!flow->container[0] && flow->facts.error == 0 && flow->facts.source_way != EXPLAIN_WAY_INSIDE)
        return UNKNOWN(judging, "container", "anchord explain out CONTAINER to …",
                       "%s is on none of the networks inside: no container has it", IP_ADDRESS_TEXT(&flow->from));
    if (!flow->container[0])
        return YES(judging, "container", "%s, if it has its default route by the network-anchor",
                   IP_ADDRESS_TEXT(&flow->from));
    return YES(judging, "container", "%s at %s: anchord finds nothing wrong with its way out", flow->container,
               IP_ADDRESS_TEXT(&flow->from));
}

static bool judge_way_out(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct explain_facts *facts = &flow->facts;
    const struct ip_address *gateway = &judging->model->gateways[flow->to.family == IP_FAMILY_6 ? 1 : 0];
    struct ip_address hop = wire_address_to(&facts->gateway);

    if (facts->way_error == 0 && facts->way == EXPLAIN_WAY_EXTERNAL)
        return hop.family == IP_FAMILY_NONE
                   ? YES(judging, "route", "is on the LAN, by %s", facts->interface)
                   : YES(judging, "route", "leaves by %s, to the router %s", facts->interface, IP_ADDRESS_TEXT(&hop));
    if (facts->way_error == 0 && facts->way == EXPLAIN_WAY_OURSELVES)
        return NO(judging, PROBLEM_ISOLATED, "route", "%s is the network-anchor itself, where nobody listens",
                  IP_ADDRESS_TEXT(&flow->to));
    if (facts->way_error == 0 && facts->way == EXPLAIN_WAY_INSIDE)
        return NO(judging, PROBLEM_ISOLATED, "route",
                  "%s is on another network of the network-anchor's, %s: no container is let through to it (%s, chain "
                  "forward)",
                  IP_ADDRESS_TEXT(&flow->to), facts->interface, table_of(flow));
    return NO(judging, gateway->family == IP_FAMILY_NONE ? PROBLEM_NO_GATEWAY : PROBLEM_NO_WAY_OUT, "route",
              "there is no route to %s: %s", IP_ADDRESS_TEXT(&flow->to),
              facts->way_error < 0 ? log_errno_text(facts->way_error) : "unreachable");
}

static bool judge_destination_ban(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    char remedy[UNBAN_SIZE];

    if (flow->facts.destination_ban != EXPLAIN_BAN_ALL)
        return true;
    tell_unban(judging, &flow->to, remedy);
    return step(judging, VERDICT_FAIL, PROBLEM_SOURCE_BANNED, "ban", remedy,
                "%s is banned: what goes there is dropped, too (%s, chain forward)", IP_ADDRESS_TEXT(&flow->to),
                table_of(flow));
}

/* As netadmin chooses it: IPv6's unique local one for its like if there is another, else whichever there is. */
static const struct ip_address *choose_egress(const struct explain_model *model, const struct ip_address *to)
{
    const struct ip_address *chosen = NULL;

    for (size_t i = 0; i < model->own_count; i++) {
        const struct ip_address *own = &model->own[i];

        if (own->family != to->family || ip_address_is_link_local(own))
            continue;
        if (own->family == IP_FAMILY_4 || ip_address_is_unique_local(own) == ip_address_is_unique_local(to))
            return own;
        chosen = own;
    }
    return chosen;
}

static bool judge_egress(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;
    const struct ip_address *own = choose_egress(judging->model, &flow->to);

    if (own)
        return YES(judging, "egress", "leaves as %s, as all of the project's containers do", IP_ADDRESS_TEXT(own));
    return NO(judging, PROBLEM_NO_PROJECT_ADDRESS, "egress", "the project has no address of %s to leave with",
              ip_family_to_string(flow->to.family));
}

static bool judge_neighbour(const struct judging *judging)
{
    const struct explain_facts *facts = &judging->flow->facts;
    struct ip_address hop =
        facts->gateway.family == IP_FAMILY_NONE ? judging->flow->to : wire_address_to(&facts->gateway);

    if (facts->neighbour == EXPLAIN_NEIGHBOUR_SILENT)
        return NO(judging, PROBLEM_GATEWAY_SILENT, "neighbour", "%s does not answer on the LAN", IP_ADDRESS_TEXT(&hop));
    if (facts->neighbour == EXPLAIN_NEIGHBOUR_ANSWERS)
        return YES(judging, "neighbour", "%s has answered on the LAN", IP_ADDRESS_TEXT(&hop));
    return true;
}

static bool judge_out(const struct judging *judging)
{
    const struct explain_flow *flow = judging->flow;

    if (flow->from.family == IP_FAMILY_NONE)
        return UNKNOWN(judging, "container", "anchord explain out ADDRESS to …   # with its address on transit",
                       "anchord exposes no port of %s, and so has no %s address of it", flow->container,
                       ip_family_to_string(flow->to.family));
    if (!judge_container_way(judging) || !judge_tables(judging) || flow->facts.error < 0)
        return false;
    if (flow->facts.way == EXPLAIN_WAY_INSIDE && strcmp(flow->facts.interface, judging->model->shared) == 0)
        return YES(judging, "route", "%s is on the same network: it goes there directly, and not by the network-anchor",
                   IP_ADDRESS_TEXT(&flow->to));
    return judge_walls(judging) && judge_destination_ban(judging) && judge_way_out(judging) &&
           judge_forwarding(judging) && judge_egress(judging) && judge_neighbour(judging) && judge_flows(judging);
}

void explain_judge(const struct explain_model *model, const struct explain_flow *flow, path_reporter report,
                   void *userdata)
{
    struct judging judging = {model, flow, NULL, report, userdata};

    if (flow->is_out && !explain_is_own(model, &flow->to))
        (void)judge_out(&judging);
    else if (!flow->is_out || judge_container_way(&judging))
        (void)judge_in(&judging);
}

void explain_judge_container(const struct explain_model *model, const char *container, path_reporter report,
                             void *userdata)
{
    struct judging judging = {.model = model, .report = report, .userdata = userdata};
    size_t told = 0;

    for (size_t i = 0; i < model->count; i++) {
        const struct path_word *word = &model->words[i];

        if (!explain_is_container(word->name, container))
            continue;
        told++;
        if (word->kind == PATH_WORD_PROBLEM)
            (void)tell_word(&judging, "problem", word);
    }
    if (told == 0)
        (void)NO(
            &judging, PROBLEM_NOT_EXPOSED, "label",
            "anchord exposes nothing of %s and has nothing to say of it: it has no label, or is not in the project",
            container);
}
