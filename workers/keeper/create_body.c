/*
 * The body of ContainerCreate; see create_body.h. Pure, no privilege.
 *
 *     {… Config …, "Image": "nginx:1", "Labels": {…, "anchord.replaces": "8dfa…"},
 *      "HostConfig": {… HostConfig …, "NetworkMode": "container:backend", "Binds": […, "4f1c…:/data"]}}
 *
 * Left out, because Docker refuses them together with `network_mode: container:` and the old one cannot have had any of
 * its own (moby runconfig/hostconfig.go, validateNetContainerMode): Hostname, which is the old short ID or the
 * target's; Domainname; MacAddress; ExposedPorts, which come from the image again; PortBindings and PublishAllPorts.
 *
 * Anonymous volumes stand in no field that creates them again with their content, so each becomes a bind of the volume
 * that the old container has (Mounts), or the Source of the Mount that asked for it.
 */
#include "workers/keeper/create_body.h"

#include <stdio.h>
#include <string.h>

static const char *const dropped_of_config[] = {"\"Hostname\"", "\"Domainname\"", "\"MacAddress\"", "\"ExposedPorts\""};

struct writer {
    FILE *file;
    bool needs_comma;
};

static void separate(struct writer *writer)
{
    if (writer->needs_comma)
        (void)fputc(',', writer->file); /* errors of a memory stream show in fclose() */
    writer->needs_comma = true;
}

static void write_slice(FILE *file, struct json_slice slice)
{
    (void)fwrite(slice.text, 1, slice.length, file);
}

static void write_member(struct writer *writer, struct json_slice key, struct json_slice value)
{
    separate(writer);
    write_slice(writer->file, key);
    (void)fputc(':', writer->file);
    write_slice(writer->file, value);
}

static bool is_one_of(struct json_slice key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_slice_equals(key, names[i]))
            return true;
    }
    return false;
}

/* Control characters, quotes and backslashes have no place in names and IDs; what has one is refused. */
static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

/* --- volumes --------------------------------------------------------------------------------------------- */

/* The Mounts entry of a volume at `destination`, a string with its quotes; none if there is no such. */
static struct json_slice find_volume(const struct inspection *old, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(json_slice_member(old->root, "Mounts"));
    struct json_slice mount;

    while (json_walk_element(&walk, &mount)) {
        struct json_slice found = json_slice_member(mount, "Destination");

        if (json_slice_equals(json_slice_member(mount, "Type"), "\"volume\"") && found.length == destination.length &&
            memcmp(found.text, destination.text, found.length) == 0)
            return mount;
    }
    return (struct json_slice){0};
}

/* Does "source:/destination:mode" of Binds say where `destination` comes from? */
static bool is_bound(struct json_slice binds, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(binds);
    struct json_slice bind;
    size_t length = destination.length - 2; /* without quotes */

    while (json_walk_element(&walk, &bind)) {
        const char *colon = memchr(bind.text, ':', bind.length);
        size_t rest = colon ? bind.length - (size_t)(colon + 1 - bind.text) : 0;

        if (rest > length && memcmp(colon + 1, destination.text + 1, length) == 0 &&
            (colon[1 + length] == '"' || colon[1 + length] == ':'))
            return true;
    }
    return false;
}

static bool is_mounted(struct json_slice mounts, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(mounts);
    struct json_slice mount;

    while (json_walk_element(&walk, &mount)) {
        struct json_slice target = json_slice_member(mount, "Target");

        if (target.length == destination.length && memcmp(target.text, destination.text, target.length) == 0)
            return true;
    }
    return false;
}

/* A volume's name and a path without their quotes. */
static void write_volume(struct writer *writer, struct json_slice mount, struct json_slice destination)
{
    struct json_slice name = json_slice_member(mount, "Name");
    bool is_writable = json_slice_equals(json_slice_member(mount, "RW"), "true");

    separate(writer);
    (void)fprintf(writer->file, "%.*s:%.*s%s\"", (int)(name.length - 1), name.text, (int)(destination.length - 2),
                  destination.text + 1, is_writable ? "" : ":ro");
}

