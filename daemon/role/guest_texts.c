/* What variables say of who may come in; see guest_texts.h. Runs as root, reads only our own messages. */
#include "daemon/role/guest_texts.h"

#include "common/text.h"

void guest_texts_send(const struct configuration *configuration, struct worker *watcher)
{
    static struct message_guest_text message; /* one thread, never re-entered */

    for (enum guest_text which = GUEST_TEXT_ALLOW; which < GUEST_TEXT_MAX_; which++) {
        const char *text = configuration->guest_texts[which];

        if (!text)
            continue;
        message.header = message_header_make(MESSAGE_GUEST_TEXT, sizeof(message), 0);
        message.which = which;
        text_copy_cut(message.text, sizeof(message.text), text); /* its length was checked */
        worker_send(watcher, &message.header, -1);
    }
}
