/* The conversations of anchord-namespaces; see namespaces.h. */
#include "workers/namespaces/namespaces.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/channel.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/namespaces/container_process.h"
#include "workers/namespaces/handing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* A namespace that was handed out; its index is the number by which way knows it. */
struct place {
    int descriptor; /* of the namespace, for a successor of way; -1: free */
    ino_t inode;
    uint32_t containers; /* that are in it and wanted */
};

struct served_container {
    char id[CONTAINER_ID_SIZE];
    uint32_t place;
    bool is_named; /* since the watcher's LINK */
};

struct namespaces {
    sd_event *event;
    struct channel *supervisor;
    struct channel *watcher; /* NULL until LINK */
    struct channel *way;     /* the same */
    DIR *processes;
    int home; /* our own namespace, the host's */
    ino_t home_inode;
    ino_t first_inode; /* of the first process that we see: the host's namespace, should ours be another one */
    struct place places[WAY_NAMESPACES_MAX];
    struct served_container containers[CONTAINERS_SERVED_MAX];
    size_t container_count;
    bool has_all; /* a watcher has named everybody once: what was handed out is all that is wanted */
};

/* --- places ---------------------------------------------------------------------------------------------- */

static void tell_gone(const struct namespaces *namespaces, uint32_t number)
{
    const struct message_namespace_gone gone = {
        .header = message_header_make(MESSAGE_NAMESPACE_GONE, sizeof(gone), 0),
        .number = number,
    };

    if (namespaces->way)
        (void)channel_send_message(namespaces->way, &gone); /* on_way_closed follows its end */
}

static void leave_place(struct namespaces *namespaces, uint32_t number)
{
    struct place *place = &namespaces->places[number];

    if (--place->containers > 0)
        return;
    close_fd(&place->descriptor);
    log_info("network namespace given up", LOG_NUMBER("number", number), LOG_NUMBER("inode", place->inode));
    tell_gone(namespaces, number);
}

/* The place of the namespace with this inode, else a free one: there are more places than containers. */
static uint32_t find_place(const struct namespaces *namespaces, ino_t inode)
{
    uint32_t free_place = 0;

    for (uint32_t i = WAY_NAMESPACES_MAX; i-- > 0;) {
        if (namespaces->places[i].descriptor >= 0 && namespaces->places[i].inode == inode)
            return i;
        if (namespaces->places[i].descriptor < 0)
            free_place = i;
    }
    return free_place;
}

/* Without a way the sockets wait for it: hand_over_all(). */
static int hand_over(struct namespaces *namespaces, uint32_t number)
{
    if (!namespaces->way)
        return 0;
    return handing_send_sockets(namespaces->way, namespaces->home, namespaces->places[number].descriptor, number);
}

static void hand_over_all(struct namespaces *namespaces)
{
    for (uint32_t i = 0; i < WAY_NAMESPACES_MAX; i++) {
        int result = namespaces->places[i].descriptor < 0 ? 0 : hand_over(namespaces, i);

        if (result < 0)
            log_error("cannot hand out a network namespace", LOG_NUMBER("number", i), LOG_ERROR(result));
    }
}

/* Behind the sockets of all of them (HOST-12). */
static void tell_all_handed_out(const struct namespaces *namespaces)
{
    const struct message_ping all = {message_header_make(MESSAGE_NAMESPACES_COMMIT, sizeof(all), 0)};

    if (namespaces->way && namespaces->has_all)
        (void)channel_send_message(namespaces->way, &all); /* on_way_closed follows its end */
}

/* --- containers ------------------------------------------------------------------------------------------ */

static struct served_container *find_container(struct namespaces *namespaces, const char *id)
{
    for (size_t i = 0; i < namespaces->container_count; i++) {
        if (memcmp(namespaces->containers[i].id, id, CONTAINER_ID_SIZE) == 0)
            return &namespaces->containers[i];
    }
    return NULL;
}

static void leave_container(struct namespaces *namespaces, struct served_container *container)
{
    uint32_t number = container->place;

    *container = namespaces->containers[--namespaces->container_count];
    leave_place(namespaces, number);
}