/* "Binds": those there were, and the anonymous volumes that nothing else names. */
static void write_binds(struct writer *parent, const struct inspection *old, struct json_slice host)
{
    struct json_slice binds = json_slice_member(host, "Binds");
    struct json_walk walk = json_walk_array(binds);
    struct writer writer = {.file = parent->file};
    struct json_slice element;

    separate(parent);
    (void)fputs("\"Binds\":[", writer.file);
    while (json_walk_element(&walk, &element)) {
        separate(&writer);
        write_slice(writer.file, element);
    }
    walk = json_walk_array(json_slice_member(old->root, "Mounts"));
    while (json_walk_element(&walk, &element)) {
        struct json_slice destination = json_slice_member(element, "Destination");

        if (json_slice_equals(json_slice_member(element, "Type"), "\"volume\"") && !is_bound(binds, destination) &&
            !is_mounted(json_slice_member(host, "Mounts"), destination))
            write_volume(&writer, element, destination);
    }
    (void)fputc(']', writer.file);
}

/* One entry of HostConfig.Mounts; a volume without a Source gets that of the volume there is. */
static void write_mount(FILE *file, const struct inspection *old, struct json_slice mount)
{
    struct json_slice source = json_slice_member(mount, "Source");
    struct json_slice volume = find_volume(old, json_slice_member(mount, "Target"));
    struct json_slice name = json_slice_member(volume, "Name");
    struct json_walk walk = json_walk_object(mount);
    struct writer writer = {.file = file};
    struct json_slice key;
    struct json_slice value;

    if (!json_slice_equals(json_slice_member(mount, "Type"), "\"volume\"") || source.length > 2 ||
        json_slice_is_none(name)) {
        write_slice(file, mount);
        return;
    }
    (void)fputc('{', file);
    while (json_walk_member(&walk, &key, &value)) {
        if (!json_slice_equals(key, "\"Source\""))
            write_member(&writer, key, value);
    }
    write_member(&writer, (struct json_slice){"\"Source\"", strlen("\"Source\"")}, name);
    (void)fputc('}', file);
}

static void write_mounts(struct writer *parent, const struct inspection *old, struct json_slice mounts)
{
    struct json_walk walk = json_walk_array(mounts);
    struct writer writer = {.file = parent->file};
    struct json_slice mount;

    separate(parent);
    (void)fputs("\"Mounts\":[", writer.file);
    while (json_walk_element(&walk, &mount)) {
        separate(&writer);
        write_mount(writer.file, old, mount);
    }
    (void)fputc(']', writer.file);
}

static bool publishes_ports(struct json_slice key, struct json_slice value)
{
    return (json_slice_equals(key, "\"PortBindings\"") && !json_slice_is_empty(value)) ||
           (json_slice_equals(key, "\"PublishAllPorts\"") && json_slice_equals(value, "true"));
}

/* --- the two objects ------------------------------------------------------------------------------------- */

static void write_host_config(struct writer *parent, const struct inspection *old, const char *target)
{
    struct json_slice host = json_slice_member(old->root, "HostConfig");
    struct json_walk walk = json_walk_object(host);
    struct writer writer = {.file = parent->file};
    struct json_slice key;
    struct json_slice value;

    separate(parent);
    (void)fputs("\"HostConfig\":{", writer.file);
    while (json_walk_member(&walk, &key, &value)) {
        if (json_slice_equals(key, "\"NetworkMode\"") || json_slice_equals(key, "\"Binds\"") ||
            publishes_ports(key, value))
            continue;
        if (json_slice_equals(key, "\"Mounts\""))
            write_mounts(&writer, old, value);
        else
            write_member(&writer, key, value);
    }
    write_binds(&writer, old, host);
    separate(&writer);
    (void)fprintf(writer.file, "\"NetworkMode\":\"container:%s\"}", target);
}

static void write_labels(struct writer *parent, const struct inspection *old, struct json_slice labels)
{
    struct json_walk walk = json_walk_object(labels);
    struct writer writer = {.file = parent->file};
    struct json_slice key;
    struct json_slice value;

    separate(parent);
    (void)fputs("\"Labels\":{", writer.file);
    while (json_walk_member(&walk, &key, &value)) {
        if (!json_slice_equals(key, "\"" LABEL_REPLACES "\""))
            write_member(&writer, key, value);
    }
    separate(&writer);
    (void)fprintf(writer.file, "\"" LABEL_REPLACES "\":\"%s\"}", old->id);
}

