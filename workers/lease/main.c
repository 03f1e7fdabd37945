/*
 * anchord-lease: the script of the supervised dhcpcd, which dhcpcd starts for everything that happens to a lease.
 *
 * Reads dhcpcd's environment, sends one LEASE_EVENT over the lease socket, waits until the supervisor has taken it, so
 * that what it hears has an order, and ends: with 0, or with 1 and a line on standard error, which is dhcpcd's and
 * ends in our log. Runs as dhcpcd's user; drops what it inherited and seals itself before it looks at any value that a
 * DHCP server chose. A drop-in for a dhcpcd of the host starts it as root (packaging/dhcpcd).
 */
#include "common/sandbox.h"
#include "protocol/messages.h"
#include "workers/lease/lease_environment.h"

#include "common/cleanup.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* dhcpcd does nothing else meanwhile: its scripts are synchronous. */
#define ANSWER_TIMEOUT_MILLISECONDS 1000

#define EXIT_STATUS_NOT_REPORTED 1

/* Compiled into dhcpcd. */
#define LEASE_FILE "/var/lib/dhcpcd/%s.lease"

/* Not dprintf(), which asks for the file's offset first: a sealed process dies of that. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[256];
    va_list arguments;
    ssize_t written;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    written = write(STDERR_FILENO, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
    (void)written; /* there is nobody else to tell */
}

static int fail(const char *what, const char *why)
{
    say("anchord-lease: %s: %s\n", what, why);
    return EXIT_STATUS_NOT_REPORTED;
}

/* A dhcpcd of the host runs its hooks as root, with every capability; a supervised one has nothing to drop here. */
static int empty_bounding_set(void)
{
    for (unsigned long capability = 0; capability < 64; capability++) {
        int held = prctl(PR_CAPBSET_READ, capability, 0L, 0L, 0L);

        if (held > 0 && prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L) < 0)
            return -errno;
    }
    return 0;
}

/* Never waits for a supervisor that does not accept: the queue of the socket is long enough, or it is stuck. */
static int connect_to_supervisor(int *ret)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const char *path = getenv(LEASE_SOCKET_ENVIRONMENT);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length;

    if (fd < 0)
        return -errno;
    length = snprintf(address.sun_path, sizeof(address.sun_path), "%s", path ? path : LEASE_SOCKET_PATH);
    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

/* Its end of the connection is closed when the supervisor is done with the message. */
static int deliver(int fd, const struct message_lease_event *event)
{
    struct pollfd taken = {.fd = fd, .events = POLLIN};

    if (send(fd, event, sizeof(*event), MSG_NOSIGNAL) != (ssize_t)sizeof(*event))
        return -errno;
    if (poll(&taken, 1, ANSWER_TIMEOUT_MILLISECONDS) < 0)
        return -errno;
    return taken.revents ? 0 : -ETIMEDOUT;
}

/*
 * How long ago dhcpcd wrote down the lease of IPv4, which it does when a server has given or confirmed it, and at no
 * other time (measured). Unknown without a file, and where the clock was set back since.
 */
static uint64_t lease_age(void)
{
    const char *interface = getenv("interface");
    char path[sizeof(LEASE_FILE) + INTERFACE_NAME_SIZE];
    struct stat status;
    time_t now = time(NULL);

    if (!interface || strlen(interface) >= INTERFACE_NAME_SIZE || strchr(interface, '/'))
        return LEASE_AGE_UNKNOWN;
    (void)snprintf(path, sizeof(path), LEASE_FILE, interface);
    if (stat(path, &status) < 0 || status.st_mtime > now)
        return LEASE_AGE_UNKNOWN;
    return (uint64_t)(now - status.st_mtime);
}

/* At each renewal again: it goes to dhcpcd's output, and there is no memory here. */
static void say_omissions(const struct lease_omissions *omissions)
{
    char text[IP_ADDRESS_TEXT_SIZE];

    if (omissions->routes > 0)
        say("anchord-lease: new_classless_static_routes: %zu routes left out\n", omissions->routes);
    if (omissions->mtu)
        say("anchord-lease: new_interface_mtu is no MTU, left out\n");
    for (size_t i = 0; i < omissions->address_count; i++)
        say("anchord-lease: the server gave more than %d addresses, left out: %s\n", LEASE_ADDRESSES_MAX,
            ip_address_format(&omissions->addresses[i], text));
    if (omissions->is_identity_longer)
        say("anchord-lease: the server gave more than %d addresses, left out: all after those\n",
            LEASE_IDENTITY_READ_MAX);
}

int main(void)
{
    const struct sandbox_profile profile = {.open_files = 8};
    CLEANUP_FD int fd = -1;
    struct message_lease_event event;
    struct lease_problem problem;
    struct lease_omissions omissions;
    uint64_t age = lease_age(); /* no file is to be seen later */
    const char *step = "bounding set";
    int result = empty_bounding_set();

    if (result == 0)
        result = sandbox_enter(0, &step);
    if (result < 0)
        return fail(step, strerror(-result));
    result = connect_to_supervisor(&fd);
    if (result < 0)
        return fail("cannot reach anchord", strerror(-result));
    result = sandbox_seal(&profile, &step);
    if (result < 0)
        return fail(step, strerror(-result));
    result = lease_environment_parse((const char *const *)environ, &event, &omissions, &problem);
    if (result < 0)
        return fail(problem.variable, problem.reason);
    lease_environment_age(&event, age);
    say_omissions(&omissions);
    result = deliver(fd, &event);
    if (result == 0)
        return EXIT_STATUS_CLEAN;
    return fail(event.problem[0] != '\0' ? event.problem : "cannot report to anchord", strerror(-result));
}
