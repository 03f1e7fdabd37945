/* The lock on a network namespace; see namespace_lock.h. Runs in the supervisor, as root. */
#include "daemon/lock/namespace_lock.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/lock/lock_table.h"
#include "daemon/supervise/timer.h"
#include "protocol/problems.h"

/* What a takeover waits for at most; the kernel routes as before meanwhile. */
#define LOOK_INTERVAL (500 * MICROSECONDS_PER_MILLISECOND)

struct namespace_lock {
    sd_event *event;
    struct lock_callbacks callbacks;
    int fd;                         /* the socket that owns our tables; -1 with `abstract` */
    struct abstract_lock *abstract; /* NULL where the kernel has owned tables */
    sd_event_source *timer;
    bool is_held;
    bool is_marked; /* our table of a standby is there */
};

static void become_active(struct namespace_lock *lock)
{
    lock->is_held = true;
    lock->callbacks.on_acquired(lock->callbacks.userdata);
}

/* Another standby may have the mark: then it is tried again until that one is gone. */
static void wait_for_owner(struct namespace_lock *lock)
{
    if (!lock->is_marked)
        lock->is_marked = lock_table_take(lock->fd, LOCK_TABLE_STANDBY, false) == 0;
    lock->callbacks.on_standby(lock->callbacks.userdata);
    timer_set(lock->timer, LOOK_INTERVAL);
}

/* Takes the table if it is free. Returns 0, or a negative errno: the kernel cannot do it. */
static int look(struct namespace_lock *lock)
{
    int result = lock_table_exists(lock->fd, LOCK_TABLE_ACTIVE);

    if (result == 0) {
        result = lock_table_take(lock->fd, LOCK_TABLE_ACTIVE, lock->is_marked);
        if (result == 0) {
            lock->is_marked = false;
            become_active(lock);
            return 0;
        }
        if (result == -EEXIST || result == -EPERM) /* it is there now: another one was faster */
            result = 1;
    }
    if (result > 0)
        wait_for_owner(lock);
    return result < 0 ? result : 0;
}

static int on_look_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct namespace_lock *lock = userdata;
    int result = look(lock);

    (void)source;
    (void)planned;
    if (result < 0) {
        log_error("cannot take the lock on the network namespace, retrying", LOG_ERROR(result));
        wait_for_owner(lock);
    }
    return 0;
}

/* --- a kernel without owned tables ----------------------------------------------------------------------- */

static int use_abstract_lock(struct namespace_lock *lock, int error)
{
    /* Without the permission nothing works, and way says so with the remedy. */
    if (error != -EPERM)
        log_warn("this kernel has no nftables tables that belong to a process (5.12 and later have): whoever is root "
                 "in this network namespace can switch the service-anchor off, or keep its routes after a stop",
                 LOG_PROBLEM(PROBLEM_KERNEL_TOO_OLD), LOG_ERROR(error));
    close_fd(&lock->fd);
    return abstract_lock_new(lock->event, &lock->callbacks, &lock->abstract);
}

/* --- construction ---------------------------------------------------------------------------------------- */

/* Whether the kernel will never do it, in this namespace. */
static bool is_inability(int error)
{
    return error == -EPERM || error == -EINVAL || error == -EOPNOTSUPP || error == -EPROTONOSUPPORT ||
           error == -EAFNOSUPPORT;
}

int namespace_lock_new(sd_event *event, const struct lock_callbacks *callbacks, struct namespace_lock **ret)
{
    CLEANUP(namespace_lock_freep) struct namespace_lock *lock = calloc(1, sizeof(*lock));
    int result;

    if (!lock)
        return -ENOMEM;
    lock->event = event;
    lock->callbacks = *callbacks;
    lock->fd = -1;
    result = timer_new(event, CLOCK_MONOTONIC, 0, on_look_time, lock, &lock->timer);
    if (result < 0)
        return result;
    result = lock_table_open(&lock->fd);
    if (result == 0)
        result = look(lock);
    if (is_inability(result))
        result = use_abstract_lock(lock, result);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(lock);
    return 0;
}

struct namespace_lock *namespace_lock_free(struct namespace_lock *lock)
{
    if (!lock)
        return NULL;
    lock->abstract = abstract_lock_free(lock->abstract);
    lock->timer = sd_event_source_disable_unref(lock->timer);
    close_fd(&lock->fd); /* and the kernel removes our tables */
    free(lock);
    return NULL;
}

bool namespace_lock_is_held(const struct namespace_lock *lock)
{
    return lock->abstract ? abstract_lock_is_held(lock->abstract) : lock->is_held;
}

bool namespace_lock_has_standby(const struct namespace_lock *lock)
{
    if (lock->abstract)
        return abstract_lock_has_standby(lock->abstract);
    return lock->is_held && lock_table_exists(lock->fd, LOCK_TABLE_STANDBY) == 1;
}
