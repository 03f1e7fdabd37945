/*
 * `anchord doctor --path-answers [--from-lan[=ADDRESSES]] [PID]`: the group `path` as records (protocol/check_answer.h)
 * on standard output, for anchord-doctor, which starts it before it gives up being root.
 */
#pragma once

/* With what follows `--path-answers`. Returns the exit status. */
int path_command(int argc, char **argv);
