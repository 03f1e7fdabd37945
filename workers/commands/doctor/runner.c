/* Runs the checks; see runner.h. */
#include "workers/commands/doctor/runner.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/doctor/check_table.h"
#include "workers/commands/doctor/child.h"
#include "workers/commands/doctor/consequences.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWERS_PER_CHECK_MAX 512
#define OPEN_FILES_MAX        64

struct task {
    const struct check *check;
    struct check_run run;
};

void report_release(struct report *report)
{
    free(report->list);
    *report = (struct report){0};
}

/* --- in the check's process --------------------------------------------------------------------------------- */

/* As nobody: root without a capability still owns Docker's socket and /etc/shadow. Reading /proc and /sys, asking the
 * kernel, what `prepare` has opened; writing nowhere but to the pipe. */
static int seal(const char **ret_step)
{
    static const char *const readable[] = {"/proc", "/sys", "/etc", "/lib/modules", "/usr/lib/modules", "/boot", NULL};
    static const int system_calls[] = {
        SCMP_SYS(access),          SCMP_SYS(connect),    SCMP_SYS(bind),
        SCMP_SYS(faccessat),       SCMP_SYS(faccessat2), SCMP_SYS(fcntl),
        SCMP_SYS(fstat),           SCMP_SYS(getdents64), SCMP_SYS(getsockname),
        SCMP_SYS(getsockopt),      SCMP_SYS(lseek),      SCMP_SYS(newfstatat),
        SCMP_SYS(openat),          SCMP_SYS(readlink),   SCMP_SYS(readlinkat),
        SCMP_SYS(setsockopt),      SCMP_SYS(statx),      SCMP_SYS(uname),
        SCMP_SYS(clock_nanosleep), SCMP_SYS(geteuid),    SCMP_SYS(getuid),
    };
    static const int families[] = {AF_NETLINK};
    const struct sandbox_profile profile = {
        .system_calls = system_calls,
        .system_call_count = ARRAY_LENGTH(system_calls),
        .socket_families = families,
        .socket_family_count = ARRAY_LENGTH(families),
        .open_files = OPEN_FILES_MAX,
        .readable_paths = readable,
    };
    int result = sandbox_become_nobody(ret_step);

    if (result == -EPERM || result == -EINVAL) /* a user namespace without anybody else */
        result = sandbox_drop_privileges(ret_step);
    return result < 0 ? result : sandbox_seal(&profile, ret_step);
}

