/*
 * anchord-hold: owns the network namespace of a network-anchor, so that the anchor itself can be replaced without a
 * packet lost (KEEP-2). The first process of a container of its own; the network-anchor joins with
 * `network_mode: service:hold`.
 *
 * Runs as root with CAP_NET_ADMIN at its start, closes the namespace by one constant message (skeleton.h), takes a name
 * by which a network-anchor knows that it is there (protocol/holder.h), gives everything up and waits for its end.
 * Reads no byte from anybody but the kernel's answer to that message: no file, no environment, no configuration.
 *
 * It is replaced only when it changes, so it is built of what is in this directory and libc alone, and has a version of
 * its own (`version`).
 */
#include "protocol/holder.h"
#include "workers/hold/hold_version.h"
#include "workers/hold/skeleton.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* As those of common/sandbox.h. */
enum { STATUS_CLEAN = 0, STATUS_CONFIGURATION = 1, STATUS_SANDBOX = 3 };

#define LINE_SIZE 512

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no image is made for this machine"
#endif

/* One line like those of anchord's log; libc reads the time zone's file for it. Returns its length. */
static size_t make_line(char line[LINE_SIZE], const char *level, const char *text, const char *key, const char *detail)
{
    struct timespec now = {0};
    struct tm fields = {0};
    char when[32];
    int length;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &fields);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &fields);
    length = snprintf(line, LINE_SIZE,
                      "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"worker\":\"hold\",\"msg\":\"%s\",\"%s\":\"%s\"}\n",
                      when, now.tv_nsec / 1000, level, text, key, detail);
    return length > 0 && length < LINE_SIZE ? (size_t)length : 0;
}

static int fail(int status, const char *text, const char *error)
{
    char line[LINE_SIZE];
    size_t length = make_line(line, "ERROR", text, "error", error);

    return write(STDOUT_FILENO, line, length) < 0 ? STATUS_SANDBOX : status;
}

/* --- the namespace --------------------------------------------------------------------------------------- */

/* What the kernel says to the transaction: the answer is there when sendto(2) returns. 0 or an errno. */
static int read_verdict(int fd)
{
    _Alignas(8) char answer[8192];
    struct nlmsghdr *message = (struct nlmsghdr *)answer; /* not const: NLMSG_DATA() casts */
    const struct nlmsgerr *verdict = NLMSG_DATA(message);
    ssize_t length = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

    if (length < (ssize_t)NLMSG_LENGTH(sizeof(*verdict)))
        return length < 0 ? errno : EPROTO;
    return message->nlmsg_type == NLMSG_ERROR ? -verdict->error : EPROTO;
}

/* Until a network-anchor comes nothing passes, and nothing gets in. */
static int close_namespace(void)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    int error;

    if (fd < 0)
        return errno;
    error = sendto(fd, skeleton_batch, skeleton_batch_size, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0
                ? errno
                : read_verdict(fd);
    (void)close(fd);
    return error;
}

/* Kept to the end; nothing that is sent there is taken. */
static bool take_name(void)
{
    const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = HOLDER_NAME};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && bind(fd, (const struct sockaddr *)&name, HOLDER_NAME_LENGTH) == 0 && shutdown(fd, SHUT_RD) == 0;
}

/* `anchord-hold healthcheck`: somebody has the name. */
static bool is_held(void)
{
    const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = HOLDER_NAME};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && connect(fd, (const struct sockaddr *)&name, HOLDER_NAME_LENGTH) == 0;

    (void)close(fd);
    return is_there;
}

/* --- what is given up ------------------------------------------------------------------------------------ */

#define ALLOW(call_) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call_), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* To say that it is there, to wait for a signal, and to end. */
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ALLOW(SYS_rt_sigtimedwait),
    ALLOW(SYS_restart_syscall),
    ALLOW(SYS_write),
    ALLOW(SYS_exit_group),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

/* All capabilities for good, and every system call that it does not need. Returns the step that failed, or NULL. */
static const char *give_up(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        return "PR_SET_DUMPABLE";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return "PR_SET_NO_NEW_PRIVS";
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) < 0)
        return "PR_CAP_AMBIENT";
    if (syscall(SYS_capset, &header, none) < 0)
        return "capset";
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0L, 0L) < 0)
        return "PR_SET_SECCOMP";
    return NULL;
}

/* --- its life -------------------------------------------------------------------------------------------- */

/* The signals that end it wait here for sigwaitinfo(2). Who was started by `docker exec` and lost its parent is nobody
 * that anybody waits for. */
static bool block_signals(sigset_t *ret)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    return sigprocmask(SIG_BLOCK, ret, NULL) == 0 && sigaction(SIGCHLD, &ignore, NULL) == 0;
}

static int hold(void)
{
    char line[LINE_SIZE];
    const char *step;
    sigset_t signals;
    size_t length;
    int error;

    if (!block_signals(&signals))
        return fail(STATUS_SANDBOX, "cannot block signals", strerror(errno));
    if (is_held()) /* whoever tries what this program does must not close what is served */
        return fail(STATUS_CONFIGURATION, "another holder is in this network namespace", strerror(EADDRINUSE));
    error = close_namespace();
    if (error == EPERM)
        return fail(STATUS_CONFIGURATION,
                    "cannot close the namespace: add cap_add: [NET_ADMIN] to the service in Compose", strerror(error));
    if (error)
        return fail(STATUS_CONFIGURATION, "cannot close the namespace: the kernel lacks nftables support",
                    strerror(error));
    if (!take_name())
        return fail(STATUS_CONFIGURATION, "another holder is in this network namespace", strerror(errno));
    length = make_line(line, "INFO", "network namespace closed and held, waiting for a network-anchor", "version",
                       HOLD_VERSION);
    step = give_up();
    if (step)
        return fail(STATUS_SANDBOX, "cannot give up privileges", step);
    if (write(STDOUT_FILENO, line, length) < 0)
        return STATUS_SANDBOX; /* nobody would hear why */
    while (sigwaitinfo(&signals, NULL) < 0)
        ; /* interrupted by a debugger or a frozen control group */
    return STATUS_CLEAN;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return hold();
    if (argc == 2 && strcmp(argv[1], "healthcheck") == 0)
        return is_held() ? STATUS_CLEAN : STATUS_CONFIGURATION;
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts("anchord-hold " HOLD_VERSION) < 0 ? STATUS_CONFIGURATION : STATUS_CLEAN;
    (void)fputs("Usage: anchord-hold [healthcheck | version]\n"
                "\n"
                "Holds a network namespace for a network-anchor until it is stopped.\n",
                stderr);
    return STATUS_CONFIGURATION;
}
