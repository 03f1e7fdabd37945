/*
 * `anchord doctor workers`: whether anchord's processes are who and what they should be, and what they say themselves.
 *
 * Run by runner.c behind the seal. Reads /proc and the anchor's status; no privilege.
 */
#include "workers/commands/doctor/worker_checks.h"

#include "common/cleanup.h"
#include "common/shell_word.h"
#include "workers/commands/doctor/heard.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* --- answers ---------------------------------------------------------------------------------------------- */

void worker_check_answers(struct check_run *run)
{
    char version[HEARD_TEXT_SIZE], role[HEARD_TEXT_SIZE];
    const struct anchor *anchor = run->anchor;

    if (anchor->status.error == -ETIMEDOUT || strstr(anchor->status.reason, "does not answer")) {
        check_found(run, PROBLEM_NO_ANSWER,
                    &(struct finding_texts){.why = "its processes are there, and its control socket is silent"});
        return;
    }
    if (anchor->status.error < 0) {
        check_is_unknown(run, NULL, run->scene->is_root ? "" : NULL, "it cannot be asked: %s", anchor->status.reason);
        return;
    }
    heard_text(heard(&anchor->status), "version", version);
    heard_text(heard(&anchor->status), "role", role);
    if (role[0] == '\0') {
        check_is_unknown(run, NULL, "", "its answer makes no sense: is it of another version?");
        return;
    }
    check_is_well(run, NULL, "%s %s answers", role, version);
}

/* One of severity error: a warning is no reason for not being ready. */
static bool tells_error(const struct anchor *anchor)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "problems");
    struct json_slice row;
    char severity[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "severity", severity);
        if (strcmp(severity, "error") == 0)
            return true;
    }
    return false;
}

void worker_check_ready(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "unmet_conditions");
    struct json_slice condition;
    char text[128], list[HEARD_TEXT_SIZE] = "";
    size_t length = 0;

    while (json_walk_element(&walk, &condition) && length < sizeof(list) - 1) {
        if (json_slice_copy(condition, text, sizeof(text)) == 0)
            length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length > 0 ? ", " : "", text);
    }
    if (heard_is_true(heard(&run->anchor->status), "ready"))
        check_is_well(run, NULL, "it is ready");
    else if (tells_error(run->anchor))
        check_skip(run, NULL, "it is not ready (%s); the check problems tells why", list);
    else
        check_found(run, PROBLEM_NOT_READY,
                    &(struct finding_texts){
                        .sentence = check_text("it is not ready: %s", list[0] != '\0' ? list : "it does not say why"),
                        .remedy = run->anchor->id[0] != '\0'
                                      ? check_text("docker logs %s", SHELL_WORD(run->anchor->name))
                                      : NULL});
}

/* --- what it says itself ------------------------------------------------------------------------------------ */

/* 0101 of "ANC0101". */
static enum problem problem_of(const char *code)
{
    uint64_t number = 0;
    size_t index = 0;

    if (!text_skip(&code, "ANC") || text_to_number(code, strlen(code), 9999, &number) < 0 ||
        problem_find((uint32_t)number, &index) < 0)
        return PROBLEM_NONE;
    return (enum problem)number;
}

/* What helps is read in our own registry: a line to paste is none that an anchor may say. */
static size_t tell_problems(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "problems");
    struct json_slice row;
    size_t count = 0;

    while (json_walk_element(&walk, &row)) {
        char code[HEARD_TEXT_SIZE], object[HEARD_TEXT_SIZE], reason[HEARD_TEXT_SIZE];
        enum problem problem;

        heard_text(row, "code", code);
        heard_text(row, "container", object);
        heard_text(row, "reason", reason);
        problem = problem_of(code);
        if (problem == PROBLEM_WORKER_AWAY || problem == PROBLEM_WORKER_RESTARTS)
            continue; /* worker_check_restarts() tells of them */
        check_found(run, problem == PROBLEM_NONE ? PROBLEM_SAID_BY_ANCHOR : problem,
                    &(struct finding_texts){.object = object[0] != '\0' ? object : NULL,
                                            .sentence = reason[0] != '\0' ? reason : NULL});
        count++;
    }
    return count;
}

static size_t tell_conflicts(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "conflicts");
    struct json_slice row;
    size_t count = 0;

    while (json_walk_element(&walk, &row)) {
        char proto[HEARD_TEXT_SIZE], container[HEARD_TEXT_SIZE], holder[HEARD_TEXT_SIZE];

        heard_text(row, "proto", proto);
        heard_text(row, "container", container);
        heard_text(row, "holder", holder);
        check_found(
            run, PROBLEM_PORT_CONFLICT,
            &(struct finding_texts){.object = container,
                                    .sentence = check_text("%s/%u is exposed twice: %s has it", proto,
                                                           (unsigned int)heard_number(row, "port_first"), holder)});
        count++;
    }
    return count;
}