/* Takes the descriptor. Returns the place or a negative errno. */
static int64_t take_namespace(struct namespaces *namespaces, int opened, const char **ret_reason)
{
    CLEANUP_FD int descriptor = opened;
    struct stat status;
    uint32_t number;
    int result;

    *ret_reason = "the network namespace cannot be looked at";
    if (fstat(descriptor, &status) < 0)
        return -errno;
    *ret_reason = "the container is in the host's own network namespace";
    if (status.st_ino == namespaces->home_inode || status.st_ino == namespaces->first_inode)
        return -EPERM;
    number = find_place(namespaces, status.st_ino);
    if (namespaces->places[number].descriptor >= 0) {
        namespaces->places[number].containers++;
        return number;
    }
    namespaces->places[number] = (struct place){TAKE_FD(descriptor), status.st_ino, 1};
    *ret_reason = "the sockets of the network namespace cannot be opened";
    result = hand_over(namespaces, number);
    if (result < 0) {
        leave_place(namespaces, number);
        return result;
    }
    return number;
}

/* Returns the place or a negative errno. A container whose namespace is another than before has been started anew. */
static int64_t serve(struct namespaces *namespaces, const struct message_container *wanted, const char **ret_reason)
{
    struct served_container *known = find_container(namespaces, wanted->id);
    int64_t number;
    int opened;

    *ret_reason = "too many containers";
    if (!known && namespaces->container_count == CONTAINERS_SERVED_MAX)
        return -ENOSPC;
    opened = container_process_open_namespace(namespaces->processes, wanted->id, (pid_t)wanted->pid, ret_reason);
    number = opened < 0 ? opened : take_namespace(namespaces, opened, ret_reason);
    if (known)
        leave_container(namespaces, known);
    if (number >= 0) {
        struct served_container *added = &namespaces->containers[namespaces->container_count++];

        *added = (struct served_container){.place = (uint32_t)number, .is_named = true};
        memcpy(added->id, wanted->id, sizeof(added->id));
    }
    return number;
}

/* --- the watcher ----------------------------------------------------------------------------------------- */

static void handle_wanted(struct namespaces *namespaces, const struct message_container *wanted)
{
    struct message_namespace_answer answer = {
        .header = message_header_make(MESSAGE_NAMESPACE_ANSWER, sizeof(answer), wanted->header.generation),
    };
    const char *reason = NULL;
    int64_t number = serve(namespaces, wanted, &reason);

    memcpy(answer.id, wanted->id, sizeof(answer.id));
    if (number < 0) {
        answer.error = (int32_t)number;
        text_copy_cut(answer.reason, sizeof(answer.reason), reason);
        log_warn("refused to hand out a network namespace", LOG_PROBLEM(PROBLEM_NAMESPACE_NOT_SERVED),
                 LOG_TEXT("container", wanted->id), LOG_NUMBER("pid", wanted->pid), LOG_TEXT("reason", reason),
                 LOG_ERROR((int)number));
    } else {
        answer.number = (uint32_t)number;
        answer.inode = namespaces->places[number].inode;
        log_info("network namespace handed out", LOG_TEXT("container", wanted->id), LOG_NUMBER("number", number),
                 LOG_NUMBER("inode", answer.inode));
    }
    (void)channel_send_message(namespaces->watcher, &answer); /* on_watcher_closed follows its end */
}

static void handle_left(struct namespaces *namespaces, const struct message_container *left)
{
    struct served_container *container = find_container(namespaces, left->id);

    if (container)
        leave_container(namespaces, container);
}

static void handle_commit(struct namespaces *namespaces)
{
    for (size_t i = namespaces->container_count; i-- > 0;) {
        if (!namespaces->containers[i].is_named)
            leave_container(namespaces, &namespaces->containers[i]);
    }
    for (uint32_t i = 0; i < WAY_NAMESPACES_MAX; i++) { /* way may serve more, by a predecessor's numbers */
        if (namespaces->places[i].descriptor < 0)
            tell_gone(namespaces, i);
    }
    namespaces->has_all = true;
    tell_all_handed_out(namespaces);
}

