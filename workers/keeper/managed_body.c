/*
 * The body of ContainerCreate for a managed service-anchor; see managed_body.h. Pure, no privilege.
 *
 *     {"Image": "anchord:1",
 *      "Env": ["ANCHORD_MODE=service-anchor", "ANCHORD_GATEWAY_IP=172.30.0.2", "ANCHORD_LOG_LEVEL=INFO", …],
 *      "Labels": {"anchord.managed-by": "f45", "anchord.replaces": "8dfa…", …},
 *      "HostConfig": {"NetworkMode": "container:4c1e…", "RestartPolicy": {"Name": "unless-stopped"},
 *                     "CapDrop": ["ALL"], "CapAdd": ["NET_ADMIN", …], "SecurityOpt": ["no-new-privileges"],
 *                     "ReadonlyRootfs": true, "Tmpfs": {"/run": ""}}}
 *
 * Docker keeps the target's ID in any case, so it gets the ID: by name it could be another one by now. It is as
 * hardened as the service-anchors of the example Compose files.
 */
#include "workers/keeper/managed_body.h"

#include "protocol/managed_target.h"
#include "workers/keeper/inspection.h"
#include "workers/keeper/managed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

DEFINE_POINTER_CLEANUP(struct yajl_gen_t, yajl_gen_free, yajl_gen_freep);

/* yajl_gen keeps its first error and refuses everything after it; managed_body_make() asks once, at the end. */
static void write_text(yajl_gen generator, const char *text)
{
    (void)yajl_gen_string(generator, (const unsigned char *)text, strlen(text));
}

static void write_member(yajl_gen generator, const char *key, const char *value)
{
    write_text(generator, key);
    write_text(generator, value);
}

void managed_body_gateway_assignment(const struct managed_body *body, char ret[GATEWAY_ASSIGNMENT_SIZE])
{
    char one[IP_ADDRESS_TEXT_SIZE] = "", other[IP_ADDRESS_TEXT_SIZE] = "";

    if (body->gateway4.family != IP_FAMILY_NONE)
        (void)ip_address_format(&body->gateway4, one);
    if (body->gateway6.family != IP_FAMILY_NONE)
        (void)ip_address_format(&body->gateway6, other);
    (void)snprintf(ret, GATEWAY_ASSIGNMENT_SIZE, "ANCHORD_GATEWAY_IP=%s%s%s", one, one[0] && other[0] ? "," : "",
                   other);
}

/* Unless the configuration says otherwise. */
static void write_assignment(yajl_gen generator, const struct assignments *configured, const char *assignment)
{
    if (!assignments_have(configured, assignment, strcspn(assignment, "=")))
        write_text(generator, assignment);
}

static void write_environment(yajl_gen generator, const struct managed_body *body)
{
    const struct assignments *configured = &body->configured->environment;
    char gateway[GATEWAY_ASSIGNMENT_SIZE], log_level[64];

    managed_body_gateway_assignment(body, gateway);
    (void)snprintf(log_level, sizeof(log_level), "ANCHORD_LOG_LEVEL=%s", log_level_to_string(body->log_level));
    write_text(generator, "Env");
    (void)yajl_gen_array_open(generator);
    write_assignment(generator, configured, "ANCHORD_MODE=service-anchor");
    write_assignment(generator, configured, gateway);
    write_assignment(generator, configured, log_level);
    for (const char *one = assignments_next(configured, NULL); one; one = assignments_next(configured, one))
        write_text(generator, one);
    (void)yajl_gen_array_close(generator);
}

static void write_labels(yajl_gen generator, const struct managed_body *body)
{
    const struct assignments *configured = &body->configured->labels;

    write_text(generator, "Labels");
    (void)yajl_gen_map_open(generator);
    for (const char *one = assignments_next(configured, NULL); one; one = assignments_next(configured, one)) {
        const char *equals = strchr(one, '=');

        (void)yajl_gen_string(generator, (const unsigned char *)one, (size_t)(equals - one));
        write_text(generator, equals + 1);
    }
    write_member(generator, LABEL_MANAGED_BY, MANAGED_BY);
    if (body->replaces[0] != '\0')
        write_member(generator, LABEL_REPLACES, body->replaces);
    (void)yajl_gen_map_close(generator);
}

static void write_list(yajl_gen generator, const char *key, const char *const values[])
{
    write_text(generator, key);
    (void)yajl_gen_array_open(generator);
    for (; *values; values++)
        write_text(generator, *values);
    (void)yajl_gen_array_close(generator);
}

static void write_object_of_one(yajl_gen generator, const char *key, const char *member, const char *value)
{
    write_text(generator, key);
    (void)yajl_gen_map_open(generator);
    write_member(generator, member, value);
    (void)yajl_gen_map_close(generator);
}

static void write_host_config(yajl_gen generator, const struct managed_body *body)
{
    /* All but NET_ADMIN are for starting each process as a user of its own. */
    static const char *const capabilities[] = {"NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL", NULL};
    char mode[sizeof("container:") + DOCKER_ID_SIZE];

    (void)snprintf(mode, sizeof(mode), "container:%s", body->target_id);
    write_text(generator, "HostConfig");
    (void)yajl_gen_map_open(generator);
    write_member(generator, "NetworkMode", mode);
    write_object_of_one(generator, "RestartPolicy", "Name", "unless-stopped");
    write_list(generator, "CapDrop", (const char *const[]){"ALL", NULL});
    write_list(generator, "CapAdd", capabilities);
    write_list(generator, "SecurityOpt", (const char *const[]){"no-new-privileges", NULL});
    write_text(generator, "ReadonlyRootfs");
    (void)yajl_gen_bool(generator, 1);
    write_object_of_one(generator, "Tmpfs", "/run", "");
    (void)yajl_gen_map_close(generator);
}

int managed_body_make(const struct managed_body *body, char **ret)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;
    char *copy;

    if (!generator)
        return -ENOMEM;
    (void)yajl_gen_map_open(generator);
    write_member(generator, "Image", body->image);
    write_environment(generator, body);
    write_labels(generator, body);
    write_host_config(generator, body);
    if (yajl_gen_map_close(generator) != yajl_gen_status_ok ||
        yajl_gen_get_buf(generator, &text, &length) != yajl_gen_status_ok)
        return -ENOMEM;
    copy = strndup((const char *)text, length);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}
