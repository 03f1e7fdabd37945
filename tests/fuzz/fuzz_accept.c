/*
 * Fuzz target: the header `Accept` of whoever asks for the metrics (workers/exporter/exposition), the one thing of a
 * request that our own code reads. libmicrohttpd ends it with a NUL.
 */
#include "workers/exporter/exposition.h"

#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *accept = malloc(length + 1); /* of the very size, so that a byte read too far is seen */

    if (!accept)
        return 0;
    if (length > 0)
        memcpy(accept, bytes, length);
    accept[length] = '\0';
    (void)exposition_content_type(exposition_negotiate(accept));
    free(accept);
    return 0;
}
