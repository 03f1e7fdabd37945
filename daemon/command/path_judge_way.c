/* What came of the way out, put into words; see path_plan.h. Pure; runs as root in the command. */
#include "daemon/command/path_judge_internal.h"

#include "common/cleanup.h"

/* Some answer came from beyond the network-anchor. */
static bool is_from_beyond(const struct path_scene *scene, path_result result)
{
    struct ip_address speaker;

    if (path_outcome(result) == PROBE_ANSWERED)
        return true;
    if (!result || (result->outcome != PROBE_EXPIRED && result->outcome != PROBE_REFUSED &&
                    result->outcome != PROBE_UNREACHABLE && result->outcome != PROBE_TOO_BIG))
        return false;
    speaker = wire_address_to(&result->address);
    return speaker.family != IP_FAMILY_NONE && !ip_address_is_among(&speaker, scene->anchor, scene->anchor_count);
}

/* What a small one brought back from the network-anchor itself is no way out for small ones. */
static bool is_lost(const struct path_scene *scene, const struct path_ladder *ladder)
{
    return path_outcome(ladder->large) == PROBE_SILENT && path_outcome(ladder->again) == PROBE_SILENT &&
           is_from_beyond(scene, ladder->small);
}

static path_result too_big(const struct path_ladder *ladder)
{
    return path_outcome(ladder->large) == PROBE_TOO_BIG ? ladder->large : NULL;
}

static void judge_sizes(struct judging *judging, const struct path_way_out *way)
{
    path_result told = too_big(&way->near) ? too_big(&way->near) : too_big(&way->far);

    if (is_lost(judging->scene, &way->near) || is_lost(judging->scene, &way->far)) {
        SENTENCE(judging, "packets of %u bytes from %s vanish %s the first router, smaller ones get through, IPv%u",
                 PATH_LARGE, way->container->name, is_lost(judging->scene, &way->near) ? "before" : "behind",
                 (unsigned int)way->family);
        WHY(judging, "a link on the way takes less, and nobody says so (ICMP too big): large answers hang");
        REMEDY(judging,
               "docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' %s   # its "
               "networks\n"
               "# each of them in the Compose file: driver_opts: {com.docker.network.driver.mtu: \"%u\"}, or what the "
               "narrowest link takes\n"
               "docker compose down && docker compose up -d",
               SHELL_WORD(way->container->name), PATH_SMALL);
        path_tell(judging, VERDICT_FAIL, PROBLEM_PATH_MTU);
    } else if (told) {
        SENTENCE(judging, "the way out takes packets of %u bytes, and senders are told so, IPv%u",
                 (unsigned int)told->mtu, (unsigned int)way->family);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
    } else if (is_from_beyond(judging->scene, way->near.large)) {
        SENTENCE(judging, "the way out takes packets of %u bytes, IPv%u", PATH_LARGE, (unsigned int)way->family);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
    }
}

static bool is_ladder_from_beyond(const struct path_scene *scene, const struct path_ladder *ladder)
{
    return is_from_beyond(scene, ladder->large) || is_from_beyond(scene, ladder->small);
}

/* NULL: it refused none. That a gateway does not answer, it says after three seconds: to the second or third. */
static path_result refused_by_us(const struct path_scene *scene, const struct path_ladder *ladder)
{
    path_result told[] = {ladder->large, ladder->small, ladder->again};

    for (size_t i = 0; i < ARRAY_LENGTH(told); i++) {
        if (path_outcome(told[i]) == PROBE_UNREACHABLE && !is_from_beyond(scene, told[i]))
            return told[i];
    }
    return NULL;
}

/* The throw-away host has seen who came. */
static bool judge_lan_seen(struct judging *judging, const struct path_way_out *way)
{
    const struct ip_address *own = &judging->scene->own[path_index_of(way->family)];
    struct ip_address seen;

    if (path_outcome(way->lan_seen) != PROBE_ANSWERED)
        return false;
    seen = wire_address_to(&way->lan_seen->address);
    if (ip_address_is_among(&seen, judging->scene->anchor, judging->scene->anchor_count)) {
        SENTENCE(judging, "what %s sends to the LAN carries the project's address, %s", way->container->name,
                 IP_ADDRESS_TEXT(&seen));
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
    } else {
        SENTENCE(judging, "what %s sends to the LAN carries %s, not the project's address, %s", way->container->name,
                 IP_ADDRESS_TEXT(&seen), IP_ADDRESS_TEXT(own));
        WHY(judging, "it leaves by another way than the network-anchor");
        REMEDY(judging, "%sanchord status   # under Problems: what %s lacks", IN_ANCHOR(judging),
               SHELL_WORD(way->container->name));
        path_tell(judging, VERDICT_FAIL, PROBLEM_LEAVES_ELSEWHERE);
    }
    return true;
}

static void judge_beyond(struct judging *judging, const struct path_way_out *way)
{
    const struct path_scene *scene = judging->scene;

    if (is_ladder_from_beyond(scene, &way->near) || is_ladder_from_beyond(scene, &way->far) ||
        path_outcome(way->router) == PROBE_REFUSED || path_outcome(way->router) == PROBE_ANSWERED) {
        SENTENCE(judging, "what %s sends gets beyond the network-anchor, and the answer comes back, IPv%u",
                 way->container->name, (unsigned int)way->family);
        path_tell(judging, VERDICT_OK, PROBLEM_NONE);
    } else if (refused_by_us(scene, &way->near)) {
        SENTENCE(judging, "what %s sends ends at the network-anchor: %s, IPv%u", way->container->name,
                 path_how(refused_by_us(scene, &way->near)), (unsigned int)way->family);
        WHY(judging, "it knows no gateway, or that one does not answer");
        REMEDY(judging, "%sanchord doctor address", IN_ANCHOR(judging));
        path_tell(judging, VERDICT_FAIL, PROBLEM_NOTHING_BEYOND);
    } else {
        SENTENCE(judging, "no router behind the network-anchor answers what %s sends: some never do, IPv%u",
                 way->container->name, (unsigned int)way->family);
        REMEDY(
            judging,
            "sudo anchord doctor path --from-lan=ADDRESS/LENGTH   # a free address of the LAN, on the host: proves it");
        path_tell(judging, VERDICT_UNKNOWN, PROBLEM_NONE);
    }
}

void path_judge_way_out(const struct path_scene *scene, const struct path_way_out *way, path_reporter report,
                        void *userdata)
{
    struct judging judging = {.scene = scene, .report = report, .userdata = userdata};

    path_write_text(judging.answer.object, sizeof(judging.answer.object), "%s v%u", way->container->name,
                    (unsigned int)way->family);
    if (!judge_lan_seen(&judging, way))
        judge_beyond(&judging, way);
    judge_sizes(&judging, way);
}
