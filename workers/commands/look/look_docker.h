/*
 * Which containers Docker has, whose they are, and what addresses they have.
 *
 * Called by main() of anchord-look.
 */
#pragma once

/* Asks Docker at `text`, a DOCKER_HOST that is a unix socket, after it has given up every right. Returns the exit
 * status. */
int look_docker(const char *text);
