/*
 * One supervised child, whatever program it is: its process, its end, its restarts, what status shows of it.
 *
 * Used by worker.c for a program of ours, and by dhcp_client.c for a dhcpcd, which say what it is started with and what
 * its end means; runs in the supervisor, as root. Nothing here waits: all goes by the event loop.
 */
#pragma once

#include "daemon/supervise/restart_policy.h"
#include "daemon/supervise/spawn.h"
#include "protocol/messages.h"

#include <signal.h>
#include <systemd/sd-event.h>

struct child_callbacks {
    /* The time of child_start_after() has come. */
    void (*on_start_time)(void *userdata);
    /* A signal has stopped it (SIGSTOP and the like). NULL: the owner does not mind. */
    void (*on_stopped)(void *userdata);
    /* It is dead and reaped; `info` as of waitid(2). */
    void (*on_ended)(const siginfo_t *info, void *userdata);
    /* The time of child_set_deadline() has come; it is killed behind this. */
    void (*on_deadline)(void *userdata);
    void *userdata;
};

struct child {
    sd_event *event;
    struct child_callbacks callbacks;
    struct restart_policy policy;
    sd_event_source *process; /* there while the process is */
    sd_event_source *start_timer;
    sd_event_source *deadline_timer;
    pid_t pid;      /* of the process, while there is one */
    uint64_t since; /* real time of its last start or end, nanoseconds; 0: never started */
    uint64_t restarts;
};

/* `child` is all zero. Returns 0 or a negative errno; child_release() either way. */
int child_prepare(struct child *child, sd_event *event, const struct child_callbacks *callbacks)
    __attribute__((warn_unused_result));

/* Kills and reaps the process, if there is one. */
void child_release(struct child *child);

/* A start begins now, whether or not it comes to a process: the restart policy counts from here. */
void child_note_start(struct child *child);

/* Starts the process. Returns 0 or a negative errno. */
int child_spawn(struct child *child, const struct spawn_request *request) __attribute__((warn_unused_result));

bool child_is_running(const struct child *child);

/* To the process, if there is one and it lives. Returns 0 or a negative errno. */
int child_signal(const struct child *child, int number);

/* It is killed `delay` microseconds from now, unless it has ended. */
void child_set_deadline(struct child *child, uint64_t delay);

void child_start_after(struct child *child, uint64_t delay);
void child_cancel_start(struct child *child);
/* A start that is awaited comes now. */
void child_hasten_start(struct child *child);

/* As child_start_after(), by the restart policy, and counts. Returns the delay. */
uint64_t child_restart(struct child *child);

/* What status shows of it. */
void child_describe(const struct child *child, const char *name, struct wire_worker *ret);
