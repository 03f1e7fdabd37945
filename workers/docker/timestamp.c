/* Docker's times; see timestamp.h. Pure, reads foreign bytes, no privilege. */
#include "workers/docker/timestamp.h"

#include "common/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int docker_time_parse(const char *text, uint64_t *ret_nanoseconds)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    uint64_t fraction = 0;
    uint64_t unit = NANOSECONDS_PER_SECOND;
    time_t seconds;
    long offset;

    if (!rest)
        return -EINVAL;
    if (*rest == '.') {
        for (rest++; *rest >= '0' && *rest <= '9' && unit > 1; rest++) {
            unit /= 10;
            fraction += (uint64_t)(*rest - '0') * unit;
        }
    }
    if (*rest != 'Z' && *rest != '+' && *rest != '-')
        return -EINVAL;
    rest = strptime(rest, "%z", &parts);
    if (!rest || *rest != '\0')
        return -EINVAL;
    offset = parts.tm_gmtoff;
    seconds = timegm(&parts) - offset;
    *ret_nanoseconds = seconds > 0 ? (uint64_t)seconds * NANOSECONDS_PER_SECOND + fraction : 0; /* year 1: never */
    return 0;
}
