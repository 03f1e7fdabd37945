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
 *
 * PidMode, IpcMode and VolumesFrom that name the container whose network namespace it was in get its target, as
 * NetworkMode does: Compose writes the ID for `pid: service:backend`, too.
 */
#include "workers/keeper/create_body.h"

#include "workers/keeper/json_text.h"
#include "workers/keeper/mount_path.h"
#include "workers/keeper/references.h"

#include <string.h>

static const char *const dropped_of_config[] = {"\"Hostname\"", "\"Domainname\"", "\"MacAddress\"", "\"ExposedPorts\""};

struct writer {
    struct json_text *text;
    bool needs_comma;
};

static void separate(struct writer *writer)
{
    if (writer->needs_comma)
        json_text_put(writer->text, ",");
    writer->needs_comma = true;
}

static void write_member(struct writer *writer, struct json_slice key, struct json_slice value)
{
    separate(writer);
    json_text_put_slice(writer->text, key);
    json_text_put(writer->text, ":");
    json_text_put_slice(writer->text, value);
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

/* The Mounts entry of a volume at `destination`, without quotes; none if there is no such. */
static struct json_slice find_volume(const struct inspection *old, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(json_slice_member(old->root, "Mounts"));
    struct json_slice mount;

    while (json_walk_element(&walk, &mount)) {
        if (json_slice_equals(json_slice_member(mount, "Type"), "\"volume\"") &&
            mount_path_is_same(mount_path_text(json_slice_member(mount, "Destination")), destination))
            return mount;
    }
    return (struct json_slice){0};
}

/* Does "source:/destination:mode" of Binds say where `destination` comes from? */
static bool is_bound(struct json_slice binds, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(binds);
    struct json_slice bind;
    bool has_source;

    while (json_walk_element(&walk, &bind)) {
        struct json_slice place = mount_path_of_bind(mount_path_text(bind), &has_source);

        if (has_source && mount_path_is_same(place, destination))
            return true;
    }
    return false;
}

static bool is_mounted(struct json_slice mounts, struct json_slice destination)
{
    struct json_walk walk = json_walk_array(mounts);
    struct json_slice mount;

    while (json_walk_element(&walk, &mount)) {
        if (mount_path_is_same(mount_path_text(json_slice_member(mount, "Target")), destination))
            return true;
    }
    return false;
}

/* `destination` without quotes. */
static void write_volume(struct writer *writer, struct json_slice mount, struct json_slice destination)
{
    struct json_slice name = mount_path_text(json_slice_member(mount, "Name"));
    bool is_writable = json_slice_equals(json_slice_member(mount, "RW"), "true");

    separate(writer);
    json_text_put(writer->text, "\"");
    json_text_put_slice(writer->text, name);
    json_text_put(writer->text, ":");
    json_text_put_slice(writer->text, destination);
    json_text_put(writer->text, is_writable ? "\"" : ":ro\"");
}

/* Is this element of Binds a path alone, at which there is an anonymous volume that gets its name below? */
static bool is_anonymous(const struct inspection *old, struct json_slice bind)
{
    bool has_source;
    struct json_slice place = mount_path_of_bind(mount_path_text(bind), &has_source);

    return !has_source && !json_slice_is_none(find_volume(old, place));
}

/* "Binds": those there were, and the anonymous volumes that nothing else names. */
static void write_binds(struct writer *parent, const struct inspection *old, struct json_slice host)
{
    struct json_slice binds = json_slice_member(host, "Binds");
    struct json_walk walk = json_walk_array(binds);
    struct writer writer = {.text = parent->text};
    struct json_slice element;

    separate(parent);
    json_text_put(writer.text, "\"Binds\":[");
    while (json_walk_element(&walk, &element)) {
        if (is_anonymous(old, element))
            continue;
        separate(&writer);
        json_text_put_slice(writer.text, element);
    }
    walk = json_walk_array(json_slice_member(old->root, "Mounts"));
    while (json_walk_element(&walk, &element)) {
        struct json_slice destination = mount_path_text(json_slice_member(element, "Destination"));

        if (json_slice_equals(json_slice_member(element, "Type"), "\"volume\"") && !is_bound(binds, destination) &&
            !is_mounted(json_slice_member(host, "Mounts"), destination))
            write_volume(&writer, element, destination);
    }
    json_text_put(writer.text, "]");
}

/* One entry of HostConfig.Mounts; a volume without a Source gets that of the volume there is. */
static void write_mount(struct json_text *text, const struct inspection *old, struct json_slice mount)
{
    struct json_slice source = json_slice_member(mount, "Source");
    struct json_slice volume = find_volume(old, mount_path_text(json_slice_member(mount, "Target")));
    struct json_slice name = json_slice_member(volume, "Name");
    struct json_walk walk = json_walk_object(mount);
    struct writer writer = {.text = text};
    struct json_slice key;
    struct json_slice value;

    if (!json_slice_equals(json_slice_member(mount, "Type"), "\"volume\"") || source.length > 2 ||
        json_slice_is_none(name)) {
        json_text_put_slice(text, mount);
        return;
    }
    json_text_put(text, "{");
    while (json_walk_member(&walk, &key, &value)) {
        if (!json_slice_equals(key, "\"Source\""))
            write_member(&writer, key, value);
    }
    write_member(&writer, (struct json_slice){"\"Source\"", strlen("\"Source\"")}, name);
    json_text_put(text, "}");
}

static void write_mounts(struct writer *parent, const struct inspection *old, struct json_slice mounts)
{
    struct json_walk walk = json_walk_array(mounts);
    struct writer writer = {.text = parent->text};
    struct json_slice mount;

    separate(parent);
    json_text_put(writer.text, "\"Mounts\":[");
    while (json_walk_element(&walk, &mount)) {
        separate(&writer);
        write_mount(writer.text, old, mount);
    }
    json_text_put(writer.text, "]");
}

static bool publishes_ports(struct json_slice key, struct json_slice value)
{
    return (json_slice_equals(key, "\"PortBindings\"") && !json_slice_is_empty(value)) ||
           (json_slice_equals(key, "\"PublishAllPorts\"") && json_slice_equals(value, "true"));
}

/* --- other containers ------------------------------------------------------------------------------------- */

/* PidMode or IpcMode; false: it stays as it is. */
static bool write_mode(struct writer *writer, const struct inspection *old, const char *target, struct json_slice key,
                       struct json_slice value)
{
    if ((!json_slice_equals(key, "\"PidMode\"") && !json_slice_equals(key, "\"IpcMode\"")) ||
        !references_follow_mode(old, value))
        return false;
    separate(writer);
    json_text_put_slice(writer->text, key);
    json_text_put(writer->text, ":\"container:");
    json_text_put(writer->text, target);
    json_text_put(writer->text, "\"");
    return true;
}

static void write_volumes_from(struct writer *parent, const struct inspection *old, const char *target,
                               struct json_slice value)
{
    struct json_walk walk = json_walk_array(value);
    struct writer writer = {.text = parent->text};
    struct json_slice element, mode;

    separate(parent);
    json_text_put(writer.text, "\"VolumesFrom\":[");
    while (json_walk_element(&walk, &element)) {
        separate(&writer);
        if (!references_follow_volumes(old, element, &mode)) {
            json_text_put_slice(writer.text, element);
            continue;
        }
        json_text_put(writer.text, "\"");
        json_text_put(writer.text, target);
        json_text_put_slice(writer.text, mode);
        json_text_put(writer.text, "\"");
    }
    json_text_put(writer.text, "]");
}

/* --- the two objects ------------------------------------------------------------------------------------- */

static void write_host_config(struct writer *parent, const struct inspection *old, const char *target)
{
    struct json_slice host = json_slice_member(old->root, "HostConfig");
    struct json_walk walk = json_walk_object(host);
    struct writer writer = {.text = parent->text};
    struct json_slice key;
    struct json_slice value;

    separate(parent);
    json_text_put(writer.text, "\"HostConfig\":{");
    while (json_walk_member(&walk, &key, &value)) {
        if (json_slice_equals(key, "\"NetworkMode\"") || json_slice_equals(key, "\"Binds\"") ||
            publishes_ports(key, value))
            continue;
        if (json_slice_equals(key, "\"Mounts\""))
            write_mounts(&writer, old, value);
        else if (json_slice_equals(key, "\"VolumesFrom\"") && json_slice_is_array(value))
            write_volumes_from(&writer, old, target, value);
        else if (!write_mode(&writer, old, target, key, value))
            write_member(&writer, key, value);
    }
    write_binds(&writer, old, host);
    separate(&writer);
    json_text_put(writer.text, "\"NetworkMode\":\"container:");
    json_text_put(writer.text, target);
    json_text_put(writer.text, "\"}");
}

static void write_labels(struct writer *parent, const struct inspection *old, struct json_slice labels)
{
    struct json_walk walk = json_walk_object(labels);
    struct writer writer = {.text = parent->text};
    struct json_slice key;
    struct json_slice value;

    separate(parent);
    json_text_put(writer.text, "\"Labels\":{");
    while (json_walk_member(&walk, &key, &value)) {
        if (!json_slice_equals(key, "\"" LABEL_REPLACES "\""))
            write_member(&writer, key, value);
    }
    separate(&writer);
    json_text_put(writer.text, "\"" LABEL_REPLACES "\":\"");
    json_text_put(writer.text, old->id);
    json_text_put(writer.text, "\"}");
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
        json_text_put(writer->text, "\"Image\":\"");
        json_text_put(writer->text, old->image_id);
        json_text_put(writer->text, "\"");
    }
    write_labels(writer, old, json_slice_member(config, "Labels"));
}

static int print_body(const struct inspection *old, const char *target, bool use_image_id, char **ret)
{
    struct json_text text = {0};
    struct writer writer = {.text = &text};

    json_text_put(&text, "{");
    write_config(&writer, old, use_image_id);
    write_host_config(&writer, old, target);
    json_text_put(&text, "}");
    return json_text_take(&text, ret);
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
