/* The commands that bring containers back; see remedy.h. Pure, no privilege. */
#include "workers/commands/doctor/remedy.h"

#include "common/shell_word.h"

#include <ctype.h>
#include <string.h>

/* A file that Compose read from its standard input. */
#define STANDARD_INPUT "-"

void remedies_release(struct remedies *remedies)
{
    for (size_t i = 0; i < remedies->count; i++)
        free(remedies->list[i].command);
    free(remedies->list);
    *remedies = (struct remedies){0};
}

/* A command that is being written. */
struct draft {
    FILE *stream;
    char *text;
    size_t length;
};

static int begin(struct draft *draft, const char *words)
{
    *draft = (struct draft){0};
    draft->stream = open_memstream(&draft->text, &draft->length);
    if (!draft->stream)
        return -ENOMEM;
    (void)fputs(words, draft->stream);
    return 0;
}

static void add_word(struct draft *draft, const char *text)
{
    (void)fputc(' ', draft->stream);
    shell_word_write(draft->stream, text);
}

/* Puts the command behind the others; takes it over, also on failure. */
static int end(struct draft *draft, const char *note, struct remedies *remedies)
{
    bool is_whole = fclose(draft->stream) == 0;
    CLEANUP_FREE char *text = draft->text;
    struct remedy *list = is_whole ? reallocarray(remedies->list, remedies->count + 1, sizeof(*remedies->list)) : NULL;

    if (!list)
        return -ENOMEM;
    remedies->list = list;
    list[remedies->count++] = (struct remedy){TAKE_POINTER(text), note};
    return 0;
}

/* Docker's names begin with a letter or digit; whatever else says it is one must not become an option. */
static void add_container(struct draft *draft, const struct container *container)
{
    add_word(draft, isalnum((unsigned char)container->name[0]) ? container->name : container->id);
}

/* One `option` for each path of a list. */
static void add_paths(struct draft *draft, const char *option, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        char path[PATH_LIST_SIZE];

        (void)snprintf(path, sizeof(path), "%.*s", (int)length, list);
        if (length > 0) {
            add_word(draft, option);
            add_word(draft, path);
        }
        list += length + (list[length] == ',');
    }
}

/* --- Docker ---------------------------------------------------------------------------------------------- */

static bool is_composed(const struct container *container)
{
    return container->origin.project[0] != '\0';
}

static int add_restart(const struct owner_findings *owner, struct remedies *remedies)
{
    struct draft draft;

    if (begin(&draft, owner->fate == NAMESPACE_STOPPED ? "docker start" : "docker restart") < 0)
        return -ENOMEM;
    if (owner->fate == NAMESPACE_STOPPED) {
        add_container(&draft, owner->owner);
        (void)fputs(" && docker restart", draft.stream);
    }
    for (size_t i = 0; i < owner->dependent_count; i++)
        add_container(&draft, &owner->dependents[i]);
    return end(&draft, NULL, remedies);
}

static int add_removal(const struct owner_findings *owner, struct remedies *remedies)
{
    struct draft draft;
    size_t count = 0;

    for (size_t i = 0; i < owner->dependent_count; i++)
        count += !is_composed(&owner->dependents[i]);
    if (count == 0)
        return 0;
    if (begin(&draft, "docker rm --force") < 0)
        return -ENOMEM;
    for (size_t i = 0; i < owner->dependent_count; i++) {
        if (!is_composed(&owner->dependents[i]))
            add_container(&draft, &owner->dependents[i]);
    }
    return end(&draft,
               "Docker cannot move a container to another network namespace: save what it has written, remove it, make "
               "it again as it was made",
               remedies);
}

/* --- Compose --------------------------------------------------------------------------------------------- */

/* Does one command bring both up? */
static bool are_together(const struct container *one, const struct container *other)
{
    return one->should_run == other->should_run && strcmp(one->origin.project, other->origin.project) == 0 &&
           strcmp(one->origin.working_directory, other->origin.working_directory) == 0 &&
           strcmp(one->origin.files, other->origin.files) == 0 &&
           strcmp(one->origin.environment_files, other->origin.environment_files) == 0;
}

/* Is there one before `index` that is together with it, and, with `of_service`, of its service? */
static bool is_repeated(const struct owner_findings *owner, size_t index, bool of_service)
{
    const struct container *container = &owner->dependents[index];

    for (size_t i = 0; i < index; i++) {
        const struct container *earlier = &owner->dependents[i];

        if (is_composed(earlier) && are_together(earlier, container) &&
            (!of_service || strcmp(earlier->origin.service, container->origin.service) == 0))
            return true;
    }
    return false;
}

/* Everything that is together with the container at `first`, each service once. */
static int add_recreation(const struct owner_findings *owner, size_t first, struct remedies *remedies)
{
    const struct container *container = &owner->dependents[first];
    const struct compose_origin *origin = &container->origin;
    bool has_files = origin->files[0] != '\0' && strcmp(origin->files, STANDARD_INPUT) != 0;
    struct draft draft;

    if (begin(&draft, "docker compose -p") < 0)
        return -ENOMEM;
    add_word(&draft, origin->project);
    if (origin->working_directory[0] != '\0') {
        add_word(&draft, "--project-directory");
        add_word(&draft, origin->working_directory);
    }
    if (has_files)
        add_paths(&draft, "-f", origin->files);
    add_paths(&draft, "--env-file", origin->environment_files);
    (void)fprintf(draft.stream, " up %s --no-deps --force-recreate", container->should_run ? "-d" : "--no-start");
    for (size_t i = first; i < owner->dependent_count; i++) {
        const struct container *other = &owner->dependents[i];

        if (is_composed(other) && are_together(other, container) && !is_repeated(owner, i, true))
            add_word(&draft, other->origin.service);
    }
    return end(&draft,
               has_files ? NULL
                         : "its labels name no Compose file: add -f FILE unless it is compose.yaml of that directory",
               remedies);
}

int remedies_make(const struct owner_findings *owner, struct remedies *ret)
{
    struct remedies remedies = {0};
    int result = 0;

    if (owner->fate == NAMESPACE_STOPPED || owner->fate == NAMESPACE_RESTARTED) {
        result = add_restart(owner, &remedies);
    } else {
        for (size_t i = 0; i < owner->dependent_count && result == 0; i++) {
            if (is_composed(&owner->dependents[i]) && !is_repeated(owner, i, false))
                result = add_recreation(owner, i, &remedies);
        }
        if (result == 0)
            result = add_removal(owner, &remedies);
    }
    if (result < 0)
        remedies_release(&remedies);
    else
        *ret = remedies;
    return result;
}