static void on_watcher_message(struct channel *channel, const struct message_header *message, int descriptor,
                               void *userdata)
{
    switch (message->type) {
    case MESSAGE_NAMESPACE_WANTED:
        handle_wanted(userdata, (const struct message_container *)message);
        break;
    case MESSAGE_NAMESPACE_LEFT:
        handle_left(userdata, (const struct message_container *)message);
        break;
    case MESSAGE_NAMESPACES_COMMIT:
        handle_commit(userdata);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* What was handed out stays: a successor names what is wanted. */
static void on_watcher_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct namespaces *namespaces = userdata;

    if (error < 0)
        log_error("connection to the watcher ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    namespaces->watcher = channel_free(channel);
}

/* --- way and the supervisor ------------------------------------------------------------------------------ */

static void on_way_message(struct channel *channel, const struct message_header *message, int descriptor,
                           void *userdata)
{
    (void)userdata;
    channel_refuse(channel, message, descriptor);
}

static void on_way_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct namespaces *namespaces = userdata;

    if (error < 0)
        log_error("connection to way ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    namespaces->way = channel_free(channel);
}

static int link_watcher(struct namespaces *namespaces, int descriptor)
{
    const struct channel_callbacks callbacks = {on_watcher_message, on_watcher_closed, namespaces};

    namespaces->watcher = channel_free(namespaces->watcher);
    for (size_t i = 0; i < namespaces->container_count; i++)
        namespaces->containers[i].is_named = false;
    return channel_new(namespaces->event, descriptor, DIRECTION_WATCHER_TO_NAMESPACES, &callbacks,
                       &namespaces->watcher);
}

static int link_way(struct namespaces *namespaces, int descriptor)
{
    const struct channel_callbacks callbacks = {on_way_message, on_way_closed, namespaces};
    int result;

    namespaces->way = channel_free(namespaces->way);
    result = channel_new(namespaces->event, descriptor, DIRECTION_WAY_TO_NAMESPACES, &callbacks, &namespaces->way);
    if (result < 0)
        return result;
    hand_over_all(namespaces);
    tell_all_handed_out(namespaces);
    return 0;
}

static void handle_link(struct namespaces *namespaces, const struct message_link *message, int descriptor)
{
    int result = -EOPNOTSUPP;

    if (message->peer == LINK_PEER_WATCHER)
        result = link_watcher(namespaces, descriptor);
    else if (message->peer == LINK_PEER_WAY)
        result = link_way(namespaces, descriptor);
    else
        close_fd(&descriptor);
    if (result < 0)
        log_error("cannot use the link to a peer", LOG_NUMBER("peer", message->peer), LOG_ERROR(result));
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct namespaces *namespaces = userdata;

    switch (message->type) {
    case MESSAGE_CONFIGURE_NAMESPACES:
        log_set_level((enum log_level)((const struct message_configure_namespaces *)message)->log_level);
        break;
    case MESSAGE_LINK:
        handle_link(namespaces, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_STOP: /* way takes back what it installed, by its own sockets */
        (void)sd_event_exit(namespaces->event, EXIT_STATUS_CLEAN);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct namespaces *namespaces_free(struct namespaces *namespaces)
{
    if (!namespaces)
        return NULL;
    (void)channel_free(namespaces->way);
    (void)channel_free(namespaces->watcher);
    (void)channel_free(namespaces->supervisor);
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++)
        close_fd(&namespaces->places[i].descriptor);
    directory_closep(&namespaces->processes);
    close_fd(&namespaces->home);
    free(namespaces);
    return NULL;
}

/* /proc, and which namespaces nobody gets. */
static int look_around(struct namespaces *namespaces)
{
    struct stat home, first;

    namespaces->processes = opendir("/proc");
    namespaces->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (!namespaces->processes || namespaces->home < 0 || fstat(namespaces->home, &home) < 0)
        return -errno;
    namespaces->home_inode = namespaces->first_inode = home.st_ino;
    if (stat("/proc/1/ns/net", &first) == 0)
        namespaces->first_inode = first.st_ino;
    else
        log_warn("cannot look into the host's first process: our own network namespace alone counts as the host's",
                 LOG_ERROR(-errno));
    return 0;
}

int namespaces_new(sd_event *event, struct namespaces **ret)
{
    CLEANUP(namespaces_freep) struct namespaces *namespaces = calloc(1, sizeof(*namespaces));
    int result;

    if (!namespaces)
        return -ENOMEM;
    namespaces->event = event;
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++)
        namespaces->places[i].descriptor = -1;
    result = look_around(namespaces);
    if (result < 0) {
        log_error("cannot look at the host's processes", LOG_ERROR(result));
        return result;
    }
    result = supervised_join(event, DIRECTION_SUPERVISOR_TO_NAMESPACES, on_supervisor_message, namespaces,
                             &namespaces->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(namespaces);
    return 0;
}
