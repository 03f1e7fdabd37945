/* Asks the kernel of an anchor's namespace; see explain_kernel.h. Runs as root. */
#include "daemon/command/explain_kernel.h"

#include "common/cleanup.h"
#include "daemon/supervise/spawn.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PROGRAM            ANCHORD_WORKER_DIRECTORY "/anchord-explain"
#define LOOK_MILLISECONDS  5000
#define READY_MILLISECONDS 3000
#define TRY_MILLISECONDS   1200 /* of an attempt; there are two */

static const char *const no_words[] = {NULL};

static void end_process(pid_t pid, int *channel)
{
    close_fd(channel);
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}

/* By what its packets come: those of containers by the shared link. */
static struct explain_request request_of(enum explain_kind kind, const struct explain_model *model,
                                         const struct explain_flow *flow)
{
    struct explain_request request = {
        .kind = kind,
        .protocol = flow->protocol,
        .destination_count = 1,
        .port = flow->port,
        .is_exposable = explain_is_own(model, &flow->to),
        .source = wire_address_from(&flow->from),
    };
    bool is_inside = flow->is_out || flow->is_from_inside;

    request.destinations[0] = wire_address_from(&flow->to);
    text_copy_cut(request.input, sizeof(request.input), is_inside ? model->shared : model->external);
    text_copy_cut(request.external, sizeof(request.external), model->external);
    return request;
}

/* Starts one, and hands it the request. Returns its channel or a negative errno. */
static int begin(const struct explain_place *place, const struct explain_request *request, pid_t *ret_pid)
{
    CLEANUP_FD int channel = -1;
    int result = path_prober_spawn(PROGRAM, place->namespace, no_words, ret_pid);

    if (result < 0)
        return result;
    channel = result;
    if (send(channel, request, sizeof(*request), MSG_NOSIGNAL) == sizeof(*request))
        return TAKE_FD(channel);
    result = -errno;
    end_process(*ret_pid, &channel);
    return result;
}

static int ask(const struct explain_place *place, const struct explain_request *request, struct explain_facts *ret)
{
    pid_t pid = 0;
    int channel = begin(place, request, &pid);
    struct pollfd polled = {.fd = channel, .events = POLLIN};
    int result = channel < 0 ? channel : 0;

    if (result == 0 && poll(&polled, 1, LOOK_MILLISECONDS) <= 0)
        result = -ETIMEDOUT;
    if (result == 0 &&
        (recv(channel, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC) != sizeof(*ret) || !explain_facts_are_valid(ret)))
        result = -EBADMSG;
    end_process(pid, &channel);
    return result;
}

static void look(const struct explain_place *place, const struct explain_model *model, struct explain_flow *flow)
{
    struct explain_request request = request_of(EXPLAIN_LOOK, model, flow);
    int result = ask(place, &request, &flow->facts);

    if (result < 0)
        flow->facts = (struct explain_facts){.error = result};
}

static void read_walls(const struct explain_place *place, struct explain_flow *flow)
{
    struct path_prober prober;
    struct probe_wall wall = {0};
    size_t length = 0;

    path_prober_start(&prober, place->namespace, (const char *const[]){"walls", NULL});
    while (path_prober_read_wall(&prober, &wall, LOOK_MILLISECONDS) && wall.kind != PROBE_WALL_END) {
        bool is_other = strcmp(wall.family, flow->to.family == IP_FAMILY_6 ? "ip" : "ip6") == 0;

        if (!is_other && length < sizeof(flow->walls))
            length += (size_t)snprintf(flow->walls + length, sizeof(flow->walls) - length, "%s%s %s %s",
                                       length > 0 ? ", " : "", wall.family, wall.table, wall.chain);
    }
    flow->knows_walls = wall.kind == PROBE_WALL_END;
    path_prober_end(&prober);
}

static void try_application(struct explain_place *place, struct explain_flow *flow)
{
    struct path_prober *const prober = &place->prober;
    struct probe_request request = {
        .kind = flow->protocol == IPPROTO_TCP ? PROBE_TCP : PROBE_UDP,
        .milliseconds = TRY_MILLISECONDS,
        .port = flow->facts.backend_port,
        .target = flow->facts.backend,
    };

    if (!prober->is_ready)
        return;
    flow->application = path_prober_ask(prober, &request);
    path_prober_collect(&prober, 1, 2 * TRY_MILLISECONDS + 500);
}

void explain_place_begin(struct explain_place *place, int namespace)
{
    static const char *const here[] = {"here", NULL};
    static const char *const elsewhere[] = {"namespace", NULL};
    struct path_prober *const prober = &place->prober;

    place->namespace = namespace;
    path_prober_start(prober, namespace, namespace < 0 ? here : elsewhere);
    path_prober_await_ready(&prober, 1, READY_MILLISECONDS);
}

void explain_place_end(struct explain_place *place)
{
    path_prober_end(&place->prober);
    close_fd(&place->namespace);
}

void explain_kernel_look(struct explain_place *place, const struct explain_model *model, struct explain_flow *flow)
{
    look(place, model, flow);
    if (!flow->is_out && flow->from.family != IP_FAMILY_NONE && flow->facts.source_way == EXPLAIN_WAY_INSIDE) {
        flow->is_from_inside = true;
        look(place, model, flow);
    }
    flow->is_from_inside = flow->is_from_inside || flow->is_out;
    read_walls(place, flow);
    if (explain_is_own(model, &flow->to) && flow->facts.has_element)
        try_application(place, flow);
}

int explain_kernel_follow(const struct explain_place *place, const struct explain_model *model,
                          const struct explain_flow *flow, struct explain_following *ret)
{
    struct explain_request request = request_of(EXPLAIN_TRACE, model, flow);
    int result = begin(place, &request, &ret->pid);

    if (result < 0)
        ret->pid = 0;
    ret->channel = result < 0 ? -1 : result;
    return result < 0 ? result : 0;
}

void explain_kernel_end(const struct explain_place *place, struct explain_following *following)
{
    const struct explain_request sweep = {.kind = EXPLAIN_SWEEP};
    pid_t pid = 0;
    int channel;

    end_process(following->pid, &following->channel);
    following->pid = 0;
    if (!following->must_be_swept)
        return;
    channel = begin(place, &sweep, &pid);
    if (channel >= 0)
        (void)waitpid(pid, NULL, 0);
    close_fd(&channel);
}
