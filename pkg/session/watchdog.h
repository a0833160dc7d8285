#ifndef REXECD_SESSION_WATCHDOG_H
#define REXECD_SESSION_WATCHDOG_H

#include <stddef.h>
#include <stdint.h>

struct start;

/* What the process is doing when the time is over. */
enum activity {
	ACTIVITY_NONE,	/* nothing that hangs for long; it looks at the clock itself */
	ACTIVITY_CALL,	/* a call that cannot be interrupted: the process ends */
	ACTIVITY_START, /* the start of a command: its process is killed */
	ACTIVITY_BUSY,	/* internal: the handler looks at it */
	ACTIVITY_OVER,	/* internal: the process ends */
};

/* Who carries out what is left to do when the process ends: the program itself, with
 * these arguments, what to do on descriptor 0 and this descriptor as 2. The strings
 * stay the caller's. */
void session_watchdog_reporter(char *const *argv, char *const *envp, int err);

/* Arms the timers, so many nanoseconds from now; patience is what a child that is
 * killed has to end, last when the process ends in any case. Returns 0, or -1 with
 * errno. */
int session_watchdog_arm(int64_t left, int64_t patience, int64_t last);
/* Deletes them. Returns 0. */
int session_watchdog_disarm(void);

/* An activity begins. The report is what the reporter will find, the connections what is
 * closed once it has ended; -1: none. The report stays the caller's until the
 * activity has ended. */
void session_watchdog_begin(enum activity activity, const void *report, size_t size, int primary, int second);
/* It has ended. Does not return if the time was over before; otherwise it returns 0. */
int session_watchdog_end(void);

/* The child that is between fork and exec; NULL once it is not. */
void session_watchdog_child(const struct start *child);

/* The limits to put back before the reporter starts, as prlimit(2) has them. */
enum { SESSION_LIMITS = 16 };
void session_watchdog_limits(const uint64_t limits[SESSION_LIMITS][2]);

#endif
