/* Makes the scene; see gather.h. As whoever typed the command. */
#include "workers/commands/doctor/gather.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "workers/commands/doctor/child.h"
#include "workers/commands/doctor/docker_look.h"
#include "workers/commands/doctor/find_anchors.h"
#include "workers/commands/doctor/programs.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MOMENT_MILLISECONDS 300

#define SECONDS      6
#define SAID_MAX     ((size_t)16 * 1024 * 1024)
#define QUESTIONS    5                             /* to each anchor */
#define CHILDREN_MAX (2 + QUESTIONS * ANCHORS_MAX) /* Docker, our namespace, the anchors */

void scene_release_anchors(struct scene *scene, size_t kept)
{
    for (size_t i = kept; i < scene->anchor_count; i++) {
        free(scene->anchors[i].status.bytes);
        free(scene->anchors[i].rules.bytes);
        free(scene->anchors[i].again.bytes);
        free(scene->anchors[i].after.bytes);
        free(scene->anchors[i].hooks.bytes);
    }
    scene->anchor_count = kept;
}

void scene_release(struct scene *scene)
{
    scene_release_anchors(scene, 0);
    for (size_t i = 0; i < scene->network_count; i++)
        free(scene->networks[i].inspection.bytes);
    free(scene->networks);
    free(scene->stopped);
    free(scene->info.bytes);
    free(scene->hooks.bytes);
    *scene = (struct scene){0};
}

/* --- what an anchor and the kernel say -------------------------------------------------------------------- */

struct question {
    const struct anchor *anchor; /* NULL: of the namespace that we are in */
    int kind;                    /* enum question_kind */
    int delay;                   /* milliseconds */
};

enum question_kind { ASK_STATUS, ASK_RULES, ASK_RULES_AGAIN, ASK_STATUS_AFTER, ASK_HOOKS };

/* In another mount namespace there is another control socket. */
static bool shares_files(pid_t pid)
{
    char path[64];
    struct stat own, other;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
    return stat("/proc/self/ns/mnt", &own) < 0 || stat(path, &other) < 0 || own.st_ino == other.st_ino;
}

static void run_status(const struct question *question)
{
    char pid[16], runtime[128] = "", option[] = "--pid";
    const char *directory = getenv("RUNTIME_DIRECTORY");
    char *const environment[] = {runtime, NULL};
    char *arguments[] = {(char[]){"anchord"}, (char[]){"status"}, (char[]){"--json"}, NULL, NULL, NULL};

    if (directory)
        (void)snprintf(runtime, sizeof(runtime), "RUNTIME_DIRECTORY=%s", directory);
    if (!shares_files(question->anchor->pid)) {
        (void)snprintf(pid, sizeof(pid), "%d", (int)question->anchor->pid);
        arguments[3] = option;
        arguments[4] = pid;
    }
    (void)execve(DOCTOR_ANCHORD, arguments, directory ? environment : environment + 1);
}

static void run_ruleset(const struct question *question)
{
    static char *const no_environment[] = {NULL};
    char path[64];
    char *arguments[] = {(char[]){"anchord-ruleset"},
                         question->kind == ASK_HOOKS ? (char[]){"--hooks"} : (char[]){"--exact"}, NULL};
    CLEANUP_FD int namespace = -1;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", question->anchor ? (int)question->anchor->pid : 0);
    if (question->anchor && !question->anchor->is_here) {
        namespace = open(path, O_RDONLY | O_CLOEXEC);
        if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0) {
            (void)fprintf(stderr, "its network namespace: %s\n", log_errno_text(-errno));
            return;
        }
    }
    (void)execve(DOCTOR_RULESET, arguments, no_environment);
}

/* The child's function: becomes a program that answers on `output`. */
static int ask(void *userdata, int output)
{
    const struct question *question = userdata;

    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        return EXIT_FAILURE;
    if (question->delay > 0)
        (void)poll(NULL, 0, question->delay);
    if (question->kind == ASK_STATUS || question->kind == ASK_STATUS_AFTER)
        run_status(question);
    else
        run_ruleset(question);
    (void)fprintf(stderr, "its program does not start: %s\n", log_errno_text(-errno));
    return EXIT_FAILURE;
}

