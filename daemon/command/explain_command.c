/* The command `anchord explain`; see explain_command.h. Runs as root. */
#include "daemon/command/explain_command.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/command/explain_follow.h"
#include "daemon/command/explain_kernel.h"
#include "daemon/command/explain_model.h"
#include "daemon/command/explain_output.h"
#include "daemon/command/explain_words.h"
#include "daemon/supervise/runtime_directory.h"
#include "protocol/control_interface.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_REACHES, STATUS_STOPPED, STATUS_USAGE, STATUS_BLIND };

/* Somewhere on the internet: RFC 5737's TEST-NET-2, RFC 9637's documentation prefix; the port of HTTPS. */
#define ANYWHERE4     "198.51.100.1"
#define ANYWHERE6     "3fff::1"
#define ANYWHERE_PORT 443

struct explaining {
    const struct explain_words *words;
    struct explain_model model;
    struct explain_place place;
    struct explain_output output;
    struct explain_flow flows[EXPLAIN_FOLLOWED_MAX]; /* those that --live follows */
    size_t flow_count;
    int status;
};

static const uint8_t families[] = {IP_FAMILY_4, IP_FAMILY_6};

/* The worst of all: what is stopped, before what nobody knows. */
static void note(struct explaining *explaining, enum explain_end end)
{
    if (end == EXPLAIN_END_STOPPED)
        explaining->status = STATUS_STOPPED;
    else if (end == EXPLAIN_END_UNKNOWN && explaining->status == STATUS_REACHES)
        explaining->status = STATUS_BLIND;
}

static void print_title(struct explaining *explaining, const struct explain_flow *flow)
{
    char title[NAME_SIZE + 3 * IP_ADDRESS_TEXT_SIZE + 64];
    bool is_anybody = flow->from.family == IP_FAMILY_NONE;

    (void)snprintf(title, sizeof(title), "%s from %s%s%s to %s", flow->protocol == IPPROTO_UDP ? "udp" : "tcp",
                   flow->is_out ? flow->container : "", flow->is_out && flow->container[0] ? " " : "",
                   !is_anybody    ? IP_ADDRESS_TEXT(&flow->from)
                   : flow->is_out ? "(no address known)"
                                  : "anybody",
                   IP_PLACE_TEXT(&flow->to, flow->port));
    explain_output_title(&explaining->output, title);
}

/* Of each family the first. */
static bool is_followed(const struct explaining *explaining, const struct explain_flow *flow)
{
    for (size_t i = 0; i < explaining->flow_count; i++) {
        if (explaining->flows[i].to.family == flow->to.family)
            return false;
    }
    return explaining->words->seconds > 0 && explaining->flow_count < EXPLAIN_FOLLOWED_MAX;
}

static void explain_flow(struct explaining *explaining, struct explain_flow *flow)
{
    print_title(explaining, flow);
    if (!flow->is_out || flow->from.family != IP_FAMILY_NONE)
        explain_kernel_look(&explaining->place, &explaining->model, flow);
    explain_judge(&explaining->model, flow, explain_output_step, &explaining->output);
    note(explaining, explain_output_verdict(&explaining->output));
    if (is_followed(explaining, flow))
        explaining->flows[explaining->flow_count++] = *flow;
}

/* --- in -------------------------------------------------------------------------------------------------------- */

static void explain_in_at(struct explaining *explaining, uint8_t protocol, uint16_t port, const struct ip_address *to)
{
    struct explain_flow flow = {
        .protocol = protocol, .port = port, .from = explaining->words->from, .to = *to, .container = ""};

    explain_flow(explaining, &flow);
}

/* Unique local sources are answered by the unique local address; NULL: there is none of the family. */
static const struct ip_address *choose_own(const struct explaining *explaining, uint8_t family)
{
    const struct explain_model *model = &explaining->model;
    bool is_local = ip_address_is_unique_local(&explaining->words->from);
    const struct ip_address *chosen = NULL;

    for (size_t i = 0; i < model->own_count; i++) {
        if (model->own[i].family == family && (!chosen || ip_address_is_unique_local(&model->own[i]) == is_local))
            chosen = &model->own[i];
    }
    return chosen;
}

/* To the project's address of each family that the source has, and in which the port is exposed; of one that is in
 * none, in both. */
static void explain_in(struct explaining *explaining, uint8_t protocol, uint16_t port)
{
    const struct explain_model *model = &explaining->model;
    bool is_exposed = explain_find_exposure(model, protocol, port, IP_FAMILY_NONE);
    size_t told = 0;

    if (explaining->words->to.family != IP_FAMILY_NONE) {
        explain_in_at(explaining, protocol, port, &explaining->words->to);
        return;
    }
    for (size_t family = 0; family < ARRAY_LENGTH(families); family++) {
        bool is_meant = explaining->words->from.family == families[family] ||
                        (explaining->words->from.family == IP_FAMILY_NONE &&
                         (!is_exposed || explain_find_exposure(model, protocol, port, families[family])));

        const struct ip_address *own = is_meant ? choose_own(explaining, families[family]) : NULL;

        if (!own)
            continue;
        explain_in_at(explaining, protocol, port, own);
        told++;
    }
    if (told == 0) {
        const struct answer answer = {.verdict = VERDICT_FAIL,
                                      .problem = PROBLEM_NO_PROJECT_ADDRESS,
                                      .object = "address",
                                      .sentence = "the project has no address on the LAN of that family",
                                      .remedy = "anchord status"};

        explain_output_title(&explaining->output, "the project's address");
        explain_output_step(&answer, &explaining->output);
        note(explaining, explain_output_verdict(&explaining->output));
    }
}

