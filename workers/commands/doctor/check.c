/* What a check says; see check.h. Runs in the check's process, without privilege. */
#include "workers/commands/doctor/check.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "common/shell_word.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *check_group_to_string(enum check_group group)
{
    static const char *const names[GROUP_MAX_] = {
        [GROUP_PLATFORM] = "platform", [GROUP_FILES] = "files", [GROUP_ADDRESS] = "address",
        [GROUP_RULES] = "rules",       [GROUP_PATH] = "path",   [GROUP_WORKERS] = "workers",
    };

    return names[group];
}

const char *verdict_to_string(enum verdict verdict)
{
    static const char *const names[VERDICT_MAX_] = {
        [VERDICT_OK] = "OK",     [VERDICT_WARN] = "WARN",       [VERDICT_FAIL] = "FAIL",
        [VERDICT_SKIP] = "SKIP", [VERDICT_UNKNOWN] = "UNKNOWN",
    };

    return names[verdict];
}

/* Whoever reads it may have gone: then nothing matters any more. */
static void say(struct check_run *run, enum verdict verdict, struct answer *answer, const char *object)
{
    answer->check = run->check;
    answer->anchor = run->anchor_index;
    answer->verdict = verdict;
    text_copy_cut(answer->object, sizeof(answer->object),
                  object        ? object
                  : run->anchor ? run->anchor->name
                  : run->file   ? run->file
                                : "");
    run->answered++;
    if (write(run->output, answer, sizeof(*answer)) != (ssize_t)sizeof(*answer)) /* below PIPE_BUF: whole or not */
        _exit(EXIT_FAILURE);
}

void check_is_well(struct check_run *run, const char *object, const char *format, ...)
{
    struct answer answer = {0};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.sentence, sizeof(answer.sentence), format, arguments);
    va_end(arguments);
    say(run, VERDICT_OK, &answer, object);
}

void check_skip(struct check_run *run, const char *object, const char *format, ...)
{
    struct answer answer = {0};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.sentence, sizeof(answer.sentence), format, arguments);
    va_end(arguments);
    say(run, VERDICT_SKIP, &answer, object);
}

void check_is_unknown(struct check_run *run, const char *object, const char *remedy, const char *format, ...)
{
    struct answer answer = {0};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer.sentence, sizeof(answer.sentence), format, arguments);
    va_end(arguments);
    text_copy_cut(answer.remedy, sizeof(answer.remedy), remedy ? remedy : check_on_host(run));
    say(run, VERDICT_UNKNOWN, &answer, object);
}

#define PLACEHOLDER "NETWORK-ANCHOR"

/* The containers' names where the registry could not know them, so that the line can be pasted. */
static void copy_remedy(const struct check_run *run, const char *object, const char *remedy,
                        char ret[ANSWER_REMEDY_SIZE])
{
    char filled[PROBLEM_REMEDY_SIZE], named[PROBLEM_REMEDY_SIZE];

    if (run->anchor && run->anchor->id[0] != '\0') /* else in no container, so Docker knows no such name */
        remedy = problem_remedy_fill(remedy, PLACEHOLDER, run->anchor->name, filled);
    if (object)
        remedy = problem_remedy_fill(remedy, "CONTAINER", object, named);
    text_copy_cut(ret, ANSWER_REMEDY_SIZE, remedy);
}

/* What the registry does not know cannot be found: its numbers are an enumeration. */
void check_found(struct check_run *run, enum problem problem, const struct finding_texts *texts)
{
    struct answer answer = {.problem = problem};
    const struct problem_definition *definition;
    size_t index = 0;

    if (problem_find(problem, &index) < 0)
        return;
    definition = problem_definition(index);
    text_copy_cut(answer.sentence, sizeof(answer.sentence), texts->sentence ? texts->sentence : definition->title);
    text_copy_cut(answer.why, sizeof(answer.why), texts->why ? texts->why : "");
    copy_remedy(run, texts->object, texts->remedy ? texts->remedy : definition->remedy, answer.remedy);
    say(run, answer_verdict_of(definition->severity), &answer, texts->object);
}

/* Until the process ends, which is soon; where it can be seen that nothing is lost. */
struct kept_text {
    struct kept_text *next;
    char *text;
};

const char *check_text(const char *format, ...)
{
    static struct kept_text *kept_texts;
    struct kept_text *kept = malloc(sizeof(*kept));
    va_list arguments;
    int length = -1;

    va_start(arguments, format);
    if (kept)
        length = vasprintf(&kept->text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        free(kept);
        return "";
    }
    kept->next = kept_texts;
    kept_texts = kept;
    return kept->text;
}

const char *check_on_host(const struct check_run *run)
{
    const struct anchor *anchor = run->anchor                     ? run->anchor
                                  : run->scene->anchor_count == 1 ? &run->scene->anchors[0]
                                                                  : NULL;
    const char *name = anchor && anchor->id[0] != '\0' ? SHELL_WORD(anchor->name) : NULL;
    const char *option = name ? " --anchor " : "";

    if (run->scene->is_in_container)
        return check_text("docker run --rm --privileged --pid host --network host "
                          "-v /var/run/docker.sock:/var/run/docker.sock %s doctor%s%s",
                          ANCHORD_IMAGE, option, name ? name : "");
    return check_text("sudo anchord doctor%s%s", option, name ? name : "");
}

const char *check_inside(const struct check_run *run, const char *command)
{
    const struct anchor *anchor = run->anchor;

    if (anchor->id[0] != '\0') /* the image has neither ip nor nft */
        return check_text("nsenter -t $(docker inspect -f '{{.State.Pid}}' %s) -n %s   # on the host",
                          SHELL_WORD(anchor->name), command);
    return anchor->is_here ? command : check_text("nsenter -t %d -n %s", (int)anchor->pid, command);
}
