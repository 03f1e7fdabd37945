/* What a survey of the host has found; see findings.h. Pure, no privilege. */
#include "workers/commands/doctor/findings.h"

#include "common/text.h"

#include <string.h>

/* Makes room for one more element; returns it, zeroed, or NULL. */
static void *add_element(void *array_pointer, size_t count, size_t size)
{
    void **array = array_pointer;
    char *larger = reallocarray(*array, count + 1, size);

    if (!larger)
        return NULL;
    *array = larger;
    return memset(larger + count * size, 0, size);
}

void findings_release(struct findings *findings)
{
    for (size_t i = 0; i < findings->owner_count; i++) {
        free(findings->owners[i].owner);
        free(findings->owners[i].dependents);
    }
    free(findings->owners);
    free(findings->unread);
    *findings = (struct findings){0};
}

struct owner_findings *findings_find_owner(struct findings *findings, const char *reference)
{
    for (size_t i = 0; i < findings->owner_count; i++) {
        if (strcmp(findings->owners[i].reference, reference) == 0)
            return &findings->owners[i];
    }
    return NULL;
}

int findings_add_owner(struct findings *findings, const char *reference, const struct container *owner)
{
    CLEANUP_FREE struct container *copy = owner ? malloc(sizeof(*copy)) : NULL;
    struct owner_findings *added;

    if (owner && !copy)
        return -ENOMEM;
    added = add_element(&findings->owners, findings->owner_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    findings->owner_count++;
    text_copy_cut(added->reference, sizeof(added->reference), reference);
    if (owner)
        *copy = *owner;
    added->owner = TAKE_POINTER(copy);
    return 0;
}

int findings_add(struct findings *findings, struct owner_findings *owner, const struct container *dependent,
                 enum namespace_fate fate)
{
    struct container *added = add_element(&owner->dependents, owner->dependent_count, sizeof(*added));

    if (!added)
        return -ENOMEM;
    *added = *dependent;
    owner->fate = fate;
    owner->dependent_count++;
    findings->dependent_count++;
    return 0;
}

int findings_add_unread(struct findings *findings, const char *name, const char *reason)
{
    struct unread_container *added = add_element(&findings->unread, findings->unread_count, sizeof(*added));

    if (!added)
        return -ENOMEM;
    findings->unread_count++;
    text_copy_cut(added->name, sizeof(added->name), name);
    text_copy_cut(added->reason, sizeof(added->reason), reason);
    return 0;
}