static void copy_line(char ret[SCENE_REASON_SIZE], const struct child *child)
{
    const char *end = memchr(child->bytes, '\n', child->length);
    size_t length = end ? (size_t)(end - child->bytes) : child->length;

    (void)snprintf(ret, SCENE_REASON_SIZE, "%.*s", (int)(length < SCENE_REASON_SIZE ? length : SCENE_REASON_SIZE),
                   child->bytes);
}

/* Its output; or, when it failed, the reason, which is what it said then. */
static void take(struct said *said, struct child *child)
{
    bool has_failed = child->error < 0 || child->status != 0;

    *said = (struct said){0};
    if (!has_failed) {
        said->bytes = TAKE_POINTER(child->bytes);
        said->length = child->length;
        return;
    }
    said->error = child->error < 0 ? child->error : -EIO;
    if (child->error == -ETIMEDOUT)
        text_copy_cut(said->reason, sizeof(said->reason), "it does not answer");
    else if (child->error < 0 || child->length == 0)
        text_copy_cut(said->reason, sizeof(said->reason), log_errno_text(said->error));
    else
        copy_line(said->reason, child);
}

/* --- what Docker says ------------------------------------------------------------------------------------- */

static int add_network(struct scene *scene, const struct docker_word *word, struct said *inspection)
{
    struct told_network *networks =
        array_grow(scene->networks, scene->network_count, &scene->network_capacity, sizeof(*scene->networks));
    struct told_network *network;

    if (!networks)
        return -ENOMEM;
    scene->networks = networks;
    network = &networks[scene->network_count++];
    *network = (struct told_network){.inspection = *inspection};
    *inspection = (struct said){0};
    text_copy_cut(network->id, sizeof(network->id), word->id);
    text_copy_cut(network->name, sizeof(network->name), word->name);
    return 0;
}

static int add_stopped(struct scene *scene, const struct docker_word *word)
{
    const uint32_t flags = word->numbers[0];
    struct told_stopped *list;

    if (!(flags & (CONTAINER_STOPPED | CONTAINER_RESTARTS)) || !(flags & (CONTAINER_IS_ANCHORD | CONTAINER_IS_EXPOSED)))
        return 0;
    list = array_grow(scene->stopped, scene->stopped_count, &scene->stopped_capacity, sizeof(*list));
    if (!list)
        return -ENOMEM;
    scene->stopped = list;
    list += scene->stopped_count++;
    *list = (struct told_stopped){.flags = flags};
    text_copy_cut(list->name, sizeof(list->name), word->name);
    text_copy_cut(list->project, sizeof(list->project), word->project);
    return 0;
}

static void name_anchor(struct scene *scene, const struct docker_word *word)
{
    for (size_t i = 0; i < scene->anchor_count; i++) {
        if (strcmp(scene->anchors[i].id, word->id) != 0)
            continue;
        text_copy_cut(scene->anchors[i].name, NAME_SIZE, word->name);
        text_copy_cut(scene->anchors[i].project, NAME_SIZE, word->project);
    }
}

static int take_word(struct scene *scene, const struct docker_word *word, struct said *said)
{
    switch (word->kind) {
    case DOCKER_WORD_ENGINE:
        text_copy_cut(scene->engine, sizeof(scene->engine), word->name);
        scene->api = word->numbers[0];
        scene->is_podman = word->numbers[1] != 0;
        said->error = word->error;
        text_copy_cut(said->reason, sizeof(said->reason), word->project);
        scene->info = *said;
        *said = (struct said){0};
        return 0;
    case DOCKER_WORD_CONTAINER:
        name_anchor(scene, word);
        return add_stopped(scene, word);
    case DOCKER_WORD_NETWORK:
        return add_network(scene, word, said);
    case DOCKER_WORD_END:
        scene->docker_error = word->error;
        text_copy_cut(scene->docker_reason, sizeof(scene->docker_reason), word->name);
        return 0;
    default:
        return -EBADMSG;
    }
}

