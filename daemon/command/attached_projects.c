/* The files of attached projects; see attached_projects.h. Runs as whoever types the command. */
#include "daemon/command/attached_projects.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_variables.h"
#include "daemon/supervise/meeting_place.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX    ".env"
#define PATH_SIZE (sizeof(ATTACHED_DIRECTORY) + NAME_SIZE + sizeof(SUFFIX))

const char *attached_projects_path(const char *project)
{
    static char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), ATTACHED_DIRECTORY "/%s" SUFFIX, project);
    return path;
}

static const char *value_in(const char *const environment[], const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; environment[i]; i++) {
        if (strncmp(environment[i], name, length) == 0 && environment[i][length] == '=')
            return environment[i] + length + 1;
    }
    return NULL;
}

/* Those that the roles attach and attach-host know and compose/attach.yaml passes on, but for the role. It mounts
 * Docker's socket, and DOCKER_HOST would be that of whoever types `docker compose`; and no directory for a further
 * socket of bans. */
static bool is_written(const struct configuration_variable *variable)
{
    if (strncmp(variable->name, "DOCKER_", strlen("DOCKER_")) == 0 || strcmp(variable->name, "ANCHORD_MODE") == 0 ||
        strcmp(variable->name, "ANCHORD_BAN_SOCKET") == 0)
        return false;
    return configuration_variables_concern(variable, ROLE_ATTACH) ||
           configuration_variables_concern(variable, ROLE_ATTACH_HOST);
}

static void write_variables(FILE *stream, const char *const environment[])
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    for (size_t i = 0; i < count; i++) {
        const char *value = value_in(environment, variables[i].name);
        const char *otherwise = variables[i].default_value ? variables[i].default_value : "";

        if (is_written(&variables[i]))
            (void)fprintf(stream, "\n# %s\n%s%s=%s\n", variables[i].help, value ? "" : "#", variables[i].name,
                          value ? value : otherwise);
    }
}

int attached_projects_write(const char *project, const char *image, const char *const environment[])
{
    char temporary[PATH_SIZE + sizeof(".new")];
    const char *path = attached_projects_path(project);
    CLEANUP_STREAM FILE *stream = NULL;
    int fd, result;

    if (mkdir(ATTACHED_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!stream)
        return -errno;
    (void)fprintf(stream,
                  "# An attached project, written by `anchord attach`. Lines that begin with # hold defaults.\n");
    if (image)
        (void)fprintf(stream, "\n# the image of both halves\n" ATTACHED_IMAGE "=%s\n", image);
    write_variables(stream, environment);
    result = fflush(stream) == 0 && fsync(fd) == 0 && rename(temporary, path) == 0 ? 0 : -errno;
    if (result < 0)
        (void)unlink(temporary);
    return result;
}

static const char *kept_path(const char *project)
{
    static char path[PATH_SIZE + sizeof(".kept")];

    (void)snprintf(path, sizeof(path), "%s.kept", attached_projects_path(project));
    return path;
}

int attached_projects_keep(const char *project)
{
    (void)unlink(kept_path(project)); /* of a command that was killed */
    if (link(attached_projects_path(project), kept_path(project)) == 0 || errno == ENOENT)
        return 0;
    return -errno;
}

int attached_projects_restore(const char *project)
{
    if (rename(kept_path(project), attached_projects_path(project)) == 0)
        return 0;
    if (errno == ENOENT && (unlink(attached_projects_path(project)) == 0 || errno == ENOENT))
        return 0;
    return -errno;
}

void attached_projects_forget(const char *project)
{
    (void)unlink(kept_path(project));
}

/* unix(7): the eighth word of a line is the path of a socket that somebody holds; an abstract name begins with @, and
 * may have spaces in it. */
static const char *path_of(char *line)
{
    char *rest = line;

    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 7 && rest; i++) {
        rest += strspn(rest, " ");
        rest = strchr(rest, ' ');
    }
    return rest ? rest + strspn(rest, " ") : "";
}

/* Anybody can make such a line: for those who may not ask the socket itself. */
static bool is_listed(const struct sockaddr_un *place)
{
    CLEANUP_STREAM FILE *stream = fopen("/proc/net/unix", "re");
    char line[512];

    if (!stream)
        return false;
    while (fgets(line, sizeof(line), stream)) {
        if (strcmp(path_of(line), place->sun_path) == 0)
            return true;
    }
    return false;
}

/* A connection of another type is refused as such where somebody listens, and disturbs no meeting. */
bool attached_projects_is_running(const char *project)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un place;

    if (fd < 0 || meeting_place_of(project, &place) < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&place, sizeof(place)) == 0)
        return false;
    return errno == EPROTOTYPE || (errno == EACCES && is_listed(&place));
}

void attached_projects_leave_meeting(const char *project)
{
    struct sockaddr_un place;

    if (meeting_place_of(project, &place) < 0)
        return;
    (void)unlink(place.sun_path);
    *strrchr(place.sun_path, '/') = '\0';
    (void)rmdir(place.sun_path);
}

static int is_of_project(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > strlen(SUFFIX) && length < NAME_SIZE && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

int attached_projects_each(attached_projects_handler handler, void *userdata)
{
    struct dirent **entries = NULL;
    int count = scandir(ATTACHED_DIRECTORY, &entries, is_of_project, alphasort);

    if (count < 0)
        return errno == ENOENT ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - strlen(SUFFIX)] = '\0';
        handler(entries[i]->d_name, userdata);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int attached_projects_read(const char *project, const char *variable, char *ret, size_t size)
{
    CLEANUP_STREAM FILE *stream = fopen(attached_projects_path(project), "re");
    int result = stream ? 0 : -errno;
    size_t length = strlen(variable);
    char line[512];

    ret[0] = '\0';
    while (stream && fgets(line, sizeof(line), stream)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, variable, length) == 0 && line[length] == '=')
            text_copy_cut(ret, size, line + length + 1);
    }
    return result;
}

int attached_projects_load(const char *project, char *ret, size_t size)
{
    CLEANUP_STREAM FILE *stream = fopen(attached_projects_path(project), "re");
    size_t length;

    if (!stream)
        return -errno;
    length = fread(ret, 1, size, stream);
    if (ferror(stream))
        return -EIO;
    if (length == size)
        return -E2BIG;
    ret[length] = '\0';
    return 0;
}
