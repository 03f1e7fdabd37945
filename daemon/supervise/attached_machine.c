/* What the machine is known by; see attached_machine.h. Runs in the supervisor, as root, and in commands. */
#include "daemon/supervise/attached_machine.h"

#include <systemd/sd-id128.h>

/* Not the machine's ID itself, which is nobody's to know (machine-id(5)). */
int attached_machine_read(uint8_t ret[MACHINE_ID_LENGTH])
{
    static const sd_id128_t application = SD_ID128_MAKE(61, 6e, 63, 68, 6f, 72, 64, 2d, 61, 74, 74, 61, 63, 68, 2d, 31);
    sd_id128_t machine;
    int result = sd_id128_get_machine_app_specific(application, &machine);

    if (result < 0)
        return result;
    memcpy(ret, machine.bytes, MACHINE_ID_LENGTH);
    return 0;
}
