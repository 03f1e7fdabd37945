/* The arguments of `anchord attach`; see attach_request.h. Runs as whoever typed them. */
#include "daemon/command/attach_request.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_units.h"

#include <stdio.h>
#include <string.h>

/* Says more, and takes nothing back when it is not there: kept like what has no option. */
#define VIA_HOST "ANCHORD_VIA_HOST"

/* What an option sets; of the image no role knows. */
static const struct {
    const char *option;
    const char *variable;
} options[] = {
    {"--address", "ANCHORD_ADDRESS"}, {"--from", "ANCHORD_EXPOSE_FROM"}, {"--gateway", "ANCHORD_EXT_GATEWAY_IP"},
    {"--mac", "ANCHORD_MAC"},         {"--parent", "ANCHORD_PARENT"},    {"PROJECT", "ANCHORD_PROJECT"},
    {"--image", ATTACHED_IMAGE},      {"--via-host", VIA_HOST},
};

static const char *variable_of(const char *option, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        if (strlen(options[i].option) == length && strncmp(options[i].option, option, length) == 0)
            return options[i].variable;
    }
    return NULL;
}

const char *attach_request_name(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        if (strcmp(options[i].variable, variable) == 0)
            return options[i].option;
    }
    return variable;
}

const char *attach_request_value(const struct attach_request *request, const char *variable)
{
    size_t length = strlen(variable);

    if (strcmp(variable, ATTACHED_IMAGE) == 0)
        return request->image[0] != '\0' ? request->image : NULL;
    for (size_t i = 0; i < request->count; i++) {
        if (strncmp(request->texts[i], variable, length) == 0 && request->texts[i][length] == '=')
            return request->texts[i] + length + 1;
    }
    return NULL;
}

/* It is written into a file that shells and Compose read. */
static bool is_image(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@";

    return text[0] != '\0' && text[strspn(text, letters)] == '\0';
}

static int set(struct attach_request *request, const char *variable, const char *value)
{
    if (strcmp(variable, ATTACHED_IMAGE) == 0) {
        if (!is_image(value))
            return command_complain("attach", "--image", "is no name of an image, such as anchord:dev");
        text_copy_cut(request->image, sizeof(request->image), value);
        return EXIT_STATUS_CLEAN;
    }
    (void)snprintf(request->texts[request->count], REQUEST_VALUE_SIZE, "%s=%s", variable, value);
    request->environment[request->count] = request->texts[request->count];
    request->count++;
    return EXIT_STATUS_CLEAN;
}

/* An empty one would count as unset, and be something else than what was typed. */
static int take(struct attach_request *request, const char *variable, const char *value)
{
    const char *name = attach_request_name(variable);

    if (!value || value[strspn(value, TEXT_BLANKS)] == '\0')
        return command_complain("attach", name, "needs a value");
    if (attach_request_value(request, variable) && name[0] != '-')
        return command_complain("attach", value, "is a second project; attach one by one");
    if (attach_request_value(request, variable))
        return command_complain("attach", name, "is there twice");
    if (strlen(value) >= REQUEST_VALUE_SIZE - strlen("ANCHORD_EXT_GATEWAY_IP="))
        return command_complain("attach", name, "is too long");
    return set(request, variable, value);
}

static int take_arguments(int argc, char **argv, struct attach_request *request)
{
    int result = EXIT_STATUS_CLEAN;

    for (int i = 0; i < argc && result == EXIT_STATUS_CLEAN; i++) {
        bool is_option = argv[i][0] == '-';
        size_t length = strcspn(argv[i], "=");
        const char *variable = is_option ? variable_of(argv[i], length) : "ANCHORD_PROJECT";

        if (strcmp(argv[i], "--dry-run") == 0)
            request->is_dry_run = true;
        else if (strcmp(argv[i], "--no-start") == 0)
            request->is_no_start = true;
        else if (!variable)
            return command_complain("attach", argv[i], "unknown argument; see anchord attach --help");
        else if (is_option && argv[i][length] == '=')
            result = take(request, variable, argv[i] + length + 1);
        else if (is_option && ++i == argc)
            return command_complain("attach", attach_request_name(variable), "needs a value");
        else
            result = take(request, variable, argv[i]);
    }
    return result;
}

static bool is_named(const char *variable, const char *line, size_t length)
{
    return strlen(variable) == length && strncmp(variable, line, length) == 0;
}

/* By an option that was given, or that counts also when it is not. */
static bool is_decided(const struct attach_request *request, const char *line, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        if (is_named(options[i].variable, line, length))
            return strcmp(options[i].variable, VIA_HOST) != 0 || attach_request_value(request, VIA_HOST);
    }
    return false;
}

/* Who attaches again, to another address, say, has not asked to open what ANCHORD_ALLOW closes. What has no option
 * was written into the file by hand; it goes on, and is checked with the rest. */
static void keep_settings(struct attach_request *request)
{
    static char lines[65536];
    const char *project = attach_request_value(request, "ANCHORD_PROJECT");
    size_t count = request->count;
    char *rest = lines, *line;

    if (strchr(project, '/') || attached_projects_load(project, lines, sizeof(lines)) < 0)
        return; /* no name of a project: it will be said; else there is no such file, or it is not ours to read */
    while ((line = strsep(&rest, "\n")) && count < ARRAY_LENGTH(request->environment) - 1) {
        size_t length = strcspn(line, "=");

        if (line[length] == '=' && line[0] != '#' && !is_decided(request, line, length))
            request->environment[count++] = line;
    }
}

int attach_request_parse(int argc, char **argv, struct attach_request *ret)
{
    const char *named = getenv(ATTACHED_IMAGE);
    int result;

    *ret = (struct attach_request){0};
    result = take_arguments(argc, argv, ret);
    if (result != EXIT_STATUS_CLEAN)
        return result;
    if (!attach_request_value(ret, "ANCHORD_PROJECT"))
        return command_complain("attach", "PROJECT",
                                "is missing: the Compose project's name, as docker compose ls shows it");
    if (!attach_request_value(ret, "ANCHORD_PARENT"))
        return command_complain("attach", "--parent", "is missing: the host's interface on the LAN, such as eth0");
    if (ret->image[0] == '\0' && named && is_image(named))
        text_copy_cut(ret->image, sizeof(ret->image), named);
    ret->is_units = ret->image[0] == '\0' && host_units_are_installed();
    if (ret->image[0] == '\0')
        text_copy_cut(ret->image, sizeof(ret->image), ANCHORD_IMAGE);
    keep_settings(ret);
    return EXIT_STATUS_CLEAN;
}
