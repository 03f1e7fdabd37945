/* ANCHORD_MANAGED_SA_…; see configuration_managed.h. Pure, no privilege. */
#include "daemon/configuration/configuration_managed.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/configuration/configuration_problem.h"
#include "protocol/managed_target.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_tree.h>

#define VARIABLE "ANCHORD_MANAGED_SA_"
#define NAME_END "-service-anchor"

DEFINE_POINTER_CLEANUP(struct yajl_val_s, yajl_tree_free, yajl_tree_freep);

/* --- values ---------------------------------------------------------------------------------------------- */

const char *configuration_managed_container_name(const char *text, void *target)
{
    if (!container_name_is_valid(text))
        return "is no container's name: two letters, digits, `_`, `.` or `-` at least, the first a letter or digit";
    return text_copy(target, NAME_SIZE, text) < 0 ? "is too long: 127 characters at most" : NULL;
}

/* The characters of a reference; Docker knows the whole grammar (github.com/distribution/reference). */
const char *configuration_managed_image_name(const char *text, void *target)
{
    for (const char *character = text; *character; character++) {
        if (!isalnum((unsigned char)*character) && !strchr(character == text ? "[" : "._-/:@[]+", *character))
            return "is no image's name";
    }
    return text_copy(target, IMAGE_NAME_SIZE, text) < 0 ? "is too long: 255 characters at most" : NULL;
}

const char *configuration_managed_gateways(const char *text, void *target)
{
    struct managed_target *managed = target;
    struct configuration_gateways gateways;
    const char *wrong = configuration_parse_gateways(text, &gateways);

    if (wrong)
        return wrong;
    managed->gateway4 = wire_address_from(&gateways.v4);
    managed->gateway6 = wire_address_from(&gateways.v6);
    return NULL;
}

/* What is wrong with a member: NULL, or a part of a sentence. */
static const char *add_member(struct assignments *assignments, const char *key, yajl_val value)
{
    if (!YAJL_IS_STRING(value))
        return "its value is no text";
    switch (assignments_add(assignments, key, strlen(key), value->u.string, strlen(value->u.string))) {
    case 0:
        return NULL;
    case -EEXIST:
        return "stands there twice";
    case -ENOSPC:
        return "is too much: 4096 bytes at most, with all keys and values";
    default:
        return "is empty or has a `=`";
    }
}

static const char *refuse_reserved(const char *key)
{
    return managed_label_is_reserved(key, strlen(key)) ? "belongs to Compose or to anchord" : NULL;
}

static const char *refuse_nothing(const char *key)
{
    (void)key;
    return NULL;
}

static const char *parse_object(const char *text, const char *(*refuse)(const char *key), struct assignments *ret)
{
    static char wrong[160];
    CLEANUP(yajl_tree_freep) yajl_val root = yajl_tree_parse(text, NULL, 0);
    struct assignments assignments = {0};

    if (!YAJL_IS_OBJECT(root) || strstr(text, "\\u0000")) /* the tree's texts end with a NUL */
        return "is no JSON object with texts: {\"KEY\": \"value\"}";
    for (size_t i = 0; i < root->u.object.len; i++) {
        const char *key = root->u.object.keys[i];
        const char *reason = refuse(key);

        if (!reason)
            reason = add_member(&assignments, key, root->u.object.values[i]);
        if (!reason)
            continue;
        (void)snprintf(wrong, sizeof(wrong), "key \"%.64s\": %s", key, reason);
        return wrong;
    }
    *ret = assignments;
    return NULL;
}

const char *configuration_managed_environment(const char *text, void *target)
{
    return parse_object(text, refuse_nothing, target);
}

const char *configuration_managed_labels(const char *text, void *target)
{
    return parse_object(text, refuse_reserved, target);
}

/* --- entries --------------------------------------------------------------------------------------------- */

void configuration_managed_begin(struct configuration *configuration)
{
    configuration->managed[0].number = 1;
    configuration->managed_count = 1;
}

struct managed_target *configuration_managed_entry(struct configuration *configuration, uint32_t number)
{
    struct managed_target *entry;

    for (size_t i = 0; i < configuration->managed_count; i++) {
        if (configuration->managed[i].number == number)
            return &configuration->managed[i];
    }
    if (configuration->managed_count == MANAGED_TARGETS_MAX)
        return NULL;
    entry = &configuration->managed[configuration->managed_count++];
    entry->number = number;
    return entry;
}

#define VARIABLE_SIZE 64

/* "ANCHORD_MANAGED_SA_NAME_2"; the first one has no number. */
static void name_variable(const struct managed_target *entry, const char *which, char ret[VARIABLE_SIZE])
{
    if (entry->number == 1)
        (void)snprintf(ret, VARIABLE_SIZE, VARIABLE "%s", which);
    else
        (void)snprintf(ret, VARIABLE_SIZE, VARIABLE "%s_%" PRIu32, which, entry->number);
}

/* Is there anything that a target could have use for? */
static bool is_blank(const struct managed_target *entry)
{
    const struct managed_target blank = {.number = entry->number};

    return memcmp(entry, &blank, sizeof(blank)) == 0;
}

static void complete(struct configuration *configuration, struct managed_target *entry)
{
    char derived[NAME_SIZE + sizeof(NAME_END)];
    char variable[VARIABLE_SIZE];

    name_variable(entry, "NAME", variable);
    (void)snprintf(derived, sizeof(derived), "%s" NAME_END, entry->target);
    if (entry->name[0] == '\0' && text_copy(entry->name, sizeof(entry->name), derived) < 0) {
        configuration_problem_add(configuration, true, variable, "not set, and \"%s\" is too long", derived);
        return;
    }
    if (strcmp(entry->name, entry->target) == 0)
        configuration_problem_add(configuration, true, variable, "\"%s\": is its target's name", entry->name);
    for (const struct managed_target *other = configuration->managed; other < entry; other++) {
        if (strcmp(other->name, entry->name) == 0)
            configuration_problem_add(configuration, true, variable, "\"%s\": is the name of number %" PRIu32 ", too",
                                      entry->name, other->number);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const struct managed_target *one = a, *other = b;

    return (one->number > other->number) - (one->number < other->number);
}

void configuration_managed_finish(struct configuration *configuration)
{
    size_t kept = 0;

    qsort(configuration->managed, configuration->managed_count, sizeof(configuration->managed[0]), compare_numbers);
    for (size_t i = 0; i < configuration->managed_count; i++) {
        struct managed_target *entry = &configuration->managed[i];
        char variable[VARIABLE_SIZE];

        name_variable(entry, "TARGET", variable);
        if (entry->target[0] != '\0') {
            configuration->managed[kept] = *entry;
            complete(configuration, &configuration->managed[kept++]);
        } else if (!is_blank(entry) && configuration->error_count == 0) {
            configuration_problem_add(configuration, false, variable,
                                      "not set, ignoring the other variables of this number");
        }
    }
    configuration->managed_count = kept;
}
