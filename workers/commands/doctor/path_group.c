/*
 * `anchord doctor path`: the proof end to end, which the command `anchord` makes itself: it starts probers in the
 * namespaces concerned, as root, and lets these alone read what comes from a network (daemon/command/path_command.h).
 *
 * Run by runner.c with the rights of whoever typed the command; reads nothing here, becomes that program.
 */
#include "workers/commands/doctor/path_group.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/programs.h"

#include <stdio.h>
#include <string.h>

void path_group_check(struct check_run *run)
{
    char pid[16], from_lan[256], name[NAME_SIZE + sizeof("--name=")];
    char *arguments[7] = {(char[]){"anchord"}, (char[]){"doctor"}, (char[]){"--path-answers"}};
    size_t count = 3;

    if (run->scene->from_lan) {
        text_copy_cut(from_lan, sizeof(from_lan), run->scene->from_lan);
        arguments[count++] = from_lan;
    }
    if (!run->anchor->is_here && run->anchor->id[0] != '\0') {
        (void)snprintf(name, sizeof(name), "--name=%s", run->anchor->name);
        arguments[count++] = name;
    }
    if (!run->anchor->is_here) {
        (void)snprintf(pid, sizeof(pid), "%d", (int)run->anchor->pid);
        arguments[count++] = pid;
    }
    if (dup2(run->output, STDOUT_FILENO) >= 0)
        (void)execve(DOCTOR_ANCHORD, arguments, environ);
    check_is_unknown(run, NULL, NULL, "the proof cannot be started");
}
