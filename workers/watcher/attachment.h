/*
 * The watcher of an attached project (HOST-2 to 6): which Docker networks get a link, whose namespaces are served, who
 * is guarded, which address of a container its ports lead to.
 *
 * Owned by watcher.c; watch.c and watch_scope.c show it what Docker says and ask Docker what is open here; reconcile.c
 * asks for targets. There is no attachment in a network-anchor. Runs without any privilege.
 */
#pragma once

#include "protocol/findings_sender.h"
#include "workers/watcher/host_half.h"
#include "workers/watcher/members.h"
#include "workers/watcher/scope_networks.h"

struct attachment_callbacks {
    void (*on_changed)(void *userdata); /* targets may be others */
    void (*on_found)(void *userdata);   /* what people read may be another */
    void *userdata;
};

struct attachment;

/* Before the sandbox is sealed: it sets a timer up. Returns 0 or a negative errno. */
int attachment_new(sd_event *event, const struct message_configure_watcher *configuration,
                   const struct attachment_callbacks *callbacks, struct attachment **ret)
    __attribute__((warn_unused_result));
struct attachment *attachment_free(struct attachment *attachment);
DEFINE_POINTER_CLEANUP(struct attachment, (void)attachment_free, attachment_freep);

/* From the supervisor: a connection to a worker of the host half, owned from now on. Returns 0 or a negative errno. */
int attachment_link(struct attachment *attachment, enum link_peer peer, int fd) __attribute__((warn_unused_result));

/* --- what Docker says ------------------------------------------------------------------------------------ */

/* `is_in_scope`: by its labels; of container events. */
void attachment_note_event(struct attachment *attachment, const struct docker_event *event, bool is_in_scope);
/* A list of everybody in scope, or of some of them, is asked for. */
void attachment_begin_pass(struct attachment *attachment, bool is_complete);
/* A container in scope. */
void attachment_put(struct attachment *attachment, const struct docker_container *container);
/* One that cannot be read just now: what is known of it stays. */
void attachment_keep(struct attachment *attachment, const char *id);
/* The list of everybody has ended, or that of some of them, among them this one. */
void attachment_end_pass(struct attachment *attachment);
void attachment_end_pass_for(struct attachment *attachment, const char *id);

/* --- what Docker is asked -------------------------------------------------------------------------------- */

enum attachment_question {
    ATTACHMENT_QUESTION_NONE,
    ATTACHMENT_QUESTION_NETWORK,  /* inspect *ret_id into *ret_record */
    ATTACHMENT_QUESTION_NETWORKS, /* list those of the project: each to attachment_note_network() */
};

/* The next one, to be ended before another is asked for. */
enum attachment_question attachment_ask(struct attachment *attachment, const char **ret_id,
                                        struct docker_network **ret_record);
void attachment_put_attached(struct attachment *attachment, const struct docker_attached *attached);
void attachment_end_inspection(struct attachment *attachment, int error);
void attachment_note_network(struct attachment *attachment, const char *network_id);
void attachment_end_networks(struct attachment *attachment);
/* Does an answer have to come before anything can be said of targets? */
bool attachment_is_settled(const struct attachment *attachment);
/* A network that is to be followed, by its place; NULL behind the last. */
const char *attachment_network_at(const struct attachment *attachment, size_t place);

/* --- what follows ---------------------------------------------------------------------------------------- */

const struct scope_networks *attachment_networks(const struct attachment *attachment);

/* What is not as people may expect it: withheld ports, containers that nothing leads to or that are not served. As
 * findings_tell(). */
int attachment_tell(const struct attachment *attachment, const struct container_table *table, finding_handler handler,
                    void *userdata) __attribute__((warn_unused_result));
