/*
 * The rules for a finished Compose file (SEE-2, `anchord doctor files`), by what they look at.
 *
 * Called by files_check.c. Each tells what it finds by files_found(); what cannot be known from the file is not
 * claimed. Pure, no privilege.
 */
#pragma once

#include "workers/commands/doctor/files_model.h"

void files_rules_labels(struct files_model *model);   /* files_labels.c */
void files_rules_networks(struct files_model *model); /* files_networks.c */
void files_rules_homes(struct files_model *model);    /* files_homes.c: the network-anchors and their two networks */
void files_rules_rights(struct files_model *model);   /* files_rights.c: capabilities, places to write, restarts */
void files_rules_docker(struct files_model *model);   /* files_docker.c: who asks Docker, and through what */
void files_rules_sidecars(struct files_model *model); /* files_sidecars.c: service-anchors, rebinders, holders */