static bool is_valid(const struct docker_word *word, size_t left)
{
    return word->length <= left && text_is_terminated(word->id, sizeof(word->id)) && word->error <= 0 &&
           text_is_terminated(word->name, sizeof(word->name)) &&
           text_is_terminated(word->project, sizeof(word->project));
}

/* Until its last word Docker has not answered. */
static void take_docker(struct scene *scene, const struct child *child)
{
    size_t place = 0;
    int result = 0;

    scene->docker_error = -ETIMEDOUT;
    text_copy_cut(scene->docker_reason, sizeof(scene->docker_reason),
                  child->error == -ETIMEDOUT ? "it does not answer" : "asking it ended before its end");
    while (result == 0 && child->length - place >= sizeof(struct docker_word)) {
        struct docker_word word;
        struct said said = {0};

        memcpy(&word, child->bytes + place, sizeof(word));
        place += sizeof(word);
        if (!is_valid(&word, child->length - place))
            return;
        if (word.length > 0) {
            said.bytes = malloc(word.length);
            if (!said.bytes)
                return;
            said.length = word.length;
            memcpy(said.bytes, child->bytes + place, word.length);
            place += word.length;
        }
        result = take_word(scene, &word, &said);
        free(said.bytes);
    }
}

/* --- the whole -------------------------------------------------------------------------------------------- */

static void mark_failed(struct child *child, int error)
{
    *child = (struct child){.output = -1, .error = error};
}

static void start_questions(const struct scene *scene, bool looks_twice, struct question *questions,
                            struct child *children)
{
    static const int delays[QUESTIONS] = {
        [ASK_RULES_AGAIN] = MOMENT_MILLISECONDS, [ASK_STATUS_AFTER] = 2 * MOMENT_MILLISECONDS};

    for (size_t i = 0; i < scene->anchor_count * QUESTIONS; i++) {
        int result;

        questions[i] = (struct question){&scene->anchors[i / QUESTIONS], (int)(i % QUESTIONS),
                                         looks_twice ? delays[i % QUESTIONS] : 0};
        result = child_start(&children[i], ask, &questions[i], SECONDS, SAID_MAX);
        if (result < 0)
            mark_failed(&children[i], result);
    }
}

static void take_answers(struct scene *scene, struct child *children)
{
    for (size_t i = 0; i < scene->anchor_count; i++) {
        take(&scene->anchors[i].status, &children[i * QUESTIONS + ASK_STATUS]);
        take(&scene->anchors[i].rules, &children[i * QUESTIONS + ASK_RULES]);
        take(&scene->anchors[i].again, &children[i * QUESTIONS + ASK_RULES_AGAIN]);
        take(&scene->anchors[i].after, &children[i * QUESTIONS + ASK_STATUS_AFTER]);
        take(&scene->anchors[i].hooks, &children[i * QUESTIONS + ASK_HOOKS]);
    }
}

int gather_scene(bool looks_twice, struct scene *ret)
{
    static struct child children[CHILDREN_MAX];
    static struct question questions[CHILDREN_MAX];
    const char *docker_host = getenv("DOCKER_HOST");
    size_t count;
    int result;

    *ret = (struct scene){0};
    text_copy_cut(ret->docker_host, sizeof(ret->docker_host), docker_host ? docker_host : "");
    find_anchors(ret);
    count = 2 + ret->anchor_count * QUESTIONS;
    result = child_start(&children[0], docker_look, NULL, SECONDS, DOCKER_LOOK_LIMIT);
    if (result < 0)
        mark_failed(&children[0], result);
    questions[0] = (struct question){.kind = ASK_HOOKS};
    result = child_start(&children[1], ask, &questions[0], SECONDS, SAID_MAX);
    if (result < 0)
        mark_failed(&children[1], result);
    start_questions(ret, looks_twice, questions + 1, children + 2);
    children_finish(children, count);
    take_docker(ret, &children[0]);
    take(&ret->hooks, &children[1]);
    take_answers(ret, children + 2);
    for (size_t i = 0; i < count; i++)
        child_release(&children[i]);
    return 0;
}
