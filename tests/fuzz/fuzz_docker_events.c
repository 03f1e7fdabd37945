/*
 * Fuzz target: Docker's stream of events (workers/docker/event_json). The first byte says how long the pieces are that
 * the rest arrives in; the same events come out of one piece. A stream that breaks off is no error of its own.
 */
#include "tests/fuzz/docker_input.h"
#include "tests/fuzz/target.h"

static const struct docker_label_names labels = {
    .names = {"com.docker.compose.project", "anchord.expose", "anchord.expose.v6"},
    .count = 3,
};

static void on_event(void *userdata, const struct docker_event *event)
{
    struct digest *digest = userdata;

    if (event->type != DOCKER_EVENT_CONTAINER && event->type != DOCKER_EVENT_NETWORK)
        abort();
    digest->records++;
    digest_add(digest, &event->type, sizeof(event->type));
    digest_add_text(digest, event->action, sizeof(event->action));
    digest_add_text(digest, event->container_id, sizeof(event->container_id));
    digest_add(digest, &event->time, sizeof(event->time));
    digest_add_labels(digest, event->labels);
}

static int read_events(const uint8_t *bytes, size_t length, size_t step, struct digest *digest)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    if (docker_parser_new_events(&labels, on_event, digest, &parser) < 0)
        abort();
    return feed_in_pieces(parser, bytes, length, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct digest whole = {0};
    struct digest pieces = {0};

    if (length < 2)
        return 0;
    if (read_events(bytes + 1, length - 1, length, &whole) !=
        read_events(bytes + 1, length - 1, 1 + bytes[0] % 64, &pieces))
        abort();
    if (whole.records != pieces.records || whole.value != pieces.value)
        abort();
    return 0;
}