void worker_check_problems(struct check_run *run)
{
    if (tell_problems(run) + tell_conflicts(run) == 0)
        check_is_well(run, NULL, "it knows of no problem");
}

/* --- privileges --------------------------------------------------------------------------------------------- */

#define CAPABILITY(number) (UINT64_C(1) << (number))
#define NET_BIND_SERVICE   CAPABILITY(10)
#define NET_ADMIN          CAPABILITY(12)
#define NET_RAW            CAPABILITY(13)

/* docs/security.md: under which user, and with what. The kernel cuts names to 15 bytes. */
static const struct privileges {
    const char *name;
    unsigned int user;
    uint64_t capabilities;
} expected[] = {
    {"anchord-watcher", 24941, 0}, {"anchord-netadmi", 24942, NET_ADMIN},
    {"anchord-keeper", 24943, 0},  {"anchord-resolve", 24944, 0},
    {"anchord-announc", 24945, 0}, {"anchord-control", 24946, 0},
    {"anchord-exporte", 24947, 0}, {"dhcpcd", 24948, NET_RAW | NET_BIND_SERVICE},
    {"anchord-gate", 24949, 0},    {"anchord-way", 24950, NET_ADMIN},
    {"anchord-bans", 24951, 0},
};

struct held {
    char name[32];
    int parent;
    unsigned int user; /* the effective one */
    uint64_t capabilities;
    unsigned int seccomp, filters; /* filters: 0 before Linux 5.9 */
    bool has_no_new_privileges;
};

/* NOLINTBEGIN(cert-err34-c): the kernel wrote it */
/* A line of /proc/PID/status. */
static void read_field(const char *line, struct held *held)
{
    unsigned int number = 0;

    if (sscanf(line, "Name: %31s", held->name) == 1)
        return;
    if (sscanf(line, "PPid: %d", &held->parent) == 1 || sscanf(line, "Uid: %*u %u", &held->user) == 1 ||
        sscanf(line, "Seccomp: %u", &held->seccomp) == 1 || sscanf(line, "Seccomp_filters: %u", &held->filters) == 1)
        return;
    if (sscanf(line, "NoNewPrivs: %u", &number) == 1)
        held->has_no_new_privileges = number == 1;
    else if (strncmp(line, "CapEff:", strlen("CapEff:")) == 0)
        held->capabilities = strtoull(line + strlen("CapEff:"), NULL, 16);
}
/* NOLINTEND(cert-err34-c) */

static bool read_held(const char *process, struct held *ret)
{
    char path[64], line[256];
    CLEANUP_STREAM FILE *stream = NULL;

    *ret = (struct held){0};
    (void)snprintf(path, sizeof(path), "/proc/%s/status", process);
    stream = fopen(path, "re");
    while (stream && fgets(line, sizeof(line), stream))
        read_field(line, ret);
    return stream && ret->name[0] != '\0';
}

static const struct privileges *find_expected(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        if (strcmp(expected[i].name, name) == 0)
            return &expected[i];
    }
    return NULL;
}

/* What it has that it should not have, or lacks; "": nothing. dhcpcd has no filter of its own but the supervisor's. */
static void compare(const struct held *held, const struct privileges *wanted, char ret[HEARD_TEXT_SIZE])
{
    size_t length = 0;

    ret[0] = '\0';
    if (held->user != wanted->user)
        length += (size_t)snprintf(ret + length, HEARD_TEXT_SIZE - length, "runs as user %u instead of %u; ",
                                   held->user, wanted->user);
    if (held->capabilities & ~wanted->capabilities)
        length += (size_t)snprintf(ret + length, HEARD_TEXT_SIZE - length, "has capabilities %#llx too many; ",
                                   (unsigned long long)(held->capabilities & ~wanted->capabilities));
    if (held->seccomp != 2 || (held->filters == 1 && strcmp(held->name, "dhcpcd") != 0))
        length += (size_t)snprintf(ret + length, HEARD_TEXT_SIZE - length, "has no system call filter of its own; ");
    if (!held->has_no_new_privileges)
        length += (size_t)snprintf(ret + length, HEARD_TEXT_SIZE - length, "may gain privileges by exec; ");
    if (length >= 2)
        ret[length - 2] = '\0';
}