static void write_config(struct writer *writer, const struct inspection *old, bool use_image_id)
{
    struct json_slice config = json_slice_member(old->root, "Config");
    struct json_walk walk = json_walk_object(config);
    struct json_slice key;
    struct json_slice value;

    while (json_walk_member(&walk, &key, &value)) {
        if (json_slice_equals(key, "\"Labels\"") ||
            is_one_of(key, dropped_of_config, ARRAY_LENGTH(dropped_of_config)) ||
            (use_image_id && json_slice_equals(key, "\"Image\"")))
            continue;
        write_member(writer, key, value);
    }
    if (use_image_id) {
        separate(writer);
        (void)fprintf(writer->file, "\"Image\":\"%s\"", old->image_id);
    }
    write_labels(writer, old, json_slice_member(config, "Labels"));
}

static int print_body(const struct inspection *old, const char *target, bool use_image_id, char **ret)
{
    CLEANUP_FREE char *text = NULL;
    size_t length = 0;
    struct writer writer = {.file = open_memstream(&text, &length)};
    bool has_failed;

    if (!writer.file)
        return -ENOMEM;
    (void)fputc('{', writer.file);
    write_config(&writer, old, use_image_id);
    write_host_config(&writer, old, target);
    (void)fputc('}', writer.file);
    has_failed = ferror(writer.file) != 0;
    if (fclose(writer.file) != 0 || has_failed)
        return -ENOMEM;
    *ret = TAKE_POINTER(text);
    return 0;
}

static bool is_text(struct json_slice slice)
{
    return json_slice_is_string(slice) && slice.length > 2;
}

static bool has_odd_volume(struct json_slice mounts)
{
    struct json_walk walk = json_walk_array(mounts);
    struct json_slice mount;

    while (json_walk_element(&walk, &mount)) {
        if (json_slice_equals(json_slice_member(mount, "Type"), "\"volume\"") &&
            (!is_text(json_slice_member(mount, "Name")) || !is_text(json_slice_member(mount, "Destination"))))
            return true;
    }
    return false;
}

static bool is_array_or_none(struct json_slice slice)
{
    return json_slice_is_none(slice) || json_slice_is_array(slice);
}

/* What is taken apart here must be what Docker's API says, or something of it would be lost. NULL: it is. */
static const char *find_odd_part(const struct inspection *old)
{
    struct json_slice config = json_slice_member(old->root, "Config");
    struct json_slice labels = json_slice_member(config, "Labels");
    struct json_slice host = json_slice_member(old->root, "HostConfig");
    struct json_slice mounts = json_slice_member(old->root, "Mounts");

    if (!json_slice_is_object(config))
        return "its inspection is odd: Config is no object";
    if (!json_slice_is_none(labels) && !json_slice_is_object(labels))
        return "its inspection is odd: Config.Labels is no object";
    if (!json_slice_is_object(host))
        return "its inspection is odd: HostConfig is no object";
    if (!is_array_or_none(json_slice_member(host, "Binds")))
        return "its inspection is odd: HostConfig.Binds is no array";
    if (!is_array_or_none(json_slice_member(host, "Mounts")))
        return "its inspection is odd: HostConfig.Mounts is no array";
    if (!is_array_or_none(mounts))
        return "its inspection is odd: Mounts is no array";
    if (has_odd_volume(mounts))
        return "its inspection is odd: a volume of Mounts has no Name or no Destination";
    return NULL;
}

int create_body_make(const struct inspection *old, const char *target, bool use_image_id, const char **ret_reason,
                     char **ret)
{
    *ret_reason = find_odd_part(old);
    if (!*ret_reason && (!is_plain(target) || !is_plain(old->image_id)))
        *ret_reason = "the name of its target, or the ID of its image, has a character that those do not have";
    if (*ret_reason)
        return -EBADMSG;
    return print_body(old, target, use_image_id, ret);
}
