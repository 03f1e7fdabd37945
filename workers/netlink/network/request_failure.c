/* What the kernel refused, said once; see request_failure.h. Runs in anchord-netadmin and anchord-way, no privilege. */
#include "workers/netlink/network/request_failure.h"

#include "common/log.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

int request_failure_report(char last[REQUEST_FAILURE_SIZE], struct rtnetlink *rtnetlink, int result)
{
    const struct rtnetlink_request *request = rtnetlink_request(rtnetlink);
    char reason[RTNETLINK_KERNEL_TEXT_SIZE + 64];
    char text[REQUEST_FAILURE_SIZE];

    if (result >= 0) {
        last[0] = '\0';
        return result;
    }
    (void)snprintf(reason, sizeof(reason), "%s%s%s", log_errno_text(result), request->kernel_text[0] ? ": " : "",
                   request->kernel_text);
    (void)snprintf(text, sizeof(text), "%s %s: %s", request->operation, request->object, reason);
    if (strcmp(text, last) == 0)
        return result;
    text_copy_cut(last, REQUEST_FAILURE_SIZE, text);
    log_error("the kernel refused a network request", LOG_TEXT("operation", request->operation),
              LOG_TEXT("object", request->object), LOG_ERROR_TEXT(reason));
    return result;
}
