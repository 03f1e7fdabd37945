/* Reads an anchor's status for the group `path`; see path_status.h. Runs as root; the child that reads is nobody. */
#include "daemon/command/path_status.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attached_status.h"
#include "protocol/probe_records.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* To connect, and to answer (attached_status.c). */
#define READ_TIMEOUT (9 * MICROSECONDS_PER_SECOND)
/* Of an anchor in order there are fewer by far. */
#define WORDS_MAX 4096

/* Columns of protocol/control_interface.h's lists, as control_client.c has them. */
enum exposure_column {
    EXPOSURE_PROTO,
    EXPOSURE_FIRST,
    EXPOSURE_LAST,
    EXPOSURE_BACKEND,
    EXPOSURE_NAME,
    EXPOSURE_4,
    EXPOSURE_6,
    EXPOSURE_GUESTS
};

enum conflict_column { CONFLICT_PROTO, CONFLICT_FIRST, CONFLICT_LAST, CONFLICT_NAME, CONFLICT_HOLDER };
enum problem_column { PROBLEM_NAME, PROBLEM_REASON, PROBLEM_CODE };

static bool has_ports(const struct path_word *word)
{
    return word->kind == PATH_WORD_EXPOSURE || word->kind == PATH_WORD_CONFLICT || word->kind == PATH_WORD_WITHHELD;
}

bool path_word_is_valid(const struct path_word *word)
{
    return word->kind > 0 && word->kind < PATH_WORD_KIND_MAX_ && word->error <= 0 && word->error > -4096 &&
           (!has_ports(word) || word->protocol == IPPROTO_TCP || word->protocol == IPPROTO_UDP) &&
           word->has_guests <= 1 && probe_address_is_valid(&word->addresses[0]) &&
           probe_address_is_valid(&word->addresses[1]) && word->addresses[1].family != IP_FAMILY_4 &&
           (word->kind != PATH_WORD_EXPOSURE || word->addresses[0].family != IP_FAMILY_6) &&
           text_is_terminated(word->name, sizeof(word->name)) &&
           text_is_terminated(word->finding, sizeof(word->finding));
}

/* --- in the child ---------------------------------------------------------------------------------------------- */

static void tell(int output, const struct path_word *word)
{
    if (send(output, word, sizeof(*word), MSG_NOSIGNAL) < 0)
        _exit(EXIT_STATUS_CRASH); /* nobody reads */
}

static const char *text_of(const struct status *status, enum status_list list, size_t row, size_t column)
{
    return control_client_cell(status, list, row, column)->text;
}

static uint16_t port_of(const struct status *status, enum status_list list, size_t row, size_t column)
{
    return (uint16_t)control_client_cell(status, list, row, column)->number;
}

