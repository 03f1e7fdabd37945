/* What an anchor says of itself; see explain_model.h. Runs as root, and reads records of one size alone. */
#include "daemon/command/explain_model.h"

#include "common/array.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void keep(struct explain_model *model, const struct path_word *word)
{
    struct path_word *grown = array_grow(model->words, model->count, &model->capacity, sizeof(*word));

    if (!grown) {
        model->error = -ENOMEM;
        return;
    }
    model->words = grown;
    model->words[model->count++] = *word;
}

static void take_word(const struct path_word *word, void *userdata)
{
    struct explain_model *model = userdata;
    struct ip_address address = wire_address_to(&word->addresses[0]);

    switch ((enum path_word_kind)word->kind) {
    case PATH_WORD_EXTERNAL:
        memcpy(model->external, word->name, sizeof(model->external));
        break;
    case PATH_WORD_SHARED:
        memcpy(model->shared, word->name, sizeof(model->shared));
        break;
    case PATH_WORD_ADDRESS:
        if (model->own_count < ARRAY_LENGTH(model->own) && !ip_address_is_link_local(&address))
            model->own[model->own_count++] = address;
        break;
    case PATH_WORD_GATEWAY:
        model->gateways[address.family == IP_FAMILY_6 ? 1 : 0] = address;
        break;
    case PATH_WORD_EXPOSURE:
    case PATH_WORD_GUESTS:
    case PATH_WORD_CONFLICT:
    case PATH_WORD_PROBLEM:
    case PATH_WORD_WITHHELD:
        keep(model, word);
        break;
    case PATH_WORD_END:
    case PATH_WORD_KIND_MAX_:
        break;
    }
}

int explain_model_read(struct explain_model *ret)
{
    int result;

    *ret = (struct explain_model){0};
    result = path_status_read(0, take_word, ret);
    return result < 0 ? result : ret->error;
}

void explain_model_clear(struct explain_model *model)
{
    free(model->words);
    *model = (struct explain_model){0};
}

struct ip_address explain_model_address(const struct explain_model *model, const char *container, uint8_t family)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct path_word *word = &model->words[i];
        const struct wire_address *address = &word->addresses[family == IP_FAMILY_6 ? 1 : 0];

        if (word->kind == PATH_WORD_EXPOSURE && address->family == family &&
            explain_is_container(word->name, container))
            return wire_address_to(address);
    }
    return (struct ip_address){0};
}
