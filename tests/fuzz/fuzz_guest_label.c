/*
 * Fuzz target: the labels anchord.allow and anchord.limit, and the variables that say the same (protocol/guest_label).
 * What is accepted is what the kernel takes; what is refused has a place within the text and a reason.
 */
#include "protocol/guest_label.h"
#include "tests/fuzz/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_text(const char *text, enum guest_text which, const char *service)
{
    struct guest_list list = {0};
    struct guest_error error = {0};
    int result = guest_label_parse(text, which, service, &list, &error);

    if (result == -EINVAL && (list.items || !error.reason || error.position < 1 || error.position > strlen(text) + 1))
        abort();
    if (result == 0 && (guest_list_check(&list) || guest_list_count(&list, GUEST_SOURCE) > GUEST_SOURCES_PER_LABEL_MAX))
        abort();
    if (result == 0 && service && list.count > 0 && !guest_label_names_service(text, service))
        abort();
    for (size_t i = 0; i < list.count; i++) {
        const struct wire_guest *guest = &list.items[i];
        const struct ip_subnet source = guest_source(guest);

        if ((guest->kind == GUEST_LIMIT) != (which == GUEST_TEXT_LIMIT) || guest->port_first == 0 ||
            guest->port_last < guest->port_first)
            abort();
        if (guest->kind == GUEST_SOURCE &&
            guest_list_refuses(&list, guest->protocol, guest->port_last, &source.address))
            abort();
    }
    guest_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = malloc(length + 1);

    if (!text)
        return 0;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    for (enum guest_text which = GUEST_TEXT_ALLOW; which < GUEST_TEXT_MAX_; which++) {
        check_text(text, which, NULL);
        check_text(text, which, "web");
    }
    free(text);
    return 0;
}
