/*
 * libpam sleeps at the end of pam_authenticate for as long as its modules asked
 * for with pam_fail_delay(3), unless the application takes over the sleeping.
 * This one does, and does not sleep: how long a module asks for depends on the
 * module that refused, and so would show the peer why. The server gives every
 * refusal one delay of its own.
 */
#include "delay.h"

#include <stddef.h>

static void ignore(int status, unsigned usec, void *data)
{
	(void)status;
	(void)usec;
	(void)data;
}

int login_take_delay(pam_handle_t *pamh)
{
	/* The item is the function's address itself: a cast that POSIX grants and ISO C does not. */
	union {
		void (*function)(int, unsigned, void *);
		const void *item;
	} delay = {ignore};

	return pam_set_item(pamh, PAM_FAIL_DELAY, delay.item);
}