static int enter_namespace(const struct anchor *anchor)
{
    char path[64];
    CLEANUP_FD int namespace = -1;

    if (!anchor || anchor->is_here)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)anchor->pid);
    namespace = open(path, O_RDONLY | O_CLOEXEC);
    return namespace < 0 || setns(namespace, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* The child's function (child.h). */
static int run_check(void *userdata, int output)
{
    struct task *task = userdata;
    struct check_run *run = &task->run;
    const char *why = "its network namespace";
    int result;

    run->output = output;
    for (size_t i = 0; i < CHECK_FILES_MAX; i++)
        run->files.files[i] = -1;
    result = task->check->flags & CHECK_STAYS_OUTSIDE ? 0 : enter_namespace(run->anchor);
    if (result == 0 && task->check->prepare)
        result = task->check->prepare(run, &why);
    if (result < 0) {
        check_is_unknown(run, NULL, NULL, "%s: %s", why, log_errno_text(result));
        return EXIT_STATUS_CLEAN;
    }
    if (!(task->check->flags & CHECK_KEEPS_RIGHTS)) {
        result = seal(&why);
        if (result < 0)
            return EXIT_STATUS_SANDBOX;
    }
    task->check->run(run);
    return EXIT_STATUS_CLEAN;
}

/* --- what is known before ------------------------------------------------------------------------------------ */

static int add(struct report *report, const struct answer *answer)
{
    struct answer *list = array_grow(report->list, report->count, &report->capacity, sizeof(*list));

    if (!list)
        return -ENOMEM;
    report->list = list;
    list[report->count++] = *answer;
    return 0;
}

static int add_unknown(struct report *report, const struct check_run *run, enum verdict verdict, const char *sentence,
                       const char *remedy)
{
    struct answer answer = {.check = run->check, .anchor = run->anchor_index, .verdict = verdict};

    text_copy_cut(answer.object, sizeof(answer.object), run->anchor ? run->anchor->name : run->file ? run->file : "");
    text_copy_cut(answer.sentence, sizeof(answer.sentence), sentence);
    text_copy_cut(answer.remedy, sizeof(answer.remedy), remedy);
    return add(report, &answer);
}

/* A line for whoever cannot ask Docker; it depends on where it is typed. */
static const char *docker_way_out(const struct check_run *run)
{
    if (!run->scene->is_root && run->scene->docker_error == -EACCES)
        return "sudo anchord doctor";
    if (run->scene->is_in_container)
        return check_on_host(run);
    return "systemctl start docker   # or say in DOCKER_HOST where it listens";
}

/* 1: it is to be run; 0: it was answered for; else -ENOMEM. */
static int judge_before(struct report *report, const struct check *check, const struct check_run *run)
{
    const struct scene *scene = run->scene;
    const char *sentence = NULL;
    const char *remedy = "";
    int result;

    if (check->flags & CHECK_OWN_ANSWERS)
        return 1;
    if ((check->flags & CHECK_ON_HOST) && scene->is_in_container) {
        sentence = "only to be seen on the host";
        remedy = check_on_host(run);
    } else if ((check->flags & CHECK_READS_DOCKER) && scene->docker_error < 0) {
        sentence = check_text("Docker cannot be asked: %s", scene->docker_reason);
        remedy = docker_way_out(run);
    } else if ((check->flags & CHECK_READS_STATUS) && run->anchor && run->anchor->status.error < 0) {
        sentence = check_text("the anchor cannot be asked: %s", run->anchor->status.reason);
        remedy = scene->is_root ? "" : check_on_host(run);
    } else if ((check->flags & CHECK_READS_RULES) && run->anchor && run->anchor->hooks.error < 0) {
        sentence = check_text("its tables cannot be read: %s", run->anchor->hooks.reason);
        remedy = check_on_host(run);
    }
    if (!sentence)
        return 1;
    result = add_unknown(report, run, VERDICT_UNKNOWN, sentence, remedy);
    return result < 0 ? result : 0;
}

/* --- all of them --------------------------------------------------------------------------------------------- */

struct tasks {
    struct task *list;
    struct child *children;
    size_t count;
};

static void tasks_release(struct tasks *tasks)
{
    for (size_t i = 0; i < tasks->count; i++)
        child_release(&tasks->children[i]);
    free(tasks->list);
    free(tasks->children);
}

/* `place`: an anchor's, ANCHORS_MAX for what is of the host, FILES_BEGIN and above: of a file. */
static int add_task(struct tasks *tasks, struct report *report, const struct scene *scene, uint32_t check,
                    uint32_t place)
{
    const struct check *definition = &check_table[check];
    struct task *task = &tasks->list[tasks->count];
    int result;

    *task = (struct task){
        .check = definition,
        .run = {.scene = scene,
                .anchor = place < scene->anchor_count ? &scene->anchors[place] : NULL,
                .file = place >= FILES_BEGIN ? scene->files[place - FILES_BEGIN] : NULL,
                .check = check,
                .anchor_index = place},
    };
    result = judge_before(report, definition, &task->run);
    if (result <= 0)
        return result;
    result = child_start(&tasks->children[tasks->count], run_check, task,
                         definition->seconds ? definition->seconds : CHECK_SECONDS,
                         ANSWERS_PER_CHECK_MAX * sizeof(struct answer));
    if (result < 0)
        return add_unknown(report, &task->run, VERDICT_UNKNOWN, log_errno_text(result), "");
    tasks->count++;
    return 0;
}

static int start_all(struct tasks *tasks, struct report *report, const struct scene *scene,
                     const struct options *options)
{
    int result = 0;

    for (uint32_t check = 0; check < check_count && result == 0; check++) {
        const struct check_run nobody = {.scene = scene, .check = check, .anchor_index = ANCHORS_MAX};

        if (!options_want(options, &check_table[check]))
            continue;
        for (uint32_t i = 0; i < scene->file_count && (check_table[check].flags & CHECK_OF_FILE) && result == 0; i++)
            result = add_task(tasks, report, scene, check, FILES_BEGIN + i);
        if (scene->file_count > 0 && (check_table[check].flags & CHECK_OF_FILE))
            continue;
        if (!(check_table[check].flags & CHECK_OF_ANCHOR))
            result = add_task(tasks, report, scene, check, ANCHORS_MAX);
        else if (scene->anchor_count == 0)
            result = add_unknown(report, &nobody, VERDICT_SKIP, "no network-anchor runs here", "");
        for (uint32_t i = 0; i < scene->anchor_count && (check_table[check].flags & CHECK_OF_ANCHOR) && result == 0;
             i++)
            result = add_task(tasks, report, scene, check, i);
    }
    return result;
}

static int take(struct report *report, const struct task *task, const struct child *child)
{
    size_t count = child->length / sizeof(struct answer);
    size_t taken = 0;
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        struct answer answer;

        memcpy(&answer, child->bytes + i * sizeof(answer), sizeof(answer));
        answer.check = task->run.check;
        answer.anchor = task->run.anchor_index;
        if (!answer_is_valid(&answer))
            continue;
        if (answer.object[0] == '\0' && task->run.anchor)
            text_copy_cut(answer.object, sizeof(answer.object), task->run.anchor->name);
        result = add(report, &answer);
        taken++;
    }
    if (result < 0 || (child->error == 0 && child->status == 0 && taken > 0))
        return result;
    return add_unknown(
        report, &task->run, VERDICT_UNKNOWN,
        child->error == -ETIMEDOUT ? "it took too long, and was ended" : "the check ended before its end", "");
}

