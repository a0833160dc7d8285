/*
 * libpam sleeps at the end of pam_authenticate for as long as its modules asked
 * for with pam_fail_delay(3), unless the application takes the sleeping over.
 * This one does: it counts the delay from the start, where libpam adds it to
 * the time that the modules took, and so tells the peer how long that was.
 */
#include "delay.h"

#include <stddef.h>

static unsigned asked; /* microseconds; a process has one transaction, on one thread */

static void take(int status, unsigned usec, void *data)
{
	(void)status;
	(void)data;
	asked = usec;
}

int login_take_delay(pam_handle_t *pamh)
{
	/* The item is the function's address itself: a cast that POSIX grants and ISO C does not. */
	union {
		void (*function)(int, unsigned, void *);
		const void *item;
	} delay = {take};

	asked = 0;
	return pam_set_item(pamh, PAM_FAIL_DELAY, delay.item);
}

unsigned login_delay(void)
{
	return asked;
}
