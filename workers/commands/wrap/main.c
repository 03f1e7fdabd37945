/*
 * anchord-wrap: from a Compose project to an override that puts it behind anchord (SPEC §9).
 *
 * The command `anchord wrap` becomes this program, as whoever types it. It needs no privilege: it opens the files that
 * its options name, gives up every capability, lets the kernel take its other system calls away, and only then reads
 * its standard input, which anybody may have written. It talks to nobody.
 */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/wrap/check.h"
#include "workers/commands/wrap/override.h"
#include "workers/compose/whole.h"

#include <fcntl.h>
#include <seccomp.h>
#include <string.h>

#define OPEN_FILES_MAX 8

/* Of this command (SPEC §9): not those of the roles. */
enum wrap_status {
    WRAP_DONE = 0,
    WRAP_INCOMPLETE = 1, /* something could not be done; --check: something has changed */
    WRAP_FAILED = 2,     /* wrong usage or input */
};

static const int system_calls[] = {SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(ftruncate)};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "anchord wrap: %s: %s\n", what, why);
    return WRAP_FAILED;
}

static int write_whole(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(STDOUT_FILENO, bytes, length);

        if (count < 0 && errno != EINTR)
            return -errno;
        bytes += count > 0 ? count : 0;
        length -= count > 0 ? (size_t)count : 0;
    }
    return 0;
}

static void say_findings(const struct plan *plan)
{
    for (const struct plan_finding *finding = plan->findings; finding; finding = finding->next)
        (void)fprintf(stderr, "anchord wrap: %s%s%s%s\n",
                      finding->is_problem ? "" : "note: ", finding->service ? finding->service : "",
                      finding->service ? ": " : "", finding->text);
}

/* Standard output is the file of --output already, which still holds what it held before. */
static int print_override(const struct plan *plan)
{
    CLEANUP_FREE char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    int result;

    if (!stream)
        return fail("cannot write", log_errno_text(-ENOMEM));
    override_write(stream, plan);
    if (fclose(stream) != 0)
        return fail("cannot write", log_errno_text(-ENOMEM));
    say_findings(plan);
    if (override_adds(plan))
        override_commands(stderr, plan, "anchord wrap: note: ");
    if (plan->options->output && ftruncate(STDOUT_FILENO, 0) < 0 && errno != EINVAL) /* EINVAL: no regular file */
        return fail(plan->options->output, log_errno_text(-errno));
    result = write_whole(text, length);
    if (result < 0)
        return fail(plan->options->output ? plan->options->output : "standard output", log_errno_text(result));
    return plan->problem_count > 0 ? WRAP_INCOMPLETE : WRAP_DONE;
}

static int print_changes(const struct plan *plan, int file)
{
    CLEANUP_FREE char *old = NULL;
    ssize_t length = whole_read(file, CHECK_FILE_BYTES_MAX, &old);
    int result;

    if (length < 0)
        return fail(plan->options->check, log_errno_text((int)length));
    result = check_compare(plan, old, stdout);
    if (result == -ENODATA)
        return fail(plan->options->check, "holds no lines of anchord wrap; make it anew");
    if (result == -EEXIST)
        return fail("standard input", "holds a network-anchor already; for --check, leave the override out of "
                                      "`docker compose config`");
    if (result < 0 || fflush(stdout) != 0)
        return fail("cannot compare", log_errno_text(result < 0 ? result : -errno));
    return result > 0 ? WRAP_INCOMPLETE : WRAP_DONE;
}

static int wrap(const struct wrap_options *options, struct arena *arena, int file)
{
    CLEANUP_FREE char *input = NULL;
    ssize_t length = whole_read(STDIN_FILENO, JSON_TREE_BYTES_MAX, &input);
    struct json_tree_error error = {""};
    struct json_tree tree;
    struct project project;
    struct plan plan;
    int result;

    if (length < 0)
        return fail("standard input", length == -EFBIG ? "more than 32 MiB" : log_errno_text((int)length));
    if (length == 0)
        return fail("standard input", "is empty; it takes what `docker compose config --format json` prints");
    result = json_tree_parse(arena, input, (size_t)length, &tree, &error);
    if (result == 0)
        result = project_read(&tree, &project, &error);
    if (result < 0)
        return fail("standard input", error.text[0] ? error.text : log_errno_text(result));
    result = plan_make(arena, &project, options, &plan);
    if (result == -EINVAL)
        say_findings(&plan);
    else if (result < 0)
        (void)fail("cannot plan", log_errno_text(result));
    if (result < 0)
        return WRAP_FAILED;
    return options->check ? print_changes(&plan, file) : print_override(&plan);
}

/* Opens what the options name; the file of --output becomes standard output. */
static int open_files(const struct wrap_options *options, int *ret_file)
{
    CLEANUP_FD int file = -1;

    if (options->check)
        file = open(options->check, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    else if (options->output)
        file = open(options->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (file < 0 && (options->check || options->output))
        return fail(options->check ? options->check : options->output, log_errno_text(-errno));
    if (options->output && dup2(file, STDOUT_FILENO) < 0)
        return fail(options->output, log_errno_text(-errno));
    *ret_file = TAKE_FD(file);
    return WRAP_DONE;
}

int main(int argc, char **argv)
{
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    CLEANUP_FD int file = -1;
    struct wrap_options options;
    const char *step = NULL;
    int result;

    if (wrap_options_parse(argc, argv, &options) < 0)
        return WRAP_FAILED;
    if (options.show_help) {
        wrap_options_help();
        return WRAP_DONE;
    }
    if (isatty(STDIN_FILENO))
        return fail("standard input", "is a terminal; it takes what `docker compose config --format json` prints");
    if (open_files(&options, &file) != WRAP_DONE)
        return WRAP_FAILED;
    result = sandbox_drop_privileges(&step);
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result < 0)
        return fail(step, log_errno_text(result));
    return wrap(&options, &arena, file);
}
