/*
 * `anchord doctor kernel compose`: whether the kernel has what anchord asks of it, and Docker Compose is new enough.
 *
 * Run by runner.c behind the seal. Of the kernel nothing is tried, which would load a module or make a table: it is
 * read what it was built with, where that is told, and an anchor's tables in it are proof enough. Compose is started
 * before the seal, as whoever typed the command, and what it prints is read behind it.
 */
#include "workers/commands/doctor/kernel_checks.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

/* --- the kernel --------------------------------------------------------------------------------------------- */

/* SPEC §11: what Debian 10 had, the first with NAT for both families beside each other. */
#define OLDEST_MAJOR 4U
#define OLDEST_MINOR 18U

/* By the name of its module, and in the kernel's configuration. */
struct feature {
    const char *module, *option;
    bool is_in_tables; /* anchord's tables in the kernel show that it is there */
};

static const struct feature features[] = {
    {"nf_tables", "NF_TABLES", true},   {"nf_conntrack", "NF_CONNTRACK", true}, {"nft_ct", "NFT_CT", true},
    {"nft_fib", "NFT_FIB", true},       {"nft_chain_nat", "NFT_NAT", true},     {"nft_masq", "NFT_MASQ", true},
    {"nft_reject", "NFT_REJECT", true}, {"macvlan", "MACVLAN", false},
};

enum presence { PRESENCE_UNKNOWN, PRESENCE_MISSING, PRESENCE_THERE };

/* In "CONFIG_NF_TABLES=m", or it is not. */
static enum presence look_in_configuration(FILE *stream, const char *option)
{
    char line[512];
    const char *wanted = check_text("CONFIG_%s=", option);

    rewind(stream);
    while (fgets(line, sizeof(line), stream)) {
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            return PRESENCE_THERE;
    }
    return PRESENCE_MISSING;
}

/* In "kernel/net/netfilter/nf_tables.ko.xz: …"; what has a number or family behind its name has its name, too. */
static bool is_in_list(const char *path, const char *module)
{
    CLEANUP_STREAM FILE *stream = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    const char *wanted = check_text("/%s", module);
    size_t size = 0;

    while (stream && getline(&line, &size, stream) >= 0) {
        line[strcspn(line, ":")] = '\0';
        if (strstr(line, wanted))
            return true;
    }
    return false;
}

/* Of which both are there. */
static enum presence look_in_modules(const char *release, const char *module)
{
    const char *built_in = check_text("/lib/modules/%s/modules.builtin", release);
    const char *others = check_text("/lib/modules/%s/modules.dep", release);

    if (access(built_in, R_OK) < 0 || access(others, R_OK) < 0)
        return PRESENCE_UNKNOWN;
    return is_in_list(built_in, module) || is_in_list(others, module) ? PRESENCE_THERE : PRESENCE_MISSING;
}

static bool is_proven(const struct scene *scene)
{
    static const char table[] = "table ip anchord_v4 {";

    for (size_t i = 0; i < scene->anchor_count; i++) {
        const struct said *rules = &scene->anchors[i].rules;

        if (rules->bytes && memmem(rules->bytes, rules->length, table, strlen(table)))
            return true;
    }
    return false;
}

/* Names what is there and what nothing tells of; finds what is missing. */
static size_t look_at_features(struct check_run *run, const char *release, const char **ret_unknown)
{
    CLEANUP_STREAM FILE *configuration = fopen(check_text("/boot/config-%s", release), "re");
    bool are_proven = is_proven(run->scene);
    size_t missing = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(features); i++) {
        const struct feature *feature = &features[i];
        enum presence presence = configuration ? look_in_configuration(configuration, feature->option)
                                               : look_in_modules(release, feature->module);

        if (feature->is_in_tables && are_proven)
            continue;
        if (presence == PRESENCE_UNKNOWN)
            *ret_unknown = check_text("%s%s%s", *ret_unknown, **ret_unknown ? ", " : "", feature->module);
        if (presence != PRESENCE_MISSING)
            continue;
        missing++;
        check_found(run, PROBLEM_KERNEL_LACKS,
                    &(struct finding_texts){
                        .object = feature->module,
                        .sentence = check_text("this kernel, %s, has no %s", release, feature->module),
                        .why = configuration
                                   ? check_text("CONFIG_%s is not set in /boot/config-%s", feature->option, release)
                                   : check_text("it is in neither list of /lib/modules/%s", release)});
    }
    return missing;
}

