/*
 * Asks the kernel of an anchor's network namespace, and tries the application, for `anchord explain` (SEE-3). Others do
 * it: anchord-explain and anchord-probe.
 *
 * Used by explain_command.c, as root.
 */
#pragma once

#include "daemon/command/explain_plan.h"
#include "daemon/command/path_prober.h"

struct explain_place {
    int namespace; /* the anchor's; -1: that in which we are */
    struct path_prober prober;
};

void explain_place_begin(struct explain_place *place, int namespace);
void explain_place_end(struct explain_place *place);

/* Fills what the kernel knows of the flow, and what comes of it when its backend is tried. */
void explain_kernel_look(struct explain_place *place, const struct explain_model *model, struct explain_flow *flow);

/* Packets of a flow that are followed. */
struct explain_following {
    pid_t pid; /* 0: none */
    int channel;
    bool must_be_swept;
};
/* Returns 0 or a negative errno. */
int explain_kernel_follow(const struct explain_place *place, const struct explain_model *model,
                          const struct explain_flow *flow, struct explain_following *ret)
    __attribute__((warn_unused_result));
void explain_kernel_end(const struct explain_place *place, struct explain_following *following);