static int compare(const void *left, const void *right)
{
    const struct answer *one = left, *other = right;

    if (one->check != other->check)
        return one->check < other->check ? -1 : 1;
    return one->anchor == other->anchor ? 0 : one->anchor < other->anchor ? -1 : 1;
}

/* --- what is left out ---------------------------------------------------------------------------------------- */

static bool is_suppressed(const struct options *options, const struct answer *answer)
{
    for (size_t i = 0; i < options->suppression_count; i++) {
        const struct suppression *suppression = &options->suppressions[i];

        if (answer->problem == suppression->problem &&
            (!suppression->object || strcmp(suppression->object, answer->object) == 0))
            return true;
    }
    return false;
}

static void leave_out(struct report *report, const struct options *options)
{
    size_t kept = 0;

    for (size_t i = 0; i < report->count; i++) {
        if (!is_suppressed(options, &report->list[i]))
            report->list[kept++] = report->list[i];
    }
    report->suppressed = report->count - kept;
    report->count = kept;
}

int runner_run(const struct scene *scene, const struct options *options, struct report *ret)
{
    size_t size = check_count * (scene->anchor_count + 1) + scene->file_count;
    CLEANUP(tasks_release)
    struct tasks tasks = {
        .list = calloc(size, sizeof(*tasks.list)),
        .children = calloc(size, sizeof(*tasks.children)),
    };
    int result = tasks.list && tasks.children ? 0 : -ENOMEM;

    if (result == 0)
        result = start_all(&tasks, ret, scene, options);
    children_finish(tasks.children, tasks.count);
    for (size_t i = 0; i < tasks.count && result == 0; i++)
        result = take(ret, &tasks.list[i], &tasks.children[i]);
    if (result < 0)
        return result;
    if (ret->count > 0)
        qsort(ret->list, ret->count, sizeof(*ret->list), compare);
    leave_out(ret, options);
    consequences_mark(ret->list, ret->count);
    return 0;
}
