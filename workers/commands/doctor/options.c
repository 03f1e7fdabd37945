/* The arguments of `anchord doctor`; see options.h. No privilege. */
#include "workers/commands/doctor/options.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/check_table.h"

#include <stdio.h>
#include <string.h>

static bool complain(const char *what, const char *why)
{
    (void)fputs("anchord doctor: ", stderr);
    (void)text_print_escaped(stderr, what);
    (void)fprintf(stderr, ": %s\n", why);
    return false;
}

void options_print_help(void)
{
    (void)puts(
        "Usage: anchord doctor [CHECK…] [files [FILE…]] [--anchor NAME] [--from-lan[=ADDRESSES]] [--json] [--list]\n"
        "       [--suppress CODE[=OBJECT]] [--threshold warn|fail]\n"
        "       anchord doctor stale-netns [--json]\n"
        "\n"
        "Looks for what is wrong, and says why and what to do; it changes nothing and takes at most 20 seconds.\n"
        "CHECK is a check or a group of --list; without one it looks at everything that can be seen from here:\n"
        "as root on the host all of it, in a network-anchor's container (docker exec) most, and says what to run\n"
        "for the rest. `path` tries a connection to each exposed port. `files` reads finished Compose files, those "
        "that\n"
        "are named behind it, or one from standard input:\n"
        "  docker compose config --format json | anchord doctor files\n"
        "\n"
        "Options:\n"
        "  --anchor NAME       this network-anchor alone, by its container or its project\n"
        "  --from-lan[=ADDRESS/PREFIX[,ADDRESS6/PREFIX]]\n"
        "                      with path, as root on the host: proves it from outside, by a host of its own on the "
        "LAN\n"
        "                      for some seconds, with free addresses; without any by SLAAC, for IPv6 alone\n"
        "  --json              the same as JSON (doctor.schema.json in the documentation)\n"
        "  --list              the checks that there are\n"
        "  --suppress CODE[=OBJECT]\n"
        "                      leave this finding out, ANC0101, everywhere or of one object; may be repeated\n"
        "  --threshold warn|fail\n"
        "                      from what on the exit status is 1 (warn)\n"
        "  --help              this text\n"
        "\n"
        "stale-netns is by itself: the containers of this host that live in a dead network namespace.\n"
        "\n"
        "Exit status 0: nothing is wrong; 1: something is; 2: wrong usage; 3: nothing could be looked at, or not all\n"
        "the files that were named.");
}

void options_print_list(void)
{
    for (size_t i = 0; i < check_count; i++)
        (void)printf("%-9s %-18s %s\n",
                     i > 0 && check_table[i].group == check_table[i - 1].group
                         ? ""
                         : check_group_to_string(check_table[i].group),
                     check_table[i].name, check_table[i].title);
}

static bool is_check_or_group(const char *word)
{
    for (size_t i = 0; i < check_count; i++) {
        if (strcmp(check_table[i].name, word) == 0 || strcmp(check_group_to_string(check_table[i].group), word) == 0)
            return true;
    }
    return false;
}

/* The nearest check or group, when it is near enough to be meant. */
static const char *find_meant(const char *word)
{
    size_t best = TEXT_MISSPELT_LETTERS_MAX + 1;
    const char *meant = NULL;

    for (size_t i = 0; i < check_count; i++) {
        const char *const names[] = {check_table[i].name, check_group_to_string(check_table[i].group)};

        for (size_t j = 0; j < ARRAY_LENGTH(names); j++) {
            size_t distance = text_edit_distance(word, names[j]);

            if (distance < best && distance * 2 <= strlen(names[j])) {
                best = distance;
                meant = names[j];
            }
        }
    }
    return meant;
}

static bool complain_of_name(const char *word)
{
    const char *meant = find_meant(word);
    char text[128];

    if (!meant)
        return complain(word,
                        "is neither a check nor a group; see anchord doctor --list (a file stands behind `files`)");
    (void)snprintf(text, sizeof(text), "is neither a check nor a group; did you mean %s?", meant);
    return complain(word, text);
}