void kernel_check(struct check_run *run)
{
    unsigned int major = 0, minor = 0;
    const char *unknown = "";
    struct utsname name;

    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own */
    if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2) {
        check_is_unknown(run, NULL, "uname -r", "the kernel does not tell its version");
        return;
    }
    if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR)) {
        check_found(run, PROBLEM_KERNEL_BEFORE_FLOOR,
                    &(struct finding_texts){.sentence = check_text("Linux %s is too old", name.release)});
        return;
    }
    if (look_at_features(run, name.release, &unknown) > 0)
        return;
    if (unknown[0] != '\0' && !is_proven(run->scene))
        check_is_unknown(run, NULL,
                         run->scene->is_in_container ? NULL
                                                     : check_text("modprobe -a %s   # says which it has not",
                                                                  "nf_tables nft_masq nft_fib macvlan"),
                         "nothing here tells what Linux %s was built with", name.release);
    else
        check_is_well(run, NULL, "Linux %s%s%s", name.release,
                      is_proven(run->scene) ? " has taken an anchor's tables" : " has all that anchord asks of it",
                      unknown[0] != '\0' ? check_text("; nothing here tells of %s", unknown) : "");
}

/* --- Docker Compose ----------------------------------------------------------------------------------------- */

/* `!reset` and `!override`, which `anchord wrap` writes, and `example-ipv4-only.yaml` has, too. */
#define OLDEST_COMPOSE_MAJOR 2U
#define OLDEST_COMPOSE_MINOR 24U

#define VERSION_SIZE 64

/* Where Docker's command looks for it (docker/cli, cli-plugins/manager), after the one of whoever types; the last are
 * those of the first generation. */
static const char *const compose_paths[] = {
    "/usr/local/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/local/bin/docker-compose",
    "/usr/bin/docker-compose",
};

/* "2.40.3", or "v2.40.3", on the pipe. */
static void become_compose(const char *path, int output)
{
    char *arguments[] = {(char[]){"docker-compose"}, (char[]){"version"}, (char[]){"--short"}, NULL};
    char *environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin"}, (char[]){"HOME=/nonexistent"}, NULL};
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 &&
        dup2(output, STDOUT_FILENO) >= 0)
        (void)execve(path, arguments, environment);
    _exit(EXIT_FAILURE);
}

int compose_prepare(struct check_run *run, const char **ret_why)
{
    int ends[2];
    pid_t process;

    *ret_why = "Docker Compose cannot be started";
    for (size_t i = 0; i < ARRAY_LENGTH(compose_paths); i++) {
        if (access(compose_paths[i], X_OK) < 0)
            continue;
        if (pipe2(ends, O_CLOEXEC) < 0)
            return -errno;
        process = fork();
        if (process == 0)
            become_compose(compose_paths[i], ends[1]);
        (void)close(ends[1]);
        run->files.files[0] = ends[0];
        return process < 0 ? -EAGAIN : 0;
    }
    return 0;
}

static void read_version(int input, char ret[VERSION_SIZE])
{
    size_t length = 0;
    ssize_t result = 1;

    while (result > 0 && length < VERSION_SIZE - 1) {
        result = read(input, ret + length, VERSION_SIZE - 1 - length);
        length += result > 0 ? (size_t)result : 0;
    }
    ret[length] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
}

void compose_check(struct check_run *run)
{
    unsigned int major = 0, minor = 0;
    char version[VERSION_SIZE];
    const char *number = version;

    if (run->files.files[0] < 0) {
        check_skip(run, NULL, "Docker Compose is not installed here");
        return;
    }
    read_version(run->files.files[0], version);
    number += version[0] == 'v';
    /* NOLINTNEXTLINE(cert-err34-c): what is no number is told so */
    if (sscanf(number, "%u.%u", &major, &minor) != 2)
        check_is_unknown(run, NULL, "docker compose version", "Docker Compose does not tell its version");
    else if (major < OLDEST_COMPOSE_MAJOR || (major == OLDEST_COMPOSE_MAJOR && minor < OLDEST_COMPOSE_MINOR))
        check_found(run, PROBLEM_COMPOSE_OLD,
                    &(struct finding_texts){.sentence = check_text("Docker Compose %u.%u is older than %u.%u", major,
                                                                   minor, OLDEST_COMPOSE_MAJOR, OLDEST_COMPOSE_MINOR)});
    else
        check_is_well(run, NULL, "Docker Compose %u.%u", major, minor);
}
