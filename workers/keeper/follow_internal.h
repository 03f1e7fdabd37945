/*
 * What the two halves of the job of an external-rebinder share: follow.c looks and decides, follow_actions.c acts.
 *
 * For these two only; see follow.h. Runs without any privilege.
 */
#pragma once

#include "protocol/findings_sender.h"
#include "workers/keeper/command.h"
#include "workers/keeper/endpoint.h"
#include "workers/keeper/follow.h"
#include "workers/keeper/memory.h"
#include "workers/keeper/settle.h"

/* What was said last of why nothing is done, so that it is said once. */
enum notice {
    NOTICE_NONE,
    NOTICE_NO_FOLLOWER,
    NOTICE_NO_NETWORK,
    NOTICE_ODD_FOLLOWER,
    NOTICE_ODD_NETWORK,
    NOTICE_SETTLING,
    NOTICE_ADDRESS_WANTED,
    NOTICE_RELEASED,
    NOTICE_GIVEN_UP,
};

struct follow {
    const struct message_configure_keeper *configuration;
    struct session *session;
    struct settle_times times;
    char *project_filter, *service_filter; /* label=value */
    sd_event_source *poll_timer;
    sd_event_source *look_timer;
    bool is_connected;
    bool is_looking; /* or acting */
    bool must_look_again;
    uint64_t wake_at; /* when something that waits for its time can go on; UINT64_MAX: never */

    /* read anew by each look */
    struct inspection follower;
    struct endpoint endpoint;
    struct network_view network;
    char found_id[DOCKER_ID_SIZE]; /* of the service's containers the one that is the follower */
    bool found_is_running;
    char wanted_by[NAME_SIZE]; /* a container that does not run and has a fixed address on the network; empty: none */

    /* kept from look to look */
    char follower_id[DOCKER_ID_SIZE];
    char network_id[DOCKER_ID_SIZE]; /* empty: it was not there */
    bool has_looked;                 /* what is found now happened before our eyes */
    bool is_released;                /* the follower has left that network for others' sake */
    bool may_be_alone;               /* it was joined with nobody there, since nobody came */
    struct settle settle;
    struct memory_entry attempts;
    uint64_t restarted_for; /* when the network was made for which we have restarted the follower; 0: none */
    uint64_t retry_at;
    uint32_t address_tries;
    uint32_t refused_count; /* foreign endpoints when the last of these tries failed */
    char *configured;       /* what the endpoint had, as JSON; NULL: unknown */
    char configured_of[DOCKER_ID_SIZE];
    enum notice notice;
    char problem[FINDING_REASON_SIZE]; /* what status shows of the follower; empty: all is well, or will be */
    struct findings_sender *findings;
    uint64_t action_started_at;
    const char *reason;
};

/* --- follow.c: every look ends with one of these, at once or when an answer has come ---------------------- */

void follow_end_look(struct follow *follow);
/* The next look is due at `at`, monotonic microseconds, if nothing makes one earlier. */
void follow_wake(struct follow *follow, uint64_t at);
/* False: the connection has gone, and with it this look. */
bool follow_is_answered(struct follow *follow, int error, const char *text);
/* The end of a question that could not even be put: as if the connection were lost. */
void follow_check_sent(struct follow *follow, int result);

/* What `anchord status` shows from now on; NULL: that all is well. */
void follow_note_problem(struct follow *follow, const char *problem);

/* --- follow_actions.c: each ends the look, now or later ---------------------------------------------------- */

void follow_rejoin(struct follow *follow, const char *reason);
void follow_leave(struct follow *follow);
void follow_restart(struct follow *follow, const char *reason);
