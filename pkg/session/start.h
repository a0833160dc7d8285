#ifndef REXECD_SESSION_START_H
#define REXECD_SESSION_START_H

#include <sys/types.h>

/* How far the child came; where it stopped when it did not start the shell. */
enum stage { STAGE_FORK, STAGE_SESSION, STAGE_IDENTITY, STAGE_HOME, STAGE_DESCRIPTORS, STAGE_SHELL };

struct start {
	const char *shell, *home;
	char *const *others; /* paths to try in turn where shell is not there; NULL: none */
	char *const *argv;
	char *const *envp;
	int change_identity; /* take uid and gid; without root there is nothing to take */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* the supplementary groups; NULL leaves the parent's */
	size_t ngroups;
	int guarded;	  /* ends with the parent */
	int in, out, err; /* become descriptors 0, 1 and 2 */

	/* Written by the child, read by the parent, which sleeps meanwhile. */
	volatile int stage;
	volatile int error; /* errno of that stage, 0 when the shell was started */
	volatile pid_t pid; /* set before the child's first step: watchdog.c can kill one that hangs */

	int pidfd; /* of the child, close-on-exec */
};

/*
 * Starts the shell as one vfork(2)-like child, which the watchdog knows meanwhile.
 * Returns 0 with s->pid, or -1 with s->stage and s->error.
 */
int session_start(struct start *s);

/* The same without the watchdog, async-signal-safe. The child's stack, of so many bytes, ends
 * at top, which is aligned for the ABI. */
enum { START_STACK = 32768 };
int session_start_on(struct start *s, char *top);

#endif
