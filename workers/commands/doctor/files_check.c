/* The check of a finished Compose file; see files_check.h. */
#include "workers/commands/doctor/files_check.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "workers/commands/doctor/files_examine.h"
#include "workers/compose/whole.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_COLUMNS 48

#define PASTE "docker compose config --format json | anchord doctor files"

/* With the rights of whoever named it. */
int files_check_prepare(struct check_run *run, const char **ret_why)
{
    if (run->file) {
        *ret_why = "cannot be opened";
        run->files.files[0] = open(run->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return run->files.files[0] < 0 ? -errno : 0;
    }
    run->files.files[0] = STDIN_FILENO;
    if (!isatty(STDIN_FILENO))
        return 0;
    *ret_why = "standard input is a terminal; it takes a finished Compose file: " PASTE;
    return -ENOTTY;
}

/* "mail/compose.json: services.web": the end of a long path, and the place in the file, which has to be whole. */
static const char *place_of(const struct check_run *run, const char *object)
{
    size_t length = run->file ? strlen(run->file) : 0;
    const char *tail = length > FILE_COLUMNS ? run->file + length - FILE_COLUMNS : run->file;

    if (!run->file)
        return object;
    return check_text("%s%s: %s", tail == run->file ? "" : "…", tail, object);
}

static void on_found(void *userdata, enum problem problem, const char *object, const char *sentence, const char *why,
                     const char *remedy)
{
    check_found(userdata, problem, &(struct finding_texts){place_of(userdata, object), sentence, why, remedy});
}

void files_check(struct check_run *run)
{
    CLEANUP_FREE char *bytes = NULL;
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    struct json_tree_error error = {""};
    struct files_report report = {on_found, run};
    ssize_t length = whole_read(run->files.files[0], JSON_TREE_BYTES_MAX, &bytes);
    const char *name = run->file ? run->file : "standard input";
    int result;

    if (length < 0) {
        check_is_unknown(run, name, PASTE, "%s", length == -EFBIG ? "more than 32 MiB" : log_errno_text((int)length));
        return;
    }
    result = files_examine(&arena, bytes, (size_t)length, &report, &error);
    if (result < 0)
        check_is_unknown(run, name, PASTE, "%s", error.text[0] ? error.text : log_errno_text(result));
    else if (run->answered == 0)
        check_is_well(run, name, "%d service%s, and nothing is wrong with %s", result, result == 1 ? "" : "s",
                      result == 1 ? "it" : "them");
}
