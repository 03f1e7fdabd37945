/*
 * Starts a program under a kernel that does not have, or does not permit, some system calls (SPEC §11): a seccomp
 * filter that refuses them with an errno and that all of the program's children inherit. Used by
 * test_refused_system_calls.py and test_gate_relay.py, as root.
 *
 *     refuse_system_calls ENOSYS close_range,clone3 PROGRAM [ARGUMENT…]
 */
#include "common/cleanup.h"

#include <seccomp.h>
#include <stdio.h>
#include <string.h>

static int errno_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"ENFILE", ENFILE}};

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcmp(known[i].name, name) == 0)
            return known[i].number;
    }
    return 0;
}

/* Without no_new_privs, which would change more than the system calls. */
static int load_filter(uint32_t error, char *names)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    char *rest = names;
    int result = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;

    for (char *name = strsep(&rest, ","); name && result == 0; name = strsep(&rest, ",")) {
        int number = seccomp_syscall_resolve_name(name);

        if (number == __NR_SCMP_ERROR) {
            (void)fprintf(stderr, "no such system call: %s\n", name);
            return -EINVAL;
        }
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0);
    }
    return result < 0 ? result : seccomp_load(filter);
}

int main(int argc, char **argv)
{
    int error = argc > 3 ? errno_of(argv[1]) : 0;

    if (error == 0 || load_filter((uint32_t)error, argv[2]) < 0) {
        (void)fprintf(stderr, "usage: %s ERRNO NAME[,NAME…] PROGRAM [ARGUMENT…]\n", argv[0]);
        return EXIT_FAILURE;
    }
    (void)execv(argv[3], &argv[3]);
    perror(argv[3]);
    return EXIT_FAILURE;
}