/* --- out ------------------------------------------------------------------------------------------------------- */

static void explain_out(struct explaining *explaining, const char *container, uint8_t protocol, uint16_t port,
                        const struct ip_address *to)
{
    struct explain_flow flow = {.is_out = true, .protocol = protocol, .port = port, .to = *to, .container = container};

    if (ip_address_parse(container, &flow.from) == 0)
        flow.container = "";
    else
        flow.from = explain_model_address(&explaining->model, container, to->family);
    explain_flow(explaining, &flow);
}

/* --- container ------------------------------------------------------------------------------------------------- */

static void explain_container(struct explaining *explaining, const char *container)
{
    const struct explain_model *model = &explaining->model;
    bool is_problem = false;

    explain_output_title(&explaining->output, container);
    explain_judge_container(model, container, explain_output_step, &explaining->output);
    note(explaining, explain_output_verdict(&explaining->output));
    for (size_t i = 0; i < model->count; i++) {
        const struct path_word *word = &model->words[i];
        bool is_port = word->kind == PATH_WORD_EXPOSURE || (word->kind == PATH_WORD_WITHHELD && is_problem);

        if (word->kind == PATH_WORD_PROBLEM)
            is_problem = explain_is_container(word->name, container) && word->problem != PROBLEM_PORT_CONFLICT;
        if (is_port && (word->kind == PATH_WORD_WITHHELD || explain_is_container(word->name, container)))
            explain_in(explaining, word->protocol, word->first);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        struct ip_address anywhere;

        if (explain_model_address(model, container, families[i]).family != IP_FAMILY_NONE &&
            ip_address_parse(families[i] == IP_FAMILY_6 ? ANYWHERE6 : ANYWHERE4, &anywhere) == 0)
            explain_out(explaining, container, IPPROTO_TCP, ANYWHERE_PORT, &anywhere);
    }
}

/* --- together -------------------------------------------------------------------------------------------------- */

static int fail(int error)
{
    const char *text = error == -ENOENT || error == -ECONNREFUSED ? "anchord does not run here"
                       : error == -EACCES || error == -EPERM      ? "only root may ask"
                       : error == -ETIMEDOUT                      ? "anchord does not answer"
                                                                  : log_errno_text(error);

    (void)fprintf(stderr, "anchord explain: %s\n", text);
    return STATUS_BLIND;
}

/* That of a project attached by units (packaging/systemd/attached-namespace), with --project; else -1, ours. */
static int open_namespace(struct explain_model *model, int *ret)
{
    const char *project = runtime_directory_path();
    char path[sizeof("/run/netns/anchord-") + NAME_SIZE];

    *ret = -1;
    if (!text_skip(&project, CONTROL_DIRECTORY "/"))
        return 0;
    text_copy_cut(model->project, sizeof(model->project), project);
    (void)snprintf(path, sizeof(path), "/run/netns/anchord-%s", project);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

static int explain(struct explaining *explaining)
{
    const struct explain_words *words = explaining->words;
    int namespace = -1;
    int result = explain_model_read(&explaining->model);

    if (result == 0)
        result = open_namespace(&explaining->model, &namespace);
    if (result == 0)
        result = explain_output_begin(&explaining->output, words->as_json);
    if (result < 0)
        return result;
    explain_place_begin(&explaining->place, namespace);
    switch (words->kind) {
    case EXPLAIN_WORDS_IN:
        explain_in(explaining, words->protocol, words->port);
        break;
    case EXPLAIN_WORDS_OUT:
        explain_out(explaining, words->container, words->protocol, words->port, &words->to);
        break;
    case EXPLAIN_WORDS_CONTAINER:
        explain_container(explaining, words->container);
        break;
    }
    if (words->seconds > 0)
        explaining->status = explain_follow(&explaining->place, &explaining->model, explaining->flows,
                                            explaining->flow_count, words->seconds, &explaining->output);
    explain_output_end(&explaining->output);
    return fflush(stdout) < 0 ? -errno : ferror(stdout) ? -EIO : 0;
}

int explain_command(int argc, char **argv)
{
    CLEANUP_FREE struct explaining *explaining = calloc(1, sizeof(*explaining));
    struct explain_words words;
    int result;

    if (!explain_words_parse(argc, argv, &words))
        return STATUS_USAGE;
    if (words.wants_help)
        return STATUS_REACHES;
    if (!explaining)
        return fail(-ENOMEM);
    explaining->words = &words;
    explaining->place = (struct explain_place){.namespace = -1, .prober = {.channel = -1}};
    result = explain(explaining);
    explain_place_end(&explaining->place);
    explain_model_clear(&explaining->model);
    return result < 0 ? fail(result) : explaining->status;
}
