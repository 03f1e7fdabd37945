/* A Compose file's bytes and what is wrong with it; see files_examine.h. Pure, no privilege. */
#include "workers/commands/doctor/files_examine.h"

#include "common/text.h"
#include "workers/commands/doctor/files_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What people give it first is the file itself, which is YAML and not finished, either. */
static bool is_no_object(const char *bytes, size_t length, struct json_tree_error *ret_error)
{
    size_t at = 0;

    while (at < length && bytes[at] && strchr(TEXT_BLANKS, bytes[at]))
        at++;
    if (at < length && bytes[at] == '{')
        return false;
    (void)snprintf(ret_error->text, sizeof(ret_error->text), "%s; it takes what Compose makes of all files",
                   at == length ? "it is empty" : "no JSON object begins here: is it YAML?");
    return true;
}

int files_examine(struct arena *arena, const char *bytes, size_t length, const struct files_report *report,
                  struct json_tree_error *ret_error)
{
    struct json_tree tree;
    struct project project;
    struct files_model model;
    int count = 0;
    int result;

    if (is_no_object(bytes, length, ret_error))
        return -EBADMSG;
    result = json_tree_parse(arena, bytes, length, &tree, ret_error);
    if (result == 0)
        result = project_read(&tree, &project, ret_error);
    if (result == 0)
        result = files_model_make(arena, &project, report, &model);
    if (result < 0)
        return result;
    files_rules_labels(&model);
    files_rules_homes(&model);
    files_rules_networks(&model);
    files_rules_rights(&model);
    files_rules_docker(&model);
    files_rules_sidecars(&model);
    for (const struct files_service *each = model.services; each; each = each->next)
        count++;
    return model.is_out_of_memory ? -ENOMEM : count;
}
