/*
 * Runs a fuzz target over every file of a corpus directory, as an ordinary test without libFuzzer.
 * Called by `meson test` with the directory; fails when the directory is missing or empty.
 */
#include "common/cleanup.h"
#include "tests/fuzz/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

DEFINE_POINTER_CLEANUP(DIR, (void)closedir, closedirp);

static int replay_file(int directory, const char *name)
{
    CLEANUP_FD int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    CLEANUP_FREE uint8_t *bytes = NULL;
    struct stat status;

    if (file < 0 || fstat(file, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return 0;
    bytes = malloc((size_t)status.st_size + 1);
    if (!bytes)
        return -ENOMEM;
    if (read(file, bytes, (size_t)status.st_size) != status.st_size)
        return -EIO;
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)status.st_size);
    return 1;
}

int main(int argc, char **argv)
{
    CLEANUP(closedirp) DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned int replayed = 0;

    if (!corpus) {
        (void)fprintf(stderr, "usage: %s CORPUS_DIRECTORY (must exist)\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (struct dirent *entry = readdir(corpus); entry; entry = readdir(corpus)) {
        int result = replay_file(dirfd(corpus), entry->d_name);

        if (result < 0) {
            (void)fprintf(stderr, "%s: cannot be read\n", entry->d_name);
            return EXIT_FAILURE;
        }
        replayed += (unsigned int)result;
    }
    (void)printf("%u corpus files\n", replayed);
    return replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