static uint8_t protocol_of(const char *text)
{
    return strcmp(text, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
}

static void tell_address(int output, enum path_word_kind kind, const char *text)
{
    struct path_word word = {.kind = kind};
    struct ip_address address;

    if (ip_address_parse(text, &address) < 0)
        return;
    word.addresses[0] = wire_address_from(&address);
    tell(output, &word);
}

static void tell_text(int output, enum path_word_kind kind, const char *name, const char *finding)
{
    struct path_word word = {.kind = kind};

    text_copy_cut(word.name, sizeof(word.name), name);
    text_copy_cut(word.finding, sizeof(word.finding), finding);
    tell(output, &word);
}

static void tell_exposure(int output, const struct status *status, size_t row)
{
    const char *name = text_of(status, STATUS_EXPOSURES, row, EXPOSURE_NAME);
    struct path_word word = {
        .kind = PATH_WORD_EXPOSURE,
        .protocol = protocol_of(text_of(status, STATUS_EXPOSURES, row, EXPOSURE_PROTO)),
        .has_guests = text_of(status, STATUS_EXPOSURES, row, EXPOSURE_GUESTS)[0] != '\0',
        .first = port_of(status, STATUS_EXPOSURES, row, EXPOSURE_FIRST),
        .last = port_of(status, STATUS_EXPOSURES, row, EXPOSURE_LAST),
        .backend = port_of(status, STATUS_EXPOSURES, row, EXPOSURE_BACKEND),
    };

    for (size_t i = 0; i < ARRAY_LENGTH(word.addresses); i++) {
        struct ip_address address;

        if (ip_address_parse(text_of(status, STATUS_EXPOSURES, row, EXPOSURE_4 + i), &address) == 0 &&
            address.family == (i ? IP_FAMILY_6 : IP_FAMILY_4))
            word.addresses[i] = wire_address_from(&address);
    }
    text_copy_cut(word.name, sizeof(word.name), name);
    tell(output, &word);
    if (word.has_guests)
        tell_text(output, PATH_WORD_GUESTS, "", text_of(status, STATUS_EXPOSURES, row, EXPOSURE_GUESTS));
}

static void tell_conflict(int output, const struct status *status, size_t row)
{
    struct path_word word = {
        .kind = PATH_WORD_CONFLICT,
        .protocol = protocol_of(text_of(status, STATUS_CONFLICTS, row, CONFLICT_PROTO)),
        .first = port_of(status, STATUS_CONFLICTS, row, CONFLICT_FIRST),
        .last = port_of(status, STATUS_CONFLICTS, row, CONFLICT_LAST),
    };

    text_copy_cut(word.name, sizeof(word.name), text_of(status, STATUS_CONFLICTS, row, CONFLICT_NAME));
    text_copy_cut(word.finding, sizeof(word.finding), text_of(status, STATUS_CONFLICTS, row, CONFLICT_HOLDER));
    tell(output, &word);
}

/* The ports that a problem's reason names, as status writes them: tcp/25, udp/10000-20000. */
static void tell_withheld(int output, const char *reason)
{
    for (const char *at = reason; (at = strpbrk(at, "tu")); at++) {
        struct path_word word = {.kind = PATH_WORD_WITHHELD};
        const char *rest = at;
        char *end;
        unsigned long first, last;

        if (!text_skip(&rest, "tcp/") && !text_skip(&rest, "udp/"))
            continue;
        first = strtoul(rest, &end, 10);
        last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;
        if (first == 0 || first > last || last > UINT16_MAX)
            continue;
        word.protocol = *at == 'u' ? IPPROTO_UDP : IPPROTO_TCP;
        word.first = (uint16_t)first;
        word.last = (uint16_t)last;
        tell(output, &word);
    }
}

static void tell_problem(int output, const struct status *status, size_t row)
{
    const char *code = text_of(status, STATUS_PROBLEMS, row, PROBLEM_CODE);
    const char *reason = text_of(status, STATUS_PROBLEMS, row, PROBLEM_REASON);
    struct path_word word = {.kind = PATH_WORD_PROBLEM};
    uint64_t number = 0;

    if (!text_skip(&code, "ANC") || text_to_number(code, strlen(code), UINT16_MAX, &number) < 0)
        return;
    word.problem = (uint16_t)number;
    text_copy_cut(word.name, sizeof(word.name), text_of(status, STATUS_PROBLEMS, row, PROBLEM_NAME));
    text_copy_cut(word.finding, sizeof(word.finding), reason);
    tell(output, &word);
    tell_withheld(output, reason);
}

/* Attach has a link into each network of its containers; the first one stands for all of them. */
static const char *shared_of(const struct status *status)
{
    const char *name = text_of(status, STATUS_SHARED, 0, 1);

    return !name[0] && status->lists[STATUS_SHARED_LINKS].row_count > 0 ? text_of(status, STATUS_SHARED_LINKS, 0, 1)
                                                                        : name;
}

static void tell_all(int output, const struct status *status)
{
    tell_text(output, PATH_WORD_EXTERNAL, text_of(status, STATUS_EXTERNAL, 0, 1), "");
    tell_text(output, PATH_WORD_SHARED, shared_of(status), "");
    for (size_t i = 0; i < status->lists[STATUS_EXTERNAL_ADDRESSES].row_count; i++)
        tell_address(output, PATH_WORD_ADDRESS, text_of(status, STATUS_EXTERNAL_ADDRESSES, i, 0));
    for (size_t i = 0; i < status->lists[STATUS_GATEWAYS].row_count; i++)
        tell_address(output, PATH_WORD_GATEWAY, text_of(status, STATUS_GATEWAYS, i, 1));
    for (size_t i = 0; i < status->lists[STATUS_EXPOSURES].row_count; i++)
        tell_exposure(output, status, i);
    for (size_t i = 0; i < status->lists[STATUS_CONFLICTS].row_count; i++)
        tell_conflict(output, status, i);
    for (size_t i = 0; i < status->lists[STATUS_PROBLEMS].row_count; i++)
        tell_problem(output, status, i);
}

static bool is_in_our_mounts(uint32_t pid)
{
    char path[32];
    struct stat ours, theirs;

    (void)snprintf(path, sizeof(path), "/proc/%u/ns/mnt", (unsigned int)pid);
    return stat("/proc/self/ns/mnt", &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino;
}

/* Connects as root, and reads as nobody. */
static int read_status(uint32_t pid, struct attached_status *ret)
{
    const char *step;
    int fd = -1;
    int result;

    if (pid > 0 && !is_in_our_mounts(pid)) {
        result = attached_status_connect(pid, &fd);
        if (result == 0)
            result = sandbox_become_nobody(&step);
        if (result == 0)
            return attached_status_take(fd, ret);
        close_fd(&fd);
        return result;
    }
    result = control_client_open(&ret->bus);
    if (result == 0)
        result = sandbox_become_nobody(&step);
    return result < 0 ? result : control_client_read(ret->bus, &ret->status);
}

_Noreturn static void become_reader(int output, uint32_t pid, pid_t parent)
{
    CLEANUP(attached_status_clear) struct attached_status status = {0};
    struct path_word end = {.kind = PATH_WORD_END};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0 || getppid() != parent)
        _exit(EXIT_STATUS_CRASH);
    end.error = read_status(pid, &status);
    if (end.error == 0)
        tell_all(output, &status.status);
    tell(output, &end);
    _exit(EXIT_STATUS_CLEAN);
}

/* --- the director ------------------------------------------------------------------------------------------------ */

static int take_all(int input, path_word_handler handler, void *userdata)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t deadline = now + READ_TIMEOUT;

    for (size_t i = 0; i < WORDS_MAX && now < deadline; i++) {
        struct pollfd polled = {.fd = input, .events = POLLIN};
        struct path_word word;

        if (poll(&polled, 1, (int)((deadline - now) / MICROSECONDS_PER_MILLISECOND) + 1) < 0)
            return -errno;
        if (polled.revents && recv(input, &word, sizeof(word), MSG_DONTWAIT | MSG_TRUNC) != sizeof(word))
            return -ECONNRESET;
        if (polled.revents && !path_word_is_valid(&word))
            return -EBADMSG;
        if (polled.revents && word.kind == PATH_WORD_END)
            return word.error;
        if (polled.revents)
            handler(&word, userdata);
        now = clock_monotonic_microseconds();
    }
    return -ETIMEDOUT;
}

int path_status_read(uint32_t pid, path_word_handler handler, void *userdata)
{
    CLEANUP_FD int input = -1;
    CLEANUP_FD int output = -1;
    pid_t parent = getpid();
    pid_t child;
    int ends[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    input = ends[0];
    output = ends[1];
    child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        become_reader(output, pid, parent);
    close_fd(&output);
    result = take_all(input, handler, userdata);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    return result;
}
