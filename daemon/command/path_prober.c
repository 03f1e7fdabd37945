/* Starts anchord-probe and asks it; see path_prober.h. Runs as root. */
#include "daemon/command/path_prober.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/sandbox.h"
#include "daemon/supervise/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PROGRAM           ANCHORD_WORKER_DIRECTORY "/anchord-probe"
#define ARGUMENTS_MAX     8
#define PROBERS_MAX       128
#define ROOM_MILLISECONDS 2000
/* A prober looks at its kernel's sockets that often, and once more. */
#define SEEN_MILLISECONDS 100

static void give_up(struct path_prober *prober, int error)
{
    prober->is_over = true;
    if (!prober->is_ready)
        prober->error = error;
}

_Noreturn static void become(const char *program, int channel, int namespace, pid_t parent,
                             const char *const *arguments)
{
    static char *const no_environment[] = {NULL};
    const char *words[ARGUMENTS_MAX + 2] = {strrchr(program, '/') + 1};
    char number[16];
    size_t count = 1;
    sigset_t none;

    for (; *arguments && count < ARGUMENTS_MAX; arguments++)
        words[count++] = *arguments;
    if (namespace >= 0) {
        (void)snprintf(number, sizeof(number), "%d", namespace);
        words[count++] = number;
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) == 0 && getppid() == parent && chdir("/") == 0 &&
        dup2(channel, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 &&
        (namespace < 0 || fcntl(namespace, F_SETFD, 0) == 0))
        (void)execve(program, (char *const *)(uintptr_t)words, no_environment);
    _exit(EXIT_STATUS_CRASH);
}

int path_prober_spawn(const char *program, int namespace, const char *const *arguments, pid_t *ret_pid)
{
    CLEANUP_FD int ours = -1;
    CLEANUP_FD int theirs = -1;
    pid_t parent = getpid();
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    ours = ends[0];
    theirs = ends[1];
    *ret_pid = fork();
    if (*ret_pid < 0)
        return -errno;
    if (*ret_pid == 0)
        become(program, theirs, namespace, parent, arguments);
    return TAKE_FD(ours);
}

void path_prober_start(struct path_prober *prober, int namespace, const char *const *arguments)
{
    int result = -ENOMEM;

    *prober = (struct path_prober){.channel = -1};
    prober->results = calloc(PROBES_MAX, sizeof(*prober->results));
    prober->is_watch = calloc(PROBES_MAX, sizeof(*prober->is_watch));
    if (prober->results && prober->is_watch)
        result = path_prober_spawn(PROGRAM, namespace, arguments, &prober->pid);
    if (result >= 0) {
        prober->channel = result;
    } else {
        prober->pid = 0;
        give_up(prober, result);
    }
}

/* The first record says whether it stands where it was to stand. */
static void take_hello(struct path_prober *prober, const struct probe_result *hello)
{
    if (hello->outcome != PROBE_ANSWERED) {
        give_up(prober, hello->error < 0 ? hello->error : -EPROTO);
        return;
    }
    prober->address6 = wire_address_to(&hello->address);
    prober->is_ready = true;
}

static void take(struct path_prober *prober)
{
    struct probe_result result;
    ssize_t length = recv(prober->channel, &result, sizeof(result), MSG_DONTWAIT | MSG_TRUNC);

    if (length < 0 && errno == EAGAIN)
        return;
    if (length != sizeof(result) || !probe_result_is_valid(&result)) {
        give_up(prober, length == 0 ? -ECONNRESET : -EBADMSG);
    } else if (!prober->is_ready) {
        take_hello(prober, &result);
    } else if (result.number < prober->asked) {
        struct probe_result *known = &prober->results[result.number];

        prober->told += prober->is_watch[result.number] || known->outcome != 0 ? 0 : 1;
        *known = result;
    }
}

static bool is_waited_for(const struct path_prober *prober, bool for_ready)
{
    return !prober->is_over && (for_ready ? !prober->is_ready : prober->told < prober->awaited);
}

static void follow(struct path_prober *const *probers, size_t count, bool for_ready, unsigned int milliseconds)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t deadline = now + milliseconds * MICROSECONDS_PER_MILLISECOND;

    for (; now < deadline; now = clock_monotonic_microseconds()) {
        struct pollfd polled[PROBERS_MAX];
        size_t waiting = 0;

        for (size_t i = 0; i < count && i < PROBERS_MAX; i++) {
            bool is_waiting = is_waited_for(probers[i], for_ready);

            polled[i] = (struct pollfd){.fd = is_waiting ? probers[i]->channel : -1, .events = POLLIN};
            waiting += is_waiting ? 1 : 0;
        }
        if (waiting == 0)
            return;
        if (poll(polled, count < PROBERS_MAX ? count : PROBERS_MAX,
                 (int)((deadline - now) / MICROSECONDS_PER_MILLISECOND) + 1) < 0)
            return;
        for (size_t i = 0; i < count && i < PROBERS_MAX; i++) {
            if (polled[i].revents)
                take(probers[i]);
        }
    }
}

void path_prober_await_ready(struct path_prober *const *probers, size_t count, unsigned int milliseconds)
{
    follow(probers, count, true, milliseconds);
    for (size_t i = 0; i < count; i++) {
        if (!probers[i]->is_ready && !probers[i]->is_over)
            give_up(probers[i], -ETIMEDOUT);
    }
}

void path_prober_collect(struct path_prober *const *probers, size_t count, unsigned int milliseconds)
{
    follow(probers, count, false, milliseconds);
    (void)poll(NULL, 0, SEEN_MILLISECONDS);
    for (size_t i = 0; i < count; i++) {
        struct pollfd polled = {.fd = probers[i]->channel, .events = POLLIN};

        while (!probers[i]->is_over && poll(&polled, 1, 0) > 0)
            take(probers[i]);
    }
}

/* It may wait for us to read what it tells. */
static bool make_room(struct path_prober *prober)
{
    struct pollfd polled = {.fd = prober->channel, .events = POLLIN | POLLOUT};

    if (poll(&polled, 1, ROOM_MILLISECONDS) <= 0)
        return false;
    if (polled.revents & POLLIN)
        take(prober);
    return !prober->is_over;
}

const struct probe_result *path_prober_ask(struct path_prober *prober, const struct probe_request *request)
{
    struct probe_request numbered = *request;

    if (prober->is_over || prober->asked == PROBES_MAX)
        return NULL;
    numbered.number = (uint32_t)prober->asked;
    while (send(prober->channel, &numbered, sizeof(numbered), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EAGAIN || !make_room(prober)) {
            give_up(prober, -errno);
            return NULL;
        }
    }
    prober->is_watch[prober->asked] = request->kind == PROBE_PEER || request->kind == PROBE_ACCEPT;
    prober->awaited += prober->is_watch[prober->asked] ? 0 : 1;
    return &prober->results[prober->asked++];
}

bool path_prober_read_wall(struct path_prober *prober, struct probe_wall *ret, int milliseconds)
{
    struct pollfd polled = {.fd = prober->channel, .events = POLLIN};

    return !prober->is_over && poll(&polled, 1, milliseconds) > 0 &&
           recv(prober->channel, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC) == sizeof(*ret) &&
           probe_wall_is_valid(ret);
}

void path_prober_end(struct path_prober *prober)
{
    close_fd(&prober->channel);
    if (prober->pid > 0) {
        (void)kill(prober->pid, SIGKILL);
        (void)waitpid(prober->pid, NULL, 0);
    }
    free(prober->results);
    free(prober->is_watch);
    *prober = (struct path_prober){.channel = -1};
}
