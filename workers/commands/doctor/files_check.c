/* The check of a finished Compose file; see files_check.h. */
#include "workers/commands/doctor/files_check.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "workers/commands/doctor/files_examine.h"
#include "workers/compose/whole.h"

#include <unistd.h>

#define PASTE "docker compose config --format json | anchord doctor files"

int files_check_prepare(struct check_run *run, const char **ret_why)
{
    (void)run;
    if (!isatty(STDIN_FILENO))
        return 0;
    *ret_why = "standard input is a terminal; it takes a finished Compose file: " PASTE;
    return -ENOTTY;
}

static void on_found(void *userdata, enum problem problem, const char *object, const char *sentence, const char *why,
                     const char *remedy)
{
    check_found(userdata, problem, &(struct finding_texts){object, sentence, why, remedy});
}

void files_check(struct check_run *run)
{
    CLEANUP_FREE char *bytes = NULL;
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    struct json_tree_error error = {""};
    struct files_report report = {on_found, run};
    ssize_t length = whole_read(STDIN_FILENO, JSON_TREE_BYTES_MAX, &bytes);
    int result;

    if (length < 0) {
        check_is_unknown(run, "standard input", PASTE, "%s",
                         length == -EFBIG ? "more than 32 MiB" : log_errno_text((int)length));
        return;
    }
    result = files_examine(&arena, bytes, (size_t)length, &report, &error);
    if (result < 0)
        check_is_unknown(run, "standard input", PASTE, "%s", error.text[0] ? error.text : log_errno_text(result));
    else if (run->answered == 0)
        check_is_well(run, "standard input", "%d services, and nothing is wrong with them", result);
}
