/* All that comes out of a descriptor; see whole.h. Runs without any privilege. */
#include "workers/compose/whole.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t whole_read(int file, size_t maximum, char **ret)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t capacity = 0;
    size_t length = 0;

    for (;;) {
        ssize_t count;

        if (length + 1 >= capacity) {
            char *grown;

            capacity = capacity ? 2 * capacity : (size_t)64 * 1024;
            grown = realloc(bytes, capacity);
            if (!grown)
                return -ENOMEM;
            bytes = grown;
        }
        count = read(file, bytes + length, capacity - length - 1);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count == 0)
            break;
        length += count > 0 ? (size_t)count : 0;
        if (length > maximum)
            return -EFBIG;
    }
    bytes[length] = '\0';
    *ret = TAKE_POINTER(bytes);
    return (ssize_t)length;
}
