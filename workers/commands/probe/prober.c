/* A prober at work; see prober.h. Runs in anchord-probe without any privilege. */
#include "workers/commands/probe/prober.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ATTEMPTS_MAX 2
/* At once: what is open is a descriptor each. */
#define RUNNING_MAX 200
/* Between two attempts. */
#define PAUSE (200 * MICROSECONDS_PER_MILLISECOND)
/* Between two looks at the kernel's sockets. */
#define LOOK_INTERVAL (40 * MICROSECONDS_PER_MILLISECOND)
#define TURN          (20 * MICROSECONDS_PER_MILLISECOND)

static bool is_tried_once_more(const struct probe *probe)
{
    bool is_of_network =
        probe->request.kind == PROBE_TCP || probe->request.kind == PROBE_UDP || probe->request.kind == PROBE_DNS;
    bool is_refused = probe->result.outcome == PROBE_REFUSED || probe->result.outcome == PROBE_UNREACHABLE;
    bool is_of_router = probe->request.hop_limit > 0; /* then that is the answer, and it gives few a second */

    return is_of_network && probe->attempts < ATTEMPTS_MAX &&
           (probe->result.outcome == PROBE_SILENT || (is_refused && !is_of_router));
}

static int tell(struct prober *prober, struct probe *probe)
{
    probe->result.number = probe->request.number;
    return send(prober->channel, &probe->result, sizeof(probe->result), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int complete(struct prober *prober, struct probe *probe, uint64_t now)
{
    bool is_held = probe->request.kind == PROBE_TCP && probe->result.outcome == PROBE_ANSWERED;

    if (is_tried_once_more(probe)) {
        close_fd(&probe->fd);
        probe->state = PROBE_STATE_WAITING;
        probe->due = now + PAUSE;
        return 0;
    }
    probe->state = is_held ? PROBE_STATE_HELD : PROBE_STATE_OVER;
    probe->due = now + probe->request.milliseconds * MICROSECONDS_PER_MILLISECOND;
    if (!is_held) {
        close_fd(&probe->fd);
        close_fd(&probe->accepted);
    }
    return tell(prober, probe);
}

/* What a director who waits no longer needs to know already. */
static int tell_half_open(struct prober *prober, struct probe *probe)
{
    if (probe->is_told || probe->result.outcome != PROBE_HALF_OPEN)
        return 0;
    probe->is_told = true;
    return tell(prober, probe);
}

/* True: its result is complete. */
static bool begin(struct prober *prober, struct probe *probe, uint64_t now)
{
    probe->attempts++;
    probe->state = PROBE_STATE_RUNNING;
    probe->due = now + probe->request.milliseconds * MICROSECONDS_PER_MILLISECOND;
    probe->result = (struct probe_result){.outcome = PROBE_SILENT};
    if (probe->request.kind == PROBE_PEER)
        return false; /* look() */
    if (probe->request.kind == PROBE_LISTENERS)
        kernel_look_at_listeners(prober, probe);
    else if (probe->request.kind == PROBE_ROUTE)
        kernel_look_at_route(prober, probe);
    else
        return connection_begin(probe);
    return true;
}

static bool is_overdue(const struct probe *probe, uint64_t now)
{
    return now >= probe->due;
}

static int turn(struct prober *prober, struct probe *probe, bool is_woken, uint64_t now)
{
    bool is_complete = false;

    switch (probe->state) {
    case PROBE_STATE_WAITING:
        if (!is_overdue(probe, now))
            return 0;
        is_complete = begin(prober, probe, now);
        break;
    case PROBE_STATE_RUNNING:
        if (probe->request.kind == PROBE_PEER)
            is_complete = probe->result.outcome == PROBE_ANSWERED || probe->result.outcome == PROBE_FAILED;
        else if (is_woken)
            is_complete = connection_go_on(probe);
        is_complete = is_complete || is_overdue(probe, now);
        break;
    case PROBE_STATE_HELD:
        if (is_overdue(probe, now)) {
            close_fd(&probe->fd);
            probe->state = PROBE_STATE_OVER;
        }
        return 0;
    case PROBE_STATE_OVER:
        return 0;
    }
    return is_complete ? complete(prober, probe, now) : tell_half_open(prober, probe);
}

/* One request, or the end of them. Returns 1 when there may be more. */
static int take_request(struct prober *prober)
{
    struct probe_request request;
    struct probe *probes;
    ssize_t length = recv(prober->channel, &request, sizeof(request), MSG_TRUNC | MSG_DONTWAIT);

    if (length == 0) {
        prober->has_all = true;
        return 0;
    }
    if (length < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (length != sizeof(request) || !probe_request_is_valid(&request) || prober->count == PROBES_MAX)
        return -EBADMSG;
    probes = array_grow(prober->probes, prober->count, &prober->capacity, sizeof(*probes));
    if (!probes)
        return -ENOMEM;
    prober->probes = probes;
    probes[prober->count++] = (struct probe){
        .request = request,
        .fd = -1,
        .accepted = -1,
        .due = clock_monotonic_microseconds() + request.delay * MICROSECONDS_PER_MILLISECOND,
    };
    return 1;
}

/* All that are there: who watches has begun before others connect, also where each turn takes its time. */
static int take_requests(struct prober *prober)
{
    int result = 1;

    while (result > 0)
        result = take_request(prober);
    return result;
}

/* polled[0] is the channel, polled[1 + i] belongs to running[i]. */
static size_t collect(struct prober *prober, struct pollfd *polled, struct probe **running)
{
    size_t count = 0;

    polled[0] = (struct pollfd){.fd = prober->channel, .events = POLLIN};
    for (size_t i = 0; i < prober->count && count < RUNNING_MAX; i++) {
        struct probe *probe = &prober->probes[i];

        if (probe->state == PROBE_STATE_OVER)
            continue;
        polled[1 + count] = (struct pollfd){.fd = -1};
        if (probe->state == PROBE_STATE_RUNNING)
            polled[1 + count] = (struct pollfd){.fd = probe->fd, .events = connection_events(probe)};
        running[count++] = probe;
    }
    return count;
}

/* For all that watch at once: the kernel goes through the sockets of every namespace each time, 10 ms with half a
 * million buckets. At most half of the time. */
static void look(struct prober *prober, uint64_t now)
{
    uint64_t end;

    if (now < prober->next_look)
        return;
    kernel_look_at_peers(prober);
    end = clock_monotonic_microseconds();
    prober->next_look = end + (end - now > LOOK_INTERVAL ? end - now : LOOK_INTERVAL);
}

int prober_run(struct prober *prober)
{
    struct pollfd polled[1 + RUNNING_MAX];
    struct probe *running[RUNNING_MAX];

    while (!prober->has_all) {
        size_t count = collect(prober, polled, running);
        int result = poll(polled, 1 + count, count > 0 ? (int)(TURN / MICROSECONDS_PER_MILLISECOND) : -1);
        uint64_t now = clock_monotonic_microseconds();

        if (result < 0)
            return -errno;
        look(prober, now);
        for (size_t i = 0; i < count; i++) {
            result = turn(prober, running[i], polled[1 + i].revents != 0, now);
            if (result < 0)
                return result;
        }
        result = polled[0].revents ? take_requests(prober) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}
