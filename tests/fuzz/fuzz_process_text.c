/*
 * Fuzz target: what anchord-namespaces reads of a process (workers/namespaces/process_text). The first 64 bytes become
 * an ID, the rest is the text. A container that is found stands in the text; a start time does, too.
 */
#include "workers/namespaces/process_text.h"

#include "tests/fuzz/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char id[CONTAINER_ID_LENGTH + 1] = {0};
    char number[32];
    uint64_t start_time;
    size_t text_length;
    char *text;

    if (length < CONTAINER_ID_LENGTH)
        return 0;
    for (size_t i = 0; i < CONTAINER_ID_LENGTH; i++)
        id[i] = "0123456789abcdef"[bytes[i] % 16];
    text_length = length - CONTAINER_ID_LENGTH;
    text = malloc(text_length + 1); /* of the very size, so that a byte read too far is seen */
    if (!text)
        return 0;
    memcpy(text, bytes + CONTAINER_ID_LENGTH, text_length);
    if (process_text_is_of_container(text, text_length, id) && !memmem(text, text_length, id, CONTAINER_ID_LENGTH))
        abort();
    if (process_text_start_time(text, text_length, &start_time) == 0) {
        (void)snprintf(number, sizeof(number), "%" PRIu64 " ", start_time);
        if (!memmem(text, text_length, number, strlen(number)))
            abort();
    }
    free(text);
    return 0;
}
