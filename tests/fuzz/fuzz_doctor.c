/*
 * Fuzz target: what `anchord doctor` makes of a container's inspection (workers/commands/doctor). Whatever it holds, a
 * command is one line of printable ASCII: it is pasted into a terminal.
 */
#include "tests/fuzz/docker_input.h"
#include "tests/fuzz/target.h"
#include "workers/commands/doctor/remedy.h"

static void check_commands(struct container *container, enum namespace_fate fate)
{
    const struct owner_findings findings = {"cafe", container, fate, container, 1};
    CLEANUP(remedies_release) struct remedies remedies = {0};

    if (remedies_make(&findings, &remedies) < 0 || remedies.count != 1)
        abort();
    for (const char *letter = remedies.list[0].command; *letter; letter++) {
        if (*letter < ' ' || *letter > '~')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(docker_document_release) struct docker_document document = {0};
    struct container container;
    const char *reason = NULL;

    if (read_document(bytes, length, &document) < 0)
        return 0;
    if (container_read(&document, &container, &reason) < 0) {
        if (!reason)
            abort();
        return 0;
    }
    if (container_judge(&container, &container, UINT64_MAX) == NAMESPACE_GONE)
        abort();
    check_commands(&container, NAMESPACE_GONE);
    check_commands(&container, NAMESPACE_STOPPED);
    check_commands(&container, NAMESPACE_RESTARTED);
    return 0;
}
