/*
 * What is wrong, of all that control was told (SEE-1): by code, without what only follows from something else, and
 * without what has not lasted yet.
 *
 * Used by control.c, which notes each change, and by bus_object.c, in anchord-control. In memory only; no privilege.
 */
#pragma once

#include "protocol/problems.h"
#include "workers/control/view.h"

/* After each change of the view. Returns when one of them is to be shown next, of the same clock; UINT64_MAX: none. */
uint64_t problems_note(struct view *view, uint64_t now);

struct shown_problem {
    const struct problem_definition *definition;
    const char *object; /* a container, an interface, a worker, Docker … */
    const char *text;   /* what exactly; the title where nothing more is known */
};
typedef int (*problem_handler)(void *userdata, const struct shown_problem *problem);

/* Tells of each that is to be shown at `now`; ends with the first negative result, which it returns. */
int problems_tell(const struct view *view, uint64_t now, problem_handler handler, void *userdata);

/* Renews anchord_problem{code}. */
void problems_count(const struct view *view, uint64_t now);
