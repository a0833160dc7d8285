/* Before the C library: fork(2) fails while the file of $FORK_FAILS is there, as where
 * there may be no more processes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

pid_t fork(void)
{
	const char *path = getenv("FORK_FAILS");
	pid_t (*next)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");

	if (path != NULL && access(path, F_OK) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return next();
}
