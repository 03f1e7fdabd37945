/* What `anchord doctor stale-netns` prints; see report.h. No privilege. */
#include "workers/commands/doctor/findings_report.h"

#include "common/text.h"
#include "workers/commands/doctor/remedy.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#define SHORT_ID_LENGTH 12 /* as Docker shows it to people */

/* As it is called in JSON, and what is said of an owner. */
static const struct {
    const char *name;
    const char *text;
} fates[] = {
    [NAMESPACE_ALIVE] = {"alive", ""},
    [NAMESPACE_GONE] = {"gone", "does not exist any more"},
    [NAMESPACE_UNKNOWN] = {"unknown", ""}, /* not among the findings */
    [NAMESPACE_STOPPED] = {"stopped", "does not run"},
    [NAMESPACE_RESTARTED] = {"restarted", "was started again after them"},
};

/* --- text ------------------------------------------------------------------------------------------------ */

static void print_owner(const struct owner_findings *owner)
{
    char identity[SHORT_ID_LENGTH + 1];

    text_copy_cut(identity, sizeof(identity), owner->owner ? owner->owner->id : owner->reference);
    (void)printf("The container ");
    if (owner->owner) {
        (void)text_print_escaped(stdout, owner->owner->name);
        (void)printf(" (%s)", identity);
    } else {
        (void)text_print_escaped(stdout, identity);
    }
    (void)printf(" %s. In its dead network namespace:\n", fates[owner->fate].text);
    for (size_t i = 0; i < owner->dependent_count; i++) {
        int length;

        (void)printf("  ");
        length = text_print_escaped(stdout, owner->dependents[i].name);
        (void)printf("%*s  ", length < 32 ? 32 - length : 0, "");
        (void)text_print_escaped(stdout, owner->dependents[i].status);
        (void)puts("");
    }
}

/* Each command on a line of its own, to be copied; what stands before it is a comment. */
static int print_remedies(const struct owner_findings *owner)
{
    CLEANUP(remedies_release) struct remedies remedies = {0};
    int result = remedies_make(owner, &remedies);

    if (result < 0)
        return result;
    (void)puts("To mend it:");
    for (size_t i = 0; i < remedies.count; i++) {
        if (remedies.list[i].note)
            (void)printf("  # %s\n", remedies.list[i].note);
        (void)printf("  %s\n", remedies.list[i].command);
    }
    return 0;
}

int findings_print_text(const struct findings *findings)
{
    bool is_first = true;

    for (size_t i = 0; i < findings->owner_count; i++) {
        const struct owner_findings *owner = &findings->owners[i];
        int result;

        if (owner->dependent_count == 0)
            continue;
        if (!is_first)
            (void)puts("");
        is_first = false;
        print_owner(owner);
        result = print_remedies(owner);
        if (result < 0)
            return result;
    }
    if (is_first)
        (void)printf("No container lives in a dead network namespace; %zu live in another container's.\n",
                     findings->examined_count);
    return fflush(stdout) == 0 ? 0 : -errno;
}

/* --- JSON ------------------------------------------------------------------------------------------------ */

DEFINE_POINTER_CLEANUP(struct yajl_gen_t, yajl_gen_free, yajl_gen_freep);

/* yajl_gen keeps its first error and refuses everything after it; findings_print_json() asks once, at the end. */
static void generate_text(yajl_gen generator, const char *text)
{
    if (text)
        (void)yajl_gen_string(generator, (const unsigned char *)text, strlen(text));
    else
        (void)yajl_gen_null(generator);
}

static void generate_member(yajl_gen generator, const char *key, const char *text)
{
    generate_text(generator, key);
    generate_text(generator, text);
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static void generate_dependents(yajl_gen generator, const struct owner_findings *owner)
{
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; owner->dependents && i < owner->dependent_count; i++) {
        const struct container *dependent = &owner->dependents[i];

        (void)yajl_gen_map_open(generator);
        generate_member(generator, "id", dependent->id);
        generate_member(generator, "name", dependent->name);
        generate_member(generator, "state", dependent->status);
        generate_member(generator, "project", text_or_null(dependent->origin.project));
        generate_member(generator, "service", text_or_null(dependent->origin.service));
        (void)yajl_gen_map_close(generator);
    }
    (void)yajl_gen_array_close(generator);
}

static int generate_owner(yajl_gen generator, const struct owner_findings *owner)
{
    CLEANUP(remedies_release) struct remedies remedies = {0};
    int result = remedies_make(owner, &remedies);

    if (result < 0)
        return result;
    (void)yajl_gen_map_open(generator);
    generate_member(generator, "target", owner->owner ? owner->owner->id : owner->reference);
    generate_member(generator, "target_name", owner->owner ? owner->owner->name : NULL);
    generate_member(generator, "target_state", fates[owner->fate].name);
    generate_text(generator, "containers");
    generate_dependents(generator, owner);
    generate_text(generator, "remedies");
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < remedies.count; i++) {
        (void)yajl_gen_map_open(generator);
        generate_member(generator, "command", remedies.list[i].command);
        generate_member(generator, "note", remedies.list[i].note);
        (void)yajl_gen_map_close(generator);
    }
    (void)yajl_gen_array_close(generator);
    (void)yajl_gen_map_close(generator);
    return 0;
}

static void generate_unread(yajl_gen generator, const struct findings *findings)
{
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < findings->unread_count; i++) {
        (void)yajl_gen_map_open(generator);
        generate_member(generator, "name", findings->unread[i].name);
        generate_member(generator, "reason", findings->unread[i].reason);
        (void)yajl_gen_map_close(generator);
    }
    (void)yajl_gen_array_close(generator);
}

static void print_piece(void *stream, const char *text, size_t length)
{
    (void)fwrite(text, 1, length, stream);
}

int findings_print_json(const struct findings *findings)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);

    if (!generator || !yajl_gen_config(generator, yajl_gen_beautify, 1) ||
        !yajl_gen_config(generator, yajl_gen_print_callback, print_piece, stdout))
        return -ENOMEM;
    (void)yajl_gen_map_open(generator);
    generate_text(generator, "stale_netns");
    (void)yajl_gen_array_open(generator);
    for (size_t i = 0; i < findings->owner_count; i++) {
        const struct owner_findings *owner = &findings->owners[i];
        int result = owner->dependent_count > 0 ? generate_owner(generator, owner) : 0;

        if (result < 0)
            return result;
    }
    (void)yajl_gen_array_close(generator);
    generate_text(generator, "unread");
    generate_unread(generator, findings);
    if (yajl_gen_map_close(generator) != yajl_gen_status_ok)
        return -EINVAL;
    return fflush(stdout) == 0 ? 0 : -errno;
}
