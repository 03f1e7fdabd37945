/*
 * Fuzz target: the labels anchord.expose and anchord.expose.v6 (protocol/expose_label). What is accepted is
 * sorted and claims no port twice; what is refused has a place within the label and a reason.
 */
#include "protocol/expose_label.h"
#include "tests/fuzz/target.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void check_range(const struct expose_range *range, const struct expose_range *previous)
{
    if ((range->protocol != IPPROTO_TCP && range->protocol != IPPROTO_UDP) || range->port_first == 0 ||
        range->port_first > range->port_last || range->backend_port_first == 0 ||
        range->backend_port_first + (range->port_last - range->port_first) > UINT16_MAX)
        abort();
    if (previous && (previous->protocol > range->protocol ||
                     (previous->protocol == range->protocol && previous->port_last >= range->port_first)))
        abort();
}

static void check_label(const char *label)
{
    struct expose_range *ranges = NULL;
    struct expose_error error = {0};
    int count = expose_label_parse(label, &ranges, &error);

    if (count < 0 && (ranges || !error.reason || error.position < 1 || error.position > strlen(label) + 1))
        abort();
    for (int i = 0; i < count; i++)
        check_range(&ranges[i], i > 0 ? &ranges[i - 1] : NULL);
    if (count > EXPOSE_RANGES_MAX)
        abort();
    free(ranges);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *label = malloc(length + 1);

    if (!label)
        return 0;
    if (length > 0)
        memcpy(label, bytes, length);
    label[length] = '\0';
    check_label(label);
    if (expose_v6_label_parse(label) > 1)
        abort();
    free(label);
    return 0;
}