/* The supervisor is the parent of netadmin; its children are the workers. */
void worker_check_privileges(struct check_run *run)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    struct held netadmin, held;
    char process[16], difference[HEARD_TEXT_SIZE];
    const struct timespec start = {.tv_nsec = 300000000};
    size_t seen = 0, wrong = 0;

    (void)snprintf(process, sizeof(process), "%d", (int)run->anchor->pid);
    if (!directory || !read_held(process, &netadmin)) {
        check_is_unknown(run, NULL, NULL, "its processes cannot be seen");
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        const struct privileges *wanted;

        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name) || !read_held(entry->d_name, &held) ||
            held.parent != netadmin.parent)
            continue;
        wanted = find_expected(held.name);
        if (!wanted)
            continue; /* one that is being started */
        seen++;
        compare(&held, wanted, difference);
        if (difference[0] != '\0' && nanosleep(&start, NULL) == 0 && read_held(entry->d_name, &held))
            compare(&held, wanted, difference); /* it may have just begun */
        if (difference[0] == '\0')
            continue;
        wrong++;
        check_found(run, PROBLEM_PRIVILEGES,
                    &(struct finding_texts){.sentence = check_text("%s %s", held.name, difference)});
    }
    (void)closedir(directory);
    if (wrong == 0)
        check_is_well(run, NULL, "%zu processes have the users, capabilities and filters that they should have", seen);
}

/* --- restarts ----------------------------------------------------------------------------------------------- */

#define RESTARTS_MANY 3

void worker_check_restarts(struct check_run *run)
{
    struct json_walk walk = heard_list(heard(&run->anchor->status), "workers");
    struct json_slice row;
    const char *logs =
        run->anchor->id[0] != '\0' ? check_text("docker logs --since 1h %s", SHELL_WORD(run->anchor->name)) : NULL;
    size_t wrong = 0;

    while (json_walk_element(&walk, &row)) {
        char name[HEARD_TEXT_SIZE], state[HEARD_TEXT_SIZE];
        uint64_t restarts = heard_number(row, "restarts");

        heard_text(row, "name", name);
        heard_text(row, "state", state);
        if (strcmp(state, "restarting") == 0)
            check_found(
                run, PROBLEM_WORKER_AWAY,
                &(struct finding_texts){.sentence = check_text("%s is not there: it ended and is started again", name),
                                        .remedy = logs});
        else if (restarts >= RESTARTS_MANY)
            check_found(run, PROBLEM_WORKER_RESTARTS,
                        &(struct finding_texts){.sentence = check_text("%s was started again %llu times", name,
                                                                       (unsigned long long)restarts),
                                                .remedy = logs});
        else
            continue;
        wrong++;
    }
    if (wrong == 0)
        check_is_well(run, NULL, "none was started again and again");
}

/* --- who does not run at all ------------------------------------------------------------------------------ */

static bool is_of_an_anchor(const struct scene *scene, const struct told_stopped *stopped)
{
    for (size_t i = 0; i < scene->anchor_count && stopped->project[0] != '\0'; i++) {
        char told[HEARD_TEXT_SIZE] = ""; /* by itself: Docker does not know those that run in no container */

        heard_text(heard(&scene->anchors[i].status), "project", told);
        if (strcmp(scene->anchors[i].project, stopped->project) == 0 || strcmp(told, stopped->project) == 0)
            return true;
    }
    return false;
}

/*
 * On the host all anchords are meant, unless one was named; what is exposed is where an anchor runs: else that one is
 * to be mended first. One of no project that has ended is what somebody tried by hand.
 */
static bool is_meant(const struct scene *scene, const struct told_stopped *stopped)
{
    if (is_of_an_anchor(scene, stopped))
        return true;
    if (!(stopped->flags & CONTAINER_IS_ANCHORD))
        return false;
    if (scene->only)
        return strcmp(scene->only, stopped->name) == 0 || strcmp(scene->only, stopped->project) == 0;
    return !scene->is_in_container && (stopped->project[0] != '\0' || (stopped->flags & CONTAINER_RESTARTS));
}

static void tell_stopped(struct check_run *run, const struct told_stopped *stopped)
{
    bool is_anchord = stopped->flags & CONTAINER_IS_ANCHORD;
    bool restarts = stopped->flags & CONTAINER_RESTARTS;

    check_found(run, is_anchord ? PROBLEM_ANCHORD_STOPPED : PROBLEM_BACKEND_STOPPED,
                &(struct finding_texts){
                    .object = stopped->name,
                    .sentence = check_text(
                        restarts ? "%s ends again and again, and is started again" : "%s does not run", stopped->name),
                    .why = is_anchord ? "what it said last tells what it lacks: a variable, a capability, a network"
                                      : "what it said last may tell why; its ports are refused meanwhile",
                    .remedy = check_text(restarts ? "docker logs --tail 5 %1$s"
                                                  : "docker logs --tail 5 %1$s\ndocker start %1$s",
                                         SHELL_WORD(stopped->name))});
}

void worker_check_stopped(struct check_run *run)
{
    size_t told = 0;

    for (size_t i = 0; i < run->scene->stopped_count; i++) {
        if (!is_meant(run->scene, &run->scene->stopped[i]))
            continue;
        tell_stopped(run, &run->scene->stopped[i]);
        told++;
    }
    if (told == 0)
        check_is_well(run, NULL, "no anchord has stopped, and nothing that one exposes");
}
