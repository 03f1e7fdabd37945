/*
 * Fuzz target: a container's inspection, and the body that is made of it (workers/docker/json_slice.c, workers/keeper).
 * What the JSON reader takes must be walked over without a step outside, and what is made of it must be JSON again. The
 * same bytes are read as a network's inspection, too.
 */
#include "tests/fuzz/docker_input.h"
#include "tests/fuzz/target.h"
#include "workers/keeper/create_body.h"
#include "workers/keeper/endpoint.h"

static void check_body(const struct inspection *inspection, bool use_image_id)
{
    CLEANUP_FREE char *body = NULL;
    CLEANUP(docker_document_release) struct docker_document document = {0};
    const char *reason = NULL;

    if (create_body_make(inspection, "target", use_image_id, &reason, &body) == 0 &&
        read_document(body, strlen(body), &document) < 0)
        abort();
}

static void check_endpoint(const struct inspection *inspection)
{
    CLEANUP_FREE char *configuration = NULL;
    CLEANUP(docker_document_release) struct docker_document document = {0};
    struct endpoint endpoint;

    endpoint_read(inspection, "bridge", &endpoint);
    (void)endpoint_prevented_start(inspection);
    if (endpoint_copy_configuration(inspection, "bridge", &configuration) < 0 ||
        read_document(configuration, strlen(configuration), &document) < 0)
        abort();
}

static void read_network(const uint8_t *bytes, size_t length)
{
    struct network_view view = {0};
    const char *reason = NULL;

    if (read_document(bytes, length, &view.document) == 0 &&
        endpoint_read_network(&view, "peer-bus", "ab", &reason) == 0 && view.id[0] == '\0')
        abort();
    docker_document_release(&view.document);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(inspection_release) struct inspection inspection = {0};
    const char *reason = NULL;
    struct journal journal;

    read_network(bytes, length);
    if (read_document(bytes, length, &inspection.document) < 0 || inspection_read(&inspection, &reason) < 0)
        return 0;
    if (journal_parse(inspection.name, &journal) == 0 && journal.name[0] == '\0')
        abort();
    check_body(&inspection, false);
    check_body(&inspection, true);
    check_endpoint(&inspection);
    return 0;
}
