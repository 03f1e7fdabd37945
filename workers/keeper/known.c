/* Whom the last list told of; see known.h. Pure, no privilege. */
#include "workers/keeper/known.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/text.h"
#include "workers/keeper/inspection.h"

#include <string.h>

int known_add(struct known *known, const char *id, const char *name)
{
    struct known_container *grown =
        array_grow(known->containers, known->count, &known->capacity, sizeof(*known->containers));

    if (!grown)
        return -ENOMEM;
    known->containers = grown;
    text_copy_cut(grown[known->count].id, DOCKER_ID_SIZE, id);
    text_copy_cut(grown[known->count++].name, NAME_SIZE, name);
    return 0;
}

const char *known_find(const struct known *known, const char *reference)
{
    size_t length = strlen(reference);
    const char *found = NULL;

    for (size_t i = 0; i < known->count; i++) {
        const struct known_container *container = &known->containers[i];

        if (strcmp(container->name, reference) == 0)
            return container->id;
        if (length >= DOCKER_SHORT_ID_LENGTH && strncmp(container->id, reference, length) == 0)
            found = container->id;
    }
    return found;
}

void known_release(struct known *known)
{
    free_pointer(&known->containers);
    *known = (struct known){0};
}
