/*
 * Fuzz target: a request to the gate (workers/gate/request). The first byte chooses the client. What passes becomes one
 * head of printable lines that ends once, says its length at most once, and passes again as itself.
 */
#include "tests/fuzz/target.h"
#include "workers/gate/request.h"

#include <stdlib.h>
#include <string.h>

static const struct message_configure_gate scope = {
    .labels = "%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%5D",
    .follow_network = "shop",
    .follow_network_path = "shop",
    .follow_target_path = "web",
};
static struct gate_request first, second;

static void check_head(const char *head, size_t length)
{
    const char *end = memmem(head, length, "\r\n\r\n", 4);
    size_t lines = 0;

    if (!end || end + 4 != head + length)
        abort();
    for (size_t i = 0; i < length; i++) {
        if (head[i] == '\n' && head[i - 1] != '\r')
            abort();
        lines += head[i] == '\n';
        if (head[i] != '\r' && head[i] != '\n' && (head[i] < 0x20 || head[i] > 0x7e))
            abort();
    }
    if (lines > 5)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char reason[GATE_REASON_SIZE];
    enum gate_client client;
    char *text;

    if (length == 0)
        return 0;
    client = (enum gate_client)(1 + bytes[0] % (GATE_CLIENT_MAX_ - 1));
    text = malloc(length); /* of the very size, so that a byte read too far is seen */
    if (!text)
        return 0;
    memcpy(text, bytes + 1, length - 1);
    text[length - 1] = '\0';
    if (request_read(client, &scope, text, length - 1, &first, reason) == REQUEST_ALLOWED) {
        check_head(first.bytes.bytes, first.bytes.end);
        if (first.taken > length - 1 || first.body_length > GATE_BODY_MAX)
            abort();
        if (request_read(client, &scope, first.bytes.bytes, first.bytes.end, &second, reason) != REQUEST_ALLOWED ||
            second.bytes.end != first.bytes.end ||
            memcmp(second.bytes.bytes, first.bytes.bytes, first.bytes.end) != 0 ||
            second.body_length != first.body_length)
            abort();
    }
    free(text);
    return 0;
}
