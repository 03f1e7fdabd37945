/* The group `path` for anchord-doctor; see path_command.h. Runs as root. */
#include "daemon/command/path_command.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/path_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool parse(int argc, char **argv, struct path_options *options)
{
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        uint64_t pid;

        if (text_skip(&word, "--from-lan")) {
            options->from_lan = true;
            options->lan_addresses = text_skip(&word, "=") ? word : "";
        } else if (text_skip(&word, "--name=")) {
            options->name = word;
        } else if (text_to_number(word, strlen(word), INT32_MAX, &pid) == 0) {
            options->pid = (uint32_t)pid;
        } else {
            (void)fprintf(stderr, "anchord doctor: is what anchord-doctor starts\n");
            return false;
        }
    }
    return true;
}

static void write_answer(const struct answer *answer, void *userdata)
{
    (void)userdata;
    if (write(STDOUT_FILENO, answer, sizeof(*answer)) != sizeof(*answer))
        _exit(EXIT_STATUS_CRASH); /* nobody reads */
}

int path_command(int argc, char **argv)
{
    struct path_options options = {.lan_addresses = ""};
    int result;

    if (!parse(argc, argv, &options))
        return EXIT_STATUS_CONFIGURATION;
    result = path_check_run(&options, write_answer, NULL);
    if (result == 0)
        return EXIT_STATUS_CLEAN;
    (void)fprintf(stderr, "anchord doctor: %s\n", log_errno_text(result));
    return result == -ENOENT || result == -ECONNREFUSED ? EXIT_STATUS_NOTHING_RUNS : EXIT_STATUS_CONFIGURATION;
}
