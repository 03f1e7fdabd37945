/*
 * The three standard streams of a command: what somebody has closed, and what could not be written.
 *
 * Called by main.c, as whoever typed the command.
 */
#pragma once

/*
 * Opens /dev/null in place of each that is closed, so that no socket or file gets its number and then what was meant
 * for people. It is open the wrong way round: who writes there hears of it.
 */
void standard_streams_open(void);

/*
 * At the end of a command that has printed: a success whose words did not all arrive (a full disk) is none. Returns the
 * exit status, EXIT_STATUS_CONFIGURATION after it was said.
 */
int standard_streams_finish(const char *command, int status);