bool options_want(const struct options *options, const struct check *check)
{
    for (size_t i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], check->name) == 0 ||
            strcmp(options->names[i], check_group_to_string(check->group)) == 0)
            return true;
    }
    return options->name_count == 0 && !(check->flags & CHECK_WHEN_NAMED);
}

static bool add_suppression(struct options *options, const char *word)
{
    const char *rest = word;
    const char *digits;
    uint64_t number = 0;
    size_t index = 0;

    if (options->suppression_count == OPTION_WORDS_MAX)
        return complain("--suppress", "is given too often");
    if (word[0] == '\0')
        return complain("--suppress", "the code is missing");
    digits = text_skip(&rest, "ANC") ? rest : "";
    if (text_to_number(digits, strcspn(digits, "="), 9999, &number) < 0 || problem_find((uint32_t)number, &index) < 0)
        return complain(word, "is no code; those that there are stand in docs/problems.md: ANC0101");
    options->suppressions[options->suppression_count++] = (struct suppression){
        .problem = (enum problem)number,
        .object = strchr(digits, '=') ? strchr(digits, '=') + 1 : NULL,
    };
    return true;
}

static bool set_threshold(struct options *options, const char *word)
{
    options->fails_only = strcmp(word, "fail") == 0;
    return options->fails_only || strcmp(word, "warn") == 0 || complain(word, "--threshold is warn or fail");
}

/* An option that takes a value, which may stand behind a = in the same word. NULL: it is another one. */
static const char *value_of(char ***arguments, const char *name)
{
    const char *rest = **arguments;

    if (!text_skip(&rest, name))
        return NULL;
    if (rest[0] == '=')
        return rest + 1;
    if (rest[0] != '\0')
        return NULL;
    if (!(*arguments)[1])
        return "";
    return *++*arguments;
}

/* What is named behind it and is no check is a file. */
static bool wants_files(const struct options *options)
{
    for (size_t i = 0; i < check_count; i++) {
        if ((check_table[i].flags & CHECK_OF_FILE) && options_want(options, &check_table[i]))
            return true;
    }
    return false;
}

static bool add_file(struct options *options, const char *word)
{
    if (options->file_count == FILES_MAX)
        return complain(word, "is one file too many");
    options->files[options->file_count++] = word;
    return true;
}

static bool parse_word(char ***arguments, struct options *options)
{
    const char *word = **arguments;
    const char *value;

    if (strcmp(word, "--from-lan") == 0 || strncmp(word, "--from-lan=", strlen("--from-lan=")) == 0) {
        options->from_lan = word;
        return true;
    }
    if ((value = value_of(arguments, "--suppress")))
        return add_suppression(options, value);
    if ((value = value_of(arguments, "--threshold")))
        return set_threshold(options, value);
    if ((value = value_of(arguments, "--anchor"))) {
        options->anchor = value;
        return value[0] != '\0' || complain("--anchor", "the name of a container or project is missing");
    }
    if (word[0] == '-')
        return complain(word, "unknown argument; see anchord doctor --help");
    if (!is_check_or_group(word) && wants_files(options))
        return add_file(options, word);
    if (!is_check_or_group(word))
        return complain_of_name(word);
    if (options->name_count == OPTION_WORDS_MAX)
        return complain(word, "is one name too many");
    options->names[options->name_count++] = word;
    return true;
}

bool options_parse(char **arguments, struct options *ret)
{
    const struct {
        const char *name;
        bool *target;
    } switches[] = {
        {"--json", &ret->as_json},
        {"--list", &ret->lists},
        {"--help", &ret->shows_help},
    };

    *ret = (struct options){0};
    for (; *arguments; arguments++) {
        size_t i = 0;

        while (i < ARRAY_LENGTH(switches) && strcmp(*arguments, switches[i].name) != 0)
            i++;
        if (i < ARRAY_LENGTH(switches))
            *switches[i].target = true;
        else if (!parse_word(&arguments, ret))
            return false;
    }
    return true;
}
