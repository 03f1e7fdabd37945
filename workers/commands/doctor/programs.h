/*
 * The programs that anchord-doctor starts. What is installed knows its own directory alone; the tests' build is told
 * others.
 *
 * Used by gather.c and path_group.c.
 */
#pragma once

#include "build_information.h"

#ifndef DOCTOR_RULESET
#define DOCTOR_RULESET ANCHORD_LIBEXEC_DIRECTORY "/anchord-ruleset"
#endif
#ifndef DOCTOR_ANCHORD
#define DOCTOR_ANCHORD ANCHORD_BINARY
#endif
