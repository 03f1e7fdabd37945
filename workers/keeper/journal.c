/* The journal of a recreation; see journal.h. Pure, no privilege. */
#include "workers/keeper/journal.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK       ".anchord-old-"
#define ON_FAILURE "on-failure"
#define RUNNING    "-running"
#define STOPPED    "-stopped"

static const char *const policies[] = {"no", "always", "unless-stopped", ON_FAILURE};

bool journal_restart_policy_is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        if (strcmp(policies[i], name) == 0)
            return true;
    }
    return false;
}

void journal_restart_policy_format(const struct restart_policy_record *policy, char ret[RESTART_POLICY_JSON_SIZE])
{
    (void)snprintf(ret, RESTART_POLICY_JSON_SIZE, "{\"Name\":\"%s\",\"MaximumRetryCount\":%" PRIu32 "}", policy->name,
                   policy->maximum_retries);
}

int journal_format(const struct journal *journal, char ret[NAME_SIZE])
{
    char retries[16] = "";
    int length;

    if (strcmp(journal->policy.name, ON_FAILURE) == 0)
        (void)snprintf(retries, sizeof(retries), "-%" PRIu32, journal->policy.maximum_retries);
    length = snprintf(ret, NAME_SIZE, "%s" MARK "%s%s%s", journal->name, journal->policy.name, retries,
                      journal->was_running ? RUNNING : STOPPED);
    return length < 0 || length >= NAME_SIZE ? -ENAMETOOLONG : 0;
}

/* The last occurrence: a name may hold the mark by itself. */
static const char *find_mark(const char *name)
{
    const char *found = NULL;

    for (const char *next = strstr(name, MARK); next; next = strstr(next + 1, MARK))
        found = next;
    return found;
}

static bool take_suffix(char *text, const char *suffix)
{
    size_t length = strlen(text);

    if (length < strlen(suffix) || strcmp(text + length - strlen(suffix), suffix) != 0)
        return false;
    text[length - strlen(suffix)] = '\0';
    return true;
}

/* "unless-stopped", "on-failure-5". */
static int parse_policy(const char *text, struct restart_policy_record *ret)
{
    size_t prefix = strlen(ON_FAILURE);
    uint64_t number = 0;
    bool is_on_failure = strncmp(text, ON_FAILURE "-", prefix + 1) == 0;

    if (is_on_failure && text_to_number(text + prefix + 1, strlen(text + prefix + 1), INT32_MAX, &number) < 0)
        return -ENOENT;
    if (!is_on_failure && (!journal_restart_policy_is_known(text) || strcmp(text, ON_FAILURE) == 0))
        return -ENOENT;
    ret->maximum_retries = (uint32_t)number;
    return text_copy(ret->name, sizeof(ret->name), is_on_failure ? ON_FAILURE : text);
}

int journal_parse(const char *name, struct journal *ret)
{
    const char *mark = find_mark(name);
    char rest[NAME_SIZE];

    if (!mark || mark == name || text_copy(ret->name, sizeof(ret->name), name) < 0 ||
        text_copy(rest, sizeof(rest), mark + strlen(MARK)) < 0)
        return -ENOENT;
    ret->name[mark - name] = '\0';
    ret->was_running = take_suffix(rest, RUNNING);
    if (!ret->was_running && !take_suffix(rest, STOPPED))
        return -ENOENT;
    return parse_policy(rest, &ret->policy);
}
