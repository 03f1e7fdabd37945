/* Follows packets; see explain_follow.h. Runs as root in the command. */
#include "daemon/command/explain_follow.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#define TRACES_MAX 128 /* of one packet: no more rules apply to it */
/* What comes that late is no more of the same packet's. */
#define QUIET_MICROSECONDS (500 * MICROSECONDS_PER_MILLISECOND)

struct followed {
    const struct explain_flow *flow;
    struct explain_following following;
    struct explain_trace traces[TRACES_MAX]; /* of the first packet */
    size_t count;
    int error;
    bool is_begun;
};

static void end(struct followed *one, int error)
{
    close_fd(&one->following.channel);
    one->error = one->error < 0 ? one->error : error;
}

static void take(struct followed *one)
{
    struct explain_trace trace;
    ssize_t length = recv(one->following.channel, &trace, sizeof(trace), MSG_DONTWAIT | MSG_TRUNC);

    if (length < 0 && errno == EAGAIN)
        return;
    if (length != sizeof(trace) || !explain_trace_is_valid(&trace)) {
        end(one, length == 0 ? -ECONNRESET : -EBADMSG);
    } else if (trace.kind == EXPLAIN_TRACE_BEGUN) {
        one->is_begun = true;
        one->following.must_be_swept = trace.verdict != 0;
    } else if (trace.kind == EXPLAIN_TRACE_OVER) {
        end(one, trace.error < 0 ? trace.error : -ECONNRESET);
    } else if (trace.packet == 0 && one->count < TRACES_MAX) {
        one->traces[one->count++] = trace;
    }
}

/* False: nobody tells anything more. */
static bool await(struct followed *followed, size_t count, uint64_t until)
{
    struct pollfd polled[EXPLAIN_FOLLOWED_MAX];
    uint64_t now = clock_monotonic_microseconds();
    size_t open = 0;

    for (size_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = followed[i].following.channel, .events = POLLIN};
        open += followed[i].following.channel >= 0;
    }
    if (open == 0 || now >= until || poll(polled, count, (int)((until - now) / MICROSECONDS_PER_MILLISECOND) + 1) <= 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents)
            take(&followed[i]);
    }
    return true;
}

static bool all_begun(const struct followed *followed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!followed[i].is_begun && followed[i].following.channel >= 0)
            return false;
    }
    return true;
}

static size_t told(const struct followed *followed, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += followed[i].count;
    return sum;
}

static void follow_all(struct followed *followed, size_t count, unsigned int seconds, struct explain_output *output)
{
    uint64_t until = clock_monotonic_microseconds() + 5 * MICROSECONDS_PER_SECOND;
    char text[128];

    while (!all_begun(followed, count) && await(followed, count, until))
        continue;
    (void)snprintf(text, sizeof(text), "live: for %u s such a packet is followed; make the connection now", seconds);
    explain_output_follow(output, text);
    until = clock_monotonic_microseconds() + seconds * MICROSECONDS_PER_SECOND;
    while (await(followed, count, until)) {
        uint64_t quiet = clock_monotonic_microseconds() + QUIET_MICROSECONDS;

        if (told(followed, count) > 0 && quiet < until)
            until = quiet;
    }
}

/* Of one connection. */
static enum explain_end judge(const struct explain_model *model, const struct followed *one,
                              struct explain_output *output)
{
    struct answer answer = {.verdict = VERDICT_UNKNOWN, .object = "live"};
    char title[160];

    (void)snprintf(title, sizeof(title), "live: %s to %s port %u", one->flow->protocol == IPPROTO_UDP ? "udp" : "tcp",
                   IP_ADDRESS_TEXT(&one->flow->to), (unsigned int)one->flow->port);
    explain_output_title(output, title);
    for (size_t i = 0; i < one->count; i++)
        explain_output_trace(output, &one->traces[i]);
    if (one->count == 0 && one->error < 0)
        (void)snprintf(answer.sentence, sizeof(answer.sentence), "packets cannot be followed: %s",
                       one->error == -EEXIST || one->error == -EPERM ? "somebody else does, or root is needed"
                                                                     : log_errno_text(one->error));
    else
        explain_judge_trace(model, one->flow, one->traces, one->count, &answer);
    explain_output_step(&answer, output);
    return explain_output_verdict(output);
}

int explain_follow(const struct explain_place *place, const struct explain_model *model,
                   const struct explain_flow *flows, size_t count, unsigned int seconds, struct explain_output *output)
{
    CLEANUP_FREE struct followed *followed = calloc(EXPLAIN_FOLLOWED_MAX, sizeof(*followed));
    int status = 3;

    if (!followed)
        return status;
    for (size_t i = 0; i < count; i++) {
        followed[i].flow = &flows[i];
        followed[i].error = explain_kernel_follow(place, model, &flows[i], &followed[i].following);
    }
    follow_all(followed, count, seconds, output);
    for (size_t i = 0; i < count; i++) {
        bool is_meant = followed[i].count > 0 || told(followed, count) == 0;
        enum explain_end end = is_meant ? judge(model, &followed[i], output) : EXPLAIN_END_UNKNOWN;

        if (is_meant && end != EXPLAIN_END_UNKNOWN && status != 1) /* of two families the worse */
            status = end == EXPLAIN_END_REACHES ? 0 : 1;
        explain_kernel_end(place, &followed[i].following);
    }
    return status;
}
